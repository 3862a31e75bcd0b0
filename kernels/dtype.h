// The names of the storage types, alone: the inner loops may include nothing that brings functions with it (cpu/simd/vector.inc.h).
#pragma once

#include <cstdint>

namespace klp {

// How a weight is stored, by ggml's names. A new type is one name here, one row in dtype.cpp and its functions in dtypes/.
// clang-format off
enum class DType : uint8_t {
    f32, f16, bf16,                               // a value is a block
    q8_0, q4_0, q4_1, q5_0, q5_1, iq4_nl, mxfp4,  // blocks of 32
    q2_k, q3_k, q4_k, q5_k, q6_k,                 // blocks of 256
    iq4_xs, iq3_s, iq3_xxs, iq2_s, iq2_xs, iq2_xxs, iq1_m, iq1_s
};
// clang-format on
inline constexpr int kDTypes = 23;

}  // namespace klp
