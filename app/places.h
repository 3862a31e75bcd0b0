// Places of terminal talks on disk: what was said, in a chat file, and the state behind it, among the states on disk. /snap makes one by name, and the end of
// every talk is one: klp --continue.
#pragma once

#include "app/session.h"

namespace klp {

inline constexpr const char* kLastPlace = "last";  // where the newest talk ended

// Where the talk stands now. Errors name the file; the state is written by and by.
Result<void> save_place(Session& session, const std::string& name);
Result<Reached> load_place(Session& session, const std::string& name);
std::vector<std::string> place_names();

}  // namespace klp
