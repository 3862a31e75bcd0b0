#include "core/model/cost.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "core/files/weights.h"

namespace klp {

namespace {

// Bytes of a tensor where matrices are of this type.
double bytes_of(const TensorSpec& spec, DType type) {
    double values = 1;
    for (int64_t d : spec.shape) values *= static_cast<double>(d);
    const bool matrix = spec.shape.size() == 2 && !spec.name.ends_with("block_sparse_moe.gate.weight") && !spec.name.ends_with("_res_proj.weight");
    const DTypeInfo& row = info(matrix ? stored_type(spec.name, spec.shape, type) : DType::f32);
    return values / row.block * row.bytes;
}

}  // namespace

Costs::Costs(const ModelConfig& config, DType type, int cache_value_bytes)
    : config_(config),
      type_(type),
      cache_value_bytes_(cache_value_bytes    ? cache_value_bytes
                         : type == DType::f32 ? 4
                                              : 2) {
    kda_ = static_cast<double>(config.state_layers().size());
    mla_ = config.num_hidden_layers - kda_;
    for (const TensorSpec& spec : tensor_specs(config)) {
        double values = 1;
        for (int64_t d : spec.shape) values *= static_cast<double>(d);
        const double bytes = bytes_of(spec, type);
        if (spec.name == "model.embed_tokens.weight") {
            embedding_row_ = bytes / static_cast<double>(spec.shape[0]);
            if (config.tie_word_embeddings) head_values_ = values, head_bytes_ = bytes;
        } else if (spec.name == "lm_head.weight") {
            head_values_ = values, head_bytes_ = bytes;
        } else if (spec.name.find(".experts.") != std::string::npos) {
            expert_values_ += values / config.num_experts, expert_bytes_ += bytes / config.num_experts;
        } else {
            shared_bytes_ += bytes;
            if (spec.shape.size() >= 2) shared_values_ += values;
        }
    }
}

double Costs::experts_hit(double tokens) const {
    const double E = config_.num_experts, k = config_.num_experts_per_token;
    return E > 0 ? E * (1 - std::pow(1 - k / E, tokens)) : 0;
}

std::vector<LayerCost> Costs::layers() const {
    std::vector<LayerCost> all(static_cast<size_t>(config_.num_hidden_layers));
    constexpr std::string_view kLayers = "model.layers.";
    for (const TensorSpec& spec : tensor_specs(config_)) {
        if (!spec.name.starts_with(kLayers)) continue;
        LayerCost& layer = all[static_cast<size_t>(std::stoi(spec.name.substr(kLayers.size())))];
        const bool mixer = spec.name.find(".self_attn.") != std::string::npos || spec.name.ends_with(".input_layernorm.weight");
        const bool expert = spec.name.find(".experts.") != std::string::npos;
        (mixer ? layer.mixer : layer.ffn) += bytes_of(spec, type_) * (expert ? double(config_.num_experts_per_token) / config_.num_experts : 1);
    }
    constexpr int64_t kTokens = 1 << 16;  // whole pages of a cache
    const SequenceBytes all_bytes = sequence_bytes(config_, kTokens, cache_value_bytes_);
    for (int i = 0; i < config_.num_hidden_layers; ++i) {
        LayerCost& layer = all[static_cast<size_t>(i)];
        if (config_.has_state(i))
            layer.state = static_cast<double>(all_bytes.state + all_bytes.conv) / kda_;
        else
            layer.cache = static_cast<double>(all_bytes.cache) / kTokens / mla_;
    }
    return all;
}

Cost Costs::decode(int64_t context, int64_t sequences) const {
    const auto n = static_cast<double>(sequences);
    const SequenceBytes own = sequence_bytes(config_, context, cache_value_bytes_);
    Cost cost;
    cost.bytes = shared_bytes_ + head_bytes_ + experts_hit(n) * expert_bytes_ +
                 n * (embedding_row_ + 2.0 * static_cast<double>(own.state + own.conv) + static_cast<double>(own.cache));
    const double linear = shared_values_ + head_values_ + config_.num_experts_per_token * expert_values_;
    const double kda = 7.0 * config_.kda_heads * config_.kda_key_dim * config_.kda_value_dim;  // decay, two products with the state, its change
    // Of a query and a cached row: a product with the key, one with the value.
    const double row = config_.head_dim ? 2.0 * config_.head_dim : 2.0 * config_.kv_lora_rank + config_.qk_rope_head_dim;
    const double mla = 2.0 * config_.num_attention_heads * row * static_cast<double>(context);
    cost.operations = n * (2 * linear + kda_ * kda + mla_ * mla);
    return cost;
}

Cost Costs::prefill(int64_t tokens) const {
    const auto T = static_cast<double>(tokens);
    Cost cost;
    cost.bytes = shared_bytes_ + head_bytes_ + experts_hit(T) * expert_bytes_ + T * embedding_row_;
    const double linear = shared_values_ + config_.num_experts_per_token * expert_values_;
    constexpr double C = 64;  // tokens of a chunk
    const double K = config_.kda_key_dim, V = config_.kda_value_dim;
    const double kda = config_.kda_heads * (6 * K * V + 3 * C * (K + V) / 2 + C * C);
    const double pair =
        2.0 * config_.num_attention_heads *
        (config_.head_dim ? 2 * config_.head_dim : config_.qk_nope_head_dim + config_.qk_rope_head_dim + config_.v_head_dim);  // of a query and a key
    cost.operations = T * (2 * linear + kda_ * kda + mla_ * pair * T / 2) + 2 * head_values_;
    return cost;
}

double Costs::rate(const DeviceLimits& limits) const {
    if (info(type_).block > 1) return limits.int8_gops;
    return type_ == DType::bf16 ? std::max(limits.bf16_gflops, limits.f32_gflops) : limits.f32_gflops;
}

double Costs::seconds(const Cost& cost, const DeviceLimits& limits) const {
    if (!(limits.read_gb_s > 0) || !(rate(limits) > 0)) return NAN;
    return std::max(cost.bytes / limits.read_gb_s, cost.operations / rate(limits)) / 1e9;
}

}  // namespace klp
