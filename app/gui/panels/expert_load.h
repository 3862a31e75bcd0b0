// Which experts the last tokens met: counts of a window that only reads what is new, and how uneven they are.
#pragma once

#include "app/gui/panels/token_window.h"

namespace klp::gui {

class ExpertLoad {
public:
    static constexpr int64_t kKept = 8192;  // tokens

    void begin(const TraceShape& shape);
    void follow(const TraceStore& trace) { window_.follow(trace); }
    // Counts the last `tokens` tokens that have picks, of those that are kept.
    void count(int64_t tokens);
    void count(std::pair<int64_t, int64_t> range);  // those of [first, last) that are kept

    int64_t tokens() const { return tokens_; }  // that were counted
    int layers() const { return static_cast<int>(layers_.size()); }
    int layer(int row) const { return layers_[static_cast<size_t>(row)]; }
    int experts() const { return experts_; }
    int64_t picks(int row, int expert) const { return counts_[static_cast<size_t>(row * experts_ + expert)]; }
    // In units of the balanced share, top-k / experts of all tokens. NaN where nothing was counted.
    float load(int row, int expert) const;
    struct Imbalance {
        float peak = 0;       // largest over mean
        float variation = 0;  // standard deviation over mean
        int busiest = 0, unused = 0;
    };
    Imbalance imbalance(int row) const;

private:
    void count(int64_t first, int64_t last, int64_t most);
    TokenWindow window_{kKept};
    std::vector<int> layers_;
    int experts_ = 0, top_k_ = 0;
    int64_t tokens_ = 0;
    std::vector<int64_t> counts_;
};

}  // namespace klp::gui
