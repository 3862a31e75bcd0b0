// Multi-head latent attention: every form on every device against the formula, and the laws of a cache.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

#include "tests/devices.h"

namespace klp {
namespace {

using namespace test;

struct Shape {
    int H = 2, nope = 16, rope = 8, V = 12, L = 32;
};
constexpr MlaForm kForms[] = {MlaForm::absorbed, MlaForm::expanded, MlaForm::automatic};
std::string name_of(MlaForm form) { return form == MlaForm::absorbed ? "absorbed" : form == MlaForm::expanded ? "expanded" : "automatic"; }

struct Options {
    DType cache = DType::f32, weights = DType::f32;
    float theta = 0;      // 0: NoPE
    float sharpness = 1;  // of the queries
    uint64_t seed = 1;
    bool adjacent = false;  // of rotated columns neighbours are pairs
    int gates = 0;          // of the output: 1 a head, 2 a value
    int spare = 0;          // columns of x behind what the op reads
    bool whole = false;     // small whole numbers, scores a sixteenth in base 2: no absorbed query and no key changes when rounded to bf16
};

// A sequence of tokens. With a bf16 cache there is no norm and latents are bf16 already, so that nothing depends on which neighbour a number is rounded to.
struct Problem {
    Shape s;
    int64_t T;
    Options options;
    Mla op;
    Floats x, norm;
    Matrix kv_b;

    Problem(Shape s, int64_t T, Options o = {})
        : s(s),
          T(T),
          options(o),
          kv_b(normal(s.H * (s.nope + s.V) * s.L, o.seed + 1, 1 / std::sqrt(static_cast<float>(s.L))), s.H * (s.nope + s.V), s.L, o.weights) {
        op.H = s.H, op.nope = s.nope, op.rope = s.rope, op.V = s.V, op.L = s.L;
        if (o.whole) {
            Floats w(kv_b.w.out * s.L);
            for (size_t i = 0; const float v : normal(w.size(), o.seed + 1)) w[i++] = std::clamp(std::round(v / 2), -1.f, 1.f);
            kv_b = Matrix(w, kv_b.w.out, s.L, o.weights);
        }
        op.gates = o.gates == 1 ? s.H : o.gates == 2 ? s.H * s.V : 0;
        x = normal(T * step(), o.seed + 2);
        norm = normal(s.L, o.seed + 3, 0.1f, 1);
        for (int64_t t = 0; t < T; ++t)
            for (int64_t i = 0; i < op.width(); ++i) {
                float& value = x[t * step() + i];
                if (i < op.q_width())
                    value = o.whole ? std::clamp(std::round(value), -1.f, 1.f) : value * o.sharpness;
                else if (o.whole)
                    value = std::round(value);
                else if (o.cache == DType::bf16)
                    value = bf16_to_float(float_to_bf16(value));
            }
        op.kv_b = kv_b.w;
        op.scale = o.whole ? std::log(2.f) / 16 : 1 / std::sqrt(static_cast<float>(s.nope + s.rope));
        op.rope_theta = o.theta, op.rope_adjacent = o.adjacent, op.cache_type = o.cache;
    }
    int64_t step() const { return op.width() + options.spare; }  // from row to row of x
    Norm latent_norm() const { return options.cache == DType::f32 ? Norm{norm.data(), 1e-6f} : Norm{}; }
};

// One sequence's pages; what has not been written is NaN.
struct Cache {
    std::vector<std::vector<std::byte>> memory;
    std::vector<std::byte*> pages;
    int64_t row_bytes = 0;
    Cache(const Mla& op, int64_t tokens) : row_bytes(op.cache_width() * info(op.cache_type).bytes) {
        for (int64_t t = 0; t < tokens; t += kMlaPage) memory.emplace_back(kMlaPage * row_bytes, std::byte{0xFF});
        for (auto& page : memory) pages.push_back(page.data());
    }
    std::byte* row(int64_t t) const { return pages[t / kMlaPage] + t % kMlaPage * row_bytes; }

    // The problem's first tokens, as if they had been fed.
    void fill(const Problem& p, int64_t tokens) const {
        for (int64_t t = 0; t < tokens; ++t) {
            const float* x = p.x.data() + t * p.step() + p.op.q_width();
            naive::Numbers c = naive::rms_norm(naive::Numbers(x, x + p.s.L), p.latent_norm()), k_r(x + p.s.L, x + p.op.cache_width());
            if (p.options.theta != 0) naive::rotate(k_r, t, p.options.theta, p.options.adjacent);
            c.insert(c.end(), k_r.begin(), k_r.end());
            encode(p.op.cache_type, Floats(c.begin(), c.end()).data(), p.op.cache_width(), row(t));
        }
    }
};

struct Outcome {
    Floats y, lse;
};

// Feeds the tokens behind the first `from` in pieces.
Outcome run(Backend& on, const Problem& p, MlaForm form, std::vector<int64_t> pieces = {}, int64_t from = 0) {
    if (pieces.empty()) pieces = {p.T - from};
    const int64_t HV = p.s.H * p.s.V;
    Cache cache(p.op, p.T);
    cache.fill(p, from);
    Outcome r{Floats(p.T * HV, kNaN), Floats(p.T * p.s.H, kNaN)};
    int64_t t = from;
    for (int64_t n : pieces) {
        n = std::min(n, p.T - t);
        const MlaSegment segment{0, n, t, cache.pages};
        Mla a = p.op;
        a.norm = p.latent_norm();
        a.x = {const_cast<float*>(p.x.data()) + t * p.step(), {n, p.step()}};
        a.y = {r.y.data() + t * HV, {n, HV}};
        a.segments = {&segment, 1};
        a.taps.log_sum_exp = r.lse.data() + t * p.s.H;
        a.form = form;
        on.mla(a);
        t += n;
    }
    EXPECT_EQ(t, p.T);
    r.y.erase(r.y.begin(), r.y.begin() + from * HV);
    r.lse.erase(r.lse.begin(), r.lse.begin() + from * p.s.H);
    return r;
}

void expect_close(const Outcome& got, const Outcome& truth, double bound, const std::string& where) {
    EXPECT_LE(error(got.y, truth.y), bound) << where;
    EXPECT_LE(error(got.lse, truth.lse), bound) << where;
}

class MlaEverywhere : public testing::TestWithParam<Device> {
protected:
    std::shared_ptr<Backend> on = GetParam().make();
    std::shared_ptr<Backend> truth = make_naive_backend();
    const bool simulated = GetParam().name.starts_with("simulated");  // slow: fewer sizes, and automatic, one of the others, left out
    const std::span<const MlaForm> forms = std::span(kForms).first(simulated ? 2 : 3);
};
INSTANTIATE_TEST_SUITE_P(All, MlaEverywhere, testing::ValuesIn(devices()), [](const auto& info) { return info.param.name; });

class MlaOnEveryGpu : public MlaEverywhere {};
INSTANTIATE_TEST_SUITE_P(All, MlaOnEveryGpu, testing::ValuesIn(gpus()), [](const auto& info) { return info.param.name; });

class MlaOnEveryCpu : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(Isa, MlaOnEveryCpu, testing::ValuesIn(supported_isas()), [](const auto& info) { return std::string(name(info.param)); });

// Two heads of width 1, two tokens, numbers for a person: scores 0 and ln 3 give weights 1/4 and 3/4.
TEST(MlaOp, WeighsByHandOnEveryBackend) {
    std::vector<std::shared_ptr<Backend>> backends{make_naive_backend()};
    for (const Device& device : devices()) backends.push_back(device.make());
    for (const auto& on : backends)
        for (MlaForm form : kForms) {
            Mla op;
            op.H = 2, op.nope = 1, op.rope = 1, op.V = 1, op.L = 2, op.scale = 1, op.form = form;
            // c = (c0, c1), k_r. Head 0: k = c0, v = c1. Head 1: k = 0 (all in k_r), v = c0.
            const Matrix kv_b({1, 0, 0, 1, 0, 0, 1, 0}, 4, 2);
            const float ln3 = std::log(3.f);
            Floats x{0, 0, 0, 0, 0,   8, 0,   // token 0: c = (0, 8), k_r = 0
                     1, 0, 0, 1, ln3, 4, 0};  // token 1: q = (1 | 0), (0 | 1), c = (ln 3, 4), k_r = 0
            op.kv_b = kv_b.w;
            Cache cache(op, 2);
            const MlaSegment segment{0, 2, 0, cache.pages};
            Floats y(4, kNaN);
            op.x = {x.data(), {2, 7}}, op.y = {y.data(), {2, 2}}, op.segments = {&segment, 1};
            on->mla(op);
            EXPECT_FLOAT_EQ(y[0], 8);
            EXPECT_FLOAT_EQ(y[1], 0);
            EXPECT_NEAR(y[2], 0.25 * 8 + 0.75 * 4, 1e-5);
            EXPECT_NEAR(y[3], 0.5 * ln3, 1e-5);
        }
}

TEST_P(MlaEverywhere, EveryFormIsTheFormula) {
    for (const Shape& s : {Shape{1, 4, 2, 4, 6}, {2, 16, 8, 12, 32}, {5, 12, 4, 20, 28}, {8, 32, 32, 24, 64}, {32, 8, 8, 8, 32}, {20, 8, 32, 8, 128}})
        for (const Options& o : {Options{}, {.theta = 1e4f}, {.cache = DType::bf16}})
            for (int64_t T : {1, 2, 3, 15, 33, 70}) {
                if (simulated && (T * s.H > 120 || T == 2)) continue;
                const Problem p(s, T, o);
                const Outcome expected = run(*truth, p, MlaForm::automatic);
                for (MlaForm form : forms)
                    expect_close(run(*on, p, form), expected, 1e-5, name_of(form) + " H " + std::to_string(s.H) + " T " + std::to_string(T));
            }
}

// (1 .. 8) at position 5, theta 6e6, computed elsewhere in float64.
TEST(Rope, NeighboursOrHalvesAreRotatedTogether) {
    naive::Numbers x{1, 2, 3, 4, 5, 6, 7, 8};
    naive::rotate(x, 5, 6e6, true);
    const naive::Numbers expected{2.201510735, -0.391599904, 2.581287647, 4.282166984, 4.987742143, 6.0101937, 6.999670045, 8.000288698};
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], expected[i], 1e-8) << i;
    naive::Numbers y{1, 2, 3, 4};
    naive::rotate(y, 5, 1e7);
    for (size_t i = 0; const double v : {3.160435009, 1.993672947, -0.107937718, 4.003157276}) EXPECT_NEAR(y[i++], v, 1e-8);
}

// Pairs either way, gates of a head or of each value, and rows of x that are wider than what the op reads.
TEST_P(MlaEverywhere, RotationGatesAndWiderRowsInEveryForm) {
    for (const Shape& s : {Shape{1, 4, 2, 4, 6}, {3, 16, 8, 12, 32}, {5, 12, 4, 20, 28}, {8, 32, 32, 24, 64}})
        for (const Options& o : {Options{.theta = 6e6f, .adjacent = true},
                                 {.theta = 6e6f, .adjacent = true, .gates = 1, .spare = 5},
                                 {.gates = 2},
                                 {.gates = 1, .spare = 1},
                                 {.cache = DType::bf16, .gates = 1}})
            for (int64_t T : {1, 2, 15, 33, 70}) {
                if (simulated && (T * s.H > 120 || T == 2)) continue;
                const Problem p(s, T, o);
                const Outcome expected = run(*truth, p, MlaForm::automatic);
                for (MlaForm form : forms) {
                    const std::string where = name_of(form) + " H " + std::to_string(s.H) + " T " + std::to_string(T) + " gates " + std::to_string(o.gates);
                    expect_close(run(*on, p, form), expected, 1e-5, where);
                    if (T > 15) expect_close(run(*on, p, form, {T - 4, 3, 1}), expected, 1e-5, where);
                }
            }
}

TEST_P(MlaEverywhere, PagesMayEndAnywhere) {
    for (const auto& [s, type] : {std::pair{Shape{2, 16, 16, 16, 48}, DType::f32}, {{2, 16, 16, 16, 48}, DType::bf16}, {{5, 16, 32, 16, 64}, DType::bf16}})
        for (int64_t past : {255, 256, 257, 513})
            for (int64_t count : {1, 2, 40}) {
                if (simulated && (s.H > 2 || past + count != 257) && past + count != 295) continue;
                const Problem p(s, past + count, {.cache = type});
                const Outcome expected = run(*truth, p, MlaForm::automatic, {}, past);
                for (MlaForm form : forms) expect_close(run(*on, p, form, {}, past), expected, 1e-5, name_of(form) + " past " + std::to_string(past));
            }
}

TEST_P(MlaEverywhere, TheShapeOfThe48BAtSomeDepth) {
    for (const Options& o : {Options{}, {.cache = DType::bf16}}) {
        const int64_t T = simulated ? 70 : 300, from = simulated ? 60 : 0;
        const Problem p({simulated ? 2 : 4, 128, 64, 128, 512}, T, o);
        const std::vector<int64_t> pieces{T - 10 - from, 9, 1};
        const Outcome expected = run(*truth, p, MlaForm::automatic, pieces, from);
        for (MlaForm form : forms) expect_close(run(*on, p, form, pieces, from), expected, 1e-5, name_of(form));
    }
}

// The cache of the 48B in its stored type, at any number of heads and wherever pages and what a block takes of the cache may end. With whole numbers nothing
// before the softmax is rounded; behind it the weights or their sum are, as above.
TEST_P(MlaEverywhere, StoredCachesEndAnywhere) {
    struct Case {
        int H;
        int64_t past, count;
    };
    for (const auto& [H, past, count] : {Case{1, 0, 1},
                                         {5, 31, 1},
                                         {8, 32, 2},
                                         {5, 127, 1},
                                         {16, 128, 1},
                                         {20, 129, 1},
                                         {16, 255, 1},
                                         {12, 256, 3},
                                         {32, 257, 1},
                                         {4, 900, 1},
                                         {33, 130, 2},
                                         {64, 383, 1},
                                         {128, 5, 1}}) {
        const Problem p({H, 16, 64, 8, 512}, past + count, {.cache = DType::bf16, .weights = DType::bf16, .whole = true});
        const Outcome expected = run(*truth, p, MlaForm::automatic, {}, past), got = run(*on, p, MlaForm::absorbed, {}, past);
        EXPECT_LE(error(got.lse, expected.lse), 1e-5) << "H " << H << " past " << past;
        EXPECT_LE(error(got.y, expected.y), 4.0 / 512) << "H " << H << " past " << past;
    }
}

// One head over a long cache, which a GPU cuts into hundreds of ranges: what tensor cores lose by rounding sums towards zero stays behind the weights'
// rounding.
TEST_P(MlaOnEveryGpu, OneHeadSeesAsManyTokensAsAModelTakes) {
    const Problem p({1, 16, 64, 8, 512}, 1, {.cache = DType::bf16, .weights = DType::bf16, .whole = true});
    constexpr int64_t kRows = 4099;  // different ones, a prime number
    Floats values(kRows * p.op.cache_width());
    for (size_t i = 0; const float v : normal(static_cast<int64_t>(values.size()), 11)) values[i++] = std::clamp(std::round(v), -2.f, 2.f) + 1;
    std::vector<std::byte> rows(values.size() * 2);
    encode(DType::bf16, values.data(), static_cast<int64_t>(values.size()), rows.data());
    for (const int64_t past : simulated ? std::vector<int64_t>{16'383} : std::vector<int64_t>{65'535, 262'143, 1'048'575}) {
        const Cache cache(p.op, past + 1);
        for (int64_t t = 0; t < past; ++t) std::memcpy(cache.row(t), rows.data() + t * 31 % kRows * cache.row_bytes, static_cast<size_t>(cache.row_bytes));
        const auto run_on = [&](Backend& device) {
            Outcome r{Floats(p.s.V, kNaN), Floats(1, kNaN)};
            const MlaSegment segment{0, 1, past, cache.pages};
            Mla a = p.op;
            a.x = {p.x.data(), {1, p.op.width()}}, a.y = {r.y.data(), {1, p.s.V}}, a.segments = {&segment, 1};
            a.taps.log_sum_exp = r.lse.data(), a.form = MlaForm::absorbed;
            device.mla(a);
            return r;
        };
        const Outcome expected = run_on(*truth), got = run_on(*on);
        EXPECT_LE(error(got.lse, expected.lse), 1e-5) << past;
        EXPECT_LE(error(got.y, expected.y), 4.0 / 512) << past;
    }
}

// The heads of the 48B in the same way, with keys and values expanded.
TEST_P(MlaEverywhere, StoredKeysAndValuesEndAnywhere) {
    for (const auto& [H, past, count] : {std::tuple{2, 0, 1}, {2, 3, 17}, {1, 3, 70}, {1, 190, 130}}) {
        const Problem p({H, 128, 64, 128, 32}, past + count, {.cache = DType::bf16, .weights = DType::bf16, .whole = true});
        const Outcome expected = run(*truth, p, MlaForm::automatic, {}, past), got = run(*on, p, MlaForm::expanded, {}, past);
        EXPECT_LE(error(got.lse, expected.lse), 1e-5) << "H " << H << " past " << past;
        EXPECT_LE(error(got.y, expected.y), 4.0 / 512) << "H " << H << " past " << past;
    }
}

// Sizes that a CPU's matrix tiles take for a prefill: keys and values of different widths, blocks of keys and tiles of queries that end anywhere, and NaN
// behind the last row. f32 and f16 weights round nothing.
TEST_P(MlaEverywhere, PrefillsOfAnySizeAreTheFormula) {
    for (const Shape& s : {Shape{2, 32, 32, 64, 64}, {1, 96, 64, 32, 32}})
        for (const auto& [past, count] : {std::pair{0, 3}, {0, 33}, {97, 31}, {127, 65}, {128, 32}, {250, 129}}) {
            if (simulated && past + count > 130) continue;
            for (DType type : {DType::f32, DType::f16}) {
                const Problem p(s, past + count, {.cache = DType::bf16, .weights = type, .sharpness = 3});
                const Outcome expected = run(*truth, p, MlaForm::automatic, {}, past);
                expect_close(run(*on, p, MlaForm::expanded, {}, past), expected, simulated ? 1e-2 : 2e-5,
                             "V " + std::to_string(s.V) + " past " + std::to_string(past));
            }
        }
}

// A rotated key may be rounded to its other neighbour than the truth's, 2^-8 of one of the score's columns.
TEST_P(MlaEverywhere, RotatedKeysAreRoundedOnce) {
    const Problem p({2, 16, 16, 16, 32}, simulated ? 50 : 120, {.cache = DType::bf16, .theta = 1e4f});
    const Outcome expected = run(*truth, p, MlaForm::automatic);
    for (MlaForm form : forms) expect_close(run(*on, p, form), expected, 1.0 / 256, name_of(form));
}

// The answer is a sum of rounded terms: its relative error is that of one rounding, half a unit of bf16 (2^-9) or of int8 (1/254); twice that for the largest
// of many. Expanded keys go through it as well, and a score's error is one of the answer times how far values differ: twice more.
TEST_P(MlaEverywhere, StoredWeightsCostWhatTheirProductsRound) {
    for (const auto& [type, unit] : {std::pair{DType::f16, 2.5e-6}, {DType::bf16, 1.0 / 512}, {DType::q8_0, 1.0 / 254}, {DType::q4_0, 1.0 / 254}})
        for (DType cache : {DType::f32, DType::bf16}) {
            const int64_t T = simulated ? 40 : 90, from = simulated ? 30 : 0;
            const std::vector<int64_t> pieces{T - 10 - from, 9, 1};
            const Problem p({3, 32, 16, 32, 64}, T, {.cache = cache, .weights = type});
            const Outcome expected = run(*truth, p, MlaForm::automatic, pieces, from);
            for (MlaForm form : forms) expect_close(run(*on, p, form, pieces, from), expected, 4 * unit, name_of(form) + " " + std::string(info(type).name));
        }
    // Rows of whole blocks of 256: a matrix that a GGUF file left in one piece.
    for (DType type : {DType::q4_k, DType::q6_k, DType::iq4_xs, DType::iq3_s, DType::q5_1}) {
        const Problem p({2, 16, 16, 32, 256}, 40, {.weights = type});
        const Outcome expected = run(*truth, p, MlaForm::automatic, {30, 9, 1});
        for (MlaForm form : forms) expect_close(run(*on, p, form, {30, 9, 1}), expected, 4.0 / 254, name_of(form) + " " + std::string(info(type).name));
    }
}

TEST_P(MlaEverywhere, AnySplitIsOneShot) {
    const Problem p({3, 16, 8, 12, 24}, simulated ? 40 : 150);
    const Outcome expected = run(*truth, p, MlaForm::automatic);
    std::vector<std::vector<int64_t>> splits{{0, 1, 0, 2, 0, 147}};
    for (int64_t n : {1, 2, 3, 15, 16, 17, 63, 64, 65})
        if (!simulated || n == 17) splits.emplace_back(151, n);
    for (const auto& pieces : splits)
        for (MlaForm form : forms) expect_close(run(*on, p, form, pieces), expected, 1e-5, name_of(form) + " in pieces of " + std::to_string(pieces[0]));
}

// Scores of +-300: the largest wins, and nothing overflows.
TEST_P(MlaEverywhere, SharpScoresDoNotOverflow) {
    const Problem p({2, 16, 8, 12, 32}, 140, {.sharpness = 100});
    const Outcome expected = run(*truth, p, MlaForm::automatic);
    for (MlaForm form : forms) {
        const Outcome got = run(*on, p, form);
        EXPECT_LE(error(got.lse, expected.lse), 1e-5);
        EXPECT_LE(error(got.y, expected.y), 1e-3);  // a score of 300 carries an absolute error of some 1e-5, and so do the weights beside the largest
    }
}

// NoPE: what was said counts, not where. Rotated keys know their places.
TEST_P(MlaEverywhere, WithoutRotationTheOrderOfThePastDoesNotMatter) {
    const int64_t T = 300;
    std::vector<int64_t> order(T);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end() - 1, std::mt19937(3));  // the last token stays
    for (float theta : {0.f, 1e4f})
        for (MlaForm form : forms) {
            Problem p({2, 16, 8, 12, 32}, T, {.theta = theta}), shuffled({2, 16, 8, 12, 32}, T, {.theta = theta});
            for (int64_t t = 0; t < T; ++t) std::copy_n(p.x.begin() + order[t] * p.op.width(), p.op.width(), shuffled.x.begin() + t * p.op.width());
            const double difference = error(run(*on, shuffled, form, {}, T - 1).y, run(*on, p, form, {}, T - 1).y);
            EXPECT_TRUE(theta == 0 ? difference < 1e-5 : difference > 1e-3) << difference;
        }
}

TEST_P(MlaEverywhere, TheFutureNeverChangesThePast) {
    const Shape s{5, 16, 32, 12, 64};
    for (DType type : {DType::f32, DType::bf16})
        for (int64_t from : {1, 15, 17, 32, 64, 99}) {
            if (simulated && from != 17) continue;
            const Problem p(s, 100, {.cache = type});
            Problem changed(s, 100, {.cache = type});
            const Floats other = normal(changed.x.size(), 99, 3);
            std::copy(other.begin() + from * p.op.width(), other.end(), changed.x.begin() + from * p.op.width());
            for (MlaForm form : forms) {
                Floats a = run(*on, p, form).y, b = run(*on, changed, form).y;
                a.resize(from * s.H * s.V), b.resize(from * s.H * s.V);
                EXPECT_TRUE(identical(a, b)) << name_of(form) << " from " << from;
            }
        }
}

TEST_P(MlaEverywhere, ABatchIsItsMembersAlone) {
    const Shape s{4, 16, 32, 12, 64};
    const int64_t pasts[] = {0, simulated ? 40 : 300, 5, simulated ? 250 : 256, 17, 0}, counts[] = {5, 1, 0, simulated ? 10 : 70, 1, 1};
    const size_t order[] = {3, 0, 5, 1, 4, 2};  // where each member's rows lie, one row nobody owns behind each
    for (DType type : {DType::f32, DType::bf16})
        for (MlaForm form : kForms) {
            std::vector<Problem> members;
            std::vector<Cache> caches;
            int64_t rows = 0, first[6];
            for (size_t i = 0; i < 6; ++i) {
                members.emplace_back(s, pasts[i] + counts[i], Options{.cache = type});  // the same weights
                members[i].x = normal(members[i].x.size(), 50 + i);
                for (float& value : members[i].x) value = bf16_to_float(float_to_bf16(value));
                caches.emplace_back(members[i].op, pasts[i] + counts[i]);
                members[i].options.cache = DType::bf16;  // without the norm
                caches[i].fill(members[i], pasts[i]);
            }
            for (size_t i : order) first[i] = rows, rows += counts[i] + 1;
            const int64_t width = members[0].op.width(), HV = s.H * s.V;
            Floats x(rows * width, kNaN), y(rows * HV, kNaN);
            std::vector<MlaSegment> segments;
            for (size_t i = 0; i < 6; ++i) {
                std::copy_n(members[i].x.begin() + pasts[i] * width, counts[i] * width, x.begin() + first[i] * width);
                segments.push_back({first[i], counts[i], pasts[i], caches[i].pages});
            }
            Mla a = members[0].op;
            a.x = {x.data(), {rows, width}}, a.y = {y.data(), {rows, HV}}, a.segments = segments, a.form = form;
            on->mla(a);
            for (size_t i = 0; i < 6; ++i) {
                const Floats alone = run(*on, members[i], form, {}, pasts[i]).y;
                EXPECT_TRUE(identical(Floats(y.begin() + first[i] * HV, y.begin() + (first[i] + counts[i]) * HV), alone)) << name_of(form) << " member " << i;
                for (int64_t c = 0; c < HV; ++c) EXPECT_TRUE(std::isnan(y[(first[i] + counts[i]) * HV + c]));
            }
        }
}

TEST_P(MlaOnEveryCpu, AnyNumberOfThreadsGivesTheSameBits) {
    const Problem p({5, 16, 32, 12, 64}, 400, {.cache = DType::bf16});
    for (MlaForm form : kForms) {
        const Outcome one = run(*cpu(GetParam(), 1), p, form, {390, 9, 1});
        for (int threads : {2, 3}) {
            const Outcome many = run(*cpu(GetParam(), threads), p, form, {390, 9, 1});
            EXPECT_TRUE(identical(one.y, many.y) && identical(one.lse, many.lse)) << name_of(form) << " " << threads;
        }
    }
}

// A row that is no number spoils what reads it and nothing else.
TEST_P(MlaEverywhere, NoNumberStaysWithThoseThatSeeIt) {
    const Shape s{2, 16, 8, 12, 32};
    for (const float bad : {kNaN, -std::numeric_limits<float>::infinity()})
        for (MlaForm form : forms) {
            Problem p(s, 40);
            std::fill_n(p.x.begin() + 20 * p.op.width() + p.op.q_width(), p.op.cache_width(), bad);
            const Floats y = run(*on, p, form, {20, 20}).y;
            for (int64_t t = 0; t < 40; ++t)
                for (int64_t i = 0; i < s.H * s.V; ++i) EXPECT_EQ(std::isfinite(y[t * s.H * s.V + i]), t < 20) << name_of(form) << " token " << t;
        }
}

TEST_P(MlaEverywhere, RowsBehindTheNewOnesAreNotTouched) {
    const Problem p({2, 16, 8, 12, 32}, 10);
    Cache cache(p.op, 10);
    const std::vector<std::byte> before = cache.memory[0];
    const MlaSegment segment{0, 3, 4, cache.pages};
    std::memset(cache.row(0), 0, 4 * cache.row_bytes);
    Floats y(3 * 2 * 12);
    Mla a = p.op;
    a.x = {p.x.data(), {3, a.width()}}, a.y = {y.data(), {3, 24}}, a.segments = {&segment, 1};
    on->mla(a);
    EXPECT_TRUE(std::all_of(cache.row(0), cache.row(4), [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_EQ(std::memcmp(cache.row(7), before.data() + 7 * cache.row_bytes, (kMlaPage - 7) * cache.row_bytes), 0);
}

}  // namespace
}  // namespace klp
