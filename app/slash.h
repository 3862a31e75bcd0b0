// The REPL's slash commands.
#pragma once

#include "app/session.h"

namespace klp {

void run_slash_command(Session& session, const std::string& line);
std::vector<std::string> completions(const Session& session, std::string_view before_cursor);
void show_reached(Session& session, const Reached& reached);  // where a talk goes on that is older than the program
// After an answer: what it cost, or why there is none.
void show_outcome(Session& session, const Result<Conversation::Answer>& answer);

}  // namespace klp
