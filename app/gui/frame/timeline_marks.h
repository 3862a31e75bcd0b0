// What stands at a place of the timeline and is no number: where messages begin, where the talk branches, where a snapshot of the memory is kept.
#pragma once

#include <QString>
#include <cstdint>
#include <vector>

#include "app/gui/session/session.h"

namespace klp::gui {

class Chats;

struct TimelineMark {
    enum Kind { message, answer, branch, snapshot } kind = message;
    int64_t position = 0;
    QString text;  // a sentence
    bool operator==(const TimelineMark&) const = default;
};

// By position. Messages are found by the tokens that open them, or, of a model without such tokens, where what was fed follows on what was made. `chats` says
// where other branches begin; null: nobody asks.
std::vector<TimelineMark> timeline_marks(const Session& session, const Chats* chats);

}  // namespace klp::gui
