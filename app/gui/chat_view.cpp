#include "app/gui/chat_view.h"

#include <QLineEdit>
#include <QPlainTextEdit>
#include <QVBoxLayout>

namespace klp::gui {

ChatView::ChatView(Session&, Chats& chats, QWidget* parent) : QWidget(parent) {
    auto* layout = new QVBoxLayout(this);
    auto* text = new QPlainTextEdit(this);
    text->setReadOnly(true);
    text->setAccessibleName("Messages");
    auto* line = new QLineEdit(this);
    line->setObjectName("composer");
    line->setAccessibleName("Message");
    layout->addWidget(text);
    layout->addWidget(line);
    connect(line, &QLineEdit::returnPressed, this, [line, &chats] {
        if (!line->text().isEmpty()) chats.send(line->text());
        line->clear();
    });
    connect(&chats, &Chats::changed, this, [text, &chats] {
        QString all;
        for (const Part& p : chats.line()) all += QString::fromStdString(p.role + ": " + p.text + "\n\n");
        text->setPlainText(all);
    });
}

}  // namespace klp::gui
