// The chunkwise delta rule, first kernel: of a chunk all that the state is not in (kda_chunk.h).
#include "kernels/cuda/kda_chunk.h"

#include <algorithm>
#include <type_traits>

namespace klp::cuda {

namespace {

constexpr int kChunk = kKdaChunk, kSub = 16, kSubs = kChunk / kSub;
constexpr int kOwn = 8, kOwns = kChunk / kOwn;  // tokens of a thread: half a sub-block
constexpr int kWide = kChunk + 8;               // from row to row of shared matrices of bf16: 8 rows meet 32 banks
constexpr int kTall = kChunk + 8;               // of f32; two of bf16 fit in one of f32
template <int K>
constexpr int kGroup = K > 64 ? K : 64;  // values at a time

// L lanes have N values each: afterwards lane l % L has the sums of values l % L * N / L and on, at the front.
template <int L, int N>
__device__ __forceinline__ void shared_sums(float* v) {
    if constexpr (L > 1 && N == 1) {
        v[0] += __shfl_xor_sync(0xffffffffu, v[0], L / 2);
        shared_sums<L / 2, 1>(v);
    } else if constexpr (L > 1) {
        const bool upper = threadIdx.x & (L / 2);
#pragma unroll
        for (int i = 0; i < N / 2; ++i) {
            const float other = __shfl_xor_sync(0xffffffffu, upper ? v[i] : v[i + N / 2], L / 2);
            v[i] = (upper ? v[i + N / 2] : v[i]) + other;
        }
        shared_sums<L / 2, N / 2>(v);
    }
}

// N neighbours, the first n of them; zeros for the others. whole: there are all of them, or none.
template <int N, bool whole>
__device__ __forceinline__ void load(const float* from, int n, float (&v)[N]) {
    if constexpr (N == 2 && whole) {
        const float2 two = n > 0 ? *reinterpret_cast<const float2*>(from) : float2{0, 0};
        v[0] = two.x, v[1] = two.y;
    } else {
#pragma unroll
        for (int e = 0; e < N; ++e) v[e] = e < n ? from[e] : 0;
    }
}

// Row i of so many bytes from row to row.
__device__ __forceinline__ const float* row_at(const float* first, uint32_t bytes, int i) {
    return reinterpret_cast<const float*>(reinterpret_cast<const char*>(first) + uint64_t{bytes} * static_cast<uint32_t>(i));
}

// Where the convolution finds channel 0 of a thread's tokens, and of the three tokens before them. Threads begin at multiples of 8 tokens, so those three are
// all in the segment's tail or none is.
struct ConvRows {
    const float *x, *before;
    uint32_t bytes, before_bytes;  // from row to row

    __device__ ConvRows(const KdaShape& a, const KdaRows& s, int64_t t)
        : x(a.row(s.first + s.from + t)),
          before(s.from + t == 0 ? s.tail : x - 3 * a.width),
          bytes(static_cast<uint32_t>(a.width) * 4),
          before_bytes(s.from + t == 0 ? static_cast<uint32_t>(a.conv_width()) * 4 : bytes) {}
};
// Channels c and on, n of them, after convolution and SiLU; zeros from token `here` on. All loads go out before the first is needed.
template <int N, bool whole>
__device__ __forceinline__ void conv(const ConvRows& r, const float* weights, int32_t c, int n, int here, float (&y)[N][kOwn]) {
    float x[3 + kOwn][N], taps[N][4];
#pragma unroll
    for (int i = 0; i < 3; ++i) load<N, whole>(row_at(r.before + c, r.before_bytes, i), here > 0 ? n : 0, x[i]);
#pragma unroll
    for (int i = 0; i < kOwn; ++i) load<N, whole>(row_at(r.x + c, r.bytes, i), i < here ? n : 0, x[3 + i]);
#pragma unroll
    for (int e = 0; e < N; ++e) {
        const float* const at = weights + 4 * (c + e);
        if constexpr (whole) {
            const float4 four = *reinterpret_cast<const float4*>(at);
            taps[e][0] = four.x, taps[e][1] = four.y, taps[e][2] = four.z, taps[e][3] = four.w;
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) taps[e][i] = e < n ? at[i] : 0;
        }
    }
#pragma unroll
    for (int i = 0; i < kOwn; ++i)
#pragma unroll
        for (int e = 0; e < N; ++e) {
            const float sum = x[i][e] * taps[e][0] + x[i + 1][e] * taps[e][1] + x[i + 2][e] * taps[e][2] + x[i + 3][e] * taps[e][3];
            y[e][i] = fast_silu(i < here ? sum : 0);  // not SiLU where there is a token: that is a branch, and the loads wait for each other in it
        }
}

template <int K>
constexpr int operand_bytes() {
    constexpr int operands = 12 * (K / 16) * 32 * 16, turned = (K + 2 * kGroup<K>)*kWide * 2;
    return operands > turned ? operands : turned;
}
template <int K>
constexpr size_t chunk_shared() {
    return operand_bytes<K>() + 2 * kChunk * kTall * 4 + (kOwns * K + 3 * kChunk + kOwns * 32) * 4;
}

// A chunk of a head. A thread has two neighbouring keys of eight tokens, half a sub-block, and with 128 registers a processor has 512 of them. whole: keys are K
// wide and pairs of channels begin at multiples of 8 bytes; bounded: the gate has a lower bound.
template <int K, bool whole, bool bounded>
__global__ void __launch_bounds__(4 * K, 128 / K)
    kda_chunk(KdaShape a, const KdaRows* pieces, int32_t n_pieces, const float* f, uint4* chunks, int64_t chunk_size, float* key_squares) {
    using At = KdaChunkLayout<K>;
    constexpr int kThreads = 4 * K, kPairs = K / 2, kWarps = kThreads / 32, kSteps = K / 16;
    constexpr int kLanes = kPairs < 32 ? kPairs : 32, kParts = kPairs / kLanes;  // lanes of a warp, and warps, that share tokens
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32, g = lane / 4, c2 = lane % 4 * 2;
    const int own = thread / kPairs, sub = own / 2, upper = own % 2, pair = thread % kPairs, slot = thread % kLanes, part = pair / kLanes;
    const int h = static_cast<int>(blockIdx.x) % a.H;
    const int64_t chunk = static_cast<int>(blockIdx.x) / a.H;
    const KdaRows s = piece_of<&KdaRows::chunk>(pieces, n_pieces, chunk);
    const int64_t first = (chunk - s.chunk) * kChunk;  // of this chunk's tokens in the piece
    const int tokens = static_cast<int>(min(s.count - first, int64_t{kChunk}));
    const int key = 2 * pair, t0 = own * kOwn, here = tokens - t0;  // this thread's tokens, if any
    const int keys_here = whole ? 2 : a.K - key;
    uint4* const out = chunks + static_cast<int64_t>(blockIdx.x) * chunk_size;
    auto* const out_words = reinterpret_cast<uint32_t*>(out);

    // Operands of pairs of tokens: first of those in one sub-block, then of those in two; afterwards k e^G and v with tokens in a row.
    constexpr int kOperand = kSteps * 32;  // of 16 rows, in uint4
    uint4* const rows_k = shared_memory<uint4>();
    uint4 *const rows_q = rows_k + 3 * kOperand, *const columns = rows_q + 3 * kOperand;
    auto* const near_columns = reinterpret_cast<uint2*>(rows_k + 8 * kOperand);
    auto* const keys = reinterpret_cast<uint16_t*>(rows_k);
    uint16_t *const values = keys + K * kWide, *const values_low = values + kGroup<K> * kWide;
    constexpr int kFirst = operand_bytes<K>();
    float* const A = reinterpret_cast<float*>(reinterpret_cast<unsigned char*>(rows_k) + kFirst);  // beta_i A_ij, afterwards T in bf16
    float* const T = A + kChunk * kTall;
    float* const runs = T + kChunk * kTall;  // [8, K] decay of eight tokens
    float *const scales = runs + kOwns * K, *const beta = scales + 2 * kChunk, *const partial = beta + kChunk;

    float q[2][kOwn], k[2][kOwn], alpha[2][kOwn];  // alpha: first of all f, which has the longest way
    const int keys_width = a.H * a.K, key_of_all = h * a.K + key;
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
        float value[2];
        load<2, whole>(row_at(f + (s.start + first + t0) * keys_width + key_of_all, static_cast<uint32_t>(keys_width) * 4, i), i < here ? keys_here : 0, value);
        alpha[0][i] = value[0], alpha[1][i] = value[1];
    }
    {
        const ConvRows rows(a, s, first + t0);
        conv<2, whole>(rows, a.conv, key_of_all, keys_here, here, q);
        conv<2, whole>(rows, a.conv, keys_width + key_of_all, keys_here, here, k);
        float sums[2 * kOwn];
#pragma unroll
        for (int i = 0; i < kOwn; ++i) sums[i] = q[0][i] * q[0][i] + q[1][i] * q[1][i], sums[kOwn + i] = k[0][i] * k[0][i] + k[1][i] * k[1][i];
        shared_sums<kLanes, 2 * kOwn>(sums);
        constexpr int kShare = kLanes / (2 * kOwn);  // lanes with the same sum
        if (slot % kShare == 0) partial[(own * kParts + part) * 2 * kOwn + slot / kShare] = sums[0];
    }
    if (thread < kChunk) {
        float b = 0;
        if (thread < tokens) {
            const int64_t at = s.first + s.from + first + thread;
            b = fast_sigmoid(a.row(at)[a.conv_width() + a.R_f + a.R_g + h]) * s.beta_of(h);
            if (a.beta) a.beta[at * a.H + h] = b;
        }
        beta[thread] = b;
    }
    __syncthreads();
    for (int i = thread; i < 2 * kChunk; i += kThreads) {
        const int token = i % kChunk, of_k = i / kChunk;
        float sum = 0;
        for (int w = 0; w < kParts; ++w) sum += partial[(token / kOwn * kParts + w) * 2 * kOwn + of_k * kOwn + token % kOwn];
        const float scale = rsqrtf((sum + kKdaEps) * (of_k ? 1 : static_cast<float>(a.K)));
        scales[i] = scale;
        if (of_k && key_squares && token < tokens) key_squares[(s.start + first + token) * a.H + h] = sum * scale * scale;
    }
    {
        const float A_h = expf(a.A_log[h]);
        float bias[2], run[2] = {1, 1}, rate[2] = {1, 1};
        load<2, whole>(a.dt_bias + key_of_all, keys_here, bias);
        if (s.gate) load<2, whole>(s.gate + key_of_all, keys_here, rate);
        rate[0] *= bounded ? a.lower_bound : -A_h, rate[1] *= bounded ? a.lower_bound : -A_h;
        float* const tap = a.log_decay ? a.log_decay + (s.first + s.from + first + t0) * keys_width + key_of_all : nullptr;
#pragma unroll
        for (int i = 0; i < kOwn; ++i)
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                const bool there = i < here && e < keys_here;
                const float z = alpha[e][i] + bias[e];
                const float log_decay = (there ? rate[e] : 0) * (bounded ? fast_sigmoid(A_h * z) : fast_softplus(z));  // e^0 is 1, exactly
                if (there && tap) tap[i * keys_width + e] = log_decay;
                alpha[e][i] = fast_exp(log_decay);
                run[e] *= alpha[e][i];
            }
        *reinterpret_cast<float2*>(runs + own * K + key) = float2{run[0], run[1]};
    }
    __syncthreads();
    const auto run_of = [&](int tokens_of) { return *reinterpret_cast<const float2*>(runs + tokens_of * K + key); };
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
        const float q_scale = scales[t0 + i], k_scale = scales[kChunk + t0 + i];
        q[0][i] *= q_scale, q[1][i] *= q_scale, k[0][i] *= k_scale, k[1][i] *= k_scale;
    }

    // Decay of the chunk's tokens before this thread's, and of those behind them.
    float before[2] = {1, 1}, after[2] = {1, 1};
#pragma unroll
    for (int i = 0; i < kOwns; ++i) {
        const float2 run = run_of(i);
        if (i < own) before[0] *= run.x, before[1] *= run.y;
        if (i > own) after[0] *= run.x, after[1] *= run.y;
    }
    const int step = pair / 8, half = pair % 8 / 4, quad = pair % 4;
    const int place = step * 32 + quad;  // of this thread's keys in an operand; its tokens are 4 apart
    {
        // The lower left quarter of a sub-block meets at its token 8, those of both smaller diagonal blocks at their token 4.
        auto *const near_rows = reinterpret_cast<uint32_t*>(rows_k + sub * kOperand + place), *const near_columns_8 =
                                                                                                  reinterpret_cast<uint32_t*>(near_columns + sub * kOperand +
                                                                                                                              place) +
                                                                                                  half;
        auto* const rows_4 = reinterpret_cast<uint32_t*>(rows_k + (kSubs + sub) * kOperand + place) + half * 2 + upper;
        auto* const columns_4 = reinterpret_cast<uint32_t*>(near_columns + (kSubs + sub) * kOperand + place + upper * 16) + half;
        uint32_t* const to = out_words + (At::Q + (own * At::P + step / 2) * 32 + quad) * 4 + step % 2 * 2 + half;
        float d[2] = {1, 1}, of_4[2] = {1, 1};
#pragma unroll
        for (int i = 0; i < kOwn; ++i) {
            d[0] *= alpha[0][i], d[1] *= alpha[1][i];
            const float q0 = q[0][i] * d[0], q1 = q[1][i] * d[1];
            split_bf16(q0 * before[0], q1 * before[1], to[i * 16], to[i * 16 + (At::Q_low - At::Q) * 4]);
            if (upper) *reinterpret_cast<uint2*>(near_rows + i * 16 + half * 2) = make_uint2(pack_f16(k[0][i] * d[0], k[1][i] * d[1]), pack_f16(q0, q1));
            if (i < kOwn / 2) continue;
            of_4[0] *= alpha[0][i], of_4[1] *= alpha[1][i];
            rows_4[(i - 4) * 16] = pack_f16(k[0][i] * of_4[0], k[1][i] * of_4[1]);
            rows_4[i * 16] = pack_f16(q[0][i] * of_4[0], q[1][i] * of_4[1]);
        }
        if (own == 0) *reinterpret_cast<float2*>(reinterpret_cast<float*>(out + At::decay) + key) = float2{d[0] * after[0], d[1] * after[1]};
        d[0] = d[1] = of_4[0] = of_4[1] = 1;
#pragma unroll
        for (int i = kOwn - 1; i >= 0; --i) {
            if (!upper) near_columns_8[i * 8] = pack_f16(k[0][i] * d[0], k[1][i] * d[1]);
            d[0] *= alpha[0][i], d[1] *= alpha[1][i];
            if (i >= kOwn / 2) continue;
            columns_4[i * 8] = pack_f16(k[0][i] * of_4[0], k[1][i] * of_4[1]);
            of_4[0] *= alpha[0][i], of_4[1] *= alpha[1][i];
        }
    }
    __syncthreads();

    const auto put_b = [&](int row, int column, float v0, float v1) {  // two neighbouring columns
        const int to = (At::B + (row / 8 * 2 + column / 32) * 32 + row % 8 * 4 + column % 8 / 2) * 4 + column % 32 / 8;
        split_bf16(v0, v1, out_words[to], out_words[to + (At::B_low - At::B) * 4]);
    };
    const auto put_a = [&](int row, int column, float v0, float v1) {
        *reinterpret_cast<float2*>(A + row * kTall + column) = float2{beta[row] * v0, beta[row] * v1};
    };
#pragma unroll 1
    for (int task = warp; task < 2 * kSubs; task += kWarps) {
        const uint4* const left = rows_k + task * kOperand + lane;
        const uint2* const right = near_columns + task * kOperand + lane;
        float sum[4] = {};
#pragma unroll
        for (int n = 0; n < kSteps; ++n) {
            const uint4 l = left[n * 32];
            const uint2 r = right[n * 32];
            const uint32_t x[4] = {l.x, l.y, l.z, l.w}, y[2] = {r.x, r.y};
            mma_f16(sum, x, y);
        }
        if (task < kSubs) {  // rows of the operand: k of 8 tokens, q of the same
            const int to = task * kSub + 8 + g, from = task * kSub + c2;
            put_a(to, from, sum[0], sum[1]);
            put_b(to, from, sum[2], sum[3]);
        } else {  // k of 4 tokens, q of the same, and those of the other 4; columns of both
            const int block = (task - kSubs) * kSub + c2 / 4 * 8, to = block + 4 + g % 4, from = block + c2 % 4;
            const float v0 = c2 < 4 ? sum[0] : sum[2], v1 = c2 < 4 ? sum[1] : sum[3];
            if (g < 4)
                put_a(to, from, v0, v1);
            else
                put_b(to, from, v0, v1);
        }
    }
    // The diagonal's 4 x 4, one by one: 6 of A and 10 of B each, A's turned round to fill the square. One sum for each lane.
    float* const pairs = T;  // [own][part][2][4][4]
    {
        float sums[32];
#pragma unroll
        for (int c = 0; c < kOwn; ++c) {
            const int block = c / 4 * 16;
            float x0 = k[0][c], x1 = k[1][c];
            sums[block + c % 4 * 5] = x0 * q[0][c] + x1 * q[1][c];
#pragma unroll
            for (int i = c + 1; i < c / 4 * 4 + 4; ++i) {
                x0 *= alpha[0][i], x1 *= alpha[1][i];
                sums[block + c % 4 * 4 + i % 4] = x0 * k[0][i] + x1 * k[1][i];
                sums[block + i % 4 * 4 + c % 4] = x0 * q[0][i] + x1 * q[1][i];
            }
        }
        shared_sums<kLanes, 32>(sums);
#pragma unroll
        for (int r = 0; r < 32 / kLanes; ++r) pairs[(own * kParts + part) * 32 + slot * (32 / kLanes) + r] = sums[r];
    }
    __syncthreads();

    // Operands of pairs in two sub-blocks: rows from the start of theirs; columns to the end of theirs, of the next and of the next but one.
    uint32_t later[2][4], low[2][4];  // k e^(G_C - G), two tokens in a word
    {
        const float2 partner = run_of(own ^ 1);
        if (sub > 0) {
            const int at = ((sub - 1) * kOperand + place) * 4 + half * 2 + upper;
            float d[2] = {upper ? partner.x : 1, upper ? partner.y : 1};
#pragma unroll
            for (int i = 0; i < kOwn; ++i) {
                d[0] *= alpha[0][i], d[1] *= alpha[1][i];
                reinterpret_cast<uint32_t*>(rows_k)[at + i * 16] = pack_f16(k[0][i] * d[0], k[1][i] * d[1]);
                reinterpret_cast<uint32_t*>(rows_q)[at + i * 16] = pack_f16(q[0][i] * d[0], q[1][i] * d[1]);
            }
        }
        float next[2][2];  // decay of the next sub-block, and of the one behind it
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int of = min(2 * (sub + 1 + i), kOwns - 2);
            const float2 r0 = run_of(of), r1 = run_of(of + 1);
            next[i][0] = r0.x * r1.x, next[i][1] = r0.y * r1.y;
        }
        auto* const to = reinterpret_cast<uint32_t*>(columns) + place * 4 + upper * 2 + half;
        float d[2] = {1, 1}, older[2] = {};
#pragma unroll
        for (int i = kOwn - 1; i >= 0; --i) {
            const float k0 = k[0][i] * d[0], k1 = k[1][i] * d[1], l0 = k0 * after[0], l1 = k1 * after[1];
            if (i % 2) {
                older[0] = l0, older[1] = l1;
            } else {
                split_bf16(l0, older[0], later[0][i / 2], low[0][i / 2]);
                split_bf16(l1, older[1], later[1][i / 2], low[1][i / 2]);
            }
            float e0 = upper ? k0 : k0 * partner.x, e1 = upper ? k1 : k1 * partner.y;  // to the sub-block's end
            if (sub < 3) to[sub * kOperand * 4 + i * 16] = pack_f16(e0, e1);
            e0 *= next[0][0], e1 *= next[0][1];
            if (sub < 2) to[(3 + sub) * kOperand * 4 + i * 16] = pack_f16(e0, e1);
            e0 *= next[1][0], e1 *= next[1][1];
            if (sub < 1) to[5 * kOperand * 4 + i * 16] = pack_f16(e0, e1);
            d[0] *= alpha[0][i], d[1] *= alpha[1][i];
        }
    }
    __syncthreads();

    // Off the diagonal; on it the parts of pairs together, and zeros above.
#pragma unroll 1
    for (int task = warp; task < 12; task += kWarps) {
        const int of_b = task / 6, pair_of = task % 6;  // (1, 0), (2, 1), (3, 2), (2, 0), (3, 1), (3, 0)
        const int row = pair_of < 3 ? pair_of + 1 : pair_of < 5 ? pair_of - 1 : 3, column = pair_of < 3 ? pair_of : pair_of < 5 ? pair_of - 3 : 0;
        const uint4 *const left = (of_b ? rows_q : rows_k) + (row - 1) * kOperand + lane, *const right = columns + pair_of * kOperand + lane;
        float sum[2][4] = {};
#pragma unroll
        for (int n = 0; n < kSteps; ++n) {
            const uint4 l = left[n * 32], r = right[n * 32];
            const uint32_t x[4] = {l.x, l.y, l.z, l.w}, y0[2] = {r.x, r.y}, y1[2] = {r.z, r.w};
            mma_f16(sum[0], x, y0);
            mma_f16(sum[1], x, y1);
        }
#pragma unroll
        for (int tile = 0; tile < 2; ++tile)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const int to = row * kSub + g + 8 * i, from = column * kSub + tile * 8 + c2;
                if (of_b)
                    put_b(to, from, sum[tile][2 * i], sum[tile][2 * i + 1]);
                else
                    put_a(to, from, sum[tile][2 * i], sum[tile][2 * i + 1]);
            }
    }
#pragma unroll 1
    for (int i = thread; i < kChunk * kSub / 2; i += kThreads) {
        const int row = i / 8, column = row / kSub * kSub + i % 8 * 2;  // of the chunk
        if (column / 4 > row / 4) put_b(row, column, 0, 0);
        if (column / 4 != row / 4) continue;
        const int r = row % 4, c = column % 4;
        float b[2] = {}, of_a[2] = {};
        for (int w = 0; w < kParts; ++w) {
            const float* const square = pairs + (row / kOwn * kParts + w) * 32 + row % 8 / 4 * 16;
            for (int e = 0; e < 2; ++e) {
                if (r >= c + e) b[e] += square[r * 4 + c + e];
                if (r > c + e) of_a[e] += square[(c + e) * 4 + r];
            }
        }
        put_a(row, column, of_a[0], of_a[1]);
        put_b(row, column, b[0], b[1]);
    }
    __syncthreads();

    // With tokens in a row: k e^G, and k e^(G_C - G) on its way to the order in which it is taken.
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        float d = before[e];
        uint32_t word[4];
#pragma unroll
        for (int i = 0; i < kOwn; i += 2) {
            d *= alpha[e][i];
            const float even = k[e][i] * d;
            d *= alpha[e][i + 1];
            word[i / 2] = pack_bf16(even, k[e][i + 1] * d);
        }
        const int at = (key + e) * kWide + t0;
        *reinterpret_cast<uint4*>(keys + at) = uint4{word[0], word[1], word[2], word[3]};
        *reinterpret_cast<uint4*>(values + at) = uint4{later[e][0], later[e][1], later[e][2], later[e][3]};
        *reinterpret_cast<uint4*>(values_low + at) = uint4{low[e][0], low[e][1], low[e][2], low[e][3]};
    }

    // T of the diagonal's sub-blocks, a column a thread; then those below, diagonal by diagonal: T_IJ = -T_II sum_(J <= M < I) A_IM T_MJ.
    if (thread < kChunk) {
        const int from = thread / kSub * kSub, column = thread % kSub;
        float t[kSub];
#pragma unroll
        for (int i = 0; i < kSub; ++i) {
            t[i] = i == column ? 1 : 0;
#pragma unroll
            for (int m = 0; m < i; ++m) t[i] -= A[(from + i) * kTall + from + m] * t[m];
            T[(from + i) * kTall + from + column] = t[i];
        }
    }
    __syncthreads();
#pragma unroll 1
    for (int i = thread; i < 2 * K * 8; i += kThreads) {
        const int in_low = i / (K * 8), place_of = i % (K * 8), row = place_of / 64 * 8 + place_of % 32 / 4;
        const auto* const from = reinterpret_cast<const uint32_t*>((in_low ? values_low : values) + row * kWide + place_of / 32 % 2 * 32) + place_of % 4;
        out[(in_low ? At::key_low : At::key) + place_of] = uint4{from[0], from[4], from[8], from[12]};
    }
#pragma unroll 1
    for (int below = 1; below < kSubs; ++below) {
        constexpr int kQuads = (3 * 64 + kThreads - 1) / kThreads;  // four columns of a row, at most so many a thread
        const int quads = (kSubs - below) * 64;
#pragma unroll 1
        for (int of_t = 0; of_t < 2; ++of_t) {
            float4 sum[kQuads] = {};
#pragma unroll
            for (int n = 0; n < kQuads; ++n) {
                const int quad = thread + n * kThreads;
                if (quad >= quads) continue;
                const int J = quad / 64, I = J + below, row = I * kSub + quad % 64 / 4, column = J * kSub + quad % 4 * 4;
                const int from = (of_t ? I : J) * kSub;
                const float* const left = (of_t ? T : A) + row * kTall;
#pragma unroll 4
                for (int m = from; m < (of_t ? from + kSub : I * kSub); ++m) {
                    const float x = left[m];
                    const float4 y = *reinterpret_cast<const float4*>(T + m * kTall + column);  // of_t: what the first round left there
                    sum[n].x -= x * y.x, sum[n].y -= x * y.y, sum[n].z -= x * y.z, sum[n].w -= x * y.w;
                }
            }
            if (of_t) __syncthreads();
#pragma unroll
            for (int n = 0; n < kQuads; ++n) {
                const int quad = thread + n * kThreads;
                if (quad >= quads) continue;
                const int J = quad / 64, row = (J + below) * kSub + quad % 64 / 4, column = J * kSub + quad % 4 * 4;
                const float sign = of_t ? 1 : -1;
                *reinterpret_cast<float4*>(T + row * kTall + column) = float4{sign * sum[n].x, sign * sum[n].y, sign * sum[n].z, sign * sum[n].w};
            }
            __syncthreads();
        }
    }
    auto *const t16 = reinterpret_cast<uint16_t*>(A), *const t16_low = t16 + kChunk * kWide;
#pragma unroll 1
    for (int i = thread; i < kChunk * kChunk / 2; i += kThreads) {
        const int row = i / (kChunk / 2), column = i % (kChunk / 2) * 2;
        uint32_t high, low;
        if (column / kSub > row / kSub) continue;
        split_bf16(T[row * kTall + column] * beta[column], T[row * kTall + column + 1] * beta[column + 1], high, low);
        *reinterpret_cast<uint32_t*>(t16 + row * kWide + column) = high, *reinterpret_cast<uint32_t*>(t16_low + row * kWide + column) = low;
    }
    const auto pair_at = [](const uint16_t* at) { return *reinterpret_cast<const uint32_t*>(at); };
    const auto four_at = [&](const uint16_t* at, uint32_t(&x)[4]) {
        x[0] = pair_at(at), x[1] = pair_at(at + 8 * kWide), x[2] = pair_at(at + 8), x[3] = pair_at(at + 8 * kWide + 8);
    };
    const int padded_V = (a.V + 31) / 32 * 32;
#pragma unroll 1
    for (int group = 0; group < padded_V; group += kGroup<K>) {
        const int V = min(kGroup<K>, padded_V - group);
#pragma unroll 1
        for (int i = thread; i < V * kOwns; i += kThreads) {
            const int v = i % V, of = i / V * kOwn;
            float y[1][kOwn];
            const bool there = group + v < a.V;
            conv<1, false>(ConvRows(a, s, first + of), a.conv, 2 * a.H * a.K + h * a.V + group + v, there, tokens - of, y);
            uint32_t high[4], rest[4];
#pragma unroll
            for (int n = 0; n < 4; ++n) split_bf16(y[0][2 * n], y[0][2 * n + 1], high[n], rest[n]);
            *reinterpret_cast<uint4*>(values + v * kWide + of) = uint4{high[0], high[1], high[2], high[3]};
            *reinterpret_cast<uint4*>(values_low + v * kWide + of) = uint4{rest[0], rest[1], rest[2], rest[3]};
        }
        __syncthreads();
        const int items_w = group ? 0 : At::P * 2;
#pragma unroll 1
        for (int item = warp; item < items_w + V / 16; item += kWarps) {
            if (item < items_w) {  // W: 32 keys of two sub-blocks, as many steps for every warp
                const int keys_at = item / 2 * 32;
#pragma unroll 1
                for (int n = 0; n < 2; ++n) {
                    const int row = n ? 3 - item % 2 : item % 2;
                    float sum[4][4] = {};
#pragma unroll 1
                    for (int step = 0; step <= row; ++step) {
                        uint32_t x[4], x_low[4];
                        four_at(t16 + (row * kSub + g) * kWide + step * kSub + c2, x);
                        four_at(t16_low + (row * kSub + g) * kWide + step * kSub + c2, x_low);
#pragma unroll
                        for (int tile = 0; tile < 4; ++tile) {
                            const uint16_t* const right = keys + (keys_at + tile * 8 + g) * kWide + step * kSub + c2;
                            const uint32_t y[2] = {pair_at(right), pair_at(right + 8)};
                            mma_bf16(sum[tile], x, y);
                            mma_bf16(sum[tile], x_low, y);
                        }
                    }
                    for (int half = 0; half < 2; ++half)
                        out[At::W + ((row * 2 + half) * At::P + item / 2) * 32 + lane] =
                            uint4{pack_bf16(sum[0][2 * half], sum[0][2 * half + 1]), pack_bf16(sum[1][2 * half], sum[1][2 * half + 1]),
                                  pack_bf16(sum[2][2 * half], sum[2][2 * half + 1]), pack_bf16(sum[3][2 * half], sum[3][2 * half + 1])};
                }
            } else {  // U: 16 values of all tokens
                const int v = (item - items_w) * 16, slice = (group + v) / 32;
                float sum[8][4] = {};
#pragma unroll
                for (int step = 0; step < kSubs; ++step) {
                    uint32_t x[4], x_low[4];
                    four_at(values + (v + g) * kWide + step * kSub + c2, x);
                    four_at(values_low + (v + g) * kWide + step * kSub + c2, x_low);
#pragma unroll
                    for (int tile = 2 * step; tile < 8; ++tile) {
                        const int at = (tile * 8 + g) * kWide + step * kSub + c2;
                        const uint32_t y[2] = {pair_at(t16 + at), pair_at(t16 + at + 8)}, y_low[2] = {pair_at(t16_low + at), pair_at(t16_low + at + 8)};
                        mma_bf16(sum[tile], x, y);
                        mma_bf16(sum[tile], x, y_low);
                        mma_bf16(sum[tile], x_low, y);
                    }
                }
#pragma unroll
                for (int tile = 0; tile < 8; ++tile)
                    reinterpret_cast<float4*>(out)[At::U + ((slice * 8 + tile) * 2 + v / 16 % 2) * 32 + lane] =
                        float4{sum[tile][0], sum[tile][1], sum[tile][2], sum[tile][3]};
            }
        }
        __syncthreads();
    }
}

template <int K>
void chunkwise(Stream& stream, const KdaShape& a, const KdaRows* pieces, int32_t n, int64_t n_chunks, const float* f, const KdaChunks& to) {
    const auto launch = [&](auto kernel) {
        stream.launch("kda_chunk", kernel, {.x = n_chunks * a.H, .threads = 4 * K, .shared = chunk_shared<K>()}, a, pieces, n, f,
                      static_cast<uint4*>(to.chunks), KdaChunkLayout<K>::size((a.V + 31) / 32), to.key_squares);
    };
    const auto aligned = [](const void* at, size_t to) { return reinterpret_cast<uintptr_t>(at) % to == 0; };
    const bool bounded = a.lower_bound < 0;
    if (K == 128 && a.K == K && a.width % 2 == 0 && aligned(a.x, 8) && aligned(a.dt_bias, 8) && aligned(a.conv, 16))
        launch(bounded ? kda_chunk<K, K == 128, true> : kda_chunk<K, K == 128, false>);
    else
        launch(bounded ? kda_chunk<K, false, true> : kda_chunk<K, false, false>);
    launch_kda_scan<K>(stream, a, pieces, n, to);
}

}  // namespace

bool kda_chunks(const KdaShape& a, size_t shared) {
    const auto needed = [&]<int K>(std::integral_constant<int, K>) { return std::max(chunk_shared<K>(), kda_scan_shared<K>()) + 1024; };  // and their own
    return a.C == 4 && a.K <= 128 &&
           (a.K <= 32   ? needed(std::integral_constant<int, 32>())
            : a.K <= 64 ? needed(std::integral_constant<int, 64>())
                        : needed(std::integral_constant<int, 128>())) <= shared;
}

int64_t kda_chunk_bytes(const KdaShape& a) {
    const int64_t slices = (a.V + 31) / 32;
    return 16 * (a.K <= 32 ? KdaChunkLayout<32>::size(slices) : a.K <= 64 ? KdaChunkLayout<64>::size(slices) : KdaChunkLayout<128>::size(slices));
}

void kda_chunkwise(Stream& stream, const KdaShape& a, const KdaRows* pieces, int32_t n, int64_t n_chunks, const float* f, const KdaChunks& to) {
    (a.K <= 32 ? chunkwise<32> : a.K <= 64 ? chunkwise<64> : chunkwise<128>)(stream, a, pieces, n, n_chunks, f, to);
}

}  // namespace klp::cuda
