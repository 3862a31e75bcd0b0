// Many tokens against int8 weights with VNNI. 16 rows of the weight lie in the lanes of a vector, four inputs of each in a lane, and a token's four inputs are
// broadcast: so any number of tokens fills a tile, x needs no rearranging, and sums are stored where y lies. A strip of rows is widened once into a buffer that
// stays in the first-level cache while all tokens pass. Matrix tiles (AMX) take the same layouts: 16 tokens of a group against 16 rows. Every y is one running
// sum over its groups, in their order, whatever the tiling. A part of products.cpp.
#pragma once

#include "kernels/cpu/simd/panels.inc.h"
#include "kernels/cpu/simd/tile_shapes.inc.h"

#if defined(__AVX512VNNI__)

namespace klp {
namespace {

constexpr int kStripVectors = 2;
constexpr int64_t kStrip = kStripVectors * kLanes;  // rows
constexpr int64_t kStripGroups = 32;                // of a strip at a time: 36 KiB with one scale each
constexpr int kLaneTokens = 7;                      // of a tile

// A token: int8 values, then of each group its scale, where its sums start (-128 sum x, as in rows.inc.h), and where those of its first half do.
inline int64_t lane_row_bytes(int64_t in) { return (in / 32 * 44 + 63) / 64 * 64; }

// Lane i: all lanes of v[i] combined.
template <class V, class Op>
inline V fold(V (&v)[16], const Op& op) {
#pragma GCC unroll 4
    for (int half = 8; half > 0; half /= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < half; ++i) {
            const V a = v[2 * i], b = v[2 * i + 1];
            v[i] = op(__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                      __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31));
        }
    }
    return v[0];
}

// x: inputs [column, column + columns) of the row.
void lane_row(const float* x, int64_t in, int64_t column, int64_t columns, char* out) {
    const int64_t groups = columns / 32;
    auto* scales = reinterpret_cast<float*>(out + in) + column / 32;
    auto *starts = reinterpret_cast<int32_t*>(scales + in / 32), *lows = starts + in / 32;
    out += column;
    for (int64_t g = 0; g < groups; g += 16) {
        const int64_t n = groups - g < 16 ? groups - g : 16;
        const auto there = static_cast<__mmask16>((1u << n) - 1);
        const float* from = x + g * 32;
        F tops[16] = {};
        for (int64_t i = 0; i < n; ++i) tops[i] = larger(abs(load(from + i * 32)), abs(load(from + i * 32 + 16)));
        const F amax = fold(tops, [](F a, F b) { return larger(a, b); });
        _mm512_mask_storeu_ps(scales + g, there, group_scale(amax));
        alignas(64) float factors[16];
        store(factors, group_factor(amax));
        I totals[16] = {}, firsts[16] = {};
        for (int64_t i = 0; i < n; ++i) {
            const F factor = splat(factors[i]);
            const I a = quantise(load(from + i * 32), factor), b = quantise(load(from + i * 32 + 16), factor);
            totals[i] = a + b, firsts[i] = a;
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + (g + i) * 32), _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(a)));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + (g + i) * 32 + 16), _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(b)));
        }
        const auto start = [](I(&of)[16]) { return reinterpret_cast<__m512i>(fold(of, [](I a, I b) { return a + b; }) * -128); };
        _mm512_mask_storeu_epi32(starts + g, there, start(totals));
        _mm512_mask_storeu_epi32(lows + g, there, start(firsts));
    }
}

struct alignas(64) Strip {
    uint8_t values[kStripGroups][8][kStrip][4];  // of a group: four inputs of every row, the next four, ...
    float scales[2 * kStripGroups][kStrip];      // of every group, or of its halves
    float mins[2 * kStripGroups][kStrip];        // -1/128 of them: they meet the starts
    uint16_t halves[kStripGroups][kStrip];
};

// 16 bytes of each of 16 rows, turned around: four bytes of every row in out[0], the next four in out[1], ...
[[gnu::always_inline]] inline void turn_rows(const char* const* row, int64_t at, __m512i* out) {
    __m512i v[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
        const auto piece = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row[4 * i + r] + at)); };
        v[r] = _mm512_castsi128_si512(piece(0));
        v[r] = _mm512_mask_broadcast_i32x4(v[r], 0x00f0, piece(1));
        v[r] = _mm512_mask_broadcast_i32x4(v[r], 0x0f00, piece(2));
        v[r] = _mm512_mask_broadcast_i32x4(v[r], 0xf000, piece(3));
    }
    const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]), b = _mm512_unpackhi_epi32(v[0], v[1]), c = _mm512_unpacklo_epi32(v[2], v[3]),
                  d = _mm512_unpackhi_epi32(v[2], v[3]);
    out[0] = _mm512_unpacklo_epi64(a, c), out[1] = _mm512_unpackhi_epi64(a, c), out[2] = _mm512_unpacklo_epi64(b, d), out[3] = _mm512_unpackhi_epi64(b, d);
}
#if defined(__AMX_TILE__)
constexpr char kSign = 0;  // tiles multiply signed with signed
#else
constexpr char kSign = -128;  // w + 128
#endif
// A group of 16 rows, each four inputs kStrip * 4 bytes after those before.
[[gnu::always_inline]] inline void turn_group(Q8, const char* const* row, int64_t at, uint8_t* out) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
        __m512i v[4];
        turn_rows(row, at + 2 + half * 16, v);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) _mm512_store_si512(out + (half * 4 + i) * kStrip * 4, _mm512_xor_si512(v[i], _mm512_set1_epi8(kSign)));
    }
}
[[gnu::always_inline]] inline void turn_group(Q4, const char* const* row, int64_t at, uint8_t* out) {
    __m512i v[4];
    turn_rows(row, at + 2, v);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const __m512i flip = _mm512_set1_epi8(static_cast<char>(kSign ^ -128)), high = _mm512_set1_epi8(-16);  // (a & b) ^ c
        _mm512_store_si512(out + i * kStrip * 4, _mm512_ternarylogic_epi32(_mm512_slli_epi16(v[i], 4), high, flip, 0x6a));
        _mm512_store_si512(out + (4 + i) * kStrip * 4, _mm512_ternarylogic_epi32(v[i], high, flip, 0x6a));
    }
}

// Rows that are not there are copies of the last one. What q8_0 and q4_0 hold is turned first and widened then.
template <class Q>
void fill_turned(const char* w, int64_t w_bytes, int64_t rows, int64_t groups, float scale, Strip& to) {
    constexpr int kBlock = Q::kBytes / 8;
    for (int v = 0; v < kStripVectors; ++v) {
        const char* row[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) row[i] = w + (v * kLanes + i < rows ? v * kLanes + i : rows - 1) * w_bytes;
        for (int64_t g = 0; g < groups; ++g) {
            turn_group(Q{}, row, g * kBlock, to.values[g][0][v * kLanes]);
#pragma GCC unroll 16
            for (int i = 0; i < kLanes; ++i) __builtin_memcpy(&to.halves[g][v * kLanes + i], row[i] + g * kBlock, 2);
        }
    }
    for (int64_t g = 0; g < groups; ++g)
        for (int v = 0; v < kStrip; v += kLanes) store(to.scales[g] + v, from_f16(to.halves[g] + v) * scale);
}
template <class Q>
void fill(Q& q, const char* w, int64_t w_bytes, int64_t rows, int64_t groups, Strip& to) {
    alignas(64) char bytes[kLanes][256];
    const char* row[kLanes];
    for (int i = 0; i < kLanes; ++i) row[i] = bytes[i];
    for (int v = 0; v < kStrip; v += kLanes) {
        for (int64_t g = 0; g < groups; g += kBatch) {
            const int64_t n = groups - g < kBatch ? groups - g : kBatch;
            F scales[kLanes], mins[kLanes];
            for (int i = 0; i < kLanes; ++i) {
                const char* from = w + (v + i < rows ? v + i : rows - 1) * w_bytes + g / kBatch * Q::kBytes;
                char rest[Q::kBytes];
                if (n < kBatch) {
                    __builtin_memset(rest, 0, sizeof rest);
                    __builtin_memcpy(rest, from, static_cast<size_t>(n * (Q::kBytes / 8)));
                    from = rest;
                }
                typename ScalesOf<Q::kSubs>::Type s, m;
                q.open(from);
                q.scales(from, s, m);
                __builtin_memcpy(&scales[i], &s, sizeof s);
                if constexpr (Q::kMins) __builtin_memcpy(&mins[i], &m, sizeof m);
#pragma GCC unroll 4
                for (int p = 0; p < 4; ++p) q.pair(from, p, reinterpret_cast<Group*>(bytes[i] + 64 * p));
            }
            for (int64_t k = 0; k < 2 * n; ++k) {
                __m512i turned[4];
                turn_rows(row, 16 * k, turned);
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i) _mm512_store_si512(to.values[g + k / 2][k % 2 * 4 + i][v], turned[i]);
            }
            transpose(scales);
            for (int64_t k = 0; k < n * Q::kSubs; ++k) store(to.scales[g * Q::kSubs + k] + v, scales[k]);
            if constexpr (Q::kMins) {
                transpose(mins);
                for (int64_t k = 0; k < n * Q::kSubs; ++k) store(to.mins[g * Q::kSubs + k] + v, mins[k] * (-1 / 128.f));
            }
        }
    }
}
inline void fill(Q8&, const char* w, int64_t w_bytes, int64_t rows, int64_t groups, Strip& to) { fill_turned<Q8>(w, w_bytes, rows, groups, 1, to); }
inline void fill(Q4&, const char* w, int64_t w_bytes, int64_t rows, int64_t groups, Strip& to) { fill_turned<Q4>(w, w_bytes, rows, groups, 1 / 16.f, to); }

inline I dot_step(I sum, I w, I x) {
    return reinterpret_cast<I>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(w), reinterpret_cast<__m512i>(x)));
}

// x: of each token its values, scales, starts, from the strip's first group on.
struct LaneTokens {
    const char* x[kLaneTokens];
    int64_t scales, starts, lows;  // bytes behind x
    float* y[kLaneTokens];
};
template <int R, int kSubs, bool kMins>
inline void lane_tile(const Strip& w, int64_t groups, const LaneTokens& t, const __mmask16* there, bool add, Ahead& ahead) {
    constexpr int P = kStripVectors;
    F acc[R][P];
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) acc[r][p] = F{};
    const char* x[R];
    for (int r = 0; r < R; ++r) x[r] = t.x[r];
    const int64_t scales = t.scales, starts = t.starts;
    [[maybe_unused]] const int64_t lows = t.lows;
    // Where the sums of a part of group g start.
    const auto start_of = [&](int r, int64_t g, int sub) {
        const auto at = [&](int64_t behind) { return splat(*reinterpret_cast<const int32_t*>(x[r] + behind + g * 4)); };
        return kSubs == 1 ? at(starts) : sub == 0 ? at(lows) : at(starts) - at(lows);
    };
    for (int64_t g = 0; g < groups; ++g) {
        ahead.step();
        const auto part = [&](int sub) __attribute__((always_inline)) {
            I dot[R][P];
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                const I start = kMins ? I{} : start_of(r, g, sub);
                for (int p = 0; p < P; ++p) dot[r][p] = start;
            }
#pragma GCC unroll 8
            for (int s = sub * 8 / kSubs; s < (sub + 1) * 8 / kSubs; ++s) {
                I wv[P];
#pragma GCC unroll 2
                for (int p = 0; p < P; ++p) wv[p] = load_as<I>(w.values[g][s][p * kLanes]);
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) {
                    const I xv = splat(*reinterpret_cast<const int32_t*>(x[r] + g * 32 + s * 4));
#pragma GCC unroll 2
                    for (int p = 0; p < P; ++p) dot[r][p] = dot_step(dot[r][p], wv[p], xv);
                }
            }
            F scale[P];
            for (int p = 0; p < P; ++p) scale[p] = load(w.scales[g * kSubs + sub] + p * kLanes);
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                const F of_x = splat(*reinterpret_cast<const float*>(x[r] + scales + g * 4));
#pragma GCC unroll 2
                for (int p = 0; p < P; ++p) acc[r][p] += to_float(dot[r][p]) * (scale[p] * of_x);
            }
            if constexpr (kMins) {
                F min[P];
                for (int p = 0; p < P; ++p) min[p] = load(w.mins[g * kSubs + sub] + p * kLanes);
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) {
                    const F start = to_float(start_of(r, g, sub)) * splat(*reinterpret_cast<const float*>(x[r] + scales + g * 4));
#pragma GCC unroll 2
                    for (int p = 0; p < P; ++p) acc[r][p] += start * min[p];
                }
            }
        };
        part(0);
        if constexpr (kSubs == 2) part(1);
    }
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) {
            float* y = t.y[r] + p * kLanes;
            _mm512_mask_storeu_ps(y, there[p], add ? _mm512_maskz_loadu_ps(there[p], y) + acc[r][p] : acc[r][p]);
        }
}
// All tokens of a against a strip. x: the prepared tokens, from the strip's first group on.
template <int kSubs, bool kMins>
__attribute__((noinline)) void lane_tokens(const Multiply& a, const Strip& strip, int64_t groups, int64_t row, const char* x, int64_t scales,
                                           const __mmask16* there, bool add, Ahead& next) {
    Ahead ahead = next;  // in registers
    const int64_t x_bytes = lane_row_bytes(a.in), tiles = (a.last - a.first + kLaneTokens - 1) / kLaneTokens;
    LaneTokens t;
    t.scales = scales, t.starts = scales + a.in / 8, t.lows = scales + a.in / 4;
    for (int64_t tile = 0, first = a.first; tile < tiles; ++tile) {
        const int64_t count = (a.last - first) / (tiles - tile);  // shared out evenly: 7 are 3 + 4, not 6 + 1
        for (int64_t i = 0; i < count; ++i, ++first) {
            t.x[i] = x + first * x_bytes;
            t.y[i] = a.y + y_offset(a, first) + row;
        }
        switch (count) {
            case 1:
                lane_tile<1, kSubs, kMins>(strip, groups, t, there, add, ahead);
                break;
            case 2:
                lane_tile<2, kSubs, kMins>(strip, groups, t, there, add, ahead);
                break;
            case 3:
                lane_tile<3, kSubs, kMins>(strip, groups, t, there, add, ahead);
                break;
            case 4:
                lane_tile<4, kSubs, kMins>(strip, groups, t, there, add, ahead);
                break;
            case 5:
                lane_tile<5, kSubs, kMins>(strip, groups, t, there, add, ahead);
                break;
            case 6:
                lane_tile<6, kSubs, kMins>(strip, groups, t, there, add, ahead);
                break;
            default:
                lane_tile<7, kSubs, kMins>(strip, groups, t, there, add, ahead);
        }
    }
    next = ahead;
}

#if defined(__AMX_TILE__)
// One tile's sums of a group are stored, loaded again as vectors and scaled, some tiles later: a tile takes long to arrive, and what it stored can be loaded
// only after it has left the store buffer.
constexpr int64_t kBehind = 2, kRing = 4;
struct Ring {
    alignas(64) int32_t sums[kRing][16][kLanes];
};
struct TileItem {  // counts through the groups of a strip's vectors of rows of the panels of 16 tokens
    int64_t panel = 0, vector = 0, group = 0;
    void next(int64_t groups) {
        if (++group < groups) return;
        group = 0;
        if (++vector < kStripVectors) return;
        vector = 0;
        ++panel;
    }
};
inline void sum_tile(int64_t turn, const char* x, int64_t x_bytes, const uint8_t* w, int32_t* sums) {
    switch (turn % 4) {
        case 0:
            _tile_zero(0);
            _tile_loadd(4, x, x_bytes);
            _tile_loadd(6, w, kStrip * 4);
            _tile_dpbssd(0, 4, 6);
            _tile_stored(0, sums, 64);
            break;
        case 1:
            _tile_zero(1);
            _tile_loadd(5, x, x_bytes);
            _tile_loadd(7, w, kStrip * 4);
            _tile_dpbssd(1, 5, 7);
            _tile_stored(1, sums, 64);
            break;
        case 2:
            _tile_zero(2);
            _tile_loadd(4, x, x_bytes);
            _tile_loadd(6, w, kStrip * 4);
            _tile_dpbssd(2, 4, 6);
            _tile_stored(2, sums, 64);
            break;
        default:
            _tile_zero(3);
            _tile_loadd(5, x, x_bytes);
            _tile_loadd(7, w, kStrip * 4);
            _tile_dpbssd(3, 5, 7);
            _tile_stored(3, sums, 64);
    }
}
// x: the prepared tokens, from the strip's first group on.
inline void lane_tiles(const Multiply& a, const Strip& w, int64_t groups, int64_t row, const char* x, int64_t scales, const __mmask16* there, bool add,
                       Ahead& ahead) {
    Ring ring;
    const int64_t x_bytes = lane_row_bytes(a.in), tokens = a.last - a.first, items = (tokens + 15) / 16 * kStripVectors * groups;
    TileItem made, used;
    F acc[16];
    for (int64_t i = 0; i < items + kBehind; ++i) {
        if (i < items) {
            ahead.step();
            sum_tile(i, x + made.panel * 16 * x_bytes + made.group * 32, x_bytes, w.values[made.group][0][made.vector * kLanes], ring.sums[i % kRing][0]);
            made.next(groups);
        }
        if (i < kBehind) continue;
        const auto& sums = ring.sums[(i - kBehind) % kRing];
        const char* of_x = x + used.panel * 16 * x_bytes + scales + used.group * 4;
        const F scale = load(w.scales[used.group] + used.vector * kLanes);
        if (used.group == 0) {
#pragma GCC unroll 16
            for (int t = 0; t < 16; ++t) acc[t] = F{};
        }
#pragma GCC unroll 16
        for (int t = 0; t < 16; ++t) acc[t] += to_float(load_as<I>(sums[t])) * (scale * splat(*reinterpret_cast<const float*>(of_x + t * x_bytes)));
        if (used.group == groups - 1) {
            const int64_t first = used.panel * 16, n = tokens - first < 16 ? tokens - first : 16;
            const __mmask16 lanes = there[used.vector];
#pragma GCC unroll 16
            for (int t = 0; t < 16; ++t) {
                if (t >= n) break;
                float* y = a.y + y_offset(a, a.first + first + t) + row + used.vector * kLanes;
                _mm512_mask_storeu_ps(y, lanes, add ? _mm512_maskz_loadu_ps(lanes, y) + acc[t] : acc[t]);
            }
        }
        used.next(groups);
    }
}
#endif

void multiply_lanes(const Multiply& a) {
    Strip strip;
    const int64_t w_bytes = weight_row_bytes(a.type, a.in), groups = a.in / 32;
    const int64_t tokens = a.last - a.first;
#if defined(__AMX_TILE__)
    const bool on_tiles = a.type == DType::q8_0 || a.type == DType::q4_0;  // of the others, values are w + 128
    if (on_tiles) shape_tiles(32, 8);                                      // here 4 and 5 are tokens, 6 and 7 weights
    const int64_t tiles = on_tiles ? (tokens + 15) / 16 * kStripVectors : (tokens + kLaneTokens - 1) / kLaneTokens;
#else
    const int64_t tiles = (tokens + kLaneTokens - 1) / kLaneTokens;
#endif
    const auto* w = static_cast<const char*>(a.w);
    for (int64_t r = 0; r < a.rows; r += kStrip) {
        const int64_t rows = a.rows - r < kStrip ? a.rows - r : kStrip;
        __mmask16 there[kStripVectors];
        for (int v = 0; v < kStripVectors; ++v) {
            const int64_t n = rows - v * kLanes;
            there[v] = static_cast<__mmask16>(n >= kLanes ? 0xffff : n > 0 ? (1u << n) - 1 : 0);
        }
        Ahead ahead(a, a.rows * w_bytes, (r + rows) * w_bytes, kStrip * w_bytes, tiles * groups);
        for (int64_t g = 0; g < groups; g += kStripGroups) {
            const int64_t n = groups - g < kStripGroups ? groups - g : kStripGroups;
            const bool add = a.add || g > 0;
            const char* x = static_cast<const char*>(a.x) + g * 32;
            const int64_t scales = a.in - g * 28;
            with_format(a.type, [&](auto q) {
                using Q = decltype(q);
                fill(q, w + r * w_bytes + g / kBatch * Q::kBytes, w_bytes, rows, n, strip);
#if defined(__AMX_TILE__)
                if (on_tiles) {
                    settle();
                    return lane_tiles(a, strip, n, r, x + a.first * lane_row_bytes(a.in), scales, there, add, ahead);
                }
#endif
                lane_tokens<Q::kSubs, Q::kMins>(a, strip, n, r, x, scales, there, add, ahead);
            });
        }
    }
#if defined(__AMX_TILE__)
    if (on_tiles) _tile_release();
#endif
}

}  // namespace
}  // namespace klp

#endif
