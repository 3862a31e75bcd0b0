#include "app/gui/chat/call_box.h"

#include <QJsonDocument>
#include <QLabel>
#include <QLineEdit>
#include <QToolButton>

#include "app/gui/draw/text.h"
#include "core/text/tool_calls.h"

namespace klp::gui {

namespace {

constexpr int kLine = 28, kGap = 6;

// Over several lines where it is JSON.
QString pretty(const std::string& arguments) {
    const auto json = QJsonDocument::fromJson(QByteArray::fromStdString(arguments));
    return json.isNull() ? text_of(arguments) : QString::fromUtf8(json.toJson()).trimmed();
}

}  // namespace

CallBox::CallBox(const ToolCall& call, QWidget* parent) : QFrame(parent), id_(text_of(call.id)) {
    setObjectName("call-box");
    name_ = new QLabel(tr("Calls <b>%1</b>").arg(text_of(tool_name(call.id)).toHtmlEscaped()), this);
    name_->setTextFormat(Qt::RichText);
    name_->setToolTip(id_);
    arguments_ = new CodeBox("json", this);
    arguments_->set_text(pretty(call.arguments));
    text_ = new QLineEdit(this);
    text_->setObjectName("call-return");
    text_->setPlaceholderText(tr("What it returns, such as {\"temperature\": 21}"));
    text_->setAccessibleName(tr("What the call %1 returns").arg(id_));
    send_ = new QToolButton(this);
    send_->setText(tr("Return"));
    send_->setAccessibleName(tr("Return to %1").arg(id_));
    send_->setToolTip(tr("The model goes on when all calls of this answer have returned"));
    const auto send = [this] {
        if (on_return) on_return(text_->text());
    };
    connect(send_, &QToolButton::clicked, this, send);
    connect(text_, &QLineEdit::returnPressed, this, send);
}

void CallBox::set_open(bool open) {
    text_->setVisible(open);
    send_->setVisible(open);
}

int CallBox::height_for(int width) { return kLine + arguments_->height_for(width) + (text_->isHidden() ? 0 : kGap + kLine); }

void CallBox::resizeEvent(QResizeEvent*) {
    const int code = arguments_->height_for(width()), button = send_->sizeHint().width();
    name_->setGeometry(0, 0, width(), kLine);
    arguments_->setGeometry(0, kLine, width(), code);
    text_->setGeometry(0, kLine + code + kGap, width() - button - kGap, kLine);
    send_->setGeometry(width() - button, kLine + code + kGap, button, kLine);
}

}  // namespace klp::gui
