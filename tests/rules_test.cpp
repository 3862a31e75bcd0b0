// The same tokens under another rule: the laws between the rules, each against the sum that it unrolls to, and KDA's against the engine's own state on every
// device.
#include "core/model/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <tuple>

#include "core/model/checkpoint.h"
#include "kernels/cpu/isa.h"
#include "kernels/naive.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"

namespace klp {
namespace {

using testing::HasSubstr;
using What = Intervention::What;

// What a head could be given, at gates from exp(-strength) to 1.
DeltaRows drawn_rows(int K, int V, int64_t tokens, uint64_t seed, double strength = 1) {
    std::mt19937_64 bits(seed);
    std::normal_distribution<double> draw;
    std::uniform_real_distribution<double> part(0, 1);
    DeltaRows rows{K, V};
    const auto some = [&](std::vector<double>& into, int n, bool of_length_1) {
        std::vector<double> x(static_cast<size_t>(n));
        for (double& v : x) v = draw(bits);
        if (of_length_1) x = unit(x);
        into.insert(into.end(), x.begin(), x.end());
    };
    for (int64_t t = 0; t < tokens; ++t) {
        some(rows.k, K, true), some(rows.q, K, true), some(rows.v, V, false);
        rows.beta.push_back(part(bits));
        for (int i = 0; i < K; ++i) rows.alpha.push_back(std::exp(-strength * part(bits)));
    }
    return rows;
}

HeadState nothing(const DeltaRows& rows) { return {rows.V, rows.K, std::vector<float>(static_cast<size_t>(rows.V * rows.K))}; }

UnderRule under(Rule rule, const DeltaRows& rows, std::span<const Touched> touched = {}) {
    auto got = under_rule(rows, info(rule), nothing(rows), touched);
    EXPECT_TRUE(got);
    return std::move(*got);
}

// The state as the sum that a rule comes to: with W_t = (I - beta k k^T) Diag(a) (delta) or Diag(a) (plain), S_T = sum_i (W_T ... W_{i+1} beta_i k_i) v_i^T.
std::vector<double> unrolled(const DeltaRows& rows, const RuleInfo& rule) {
    const auto K = static_cast<size_t>(rows.K), V = static_cast<size_t>(rows.V), T = static_cast<size_t>(rows.tokens());
    std::vector<double> S(V * K);
    for (size_t i = 0; i < T; ++i) {
        std::vector<double> p(K);
        for (size_t c = 0; c < K; ++c) p[c] = rows.beta[i] * rows.k[i * K + c];
        for (size_t t = i + 1; t < T; ++t) {
            double mean = 0, along = 0;
            for (size_t c = 0; c < K; ++c) mean += rows.alpha[t * K + c] / static_cast<double>(K);
            for (size_t c = 0; c < K; ++c) {
                p[c] *= rule.gate == RuleInfo::Gate::each ? rows.alpha[t * K + c] : rule.gate == RuleInfo::Gate::one ? mean : 1;
                along += p[c] * rows.k[t * K + c];
            }
            for (size_t c = 0; c < K && rule.delta; ++c) p[c] -= rows.beta[t] * along * rows.k[t * K + c];
        }
        for (size_t j = 0; j < V; ++j)
            for (size_t c = 0; c < K; ++c) S[j * K + c] += rows.v[i * V + j] * p[c];
    }
    return S;
}

double length(std::span<const float> x) {
    double sum = 0;
    for (const float v : x) sum += double{v} * double{v};
    return std::sqrt(sum);
}

// Both are float64; what is compared has been cut to f32, 6e-8 of each number.
TEST(Rules, EachIsTheSumThatItUnrollsTo) {
    for (const auto& [K, V, tokens, strength] : {std::tuple(7, 5, 40, 1.0), {16, 16, 63, 30.0}, {3, 8, 1, 1.0}, {8, 3, 100, 0.01}}) {
        const DeltaRows rows = drawn_rows(K, V, tokens, static_cast<uint64_t>(K), strength);
        for (const Rule rule : {Rule::kda, Rule::gated_deltanet, Rule::deltanet, Rule::gla, Rule::linear}) {
            const UnderRule got = under(rule, rows);
            const std::vector<double> S = unrolled(rows, info(rule));
            const double size = std::sqrt(naive::dot(S, S));
            for (size_t n = 0; n < S.size(); ++n) EXPECT_NEAR(got.state.S[n], S[n], 1e-7 * size) << info(rule).name << " " << n;
            ASSERT_EQ(got.norm.size(), static_cast<size_t>(tokens));
            EXPECT_NEAR(got.norm.back(), length(got.state.S), 1e-6 * size) << info(rule).name;
            const auto reads = readable(rows, got.state);
            ASSERT_TRUE(reads);
            EXPECT_EQ(got.readable.cosine, reads->cosine) << info(rule).name;
        }
    }
}

TEST(Rules, KdaIsNaiveDeltaRule) {
    const DeltaRows rows = drawn_rows(7, 5, 50, 3);
    std::vector<double> S(35);
    for (size_t t = 0; t < 50; ++t) {
        std::vector<double> g(7);
        for (size_t i = 0; i < 7; ++i) g[i] = std::log(rows.alpha[t * 7 + i]);
        const auto v = value_of(rows, static_cast<int64_t>(t));
        naive::delta_rule(S, std::span(rows.q).subspan(t * 7, 7), std::span(rows.k).subspan(t * 7, 7), std::vector<double>(v.begin(), v.end()), g,
                          rows.beta[t]);
    }
    const UnderRule got = under(Rule::kda, rows);
    for (size_t n = 0; n < S.size(); ++n) EXPECT_NEAR(got.state.S[n], S[n], 1e-6) << n;
}

TEST(Rules, WhereGatesAreAlikeOneIsAsGoodAsMany) {
    DeltaRows rows = drawn_rows(6, 4, 30, 5);
    EXPECT_NE(under(Rule::gated_deltanet, rows).state.S, under(Rule::kda, rows).state.S);
    for (size_t at = 0; at < rows.alpha.size(); ++at) rows.alpha[at] = rows.alpha[at / 6 * 6];
    const UnderRule one = under(Rule::gated_deltanet, rows), each = under(Rule::kda, rows);
    for (size_t n = 0; n < one.state.S.size(); ++n) EXPECT_NEAR(one.state.S[n], each.state.S[n], 1e-6);
}

TEST(Rules, WithoutDecayGatesAreNothingAndWithoutWritingThereIsNoState) {
    DeltaRows rows = drawn_rows(6, 4, 30, 6, 0);
    EXPECT_EQ(under(Rule::deltanet, rows).state.S, under(Rule::kda, rows).state.S);
    EXPECT_EQ(under(Rule::linear, rows).state.S, under(Rule::gla, rows).state.S);
    EXPECT_NE(under(Rule::linear, rows).state.S, under(Rule::deltanet, rows).state.S);
    std::fill(rows.beta.begin(), rows.beta.end(), 0);
    for (const Rule rule : {Rule::kda, Rule::gated_deltanet, Rule::deltanet, Rule::gla, Rule::linear}) {
        const UnderRule got = under(rule, rows);
        EXPECT_EQ(length(got.state.S), 0) << info(rule).name;
        EXPECT_TRUE(std::isnan(got.readable.cosine[3])) << "nothing is read";
    }
}

// What the rules differ in: a key that is written twice reads its last value by the delta rule, and the sum of both by plain writing.
TEST(Rules, TheDeltaRuleOverwritesAndPlainWritingAdds) {
    DeltaRows rows{2, 1};
    for (int t = 0; t < 2; ++t) rows.k.insert(rows.k.end(), {1, 0}), rows.q.insert(rows.q.end(), {1, 0}), rows.alpha.insert(rows.alpha.end(), {1, 1});
    rows.v = {3, 5}, rows.beta = {1, 1};
    for (const Rule rule : {Rule::kda, Rule::gated_deltanet, Rule::deltanet}) EXPECT_EQ(under(rule, rows).state.S, (std::vector<float>{5, 0}));
    for (const Rule rule : {Rule::gla, Rule::linear}) EXPECT_EQ(under(rule, rows).state.S, (std::vector<float>{8, 0}));
}

TEST(Rules, AStateOfAnotherShapeIsRefusedAndAnInterruptionIsSaid) {
    const DeltaRows rows = drawn_rows(4, 3, 5, 1);
    EXPECT_THAT(under_rule(rows, kRules[0], {4, 3, std::vector<float>(12)}).error().message, HasSubstr("a state of 4 x 3"));
    const std::atomic<bool> stop = true;
    EXPECT_EQ(under_rule(rows, kRules[0], nothing(rows), {}, &stop).error().kind, Error::interrupted);
}

// --- In the engine ------------------------------------------------------------------------------------------------------

std::vector<std::string> devices() {
    std::vector<std::string> all{"naive", "simulated_gpu"};
    for (const Isa isa : supported_isas()) all.emplace_back("cpu_" + std::string(name(isa)));
    return all;
}

class RulesOnDevice : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        std::shared_ptr<Backend> on;
        if (GetParam() == "simulated_gpu") on = cuda_on_cpu::make_backend(0, "");
        if (GetParam() == "naive") on = *make_backend("naive", 2);
        for (const Isa isa : supported_isas())
            if (GetParam() == "cpu_" + std::string(name(isa))) on = test::cpu(isa);
        ModelConfig c = shape("tiny-spec");
        c.kda_value_dim = 5;
        model = *Model::load(on, c, synthetic_weights(c, DType::f32, 3));
        std::mt19937 random(5);
        for (int i = 0; i < 90; ++i) ids.push_back(static_cast<int32_t>(random() % static_cast<unsigned>(c.vocab_size)));
        for (int i = 0; i < c.num_hidden_layers; ++i) (c.layer_kinds[static_cast<size_t>(i)] == "kda" ? kda : mla) = i;
    }
    // The engine's own state is f32 and chunkwise: 1e-4 of its size.
    void expect_own(const RulesNow& got, const InterventionsPtr& hands) {
        Sequence sequence(model);
        ASSERT_TRUE(sequence.touch(hands));
        Workspace ws(model->backend());
        ASSERT_TRUE(sequence.feed(ids, ws));
        const std::vector<float> S = sequence.state(kda, "S", got.head);
        const UnderRule& own = got.rules.at(0);
        ASSERT_EQ(own.state.S.size(), S.size());
        const double size = length(S);
        ASSERT_GT(size, 0);
        for (size_t n = 0; n < S.size(); ++n) EXPECT_NEAR(own.state.S[n], S[n], 1e-4 * std::max(1.0, size)) << n;
    }
    std::shared_ptr<const Model> model;
    std::vector<int32_t> ids;
    SnapshotPool pool{int64_t{1} << 28};
    int kda = -1, mla = -1;
};
INSTANTIATE_TEST_SUITE_P(Every, RulesOnDevice, testing::ValuesIn(devices()), [](const auto& info) { return info.param; });

TEST_P(RulesOnDevice, ItsOwnRuleIsTheEnginesStateFromAnyWindow) {
    for (const int64_t window : {int64_t{1000}, int64_t{30}, int64_t{1}}) {
        const auto got = under_all_rules(model, pool, {.tokens = ids, .layer = kda, .head = 1, .window = window});
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got->position, 89);
        EXPECT_EQ(got->first, std::max<int64_t>(0, 90 - window));
        EXPECT_EQ(got->own, Rule::kda);
        ASSERT_EQ(got->rules.size(), kRules.size());
        EXPECT_EQ(got->rules[4].norm.size(), static_cast<size_t>(90 - got->first));
        EXPECT_NE(got->rules[0].state.S, got->rules[1].state.S);
        expect_own(*got, nullptr);
    }
}

TEST_P(RulesOnDevice, UnderHandsToo) {
    const auto size = static_cast<size_t>(model->config().kda_key_dim) * static_cast<size_t>(model->config().kda_value_dim);
    std::vector<float> key(static_cast<size_t>(model->config().kda_key_dim)), value(static_cast<size_t>(model->config().kda_value_dim)), state(2 * size);
    for (size_t i = 0; i < key.size(); ++i) key[i] = std::sin(static_cast<float>(i));
    for (size_t i = 0; i < value.size(); ++i) value[i] = std::cos(static_cast<float>(i));
    for (size_t i = 0; i < state.size(); ++i) state[i] = 0.1f * std::sin(0.3f * static_cast<float>(i));
    const auto hands = std::make_shared<const Interventions>(
        Interventions{{.what = What::gates, .layers = {kda}, .from = 70, .amount = 4},
                      {.what = What::beta, .layers = {kda}, .heads = {1}, .from = 80, .amount = 0.5f},
                      {.what = What::empty, .layers = {kda}, .heads = {1}, .channels = {0, 3}, .from = 60},
                      {.what = What::put, .layers = {kda}, .heads = {0, 1}, .from = 50, .state = state},
                      {.what = What::edit, .layers = {kda}, .heads = {1}, .from = 65, .amount = 0.75f, .key = key, .value = value},
                      {.what = What::edit, .layers = {kda}, .heads = {1}, .from = 75, .key = key}});
    for (const int64_t window : {int64_t{1000}, int64_t{40}, int64_t{15}}) {
        const auto got = under_all_rules(model, pool, {.tokens = ids, .layer = kda, .head = 1, .window = window, .hands = hands});
        ASSERT_TRUE(got) << got.error().message;
        expect_own(*got, hands);
    }
}

TEST_P(RulesOnDevice, WhatHasNoStateIsRefused) {
    EXPECT_THAT(under_all_rules(model, pool, {.tokens = ids, .layer = mla}).error().message, HasSubstr("no state in layer"));
    EXPECT_THAT(under_all_rules(model, pool, {.tokens = ids, .layer = kda, .head = 99}).error().message, HasSubstr("head 99"));
    EXPECT_THAT(under_all_rules(model, pool, {.layer = kda}).error().message, HasSubstr("no token"));
    const std::atomic<bool> stop = true;
    EXPECT_EQ(under_all_rules(model, pool, {.tokens = ids, .layer = kda}, &stop).error().kind, Error::interrupted);
}

}  // namespace
}  // namespace klp
