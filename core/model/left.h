// What is left of every token in the state of one KDA head now: life.h's `left` and `decay` of each at their newest, all at once. Instead of every key carried
// forward, one matrix is carried backward,
//   R_T = I,   R_{t-1} = R_t (I - beta_t k_t k_t^T) Diag(alpha_t),   left_i = k_i . R_i k_i
// which costs K^2 a token.
#pragma once

#include "core/model/life.h"

namespace klp {

struct LeftOfEach {
    std::vector<float> left, decay;  // [T] by decay and overwriting; by decay alone
};
// An edit in front of a row takes what it takes of every key before it (Intervention); `cuts`: those of this head, by row, ascending. Without a key the
// channels, or where none is named all of them, are emptied.
struct Cut {
    int64_t row = 0;
    std::vector<double> key = {};
    double amount = 0;
    std::vector<int> channels = {};
};
LeftOfEach left_of_each(const DeltaRows& rows, std::span<const Cut> cuts = {});

struct LeftRequest {
    std::span<const int32_t> tokens;  // of the sequence
    int layer = 0, head = 0;
    int64_t window = kProbeWindow;  // the newest tokens
    int64_t context = 0;
    bool rolls = false;
    InterventionsPtr hands = {};
};
struct LeftNow : LeftOfEach {
    int layer = 0, head = 0;
    int64_t position = 0, first = 0;  // of the newest token and of the first value
};
// Feeds those tokens again, in a sequence of its own. Errors: no state there, no token, or interrupted.
Result<LeftNow> left_now(std::shared_ptr<const Model> model, SnapshotPool& pool, const LeftRequest& what, const std::atomic<bool>* cancel = nullptr,
                         const SnapshotPool::Progress& progress = {});

}  // namespace klp
