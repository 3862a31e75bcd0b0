// The table of storage types. What a block is, is in dtypes/; what multiplies with it, in cpu/simd.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "kernels/dtypes/blocks.h"
#include "kernels/random.h"
#include "kernels/tensor.h"

namespace klp {
namespace {

using namespace blocks;

// A block's values. Every product here is exact, so that a value is rounded once at the most, where a minimum is added.
template <void unpack(const uint8_t*, Unpacked&), int block, bool mins>
void decode_block(const void* data, float* values) {
    Unpacked u;
    unpack(static_cast<const uint8_t*>(data), u);
    for (int i = 0; i < block; ++i) {
        const float v = u.scale[i / 16] * static_cast<float>(u.q[i]);
        values[i] = mins ? v + u.min[i / 16] : v;
    }
}
template <void unpack(const uint8_t*, Unpacked&), int block, bool mins>
constexpr DTypeInfo quants(DType type, std::string_view name, int ggml, int bytes, std::array<int16_t, 2> halves, DType beside,
                           void (*encode)(const float*, void*)) {
    return {type, name, ggml, block, bytes, halves, beside, decode_block<unpack, block, mins>, encode};
}

constexpr std::array<int16_t, 2> kNoHalves{-1, -1};
using enum DType;
constexpr std::array<DTypeInfo, kDTypes> kTypes{{
    {f32, "f32", 0, 1, 4, kNoHalves, f32, decode_f32, encode_f32},
    {f16, "f16", 1, 1, 2, kNoHalves, f16, decode_f16, encode_f16},
    {bf16, "bf16", 30, 1, 2, kNoHalves, bf16, decode_bf16, encode_bf16},
    quants<unpack_q8_0, 32, false>(q8_0, "q8_0", 8, 34, {0, -1}, q8_0, encode_q8_0),
    quants<unpack_q4_0, 32, false>(q4_0, "q4_0", 2, 18, {0, -1}, q4_0, encode_q4_0),
    quants<unpack_q4_1, 32, true>(q4_1, "q4_1", 3, 20, {0, 2}, q4_1, encode_q4_1),
    quants<unpack_q5_0, 32, false>(q5_0, "q5_0", 6, 22, {0, -1}, q5_0, encode_q5_0),
    quants<unpack_q5_1, 32, true>(q5_1, "q5_1", 7, 24, {0, 2}, q5_1, encode_q5_1),
    quants<unpack_iq4_nl, 32, false>(iq4_nl, "iq4_nl", 20, 18, {0, -1}, iq4_nl, encode_iq4_nl),
    quants<unpack_mxfp4, 32, false>(mxfp4, "mxfp4", 39, 17, kNoHalves, mxfp4, encode_mxfp4),
    quants<unpack_q2_k, 256, true>(q2_k, "q2_k", 10, 84, {80, 82}, q4_0, encode_q2_k),
    quants<unpack_q3_k, 256, false>(q3_k, "q3_k", 11, 110, {108, -1}, q4_0, encode_q3_k),
    quants<unpack_q4_k, 256, true>(q4_k, "q4_k", 12, 144, {0, 2}, q5_0, encode_q4_k),
    quants<unpack_q5_k, 256, true>(q5_k, "q5_k", 13, 176, {0, 2}, q5_1, encode_q5_k),
    quants<unpack_q6_k, 256, false>(q6_k, "q6_k", 14, 210, {208, -1}, q8_0, encode_q6_k),
    quants<unpack_iq4_xs, 256, false>(iq4_xs, "iq4_xs", 23, 136, {0, -1}, iq4_nl, encode_iq4_xs),
    quants<unpack_iq3_s, 256, false>(iq3_s, "iq3_s", 21, 110, {0, -1}, iq4_nl, nullptr),
    quants<unpack_iq3_xxs, 256, false>(iq3_xxs, "iq3_xxs", 18, 98, {0, -1}, iq4_nl, nullptr),
    quants<unpack_iq2_s, 256, false>(iq2_s, "iq2_s", 22, 82, {0, -1}, iq4_nl, nullptr),
    quants<unpack_iq2_xs, 256, false>(iq2_xs, "iq2_xs", 17, 74, {0, -1}, iq4_nl, nullptr),
    quants<unpack_iq2_xxs, 256, false>(iq2_xxs, "iq2_xxs", 16, 66, {0, -1}, iq4_nl, nullptr),
    quants<unpack_iq1_m, 256, false>(iq1_m, "iq1_m", 29, 56, kNoHalves, iq4_nl, nullptr),
    quants<unpack_iq1_s, 256, false>(iq1_s, "iq1_s", 19, 50, {0, -1}, iq4_nl, nullptr),
}};

}  // namespace

const DTypeInfo& info(DType type) { return kTypes[static_cast<size_t>(type)]; }
std::span<const DTypeInfo> dtypes() { return kTypes; }

const DTypeInfo* find_dtype(std::string_view name) {
    for (const DTypeInfo& row : kTypes) {
        if (row.name == name) return &row;
    }
    return nullptr;
}

void decode(DType type, const void* data, int64_t n, float* values) {
    if (type == DType::f32) {
        std::memcpy(values, data, static_cast<size_t>(n) * sizeof(float));
        return;
    }
    if (type == DType::bf16) {  // no call for each value: embeddings come this way
        for (int64_t i = 0; i < n; ++i) values[i] = bf16_to_float(read<uint16_t>(static_cast<const std::byte*>(data) + 2 * i));
        return;
    }
    const DTypeInfo& row = info(type);
    const auto* from = static_cast<const std::byte*>(data);
    for (int64_t i = 0; i < n; i += row.block, from += row.bytes) row.decode(from, values + i);
}

void encode(DType type, const float* values, int64_t n, void* data) {
    const DTypeInfo& row = info(type);
    KLP_CHECK(row.encode);
    auto* to = static_cast<std::byte*>(data);
    for (int64_t i = 0; i < n; i += row.block, to += row.bytes) row.encode(values + i, to);
}

void draw_blocks(DType type, const Random& random, int64_t first, int64_t n, void* data) {
    constexpr int64_t kPiece = 4096;  // values: they stay in the first cache
    const DTypeInfo& row = info(type);
    auto* to = static_cast<uint8_t*>(data);
    const bool bits = row.block == 256;
    for (int64_t at = 0; at < n && !bits; at += kPiece) {
        const int64_t count = std::min(kPiece, n - at);
        float values[kPiece];
        draw_values(random, first + at, {values, static_cast<size_t>(count)});
        encode(type, values, count, to + at / row.block * row.bytes);
    }
    for (int64_t at = 0; at < n && bits; at += row.block, to += row.bytes) {
        for (int k = 0; k < row.bytes; k += 8) {
            const uint64_t word = four(random.seed, (first + at) / 4 + k / 8);
            std::memcpy(to + k, &word, static_cast<size_t>(std::min(8, row.bytes - k)));
        }
        const auto scales = [&](float d, float of_minimums) {
            const uint16_t half = float_to_f16(d);
            if (row.halves[0] >= 0) write(to + row.halves[0], half);
            if (row.halves[1] >= 0) write(to + row.halves[1], float_to_f16(of_minimums));
            for (int k = 0; row.halves[0] < 0 && k < 4; ++k)  // iq1_m has a nibble of it on top of each of four u16
                to[49 + 2 * k] = static_cast<uint8_t>((to[49 + 2 * k] & 15) | (half >> 4 * k & 15) << 4);
        };
        const auto sum_of = [](const float (&values)[256], bool squares) {
            float sum = 0;
            for (const float v : values) sum += squares ? v * v : v;
            return sum;
        };
        float values[256], minimums[256], ratio = 0;
        scales(1, 0);
        row.decode(to, values);
        if (row.halves[1] >= 0) {  // the mean is zero
            scales(0, 1);
            row.decode(to, minimums);
            const float below = sum_of(minimums, false);
            ratio = below != 0 ? -sum_of(values, false) / below : 0;
            for (int i = 0; i < 256; ++i) values[i] += ratio * minimums[i];
        }
        const float d = random.scale / std::sqrt(3 * sum_of(values, true) / 256);
        scales(d, d * ratio);
    }
}

}  // namespace klp
