// What the parts of the MLA op share: mla.cu appends, absorbs and combines, mla_decode.cu attends in the latent space, mla_prefill.cu with keys and values
// expanded.
#pragma once

#include "kernels/cuda/cuda_backend.h"

namespace klp::cuda {

// Some consecutive rows of one sequence as the kernels see them. Lengths change with every token: parts are given, not arguments. Behind the last part stands
// one more, whose `begin` and `item` are the totals.
struct MlaPart {
    int64_t row = 0;  // first row of x
    int64_t count = 0, past = 0;
    int64_t page = 0;               // its first page in the table of pages
    int64_t begin = 0;              // rows of the parts before it
    int64_t item = 0;               // items of work of the parts before it
    int64_t range = 0, splits = 0;  // an item is a range of cached rows and a tile of queries; a query is a row and a head
};

struct MlaShape {
    int32_t H, N, R, V, L, W;  // W = L + R, a cached row
    int32_t pitch;             // of absorbed queries
    float scale;               // of scores in base 2
    int64_t width;             // of a row of x
    const float2* turn;        // [rows of x, R / 2] cosine and sine of RoPE; null: NoPE
    int32_t adjacent;          // 1: neighbours are paired, else halves
    int32_t gates;             // of the output, behind the row that is cached; 0: none
};

// The part that the i-th of all rows (or items) belongs to.
template <int64_t MlaPart::*First>
__device__ inline const MlaPart& part_of(const MlaPart* parts, int64_t n, int64_t i) {
    int64_t low = 0, high = n;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (parts[middle].*First <= i)
            low = middle;
        else
            high = middle;
    }
    return parts[low];
}

// The i-th of the rope columns x of row `row`, turned by its position.
__device__ __forceinline__ float turned(const float* x, int i, const MlaShape& a, int64_t row) {
    const int half = a.R / 2;
    if (!a.turn || i >= 2 * half) return x[i];
    const int pair = a.adjacent ? i / 2 : i % half;
    const bool first = a.adjacent ? i % 2 == 0 : i < half;
    const int other = (a.adjacent ? 1 : half) * (first ? 1 : -1);
    const float2 t = a.turn[row * half + pair];
    return first ? x[i] * t.x - x[i + other] * t.y : x[i] * t.x + x[i + other] * t.y;
}

__device__ __forceinline__ float value_of(float v) { return v; }
__device__ __forceinline__ float value_of(uint16_t v) { return from_bf16(v); }

// Tensor cores round queries and weights to bf16, as a product with kv_b does where that is not stored in more.
inline bool rounds(const Mla& a) { return a.cache_type == DType::bf16 && a.kv_b.type != DType::f32 && a.kv_b.type != DType::f16; }

// Not a number stays not a number.
__device__ __forceinline__ uint16_t stored_bf16(float f) { return f == f ? to_bf16(f) : uint16_t{0x7fff}; }

// Absorbed queries over the cache in their latent space: for each item and each query of its tile the largest score (base 2), the sum of weights relative to
// it, and the sum of weighted latents.
struct MlaAttend {
    MlaShape shape;
    const MlaPart* parts;
    int64_t n;  // parts
    const std::byte* const* pages;
    const void* q;     // [rows, H, pitch] f32, or bf16 for the tensor cores; a tile's memory follows
    float *top, *sum;  // [items, tile]
    float* values;     // [items, tile, L]
};
struct MlaPlan {         // how items are made; a function of the shape and the device, never of the batch
    int tile = 0;        // queries
    int stages = 0;      // of cached rows on their way
    int64_t blocks = 0;  // of the grid
    bool tensor = false;
};
MlaPlan attend_plan(const Mla& a, int processors, size_t shared);  // bytes of shared memory that a block may have
void attend(Stream& stream, const MlaPlan& plan, const MlaAttend& a, DType cache);

// A block of cached rows, expanded, and the new rows of the same sequence that look at it. The first block begins at 0, the last ends behind the new rows.
struct MlaExpand {
    MlaShape shape;
    const std::byte* const* pages;
    const float* x;  // first new row
    int64_t count, past;
    int64_t first, last;      // the block
    float* latents;           // [last - first, W]
    float* kv;                // [last - first, H (N + V)]
    uint16_t *keys, *values;  // for the tensor cores: [H, last - first, N + R] and [H, last - first, V]
    float *top, *sum;         // [count, H] from block to block
    float* y;                 // first new row
    float* log_sum_exp;       // first new row; null: nobody watches
};
struct MlaExpandPlan {
    bool possible = false, tensor = false;
};
MlaExpandPlan expand_plan(const MlaShape& s, bool rounds, size_t shared);
void widen(Stream& stream, const MlaExpand& a, DType cache);                 // latents
void expand(Stream& stream, const MlaExpandPlan& plan, const MlaExpand& a);  // y, once kv is there

}  // namespace klp::cuda
