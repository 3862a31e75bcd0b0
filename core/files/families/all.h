// The families there are: each has a file here.
#pragma once

#include "core/files/family.h"

namespace klp {

extern const Family kKimiLinear;                      // kimi_linear.cpp
extern const Family kKimiK3;                          // kimi_k3.cpp
extern const Family kLing;                            // ling.cpp
extern const Family kQwen35, kQwen35Moe, kQwen3Next;  // qwen.cpp
// What Kimi's families have in common: kinds of layers, and KDA but for its gates of full rank. `linear`: linear_attn_config, null where there is none.
void read_kimi_layers(Fields& top, Fields* linear, ModelConfig& config);
void read_kimi_kda(Fields& top, Fields* linear, ModelConfig& config);
void write_kimi_linear(const ModelConfig& config, nlohmann::ordered_json& to);
void complete_kimi_linear(const GgufModel& model, nlohmann::json& config);
ModelConfig kimi_k3_small();
ModelConfig ling_3_tiny();
ModelConfig ling_3_flash();
ModelConfig qwen_35_0_8b();
ModelConfig qwen_35_4b();
ModelConfig qwen_35_35b();

}  // namespace klp
