// The lab: every rule as a learner, from the config to its folder, and the experiment's own laws.
#include "core/learn/lab.h"

#include <filesystem>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "app/lab_text.h"
#include "app/terminal.h"
#include "core/model/checkpoint.h"
#include "core/model/life.h"
#include "core/model/probe.h"
#include "core/model/sequence.h"
#include "kernels/naive.h"
#include "tests/program.h"
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

// As learner_test has it for KDA: a step's first moments are the gradient, and the whole model's loss moves by it.
TEST(Rules, GradientsOfEveryRuleAreFiniteDifferencesOfTheLoss) {
    for (const std::string& mixer : kAllMixers) {
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
    for (const std::string& mixer : kAllMixers) {
        if (mixer == "mla") continue;
        const auto one = learner_of(mixer);
        Sequence whole(one->model()), steps(one->model()), rows(one->model());
        Workspace ws(one->model()->backend());
        ASSERT_TRUE(whole.feed(b.ids, ws, nullptr, &kGreedy).has_value());
        for (const int32_t id : b.ids) ASSERT_TRUE(steps.feed({&id, 1}, ws, nullptr, &kGreedy).has_value());
        EXPECT_LE(error(whole.state(1, "S"), steps.state(1, "S")), 1e-4) << mixer;
        const auto fed = delta_rows(rows, b.ids, 1, 0, 2, ws, [&](int head, const DeltaRows& r) {
            EXPECT_EQ(r.plain, rule_named(mixer)->plain);
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
    EXPECT_THAT(said([](LabSpec& s) { s.mixers = {}; }), HasSubstr("say which mixers"));
    EXPECT_THAT(said([](LabSpec& s) { s.width = 18; }), HasSubstr("width of 18"));
    EXPECT_THAT(said([](LabSpec& s) { s.task.items = 40; }), HasSubstr("does not fit into a row of 24 tokens with 40 pairs"));
    EXPECT_THAT(said([](LabSpec& s) { s.rates = {0}; }), HasSubstr("learning rate"));
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
                                  return save_learner(learner, folder.string());
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
    std::ifstream file(json);
    EXPECT_EQ(nlohmann::json::parse(file)["learners"].size(), 2U);
    EXPECT_TRUE(std::filesystem::exists(svg));
    const Outcome again = klp(quick({"--steps", "8", "--save", save.c_str()}));
    EXPECT_EQ(again.code, 2);
    EXPECT_THAT(again.err, HasSubstr("exists already"));
    for (const std::string& path : {save, svg, json}) std::filesystem::remove_all(path);
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
