#include "app/gui/panels/retention.h"

#include <algorithm>
#include <cmath>

namespace klp::gui {

void Retention::follow(const TraceStore& trace, int64_t anchor, Head head, int channel) {
    const TraceShape& shape = trace.shape();
    const auto k = static_cast<size_t>(shape.key_dim);
    if (std::exchange(history_, trace.history()) != history_ || anchor != anchor_ || head != head_ || channel != channel_ || sums_.size() != k) {
        anchor_ = anchor, head_ = head, channel_ = channel;
        sums_.assign(k, 0);
        points_ = {{anchor, 1, 1, 1}};
    }
    for (int64_t p = points_.back().position + 1; p <= trace.newest_readings(); ++p) {
        const auto all = shape.of(Site::log_decay, head.layer, trace.readings(p));
        if (all.empty()) return;
        const auto gates = all.subspan(static_cast<size_t>(head.head) * k, k);
        if (std::isnan(gates[0])) return;
        left_.resize(k);
        double mean = 0;
        for (size_t c = 0; c < k; ++c) {
            sums_[c] += gates[c];
            left_[c] = std::exp(sums_[c]);
            mean += left_[c];
        }
        const float chosen = left_[static_cast<size_t>(channel)];
        const auto tenth = static_cast<int64_t>(std::max<size_t>(1, k / 10));
        std::partial_sort(left_.begin(), left_.begin() + tenth, left_.end(), std::greater<>());
        double slowest = 0;
        for (int64_t c = 0; c < tenth; ++c) slowest += left_[static_cast<size_t>(c)];
        points_.push_back({p, static_cast<float>(mean / static_cast<double>(k)), static_cast<float>(slowest / static_cast<double>(tenth)), chosen});
    }
}

}  // namespace klp::gui
