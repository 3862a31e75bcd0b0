// The steps of the optimizers.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/learning/learning.h"

namespace klp {

double CpuBackend::squares(std::span<const float> x) {
    constexpr int64_t kPart = 1 << 16;
    const auto n = static_cast<int64_t>(x.size());
    std::vector<double> parts(static_cast<size_t>((n + kPart - 1) / kPart));
    pool_.run(n, kPart, 0,
              [&](int, int64_t first, int64_t last) { parts[static_cast<size_t>(first / kPart)] = learning_.squares(x.data() + first, last - first); });
    double total = 0;
    for (double part : parts) total += part;
    return total;
}

void CpuBackend::to_bf16(std::span<const float> x, void* out) {
    pool_.run(static_cast<int64_t>(x.size()), 1 << 15, 0,
              [&](int, int64_t first, int64_t last) { learning_.to_bf16(x.data() + first, last - first, static_cast<uint16_t*>(out) + first); });
}

void CpuBackend::adamw(std::span<const AdamW> all) {
    for (const AdamW& a : all) {
        const AdamWRates rates{static_cast<float>(a.scale),
                               static_cast<float>(AdamW::kB1),
                               static_cast<float>(AdamW::kB2),
                               static_cast<float>(AdamW::kEps),
                               static_cast<float>(a.rate * a.decay),
                               static_cast<float>(a.rate / (1 - std::pow(AdamW::kB1, static_cast<double>(a.step)))),
                               static_cast<float>(1 / (1 - std::pow(AdamW::kB2, static_cast<double>(a.step))))};
        pool_.run(a.n, 1 << 14, 0,
                  [&](int, int64_t first, int64_t last) { learning_.adamw(a.w + first, a.g + first, a.m + first, a.v + first, last - first, rates); });
    }
}

void CpuBackend::muon(std::span<const Muon> all) {
    // Matrices are tasks; products round to bf16, which five steps of the iteration forgive (Jordan et al. 2024).
    const Maker alone{learning_, {}};
    const auto one = [&](const Muon& a, Piece& memory) {
        const bool flip = a.out > a.in, counts = memory.counts();
        const int64_t n = a.out * a.in, rows = flip ? a.in : a.out, columns = flip ? a.out : a.in;
        float *x = memory.take<float>(n), *way = memory.take<float>(n), *A = memory.take<float>(rows * rows), *B = memory.take<float>(rows * rows);
        if (!counts) {
            for (int64_t i = 0; i < n; ++i) {
                const float g = static_cast<float>(a.scale) * a.g[i];
                a.m[i] += static_cast<float>(1 - Muon::kMomentum) * (g - a.m[i]);
                way[i] = g + static_cast<float>(Muon::kMomentum) * (a.m[i] - g);
            }
            const auto by = static_cast<float>(1 / (std::sqrt(learning_.squares(way, n)) + 1e-7));
            for (int64_t r = 0; r < rows; ++r)
                for (int64_t c = 0; c < columns; ++c) x[r * columns + c] = by * way[flip ? c * a.in + r : r * a.in + c];
        }
        const Rows X{x, rows, columns, columns}, square{A, rows, rows, rows}, mixed{B, rows, rows, rows};
        const auto product = [&](const auto& left, const auto& right, float* c, int64_t ldc) {
            std::byte* const mark = memory.mark();
            const Left l = left();
            const Right r = right();
            if (!counts) alone.multiply(l, r, c, ldc, false);
            memory.rewind(mark);
        };
        for (int step = 0; step < (counts ? 1 : 5); ++step) {
            product([&] { return alone.left(X, true, memory); }, [&] { return alone.right_turned(X, true, memory); }, A, rows);    // A = x x^T
            product([&] { return alone.left(square, true, memory); }, [&] { return alone.right(square, true, memory); }, B, rows);  // A A
            if (!counts)
                for (int64_t r = 0; r < rows; ++r)
                    for (int64_t c = 0; c < rows; ++c) B[r * rows + c] = 2.0315f * B[r * rows + c] - 4.775f * A[r * rows + c] + (r == c ? 3.4445f : 0.f);
            product([&] { return alone.left(mixed, true, memory); }, [&] { return alone.right(X, true, memory); }, x, columns);
        }
        if (counts) return;
        const auto rate = static_cast<float>(a.rate * std::sqrt(std::max(1.0, static_cast<double>(a.out) / static_cast<double>(a.in))));
        const auto keep = static_cast<float>(1 - a.rate * a.decay);
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t c = 0; c < columns; ++c) {
                float& w = a.w[flip ? c * a.in + r : r * a.in + c];
                w = w * keep - rate * x[r * columns + c];
            }
    };
    arena_.reset();
    int64_t bytes = 0;
    for (const Muon& a : all) {
        Piece counted;
        one(a, counted);
        bytes = std::max(bytes, (counted.most() + 63) / 64 * 64);
    }
    auto* scratch = arena_.take<std::byte>(pool_.size() * bytes);
    pool_.run(static_cast<int64_t>(all.size()), 1, 0, [&](int thread, int64_t i, int64_t) {
        Piece own(scratch + thread * bytes);
        one(all[static_cast<size_t>(i)], own);
    });
}

}  // namespace klp
