// The engine's thread: what is asked of it, what it says, and what it keeps.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "app/machine.h"
#include "app/opener.h"
#include "core/runs/scripted_run.h"
#include "tests/checkpoints.h"

namespace klp {
namespace {

class RunTest : public ::testing::Test {
protected:
    RunTest() : run_(open_for_run) {}
    // Everything up to and with the first event of this kind; fails the test after a minute.
    template <class T>
    std::vector<Event> until() {
        std::vector<Event> all;
        for (const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1); std::chrono::steady_clock::now() < end;) {
            for (Event& e : run_.drain()) waiting_.push_back(std::move(e));
            while (!waiting_.empty()) {
                all.push_back(std::move(waiting_.front()));
                waiting_.pop_front();
                if (std::holds_alternative<T>(all.back())) return all;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ADD_FAILURE() << "it never came";
        return all;
    }
    template <class T>
    static std::vector<T> only(const std::vector<Event>& events) {
        std::vector<T> out;
        for (const Event& e : events)
            if (const T* t = std::get_if<T>(&e)) out.push_back(*t);
        return out;
    }
    void load() {
        run_.post(LoadModel{.device = "cpu", .threads = 1});
        const auto loaded = only<Loaded>(until<Loaded>());
        ASSERT_EQ(loaded.size(), 1u);
        loaded_ = loaded[0].card;
    }
    static MakeAnswer ask(std::vector<Part> line, int64_t predict = 8) {
        MakeAnswer c{.answer = 7, .line = std::move(line), .predict = predict};
        c.sampling.temperature = 0;
        return c;
    }
    LiveRun run_;
    std::deque<Event> waiting_;
    std::shared_ptr<const RunCard> loaded_;
};

TEST_F(RunTest, AnswersWithATokenEventAndReadingsForEachToken) {
    Interest all;
    for (bool& s : all.sites) s = true;
    all.top = 5;
    all.state = {{1, 2}};
    run_.watch(all);
    load();
    run_.post(ask({{"user", "Hello"}}));
    const auto events = until<AnswerDone>();
    const auto tokens = only<TokenMade>(events);
    const auto readings = only<Readings>(events);
    const auto fed = only<PromptFed>(events);
    ASSERT_FALSE(tokens.empty());
    ASSERT_FALSE(fed.empty());
    EXPECT_EQ(fed[0].first, 0);
    int64_t prompt = 0;
    for (const PromptFed& f : fed) prompt += f.first < tokens[0].position ? static_cast<int64_t>(f.ids.size()) : 0;
    EXPECT_EQ(tokens[0].position, prompt);
    ASSERT_EQ(tokens[0].top.size(), 5u);
    EXPECT_EQ(tokens[0].rank, 0) << "greedy";
    EXPECT_EQ(tokens[0].top[0].id, tokens[0].id);
    EXPECT_GE(static_cast<int64_t>(readings.size()), prompt + static_cast<int64_t>(tokens.size()));
    for (size_t i = 0; i < readings.size(); ++i) EXPECT_EQ(readings[i].position, static_cast<int64_t>(i));
    EXPECT_FALSE(only<StatePicture>(events).empty());
    for (const TokenMade& t : tokens) EXPECT_EQ(t.answer, 7);
}

TEST_F(RunTest, AnAnswerStandsAsItWasClosed) {
    run_.post(LoadModel{.device = "cpu", .threads = 1});
    const auto loaded = only<Loaded>(until<Loaded>());
    ASSERT_EQ(loaded.size(), 1u);
    const RunCard& card = *loaded[0].card;
    const TurnTokens turn = turn_tokens(*card.tokenizer, card.config).value();
    const auto other = std::find_if(turn.stop.begin(), turn.stop.end(), [&](int32_t id) { return id != turn.end; });
    ASSERT_NE(other, turn.stop.end());
    const auto closed_by = [&](int32_t closing) {
        run_.post(GoTo{{{"user", "Hello"}, {.role = "assistant", .text = "Hi", .ids = card.tokenizer->encode("Hi"), .closing = closing}}});
        return only<PromptFed>(until<Moved>()).back().ids.back();
    };
    EXPECT_EQ(closed_by(-1), turn.end);
    EXPECT_EQ(closed_by(*other), *other);
    EXPECT_EQ(closed_by(0), turn.end) << "what ends no answer closes none";
}

TEST_F(RunTest, AnotherHeadIsPicturedWhileNothingGoesOn) {
    Interest interest;
    interest.state = {{1, 2}};
    run_.watch(interest);
    load();
    run_.post(ask({{"user", "Hello"}}));
    until<AnswerDone>();
    interest.state = {{1, 3}};
    run_.watch(interest);
    const StatePicture picture = only<StatePicture>(until<StatePicture>()).back();
    EXPECT_EQ(picture.head, 3);
    EXPECT_GT(picture.position, 0);
}

TEST_F(RunTest, EventsTellTheWholeSequence) {
    Interest interest;
    interest.sites[static_cast<int>(Site::beta)] = true;
    run_.watch(interest);
    load();
    std::vector<int32_t> told;  // as a screen adds them up
    std::vector<Part> line;
    for (const char* text : {"Hello", "Tell me a story."}) {
        line.push_back({"user", text});
        run_.post(ask(line, 12));
        Part answer{.role = "assistant"};
        for (const Event& e : until<AnswerDone>()) {
            if (const auto* begun = std::get_if<AnswerBegun>(&e)) {
                EXPECT_EQ(begun->line.back().text, text);
            }
            if (const auto* fed = std::get_if<PromptFed>(&e)) {
                ASSERT_LE(fed->first, static_cast<int64_t>(told.size())) << "nothing is left out";
                told.resize(static_cast<size_t>(fed->first));
                told.insert(told.end(), fed->ids.begin(), fed->ids.end());
            }
            if (const auto* made = std::get_if<TokenMade>(&e)) {
                ASSERT_EQ(made->position, static_cast<int64_t>(told.size()));
                told.push_back(made->id);
                answer.ids.push_back(made->id);
            }
            if (const auto* r = std::get_if<Readings>(&e)) {
                EXPECT_LT(r->position, static_cast<int64_t>(told.size()));
            }
        }
        line.push_back(answer);
    }
}

TEST_F(RunTest, TheSameLineAgainComesFromASnapshotAndSaysTheSame) {
    load();
    run_.post(ask({{"user", "Hello"}}));
    const auto first = until<AnswerDone>();
    std::vector<int32_t> ids;
    for (const TokenMade& t : only<TokenMade>(first)) ids.push_back(t.id);
    run_.post(ask({{"user", "Hello"}}));
    const auto again = until<AnswerDone>();
    std::vector<int32_t> same;
    for (const TokenMade& t : only<TokenMade>(again)) same.push_back(t.id);
    EXPECT_EQ(ids, same);
    const AnswerDone done = only<AnswerDone>(again)[0];
    EXPECT_EQ(done.move.replayed, 0);
    EXPECT_GT(done.move.restored_bytes, 0);
}

TEST_F(RunTest, AnOpenAnswerGoesOnAsIfItHadNeverStopped) {
    load();
    run_.post(ask({{"user", "Tell me a story."}}, 12));
    std::vector<int32_t> ids;
    for (const TokenMade& t : only<TokenMade>(until<AnswerDone>())) ids.push_back(t.id);
    ASSERT_EQ(ids.size(), 12u);
    run_.post(ask({{"user", "Tell me a story."}, {"assistant", "", {ids.begin(), ids.begin() + 5}, true}}, 7));
    std::vector<int32_t> rest(ids.begin(), ids.begin() + 5);
    for (const TokenMade& t : only<TokenMade>(until<AnswerDone>())) rest.push_back(t.id);
    EXPECT_EQ(ids, rest);
}

TEST_F(RunTest, CancelStopsWhatRunsAndWhatWaits) {
    load();
    MakeAnswer endless = ask({{"user", "Tell me a story."}}, 60000);
    endless.sampling.temperature = 50;  // a stop token once in four thousand
    run_.post(endless);
    run_.post(endless);
    until<TokenMade>();
    run_.cancel();
    EXPECT_EQ(only<AnswerDone>(until<AnswerDone>())[0].end, Generation::End::cancelled);
    const AnswerDone second = only<AnswerDone>(until<AnswerDone>())[0];
    EXPECT_EQ(second.end, Generation::End::cancelled);
    EXPECT_EQ(second.tokens, 0);
}

TEST_F(RunTest, GoingBackCostsWhatWasSaid) {
    load();
    run_.post(ask({{"user", "Hello"}}));
    std::vector<int32_t> ids;
    for (const TokenMade& t : only<TokenMade>(until<AnswerDone>())) ids.push_back(t.id);
    run_.post(AskCost{3, {{"user", "Hello"}}});
    const CostKnown cost = only<CostKnown>(until<CostKnown>())[0];
    EXPECT_EQ(cost.request, 3);
    EXPECT_EQ(cost.move.replayed, 0);
    run_.post(GoTo{{{"user", "Hello"}}});
    const Moved moved = only<Moved>(until<Moved>())[0];
    EXPECT_EQ(moved.move.restored_bytes, cost.move.restored_bytes);
}

TEST_F(RunTest, AProbeShowsWhatAHeadReadsAndDisturbsNothing) {
    Interest interest;
    interest.sites[static_cast<int>(Site::beta)] = true;
    run_.watch(interest);
    load();
    const std::vector<Part> line{{"user", "Tell me a story."}};
    run_.post(ask(line, 12));
    Part answer{.role = "assistant", .open = true};
    for (const TokenMade& t : only<TokenMade>(until<AnswerDone>())) answer.ids.push_back(t.id);
    until<PhaseChanged>();
    for (int layer : {0, 3}) {
        run_.post(ProbeAttention{layer, 1, 9});
        const auto events = until<PhaseChanged>();
        EXPECT_TRUE(only<Readings>(events).empty());
        ASSERT_EQ(only<AttentionPicture>(events).size(), 1u);
        const AttentionPicture picture = only<AttentionPicture>(events)[0];
        EXPECT_EQ(picture.implicit, layer == 0);
        EXPECT_EQ(picture.position, 9);
        EXPECT_EQ(picture.weights.size(), 10u);
        EXPECT_EQ(picture.decay_only.size(), layer == 0 ? 10u : 0u);
    }
    run_.post(ProbeAttention{1, -1, 9});
    const auto each = only<AttentionPicture>(until<PhaseChanged>());
    ASSERT_EQ(each.size(), 4u);
    for (int h = 0; h < 4; ++h) EXPECT_EQ(each[static_cast<size_t>(h)].head, h);
    run_.post(ProbeAttention{3, 0, int64_t{1} << 40});
    const AttentionPicture newest = only<AttentionPicture>(until<AttentionPicture>())[0];
    EXPECT_EQ(static_cast<int64_t>(newest.weights.size()), newest.position + 1);

    run_.post(GoTo{{line[0], answer}});
    EXPECT_EQ(only<Moved>(until<Moved>())[0].position, newest.position) << "all but what closed the turn";
    run_.post(ProbeAttention{99, 0, 3});
    EXPECT_EQ(only<Trouble>(until<Trouble>())[0].error.kind, Error::usage);
}

TEST_F(RunTest, WhatAStateStillAnswersAndAFactsLifeCanBeAskedFor) {
    load();
    run_.post(ask({{"user", "My favorite color is green."}}, 12));
    const auto events = until<AnswerDone>();
    const int64_t newest = only<TokenMade>(events).back().position;
    const Span answer{only<TokenMade>(events).front().position, newest + 1};
    until<PhaseChanged>();
    run_.post(ProbeReadable{.layer = 0, .head = 1, .position = 9});
    const ReadablePicture plain = only<ReadablePicture>(until<ReadablePicture>())[0];
    EXPECT_EQ(plain.cosine.size(), 10u);
    EXPECT_TRUE(plain.predicted.empty());
    until<PhaseChanged>();
    for (const bool cut : {false, true}) {
        run_.post(ProbeReadable{.layer = 0, .head = 1, .position = 9, .token = 7, .with = 5, .cut = cut});
        const ReadablePicture edit = only<ReadablePicture>(until<ReadablePicture>())[0];
        EXPECT_EQ(edit.predicted.size(), 10u);
        EXPECT_EQ(edit.measured.size(), cut ? 10u : 0u);
        for (size_t i = 0; i < edit.measured.size(); ++i) EXPECT_NEAR(edit.measured[i], edit.predicted[i], 1e-4f * (1 + edit.change));
        EXPECT_FALSE(edit.key.empty() || edit.value.empty());
        until<PhaseChanged>();
    }
    run_.post(ProbeLife{.token = 7, .answers = {answer}});
    const LifePicture life = only<LifePicture>(until<LifePicture>())[0];
    EXPECT_EQ(life.heads.size(), 16u);
    EXPECT_GE(life.last, newest);
    ASSERT_FALSE(life.probability.empty());
    EXPECT_EQ(life.probability.front().first, answer.first);
    until<PhaseChanged>();
    run_.post(ProbeLife{.token = 7, .layer = 3});
    EXPECT_EQ(only<LifePicture>(until<LifePicture>())[0].heads.size(), 4u);
    until<PhaseChanged>();
    run_.post(ProbeReaders{.token = 7});
    const ReadersPicture readers = only<ReadersPicture>(until<ReadersPicture>())[0];
    EXPECT_EQ(readers.heads.size(), 16u);
    EXPECT_GE(readers.position, newest);
    until<PhaseChanged>();
    run_.post(ProbeReaders{.token = 7, .position = newest - 1});
    EXPECT_EQ(only<ReadersPicture>(until<ReadersPicture>())[0].position, newest - 1);
    until<PhaseChanged>();
    run_.post(ProbeLeft{.layer = 1, .head = 2, .position = newest});
    const LeftPicture left = only<LeftPicture>(until<LeftPicture>())[0];
    EXPECT_EQ(left.left.size(), static_cast<size_t>(newest + 1));
    EXPECT_NEAR(left.left.back(), 1, 1e-5) << "nothing has become of the newest";
    until<PhaseChanged>();
    run_.post(ProbeRules{.layer = 1, .head = 2, .position = newest});
    const RulesPicture rules = only<RulesPicture>(until<RulesPicture>())[0];
    EXPECT_EQ(rules.rules.size(), kRules.size());
    EXPECT_EQ(rules.rules[0].norm.size(), static_cast<size_t>(newest + 1));
    EXPECT_EQ(rules.own, Rule::kda);
    until<PhaseChanged>();
    run_.post(ProbeReaders{.token = 7, .position = 6});
    EXPECT_EQ(only<Trouble>(until<Trouble>())[0].error.kind, Error::usage) << "before it was written";
    until<PhaseChanged>();
    run_.post(ProbeReadable{.layer = 3, .head = 1, .position = 9});
    EXPECT_EQ(only<Trouble>(until<Trouble>())[0].error.kind, Error::usage) << "a cache is no state";
    until<PhaseChanged>();
    run_.post(ProbeLife{.token = 7000});
    EXPECT_EQ(only<Trouble>(until<Trouble>())[0].error.kind, Error::usage);
}

TEST_F(RunTest, AStateOfThePastIsFedAgain) {
    load();
    Interest interest;
    interest.state = {{1, 2}};
    interest.pictures = 100'000;
    run_.watch(interest);
    run_.post(ask({{"user", "Tell me a story."}}, 12));
    const auto seen = only<StatePicture>(until<AnswerDone>());
    until<PhaseChanged>();
    ASSERT_GT(seen.size(), 4u);
    const StatePicture& then = seen[2];
    run_.post(ProbeState{1, 2, then.position - 1});
    const StatePicture again = only<StatePicture>(until<PhaseChanged>()).back();
    EXPECT_TRUE(again.past);
    EXPECT_EQ(again.position, then.position);
    ASSERT_EQ(again.values.size(), then.values.size());
    for (size_t i = 0; i < then.values.size(); ++i) ASSERT_NEAR(again.values[i], then.values[i], 2e-3 * std::max(1.f, std::abs(then.values[i]))) << i;
    run_.post(SetSnapshotBudget{0});
    std::string long_text;
    for (int i = 0; i < 400; ++i) long_text += "one two three four five six ";
    run_.post(ask({{"user", long_text}}, 2));
    until<AnswerDone>();
    until<PhaseChanged>();
    run_.post(ProbeState{1, 2, 2100});
    EXPECT_TRUE(only<StatePicture>(until<PhaseChanged>()).back().values.empty()) << "too far from any snapshot";
}

TEST_F(RunTest, AProbeGivesWay) {
    load();
    std::string long_text;
    for (int i = 0; i < 400; ++i) long_text += "one two three four five six ";
    run_.post(ask({{"user", long_text}}, 4));
    until<AnswerDone>();
    until<PhaseChanged>();
    for (int i = 0; i < 5; ++i) run_.post(ProbeAttention{0, i % 4, int64_t{1} << 40});  // as by somebody who goes through the heads
    run_.post(ask({{"user", "Hello"}}, 4));
    const auto events = until<AnswerDone>();
    EXPECT_LT(only<AttentionPicture>(events).size(), 5u);
    EXPECT_TRUE(only<Trouble>(events).empty());
}

TEST_F(RunTest, WhatCannotBeDoneIsSaid) {
    run_.post(ask({{"user", "Hello"}}));
    EXPECT_EQ(only<Trouble>(until<Trouble>())[0].answer, 7);
    run_.post(LoadModel{.model = "/no/such/folder"});
    EXPECT_NE(only<Trouble>(until<Trouble>())[0].error.message.find("/no/such/folder"), std::string::npos);
    run_.post(LoadModel{.context = 16});
    until<Loaded>();
}

TEST_F(RunTest, AModelThatDoesNotOpenLeavesTheOneThatRuns) {
    run_.post(LoadModel{.device = "cpu", .threads = 1});
    until<Loaded>();
    run_.post(LoadModel{.model = "/no/such/folder"});
    const auto events = until<Trouble>();
    EXPECT_TRUE(only<Unloaded>(events).empty());
    run_.post(ask({{"user", "Hello"}}, 4));
    EXPECT_TRUE(only<Trouble>(until<AnswerDone>()).empty());
    run_.post(LoadModel{.device = "cpu", .threads = 1, .context = 32});
    const auto second = until<Loaded>();
    EXPECT_EQ(only<Unloaded>(second).size(), 1u) << "the old one goes when the new one is there";
    EXPECT_EQ(only<Loaded>(second)[0].card->context, 32);
}

TEST(Opener, FillsTheCard) {
    const auto opened = open_for_run({.device = "cpu", .threads = 1, .context = 100}, {});
    ASSERT_TRUE(opened) << opened.error().message;
    const RunCard& card = *opened->card;
    EXPECT_EQ(card.name, "demo");
    EXPECT_EQ(card.context, 100);
    EXPECT_EQ(card.device.name, "cpu");
    EXPECT_GT(card.weight_bytes, card.active_bytes);
    EXPECT_GT(card.active_bytes, 0);
    EXPECT_GT(card.shape.size(), 0);
    EXPECT_TRUE(card.tokenizer);
    EXPECT_EQ(card.recorded, "");
    EXPECT_NE(card.twin, TwinKind::recorded);
    EXPECT_EQ(open_for_run({.device = "abacus"}, {}).error().kind, Error::usage);
}

TEST(Trace, EveryReadingHasAPlaceOfItsOwn) {
    const TraceShape s = scripted_card()->shape;
    EXPECT_EQ(s.size(), 3 * 4 * 32 + 3 * 3 * 4 + 4 + 3 * 2 * 2);
    EXPECT_FALSE(s.has(Site::beta, 3));
    EXPECT_TRUE(s.has(Site::log_sum_exp, 3));
    EXPECT_FALSE(s.has(Site::picks, 0)) << "dense";
    EXPECT_FALSE(s.has(Site::beta, 99));
    Tracer tracer(scripted_card()->config);
    const std::vector<float> beta{1, 2, 3, 4};
    tracer.want(Site::beta, true);
    EXPECT_TRUE(tracer.wants(Site::beta, 1));
    EXPECT_FALSE(tracer.wants(Site::state_norm, 1));
    EXPECT_FALSE(tracer.wants(Site::projections, 1)) << "only probes pay for it";
    tracer.take({Site::beta, 1, 0, 5, beta});
    tracer.take({Site::beta, 1, 0, 4, beta});
    const auto rows = tracer.finish();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].position, 4);
    EXPECT_EQ(s.of(Site::beta, 1, rows[0].values)[2], 3);
    EXPECT_TRUE(std::isnan(s.of(Site::beta, 0, rows[0].values)[2]));
}

TEST(Machine, SaysWhatToExpectOfWeightsThatDoNotFit) {
    const SystemMemory m{.total = int64_t{16} << 30, .available = int64_t{3} << 30};
    EXPECT_EQ(runs_from_disk("a", int64_t{15} << 30, int64_t{1} << 30, m), "");
    EXPECT_EQ(runs_from_disk("kimi", int64_t{64} << 30, int64_t{4} << 30, m),
              "kimi has 64.0 GiB of weights and this machine 16.0 GiB of memory: experts are read from the disk as they are chosen, about 3.0 GiB for each "
              "token, which "
              "takes 1.61 s where a disk reads 2 GB/s; a type that fits (klp quantize) is many times as fast");
}

TEST_F(RunTest, AContextThatRollsSaysWhatItDropped) {
    run_.post(LoadModel{.device = "cpu", .threads = 1, .context = 40});
    ASSERT_EQ(only<Loaded>(until<Loaded>()).size(), 1u);
    MakeAnswer story = ask({{"user", "Tell me a story."}}, 50);
    run_.post(story);
    EXPECT_EQ(only<AnswerDone>(until<AnswerDone>())[0].end, Generation::End::context);
    story.roll = true;
    run_.post(story);
    const auto events = until<AnswerDone>();
    const AnswerDone done = only<AnswerDone>(events)[0];
    EXPECT_NE(done.end, Generation::End::context);
    const auto rolled = only<CacheRolled>(events);
    ASSERT_GE(rolled.size(), 2u);
    int64_t before = 0, position = 0;
    for (const CacheRolled& r : rolled) EXPECT_GT(r.dropped, std::exchange(before, r.dropped));
    for (const TokenMade& t : only<TokenMade>(events)) position = t.position;
    EXPECT_GT(position, 40);
    EXPECT_LE(position + 2 - rolled.back().dropped, 40);

    // A cache head reads what is left, a state all; and the state of then is fed again with the same cache.
    const RunCard card = *open_for_run(LoadModel{.device = "cpu", .threads = 1}, {})->card;
    run_.post(ProbeAttention{card.shape.layers(Site::log_sum_exp)[0], 0, position});
    const AttentionPicture cache = only<AttentionPicture>(until<AttentionPicture>())[0];
    EXPECT_GT(cache.first, 0);
    EXPECT_EQ(cache.first + static_cast<int64_t>(cache.weights.size()), cache.position + 1);
    run_.post(ProbeAttention{0, 0, position});
    EXPECT_EQ(only<AttentionPicture>(until<AttentionPicture>())[0].first, 0);
    run_.post(ProbeState{0, 0, position - 20});
    EXPECT_FALSE(only<StatePicture>(until<StatePicture>())[0].values.empty());

    // Another chat, which does not roll, and back: the line is longer than the context, and stands where it stood.
    run_.post(ask({{"user", "Hello"}}));
    EXPECT_EQ(only<CacheRolled>(until<AnswerDone>()).back().dropped, 0);
    Part answer{.role = "assistant"};
    for (const TokenMade& t : only<TokenMade>(events)) answer.ids.push_back(t.id);
    run_.post(GoTo{{{"user", "Tell me a story."}, answer}});
    const auto back = until<Moved>();
    EXPECT_EQ(only<Moved>(back)[0].move.replayed, 0);
    EXPECT_EQ(only<CacheRolled>(back).back().dropped, rolled.back().dropped);
}

InterventionsPtr hands(Interventions all) { return std::make_shared<const Interventions>(std::move(all)); }

// An answer under hands, with all that was read.
struct Touched {
    std::vector<int32_t> ids;
    std::vector<std::vector<float>> readings;
    AnswerDone done;
    std::vector<Event> events;
    Part part() const { return {.role = "assistant", .ids = ids, .closing = done.closing}; }
};

TEST_F(RunTest, HandsAreHeldFromTheSnapshotThatFitsThem) {
    using What = Intervention::What;
    Interest all;
    for (bool& s : all.sites) s = true;
    run_.watch(all);
    load();
    const auto answer = [&](std::vector<Part> line, InterventionsPtr under, uint64_t seed = 5) {
        MakeAnswer c = ask(std::move(line), 10);
        c.hands = std::move(under), c.sampling = {.temperature = 0.8f, .seed = seed};
        run_.post(c);
        Touched out;
        out.events = until<AnswerDone>();
        for (const TokenMade& t : only<TokenMade>(out.events)) out.ids.push_back(t.id);
        for (const Readings& r : only<Readings>(out.events)) out.readings.push_back(r.values);
        if (const auto done = only<AnswerDone>(out.events); !done.empty()) out.done = done[0];
        return out;
    };
    // As far as both were fed: what a snapshot had was not read again.
    const auto expect_bits = [](const Touched& a, const Touched& b) {
        EXPECT_EQ(a.ids, b.ids);
        const size_t n = std::min(a.readings.size(), b.readings.size());
        ASSERT_GE(n, a.ids.size());
        for (size_t i = 1; i <= n; ++i) {
            const auto &x = a.readings[a.readings.size() - i], &y = b.readings[b.readings.size() - i];
            EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size() * sizeof(float)), 0) << "row " << i << " from the end";
        }
    };
    const Part hello{"user", "My name is Tom."}, next{"user", "What is my name?"};
    const Touched first = answer({hello}, nullptr);
    const Touched plain = answer({hello, first.part(), next}, nullptr);
    const int64_t question = only<PromptFed>(plain.events)[0].first;  // behind what the first answer ended with
    ASSERT_GT(question, 0);

    // From that question on; what is before it is found as it stands.
    const auto slow = hands({{.what = What::beta, .from = question, .amount = 0}});
    const Touched touched = answer({hello, first.part(), next}, slow);
    EXPECT_NE(touched.ids, plain.ids) << "nothing that was asked could be written";
    EXPECT_LE(touched.done.move.replayed, plain.done.move.replayed) << "the first answer's end was kept, and is the same for both";
    EXPECT_EQ(only<AnswerBegun>(touched.events)[0].hands, slow);
    for (const PromptFed& fed : only<PromptFed>(touched.events)) {
        EXPECT_EQ(fed.hands, slow);
        EXPECT_GE(fed.first, question) << "what is under no hands stays as it was told";
    }
    EXPECT_EQ(only<PromptFed>(touched.events)[0].first, question) << "the same tokens are read otherwise from there on";

    // Back and there again, however often: the same list, snapshot and seed are the same answer, and an empty list is none.
    expect_bits(answer({hello, first.part(), next}, slow), touched);
    expect_bits(answer({hello, first.part(), next}, nullptr), plain);
    const Touched empty = answer({hello, first.part(), next}, hands({}));
    EXPECT_EQ(empty.ids, plain.ids);
    expect_bits(answer({hello, first.part(), next}, hands({{.what = What::beta, .from = question, .amount = 0}})), touched);  // another pointer, the same list

    // What is asked about them costs what it costs.
    run_.post(AskCost{1, {hello, first.part(), next, touched.part()}, slow});
    EXPECT_EQ(only<CostKnown>(until<CostKnown>())[0].move.replayed, 0);
    run_.post(AskCost{2, {hello, first.part(), next, touched.part()}, nullptr});
    EXPECT_GT(only<CostKnown>(until<CostKnown>())[0].move.replayed, 0) << "nobody told it so";
    run_.post(GoTo{{hello, first.part(), next, plain.part()}});
    until<Moved>();

    // Looks at the past see what was.
    run_.post(GoTo{{hello, first.part(), next, touched.part()}, slow});
    const int64_t length = only<Moved>(until<Moved>())[0].position;
    run_.post(ProbeState{0, 0, length});
    const auto now = only<StatePicture>(until<StatePicture>()).back();
    run_.post(ProbeState{0, 0, question - 1});
    const auto before = only<StatePicture>(until<StatePicture>()).back();
    run_.post(Retrace{{question, length}, {}, all});
    const auto rows = only<Readings>(until<Retraced>());
    ASSERT_FALSE(rows.empty());
    const TraceShape& shape = loaded_->shape;
    for (const Readings& r : rows)
        for (const float beta : shape.of(Site::beta, 0, r.values)) EXPECT_EQ(beta, 0);
    double was = 0, is = 0;
    for (const float v : before.values) was += double{v} * v;
    for (const float v : now.values) is += double{v} * v;
    EXPECT_GT(was, is) << "without writing it only decays";

    // Another program, from nothing: the same.
    LiveRun fresh(open_for_run);
    fresh.watch(all);
    fresh.post(LoadModel{.device = "cpu", .threads = 1});
    MakeAnswer c = ask({hello, first.part(), next}, 10);
    c.hands = slow, c.sampling = {.temperature = 0.8f, .seed = 5};
    fresh.post(c);
    std::vector<int32_t> ids;
    for (bool done = false; !done; std::this_thread::sleep_for(std::chrono::milliseconds(1)))
        for (const Event& e : fresh.drain()) {
            if (const auto* t = std::get_if<TokenMade>(&e)) ids.push_back(t->id);
            done = done || std::holds_alternative<AnswerDone>(e);
        }
    EXPECT_EQ(ids, touched.ids);
}

TEST(Divergence, IsThatOfTheFormula) {
    const float p[] = {0, std::log(3.f)}, q[] = {5, 5};  // 1/4 and 3/4 against halves
    EXPECT_NEAR(divergence(p, q), 0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-7);
    EXPECT_NEAR(divergence(q, p), 0.5 * std::log(2) + 0.5 * std::log(2. / 3), 1e-7);
    EXPECT_EQ(divergence(p, p), 0);
    const float sure[] = {200, 0}, other[] = {0, 200};
    EXPECT_NEAR(divergence(sure, other), 200, 1e-4) << "no overflow";
}

// The same run beside itself, its twin, and one that ends; each says what it says alone.
TEST_F(RunTest, RunsBesideEachOtherAnswerInStep) {
    load();
    const auto words = [](std::vector<Event> all) {
        std::vector<int32_t> ids;
        for (const TokenMade& token : only<TokenMade>(all)) ids.push_back(token.id);
        return ids;
    };
    const auto hear = [](LiveRun& run, const auto& over) {
        std::vector<Event> all;
        for (const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1); std::chrono::steady_clock::now() < end;) {
            for (Event& e : run.drain()) all.push_back(std::move(e));
            if (over(all)) return all;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ADD_FAILURE() << "it never came";
        return all;
    };
    const auto done = [](const std::vector<Event>& all) { return !only<AnswerDone>(all).empty() || !only<Trouble>(all).empty(); };
    const auto mute = std::make_shared<const Interventions>(Interventions{{.what = Intervention::What::read, .layers = {0}, .amount = 0}});
    for (const bool twin : {false, true}) {
        const auto other = run_.beside(twin);
        other->post(LoadModel{.model = "whatever this says"});
        const auto opened = only<Loaded>(hear(*other, [](const auto& all) { return !only<Loaded>(all).empty() || !only<Trouble>(all).empty(); }));
        ASSERT_EQ(opened.size(), 1u);
        EXPECT_EQ(opened[0].card == loaded_, !twin) << "it is the model that is there";
        EXPECT_EQ(opened[0].card->shape.layers(Site::beta).empty(), twin) << "no layer of the twin has a state";
        if (!twin) {  // what was said there is known here: it costs no reading
            run_.post(ask({{"user", "My name is Tom."}}, 8));
            const auto said = only<TokenMade>(until<AnswerDone>());
            until<SnapshotsKept>();
            Part answer{"assistant", "", {}};
            for (const TokenMade& token : said) answer.text += token.text, answer.ids.push_back(token.id);
            other->post(AskCost{5, {{"user", "My name is Tom."}, answer}});
            const auto cost = only<CostKnown>(hear(*other, [](const auto& all) { return !only<CostKnown>(all).empty(); }));
            EXPECT_EQ(cost.at(0).move.replayed, 0);
            EXPECT_GT(cost.at(0).move.restored_bytes, 0);
        }
        MakeAnswer mine = ask({{"user", "Tell me a story."}}, 30), theirs = mine;
        if (!twin) theirs.hands = mute;
        const auto alone = [&] {
            run_.post(mine);
            other->post(theirs);
            return std::pair(words(until<AnswerDone>()), words(hear(*other, done)));
        }();
        auto seats = run_.in_step(2);
        MakeAnswer a = mine, b = theirs;
        a.stepper = seats[0], b.stepper = seats[1];
        seats.clear();
        run_.post(std::exchange(a, {}));
        other->post(std::exchange(b, {}));
        const auto ours = until<AnswerDone>(), others = hear(*other, done);
        EXPECT_EQ(words(ours), alone.first);
        EXPECT_EQ(words(others), alone.second);
        EXPECT_NE(alone.first, alone.second);
        const auto here = only<TokenMade>(ours), there = only<TokenMade>(others);
        for (size_t t = 1; !twin && t < std::min(here.size(), there.size()); ++t) EXPECT_EQ(here[t].nanoseconds, there[t].nanoseconds) << "one pass for both";
        EXPECT_EQ(there.back().memory.state == 0, twin);
        // One that cannot be answered leaves the other to go on.
        seats = run_.in_step(2);
        a = mine, b = theirs;
        a.stepper = seats[0], b.stepper = seats[1], b.line.clear();
        seats.clear();
        other->post(std::exchange(b, {}));
        run_.post(std::exchange(a, {}));
        EXPECT_EQ(words(until<AnswerDone>()), alone.first);
        EXPECT_FALSE(only<Trouble>(hear(*other, done)).empty());
    }
    const auto late = run_.beside(false);
    run_.post(UnloadModel{});
    until<Unloaded>();
    late->post(LoadModel{});
    const auto none = only<Trouble>(hear(*late, [](const auto& all) { return !only<Trouble>(all).empty(); }));
    EXPECT_NE(none.at(0).error.message.find("no model is loaded"), std::string::npos);
}

TEST_F(RunTest, AnAnswerIsComparedUnderTwoListsOfHands) {
    using What = Intervention::What;
    load();
    const Part hello{"user", "My name is Tom."};
    run_.post(ask({hello}, 12));
    const auto first = until<AnswerDone>();
    const auto made = only<TokenMade>(first);
    Part said{.role = "assistant", .closing = only<AnswerDone>(first)[0].closing};
    for (const TokenMade& t : made) said.ids.push_back(t.id);
    const auto compare = [&](InterventionsPtr before, InterventionsPtr now) {
        run_.post(Compare{4, {hello, said}, std::move(before), std::move(now)});
        return only<Compared>(until<Compared>())[0];
    };
    const auto mute = hands({{.what = What::beta, .from = 3, .amount = 0}});
    const Compared same = compare(nullptr, nullptr);
    EXPECT_EQ(same.request, 4);
    ASSERT_EQ(same.end, Retraced::End::whole);
    ASSERT_EQ(same.tokens.size(), made.size() + 1) << "and what closed the turn";
    // Both are rows of one pass, so nothing but the order of sums could be another, of which 1e-6 nats is more than there are.
    for (const TokenApart& t : same.tokens) EXPECT_NEAR(t.divergence, 0, 1e-6);
    EXPECT_EQ(same.states.difference, 0);
    EXPECT_GT(same.states.norm[0], 0);
    // What it says of the answer that stood is what was said when it was made; passes of other lengths round otherwise, to bf16's 2^-8 of a logit.
    for (size_t i = 0; i < made.size(); ++i) EXPECT_NEAR(same.tokens[i].probability[0], made[i].probability, 0.02);

    const Compared apart = compare(nullptr, mute), back = compare(mute, nullptr);
    double sum = 0;
    for (const TokenApart& t : apart.tokens) {
        sum += double{t.divergence};
        EXPECT_GE(t.divergence, 0);
    }
    EXPECT_GT(sum, 0.1);
    EXPECT_LT(apart.states.norm[1], apart.states.norm[0]) << "nothing was written";
    EXPECT_FLOAT_EQ(apart.states.difference, back.states.difference);
    for (size_t i = 0; i < apart.tokens.size(); ++i) EXPECT_NEAR(apart.tokens[i].probability[0], back.tokens[i].probability[1], 1e-5);

    // It leaves where the engine stands, and says what it could not do.
    run_.post(AskCost{1, {hello, said}});
    const auto cost = only<CostKnown>(until<CostKnown>())[0].move;
    EXPECT_EQ(cost.replayed + cost.restored_bytes, 0);
    EXPECT_EQ(compare(nullptr, hands({{.what = What::gates, .layers = {99}}})).end, Retraced::End::failed);
    run_.post(Compare{5, {hello}, nullptr, mute});
    EXPECT_EQ(only<Compared>(until<Compared>())[0].end, Retraced::End::failed) << "there is no answer";
}

TEST_F(RunTest, HandsThatTheModelHasNoneOfLeaveEverythingAsItWas) {
    using What = Intervention::What;
    load();
    const Part hello{"user", "Hello"};
    run_.post(ask({hello}));
    const auto first = until<AnswerDone>();
    Part said{.role = "assistant"};
    for (const TokenMade& t : only<TokenMade>(first)) said.ids.push_back(t.id);
    said.closing = only<AnswerDone>(first)[0].closing;
    const auto expect_as_it_was = [&] {
        run_.post(AskCost{1, {hello, said}});
        const auto cost = only<CostKnown>(until<CostKnown>())[0].move;
        EXPECT_EQ(cost.replayed + cost.restored_bytes, 0) << "it stands there";
    };
    const auto refused = [&](MakeAnswer c, const char* why) {
        run_.post(c);
        const Trouble trouble = only<Trouble>(until<Trouble>())[0];
        EXPECT_NE(trouble.error.message.find(why), std::string::npos) << trouble.error.message;
        EXPECT_EQ(trouble.answer, 7);
        until<PhaseChanged>();
        expect_as_it_was();
    };
    MakeAnswer c = ask({hello});
    c.hands = hands({{.what = What::gates, .layers = {99}}});
    refused(c, "no layer 99");
    c.hands = hands({{.what = What::hide, .from = 4, .tokens = {0, 2}}});
    c.roll = true;
    refused(c, "tokens are hidden cannot roll on");

    // And one that is broken off on its way to another answer.
    std::string all;
    for (int i = 0; i < 2000; ++i) all += " long";
    c = ask({{"user", all}});
    c.hands = hands({{.what = What::gates, .amount = 0.5f}});
    run_.post(c);
    run_.cancel();
    until<Trouble>();
    until<PhaseChanged>();
    expect_as_it_was();
}

TEST_F(RunTest, WhatIsHiddenIsNotReadAndAStateThatWasEmptiedHoldsNothingOfBefore) {
    using What = Intervention::What;
    load();
    const auto& latent = loaded_->shape.layers(Site::log_sum_exp);
    ASSERT_FALSE(latent.empty());
    MakeAnswer c = ask({{"user", "My name is Tom. What is my name?"}}, 6);
    c.hands = hands({{.what = What::hide, .from = 8, .tokens = {3, 6}}, {.what = What::empty, .layers = {0}, .from = 9}});
    run_.post(c);
    until<AnswerDone>();
    run_.post(ProbeAttention{latent[0], 0, 12});
    const AttentionPicture read = only<AttentionPicture>(until<AttentionPicture>()).back();
    ASSERT_EQ(read.weights.size(), 13u);
    double sum = 0;
    for (size_t i = 0; i < read.weights.size(); ++i) {
        EXPECT_EQ(read.weights[i] == 0, i >= 3 && i < 6) << i;
        sum += double{read.weights[i]};
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    run_.post(ProbeAttention{latent[0], 0, 7});
    const AttentionPicture before = only<AttentionPicture>(until<AttentionPicture>()).back();
    for (const float w : before.weights) EXPECT_GT(w, 0) << "until then it was there";
    run_.post(ProbeAttention{0, 0, 12});
    const AttentionPicture unrolled = only<AttentionPicture>(until<AttentionPicture>()).back();
    EXPECT_EQ(unrolled.first, 9);
    EXPECT_EQ(unrolled.before, 0) << "it was empty";
}

TEST_F(RunTest, AChatOpensWhereItStood) {
    TempFolder folder;
    const LoadModel with_states{.device = "cpu", .threads = 1, .states = (folder / "states").string()};
    std::vector<Part> line{{"user", "My name is Tom."}};
    std::vector<TokenMade> first;
    {
        LiveRun run(open_for_run);
        run.post(with_states);
        MakeAnswer answer = ask(line);
        answer.keep_as = "a chat";
        run.post(answer);
        for (bool done = false; !done; std::this_thread::sleep_for(std::chrono::milliseconds(1)))
            for (const Event& e : run.drain()) {
                if (const auto* t = std::get_if<TokenMade>(&e)) first.push_back(*t);
                done = done || std::holds_alternative<AnswerDone>(e);
            }
    }  // closed at once: what was answered is kept all the same
    Part said{.role = "assistant"};
    for (const TokenMade& t : first) said.ids.push_back(t.id);
    line.push_back(said);
    run_.post(with_states);
    const auto loaded = until<StatesKept>();
    EXPECT_EQ(only<StatesKept>(loaded)[0].count, 1);
    EXPECT_EQ(only<StatesKept>(loaded)[0].budget, kStateBudget);
    run_.post(AskCost{1, line});
    const SnapshotPool::Move cost = only<CostKnown>(until<CostKnown>())[0].move;
    EXPECT_TRUE(cost.from_file);
    EXPECT_EQ(cost.replayed, 0);
    run_.post(GoTo{line});
    const Moved moved = only<Moved>(until<Moved>())[0];
    EXPECT_TRUE(moved.move.from_file);
    EXPECT_EQ(moved.move.replayed, 0);
    EXPECT_EQ(moved.move.restored_bytes, cost.restored_bytes);
    EXPECT_GT(moved.memory.total(), 0);

    // The budget is everybody's; 0 keeps none.
    run_.post(SetStateBudget{0});
    EXPECT_EQ(only<StatesKept>(until<StatesKept>())[0].count, 0);
    run_.post(UnloadModel{});
    until<Unloaded>();
}

TEST_F(RunTest, ATornStateIsSaidAndReplayed) {
    TempFolder folder;
    const LoadModel with_states{.device = "cpu", .threads = 1, .states = (folder / "states").string()};
    run_.post(with_states);
    MakeAnswer answer = ask({{"user", "My name is Tom."}});
    answer.keep_as = "a chat";
    run_.post(answer);
    Part said{.role = "assistant"};
    for (const TokenMade& t : only<TokenMade>(until<AnswerDone>())) said.ids.push_back(t.id);
    run_.post(UnloadModel{});  // waits for the file
    until<Unloaded>();
    for (const auto& entry : std::filesystem::directory_iterator(folder / "states"))
        if (entry.path().extension() == ".klpstate") std::filesystem::resize_file(entry.path(), 1000);
    run_.post(with_states);
    run_.post(GoTo{{{"user", "My name is Tom."}, said}});
    const auto events = until<Moved>();
    const auto troubles = only<Trouble>(events);
    ASSERT_EQ(troubles.size(), 1u);
    EXPECT_NE(troubles[0].error.message.find("is torn"), std::string::npos);
    EXPECT_NE(troubles[0].error.message.find("replayed"), std::string::npos);
    EXPECT_GT(only<Moved>(events)[0].move.replayed, 0);
}

}  // namespace
}  // namespace klp
