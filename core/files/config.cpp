// config.json to ModelConfig and back. What it names as the vendor does, and where the transformers library's own class says something else, that too.
#include "core/files/config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "core/files/json.h"

namespace klp {

namespace {

using nlohmann::json;
using Names = std::initializer_list<const char*>;  // spellings of one field, the vendor's first

// Fields of one JSON object. The first thing that is wrong is kept in `error` as a sentence; after it every answer is a default.
class Fields {
public:
    Fields(const json& object, std::string file, std::string prefix, std::string& error)
        : object_(object), file_(std::move(file)), prefix_(std::move(prefix)), error_(error) {}

    // The value under the first spelling that is there and not null.
    const json* find(Names names) const {
        for (const char* name : names)
            if (auto it = object_.find(name); it != object_.end() && !it->is_null()) return &*it;
        return nullptr;
    }
    bool has(const char* name) const { return find({name}) != nullptr; }

    int64_t integer(Names names, int64_t low, int64_t high, std::optional<int64_t> otherwise = {}) {
        const json* v = find(names);
        if (!v && !otherwise) wrong(names, "is missing");
        return v ? whole(*v, names, low, high) : otherwise.value_or(low);
    }
    int64_t whole(const json& v, Names names, int64_t low, int64_t high) {
        if (!v.is_number_integer()) return wrong(names, "is " + said(v) + " where a whole number belongs"), low;
        const bool fits = v.is_number_unsigned() ? v.get<uint64_t>() <= static_cast<uint64_t>(high) && static_cast<int64_t>(v.get<uint64_t>()) >= low
                                                 : v.get<int64_t>() >= low && v.get<int64_t>() <= high;
        if (!fits) return wrong(names, "is " + v.dump() + ", which is not in " + std::to_string(low) + ".." + std::to_string(high)), low;
        return v.get<int64_t>();
    }
    float number(Names names, double low, double high, float otherwise) {
        const json* v = find(names);
        if (!v) return otherwise;
        if (!v->is_number()) return wrong(names, "is " + said(*v) + " where a number belongs"), otherwise;
        const double d = v->get<double>();
        if (!(d >= low && d <= high)) return wrong(names, "is " + v->dump() + ", which is not in " + json(low).dump() + ".." + json(high).dump()), otherwise;
        return static_cast<float>(d);
    }
    bool flag(Names names, bool otherwise) {
        const json* v = find(names);
        if (v && !v->is_boolean()) return wrong(names, "is " + said(*v) + " where true or false belongs"), otherwise;
        return v ? v->get<bool>() : otherwise;
    }
    std::string text(Names names, const std::string& otherwise) {
        const json* v = find(names);
        if (v && !v->is_string()) return wrong(names, "is " + said(*v) + " where a text belongs"), otherwise;
        return v ? v->get<std::string>() : otherwise;
    }
    const json::array_t* list(Names names) {
        const json* v = find(names);
        if (v && !v->is_array()) wrong(names, "is " + said(*v) + " where a list belongs");
        return v && v->is_array() ? v->get_ptr<const json::array_t*>() : nullptr;
    }
    // What this program does not build: any value but null, false, 0 and `off` is refused.
    void refuse(Names names, const json& off = nullptr) {
        const json* v = find(names);
        if (v && *v != off && *v != json(false) && *v != json(0)) wrong(names, "is " + said(*v) + ", which this program does not have");
    }

    void wrong(Names names, const std::string& what) {
        const char* name = *names.begin();
        for (const char* n : names)
            if (object_.contains(n)) {
                name = n;
                break;
            }
        if (error_.empty()) error_ = file_ + ": " + prefix_ + name + " " + what;
    }

    static std::string said(const json& v) {
        if (v.is_object()) return "an object";
        if (v.is_array()) return "a list";
        if (v.is_string()) return in_quotes(v.get_ref<const std::string&>());
        return v.dump();
    }

private:
    const json& object_;
    std::string file_, prefix_;
    std::string& error_;
};

// Far beyond any model, and so small that every count of parameters and bytes below fits into 64 bits.
constexpr int kWidth = 1 << 17;  // of a vector
constexpr int kHeads = 1 << 20;  // of all heads together
constexpr int kLayers = 1024;
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

void read_architecture(Fields& top, ModelConfig& c) {
    constexpr const char* kKnown = " is not one this program knows (kimi_linear)";
    if (const json::array_t* names = top.list({"architectures"}))
        for (const json& name : *names)
            if (name != "KimiLinearForCausalLM") return top.wrong({"architectures"}, "names " + Fields::said(name) + ", which" + kKnown);
    c.model_type = top.text({"model_type"}, top.has("architectures") ? "kimi_linear" : "");
    if (c.model_type.empty()) return top.wrong({"model_type"}, "is missing");
    if (c.model_type != "kimi_linear") top.wrong({"model_type"}, in_quotes(c.model_type) + kKnown);
}

// One name a layer, "" where nothing was said: 1-based numbers in the vendor's lists, or transformers' list of names.
void read_layer_kinds(Fields& top, Fields* linear, ModelConfig& c) {
    const auto layers = static_cast<size_t>(c.num_hidden_layers);
    std::vector<std::string> kinds(layers);
    if (linear) {
        for (auto [field, kind] : {std::pair("kda_layers", "kda"), std::pair("full_attn_layers", "mla")}) {
            const json::array_t* numbers = linear->list({field});
            if (!numbers) continue;
            for (const json& number : *numbers) {
                const auto layer = static_cast<size_t>(linear->whole(number, {field}, 1, c.num_hidden_layers)) - 1;
                if (!kinds[layer].empty()) linear->wrong({field}, "names layer " + std::to_string(layer + 1) + ", which already is " + kinds[layer]);
                kinds[layer] = kind;
            }
        }
        const bool spoken = linear->has("kda_layers") || linear->has("full_attn_layers");
        for (size_t i = 0; i < layers && spoken; ++i)
            if (kinds[i].empty()) return linear->wrong({"kda_layers"}, "leaves out layer " + std::to_string(i + 1) + ", and so does full_attn_layers");
        if (!spoken && !top.has("layer_types")) return linear->wrong({"kda_layers"}, "is missing");
    }
    if (const json::array_t* types = top.list({"layer_types"})) {
        if (types->size() != layers) return top.wrong({"layer_types"}, "names " + std::to_string(types->size()) + " layers of " + std::to_string(layers));
        for (size_t i = 0; i < layers; ++i) {
            const json& type = (*types)[i];
            const std::string kind = type == "linear_attention" ? "kda" : type == "full_attention" ? "mla" : "";
            if (kind.empty()) return top.wrong({"layer_types"}, "names " + Fields::said(type) + ", which is neither linear_attention nor full_attention");
            if (!kinds[i].empty() && kinds[i] != kind)
                return top.wrong({"layer_types"}, "and linear_attn_config disagree about layer " + std::to_string(i + 1));
            kinds[i] = kind;
        }
    } else if (!linear) {
        if (top.has("linear_num_heads")) return top.wrong({"layer_types"}, "is missing");
        std::fill(kinds.begin(), kinds.end(), "mla");  // no word of linear attention at all: the all-MLA model
    }
    c.layer_kinds = std::move(kinds);
}

void read_kda(Fields& top, Fields* linear, ModelConfig& c) {
    if (linear) {
        c.kda_heads = linear->integer({"num_heads"}, 1, kWidth);
        c.kda_key_dim = linear->integer({"head_dim"}, 1, kWidth);
        c.kda_value_dim = linear->integer({"v_head_dim"}, 1, kWidth, c.kda_key_dim);
        c.short_conv_kernel_size = linear->integer({"short_conv_kernel_size"}, 2, 16, 4);
        c.gate_lower_bound = linear->number({"gate_lower_bound"}, -1e4, 0, 0);
        linear->refuse({"use_full_rank_gate"});
    } else {
        c.kda_heads = top.integer({"linear_num_heads"}, 1, kWidth);
        c.kda_key_dim = c.kda_value_dim = top.integer({"linear_head_dim"}, 1, kWidth);
        c.short_conv_kernel_size = top.integer({"linear_conv_kernel_dim"}, 2, 16, 4);
    }
    c.kda_gate_rank = c.kda_key_dim;
    if (top.has("gate_lower_bound")) c.gate_lower_bound = top.number({"gate_lower_bound"}, -1e4, 0, 0);
    top.refuse({"use_full_rank_gate"});
}

void read_mla(Fields& top, ModelConfig& c) {
    c.num_attention_heads = top.integer({"num_attention_heads"}, 1, kWidth);
    c.kv_lora_rank = top.integer({"kv_lora_rank"}, 1, kWidth);
    c.qk_nope_head_dim = top.integer({"qk_nope_head_dim"}, 1, kWidth);
    c.qk_rope_head_dim = top.integer({"qk_rope_head_dim"}, 0, kWidth);
    c.v_head_dim = top.integer({"v_head_dim"}, 1, kWidth);
    c.mla_use_nope = top.flag({"mla_use_nope"}, true);
    c.rope_theta = top.number({"rope_theta"}, 1, 1e12, 10000.f);
    c.kv_a_layernorm_eps = top.number({"kv_a_layernorm_eps"}, 1e-12, 0.1, 1e-6f);
    if (!c.mla_use_nope) {
        top.refuse({"rope_scaling"});
        if (c.qk_rope_head_dim % 2) top.wrong({"qk_rope_head_dim"}, "is odd, but rotated columns come in pairs");
    }
    if (const int kv = top.integer({"num_key_value_heads"}, 1, kWidth, c.num_attention_heads); kv != c.num_attention_heads)
        top.wrong({"num_key_value_heads"},
                  "is " + std::to_string(kv) + ", but latent attention has one for each of the " + std::to_string(c.num_attention_heads) + " heads");
    top.refuse({"q_lora_rank"});
    top.refuse({"mla_use_output_gate"});
    top.refuse({"attention_bias"});
}

void read_moe_layers(Fields& top, ModelConfig& c) {
    c.num_experts = top.integer({"num_experts", "num_local_experts"}, 0, kExperts, 0);
    c.first_k_dense_replace = top.integer({"first_k_dense_replace"}, 0, kLayers, 1);
    c.moe_layer_freq = top.integer({"moe_layer_freq"}, 1, kLayers, 1);
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
    c.moe_intermediate_size = top.integer({"moe_intermediate_size"}, 1, kWidth);
    c.num_experts_per_token = top.integer({"num_experts_per_token", "num_experts_per_tok"}, 1, c.num_experts);
    c.num_shared_experts = top.integer({"num_shared_experts", "n_shared_experts"}, 0, kExperts, 1);
    if (top.flag({"use_grouped_topk"}, true)) {
        c.num_expert_group = top.integer({"num_expert_group", "n_group"}, 1, std::min(c.num_experts, 64), 1);
        c.topk_group = top.integer({"topk_group"}, 1, c.num_expert_group, 1);
    }
    const std::string activation = top.text({"moe_router_activation_func"}, "sigmoid");
    if (activation != "sigmoid" && activation != "softmax")
        top.wrong({"moe_router_activation_func"}, in_quotes(activation) + " is neither sigmoid nor softmax");
    c.router_softmax = activation == "softmax";
    c.moe_renormalize = top.flag({"moe_renormalize", "norm_topk_prob"}, true);
    c.routed_scaling_factor = top.number({"routed_scaling_factor"}, 1e-6, 1e6, 2.446f);
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
    top.refuse({"routed_expert_hidden_size"});
    top.refuse({"latent_moe_use_norm"});
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
    at_most(int64_t{c.num_shared_experts} * c.moe_intermediate_size, kWidth, {"num_shared_experts", "n_shared_experts"},
            "makes the width of the shared expert");
    at_most(int64_t{c.num_experts} * c.num_hidden_layers, 1 << 22, {"num_experts", "num_local_experts"}, "makes the number of all layers' experts");
}

}  // namespace

Result<ModelConfig> parse_config(const std::string& text, const std::string& file) {
    auto parsed = parse_json(text, file);
    if (!parsed) return tl::unexpected(parsed.error());
    if (!parsed->is_object()) return fail(Error::model, file + " is not a JSON object");
    std::string error;
    Fields top(*parsed, file, "", error);
    const json* sub = top.find({"linear_attn_config"});
    if (sub && !sub->is_object()) top.wrong({"linear_attn_config"}, "is " + Fields::said(*sub) + " where an object belongs");
    std::optional<Fields> inner;
    if (sub && sub->is_object()) inner.emplace(*sub, file, "linear_attn_config.", error);
    Fields* linear = inner ? &*inner : nullptr;

    // The first error is the one that is told, and after it every field reads as a harmless number: so the checks need no ways out.
    ModelConfig c;
    read_architecture(top, c);
    if (const std::string format = quantised_as(top); !format.empty())
        top.wrong({"quantization_config", "quantization"}, "says that the weights are stored as " + format +
                                                               ", which this program does not read: take the model's bf16 weights, and klp quantize makes them "
                                                               "q8_0 or q4_0");
    top.refuse({"attn_res_block_size"});
    if (const std::string act = top.text({"hidden_act"}, "silu"); act != "silu")
        top.wrong({"hidden_act"}, "is " + in_quotes(act) + ", which this program does not have");
    c.vocab_size = top.integer({"vocab_size"}, 1, 1 << 24);
    c.hidden_size = top.integer({"hidden_size"}, 1, kWidth);
    c.num_hidden_layers = top.integer({"num_hidden_layers"}, 1, kLayers);
    c.rms_norm_eps = top.number({"rms_norm_eps"}, 1e-12, 0.1, 1e-5f);
    c.tie_word_embeddings = top.flag({"tie_word_embeddings"}, false);
    c.model_max_length = top.integer({"model_max_length", "max_position_embeddings"}, 1, kContext, 1048576);
    read_layer_kinds(top, linear, c);
    const auto has = [&](const char* kind) { return std::find(c.layer_kinds.begin(), c.layer_kinds.end(), kind) != c.layer_kinds.end(); };
    if (has("kda")) read_kda(top, linear, c);
    if (has("mla") || top.has("kv_lora_rank")) read_mla(top, c);  // a model of KDA only may leave them out
    read_moe_layers(top, c);
    bool moe = false, dense = false;
    for (int i = 0; i < c.num_hidden_layers; ++i) (c.is_moe(i) ? moe : dense) = true;
    if (moe) read_moe(top, c);
    if (dense || top.has("intermediate_size")) c.intermediate_size = static_cast<int>(top.integer({"intermediate_size"}, 1, kWidth));
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
    const auto number = [](float f) {  // the shortest text that reads back as this float
        char text[32];
        return json::parse(text, std::to_chars(text, text + sizeof text, f).ptr);
    };
    nlohmann::ordered_json j;
    j["architectures"] = {"KimiLinearForCausalLM"};
    j["model_type"] = "kimi_linear";
    j["vocab_size"] = c.vocab_size;
    j["hidden_size"] = c.hidden_size;
    j["num_hidden_layers"] = c.num_hidden_layers;
    j["num_attention_heads"] = c.num_attention_heads;
    j["num_key_value_heads"] = c.num_attention_heads;
    j["hidden_act"] = "silu";
    j["rms_norm_eps"] = number(c.rms_norm_eps);
    j["tie_word_embeddings"] = c.tie_word_embeddings;
    j["model_max_length"] = c.model_max_length;

    if (c.kda_heads) {
        auto& linear = j["linear_attn_config"];
        linear["num_heads"] = c.kda_heads;
        linear["head_dim"] = c.kda_key_dim;
        if (c.kda_value_dim != c.kda_key_dim) linear["v_head_dim"] = c.kda_value_dim;
        linear["short_conv_kernel_size"] = c.short_conv_kernel_size;
        if (c.gate_lower_bound != 0) linear["gate_lower_bound"] = number(c.gate_lower_bound);
        linear["kda_layers"] = linear["full_attn_layers"] = json::array();
        for (int i = 0; i < c.num_hidden_layers; ++i)
            linear[c.layer_kinds[static_cast<size_t>(i)] == "kda" ? "kda_layers" : "full_attn_layers"].push_back(i + 1);
    }
    if (c.kv_lora_rank) {
        j["q_lora_rank"] = nullptr;
        j["kv_lora_rank"] = c.kv_lora_rank;
        j["qk_nope_head_dim"] = c.qk_nope_head_dim;
        j["qk_rope_head_dim"] = c.qk_rope_head_dim;
        j["v_head_dim"] = c.v_head_dim;
        j["mla_use_nope"] = c.mla_use_nope;
        j["rope_theta"] = number(c.rope_theta);
        j["rope_scaling"] = nullptr;
        if (c.kv_a_layernorm_eps != ModelConfig{}.kv_a_layernorm_eps) j["kv_a_layernorm_eps"] = number(c.kv_a_layernorm_eps);
    }

    if (c.intermediate_size) j["intermediate_size"] = c.intermediate_size;
    j["num_experts"] = c.num_experts;
    if (c.num_experts) {
        j["num_experts_per_token"] = c.num_experts_per_token;
        j["num_shared_experts"] = c.num_shared_experts;
        j["moe_intermediate_size"] = c.moe_intermediate_size;
        j["moe_router_activation_func"] = c.router_softmax ? "softmax" : "sigmoid";
        j["moe_renormalize"] = c.moe_renormalize;
        j["routed_scaling_factor"] = number(c.routed_scaling_factor);
        j["use_grouped_topk"] = true;
        j["num_expert_group"] = c.num_expert_group;
        j["topk_group"] = c.topk_group;
        if (c.router_weights_from_biased_scores) j["router_weights_from_biased_scores"] = true;
    }
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
