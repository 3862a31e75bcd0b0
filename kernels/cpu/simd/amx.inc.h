// Many tokens on machines with matrix tiles (AMX): a tile is 16 rows of 64 bytes, and one instruction multiplies 16 rows of weights with 16 tokens, 32 bf16 or
// 32 int8 inputs deep. The weights need no repacking, a tile takes rows where they lie; x lies in the panels of panels.inc.h, bf16 in pairs. A part of
// products.cpp.
#pragma once

#include "kernels/cpu/simd/panels.inc.h"
#include "kernels/cpu/simd/tile_shapes.inc.h"

#if defined(__AMX_TILE__)

namespace klp {
namespace {

constexpr int64_t kTile = 16;       // rows, and tokens
constexpr int64_t kDeep = 32;       // inputs of one instruction
constexpr int64_t kAmxSlice = 512;  // inputs: rows and tokens of a slice stay in L1
constexpr int64_t kAmxRows = 128;   // rows that stay in L2 while all tokens pass

// [in / 2][16] pairs of bf16, zeros up to a multiple of 32 inputs.
inline int64_t pair_panel_bytes(int64_t in) { return (in + kDeep - 1) / kDeep * kDeep * 2 * kPanel; }
inline void panel_of_pairs(const float* const* rows, int64_t in, uint32_t* out) {
    const int64_t padded = (in + kDeep - 1) / kDeep * kDeep;
    for (int64_t i = 0; i < padded; i += kLanes) {
        F c[kLanes];
        columns(rows, i, in > i ? in : i, c);
        for (int64_t j = 0; j < kLanes; j += 2) {
            const I low = as_int(round_bf16(c[j])), high = as_int(round_bf16(c[j + 1]));
            const I pair = high | reinterpret_cast<I>(reinterpret_cast<U>(low) >> 16);
            __builtin_memcpy(out + (i + j) / 2 * kPanel, &pair, sizeof pair);
        }
    }
}

// Weight rows of a tile: in place, or copied with zeros around where the matrix ends inside the tile.
struct TileRows {
    const char* at;
    int64_t stride;
};
inline TileRows tile_rows_of(const char* w, int64_t stride, int64_t rows, int64_t bytes, int64_t padded_bytes, char* edge) {
    if (rows >= kTile && bytes == padded_bytes) return {w, stride};
    for (int64_t r = 0; r < kTile; ++r) {
        const int64_t there = r < rows ? bytes : 0;
        __builtin_memcpy(edge + r * padded_bytes, w + (r < rows ? r * stride : 0), static_cast<size_t>(there));
        __builtin_memset(edge + r * padded_bytes + there, 0, static_cast<size_t>(padded_bytes - there));
    }
    settle();
    return {edge, padded_bytes};
}

// 32 rows (or 16) by 32 tokens (or 16), `deep` inputs: added to c [row][kTileWidth].
template <bool kTwoRows, bool kTwoPanels>
inline void amx_tile(const TileRows* w, int64_t deep, const char* x, int64_t x_bytes, float* c, bool first, Ahead& ahead) {
    constexpr int kStride = kTileWidth * 4;
    float* c1 = c + kTile * kTileWidth;
    if (first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, c, kStride);
        if constexpr (kTwoPanels) _tile_loadd(1, c + kPanel, kStride);
        if constexpr (kTwoRows) _tile_loadd(2, c1, kStride);
        if constexpr (kTwoRows && kTwoPanels) _tile_loadd(3, c1 + kPanel, kStride);
    }
    for (int64_t i = 0; i < deep; i += kDeep) {
        ahead.step();
        _tile_loadd(6, x + i * 2 * kPanel, 64);
        _tile_loadd(4, w[0].at + i * 2, w[0].stride);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (kTwoPanels) {
            _tile_loadd(7, x + x_bytes + i * 2 * kPanel, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (kTwoRows) {
            _tile_loadd(5, w[1].at + i * 2, w[1].stride);
            _tile_dpbf16ps(2, 5, 6);
            if constexpr (kTwoPanels) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, kStride);  // these do say that they write
    if constexpr (kTwoPanels) _tile_stored(1, c + kPanel, kStride);
    if constexpr (kTwoRows) _tile_stored(2, c1, kStride);
    if constexpr (kTwoRows && kTwoPanels) _tile_stored(3, c1 + kPanel, kStride);
}

void multiply_amx_bf16(const Multiply& a, int64_t x_bytes) {
    alignas(64) float c[kAmxRows * kTileWidth];
    alignas(64) char edge[2][kTile * kAmxSlice * 2];
    const int64_t w_bytes = a.in * 2, panels = (a.last - a.first + kPanel - 1) / kPanel;
    const auto* x = static_cast<const char*>(a.x) + a.first / kPanel * x_bytes;
    shape_tiles(64, 16);
    for (int64_t block = 0; block < a.rows; block += kAmxRows) {
        const int64_t rows = a.rows - block < kAmxRows ? a.rows - block : kAmxRows;
        const char* w = static_cast<const char*>(a.w) + block * w_bytes;
        const int64_t steps = ((panels + 1) / 2) * ((a.in + kDeep - 1) / kDeep) * ((rows + 31) / 32);
        Ahead ahead(a, a.rows * w_bytes, (block + rows) * w_bytes, kAmxRows * w_bytes, steps);
        for (int64_t p = 0; p < panels; p += 2) {
            const bool two_panels = p + 1 < panels;
            for (int64_t s = 0; s < a.in; s += kAmxSlice) {
                const int64_t n = a.in - s < kAmxSlice ? a.in - s : kAmxSlice, deep = (n + kDeep - 1) / kDeep * kDeep;
                const char* xs = x + p * x_bytes + s * 2 * kPanel;
                for (int64_t r = 0; r < rows; r += 2 * kTile) {
                    const bool two_rows = r + kTile < rows;
                    const char* from = w + r * w_bytes + s * 2;
                    TileRows t[2] = {tile_rows_of(from, w_bytes, rows - r, n * 2, deep * 2, edge[0]), {}};
                    if (two_rows) t[1] = tile_rows_of(from + kTile * w_bytes, w_bytes, rows - r - kTile, n * 2, deep * 2, edge[1]);
                    const auto tile = two_rows     ? two_panels ? amx_tile<true, true> : amx_tile<true, false>
                                          : two_panels ? amx_tile<false, true>
                                                   : amx_tile<false, false>;
                    tile(t, deep, xs, x_bytes, c + r * kTileWidth, s == 0, ahead);
                }
            }
            store_tile(c, a, block, rows, p, two_panels ? 2 : 1, false);
        }
    }
    _tile_release();
}

// Groups of 16 rows against one panel: exact sums of each in a tile, then in f32 with both scales. What a tile stores can be loaded only after it has left the
// store buffer, so that the sums of some groups are made while those of the groups before are scaled.
constexpr int64_t kGroups = 8;  // at a time
struct GroupSums {
    alignas(64) int32_t sums[kGroups][kTile * kPanel];
    const float *w_scales = nullptr, *x_scales = nullptr;  // of the first group
    int64_t w_stride = 0, groups = 0;                      // w_scales from row to row
    bool first = false, last = false;                      // of a tile of y
    int64_t row = 0, panel = 0;                            // that tile's
};

// w: int8 values of a group each w_step bytes; x: of a group each 8 * kPanel.
inline void sum_groups(TileRows w, int64_t w_step, const int32_t* x, GroupSums& to, Ahead& ahead) {
    int64_t g = 0;
    for (; g + 2 <= to.groups; g += 2) {
        ahead.step();
        _tile_zero(0);
        _tile_loadd(4, w.at + g * w_step, w.stride);
        _tile_loadd(6, x + g * 8 * kPanel, 64);
        _tile_dpbssd(0, 4, 6);
        _tile_zero(1);
        _tile_loadd(5, w.at + (g + 1) * w_step, w.stride);
        _tile_loadd(7, x + (g + 1) * 8 * kPanel, 64);
        _tile_dpbssd(1, 5, 7);
        _tile_stored(0, to.sums[g], 64);
        _tile_stored(1, to.sums[g + 1], 64);
    }
    if (g < to.groups) {
        _tile_zero(0);
        _tile_loadd(4, w.at + g * w_step, w.stride);
        _tile_loadd(6, x + g * 8 * kPanel, 64);
        _tile_dpbssd(0, 4, 6);
        _tile_stored(0, to.sums[g], 64);
    }
}
inline void scale_groups(const GroupSums& from, float* c) {
    __m512 acc[kTile];
#pragma GCC unroll 16
    for (int r = 0; r < kTile; ++r) acc[r] = from.first ? _mm512_setzero_ps() : _mm512_load_ps(c + r * kTileWidth);
    for (int64_t g = 0; g < from.groups; ++g) {
        const __m512 scale = _mm512_loadu_ps(from.x_scales + g * kPanel);
#pragma GCC unroll 16
        for (int r = 0; r < kTile; ++r) {
            acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(from.sums[g] + r * kPanel)),
                                     _mm512_mul_ps(scale, _mm512_set1_ps(from.w_scales[r * from.w_stride + g])), acc[r]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kTile; ++r) _mm512_store_ps(c + r * kTileWidth, acc[r]);
}

// The scales of a row.
template <class Q>
inline void row_scales(const char* w, int64_t groups, float* out) {
    int64_t g = 0;
    for (; g + kBatch <= groups; g += kBatch) _mm256_storeu_ps(out + g, block_scales<Q>(w + g * Q::kBytes));
    for (; g < groups; ++g) {
        uint16_t h;
        __builtin_memcpy(&h, w + g * Q::kBytes, 2);
        out[g] = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h))) * Q::kScale;
    }
}
// As 16 (n - 8), which is what their scales are for.
inline void row_of_nibbles(const char* w, int64_t groups, char* out) {
    for (int64_t g = 0; g < groups; ++g) {
        const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w + g * Q4::kBytes + 2));
        const __m256i high = _mm256_and_si256(_mm256_set_m128i(both, _mm_slli_epi16(both, 4)), _mm256_set1_epi8(-16));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + g * 32), _mm256_xor_si256(high, _mm256_set1_epi8(-128)));
    }
}

void multiply_amx_quants(const Multiply& a, int64_t x_bytes) {
    alignas(64) char buffer[kBuffer];
    alignas(64) float scales[kRowBlock * kQuantBlock];
    alignas(64) float c[kTile * kTileWidth];
    GroupSums sums[2];
    const bool q8 = a.type == DType::q8_0;
    const int64_t w_bytes = weight_row_bytes(a.type, a.in), block_bytes = q8 ? Q8::kBytes : Q4::kBytes, groups = a.in / 32;
    const int64_t panels = (a.last - a.first + kPanel - 1) / kPanel;
    auto* x = static_cast<char*>(const_cast<void*>(a.x)) + a.first / kPanel * x_bytes;
    shape_tiles(32, 8);
    for (int64_t block = 0; block < a.rows; block += kRowBlock) {
        const int64_t rows = a.rows - block < kRowBlock ? a.rows - block : kRowBlock, tiles = (rows + kTile - 1) / kTile;
        for (int64_t g = 0; g < groups; g += kQuantBlock) {
            const int64_t n = groups - g < kQuantBlock ? groups - g : kQuantBlock;
            const char* w = static_cast<const char*>(a.w) + block * w_bytes + g * block_bytes;
            for (int64_t r = 0; r < rows; ++r) {
                if (q8) {
                    row_scales<Q8>(w + r * w_bytes, n, scales + r * n);
                } else {
                    row_scales<Q4>(w + r * w_bytes, n, scales + r * n);
                    row_of_nibbles(w + r * w_bytes, n, buffer + r * n * 32);
                }
            }
            for (int64_t r = rows; r < tiles * kTile; ++r) __builtin_memset(scales + r * n, 0, static_cast<size_t>(n) * 4);
            TileRows t[kRowBlock / kTile];
            for (int64_t i = 0; i < tiles; ++i) {  // int8 rows lie in place; only a last tile that is not full is copied
                const int64_t left = rows - i * kTile;
                if (q8) {
                    t[i] = tile_rows_of(w + i * kTile * w_bytes, w_bytes, left, n * Q8::kBytes, n * Q8::kBytes, buffer);
                    t[i].at += 2;
                } else {
                    t[i] = {buffer + i * kTile * n * 32, n * 32};  // rows that are not there: what the buffer holds, times a scale of zero
                }
            }
            settle();
            Ahead ahead(a, a.rows * w_bytes, (block + rows) * w_bytes, kRowBlock * w_bytes, panels * tiles * ((n + 1) / 2));
            const auto finish = [&](const GroupSums& s) {
                scale_groups(s, c);
                if (s.last) store_tile(c, a, block + s.row, rows - s.row < kTile ? rows - s.row : kTile, s.panel, 1, g > 0);
            };
            const int64_t w_step = q8 ? Q8::kBytes : 32;
            int64_t turn = 0;
            for (int64_t p = 0; p < panels; ++p) {
                const QuantPanel xs = quant_panel(x + p * x_bytes, a.in);
                for (int64_t i = 0; i < tiles; ++i)
                    for (int64_t k = 0; k < n; k += kGroups, ++turn) {
                        GroupSums& s = sums[turn % 2];
                        s.w_scales = scales + i * kTile * n + k, s.w_stride = n, s.x_scales = xs.scales + (g + k) * kPanel;
                        s.groups = n - k < kGroups ? n - k : kGroups, s.first = k == 0, s.last = k + s.groups == n;
                        s.row = i * kTile, s.panel = p;
                        sum_groups({t[i].at + k * w_step, t[i].stride}, w_step, xs.values + (g + k) * 8 * kPanel, s, ahead);
                        if (turn > 0) finish(sums[(turn - 1) % 2]);
                    }
            }
            finish(sums[(turn - 1) % 2]);
        }
    }
    _tile_release();
}

}  // namespace
}  // namespace klp

#endif
