// A model and its full-attention twin in turn on the same tokens: how long a token takes and what the conversation weighs, at growing contexts.
#pragma once

#include "core/model/sequence.h"
#include "core/system.h"

namespace klp {

// 64, 128, 256 ... and `context` itself, at least 64 tokens apart; none where it is below 64.
std::vector<int64_t> race_contexts(int64_t context);
// `n` ids to race on: the conversation's, from its beginning again where it is shorter; random ones of the vocabulary where there is none.
std::vector<int32_t> race_tokens(std::span<const int32_t> conversation, int64_t n, int vocabulary);

// Bytes of the weights that only a synthetic twin has: its mixers in the place of others. 0: all are MLA already.
int64_t twin_mixer_bytes(const ModelConfig& config, int bytes_per_value);

struct RacePoint {
    int64_t context = 0;
    double hybrid_ns = 0, twin_ns = 0;  // a token at this context, median
    MemoryUse hybrid, twin;
    struct Spread {
        double least = 0, most = 0;  // ns; 0: recorded before spreads were
        bool known() const { return most > 0; }
    };
    Spread hybrid_spread, twin_spread;  // of the tokens that the median is of
};

struct RaceOptions {
    const std::atomic<bool>* cancel = nullptr;  // looked at between tokens, and between chunks of a prefill
    std::function<void(const RacePoint&)> on_point;
    std::function<void(int64_t done, int64_t total)> on_progress;                   // tokens that both hold
    std::function<int64_t()> available = [] { return system_memory().available; };  // before each point; -1: nobody knows
};
// One point a context of race_contexts(tokens.size()): both prefill up to its last 63 tokens and decode those one at a time (a slow model fewer of them), A B,
// B A, A B, so that whatever else the machine does hits both; the point is the median and the spread, with the memory of exactly so many tokens. Returns why it ended early:
// "" at the end, a sentence after a cancel or where the next point would not fit into memory. Errors are those of Sequence::feed.
Result<std::string> race(std::shared_ptr<const Model> hybrid, std::shared_ptr<const Model> twin, std::span<const int32_t> tokens, const RaceOptions& options);

}  // namespace klp
