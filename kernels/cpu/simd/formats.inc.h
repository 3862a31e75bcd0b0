// Block formats as the inner loops read them: always 256 values, one block of 256 or eight of 32, as four pairs of groups of 32. A format is one struct:
//   kBytes         of 256 values
//   kSubs          scales of a group: 1, or 2, of 16 values each
//   kMins          values are scale * w + min, and w is 0..127;  else values are scale * w, w is any int8, and bytes are w + 128: what VPDPBUSD multiplies with
//   open(w)        where values are not made one by one
//   pair(w, p, to) groups 2 p and 2 p + 1
//   scales(w, s, m)  all 8 kSubs of them, and as many minimums
// Bits go straight to where w + 128 has them, times a power of two that the scales make good: a nibble n of q4_0 is the byte 16 n. So a value costs two or
// three operations on vectors of 16-bit lanes, which every machine can shift. dtypes/ has the formats value by value. A part of products.cpp.
#pragma once

#include "kernels/cpu/simd/vector.inc.h"
#include "kernels/dtype.h"
#include "kernels/dtypes/unpack.h"

namespace klp {
namespace {

typedef uint16_t Group __attribute__((vector_size(32)));  // 32 bytes
typedef uint16_t HalfGroup __attribute__((vector_size(16)));
typedef float F8 __attribute__((vector_size(32)));
typedef float F16 __attribute__((vector_size(64)));
typedef uint32_t U8 __attribute__((vector_size(32)));
typedef int32_t I8 __attribute__((vector_size(32)));
template <int kSubs>
struct ScalesOf;
template <>
struct ScalesOf<1> {
    using Type = F8;
};
template <>
struct ScalesOf<2> {
    using Type = F16;
};

// Vectors wider than the machine's go by reference: a call with them by value would depend on the instruction set.
inline void load_group(const char* p, Group& to) { __builtin_memcpy(&to, p, sizeof to); }
// to |= the bits of `mask` of each byte of v, shifted to the left by n first, to the right where n < 0.
template <int n, uint8_t mask>
inline void add_bits(const Group& v, Group& to) {
    constexpr uint16_t kMask = mask * 0x101;
    if constexpr (n >= 0)
        to |= v << n & kMask;
    else
        to |= v >> -n & kMask;
}
inline uint32_t u32_at(const char* p) { return load_as<uint32_t>(p); }

// 16 bytes, low nibbles in front of high ones, in the low halves of bytes (the high halves are to be cleared).
inline void load_nibbles(const char* p, Group& to) {
    const auto bytes = load_as<HalfGroup>(p);
    to = __builtin_shufflevector(bytes, HalfGroup(bytes >> 4), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
// Bit i in bit 7 of byte i.
inline void spread_bits(uint32_t bits, Group& to) {
#if defined(__AVX512BW__)
    to = reinterpret_cast<Group>(_mm256_movm_epi8(bits)) & 0x8080;
#elif defined(__AVX2__)
    const __m256i bytes =
        _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0));
    const __m256i own = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
    to = reinterpret_cast<Group>(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, own), own)) & 0x8080;
#else
    uint64_t words[4];
    for (int i = 0; i < 4; ++i) words[i] = (((bits >> 8 * i & 255) * 0x0101010101010101u & 0x8040201008040201u) + 0x7f7f7f7f7f7f7f7fu) & 0x8080808080808080u;
    __builtin_memcpy(&to, words, sizeof to);
#endif
}
// table[nibble] + 128 for the nibbles of load_nibbles.
inline void look_up(const int8_t* table, Group& v) {
    v &= 0x0f0f;
#if defined(__AVX2__)
    const __m256i values = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
    v = reinterpret_cast<Group>(_mm256_shuffle_epi8(values, reinterpret_cast<__m256i>(v))) ^ 0x8080;
#elif defined(__aarch64__)
    const uint8x16_t values = vreinterpretq_u8_s8(vld1q_s8(table));
    uint8x16_t halves[2];
    __builtin_memcpy(halves, &v, sizeof halves);
    for (uint8x16_t& half : halves) half = vqtbl1q_u8(values, half);
    __builtin_memcpy(&v, halves, sizeof halves);
    v ^= 0x8080;
#else
    uint8_t bytes[32];
    __builtin_memcpy(bytes, &v, sizeof v);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(table[b] + 128);
    __builtin_memcpy(&v, bytes, sizeof v);
#endif
}

// --- scales ---------------------------------------------------------------------------------------------------------------------------------

inline float one_half(const char* p) {
#if defined(__AVX2__)
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(load_as<uint16_t>(p))));
#elif defined(__aarch64__)
    return static_cast<float>(load_as<__fp16>(p));
#else
    uint16_t half[kLanes] = {load_as<uint16_t>(p)};
    return from_f16(half)[0];
#endif
}
// Halves `apart` bytes from each other: inserted one by one, as storing them and loading them together would stall.
template <int apart>
inline void eight_halves(const char* w, F8& to) {
    uint16_t h[8];
    for (int b = 0; b < 8; ++b) __builtin_memcpy(h + b, w + b * apart, 2);
#if defined(__AVX2__)
    to = reinterpret_cast<F8>(
        _mm256_cvtph_ps(_mm_set_epi16(static_cast<short>(h[7]), static_cast<short>(h[6]), static_cast<short>(h[5]), static_cast<short>(h[4]),
                                      static_cast<short>(h[3]), static_cast<short>(h[2]), static_cast<short>(h[1]), static_cast<short>(h[0]))));
#else
    float f[8];
    for (int b = 0; b < 8; b += kLanes) store(f + b, from_f16(h + b));
    __builtin_memcpy(&to, f, sizeof to);
#endif
}
inline void eight_bytes(uint64_t bytes, F8& to) {
#if defined(__AVX2__)
    to = reinterpret_cast<F8>(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)))));
#else
    for (int i = 0; i < 8; ++i) to[i] = static_cast<float>(bytes >> 8 * i & 255);
#endif
}
// Signed bytes, the first of them lowest.
inline void sixteen_bytes(uint64_t low, uint64_t high, F16& to) {
#if defined(__AVX512F__)
    to = reinterpret_cast<F16>(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low)))));
#elif defined(__AVX2__)
    const F8 two[2] = {reinterpret_cast<F8>(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(low))))),
                       reinterpret_cast<F8>(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(high)))))};
    __builtin_memcpy(&to, two, sizeof to);
#else
    for (int i = 0; i < 16; ++i) to[i] = static_cast<float>(static_cast<int8_t>((i < 8 ? low : high) >> i % 8 * 8));
#endif
}

// --- blocks of 32 ---------------------------------------------------------------------------------------------------------------------------

// A block of kBlock bytes: a half, in the types with minimums another, and the values.
template <int kBlock, bool mins>
struct Of32 {
    static constexpr int kBytes = 8 * kBlock, kSubs = 1;
    static constexpr bool kMins = mins;
    void open(const char*) {}
    static void scales(const char* w, F8& s, F8& m) {
        eight_halves<kBlock>(w, s);
        if constexpr (mins) eight_halves<kBlock>(w + 2, m);
    }
};
struct Q8 : Of32<34, false> {
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            load_group(w + (2 * p + i) * 34 + 2, to[i]);
            to[i] ^= 0x8080;
        }
    }
};
struct Q4 : Of32<18, false> {
    static void scales(const char* w, F8& s, F8& m) {
        Of32::scales(w, s, m);
        s *= 1 / 16.f;
    }
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            load_nibbles(w + (2 * p + i) * 18 + 2, to[i]);
            to[i] = to[i] << 4 & 0xf0f0;
        }
    }
};
struct Q4_1 : Of32<20, true> {
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            load_nibbles(w + (2 * p + i) * 20 + 4, to[i]);
            to[i] &= 0x0f0f;
        }
    }
};
struct Q5_0 : Of32<22, false> {
    static void scales(const char* w, F8& s, F8& m) {
        Of32::scales(w, s, m);
        s *= 1 / 8.f;
    }
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            const char* block = w + (2 * p + i) * 22;
            Group fifth;
            load_nibbles(block + 6, to[i]);
            spread_bits(u32_at(block + 2), fifth);
            to[i] = (to[i] << 3 & 0x7878) | fifth;
        }
    }
};
struct Q5_1 : Of32<24, true> {
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            const char* block = w + (2 * p + i) * 24;
            Group fifth;
            load_nibbles(block + 8, to[i]);
            spread_bits(u32_at(block + 4), fifth);
            to[i] = (to[i] & 0x0f0f) | fifth >> 3;
        }
    }
};
struct Iq4Nl : Of32<18, false> {
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            load_nibbles(w + (2 * p + i) * 18 + 2, to[i]);
            look_up(blocks::kIq4Values, to[i]);
        }
    }
};
struct Mxfp4 : Of32<17, false> {
    static void scales(const char* w, F8& s, F8&) {
        uint64_t bytes = 0;
        for (int b = 0; b < 8; ++b) bytes |= uint64_t{static_cast<uint8_t>(w[b * 17])} << 8 * b;
        U8 e;
#if defined(__AVX2__)
        e = reinterpret_cast<U8>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes))));
#else
        for (int b = 0; b < 8; ++b) e[b] = bytes >> 8 * b & 255;
#endif
        const U8 normal = (e - 1) << 23, subnormal = (e + 1) << 21;  // 2^-128 is 1 << 21, 2^-127 is 2 << 21
        s = reinterpret_cast<F8>(e < 2 ? subnormal : normal);
    }
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            load_nibbles(w + (2 * p + i) * 17 + 1, to[i]);
            look_up(blocks::kMxfp4Values, to[i]);
        }
    }
};

// --- blocks of 256 --------------------------------------------------------------------------------------------------------------------------

// f(p as a constant): shifts by constants, whatever the loop around becomes.
template <class F>
inline void with_pair(int p, const F& f) {
    if (p == 0) f.template run<0>();
    if (p == 1) f.template run<1>();
    if (p == 2) f.template run<2>();
    if (p == 3) f.template run<3>();
}

template <int bytes, int subs, bool mins>
struct Of256 {
    static constexpr int kBytes = bytes, kSubs = subs;
    static constexpr bool kMins = mins;
    void open(const char*) {}
};
// q4_k and q5_k: eight scales and eight minimums of six bits in 12 bytes.
inline void scales_of_32(const char* w, F8& s, F8& m) {
    constexpr uint32_t k6 = 0x3f3f3f3f, k4 = 0x0f0f0f0f, k2 = 0x30303030;
    const uint32_t a = u32_at(w + 4), b = u32_at(w + 8), c = u32_at(w + 12);
    eight_bytes((a & k6) | uint64_t{(c & k4) | (a >> 2 & k2)} << 32, s);
    eight_bytes((b & k6) | uint64_t{(c >> 4 & k4) | (b >> 2 & k2)} << 32, m);
    s *= one_half(w);
    m *= -one_half(w + 2);
}
struct Q4K : Of256<144, 1, true> {
    static void scales(const char* w, F8& s, F8& m) { scales_of_32(w, s, m); }
    static void pair(const char* w, int p, Group* to) {
        Group v;
        load_group(w + 16 + 32 * p, v);
        to[0] = v & 0x0f0f;
        to[1] = v >> 4 & 0x0f0f;
    }
};
struct Q5K : Of256<176, 1, true> {
    static void scales(const char* w, F8& s, F8& m) { scales_of_32(w, s, m); }
    struct Pair {
        const char* w;
        Group* to;
        template <int p>
        void run() const {
            Group v, high;
            load_group(w + 48 + 32 * p, v);
            load_group(w + 16, high);
            to[0] = v & 0x0f0f;
            to[1] = v >> 4 & 0x0f0f;
            add_bits<4 - 2 * p, 0x10>(high, to[0]);
            add_bits<3 - 2 * p, 0x10>(high, to[1]);
        }
    };
    static void pair(const char* w, int p, Group* to) { with_pair(p, Pair{w, to}); }
};
struct Q6K : Of256<210, 2, false> {
    static void scales(const char* w, F16& s, F16&) {
        sixteen_bytes(load_as<uint64_t>(w + 192), load_as<uint64_t>(w + 200), s);
        s *= one_half(w + 208) * (1 / 4.f);
    }
    struct Pair {
        const char* w;
        Group* to;
        template <int p>
        void run() const {
            Group a, b, high;
            load_group(w + p / 2 * 64, a);
            load_group(w + p / 2 * 64 + 32, b);
            load_group(w + 128 + p / 2 * 32, high);
            constexpr int kLow = p % 2 ? -2 : 2, kHigh = p % 2 ? 2 : 6;
            to[0] = to[1] = Group{};
            add_bits<kLow, 0x3c>(a, to[0]);
            add_bits<kHigh, 0xc0>(high, to[0]);
            add_bits<kLow, 0x3c>(b, to[1]);
            add_bits<kHigh - 2, 0xc0>(high, to[1]);
        }
    };
    static void pair(const char* w, int p, Group* to) { with_pair(p, Pair{w, to}); }
};
struct Q3K : Of256<110, 2, false> {
    static void scales(const char* w, F16& s, F16&) {
        constexpr uint32_t k4 = 0x0f0f0f0f, k2 = 0x30303030;
        const uint32_t a = u32_at(w + 96), b = u32_at(w + 100), high = u32_at(w + 104);
        sixteen_bytes((a & k4) | (high << 4 & k2) | uint64_t{(b & k4) | (high << 2 & k2)} << 32,
                      (a >> 4 & k4) | (high & k2) | uint64_t{(b >> 4 & k4) | (high >> 2 & k2)} << 32, s);
        s = (s - 32.f) * (one_half(w + 108) * (1 / 32.f));
    }
    struct Pair {
        const char* w;
        Group* to;
        template <int p>
        void run() const {
            Group v, third;
            load_group(w + 32 + p / 2 * 32, v);
            load_group(w, third);
            constexpr int t = p % 2 * 4;
            to[0] = to[1] = Group{};
            add_bits<5 - t, 0x60>(v, to[0]);
            add_bits<7 - 2 * p, 0x80>(third, to[0]);
            add_bits<3 - t, 0x60>(v, to[1]);
            add_bits<6 - 2 * p, 0x80>(third, to[1]);
        }
    };
    static void pair(const char* w, int p, Group* to) { with_pair(p, Pair{w, to}); }
};
struct Q2K : Of256<84, 2, true> {
    static void scales(const char* w, F16& s, F16& m) {
        constexpr uint64_t k4 = 0x0f0f0f0f0f0f0f0f;
        const auto a = load_as<uint64_t>(w), b = load_as<uint64_t>(w + 8);
        sixteen_bytes(a & k4, b & k4, s);
        sixteen_bytes(a >> 4 & k4, b >> 4 & k4, m);
        s *= one_half(w + 80);
        m *= -one_half(w + 82);
    }
    struct Pair {
        const char* w;
        Group* to;
        template <int p>
        void run() const {
            Group v;
            load_group(w + 16 + p / 2 * 32, v);
            to[0] = to[1] = Group{};
            add_bits<p % 2 * -4, 0x03>(v, to[0]);
            add_bits<p % 2 * -4 - 2, 0x03>(v, to[1]);
        }
    };
    static void pair(const char* w, int p, Group* to) { with_pair(p, Pair{w, to}); }
};
struct Iq4Xs : Of256<136, 1, false> {
    static void scales(const char* w, F8& s, F8&) {
        const U8 low = u32_at(w + 4) - U8{}, high = load_as<uint16_t>(w + 2) - U8{}, at = {0, 1, 2, 3, 4, 5, 6, 7};
        const I8 whole = reinterpret_cast<I8>((low >> 4 * at & 15) | (high >> 2 * at & 3) << 4) - 32;
        s = __builtin_convertvector(whole, F8) * one_half(w);
    }
    static void pair(const char* w, int p, Group* to) {
        for (int i = 0; i < 2; ++i) {
            load_nibbles(w + 8 + (2 * p + i) * 16, to[i]);
            look_up(blocks::kIq4Values, to[i]);
        }
    }
};

// Places in codebooks: whole blocks are unpacked as dtypes/ does it.
template <void unpack(const uint8_t*, blocks::Unpacked&), int bytes>
struct Codebook : Of256<bytes, 2, false> {
    blocks::Unpacked block;
    void open(const char* w) { unpack(reinterpret_cast<const uint8_t*>(w), block); }
    void scales(const char*, F16& s, F16&) const { __builtin_memcpy(&s, block.scale, sizeof s); }
    void pair(const char*, int p, Group* to) const {
        for (int i = 0; i < 2; ++i) {
            load_group(reinterpret_cast<const char*>(block.q) + (2 * p + i) * 32, to[i]);
            to[i] ^= 0x8080;
        }
    }
};

// f(format)
template <class F>
inline auto with_format(DType type, F&& f) {
    switch (type) {
        case DType::q8_0:
            return f(Q8{});
        case DType::q4_0:
            return f(Q4{});
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
            return f(Codebook<blocks::unpack_iq3_s, 110>{});
        case DType::iq3_xxs:
            return f(Codebook<blocks::unpack_iq3_xxs, 98>{});
        case DType::iq2_s:
            return f(Codebook<blocks::unpack_iq2_s, 82>{});
        case DType::iq2_xs:
            return f(Codebook<blocks::unpack_iq2_xs, 74>{});
        case DType::iq2_xxs:
            return f(Codebook<blocks::unpack_iq2_xxs, 66>{});
        case DType::iq1_m:
            return f(Codebook<blocks::unpack_iq1_m, 56>{});
        case DType::iq1_s:
            return f(Codebook<blocks::unpack_iq1_s, 50>{});
        case DType::f32:
        case DType::f16:
        case DType::bf16:
            break;
    }
    __builtin_unreachable();
}

// kLanes whole numbers of a group's bytes, as they are: g++ makes the plain conversion of vectors byte by byte.
inline I widen_bytes(const uint8_t* p) {
#if defined(__AVX512F__)
    return reinterpret_cast<I>(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
    return reinterpret_cast<I>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
    I out;
    for (int i = 0; i < kLanes; ++i) out[i] = p[i];
    return out;
#endif
}
// n values of a row of blocks.
inline void decode_blocks(DType type, const char* w, int64_t n, float* out) {
    with_format(type, [&](auto q) {
        using Q = decltype(q);
        for (int64_t at = 0; at < n; at += 256, w += Q::kBytes) {
            const int64_t here = n - at < 256 ? n - at : 256;
            char rest[Q::kBytes];
            const char* from = w;
            if (here < 256) {
                __builtin_memset(rest, 0, sizeof rest);
                __builtin_memcpy(rest, w, static_cast<size_t>(here / 32 * (Q::kBytes / 8)));
                from = rest;
            }
            q.open(from);
            typename ScalesOf<Q::kSubs>::Type s, m{};
            q.scales(from, s, m);
            float scale[8 * Q::kSubs], min[8 * Q::kSubs];
            __builtin_memcpy(scale, &s, sizeof s);
            __builtin_memcpy(min, &m, sizeof m);
            uint8_t bytes[256];
            for (int p = 0; p < 4; ++p) {
                Group pair[2];
                q.pair(from, p, pair);
                for (int i = 0; i < 2; ++i) __builtin_memcpy(bytes + 64 * p + 32 * i, &pair[i], sizeof pair[i]);
            }
            for (int64_t i = 0; i < here; i += kLanes) {
                const int64_t sub = i * Q::kSubs / 32;
                const F v = scale[sub] * to_float(widen_bytes(bytes + i) - (Q::kMins ? 0 : 128));
                store(out + at + i, Q::kMins ? v + min[sub] : v);
            }
        }
    });
}

}  // namespace
}  // namespace klp
