// A learner: its gradients against finite differences of the whole model's loss, the laws of a step, and that it learns.
#include "core/learn/learner.h"

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "core/model/sequence.h"
#include "tests/source_dir.h"
#include "tests/support.h"

namespace klp {
namespace {

using namespace test;

ModelConfig small(bool twin = false) {
    ModelConfig c;
    c.model_type = "kimi_linear";
    c.vocab_size = 40, c.hidden_size = 32, c.num_hidden_layers = 3;
    c.layer_kinds = {"kda", "kda", "mla"};
    c.model_max_length = 512;
    c.kda_heads = 2, c.kda_key_dim = c.kda_value_dim = 16, c.kda_gate_rank = 16;
    c.num_attention_heads = 2, c.kv_lora_rank = 16, c.qk_nope_head_dim = 16, c.qk_rope_head_dim = 8, c.v_head_dim = 16;
    c.intermediate_size = 48, c.first_k_dense_replace = 1, c.num_experts = 4, c.num_experts_per_token = 2, c.num_shared_experts = 1,
    c.moe_intermediate_size = 24;
    c.routed_scaling_factor = 1.5f;
    if (twin) c = all_attention(c), c.mla_use_nope = false;
    return c;
}

Batch batch(uint64_t seed, std::vector<int64_t> lengths, int vocabulary = 40) {
    Batch b{.lengths = std::move(lengths)};
    std::mt19937_64 bits(seed);
    for (int64_t n : b.lengths)
        for (int64_t t = 0; t < n; ++t) {
            b.ids.push_back(static_cast<int32_t>(bits() % static_cast<uint64_t>(vocabulary)));
            b.targets.push_back(bits() % 4 == 0 ? -1 : static_cast<int32_t>(bits() % static_cast<uint64_t>(vocabulary)));
        }
    return b;
}

std::shared_ptr<Learner> learner(const ModelConfig& config, DType type = DType::f32, int threads = 2) {
    auto made = make_learner(config, nullptr, {.threads = threads, .seed = 3, .type = type, .excess = 0});
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    return *made;
}

// Gradients of transformers' own class by torch autograd in float64 (golden/make_gradients_golden.py): the norm, and the products with vectors of +-1.
TEST(Learner, GradientsAreThoseOfAutograd) {
    const std::filesystem::path golden = source_dir() / "tests/golden";
    std::ifstream file(golden / "gradients.json");
    const auto all = nlohmann::json::parse(file);
    ASSERT_EQ(all.size(), 10U);
    for (const auto& [name, truth] : all.items()) {
        const auto config = read_config(golden / "hf" / name / "config.json");
        ASSERT_TRUE(config.has_value()) << config.error().message;
        const auto source = open_safetensors(golden / "hf" / name, &*config);
        ASSERT_TRUE(source.has_value()) << source.error().message;
        const auto made = make_learner(*config, *source, {.type = DType::f32, .excess = 0});
        ASSERT_TRUE(made.has_value()) << name << ": " << made.error().message;
        Batch b;
        b.ids = truth["tokens"].get<std::vector<int32_t>>();
        b.lengths = {static_cast<int64_t>(b.ids.size())};
        b.targets.assign(b.ids.begin() + 1, b.ids.end());
        b.targets.push_back(-1);
        const auto figures = (*made)->step(b, {.clip = 0});
        ASSERT_TRUE(figures.has_value()) << figures.error().message;
        EXPECT_NEAR(figures->loss, truth["loss"].get<double>(), 1e-4) << name;
        size_t met = 0;
        for (const Learner::Tensor& t : (*made)->tensors()) {
            if (!t.first) continue;
            ASSERT_TRUE(truth["gradients"].contains(t.name)) << name << " " << t.name;
            const auto expected = truth["gradients"][t.name].get<std::vector<double>>();
            ++met;
            double norm = 0;
            std::vector<double> got(expected.size());
            for (int64_t i = 0; i < t.values(); ++i) norm += std::pow(t.first[i] / (t.second ? 0.1 : 0.05), 2);
            for (size_t k = 1; k < got.size(); ++k) {
                uint64_t x = 0xcbf29ce484222325u;
                for (unsigned char c : t.name + "/" + std::to_string(k - 1)) x = (x ^ c) * 0x100000001b3u;
                for (int64_t i = 0; i < t.values(); ++i) {
                    uint64_t z = x += 0x9e3779b97f4a7c15u;
                    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
                    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
                    got[k] += t.first[i] / (t.second ? 0.1 : 0.05) * ((z ^ (z >> 31)) >> 63 ? 1 : -1);
                }
            }
            got[0] = std::sqrt(norm);
            // A product with +-1 is as large as the norm, on average. Where a chunk decays by e^-2200, what is left of f32 is 2e-4.
            const double bound = name == "strong-decay" ? 4e-4 : 1e-4;
            for (size_t k = 0; k < got.size(); ++k) EXPECT_NEAR(got[k], expected[k], bound * expected[0] + 1e-7) << name << " " << t.name << " " << k;
        }
        EXPECT_EQ(met, truth["gradients"].size()) << name;
    }
}

// A step of plain descent by AdamW's own first moment: after one step it is (1 - b1) times the gradient.
TEST(Learner, GradientsAreFiniteDifferencesOfTheLoss) {
    for (const bool twin : {false, true}) {
        ModelConfig config = small(twin);
        config.num_experts_per_token = config.num_experts;  // where a choice tips over, a loss has no derivative
        const auto one = learner(config);
        const Batch b = batch(1, {9, 1, 20});
        std::vector<Floats> before;
        for (const Learner::Tensor& t : one->tensors()) before.emplace_back(t.master, t.master + t.values());
        ASSERT_TRUE(one->step(b, {.clip = 0}).has_value());
        size_t i = 0;
        for (const Learner::Tensor& t : one->tensors()) {
            const Floats& start = before[i++];
            if (!t.first) continue;
            const float share = t.second ? 0.1f : 0.05f;  // of the gradient in its moment
            const Floats along = normal(start.size(), 77 + i);
            double said = 0, size = 0;
            for (size_t j = 0; j < start.size(); ++j) said += double{t.first[j]} / share * along[j], size += std::pow(t.first[j] / share, 2);
            const float h = 1e-3f;
            double moved[2];
            for (int side : {0, 1}) {
                for (size_t j = 0; j < start.size(); ++j) t.master[j] = start[j] + (side ? h : -h) * along[j];
                one->resume(0);
                moved[side] = one->measure(b)->loss;
            }
            std::copy(start.begin(), start.end(), t.master);
            // f32 leaves some 2e-7 of a loss of 4 nats on each side of 1e-3, and the third derivative something
            EXPECT_NEAR((moved[1] - moved[0]) / (2 * h), said, 1e-3 + 0.01 * std::sqrt(size)) << t.name;
        }
    }
}

TEST(Learner, TheLossIsWhatTheModelSays) {
    const auto one = learner(small());
    const Batch b = batch(2, {30});
    Sequence sequence(one->model());
    Workspace ws(one->model()->backend());
    const Feed feed{&sequence, b.ids};
    one->model()->forward({&feed, 1}, ws, true);
    double loss = 0;
    int64_t counted = 0;
    for (size_t t = 0; t < b.ids.size(); ++t) {
        if (b.targets[t] < 0) continue;
        const float* logits = ws.logits.data() + t * 40;
        double sum = 0;
        for (int i = 0; i < 40; ++i) sum += std::exp(logits[i]);
        loss += std::log(sum) - logits[b.targets[t]], ++counted;
    }
    const auto figures = one->measure(b);
    EXPECT_EQ(figures->counted, counted);
    EXPECT_NEAR(figures->loss, loss / static_cast<double>(counted), 1e-4);
}

TEST(Learner, AnyNumberOfThreadsLearnsTheSameBits) {
    std::vector<Floats> all;
    for (int threads : {1, 2, 3, 9}) {  // nine: two for each share of the rows
        const auto one = learner(small(), DType::bf16, threads);
        for (uint64_t step = 0; step < 3; ++step)
            ASSERT_TRUE(one->step(batch(step, {40, 7, 65, 1, 30, 12}), {.muon = 0.02, .adamw = 4e-3, .balance = 0.01}).has_value());
        all.emplace_back();
        for (const Learner::Tensor& t : one->tensors()) all.back().insert(all.back().end(), t.master, t.master + t.values());
    }
    for (size_t i = 1; i < all.size(); ++i) EXPECT_TRUE(identical(all[0], all[i])) << i;
}

TEST(Learner, OverfitsOneBatch) {
    for (const DType type : {DType::f32, DType::bf16}) {
        const auto one = learner(small(), type);
        Batch b = batch(5, {24, 24});
        StepFigures last{.loss = 1};  // of before its step: at such a rate the next one may be too long
        for (int step = 0; step < 300 && last.loss > 1e-3; ++step) {
            const auto figures = one->step(b, {.muon = 0.03, .adamw = 1e-2, .weight_decay = 0});
            ASSERT_TRUE(figures.has_value());
            last = *figures;
        }
        EXPECT_LE(last.loss, 1e-3) << info(type).name;
        EXPECT_EQ(last.accuracy, 1) << info(type).name;
    }
}

TEST(Learner, WhatIsNoNumberStopsAStepAndChangesNothing) {
    const auto one = learner(small());
    const Learner::Tensor& t = one->tensors()[3];
    const float was = t.master[5];
    t.master[5] = kNaN;
    one->resume(0);
    std::vector<Floats> before;
    for (const Learner::Tensor& x : one->tensors()) before.emplace_back(x.master, x.master + x.values());
    const auto figures = one->step(batch(1, {9}), {.muon = 0.02, .adamw = 4e-3});
    ASSERT_FALSE(figures.has_value());
    EXPECT_NE(figures.error().message.find("not a number at step 1"), std::string::npos) << figures.error().message;
    size_t i = 0;
    for (const Learner::Tensor& x : one->tensors()) EXPECT_TRUE(identical(Floats(x.master, x.master + x.values()), before[i++])) << x.name;
    t.master[5] = was;
    one->resume(0);
    EXPECT_TRUE(one->step(batch(1, {9}), {.muon = 0.02, .adamw = 4e-3}).has_value());
}

TEST(Learner, WhatCannotBeTrainedIsSaid) {
    ModelConfig c = small();
    c.q_lora_rank = 8;
    const auto made = make_learner(c, nullptr);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().kind, Error::usage);
    EXPECT_NE(made.error().message.find("q_lora_rank"), std::string::npos);
}

}  // namespace
}  // namespace klp
