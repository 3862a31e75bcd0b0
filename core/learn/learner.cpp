// The forward pass of the engine, layer by layer with what goes into each one kept, and the same layers backwards.
#include "core/learn/learner.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "core/model/sequence.h"

namespace klp {

namespace {

constexpr int64_t kPassTokens = 1024;  // that go through the layers together: what they make stays in the second- and third-level caches

// Tensors in memory, each of which may be written.
class WrittenWeights final : public WeightSource {
public:
    explicit WrittenWeights(std::vector<TensorInfo> tensors) : tensors_(std::move(tensors)) {
        for (size_t i = 0; i < tensors_.size(); ++i) {
            index_.emplace(tensors_[i].name, i);
            data_.push_back(std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(tensors_[i].bytes)));
        }
    }
    const std::string& path() const override { return path_; }
    std::vector<TensorInfo> tensors() const override { return tensors_; }
    bool has(const std::string& name) const override { return index_.contains(name); }
    Result<Weight> find(const std::string& name, const std::vector<int64_t>&) const override {
        const auto at = index_.find(name);
        if (at == index_.end()) return fail(Error::model, path_ + ": tensor '" + name + "' is missing");
        const TensorInfo& t = tensors_[at->second];
        return Weight{data_[at->second].get(), t.type, value_count(t) / t.shape.back(), t.shape.back()};
    }
    std::byte* data(size_t i) const { return data_[i].get(); }

private:
    std::string path_ = "the model that learns";
    std::vector<TensorInfo> tensors_;
    std::unordered_map<std::string, size_t> index_;
    std::vector<std::unique_ptr<std::byte[]>> data_;
};

// How a tensor is learned.
enum class Way { muon, adamw, router, load };
bool vector_like(const std::vector<int64_t>& shape) {
    return std::count_if(shape.begin(), shape.end(), [](int64_t d) { return d > 1; }) < 2;
}
bool is_router(const std::string& name) { return name.ends_with("block_sparse_moe.gate.weight"); }
bool is_convolution(const std::string& name) { return name.find("_conv1d.") != std::string::npos; }
bool is_end(const std::string& name) { return name == "model.embed_tokens.weight" || name == "lm_head.weight"; }
Way way_of(const std::string& name, const std::vector<int64_t>& shape) {
    if (name.ends_with("e_score_correction_bias")) return Way::load;
    if (is_router(name)) return Way::router;
    return vector_like(shape) || shape.size() != 2 || is_convolution(name) || is_end(name) ? Way::adamw : Way::muon;
}

// First values: one over the root of the fan-in; where a layer writes to the residual stream less, so that all layers together leave it as large as it was.
// Gates begin ten times as long as those of a model that nobody trains, at half-lives of 4 to 7,000 tokens, and hardly moved by what is read: what is forgotten
// before it is asked for teaches nothing (docs/lab.md).
void first_values(const TensorInfo& tensor, const ModelConfig& config, uint64_t seed, std::span<float> values) {
    synthetic_values(tensor, seed, 0, values);
    const std::string& name = tensor.name;
    float factor = 1;
    if (name == "model.embed_tokens.weight") factor = 0.1f;
    if (name == "lm_head.weight") factor = 0.5f;
    if (name.ends_with(".f_b_proj.weight") || name.ends_with(".a_proj.weight")) factor = 0.1f;
    if (name.ends_with(".dt_bias"))
        for (float& v : values) {
            const float dt = std::log1p(std::exp(v)) / 10;
            v = dt + std::log(-std::expm1(-dt));  // softplus of it is dt
        }
    if (is_router(name)) factor = 0.02f * std::sqrt(static_cast<float>(config.hidden_size));
    if (name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") || name.ends_with(".w2.weight"))
        factor = 1 / std::sqrt(2.f * static_cast<float>(config.num_hidden_layers));
    if (factor != 1)
        for (float& v : values) v *= factor;
}

Result<void> can_learn(const ModelConfig& c) {
    const auto no = [](const std::string& why) { return fail(Error::usage, "this model cannot be trained here: " + why); };
    for (const std::string& kind : c.layer_kinds)
        if (kind != "kda" && kind != "mla") return no("its layers of kind '" + kind + "' have no backward pass");
    if (c.q_lora_rank > 0) return no("q_lora_rank must be 0");
    if (c.mla_head_gate) return no("its attention has output gates");
    if (c.router_softmax) return no("its router is a softmax");
    if (!c.expert_limits.empty() || !c.shared_limits.empty()) return no("its activations have limits");
    if (c.router_weights_from_biased_scores) return no("its router weighs by biased scores");
    if (c.kda_heads > 0 && c.kda_key_dim > 512) return no("linear_attn_config.head_dim must be at most 512");
    return {};
}

// Numbers in the device's memory, which is the host's.
class Floats {
public:
    void take(Backend& on, int64_t n) {  // zeros; what is large enough stays, as it is
        if (buffer_.bytes() >= static_cast<size_t>(n) * sizeof(float)) return;
        buffer_ = on.allocate(static_cast<size_t>(n) * sizeof(float));
        on.zero(data(), buffer_.bytes());
    }
    float* data() const { return buffer_.as<float>(); }
    size_t bytes() const { return buffer_.bytes(); }

private:
    Buffer buffer_;
};

class EngineLearner final : public Learner, public GradientsOf {
public:
    EngineLearner(ModelConfig config, const LearnOptions& options) : config_(std::move(config)), options_(options) {}

    Result<void> start(const WeightSource* from) {
        auto on = make_backend("cpu", options_.threads);
        if (!on) return tl::unexpected(on.error());
        on_ = *on, back_ = on_->gradients();
        scratch_.emplace(*on_), readings_.emplace(*on_);
        std::vector<TensorInfo> tensors;
        for (TensorInfo& t : stored_tensors(config_, DType::f32)) {
            const bool product = !vector_like(t.shape) && t.shape.size() == 2 && !is_router(t.name) && options_.type == DType::bf16;
            t.type = product ? DType::bf16 : DType::f32;
            t.bytes = t.bytes / 4 * (product ? 2 : 4);
            t.stored = info(t.type).name;
            tensors.push_back(t);
        }
        auto source = std::make_shared<WrittenWeights>(tensors);
        std::unordered_map<std::string, std::vector<float>> first;
        for (size_t i = 0; i < tensors.size(); ++i) {
            const TensorInfo& t = tensors[i];
            std::vector<float>& values = first[t.name];
            values.resize(static_cast<size_t>(value_count(t)));
            if (from) {
                auto w = from->find(t.name, t.shape);
                if (!w) return tl::unexpected(w.error());
                decode(w->type, w->data, static_cast<int64_t>(values.size()), values.data());
            } else {
                first_values(t, config_, options_.seed, values);
            }
            encode(t.type, values.data(), static_cast<int64_t>(values.size()), source->data(i));
        }
        LoadOptions load;
        load.parameters = &parameters_;
        auto model = Model::load(on_, config_, source, load);
        if (!model) return tl::unexpected(model.error());
        model_ = *model;

        int64_t total = 0;
        for (const Parameter& p : parameters_) total += p.values();
        for (Floats* all : {&master_, &gradient_, &first_, &second_}) all->take(*on_, total);
        int64_t at = 0;
        for (const Parameter& p : parameters_) {
            const std::vector<float>& values = first.at(p.name);
            std::copy(values.begin(), values.end(), master_.data() + at);
            const Way way = way_of(p.name, p.shape);
            tensors_.push_back({p.name, p.shape, p.type, master_.data() + at, way == Way::load ? nullptr : first_.data() + at,
                                way == Way::load || way == Way::muon ? nullptr : second_.data() + at});
            at_.emplace(p.data, at);
            at += p.values();
        }
        back_->hold_weights();
        return {};
    }

    const ModelConfig& config() const override { return config_; }
    std::shared_ptr<const Model> model() const override { return model_; }
    std::span<const Tensor> tensors() const override { return tensors_; }
    int64_t steps() const override { return steps_; }
    void resume(int64_t steps) override { steps_ = steps, publish(); }
    float* of(const void* weight) const override {
        if (!weight) return nullptr;
        const auto at = at_.find(weight);
        KLP_CHECK(at != at_.end());
        return gradient_.data() + at->second;
    }

    Result<StepFigures> measure(const Batch& batch) override { return run(batch, false); }

    Result<StepFigures> step(const Batch& batch, const Rates& rates) override {
        on_->zero(gradient_.data(), gradient_.bytes());
        auto figures = run(batch, true);
        if (!figures) return figures;
        if (figures->counted == 0) return fail(Error::usage, "nothing in this step has a target");
        double squares = 0;
        for (size_t i = 0; i < tensors_.size(); ++i) {
            if (way_of(tensors_[i].name, tensors_[i].shape) == Way::load) continue;
            const double part = back_->squares(gradient_of(i));
            if (!std::isfinite(part))
                return fail(Error::model, "the gradient of '" + tensors_[i].name + "' is not a number at step " + std::to_string(steps_ + 1));
            squares += part;
        }
        figures->gradient_norm = std::sqrt(squares);
        const double scale = rates.clip > 0 && figures->gradient_norm > rates.clip ? rates.clip / figures->gradient_norm : 1;
        ++steps_;
        std::vector<AdamW> adamw;
        std::vector<Muon> muon;
        for (size_t i = 0; i < tensors_.size(); ++i) {
            const Tensor& t = tensors_[i];
            const float* g = gradient_of(i).data();
            const Way way = way_of(t.name, t.shape);
            if (way == Way::load) {
                balance(t, g, rates.balance);
            } else if (way == Way::muon) {
                muon.push_back({t.master, g, t.first, t.shape[0], t.shape[1], rates.muon, rates.weight_decay, scale});
            } else {
                const bool router = way == Way::router, end = is_end(t.name);
                adamw.push_back({t.master, g, t.first, t.second, t.values(), router ? rates.adamw / 8 : rates.adamw,
                                 router ? 2 * rates.weight_decay
                                 : end  ? 0.4 * rates.weight_decay
                                        : 0,
                                 scale, steps_});
            }
        }
        back_->muon(muon);
        back_->adamw(adamw);
        publish();
        return figures;
    }

private:
    std::span<const float> gradient_of(size_t i) const {
        return {gradient_.data() + (tensors_[i].master - master_.data()), static_cast<size_t>(tensors_[i].values())};
    }
    // The bias of an expert that too few tokens chose grows, and falls of one that too many did (report of DeepSeek-V3, arXiv 2412.19437, section 2.1.2).
    static void balance(const Tensor& bias, const float* load, double by) {
        const int64_t E = bias.values();
        double mean = 0, middle = 0;
        for (int64_t e = 0; e < E; ++e) mean += load[e] / static_cast<double>(E);
        for (int64_t e = 0; e < E; ++e) {
            bias.master[e] += static_cast<float>(by * ((load[e] < mean) - (load[e] > mean)));
            middle += bias.master[e] / static_cast<double>(E);
        }
        for (int64_t e = 0; e < E && by > 0; ++e) bias.master[e] -= static_cast<float>(middle);
    }
    void publish() {
        for (size_t i = 0; i < tensors_.size(); ++i) {
            const std::span<const float> values{tensors_[i].master, static_cast<size_t>(tensors_[i].values())};
            if (parameters_[i].type == DType::bf16)
                back_->to_bf16(values, parameters_[i].data);
            else
                std::copy(values.begin(), values.end(), reinterpret_cast<float*>(parameters_[i].data));
        }
        back_->hold_weights();
    }

    // All rows, some at a time.
    Result<StepFigures> run(const Batch& batch, bool learn) {
        StepFigures figures;
        figures.tokens = static_cast<int64_t>(batch.ids.size());
        int64_t rows_tokens = 0;
        for (int64_t n : batch.lengths) rows_tokens += n;
        KLP_CHECK(rows_tokens == figures.tokens && batch.targets.size() == batch.ids.size());
        for (size_t t = 0; t < batch.ids.size(); ++t) {
            const bool fine = batch.ids[t] >= 0 && batch.ids[t] < config_.vocab_size && batch.targets[t] < config_.vocab_size;
            if (!fine)
                return fail(Error::usage, "token id " + std::to_string(batch.ids[t]) + " is not in the vocabulary of " + std::to_string(config_.vocab_size));
            figures.counted += batch.targets[t] >= 0;
        }
        double loss = 0;
        int64_t right = 0, first = 0;
        for (size_t r = 0; r < batch.lengths.size();) {
            std::vector<int64_t> lengths;
            int64_t tokens = 0;
            for (; r < batch.lengths.size() && (lengths.empty() || tokens + batch.lengths[r] <= kPassTokens); ++r)
                lengths.push_back(batch.lengths[r]), tokens += batch.lengths[r];
            const auto at = static_cast<size_t>(first);
            const double said = pass(lengths, {batch.ids.data() + at, static_cast<size_t>(tokens)}, {batch.targets.data() + at, static_cast<size_t>(tokens)},
                                     learn ? 1 / static_cast<float>(std::max<int64_t>(1, figures.counted)) : 0, figures.tokens, right);
            if (!std::isfinite(said))
                return fail(Error::model, "the loss is not a number at step " + std::to_string(steps_ + 1) + ", in rows up to " + std::to_string(r));
            loss += said;
            first += tokens;
        }
        figures.loss = figures.counted ? loss / static_cast<double>(figures.counted) : 0;
        figures.accuracy = figures.counted ? static_cast<double>(right) / static_cast<double>(figures.counted) : 0;
        return figures;
    }

    // One pass there, and with a weight also back. Returns the summed loss.
    double pass(const std::vector<int64_t>& lengths, std::span<const int32_t> ids, std::span<const int32_t> targets, float weight, int64_t step_tokens,
                int64_t& right) {
        const auto T = static_cast<int64_t>(ids.size()), D = int64_t{config_.hidden_size};
        const bool learn = weight > 0;
        std::vector<Segment> segments;
        std::vector<RowsOf> rows;
        for (size_t r = 0, first = 0; r < lengths.size(); first += static_cast<size_t>(lengths[r]), ++r) {
            rows.push_back({static_cast<int64_t>(first), lengths[r]});
            segments.push_back({.first = static_cast<int64_t>(first), .count = lengths[r], .states = empty_memory(r, lengths[r])});
        }
        scratch_->start(T);
        Step step{.on = *on_, .scratch = *scratch_, .readings = *readings_, .segments = segments};
        step.tokens = T;
        const int layers = config_.num_hidden_layers;
        // What goes into each mixer and each feed-forward, and into the head.
        kept_.take(*on_, (learn ? 2 * layers + 1 : 1) * T * D);
        const auto kept = [&](int i) { return Out<2>{kept_.data() + i * T * D, {T, D}}; };
        const auto follow = [&](int i) {
            if (learn) std::copy_n(kept(i).data, T * D, kept(i + 1).data);
            return kept(learn ? i + 1 : 0);
        };
        on_->embed({.ids = ids, .table = model_->embedding(), .x = kept(0)});
        for (int i = 0; i < layers; ++i) {
            step.layer = i;
            scratch_->rewind();
            model_->mixer(i).forward(follow(2 * i), step);
            model_->ffn(i).forward(follow(2 * i + 1), step);
        }
        scratch_->rewind();
        CrossEntropy head{.x = kept(learn ? 2 * layers : 0), .norm = model_->final_norm(), .head = model_->head(), .targets = targets, .weight = weight};
        if (learn) {
            d_.take(*on_, T * D);
            head.dx = {d_.data(), {T, D}}, head.dhead = of(model_->head().data), head.dnorm = of(model_->final_norm().weight);
        }
        back_->cross_entropy(head);
        right += head.right;
        if (!learn) return head.loss;
        const Out<2> d{d_.data(), {T, D}};
        BackStep way{.on = *on_, .back = *back_, .scratch = *scratch_, .to = *this, .rows = rows, .tokens = T};
        if (config_.kda_heads > 0)
            way.excess = static_cast<float>(options_.excess / (static_cast<double>(step_tokens) * config_.kda_heads * config_.kda_key_dim));
        for (int i = layers - 1; i >= 0; --i) {
            scratch_->rewind();
            model_->ffn(i).backward(kept(2 * i + 1), d, way);
            scratch_->rewind();
            model_->mixer(i).backward(kept(2 * i), d, way);
        }
        back_->embed_back({.ids = ids, .dx = d, .dtable = of(model_->embedding().data)});
        return head.loss;
    }

    // Of row r of a pass: states of zeros, and pages enough.
    LayerState* empty_memory(size_t r, int64_t tokens) {
        while (memory_.size() <= r) memory_.emplace_back(static_cast<size_t>(config_.num_hidden_layers));
        for (int i = 0; i < config_.num_hidden_layers; ++i) {
            LayerState& layer = memory_[r][static_cast<size_t>(i)];
            const StateSpec spec = model_->mixer(i).state();
            for (size_t f = 0; f < spec.fixed.size(); ++f) {
                const size_t bytes = static_cast<size_t>(spec.fixed[f].values()) * sizeof(float);
                if (layer.fixed.size() <= f) layer.fixed.push_back(on_->allocate(bytes));
                on_->zero(layer.fixed[f].as(), bytes);
            }
            while (spec.row_bytes > 0 && static_cast<int64_t>(layer.pages.size()) * kMlaPage < tokens)
                layer.add_page(std::make_shared<Buffer>(on_->allocate(static_cast<size_t>(kMlaPage * spec.row_bytes))));
        }
        return memory_[r].data();
    }

    ModelConfig config_;
    LearnOptions options_;
    std::shared_ptr<Backend> on_;
    Gradients* back_ = nullptr;
    std::shared_ptr<const Model> model_;
    std::vector<Parameter> parameters_;  // as products read them; of the same order as tensors_
    std::vector<Tensor> tensors_;
    Floats master_, gradient_, first_, second_;    // of all tensors, one behind the other
    std::unordered_map<const void*, int64_t> at_;  // where a weight's stand in them
    int64_t steps_ = 0;
    std::vector<std::vector<LayerState>> memory_;
    Floats kept_, d_;
    std::optional<Scratch> scratch_, readings_;
};

}  // namespace

Result<std::shared_ptr<Learner>> make_learner(const ModelConfig& config, std::shared_ptr<const WeightSource> from, const LearnOptions& options) {
    if (auto can = can_learn(config); !can) return tl::unexpected(can.error());
    auto learner = std::make_shared<EngineLearner>(config, options);
    if (auto started = learner->start(from.get()); !started) return tl::unexpected(started.error());
    return learner;
}

}  // namespace klp
