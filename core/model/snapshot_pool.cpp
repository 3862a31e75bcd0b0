#include "core/model/snapshot_pool.h"

#include <algorithm>

#include "core/system.h"

namespace klp {

namespace {

bool begins(std::span<const int32_t> target, const std::vector<int32_t>& tokens) {
    return tokens.size() <= target.size() && std::equal(tokens.begin(), tokens.end(), target.begin());
}

}  // namespace

const SnapshotPtr* SnapshotPool::nearest(std::span<const int32_t> target) const {
    const SnapshotPtr* best = nullptr;
    for (const SnapshotPtr& s : kept_) {
        if ((!best || s->position() > (*best)->position()) && begins(target, s->tokens())) best = &s;
    }
    return best;
}

SnapshotPool::Move SnapshotPool::cost(const Sequence& from, std::span<const int32_t> target) const {
    const auto n = static_cast<int64_t>(target.size());
    const SnapshotPtr* start = nearest(target);
    const int64_t kept = start ? (*start)->position() : 0;
    if (begins(target, from.tokens()) && from.position() >= kept) return {.replayed = n - from.position()};
    return {.restored_bytes = start ? (*start)->bytes() : 0, .replayed = n - kept};
}

Result<SnapshotPool::Move> SnapshotPool::go(Sequence& sequence, std::span<const int32_t> target, Workspace& ws, const std::atomic<bool>* cancel,
                                            const Progress& progress, bool keeps) {
    const int64_t begin = now_ns();
    Move move = cost(sequence, target);
    const int64_t from = static_cast<int64_t>(target.size()) - move.replayed;
    const bool goes_on = sequence.position() == from && begins(target, sequence.tokens());
    if (goes_on && move.replayed == 0) return move;
    const SnapshotPtr back = sequence.snapshot();
    if (!goes_on) {
        if (const SnapshotPtr* start = nearest(target)) {
            const SnapshotPtr used = *start;
            sequence.restore(*used);
            std::erase(kept_, used);
            kept_.push_back(used);
        } else {
            sequence.reset();
        }
    }
    for (int64_t at = from, n = static_cast<int64_t>(target.size()); at < n;) {
        const int64_t chunk = std::min(sequence.model().pass_tokens(), n - at);
        if (progress) progress(at - from, move.replayed);
        if (auto fed = sequence.feed(target.subspan(static_cast<size_t>(at), static_cast<size_t>(chunk)), ws, cancel, &kGreedy); !fed) {
            const int64_t reached = sequence.position();
            const bool interrupted = fed.error().kind == Error::interrupted, kept = interrupted && keeps && reached > from;
            if (kept) keep(sequence);
            sequence.restore(*back);
            if (!interrupted) return tl::unexpected(fed.error());
            return fail(Error::interrupted, "interrupted after " + std::to_string(reached - from) + " of " + std::to_string(move.replayed) + " tokens" +
                                                (kept ? "; the same again goes on from there" : ""));
        }
        at += chunk;
    }
    move.nanoseconds = now_ns() - begin;
    return move;
}

void SnapshotPool::keep(const Sequence& sequence) {
    std::erase_if(kept_, [&](const SnapshotPtr& s) { return s->tokens() == sequence.tokens(); });
    kept_.push_back(sequence.snapshot());
    thin();
}

void SnapshotPool::set_budget(int64_t bytes) {
    budget_ = bytes;
    thin();
}

int64_t SnapshotPool::bytes() const {
    int64_t total = 0;
    for (const SnapshotPtr& s : kept_) total += s->bytes();
    return total;
}

void SnapshotPool::thin() {
    for (int64_t total = bytes(); total > budget_ && !kept_.empty(); kept_.pop_front()) total -= kept_.front()->bytes();
}

}  // namespace klp
