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

// hidden = silu(gate) * up
__global__ void swiglu_kernel(const float* gate, const float* up, int64_t n, float* hidden) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < n) hidden[i] = silu(gate[i]) * up[i];
}

}  // namespace

void CudaBackend::embed(const Embed& a) {
    const auto T = static_cast<int64_t>(a.ids.size());
    stream_.launch("embed", embed_kernel, {.x = T, .threads = 256}, stream_.give(a.ids), matrix(a.table), a.x.data);
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

void CudaBackend::multiply(const Product& p) {
    const float* x = p.x;
    int64_t stride = p.x_stride;
    if (p.norm.weight) x = normalised(p.x, p.x_stride, p.T, p.w.in, p.norm), stride = p.w.in;
    for (int64_t t = 0; t < p.T; t += 65535)
        stream_.launch("plain_product", plain_product, {.x = (p.w.out + 3) / 4, .y = std::min<int64_t>(65535, p.T - t), .threads = 128}, x + t * stride, stride,
                       p.w, p.y + t * p.y_stride, p.y_stride, p.add);
}

void CudaBackend::linear(const Linear& a) {
    fresh();
    int64_t column = 0;
    for (const Weight& w : a.w) {
        multiply({.x = a.x.data,
                  .x_stride = a.x.dim[1],
                  .T = a.x.dim[0],
                  .norm = a.norm,
                  .w = matrix(w),
                  .y = a.y.data + column,
                  .y_stride = a.y.dim[1],
                  .add = a.add});
        column += w.out;
    }
}

void CudaBackend::feed_forward(const SwiGlu& w, const float* n, int64_t T, float* y) {
    const int64_t D = w.gate.in, F = w.gate.out;
    float *gate = temporary<float>(T * F), *up = temporary<float>(T * F);
    multiply({.x = n, .x_stride = D, .T = T, .w = matrix(w.gate), .y = gate, .y_stride = F});
    multiply({.x = n, .x_stride = D, .T = T, .w = matrix(w.up), .y = up, .y_stride = F});
    stream_.launch("swiglu", swiglu_kernel, {.x = (T * F + 255) / 256, .threads = 256}, gate, up, T * F, gate);
    multiply({.x = gate, .x_stride = F, .T = T, .w = matrix(w.down), .y = y, .y_stride = D, .add = true});
}

void CudaBackend::ffn(const Ffn& a) {
    fresh();
    const int64_t T = a.x.dim[0], D = a.x.dim[1];
    if (T == 0) return;
    feed_forward(a.w, normalised(a.x.data, D, T, D, a.norm), T, a.y.data);
}

}  // namespace klp::cuda
