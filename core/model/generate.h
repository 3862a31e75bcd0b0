// The decode loop: feed the prompt, then pick and feed one token after the other until a stop token, the budget, the context's end or a cancel.
#pragma once

#include <functional>

#include "core/model/sequence.h"

namespace klp {

struct TokenEvent {
    int32_t id = 0;
    int64_t position = 0;     // of this token in the sequence
    float probability = 0;    // the model's own, without temperature
    int64_t nanoseconds = 0;  // to make it
    // With GenerateOptions::candidates: as in Pick, and the most probable ids.
    float entropy = 0;
    int rank = 0;
    std::span<const Candidate> top;
};

// Who decodes the tokens of an answer in the place of passes of its own, because others are made in step with it (in_step.h).
class Stepper {
public:
    virtual ~Stepper() = default;
    // Feeds the id, for which there is room, and gives what the next one is; `times`: of the pass. Waits for the others, unless it is cancelled.
    virtual Picked step(Sequence& sequence, int32_t id, const Choice& choice, Workspace& ws, const std::atomic<bool>* cancel, PhaseTimes& times) = 0;
    virtual void leave() = 0;  // the others do not wait for it any more
};

struct GenerateOptions {
    Sampling sampling;
    int64_t budget = 512;       // tokens at most
    std::vector<int32_t> stop;  // ids that end the answer; they are fed to the sequence (the turn is closed) but not reported
    const std::atomic<bool>* cancel = nullptr;
    const int* candidates = nullptr;                  // that each token's event names; looked at before each pass
    std::function<bool(const TokenEvent&)> on_token;  // false: stop here
    Stepper* stepper = nullptr;                       // it is left where the answer ends; null: nobody else
};

struct Generation {
    enum class End { stop_token, budget, context, cancelled } end = End::budget;
    std::vector<int32_t> tokens;                                // the answer, without the stop token
    int64_t prompt_tokens = 0;                                  // fed; fewer than asked after a cancel
    int64_t prefill_ns = 0, first_token_ns = 0, decode_ns = 0;  // first token: from the call to the first id
    PhaseTimes decode_phases;
};
// The one formula of every screen, file and table: tokens of an answer by the time of the passes behind its prompt (decode_ns), or of a prompt by its own
// (prefill_ns). NaN where no time was measured.
double tokens_per_second(int64_t tokens, int64_t nanoseconds);
std::string_view name(Generation::End end);

Result<Generation> generate(Sequence& sequence, std::span<const int32_t> prompt, Workspace& ws, const GenerateOptions& options);

// Feeds tokens that are known one a pass, as generate() feeds its own: what decoding costs. `on_token`: nanoseconds of each; false: stop here.
Result<void> decode(Sequence& sequence, std::span<const int32_t> tokens, Workspace& ws, const std::function<bool(int64_t nanoseconds)>& on_token);

}  // namespace klp
