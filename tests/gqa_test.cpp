// Attention over whole keys and values (grouped queries): every device against the formula, and the laws of a cache.
#include <algorithm>
#include <cstring>

#include "tests/devices.h"

namespace klp {
namespace {

using namespace test;

struct Shape {
    int H = 4, H_kv = 2, D = 16;
};
struct Options {
    bool gated = true, norms = true;
    int rotary = 4;
    DType cache = DType::f32;
    float sharpness = 1;  // of the queries
};

// A sequence of tokens. With a bf16 cache keys and values are bf16 already and keys neither normalised nor rotated, so that nothing depends on which neighbour
// a number is rounded to.
struct Problem {
    Shape s;
    int64_t T;
    Attention op;
    Floats x, q_norm, k_norm;

    Problem(Shape s, int64_t T, Options o = {}, uint64_t seed = 1) : s(s), T(T) {
        op.H = s.H, op.H_kv = s.H_kv, op.D = s.D;
        op.rotary = o.cache == DType::f32 ? o.rotary : 0, op.gated = o.gated;
        op.rope_theta = op.rotary ? 1e4f : 0;
        op.scale = 1 / std::sqrt(static_cast<float>(s.D));
        op.cache_type = o.cache;
        x = normal(static_cast<size_t>(T * op.width()), seed);
        q_norm = normal(static_cast<size_t>(s.D), seed + 1, 0.2f, o.sharpness), k_norm = normal(static_cast<size_t>(s.D), seed + 2, 0.2f, 1);
        if (o.norms) op.q_norm = {q_norm.data(), 1e-6f};
        if (o.norms && o.cache == DType::f32) op.k_norm = {k_norm.data(), 1e-6f};
        for (float& v : x)
            if (o.cache == DType::bf16) v = bf16_to_float(float_to_bf16(v));
    }
};

struct Outcome {
    Floats y, lse;
};

// One sequence's pages; what has not been written is NaN.
struct Cache {
    std::vector<std::vector<std::byte>> memory;
    std::vector<std::byte*> pages;
    int64_t row_bytes;
    Cache(const Attention& op, int64_t tokens) : row_bytes(op.cache_width() * info(op.cache_type).bytes) {
        for (int64_t t = 0; t < tokens; t += kMlaPage) memory.emplace_back(kMlaPage * row_bytes, std::byte{0xFF});
        for (auto& page : memory) pages.push_back(page.data());
    }
    std::byte* row(int64_t t) const { return pages[static_cast<size_t>(t / kMlaPage)] + t % kMlaPage * row_bytes; }
};

// Feeds [from, to) of the problem.
Outcome feed(Backend& on, const Problem& p, const Cache& cache, int64_t from, int64_t to) {
    const int64_t n = to - from, HD = int64_t{p.s.H} * p.s.D;
    Outcome r{Floats(static_cast<size_t>(n * HD), kNaN), Floats(static_cast<size_t>(n * p.s.H), kNaN)};
    const AttentionSegment segment{0, n, from, cache.pages};
    Attention a = p.op;
    a.x = {p.x.data() + from * a.width(), {n, a.width()}}, a.y = {r.y.data(), {n, HD}}, a.segments = {&segment, 1};
    a.taps.log_sum_exp = r.lse.data();
    on.attention(a);
    return r;
}

Outcome run(Backend& on, const Problem& p, std::vector<int64_t> pieces = {}) {
    if (pieces.empty()) pieces = {p.T};
    const Cache cache(p.op, p.T);
    Outcome all;
    int64_t t = 0;
    for (int64_t n : pieces) {
        n = std::min(n, p.T - t);
        const Outcome one = feed(on, p, cache, t, t + n);
        all.y.insert(all.y.end(), one.y.begin(), one.y.end()), all.lse.insert(all.lse.end(), one.lse.begin(), one.lse.end());
        t += n;
    }
    EXPECT_EQ(t, p.T);
    return all;
}

// Scores are sums of D <= 256 products of numbers of size one, so f32 is off by 256 u = 1.5e-5 of the sum of their sizes at the worst and a tenth of it in fact;
// a weight's relative error is its score's, an answer's that of its weights.
constexpr double kF32 = 1e-5;
void expect_close(const Outcome& got, const Outcome& truth, const std::string& where, double bound = kF32) {
    EXPECT_LE(error(got.y, truth.y), bound) << where;
    EXPECT_LE(error(got.lse, truth.lse), bound) << where;
}

class Gqa : public testing::TestWithParam<Device> {
protected:
    std::shared_ptr<Backend> on = GetParam().make(), truth = make_naive_backend();
    const bool simulated = GetParam().name.starts_with("simulated");
};
INSTANTIATE_TEST_SUITE_P(All, Gqa, testing::ValuesIn(devices()), [](const auto& info) { return info.param.name; });

// Two heads of width 2 that share keys and values, two tokens, numbers for a person: scores 0 and ln 3 give weights 1/4 and 3/4; z = 0 halves.
TEST(GqaByHand, WeighsOnEveryBackend) {
    std::vector<std::shared_ptr<Backend>> backends{make_naive_backend()};
    for (const Device& device : devices()) backends.push_back(device.make());
    const float ln3 = std::log(3.f);
    //              head 0: q | z      head 1: q | z      k           v
    const Floats x{0, 0, 0, 0, /*  */ 0, 0, 0, 0, /*  */ 0,   0, /* */ 8, 1,  //
                   1, 0, 0, 0, /*  */ 0, 0, 0, 0, /*  */ ln3, 9, /* */ 4, 3};
    for (const auto& on : backends) {
        Attention op{.H = 2, .H_kv = 1, .D = 2, .gated = true};
        op.scale = 1;
        const Cache cache(op, 2);
        const AttentionSegment segment{0, 2, 0, cache.pages};
        Floats y(8, kNaN);
        op.x = {x.data(), {2, op.width()}}, op.y = {y.data(), {2, 4}}, op.segments = {&segment, 1};
        on->attention(op);
        const Floats right{4, 0.5f, 4, 0.5f, 2.5f, 1.25f, 3, 1};
        for (size_t i = 0; i < right.size(); ++i) EXPECT_NEAR(y[i], right[i], 1e-5) << on->info().name << " " << i;
    }
}

TEST_P(Gqa, IsTheFormulaForGroupsOfOneToEight) {
    for (const Shape& s : {Shape{1, 1, 4}, {2, 1, 6}, {3, 3, 16}, {6, 2, 20}, {4, 1, 32}, {10, 2, 8}, {6, 1, 12}, {7, 1, 64}, {16, 2, 32}, {2, 1, 256}})
        for (const Options& o : {Options{},
                                 {.gated = false, .norms = false, .rotary = 0},
                                 {.gated = false, .rotary = 2},
                                 {.norms = false},
                                 {.cache = DType::bf16},
                                 {.gated = false, .norms = false, .cache = DType::bf16}})
            for (int64_t T : {1, 2, 3, 8, 9, 15, 33, 70}) {
                if (simulated && (T * s.H > 100 || T == 2 || T == 8)) continue;
                const Problem p(s, T, o);
                expect_close(run(*on, p), run(*truth, p),
                             "H " + std::to_string(s.H) + " of " + std::to_string(s.H_kv) + " D " + std::to_string(s.D) + " T " + std::to_string(T) + " " +
                                 std::string(info(o.cache).name) + (o.gated ? " gated" : ""));
            }
}

// Whole heads, a quarter, nothing: what stands behind the rotated columns is left alone (family by family that quarter is 64 of 256).
TEST_P(Gqa, RotatesItsFirstColumnsOnly) {
    for (int rotary : {0, 2, 8, 16}) {
        const Problem p({2, 1, 16}, 20, {.norms = false, .rotary = rotary});
        expect_close(run(*on, p), run(*truth, p), std::to_string(rotary));
    }
}

TEST_P(Gqa, AnySplitIsOneShot) {
    const int64_t T = simulated ? 30 : 150;
    for (const Options& o : {Options{}, {.cache = DType::bf16}}) {
        const Problem p({6, 2, 16}, T, o);
        const Outcome expected = run(*truth, p);
        std::vector<std::vector<int64_t>> splits{{0, 1, 0, 2, 0, 147}};
        for (int64_t n : {1, 2, 8, 9, 31, 64})
            if (!simulated || n == 9) splits.emplace_back(151, n);
        for (const auto& pieces : splits) expect_close(run(*on, p, pieces), expected, "in pieces of " + std::to_string(pieces[0]));
    }
}

TEST_P(Gqa, PagesMayEndAnywhere) {
    for (DType type : {DType::f32, DType::bf16})
        for (int64_t past : {127, 255, 256, 257, 513})
            for (int64_t count : {1, 2, 40}) {
                if (simulated && (past != 256 || count != 2)) continue;
                const Problem p({4, 2, 32}, past + count, {.cache = type});
                expect_close(run(*on, p, {past, count}), run(*truth, p, {past, count}), "past " + std::to_string(past) + " count " + std::to_string(count));
            }
}

// Keys that are normalised, rotated and then stored as bf16 may go to the other neighbour than the truth's: 2^-8 of one of a score's products, which are D
// numbers of size D^-1/2, and half of it (2^-9) of a value.
TEST_P(Gqa, StoredKeysAreRoundedOnce) {
    Problem p({4, 2, 16}, simulated ? 25 : 120, {.cache = DType::bf16});
    p.op.k_norm = {p.k_norm.data(), 1e-6f}, p.op.rotary = 8, p.op.rope_theta = 1e4f;
    expect_close(run(*on, p), run(*truth, p), "", 1.0 / 256);
}

// Scores of some hundred: the largest wins, and nothing overflows. Such a score carries an absolute error of 1e-5, and so do the weights beside the largest.
TEST_P(Gqa, SharpScoresDoNotOverflow) {
    const Problem p({4, 2, 16}, simulated ? 25 : 140, {.sharpness = 100});
    const Outcome expected = run(*truth, p), got = run(*on, p);
    EXPECT_LE(error(got.lse, expected.lse), 1e-5);
    EXPECT_LE(error(got.y, expected.y), 1e-3);
}

TEST_P(Gqa, TheFutureNeverChangesThePast) {
    const Shape s{4, 2, 16};
    const int64_t T = simulated ? 24 : 100;
    for (int64_t from : {1, 15, 17, 64}) {
        if (from >= T) continue;
        const Problem p(s, T);
        Problem changed(s, T);
        const Floats other = normal(changed.x.size(), 99, 3);
        std::copy(other.begin() + from * p.op.width(), other.end(), changed.x.begin() + from * p.op.width());
        Floats a = run(*on, p).y, b = run(*on, changed).y;
        a.resize(static_cast<size_t>(from * s.H * s.D)), b.resize(a.size());
        EXPECT_TRUE(identical(a, b)) << "from " << from;
    }
}

TEST_P(Gqa, ABatchIsItsMembersAlone) {
    const Shape s{6, 2, 16};
    const int64_t pasts[] = {0, simulated ? 20 : 300, 5, simulated ? 12 : 256, 17, 0}, counts[] = {5, 1, 0, simulated ? 10 : 70, 1, 1};
    const size_t order[] = {3, 0, 5, 1, 4, 2};  // where each member's rows lie, one row nobody owns behind each
    for (DType type : {DType::f32, DType::bf16}) {
        std::vector<Problem> members;
        std::vector<Cache> caches;
        members.reserve(6);  // ops point into them
        int64_t rows = 0, first[6];
        for (size_t i = 0; i < 6; ++i) {
            members.emplace_back(s, pasts[i] + counts[i], Options{.cache = type}, 50);  // the same norms
            members[i].x = normal(members[i].x.size(), 60 + i);
            caches.emplace_back(members[i].op, pasts[i] + counts[i]);
            if (pasts[i]) feed(*on, members[i], caches[i], 0, pasts[i]);
        }
        for (size_t i : order) first[i] = rows, rows += counts[i] + 1;
        const int64_t width = members[0].op.width(), HD = int64_t{s.H} * s.D;
        Floats x(static_cast<size_t>(rows * width), kNaN), y(static_cast<size_t>(rows * HD), kNaN);
        std::vector<AttentionSegment> segments;
        for (size_t i = 0; i < 6; ++i) {
            std::copy_n(members[i].x.begin() + pasts[i] * width, counts[i] * width, x.begin() + first[i] * width);
            segments.push_back({first[i], counts[i], pasts[i], caches[i].pages});
        }
        Attention a = members[0].op;
        a.x = {x.data(), {rows, width}}, a.y = {y.data(), {rows, HD}}, a.segments = segments;
        on->attention(a);
        for (size_t i = 0; i < 6; ++i) {
            const Floats alone = feed(*on, members[i], caches[i], pasts[i], pasts[i] + counts[i]).y;
            EXPECT_TRUE(identical(Floats(y.begin() + first[i] * HD, y.begin() + (first[i] + counts[i]) * HD), alone)) << "member " << i;
            for (int64_t c = 0; c < HD; ++c) EXPECT_TRUE(std::isnan(y[static_cast<size_t>((first[i] + counts[i]) * HD + c)]));
        }
    }
}

// A row that is no number spoils what reads it and nothing else.
TEST_P(Gqa, NoNumberStaysWithThoseThatSeeIt) {
    for (const float bad : {kNaN, -std::numeric_limits<float>::infinity()}) {
        Problem p({4, 2, 16}, 30, {.norms = false, .rotary = 0});
        std::fill_n(p.x.begin() + 20 * p.op.width() + p.op.H * p.op.q_step(), p.op.cache_width(), bad);
        const Floats y = run(*on, p, {20, 10}).y;
        for (int64_t t = 0; t < 30; ++t)
            for (int64_t i = 0; i < 64; ++i) EXPECT_EQ(std::isfinite(y[static_cast<size_t>(t * 64 + i)]), t < 20) << "token " << t;
    }
}

TEST_P(Gqa, RowsOfThePastAndBehindTheNewOnesAreNotTouched) {
    const Problem p({4, 2, 16}, 10);
    const Cache cache(p.op, 10);
    const std::vector<std::byte> before = cache.memory[0];
    std::memset(cache.row(0), 0, static_cast<size_t>(4 * cache.row_bytes));
    feed(*on, p, cache, 4, 7);
    EXPECT_TRUE(std::all_of(cache.row(0), cache.row(4), [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_EQ(std::memcmp(cache.row(7), before.data() + 7 * cache.row_bytes, static_cast<size_t>((kMlaPage - 7) * cache.row_bytes)), 0);
}

class GqaOnEveryCpu : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(Isa, GqaOnEveryCpu, testing::ValuesIn(supported_isas()), [](const auto& info) { return std::string(name(info.param)); });

TEST_P(GqaOnEveryCpu, AnyNumberOfThreadsGivesTheSameBits) {
    for (DType type : {DType::f32, DType::bf16}) {
        const Problem p({6, 2, 32}, 400, {.cache = type});
        const Outcome one = run(*cpu(GetParam(), 1), p, {390, 9, 1});
        for (int threads : {2, 3}) {
            const Outcome many = run(*cpu(GetParam(), threads), p, {390, 9, 1});
            EXPECT_TRUE(identical(one.y, many.y) && identical(one.lse, many.lse)) << threads;
        }
    }
}

}  // namespace
}  // namespace klp
