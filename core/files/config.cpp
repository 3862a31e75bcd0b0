// config.json to ModelConfig and back. What it names as the vendor does, and where the transformers library's own class says something else, that too.
#include "core/files/config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "core/files/family.h"
#include "core/files/json.h"

namespace klp {

namespace {

using nlohmann::json;

constexpr int kHeads = 1 << 20;  // of all heads together
constexpr int kExperts = 1 << 16;
constexpr int64_t kContext = int64_t{1} << 31;

// Whether compressed-tensors' packed weights are those of packed.h: 4 bits, around zero.
bool packs_nibbles(const json& said) {
    const json groups = said.value("config_groups", json::object());
    return groups.is_object() && !groups.empty() && std::all_of(groups.begin(), groups.end(), [](const json& group) {
               const json weights = group.is_object() ? group.value("weights", json()) : json();
               return weights.is_object() && weights.value("num_bits", json()) == 4 && weights.value("symmetric", json(true)) == true &&
                      weights.value("type", json("int")) == "int";
           });
}

// How somebody's tool has quantised the weights, by the name that people know it by: NVFP4, AWQ, GPTQ, MLX, ...; "" where nobody did, or in a way that
// packed.h reads.
std::string quantised_as(const Fields& top) {
    const json* said = top.find({"quantization_config"});
    const json* mlx = top.find({"quantization"});
    if (!said) said = mlx;
    if (!said || *said == json(false) || *said == json(0)) return "";
    if (!said->is_object()) return Fields::said(*said);
    const auto text = [&](const char* key) {
        const auto it = said->find(key);
        std::string s = it != said->end() && it->is_string() ? it->get<std::string>() : "";
        std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return std::toupper(c); });
        return s;
    };
    const auto bits = said->find("bits");
    const std::string count = bits != said->end() && bits->is_number_integer() ? bits->dump() + " bits" : "";
    const std::string method = text("quant_method");
    if (method.empty() && mlx) return "MLX" + (count.empty() ? "" : " of " + count);
    // Two tools have one method for many formats, and name the format beside it: modelopt, compressed-tensors.
    std::string format = text("quant_algo").empty() ? text("format") : text("quant_algo");
    if (method == "COMPRESSED-TENSORS" && format == "MXFP4-PACK-QUANTIZED") return "";
    const auto named = [&](const char* known) { return format.find(known) != format.npos || method.find(known) != method.npos; };
    for (const char* known : {"NVFP4", "MXFP4"})
        if (named(known)) return known;
    if (named("FP8") || format == "FLOAT-QUANTIZED") return "";
    if (method == "COMPRESSED-TENSORS" && format == "PACK-QUANTIZED" && packs_nibbles(*said)) return "";
    if (method == "COMPRESSED-TENSORS" && !format.empty()) return in_quotes(format) + " of compressed-tensors";
    if (method.empty()) return "an unknown quantisation";
    return (method == "BITSANDBYTES"                                                          ? "bitsandbytes"
            : method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == method.npos ? method
                                                                                              : in_quotes(method)) +
           (count.empty() ? "" : " of " + count);
}

// The family that the architectures name, or where there are none the model_type; nullptr: an error was said.
const Family* read_architecture(Fields& top, const json& root) {
    const auto known = [] {
        std::string types;
        for (const Family& family : families()) types += (types.empty() ? "" : ", ") + std::string(family.model_type);
        return ", which is not one this program knows (" + types + ")";
    };
    // One type for two architectures: the newer has Kimi Delta Attention, and says so.
    if (const json* type = top.find({"model_type"}); type && *type == "bailing_hybrid" && !top.has("kda_lower_bound") && !top.has("kda_safe_gate"))
        return top.wrong({"model_type"},
                         "is 'bailing_hybrid' without kda_safe_gate: that is Ling 2.6 or Ring 2.6, whose lightning attention this program does "
                         "not have; it knows Ling 3.0"),
               nullptr;
    const Family* family = nullptr;
    if (const json::array_t* names = top.list({"architectures"}))
        for (const json& name : *names) {
            const Family* one = name.is_string() ? family_of_architecture(name.get_ref<const std::string&>()) : nullptr;
            if (!one) return top.wrong({"architectures"}, "names " + Fields::said(name) + known()), nullptr;
            family = one;
        }
    std::string type = top.text({"model_type"}, family ? std::string(family->model_type) : top.has("architectures") ? "kimi_linear" : "");
    if (!top.good()) return nullptr;
    if (type.empty()) return top.wrong({"model_type"}, "is missing"), nullptr;
    if (const std::string_view text = "_text"; type.ends_with(text)) type.resize(type.size() - text.size());  // of a model that also sees, its text part
    // Kimi K3 calls its text part what its predecessor is called.
    if (!family && type == "kimi_linear" && (top.has("attn_res_block_size") || top.has("activation_situ_beta"))) type = "kimi_k3";
    if (family && root.contains("text_config")) return family;  // the type may be that of the whole, which also sees
    for (const Family& one : families())
        if (one.model_type == type && (!family || family == &one)) return &one;
    return top.wrong({"model_type"}, in_quotes(type) + known().replace(0, 7, "")), nullptr;
}

// A model that also sees says what concerns its text in an object of its own; what that leaves out stands around it.
json text_part(json root) {
    const auto text = root.find("text_config");
    if (text == root.end() || !text->is_object()) return root;
    const json inner = *text, architectures = root.value("architectures", json());
    root.update(inner);
    root.erase("text_config");
    if (!architectures.is_null()) root["architectures"] = architectures;
    return root;
}

void read_moe_layers(Fields& top, ModelConfig& c) {
    c.num_experts = top.integer({"num_experts", "num_local_experts"}, 0, kExperts, 0);
    c.first_k_dense_replace = top.integer({"first_k_dense_replace"}, 0, kMostLayers, 1);
    c.moe_layer_freq = top.integer({"moe_layer_freq"}, 1, kMostLayers, 1);
    const json::array_t* types = top.list({"mlp_layer_types"});
    if (!types) return;
    const auto layers = static_cast<size_t>(c.num_hidden_layers);
    if (types->size() != layers) return top.wrong({"mlp_layer_types"}, "names " + std::to_string(types->size()) + " layers of " + std::to_string(layers));
    std::vector<bool> moe(layers);
    for (size_t i = 0; i < layers; ++i) {
        const json& type = (*types)[i];
        if (type != "dense" && type != "sparse") return top.wrong({"mlp_layer_types"}, "names " + Fields::said(type) + ", which is neither dense nor sparse");
        moe[i] = type == "sparse";
        if (moe[i] && c.num_experts == 0) return top.wrong({"num_experts"}, "is 0, but mlp_layer_types has sparse layers");
        if ((top.has("first_k_dense_replace") || top.has("moe_layer_freq")) && moe[i] != c.is_moe(static_cast<int>(i)))
            return top.wrong({"mlp_layer_types"}, "and first_k_dense_replace with moe_layer_freq disagree about layer " + std::to_string(i + 1));
    }
    if (top.has("first_k_dense_replace") || top.has("moe_layer_freq")) return;
    c.first_k_dense_replace = static_cast<int>(std::find(moe.begin(), moe.end(), true) - moe.begin());
    if (std::find(moe.begin() + c.first_k_dense_replace, moe.end(), false) != moe.end()) c.moe_layers = std::move(moe);
}

void read_moe(Fields& top, ModelConfig& c) {
    c.moe_intermediate_size = top.integer({"moe_intermediate_size"}, 1, kMostWidth);
    c.num_experts_per_token = top.integer({"num_experts_per_token", "num_experts_per_tok"}, 1, c.num_experts);
    c.num_shared_experts = top.integer({"num_shared_experts", "n_shared_experts"}, 0, kExperts, 1);
    if (top.flag({"use_grouped_topk"}, true)) {
        c.num_expert_group = top.integer({"num_expert_group", "n_group"}, 1, std::min(c.num_experts, 64), 1);
        c.topk_group = top.integer({"topk_group"}, 1, c.num_expert_group, 1);
    }
    const std::string activation = top.text({"moe_router_activation_func", "scoring_func", "score_function"}, "sigmoid");
    if (activation != "sigmoid" && activation != "softmax")
        top.wrong({"moe_router_activation_func", "scoring_func", "score_function"}, in_quotes(activation) + " is neither sigmoid nor softmax");
    c.router_softmax = activation == "softmax";
    c.moe_renormalize = top.flag({"moe_renormalize", "norm_topk_prob"}, true);
    c.router_weights_from_biased_scores = top.flag({"router_weights_from_biased_scores"}, false);
    if (c.num_experts % c.num_expert_group)
        return top.wrong({"num_expert_group", "n_group"},
                         "is " + std::to_string(c.num_expert_group) + ", which does not divide the " + std::to_string(c.num_experts) + " experts");
    const int each = c.num_experts / c.num_expert_group;
    if (c.num_expert_group > 1 && each < 2)
        return top.wrong({"num_expert_group", "n_group"}, "leaves one expert a group, but a group is chosen by its two best");
    if (c.topk_group * each < c.num_experts_per_token)
        top.wrong({"topk_group"},
                  "keeps " + std::to_string(c.topk_group * each) + " experts, fewer than the " + std::to_string(c.num_experts_per_token) + " of a token");
}

void read_tokens(Fields& top, ModelConfig& c) {
    c.bos_token_id = top.integer({"bos_token_id"}, 0, c.vocab_size - 1, -1);
    c.pad_token_id = top.integer({"pad_token_id"}, 0, c.vocab_size - 1, -1);
    const json* eos = top.find({"eos_token_id"});
    if (!eos) return;
    for (const json& id : eos->is_array() ? *eos : json::array({*eos}))
        if (const int end = static_cast<int>(top.whole(id, {"eos_token_id"}, 0, c.vocab_size - 1));
            std::find(c.eos_token_ids.begin(), c.eos_token_ids.end(), end) == c.eos_token_ids.end())
            c.eos_token_ids.push_back(end);
}

// Widths that are products of two fields must stay far from an int's end, and the whole must be a model that somebody could have.
void check_sizes(Fields& top, const ModelConfig& c) {
    const auto at_most = [&](int64_t n, int64_t most, Names names, const char* what) {
        if (n > most) top.wrong(names, what + (" " + std::to_string(n)) + ", more than " + std::to_string(most));
    };
    const int64_t kda = int64_t{c.kda_heads} * std::max(c.kda_key_dim, c.kda_value_dim);
    const int64_t mla = int64_t{c.num_attention_heads} * (c.qk_nope_head_dim + std::max(c.qk_rope_head_dim, c.v_head_dim));
    at_most(kda, kHeads, {"linear_attn_config", "linear_num_heads"}, "makes the width of all heads");
    at_most(mla, kHeads, {"num_attention_heads"}, "makes the width of all heads");
    at_most(int64_t{c.num_attention_heads} * c.head_dim, kHeads, {"num_attention_heads"}, "makes the width of all heads");
    at_most(c.shared_intermediate_size ? c.shared_intermediate_size : int64_t{c.num_shared_experts} * c.moe_intermediate_size, kMostWidth,
            {"num_shared_experts", "n_shared_experts"}, "makes the width of the shared expert");
    at_most(int64_t{c.num_experts} * c.num_hidden_layers, 1 << 22, {"num_experts", "num_local_experts"}, "makes the number of all layers' experts");
}

}  // namespace

bool has_layer(const ModelConfig& c, std::string_view kind) { return std::find(c.layer_kinds.begin(), c.layer_kinds.end(), kind) != c.layer_kinds.end(); }

bool read_layer_types(Fields& top, ModelConfig& c, std::string_view linear, std::string_view full) {
    const json::array_t* types = top.list({"layer_types"});
    if (!types) return false;
    const size_t layers = c.layer_kinds.size();
    if (types->size() != layers) return top.wrong({"layer_types"}, "names " + std::to_string(types->size()) + " layers of " + std::to_string(layers)), true;
    for (size_t i = 0; i < layers; ++i) {
        const json& type = (*types)[i];
        const std::string kind(type == "linear_attention" ? linear : type == "full_attention" ? full : "");
        if (kind.empty()) return top.wrong({"layer_types"}, "names " + Fields::said(type) + ", which is neither linear_attention nor full_attention"), true;
        if (!c.layer_kinds[i].empty() && c.layer_kinds[i] != kind)
            return top.wrong({"layer_types"}, "and linear_attn_config disagree about layer " + std::to_string(i + 1)), true;
        c.layer_kinds[i] = kind;
    }
    return true;
}

void read_latent_attention(Fields& top, ModelConfig& c) {
    c.num_attention_heads = top.integer({"num_attention_heads"}, 1, kMostWidth);
    c.kv_lora_rank = top.integer({"kv_lora_rank"}, 1, kMostWidth);
    c.qk_nope_head_dim = top.integer({"qk_nope_head_dim"}, 1, kMostWidth);
    c.qk_rope_head_dim = top.integer({"qk_rope_head_dim"}, 0, kMostWidth);
    c.v_head_dim = top.integer({"v_head_dim"}, 1, kMostWidth);
    c.rope_theta = top.number({"rope_theta"}, 1, 1e12, c.rope_theta);
    c.kv_a_layernorm_eps = top.number({"kv_a_layernorm_eps"}, 1e-12, 0.1, 1e-6f);
    if (!c.mla_use_nope) {
        top.refuse({"rope_scaling"});
        if (c.qk_rope_head_dim % 2) top.wrong({"qk_rope_head_dim"}, "is odd, but rotated columns come in pairs");
    }
    if (const int kv = top.integer({"num_key_value_heads"}, 1, kMostWidth, c.num_attention_heads); kv != c.num_attention_heads)
        top.wrong({"num_key_value_heads"},
                  "is " + std::to_string(kv) + ", but latent attention has one for each of the " + std::to_string(c.num_attention_heads) + " heads");
    top.refuse({"attention_bias"});
}

void read_feed_forward(Fields& top, ModelConfig& c, float routed_scaling_factor) {
    read_moe_layers(top, c);
    bool moe = false, dense = false;
    for (int i = 0; i < c.num_hidden_layers; ++i) (c.is_moe(i) ? moe : dense) = true;
    if (moe) {
        read_moe(top, c);
        c.routed_scaling_factor = top.number({"routed_scaling_factor"}, 1e-6, 1e6, routed_scaling_factor);
    }
    if (dense || top.has("intermediate_size")) c.intermediate_size = static_cast<int>(top.integer({"intermediate_size"}, 1, kMostWidth));
}

json json_number(float f) {
    char text[32];
    return json::parse(text, std::to_chars(text, text + sizeof text, f).ptr);
}

void write_latent_attention(const ModelConfig& c, nlohmann::ordered_json& j) {
    if (c.q_lora_rank)
        j["q_lora_rank"] = c.q_lora_rank;
    else
        j["q_lora_rank"] = nullptr;
    j["kv_lora_rank"] = c.kv_lora_rank;
    j["qk_nope_head_dim"] = c.qk_nope_head_dim;
    j["qk_rope_head_dim"] = c.qk_rope_head_dim;
    j["v_head_dim"] = c.v_head_dim;
}

Result<ModelConfig> parse_config(const std::string& text, const std::string& file) {
    auto parsed = parse_json(text, file);
    if (!parsed) return tl::unexpected(parsed.error());
    if (!parsed->is_object()) return fail(Error::model, file + " is not a JSON object");
    const json flat = text_part(*parsed);
    std::string error;
    Fields top(flat, file, "", error);

    // The first error is the one that is told, and after it every field reads as a harmless number: so the checks need no ways out.
    ModelConfig c;
    const Family* const family = read_architecture(top, *parsed);
    if (!family) return fail(Error::model, error);
    c.model_type = family->model_type;
    if (const std::string format = quantised_as(top); !format.empty())
        top.wrong({"quantization_config", "quantization"}, "says that the weights are stored as " + format +
                                                               ", which this program does not read: take the model's bf16 weights, and klp quantize makes them "
                                                               "q8_0 or q4_0");
    if (const std::string act = top.text({"hidden_act"}, "silu"); act != family->activations[0] && act != family->activations[1])
        top.wrong({"hidden_act"}, "is " + in_quotes(act) + ", which this program does not have");
    c.vocab_size = top.integer({"vocab_size"}, 1, 1 << 24);
    c.hidden_size = top.integer({"hidden_size"}, 1, kMostWidth);
    c.num_hidden_layers = top.integer({"num_hidden_layers"}, 1, kMostLayers);
    c.layer_kinds.resize(static_cast<size_t>(c.num_hidden_layers));
    c.rms_norm_eps = top.number({"rms_norm_eps"}, 1e-12, 0.1, 1e-5f);
    c.tie_word_embeddings = top.flag({"tie_word_embeddings"}, false);
    c.model_max_length = top.integer({"model_max_length", "max_position_embeddings"}, 1, kContext, 1048576);
    family->read(top, c);
    read_tokens(top, c);
    check_sizes(top, c);
    if (!error.empty()) return fail(Error::model, error);
    return c;
}

Result<ModelConfig> read_config(const std::filesystem::path& file) {
    constexpr int64_t kLimit = 16 << 20;
    auto text = read_text(file, kLimit);
    if (!text) return tl::unexpected(text.error());
    auto config = parse_config(*text, file.string());
    const std::filesystem::path generation = file.parent_path() / "generation_config.json";
    std::error_code none;
    if (!config || !std::filesystem::exists(generation, none)) return config;

    text = read_text(generation, kLimit);
    if (!text) return tl::unexpected(text.error());
    auto parsed = parse_json(*text, generation.string());
    if (!parsed) return tl::unexpected(parsed.error());
    if (!parsed->is_object()) return fail(Error::model, generation.string() + " is not a JSON object");
    std::string error;
    Fields fields(*parsed, generation.string(), "", error);
    ModelConfig ends = *config;
    read_tokens(fields, ends);
    if (!error.empty()) return fail(Error::model, error);
    config->eos_token_ids = ends.eos_token_ids;
    return config;
}

std::string to_json(const ModelConfig& c) {
    const Family& family = family_of(c);
    nlohmann::ordered_json j;
    j["architectures"] = {family.architectures[0]};
    j["model_type"] = family.model_type;
    j["vocab_size"] = c.vocab_size;
    j["hidden_size"] = c.hidden_size;
    j["num_hidden_layers"] = c.num_hidden_layers;
    j["num_attention_heads"] = c.num_attention_heads;
    j["num_key_value_heads"] = c.num_key_value_heads ? c.num_key_value_heads : c.num_attention_heads;
    j["hidden_act"] = c.situ > 0 ? "situ" : "silu";
    j["rms_norm_eps"] = json_number(c.rms_norm_eps);
    j["tie_word_embeddings"] = c.tie_word_embeddings;
    family.write(c, j);
    if (c.moe_layers.empty()) {
        j["first_k_dense_replace"] = c.first_k_dense_replace;
        j["moe_layer_freq"] = c.moe_layer_freq;
    } else {
        for (bool moe : c.moe_layers) j["mlp_layer_types"].push_back(moe ? "sparse" : "dense");
    }
    if (c.bos_token_id >= 0) j["bos_token_id"] = c.bos_token_id;
    if (c.pad_token_id >= 0) j["pad_token_id"] = c.pad_token_id;
    if (c.eos_token_ids.size() == 1) j["eos_token_id"] = c.eos_token_ids[0];
    if (c.eos_token_ids.size() > 1) j["eos_token_id"] = c.eos_token_ids;
    return j.dump(2) + "\n";
}

}  // namespace klp
