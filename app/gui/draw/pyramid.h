// Sums over any stretch of a long row of numbers, for pictures whose cost is their pixels.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace klp::gui {

// Least, greatest and mean of any stretch of a long row of numbers, in a time that hardly grows with the stretch. NaNs do not count.
class Pyramid {
public:
    struct Summary {
        float low = INFINITY, high = -INFINITY;
        double sum = 0;
        int64_t count = 0;
        void add(float v);
        void add(const Summary& s);
        double mean() const { return count > 0 ? sum / static_cast<double>(count) : NAN; }
    };
    using Value = std::function<float(int64_t)>;
    explicit Pyramid(Value value) : value_(std::move(value)) {}
    // There are `size` values now, and those from `from` on may have changed.
    void update(int64_t from, int64_t size);
    Summary over(int64_t first, int64_t last) const;  // [first, last)
    // The same with both ends moved to the block before, by a sixteenth of the stretch at most: neighbouring stretches still meet, and a picture of a million
    // values costs no more than its pixels.
    Summary about(int64_t first, int64_t last) const;

private:
    static constexpr int64_t kFan = 32;
    Value value_;
    std::vector<std::vector<Summary>> levels_;  // blocks of kFan values, of kFan blocks, ...
    int64_t size_ = 0;
};

}  // namespace klp::gui
