// Where positions of the timeline lie on the screen: its data stand between a gutter with names at the left and one with values at the right.
#pragma once

#include <cmath>
#include <cstdint>

#include <algorithm>

namespace klp::gui {

struct TimelineMap {
    double first = 0, last = 1;                                      // positions at the edges of the data
    int left = 0, right = 1;                                         // px of those edges
    double each() const { return (right - left) / (last - first); }  // px a token
    double x_of(double position) const { return left + (position - first) * each(); }
    double position_of(double x) const { return first + (x - left) / std::max(1e-9, each()); }
};

}  // namespace klp::gui
