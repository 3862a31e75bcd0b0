// What a checkpoint says about itself, read from config.json under the checkpoint's own names.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace klp {

// How the state of a KDA layer decays and how it is written to: the family on top of Kda in ops.h. Members share everything but these switches, the short
// convolution, normalised keys and the output gate included, so that models that differ in them compare the rule alone: "mamba2" is decay per head with plain
// writing, as Mamba2 and RetNet have it, and not their layer.
struct UpdateRule {
    std::string_view id, name;  // in config.json, and as people call it
    bool one_gate = false, no_gate = false, plain = false;
};
std::span<const UpdateRule> update_rules();
const UpdateRule* rule_named(std::string_view id);  // null: there is none

struct ModelConfig {
    std::string model_type;  // of its family (family.h): "kimi_linear"
    int vocab_size = 0;
    int hidden_size = 0;
    int num_hidden_layers = 0;
    std::vector<std::string> layer_kinds;  // per layer, a name of the mixer table: "kda", "mla", "gated_deltanet", "full_attention"
    float rms_norm_eps = 1e-5f;
    bool tie_word_embeddings = false;
    int64_t model_max_length = 0;  // tokens of context

    // KDA (linear_attn_config), and Gated DeltaNet, whose heads have one gate each
    int kda_heads = 0;
    int kda_key_heads = 0;   // heads of q and k, each shared by as many heads; 0: every head has its own
    bool kda_tiled = false;  // head h shares those of h % kda_key_heads, else neighbours do
    int kda_key_dim = 0;
    int kda_value_dim = 0;                // head_dim, unless v_head_dim is given beside it
    int kda_gate_rank = 0;                // of the low-rank maps f_b f_a and g_b g_a: head_dim; 0: one map of full rank each
    bool kda_full_output_gate = false;    // that of the output is of full rank all the same
    int short_conv_kernel_size = 4;       // 1: a factor for each channel is all that is left of the convolution
    float gate_lower_bound = 0;           // 0: unbounded softplus gate
    std::string update_rule = "kda";      // of layers of kind "kda"; a field of our own, as is the next
    std::string output_gate = "sigmoid";  // or "swish", or "none": no g_proj

    // Attention over whole keys and values
    int num_key_value_heads = 0;  // 0: the model's attention is MLA, or it has none
    int head_dim = 0;
    int rotary_dim = 0;           // columns of a head that are rotated
    bool attention_gate = false;  // what was read is multiplied by a sigmoid, element by element

    // MLA
    int num_attention_heads = 0;  // of full attention too
    int q_lora_rank = 0;          // of the queries' low-rank map; 0: one of full rank
    int kv_lora_rank = 0;
    int qk_nope_head_dim = 0;
    int qk_rope_head_dim = 0;
    int v_head_dim = 0;
    bool mla_use_nope = true;          // attention of either kind rotates nothing by position
    float rope_theta = 10000.f;        // used only where mla_use_nope is false
    bool rope_adjacent = false;        // likewise: neighbours are rotated together, else halves
    bool mla_head_gate = false;        // what a head has read is multiplied by a sigmoid of its own
    bool mla_output_gate = false;      // the same, element by element
    float kv_a_layernorm_eps = 1e-6f;  // and of the queries' low rank; the vendors' class default, not rms_norm_eps

    // Feed-forward
    int intermediate_size = 0;
    int first_k_dense_replace = 0;
    int moe_layer_freq = 1;
    std::vector<bool> moe_layers;  // per layer, where mlp_layer_types says what the two numbers above cannot; else empty
    int num_experts = 0;
    int num_experts_per_token = 0;
    int num_shared_experts = 0;
    int moe_intermediate_size = 0;
    int shared_intermediate_size = 0;  // of all shared experts together; 0: as many as there are times that of one
    bool shared_expert_gate = false;   // they are multiplied by a sigmoid of their own
    bool router_bias = true;           // e_score_correction_bias
    int num_expert_group = 1;
    int topk_group = 1;
    bool router_softmax = false;
    bool moe_renormalize = true;
    float routed_scaling_factor = 1;
    bool router_weights_from_biased_scores = false;
    std::vector<float> expert_limits, shared_limits;  // of activations (SwiGlu::limit), per layer, 0: none; empty: none anywhere

    float situ = 0, situ_up = 0;      // activations are SiTU (ops.h); 0: SwiGLU
    int expert_latent = 0;            // width of what routed experts take and give; 0: the model's
    bool expert_latent_norm = false;  // their sum is normalised in front of the way up

    // Residual streams
    int residual_block = 0;  // layers that write to one, and all layers read a mix of all (ops.h, Mix); 0: there is one

    int bos_token_id = -1, pad_token_id = -1;
    std::vector<int> eos_token_ids;

    // Whether a layer keeps a state (KDA, Gated DeltaNet); the others keep a cache.
    bool has_state(int layer) const {
        const std::string& kind = layer_kinds[static_cast<size_t>(layer)];
        return kind == "kda" || kind == "gated_deltanet";
    }
    const UpdateRule& rule() const { return *rule_named(update_rule); }
    bool joined_qkv(int layer) const { return layer_kinds[static_cast<size_t>(layer)] == "gated_deltanet"; }  // one tensor for all three
    bool one_gate(int layer) const { return joined_qkv(layer) || (has_state(layer) && rule().one_gate); }     // a head, not a channel
    std::vector<int> state_layers() const {                                                                   // ascending
        std::vector<int> all;
        for (int layer = 0; layer < num_hidden_layers; ++layer)
            if (has_state(layer)) all.push_back(layer);
        return all;
    }
    int key_heads() const { return kda_key_heads ? kda_key_heads : kda_heads; }
    int key_head(int head) const { return kda_tiled ? head % key_heads() : head / (kda_heads / key_heads()); }  // that a head has q and k of
    int64_t conv_width() const { return 2LL * key_heads() * kda_key_dim + 1LL * kda_heads * kda_value_dim; }    // q | k | v of a token
    int64_t cache_width() const {
        return head_dim ? 2LL * num_key_value_heads * head_dim : 1LL * kv_lora_rank + qk_rope_head_dim;
    }  // values of a token and layer
    bool is_moe(int layer) const {
        if (!moe_layers.empty()) return moe_layers[static_cast<size_t>(layer)];
        return num_experts > 0 && layer >= first_k_dense_replace && layer % moe_layer_freq == 0;
    }
    float expert_limit(int layer) const { return expert_limits.empty() ? 0 : expert_limits[static_cast<size_t>(layer)]; }
    int shared_width() const { return shared_intermediate_size ? shared_intermediate_size : num_shared_experts * moe_intermediate_size; }
    float shared_limit(int layer) const { return shared_limits.empty() ? 0 : shared_limits[static_cast<size_t>(layer)]; }
};

// Reads and checks config.json, in the vendor's spelling or in that of the transformers library's own class, of any family: unknown architectures are refused by name,
// every absurd or missing value and every feature that is not built here by file and field. A generation_config.json beside it adds its end tokens.
Result<ModelConfig> read_config(const std::filesystem::path& file);
Result<ModelConfig> parse_config(const std::string& json, const std::string& name_for_errors);

// How people call its layers that keep a state and those that keep a cache: "KDA" and "MLA", "Gated DeltaNet" and "full attention".
std::string_view kind_name(std::string_view kind);  // of one of layer_kinds
std::string_view state_name(const ModelConfig& config);
std::string_view cache_name(const ModelConfig& config);
std::string layer_words(const ModelConfig& config, int layer);  // "an MLA layer"

// What config.json calls the fields that say how this config's gates are bounded.
std::string_view gate_fields(const ModelConfig& config);

// config.json text of a config, in its vendor's spelling (klp init, klp quantize).
std::string to_json(const ModelConfig& config);

// Named shapes of `klp init --shape`: "tiny-spec", "tiny", "mini", "bench-700m", "kimi-linear-48b-4", "kimi-linear-48b", "ling-3.0-tiny", "ling-3.0-flash",
// "qwen3.5-0.8b", "qwen3.5-4b", "qwen3.5-35b-a3b", "kimi-k3-small"
struct NamedShape {
    std::string_view name, about;
    ModelConfig config;
};
const std::vector<NamedShape>& named_shapes();

// The same config with attention in every layer: the model's own where it has some (full attention, or MLA), else MLA in proportion.
ModelConfig all_attention(const ModelConfig& config);

// Every tensor of a checkpoint of this config, with the engine's names (Kimi's; family.h has what others call them), in file order.
struct TensorSpec {
    std::string name;
    std::vector<int64_t> shape;
};
std::vector<TensorSpec> tensor_specs(const ModelConfig& config);

// Counts and bytes that need no weights. Bytes of memory are for one sequence; the cache holds bf16 unless the model is f32.
struct ParameterCount {
    int64_t total = 0;
    int64_t active = 0;  // multiplied with for each token: lm_head included, the embedding table not
};
ParameterCount count_parameters(const ModelConfig& config);
struct SequenceBytes {
    int64_t state = 0, conv = 0, cache = 0;
    int64_t total() const { return state + conv + cache; }
};
SequenceBytes sequence_bytes(const ModelConfig& config, int64_t tokens, int cache_bytes_per_value = 2);

}  // namespace klp
