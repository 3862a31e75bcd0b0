// A call of a tool in an answer: its name, its arguments, and while it is open a field for what it returns.
#pragma once

#include <QFrame>
#include <functional>

#include "app/gui/chat/code_box.h"
#include "core/text/chat_template.h"

class QLabel;
class QLineEdit;
class QToolButton;

namespace klp::gui {

class CallBox : public QFrame {
    Q_OBJECT
public:
    CallBox(const ToolCall& call, QWidget* parent);
    const QString& id() const { return id_; }
    void set_open(bool open);  // nothing was returned to it yet
    int height_for(int width);
    std::function<void(const QString& text)> on_return;

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    QString id_;
    QLabel* name_;
    CodeBox* arguments_;
    QLineEdit* text_;
    QToolButton* send_;
};

}  // namespace klp::gui
