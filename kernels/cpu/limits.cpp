#include "kernels/cpu/limits.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "kernels/cpu/pool.h"
#include "kernels/cpu/simd/peaks.h"

namespace klp {
namespace {

constexpr double kFillSeconds = 0.35, kReadSeconds = 0.25, kPeakSeconds = 0.08;
constexpr int64_t kMost = int64_t{1} << 30, kStep = int64_t{64} << 20;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// The best of many short bursts: other programs can only make one slower. A burst is long enough (some 0.5 ms) to hide the start of the threads.
double peak(Pool& pool, double (*loop)(int64_t)) {
    const double until = now() + kPeakSeconds;
    double best = 0;
    do {
        std::atomic<double> operations{0};
        const double start = now();
        pool.run(pool.size(), 1, 0, [&](int, int64_t, int64_t) { operations.fetch_add(loop(150'000), std::memory_order_relaxed); });
        best = std::max(best, operations.load() / (now() - start));
    } while (now() < until);
    return best / 1e9;
}

void measure_reading(Pool& pool, const Peaks& peaks, Limits& limits) {
    const int64_t free_bytes = int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE);
    const int64_t most = std::min(kMost, free_bytes / 4 / kStep * kStep);
    if (most < kStep) return;
    void* map = mmap(nullptr, static_cast<size_t>(most), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return;
    auto* data = static_cast<char*>(map);
    const int64_t threads = pool.size();
    // Written, or every page would be the same page of zeros. Pages of ordinary size: mapped weights have no others.
    const double start = now();
    int64_t filled = 0;
    while (filled < most && now() - start < kFillSeconds) {
        const int64_t share = kStep / threads / 4096 * 4096;
        pool.run(threads, 1, 0, [&](int, int64_t i, int64_t) {
            std::memset(data + filled + i * share, static_cast<int>(i + 1), static_cast<size_t>(i + 1 < threads ? share : kStep - share * (threads - 1)));
        });
        filled += kStep;
    }
    const int64_t share = filled / threads / 4096 * 4096;
    std::atomic<uint32_t> sink{0};
    const double until = now() + kReadSeconds;
    do {
        const double pass = now();
        pool.run(threads, 1, 0,
                 [&](int, int64_t i, int64_t) { sink.fetch_xor(peaks.read(data + i * share, static_cast<size_t>(share)), std::memory_order_relaxed); });
        limits.read_gb_s = std::max(limits.read_gb_s, static_cast<double>(share * threads) / (now() - pass) / 1e9);
    } while (now() < until);
    limits.read_bytes = filled;
    munmap(map, static_cast<size_t>(most));
}

}  // namespace

KLP_TABLES(Peaks, peaks_of, kPeaks_)

Limits measure_limits(int threads, Isa isa) {
    const double start = now();
    Pool pool(threads);
    const Peaks& peaks = peaks_of(isa);
    Limits limits{.isa = isa, .threads = pool.size()};
    limits.f32_gflops = peak(pool, peaks.f32);
    limits.bf16_gflops = peak(pool, peaks.bf16);
    limits.int8_gops = peak(pool, peaks.int8);
    measure_reading(pool, peaks, limits);
    limits.seconds = now() - start;
    return limits;
}

}  // namespace klp
