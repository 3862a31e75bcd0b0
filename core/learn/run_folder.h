// What lies in the folder of a run of klp train. The model, which everything opens, is the folder itself; what training goes on from lies in `training/` in it:
//
//   config.json, tokenizer files, model.safetensors    the model, as it was at the newest checkpoint
//   training/run.json                                  what was asked for, so that `klp train -o FOLDER` goes on without it being said again
//   training/step-N/                                   the newest checkpoint: weights in f32, the optimizer's moments, and where training stands
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files/checkpoint_writer.h"
#include "core/learn/learner.h"

namespace klp {

// What must be the same for a run to go on, as hashes.
struct RunIdentity {
    uint64_t config = 0, tokenizer = 0, plan = 0, data = 0, seed = 0;
    bool operator==(const RunIdentity&) const = default;
};
// "another config": the first thing in which two runs differ; "": none.
std::string difference(const RunIdentity& a, const RunIdentity& b);

struct RunSpec {
    std::vector<std::string> data;  // absolute
    std::string plan;               // plan_text()
    std::string from;               // the model that it began with; "": random weights
    std::string dtype = "bf16";
    uint64_t seed = 1;
    int64_t hold_out = 20, eval_every = 500;  // documents; steps
    RunIdentity identity;
};
std::filesystem::path run_file(const std::filesystem::path& folder);
Result<std::optional<RunSpec>> read_run(const std::filesystem::path& folder);  // nothing where no run lies there
// Both whole or not at all, as is every file here.
Result<void> write_run(const std::filesystem::path& folder, const RunSpec& spec);
using NamedTexts = std::vector<std::pair<std::string, std::string>>;  // name, content
Result<void> write_files(const std::filesystem::path& folder, const NamedTexts& files);

// Where training stands.
struct TrainingState {
    int64_t step = 0, tokens = 0;
    double loss = 0;     // a running mean
    double seconds = 0;  // that it took so far
};

// A checkpoint of this step; when it is whole and on the disk, older ones go. Whatever goes wrong, the one before is still there.
Result<void> save_state(const std::filesystem::path& folder, const Learner& learner, const TrainingState& state, const RunIdentity& identity);
// The newest one into the learner; nothing where there is none. One of another config, plan, tokenizer, data or seed is an Error.
Result<std::optional<TrainingState>> load_state(const std::filesystem::path& folder, Learner& learner, const RunIdentity& identity);

// The weights as a model of this type: a folder that is not there yet, with these files in it.
Result<void> save_model(const Learner& learner, const std::filesystem::path& folder, const NamedTexts& files, DType type, const WriteOptions& options = {});
// The same in the folder of a run, in one move.
Result<void> export_model(const std::filesystem::path& folder, const Learner& learner, DType type, const WriteOptions& options = {});

}  // namespace klp
