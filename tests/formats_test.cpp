// Checkpoints on disk: what is read, what is refused and with which words, and what is written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/files/resources.h"
#include "core/files/safetensors.h"
#include "core/files/values.h"
#include "core/model/checkpoint.h"
#include "tests/checkpoints.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
const fs::path kGolden = source_dir() / "tests/golden/hf";

std::string length(uint64_t n) { return {reinterpret_cast<const char*>(&n), 8}; }
std::string safetensors(const std::string& header, const std::string& data) { return length(header.size()) + header + data; }
std::string eight(float a, float b) {
    std::string s(8, '\0');
    std::memcpy(s.data(), &a, 4), std::memcpy(s.data() + 4, &b, 4);
    return s;
}
// One F32 [2] called x, and another called y behind it.
const std::string kGood = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})";
const std::string kData = eight(1, 2) + eight(3, 4);

std::string refusal(const fs::path& folder) {
    const auto source = open_safetensors(folder);
    return source ? "" : source.error().message;
}
std::vector<std::string> names(const fs::path& folder) {
    std::vector<std::string> list;
    for (const auto& entry : fs::directory_iterator(folder)) list.push_back(entry.path().filename().string());
    std::sort(list.begin(), list.end());
    return list;
}

// --- safetensors ----------------------------------------------------------------------------------------------------

TEST(Safetensors, GivesTheNumbersWhereTheyAre) {
    TempFolder folder;
    write_bytes(folder / "model.safetensors", safetensors(kGood + "   ", kData));
    const auto source = open_safetensors(folder.path());
    ASSERT_TRUE(source) << source.error().message;
    EXPECT_THAT(floats(*(*source)->find("y", {2})), ElementsAre(3, 4));
    EXPECT_THAT(floats(*(*source)->find("x", {1, 2})), ElementsAre(1, 2));  // dimensions of 1 do not matter
    EXPECT_EQ((*source)->find("z", {2}).error().message, folder.path().string() + ": tensor 'z' is missing");
    EXPECT_EQ((*source)->find("x", {2, 2}).error().message, (folder / "model.safetensors").string() + ": tensor 'x' has the shape [2] where [2, 2] belongs");
}

TEST(Safetensors, FoldsLeadingDimensionsIntoRows) {
    TempFolder folder;
    write_tiny_spec(folder / "m");
    const auto source = *open_safetensors(folder / "m");
    const Weight conv = *source->find("model.layers.0.self_attn.q_conv1d.weight", {16, 1, 4});
    EXPECT_EQ(conv.out, 16);
    EXPECT_EQ(conv.in, 4);
    const Weight norm = *source->find("model.norm.weight", {16});
    EXPECT_EQ(norm.out * norm.in, 16);
    EXPECT_EQ(norm.in, 16);
}

TEST(Safetensors, WhatIsWrongWithAFileIsSaid) {
    const auto x = [](const std::string& entry) { return safetensors("{\"x\":" + entry + "}", kData); };
    const std::pair<std::string, const char*> files[] = {
        {"", "model.safetensors: the file has 0 bytes, too few"},
        {"1234567", "the file has 7 bytes, too few"},
        {length(uint64_t{1} << 40), "the header claims 1099511627776 bytes; this is not a safetensors file"},
        {length(~uint64_t{0}) + "{}", "the header claims 18446744073709551615 bytes"},
        {length(3) + "{}", "the header claims 3 bytes, but only 2 follow"},
        {length(0), "the header is not valid JSON"},
        {safetensors("{]", ""), "the header is not valid JSON at byte 2"},
        {safetensors("{\"x\":\"\xff\"}", ""), "the header is not valid JSON"},
        {safetensors("[]", ""), "the header is not a JSON object"},
        {safetensors("{\"a\":" + std::string(100000, '['), ""), "the header is nested more than 64 levels deep"},
        {safetensors("{\"x\":1,\"x\":2}", ""), "the header has the key 'x' twice in one object"},
        {safetensors("{\"__metadata__\":3}", ""), "__metadata__ is not an object"},
        {safetensors("{\"__metadata__\":{\"a\":3}}", ""), "__metadata__ 'a' is not a text"},
        {safetensors("{}", "x"), "1 bytes follow the last tensor"},
        {x("3"), "tensor 'x' is not an object"},
        {x("{}"), "tensor 'x' has no dtype"},
        {x(R"({"dtype":"F31"})"), "tensor 'x' has the unknown dtype 'F31'"},
        {x(R"({"dtype":"F32"})"), "tensor 'x' has no shape"},
        {x(R"({"dtype":"F32","shape":[-2]})"), "tensor 'x' has a shape that is not made of whole numbers"},
        {x(R"({"dtype":"F32","shape":[1.5]})"), "tensor 'x' has a shape that is not made of whole numbers"},
        {x(R"({"dtype":"F32","shape":[18446744073709551615]})"), "tensor 'x' has a shape that is not made of whole numbers"},
        {x(R"({"dtype":"F32","shape":[4294967296,4294967296]})"), "whose size overflows"},
        {x(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,4]})"), "tensor 'x' has 9 dimensions"},
        {x(R"({"dtype":"F32","shape":[4]})"), "tensor 'x' has no data_offsets"},
        {x(R"({"dtype":"F32","shape":[4],"data_offsets":[0]})"), "tensor 'x' has no data_offsets"},
        {x(R"({"dtype":"F32","shape":[4],"data_offsets":[0,-16]})"), "tensor 'x' has data_offsets that are not whole numbers"},
        {x(R"({"dtype":"F32","shape":[4],"data_offsets":[16,0]})"), "tensor 'x' has data_offsets that end before they begin"},
        {x(R"({"dtype":"F32","shape":[5],"data_offsets":[0,20]})"), "tensor 'x' ends at byte 20 of 16 bytes of data"},
        {x(R"({"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551615]})"), "tensor 'x' ends at byte 18446744073709551615"},
        {x(R"({"dtype":"F32","shape":[3],"data_offsets":[0,16]})"), "tensor 'x' has 16 bytes where F32 [3] needs 12"},
        {x(R"({"dtype":"BF16","shape":[4],"data_offsets":[0,16]})"), "tensor 'x' has 16 bytes where BF16 [4] needs 8"},
        {x(R"({"dtype":"F32","shape":[2],"data_offsets":[8,16]})"), "tensor 'x' leaves a hole before it"},
        {x(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "8 bytes follow the last tensor"},
        {x(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]},"y":{"dtype":"F32","shape":[2],"data_offsets":[8,16]})"),
         "tensor 'y' overlaps the one before it"},
        {x(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]},"y":{"dtype":"F32","shape":[4],"data_offsets":[0,16]})"), "overlaps the one before it"},
        {x(R"({"dtype":"U8","shape":[16],"data_offsets":[0,16]},"__metadata__":{"x":"q8_0"})"),
         "tensor 'x' is stored as q8_0, but U8 [16] is not made of such blocks"},
        {x(R"({"dtype":"U8","shape":[1,16],"data_offsets":[0,16]},"__metadata__":{"x":"q8_0"})"),
         "tensor 'x' is stored as q8_0, but U8 [1, 16] is not made of such blocks"},
        {x(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]},"__metadata__":{"x":"q4_0"})"),
         "tensor 'x' is stored as q4_0, but F32 [4] is not made of such blocks"},
        {x(R"({"dtype":"U8","shape":[1,16],"data_offsets":[0,16]},"__metadata__":{"x":"q9"})"),
         "tensor 'x' is stored as 'q9', which is not a type this program knows"},
    };
    for (const auto& [bytes, phrase] : files) {
        TempFolder folder;
        write_bytes(folder / "model.safetensors", bytes);
        const std::string said = refusal(folder.path());
        EXPECT_THAT(said, HasSubstr(phrase));
        EXPECT_THAT(said, testing::StartsWith((folder / "model.safetensors").string()));
        EXPECT_EQ(said.find('\n'), std::string::npos);
    }
}

TEST(Safetensors, EveryTruncationOfAGoodFileIsRefused) {
    const std::string whole = safetensors(kGood, kData);
    for (size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parse_safetensors(std::as_bytes(std::span(whole.data(), n)), "f")) << n;
    EXPECT_TRUE(parse_safetensors(std::as_bytes(std::span(whole)), "f"));
}

TEST(Safetensors, TypesThatNobodyReadsAreListedAndRefusedWhenAskedFor) {
    TempFolder folder;
    write_bytes(folder / "model.safetensors", safetensors(R"({"x":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})", kData));
    const auto source = *open_safetensors(folder.path());
    ASSERT_EQ(source->tensors().size(), 1u);
    EXPECT_EQ(source->tensors()[0].stored, "I64");
    EXPECT_FALSE(source->tensors()[0].readable);
    EXPECT_THAT(source->find("x", {2}).error().message, HasSubstr("tensor 'x' is stored as I64, which no operation here reads"));
}

TEST(Safetensors, EmptyTensorsAndScalarsAreTensors) {
    TempFolder folder;
    write_bytes(folder / "model.safetensors",
                safetensors(R"({"none":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"one":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                            kData.substr(0, 4)));
    const auto source = open_safetensors(folder.path());
    ASSERT_TRUE(source) << source.error().message;
    EXPECT_THAT(floats(*(*source)->find("one", {1})), ElementsAre(1));
    EXPECT_EQ((*source)->find("none", {0, 3})->out, 0);
}

TEST(Safetensors, NumbersAtOddAddressesAreAlignedOnce) {
    TempFolder folder;
    write_bytes(
        folder / "model.safetensors",
        safetensors(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})", "b" + eight(5, 6)));
    const auto source = *open_safetensors(folder.path());
    const Weight x = *source->find("x", {2}), again = *source->find("x", {2});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.data) % 4, 0u);
    EXPECT_EQ(x.data, again.data);
    EXPECT_THAT(floats(x), ElementsAre(5, 6));
}

TEST(Safetensors, AFolderInTheFilesPlaceIsRefused) {
    TempFolder folder;
    EXPECT_THAT(refusal(folder.path()), HasSubstr("has neither model.safetensors nor model.safetensors.index.json"));
    fs::create_directory(folder / "model.safetensors");
    EXPECT_THAT(refusal(folder.path()), HasSubstr("model.safetensors: is a folder, not a file"));
}

TEST(Shards, EveryWayToLieIsNoticed) {
    const std::string first = safetensors(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight(1, 2));
    const std::string second = safetensors(R"({"y":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight(3, 4));
    const auto said = [&](const std::string& index, bool with_second = true, const std::string& other = "") {
        TempFolder folder;
        write_bytes(folder / "a.safetensors", first);
        if (with_second) write_bytes(folder / "b.safetensors", other.empty() ? second : other);
        write_bytes(folder / "model.safetensors.index.json", index);
        return refusal(folder.path());
    };
    const std::string good = R"({"weight_map":{"x":"a.safetensors","y":"b.safetensors"}})";
    EXPECT_EQ(said(good), "");
    EXPECT_THAT(said(good, false), HasSubstr("1 of 2 shards is not there: 'b.safetensors'"));
    EXPECT_THAT(said(R"({"weight_map":{"x":"a.safetensors","y":"b.safetensors","z":"c.safetensors","w":"d.safetensors"}})"),
                HasSubstr("index.json: 2 of 4 shards are not there: 'c.safetensors', 'd.safetensors'"));
    EXPECT_THAT(said(good, true, first), HasSubstr("b.safetensors: tensor 'x' is also in "));
    EXPECT_THAT(said(good, true, second.substr(0, 40)), HasSubstr("b.safetensors: the header claims"));
    EXPECT_THAT(said(R"({"weight_map":{"x":"a.safetensors","y":"b.safetensors","z":"b.safetensors"}})"),
                HasSubstr("tensor 'z' is not in its shard 'b.safetensors'"));
    EXPECT_THAT(said(R"({"weight_map":{"x":"b.safetensors","y":"a.safetensors"}})"), HasSubstr("tensor 'x' is not in its shard 'b.safetensors'"));
    EXPECT_THAT(said(R"({"weight_map":{"x":"../a.safetensors"}})"), HasSubstr("which is not the name of a file beside it"));
    EXPECT_THAT(said(R"({"weight_map":{"x":7}})"), HasSubstr("which is not the name of a file beside it"));
    EXPECT_THAT(said(R"({"weight_map":[]})"), HasSubstr("index.json: weight_map is missing"));
    EXPECT_THAT(said("{"), HasSubstr("index.json is not valid JSON"));
}

// --- synthetic weights ----------------------------------------------------------------------------------------------

TEST(SyntheticWeights, DependOnSeedAndNameAlone) {
    const ModelConfig& c = shape("tiny");
    const auto a = synthetic_weights(c, DType::f32, 7), b = synthetic_weights(c, DType::f32, 7), other = synthetic_weights(c, DType::f32, 8);
    const auto k = floats(*a->find("model.layers.0.self_attn.k_proj.weight", {64, 64}));
    const auto q = floats(*a->find("model.layers.0.self_attn.q_proj.weight", {64, 64}));
    EXPECT_EQ(q, floats(*b->find("model.layers.0.self_attn.q_proj.weight", {64, 64})));  // asked for in another order
    EXPECT_NE(q, k);
    EXPECT_NE(q, floats(*other->find("model.layers.0.self_attn.q_proj.weight", {64, 64})));
    EXPECT_EQ(a->find("model.layers.0.self_attn.q_proj.weight", {64, 64})->data, a->find("model.layers.0.self_attn.q_proj.weight", {64, 64})->data);
    EXPECT_THAT(a->find("nonsense", {1}).error().message, HasSubstr("tensor 'nonsense' is missing"));
    EXPECT_THAT(a->find("model.norm.weight", {63}).error().message, HasSubstr("has another shape"));
}

TEST(SyntheticWeights, StartWhereTrainingWould) {
    const auto source = synthetic_weights(shape("mini"), DType::f32, 1);
    for (const TensorInfo& t : source->tensors()) {
        const std::vector<float> v = floats(*source->find(t.name, t.shape));
        const double n = static_cast<double>(v.size()), in = static_cast<double>(t.shape.back());
        double sum = 0, squares = 0;
        for (float x : v) sum += x, squares += double{x} * x;
        if (t.name.ends_with("A_log")) {  // a head's decay rate lies in 1 .. 16
            for (float x : v) EXPECT_TRUE(x >= 0 && x <= std::log(16.f)) << t.name;
        } else if (t.name.ends_with("dt_bias")) {  // softplus of it is a time step in 1e-3 .. 0.1
            for (float x : v) EXPECT_TRUE(std::log1p(std::exp(x)) > 0.99e-3 && std::log1p(std::exp(x)) < 0.101) << t.name;
        } else if (t.name.find("norm") != std::string::npos) {
            EXPECT_THAT(v, testing::Each(1.f)) << t.name;
        } else if (t.name.ends_with("bias")) {
            EXPECT_THAT(v, testing::Each(0.f)) << t.name;
        } else {  // uniform of variance s^2: the mean's deviation is s / sqrt n, that of the mean square 0.9 s^2 / sqrt n; five of them
            const double variance = t.name.find("embed") != std::string::npos ? 1 : 1 / in;
            EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n)) << t.name;
            EXPECT_NEAR(squares / n, variance, 5 * 0.9 * variance / std::sqrt(n)) << t.name;
        }
    }
}

TEST(SyntheticWeights, AreTheSameNumbersInEveryType) {
    const ModelConfig& c = shape("tiny");
    const std::string name = "model.layers.1.block_sparse_moe.experts.3.w2.weight";
    const auto truth = floats(*synthetic_weights(c, DType::f32, 3)->find(name, {64, 32}));
    for (DType type : {DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
        const auto source = synthetic_weights(c, type, 3);
        const Weight w = *source->find(name, {64, 32});
        ASSERT_EQ(w.type, type);
        std::vector<std::byte> expected(static_cast<size_t>(w.bytes()));
        encode(type, truth.data(), static_cast<int64_t>(truth.size()), expected.data());
        EXPECT_EQ(std::memcmp(w.data, expected.data(), expected.size()), 0) << info(type).name;
    }
}

TEST(StoredType, KeepsWhatIsSmallAndSensitive) {
    const std::string attn = "model.layers.0.self_attn.", moe = "model.layers.1.block_sparse_moe.";
    EXPECT_EQ(stored_type(attn + "q_proj.weight", {64, 64}, DType::q4_0), DType::q4_0);
    EXPECT_EQ(stored_type(attn + "kv_b_proj.weight", {64, 64}, DType::q4_0), DType::q4_0);
    EXPECT_EQ(stored_type(attn + "q_proj.weight", {64, 48}, DType::q4_0), DType::bf16);  // a row is not made of whole blocks
    EXPECT_EQ(stored_type(attn + "q_proj.weight", {64, 512}, DType::q4_k), DType::q4_k);
    EXPECT_EQ(stored_type(attn + "q_proj.weight", {64, 288}, DType::q4_k), DType::q5_0);  // a type of shorter blocks beside it
    EXPECT_EQ(stored_type(attn + "q_proj.weight", {64, 48}, DType::q4_k), DType::bf16);
    EXPECT_EQ(stored_type(moe + "experts.3.w1.weight", {64, 64}, DType::mxfp4), DType::mxfp4);
    EXPECT_EQ(stored_type(moe + "shared_experts.gate_proj.weight", {64, 64}, DType::mxfp4), DType::q8_0);
    EXPECT_EQ(stored_type(attn + "f_b_proj.weight", {64, 64}, DType::q8_0), DType::bf16);
    EXPECT_EQ(stored_type(attn + "b_proj.weight", {2, 64}, DType::q8_0), DType::bf16);
    EXPECT_EQ(stored_type(attn + "q_conv1d.weight", {64, 1, 4}, DType::q8_0), DType::f32);
    EXPECT_EQ(stored_type(moe + "gate.weight", {8, 64}, DType::q8_0), DType::f32);
    EXPECT_EQ(stored_type(moe + "shared_experts.gate_proj.weight", {32, 64}, DType::q8_0), DType::q8_0);
    for (DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) EXPECT_EQ(stored_type(attn + "A_log", {1, 1, 2, 1}, type), DType::f32);
    EXPECT_EQ(stored_type("model.norm.weight", {64}, DType::bf16), DType::bf16);
}

// --- writing --------------------------------------------------------------------------------------------------------

TEST(Writer, TheTinyCheckpointIsTheGoldenOne) {
    TempFolder folder;
    write_tiny_spec(folder / "m");
    const auto ours = *open_checkpoint(folder / "m"), golden = *open_checkpoint(kGolden / "tiny-spec");
    ASSERT_EQ(ours.source->tensors().size(), golden.source->tensors().size());
    for (const TensorSpec& spec : tensor_specs(golden.config)) {
        const auto mine = floats(*ours.source->find(spec.name, spec.shape)), theirs = floats(*golden.source->find(spec.name, spec.shape));
        for (size_t i = 0; i < mine.size(); ++i) ASSERT_FLOAT_EQ(mine[i], theirs[i]) << spec.name << " " << i;
    }
    EXPECT_EQ(ours.tokenizer, nullptr);
}

TEST(Writer, InitGivesWhatSyntheticWeightsGive) {
    for (DType type : {DType::f32, DType::bf16, DType::q8_0}) {
        TempFolder folder;
        const auto done = init_checkpoint(folder / "m", shape("tiny"), type, 5);
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_THAT(names(folder / "m"), ElementsAre("config.json", "model.safetensors"));
        const auto written = open_checkpoint(folder / "m");
        ASSERT_TRUE(written) << written.error().message;
        const auto made = synthetic_weights(shape("tiny"), type, 5);
        for (const TensorInfo& t : made->tensors()) {
            const auto a = written->source->find(t.name, t.shape), b = made->find(t.name, t.shape);
            ASSERT_TRUE(a && b) << a.error().message;
            ASSERT_EQ(a->type, t.type) << t.name;
            EXPECT_EQ(std::pair(a->out, a->in), std::pair(b->out, b->in));
            EXPECT_EQ(std::memcmp(a->data, b->data, static_cast<size_t>(t.bytes)), 0) << t.name;
            EXPECT_TRUE(t.bytes % 64 || reinterpret_cast<uintptr_t>(a->data) % 64 == 0) << t.name;
        }
        EXPECT_EQ(to_json(written->config), to_json(shape("tiny")));
    }
}

TEST(Writer, ShardsWhatIsLarge) {
    TempFolder folder;
    WriteOptions options;
    options.shard_bytes = 400'000;
    int64_t last = 0, whole = 0;
    options.progress = [&](int64_t done, int64_t total) {
        EXPECT_GE(done, last);
        last = done, whole = total;
    };
    ASSERT_TRUE(init_checkpoint(folder / "m", shape("tiny"), DType::f32, 5, options));
    EXPECT_GT(whole, 0);
    EXPECT_EQ(last, whole);
    EXPECT_THAT(names(folder / "m"), ElementsAre("config.json", "model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors",
                                                 "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors", "model.safetensors.index.json"));
    for (const std::string& name : names(folder / "m")) EXPECT_LE(fs::file_size(folder / "m" / name), 420'000u);
    const auto source = open_safetensors(folder / "m");
    ASSERT_TRUE(source) << source.error().message;
    for (const TensorSpec& spec : tensor_specs(shape("tiny"))) EXPECT_TRUE((*source)->find(spec.name, spec.shape)) << spec.name;
}

TEST(Writer, QuantizeRoundsMatricesAndKeepsTheRest) {
    TempFolder folder;
    ASSERT_TRUE(init_checkpoint(folder / "from", shape("tiny"), DType::f32, 5));
    write_bytes(folder / "from" / "generation_config.json", R"({"eos_token_id": 3})");
    write_bytes(folder / "from" / "tokenizer_config.json", "{}");
    const auto done = quantize_checkpoint(folder / "from", folder / "to", DType::q8_0);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_THAT(names(folder / "to"), ElementsAre("config.json", "generation_config.json", "model.safetensors", "tokenizer_config.json"));
    EXPECT_EQ(read_bytes(folder / "to" / "config.json"), read_bytes(folder / "from" / "config.json"));
    const auto from = *open_safetensors(folder / "from"), to = *open_safetensors(folder / "to");
    for (const TensorInfo& t : from->tensors()) {
        const Weight w = *to->find(t.name, t.shape);
        EXPECT_EQ(w.type, stored_type(t.name, t.shape, DType::q8_0)) << t.name;
        const auto before = floats(*from->find(t.name, t.shape)), after = floats(w);
        for (size_t i = 0; i < before.size(); ++i) {
            float bound = w.type == DType::f32 ? 0 : std::abs(before[i]) / 256;  // bf16: half of its last of 8 bits
            if (w.type == DType::q8_0) {  // half a step of the block's scale, and that scale's own rounding to f16 (11 bits) 127 steps out
                float largest = 0;
                for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::abs(before[j]));
                bound = largest * (0.5f / 127 + 1.f / 2048);
            }
            ASSERT_LE(std::abs(before[i] - after[i]), bound * 1.0001f) << t.name;
        }
    }
    // Again into the same type: not a bit changes.
    ASSERT_TRUE(quantize_checkpoint(folder / "to", folder / "again", DType::q8_0));
    EXPECT_EQ(read_bytes(folder / "to" / "model.safetensors"), read_bytes(folder / "again" / "model.safetensors"));
}

TEST(Writer, QuantizeReadsWhatTransformersSavedAndSharded) {
    for (const char* name : {"saved-by-transformers", "bf16-sharded", "tied"}) {
        TempFolder folder;
        const auto done = quantize_checkpoint(kGolden / name, folder / "to", DType::bf16);
        ASSERT_TRUE(done) << done.error().message;
        const auto to = open_checkpoint(folder / "to");
        ASSERT_TRUE(to) << to.error().message;
        EXPECT_EQ(to->source->find("model.norm.weight", {to->config.hidden_size})->type, DType::bf16);
    }
}

TEST(Writer, NumbersWithoutAPlaceInTheTypeAreNamed) {
    TempFolder folder;
    write_tiny_spec(folder / "m");
    std::string bytes = read_bytes(folder / "m" / "model.safetensors");
    const float huge = 70000;  // f16 ends at 65504
    std::memcpy(bytes.data() + bytes.size() - 4, &huge, 4);
    write_bytes(folder / "m" / "model.safetensors", bytes);
    EXPECT_THAT(quantize_checkpoint(folder / "m", folder / "to", DType::f16).error().message, HasSubstr("holds 70000.000000 at [7], which f16 cannot"));
    EXPECT_TRUE(quantize_checkpoint(folder / "m", folder / "to", DType::bf16));
}

TEST(Writer, RefusesWhatIsNoFiniteNumberByTensorAndPlace) {
    const std::string name = "model.layers.1.self_attn.q_proj.weight";
    const auto refusal = [&](float value, DType stored, DType type) -> std::string {
        TempFolder folder;
        EXPECT_TRUE(init_checkpoint(folder / "m", shape("tiny"), stored, 5));
        put_value(folder / "m", name, 35, value);
        const auto done = quantize_checkpoint(folder / "m", folder / "to", type);
        EXPECT_FALSE(fs::exists(folder / "to"));
        return done ? "" : done.error().message;
    };
    const int64_t in = shape("tiny").hidden_size;
    const std::string at = " at [" + std::to_string(35 / in) + ", " + std::to_string(35 % in) + "]";
    for (const DType stored : {DType::f32, DType::bf16})
        for (const DType type : {DType::f32, DType::bf16, DType::f16, DType::q8_0, DType::q4_0}) {
            EXPECT_EQ(refusal(NAN, stored, type), "tensor '" + name + "' holds NaN" + at);
            EXPECT_EQ(refusal(-INFINITY, stored, type), "tensor '" + name + "' holds -infinity" + at);
        }
    // Finite, and the scale of its block would not be.
    EXPECT_EQ(refusal(1e7f, DType::f32, DType::q8_0), "tensor '" + name + "' holds 10000000.000000" + at + ", which q8_0 cannot");
    EXPECT_EQ(refusal(-1e6f, DType::f32, DType::q4_0), "tensor '" + name + "' holds -1000000.000000" + at + ", which q4_0 cannot");
}

TEST(Values, OddOnesAreCountedAndPlaced) {
    for (const DTypeInfo& type : dtypes()) {
        constexpr int64_t n = 256 * 4600;
        std::vector<std::byte> data(static_cast<size_t>(n / type.block * type.bytes));  // zeros
        EXPECT_EQ(odd_values(type.type, data.data(), n).count, 0) << type.name;
        const float odd[] = {INFINITY, NAN};
        const int64_t apart = std::max(32, type.block);
        for (int64_t i = 0; i < 2; ++i) {  // of a quantised type a half that its scales are made of
            std::byte* block = data.data() + (4500 * 256 + i * apart) / type.block * type.bytes;
            if (type.type == DType::mxfp4) {
                std::memset(block, 0xff, 2);  // 2^127 times -12
            } else if (type.type == DType::iq1_m) {
                for (int k = 0; k < 4; ++k) block[49 + 2 * k] = std::byte(i || k > 1 ? 0xf0 : 0);  // 0xff00 and 0xffff
            } else {
                encode(type.block > 1 ? DType::f16 : type.type, odd + i, 1, block + std::max<int>(0, type.halves[type.halves[1] >= 0 ? i : 0]));
            }
        }
        const OddValues found = odd_values(type.type, data.data(), n);
        EXPECT_EQ(found.count, 2 * type.block) << type.name;
        EXPECT_EQ(found.first, 4500 * 256) << type.name;
        EXPECT_TRUE(!std::isfinite(found.value)) << type.name;
    }
}

TEST(Writer, NeverOverwritesAndLeavesNothingHalfDone) {
    TempFolder folder;
    fs::create_directory(folder / "empty");
    EXPECT_TRUE(init_checkpoint(folder / "empty", shape("tiny-spec"), DType::f32, 1));
    const std::string before = read_bytes(folder / "empty" / "model.safetensors");
    const auto twice = init_checkpoint(folder / "empty/", shape("tiny-spec"), DType::f32, 2);
    EXPECT_EQ(twice.error().kind, Error::usage);
    EXPECT_THAT(twice.error().message, HasSubstr("exists already and is not an empty folder"));
    EXPECT_EQ(read_bytes(folder / "empty" / "model.safetensors"), before);
    EXPECT_THAT(init_checkpoint(folder / "not/there", shape("tiny-spec"), DType::f32, 1).error().message, HasSubstr("not/there: No such file or directory"));

    std::atomic<bool> cancel = false;
    WriteOptions options;
    options.cancel = &cancel;
    options.progress = [&](int64_t done, int64_t total) { cancel = done > total / 2; };
    const auto stopped = init_checkpoint(folder / "stopped", shape("tiny"), DType::f32, 1, options);
    EXPECT_EQ(stopped.error().kind, Error::interrupted);
    EXPECT_THAT(names(folder.path()), ElementsAre("empty"));
}

TEST(Writer, AFullDiskIsOneSentenceAndNoRubbish) {
    TempFolder folder;
    // A limit on file sizes fails in write() as a full disk does; what differs is the errno.
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{.rlim_cur = 100'000, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const auto done = init_checkpoint(folder / "m", shape("tiny"), DType::f32, 1);
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, (folder / "m" / "model.safetensors").string() + ": File too large");
    EXPECT_THAT(names(folder.path()), IsEmpty());
}

// --- folders --------------------------------------------------------------------------------------------------------

TEST(OpenCheckpoint, SaysWhatIsMissing) {
    TempFolder folder;
    EXPECT_EQ(open_checkpoint(folder / "nowhere").error().message, (folder / "nowhere").string() + ": no such folder");
    write_bytes(folder / "file", "");
    EXPECT_THAT(open_checkpoint(folder / "file").error().message, HasSubstr("is neither a folder with a config.json and safetensors in it nor a GGUF file"));
    EXPECT_THAT(open_checkpoint(folder.path()).error().message, HasSubstr("config.json: No such file or directory"));
    EXPECT_EQ(open_checkpoint(folder.path()).error().kind, Error::model);
}

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 4976698672\n";

TEST(OpenCheckpoint, NamesWhatItIsInstead) {
    TempFolder folder;
    const auto said = [&](const std::string& name) { return open_checkpoint(folder / name).error().message; };
    write_bytes(folder / "m.gguf", "GGUF\x03");
    EXPECT_THAT(said("m.gguf"), HasSubstr("m.gguf: the file has 5 bytes, too few for a GGUF file"));
    write_bytes(folder / "m.safetensors", safetensors("{}", ""));
    EXPECT_THAT(said("m.safetensors"), HasSubstr("m.safetensors is one file of a model: name the folder that it lies in"));
    write_bytes(folder / "talk.klprun", "KLPRUN");
    EXPECT_THAT(said("talk.klprun"), HasSubstr("is a recording: klp replay plays it"));
    write_bytes(folder / "m.bin", std::string("PK\x03\x04", 4));
    EXPECT_THAT(said("m.bin"), HasSubstr("is a PyTorch file"));

    const auto with = [&](const std::string& model, const std::string& name, const std::string& bytes) {
        fs::create_directories(folder / model);
        write_bytes(folder / model / name, bytes);
        return said(model);
    };
    EXPECT_THAT(with("gguf", "model-Q4_K_M.gguf", "GGUF"), HasSubstr("gguf holds a model as GGUF: name its file, model-Q4_K_M.gguf"));
    EXPECT_EQ(*find_model((folder / "gguf").string()), folder / "gguf" / "model-Q4_K_M.gguf");
    EXPECT_THAT(with("gguf", "config.json", to_json(shape("tiny-spec"))), HasSubstr("gguf holds a model as GGUF"));
    EXPECT_EQ(*find_model((folder / "gguf").string()), folder / "gguf" / "model-Q4_K_M.gguf");
    EXPECT_THAT(with("gguf", "model-Q8_0-00002-of-00002.gguf", "GGUF"), HasSubstr("name its file, model-Q4_K_M.gguf"));
    EXPECT_THAT(with("gguf", "model-Q8_0-00001-of-00002.gguf", "GGUF"),
                HasSubstr("gguf holds several models as GGUF: name one of them: model-Q4_K_M.gguf, model-Q8_0-00001-of-00002.gguf"));
    EXPECT_EQ(*find_model((folder / "gguf").string()), folder / "gguf");
    EXPECT_THAT(with("torch", "pytorch_model-00001-of-00002.bin", ""), HasSubstr("torch holds PyTorch files"));
    EXPECT_THAT(with("half", "model-00001-of-00002.safetensors", ""), HasSubstr("has safetensors and no config.json"));
    EXPECT_THAT(with("half", "config.json", to_json(shape("tiny-spec"))), HasSubstr("neither model.safetensors nor model.safetensors.index.json, which says"));

    for (const char* file : {"model.safetensors", "config.json", "tiktoken.model", "model.safetensors.index.json"}) {
        const std::string model = std::string("pointer to ") + file;
        write_tiny_spec(folder / model);
        if (std::string(file).ends_with("index.json")) fs::remove(folder / model / "model.safetensors");
        EXPECT_EQ(with(model, file, kPointer),
                  (folder / model / file).string() +
                      " is a Git LFS pointer: the file itself, 4976698672 bytes, was not downloaded; 'git lfs pull' in its folder brings it");
    }
    write_tiny_spec(folder / "page");
    EXPECT_THAT(with("page", "model.safetensors", "GGUF"), HasSubstr("model.safetensors is a GGUF file in the place of another"));
    EXPECT_THAT(with("page", "model.safetensors", "<!DOCTYPE html><html>"), HasSubstr("model.safetensors is a web page"));
    EXPECT_THAT(with("page", "model.safetensors", safetensors(R"({"__metadata__":{"format":"mlx"}})", "")), HasSubstr("model.safetensors was written for MLX"));
}

TEST(FindModel, OpensADownloadCacheWhereItIsClearWhichSnapshot) {
    TempFolder folder;
    const fs::path cache = folder / "models--maker--Model-1B";
    fs::create_directories(cache / "snapshots");
    write_tiny_spec(cache / "snapshots" / "aaa");
    EXPECT_EQ(*find_model(cache.string()), cache / "snapshots/aaa");
    write_tiny_spec(cache / "snapshots" / "bbb");
    EXPECT_EQ(*find_model(cache.string()), cache);
    EXPECT_THAT(open_checkpoint(cache).error().message, AllOf(HasSubstr("is a download cache with 2 snapshots and no refs/main that names one: name one of "),
                                                              HasSubstr((cache / "snapshots/aaa").string()), HasSubstr((cache / "snapshots/bbb").string())));
    fs::create_directories(cache / "refs");
    write_bytes(cache / "refs/main", "bbb\n");
    EXPECT_EQ(*find_model(cache.string()), cache / "snapshots/bbb");
    for (const char* lie : {"ccc", ".", "..", "../..", "", "/"}) {
        write_bytes(cache / "refs/main", lie);
        EXPECT_EQ(*find_model(cache.string()), cache) << lie;
    }
    fs::remove_all(cache / "snapshots");
    fs::create_directories(cache / "snapshots");
    EXPECT_THAT(open_checkpoint(cache).error().message, HasSubstr("no snapshot: download the model again"));
}

TEST(OpenCheckpoint, ATornTokenizerIsAnErrorAndNoTokenizerIsNone) {
    TempFolder folder;
    write_tiny_spec(folder / "m");
    EXPECT_TRUE(open_checkpoint(folder / "m"));
    write_bytes(folder / "m" / "tiktoken.model", "IQ== 0\nIg=");
    EXPECT_THAT(open_checkpoint(folder / "m").error().message, HasSubstr("tiktoken.model"));
}

TEST(FindModel, LooksInItsPlacesAndNamesThem) {
    TempFolder folder;
    write_tiny_spec(folder / "direct");
    EXPECT_EQ(*find_model((folder / "direct").string()), folder / "direct");
    setenv("KLP_RESOURCES", (folder / "resources").c_str(), 1);
    setenv("XDG_DATA_HOME", (folder / "data").c_str(), 1);
    fs::create_directories(folder / "resources/models");
    fs::create_directories(folder / "data/klp/models");
    write_tiny_spec(folder / "data/klp/models/mine");
    EXPECT_EQ(*find_model("mine"), folder / "data/klp/models/mine");
    write_tiny_spec(folder / "resources/models/demo");
    EXPECT_EQ(*find_model(""), folder / "resources/models/demo");
    fs::create_directory(folder / "not-a-model");
    EXPECT_EQ(*find_model((folder / "not-a-model").string()), folder / "not-a-model");
    const Error error = find_model("no-such-model").error();
    EXPECT_EQ(error.kind, Error::model);
    EXPECT_THAT(error.message,
                HasSubstr("no model is called 'no-such-model'; looked for no-such-model, " + (folder / "resources/models/no-such-model").string()));
    EXPECT_THAT(error.message, HasSubstr((folder / "data/klp/models/no-such-model").string()));
    unsetenv("KLP_RESOURCES");
    unsetenv("XDG_DATA_HOME");
}

}  // namespace
}  // namespace klp
