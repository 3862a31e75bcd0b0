// Who reads a word: of what each head reads at one token, the share that an earlier token wrote.
//
//   cache   its softmax weight
//   state   o_t = S_t^T q_t = sum_i w_i v_i + S_0^T r_0 (probe.h), and of it (w_i v_i . o_t) / |o_t|^2: the part of the output that w_i v_i is, along the output.
//           The head's norm takes the output's length away, so how long it is says nothing
//
// So in each head the shares of all tokens, and of what the state held in front of them, add up to 1. Those of a state are signed: what others take away again is
// below 0, and then others are above 1.
#pragma once

#include "core/model/life.h"

namespace klp {

struct HeadShare {
    int layer = 0, head = 0;
    bool cache = false;  // of an MLA layer
    float weight = 0;    // w_i; of a cache the share again
    float share = 0;
};
struct Readers {
    int64_t token = 0, position = 0;  // that is read, and that reads
    std::vector<HeadShare> heads;     // every one, by |share|, the largest first
};

struct ReadersRequest {
    std::span<const int32_t> tokens;  // of the sequence
    int64_t token = 0;
    int64_t position = -1;  // -1, or one that is not fed yet: the newest
    int64_t context = 0;
    bool rolls = false;
    InterventionsPtr hands = {};  // a head that they let read nothing has a share of 0
};
// Feeds the tokens from the word on again, in a sequence of its own. Errors: no such token, one that reads before it is written, or interrupted.
Result<Readers> who_reads(std::shared_ptr<const Model> model, SnapshotPool& pool, const ReadersRequest& what, const std::atomic<bool>* cancel = nullptr,
                          const SnapshotPool::Progress& progress = {});

}  // namespace klp
