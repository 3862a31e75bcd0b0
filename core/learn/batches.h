// What every step of a plan learns from: laid out once as a list of rows, so that the batch of any step can be made at any time, by any thread, and a run that was
// broken off goes on with the batches that it would have had.
//
// A row is a document or a chat, or a piece of the longest length of a document that is longer (a chat is cut there). Those of one step are of similar length. Each
// (source, range of lengths) is shuffled and gone through to its end, then shuffled anew, over the stages too. Which range a step takes, and which source
// a row, is thrown so that both the lengths and the sources come out with the shares that the plan gives them; where both cannot be, the lengths do.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/learn/data.h"
#include "core/learn/learner.h"
#include "core/learn/plan.h"

namespace klp {

class Batches {
public:
    // An Error names what a stage asks for and the data does not have: a source, rows of a length. `plan_name` stands in front of it.
    static Result<Batches> lay_out(std::shared_ptr<const Data> data, Plan plan, const ModelConfig& config, uint64_t seed,
                                   const std::string& plan_name = "the plan");

    int64_t steps() const { return static_cast<int64_t>(steps_.size()); }
    int64_t tokens(int64_t step) const { return steps_[static_cast<size_t>(step)].tokens; }  // of this step
    int64_t tokens_before(int64_t step) const;                                               // of all before it; of steps(): of all
    const Stage& stage(int64_t step) const { return plan_.stages[steps_[static_cast<size_t>(step)].stage]; }
    double rate(int64_t step) const;  // what the plan's rates are multiplied by
    Rates rates(int64_t step) const;
    Batch batch(int64_t step) const;
    const Plan& plan() const { return plan_; }

    // Rows that are never learned from: held-out documents, of a task rows of other dice. At most about so many tokens, of each source as many, the same every time.
    struct HeldOut {
        std::string source;
        std::vector<Batch> batches;
    };
    std::vector<HeldOut> held_out(int64_t tokens = 65'536) const;

private:
    struct Row {
        int64_t first = 0;  // of a source's tokens; of a task the place of its dice
        int32_t size = 0;   // tokens, the last of which is only a target; of a task tokens at most
        uint16_t part = 0;  // of its stage
        bool begin = false;
    };
    struct Step {
        size_t first_row = 0;                                      // up to the next step's
        int64_t tokens = 0, before = 0, in_stage = 0, number = 0;  // before: tokens of all steps; in_stage, number: of those of its stage
        uint32_t stage = 0;
    };
    struct Walk;
    class Layout;
    static Task task_of(const Stage::Part& part, const Row& row);
    void append(const Source& source, const Row& row, int64_t longest, Batch& batch) const;

    std::shared_ptr<const Data> data_;
    Plan plan_;
    uint64_t seed_ = 0;
    int32_t begin_id_ = -1;
    std::vector<std::vector<const Source*>> sources_;  // of each part of each stage; null: a task
    std::vector<Row> rows_;
    std::vector<Step> steps_;
};

}  // namespace klp
