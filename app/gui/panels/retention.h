// What the gates leave of a token: the product of alpha over the tokens after it, channel by channel of one head. Decay only: what later tokens overwrite
// is not in it.
#pragma once

#include <vector>

#include "app/gui/panels/head_picker.h"

namespace klp::gui {

class Retention {
public:
    struct Point {
        int64_t position;
        float mean, slowest, chosen;  // over the head's channels; of the slowest tenth of them; of one channel
    };
    // Begins anew where anything differs from the last call, else reads the new tokens only. Ends at the first token without gates.
    void follow(const TraceStore& trace, int64_t anchor, Head head, int channel);
    const std::vector<Point>& points() const { return points_; }  // the first is the anchor itself: 1

private:
    int64_t anchor_ = -1, history_ = -1;
    Head head_;
    int channel_ = -1;
    std::vector<float> sums_, left_;  // of log decays, and e^ them
    std::vector<Point> points_;
};

}  // namespace klp::gui
