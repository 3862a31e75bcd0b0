// Attention with keys and values expanded: per pair of query and key it costs N + R + V products where the latent space costs 2 L + R. Keys come in blocks
// whose expansion fits the temporary memory; from block to block each query's largest score, sum of weights and weighted sum (in y) are carried on.
#include <cmath>

#include "kernels/cuda/mla.h"
#include "kernels/cuda/mma.h"

namespace klp::cuda {

namespace {

constexpr float kLn2 = 0.6931471805599453f;
constexpr int kThreads = 256;

// The block's cached rows one behind the other in f32.
template <class C>
__global__ void widen_kernel(MlaExpand a) {
    const int64_t n = a.first + blockIdx.x;
    const C* const from = reinterpret_cast<const C*>(a.pages[n / kMlaPage]) + n % kMlaPage * a.shape.W;
    for (int i = static_cast<int>(threadIdx.x); i < a.shape.W; i += static_cast<int>(blockDim.x))
        a.latents[blockIdx.x * int64_t{a.shape.W} + i] = value_of(from[i]);
}

// --- any shape, in f32 --------------------------------------------------------------------------------------------------------
// Limit: shared memory, 8 bytes for each product with a value and 5 for four with a key.

constexpr int kTile = 32;  // queries, and keys at a time: a lane each

__device__ __host__ constexpr int plain_pitch(int width) { return (width + 31) / 32 * 32 + 4; }  // 16-byte reads of 8 rows meet in no bank

template <int kColumns>  // values of a query that one of its 8 threads sums up
__global__ void __launch_bounds__(kThreads) expand_kernel(MlaExpand a) {
    const MlaShape& s = a.shape;
    const int D = s.N + s.R, pitch = plain_pitch(D);
    float* const queries = shared_memory<float>();  // [kTile][pitch]
    float* const keys = queries + kTile * pitch;    // [kTile][pitch]
    float* const values = keys + kTile * pitch;     // [kTile][V]
    __shared__ float weights[kTile][kTile + 1], shrink[kTile], tops[kTile], sums[kTile];
    const int tid = static_cast<int>(threadIdx.x), lane = tid % 32, warp = tid / 32;
    const int64_t h = blockIdx.y, query = (gridDim.x - 1 - int64_t{blockIdx.x}) * kTile;  // those that see most go first
    const int64_t last = min(a.last, a.past + min(query + kTile, a.count));
    const bool begins = a.first == 0, ends = a.last == a.past + a.count;
    if (last <= a.first && !ends) return;

    for (int j = warp; j < kTile; j += kThreads / 32) {
        const int64_t row = min(query + j, a.count - 1);
        const float* const x = a.x + row * s.width + h * D;
        for (int i = lane; i < pitch; i += 32) queries[j * pitch + i] = i < s.N ? x[i] * s.scale : i < D ? turned(x + s.N, i - s.N, s, row) * s.scale : 0;
    }
    const int mine = tid / 8;  // the query whose values this thread sums up
    const int64_t row = min(query + mine, a.count - 1);
    float* const y = a.y + (row * s.H + h) * s.V;
    float sum[kTile / 8], top[kTile / 8], of[kColumns];
    for (int m = 0; m < kTile / 8; ++m) {
        const int64_t at = min(query + warp * (kTile / 8) + m, a.count - 1) * s.H + h;
        top[m] = begins ? -INFINITY : a.top[at];
        sum[m] = begins || lane > 0 ? 0 : a.sum[at];  // a lane's share
    }
#pragma unroll
    for (int i = 0; i < kColumns; ++i) of[i] = begins || tid % 8 + i * 8 >= s.V ? 0 : y[tid % 8 + i * 8];

    for (int64_t n = a.first; n < last; n += kTile) {
        __syncthreads();
        for (int r = warp; r < kTile; r += kThreads / 32) {
            const bool there = n + r < last;
            const float* const kv = a.kv + ((n + r - a.first) * s.H + h) * (s.N + s.V);
            const float* const rope = a.latents + (n + r - a.first) * s.W + s.L;
            for (int i = lane; i < pitch; i += 32) keys[r * pitch + i] = !there || i >= D ? 0 : i < s.N ? kv[i] : rope[i - s.N];
            for (int i = lane; i < s.V; i += 32) values[r * s.V + i] = there ? kv[s.N + i] : 0;
        }
        __syncthreads();
        float score[kTile / 8] = {};
        for (int i = 0; i < D; i += 4) {
            const float4 k = *reinterpret_cast<const float4*>(keys + lane * pitch + i);
#pragma unroll
            for (int m = 0; m < kTile / 8; ++m) {
                const float4 q = *reinterpret_cast<const float4*>(queries + (warp * (kTile / 8) + m) * pitch + i);
                score[m] += k.x * q.x + k.y * q.y + k.z * q.z + k.w * q.w;
            }
        }
#pragma unroll
        for (int m = 0; m < kTile / 8; ++m) {
            const int j = warp * (kTile / 8) + m;
            const bool sees = n + lane < last && n + lane <= a.past + min(query + j, a.count - 1);
            const float largest = fmaxf(top[m], warp_max(sees ? score[m] : -INFINITY));
            const float weight = sees ? exp2f(score[m] - largest) : 0, less = top[m] == largest ? 1 : exp2f(top[m] - largest);
            sum[m] = sum[m] * less + weight, top[m] = largest;
            weights[j][lane] = weight;
            if (lane == 0) shrink[j] = less;
        }
        __syncthreads();
        const float less = shrink[mine];
#pragma unroll
        for (int i = 0; i < kColumns; ++i) of[i] *= less;
        for (int r = 0; r < kTile; ++r) {
            const float w = weights[mine][r];
#pragma unroll
            for (int i = 0; i < kColumns; ++i)
                if (tid % 8 + i * 8 < s.V) of[i] += w * values[r * s.V + tid % 8 + i * 8];
        }
    }
    for (int m = 0; m < kTile / 8; ++m) {
        const float whole = warp_sum(sum[m]);
        if (lane == 0) tops[warp * (kTile / 8) + m] = top[m], sums[warp * (kTile / 8) + m] = whole;
    }
    __syncthreads();
    if (query + mine >= a.count) return;
    const float less = ends ? 1 / sums[mine] : 1;
#pragma unroll
    for (int i = 0; i < kColumns; ++i)
        if (tid % 8 + i * 8 < s.V) y[tid % 8 + i * 8] = of[i] * less;
    if (tid % 8 != 0) return;
    a.top[row * s.H + h] = tops[mine], a.sum[row * s.H + h] = sums[mine];
    if (ends && a.log_sum_exp) a.log_sum_exp[row * s.H + h] = (tops[mine] + log2f(sums[mine])) * kLn2;
}

size_t plain_bytes(const MlaShape& s) { return static_cast<size_t>(kTile) * (2 * plain_pitch(s.N + s.R) + s.V) * sizeof(float); }

// --- heads of 192 and 128 columns in bf16, on tensor cores --------------------------------------------------------------------
// A warp has 16 queries; they and their sums stay in its registers, all 8 warps read the same keys and values.
// Limit: shared memory, 41 KB a warp for 64 keys, beside 160 products of 16 x 8 x 16; about 80 % of the rate that mma.sync reaches on an H200.

constexpr int kD = 192, kV = 128, kQueries = 128, kKeys = 64;
constexpr int kKeyPitch = kD + 8, kValuePitch = kV + 8;  // 16-byte reads of 8 rows meet in no bank
constexpr int kStage = kKeys * (kKeyPitch + kValuePitch);
constexpr size_t kTensorBytes = size_t{2} * kStage * 2;

// Expanded keys and values in bf16, head by head: [H, rows, N + R] and [H, rows, V].
__global__ void narrow_kernel(MlaExpand a) {
    const MlaShape& s = a.shape;
    const int64_t n = blockIdx.x, rows = a.last - a.first;
    const int pairs = (s.N + s.V) / 2, D = s.N + s.R;
    const float* const kv = a.kv + n * s.H * (s.N + s.V);
    for (int i = static_cast<int>(threadIdx.x); i < s.H * pairs; i += kThreads) {
        const int h = i / pairs, column = i % pairs * 2;
        const uint32_t pair = pack_bf16(kv[2 * i], kv[2 * i + 1]);
        *reinterpret_cast<uint32_t*>(column < s.N ? a.keys + (h * rows + n) * D + column : a.values + (h * rows + n) * s.V + column - s.N) = pair;
    }
    const float* const rope = a.latents + n * s.W + s.L;
    for (int i = static_cast<int>(threadIdx.x); i < s.H * s.R / 2; i += kThreads) {
        const int h = i / (s.R / 2), column = i % (s.R / 2) * 2;
        *reinterpret_cast<uint32_t*>(a.keys + (h * rows + n) * D + s.N + column) = pack_bf16(rope[column], rope[column + 1]);
    }
}

__global__ void __launch_bounds__(kThreads, 1) expand_tensor_kernel(MlaExpand a) {
    const MlaShape& s = a.shape;
    uint16_t* const stages = shared_memory<uint16_t>();  // [2]: keys [kKeys][kKeyPitch], values [kKeys][kValuePitch]
    const int tid = static_cast<int>(threadIdx.x), lane = tid % 32, warp = tid / 32, g = lane / 4, c = lane % 4 * 2;
    const int64_t h = blockIdx.y, query = (gridDim.x - 1 - int64_t{blockIdx.x}) * kQueries;  // those that see most go first
    const int64_t last = min(a.last, a.past + min(query + kQueries, a.count)), rows = a.last - a.first;
    const bool begins = a.first == 0, ends = a.last == a.past + a.count;
    if (last <= a.first && !ends) return;
    const uint16_t *const keys = a.keys + h * rows * kD, *const values = a.values + h * rows * kV;
    const int key_at = (lane / 16 * 8 + lane % 8) * kKeyPitch + lane / 8 % 2 * 8, value_at = kKeys * kKeyPitch + lane % 16 * kValuePitch + lane / 16 * 8;

    const auto fetch = [&](int64_t n) {  // the keys n .. n + 63 and their values; past the last: zeros, for 0 times NaN is not 0
        if (n < last) {
            uint16_t* const stage = stages + static_cast<int>((n - a.first) / kKeys) % 2 * kStage;
            const int64_t from = n - a.first;
#pragma unroll
            for (int i = 0; i < kKeys * kD / 8 / kThreads; ++i) {
                const int chunk = tid + i * kThreads, row = chunk / (kD / 8);
                copy_async(stage + row * kKeyPitch + chunk % (kD / 8) * 8, keys + from * kD + chunk * 8, n + row < last);
            }
#pragma unroll
            for (int i = 0; i < kKeys * kV / 8 / kThreads; ++i) {
                const int chunk = tid + i * kThreads, row = chunk / (kV / 8);
                copy_async(stage + kKeys * kKeyPitch + row * kValuePitch + chunk % (kV / 8) * 8, values + from * kV + chunk * 8, n + row < last);
            }
        }
        copies_sent();
    };
    fetch(a.first);

    // This lane's two queries, g and g + 8 of the warp's.
    int64_t row[2];
    uint32_t q[kD / 16][4];
    float top[2], sum[2], of[kV / 8][4];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        row[i] = min(query + warp * 16 + g + i * 8, a.count - 1);
        const float* const x = a.x + row[i] * s.width + h * kD;
        const auto value = [&](int column) { return s.scale * (column < s.N ? x[column] : turned(x + s.N, column - s.N, s, row[i])); };
#pragma unroll
        for (int k = 0; k < kD / 16; ++k)
#pragma unroll
            for (int j = 0; j < 2; ++j) q[k][i + 2 * j] = pack_bf16(value(k * 16 + j * 8 + c), value(k * 16 + j * 8 + c + 1));
        top[i] = begins ? -INFINITY : a.top[row[i] * s.H + h];
        sum[i] = begins || c > 0 ? 0 : a.sum[row[i] * s.H + h];  // a lane's share
#pragma unroll
        for (int j = 0; j < kV / 8; ++j)
#pragma unroll
            for (int k = 0; k < 2; ++k) of[j][2 * i + k] = begins ? 0 : a.y[(row[i] * s.H + h) * kV + j * 8 + c + k];
    }

    for (int64_t n = a.first; n < last; n += kKeys) {
        fetch(n + kKeys);
        copies_arrived<1>();
        __syncthreads();
        const uint16_t* const stage = stages + static_cast<int>((n - a.first) / kKeys) % 2 * kStage;
        float score[kKeys / 8][4] = {};
#pragma unroll
        for (int k = 0; k < kD / 16; ++k)
#pragma unroll
            for (int j = 0; j < kKeys / 16; ++j) {
                uint32_t m[4];
                load_matrices(m, stage + key_at + j * 16 * kKeyPitch + k * 16);
                const uint32_t low[2] = {m[0], m[1]}, high[2] = {m[2], m[3]};
                mma_bf16(score[2 * j], q[k], low);
                mma_bf16(score[2 * j + 1], q[k], high);
            }
        if (n + kKeys > a.past + query + warp * 16 + 1) {  // some of the warp's queries do not see all of them
#pragma unroll
            for (int j = 0; j < kKeys / 8; ++j)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    if (n + j * 8 + c + i % 2 > a.past + row[i / 2]) score[j][i] = -INFINITY;
        }
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            float largest = -INFINITY;
#pragma unroll
            for (int j = 0; j < kKeys / 8; ++j) largest = fmaxf(largest, fmaxf(score[j][2 * i], score[j][2 * i + 1]));
            largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
            largest = fmaxf(top[i], fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2)));
            const float less = top[i] == largest ? 1 : exp2f(top[i] - largest);
            float more = 0;
#pragma unroll
            for (int j = 0; j < kKeys / 8; ++j)
#pragma unroll
                for (int k = 0; k < 2; ++k) more += score[j][2 * i + k] = exp2f(score[j][2 * i + k] - largest);
            sum[i] = sum[i] * less + more, top[i] = largest;
#pragma unroll
            for (int j = 0; j < kV / 8; ++j) of[j][2 * i] *= less, of[j][2 * i + 1] *= less;
        }
#pragma unroll
        for (int k = 0; k < kKeys / 16; ++k) {
            const uint32_t p[4] = {pack_bf16(score[2 * k][0], score[2 * k][1]), pack_bf16(score[2 * k][2], score[2 * k][3]),
                                   pack_bf16(score[2 * k + 1][0], score[2 * k + 1][1]), pack_bf16(score[2 * k + 1][2], score[2 * k + 1][3])};
#pragma unroll
            for (int j = 0; j < kV / 16; ++j) {
                uint32_t m[4];
                load_matrices<true>(m, stage + value_at + k * 16 * kValuePitch + j * 16);
                const uint32_t low[2] = {m[0], m[1]}, high[2] = {m[2], m[3]};
                mma_bf16(of[2 * j], p, low);
                mma_bf16(of[2 * j + 1], p, high);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const float whole = warp_sum(sum[i], 4), less = ends ? 1 / whole : 1;
        if (query + warp * 16 + g + i * 8 >= a.count) continue;
        const int64_t at = row[i] * s.H + h;
#pragma unroll
        for (int j = 0; j < kV / 8; ++j)
#pragma unroll
            for (int k = 0; k < 2; ++k) a.y[at * kV + j * 8 + c + k] = of[j][2 * i + k] * less;
        if (c > 0) continue;
        a.top[at] = top[i], a.sum[at] = whole;
        if (ends && a.log_sum_exp) a.log_sum_exp[at] = (top[i] + log2f(whole)) * kLn2;
    }
}

}  // namespace

MlaExpandPlan expand_plan(const MlaShape& s, bool rounds, size_t shared) {
    if (rounds && s.N + s.R == kD && s.V == kV && s.N % 2 == 0) return {.possible = true, .tensor = true};
    return {.possible = s.V <= 256 && plain_bytes(s) + 8192 <= shared};
}

void widen(Stream& stream, const MlaExpand& a, DType cache) {
    stream.launch("widen", cache == DType::f32 ? widen_kernel<float> : widen_kernel<uint16_t>, {.x = a.last - a.first, .threads = 128}, a);
}

void expand(Stream& stream, const MlaExpandPlan& plan, const MlaExpand& a) {
    if (plan.tensor) {
        stream.launch("narrow", narrow_kernel, {.x = a.last - a.first, .threads = kThreads}, a);
        stream.launch("expand_tensor", expand_tensor_kernel,
                      {.x = (a.count + kQueries - 1) / kQueries, .y = a.shape.H, .threads = kThreads, .shared = kTensorBytes}, a);
        return;
    }
    const int V = a.shape.V;
    stream.launch("expand",
                  V <= 32    ? expand_kernel<4>
                  : V <= 128 ? expand_kernel<16>
                             : expand_kernel<32>,
                  {.x = (a.count + kTile - 1) / kTile, .y = a.shape.H, .threads = kThreads, .shared = plain_bytes(a.shape)}, a);
}

}  // namespace klp::cuda
