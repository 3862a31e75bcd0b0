// The metadata of a GGUF, said as a config.json of its family would say it: what that may not say, a GGUF may not say either.
#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files/family.h"
#include "core/files/gguf_model.h"
#include "core/files/json.h"

namespace klp {

namespace {

using nlohmann::json;

// Keys that all families share.
constexpr GgufField kFields[] = {
    {"block_count", "num_hidden_layers"},
    {"context_length", "model_max_length", "max_position_embeddings"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"vocab_size", "vocab_size"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", {}, GgufField::real},
    {"attention.kv_lora_rank", "kv_lora_rank"},
    {"attention.q_lora_rank", "q_lora_rank"},
    {"attention.value_length_mla", "v_head_dim"},
    {"rope.dimension_count", "qk_rope_head_dim"},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_token", "num_experts_per_tok"},
    {"expert_shared_count", "num_shared_experts"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_weights_scale", "routed_scaling_factor", {}, GgufField::real},
    {"expert_weights_norm", "moe_renormalize", "norm_topk_prob", GgufField::flag},
    {"expert_group_count", "num_expert_group", "n_group"},
    {"expert_group_used_count", "topk_group"},
    {"leading_dense_block_count", "first_k_dense_replace"},
};

// The value of a field, "a.b" being b in a; null where there is none.
json* inside(json& object, std::string_view path) {
    const size_t dot = path.find('.');
    const auto at = object.is_object() ? object.find(path.substr(0, dot)) : object.end();
    if (at == object.end()) return nullptr;
    return dot == path.npos ? &*at : inside(*at, path.substr(dot + 1));
}
void put_inside(json& object, std::string_view path, json value) {
    const size_t dot = path.find('.');
    json& at = object[std::string(path.substr(0, dot))];
    dot == path.npos ? void(at = std::move(value)) : put_inside(at, path.substr(dot + 1), std::move(value));
}

json as_json(const GgufValue& v) {
    if (const auto flag = v.flag()) return *flag;
    const auto shortest = [](double number) {  // the shortest text that reads back as this float
        char text[32];
        const std::string_view said(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, static_cast<float>(number)).ptr - text));
        return json::accept(said) ? json::parse(said) : json(said);  // "nan" is no number there
    };
    if (v.type == GgufValue::f32) return shortest(*v.number());
    if (const auto whole = v.integer()) return *whole;
    if (const auto number = v.number()) return *number;
    if (const auto each = v.integers()) {  // one number a layer, where those that have it agree
        std::set<int64_t> different(each->begin(), each->end());
        different.erase(0);
        if (different.size() == 1) return *different.begin();
        if (different.empty() && !each->empty()) return 0;
        return json(*each);
    }
    if (const auto each = v.numbers()) {
        json all = json::array();
        for (const double number : *each) all.push_back(shortest(number));
        return all;
    }
    return "a value of another kind";
}

const GgufTensor* tensor_named(const GgufModel& model, const std::string& name) {
    for (const GgufPart& part : model.parts)
        for (const GgufTensor& t : part.gguf.tensors)
            if (t.info.name == name) return &t;
    return nullptr;
}

std::string block(int64_t layer) { return "blk." + std::to_string(layer) + "."; }

// Layers without those behind the last one that predict further tokens ahead, which some files hold and some only speak of.
int64_t layers_of(const GgufModel& model, int64_t blocks, int64_t ahead) {
    while (ahead-- > 0 && blocks > 1 &&
           (tensor_named(model, block(blocks - 1) + "nextn.eh_proj.weight") || !tensor_named(model, block(blocks - 1) + "attn_norm.weight")))
        --blocks;
    return blocks;
}

// Layers have KDA where they have no key-value heads; a file whose heads are one number has a tensor of KDA there.
json layer_types(const GgufModel& model, const std::string& key, int64_t layers) {
    std::vector<int64_t> heads;
    if (const GgufValue* v = model.head().find(key)) heads = v->integers().value_or(heads);
    json types = json::array();
    for (int64_t i = 0; i < layers; ++i) {
        const bool is_kda =
            static_cast<size_t>(layers) <= heads.size() ? heads[static_cast<size_t>(i)] == 0 : tensor_named(model, block(i) + "ssm_a") != nullptr;
        types.push_back(is_kda ? "linear_attention" : "full_attention");
    }
    return types;
}

// The sentence of parse_config with the key instead of the field that it stands for.
std::string with_key(std::string sentence, const std::string& file, const Family& family, const std::string& front) {
    const size_t start = file.size() + 2, end = sentence.find(' ', start);
    if (end == std::string::npos || !sentence.starts_with(file + ": ")) return sentence;
    const std::string field = sentence.substr(start, end - start);
    for (const std::span<const GgufField> fields : {family.gguf_fields, std::span<const GgufField>(kFields)})
        for (const GgufField& f : fields)
            if (f.field == field || f.also == field) return sentence.replace(start, end - start, front + std::string(f.key));
    if (field == "linear_attn_config.num_heads") return sentence.replace(start, end - start, front + "attention.head_count");
    if (field == "qk_nope_head_dim") return sentence.replace(start, end - start, front + "attention.key_length_mla without rope.dimension_count");
    for (const char* id : {"bos", "eos"})
        if (field == std::string(id) + "_token_id") return sentence.replace(start, end - start, "tokenizer.ggml." + field);
    if (field == "pad_token_id") return sentence.replace(start, end - start, "tokenizer.ggml.padding_token_id");
    return sentence;
}

// The fields of one table that an object has.
void put_fields(std::span<const GgufField> fields, json& from, const std::string& front, std::vector<GgufPair>& pairs) {
    for (const GgufField& f : fields) {
        const json* at = inside(from, f.field);
        if (!at && !f.also.empty()) at = inside(from, f.also);
        if (!at || at->is_null()) continue;
        GgufPair& pair = pairs.emplace_back(GgufPair{front + std::string(f.key), uint32_t{0}});
        if (f.type == GgufField::real) pair.value = at->get<float>();
        if (f.type == GgufField::flag) pair.value = at->get<bool>();
        if (f.type == GgufField::reals) pair.value = at->get<std::vector<float>>();
        if (f.type == GgufField::whole) pair.value = at->get<uint32_t>();
    }
}

}  // namespace

std::vector<GgufPair> gguf_metadata(const ModelConfig& c) {
    const Family& family = family_of(c);
    const std::string architecture(family.gguf[0]), front = architecture + ".";
    std::vector<GgufPair> pairs{{"general.architecture", architecture}, {"general.type", std::string("model")}};
    const auto put = [&](std::string_view key, auto value) { pairs.push_back({front + std::string(key), std::move(value)}); };
    json said = json::parse(to_json(c));
    put_fields(kFields, said, front, pairs);
    put_fields(family.gguf_fields, said, front, pairs);
    if (c.num_key_value_heads == 0) {  // latents have one head; of whole keys and values the family's fields say how many
        std::vector<int32_t> kv_heads;
        for (int layer = 0; layer < c.num_hidden_layers; ++layer) kv_heads.push_back(c.has_state(layer) ? 0 : 1);
        put("attention.head_count_kv", kv_heads);
    }
    if (c.kv_lora_rank > 0) {  // the first two as of the one head that a cache of latents has
        put("attention.key_length", static_cast<uint32_t>(c.kv_lora_rank + c.qk_rope_head_dim));
        put("attention.value_length", static_cast<uint32_t>(c.kv_lora_rank));
        put("attention.key_length_mla", static_cast<uint32_t>(c.qk_nope_head_dim + c.qk_rope_head_dim));
        if (std::none_of(pairs.begin(), pairs.end(), [&](const GgufPair& pair) { return pair.key == front + "rope.freq_base"; }))
            put("rope.freq_base", c.rope_theta);
    }
    if (family.more_metadata) family.more_metadata(c, [&](std::string_view key, uint32_t value) { put(key, value); });
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
    const Family* const family = family_of_gguf(*architecture);
    if (!family) {
        std::string known;
        for (const Family& one : families()) known += (known.empty() ? "" : &one == &families().back() ? " and " : ", ") + std::string(one.gguf[0]);
        return fail(Error::model, file + " is a GGUF of architecture " + in_quotes(*architecture) + ", which this program does not have; it reads " + known);
    }
    const std::string front = std::string(*architecture) + ".";
    const auto value = [&](std::string_view key) { return head.find(front + std::string(key)); };

    json config{{"model_type", family->model_type}};
    for (const std::span<const GgufField> fields : {std::span<const GgufField>(kFields), family->gguf_fields})
        for (const GgufField& f : fields)
            if (const GgufValue* v = value(f.key)) put_inside(config, f.field, as_json(*v));

    const auto number = [&](const char* field) { return config.contains(field) && config[field].is_number_integer() ? config[field].get<int64_t>() : -1; };
    if (const GgufValue* ahead = value("nextn_predict_layers"))
        if (const int64_t blocks = number("num_hidden_layers"); blocks > 0)
            config["num_hidden_layers"] = layers_of(model, blocks, ahead->integer().value_or(0));
    config["layer_types"] = layer_types(model, front + "attention.head_count_kv", std::clamp<int64_t>(number("num_hidden_layers"), 0, kMostLayers));

    // Width of a head's key: nope and rope parts together. Files of the first conversions may leave it to the shapes of tensors.
    constexpr int64_t kMost = int64_t{1} << 31;  // so that nothing below overflows; parse_config refuses far less
    const int64_t heads = std::clamp<int64_t>(number("num_attention_heads"), 1, kMost), rope = std::clamp<int64_t>(number("qk_rope_head_dim"), 0, kMost);
    std::optional<int64_t> key;
    bool latent = false;
    if (const GgufValue* v = value("attention.key_length_mla")) key = std::clamp<int64_t>(v->integer().value_or(0), 0, kMost);
    for (size_t i = 0; i < config["layer_types"].size(); ++i) {
        if (config["layer_types"][i] != "full_attention") continue;
        latent = true;
        const std::string at = block(static_cast<int64_t>(i));
        const GgufTensor *q = tensor_named(model, at + "attn_q.weight"), *kv = tensor_named(model, at + "attn_kv_b.weight");
        if (!key && q && q->info.shape.size() == 2) key = q->info.shape[0] / heads;
        if (!config.contains("v_head_dim") && key && kv && kv->info.shape.size() == 2) config["v_head_dim"] = kv->info.shape[0] / heads - (*key - rope);
    }
    if (key) config["qk_nope_head_dim"] = *key - rope;
    if (!latent) config.erase("kv_lora_rank");

    if (number("num_experts") > 0 && !config.contains("first_k_dense_replace")) config["first_k_dense_replace"] = 0;
    if (const GgufValue* v = value("expert_gating_func")) {
        const int64_t way = v->integer().value_or(0);
        if (way != 1 && way != 2)
            return fail(Error::model, file + ": " + front + "expert_gating_func is " + std::to_string(way) + ", which is neither 1 (softmax) nor 2 (sigmoid)");
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

    family->complete(model, config);
    auto parsed = parse_config(config.dump(-1, ' ', false, json::error_handler_t::replace), file);
    if (!parsed) return fail(parsed.error().kind, with_key(parsed.error().message, file, *family, front));
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

}  // namespace klp
