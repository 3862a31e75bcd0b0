// Which past tokens one head reads. Of an MLA head, the softmax weights over its cache. Of a KDA head, its implicit attention: the delta rule unrolled,
//   o_t = S_t^T q_t = sum_i w_i v_i + S_0^T r_0,    w_i = beta_i k_i . r_i,    r_{i-1} = alpha_i (r_i - w_i k_i),    r_t = q_t
// so that one vector of K numbers, carried backwards from t, meets every past token. These weights are signed and do not sum to one.
#pragma once

#include "core/model/snapshot_pool.h"
#include "core/model/trace.h"

namespace klp {

inline constexpr int64_t kProbeWindow = 2048;  // tokens that a KDA head is unrolled over, and that have to be fed again for it

// What the delta rule of one head is given, token by token; q and k as it multiplies them (normalised, q scaled).
struct DeltaRows {
    int K = 0, V = 0;
    std::vector<double> q, k, alpha;  // [T, K]
    std::vector<double> v;            // [T, V]
    std::vector<double> beta;         // [T]
    bool plain = false;               // writing (ops.h): what is there already is not taken off
    int64_t tokens() const { return static_cast<int64_t>(beta.size()); }
};

// A query of full attention as scores are made of it: normalised, and rotated by its position. `q`: the D columns of its head in the projections.
Result<std::vector<double>> attention_query(const WeightSource& source, const ModelConfig& config, int layer, std::span<const float> q, int64_t position);

// Feeds the tokens and gives what heads [first, first + count) of a KDA layer are given for them, one head after the other. An interrupted feed leaves the
// sequence where it got to; `heard` may be empty.
Result<void> delta_rows(Sequence& sequence, std::span<const int32_t> tokens, int layer, int first, int count, Workspace& ws,
                        const std::function<void(int head, const DeltaRows&)>& each, const std::atomic<bool>* cancel = nullptr,
                        const std::function<void(int64_t done)>& heard = {});

struct Unrolled {
    std::vector<float> weights;     // [T]
    std::vector<float> decay_only;  // [T] as if no later write had removed anything: beta_i k_i . (alpha_{i+1} ... alpha_t q_t)
    std::vector<double> rest;       // [K] r_0: what the state from before the rows is read with
};
Unrolled unroll(const DeltaRows& rows);  // of the last row's output

struct HeadReads {
    int head = 0;
    int64_t position = 0;                    // of the reading token
    int64_t first = 0;                       // of the earliest weight (MLA: the oldest that the cache still holds); the last one is the reading token's own.
                                             // What the cache has forgotten by hand has a weight of 0
    bool implicit = false;                   // of a KDA head
    std::vector<float> weights, decay_only;  // decay_only: KDA
    float before = 0;                        // KDA: length of what the state of before `first` adds to the output, over the output's own
};

struct ProbeRequest {
    std::span<const int32_t> tokens;  // of the sequence, the reading one last
    int layer = 0, head = -1;         // -1: every head
    int64_t window = kProbeWindow;    // KDA
    int64_t context = 0;              // as the sequence that is looked at
    bool rolls = false;               // so too
    InterventionsPtr hands = {};      // under which it was fed
};
// Feeds what it needs again into a sequence of its own, from the nearest snapshot. `cancel` and `progress` as in SnapshotPool::go. Errors: no such head, or
// interrupted.
Result<std::vector<HeadReads>> probe(std::shared_ptr<const Model> model, SnapshotPool& pool, const ProbeRequest& what,
                                     const std::atomic<bool>* cancel = nullptr, const SnapshotPool::Progress& progress = {});

// What feeding some tokens again tells of each: readings, and of a token that an answer made what it was chosen among.
struct RetraceRequest {
    std::span<const int32_t> tokens;  // of the sequence
    int64_t first = 0, last = 0;      // those that are wanted
    const std::function<bool(int64_t position)>& made;
    int candidates = 0;
    std::function<void(Tracer::Row row)> on_row;
    std::function<void(int64_t position, const Picked& picked)> on_pick;
};
// `sequence` is the probe's own and is left behind `last`, where the next stretch goes on at no cost. Tokens that were made are fed one by one, as they were
// when they were made. Errors and an interruption leave what was told so far.
Result<void> retrace(Sequence& sequence, SnapshotPool& pool, Tracer& tracer, const RetraceRequest& what, const std::atomic<bool>* cancel = nullptr,
                     const SnapshotPool::Progress& progress = {});

}  // namespace klp
