// What the files of this folder share, and the functions that dtype.cpp's table is made of. A file here is one family of formats.
//
// Every block format is whole numbers under scales (unpack.h): decoding one, and multiplying with it where it has no loop of its own (cpu/simd), are the same
// few lines for all.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/dtypes/unpack.h"

namespace klp::blocks {

// f16 by bits, for any machine: nobody knows yet what this one has.
float f16_to_float(uint16_t h);
uint16_t float_to_f16(float f);  // to nearest, ties to even; too large becomes infinity; NaN stays NaN

template <class T>
T read(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
template <class T>
void write(void* to, T value) {
    std::memcpy(to, &value, sizeof value);
}
inline float half_at(const uint8_t* from) { return f16_to_float(read<uint16_t>(from)); }

// plain.cpp
void decode_f32(const void* block, float* values);
void encode_f32(const float* values, void* block);
void decode_f16(const void* block, float* values);
void encode_f16(const float* values, void* block);
void decode_bf16(const void* block, float* values);
void encode_bf16(const float* values, void* block);

// blocks32.cpp
void encode_q8_0(const float* values, void* block);
void encode_q4_0(const float* values, void* block);
void encode_q4_1(const float* values, void* block);
void encode_q5_0(const float* values, void* block);
void encode_q5_1(const float* values, void* block);
void encode_iq4_nl(const float* values, void* block);
void encode_mxfp4(const float* values, void* block);

// k_quants.cpp
void encode_q2_k(const float* values, void* block);
void encode_q3_k(const float* values, void* block);
void encode_q4_k(const float* values, void* block);
void encode_q5_k(const float* values, void* block);
void encode_q6_k(const float* values, void* block);

// iq.cpp
void encode_iq4_xs(const float* values, void* block);

}  // namespace klp::blocks
