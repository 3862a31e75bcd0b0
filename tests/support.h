// What the tests of kernels share: backends under test, random numbers, and how far two answers are apart.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/naive.h"
#include "kernels/random.h"

namespace klp::test {

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
using Floats = std::vector<float>;

inline Floats normal(size_t n, uint64_t seed, float scale = 1, float mean = 0) {
    std::mt19937_64 bits(seed);
    std::normal_distribution<float> draw(mean, scale);
    Floats x(n);
    for (float& v : x) v = draw(bits);
    return x;
}

// Largest difference over the largest value; infinite where a NaN stands on one side only or in the truth.
inline double error(const Floats& got, const Floats& truth) {
    EXPECT_EQ(got.size(), truth.size());
    double difference = 0, largest = 1e-30;
    for (size_t i = 0; i < truth.size(); ++i) {
        if (!std::isfinite(got[i]) || !std::isfinite(truth[i])) return std::numeric_limits<double>::infinity();
        difference = std::max(difference, std::abs(static_cast<double>(got[i]) - truth[i]));
        largest = std::max(largest, std::abs(static_cast<double>(truth[i])));
    }
    return difference / largest;
}
// The same numbers to the last bit, NaNs included.
inline bool identical(const Floats& a, const Floats& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// values [out, in] as w's type has them; of a type that has no encoder, others of their size.
inline void store(const Floats& values, const Weight& w, std::byte* data) {
    if (info(w.type).encode) return encode(w.type, values.data(), w.out * w.in, data);
    double squares = 0;
    for (const float v : values) squares += double{v} * v;
    draw_blocks(w.type, {values.size(), static_cast<float>(std::sqrt(3 * squares / static_cast<double>(values.size())))}, 0, w.out * w.in, data);
}

// A matrix in a stored type; the values it really holds are what decode() gives back.
struct Matrix {
    std::vector<std::byte> bytes;
    Weight w;
    Matrix(const Floats& values, int64_t out, int64_t in, DType type = DType::f32) {
        w = {nullptr, type, out, in};
        bytes.resize(w.bytes());
        w.data = bytes.data();
        store(values, w, bytes.data());
    }
    Matrix(Matrix&&) = default;
    Matrix& operator=(Matrix&&) = default;
    Matrix(const Matrix&) = delete;
};

inline std::shared_ptr<Backend> cpu(Isa isa, int threads = 2) { return std::make_shared<CpuBackend>(threads, isa); }

}  // namespace klp::test
