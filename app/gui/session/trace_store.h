// Everything that is known of the tokens of the current sequence, by position: a few numbers for all of them, full readings for the newest.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/runs/run.h"

namespace klp::gui {

struct TokenRow {
    int32_t id = 0;
    bool made = false;  // else it was fed
    int answer = -1;
    std::string text;
    float nanoseconds = 0, probability = 0, entropy = 0;  // NaN where unknown
    int rank = -1;
    float state_norm = 0, state_norm_p95 = 0, update_norm = 0;  // median over all heads, 95th percentile, median; NaN where unknown
    float mean_log_decay = 0;                                   // over all channels; NaN where unknown
};

class TraceStore {
public:
    // Full readings are kept for as many of the newest tokens as fit into `budget` bytes.
    explicit TraceStore(int64_t budget = int64_t{96} << 20) : budget_(budget) {}

    void begin(std::shared_ptr<const RunCard> card);  // a new model: forgets everything
    void fed(const PromptFed& event);
    void made(const TokenMade& event);
    void read(Readings&& event);

    int64_t size() const { return static_cast<int64_t>(rows_.size()); }
    const TokenRow& row(int64_t position) const { return rows_[static_cast<size_t>(position)]; }
    // Laid out as shape() says; empty where it was not captured or is no longer kept.
    std::span<const float> readings(int64_t position) const;
    int64_t newest_readings() const { return newest_; }  // position, or -1
    const std::vector<Candidate>& top(int64_t position) const;
    const TraceShape& shape() const { return shape_; }
    const RunCard* card() const { return card_.get(); }
    const std::shared_ptr<const RunCard>& shared_card() const { return card_; }

private:
    void summarise(TokenRow& row, std::span<const float> values);
    void thin();
    struct Frame {
        int64_t position;
        std::vector<float> values;
    };
    int64_t budget_;
    std::shared_ptr<const RunCard> card_;
    TraceShape shape_;
    std::vector<TokenRow> rows_;
    std::deque<Frame> frames_;                                           // ascending by position
    std::deque<std::pair<int64_t, std::vector<Candidate>>> candidates_;  // ascending by position, the newest ones
    int64_t newest_ = -1;
    std::vector<float> scratch_;
};

}  // namespace klp::gui
