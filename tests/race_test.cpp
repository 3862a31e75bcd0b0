// A model and its full-attention twin in turn: the contexts, the same tokens to both, memory as computed, ways to end early. No test depends on time.
#include "core/studies/race.h"

#include <gtest/gtest.h>

#include "app/opener.h"

namespace klp {
namespace {

class RaceTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        LoadModel what;
        what.device = "cpu", what.threads = 1;
        opened = new OpenedModel(open_for_run(what, {}).value());
        twin = new std::shared_ptr<const Model>(opened->model->attention_twin().value());
    }
    static void TearDownTestSuite() { delete twin, delete opened; }
    static std::vector<int32_t> tokens(int64_t n) { return race_tokens({}, n, opened->card->config.vocab_size); }
    Result<std::string> run(int64_t n) {
        options.on_point = [this](const RacePoint& p) { points.push_back(p); };
        return race(opened->model, *twin, tokens(n), options);
    }
    static inline OpenedModel* opened = nullptr;
    static inline std::shared_ptr<const Model>* twin = nullptr;
    RaceOptions options;
    std::vector<RacePoint> points;
};

TEST_F(RaceTest, ContextsDoubleUpToTheOneAskedFor) {
    EXPECT_EQ(race_contexts(1024), (std::vector<int64_t>{64, 128, 256, 512, 1024}));
    EXPECT_EQ(race_contexts(1000), (std::vector<int64_t>{64, 128, 256, 512, 1000}));
    EXPECT_EQ(race_contexts(520), (std::vector<int64_t>{64, 128, 256, 520})) << "too near each other";
    EXPECT_EQ(race_contexts(64), std::vector<int64_t>{64});
    EXPECT_TRUE(race_contexts(63).empty());
}

TEST_F(RaceTest, TokensAreTheConversationsAgainAndAgain) {
    EXPECT_EQ(race_tokens(std::vector<int32_t>{5, 6, 7}, 7, 100), (std::vector<int32_t>{5, 6, 7, 5, 6, 7, 5}));
    for (int32_t id : race_tokens({}, 1000, 17)) EXPECT_TRUE(id >= 0 && id < 17);
}

TEST_F(RaceTest, EveryPointHasTimesAndTheMemoryThatTheShapesSay) {
    ASSERT_EQ(run(700).value(), "");
    ASSERT_EQ(points.size(), 5u);
    const ModelConfig& config = opened->card->config;
    for (size_t i = 0; i < points.size(); ++i) {
        const RacePoint& p = points[i];
        EXPECT_EQ(p.context, race_contexts(700)[i]);
        EXPECT_GT(p.hybrid_ns, 0);
        EXPECT_GT(p.twin_ns, 0);
        EXPECT_TRUE(p.hybrid_spread.least <= p.hybrid_ns && p.hybrid_ns <= p.hybrid_spread.most && p.hybrid_spread.known());
        EXPECT_TRUE(p.twin_spread.least <= p.twin_ns && p.twin_ns <= p.twin_spread.most && p.twin_spread.known());
        const int64_t rows = (p.context + kMlaPage - 1) / kMlaPage * kMlaPage;
        const SequenceBytes mine = sequence_bytes(config, rows), theirs = sequence_bytes(all_attention(config), rows);
        EXPECT_EQ(p.hybrid.state, mine.state);
        EXPECT_EQ(p.hybrid.conv, mine.conv);
        EXPECT_EQ(p.hybrid.cache, mine.cache);
        EXPECT_EQ(p.twin.total(), theirs.total());
    }
}

TEST_F(RaceTest, ACancelEndsItWithASentence) {
    std::atomic<bool> cancel = false;
    options.cancel = &cancel;
    options.on_progress = [&](int64_t done, int64_t) { cancel = done >= 128; };
    EXPECT_EQ(run(4096).value(), "stopped at 128 tokens");
    EXPECT_EQ(points.size(), 2u);
}

TEST_F(RaceTest, EndsBeforeMemoryDoes) {
    options.available = [&] { return points.size() < 2 ? int64_t{1} << 40 : int64_t{1} << 20; };
    EXPECT_EQ(run(4096).value(), "ended at 128 tokens: 256 need 64 MiB more and 1 MiB are free");
    EXPECT_EQ(points.size(), 2u);
}

TEST_F(RaceTest, MixersOfASyntheticTwinAreThoseOfTheKdaLayers) {
    ModelConfig c = opened->card->config;
    // q 4*(64+32)*256, kv_a (64+32)*256, its norm 64, kv_b 4*(64+64)*64, o 256*4*64: of three layers
    EXPECT_EQ(twin_mixer_bytes(c, 2), 3 * 2 * (4 * 96 * 256 + 96 * 256 + 64 + 4 * 128 * 64 + 256 * 256));
    EXPECT_EQ(twin_mixer_bytes(all_attention(c), 2), 0);
}

// --- through the engine's thread ----------------------------------------------------------------------------------------

class RaceRunTest : public ::testing::Test {
protected:
    RaceRunTest() : run(open_for_run) { run.post(LoadModel{.device = "cpu", .threads = 1}); }
    // Events up to the phase in which nothing goes on, behind the first race event or trouble.
    std::vector<Event> all() {
        std::vector<Event> events;
        bool raced = false;
        for (const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1); std::chrono::steady_clock::now() < end;) {
            for (Event& e : run.drain()) {
                const auto* phase = std::get_if<PhaseChanged>(&e);
                raced = raced || std::holds_alternative<RaceDone>(e) || std::holds_alternative<Trouble>(e);
                const bool over = raced && phase && phase->phase == Phase::ready;
                if (const auto* p = std::get_if<RacePoint>(&e); p && cancel_at_point) run.cancel();
                events.push_back(std::move(e));
                if (over) return events;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ADD_FAILURE() << "it never ended";
        return events;
    }
    template <class T>
    static std::vector<T> only(const std::vector<Event>& events) {
        std::vector<T> out;
        for (const Event& e : events)
            if (const T* t = std::get_if<T>(&e)) out.push_back(*t);
        return out;
    }
    LiveRun run;
    bool cancel_at_point = false;
};

TEST_F(RaceRunTest, SaysPointsProgressAndWhatTheTwinIs) {
    run.post(StartRace{300});
    const auto events = all();
    EXPECT_EQ(only<RacePoint>(events).size(), 3u);
    ASSERT_EQ(only<RaceDone>(events).size(), 1u);
    EXPECT_EQ(only<RaceDone>(events)[0].why, "");
    EXPECT_EQ(only<RaceDone>(events)[0].twin, only<Loaded>(events)[0].card->twin);
    int64_t done = 0;
    for (const PhaseChanged& p : only<PhaseChanged>(events)) {
        if (p.phase != Phase::racing) continue;
        EXPECT_EQ(p.total, 300);
        EXPECT_GE(p.done, done);
        done = p.done;
    }
    EXPECT_EQ(done, 300);
}

TEST_F(RaceRunTest, StopsWithinAToken) {
    cancel_at_point = true;
    run.post(StartRace{65536});
    const auto events = all();
    ASSERT_EQ(only<RaceDone>(events).size(), 1u);
    EXPECT_TRUE(only<RaceDone>(events)[0].why.starts_with("stopped at ")) << only<RaceDone>(events)[0].why;
    EXPECT_LT(only<RacePoint>(events).size(), race_contexts(65536).size());
}

TEST_F(RaceRunTest, LeavesTheConversationAlone) {
    MakeAnswer ask{.answer = 1, .line = {{"user", "Hello"}}, .predict = 4};
    ask.sampling.temperature = 0;
    const auto ids = [&] {
        std::vector<int32_t> out;
        run.post(ask);
        run.post(StartRace{128});
        for (const TokenMade& t : only<TokenMade>(all())) out.push_back(t.id);
        return out;
    };
    const auto first = ids();
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(ids(), first);
}

}  // namespace
}  // namespace klp
