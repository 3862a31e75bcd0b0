#include "app/gui/panels/fed_decay.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace klp::gui {

float fed_half_life(double sum, int64_t tokens) {
    if (tokens <= 0 || std::isnan(sum)) return std::numeric_limits<float>::quiet_NaN();
    if (sum >= 0) return std::numeric_limits<float>::infinity();
    return static_cast<float>(-static_cast<double>(tokens) * std::numbers::ln2 / sum);
}

double FedDecay::left(size_t channel) const { return std::exp(sums_[channel]); }

bool FedDecay::follow(const TraceStore& trace, int64_t after, int64_t to) {
    const TraceShape& shape = trace.shape();
    const auto& layers = shape.layers(Site::log_decay);
    const size_t channels = layers.size() * static_cast<size_t>(shape.width(Site::log_decay));
    const bool other = trace.history() != history_ || after != after_ || sums_.size() != channels || to + 1 < end_;
    history_ = trace.history(), after_ = after;
    if (other) {
        sums_.assign(channels, 0);
        first_ = end_ = after + 1;
    }
    if (channels == 0) return true;
    // All layers' gates stand in a row, one layer behind the other.
    const auto from = static_cast<size_t>(shape.offset(Site::log_decay, layers[0]));
    for (int64_t room = kAdditions; end_ <= to; ++end_) {
        if ((room -= static_cast<int64_t>(channels)) < 0 && end_ > first_) return false;
        const auto readings = trace.readings(end_);
        if (readings.size() < from + channels || std::isnan(readings[from])) {
            std::fill(sums_.begin(), sums_.end(), 0);
            first_ = end_ + 1;
            continue;
        }
        for (size_t c = 0; c < channels; ++c) sums_[c] += double(readings[from + c]);
    }
    return true;
}

}  // namespace klp::gui
