#include "app/gui/panels/expert_load.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace klp::gui {

void ExpertLoad::begin(const TraceShape& shape) {
    layers_ = shape.layers(Site::picks);
    experts_ = shape.num_experts, top_k_ = shape.top_k;
    tokens_ = 0;
    counts_.assign(layers_.size() * static_cast<size_t>(experts_), 0);
    const int width = static_cast<int>(layers_.size()) * top_k_;
    if (width == 0) return window_.begin(0, {});
    // All layers' picks stand in a row, one layer behind the other.
    window_.begin(width, [at = shape.offset(Site::picks, layers_[0])](std::span<const float> readings, std::span<float> row) {
        std::copy_n(readings.begin() + at, row.size(), row.begin());
    });
}

void ExpertLoad::count(int64_t tokens) { count(window_.first(), window_.end(), tokens); }

void ExpertLoad::count(std::pair<int64_t, int64_t> range) { count(range.first, range.second, window_.size()); }

void ExpertLoad::count(int64_t first, int64_t last, int64_t most) {
    tokens_ = 0;
    std::fill(counts_.begin(), counts_.end(), 0);
    if (layers_.empty()) return;
    for (int64_t p = std::min(last, window_.end()) - 1; p >= std::max(first, window_.first()) && tokens_ < most; --p) {
        const std::span<const float> row = window_.row(p);
        if (std::isnan(row[0])) continue;  // nobody asked for picks then
        ++tokens_;
        for (size_t i = 0; i < row.size(); ++i) {
            const int expert = static_cast<int>(row[i]);
            if (expert >= 0 && expert < experts_) ++counts_[i / static_cast<size_t>(top_k_) * static_cast<size_t>(experts_) + static_cast<size_t>(expert)];
        }
    }
}

float ExpertLoad::load(int row, int expert) const {
    if (tokens_ == 0) return std::numeric_limits<float>::quiet_NaN();
    return static_cast<float>(picks(row, expert)) * static_cast<float>(experts_) / (static_cast<float>(tokens_) * static_cast<float>(top_k_));
}

ExpertLoad::Imbalance ExpertLoad::imbalance(int row) const {
    Imbalance i;
    if (tokens_ == 0) return {NAN, NAN, 0, 0};
    double squares = 0;
    for (int e = 0; e < experts_; ++e) {
        const float l = load(row, e);  // the mean is 1
        if (l > i.peak) i.peak = l, i.busiest = e;
        i.unused += picks(row, e) == 0;
        squares += double(l - 1) * double(l - 1);
    }
    i.variation = static_cast<float>(std::sqrt(squares / experts_));
    return i;
}

}  // namespace klp::gui
