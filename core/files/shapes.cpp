// What follows from a config without any weights: named shapes, the list of tensors, counts and bytes.
#include <algorithm>
#include <functional>
#include <utility>

#include "core/files/config.h"
#include "core/files/families/all.h"

namespace klp {

namespace {

// Calls `emit(name, shape)` for every tensor of one layer, with the first `experts` of its experts.
template <class Emit>
void layer_tensors(const ModelConfig& c, int layer, int experts, const Emit& emit) {
    const std::string at = "model.layers." + std::to_string(layer) + ".", attn = at + "self_attn.", moe = at + "block_sparse_moe.";
    const int64_t D = c.hidden_size;
    emit(at + "input_layernorm.weight", {D});
    if (c.joined_qkv(layer)) {
        const int64_t H = c.kda_heads, HV = H * c.kda_value_dim;
        emit(attn + "qkv_proj.weight", {c.conv_width(), D});
        emit(attn + "qkv_conv1d.weight", {c.conv_width(), 1, c.short_conv_kernel_size});
        emit(attn + "A_log", {H});
        emit(attn + "dt_bias", {H});
        emit(attn + "a_proj.weight", {H, D});
        emit(attn + "b_proj.weight", {H, D});
        emit(attn + "g_proj.weight", {HV, D});
        emit(attn + "o_norm.weight", {c.kda_value_dim});
        emit(attn + "o_proj.weight", {D, HV});
    } else if (c.head_dim) {
        const int64_t HD = int64_t{c.num_attention_heads} * c.head_dim, kv = int64_t{c.num_key_value_heads} * c.head_dim;
        emit(attn + "q_proj.weight", {c.attention_gate ? 2 * HD : HD, D});
        emit(attn + "k_proj.weight", {kv, D});
        emit(attn + "v_proj.weight", {kv, D});
        emit(attn + "q_norm.weight", {c.head_dim});
        emit(attn + "k_norm.weight", {c.head_dim});
        emit(attn + "o_proj.weight", {D, HD});
    } else if (c.has_state(layer)) {
        const int64_t H = c.kda_heads, K = c.kda_key_dim, V = c.kda_value_dim, R = c.kda_gate_rank, C = c.short_conv_kernel_size;
        for (auto [x, width] : {std::pair("q", H * K), std::pair("k", H * K), std::pair("v", H * V)}) emit(attn + x + "_proj.weight", {width, D});
        for (auto [x, width] : {std::pair("q", H * K), std::pair("k", H * K), std::pair("v", H * V)}) emit(attn + x + "_conv1d.weight", {width, 1, C});
        const UpdateRule& rule = c.rule();
        if (!rule.no_gate) {
            emit(attn + "A_log", {1, 1, H, 1});
            emit(attn + "dt_bias", {rule.one_gate ? H : H * K});
        }
        const auto gate = [&](const std::string& x, int64_t width, bool whole = false) {
            if (R == 0 || whole) return emit(attn + x + "_proj.weight", {width, D});
            emit(attn + x + "_a_proj.weight", {R, D});
            emit(attn + x + "_b_proj.weight", {width, R});
        };
        if (rule.one_gate)
            emit(attn + "a_proj.weight", {H, D});
        else if (!rule.no_gate)
            gate("f", H * K);
        emit(attn + "b_proj.weight", {H, D});
        if (c.output_gate != "none") gate("g", H * V, c.kda_full_output_gate);
        emit(attn + "o_norm.weight", {V});
        emit(attn + "o_proj.weight", {D, H * V});
    } else {
        const int64_t H = c.num_attention_heads, L = c.kv_lora_rank, nope = c.qk_nope_head_dim, rope = c.qk_rope_head_dim, V = c.v_head_dim;
        if (c.q_lora_rank) {
            emit(attn + "q_a_proj.weight", {c.q_lora_rank, D});
            emit(attn + "q_a_layernorm.weight", {c.q_lora_rank});
            emit(attn + "q_b_proj.weight", {H * (nope + rope), c.q_lora_rank});
        } else {
            emit(attn + "q_proj.weight", {H * (nope + rope), D});
        }
        if (c.mla_head_gate || c.mla_output_gate) emit(attn + "g_proj.weight", {c.mla_head_gate ? H : H * V, D});
        emit(attn + "kv_a_proj_with_mqa.weight", {L + rope, D});
        emit(attn + "kv_a_layernorm.weight", {L});
        emit(attn + "kv_b_proj.weight", {H * (nope + V), L});
        emit(attn + "o_proj.weight", {D, H * V});
    }
    emit(at + "post_attention_layernorm.weight", {D});
    if (c.residual_block)
        for (const char* reader : {"self_attention_res_", "mlp_res_"}) emit(at + reader + "norm.weight", {D}), emit(at + reader + "proj.weight", {1, D});
    const auto swiglu = [&](const std::string& in, const char* gate, const char* up, const char* down, int64_t F, int64_t D) {
        emit(in + gate, {F, D});
        emit(in + up, {F, D});
        emit(in + down, {D, F});
    };
    if (!c.is_moe(layer)) return swiglu(at + "mlp.", "gate_proj.weight", "up_proj.weight", "down_proj.weight", c.intermediate_size, D);
    emit(moe + "gate.weight", {c.num_experts, D});
    if (c.router_bias) emit(moe + "gate.e_score_correction_bias", {c.num_experts});
    if (c.expert_latent) {
        emit(moe + "routed_expert_down_proj.weight", {c.expert_latent, D});
        if (c.expert_latent_norm) emit(moe + "routed_expert_norm.weight", {c.expert_latent});
        emit(moe + "routed_expert_up_proj.weight", {D, c.expert_latent});
    }
    for (int e = 0; e < experts; ++e)
        swiglu(moe + "experts." + std::to_string(e) + ".", "w1.weight", "w3.weight", "w2.weight", c.moe_intermediate_size,
               c.expert_latent ? c.expert_latent : D);
    if (c.num_shared_experts) swiglu(moe + "shared_experts.", "gate_proj.weight", "up_proj.weight", "down_proj.weight", c.shared_width(), D);
    if (c.num_shared_experts && c.shared_expert_gate) emit(moe + "shared_expert_gate.weight", {D});
}

// The 48B's rhythm: three KDA layers, then one MLA.
std::vector<std::string> three_to_one(int layers) {
    std::vector<std::string> kinds;
    for (int i = 0; i < layers; ++i) kinds.push_back(i % 4 == 3 ? "mla" : "kda");
    return kinds;
}

// model.md, section 1: the config of Kimi-Linear-48B-A3B-Instruct.
ModelConfig kimi_linear_48b() {
    ModelConfig c{.model_type = "kimi_linear", .vocab_size = 163840, .hidden_size = 2304, .num_hidden_layers = 27, .layer_kinds = three_to_one(27)};
    c.layer_kinds[26] = "mla";  // the last group is short
    c.model_max_length = 1048576;
    c.kda_heads = 32, c.kda_key_dim = c.kda_value_dim = c.kda_gate_rank = 128;
    c.num_attention_heads = 32, c.kv_lora_rank = 512, c.qk_nope_head_dim = 128, c.qk_rope_head_dim = 64, c.v_head_dim = 128;
    c.intermediate_size = 9216, c.first_k_dense_replace = 1;
    c.num_experts = 256, c.num_experts_per_token = 8, c.num_shared_experts = 1, c.moe_intermediate_size = 1024;
    c.routed_scaling_factor = 2.446f;
    c.bos_token_id = 163584, c.eos_token_ids = {163586}, c.pad_token_id = 163839;
    return c;
}

// Its first four layers, of the true widths: what a GPU's tools can look at without 98 GB.
ModelConfig four_layers_of_48b() {
    ModelConfig c = kimi_linear_48b();
    c.num_hidden_layers = 4, c.layer_kinds = three_to_one(4);
    return c;
}

// The same architecture in small. MLA heads take the 48B's proportions: a rope part half as wide as a nope part, a latent four times as wide.
ModelConfig small(int vocab, int layers, int width, int heads, int head_dim, int dense, int experts, int top_k, int expert_width) {
    ModelConfig c = kimi_linear_48b();
    c.vocab_size = vocab, c.hidden_size = width, c.num_hidden_layers = layers, c.layer_kinds = three_to_one(layers);
    c.model_max_length = 32768;
    c.kda_heads = heads, c.kda_key_dim = c.kda_value_dim = c.kda_gate_rank = head_dim;
    c.num_attention_heads = heads, c.kv_lora_rank = 4 * head_dim, c.qk_nope_head_dim = c.v_head_dim = head_dim, c.qk_rope_head_dim = head_dim / 2;
    c.intermediate_size = dense, c.num_experts = experts, c.num_experts_per_token = top_k, c.moe_intermediate_size = expert_width;
    c.bos_token_id = c.pad_token_id = -1, c.eos_token_ids.clear();
    return c;
}

ModelConfig tiny_spec() {
    ModelConfig c = small(32, 4, 16, 2, 8, 24, 8, 2, 12);
    c.kv_lora_rank = 6, c.qk_nope_head_dim = c.v_head_dim = 4, c.qk_rope_head_dim = 2;
    return c;
}

}  // namespace

const std::vector<NamedShape>& named_shapes() {
    static const std::vector<NamedShape> shapes = {
        {"tiny-spec", "the 4 layers of the golden vectors: width 16, 8 experts", tiny_spec()},
        {"tiny", "loads and answers in no time: 4 layers, width 64, blocks of 32 everywhere", small(256, 4, 64, 2, 32, 128, 8, 2, 32)},
        {"mini", "as large as the embedded model: 8 layers, width 256, 8 of 32 experts", small(8192, 8, 256, 4, 64, 768, 32, 8, 64)},
        {"bench-700m", "12 layers of width 1024, 8 of 64 experts: what klp bench measures", small(32768, 12, 1024, 8, 128, 4096, 64, 8, 256)},
        {"kimi-linear-48b-4", "the 48B's first four layers, for measuring", four_layers_of_48b()},
        {"kimi-linear-48b", "Kimi-Linear-48B-A3B, 3.1B active", kimi_linear_48b()},
        {"ling-3.0-tiny", "Ling-3.0-tiny, 7.9B, 1.3B active", ling_3_tiny()},
        {"ling-3.0-flash", "Ling-3.0-flash, 124B, 5.1B active", ling_3_flash()},
        {"qwen3.5-0.8b", "Qwen3.5-0.8B: Gated DeltaNet and full attention", qwen_35_0_8b()},
        {"qwen3.5-4b", "Qwen3.5-4B, two heads of values for each of keys", qwen_35_4b()},
        {"kimi-k3-small", "every part of Kimi K3 in small: 8 layers, residual blocks of 4", kimi_k3_small()},
        {"qwen3.5-35b-a3b", "Qwen3.5-35B-A3B, 8 of 256 experts", qwen_35_35b()},
    };
    return shapes;
}

ModelConfig all_attention(const ModelConfig& config) {
    ModelConfig c = config;
    std::fill(c.layer_kinds.begin(), c.layer_kinds.end(), c.head_dim ? "full_attention" : "mla");
    if (c.head_dim == 0 && c.kv_lora_rank == 0) {  // a model of KDA alone has no MLA shapes: those of the 48B, in proportion
        c.num_attention_heads = c.kda_heads;
        c.qk_nope_head_dim = c.kda_key_dim, c.qk_rope_head_dim = c.kda_key_dim / 2, c.v_head_dim = c.kda_value_dim;
        c.kv_lora_rank = 4 * c.kda_key_dim;
    }
    return c;
}

std::span<const UpdateRule> update_rules() {
    static constexpr UpdateRule kRules[] = {{"linear_attention", "linear attention", false, true, true},
                                            {"deltanet", "DeltaNet", false, true, false},
                                            {"mamba2", "decay per head", true, false, true},
                                            {"gdn", "Gated DeltaNet", true, false, false},
                                            {"gla", "GLA", false, false, true},
                                            {"kda", "KDA", false, false, false}};
    return kRules;
}
const UpdateRule* rule_named(std::string_view id) {
    const auto all = update_rules();
    const auto at = std::find_if(all.begin(), all.end(), [&](const UpdateRule& rule) { return rule.id == id; });
    return at == all.end() ? nullptr : &*at;
}

std::string_view kind_name(std::string_view kind) {
    return kind == "kda" ? "KDA" : kind == "mla" ? "MLA" : kind == "gated_deltanet" ? "Gated DeltaNet" : kind == "full_attention" ? "full attention" : kind;
}
std::string_view state_name(const ModelConfig& c) {
    const bool joined = std::find(c.layer_kinds.begin(), c.layer_kinds.end(), "gated_deltanet") != c.layer_kinds.end();
    return joined ? kind_name("gated_deltanet") : c.rule().name;
}
std::string_view cache_name(const ModelConfig& c) { return kind_name(c.head_dim ? "full_attention" : "mla"); }
std::string layer_words(const ModelConfig& c, int layer) {
    const std::string& kind = c.layer_kinds[static_cast<size_t>(layer)];
    const std::string_view name = kind == "kda" ? c.rule().name : kind_name(kind);
    return (name == "MLA" ? "an " : "a ") + std::string(name) + " layer";
}

std::vector<TensorSpec> tensor_specs(const ModelConfig& c) {
    std::vector<TensorSpec> specs;
    const auto emit = [&](std::string name, std::initializer_list<int64_t> shape) { specs.push_back({std::move(name), shape}); };
    emit("model.embed_tokens.weight", {c.vocab_size, c.hidden_size});
    for (int i = 0; i < c.num_hidden_layers; ++i) layer_tensors(c, i, c.num_experts, emit);
    if (c.residual_block) emit("model.output_attn_res_norm.weight", {c.hidden_size}), emit("model.output_attn_res_proj.weight", {1, c.hidden_size});
    emit("model.norm.weight", {c.hidden_size});
    if (!c.tie_word_embeddings) emit("lm_head.weight", {c.vocab_size, c.hidden_size});
    return specs;
}

ParameterCount count_parameters(const ModelConfig& c) {
    const auto values = [&](int layer, int experts) {
        int64_t n = 0;
        layer_tensors(c, layer, experts, [&](const std::string&, std::initializer_list<int64_t> shape) {
            int64_t size = 1;
            for (int64_t d : shape) size *= d;
            n += size;
        });
        return n;
    };
    const int64_t table = int64_t{c.vocab_size} * c.hidden_size;
    ParameterCount count{.total = table + c.hidden_size + (c.tie_word_embeddings ? 0 : table), .active = c.hidden_size + table};
    if (c.residual_block) count.total += 2 * c.hidden_size, count.active += 2 * c.hidden_size;
    for (int i = 0; i < c.num_hidden_layers; ++i) {
        const int64_t shared = values(i, 0), expert = values(i, 1) - shared;  // expert: 0 in a dense layer
        count.total += shared + expert * c.num_experts;
        count.active += shared + expert * c.num_experts_per_token;
    }
    return count;
}

SequenceBytes sequence_bytes(const ModelConfig& c, int64_t tokens, int cache_bytes_per_value) {
    const auto states = static_cast<int64_t>(c.state_layers().size());
    return {.state = states * c.kda_heads * c.kda_key_dim * c.kda_value_dim * 4,
            .conv = states * (c.short_conv_kernel_size - 1) * c.conv_width() * 4,  // f32, like every activation
            .cache = (c.num_hidden_layers - states) * c.cache_width() * tokens * cache_bytes_per_value};
}

}  // namespace klp
