// The loop of training: steps until the plan ends, figures, a look at what was held out, and checkpoints on the way.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "core/learn/batches.h"
#include "core/learn/run_folder.h"

namespace klp {

struct TrainedStep {
    StepFigures figures;
    TrainingState state;            // behind it
    double rate = 0;                // of the plan's rates
    int64_t steps = 0, tokens = 0;  // of the whole plan
    const Stage* stage = nullptr;
};

// How it does on what it never learned from.
struct Evaluation {
    struct Row {
        std::string source;
        double loss = 0, accuracy = 0;  // nats a counted token, and the share of them that came first
        int64_t counted = 0;
    };
    int64_t step = 0;
    Row all;
    std::vector<Row> sources;
};
Result<Evaluation> evaluate(Learner& learner, const std::vector<Batches::HeldOut>& held_out, int64_t step, const std::atomic<bool>* cancel = nullptr);

struct TrainingOptions {
    std::filesystem::path folder;  // of the run
    RunIdentity identity;
    int64_t eval_every = 0;  // steps; 0: when all are done
    int64_t save_ns = 300'000'000'000;
    const std::atomic<bool>* cancel = nullptr;        // looked at between steps
    std::function<void(const TrainedStep&)> on_step;  // these may be empty
    std::function<void(const Evaluation&)> on_evaluation;
    std::function<void()> on_saved;                      // behind each checkpoint
    std::function<void(const std::string&)> on_trouble;  // a checkpoint that could not be written; the one before is kept, and training goes on
};

// From `state` on until the plan ends or *cancel is set, with a checkpoint then and every save_ns. What it gives is where training stands; its end is reached
// where that is batches.steps(). An Error of the learner (a loss that is no number) writes nothing: the last checkpoint is the last good one.
Result<TrainingState> train(Learner& learner, const Batches& batches, TrainingState state, const TrainingOptions& options);

}  // namespace klp
