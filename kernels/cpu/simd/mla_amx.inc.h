// MLA's attention over a bf16 latent cache on machines with matrix tiles (AMX), where arithmetic costs next to nothing beside reading the cache.
// Tiles take 16 cached rows where they lie, for the scores as the left matrix and for the values as the right one. bf16 alone would cost q~ and the weights of
// the softmax 8 bits each, so both go in as two bf16 numbers, high + low; what is left is an error of 2^-17. A part of mixers.cpp.
#pragma once

#include "kernels/cpu/simd/mla.inc.h"
#include "kernels/cpu/simd/tile_shapes.inc.h"

namespace klp {
namespace {

#if defined(__AMX_BF16__)

constexpr int64_t kTileBytes = 1024;
constexpr int kHeads = 8;                // queries of a group
constexpr int64_t kKeys = 128;           // cached rows of a block: they stay in the second-level cache
constexpr int64_t kHeight = kKeys / 16;  // tiles of them
constexpr int kAheadLines = 6;           // of the next block, for each tile of values: as many as memory delivers meanwhile

inline U bits(F x) { return reinterpret_cast<U>(x); }
inline F high(F x) { return round_bf16(x); }

// A thread's memory for a call.
struct TileWork {
    int64_t groups, chunks, columns;  // queries / 8, W / 32, L / 32
    char* queries;                    // [group][chunk] tiles: 16 pairs of columns of the cache, by 8 queries high | low
    float* sums;                      // [group][column] tiles: 8 queries' even columns of 32 | their odd columns
    float *top, *fade;                // [group][8]
    float* total;                     // [group][8][16], over the lanes
    char* weights;                    // [group][kHeight] pairs of tiles, high and low: 8 queries with 0 at the odd columns | at the even ones, by 16 rows
    float* scores;                    // [kKeys][16]
    char* edge;                       // [16] rows: the last ones, and zeros behind them

    TileWork(const Latents& cache, int64_t queries_, float* scratch) : groups((queries_ + kHeads - 1) / kHeads), chunks(cache.W / 32), columns(cache.L / 32) {
        char* base = reinterpret_cast<char*>(scratch);  // null: only the size is wanted
        const auto take = [&](int64_t n) {
            bytes += n;
            return base ? base + bytes - n : nullptr;
        };
        const auto floats = [&take](int64_t n) { return reinterpret_cast<float*>(take(n * 4)); };
        queries = take(groups * chunks * kTileBytes);
        sums = floats(groups * columns * 256);
        weights = take(groups * kHeight * 2 * kTileBytes);
        scores = floats(kKeys * 16);
        edge = take(16 * row_bytes(cache));
        total = floats(groups * kHeads * 16);
        top = floats(groups * kHeads), fade = floats(groups * kHeads);
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

// Tiles of 16 cached rows. Behind the last row anything may lie, NaNs too: the last rows, where they do not fill a tile, come from a copy with zeros behind.
struct Rows {
    const char *rows, *edge;
    int64_t stride, whole, tiles;
    Rows(const TileWork& w, const Block& block) : rows(block.rows), edge(w.edge), stride(block.stride), whole(block.n / 16), tiles((block.n + 15) / 16) {
        if (whole == tiles) return;
        const auto there = static_cast<size_t>((block.n - whole * 16) * stride);
        __builtin_memcpy(w.edge, rows + whole * 16 * stride, there);
        __builtin_memset(w.edge + there, 0, static_cast<size_t>(16 * stride) - there);
    }
    const char* tile(int64_t t) const { return t < whole ? rows + t * 16 * stride : edge; }
};

// scores[row]: 8 queries with their high parts | with their low parts. Four sums at a time hide each other's latency; behind the last tile they repeat it.
void tile_scores(const TileWork& w, const char* queries, const Rows& rows) {
    for (int64_t t = 0; t < rows.tiles; t += 4) {
        const char* from[4];
        for (int i = 0; i < 4; ++i) from[i] = rows.tile(at_most(t + i, rows.tiles - 1));
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int64_t c = 0; c < w.chunks; ++c) {
            _tile_loadd(6, queries + c * kTileBytes, 64);
            _tile_loadd(4, from[0] + c * 64, rows.stride);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, from[1] + c * 64, rows.stride);
            _tile_dpbf16ps(1, 5, 6);
            _tile_loadd(4, from[2] + c * 64, rows.stride);
            _tile_dpbf16ps(2, 4, 6);
            _tile_loadd(5, from[3] + c * 64, rows.stride);
            _tile_dpbf16ps(3, 5, 6);
        }
        float* to = w.scores + t * 256;
        _tile_stored(0, to, 64);
        _tile_stored(1, to + 256, 64);
        _tile_stored(2, to + 512, 64);
        _tile_stored(3, to + 768, 64);
    }
}

// Scores to weights e^(score - largest), packed for the tiles; what was summed up so far is to fade where a larger score came.
void soften(const Attend& a, const TileWork& w, int64_t group, int64_t first, const Block& block) {
    const int64_t tiles = (block.n + 15) / 16, query = a.query + group * kHeads;
    const bool hidden = a.seen + query / a.heads < first + tiles * 16 || block.n % 16;  // some rows lie in the future, or are not there
    I lane;
    for (int i = 0; i < 16; ++i) lane[i] = i;
    int32_t seen[kHeads];  // rows of the block
    F best[kHeads];
    for (int i = 0; i < kHeads; ++i) {
        seen[i] = static_cast<int32_t>(at_most(a.seen + (query + i) / a.heads - first, block.n));
        best[i] = splat(kLowest);
    }
    for (int64_t t = 0; t < tiles; ++t) {
        float* scores = w.scores + t * 256;
        F tile[16];
        for (int i = 0; i < 16; ++i) tile[i] = load(scores + i * 16);
        transpose(tile);
        for (int i = 0; i < kHeads; ++i) {
            F s = tile[i] + tile[kHeads + i];
            if (hidden) s = lane + static_cast<int32_t>(t * 16) < splat(seen[i]) ? s : splat(-__builtin_inff());
            best[i] = max(s, best[i]);
            store(scores + i * 16, s);
        }
    }
    float *top = w.top + group * kHeads, now[16] = {}, before[16] = {};
    for (int i = 0; i < kHeads; ++i) {
        const float highest_now = highest(best[i]);
        before[i] = top[i], now[i] = highest_now > top[i] ? highest_now : top[i], top[i] = now[i];
    }
    float fade[16];
    store(fade, exp(load(before) - load(now)));
    for (int i = 0; i < kHeads; ++i) {
        F total = load(w.total + (group * kHeads + i) * 16) * fade[i];
        w.fade[group * kHeads + i] = fade[i];
        for (int64_t t = 0; t < tiles; ++t) {
            const F e = exp(load(w.scores + t * 256 + i * 16) - now[i]), h = high(e), l = high(e - h);
            float *to = reinterpret_cast<float*>(w.weights + (group * kHeight + t) * 2 * kTileBytes), *low = to + 256;
            store(to + i * 16, reinterpret_cast<F>(bits(h) >> 16)), store(to + (kHeads + i) * 16, h);
            store(low + i * 16, reinterpret_cast<F>(bits(l) >> 16)), store(low + (kHeads + i) * 16, l);
            total += e;
        }
        store(w.total + (group * kHeads + i) * 16, total);
    }
}

// sums = sums * fade
void fade_sums(const TileWork& w, int64_t group) {
    float* sums = w.sums + group * w.columns * 256;
    for (int i = 0; i < kHeads; ++i) {
        const float fade = w.fade[group * kHeads + i];
        if (fade == 1) continue;
        for (int64_t c = 0; c < w.columns; ++c)
            for (int64_t at : {c * 256 + i * 16, c * 256 + (kHeads + i) * 16}) store(sums + at, load(sums + at) * fade);
    }
}

// sums += weights rows
void tile_gather(const TileWork& w, int64_t group, const Rows& rows, Stream& stream) {
    const char* weights = w.weights + group * kHeight * 2 * kTileBytes;
    for (int64_t c = 0; c < w.columns; c += 2) {
        float* to = w.sums + (group * w.columns + c) * 256;
        _tile_loadd(0, to, 64);
        _tile_loadd(1, to + 256, 64);
        for (int64_t t = 0; t < rows.tiles; ++t) {
            const char* from = rows.tile(t) + c * 64;
            _tile_loadd(4, weights + t * 2 * kTileBytes, 64);
            _tile_loadd(5, weights + (t * 2 + 1) * kTileBytes, 64);
            _tile_loadd(6, from, rows.stride);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, from + 64, rows.stride);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(0, 5, 6);
            _tile_dpbf16ps(1, 5, 7);
            for (int i = 0; i < kAheadLines; ++i) stream.go();
        }
        _tile_stored(0, to, 64);
        _tile_stored(1, to + 256, 64);
    }
}

void attend_tiles(const Attend& a) {
    const Latents& cache = *a.cache;
    const TileWork w(cache, a.queries, a.scratch);
    pack_queries(a, w);
    for (int64_t i = 0; i < w.groups * kHeads; ++i) w.top[i] = kLowest;
    __builtin_memset(w.total, 0, static_cast<size_t>(w.groups * kHeads * 64));
    __builtin_memset(w.sums, 0, static_cast<size_t>(w.groups * w.columns * kTileBytes));
    shape_tiles(64, 16);
    for (int64_t n = a.first, count; n < a.last; n += count) {
        count = at_most(at_most(kKeys, a.last - n), cache.page - n % cache.page);
        const Block block{row_of(cache, n), row_bytes(cache), count};
        const Rows rows(w, block);
        Stream stream{n + count < a.last ? row_of(cache, n + count) : block.rows, 64};
        for (int64_t g = 0; g < w.groups; ++g) {
            settle();
            tile_scores(w, w.queries + g * w.chunks * kTileBytes, rows);
            soften(a, w, g, n, block);
            if (n > a.first) fade_sums(w, g);
            settle();
            tile_gather(w, g, rows, stream);
        }
    }
    _tile_release();

    const int64_t ldv = padded(cache.L, kLatentStep);
    for (int64_t i = 0; i < a.queries; ++i) {
        const int64_t g = i / kHeads, lane = i % kHeads;
        a.top[i] = w.top[i], a.sum[i] = sum(load(w.total + i * 16));
        for (int64_t c = 0; c < w.columns; ++c) {
            const float* s = w.sums + (g * w.columns + c) * 256 + lane * 16;
            const F even = load(s), odd = load(s + kHeads * 16);
            store(a.values + i * ldv + c * 32, __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
            store(a.values + i * ldv + c * 32 + 16, __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
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
