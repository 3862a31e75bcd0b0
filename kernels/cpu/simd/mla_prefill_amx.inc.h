// MLA's prefill on machines with matrix tiles (AMX): the sums of mla_prefill.inc.h, queries in the columns of a tile there too:
//     keys | values [key][d] = C [key][l] W^T [l][d]        C: cached rows, where they lie
//     scores [key][query] = K [key][d] Q^T [d][query]       values [v][query] += V^T [v][key] P [key][query]
// bf16 alone would cost each of them 8 bits, so what is no bf16 number goes in as two of them, high + low, and a product of two such is three: low times low
// would be 2^-18 of it. Not so where W rounds what it multiplies to bf16 or less: there a quantised W is one number (its rounding moves a product less than
// that of x to int8 would), and so are the softmax weights P (the absorbed form rounds as much behind their sum, in front of W_UV). A part of mixers.cpp.
#pragma once

#include "kernels/cpu/simd/mla_amx.inc.h"
#include "kernels/cpu/simd/mla_prefill.inc.h"

namespace klp {
namespace {

#if defined(__AMX_BF16__)

constexpr int64_t kSpan = 128;     // cached rows of a block
constexpr int64_t kKeyGroup = 32;  // keys that tiles take together: two tiles high, and as deep as one is
constexpr int64_t kGroups = kSpan / kKeyGroup;
constexpr int64_t kSteps = 8;  // of 32 columns of L
constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;
constexpr float kRise = 8;  // a largest score grows by no less, in powers of two: what is summed up so far need not fade for less

// A thread's memory for a call: some 1.5 MB for 512 queries of the 48B, which the second-level cache holds. Tiles lie in the order in which they are read.
struct PrefillWork {
    int64_t parts;                 // numbers that a weight takes, of W and of the softmax
    int64_t steps, chunks, roped;  // L, N + R and R in chunks of 32
    int64_t tiles;                 // queries in tiles of 32
    char* weights;                 // [(N + V) / 16][step][part] tiles: 16 pairs of columns by 16 rows
    char* queries;                 // [tile][chunk][high | low][2] tiles: 16 pairs of columns by 16 queries
    char* keys;                    // [group][chunk][low | high][2] tiles, bf16 columns of the cache without low: 16 keys
    char* turned;                  // [V / 32][group][low | high][2] tiles: 16 values by 32 keys
    float* scores;                 // [kSpan][32]; then of two keys' rows one becomes their high parts in pairs, the other the low ones
    float *top, *sum, *values;     // [tile][32], [tile][V][32]: as expand() has them, largest scores in powers of two
    float* exact;                  // [tile][32]: the sum before the softmax weights are rounded
    float* staged;                 // [group][32][32]
    float* rows;                   // [16][L]: weights as they are
    char* edge;                    // 32 rows: the last ones, and zeros behind them

    explicit PrefillWork(const Prefill& a)
        : parts(a.type == DType::f32 || a.type == DType::f16 ? 2 : 1),
          steps(a.cache->L / 32),
          chunks((a.nope + a.rope) / 32),
          roped(a.rope / 32),
          tiles((a.queries + kT - 1) / kT) {
        char* base = reinterpret_cast<char*>(a.scratch);  // null: only the size is wanted
        const auto take = [&](int64_t n) {
            bytes += n;
            return base ? base + bytes - n : nullptr;
        };
        const auto floats = [&take](int64_t n) { return reinterpret_cast<float*>(take(n * 4)); };
        weights = take((a.nope + a.V) / 16 * steps * parts * kTileBytes);
        queries = take(tiles * chunks * 4 * kTileBytes);
        keys = take(kGroups * key_bytes()), turned = take(kSpan * a.V * 4);
        scores = floats(kSpan * kT), staged = floats(kGroups * 32 * 32), rows = floats(16 * a.cache->L);
        values = floats(tiles * a.V * kT), top = floats(tiles * kT), sum = floats(tiles * kT), exact = floats(tiles * kT);
        edge = take(kKeyGroup * row_bytes(*a.cache));
    }
    int64_t key_bytes() const { return (2 * chunks - roped) * 2 * kTileBytes; }  // of a group
    int64_t bytes = 0;
};

// To the nearest bf16 (of a NaN whose lower half is not all ones), of two equally near ones the larger in size: two instructions, and the lower part takes up
// what it leaves.
inline F near_bf16(F x) { return as_float((as_int(x) + 0x8000) & static_cast<int32_t>(0xffff0000)); }
// The upper halves of a's lanes, then those of b's.
inline void store_halves(char* to, F a, F b) {
    const __m512i upper =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    _mm512_storeu_si512(to, _mm512_permutex2var_epi16(reinterpret_cast<__m512i>(a), upper, reinterpret_cast<__m512i>(b)));
}
// Lane by lane a pair of their upper halves.
inline F paired(F a, F b) {
    return reinterpret_cast<F>(_mm512_mask_mov_epi16(_mm512_srli_epi32(reinterpret_cast<__m512i>(a), 16), 0xaaaaaaaa, reinterpret_cast<__m512i>(b)));
}
// Two values as high and low parts.
struct Parts {
    F a, b, low_a, low_b;
    Parts(F x, F y) : a(near_bf16(x)), b(near_bf16(y)), low_a(near_bf16(x - a)), low_b(near_bf16(y - b)) {}
};

// Rows i of 32 values, left[i] | right[i], to a tile of 16 pairs of columns by 16 rows; their low parts to another.
inline void pack(const F* left, const F* right, char* to, char* low_to) {
    F high[16], low[16];
    for (int i = 0; i < 16; ++i) {
        const F x = __builtin_shufflevector(left[i], right[i], KLP_EVEN), y = __builtin_shufflevector(left[i], right[i], KLP_ODD);
        const Parts p(x == x ? x : splat(__builtin_nanf("")), y == y ? y : splat(__builtin_nanf("")));  // near_bf16() would carry some NaNs over
        high[i] = paired(p.a, p.b), low[i] = paired(p.low_a, p.low_b);
    }
    transpose(high);
    for (int i = 0; i < 16; ++i) store(reinterpret_cast<float*>(to) + i * 16, high[i]);
    if (!low_to) return;
    transpose(low);
    for (int i = 0; i < 16; ++i) store(reinterpret_cast<float*>(low_to) + i * 16, low[i]);
}

void pack_weights(const Prefill& a, const PrefillWork& w) {
    const int64_t L = a.cache->L;
    char* to = w.weights;
    for (int64_t r = 0; r < a.nope + a.V; r += 16) {
        for (int64_t i = 0; i < 16; ++i) decode_row(a.type, static_cast<const char*>(a.w) + (r + i) * a.row_bytes, L, w.rows + i * L);
        for (int64_t s = 0; s < w.steps; ++s, to += w.parts * kTileBytes) {
            F left[16], right[16];
            for (int i = 0; i < 16; ++i) left[i] = load(w.rows + i * L + s * 32), right[i] = load(w.rows + i * L + s * 32 + 16);
            pack(left, right, to, w.parts > 1 ? to + kTileBytes : nullptr);
        }
    }
}

void pack_queries(const Prefill& a, const PrefillWork& w) {
    char* to = w.queries;
    const float scale = a.scale * kLog2E;
    for (int64_t t = 0; t < a.queries; t += kT)
        for (int64_t c = 0; c < w.chunks; ++c, to += 4 * kTileBytes) {
            const int64_t column = c * 32;
            const bool roped = column >= a.nope;
            const float* from = roped ? a.q_r + t * a.r_stride + column - a.nope : a.q + t * a.stride + column;
            for (int64_t half = 0; half < 2; ++half) {
                F left[16], right[16];
                for (int64_t i = 0; i < 16; ++i) {
                    const int64_t query = half * 16 + i;
                    const float* row = from + query * (roped ? a.r_stride : a.stride);
                    left[i] = t + query < a.queries ? load(row) * scale : F{}, right[i] = t + query < a.queries ? load(row + 16) * scale : F{};
                }
                pack(left, right, to + half * kTileBytes, to + (2 + half) * kTileBytes);
            }
        }
}

// sums[0..3] += 32 rows by 32 columns, 32 deep: tiles 4 and 5 stand for rows, 6 and 7 for columns.
inline void rows_of_tiles(const char* from, int64_t stride) {
    _tile_loadd(4, from, stride);
    _tile_loadd(5, from + 16 * stride, stride);
}
inline void columns_of_tiles(const char* left, const char* right, int64_t stride) {
    _tile_loadd(6, left, stride);
    _tile_loadd(7, right, stride);
}
inline void multiply_tiles() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}
inline void zero_tiles() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}
inline void load_tiles(const float* from) {  // [group][32][32]
    _tile_loadd(0, from, kT * 4);
    _tile_loadd(1, from + 16, kT * 4);
    _tile_loadd(2, from + 16 * kT, kT * 4);
    _tile_loadd(3, from + 16 * kT + 16, kT * 4);
}
inline void store_tiles(float* to) {
    _tile_stored(0, to, kT * 4);
    _tile_stored(1, to + 16, kT * 4);
    _tile_stored(2, to + 16 * kT, kT * 4);
    _tile_stored(3, to + 16 * kT + 16, kT * 4);
}

// Of a group's keys or values, 32 columns from d on, which lie in w.staged, to the tiles of score_group() or gather_groups().
inline void keep_columns(const Prefill& a, const PrefillWork& w, int64_t group, int64_t d) {
    const float* from = w.staged + group * 32 * 32;
    if (d < a.nope) {
        char* to = w.keys + group * w.key_bytes() + d / 32 * 4 * kTileBytes;
        for (int64_t r = 0; r < kKeyGroup; ++r, to += 64) {
            const Parts p(load(from + r * 32), load(from + r * 32 + 16));
            store_halves(to, p.low_a, p.low_b), store_halves(to + 2 * kTileBytes, p.a, p.b);
        }
        return;
    }
    char* to = w.turned + ((d - a.nope) / 32 * kGroups + group) * 4 * kTileBytes;
    for (int64_t half = 0; half < 2; ++half) {
        F left[16], right[16];  // value by value, of 16 keys and 16 more
        for (int i = 0; i < 16; ++i) left[i] = load(from + i * 32 + half * 16), right[i] = load(from + (16 + i) * 32 + half * 16);
        transpose(left), transpose(right);
        for (int i = 0; i < 16; ++i, to += 64) {
            const Parts p(left[i], right[i]);
            store_halves(to, p.low_a, p.low_b), store_halves(to + 2 * kTileBytes, p.a, p.b);
        }
    }
}

// Cached rows to keys and values: a few steps of 32 rows of the weight stay in the first-level cache while all groups pass.
void expand_block(const Prefill& a, const PrefillWork& w, int64_t groups, const char* const* rows) {
    const int64_t stride = row_bytes(*a.cache), tile_row = w.steps * w.parts * kTileBytes;
    for (int64_t d = 0; d < a.nope + a.V; d += 32)
        for (int64_t first = 0; first < w.steps; first += kSteps) {
            const int64_t last = at_most(first + kSteps, w.steps);
            for (int64_t g = 0; g < groups; ++g) {
                const char* weights = w.weights + d / 16 * tile_row + first * w.parts * kTileBytes;
                first == 0 ? zero_tiles() : load_tiles(w.staged + g * 32 * 32);
                for (int64_t s = first; s < last; ++s) {
                    rows_of_tiles(rows[g] + s * 64, stride);
                    for (int64_t part = 0; part < w.parts; ++part, weights += kTileBytes) {
                        columns_of_tiles(weights, weights + tile_row, 64);
                        multiply_tiles();
                    }
                }
                store_tiles(w.staged + g * 32 * 32);
                if (last == w.steps) keep_columns(a, w, g, d);
            }
        }
    for (int64_t g = 0; g < groups; ++g) {
        char* keys = w.keys + g * w.key_bytes() + a.nope / 32 * 4 * kTileBytes;
        for (int64_t c = 0; c < w.roped; ++c)
            for (int64_t r = 0; r < kKeyGroup; ++r, keys += 64) __builtin_memcpy(keys, rows[g] + r * stride + (a.cache->L + c * 32) * 2, 64);
    }
}

// The next block's rows, fetched a few lines at a time between tiles.
struct Coming {
    const char *at, *end;
    int64_t lines;  // of a step
    void step() {
        for (int64_t i = 0; i < lines && at < end; ++i, at += 64) __builtin_prefetch(at, 0, 2);
    }
};

// scores of 32 queries and a group of keys.
inline void score_group(const PrefillWork& w, int64_t group, const char* queries, Coming& coming) {
    const char* keys = w.keys + group * w.key_bytes();
    zero_tiles();
    for (int64_t c = 0; c < w.chunks; ++c, queries += 4 * kTileBytes, keys += 2 * kTileBytes) {
        coming.step();
        columns_of_tiles(queries, queries + kTileBytes, 64);
        rows_of_tiles(keys, 64);
        multiply_tiles();
        if (c < w.chunks - w.roped) {
            keys += 2 * kTileBytes;
            rows_of_tiles(keys, 64);
            multiply_tiles();
        }
        columns_of_tiles(queries + 2 * kTileBytes, queries + 3 * kTileBytes, 64);
        multiply_tiles();
    }
    store_tiles(w.scores + group * kKeyGroup * kT);
}

// 2^x for x <= kRise, to 2^-22, but NaN for -infinity.
inline F exp2(F x) {
    const F n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n;
    F p = r * 1.3333558e-3f + 9.6181291e-3f;
    p = p * r + 5.5504109e-2f;
    p = p * r + 2.4022651e-1f;
    p = p * r + 6.9314718e-1f;
    p = p * r + 1.f;
    return _mm512_scalef_ps(p, n);
}

// Scores of 16 queries, of which the first sees the rows before `seen`, to weights 2^(score - largest), packed for the tiles.
template <bool fine>
inline void soften(int64_t rows, int64_t seen, float* scores, float* top, float* sum, float* exact, float* values, int64_t V) {
    I lane;
    for (int i = 0; i < 16; ++i) lane[i] = i;
    for (int64_t n = seen > 0 ? seen : 0; n < rows; ++n) {
        const I hidden = lane <= splat(static_cast<int32_t>(n - seen));
        store(scores + n * kT, hidden ? splat(kLowest) : load(scores + n * kT));
    }
    F best[4];
    for (F& b : best) b = splat(kLowest);
    for (int64_t n = 0; n < rows; n += 4)
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) best[i] = max(load(scores + (n + i) * kT), best[i]);
    const F highest = max(max(best[0], best[1]), max(best[2], best[3])), before = load(top);
    const auto rises = _mm512_cmp_ps_mask(highest, before + kRise, _CMP_GT_OQ);
    const F now = _mm512_mask_mov_ps(before, rises, highest);
    if (rises) {
        const F fade = exp2(before - now);
        store(top, now), store(sum, load(sum) * fade), store(exact, load(exact) * fade);
        for (int64_t v = 0; v < V; ++v) store(values + v * kT, load(values + v * kT) * fade);
    }
    F total{}, used{};
#pragma GCC unroll 2
    for (int64_t n = 0; n < rows; n += 2) {
        float* to = scores + n * kT;
        F x = exp2(load(to) - now), y = exp2(load(to + kT) - now);
        if constexpr (fine) {
            const Parts p(x, y);
            store(to, paired(p.a, p.b)), store(to + kT, paired(p.low_a, p.low_b));
        }
        total += x + y;
        if constexpr (!fine) {
            x = near_bf16(x), y = near_bf16(y);
            store(to, paired(x, y));
        }
        used += x + y;
    }
    store(sum, load(sum) + used), store(exact, load(exact) + total);
}

// values += V^T P, of 32 queries and some groups of keys.
inline void gather_groups(const Prefill& a, const PrefillWork& w, int64_t groups, float* values, Coming& coming) {
    for (int64_t v = 0; v < a.V; v += 32) {
        const char* turned = w.turned + v / 32 * kGroups * 4 * kTileBytes;
        load_tiles(values + v * kT);
        for (int64_t g = 0; g < groups; ++g, turned += 4 * kTileBytes) {
            const char* weights = reinterpret_cast<const char*>(w.scores + g * kKeyGroup * kT);
            coming.step();
            columns_of_tiles(weights, weights + 64, kT * 8);
            rows_of_tiles(turned, 64);
            multiply_tiles();
            rows_of_tiles(turned + 2 * kTileBytes, 64);
            multiply_tiles();
            if (w.parts == 1) continue;
            columns_of_tiles(weights + kT * 4, weights + kT * 4 + 64, kT * 8);
            multiply_tiles();
        }
        store_tiles(values + v * kT);
    }
}

void prefill(const Prefill& a) {
    const PrefillWork w(a);
    const Latents& cache = *a.cache;
    const int64_t stride = row_bytes(cache), last = a.seen + a.queries - 1;
    pack_weights(a, w);
    pack_queries(a, w);
    for (int64_t i = 0; i < w.tiles * kT; ++i) w.top[i] = kLowest, w.sum[i] = w.exact[i] = 0;
    __builtin_memset(w.values, 0, static_cast<size_t>(w.tiles * kT * a.V) * sizeof(float));
    shape_tiles(64, 16);
    for (int64_t n = 0; n < last; n += kSpan) {  // a page is a whole number of blocks
        const int64_t count = at_most(kSpan, last - n), whole = count / kKeyGroup;
        const char *rows = row_of(cache, n), *next = n + kSpan < last ? row_of(cache, n + kSpan) : rows;
        const int64_t steps = w.tiles * (count + kKeyGroup - 1) / kKeyGroup * (w.chunks + a.V / 32);
        Coming coming{next, next + at_most(kSpan, last - n) * stride, kSpan * stride / 64 / steps + 1};
        const char* from[kGroups];
        for (int64_t g = 0; g < kGroups; ++g) from[g] = g < whole ? rows + g * kKeyGroup * stride : w.edge;
        if (const int64_t rest = count - whole * kKeyGroup) {  // behind the last row anything may lie, NaNs too
            __builtin_memcpy(w.edge, rows + whole * kKeyGroup * stride, static_cast<size_t>(rest * stride));
            __builtin_memset(w.edge + rest * stride, 0, static_cast<size_t>((kKeyGroup - rest) * stride));
        }
        settle();
        expand_block(a, w, (count + kKeyGroup - 1) / kKeyGroup, from);
        for (int64_t tile = 0; tile < w.tiles; ++tile) {
            const int64_t seen = a.seen + tile * kT - n, keys = at_most(count, seen + kT - 1), groups = (keys + kKeyGroup - 1) / kKeyGroup;
            if (keys <= 0) continue;
            float* values = w.values + tile * a.V * kT;
            settle();
            for (int64_t g = 0; g < groups; ++g) score_group(w, g, w.queries + tile * w.chunks * 4 * kTileBytes, coming);
            for (int64_t c = 0; c < kT; c += 16)
                (w.parts > 1 ? soften<true> : soften<false>)(groups * kKeyGroup, seen + c, w.scores + c, w.top + tile * kT + c, w.sum + tile * kT + c,
                                                             w.exact + tile * kT + c, values + c, a.V);
            settle();
            gather_groups(a, w, groups, values, coming);
        }
    }
    _tile_release();
    expand_end({.V = a.V, .queries = a.queries, .sum = w.sum, .values = w.values, .y = a.y, .y_stride = a.y_stride});
    for (int64_t t = 0; a.log_sum_exp && t < a.queries; ++t) a.log_sum_exp[t * a.lse_stride] = w.top[t] * kLn2 + __builtin_logf(w.exact[t]);
}

int64_t prefill_scratch(const Prefill& a) {
    const Latents& cache = *a.cache;
    const bool fits = cache.bf16 && cache.L % 32 == 0 && cache.W - cache.L == a.rope && a.nope % 32 == 0 && a.rope % 32 == 0 && a.V % 32 == 0;
    return fits ? PrefillWork(a).bytes / 4 : 0;
}

#else

void prefill(const Prefill&) {}
int64_t prefill_scratch(const Prefill&) { return 0; }

#endif

}  // namespace
}  // namespace klp
