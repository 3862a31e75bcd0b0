// All chats and their branches in a tree, found by title or by what was said; and what the snapshots of all of them take.
#pragma once

#include <QWidget>

#include "app/gui/chat/conversations_model.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QTreeView;

namespace klp::gui {

class Conversations : public QWidget {
    Q_OBJECT
public:
    Conversations(Session& session, Chats& chats, QWidget* parent = nullptr);
    void focus_search();
    void rename_current();

signals:
    void message_asked(int id);  // of the chat that is open now

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void find_now();
    void open(const QModelIndex& at);
    void remove(const QModelIndex& at);
    void new_folder(const Chat* chat);
    void refresh_pool();
    void refresh_states();
    void show_menu(const QPoint& at);
    void refresh_list();

    Session& session_;
    Chats& chats_;
    ConversationsModel model_;
    QLineEdit* search_;
    QTreeView* tree_;
    QLabel *pool_, *states_, *none_;
    QComboBox *budget_, *state_budget_;
    QTimer soon_;
};

}  // namespace klp::gui
