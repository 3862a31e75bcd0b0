// The delta rule 64 tokens at a time, on tensor cores. With G the sum of log decays from the chunk's start, S the state before it and T = (I + tril(beta A))^-1
// beta,
//   A_ij = sum_d k_i k_j e^(G_i - G_j),  B_ij = sum_d q_i k_j e^(G_i - G_j)      (i > j; i >= j)
//   W = T (k e^G),   U = T v,   D = U - W S,   o = (q e^G) S + B D,   S <- e^G_C S + (k e^(G_C - G))^T D
// One kernel (kda_chunk.cu) makes everything that the state is not in, for all chunks at once; one (kda_scan.cu) carries 32 rows of a head's state from chunk
// to chunk. No exponent is ever positive: a pair's decay is the row's from a point between the two tokens on, times the column's up to it, both products of
// alphas. That point is the start of the row's sub-block of 16 tokens, within one its token 8, within half of one its token 4. Only pairs of the same four
// tokens have none: those are made one by one, in f32. The operands of all other pairs are f16: keys of length 1 and decays, which it keeps to 2^-12. Other
// operands of tensor cores are bf16, sums and the state f32. T, v, D, B, q, the state as an operand and the update's k are sums of two bf16, W is one. Relative
// to float64 (root mean square, in the tests' simulation) that leaves in the usual shape, where gates forget, 1e-4 of the answers and less of the state; where
// they hardly do 1.4e-3.
#pragma once

#include "kernels/cuda/kda.h"
#include "kernels/cuda/mma.h"

namespace klp::cuda {

// What a lane hands to mma: a chunk of a head in the order in which the scan's lanes take it, 16 bytes each. P = K / 32.
//   W, Q  [8 tokens of 64][P][lane]      the operand b of tokens x keys, two steps of 16 keys; Q_low: what bf16 leaves of it
//   key   [8 keys of K][2][lane]         k e^(G_C - G) as b of keys x tokens, two steps of 16 tokens; key_low
//   B     [8 rows of 64][2][lane]        as b of rows x columns, two steps of 16 columns; B_low; sub-blocks above the diagonal are not written
//   decay [K] f32                        e^G_C
//   U     [32 values of V][8 tokens of 64][16 values of 32][lane]   the accumulator of values x tokens
template <int K>
struct KdaChunkLayout {
    static constexpr int P = K / 32, W = 0, Q = W + 8 * P * 32, Q_low = Q + 8 * P * 32, key = Q_low + 8 * P * 32, key_low = key + K / 8 * 2 * 32,
                         B = key_low + K / 8 * 2 * 32, B_low = B + 8 * 2 * 32, decay = B_low + 8 * 2 * 32, U = decay + K / 4;
    static int64_t size(int64_t slices) { return U + slices * 8 * 2 * 32; }
};

// x as the sum of two bf16: to 16 bits.
__device__ __forceinline__ void split_bf16(float x, float y, uint32_t& high, uint32_t& low) {
    high = pack_bf16(x, y);
    low = pack_bf16(x - __uint_as_float(high << 16), y - __uint_as_float(high & 0xffff0000u));
}

// The second kernel, of n pieces; K is the width of a key, padded to 32, 64 or 128.
template <int K>
constexpr size_t kda_scan_shared() {
    return (8 * (K / 32) + 4) * 128 * 16 + 4 * (K / 16) * 512 + 4 * 4 * 512;
}
template <int K>
void launch_kda_scan(Stream& stream, const KdaShape& a, const KdaRows* pieces, int32_t n, const KdaChunks& to);

}  // namespace klp::cuda
