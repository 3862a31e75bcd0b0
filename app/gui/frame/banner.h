// What went wrong or was done, and what to do about it: a strip above the chat that waits to be read, never stands in the way, and goes when it is not true any
// more.
#pragma once

#include <QFrame>

#include "app/gui/session/notice.h"

class QHBoxLayout;
class QLabel;

namespace klp::gui {

class Banner : public QFrame {
    Q_OBJECT
public:
    explicit Banner(QWidget* parent = nullptr);
    void say(const Notice& notice);
    void look_again();        // anything has changed: is it still true?
    void messages_changed();  // the chat shows others, or of another chat: notes about those before go
    void went_right();        // an answer was made, a model was loaded: what went wrong before is over
    void dismiss();
    QString text() const;

signals:
    void changed();  // another message, or none

private:
    void show_newest();
    void paint();
    std::vector<Notice> notices_;  // the newest last; behind it only those that say themselves how long they hold
    QLabel *what_, *advice_;
    QHBoxLayout* buttons_;

protected:
    void changeEvent(QEvent* event) override;
};

}  // namespace klp::gui
