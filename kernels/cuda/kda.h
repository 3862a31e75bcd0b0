// What the files of KDA share: kda.cu (any shape, token by token), kda_step.cu (one token of each sequence), kda_chunk.cu (64 tokens at a time).
#pragma once

#include "kernels/cuda/cuda_backend.h"

namespace klp::cuda {

// Kda of ops.h as an argument of kernels.
struct KdaShape {
    const float *x, *conv, *A_log, *dt_bias, *norm;  // norm null: none
    float *y, *log_decay, *beta, *state_norm, *update_norm;
    int64_t width;  // of a row of x
    int32_t H, K, V, C, R_f, R_g;
    float eps, lower_bound;
    int32_t H_k, tiled, one_gate, no_gate, plain, silu, ungated;  // H_k: heads of q and k

    __host__ __device__ int64_t k_head(int64_t h) const { return tiled ? h % H_k : h / (H / H_k); }
    __host__ __device__ int64_t gate_width() const { return no_gate ? 0 : one_gate ? H : int64_t{H} * K; }
    __host__ __device__ int64_t output_gates() const { return ungated ? 0 : int64_t{H} * V; }
    __host__ __device__ bool usual() const {
        return H_k == H && !one_gate && !no_gate && !plain && !silu && !ungated;
    }  // as Kimi's: the faster kernels know no other
    __host__ __device__ int64_t conv_width() const { return int64_t{2} * H_k * K + int64_t{1} * H * V; }
    __device__ const float* row(int64_t r) const { return x + r * width; }
};

// A piece of a segment as it is given to kernels: `count` tokens from its token `from` on.
struct KdaRows {
    float *state, *tail;
    int64_t first;  // the segment's first row of x
    int64_t from, count;
    int64_t start;             // of its first row among the rows of all pieces given with it
    int64_t chunk;             // of its first chunk among theirs
    int64_t last;              // 1: it ends the segment
    const float *gate, *beta;  // factors, as in KdaSegment; null: none

    __device__ float gate_of(int64_t column) const { return gate ? gate[column] : 1; }
    __device__ float beta_of(int64_t h) const { return beta ? beta[h] : 1; }
};

// The piece in which a row (Begins: start) or a chunk (chunk) of all pieces lies.
template <int64_t KdaRows::*Begins>
__device__ const KdaRows& piece_of(const KdaRows* pieces, int32_t n, int64_t place) {
    int32_t low = 0;
    while (n - low > 1) {
        const int32_t middle = (low + n) / 2;
        (pieces[middle].*Begins <= place ? low : n) = middle;
    }
    return pieces[low];
}

// The convolution's window of channel c at the segment's token t: i = 0 the oldest of C.
__device__ __forceinline__ float kda_window(const KdaShape& a, const KdaRows& s, int64_t t, int i, int64_t c) {
    const int64_t at = t - (a.C - 1) + i;
    return at < 0 ? s.tail[(at + a.C - 1) * a.conv_width() + c] : a.row(s.first + at)[c];
}
__device__ __forceinline__ float kda_conv(const KdaShape& a, const KdaRows& s, int64_t t, int64_t c) {
    float sum = 0;
    for (int i = 0; i < a.C; ++i) sum += kda_window(a, s, t, i, c) * a.conv[c * a.C + i];
    return silu(sum);
}
// g of ops.h; A = exp(A_log).
__device__ __forceinline__ float kda_log_decay(float f, float A, float dt_bias, float lower_bound) {
    return lower_bound < 0 ? lower_bound * sigmoid(A * (f + dt_bias)) : -A * softplus(f + dt_bias);
}
// Whether kda_step takes the segment: one token, in the usual shape.
bool kda_steps(const KdaShape& shape, const KdaRows& segment);

// The chunkwise form (kda_chunk.cu), 64 tokens at a time.
inline constexpr int64_t kKdaChunk = 64;
bool kda_chunks(const KdaShape& shape, size_t shared);  // whether it takes the shape with so much shared memory
int64_t kda_chunk_bytes(const KdaShape& shape);         // of a chunk of a head on the way from its first kernel to its second
struct KdaChunks {
    void* chunks;
    float* o;               // [rows, H, V]
    float* key_squares;     // [rows, H] |k|^2; null: not wanted, these three
    float* update_squares;  // [rows, H, V / 32] of u
    float* state_squares;   // [pieces, H, V / 32] after the piece
};
void kda_chunkwise(Stream& stream, const KdaShape& shape, const KdaRows* pieces, int32_t n, int64_t n_chunks, const float* f, const KdaChunks& to);

inline constexpr float kKdaEps = 1e-6f;  // inside the root of L2Norm

}  // namespace klp::cuda
