// The iq types: 256 values, most of them as places in a codebook, eight (or four) values an entry, beside their signs.
#include <array>
#include <bit>

#include "kernels/dtypes/blocks.h"
#include "kernels/dtypes/codebooks.h"
#include "kernels/dtypes/k_fit.h"

namespace klp::blocks {
namespace {

// Entries as the bytes they stand for, the first value lowest.
template <class Word, size_t N>
constexpr std::array<Word, N> spelt(const uint16_t (&book)[N], std::array<int8_t, 8> digit) {
    constexpr int kValues = sizeof(Word), kBits = kValues == 8 ? 2 : 3;
    std::array<Word, N> out{};
    for (size_t n = 0; n < N; ++n)
        for (int i = 0; i < kValues; ++i) out[n] |= Word{static_cast<uint8_t>(digit[book[n] >> kBits * i & ((1 << kBits) - 1)])} << 8 * i;
    return out;
}
constexpr std::array<int8_t, 8> kDigits2{8, 25, 43}, kDigits1{-8, 0, 8};  // iq1's are eighths
constexpr auto kBook2Xxs = spelt<uint64_t>(codebooks::kIq2Xxs, kDigits2);
constexpr auto kBook2Xs = spelt<uint64_t>(codebooks::kIq2Xs, kDigits2);
constexpr auto kBook2S = spelt<uint64_t>(codebooks::kIq2S, kDigits2);
constexpr auto kBook3Xxs = spelt<uint32_t>(codebooks::kIq3Xxs, {4, 12, 20, 28, 36, 44, 52, 62});
constexpr auto kBook3S = spelt<uint32_t>(codebooks::kIq3S, {1, 3, 5, 7, 9, 11, 13, 15});
constexpr auto kBook1 = spelt<uint64_t>(codebooks::kIq1, kDigits1);

// Bit i of `bits` in all bits of byte i.
constexpr auto kBytes = [] {
    std::array<uint64_t, 256> out{};
    for (unsigned bits = 0; bits < 256; ++bits)
        for (int i = 0; i < 8; ++i) out[bits] |= (bits >> i & 1) * (uint64_t{255} << 8 * i);
    return out;
}();
// Bytes of 1..127, negative where a bit is set: no carry leaves a byte, as none is 0.
uint64_t with_signs(uint64_t values, unsigned bits) { return (values ^ kBytes[bits]) + (kBytes[bits] & 0x0101010101010101u); }
// Seven signs, of which the eighth makes the number of minuses even.
constexpr auto kEven = [] {
    std::array<uint8_t, 128> out{};
    for (unsigned seven = 0; seven < 128; ++seven) out[seven] = static_cast<uint8_t>(seven | (std::popcount(seven) & 1u) << 7);
    return out;
}();
unsigned even(uint32_t seven) { return kEven[seven]; }

uint64_t two(uint32_t first, uint32_t second) { return first | uint64_t{second} << 32; }
void scale_32(Unpacked& out, int s, float scale) { out.scale[2 * s] = out.scale[2 * s + 1] = scale; }
int nibble(const uint8_t* bytes, int i) { return bytes[i / 2] >> i % 2 * 4 & 15; }

// Eight eighths, one more or less in each: of -8, 0 and 8 none carries into the next byte once 128 is added to all and taken away behind.
uint64_t with_delta(uint64_t values, bool minus) {
    constexpr uint64_t kOnes = 0x0101010101010101u, kTops = 0x8080808080808080u;
    const uint64_t up = values ^ kTops;
    return (minus ? up - kOnes : up + kOnes) ^ kTops;
}

}  // namespace

// d, eight 6-bit scales (upper two bits in one u16, low nibbles in four bytes), 128 bytes as eight blocks of iq4_nl.  v = d (scale - 32) kIq4Values[nibble]
void unpack_iq4_xs(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b);
    const auto high = read<uint16_t>(b + 2);
    for (int s = 0; s < 8; ++s) {
        scale_32(out, s, d * static_cast<float>((nibble(b + 4, s) | (high >> 2 * s & 3) << 4) - 32));
        for (int j = 0; j < 16; ++j) {
            const uint8_t pair = b[8 + 16 * s + j];
            out.q[32 * s + j] = kIq4Values[pair & 15];
            out.q[32 * s + 16 + j] = kIq4Values[pair >> 4];
        }
    }
}
void encode_iq4_xs(const float* v, void* block) {
    static const Table kTable(kIq4Values);
    auto* b = static_cast<uint8_t*>(block);
    const Scales<32> f(v, kTable, 32, 0.2f);
    std::memset(b, 0, 8);
    write(b, float_to_f16(f.d));
    uint16_t high = 0;
    for (int s = 0; s < 8; ++s) {
        const int scale = f.scale[s] + 32;
        b[4 + s / 2] = static_cast<uint8_t>(b[4 + s / 2] | (scale & 15) << s % 2 * 4);
        high = static_cast<uint16_t>(high | scale >> 4 << 2 * s);
        for (int j = 0; j < 16; ++j) b[8 + 16 * s + j] = static_cast<uint8_t>(f.codes[32 * s + j] | f.codes[32 * s + 16 + j] << 4);
    }
    write(b + 2, high);
}

// d, 64 low bytes of places, 8 bytes of their ninth bits, 32 bytes of signs, four bytes of scales.  v = d (1 + 2 scale) entry, sub-blocks of 32
void unpack_iq3_s(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b);
    const uint8_t *low = b + 2, *high = b + 66, *signs = b + 74;
    for (int s = 0; s < 8; ++s) {
        const unsigned ninth = high[s];
        const auto entry = [&](int n) { return kBook3S[low[8 * s + n] | (ninth >> n & 1) << 8]; };
        scale_32(out, s, d * static_cast<float>(1 + 2 * nibble(b + 106, s)));
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) write(out.q + 32 * s + 8 * k, with_signs(two(entry(2 * k), entry(2 * k + 1)), signs[4 * s + k]));
    }
}

// d, 64 places, then for each 32 values a u32: four times seven signs and a scale on top.  v = d (1/2 + scale) / 2 entry
void unpack_iq3_xxs(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b);
    for (int s = 0; s < 8; ++s) {
        const auto word = read<uint32_t>(b + 66 + 4 * s);
        scale_32(out, s, d * (0.5f + static_cast<float>(word >> 28)) * 0.5f);
        for (int k = 0; k < 4; ++k) {
            const uint8_t* place = b + 2 + 8 * s + 2 * k;
            write(out.q + 32 * s + 8 * k, with_signs(two(kBook3Xxs[place[0]], kBook3Xxs[place[1]]), even(word >> 7 * k & 127)));
        }
    }
}

// d, 32 low bytes of places, 32 bytes of signs, 8 bytes of upper two bits, 8 bytes of scales.  v = d (1/2 + scale) / 4 entry, sub-blocks of 16
void unpack_iq2_s(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b);
    const uint8_t *low = b + 2, *signs = b + 34, *high = b + 66;
    for (int j = 0; j < 16; ++j) out.scale[j] = d * (0.5f + static_cast<float>(nibble(b + 74, j))) * 0.25f;
    for (int s = 0; s < 8; ++s) {
        const unsigned upper = high[s];
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) write(out.q + 32 * s + 8 * k, with_signs(kBook2S[low[4 * s + k] | (upper >> 2 * k & 3) << 8], signs[4 * s + k]));
    }
}

// d, 32 u16: a place of nine bits and seven signs; 8 bytes of scales.  v = d (1/2 + scale) / 4 entry, sub-blocks of 16
void unpack_iq2_xs(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b);
    for (int j = 0; j < 16; ++j) out.scale[j] = d * (0.5f + static_cast<float>(nibble(b + 66, j))) * 0.25f;
    for (int n = 0; n < 32; ++n) {
        const auto word = read<uint16_t>(b + 2 + 2 * n);
        write(out.q + 8 * n, with_signs(kBook2Xs[word & 511], even(word >> 9)));
    }
}

// d, then for each 32 values four places and a u32: four times seven signs and a scale on top.  v = d (1/2 + scale) / 4 entry
void unpack_iq2_xxs(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b);
    for (int s = 0; s < 8; ++s) {
        const uint8_t* places = b + 2 + 8 * s;
        const auto word = read<uint32_t>(places + 4);
        scale_32(out, s, d * (0.5f + static_cast<float>(word >> 28)) * 0.25f);
        for (int k = 0; k < 4; ++k) write(out.q + 32 * s + 8 * k, with_signs(kBook2Xxs[places[k]], even(word >> 7 * k & 127)));
    }
}

// 32 low bytes of places; 32 nibbles: their upper three bits and the sign of an eighth; four u16 of four 3-bit scales each, whose top nibbles together are d.
// v = d (1 + 2 scale) (entry + or - 1/8), sub-blocks of 16
void unpack_iq1_m(const uint8_t* b, Unpacked& out) {
    uint16_t words[4], d = 0;
    std::memcpy(words, b + 48, 8);
    for (int i = 0; i < 4; ++i) d = static_cast<uint16_t>(d | words[i] >> 12 << 4 * i);
    const float scale = f16_to_float(d);
    for (int j = 0; j < 16; ++j) out.scale[j] = scale * static_cast<float>(1 + 2 * (words[j / 4] >> j % 4 * 3 & 7)) * 0.125f;
    for (int n = 0; n < 32; ++n) {
        const int high = nibble(b + 32, n);
        write(out.q + 8 * n, with_delta(kBook1[b[n] | (high & 7) << 8], high & 8));
    }
}

// d, 32 low bytes of places; for each 32 values a u16: four times the upper three bits, a 3-bit scale and the sign of an eighth.
// v = d (1 + 2 scale) (entry + or - 1/8)
void unpack_iq1_s(const uint8_t* b, Unpacked& out) {
    const float d = half_at(b);
    for (int s = 0; s < 8; ++s) {
        const auto word = read<uint16_t>(b + 34 + 2 * s);
        scale_32(out, s, d * static_cast<float>(1 + 2 * (word >> 12 & 7)) * 0.125f);
        for (int k = 0; k < 4; ++k) write(out.q + 32 * s + 8 * k, with_delta(kBook1[b[2 + 4 * s + k] | (word >> 3 * k & 7) << 8], word & 0x8000));
    }
}

}  // namespace klp::blocks
