// Products: the embedding's rows, projections with the norm in front and the residual behind, the dense feed-forward.
#include <algorithm>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/many.h"

namespace klp::cuda {

namespace {

// x[t, i] = table[ids[t], i]; one block a token.
__global__ void embed_kernel(const int32_t* ids, const Pick* const* picked, Matrix table, float* x) {
    const int64_t t = blockIdx.x, id = picked && picked[t] ? picked[t]->id : ids[t], row = id < 0 ? 0 : id;
    for (int64_t i = threadIdx.x; i < table.in; i += blockDim.x) x[t * table.in + i] = table.at(row, i);
}

// y [n / width, width] of H heads.
__global__ void scale_heads_kernel(const float* factor, int64_t H, int64_t width, int64_t n, float* y) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < n) y[i] *= factor[i % width / (width / H)];
}

// y[t] = what of v[., t] the softmax mixes; one block a token.
__global__ void mix_kernel(const float* v, int64_t n, int64_t T, int64_t D, const float* w, float eps, float* y) {
    __shared__ float space[32];
    auto* const p = shared_memory<float>();
    const float* const at = v + blockIdx.x * D;
    for (int64_t i = 0; i < n; ++i) {
        float squares = 0, sum = 0;
        for (int64_t d = threadIdx.x; d < D; d += blockDim.x) {
            const float one = at[i * T * D + d];
            squares += one * one, sum += one * w[d];
        }
        squares = block_sum(squares, space);
        sum = block_sum(sum, space);
        if (threadIdx.x == 0) p[i] = sum * rsqrtf(squares / static_cast<float>(D) + eps);
    }
    if (threadIdx.x == 0) {
        float top = p[0], total = 0;
        for (int64_t i = 1; i < n; ++i) top = fmaxf(top, p[i]);
        for (int64_t i = 0; i < n; ++i) total += p[i] = expf(p[i] - top);
        for (int64_t i = 0; i < n; ++i) p[i] /= total;
    }
    __syncthreads();
    for (int64_t d = threadIdx.x; d < D; d += blockDim.x) {
        float sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += p[i] * at[i * T * D + d];
        y[blockIdx.x * D + d] = sum;
    }
}

// n[t] = norm(x[t]); one block a row.
__global__ void norm_kernel(const float* x, int64_t stride, int64_t width, const float* weight, float eps, float* n) {
    __shared__ float space[32], inverse;
    const int64_t t = blockIdx.x;
    inverse_rms({x + t * stride, 0, weight, &inverse, static_cast<int>(width)}, 1, eps, space, &inverse);
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) n[t * width + i] = x[t * stride + i] * inverse * weight[i];
}

// The plain product: a warp for each output value. y[t, r] = w[r] . x[t]
__global__ void plain_product(const float* x, int64_t x_stride, Matrix w, float* y, int64_t y_stride, int32_t add) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t r = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32, t = blockIdx.y;
    if (r >= w.out) return;
    float sum = 0;
    for (int64_t i = lane; i < w.in; i += 32) sum += w.at(r, i) * x[t * x_stride + i];
    sum = warp_sum(sum);
    if (lane == 0) y[t * y_stride + r] = add ? y[t * y_stride + r] + sum : sum;
}

// Those of some matrices that take the same x which have one type, or layout; the results of all lie side by side.
struct Stack {
    static constexpr int kMost = 8;
    Matrix w[kMost];
    int32_t ends[kMost] = {};     // blocks of all matrices up to this one
    int32_t columns[kMost] = {};  // of y where a matrix begins

    Stack() = default;
    template <class Of>
    Stack(std::span<const Matrix> matrices, DType type, int64_t rows, Of&& of) {  // rows: of a block
        size_t n = 0;
        int64_t column = 0;
        for (const Matrix& m : matrices) {
            if (of(m.type) == type) w[n] = m, columns[n++] = static_cast<int32_t>(column);
            column += m.out;
        }
        for (size_t i = 0; i < kMost; ++i) ends[i] = (i > 0 ? ends[i - 1] : 0) + static_cast<int32_t>((w[i].out + rows - 1) / rows);
    }
    int64_t blocks() const { return ends[kMost - 1]; }

    // The matrix of a block, which of the matrix's blocks it is, and the column of y where the matrix begins.
    struct At {
        Matrix w;
        int block;
        int64_t column;
    };
    __device__ At at(int block) const {
        At a{w[0], block, columns[0]};
#pragma unroll
        for (int i = 1; i < kMost; ++i) {
            if (block < ends[i - 1]) break;
            a = {w[i], block - ends[i - 1], columns[i]};
        }
        return a;
    }
};
static_assert(std::is_trivially_copyable_v<Stack>);

// Adds where nobody else does, without a wait for what stood there.
__device__ __forceinline__ void put(float* to, float v, int32_t add) {
    if (add)
        atomicAdd(to, v);
    else
        *to = v;
}

constexpr int kWarps = 8;  // of a block of few_rows

// y = [y +] w norm(x) for T <= kFew rows of x. A block has kWarps / slices tiles of 8 rows of one matrix, `slices` warps for each.
template <DType type>
__global__ __launch_bounds__(kWarps * 32, few_blocks(type)) void few_rows(Stack stack, int32_t slices, const float* x, int64_t x_stride, int32_t T,
                                                                          const float* norm, float eps, float* y, int64_t y_stride, int32_t add) {
    __shared__ float space[kFew * 32], inverse[kFew];
    __shared__ __align__(16) float part[kWarps][kFew * 8], scratch[kWarps][Tile<type>::kSpace];
    const auto [w, block, column] = stack.at(static_cast<int>(blockIdx.x));
    const int warp = static_cast<int>(threadIdx.x) / 32, tiles = kWarps / slices, width = static_cast<int>(w.in);
    Tile<type> tile(w, (int64_t{block} * tiles + warp / slices) * 8, warp % slices, slices);
    const Front front(x, x_stride, norm, inverse, width);
    if (norm) inverse_rms(front, T, eps, space, inverse);
    const Staged staged = stage < in_halves(type) ? type : form(type) > (front, T, shared_memory<unsigned char>(), warp, kWarps);
    __syncthreads();
    tile.run(staged, T, part[warp], scratch[warp]);
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < tiles * 64; i += static_cast<int>(blockDim.x)) {
        const int t = i % 64 / 8;
        const int64_t row = (int64_t{block} * tiles + i / 64) * 8 + i % 8;
        if (t >= T || row >= w.out) continue;
        float sum = 0;
        for (int slice = 0; slice < slices; ++slice) sum += part[i / 64 * slices + slice][i % 64];
        put(y + t * y_stride + column + row, sum, add);
    }
}

// x as products of many rows take it, row by row.
__global__ void prepare_kernel(const float* x, int64_t stride, int64_t width, const float* norm, float eps, DType form_of_w, unsigned char* to,
                               int64_t to_stride) {
    __shared__ float space[32], inverse;
    x += blockIdx.x * stride, to += blockIdx.x * to_stride;
    const Front front(x, 0, norm, &inverse, static_cast<int>(width));
    if (norm) inverse_rms(front, 1, eps, space, &inverse);
    constexpr int kAtOnce = 4;
    const int step = static_cast<int>(blockDim.x) * 4;
    for (int first = static_cast<int>(threadIdx.x) * 4; first < padded_width(width); first += kAtOnce * step) {
        float4 v[kAtOnce];
        front.normed(0, first, step, v);
#pragma unroll
        for (int k = 0; k < kAtOnce; ++k) {
            const int i = first + k * step;
            if (i >= padded_width(width)) break;
            if (form_of_w == DType::f32)
                reinterpret_cast<float4*>(to)[i / 4] = v[k];
            else
                reinterpret_cast<uint2*>(to)[(form_of_w == DType::bf16 ? i : ordered(i)) / 4] =
                    make_uint2(pack_bf16(v[k].x, v[k].y), pack_bf16(v[k].z, v[k].w));
        }
    }
}

// y = [y +] W x for the matrices of one layout in a stack: block (i, j) has the i-th BT rows of x and the j-th kRows rows of W.
template <DType type, int BT>
__global__ __launch_bounds__(256, (Block<type, BT>::kResident)) void many_rows(Stack stack, const unsigned char* x, int64_t x_stride, int64_t T, float* y,
                                                                               int64_t y_stride, int32_t add) {
    const auto [w, part, column] = stack.at(static_cast<int>(blockIdx.y));
    const int64_t first = int64_t{blockIdx.x} * BT, first_row = int64_t{part} * kRows;
    const auto row_of = [&, w = w](int r) { return min(first_row + r, w.out - 1); };
    Block<type, BT> block;
    block.run(
        w.chunks(), [&](int i) { return x + min(first + i, T - 1) * x_stride; }, [&, w = w](int r) { return Row(w, row_of(r)); });
#pragma unroll
    for (int m = 0; m < block.kM; ++m)
#pragma unroll
        for (int n = 0; n < block.kN; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int64_t t = first + block.x_of(m) + i / 2 * 8, row = first_row + block.w_of(n) + i % 2;
                if (t >= T || row >= w.out) continue;
                put(y + t * y_stride + column + row, block.sum[m][n][i], add);
            }
}

// f(type) as a constant for each layout that the matrices have.
template <class F>
void each_layout(std::span<const Matrix> w, F&& f) {
    uint32_t done = 0;
    for (const Matrix& m : w) {
        if (done & bit(m.type)) continue;
        done |= bit(m.type);
        with_type(m.type, f);
    }
}

// How many warps share a tile of few_rows: so many that enough reads are on their way, and not so many that a few blocks are left for a wave of their own. The
// same for any T, so that a row's bits do not depend on the batch. Counted for an H200 in hundredths of a microsecond: a block begins in 180, a chunk takes a
// warp 17, and where a processor is full 38 for its 24 warps.
int slices_of(int64_t tiles, int64_t chunks, int64_t processors, int64_t most) {  // most: blocks on a processor
    int best = 1;
    int64_t least = 0;
    for (int slices = 1; slices <= kWarps && (slices == 1 || chunks >= 4 * slices); slices *= 2) {
        const int64_t blocks = (tiles * slices + kWarps - 1) / kWarps, places = most * processors, rest = blocks % places;
        const auto wave = [&](int64_t resident) { return 180 + (chunks + slices - 1) / slices * std::max<int64_t>(17, 38 * resident / 3); };
        const int64_t time = blocks / places * wave(most) + (rest > 0 ? wave((rest + processors - 1) / processors) : 0);
        if (slices == 1 || time < least) best = slices, least = time;
    }
    return best;
}

}  // namespace

void CudaBackend::scale_heads(const ScaleHeads& a) {
    fresh();
    const int64_t n = a.y.dim[0] * a.y.dim[1];
    if (n > 0) stream_.launch("scale_heads", scale_heads_kernel, {.x = (n + 255) / 256, .threads = 256}, a.factor, int64_t{a.H}, a.y.dim[1], n, a.y.data);
}

void CudaBackend::mix(const Mix& a) {
    fresh();
    const int64_t n = a.v.dim[0], T = a.v.dim[1], D = a.v.dim[2];
    if (T > 0)
        stream_.launch("mix", mix_kernel, {.x = T, .threads = 256, .shared = static_cast<size_t>(n) * sizeof(float)}, a.v.data, n, T, D, a.w, a.eps, a.y.data);
}

void CudaBackend::embed(const Embed& a) {
    fresh();
    const auto T = static_cast<int64_t>(a.ids.size());
    stream_.launch("embed", embed_kernel, {.x = T, .threads = 256}, stream_.give(a.ids), a.picked.empty() ? nullptr : stream_.give(a.picked), matrix(a.table),
                   a.x.data);
}

const float* CudaBackend::normalised(const float* x, int64_t x_stride, int64_t T, int64_t width, const Norm& norm) {
    if (!norm.weight) {
        KLP_CHECK(x_stride == width);
        return x;
    }
    float* n = temporary<float>(T * width);
    stream_.launch("norm", norm_kernel, {.x = T, .threads = 256}, x, x_stride, width, norm.weight, norm.eps, n);
    return n;
}

void CudaBackend::multiply(const Product& p, std::span<const Matrix> w) {
    if (p.T == 0 || w.empty()) return;
    if (w.size() > Stack::kMost) {
        multiply(p, w.first(Stack::kMost));
        Product rest = p;
        for (const Matrix& m : w.first(Stack::kMost)) rest.y += m.out;
        return multiply(rest, w.subspan(Stack::kMost));
    }
    const int64_t in = w[0].in;
    int64_t staged = 0;
    bool aligned = in < 1 << 24;
    for (const Matrix& m : w) {
        staged = std::max<int64_t>(staged, staged_bytes(m.type, in, 1));
        aligned &= m.stride % 64 == 0 && reinterpret_cast<uintptr_t>(m.codes) % 16 == 0;  // a vector of f32 that was not adopted may be neither
    }
    const int64_t rows = std::min<int64_t>(kFew, shared_limit() / staged);
    if (!aligned || rows == 0) {
        Product one = p;
        const float* x = p.norm.weight ? normalised(p.x, p.x_stride, p.T, in, p.norm) : p.x;
        const int64_t stride = p.norm.weight ? in : p.x_stride;
        for (const Matrix& m : w) {
            for (int64_t t = 0; t < p.T; t += 65535)
                stream_.launch("plain_product", plain_product, {.x = (m.out + 3) / 4, .y = std::min<int64_t>(65535, p.T - t), .threads = 128}, x + t * stride,
                               stride, m, one.y + t * p.y_stride, p.y_stride, p.add);
            one.y += m.out;
        }
        return;
    }
    if (p.T > kFew) {
        const unsigned char* x[kTypes] = {};
        for (const Matrix& m : w)
            if (auto& one = x[static_cast<size_t>(form(m.type))]; !one) one = prepared(p.x, p.x_stride, p.T, in, p.norm, m.type);
        return multiply_prepared(x, p.T, w, p.y, p.y_stride, p.add);
    }
    uint32_t done = 0;  // types
    for (const Matrix& one : w) {
        if (done >> static_cast<int>(few_type(one.type)) & 1) continue;
        done |= 1u << static_cast<int>(few_type(one.type));
        with_few_type(few_type(one.type), [&](auto type) {
            if constexpr (type != kMixed) {
                int64_t tiles = 0;
                for (const Matrix& m : w)
                    if (few_type(m.type) == type) tiles += (m.out + 7) / 8;
                const int slices = slices_of(tiles, in_halves(type) ? in / 128 : one.stride / 64, processors_, few_blocks(type));
                const Stack stack(w, type, 8 * kWarps / slices, few_type);
                const int64_t bytes = staged_bytes(type, in, 1);
                for (int64_t t = 0; t < p.T; t += rows) {
                    const auto n = static_cast<int32_t>(std::min(rows, p.T - t));
                    stream_.launch("few_rows", few_rows<type>, {.x = stack.blocks(), .threads = kWarps * 32, .shared = static_cast<size_t>(n * bytes)}, stack,
                                   slices, p.x + t * p.x_stride, p.x_stride, n, p.norm.weight, p.norm.eps, p.y + t * p.y_stride, p.y_stride, p.add);
                }
            }
        });
    }
}

const unsigned char* CudaBackend::prepared(const float* x, int64_t x_stride, int64_t T, int64_t width, const Norm& norm, DType type) {
    const int64_t stride = prepared_stride(type, width);
    auto* to = temporary<unsigned char>(T * stride);
    stream_.launch("prepare", prepare_kernel, {.x = T, .threads = 256}, x, x_stride, width, norm.weight, norm.eps, form(type), to, stride);
    return to;
}

void CudaBackend::multiply_prepared(const unsigned char* const (&x)[kTypes], int64_t T, std::span<const Matrix> w, float* y, int64_t y_stride, bool add) {
    each_layout(w, [&](auto type) {
        const Stack stack(w, type, kRows, layout);
        const auto launch = [&](auto rows) {
            constexpr int BT = rows;
            stream_.launch("many_rows", many_rows<type, BT>, {.x = (T + BT - 1) / BT, .y = stack.blocks(), .threads = 256, .shared = Block<type, BT>::kShared},
                           stack, x[static_cast<size_t>(form(type))], prepared_stride(type, w[0].in), T, y, y_stride, add);
        };
        if constexpr (form(type) == DType::f32)
            launch(std::integral_constant<int, 32>{});
        else if ((T + 127) / 128 * stack.blocks() >= 2 * processors_)
            launch(std::integral_constant<int, 128>{});
        else
            launch(std::integral_constant<int, 64>{});
    });
}

void CudaBackend::linear(const Linear& a) {
    fresh();
    std::vector<Matrix> w;
    for (const Weight& one : a.w) w.push_back(matrix(one));
    multiply({.x = a.x.data, .x_stride = a.x_step(), .T = a.x.dim[0], .norm = a.norm, .y = a.y.data, .y_stride = a.y_step(), .add = a.add}, w);
}

void CudaBackend::ffn(const Ffn& a) {
    fresh();
    feed_forward({matrix(a.w.gate), matrix(a.w.up), matrix(a.w.down), {a.w.limit, a.w.situ, a.w.situ_up}}, a.x.data, a.norm, a.x.dim[0], a.y.data);
}

}  // namespace klp::cuda
