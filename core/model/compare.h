// Two ways of feeding the same tokens, beside each other: how far what the model would say next is apart under each, and what its states hold afterwards.
#pragma once

#include "core/model/sequence.h"

namespace klp {

// Of one token. Both are the model's own distributions, of the whole vocabulary, before temperature and cuts.
struct TokenApart {
    float divergence = 0;           // KL(p || q) = sum p log(p / q), nats; p is what the first would say in this token's place, q the second. 0: the same
    float probability[2] = {0, 0};  // of the token itself, under each
    bool operator==(const TokenApart&) const = default;
};
// Frobenius norms over the KDA states of all layers: of each, and of their difference.
struct StatesApart {
    float norm[2] = {0, 0};
    float difference = 0;
    bool operator==(const StatesApart&) const = default;
};
struct Apart {
    std::vector<TokenApart> tokens;
    StatesApart states;  // behind the last token
};

// Feeds `tokens` to both, which stand at the same position, in passes over the two; `tokens` [1, n) are judged, each by what stands before it. Both must have
// room; `cancel` is looked at between passes, and the error's kind is `interrupted`.
Result<Apart> tell_apart(Sequence& first, Sequence& second, std::span<const int32_t> tokens, Workspace& ws, const std::atomic<bool>* cancel = nullptr);

// log(sum exp x): what is taken from a logit to have the log of its probability, nats.
double log_sum_exp(std::span<const float> logits);
// KL(p || q) in nats, of logits.
double divergence(std::span<const float> p, std::span<const float> q);

}  // namespace klp
