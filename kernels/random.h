// Random numbers that are a function of a seed and a place alone: the same from every thread and device, in any order.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/dtype.h"

namespace klp {

// splitmix64's last step: every bit of the result depends on every bit of z.
constexpr uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// 64 bits for the values 4 q .. 4 q + 3 of a stream, 16 for each: plenty for weights that nobody trained, and a model of 700M takes seconds.
constexpr uint64_t four(uint64_t seed, int64_t q) { return mix(seed + static_cast<uint64_t>(q + 1) * 0x9e3779b97f4a7c15u); }
// Value k of four, uniform in (-1, 1).
constexpr float uniform(uint64_t bits, int k) { return (static_cast<float>((bits >> (16 * k)) & 0xffff) - 32767.5f) * (1 / 32768.f); }

// What is drawn: value i is scale * uniform(four(seed, i / 4), i % 4).
struct Random {
    uint64_t seed = 0;
    float scale = 1;
};

// Values first .. first + values.size() - 1 of it; first is a multiple of 4.
inline void draw_values(const Random& random, int64_t first, std::span<float> values) {
    const auto n = static_cast<int64_t>(values.size());
    for (int64_t i = 0; i < n; i += 4) {
        const uint64_t bits = four(random.seed, (first + i) / 4);
        for (int k = 0; k < 4 && i + k < n; ++k) values[static_cast<size_t>(i + k)] = random.scale * uniform(bits, k);
    }
}

// The same values in blocks of a type, to their nearest (dtype.cpp); first is a multiple of 256. Of a type with blocks of 256 random bits, under scales that give
// the values the same size and no mean: a search for the nearest, or no way to search, would keep 48 thousand million weights waiting for half an hour.
void draw_blocks(DType type, const Random& random, int64_t first, int64_t n, void* data);

}  // namespace klp
