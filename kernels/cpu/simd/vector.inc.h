// Vectors of the instruction set a file is compiled for, and the functions of them that more than one op needs. For simd/*.cpp only.
//
// The trap: each of those files is compiled once for every instruction set into one program, and the linker keeps a single copy of any function with external
// linkage: of an inline function, of a template's instance (std::min!), of a method defined in a class. If the copy it keeps came from the AVX-512 build, an
// older machine dies of it. So everything there lives in an anonymous namespace and calls nothing but that, intrinsics and builtins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace klp {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

// Plain operators work on these; a * b + c becomes one fused instruction where there is one (-ffp-contract=fast).
typedef float F __attribute__((vector_size(4 * kLanes)));
typedef int32_t I __attribute__((vector_size(4 * kLanes)));
typedef uint32_t U __attribute__((vector_size(4 * kLanes)));

template <class V, class P>
inline V load_as(const P* p) {  // any alignment
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline F load(const float* p) { return load_as<F>(p); }
inline void store(float* p, F v) { __builtin_memcpy(p, &v, sizeof v); }
inline F splat(float x) { return x - F{}; }  // a plain broadcast; x + 0 would be an addition, for the sake of -0
inline I splat(int32_t x) { return x - I{}; }
inline F as_float(I v) { return reinterpret_cast<F>(v); }
inline I as_int(F v) { return reinterpret_cast<I>(v); }
inline F to_float(I v) { return __builtin_convertvector(v, F); }

// The first n < kLanes values, the rest zero.
inline F load_part(const float* p, int64_t n) {
    F v{};
    for (int64_t i = 0; i < n; ++i) v[i] = p[i];
    return v;
}
inline void store_part(float* p, F v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}

inline F max(F a, F b) { return a > b ? a : b; }
inline F min(F a, F b) { return a < b ? a : b; }
inline F abs(F a) { return as_float(as_int(a) & 0x7fffffff); }
// Of values without a sign, as bits: NaN is the largest of all, where a comparison of floats would overlook it.
inline F larger(F a, F b) { return as_int(a) > as_int(b) ? a : b; }

inline float sum(F v) {
#if defined(__AVX512F__)
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
#elif defined(__AVX2__)
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
#else
    const F b = v;
#endif
    return (b[0] + b[2]) + (b[1] + b[3]);
}
// Of values without a sign, as larger().
inline float largest(F v) {
#if defined(__AVX512F__)
    const int32_t top = _mm512_reduce_max_epi32(reinterpret_cast<__m512i>(v));
#elif defined(__AVX2__)
    const __m256i bits = reinterpret_cast<__m256i>(v);
    const __m128i a = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1)), b = _mm_max_epi32(a, _mm_unpackhi_epi64(a, a));
    const int32_t top = _mm_cvtsi128_si32(_mm_max_epi32(b, _mm_shuffle_epi32(b, 1)));
#else
    const I bits = as_int(v);
    const int32_t a = bits[0] > bits[2] ? bits[0] : bits[2], b = bits[1] > bits[3] ? bits[1] : bits[3], top = a > b ? a : b;
#endif
    return __builtin_bit_cast(float, top);
}
inline float highest(F v) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps(v);
#elif defined(__AVX2__)
    const __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)), b = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
#else
    const float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];
    return a > b ? a : b;
#endif
}

// v[i][j] <-> v[j][i]: log2(kLanes) rounds, each of which swaps the off-diagonal halves of blocks twice as large as the round before.
template <int kDistance, int... J>
inline void swap_halves(F* v, std::integer_sequence<int, J...>) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
        if (i & kDistance) continue;
        const F a = v[i], b = v[i + kDistance];
        v[i] = __builtin_shufflevector(a, b, (J & kDistance ? kLanes + J - kDistance : J)...);
        v[i + kDistance] = __builtin_shufflevector(a, b, (J & kDistance ? kLanes + J : J + kDistance)...);
    }
}
template <int kDistance>
inline void swap_halves(F* v) {
    swap_halves<kDistance>(v, std::make_integer_sequence<int, kLanes>());
}
inline void transpose(F* v) {
    swap_halves<1>(v);
    swap_halves<2>(v);
    if constexpr (kLanes > 4) swap_halves<4>(v);
    if constexpr (kLanes > 8) swap_halves<8>(v);
}

// v as it is now, in a register: the compiler neither loads it again nor fuses the product that it is with a sum behind it.
inline void hold(F& v) {
#if defined(__x86_64__)
    __asm__("" : "+v"(v));
#elif defined(__aarch64__)
    __asm__("" : "+w"(v));
#else
    __asm__("" : "+m"(v));
#endif
}

// To the nearest integer, ties to even, for |x| < 2^22: the sum pushes the fraction off the end of the mantissa.
inline I round_to_int(F x) { return as_int(x + 0x1.8p23f) - 0x4b400000; }
inline F round(F x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

// e^x to 1.2 ulp: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its Taylor polynomial of degree 7 in Horner's form (remainder 5e-9 relative), 2^n in two factors
// so that results run into the subnormals and into infinity as they should. NaN stays NaN.
inline F exp(F x) {
    const F lowest = splat(-105.f), highest = splat(89.f);
    x = x < lowest ? lowest : x;
    x = x > highest ? highest : x;
    const F n = round(x * 0x1.715476p0f);
    F r = x - n * 0x1.62e4p-1f;  // ln 2 in two parts: the first has few enough bits for n times it to be exact
    r = r - n * 0x1.7f7d1cp-20f;
    F p = r * (1 / 5040.f) + 1 / 720.f;
    p = p * r + 1 / 120.f;
    p = p * r + 1 / 24.f;
    p = p * r + 1 / 6.f;
    p = p * r + 0.5f;
    p = p * r + 1.f;
    p = p * r + 1.f;
#if defined(__AVX512F__)
    return _mm512_scalef_ps(p, n);
#else
    const I whole = __builtin_convertvector(n, I), half = whole >> 1;
    return p * as_float((half + 127) << 23) * as_float((whole - half + 127) << 23);
#endif
}
inline F sigmoid(F x) { return 1.f / (1.f + exp(-x)); }
inline F silu(F x) { return x / (1.f + exp(-x)); }
// To 4 ulp: near zero, where 1 - 2 / (e^2x + 1) would lose all it has, Lambert's continued fraction, of seven terms (off by 2e-9 of itself at |x| = 1).
inline F tanh(F x) {
    const F s = x * x, near = x * (((s + 378.f) * s + 17325.f) * s + 135135.f) / (((28.f * s + 3150.f) * s + 62370.f) * s + 135135.f);
    const F far = 1.f - 2.f / (exp(2.f * x) + 1.f), one = splat(1.f);
    return s < one ? near : far;
}

inline I widen_u16(const uint16_t* p) {
    typedef uint16_t Half __attribute__((vector_size(2 * kLanes)));
    return __builtin_convertvector(load_as<Half>(p), I);
}
inline F from_f16(const uint16_t* p) {
#if defined(__AVX512F__)
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__AVX2__)
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__aarch64__)
    return reinterpret_cast<F>(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))));
#else
    const I h = widen_u16(p);
    const I magnitude = (h & 0x7fff) << 13, sign = (h & 0x8000) << 16;
    const I special = (h & 0x7c00) == 0x7c00;  // inf and NaN keep their exponent, the others' is 112 too small here
    const I finite = as_int(as_float(magnitude) * 0x1p112f);
    return as_float(((special & (magnitude | 0x7f800000)) | (~special & finite)) | sign);
#endif
}
inline F from_bf16(const uint16_t* p) {
#if defined(__AVX512F__)
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16));
#elif defined(__AVX2__)
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
#else
    return as_float(widen_u16(p) << 16);
#endif
}
// Rounded to bf16 (ties to even) and still an f32. NaN stays NaN, whatever its payload.
inline F round_bf16(F x) {
    const I bits = as_int(x), rounded = bits + 0x7fff + ((bits >> 16) & 1);
    return as_float((x == x ? rounded : bits | 0x400000) & static_cast<int32_t>(0xffff0000));
}

// x as int8 in groups of 32 (top of ops.h), the same bits in every build. amax: the group's largest |x| by larger(), so that a NaN makes the scale NaN.
constexpr float kTiny = 1e-30f;  // a group without a larger value is zeros: 127 over it must stay finite
inline F group_scale(F amax) { return amax / 127.f; }
inline F group_factor(F amax) { return amax > kTiny ? 127.f / amax : F{}; }
inline I quantise(F x, F factor) {
    F product = x * factor;
    hold(product);  // or a build with fused multiply-adds would round it once, and others twice
    return round_to_int(product);
}

}  // namespace
}  // namespace klp
