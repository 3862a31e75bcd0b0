// Hands on the memory in the REPL: each change answers the last question again, on a branch of its own, from the same memory and with the same seed.
#pragma once

#include <string>
#include <vector>

#include "app/session.h"

namespace klp {

// /gate, /beta, /mute, /silence, /hide, /empty and /transplant; "all" behind the others tells the whole line again under it.
void lay_hand(Session& session, const std::string& command, std::vector<std::string> words);
// The last question again under these, with what it cost and how the answers differ.
void answer_under(Session& session, Interventions what, bool whole_line);
void list_hands(const Session& session);
// What the branch that was left is called, and how far both answers are the same.
std::string compared(const Session& session, int left_branch, int left_tip);

}  // namespace klp
