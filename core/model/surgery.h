// The state of one KDA head read, and cut, as the memory that it is: what is written under a key k of length 1 is a value v, what is read is S^T k, and the
// delta rule corrects the one towards the other (Schlag, Irie, Schmidhuber 2021, arXiv 2102.11174; a step of online least squares: Wang, Shi, Fox 2025,
// arXiv 2501.12352). Of a past token i with its own k_i and v_i (DeltaRows; k_i taken as of length 1):
//
//   readable     cos(S^T k_i, v_i) and |S^T k_i| / |v_i|: whether what was written can still be read
//   edit         S' = S + a k (v - S^T k)^T   (interventions.h; v = 0 erases), so that k reads v where a = 1, and every other key
//   crosstalk    S'^T k_j - S^T k_j = (k_j . k) d,   d = a (v - S^T k)
//   carried by   channel c of k by k_c^2 D_c, D_c what its gates have left since (the product of alpha): the parts of k . Diag(D) k
//
// Float64 throughout; states are the engine's f32.
#pragma once

#include <string>

#include "core/model/interventions.h"
#include "core/model/probe.h"

namespace klp {

struct HeadState {
    int V = 0, K = 0;
    std::vector<float> S;  // [V, K]
};
Result<void> fits_head(const HeadState& state, int V, int K);  // an Error: it is of another shape, with both shapes

std::vector<double> unit(std::span<const double> key);  // of length 1; zeros stay zeros
std::vector<double> key_of(const DeltaRows& rows, int64_t token);
std::span<const double> value_of(const DeltaRows& rows, int64_t token);
std::vector<double> read(const HeadState& state, std::span<const double> key);  // [V] S^T k

struct Readable {
    std::vector<float> cosine, ratio;  // [T] of each token of the rows; NaN where the value, or what is read, is nothing
};
// Errors, of this and what follows: a state of another shape, with both shapes.
Result<Readable> readable(const DeltaRows& rows, const HeadState& state);

// An edit of key k and what it does to what is read with the other keys, along d: (S'^T k_j - S^T k_j) . d / |d|. Both have the token's own |d| too.
struct Crosstalk {
    double change = 0;                       // |d|
    std::vector<float> predicted, measured;  // [T]; measured: of a state that was cut
};
// `value` [V]; empty: erased.
Result<Crosstalk> crosstalk(const DeltaRows& rows, std::span<const double> key, std::span<const double> value, const HeadState& before);
Result<void> measure(Crosstalk& crosstalk, const DeltaRows& rows, std::span<const double> key, const HeadState& before, const HeadState& after);

// Which channels of the key carry what is read with it: what reading loses, |S^T k - S_^T k| / |S^T k|, where the `n` that carry most are struck out of the
// state, and where as many at random are (the mean of 32 draws, the same for the same seed).
struct Carried {
    std::vector<int> channels;  // the n, the first carries most
    float lost = 0, lost_at_random = 0;
};
// `kept` [K]: D_c of the token.
Result<Carried> carried(const HeadState& state, std::span<const double> key, std::span<const double> kept, int n, uint64_t seed);
std::vector<double> carried_by(std::span<const double> key, std::span<const double> kept);  // [K] k_c^2 D_c
// What the gates of the tokens behind it have left of each channel, [K].
std::vector<double> kept_of(const DeltaRows& rows, int64_t token);

Intervention edit_of(int layer, int head, std::span<const double> key, std::span<const double> value);  // as an intervention; no value: erased

// --- In the engine ------------------------------------------------------------------------------------------------------

struct SurgeryRequest {
    std::span<const int32_t> tokens;  // of the sequence; the state is that behind the last one
    int layer = 0, head = -1;         // of a KDA layer; -1: every head
    int64_t token = -1;               // whose key would be edited; -1: none
    int64_t with = -1;                // whose value it would get; -1: erased
    bool cut = false;                 // the edit is done, on a copy, and measured
    int64_t window = kProbeWindow;    // tokens back, further where `token` or `with` lies further
    int64_t context = 0;              // as the sequence that is looked at
    bool rolls = false;
    InterventionsPtr hands = {};
};
struct HeadReadable {
    int layer = 0, head = 0;
    int64_t position = 0;  // of the last token
    int64_t first = 0, token = -1, with = -1;
    std::vector<float> cosine, ratio;  // from token `first` on
    // Of the edit, where there is one.
    float beta = 0, change = 0;              // how strongly the token was written; |d|
    std::vector<float> predicted, measured;  // measured: only of a cut
    std::vector<float> key, value;           // as an intervention takes them
    Carried carried;                         // of an eighth of the channels
};
// Feeds what it needs again into a sequence of its own, from the nearest snapshot. Errors: no such head, a layer without a state, a token that is not there, or
// interrupted.
Result<std::vector<HeadReadable>> look_for_surgery(std::shared_ptr<const Model> model, SnapshotPool& pool, const SurgeryRequest& what,
                                                   const std::atomic<bool>* cancel = nullptr, const SnapshotPool::Progress& progress = {});
// The head's state as the engine has it after this edit at the position where the sequence stands; the sequence itself stays as it is.
Result<HeadState> state_after(const Sequence& sequence, const Intervention& edit, Workspace& ws);

}  // namespace klp
