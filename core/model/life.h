// A fact's life: what becomes of one token in every memory of the model, by later token t. What a KDA head wrote for it, beta k v^T, lies in S_t as beta p_t v^T:
//
//   p_i = k,   p_t = (I - beta_t k_t k_t^T) Diag(alpha_t) p_{t-1}          the delta rule carried forward; probe.h carries the same backward
//   decay      k . Diag(alpha_t ... alpha_{i+1}) k                         what the gates alone leave of it, read with its own key; 1 at first
//   left       k . p_t                                                     and what later writes leave; below 0 where they wrote against it
//   read       beta q_t . p_t                                              how strongly token t reads it: its weight of the implicit attention
//
// (k of length 1.) An edit of key e by a takes a e (e . p) from p, an emptied or replaced state all of it. An MLA head reads it by its softmax weight, as long as
// the cache holds the row.
#pragma once

#include "core/model/surgery.h"

namespace klp {

inline constexpr int64_t kLifeWindow = 4096;  // tokens that a fact is followed over: of the 48B's heads 33 MiB

class KeptKey {
public:
    explicit KeptKey(std::span<const double> key);                                     // of any length
    void step(std::span<const double> alpha, std::span<const double> k, double beta);  // one token later; of plain writing beta is 0 here
    void edited(std::span<const double> key, double amount);
    void emptied(std::span<const int> channels = {});  // none named: all of them
    double decay() const;
    double left() const;
    double read_with(std::span<const double> q) const;  // without beta

private:
    double length_;  // of the key as it was written, nearly 1
    std::vector<double> k_, kept_, p_;
};

// One value a token from the fact on, itself included.
struct Life {
    std::vector<float> decay, left, read;
};
Life life(const DeltaRows& rows, int64_t token);

struct LifeRequest {
    std::span<const int32_t> tokens;                  // of the sequence
    int64_t token = 0;                                // the fact
    int layer = -1;                                   // -1: all
    std::function<bool(int64_t position)> made = {};  // by an answer: how probable it was that the fact's id came there is said
    int64_t context = 0;
    bool rolls = false;
    InterventionsPtr hands = {};
};
struct HeadLife {
    int layer = 0, head = 0;
    bool cache = false;                    // of an MLA layer: `read` alone
    float beta = 0;                        // how strongly it was written
    std::vector<float> decay, left, read;  // by token from the fact on
};
struct FactLife {
    int64_t token = 0, last = 0;                         // the last token that it is followed to: the newest, or kLifeWindow behind the fact
    std::vector<HeadLife> heads;                         // ascending
    std::vector<std::pair<int64_t, float>> probability;  // of the fact's id, at tokens that answers made
};
// Feeds the tokens from the fact on again, in a sequence of its own. `cancel` and `progress` as in SnapshotPool::go. Errors: no such layer or token, or
// interrupted.
Result<FactLife> follow_fact(std::shared_ptr<const Model> model, SnapshotPool& pool, const LifeRequest& what, const std::atomic<bool>* cancel = nullptr,
                             const SnapshotPool::Progress& progress = {});

}  // namespace klp
