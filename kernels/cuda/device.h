// What the kernels share: numbers, sums over warps and blocks, matrices as they lie in a GPU's memory.
#pragma once

#include "kernels/cuda/stream.h"

namespace klp::cuda {

// The dynamic shared memory of a launch, Grid::shared bytes.
template <class T>
__device__ __forceinline__ T* shared_memory() {
#if KLP_SIMT
    return static_cast<T*>(simt::shared());
#else
    extern __shared__ __align__(16) unsigned char klp_shared[];
    return reinterpret_cast<T*>(klp_shared);
#endif
}

// --- numbers ----------------------------------------------------------------------------------------------------------------

__device__ __forceinline__ float from_bf16(uint16_t v) { return __uint_as_float(uint32_t{v} << 16); }
// To nearest, ties to even; finite values only.
__device__ __forceinline__ uint16_t to_bf16(float f) {
    const uint32_t bits = __float_as_uint(f);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
__device__ __forceinline__ float rounded_to_bf16(float f) { return from_bf16(to_bf16(f)); }

__device__ __forceinline__ float from_f16(uint16_t h) {
#ifdef __CUDA_ARCH__
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
#else
    const uint32_t sign = uint32_t{h & 0x8000u} << 16, magnitude = uint32_t{h & 0x7fffu} << 13;
    return (h & 0x7c00u) == 0x7c00u ? __uint_as_float(sign | magnitude | 0x7f800000u) : __uint_as_float(sign | __float_as_uint(__uint_as_float(magnitude) * 0x1p112f));
#endif
}

__device__ __forceinline__ float sigmoid(float z) { return 1 / (1 + expf(-z)); }
__device__ __forceinline__ float silu(float z) { return z * sigmoid(z); }
__device__ __forceinline__ float softplus(float z) { return z > 20 ? z : log1pf(expf(z)); }

// --- sums -------------------------------------------------------------------------------------------------------------------

// Of all 32 lanes, in every lane; `width` 2, 4, 8 or 16: of so many neighbours.
template <class T>
__device__ __forceinline__ T warp_sum(T v, int width = 32) {
    for (int step = width / 2; step > 0; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
}
__device__ __forceinline__ float warp_max(float v) {
    for (int step = 16; step > 0; step /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, step));
    return v;
}
// Of all threads of a one-dimensional block of whole warps, in every thread. Every thread calls it; `space`: 32 floats of shared memory.
__device__ __forceinline__ float block_sum(float v, float* space) {
    const int warp = static_cast<int>(threadIdx.x) / 32, warps = static_cast<int>(blockDim.x) / 32;
    v = warp_sum(v);
    __syncthreads();  // who still reads the sum before this one
    if (threadIdx.x % 32 == 0) space[warp] = v;
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < warps; ++i) sum += space[i];
    return sum;
}

// --- matrices ---------------------------------------------------------------------------------------------------------------

// A weight as adopt() leaves it: rows of codes, padded to 16 bytes, then for quantised types all rows of scales. A group is 32 values of a row.
//   f32, f16, bf16   the values
//   q8_0             int8 codes, value = scale * code
//   q4_0             a byte holds values i (low half) and i + 16 (high half) of a group of 32, as in the file; value = scale * table[code], table[c] = c - 8
struct Matrix {
    const unsigned char* codes = nullptr;
    const uint16_t* scales = nullptr;  // f16, [out, in / 32]; null where the codes are the values
    int64_t out = 0, in = 0;
    int64_t stride = 0;  // bytes from row to row of codes
    DType type = DType::f32;
    int32_t unused[1] = {};  // no padding: arguments are compared byte by byte

    __device__ const unsigned char* row(int64_t r) const { return codes + r * stride; }
    __device__ float at(int64_t r, int64_t i) const {
        switch (type) {
            case DType::f32:
                return reinterpret_cast<const float*>(row(r))[i];
            case DType::f16:
                return from_f16(reinterpret_cast<const uint16_t*>(row(r))[i]);
            case DType::bf16:
                return from_bf16(reinterpret_cast<const uint16_t*>(row(r))[i]);
            case DType::q8_0:
                return from_f16(scales[r * (in / 32) + i / 32]) * static_cast<float>(reinterpret_cast<const int8_t*>(row(r))[i]);
            case DType::q4_0: {
                const int byte = row(r)[i / 32 * 16 + i % 16], code = i % 32 < 16 ? byte & 15 : byte >> 4;
                return from_f16(scales[r * (in / 32) + i / 32]) * static_cast<float>(code - 8);
            }
        }
        return 0;
    }
};
Matrix matrix(const Weight& adopted);      // of a weight that adopt() returned; an empty one stays empty
int64_t device_bytes(const Weight& host);  // what adopt() will take for it

}  // namespace klp::cuda
