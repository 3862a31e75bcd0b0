// Multi-head latent attention: rows are appended to the cache, then each sequence takes one of two forms that give the same numbers.
//   absorbed (decode)   W_UK is absorbed into the queries, the cache is read once as key and value of all heads, in items that are combined behind; W_UV
//   follows expanded (prefill)  keys and values come out of the cached latents a block at a time
// A decode pass is the same list of launches whatever the contexts: append, absorb, attend, combine.
#include "kernels/cuda/mla.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace klp::cuda {

namespace {

constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;
constexpr int kMaxSplits = 512;          // of a sequence's cache
constexpr int64_t kShortestRange = 128;  // cached rows of an item: a shorter one would write as much as it reads
#if KLP_SIMT
constexpr int64_t kTemporary = 256 << 10;  // so little that the tests meet several groups and blocks
#else
constexpr int64_t kTemporary = 128 << 20;  // bytes that a group of parts, or half of a block of expanded rows, may take
#endif

// --- append -----------------------------------------------------------------------------------------------------------------

__device__ __forceinline__ void store(float* at, float v) { *at = v; }
__device__ __forceinline__ void store(uint16_t* at, float v) { *at = stored_bf16(v); }

// Cosine and sine of a new row's angles; one block a row.
__global__ void turn_kernel(const MlaPart* parts, int64_t n, const double* frequency, int32_t half, float2* turn) {
    const MlaPart& part = part_of<&MlaPart::begin>(parts, n, blockIdx.x);
    const int64_t t = blockIdx.x - part.begin;
    for (int i = static_cast<int>(threadIdx.x); i < half; i += static_cast<int>(blockDim.x)) {
        const double angle = static_cast<double>(part.past + t) * frequency[i];
        turn[(part.row + t) * half + i] = make_float2(static_cast<float>(cos(angle)), static_cast<float>(sin(angle)));
    }
}

struct Append {
    MlaShape shape;
    const MlaPart* parts;
    int64_t n;
    std::byte* const* pages;
    const float* x;
    const float* weight;  // null: no norm
    float eps;
    int32_t unused;
};

// c | k_r of a new row into the cache; one block a row.
template <class C>
__global__ void append_kernel(Append a) {
    __shared__ float space[32];
    const MlaShape& s = a.shape;
    const MlaPart& part = part_of<&MlaPart::begin>(a.parts, a.n, blockIdx.x);
    const int64_t t = blockIdx.x - part.begin, position = part.past + t;
    const float* x = a.x + (part.row + t) * s.width + int64_t{s.H} * (s.N + s.R);
    C* const to = reinterpret_cast<C*>(a.pages[part.page + position / kMlaPage]) + position % kMlaPage * s.W;
    float scale = 1;
    if (a.weight) {
        float sum = 0;
        for (int64_t i = threadIdx.x; i < s.L; i += blockDim.x) sum += x[i] * x[i];
        scale = rsqrtf(block_sum(sum, space) / static_cast<float>(s.L) + a.eps);
    }
    for (int64_t i = threadIdx.x; i < s.L; i += blockDim.x) store(to + i, a.weight ? x[i] * scale * a.weight[i] : x[i]);
    for (int i = static_cast<int>(threadIdx.x); i < s.R; i += static_cast<int>(blockDim.x)) store(to + s.L + i, turned(x + s.L, i, s, part.row + t));
}

// What a new row has read, times the sigmoids of its gates; one block a row.
__global__ void gate_kernel(MlaShape s, const MlaPart* parts, int64_t n, const float* x, float* y) {
    const MlaPart& part = part_of<&MlaPart::begin>(parts, n, blockIdx.x);
    const int64_t row = part.row + blockIdx.x - part.begin, values = int64_t{s.H} * s.V, width = values / s.gates;
    const float* z = x + row * s.width + int64_t{s.H} * (s.N + s.R) + s.W;
    for (int64_t i = threadIdx.x; i < values; i += blockDim.x) y[row * values + i] *= sigmoid(z[i / width]);
}

// --- absorb -----------------------------------------------------------------------------------------------------------------

// Values i .. i + 7 of a row, zeros behind its end; i is a multiple of 8. Loads and arithmetic apart, so that many loads go out before the first is needed.
template <DType type>
struct Eight {
    static constexpr bool kCodes = type == DType::q8_0 || type == DType::q4_0;
    uint4 low = {}, high = {};  // values, or two words of codes
    float scale = 0;
    int from = 0;  // bits that codes are shifted by

    __device__ __forceinline__ void load(const Matrix& w, int64_t r, int64_t i, bool there = true) {  // zeros where it is not there
        const unsigned char* const row = w.row(r);
        const int group = static_cast<int>(i % 32);
        constexpr bool kPlain = type == DType::f32 || type == DType::f16 || type == DType::bf16;
        if (!kPlain && !there) return;
        if constexpr (kCodes) scale = from_f16(__ldg(w.scales + r * w.groups + i / 32));
        if constexpr (type == DType::f32) {
            read_once(low, row + i * 4, leaves_first(), there), read_once(high, row + i * 4 + 16, leaves_first(), there);
        } else if constexpr (type == DType::q8_0) {
            const uint32_t* const words = reinterpret_cast<const uint32_t*>(row) + i / 64 * 16 + i / 32 % 2 * 2 + group / 16;
            low.x = __ldg(words + group / 4 % 4 * 4), low.y = __ldg(words + group / 4 % 4 * 4 + 4);
        } else if constexpr (type == DType::q4_0) {
            const uint32_t* const words = reinterpret_cast<const uint32_t*>(row) + i / 128 * 16 + i / 32 % 4;
            from = group < 16 ? 0 : 4;
            low.x = __ldg(words + group % 16 / 4 * 4), low.y = __ldg(words + group % 16 / 4 * 4 + 4);
        } else if constexpr (type == kBlocks) {
            float v[8];
            for (int four = 0; four < 2; ++four) {
                const Octet o = octet(w.type, row, static_cast<int>(i / 32), group % 16 / 4 + four);
                for (int k = 0; k < 4; ++k) v[4 * four + k] = group < 16 ? klp::cuda::value(o, 0, k) : klp::cuda::value(o, 1, k);
            }
            low = {__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]), __float_as_uint(v[3])};
            high = {__float_as_uint(v[4]), __float_as_uint(v[5]), __float_as_uint(v[6]), __float_as_uint(v[7])};
        } else {
            read_once(low, row + i * 2, leaves_first(), there);
        }
    }
    __device__ __forceinline__ float value(int k) const {
        const auto word = [](const uint4& v, int n) { return n == 0 ? v.x : n == 1 ? v.y : n == 2 ? v.z : v.w; };
        if constexpr (type == DType::f32 || type == kBlocks) {
            return __uint_as_float(word(k < 4 ? low : high, k % 4));
        } else if constexpr (type == DType::q8_0) {
            return scale * static_cast<float>(static_cast<int8_t>((k < 4 ? low.x : low.y) >> k % 4 * 8));
        } else if constexpr (type == DType::q4_0) {
            return scale * static_cast<float>(static_cast<int8_t>((k < 4 ? low.x : low.y) >> from >> k % 4 * 8 << 4) / 16);
        } else {
            const auto half = static_cast<uint16_t>(word(low, k / 2) >> k % 2 * 16);
            return type == DType::bf16 ? from_bf16(half) : from_f16(half);
        }
    }
};

struct Absorb {
    MlaShape shape;
    const MlaPart* parts;
    int64_t n, rows;
    const float* x;
    Matrix w;
    void* q;  // [rows, H, pitch]
};

constexpr int kAbsorbRows = 4, kAbsorbColumns = 128, kAbsorbThreads = 128;

// q~ = (q_n W_UK | q_r) scale: a block has a head, some rows and some columns; 16 lanes lie along the columns, 8 half warps share out the rows of W_UK.
// Limit: W_UK is read once, 16 KB a block in flight at once.
template <class Q, DType type>
__global__ void __launch_bounds__(kAbsorbThreads) absorb_kernel(Absorb a) {
    const MlaShape& s = a.shape;
    float* const q = shared_memory<float>();  // [kAbsorbRows][N]
    __shared__ float sums[kAbsorbThreads / 32][kAbsorbRows][kAbsorbColumns];
    const int tid = static_cast<int>(threadIdx.x), chunks = (s.L + kAbsorbColumns - 1) / kAbsorbColumns;
    const int64_t h = blockIdx.y, first = blockIdx.x / chunks * kAbsorbRows;
    const int chunk = static_cast<int>(blockIdx.x % chunks), rows = static_cast<int>(min(int64_t{kAbsorbRows}, a.rows - first));
    Q* const out = static_cast<Q*>(a.q) + (first * s.H + h) * s.pitch;
    const int64_t stride = int64_t{s.H} * s.pitch;

    for (int r = 0; r < kAbsorbRows; ++r) {
        const MlaPart& part = part_of<&MlaPart::begin>(a.parts, a.n, min(first + r, a.rows - 1));
        const int64_t t = min(first + r, a.rows - 1) - part.begin;
        const float* const x = a.x + (part.row + t) * s.width + h * (s.N + s.R);
        for (int i = tid; i < s.N; i += kAbsorbThreads) q[r * s.N + i] = x[i] * s.scale;
        if (chunk == 0 && r < rows)
            for (int i = tid; i < s.pitch - s.L; i += kAbsorbThreads)
                store(out + r * stride + s.L + i, i < s.R ? turned(x + s.N, i, s, part.row + t) * s.scale : 0);
    }
    __syncthreads();

    const int column = chunk * kAbsorbColumns + tid % 16 * 8;
    float sum[kAbsorbRows][8] = {};
    if (column < s.L) {
        constexpr int kAtOnce = 8, kStep = kAbsorbThreads / 16;
        for (int first = tid / 16; first < s.N; first += kAtOnce * kStep) {
            Eight<type> w[kAtOnce];
#pragma unroll
            for (int n = 0; n < kAtOnce; ++n) w[n].load(a.w, h * (s.N + s.V) + first + n * kStep, column, first + n * kStep < s.N);
#pragma unroll
            for (int n = 0; n < kAtOnce; ++n) {
                const int i = min(first + n * kStep, s.N - 1);
                float of_w[8];
                for (int k = 0; k < 8; ++k) of_w[k] = w[n].value(k);
                for (int r = 0; r < kAbsorbRows; ++r)
                    for (int k = 0; k < 8; ++k) sum[r][k] += q[r * s.N + i] * of_w[k];
            }
        }
    }
    for (int r = 0; r < kAbsorbRows; ++r)
        for (int k = 0; k < 8; ++k) {
            const float both = sum[r][k] + __shfl_xor_sync(0xffffffffu, sum[r][k], 16);
            if (tid % 32 < 16) sums[tid / 32][r][tid % 16 * 8 + k] = both;
        }
    __syncthreads();
    if (const int c = chunk * kAbsorbColumns + tid; c < s.L)
        for (int r = 0; r < rows; ++r) {
            float total = 0;
            for (int warp = 0; warp < kAbsorbThreads / 32; ++warp) total += sums[warp][r][tid];
            store(out + r * stride + c, total);
        }
}

// --- combine ----------------------------------------------------------------------------------------------------------------

struct Combine {
    MlaShape shape;
    const MlaPart* parts;
    int64_t n;
    const float *top, *sum, *values;
    Matrix w;
    float* y;
    float* log_sum_exp;  // null: nobody watches
    int64_t tile, rows;
    int32_t pitch, unused;  // of a latent in shared memory
};

constexpr int kCombineThreads = 512, kCombineRows = 4, kCombineValues = 64, kCombineGroups = 4;

int32_t combine_pitch(int L) { return (L + 7) / 8 * 8; }

// y = W_UV (the items' sums, each at its weight); a block has a head, some rows and some values; four groups of threads share out the splits.
// Limit at one row: a head's sums, splits * L * 4 bytes, come out of the second-level cache through two blocks.
template <DType type>
__global__ void __launch_bounds__(kCombineThreads) combine_kernel(Combine a) {
    const MlaShape& s = a.shape;
    float* const latent = shared_memory<float>();           // [kCombineRows][pitch]
    float* const shares = latent + kCombineRows * a.pitch;  // [kCombineGroups][pitch]
    __shared__ float weight[kMaxSplits];
    __shared__ int64_t row[kCombineRows];  // of y
    const int tid = static_cast<int>(threadIdx.x), lane = tid % 32, warp = tid / 32, chunks = (s.V + kCombineValues - 1) / kCombineValues;
    const int64_t h = blockIdx.y, from = blockIdx.x / chunks * kCombineRows;
    const int first = static_cast<int>(blockIdx.x % chunks) * kCombineValues, last = min(first + kCombineValues, s.V);
    const int rows = static_cast<int>(min(int64_t{kCombineRows}, a.rows - from));

    // Rows of W_UV that this warp multiplies by, while the items' sums are on their way.
    constexpr int kWarps = kCombineThreads / 32, kEach = kCombineValues / kWarps;
    Eight<type> w[kEach];
    const auto load_w = [&](int c) {
#pragma unroll
        for (int n = 0; n < kEach; ++n) w[n].load(a.w, h * (s.N + s.V) + s.N + min(first + warp + n * kWarps, last - 1), c);
    };
    if (lane * 8 < s.L) load_w(lane * 8);

    for (int r = 0; r < rows; ++r) {
        const MlaPart& part = part_of<&MlaPart::begin>(a.parts, a.n, from + r);
        const int64_t t = from + r - part.begin, query = t * s.H + h, tiles = (part.count * s.H + a.tile - 1) / a.tile;
        const int64_t at = (part.item + query / a.tile) * a.tile + query % a.tile, step = tiles * a.tile;  // of the first split; from split to split
        const int splits = static_cast<int>(part.splits);
        float top = -INFINITY, sum = 0;
        for (int i = lane; i < splits; i += 32) top = fmaxf(top, a.top[at + i * step]);
        top = warp_max(top);
        for (int i = lane; i < splits; i += 32) {
            const float of = a.sum[at + i * step];
            sum += of == 0 ? 0 : of * exp2f(a.top[at + i * step] - top);  // no row was seen: 0
        }
        sum = warp_sum(sum);
        __syncthreads();
        for (int i = tid; i < splits; i += kCombineThreads) weight[i] = a.sum[at + i * step] == 0 ? 0 : exp2f(a.top[at + i * step] - top) / sum;
        if (tid == 0) row[r] = part.row + t;
        __syncthreads();
        constexpr int kLanes = kCombineThreads / kCombineGroups;  // of a group
        const int group = tid / kLanes;
        for (int c = tid % kLanes * 4; c < a.pitch; c += kLanes * 4) {
            const float* const values = a.values + at * s.L + c;
            float4 v = make_float4(0, 0, 0, 0);
            if (s.L % 4 == 0 && c < s.L) {
                constexpr int kAtOnce = 8;
                for (int first = group; first < splits; first += kAtOnce * kCombineGroups) {
                    float4 more[kAtOnce];
#pragma unroll
                    for (int n = 0; n < kAtOnce; ++n) more[n] = read_now(values + min(first + n * kCombineGroups, splits - 1) * step * s.L);
#pragma unroll
                    for (int n = 0; n < kAtOnce; ++n) {
                        const float w = first + n * kCombineGroups < splits ? weight[first + n * kCombineGroups] : 0;
                        v.x += w * more[n].x, v.y += w * more[n].y, v.z += w * more[n].z, v.w += w * more[n].w;
                    }
                }
            } else {
                for (int i = group; i < splits; i += kCombineGroups) {
                    const float* const more = values + i * step * s.L;
                    const float w = weight[i];
                    if (c < s.L) v.x += w * more[0];
                    if (c + 1 < s.L) v.y += w * more[1];
                    if (c + 2 < s.L) v.z += w * more[2];
                    if (c + 3 < s.L) v.w += w * more[3];
                }
            }
            *reinterpret_cast<float4*>(shares + group * a.pitch + c) = v;
        }
        __syncthreads();
        for (int c = tid; c < a.pitch; c += kCombineThreads) {
            float v = 0;
            for (int i = 0; i < kCombineGroups; ++i) v += shares[i * a.pitch + c];
            latent[r * a.pitch + c] = v;
        }
        if (a.log_sum_exp && first == 0 && tid == 0) a.log_sum_exp[(part.row + t) * s.H + h] = (top + log2f(sum)) * kLn2;
    }
    for (int i = rows * a.pitch + tid; i < kCombineRows * a.pitch; i += kCombineThreads) latent[i] = 0;
    __syncthreads();
    float sums[kEach][kCombineRows] = {};
    for (int c = lane * 8; c < s.L; c += 256) {
#pragma unroll
        for (int n = 0; n < kEach; ++n)
            for (int k = 0; k < 8; ++k) {
                const float of_w = w[n].value(k);
                for (int r = 0; r < kCombineRows; ++r) sums[n][r] += of_w * latent[r * a.pitch + c + k];
            }
        if (c + 256 < s.L) load_w(c + 256);
    }
#pragma unroll
    for (int n = 0; n < kEach; ++n) {
        // Four sums over the lanes in six exchanges: at the first two, lanes send what they will not go on with.
        const float(&y)[kCombineRows] = sums[n];
        const float low = lane & 16 ? y[2] : y[0], high = lane & 16 ? y[3] : y[1];
        const float even = low + __shfl_xor_sync(0xffffffffu, lane & 16 ? y[0] : y[2], 16),
                    odd = high + __shfl_xor_sync(0xffffffffu, lane & 16 ? y[1] : y[3], 16);
        const float mine = (lane & 8 ? odd : even) + __shfl_xor_sync(0xffffffffu, lane & 8 ? even : odd, 8);
        const float whole = warp_sum(mine, 8);
        const int r = lane / 8, v = first + warp + n * kWarps;
        if (lane % 8 == 0 && r < rows && v < last) a.y[(row[r] * s.H + h) * s.V + v] = whole;
    }
}

}  // namespace

void CudaBackend::mla(const Mla& a) {
    KLP_CHECK(a.x.dim[1] >= a.width() && a.y.dim[1] == int64_t{a.H} * a.V && a.kv_b.in == a.L && a.kv_b.out == int64_t{a.H} * (a.nope + a.V));
    KLP_CHECK(a.gates == 0 || a.gates == a.H || a.gates == a.H * a.V);
    KLP_CHECK(a.cache_type == DType::f32 || a.cache_type == DType::bf16);
    fresh();
    std::vector<MlaPart> parts;
    std::vector<std::byte*> pages;
    MlaPart end;
    for (const MlaSegment& s : a.segments) {
        if (s.count == 0) continue;
        KLP_CHECK(static_cast<int64_t>(s.pages.size()) * kMlaPage >= s.past + s.count);
        parts.push_back({.row = s.first, .count = s.count, .past = s.past, .page = static_cast<int64_t>(pages.size()), .begin = end.begin});
        pages.insert(pages.end(), s.pages.begin(), s.pages.begin() + (s.past + s.count + kMlaPage - 1) / kMlaPage);
        end.begin += s.count;
    }
    if (parts.empty()) return;

    const bool f32 = a.cache_type == DType::f32;
    const Matrix w = matrix(a.kv_b);
    std::byte* const* const table = stream_.give(std::span<std::byte* const>(pages));
    const MlaPlan plan = attend_plan(a, processors_, shared_);
    const int32_t pitch = static_cast<int32_t>((a.cache_width() + 15) / 16 * 16);
    MlaShape shape{a.H,        a.nope,  a.rope,          a.V,    a.L, static_cast<int32_t>(a.cache_width()), pitch, a.scale * kLog2e,
                   a.x.dim[1], nullptr, a.rope_adjacent, a.gates};
    const MlaExpandPlan expansion = expand_plan(shape, rounds(a), shared_);

    parts.push_back(end);
    const auto n = static_cast<int64_t>(parts.size()) - 1;
    const int64_t rows = end.begin;
    const MlaPart* const given = stream_.give(std::span<const MlaPart>(parts));
    if (a.rope_theta != 0) {
        std::vector<double> frequency;
        for (int i = 0; i < a.rope / 2; ++i) frequency.push_back(std::pow(double{a.rope_theta}, -2.0 * i / a.rope));
        float2* const turn = temporary<float2>(a.x.dim[0] * (a.rope / 2));
        stream_.launch("turn", turn_kernel, {.x = end.begin, .threads = 32}, given, n, stream_.give(std::span<const double>(frequency)), a.rope / 2, turn);
        shape.turn = turn;
    }
    const Append append{shape, given, n, table, a.x.data, a.norm.weight, a.norm.eps, 0};
    stream_.launch("append", f32 ? append_kernel<float> : append_kernel<uint16_t>, {.x = end.begin, .threads = 128}, append);
    parts.pop_back();

    // Groups of parts whose queries and sums fit the temporary memory. Room is counted for contexts up to the next power of two, so that growing does not
    // change the launches; a long part goes in pieces.
    const int64_t row_bytes = int64_t{a.H} * pitch * static_cast<int64_t>(sizeof(float)), most_rows = std::max<int64_t>(kTemporary / 4 / row_bytes, 1);
    const int64_t item_bytes = plan.tile * (int64_t{a.L} + 2) * static_cast<int64_t>(sizeof(float));
    std::vector<MlaPart> group;
    int64_t items = 0;
    const auto by_expansion = [&](const MlaPart& p) {
        if (!expansion.possible || a.form != MlaForm::automatic) return expansion.possible && a.form == MlaForm::expanded;
        // Multiply-adds decide: absorbed costs more for each pair of query and key, expanded pays (N + V) L for each cached row, and more launches.
        const int64_t pairs = p.count * p.past + p.count * p.count / 2;
        return p.count > 8 && (p.count > 64 || pairs * (2 * a.L - a.nope - a.V) > p.past * (a.nope + a.V) * a.L);
    };
    const auto expand_part = [&](const MlaPart& p) {
        const Place mark = used_;
        const int64_t total = p.past + p.count, kv = int64_t{a.H} * (a.nope + a.V), keys = int64_t{a.H} * (a.nope + a.rope);
        const int64_t bytes = 4 * (kv + a.cache_width()) + (expansion.tensor ? 2 * (keys + int64_t{a.H} * a.V) : 0);
        const int64_t block = std::min(std::max<int64_t>(2 * kTemporary / bytes / 64, 1) * 64, (total + 63) / 64 * 64);
        MlaExpand e{.shape = shape, .pages = table + p.page, .x = a.x.row(p.row), .count = p.count, .past = p.past, .y = a.y.row(p.row)};
        if (shape.turn) e.shape.turn += p.row * (a.rope / 2);
        if (a.taps.log_sum_exp) e.log_sum_exp = a.taps.log_sum_exp + p.row * a.H;
        e.top = temporary<float>(p.count * a.H), e.sum = temporary<float>(p.count * a.H);
        e.latents = temporary<float>(block * a.cache_width()), e.kv = temporary<float>(block * kv);
        if (expansion.tensor) e.keys = temporary<uint16_t>(block * keys), e.values = temporary<uint16_t>(block * a.H * a.V);
        const Place of_block = used_;
        for (e.first = 0; e.first < total; e.first = e.last, used_ = of_block) {
            e.last = std::min(e.first + block, total);
            widen(stream_, e, a.cache_type);
            multiply({.x = e.latents, .x_stride = a.cache_width(), .T = e.last - e.first, .w = w, .y = e.kv, .y_stride = kv});
            expand(stream_, expansion, e);
        }
        used_ = mark;
    };
    end = {};
    const auto attend_group = [&] {
        if (group.empty()) return;
        const Place mark = used_;
        group.push_back(end);
        const MlaPart* const given = stream_.give(std::span<const MlaPart>(group));
        const auto of = static_cast<int64_t>(group.size()) - 1;
        const int64_t numbers = (end.begin * a.H + plan.tile) * pitch;
        void* const q = plan.tensor ? static_cast<void*>(temporary<uint16_t>(numbers)) : temporary<float>(numbers);
        float* const top = temporary<float>(items * plan.tile);
        float* const sum = temporary<float>(items * plan.tile);
        float* const values = temporary<float>(items * plan.tile * a.L);
        with_type(w.type, [&](auto type) {
            stream_.launch("absorb", plan.tensor ? absorb_kernel<uint16_t, type> : absorb_kernel<float, type>,
                           {.x = (end.begin + kAbsorbRows - 1) / kAbsorbRows * ((a.L + kAbsorbColumns - 1) / kAbsorbColumns),
                            .y = a.H,
                            .threads = kAbsorbThreads,
                            .shared = kAbsorbRows * static_cast<size_t>(a.nope) * sizeof(float)},
                           Absorb{shape, given, of, end.begin, a.x.data, w, q});
            attend(stream_, plan, {shape, given, of, table, q, top, sum, values}, a.cache_type);
            stream_.launch("combine", combine_kernel<type>,
                           {.x = (end.begin + kCombineRows - 1) / kCombineRows * ((a.V + kCombineValues - 1) / kCombineValues),
                            .y = a.H,
                            .threads = kCombineThreads,
                            .shared = (kCombineRows + kCombineGroups) * static_cast<size_t>(combine_pitch(a.L)) * sizeof(float)},
                           Combine{shape, given, of, top, sum, values, w, a.y.data, a.taps.log_sum_exp, plan.tile, end.begin, combine_pitch(a.L), 0});
        });
        group.clear(), end = {}, items = 0;
        used_ = mark;
    };
    for (const MlaPart& whole : parts) {
        if (by_expansion(whole)) {
            expand_part(whole);
            continue;
        }
        for (int64_t done = 0; done < whole.count; done += most_rows) {
            MlaPart part = whole;
            part.row += done, part.past += done, part.count = std::min(most_rows, whole.count - done);
            const int64_t total = part.past + part.count, tiles = (part.count * a.H + plan.tile - 1) / plan.tile;
            const int64_t wanted = std::clamp<int64_t>(plan.blocks / tiles, 1, kMaxSplits);
            part.range = std::max(((total + wanted - 1) / wanted + 63) / 64 * 64, kShortestRange);
            part.splits = (total + part.range - 1) / part.range;
            const auto room = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(total)));
            const int64_t most = std::min(wanted, (room + kShortestRange - 1) / kShortestRange) * tiles;
            if ((items + most) * item_bytes + (end.begin + part.count) * row_bytes > kTemporary) attend_group();
            part.begin = end.begin, part.item = end.item;
            end.begin += part.count, end.item += part.splits * tiles, items += most;
            group.push_back(part);
        }
    }
    attend_group();
    if (a.gates) stream_.launch("gate", gate_kernel, {.x = rows, .threads = 256}, shape, given, n, a.x.data, a.y.data);
}

}  // namespace klp::cuda
