// Some values of each of the last tokens, kept as a ring that reads only the tokens that are new.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "app/gui/session/trace_store.h"

namespace klp::gui {

class TokenWindow {
public:
    // Fills a token's row from its readings.
    using Take = std::function<void(std::span<const float> readings, std::span<float> row)>;
    explicit TokenWindow(int64_t tokens) : tokens_(tokens) {}

    void begin(int width, Take take);         // rows of so many values; the next follow() reads anew
    int64_t follow(const TraceStore& trace);  // how many tokens it read: the new ones, or all where the trace's history has changed

    // Positions [first, end). Tokens without readings between them are rows of NaN.
    int64_t first() const { return first_; }
    int64_t end() const { return end_; }
    int64_t size() const { return end_ - first_; }
    std::span<const float> row(int64_t position) const { return {ring_.data() + position % tokens_ * width_, static_cast<size_t>(width_)}; }

private:
    int64_t tokens_, width_ = 0, first_ = 0, end_ = 0, history_ = -1;
    Take take_;
    std::vector<float> ring_;
};

}  // namespace klp::gui
