// Few tokens: rows of the weight stream past x once. This is bound by reading the weights, so there is no repacking, two sums for each row and token, and a
// prefetch that does not stop at the end of a page as the machine's own does. The order of a sum does not depend on how many tokens share the pass.
// A part of products.cpp.
#pragma once

#include "kernels/cpu/simd/formats.inc.h"
#include "kernels/cpu/simd/pairs.inc.h"
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

// --- block formats -------------------------------------------------------------------------------------------------------------------------
// x of one token: its int8 (or int16) values, then the scales of its groups, then of each 16 values the scale times their sum, which minimums multiply, then
// what an unsigned weight makes of the sums (VNNI only); all zero-padded to eight groups, so that a row's last blocks, copied to a zeroed place of eight, take
// the same way as the others.

constexpr int64_t kBatch = 8;  // groups that are multiplied together
inline int64_t padded_groups(int64_t groups) { return (groups + kBatch - 1) / kBatch * kBatch; }

#if defined(__AVX512VNNI__)
using Quant = int8_t;
// VPDPBUSD multiplies unsigned with signed bytes: a weight w goes in as w + 128, and every lane starts at -128 times the sum of its four x, so that nothing of
// it is left for the f32 sums.
constexpr int kStarts = 8;  // int32 a group, one for each lane
#elif defined(__ARM_FEATURE_DOTPROD)
using Quant = int8_t;
constexpr int kStarts = 0;
#else
using Quant = int16_t;
constexpr int kStarts = 0;
#endif
constexpr int kInLane = 4 / static_cast<int>(sizeof(Quant));  // values of a group that lie in one lane
constexpr int kGroupLanes = 32 / kInLane;

inline int64_t quant_row_bytes(int64_t in) { return padded_groups(in / 32) * (32 * static_cast<int64_t>(sizeof(Quant)) + 4 + 8 + 4 * kStarts); }

struct QuantRow {
    Quant* values;
    float *scales, *sums;
    int32_t* starts;
};
inline QuantRow quant_row(void* prepared, int64_t groups) {
    const int64_t padded = padded_groups(groups);
    auto* bytes = static_cast<char*>(prepared);
    auto* scales = reinterpret_cast<float*>(bytes + padded * 32 * static_cast<int64_t>(sizeof(Quant)));
    return {reinterpret_cast<Quant*>(bytes), scales, scales + padded, reinterpret_cast<int32_t*>(scales + 3 * padded)};
}

#if defined(__AVX512VNNI__)
// 16 scales of 16 values each, where a scale is of 32.
inline __m512 twice(const F8& scales) {
    return _mm512_permutexvar_ps(_mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0), _mm512_castps256_ps512(reinterpret_cast<__m256>(scales)));
}
inline __m512 twice(const F16& scales) { return reinterpret_cast<__m512>(scales); }

// The groups from g on.
template <int N, class Q>
inline void add_batch(const Q& q, const char* w, int64_t g, const QuantRow* rows, F* acc) {
    // The scales of pair i of groups where its sums lie: of eight for all of them, or of sixteen.
    constexpr int kStep = 2 * Q::kSubs;
    const __m512i first =
        Q::kSubs == 1 ? _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0) : _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    typename ScalesOf<Q::kSubs>::Type w_scales, w_mins;
    q.scales(w, w_scales, w_mins);
    __m512 scales[N];
#pragma GCC unroll 8
    for (int t = 0; t < N; ++t) {
        const F8 of_x = load_as<F8>(rows[t].scales + g);
        if constexpr (Q::kSubs == 1)
            scales[t] = _mm512_castps256_ps512(reinterpret_cast<__m256>(w_scales * of_x));
        else
            scales[t] = _mm512_mul_ps(twice(w_scales), twice(of_x));
        if constexpr (Q::kMins) acc[t] += reinterpret_cast<F>(twice(w_mins)) * load(rows[t].sums + 2 * g);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const __m512i values = pair_bytes(q, w, i);
        const __m512i spread = _mm512_add_epi32(first, _mm512_set1_epi32(i * kStep));
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) {
            const __m512i start = Q::kMins ? _mm512_setzero_si512() : _mm512_loadu_si512(rows[t].starts + (g + 2 * i) * kStarts);
            const __m512i dot = _mm512_dpbusd_epi32(start, values, _mm512_loadu_si512(rows[t].values + (g + 2 * i) * 32));
            acc[t] += _mm512_cvtepi32_ps(dot) * _mm512_permutexvar_ps(spread, scales[t]);
        }
    }
}
#else
// A group as its values are multiplied, in vectors.
constexpr int kGroupVectors = kGroupLanes / kLanes;
template <class Q>
inline void widen(const Group& bytes, I* out) {
    Group own = bytes;
    if constexpr (!Q::kMins) own ^= 0x8080;
#if defined(__ARM_FEATURE_DOTPROD)
    __builtin_memcpy(out, &own, sizeof own);
#elif defined(__AVX512F__)
    out[0] = reinterpret_cast<I>(_mm512_cvtepi8_epi16(reinterpret_cast<__m256i>(own)));
#elif defined(__AVX2__)
    out[0] = reinterpret_cast<I>(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(reinterpret_cast<__m256i>(own))));
    out[1] = reinterpret_cast<I>(_mm256_cvtepi8_epi16(_mm256_extracti128_si256(reinterpret_cast<__m256i>(own), 1)));
#else
    typedef int8_t Bytes __attribute__((vector_size(16)));
    typedef int16_t Shorts __attribute__((vector_size(32)));
    Bytes halves[2];
    __builtin_memcpy(halves, &own, sizeof halves);
    const Shorts v[2] = {__builtin_convertvector(halves[0], Shorts), __builtin_convertvector(halves[1], Shorts)};
    __builtin_memcpy(out, v, sizeof v);
#endif
}
// Groups 2 p and 2 p + 1.
template <class Q>
inline void pair_values(const Q& q, const char* w, int p, I* out) {
    Group pair[2];
    q.pair(w, p, pair);
    widen<Q>(pair[0], out);
    widen<Q>(pair[1], out + kGroupVectors);
}
#if defined(__AVX2__) && !defined(__AVX512F__)
// Where a group as bytes fills a vector and as int16 two, these need not meet in one.
inline void pair_values(const Q8&, const char* w, int p, I* out) {
    for (int i = 0; i < 4; ++i)
        out[i] = reinterpret_cast<I>(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + (2 * p + i / 2) * 34 + 2 + i % 2 * 16))));
}
inline void pair_values(const Q4&, const char* w, int p, I* out) {
    for (int i = 0; i < 2; ++i) {
        const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w + (2 * p + i) * 18 + 2)), high = _mm_set1_epi8(-16), sign = _mm_set1_epi8(-128);
        out[2 * i] = reinterpret_cast<I>(_mm256_cvtepi8_epi16(_mm_xor_si128(_mm_and_si128(_mm_slli_epi16(both, 4), high), sign)));
        out[2 * i + 1] = reinterpret_cast<I>(_mm256_cvtepi8_epi16(_mm_xor_si128(_mm_and_si128(both, high), sign)));
    }
}
#endif
// sum + the products of what lies in a lane, lane by lane.
inline I dot(I sum, I a, I b) {
#if defined(__ARM_FEATURE_DOTPROD)
    return reinterpret_cast<I>(vdotq_s32(reinterpret_cast<int32x4_t>(sum), reinterpret_cast<int8x16_t>(a), reinterpret_cast<int8x16_t>(b)));
#elif defined(__AVX512F__)
    return sum + reinterpret_cast<I>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
    return sum + reinterpret_cast<I>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__x86_64__)
    return sum + reinterpret_cast<I>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#elif defined(__aarch64__)
    const auto x = reinterpret_cast<int16x8_t>(a), y = reinterpret_cast<int16x8_t>(b);
    return sum + reinterpret_cast<I>(vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
#else
    return sum + ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

template <int N, class Q>
inline void add_batch(const Q& q, const char* w, int64_t g, const QuantRow* rows, F* acc) {
    constexpr int kSubs = Q::kSubs;
    typename ScalesOf<kSubs>::Type s, m;
    q.scales(w, s, m);
    float scales[8 * kSubs];
    __builtin_memcpy(scales, &s, sizeof s);
    if constexpr (Q::kMins) {
        float mins[16];
        for (int i = 0; i < 16; ++i) mins[i] = m[i * kSubs / 2];
        for (int t = 0; t < N; ++t)
            for (int i = 0; i < 16; i += kLanes) acc[t] += load(mins + i) * load(rows[t].sums + 2 * g + i);
    }
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) {
        I pair[2 * kGroupVectors];
        pair_values(q, w, p, pair);
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h) {
            const int i = 2 * p + h;
            const I* values = pair + h * kGroupVectors;
#pragma GCC unroll 8
            for (int t = 0; t < N; ++t) {
                const Quant* x = rows[t].values + (g + i) * 32;
                const float of_x = rows[t].scales[g + i];
                if constexpr (kSubs == 1) {
                    I sums{};
                    for (int j = 0; j < kGroupVectors; ++j) sums = dot(sums, values[j], load_as<I>(x + j * kInLane * kLanes));
                    acc[t] += to_float(sums) * (scales[i] * of_x);
                } else if constexpr (kGroupVectors == 1) {
                    F own{};
                    for (int lane = 0; lane < kLanes; ++lane) own[lane] = scales[2 * i + lane / (kLanes / 2)];
                    acc[t] += to_float(dot(I{}, values[0], load_as<I>(x))) * (own * of_x);
                } else {
                    for (int half = 0; half < 2; ++half) {
                        I sums{};
                        for (int j = half * kGroupVectors / 2; j < (half + 1) * kGroupVectors / 2; ++j)
                            sums = dot(sums, values[j], load_as<I>(x + j * kInLane * kLanes));
                        acc[t] += to_float(sums) * (scales[2 * i + half] * of_x);
                    }
                }
            }
        }
    }
}
#endif

template <int N, class Q>
inline void dots_blocks(Q& q, const char* w, int64_t groups, const char* x, int64_t x_stride, float* out) {
    F acc[N]{};
    QuantRow rows[N];
    for (int t = 0; t < N; ++t) rows[t] = quant_row(const_cast<char*>(x) + t * x_stride, groups);
    int64_t g = 0;
    for (; g + kBatch <= groups; g += kBatch, w += Q::kBytes) {
        for (int i = 0; i < Q::kBytes; i += 64) prefetch(w + kAhead + i);
        q.open(w);
        add_batch<N>(q, w, g, rows, acc);
    }
    if (g < groups) {
        char rest[Q::kBytes] = {};
        __builtin_memcpy(rest, w, static_cast<size_t>((groups - g) * (Q::kBytes / 8)));
        q.open(rest);
        add_batch<N>(q, rest, g, rows, acc);
    }
    for (int t = 0; t < N; ++t) out[t] = sum(acc[t]);
}

}  // namespace
}  // namespace klp
