// Two answers to the same message, made in step: the chat in sight, and beside it the same without hands, another of its branches, its full-attention twin, or
// another chat. Each side has its words, its clock, its memory and a lens of its own; the composer speaks to both.
#pragma once

#include <QWidget>

#include "app/gui/chat/chats.h"
#include "core/runs/live_run.h"

class QComboBox;
class QLabel;
class QSplitter;
class QHBoxLayout;
class QToolButton;
class QVBoxLayout;

namespace klp::gui {

class ChatView;
class Figure;
class MessageList;
class Panel;
class Tints;

// One side: what it is, its vitals, its words, and a lens that is chosen for it.
class SideColumn : public QWidget {
    Q_OBJECT
public:
    SideColumn(Session& session, const QString& name, const QColor& (*colour)(const QPalette&), QWidget* parent);
    ~SideColumn() override;
    void set_words(QWidget* words);
    QWidget* take_words();
    QToolButton* add_close();             // in its corner
    void choose_lens(const QString& id);  // "": none
    Panel* lens() const { return lens_; }
    QString vitals() const;

private:
    void refresh();
    Session& session_;
    QHBoxLayout* head_;
    QLabel* name_;
    Figure* vitals_;
    QComboBox* lenses_;
    QSplitter* halves_;
    QWidget* words_ = nullptr;
    Panel* lens_ = nullptr;
    int64_t nanoseconds_ = 0, tokens_ = 0;  // of the newest answer, behind its first token
    int answer_ = -1;
};

class SideBySide : public QWidget {
    Q_OBJECT
public:
    struct What {
        enum class Kind { plain, branch, twin, chat } kind = Kind::plain;
        int tip = 0;                 // of a branch
        const Chat* chat = nullptr;  // another one
    };
    // `view` stands on the left until it is given back. The run is that of the session.
    SideBySide(Session& session, Chats& chats, ChatView& view, LiveRun& run, const What& what, QWidget* parent);
    ~SideBySide() override;
    void give_back(QVBoxLayout& to);
    SideColumn& left() { return *left_; }
    SideColumn& right() { return *right_; }
    Session& session() { return *side_session_; }
    Chats& chats() { return *side_chats_; }

signals:
    void over();  // the model is gone, or another one is here, or a person has seen enough

private:
    void copy_line();
    Session& main_;
    Chats& chats_;
    ChatView& view_;
    const What what_;
    std::unique_ptr<Session> side_session_;
    std::unique_ptr<Chats> side_chats_;
    MessageList* words_ = nullptr;
    Tints* tints_ = nullptr;
    SideColumn *left_, *right_;
    const Chat* shown_ = nullptr;  // of the main side, that was copied last
    bool begun_ = false;
};

}  // namespace klp::gui
