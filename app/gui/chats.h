// The conversations: what was said, on which branch, and what the engine is asked to do about it.
#pragma once

#include "app/gui/session.h"

namespace klp::gui {

class Chats : public QObject {
    Q_OBJECT
public:
    explicit Chats(Session& session, QObject* parent = nullptr);

    void send(const QString& text);
    void stop() { session_.cancel(); }
    const std::vector<Part>& line() const { return line_; }

signals:
    void changed();

private:
    Session& session_;
    std::vector<Part> line_;
    int answer_ = 0;
};

}  // namespace klp::gui
