// MLA's inner loops: softmax attention straight over the latent cache, where one row a token is key and value of all heads.
// A part of mixers.cpp.
#pragma once

#include "kernels/cpu/simd/formats.inc.h"
#include "kernels/cpu/simd/mixers.h"
#include "kernels/cpu/simd/tiles.inc.h"

namespace klp {
namespace {

// --- rows of the cache ---

// 2 kLanes values of a row as two vectors. An f32 row gives the first and the second half; a bf16 row is split with one instruction each into its even and odd
// values, which saves the widening shuffles. Queries and sums keep their columns in the same order; merge() puts them back.
template <bool bf16>
inline void pair(const char* row, int64_t c, F& a, F& b) {
    if constexpr (bf16) {
        const I both = load_as<I>(row + c * 2);
        a = as_float(both << 16);
        b = as_float(both & static_cast<int32_t>(0xffff0000));
    } else {
        a = load(reinterpret_cast<const float*>(row) + c);
        b = load(reinterpret_cast<const float*>(row) + c + kLanes);
    }
}

// Rows that are not a whole number of pairs are widened to f32 first.
inline bool direct(const Latents& cache) { return cache.W % (2 * kLanes) == 0; }
// Matrix tiles take rows as they are (mla_amx.inc.h). They work on 8 queries at least.
inline bool tiles([[maybe_unused]] const Latents& cache) {
#if defined(__AMX_BF16__)
    return cache.bf16 && cache.values == 0 && cache.H >= 4 && cache.W % 32 == 0 && cache.L % 64 == 0;
#else
    return false;
#endif
}
inline bool split(const Latents& cache) { return cache.bf16 && direct(cache) && !tiles(cache); }
inline int64_t value_bytes(const Latents& cache) { return cache.bf16 ? 2 : 4; }
inline int64_t row_bytes(const Latents& cache) { return (cache.row ? cache.row : cache.W) * value_bytes(cache); }
inline const char* row_of(const Latents& cache, int64_t n) {
    return reinterpret_cast<const char*>(cache.pages[n / cache.page]) + n % cache.page * row_bytes(cache) + cache.first * value_bytes(cache);
}
inline void widen16(bool f16, const uint16_t* from, int64_t n, float* out) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(out + i, f16 ? from_f16(from + i) : from_bf16(from + i));
    if (i < n) {
        uint16_t rest[kLanes] = {};
        for (int64_t j = i; j < n; ++j) rest[j - i] = from[j];
        store_part(out + i, f16 ? from_f16(rest) : from_bf16(rest), n - i);
    }
}
inline void widen(const Latents& cache, const char* row, float* out) {
    if (cache.bf16)
        widen16(false, reinterpret_cast<const uint16_t*>(row), cache.W, out);
    else
        __builtin_memcpy(out, row, static_cast<size_t>(cache.W) * sizeof(float));
}

void widen_rows(const Latents& cache, int64_t first, int64_t last, float* out, int64_t stride) {
    for (int64_t n = first; n < last; ++n, out += stride) widen(cache, row_of(cache, n), out);
}

// Within each 2 kLanes columns: even columns first, then the odd ones; and back.
inline void to_split(float* x, int64_t n) {
    for (int64_t c = 0; c < n; c += 2 * kLanes) {
        const F a = load(x + c), b = load(x + c + kLanes);
        store(x + c, __builtin_shufflevector(a, b, KLP_EVEN));
        store(x + c + kLanes, __builtin_shufflevector(a, b, KLP_ODD));
    }
}
inline void from_split(float* x, int64_t n) {
    for (int64_t c = 0; c < n; c += 2 * kLanes) {
        float both[2 * kLanes];
        for (int i = 0; i < kLanes; ++i) both[2 * i] = x[c + i], both[2 * i + 1] = x[c + kLanes + i];
        __builtin_memcpy(x + c, both, sizeof both);
    }
}

// --- absorb ---

void decode_row(DType type, const char* w, int64_t n, float* out) {
    switch (type) {
        case DType::f32:
            __builtin_memcpy(out, w, static_cast<size_t>(n) * sizeof(float));
            break;
        case DType::f16:
        case DType::bf16:
            widen16(type == DType::f16, reinterpret_cast<const uint16_t*>(w), n, out);
            break;
        default:
            decode_blocks(type, w, n, out);
    }
}

void absorb(const Absorb& a) {
    constexpr int kRows = 4;  // rows of W_UK that share a pass over q~
    const Latents& cache = *a.cache;
    const int64_t width = padded(cache.W, kLatentStep);
    const char* w = static_cast<const char*>(a.w);
    for (int64_t t = 0; t < a.T; ++t) __builtin_memset(a.out + t * a.out_stride, 0, static_cast<size_t>(width) * sizeof(float));
    for (int64_t d = 0; d < a.nope; d += kRows) {
        const int64_t rows = at_most(kRows, a.nope - d);
        for (int64_t i = 0; i < rows; ++i) decode_row(a.type, w + (d + i) * a.row_bytes, cache.L, a.scratch + i * cache.L);
        for (int64_t t = 0; t < a.T; ++t) {
            float q[kRows];
            for (int64_t i = 0; i < kRows; ++i) q[i] = i < rows ? a.scale * a.q[t * a.stride + d + i] : 0;
            float* out = a.out + t * a.out_stride;
            for (int64_t c = 0; c < cache.L; c += kLanes) {
                const int64_t n = cache.L - c;
                F sum = load_upto(out + c, n);
                for (int64_t i = 0; i < rows; ++i) sum += q[i] * load_upto(a.scratch + i * cache.L + c, n);
                store_upto(out + c, sum, n);
            }
        }
    }
    for (int64_t t = 0; t < a.T; ++t) {
        float* out = a.out + t * a.out_stride;
        for (int64_t i = 0; i < cache.W - cache.L; ++i) out[cache.L + i] = a.scale * a.q_r[t * a.r_stride + i];
        if (split(cache)) to_split(out, cache.W);
    }
}

// --- attend ---

constexpr int kBlock = 32;          // cached rows between two looks at the largest score
constexpr int kGroup = kLanes / 2;  // queries that share a load of a row: their sums fill the registers
constexpr int kPairs = kBlock / 2;

struct Block {
    const char* rows;
    int64_t stride, n;
    int64_t values;  // bytes from a row's key to its value
};

// Fetches the block that comes after the one in use, in the order of addresses and evenly spread over the work: the machine's own prefetch does not see far
// enough, and waiting for memory would take longer than the arithmetic.
struct Stream {
    const char* at;
    int64_t step;  // bytes
    void go() {
        __builtin_prefetch(at, 0, 2);
        if (step > 64) __builtin_prefetch(at + 64, 0, 2);
        at += step;
    }
};

// scores[p]: lane 2g + i is q_g . row_(2p + i), for G queries.
template <int G, bool bf16>
inline void score(const float* q, int64_t ldq, const Block& block, int64_t width, float (*scores)[kLanes], Stream& after) {
    const auto [rows, stride, n, values] = block;
    Stream stream = after;
    for (int64_t r = 0; r < n; r += 2) {
        const char *one = rows + r * stride, *two = r + 1 < n ? one + stride : one;
        F acc[2 * G] = {};
        for (int64_t c = 0; c < width; c += 2 * kLanes) {
            F a0, a1, b0, b1;
            pair<bf16>(one, c, a0, a1);
            pair<bf16>(two, c, b0, b1);
            stream.go();
#pragma GCC unroll 8
            for (int g = 0; g < G; ++g) {
                F q0 = load(q + g * ldq + c), q1 = load(q + g * ldq + c + kLanes);
                hold(q0), hold(q1);
                acc[2 * g] += a0 * q0;
                acc[2 * g + 1] += b0 * q0;
                acc[2 * g] += a1 * q1;
                acc[2 * g + 1] += b1 * q1;
            }
        }
        sums(acc, scores[r / 2]);
    }
    after = stream;
}

// values[g] = values[g] * fade[2g] + sum_r p[r] row_r, over the first `width` columns.
template <int G, bool bf16>
inline void gather(const float (*p)[kLanes], const float* fade, const Block& block, int64_t width, float* values, int64_t ldv, Stream& after) {
    const auto [keys, stride, n, behind] = block;
    const char* rows = keys + behind;
    Stream stream = after;
    for (int64_t c = 0; c < width; c += 2 * kLanes) {
        F acc[G][2];
#pragma GCC unroll 8
        for (int g = 0; g < G; ++g) {
            acc[g][0] = load(values + g * ldv + c) * fade[2 * g];
            acc[g][1] = load(values + g * ldv + c + kLanes) * fade[2 * g];
        }
        for (int64_t r = 0; r < n; r += 2) {
            const char *one = rows + r * stride, *two = r + 1 < n ? one + stride : one;  // a row that is not there weighs 0
            F a0, a1, b0, b1;
            pair<bf16>(one, c, a0, a1);
            pair<bf16>(two, c, b0, b1);
            stream.go();
            const float* x = p[r / 2];
#pragma GCC unroll 8
            for (int g = 0; g < G; ++g) {
                acc[g][0] += x[2 * g] * a0;
                acc[g][1] += x[2 * g] * a1;
                acc[g][0] += x[2 * g + 1] * b0;
                acc[g][1] += x[2 * g + 1] * b1;
            }
        }
#pragma GCC unroll 8
        for (int g = 0; g < G; ++g) {
            store(values + g * ldv + c, acc[g][0]);
            store(values + g * ldv + c + kLanes, acc[g][1]);
        }
    }
    after = stream;
}

template <int n>
struct Size {
    constexpr operator int() const { return n; }
};

constexpr float kLowest = -3e38f;  // below every score, and finite: e^(kLowest - kLowest) is 1, not NaN

// G queries from the i-th on. top and sum: theirs in lanes as in score(), each in both of its lanes, and each lane with its own part of the sum.
template <int G, bool bf16>
void attend_rows(const Attend& a, int64_t i, int64_t first, const Block& block, float* top, float* sum, Stream& after) {
    const Latents& cache = *a.cache;
    const int64_t ldq = padded(cache.W, kLatentStep), ldv = padded(cache.L, kLatentStep), pairs = (block.n + 1) / 2;
    float scores[kPairs][kLanes], fade[kLanes];
    score<G, bf16>(a.q + i * ldq, ldq, block, padded(cache.W, 2 * kLanes), scores, after);
    if (a.seen + (a.query + i) / a.heads < first + 2 * pairs || block.n % 2)  // some rows lie in the future, or there is no last one
        for (int g = 0; g < G; ++g)
            for (int64_t r = 0; r < 2 * pairs; ++r)
                if (r >= block.n || first + r >= a.seen + (a.query + i + g) / a.heads) scores[r / 2][2 * g + r % 2] = -__builtin_inff();
    F best = load(top);
    for (int64_t p = 0; p < pairs; ++p) best = max(load(scores[p]), best);
    best = max(best, __builtin_shufflevector(best, best, KLP_SWAP));
    const F weaker = exp(load(top) - best);
    F total = load(sum) * weaker;
    for (int64_t p = 0; p < pairs; ++p) {
        const F e = exp(load(scores[p]) - best);
        store(scores[p], e);
        total += e;
    }
    store(top, best), store(sum, total), store(fade, weaker);
    gather<G, bf16>(scores, fade, block, padded(cache.L, 2 * kLanes), a.values + i * ldv, ldv, after);
}

template <bool bf16>
void attend_block(const Attend& a, int64_t first, const Block& block, const char* next, float* top, float* sum) {
    Stream after{next, 2 * kLanes * (bf16 ? 2 : 4)};
    int64_t i = 0;
    const auto group = [&](auto size) {
        for (; i + size <= a.queries; i += size) {
            attend_rows<size, bf16>(a, i, first, block, top, sum, after);
            top += kLanes, sum += kLanes, after.step = 0;  // the first group's work has fetched it all
        }
    };
    group(Size<kGroup>{});
    if constexpr (kGroup > 4) group(Size<4>{});
    if constexpr (kGroup > 2) group(Size<2>{});
    group(Size<1>{});
}

int64_t vectors_scratch(const Latents& cache) { return kBlock * padded(cache.W, kLatentStep) * (cache.values ? 2 : 1) + 2 * kAttendLanes; }

void attend_vectors(const Attend& a) {
    const Latents& cache = *a.cache;
    const int64_t ldv = padded(cache.L, kLatentStep), wide = padded(cache.W, kLatentStep);
    float *top = a.scratch, *sum = top + kAttendLanes, *widened = sum + kAttendLanes;
    for (int64_t i = 0; i < kAttendLanes; ++i) top[i] = kLowest, sum[i] = 0;
    __builtin_memset(a.values, 0, static_cast<size_t>(a.queries * ldv) * sizeof(float));
    for (int64_t n = a.first; n < a.last; n += kBlock) {  // a page is a whole number of blocks
        const int64_t count = at_most(kBlock, a.last - n);
        if (direct(cache)) {
            const Block block{row_of(cache, n), row_bytes(cache), count, cache.values * value_bytes(cache)};
            const char* next = n + kBlock < a.last ? row_of(cache, n + kBlock) : block.rows;
            cache.bf16 ? attend_block<true>(a, n, block, next, top, sum) : attend_block<false>(a, n, block, next, top, sum);
        } else {
            const int64_t parts = cache.values ? 2 : 1;  // key, and a value of its own: as wide
            for (int64_t r = 0; r < count; ++r)
                for (int64_t part = 0; part < parts; ++part) {
                    float* to = widened + (r * parts + part) * wide;
                    widen(cache, row_of(cache, n + r) + part * cache.values * value_bytes(cache), to);
                    for (int64_t c = cache.W; c < wide; ++c) to[c] = 0;
                }
            const auto* rows = reinterpret_cast<const char*>(widened);
            const auto wide_bytes = wide * static_cast<int64_t>(sizeof(float));
            attend_block<false>(a, n, {rows, parts * wide_bytes, count, (parts - 1) * wide_bytes}, rows, top, sum);
        }
    }
    int64_t i = 0;  // the groups of attend_block
    for (int size = kGroup; size > 0; size /= 2)
        for (; i + size <= a.queries; i += size, top += kLanes, sum += kLanes)
            for (int g = 0; g < size; ++g) a.top[i + g] = top[2 * g], a.sum[i + g] = sum[2 * g] + sum[2 * g + 1];
}

// --- merge ---

float merge(const Merge& a) {
    const int64_t ldv = padded(a.cache->L, kLatentStep);
    float top = kLowest, sum = 0;
    for (int64_t i = 0; i < a.parts; ++i) top = a.top[i * a.stride] > top ? a.top[i * a.stride] : top;
    __builtin_memset(a.out, 0, static_cast<size_t>(ldv) * sizeof(float));
    for (int64_t i = 0; i < a.parts; ++i) {
        const float weight = exp(splat(a.top[i * a.stride] - top))[0];
        sum += weight * a.sum[i * a.stride];
        const float* values = a.values + i * a.stride * ldv;
        for (int64_t c = 0; c < ldv; c += kLanes) store(a.out + c, load(a.out + c) + weight * load(values + c));
    }
    for (int64_t c = 0; c < ldv; c += kLanes) store(a.out + c, load(a.out + c) / sum);
    if (split(*a.cache)) from_split(a.out, ldv);
    return top + __builtin_logf(sum);
}

}  // namespace
}  // namespace klp
