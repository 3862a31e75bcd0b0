// Kimi K3 (Moonshot AI), its text: Kimi Linear with a bound under its gates and one of full rank on KDA's output, latent attention with queries of low rank and a
// gate for each value, experts that work in a latent of their own, SiTU for SwiGLU, and residual streams that every layer mixes by attention. What sees is left out.
#include <algorithm>

#include "core/files/families/all.h"

namespace klp {

namespace {

void read_kimi_k3(Fields& top, ModelConfig& c) {
    std::optional<Fields> inner = top.object("linear_attn_config");
    Fields* const linear = inner ? &*inner : nullptr;
    read_kimi_layers(top, linear, c);
    if (has_layer(c, "kda")) {
        read_kimi_kda(top, linear, c);
        c.kda_full_output_gate = (linear ? *linear : top).flag({"use_full_rank_gate"}, false);
    }
    if (has_layer(c, "mla") || top.has("kv_lora_rank")) {
        if (!top.flag({"mla_use_nope"}, true)) top.wrong({"mla_use_nope"}, "is false, but of a Kimi K3 nothing says how positions would turn its keys");
        read_latent_attention(top, c);
        c.q_lora_rank = top.integer({"q_lora_rank"}, 0, kMostWidth, 0);
        c.mla_output_gate = top.flag({"mla_use_output_gate"}, false);
    }
    read_feed_forward(top, c, 1);
    if (top.text({"hidden_act"}, "silu") == "situ") {
        c.situ = top.number({"activation_situ_beta"}, 1e-3, 1e6, 4);
        c.situ_up = std::max(0.f, top.number({"activation_situ_linear_beta"}, -1e6, 1e6, 25));
    }
    c.residual_block = top.integer({"attn_res_block_size"}, 0, kMostLayers, 0);
    if (c.num_experts == 0) return;
    c.expert_latent = top.integer({"routed_expert_hidden_size"}, 0, kMostWidth, 0);
    c.expert_latent_norm = top.flag({"latent_moe_use_norm"}, false) && c.expert_latent > 0;
}

void write_kimi_k3(const ModelConfig& c, nlohmann::ordered_json& j) {
    write_kimi_linear(c, j);
    if (c.kda_heads) j["linear_attn_config"]["use_full_rank_gate"] = c.kda_full_output_gate;
    if (c.kv_lora_rank) j["mla_use_output_gate"] = c.mla_output_gate;
    if (c.situ > 0) {
        j["activation_situ_beta"] = json_number(c.situ);
        j["activation_situ_linear_beta"] = json_number(c.situ_up);
    }
    if (c.residual_block) j["attn_res_block_size"] = c.residual_block;
    if (c.expert_latent == 0) return;
    j["routed_expert_hidden_size"] = c.expert_latent;
    j["latent_moe_use_norm"] = c.expert_latent_norm;
}

constexpr std::string_view kK3Architectures[] = {"KimiK3ForConditionalGeneration"}, kK3Gguf[] = {"kimi-k3"};

constexpr NameRow kK3GgufNames[] = {
    {"attn_res_score.weight", "self_attention_res_proj.weight", GgufForm::score},
    {"ffn_res_score.weight", "mlp_res_proj.weight", GgufForm::score},
    {"output_res_score.weight", "model.output_attn_res_proj.weight", GgufForm::score},
    {"ssm_g.weight", "self_attn.g_proj.weight", GgufForm::same, "kda"},
    {"attn_gate.weight", "self_attn.g_proj.weight", GgufForm::same, "mla"},
    {"attn_q_a.weight", "self_attn.q_a_proj.weight"},
    {"attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight"},
    {"attn_q_b.weight", "self_attn.q_b_proj.weight"},
    {"ffn_routed_down.weight", "block_sparse_moe.routed_expert_down_proj.weight"},
    {"ffn_routed_up.weight", "block_sparse_moe.routed_expert_up_proj.weight"},
    {"ffn_routed_norm.weight", "block_sparse_moe.routed_expert_norm.weight"},
};
constexpr GgufField kK3Fields[] = {
    {"kda.head_dim", "linear_attn_config.head_dim"},
    {"kda.gate_lower_bound", "linear_attn_config.gate_lower_bound", {}, GgufField::real},
    {"ssm.conv_kernel", "linear_attn_config.short_conv_kernel_size"},
    {"attn_res.block_size", "attn_res_block_size"},
    {"activation.situ_beta", "activation_situ_beta", {}, GgufField::real},
    {"activation.situ_linear_beta", "activation_situ_linear_beta", {}, GgufField::real},
    {"expert_latent_length", "routed_expert_hidden_size"},
};

// Which gates there are and whether a norm stands in front of the way up, the tensors say.
void complete_kimi_k3(const GgufModel& model, nlohmann::json& config) {
    complete_kimi_linear(model, config);
    const auto has = [&](std::string_view end) {
        for (const GgufPart& part : model.parts)
            for (const GgufTensor& t : part.gguf.tensors)
                if (t.info.name.ends_with(end)) return true;
        return false;
    };
    if (config.contains("linear_attn_config")) config["linear_attn_config"]["use_full_rank_gate"] = has(".ssm_g.weight");
    config["mla_use_output_gate"] = has(".attn_gate.weight");
    if (config.contains("routed_expert_hidden_size")) config["latent_moe_use_norm"] = has(".ffn_routed_norm.weight");
    config["hidden_act"] = config.contains("activation_situ_beta") ? "situ" : "silu";
}

// A_log may be longer than there are heads: the first ones count.
Result<std::vector<MappedTensor>> adapt_kimi_k3(const ModelConfig& c, std::vector<MappedTensor> tensors, const std::vector<std::string>&) {
    std::vector<MappedTensor> out;
    for (MappedTensor& t : tensors) {
        t.info.name = without_outer(t.info.name);
        const std::string& name = t.info.name;
        if (name.starts_with("vision_tower.") || name.starts_with("mm_projector.")) continue;
        if (int64_t count = 1; name.ends_with(".self_attn.A_log") && t.info.readable && !t.make) {
            for (const int64_t d : t.info.shape) count *= d;
            if (count > c.kda_heads && c.kda_heads > 0) t.info.shape = {c.kda_heads}, t.info.bytes = t.info.bytes / count * c.kda_heads;
        }
        out.push_back(std::move(t));
    }
    return out;
}

}  // namespace

constinit const Family kKimiK3 = {.name = "Kimi K3",
                                  .model_type = "kimi_k3",
                                  .architectures = kK3Architectures,
                                  .gguf = kK3Gguf,
                                  .read = read_kimi_k3,
                                  .write = write_kimi_k3,
                                  .gate_fields = {"linear_attn_config", "linear_attn_config, gate_lower_bound"},
                                  .folder_names = {},
                                  .gguf_names = kK3GgufNames,
                                  .gguf_fields = kK3Fields,
                                  .complete = complete_kimi_k3,
                                  .adapt = adapt_kimi_k3,
                                  .activations = {"silu", "situ"}};

ModelConfig kimi_k3_small() {
    ModelConfig c{.model_type = "kimi_k3", .vocab_size = 8192, .hidden_size = 256, .num_hidden_layers = 8};
    for (int i = 0; i < 8; ++i) c.layer_kinds.push_back(i % 4 == 3 ? "mla" : "kda");
    c.model_max_length = 32768;
    c.kda_heads = 4, c.kda_key_dim = c.kda_value_dim = c.kda_gate_rank = 64, c.gate_lower_bound = -5, c.kda_full_output_gate = true;
    c.num_attention_heads = 4, c.q_lora_rank = 64, c.kv_lora_rank = 128, c.qk_nope_head_dim = c.v_head_dim = 64, c.qk_rope_head_dim = 32,
    c.mla_output_gate = true;
    c.intermediate_size = 768, c.first_k_dense_replace = 1;
    c.num_experts = 32, c.num_experts_per_token = 8, c.num_shared_experts = 2, c.moe_intermediate_size = 64;
    c.expert_latent = 128, c.expert_latent_norm = true;
    c.situ = 4, c.situ_up = 25, c.residual_block = 4;
    return c;
}

}  // namespace klp
