// Few tokens: rows of the weight stream past x once. This is bound by reading the weights, so there is no repacking, two sums for each row and token, and a
// prefetch that does not stop at the end of a page as the machine's own does. The order of a sum does not depend on how many tokens share the pass.
// A part of products.cpp.
#pragma once

#include "kernels/cpu/simd/vector.inc.h"

namespace klp {
namespace {

// Tokens that share one pass: their sums must stay in registers.
constexpr int kPass = kLanes == 16 ? 8 : 4;
constexpr int kAhead = 2048;  // bytes

inline void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }

// --- f32, f16, and bf16 where there is no dot product for it: everything is widened to f32 --------------------------------------------------

struct ReadF32 {
    static constexpr int kBytes = 4;
    static F at(const char* p) { return load_as<F>(p); }
};
struct ReadF16 {
    static constexpr int kBytes = 2;
    static F at(const char* p) { return from_f16(reinterpret_cast<const uint16_t*>(p)); }
};
struct ReadBf16 {
    static constexpr int kBytes = 2;
    static F at(const char* p) { return from_bf16(reinterpret_cast<const uint16_t*>(p)); }
};

// x: N rows, x_stride values apart, zeros up to a multiple of 64 values. w is read up to n values and not one further.
template <class Read, int N>
inline void dots(const char* w, int64_t n, const float* x, int64_t x_stride, float* out) {
    constexpr int64_t kStep = 2 * kLanes;
    F even[N]{}, odd[N]{};
    const auto add = [&](const char* from, int64_t i) {
        const F w0 = Read::at(from), w1 = Read::at(from + kLanes * Read::kBytes);
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) {
            even[t] += w0 * load(x + t * x_stride + i);
            odd[t] += w1 * load(x + t * x_stride + i + kLanes);
        }
    };
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
        prefetch(w + i * Read::kBytes + kAhead);
        if constexpr (kStep * Read::kBytes > 64) prefetch(w + i * Read::kBytes + kAhead + 64);
        add(w + i * Read::kBytes, i);
    }
    if (i < n) {
        char rest[kStep * Read::kBytes] = {};
        __builtin_memcpy(rest, w + i * Read::kBytes, static_cast<size_t>((n - i) * Read::kBytes));
        add(rest, i);
    }
    for (int t = 0; t < N; ++t) out[t] = sum(even[t] + odd[t]);
}

#if defined(__AVX512BF16__)
// bf16 against bf16, 32 pairs an instruction. x_stride counts bf16 values.
template <int N>
inline void dots_bf16(const char* w, int64_t n, const uint16_t* x, int64_t x_stride, float* out) {
    __m512 even[N], odd[N];
    for (int t = 0; t < N; ++t) even[t] = odd[t] = _mm512_setzero_ps();
    const auto add = [&](__m512i w0, __m512i w1, int64_t i) {
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) {
            const uint16_t* xt = x + t * x_stride + i;
            even[t] = _mm512_dpbf16_ps(even[t], reinterpret_cast<__m512bh>(w0), reinterpret_cast<__m512bh>(_mm512_loadu_si512(xt)));
            odd[t] = _mm512_dpbf16_ps(odd[t], reinterpret_cast<__m512bh>(w1), reinterpret_cast<__m512bh>(_mm512_loadu_si512(xt + 32)));
        }
    };
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) {
        prefetch(w + i * 2 + kAhead);
        prefetch(w + i * 2 + kAhead + 64);
        add(_mm512_loadu_si512(w + i * 2), _mm512_loadu_si512(w + i * 2 + 64), i);
    }
    if (i < n) {
        const uint64_t there = (uint64_t{1} << (n - i)) - 1;
        add(_mm512_maskz_loadu_epi16(static_cast<__mmask32>(there), w + i * 2), _mm512_maskz_loadu_epi16(static_cast<__mmask32>(there >> 32), w + i * 2 + 64),
            i);
    }
    for (int t = 0; t < N; ++t) out[t] = sum(even[t] + odd[t]);
}
#endif

// --- q8_0, q4_0 ----------------------------------------------------------------------------------------------------------------------------
// x of one token: its int8 (or int16) values, then the scales of its groups, then what an unsigned weight makes of the sums (VNNI only); all zero-padded to
// eight groups, so that a row's last blocks, copied to a zeroed place of eight, take the same way as the others.

constexpr int64_t kBatch = 8;  // blocks whose scales are widened together
inline int64_t padded_groups(int64_t groups) { return (groups + kBatch - 1) / kBatch * kBatch; }

#if defined(__AVX512VNNI__)
using Quant = int8_t;
// VPDPBUSD multiplies unsigned with signed bytes: a weight w goes in as w + 128, and every lane starts at -128 times the sum of its four x, so that nothing of
// it is left for the f32 sums. Nibbles go in as 16 n, a sixteenth of their scale with them, so that they need the same start.
constexpr int kStarts = 8;  // int32 a group, one for each lane
#else
using Quant = int16_t;
constexpr int kStarts = 0;
#endif

inline int64_t quant_row_bytes(int64_t in) { return padded_groups(in / 32) * (32 * static_cast<int64_t>(sizeof(Quant)) + 4 + 4 * kStarts); }

struct QuantRow {
    Quant* values;
    float* scales;
    int32_t* starts;
};
inline QuantRow quant_row(void* prepared, int64_t groups) {
    const int64_t padded = padded_groups(groups);
    auto* bytes = static_cast<char*>(prepared);
    auto* scales = reinterpret_cast<float*>(bytes + padded * 32 * static_cast<int64_t>(sizeof(Quant)));
    return {reinterpret_cast<Quant*>(bytes), scales, reinterpret_cast<int32_t*>(scales + padded)};
}

struct Q8 {
    static constexpr int kBytes = 34;
    static constexpr float kScale = 1;
};
struct Q4 {
    static constexpr int kBytes = 18;
    static constexpr float kScale = kStarts ? 1 / 16.f : 1;
};

// The scales of eight blocks.
#if defined(__AVX2__)
template <class Q>
inline __m256 block_scales(const char* w) {
    uint16_t h[kBatch];
    for (int b = 0; b < kBatch; ++b) __builtin_memcpy(h + b, w + b * Q::kBytes, 2);
    const __m128i halves =
        _mm_set_epi16(h[7], h[6], h[5], h[4], h[3], h[2], h[1], h[0]);  // inserted one by one: storing them and loading them together would stall
    return _mm256_mul_ps(_mm256_cvtph_ps(halves), _mm256_set1_ps(Q::kScale));
}
template <class Q>
inline void block_scales(const char* w, float* out) {
    _mm256_storeu_ps(out, block_scales<Q>(w));
}
#else
template <class Q>
inline void block_scales(const char* w, float* out) {
    uint16_t h[kBatch];
    for (int b = 0; b < kBatch; ++b) __builtin_memcpy(h + b, w + b * Q::kBytes, 2);
    for (int b = 0; b < kBatch; b += kLanes) store(out + b, from_f16(h + b) * Q::kScale);
}
#endif

#if defined(__AVX512VNNI__)
// Two blocks as 64 unsigned bytes in x's order.
inline __m512i two_blocks(Q8, const char* w) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 2)), b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + Q8::kBytes + 2));
    return _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1), _mm512_set1_epi8(-128));
}
inline __m512i two_blocks(Q4, const char* w) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 2)), b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w + Q4::kBytes + 2));
    const __m512i both = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(a), 0xff00, b);
    return _mm512_and_si512(_mm512_sllv_epi64(both, _mm512_set_epi64(0, 0, 4, 4, 0, 0, 4, 4)), _mm512_set1_epi8(-16));
}

// Eight blocks from block b on.
template <class Q, int N>
inline void add_batch(const char* w, int64_t b, const QuantRow* rows, F* acc) {
    const __m512i spread[4] = {
        _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), _mm512_set_epi32(3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2),
        _mm512_set_epi32(5, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4), _mm512_set_epi32(7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, 6, 6)};
    const __m256 w_scales = block_scales<Q>(w);
    __m512 scales[N];
#pragma GCC unroll 8
    for (int t = 0; t < N; ++t) scales[t] = _mm512_castps256_ps512(_mm256_mul_ps(w_scales, _mm256_loadu_ps(rows[t].scales + b)));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const __m512i values = two_blocks(Q{}, w + 2 * i * Q::kBytes);
        const int64_t g = b + 2 * i;
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) {
            const __m512i dot = _mm512_dpbusd_epi32(_mm512_loadu_si512(rows[t].starts + g * kStarts), values, _mm512_loadu_si512(rows[t].values + g * 32));
            acc[t] += _mm512_cvtepi32_ps(dot) * _mm512_permutexvar_ps(spread[i], scales[t]);
        }
    }
}
#else
// One block as int16, in vectors.
constexpr int kBlockVectors = 64 / static_cast<int>(sizeof(I));
typedef int8_t Bytes __attribute__((vector_size(16)));
inline void widen(Bytes low, Bytes high, I* out) {
#if defined(__AVX512F__)
    out[0] = reinterpret_cast<I>(_mm512_cvtepi8_epi16(_mm256_set_m128i(reinterpret_cast<__m128i>(high), reinterpret_cast<__m128i>(low))));
#elif defined(__AVX2__)
    out[0] = reinterpret_cast<I>(_mm256_cvtepi8_epi16(reinterpret_cast<__m128i>(low)));
    out[1] = reinterpret_cast<I>(_mm256_cvtepi8_epi16(reinterpret_cast<__m128i>(high)));
#else
    typedef int16_t Shorts __attribute__((vector_size(32)));
    const Shorts v[2] = {__builtin_convertvector(low, Shorts), __builtin_convertvector(high, Shorts)};
    __builtin_memcpy(out, v, sizeof v);
#endif
}
inline void block_values(Q8, const char* w, I* out) { widen(load_as<Bytes>(w + 2), load_as<Bytes>(w + 18), out); }
inline void block_values(Q4, const char* w, I* out) {
    typedef uint8_t Nibbles __attribute__((vector_size(16)));
    const Nibbles both = load_as<Nibbles>(w + 2);
    widen(reinterpret_cast<Bytes>(both & 15) - 8, reinterpret_cast<Bytes>(both >> 4) - 8, out);
}
// Lane by lane, the sum of two neighbours' products.
inline I madd(I a, I b) {
#if defined(__AVX512F__)
    return reinterpret_cast<I>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
    return reinterpret_cast<I>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__x86_64__)
    return reinterpret_cast<I>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
    return ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

template <class Q, int N>
inline void add_batch(const char* w, int64_t b, const QuantRow* rows, F* acc) {
    float scales[kBatch];
    block_scales<Q>(w, scales);
    for (int i = 0; i < kBatch; ++i) {
        I values[kBlockVectors];
        block_values(Q{}, w + i * Q::kBytes, values);
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) {
            const Quant* x = rows[t].values + (b + i) * 32;
            I dot{};
            for (int j = 0; j < kBlockVectors; ++j) dot += madd(values[j], load_as<I>(x + j * 2 * kLanes));
            acc[t] += to_float(dot) * (scales[i] * rows[t].scales[b + i]);
        }
    }
}
#endif

template <class Q, int N>
inline void dots_blocks(const char* w, int64_t blocks, const char* x, int64_t x_stride, float* out) {
    F acc[N]{};
    QuantRow rows[N];
    for (int t = 0; t < N; ++t) rows[t] = quant_row(const_cast<char*>(x) + t * x_stride, blocks);
    int64_t b = 0;
    for (; b + kBatch <= blocks; b += kBatch) {
        for (int i = 0; i < kBatch * Q::kBytes; i += 64) prefetch(w + b * Q::kBytes + kAhead + i);
        add_batch<Q, N>(w + b * Q::kBytes, b, rows, acc);
    }
    if (b < blocks) {
        char rest[kBatch * Q::kBytes] = {};
        __builtin_memcpy(rest, w + b * Q::kBytes, static_cast<size_t>((blocks - b) * Q::kBytes));
        add_batch<Q, N>(rest, b, rows, acc);
    }
    for (int t = 0; t < N; ++t) out[t] = sum(acc[t]);
}

}  // namespace
}  // namespace klp
