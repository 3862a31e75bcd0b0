// What a talk does when its context is full: it ends, its cache rolls on (Sequence::set_rolling), or the model sums it up and goes on from there.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace klp {

struct Part;

enum class OnFull { stop, roll, summarise };
std::string_view name(OnFull way);  // "stop", "roll", "summarise"
Result<OnFull> on_full_named(std::string_view name);

// --- Summing up: the talk goes on from the system prompt with the summary, and the last exchange word for word -----------------

inline constexpr const char* kAskForSummary = "Sum up our talk so far in a few short sentences: who I am, what I told you, and what we were doing.";
// What may be said before it is summed up: the message, and room for an answer.
bool wants_summary(int64_t used, int64_t needed, int64_t predict, int64_t context);
int64_t summary_tokens(int64_t context);  // at most
// The system prompt of the talk that goes on; a summary that it has is replaced.
std::string with_summary(const std::string& system, const std::string& summary);
std::string without_summary(const std::string& system);  // as a person wrote it

// Whether the last exchange stays: `tokens` of it and of what stands in front of the talk (system prompt without a summary, tools). Where they fill most of
// the context, it would be full again at once, so the talk goes on from the summary alone.
bool exchange_stays(int64_t tokens, int64_t context);

// The same over a line of messages. `rolls`: the model can read a line that is longer than its context; else the last exchange, which stays anyway, is not
// read for the summary.
std::vector<Part> ask_for_summary(std::vector<Part> line, bool rolls);
std::vector<Part> after_summary(const std::vector<Part>& line, const std::string& summary, const std::function<int64_t(const Part&)>& tokens, int64_t context);

}  // namespace klp
