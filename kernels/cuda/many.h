// Products with many rows of x, for prefill: tiles of x and w in shared memory, on tensor cores for types whose x is rounded, with f32 arithmetic for f32 and
// f16.
//
// A block computes kRows rows of w for BT rows of x, in steps of 64 bytes of each row (32 values in bf16, 16 in f32), four steps on their way. Codes of q8_0
// and q4_0 become bf16 on their way into shared memory, which is exact, and a step is a group, whose sum is scaled; x is rounded to bf16, which moves it
// less than int8 would. Blocks as the file has them become bf16 with their scales on, which rounds them too: both together stay below what int8 may cost. As
// in few.h the columns of both sides are in whatever order makes a lane's 16 bytes what it must hold; so 16 bytes a lane are all that is ever read. With 128
// rows of x bound by shared memory: for a step of 128 x 128 x 32 it is read for 384 clocks and written for 128, and mma.sync takes 413; with few rows by the
// bytes of w. Half of the loop's instructions put registers in the order that a product wants them in.
#pragma once

#include "kernels/cuda/few.h"

namespace klp::cuda {

inline constexpr int kRows = 128;  // of w in a block, of 256 threads

// --- x in global memory -----------------------------------------------------------------------------------------------------

// Rows of padded_width() values with zeros behind: f32; bf16; or, for codes, bf16 with value i of a group of 32 at ordered(i).
__host__ __device__ constexpr int64_t prepared_stride(DType type, int64_t width) { return padded_width(width) * (form(type) == DType::f32 ? 4 : 2); }
__device__ __forceinline__ int64_t ordered(int64_t i) { return i / 32 * 32 + i / 4 % 4 * 8 + i / 16 % 2 * 4 + i % 4; }
__device__ __forceinline__ void put_prepared(DType form_of_w, unsigned char* row, int64_t i, float v) {
    if (form_of_w == DType::f32)
        reinterpret_cast<float*>(row)[i] = v;
    else
        reinterpret_cast<uint16_t*>(row)[form_of_w == DType::bf16 ? i : ordered(i)] = to_bf16(v);
}

// --- a block's product ------------------------------------------------------------------------------------------------------

struct Row {
    const unsigned char* codes;
    const uint16_t* scales;
    DType type;

    __device__ Row(const Matrix& w, int64_t r) : codes(w.row(r)), scales(w.scales + r * w.groups), type(w.type) {}
};

template <DType type, int BT>
class Block {
    static constexpr bool kTensor = form(type) != DType::f32, kDirect = type == DType::bf16 || type == DType::f32, kFile = type == kBlocks;
    static constexpr int kSteps = type == DType::q4_0 ? 4 : type == DType::q8_0 || type == DType::f16 ? 2 : 1;  // in a chunk of codes
    static constexpr int kStride = kTensor ? 64 : 80;                            // of a row in shared memory: eight lanes meet every bank once
    static constexpr bool kScaled = type == DType::q8_0 || type == DType::q4_0;  // codes, whose scale stands behind the rows of a stage
    static constexpr int kStages = 4, kScales = (BT + kRows) * kStride, kStage = kScales + (kScaled ? kRows * 4 : 0);
    static constexpr int kDown = BT == 32 ? 1 : 2, kAcross = 8 / kDown;  // warps
    static constexpr int kXs = BT * 4 / 256 > 0 ? BT * 4 / 256 : 1;      // pieces of x that a thread copies in a step

public:
    static constexpr size_t kShared = static_cast<size_t>(kStages) * kStage;
    static constexpr int kResident = BT == 32 ? kTensor && !kScaled ? 3 : 2 : BT == 128 && kScaled ? 1 : 2;  // blocks a processor is to hold
    static constexpr int kM = BT / kDown / 16, kN = kRows / kAcross / 8;                                     // a warp's tiles of 16 rows of x and 8 of w

    // sum[m][n] holds, as mma_bf16's d, rows x_of(m) and columns w_of(n) of the product.
    float sum[kM][kN][4] = {};
    __device__ static int x_of(int m) { return warp() / kAcross * (kM * 16) + m * 16 + lane() / 4; }    // and 8 below
    __device__ static int w_of(int n) { return warp() % kAcross * (kN * 8) + n * 8 + lane() % 4 * 2; }  // and the next
    __device__ static int warp() { return static_cast<int>(threadIdx.x) / 32; }
    __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }

    // x_row(i): where row i of x lies, prepared; w_row(r): row r of w. `chunks`: of a row of w.
    template <class X, class W>
    __device__ void run(int chunks, X&& x_row, W&& w_row) {
        const int thread = static_cast<int>(threadIdx.x), c = thread % 4, steps = chunks * kSteps;
        const unsigned char* x_at[kXs];
        for (int j = 0; j < kXs; ++j) x_at[j] = x_row(min(thread / 4 + j * 64, BT - 1));
        const Row w_at[2] = {w_row(thread / 4), w_row(thread / 4 + 64)};
        unsigned char* const shared = shared_memory<unsigned char>();
        const auto piece = [&](int step, int row) { return shared + step % kStages * kStage + row * kStride + c * 16; };  // rows of x, then of w
        const auto send = [&](int step) {
            if (step < steps) {
                // A chunk of f16 is two steps; the first has values 0..3 of each eight.
                const int64_t from = type == DType::f16 ? step / 2 * 128 + c * 32 + step % 2 * 16 : step * 64 + c * 16;
                for (int j = 0; j < kXs; ++j)
                    if (BT >= 64 || thread < BT * 4) copy_async(piece(step, thread / 4 + j * 64), x_at[j] + from);
                if constexpr (kDirect)
                    for (int j = 0; j < 2; ++j) copy_async(piece(step, BT + thread / 4 + j * 64), w_at[j].codes + int64_t{step} * 64 + c * 16);
            }
            copies_sent();
        };
        uint4 codes[2], next[2];
        uint2 scales[2] = {}, next_scales[2] = {};
        const auto fetch = [&](int chunk) {
            for (int j = 0; j < 2; ++j) {
                next[j] = __ldg(reinterpret_cast<const uint4*>(w_at[j].codes + int64_t{chunk} * 64 + c * 16));
                if constexpr (type == DType::q8_0) next_scales[j].x = __ldg(reinterpret_cast<const uint32_t*>(w_at[j].scales) + chunk);
                if constexpr (type == DType::q4_0) next_scales[j] = __ldg(reinterpret_cast<const uint2*>(w_at[j].scales) + chunk);
            }
        };
        // The part-th of a chunk's kSteps, from registers to shared memory.
        const auto convert = [&](int step, auto part) {
            if constexpr (kFile) {
                for (int j = 0; j < 2; ++j)
                    *reinterpret_cast<uint4*>(piece(step, BT + thread / 4 + j * 64)) = values(octet(w_at[j].type, w_at[j].codes, step, c));
                return;
            }
            if constexpr (part == 0) {
                for (int j = 0; j < 2; ++j) codes[j] = next[j], scales[j] = next_scales[j];
                if (step / kSteps + 1 < chunks) fetch(step / kSteps + 1);
            }
            for (int j = 0; j < 2; ++j) {
                *reinterpret_cast<uint4*>(piece(step, BT + thread / 4 + j * 64)) = values<part>(codes[j]);
                if constexpr (kScaled)
                    if (c == 0)
                        reinterpret_cast<float*>(shared + step % kStages * kStage + kScales)[thread / 4 + j * 64] =
                            from_f16(static_cast<uint16_t>((part < 2 ? scales[j].x : scales[j].y) >> part % 2 * 16)) * (type == DType::q4_0 ? 0.0625f : 1.f);
            }
        };
        if constexpr (!kDirect && !kFile) fetch(0);
        for (int step = 0; step < kStages - 1; ++step) send(step);
        if constexpr (!kDirect) convert(0, std::integral_constant<int, 0>{});
        const auto one = [&](int step, auto part) {
            copies_arrived<kStages - 2>();
            __syncthreads();
            send(step + kStages - 1);
            if constexpr (!kDirect)
                if (step + 1 < steps) convert(step + 1, std::integral_constant<int, (part + 1) % kSteps>{});
            add(shared + step % kStages * kStage);
        };
        for (int step = 0; step < steps; step += kSteps) {
            one(step, std::integral_constant<int, 0>{});
            if constexpr (kSteps > 1) one(step + 1, std::integral_constant<int, 1 % kSteps>{});
            if constexpr (kSteps > 2) one(step + 2, std::integral_constant<int, 2 % kSteps>{}), one(step + 3, std::integral_constant<int, 3 % kSteps>{});
        }
    }

private:
    __device__ static uint4 values(const Octet& o) {
        const auto two = [&](int h, int k) { return pack_bf16(value(o, h, k), value(o, h, k + 1)); };
        return make_uint4(two(0, 0), two(0, 2), two(1, 0), two(1, 2));
    }
    // 16 bytes of a row of w for the part-th step of a chunk.
    template <int part>
    __device__ static uint4 values(const uint4& codes) {
        const uint32_t word[4] = {codes.x, codes.y, codes.z, codes.w};
        if constexpr (type == DType::f16) {
            float f[4];
            for (int i = 0; i < 4; ++i) f[i] = from_f16(static_cast<uint16_t>(word[part * 2 + i / 2] >> i % 2 * 16));
            return make_uint4(__float_as_uint(f[0]), __float_as_uint(f[1]), __float_as_uint(f[2]), __float_as_uint(f[3]));
        } else {
            const uint32_t low = type == DType::q8_0 ? word[part * 2 % 4] : word[part % 4] << 4 & 0xf0f0f0f0u;
            const uint32_t high = type == DType::q8_0 ? word[(part * 2 + 1) % 4] : word[part % 4] & 0xf0f0f0f0u;
            const auto value = [&](uint32_t four, int i) { return static_cast<float>(static_cast<int8_t>(four >> i * 8)); };
            const auto two = [&](uint32_t four, int i) { return pack_bf16(value(four, i), value(four, i + 1)); };
            return make_uint4(two(low, 0), two(low, 2), two(high, 0), two(high, 2));
        }
    }

    __device__ void add(const unsigned char* stage) {
        const int g = lane() / 4, c = lane() % 4;
        const unsigned char* const x = stage + warp() / kAcross * (kM * 16) * kStride;
        const unsigned char* const w = stage + (BT + warp() % kAcross * (kN * 8)) * kStride;
        if constexpr (kTensor) {
            uint4 b[kN];
#pragma unroll
            for (int n = 0; n < kN; ++n) b[n] = *reinterpret_cast<const uint4*>(w + (n * 8 + g) * kStride + c * 16);
#pragma unroll
            for (int m = 0; m < kM; ++m) {
                const uint4 up = *reinterpret_cast<const uint4*>(x + (m * 16 + g) * kStride + c * 16);
                const uint4 low = *reinterpret_cast<const uint4*>(x + (m * 16 + g + 8) * kStride + c * 16);
#pragma unroll
                for (int n = 0; n < kN; ++n) {
                    float group[4] = {};
                    float(&d)[4] = kScaled ? group : sum[m][n];
                    mma_bf16(d, {up.x, low.x, up.y, low.y}, {b[n].x, b[n].y});
                    mma_bf16(d, {up.z, low.z, up.w, low.w}, {b[n].z, b[n].w});
                    if constexpr (kScaled) {
                        const float2 scale = reinterpret_cast<const float2*>(stage + kScales)[w_of(n) / 2];
                        for (int i = 0; i < 4; ++i) sum[m][n][i] += d[i] * (i % 2 ? scale.y : scale.x);
                    }
                }
            }
        } else {
            for (int k = 0; k < 64; k += 16) {
                float4 b[kN][2];
#pragma unroll
                for (int n = 0; n < kN; ++n)
                    for (int i = 0; i < 2; ++i) b[n][i] = *reinterpret_cast<const float4*>(w + (n * 8 + c * 2 + i) * kStride + k);
#pragma unroll
                for (int m = 0; m < kM; ++m)
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        const float4 a = *reinterpret_cast<const float4*>(x + (m * 16 + g + i * 8) * kStride + k);
#pragma unroll
                        for (int n = 0; n < kN; ++n)
                            for (int j = 0; j < 2; ++j) {
                                float& s = sum[m][n][i * 2 + j];
                                s += a.x * b[n][j].x;
                                s += a.y * b[n][j].y;
                                s += a.z * b[n][j].z;
                                s += a.w * b[n][j].w;
                            }
                    }
            }
        }
    }
};

}  // namespace klp::cuda
