// Many chats asked about what they were told, with the model's memory untouched and touched: what is still recalled, what an answer changes, and what of the
// rest changes with it (klp probe).
//
// An experiment has chats, whose facts are told, and arms: hands that are laid on every chat's memory, from its first token on or in front of its questions. The
// first arm touches nothing, and the others are measured against it. Where an arm is aimed at one fact of a chat (it erases, overwrites, cuts or hides it), each
// chat has a target, whose word its text says once, and its other questions are about what was not aimed at.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/model/interventions.h"
#include "core/studies/recall.h"

namespace klp {

// What an arm does, as far as it can be said without a chat.
struct AimedHand {
    enum class Aim : uint8_t {
        none,       // `what` as it stands, but for where it begins
        hide,       // the latent cache forgets the rows of the fact's words
        erase,      // S^T k = 0 for the keys k of the fact's words
        overwrite,  // S^T k = v', v' being what the same chat writes there when it says another word: that of another chat
        cut         // channels of S are emptied: `channels` of each head, those that carry most of the fact, or any
    };
    Aim aim = Aim::none;
    Intervention what;           // aimed: its layers and heads, none named: all KDA layers
    bool from_the_start = true;  // in front of the first token; else of the question
    bool whole_cache = false;    // hide: every row, not the fact's alone
    int behind = 0;              // so many tokens behind the fact's words too: a convolution, and every layer below, has carried it on by then
    int channels = 0;            // cut
    bool random = false;
};
struct Arm {
    std::string name;
    std::vector<AimedHand> hands;
};
struct Experiment {
    std::string name, about;
    std::vector<RecallTask> chats;  // and by `number` those of a kind are counted
    std::vector<size_t> numbers;    // where in other talk each chat goes on
    std::vector<int64_t> distances{0};
    int unrelated = 2;      // questions that have nothing to do with the chat, to each
    bool fidelity = false;  // also how well the states read back what they were given
    std::vector<Arm> arms;  // [0]: nothing is touched
    uint64_t seed = 0;

    bool aimed() const;
};
// From JSON; `data` has the tasks that it may name, `items` (0: as it says) how many chats of each. Errors name file and field.
Result<Experiment> read_experiment(const std::string& text, const std::string& file, const RecallData& data, const ModelConfig& config, int items = 0);

// Of one question under one arm.
struct Observation {
    enum class Of : uint8_t { target, other, unrelated } of{};
    int arm = 0, ask = 0;
    float recalled = NAN;  // 1: the answer holds the wanted words
    float replaced = NAN;  // 1: it holds the word that was written over it
    float change = NAN;    // KL divergence, nats a token: how far the distribution moved from the untouched model's, over the untouched model's own answer
    float cosine = NAN;    // other: largest |k . k_j| of its words' keys and the target's, mean over the heads
};
struct ChatSeen {
    std::string task;
    int size = 0;
    int64_t distance = 0;
    int chat = 0;              // its index in Experiment::chats
    std::string skipped = {};  // why there is nothing to see in it, or ""
    std::vector<Observation> seen = {};
    // [KDA layers, heads]: cosine of S^T k and v of the facts' words in front of the questions, untouched; and what decay has left of them, k . Diag(D) k (surgery.h)
    std::vector<float> fidelity = {}, kept = {};
};

struct ExperimentOptions {
    const std::atomic<bool>* cancel = nullptr;
    std::function<bool(int chat, int64_t distance)> known;  // that it has been seen before; may be empty
    std::function<void(int64_t done, int64_t total)> on_progress;
    std::function<Result<void>(const ChatSeen& seen)> on_chat;  // as soon as it is over; an Error ends the run
};
Result<void> run_experiment(const std::shared_ptr<const Model>& model, const Tokenizer& tokenizer, const RecallData& data, const Experiment& experiment,
                            const ExperimentOptions& options);

// --- What comes of it ---------------------------------------------------------------------------------------------------

enum class Measure : uint8_t { recalled, replaced, others, change, change_others, unrelated };
inline constexpr int kMeasures = 6;
struct MeasureInfo {
    const char *name, *unit, *about;
};
const MeasureInfo& info(Measure measure);

// Mean over the questions of all chats of a kind, and the 95 % interval of 2,000 bootstrap samples of chats (percentiles; Efron and Tibshirani 1993, chapter 13).
struct Estimate {
    double mean = NAN, low = NAN, high = NAN;
    int questions = 0, chats = 0;
};
struct Condition {
    std::string task;
    int size = 0;
    int64_t distance = 0;
    auto operator<=>(const Condition&) const = default;
};
struct Findings {
    std::vector<std::string> arms;
    std::vector<Condition> conditions;
    std::vector<std::array<Estimate, kMeasures>> figures;  // [conditions, arms]
    const Estimate& at(size_t condition, size_t arm, Measure m) const { return figures[condition * arms.size() + arm][static_cast<size_t>(m)]; }
    bool any(Measure m) const;
    // Of what was not aimed at, by how near its keys are to the target's: bounds of the thirds, and [arms, 3] of recalled and of change.
    double bounds[2] = {};
    std::vector<std::array<Estimate, 3>> near_recalled, near_change;
    // [conditions][KDA layers * heads], means
    std::vector<std::vector<float>> fidelity, kept;
    int skipped = 0;
    std::string why_skipped;
};
Findings findings(const Experiment& experiment, const std::vector<ChatSeen>& all);

// A line of JSON a chat, for a file that a run goes on from.
std::string to_line(const ChatSeen& seen);
Result<ChatSeen> from_line(const std::string& line, const std::string& where);

}  // namespace klp
