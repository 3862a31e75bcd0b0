// The K types: 256 values in sub-blocks of 32 or 16, whose scales (and minimums) are small whole numbers under one or two halves for all.
#include <algorithm>
#include <cmath>

#include "kernels/dtypes/blocks.h"
#include "kernels/dtypes/k_fit.h"

namespace klp::blocks {
namespace {

// q4_k and q5_k: eight 6-bit scales and eight 6-bit minimums in 12 bytes. The first four of each fill six bits of bytes 0..3 and 4..7; the other four have
// their low nibbles in bytes 8..11 and their upper two bits on top of those.
void scales_of_32(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b), dmin = half_at(b + 2);
    const uint8_t* s = b + 4;
    for (int j = 0; j < 8; ++j) {
        const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        const int min = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
        out.scale[2 * j] = out.scale[2 * j + 1] = d * static_cast<float>(scale);
        out.min[2 * j] = out.min[2 * j + 1] = -(dmin * static_cast<float>(min));
    }
}

// Two bits of each value: byte l of half h of the block has those of values 128 h + 32 t + l in its bits 2 t and 2 t + 1.
int two_bits(const uint8_t* bytes, int i) { return bytes[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3; }

void put_two_bits(const uint8_t* codes, uint8_t* bytes) {
    for (int i = 0; i < 256; ++i) bytes[i / 128 * 32 + i % 32] = static_cast<uint8_t>(bytes[i / 128 * 32 + i % 32] | codes[i] << i % 128 / 32 * 2);
}
void put_scales_of_32(const Lines<32>& f, uint8_t* b) {
    write(b, float_to_f16(f.d)), write(b + 2, float_to_f16(f.dmin));
    uint8_t* s = b + 4;
    for (int j = 0; j < 4; ++j) {
        s[j] = static_cast<uint8_t>(f.scale[j] | f.scale[j + 4] >> 4 << 6);
        s[j + 4] = static_cast<uint8_t>(f.min[j] | f.min[j + 4] >> 4 << 6);
        s[j + 8] = static_cast<uint8_t>((f.scale[j + 4] & 15) | f.min[j + 4] << 4);
    }
}
void put_nibbles(const uint8_t* codes, uint8_t* bytes) {  // of q4_k and q5_k
    for (int i = 0; i < 256; i += 64)
        for (int l = 0; l < 32; ++l) bytes[i / 2 + l] = static_cast<uint8_t>((codes[i + l] & 15) | codes[i + 32 + l] << 4);
}

}  // namespace

// 16 scales and minimums of 4 bits, 64 bytes of 2-bit values, d, dmin.  v = d scale q - dmin min, sub-blocks of 16
void unpack_q2_k(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b + 80), dmin = half_at(b + 82);
    for (int j = 0; j < 16; ++j) {
        out.scale[j] = d * static_cast<float>(b[j] & 15);
        out.min[j] = -(dmin * static_cast<float>(b[j] >> 4));
    }
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(two_bits(b + 16, i));
}
void encode_q2_k(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    const Lines<16> f(v, 3, 15, 0.5f);
    std::memset(b, 0, 84);
    for (int j = 0; j < 16; ++j) b[j] = static_cast<uint8_t>(f.scale[j] | f.min[j] << 4);
    put_two_bits(f.codes, b + 16);
    write(b + 80, float_to_f16(f.d)), write(b + 82, float_to_f16(f.dmin));
}

// 32 bytes of third bits, 64 bytes of 2-bit values, 16 scales of 6 bits in 12 bytes, d.  v = d (scale - 32) (q - 4), sub-blocks of 16
void unpack_q3_k(const uint8_t* b, Unpacked& out) {
    const uint8_t* s = b + 96;
    const float d = half_at(b + 108);
    for (int j = 0; j < 16; ++j) {
        const int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4, high = s[8 + j % 4] >> j / 4 * 2 & 3;
        out.scale[j] = d * static_cast<float>((low | high << 4) - 32);
    }
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(two_bits(b + 32, i) + 4 * (b[i % 32] >> i / 32 & 1) - 4);
}
void encode_q3_k(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    const Scales<16> f(v, Even{-4, 3}, 32, 0.4f);
    std::memset(b, 0, 110);
    uint8_t low[256];
    for (int i = 0; i < 256; ++i) {
        low[i] = f.codes[i] & 3;
        b[i % 32] = static_cast<uint8_t>(b[i % 32] | f.codes[i] >> 2 << i / 32);
    }
    put_two_bits(low, b + 32);
    for (int j = 0; j < 16; ++j) {
        const int s = f.scale[j] + 32;
        b[96 + j % 8] = static_cast<uint8_t>(b[96 + j % 8] | (s & 15) << j / 8 * 4);
        b[104 + j % 4] = static_cast<uint8_t>(b[104 + j % 4] | s >> 4 << j / 4 * 2);
    }
    write(b + 108, float_to_f16(f.d));
}

// d, dmin, 12 bytes of scales, 128 bytes: byte l of quarter p has value 64 p + l (low half) and 64 p + 32 + l.  v = d scale q - dmin min, sub-blocks of 32
void unpack_q4_k(const uint8_t* b, Unpacked& out) {
    scales_of_32(b, out);
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(b[16 + i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15);
}
void encode_q4_k(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    const Lines<32> f(v, 15, 63, 0.2f);
    put_scales_of_32(f, b);
    put_nibbles(f.codes, b + 16);
}

// As q4_k, with 32 bytes between: bit s of byte l is the fifth bit of value 32 s + l.
void unpack_q5_k(const uint8_t* b, Unpacked& out) {
    scales_of_32(b, out);
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>((b[48 + i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15) | (b[16 + i % 32] >> i / 32 & 1) << 4);
}
void encode_q5_k(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    const Lines<32> f(v, 31, 63, 0.1f);
    put_scales_of_32(f, b);
    std::memset(b + 16, 0, 32);
    for (int i = 0; i < 256; ++i) b[16 + i % 32] = static_cast<uint8_t>(b[16 + i % 32] | f.codes[i] >> 4 << i / 32);
    put_nibbles(f.codes, b + 48);
}

// 128 bytes of low nibbles, 64 bytes of upper two bits, 16 int8 scales, d.  v = d scale (q - 32), sub-blocks of 16. In a half of the block, byte l of 64 has
// values l (low half) and l + 64.
void unpack_q6_k(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b + 208);
    for (int j = 0; j < 16; ++j) out.scale[j] = d * static_cast<float>(static_cast<int8_t>(b[192 + j]));
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>((b[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15) + (two_bits(b + 128, i) << 4) - 32);
}
void encode_q6_k(const float* v, void* block) {
    auto* b = static_cast<uint8_t*>(block);
    const Scales<16> f(v, Even{-32, 31}, 128, 0.06f);
    uint8_t high[256];
    for (int i = 0; i < 256; ++i) high[i] = f.codes[i] >> 4;
    for (int i = 0; i < 256; i += 128)
        for (int l = 0; l < 64; ++l) b[i / 2 + l] = static_cast<uint8_t>((f.codes[i + l] & 15) | f.codes[i + 64 + l] << 4);
    std::memset(b + 128, 0, 64);
    put_two_bits(high, b + 128);
    for (int j = 0; j < 16; ++j) b[192 + j] = static_cast<uint8_t>(f.scale[j]);
    write(b + 208, float_to_f16(f.d));
}

}  // namespace klp::blocks
