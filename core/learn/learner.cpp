// A step of learning: rows shared out among threads, their gradients summed, and one step of the optimizers.
#include "core/learn/learner.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <thread>
#include <unordered_map>

#include "core/learn/passes.h"

namespace klp {

namespace {

// The rows of a step are shared out among so many gradients, which are summed in order: so threads, which need not wait for each other inside a step, change no
// bit of what is learned. More would keep more threads apart, and cost a gradient's memory each.
constexpr int kShares = 4;

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
    if (is_convolution(name) && tensor.shape.back() == 1) std::fill(values.begin(), values.end(), 1.f);  // none: what comes through is as it was
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
    if (c.mla_head_gate || c.mla_output_gate) return no("its attention has output gates");
    if (c.situ > 0) return no("its activation is SiTU");
    if (c.expert_latent > 0) return no("its experts have a latent of their own");
    if (c.residual_block > 0) return no("its layers mix residual streams");
    if (c.router_softmax) return no("its router is a softmax");
    if (!c.expert_limits.empty() || !c.shared_limits.empty()) return no("its activations have limits");
    if (c.router_weights_from_biased_scores) return no("its router weighs by biased scores");
    if (c.kda_heads > 0 && c.kda_key_dim > 512) return no("linear_attn_config.head_dim must be at most 512");
    return {};
}

class EngineLearner final : public Learner {
public:
    EngineLearner(ModelConfig config, const LearnOptions& options) : config_(std::move(config)), options_(options) {}

    Result<void> start(const WeightSource* from) {
        auto on = make_backend("cpu", options_.threads);
        if (!on) return tl::unexpected(on.error());
        on_ = *on, back_ = on_->gradients();
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
        for (Floats* all : {&master_, &first_, &second_}) all->take(*on_, total);
        for (Share& share : shares_) share.gradient.take(*on_, total), share.at = &at_;
        const int threads = options_.threads > 0 ? options_.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
        for (int i = 0; i < std::min(threads, kShares); ++i) {
            auto alone = make_backend("cpu", std::max(1, threads / kShares));
            if (!alone) return tl::unexpected(alone.error());
            passes_.push_back(std::make_unique<Passes>(model_, *alone));
        }
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
        hold_weights();
        return {};
    }

    const ModelConfig& config() const override { return config_; }
    std::shared_ptr<const Model> model() const override { return model_; }
    std::span<const Tensor> tensors() const override { return tensors_; }
    int64_t steps() const override { return steps_; }
    void resume(int64_t steps) override { steps_ = steps, publish(); }
    Result<StepFigures> measure(const Batch& batch) override { return run(batch, false); }

    Result<StepFigures> step(const Batch& batch, const Rates& rates) override {
        auto figures = run(batch, true);
        if (!figures) return figures;
        if (figures->counted == 0) return fail(Error::usage, "nothing in this step has a target");
        for (Share& share : shares_)
            if (&share != &shares_[0]) back_->add({share.gradient.data(), values()}, shares_[0].gradient.data());
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
        return {shares_[0].gradient.data() + (tensors_[i].master - master_.data()), static_cast<size_t>(tensors_[i].values())};
    }
    size_t values() const { return static_cast<size_t>(tensors_.back().master - master_.data() + tensors_.back().values()); }
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
        hold_weights();
    }
    void hold_weights() {
        for (const auto& passes : passes_) passes->gradients().hold_weights();
    }

    // All rows, by as many threads as there are.
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
        // The longest ones first, each to the share that has the least.
        std::vector<size_t> order(batch.lengths.size());
        for (size_t r = 0; r < order.size(); ++r) order[r] = r;
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return batch.lengths[a] > batch.lengths[b]; });
        std::array<int64_t, kShares> tokens{};
        for (Share& share : shares_) share.rows.clear();
        for (const size_t r : order) {
            const auto least = std::min_element(tokens.begin(), tokens.end()) - tokens.begin();
            shares_[static_cast<size_t>(least)].rows.push_back(r);
            tokens[static_cast<size_t>(least)] += batch.lengths[r];
        }
        const float weight = 1 / static_cast<float>(std::max<int64_t>(1, figures.counted));
        const double gates = static_cast<double>(figures.tokens) * config_.kda_heads * config_.kda_key_dim;
        std::atomic<size_t> next{0};
        const auto work = [&](Passes& passes) {
            for (size_t i; (i = next.fetch_add(1)) < shares_.size();) {
                Share& share = shares_[i];
                if (learn) on_->zero(share.gradient.data(), share.gradient.bytes());
                const Learn how{share, weight, gates > 0 ? static_cast<float>(options_.excess / gates) : 0};
                share.figures = passes.run(batch, share.rows, learn ? &how : nullptr);
            }
        };
        std::vector<std::thread> threads;
        for (size_t i = 1; i < passes_.size(); ++i) threads.emplace_back([&, i] { work(*passes_[i]); });
        work(*passes_[0]);
        for (std::thread& thread : threads) thread.join();
        double loss = 0;
        int64_t right = 0;
        for (const Share& share : shares_) loss += share.figures.loss, right += share.figures.right;
        if (!std::isfinite(loss)) return fail(Error::model, "the loss is not a number at step " + std::to_string(steps_ + 1));
        figures.loss = figures.counted ? loss / static_cast<double>(figures.counted) : 0;
        figures.accuracy = figures.counted ? static_cast<double>(right) / static_cast<double>(figures.counted) : 0;
        return figures;
    }

    // Some rows of a step, and what they say of every weight.
    struct Share final : GradientsOf {
        std::vector<size_t> rows;
        Floats gradient;                                               // of all tensors, as they lie in master_
        const std::unordered_map<const void*, int64_t>* at = nullptr;  // where a weight's begin
        Passes::Figures figures;
        float* of(const void* weight) const override {
            if (!weight) return nullptr;
            const auto found = at->find(weight);
            KLP_CHECK(found != at->end());
            return gradient.data() + found->second;
        }
    };

    ModelConfig config_;
    LearnOptions options_;
    std::shared_ptr<Backend> on_;
    Gradients* back_ = nullptr;
    std::shared_ptr<const Model> model_;
    std::vector<Parameter> parameters_;  // as products read them; of the same order as tensors_
    std::vector<Tensor> tensors_;
    Floats master_, first_, second_;               // of all tensors, one behind the other
    std::unordered_map<const void*, int64_t> at_;  // where a weight's stand in them
    std::array<Share, kShares> shares_;
    std::vector<std::unique_ptr<Passes>> passes_;  // a thread each
    int64_t steps_ = 0;
};

}  // namespace

Result<std::shared_ptr<Learner>> make_learner(const ModelConfig& config, std::shared_ptr<const WeightSource> from, const LearnOptions& options) {
    if (auto can = can_learn(config); !can) return tl::unexpected(can.error());
    auto learner = std::make_shared<EngineLearner>(config, options);
    if (auto started = learner->start(from.get()); !started) return tl::unexpected(started.error());
    return learner;
}

}  // namespace klp
