// The random numbers of an answer. They are our own, and so is all arithmetic of Sample (kernels/ops.h): the same seed, settings and logits give the same ids
// on every machine.
//
//   Sampler sampler({.temperature = 0.7f, .top_p = 0.9f, .seed = 1});
//   const Choice choice = sampler.next();
//   sequence.feed(tokens, ws, nullptr, &choice);   // ws.picked[0].id
#pragma once

#include "kernels/ops.h"

namespace klp {

// What one id is picked with, at the end of the pass that makes its logits.
struct Choice {
    Sampling how;
    double random = 0;   // of [0, 1)
    int candidates = 0;  // the most probable ids that are named with it
};

// The settings within what each may be: those of a file say anything.
Sampling within_range(Sampling settings);

inline constexpr Choice kGreedy{.how = {.temperature = 0}};

class Sampler {
public:
    explicit Sampler(const Sampling& settings);
    Choice next(int candidates = 0);

private:
    Sampling settings_;
    uint64_t state_[2];
};

}  // namespace klp
