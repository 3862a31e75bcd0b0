// Attention in the latent space: the cache is read once, as key and as value of all heads. Blocks take items, a range of cached rows and a tile of queries
// each; how a sequence is cut into ranges depends on nothing but itself.
#include "kernels/cuda/mla.h"

namespace klp::cuda {

namespace {

constexpr int kRows = 32;  // cached rows at a time, a lane each

// --- any shape, in f32 --------------------------------------------------------------------------------------------------------
// Limit: per 32 rows and 4 queries of a warp five 16-byte reads of shared memory for 16 products; about half the rate of f32 products.

constexpr int kColumns = 512;         // of a row at a time; blocks of one y own as many columns of the sum
constexpr int kPitch = kColumns + 4;  // 16-byte reads of 8 rows meet in no bank
constexpr int kThreads = 256;

__device__ __forceinline__ float value_of(float v) { return v; }
__device__ __forceinline__ float value_of(uint16_t v) { return from_bf16(v); }

template <class C, int kQueries>
__global__ void __launch_bounds__(kThreads, 2) attend_kernel(MlaAttend a) {
    constexpr int kMine = kQueries / (kThreads / 32);  // queries whose scores a warp computes
    const MlaShape& s = a.shape;
    float* const tile = shared_memory<float>();  // [kRows][kPitch]
    alignas(16) __shared__ float p[kQueries][kRows];
    __shared__ float shrink[kQueries];
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int pieces = (s.W + kColumns - 1) / kColumns, own = static_cast<int>(blockIdx.y) * kColumns;

    for (int64_t item = blockIdx.x; item < a.parts[a.n].item; item += gridDim.x) {
        const MlaPart& part = part_of<&MlaPart::item>(a.parts, a.n, item);
        const int64_t all = part.count * s.H, tiles = (all + kQueries - 1) / kQueries;
        const int64_t query = (item - part.item) % tiles * kQueries, queries = min(int64_t{kQueries}, all - query);
        const int64_t first = (item - part.item) / tiles * part.range;
        const int64_t last = min(first + part.range, part.past + (query + queries - 1) / s.H + 1);

        const float* q[kMine];
        int64_t seen[kMine];  // rows of the cache that a query sees
        float top[kMine], sum[kMine], values[kQueries][2] = {};
        for (int m = 0; m < kMine; ++m) {
            const int64_t j = min(query + warp * kMine + m, all - 1);
            q[m] = static_cast<const float*>(a.q) + (part.begin * s.H + j) * s.pitch;
            seen[m] = part.past + j / s.H + 1;
            top[m] = -INFINITY, sum[m] = 0;
        }
        for (int64_t n = first; n < last; n += kRows) {
            const int rows = static_cast<int>(min(int64_t{kRows}, last - n));
            const C* const from = reinterpret_cast<const C*>(a.pages[part.page + n / kMlaPage]) + n % kMlaPage * s.W;
            float score[kMine] = {};
            for (int k = 1; k <= pieces; ++k) {  // the columns that this block sums up come last and stay
                const int column = (static_cast<int>(blockIdx.y) + k) % pieces * kColumns, width = min(kColumns, s.W - column), padded = (width + 3) / 4 * 4;
                __syncthreads();
                for (int r = warp; r < kRows; r += kThreads / 32)
                    for (int c = lane; c < padded; c += 32) tile[r * kPitch + c] = r < rows && c < width ? value_of(from[int64_t{r} * s.W + column + c]) : 0;
                __syncthreads();
                for (int c = 0; c < padded; c += 4) {
                    const float4 key = *reinterpret_cast<const float4*>(tile + lane * kPitch + c);
                    for (int m = 0; m < kMine; ++m) {
                        const float4 v = *reinterpret_cast<const float4*>(q[m] + column + c);
                        score[m] += key.x * v.x + key.y * v.y + key.z * v.z + key.w * v.w;
                    }
                }
            }
            for (int m = 0; m < kMine; ++m) {
                const bool sees = lane < rows && n + lane < seen[m];
                const float largest = fmaxf(top[m], warp_max(sees ? score[m] : -INFINITY));
                const float weight = sees ? exp2f(score[m] - largest) : 0, less = top[m] == largest ? 1 : exp2f(top[m] - largest);
                sum[m] = sum[m] * less + weight, top[m] = largest;  // a lane's share
                p[warp * kMine + m][lane] = weight;
                if (lane == 0) shrink[warp * kMine + m] = less;
            }
            __syncthreads();
#pragma unroll
            for (int j = 0; j < kQueries; ++j) values[j][0] *= shrink[j], values[j][1] *= shrink[j];
            for (int r = 0; r < kRows; r += 4) {
                float v[4][2];
                for (int i = 0; i < 4; ++i)
                    for (int c = 0; c < 2; ++c) v[i][c] = tile[(r + i) * kPitch + threadIdx.x + c * kThreads];
#pragma unroll
                for (int j = 0; j < kQueries; ++j) {
                    const float4 w = *reinterpret_cast<const float4*>(&p[j][r]);
                    for (int c = 0; c < 2; ++c) values[j][c] += w.x * v[0][c] + w.y * v[1][c] + w.z * v[2][c] + w.w * v[3][c];
                }
            }
        }
#pragma unroll
        for (int j = 0; j < kQueries; ++j)
            for (int c = 0; c < 2; ++c) {
                const int column = own + static_cast<int>(threadIdx.x) + c * kThreads;
                if (column < s.L) a.values[(item * kQueries + j) * s.L + column] = values[j][c];
            }
        for (int m = 0; m < kMine; ++m) {
            const float whole = warp_sum(sum[m]);
            if (lane == 0 && own == 0) a.top[item * kQueries + warp * kMine + m] = top[m], a.sum[item * kQueries + warp * kMine + m] = whole;
        }
    }
}

template <class C, int kQueries>
void launch_plain(Stream& stream, const MlaPlan& plan, const MlaAttend& a) {
    stream.launch("attend", attend_kernel<C, kQueries>,
                  {.x = plan.blocks, .y = (a.shape.L + kColumns - 1) / kColumns, .threads = kThreads, .shared = kRows * kPitch * sizeof(float)}, a);
}

}  // namespace

MlaPlan attend_plan(const Mla& a, int processors) { return {.tile = a.H <= 8 ? 8 : 32, .blocks = 2 * processors}; }

void attend(Stream& stream, const MlaPlan& plan, const MlaAttend& a, DType cache) {
    if (cache == DType::f32)
        plan.tile == 8 ? launch_plain<float, 8>(stream, plan, a) : launch_plain<float, 32>(stream, plan, a);
    else
        plan.tile == 8 ? launch_plain<uint16_t, 8>(stream, plan, a) : launch_plain<uint16_t, 32>(stream, plan, a);
}

}  // namespace klp::cuda
