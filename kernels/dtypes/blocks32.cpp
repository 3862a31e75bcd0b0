// Blocks of 32 values under one scale, a half, and in the _1 types a minimum, another. Nibble j of 16 bytes is value j (low half) and value j + 16 (high half).
#include <algorithm>
#include <cmath>

#include "kernels/dtypes/blocks.h"
#include "kernels/dtypes/fit.h"

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

void put_nibbles(const uint8_t* codes, uint8_t* to) {
    for (int j = 0; j < 16; ++j) to[j] = static_cast<uint8_t>((codes[j] & 15) | codes[j + 16] << 4);
}
void put_fifths(const uint8_t* codes, uint8_t* to) {
    uint32_t bits = 0;
    for (int i = 0; i < 32; ++i) bits |= uint32_t{codes[i] >> 4 & 1u} << i;
    write(to, bits);
}
// 2^(e - 128), subnormals included.
float power(int e) {
    const uint32_t bits = e < 2 ? 0x200000u << e : (static_cast<uint32_t>(e) - 1) << 23;
    return read<float>(&bits);
}
// A half at `to`, and what it is.
float put_half(float f, uint8_t* to) {
    write(to, float_to_f16(f));
    return half_at(to);
}
// Scale and minimum at b and b + 2.
void encode_line(const float* v, int levels, float slack, uint8_t* b, uint8_t* codes) {
    const Values<32> x(v);
    const Line line = fit_line(x, levels, slack, 8, false);
    const float d = put_half(line.scale, b), min = put_half(line.min, b + 2);
    x.codes(Even{0, static_cast<float>(levels)}, d, min, codes);
}

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
void encode_q4_1(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    uint8_t codes[32];
    encode_line(v, 15, 0.2f, b, codes);
    put_nibbles(codes, b + 4);
}

// d, 32 fifth bits, 16 bytes.  v = d (q - 16)
void unpack_q5_0(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b));
    const auto high = read<uint32_t>(b + 2);
    each_nibble(b + 6, [&](int i, int n) { out.q[i] = static_cast<int8_t>((n | fifth(high, i)) - 16); });
}
void encode_q5_0(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    const Values<32> x(v);
    const Even grid{-16, 15};
    uint8_t codes[32];
    x.codes(grid, put_half(fit_scale(x, grid, 0.1f, 6), b), 0, codes);
    put_fifths(codes, b + 2);
    put_nibbles(codes, b + 6);
}

// d, m, 32 fifth bits, 16 bytes.  v = d q + m
void unpack_q5_1(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b), half_at(b + 2));
    const auto high = read<uint32_t>(b + 4);
    each_nibble(b + 8, [&](int i, int n) { out.q[i] = static_cast<int8_t>(n | fifth(high, i)); });
}
void encode_q5_1(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    uint8_t codes[32];
    encode_line(v, 31, 0.1f, b, codes);
    put_fifths(codes, b + 4);
    put_nibbles(codes, b + 8);
}

// d, 16 bytes.  v = d kIq4Values[nibble]
void unpack_iq4_nl(const uint8_t* b, Unpacked& out) {
    scale_all(out, half_at(b));
    each_nibble(b + 2, [&](int i, int n) { out.q[i] = kIq4Values[n]; });
}
void encode_iq4_nl(const float* v, void* block) {
    static const Table kTable(kIq4Values);
    auto* b = static_cast<uint8_t*>(block);
    const Values<32> x(v);
    uint8_t codes[32];
    x.codes(kTable, put_half(fit_scale(x, kTable, 0.2f, 6), b), 0, codes);
    put_nibbles(codes, b + 2);
}

// An exponent e, 16 bytes.  v = 2^(e - 128) kMxfp4Values[nibble]: the values are doubled, so 128 where E8M0 has 127. 2^-128 and 2^-127 are subnormal.
void unpack_mxfp4(const uint8_t* b, Unpacked& out) {
    scale_all(out, power(b[0]));
    each_nibble(b + 1, [&](int i, int n) { out.q[i] = kMxfp4Values[n]; });
}
void encode_mxfp4(const float* v, void* block) {
    // Ascending, and their codes: 12 and its negative at the ends; 0 is 0, not 8.
    static constexpr int8_t kValues[16] = {-12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12};
    static constexpr uint8_t kCodes[16] = {15, 14, 13, 12, 11, 10, 9, 0, 0, 1, 2, 3, 4, 5, 6, 7};
    static const Table kTable(kValues);
    auto* b = static_cast<uint8_t*>(block);
    const Values<32> x(v);
    float amax = 0;
    for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(v[i]));
    int exponent = 0, best = 0;
    std::frexp(amax, &exponent);  // amax < 2^exponent; under 2^(exponent - 4), t = 1, 12 is 3/4 of that
    float least_error = 0;
    for (const int t : {1, 0, 2}) {
        const int e = std::clamp(amax > 0 ? exponent + 123 + t : 0, 0, 254);
        const float error = x.error(kTable, power(e), 0);
        if (t == 1 || error < least_error) least_error = error, best = e;
    }
    uint8_t codes[32];
    x.codes(kTable, power(best), 0, codes);
    for (uint8_t& code : codes) code = kCodes[code];
    b[0] = static_cast<uint8_t>(best);
    put_nibbles(codes, b + 1);
}

}  // namespace klp::blocks
