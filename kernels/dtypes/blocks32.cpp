// Blocks of 32 values under one scale, a half, and in the _1 types a minimum, another. Nibble j of 16 bytes is value j (low half) and value j + 16 (high half).
#include <algorithm>
#include <cmath>

#include "kernels/dtypes/blocks.h"

namespace klp::blocks {
namespace {

void scale_all(Unpacked& out, float d) { out.scale[0] = out.scale[1] = d; }
void scale_all(Unpacked& out, float d, float min) {
    scale_all(out, d);
    out.min[0] = out.min[1] = min;
}

// f(value, nibble)
template <class F>
void each_nibble(const uint8_t* bytes, const F& f) {
    for (int j = 0; j < 16; ++j) f(j, bytes[j] & 15), f(j + 16, bytes[j] >> 4);
}
// The fifth bits of all 32 values lie together.
int fifth(uint32_t bits, int i) { return static_cast<int>(bits >> i & 1) << 4; }

}  // namespace

// d, 32 int8.  v = d q,  d = amax / 127
void unpack_q8_0(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b));
    std::memcpy(out.q, b + 2, 32);
}
void encode_q8_0(const float* v, void* block) {
    float amax = 0;
    for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(v[i]));
    const float d = amax / 127.f;
    const float inverse = d != 0 ? 1.f / d : 0.f;  // of the f32 scale, before it becomes a half
    auto* b = static_cast<uint8_t*>(block);
    write(b, float_to_f16(d));
    for (int i = 0; i < 32; ++i) {  // std::round, which is a call, in arithmetic that vectorises: halves away from zero
        const float x = v[i] * inverse;
        const auto whole = static_cast<int>(x);
        const float rest = x - static_cast<float>(whole);
        b[2 + i] = static_cast<uint8_t>(whole + (rest >= 0.5f) - (rest <= -0.5f));
    }
}

// d, 16 bytes.  v = d (nibble - 8);  the value of largest magnitude becomes nibble 0
void unpack_q4_0(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b));
    each_nibble(b + 2, [&](int i, int n) { out.q[i] = static_cast<int8_t>(n - 8); });
}
void encode_q4_0(const float* v, void* block) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) {
        if (std::fabs(v[i]) > std::fabs(largest)) largest = v[i];
    }
    const float d = largest / -8.f;
    const float inverse = d != 0 ? 1.f / d : 0.f;
    const auto nibble = [&](float x) {
        const int n = static_cast<int>(x * inverse + 8.5f);
        return n < 15 ? n : 15;
    };
    auto* b = static_cast<uint8_t*>(block);
    write(b, float_to_f16(d));
    for (int i = 0; i < 16; ++i) b[2 + i] = static_cast<uint8_t>(nibble(v[i]) | nibble(v[i + 16]) << 4);
}

// d, m, 16 bytes.  v = d nibble + m
void unpack_q4_1(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b), half_at(b + 2));
    each_nibble(b + 4, [&](int i, int n) { out.q[i] = static_cast<int8_t>(n); });
}

// d, 32 fifth bits, 16 bytes.  v = d (q - 16)
void unpack_q5_0(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b));
    const auto high = read<uint32_t>(b + 2);
    each_nibble(b + 6, [&](int i, int n) { out.q[i] = static_cast<int8_t>((n | fifth(high, i)) - 16); });
}

// d, m, 32 fifth bits, 16 bytes.  v = d q + m
void unpack_q5_1(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b), half_at(b + 2));
    const auto high = read<uint32_t>(b + 4);
    each_nibble(b + 8, [&](int i, int n) { out.q[i] = static_cast<int8_t>(n | fifth(high, i)); });
}

// d, 16 bytes.  v = d kIq4Values[nibble]
void unpack_iq4_nl(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b));
    each_nibble(b + 2, [&](int i, int n) { out.q[i] = kIq4Values[n]; });
}

// An exponent e, 16 bytes.  v = 2^(e - 128) kMxfp4Values[nibble]: the values are doubled, so 128 where E8M0 has 127. 2^-128 and 2^-127 are subnormal.
void unpack_mxfp4(const uint8_t* b, Unpacked& out) {
    const uint32_t bits = b[0] < 2 ? 0x200000u << b[0] : (b[0] - 1u) << 23;
    scale_all(out, read<float>(&bits));
    each_nibble(b + 1, [&](int i, int n) { out.q[i] = kMxfp4Values[n]; });
}

}  // namespace klp::blocks
