// The lab: several mixers learn one made task side by side, on the same batches, each at the learning rate that a short search found for it (report, section 5.1:
// without one, a comparison is of rates). Learners take turns step by step, so that their curves grow together, and differ in the rule of their state alone
// (UpdateRule, config.h), in a switch of the layer around it, or have softmax attention in its place.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "core/learn/learner.h"
#include "core/learn/tasks.h"

namespace klp {

// What a learner is, from its name: a rule of update_rules() or "mla" (attention in every layer), and behind plus signs what is otherwise (ablations of the
// report, section 5.2): "kda+no-conv", "kda+3:1+rope".
//   swish, no-gate   SiLU instead of the sigmoid behind the output, or nothing
//   no-conv          no short convolution: SiLU alone (a factor for each channel is left)
//   N:1              behind N layers with a state one of attention
//   rope, nope       attention with positions or without; if nothing is said, in company without, as Kimi Linear has it, and alone with
struct LabMixer {
    std::string rule;  // or "mla"
    std::string output_gate = "sigmoid";
    bool convolution = true;
    int ratio = 0;  // 0: all layers are alike
    bool positions = true;
    bool has_state() const { return rule != "mla"; }
    bool has_attention() const { return !has_state() || ratio > 0; }
};
Result<LabMixer> lab_mixer(const std::string& name);

struct LabSpec {
    Task task;
    std::vector<std::string> mixers;  // names of learners, each once
    int layers = 2, heads = 2, width = 64;
    int64_t steps = 400;                              // of each learner
    double seconds = 0;                               // or of all learners together, behind the search; 0: as the steps say
    int64_t tokens = 2048;                            // of a step, as near as whole rows allow
    std::vector<double> rates = {0.005, 0.01, 0.02};  // of Muon; AdamW a fifth. One alone is not searched
    int64_t search_steps = 60;
    int64_t every = 20;     // steps between looks at what is held out
    int64_t held_out = 32;  // rows
    uint64_t seed = 1;
    int threads = 0;
};
// Rates rise, stay, and where the end is known (steps > 0) fall to a tenth over its last quarter.
Rates lab_rates(double rate, int64_t step, int64_t steps);
// As many steps of search, and between looks, as such a run should have.
void pace(LabSpec& spec);
// An Error where a task, a size or a mixer cannot be.
Result<void> check(const LabSpec& spec);
ModelConfig lab_config(const LabSpec& spec, const std::string& mixer);  // check() was content
std::string lab_name(const std::string& mixer);                         // as people call it: "KDA, no short convolution"

// Half-lives of the gates on held-out tokens, in tokens; infinite where a channel does not forget.
struct HalfLives {
    static constexpr std::array kShares = {0.1, 0.25, 0.5, 0.75, 0.9};
    std::array<double, kShares.size()> quantiles{};
    int64_t gates = 0;  // 0: there are none
};
HalfLives half_lives(const Learner& learner, const Batch& batch);

// What was seen of one learner at one look.
struct LabLook {
    int64_t step = 0;
    double seconds = 0;             // of this learner's own steps
    double train_loss = 0;          // mean since the look before
    double loss = 0, accuracy = 0;  // of what is held out; nats an answer
    HalfLives half_lives;
};
struct LabTry {
    double rate = 0, loss = 0, accuracy = 0;  // held out, after the search's steps; a loss that is no number: it did not stay sound
};
struct LabLearner {
    std::string mixer;
    int64_t parameters = 0;
    double rate = 0;
    std::vector<LabTry> tried;
    std::vector<LabLook> looks;
    std::string trouble;  // why it stopped before its end; "": it did not
    // The first look from which on it answered so much; -1: it never did.
    int64_t learned_at(double accuracy = 0.9) const;
};
struct LabResult {
    std::vector<LabLearner> learners;
    bool finished = false;
    double search_seconds = 0, seconds = 0;
    int64_t rows = 0;   // of a step
    double chance = 0;  // accuracy of guessing
};

struct LabHooks {
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(const std::string& mixer, int64_t done, int64_t total)> on_step;  // of all steps, the search's included; who must wait waits in here
    std::function<void(const LabLearner&, const LabTry&)> on_try;
    std::function<void(const LabLearner&, const LabLook&)> on_look;
    std::function<Result<void>(const LabLearner&, const Learner&)> on_end;  // each, when all are done or were cancelled
};

// A lab in the hands of whoever calls: first search(), then learn() as often as there is more to learn.
class LabRun {
public:
    explicit LabRun(LabSpec spec);  // check() was content
    ~LabRun();
    Result<void> search(const LabHooks& hooks = {});  // of learning rates
    // So many steps of each learner, in turns; 0: spec.seconds of all together. Rates rise and fall anew. Cancelled, the next call goes on.
    Result<void> learn(int64_t steps, const LabHooks& hooks = {});
    const LabSpec& spec() const { return spec_; }
    const LabResult& result() const { return result_; }
    const Learner* learner(size_t i) const;  // null: it has not begun

private:
    struct Running;
    Result<void> one_step(Running& r, double rate, int64_t steps, uint64_t seed);
    Result<void> look(size_t i, const LabHooks& hooks);
    Result<std::shared_ptr<Learner>> begin(const std::string& mixer) const;
    LabSpec spec_;
    LabResult result_;
    Batch held_;
    std::vector<Running> running_;
    int64_t done_ = 0, total_ = 0;  // steps
};

// All of it; cancelled, it gives what there is.
Result<LabResult> run_lab(const LabSpec& spec, const LabHooks& hooks = {});

// Everything that was seen, as one JSON object.
std::string lab_json(const LabSpec& spec, const LabResult& result);

// What such a file says, as far as it can be drawn again: an Error says where it is none.
struct LabRecord {
    LabSpec spec;
    LabResult result;
};
Result<LabRecord> read_lab(const std::string& json, const std::string& name_for_errors);

// The learner as a folder that opens like any model and is asked in the words of its task (task_words.h); it must not be there.
Result<void> save_learner(const Learner& learner, const Task& task, const std::string& folder);

}  // namespace klp
