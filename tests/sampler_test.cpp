// What each knob of the sampler means, that its dice are fair, and that they fall alike everywhere.
#include "core/model/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "kernels/cpu/sample.h"
#include "kernels/softmax.h"
#include "tests/devices.h"

namespace klp {
namespace {

using test::Device;

using Set = std::set<int32_t>;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> logits_of(const std::vector<double>& probabilities) {
    std::vector<float> logits;
    for (double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
    return logits;
}

std::vector<float> random_logits(size_t n, unsigned seed, float deviation) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> logits(n);
    for (float& l : logits) l = normal(random);
    return logits;
}

struct Answer {
    Pick pick;
    std::vector<Candidate> top;
};
Answer sample(Backend& on, const std::vector<float>& logits, const std::vector<int32_t>& recent, const Choice& choice) {
    Answer a{{}, std::vector<Candidate>(static_cast<size_t>(choice.candidates))};
    on.sample({.logits = {logits.data(), {static_cast<int64_t>(logits.size())}},
               .how = choice.how,
               .recent = recent,
               .random = choice.random,
               .pick = &a.pick,
               .top = a.top.data(),
               .candidates = choice.candidates});
    std::erase_if(a.top, [](const Candidate& c) { return c.id < 0; });
    return a;
}

// The answer to one question after the other, on the CPU.
class Draws {
public:
    explicit Draws(const Sampling& settings) : random_(settings) {}
    int32_t pick(const std::vector<float>& logits, const std::vector<int32_t>& recent) { return sample(*on_, logits, recent, random_.next()).pick.id; }

private:
    Sampler random_;
    std::shared_ptr<Backend> on_ = test::cpu(best_isa());
};

// Everything that comes up in many draws: with probabilities of a percent and more, 3,000 draws miss one with probability e^-30.
Set seen(const Sampling& settings, const std::vector<float>& logits, const std::vector<int32_t>& recent = {}, int draws = 3000) {
    Draws sampler(settings);
    Set ids;
    for (int i = 0; i < draws; ++i) ids.insert(sampler.pick(logits, recent));
    return ids;
}

int32_t greedy(const std::vector<float>& logits, const std::vector<int32_t>& recent = {}, float penalty = 1, int window = 64) {
    return Draws({.temperature = 0, .repeat_penalty = penalty, .repeat_window = window}).pick(logits, recent);
}

// The definition: ids from best to worst, then each cut in its turn.
Set kept_by_definition(const Sampling& s, const std::vector<float>& logits) {
    std::vector<int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    const auto weight = [&](int32_t id) { return std::exp((double{logits[id]} - logits[order[0]]) / s.temperature); };
    const double best = weight(order[0]);
    if (s.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(s.top_k)));
    if (s.top_p < 1) {
        double total = 0, sum = 0;
        for (int32_t id : order) total += weight(id);
        size_t n = 0;
        do sum += weight(order[n++]);
        while (sum < s.top_p * total && n < order.size());
        order.resize(n);
    }
    Set kept;
    for (int32_t id : order)
        if (weight(id) >= s.min_p * best) kept.insert(id);
    return kept;
}

TEST(Sampler, WithoutTemperatureTheBestIsTakenAndOfEqualsTheFirst) {
    EXPECT_EQ(greedy({1, 3, 2}), 1);
    EXPECT_EQ(greedy({1, 3, 2, 3, 3}), 1);
    EXPECT_EQ(greedy({-5, -3, -4}), 1);
    EXPECT_EQ(greedy({0, -0.0f}), 0);
    EXPECT_EQ(greedy({3e38f, 7, 3e38f}), 0);
    EXPECT_EQ(greedy({-3e38f, -1e30f}), 1);
    for (size_t n : {1u, 15u, 16u, 17u, 100u, 163840u}) {  // wherever it stands
        std::vector<float> logits = random_logits(n, 1, 3);
        for (size_t at : {size_t{0}, n / 2, n - 1}) {
            auto raised = logits;
            raised[at] = 50;
            EXPECT_EQ(greedy(raised), static_cast<int32_t>(at));
        }
    }
}

TEST(Sampler, DrawsAsOftenAsSoftmaxSays) {
    const std::vector<float> logits = random_logits(60, 2, 1.5f);
    constexpr float kTemperature = 0.8f;
    constexpr int kDraws = 200'000;
    Draws sampler({.temperature = kTemperature, .seed = 3});
    std::vector<int> count(logits.size());
    for (int i = 0; i < kDraws; ++i) ++count[sampler.pick(logits, {})];
    double total = 0, chi2 = 0;
    for (float l : logits) total += std::exp(l / kTemperature);
    int cells = 0, rare = 0;
    double rare_expected = 0;
    const auto cell = [&](double expected, int got) { chi2 += (got - expected) * (got - expected) / expected, ++cells; };
    for (size_t i = 0; i < logits.size(); ++i) {
        const double expected = kDraws * std::exp(logits[i] / kTemperature) / total;
        if (expected >= 10)
            cell(expected, count[i]);
        else
            rare_expected += expected, rare += count[i];
    }
    if (rare_expected >= 10) cell(rare_expected, rare);
    ASSERT_GT(cells, 40);
    const double freedom = cells - 1;
    EXPECT_LT(chi2, freedom + 4 * std::sqrt(2 * freedom));  // mean and deviation of chi2; 4 deviations
    EXPECT_GT(chi2, freedom - 4 * std::sqrt(2 * freedom));  // nor suspiciously even
}

TEST(Sampler, TheSameSeedGivesTheSameIdsOnEveryMachine) {
    std::vector<float> logits(1000);  // from integers, without a library's logarithm
    uint32_t x = 1;
    for (float& l : logits) {
        x = x * 1664525u + 1013904223u;
        l = static_cast<float>(x >> 16) / 8192.f;  // 0 .. 8
    }
    const auto ids = [&](const Sampling& settings) {
        Draws sampler(settings);
        std::vector<int32_t> ids;
        for (int i = 0; i < 12; ++i) ids.push_back(sampler.pick(logits, ids));
        return ids;
    };
    EXPECT_EQ(ids({.temperature = 1, .seed = 42}), (std::vector<int32_t>{914, 358, 939, 223, 369, 86, 484, 90, 252, 332, 562, 869}));
    EXPECT_EQ(ids({.temperature = 0.9f, .top_k = 50, .top_p = 0.95f, .min_p = 0.1f, .repeat_penalty = 1.2f, .seed = 42}),
              (std::vector<int32_t>{639, 743, 888, 37, 737, 759, 250, 445, 358, 532, 818, 73}));
    EXPECT_EQ(ids({.temperature = 1, .seed = 7}), ids({.temperature = 1, .seed = 7}));
    EXPECT_NE(ids({.temperature = 1, .seed = 7}), ids({.temperature = 1, .seed = 8}));
}

TEST(Sampler, TopKKeepsTheKBest) {
    const std::vector<float> logits = {0, 2, 1, 2, 1, 1.5f};
    EXPECT_EQ(seen({.temperature = 1, .top_k = 1}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = 1, .top_k = 2}, logits), (Set{1, 3}));
    EXPECT_EQ(seen({.temperature = 1, .top_k = 4}, logits), (Set{1, 2, 3, 5}));  // 2 and 4 are equal: the lower id
    EXPECT_EQ(seen({.temperature = 1, .top_k = 6}, logits), (Set{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(seen({.temperature = 1, .top_k = 99}, logits), (Set{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(seen({.temperature = 1, .top_k = 0}, logits), (Set{0, 1, 2, 3, 4, 5}));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
    const std::vector<float> logits = logits_of({0.125, 0.5, 0.25, 0.125});
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0.49f}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0.51f}, logits), (Set{1, 2}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0.74f}, logits), (Set{1, 2}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0.76f}, logits), (Set{0, 1, 2}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0.88f}, logits), (Set{0, 1, 2, 3}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = 1}, logits), (Set{0, 1, 2, 3}));
}

TEST(Sampler, TopPCountsWhatTopKLeftAndAfterTheTemperature) {
    const std::vector<float> logits = logits_of({0.4, 0.3, 0.2, 0.1});
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0.55f}, logits), (Set{0, 1}));
    EXPECT_EQ(seen({.temperature = 1, .top_k = 2, .top_p = 0.55f}, logits), (Set{0}));  // 0.4 / 0.7 is 0.57
    EXPECT_EQ(seen({.temperature = 0.5f, .top_p = 0.52f}, logits), (Set{0}));           // squares: 0.16 of 0.30
    EXPECT_EQ(seen({.temperature = 2, .top_p = 0.55f}, logits), (Set{0, 1}));           // roots: 0.63 + 0.55 of 1.94
    EXPECT_EQ(seen({.temperature = 2, .top_p = 0.61f}, logits), (Set{0, 1, 2}));
}

TEST(Sampler, MinPDropsWhatIsRareBesideTheBest) {
    const std::vector<float> logits = logits_of({0.4, 0.3, 0.2, 0.1});
    EXPECT_EQ(seen({.temperature = 1, .min_p = 0.6f}, logits), (Set{0, 1}));
    EXPECT_EQ(seen({.temperature = 1, .min_p = 0.4f}, logits), (Set{0, 1, 2}));
    EXPECT_EQ(seen({.temperature = 0.5f, .min_p = 0.4f}, logits), (Set{0, 1}));  // after the temperature: 1, 9/16, 1/4, 1/16
    EXPECT_EQ(seen({.temperature = 1, .min_p = 1}, logits), (Set{0}));
    EXPECT_EQ(seen({.temperature = 1, .min_p = 7}, logits), (Set{0}));  // the best always stays
}

TEST(Sampler, CutsTogetherKeepWhatTheirDefinitionsKeep) {
    std::mt19937 random(4);
    for (int round = 0; round < 400; ++round) {
        const std::vector<float> logits = random_logits(1 + random() % 1000, random(), 0.1f + static_cast<float>(random() % 50) / 10);
        Sampling settings{.temperature = 0.2f + static_cast<float>(random() % 20) / 10, .seed = random()};
        if (random() % 2) settings.top_k = 1 + static_cast<int>(random() % 100);
        if (random() % 2) settings.top_p = static_cast<float>(random() % 1000) / 1000;
        if (random() % 2) settings.min_p = static_cast<float>(random() % 100) / 1000;
        const Set kept = kept_by_definition(settings, logits);
        const Set drawn = seen(settings, logits, {}, 300);
        for (int32_t id : drawn) ASSERT_TRUE(kept.contains(id));
        double total = 0;
        for (int32_t id : kept) total += std::exp(logits[id] / settings.temperature);
        for (int32_t id : kept)  // 300 draws miss a tenth with probability e^-31
            if (std::exp(logits[id] / settings.temperature) > total / 10) {
                ASSERT_TRUE(drawn.contains(id));
            }
    }
}

TEST(Sampler, ThePenaltyMakesRecentTokensLessLikelyOnce) {
    EXPECT_EQ(greedy({4, 3.5f}, {0}, 1.1f), 0);        // 3.64
    EXPECT_EQ(greedy({4, 3.5f}, {0}, 1.2f), 1);        // 3.33
    EXPECT_EQ(greedy({4, 3.5f}, {0, 0, 0}, 1.1f), 0);  // not thrice
    EXPECT_EQ(greedy({-2, -2.3f}, {0}, 1.1f), 0);      // -2.2
    EXPECT_EQ(greedy({-2, -2.3f}, {0}, 1.2f), 1);      // -2.4
    EXPECT_EQ(greedy({4, 3.9f}, {0}, 1), 0);
    EXPECT_EQ(greedy({4, 3.9f}, {0}, 0.9f), 0);  // less than 1 rewards
    EXPECT_EQ(greedy({3.9f, 4}, {0}, 0.9f), 0);
    EXPECT_EQ(greedy({4, 3.9f}, {0}, 0), 0);  // not positive: none
    // Only the last `window` tokens count; ids that are no tokens do not.
    EXPECT_EQ(greedy({4, 3.9f, 1}, {0, 2, 2}, 2, 3), 1);
    EXPECT_EQ(greedy({4, 3.9f, 1}, {0, 2, 2}, 2, 2), 0);
    EXPECT_EQ(greedy({4, 3.9f, 1}, {0}, 2, 0), 0);
    EXPECT_EQ(greedy({4, 3.9f}, {-1, 2, INT32_MAX, INT32_MIN}, 2), 0);
    // Before the temperature and the cuts.
    EXPECT_EQ(seen({.temperature = 1, .top_k = 1, .repeat_penalty = 2}, {4, 3}, {0}), (Set{1}));
}

TEST(Sampler, ARowThatIsNoDistributionGivesNoToken) {
    for (float temperature : {0.f, 1.f}) {
        const auto pick = [&](const std::vector<float>& logits) { return Draws({.temperature = temperature}).pick(logits, {}); };
        EXPECT_EQ(pick({}), -1);
        EXPECT_EQ(pick({kNan}), -1);
        EXPECT_EQ(pick({1, 2, kNan, 3}), -1);
        EXPECT_EQ(pick({-kInf, -kInf}), -1);
        EXPECT_EQ(pick({1, -kInf, 1, 2}), -1);
        EXPECT_EQ(pick({1, 2, kInf, 3}), -1);
        std::vector<float> long_row(100, 1.f);
        for (size_t at : {0u, 63u, 99u}) {
            auto row = long_row;
            row[at] = kNan;
            EXPECT_EQ(pick(row), -1);
        }
    }
}

TEST(Sampler, ExtremeSettingsAndLogitsStaySensible) {
    const std::vector<float> logits = {1, 3, 2};
    EXPECT_EQ(seen({.temperature = 1e-30f}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = std::numeric_limits<float>::denorm_min()}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = 1e-30f, .top_k = 2, .top_p = 0.99f}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = -1}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = kNan}, logits), (Set{1}));
    EXPECT_EQ(seen({.temperature = 1e30f}, logits), (Set{0, 1, 2}));
    EXPECT_EQ(seen({.temperature = kInf}, logits), (Set{0, 1, 2}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = kNan, .min_p = kNan}, logits), (Set{0, 1, 2}));
    EXPECT_EQ(seen({.temperature = 1, .top_k = -5, .top_p = 2, .min_p = -1}, logits), (Set{0, 1, 2}));
    EXPECT_EQ(seen({.temperature = 1}, {1, -3e38f, 1, -200}), (Set{0, 2}));
    EXPECT_EQ(seen({.temperature = 1}, {3e38f, 5, 3e38f, -3e38f}), (Set{0, 2}));
    EXPECT_EQ(seen({.temperature = 1, .top_k = 3, .top_p = 0.9f}, {3e38f, -3e38f, 3e38f, 0}), (Set{0, 2}));
    EXPECT_EQ(seen({.temperature = 1}, {7}), (Set{0}));
}

TEST(Sampler, ALargeVocabularyIsDrawnFromEndToEnd) {
    std::vector<float> logits(163840, -3e38f);
    for (int32_t id : {0, 1023, 1024, 70000, 163839}) logits[id] = 5;
    EXPECT_EQ(seen({.temperature = 1}, logits, {}, 200), (Set{0, 1023, 1024, 70000, 163839}));
    EXPECT_EQ(seen({.temperature = 1, .top_p = 0.5f}, logits, {}, 200), (Set{0, 1023, 1024}));
    std::fill(logits.begin(), logits.end(), 1.f);
    for (int32_t id : seen({.temperature = 1, .top_k = 1000}, logits, {}, 50)) EXPECT_LT(id, 1000);
    int upper_half = 0;
    Draws sampler({.temperature = 1, .seed = 9});
    for (int i = 0; i < 400; ++i) upper_half += sampler.pick(logits, {}) >= 163840 / 2;
    EXPECT_NEAR(upper_half, 200, 4 * std::sqrt(100));  // 4 deviations of 400 coins
}

// The dice and settings of the tests that compare devices.
Sampling any_settings(std::mt19937& random) {
    Sampling s{.temperature = 0.1f + static_cast<float>(random() % 30) / 10, .seed = random()};
    if (random() % 6 == 0) s.temperature = 0;
    if (random() % 2) s.top_k = 1 + static_cast<int>(random() % (random() % 2 ? 2000 : 20));
    if (random() % 2) s.top_p = static_cast<float>(random() % 1001) / 1000;
    if (random() % 3 == 0) s.min_p = static_cast<float>(random() % 100) / 500;
    if (random() % 2) s.repeat_penalty = 0.5f + static_cast<float>(random() % 10) / 5, s.repeat_window = 1 + static_cast<int>(random() % 100);
    return s;
}
// Flat, peaked, of few different values, with what cannot come.
std::vector<float> any_logits(std::mt19937& random) {
    const float deviation[] = {0, 0.1f, 1, 3, 10, 100};
    std::vector<float> logits = random_logits(1 + random() % (random() % 2 ? 40 : 1500), random(), deviation[random() % 6]);
    const unsigned kind = random() % 4;
    for (float& l : logits) {
        if (kind == 1) l = std::round(l);  // ties, zeros of both signs
        if (kind == 2 && random() % 3 == 0) l = -3e38f;
    }
    if (kind == 3) logits[random() % logits.size()] += 30;
    return logits;
}
std::vector<int32_t> any_recent(std::mt19937& random, size_t vocabulary) {
    std::vector<int32_t> ids(random() % 120);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % (vocabulary + 2)) - 1;
    return ids;
}

class EveryDevice : public testing::TestWithParam<Device> {
protected:
    std::shared_ptr<Backend> on = GetParam().make();
};
std::vector<Device> all_devices() {
    std::vector<Device> all;
    for (Isa isa : supported_isas()) all.push_back({"cpu_" + std::string(name(isa)), [isa] { return test::cpu(isa); }});
    for (Device& gpu : test::gpus()) all.push_back(std::move(gpu));
    return all;
}
INSTANTIATE_TEST_SUITE_P(All, EveryDevice, testing::ValuesIn(all_devices()), [](const auto& info) { return info.param.name; });

TEST_P(EveryDevice, PicksTheSameIdsAsTheFormula) {
    const auto naive = make_naive_backend();
    std::mt19937 random(11);
    int different = 0;
    for (int round = 0; round < 300; ++round) {
        const Sampling settings = any_settings(random);
        const auto logits = any_logits(random);
        const auto recent = any_recent(random, logits.size());
        Sampler dice(settings);
        const Choice choice = dice.next();
        different += sample(*on, logits, recent, choice).pick.id != sample(*naive, logits, recent, choice).pick.id;
    }
    EXPECT_LE(different, 2);  // float's rounding of a score, a share of 1/1000 that falls on it, a step of 2^-35
}

TEST_P(EveryDevice, PicksTheSameIdsAsTheCpu) {
    const auto cpu = test::cpu(best_isa());
    std::mt19937 random(12);
    for (int round = 0; round < 400; ++round) {
        const Sampling settings = any_settings(random);
        const auto logits = any_logits(random);
        const auto recent = any_recent(random, logits.size());
        Sampler dice(settings);
        const Choice choice = dice.next();
        ASSERT_EQ(sample(*on, logits, recent, choice).pick.id, sample(*cpu, logits, recent, choice).pick.id)
            << "round " << round << ": " << logits.size() << " logits, temperature " << settings.temperature << ", top_k " << settings.top_k << ", top_p "
            << settings.top_p << ", min_p " << settings.min_p << ", penalty " << settings.repeat_penalty;
    }
}

TEST_P(EveryDevice, TheEdgesOfNumbersAreThoseOfTheCpu) {
    const auto cpu = test::cpu(best_isa());
    const std::vector<std::vector<float>> rows = {
        {},         {7},           {kNan},           {-kInf, -kInf}, {1, kNan, 2},  {kInf, 5, kInf, -kInf}, {3e38f, -3e38f, 3e38f, 0},
        {0, -0.0f}, {-0.0f, 0, 0}, {-3e38f, -1e30f}, {1e-45f, 0},    {kInf, -kInf}, {1, -3e38f, 1, -200},   {-5, -5, -5, -5}};
    for (const auto& row : rows)
        for (const float temperature : {0.f, 1e-30f, 1.f, 1e30f, kInf, kNan})
            for (const Sampling& cuts :
                 {Sampling{}, Sampling{.top_k = 2}, Sampling{.top_p = 0.6f}, Sampling{.top_k = 3, .top_p = 0.9f, .min_p = 0.5f}, Sampling{.top_p = -1},
                  Sampling{.top_p = 0}, Sampling{.min_p = 7}, Sampling{.top_p = kNan, .min_p = kNan}, Sampling{.repeat_penalty = 1e-40f}})
                for (const double u : {0.0, 0.5, 1 - 0x1p-53}) {
                    Sampling how = cuts;
                    how.temperature = temperature;
                    const Choice choice{how, u, 0};
                    ASSERT_EQ(sample(*on, row, {0}, choice).pick.id, sample(*cpu, row, {0}, choice).pick.id)
                        << row.size() << " logits, temperature " << temperature << ", top_k " << how.top_k << ", top_p " << how.top_p << ", min_p "
                        << how.min_p;
                }
}

TEST_P(EveryDevice, AVocabularyOf163840IsSearchedFromEndToEnd) {
    const auto cpu = test::cpu(best_isa());
    const std::vector<float> flat(163840, 1.f), logits = random_logits(163840, 5, 3);
    for (const Sampling& how : {Sampling{.temperature = 0}, Sampling{.temperature = 1}, Sampling{.temperature = 0.7f, .top_k = 1000, .top_p = 0.999f},
                                Sampling{.temperature = 2, .top_p = 0.99999f, .min_p = 1e-4f, .repeat_penalty = 1.3f}})
        for (const std::vector<float>* row : {&flat, &logits}) {
            const Choice choice{how, 0.987654321, 5};
            const Answer got = sample(*on, *row, {3, 163839}, choice), truth = sample(*cpu, *row, {3, 163839}, choice);
            EXPECT_EQ(got.pick.id, truth.pick.id);
            EXPECT_EQ(got.pick.rank, truth.pick.rank);
            EXPECT_NEAR(got.pick.entropy, truth.pick.entropy, 1e-4);
            EXPECT_NEAR(got.pick.probability, truth.pick.probability, 3e-6 * truth.pick.probability);
        }
}

TEST_P(EveryDevice, TheBestAreNamedWithTheirSoftmax) {
    std::vector<float> logits = random_logits(GetParam().name.starts_with("simulated") ? 500 : 5000, 6, 8);
    const auto last = static_cast<int32_t>(logits.size() - 1);
    logits[17] = logits[400] = 40;
    double total = 0;
    for (float l : logits) total += std::exp(double{l} - 40);
    const auto top = sample(*on, logits, {}, {{.temperature = 0}, 0, last + 10}).top;
    ASSERT_EQ(top.size(), static_cast<size_t>(last + 1));
    EXPECT_EQ(top[0].id, 17);
    EXPECT_EQ(top[1].id, 400);
    for (size_t i = 0; i < top.size(); ++i) {
        const float l = logits[top[i].id];
        ASSERT_TRUE(i == 0 || logits[top[i - 1].id] > l || (logits[top[i - 1].id] == l && top[i - 1].id < top[i].id));
        // Float's half ulp on (logit - best) is that error again, relative, of e^x; eight more for the series, its factors and the sum, whose terms a GPU
        // rounds to 2^-35.
        const double expected = std::exp(double{l} - 40) / total, epsilon = std::ldexp(1.0, -24);
        ASSERT_NEAR(top[i].probability, expected, expected * (std::abs(l - 40) + 8) * epsilon);
    }
    const auto three = sample(*on, logits, {}, {{.temperature = 0}, 0, 3}).top;
    ASSERT_EQ(three.size(), 3u);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(three[i].id, top[i].id);
}

TEST_P(EveryDevice, EntropyAndRankAreThoseOfTheDistribution) {
    std::vector<float> z(1003);
    for (size_t i = 0; i < z.size(); ++i) z[i] = 5 * std::sin(static_cast<float>(i * i % 977)) + 1e-3f * static_cast<float>(i);
    double Z = 0, H = 0;
    for (float v : z) Z += std::exp(double(v));
    for (float v : z) H -= std::exp(double(v)) / Z * (v - std::log(Z));
    Sampler dice({.temperature = 1.5f});
    for (int i = 0; i < 5; ++i) {
        const Answer a = sample(*on, z, {}, dice.next(1));
        EXPECT_NEAR(a.pick.entropy, H, 1e-4);
        EXPECT_EQ(a.pick.rank, std::count_if(z.begin(), z.end(), [&](float v) { return v > z[a.pick.id]; }));
        EXPECT_NEAR(a.pick.probability, std::exp(double(z[a.pick.id])) / Z, 1e-5 * a.pick.probability);
    }
    EXPECT_NEAR(sample(*on, {-1e30f, 3, -1e30f}, {}, dice.next(1)).pick.entropy, 0, 1e-5);
    EXPECT_EQ(sample(*on, {-1e30f, 3, -1e30f}, {}, dice.next(9)).top.size(), 3u);
}

// softmax.h and the definitions, a number at a time: what each instruction set's loops are held to, to the last bit.
TEST(Sampler, EveryInstructionSetsLoopsSayWhatTheFormulasSay) {
    std::mt19937 random(14);
    for (int round = 0; round < 300; ++round) {
        std::vector<float> z = any_logits(random);
        if (round % 5 == 0) z[random() % z.size()] = kInf;
        if (round % 7 == 0) z[random() % z.size()] = kNan;
        if (round % 11 == 0) z[random() % z.size()] = -kInf;
        const auto n = static_cast<int64_t>(z.size());
        float best = -kInf;
        bool nan = false, odd = false;
        for (float v : z) best = v > best ? v : best, nan |= std::isnan(v), odd |= !std::isfinite(v);

        const Exponent scaled{best, round % 3 ? 0.1f + static_cast<float>(random() % 30) / 10 : 1}, plain{best, 1};
        const float smallest = round % 2 ? static_cast<float>(random() % 100) / 500 : 0;
        std::vector<float> weights;
        std::vector<int32_t> over;
        double sum = 0;
        for (float v : z) {
            weights.push_back(exponential(scaled(v)));
            if (weights.back() >= smallest) sum += steps(weights.back());
            if (weights.back() > smallest) over.push_back(static_cast<int32_t>(weights.size()) - 1);
        }
        const double target = sum * static_cast<double>(random() % 1000) / 999;  // the whole sum now and then, which nothing exceeds
        int64_t reached = -1;
        double before = 0;
        for (int64_t i = 0; i < n && reached < 0; ++i)
            if (weights[i] >= smallest && (before += steps(weights[i])) > target) reached = i;

        const auto asked = static_cast<int64_t>(random() % 40);
        const float own = z[random() % z.size()];
        std::vector<int32_t> order;
        for (int32_t i = 0; i < n; ++i)
            if (z[i] > -kInf) order.push_back(i);  // no NaN either
        std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return z[a] > z[b]; });
        order.resize(std::min(order.size(), static_cast<size_t>(asked)));
        // Sixteen parts to each 256 logits.
        Look truth;
        for (int64_t first = 0; first < n; first += 256) {
            double sums[16] = {}, block = 0;
            float products[16] = {};
            for (int64_t i = first; i < std::min(n, first + 256); ++i) {
                const float x = plain(z[i]), w = exponential(x);
                sums[i % 16] += w;
                products[i % 16] += w > 0 ? w * x : 0;
                truth.rank += asked > 0 && z[i] > own;
            }
            for (double s : sums) block += s;
            truth.sum += block;
            for (float p : products) truth.part += asked > 0 ? p : 0;
        }

        for (Isa isa : supported_isas()) {
            SCOPED_TRACE(std::string(name(isa)) + ", " + std::to_string(n) + " logits, round " + std::to_string(round));
            const Scores& loops = scores_of(isa);
            const BestScore found = loops.best(z.data(), n);
            EXPECT_EQ(found.value, best);
            EXPECT_EQ(found.has_nan, nan);
            EXPECT_EQ(found.finite, !odd);
            for (int p = 0; p < kScoreParts; ++p) {
                float of = -kInf;
                for (int64_t i = p; i < n; i += kScoreParts) of = z[i] > of ? z[i] : of;
                EXPECT_EQ(found.parts[p], of);
            }
            std::vector<float> got(z.size());
            EXPECT_EQ(loops.weigh({z.data(), n, best, scaled.temperature, smallest, got.data()}), sum);
            EXPECT_EQ(got, weights);
            std::vector<int32_t> places(z.size());
            places.resize(static_cast<size_t>(loops.above(weights.data(), n, smallest, places.data())));
            EXPECT_EQ(places, over);
            EXPECT_EQ(loops.reach(weights.data(), n, smallest, target), reached);

            std::vector<Candidate> top(static_cast<size_t>(asked));
            Look seen{.logits = z.data(), .n = n, .best = best, .own = own, .top = top.data(), .candidates = asked, .bar = -kInf};
            loops.look(seen);
            EXPECT_EQ(seen.sum, truth.sum);
            EXPECT_EQ(seen.part, truth.part);
            EXPECT_EQ(seen.rank, truth.rank);
            ASSERT_EQ(seen.found, static_cast<int64_t>(order.size()));
            for (size_t i = 0; i < order.size(); ++i) ASSERT_EQ(top[i].id, order[i]);
            Pick pick;
            top.assign(top.size(), {});
            look(z, pick, top, loops);  // with a bar of its own
            for (size_t i = 0; i < top.size(); ++i) ASSERT_EQ(top[i].id, i < order.size() ? order[i] : -1);
        }
    }
}

TEST(Sampler, WhatIsNoNumberIsNotNamed) {
    Pick none;
    std::vector<Candidate> top(3);
    look(std::vector<float>{1, kNan, 1}, none, top);
    EXPECT_EQ(top[1].id, 2);
    EXPECT_FLOAT_EQ(top[1].probability, 0.5f);
    EXPECT_EQ(top[2].id, -1);
    look({}, none, top);
    EXPECT_EQ(top[0].id, -1);
}

}  // namespace
}  // namespace klp
