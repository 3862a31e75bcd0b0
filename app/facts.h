// What the states hold of one word, in the REPL: /read, /overwrite, /erase, /life, /who and /rules.
#pragma once

#include <string>
#include <vector>

#include "app/session.h"

namespace klp {

void read_fact(Session& session, const std::vector<std::string>& words);
// Of `words` the first is the fact, for an overwriting the second is the other; the last question is answered again, on a branch of its own.
void cut_fact(Session& session, bool erase, const std::vector<std::string>& words);
void live_fact(Session& session, const std::vector<std::string>& words);
void say_readers(Session& session, const std::vector<std::string>& words);  // of which the second, a position, is the token that reads
// The newest state of a head, or of every head of a layer, had the same tokens been written by another rule. `words`: LAYER.HEAD, LAYER or nothing.
void say_rules(Session& session, const std::vector<std::string>& words);

}  // namespace klp
