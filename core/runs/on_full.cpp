#include "core/runs/on_full.h"

#include <algorithm>
#include <iterator>

#include "core/runs/run.h"

namespace klp {

namespace {

constexpr std::string_view kNames[] = {"stop", "roll", "summarise"};

// Where the last question that has an answer stands; the end where there is none.
std::vector<Part>::const_iterator last_exchange(const std::vector<Part>& line) {
    for (auto it = line.end(); it != line.begin();) {
        --it;
        if (it->role == "user" && std::next(it) != line.end()) return it;
    }
    return line.end();
}

}  // namespace

std::string_view name(OnFull way) { return kNames[static_cast<size_t>(way)]; }

Result<OnFull> on_full_named(std::string_view name) {
    for (size_t i = 0; i < std::size(kNames); ++i)
        if (kNames[i] == name) return static_cast<OnFull>(i);
    return fail(Error::usage, "a full context can stop, roll or summarise, not '" + std::string(name) + "'");
}

bool wants_summary(int64_t used, int64_t needed, int64_t predict, int64_t context) { return used + needed + std::min(predict, context / 4) > context; }

int64_t summary_tokens(int64_t context) { return std::clamp<int64_t>(context / 8, 16, 256); }

std::string with_summary(const std::string& system, const std::string& summary) {
    constexpr std::string_view kSoFar = "What was said so far: ";
    std::string own = system.substr(0, system.find(kSoFar));  // a summary is of all before it, the one before it too
    while (own.ends_with('\n')) own.pop_back();
    return own + (own.empty() ? "" : "\n\n") + std::string(kSoFar) + summary;
}

std::vector<Part> ask_for_summary(std::vector<Part> line, bool rolls) {
    if (!rolls) line.erase(last_exchange(line), line.end());
    for (Part& part : line) part.open = false;
    line.push_back({"user", kAskForSummary});
    return line;
}

std::vector<Part> after_summary(const std::vector<Part>& line, const std::string& summary) {
    std::vector<Part> next{{"system", with_summary(!line.empty() && line[0].role == "system" ? line[0].text : "", summary)}};
    next.insert(next.end(), last_exchange(line), line.end());
    return next;
}

}  // namespace klp
