// Many tokens: x lies in panels of 16 tokens, so that a vector holds one input (or a pair of int16 inputs) of 16 tokens and a weight is one broadcast. A block
// of weight rows is widened once into a buffer that stays in the L2 cache, then meets every token; inside, a slice of 48 tokens stays in L1 while all rows of
// the block pass. Every y is one running sum over its inputs, in their order, whatever the tiling. A part of products.cpp.
#pragma once

#include "kernels/cpu/simd/products.h"
#include "kernels/cpu/simd/rows.inc.h"

namespace klp {
namespace {

constexpr int kPanel = 16;                        // tokens, kTokenGroup
constexpr int kVectors = kPanel / kLanes;         // of a panel
constexpr int kMaxPanels = kLanes == 16 ? 3 : 1;  // of a tile
constexpr int64_t kRowBlock = 64;
constexpr int64_t kBuffer = 256 * 1024;  // bytes of widened weights, on the stack of each thread
int64_t y_offset(const Multiply& a, int64_t t) { return (a.index ? a.index[t] : t) * a.stride; }

int64_t weight_row_bytes(DType type, int64_t in) {
    switch (type) {
        case DType::f32:
            return in * 4;
        case DType::f16:
        case DType::bf16:
            return in * 2;
        default:
            return with_format(type, [&](auto q) { return in * decltype(q)::kBytes / 256; });
    }
}

// --- x ------------------------------------------------------------------------------------------------------------------------------------

// kLanes inputs from i on of kLanes tokens, input by input; absent rows and inputs past n are zero.
inline void columns(const float* const* row, int64_t i, int64_t n, F* out) {
    for (int t = 0; t < kLanes; ++t) out[t] = !row[t] ? F{} : i + kLanes <= n ? load(row[t] + i) : load_part(row[t] + i, n - i);
    transpose(out);
}

// [in][16] values, rounded to bf16 where asked for.
inline void panel_of_floats(const float* const* rows, int64_t in, bool to_bf16, float* out) {
    for (int v = 0; v < kVectors; ++v) {
        for (int64_t i = 0; i < in; i += kLanes) {
            F c[kLanes];
            columns(rows + v * kLanes, i, in, c);
            for (int64_t j = 0; j < kLanes && i + j < in; ++j) store(out + (i + j) * kPanel + v * kLanes, to_bf16 ? round_bf16(c[j]) : c[j]);
        }
    }
}

#if !defined(__AVX512VNNI__)
constexpr int64_t kQuantBlock = kBuffer / kRowBlock / (kGroupLanes * 4);  // groups of a block of rows
// [in / kInLane][16] lanes of values, then [in / 32][16] scales, then [in / 16][16] scales times sums.
inline int64_t quant_panel_bytes(int64_t in) { return in / 32 * kPanel * (kGroupLanes * 4 + 12); }
struct QuantPanel {
    int32_t* values;
    float *scales, *sums;
};
inline QuantPanel quant_panel(void* prepared, int64_t in) {
    auto* values = static_cast<int32_t*>(prepared);
    auto* scales = reinterpret_cast<float*>(values + in / 32 * kGroupLanes * kPanel);
    return {values, scales, scales + in / 32 * kPanel};
}

inline void panel_of_quants(const float* const* rows, int64_t in, const QuantPanel& out) {
    for (int64_t g = 0; g < in / 32; ++g) {
        for (int v = 0; v < kVectors; ++v) {
            F c[32];
            F amax{};
            for (int i = 0; i < 32; i += kLanes) columns(rows + v * kLanes, g * 32 + i, in, c + i);
            for (const F& x : c) amax = larger(amax, abs(x));
            const F factor = group_factor(amax), scale = group_scale(amax);
            I totals[2]{};
            for (int i = 0; i < kGroupLanes; ++i) {
                constexpr int kBits = 32 / kInLane;
                I lane{};
                for (int j = 0; j < kInLane; ++j) {
                    const I q = quantise(c[i * kInLane + j], factor);
                    totals[i / (kGroupLanes / 2)] += q;
                    lane |= (q & static_cast<int32_t>((uint32_t{1} << kBits) - 1)) << j * kBits;
                }
                __builtin_memcpy(out.values + (g * kGroupLanes + i) * kPanel + v * kLanes, &lane, sizeof lane);
            }
            store(out.scales + g * kPanel + v * kLanes, scale);
            for (int half = 0; half < 2; ++half) store(out.sums + (2 * g + half) * kPanel + v * kLanes, scale * to_float(totals[half]));
        }
    }
}
#endif

// Weights that come next, fetched into L2 a few lines at a time while these are multiplied: the rest of this call's, or the beginning of the next call's.
struct Ahead {
    const char* at;
    int64_t lines, share;
    // `done`: bytes of a's weights up to the end of the present block; `block`: of such a block; `steps`: calls of step() that are coming.
    Ahead(const Multiply& a, int64_t all, int64_t done, int64_t block, int64_t steps) {
        const bool more = done < all;
        const int64_t there = more ? all - done : a.next_bytes;
        at = static_cast<const char*>(more ? a.w : a.next) + (more ? done : 0);
        lines = (there < block ? there : block) / 64;
        share = lines / steps + 1;
    }
    void step() {
        for (int64_t i = 0; i < share && lines > 0; ++i, --lines, at += 64) __builtin_prefetch(at, 0, 2);
    }
};

// --- tiles: R rows by P panels, c [row][kMaxPanels * 16] --------------------------------------------------------------------------------------

constexpr int kTileWidth = kMaxPanels * kPanel;

template <int R, int P>
inline void tile_floats(const float* w, int64_t w_stride, int64_t n, const float* x, int64_t x_stride, float* c, bool first) {
    constexpr int kN = P * kVectors;
    F acc[R][kN];
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < kN; ++v) acc[r][v] = first ? F{} : load(c + r * kTileWidth + v * kLanes);
    }
    for (int64_t i = 0; i < n; ++i) {
        F xv[kN];
#pragma GCC unroll 8
        for (int v = 0; v < kN; ++v) xv[v] = load(x + v / kVectors * x_stride + i * kPanel + v % kVectors * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const F wv = splat(w[r * w_stride + i]);
#pragma GCC unroll 8
            for (int v = 0; v < kN; ++v) acc[r][v] += wv * xv[v];
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < kN; ++v) store(c + r * kTileWidth + v * kLanes, acc[r][v]);
    }
}

#if !defined(__AVX512VNNI__)
// w: pairs, scales and minimums of rows, from the slice's first group on; x as quant_panel has it, the slice's too.
template <int R, int P, int kSubs, bool kMins>
inline void tile_quants(const int32_t* w, const float* w_scales, [[maybe_unused]] const float* w_mins, int64_t w_groups, int64_t groups, const QuantPanel* x,
                        float* c, bool first, Ahead& ahead) {
    constexpr int kN = P * kVectors, kSteps = kGroupLanes / kSubs;
    const int32_t* x_values[P];  // here, or each prefetch would have them loaded again
    [[maybe_unused]] const float *x_scales[P], *x_sums[P];
    for (int p = 0; p < P; ++p) x_values[p] = x[p].values, x_scales[p] = x[p].scales, x_sums[p] = x[p].sums;
    F acc[R][kN];
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < kN; ++v) acc[r][v] = first ? F{} : load(c + r * kTileWidth + v * kLanes);
    }
    for (int64_t g = 0; g < groups; ++g) {
        ahead.step();
        const auto part = [&](int sub) __attribute__((always_inline)) {
            I sums[R][kN];
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
                for (int v = 0; v < kN; ++v) sums[r][v] = I{};
            }
#pragma GCC unroll 8
            for (int s = 0; s < kSteps; ++s) {
                const int64_t at = g * kGroupLanes + sub * kSteps + s;
                I xv[kN];
#pragma GCC unroll 8
                for (int v = 0; v < kN; ++v) xv[v] = load_as<I>(x_values[v / kVectors] + at * kPanel + v % kVectors * kLanes);
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) {
                    const I wv = splat(w[r * w_groups * kGroupLanes + at]);
#pragma GCC unroll 8
                    for (int v = 0; v < kN; ++v) sums[r][v] = dot(sums[r][v], wv, xv[v]);
                }
            }
#pragma GCC unroll 8
            for (int v = 0; v < kN; ++v) {
                const F scale = load(x_scales[v / kVectors] + g * kPanel + v % kVectors * kLanes);
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) acc[r][v] += to_float(sums[r][v]) * (scale * w_scales[(r * w_groups + g) * kSubs + sub]);
            }
        };
        part(0);
        if constexpr (kSubs == 2) part(1);
        if constexpr (kMins) {
            for (int half = 0; half < 2; ++half)
                for (int v = 0; v < kN; ++v) {
                    const F sums = load(x_sums[v / kVectors] + (2 * g + half) * kPanel + v % kVectors * kLanes);
                    for (int r = 0; r < R; ++r) acc[r][v] += sums * w_mins[(r * w_groups + g) * kSubs + half * (kSubs - 1)];
                }
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < kN; ++v) store(c + r * kTileWidth + v * kLanes, acc[r][v]);
    }
}
#endif

// --- weights -------------------------------------------------------------------------------------------------------------------------------

template <class Read>
inline void widen_row(const char* w, int64_t n, float* out) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(out + i, Read::at(w + i * Read::kBytes));
    if (i < n) {
        char rest[kLanes * Read::kBytes] = {};
        __builtin_memcpy(rest, w + i * Read::kBytes, static_cast<size_t>((n - i) * Read::kBytes));
        store_part(out + i, Read::at(rest), n - i);
    }
}

#if !defined(__AVX512VNNI__)
// Eight groups; values are aligned to a vector.
template <class Q>
inline void widen_batch(Q& q, const char* w, int32_t* values, float* scales, float* mins) {
    typename ScalesOf<Q::kSubs>::Type s, m;
    q.open(w);
    q.scales(w, s, m);
    __builtin_memcpy(scales, &s, sizeof s);
    if constexpr (Q::kMins) __builtin_memcpy(mins, &m, sizeof m);
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) {
        pair_values(q, w, p, reinterpret_cast<I*>(values + 2 * p * kGroupLanes));  // not by way of an array here: g++ would store it and load it again
    }
}
template <class Q>
inline void widen_blocks(Q& q, const char* w, int64_t groups, int32_t* values, float* scales, float* mins) {
    constexpr int kSubs = Q::kSubs;
    int64_t g = 0;
    for (; g + kBatch <= groups; g += kBatch, w += Q::kBytes) widen_batch(q, w, values + g * kGroupLanes, scales + g * kSubs, mins + g * kSubs);
    if (g < groups) {
        char rest[Q::kBytes] = {};
        alignas(64) int32_t v[kBatch * kGroupLanes];
        float s[kBatch * kSubs], m[kBatch * kSubs] = {};
        __builtin_memcpy(rest, w, static_cast<size_t>((groups - g) * (Q::kBytes / 8)));
        widen_batch(q, rest, v, s, m);
        __builtin_memcpy(values + g * kGroupLanes, v, static_cast<size_t>((groups - g) * kGroupLanes * 4));
        __builtin_memcpy(scales + g * kSubs, s, static_cast<size_t>((groups - g) * 4 * kSubs));
        __builtin_memcpy(mins + g * kSubs, m, static_cast<size_t>((groups - g) * 4 * kSubs));
    }
}
#endif

// --- y -------------------------------------------------------------------------------------------------------------------------------------

// Tokens and rows change places: c [row][kTileWidth] of some panels to y[token][r + row].
inline void store_tile(const float* c, const Multiply& a, int64_t first_row, int64_t rows, int64_t first_panel, int64_t panels, bool more) {
    const bool add = a.add || more;
    const int64_t first = a.first + first_panel * kPanel, tokens = a.last - first < panels * kPanel ? a.last - first : panels * kPanel;
    for (int64_t t = 0; t < tokens; t += kLanes) {
        const int64_t n_tokens = tokens - t < kLanes ? tokens - t : kLanes;
        float* to[kLanes];
        for (int64_t i = 0; i < n_tokens; ++i) to[i] = a.y + y_offset(a, first + t + i) + first_row;
        for (int64_t r = 0; r < rows; r += kLanes) {
            const int64_t n = rows - r < kLanes ? rows - r : kLanes;
            F v[kLanes];
            for (int64_t i = 0; i < kLanes; ++i) v[i] = i < n ? load(c + (r + i) * kTileWidth + t) : F{};
            transpose(v);
            for (int64_t i = 0; i < n_tokens; ++i) {
                if (n == kLanes) {
                    store(to[i] + r, add ? load(to[i] + r) + v[i] : v[i]);
                } else {
                    store_part(to[i] + r, add ? load_part(to[i] + r, n) + v[i] : v[i], n);
                }
            }
        }
    }
}

}  // namespace
}  // namespace klp
