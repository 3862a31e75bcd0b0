// What the gates left of every channel over the tokens that were really fed: the product of alpha, channel by channel of all KDA layers. A token's half-life says
// what would be left if its gate came again and again; this says what was left.
#pragma once

#include <span>
#include <vector>

#include "app/gui/session/trace_store.h"

namespace klp::gui {

// The half-life that would have left as much after `tokens` tokens as they did: 2^(-n / h) = prod alpha, so h = -n / log2(prod alpha) = -n ln 2 / sum g.
// `sum`: of g = ln alpha. In tokens; infinite where nothing was forgotten, NaN where no token was fed.
float fed_half_life(double sum, int64_t tokens);

class FedDecay {
public:
    // Sums g over the positions (after, to]. Where the gates of a token are not known it begins behind that one, so `first` may be later than after + 1. Begins
    // anew where anything else differs from the last call than a later end. Bounds its work: false where it is to be called again for the rest.
    bool follow(const TraceStore& trace, int64_t after, int64_t to);

    int64_t first() const { return first_; }  // positions [first, end)
    int64_t end() const { return end_; }
    int64_t tokens() const { return end_ - first_; }
    // Of all channels: KDA layers in their order, of each its heads, of each its channels.
    std::span<const double> sums() const { return sums_; }
    float half_life(size_t channel) const { return fed_half_life(sums_[channel], tokens()); }
    double left(size_t channel) const;  // the product of alpha

private:
    static constexpr int64_t kAdditions = 8'000'000;  // a call: some milliseconds
    int64_t after_ = -2, history_ = -1, first_ = 0, end_ = 0;
    std::vector<double> sums_;
};

}  // namespace klp::gui
