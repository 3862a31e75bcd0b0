// What the tokens of a range took: the figures that the timeline and every lens print of it.
#pragma once

#include <QString>
#include <algorithm>
#include <cmath>

#include "app/gui/session/trace_store.h"

namespace klp::gui {

struct RangeTimes {
    int64_t tokens = 0, timed = 0;  // all, and those whose time is known
    double sum = 0, worst = 0;      // ns; of the timed ones
    int64_t slowest = -1;           // position of the worst one
    double mean() const { return timed > 0 ? sum / static_cast<double>(timed) : NAN; }
};
// Of the positions [first, last) that there are.
struct RangeValues {             // of another number of each of its tokens
    int64_t count = 0, at = -1;  // tokens that have it, and the position of the largest
    double mean = NAN, most = NAN;
};
template <class Value>
RangeValues range_values(std::pair<int64_t, int64_t> range, int64_t size, const Value& value) {
    RangeValues all;
    double sum = 0;
    for (int64_t p = std::max<int64_t>(0, range.first); p < std::min(range.second, size); ++p) {
        const double v = value(p);
        if (std::isnan(v)) continue;
        sum += v;
        if (all.count++ == 0 || v > all.most) all.most = v, all.at = p;
    }
    if (all.count > 0) all.mean = sum / static_cast<double>(all.count);
    return all;
}
RangeTimes range_times(const TraceStore& trace, int64_t first, int64_t last);
QString range_text(const TraceStore& trace, std::pair<int64_t, int64_t> range);  // the same in words, on one line; "" without a range

}  // namespace klp::gui
