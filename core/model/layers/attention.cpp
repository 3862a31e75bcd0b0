// Full attention over whole keys and values: grouped queries, norms on q and k, a rotated part of each head, and a gate behind it (Qwen3-Next, Qwen3.5).
#include <cmath>

#include "core/model/layers.h"

namespace klp {

namespace {

class AttentionMixer final : public TokenMixer {
public:
    AttentionMixer(int layer, Loader& load) {
        const ModelConfig& c = load.config;
        const std::string at = "model.layers." + std::to_string(layer) + ".";
        const std::string attn = at + "self_attn.";
        const int64_t D = c.hidden_size, kv = int64_t{c.num_key_value_heads} * c.head_dim;
        op_.H = c.num_attention_heads, op_.H_kv = c.num_key_value_heads, op_.D = c.head_dim;
        op_.gated = c.attention_gate;
        op_.rotary = c.mla_use_nope ? 0 : c.rotary_dim, op_.rope_theta = op_.rotary ? c.rope_theta : 0;
        op_.scale = 1.f / std::sqrt(static_cast<float>(op_.D));
        op_.cache_type = load.cache_type;

        norm_ = {load.vector(at + "input_layernorm.weight", {D}), c.rms_norm_eps};
        in_ = {load.matrix(attn + "q_proj.weight", op_.H * op_.q_step(), D), load.matrix(attn + "k_proj.weight", kv, D),
               load.matrix(attn + "v_proj.weight", kv, D)};
        op_.q_norm = {load.vector(attn + "q_norm.weight", {op_.D}), c.rms_norm_eps};
        op_.k_norm = {load.vector(attn + "k_norm.weight", {op_.D}), c.rms_norm_eps};
        out_ = {load.matrix(attn + "o_proj.weight", D, int64_t{op_.H} * op_.D)};
    }

    std::string_view kind() const override { return "full_attention"; }

    StateSpec state() const override { return {.row_bytes = op_.cache_width() * info(op_.cache_type).bytes}; }

    void forward(In<2> x, Out<2> out, Step& step) const override {
        const Out<2> p = step.scratch.rows(step.tokens, op_.width());
        const Out<2> y = step.scratch.rows(step.tokens, int64_t{op_.H} * op_.D);

        // q, or q | z, of each head, then k, then v  =  W RMSNorm(x)
        step.on.linear({.x = x, .norm = norm_, .w = in_, .y = p});
        step.show(Site::projections, p);

        // append k | v to the cache;   y = softmax(q K^T scale) V over all of it, times sigmoid(z)
        std::vector<AttentionSegment> segments;
        for (const Segment& s : step.segments) segments.push_back({s.first, s.count, s.cached, s.states[step.layer].rows});
        Attention op = op_;
        op.x = p, op.y = y, op.segments = segments;
        op.taps.log_sum_exp = step.watch(Site::log_sum_exp, op.H);
        step.on.attention(op);
        step.weigh(y, op.H);

        step.on.linear({.x = y, .w = out_, .y = out, .add = true});
    }

    void backward(In<2>, Out<2>, BackStep&) const override { KLP_CHECK(!"a way back"); }  // can_learn() refuses such layers

private:
    Norm norm_;
    std::vector<Weight> in_, out_;
    Attention op_;  // everything of the op but what changes from step to step
};

}  // namespace

std::unique_ptr<TokenMixer> make_full_attention(int layer, Loader& load) { return std::make_unique<AttentionMixer>(layer, load); }

}  // namespace klp
