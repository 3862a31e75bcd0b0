// Qwen3.5, dense and of experts, and Qwen3-Next (Alibaba): Gated DeltaNet, a gate a head, whose heads of values share those of keys; gated attention over
// grouped keys and values, of which a part is rotated; a softmax router, and a shared expert with a gate of its own. Norms multiply by 1 + w, which GGUF files
// hold already. What sees (visual) and what predicts further tokens ahead (mtp) is left out.
#include <algorithm>
#include <cmath>

#include "core/files/families/all.h"
#include "core/files/grouped.h"

namespace klp {

namespace {

constexpr float kQwenTheta = 1e7f, kRotated = 0.25f;
constexpr int kWidestHead = 1024;

void read_partial_rotation(Fields& top, ModelConfig& c) {
    c.rope_theta = top.number({"rope_theta"}, 1, 1e12, kQwenTheta);
    float rotated = top.number({"partial_rotary_factor"}, 0, 1, kRotated);
    for (const char* name : {"rope_parameters", "rope_scaling"}) {
        std::optional<Fields> rope = top.object(name);
        if (!rope) continue;
        if (const std::string type = rope->text({"rope_type", "type"}, "default"); type != "default")
            rope->wrong({"rope_type", "type"},
                        "is " + in_quotes(type) + ", a way of reaching further than the model was trained, which this program does not have");
        c.rope_theta = rope->number({"rope_theta"}, 1, 1e12, c.rope_theta);
        rotated = rope->number({"partial_rotary_factor"}, 0, 1, rotated);
    }
    c.rotary_dim = static_cast<int>(static_cast<float>(c.head_dim) * rotated + 1e-3f);
    if (c.rotary_dim % 2)
        top.wrong({"partial_rotary_factor", "rope_parameters"},
                  "rotates " + std::to_string(c.rotary_dim) + " of a head's " + std::to_string(c.head_dim) + " columns, but rotated columns come in pairs");
    c.mla_use_nope = c.rotary_dim == 0;
}

void read_delta_net(Fields& top, ModelConfig& c) {
    c.kda_heads = top.integer({"linear_num_value_heads"}, 1, kMostWidth);
    c.kda_key_heads = top.integer({"linear_num_key_heads"}, 1, kMostWidth);
    c.kda_key_dim = top.integer({"linear_key_head_dim"}, 1, kMostWidth);
    c.kda_value_dim = top.integer({"linear_value_head_dim"}, 1, kMostWidth);
    c.short_conv_kernel_size = top.integer({"linear_conv_kernel_dim"}, 2, 16, 4);
    if (c.kda_heads % c.kda_key_heads)
        return top.wrong({"linear_num_value_heads"},
                         "is " + std::to_string(c.kda_heads) + ", which the " + std::to_string(c.kda_key_heads) + " heads of keys cannot share evenly");
    c.kda_tiled = top.flag({"linear_value_heads_tiled"}, false);  // our own: the order of heads in GGUF files
}

void read_experts(Fields& top, ModelConfig& c) {
    c.num_experts = top.integer({"num_experts"}, 1, 1 << 16);
    c.num_experts_per_token = top.integer({"num_experts_per_tok", "num_experts_per_token"}, 1, c.num_experts);
    c.moe_intermediate_size = top.integer({"moe_intermediate_size"}, 1, kMostWidth);
    c.shared_intermediate_size = top.integer({"shared_expert_intermediate_size"}, 0, kMostWidth, c.moe_intermediate_size);
    c.num_shared_experts = c.shared_intermediate_size > 0;
    c.shared_expert_gate = true, c.router_bias = false, c.router_softmax = true;
    c.moe_renormalize = top.flag({"norm_topk_prob", "moe_renormalize"}, true);
    const int step = top.integer({"decoder_sparse_step"}, 1, kMostLayers, 1);
    std::vector<bool> moe(static_cast<size_t>(c.num_hidden_layers));
    for (int i = 0; i < c.num_hidden_layers; ++i) moe[static_cast<size_t>(i)] = (i + 1) % step == 0;
    if (const nlohmann::json::array_t* dense = top.list({"mlp_only_layers"}))
        for (const nlohmann::json& layer : *dense) moe[static_cast<size_t>(top.whole(layer, {"mlp_only_layers"}, 0, c.num_hidden_layers - 1))] = false;
    const bool all = std::find(moe.begin(), moe.end(), false) == moe.end();
    if (!all) c.moe_layers = std::move(moe);
    if (!all || top.has("intermediate_size")) c.intermediate_size = top.integer({"intermediate_size"}, 1, kMostWidth);
}

void read_qwen(Fields& top, ModelConfig& c) {
    if (!read_layer_types(top, c, "gated_deltanet", "full_attention")) {
        const int every = top.integer({"full_attention_interval"}, 1, kMostLayers, 4);
        for (int i = 0; i < c.num_hidden_layers; ++i) c.layer_kinds[static_cast<size_t>(i)] = (i + 1) % every == 0 ? "full_attention" : "gated_deltanet";
    }
    if (has_layer(c, "gated_deltanet")) read_delta_net(top, c);
    c.num_attention_heads = top.integer({"num_attention_heads"}, 1, kMostWidth);
    c.num_key_value_heads = top.integer({"num_key_value_heads"}, 1, kMostWidth, c.num_attention_heads);
    c.head_dim = top.integer({"head_dim"}, 1, kWidestHead, 256);
    if (c.num_attention_heads % c.num_key_value_heads)
        top.wrong({"num_key_value_heads"},
                  "is " + std::to_string(c.num_key_value_heads) + ", which does not divide the " + std::to_string(c.num_attention_heads) + " heads of queries");
    c.attention_gate = top.flag({"attn_output_gate"}, true);
    read_partial_rotation(top, c);
    top.refuse({"attention_bias"});
    if (c.model_type == "qwen3_5")
        c.intermediate_size = top.integer({"intermediate_size"}, 1, kMostWidth);
    else
        read_experts(top, c);
}

void write_qwen(const ModelConfig& c, nlohmann::ordered_json& j) {
    if (c.model_type != "qwen3_next") j["model_type"] = c.model_type + "_text";  // of what has no eyes
    j["max_position_embeddings"] = c.model_max_length;
    for (const std::string& kind : c.layer_kinds) j["layer_types"].push_back(kind == "full_attention" ? "full_attention" : "linear_attention");
    if (c.kda_heads) {
        j["linear_num_value_heads"] = c.kda_heads;
        j["linear_num_key_heads"] = c.kda_key_heads;
        j["linear_key_head_dim"] = c.kda_key_dim;
        j["linear_value_head_dim"] = c.kda_value_dim;
        j["linear_conv_kernel_dim"] = c.short_conv_kernel_size;
        if (c.kda_key_heads != c.kda_heads) j["linear_value_heads_tiled"] = c.kda_tiled;
    }
    j["head_dim"] = c.head_dim;
    j["attn_output_gate"] = c.attention_gate;
    j["attention_bias"] = false;
    const double rotated = static_cast<double>(c.rotary_dim) / c.head_dim;
    j["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", json_number(c.rope_theta)}, {"partial_rotary_factor", rotated}};
    j["rope_theta"] = json_number(c.rope_theta), j["partial_rotary_factor"] = rotated;  // as older programs look for it
    if (c.intermediate_size) j["intermediate_size"] = c.intermediate_size;
    if (c.num_experts == 0) return;
    j["num_experts"] = c.num_experts;
    j["num_experts_per_tok"] = c.num_experts_per_token;
    j["moe_intermediate_size"] = c.moe_intermediate_size;
    j["shared_expert_intermediate_size"] = c.shared_intermediate_size;
    j["norm_topk_prob"] = c.moe_renormalize;
    j["decoder_sparse_step"] = 1;
    j["mlp_only_layers"] = nlohmann::json::array();
    for (int i = 0; i < c.num_hidden_layers; ++i)
        if (!c.is_moe(i)) j["mlp_only_layers"].push_back(i);
}

constexpr NameRow kQwenNames[] = {
    {"linear_attn.in_proj_qkv.weight", "self_attn.qkv_proj.weight"},
    {"linear_attn.in_proj_z.weight", "self_attn.g_proj.weight"},
    {"linear_attn.in_proj_b.weight", "self_attn.b_proj.weight"},
    {"linear_attn.in_proj_a.weight", "self_attn.a_proj.weight"},
    {"linear_attn.conv1d.weight", "self_attn.qkv_conv1d.weight"},
    {"linear_attn.A_log", "self_attn.A_log"},
    {"linear_attn.dt_bias", "self_attn.dt_bias"},
    {"linear_attn.norm.weight", "self_attn.o_norm.weight"},
    {"linear_attn.out_proj.weight", "self_attn.o_proj.weight", GgufForm::same, "gated_deltanet"},
    {"mlp.gate.weight", "block_sparse_moe.gate.weight"},
    {"mlp.experts.gate_proj.weight", "block_sparse_moe.experts.w1.weight", GgufForm::experts},
    {"mlp.experts.up_proj.weight", "block_sparse_moe.experts.w3.weight", GgufForm::experts},
    {"mlp.experts.down_proj.weight", "block_sparse_moe.experts.w2.weight", GgufForm::experts},
    {"mlp.shared_expert.gate_proj.weight", "block_sparse_moe.shared_experts.gate_proj.weight"},
    {"mlp.shared_expert.up_proj.weight", "block_sparse_moe.shared_experts.up_proj.weight"},
    {"mlp.shared_expert.down_proj.weight", "block_sparse_moe.shared_experts.down_proj.weight"},
    {"mlp.shared_expert_gate.weight", "block_sparse_moe.shared_expert_gate.weight"},
};
constexpr std::string_view kFromOne[] = {"input_layernorm.weight", "post_attention_layernorm.weight", "model.norm.weight", "self_attn.q_norm.weight",
                                         "self_attn.k_norm.weight"};

// 1 + w of a norm.
MappedTensor one_more(MappedTensor t) {
    int64_t n = 1;
    for (const int64_t d : t.info.shape) n *= d;
    MappedTensor made = t;
    made.info.type = DType::f32, made.info.bytes = 4 * n;
    made.make = [from = t.data, type = t.info.type, n](std::byte* to) -> Result<void> {
        auto* const values = reinterpret_cast<float*>(to);
        decode(type, from, n, values);
        for (int64_t i = 0; i < n; ++i) values[i] += 1;
        return {};
    };
    return made;
}

// Experts that lie in one tensor [E, rows, in], one by one: `names` of a prefix, each with as many of the rows.
Result<void> each_expert(const MappedTensor& t, const ModelConfig& c, std::initializer_list<const char*> names, const std::string& where,
                         std::vector<MappedTensor>& out) {
    const std::vector<int64_t>& shape = t.info.shape;
    const auto parts = static_cast<int64_t>(names.size());
    if (shape.size() != 3 || shape[0] != c.num_experts || shape[1] % parts || t.make)
        return fail(Error::model, where + " has the shape " + shape_text(shape) + " where [" + std::to_string(c.num_experts) + ", rows, columns] belongs");
    const std::string front = t.info.name.substr(0, t.info.name.rfind('.') + 1);
    const int64_t bytes = t.info.bytes / (shape[0] * parts);
    for (int64_t e = 0; e < shape[0]; ++e)
        for (int64_t i = 0; const char* name : names) {
            MappedTensor one = t;
            one.info.name = front + std::to_string(e) + "." + name + ".weight";
            one.info.shape = {shape[1] / parts, shape[2]};
            one.info.bytes = bytes;
            one.data = t.data + (e * parts + i++) * bytes;
            out.push_back(std::move(one));
        }
    return {};
}

Result<std::vector<MappedTensor>> adapt_qwen(const ModelConfig& c, std::vector<MappedTensor> tensors, const std::vector<std::string>& files) {
    std::vector<MappedTensor> out;
    const GroupedHeads heads{c.kda_key_heads, c.kda_heads, c.kda_key_dim, c.kda_value_dim};
    for (MappedTensor& t : tensors) {
        t.info.name = without_outer(t.info.name);
        const std::string& name = t.info.name;
        const auto begins = [&](std::initializer_list<std::string_view> fronts) {
            return std::any_of(fronts.begin(), fronts.end(), [&](std::string_view front) { return name.starts_with(front); });
        };
        if (begins({"mtp.", "model.mtp.", "visual.", "model.visual."})) continue;
        const std::string where = files[t.file] + ": tensor " + t.said;
        const auto beside = [&](std::string_view end) { return name.substr(0, name.rfind("in_proj_")) + std::string(end); };
        Result<std::vector<MappedTensor>> parts;
        Result<void> done;
        if (name.ends_with(".experts.gate_up_proj")) {
            done = each_expert(t, c, {"gate_proj", "up_proj"}, where, out);
        } else if (name.ends_with(".experts.down_proj")) {
            done = each_expert(t, c, {"down_proj"}, where, out);
        } else if (heads.H_k > 0 && name.ends_with(".in_proj_qkvz.weight")) {
            parts = put_apart(t, heads.H_k, heads.qkvz(beside("in_proj_qkv.weight"), beside("in_proj_z.weight")), where);
        } else if (heads.H_k > 0 && name.ends_with(".in_proj_ba.weight")) {
            parts = put_apart(t, heads.H_k, heads.ba(beside("in_proj_b.weight"), beside("in_proj_a.weight")), where);
        } else if (added_to(c, name) != 0 && t.info.readable && info(t.info.type).block == 1) {
            out.push_back(one_more(std::move(t)));
        } else {
            out.push_back(std::move(t));
        }
        if (!done) return tl::unexpected(done.error());
        if (!parts) return tl::unexpected(parts.error());
        for (MappedTensor& part : *parts) out.push_back(std::move(part));
    }
    return out;
}

constexpr NameRow kQwenGgufNames[] = {
    {"ssm_ba.weight", "self_attn.b_proj.weight", GgufForm::ba},      // of Qwen3-Next
    {"ssm_in.weight", "self_attn.qkv_proj.weight", GgufForm::qkvz},  // of its early conversions
    // and of all, the name that is written first
    {"post_attention_norm.weight", "post_attention_layernorm.weight"},
    {"attn_qkv.weight", "self_attn.qkv_proj.weight"},
    {"attn_gate.weight", "self_attn.g_proj.weight"},
    {"ssm_alpha.weight", "self_attn.a_proj.weight"},
    {"ssm_conv1d.weight", "self_attn.qkv_conv1d.weight", GgufForm::flat},
    {"ssm_dt.bias", "self_attn.dt_bias"},
    {"ssm_dt", "self_attn.dt_bias"},  // as one program calls it
    {"ssm_out.weight", "self_attn.o_proj.weight", GgufForm::same, "gated_deltanet"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"ffn_gate_inp_shexp.weight", "block_sparse_moe.shared_expert_gate.weight"},
    {"ffn_gate_exps.weight", "block_sparse_moe.experts.w1.weight", GgufForm::experts},
    {"ffn_gate_up_exps.weight", "block_sparse_moe.experts.w1.weight", GgufForm::gate_up},
};
constexpr GgufField kQwenFields[] = {
    {"attention.head_count_kv", "num_key_value_heads"},    {"attention.key_length", "head_dim"},
    {"ssm.conv_kernel", "linear_conv_kernel_dim"},         {"ssm.state_size", "linear_key_head_dim"},
    {"ssm.group_count", "linear_num_key_heads"},           {"ssm.time_step_rank", "linear_num_value_heads"},
    {"rope.freq_base", "rope_theta", {}, GgufField::real}, {"expert_shared_feed_forward_length", "shared_expert_intermediate_size"},
};

// How its heads of values are ordered, no file says but one program's: llama.cpp's conversions of Qwen3.5 tile them, those of Qwen3-Next do not.
void complete_qwen(const GgufModel& model, nlohmann::json& config) {
    const std::string architecture(model.head().find("general.architecture")->text().value_or(""));
    const auto number = [&](const char* field) { return config.contains(field) && config[field].is_number_integer() ? config[field].get<int64_t>() : 0; };
    const auto said = [&](const char* key) { return model.head().find(architecture + "." + key); };
    if (const GgufValue* inner = said("ssm.inner_size"); inner && number("linear_num_value_heads") > 0)
        config["linear_value_head_dim"] = inner->integer().value_or(0) / number("linear_num_value_heads");
    if (number("head_dim") > 0 && config.contains("qk_rope_head_dim"))
        config["partial_rotary_factor"] = static_cast<double>(number("qk_rope_head_dim")) / static_cast<double>(number("head_dim"));
    if (number("intermediate_size") == 0) config.erase("intermediate_size");
    bool tiled = architecture != kQwen3Next.gguf[0];
    if (const GgufValue* flag = said("ssm.v_head_reordered")) tiled = flag->flag().value_or(tiled);
    config["linear_value_heads_tiled"] = tiled && number("linear_num_key_heads") != number("linear_num_value_heads");
}

void more_of_qwen(const ModelConfig& c, const std::function<void(std::string_view key, uint32_t value)>& put) {
    put("attention.value_length", static_cast<uint32_t>(c.head_dim));
    put("rope.dimension_count", static_cast<uint32_t>(c.rotary_dim));
    put("ssm.inner_size", static_cast<uint32_t>(c.kda_heads * c.kda_value_dim));
}

constexpr std::string_view kArchitectures35[] = {"Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration"}, kGguf35[] = {"qwen35"};
constexpr std::string_view kArchitectures35Moe[] = {"Qwen3_5MoeForCausalLM", "Qwen3_5MoeForConditionalGeneration"}, kGguf35Moe[] = {"qwen35moe"};
constexpr std::string_view kArchitecturesNext[] = {"Qwen3NextForCausalLM"}, kGgufNext[] = {"qwen3next"};

constexpr Family qwen(std::string_view name, std::string_view type, std::span<const std::string_view> architectures, std::span<const std::string_view> gguf,
                      std::span<const NameRow> gguf_names, std::string_view unwritten) {
    return {.name = name,
            .model_type = type,
            .architectures = architectures,
            .gguf = gguf,
            .read = read_qwen,
            .write = write_qwen,
            .gate_fields = {"linear_num_value_heads", "linear_num_value_heads"},
            .folder_names = kQwenNames,
            .gguf_names = gguf_names,
            .gguf_fields = kQwenFields,
            .complete = complete_qwen,
            .more_metadata = more_of_qwen,
            .adapt = adapt_qwen,
            .from_one = kFromOne,
            .unwritten = unwritten};
}

}  // namespace

constinit const Family kQwen35 = qwen("Qwen3.5", "qwen3_5", kArchitectures35, kGguf35, std::span(kQwenGgufNames).subspan(2), "");
constinit const Family kQwen35Moe = qwen("Qwen3.5 MoE", "qwen3_5_moe", kArchitectures35Moe, kGguf35Moe, std::span(kQwenGgufNames).subspan(2), "");
constinit const Family kQwen3Next = qwen("Qwen3-Next", "qwen3_next", kArchitecturesNext, kGgufNext, kQwenGgufNames,
                                         "llama.cpp's architecture qwen3next groups the rows of two maps in a way that this program reads but does not write");

namespace {

ModelConfig qwen_config(const char* type, int layers, int width, int heads, int kv_heads) {
    ModelConfig c{.model_type = type, .vocab_size = 248320, .hidden_size = width, .num_hidden_layers = layers};
    for (int i = 0; i < layers; ++i) c.layer_kinds.push_back(i % 4 == 3 ? "full_attention" : "gated_deltanet");
    c.rms_norm_eps = 1e-6f, c.model_max_length = 262144;
    c.kda_heads = 32, c.kda_key_heads = 16, c.kda_key_dim = c.kda_value_dim = 128;
    c.num_attention_heads = heads, c.num_key_value_heads = kv_heads, c.head_dim = 256, c.rotary_dim = 64;
    c.attention_gate = true, c.mla_use_nope = false, c.rope_theta = kQwenTheta;
    c.router_bias = false;
    c.pad_token_id = 248044, c.eos_token_ids = {248046, 248044};
    return c;
}

}  // namespace

ModelConfig qwen_35_0_8b() {
    ModelConfig c = qwen_config("qwen3_5", 24, 1024, 8, 2);
    c.kda_heads = 16, c.intermediate_size = 3584, c.tie_word_embeddings = true;
    return c;
}

ModelConfig qwen_35_4b() {
    ModelConfig c = qwen_config("qwen3_5", 32, 2560, 16, 4);
    c.intermediate_size = 9216, c.tie_word_embeddings = true;
    return c;
}

ModelConfig qwen_35_35b() {
    ModelConfig c = qwen_config("qwen3_5_moe", 40, 2048, 16, 2);
    c.num_experts = 256, c.num_experts_per_token = 8, c.moe_intermediate_size = c.shared_intermediate_size = 512, c.num_shared_experts = 1;
    c.shared_expert_gate = c.router_softmax = true;
    return c;
}

}  // namespace klp
