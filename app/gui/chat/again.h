// An answer once more, from what is known of its tokens: the events of a run that makes it, for the transport of recordings.
#pragma once

#include "app/gui/chat/chats.h"
#include "core/runs/recording.h"

namespace klp::gui {

// Null where the engine does not stand on the answer's line, or not all of its tokens are known.
std::shared_ptr<const Recording> answer_again(const Chats& chats, int id);
bool can_play_again(const Chats& chats, int id);

}  // namespace klp::gui
