// The chat: its title and system prompt, the messages, what stands in the way of an answer and how to get past it, the composer.
#pragma once

#include <QWidget>

#include "app/gui/chat/composer.h"
#include "app/gui/chat/message_list.h"

class QLineEdit;
class QStackedWidget;
class QVBoxLayout;

namespace klp::gui {

class Figure;
class SamplingButton;

class ChatView : public QWidget {
    Q_OBJECT
public:
    ChatView(Session& session, Chats& chats, QWidget* parent = nullptr);

    // Stands where the messages would, while there are none and no model is loaded. The view owns it.
    void set_start_page(QWidget* page);
    // The same while there is a model.
    void set_starters(QWidget* page);
    Composer& composer() { return *composer_; }
    void lend_composer(QVBoxLayout& to);  // it stands there, until it is taken back
    void take_composer();
    MessageList& messages() { return *messages_; }
    Tints& tints() { return *tints_; }

    // What the menu does; each acts on the newest message it fits.
    void focus_composer();
    void regenerate_last();
    void edit_last();
    void fork_last();
    void go_on_last();
    void play_last();
    void step_branch(int by);  // through the ends of all branches, in the order in which they were made
    bool at_start() const;     // nothing was said and no model is there: the start page is shown
    void focus_first();        // on the first thing to do
    bool can_go_on() const;    // the last answer is unfinished
    void show_system();
    void show_find();
    void show_sampling();
    void ask_export();
    void ask_import();

signals:
    void open_asked();      // a model folder
    void embedded_asked();  // the embedded model

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void refresh_line();
    void take_tools();
    void refresh_info();
    void refresh_door();
    void refresh_full();
    void choose_page();
    void make_find(QVBoxLayout* column);
    QToolButton* make_tint_button();
    void find(int by);
    int last(const char* role) const;

    Session& session_;
    Chats& chats_;
    Figure* title_;
    QLabel* turns_;
    QToolButton *system_button_, *tools_button_;
    QPlainTextEdit *system_, *tools_;
    QWidget* find_bar_;
    QLineEdit* find_;
    QLabel* found_;
    int found_at_ = 0, found_all_ = 0;
    QStackedWidget* pages_;
    MessageList* messages_;
    QWidget *start_page_ = nullptr, *starters_ = nullptr, *door_, *full_;
    QLabel *door_text_, *full_text_;
    QPushButton *again_, *on_cpu_, *embedded_, *open_, *roll_;
    Composer* composer_;
    SamplingButton* sampling_;
    Tints* tints_;
};

}  // namespace klp::gui
