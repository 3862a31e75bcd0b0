// Small matrix products of vectors, and moving numbers between lanes. For simd/*.cpp only; see vector.inc.h for why everything here has internal linkage.
#pragma once

#include "kernels/cpu/simd/vector.inc.h"

namespace klp {
namespace {

inline int64_t padded(int64_t n, int64_t to = 16) { return (n + to - 1) / to * to; }
inline int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

// --- lanes ---

inline F load_upto(const float* p, int64_t n) { return n >= kLanes ? load(p) : load_part(p, n); }
inline void store_upto(float* p, F v, int64_t n) { n >= kLanes ? store(p, v) : store_part(p, v, n); }

#if defined(__AVX512F__)
#define KLP_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define KLP_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define KLP_SWAP 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
#elif defined(__AVX2__)
#define KLP_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define KLP_ODD 1, 3, 5, 7, 9, 11, 13, 15
#define KLP_SWAP 1, 0, 3, 2, 5, 4, 7, 6
#else
#define KLP_EVEN 0, 2, 4, 6
#define KLP_ODD 1, 3, 5, 7
#define KLP_SWAP 1, 0, 3, 2
#endif

// out[i] = sum of the lanes of v[i], N a power of two; `out` has room for kLanes at least. Neighbours are added until every vector's sum is one lane.
template <int N, int width = 1>
inline void sums(const F (&v)[N], float* out) {
    if constexpr (width == kLanes) {
        for (int i = 0; i < N; ++i) store(out + i * kLanes, v[i]);
    } else {
        constexpr int half = (N + 1) / 2;
        F s[half];
        for (int i = 0; i < half; ++i) {
            const F a = v[2 * i], b = v[N > 1 ? 2 * i + 1 : 0];
            s[i] = __builtin_shufflevector(a, b, KLP_EVEN) + __builtin_shufflevector(a, b, KLP_ODD);
        }
        sums<half, 2 * width>(s, out);
    }
}

// to[c][r] = from[r][c].
inline void transpose(const float* from, int64_t ld_from, int64_t rows, int64_t columns, float* to, int64_t ld_to) {
    int64_t r = 0;
    for (; r + kLanes <= rows; r += kLanes) {
        int64_t c = 0;
        for (; c + kLanes <= columns; c += kLanes) {
            F tile[kLanes];
            for (int i = 0; i < kLanes; ++i) tile[i] = load(from + (r + i) * ld_from + c);
            transpose(tile);
            for (int i = 0; i < kLanes; ++i) store(to + (c + i) * ld_to + r, tile[i]);
        }
        for (; c < columns; ++c)
            for (int i = 0; i < kLanes; ++i) to[c * ld_to + r + i] = from[(r + i) * ld_from + c];
    }
    for (; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) to[c * ld_to + r] = from[r * ld_from + c];
}

// --- C += A B:  A element (i, k) at a[i * a_row + k * a_column], B [k][n] and C [i][n] in rows ---

// One tile: the sum over k runs in order for every element, whatever the tile's size, so a row's result never depends on the rows beside it.
template <int M, int N>
inline void multiply_tile(int64_t K, const float* a, int64_t a_row, int64_t a_column, const float* b, int64_t ldb, float* c, int64_t ldc) {
    F acc[M][N];
    for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) acc[i][j] = load(c + i * ldc + j * kLanes);
    for (int64_t k = 0; k < K; ++k) {
        F row[N];
        for (int j = 0; j < N; ++j) row[j] = load(b + k * ldb + j * kLanes);
        for (int i = 0; i < M; ++i) {
            const float x = a[i * a_row + k * a_column];
            for (int j = 0; j < N; ++j) acc[i][j] += x * row[j];
        }
    }
    for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) store(c + i * ldc + j * kLanes, acc[i][j]);
}

constexpr int kTileRows = kLanes == 16 ? 8 : 4;  // times two vectors of columns: what fits into the registers

// columns: a multiple of kLanes.
__attribute__((noinline)) void multiply(int64_t rows, int64_t columns, int64_t K, const float* a, int64_t a_row, int64_t a_column, const float* b, int64_t ldb,
                                        float* c, int64_t ldc) {
    for (int64_t j = 0; j < columns; j += 2 * kLanes) {
        const bool two = j + kLanes < columns;
        int64_t i = 0;
        for (; i + kTileRows <= rows; i += kTileRows) {
            const float* ai = a + i * a_row;
            if (two)
                multiply_tile<kTileRows, 2>(K, ai, a_row, a_column, b + j, ldb, c + i * ldc + j, ldc);
            else
                multiply_tile<kTileRows, 1>(K, ai, a_row, a_column, b + j, ldb, c + i * ldc + j, ldc);
        }
        for (; i < rows; ++i) {
            const float* ai = a + i * a_row;
            if (two)
                multiply_tile<1, 2>(K, ai, a_row, a_column, b + j, ldb, c + i * ldc + j, ldc);
            else
                multiply_tile<1, 1>(K, ai, a_row, a_column, b + j, ldb, c + i * ldc + j, ldc);
        }
    }
}

}  // namespace
}  // namespace klp
