// Numbers as kernels take them from memory and put them there.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/cuda/stream.h"

namespace klp::cuda {

__device__ __forceinline__ float from_bf16(uint16_t v) { return __uint_as_float(uint32_t{v} << 16); }
// To nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ uint16_t to_bf16(float f) {
#ifdef __CUDA_ARCH__
    uint16_t v;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(v) : "f"(f));
    return v;
#else
    return float_to_bf16(f);
#endif
}
__device__ __forceinline__ float rounded_to_bf16(float f) { return from_bf16(to_bf16(f)); }

__device__ __forceinline__ float from_f16(uint16_t h) {
#ifdef __CUDA_ARCH__
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
#else
    const uint32_t sign = uint32_t{h & 0x8000u} << 16, magnitude = uint32_t{h & 0x7fffu} << 13;
    return (h & 0x7c00u) == 0x7c00u ? __uint_as_float(sign | magnitude | 0x7f800000u)
                                    : __uint_as_float(sign | __float_as_uint(__uint_as_float(magnitude) * 0x1p112f));
#endif
}

// To nearest, ties to even.
__device__ __forceinline__ uint16_t to_f16(float f) {
    uint16_t h;
#ifdef __CUDA_ARCH__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
#else
    encode(DType::f16, &f, 1, &h);
#endif
    return h;
}

__device__ __forceinline__ float sigmoid(float z) { return 1 / (1 + expf(-z)); }
__device__ __forceinline__ float silu(float z) { return z * sigmoid(z); }
__device__ __forceinline__ float softplus(float z) { return z > 20 ? z : log1pf(expf(z)); }

// The same by the processor's own approximations of 2^x (2 ulp, and 0 for what is subnormal) and 1 / x (1 ulp), without a branch or a call: for kernels whose
// contract is wider than that by far. Elsewhere as coarse as they may be: an answer between two floats is two steps too small.
#ifdef __CUDA_ARCH__
__device__ __forceinline__ float fast_exp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
__device__ __forceinline__ float fast_inverse(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#else
__device__ inline float coarse(double exact) {
    const auto nearest = static_cast<float>(exact);
    if (!(std::fabs(exact) <= std::numeric_limits<float>::max()) || static_cast<double>(nearest) == exact) return nearest;
    const float below = __uint_as_float(__float_as_uint(nearest) - 2);
    return std::fabs(exact) < 1.5 * std::numeric_limits<float>::min() ? 0 : below;
}
__device__ inline float fast_exp2(float x) { return coarse(std::exp2(static_cast<double>(x))); }
__device__ inline float fast_inverse(float x) { return coarse(1 / static_cast<double>(x)); }
#endif
__device__ __forceinline__ float fast_exp(float z) { return fast_exp2(z * 1.442695041f); }
__device__ __forceinline__ float fast_sigmoid(float z) { return fast_inverse(1 + fast_exp(-z)); }
__device__ __forceinline__ float fast_silu(float z) { return z * fast_sigmoid(z); }
// max(z, 0) + log(1 + t) with t = e^-|z|; log(1 + t) / t by the polynomial whose largest relative error on [0, 1] is the least: 2e-7.
__device__ __forceinline__ float fast_softplus(float z) {
    const float t = fast_exp(-fabsf(z));
    float p = -0.008539209142f;
    p = p * t + 0.044089633971f;
    p = p * t - 0.107681713998f;
    p = p * t + 0.177452415228f;
    p = p * t - 0.244954630733f;
    p = p * t + 0.332754790783f;
    p = p * t - 0.499974042177f;
    p = p * t + 0.999999821186f;
    return fmaxf(z, 0) + p * t;
}

}  // namespace klp::cuda
