// The lab: every rule as a learner, from the config to its folder, and the experiment's own laws.
#include "core/learn/lab.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "app/lab_text.h"
#include "app/ladder_text.h"
#include "app/terminal.h"
#include "core/learn/task_words.h"
#include "core/model/checkpoint.h"
#include "core/model/life.h"
#include "core/model/probe.h"
#include "core/model/sequence.h"
#include "core/model/state_store.h"
#include "core/runs/conversation.h"
#include "core/text/chat_form.h"
#include "kernels/naive.h"
#include "tests/program.h"
#include "tests/source_dir.h"
#include "tests/support.h"

namespace klp {
namespace {

using namespace test;
using testing::HasSubstr;

LabSpec small(std::vector<std::string> mixers = {"kda", "mamba2"}) {
    LabSpec s;
    s.task = {.kind = TaskKind::mqar, .length = 24, .vocabulary = 16, .items = 3};
    s.mixers = std::move(mixers);
    s.layers = 2, s.heads = 2, s.width = 16, s.steps = 12, s.tokens = 96, s.search_steps = 4, s.every = 4, s.held_out = 4;
    s.rates = {0.01, 0.03};
    return s;
}
const std::vector<std::string> kAllMixers = {"linear_attention", "deltanet", "mamba2", "gdn", "gla", "kda", "mla"};
const std::vector<std::string> kSwitched = {"kda+swish", "kda+no-gate", "kda+no-conv", "kda+1:1", "kda+1:1+rope", "mla+nope", "mamba2+no-gate+no-conv"};
std::vector<std::string> all_learners() {
    std::vector<std::string> all = kAllMixers;
    all.insert(all.end(), kSwitched.begin(), kSwitched.end());
    return all;
}

std::shared_ptr<Learner> learner_of(const std::string& mixer) {
    const auto made = make_learner(lab_config(small(), mixer), nullptr, {.threads = 1, .seed = 3, .type = DType::f32, .excess = 0});
    EXPECT_TRUE(made.has_value()) << mixer << (made ? "" : made.error().message);
    return *made;
}

TEST(Rules, AreWhatTheirConfigsSayAndSurviveARoundTrip) {
    for (const std::string& mixer : kAllMixers) {
        const ModelConfig c = lab_config(small(), mixer);
        const auto again = parse_config(to_json(c), "config.json");
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(to_json(*again), to_json(c)) << mixer;
        EXPECT_EQ(again->update_rule, mixer == "mla" ? "kda" : mixer);
        const std::string text = to_json(c);
        EXPECT_EQ(text.find("update_rule") != std::string::npos, mixer != "kda" && mixer != "mla") << "a model of KDA says nothing new";
        bool gate = false, one = false, low = false;
        for (const TensorSpec& t : tensor_specs(c)) {
            gate |= t.name.ends_with("A_log"), one |= t.name.ends_with("a_proj.weight") && !t.name.ends_with("_a_proj.weight");
            low |= t.name.ends_with("f_b_proj.weight");
        }
        EXPECT_EQ(gate, mixer == "mamba2" || mixer == "gdn" || mixer == "gla" || mixer == "kda") << mixer;
        EXPECT_EQ(one, mixer == "mamba2" || mixer == "gdn") << mixer;
        EXPECT_EQ(low, mixer == "gla" || mixer == "kda") << mixer;
    }
    auto j = nlohmann::json::parse(to_json(lab_config(small(), "gla")));
    j["linear_attn_config"]["update_rule"] = "rwkv7";
    const auto wrong = parse_config(j.dump(), "config.json");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("linear_attn_config.update_rule is 'rwkv7', which is none of linear_attention, deltanet"));
}

// Each switch changes what it says, nothing else, and survives config.json.
TEST(Rules, SwitchesChangeWhatTheySay) {
    for (const std::string& name : kSwitched) {
        const ModelConfig c = lab_config(small(), name);
        const auto again = parse_config(to_json(c), "config.json");
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(to_json(*again), to_json(c)) << name;
    }
    const auto has = [](const std::string& name, const std::string& tensor) {
        int64_t n = 0;
        for (const TensorSpec& t : tensor_specs(lab_config(small(), name))) n += t.name.ends_with(tensor);
        return n;
    };
    EXPECT_EQ(has("kda", "g_b_proj.weight"), 2);
    EXPECT_EQ(has("kda+no-gate", "g_b_proj.weight") + has("kda+no-gate", "g_a_proj.weight"), 0);
    EXPECT_EQ(lab_config(small(), "kda+swish").output_gate, "swish");
    EXPECT_EQ(lab_config(small(), "kda+no-conv").short_conv_kernel_size, 1);
    LabSpec deep = small();
    deep.layers = 8;
    EXPECT_EQ(lab_config(deep, "kda+3:1").layer_kinds, (std::vector<std::string>{"kda", "kda", "kda", "mla", "kda", "kda", "kda", "mla"}));
    EXPECT_TRUE(lab_config(deep, "kda+3:1").mla_use_nope);
    EXPECT_FALSE(lab_config(deep, "kda+3:1+rope").mla_use_nope);
    EXPECT_FALSE(lab_config(deep, "mla").mla_use_nope);
    EXPECT_TRUE(lab_config(deep, "mla+nope").mla_use_nope);
    EXPECT_EQ(lab_name("gdn+no-conv+swish"), "Gated DeltaNet, swish gate, no short convolution");
    EXPECT_EQ(lab_name("kda+3:1"), "KDA and attention 3:1");
    EXPECT_EQ(lab_name("mla+nope"), "softmax attention, without positions");
    auto j = nlohmann::json::parse(to_json(lab_config(small(), "kda+swish")));
    j["linear_attn_config"]["output_gate"] = "tanh";
    const auto wrong = parse_config(j.dump(), "config.json");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("linear_attn_config.output_gate is 'tanh', which is none of sigmoid, swish, none"));
}

// As learner_test has it for KDA: a step's first moments are the gradient, and the whole model's loss moves by it.
TEST(Rules, GradientsOfEveryRuleAreFiniteDifferencesOfTheLoss) {
    for (const std::string& mixer : all_learners()) {
        const auto one = learner_of(mixer);
        const Batch b = make_batch(small().task, 3, 5, 0);
        std::vector<Floats> before;
        for (const Learner::Tensor& t : one->tensors()) before.emplace_back(t.master, t.master + t.values());
        ASSERT_TRUE(one->step(b, {.clip = 0}).has_value());
        size_t i = 0;
        for (const Learner::Tensor& t : one->tensors()) {
            const Floats& start = before[i++];
            const float share = t.second ? 0.1f : 0.05f;
            const Floats along = normal(start.size(), 77 + i);
            double said = 0, size = 0;
            for (size_t j = 0; j < start.size(); ++j) said += double{t.first[j]} / share * along[j], size += std::pow(t.first[j] / share, 2);
            const float h = 2e-4f;  // of first embeddings of 0.1, which a norm stretches: the third derivative is large
            double moved[2];
            for (int side : {0, 1}) {
                for (size_t j = 0; j < start.size(); ++j) t.master[j] = start[j] + (side ? h : -h) * along[j];
                one->resume(0);
                moved[side] = one->measure(b)->loss;
            }
            std::copy(start.begin(), start.end(), t.master);
            EXPECT_NEAR((moved[1] - moved[0]) / (2 * h), said, 5e-3 + 0.01 * std::sqrt(size)) << mixer << " " << t.name;
        }
    }
}

// Prefill, token by token, and what the lenses carry backwards and forwards: all of them know the rule.
TEST(Rules, LensesPutTogetherWhatTheStateSays) {
    const Batch b = make_batch(small().task, 1, 5, 0);
    for (const std::string& mixer : all_learners()) {
        if (mixer.find("mla") != mixer.npos || mixer.find(":1") != mixer.npos) continue;
        const auto one = learner_of(mixer);
        Sequence whole(one->model()), steps(one->model()), rows(one->model());
        Workspace ws(one->model()->backend());
        ASSERT_TRUE(whole.feed(b.ids, ws, nullptr, &kGreedy).has_value());
        for (const int32_t id : b.ids) ASSERT_TRUE(steps.feed({&id, 1}, ws, nullptr, &kGreedy).has_value());
        EXPECT_LE(error(whole.state(1, "S"), steps.state(1, "S")), 1e-4) << mixer;
        const auto fed = delta_rows(rows, b.ids, 1, 0, 2, ws, [&](int head, const DeltaRows& r) {
            EXPECT_EQ(r.plain, rule_named(mixer.substr(0, mixer.find('+')))->plain);
            const Unrolled unrolled = unroll(r);
            const Floats S = rows.state(1, "S", head);
            const auto K = static_cast<size_t>(r.K), T = static_cast<size_t>(r.tokens());
            for (size_t j = 0; j < static_cast<size_t>(r.V); ++j) {
                double said = 0, sum = 0;
                for (size_t i = 0; i < K; ++i) said += double{S[j * K + i]} * r.q[(T - 1) * K + i];
                for (size_t t = 0; t < T; ++t) sum += unrolled.weights[t] * r.v[t * static_cast<size_t>(r.V) + j];
                EXPECT_NEAR(sum, said, 1e-5) << mixer;
            }
            const Life forward = life(r, 2);  // the same weight, carried the other way
            EXPECT_NEAR(forward.read.back(), unrolled.weights[2], 1e-6) << mixer;
        });
        ASSERT_TRUE(fed.has_value());
    }
}

// A tail of no rows is nothing to keep, and that is kept, too: in memory and on the disk.
TEST(Rules, ASequenceWithoutAConvolutionIsKept) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("klp-lab-states-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(save_learner(*learner_of("kda+no-conv"), small().task, (folder / "model").string()));
    const auto checkpoint = open_checkpoint(folder / "model");
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    const auto model = *Model::load(*make_backend("cpu", 1), checkpoint->config, checkpoint->source, {});
    const Batch b = make_batch(small().task, 1, 5, 0);
    const auto ids = std::span<const int32_t>(b.ids);
    Workspace ws(model->backend());
    Sequence whole(model), half(model), again(model);
    ASSERT_TRUE(whole.feed(ids, ws).has_value());
    const Floats expected = ws.logits;
    ASSERT_TRUE(half.feed(ids.first(10), ws).has_value());
    EXPECT_EQ(half.state(1, "conv").size(), 0U);
    again.restore(*half.snapshot());
    ASSERT_TRUE(again.feed(ids.subspan(10), ws).has_value());
    EXPECT_LE(error(ws.logits, expected), 1e-5);
    auto store = StateStore::open(folder / "states");
    ASSERT_TRUE(store) << store.error().message;
    (*store)->keep(half.snapshot(), *model, "end");
    (*store)->wait();
    const auto found = (*store)->nearest(half, ids);
    ASSERT_TRUE(found);
    const auto read = (*store)->read(*found, half, ids);
    ASSERT_TRUE(read) << read.error().message;
    again.restore(**read);
    EXPECT_EQ(again.state(1, "S"), half.state(1, "S"));
    std::filesystem::remove_all(folder);
}

TEST(Lab, TheSameSeedSeesTheSameAndLearnersHaveTheSameBatches) {
    LabSpec spec = small({"kda", "mla", "linear_attention"});
    spec.threads = 1;
    std::vector<std::string> heard;
    const auto a = run_lab(spec, {.on_look = [&](const LabLearner& one, const LabLook&) { heard.push_back(one.mixer); }});
    spec.threads = 2;
    const auto b = run_lab(spec);
    ASSERT_TRUE(a && b);
    EXPECT_TRUE(a->finished);
    EXPECT_EQ(std::vector<std::string>(heard.begin(), heard.begin() + 6),
              (std::vector<std::string>{"kda", "mla", "linear_attention", "kda", "mla", "linear_attention"}));
    for (size_t i = 0; i < 3; ++i) {
        const LabLearner &x = a->learners[i], &y = b->learners[i];
        ASSERT_EQ(x.looks.size(), 4U);  // at 0, 4, 8 and the end
        ASSERT_EQ(y.looks.size(), 4U);
        EXPECT_EQ(x.looks.back().step, 12);
        EXPECT_EQ(x.tried.size(), 2U);
        EXPECT_EQ(x.rate, x.tried[0].loss <= x.tried[1].loss ? 0.01 : 0.03);
        for (size_t l = 0; l < 4; ++l) EXPECT_EQ(x.looks[l].loss, y.looks[l].loss);
        EXPECT_EQ(x.looks.back().half_lives.gates, i == 0 ? 2 * 16 : 0);
    }
    // Alone it learns what it learns in company.
    const auto alone = run_lab(small({"mla"}));
    ASSERT_TRUE(alone);
    EXPECT_EQ(alone->learners[0].looks.back().loss, a->learners[1].looks.back().loss);
}

TEST(Lab, StoppedItGivesWhatThereIs) {
    std::atomic<bool> stop = false;
    LabSpec spec = small();
    spec.steps = 1'000'000;
    int looks = 0;
    const auto seen = run_lab(spec, {.cancel = &stop, .on_look = [&](const LabLearner&, const LabLook&) { stop = ++looks == 5; }});
    ASSERT_TRUE(seen);
    EXPECT_FALSE(seen->finished);
    EXPECT_EQ(seen->learners.size(), 2U);
    const auto j = nlohmann::json::parse(lab_json(spec, *seen));
    EXPECT_EQ(j["finished"], false);
    EXPECT_GE(j["learners"][0]["looks"].size(), 3U);
    stop = true;
    const auto nothing = run_lab(spec, {.cancel = &stop});
    ASSERT_TRUE(nothing);
    EXPECT_NO_THROW(lab_text(spec, *nothing, {}));
}

TEST(Lab, WhatCannotBeIsSaid) {
    const auto said = [](auto change) {
        LabSpec s = small();
        change(s);
        const auto r = run_lab(s);
        return r ? "nothing" : r.error().message;
    };
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {"rwkv"}; }), HasSubstr("the mixer 'rwkv' is none of linear_attention, deltanet, mamba2, gdn, gla, kda, mla"));
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {"kda", "kda"}; }), HasSubstr("named twice"));
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {"kda+no-gates"}; }), HasSubstr("'kda+no-gates' has the switch 'no-gates', which is none of swish, no-gate"));
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {"kda+0:1"}; }), HasSubstr("has the switch '0:1'"));
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {"kda+3:1"}; }), HasSubstr("'kda+3:1' takes 4 layers at least, and there are 2"));
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {"mla+swish"}; }), HasSubstr("'mla+swish' has attention alone"));
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {"kda+rope"}; }), HasSubstr("'kda+rope' has no attention"));
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {}; }), HasSubstr("say which mixers"));
    EXPECT_THAT(said([](LabSpec& s) { s.width = 18; }), HasSubstr("width of 18"));
    EXPECT_THAT(said([](LabSpec& s) { s.task.items = 40; }), HasSubstr("does not fit into a row of 24 tokens with 40 pairs"));
    EXPECT_THAT(said([](LabSpec& s) { s.rates = {0}; }), HasSubstr("learning rate"));
}

// Stretch by stretch: batches go on, looks count on, and the rate rises and falls anew.
TEST(Lab, LearnsOnAndWhatWasSavedIsReadBack) {
    const LabSpec spec = small({"kda", "linear_attention"});
    LabRun run(spec);
    EXPECT_EQ(run.learner(0), nullptr);
    ASSERT_TRUE(run.search().has_value());
    std::vector<std::pair<int64_t, int64_t>> told;
    const LabHooks hooks{.on_step = [&](const std::string&, int64_t done, int64_t total) { told.emplace_back(done, total); }};
    ASSERT_TRUE(run.learn(8, hooks).has_value());
    ASSERT_TRUE(run.learn(4, hooks).has_value());
    EXPECT_EQ(told.back(), (std::pair<int64_t, int64_t>(8, 8)));
    for (const LabLearner& one : run.result().learners) {
        ASSERT_EQ(one.looks.size(), 4U);  // at 0, 4, 8 and 12
        EXPECT_EQ(one.looks.back().step, 12);
    }
    EXPECT_EQ(run.learner(1)->steps(), 12);
    const std::string text = lab_json(spec, run.result());
    const auto read = read_lab(text, "x.json");
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->result.learners.size(), 2U);
    EXPECT_EQ(read->result.learners[0].looks[2].accuracy, run.result().learners[0].looks[2].accuracy);
    EXPECT_EQ(read->result.learners[0].looks[3].half_lives.quantiles, run.result().learners[0].looks[3].half_lives.quantiles);
    EXPECT_EQ(read->result.learners[1].looks[0].half_lives.gates, 0);
    EXPECT_EQ(read->spec.task.items, 3);
    const auto wrong = read_lab(R"({"task": {"kind": "mqar"}})", "y.json");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("y.json is no result of klp lab"));
}

TEST(Lab, WordsOfATaskAreItsIdsBothWays) {
    for (const Task& task : {Task{TaskKind::stack, 48, 32, 4}, Task{TaskKind::stack, 96, 80, 14}, Task{TaskKind::mqar, 64, 64, 8},
                             Task{TaskKind::mqar, 64, 500, 8}, Task{TaskKind::palindrome, 32, 33, 0}, Task{TaskKind::copy, 64, 4000, 0}}) {
        const int rows = lab_config({.task = task}, "kda").vocab_size;
        const NamedTexts files = task_files(task, rows);
        ASSERT_EQ(files.size(), 3U);
        const auto tokenizer = Tokenizer::parse(files[0].second, files[1].second, "words");
        ASSERT_TRUE(tokenizer) << tokenizer.error().message;
        std::set<std::string> words;
        for (int id = 0; id < task.vocabulary; ++id) words.insert(task_word(task, id));
        EXPECT_EQ(words.size(), static_cast<size_t>(task.vocabulary));
        EXPECT_FALSE(words.contains(""));
        const Batch batch = make_batch(task, 3, 7, 0);
        EXPECT_EQ(tokenizer->encode(task_words(task, batch.ids)), batch.ids) << task_words(task, batch.ids);
        for (const int32_t id : tokenizer->encode("? \n")) EXPECT_GE(id, rows) << "what is no word of the task is refused, not taken for one";
        EXPECT_EQ(chat_form(*tokenizer).mark, kTaskMark);
    }
    EXPECT_EQ(task_words({TaskKind::mqar, 64, 64, 8}, std::vector<int32_t>{1, 32, 0, 2}), "aA|b");
    EXPECT_THAT(task_question({TaskKind::palindrome, 8, 12, 0}, 1), testing::EndsWith("|"));
    EXPECT_TRUE(task_files({TaskKind::copy, 64, 20000, 0}, 20000).empty()) << "more than there are letters for";
}

// Asked in the words of its task it says what the likeliest ids say, turn after turn as if it were one row.
TEST(Lab, ASavedLearnerIsAskedInItsWords) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("klp-lab-asked-" + std::to_string(getpid()));
    LabSpec spec = small({"kda"});
    spec.rates = {0.02}, spec.steps = 30;
    ASSERT_TRUE(run_lab(spec, {.on_end = [&](const LabLearner&, const Learner& learner) { return save_learner(learner, spec.task, folder.string()); }}));
    const auto checkpoint = open_checkpoint(folder);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    const auto model = Model::load(*make_backend("cpu", 1), checkpoint->config, checkpoint->source, {});
    ASSERT_TRUE(model);
    auto talk = Conversation::begin(*model, checkpoint->tokenizer, 512);
    ASSERT_TRUE(talk) << talk.error().message;
    Workspace ws((*model)->backend());
    const GenerateOptions one{.sampling = {.temperature = 0}, .budget = 1};
    const auto first = talk->ask({{.role = "user", .content = "aHbCcD|b"}}, ws, one);
    ASSERT_TRUE(first) << first.error().message;
    const auto second = talk->ask({{.role = "user", .content = "a"}}, ws, one);
    ASSERT_TRUE(second) << second.error().message;
    std::vector<int32_t> ids = checkpoint->tokenizer->encode("aHbCcD|b");
    for (const int32_t said : {first->generation.tokens[0], second->generation.tokens[0]}) {
        Sequence alone(*model);
        Workspace mine((*model)->backend());
        ASSERT_TRUE(alone.feed(ids, mine).has_value());
        EXPECT_EQ(said, std::max_element(mine.logits.begin(), mine.logits.end()) - mine.logits.begin());
        ids.push_back(said), ids.push_back(1);  // and "a"
    }
    EXPECT_FALSE(talk->ask({{.role = "user", .content = "hello?"}}, ws, one)) << "other words are refused";
    std::filesystem::remove_all(folder);
}

// What learned it is what a folder gives back, and the text says what the numbers say.
TEST(Lab, ALearnerIsAModelThatOpens) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("klp-lab-" + std::to_string(getpid()));
    const Batch b = make_batch(small().task, 1, 5, 0);
    Floats inside;
    const auto seen = run_lab(small({"mamba2"}), {.on_end = [&](const LabLearner&, const Learner& learner) {
                                  Sequence sequence(learner.model());
                                  Workspace ws(learner.model()->backend());
                                  EXPECT_TRUE(sequence.feed(b.ids, ws).has_value());
                                  inside = ws.logits;
                                  return save_learner(learner, small().task, folder.string());
                              }});
    ASSERT_TRUE(seen) << seen.error().message;
    const auto checkpoint = open_checkpoint(folder);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->config.update_rule, "mamba2");
    const auto model = Model::load(*make_backend("cpu", 1), checkpoint->config, checkpoint->source, {});
    ASSERT_TRUE(model) << model.error().message;
    Sequence sequence(*model);
    Workspace ws((*model)->backend());
    ASSERT_TRUE(sequence.feed(b.ids, ws).has_value());
    EXPECT_LE(error(ws.logits, inside), 1e-5);
    std::filesystem::remove_all(folder);
    const std::string text = lab_text(small({"mamba2"}), *seen, {});
    EXPECT_THAT(text, HasSubstr("mqar, rows of 23 tokens, 3 pairs, vocabulary of 16; 2 layers, 2 heads, width 16"));
    EXPECT_THAT(text, HasSubstr("rates tried"));
    EXPECT_THAT(lab_svg(small({"mamba2"}), *seen, "2026-01-01"), HasSubstr("<polyline"));
}

// --- the ladder ---

// A law of exact points is found again, with no doubt; of scattered ones the interval is Student's, worked out by hand: for x = 0, 1, 2 and y = 0, -1, -1 in the
// logs the slope is -1/2, the residuals are 1/6, -1/3, 1/6, so s = sqrt(1/6) and the slope's error s / sqrt(2), times 12.706 with one degree of freedom.
TEST(Ladder, ALawIsLeastSquaresInTheLogs) {
    const auto rung = [](double x, double y) { return Rung{.operations = 1e12 * std::exp(x), .loss = std::exp(y)}; };
    std::vector<Rung> rungs;
    for (const double x : {0.0, 1.0, 2.5, 3.0}) rungs.push_back(rung(x, 0.7 - 0.3 * x));
    const PowerLaw exact = power_law(rungs);
    EXPECT_NEAR(exact.b, 0.3, 1e-9);
    EXPECT_NEAR(exact.a, std::exp(0.7), 1e-9);
    EXPECT_NEAR(exact.b_low, 0.3, 1e-6);
    EXPECT_NEAR(exact.at(1e12 * std::exp(1.0)), std::exp(0.4), 1e-9);
    const PowerLaw law = power_law(std::vector<Rung>{rung(0, 0), rung(1, -1), rung(2, -1)});
    EXPECT_NEAR(law.b, 0.5, 1e-9);
    EXPECT_NEAR(law.b_high - law.b, 12.706 * std::sqrt(1.0 / 12), 1e-9);
    EXPECT_NEAR(std::log(law.a_high / law.a), 12.706 * std::sqrt((1.0 / 6) * (1.0 / 3 + 0.5)), 1e-9);
    std::vector<Rung> broken = rungs;
    broken.push_back({.operations = 1e12, .loss = 50, .trouble = "not a number"});
    EXPECT_NEAR(power_law(broken).b, 0.3, 1e-9) << "what broke off counts nothing";
    EXPECT_TRUE(std::isnan(power_law(std::span(rungs).first(1)).b));
    EXPECT_TRUE(std::isnan(power_law(std::span(rungs).first(2)).b_low));
}

// What is counted is what a step multiplies: by hand for attention of one layer, whose rows are all alike.
TEST(Ladder, CountsOperationsAndClimbs) {
    const Task task{TaskKind::copy, 16, 31, 0};
    const LadderSource source = ladder_source(task, 64, 5, 3);
    const LadderSpec spec{.mixers = {"kda", "mla"}, .widths = {16, 32}, .layers = 1, .rates = {0.01, 0.02}, .seed = 3, .threads = 1};
    std::vector<std::string> rungs;
    int64_t steps = 0, most = 0;
    const auto result = run_ladder(spec, source,
                                   {.on_step = [&](const std::string&, int64_t done, int64_t total) { steps = done, most = std::max(most, total); },
                                    .on_rung = [&](const std::string& mixer, const Rung& r) { rungs.push_back(mixer + std::to_string(r.width)); }});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->finished);
    EXPECT_EQ(rungs, (std::vector<std::string>{"kda16", "mla16", "kda32", "mla32"}));
    EXPECT_EQ(most, 4 * (5 + 2));
    EXPECT_EQ(steps, 4 * (5 + 2));  // one step for each of two rates, then five
    const Rung& r = result->sides[1].rungs[1];
    const int64_t D = 32, V = 32, T = 16, rows = 4, asked = 8;  // heads of 16: latent 32, and 8 columns of positions
    const int64_t linear = 2 * (16 + 8) * D + (32 + 8) * D + 2 * 32 * 32 + D * 32 + 3 * 64 * D;
    const double pairs = 2.0 * 2 * (16 + 8 + 16) * T / 2;
    EXPECT_NEAR(r.operations, 5 * 3 * rows * (T * (2.0 * linear + pairs) + asked * 2.0 * D * V), 1);
    EXPECT_GT(r.loss, 0);
    EXPECT_EQ(result->sides[0].law.rungs, 2);
    const std::string text = ladder_text(spec, source, *result, {});
    EXPECT_THAT(text, testing::AllOf(HasSubstr("toy ladder: copy"), HasSubstr("L = a C^-b"), HasSubstr("19 times in 20")));
    EXPECT_THAT(ladder_svg(spec, source, *result, "2026-01-01"), HasSubstr("<circle"));
    EXPECT_EQ(nlohmann::json::parse(ladder_json(spec, source, *result))["sides"][1]["rungs"].size(), 2U);
    std::atomic<bool> stop = true;
    const auto none = run_ladder(spec, source, {.cancel = &stop});
    ASSERT_TRUE(none);
    EXPECT_TRUE(!none->finished && none->sides[0].rungs.empty());
    EXPECT_NO_THROW(ladder_text(spec, source, *none, {}) + ladder_svg(spec, source, *none, "2026-01-01"));
    LadderSpec wrong = spec;
    wrong.widths = {32, 24};
    EXPECT_FALSE(run_ladder(wrong, source));
    wrong.widths = {24};
    EXPECT_THAT(run_ladder(wrong, source).error().message, HasSubstr("a width of 24 gives no heads of 16 channels"));
}

// --- the program ---

const Words kQuick = {"lab",     "--task", "mqar",    "--length", "24",      "--pairs", "3",        "--vocabulary", "16",
                      "--width", "16",     "--batch", "96",       "--rates", "0.02",    "--mixers", "kda,mla"};
Words quick(std::initializer_list<const char*> more) {
    Words all = kQuick;
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

TEST(LabProgram, SaysWhatCameOutAndSavesIt) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("klp-lab-program-" + std::to_string(getpid()));
    const std::string save = folder.string(), svg = save + ".svg", json = save + ".json";
    const Outcome text = klp(quick({"--steps", "8", "--save", save.c_str(), "-o", svg.c_str(), json.c_str()}));
    EXPECT_EQ(text.code, 0) << text.err;
    EXPECT_THAT(text.out, testing::AllOf(HasSubstr("3 pairs"), HasSubstr("half-lives"), HasSubstr("8 steps")));
    const Outcome shown = klp({"info", "-m", (folder / "kda").string()});
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("KDA 2 heads of 8 x 8"));
    const Outcome asked = klp({"-m", (folder / "kda").string(), "-p", "aHbCcD|b"});
    EXPECT_EQ(asked.code, 0) << asked.err;
    EXPECT_THAT(text.err, testing::Not(HasSubstr("minutes"))) << "of what takes milliseconds nobody is told to wait";
    std::ifstream file(json);
    EXPECT_EQ(nlohmann::json::parse(file)["learners"].size(), 2U);
    EXPECT_TRUE(std::filesystem::exists(svg));
    const Outcome again = klp(quick({"--steps", "8", "--save", save.c_str()}));
    EXPECT_EQ(again.code, 2);
    EXPECT_THAT(again.err, HasSubstr("exists already"));
    for (const std::string& path : {save, svg, json}) std::filesystem::remove_all(path);
}

TEST(LabProgram, ClimbsALadderOfATaskAndOfText) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("klp-ladder-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    const std::string svg = folder / "x.svg", json = folder / "x.json", text = folder / "stories.txt", demo = (source_dir() / "resources/models/demo").string();
    const Words small = {"lab", "--ladder", "--widths", "16,32,48", "--steps", "6",        "--batch",
                         "128", "--rates",  "0.02",     "--mixers", "kda,mla", "--layers", "1"};
    Words task = small;
    task.insert(task.end(), {"-o", svg, json});
    const Outcome seen = klp(task);
    EXPECT_EQ(seen.code, 0) << seen.err;
    EXPECT_THAT(seen.out, testing::AllOf(HasSubstr("toy ladder: stack"), HasSubstr("mla: L = a C^-b, a = ")));
    EXPECT_TRUE(std::filesystem::exists(svg) && std::filesystem::exists(json));
    {
        std::ofstream stories(text);
        for (int i = 0; i < 200; ++i) stories << "A cat number " << i << " sat on a mat and looked at the rain.\n\n\n";
    }
    Words read = small;
    read.insert(read.end(), {"--data", text, "--tokenizer", demo, "--length", "64"});
    const Outcome told = klp(read);
    EXPECT_EQ(told.code, 0) << told.err;
    EXPECT_THAT(told.out, HasSubstr("toy ladder: stories"));
    EXPECT_EQ(klp({"lab", "--ladder", "--width", "32"}).code, 2) << "a width of one rung says nothing";
    EXPECT_EQ(klp({"lab", "--widths", "32"}).code, 2);
    EXPECT_EQ(klp({"lab", "--ladder", "--data", text}).code, 2) << "no tokenizer";
    EXPECT_THAT(klp({"lab", "--ladder", "--widths", "20"}).err, HasSubstr("a width of 20 gives no heads"));
    std::filesystem::remove_all(folder);
}

TEST(LabProgram, InterruptedItSaysWhatThereIs) {
    Klp program(quick({"--steps", "100000000", "--json"}));
    ASSERT_TRUE(program.wait_for("\"step\""));
    program.interrupt();
    const Outcome seen = program.finish();
    EXPECT_EQ(seen.code, 130) << seen.err;
    const size_t last = seen.out.rfind('\n', seen.out.size() - 2);
    EXPECT_EQ(nlohmann::json::parse(seen.out.substr(last + 1))["finished"], false);
}

TEST(LabProgram, BadInputIsASentence) {
    for (const auto& [more, words] : {std::pair(Words{"--mixers", "rwkv"}, "the mixer 'rwkv' is none of"),
                                      {Words{"--rates", "fast"}, "'fast' is no number"},
                                      {Words{"--pairs", "40"}, "does not fit"},
                                      {Words{"-o", "x.png"}, "must end in .json or .svg"}}) {
        Words all{"lab", "--task", "mqar", "--length", "24"};
        all.insert(all.end(), more.begin(), more.end());
        const Outcome seen = klp(all);
        EXPECT_EQ(seen.code, 2) << seen.err;
        EXPECT_THAT(seen.err, HasSubstr(words));
    }
}

TEST(Lab, LearnedMeansUntilTheEnd) {
    LabLearner one;
    for (const double accuracy : {0.1, 0.95, 0.5, 0.92, 0.99}) one.looks.push_back({.step = static_cast<int64_t>(one.looks.size()) * 10, .accuracy = accuracy});
    EXPECT_EQ(one.learned_at(), 30);
    one.looks.push_back({.step = 50, .accuracy = 0.2});
    EXPECT_EQ(one.learned_at(), -1);
}

}  // namespace
}  // namespace klp
