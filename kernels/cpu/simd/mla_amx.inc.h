// MLA's attention over a bf16 latent cache on machines with matrix tiles (AMX), where arithmetic costs next to nothing beside reading the cache.
// A tile takes 16 cached rows where they lie. bf16 alone would cost q~ and the weights of the softmax 8 bits each, so both go in as two bf16 numbers, high +
// low: 8 queries fill the 16 columns of a tile, and what is left is an error of 2^-17. A part of mixers.cpp.
#pragma once

#include "kernels/cpu/simd/mla.inc.h"
#include "kernels/cpu/simd/tile_shapes.inc.h"

namespace klp {
namespace {

#if defined(__AMX_BF16__)

constexpr int64_t kTileBytes = 1024;
constexpr int kHeads = 8;              // queries of a group
constexpr int64_t kKeys = 128;         // cached rows of a block: they stay in the second-level cache
constexpr int64_t kDeep = kKeys / 32;  // tiles of weights

#define KLP_LOW_HALVES 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define KLP_HIGH_HALVES 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

inline U bits(F x) { return reinterpret_cast<U>(x); }
inline F high(F x) { return round_bf16(x); }

// A thread's memory for a call.
struct TileWork {
    int64_t groups, chunks, columns;  // queries / 8, W / 32, L / 16
    char* queries;                    // [group][chunk] tiles: 16 pairs of columns of the cache, by 8 queries high | low
    float* sums;                      // [group][column] tiles: 8 queries high | low, by 16 columns of the cache in the order of interleave()
    float *top, *total;               // [group][16]
    char* values;                     // [kDeep][column] tiles: 16 pairs of cached rows, by 16 columns
    float* scores;                    // [kKeys][16]
    float* weights;                   // [kKeys / 2][16]: 8 queries of an even row | of the next
    char* packed;                     // [kDeep] tiles: 8 queries high | low, by 16 pairs of rows

    TileWork(const Latents& cache, int64_t queries_, float* scratch) : groups((queries_ + kHeads - 1) / kHeads), chunks(cache.W / 32), columns(cache.L / 16) {
        char* base = reinterpret_cast<char*>(scratch);  // null: only the size is wanted
        const auto take = [&](int64_t n) {
            bytes += n;
            return base ? base + bytes - n : nullptr;
        };
        const auto floats = [&take](int64_t n) { return reinterpret_cast<float*>(take(n * 4)); };
        queries = take(groups * chunks * kTileBytes);
        sums = floats(groups * columns * 256);
        top = floats(groups * 16), total = floats(groups * 16);
        values = take(kDeep * columns * kTileBytes);
        scores = floats(kKeys * 16), weights = floats(kKeys * 8);
        packed = take(kDeep * kTileBytes);
    }
    int64_t bytes = 0;
};

void pack_queries(const Attend& a, const TileWork& w) {
    const int64_t ldq = padded(a.cache->W, kLatentStep);
    for (int64_t g = 0; g < w.groups; ++g)
        for (int64_t c = 0; c < w.chunks; ++c) {
            F tile[16];
            for (int64_t i = 0; i < kHeads; ++i) {
                const int64_t query = g * kHeads + i;
                F x{}, y{};
                if (query < a.queries) {
                    const F left = load(a.q + query * ldq + c * 32), right = load(a.q + query * ldq + c * 32 + 16);
                    x = __builtin_shufflevector(left, right, KLP_EVEN), y = __builtin_shufflevector(left, right, KLP_ODD);
                }
                tile[i] = reinterpret_cast<F>(bits(high(x)) >> 16 | bits(high(y)));
                tile[kHeads + i] = reinterpret_cast<F>(bits(high(x - high(x))) >> 16 | bits(high(y - high(y))));
            }
            transpose(tile);
            for (int64_t i = 0; i < 16; ++i) store(reinterpret_cast<float*>(w.queries + (g * w.chunks + c) * kTileBytes) + i * 16, tile[i]);
        }
}

// Pairs of rows for products over rows: columns 0-3, 8-11, 16-19, 24-27 of each 32 go into one tile and the others into the next, as the instructions have it.
void interleave(const TileWork& w, const Block& block, int64_t L, Stream& stream) {
    for (int64_t p = 0; p < padded(block.n, 32) / 2; ++p) {
        const char* row = block.rows + 2 * p * block.stride;
        char* to = w.values + p / 16 * w.columns * kTileBytes + p % 16 * 64;
        for (int64_t c = 0; c < L; c += 32, to += 2 * kTileBytes) {
            const __m512i zero = _mm512_setzero_si512();  // for rows that are not there: whatever lies in the page might be NaN
            const __m512i a = 2 * p < block.n ? _mm512_loadu_si512(row + c * 2) : zero;
            const __m512i b = 2 * p + 1 < block.n ? _mm512_loadu_si512(row + block.stride + c * 2) : zero;
            _mm512_store_si512(to, _mm512_unpacklo_epi16(a, b));
            _mm512_store_si512(to + kTileBytes, _mm512_unpackhi_epi16(a, b));
            stream.go();
        }
    }
}

// scores[row]: 8 queries with their high parts | with their low parts. Four sums at a time hide each other's latency; behind the last row they repeat it.
void tile_scores(const TileWork& w, const char* queries, const Block& block, Stream& stream) {
    const int64_t last = (block.n - 1) / 16;
    for (int64_t r = 0; r <= last; r += 4) {
        const char* rows[4];
        for (int i = 0; i < 4; ++i) rows[i] = block.rows + at_most(r + i, last) * 16 * block.stride;
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int64_t c = 0; c < w.chunks; ++c) {
            _tile_loadd(6, queries + c * kTileBytes, 64);
            _tile_loadd(4, rows[0] + c * 64, block.stride);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, rows[1] + c * 64, block.stride);
            _tile_dpbf16ps(1, 5, 6);
            stream.go(), stream.go(), stream.go();
            _tile_loadd(4, rows[2] + c * 64, block.stride);
            _tile_dpbf16ps(2, 4, 6);
            _tile_loadd(5, rows[3] + c * 64, block.stride);
            _tile_dpbf16ps(3, 5, 6);
            stream.go(), stream.go(), stream.go();
        }
        float* to = w.scores + r * 256;
        _tile_stored(0, to, 64);
        _tile_stored(1, to + 256, 64);
        _tile_stored(2, to + 512, 64);
        _tile_stored(3, to + 768, 64);
    }
}

// Scores to weights e^(score - largest), packed for the tiles; what was summed up so far fades where a larger score came. Returns that factor for each lane.
F soften(const Attend& a, const TileWork& w, int64_t group, int64_t first, const Block& block) {
    const int64_t pairs = (block.n + 1) / 2, query = a.query + group * kHeads;
    float *top = w.top + group * 16, *total = w.total + group * 16;
    F best = load(top);
    const bool hidden = a.seen + query / a.heads < first + 2 * pairs || block.n % 2;  // some rows lie in the future, or there is no last one
    for (int64_t p = 0; p < pairs; ++p) {
        const F even = load(w.scores + 2 * p * 16), odd = load(w.scores + (2 * p + 1) * 16);
        F s = __builtin_shufflevector(even, odd, KLP_LOW_HALVES) + __builtin_shufflevector(even, odd, KLP_HIGH_HALVES);
        if (hidden)
            for (int i = 0; i < 16; ++i) {
                const int64_t r = 2 * p + i / kHeads;
                if (r >= block.n || first + r >= a.seen + (query + i % kHeads) / a.heads) s[i] = -__builtin_inff();
            }
        store(w.weights + p * 16, s);
        best = max(s, best);
    }
    const F other = __builtin_shufflevector(best, best, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    best = max(best, other);
    const F fade = exp(load(top) - best);
    F sum = load(total) * fade;
    for (int64_t d = 0; d * 16 < pairs; ++d) {
        F tile[16];
        for (int64_t i = 0; i < 16; ++i) {
            const int64_t p = d * 16 + i;
            F e{};
            if (p < pairs) e = exp(load(w.weights + p * 16) - best);
            sum += e;
            const F h = high(e), l = high(e - h);
            tile[i] = reinterpret_cast<F>(bits(__builtin_shufflevector(h, l, KLP_LOW_HALVES)) >> 16 | bits(__builtin_shufflevector(h, l, KLP_HIGH_HALVES)));
        }
        transpose(tile);
        for (int64_t i = 0; i < 16; ++i) store(reinterpret_cast<float*>(w.packed + d * kTileBytes) + i * 16, tile[i]);
    }
    store(top, best), store(total, sum);
    return fade;
}

// sums = sums * fade + weights^T rows
void tile_gather(const TileWork& w, float* sums, F fade, int64_t deep, Stream& stream) {
    float factor[16];
    store(factor, fade);
    bool fades = false;
    for (int i = 0; i < 16; ++i) fades |= factor[i] != 1;
    for (int64_t c = 0; fades && c < w.columns; ++c)
        for (int i = 0; i < 16; ++i) store(sums + c * 256 + i * 16, load(sums + c * 256 + i * 16) * factor[i]);
    settle();
    for (int64_t c = 0; c < w.columns; c += 4) {
        float* to = sums + c * 256;
        _tile_loadd(0, to, 64);
        _tile_loadd(1, to + 256, 64);
        _tile_loadd(2, to + 512, 64);
        _tile_loadd(3, to + 768, 64);
        for (int64_t d = 0; d < deep; ++d) {
            const char* values = w.values + (d * w.columns + c) * kTileBytes;
            _tile_loadd(4, w.packed + d * kTileBytes, 64);
            _tile_loadd(6, values, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, values + kTileBytes, 64);
            _tile_dpbf16ps(1, 4, 7);
            for (int i = 0; i < 16; ++i) stream.go();
            _tile_loadd(6, values + 2 * kTileBytes, 64);
            _tile_dpbf16ps(2, 4, 6);
            _tile_loadd(7, values + 3 * kTileBytes, 64);
            _tile_dpbf16ps(3, 4, 7);
            for (int i = 0; i < 16; ++i) stream.go();
        }
        _tile_stored(0, to, 64);
        _tile_stored(1, to + 256, 64);
        _tile_stored(2, to + 512, 64);
        _tile_stored(3, to + 768, 64);
    }
}

void attend_tiles(const Attend& a) {
    const Latents& cache = *a.cache;
    const TileWork w(cache, a.queries, a.scratch);
    pack_queries(a, w);
    for (int64_t i = 0; i < w.groups * 16; ++i) w.top[i] = kLowest, w.total[i] = 0;
    __builtin_memset(w.sums, 0, static_cast<size_t>(w.groups * w.columns * kTileBytes));
    shape_tiles(64, 16);
    for (int64_t n = a.first, count; n < a.last; n += count) {
        count = at_most(at_most(kKeys, a.last - n), cache.page - n % cache.page);
        const Block block{row_of(cache, n), row_bytes(cache), count};
        Stream stream{n + count < a.last ? row_of(cache, n + count) : block.rows, 64};
        interleave(w, block, cache.L, stream);
        for (int64_t g = 0; g < w.groups; ++g) {
            settle();
            tile_scores(w, w.queries + g * w.chunks * kTileBytes, block, stream);
            const F fade = soften(a, w, g, n, block);
            tile_gather(w, w.sums + g * w.columns * 256, fade, padded(count, 32) / 32, stream);
            stream.step = 0;
        }
    }
    _tile_release();

    const int64_t ldv = padded(cache.L, kLatentStep);
    for (int64_t i = 0; i < a.queries; ++i) {
        const int64_t g = i / kHeads, lane = i % kHeads;
        a.top[i] = w.top[g * 16 + lane], a.sum[i] = w.total[g * 16 + lane] + w.total[g * 16 + lane + kHeads];
        for (int64_t c = 0; c < w.columns; c += 2) {
            const float* s = w.sums + (g * w.columns + c) * 256 + lane * 16;
            const F x = load(s) + load(s + kHeads * 16), y = load(s + 256) + load(s + 256 + kHeads * 16);
            store(a.values + i * ldv + c * 16, __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23));
            store(a.values + i * ldv + c * 16 + 16, __builtin_shufflevector(x, y, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31));
        }
    }
}

void attend(const Attend& a) { tiles(*a.cache) ? attend_tiles(a) : attend_vectors(a); }
int64_t attend_scratch(const Latents& cache, int64_t queries) { return tiles(cache) ? TileWork(cache, queries, nullptr).bytes / 4 : vectors_scratch(cache); }

#else

void attend(const Attend& a) { attend_vectors(a); }
int64_t attend_scratch(const Latents& cache, int64_t) { return vectors_scratch(cache); }

#endif

}  // namespace
}  // namespace klp
