// Places of terminal talks on disk: what was said, in a chat file, and the state behind it, among the states on disk. /snap makes one by name, and the end of
// every talk is one: klp --continue.
#pragma once

#include "app/session.h"
#include "core/runs/chat.h"

namespace klp {

inline constexpr const char* kLastPlace = "last";  // where the newest talk ended

// A talk in its file, which grows with it: only what is new is written.
class KeptTalk {
public:
    // Where the talk stands now. Errors name the file; the state is written by and by.
    Result<void> keep(Session& session, const std::string& name);

private:
    std::unique_ptr<Chat> chat_;   // null: there is no file yet, or it is another program's by now
    std::map<int, int> messages_;  // of the nodes that are in it
};
Result<Reached> load_place(Session& session, const std::string& name);
std::vector<std::string> place_names();

}  // namespace klp
