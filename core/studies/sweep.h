// A model and its full-attention twin over growing contexts: prefill, time of a token, memory, and the largest batch that fits, each beside what the device
// allows. As data, so that a table, a picture and a file can show the same.
#pragma once

#include <atomic>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/model/cost.h"
#include "core/model/model.h"

namespace klp {

struct SweepPrefill {
    int64_t tokens = 0;
    std::vector<double> seconds;  // one a run; empty: not measured
    double least_seconds = NAN;   // at the device's limit; NaN: not known
    std::string why;              // it was not measured
    double rate() const;          // tokens/s of the median run
};

struct SweepDecode {                                                           // steps of one token for each sequence
    int64_t sequences = 0, steps = 0;                                          // steps: that were timed
    bool synthetic = false;                                                    // the cache was filled with random numbers instead of a prompt
    double ms = NAN, p10 = NAN, p90 = NAN;                                     // of a step: median, and 10th and 90th of a hundred
    double bytes = 0, operations = 0;                                          // of a step, counted
    double least_ms = NAN;                                                     // at the device's limit
    std::string why;                                                           // it was not measured
    double rate() const { return static_cast<double>(sequences) * 1e3 / ms; }  // tokens/s
    double share() const { return least_ms / ms; }                             // of the limit
};

// Several requests at once that a server answers.
struct SweepLevel {
    SweepDecode decode;                                       // .sequences of them; a token of one of them
    double first_ms = NAN, first_p10 = NAN, first_p90 = NAN;  // until its first token
    double tokens_per_second = NAN;                           // of all answers together, prompts included in the time
};

struct SweepCell {
    int64_t state_bytes = 0, cache_bytes = 0;  // of one sequence: states and convolutions' tails, MLA cache
    SweepPrefill prefill;
    SweepDecode one, batch;
    std::vector<SweepLevel> levels;  // of a server
    bool empty() const;              // nothing of it was measured
};

struct SweepServer {
    std::string url, model;
};

struct SweepRow {
    int64_t context = 0;
    bool in_turn = true;    // both were in memory together and decoded in turn; else one after the other
    bool computed = false;  // nothing was run: bytes, operations and limits alone
    SweepCell hybrid, twin;
    bool empty() const { return hybrid.empty() && twin.empty(); }
};

struct Sweep {
    std::vector<SweepServer> servers;  // of what is served: one, or two in the places of hybrid and twin. Prefills are times to the first token then
    std::string klp, date, command;    // version; ISO 8601, UTC
    std::string model, type, twin;     // name; type of the weights; how the twin came to be (label(TwinKind))
    int64_t parameters = 0, active = 0, weight_bytes = 0;
    DeviceInfo device;
    DeviceLimits limits;
    double limit_seconds = 0;  // a cell's
    int64_t memory = 0;        // bytes for weights, states and caches of a batch
    std::vector<SweepRow> rows;
    std::string ended;  // why before the last context; "": it did not
};

// One JSON object, and back: an error names file and field.
std::string to_json(const Sweep& sweep);
Result<Sweep> parse_sweep(std::string_view text, const std::string& file);

struct SweepOptions {
    std::vector<int64_t> contexts;  // ascending
    double limit_seconds = 60;      // prefills that would take longer are left out; decoding ends earlier
    int64_t memory = 0;             // as Sweep::memory; 0: what is free on a GPU, on a CPU 1 GiB beside the weights
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(const SweepRow&)> on_row;
    std::function<void(const std::string& what, const std::string& unit, int64_t done, int64_t total)> on_progress;
    std::function<int64_t()> available;  // bytes that are free on the device; empty: asks it
};
inline constexpr int64_t kMostSequences = 1024;  // of a batch

// Appends a computed row for each of these contexts: what needs no weights, and no memory to hold them. Limits, type and bytes of the weights are the sweep's;
// batches are those that fit into sweep.memory, where it says one.
void compute_rows(const ModelConfig& config, std::span<const int64_t> contexts, Sweep& sweep);

// Fills sweep.rows, .memory and .ended; the rest is the caller's. Both models have room for the largest context and a page more. Each context: both prefill (in
// turn again while that is quick), decode in turn at that depth, behind a synthetic cache where there was no prefill; then each decodes its largest batch
// alone. Errors: a budget that nothing fits into, or that the device does not have. A cancel and a device that is full end it, and keep the rows before; where
// memory ended it, computed rows follow.
Result<void> run_sweep(std::shared_ptr<const Model> hybrid, std::shared_ptr<const Model> twin, const SweepOptions& options, Sweep& sweep);

}  // namespace klp
