// Multi-head latent attention, NoPE in Kimi Linear: full attention over a cache of one small latent row a token.
#include <cmath>

#include "core/model/layers.h"

namespace klp {

namespace {

class MlaMixer final : public TokenMixer {
public:
    MlaMixer(int layer, Loader& load) {
        const ModelConfig& c = load.config;
        const std::string at = "model.layers." + std::to_string(layer) + ".";
        const std::string attn = at + "self_attn.";
        const int64_t D = c.hidden_size;
        op_.H = c.num_attention_heads;
        op_.nope = c.qk_nope_head_dim, op_.rope = c.qk_rope_head_dim;
        op_.V = c.v_head_dim, op_.L = c.kv_lora_rank;
        op_.scale = 1.f / std::sqrt(static_cast<float>(op_.nope + op_.rope));
        op_.rope_theta = c.mla_use_nope ? 0 : c.rope_theta;
        op_.cache_type = load.cache_type;

        norm_ = {load.vector(at + "input_layernorm.weight", {D}), c.rms_norm_eps};
        in_ = {load.matrix(attn + "q_proj.weight", op_.q_width(), D), load.matrix(attn + "kv_a_proj_with_mqa.weight", op_.cache_width(), D)};
        op_.norm = {load.vector(attn + "kv_a_layernorm.weight", {op_.L}), c.kv_a_layernorm_eps};
        op_.kv_b = load.matrix(attn + "kv_b_proj.weight", int64_t{op_.H} * (op_.nope + op_.V), op_.L);
        out_ = {load.matrix(attn + "o_proj.weight", D, int64_t{op_.H} * op_.V)};
    }

    std::string_view kind() const override { return "mla"; }

    StateSpec state() const override { return {.row_bytes = op_.cache_width() * info(op_.cache_type).bytes}; }

    void forward(Out<2> x, Step& step) const override {
        const Out<2> p = step.scratch.rows(step.tokens, op_.width());
        const Out<2> y = step.scratch.rows(step.tokens, int64_t{op_.H} * op_.V);

        // q | c^ | k_r  =  W RMSNorm(x)
        step.on.linear({.x = x, .norm = norm_, .w = in_, .y = p});
        step.show(Site::projections, p);

        // append c | k_r to the cache;   y = softmax(q K^T scale) V over all of it
        std::vector<MlaSegment> segments;
        for (const Segment& s : step.segments) segments.push_back({s.first, s.count, s.cached, s.states[step.layer].rows});
        Mla op = op_;
        op.x = p, op.y = y, op.segments = segments;
        op.taps.log_sum_exp = step.watch(Site::log_sum_exp, op.H);
        step.on.mla(op);
        step.weigh(y, op.H);

        step.on.linear({.x = y, .w = out_, .y = x, .add = true});
    }

private:
    Norm norm_;
    std::vector<Weight> in_, out_;
    Mla op_;  // everything of the op but what changes from step to step
};

}  // namespace

std::unique_ptr<TokenMixer> make_mla(int layer, Loader& load) { return std::make_unique<MlaMixer>(layer, load); }

}  // namespace klp
