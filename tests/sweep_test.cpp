// Models of a shape without a file, caches without a prompt, what a pass costs by count, and klp sweep's figures on the way to a file and back. No test looks
// at how long anything took.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "app/sweep_text.h"
#include "core/model/memory_plan.h"
#include "core/model/sequence.h"
#include "core/studies/sweep.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"

namespace klp {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<test::Device> raw_devices() {  // whose ops take the device's own pointers
    std::vector<test::Device> all;
    for (Isa isa : supported_isas()) all.push_back({std::string(name(isa)), [isa] { return test::cpu(isa); }});
    all.push_back({"naive", [] { return *make_backend("naive"); }});
    all.push_back({"simulated_gpu", [] { return cuda_on_cpu::make_backend(0, ""); }});
    if (make_backend("cuda")) all.push_back({"gpu", [] { return *make_backend("cuda"); }});
    return all;
}

bool finite(std::span<const float> values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

std::shared_ptr<const Model> drawn(std::shared_ptr<Backend> on, DType type, uint64_t seed = 0) {
    const ModelConfig& config = shape("tiny");
    auto model = Model::load(std::move(on), config, synthetic_weights(config, type, seed));
    EXPECT_TRUE(model) << model.error().message;
    return *model;
}

std::vector<float> answer(std::shared_ptr<const Model> model) {
    std::vector<int32_t> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(i * 37 % 256);
    Workspace ws(model->backend());
    Sequence sequence(std::move(model));
    EXPECT_TRUE(sequence.feed(ids, ws));
    EXPECT_TRUE(sequence.feed(std::span(ids).first(1), ws));
    return ws.logits;
}

class EveryDevice : public testing::TestWithParam<test::Device> {
protected:
    std::shared_ptr<Backend> on = GetParam().make();
};
INSTANTIATE_TEST_SUITE_P(All, EveryDevice, testing::ValuesIn(raw_devices()), [](const auto& info) { return info.param.name; });

TEST_P(EveryDevice, DrawsTheSameModelForTheSameSeed) {
    for (const DType type : {DType::bf16, DType::q8_0, DType::q4_0}) {
        const std::vector<float> logits = answer(drawn(on, type));
        EXPECT_TRUE(finite(logits)) << info(type).name;
        const auto [low, high] = std::minmax_element(logits.begin(), logits.end());
        EXPECT_TRUE(*high - *low > 0.1f && *high < 100 && *low > -100) << *low << " " << *high;
        EXPECT_EQ(answer(drawn(on, type)), logits) << info(type).name;
        EXPECT_NE(answer(drawn(on, type, 1)), logits) << info(type).name;
    }
}

TEST_P(EveryDevice, TheTwinOfADrawnModelAnswers) {
    const auto model = drawn(on, DType::q8_0);
    const auto twin = model->attention_twin();
    ASSERT_TRUE(twin) << twin.error().message;
    EXPECT_EQ((*twin)->twin(), TwinKind::synthetic);
    EXPECT_TRUE(finite(answer(*twin)));
}

TEST_P(EveryDevice, ASyntheticCacheHasTheBytesOfARealOne) {
    const auto model = drawn(on, DType::bf16);
    for (const auto& of : {model, *model->attention_twin()}) {
        constexpr int64_t kDepth = 2 * kMlaPage + 40;  // the last page is not full
        Sequence a(of), b(of);
        ASSERT_TRUE(a.fill(kDepth, 7));
        ASSERT_TRUE(b.fill(kDepth, 7));
        EXPECT_EQ(a.position(), kDepth);
        const SequenceBytes expected = sequence_bytes(of->config(), 3 * kMlaPage, 2);
        EXPECT_EQ(a.memory().state, expected.state);
        EXPECT_EQ(a.memory().conv, expected.conv);
        EXPECT_EQ(a.memory().cache, expected.cache);
        Workspace ws(*on);
        const int32_t id = 5;
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(a.feed({&id, 1}, ws));
        EXPECT_TRUE(finite(ws.logits));
        const std::vector<float> logits = ws.logits;
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(b.feed({&id, 1}, ws));
        EXPECT_EQ(ws.logits, logits);
        for (const float v : a.cache(3, 0, kDepth)) ASSERT_TRUE(std::abs(v) < 2);
    }
    Sequence small(model, 100);
    const auto refused = small.fill(101, 0);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("101 more tokens do not fit"));
}

TEST(DrawnModel, ThatCannotFitIsRefusedWithItsBytesBeforeAnythingIsTaken) {
    ModelConfig config = shape("kimi-linear-48b");
    config.intermediate_size = 1 << 30;  // 15 TB
    for (const auto& on : {*make_backend("cpu"), cuda_on_cpu::make_backend(0, "")}) {
        const auto model = Model::load(on, config, synthetic_weights(config, DType::bf16, 0));
        ASSERT_FALSE(model);
        EXPECT_EQ(model.error().kind, Error::device);
        EXPECT_THAT(model.error().message, AllOf(HasSubstr("synthetic checkpoint needs"), HasSubstr("(13915.41 GiB weights")));
        EXPECT_THAT(model.error().message, HasSubstr("MiB free"));
    }
}

// --- what a pass costs, against numbers worked out by hand for the 48B ---------------------------------------------------

class The48B : public testing::Test {
protected:
    const ModelConfig hybrid = shape("kimi-linear-48b"), twin = all_attention(hybrid);
    static void near(double got, double by_hand, double share, const char* what) { EXPECT_NEAR(got, by_hand, share * by_hand) << what; }
};

// 3.1068 G parameters a token (twin 2.8989 G) in bf16, 7 or 27 layers of 1,152 bytes a token, the state of 42 MB read and written. The router is kept in f32,
// which is half a percent.
TEST_F(The48B, ReadsSoManyBytesAToken) {
    const Costs a(hybrid, DType::bf16), b(twin, DType::bf16);
    near(a.decode(4096).bytes, 6.2137e9 + 7 * 1152 * 4096.0 + 83.9e6, 0.007, "hybrid, 4k");
    near(a.decode(1 << 20).bytes, 14.753e9, 0.003, "hybrid, 1M");
    near(b.decode(1 << 20).bytes, 38.413e9, 0.001, "twin, 1M");
    near(a.decode(1 << 20).bytes - a.decode(1 << 19).bytes, 7 * 1152.0 * (1 << 19), 1e-9, "hybrid, a token of context");
    near(b.decode(1 << 20).bytes - b.decode(1 << 19).bytes, 27 * 1152.0 * (1 << 19), 1e-9, "twin, a token of context");
    // 4.5 bit a weight; the small gates stay bf16 and the router f32, which is 0.1 GB.
    near(Costs(hybrid, DType::q4_0).decode(1).bytes, 3.1068e9 * 4.5 / 8 + 0.1e9 + 83.9e6, 0.01, "q4_0");
    const DeviceLimits h200{.read_gb_s = 4300, .f32_gflops = 6e4, .bf16_gflops = 7.9e5, .int8_gops = 1.6e6};
    near(a.seconds(a.decode(1 << 20), h200), 3.431e-3, 0.01, "hybrid, ms at 1M");
    near(b.seconds(b.decode(1 << 20), h200), 8.933e-3, 0.01, "twin, ms at 1M");
    EXPECT_TRUE(std::isnan(a.seconds(a.decode(1), {})));
}

// Of 256 experts 8 a token: 256 (1 - (248/256)^n) are hit. Weights alone, in ms at 4.3 TB/s.
TEST_F(The48B, ReadsMoreExpertsForMoreSequences) {
    const Costs costs(hybrid, DType::bf16);
    const std::pair<int, double> by_hand[] = {{1, 1.45}, {2, 2.11}, {4, 3.37}, {8, 5.68}, {16, 9.49}, {32, 14.7}};
    for (const auto& [n, ms] : by_hand) {
        const double states = n * 2.0 * double(sequence_bytes(hybrid, 0).total());
        near((costs.decode(0, n).bytes - states) / 4.3e9, ms, 0.012, "weights");
    }
    near(costs.decode(1 << 20, 5).bytes / 4.3e9, 13.9, 0.01, "5 sequences of 1M");
}

// 5.457 GFLOP a token outside attention and head (twin 5.043), KDA's core 126,976 a head and token; attention 143,360 T / 2 a token (552,960).
TEST_F(The48B, MultipliesSoMuchInAPrompt) {
    const Costs a(hybrid, DType::bf16), b(twin, DType::bf16);
    const double kda = 20.0 * 32 * 126976, head = 2 * 377.49e6;
    for (const double T : {4096.0, 131072.0, 1048576.0}) {
        near(a.prefill(int64_t(T)).operations, T * (5.457e9 + kda + 143360 * T / 2) + head, 0.002, "hybrid");
        near(b.prefill(int64_t(T)).operations, T * (5.043e9 + 552960 * T / 2) + head, 0.002, "twin");
    }
    // A token decoded: 69,632 a layer and token of context, absorbed; KDA's step 3.67 M a layer.
    near(a.decode(1 << 20).operations - a.decode(0).operations, 7 * 69632.0 * (1 << 20), 1e-9, "absorbed attention");
    near(a.decode(0).operations, 2 * 3.1068e9 + 20 * 3.67e6, 0.002, "a token");
    // Every weight once: 98.2 GB but for the embedding, 0.755 GB, of which 4,096 rows are read.
    near(a.prefill(4096).bytes, 98.24e9 - 0.755e9 + 4096 * 4608.0, 0.002, "all weights");
}

TEST(Costs, OfALoadedModelAreItsOwnCount) {
    for (const DType type : {DType::f32, DType::bf16, DType::q8_0}) {
        const ModelConfig& config = shape("mini");
        const auto model = Model::load(*make_backend("cpu", 1), config, synthetic_weights(config, type, 0));
        ASSERT_TRUE(model);
        const SequenceBytes none = sequence_bytes(config, 0);
        const double counted = Costs(config, type).decode(0).bytes - 2.0 * double(none.total());
        EXPECT_NEAR(counted, double((*model)->active_weight_bytes()), 0.02 * counted) << info(type).name;  // norms and convolutions
    }
}

// Layer by layer it is the whole: what a step of one sequence reads is them all, the head, a row of the embedding, states twice and the cache.
TEST(Costs, OfLayersAreThoseOfTheModel) {
    for (const char* name : {"tiny", "mini", "kimi-linear-48b", "ling-3.0-tiny", "qwen3.5-0.8b", "qwen3.5-35b-a3b"}) {
        for (const ModelConfig& config : {shape(name), all_attention(shape(name))}) {
            const Costs costs(config, DType::bf16);
            double bytes = costs.head() + costs.embedding_row();
            const auto layers = costs.layers();
            ASSERT_EQ(layers.size(), static_cast<size_t>(config.num_hidden_layers));
            for (size_t i = 0; i < layers.size(); ++i) {
                const LayerCost& one = layers[i];
                EXPECT_TRUE(one.mixer > 0 && one.ffn > 0) << name << " " << i;
                EXPECT_EQ(one.state > 0, config.has_state(static_cast<int>(i))) << name << " " << i;
                EXPECT_EQ(one.cache > 0, one.state == 0) << name << " " << i;
                bytes += one.mixer + one.ffn + 2 * one.state + 4096 * one.cache;
            }
            EXPECT_NEAR(bytes, costs.decode(4096).bytes, 1e-3 * bytes) << name;  // the last norm is of no layer
        }
    }
}

TEST(SequencesThatFit, AreAsManyAsTheirBytesAllow) {
    const ModelConfig& c = shape("kimi-linear-48b");
    for (const int64_t context : {4096, 1 << 20}) {
        const int64_t one = bytes_of_sequence(c, context, 2);
        EXPECT_GT(one, sequence_bytes(c, context).total());
        EXPECT_LT(one, sequence_bytes(c, context).total() * 1.05 + 4e6);
        EXPECT_EQ(sequences_that_fit(c, 5 * one, context, 2), 5);
        EXPECT_EQ(sequences_that_fit(c, 5 * one - 1, context, 2), 4);
        EXPECT_EQ(sequences_that_fit(c, -1, context, 2), 0);
    }
}

// --- a sweep ------------------------------------------------------------------------------------------------------------

struct Swept {
    Sweep sweep;
    Result<void> done;
};
Swept sweep_of(const std::shared_ptr<Backend>& on, SweepOptions options) {
    ModelConfig config = shape("tiny");
    config.model_max_length = options.contexts.back() + kMlaPage;
    const auto model = *Model::load(on, config, synthetic_weights(config, DType::q8_0, 0));
    Swept out;
    out.sweep.type = "q8_0", out.sweep.model = "tiny", out.sweep.date = "2026-11-21T00:00:00Z", out.sweep.klp = "1.2.3", out.sweep.twin = "a twin";
    out.sweep.weight_bytes = model->weight_bytes(), out.sweep.device = on->info();
    out.sweep.limits = {10, 20, 30, 40};
    out.done = run_sweep(model, *model->attention_twin(), options, out.sweep);
    return out;
}

TEST(SweepRun, MeasuresBothAtEveryContext) {
    std::vector<int64_t> seen;
    SweepOptions options{.contexts = {64, 300, 1024}, .memory = 67 << 20};
    options.on_row = [&](const SweepRow& row) { seen.push_back(row.context); };
    const auto [s, done] = sweep_of(*make_backend("cpu", 1), options);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(seen, options.contexts);
    EXPECT_EQ(s.ended, "");
    for (const SweepRow& row : s.rows) {
        EXPECT_TRUE(row.in_turn);
        for (const SweepCell* c : {&row.hybrid, &row.twin}) {
            const bool hybrid = c == &row.hybrid;
            const SequenceBytes bytes = sequence_bytes(hybrid ? shape("tiny") : all_attention(shape("tiny")), row.context);
            EXPECT_EQ(c->state_bytes, bytes.state + bytes.conv);
            EXPECT_EQ(c->cache_bytes, bytes.cache);
            EXPECT_EQ(c->prefill.why, "");
            EXPECT_FALSE(c->prefill.seconds.empty());
            EXPECT_GT(c->one.steps, 0);
            EXPECT_FALSE(c->one.synthetic);
            EXPECT_TRUE(c->one.p10 > 0 && c->one.p10 <= c->one.ms && c->one.ms <= c->one.p90);
            EXPECT_TRUE(c->one.least_ms > 0 && c->prefill.least_seconds > 0);
            const int64_t room = (67 << 20) - s.weight_bytes - (64 << 20);
            EXPECT_EQ(c->batch.sequences,
                      std::min(kMostSequences, sequences_that_fit(hybrid ? shape("tiny") : all_attention(shape("tiny")), room, row.context, 2)));
            if (c->batch.sequences > 0)
                EXPECT_TRUE(c->batch.synthetic && c->batch.rate() > 0);
            else
                EXPECT_THAT(c->batch.why, HasSubstr("beside the weights"));
        }
    }
}

TEST(SweepRun, LeavesOutPrefillsThatWouldTakeTooLongAndSaysSo) {
    const auto [s, done] = sweep_of(*make_backend("cpu", 1), {.contexts = {64, 4096}, .limit_seconds = 1e-9, .memory = 68 << 20});
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(s.rows.size(), 2u);
    EXPECT_EQ(s.rows[0].hybrid.prefill.why, "");  // nothing is known before the first
    EXPECT_FALSE(s.rows[0].hybrid.one.synthetic);
    EXPECT_THAT(s.rows[1].hybrid.prefill.why, HasSubstr("left out: about"));
    EXPECT_TRUE(s.rows[1].hybrid.prefill.seconds.empty());
    EXPECT_TRUE(s.rows[1].hybrid.one.synthetic);
    EXPECT_GT(s.rows[1].hybrid.one.steps, 0);
    const std::string text = sweep_rows(s.rows[1], {}) + sweep_foot(s, {});
    EXPECT_THAT(text, HasSubstr("ms a token *"));
    EXPECT_THAT(text, HasSubstr("hybrid, prefill: left out"));
    EXPECT_THAT(text, HasSubstr("* Behind a synthetic cache"));
}

TEST(SweepRun, RunsOnASimulatedGpu) {
    const auto [s, done] = sweep_of(cuda_on_cpu::make_backend(0, ""), {.contexts = {64}, .limit_seconds = 0.01, .memory = 65 << 20});
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(s.rows.size(), 1u);
    EXPECT_GT(s.rows[0].twin.batch.steps, 0);
}

TEST(SweepRun, EndsBeforeMemoryDoes) {
    SweepOptions options{.contexts = {64, 1 << 15}, .limit_seconds = 0.05, .memory = 68 << 20};
    options.available = [] { return int64_t{70} << 20; };
    const auto [s, done] = sweep_of(*make_backend("cpu", 1), options);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(s.rows.size(), 2u);
    EXPECT_THAT(s.ended, HasSubstr("ended before 32768 tokens: the hybrid needs"));
    EXPECT_FALSE(s.rows[0].computed);
    EXPECT_TRUE(s.rows[1].computed) << "what needs no memory is said all the same";
    const SequenceBytes twin = sequence_bytes(all_attention(shape("tiny")), 1 << 15);
    EXPECT_EQ(s.rows[1].twin.cache_bytes, twin.cache);
    EXPECT_EQ(s.rows[1].twin.one.steps, 0);
    EXPECT_GT(s.rows[1].twin.one.least_ms, s.rows[1].hybrid.one.least_ms);
    EXPECT_THAT(sweep_rows(s.rows[1], {}), HasSubstr("\n32k, computed"));
    EXPECT_THAT(sweep_foot(s, {}), HasSubstr("computed: nothing was run"));
    EXPECT_THAT(s.ended, HasSubstr("70.0 MiB are free"));

    options.available = [] { return int64_t{85} << 20; };  // the twin needs more
    const auto [half, also] = sweep_of(*make_backend("cpu", 1), options);
    ASSERT_EQ(half.rows.size(), 2u) << half.ended;
    EXPECT_FALSE(half.rows[1].in_turn);
    EXPECT_GT(half.rows[1].hybrid.one.steps, 0);
    EXPECT_THAT(half.rows[1].twin.one.why, HasSubstr("85.0 MiB are free"));
}

TEST(SweepRun, RefusesABudgetThatHoldsNothing) {
    const auto small = sweep_of(*make_backend("cpu", 1), {.contexts = {64}, .memory = 1 << 20}).done;
    ASSERT_FALSE(small);
    EXPECT_EQ(small.error().kind, Error::device);
    EXPECT_THAT(small.error().message, HasSubstr("a budget of 1.0 MiB holds no sequence"));
    const auto large = sweep_of(*make_backend("cpu", 1), {.contexts = {64}, .memory = int64_t{1} << 50}).done;
    ASSERT_FALSE(large);
    EXPECT_THAT(large.error().message, HasSubstr("is more than there is"));
}

TEST(SweepRun, KeepsWhatWasFinishedWhenItIsInterrupted) {
    std::atomic<bool> cancel = false;
    SweepOptions options{.contexts = {64, 128}, .memory = 67 << 20, .cancel = &cancel};
    options.on_row = [&](const SweepRow&) { cancel = true; };
    const auto [s, done] = sweep_of(*make_backend("cpu", 1), options);
    ASSERT_TRUE(done);
    EXPECT_EQ(s.rows.size(), 1u);
    EXPECT_EQ(s.ended, "was interrupted at 128 tokens");
}

// --- files --------------------------------------------------------------------------------------------------------------

Sweep invented() {
    Sweep s{.klp = "1.2.3",
            .date = "2026-11-21T10:00:00Z",
            .command = "klp sweep",
            .model = "a <model> & \"more\"",
            .type = "bf16",
            .twin = "same shapes",
            .parameters = 48,
            .active = 3,
            .weight_bytes = 96};
    s.device = {.name = "cuda:0", .hardware = "A card", .detail = "compute 9.0", .memory_bytes = 1000};
    s.limits = {4300, 60000, 790000, 1600000};
    s.limit_seconds = 60, s.memory = 500, s.ended = "ended early";
    for (const int64_t context : {4096, 1 << 20}) {
        SweepRow row{.context = context, .in_turn = context == 4096};
        for (SweepCell* c : {&row.hybrid, &row.twin}) {
            const double k = c == &row.hybrid ? 1 : 2;
            c->state_bytes = 100, c->cache_bytes = context * int64_t(k) * 1152;
            c->prefill = {.tokens = context, .seconds = {0.25, 0.5}, .least_seconds = 0.125};
            c->one = {.sequences = 1,
                      .steps = 80,
                      .synthetic = context > 4096,
                      .ms = 2.5 * k,
                      .p10 = 2.25 * k,
                      .p90 = 2.75 * k,
                      .bytes = 5e9,
                      .operations = 6e9,
                      .least_ms = 1.5 * k};
            c->batch = {.sequences = 7, .steps = 8, .synthetic = true, .ms = 10, .p10 = 9, .p90 = 11, .bytes = 9e9, .operations = 7e10, .least_ms = 8};
        }
        s.rows.push_back(row);
    }
    compute_rows(shape("tiny"), std::vector<int64_t>{1 << 21}, s);
    s.rows[1].twin.prefill.seconds.clear(), s.rows[1].twin.prefill.why = "left out, \"too long\"";
    s.rows[1].twin.batch = {.sequences = 0, .why = "no room"};
    return s;
}

TEST(SweepFile, ComesBackAsItWas) {
    const Sweep s = invented();
    const std::string json = to_json(s);
    const auto back = parse_sweep(json, "a.json");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(to_json(*back), json);
    for (size_t i : {1, 2}) EXPECT_EQ(sweep_rows(back->rows[i], {}), sweep_rows(s.rows[i], {}));
    EXPECT_TRUE(back->rows[2].computed);
    EXPECT_EQ(sweep_csv(*back), sweep_csv(s));
    EXPECT_EQ(sweep_svg(*back), sweep_svg(s));
}

TEST(SweepFile, WhatIsWrongIsSaidInASentenceWithFileAndField) {
    const auto said = [](const std::string& json) {
        const auto s = parse_sweep(json, "a.json");
        return s ? std::string("nothing") : s.error().message;
    };
    const auto json = nlohmann::json::parse(to_json(invented()));
    const auto with = [&](const char* pointer, const nlohmann::json& value) {
        auto changed = json;
        changed[nlohmann::json::json_pointer(pointer)] = value;
        return said(changed.dump());
    };
    EXPECT_THAT(said(""), HasSubstr("a.json"));
    EXPECT_THAT(said("[1]"), HasSubstr("a.json: this is no recorded sweep"));
    EXPECT_THAT(said("{}"), HasSubstr("a.json: this is no recorded sweep"));
    EXPECT_EQ(with("/sweep", 2), "a.json: sweep is 2, and this program reads 1");
    EXPECT_EQ(with("/device", 7), "a.json: device is not an object");
    EXPECT_EQ(with("/rows", "x"), "a.json: rows is not a list");
    EXPECT_EQ(with("/rows/1/context", -3), "a.json: rows[1].context is not a whole number");
    EXPECT_EQ(with("/rows/1/context", 4096), "a.json: rows[1].context is not more than the one before");
    EXPECT_EQ(with("/rows/0/twin/decode/ms", "fast"), "a.json: rows[0].twin.decode.ms is not a number");
    EXPECT_EQ(with("/rows/0/twin/decode/ms", 0), "a.json: rows[0].twin.decode.ms is not more than 0");
    EXPECT_EQ(with("/rows/0/hybrid/prefill/seconds/1", -1), "a.json: rows[0].hybrid.prefill.seconds is not a list of numbers");
    EXPECT_EQ(with("/date", 5), "a.json: date is not text");
    auto missing = json;
    missing["rows"][0]["hybrid"].erase("batch");
    EXPECT_EQ(said(missing.dump()), "a.json: rows[0].hybrid.batch is missing");
    const std::string whole = json.dump();
    for (size_t n = 0; n < whole.size(); n += 101) EXPECT_THAT(said(whole.substr(0, n)), HasSubstr("a.json")) << n;
}

TEST(SweepText, FitsTheTerminal) {
    const Sweep s = invented();
    for (const int width : {80, 100, 60, 50}) {
        const Canvas canvas{.width = width};
        std::istringstream lines(sweep_head(s, canvas) + sweep_rows(s.rows[0], canvas) + sweep_rows(s.rows[1], canvas) + sweep_foot(s, canvas) +
                                 sweep_reference(canvas));
        for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), size_t(width)) << line;
    }
    const std::string csv = sweep_csv(s);
    EXPECT_THAT(csv, HasSubstr("\"left out, \"\"too long\"\"\""));
    std::istringstream lines(csv);
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), 28);
}

TEST(SweepText, ThePictureIsWellFormedWhateverIsInIt) {
    Sweep s = invented();
    EXPECT_THAT(sweep_svg(s), HasSubstr("a &lt;model&gt; &amp; &quot;more&quot;"));
    EXPECT_THAT(sweep_svg(s), HasSubstr("hollow: a synthetic cache"));
    for (const char* bad : {"nan", "inf", "n/a"}) EXPECT_THAT(sweep_svg(s), testing::Not(HasSubstr(bad)));
    s.rows.resize(1);
    EXPECT_THAT(sweep_svg(s), testing::Not(HasSubstr("nan")));
    s.rows[0].hybrid.one = s.rows[0].twin.one = {};
    EXPECT_THAT(sweep_svg(s), HasSubstr("nothing was measured"));
    s.rows.clear();
    EXPECT_THAT(sweep_svg(s), HasSubstr("no row was finished"));
}

}  // namespace
}  // namespace klp
