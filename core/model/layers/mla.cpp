// Multi-head latent attention: full attention over a cache of one small latent row a token. Kimi Linear's knows no positions; Ling's rotates a part of queries
// and keys, makes its queries of low rank where it is small, and has a gate a head; K3 has queries of low rank and a gate for each value.
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
        op_.rope_theta = c.mla_use_nope ? 0 : c.rope_theta, op_.rope_adjacent = c.rope_adjacent;
        op_.gates = c.mla_head_gate ? op_.H : c.mla_output_gate ? op_.H * op_.V : 0;
        rank_ = c.q_lora_rank;
        op_.cache_type = load.cache_type;

        norm_ = {load.vector(at + "input_layernorm.weight", {D}), c.rms_norm_eps};
        if (!rank_) in_.push_back(load.matrix(attn + "q_proj.weight", op_.q_width(), D));
        in_.push_back(load.matrix(attn + "kv_a_proj_with_mqa.weight", op_.cache_width(), D));
        if (op_.gates) in_.push_back(load.gate(attn + "g_proj.weight", op_.gates, D));
        if (rank_) {
            in_.push_back(load.matrix(attn + "q_a_proj.weight", rank_, D));
            q_norm_ = {load.vector(attn + "q_a_layernorm.weight", {rank_}), c.kv_a_layernorm_eps};
            q_b_ = {load.matrix(attn + "q_b_proj.weight", op_.q_width(), rank_)};
        }
        op_.norm = {load.vector(attn + "kv_a_layernorm.weight", {op_.L}), c.kv_a_layernorm_eps};
        op_.kv_b = load.matrix(attn + "kv_b_proj.weight", int64_t{op_.H} * (op_.nope + op_.V), op_.L);
        out_ = {load.matrix(attn + "o_proj.weight", D, int64_t{op_.H} * op_.V)};
    }

    std::string_view kind() const override { return "mla"; }

    StateSpec state() const override { return {.row_bytes = op_.cache_width() * info(op_.cache_type).bytes}; }

    void forward(In<2> x, Out<2> out, Step& step) const override {
        const int64_t T = step.tokens, width = op_.width() + rank_;
        const Out<2> p = step.scratch.rows(T, width);
        const Out<2> y = step.scratch.rows(T, int64_t{op_.H} * op_.V);

        // q | c^ | k_r | z  =  W RMSNorm(x);   of low rank   c^ | k_r | z | q_a = W RMSNorm(x),  q = W RMSNorm(q_a)
        const int64_t first = rank_ ? op_.q_width() : 0;
        step.on.linear({.x = x, .norm = norm_, .w = in_, .y = {p.data + first, {T, width - first}}, .y_stride = width});
        if (rank_)
            step.on.linear(
                {.x = {p.data + op_.width(), {T, rank_}}, .norm = q_norm_, .w = q_b_, .y = {p.data, {T, op_.q_width()}}, .x_stride = width, .y_stride = width});
        step.show(Site::projections, p);

        // append c | k_r to the cache;   y = softmax(q K^T scale) V over all of it, and with gates times sigmoid(z)
        std::vector<MlaSegment> segments;
        for (const Segment& s : step.segments) segments.push_back({s.first, s.count, s.cached, s.states[step.layer].rows});
        Mla op = op_;
        op.x = p, op.y = y, op.segments = segments;
        op.taps.log_sum_exp = step.watch(Site::log_sum_exp, op.H);
        step.on.mla(op);
        step.weigh(y, op.H);

        step.on.linear({.x = y, .w = out_, .y = out, .add = true});
    }

    void backward(In<2> x, Out<2> d, BackStep& step) const override {
        KLP_CHECK(rank_ == 0 && op_.gates == 0);
        const Out<2> p = step.scratch.rows(step.tokens, op_.width()), dp = step.scratch.rows(step.tokens, op_.width());
        const Out<2> y = step.scratch.rows(step.tokens, int64_t{op_.H} * op_.V), dy = step.scratch.rows(step.tokens, int64_t{op_.H} * op_.V);
        step.on.zero(dy.data, static_cast<size_t>(dy.size()) * sizeof(float));
        step.linear(y, {}, out_, d, dy, false);
        step.on.linear({.x = x, .norm = norm_, .w = in_, .y = p});
        MlaBack a{.op = op_, .rows = step.rows, .dy = dy, .dx = dp, .dkv_b = step.to.of(op_.kv_b.data), .dnorm = step.to.of(op_.norm.weight)};
        a.op.x = p, a.op.y = y;
        step.back.mla_back(a);
        step.linear(y, {}, out_, d, {}, true);
        step.linear(x, norm_, in_, dp, d, true);
    }

private:
    Norm norm_, q_norm_;
    std::vector<Weight> in_, q_b_, out_;
    int64_t rank_ = 0;  // of the queries; 0: they come out of x at once
    Mla op_;            // everything of the op but what changes from step to step
};

}  // namespace

std::unique_ptr<TokenMixer> make_mla(int layer, Loader& load) { return std::make_unique<MlaMixer>(layer, load); }

}  // namespace klp
