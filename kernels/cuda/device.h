// What the kernels share: sums over warps and blocks, matrices as they lie in a GPU's memory.
#pragma once

#include "kernels/cuda/formats.h"

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

// 16 bytes of a weight, where they are `there`: nobody reads them again in this pass, so they are the first to leave the second-level cache (leaves_first()),
// and code, states and activations stay. Loads go out in the order in which they stand, without a branch; left to itself the compiler moves each to where it is
// needed.
__device__ __forceinline__ uint64_t leaves_first() {
    uint64_t policy = 0;
#ifdef __CUDA_ARCH__
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
#endif
    return policy;
}
__device__ __forceinline__ void read_once(uint4& v, const void* at, uint64_t policy, bool there = true) {
#ifdef __CUDA_ARCH__
    asm volatile(
        "{\n .reg .pred there;\n setp.ne.u32 there, %6, 0;\n"
        " @there ld.global.nc.L1::no_allocate.L2::cache_hint.v4.u32 {%0, %1, %2, %3}, [%4], %5;\n}"
        : "+r"(v.x), "+r"(v.y), "+r"(v.z), "+r"(v.w)
        : "l"(at), "l"(policy), "r"(static_cast<unsigned>(there)));
#else
    if (there) v = *static_cast<const uint4*>(at);
    (void)policy;
#endif
}
// The same of floats that are read here and now, for the order's sake alone.
__device__ __forceinline__ float4 read_now(const float* at) {
#ifdef __CUDA_ARCH__
    float4 v;
    asm volatile("ld.global.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(at) : "memory");
    return v;
#else
    return *reinterpret_cast<const float4*>(at);
#endif
}

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

// Sums of all threads before this one, and of all threads. Every thread of a one-dimensional block of whole warps calls it; `space`: a value a warp.
template <class T>
struct Scan {
    T before, all;
};
template <class T>
__device__ Scan<T> block_scan(T v, T* space) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32, warps = static_cast<int>(blockDim.x) / 32;
    T up_to = v;
    for (int step = 1; step < 32; step *= 2) {
        const T other = __shfl_up_sync(0xffffffffu, up_to, step);
        if (lane >= step) up_to += other;
    }
    __syncthreads();
    if (lane == 31) space[warp] = up_to;
    __syncthreads();
    Scan<T> s{up_to - v, 0};
    for (int w = 0; w < warps; ++w) {
        if (w < warp) s.before += space[w];
        s.all += space[w];
    }
    return s;
}

// --- matrices ---------------------------------------------------------------------------------------------------------------

// A weight as adopt() leaves it. Rows are padded with zeros to chunks of 64 bytes, so that four lanes of 16 bytes read a chunk and no product needs a tail.
//   f32, f16, bf16   the values
//   q8_0             two groups of 32 values a chunk, value = scale * code. Word h c of a group's eight (h = 0, 1; c = 0..3) is word 4c + 2s + h of the chunk
//                    (s: which of the two groups), so that lane c's 16 bytes are what it holds of both groups in mma_s8().
//   q4_0             four groups a chunk. A byte holds codes i (low half) and i + 16 (high half) of a group, both in two's complement; word c of group s is
//                    word 4c + s of the chunk.
//   all others       blocks as they lie in the file (formats.h); those of q6_k are 224 bytes apart, not 210, so that 16 bytes of them can be read at once
// Behind the rows of q8_0 and q4_0 lie their rows of scales, one f16 a group, zero for groups that are padding.
// As what type a weight lies there; kBlocks stands for all whose blocks are the file's, and kernels that are made for it ask a matrix for its type.
inline constexpr DType kBlocks = DType::q4_1;
static_assert(kBlocks > DType::q4_0 && kBlocks < DType::q5_0);
__host__ __device__ constexpr DType layout(DType type) { return type < kBlocks ? type : kBlocks; }

// For sets of layouts.
constexpr uint32_t bit(DType type) { return 1u << static_cast<int>(layout(type)); }
// f(std::integral_constant<DType, type>) for the layout of a type that is known at run time.
template <class F>
__host__ __device__ __forceinline__ void with_type(DType type, F&& f) {
    switch (type) {
        case DType::f32:
            return f(std::integral_constant<DType, DType::f32>{});
        case DType::f16:
            return f(std::integral_constant<DType, DType::f16>{});
        case DType::bf16:
            return f(std::integral_constant<DType, DType::bf16>{});
        case DType::q8_0:
            return f(std::integral_constant<DType, DType::q8_0>{});
        case DType::q4_0:
            return f(std::integral_constant<DType, DType::q4_0>{});
        default:
            return f(std::integral_constant<DType, kBlocks>{});
    }
}

// Kernels are made for one type each: what a token needs of each must come from memory again, since the weights that it reads in between leave no cache as it
// was. kMixed stands for several types, among which a kernel chooses: a name that no kernel is made for, since nvcc knows no value without one.
inline constexpr DType kMixed = DType::iq1_m;

__host__ __device__ inline int64_t byte_of(int64_t i) {
    return i / 64 * 64 + i / 4 % 4 * 16 + i / 32 % 2 * 8 + i / 16 % 2 * 4 + i % 4;
}  // of value i in a row of q8_0
struct Matrix {
    const unsigned char* codes = nullptr;
    const uint16_t* scales = nullptr;  // null where they are not apart from the codes
    int64_t out = 0, in = 0;
    int64_t stride = 0;  // bytes from row to row of codes, a multiple of 64
    DType type = DType::f32;
    uint8_t none[3] = {};  // no padding: arguments are compared byte by byte
    int32_t groups = 0;    // scales from row to row

    __device__ const unsigned char* row(int64_t r) const { return codes + r * stride; }
    __device__ int chunks() const { return static_cast<int>(layout(type) == kBlocks ? in / 32 : stride / 64); }  // that a row's product goes in
    __device__ float at(int64_t r, int64_t i) const {
        const int v = static_cast<int>(i % 32);
        switch (type) {
            case DType::f32:
                return reinterpret_cast<const float*>(row(r))[i];
            case DType::f16:
                return from_f16(reinterpret_cast<const uint16_t*>(row(r))[i]);
            case DType::bf16:
                return from_bf16(reinterpret_cast<const uint16_t*>(row(r))[i]);
            case DType::q8_0: {
                return from_f16(scales[r * groups + i / 32]) * static_cast<float>(static_cast<int8_t>(row(r)[byte_of(i)]));
            }
            case DType::q4_0: {
                const int pair = row(r)[i / 128 * 64 + v % 16 / 4 * 16 + i / 32 % 4 * 4 + v % 4];
                return from_f16(scales[r * groups + i / 32]) * static_cast<float>(static_cast<int8_t>(v < 16 ? pair << 4 : pair & 0xf0) / 16);
            }
            default:
                return value(type, row(r), i);
        }
    }
};
struct Activation {  // of SwiGlu
    float limit = 0, situ = 0, situ_up = 0;
    int32_t none = 0;  // no padding

    // silu(g) u, or SiTU; what is no number stays none.
    __device__ float operator()(float g, float u) const {
        if (situ > 0) return situ * tanhf(g / situ) * sigmoid(g) * (situ_up > 0 ? situ_up * tanhf(u / situ_up) : u);
        const float a = silu(g);
        if (!(limit > 0)) return a * u;
        return (a > limit ? limit : a) * (u > limit ? limit : u < -limit ? -limit : u);
    }
};
struct Expert {  // SwiGlu
    Matrix gate, up, down;
    Activation glu;
};
Matrix matrix(const Weight& adopted);      // of a weight that adopt() returned; an empty one stays empty
int64_t device_bytes(const Weight& host);  // what adopt() will take for it

}  // namespace klp::cuda
