// What went wrong or was done, and what to do about it: a strip above the chat that waits to be read and never stands in the way.
#pragma once

#include <QFrame>

class QLabel;

namespace klp::gui {

class Banner : public QFrame {
    Q_OBJECT
public:
    explicit Banner(QWidget* parent = nullptr);
    void say(const QString& what, const QString& advice, bool bad);
    QString text() const;

private:
    void paint();
    QLabel *what_, *advice_;
    bool bad_ = false;

protected:
    void changeEvent(QEvent* event) override;
};

}  // namespace klp::gui
