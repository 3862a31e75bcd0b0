// The K types: 256 values in sub-blocks of 32 or 16, whose scales (and minimums) are small whole numbers under one or two halves for all.
#include "kernels/dtypes/blocks.h"

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

// d, dmin, 12 bytes of scales, 128 bytes: byte l of quarter p has value 64 p + l (low half) and 64 p + 32 + l.  v = d scale q - dmin min, sub-blocks of 32
void unpack_q4_k(const uint8_t* b, Unpacked& out) {
    scales_of_32(b, out);
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(b[16 + i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15);
}

// As q4_k, with 32 bytes between: bit s of byte l is the fifth bit of value 32 s + l.
void unpack_q5_k(const uint8_t* b, Unpacked& out) {
    scales_of_32(b, out);
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>((b[48 + i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15) | (b[16 + i % 32] >> i / 32 & 1) << 4);
}

// 128 bytes of low nibbles, 64 bytes of upper two bits, 16 int8 scales, d.  v = d scale (q - 32), sub-blocks of 16. In a half of the block, byte l of 64 has
// values l (low half) and l + 64.
void unpack_q6_k(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b + 208);
    for (int j = 0; j < 16; ++j) out.scale[j] = d * static_cast<float>(static_cast<int8_t>(b[192 + j]));
    for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>((b[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15) + (two_bits(b + 128, i) << 4) - 32);
}

}  // namespace klp::blocks
