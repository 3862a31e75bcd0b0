// The list of chats as rows of a tree.
#pragma once

#include <QAbstractItemModel>
#include <QString>
#include <QStringList>

#include <vector>

#include "app/gui/chat/chats.h"

namespace klp::gui {

// Two levels: chats, the newest first, those in folders behind a row of the folder's in front of all others; and below each chat that has more than one branch its branches, or while something is searched where it stands. Rows are
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
        kDate,
        kFolder
    };  // const Chat* as a quintptr; id of a branch's last message, 0 of a chat; bool; message or 0; text; name of the folder it lies in, or is: then kChat is 0

    void set_search(const QString& text);  // in titles and messages; "" shows all
    void fold(const QString& folder);      // or unfold
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
        const Chat* chat = nullptr;  // null: the row of a folder
        QString title, date, tip, folder;
        bool current = false, folded = false;
        std::vector<Branch> branches;
        bool operator==(const Row&) const = default;
    };
    bool folded(const QString& folder) const;
    std::vector<Branch> branches_of(const Chat& chat, bool current) const;
    std::vector<Branch> hits_in(const Chat& chat) const;
    Chats& chats_;
    QString search_;
    QStringList folded_;
    std::vector<Row> rows_;
};

}  // namespace klp::gui
