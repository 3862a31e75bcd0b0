// Products: the embedding's rows, projections with the norm in front and the residual behind, the dense feed-forward.
#include "kernels/cuda/cuda_backend.h"

namespace klp::cuda {

namespace {

// x[t, i] = table[ids[t], i]; one block a token.
__global__ void embed_kernel(const int32_t* ids, Matrix table, float* x) {
    const int64_t t = blockIdx.x, row = ids[t];
    for (int64_t i = threadIdx.x; i < table.in; i += blockDim.x) x[t * table.in + i] = table.at(row, i);
}

// 1 / rms of a row, in every thread of the block.
__device__ float inverse_rms(const float* x, int64_t n, float eps, float* space) {
    float sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += x[i] * x[i];
    return rsqrtf(block_sum(sum, space) / static_cast<float>(n) + eps);
}

// n[t] = norm(x[t]); one block a row.
__global__ void norm_kernel(const float* x, int64_t stride, int64_t width, const float* weight, float eps, float* n) {
    __shared__ float space[32];
    const int64_t t = blockIdx.x;
    const float scale = inverse_rms(x + t * stride, width, eps, space);
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) n[t * width + i] = x[t * stride + i] * scale * weight[i];
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

}  // namespace

void CudaBackend::embed(const Embed& a) {
    const auto T = static_cast<int64_t>(a.ids.size());
    stream_.launch("embed", embed_kernel, {.x = T, .threads = 256}, stream_.give(a.ids), matrix(a.table), a.x.data);
}

void CudaBackend::multiply(const Product& p) {
    const float* x = p.x;
    int64_t stride = p.x_stride;
    if (p.norm.weight) {
        float* n = temporary<float>(p.T * p.w.in);
        stream_.launch("norm", norm_kernel, {.x = p.T, .threads = 256}, p.x, p.x_stride, p.w.in, p.norm.weight, p.norm.eps, n);
        x = n, stride = p.w.in;
    }
    for (int64_t t = 0; t < p.T; t += 65535)
        stream_.launch("plain_product", plain_product, {.x = (p.w.out + 3) / 4, .y = std::min<int64_t>(65535, p.T - t), .threads = 128}, x + t * stride, stride, p.w,
                       p.y + t * p.y_stride, p.y_stride, p.add);
}

void CudaBackend::linear(const Linear& a) {
    fresh();
    int64_t column = 0;
    for (const Weight& w : a.w) {
        multiply({.x = a.x.data, .x_stride = a.x.dim[1], .T = a.x.dim[0], .norm = a.norm, .w = matrix(w), .y = a.y.data + column, .y_stride = a.y.dim[1], .add = a.add});
        column += w.out;
    }
}

void CudaBackend::ffn(const Ffn&) { throw DeviceError("ffn is not written for CUDA yet"); }

}  // namespace klp::cuda
