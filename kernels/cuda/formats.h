// Block formats as kernels read them, packed as they lie in the file: a lane takes eight values of a group of 32 at once, as the bytes that a tensor core's
// product takes from it. A format is one struct:
//   kBlock    values of a block
//   kBytes    of a block
//   kSubs     scales of a group: 1, or 2, of 16 values each
//   kMins     values are scale * q + min;  else scale * q
//   octet(b, s, c, to)   of group s of block b, what lane c of four holds: values 4 c .. 4 c + 3 and 16 + 4 c .. 16 + 4 c + 3
// kernels/dtypes has the formats value by value, and says what their bytes mean. q8_0 and q4_0 have a layout of their own (device.h).
#pragma once

#include <type_traits>

#include "kernels/cuda/numbers.h"
#include "kernels/dtypes/codebooks.h"
#include "kernels/dtypes/unpack.h"

namespace klp::cuda {

struct Octet {
    uint32_t q[2];                // four int8 each, the lowest value in the lowest byte
    float scale[2], min[2] = {};  // of q[0] and q[1]
};

namespace formats {

using Bytes = const unsigned char*;

// --- loads: rows begin at multiples of 64 bytes, so a block is aligned as the size of one is ----------------------------------------------------------

__device__ __forceinline__ uint32_t u8(Bytes p) { return __ldg(p); }
__device__ __forceinline__ uint32_t u16(Bytes p) { return __ldg(reinterpret_cast<const uint16_t*>(p)); }
template <int aligned>
__device__ __forceinline__ uint32_t u32(Bytes p) {
    if constexpr (aligned % 4 == 0) {
        return __ldg(reinterpret_cast<const uint32_t*>(p));
    } else if constexpr (aligned % 4 == 2) {
        return u16(p) | u16(p + 2) << 16;
    } else {  // out of two words that both have some of the bytes, so that none is read behind the end
        const int off = static_cast<int>(reinterpret_cast<uintptr_t>(p) % 4);
        const auto word = [](Bytes at) { return __ldg(reinterpret_cast<const uint32_t*>(at)); };
        return __funnelshift_r(word(p - off), word(p - off + (off > 0 ? 4 : 0)), static_cast<uint32_t>(off) * 8);
    }
}
__device__ __forceinline__ float half(uint32_t bits) { return from_f16(static_cast<uint16_t>(bits)); }
__device__ __forceinline__ float number(uint32_t v) { return static_cast<float>(static_cast<int>(v)); }

// --- four bytes at once --------------------------------------------------------------------------------------------------------------------------

// q - by of bytes that are 0..127, by up to 128.
__device__ __forceinline__ uint32_t less(uint32_t q, uint32_t by) { return ((q | 0x80808080u) - by * 0x01010101u) ^ 0x80808080u; }
// Bit i of four in the lowest bit of byte i.
__device__ __forceinline__ uint32_t spread(uint32_t bits) { return (bits & 15) * 0x00204081u & 0x01010101u; }
// q, negative where a bit is set; no byte is 0, so none carries.
__device__ __forceinline__ uint32_t with_signs(uint32_t q, uint32_t bits) {
    const uint32_t ones = spread(bits);
    return (q ^ ones * 255) + ones;
}
// Eight signs out of seven: the last makes the number of minuses even.
__device__ __forceinline__ uint32_t even(uint32_t seven) { return seven | (static_cast<uint32_t>(__popc(seven)) & 1) << 7; }

// Tables of bytes in registers.
constexpr uint32_t word_of(const int8_t* q) {
    uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word |= uint32_t{static_cast<uint8_t>(q[i])} << 8 * i;
    return word;
}
// q[n] for the nibbles n that bytes hold.
template <const int8_t (&q)[16]>
__device__ __forceinline__ uint32_t look_up(uint32_t nibbles) {
    constexpr uint32_t kTable[4] = {word_of(q), word_of(q + 4), word_of(q + 8), word_of(q + 12)};
    const uint32_t pairs = (nibbles | nibbles >> 4) & 0x00ff00ffu, at = (pairs | pairs >> 8) & 0x7777u;
    const uint32_t low = __byte_perm(kTable[0], kTable[1], at), high = __byte_perm(kTable[2], kTable[3], at);
    const uint32_t upper = (nibbles >> 3 & 0x01010101u) * 255;
    return (low & ~upper) | (high & upper);
}
// The values of four digits of two bits; of three bits.
__device__ __forceinline__ uint32_t digits2(uint32_t digits, uint32_t values) {
    const uint32_t pairs = (digits | digits << 4) & 0x0f0fu;
    return __byte_perm(values, 0, (pairs | pairs << 2) & 0x3333u);
}
__device__ __forceinline__ uint32_t digits3(uint32_t digits, uint32_t low, uint32_t high) {
    return __byte_perm(low, high, (digits & 7) | (digits & 0x38) << 1 | (digits & 0x1c0) << 2 | (digits & 0xe00) << 3);
}

// --- what formats share --------------------------------------------------------------------------------------------------------------------------

template <int block, int bytes, int subs, bool mins>
struct Format {
    static constexpr int kBlock = block, kBytes = bytes, kSubs = subs;
    static constexpr bool kMins = mins;
    __device__ __forceinline__ static uint32_t word(Bytes p) { return u32<bytes>(p); }
    // Values 4 c .. and 16 + 4 c .. of a block of 32, whose 16 bytes hold value j in the low and value j + 16 in the high half.
    __device__ __forceinline__ static void nibbles(Bytes b, int c, Octet& to) {
        const uint32_t w = word(b + 4 * c);
        to.q[0] = w & 0x0f0f0f0fu, to.q[1] = w >> 4 & 0x0f0f0f0fu;
    }
    // Values 4 c .. and 16 + 4 c .. of 32 bytes, of each the bits of a mask.
    __device__ __forceinline__ static void bits(Bytes b, int c, int shift, uint32_t mask, int up, Octet& to) {
        for (int h = 0; h < 2; ++h) to.q[h] |= (word(b + 16 * h + 4 * c) >> shift & mask * 0x01010101u) << up;
    }
    __device__ __forceinline__ static void scales(float first, float second, Octet& to) { to.scale[0] = first, to.scale[1] = second; }
    __device__ __forceinline__ static void mins_of(float first, float second, Octet& to) { to.min[0] = first, to.min[1] = second; }
};

// --- blocks of 32 --------------------------------------------------------------------------------------------------------------------------------

struct Q4_1 : Format<32, 20, 1, true> {
    __device__ static void octet(Bytes b, int, int c, Octet& to) {
        const float d = half(u16(b)), m = half(u16(b + 2));
        scales(d, d, to), mins_of(m, m, to);
        nibbles(b + 4, c, to);
    }
};
// Bits 4 c .. and 16 + 4 c .. of a word, as fifth bits.
__device__ __forceinline__ void add_fifths(uint32_t word, int c, Octet& to) {
    for (int h = 0; h < 2; ++h) to.q[h] |= spread(word >> (16 * h + 4 * c)) << 4;
}
struct Q5_0 : Format<32, 22, 1, false> {
    __device__ static void octet(Bytes b, int, int c, Octet& to) {
        const float d = half(u16(b));
        scales(d, d, to);
        nibbles(b + 6, c, to);
        add_fifths(word(b + 2), c, to);
        for (uint32_t& q : to.q) q = less(q, 16);
    }
};
struct Q5_1 : Format<32, 24, 1, true> {
    __device__ static void octet(Bytes b, int, int c, Octet& to) {
        const float d = half(u16(b)), m = half(u16(b + 2));
        scales(d, d, to), mins_of(m, m, to);
        nibbles(b + 8, c, to);
        add_fifths(word(b + 4), c, to);
    }
};
struct Iq4Nl : Format<32, 18, 1, false> {
    __device__ static void octet(Bytes b, int, int c, Octet& to) {
        const float d = half(u16(b));
        scales(d, d, to);
        nibbles(b + 2, c, to);
        for (uint32_t& q : to.q) q = look_up<blocks::kIq4Values>(q);
    }
};
struct Mxfp4 : Format<32, 17, 1, false> {
    __device__ static void octet(Bytes b, int, int c, Octet& to) {
        const uint32_t e = u8(b);
        const float d = __uint_as_float(e < 2 ? 0x200000u << e : (e - 1) << 23);  // 2^(e - 128)
        scales(d, d, to);
        nibbles(b + 1, c, to);
        for (uint32_t& q : to.q) q = look_up<blocks::kMxfp4Values>(q);
    }
};

// --- the K types ---------------------------------------------------------------------------------------------------------------------------------

struct Q2K : Format<256, 84, 2, true> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const uint32_t halves = word(b + 80), pair = u16(b + 2 * s);
        const float d = half(halves), dmin = half(halves >> 16);
        scales(d * number(pair & 15), d * number(pair >> 8 & 15), to);
        mins_of(-(dmin * number(pair >> 4 & 15)), -(dmin * number(pair >> 12)), to);
        to.q[0] = to.q[1] = 0;
        bits(b + 16 + s / 4 * 32, c, s % 4 * 2, 3, 0, to);
    }
};
struct Q3K : Format<256, 110, 2, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const float d = half(u16(b + 108));
        const uint32_t low = u16(b + 96 + 2 * s % 8) >> s / 4 * 4, high = u16(b + 104 + 2 * s % 4) >> s / 2 * 2;
        scales(d * number(((low & 15) | (high & 3) << 4) - 32), d * number(((low >> 8 & 15) | (high >> 8 & 3) << 4) - 32), to);
        to.q[0] = to.q[1] = 0;
        bits(b + 32 + s / 4 * 32, c, s % 4 * 2, 3, 0, to);
        bits(b, c, s, 1, 2, to);
        for (uint32_t& q : to.q) q = less(q, 4);
    }
};
// q4_k and q5_k: two halves, then a 6-bit scale and minimum for each group.
__device__ __forceinline__ void scales_of_32(Bytes b, int s, Octet& to) {
    const uint4 head = __ldg(reinterpret_cast<const uint4*>(b));
    const int at = s % 4 * 8;
    const uint32_t first = head.y >> at, second = head.z >> at, third = head.w >> at;
    const uint32_t scale = s < 4 ? first & 63 : (third & 15) | (first >> 6 & 3) << 4, min = s < 4 ? second & 63 : (third >> 4 & 15) | (second >> 6 & 3) << 4;
    to.scale[0] = to.scale[1] = half(head.x) * number(scale);
    to.min[0] = to.min[1] = -(half(head.x >> 16) * number(min));
}
struct Q4K : Format<256, 144, 1, true> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        scales_of_32(b, s, to);
        to.q[0] = to.q[1] = 0;
        bits(b + 16 + s / 2 * 32, c, s % 2 * 4, 15, 0, to);
    }
};
struct Q5K : Format<256, 176, 1, true> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        scales_of_32(b, s, to);
        to.q[0] = to.q[1] = 0;
        bits(b + 48 + s / 2 * 32, c, s % 2 * 4, 15, 0, to);
        bits(b + 16, c, s, 1, 4, to);
    }
};
struct Q6K : Format<256, 224, 2, false> {  // 210 in a file: cuda_backend.cu makes room
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const float d = half(u16(b + 208));
        const uint32_t pair = u16(b + 192 + 2 * s);
        scales(d * static_cast<float>(static_cast<int8_t>(pair)), d * static_cast<float>(static_cast<int8_t>(pair >> 8)), to);
        to.q[0] = to.q[1] = 0;
        bits(b + s / 4 * 64 + s % 2 * 32, c, s % 4 / 2 * 4, 15, 0, to);
        bits(b + 128 + s / 4 * 32, c, s % 4 * 2, 3, 4, to);
        for (uint32_t& q : to.q) q = less(q, 32);
    }
};

// --- the iq types --------------------------------------------------------------------------------------------------------------------------------

// The codebooks in device memory: what the host has is out of a kernel's reach.
template <int n>
struct Book {
    uint16_t entries[n];
    __device__ __forceinline__ uint32_t operator[](uint32_t place) const { return __ldg(entries + place); }
};
template <int n>
constexpr Book<n> copied(const uint16_t (&entries)[n]) {
    Book<n> book{};
    for (int i = 0; i < n; ++i) book.entries[i] = entries[i];
    return book;
}
static __device__ const Book<256> kBook2Xxs = copied(codebooks::kIq2Xxs);
static __device__ const Book<512> kBook2Xs = copied(codebooks::kIq2Xs);
static __device__ const Book<1024> kBook2S = copied(codebooks::kIq2S);
static __device__ const Book<256> kBook3Xxs = copied(codebooks::kIq3Xxs);
static __device__ const Book<512> kBook3S = copied(codebooks::kIq3S);
static __device__ const Book<2048> kBook1 = copied(codebooks::kIq1);

// Entries of eight values: of entries k = 0..3 of a group a lane has one half of two. f(k): an entry, g(k): its eight signs.
template <class Entry, class Signs>
__device__ __forceinline__ void of_eight(int c, Entry&& entry, Signs&& signs, Octet& to) {
    for (int h = 0; h < 2; ++h) {
        const int k = 2 * h + c / 2;
        to.q[h] = with_signs(digits2(entry(k) >> c % 2 * 8 & 255, 43 << 16 | 25 << 8 | 8), signs(k) >> c % 2 * 4);
    }
}
// The same of entries of four, n = 0..7 of a group; the values are a, a + step, ..
template <class Entry, class Signs>
__device__ __forceinline__ void of_four(int c, Entry&& entry, Signs&& signs, uint32_t low, uint32_t high, Octet& to) {
    for (int h = 0; h < 2; ++h) to.q[h] = with_signs(digits3(entry(4 * h + c), low, high), signs(2 * h + c / 2) >> c % 2 * 4);
}
// iq1: entries of -8, 0 and 8, and one more or less.  f(k): an entry, g(k): whether less
template <class Entry, class Minus>
__device__ __forceinline__ void of_eighths(int c, Entry&& entry, Minus&& minus, Octet& to) {
    for (int h = 0; h < 2; ++h) {
        const int k = 2 * h + c / 2;
        to.q[h] = digits2(entry(k) >> c % 2 * 8 & 255, minus(k) ? 0x07fff7u : 0x0901f9u);
    }
}

struct Iq4Xs : Format<256, 136, 1, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const uint32_t head = word(b), low = word(b + 4);
        const float scale = half(head) * number(((low >> 4 * s & 15) | (head >> (16 + 2 * s) & 3) << 4) - 32);
        scales(scale, scale, to);
        nibbles(b + 8 + 16 * s, c, to);
        for (uint32_t& q : to.q) q = look_up<blocks::kIq4Values>(q);
    }
};
struct Iq3S : Format<256, 110, 1, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const float scale = half(u16(b)) * number(1 + 2 * (u8(b + 106 + s / 2) >> s % 2 * 4 & 15));
        scales(scale, scale, to);
        const uint32_t ninth = u8(b + 66 + s);
        of_four(
            c, [&](int n) { return kBook3S[u8(b + 2 + 8 * s + n) | (ninth >> n & 1) << 8]; }, [&](int k) { return u8(b + 74 + 4 * s + k); }, 0x07050301u,
            0x0f0d0b09u, to);
    }
};
struct Iq3Xxs : Format<256, 98, 1, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const uint32_t w = word(b + 66 + 4 * s);
        const float scale = half(u16(b)) * (0.5f + number(w >> 28)) * 0.5f;
        scales(scale, scale, to);
        of_four(
            c, [&](int n) { return kBook3Xxs[u8(b + 2 + 8 * s + n)]; }, [&](int k) { return even(w >> 7 * k & 127); }, 0x1c140c04u, 0x3e342c24u, to);
    }
};
// Two scales of four bits in a byte.
__device__ __forceinline__ void scales_of_byte(float d, uint32_t byte, Octet& to) {
    to.scale[0] = d * (0.5f + number(byte & 15)) * 0.25f, to.scale[1] = d * (0.5f + number(byte >> 4)) * 0.25f;
}
struct Iq2S : Format<256, 82, 2, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        scales_of_byte(half(u16(b)), u8(b + 74 + s), to);
        const uint32_t upper = u8(b + 66 + s);
        of_eight(
            c, [&](int k) { return kBook2S[u8(b + 2 + 4 * s + k) | (upper >> 2 * k & 3) << 8]; }, [&](int k) { return u8(b + 34 + 4 * s + k); }, to);
    }
};
struct Iq2Xs : Format<256, 74, 2, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        scales_of_byte(half(u16(b)), u8(b + 66 + s), to);
        const auto pair = [&](int k) { return u16(b + 2 + 8 * s + 2 * k); };
        of_eight(
            c, [&](int k) { return kBook2Xs[pair(k) & 511]; }, [&](int k) { return even(pair(k) >> 9); }, to);
    }
};
struct Iq2Xxs : Format<256, 66, 1, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const uint32_t w = word(b + 6 + 8 * s);
        const float scale = half(u16(b)) * (0.5f + number(w >> 28)) * 0.25f;
        scales(scale, scale, to);
        of_eight(
            c, [&](int k) { return kBook2Xxs[u8(b + 2 + 8 * s + k)]; }, [&](int k) { return even(w >> 7 * k & 127); }, to);
    }
};
struct Iq1M : Format<256, 56, 2, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const uint32_t low = word(b + 48), high = word(b + 52), own = (s < 4 ? low : high) >> s / 2 % 2 * 16 >> s % 2 * 6;
        const float d = half((low >> 12 & 15) | (low >> 28) << 4 | (high >> 12 & 15) << 8 | (high >> 28) << 12);
        scales(d * number(1 + 2 * (own & 7)) * 0.125f, d * number(1 + 2 * (own >> 3 & 7)) * 0.125f, to);
        const uint32_t upper = u16(b + 32 + 2 * s);
        of_eighths(
            c, [&](int k) { return kBook1[u8(b + 4 * s + k) | (upper >> 4 * k & 7) << 8]; }, [&](int k) { return upper >> 4 * k & 8; }, to);
    }
};
struct Iq1S : Format<256, 50, 1, false> {
    __device__ static void octet(Bytes b, int s, int c, Octet& to) {
        const uint32_t w = u16(b + 34 + 2 * s);
        const float scale = half(u16(b)) * number(1 + 2 * (w >> 12 & 7)) * 0.125f;
        scales(scale, scale, to);
        of_eighths(
            c, [&](int k) { return kBook1[u8(b + 2 + 4 * s + k) | (w >> 3 * k & 7) << 8]; }, [&](int) { return w & 0x8000; }, to);
    }
};

}  // namespace formats

// f(format) for a type of blocks other than q8_0 and q4_0; every f returns the same type.
template <class F>
__device__ __forceinline__ auto with_format(DType type, F&& f) {
    using namespace formats;
    switch (type) {
        case DType::q4_1:
            return f(Q4_1{});
        case DType::q5_0:
            return f(Q5_0{});
        case DType::q5_1:
            return f(Q5_1{});
        case DType::iq4_nl:
            return f(Iq4Nl{});
        case DType::mxfp4:
            return f(Mxfp4{});
        case DType::q2_k:
            return f(Q2K{});
        case DType::q3_k:
            return f(Q3K{});
        case DType::q4_k:
            return f(Q4K{});
        case DType::q5_k:
            return f(Q5K{});
        case DType::q6_k:
            return f(Q6K{});
        case DType::iq4_xs:
            return f(Iq4Xs{});
        case DType::iq3_s:
            return f(Iq3S{});
        case DType::iq3_xxs:
            return f(Iq3Xxs{});
        case DType::iq2_s:
            return f(Iq2S{});
        case DType::iq2_xs:
            return f(Iq2Xs{});
        case DType::iq2_xxs:
            return f(Iq2Xxs{});
        case DType::iq1_m:
            return f(Iq1M{});
        default:
            return f(Iq1S{});
    }
}

// Lane c's values of the g-th group of a row.
template <class F>
__device__ __forceinline__ Octet octet(F, const unsigned char* row, int g, int c) {
    constexpr unsigned kGroups = F::kBlock / 32;
    const auto group = static_cast<unsigned>(g);
    Octet to;
    F::octet(row + int64_t{group / kGroups} * F::kBytes, static_cast<int>(group % kGroups), c, to);
    return to;
}
// The same for a type that is known at run time. Not inlined: a file has all formats once, however many kernels ask for them.
__device__ __noinline__ inline Octet octet(DType type, const unsigned char* row, int g, int c) {
    return with_format(type, [&](auto format) { return octet(format, row, g, c); });
}
// Value k of half h as it is, rounded once at the most: the product is exact.
__device__ __forceinline__ float value(const Octet& o, int h, int k) {
    return o.scale[h] * static_cast<float>(static_cast<int8_t>(o.q[h] >> 8 * k)) + o.min[h];
}
// Value i of a row.
__device__ __forceinline__ float value(DType type, const unsigned char* row, int64_t i) {
    const auto at = static_cast<int>(i % 32);
    const Octet o = octet(type, row, static_cast<int>(i / 32), at % 16 / 4);
    return at < 16 ? value(o, 0, at % 4) : value(o, 1, at % 4);
}

}  // namespace klp::cuda
