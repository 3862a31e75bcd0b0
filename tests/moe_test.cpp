// The router by hand-made numbers, and feed-forwards, dense and of experts, against the formulas of naive.h on every device.
#include <gmock/gmock.h>

#include "tests/bounds.h"
#include "tests/devices.h"

namespace klp {
namespace {

using namespace test;
using naive::Numbers;
using testing::ElementsAre;
using testing::FloatNear;

// Routes one token whose logits are given: x is 1 wide and 1. The experts do nothing.
struct Routed {
    std::vector<int32_t> picks;
    Floats weights;
};
Routed route(Router router, const Floats& logits, const Device& on) {
    const Floats zero(1), one(1, 1);
    Floats y(1);
    const Weight nothing{reinterpret_cast<const std::byte*>(zero.data()), DType::f32, 1, 1};
    router.E = static_cast<int>(logits.size());
    router.weight = logits.data();
    const std::vector<SwiGlu> experts(logits.size(), {nothing, nothing, nothing});
    Routed r{std::vector<int32_t>(router.top_k, -1), Floats(router.top_k, kNaN)};
    on.make()->moe({.x = {one.data(), {1, 1}}, .router = router, .experts = experts, .y = {y.data(), {1, 1}}, .taps = {r.picks.data(), r.weights.data()}});
    return r;
}

class OnEveryDevice : public testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(Moe, OnEveryDevice, testing::ValuesIn(devices()), [](const auto& info) { return info.param.name; });

TEST_P(OnEveryDevice, TheBiasSteersTheChoiceAndTheWeightsAreUnbiased) {
    const Floats bias{0.5f, -0.4f, 0.6f, 0};
    Router router{.bias = bias.data(), .top_k = 2, .scale = 2.446f};
    const Floats logits{0, 1, -1, 0.5f};
    Routed r = route(router, logits, GetParam());
    EXPECT_THAT(r.picks, ElementsAre(0, 2));
    EXPECT_THAT(r.weights, ElementsAre(FloatNear(1.590498269f, 1e-6f), FloatNear(0.855501731f, 1e-6f)));
    router.weights_from_biased_scores = true;
    r = route(router, logits, GetParam());
    EXPECT_THAT(r.picks, ElementsAre(0, 2));
    EXPECT_THAT(r.weights, ElementsAre(FloatNear(1.308762261f, 1e-6f), FloatNear(1.137237739f, 1e-6f)));
}

TEST_P(OnEveryDevice, AmongEqualsTheLowerIndexIsChosen) {
    EXPECT_THAT(route({.top_k = 3}, Floats(9, 0.25f), GetParam()).picks, ElementsAre(0, 1, 2));
    EXPECT_THAT(route({.top_k = 3}, {1, 2, 2, 0, 2, 2}, GetParam()).picks, ElementsAre(1, 2, 4));
}

TEST_P(OnEveryDevice, ABiasThatTipsANearTieIsNotRounded) {
    // A correction rounded to bf16 would make these two equal and the first one win.
    const Floats bias{0.5f, 0.5f + 0x1p-12f};
    EXPECT_THAT(route({.bias = bias.data(), .top_k = 1}, {0, 0}, GetParam()).picks, ElementsAre(1));
}

TEST_P(OnEveryDevice, OnlyTheGroupsWithTheBestPairsRemain) {
    // Groups of three. Best pairs: 0.9 + 0.08, 0.6 + 0.6, 0.5 + 0.5: the first group holds the best expert and is out.
    const auto logit = [](double p) { return static_cast<float>(std::log(p / (1 - p))); };
    const Floats logits{logit(0.9), logit(0.08), logit(0.05), logit(0.6), logit(0.6), logit(0.01), logit(0.5), logit(0.3), logit(0.5)};
    EXPECT_THAT(route({.top_k = 1, .groups = 3, .kept_groups = 3}, logits, GetParam()).picks, ElementsAre(0));
    EXPECT_THAT(route({.top_k = 3, .groups = 3, .kept_groups = 1}, logits, GetParam()).picks, ElementsAre(3, 4, 5));
    EXPECT_THAT(route({.top_k = 4, .groups = 3, .kept_groups = 2}, logits, GetParam()).picks, ElementsAre(3, 4, 6, 8));
}

TEST_P(OnEveryDevice, SoftmaxScoresAreProbabilitiesAndNeedNotBeRenormalised) {
    const Floats logits{1, 3, 2, -60};
    const double sum = std::exp(1) + std::exp(3) + std::exp(2);
    const Routed r = route({.top_k = 2, .softmax = true, .renormalize = false, .scale = 0.5f}, logits, GetParam());
    EXPECT_THAT(r.picks, ElementsAre(1, 2));
    EXPECT_THAT(r.weights,
                ElementsAre(FloatNear(static_cast<float>(std::exp(3) / sum / 2), 1e-6f), FloatNear(static_cast<float>(std::exp(2) / sum / 2), 1e-6f)));
}

TEST_P(OnEveryDevice, ScoresThatAreNoNumbersStillPickDifferentExperts) {
    EXPECT_THAT(route({.top_k = 2}, {kNaN, kNaN, kNaN}, GetParam()).picks, ElementsAre(0, 1));
}

// Of an expert that would not be chosen too: who looks at the answer is to see it.
TEST_P(OnEveryDevice, OneScoreThatIsNoNumberMakesAllWeightsNaN) {
    for (const float odd : {kNaN, -kNaN, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
        for (const size_t at : {0, 3, 7})
            for (const Router& router : {Router{.top_k = 2}, Router{.top_k = 2, .softmax = true}, Router{.top_k = 2, .groups = 4, .kept_groups = 2},
                                         Router{.top_k = 2, .renormalize = false}, Router{.top_k = 2, .weights_from_biased_scores = true}}) {
                Floats logits{3, 2, 1, 0, -1, -2, -3, -4}, bias(8);
                (at == 3 ? bias : logits)[at] = odd;
                Router r = router;
                r.bias = bias.data();
                const Routed got = route(r, logits, GetParam());
                EXPECT_TRUE(std::isnan(got.weights[0]) && std::isnan(got.weights[1])) << odd << " at " << at << ": " << got.weights[0];
                EXPECT_NE(got.picks[0], got.picks[1]);
            }
}

// --- feed-forward ---------------------------------------------------------------------------------------------------------------------------

struct Expert {
    Matrix gate, up, down;
    Expert(int64_t D, int64_t F, DType type, DType down_type, uint64_t seed)
        : gate(normal(F * D, seed, 0.3f), F, D, type), up(normal(F * D, seed + 1, 0.3f), F, D, type), down(normal(D * F, seed + 2, 0.3f), D, F, down_type) {}
    SwiGlu w() const { return {gate.w, up.w, down.w}; }
};

// scale SwiGLU(n), with the errors of each step carried through the next. silu' is at most 1.1; e^-x is within 2 ulp, so silu(x) within 8 u.
Bounded bounded_swiglu(const SwiGlu& w, const Bounded& n, double scale) {
    const Bounded gate = bounded_product(w.gate, n), up = bounded_product(w.up, n);
    Bounded hidden = gate;
    for (size_t i = 0; i < hidden.value.size(); ++i) {
        const double s = naive::silu(gate.value[i]), ds = 1.1 * gate.error[i] + 8 * kU * (std::abs(s) + gate.error[i]);
        hidden.value[i] = scale * naive::glu(gate.value[i], up.value[i], w.limit);  // a limit moves neither factor further than it was
        hidden.error[i] = std::abs(scale) * (ds * (std::abs(up.value[i]) + up.error[i]) + std::abs(s) * up.error[i] + 4 * kU * std::abs(s * up.value[i]));
    }
    return bounded_product(w.down, hidden);
}

Bounded bounded_norm(const float* x, int64_t n, const Norm& norm) {
    Bounded b = exact(x, n);
    b.value = naive::rms_norm(b.value, norm);
    for (size_t i = 0; i < b.value.size(); ++i) b.error[i] = static_cast<double>(n + 6) * kU * std::abs(b.value[i]);
    return b;
}

// Adds to the y that is there, as the op does.
void add(Numbers& value, Numbers& error, const Bounded& more) {
    for (size_t i = 0; i < value.size(); ++i) {
        value[i] += more.value[i];
        error[i] += more.error[i] + 2 * kU * (std::abs(value[i]) + more.error[i]);
    }
}

TEST_P(OnEveryDevice, FfnIsDownOfSiluGateTimesUpOnTheNormalisedInput) {
    constexpr int64_t D = 96, F = 160;
    const Floats scale = normal(D, 1, 0.2f, 1);
    const Norm norm{scale.data(), 1e-5f};
    const auto device = GetParam().make();
    for (const DTypeInfo& type : dtypes()) {
        if (type.block > 32) continue;
        const Expert e(D, F, type.type, type.type, 2);
        for (int64_t T : {0, 1, 3, 8, 21}) {
            const Floats x = normal(T * D, 5), before = normal(T * D, 6);
            Floats y = before;
            device->ffn({.x = {x.data(), {T, D}}, .norm = norm, .w = e.w(), .y = {y.data(), {T, D}}});
            for (int64_t t = 0; t < T; ++t) {
                Bounded truth = exact(before.data() + t * D, D);
                add(truth.value, truth.error, bounded_swiglu(e.w(), bounded_norm(x.data() + t * D, D, norm), 1));
                for (int64_t d = 0; d < D; ++d) EXPECT_NEAR(y[t * D + d], truth.value[d], truth.error[d]) << type.name << " T " << T;
            }
        }
    }
}

struct Experts {
    static constexpr int64_t D = 64, F = 96;
    static constexpr int E = 12;
    Floats router_weight = normal(E * D, 1, 0.2f), bias = normal(E, 2, 0.3f), scale = normal(D, 3, 0.2f, 1);
    std::vector<Expert> experts;
    std::vector<SwiGlu> views;
    Expert shared;
    Moe op;

    Experts(DType type, DType down) : shared(D, 2 * F, type, down, 999) {
        for (int e = 0; e < E; ++e) experts.emplace_back(D, F, type, down, 10 + 3 * e);
        for (const Expert& e : experts) views.push_back(e.w());
        op.norm = {scale.data(), 1e-5f};
        op.router = {.weight = router_weight.data(), .bias = bias.data(), .E = E, .top_k = 3, .groups = 4, .kept_groups = 2, .scale = 2.446f};
        op.experts = views;
        op.shared = shared.w();
    }
    // What the op adds to zeros for the tokens x [T, D].
    Floats run(Backend& on, std::span<const float> x) {
        Floats y(x.size());
        const auto T = static_cast<int64_t>(x.size()) / D;
        op.x = {x.data(), {T, D}};
        op.y = {y.data(), {T, D}};
        on.moe(op);
        return y;
    }
};

TEST_P(OnEveryDevice, MoeIsTheWeightedSumOfThePickedExpertsAndTheSharedOne) {
    constexpr int64_t D = Experts::D;
    const auto device = GetParam().make();
    const bool simulated = GetParam().name.starts_with("simulated");
    for (const DTypeInfo& type : dtypes()) {
        if (type.block > 32) continue;
        // Products of different forms in one expert too: int8 in front, f16 behind.
        for (DType down : {type.type, DType::f16}) {
            Experts m(type.type, down);
            for (int64_t T : {0, 1, 2, 5, 33, 70}) {
                if (down != type.type && T != 5 && T != 33) continue;
                if (simulated && (T == 2 || T == 70)) continue;
                const Floats x = normal(T * D, 4), before = normal(T * D, 5);
                Floats y = before, weights(T * 3, kNaN);
                std::vector<int32_t> picks(T * 3, -1);
                m.op.x = {x.data(), {T, D}};
                m.op.y = {y.data(), {T, D}};
                m.op.taps = {picks.data(), weights.data()};
                device->moe(m.op);
                for (int64_t t = 0; t < T; ++t) {
                    const Bounded n = bounded_norm(x.data() + t * D, D, m.op.norm);
                    const naive::Picks truth = naive::route(m.op.router, n.value);
                    Bounded want = exact(before.data() + t * D, D);
                    for (int i = 0; i < 3; ++i) {
                        ASSERT_EQ(picks[t * 3 + i], truth.experts[i]) << "token " << t;
                        // A score is off by the logit's error at most (its slope is below 1/4, its own size may be small), the sum of three and two divisions.
                        EXPECT_NEAR(weights[t * 3 + i], truth.weights[i], 1e-5) << "token " << t;
                        add(want.value, want.error, bounded_swiglu(m.views[picks[t * 3 + i]], n, weights[t * 3 + i]));
                    }
                    add(want.value, want.error, bounded_swiglu(m.op.shared, n, 1));
                    for (int64_t d = 0; d < D; ++d) ASSERT_NEAR(y[t * D + d], want.value[d], want.error[d]) << type.name << " T " << T << " token " << t;
                }
            }
        }
    }
}

// By a gate of its own (Qwen): sigmoid(gate . n), which is off by a quarter of what the product is.
TEST_P(OnEveryDevice, TheSharedExpertMayHaveAGate) {
    constexpr int64_t D = Experts::D;
    const auto device = GetParam().make();
    const Floats gate = normal(D, 77, 0.3f);
    for (const auto& [type, norm] : {std::pair{DType::f32, true}, {DType::f32, false}, {DType::q8_0, true}}) {
        Experts m(type, type);
        m.op.router.softmax = true, m.op.router.bias = nullptr, m.op.router.groups = m.op.router.kept_groups = 1, m.op.router.scale = 1;
        m.op.shared_gate = gate.data();
        if (!norm) m.op.norm = {};
        for (const int64_t T : {1, 5, 40}) {
            const Floats x = normal(T * D, 4);
            Floats weights(T * 3, kNaN);
            std::vector<int32_t> picks(T * 3, -1);
            m.op.taps = {picks.data(), weights.data()};
            const Floats y = m.run(*device, x);
            for (int64_t t = 0; t < T; ++t) {
                const Bounded n = norm ? bounded_norm(x.data() + t * D, D, m.op.norm) : exact(x.data() + t * D, D);
                Bounded want{Numbers(D), Numbers(D)};
                for (int i = 0; i < 3; ++i) add(want.value, want.error, bounded_swiglu(m.views[static_cast<size_t>(picks[t * 3 + i])], n, weights[t * 3 + i]));
                const Bounded z = bounded_product({reinterpret_cast<const std::byte*>(gate.data()), DType::f32, 1, D}, n);
                const double factor = naive::sigmoid(z.value[0]), moved = z.error[0] / 4 + 4 * kU;
                Bounded shared = bounded_swiglu(m.op.shared, n, factor);
                for (int64_t d = 0; d < D; ++d) shared.error[d] += moved / factor * (std::abs(shared.value[d]) + shared.error[d]);
                if (type == DType::q8_0) {  // hidden values are rounded after they were scaled: as far off as the largest of them, whatever the step's multiple
                    const Bounded whole = bounded_swiglu(m.op.shared, n, 1);
                    for (int64_t d = 0; d < D; ++d) shared.error[d] = std::max(shared.error[d], whole.error[d]);
                }
                add(want.value, want.error, shared);
                for (int64_t d = 0; d < D; ++d) ASSERT_NEAR(y[t * D + d], want.value[d], want.error[d]) << info(type).name << " T " << T << " token " << t;
            }
        }
    }
}

// Files mix types: in one expert, between experts and beside them.
TEST_P(OnEveryDevice, MixedTypesAreEachTheirOwn) {
    constexpr int64_t D = 256, F = 512;
    constexpr int E = 4;
    const auto device = GetParam().make();
    const Floats router = normal(E * D, 1, 0.1f);
    std::vector<Expert> all;
    for (const auto& [type, down] : {std::pair{DType::q4_k, DType::q6_k},
                                     {DType::iq2_xs, DType::q3_k},
                                     {DType::q2_k, DType::q8_0},
                                     {DType::mxfp4, DType::iq4_xs},
                                     {DType::q5_k, DType::bf16}})
        all.emplace_back(D, F, type, down, 10 * all.size());
    std::vector<SwiGlu> experts;
    for (int e = 0; e < E; ++e) experts.push_back(all[static_cast<size_t>(e)].w());
    for (const int64_t T : {1, 5, 33}) {
        const Floats x = normal(T * D, 3);
        Floats y(T * D);
        std::vector<int32_t> picks(T * 2);
        Floats weights(T * 2);
        device->moe({.x = {x.data(), {T, D}},
                     .router = {.weight = router.data(), .E = E, .top_k = 2},
                     .experts = experts,
                     .shared = all.back().w(),
                     .y = {y.data(), {T, D}},
                     .taps = {picks.data(), weights.data()}});
        for (int64_t t = 0; t < T; ++t) {
            const Bounded n = exact(x.data() + t * D, D);
            Bounded want{Numbers(D), Numbers(D)};
            for (int i = 0; i < 2; ++i) add(want.value, want.error, bounded_swiglu(experts[static_cast<size_t>(picks[t * 2 + i])], n, weights[t * 2 + i]));
            add(want.value, want.error, bounded_swiglu(all.back().w(), n, 1));
            for (int64_t d = 0; d < D; ++d) ASSERT_NEAR(y[t * D + d], want.value[d], want.error[d]) << "T " << T << " token " << t;
        }
    }
}

TEST(Moe, GivesTheSameBitsWithAnyNumberOfThreads) {
    constexpr int64_t D = Experts::D;
    for (Isa isa : supported_isas()) {
        for (const DTypeInfo& type : dtypes().first(5)) {
            Experts m(type.type, type.type);
            for (int64_t T : {1, 4, 60}) {
                const Floats x = normal(T * D, 4);
                Floats first;
                for (int threads : {1, 2, 3, 5}) {
                    Floats y(T * D);
                    m.op.x = {x.data(), {T, D}};
                    m.op.y = {y.data(), {T, D}};
                    auto device = cpu(isa, threads);
                    device->moe(m.op);
                    std::fill(y.begin(), y.end(), 0);
                    device->moe(m.op);  // and again, in scratch that has been used
                    if (threads == 1) first = y;
                    EXPECT_TRUE(identical(y, first)) << name(isa) << " " << type.name << " T " << T << " threads " << threads;
                }
            }
        }
    }
}

TEST_P(OnEveryDevice, ATokenDoesNotCareWhoSharesItsBatch) {
    // Its experts see it among other tokens, in another layout of x: the same sums in another order.
    constexpr int64_t D = Experts::D, T = 24;
    const auto device = GetParam().make();
    Experts m(DType::f32, DType::f32);
    const Floats x = normal(T * D, 4), together = m.run(*device, x);
    for (int64_t t = 0; t < T; ++t)
        EXPECT_LT(error(m.run(*device, std::span(x).subspan(t * D, D)), Floats(together.begin() + t * D, together.begin() + (t + 1) * D)), 1e-5);
}

// By hand: silu(6) = 5.985 is more than 4, -7 less than -4; silu(-6) is small and below nothing.
TEST(SwiGlu, ALimitIsOneOfTheGateFromAboveAndOneOfTheOtherFromBothSides) {
    EXPECT_NEAR(naive::glu(6, -7, 4), -16, 1e-12);
    EXPECT_NEAR(naive::glu(-6, 3, 4), -0.044507217, 1e-9);
    EXPECT_NEAR(naive::glu(6, -7, 0), naive::silu(6) * -7, 1e-12);
    EXPECT_TRUE(std::isnan(naive::glu(kNaN, 1, 4)) && std::isnan(naive::glu(1, kNaN, 4)));
}

TEST_P(OnEveryDevice, LimitsHoldInEveryFormOfTheProduct) {
    constexpr int64_t D = Experts::D;
    const auto device = GetParam().make();
    const Floats scale = normal(D, 1, 0.2f, 1);
    for (DType type : {DType::f32, DType::bf16, DType::q8_0}) {
        Experts m(type, type);
        for (SwiGlu& e : m.views) e.limit = 0.5f;
        m.op.shared.limit = 0.8f;
        for (const int64_t T : {1, 5, 40}) {
            const Floats x = normal(T * D, 4);
            Floats weights(T * 3, kNaN);
            std::vector<int32_t> picks(T * 3, -1);
            m.op.taps = {picks.data(), weights.data()};
            const Floats y = m.run(*device, x);
            int64_t limited = 0;
            Floats alone(T * D);
            device->ffn({.x = {x.data(), {T, D}}, .norm = {scale.data(), 1e-5f}, .w = m.op.shared, .y = {alone.data(), {T, D}}});
            for (int64_t t = 0; t < T; ++t) {
                const Bounded n = bounded_norm(x.data() + t * D, D, m.op.norm);
                Bounded want{Numbers(D), Numbers(D)}, dense{Numbers(D), Numbers(D)};
                for (int i = 0; i < 3; ++i) add(want.value, want.error, bounded_swiglu(m.views[static_cast<size_t>(picks[t * 3 + i])], n, weights[t * 3 + i]));
                add(want.value, want.error, bounded_swiglu(m.op.shared, n, 1));
                add(dense.value, dense.error, bounded_swiglu(m.op.shared, bounded_norm(x.data() + t * D, D, {scale.data(), 1e-5f}), 1));
                const Numbers up = naive::matvec(m.op.shared.up, n.value);
                limited += std::count_if(up.begin(), up.end(), [](double u) { return std::abs(u) > 0.8; });
                for (int64_t d = 0; d < D; ++d) {
                    ASSERT_NEAR(y[t * D + d], want.value[d], want.error[d]) << info(type).name << " T " << T;
                    ASSERT_NEAR(alone[t * D + d], dense.value[d], dense.error[d]) << info(type).name << " T " << T;
                }
            }
            EXPECT_GT(limited, T);
        }
    }
}

TEST_P(OnEveryDevice, ALimitHidesNoNaN) {
    constexpr int64_t D = Experts::D;
    Experts m(DType::f32, DType::f32);
    m.op.shared.limit = 0.8f;
    Floats x(D, kNaN), y(D);
    GetParam().make()->ffn({.x = {x.data(), {1, D}}, .w = m.op.shared, .y = {y.data(), {1, D}}});
    for (float v : y) EXPECT_TRUE(std::isnan(v));
}

// So many that tiles of a GPU's products are full.
TEST_P(OnEveryDevice, ManyTokensGoThroughTheirExperts) {
    const auto device = GetParam().make();
    for (DType type : {DType::bf16, DType::q4_0}) {
        Experts m(type, type);
        const Floats x = normal(280 * Experts::D, 4);
        EXPECT_LT(error(m.run(*device, x), m.run(*make_naive_backend(), x)), 0.02);  // of the largest value; IsTheWeightedSum has the sharp bound
    }
}

// A CPU's vectors hold several rows.
class OnEveryGpu : public testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(Moe, OnEveryGpu, testing::ValuesIn(gpus()), [](const auto& info) { return info.param.name; });

TEST_P(OnEveryGpu, ATokensBitsDoNotDependOnTheFewBesideIt) {
    constexpr int64_t D = Experts::D, T = 5;
    const auto device = GetParam().make();
    for (DType type : {DType::bf16, DType::q4_0}) {
        Experts m(type, type);
        const Floats x = normal(T * D, 4), together = m.run(*device, x);
        for (int64_t t = 0; t < T; ++t)
            EXPECT_TRUE(identical(m.run(*device, std::span(x).subspan(t * D, D)), Floats(together.begin() + t * D, together.begin() + (t + 1) * D)))
                << "token " << t;
    }
}

}  // namespace
}  // namespace klp
