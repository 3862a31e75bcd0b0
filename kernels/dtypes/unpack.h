// A block of any format in one form, as whole numbers under scales: value i is scale[i / 16] q[i] + min[i / 16]. This header is also read by files where
// nothing may have external linkage (cpu/simd/vector.inc.h), so it brings in no functions.
#pragma once

#include <cstdint>

namespace klp::blocks {

struct Unpacked {
    int8_t q[256];
    float scale[16];  // of 16 values each
    float min[16];    // only of the formats that have them; mostly negative
};

// blocks32.cpp
void unpack_q8_0(const uint8_t* block, Unpacked& out);
void unpack_q4_0(const uint8_t* block, Unpacked& out);
void unpack_q4_1(const uint8_t* block, Unpacked& out);
void unpack_q5_0(const uint8_t* block, Unpacked& out);
void unpack_q5_1(const uint8_t* block, Unpacked& out);
void unpack_iq4_nl(const uint8_t* block, Unpacked& out);
void unpack_mxfp4(const uint8_t* block, Unpacked& out);

// k_quants.cpp
void unpack_q2_k(const uint8_t* block, Unpacked& out);
void unpack_q3_k(const uint8_t* block, Unpacked& out);
void unpack_q4_k(const uint8_t* block, Unpacked& out);
void unpack_q5_k(const uint8_t* block, Unpacked& out);
void unpack_q6_k(const uint8_t* block, Unpacked& out);

// iq.cpp
void unpack_iq4_xs(const uint8_t* block, Unpacked& out);
void unpack_iq3_s(const uint8_t* block, Unpacked& out);
void unpack_iq3_xxs(const uint8_t* block, Unpacked& out);
void unpack_iq2_s(const uint8_t* block, Unpacked& out);
void unpack_iq2_xs(const uint8_t* block, Unpacked& out);
void unpack_iq2_xxs(const uint8_t* block, Unpacked& out);
void unpack_iq1_m(const uint8_t* block, Unpacked& out);
void unpack_iq1_s(const uint8_t* block, Unpacked& out);

// The 16 values of iq4_nl and iq4_xs, and of mxfp4 (E2M1, doubled).
constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace klp::blocks
