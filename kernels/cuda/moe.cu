// The router, and the feed-forwards of the experts it picks.
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/cuda/cuda_backend.h"

namespace klp::cuda {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Rules {  // Router without its pointers
    int32_t E, top_k, groups, kept_groups;
    int32_t softmax, renormalize, from_biased;
    float scale;
};

// The largest value among a warp's lanes and where it was; ties go to the lower index, and no number is the smallest of all.
struct Best {
    float value;
    int index;
};
__device__ void better(Best& a, Best b) {
    if (b.index >= 0 && (a.index < 0 || b.value > a.value || (b.value == a.value && b.index < a.index))) a = b;
}
__device__ Best warp_best(Best b) {
    for (int step = 16; step > 0; step /= 2) {
        const Best other{__shfl_xor_sync(0xffffffffu, b.value, step), __shfl_xor_sync(0xffffffffu, b.index, step)};
        better(b, other);
    }
    return b;
}
__device__ float number(float v) { return v == v ? v : -kInfinity; }

// One token's picks and weights by one warp. `scores` holds its E logits; `choice` is room for E; `strength` for the groups: -inf once a group is kept, NaN
// when it stays out.
__device__ void choose(const Rules& r, float* scores, const float* bias, float* choice, float* strength, int32_t* picks, float* weights) {
    const int lane = static_cast<int>(threadIdx.x) % 32, size = r.E / r.groups;
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
    const bool some = r.kept_groups < r.groups;
    if (some) {
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
        for (int n = 0; n < r.kept_groups; ++n) {  // a kept group's strength becomes NaN
            Best best{0, -1};
            for (int g = lane; g < r.groups; g += 32)
                if (strength[g] == strength[g]) better(best, {strength[g], g});
            best = warp_best(best);
            __syncwarp();
            if (lane == 0) strength[best.index] = __int_as_float(0x7fc00000);
            __syncwarp();
        }
    }
    // Lane l looks after experts l, l + 32, ..; those taken are marked in `taken`, 64 of them at most.
    uint64_t taken = 0;
    float total = 0;
    for (int i = 0; i < r.top_k; ++i) {
        Best best{0, -1};
        for (int e = lane, n = 0; e < r.E; e += 32, ++n)
            if (!(taken >> n & 1) && !(some && strength[e / size] == strength[e / size])) better(best, {number(choice[e]), e});
        best = warp_best(best);
        if (best.index % 32 == lane) taken |= uint64_t{1} << (best.index / 32);
        const float w = (r.from_biased ? choice : scores)[best.index];
        total += w;
        if (lane == 0) picks[i] = best.index, weights[i] = w;
    }
    __syncwarp();
    for (int i = lane; i < r.top_k; i += 32) weights[i] = (r.renormalize ? weights[i] / (total + 1e-20f) : weights[i]) * r.scale;
}

// A block of one warp a token.
__global__ void choose_kernel(Rules r, float* logits, const float* bias, int32_t* picks, float* weights) {
    float *choice = shared_memory<float>(), *strength = choice + r.E;
    const int64_t t = blockIdx.x;
    choose(r, logits + t * r.E, bias, choice, strength, picks + t * r.top_k, weights + t * r.top_k);
}

struct Expert {
    Matrix gate, up, down;
};

// hidden[p, f] = silu(gate n) * (up n) for pair p = t k + i of token t and its i-th expert; a warp an output value.
__global__ void plain_gate_up(const float* n, int64_t D, const Expert* experts, const int32_t* picks, int64_t k, float* hidden, int64_t hidden_stride) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t p = blockIdx.y, f = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32;
    const Expert& e = experts[picks[p]];
    if (f >= e.gate.out) return;
    const float* x = n + p / k * D;
    float gate = 0, up = 0;
    for (int64_t i = lane; i < D; i += 32) gate += e.gate.at(f, i) * x[i], up += e.up.at(f, i) * x[i];
    gate = warp_sum(gate), up = warp_sum(up);
    if (lane == 0) hidden[p * hidden_stride + f] = silu(gate) * up;
}

// y[t] += sum over i of weights[t, i] down hidden[t k + i], in the order of the picks.
__global__ void plain_down(const float* hidden, int64_t hidden_stride, const Expert* experts, const int32_t* picks, const float* weights, int64_t k, float* y,
                           int64_t D) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t t = blockIdx.y, d = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32;
    if (d >= D) return;
    float total = 0;
    for (int64_t p = t * k; p < (t + 1) * k; ++p) {
        const Matrix& down = experts[picks[p]].down;
        float sum = 0;
        for (int64_t i = lane; i < down.in; i += 32) sum += down.at(d, i) * hidden[p * hidden_stride + i];
        total += weights[p] * warp_sum(sum);
    }
    if (lane == 0) y[t * D + d] += total;
}

}  // namespace

void CudaBackend::moe(const Moe& a) {
    fresh();
    const int64_t T = a.x.dim[0], D = a.x.dim[1], E = a.router.E, k = a.router.top_k;
    if (T == 0) return;
    const Router& r = a.router;
    KLP_CHECK(static_cast<int64_t>(a.experts.size()) == E && E <= 2048 && k <= E / r.groups * r.kept_groups);
    int32_t* picks = a.taps.picks ? a.taps.picks : temporary<int32_t>(T * k);
    float* weights = a.taps.weights ? a.taps.weights : temporary<float>(T * k);
    const float* n = normalised(a.x.data, D, T, D, a.norm);
    float* logits = temporary<float>(T * E);
    const Matrix router{.codes = reinterpret_cast<const unsigned char*>(r.weight), .out = E, .in = D, .stride = D * 4};
    multiply({.x = n, .x_stride = D, .T = T, .w = router, .y = logits, .y_stride = E});
    const Rules rules{r.E, r.top_k, r.groups, r.kept_groups, r.softmax, r.renormalize, r.weights_from_biased_scores, r.scale};
    stream_.launch("choose", choose_kernel, {.x = T, .threads = 32, .shared = static_cast<size_t>(E + r.groups) * sizeof(float)}, rules, logits, r.bias, picks,
                   weights);

    std::vector<Expert> experts;
    int64_t F = 0;
    for (const SwiGlu& e : a.experts) {
        experts.push_back({matrix(e.gate), matrix(e.up), matrix(e.down)});
        F = std::max(F, e.gate.out);
    }
    const Expert* table = stream_.give(std::span<const Expert>(experts));
    float* hidden = temporary<float>(T * k * F);
    KLP_CHECK(T * k <= 65535);
    stream_.launch("gate_up", plain_gate_up, {.x = (F + 3) / 4, .y = T * k}, n, D, table, picks, k, hidden, F);
    stream_.launch("down", plain_down, {.x = (D + 3) / 4, .y = T}, hidden, F, table, picks, weights, k, a.y.data, D);
    if (a.shared.gate) feed_forward(a.shared, n, T, a.y.data);
}

}  // namespace klp::cuda
