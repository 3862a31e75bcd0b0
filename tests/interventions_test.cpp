// Hands on the memory: the laws of each, on every device, in every way that tokens are fed.
#include "core/model/interventions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <tuple>

#include "core/model/generate.h"
#include "core/model/snapshot_pool.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using Ids = std::vector<int32_t>;
using What = Intervention::What;
using testing::HasSubstr;

Ids some_ids(size_t n, uint32_t seed) {
    std::mt19937 random(seed);
    Ids ids(n);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 32);
    return ids;
}
double difference(std::span<const float> a, std::span<const float> b) {
    double largest = a.size() == b.size() ? 0 : INFINITY;
    for (size_t i = 0; i < a.size() && i < b.size(); ++i) largest = std::max(largest, std::isfinite(a[i]) ? std::abs(double{a[i]} - b[i]) : INFINITY);
    return largest;
}
InterventionsPtr list(Interventions all) { return std::make_shared<const Interventions>(std::move(all)); }

// Everything that is told of one layer's sites, position by position.
class Recorder final : public Tap {
public:
    bool wants(Site, int) const override { return true; }
    void take(const Reading& r) override {
        const auto width = static_cast<int64_t>(r.values.size());
        readings[{r.site, r.layer, r.sequence, r.position}].assign(r.values.begin(), r.values.begin() + width);
    }
    std::span<const float> at(Site site, int layer, int64_t position, int sequence = 0) const { return readings.at({site, layer, sequence, position}); }
    std::map<std::tuple<Site, int, int, int64_t>, std::vector<float>> readings;
};

constexpr double kRounding = 6e-5;  // of two orders of f32 sums

class LaidHands : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        on = GetParam() == "simulated_gpu" ? cuda_on_cpu::make_backend(0, "") : *make_backend(GetParam(), 2);
        auto checkpoint = open_checkpoint(source_dir() / "tests/golden/hf/tiny-spec");
        ASSERT_TRUE(checkpoint);
        model = *Model::load(on, checkpoint->config, checkpoint->source);
        ws.emplace(*on);
        for (int i = 0; i < config().num_hidden_layers; ++i) (config().layer_kinds[static_cast<size_t>(i)] == "kda" ? kda : mla) = i;
        for (int i = 0; i < config().num_hidden_layers; ++i)
            if (config().is_moe(i)) moe = i;
        ASSERT_TRUE(kda >= 0 && mla >= 0 && moe >= 0);
    }
    const ModelConfig& config() const { return model->config(); }
    Sequence touched(Interventions all) {
        Sequence s(model);
        const auto laid = s.touch(list(std::move(all)));
        EXPECT_TRUE(laid) << (laid ? "" : laid.error().message);
        return s;
    }
    std::vector<float> feed(Sequence& s, std::span<const int32_t> ids) {
        const auto fed = s.feed(ids, *ws);
        EXPECT_TRUE(fed) << (fed ? "" : fed.error().message);
        return ws->logits;
    }
    // From `at` on the state stays what it is: nothing decays, nothing is written.
    Intervention still(int64_t at) const { return {.what = What::gates, .from = at, .amount = 1e30f}; }
    Intervention silent(int64_t at) const { return {.what = What::beta, .from = at, .amount = 0}; }

    std::shared_ptr<Backend> on;
    std::shared_ptr<const Model> model;
    std::optional<Workspace> ws;
    int kda = -1, mla = -1, moe = -1;
    const Ids ids = some_ids(20, 1);
};
INSTANTIATE_TEST_SUITE_P(On, LaidHands, testing::Values("naive", "cpu", "simulated_gpu"), [](const auto& info) { return info.param; });

TEST_P(LaidHands, ThatDoNothingChangeNoBit) {
    Sequence plain(model);
    const std::vector<float> truth = feed(plain, ids);
    for (const Interventions& all : {Interventions{},
                                     {{.what = What::gates}, {.what = What::beta}, {.what = What::read}},
                                     {{.what = What::gates, .from = 7, .to = 12}, {.what = What::beta, .from = 20}}}) {
        Sequence s = touched(all);
        const std::vector<float> logits = feed(s, ids);
        // A list with edges cuts the prompt into passes, which is another order of sums.
        if (all.empty() || all[0].from == 0) EXPECT_TRUE(test::identical(logits, truth));
        EXPECT_LE(difference(logits, truth), kRounding);
    }
}

TEST_P(LaidHands, HalfLivesAreMultipliedAndOnlyWhereTheyAreNamed) {
    Recorder plain, changed;
    Sequence a(model), b = touched({{.what = What::gates, .layers = {0}, .heads = {1}, .channels = {2, 5}, .from = 4, .to = 9, .amount = 4}});
    ws->tap = &plain, feed(a, ids);
    ws->tap = &changed, feed(b, ids);
    ws->tap = nullptr;
    const auto K = static_cast<size_t>(config().kda_key_dim);
    for (int64_t t = 0; t < 20; ++t) {
        const auto before = plain.at(Site::log_decay, 0, t), after = changed.at(Site::log_decay, 0, t);
        for (size_t i = 0; i < before.size(); ++i) {
            const bool mine = t >= 4 && t < 9 && (i == K + 2 || i == K + 5);
            EXPECT_NEAR(after[i], before[i] * (mine ? 0.25f : 1.f), 1e-5f * std::abs(before[i]) + 1e-7f) << t << " " << i;
        }
    }
}

TEST_P(LaidHands, NothingIsWrittenOrNothingIsRead) {
    Sequence plain(model), mute = touched({{.what = What::beta, .layers = {kda}, .amount = 0}}),
                           deaf = touched({{.what = What::read, .layers = {0}, .amount = 0}});
    const std::vector<float> truth = feed(plain, ids), unwritten = feed(mute, ids), unread = feed(deaf, ids);
    for (const float s : mute.state(kda, "S")) EXPECT_EQ(s, 0);
    EXPECT_GT(difference(unwritten, truth), 1e-3);
    EXPECT_GT(difference(unread, truth), 1e-3);
    EXPECT_LE(difference(deaf.state(0, "S"), plain.state(0, "S")), kRounding) << "what is not read is written all the same";
}

TEST_P(LaidHands, ASilencedExpertIsNeverChosen) {
    Recorder plain, changed;
    Sequence a(model);
    ws->tap = &plain, feed(a, ids);
    const int loudest = static_cast<int>(plain.at(Site::picks, moe, 3)[0]);
    Sequence b = touched({{.what = What::silence, .layers = {moe}, .experts = {loudest}}});
    ws->tap = &changed, feed(b, ids);
    ws->tap = nullptr;
    int before = 0;
    for (int64_t t = 0; t < 20; ++t) {
        for (const float pick : plain.at(Site::picks, moe, t)) before += static_cast<int>(pick) == loudest;
        for (const float pick : changed.at(Site::picks, moe, t)) EXPECT_NE(static_cast<int>(pick), loudest) << t;
    }
    EXPECT_GT(before, 0);
}

TEST_P(LaidHands, AnEmptiedStateHoldsOnlyWhatCameAfter) {
    Recorder told;
    Sequence s = touched({{.what = What::empty, .layers = {kda}, .heads = {1}, .from = 12}});
    ws->tap = &told;
    feed(s, std::span(ids).first(13));
    ws->tap = nullptr;
    const auto states = told.at(Site::state_norm, kda, 12), updates = told.at(Site::update_norm, kda, 12);
    EXPECT_NEAR(states[1], updates[1], 1e-5) << "S = k u^T";
    EXPECT_GT(std::abs(states[0] - updates[0]), 1e-3) << "the other head keeps its own";
}

TEST_P(LaidHands, AnOverwrittenKeyReadsItsValueAndAnErasedOneNothing) {
    const auto K = static_cast<size_t>(config().kda_key_dim), V = static_cast<size_t>(config().kda_value_dim);
    const std::vector<float> key = test::normal(static_cast<int64_t>(K), 1), value = test::normal(static_cast<int64_t>(V), 2),
                             other = test::normal(static_cast<int64_t>(K), 3);
    const auto read = [&](const Sequence& s, const std::vector<float>& k) {
        const std::vector<float> S = s.state(kda, "S", 1);
        double length = 0;
        for (float x : k) length += double{x} * x;
        std::vector<float> out(V);
        for (size_t v = 0; v < V; ++v) {
            double sum = 0;
            for (size_t i = 0; i < K; ++i) sum += double{S[v * K + i]} * k[i];
            out[v] = static_cast<float>(sum / std::sqrt(length));
        }
        return out;
    };
    Sequence before = touched({still(12), silent(12)});
    feed(before, std::span(ids).first(13));
    for (const std::vector<float>& v : {value, std::vector<float>()}) {
        Sequence s = touched({still(12), silent(12), {.what = What::edit, .layers = {kda}, .heads = {1}, .from = 12, .key = key, .value = v}});
        feed(s, std::span(ids).first(13));
        EXPECT_LE(difference(read(s, key), v.empty() ? std::vector<float>(V) : v), 1e-5);
        // Crosstalk: another key's answer moves by (k_j . k) times what k's did.
        double dot = 0, a = 0, b = 0;
        for (size_t i = 0; i < K; ++i) dot += double{key[i]} * other[i], a += double{key[i]} * key[i], b += double{other[i]} * other[i];
        const double cosine = dot / std::sqrt(a * b);
        const std::vector<float> was = read(before, key), now = read(s, key), other_was = read(before, other), other_now = read(s, other);
        for (size_t i = 0; i < V; ++i) EXPECT_NEAR(other_now[i] - other_was[i], cosine * (now[i] - was[i]), 1e-5);
        EXPECT_EQ(difference(s.state(kda, "S", 0), before.state(kda, "S", 0)), 0) << "the other head";
    }
}

TEST_P(LaidHands, ATransplantOfItsOwnStateChangesNothing) {
    Sequence donor(model);
    feed(donor, std::span(ids).first(12));
    Sequence plain(model), s = touched({{.what = What::put, .layers = {kda}, .from = 12, .state = donor.state(kda, "S")}});
    for (Sequence* one : {&plain, &s}) feed(*one, std::span(ids).first(12));
    EXPECT_TRUE(test::identical(feed(s, std::span(ids).subspan(12)), feed(plain, std::span(ids).subspan(12))));
    Sequence stranger(model);
    feed(stranger, some_ids(12, 9));
    Sequence t = touched({{.what = What::put, .layers = {kda}, .from = 12, .state = stranger.state(kda, "S")}});
    feed(t, ids);
    EXPECT_GT(difference(t.state(kda, "S"), plain.state(kda, "S")), 1e-3);
}

// Without positions, a token that sees none of those before it is as good as the first: in a model of attention alone, all of it is the cache.
TEST_P(LaidHands, HiddenTokensAreAsIfTheyHadNotBeenThere) {
    const auto twin = *model->attention_twin();
    Sequence hidden(twin), alone(twin);
    ASSERT_TRUE(hidden.touch(list({{.what = What::hide, .from = 12, .tokens = {0, 12}}})));
    EXPECT_LE(difference(feed(hidden, ids), feed(alone, std::span(ids).subspan(12))), kRounding);
    EXPECT_EQ(hidden.rows(), 8);
    EXPECT_EQ(hidden.hidden().size(), 12u);

    // Of the hybrid: the rows that are left are the ones that were there.
    Sequence plain(model), some = touched({{.what = What::hide, .from = 12, .tokens = {3, 5}}, {.what = What::hide, .from = 15, .tokens = {4, 9}}});
    feed(plain, std::span(ids).first(12)), feed(some, std::span(ids).first(12));
    const std::vector<float> rows = plain.cache(mla, 0, 12);
    const size_t width = rows.size() / 12;
    feed(some, std::span(ids).subspan(12));
    EXPECT_EQ(some.hidden(), (std::vector<int64_t>{3, 4, 5, 6, 7, 8}));
    const std::vector<float> left = some.cache(mla, 0, some.rows());
    EXPECT_TRUE(std::equal(left.begin(), left.begin() + 3 * static_cast<int64_t>(width), rows.begin()));
    EXPECT_TRUE(std::equal(left.begin() + 3 * static_cast<int64_t>(width), left.begin() + 6 * static_cast<int64_t>(width),
                           rows.begin() + 9 * static_cast<int64_t>(width)));
    EXPECT_EQ(plain.cache(mla, 0, 12), rows) << "a fork's or another's pages stay";
}

Interventions a_bit_of_all(int kda, int mla, int moe) {
    return {{.what = What::gates, .layers = {0}, .from = 3, .to = 11, .amount = 0.3f},
            {.what = What::beta, .layers = {kda}, .heads = {1}, .from = 6, .amount = 1.2f},
            {.what = What::read, .layers = {mla}, .heads = {0}, .to = 14, .amount = 0.5f},
            {.what = What::silence, .layers = {moe}, .experts = {1}, .from = 5},
            {.what = What::empty, .layers = {kda}, .heads = {0}, .from = 9},
            {.what = What::hide, .from = 13, .tokens = {2, 6}}};
}

TEST_P(LaidHands, HoldHoweverTokensAreFed) {
    const Interventions all = a_bit_of_all(kda, mla, moe);
    Sequence whole = touched(all), pieces = touched(all), steps = touched(all);
    const std::vector<float> truth = feed(whole, ids);
    for (size_t at = 0; at < ids.size(); at += 5) feed(pieces, std::span(ids).subspan(at, 5));
    EXPECT_LE(difference(ws->logits, truth), kRounding);
    for (const int32_t& id : ids) feed(steps, {&id, 1});
    EXPECT_LE(difference(ws->logits, truth), kRounding);
    Sequence plain(model);
    EXPECT_GT(difference(feed(plain, ids), truth), 1e-3);
}

TEST_P(LaidHands, HoldThroughForksSnapshotsAndBatches) {
    const Interventions all = a_bit_of_all(kda, mla, moe);
    Sequence whole = touched(all);
    const std::vector<float> truth = feed(whole, ids);
    for (const size_t at : {4, 9, 13, 16}) {
        Sequence s = touched(all);
        feed(s, std::span(ids).first(at));
        Sequence fork = s.fork(), other = touched(all);
        const SnapshotPtr frozen = s.snapshot();
        feed(s, some_ids(2, 8));
        EXPECT_LE(difference(feed(fork, std::span(ids).subspan(at)), truth), kRounding) << at;
        other.restore(*frozen);
        EXPECT_LE(difference(feed(other, std::span(ids).subspan(at)), truth), kRounding) << at;
    }

    // A batch of one that is touched and one that is not; passes end at the edges, as a batch's must.
    Sequence plain(model), a = touched(all), b(model);
    const std::vector<float> alone = feed(plain, ids);
    for (size_t at = 0; at < ids.size();) {
        const auto n = static_cast<size_t>(std::min<int64_t>(a.pass_room(), static_cast<int64_t>(ids.size() - at)));
        const Feed feeds[] = {{&a, std::span(ids).subspan(at, n)}, {&b, std::span(ids).subspan(at, n)}};
        model->forward(feeds, *ws);
        at += n;
    }
    const auto vocabulary = static_cast<size_t>(config().vocab_size);
    EXPECT_LE(difference(std::span(ws->logits).first(vocabulary), truth), kRounding);
    EXPECT_LE(difference(std::span(ws->logits).subspan(vocabulary), alone), kRounding);
}

TEST_P(LaidHands, AnAnswerIsTheSameAgain) {
    const GenerateOptions how{.sampling = {.temperature = 0.8f, .seed = 5}, .budget = 12};
    const Interventions all = {{.what = What::gates, .from = 22, .amount = 0.1f}, {.what = What::empty, .from = 25}};
    Sequence first = touched(all), again = touched(all);
    const auto a = generate(first, ids, *ws, how), b = generate(again, ids, *ws, how);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->tokens, b->tokens);
    // What was said, fed as a prompt under the same hands, leaves the same memory.
    Sequence told = touched(all);
    feed(told, first.tokens());
    EXPECT_LE(difference(told.state(kda, "S"), first.state(kda, "S")), kRounding);
}

TEST_P(LaidHands, APoolGoesBackToWhereBothWereAlike) {
    SnapshotPool pool(int64_t{1} << 30);
    Sequence s(model);
    const auto go = [&](size_t n) {
        auto moved = pool.go(s, std::span(ids).first(n), *ws);
        EXPECT_TRUE(moved);
        pool.keep(s);
        return moved ? moved->replayed : -1;
    };
    go(8), go(20);
    const std::vector<float> plain = s.state(kda, "S");
    ASSERT_TRUE(s.touch(list({{.what = What::beta, .from = 10, .amount = 0}})));
    EXPECT_EQ(s.position(), 0) << "twenty tokens were fed otherwise";
    EXPECT_EQ(go(20), 12) << "eight of them alike";
    EXPECT_GT(difference(s.state(kda, "S"), plain), 1e-3);
    ASSERT_TRUE(s.touch(nullptr));
    EXPECT_EQ(go(20), 0) << "both are kept";
    EXPECT_EQ(difference(s.state(kda, "S"), plain), 0);
    ASSERT_TRUE(s.touch(list({{.what = What::beta, .from = 20, .amount = 0}})));
    EXPECT_EQ(s.position(), 20) << "nothing is different yet";
}

TEST_P(LaidHands, WhatAModelHasNotIsNamed) {
    Sequence s(model);
    const auto refused = [&](Intervention one) {
        const auto laid = s.touch(list({std::move(one)}));
        EXPECT_FALSE(laid);
        return laid ? std::string() : laid.error().message;
    };
    EXPECT_THAT(refused({.what = What::gates, .layers = {99}}), HasSubstr("'gates': the model has no layer 99"));
    EXPECT_THAT(refused({.what = What::gates, .layers = {mla}}), HasSubstr("is an MLA layer, which has no state and no gates"));
    EXPECT_THAT(refused({.what = What::hide, .layers = {kda}, .from = 9, .tokens = {0, 2}}), HasSubstr("has no latent cache"));
    EXPECT_THAT(refused({.what = What::beta, .heads = {7}}), HasSubstr("has no head 7"));
    EXPECT_THAT(refused({.what = What::gates, .channels = {64}}), HasSubstr("has no channel 64"));
    EXPECT_THAT(refused({.what = What::gates, .amount = 0}), HasSubstr("above 0"));
    EXPECT_THAT(refused({.what = What::beta, .amount = NAN}), HasSubstr("'beta': an amount of"));
    EXPECT_THAT(refused({.what = What::beta, .from = 5, .to = 5}), HasSubstr("are none"));
    EXPECT_THAT(refused({.what = What::silence, .layers = {0}, .experts = {0}}), HasSubstr(config().is_moe(0) ? "" : "layer 0 has no experts"));
    EXPECT_THAT(refused({.what = What::silence}), HasSubstr("experts"));
    EXPECT_THAT(refused({.what = What::hide, .from = 4, .tokens = {2, 6}}), HasSubstr("not among the 4 before it"));
    EXPECT_THAT(refused({.what = What::put, .layers = {kda}, .state = {1, 2}}),
                HasSubstr("state has 2 numbers; this model's has 128 (heads x values x keys: 2 x 8 x 8)"));
    EXPECT_THAT(refused({.what = What::edit, .layers = {kda}, .heads = {0}, .key = {1}}), HasSubstr("key has 1 numbers"));
    EXPECT_THAT(refused({.what = What::edit, .layers = {kda}, .key = {1}}), HasSubstr("one layer and one head"));
    ASSERT_TRUE(s.set_rolling(true));
    EXPECT_THAT(refused({.what = What::hide, .from = 9, .tokens = {0, 2}}), HasSubstr("rolls on"));
}

// --- as data ------------------------------------------------------------------------------------------------------------

TEST(HandsAsJson, ComeBackAsTheyWere) {
    Interventions all = a_bit_of_all(1, 2, 1);
    all.push_back({.what = What::edit, .layers = {0}, .heads = {1}, .from = 4, .key = {1, 0.5f}, .value = {0.25f}});
    all.push_back({.what = What::put, .layers = {0}, .state = {1, 2, 3}});
    all.push_back({.what = What::gates, .channels = {4, 5}, .amount = 0.1f});
    const auto again = read_interventions(to_json(all).dump(), "x.json");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, all);
    EXPECT_EQ(in_words(all[0]), "half-lives of layer 0 x0.3 from token 3 to 10");
    EXPECT_EQ(in_words(all[5]), "tokens 2 to 5 hidden from the latent cache of every layer at token 13");
}

TEST(HandsAsJson, WhatIsWrongIsNamedWithItsEntryAndField) {
    const auto error = [](const char* text) {
        const auto read = read_interventions(text, "x.json");
        EXPECT_FALSE(read) << text;
        if (!read) EXPECT_EQ(read.error().kind, Error::usage) << text;
        return read ? std::string() : read.error().message;
    };
    EXPECT_THAT(error("{"), HasSubstr("x.json"));
    EXPECT_THAT(error("{}"), HasSubstr("must be a list of interventions"));
    EXPECT_THAT(error("[3]"), HasSubstr("x.json: entry 0 is not an object"));
    EXPECT_THAT(error(R"([{"what":"gates"},{"what":"dance"}])"), HasSubstr("entry 1, 'what' must be one of gates"));
    EXPECT_THAT(error(R"([{"what":"gates","layer":[0]}])"), HasSubstr("'layer' is no field of an intervention"));
    EXPECT_THAT(error(R"([{"what":"gates","layers":0}])"), HasSubstr("'layers' must be a list of whole numbers"));
    EXPECT_THAT(error(R"([{"what":"gates","layers":[-1]}])"), HasSubstr("'layers' must be a list of whole numbers"));
    EXPECT_THAT(error(R"([{"what":"hide","tokens":[3]}])"), HasSubstr("'tokens' must be the first token and the one behind the last"));
    EXPECT_THAT(error(R"([{"what":"beta","amount":"much"}])"), HasSubstr("'amount' must be a number"));
    EXPECT_THAT(error(R"([{"what":"beta","from":1.5}])"), HasSubstr("'from' must be a token's position"));
}

}  // namespace
}  // namespace klp
