#include "app/gui/draw/pyramid.h"

#include <algorithm>

namespace klp::gui {

void Pyramid::Summary::add(float v) {
    if (std::isnan(v)) return;
    low = std::min(low, v), high = std::max(high, v), sum += v, ++count;
}
void Pyramid::Summary::add(const Summary& s) { low = std::min(low, s.low), high = std::max(high, s.high), sum += s.sum, count += s.count; }

void Pyramid::update(int64_t from, int64_t size) {
    from = std::clamp<int64_t>(std::min(from, size_), 0, size);
    size_ = size;
    int64_t below = size;  // values, then blocks
    for (size_t level = 0; below > kFan || level < levels_.size(); ++level) {
        if (level == levels_.size()) levels_.emplace_back();
        auto& blocks = levels_[level];
        const int64_t n = below > kFan ? (below + kFan - 1) / kFan : 0;
        from /= kFan;
        blocks.resize(static_cast<size_t>(n));
        for (int64_t b = from; b < n; ++b) {
            Summary s;
            const int64_t end = std::min(below, (b + 1) * kFan);
            for (int64_t i = b * kFan; i < end; ++i) {
                if (level == 0)
                    s.add(value_(i));
                else
                    s.add(levels_[level - 1][static_cast<size_t>(i)]);
            }
            blocks[static_cast<size_t>(b)] = s;
        }
        below = n;
    }
}

Pyramid::Summary Pyramid::over(int64_t first, int64_t last) const {
    first = std::clamp<int64_t>(first, 0, size_), last = std::clamp<int64_t>(last, first, size_);
    Summary s;
    for (size_t level = 0;; ++level) {  // the ragged ends of this level, the middle on the next
        const auto take = [&](int64_t i) {
            if (level == 0)
                s.add(value_(i));
            else
                s.add(levels_[level - 1][static_cast<size_t>(i)]);
        };
        const bool higher = level < levels_.size() && !levels_[level].empty() && last - first > 2 * kFan;
        while (first < last && (!higher || first % kFan != 0)) take(first++);
        while (first < last && last % kFan != 0) take(--last);
        if (first >= last) return s;
        first /= kFan, last /= kFan;
    }
}

Pyramid::Summary Pyramid::about(int64_t first, int64_t last) const {
    size_t level = 0;
    int64_t block = 1;
    for (; level < levels_.size() && !levels_[level].empty() && last - first >= 16 * block * kFan; ++level) block *= kFan;
    if (level == 0) return over(first, last);
    Summary s;
    const auto& blocks = levels_[level - 1];
    const int64_t end = std::min(last / block, static_cast<int64_t>(blocks.size()));
    for (int64_t i = first / block; i < end; ++i) s.add(blocks[static_cast<size_t>(i)]);
    return s;
}

}  // namespace klp::gui
