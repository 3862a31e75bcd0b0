// The chat: messages above, the composer below.
#pragma once

#include <QWidget>

#include "app/gui/chats.h"

namespace klp::gui {

class ChatView : public QWidget {
    Q_OBJECT
public:
    ChatView(Session& session, Chats& chats, QWidget* parent = nullptr);
};

}  // namespace klp::gui
