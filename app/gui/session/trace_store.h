// Everything that is known of the tokens of the current sequence, by position: a few numbers for all of them, full readings for the newest. What was known of
// a line that is left stays on a shelf, and is there again when the line is told again: a token is known by the tokens before it.
#pragma once

#include <cmath>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/runs/run.h"
#include "core/runs/trace_files.h"

namespace klp::gui {

struct TokenRow {
    int32_t id = 0;
    bool made = false;  // else it was fed
    int answer = -1;
    std::string text;
    float nanoseconds = NAN, probability = NAN, entropy = NAN;  // NaN where unknown
    int rank = -1;
    float state_norm = NAN, state_norm_p95 = NAN, update_norm = NAN;  // median over all heads, 95th percentile, median; NaN where unknown
    float mean_log_decay = NAN;                                       // over all channels; NaN where unknown
};

// Readings and candidates may take a 32nd part of the machine's memory, at least 64 MiB and at most 512 MiB.
int64_t trace_budget();

class TraceStore {
public:
    // Readings and candidates of as many tokens are kept as fit into `budget` bytes: first those of the line that is shown.
    explicit TraceStore(int64_t budget = trace_budget()) : budget_(budget) {}

    // Another model, or none. The shelf stays where the next one that lives is the same.
    void begin(std::shared_ptr<const RunCard> card);
    void fed(const PromptFed& event);
    void made(const TokenMade& event);
    void read(Readings&& event);
    void weighed(const Considered& event);
    // What a file says of some tokens, wherever they stand: of this line or of one on the shelf. The first position of this line that it told something of.
    std::optional<int64_t> recall(TracePiece&& piece);
    // Tokens near this position are the last to be dropped for the budget; -1: the newest only.
    void look_at(int64_t position) { focus_ = position; }

    int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
    const TokenRow& row(int64_t position) const { return at(position).row; }
    // Laid out as shape() says; empty where it was not captured or is no longer kept.
    std::span<const float> readings(int64_t position) const;
    int64_t newest_readings() const { return newest_; }  // position, or -1
    const std::vector<Candidate>& top(int64_t position) const;
    // Grows when tokens that had been looked at become others, or more is known of them: whoever reads only what is new reads anew.
    int64_t history() const { return history_; }
    void changed() { ++history_; }  // it is looked at again after another one
    const TraceShape& shape() const { return shape_; }
    const RunCard* card() const { return card_.get(); }
    const std::shared_ptr<const RunCard>& shared_card() const { return card_; }

    int64_t most() const { return std::max<int64_t>(16, budget_ / (shape_.size() * 4 + kTokenBytes)); }  // tokens whose readings fit
    bool lacks(int64_t position, const Interest& what) const;
    // Some tokens that lack it: near the focus, else among the newest kLookedAt, else, where `all`, the oldest of those that fit. At most kStretch of them.
    static constexpr int64_t kLookedAt = 512, kStretch = 512;
    std::optional<Span> missing(const Interest& what, bool all) const;
    // What is known of this line and `stored` does not have yet, which then has it: the hash behind each token, and whether with readings.
    using Stored = std::map<uint64_t, bool>;
    std::vector<TracePiece> pieces(Stored& stored) const;

private:
    static constexpr int64_t kTokenBytes = 256;  // of a token's candidates and what else there is
    struct Token {
        uint64_t before = kNothingBefore;  // the hash of all in front of it
        TokenRow row;
        std::vector<float> readings;
        std::vector<Candidate> top;
        int64_t bytes() const { return static_cast<int64_t>(readings.size() * sizeof(float) + top.size() * sizeof(Candidate)); }
    };
    struct Piece {
        int64_t first = 0;
        std::vector<Token> tokens;
        int64_t bytes = 0;
    };
    const Token& at(int64_t position) const { return tokens_[static_cast<size_t>(position)]; }
    bool live() const { return card_ && card_->recorded.empty(); }
    // Of the tokens in front of the next one, and of what hands on the memory do until there: under others the same tokens are read otherwise.
    uint64_t behind() const {
        const uint64_t tokens = tokens_.empty() ? kNothingBefore : hash_behind(tokens_.back().before, tokens_.back().row.id);
        const uint64_t laid = hash_at(hands_.get(), size());
        return laid ? mix(tokens ^ laid) : tokens;
    }
    void cut(int64_t position);  // those from there on go to the shelf
    void append(TokenRow row, std::vector<Candidate> top);
    bool take(Token& to, Token&& from);  // what it lacks; whether that was something
    std::optional<int64_t> take_from(Piece& piece, int64_t from);
    void add_readings(Token& token, std::vector<float>&& values);
    void summarise(TokenRow& row, std::span<const float> values);
    void find_newest();
    void thin();

    int64_t budget_, bytes_ = 0, shelf_bytes_ = 0;
    std::shared_ptr<const RunCard> card_;
    InterventionsPtr hands_;
    TraceShape shape_;
    std::vector<Token> tokens_;
    std::deque<Piece> shelf_;  // the newest last
    uint64_t shelf_model_ = 0;
    int64_t newest_ = -1, history_ = 0, focus_ = -1;
    int64_t thinned_ = 0;  // tokens before it gave their readings up
    std::vector<float> scratch_;
};

}  // namespace klp::gui
