// One message: who said it, the text as it comes, what it cost, and what can be done from here. Lays itself out for a width; the list puts it in its place.
#pragma once

#include <QFrame>

#include "app/gui/chat/beside.h"
#include "app/gui/chat/call_box.h"
#include "app/gui/chat/chats.h"
#include "app/gui/chat/code_box.h"
#include "app/gui/chat/markdown.h"
#include "app/gui/chat/prose_box.h"
#include "app/gui/chat/tint.h"

class QLabel;
class QMenu;
class QToolButton;

namespace klp::gui {

std::vector<ProseBox::Under> coloured(const std::vector<TintRun>& runs, const Tints& tints, const QColor& ground, const Theme& theme);

class MessageCard : public QFrame {
    Q_OBJECT
public:
    MessageCard(Chats& chats, int id, QWidget* parent);
    int id() const { return id_; }
    // Where an answer begins behind what was thought before it: 0 where nothing was, npos while it is still thought.
    static size_t behind_thought(const std::string& said);
    void take_text();                // what was added to the message since the last call
    void take_figures();             // footer, branches, what can be done
    int lay_out(int width);          // places everything, gives the height
    void mark_token(int64_t token);  // of the answer, shown; -1: none
    // Marks where a text stands ("": nothing), the n-th (from 0) more than the others. Gives that one's y, -1 without one.
    int find(const QString& text, int n);
    void tint(const Tints& tints);

signals:
    void edit_asked(int id);
    void height_changed();

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Segment {
        ProseBox* prose = nullptr;
        CodeBox* code = nullptr;
    };
    void take_calls();
    void take_hands();
    int place_segments(int x, int y, int width);
    QToolButton* button(const QString& text, const QString& tip, std::function<void()> what);
    ProseBox& prose();
    void put(const Block& block, bool closed);
    void show_menu(const QPoint& at);
    void fill_menu(QMenu& menu);
    void word_clicked(size_t segment, const QString& word, int n);
    // In short, and all that is known of it.
    struct Figures {
        QString shown, all;
    };
    Figures figures() const;
    QString plain_text() const;
    void copy();

    Chats& chats_;
    int id_;
    bool user_, plain_;  // plain: shown as it was written, as what a tool returned
    bool summary_ = false;
    BlockReader reader_;
    qsizetype taken_ = 0;  // bytes of the message's text
    bool finished_ = false, code_open_ = false;
    std::vector<Segment> segments_;
    std::vector<CallBox*> calls_;
    QLabel *role_, *footer_, *hands_ = nullptr, *now_title_ = nullptr;
    BeforeBox* before_box_ = nullptr;  // of an answer under hands: what it stands beside
    ApartBars* apart_ = nullptr;
    std::vector<QToolButton*> buttons_;
    QToolButton *rewind_ = nullptr, *go_on_ = nullptr, *play_ = nullptr, *more_ = nullptr, *before_ = nullptr, *behind_ = nullptr;
    QLabel* siblings_ = nullptr;
    int cost_request_ = 0;
    std::vector<int> branches_;
};

}  // namespace klp::gui
