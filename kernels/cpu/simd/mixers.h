// The inner loops of KDA, MLA and attention, one table for each instruction set: a call is one head's or one thread's share of an op, on one thread.
// kda.cpp, mla.cpp and attention.cpp hand the shares out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/isa.h"
#include "kernels/dtype.h"

namespace klp {

inline constexpr int kKdaBlock = 64;  // most tokens of a call

enum class KdaSteps { single, fours, chunk };  // tokens that pass over the state together; all but single know the state's norm only at the end

// Up to kKdaBlock consecutive tokens of one head, from the raw projections to the gated output. Pointers are at this head's columns.
struct KdaBlock {
    int64_t K = 0, V = 0, C = 0, T = 0;
    KdaSteps steps = KdaSteps::single;
    struct Rows {                     // raw q^, k^ or v^
        const float* x = nullptr;     // row t at x + t * KdaBlock::stride
        const float* past = nullptr;  // the C - 1 rows before, oldest first, past_stride apart
        const float* conv = nullptr;  // [K or V, C]
    } q, k, v;
    int64_t stride = 0, past_stride = 0;
    const float* f = nullptr;  // [K] f_b f_a of token t at f + t * f_stride; of one gate [1], and so dt_bias
    const float* z = nullptr;  // [V] g_b g_a likewise
    int64_t f_stride = 0, z_stride = 0;
    const float* b = nullptr;  // at b + t * stride
    float A_log = 0;
    const float* dt_bias = nullptr;  // [K]
    const float* gate = nullptr;     // [K] factors of g; null: none
    float beta_factor = 1;
    float lower_bound = 0;
    bool one_gate = false, no_gate = false, plain = false, silu = false, ungated = false;
    const float* o_norm = nullptr;  // [V]; null: no norm
    float eps = 0;
    float* state = nullptr;  // [V, K]
    float* y = nullptr;      // row t at y + t * y_stride
    int64_t y_stride = 0;
    float* log_decay = nullptr;  // taps, or null: token t at + t * H * K, and + t * H for those of one number a head
    float* beta = nullptr;
    float* state_norm = nullptr;
    float* update_norm = nullptr;
    int64_t H = 0;
    bool last = false;         // the segment ends here
    float* scratch = nullptr;  // kda_scratch(K, V, C) floats, 64-byte aligned
};

// --- MLA over the latent cache (absorbed): one row of L + R values a token is key and value of every head ---

struct Latents {                              // the cache of one segment
    const std::byte* const* pages = nullptr;  // of `page` rows each
    int64_t page = 0;
    int64_t L = 0, W = 0;  // W = L + R
    int64_t H = 0;         // heads
    bool bf16 = false;     // else f32
    // Of whole keys and values (attention.cpp) one head's: W columns of key and, `values` columns behind where they begin, L of value.
    int64_t row = 0;     // values from row to row; 0: W
    int64_t first = 0;   // column of the key
    int64_t values = 0;  // 0: the row is key and value, as of latents
};
inline constexpr int64_t kAttendQueries = 64;  // most queries of a call
inline constexpr int64_t kAttendLanes = 4 * kAttendQueries;
inline constexpr int64_t kLatentStep = 32;  // widths of queries and sums are multiples of it

// Queries of one head in the latent space: q~ = scale (W_UK^T q_n | q_r), in the order of columns that attend() reads (see pair() in mla.inc.h).
struct Absorb {
    const Latents* cache = nullptr;
    DType type;
    const void* w = nullptr;  // [nope, L], W_UK of the head
    int64_t row_bytes = 0, nope = 0;
    const float* q = nullptr;  // token t: q_n at q + t * stride, q_r at q_r + t * r_stride
    const float* q_r = nullptr;
    int64_t stride = 0, r_stride = 0, T = 0;
    float scale = 0;
    float* out = nullptr;  // token t at out + t * out_stride, padded(W) values
    int64_t out_stride = 0;
    float* scratch = nullptr;  // 4 L floats
};
// Softmax sums of queries over the cached rows [first, last): of query i over those before seen + (query + i) / heads.
struct Attend {
    const Latents* cache = nullptr;
    int64_t first = 0, last = 0;  // first is a multiple of 64
    const float* q = nullptr;     // [queries, padded(W)]
    int64_t queries = 0;
    int64_t query = 0, heads = 0, seen = 0;
    float *top = nullptr, *sum = nullptr;  // [queries]: largest score, sum of e^(score - top)
    float* values = nullptr;               // [queries, padded(L)]: sum of e^(score - top) c
    float* scratch = nullptr;              // attend_scratch(cache, queries) floats, 64-byte aligned
};
// Parts of one query over several ranges to its answer in the latent space; returns log sum e^score.
struct Merge {
    const Latents* cache = nullptr;
    int64_t parts = 0, stride = 0;  // part i of top and sum at i * stride, of values at i * stride * padded(L)
    const float *top = nullptr, *sum = nullptr, *values = nullptr;
    float* out = nullptr;  // [padded(L)]
};

// --- MLA with expanded keys and values (prefill): a block of keys against queries of one head ---

inline constexpr int64_t kExpandTile = 32;  // queries stand in lanes, in tiles of so many: q [tile][N + R][32], top and sum [tile][32], values [tile][V][32]

struct Expand {
    int64_t nope = 0, rope = 0, V = 0;
    int64_t keys = 0;
    const float* kv = nullptr;  // key n: k_n | v at kv + n * kv_stride, k_r at k_r + n * r_stride
    const float* k_r = nullptr;
    int64_t kv_stride = 0, r_stride = 0;
    const float* q = nullptr;  // scaled
    int64_t queries = 0;
    int64_t seen = 0;  // query t sees the keys before seen + t
    float *top = nullptr, *sum = nullptr, *values = nullptr;
    float* scratch = nullptr;  // 32 keys floats
};
// Queries into tiles, and tiles to answers: y_t = values / sum.
struct ExpandEnds {
    int64_t nope = 0, rope = 0, V = 0, queries = 0;
    const float *q = nullptr, *q_r = nullptr;  // token t at q + t * stride and q_r + t * r_stride
    int64_t stride = 0, r_stride = 0;
    float scale = 0;
    float* tiles = nullptr;
    float *top = nullptr, *sum = nullptr, *values = nullptr;
    float* y = nullptr;  // token t at y + t * y_stride
    int64_t y_stride = 0;
    float* log_sum_exp = nullptr;  // or null: token t at + t * lse_stride
    int64_t lse_stride = 0;
};

// All of it for some queries of one head, on matrix tiles.
struct Prefill {
    const Latents* cache = nullptr;  // in bf16
    int64_t nope = 0, rope = 0, V = 0;
    DType type;
    const void* w = nullptr;  // [nope + V, L], the head's
    int64_t row_bytes = 0;
    int64_t queries = 0, seen = 0;             // query t sees the rows before seen + t
    const float *q = nullptr, *q_r = nullptr;  // as in ExpandEnds
    int64_t stride = 0, r_stride = 0;
    float scale = 0;
    float* y = nullptr;
    int64_t y_stride = 0;
    float* log_sum_exp = nullptr;
    int64_t lse_stride = 0;
    float* scratch = nullptr;  // prefill_scratch() floats, 64-byte aligned
};

struct Mixers {
    int64_t (*kda_scratch)(int64_t K, int64_t V, int64_t C);
    void (*kda)(const KdaBlock&);
    void (*absorb)(const Absorb&);
    int64_t (*attend_scratch)(const Latents&, int64_t queries);
    void (*attend)(const Attend&);
    float (*merge)(const Merge&);
    void (*widen)(const Latents&, int64_t first, int64_t last, float* out, int64_t stride);  // rows of W floats
    void (*expand_begin)(const ExpandEnds&);
    void (*expand)(const Expand&);
    void (*expand_end)(const ExpandEnds&);
    int64_t (*prefill_scratch)(const Prefill&);  // 0: no tiles here, or not for these sizes; expand() then
    void (*prefill)(const Prefill&);
};
const Mixers& mixers_of(Isa isa);

}  // namespace klp
