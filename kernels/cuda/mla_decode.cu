// Attention in the latent space: the cache is read once, as key and as value of all heads. Blocks take items, a range of cached rows and a tile of queries
// each; how a sequence is cut into ranges depends on nothing but itself.
#include <cmath>

#include "kernels/cuda/mla.h"
#include "kernels/cuda/mma.h"

namespace klp::cuda {

namespace {

constexpr int kRows = 32;  // cached rows at a time, a lane each

// --- any shape, in f32 --------------------------------------------------------------------------------------------------------
// Limit: per 32 rows and 4 queries of a warp five 16-byte reads of shared memory for 16 products; about half the rate of f32 products.

constexpr int kColumns = 512;         // of a row at a time; blocks of one y own as many columns of the sum
constexpr int kPitch = kColumns + 4;  // 16-byte reads of 8 rows meet in no bank
constexpr int kThreads = 256;

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

        const float* const q = static_cast<const float*>(a.q) + (part.begin * s.H + query + warp * kMine) * s.pitch;
        int seen[kMine];  // rows of this item that a query sees
        float top[kMine], sum[kMine], values[kQueries][2] = {};
#pragma unroll
        for (int m = 0; m < kMine; ++m) {
            const int64_t of = min(query + warp * kMine + m, all - 1);
            seen[m] = static_cast<int>(min(part.past + of / s.H + 1, last) - first);
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
#pragma unroll 2
                for (int c = 0; c < padded; c += 4) {
                    const float4 key = *reinterpret_cast<const float4*>(tile + lane * kPitch + c);
                    for (int m = 0; m < kMine; ++m) {
                        const float4 v = *reinterpret_cast<const float4*>(q + m * s.pitch + column + c);
                        score[m] += key.x * v.x + key.y * v.y + key.z * v.z + key.w * v.w;
                    }
                }
            }
            for (int m = 0; m < kMine; ++m) {
                const bool sees = static_cast<int>(n - first) + lane < seen[m];
                const float largest = fmaxf(top[m], warp_max(sees ? score[m] : -INFINITY));
                const float weight = sees ? exp2f(score[m] - largest) : 0, less = top[m] == largest ? 1 : exp2f(top[m] - largest);
                sum[m] = sum[m] * less + weight, top[m] = largest;  // a lane's share
                p[warp * kMine + m][lane] = weight;
                if (lane == 0) shrink[warp * kMine + m] = less;
            }
            __syncthreads();
#pragma unroll
            for (int j = 0; j < kQueries; ++j) values[j][0] *= shrink[j], values[j][1] *= shrink[j];
#pragma unroll 1
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

// --- 512 + 64 columns in bf16, on tensor cores --------------------------------------------------------------------------------
// Cached rows are the rows of a tile and queries its columns, so that no tile is half empty at 32 heads. Of 32 cached rows
//   scores   a warp multiplies 16 rows by all queries over a quarter of the columns; the queries stay in its registers
//   weights  8 threads a query add the quarters up, 4 rows each
//   values   a warp sums up 64 of the 512 columns: the same rows in shared memory, read turned
// Limit: the cache's bytes, 1,152 a row. Shared memory moves 37 KB in and about 117 KB out for 32 rows, 60 % of the clocks that an H200 gives a block for them.

constexpr int kWide = 576, kDeep = 512;
constexpr int kTilePitch = kWide + 8;  // 16-byte reads of 8 rows meet in no bank
constexpr int kScorePitch = kRows + 4, kWeightPitch = kRows + 8;
constexpr int kSteps = kWide / 4 / 16;  // of 16 columns in a quarter

template <int kTiles, int kStages>
constexpr size_t tensor_bytes() {
    return size_t{kStages} * kRows * kTilePitch * 2 + size_t{4} * kTiles * 8 * kScorePitch * 4 + size_t{kTiles} * 8 * kWeightPitch * 2;
}

template <int kTiles, int kStages>  // tiles of 8 queries
__global__ void __launch_bounds__(kThreads, 1) attend_tensor_kernel(MlaAttend a) {
    constexpr int kQueries = kTiles * 8, kStage = kRows * kTilePitch;
    const int H = a.shape.H;
    uint16_t* const stages = shared_memory<uint16_t>();                                          // [kStages][kRows][kTilePitch]
    float* const scores = reinterpret_cast<float*>(stages + kStages * kStage);                   // [4][kQueries][kScorePitch]
    uint16_t* const weights = reinterpret_cast<uint16_t*>(scores + 4 * kQueries * kScorePitch);  // [kQueries][kWeightPitch]
    __shared__ float shrink[kQueries];
    const int tid = static_cast<int>(threadIdx.x), lane = tid % 32, warp = tid / 32, g = lane / 4, c = lane % 4 * 2;
    const int half = warp % 2, quarter = warp / 2;
    // Where this lane's row lies in the matrices that it loads, of keys and, turned, of values.
    const int key_at = (half * 16 + lane % 16) * kTilePitch + quarter * (kWide / 4) + lane / 16 * 8;
    const int value_at = (lane / 16 * 8 + lane % 8) * kTilePitch + warp * (kDeep / 8) + lane / 8 % 2 * 8;

    for (int64_t item = blockIdx.x; item < a.parts[a.n].item; item += gridDim.x) {
        const MlaPart& part = part_of<&MlaPart::item>(a.parts, a.n, item);
        const int64_t all = part.count * H, tiles = (all + kQueries - 1) / kQueries;
        const int64_t query = (item - part.item) % tiles * kQueries, queries = min(int64_t{kQueries}, all - query);
        const int64_t first = (item - part.item) / tiles * part.range;
        const int64_t last = min(first + part.range, part.past + (query + queries - 1) / H + 1);
        const int64_t page = part.page;
        const std::byte* next_page = a.pages[page + first / kMlaPage];  // asked for a fetch ahead
        const auto fetch = [&](int64_t n) {                             // the rows n .. n + 31 into their stage; past the last: zeros, for 0 times NaN is not 0
            if (n < last) {
                const auto* const from = reinterpret_cast<const unsigned char*>(next_page) + n % kMlaPage * (kWide * 2);
                if (n + kRows < last) next_page = a.pages[page + (n + kRows) / kMlaPage];
                auto* const to = reinterpret_cast<unsigned char*>(stages + static_cast<int>((n - first) / kRows) % kStages * kStage);
#pragma unroll
                for (int i = 0; i < kRows * kWide / 8 / kThreads; ++i) {
                    const int chunk = tid + i * kThreads, row = chunk / (kWide / 8);
                    copy_async(to + row * (kTilePitch * 2) + chunk % (kWide / 8) * 16, from + chunk * 16, n + row < last);
                }
            }
            copies_sent();
        };
        __syncthreads();  // who still reads the stages of the item before
        for (int i = 0; i < kStages - 1; ++i) fetch(first + i * kRows);

        uint32_t q[kSteps][kTiles][2];
        for (int j = 0; j < kTiles; ++j) {
            const int64_t of = min(query + j * 8 + g, all - 1);
            const auto* const from = static_cast<const uint16_t*>(a.q) + (part.begin * H + of) * kWide + quarter * (kWide / 4) + c;
#pragma unroll
            for (int k = 0; k < kSteps; ++k)
                for (int i = 0; i < 2; ++i) q[k][j][i] = *reinterpret_cast<const uint32_t*>(from + k * 16 + i * 8);
        }
        const int64_t seen = part.past + min(query + tid / 8, all - 1) / H + 1;  // rows of the cache that this thread's query sees
        float top = -INFINITY, sum = 0, values[4][kTiles][4] = {};

        for (int64_t n = first; n < last; n += kRows) {
            copies_arrived<kStages - 2>();
            __syncthreads();
            fetch(n + (kStages - 1) * kRows);
            const uint16_t* const tile = stages + static_cast<int>((n - first) / kRows) % kStages * kStage;
            {
                float score[kTiles][4] = {};
#pragma unroll
                for (int k = 0; k < kSteps; ++k) {
                    uint32_t keys[4];
                    load_matrices(keys, tile + key_at + k * 16);
#pragma unroll
                    for (int j = 0; j < kTiles; ++j) mma_bf16(score[j], keys, q[k][j]);
                }
#pragma unroll
                for (int j = 0; j < kTiles; ++j)
#pragma unroll
                    for (int i = 0; i < 4; ++i) scores[(quarter * kQueries + j * 8 + c + i % 2) * kScorePitch + half * 16 + g + i / 2 * 8] = score[j][i];
            }
            __syncthreads();
            if (tid < kQueries * 8) {
                const int j = tid / 8, r = tid % 8 * 4;
                float4 s = *reinterpret_cast<const float4*>(scores + j * kScorePitch + r);
                for (int k = 1; k < 4; ++k) {
                    const float4 more = *reinterpret_cast<const float4*>(scores + (k * kQueries + j) * kScorePitch + r);
                    s.x += more.x, s.y += more.y, s.z += more.z, s.w += more.w;
                }
                const auto sees = [&](int i) { return n + r + i < seen; };
                float largest = fmaxf(fmaxf(sees(0) ? s.x : -INFINITY, sees(1) ? s.y : -INFINITY), fmaxf(sees(2) ? s.z : -INFINITY, sees(3) ? s.w : -INFINITY));
                for (int bit = 4; bit > 0; bit /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, bit));
                largest = fmaxf(largest, top);
                const float less = top == largest ? 1 : exp2f(top - largest);
                const float w0 = sees(0) ? exp2f(s.x - largest) : 0, w1 = sees(1) ? exp2f(s.y - largest) : 0;
                const float w2 = sees(2) ? exp2f(s.z - largest) : 0, w3 = sees(3) ? exp2f(s.w - largest) : 0;
                sum = sum * less + (w0 + w1 + w2 + w3), top = largest;  // a thread's share
                *reinterpret_cast<uint2*>(weights + j * kWeightPitch + r) = make_uint2(pack_bf16(w0, w1), pack_bf16(w2, w3));
                if (r == 0) shrink[j] = less;
            }
            __syncthreads();
            uint32_t p[2][kTiles][2];
#pragma unroll
            for (int j = 0; j < kTiles; ++j) {
                const float even = shrink[j * 8 + c], odd = shrink[j * 8 + c + 1];
#pragma unroll
                for (int m = 0; m < 4; ++m) values[m][j][0] *= even, values[m][j][1] *= odd, values[m][j][2] *= even, values[m][j][3] *= odd;
#pragma unroll
                for (int i = 0; i < 4; ++i) p[i / 2][j][i % 2] = *reinterpret_cast<const uint32_t*>(weights + (j * 8 + g) * kWeightPitch + i * 8 + c);
            }
#pragma unroll
            for (int k = 0; k < 2; ++k)
#pragma unroll
                for (int m = 0; m < 4; ++m) {
                    uint32_t latents[4];
                    load_matrices<true>(latents, tile + value_at + k * 16 * kTilePitch + m * 16);
#pragma unroll
                    for (int j = 0; j < kTiles; ++j) mma_bf16(values[m][j], latents, p[k][j]);
                }
        }
#pragma unroll
        for (int m = 0; m < 4; ++m)
#pragma unroll
            for (int j = 0; j < kTiles; ++j)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int64_t of = item * kQueries + j * 8 + c + i % 2;
                    a.values[of * kDeep + warp * (kDeep / 8) + m * 16 + g + i / 2 * 8] = values[m][j][i];
                }
        if (tid < kQueries * 8) {
            const float whole = warp_sum(sum, 8);
            if (tid % 8 == 0) a.top[item * kQueries + tid / 8] = top, a.sum[item * kQueries + tid / 8] = whole;
        }
    }
}

template <int kTiles>
void launch_tensor(Stream& stream, const MlaPlan& plan, const MlaAttend& a) {
    if (plan.stages == 2)
        stream.launch("attend_tensor", attend_tensor_kernel<kTiles, 2>, {.x = plan.blocks, .threads = kThreads, .shared = tensor_bytes<kTiles, 2>()}, a);
    else
        stream.launch("attend_tensor", attend_tensor_kernel<kTiles, 3>, {.x = plan.blocks, .threads = kThreads, .shared = tensor_bytes<kTiles, 3>()}, a);
}

}  // namespace

MlaPlan attend_plan(const Mla& a, int processors, size_t shared) {
    if (rounds(a) && a.cache_width() == kWide && a.L == kDeep)
        return {.tile = a.H <= 8 ? 8 : a.H <= 16 ? 16 : 32, .stages = shared >= tensor_bytes<4, 3>() + 1024 ? 3 : 2, .blocks = processors, .tensor = true};
    return {.tile = a.H <= 8 ? 8 : 32, .blocks = 2 * processors};
}

void attend(Stream& stream, const MlaPlan& plan, const MlaAttend& a, DType cache) {
    if (plan.tensor)
        plan.tile == 8 ? launch_tensor<1>(stream, plan, a) : plan.tile == 16 ? launch_tensor<2>(stream, plan, a) : launch_tensor<4>(stream, plan, a);
    else if (cache == DType::f32)
        plan.tile == 8 ? launch_plain<float, 8>(stream, plan, a) : launch_plain<float, 32>(stream, plan, a);
    else
        plan.tile == 8 ? launch_plain<uint16_t, 8>(stream, plan, a) : launch_plain<uint16_t, 32>(stream, plan, a);
}

}  // namespace klp::cuda
