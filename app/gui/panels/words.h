// What each lens shows, as one sentence: from numbers to words, with no widget and no session in between. A lens that has nothing to say yet says what it is.
#pragma once

#include <QString>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/model/model.h"

namespace klp::gui::words {

// Of what was said at `what` ("your first message", "token 12 “green”"), so many tokens ago.
struct Decay {
    QString what;
    int64_t since = 0;                              // tokens fed after it
    int64_t channels = 0, kept = 0;                 // of all KDA layers; that would still hold half of it or more
    std::vector<std::pair<int, int64_t>> by_layer;  // layer, kept
    int best_layer = 0, best_head = 0;              // of the channel that keeps it best
    double best = 0;                                // what is left there, 0 .. 1
    bool one_gate = false;                          // a head: what is counted are heads
};
QString of(const Decay& d);
// Before anything has been answered: the gates of one token.
QString of_gates(int64_t channels, float median, const QString& token, bool one_gate = false);
QString gates_text(int64_t n, bool one_gate);              // "12 channels", or of one gate a head "12 heads"
QString mixer_name(const ModelConfig& config, int layer);  // of this layer, as people call it

struct State {
    int layer = 0, head = 0;
    double rank = 0;     // effective; NaN of an empty state
    int most = 0;        // directions it has room for
    double wrote = 0;    // |update| / |S| of the token; NaN where it was not read
    QString token;       // "token 41 “green”"
    QString instead_of;  // of a recording: the token that was chosen, where this is only the nearest; "" else
    QString from, to;    // of a difference: "A", "B"
    double changed = 0;  // of a difference: its norm over that of the state it is taken from
};
QString of(const State& s);

// What one head reads at a token, of each kind of memory.
struct Read {
    QString token;      // the strongest: "“baker”"
    double weight = 0;  // its share (cache), or what it adds (state)
    int64_t back = 0;   // tokens between it and the one that reads
};
QString of(const QString& reading, const std::optional<Read>& cache, const std::optional<Read>& state);

// What became of a pinned token.
struct Life {
    using Head = std::pair<int, int>;   // layer, head
    QString token;                      // "token 7 “green”"
    int64_t back = 0;                   // tokens since
    std::optional<Head> state;          // that holds most of it, and how much of what it wrote
    double left = 0, decay = 0;         // by decay and overwriting; by decay alone
    std::optional<double> probability;  // the most that an answer gave it since
};
QString of(const Life& l);

struct Reads {
    QString token, at;                 // "token 7 “green”", and the one that reads
    std::pair<int, int> head{-1, -1};  // that reads most of it: layer, head
    bool cache = false;
    double share = 0;
    int halves = 0, heads = 0;  // of all heads those to which it is half of what they read, or more
};
QString of(const Reads& r);

struct Experts {
    int64_t tokens = 0;
    int layer = 0, busiest = 0;
    double times = 0;             // of the balanced share
    int unused = 0, experts = 0;  // of all layers
    bool chosen = false;          // a range, and not the last tokens
};
QString of(const Experts& e);

struct Memory {
    QString name;  // "This conversation", or a shape at a length
    int64_t tokens = 0, mine = 0;
    std::optional<int64_t> twin, multi_head;  // bytes, computed
    int64_t crossover = -1;                   // tokens from which on it is smaller; -1: never or not compared
};
QString of(const Memory& m);

struct Race {
    int64_t context = 0;
    double hybrid_ns = 0, twin_ns = 0;
    int64_t hybrid_bytes = 0, twin_bytes = 0;
    TwinKind twin{};
};
QString of(const Race& r);

struct Logits {
    QString token;
    double probability = 0, entropy = 0;
    int rank = 0;
    QString next;  // the best of the others; "" where there is none
    double next_probability = 0;
};
QString of(const Logits& l);

// One name for each twin, everywhere: "trained twin", "same-shapes twin" (computed, or with synthetic mixers, or recorded).
QString twin_name(TwinKind kind);
const char* twin_in_english(TwinKind kind);  // as files have it

}  // namespace klp::gui::words
