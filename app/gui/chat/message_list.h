// The messages of a line, one below the other. Only those in sight, and a few more, are widgets; the others are a height.
#pragma once

#include <QAbstractScrollArea>

#include "app/gui/chat/message_card.h"

namespace klp::gui {

class MessageList : public QAbstractScrollArea {
    Q_OBJECT
public:
    explicit MessageList(Chats& chats, QWidget* parent = nullptr);
    void set_tints(Tints* tints);  // of the words; it outlives the list

    void set_line();  // of the current chat, as it is now
    void grow();      // the answer that is being made
    void refresh(int id);
    void scroll_to(int id);
    void go_to_newest();
    void mark_selected();
    // Every place of a text in the messages of the line ("": none is searched), the n-th of them in sight and marked more. Gives how many there are.
    int find(const QString& text, int n);
    MessageCard* card(int id) const;  // null while it is out of sight
    int cards() const;                // that are widgets now
    static constexpr int kMostCards = 48;

signals:
    void edit_asked(int id);

protected:
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    struct Item {
        int id = 0, height = 0;
        bool measured = false;
        MessageCard* card = nullptr;
        uint64_t used = 0;
    };
    void arrange();
    int guess(int id) const;
    int column() const;  // width of a card
    void make(Item& item);
    void place_pill();

    void tint(Item& item);
    Chats& chats_;
    Tints* tints_ = nullptr;
    const Chat* shown_ = nullptr;
    std::vector<Item> items_;
    QToolButton *pill_, *ahead_;
    bool following_ = true, arranging_ = false;
    uint64_t clock_ = 0;
    int marked_ = 0;  // the message with the selected token
    QString found_;   // that is searched
    int found_id_ = 0, found_at_ = 0;
};

}  // namespace klp::gui
