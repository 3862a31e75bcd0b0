// All chats and their branches in a tree, found by title or by what was said; and what the snapshots of all of them take.
#pragma once

#include <QAbstractItemModel>
#include <QWidget>

#include "app/gui/chat/chats.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QTreeView;

namespace klp::gui {

// Two levels: chats, the newest first, and below each that has more than one branch its branches, or while something is searched where it stands. Rows are
// values, taken anew at every change of the list.
class ConversationsModel : public QAbstractItemModel {
    Q_OBJECT
public:
    explicit ConversationsModel(Chats& chats, QObject* parent = nullptr);
    enum Role {
        kChat = Qt::UserRole,
        kEnd,
        kCurrent,
        kHit,
        kDate
    };  // const Chat* as a quintptr; id of a branch's last message, 0 of a chat; bool; message or 0; text

    void set_search(const QString& text);  // in titles and messages; "" shows all
    QModelIndex current() const;           // the row that is open

    QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    QModelIndex parent(const QModelIndex& child) const override;
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& = {}) const override { return 1; }
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role = Qt::EditRole) override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;

    void refresh();

private:
    struct Branch {
        int end = 0, hit = 0;
        QString text, tip;
        bool current = false;
        bool operator==(const Branch&) const = default;
    };
    struct Row {
        const Chat* chat = nullptr;
        QString title, date, tip;
        bool current = false;
        std::vector<Branch> branches;
        bool operator==(const Row&) const = default;
    };
    std::vector<Branch> branches_of(const Chat& chat, bool current) const;
    std::vector<Branch> hits_in(const Chat& chat) const;
    Chats& chats_;
    QString search_;
    std::vector<Row> rows_;
};

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
