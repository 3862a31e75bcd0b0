// What a model learns, in which order: stages with their data, lengths and rates. As people write it:
//
//   {"muon": 0.02, "adamw": 0.004,
//    "stages": [{"name": "short", "tokens": 1000000, "batch": 8192, "sources": {"chats": 2, "stories": 1}, "lengths": {"64": 3, "256": 1}, "warmup": 60},
//               {"name": "long", "tokens": 3000000, "batch": 8192, "sources": {"chats": 2, "pairs": {"task": "mqar", "pairs": 8, "vocabulary": 64, "weight": 1}},
//                "longest": 1024, "rate": [1, 0]}]}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files/config.h"
#include "core/learn/tasks.h"

namespace klp {

struct Stage {
    std::string name;
    int64_t tokens = 0;    // of all its steps
    int64_t batch = 8192;  // tokens of a step, as near as rows allow
    struct Part {
        std::string source;        // a file's name without its ending, or what a task is called here
        double weight = 1;         // its share of the tokens, as far as its rows' lengths allow
        std::optional<Task> task;  // made instead of read; its length is the row's
    };
    std::vector<Part> parts;
    std::vector<std::pair<int64_t, double>> lengths;  // rows of up to so many tokens have this share of all tokens; ascending. Empty: as the data has them
    int64_t longest = 1024;                           // tokens of a row; where there are lengths, the last of them
    double from = 1, to = 1;                          // the rates begin and end at so much of the plan's
    int64_t warmup = 0;                               // steps in which they rise to that
    double begin = 0;                                 // share of chats in front of which the vocabulary's beginning token stands, as it does in front of texts
};

struct Plan {
    std::vector<Stage> stages;
    // Rates at 1 (learner.h).
    double muon = 0.02, adamw = 0.004, weight_decay = 0.05, clip = 1, balance = 0.004;
    int64_t tokens() const;
};

// Errors name the field: "plan.json: stages[1].lengths is a list where an object belongs".
Result<Plan> parse_plan(const std::string& json, const std::string& name_for_errors);
// Every field of it; two plans with one text are one plan.
std::string plan_text(const Plan& plan);
// An Error where rows are longer than the model's context, or a task's vocabulary larger than the model's.
Result<void> check(const Plan& plan, const ModelConfig& config, const std::string& name_for_errors);

// What klp train does of itself: all sources by their size (name, tokens), warm-up, a constant rate, and linearly to zero over the last quarter.
struct PlanWishes {
    int64_t tokens = 0;  // 0: every document once
    int64_t batch = 8192, longest = 1024;
    std::optional<double> muon;  // the others keep their proportion to it
};
Plan default_plan(const std::vector<std::pair<std::string, int64_t>>& sources, const PlanWishes& wishes);

}  // namespace klp
