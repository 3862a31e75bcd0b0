// One token of each sequence in one kernel. A block has 32 rows of a head's state, where there are few sequences, else all of them; every block makes its
// head's q, k and alpha for itself. The last block of a head to finish norms the answer and moves the convolution's tail. Limit: 32 heads of 128 x 128 read and
// write 2 x 2.1 MB a layer, 0.98 us on an H200; f_b is read once by each block of its head, from the second-level cache.
#include "kernels/cuda/kda.h"

namespace klp::cuda {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kRows = 32;  // of the state in a slice: 8 lanes a row

struct Step {
    KdaShape a;
    Matrix f_b, g_b;
    const KdaRows* segments;
    float *o, *gate;             // [n, H, V] on their way to the last block
    float2* squares;             // [n, H, slices] of state and update
    unsigned* finished;          // [n, H] blocks, 0 before and after
    int32_t slices, blocks;      // of a head
    int32_t f_values, g_values;  // of a row of f_b and g_b, padding included
};

// A row goes in units, of 16 bytes or of a group of a block.
__host__ __device__ __forceinline__ int values_of_unit(DType type) {
    return type == DType::f32 ? 4 : type == DType::f16 || type == DType::bf16 ? 8 : type == DType::q8_0 ? 16 : 32;
}
__host__ __device__ __forceinline__ int units(const Matrix& w) { return static_cast<int>(layout(w.type) == kBlocks ? w.in / 32 : w.stride / 16); }

__device__ __forceinline__ float dot4(float a, float b, float c, float d, const float* x) {
    const float4 x4 = *reinterpret_cast<const float4*>(x);
    return a * x4.x + b * x4.y + c * x4.z + d * x4.w;
}

// The g-th group of a row of blocks times 32 values. A call, so that it costs the types above no registers.
__device__ __noinline__ float dot_group(DType type, const unsigned char* row, int g, const float* x) {
    float sum = 0;
    for (int c = 0; c < 4; ++c) {
        const Octet o = octet(type, row, g, c);
        for (int h = 0; h < 2; ++h) sum += dot4(value(o, h, 0), value(o, h, 1), value(o, h, 2), value(o, h, 3), x + 16 * h + 4 * c);
    }
    return sum;
}

// The u-th unit of row r of w, of which these are the codes, times x. `known`: the type of w, or kMixed.
template <DType known>
__device__ __forceinline__ float dot_unit(const Matrix& w, int64_t r, int u, const uint4& codes, const float* x) {
    const uint32_t word[4] = {codes.x, codes.y, codes.z, codes.w};
    float sum = 0;
    switch (known == kMixed ? w.type : known) {
        case DType::f32:
            return dot4(__uint_as_float(word[0]), __uint_as_float(word[1]), __uint_as_float(word[2]), __uint_as_float(word[3]), x + 4 * u);
        case DType::f16:
            for (int i = 0; i < 2; ++i)
                sum += dot4(from_f16(static_cast<uint16_t>(word[2 * i])), from_f16(static_cast<uint16_t>(word[2 * i] >> 16)),
                            from_f16(static_cast<uint16_t>(word[2 * i + 1])), from_f16(static_cast<uint16_t>(word[2 * i + 1] >> 16)), x + 8 * u + 4 * i);
            return sum;
        case DType::bf16:
            for (int i = 0; i < 2; ++i)
                sum += dot4(__uint_as_float(word[2 * i] << 16), __uint_as_float(word[2 * i] & 0xffff0000u), __uint_as_float(word[2 * i + 1] << 16),
                            __uint_as_float(word[2 * i + 1] & 0xffff0000u), x + 8 * u + 4 * i);
            return sum;
        case DType::q8_0: {
            const auto code = [](uint32_t v, int byte) { return static_cast<float>(static_cast<int8_t>(v >> 8 * byte)); };
            for (int s = 0; s < 2; ++s) {
                float part = 0;
                for (int h = 0; h < 2; ++h) {
                    const uint32_t v = word[2 * s + h];
                    part += dot4(code(v, 0), code(v, 1), code(v, 2), code(v, 3), x + u / 4 * 64 + s * 32 + h * 16 + u % 4 * 4);
                }
                sum += from_f16(w.scales[r * w.groups + u / 4 * 2 + s]) * part;
            }
            return sum;
        }
        case DType::q4_0: {
            const auto code = [](uint32_t v, int half) { return static_cast<float>(static_cast<int32_t>(v << (28 - 4 * half)) >> 28); };
            for (int s = 0; s < 4; ++s) {
                const uint32_t v = word[s];
                const float* at = x + u / 4 * 128 + s * 32 + u % 4 * 4;
                const float part = dot4(code(v, 0), code(v, 2), code(v, 4), code(v, 6), at) + dot4(code(v, 1), code(v, 3), code(v, 5), code(v, 7), at + 16);
                sum += from_f16(w.scales[r * w.groups + u / 4 * 4 + s]) * part;
            }
            return sum;
        }
        default:
            return dot_group(w.type, w.row(r), u, x + 32 * u);
    }
}

// x of a product with w, rounded as ops.h has it, zeros behind its end.
__device__ void round_for(DType type, const float* x, int n, int padded, float* to) {
    for (int i = static_cast<int>(threadIdx.x); i < padded; i += kThreads) {  // whole warps: `padded` is a multiple of 32
        float v = i < n ? x[i] : 0;
        if (type == DType::bf16) v = rounded_to_bf16(v);
        if (type >= DType::q8_0) {
            const float largest = warp_max(fabsf(v)), factor = largest > 1e-30f ? 127 / largest : 0;
            v = rintf(v * factor) * (largest / 127);
        }
        to[i] = v;
    }
}

// Rows first, first + 2, ... (lanes 16 and up: the rows between) of w times x, N of each half warp; `codes` are the first 16 bytes of each lane. Afterwards
// lane l has row first + 2 (l % 16 / (16 / N)) + l / 16.
template <int N>
__device__ __forceinline__ void load_units(const Matrix& w, int64_t first, int64_t end, int u, uint4 (&codes)[N]) {
    const int half = static_cast<int>(threadIdx.x) % 32 / 16;
    const int64_t bytes = layout(w.type) == kBlocks ? 0 : w.stride;  // a group of a block is not so many, and read where it is used
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int64_t r = first + 2 * i + half;
        codes[i] = r < end && 16 * u < bytes ? *reinterpret_cast<const uint4*>(w.row(r) + 16 * u) : uint4{0, 0, 0, 0};
    }
}
template <DType known, int N>
__device__ __forceinline__ float low_rank(const Matrix& w, int64_t first, int64_t end, uint4 (&codes)[N], const float* x) {
    const int lane = static_cast<int>(threadIdx.x) % 32, half = lane / 16;
    float sum[N] = {};
    for (int u = lane % 16; u < units(w); u += 16) {
        if (u >= 16) load_units(w, first, end, u, codes);
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += dot_unit<known>(w, min(first + 2 * i + half, end - 1), u, codes[i], x);
    }
    // Half of the sums leave with each step, until a lane has one; then that is summed.
    int step = 8;
#pragma unroll
    for (int n = N / 2; n > 0; n /= 2, step /= 2)
#pragma unroll
        for (int i = 0; i < n; ++i) {
            const float other = __shfl_xor_sync(0xffffffffu, lane & step ? sum[i] : sum[i + n], step);
            sum[i] = (lane & step ? sum[i + n] : sum[i]) + other;
        }
    for (; step > 0; step /= 2) sum[0] += __shfl_xor_sync(0xffffffffu, sum[0], step);
    return sum[0];
}

// `type`: of f_b and of g_b.
template <int K, DType type>
__global__ void __launch_bounds__(kThreads, K == 256 ? 1 : 2) kda_step(Step p) {
    constexpr int J = K / 32;                 // 16-byte parts of a row in a lane
    constexpr int N = K >= 128 ? 8 : K / 16;  // rows of f_b that a half warp has in flight
    __shared__ float2 warp_squares[kWarps];
    __shared__ float space[32];
    __shared__ unsigned before;
    const KdaShape& a = p.a;
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32, part = lane % 8;
    const int64_t block = blockIdx.x % p.blocks, h = blockIdx.x / p.blocks % a.H, n = blockIdx.x / p.blocks / a.H, index = n * a.H + h;
    const int64_t first_slice = block * p.slices / p.blocks, last_slice = (block + 1) * p.slices / p.blocks;
    const int64_t first = first_slice * kRows, V = min(last_slice * kRows, int64_t{a.V}) - first;  // of this block's values
    float* const q = shared_memory<float>();
    float *const k = q + K, *const alpha = k + K, *const f_a = alpha + K, *const g_a = f_a + p.f_values, *const v = g_a + p.g_values;
    float* const gate = v + (p.slices + p.blocks - 1) / p.blocks * kRows;

    // What is far away first: f_b, g_b, then the state.
    uint4 codes[N], two[2];
    load_units(p.f_b, h * K + warp * 2 * N, (h + 1) * K, lane % 16, codes);
    load_units(p.g_b, h * a.V + first + warp * 4, h * a.V + first + V, lane % 16, two);
    const KdaRows s = p.segments[n];
    float4 S[J];
    const auto load_state = [&](int64_t row) {
        const float* from = s.state + (h * a.V + row) * K + 4 * part;
#pragma unroll
        for (int j = 0; j < J; ++j) S[j] = row < a.V ? *reinterpret_cast<const float4*>(from + 32 * j) : float4{0, 0, 0, 0};
    };
    const int in_slice = warp * 4 + lane / 8;
    load_state(first + in_slice);

    const float* const x = a.row(s.first);
    const int64_t width = a.conv_width();
    round_for(p.f_b.type, x + width, a.R_f, p.f_values, f_a);
    round_for(p.g_b.type, x + width + a.R_f, a.R_g, p.g_values, g_a);
    for (int i = thread; i < 2 * K + V; i += kThreads) {
        const int64_t c = i < K ? h * K + i : i < 2 * K ? (a.H + h) * K + i - K : int64_t{2} * a.H * K + h * a.V + first + i - 2 * K;
        const float4 taps = *reinterpret_cast<const float4*>(a.conv + 4 * c);
        const float t0 = s.tail[c], t1 = s.tail[width + c], t2 = s.tail[2 * width + c], now = x[c];
        const float y = silu(t0 * taps.x + t1 * taps.y + t2 * taps.z + now * taps.w);
        if (i < 2 * K) {
            q[i] = y;  // k lies behind q
        } else {
            v[i - 2 * K] = y;  // nobody else reads this channel's tail
            s.tail[c] = t1, s.tail[width + c] = t2, s.tail[2 * width + c] = now;
        }
    }
    const float beta = sigmoid(x[width + a.R_f + a.R_g + h]) * s.beta_of(h), A = expf(a.A_log[h]);
    __syncthreads();

    for (int c = warp * 2 * N; c < K; c += kWarps * 2 * N) {
        if (c >= kWarps * 2 * N) load_units(p.f_b, h * K + c, (h + 1) * K, lane % 16, codes);
        float f = low_rank<type>(p.f_b, h * K + c, (h + 1) * K, codes, f_a);
        const int mine = c + 2 * (lane % 16 / (16 / N)) + lane / 16;
        if (lane % (16 / N) == 0) {
            if (!p.f_b.codes) f = x[width + h * K + mine];
            const float g = kda_log_decay(f, A, a.dt_bias[h * K + mine], a.lower_bound) * s.gate_of(h * K + mine);
            alpha[mine] = expf(g);
            if (a.log_decay && block == 0) a.log_decay[(s.first * a.H + h) * K + mine] = g;
        }
    }
    for (int c = warp * 4; c < V; c += kWarps * 4) {
        const int64_t row = h * a.V + first + c, end = h * a.V + first + V;
        if (c >= kWarps * 4) load_units(p.g_b, row, end, lane % 16, two);
        const float z = low_rank<type>(p.g_b, row, end, two, g_a);
        const int mine = c + 2 * (lane % 16 / 8) + lane / 16;
        if (lane % 8 == 0 && mine < V) gate[mine] = sigmoid(p.g_b.codes ? z : x[width + a.R_f + h * a.V + first + mine]);
    }
    // Every warp sums for itself, in the same order.
    float qq = 0, kk = 0, qk = 0;
    for (int c = lane; c < K; c += 32) qq += q[c] * q[c], kk += k[c] * k[c], qk += q[c] * k[c];
    qq = warp_sum(qq), kk = warp_sum(kk), qk = warp_sum(qk);
    const float q_scale = 1 / sqrtf((qq + kKdaEps) * K), k_scale = 1 / sqrtf(kk + kKdaEps);
    qk *= q_scale * k_scale;
    __syncthreads();

    for (int64_t slice = first_slice; slice < last_slice; ++slice) {
        const int64_t row = slice * kRows + in_slice;
        float a_dot = 0, answer = 0;
#pragma unroll
        for (int j = 0; j < J; ++j) {
            const int c = 32 * j + 4 * part;
            const float4 decay = *reinterpret_cast<const float4*>(alpha + c);
            S[j].x *= decay.x, S[j].y *= decay.y, S[j].z *= decay.z, S[j].w *= decay.w;
            a_dot += dot4(S[j].x, S[j].y, S[j].z, S[j].w, k + c);
            answer += dot4(S[j].x, S[j].y, S[j].z, S[j].w, q + c);
        }
        const float mine = row < a.V ? v[row - first] : 0;
        const float u = beta * (mine - warp_sum(a_dot, 8) * k_scale), scaled = u * k_scale;
        answer = warp_sum(answer, 8) * q_scale + u * qk;
        float2 square{0, part == 0 ? u * u : 0};
#pragma unroll
        for (int j = 0; j < J; ++j) {
            const float4 key = *reinterpret_cast<const float4*>(k + 32 * j + 4 * part);
            S[j].x += key.x * scaled, S[j].y += key.y * scaled, S[j].z += key.z * scaled, S[j].w += key.w * scaled;
            square.x += S[j].x * S[j].x + S[j].y * S[j].y + S[j].z * S[j].z + S[j].w * S[j].w;
            if (row < a.V) *reinterpret_cast<float4*>(s.state + (h * a.V + row) * K + 32 * j + 4 * part) = S[j];
        }
        if (slice + 1 < last_slice) load_state(row + kRows);
        if (part == 0 && row < a.V) p.o[index * a.V + row] = answer, p.gate[index * a.V + row] = gate[row - first];
        if (a.state_norm || a.update_norm) {
            square.x = warp_sum(square.x), square.y = warp_sum(square.y);
            if (lane == 0) warp_squares[warp] = square;
            __syncthreads();
            if (thread == 0) {
                float2 sum{0, 0};
                for (int w = 0; w < kWarps; ++w) sum.x += warp_squares[w].x, sum.y += warp_squares[w].y;
                p.squares[index * p.slices + slice] = sum;
            }
            __syncthreads();
        }
    }

    __threadfence();
    __syncthreads();
    if (thread == 0) before = atomicInc(p.finished + index, static_cast<unsigned>(p.blocks - 1));
    __syncthreads();
    if (before != static_cast<unsigned>(p.blocks - 1)) return;
    __threadfence();

    for (int i = thread; i < 2 * K; i += kThreads) {
        const int64_t c = i < K ? h * K + i : (a.H + h) * K + i - K;
        s.tail[c] = s.tail[width + c], s.tail[width + c] = s.tail[2 * width + c], s.tail[2 * width + c] = x[c];
    }
    float sum = 0;
    if (a.norm) {
        for (int64_t c = thread; c < a.V; c += kThreads) {
            const float o = __ldcg(p.o + index * a.V + c);
            sum += o * o;
        }
        sum = block_sum(sum, space);
    }
    const float scale = a.norm ? 1 / sqrtf(sum / static_cast<float>(a.V) + a.eps) : 1;
    for (int64_t c = thread; c < a.V; c += kThreads)
        a.y[(s.first * a.H + h) * a.V + c] = __ldcg(p.o + index * a.V + c) * scale * (a.norm ? a.norm[c] : 1) * __ldcg(p.gate + index * a.V + c);
    if (thread != 0) return;
    const int64_t to = s.first * a.H + h;
    if (a.beta) a.beta[to] = beta;
    if (!a.state_norm && !a.update_norm) return;
    float2 squares{0, 0};
    for (int i = 0; i < p.slices; ++i) {
        const float2 one = __ldcg(p.squares + index * p.slices + i);
        squares.x += one.x, squares.y += one.y;
    }
    if (a.state_norm) a.state_norm[to] = sqrtf(squares.x);
    if (a.update_norm) a.update_norm[to] = sqrtf(kk * k_scale * k_scale * squares.y);
}

bool aligned(const void* at) { return reinterpret_cast<uintptr_t>(at) % 16 == 0; }

}  // namespace

bool kda_steps(const KdaShape& a, const KdaRows& s) {
    return s.from == 0 && s.count == 1 && s.last && a.C == 4 && (a.K == 32 || a.K == 64 || a.K == 128 || a.K == 256) && aligned(s.state) && aligned(a.conv);
}

void CudaBackend::kda_step(const KdaShape& a, const Matrix& f_b, const Matrix& g_b, std::span<const KdaRows> segments) {
    const auto n = static_cast<int64_t>(segments.size());
    Step p{};
    p.a = a, p.f_b = f_b, p.g_b = g_b, p.segments = stream_.give(segments);
    p.slices = (a.V + kRows - 1) / kRows;
    p.blocks = n * a.H * p.slices <= 4 * processors_ ? p.slices : 1;
    p.o = temporary<float>(n * a.H * a.V), p.gate = temporary<float>(n * a.H * a.V);
    p.squares = temporary<float2>(n * a.H * p.slices);
    p.finished = counters(n * a.H);
    const auto values = [](const Matrix& w) { return static_cast<int32_t>((units(w) * values_of_unit(w.type) + 31) / 32 * 32); };
    p.f_values = values(f_b), p.g_values = values(g_b);
    const int64_t floats = 3 * a.K + p.f_values + p.g_values + 2 * ((p.slices + p.blocks - 1) / p.blocks) * kRows;
    const Grid grid{.x = n * a.H * p.blocks, .threads = kThreads, .shared = static_cast<size_t>(floats) * sizeof(float)};
    if (a.K == 128 && layout(f_b.type) == layout(g_b.type))
        return with_type(f_b.type, [&](auto type) { stream_.launch("kda_step", klp::cuda::kda_step<128, type>, grid, p); });
    const auto kernel = a.K == 32    ? klp::cuda::kda_step<32, kMixed>
                        : a.K == 64  ? klp::cuda::kda_step<64, kMixed>
                        : a.K == 128 ? klp::cuda::kda_step<128, kMixed>
                                     : klp::cuda::kda_step<256, kMixed>;
    stream_.launch("kda_step", kernel, grid, p);
}

}  // namespace klp::cuda
