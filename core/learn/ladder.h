// A ladder of sizes, each of which learns the same batches: the loss that it ends with against what its training cost, and a power law through that, for a hybrid
// and full attention side by side (report, section 5.3, where models are four orders of magnitude larger and see more tokens the larger they are). A toy: it shows
// what such a law is and how well a few sizes fix it, not which model is to be built.
#pragma once

#include "core/learn/batches.h"
#include "core/learn/lab.h"

namespace klp {

// What all sizes learn, and what is held out.
struct LadderSource {
    std::string name;
    int vocabulary = 0;
    int64_t longest = 0;  // tokens of a row
    int64_t steps = 0;    // that there are batches for
    std::function<Batch(int64_t step)> batch;
    std::vector<Batch> held_out;
};
LadderSource ladder_source(const Task& task, int64_t tokens, int64_t steps, uint64_t seed);
// Rows of up to `longest` tokens, about `tokens` a step.
Result<LadderSource> ladder_source(std::shared_ptr<const Data> data, const Tokenizer& tokenizer, int64_t longest, int64_t tokens, int64_t steps, uint64_t seed);

struct LadderSpec {
    std::vector<std::string> mixers = {"kda+3:1", "mla"};  // as in LabSpec
    std::vector<int> widths = {32, 48, 64, 96, 128};       // each a multiple of kHead, ascending
    static constexpr int kHead = 16;                       // channels of a head
    int layers = 4;
    std::vector<double> rates = LabSpec().rates;  // each size of each mixer takes the best after a fifth of the steps
    uint64_t seed = 1;
    int threads = 0;
};
Result<void> check(const LadderSpec& spec, const LadderSource& source);

struct Rung {
    int width = 0;
    int64_t parameters = 0;
    double operations = 0;  // of training, counted: three times those of the forward pass (core/model/cost.h); without the search
    double rate = 0, loss = 0, accuracy = 0, seconds = 0;  // held out, behind the last step; nats a counted token
    std::string trouble;                                   // why it did not end; "": it did
};
// L = a C^-b, C in 1e12 operations: least squares in the logs of both. The intervals hold the true value 19 times in 20, by Student's t over the residuals, if
// these are independent and alike; NaN with fewer than three rungs.
struct PowerLaw {
    double a = 0, a_low = 0, a_high = 0;
    double b = 0, b_low = 0, b_high = 0;
    int rungs = 0;
    double at(double operations) const;
};
PowerLaw power_law(std::span<const Rung> rungs);

struct LadderResult {
    struct Side {
        std::string mixer;
        std::vector<Rung> rungs;
        PowerLaw law;
    };
    std::vector<Side> sides;
    bool finished = false;
    double seconds = 0;
};
struct LadderHooks {
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(const std::string& what, int64_t done, int64_t total)> on_step;
    std::function<void(const std::string& mixer, const Rung&)> on_rung;
};
// Size by size, the sides in turn; cancelled, it gives the rungs that are done.
Result<LadderResult> run_ladder(const LadderSpec& spec, const LadderSource& source, const LadderHooks& hooks = {});
std::string ladder_json(const LadderSpec& spec, const LadderSource& source, const LadderResult& result);

}  // namespace klp
