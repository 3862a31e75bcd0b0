#include "app/gui/panels/token_window.h"

#include <algorithm>
#include <limits>

namespace klp::gui {

void TokenWindow::begin(int width, Take take) {
    width_ = width, take_ = std::move(take);
    first_ = end_ = 0;
    ring_.assign(static_cast<size_t>(tokens_ * width_), 0);
}

int64_t TokenWindow::follow(const TraceStore& trace) {
    const int64_t newest = trace.newest_readings() + 1;
    if (std::exchange(history_, trace.history()) != history_) first_ = end_ = 0;
    if (newest == end_ || !take_) return 0;
    const int64_t from = std::max(end_, newest - tokens_);
    if (from != end_ || end_ == first_) first_ = from;  // nothing of before is left
    int64_t read = 0;
    for (int64_t p = from; p < newest; ++p) {
        const std::span<float> row{ring_.data() + p % tokens_ * width_, static_cast<size_t>(width_)};
        if (const auto readings = trace.readings(p); !readings.empty()) {
            take_(readings, row);
            ++read;
        } else if (read == 0 && first_ == p) {
            ++first_;  // begins where readings begin
        } else {
            std::fill(row.begin(), row.end(), std::numeric_limits<float>::quiet_NaN());
        }
    }
    end_ = newest;
    first_ = std::max(first_, end_ - tokens_);
    return read;
}

}  // namespace klp::gui
