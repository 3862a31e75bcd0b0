// Windows into a forward pass. A layer offers a named value at a site; who watches says which sites of which layers it wants, and only those are computed and
// kept.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace klp {

// Names are those of the report; shapes are per token.
enum class Site : uint8_t {
    log_decay,     // kda  [H, K]  g = log alpha
    beta,          // kda  [H]
    state_norm,    // kda  [H]     |S| after the token (during prefill only at the last token of a chunk; NaN elsewhere)
    update_norm,   // kda  [H]     |k u^T|
    log_sum_exp,   // mla  [H]
    picks,         // moe  [top_k] expert numbers, as floats
    pick_weights,  // moe  [top_k]
    projections,   // kda, mla: the row of x that the op of ops.h is given; for probes only
};
inline constexpr int kSites = 7;  // those that a row of readings keeps (trace.h)
std::string_view name(Site site);

struct Reading {
    Site site{};
    int layer = 0;
    int sequence = 0;               // index in the batch
    int64_t position = 0;           // of the token in its sequence
    std::span<const float> values;  // valid during the call only
};

class Tap {
public:
    virtual ~Tap() = default;
    virtual bool wants(Site site, int layer) const = 0;
    virtual void take(const Reading& reading) = 0;  // on the engine's thread; must not wait
};

// Nanoseconds of one forward pass by what they went to; all of them under `whole` where the device runs a pass as one (a CUDA graph).
struct PhaseTimes {
    int64_t embed = 0, kda = 0, mla = 0, dense = 0, moe = 0, head = 0, whole = 0;
    int64_t total() const { return embed + kda + mla + dense + moe + head + whole; }
    PhaseTimes& operator+=(const PhaseTimes& o) {
        embed += o.embed, kda += o.kda, mla += o.mla, dense += o.dense, moe += o.moe, head += o.head, whole += o.whole;
        return *this;
    }
};

}  // namespace klp
