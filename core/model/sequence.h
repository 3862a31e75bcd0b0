// What one conversation remembers: the KDA states, the convolutions' tails and the MLA cache, at one position. Never shared between threads.
#pragma once

#include "core/model/interventions.h"
#include "core/model/model.h"

namespace klp {

struct MemoryUse {
    int64_t state = 0, conv = 0, cache = 0;  // bytes; the cache counts whole pages, shared ones too
    int64_t total() const { return state + conv + cache; }
};

// A frozen copy of a sequence at one position: states and tails copied, pages shared. Immutable; a snapshot may be restored any number of times.
class Snapshot {
public:
    Snapshot(std::vector<LayerState> layers, std::vector<int32_t> tokens, int64_t dropped, InterventionsPtr touched = {}, std::vector<int64_t> hidden = {})
        : layers_(std::move(layers)), tokens_(std::move(tokens)), dropped_(dropped), touched_(std::move(touched)), hidden_(std::move(hidden)) {}
    int64_t position() const { return static_cast<int64_t>(tokens_.size()); }
    const std::vector<int32_t>& tokens() const { return tokens_; }
    int64_t dropped() const { return dropped_; }
    const std::vector<LayerState>& layers() const { return layers_; }
    const Interventions* touched() const { return touched_.get(); }  // under which its tokens were fed
    const std::vector<int64_t>& hidden() const { return hidden_; }   // as Sequence::hidden()
    int64_t bytes() const;                                           // of states and tails; pages are shared with the sequence

private:
    std::vector<LayerState> layers_;
    std::vector<int32_t> tokens_;
    int64_t dropped_ = 0;
    InterventionsPtr touched_;
    std::vector<int64_t> hidden_;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

class Sequence {
public:
    // `context`: the most tokens it may hold, of one that rolls the most rows of its cache; 0: the model's own limit.
    explicit Sequence(std::shared_ptr<const Model> model, int64_t context = 0);

    // Whether a full context rolls on: the oldest rows of the latent cache make room, while the KDA states, which have seen all, go on. Attention that knows no
    // positions (NoPE) is exact over what is left; keys that are rotated by theirs cannot roll, which is an Error.
    Result<void> set_rolling(bool on);
    bool rolls() const { return rolls_; }
    int64_t dropped() const { return dropped_; }                                                   // tokens, the oldest, that the cache does not hold any more
    int64_t rows() const { return position() - dropped_ - static_cast<int64_t>(hidden_.size()); }  // of the cache: the tokens that it does hold
    int64_t room() const;                                                                          // tokens that may be fed; INT64_MAX where it rolls
    // What a sequence of this context that stands at `position` has dropped. It follows from the two alone, however the tokens were cut into passes, so what is
    // replayed remembers what the first telling did.
    int64_t dropped_at(int64_t position) const;
    int64_t pass_room() const;  // tokens that one pass may feed: up to where rows are dropped next, or where hands begin or end

    // What is fed from now on is fed under these (null: none), which the model must have all of; an Error else. Where tokens were fed otherwise than these say,
    // the sequence stands at 0 afterwards, and a snapshot pool finds the way back.
    Result<void> touch(InterventionsPtr what);
    const InterventionsPtr& touched() const { return touched_; }
    const std::vector<int64_t>& hidden() const { return hidden_; }  // positions of the tokens that the cache forgot, ascending
    bool edge_here() const;                                         // whether hands do or change something in front of the next token

    // Feeds tokens in chunks and leaves the last token's logits in ws.logits, or with a choice the next id in ws.picked[0] instead. Refuses ids outside the
    // vocabulary and prompts beyond the context before touching anything; an output that is no number is an error that names its position. `cancel` is looked
    // at between chunks: what was fed stays fed and the rest is not; the error's kind is `interrupted`.
    Result<void> feed(std::span<const int32_t> tokens, Workspace& ws, const std::atomic<bool>* cancel = nullptr, const Choice* choice = nullptr);
    // The same up to the last pass, which is launched and not finished (Model::launch).
    Result<PassPtr> launch(std::span<const int32_t> tokens, Workspace& ws, const std::atomic<bool>* cancel = nullptr, const Choice* choice = nullptr);
    // Launches the pass of the token that `before`, this sequence's newest pass, picks, without waiting for what it is. There must be room.
    PassPtr follow(const Pass& before, Workspace& ws, const Choice& choice);

    // As if `tokens` more tokens (of id 0) had been fed, with a synthetic cache: its rows and the states are random numbers of usual size, drawn on the device.
    // What a token costs at such a depth is the same, what the model says there means nothing. Refuses what is beyond the context.
    Result<void> fill(int64_t tokens, uint64_t seed);

    int64_t position() const { return static_cast<int64_t>(tokens_.size()); }
    const std::vector<int32_t>& tokens() const { return tokens_; }
    int64_t context() const { return context_; }
    const Model& model() const { return *model_; }
    const std::shared_ptr<const Model>& model_ptr() const { return model_; }

    SnapshotPtr snapshot() const;
    void restore(const Snapshot& snapshot);  // of this sequence or of another one of the same model
    Sequence fork() const;                   // a second sequence at the same position; pages are shared until one of them writes
    void reset();                            // position 0

    MemoryUse memory() const;
    // For pictures: one fixed state of a layer as floats ("S" [H, V, K] or "conv"), or row `of` of its first dimension alone (a head of S); empty where the
    // layer has none of this name.
    std::vector<float> state(int layer, std::string_view name, std::optional<int> of = {}) const;
    // The same behind what hands do in front of the next token.
    std::vector<float> state_under_hands(int layer, std::string_view name, std::optional<int> of = {}) const;
    // Cached rows first .. first + count - 1 of an MLA layer, the oldest that is left being 0, as floats [count, L + rope]; empty where the layer has no cache.
    std::vector<float> cache(int layer, int64_t first, int64_t count) const;

private:
    friend class Model;
    const LayerHands* hands() const { return hands_ && !hands_->layers.empty() ? hands_->layers.data() : nullptr; }
    void lay_hands();  // what happens in front of the next token, and what holds for it
    void hide(const Intervention& what);
    void change(const Intervention& what);
    // Of a layer's cache only these stretches of rows.
    void keep_rows(int layer, std::span<const std::pair<int64_t, int64_t>> kept);
    Result<void> has_room(int64_t tokens) const;
    void reserve(int64_t tokens);  // pages for so many more tokens; a shared last page is copied before it is written
    int64_t step() const;          // rows that are dropped at once
    void drop();                   // the oldest of them
    std::shared_ptr<const Model> model_;
    int64_t context_ = 0;
    std::vector<LayerState> layers_;
    std::vector<int32_t> tokens_;
    int64_t dropped_ = 0;
    bool rolls_ = false;
    InterventionsPtr touched_;
    std::shared_ptr<const Hands> hands_;
    std::vector<int64_t> hidden_;
};

}  // namespace klp
