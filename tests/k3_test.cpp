// Kimi K3: what it has that its predecessor has not, each against its formula on every device, and the whole as a config, a folder, a GGUF and a model.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/files/gguf_mixes.h"
#include "core/files/gguf_model.h"
#include "core/files/gguf_writer.h"
#include "core/learn/learner.h"
#include "core/model/checkpoint.h"
#include "core/model/generate.h"
#include "core/model/model.h"
#include "core/model/sequence.h"
#include "kernels/cpu/simd/products.h"
#include "tests/bounds.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using namespace test;
using naive::Numbers;
using nlohmann::json;
using testing::Each;
using testing::HasSubstr;
const std::filesystem::path kGolden = source_dir() / "tests/golden/hf";
constexpr const char* kFixtures[] = {"k3-spec", "k3-odd", "k3-plain", "k3-seen", "k3-late", "k3-latent"};

class OnEveryDevice : public testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(K3, OnEveryDevice, testing::ValuesIn(devices()), [](const auto& info) { return info.param.name; });

// --- SiTU -------------------------------------------------------------------------------------------------------------

TEST(Situ, IsWhatItsFormulaSays) {
    EXPECT_NEAR(naive::situ(3, -2, 4, 25), -4.829912251, 1e-9);
    EXPECT_NEAR(naive::situ(-1, 40, 4, 25), -6.070917696, 1e-9);
    EXPECT_NEAR(naive::situ(-1, 40, 4, 0), 4 * std::tanh(-0.25) * naive::sigmoid(-1) * 40, 1e-12);
}

// tanh is within 6 units in the last place (its quotient of polynomials 4, that in front of it 1, the product behind it 1), sigmoid within 4, the products 5.
TEST(Situ, IsTheSameInEveryInstructionSet) {
    for (const Isa isa : supported_isas())
        for (const auto& [b, l] : {std::pair{4.f, 25.f}, {1.f, 2.f}, {4.f, 0.f}})
            for (const float scale : {1e-4f, 1.f, 30.f}) {
                const Floats g = normal(101, 1, scale), u = normal(101, 2, scale);
                Floats y(101, kNaN);
                products_of(isa).situ(g.data(), u.data(), 0.5f, b, l, 101, y.data());
                for (size_t i = 0; i < y.size(); ++i) {
                    const double truth = 0.5 * naive::situ(g[i], u[i], b, l);
                    EXPECT_NEAR(y[i], truth, 2 * 22 * kU * std::abs(truth) + 1e-37) << name(isa) << " " << g[i] << " " << u[i];
                }
            }
}

TEST_P(OnEveryDevice, ANumberThatIsNoneStaysNone) {
    constexpr int64_t D = 32;
    const Matrix w(normal(D * D, 1, 0.3f), D, D);
    const SwiGlu act{.gate = w.w, .up = w.w, .down = w.w, .situ = 4, .situ_up = 25};
    const Floats x(D, kNaN);
    Floats y(D);
    GetParam().make()->ffn({.x = {x.data(), {1, D}}, .w = act, .y = {y.data(), {1, D}}});
    EXPECT_THAT(y, Each(testing::IsNan()));
}

// --- Experts of a latent ----------------------------------------------------------------------------------------------

// The router has x, as wide as the model, the experts z. Of what is not rounded the sum of D + F + L products may be off, of the rest half a step of int8 or bf16
// for each of the two products that follow each other: a hundredth of the largest value.
TEST_P(OnEveryDevice, ExpertsTakeTheirOwnInputAndTheRouterTheModels) {
    const auto device = GetParam().make();
    constexpr int E = 6, K = 2;
    struct Size {
        int64_t D, L, F;
    };
    for (const auto& [D, L, F] : {Size{48, 32, 64}, Size{32, 96, 32}})
        for (const DType type : {DType::f32, DType::bf16, DType::q8_0})
            for (const float situ : {0.f, 4.f}) {
                std::vector<Matrix> keep;
                for (int e = 0; e < E; ++e) {
                    keep.emplace_back(normal(F * L, 10 + 3 * e, 0.2f), F, L, type), keep.emplace_back(normal(F * L, 11 + 3 * e, 0.2f), F, L, type);
                    keep.emplace_back(normal(L * F, 12 + 3 * e, 0.2f), L, F, type);
                }
                std::vector<SwiGlu> experts;
                for (size_t e = 0; e < E; ++e)
                    experts.push_back({.gate = keep[3 * e].w, .up = keep[3 * e + 1].w, .down = keep[3 * e + 2].w, .situ = situ, .situ_up = 25});
                const Floats router = normal(E * D, 1, 0.3f), bias = normal(E, 2, 0.3f), scale = normal(D, 3, 0.2f, 1);
                for (const int64_t T : {1, 5, 40}) {
                    const Floats x = normal(T * D, 4), z = normal(T * L, 5), before = normal(T * L, 6);
                    const auto run = [&](Backend& on) {
                        Floats y = before;
                        on.moe({.x = {x.data(), {T, D}},
                                .norm = {scale.data(), 1e-5f},
                                .router = {.weight = router.data(), .bias = bias.data(), .E = E, .top_k = K},
                                .experts = experts,
                                .z = {z.data(), {T, L}},
                                .y = {y.data(), {T, L}}});
                        return y;
                    };
                    EXPECT_LT(error(run(*device), run(*make_naive_backend())), type == DType::f32 ? 2e-5 : 0.02)
                        << info(type).name << " T " << T << " D " << D << " SiTU " << situ;
                }
            }
}

// --- Attention residuals ----------------------------------------------------------------------------------------------

TEST(Mix, IsASoftmaxOverStreams) {
    const Numbers n{1, 0.9, 1.1, 1.2}, proj{0.5, -0.25, 0.75, 0.1};
    Numbers w, p;
    for (size_t i = 0; i < 4; ++i) w.push_back(n[i] * proj[i]);
    const std::vector<Numbers> v{{1, 2, 3, 4}, {0, -1, 1, 0}, {2, 0, 0, -2}};
    const Numbers y = naive::mix(v, w, 1e-5, &p);
    const Numbers probabilities{0.328430814, 0.483942197, 0.187626989}, out{0.703684792, 0.172919432, 1.46923464, 0.93846928};
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(p[i], probabilities[i], 1e-9);
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(y[i], out[i], 1e-8);
}

// A score is off by (D + 12) u of the sum of what it adds, a weight by twice that and its own exponential.
TEST_P(OnEveryDevice, StreamsAreMixedAsTheFormulaSays) {
    const auto device = GetParam().make();
    for (const int64_t D : {4, 37, 300})
        for (const int64_t n : {1, 2, 9})
            for (const int64_t T : {0, 1, 5, 33}) {
                const Floats v = normal(static_cast<size_t>(n * T * D), 1, 3), w = normal(static_cast<size_t>(D), 2, 0.5f);
                Floats y(static_cast<size_t>(T * D), kNaN);
                device->mix({.v = {v.data(), {n, T, D}}, .w = w.data(), .eps = 1e-5f, .y = {y.data(), {T, D}}});
                for (int64_t t = 0; t < T; ++t) {
                    std::vector<Numbers> rows;
                    double most = 0;
                    for (int64_t i = 0; i < n; ++i) {
                        const float* row = v.data() + (i * T + t) * D;
                        rows.emplace_back(row, row + D);
                        double sum = 0;
                        for (int64_t d = 0; d < D; ++d) sum += std::abs(double{row[d]} * w[static_cast<size_t>(d)]);
                        most = std::max(most, sum / std::sqrt(naive::dot(rows.back(), rows.back()) / static_cast<double>(D) + 1e-5));
                    }
                    const Numbers truth = naive::mix(rows, Numbers(w.begin(), w.end()), 1e-5f);
                    for (int64_t d = 0; d < D; ++d) {
                        double size = 0;
                        for (const Numbers& row : rows) size += std::abs(row[static_cast<size_t>(d)]);
                        const float got = y[static_cast<size_t>(t * D + d)];
                        EXPECT_NEAR(got, truth[static_cast<size_t>(d)], (2 * static_cast<double>(D + 12) * most + 20) * kU * size) << n << " of " << D;
                        if (n == 1) {
                            EXPECT_EQ(got, v[static_cast<size_t>(t * D + d)]);
                        }
                    }
                }
            }
}

// --- The model --------------------------------------------------------------------------------------------------------

std::vector<std::shared_ptr<Backend>> whole_devices() {  // whose memory is their own
    return {make_naive_backend(), cpu(best_isa()), cuda_on_cpu::make_backend(0, "")};
}
Checkpoint opened(const std::filesystem::path& folder) {
    auto checkpoint = open_checkpoint(folder);
    EXPECT_TRUE(checkpoint) << (checkpoint ? "" : checkpoint.error().message);
    return checkpoint ? std::move(*checkpoint) : Checkpoint{};
}
std::shared_ptr<const Model> load(const std::filesystem::path& folder, std::shared_ptr<Backend> on) {
    const Checkpoint checkpoint = opened(folder);
    auto model = Model::load(on, checkpoint.config, checkpoint.source);
    EXPECT_TRUE(model) << (model ? "" : model.error().message);
    return model ? *model : nullptr;
}
using Ids = std::vector<int32_t>;
Floats logits_of(const std::shared_ptr<const Model>& model, std::initializer_list<Ids> parts) {
    Workspace ws(model->backend());
    Sequence sequence(model);
    for (const Ids& part : parts) EXPECT_TRUE(sequence.feed(part, ws));
    return ws.logits;
}
double furthest(const Floats& a, const Floats& b) {
    double most = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
    return most;
}
const Ids kPrompt{1, 5, 9, 31, 0, 7, 7, 20, 3};

// Worked out by another program in float64; its weights were not rounded to f32, which moves a logit by less than 2e-5.
TEST(K3, GivesTheFiguresThatWereWorkedOutBefore) {
    for (const auto& on : whole_devices()) {
        const auto model = load(kGolden / "k3-spec", on);
        const Floats logits = logits_of(model, {kPrompt});
        const Floats first{1.1691999f, -1.8106669f, 2.7959813f, 1.5375828f};
        EXPECT_LE(furthest({logits.begin(), logits.begin() + 4}, first), 1e-4) << on->info().name;
        EXPECT_NEAR(logits[20], 2.8113235, 1e-4);
        Workspace ws(*on);
        Sequence sequence(model);
        const auto answer = generate(sequence, kPrompt, ws, {.sampling = {.temperature = 0}, .budget = 8});
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->tokens, (Ids{20, 18, 31, 18, 5, 6, 31, 0})) << on->info().name;
    }
}

// Two f32 orders of summation on logits up to 10.
TEST(K3, SplitsSnapshotsForksAndBatchesAreOneAnswer) {
    const Ids more{2, 4, 11, 30}, other{9, 9, 1};
    for (const auto& on : whole_devices())
        for (const char* fixture : {"k3-spec", "k3-odd", "k3-seen"}) {
            const auto model = load(kGolden / fixture, on);
            const int32_t last = model->config().vocab_size - 1;
            Ids prompt;
            for (int32_t t = 0; t < 75; ++t) prompt.push_back((t * t * 7 + t * 3 + 1) % (last + 1));
            const auto part = [&](int from, int to) { return Ids(prompt.begin() + from, prompt.begin() + to); };
            const Floats truth = logits_of(model, {prompt, more}), alone = logits_of(model, {other});
            EXPECT_LE(furthest(logits_of(model, {prompt, {2}, {4}, {11, 30}}), truth), 2e-4) << fixture;
            EXPECT_LE(furthest(logits_of(model, {part(0, 1), part(1, 17), part(17, 70), part(70, 75), more}), truth), 2e-4) << fixture;
            Workspace ws(*on);
            Sequence a(model), b(model);
            ASSERT_TRUE(a.feed(prompt, ws));
            const SnapshotPtr here = a.snapshot();
            Sequence fork = a.fork();
            ASSERT_TRUE(a.feed(other, ws));
            a.restore(*here);
            ASSERT_TRUE(a.feed(more, ws));
            EXPECT_LE(furthest(ws.logits, truth), 2e-4) << fixture << " behind a snapshot";
            const Feed feeds[] = {{&fork, more}, {&b, other}};
            model->forward(feeds, ws);
            const auto half = ws.logits.begin() + model->config().vocab_size;
            EXPECT_LE(furthest({ws.logits.begin(), half}, truth), 2e-4) << fixture;
            EXPECT_LE(furthest({half, ws.logits.end()}, alone), 2e-4) << fixture;
        }
}

TEST(K3, OpensAsItsFullAttentionTwin) {
    const auto model = load(kGolden / "k3-spec", cpu(best_isa()));
    const auto twin = model->attention_twin();
    ASSERT_TRUE(twin) << twin.error().message;
    EXPECT_THAT((*twin)->config().layer_kinds, Each("mla"));
    EXPECT_THAT(logits_of(*twin, {kPrompt}), Each(testing::Truly([](float l) { return std::isfinite(l); })));
}

TEST(K3, WhatCannotBeTrainedIsSaid) {
    ModelConfig plain;
    for (const NamedShape& s : named_shapes())
        if (s.name == "tiny-spec") plain = s.config;
    const auto said = [&](auto change) {
        ModelConfig c = plain;
        change(c);
        const auto made = make_learner(c, nullptr);
        return made ? std::string() : made.error().message;
    };
    EXPECT_THAT(said([](ModelConfig& c) { c.situ = 4; }), HasSubstr("its activation is SiTU"));
    EXPECT_THAT(said([](ModelConfig& c) { c.expert_latent = 8; }), HasSubstr("latent of their own"));
    EXPECT_THAT(said([](ModelConfig& c) { c.residual_block = 2; }), HasSubstr("mix residual streams"));
    EXPECT_THAT(said([](ModelConfig& c) { c.mla_output_gate = true; }), HasSubstr("output gates"));
}

// --- On disk ----------------------------------------------------------------------------------------------------------

json config_of(const char* fixture) { return json::parse(read_bytes(kGolden / fixture / "config.json")); }
std::string refusal(const char* patch) {
    json j = config_of("k3-spec");
    j.merge_patch(json::parse(patch));
    const auto c = parse_config(j.dump(), "config.json");
    return c ? "it opens" : c.error().message;
}

TEST(K3, ItsConfigIsReadAndWritten) {
    const auto c = parse_config(config_of("k3-spec").dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(c->model_type, "kimi_k3");
    EXPECT_TRUE(c->kda_full_output_gate && c->mla_output_gate && c->mla_use_nope && c->expert_latent_norm);
    EXPECT_EQ(c->kda_gate_rank, 8);
    EXPECT_EQ(c->gate_lower_bound, -5);
    EXPECT_EQ(c->q_lora_rank, 10);
    EXPECT_EQ(c->expert_latent, 10);
    EXPECT_EQ(c->residual_block, 2);
    EXPECT_EQ(c->situ, 1);
    EXPECT_EQ(c->situ_up, 2);
    EXPECT_EQ(c->shared_width(), 24);
    EXPECT_EQ(stream_count(*c), 4);
    for (const char* name : kFixtures) {
        const auto one = parse_config(config_of(name).dump(), "config.json");
        ASSERT_TRUE(one) << one.error().message;
        const auto again = parse_config(to_json(*one), "config.json");
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(to_json(*again), to_json(*one)) << name;
        EXPECT_EQ(again->residual_block, one->residual_block);
        EXPECT_EQ(again->expert_latent, one->expert_latent);
        EXPECT_EQ(again->situ_up, one->situ_up);
    }
    // The text part by itself has its predecessor's type, and is told by what that never had.
    json text = config_of("k3-seen")["text_config"];
    ASSERT_EQ(text["model_type"], "kimi_linear");
    EXPECT_EQ(parse_config(text.dump(), "config.json")->model_type, "kimi_k3");
}

TEST(K3, WhatAConfigSaysWrongIsSaid) {
    EXPECT_EQ(refusal("{}"), "it opens");
    EXPECT_THAT(refusal(R"({"hidden_act": "gelu"})"), HasSubstr("hidden_act is 'gelu', which this program does not have"));
    EXPECT_THAT(refusal(R"({"mla_use_nope": false})"), HasSubstr("mla_use_nope is false, but of a Kimi K3"));
    EXPECT_THAT(refusal(R"({"attn_res_block_size": -1})"), HasSubstr("attn_res_block_size is -1, which is not in 0.."));
    EXPECT_THAT(refusal(R"({"attn_res_block_size": "all"})"), HasSubstr("attn_res_block_size is 'all' where a whole number belongs"));
    EXPECT_THAT(refusal(R"({"activation_situ_beta": 0})"), HasSubstr("activation_situ_beta is 0, which is not in"));
    EXPECT_THAT(refusal(R"({"routed_expert_hidden_size": 1.5})"), HasSubstr("routed_expert_hidden_size is 1.5 where a whole number belongs"));
    EXPECT_THAT(refusal(R"({"latent_moe_use_norm": 1})"), HasSubstr("latent_moe_use_norm is 1 where true or false belongs"));
    EXPECT_THAT(refusal(R"({"linear_attn_config": {"use_full_rank_gate": "yes"}})"), HasSubstr("use_full_rank_gate is 'yes' where true or false belongs"));
    EXPECT_EQ(refusal(R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized"}})"), "it opens");
    EXPECT_THAT(refusal(R"({"quantization_config": {"quant_method": "mxfp4"}})"), HasSubstr("MXFP4"));
}

TEST(K3, AFolderThatIsWrittenHasTheVendorsTensors) {
    TempFolder folder;
    const auto c = parse_config(config_of("k3-odd").dump(), "config.json");
    ASSERT_TRUE(init_checkpoint(folder / "a", *c, DType::f32, 3));
    const auto names = [](const std::filesystem::path& at) {
        std::vector<std::string> all;
        for (const TensorInfo& t : (*open_safetensors(at))->tensors()) all.push_back(t.name);
        std::sort(all.begin(), all.end());
        return all;
    };
    EXPECT_EQ(names(folder / "a"), names(kGolden / "k3-odd"));
    EXPECT_TRUE(load(folder / "a", cpu(best_isa())));
}

// A GGUF has norm and projection of a reader as one, and says by its tensors which gates there are. It has one number of heads for both kinds of layers.
TEST(K3, AGgufSaysWhatItsFolderSays) {
    TempFolder folder;
    int written = 0;
    for (const char* fixture : kFixtures) {
        SCOPED_TRACE(fixture);
        const auto file = folder / (std::string(fixture) + ".gguf");
        Checkpoint hf = opened(kGolden / fixture);
        hf.config.bos_token_id = -1;  // which is the vocabulary's, and there is none
        const auto made = write_gguf(*hf.source, hf.config, *find_mix("f32"), {}, file, {});
        if (hf.config.kda_heads != hf.config.num_attention_heads) {
            ASSERT_FALSE(made);
            EXPECT_THAT(made.error().message,
                        HasSubstr("linear_attn_config.num_heads " + std::to_string(hf.config.kda_heads) + ", which a GGUF file cannot say"));
            continue;
        }
        ++written;
        ASSERT_TRUE(made) << made.error().message;
        auto model = open_gguf(file);
        ASSERT_TRUE(model) << model.error().message;
        const auto config = gguf_config(*model);
        ASSERT_TRUE(config) << config.error().message;
        json ours = json::parse(to_json(*config)), theirs = json::parse(to_json(hf.config));
        for (json* j : {&ours, &theirs})
            for (const char* field : {"eos_token_id", "bos_token_id", "rope_theta"}) j->erase(field);
        EXPECT_EQ(ours, theirs);
        bool scored = false;
        for (const GgufTensor& t : model->parts[0].gguf.tensors) {
            scored |= t.info.name == "blk.0.attn_res_score.weight" && t.info.shape == std::vector<int64_t>{hf.config.hidden_size};
            EXPECT_EQ(t.info.name.find("_res_norm"), std::string::npos);
        }
        EXPECT_EQ(scored, hf.config.residual_block > 0);
        const auto source = gguf_weights(std::move(*model), *config);
        ASSERT_TRUE(source) << source.error().message;
        const auto from_gguf = Model::load(cpu(best_isa()), *config, *source);
        ASSERT_TRUE(from_gguf) << from_gguf.error().message;
        const Ids prompt{1, 5, 9, 31, 0, 7, 7, 20, 3};
        EXPECT_LE(furthest(logits_of(*from_gguf, {prompt}), logits_of(load(kGolden / fixture, cpu(best_isa())), {prompt})), 2e-5);
    }
    EXPECT_EQ(written, 3);
}

}  // namespace
}  // namespace klp
