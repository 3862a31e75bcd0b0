// The inner loops over the scores of a vocabulary (Sample in kernels/ops.h), one table for each instruction set. All of them give the same bits, those of
// kernels/softmax.h: nothing is fused, and a sum has the same parts everywhere.
#pragma once

#include "kernels/cpu/isa.h"
#include "kernels/ops.h"

namespace klp {

inline constexpr int kScoreParts = 16;
struct BestScore {
    float value = 0;  // of those that are numbers; -infinity where there is none
    bool finite = true, has_nan = false;
    float parts[kScoreParts] = {};  // the best of every sixteenth score, from the first, second, ... on: as many different ones are that good
};
// weights[i] = e^((scores[i] - best) / temperature), as Exponent and exponential() say.
struct Weigh {
    const float* scores = nullptr;
    int64_t n = 0;
    float best = 0, temperature = 1;
    float smallest = 0;  // weights below it are none of the sum's
    float* weights = nullptr;
};
// Softmax of a row at temperature 1: w = e^(z - best).
struct Look {
    const float* logits = nullptr;
    int64_t n = 0;
    float best = 0, own = 0;  // own: the logit whose rank is asked for
    Candidate* top = nullptr;
    int64_t candidates = 0;  // 0: the sum alone
    float bar = 0;           // so many logits are above it
    // out
    double sum = 0, part = 0;  // of w, and of w (z - best)
    int64_t rank = 0;          // logits above `own`
    int64_t found = 0;         // of `top`, the best first, of equals the lower id; a logit in each in place of a probability
};

struct Scores {
    BestScore (*best)(const float* x, int64_t n);
    double (*weigh)(const Weigh&);                                                     // the sum of whole steps(), exact for up to 2^18 weights
    int64_t (*above)(const float* x, int64_t n, float bar, int32_t* places);           // ascending; how many. Room for n
    int64_t (*reach)(const float* weights, int64_t n, float smallest, double target);  // the first whose steps(), added to those of weights before it
                                                                                       // that are not below `smallest`, exceed target; -1: none
    void (*look)(Look&);
};
const Scores& scores_of(Isa isa);

}  // namespace klp
