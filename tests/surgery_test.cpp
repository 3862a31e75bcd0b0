// Surgery on a state and a fact's life: each law in float64, and in the engine on every device and with every instruction set.
#include "core/model/surgery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>
#include <tuple>

#include "core/model/checkpoint.h"
#include "core/model/left.h"
#include "core/model/life.h"
#include "core/model/readers.h"
#include "kernels/cpu/isa.h"
#include "kernels/naive.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using Ids = std::vector<int32_t>;
using What = Intervention::What;
using testing::HasSubstr;

double length(std::span<const double> v) { return std::sqrt(naive::dot(v, v)); }

// What a head could be given, at strong and weak gates.
DeltaRows some_rows(int K, int V, int64_t tokens, uint64_t seed, double strength = 1) {
    std::mt19937_64 bits(seed);
    std::normal_distribution<double> draw;
    std::uniform_real_distribution<double> part(0, 1);
    DeltaRows rows{K, V};
    const auto some = [&](std::vector<double>& into, int n, bool unit_length) {
        std::vector<double> x(static_cast<size_t>(n));
        for (double& v : x) v = draw(bits);
        if (unit_length) x = unit(x);
        into.insert(into.end(), x.begin(), x.end());
    };
    for (int64_t t = 0; t < tokens; ++t) {
        some(rows.k, K, true), some(rows.q, K, true), some(rows.v, V, false);
        rows.beta.push_back(part(bits));
        for (int i = 0; i < K; ++i) rows.alpha.push_back(std::exp(-strength * part(bits)));
    }
    return rows;
}

// The recurrence itself, of naive.h: the state behind all rows, where `value` says what each token writes.
std::vector<double> state_of(const DeltaRows& rows, int64_t first, int64_t last, const std::function<std::vector<double>(int64_t)>& value) {
    std::vector<double> S(static_cast<size_t>(rows.K * rows.V));
    const auto K = static_cast<size_t>(rows.K);
    for (auto t = static_cast<size_t>(first); t < static_cast<size_t>(last); ++t) {
        std::vector<double> g(K);
        for (size_t i = 0; i < K; ++i) g[i] = std::log(rows.alpha[t * K + i]);
        naive::delta_rule(S, std::span(rows.q).subspan(t * K, K), std::span(rows.k).subspan(t * K, K), value(static_cast<int64_t>(t)), g, rows.beta[t]);
    }
    return S;
}
HeadState as_state(const DeltaRows& rows, const std::vector<double>& S) { return {rows.V, rows.K, {S.begin(), S.end()}}; }
HeadState whole_state(const DeltaRows& rows) {
    return as_state(rows, state_of(rows, 0, rows.tokens(), [&](int64_t t) {
                        const auto v = value_of(rows, t);
                        return std::vector<double>(v.begin(), v.end());
                    }));
}

TEST(Surgery, WhatWasWrittenUnderKeysAtRightAnglesIsReadAgain) {
    DeltaRows rows{4, 3};
    for (int t = 0; t < 3; ++t)
        for (int i = 0; i < 4; ++i) rows.k.push_back(i == t), rows.q.push_back(0), rows.alpha.push_back(1);
    rows.v = {1, 2, 3, -4, 5, 6, 7, -8, 9}, rows.beta = {1, 1, 0.5};
    const auto now = readable(rows, whole_state(rows));
    ASSERT_TRUE(now);
    for (size_t t = 0; t < 3; ++t) {
        EXPECT_NEAR(now->cosine[t], 1, 1e-6);
        EXPECT_NEAR(now->ratio[t], t < 2 ? 1 : 0.5, 1e-6);
    }
}

TEST(Surgery, AStateOfAnotherShapeIsRefusedWithBoth) {
    const DeltaRows rows = some_rows(6, 5, 4, 1);
    const HeadState other{5, 8, std::vector<float>(40)}, torn{5, 6, std::vector<float>(7)}, right = whole_state(rows);
    const std::vector<double> key = key_of(rows, 0);
    for (const auto& wrong : {readable(rows, other).error(), crosstalk(rows, key, {}, other).error(), carried(other, key, kept_of(rows, 0), 2, 1).error()})
        EXPECT_THAT(wrong.message, AllOf(HasSubstr("5 x 8"), HasSubstr("5 x 6")));
    Crosstalk cut;
    EXPECT_THAT(measure(cut, rows, key, right, other).error().message, HasSubstr("5 x 8"));
    EXPECT_THAT(readable(rows, torn).error().message, HasSubstr("7 numbers"));
}

TEST(Surgery, WhatIsPredictedOfAnEditIsWhatTheFormulaDoes) {
    const DeltaRows rows = some_rows(12, 7, 30, 2);
    const HeadState before = whole_state(rows);
    for (const int64_t with : {-1, 4}) {
        const std::vector<double> key = key_of(rows, 9);
        const auto value = with < 0 ? std::span<const double>() : value_of(rows, with);
        const std::vector<double> was = read(before, key);
        HeadState after = before;
        for (size_t j = 0; j < 7; ++j)
            for (size_t i = 0; i < 12; ++i) after.S[j * 12 + i] += static_cast<float>(key[i] * ((value.empty() ? 0 : value[j]) - was[j]));
        auto cut = crosstalk(rows, key, value, before);
        ASSERT_TRUE(cut && measure(*cut, rows, key, before, after));
        EXPECT_GT(cut->change, 0.1);
        EXPECT_NEAR(cut->predicted[9], cut->change, 1e-6) << "of the token itself all of it";
        for (size_t t = 0; t < 30; ++t) EXPECT_NEAR(cut->predicted[t], cut->measured[t], 1e-5 * (1 + cut->change)) << t;
    }
}

TEST(Surgery, TheChannelsThatCarryAFactAreFoundAndRandomOnesAreNot) {
    // Of 40 channels the key has three, and one of those has decayed.
    DeltaRows rows{40, 6};
    rows.k.assign(40, 0), rows.q.assign(80, 0), rows.alpha.assign(80, 1), rows.beta = {1, 0};
    rows.k[3] = 0.6, rows.k[20] = 0.64, rows.k[33] = std::sqrt(1 - 0.36 - 0.4096);
    rows.k.resize(80, 0), rows.k[40] = 1;
    rows.alpha[40 + 20] = 1e-4;
    for (int i = 0; i < 12; ++i) rows.v.push_back(i + 1);
    const HeadState state = whole_state(rows);
    const std::vector<double> key = key_of(rows, 0), kept = kept_of(rows, 0);
    EXPECT_NEAR(kept[20], 1e-4, 1e-12);
    const auto found = carried(state, key, kept, 2, 7), again = carried(state, key, kept, 2, 7), other = carried(state, key, kept, 2, 8),
               all = carried(state, key, kept, 40, 7), none = carried(state, key, kept, 0, 7);
    ASSERT_TRUE(found && again && other && all && none);
    EXPECT_EQ(found->channels, (std::vector<int>{3, 33}));
    EXPECT_NEAR(found->lost, 1, 1e-3);
    EXPECT_LT(found->lost_at_random, 0.3);
    EXPECT_EQ(found->lost_at_random, again->lost_at_random) << "the same seed";
    EXPECT_NE(found->lost_at_random, other->lost_at_random);
    EXPECT_NEAR(all->lost_at_random, 1, 1e-6);
    EXPECT_EQ(none->lost, 0);
}

// The contribution of one token is the state where nobody else writes a value and all else goes on; read with its own key it is beta times what is left of v.
TEST(FactsLife, IsTheRecurrenceUnrolled) {
    for (const auto& [K, V, strength] : {std::tuple(12, 7, 0.2), {5, 9, 3.0}, {16, 16, 0.0}}) {
        const DeltaRows rows = some_rows(K, V, 40, static_cast<uint64_t>(K), strength);
        const int64_t fact = 6;
        const Life got = life(rows, fact);
        ASSERT_EQ(got.left.size(), 34u);
        EXPECT_NEAR(got.left[0], 1, 1e-6);
        EXPECT_NEAR(got.decay[0], 1, 1e-6);
        const auto v = value_of(rows, fact);
        const std::vector<double> own(v.begin(), v.end()), nothing(own.size()), key = key_of(rows, fact);
        for (int64_t t = fact; t < 40; ++t) {
            const std::vector<double> S = state_of(rows, fact, t + 1, [&](int64_t at) { return at == fact ? own : nothing; });
            double answer = 0, read_by = 0;  // along v
            for (size_t j = 0; j < own.size(); ++j)
                for (size_t i = 0; i < static_cast<size_t>(K); ++i) {
                    answer += own[j] * S[j * static_cast<size_t>(K) + i] * key[i];
                    read_by += own[j] * S[j * static_cast<size_t>(K) + i] * rows.q[static_cast<size_t>(t * K) + i];
                }
            const double by = naive::dot(own, own), beta = rows.beta[static_cast<size_t>(fact)];
            const auto n = static_cast<size_t>(t - fact);
            EXPECT_NEAR(got.left[n], answer / (by * beta), 1e-6) << t;
            EXPECT_NEAR(got.read[n], read_by / by, 1e-6) << t;
            double decay = 0;
            for (size_t i = 0; i < static_cast<size_t>(K); ++i) {
                double kept = 1;
                for (int64_t later = fact + 1; later <= t; ++later) kept *= rows.alpha[static_cast<size_t>(later * K) + i];
                decay += key[i] * key[i] * kept;
            }
            EXPECT_NEAR(got.decay[n], decay, 1e-6) << t;
        }
        const Unrolled back = unroll(rows);
        EXPECT_NEAR(got.read.back(), back.weights[fact], 1e-6) << "carried forward is carried backward";
    }
}

TEST(FactsLife, OfEveryTokenAtOnceIsThatOfEach) {
    for (const auto& [K, V, strength] : {std::tuple(12, 7, 0.2), {5, 9, 3.0}, {16, 16, 0.0}, {1, 2, 0.5}}) {
        const DeltaRows rows = some_rows(K, V, 40, static_cast<uint64_t>(K), strength);
        const LeftOfEach all = left_of_each(rows);
        for (int64_t token = 0; token < 40; ++token) {
            const Life one = life(rows, token);
            EXPECT_NEAR(all.left[static_cast<size_t>(token)], one.left.back(), 1e-6) << token;
            EXPECT_NEAR(all.decay[static_cast<size_t>(token)], one.decay.back(), 1e-6) << token;
        }
        // Cut in between: what stands before the cut loses what a key that is carried forward loses.
        const std::vector<double> e = key_of(rows, 3);
        const Cut cuts[] = {{.row = 20, .key = e, .amount = 1}, {.row = 30, .channels = {0}}};
        const LeftOfEach cut = left_of_each(rows, cuts);
        for (const int64_t token : {3, 12, 25, 35}) {
            KeptKey kept(key_of(rows, token));
            for (int64_t t = token + 1; t < 40; ++t) {
                if (t == 20) kept.edited(e, 1);
                if (t == 30) kept.emptied(std::vector{0});
                const auto n = static_cast<size_t>(K);
                kept.step(std::span(rows.alpha).subspan(static_cast<size_t>(t) * n, n), std::span(rows.k).subspan(static_cast<size_t>(t) * n, n),
                          rows.beta[static_cast<size_t>(t)]);
            }
            EXPECT_NEAR(cut.left[static_cast<size_t>(token)], kept.left(), 1e-6) << token;
        }
    }
}

TEST(FactsLife, WhatIsCutOutIsGone) {
    const DeltaRows rows = some_rows(8, 8, 2, 3);
    const std::vector<double> key = key_of(rows, 0), other = key_of(rows, 1);
    KeptKey erased(key), emptied(key), beside(key);
    erased.edited(key, 1), emptied.emptied(), beside.edited(other, 1);
    EXPECT_NEAR(erased.left(), 0, 1e-12);
    EXPECT_NEAR(erased.decay(), 1, 1e-12) << "the gates did nothing";
    EXPECT_EQ(emptied.left(), 0);
    const double cosine = naive::dot(key, other);
    EXPECT_NEAR(beside.left(), 1 - cosine * cosine, 1e-12);
}

// --- In the engine ------------------------------------------------------------------------------------------------------

std::vector<std::string> devices() {
    std::vector<std::string> all{"naive", "simulated_gpu"};
    for (const Isa isa : supported_isas()) all.emplace_back("cpu_" + std::string(name(isa)));
    return all;
}

class OnDevice : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (GetParam() == "simulated_gpu") on = cuda_on_cpu::make_backend(0, "");
        if (GetParam() == "naive") on = *make_backend("naive", 2);
        for (const Isa isa : supported_isas())
            if (GetParam() == "cpu_" + std::string(name(isa))) on = test::cpu(isa);
        ModelConfig c = shape("tiny-spec");
        c.kda_value_dim = 5;
        model = *Model::load(on, c, synthetic_weights(c, DType::f32, 3));
        ws.emplace(*on);
        std::mt19937 random(5);
        for (int i = 0; i < 90; ++i) ids.push_back(static_cast<int32_t>(random() % static_cast<unsigned>(c.vocab_size)));
        for (int i = 0; i < c.num_hidden_layers; ++i) (c.layer_kinds[static_cast<size_t>(i)] == "kda" ? kda : mla) = i;
    }
    const ModelConfig& config() const { return model->config(); }
    SurgeryRequest asked(int64_t tokens, int64_t token, int64_t with, bool cut) const {
        return {.tokens = std::span(ids).first(static_cast<size_t>(tokens)), .layer = kda, .head = 1, .token = token, .with = with, .cut = cut};
    }
    std::shared_ptr<Backend> on;
    std::shared_ptr<const Model> model;
    std::optional<Workspace> ws;
    SnapshotPool pool{int64_t{1} << 30};
    Ids ids;
    int kda = -1, mla = -1;
};
INSTANTIATE_TEST_SUITE_P(Every, OnDevice, testing::ValuesIn(devices()), [](const auto& info) { return info.param; });

// f32 states and a sum of K products of them: a few times 1e-7 of what is read, which is near 1.
TEST_P(OnDevice, AnOverwrittenKeyReadsTheOtherValueAnErasedOneNothingAndCrosstalkIsAsPredicted) {
    for (const int64_t with : {-1, 12}) {
        const auto looked = look_for_surgery(model, pool, asked(70, 33, with, true));
        ASSERT_TRUE(looked) << looked.error().message;
        ASSERT_EQ(looked->size(), 1u);
        const HeadReadable& head = looked->front();
        EXPECT_EQ(head.first, 0);
        EXPECT_EQ(head.position, 69);
        EXPECT_EQ(head.cosine.size(), 70u);
        EXPECT_GT(head.change, 1e-3);
        ASSERT_EQ(head.predicted.size(), head.measured.size());
        double largest = 0;
        for (size_t t = 0; t < head.predicted.size(); ++t) {
            EXPECT_NEAR(head.predicted[t], head.measured[t], 1e-5) << t;
            if (t != 33) largest = std::max(largest, std::abs(double{head.predicted[t]}));
        }
        EXPECT_GT(largest, 0.05 * head.change) << "keys are not at right angles, so something has to be heard";

        // The same by hand: the state that the engine has behind the edit.
        Sequence sequence(model);
        ASSERT_TRUE(sequence.feed(std::span(ids).first(70), *ws));
        const std::vector<float> S = sequence.state(kda, "S", 1);
        const auto after = state_after(
            sequence, edit_of(kda, 1, std::vector<double>(head.key.begin(), head.key.end()), std::vector<double>(head.value.begin(), head.value.end())), *ws);
        ASSERT_TRUE(after) << after.error().message;
        EXPECT_EQ(sequence.state(kda, "S", 1), S) << "the sequence itself stays";
        EXPECT_EQ(sequence.position(), 70);
        const std::vector<double> answer = read(*after, std::vector<double>(head.key.begin(), head.key.end()));
        for (size_t j = 0; j < answer.size(); ++j) EXPECT_NEAR(answer[j], with < 0 ? 0 : head.value[j], 1e-5);
    }
}

TEST_P(OnDevice, ReadableIsWhatTheStateAnswersToEachKey) {
    const auto looked = look_for_surgery(model, pool, {.tokens = ids, .layer = kda});
    ASSERT_TRUE(looked) << looked.error().message;
    ASSERT_EQ(looked->size(), static_cast<size_t>(config().kda_heads));
    Sequence sequence(model);
    std::vector<DeltaRows> heads;
    ASSERT_TRUE(delta_rows(sequence, ids, kda, 0, config().kda_heads, *ws, [&](int, const DeltaRows& rows) { heads.push_back(rows); }));
    for (const HeadReadable& head : *looked) {
        const DeltaRows& rows = heads[static_cast<size_t>(head.head)];
        const auto truth = readable(rows, {rows.V, rows.K, sequence.state(kda, "S", head.head)});
        ASSERT_TRUE(truth);
        for (size_t t = 0; t < ids.size(); ++t) EXPECT_NEAR(head.cosine[t], truth->cosine[t], 1e-4) << t;
        EXPECT_TRUE(head.predicted.empty()) << "no edit was asked for";
        EXPECT_GT(head.cosine.back(), 0.3) << "what was just written";
    }
}

TEST_P(OnDevice, AFactIsFollowedThroughEveryMemory) {
    const int64_t fact = 20;
    const std::function<bool(int64_t)> made = [](int64_t p) { return p == 60 || p == 61 || p == 80; };
    const auto all = follow_fact(model, pool, {.tokens = ids, .token = fact, .made = made});
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_EQ(all->last, 89);
    const auto& c = config();
    size_t heads = 0;
    for (const auto& kind : c.layer_kinds) heads += static_cast<size_t>(kind == "kda" ? c.kda_heads : c.num_attention_heads);
    ASSERT_EQ(all->heads.size(), heads);
    for (const HeadLife& head : all->heads) {
        ASSERT_EQ(head.read.size(), 70u);
        const auto probed = probe(model, pool, {.tokens = std::span(ids).first(76), .layer = head.layer, .head = head.head});
        ASSERT_TRUE(probed);
        EXPECT_NEAR(head.read[55], probed->front().weights[20], 1e-4) << head.layer << "." << head.head << ": what the attention lens shows";
        if (head.cache) continue;
        Sequence sequence(model);
        std::optional<Life> truth;
        ASSERT_TRUE(delta_rows(sequence, ids, head.layer, head.head, 1, *ws, [&](int, const DeltaRows& rows) { truth = life(rows, fact); }));
        for (size_t n = 0; n < 70; ++n) {  // cut into other passes, so in other orders of f32 sums
            EXPECT_NEAR(head.left[n], truth->left[n], 1e-4) << n;
            EXPECT_NEAR(head.decay[n], truth->decay[n], 1e-4) << n;
        }
    }
    ASSERT_EQ(all->probability.size(), 3u);
    EXPECT_EQ(all->probability[1].first, 61);
    Sequence sequence(model);
    ASSERT_TRUE(sequence.feed(std::span(ids).first(61), *ws));
    double sum = 0;
    for (const float x : ws->logits) sum += std::exp(double{x} - ws->logits[static_cast<size_t>(ids[20])]);
    EXPECT_NEAR(all->probability[1].second, 1 / sum, 1e-4);
    // One layer alone is the same.
    const auto one = follow_fact(model, pool, {.tokens = ids, .token = fact, .layer = kda});
    ASSERT_TRUE(one);
    ASSERT_EQ(one->heads.size(), static_cast<size_t>(c.kda_heads));
    for (const HeadLife& head : all->heads)
        if (head.layer == kda)
            for (size_t n = 0; n < 70; ++n) EXPECT_NEAR(head.left[n], one->heads[static_cast<size_t>(head.head)].left[n], 1e-4);
}

// Heads of Gated DeltaNet that share keys, and attention over whole keys and values.
TEST(Qwen, AFactIsFollowedThroughEveryMemory) {
    const auto checkpoint = open_checkpoint(source_dir() / "tests/golden/hf/qwen35-seen");
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    const auto model = *Model::load(*make_backend("cpu", 1), checkpoint->config, checkpoint->source);
    SnapshotPool pool(int64_t{1} << 30);
    Workspace ws(model->backend());
    Ids ids;
    std::mt19937 random(5);
    for (int i = 0; i < 90; ++i) ids.push_back(static_cast<int32_t>(random() % 31));
    const auto all = follow_fact(model, pool, {.tokens = ids, .token = 20});
    ASSERT_TRUE(all) << all.error().message;
    ASSERT_EQ(all->heads.size(), 12u);
    for (const HeadLife& head : all->heads) {
        const auto probed = probe(model, pool, {.tokens = std::span(ids).first(76), .layer = head.layer, .head = head.head});
        ASSERT_TRUE(probed);
        EXPECT_NEAR(head.read[55], probed->front().weights[20], 1e-4) << head.layer << "." << head.head;
        EXPECT_EQ(head.cache, head.layer == 1);
        if (head.cache) continue;
        Sequence sequence(model);
        std::optional<Life> truth;
        ASSERT_TRUE(delta_rows(sequence, ids, head.layer, head.head, 1, ws, [&](int, const DeltaRows& rows) { truth = life(rows, 20); }));
        for (size_t n = 0; n < 70; ++n) EXPECT_NEAR(head.left[n], truth->left[n], 1e-4) << n;
    }
    const auto looked = look_for_surgery(model, pool, {.tokens = ids, .layer = 1});
    ASSERT_FALSE(looked);
    EXPECT_THAT(looked.error().message, HasSubstr("layer 1 is a full attention layer, which has no state"));
}

// Of a state by the recurrence itself: where nobody but the fact writes a value, o is what the fact's value adds, and with everybody's it is all. Of a cache what
// the attention lens shows. And in each head the shares of all tokens are one whole. The engine's state is f32 and its sums of other orders: 1e-4 of |o|, which
// a share divides by.
TEST_P(OnDevice, WhoReadsAWordAndTheSharesOfAllTokensAreOneWhole) {
    const int64_t last = 24;
    const auto& c = config();
    std::vector<double> sums(static_cast<size_t>(c.num_hidden_layers * std::max(c.kda_heads, c.num_attention_heads)));
    const auto slot = [&](const HeadShare& one) { return static_cast<size_t>(one.layer * std::max(c.kda_heads, c.num_attention_heads) + one.head); };
    std::vector<DeltaRows> heads;
    Sequence sequence(model);
    ASSERT_TRUE(delta_rows(sequence, std::span(ids).first(last + 1), kda, 0, c.kda_heads, *ws, [&](int, const DeltaRows& rows) { heads.push_back(rows); }));
    double slack = 0;
    for (int64_t token = 0; token <= last; ++token) {
        const auto got = who_reads(model, pool, {.tokens = ids, .token = token, .position = last});
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got->position, last);
        for (size_t i = 1; i < got->heads.size(); ++i) EXPECT_GE(std::abs(got->heads[i - 1].share), std::abs(got->heads[i].share)) << "ranked";
        for (const HeadShare& one : got->heads) {
            sums[slot(one)] += one.share;
            if (one.layer != kda || token % 8 != 4) continue;
            const DeltaRows& rows = heads[static_cast<size_t>(one.head)];
            const auto read_of = [&](bool alone) {
                const std::vector<double> S = state_of(rows, 0, last + 1, [&](int64_t at) {
                    const auto v = value_of(rows, at);
                    return alone && at != token ? std::vector<double>(v.size()) : std::vector<double>(v.begin(), v.end());
                });
                std::vector<double> o(static_cast<size_t>(rows.V));
                for (size_t j = 0; j < o.size(); ++j)
                    for (size_t i = 0; i < static_cast<size_t>(rows.K); ++i)
                        o[j] += S[j * static_cast<size_t>(rows.K) + i] * rows.q[static_cast<size_t>(last * rows.K) + i];
                return o;
            };
            const std::vector<double> all = read_of(false), mine = read_of(true);
            const double near = 1e-4 * (1 + length(mine) / length(all));
            EXPECT_NEAR(one.share, naive::dot(mine, all) / naive::dot(all, all), near) << token << " of head " << one.head;
            slack = std::max(slack, near);
        }
        if (token != 17) continue;
        for (const HeadShare& one : got->heads) {
            const auto probed = probe(model, pool, {.tokens = std::span(ids).first(last + 1), .layer = one.layer, .head = one.head});
            ASSERT_TRUE(probed);
            EXPECT_NEAR(one.weight, probed->front().weights[17], 1e-4) << one.layer << "." << one.head << ": what the attention lens shows";
            EXPECT_EQ(one.cache, !probed->front().implicit);
            if (one.cache) EXPECT_EQ(one.share, one.weight);
        }
    }
    ASSERT_GT(slack, 0);
    for (int layer = 0; layer < c.num_hidden_layers; ++layer)
        for (int h = 0; h < (layer == mla ? c.num_attention_heads : c.kda_heads); ++h)
            EXPECT_NEAR(sums[slot({layer, h})], 1, static_cast<double>(last) * slack) << layer << "." << h;
}

TEST_P(OnDevice, WhatIsLeftOfEveryTokenIsItsLifesEnd) {
    Sequence plain(model);
    std::vector<float> key;
    ASSERT_TRUE(delta_rows(plain, std::span(ids).first(21), kda, 1, 1, *ws, [&](int, const DeltaRows& rows) {
        const auto k = key_of(rows, 20);
        key.assign(k.begin(), k.end());
    }));
    const auto list = std::make_shared<const Interventions>(
        Interventions{{.what = What::edit, .layers = {kda}, .heads = {1}, .from = 40, .key = key}, {.what = What::gates, .from = 50, .amount = 3}});
    for (const auto& hands : {InterventionsPtr(), InterventionsPtr(list)}) {
        const auto got = left_now(model, pool, {.tokens = ids, .layer = kda, .head = 1, .hands = hands});
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got->position, 89);
        EXPECT_EQ(got->left.size(), 90u);
        for (const int64_t token : {20, 39, 77}) {
            const auto life = follow_fact(model, pool, {.tokens = ids, .token = token, .layer = kda, .hands = hands});
            ASSERT_TRUE(life);
            EXPECT_NEAR(got->left[static_cast<size_t>(token)], life->heads[1].left.back(), 1e-4) << token;
            EXPECT_NEAR(got->decay[static_cast<size_t>(token)], life->heads[1].decay.back(), 1e-4) << token;
        }
    }
    EXPECT_EQ(left_now(model, pool, {.tokens = ids, .layer = kda, .window = 30})->first, 60);
    EXPECT_THAT(left_now(model, pool, {.tokens = ids, .layer = mla}).error().message, HasSubstr("no state in layer"));
}

TEST_P(OnDevice, WhoReadsUnderHandsAndWhatCannotBeRead) {
    const auto list = std::make_shared<const Interventions>(Interventions{{.what = What::read, .layers = {kda}, .heads = {1}, .amount = 0},
                                                                          {.what = What::empty, .layers = {0}, .heads = {0}, .from = 30},
                                                                          {.what = What::hide, .from = 35, .tokens = {18, 22}}});
    const auto got = who_reads(model, pool, {.tokens = ids, .token = 20, .hands = list});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->position, 89) << "the newest";
    for (const HeadShare& one : got->heads) {
        const bool gone = one.cache || (one.layer == kda && one.head == 1) || (one.layer == 0 && one.head == 0);
        EXPECT_EQ(one.share == 0, gone) << one.layer << "." << one.head;
    }
    EXPECT_THAT(who_reads(model, pool, {.tokens = ids, .token = 20, .position = 19}).error().message, HasSubstr("comes after it"));
    EXPECT_THAT(who_reads(model, pool, {.tokens = ids, .token = 90}).error().message, HasSubstr("not among the 90"));
    std::atomic<bool> stop = true;
    EXPECT_EQ(who_reads(model, pool, {.tokens = ids, .token = 3}, &stop).error().kind, Error::interrupted);
}

TEST_P(OnDevice, HandsOnTheMemoryAreSeenInAFactsLife) {
    Sequence plain(model);
    std::vector<float> key, value;
    ASSERT_TRUE(delta_rows(plain, std::span(ids).first(21), kda, 1, 1, *ws, [&](int, const DeltaRows& rows) {
        const auto k = key_of(rows, 20);
        key.assign(k.begin(), k.end());
    }));
    const auto list = std::make_shared<const Interventions>(Interventions{{.what = What::edit, .layers = {kda}, .heads = {1}, .from = 40, .key = key},
                                                                          {.what = What::empty, .layers = {0}, .heads = {0}, .from = 50},
                                                                          {.what = What::gates, .layers = {kda}, .heads = {0}, .from = 30, .amount = 1e30f},
                                                                          {.what = What::hide, .from = 45, .tokens = {18, 22}}});
    const auto got = follow_fact(model, pool, {.tokens = ids, .token = 20, .hands = list}), without = follow_fact(model, pool, {.tokens = ids, .token = 20});
    ASSERT_TRUE(got && without);
    for (size_t h = 0; h < got->heads.size(); ++h) {
        const HeadLife &head = got->heads[h], &was = without->heads[h];
        if (head.cache) {
            EXPECT_GT(head.read[24], 0);
            EXPECT_EQ(head.read[25], 0) << "hidden from token 45 on";
        } else if (head.layer == kda && head.head == 1) {
            EXPECT_NEAR(head.left[19], was.left[19], 1e-4);
            EXPECT_LT(std::abs(head.left[20]), 0.3 * std::abs(was.left[20]));
        } else if (head.layer == 0 && head.head == 0) {
            EXPECT_NE(head.left[29], 0);
            EXPECT_EQ(head.left[30], 0);
            EXPECT_EQ(head.left.back(), 0);
            EXPECT_GT(head.decay.back(), 0) << "that is the gates alone";
        } else if (head.layer == kda && head.head == 0) {
            EXPECT_FLOAT_EQ(head.decay[10], head.decay.back()) << "its gates are shut from token 30 on";
        }
    }
    // And what can be read of it is of the touched state.
    SurgeryRequest asks = asked(41, 20, -1, false);
    asks.tokens = std::span(ids).first(40), asks.hands = list;
    const auto before = look_for_surgery(model, pool, asks);
    asks.tokens = std::span(ids).first(41);
    const auto after = look_for_surgery(model, pool, asks);
    ASSERT_TRUE(before && after);
    EXPECT_LT(after->front().change, 0.5 * before->front().change) << "erased, and one token written since";
}

TEST_P(OnDevice, WhatCannotBeCutIsSaid) {
    const auto wrong = [&](SurgeryRequest what) { return look_for_surgery(model, pool, what).error().message; };
    EXPECT_THAT(wrong({.tokens = ids, .layer = mla}), HasSubstr("is an MLA layer, which has no state"));
    EXPECT_THAT(wrong({.tokens = ids, .layer = 77}), HasSubstr("no layer 77"));
    EXPECT_THAT(wrong({.tokens = ids, .layer = kda, .head = 40}), HasSubstr("no head 40"));
    EXPECT_THAT(wrong({.tokens = ids, .layer = kda, .token = 90}), HasSubstr("token 90 is not among the 90"));
    EXPECT_THAT(wrong({.tokens = {}, .layer = kda}), HasSubstr("no token"));
    EXPECT_THAT(follow_fact(model, pool, {.tokens = ids, .token = 90}).error().message, HasSubstr("token 90"));
    EXPECT_THAT(follow_fact(model, pool, {.tokens = ids, .token = 0, .layer = 9}).error().message, HasSubstr("no layer 9"));
    const std::atomic<bool> stop = true;
    EXPECT_EQ(follow_fact(model, pool, {.tokens = ids, .token = 3}, &stop).error().kind, Error::interrupted);
    EXPECT_EQ(look_for_surgery(model, pool, {.tokens = ids, .layer = kda}, &stop).error().kind, Error::interrupted);
}

TEST(Life, OfAModelThatRotatesItsKeysIsWhatItsHeadsRead) {
    for (const bool adjacent : {false, true}) {
        ModelConfig c = shape("tiny");
        c.mla_use_nope = false;
        if (adjacent) c.rope_adjacent = true, c.q_lora_rank = 24, c.mla_head_gate = true;
        const auto on = *make_backend("cpu", 2);
        const auto model = *Model::load(on, c, synthetic_weights(c, DType::bf16, 3));
        SnapshotPool pool{int64_t{1} << 30};
        Ids ids;
        for (int i = 0; i < 70; ++i) ids.push_back(i * 7 % c.vocab_size);
        const auto all = follow_fact(model, pool, {.tokens = ids, .token = 9});
        ASSERT_TRUE(all) << all.error().message;
        for (const HeadLife& head : all->heads) {
            const auto probed = probe(model, pool, {.tokens = ids, .layer = head.layer, .head = head.head});
            ASSERT_TRUE(probed);
            EXPECT_NEAR(head.read.back(), probed->front().weights[9], 2e-3) << head.layer << "." << head.head;
        }
    }
}

}  // namespace
}  // namespace klp
