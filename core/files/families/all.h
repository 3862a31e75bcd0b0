// The families there are: each has a file here.
#pragma once

#include "core/files/family.h"

namespace klp {

extern const Family kKimiLinear;  // kimi_linear.cpp
extern const Family kLing;        // ling.cpp
ModelConfig ling_3_tiny();
ModelConfig ling_3_flash();

}  // namespace klp
