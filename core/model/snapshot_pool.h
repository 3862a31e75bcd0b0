// Frozen states of many lines of talk, found by their tokens. Going anywhere costs restoring the nearest one whose tokens begin the target, and replaying the
// rest: rewinding, editing, branching and switching between chats are all the same move, and so is opening one whose state lies in a file.
#pragma once

#include <deque>

#include "core/model/state_store.h"

namespace klp {

class SnapshotPool {
public:
    explicit SnapshotPool(int64_t budget_bytes) : budget_(budget_bytes) {}

    struct Move {                    // what going somewhere cost, or would cost
        int64_t restored_bytes = 0;  // of the file, if it came from one
        int64_t replayed = 0;        // tokens
        int64_t nanoseconds = 0;
        bool from_file = false;  // restored from a state on disk
        std::string note = {};   // what was wrong with one that was not, a sentence
    };
    Move cost(const Sequence& from, std::span<const int32_t> target) const;
    // Afterwards the sequence holds exactly `target`. On an error, a cancel too, it stands where it stood. `progress` hears of replayed tokens chunk by chunk.
    // `keeps`: what was replayed before a cancel stays in the pool, so that the same target goes on from there.
    using Progress = std::function<void(int64_t done, int64_t total)>;
    Result<Move> go(Sequence& sequence, std::span<const int32_t> target, Workspace& ws, const std::atomic<bool>* cancel = nullptr,
                    const Progress& progress = {}, bool keeps = false);

    // Remembers where the sequence stands; the least recently used ones are dropped for the budget.
    SnapshotPtr keep(const Sequence& sequence);
    std::vector<int64_t> along(const Sequence& sequence) const;  // tokens of each one that its line goes through, ascending
    void look_in(const StateStore* files) { files_ = files; }    // states on disk too; null: none
    void set_budget(int64_t bytes);
    int64_t budget() const { return budget_; }
    int64_t bytes() const;
    int64_t count() const { return static_cast<int64_t>(kept_.size()); }

private:
    const SnapshotPtr* nearest(const Sequence& like, std::span<const int32_t> target) const;
    Move cost_in_memory(const Sequence& from, std::span<const int32_t> target) const;
    std::optional<StateStore::Found> file_for(const Sequence& from, std::span<const int32_t> target) const;  // that has more than memory
    void thin();
    int64_t budget_;
    const StateStore* files_ = nullptr;
    std::deque<SnapshotPtr> kept_;  // the most recently used last
};

}  // namespace klp
