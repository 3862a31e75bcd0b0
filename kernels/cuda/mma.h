// Instructions that C++ has no words for (PTX ISA, "Warp-level matrix instructions" and "Asynchronous copy"), sm_80 and later; in the tests' simulation as
// plain C++ with the same layout of fragments.
#pragma once

#include "kernels/cuda/device.h"

namespace klp::cuda {

// Two bf16 in a register, the lower index in the lower half; not a number stays not a number.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#if KLP_SIMT
    const auto half = [](float f) { return f == f ? uint32_t{to_bf16(f)} : 0x7fffu; };
    return half(low) | half(high) << 16;
#else
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

// Two f16 in a register, the same way. For what is of the size of 1: three bits more than bf16 has, but nothing above 65504 and 24 bits behind the point.
__device__ __forceinline__ uint32_t pack_f16(float low, float high) {
#if KLP_SIMT
    return to_f16(low) | uint32_t{to_f16(high)} << 16;
#else
    uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

#if KLP_SIMT
// mma_bf16 and mma_f16; half(v) is the number that 16 bits mean.
template <class Half>
void simulated_mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Half half) {
    struct Fragments {
        uint32_t a[4], b[2];
    };
    Fragments mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    std::memcpy(simt::slot(simt::lane()), &mine, sizeof mine);
    simt::warp_barrier(0xffffffffu);
    const auto of = [](int lane) { return static_cast<const Fragments*>(simt::slot(lane)); };
    const auto at = [&](uint32_t pair, int k) { return half(static_cast<uint16_t>(k % 2 ? pair >> 16 : pair)); };
    const int g = simt::lane() / 4, c = simt::lane() % 4 * 2;
    for (int i = 0; i < 4; ++i) {
        const int row = g + i / 2 * 8, column = c + i % 2;
        for (int k = 0; k < 16; ++k) d[i] += at(of(row % 8 * 4 + k % 8 / 2)->a[row / 8 + k / 8 * 2], k) * at(of(column * 4 + k % 8 / 2)->b[k / 8], k);
    }
    simt::warp_barrier(0xffffffffu);
}
#endif

// d += a b with a [16, 16] and b [16, 8] in bf16, d [16, 8] in f32, by a whole warp. With g = lane / 4 and c = 2 (lane % 4), a lane holds
//   a[0] (g, c..c+1)  a[1] (g + 8, c..)  a[2] (g, c + 8..)  a[3] (g + 8, c + 8..)      (row, k)
//   b[0] (c..c+1, g)  b[1] (c + 8.., g)                                               (k, column)
//   d[0] (g, c)  d[1] (g, c + 1)  d[2] (g + 8, c)  d[3] (g + 8, c + 1)                 (row, column)
__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if KLP_SIMT
    simulated_mma(d, a, b, [](uint16_t v) { return from_bf16(v); });
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// The same of f16.
__device__ __forceinline__ void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if KLP_SIMT
    simulated_mma(d, a, b, [](uint16_t v) { return from_f16(v); });
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// d += a b with a [16, 32] and b [32, 8] in int8, four values a register, and d [16, 8] in int32. With g = lane / 4 and c = 4 (lane % 4), a lane holds
//   a[0] (g, c..c+3)  a[1] (g + 8, c..)  a[2] (g, c + 16..)  a[3] (g + 8, c + 16..)    (row, k)
//   b[0] (c..c+3, g)  b[1] (c + 16.., g)                                               (k, column)
// and of d what it holds in mma_bf16.
__device__ __forceinline__ void mma_s8(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if KLP_SIMT
    struct Fragments {
        int8_t a[4][4], b[2][4];
    };
    Fragments mine;
    std::memcpy(mine.a, a, sizeof a);
    std::memcpy(mine.b, b, sizeof b);
    std::memcpy(simt::slot(simt::lane()), &mine, sizeof mine);
    simt::warp_barrier(0xffffffffu);
    const int g = simt::lane() / 4, c = simt::lane() % 4 * 2;
    for (int i = 0; i < 4; ++i) {
        const int row = g + i / 2 * 8, column = c + i % 2;
        for (int lane = 0; lane < 4; ++lane) {
            const auto& of_row = static_cast<const Fragments*>(simt::slot(row % 8 * 4 + lane))->a;
            const auto& of_column = static_cast<const Fragments*>(simt::slot(column * 4 + lane))->b;
            for (int k = 0; k < 8; ++k) d[i] += of_row[row / 8 + k / 4 * 2][k % 4] * of_column[k / 4][k % 4];
        }
    }
    simt::warp_barrier(0xffffffffu);
#else
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// The same product with kFloats to begin with in place of what d holds: read as a float, less kFloatsAs, d is the sum as a number (of at most 22 bits), without
// a conversion, of which a processor does a quarter as many as of sums.
constexpr int kFloats = 0x4b400000;
constexpr float kFloatsAs = 0x1.8p23f;
__device__ __forceinline__ void mma_s8_of(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if KLP_SIMT
    for (int& v : d) v = kFloats;
    mma_s8(d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(kFloats));
#endif
}
__device__ __forceinline__ float float_of(int sum) { return __int_as_float(sum) - kFloatsAs; }

// 16 bytes from global to shared memory, both aligned to 16; zeros where `there` is false. Arrives with copies_arrived().
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool there = true) {
#if KLP_SIMT
    simt::copy_later(shared, there ? global : nullptr);
#else
    const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(global), "r"(there ? 16 : 0) : "memory");
#endif
}
// Closes a group of copies; copies_arrived<N>: all but the last N groups of this thread are there (a __syncthreads makes them everybody's).
__device__ __forceinline__ void copies_sent() {
#if KLP_SIMT
    simt::close_copies();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int N>
__device__ __forceinline__ void copies_arrived() {
#if KLP_SIMT
    simt::await_copies(N);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// Four 8 x 8 matrices of 16-bit values out of shared memory, by a whole warp: lane l names row l % 8, 16 bytes, of matrix l / 8. With g = lane / 4 and
// c = 2 (lane % 4), a lane gets of each matrix (g, c..c+1), or (c..c+1, g) of one that lies turned.
template <bool turned = false>
__device__ __forceinline__ void load_matrices(uint32_t (&m)[4], const void* row) {
#if KLP_SIMT
    simt::need_alignment(row);
    std::memcpy(simt::slot(simt::lane()), &row, sizeof row);
    simt::warp_barrier(0xffffffffu);
    const auto at = [](int matrix, int r, int c) {
        const uint16_t* values;
        std::memcpy(&values, simt::slot(matrix * 8 + r), sizeof values);
        return uint32_t{values[c]};
    };
    const int g = simt::lane() / 4, c = simt::lane() % 4 * 2;
    for (int i = 0; i < 4; ++i) m[i] = turned ? at(i, c, g) | at(i, c + 1, g) << 16 : at(i, g, c) | at(i, g, c + 1) << 16;
    simt::warp_barrier(0xffffffffu);
#else
    const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    if constexpr (turned)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(at));
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(at));
#endif
}

}  // namespace klp::cuda
