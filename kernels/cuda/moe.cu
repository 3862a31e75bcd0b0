// The router, and the feed-forwards of the experts it picks.
#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/many.h"

namespace klp::cuda {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Rules {  // Router without its pointers
    int32_t E, top_k, groups, kept_groups;
    int32_t softmax, renormalize, from_biased;
    float scale;
};

// Larger numbers have larger bits, 0 and -0 the same; what is no number has those of -infinity.
__device__ uint32_t ordered(float v) {
    const uint32_t bits = __float_as_uint(v != v ? -kInfinity : v == 0 ? 0.f : v);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ float number(float v) { return v == v ? v : -kInfinity; }

constexpr uint32_t kOut = 0x7fc00bad;  // in place of a score that must not be chosen (again); no arithmetic makes this NaN

// The largest that is not out, of equals the first, by a warp; at least one is there.
__device__ int warp_choice(const float* values, int n) {
    uint32_t best = 0, behind = 0;  // n less the index
    for (int i = static_cast<int>(threadIdx.x) % 32; i < n; i += 32)
        if (const uint32_t v = ordered(values[i]); __float_as_uint(values[i]) != kOut && v > best) best = v, behind = static_cast<uint32_t>(n - i);
    const uint32_t top = __reduce_max_sync(0xffffffffu, best);
    return n - static_cast<int>(__reduce_max_sync(0xffffffffu, best == top ? behind : 0));
}

// One token's picks and weights by one warp. `scores` holds its E logits; `choice` is room for E, `strength` for the groups.
__device__ void choose(const Rules& r, float* scores, const float* bias, float* choice, float* strength, int32_t* picks, float* weights) {
    const int lane = static_cast<int>(threadIdx.x) % 32, size = r.E / r.groups;
    int odd = 0;  // what is no finite number; a sigmoid would make a number of an infinity, and a comparison overlooks what is none
    for (int e = lane; e < r.E; e += 32) odd |= !(fabsf(scores[e] + (bias ? bias[e] : 0)) <= FLT_MAX);
    odd = __any_sync(0xffffffffu, odd);
    if (r.softmax) {
        float top = -kInfinity, sum = 0;
        for (int e = lane; e < r.E; e += 32) top = fmaxf(top, scores[e]);
        top = warp_max(top);
        for (int e = lane; e < r.E; e += 32) sum += scores[e] = expf(scores[e] - top);
        sum = warp_sum(sum);
        for (int e = lane; e < r.E; e += 32) scores[e] /= sum;
    } else {
        for (int e = lane; e < r.E; e += 32) scores[e] = sigmoid(scores[e]);
    }
    for (int e = lane; e < r.E; e += 32) choice[e] = scores[e] + (bias ? bias[e] : 0);
    __syncwarp();
    if (r.kept_groups < r.groups) {
        for (int g = lane; g < r.groups; g += 32) {
            float first = -kInfinity, second = -kInfinity;
            for (int e = g * size; e < (g + 1) * size; ++e) {
                const float v = number(choice[e]);
                if (v > first)
                    second = first, first = v;
                else if (v > second)
                    second = v;
            }
            strength[g] = size > 1 ? first + second : first;
        }
        __syncwarp();
        for (int n = 0; n < r.kept_groups; ++n) {
            const int g = warp_choice(strength, r.groups);
            __syncwarp();
            if (lane == 0) strength[g] = __uint_as_float(kOut);
            __syncwarp();
        }
        for (int e = lane; e < r.E; e += 32)
            if (__float_as_uint(strength[e / size]) != kOut) choice[e] = __uint_as_float(kOut);
        __syncwarp();
    }
    float total = 0;
    for (int i = 0; i < r.top_k; ++i) {
        const int e = warp_choice(choice, r.E);
        const float w = (r.from_biased ? choice : scores)[e];
        total += w;
        __syncwarp();
        if (lane == 0) picks[i] = e, weights[i] = w, choice[e] = __uint_as_float(kOut);
        __syncwarp();
    }
    for (int i = lane; i < r.top_k; i += 32) weights[i] = odd ? NAN : (r.renormalize ? weights[i] / (total + 1e-20f) : weights[i]) * r.scale;
}

// A block of one warp a token.
__global__ void choose_kernel(Rules r, float* logits, const float* bias, int32_t* picks, float* weights) {
    float *choice = shared_memory<float>(), *strength = choice + r.E;
    const int64_t t = blockIdx.x;
    choose(r, logits + t * r.E, bias, choice, strength, picks + t * r.top_k, weights + t * r.top_k);
}

// The router of T <= kFew tokens in one launch: block (i, j) computes the logits of 8 experts over the j-th part of the columns; the block that is ready last
// adds the parts up and chooses. 2.4 MB for 256 experts of width 2304: what it takes is the way from launch to memory and back, twice.
constexpr int kRouterParts = 4;
__global__ __launch_bounds__(256) void route_kernel(Matrix router, Rules r, const float* x, int64_t x_stride, int32_t T, const float* norm, float eps,
                                                    const float* bias, float* logits, unsigned* arrived, int32_t* picks, float* weights) {
    __shared__ float space[kFew * 32], inverse[kFew];
    __shared__ __align__(16) float part[8][kFew * 8];
    __shared__ bool last;
    const int warp = static_cast<int>(threadIdx.x) / 32, width = static_cast<int>(router.in);
    Tile<DType::f32> tile(router, int64_t{blockIdx.x} * 8, static_cast<int>(blockIdx.y) * 8 + warp, kRouterParts * 8);
    const Front front(x, x_stride, norm, inverse, width);
    if (norm) inverse_rms(front, T, eps, space, inverse);
    const Staged staged = stage<DType::f32>(front, T, shared_memory<unsigned char>(), warp, 8);
    __syncthreads();
    tile.run(staged, T, part[warp], nullptr);
    __syncthreads();
    if (const int t = static_cast<int>(threadIdx.x) / 8, e = static_cast<int>(blockIdx.x) * 8 + static_cast<int>(threadIdx.x) % 8; t < T && e < r.E) {
        float sum = 0;
        for (int w = 0; w < 8; ++w) sum += part[w][threadIdx.x];
        logits[(int64_t{blockIdx.y} * T + t) * r.E + e] = sum;
    }
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicInc(arrived, gridDim.x * gridDim.y - 1) == gridDim.x * gridDim.y - 1;
    __syncthreads();
    if (!last) return;
    __threadfence();
    float* scores = shared_memory<float>() + warp * (2 * r.E + r.groups);
    for (int t = warp; t < T; t += 8) {
        for (int e = static_cast<int>(threadIdx.x) % 32; e < r.E; e += 32) {
            float sum = 0;
            for (int i = 0; i < kRouterParts; ++i) sum += static_cast<volatile float*>(logits)[(int64_t{i} * T + t) * r.E + e];
            scores[e] = sum;
        }
        __syncwarp();
        choose(r, scores, bias, scores + r.E, scores + 2 * r.E, picks + t * r.top_k, weights + t * r.top_k);
    }
}

// Of a warp, where types may be mixed (which goes by the file's blocks).
template <DType type>
constexpr int space_of() {
    if constexpr (type == kMixed)
        return Tile<kBlocks>::kSpace;
    else
        return Tile<type>::kSpace;
}

// hidden[p] = silu(gate n) * (up n) of one expert: blocks (., p) for pair p = t k + i of token t and its i-th expert; behind the pairs, where it is asked for,
// those of the expert that takes all T <= kFew tokens. A block has 8 rows of both matrices, four warps for each. `type`: of all experts' two.
template <DType type>
__global__ __launch_bounds__(256, few_blocks(type)) void gate_up(const Expert* experts, int64_t for_all, const int32_t* picks, int32_t k, int32_t pairs,
                                                                 const float* x, int64_t x_stride, int32_t T, const float* norm, float eps, float* hidden,
                                                                 int64_t hidden_stride) {
    __shared__ float space[kFew * 32], inverse[kFew];
    __shared__ __align__(16) float part[8][kFew * 8], scratch[8][space_of<type>()];
    const int p = static_cast<int>(blockIdx.y), warp = static_cast<int>(threadIdx.x) / 32;
    const Expert& e = experts[p < pairs ? picks[p] : for_all];
    const int64_t first = int64_t{blockIdx.x} * 8;
    if (first >= e.gate.out) return;
    if (p < pairs) x += p / k * x_stride, T = 1;
    const Matrix w = warp < 4 ? e.gate : e.up;
    const Front front(x, x_stride, norm, inverse, static_cast<int>(w.in));
    const auto staged = [&](auto form_of_w) {
        if (norm) inverse_rms(front, T, eps, space, inverse);
        const Staged s = stage<form_of_w>(front, T, shared_memory<unsigned char>(), warp, 8);
        __syncthreads();
        return s;
    };
    if constexpr (type != kMixed) {
        Tile<type> tile(w, first, warp % 4, 4);
        tile.run(staged(std::integral_constant < DType, in_halves(type) ? type : form(type) > {}), T, part[warp], scratch[warp]);
    } else {  // an expert's two matrices have one form, so that all its warps meet in the same place
        const Staged s = stage_for(e.gate.type, staged);
        with_type(w.type, [&](auto of_w) { Tile<of_w>(w, first, warp % 4, 4).run(s, T, part[warp], scratch[warp]); });
    }
    __syncthreads();
    const int i = static_cast<int>(threadIdx.x), t = i / 8;
    if (t >= T || first + i % 8 >= e.gate.out) return;
    hidden[(p + t) * hidden_stride + first + i % 8] =
        e.glu(part[0][i] + part[1][i] + part[2][i] + part[3][i], part[4][i] + part[5][i] + part[6][i] + part[7][i]);
}

// of_all[t] = sigmoid(gate . norm(x[t])): what the shared expert is multiplied by. One block a token.
__global__ void shared_gate_kernel(const float* x, const float* gate, const float* weight, float eps, float* of_all, int64_t D) {
    __shared__ float space[32];
    const float* const row = x + blockIdx.x * D;
    float squares = 0, sum = 0;
    for (int64_t i = threadIdx.x; i < D; i += blockDim.x) squares += row[i] * row[i], sum += row[i] * (weight ? weight[i] : 1) * gate[i];
    squares = block_sum(squares, space);
    sum = block_sum(sum, space);
    if (threadIdx.x == 0) of_all[blockIdx.x] = sigmoid(weight ? sum * rsqrtf(squares / static_cast<float>(D) + eps) : sum);
}

constexpr int kDownWarps = 9;  // one for each of top-8 and the shared expert
// y[t] += sum over i of weights[t, i] down hidden[t k + i], in the order of the picks, then the shared expert's times of_all[t] (null: 1). Block (., t) has 8 rows, its warps take an
// expert each. `type`: of all experts'.
template <DType type>
__global__ __launch_bounds__(kDownWarps * 32, few_blocks(type)) void down(const Expert* experts, int64_t for_all, const int32_t* picks, const float* weights,
                                                                          const float* of_all, int32_t k, int32_t jobs, int32_t room, const float* hidden,
                                                                          int64_t hidden_stride, float* y, int64_t D) {
    __shared__ __align__(16) float scratch[kDownWarps][space_of<type>()];
    const int warp = static_cast<int>(threadIdx.x) / 32, warps = static_cast<int>(blockDim.x) / 32;
    const int64_t t = blockIdx.y, first = int64_t{blockIdx.x} * 8, pairs = int64_t{gridDim.y} * k;
    auto* const mine = shared_memory<unsigned char>() + warp * room;
    auto* const part = reinterpret_cast<float*>(shared_memory<unsigned char>() + warps * room);
    for (int j = warp; j < jobs; j += warps) {
        const Matrix w = experts[j < k ? picks[t * k + j] : for_all].down;
        const auto multiply = [&](auto of_w) {
            Tile<of_w> tile(w, first, 0, 1);
            const Front front(hidden + (j < k ? t * k + j : pairs + t) * hidden_stride, 0, nullptr, nullptr, static_cast<int>(w.in));
            const Staged staged = stage < in_halves(of_w) ? of_w : form(of_w) > (front, 1, mine, 0, 1);
            __syncwarp();
            tile.run(staged, 1, part + j * 8, scratch[warp]);
            __syncwarp();
        };
        if constexpr (type != kMixed)
            multiply(std::integral_constant<DType, type>{});
        else
            with_type(w.type, multiply);
    }
    __syncthreads();
    const int row = static_cast<int>(threadIdx.x);
    if (row >= 8 || first + row >= D) return;
    float total = 0;
    for (int j = 0; j < jobs; ++j) total += (j < k ? weights[t * k + j] : of_all ? of_all[t] : 1) * part[j * 8 + row];
    y[t * D + first + row] += total;
}

// The same for widths whose rows of x do not fit into shared memory, on normalised x: a warp an output value. Block (., pairs + t) is for all's token t.
__global__ void plain_gate_up(const Expert* experts, int64_t for_all, const int32_t* picks, int32_t k, int32_t pairs, const float* n, int64_t D, float* hidden,
                              int64_t hidden_stride) {
    const int lane = static_cast<int>(threadIdx.x) % 32, p = static_cast<int>(blockIdx.y);
    const int64_t f = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32;
    const Expert& e = experts[p < pairs ? picks[p] : for_all];
    if (f >= e.gate.out) return;
    const float* x = n + (p < pairs ? p / k : p - pairs) * D;
    float gate = 0, up = 0;
    for (int64_t i = lane; i < D; i += 32) gate += e.gate.at(f, i) * x[i], up += e.up.at(f, i) * x[i];
    gate = warp_sum(gate), up = warp_sum(up);
    if (lane == 0) hidden[p * hidden_stride + f] = e.glu(gate, up);
}
__global__ void plain_down(const Expert* experts, int64_t for_all, const int32_t* picks, const float* weights, const float* of_all, int32_t k, int32_t jobs,
                           const float* hidden, int64_t hidden_stride, float* y, int64_t D) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t t = blockIdx.y, d = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32;
    if (d >= D) return;
    float total = 0;
    for (int j = 0; j < jobs; ++j) {
        const Matrix& w = experts[j < k ? picks[t * k + j] : for_all].down;
        const float* x = hidden + (j < k ? t * k + j : int64_t{gridDim.y} * k + t) * hidden_stride;
        float sum = 0;
        for (int64_t i = lane; i < w.in; i += 32) sum += w.at(d, i) * x[i];
        total += (j < k ? weights[t * k + j] : of_all ? of_all[t] : 1) * warp_sum(sum);
    }
    if (lane == 0) y[t * D + d] += total;
}

// --- many tokens ------------------------------------------------------------------------------------------------------------

// Pairs (token, expert) by expert and then by token: block e finds its own, reading all picks twice. order[first[e] ..] are the pairs of e; behind all pairs
// stand those of the expert that takes all tokens.
__global__ void sort_pairs(const int32_t* picks, int32_t pairs, int32_t T, int32_t* order, int32_t* first, int32_t* count) {
    __shared__ int space[32];
    const int e = static_cast<int>(blockIdx.x), threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
    if (e == static_cast<int>(gridDim.x) - 1) {
        for (int t = thread; t < T; t += threads) order[pairs + t] = pairs + t;
        if (thread == 0) first[e] = pairs, count[e] = T;
        return;
    }
    int less = 0;
    for (int i = thread; i < pairs; i += threads) less += picks[i] < e;
    const int begin = block_scan<int>(less, space).all;
    int at = begin;
    constexpr int kEach = 8;  // neighbours of a thread, so that the block meets less often
    for (int i = thread * kEach; i - thread * kEach < pairs; i += threads * kEach) {
        int pick[kEach], mine = 0;
#pragma unroll
        for (int j = 0; j < kEach; ++j) pick[j] = i + j < pairs ? picks[i + j] : -1;
#pragma unroll
        for (int j = 0; j < kEach; ++j) mine += pick[j] == e;
        const Scan<int> s = block_scan<int>(mine, space);
        int place = at + s.before;
#pragma unroll
        for (int j = 0; j < kEach; ++j)
            if (pick[j] == e) order[place++] = i + j;
        at += s.all;
    }
    if (thread == 0) first[e] = begin, count[e] = at - begin;
}

// The tiles of at most BT pairs of one expert: (expert, first, how many).
__global__ void list_tiles(const int32_t* first, const int32_t* count, int32_t experts, int32_t BT, int4* tiles, int32_t* total) {
    __shared__ int space[32];
    int at = 0;
    for (int i = 0; i < experts; i += static_cast<int>(blockDim.x)) {
        const int e = i + static_cast<int>(threadIdx.x), n = e < experts ? count[e] : 0;
        const Scan<int> s = block_scan<int>((n + BT - 1) / BT, space);
        for (int j = 0; j * BT < n; ++j) tiles[at + s.before + j] = {e, first[e] + j * BT, min(BT, n - j * BT), 0};
        at += s.all;
    }
    if (threadIdx.x == 0) *total = at;
}

// Which rows a block of a product over experts has. Without tiles it is one expert and all T tokens.
struct Work {
    const Expert* experts;
    const int4* tiles;
    const int32_t* total;
    const int32_t* order;
    int32_t k, pairs;
    int64_t T;

    __device__ int4 tile(int BT) const {
        const auto i = static_cast<int>(blockIdx.x);
        if (!tiles) return {0, i * BT, min(BT, static_cast<int>(T) - i * BT), 0};
        return i < *total ? tiles[i] : int4{0, 0, 0, 0};
    }
    __device__ int pair(int at) const { return order ? order[at] : at; }
    __device__ int64_t token(int pair) const { return pair < pairs ? pair / k : pair - pairs; }
};

// hidden[i] = silu(gate n) * (up n) for the i-th pair in order, as the expert's `down` takes it. Half of a warp's rows of w are the gate's, half the same of
// up.
template <DType type, int BT>
__global__ __launch_bounds__(256, (Block<type, BT>::kResident)) void many_gate_up(Work work, const unsigned char* x, int64_t x_stride, unsigned char* hidden,
                                                                                  int64_t hidden_stride) {
    const int4 tile = work.tile(BT);
    const Expert& e = work.experts[tile.x];
    const int64_t first = int64_t{blockIdx.y} * (kRows / 2);
    if (tile.z == 0 || layout(e.gate.type) != type || first >= e.gate.out) return;
    using Product = Block<type, BT>;
    constexpr int kHalf = Product::kN * 4;  // rows
    Product block;
    block.run(
        e.gate.chunks(), [&](int i) { return x + work.token(work.pair(tile.y + min(i, tile.z - 1))) * x_stride; },
        [&](int r) {
            const Matrix& w = r / kHalf % 2 ? e.up : e.gate;
            const int64_t row = min(first + r / (2 * kHalf) * kHalf + r % kHalf, w.out - 1);
            return Row(w, row);
        });
    const DType form_of_down = form(e.down.type);
    const int64_t F = e.gate.out;  // a store into hidden might change e
    const Activation glu = e.glu;
#pragma unroll
    for (int m = 0; m < Product::kM; ++m)
#pragma unroll
        for (int n = 0; n < Product::kN / 2; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = Product::x_of(m) + i / 2 * 8, r = Product::w_of(n) + i % 2;
                const int64_t f = first + r / (2 * kHalf) * kHalf + r % kHalf;
                if (row < tile.z && f < F)
                    put_prepared(form_of_down, hidden + (tile.y + row) * hidden_stride, f, glu(block.sum[m][n][i], block.sum[m][n + Product::kN / 2][i]));
            }
}

// out[pair] = down hidden[i] for the i-th pair in order.
template <DType type, int BT>
__global__ __launch_bounds__(256, (Block<type, BT>::kResident)) void many_down(Work work, const unsigned char* hidden, int64_t hidden_stride, float* out,
                                                                               int64_t D) {
    const int4 tile = work.tile(BT);
    const Matrix& w = work.experts[tile.x].down;
    const int64_t first = int64_t{blockIdx.y} * kRows;
    if (tile.z == 0 || layout(w.type) != type) return;
    using Product = Block<type, BT>;
    Product block;
    block.run(
        w.chunks(), [&](int i) { return hidden + (tile.y + min(i, tile.z - 1)) * hidden_stride; }, [&](int r) { return Row(w, min(first + r, w.out - 1)); });
    int pairs[Product::kM][2];  // all before the first store, which might change them
#pragma unroll
    for (int m = 0; m < Product::kM; ++m)
        for (int half = 0; half < 2; ++half) pairs[m][half] = work.pair(tile.y + min(Product::x_of(m) + half * 8, tile.z - 1));
#pragma unroll
    for (int m = 0; m < Product::kM; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            if (Product::x_of(m) + half * 8 >= tile.z) continue;
            float* to = out + pairs[m][half] * D;
#pragma unroll
            for (int n = 0; n < Product::kN; ++n)
#pragma unroll
                for (int i = 0; i < 2; ++i)
                    if (const int64_t d = first + Product::w_of(n) + i; d < D) to[d] = block.sum[m][n][half * 2 + i];
        }
}

// y[t] += sum over i of weights[t, i] out[t k + i], in the order of the picks, then the shared expert's.
__global__ void combine(const float* out, const float* weights, const float* of_all, int32_t k, int32_t jobs, float* y, int64_t D) {
    const int64_t t = blockIdx.x, T = gridDim.x, d = int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
    if (d >= D) return;
    float total = 0;
    for (int j = 0; j < jobs; ++j) total += j < k ? weights[t * k + j] * out[(t * k + j) * D + d] : (of_all ? of_all[t] : 1) * out[(T * k + t) * D + d];
    y[t * D + d] += total;
}

// The only one of a set of few_type()s, or kMixed.
DType only(uint32_t types) { return std::has_single_bit(types) ? static_cast<DType>(std::countr_zero(types)) : kMixed; }
uint32_t few_bit(DType type) { return 1u << static_cast<int>(few_type(type)); }

// f(type, rows of x in a block) as constants for each layout in `types`; `rows`: 32, or where no type takes x as it is 64 or 128.
template <class F>
void each_type(uint32_t types, int32_t rows, F&& f) {
    for (int i = 0; i <= static_cast<int>(kBlocks); ++i) {
        if (!(types >> i & 1)) continue;
        with_type(static_cast<DType>(i), [&](auto type) {
            if constexpr (form(type) != DType::f32) {
                if (rows == 128) return f(type, std::integral_constant<int, 128>{});
                if (rows == 64) return f(type, std::integral_constant<int, 64>{});
            }
            f(type, std::integral_constant<int, 32>{});
        });
    }
}

}  // namespace

const CudaBackend::ExpertTable& CudaBackend::expert_table(const Moe& a) {
    const auto same = [&](const ExpertTable& t) { return t.of == a.experts.data() && t.count == a.experts.size() && t.shared == a.shared.gate.data; };
    auto table = std::find_if(expert_tables_.begin(), expert_tables_.end(), same);
    if (table != expert_tables_.end() && table->adopted == adopted_) return *table;
    if (table == expert_tables_.end()) {
        if (expert_tables_.size() == 512) {  // of models that are gone
            for (const ExpertTable& t : expert_tables_) stream_.give_back(t.experts);
            expert_tables_.clear();
        }
        table = expert_tables_.insert(expert_tables_.end(), {.of = a.experts.data(), .shared = a.shared.gate.data, .count = a.experts.size()});
    } else {
        stream_.give_back(table->experts);
    }
    std::vector<Expert> experts;
    *table = {.of = table->of, .shared = table->shared, .count = table->count, .adopted = adopted_};
    const auto add = [&](const SwiGlu& e) {
        KLP_CHECK(form(e.gate.type) == form(e.up.type));
        experts.push_back({matrix(e.gate), matrix(e.up), matrix(e.down), {e.limit, e.situ, e.situ_up}});
        table->in_types |= bit(e.gate.type), table->down_types |= bit(e.down.type);
        table->few_in |= few_bit(e.gate.type) | few_bit(e.up.type), table->few_down |= few_bit(e.down.type);
        table->even &= layout(e.gate.type) == layout(e.up.type);
        table->F = std::max(table->F, e.gate.out);
        table->hidden_stride = std::max(table->hidden_stride, prepared_stride(e.down.type, e.down.in));
        table->ragged |= e.down.in != padded_width(e.down.in);
        table->staged_in = std::max(table->staged_in, staged_bytes(e.gate.type, e.gate.in, 1));
        table->staged_hidden = std::max(table->staged_hidden, staged_bytes(e.down.type, e.down.in, 1));
    };
    for (const SwiGlu& e : a.experts) add(e);
    if (a.shared.gate) add(a.shared);
    const size_t bytes = experts.size() * sizeof(Expert);
    table->experts = static_cast<Expert*>(stream_.take(bytes, "the experts' addresses"));
    stream_.copy(table->experts, stream_.give(std::span<const Expert>(experts)), bytes);
    return *table;
}

void CudaBackend::feed_forward(const Expert& w, const float* x, const Norm& norm, int64_t T, float* y) {
    if (T == 0) return;
    const int64_t D = w.gate.in, F = w.gate.out;
    KLP_CHECK(form(w.gate.type) == form(w.up.type));
    const Expert* e = stream_.give(std::span<const Expert>(&w, 1));
    if (T > kFew && layout(w.gate.type) == layout(w.up.type)) {
        const int64_t stride = prepared_stride(w.down.type, F);
        const unsigned char* n = prepared(x, D, T, D, norm, w.gate.type);
        auto* to = temporary<unsigned char>(T * stride);
        if (F != padded_width(F)) stream_.zero(to, static_cast<size_t>(T * stride));
        each_type(bit(w.gate.type), T / 128 * (F / 64) >= 2 * processors_ ? 128 : 32, [&](auto type, auto rows) {
            constexpr int BT = rows;
            stream_.launch("many_gate_up", many_gate_up<type, BT>,
                           {.x = (T + BT - 1) / BT, .y = (F + 63) / 64, .threads = 256, .shared = Block<type, BT>::kShared},
                           Work{e, nullptr, nullptr, nullptr, 1, 0, T}, n, prepared_stride(type, D), to, stride);
        });
        const unsigned char* hidden[kTypes] = {};
        hidden[static_cast<size_t>(form(w.down.type))] = to;
        return multiply_prepared(hidden, T, {&w.down, 1}, y, D, true);
    }
    float* hidden = temporary<float>(T * F);
    const int64_t staged = staged_bytes(w.gate.type, D, 1), rows = std::min<int64_t>(kFew, shared_limit() / staged);
    const float* n = rows == 0 ? normalised(x, D, T, D, norm) : nullptr;
    const int64_t step = rows == 0 ? 1024 : rows;
    for (int64_t t = 0; t < T; t += step) {
        const auto count = static_cast<int32_t>(std::min(step, T - t));
        if (n)
            stream_.launch("plain_gate_up", plain_gate_up, {.x = (F + 3) / 4, .y = count}, e, 0, nullptr, 1, 0, n + t * D, D, hidden + t * F, F);
        else
            with_few_type(only(few_bit(w.gate.type) | few_bit(w.up.type)), [&](auto type) {
                stream_.launch("gate_up", gate_up<type>, {.x = (F + 7) / 8, .threads = 256, .shared = static_cast<size_t>(count * staged)}, e, 0, nullptr, 1, 0,
                               x + t * D, D, count, norm.weight, norm.eps, hidden + t * F, F);
            });
    }
    multiply({.x = hidden, .x_stride = F, .T = T, .w = w.down, .y = y, .y_stride = D, .add = true});
}

void CudaBackend::moe_of_many(const Moe& a, const ExpertTable& table, const float* n, const int32_t* picks, const float* weights, const float* of_all) {
    const int64_t T = a.x.dim[0], D = a.y.dim[1], E = a.router.E, k = a.router.top_k, pairs = T * k, shared = static_cast<bool>(a.shared.gate);
    const uint32_t exact = bit(DType::f32) | bit(DType::f16);
    // A tile of 64 rows takes 0.56 of the time of one of 128; with fewer rows an expert less is left empty.
    const int32_t rows_of_x = (table.in_types | table.down_types) & exact || pairs < E * 24 ? 32 : pairs < E * 160 ? 64 : 128;
    const int64_t tiles = std::min(E, pairs) + pairs / rows_of_x + shared * ((T + rows_of_x - 1) / rows_of_x);  // at most

    int32_t *order = temporary<int32_t>(pairs + T), *first = temporary<int32_t>(E + 1), *count = temporary<int32_t>(E + 1), *total = temporary<int32_t>(1);
    int4* list = temporary<int4>(tiles);
    stream_.launch("sort_pairs", sort_pairs, {.x = E + 1, .threads = 256}, picks, pairs, T, order, first, count);
    stream_.launch("list_tiles", list_tiles, {.threads = 256}, first, count, E + shared, rows_of_x, list, total);
    const Work work{table.experts, list, total, order, static_cast<int32_t>(k), static_cast<int32_t>(pairs), T};

    const unsigned char* x[kTypes] = {};
    auto* hidden = temporary<unsigned char>((pairs + shared * T) * table.hidden_stride);
    if (table.ragged) stream_.zero(hidden, static_cast<size_t>((pairs + shared * T) * table.hidden_stride));
    each_type(table.in_types, rows_of_x, [&](auto type, auto rows) {
        const unsigned char*& of_form = x[static_cast<size_t>(form(type))];
        if (!of_form) of_form = prepared(n, D, T, D, {}, type);
        stream_.launch("many_gate_up", many_gate_up<type, rows>, {.x = tiles, .y = (table.F + 63) / 64, .threads = 256, .shared = Block<type, rows>::kShared},
                       work, of_form, prepared_stride(type, D), hidden, table.hidden_stride);
    });
    float* out = temporary<float>((pairs + shared * T) * D);
    each_type(table.down_types, rows_of_x, [&](auto type, auto rows) {
        stream_.launch("many_down", many_down<type, rows>, {.x = tiles, .y = (D + kRows - 1) / kRows, .threads = 256, .shared = Block<type, rows>::kShared},
                       work, hidden, table.hidden_stride, out, D);
    });
    stream_.launch("combine", combine, {.x = T, .y = (D + 255) / 256, .threads = 256}, out, weights, of_all, k, k + shared, a.y.data, D);
}

void CudaBackend::moe(const Moe& a) {
    fresh();
    const Router& r = a.router;
    const int64_t T = a.x.dim[0], D = a.x.dim[1], E = r.E, k = r.top_k;
    KLP_CHECK(static_cast<int64_t>(a.experts.size()) == E && k >= 1 && k <= E / r.groups * r.kept_groups);
    if (T == 0) return;
    const ExpertTable& table = expert_table(a);
    const bool shared = static_cast<bool>(a.shared.gate);
    KLP_CHECK(a.y.dim[1] == (a.z.data ? a.z.dim[1] : D) && !(a.z.data && shared));
    const In<2> in = a.z.data ? a.z : a.x;  // of the experts
    const Norm in_norm = a.z.data ? Norm{} : a.norm;
    const int64_t L = in.dim[1];
    const int64_t F = table.F, jobs = k + shared;
    int32_t* const picks = a.taps.picks ? a.taps.picks : temporary<int32_t>(T * k);
    float* const weights = a.taps.weights ? a.taps.weights : temporary<float>(T * k);
    const Rules rules{r.E, r.top_k, r.groups, r.kept_groups, r.softmax, r.renormalize, r.weights_from_biased_scores, r.scale};
    const Matrix router{.codes = reinterpret_cast<const unsigned char*>(r.weight), .out = E, .in = D, .stride = D * 4};
    float* const logits = temporary<float>(std::max(T, int64_t{kRouterParts} * kFew) * E);
    float* const hidden = temporary<float>(kFew * jobs * F);
    const int64_t choosing = (2 * E + r.groups) * 4, warps = std::min<int64_t>({jobs, kDownWarps, (shared_limit() - jobs * 32) / table.staged_hidden});
    const bool fast = kFew * table.staged_in <= shared_limit() && warps > 0,
               fast_router = D % 16 == 0 && std::max<int64_t>(kFew * staged_bytes(DType::f32, D, 1), 8 * choosing) <= shared_limit();
    const bool many = T > kFew && table.even;
    const float* n = fast && fast_router && !many ? nullptr : normalised(a.x.data, D, T, D, a.norm);
    if (!fast_router || many) {
        multiply({.x = n, .x_stride = D, .T = T, .w = router, .y = logits, .y_stride = E});
        stream_.launch("choose", choose_kernel, {.x = T, .threads = 32, .shared = static_cast<size_t>(choosing)}, rules, logits, r.bias, picks, weights);
    }
    if (n && a.z.data) n = a.z.data;  // the router has seen its own
    float* const of_all = shared && a.shared_gate ? temporary<float>(T) : nullptr;
    if (of_all) stream_.launch("shared_gate", shared_gate_kernel, {.x = T, .threads = 128}, a.x.data, a.shared_gate, a.norm.weight, a.norm.eps, of_all, D);
    unsigned* const arrived = counters(1);
    if (many) return moe_of_many(a, table, n, picks, weights, of_all);
    for (int64_t t = 0; t < T; t += kFew) {
        const auto count = static_cast<int32_t>(std::min<int64_t>(kFew, T - t));
        const float* x = a.x.data + t * D;
        if (fast_router)
            stream_.launch("route", route_kernel,
                           {.x = (E + 7) / 8,
                            .y = kRouterParts,
                            .threads = 256,
                            .shared = static_cast<size_t>(std::max<int64_t>(count * staged_bytes(DType::f32, D, 1), 8 * choosing))},
                           router, rules, x, D, count, a.norm.weight, a.norm.eps, r.bias, logits, arrived, picks + t * k, weights + t * k);
        if (fast) {
            with_few_type(only(table.few_in), [&](auto type) {
                stream_.launch(
                    "gate_up", gate_up<type>,
                    {.x = (F + 7) / 8, .y = count * k + shared, .threads = 256, .shared = static_cast<size_t>((shared ? count : 1) * table.staged_in)},
                    table.experts, E, picks + t * k, k, count * k, in.data + t * L, L, count, in_norm.weight, in_norm.eps, hidden, F);
            });
            with_few_type(only(table.few_down), [&](auto type) {
                stream_.launch("down", down<type>,
                               {.x = (L + 7) / 8,
                                .y = count,
                                .threads = static_cast<int>(warps * 32),
                                .shared = static_cast<size_t>(warps * table.staged_hidden + jobs * 32)},
                               table.experts, E, picks + t * k, weights + t * k, of_all ? of_all + t : nullptr, k, jobs, table.staged_hidden, hidden, F,
                               a.y.data + t * L, L);
            });
        } else {
            stream_.launch("plain_gate_up", plain_gate_up, {.x = (F + 3) / 4, .y = count * jobs}, table.experts, E, picks + t * k, k, count * k, n + t * L, L,
                           hidden, F);
            stream_.launch("plain_down", plain_down, {.x = (L + 3) / 4, .y = count}, table.experts, E, picks + t * k, weights + t * k,
                           of_all ? of_all + t : nullptr, k, jobs, hidden, F, a.y.data + t * L, L);
        }
    }
}

}  // namespace klp::cuda
