// Many tokens against bf16 weights on machines with matrix tiles (AMX): a tile is 16 rows of 64 bytes, and one instruction multiplies 16 rows of weights with
// 16 tokens, 32 inputs deep. The weights need no repacking, a tile takes rows where they lie; x lies in the panels of panels.inc.h, in pairs. A part of
// products.cpp.
#pragma once

#include "kernels/cpu/simd/panels.inc.h"
#include "kernels/cpu/simd/tile_shapes.inc.h"

#if defined(__AMX_TILE__)

namespace klp {
namespace {

constexpr int64_t kTile = 16;       // rows, and tokens
constexpr int64_t kDeep = 32;       // inputs of one instruction
constexpr int64_t kAmxSlice = 256;  // inputs: rows and tokens of a slice stay in L1
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

}  // namespace
}  // namespace klp

#endif
