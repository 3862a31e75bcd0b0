// Kimi Linear (Moonshot AI): Kimi Delta Attention with low-rank gates, latent attention without positions. Its names are the engine's.
#include <algorithm>

#include "core/files/families/all.h"

namespace klp {

// One name a layer, "" where nothing was said: 1-based numbers in the vendor's lists, or transformers' list of names.
void read_kimi_layers(Fields& top, Fields* linear, ModelConfig& c) {
    const size_t layers = c.layer_kinds.size();
    if (linear) {
        for (auto [field, kind] : {std::pair("kda_layers", "kda"), std::pair("full_attn_layers", "mla")}) {
            const nlohmann::json::array_t* numbers = linear->list({field});
            if (!numbers) continue;
            for (const nlohmann::json& number : *numbers) {
                const auto layer = static_cast<size_t>(linear->whole(number, {field}, 1, c.num_hidden_layers)) - 1;
                if (!c.layer_kinds[layer].empty())
                    linear->wrong({field}, "names layer " + std::to_string(layer + 1) + ", which already is " + c.layer_kinds[layer]);
                c.layer_kinds[layer] = kind;
            }
        }
        const bool spoken = linear->has("kda_layers") || linear->has("full_attn_layers");
        for (size_t i = 0; i < layers && spoken; ++i)
            if (c.layer_kinds[i].empty()) {
                linear->wrong({"kda_layers"}, "leaves out layer " + std::to_string(i + 1) + ", and so does full_attn_layers");
                return;
            }
        if (!spoken && !top.has("layer_types")) return linear->wrong({"kda_layers"}, "is missing");
    }
    if (read_layer_types(top, c) || linear) return;
    if (top.has("linear_num_heads")) return top.wrong({"layer_types"}, "is missing");
    std::fill(c.layer_kinds.begin(), c.layer_kinds.end(), "mla");  // no word of linear attention at all: the all-MLA model
}

void read_kimi_kda(Fields& top, Fields* linear, ModelConfig& c) {
    if (linear) {
        c.kda_heads = linear->integer({"num_heads"}, 1, kMostWidth);
        c.kda_key_dim = linear->integer({"head_dim"}, 1, kMostWidth);
        c.kda_value_dim = linear->integer({"v_head_dim"}, 1, kMostWidth, c.kda_key_dim);
        c.short_conv_kernel_size = linear->integer({"short_conv_kernel_size"}, 1, 16, 4);
        c.gate_lower_bound = linear->number({"gate_lower_bound"}, -1e4, 0, 0);
        c.update_rule = linear->text({"update_rule"}, c.update_rule);
        if (!rule_named(c.update_rule)) {
            std::string known;
            for (const UpdateRule& rule : update_rules()) known += (known.empty() ? "" : ", ") + std::string(rule.id);
            linear->wrong({"update_rule"}, "is " + in_quotes(c.update_rule) + ", which is none of " + known);
            c.update_rule = "kda";
        }
        c.output_gate = linear->text({"output_gate"}, c.output_gate);
        if (c.output_gate != "sigmoid" && c.output_gate != "swish" && c.output_gate != "none") {
            linear->wrong({"output_gate"}, "is " + in_quotes(c.output_gate) + ", which is none of sigmoid, swish, none");
            c.output_gate = "sigmoid";
        }
    } else {
        c.kda_heads = top.integer({"linear_num_heads"}, 1, kMostWidth);
        c.kda_key_dim = c.kda_value_dim = top.integer({"linear_head_dim"}, 1, kMostWidth);
        c.short_conv_kernel_size = top.integer({"linear_conv_kernel_dim"}, 1, 16, 4);
    }
    c.kda_gate_rank = c.kda_key_dim;
    if (top.has("gate_lower_bound")) c.gate_lower_bound = top.number({"gate_lower_bound"}, -1e4, 0, 0);
}

namespace {

void read_kimi_linear(Fields& top, ModelConfig& c) {
    std::optional<Fields> inner = top.object("linear_attn_config");
    Fields* const linear = inner ? &*inner : nullptr;
    read_kimi_layers(top, linear, c);
    if (has_layer(c, "kda")) read_kimi_kda(top, linear, c);
    if (linear) linear->refuse({"use_full_rank_gate"});
    for (const char* field : {"use_full_rank_gate", "attn_res_block_size", "routed_expert_hidden_size", "latent_moe_use_norm"}) top.refuse({field});
    if (has_layer(c, "mla") || top.has("kv_lora_rank")) {  // a model of KDA only may leave them out
        c.mla_use_nope = top.flag({"mla_use_nope"}, true);
        read_latent_attention(top, c);
        top.refuse({"q_lora_rank"});
        top.refuse({"mla_use_output_gate"});
    }
    read_feed_forward(top, c, 2.446f);
}

}  // namespace

void write_kimi_linear(const ModelConfig& c, nlohmann::ordered_json& j) {
    j["model_max_length"] = c.model_max_length;
    if (c.kda_heads) {
        auto& linear = j["linear_attn_config"];
        linear["num_heads"] = c.kda_heads;
        linear["head_dim"] = c.kda_key_dim;
        if (c.kda_value_dim != c.kda_key_dim) linear["v_head_dim"] = c.kda_value_dim;
        linear["short_conv_kernel_size"] = c.short_conv_kernel_size;
        if (c.update_rule != "kda") linear["update_rule"] = c.update_rule;
        if (c.output_gate != "sigmoid") linear["output_gate"] = c.output_gate;
        if (c.gate_lower_bound != 0) linear["gate_lower_bound"] = json_number(c.gate_lower_bound);
        linear["kda_layers"] = linear["full_attn_layers"] = nlohmann::json::array();
        for (int i = 0; i < c.num_hidden_layers; ++i)
            linear[c.layer_kinds[static_cast<size_t>(i)] == "kda" ? "kda_layers" : "full_attn_layers"].push_back(i + 1);
    }
    if (c.kv_lora_rank) {
        write_latent_attention(c, j);
        j["mla_use_nope"] = c.mla_use_nope;
        j["rope_theta"] = json_number(c.rope_theta);
        j["rope_scaling"] = nullptr;
        if (c.kv_a_layernorm_eps != ModelConfig{}.kv_a_layernorm_eps) j["kv_a_layernorm_eps"] = json_number(c.kv_a_layernorm_eps);
    }
    if (c.intermediate_size) j["intermediate_size"] = c.intermediate_size;
    j["num_experts"] = c.num_experts;
    if (c.num_experts) {
        j["num_experts_per_token"] = c.num_experts_per_token;
        j["num_shared_experts"] = c.num_shared_experts;
        j["moe_intermediate_size"] = c.moe_intermediate_size;
        j["moe_router_activation_func"] = c.router_softmax ? "softmax" : "sigmoid";
        j["moe_renormalize"] = c.moe_renormalize;
        j["routed_scaling_factor"] = json_number(c.routed_scaling_factor);
        j["use_grouped_topk"] = true;
        j["num_expert_group"] = c.num_expert_group;
        j["topk_group"] = c.topk_group;
        if (c.router_weights_from_biased_scores) j["router_weights_from_biased_scores"] = true;
    }
}

namespace {
constexpr std::string_view kKimiArchitectures[] = {"KimiLinearForCausalLM"}, kKimiGguf[] = {"kimi-linear"};
constexpr GgufField kKimiFields[] = {
    {"kda.head_dim", "linear_attn_config.head_dim"},
    {"kda.gate_lower_bound", "linear_attn_config.gate_lower_bound", {}, GgufField::real},
    {"ssm.conv_kernel", "linear_attn_config.short_conv_kernel_size"},
};

}  // namespace

// One number of heads for both kinds of layers, and no positions.
void complete_kimi_linear(const GgufModel&, nlohmann::json& config) {
    config["mla_use_nope"] = true;
    const nlohmann::json& kinds = config["layer_types"];
    if (std::find(kinds.begin(), kinds.end(), "linear_attention") == kinds.end()) {
        config.erase("linear_attn_config");
    } else if (config.contains("num_attention_heads")) {
        config["linear_attn_config"]["num_heads"] = config["num_attention_heads"];
    } else {
        config["linear_attn_config"];
    }
}

constinit const Family kKimiLinear = {.name = "Kimi Linear",
                                      .model_type = "kimi_linear",
                                      .architectures = kKimiArchitectures,
                                      .gguf = kKimiGguf,
                                      .read = read_kimi_linear,
                                      .write = write_kimi_linear,
                                      .gate_fields = {"linear_attn_config", "linear_attn_config, gate_lower_bound"},
                                      .folder_names = {},
                                      .gguf_names = {},
                                      .gguf_fields = kKimiFields,
                                      .complete = complete_kimi_linear};

}  // namespace klp
