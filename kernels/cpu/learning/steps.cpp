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

void CpuBackend::add(std::span<const float> x, float* to) {
    pool_.run(static_cast<int64_t>(x.size()), 1 << 15, 0,
              [&](int, int64_t first, int64_t last) { learning_.add_times(x.data() + first, 1, last - first, to + first); });
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
    const Maker alone = maker(true);
    const auto one = [&](const Muon& a, Piece& memory) {
        const bool tall = a.out > a.in, counts = memory.counts();
        const int64_t n = a.out * a.in, side = std::min(a.out, a.in);
        float *x = memory.take<float>(n), *A = memory.take<float>(side * side), *B = memory.take<float>(side * side);
        if (!counts) {
            learning_.momentum(a.m, a.g, static_cast<float>(a.scale), static_cast<float>(Muon::kMomentum), n, x);
            const auto by = static_cast<float>(1 / (std::sqrt(learning_.squares(x, n)) + 1e-7));
            learning_.add_times(x, by - 1, n, x);
        }
        const Rows X{x, a.out, a.in, a.in}, square{A, side, side, side}, mixed{B, side, side, side};
        const auto product = [&](const auto& left, const auto& right, float* c, int64_t ldc) {
            std::byte* const mark = memory.mark();
            const Left l = left();
            const Right r = right();
            if (!counts) alone.multiply(l, r, c, ldc, false);
            memory.rewind(mark);
        };
        // Of the two, the smaller square: A = x x^T, x <- B x, or of a tall matrix A = x^T x, x <- x B.
        for (int step = 0; step < (counts ? 1 : 5); ++step) {
            product([&] { return tall ? alone.left_turned(X, true, memory) : alone.left(X, true, memory); },
                    [&] { return tall ? alone.right(X, true, memory) : alone.right_turned(X, true, memory); }, A, side);
            product([&] { return alone.left(square, true, memory); }, [&] { return alone.right(square, true, memory); }, B, side);
            if (!counts) {
                learning_.add_times(B, 2.0315f - 1, side * side, B);
                learning_.add_times(A, -4.775f, side * side, B);
                for (int64_t r = 0; r < side; ++r) B[r * side + r] += 3.4445f;
            }
            product([&] { return alone.left(tall ? X : mixed, true, memory); }, [&] { return alone.right(tall ? mixed : X, true, memory); }, x, a.in);
        }
        if (counts) return;
        const auto rate = static_cast<float>(a.rate * std::sqrt(std::max(1.0, static_cast<double>(a.out) / static_cast<double>(a.in))));
        learning_.add_times(a.w, static_cast<float>(-a.rate * a.decay), n, a.w);
        learning_.add_times(x, -rate, n, a.w);
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
