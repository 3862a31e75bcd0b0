// The metadata of a kimi-linear GGUF, said as a config.json would say it: what that may not say, a GGUF may not say either.
#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files/gguf_model.h"
#include "core/files/json.h"

namespace klp {

namespace {

using nlohmann::json;

constexpr std::string_view kArchitecture = "kimi-linear";

// Keys behind "kimi-linear." and the field of config.json that has the same number.
struct GgufField {
    std::string_view key, field;
    GgufValue::Type type = GgufValue::u32;  // that it is written as
};
constexpr GgufField kFields[] = {
    {"block_count", "num_hidden_layers"},
    {"context_length", "model_max_length"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"vocab_size", "vocab_size"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", GgufValue::f32},
    {"attention.kv_lora_rank", "kv_lora_rank"},
    {"attention.q_lora_rank", "q_lora_rank"},
    {"attention.value_length_mla", "v_head_dim"},
    {"rope.dimension_count", "qk_rope_head_dim"},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_token"},
    {"expert_shared_count", "num_shared_experts"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_weights_scale", "routed_scaling_factor", GgufValue::f32},
    {"expert_weights_norm", "moe_renormalize", GgufValue::boolean},
    {"expert_group_count", "num_expert_group"},
    {"expert_group_used_count", "topk_group"},
    {"leading_dense_block_count", "first_k_dense_replace"},
};
constexpr GgufField kLinearFields[] = {
    // of linear_attn_config
    {"kda.head_dim", "head_dim"},
    {"kda.gate_lower_bound", "gate_lower_bound", GgufValue::f32},
    {"ssm.conv_kernel", "short_conv_kernel_size"},
};

std::string key_of(std::string_view key) { return std::string(kArchitecture) + "." + std::string(key); }

json as_json(const GgufValue& v) {
    if (const auto flag = v.flag()) return *flag;
    if (v.type == GgufValue::f32) {  // the shortest text that reads back as this float
        char text[32];
        const double number = *v.number();
        const std::string_view shortest(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, static_cast<float>(number)).ptr - text));
        return json::accept(shortest) ? json::parse(shortest) : json(shortest);  // "nan" is no number there
    }
    if (const auto whole = v.integer()) return *whole;
    if (const auto number = v.number()) return *number;
    if (const auto each = v.integers()) {  // one number a layer, where those that have it agree
        std::set<int64_t> different(each->begin(), each->end());
        different.erase(0);
        if (different.size() == 1) return *different.begin();
        if (different.empty() && !each->empty()) return 0;
        return json(*each);
    }
    return "a value of another kind";
}

// Layers have KDA where they have no key-value heads; a file whose heads are one number has a tensor of KDA there.
void say_layers(const GgufModel& model, int64_t layers, json& linear) {
    std::vector<int64_t> heads;
    if (const GgufValue* v = model.head().find(key_of("attention.head_count_kv"))) heads = v->integers().value_or(heads);
    std::set<std::string> kda;
    for (const GgufPart& part : model.parts)
        for (const GgufTensor& t : part.gguf.tensors)
            if (t.info.name.ends_with(".ssm_a")) kda.insert(t.info.name);
    linear["kda_layers"] = linear["full_attn_layers"] = json::array();
    for (int64_t i = 0; i < layers; ++i) {
        const bool is_kda =
            static_cast<size_t>(layers) == heads.size() ? heads[static_cast<size_t>(i)] == 0 : kda.contains("blk." + std::to_string(i) + ".ssm_a");
        linear[is_kda ? "kda_layers" : "full_attn_layers"].push_back(i + 1);
    }
}

const GgufTensor* tensor_named(const GgufModel& model, const std::string& name) {
    for (const GgufPart& part : model.parts)
        for (const GgufTensor& t : part.gguf.tensors)
            if (t.info.name == name) return &t;
    return nullptr;
}

// The sentence of parse_config with the key instead of the field that it stands for.
std::string with_key(std::string sentence, const std::string& file) {
    const size_t start = file.size() + 2, end = sentence.find(' ', start);
    if (end == std::string::npos || !sentence.starts_with(file + ": ")) return sentence;
    std::string_view field = std::string_view(sentence).substr(start, end - start);
    const std::string_view linear = "linear_attn_config.";
    const bool inner = field.starts_with(linear);
    if (inner) field.remove_prefix(linear.size());
    for (const GgufField& f : inner ? std::span<const GgufField>(kLinearFields) : std::span<const GgufField>(kFields))
        if (f.field == field) return sentence.replace(start, end - start, key_of(f.key));
    if (inner && field == "num_heads") return sentence.replace(start, end - start, key_of("attention.head_count"));
    if (field == "qk_nope_head_dim") return sentence.replace(start, end - start, key_of("attention.key_length_mla") + " without rope.dimension_count");
    for (const char* id : {"bos", "eos"})
        if (field == std::string(id) + "_token_id") return sentence.replace(start, end - start, "tokenizer.ggml." + std::string(field));
    if (field == "pad_token_id") return sentence.replace(start, end - start, "tokenizer.ggml.padding_token_id");
    return sentence;
}

// The fields of one table that an object has.
void put_fields(std::span<const GgufField> fields, const json& from, std::vector<GgufPair>& pairs) {
    for (const GgufField& f : fields) {
        const auto at = from.find(f.field);
        if (at == from.end() || at->is_null()) continue;
        GgufPair& pair = pairs.emplace_back(GgufPair{key_of(f.key), uint32_t{0}});
        if (f.type == GgufValue::f32) pair.value = at->get<float>();
        if (f.type == GgufValue::boolean) pair.value = at->get<bool>();
        if (f.type == GgufValue::u32) pair.value = at->get<uint32_t>();
    }
}

}  // namespace

std::vector<GgufPair> gguf_metadata(const ModelConfig& c) {
    std::vector<GgufPair> pairs{{"general.architecture", std::string(kArchitecture)}, {"general.type", std::string("model")}};
    const auto put = [&](std::string_view key, auto value) { pairs.push_back({key_of(key), std::move(value)}); };
    const json said = json::parse(to_json(c));
    put_fields(kFields, said, pairs);
    if (c.kda_heads > 0) put_fields(kLinearFields, said.at("linear_attn_config"), pairs);
    std::vector<int32_t> kv_heads;
    for (const std::string& kind : c.layer_kinds) kv_heads.push_back(kind == "kda" ? 0 : 1);
    put("attention.head_count_kv", kv_heads);
    if (c.kv_lora_rank > 0) {  // the first two as of the one head that a cache of latents has
        put("attention.key_length", static_cast<uint32_t>(c.kv_lora_rank + c.qk_rope_head_dim));
        put("attention.value_length", static_cast<uint32_t>(c.kv_lora_rank));
        put("attention.key_length_mla", static_cast<uint32_t>(c.qk_nope_head_dim + c.qk_rope_head_dim));
        put("rope.freq_base", c.rope_theta);
    }
    if (c.num_experts > 0) put("expert_gating_func", uint32_t{c.router_softmax ? 1u : 2u});
    return pairs;
}

Result<ModelConfig> gguf_config(const GgufModel& model) {
    const std::string file = model.name();
    const Gguf& head = model.head();
    const auto said = [&](std::string_view key) -> std::optional<std::string_view> {
        const GgufValue* v = head.find(key);
        return v ? v->text() : std::nullopt;
    };
    const auto architecture = said("general.architecture");
    if (!architecture) return fail(Error::model, file + ": general.architecture is " + (head.find("general.architecture") ? "not a text" : "missing"));
    if (const auto type = said("general.type"); type && *type != "model")
        return fail(Error::model, file + " is a GGUF of type " + in_quotes(*type) + ", which is not a model by itself");
    if (*architecture != kArchitecture)
        return fail(Error::model, file + " is a GGUF of architecture " + in_quotes(*architecture) + ", which this program does not have; it reads " +
                                      std::string(kArchitecture));

    json config{{"model_type", "kimi_linear"}, {"mla_use_nope", true}};
    json linear = json::object();
    for (const GgufField& f : kFields)
        if (const GgufValue* v = head.find(key_of(f.key))) config[std::string(f.field)] = as_json(*v);
    for (const GgufField& f : kLinearFields)
        if (const GgufValue* v = head.find(key_of(f.key))) linear[std::string(f.field)] = as_json(*v);

    const auto number = [&](const char* field) { return config.contains(field) && config[field].is_number_integer() ? config[field].get<int64_t>() : -1; };
    constexpr int64_t kMostLayers = 1024;  // of parse_config, which says so
    say_layers(model, std::clamp<int64_t>(number("num_hidden_layers"), 0, kMostLayers), linear);
    if (config.contains("num_attention_heads")) linear["num_heads"] = config["num_attention_heads"];  // one number for both kinds of layers
    if (!linear["kda_layers"].empty()) config["linear_attn_config"] = linear;

    // Width of a head's key: nope and rope parts together. Files of the first conversions may leave it to the shapes of tensors.
    constexpr int64_t kMostWidth = int64_t{1} << 31;  // so that nothing below overflows; parse_config refuses far less
    const int64_t heads = std::clamp<int64_t>(number("num_attention_heads"), 1, kMostWidth),
                  rope = std::clamp<int64_t>(number("qk_rope_head_dim"), 0, kMostWidth);
    std::optional<int64_t> key;
    if (const GgufValue* v = head.find(key_of("attention.key_length_mla"))) key = std::clamp<int64_t>(v->integer().value_or(0), 0, kMostWidth);
    for (const json& layer : linear["full_attn_layers"]) {
        const std::string at = "blk." + std::to_string(layer.get<int64_t>() - 1) + ".";
        const GgufTensor *q = tensor_named(model, at + "attn_q.weight"), *kv = tensor_named(model, at + "attn_kv_b.weight");
        if (!key && q && q->info.shape.size() == 2) key = q->info.shape[0] / heads;
        if (!config.contains("v_head_dim") && key && kv && kv->info.shape.size() == 2) config["v_head_dim"] = kv->info.shape[0] / heads - (*key - rope);
    }
    if (key) config["qk_nope_head_dim"] = *key - rope;
    if (linear["full_attn_layers"].empty()) config.erase("kv_lora_rank");

    if (number("num_experts") > 0 && !config.contains("first_k_dense_replace")) config["first_k_dense_replace"] = 0;
    if (const GgufValue* v = head.find(key_of("expert_gating_func"))) {
        const int64_t way = v->integer().value_or(0);
        if (way != 1 && way != 2)
            return fail(Error::model,
                        file + ": " + key_of("expert_gating_func") + " is " + std::to_string(way) + ", which is neither 1 (softmax) nor 2 (sigmoid)");
        config["moe_router_activation_func"] = way == 1 ? "softmax" : "sigmoid";
    }
    config["tie_word_embeddings"] = !tensor_named(model, "output.weight");
    if (!config.contains("vocab_size"))
        if (const GgufValue* tokens = head.find("tokenizer.ggml.tokens"); tokens && tokens->type == GgufValue::list_)
            config["vocab_size"] = static_cast<int64_t>(std::min<uint64_t>(tokens->count, INT64_MAX));

    const auto id = [&](std::string_view name) -> std::optional<int64_t> {
        const GgufValue* v = head.find("tokenizer.ggml." + std::string(name) + "_token_id");
        const auto whole = v ? v->integer() : std::nullopt;
        return whole && *whole >= 0 && *whole < std::numeric_limits<int32_t>::max() ? whole : std::nullopt;  // the largest number stands for none
    };
    if (const auto bos = id("bos")) config["bos_token_id"] = *bos;
    if (const auto pad = id("padding")) config["pad_token_id"] = *pad;
    std::set<int64_t> ends;
    for (const char* name : {"eos", "eot", "eom"})
        if (const auto end = id(name)) ends.insert(*end);
    if (!ends.empty()) config["eos_token_id"] = ends;

    auto parsed = parse_config(config.dump(-1, ' ', false, json::error_handler_t::replace), file);
    if (!parsed) return fail(parsed.error().kind, with_key(parsed.error().message, file));
    return parsed;
}

std::string gguf_file_type(const Gguf& head) {
    struct Row {
        int64_t id;
        const char* name;
    };
    constexpr Row kNames[] = {{0, "F32"},      {1, "F16"},     {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},     {8, "Q5_0"},    {9, "Q5_1"},      {10, "Q2_K"},
                              {11, "Q3_K_S"},  {12, "Q3_K_M"}, {13, "Q3_K_L"}, {14, "Q4_K_S"}, {15, "Q4_K_M"},  {16, "Q5_K_S"}, {17, "Q5_K_M"},   {18, "Q6_K"},
                              {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"}, {24, "IQ1_S"},  {25, "IQ4_NL"},   {26, "IQ3_S"},
                              {27, "IQ3_M"},   {28, "IQ2_S"},  {29, "IQ2_M"},  {30, "IQ4_XS"}, {31, "IQ1_M"},   {32, "BF16"},   {38, "MXFP4_MOE"}};
    const GgufValue* v = head.find("general.file_type");
    const auto said = v ? v->integer() : std::nullopt;
    for (const Row& row : kNames)
        if (said == row.id) return row.name;
    return "";
}

std::string gguf_foreign_template(const Gguf& head) {
    const GgufValue* v = head.find("tokenizer.chat_template");
    const auto text = v ? v->text() : std::nullopt;
    if (!text || text->empty()) return "";
    // A template is never run. Kimi's all write these, whatever they say about tools; no other family's does.
    for (const char* part : {"<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>"})
        if (text->find(part) == text->npos) return "its tokenizer.chat_template is not Kimi's: it never writes " + std::string(part);
    return "";
}

}  // namespace klp
