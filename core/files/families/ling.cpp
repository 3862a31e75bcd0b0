// Ling 3.0 (inclusionAI; BailingMoeV3, in GGUF bailingmoe3): Kimi Delta Attention with gates of full rank under a lower bound; latent attention whose queries may
// be of low rank, with rotated neighbours and a gate a head; experts chosen in groups, in late layers of the flash model with limited activations. Layers from
// num_hidden_layers on predict further tokens ahead, and are left out.
#include <algorithm>
#include <cmath>

#include "core/files/families/all.h"

namespace klp {

namespace {

constexpr float kTheta = 6e6f;

// Layers of the flash model whose activations are limited, for files that were made before there was a way to say it (docs/models.md).
struct LimitedLayers {
    int first, last;
    float limit;
};
constexpr LimitedLayers kFlashExperts[] = {{35, 41, 4}}, kFlashShared[] = {{34, 39, 5}, {40, 41, 7}};
std::vector<float> limits_of(std::span<const LimitedLayers> all, int layers) {
    std::vector<float> limits(static_cast<size_t>(layers));
    for (const LimitedLayers& some : all)
        for (int i = some.first; i <= some.last && i < layers; ++i) limits[static_cast<size_t>(i)] = some.limit;
    return limits;
}

// Layer i reads the latent cache where a group of layers ends, and in what is left behind the last whole group.
std::string kind_in_groups(int64_t i, int64_t layers, int64_t group) { return (i + 1) % group == 0 || i >= layers / group * group ? "mla" : "kda"; }

// A number a layer, null for none; entries behind the last layer are those of layers that predict ahead.
std::vector<float> read_limits(Fields& top, const char* field, int layers) {
    const nlohmann::json::array_t* list = top.list({field});
    if (!list) return {};
    if (list->size() < static_cast<size_t>(layers)) {
        top.wrong({field}, "has " + std::to_string(list->size()) + " entries for " + std::to_string(layers) + " layers");
        return {};
    }
    std::vector<float> limits;
    for (int i = 0; i < layers; ++i) {
        const nlohmann::json& limit = (*list)[static_cast<size_t>(i)];
        const double value = limit.is_null() ? 0 : limit.is_number() ? limit.get<double>() : -1;
        if (!(value >= 0 && value <= 1e6)) {
            top.wrong({field}, "has " + Fields::said(limit) + " for layer " + std::to_string(i) + " where a limit, 0 or null belongs");
            return {};
        }
        limits.push_back(static_cast<float>(value));
    }
    if (std::all_of(limits.begin(), limits.end(), [](float l) { return l == 0; })) limits.clear();
    return limits;
}

void read_rotation(Fields& top, ModelConfig& c) {
    c.mla_use_nope = false;
    c.rope_adjacent = top.flag({"rope_interleave"}, true);
    c.rope_theta = kTheta;
    for (const char* name : {"rope_parameters", "rope_scaling"}) {
        std::optional<Fields> rope = top.object(name);
        if (!rope) continue;
        if (const std::string type = rope->text({"rope_type", "type"}, "default"); type != "default")
            rope->wrong({"rope_type", "type"},
                        "is " + in_quotes(type) + ", a way of reaching further than the model was trained, which this program does not have");
        c.rope_theta = rope->number({"rope_theta"}, 1, 1e12, c.rope_theta);
    }
}

void read_ling(Fields& top, ModelConfig& c) {
    if (!read_layer_types(top, c)) {
        const int64_t group = top.integer({"layer_group_size"}, 1, kMostLayers);
        for (int i = 0; i < c.num_hidden_layers; ++i) c.layer_kinds[static_cast<size_t>(i)] = kind_in_groups(i, c.num_hidden_layers, group);
    }
    if (has_layer(c, "kda")) {
        c.kda_heads = top.integer({"linear_num_heads", "num_attention_heads"}, 1, kMostWidth);
        c.kda_key_dim = c.kda_value_dim = top.integer({"linear_head_dim", "head_dim"}, 1, kMostWidth);
        c.kda_gate_rank = 0;
        c.short_conv_kernel_size = top.integer({"short_conv_kernel_size", "linear_conv_kernel_dim"}, 2, 16, 4);
        if (top.flag({"kda_safe_gate"}, true)) c.gate_lower_bound = top.number({"kda_lower_bound"}, -1e4, 0, -5);
        if (!top.flag({"no_kda_lora"}, true) || top.flag({"use_kda_lora"}, false))
            top.wrong({"no_kda_lora", "use_kda_lora"}, "asks for gates of low rank, which a Ling of this program does not have");
    }
    read_rotation(top, c);
    if (has_layer(c, "mla") || top.has("kv_lora_rank")) {
        const float theta = c.rope_theta;
        read_latent_attention(top, c);
        c.rope_theta = top.number({"rope_theta"}, 1, 1e12, theta);
        c.q_lora_rank = top.integer({"q_lora_rank"}, 0, kMostWidth, 0);
        c.mla_head_gate = true;
        if (const std::string gate = top.text({"gated_attention_proj_granularity_type"}, "head_wise"); gate != "head_wise")
            top.wrong({"gated_attention_proj_granularity_type"}, "is " + in_quotes(gate) + ", which this program does not have; it knows 'head_wise'");
    }
    top.refuse({"use_bias"});
    top.refuse({"use_qkv_bias"});
    read_feed_forward(top, c, 2.5f);
    if (c.num_experts == 0) return;
    const int shared = top.integer({"moe_shared_expert_intermediate_size"}, 1, kMostWidth, c.moe_intermediate_size);
    if (shared != c.moe_intermediate_size && c.num_shared_experts > 0)
        top.wrong({"moe_shared_expert_intermediate_size"}, "is " + std::to_string(shared) + " beside a moe_intermediate_size of " +
                                                               std::to_string(c.moe_intermediate_size) +
                                                               "; a shared expert of another width this program does not have");
    c.expert_limits = read_limits(top, "expert_swiglu_limit_list", c.num_hidden_layers);
    c.shared_limits = read_limits(top, "share_expert_swiglu_limit_list", c.num_hidden_layers);
}

void write_ling(const ModelConfig& c, nlohmann::ordered_json& j) {
    j["max_position_embeddings"] = c.model_max_length;
    int64_t group = 0;  // 0: no rhythm
    for (int64_t g = 1; g <= c.num_hidden_layers && group == 0; ++g) {
        group = g;
        for (int64_t i = 0; i < c.num_hidden_layers && group; ++i)
            if (kind_in_groups(i, c.num_hidden_layers, g) != c.layer_kinds[static_cast<size_t>(i)]) group = 0;
    }
    if (group)
        j["layer_group_size"] = group;
    else
        for (const std::string& kind : c.layer_kinds) j["layer_types"].push_back(kind == "kda" ? "linear_attention" : "full_attention");
    if (c.kda_heads) {
        if (c.kda_heads != c.num_attention_heads) j["linear_num_heads"] = c.kda_heads;
        j["head_dim"] = c.kda_key_dim;
        j["short_conv_kernel_size"] = c.short_conv_kernel_size;
        j["no_kda_lora"] = true;
    }
    j["kda_safe_gate"] = c.gate_lower_bound < 0 || c.kda_heads == 0;
    if (c.gate_lower_bound < 0) j["kda_lower_bound"] = json_number(c.gate_lower_bound);
    if (c.kv_lora_rank) {
        write_latent_attention(c, j);
        j["gated_attention_proj_granularity_type"] = "head_wise";
        if (c.kv_a_layernorm_eps != ModelConfig{}.kv_a_layernorm_eps) j["kv_a_layernorm_eps"] = json_number(c.kv_a_layernorm_eps);
    }
    j["rope_theta"] = json_number(c.rope_theta);
    j["rope_interleave"] = c.rope_adjacent;
    if (c.intermediate_size) j["intermediate_size"] = c.intermediate_size;
    j["num_experts"] = c.num_experts;
    if (c.num_experts == 0) return;
    j["num_experts_per_tok"] = c.num_experts_per_token;
    j["num_shared_experts"] = c.num_shared_experts;
    j["moe_intermediate_size"] = j["moe_shared_expert_intermediate_size"] = c.moe_intermediate_size;
    j["score_function"] = c.router_softmax ? "softmax" : "sigmoid";
    j["topk_method"] = "noaux_tc";
    j["norm_topk_prob"] = c.moe_renormalize;
    j["routed_scaling_factor"] = json_number(c.routed_scaling_factor);
    j["n_group"] = c.num_expert_group;
    j["topk_group"] = c.topk_group;
    for (const auto& [field, limits] : {std::pair("expert_swiglu_limit_list", &c.expert_limits), std::pair("share_expert_swiglu_limit_list", &c.shared_limits)})
        for (const float limit : *limits) j[field].push_back(nlohmann::ordered_json(json_number(limit)));
}

constexpr std::string_view kLingArchitectures[] = {"BailingMoeV3ForCausalLM", "BailingMoeV3VLForConditionalGeneration",
                                                   "BailingHybridForCausalLM"};                // the last one is transformers' own
constexpr std::string_view kLingGguf[] = {"bailingmoe3", "bailing_hybrid", "bailing-hybrid"};  // the others are of programs that went their own way

constexpr NameRow kLingNames[] = {
    {"model.word_embeddings.weight", "model.embed_tokens.weight"},
    {"attention.q_proj.weight", "self_attn.q_proj.weight"},
    // KDA
    {"attention.k_proj.weight", "self_attn.k_proj.weight"},
    {"attention.v_proj.weight", "self_attn.v_proj.weight"},
    {"attention.q_conv1d.weight", "self_attn.q_conv1d.weight"},
    {"attention.k_conv1d.weight", "self_attn.k_conv1d.weight"},
    {"attention.v_conv1d.weight", "self_attn.v_conv1d.weight"},
    {"attention.A_log", "self_attn.A_log"},
    {"attention.dt_bias", "self_attn.dt_bias"},
    {"attention.f_proj.weight", "self_attn.f_proj.weight"},
    {"attention.b_proj.weight", "self_attn.b_proj.weight"},
    {"attention.o_norm.weight", "self_attn.o_norm.weight"},
    {"attention.o_proj.weight", "self_attn.o_proj.weight", GgufForm::same, "kda"},
    // both, of different shapes
    {"attention.g_proj.weight", "self_attn.g_proj.weight"},
    // MLA
    {"attention.q_a_proj.weight", "self_attn.q_a_proj.weight"},
    {"attention.q_a_layernorm.weight", "self_attn.q_a_layernorm.weight"},
    {"attention.q_b_proj.weight", "self_attn.q_b_proj.weight"},
    {"attention.kv_a_proj_with_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight"},
    {"attention.kv_a_layernorm.weight", "self_attn.kv_a_layernorm.weight"},
    {"attention.kv_b_proj.weight", "self_attn.kv_b_proj.weight"},
    {"attention.dense.weight", "self_attn.o_proj.weight", GgufForm::same, "mla"},
    // experts
    {"mlp.gate.weight", "block_sparse_moe.gate.weight"},
    {"mlp.gate.expert_bias", "block_sparse_moe.gate.e_score_correction_bias"},
    {"mlp.experts.gate_proj.weight", "block_sparse_moe.experts.w1.weight", GgufForm::experts},
    {"mlp.experts.up_proj.weight", "block_sparse_moe.experts.w3.weight", GgufForm::experts},
    {"mlp.experts.down_proj.weight", "block_sparse_moe.experts.w2.weight", GgufForm::experts},
    {"mlp.shared_experts.gate_proj.weight", "block_sparse_moe.shared_experts.gate_proj.weight"},
    {"mlp.shared_experts.up_proj.weight", "block_sparse_moe.shared_experts.up_proj.weight"},
    {"mlp.shared_experts.down_proj.weight", "block_sparse_moe.shared_experts.down_proj.weight"},
};
constexpr NameRow kLingGgufNames[] = {
    {"ssm_f_a.weight", "self_attn.f_proj.weight"},  // whole, for all its name
    {"ssm_f.weight", "self_attn.f_proj.weight"},
    {"ssm_g_a.weight", "self_attn.g_proj.weight", GgufForm::same, "kda"},
    {"ssm_g.weight", "self_attn.g_proj.weight", GgufForm::same, "kda"},
    {"attn_gate.weight", "self_attn.g_proj.weight", GgufForm::same, "mla"},
    {"ssm_a", "self_attn.A_log", GgufForm::rate},
    {"attn_q_a.weight", "self_attn.q_a_proj.weight"},
    {"attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight"},
    {"attn_q_b.weight", "self_attn.q_b_proj.weight"},
};
constexpr GgufField kLingFields[] = {
    {"kda.head_dim", "head_dim"},
    {"kda.gate_lower_bound", "kda_lower_bound", {}, GgufField::real},
    {"kda.safe_gate", "kda_safe_gate", {}, GgufField::flag},
    {"ssm.conv_kernel", "short_conv_kernel_size"},
    {"rope.freq_base", "rope_theta", {}, GgufField::real},
    {"expert_shared_feed_forward_length", "moe_shared_expert_intermediate_size"},
    {"swiglu_clamp_exp", "expert_swiglu_limit_list", {}, GgufField::reals},
    {"swiglu_clamp_shexp", "share_expert_swiglu_limit_list", {}, GgufField::reals},
};

void complete_ling(const GgufModel& model, nlohmann::json& config) {
    if (!config.contains("kda_safe_gate")) config["kda_safe_gate"] = true;
    if (const GgufValue* bound = model.head().find("bailing_hybrid.kda.lower_bound"); bound && bound->number()) config["kda_lower_bound"] = *bound->number();
    for (const GgufPart& part : model.parts)  // one converter leaves the rank out
        for (const GgufTensor& t : part.gguf.tensors)
            if (!config.contains("q_lora_rank") && t.info.name.ends_with(".attn_q_a_norm.weight") && !t.info.shape.empty())
                config["q_lora_rank"] = t.info.shape[0];
    const bool flash = config["num_hidden_layers"] == 42 && config["hidden_size"] == 2560 && config["num_experts"] == 512;
    if (flash && !config.contains("expert_swiglu_limit_list")) config["expert_swiglu_limit_list"] = limits_of(kFlashExperts, 42);
    if (flash && !config.contains("share_expert_swiglu_limit_list")) config["share_expert_swiglu_limit_list"] = limits_of(kFlashShared, 42);
}

}  // namespace

constinit const Family kLing = {.name = "Ling 3.0",
                                .model_type = "bailing_hybrid",
                                .architectures = kLingArchitectures,
                                .gguf = kLingGguf,
                                .read = read_ling,
                                .write = write_ling,
                                .gate_fields = {"kda_safe_gate", "kda_lower_bound"},
                                .folder_names = kLingNames,
                                .gguf_names = kLingGgufNames,
                                .gguf_fields = kLingFields,
                                .complete = complete_ling};

namespace {

ModelConfig ling_config(int layers, int group) {
    ModelConfig c{.model_type = "bailing_hybrid", .vocab_size = 157184, .num_hidden_layers = layers};
    for (int i = 0; i < layers; ++i) c.layer_kinds.push_back(kind_in_groups(i, layers, group));
    c.rms_norm_eps = 1e-6f;
    c.kda_key_dim = c.kda_value_dim = 128, c.kda_gate_rank = 0, c.gate_lower_bound = -5;
    c.kv_lora_rank = 512, c.qk_nope_head_dim = 128, c.qk_rope_head_dim = 64, c.v_head_dim = 128;
    c.mla_use_nope = false, c.rope_theta = kTheta, c.rope_adjacent = true, c.mla_head_gate = true;
    c.num_experts_per_token = 8, c.num_shared_experts = 1, c.num_expert_group = 8, c.topk_group = 4;
    c.routed_scaling_factor = 2.5f;
    c.pad_token_id = 156892, c.eos_token_ids = {156895};
    return c;
}

}  // namespace

ModelConfig ling_3_tiny() {
    ModelConfig c = ling_config(24, 4);
    c.hidden_size = 1536, c.model_max_length = 131072;
    c.kda_heads = c.num_attention_heads = 16, c.q_lora_rank = 256;
    c.intermediate_size = 4608, c.first_k_dense_replace = 1;
    c.num_experts = 128, c.moe_intermediate_size = 512;
    return c;
}

ModelConfig ling_3_flash() {
    ModelConfig c = ling_config(42, 6);
    c.hidden_size = 2560, c.model_max_length = 131072;
    c.kda_heads = c.num_attention_heads = 32;
    c.intermediate_size = 6144, c.first_k_dense_replace = 2;
    c.num_experts = 512, c.moe_intermediate_size = 768;
    c.expert_limits = limits_of(kFlashExperts, 42), c.shared_limits = limits_of(kFlashShared, 42);
    return c;
}

}  // namespace klp
