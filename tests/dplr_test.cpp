// Diagonal plus low rank: RWKV-7 and the general rule as formulas, KDA as the tied case, and the chunks that bench/dplr.cpp puts beside KDA's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "bench/dplr.inc.h"
#include "kernels/naive.h"
#include "tests/support.h"

namespace klp {
namespace {

using namespace test;
using naive::Numbers;

// Tokens of one head, and a state in the middle of something; d makes the decay of RWKV-7, g that of the others.
struct Head {
    size_t T, K, V;
    Numbers q, k, v, g, a, b, d, rate, beta, state;

    Head(size_t T, size_t K, size_t V, float decay = 0.1f, uint64_t seed = 1) : T(T), K(K), V(V) {
        const auto draw = [&](size_t n, float scale) {
            const Floats x = normal(n, seed++, scale);
            return Numbers(x.begin(), x.end());
        };
        const float unit = 1 / std::sqrt(static_cast<float>(K));
        q = draw(T * K, unit), k = draw(T * K, unit), v = draw(T * V, 1), g = draw(T * K, 1), a = draw(T * K, unit), b = draw(T * K, unit);
        d = draw(T * K, 2), rate = draw(T * K, 1), beta = draw(T, 1), state = draw(K * V, 0.3f);
        for (double& x : g) x = -decay * std::exp(x);
        for (Numbers* strength : {&rate, &beta})
            for (double& x : *strength) x = naive::sigmoid(x);
        for (size_t t = 0; t < T; ++t) {  // a transition takes away about what it reads, or states would grow without end
            for (Numbers* unit_rows : {&k, &b}) {
                double squares = 0;
                for (size_t i = t * K; i < (t + 1) * K; ++i) squares += (*unit_rows)[i] * (*unit_rows)[i];
                for (size_t i = t * K; i < (t + 1) * K; ++i) (*unit_rows)[i] /= std::sqrt(squares);
            }
            for (size_t i = t * K; i < (t + 1) * K; ++i) a[i] = rate[i] * b[i] + 0.3 * a[i];
        }
    }
    Numbers row(const Numbers& x, size_t t) const {
        const size_t n = x.size() / T;
        return {x.begin() + static_cast<long>(t * n), x.begin() + static_cast<long>((t + 1) * n)};
    }
    // The same with the low rank tied to the key, as KDA has it.
    Head tied() const {
        Head to = *this;
        for (size_t t = 0; t < T; ++t)
            for (size_t i = t * K; i < (t + 1) * K; ++i) {
                to.a[i] = to.k[i] = beta[t] * k[i];
                to.b[i] = std::exp(g[i]) * k[i];
            }
        return to;
    }
};

struct Outcome {
    Numbers o, S;
};
template <class T>
Outcome naive_dplr(const Head& x) {
    std::vector<T> S(x.state.begin(), x.state.end());
    Outcome run;
    for (size_t t = 0; t < x.T; ++t) {
        const auto row = [&](const Numbers& from) {
            const Numbers all = x.row(from, t);
            return std::vector<T>(all.begin(), all.end());
        };
        const std::vector<T> o = naive::dplr<T>(S, row(x.q), row(x.k), row(x.v), row(x.g), row(x.a), row(x.b));
        run.o.insert(run.o.end(), o.begin(), o.end());
    }
    run.S.assign(S.begin(), S.end());
    return run;
}

// The chunks of the bench, cut where `pieces` say.
Outcome chunks(const Head& x, std::vector<size_t> pieces = {}) {
    std::vector<float> memory(static_cast<size_t>(DplrWork::floats(static_cast<int64_t>(x.K), static_cast<int64_t>(x.V))) + 16, kNaN);
    const DplrWork w(static_cast<int64_t>(x.K), static_cast<int64_t>(x.V), memory.data());
    Floats S(x.state.begin(), x.state.end());
    Outcome run;
    size_t piece = 0;
    for (size_t t = 0; t < x.T;) {
        const size_t n = std::min({piece < pieces.size() ? pieces[piece++] : size_t{kKdaBlock}, size_t{kKdaBlock}, x.T - t});
        const auto lay = [&](const Numbers& from, size_t width, float* to, int64_t padded_width) {
            for (size_t i = 0; i < n; ++i)
                for (int64_t c = 0; c < padded_width; ++c)
                    to[static_cast<int64_t>(i) * padded_width + c] =
                        c < static_cast<int64_t>(width) ? static_cast<float>(from[(t + i) * width + static_cast<size_t>(c)]) : 0.f;
        };
        lay(x.q, x.K, w.q, w.K), lay(x.k, x.K, w.k, w.K), lay(x.a, x.K, w.a, w.K), lay(x.b, x.K, w.b, w.K), lay(x.g, x.K, w.g, w.K), lay(x.v, x.V, w.v, w.V);
        for (int64_t i = 0; i < static_cast<int64_t>(n) * w.K; ++i) w.alpha[i] = std::exp(w.g[i]);
        dplr_chunkwise(w, static_cast<int64_t>(n), S.data());
        for (size_t i = 0; i < n; ++i)
            for (size_t j = 0; j < x.V; ++j) run.o.push_back(w.o[static_cast<int64_t>(i) * w.V + static_cast<int64_t>(j)]);
        t += n;
    }
    run.S.assign(S.begin(), S.end());
    return run;
}

// The largest difference over the largest value.
double apart(const Numbers& x, const Numbers& truth) {
    double difference = x.size() == truth.size() ? 0 : std::numeric_limits<double>::infinity(), size = 1e-30;
    for (size_t i = 0; i < std::min(x.size(), truth.size()); ++i) {
        difference = std::isfinite(x[i]) ? std::max(difference, std::abs(x[i] - truth[i])) : std::numeric_limits<double>::infinity();
        size = std::max(size, std::abs(truth[i]));
    }
    return difference / size;
}
void expect_close(const Outcome& x, const Outcome& truth, double bound, const std::string& where = {}) {
    EXPECT_LE(apart(x.o, truth.o), bound) << where;
    EXPECT_LE(apart(x.S, truth.S), bound) << where;
}

// S = (2 3; 5 7), a row a value; by hand.
TEST(Dplr, IsWhatAPersonWorksOut) {
    Numbers S{2, 3, 5, 7};
    const double half = std::log(0.5);
    const Numbers o = naive::dplr<double>(S, Numbers{1, 2}, Numbers{1, -1}, Numbers{10, 20}, Numbers{half, 0}, Numbers{1, 3}, Numbers{0, 2});
    // S b = (6, 14); S <- S Diag(1/2, 1) - (S b) a^T + v k^T
    EXPECT_NEAR(S[0], 1 - 6 + 10, 1e-14);
    EXPECT_NEAR(S[1], 3 - 18 - 10, 1e-14);
    EXPECT_NEAR(S[2], 2.5 - 14 + 20, 1e-14);
    EXPECT_NEAR(S[3], 7 - 42 - 20, 1e-14);
    EXPECT_NEAR(o[0], 5 - 50, 1e-13);
    EXPECT_NEAR(o[1], 8.5 - 110, 1e-13);
}

// Every token is K + 4 roundings of 1.1e-16 or 6e-8, and what was off before decays.
TEST(Dplr, TiedToTheKeyItIsKda) {
    for (const auto& [K, V] : {std::pair<size_t, size_t>{16, 16}, {20, 12}, {5, 33}}) {
        const Head x(40, K, V);
        Outcome kda{{}, x.state};
        for (size_t t = 0; t < x.T; ++t) {
            const Numbers o = naive::delta_rule(kda.S, x.row(x.q, t), x.row(x.k, t), x.row(x.v, t), x.row(x.g, t), x.beta[t]);
            kda.o.insert(kda.o.end(), o.begin(), o.end());
        }
        expect_close(naive_dplr<double>(x.tied()), kda, 1e-13);
        expect_close(naive_dplr<float>(x.tied()), kda, 40 * 40 * 0x1p-24);
        EXPECT_GT(apart(naive_dplr<double>(x).o, kda.o), 0.01);  // not tied it is another rule
    }
}

TEST(Rwkv7, IsDplrWhoseReadingIsANormalisedKeyAndItsRate) {
    for (const auto& [K, V] : {std::pair<size_t, size_t>{16, 16}, {20, 12}}) {
        Head x(40, K, V);
        Outcome rwkv{{}, x.state};
        for (size_t t = 0; t < x.T; ++t) {
            const Numbers removal = x.row(x.b, t);
            const Numbers o = naive::rwkv7<double>(rwkv.S, x.row(x.q, t), x.row(x.k, t), x.row(x.v, t), x.row(x.d, t), x.row(x.rate, t), removal);
            rwkv.o.insert(rwkv.o.end(), o.begin(), o.end());
        }
        std::vector<float> S(x.state.begin(), x.state.end());
        Numbers answers;
        for (size_t t = 0; t < x.T; ++t) {
            const auto row = [&](const Numbers& from) {
                return std::vector<float>(from.begin() + static_cast<long>(t * K), from.begin() + static_cast<long>((t + 1) * K));
            };
            const Numbers v = x.row(x.v, t);
            const auto o = naive::rwkv7<float>(S, row(x.q), row(x.k), std::vector<float>(v.begin(), v.end()), row(x.d), row(x.rate), row(x.b));
            answers.insert(answers.end(), o.begin(), o.end());
        }
        EXPECT_LE(apart(answers, rwkv.o), 40 * 40 * 0x1p-24);

        for (size_t t = 0; t < x.T; ++t) {
            const double length = std::sqrt(naive::dot(x.row(x.b, t), x.row(x.b, t)));
            for (size_t i = t * K; i < (t + 1) * K; ++i) {
                x.g[i] = -std::exp(-0.5) * naive::sigmoid(x.d[i]);
                x.b[i] /= length;
                x.a[i] = x.rate[i] * x.b[i];
            }
        }
        expect_close(naive_dplr<double>(x), rwkv, 1e-13);
    }
}

// The rate is a channel's own: at one everywhere, and without decay, what r reads is taken away whole, and what it does not read is left.
TEST(Rwkv7, ARateOfOneTakesAwayWhatIsRead) {
    const size_t K = 6, V = 3;
    const Head x(1, K, V);
    Numbers S = x.state;
    const Numbers nothing(V), never(K, -1e3), key(K, 1), all(K, 1);
    naive::rwkv7<double>(S, x.q, key, nothing, never, all, x.b);
    for (size_t j = 0; j < V; ++j) {
        const auto row = [&](const Numbers& from) { return Numbers(from.begin() + static_cast<long>(j * K), from.begin() + static_cast<long>((j + 1) * K)); };
        EXPECT_NEAR(naive::dot(row(S), x.b), 0, 1e-14);
        Numbers across = x.q;  // what is left of q beside the reading
        const double share = naive::dot(x.q, x.b) / naive::dot(x.b, x.b);
        for (size_t i = 0; i < K; ++i) across[i] -= share * x.b[i];
        EXPECT_NEAR(naive::dot(row(S), across), naive::dot(row(x.state), across), 1e-14);
    }
}

// A row of a chunk adds up to K + 2 * 64 products, twice over by the substitution, and the state carries what was off on.
TEST(DplrChunks, AreTheFormulaAtEveryLengthAndShape) {
    for (const auto& [K, V] : {std::pair<size_t, size_t>{16, 16}, {20, 12}, {5, 33}, {64, 48}})
        for (const float decay : {1e-4f, 0.1f, 3.f, 60.f})
            for (const size_t T : {1, 2, 15, 16, 17, 48, 63, 64, 65, 130}) {
                const Head x(T, K, V, decay, T);
                expect_close(chunks(x), naive_dplr<double>(x), 2 * (64 + 128) * 0x1p-24,
                             std::to_string(T) + " tokens, " + std::to_string(K) + " x " + std::to_string(V) + ", decay " + std::to_string(decay));
            }
}

TEST(DplrChunks, AnySplitIsOneShot) {
    const Head x(130, 20, 12);
    const Outcome truth = naive_dplr<double>(x);
    for (const auto& pieces : {std::vector<size_t>{1, 2, 3, 64, 5}, {64, 64}, {63, 1, 16, 17, 33}, {16, 48, 1}})
        expect_close(chunks(x, pieces), truth, 2 * (64 + 128) * 0x1p-24);
}

TEST(DplrChunks, TheFutureNeverChangesThePast) {
    Head x(64, 20, 12);
    const Outcome before = chunks(x);
    for (Numbers* row : {&x.q, &x.k, &x.g, &x.a, &x.b})
        for (size_t i = 40 * x.K; i < 64 * x.K; ++i) (*row)[i] *= 1.5;
    const Outcome after = chunks(x);
    for (size_t i = 0; i < 40 * x.V; ++i) EXPECT_EQ(before.o[i], after.o[i]) << i;
    EXPECT_NE(before.o.back(), after.o.back());
}

// Tied, they are the engine's own chunks of KDA.
TEST(DplrChunks, TiedToTheKeyTheyAreKdas) {
    const Head x(64, 32, 16);
    std::vector<float> memory(static_cast<size_t>(KdaWork::floats(32, 16, 1)) + 16);
    Floats S(x.state.begin(), x.state.end());
    KdaBlock block{.K = 32, .V = 16, .C = 1, .T = 64};
    block.scratch = memory.data(), block.state = S.data();
    const KdaWork w(block);
    const auto lay = [](const Numbers& from, float* to) {
        for (size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i]);
    };
    lay(x.q, w.q), lay(x.k, w.k), lay(x.g, w.g), lay(x.v, w.v), lay(x.beta, w.beta);
    for (size_t i = 0; i < x.g.size(); ++i) w.alpha[i] = std::exp(w.g[i]);
    chunkwise(block, w);
    expect_close(chunks(x.tied()), {Numbers(w.o, w.o + 64 * 16), Numbers(S.begin(), S.end())}, 2 * (64 + 128) * 0x1p-24);
}

}  // namespace
}  // namespace klp
