// The chunkwise delta rule, first kernel: of a chunk all that the state is not in (kda_chunk.h).
#include "kernels/cuda/kda_chunk.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace klp::cuda {

namespace {

constexpr int kChunk = kKdaChunk, kSub = 16, kSubs = kChunk / kSub;
constexpr int kGroup = 64;         // values at a time
constexpr int kWide = kChunk + 8;  // from row to row of shared matrices of bf16: 8 rows meet 32 banks
constexpr int kTall = kChunk + 8;  // of f32; two of bf16 fit in one of f32

// L lanes have N values each: afterwards lane l % L has the sums of values l % L * N / L and on, at the front.
template <int L, int N>
__device__ __forceinline__ void shared_sums(float* v) {
    if constexpr (L > 1) {
        const bool upper = threadIdx.x & (L / 2);
#pragma unroll
        for (int i = 0; i < N / 2; ++i) {
            const float other = __shfl_xor_sync(0xffffffffu, upper ? v[i] : v[i + N / 2], L / 2);
            v[i] = (upper ? v[i + N / 2] : v[i]) + other;
        }
        shared_sums<L / 2, N / 2>(v);
    }
}

// Sixteen tokens of channel c from the piece's token t on, after convolution and SiLU; zeros from `count` on.
__device__ __forceinline__ void conv16(const KdaShape& a, const KdaRows& s, int64_t t, int64_t c, bool there, float (&y)[kSub]) {
    float w0 = 0, w1 = 0, w2 = 0, taps[4] = {};
    if (there && t < s.count) {
        const int64_t at = s.from + t;
        w0 = kda_window(a, s, at, 0, c), w1 = kda_window(a, s, at, 1, c), w2 = kda_window(a, s, at, 2, c);
        for (int i = 0; i < 4; ++i) taps[i] = a.conv[4 * c + i];
    }
    const float* x = a.row(s.first + s.from + t) + c;
#pragma unroll
    for (int i = 0; i < kSub; ++i) {
        const float w3 = there && t + i < s.count ? x[i * a.width] : 0;
        y[i] = t + i < s.count ? silu(w0 * taps[0] + w1 * taps[1] + w2 * taps[2] + w3 * taps[3]) : 0;
        w0 = w1, w1 = w2, w2 = w3;
    }
}

template <int K>
constexpr int operand_bytes() {
    constexpr int operands = 12 * (K / 16) * 32 * 16, turned = (K + 2 * kGroup) * kWide * 2;
    return operands > turned ? operands : turned;
}
template <int K>
constexpr size_t chunk_shared() {
    return operand_bytes<K>() + 2 * kChunk * kTall * 4 + (kSubs * K + 3 * kChunk + kSubs * 64) * 4;
}

// A chunk of a head. A thread has two neighbouring keys of one sub-block's tokens.
template <int K>
__global__ void __launch_bounds__(2 * K, 1)
    kda_chunk(KdaShape a, const KdaRows* pieces, int32_t n_pieces, const float* f, uint4* chunks, int64_t chunk_size, float* key_squares) {
    using At = KdaChunkLayout<K>;
    constexpr int kThreads = 2 * K, kPairs = K / 2, kWarps = kThreads / 32, kSteps = K / 16;
    constexpr int kLanes = kPairs < 32 ? kPairs : 32, kParts = kPairs / kLanes;  // lanes of a warp, and warps, that share a sub-block
    constexpr int kMine = 32 / kLanes;                                           // of 32 sums over a sub-block's lanes, in each of them
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32, g = lane / 4, c2 = lane % 4 * 2;
    const int sub = thread / kPairs, pair = thread % kPairs, slot = thread % kLanes, part = pair / kLanes;
    const int64_t h = blockIdx.x % a.H, chunk = blockIdx.x / a.H;
    const KdaRows s = piece_of<&KdaRows::chunk>(pieces, n_pieces, chunk);
    const int64_t first = (chunk - s.chunk) * kChunk;  // of this chunk's tokens in the piece
    const int tokens = static_cast<int>(min(s.count - first, int64_t{kChunk}));
    const int key = 2 * pair, t0 = sub * kSub;
    uint4* const out = chunks + static_cast<int64_t>(blockIdx.x) * chunk_size;
    auto* const out_words = reinterpret_cast<uint32_t*>(out);

    // Operands of the sub-blocks off the diagonal; afterwards k e^G and v with tokens in a row.
    constexpr int kOperand = kSteps * 32;  // uint4s of a sub-block's
    uint4* const rows_k = shared_memory<uint4>();
    uint4 *const rows_q = rows_k + 3 * kOperand, *const columns = rows_q + 3 * kOperand;
    auto* const keys = reinterpret_cast<uint16_t*>(rows_k);
    uint16_t *const values = keys + K * kWide, *const values_low = values + kGroup * kWide;
    constexpr int kFirst = operand_bytes<K>();
    float* const A = reinterpret_cast<float*>(reinterpret_cast<unsigned char*>(rows_k) + kFirst);  // beta_i A_ij, afterwards T in bf16
    float* const T = A + kChunk * kTall;
    float* const runs = T + kChunk * kTall;  // [4, K] decay of a sub-block
    float *const scales = runs + kSubs * K, *const beta = scales + 2 * kChunk, *const partial = beta + kChunk;

    float q[2][kSub], k[2][kSub], alpha[2][kSub];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        const bool there = key + e < a.K;
        conv16(a, s, first + t0, h * a.K + key + e, there, q[e]);
        conv16(a, s, first + t0, (int64_t{a.H} + h) * a.K + key + e, there, k[e]);
    }
    {
        float sums[32];
#pragma unroll
        for (int i = 0; i < kSub; ++i) sums[i] = q[0][i] * q[0][i] + q[1][i] * q[1][i], sums[kSub + i] = k[0][i] * k[0][i] + k[1][i] * k[1][i];
        shared_sums<kLanes, 32>(sums);
#pragma unroll
        for (int r = 0; r < kMine; ++r) partial[(sub * kParts + part) * 32 + slot * kMine + r] = sums[r];
    }
    if (thread < kChunk) {
        float b = 0;
        if (thread < tokens) {
            const int64_t at = s.first + s.from + first + thread;
            b = sigmoid(a.row(at)[a.conv_width() + a.R_f + a.R_g + h]);
            if (a.beta) a.beta[at * a.H + h] = b;
        }
        beta[thread] = b;
    }
    __syncthreads();
    for (int i = thread; i < 2 * kChunk; i += kThreads) {
        const int token = i % kChunk, of_k = i / kChunk;
        float sum = 0;
        for (int w = 0; w < kParts; ++w) sum += partial[(token / kSub * kParts + w) * 32 + of_k * kSub + token % kSub];
        const float scale = 1 / sqrtf((sum + kKdaEps) * (of_k ? 1 : static_cast<float>(a.K)));
        scales[i] = scale;
        if (of_k && key_squares && token < tokens) key_squares[(s.start + first + token) * a.H + h] = sum * scale * scale;
    }
    {
        const float decay = expf(a.A_log[h]);
#pragma unroll
        for (int e = 0; e < 2; ++e) {
            const int64_t c = h * a.K + key + e;
            const bool there = key + e < a.K;
            const float bias = there ? a.dt_bias[c] : 0;
            float run = 1;
#pragma unroll
            for (int i = 0; i < kSub; ++i) {
                alpha[e][i] = 1;
                if (there && t0 + i < tokens) {
                    const float log_decay = kda_log_decay(f[(s.start + first + t0 + i) * a.H * a.K + c], decay, bias, a.lower_bound);
                    if (a.log_decay) a.log_decay[(s.first + s.from + first + t0 + i) * a.H * a.K + c] = log_decay;
                    alpha[e][i] = expf(log_decay);
                }
                run *= alpha[e][i];
            }
            runs[sub * K + key + e] = run;
        }
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kSub; ++i) {
        const float q_scale = scales[t0 + i], k_scale = scales[kChunk + t0 + i];
        q[0][i] *= q_scale, q[1][i] *= q_scale, k[0][i] *= k_scale, k[1][i] *= k_scale;
    }

    // Decay of the sub-blocks before this one, behind it and all; of the first and the second behind it.
    float before[2] = {1, 1}, after[2] = {1, 1}, next[2][2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        for (int i = 0; i < kSubs; ++i) {
            if (i < sub) before[e] *= runs[i * K + key + e];
            if (i > sub) after[e] *= runs[i * K + key + e];
        }
        for (int i = 0; i < 2; ++i) next[i][e] = sub + 1 + i < kSubs ? runs[(sub + 1 + i) * K + key + e] : 1;
        if (sub == 0) reinterpret_cast<float*>(out + At::decay)[key + e] = after[e] * runs[key + e];
    }
    {
        const int step = pair / 8, half = pair % 8 / 4, quad = pair % 4;
        float d[2] = {1, 1};
        uint32_t word_k[kSub], word_q[kSub];
#pragma unroll
        for (int i = 0; i < kSub; ++i) {
            d[0] *= alpha[0][i], d[1] *= alpha[1][i];
            word_k[i] = pack_bf16(k[0][i] * d[0], k[1][i] * d[1]);
            word_q[i] = pack_bf16(q[0][i] * d[0], q[1][i] * d[1]);
            const int to = (At::Q + ((t0 + i) / 8 * At::P + step / 2) * 32 + i % 8 * 4 + quad) * 4 + step % 2 * 2 + half;
            split_bf16(q[0][i] * d[0] * before[0], q[1][i] * d[1] * before[1], out_words[to], out_words[to + (At::Q_low - At::Q) * 4]);
        }
        if (sub > 0)
#pragma unroll
            for (int i = 0; i < 8; ++i) {  // rows g and g + 8 are neighbours in a lane's operand
                const int at = ((sub - 1) * kOperand + step * 32 + i * 4 + quad) * 2 + half;
                reinterpret_cast<uint2*>(rows_k)[at] = make_uint2(word_k[i], word_k[i + 8]);
                reinterpret_cast<uint2*>(rows_q)[at] = make_uint2(word_q[i], word_q[i + 8]);
            }
        // Columns, to the sub-block's end, to the end of the next, to the end of the next but one.
        d[0] = d[1] = 1;
        uint32_t later[2][8], low[2][8];  // k e^(G_C - G), two tokens in a word
        float older[2] = {};
#pragma unroll
        for (int i = kSub - 1; i >= 0; --i) {
            const float k0 = k[0][i] * d[0], k1 = k[1][i] * d[1];
            auto* const to = reinterpret_cast<uint32_t*>(columns) + (step * 32 + i % 8 * 4 + quad) * 4 + i / 8 * 2 + half;
            if (sub < 3) to[sub * kOperand * 4] = pack_bf16(k0, k1);
            if (sub < 2) to[(3 + sub) * kOperand * 4] = pack_bf16(k0 * next[0][0], k1 * next[0][1]);
            if (sub < 1) to[5 * kOperand * 4] = pack_bf16(k0 * next[0][0] * next[1][0], k1 * next[0][1] * next[1][1]);
            if (i % 2) {
                older[0] = k0 * after[0], older[1] = k1 * after[1];
            } else {
                split_bf16(k0 * after[0], older[0], later[0][i / 2], low[0][i / 2]);
                split_bf16(k1 * after[1], older[1], later[1][i / 2], low[1][i / 2]);
            }
            d[0] *= alpha[0][i], d[1] *= alpha[1][i];
        }
#pragma unroll
        for (int e = 0; e < 2; ++e)
            for (int i = 0; i < 4; ++i) {
                const int at = (((key + e) / 8 * 2 + sub / 2) * 32 + (key + e) % 8 * 4 + i) * 2 + sub % 2;
                reinterpret_cast<uint2*>(out + At::key)[at] = make_uint2(later[e][i], later[e][4 + i]);
                reinterpret_cast<uint2*>(out + At::key_low)[at] = make_uint2(low[e][i], low[e][4 + i]);
            }
    }

    // The diagonal: columns j and 15 - j have 32 pairs with the rows behind them, one sum for each lane.
    float* const pairs = T;                                             // [sub][part][A, B][16][16]
    const auto pairs_of = [&]<int j>(std::integral_constant<int, j>) {  // indices that the compiler knows: nothing of this may leave the registers
        float sums[32];
        const auto column = [&]<int c, int at>() {
            constexpr int of_b = at + kSub - 1 - c;
            float x0 = k[0][c], x1 = k[1][c];
            sums[of_b] = x0 * q[0][c] + x1 * q[1][c];
#pragma unroll
            for (int i = c + 1; i < kSub; ++i) {
                x0 *= alpha[0][i], x1 *= alpha[1][i];
                sums[at + i - c - 1] = x0 * k[0][i] + x1 * k[1][i];
                sums[of_b + i - c] = x0 * q[0][i] + x1 * q[1][i];
            }
        };
        column.template operator()<j, 0>();
        column.template operator()<kSub - 1 - j, 31 - 2 * j>();
        shared_sums<kLanes, 32>(sums);
#pragma unroll
        for (int r = 0; r < kMine; ++r) {
            int l = slot * kMine + r, c = j;
            if (l >= 31 - 2 * j) l -= 31 - 2 * j, c = kSub - 1 - j;
            const int of_b = l >= kSub - 1 - c, row = of_b ? l - (kSub - 1 - c) + c : c + 1 + l;
            pairs[((sub * kParts + part) * 2 + of_b) * 256 + row * kSub + c] = sums[r];
        }
    };
    [&]<int... j>(std::integer_sequence<int, j...>) { (pairs_of(std::integral_constant<int, j>()), ...); }
    (std::make_integer_sequence<int, 8>());
    __syncthreads();

    // Off the diagonal, and the diagonal's parts together; two neighbouring columns at a time.
    const auto put_b = [&](int row, int column, float v0, float v1) {
        const int to = (At::B + (row / 8 * 2 + column / 32) * 32 + row % 8 * 4 + column % 8 / 2) * 4 + column % 32 / 8;
        split_bf16(v0, v1, out_words[to], out_words[to + (At::B_low - At::B) * 4]);
    };
    for (int task = warp; task < 12; task += kWarps) {
        const int of_b = task / 6, pair_of = task % 6;  // (1, 0), (2, 1), (3, 2), (2, 0), (3, 1), (3, 0)
        const int row = pair_of < 3 ? pair_of + 1 : pair_of < 5 ? pair_of - 1 : 3, column = pair_of < 3 ? pair_of : pair_of < 5 ? pair_of - 3 : 0;
        const uint4 *const left = (of_b ? rows_q : rows_k) + (row - 1) * kOperand + lane, *const right = columns + pair_of * kOperand + lane;
        float sum[2][4] = {};
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            const uint4 l = left[step * 32], r = right[step * 32];
            const uint32_t x[4] = {l.x, l.y, l.z, l.w}, y0[2] = {r.x, r.y}, y1[2] = {r.z, r.w};
            mma_bf16(sum[0], x, y0);
            mma_bf16(sum[1], x, y1);
        }
        for (int tile = 0; tile < 2; ++tile)
            for (int i = 0; i < 2; ++i) {
                const int to = row * kSub + g + 8 * i, from = column * kSub + tile * 8 + c2;
                const float v0 = sum[tile][2 * i], v1 = sum[tile][2 * i + 1];
                if (of_b)
                    put_b(to, from, v0, v1);
                else
                    A[to * kTall + from] = beta[to] * v0, A[to * kTall + from + 1] = beta[to] * v1;
            }
    }
    for (int i = thread; i < kSubs * 256; i += kThreads) {
        const int of = i / 256, of_b = i / 128 % 2, row = i / 8 % kSub, column = i % 8 * 2, to = of * kSub + row, from = of * kSub + column;
        float sum[2] = {};
        for (int e = 0; e < 2; ++e)
            if (row > column + e || (of_b && row == column + e))
                for (int w = 0; w < kParts; ++w) sum[e] += pairs[((of * kParts + w) * 2 + of_b) * 256 + row * kSub + column + e];
        if (of_b)
            put_b(to, from, sum[0], sum[1]);
        else
            A[to * kTall + from] = beta[to] * sum[0], A[to * kTall + from + 1] = beta[to] * sum[1];
    }
    __syncthreads();

    // k e^G with tokens in a row.
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        float d = before[e];
        uint32_t word[8];
#pragma unroll
        for (int i = 0; i < kSub; i += 2) {
            d *= alpha[e][i];
            const float even = k[e][i] * d;
            d *= alpha[e][i + 1];
            word[i / 2] = pack_bf16(even, k[e][i + 1] * d);
        }
        auto* const to = reinterpret_cast<uint4*>(keys + (key + e) * kWide + t0);
        to[0] = uint4{word[0], word[1], word[2], word[3]}, to[1] = uint4{word[4], word[5], word[6], word[7]};
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
    for (int below = 1; below < kSubs; ++below) {
        constexpr int kQuads = (3 * 64 + kThreads - 1) / kThreads;  // four columns of a row, at most so many a thread
        const int quads = (kSubs - below) * 64;
        for (int of_t = 0; of_t < 2; ++of_t) {
            float4 sum[kQuads] = {};
#pragma unroll
            for (int n = 0; n < kQuads; ++n) {
                const int quad = thread + n * kThreads;
                if (quad >= quads) continue;
                const int J = quad / 64, I = J + below, row = I * kSub + quad % 64 / 4, column = J * kSub + quad % 4 * 4;
                const int from = (of_t ? I : J) * kSub;
                const float* const left = (of_t ? T : A) + row * kTall;
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
    for (int group = 0; group < padded_V; group += kGroup) {
        const int V = min(kGroup, padded_V - group);
        for (int i = thread; i < V * kSubs; i += kThreads) {
            const int v = i % V, of = i / V;
            float y[kSub];
            conv16(a, s, first + of * kSub, int64_t{2} * a.H * a.K + h * a.V + group + v, group + v < a.V, y);
            uint32_t high[8], low[8];
#pragma unroll
            for (int n = 0; n < 8; ++n) split_bf16(y[2 * n], y[2 * n + 1], high[n], low[n]);
            auto *const to = reinterpret_cast<uint4*>(values + v * kWide + of * kSub), *const to_low =
                                                                                           reinterpret_cast<uint4*>(values_low + v * kWide + of * kSub);
            to[0] = uint4{high[0], high[1], high[2], high[3]}, to[1] = uint4{high[4], high[5], high[6], high[7]};
            to_low[0] = uint4{low[0], low[1], low[2], low[3]}, to_low[1] = uint4{low[4], low[5], low[6], low[7]};
        }
        __syncthreads();
        const int items_w = group ? 0 : At::P * 2;
        for (int item = warp; item < items_w + V / 16; item += kWarps) {
            if (item < items_w) {  // W: 32 keys of two sub-blocks, as many steps for every warp
                const int keys_at = item / 2 * 32;
                for (int n = 0; n < 2; ++n) {
                    const int row = n ? 3 - item % 2 : item % 2;
                    float sum[4][4] = {};
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
    stream.launch("kda_chunk", kda_chunk<K>, {.x = n_chunks * a.H, .threads = 2 * K, .shared = chunk_shared<K>()}, a, pieces, n, f,
                  static_cast<uint4*>(to.chunks), KdaChunkLayout<K>::size((a.V + 31) / 32), to.key_squares);
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
