// Softmax attention over whole keys and values, for any shape: rows are appended to the cache, then a block has a query and a head, whose warps take every
// eighth cached row each and are put together at the end. What changes from token to token is given, so that a decode pass is the same launches whatever the
// contexts.
#include <cmath>

#include "kernels/cuda/mla.h"

namespace klp::cuda {

namespace {

constexpr float kBase2 = 1.4426950408889634f, kNatural = 0.6931471805599453f;
constexpr int kWarpsOfQuery = 8;

struct AttentionOp {
    int32_t H, H_kv, D, rotary;
    int32_t q_step, gated;
    float scale;  // of scores in base 2
    float q_eps, k_eps;
    int32_t unused;
    int64_t width, n;  // of a row of x; parts
    const MlaPart* parts;
    std::byte* const* pages;
    const double* frequency;  // [rotary / 2]; null: no positions
    const float *q_norm, *k_norm;
    const float* x;
    float* y;
    float* log_sum_exp;  // null: nobody watches
};

__device__ __forceinline__ void put(float* at, float v) { *at = v; }
__device__ __forceinline__ void put(uint16_t* at, float v) { *at = stored_bf16(v); }

// A query or key [D], normalised and rotated, into shared memory `to`; `from` is as much of it. Every thread of the block calls it.
__device__ void turn_head(const AttentionOp& a, const float* x, const float* weight, float eps, int64_t position, float* from, float* to, float* space) {
    float scale = 1;
    if (weight) {
        float sum = 0;
        for (int i = static_cast<int>(threadIdx.x); i < a.D; i += static_cast<int>(blockDim.x)) sum += x[i] * x[i];
        scale = rsqrtf(block_sum(sum, space) / static_cast<float>(a.D) + eps);
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < a.D; i += static_cast<int>(blockDim.x)) from[i] = weight ? x[i] * scale * weight[i] : x[i];
    __syncthreads();
    const int half = a.frequency ? a.rotary / 2 : 0;
    for (int i = static_cast<int>(threadIdx.x); i < a.D; i += static_cast<int>(blockDim.x)) {
        float v = from[i];
        if (i < 2 * half) {
            const double angle = static_cast<double>(position) * a.frequency[i % half];
            const auto c = static_cast<float>(cos(angle)), s = static_cast<float>(sin(angle));
            v = i < half ? v * c - from[i + half] * s : v * c + from[i - half] * s;
        }
        to[i] = v;
    }
    __syncthreads();
}

// k | v of a new row into the cache; a block has a row and a head of keys.
template <class C>
__global__ void append_whole(AttentionOp a) {
    __shared__ float space[32];
    float* const from = shared_memory<float>();
    float* const key = from + a.D;
    const MlaPart& part = part_of<&MlaPart::begin>(a.parts, a.n, blockIdx.x);
    const int64_t t = blockIdx.x - part.begin, position = part.past + t, h = blockIdx.y, row_values = 2 * int64_t{a.H_kv} * a.D;
    const float* const k = a.x + (part.row + t) * a.width + int64_t{a.H} * a.q_step + h * a.D;
    const float* const v = k + int64_t{a.H_kv} * a.D;
    turn_head(a, k, a.k_norm, a.k_eps, position, from, key, space);
    C* const to = reinterpret_cast<C*>(a.pages[part.page + position / kMlaPage]) + position % kMlaPage * row_values + 2 * h * a.D;
    for (int i = static_cast<int>(threadIdx.x); i < a.D; i += static_cast<int>(blockDim.x)) put(to + i, key[i]), put(to + a.D + i, v[i]);
}

template <class C>
__global__ void __launch_bounds__(kWarpsOfQuery * 32) attend_whole(AttentionOp a) {
    __shared__ float space[32], tops[kWarpsOfQuery], sums[kWarpsOfQuery];
    float* const q = shared_memory<float>();  // [D]
    float* const values = q + a.D;            // [warps][D]; the first is the query's other room until then
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const MlaPart& part = part_of<&MlaPart::begin>(a.parts, a.n, blockIdx.x);
    const int64_t t = blockIdx.x - part.begin, position = part.past + t, h = blockIdx.y, row = part.row + t, row_values = 2 * int64_t{a.H_kv} * a.D;
    const float* const x = a.x + row * a.width + h * a.q_step;
    turn_head(a, x, a.q_norm, a.q_eps, position, values, q, space);

    float* const mine = values + warp * a.D;
    for (int i = lane; i < a.D; i += 32) mine[i] = 0;  // a lane's own columns
    float top = -INFINITY, sum = 0;
    for (int64_t n = warp; n <= position; n += kWarpsOfQuery) {
        const C* const key = reinterpret_cast<const C*>(a.pages[part.page + n / kMlaPage]) + n % kMlaPage * row_values + h / (a.H / a.H_kv) * 2 * int64_t{a.D};
        float score = 0;
        for (int i = lane; i < a.D; i += 32) score += q[i] * value_of(key[i]);
        score = warp_sum(score) * a.scale;
        const float best = fmaxf(top, score), fade = sum == 0 ? 0 : exp2f(top - best), weight = exp2f(score - best);
        for (int i = lane; i < a.D; i += 32) mine[i] = mine[i] * fade + weight * value_of(key[a.D + i]);
        sum = sum * fade + weight, top = best;
    }
    if (lane == 0) tops[warp] = top, sums[warp] = sum;
    __syncthreads();
    float best = -INFINITY, total = 0, share[kWarpsOfQuery];
    for (int w = 0; w < kWarpsOfQuery; ++w) best = fmaxf(best, tops[w]);
    for (int w = 0; w < kWarpsOfQuery; ++w) share[w] = sums[w] == 0 ? 0 : exp2f(tops[w] - best), total += share[w] * sums[w];
    for (int i = static_cast<int>(threadIdx.x); i < a.D; i += static_cast<int>(blockDim.x)) {
        float o = 0;
        for (int w = 0; w < kWarpsOfQuery; ++w) o += share[w] == 0 ? 0 : share[w] * values[w * a.D + i];
        a.y[(row * a.H + h) * a.D + i] = o / total * (a.gated ? sigmoid(x[a.D + i]) : 1);
    }
    if (a.log_sum_exp && threadIdx.x == 0) a.log_sum_exp[row * a.H + h] = (best + log2f(total)) * kNatural;
}

}  // namespace

void CudaBackend::attention(const Attention& a) {
    KLP_CHECK(a.H_kv > 0 && a.H % a.H_kv == 0 && a.rotary <= a.D && a.rotary % 2 == 0);
    KLP_CHECK(a.x.dim[1] == a.width() && a.y.dim[1] == int64_t{a.H} * a.D && (a.cache_type == DType::f32 || a.cache_type == DType::bf16));
    const auto room = static_cast<size_t>(a.D) * (kWarpsOfQuery + 1) * sizeof(float);
    KLP_CHECK(static_cast<int64_t>(room) <= shared_limit());
    fresh();
    std::vector<MlaPart> parts;
    std::vector<std::byte*> pages;
    int64_t rows = 0;
    for (const AttentionSegment& s : a.segments) {
        if (s.count == 0) continue;
        KLP_CHECK(static_cast<int64_t>(s.pages.size()) * kMlaPage >= s.past + s.count);
        parts.push_back({.row = s.first, .count = s.count, .past = s.past, .page = static_cast<int64_t>(pages.size()), .begin = rows});
        pages.insert(pages.end(), s.pages.begin(), s.pages.begin() + (s.past + s.count + kMlaPage - 1) / kMlaPage);
        rows += s.count;
    }
    if (parts.empty()) return;
    const auto n = static_cast<int64_t>(parts.size());
    parts.push_back({.begin = rows});
    std::vector<double> frequency;
    for (int i = 0; i < a.rotary / 2 && a.rope_theta != 0; ++i) frequency.push_back(std::pow(double{a.rope_theta}, -2.0 * i / a.rotary));
    AttentionOp op{.H = a.H, .H_kv = a.H_kv, .D = a.D, .rotary = a.rotary};
    op.q_step = static_cast<int32_t>(a.q_step()), op.gated = a.gated;
    op.scale = a.scale * kBase2, op.q_eps = a.q_norm.eps, op.k_eps = a.k_norm.eps, op.unused = 0;
    op.width = a.x.dim[1], op.n = n;
    op.pages = stream_.give(std::span<std::byte* const>(pages)), op.parts = stream_.give(std::span<const MlaPart>(parts));
    op.frequency = frequency.empty() ? nullptr : stream_.give(std::span<const double>(frequency));
    op.q_norm = a.q_norm.weight, op.k_norm = a.k_norm.weight;
    op.x = a.x.data, op.y = a.y.data, op.log_sum_exp = a.taps.log_sum_exp;
    const bool f32 = a.cache_type == DType::f32;
    stream_.launch("append", f32 ? append_whole<float> : append_whole<uint16_t>,
                   {.x = rows, .y = a.H_kv, .threads = 64, .shared = static_cast<size_t>(a.D) * 2 * sizeof(float)}, op);
    stream_.launch("attend", f32 ? attend_whole<float> : attend_whole<uint16_t>, {.x = rows, .y = a.H, .threads = kWarpsOfQuery * 32, .shared = room}, op);
}

}  // namespace klp::cuda
