// DPLR in general beside KDA, which ties its low rank to the key, chunk by chunk on one thread, in turn on the same tokens:
//     klp_bench_dplr [tokens] [heads] [width of a head] [times]
// Both are the same code in the same vectors (kernels/cpu/simd/kda.inc.h is the engine's own; dplr.inc.h). Operations are counted from their formulas. Time is
// user cycles of this thread where the machine tells them, else its processor time: others who work meanwhile take neither, though they do take caches.
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <vector>

#include "bench/dplr.inc.h"
#include "kernels/naive.h"

namespace {

using namespace klp;
using Floats = std::vector<float>;

class Clock {
public:
    Clock() {
        perf_event_attr what{};
        what.size = sizeof what, what.type = PERF_TYPE_HARDWARE, what.config = PERF_COUNT_HW_CPU_CYCLES;
        what.exclude_kernel = what.exclude_hv = 1;
        counter_ = static_cast<int>(syscall(SYS_perf_event_open, &what, 0, -1, -1, 0));
    }
    ~Clock() {
        if (counter_ >= 0) close(counter_);
    }
    const char* unit() const { return counter_ >= 0 ? "cycles" : "ns"; }
    double now() const {
        if (uint64_t cycles = 0; counter_ >= 0 && read(counter_, &cycles, sizeof cycles) == sizeof cycles) return static_cast<double>(cycles);
        timespec t{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
    }

private:
    int counter_ = -1;
};

// Tokens of all heads: rows of head h at [h, t]. k is normalised, q scaled; a and b as RWKV-7 has them, or tied to k as KDA.
struct Tokens {
    int64_t T, H, D;
    Floats q, k, a, b, g, v, beta;

    Tokens(int64_t T, int64_t H, int64_t D, bool tied) : T(T), H(H), D(D), beta(static_cast<size_t>(T * H)) {
        std::mt19937 dice(7);
        std::normal_distribution<float> bell;
        for (Floats* one : {&q, &k, &a, &b, &g, &v}) {
            one->resize(static_cast<size_t>(T * H * D));
            for (float& x : *one) x = bell(dice);
        }
        for (float& x : beta) x = 1 / (1 + std::exp(-bell(dice)));
        for (int64_t row = 0; row < T * H; ++row) {
            const int64_t at = row * D;
            const auto normalise = [&](Floats& x, float scale) {
                float squares = 1e-6f;
                for (int64_t c = 0; c < D; ++c) squares += x[at + c] * x[at + c];
                for (int64_t c = 0; c < D; ++c) x[at + c] *= scale / std::sqrt(squares);
            };
            normalise(q, 1 / std::sqrt(static_cast<float>(D))), normalise(k, 1), normalise(b, 1);
            for (int64_t c = 0; c < D; ++c) {
                g[at + c] = -0.1f * std::exp(0.5f * g[at + c]);
                a[at + c] = tied ? beta[row] * k[at + c] : b[at + c] / (1 + std::exp(-a[at + c]));
                if (tied) b[at + c] = std::exp(g[at + c]) * k[at + c];
            }
        }
    }
};

struct Outcome {
    Floats o, states;
    explicit Outcome(const Tokens& x) : o(x.v.size()), states(static_cast<size_t>(x.H * x.D * x.D)) {}
};

// Rows of the tokens as a chunk has them: padded to whole vectors.
void lay(const Floats& from, int64_t at, int64_t rows, int64_t D, float* to, int64_t width, float padding = 0) {
    for (int64_t t = 0; t < rows; ++t)
        for (int64_t c = 0; c < width; c += kLanes) {
            store(to + t * width + c, c < D ? load_upto(from.data() + at + t * D + c, D - c) : F{});
            for (int64_t i = std::max<int64_t>(D, c); padding != 0 && i < c + kLanes; ++i) to[t * width + i] = padding;
        }
}
void lay_decay(const Tokens& x, int64_t at, int64_t rows, float* g, float* alpha, int64_t width) {
    lay(x.g, at, rows, x.D, g, width);
    for (int64_t c = 0; c < rows * width; c += kLanes) store(alpha + c, exp(load(g + c)));
}

// A pass of either form over all heads; the scratch memory is theirs.
void kda_of(const Tokens& x, float* scratch, Outcome& to) {
    KdaBlock block{.K = x.D, .V = x.D, .C = 1};
    block.scratch = scratch;
    const KdaWork w(block);
    for (int64_t h = 0; h < x.H; ++h) {
        block.state = to.states.data() + h * x.D * x.D;
        std::fill_n(block.state, x.D * x.D, 0.f);
        for (int64_t t = 0; t < x.T; t += kKdaBlock) {
            block.T = std::min<int64_t>(kKdaBlock, x.T - t);
            const int64_t row = h * x.T + t, at = row * x.D;
            lay(x.q, at, block.T, x.D, w.q, w.K), lay(x.k, at, block.T, x.D, w.k, w.K), lay(x.v, at, block.T, x.D, w.v, w.V);
            lay_decay(x, at, block.T, w.g, w.alpha, w.K);
            std::copy_n(x.beta.data() + row, block.T, w.beta);
            chunkwise(block, w);
            for (int64_t i = 0; i < block.T; ++i) std::copy_n(w.o + i * w.V, x.D, to.o.data() + at + i * x.D);
        }
    }
}
void dplr_of(const Tokens& x, float* scratch, Outcome& to) {
    const DplrWork w(x.D, x.D, scratch);
    for (int64_t h = 0; h < x.H; ++h) {
        float* const state = to.states.data() + h * x.D * x.D;
        std::fill_n(state, x.D * x.D, 0.f);
        for (int64_t t = 0; t < x.T; t += kKdaBlock) {
            const int64_t n = std::min<int64_t>(kKdaBlock, x.T - t), at = (h * x.T + t) * x.D;
            lay(x.q, at, n, x.D, w.q, w.K), lay(x.k, at, n, x.D, w.k, w.K), lay(x.v, at, n, x.D, w.v, w.V);
            lay(x.a, at, n, x.D, w.a, w.K), lay(x.b, at, n, x.D, w.b, w.K);
            lay_decay(x, at, n, w.g, w.alpha, w.K);
            dplr_chunkwise(w, n, state);
            for (int64_t i = 0; i < n; ++i) std::copy_n(w.o + i * w.V, x.D, to.o.data() + at + i * x.D);
        }
    }
}

// The largest difference over the largest value.
double apart(const Floats& a, const Floats& b) {
    double difference = 0, size = 1e-30;
    for (size_t i = 0; i < a.size(); ++i) {
        difference = std::max(difference, std::abs(double{a[i]} - b[i]));
        size = std::max(size, std::abs(double{b[i]}));
    }
    return difference / size;
}

// In float64, token by token, of the first head.
Floats naive_answers(const Tokens& x, int64_t tokens) {
    using naive::Numbers;
    Numbers S(static_cast<size_t>(x.D * x.D));
    Floats o;
    for (int64_t t = 0; t < tokens; ++t) {
        const auto row = [&](const Floats& from) { return Numbers(from.begin() + t * x.D, from.begin() + (t + 1) * x.D); };
        const Numbers one = naive::dplr<double>(S, row(x.q), row(x.k), row(x.v), row(x.g), row(x.a), row(x.b));
        o.insert(o.end(), one.begin(), one.end());
    }
    return o;
}

double middle(std::vector<double> x) {
    std::sort(x.begin(), x.end());
    return x[x.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int i, int64_t otherwise) { return argc > i ? std::max<int64_t>(1, std::atoll(argv[i])) : otherwise; };
    const int64_t T = number(1, 2048), H = number(2, 16), D = number(3, 128), times = number(4, 15);
    const std::unique_ptr<float, void (*)(void*)> scratch(
        static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(padded(std::max(KdaWork::floats(D, D, 1), DplrWork::floats(D, D)))) * sizeof(float))),
        std::free);

    // Tied, DPLR is KDA; in general, its formula. f32 against f32 and float64: 64 tokens of a chunk and a state that forgets, some 300 roundings of 6e-8.
    Tokens tied(std::min<int64_t>(T, 512), 1, D, true), free(T, H, D, false);
    Outcome one(tied), other(tied), kda(free), dplr(free);
    kda_of(tied, scratch.get(), one);
    for (int64_t t = 0; t < tied.T; ++t)  // KDA writes beta k
        for (int64_t c = 0; c < D; ++c) tied.v[t * D + c] *= tied.beta[t];
    dplr_of(tied, scratch.get(), other);
    dplr_of(free, scratch.get(), dplr);
    const int64_t checked = std::min<int64_t>(T, 512);
    const double as_kda = apart(other.o, one.o), as_formula = apart(Floats(dplr.o.begin(), dplr.o.begin() + checked * D), naive_answers(free, checked));
    std::printf("DPLR tied as KDA is, apart from KDA: %.1e; in general, from float64 token by token: %.1e\n", as_kda, as_formula);
    if (!(as_kda < 2e-5 && as_formula < 2e-5)) return std::fprintf(stderr, "a form is wrong: nothing is measured\n"), 1;

    const Clock clock;
    std::vector<double> spent[2], ratios;
    for (int64_t n = 0; n <= times; ++n) {  // the first one warms up
        double took[2] = {};
        for (const bool general : {n % 2 == 0, n % 2 != 0}) {
            const double since = clock.now();
            general ? dplr_of(free, scratch.get(), dplr) : kda_of(free, scratch.get(), kda);
            took[general] = (clock.now() - since) / static_cast<double>(T * H);
        }
        if (n == 0) continue;
        for (const int i : {0, 1}) spent[i].push_back(took[i]);
        ratios.push_back(took[1] / took[0]);
    }

    // Multiplications and additions of a token of a head, by the formulas above chunkwise() and dplr_chunkwise().
    const double C = static_cast<double>(std::min<int64_t>(T, kKdaBlock)), d = static_cast<double>(D);
    struct Count {
        double scores, tokens, state;
        double all() const { return scores + tokens + state; }
    } const counts[] = {{2 * C * d, 2 * C * d, 6 * d * d}, {4 * C * d, 4 * C * d, 8 * d * d}};
    std::printf("%lld tokens, %lld heads of %lld, chunks of %.0f, %d lanes, one thread, %lld times in turn; of a token of a head:\n", static_cast<long long>(T),
                static_cast<long long>(H), static_cast<long long>(D), C, kLanes, static_cast<long long>(times));
    std::printf("%-6s %12s %12s %12s %12s %12s %16s\n", "", "scores", "with tokens", "with state", "operations", clock.unit(), "operations each");
    for (const int i : {0, 1})
        std::printf("%-6s %12.0f %12.0f %12.0f %12.0f %12.0f %16.1f\n", i ? "DPLR" : "KDA", counts[i].scores, counts[i].tokens, counts[i].state,
                    counts[i].all(), middle(spent[i]), counts[i].all() / middle(spent[i]));
    std::sort(ratios.begin(), ratios.end());
    std::printf("DPLR / KDA: operations %.2f, %s %.2f (from %.2f to %.2f)\n", counts[1].all() / counts[0].all(), clock.unit(), middle(ratios), ratios.front(),
                ratios.back());
}
