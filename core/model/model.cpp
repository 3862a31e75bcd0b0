// The forward pass, and how a checkpoint becomes a model.
#include "core/model/model.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

#include "core/files/values.h"
#include "core/model/memory_plan.h"
#include "core/model/sequence.h"
#include "core/system.h"

namespace klp {

namespace {

// Adds the time since `since` to `phase` and starts the next one.
void charge(int64_t& phase, int64_t& since) {
    const int64_t t = now_ns();
    phase += t - since;
    since = t;
}

// The tensors of a twin's replaced mixers: the layer's norm is the model's own, the rest is synthetic.
class TwinWeights final : public WeightSource {
public:
    TwinWeights(std::shared_ptr<const WeightSource> model, std::shared_ptr<const WeightSource> synthetic)
        : model_(std::move(model)), synthetic_(std::move(synthetic)) {}
    const std::string& path() const override { return synthetic_->path(); }
    std::vector<TensorInfo> tensors() const override { return synthetic_->tensors(); }
    bool has(const std::string& name) const override { return of(name).has(name); }
    Result<Weight> find(const std::string& name, const std::vector<int64_t>& shape) const override { return of(name).find(name, shape); }

private:
    const WeightSource& of(const std::string& name) const { return name.ends_with("input_layernorm.weight") ? *model_ : *synthetic_; }
    std::shared_ptr<const WeightSource> model_, synthetic_;
};

// The type that the mixers' matrices are stored in, by that of the queries.
DType mixer_type(const WeightSource& source) {
    for (const TensorInfo& tensor : source.tensors())
        if (const std::string_view at = "model.layers.0.self_attn."; tensor.name.starts_with(at))
            if (const std::string_view q = std::string_view(tensor.name).substr(at.size());
                q == "q_proj.weight" || q == "q_a_proj.weight" || q == "qkv_proj.weight")
                return tensor.type;
    return DType::f32;
}

// What scores the streams is a norm's weight times that of a projection to one number.
StreamReader stream_reader(Loader& load, const std::string& name) {
    const ModelConfig& c = load.config;
    if (c.residual_block == 0) return {};
    return {load.product({{name + "proj.weight", {1, c.hidden_size}}, {name + "norm.weight", {c.hidden_size}}}), c.rms_norm_eps};
}

uint64_t identity_of(const ModelConfig& config, const WeightSource& source) {
    if (source.drawn("model.embed_tokens.weight", {config.vocab_size, config.hidden_size})) return 0;
    uint64_t hash = config.router_weights_from_biased_scores;
    const auto add = [&](std::string_view bytes) {
        for (unsigned char c : bytes) hash = (hash ^ c) * 0x100000001b3u;
    };
    add(to_json(config));
    const std::vector<TensorInfo> tensors = source.tensors();
    constexpr size_t kLookedInto = 1024, kBytes = 64;  // tensors, and bytes of each
    const size_t every = tensors.size() / kLookedInto + 1;
    for (size_t i = 0; i < tensors.size(); ++i) {
        const TensorInfo& t = tensors[i];
        add(t.name), add(t.stored);
        for (int64_t n : t.shape) add(std::to_string(n) + ",");
        if (i % every != 0 || !t.readable) continue;
        const auto w = source.find(t.name, t.shape);
        if (!w) continue;
        const auto size = static_cast<size_t>(t.bytes), from = static_cast<size_t>(mix(hash) % (size > kBytes ? size - kBytes + 1 : 1));
        add({reinterpret_cast<const char*>(w->data) + from, std::min(kBytes, size)});
    }
    return std::max<uint64_t>(1, mix(hash));
}

// Readings of a long prompt are handed over layer by layer, since they are large; those of a few tokens all at once, since a device has to be waited for.
constexpr int64_t kRowsAtOnce = 16;

// A row that lies among a layer's own until it is handed over.
bool shown(const Step::Watched& w) { return !w.reading; }

// What lies between begin_pass and end_pass; an exception ends it too.
class OpenPass {
public:
    OpenPass(Backend& on, int64_t rows) : on_(on) { on_.begin_pass(rows); }
    OpenPass(const OpenPass&) = delete;
    ~OpenPass() {
        try {
            end();
        } catch (const DeviceError&) {  // the first one is on its way
        }
    }
    void end() {
        if (std::exchange(open_, false)) on_.end_pass();
    }

private:
    Backend& on_;
    bool open_ = true;
};

// Of a feed's sequence with what it is fed now, the last ones.
std::vector<int32_t> last_tokens(const Feed& feed, size_t most) {
    const std::span<const int32_t> past = feed.sequence->tokens(), now = feed.tokens.last(std::min(most, feed.tokens.size()));
    const auto before = past.last(std::min(most - now.size(), past.size()));
    std::vector<int32_t> tokens(before.begin(), before.end());
    tokens.insert(tokens.end(), now.begin(), now.end());
    return tokens;
}

}  // namespace

std::string_view label(TwinKind kind) {
    switch (kind) {
        case TwinKind::trained:
            return "trained twin";
        case TwinKind::synthetic:
            return "same shapes, synthetic mixers";
        case TwinKind::computed:
            return "computed";
        case TwinKind::recorded:
            return "recorded";
    }
    return "";
}

Result<void> check_logits(std::span<const float> logits, int64_t vocabulary, int64_t position) {
    const OddValues odd = odd_values(DType::f32, reinterpret_cast<const std::byte*>(logits.data()), static_cast<int64_t>(logits.size()));
    if (odd.count > 0) return no_number(position + odd.first / vocabulary);
    return {};
}

Result<std::shared_ptr<const Model>> Model::load(std::shared_ptr<Backend> on, const ModelConfig& config, std::shared_ptr<const WeightSource> source,
                                                 const LoadOptions& options) {
    auto model = std::make_shared<Model>();
    model->config_ = config;
    model->config_.router_weights_from_biased_scores = options.biased_router || config.router_weights_from_biased_scores;
    model->on_ = on;
    model->source_ = source;
    model->mixer_type_ = mixer_type(*source);
    model->cache_type_ = model->mixer_type_ == DType::f32 ? DType::f32 : DType::bf16;

    // Weights of a file lie in the CPU's memory as long as there is room; drawn ones must fit.
    const bool drawn = source->drawn("model.embed_tokens.weight", {config.vocab_size, config.hidden_size}).has_value();
    const int64_t free = on->free_bytes() < 0 && drawn ? system_memory().available : on->free_bytes();
    const bool rehearsal = on->rehearsed_bytes() >= 0;
    model->pass_tokens_ = on->info().pass_tokens;
    if (free >= 0 && !rehearsal) {
        MemoryPlan plan;
        for (;; model->pass_tokens_ /= 2) {  // shorter passes where memory is short
            auto planned = plan_memory(config, source, *on, std::min(options.context, config.model_max_length), model->pass_tokens_);
            if (!planned) return tl::unexpected(planned.error());
            plan = *planned;
            if (plan.total() <= free || model->pass_tokens_ <= kPrefillChunk) break;
        }
        if (options.on_plan) options.on_plan(plan);
        if (plan.total() > free)
            return klp::fail(Error::device, source->path() + " needs " + text(plan) + ", and " + on->info().hardware + " has " + std::to_string(free >> 20) +
                                                " of " + std::to_string(on->info().memory_bytes >> 20) + " MiB free");
    }

    constexpr double kFetching = 0.9;  // of the time that loading takes
    if (const int64_t own = source->own_bytes(), free = system_memory().available; !rehearsal && free > 0 && own > free)
        return fail(Error::device, source->path() + ": " + std::to_string(own >> 20) + " MiB of its weights are put into another form in memory, and " +
                                       std::to_string(free >> 20) + " MiB are free");
    if (!rehearsal) source->fetch(options.progress ? [&](double fraction) { options.progress(kFetching * fraction); } : LoadOptions{}.progress, options.cancel);
    Loader load{.on = on, .source = source, .config = model->config_, .cache_type = model->cache_type_};
    load.parameters = options.parameters;
    model->embed_ = load.matrix("model.embed_tokens.weight", config.vocab_size, config.hidden_size);
    load.active = 0;  // of the embedding a token reads one row
    for (int i = 0; i < config.num_hidden_layers && load.error.empty(); ++i) {
        if (options.cancel && *options.cancel) return klp::fail(Error::interrupted, "loading " + source->path() + " was interrupted");
        const int64_t before = load.active;
        std::shared_ptr<const TokenMixer> mixer = make_mixer(config.layer_kinds[static_cast<size_t>(i)], i, load);
        const int64_t mixer_bytes = load.active - before;
        model->layers_.push_back({.mixer = std::move(mixer), .ffn = make_ffn(i, load), .mixer_bytes = mixer_bytes});
        const std::string at = "model.layers." + std::to_string(i) + ".";
        model->layers_.back().to_mixer = stream_reader(load, at + "self_attention_res_"), model->layers_.back().to_ffn = stream_reader(load, at + "mlp_res_");
        if (options.progress) options.progress(kFetching + (1 - kFetching) * double(i + 1) / config.num_hidden_layers);
    }
    model->to_head_ = stream_reader(load, "model.output_attn_res_");
    model->final_norm_ = {load.vector("model.norm.weight", {config.hidden_size}), config.rms_norm_eps};
    model->lm_head_ = config.tie_word_embeddings ? model->embed_ : load.matrix("lm_head.weight", config.vocab_size, config.hidden_size);
    if (!load.error.empty()) return klp::fail(Error::model, load.error);

    model->weight_bytes_ = load.bytes, model->active_weight_bytes_ = load.active + (config.tie_word_embeddings ? model->embed_.bytes() : 0);
    model->identity_ = identity_of(model->config_, *source);
    model->keep_.push_back(std::make_shared<const std::vector<Buffer>>(std::move(load.keep)));
    return model;
}

Result<std::shared_ptr<const Model>> Model::attention_twin(const std::filesystem::path& folder) const {
    std::error_code none;
    if (!folder.empty() && std::filesystem::exists(folder / "twin" / "config.json", none)) {
        auto checkpoint = open_checkpoint(folder / "twin");
        if (!checkpoint) return tl::unexpected(checkpoint.error());
        auto trained = load(on_, checkpoint->config, checkpoint->source);
        if (trained) std::const_pointer_cast<Model>(*trained)->twin_ = TwinKind::trained;
        return trained;
    }
    if (config_.head_dim == 0 && config_.kv_lora_rank == 0)
        return klp::fail(Error::model, source_->path() + ": the model has no layer of attention whose shapes a full-attention twin could take");

    auto twin = std::make_shared<Model>(*this);
    twin->config_ = all_attention(config_);
    twin->twin_ = TwinKind::synthetic;
    twin->identity_ = 0;
    twin->source_ = std::make_shared<TwinWeights>(source_, synthetic_weights(twin->config_, mixer_type_, 0));
    Loader load{.on = on_, .source = twin->source_, .config = twin->config_, .cache_type = cache_type_};
    for (size_t i = 0; i < layers_.size(); ++i) {
        if (layers_[i].mixer->kind() == twin->config_.layer_kinds[i]) continue;
        const int64_t before = load.active;
        twin->layers_[i].mixer = make_mixer(twin->config_.layer_kinds[i], static_cast<int>(i), load);
        twin->layers_[i].mixer_bytes = load.active - before;
        twin->active_weight_bytes_ += twin->layers_[i].mixer_bytes - layers_[i].mixer_bytes;
    }
    if (!load.error.empty()) return klp::fail(Error::model, load.error);
    twin->keep_.push_back(std::make_shared<const std::vector<Buffer>>(std::move(load.keep)));
    return twin;
}

PassPtr Model::launch(std::span<const Feed> feeds, Workspace& ws, bool all_rows) const {
    const int side = ws.taken[0] ? 1 : 0;
    KLP_CHECK(!ws.taken[side]);
    auto pass = std::make_unique<Pass>(*on_, ws, side);
    int64_t since = pass->begun_ns = now_ns();

    std::vector<int32_t> ids;
    std::vector<const Pick*> followed;
    for (const Feed& feed : feeds) {
        const auto count = static_cast<int64_t>(feed.tokens.size());
        feed.sequence->reserve(count);
        pass->segments.push_back({.first = static_cast<int64_t>(ids.size()),
                                  .count = count,
                                  .past = feed.sequence->position(),
                                  .cached = feed.sequence->rows(),
                                  .states = feed.sequence->layers_.data(),
                                  .hands = feed.sequence->hands()});
        ids.insert(ids.end(), feed.tokens.begin(), feed.tokens.end());
        if (feed.follows) followed.resize(ids.size()), followed.back() = feed.follows;
    }
    if (!followed.empty()) followed.resize(ids.size());
    const auto T = static_cast<int64_t>(ids.size());
    const int64_t D = config_.hidden_size;

    Step& step = pass->step;
    step.segments = pass->segments, step.tokens = T;
    step.scratch.start(T);
    step.readings.reset();
    Streams streams(*on_, step.scratch, stream_count(config_), T, D);
    OpenPass open(*on_, T);
    if (T > 0) {
        on_->embed({.ids = ids, .picked = followed, .table = embed_, .x = streams.running()});
        charge(pass->times.embed, since);
        for (const Layer& layer : layers_) {
            const Scratch::Mark before = step.scratch.mark();
            const Out<2> read = streams.read(layer.to_mixer);  // x itself, or with attention residuals a mix of all streams
            if (opens_block(config_, step.layer)) streams.begin();
            layer.mixer->forward(read, streams.running(), step);  // x += Mixer(RMSNorm(x))
            charge(config_.has_state(step.layer) ? pass->times.kda : pass->times.mla, since);
            layer.ffn->forward(streams.read(layer.to_ffn), streams.running(), step);  // x += FFN(RMSNorm(x))
            charge(layer.ffn->kind() == "moe" ? pass->times.moe : pass->times.dense, since);
            if (T > kRowsAtOnce) step.publish();
            if (std::none_of(step.watched.begin(), step.watched.end(), shown)) step.scratch.rewind(before);
            ++step.layer;
        }
    }

    // logits = W RMSNorm(x), of every row or of each feed's last one
    std::vector<int64_t> rows;
    const bool silent = std::all_of(feeds.begin(), feeds.end(), [](const Feed& f) { return f.silent; });
    if (!all_rows && !silent)
        for (const Segment& s : pass->segments) rows.push_back(s.count > 0 ? s.first + s.count - 1 : -1);
    const int64_t R = all_rows ? T : static_cast<int64_t>(rows.size());
    const Out<2> x = T > 0 ? streams.read(to_head_) : streams.running();
    Out<2> last = x;
    bool in_place = !rows.empty() && rows[0] >= 0;  // as where one sequence, or each of many, feeds a token
    for (size_t r = 1; r < rows.size(); ++r) in_place = in_place && rows[r] == rows[r - 1] + 1;
    if (in_place) {
        last = {x.row(rows[0]), {R, D}};
    } else if (!all_rows) {
        last = step.scratch.rows(R, D);
        for (int64_t r = 0; r < R; ++r) {
            if (rows[static_cast<size_t>(r)] < 0)
                on_->zero(last.row(r), static_cast<size_t>(D) * sizeof(float));
            else
                on_->copy(last.row(r), x.row(rows[static_cast<size_t>(r)]), static_cast<size_t>(D) * sizeof(float));
        }
    }
    const bool wants_logits = all_rows || std::any_of(feeds.begin(), feeds.end(), [](const Feed& f) { return !f.choice && !f.silent; });
    ws.logits.resize(wants_logits ? static_cast<size_t>(R * config_.vocab_size) : 0);
    pass->picks.resize(feeds.size());
    if (R > 0) {
        const Out<2> logits = step.scratch.rows(R, config_.vocab_size);
        on_->linear({.x = last, .norm = final_norm_, .w = {&lm_head_, 1}, .y = logits});
        for (size_t r = 0; r < rows.size(); ++r) {
            if (!feeds[r].choice || rows[r] < 0) continue;
            const Choice& c = *feeds[r].choice;
            std::vector<int32_t> recent;
            if (c.how.penalises()) recent = last_tokens(feeds[r], static_cast<size_t>(c.how.repeat_window));
            auto* const pick =
                reinterpret_cast<Pick*>(step.readings.floats((sizeof(Pick) + static_cast<size_t>(c.candidates) * sizeof(Candidate)) / sizeof(float)));
            pass->picks[r] = {feeds[r].sequence, pass->segments[r].past + pass->segments[r].count, pick, c.candidates};
            on_->sample({.logits = {logits.row(static_cast<int64_t>(r)), {config_.vocab_size}},
                         .how = c.how,
                         .recent = recent,
                         .newest = feeds[r].follows,
                         .random = c.random,
                         .pick = pick,
                         .top = reinterpret_cast<Candidate*>(pick + 1),
                         .candidates = c.candidates});
        }
        open.end();
        if (wants_logits) on_->download(ws.logits.data(), logits.data, ws.logits.size() * sizeof(float));
        for (size_t r = 0; r < rows.size() && wants_logits; ++r)
            if (rows[r] < 0)
                std::fill_n(ws.logits.begin() + static_cast<int64_t>(r) * config_.vocab_size, config_.vocab_size, std::numeric_limits<float>::quiet_NaN());
    }
    open.end();
    // One download brings the readings and the picks. What else is shown lies where the next pass computes.
    pass->given = step.readings.download_later();
    if (std::any_of(step.watched.begin(), step.watched.end(), shown)) step.publish(floats_of(pass->given->wait()));
    charge(pass->times.head, since);
    for (const Feed& feed : feeds) feed.sequence->tokens_.insert(feed.sequence->tokens_.end(), feed.tokens.begin(), feed.tokens.end());
    return pass;
}

void Model::finish(Pass& pass) const {
    Workspace& ws = pass.ws;
    int64_t since = now_ns();
    const std::span<const float> readings = floats_of(pass.given->wait());
    pass.step.publish(readings);
    ws.picked.assign(pass.picks.size(), {});
    for (size_t r = 0; r < pass.picks.size(); ++r) {
        const Pass::Picks& p = pass.picks[r];
        if (!p.pick) continue;
        Picked& picked = ws.picked[r];
        const float* at = readings.data() + pass.step.readings.place(reinterpret_cast<const float*>(p.pick));
        std::memcpy(static_cast<void*>(static_cast<Pick*>(&picked)), at, sizeof(Pick));
        for (int i = 0; i < p.candidates; ++i)
            std::memcpy(static_cast<void*>(&picked.top.emplace_back()), at + sizeof(Pick) / sizeof(float) + 2 * i, sizeof(Candidate));
        std::erase_if(picked.top, [](const Candidate& c) { return c.id < 0; });
        // A pass behind this one may have fed it already.
        if (std::vector<int32_t>& tokens = p.sequence->tokens_; p.position < static_cast<int64_t>(tokens.size()))
            tokens[static_cast<size_t>(p.position)] = picked.id;
    }
    charge(pass.times.head, since);
    ws.times = pass.times;
    // Of passes that overlap, the time since the one before.
    if (on_->info().whole_passes) ws.times = {.whole = since - std::max(pass.begun_ns, ws.finished_ns)};
    ws.finished_ns = since;
}

}  // namespace klp
