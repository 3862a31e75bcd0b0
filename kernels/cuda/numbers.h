// Numbers as kernels take them from memory and put them there.
#pragma once

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

}  // namespace klp::cuda
