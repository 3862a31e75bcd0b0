// Products with a few rows of x, for decoding: bound by the bytes of w, which every lane reads 16 at a time with two to four reads on their way
// (tests/loads.py looks whether they are).
//
// A warp adds up a tile of 8 rows of w over a slice of its columns. Lane (g, c) = (lane / 4, lane % 4) reads its 16 bytes of row g in each chunk of 64: what it
// must hold as the second factor of a tensor core's product, if the columns of x are taken in the same order. Up to 8 rows of x are the first factor, so that
// they all cost the same: for 16 codes of q4_0 a lane spends about 28 instructions whatever T is. f32 and f16, whose x is not rounded, are multiplied as they
// are.
#pragma once

#include "kernels/cuda/mma.h"

namespace klp::cuda {

inline constexpr int kFew = 8;  // rows of x

// --- x in shared memory -----------------------------------------------------------------------------------------------------

// The types whose products take x in the same form: f32 (and f16), bf16, q8_0 (and all others).
__host__ __device__ constexpr DType form(DType type) { return type == DType::f16 ? DType::f32 : type > DType::q8_0 ? DType::q8_0 : type; }

// The type by whose kernel few rows are multiplied: formats that most files are made of have one of their own.
__host__ __device__ constexpr DType few_type(DType type) { return type == DType::q4_k || type == DType::q6_k ? type : layout(type); }

// Rows of x, rounded as ops.h says for a type: f32, bf16, or int8 with scales, in the order of q8_0; for q4_k and q6_k in the order of few_place(). Padded with
// zeros; rows are 64 bytes apart modulo 128, so that eight lanes of 16 bytes from two rows meet every bank once.
struct Staged {
    unsigned char* values;
    float* scales;  // [T, groups]
    float* sums;    // q4_k: [T, groups] sums of 32 values; q6_k: [T, 2 groups] kFloats less 32 times the sum of 16 codes, as integers
    int stride, groups;
};
__host__ __device__ constexpr bool in_halves(DType type) { return type == DType::q4_k || type == DType::q6_k; }
// Blocks of 8 or 9 warps that a processor is to hold: what a lane needs for half a block, and for whatever type may come, are more registers than a third has.
constexpr int few_blocks(DType type) { return in_halves(type) || type == kMixed ? 2 : 3; }
// Where value i, a multiple of 4, lies: as it is, or of 128 values (0..15, 64..79), (16..31, 80..95), ...
template <DType type>
__device__ __forceinline__ int few_place(int i) {
    return type == DType::q4_k ? i : type == DType::q6_k ? i / 128 * 128 + i / 16 % 4 * 32 + i / 64 % 2 * 16 + i % 16 : static_cast<int>(byte_of(i));
}
__host__ __device__ constexpr int padded_width(int64_t width) { return static_cast<int>((width + 127) / 128 * 128); }
__host__ __device__ constexpr int staged_stride(DType type, int64_t width) {
    return padded_width(width) * (form(type) == DType::bf16 ? 2 : form(type) == DType::q8_0 ? 1 : 4) + 64;
}
__host__ __device__ constexpr int staged_bytes(DType type, int64_t width, int T) {
    return T * (staged_stride(type, width) + (form(type) == DType::q8_0 ? padded_width(width) / 32 * (in_halves(type) ? 12 : 4) : 0));
}

// What stands in front of a product: x itself, or x * inverse[t] * weight. Four values at a time, zeros behind the width.
struct Front {
    const float* x;
    int64_t stride;
    const float* weight;   // null: x itself
    const float* inverse;  // [T]
    int width;
    bool aligned;  // to 16 bytes, all of it

    __device__ Front(const float* x, int64_t stride, const float* weight, const float* inverse, int width)
        : x(x),
          stride(stride),
          weight(weight),
          inverse(inverse),
          width(width),
          aligned((width | stride) % 4 == 0 && (reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(weight)) % 16 == 0) {}
    // The N quads at i, i + step, .. of row t: all are asked for before the first is needed.
    template <int N>
    __device__ __forceinline__ void raw(int t, int i, int step, float4 (&v)[N]) const {
        quads(x + t * stride, i, step, v);
    }
    template <int N>
    __device__ __forceinline__ void normed(int t, int i, int step, float4 (&v)[N]) const {
        raw(t, i, step, v);
        if (!weight) return;
        float4 w[N];
        quads(weight, i, step, w);
        const float scale = inverse[t];
#pragma unroll
        for (int k = 0; k < N; ++k) v[k] = make_float4(v[k].x * scale * w[k].x, v[k].y * scale * w[k].y, v[k].z * scale * w[k].z, v[k].w * scale * w[k].w);
    }

private:
    template <int N>
    __device__ __forceinline__ void quads(const float* from, int i, int step, float4 (&v)[N]) const {
        if (aligned) {
#pragma unroll
            for (int k = 0; k < N; ++k) v[k] = i + k * step < width ? *reinterpret_cast<const float4*>(from + i + k * step) : make_float4(0, 0, 0, 0);
            return;
        }
        const auto one = [&](int at) { return at < width ? from[at] : 0; };
#pragma unroll
        for (int k = 0; k < N; ++k) v[k] = make_float4(one(i + k * step), one(i + k * step + 1), one(i + k * step + 2), one(i + k * step + 3));
    }
};

// By `warps` warps, of which this is `warp`; they meet behind it.
template <DType type>
__device__ Staged stage(const Front& front, int T, unsigned char* to, int warp, int warps) {
    const int padded = padded_width(front.width), lane = static_cast<int>(threadIdx.x) % 32;
    auto* const scales = reinterpret_cast<float*>(to + T * staged_stride(type, front.width));
    const Staged s{to, scales, scales + T * padded / 32, staged_stride(type, front.width), padded / 32};
    const auto put = [&](int t, int i, const float4& v) {
        unsigned char* const row = to + t * s.stride;
        if constexpr (type == DType::bf16) {
            *reinterpret_cast<uint2*>(row + i * 2) = make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
        } else if constexpr (form(type) == DType::q8_0) {
            // Of the eight lanes of a group; as bits, so that NaN is the largest of all.
            uint32_t bits = max(max(__float_as_uint(fabsf(v.x)), __float_as_uint(fabsf(v.y))), max(__float_as_uint(fabsf(v.z)), __float_as_uint(fabsf(v.w))));
            for (int step = 4; step > 0; step /= 2) bits = max(bits, __shfl_xor_sync(0xffffffffu, bits, step));
            const float largest = __uint_as_float(bits), inverse = largest > 1e-30f ? 127 / largest : 0;
            const int code[4] = {__float2int_rn(v.x * inverse), __float2int_rn(v.y * inverse), __float2int_rn(v.z * inverse), __float2int_rn(v.w * inverse)};
            const auto byte = [&](int k) { return static_cast<uint32_t>(code[k] & 0xff) << 8 * k; };
            *reinterpret_cast<uint32_t*>(row + few_place<type>(i)) = byte(0) | byte(1) | byte(2) | byte(3);
            if (lane % 8 == 0) s.scales[t * s.groups + i / 32] = largest / 127;
            if constexpr (in_halves(type)) {
                int sum = code[0] + code[1] + code[2] + code[3];
                for (int step = 1; step < (type == DType::q6_k ? 4 : 8); step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
                if (type == DType::q4_k && lane % 8 == 0) s.sums[t * s.groups + i / 32] = static_cast<float>(sum) * (largest / 127);
                if (type == DType::q6_k && lane % 4 == 0) s.sums[2 * t * s.groups + i / 16] = __int_as_float(kFloats - 32 * sum);
            }
        } else {
            *reinterpret_cast<float4*>(row + i * 4) = v;
        }
    };
    if constexpr (in_halves(type))
        for (int t = warp; t < T; t += warps)  // zeros for what a lane has no part in
            if (lane < 16) *reinterpret_cast<uint32_t*>(to + t * s.stride + padded + lane * 4) = 0;
    constexpr int kAtOnce = 4;
    const int step = warps * 128;
    for (int t = 0; t < T; ++t)
        for (int first = (warp * 32 + lane) * 4; first < padded; first += kAtOnce * step) {
            float4 v[kAtOnce];
            front.normed(t, first, step, v);
#pragma unroll
            for (int k = 0; k < kAtOnce; ++k)
                if (first + k * step < padded) put(t, first + k * step, v[k]);  // whole warps: padded is a multiple of 128
        }
    return s;
}

// 1 / rms of each row, by the whole block, which meets behind it. `space`: kFew * 32 floats.
__device__ inline void inverse_rms(const Front& front, int T, float eps, float* space, float* inverse) {
    const int warp = static_cast<int>(threadIdx.x) / 32, warps = static_cast<int>(blockDim.x) / 32;
    for (int t = 0; t < T; ++t) {
        float sum = 0;
        constexpr int kAtOnce = 4;
        const int step = static_cast<int>(blockDim.x) * 4;
        for (int i = static_cast<int>(threadIdx.x) * 4; i < front.width; i += kAtOnce * step) {
            float4 v[kAtOnce];
            front.raw(t, i, step, v);
#pragma unroll
            for (int k = 0; k < kAtOnce; ++k) sum += v[k].x * v[k].x + v[k].y * v[k].y + v[k].z * v[k].z + v[k].w * v[k].w;
        }
        sum = warp_sum(sum);
        if (threadIdx.x % 32 == 0) space[t * 32 + warp] = sum;
    }
    __syncthreads();
    if (const int t = static_cast<int>(threadIdx.x); t < T) {
        float sum = 0;
        for (int w = 0; w < warps; ++w) sum += space[t * 32 + w];
        inverse[t] = rsqrtf(sum / static_cast<float>(front.width) + eps);
    }
    __syncthreads();
}

// --- a tile of w ------------------------------------------------------------------------------------------------------------

// Of a weight that has a layout for it. Blocks as they are in the file: below.
template <DType type>
class Tile {
public:
    static constexpr int kSpace = 1;  // floats of shared memory that a warp needs in run()
    // Rows first_row .. first_row + 7 (the last one again where there are fewer), the slice-th of `slices` parts of their chunks. The first reads go out here.
    __device__ Tile(const Matrix& w, int64_t first_row, int slice, int slices) {
        const int lane = static_cast<int>(threadIdx.x) % 32, chunks = static_cast<int>(w.stride / 64);
        chunk_ = static_cast<int>(int64_t{chunks} * slice / slices);
        last_ = static_cast<int>(int64_t{chunks} * (slice + 1) / slices);
        const auto row = [&](int r) { return first_row + r < w.out ? first_row + r : w.out - 1; };
        codes_ = w.row(row(lane / 4)) + lane % 4 * 16;
        if constexpr (kGroups > 0)
            for (int i = 0; i < 2; ++i) scales_[i] = w.scales + row(lane % 4 * 2 + i) * w.groups;
#pragma unroll
        for (int u = 0; u < kAhead; ++u) fetch(u, chunk_ + u);
    }

    // part[t * 8 + row] of the tile's product with the T rows of x.
    __device__ void run(const Staged& x, int T, float* part, float* /*space*/) {
        const int lane = static_cast<int>(threadIdx.x) % 32, c = lane % 4, token = min(lane / 4, T - 1);
        float sum[kTensor ? 2 : kFew] = {}, d[4] = {};
        const auto step = [&](const Chunk& now, int chunk) {
            const uint32_t w[4] = {now.w.x, now.w.y, now.w.z, now.w.w};
            if constexpr (type == DType::bf16) {
                const uint4 v = *reinterpret_cast<const uint4*>(x.values + token * x.stride + chunk * 64 + c * 16);
                mma_bf16(d, {v.x, 0, v.y, 0}, {w[0], w[1]});
                mma_bf16(d, {v.z, 0, v.w, 0}, {w[2], w[3]});
            } else if constexpr (kTensor) {
#pragma unroll
                for (int pair = 0; pair < kGroups / 2; ++pair) {
                    const int two = chunk * (kGroups / 2) + pair;  // groups 2 two and 2 two + 1
                    const uint4 v = *reinterpret_cast<const uint4*>(x.values + token * x.stride + two * 64 + c * 16);
                    const float2 scale = *reinterpret_cast<const float2*>(x.scales + token * x.groups + two * 2);
                    add(sum, {v.x, 0, v.y, 0}, w, 2 * pair, scale.x, now.scales);
                    add(sum, {v.z, 0, v.w, 0}, w, 2 * pair + 1, scale.y, now.scales);
                }
            } else {
                constexpr int kValues = type == DType::f32 ? 4 : 8;
                float value[kValues];
                for (int i = 0; i < kValues; ++i)
                    value[i] = type == DType::f32 ? __uint_as_float(w[i % 4]) : from_f16(static_cast<uint16_t>(w[i / 2] >> i % 2 * 16));
#pragma unroll
                for (int t = 0; t < kFew; ++t) {
                    if (t >= T) break;
                    const auto* v = reinterpret_cast<const float4*>(x.values + t * x.stride) + (chunk * 4 + c) * (kValues / 4);
                    for (int i = 0; i < kValues; i += 4) {
                        const float4 four = v[i / 4];
                        sum[t] += value[i] * four.x;
                        sum[t] += value[i + 1] * four.y;
                        sum[t] += value[i + 2] * four.z;
                        sum[t] += value[i + 3] * four.w;
                    }
                }
            }
        };
        // No way out of the loop's middle: there a register whose load is on its way would have to be where the loop's end leaves it, and a move waits for the
        // load. Where the step has branches all loads go out before the first of them.
        for (; chunk_ + kAhead <= last_; chunk_ += kAhead) {
            if constexpr (kTensor) {
#pragma unroll
                for (int u = 0; u < kAhead; ++u) {
                    step(ahead_[u], chunk_ + u);
                    fetch(u, chunk_ + u + kAhead);
                }
            } else {
                Chunk now[kAhead];
#pragma unroll
                for (int u = 0; u < kAhead; ++u) now[u] = ahead_[u], fetch(u, chunk_ + u + kAhead);
#pragma unroll
                for (int u = 0; u < kAhead; ++u) step(now[u], chunk_ + u);
            }
        }
#pragma unroll
        for (int u = 0; u < kAhead - 1; ++u)
            if (chunk_ + u < last_) step(ahead_[u], chunk_ + u);
        if constexpr (kTensor) {
            if constexpr (type == DType::bf16) sum[0] = d[0], sum[1] = d[1];
            if constexpr (type == DType::q4_0) sum[0] *= 0.0625f, sum[1] *= 0.0625f;  // codes stood in the upper half of a byte
            if (lane / 4 < T) *reinterpret_cast<float2*>(part + lane / 4 * 8 + c * 2) = make_float2(sum[0], sum[1]);
        } else {
#pragma unroll
            for (int t = 0; t < kFew; ++t) {
                if (t >= T) break;
                const float total = warp_sum(sum[t], 4);
                if (c == 0) part[t * 8 + lane / 4] = total;
            }
        }
    }

private:
    static constexpr bool kTensor = type != DType::f32 && type != DType::f16;
    static constexpr int kGroups = type == DType::q8_0 ? 2 : type == DType::q4_0 ? 4 : 0;  // in a chunk
    static constexpr int kAhead = kGroups == 4 ? 2 : kGroups == 2 ? 3 : 4;                 // chunks on their way: 1 to 2 kB a warp
    struct Chunk {
        uint4 w;
        uint2 scales[2];  // of rows 2c and 2c + 1, an f16 a group
    };

    __device__ void fetch(int u, int chunk) {
        const bool there = chunk < last_;
        read_once(ahead_[u].w, codes_ + int64_t{chunk} * 64, policy_, there);
        if (!there) return;
        if constexpr (kGroups == 2)
            for (int i = 0; i < 2; ++i) ahead_[u].scales[i].x = __ldg(reinterpret_cast<const uint32_t*>(scales_[i]) + chunk);
        if constexpr (kGroups == 4)
            for (int i = 0; i < 2; ++i) ahead_[u].scales[i] = __ldg(reinterpret_cast<const uint2*>(scales_[i]) + chunk);
    }

    // The g-th group of a chunk, whose exact sum is scaled by both sides.
    __device__ static void add(float (&sum)[kTensor ? 2 : kFew], const uint32_t (&x)[4], const uint32_t (&w)[4], int g, float x_scale,
                               const uint2 (&w_scales)[2]) {
        int d[4];
        if constexpr (type == DType::q8_0)
            mma_s8_of(d, x, {w[2 * g], w[2 * g + 1]});
        else
            mma_s8_of(d, x, {w[g] << 4 & 0xf0f0f0f0u, w[g] & 0xf0f0f0f0u});
        for (int i = 0; i < 2; ++i) {
            const uint32_t two = g < 2 ? w_scales[i].x : w_scales[i].y;
            sum[i] += float_of(d[i]) * (x_scale * from_f16(static_cast<uint16_t>(two >> g % 2 * 16)));
        }
    }

    const uint64_t policy_ = leaves_first();
    const unsigned char* codes_;  // this lane's bytes of chunk 0
    const uint16_t* scales_[2] = {};
    int chunk_, last_;
    Chunk ahead_[kAhead] = {};
};

// Blocks as they are in the file: as above a warp has 8 rows, and lane (g, c) unpacks of row g what it must hold. A group's scales come from the lanes that
// have its rows. Sums of 16 values are products whose other half is 0, and sums of x are products with ones.
template <>
class Tile<kBlocks> {
public:
    static constexpr int kSpace = 1;
    __device__ Tile(const Matrix& w, int64_t first_row, int slice, int slices) : type_(w.type) {
        const auto pairs = static_cast<int>((w.in + 63) / 64), row = static_cast<int>(threadIdx.x) % 32 / 4;
        row_ = w.row(first_row + row < w.out ? first_row + row : w.out - 1);
        pair_ = static_cast<int>(int64_t{pairs} * slice / slices);
        last_ = static_cast<int>(int64_t{pairs} * (slice + 1) / slices);
        groups_ = static_cast<int>(w.in / 32);
    }
    __device__ void run(const Staged& x, int T, float* part, float* /*space*/) const {
        const int lane = static_cast<int>(threadIdx.x) % 32, token = min(lane / 4, T - 1);
        const float2 sum = product(type_, row_, pair_, last_, groups_, x.values + token * x.stride + lane % 4 * 16, x.scales + token * x.groups);
        if (lane / 4 < T) *reinterpret_cast<float2*>(part + lane / 4 * 8 + lane % 4 * 2) = sum;
    }

private:
    // This lane's two of the tile's sums over the pairs of groups [pair, last). Not inlined, for the compiler's sake: once for all kernels of a file.
    __device__ __noinline__ static float2 product(DType type, const unsigned char* row, int pair, int last, int groups, const unsigned char* x,
                                                  const float* scales) {
        return with_format(type, [=](auto format) {
            const int c = static_cast<int>(threadIdx.x) % 4;
            float2 sum = make_float2(0, 0);
#pragma unroll 2
            for (int i = pair; i < last; ++i) {
                const uint4 v = *reinterpret_cast<const uint4*>(x + i * 64);
                const float2 scale = *reinterpret_cast<const float2*>(scales + i * 2);
                add(octet(format, row, 2 * i, c), format, {v.x, 0, v.y, 0}, scale.x, sum);
                // Behind the last group x is zeros.
                const int second = format.kBlock == 32 ? min(2 * i + 1, groups - 1) : 2 * i + 1;
                add(octet(format, row, second, c), format, {v.z, 0, v.w, 0}, scale.y, sum);
            }
            return sum;
        });
    }
    template <class F>
    __device__ static void add(const Octet& w, F, const uint32_t (&x)[4], float x_scale, float2& sum) {
        constexpr uint32_t kOnes = 0x01010101u;
        // Of the row that lane 8 c has, and the one behind it.
        const auto of_rows = [](float v) {
            const int from = static_cast<int>(threadIdx.x) % 4 * 8;
            return make_float2(__shfl_sync(0xffffffffu, v, from), __shfl_sync(0xffffffffu, v, from + 4));
        };
#pragma unroll
        for (int h = 0; h < F::kSubs; ++h) {
            const auto half = [&](int i, uint32_t v) { return F::kSubs == 1 || h == i ? v : 0; };
            int d[4];
            mma_s8_of(d, x, {half(0, w.q[0]), half(1, w.q[1])});
            const float2 scale = of_rows(w.scale[h]);
            sum.x += float_of(d[0]) * (x_scale * scale.x), sum.y += float_of(d[1]) * (x_scale * scale.y);
            if constexpr (F::kMins) {
                int of_x[4];
                mma_s8_of(of_x, x, {half(0, kOnes), half(1, kOnes)});
                const float2 least = of_rows(w.min[h]);
                sum.x += float_of(of_x[0]) * (x_scale * least.x), sum.y += float_of(of_x[1]) * (x_scale * least.y);
            }
        }
    }

    const unsigned char* row_;
    DType type_;
    int pair_, last_, groups_;
};

// q4_k and q6_k, half a block of 256 at a time: a lane reads 16 bytes of its row's codes, 16 neighbours' low and high halves, and so has values of other groups
// than the next lane. A product keeps groups apart by its sixteen rows: a token's row g has x where one lane has weights, row g + 8 where another one has, and
// zeros elsewhere. Each lane unpacks the scales of one group (of two) of its row and hands them round.
template <DType type>
class HalfTile {
    static constexpr bool kSix = type == DType::q6_k;
    static constexpr int kAhead = kSix ? 2 : 3, kBytes = kSix ? formats::Q6K::kBytes : formats::Q4K::kBytes;
    static constexpr int kPitch = 12;  // floats of a row's scales: 16-byte reads of four rows meet every bank once

public:
    static constexpr int kSpace = 8 * kPitch;
    __device__ HalfTile(const Matrix& w, int64_t first_row, int slice, int slices) {
        const int halves = static_cast<int>(w.in / 128), row = static_cast<int>(threadIdx.x) % 32 / 4;
        row_ = w.row(first_row + row < w.out ? first_row + row : w.out - 1);
        half_ = static_cast<int>(int64_t{halves} * slice / slices);
        last_ = static_cast<int>(int64_t{halves} * (slice + 1) / slices);
#pragma unroll
        for (int u = 0; u < kAhead; ++u) fetch(u, half_ + u);
    }
    __device__ void run(const Staged& x, int T, float* part, float* space) {
        const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, token = min(g, T - 1);
        float2 sum = make_float2(0, 0);
        for (; half_ + kAhead <= last_; half_ += kAhead)
#pragma unroll
            for (int u = 0; u < kAhead; ++u) {
                add(ahead_[u], half_ + u, x, token, space, sum);
                fetch(u, half_ + u + kAhead);
            }
#pragma unroll
        for (int u = 0; u < kAhead - 1; ++u)
            if (half_ + u < last_) add(ahead_[u], half_ + u, x, token, space, sum);
        if (g < T) *reinterpret_cast<float2*>(part + g * 8 + lane % 4 * 2) = sum;
    }

private:
    struct Half {
        uint4 codes, more;     // more: of q4_k the block's head, of q6_k the upper bits
        uint32_t scales, all;  // of q6_k: two scales, and the block's
    };
    __device__ void fetch(int u, int half) {
        const bool there = half < last_;
        const int c = static_cast<int>(threadIdx.x) % 4;
        if (!there) half = 0;  // what is read besides is read all the same, without a branch
        const unsigned char* const block = row_ + int64_t{half / 2} * kBytes;
        read_once(ahead_[u].codes, block + (kSix ? 0 : 16) + half % 2 * 64 + c * 16, policy_, there);
        if constexpr (kSix) {
            ahead_[u].more = __ldg(reinterpret_cast<const uint4*>(block + 128 + half % 2 * 32 + c % 2 * 16));
            ahead_[u].scales = formats::u16(block + 192 + half % 2 * 8 + c * 2);
            ahead_[u].all = formats::u16(block + 208);
        } else {
            ahead_[u].more = __ldg(reinterpret_cast<const uint4*>(block));
        }
    }
    __device__ static void add(const Half& now, int half, const Staged& x, int token, float* space, float2& sum) {
        const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, c = lane % 4;
        float2 own;  // q4_k: scale and minimum of group c; q6_k: scales of 2 c and 2 c + 1 of eight
        if constexpr (kSix) {
            const float d = formats::half(now.all);
            own = make_float2(d * static_cast<float>(static_cast<int8_t>(now.scales)), d * static_cast<float>(static_cast<int8_t>(now.scales >> 8)));
        } else {
            const uint32_t first = now.more.y >> 8 * c, second = now.more.z >> 8 * c, third = now.more.w >> 8 * c;
            const bool upper = half % 2;
            const uint32_t scale = upper ? (third & 15) | (first >> 6 & 3) << 4 : first & 63,
                           min = upper ? (third >> 4 & 15) | (second >> 6 & 3) << 4 : second & 63;
            own = make_float2(formats::half(now.more.x) * formats::number(scale), -(formats::half(now.more.x >> 16) * formats::number(min)));
        }
        __syncwarp();  // who still reads the half before
        *reinterpret_cast<float2*>(space + g * kPitch + 2 * c) = own;
        __syncwarp();
        const float* const mine = space + 2 * c * kPitch;  // of the two rows whose sums this lane has
        const float4 scale[2][2] = {{*reinterpret_cast<const float4*>(mine), *reinterpret_cast<const float4*>(mine + 4)},
                                    {*reinterpret_cast<const float4*>(mine + kPitch), *reinterpret_cast<const float4*>(mine + kPitch + 4)}};

        const unsigned char *const row = x.values + token * x.stride, *const zeros = row + x.stride - 64;
        const unsigned char* const at = row + half * 128 + (kSix ? c * 32 : c / 2 * 64 + c % 2 * 16);
        const float4 x_scale = *reinterpret_cast<const float4*>(x.scales + token * x.groups + half * 4);
        const uint32_t w[4] = {now.codes.x, now.codes.y, now.codes.z, now.codes.w}, more[4] = {now.more.x, now.more.y, now.more.z, now.more.w};
        uint32_t low[4], high[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            low[i] = w[i] & 0x0f0f0f0fu, high[i] = w[i] >> 4 & 0x0f0f0f0fu;
            if constexpr (kSix) {
                const uint32_t bits = more[i] >> c / 2 * 2;
                low[i] |= bits << 4 & 0x30303030u, high[i] |= bits & 0x30303030u;
            }
        }
        // 16 values of each lane; `up`: of which a product's first eight rows have x, `down`: its others.
        const auto multiply = [&](int(&d)[4], const uint32_t(&q)[4], const uint4& up, const uint4& down) {
            mma_s8(d, {up.x, down.x, up.y, down.y}, {q[0], q[1]});
            mma_s8(d, {up.z, down.z, up.w, down.w}, {q[2], q[3]});
        };
        const auto load = [](const unsigned char* from) { return *reinterpret_cast<const uint4*>(from); };
        const auto both = [&](float d0, float d1, float scale0, float scale1, float of_x) { sum.x += d0 * (of_x * scale0), sum.y += d1 * (of_x * scale1); };
        if constexpr (kSix) {
            const auto* const begins = reinterpret_cast<const int4*>(x.sums + 2 * token * x.groups + half * 8);
            const int4 first = begins[0], second = begins[1];
#pragma unroll
            for (int pair = 0; pair < 2; ++pair) {  // lanes 2 pair and 2 pair + 1: parts of 16 values 2 pair, 2 pair + 1 and 4 behind each
                const unsigned char *const up = c == 2 * pair ? at : zeros, *const down = c == 2 * pair + 1 ? at : zeros;
                const int l0 = pair ? first.z : first.x, l1 = pair ? first.w : first.y, h0 = pair ? second.z : second.x, h1 = pair ? second.w : second.y;
                int d[4] = {l0, l0, l1, l1}, e[4] = {h0, h0, h1, h1};
                multiply(d, low, load(up), load(down));
                multiply(e, high, load(up + 16), load(down + 16));
                const float4 &low0 = scale[0][0], &low1 = scale[1][0], &high0 = scale[0][1], &high1 = scale[1][1];
                both(float_of(d[0]), float_of(d[1]), pair ? low0.z : low0.x, pair ? low1.z : low1.x, pair ? x_scale.y : x_scale.x);
                both(float_of(d[2]), float_of(d[3]), pair ? low0.w : low0.y, pair ? low1.w : low1.y, pair ? x_scale.y : x_scale.x);
                both(float_of(e[0]), float_of(e[1]), pair ? high0.z : high0.x, pair ? high1.z : high1.x, pair ? x_scale.w : x_scale.z);
                both(float_of(e[2]), float_of(e[3]), pair ? high0.w : high0.y, pair ? high1.w : high1.y, pair ? x_scale.w : x_scale.z);
            }
        } else {  // lanes 0 and 1 have groups 0 and 1, the others 2 and 3
            const unsigned char *const up = c < 2 ? at : zeros, *const down = c < 2 ? zeros : at;
            int d[4] = {kFloats, kFloats, kFloats, kFloats}, e[4] = {kFloats, kFloats, kFloats, kFloats};
            multiply(d, low, load(up), load(down));
            multiply(e, high, load(up + 32), load(down + 32));
            both(float_of(d[0]), float_of(d[1]), scale[0][0].x, scale[1][0].x, x_scale.x);
            both(float_of(e[0]), float_of(e[1]), scale[0][0].z, scale[1][0].z, x_scale.y);
            both(float_of(d[2]), float_of(d[3]), scale[0][1].x, scale[1][1].x, x_scale.z);
            both(float_of(e[2]), float_of(e[3]), scale[0][1].z, scale[1][1].z, x_scale.w);
            const float4 x_sum = *reinterpret_cast<const float4*>(x.sums + token * x.groups + half * 4);
            sum.x += x_sum.x * scale[0][0].y + x_sum.y * scale[0][0].w + x_sum.z * scale[0][1].y + x_sum.w * scale[0][1].w;
            sum.y += x_sum.x * scale[1][0].y + x_sum.y * scale[1][0].w + x_sum.z * scale[1][1].y + x_sum.w * scale[1][1].w;
        }
    }

    const uint64_t policy_ = leaves_first();
    const unsigned char* row_;
    int half_, last_;
    Half ahead_[kAhead] = {};
};
template <>
class Tile<DType::q4_k> : public HalfTile<DType::q4_k> {
    using HalfTile::HalfTile;
};
template <>
class Tile<DType::q6_k> : public HalfTile<DType::q6_k> {
    using HalfTile::HalfTile;
};

// f(std::integral_constant<DType, type>) for a result of few_type(), or kMixed.
template <class F>
void with_few_type(DType type, F&& f) {
    switch (type) {
        case kMixed:
            return f(std::integral_constant<DType, kMixed>{});
        case DType::q4_k:
            return f(std::integral_constant<DType, DType::q4_k>{});
        case DType::q6_k:
            return f(std::integral_constant<DType, DType::q6_k>{});
        default:
            return with_type(type, f);
    }
}

// Rows of x as products with weights of one form take them.
template <class F>
__device__ __forceinline__ Staged stage_for(DType type, F&& stage) {
    switch (form(type)) {
        case DType::f32:
            return stage(std::integral_constant<DType, DType::f32>{});
        case DType::bf16:
            return stage(std::integral_constant<DType, DType::bf16>{});
        default:
            return stage(std::integral_constant<DType, DType::q8_0>{});
    }
}

}  // namespace klp::cuda
