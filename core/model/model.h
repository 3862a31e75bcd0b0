// A loaded checkpoint: weights and layers, immutable after load. Many sequences can share one model.
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>

#include "core/model/checkpoint.h"
#include "core/model/layer.h"
#include "core/model/sampler.h"
#include "core/model/streams.h"

namespace klp {

class Sequence;

inline constexpr int64_t kPrefillChunk = 512;  // tokens in one pass where each is listened to, or gives logits

// How a full-attention twin came to be; every figure that is drawn from one carries this label.
enum class TwinKind { trained, synthetic, computed, recorded };
std::string_view label(TwinKind kind);  // "trained twin", "same shapes, synthetic mixers", "computed", "recorded"

struct MemoryPlan;

struct LoadOptions {
    bool biased_router = false;                      // the vendor's biased-weights quirk
    int64_t context = 4096;                          // tokens that must fit into a GPU's memory beside the weights
    std::function<void(const MemoryPlan&)> on_plan;  // of a GPU's memory, before any of it is taken; may be empty
    std::atomic<bool>* cancel = nullptr;             // checked between tensors
    std::function<void(double fraction)> progress;   // may be empty
    std::vector<Parameter>* parameters = nullptr;    // gets every tensor as the ops read it, for a learner; a GPU's lie in its memory
};

// Rows of one sequence to feed in one pass.
struct Feed {
    Sequence* sequence = nullptr;
    std::span<const int32_t> tokens;
    const Choice* choice = nullptr;  // the next id is wanted, picked on the device, and no logits
    bool silent = false;             // neither is wanted: more of the prompt comes
    const Pick* follows = nullptr;   // one token, and this is it: device memory that a pass before this one writes. `tokens` is {kUnknown} then
};
inline constexpr int32_t kUnknown = -1;  // the id of a token that is fed but has not been told the host yet
struct Picked : Pick {
    std::vector<Candidate> top;
};

// An error that names the first position whose output is no finite number. `position`: that of the token which row 0 of [., vocabulary] logits picks.
Result<void> check_logits(std::span<const float> logits, int64_t vocabulary, int64_t position);
inline tl::unexpected<Error> no_number(int64_t position) {
    return fail(Error::model,
                "the model's output is not a number at position " + std::to_string(position) + "; klp info --check says whether its weights are numbers");
}

// Scratch, taps and times of the thread that runs forward passes; not shared between threads.
struct Workspace {
    explicit Workspace(Backend& on) : scratch(on), readings{Scratch(on), Scratch(on)} {}
    Scratch scratch;
    Scratch readings[2];  // taken in turns: what one pass gave leaves the device while the next one runs
    bool taken[2] = {};
    Tap* tap = nullptr;
    std::function<void(int64_t done, int64_t total)> on_pass;  // tokens of a prompt (Sequence::feed), before each of its passes
    PhaseTimes times;                                          // of the last pass
    int64_t finished_ns = 0;                                   // when it was over
    // Of the last pass: [rows, vocab_size] logits unless every feed had a choice, and what each feed's choice gave (id -1: none, and where it had none).
    std::vector<float> logits;
    std::vector<Picked> picked;
};

// A forward pass under way: launched, and perhaps run. Whoever drops it unfinished does not learn what it gave; the sequences have its tokens.
struct Pass {
    Pass(Backend& on, Workspace& ws, int side) : ws(ws), side(side), step{.on = on, .scratch = ws.scratch, .readings = ws.readings[side], .tap = ws.tap} {
        ws.taken[side] = true;
    }
    Pass(const Pass&) = delete;
    ~Pass() { given.reset(), ws.taken[side] = false; }

    struct Picks {  // of one feed
        Sequence* sequence = nullptr;
        int64_t position = 0;  // that the picked token will have
        Pick* pick = nullptr;  // among the readings, its candidates behind it; null: no choice
        int candidates = 0;
    };
    Workspace& ws;
    const int side;
    std::vector<Segment> segments;
    Step step;
    std::vector<Picks> picks;
    PhaseTimes times;
    int64_t begun_ns = 0;
    std::unique_ptr<Download> given;  // the readings
};
using PassPtr = std::unique_ptr<Pass>;

class Model {
public:
    static Result<std::shared_ptr<const Model>> load(std::shared_ptr<Backend> on, const ModelConfig& config, std::shared_ptr<const WeightSource> source,
                                                     const LoadOptions& options = {});
    // The full-attention baseline of this model: every mixer MLA. If its folder holds a trained one (folder/twin), that; else a model that shares embeddings,
    // norms, FFN and MLA layers with this one and has synthetic weights in the replaced mixers only. twin() says which.
    Result<std::shared_ptr<const Model>> attention_twin(const std::filesystem::path& folder = {}) const;

    // One pass over all feeds, any mix of lengths (T = 0 allowed): appends to every sequence. Logits land in `ws.logits`: one row a feed (its last token; a row
    // of an empty feed is NaN), or with `all_rows` one row a token and no picks; picks in `ws.picked`. Ids must lie in the vocabulary and lengths in each
    // sequence's context, of one that rolls in its pass_room(): Sequence::feed checks and says so, and cuts.
    void forward(std::span<const Feed> feeds, Workspace& ws, bool all_rows = false) const { finish(*launch(feeds, ws, all_rows)); }
    // The same in two halves: on a device that works by itself (DeviceInfo::whole_passes) launch() returns while the pass runs. Two passes may be under way,
    // and are finished in order; finish() hands readings to the tap and fills ws.picked and ws.times. Logits are waited for by launch().
    PassPtr launch(std::span<const Feed> feeds, Workspace& ws, bool all_rows = false) const;
    void finish(Pass& pass) const;

    const ModelConfig& config() const { return config_; }
    Backend& backend() const { return *on_; }
    const WeightSource& source() const { return *source_; }
    DType cache_type() const { return cache_type_; }  // of the MLA cache: f32 for f32 checkpoints, else bf16
    const TokenMixer& mixer(int layer) const { return *layers_[layer].mixer; }
    const FeedForward& ffn(int layer) const { return *layers_[layer].ffn; }
    const Weight& embedding() const { return embed_; }  // [vocabulary, D]
    const Weight& head() const { return lm_head_; }     // [vocabulary, D]; logits = head RMSNorm(x; final_norm)
    const Norm& final_norm() const { return final_norm_; }
    int64_t weight_bytes() const { return weight_bytes_; }
    int64_t pass_tokens() const { return pass_tokens_; }  // of a prompt in one pass: weights are read once for all, and a cancel waits for one pass at most
    int64_t active_weight_bytes() const { return active_weight_bytes_; }  // what one decoded token reads
    std::optional<TwinKind> twin() const { return twin_; }                // set when this model is a twin
    // Of config and weights: names, types and shapes of all tensors and some bytes of many. 0: no files say what the weights are.
    uint64_t identity() const { return identity_; }

private:
    struct Layer {
        std::shared_ptr<const TokenMixer> mixer;
        std::shared_ptr<const FeedForward> ffn;
        StreamReader to_mixer, to_ffn;
        int64_t mixer_bytes = 0;  // that a decoded token reads
    };
    ModelConfig config_;
    std::shared_ptr<Backend> on_;
    std::shared_ptr<const WeightSource> source_;
    std::vector<std::shared_ptr<const std::vector<Buffer>>> keep_;  // what the device made of the weights; a twin also holds its model's
    int64_t weight_bytes_ = 0, active_weight_bytes_ = 0, pass_tokens_ = 0;
    Weight embed_, lm_head_;
    Norm final_norm_;
    StreamReader to_head_;
    std::vector<Layer> layers_;
    std::optional<TwinKind> twin_;
    uint64_t identity_ = 0;
    DType cache_type_ = DType::f32, mixer_type_ = DType::f32;
};

}  // namespace klp
