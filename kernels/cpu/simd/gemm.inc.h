// Products of learning, C (+)= A B, where no operand lies in a file: A in rows, B in panels of 16 columns, both a whole number of 32 deep, with zeros behind. bf16
// lies in pairs, as matrix tiles and dot products take it; where there is neither, rounded and widened. Every value of C is one running sum over k, in order,
// whatever the tiling. A part of learning.cpp.
#pragma once

#include "kernels/cpu/simd/learning.h"
#include "kernels/cpu/simd/tile_shapes.inc.h"
#include "kernels/cpu/simd/tiles.inc.h"

namespace klp {
namespace {

#if defined(__AVX512BF16__)
constexpr bool kPairs = true;
#else
constexpr bool kPairs = false;
#endif
constexpr int64_t kPanelWidth = 16;

// Two vectors of numbers as bf16, value by value: the first in the low halves. What is too small to be normal becomes 0 where the machine rounds by itself.
inline I pairs_of(F low, F high) {
#if defined(__AVX512BF16__)
    const __m512i turn = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return reinterpret_cast<I>(_mm512_permutexvar_epi16(turn, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low))));
#else
    return as_int(round_bf16(high)) | reinterpret_cast<I>(reinterpret_cast<U>(as_int(round_bf16(low))) >> 16);
#endif
}
inline void store_bf16(uint16_t* to, F v) {
#if defined(__AVX512BF16__)
    const __m256bh half = _mm512_cvtneps_pbh(v);
    __builtin_memcpy(to, &half, sizeof half);
#else
    const I bits = as_int(round_bf16(v));
    typedef uint16_t Half __attribute__((vector_size(2 * kLanes)));
    const Half half = __builtin_convertvector(reinterpret_cast<U>(bits) >> 16, Half);
    __builtin_memcpy(to, &half, sizeof half);
#endif
}
inline F values_at(const float* p, int64_t n) { return n >= kLanes ? load(p) : n > 0 ? load_part(p, n) : F{}; }
inline F values_at(const uint16_t* p, int64_t n) {
    if (n >= kLanes) return from_bf16(p);
    uint16_t rest[kLanes] = {};
    if (n > 0) __builtin_memcpy(rest, p, static_cast<size_t>(n) * 2);
    return from_bf16(rest);
}
int64_t operand_bytes(bool bf16, int64_t rows, int64_t deep) { return padded(rows) * padded(deep, 32) * (bf16 && kPairs ? 2 : 4); }

// Rows first .. last - 1 of A = x [rows, deep].
void left_rows(bool bf16, const float* x, int64_t ld, int64_t first, int64_t last, int64_t deep, void* out) {
    const int64_t wide = padded(deep, 32);
    for (int64_t r = first; r < last; ++r) {
        if (bf16 && kPairs) {
            for (int64_t k = 0; k < wide; k += kLanes) store_bf16(static_cast<uint16_t*>(out) + r * wide + k, values_at(x + r * ld + k, deep - k));
            continue;
        }
        for (int64_t k = 0; k < wide; k += kLanes) {
            const F v = values_at(x + r * ld + k, deep - k);
            store(static_cast<float*>(out) + r * wide + k, bf16 ? round_bf16(v) : v);
        }
    }
}
// Rows first .. last - 1 of A = x^T, x [deep, rows]; first is a multiple of kLanes.
void left_turned(bool bf16, const float* x, int64_t ld, int64_t first, int64_t last, int64_t deep, void* out) {
    const int64_t wide = padded(deep, 32);
    // Some rows of x at a time, along all columns that are asked for: they lie far apart.
    const int64_t step = bf16 && kPairs ? 2 * kLanes : kLanes;
    for (int64_t k = 0; k < wide; k += step)
        for (int64_t r = first; r < last; r += kLanes) {
            const int64_t n = at_most(last - r, kLanes);
            F tile[kLanes];
            if (bf16 && kPairs) {  // pairs are turned around together
                for (int64_t i = 0; i < kLanes; ++i) {
                    const int64_t row = k + 2 * i;
                    tile[i] =
                        as_float(pairs_of(row < deep ? values_at(x + row * ld + r, n) : F{}, row + 1 < deep ? values_at(x + (row + 1) * ld + r, n) : F{}));
                }
                transpose(tile);
                for (int64_t i = 0; i < n; ++i) __builtin_memcpy(static_cast<uint16_t*>(out) + (r + i) * wide + k, &tile[i], sizeof tile[i]);
                continue;
            }
            for (int i = 0; i < kLanes; ++i) tile[i] = k + i < deep ? values_at(x + (k + i) * ld + r, n) : F{};
            transpose(tile);
            for (int64_t i = 0; i < n; ++i) store(static_cast<float*>(out) + (r + i) * wide + k, bf16 ? round_bf16(tile[i]) : tile[i]);
        }
}

// Panels first .. last - 1 of B = x [deep, columns].
template <class From>
void right_of(bool bf16, const From* x, int64_t ld, int64_t first, int64_t last, int64_t deep, int64_t columns, void* out) {
    const int64_t wide = padded(deep, 32), step = bf16 && kPairs ? 2 : 1;
    for (int64_t k = 0; k < wide; k += step)
        for (int64_t p = first; p < last; ++p)
            for (int64_t c = 0; c < kPanelWidth; c += kLanes) {
                const int64_t column = p * kPanelWidth + c, n = columns - column;
                const F value = k < deep ? values_at(x + k * ld + column, n) : F{};
                float* to = static_cast<float*>(out) + (p * wide / step + k / step) * kPanelWidth + c;
                if (bf16 && kPairs)
                    store(to, as_float(pairs_of(value, k + 1 < deep ? values_at(x + (k + 1) * ld + column, n) : F{})));
                else
                    store(to, bf16 ? round_bf16(value) : value);
            }
}
// Panels first .. last - 1 of B = x^T, x [columns, deep].
template <class From>
void right_turned(bool bf16, const From* x, int64_t ld, int64_t first, int64_t last, int64_t deep, int64_t columns, void* out) {
    const int64_t wide = padded(deep, 32);
    for (int64_t p = first; p < last; ++p)
        for (int64_t c = 0; c < kPanelWidth; c += kLanes) {
            const int64_t column = p * kPanelWidth + c;
            for (int64_t k = 0; k < wide; k += kLanes) {
                F tile[kLanes];
                for (int i = 0; i < kLanes; ++i) tile[i] = column + i < columns ? values_at(x + (column + i) * ld + k, deep - k) : F{};
                transpose(tile);
                if (bf16 && kPairs) {
                    auto* to = static_cast<uint32_t*>(out) + p * wide / 2 * kPanelWidth + c;
                    for (int i = 0; i < kLanes; i += 2) {
                        const I pair = pairs_of(tile[i], tile[i + 1]);
                        __builtin_memcpy(to + (k + i) / 2 * kPanelWidth, &pair, sizeof pair);
                    }
                } else {
                    float* to = static_cast<float*>(out) + p * wide * kPanelWidth + c;
                    for (int i = 0; i < kLanes; ++i) store(to + (k + i) * kPanelWidth, bf16 ? round_bf16(tile[i]) : tile[i]);
                }
            }
        }
}
void right_from(bool bf16, const void* x, bool halves, int64_t ld, int64_t first, int64_t last, int64_t deep, int64_t columns, void* out) {
    halves ? right_of(bf16, static_cast<const uint16_t*>(x), ld, first, last, deep, columns, out)
           : right_of(bf16, static_cast<const float*>(x), ld, first, last, deep, columns, out);
}
void right_turned_from(bool bf16, const void* x, bool halves, int64_t ld, int64_t first, int64_t last, int64_t deep, int64_t columns, void* out) {
    halves ? right_turned(bf16, static_cast<const uint16_t*>(x), ld, first, last, deep, columns, out)
           : right_turned(bf16, static_cast<const float*>(x), ld, first, last, deep, columns, out);
}

// --- C ---

// M rows by N panels.
template <int M, int N, bool pairs>
inline void block_of(const Block& a, int64_t row, int64_t panel) {
    constexpr int kVectors = kPanelWidth / kLanes, kAll = N * kVectors;
    F sum[M][kAll];
    const auto rest = [&](int v) { return a.columns - panel * kPanelWidth - v * kLanes; };
    for (int i = 0; i < M; ++i)
        for (int v = 0; v < kAll; ++v) sum[i][v] = a.add ? values_at(a.c + (row + i) * a.ldc + panel * kPanelWidth + v * kLanes, rest(v)) : F{};
    constexpr int kEach = pairs ? 2 : 1;
    const int64_t steps = padded(a.deep, 32) / kEach, down = padded(a.left_deep, 32) / kEach, across = padded(a.right_deep, 32) / kEach * kPanelWidth;
    const float* b = static_cast<const float*>(a.right) + panel * across;
    const float* left = static_cast<const float*>(a.left) + row * down;
    for (int64_t k = 0; k < steps; ++k) {
        F column[kAll];
        for (int v = 0; v < kAll; ++v) column[v] = load(b + v / kVectors * across + k * kPanelWidth + v % kVectors * kLanes);
        for (int i = 0; i < M; ++i) {
            const F x = splat(left[i * down + k]);
            for (int v = 0; v < kAll; ++v) {
#if defined(__AVX512BF16__)
                if constexpr (pairs) {
                    sum[i][v] = _mm512_dpbf16_ps(sum[i][v], reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(column[v]));
                    continue;
                }
#endif
                sum[i][v] += x * column[v];
            }
        }
    }
    for (int i = 0; i < M; ++i)
        for (int v = 0; v < kAll; ++v) {
            float* to = a.c + (row + i) * a.ldc + panel * kPanelWidth + v * kLanes;
            if (const int64_t n = rest(v); n > 0) store_upto(to, sum[i][v], n);
        }
}
template <bool pairs>
void blocks_of(const Block& a) {
    constexpr int kM = kLanes == 16 ? 8 : kLanes == 8 ? 4 : 2, kN = kLanes == 16 ? 2 : 1;
    for (int64_t r = a.first_row; r < a.last_row;) {
        const bool many = r + kM <= a.last_row;
        for (int64_t p = a.first_panel; p < a.last_panel;) {
            const bool both = kN == 2 && p + 1 < a.last_panel;
            if (many)
                both ? block_of<kM, kN, pairs>(a, r, p) : block_of<kM, 1, pairs>(a, r, p);
            else
                both ? block_of<1, kN, pairs>(a, r, p) : block_of<1, 1, pairs>(a, r, p);
            p += both ? 2 : 1;
        }
        r += many ? kM : 1;
    }
}

#if defined(__AMX_TILE__)
// 32 rows by 32 columns; whatever is less goes by way of a copy. A lies in whole tiles of rows.
void tiles_of(const Block& a) {
    alignas(64) float copy[32 * 32];
    const int64_t wide = padded(a.deep, 32), row_bytes = padded(a.left_deep, 32) * 2, panel_bytes = padded(a.right_deep, 32) * 2 * kPanelWidth,
                  last = padded(a.last_row);
    shape_tiles(64, 16);
    for (int64_t r = a.first_row; r < a.last_row; r += 32)
        for (int64_t p = a.first_panel; p < a.last_panel; p += 2) {
            const bool two_rows = r + 16 < last, two_panels = p + 1 < a.last_panel;
            const int64_t column = p * kPanelWidth, rows = at_most(a.last_row - r, 32), columns = at_most(a.columns - column, 32);
            const bool whole = rows == (two_rows ? 32 : 16) && columns == (two_panels ? 32 : 16);
            float* c = a.c + r * a.ldc + column;
            int64_t ldc = a.ldc;
            if (!whole) {
                for (int64_t i = 0; i < rows && a.add; ++i) __builtin_memcpy(copy + i * 32, c + i * ldc, static_cast<size_t>(columns) * 4);
                c = copy, ldc = 32;
                settle();
            }
            const auto step = static_cast<size_t>(ldc) * 4;
            if (a.add) {
                _tile_loadd(0, c, step);
                if (two_panels) _tile_loadd(1, c + 16, step);
                if (two_rows) _tile_loadd(2, c + 16 * ldc, step);
                if (two_rows && two_panels) _tile_loadd(3, c + 16 * ldc + 16, step);
            } else {
                _tile_zero(0);
                _tile_zero(1);
                _tile_zero(2);
                _tile_zero(3);
            }
            const char *left = static_cast<const char*>(a.left) + r * row_bytes, *right = static_cast<const char*>(a.right) + p * panel_bytes;
            const int64_t down = two_rows ? 16 * row_bytes : 0, across = two_panels ? panel_bytes : 0;
            for (int64_t k = 0; k < wide; k += 32) {
                _tile_loadd(6, right + k * 2 * kPanelWidth, 64);
                _tile_loadd(4, left + k * 2, static_cast<size_t>(row_bytes));
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(7, right + across + k * 2 * kPanelWidth, 64);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(5, left + down + k * 2, static_cast<size_t>(row_bytes));
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            _tile_stored(0, c, step);
            if (two_panels) _tile_stored(1, c + 16, step);
            if (two_rows) _tile_stored(2, c + 16 * ldc, step);
            if (two_rows && two_panels) _tile_stored(3, c + 16 * ldc + 16, step);
            if (!whole) {
                float* to = a.c + r * a.ldc + column;
                for (int64_t i = 0; i < rows; ++i) __builtin_memcpy(to + i * a.ldc, copy + i * 32, static_cast<size_t>(columns) * 4);
            }
        }
    _tile_release();
}
#endif

void multiply_block(const Block& a) {
#if defined(__AMX_TILE__)
    if (a.bf16) return tiles_of(a);
#endif
    kPairs&& a.bf16 ? blocks_of<true>(a) : blocks_of<false>(a);
}

}  // namespace
}  // namespace klp
