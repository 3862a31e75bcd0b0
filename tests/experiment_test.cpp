// Experiments on many chats: the sequences of a crowd say what each one says alone, figures from observations, specs, and what the embedded model does.
#include "core/studies/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/model/checkpoint.h"
#include "core/model/generate.h"
#include "core/studies/crowd.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using testing::HasSubstr;

class Experiments : public testing::Test {
protected:
    static void SetUpTestSuite() {
        const auto demo = source_dir() / "resources/models/demo";
        auto checkpoint = open_checkpoint(demo);
        ASSERT_TRUE(checkpoint) << checkpoint.error().message;
        tokenizer = checkpoint->tokenizer;
        auto on = make_backend("cpu", 2);
        auto loaded = Model::load(*on, checkpoint->config, checkpoint->source);
        ASSERT_TRUE(loaded) << loaded.error().message;
        model = *loaded;
        auto read = read_recall(demo / "eval");
        ASSERT_TRUE(read) << read.error().message;
        data = *read;
    }
    static void TearDownTestSuite() { model.reset(), tokenizer.reset(), data = {}; }

    static Result<Experiment> spec(const std::string& text) { return read_experiment(text, "spec.json", data, model->config()); }
    static std::vector<ChatSeen> run(const Experiment& experiment, std::function<bool(int, int64_t)> known = {}) {
        std::vector<ChatSeen> out;
        ExperimentOptions how{.known = std::move(known), .on_chat = [&](const ChatSeen& seen) -> Result<void> { return out.push_back(seen), Result<void>{}; }};
        auto done = run_experiment(model, *tokenizer, data, experiment, how);
        EXPECT_TRUE(done) << done.error().message;
        return out;
    }

    inline static std::shared_ptr<const Model> model;
    inline static std::shared_ptr<const Tokenizer> tokenizer;
    inline static RecallData data;
};

TEST_F(Experiments, ACrowdSaysWhatEachOneSaysAlone) {
    Workspace ws(model->backend());
    const auto turn = turn_tokens(*tokenizer, model->config());
    ASSERT_TRUE(turn);
    std::vector<std::vector<int32_t>> prompts;
    std::vector<InterventionsPtr> hands;
    for (int i = 0; i < 7; ++i) {  // ragged, some under hands that begin in the middle of a prompt
        auto ids = told(*tokenizer, data, data.tasks[static_cast<size_t>(i)], static_cast<size_t>(i), i * 40);
        ASSERT_TRUE(ids);
        auto asked = encode_message(*tokenizer, {.role = "user", .content = data.tasks[static_cast<size_t>(i)].ask[0].first});
        ids->insert(ids->end(), asked->begin(), asked->end());
        ids->insert(ids->end(), turn->opening.begin(), turn->opening.end());
        hands.push_back(i % 3 ? nullptr
                              : std::make_shared<const Interventions>(Interventions{{.what = Intervention::What::gates, .from = 5, .amount = 3},
                                                                                    {.what = Intervention::What::empty, .layers = {0}, .from = 9}}));
        prompts.push_back(std::move(*ids));
    }
    std::vector<Sequence> all;
    std::vector<Telling> tellings;
    all.reserve(prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
        all.emplace_back(model);
        ASSERT_TRUE(all.back().touch(hands[i]));
        tellings.push_back({&all.back(), prompts[i]});
    }
    const std::vector<int64_t> budgets{4, 12, 12, 1, 12, 12, 12};
    const auto got = answers(tellings, turn->stop, budgets, ws, nullptr);
    ASSERT_TRUE(got) << got.error().message;
    int words = 0;
    for (size_t i = 0; i < prompts.size(); ++i) {
        Sequence alone(model);
        ASSERT_TRUE(alone.touch(hands[i]));
        GenerateOptions how;
        how.sampling.temperature = 0;
        how.stop = turn->stop;
        how.budget = budgets[i];
        const auto one = generate(alone, prompts[i], ws, how);
        ASSERT_TRUE(one);
        EXPECT_EQ((*got)[i], one->tokens) << i;
        words += static_cast<int>(one->tokens.size());
    }
    EXPECT_GT(words, 20);

    // And every row of what is listened to is the row that feeding it alone gives.
    std::vector<Sequence> listening;
    std::vector<Telling> listeners;
    listening.reserve(prompts.size());
    for (size_t i = 0; i < prompts.size(); i += 2) {
        listening.emplace_back(model);
        listeners.push_back({&listening.back(), prompts[i]});
    }
    int heard = 0;
    const auto done = listen(listeners, ws, nullptr, [&](size_t which, std::span<const float> logits) {
        Workspace own(model->backend());
        Sequence alone(model);
        ASSERT_TRUE(alone.feed(listeners[which].ids, own));
        const auto vocabulary = static_cast<size_t>(model->config().vocab_size);
        ASSERT_EQ(logits.size(), listeners[which].ids.size() * vocabulary);
        const auto last = logits.last(vocabulary);
        for (size_t i = 0; i < vocabulary; ++i) ASSERT_NEAR(last[i], own.logits[i], 0.05) << which;  // bf16 rounds in other places: model_test's bound
        ++heard;
    });
    ASSERT_TRUE(done);
    EXPECT_EQ(heard, 4);

    Sequence small(model, 64);
    const Telling too_much{&small, std::vector<int32_t>(65, 300)};
    const auto refused = tell({&too_much, 1}, ws, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("65 tokens does not fit in the context of 64"));
}

TEST_F(Experiments, WhatChangesNothingChangesNothing) {
    const auto one = spec(R"({"task": "recall", "items": 6, "unrelated": 1, "arms": [
        {"name": "as it was", "hands": [{"what": "gates", "amount": 1}, {"what": "read", "amount": 1, "from": "question"}]},
        {"name": "twice", "hands": [{"what": "gates", "amount": 2}]}]})");
    ASSERT_TRUE(one) << one.error().message;
    double twice = 0;
    for (const ChatSeen& chat : run(*one)) {
        ASSERT_EQ(chat.seen.size(), 6u);  // two questions, three arms
        for (const Observation& o : chat.seen) {
            if (o.arm < 2) EXPECT_LT(o.change, 1e-5f) << chat.chat;  // where a row lies in a pass moves its last bits
            if (o.arm == 2) twice += o.change;
            if (o.arm == 1 && o.of == Observation::Of::target)
                EXPECT_EQ(o.recalled, chat.seen[static_cast<size_t>(&o - chat.seen.data() - 1)].recalled) << chat.chat;
        }
    }
    EXPECT_GT(twice, 1e-3);
}

TEST_F(Experiments, AFactIsInStatesAndCacheAndNowhereElse) {
    const auto one = spec(R"({"task": "recall", "items": 16, "unrelated": 0, "arms": [
        {"name": "states", "hands": [{"what": "empty"}]}, {"name": "cache", "hands": [{"what": "hide", "tokens": "all"}]},
        {"name": "both", "hands": [{"what": "empty"}, {"what": "hide", "tokens": "all"}]}]})");
    ASSERT_TRUE(one) << one.error().message;
    const Findings found = findings(*one, run(*one));
    ASSERT_EQ(found.arms, (std::vector<std::string>{"untouched", "states", "cache", "both"}));
    const auto share = [&](size_t arm) { return found.at(0, arm, Measure::recalled).mean; };
    EXPECT_GT(share(0), 0.7);
    EXPECT_LT(share(1), share(0));
    EXPECT_LT(share(2), share(0));
    EXPECT_GT(share(1) + share(2), 0.2);  // each alone still knows some
    EXPECT_EQ(share(3), 0);
    EXPECT_GT(found.at(0, 3, Measure::change).low, found.at(0, 1, Measure::change).high);
}

TEST_F(Experiments, AimedArmsMissWhatTheyAreNotAimedAt) {
    const auto one = spec(R"({"task": "pairs", "sizes": [4], "items": 8, "unrelated": 0, "seed": 3, "fidelity": true, "arms": [
        {"name": "erased", "hands": [{"what": "erase", "layers": [0]}]}, {"name": "overwritten", "hands": [{"what": "overwrite", "behind": 3}]},
        {"name": "best", "hands": [{"what": "cut", "count": 8}]}, {"name": "any", "hands": [{"what": "cut", "count": 8, "which": "random"}]},
        {"name": "every channel", "hands": [{"what": "cut", "count": 64}]}, {"name": "emptied", "hands": [{"what": "empty"}]}]})");
    ASSERT_TRUE(one) << one.error().message;
    const auto all = run(*one);
    std::map<int, double> target, other;  // by arm
    int seen = 0;
    for (const ChatSeen& chat : all) {
        if (!chat.skipped.empty()) continue;
        ++seen;
        EXPECT_EQ(chat.fidelity.size(), 12u);  // three layers of four heads
        for (size_t i = 0; i < 12; ++i) EXPECT_TRUE(chat.kept[i] >= 0 && chat.kept[i] <= 1 && std::abs(chat.fidelity[i]) <= 1.0001f);
        for (const Observation& o : chat.seen) {
            (o.of == Observation::Of::target ? target : other)[o.arm] += o.change;
            EXPECT_EQ(std::isnan(o.cosine), o.of == Observation::Of::target || std::isnan(o.cosine));
            if (!std::isnan(o.cosine)) EXPECT_TRUE(o.cosine > 0 && o.cosine <= 1.0001f) << o.cosine;
        }
        // A cut of all channels is an emptied state, to the bit.
        std::map<std::pair<int, int>, float> changes;
        for (const Observation& o : chat.seen) changes[{o.arm, o.ask}] = o.change;
        for (const Observation& o : chat.seen)
            if (o.arm == 5) EXPECT_EQ(o.change, (changes[{6, o.ask}]));
    }
    ASSERT_GT(seen, 4);
    EXPECT_GT(target[3], target[4]);  // the channels that hold it, rather than any
    EXPECT_GT(target[2], target[1]);

    // What is read back is the words', whatever arms reach behind them.
    const auto bare = spec(R"({"task": "pairs", "sizes": [4], "items": 8, "unrelated": 0, "seed": 3, "fidelity": true, "arms": []})");
    ASSERT_TRUE(bare);
    const auto untouched = run(*bare);
    for (size_t i = 0; i < all.size(); ++i)
        for (size_t h = 0; h < all[i].fidelity.size(); ++h) {
            EXPECT_NEAR(all[i].fidelity[h], untouched[i].fidelity[h], 1e-3);  // fed in other company
            EXPECT_NEAR(all[i].kept[h], untouched[i].kept[h], 1e-5);
        }

    // What was known is not said again, and the rest is the same to the bit.
    const auto later = run(*one, [](int chat, int64_t) { return chat % 2 == 0; });
    ASSERT_EQ(later.size(), all.size() / 2);
    for (size_t i = 0; i < later.size(); ++i) EXPECT_EQ(to_line(later[i]), to_line(all[2 * i + 1]));
}

TEST_F(Experiments, FiguresAreMeansOfQuestionsAndIntervalsOfChats) {
    Experiment e;
    e.arms = {{"untouched", {}}, {"other", {}}};
    std::vector<ChatSeen> all;
    for (int chat = 0; chat < 40; ++chat) {
        ChatSeen seen{.task = "t", .size = 8, .distance = chat % 2 ? 64 : 0, .chat = chat};
        for (int arm = 0; arm < 2; ++arm) {
            seen.seen.push_back({Observation::Of::target, arm, 0, chat % 4 < 2 ? 1.f : 0.f, NAN, arm * 0.5f, NAN});
            seen.seen.push_back({Observation::Of::other, arm, 1, 1, NAN, arm * float(chat) / 40, float(chat) / 40});
        }
        all.push_back(seen);
    }
    all.push_back({.task = "t", .size = 8, .chat = 40, .skipped = "why not"});
    const Findings f = findings(e, all);
    ASSERT_EQ(f.conditions.size(), 2u);
    EXPECT_EQ(f.conditions[1].distance, 64);
    EXPECT_EQ(f.skipped, 1);
    EXPECT_EQ(f.why_skipped, "why not");
    const Estimate& recalled = f.at(0, 0, Measure::recalled);
    EXPECT_EQ(recalled.mean, 0.5);
    EXPECT_EQ(recalled.chats, 20);
    EXPECT_EQ(recalled.questions, 20);
    // A mean of 20 fair coins: 0.5 +- 1.96 sqrt(0.25 / 20) = 0.28 to 0.72, in steps of a chat.
    EXPECT_NEAR(recalled.low, 0.28, 0.051);
    EXPECT_NEAR(recalled.high, 0.72, 0.051);
    const Estimate& change = f.at(1, 1, Measure::change);
    EXPECT_EQ(change.mean, 0.5);
    EXPECT_EQ(change.low, 0.5);
    EXPECT_EQ(change.high, 0.5);
    EXPECT_FALSE(f.any(Measure::replaced));
    EXPECT_TRUE(std::isnan(f.at(0, 0, Measure::unrelated).mean));
    EXPECT_FLOAT_EQ(static_cast<float>(f.bounds[0]), 13 / 40.f);
    EXPECT_LT(f.near_change[1][0].mean, f.near_change[1][1].mean);
    EXPECT_LT(f.near_change[1][1].mean, f.near_change[1][2].mean);

    for (const ChatSeen& chat : all) {  // and each survives its line
        const auto back = from_line(to_line(chat), "line");
        ASSERT_TRUE(back) << back.error().message;
        EXPECT_EQ(to_line(*back), to_line(chat));
    }
    for (const char* torn : {"", "{", "[]", "{\"task\": 1}", R"({"task": "t", "size": 0, "distance": 0, "chat": 0, "seen": [[9, 0, 0, 1, 1, 1, 1]]})"})
        EXPECT_FALSE(from_line(torn, "line")) << torn;
}

TEST_F(Experiments, ASpecIsReadOrRefusedByField) {
    const auto layers = spec(R"({"task": "recall", "items": 1, "arms": [{"name": "a", "each": "layer", "hands": [{"what": "empty"}]},
        {"name": "b", "each": "head", "hands": [{"what": "read", "amount": 0}]}]})");
    ASSERT_TRUE(layers) << layers.error().message;
    EXPECT_EQ(layers->arms.size(), 1u + 3 + 16);  // a latent cache is not emptied
    EXPECT_EQ(layers->arms.back().name, "b, layer 3, head 3");
    EXPECT_TRUE(layers->arms.back().hands[0].from_the_start);
    EXPECT_FALSE(layers->arms[1].hands[0].from_the_start);
    const auto own = spec(R"({"chats": [{"before": ["one", "two", "three"], "ask": [["q", "a"]], "size": 3}], "distances": [64, 0, 64]})");
    ASSERT_TRUE(own) << own.error().message;
    EXPECT_EQ(own->distances, (std::vector<int64_t>{0, 64}));
    EXPECT_EQ(own->chats[0].before[1].role, "assistant");

    const std::vector<std::pair<const char*, const char*>> bad = {
        {"[]", "spec.json: it is not an object"},
        {R"({"task": "recal"})", "'task' 'recal' is none of copy, needle, pairs, recall, reverse, stack, update"},
        {R"({"task": "pairs", "sizes": [5]})", "5 is none of task pairs's: 4, 8, 16, 32"},
        {R"({"tusk": "pairs"})", "'tusk' is no field"},
        {R"({})", "'task' or 'chats' must say whom to ask"},
        {R"({"task": "recall", "distances": [-1]})", "'distances' must be a list of whole numbers from 0"},
        {R"({"task": "recall", "items": 0})", "'items' must be a whole number from 1"},
        {R"({"task": "recall", "fidelity": 1})", "'fidelity' must be true or false"},
        {R"({"task": "recall", "arms": [{"name": "a", "hands": []}]})", "'arms[0]' must have a 'name' and 'hands'"},
        {R"({"task": "recall", "arms": [{"name": "a", "hands": [{"what": "burn"}]}]})", "must be one of gates, beta, read, silence, empty, put, edit, hide"},
        {R"({"task": "recall", "arms": [{"name": "a", "hands": [{"what": "gates", "amount": 2, "to": 5}]}]})",
         "'arms[0].hands[0].to' is nothing that an arm has"},
        {R"({"task": "recall", "arms": [{"name": "a", "hands": [{"what": "erase", "amount": 2}]}]})", "'arms[0].hands[0].amount' is nothing that 'erase' has"},
        {R"({"task": "recall", "arms": [{"name": "a", "hands": [{"what": "cut"}]}]})", "'arms[0].hands[0].count' must say how many channels"},
        {R"({"task": "recall", "arms": [{"name": "a", "hands": [{"what": "empty", "layers": [3]}]}]})", "layer 3 is an MLA layer"},
        {R"({"task": "recall", "arms": [{"name": "a", "each": "line", "hands": [{"what": "empty"}]}]})", "'arms[0].each' must be layer or head"},
        {R"({"task": "reverse", "sizes": [4], "arms": [{"name": "a", "hands": [{"what": "erase"}]}]})", "tells nothing in front of its question"},
        {R"({"chats": [{"before": ["x"], "ask": [["q", ""]]}]})", "'chats[0]' must have 'before'"},
        {R"({"chats": [{"before": "x", "ask": []}]})", "'chats[0]' must have 'before'"},
    };
    for (const auto& [text, why] : bad) {
        const auto read = spec(text);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().kind, Error::usage) << text;
        EXPECT_THAT(read.error().message, HasSubstr(why)) << text;
    }
}

}  // namespace
}  // namespace klp
