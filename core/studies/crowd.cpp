#include "core/studies/crowd.h"

#include <algorithm>
#include <string>

namespace klp {

namespace {

Result<void> go_on(const std::atomic<bool>* cancel) {
    if (cancel && *cancel) return fail(Error::interrupted, "interrupted");
    return {};
}

Result<void> has_room(std::span<const Telling> all) {
    for (const Telling& one : all)
        if (const auto n = static_cast<int64_t>(one.ids.size()); n > one.sequence->room())
            return fail(Error::usage, "a chat of " + std::to_string(one.sequence->position() + n) + " tokens does not fit in the context of " +
                                          std::to_string(one.sequence->context()));
    return {};
}

// Feeds all ids but the last `kept` of each.
Result<void> tell_but(std::span<const Telling> all, size_t kept, Workspace& ws, const std::atomic<bool>* cancel) {
    std::vector<size_t> at(all.size());
    for (;;) {
        std::vector<Feed> feeds;
        std::vector<size_t> fed;
        for (size_t i = 0; i < all.size(); ++i) {
            const size_t end = all[i].ids.size() - std::min(kept, all[i].ids.size());
            int64_t room = all[i].sequence->model().pass_tokens();
            for (const Feed& feed : feeds) room -= static_cast<int64_t>(feed.tokens.size());
            const auto n = static_cast<size_t>(std::min({static_cast<int64_t>(end - at[i]), all[i].sequence->pass_room(), room}));
            if (n == 0) continue;
            feeds.push_back({.sequence = all[i].sequence, .tokens = std::span(all[i].ids).subspan(at[i], n), .silent = true});
            fed.push_back(i);
        }
        if (feeds.empty()) return {};
        if (auto on = go_on(cancel); !on) return on;
        feeds[0].sequence->model().forward(feeds, ws);
        for (size_t i = 0; i < fed.size(); ++i) at[fed[i]] += feeds[i].tokens.size();
    }
}

}  // namespace

Result<void> tell(std::span<const Telling> all, Workspace& ws, const std::atomic<bool>* cancel) {
    if (auto fits = has_room(all); !fits) return fits;
    return tell_but(all, 0, ws, cancel);
}

Result<std::vector<std::vector<int32_t>>> answers(std::span<const Telling> all, std::span<const int32_t> stop, std::span<const int64_t> budgets, Workspace& ws,
                                                  const std::atomic<bool>* cancel) {
    if (auto fits = has_room(all); !fits) return tl::unexpected(fits.error());
    if (auto told = tell_but(all, 1, ws, cancel); !told) return tl::unexpected(told.error());
    std::vector<std::vector<int32_t>> out(all.size());
    std::vector<int32_t> last(all.size());
    std::vector<size_t> open;
    for (size_t i = 0; i < all.size(); ++i) {
        if (all[i].ids.empty()) continue;
        last[i] = all[i].ids.back();
        open.push_back(i);
    }
    while (!open.empty()) {
        if (auto on = go_on(cancel); !on) return tl::unexpected(on.error());
        std::vector<Feed> feeds;
        for (const size_t i : open) feeds.push_back({.sequence = all[i].sequence, .tokens = std::span<const int32_t>(&last[i], 1), .choice = &kGreedy});
        feeds[0].sequence->model().forward(feeds, ws);
        std::vector<size_t> left;
        for (size_t n = 0; n < open.size(); ++n) {
            const size_t i = open[n];
            const int32_t id = ws.picked[n].id;
            if (id < 0) return no_number(all[i].sequence->position());
            if (std::find(stop.begin(), stop.end(), id) != stop.end()) continue;
            out[i].push_back(id);
            last[i] = id;
            if (static_cast<int64_t>(out[i].size()) < budgets[i] && all[i].sequence->room() > 0) left.push_back(i);
        }
        open = std::move(left);
    }
    return out;
}

Result<void> listen(std::span<const Telling> all, Workspace& ws, const std::atomic<bool>* cancel,
                    const std::function<void(size_t which, std::span<const float> logits)>& each) {
    if (auto fits = has_room(all); !fits) return fits;
    constexpr size_t kFloats = size_t{1} << 24;  // of logits that one pass may give
    for (size_t first = 0; first < all.size();) {
        if (auto on = go_on(cancel); !on) return on;
        const Model& model = all[first].sequence->model();
        const auto vocabulary = static_cast<size_t>(model.config().vocab_size);
        std::vector<Feed> feeds;
        size_t rows = 0, last = first;
        const size_t most = std::min(kFloats / vocabulary, static_cast<size_t>(model.pass_tokens()));
        for (; last < all.size() && (last == first || rows + all[last].ids.size() <= most); ++last) {
            const Telling& one = all[last];
            KLP_CHECK(static_cast<int64_t>(one.ids.size()) <= one.sequence->pass_room());  // nothing happens to a memory in the middle of an answer
            feeds.push_back({.sequence = one.sequence, .tokens = one.ids});
            rows += one.ids.size();
        }
        model.forward(feeds, ws, /*all_rows=*/true);
        for (size_t at = 0; first < last; ++first) {
            const size_t n = all[first].ids.size();
            const auto logits = std::span<const float>(ws.logits).subspan(at * vocabulary, n * vocabulary);
            const int64_t position = all[first].sequence->position() - static_cast<int64_t>(n) + 1;
            if (auto numbers = check_logits(logits, model.config().vocab_size, position); !numbers) return numbers;
            each(first, logits);
            at += n;
        }
    }
    return {};
}

}  // namespace klp
