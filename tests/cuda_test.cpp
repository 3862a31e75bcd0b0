// The CUDA backend, simulated on the CPU and on a GPU where there is one: how launches are kept back and replayed, and what the ops' own tests do not reach.
#include <fstream>
#include <sstream>

#include "core/model/checkpoint.h"
#include "core/model/generate.h"
#include "core/model/memory_plan.h"
#include "core/text/chat_template.h"
#include "kernels/cuda/nvml.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using namespace test;

std::vector<Device> raw_gpus() {  // whose ops take device pointers
    std::vector<Device> all{{"simulated_gpu", [] { return cuda_on_cpu::make_backend(0, ""); }}};
    if (make_backend("cuda")) all.push_back({"gpu", [] { return *make_backend("cuda"); }});
    return all;
}

class EveryGpu : public testing::TestWithParam<Device> {
protected:
    std::shared_ptr<Backend> on = GetParam().make();

    Buffer uploaded(const Floats& values) {
        Buffer b = on->allocate(values.size() * sizeof(float));
        on->upload(b.as(), values.data(), b.bytes());
        return b;
    }
    Floats downloaded(const Buffer& b) {
        Floats values(b.bytes() / sizeof(float));
        on->download(values.data(), b.as(), b.bytes());
        return values;
    }
};
INSTANTIATE_TEST_SUITE_P(All, EveryGpu, testing::ValuesIn(raw_gpus()), [](const auto& info) { return info.param.name; });

TEST_P(EveryGpu, CopiesAndZeroesKeepTheirOrder) {
    const Floats values = normal(3'000'000, 1);  // more than the pinned memory on the way holds
    Buffer a = uploaded(values), b = on->allocate(a.bytes());
    on->copy(b.as(), a.as(), a.bytes());
    on->zero(a.as(), 40);
    EXPECT_TRUE(identical(downloaded(b), values));
    const Floats zeroed = downloaded(a);
    EXPECT_EQ(zeroed[9], 0);
    EXPECT_EQ(zeroed[10], values[10]);
}

// The same pass again and again, with other ids: the first is run as it is, the others as one graph.
TEST_P(EveryGpu, APassThatComesAgainReadsWhatIsGivenAnew) {
    constexpr int D = 24, V = 50;
    const Floats values = normal(D * V, 2);
    const Matrix table(values, V, D, DType::bf16);
    std::vector<Buffer> keep;
    const Weight w = on->adopt(table.w, keep);
    Buffer x = on->allocate(3 * D * sizeof(float));
    for (int pass = 0; pass < 6; ++pass) {
        const int32_t ids[] = {pass, 2 * pass + 1, 49 - pass};
        on->begin_pass(1);
        on->embed({.ids = ids, .table = w, .x = {x.as<float>(), {3, D}}});
        on->end_pass();
        const Floats got = downloaded(x);
        for (int t = 0; t < 3; ++t) {
            Floats row(D);
            decode(DType::bf16, table.w.row(ids[t]), D, row.data());
            EXPECT_TRUE(identical(row, Floats(got.begin() + t * D, got.begin() + (t + 1) * D))) << "pass " << pass;
        }
    }
}

// A decoding sequence: every pass is the same list of launches, replayed as a graph, while the context crosses a page and the shares of the blocks grow.
TEST_P(EveryGpu, AGrowingCacheIsReadByTheSameGraph) {
    Mla op;
    op.H = 5, op.nope = 16, op.rope = 64, op.V = 8, op.L = 512, op.scale = 0.1f, op.cache_type = DType::bf16;
    constexpr int64_t kFirst = 250, kTokens = 12;
    const Matrix kv_b(normal(op.H * (op.nope + op.V) * op.L, 4, 0.05f), op.H * (op.nope + op.V), op.L, DType::bf16);
    std::vector<Buffer> keep;
    op.kv_b = on->adopt(kv_b.w, keep);
    const Floats past = normal(2 * kMlaPage * op.cache_width(), 6);
    std::vector<std::byte> stored(past.size() * 2);
    encode(DType::bf16, past.data(), static_cast<int64_t>(past.size()), stored.data());
    const Buffer rows = uploaded(normal(kTokens * op.width(), 5)), x = on->allocate(op.width() * sizeof(float)), y = on->allocate(op.H * op.V * sizeof(float));
    std::vector<Floats> answers[2];
    for (const bool in_pass : {false, true}) {
        const Buffer cache = on->allocate(stored.size());
        on->upload(cache.as(), stored.data(), stored.size());
        std::byte* const pages[] = {cache.as(), cache.as() + stored.size() / 2};
        for (int64_t t = 0; t < kTokens; ++t) {
            const MlaSegment segment{0, 1, kFirst + t, std::span(pages).first((kFirst + t) / kMlaPage + 1)};
            Mla a = op;
            a.x = {x.as<float>(), {1, op.width()}}, a.y = {y.as<float>(), {1, op.H * op.V}}, a.segments = {&segment, 1};
            if (in_pass) on->begin_pass(1);
            on->copy(x.as(), rows.as<float>() + t * op.width(), x.bytes());
            on->mla(a);
            if (in_pass) on->end_pass();
            answers[in_pass].push_back(downloaded(y));
        }
    }
    for (int64_t t = 0; t < kTokens; ++t) {
        EXPECT_TRUE(identical(answers[0][t], answers[1][t])) << t;
        EXPECT_TRUE(std::isfinite(answers[0][t][0]));
    }
}

// Weights of every type drawn on the device are those that klp init would have written, padding included; arrays end where they end.
TEST_P(EveryGpu, DrawsWhatTheHostDraws) {
    for (const DTypeInfo& type : dtypes()) {
        for (const int64_t in : {32, 96, 160, 288, 256, 768}) {
            if (in % type.block || (type.block == 32 && in > 288)) continue;
            const Weight shape{nullptr, type.type, 5, in};
            const Random random{77, 0.3f};
            std::vector<Buffer> host, keep;
            const auto cpu = make_backend("naive");
            const Weight stored = (*cpu)->draw(shape, random, host), there = on->adopt(stored, keep), drawn = on->draw(shape, random, keep);
            EXPECT_EQ(there.bytes(), drawn.bytes());
            ASSERT_EQ(keep[0].bytes(), keep[1].bytes());
            std::vector<std::byte> a(keep[0].bytes()), b(a);
            on->download(a.data(), keep[0].as(), a.size());
            on->download(b.data(), keep[1].as(), b.size());
            EXPECT_TRUE(a == b) << type.name << " " << in;
        }
    }
    for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
        constexpr int64_t n = 77, kBehind = 3;
        const auto size = static_cast<size_t>(info(type).bytes);
        const std::vector<std::byte> before((n + kBehind) * size, std::byte{7});
        std::vector<std::byte> expected(before), got(before);
        const Buffer array = on->allocate(before.size());
        on->upload(array.as(), before.data(), before.size());
        on->fill(array.as(), type, n, {5, 2});
        on->download(got.data(), array.as(), got.size());
        (*make_backend("naive"))->fill(expected.data(), type, n, {5, 2});
        EXPECT_TRUE(got == expected) << info(type).name;
    }
}

TEST_P(EveryGpu, KnowsItsLimits) {
    const DeviceLimits limits = on->limits();
    for (const double rate : {limits.read_gb_s, limits.f32_gflops, limits.bf16_gflops, limits.int8_gops}) EXPECT_TRUE(rate > 0 && std::isfinite(rate)) << rate;
}

TEST_P(EveryGpu, ADownloadInAPassSeesWhatCameBefore) {
    const Floats values = normal(64, 3);
    Buffer a = uploaded(values), b = on->allocate(a.bytes());
    on->begin_pass(1);
    on->copy(b.as(), a.as(), a.bytes());
    EXPECT_TRUE(identical(downloaded(b), values));
    on->zero(b.as(), b.bytes());
    on->end_pass();
    EXPECT_EQ(downloaded(b), Floats(64));
}

TEST_P(EveryGpu, AnErrorInAPassLeavesTheNextOneAlone) {
    const Floats values = normal(64, 3);
    Buffer a = uploaded(values), b = on->allocate(a.bytes());
    for (int pass = 0; pass < 4; ++pass) {  // run as it is, made a graph, replayed
        on->zero(b.as(), b.bytes());
        on->begin_pass(1);
        on->copy(b.as(), a.as(), a.bytes());
        EXPECT_THROW(on->allocate(size_t{1} << 50), DeviceError);
        on->end_pass();
        EXPECT_TRUE(identical(downloaded(b), values));
    }
}

// While the pass is run as it is, and while it becomes a graph.
TEST(SimulatedGpu, AFailedLaunchLeavesTheNextPassAlone) {
    const auto on = cuda_on_cpu::make_backend(0, "");
    constexpr int D = 24;
    const Matrix table(normal(D * 3, 2), 3, D, DType::f32);
    std::vector<Buffer> keep;
    const Weight w = on->adopt(table.w, keep);
    Buffer x = on->allocate(D * sizeof(float));
    for (const int fails : {0, 1, -1}) {
        for (int pass = 0; pass < 5; ++pass) {
            const int32_t id = pass % 3;
            on->zero(x.as(), x.bytes());
            on->begin_pass(1);
            for (int n = 0; n <= fails + 2; ++n) on->embed({.ids = {&id, 1}, .table = w, .x = {x.as<float>(), {1, D}}});  // another list for each case
            simt::launches_until_failure = pass == fails ? 2 : 0;
            if (pass == fails) {
                EXPECT_THROW(on->end_pass(), DeviceError);
                continue;
            }
            on->end_pass();
            Floats got(D);
            on->download(got.data(), x.as(), x.bytes());
            EXPECT_TRUE(identical(got, Floats(reinterpret_cast<const float*>(table.w.row(id)), reinterpret_cast<const float*>(table.w.row(id)) + D))) << pass;
        }
    }
}

// A search that ended between two of its launches leaves nothing to the next one.
TEST(SimulatedGpu, AFailedLaunchLeavesTheNextIdAlone) {
    const auto on = cuda_on_cpu::make_backend(0, "");
    constexpr int64_t kIds = 64;
    const Buffer logits = on->allocate(kIds * sizeof(float)), picked = on->allocate(sizeof(Pick));
    for (const bool fails : {true, false}) {
        Floats values(kIds, 0);
        values[fails ? 3 : 5] = fails ? 9.f : 1.f;
        on->upload(logits.as(), values.data(), logits.bytes());
        on->begin_pass(1);
        on->sample({.logits = {logits.as<float>(), {kIds}}, .how = {.temperature = 0}, .pick = picked.as<Pick>()});
        simt::launches_until_failure = fails ? 2 : 0;
        if (fails)
            EXPECT_THROW(on->end_pass(), DeviceError);
        else
            on->end_pass();
    }
    Pick pick;
    on->download(&pick, picked.as(), sizeof pick);
    EXPECT_EQ(pick.id, 5);
}

TEST_P(EveryGpu, MemoryThatIsNotThereIsRefusedWithItsBytes) {
    try {
        on->allocate(size_t{1} << 50);
        FAIL();
    } catch (const DeviceError& e) {
        EXPECT_NE(std::string(e.what()).find("1125899906842624 bytes"), std::string::npos) << e.what();
    }
}

// The whole way of a token: bf16 weights, prefill, then decoding as a graph.
TEST_P(EveryGpu, TheDemoModelSaysWhatItSaysOnTheCpu) {
    auto checkpoint = open_checkpoint(source_dir() / "resources/models/demo");
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    auto question = encode_message(*checkpoint->tokenizer, {.role = "user", .content = "Hello"});
    auto marker = generation_prompt(*checkpoint->tokenizer);
    ASSERT_TRUE(question && marker);
    question->insert(question->end(), marker->begin(), marker->end());
    const auto answer = [&](std::shared_ptr<Backend> device) {
        auto model = Model::load(device, checkpoint->config, checkpoint->source);
        EXPECT_TRUE(model) << model.error().message;
        Sequence sequence(*model);
        Workspace ws(*device);
        auto said = generate(sequence, *question, ws, {.sampling = {.temperature = 0}, .budget = 10});
        EXPECT_TRUE(said);
        return said->tokens;
    };
    EXPECT_EQ(answer(on), answer(*make_backend("cpu", 1)));
}

// A token's graph is kernels alone, greedy or drawn, of one sequence or of two that decode together: a copy or a memset between them would end a chain of
// launches that overlap.
TEST(SimulatedGpu, ATokensGraphCopiesAndEmptiesNothing) {
    const auto on = cuda_on_cpu::make_backend(0, "");
    const ModelConfig& config = shape("tiny");
    auto model = Model::load(on, config, synthetic_weights(config, DType::bf16, 1), {.context = 100});
    ASSERT_TRUE(model) << model.error().message;
    Sequence first(*model, 100), second(*model, 100);
    Workspace ws(*on);
    const std::vector<int32_t> ids(8, 1);
    for (const Sampling& how : {Sampling{.temperature = 0}, Sampling{}, Sampling{.top_k = 5, .top_p = 0.5f}})
        for (const bool both : {false, true}) {
            const Choice choice{.how = how, .random = 0.3};
            const int64_t before = simt::memory_nodes;
            for (int i = 0; i < 4; ++i) {
                const Feed feeds[] = {{&first, std::span(ids).first(1), &choice}, {&second, std::span(ids).first(1), &choice}};
                (*model)->forward(std::span(feeds).first(both ? 2 : 1), ws);
            }
            EXPECT_EQ(simt::memory_nodes, before) << how.temperature << " " << both;
        }
    EXPECT_EQ(first.position(), 24);
}

// What is planned before anything is taken is what loading and the largest pass then take, to a fiftieth of its scratch: a shorter pass in front of it and
// decoding behind it take no more.
TEST(SimulatedGpu, ThePlanIsWhatIsTaken) {
    constexpr int64_t kContext = 400, kPass = 130;
    for (const DType type : {DType::f32, DType::bf16, DType::q4_0}) {
        for (const char* name : {"tiny", "tiny-spec"}) {
            SCOPED_TRACE(std::string(name) + " " + std::string(info(type).name));
            const ModelConfig& config = shape(name);
            const auto source = synthetic_weights(config, type, 1);
            const auto on = cuda_on_cpu::make_backend(0, "");
            const int64_t before = simt::most_held_bytes = simt::held_bytes;
            const auto plan = plan_memory(config, source, *on, kContext, kPass);
            ASSERT_TRUE(plan) << plan.error().message;
            auto model = Model::load(on, config, source, {.context = kContext});
            ASSERT_TRUE(model) << model.error().message;
            EXPECT_EQ(simt::most_held_bytes - before, plan->weights) << "planning took memory";
            Sequence sequence(*model, kContext);
            EXPECT_EQ(simt::most_held_bytes - before, plan->weights + plan->state);
            Workspace ws(*on);
            const std::vector<int32_t> ids(kPass, 1);
            const Choice choice{.how = {.top_k = 3, .top_p = 0.5f, .repeat_penalty = 2}, .candidates = 20};
            ASSERT_TRUE(sequence.fill(kContext - kPass - 40, 7));
            ASSERT_TRUE(sequence.feed(std::span(ids).first(30), ws, nullptr, &choice));
            ASSERT_TRUE(sequence.feed(ids, ws, nullptr, &choice));
            EXPECT_LE(simt::most_held_bytes - before, plan->total()) << text(*plan);
            EXPECT_GE(simt::most_held_bytes - before, plan->total() - plan->scratch / 50) << text(*plan);
            for (int i = 0; i < 10; ++i) ASSERT_TRUE(sequence.feed(std::span(ids).first(1), ws, nullptr, &choice));
            EXPECT_LE(simt::most_held_bytes - before, plan->total()) << "decoding";
        }
    }
}

// What a layer needs is the next one's: a pass takes no more for more layers.
TEST(SimulatedGpu, APassTakesTheSameForMoreLayers) {
    const auto on = cuda_on_cpu::make_backend(0, "");
    const ModelConfig& all = shape("kimi-linear-48b");
    ModelConfig few = all;
    few.num_hidden_layers = 8;
    few.layer_kinds.resize(8);
    const auto plan = plan_memory(all, synthetic_weights(all, DType::bf16, 1), *on, 8192, 8192);
    const auto plan_of_few = plan_memory(few, synthetic_weights(few, DType::bf16, 1), *on, 8192, 8192);
    ASSERT_TRUE(plan && plan_of_few);
    constexpr int64_t kExpertTables = 26 * 257 * 160;
    EXPECT_NEAR(static_cast<double>(plan->scratch), static_cast<double>(plan_of_few->scratch), kExpertTables);
    EXPECT_LT(plan->scratch, int64_t{2'000'000'000}) << text(*plan);
}

// docs/models.md says which card holds the 48B in which type to which context: the longest power of two from 64 * 1,024 tokens on, 1 GiB left to others.
TEST(SimulatedGpu, HoldsWhatTheTableOfCardsSays) {
    const auto cells = [](const std::string& line) {
        std::vector<std::string> all;
        std::stringstream in(line.substr(1));
        for (std::string cell; std::getline(in, cell, '|');) {
            const size_t first = cell.find_first_not_of(' ');
            all.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
        }
        return all;
    };
    std::ifstream page(source_dir() / "docs/models.md");
    std::string line;
    while (std::getline(page, line) && !line.starts_with("| card |")) {
    }
    const std::vector<std::string> head = cells(line);
    std::vector<std::vector<std::string>> cards;
    while (std::getline(page, line) && line.starts_with("|"))
        if (!line.starts_with("|-")) cards.push_back(cells(line));
    ASSERT_GE(cards.size(), 5u);

    const auto on = cuda_on_cpu::make_backend(0, "");
    const ModelConfig& config = shape("kimi-linear-48b");
    for (size_t column = 1; column < head.size(); ++column) {
        const DTypeInfo* type = find_dtype(head[column]);
        ASSERT_TRUE(type) << head[column];
        std::vector<std::string> longest(cards.size());
        for (int64_t thousands = 64; thousands <= 1024; thousands *= 2) {
            const auto plan = plan_memory(config, synthetic_weights(config, type->type, 1), *on, thousands * 1024, kPrefillChunk);
            ASSERT_TRUE(plan) << plan.error().message;
            for (size_t i = 0; i < cards.size(); ++i)
                if (plan->total() <= (std::stoll(cards[i][0]) - 1) << 30) longest[i] = std::to_string(thousands);
        }
        for (size_t i = 0; i < cards.size(); ++i) EXPECT_EQ(cards[i].at(column), longest[i]) << head[column] << " on " << cards[i][0];
    }
}

// All logits of a pass of 16,400 tokens are more than 2^31 values, and so are the rows of a large vocabulary. The simulation runs the same at a hundredth of
// the size.
TEST_P(EveryGpu, ArraysMayHaveMoreThan31BitsOfValues) {
    const bool small = GetParam().name == "simulated_gpu";
    const int64_t T = small ? 150 : 16'400, out = small ? 512 : 131'072, in = 64, rows = small ? 4096 : int64_t{35} << 20;
    const int64_t bytes = T * out * 4 + rows * in * 2;
    if (!small && on->free_bytes() < bytes + (int64_t{1} << 30)) GTEST_SKIP() << "takes " << bytes << " bytes of the GPU's memory";
    const auto cpu = make_backend("cpu");
    ASSERT_TRUE(cpu);
    const Floats x = normal(static_cast<size_t>(T * in), 1);
    const Matrix w(normal(static_cast<size_t>(out * in), 2), out, in, DType::bf16);
    std::vector<Buffer> keep;
    const Weight there = on->adopt(w.w, keep);
    Buffer in_there = uploaded(x), y = on->allocate(static_cast<size_t>(T * out) * sizeof(float));
    on->linear({.x = {in_there.as<float>(), {T, in}}, .w = {&there, 1}, .y = {y.as<float>(), {T, out}}});
    Floats got(static_cast<size_t>(out)), expected(got.size());
    for (const int64_t t : {int64_t{0}, T - 17, T - 16, T - 1}) {  // the first one, and around 2^31 values and at the end
        on->download(got.data(), y.as<float>() + t * out, got.size() * sizeof(float));
        (*cpu)->linear({.x = {x.data() + t * in, {1, in}}, .w = {&w.w, 1}, .y = {expected.data(), {1, out}}});
        for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-4) << "row " << t;
    }

    keep.clear();
    y = Buffer();
    const Weight table = on->draw({nullptr, DType::bf16, rows, in}, {3, 1}, keep);
    std::vector<float> drawn(static_cast<size_t>(in)), row(drawn.size());
    std::vector<std::byte> rounded(row.size() * 2);
    Buffer embedded = on->allocate(row.size() * sizeof(float));
    for (const auto id : {int32_t{0}, static_cast<int32_t>(rows - 1)}) {
        on->embed({.ids = {&id, 1}, .table = table, .x = {embedded.as<float>(), {1, in}}});
        on->download(row.data(), embedded.as(), embedded.bytes());
        draw_values({3, 1}, id * in, drawn);
        encode(DType::bf16, drawn.data(), in, rounded.data());
        decode(DType::bf16, rounded.data(), in, drawn.data());
        EXPECT_TRUE(identical(row, drawn)) << "row " << id;
    }
}

// The driver's management library, played by a small one of our own (tests/fake_nvml.c).
TEST(Nvml, ReadsWhatTheDriverSays) {
    const DeviceLoad load = Nvml("0000:01:00.0", KLP_FAKE_NVML).read();
    EXPECT_DOUBLE_EQ(load.busy, 0.42);
    EXPECT_EQ(load.memory_used, int64_t{3} << 30);
    EXPECT_EQ(load.memory_total, int64_t{8} << 30);
    EXPECT_EQ(load.clock_mhz, 1830);
    EXPECT_DOUBLE_EQ(load.watts, 123.456);
    EXPECT_LT(load.celsius, 0);  // this driver has no such function
}
TEST(Nvml, WithoutDriverOrDeviceEverythingIsUnknown) {
    for (const DeviceLoad& load : {Nvml("0000:01:00.0", "libof-no-driver.so").read(), Nvml("0000:02:00.0", KLP_FAKE_NVML).read()}) {
        EXPECT_LT(load.busy, 0);
        EXPECT_LT(load.memory_total, 0);
    }
}

}  // namespace
}  // namespace klp
