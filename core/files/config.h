// What a checkpoint says about itself, read from config.json under the checkpoint's own names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace klp {

struct ModelConfig {
    std::string model_type;  // of its family (family.h): "kimi_linear"
    int vocab_size = 0;
    int hidden_size = 0;
    int num_hidden_layers = 0;
    std::vector<std::string> layer_kinds;  // per layer, a name of the mixer table: "kda" or "mla"
    float rms_norm_eps = 1e-5f;
    bool tie_word_embeddings = false;
    int64_t model_max_length = 0;  // tokens of context

    // KDA (linear_attn_config)
    int kda_heads = 0;
    int kda_key_dim = 0;
    int kda_value_dim = 0;  // head_dim, unless v_head_dim is given beside it
    int kda_gate_rank = 0;  // of the low-rank maps f_b f_a and g_b g_a: head_dim; 0: one map of full rank each
    int short_conv_kernel_size = 4;
    float gate_lower_bound = 0;  // 0: unbounded softplus gate

    // MLA
    int num_attention_heads = 0;
    int q_lora_rank = 0;  // of the queries' low-rank map; 0: one of full rank
    int kv_lora_rank = 0;
    int qk_nope_head_dim = 0;
    int qk_rope_head_dim = 0;
    int v_head_dim = 0;
    bool mla_use_nope = true;
    float rope_theta = 10000.f;        // used only where mla_use_nope is false
    bool rope_adjacent = false;        // likewise: neighbours are rotated together, else halves
    bool mla_head_gate = false;        // what a head has read is multiplied by a sigmoid of its own
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
    int num_expert_group = 1;
    int topk_group = 1;
    bool router_softmax = false;
    bool moe_renormalize = true;
    float routed_scaling_factor = 1;
    bool router_weights_from_biased_scores = false;
    std::vector<float> expert_limits, shared_limits;  // of activations (SwiGlu::limit), per layer, 0: none; empty: none anywhere

    int bos_token_id = -1, pad_token_id = -1;
    std::vector<int> eos_token_ids;

    bool is_kda(int layer) const { return layer_kinds[static_cast<size_t>(layer)] == "kda"; }
    std::vector<int> kda_layers() const {  // ascending
        std::vector<int> all;
        for (int layer = 0; layer < num_hidden_layers; ++layer)
            if (is_kda(layer)) all.push_back(layer);
        return all;
    }
    bool is_moe(int layer) const {
        if (!moe_layers.empty()) return moe_layers[static_cast<size_t>(layer)];
        return num_experts > 0 && layer >= first_k_dense_replace && layer % moe_layer_freq == 0;
    }
    float expert_limit(int layer) const { return expert_limits.empty() ? 0 : expert_limits[static_cast<size_t>(layer)]; }
    float shared_limit(int layer) const { return shared_limits.empty() ? 0 : shared_limits[static_cast<size_t>(layer)]; }
};

// Reads and checks config.json, in the vendor's spelling or in that of the transformers library's own class, of any family: unknown architectures are refused by name,
// every absurd or missing value and every feature that is not built here by file and field. A generation_config.json beside it adds its end tokens.
Result<ModelConfig> read_config(const std::filesystem::path& file);
Result<ModelConfig> parse_config(const std::string& json, const std::string& name_for_errors);

// What config.json calls the fields that say how this config's gates are bounded.
std::string_view gate_fields(const ModelConfig& config);

// config.json text of a config, in its vendor's spelling (klp init, klp quantize).
std::string to_json(const ModelConfig& config);

// Named shapes of `klp init --shape`: "tiny-spec", "tiny", "mini", "bench-700m", "kimi-linear-48b-4", "kimi-linear-48b", "ling-3.0-tiny", "ling-3.0-flash"
struct NamedShape {
    std::string_view name, about;
    ModelConfig config;
};
const std::vector<NamedShape>& named_shapes();

// The same config with every mixer MLA (design: the full-attention baseline).
ModelConfig all_mla(const ModelConfig& config);

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
