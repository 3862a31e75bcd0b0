// Kimi Delta Attention (report, section 3): a gated delta rule with one decay per channel and a state of constant size. Gated DeltaNet (arXiv 2412.06464) is
// the same with one decay a head, which several heads may share keys and queries with, and another gate behind it. The other rules of the family
// (config.h, UpdateRule) are this layer with fewer tensors.
#include "core/model/layers.h"

namespace klp {

namespace {

class KdaMixer final : public TokenMixer {
public:
    KdaMixer(int layer, Loader& load, std::string_view kind) : kind_(kind) {
        const ModelConfig& c = load.config;
        const std::string at = "model.layers." + std::to_string(layer) + ".";
        const std::string attn = at + "self_attn.";
        const int64_t D = c.hidden_size, HK = int64_t{c.kda_heads} * c.kda_key_dim, HV = int64_t{c.kda_heads} * c.kda_value_dim;
        op_.H = c.kda_heads, op_.K = c.kda_key_dim, op_.V = c.kda_value_dim;
        op_.C = c.short_conv_kernel_size;
        op_.H_k = c.key_heads(), op_.tiled = c.kda_tiled;
        norm_ = {load.vector(at + "input_layernorm.weight", {D}), c.rms_norm_eps};
        op_.o_norm = {load.vector(attn + "o_norm.weight", {op_.V}), c.rms_norm_eps};
        out_ = {load.matrix(attn + "o_proj.weight", D, HV)};
        if (c.joined_qkv(layer)) {
            op_.one_gate = op_.silu = true;
            op_.R_f = op_.H, op_.R_g = static_cast<int>(HV);
            in_ = {load.matrix(attn + "qkv_proj.weight", op_.conv_width(), D), load.gate(attn + "a_proj.weight", op_.H, D),
                   load.gate(attn + "g_proj.weight", HV, D), load.gate(attn + "b_proj.weight", op_.H, D)};
            op_.conv = load.vector(attn + "qkv_conv1d.weight", {op_.conv_width(), 1, op_.C});
            op_.A_log = load.vector(attn + "A_log", {op_.H});
            op_.dt_bias = load.vector(attn + "dt_bias", {op_.H});
            op_.gates = in_[1].type;
            return;
        }
        const UpdateRule& rule = c.rule();
        op_.one_gate = rule.one_gate, op_.no_gate = rule.no_gate, op_.plain = rule.plain;
        const bool low_rank = c.kda_gate_rank > 0, low_f = low_rank && !rule.one_gate && !rule.no_gate,
                   low_g = low_rank && !c.kda_full_output_gate && c.output_gate != "none";
        const int64_t gates = op_.gate_width();
        op_.silu = c.output_gate == "swish", op_.ungated = c.output_gate == "none";
        op_.R_f = static_cast<int>(low_f ? c.kda_gate_rank : gates), op_.R_g = static_cast<int>(low_g ? c.kda_gate_rank : op_.output_gates());
        in_ = {load.matrix(attn + "q_proj.weight", HK, D), load.matrix(attn + "k_proj.weight", HK, D), load.matrix(attn + "v_proj.weight", HV, D)};
        if (!rule.no_gate) {
            in_.push_back(load.gate(attn + (low_f ? "f_a_proj.weight" : rule.one_gate ? "a_proj.weight" : "f_proj.weight"), op_.R_f, D));
            op_.gates = in_.back().type;
        }
        if (!op_.ungated) in_.push_back(load.gate(attn + (low_g ? "g_a_proj.weight" : "g_proj.weight"), op_.R_g, D));
        in_.push_back(load.gate(attn + "b_proj.weight", op_.H, D));
        op_.conv =
            load.joined({{attn + "q_conv1d.weight", {HK, 1, op_.C}}, {attn + "k_conv1d.weight", {HK, 1, op_.C}}, {attn + "v_conv1d.weight", {HV, 1, op_.C}}});
        if (!rule.no_gate) {
            op_.A_log = load.vector(attn + "A_log", {1, 1, op_.H, 1});
            op_.dt_bias = load.vector(attn + "dt_bias", {gates});
        }
        if (low_f) op_.f_b = load.gate(attn + "f_b_proj.weight", HK, op_.R_f);
        if (low_g) op_.g_b = load.gate(attn + "g_b_proj.weight", HV, op_.R_g);
        op_.lower_bound = c.gate_lower_bound;
    }

    std::string_view kind() const override { return kind_; }

    StateSpec state() const override { return {.fixed = {{"S", {op_.H, op_.V, op_.K}}, {"conv", {op_.C - 1, op_.conv_width()}}}}; }

    void forward(In<2> x, Out<2> out, Step& step) const override {
        const Out<2> p = step.scratch.rows(step.tokens, op_.width());
        const Out<2> y = step.scratch.rows(step.tokens, int64_t{op_.H} * op_.V);

        // q^ | k^ | v^ | f_a | g_a | b  =  W RMSNorm(x), or with gates of full rank (and of one a head)  q^ | k^ | v^ | f | g | b
        step.on.linear({.x = x, .norm = norm_, .w = in_, .y = p});
        step.show(Site::projections, p);

        // S <- (I - beta k k^T) Diag(alpha) S + beta k v^T;   y = RMSNorm(S^T q) * sigmoid(g), or SiLU(g), or alone
        std::vector<KdaSegment> segments;
        for (const Segment& s : step.segments) {
            const LayerState& memory = s.states[step.layer];
            const LayerHands hands = s.hands_of(step.layer);
            segments.push_back({s.first, s.count, memory.fixed[0].as<float>(), memory.fixed[1].as<float>(), hands.gate, hands.beta});
        }
        Kda op = op_;
        op.x = p, op.y = y, op.segments = segments;
        op.taps.log_decay = step.watch(Site::log_decay, int64_t{op.H} * op.K);
        op.taps.beta = step.watch(Site::beta, op.H);
        op.taps.state_norm = step.watch(Site::state_norm, op.H);
        op.taps.update_norm = step.watch(Site::update_norm, op.H);
        step.on.kda(op);
        step.weigh(y, op.H);

        step.on.linear({.x = y, .w = out_, .y = out, .add = true});
    }

    void backward(In<2> x, Out<2> d, BackStep& step) const override {
        const Out<2> p = step.scratch.rows(step.tokens, op_.width()), dp = step.scratch.rows(step.tokens, op_.width());
        const Out<2> y = step.scratch.rows(step.tokens, int64_t{op_.H} * op_.V), dy = step.scratch.rows(step.tokens, int64_t{op_.H} * op_.V);
        step.on.zero(dy.data, static_cast<size_t>(dy.size()) * sizeof(float));
        step.linear(y, {}, out_, d, dy, false);
        step.on.linear({.x = x, .norm = norm_, .w = in_, .y = p});
        KdaBack a{.op = op_, .rows = step.rows, .dy = dy, .dx = dp};
        a.op.x = p, a.op.y = y;
        a.dconv = step.to.of(op_.conv), a.dA_log = step.to.of(op_.A_log), a.ddt_bias = step.to.of(op_.dt_bias), a.do_norm = step.to.of(op_.o_norm.weight);
        a.df_b = step.to.of(op_.f_b.data), a.dg_b = step.to.of(op_.g_b.data);
        a.excess = step.excess;
        step.back.kda_back(a);
        step.linear(y, {}, out_, d, {}, true);
        step.linear(x, norm_, in_, dp, d, true);
    }

private:
    std::string_view kind_;
    Norm norm_;
    std::vector<Weight> in_, out_;
    Kda op_;  // everything of the op but what changes from step to step
};

}  // namespace

std::unique_ptr<TokenMixer> make_kda(int layer, Loader& load) { return std::make_unique<KdaMixer>(layer, load, "kda"); }
std::unique_ptr<TokenMixer> make_gated_deltanet(int layer, Loader& load) { return std::make_unique<KdaMixer>(layer, load, "gated_deltanet"); }

}  // namespace klp
