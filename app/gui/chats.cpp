#include "app/gui/chats.h"

namespace klp::gui {

Chats::Chats(Session& session, QObject* parent) : QObject(parent), session_(session) {
    connect(&session, &Session::token_made, this, [this](const TokenMade& e) {
        if (e.answer != answer_ || line_.empty()) return;
        line_.back().text += e.text;
        line_.back().ids.push_back(e.id);
        emit changed();
    });
}

void Chats::send(const QString& text) {
    line_.push_back({"user", text.toStdString(), {}, false});
    MakeAnswer ask{.answer = ++answer_, .line = line_};
    if (const RunCard* card = session_.card()) ask.sampling = card->sampling, ask.predict = card->predict;
    line_.push_back({"assistant", "", {}, false});
    session_.post(ask);
    emit changed();
}

}  // namespace klp::gui
