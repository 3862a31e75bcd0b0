#include "core/files/gguf_names.h"

#include <charconv>

namespace klp {

namespace {

constexpr std::string_view kExpertTensors = ".experts.";

constexpr NameRow kShared[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    // of each layer
    {"attn_norm.weight", "input_layernorm.weight"},
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    // KDA
    {"attn_q.weight", "self_attn.q_proj.weight"},  // MLA has this one and attn_output too
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_qkv.weight", "self_attn.q_proj.weight", GgufForm::qkv},
    {"ssm_conv1d_q.weight", "self_attn.q_conv1d.weight"},
    {"ssm_conv1d_k.weight", "self_attn.k_conv1d.weight"},
    {"ssm_conv1d_v.weight", "self_attn.v_conv1d.weight"},
    {"ssm_a", "self_attn.A_log", GgufForm::decay},
    {"ssm_dt.bias", "self_attn.dt_bias"},
    {"ssm_f_a.weight", "self_attn.f_a_proj.weight"},
    {"ssm_f_b.weight", "self_attn.f_b_proj.weight"},
    {"ssm_beta.weight", "self_attn.b_proj.weight"},
    {"ssm_g_a.weight", "self_attn.g_a_proj.weight"},
    {"ssm_g_b.weight", "self_attn.g_b_proj.weight"},
    {"ssm_norm.weight", "self_attn.o_norm.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    // MLA
    {"attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight"},
    {"attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight"},
    {"attn_k_b.weight", "self_attn.kv_b_proj.weight", GgufForm::k_b},
    {"attn_v_b.weight", "self_attn.kv_b_proj.weight", GgufForm::v_b},
    {"attn_kv_b.weight", "self_attn.kv_b_proj.weight"},  // of the first conversions, before there was a latent cache
    // feed-forward
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
    {"ffn_gate_inp.weight", "block_sparse_moe.gate.weight"},
    {"exp_probs_b.bias", "block_sparse_moe.gate.e_score_correction_bias"},
    {"ffn_gate_exps.weight", "block_sparse_moe.experts.w1.weight", GgufForm::experts},
    {"ffn_up_exps.weight", "block_sparse_moe.experts.w3.weight", GgufForm::experts},
    {"ffn_down_exps.weight", "block_sparse_moe.experts.w2.weight", GgufForm::experts},
    {"ffn_gate_shexp.weight", "block_sparse_moe.shared_experts.gate_proj.weight"},
    {"ffn_up_shexp.weight", "block_sparse_moe.shared_experts.up_proj.weight"},
    {"ffn_down_shexp.weight", "block_sparse_moe.shared_experts.down_proj.weight"},
};

constexpr NameSide kGgufSide{&NameRow::theirs, kTheirLayer}, kOurSide{&NameRow::ours, kOurLayer};

std::optional<TranslatedName> by_tables(const ModelConfig& config, std::string_view name, NameSide from, NameSide to) {
    if (auto own = translated(config, family_of(config).gguf_names, name, from, to)) return own;
    return translated(config, kShared, name, from, to);
}

}  // namespace

std::optional<TranslatedName> translated(const ModelConfig& config, std::span<const NameRow> rows, std::string_view name, NameSide from, NameSide to) {
    for (const NameRow& row : rows)
        if (row.*from.name == name) return TranslatedName{std::string(row.*to.name), row.form};
    if (!name.starts_with(from.layer)) return {};
    const size_t dot = name.find('.', from.layer.size());
    if (dot == name.npos) return {};
    const std::string_view number = name.substr(from.layer.size(), dot - from.layer.size());
    size_t layer = 0;
    std::from_chars(number.data(), number.data() + number.size(), layer);
    const std::string_view kind = layer < config.layer_kinds.size() ? std::string_view(config.layer_kinds[layer]) : "";
    for (const NameRow& row : rows)
        if (row.*from.name == name.substr(dot + 1) && (row.kind.empty() || row.kind == kind))
            return TranslatedName{std::string(to.layer) + std::string(number) + "." + std::string(row.*to.name), row.form};
    return {};
}

std::optional<TranslatedName> our_name(const ModelConfig& config, std::string_view gguf) { return by_tables(config, gguf, kGgufSide, kOurSide); }
std::optional<TranslatedName> gguf_name(const ModelConfig& config, std::string_view ours) { return by_tables(config, ours, kOurSide, kGgufSide); }

std::optional<ExpertName> expert_name(const std::string& name) {
    const size_t at = name.find(kExpertTensors);
    if (at == name.npos) return {};
    const size_t first = at + kExpertTensors.size(), end = name.find_first_not_of("0123456789", first);
    if (end == first || end == name.npos || name[end] != '.' || end - first > 9) return {};
    return ExpertName{name.substr(0, first) + name.substr(end + 1), std::stoll(name.substr(first, end - first))};
}

std::string numbered(const ExpertName& expert) {
    return std::string(expert.all).insert(expert.all.find(kExpertTensors) + kExpertTensors.size(), std::to_string(expert.number) + ".");
}

}  // namespace klp
