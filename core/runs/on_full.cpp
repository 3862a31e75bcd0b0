#include "core/runs/on_full.h"

#include <algorithm>
#include <iterator>

#include "core/runs/run.h"
#include "core/text/chat_template.h"

namespace klp {

namespace {

constexpr std::string_view kSoFar = "What was said so far: ";
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

bool exchange_stays(int64_t tokens, int64_t context) { return tokens + summary_tokens(context) <= context / 4 * 3; }

int64_t summary_tokens(int64_t context) { return std::clamp<int64_t>(context / 8, 16, 256); }

std::string without_summary(const std::string& system) {
    std::string own = system.substr(0, system.find(kSoFar));
    while (own.ends_with('\n')) own.pop_back();
    return own;
}

std::string with_summary(const std::string& system, const std::string& summary) {
    const std::string own = without_summary(system);  // a summary is of all before it, the one before it too
    return own + (own.empty() ? "" : "\n\n") + std::string(kSoFar) + summary;
}

std::vector<Part> ask_for_summary(std::vector<Part> line, bool rolls) {
    if (!rolls) line.erase(last_exchange(line), line.end());
    for (Part& part : line) part.open = false;
    line.push_back({"user", kAskForSummary});
    return line;
}

std::vector<Part> after_summary(const std::vector<Part>& line, const std::string& summary, const std::function<int64_t(const Part&)>& tokens, int64_t context) {
    std::vector<Part> next;
    std::string system;
    int64_t own = 0;
    for (auto it = line.begin(); it != line.end() && (it->role == kToolsRole || it->role == "system"); ++it) {
        if (it->role == "system")
            system = it->text;
        else
            next.push_back(*it), own += tokens(*it);
    }
    next.push_back({"system", without_summary(system)});
    own += next.back().text.empty() ? 0 : tokens(next.back());
    next.back().text = with_summary(system, summary);
    const auto exchange = last_exchange(line);
    std::for_each(exchange, line.end(), [&](const Part& part) { own += tokens(part); });
    if (exchange_stays(own, context)) next.insert(next.end(), exchange, line.end());
    return next;
}

}  // namespace klp
