// The families there are: each has a file here.
#pragma once

#include "core/files/family.h"

namespace klp {

extern const Family kKimiLinear;  // kimi_linear.cpp
extern const Family kLing;        // ling.cpp
extern const Family kQwen35, kQwen35Moe, kQwen3Next;  // qwen.cpp
ModelConfig ling_3_tiny();
ModelConfig ling_3_flash();
ModelConfig qwen_35_0_8b();
ModelConfig qwen_35_4b();
ModelConfig qwen_35_35b();

}  // namespace klp
