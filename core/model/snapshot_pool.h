// Frozen states of many lines of talk, found by their tokens. Going anywhere costs restoring the nearest one whose tokens begin the target, and replaying the
// rest: rewinding, editing, branching and switching between chats are all the same move.
#pragma once

#include <deque>

#include "core/model/sequence.h"

namespace klp {

class SnapshotPool {
public:
    explicit SnapshotPool(int64_t budget_bytes) : budget_(budget_bytes) {}

    struct Move {  // what going somewhere cost, or would cost
        int64_t restored_bytes = 0;
        int64_t replayed = 0;  // tokens
        int64_t nanoseconds = 0;
    };
    Move cost(const Sequence& from, std::span<const int32_t> target) const;
    // Afterwards the sequence holds exactly `target`. On an error, a cancel too, it stands where it stood. `progress` hears of replayed tokens chunk by chunk.
    // `keeps`: what was replayed before a cancel stays in the pool, so that the same target goes on from there.
    using Progress = std::function<void(int64_t done, int64_t total)>;
    Result<Move> go(Sequence& sequence, std::span<const int32_t> target, Workspace& ws, const std::atomic<bool>* cancel = nullptr,
                    const Progress& progress = {}, bool keeps = false);

    // Remembers where the sequence stands; the least recently used ones are dropped for the budget.
    void keep(const Sequence& sequence);
    void set_budget(int64_t bytes);
    int64_t budget() const { return budget_; }
    int64_t bytes() const;
    int64_t count() const { return static_cast<int64_t>(kept_.size()); }

private:
    const SnapshotPtr* nearest(std::span<const int32_t> target) const;
    void thin();
    int64_t budget_;
    std::deque<SnapshotPtr> kept_;  // the most recently used last
};

}  // namespace klp
