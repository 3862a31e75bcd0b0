// Channel mixers: the dense SwiGLU of the first layers, and the mixture of experts of all others.
#include "core/model/layers.h"

namespace klp {

namespace {

// With the activation of the config; a limit is the layer's own.
// gate and up are multiplied with the same x, which is rounded once for both (ops.h): block types are alike in that, the others are not.
SwiGlu swiglu(Loader& load, const std::string& gate, const std::string& up, const std::string& down, int64_t F, int64_t D) {
    const SwiGlu w{.gate = load.matrix(gate, F, D),
                   .up = load.matrix(up, F, D),
                   .down = load.matrix(down, D, F),
                   .situ = load.config.situ,
                   .situ_up = load.config.situ_up};
    const DTypeInfo &g = info(w.gate.type), &u = info(w.up.type);
    if (g.type != u.type && (g.block == 1 || u.block == 1))
        load.fail(load.source->path() + ": tensor '" + up + "' is stored as " + std::string(u.name) + " and its gate as " + std::string(g.name) +
                  ", which cannot be multiplied with one input");
    return w;
}

class DenseFfn final : public FeedForward {
public:
    DenseFfn(int layer, Loader& load) {
        const ModelConfig& c = load.config;
        const std::string at = "model.layers." + std::to_string(layer) + ".";
        const int64_t D = c.hidden_size, F = c.intermediate_size;
        norm_ = {load.vector(at + "post_attention_layernorm.weight", {D}), c.rms_norm_eps};
        // The vendor calls it mlp; what transformers' save_pretrained writes has it under the MoE layers' name.
        const std::string mlp = at + (load.source->has(at + "block_sparse_moe.gate_proj.weight") ? "block_sparse_moe." : "mlp.");
        w_ = swiglu(load, mlp + "gate_proj.weight", mlp + "up_proj.weight", mlp + "down_proj.weight", F, D);
    }

    std::string_view kind() const override { return "dense"; }
    void forward(In<2> x, Out<2> y, Step& step) const override { step.on.ffn({.x = x, .norm = norm_, .w = w_, .y = y}); }
    void backward(In<2> x, Out<2> d, BackStep& step) const override {
        step.back.ffn_back({.x = x, .norm = norm_, .w = w_, .dy = d, .dx = d, .dw = step.of(w_), .dnorm = step.to.of(norm_.weight)});
    }

private:
    Norm norm_;
    SwiGlu w_;
};

class MoeFfn final : public FeedForward {
public:
    MoeFfn(int layer, Loader& load, bool biased_weights) {
        const ModelConfig& c = load.config;
        const std::string at = "model.layers." + std::to_string(layer) + ".";
        const std::string moe = at + "block_sparse_moe.";
        const int64_t D = c.hidden_size, F = c.moe_intermediate_size;
        norm_ = {load.vector(at + "post_attention_layernorm.weight", {D}), c.rms_norm_eps};
        router_ = {
            .weight = load.vector(moe + "gate.weight", {c.num_experts, D}),  // f32 on both sides: near ties must not flip
            .bias = load.source->has(moe + "gate.e_score_correction_bias") ? load.vector(moe + "gate.e_score_correction_bias", {c.num_experts}) : nullptr,
            .E = c.num_experts,
            .top_k = c.num_experts_per_token,
            .groups = c.num_expert_group,
            .kept_groups = c.topk_group,
            .softmax = c.router_softmax,
            .renormalize = c.moe_renormalize,
            .scale = c.routed_scaling_factor,
            .weights_from_biased_scores = biased_weights};
        latent_ = c.expert_latent;
        const int64_t E = latent_ ? latent_ : D;  // what an expert takes and gives
        if (latent_) {
            latent_in_ = {load.matrix(moe + "routed_expert_down_proj.weight", latent_, D)};
            if (c.expert_latent_norm) latent_norm_ = {load.vector(moe + "routed_expert_norm.weight", {latent_}), c.rms_norm_eps};
            latent_out_ = {load.matrix(moe + "routed_expert_up_proj.weight", D, latent_)};
        }
        const int64_t others = load.active;
        for (int e = 0; e < c.num_experts && load.error.empty(); ++e) {
            const std::string expert = moe + "experts." + std::to_string(e) + ".";
            experts_.push_back(swiglu(load, expert + "w1.weight", expert + "w3.weight", expert + "w2.weight", F, E));
            experts_.back().limit = c.expert_limit(layer);
        }
        load.active = others + (load.active - others) / c.num_experts * c.num_experts_per_token;
        if (c.num_shared_experts > 0) {
            const std::string shared = moe + "shared_experts.";
            const int64_t S = c.shared_width();
            shared_ = swiglu(load, shared + "gate_proj.weight", shared + "up_proj.weight", shared + "down_proj.weight", S, D);
            shared_.limit = c.shared_limit(layer);
            if (c.shared_expert_gate) shared_gate_ = load.vector(moe + "shared_expert_gate.weight", {D});
        }
    }

    std::string_view kind() const override { return "moe"; }

    void forward(In<2> x, Out<2> y, Step& step) const override {
        if (!latent_) return route(x, {}, y, shared_, step);
        // z = W_down RMSNorm(x);   y += W_up RMSNorm(sum w_e expert_e(z)) + shared(RMSNorm(x))
        const int64_t T = step.tokens;
        const Out<2> z = step.scratch.rows(T, latent_), sum = step.scratch.rows(T, latent_);
        step.on.linear({.x = x, .norm = norm_, .w = latent_in_, .y = z});
        step.on.zero(sum.data, static_cast<size_t>(sum.size()) * sizeof(float));
        route(x, z, sum, {}, step);
        if (shared_.gate) step.on.ffn({.x = x, .norm = norm_, .w = shared_, .y = y});
        step.on.linear({.x = sum, .norm = latent_norm_, .w = latent_out_, .y = y, .add = true});
    }

    void route(In<2> x, In<2> z, Out<2> y, const SwiGlu& shared, Step& step) const {
        Moe op{.x = x, .norm = norm_, .router = router_, .experts = experts_, .shared = shared, .shared_gate = shared_gate_, .z = z, .y = y};
        if (step.wants(Site::picks)) op.taps.picks = reinterpret_cast<int32_t*>(step.watch(Site::picks, router_.top_k));
        op.taps.weights = step.watch(Site::pick_weights, router_.top_k);
        // One call, or of a batch in which hands steer some choices one for each stretch of rows that choose alike.
        const Moe all = op;
        for (size_t i = 0; i < step.segments.size();) {
            const float* const choice = step.segments[i].hands_of(step.layer).choice;
            const int64_t first = step.segments[i].first;
            int64_t last = first;
            for (; i < step.segments.size() && step.segments[i].hands_of(step.layer).choice == choice; ++i)
                last = step.segments[i].first + step.segments[i].count;
            op.router.bias = choice ? choice : all.router.bias;
            op.x = {x.row(first), {last - first, x.dim[1]}}, op.y = {y.row(first), {last - first, y.dim[1]}};
            if (z.data) op.z = {z.row(first), {last - first, z.dim[1]}};
            if (all.taps.picks) op.taps.picks = all.taps.picks + first * router_.top_k;
            if (all.taps.weights) op.taps.weights = all.taps.weights + first * router_.top_k;
            if (last > first) step.on.moe(op);
        }
    }
    void backward(In<2> x, Out<2> d, BackStep& step) const override {
        KLP_CHECK(latent_ == 0);  // can_learn() refuses such layers
        std::vector<SwiGluBack> to;
        for (const SwiGlu& one : experts_) to.push_back(step.of(one));
        step.back.moe_back({.x = x,
                            .norm = norm_,
                            .router = router_,
                            .experts = experts_,
                            .shared = shared_,
                            .dy = d,
                            .dx = d,
                            .dexperts = to,
                            .dshared = step.of(shared_),
                            .drouter = step.to.of(router_.weight),
                            .dnorm = step.to.of(norm_.weight),
                            .load = step.to.of(router_.bias)});
    }
    std::vector<float> choice_bias(Backend& on) const override {
        std::vector<float> bias(static_cast<size_t>(router_.E));
        if (router_.bias) on.download(bias.data(), router_.bias, bias.size() * sizeof(float));
        return bias;
    }

private:
    Norm norm_;
    Router router_;
    std::vector<SwiGlu> experts_;
    SwiGlu shared_;
    const float* shared_gate_ = nullptr;
    int64_t latent_ = 0;  // width of what the experts take; 0: they take x
    std::vector<Weight> latent_in_, latent_out_;
    Norm latent_norm_;
};

}  // namespace

std::unique_ptr<FeedForward> make_ffn(int layer, Loader& load) {
    if (!load.config.is_moe(layer)) return std::make_unique<DenseFfn>(layer, load);
    return std::make_unique<MoeFfn>(layer, load, load.config.router_weights_from_biased_scores);
}

}  // namespace klp
