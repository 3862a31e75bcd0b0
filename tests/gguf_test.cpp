// GGUF files: the same numbers as the folder they were made from, every way in which they can be laid out, and every way in which they can be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <cmath>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/files/gguf_mixes.h"
#include "core/files/gguf_model.h"
#include "core/files/gguf_writer.h"
#include "core/files/values.h"
#include "core/model/model.h"
#include "core/model/sequence.h"
#include "core/text/chat_template.h"
#include "tests/gguf_files.h"
#include "tests/gguf_models.h"

namespace klp {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const GgufFile& file, const TempFolder& folder) {
    write_bytes(folder / "m.gguf", file.bytes());
    const auto checkpoint = open_checkpoint(folder / "m.gguf");
    if (checkpoint) return "";
    EXPECT_EQ(checkpoint.error().kind, Error::model);
    EXPECT_THAT(checkpoint.error().message, HasSubstr("m.gguf"));
    return checkpoint.error().message;
}

// --- the same model --------------------------------------------------------------------------------------------------

TEST(GgufModel, SaysTheSameAsItsFolderToTheLastBit) {
    for (const auto& [file, folder] : {std::pair("legacy-bf16.gguf", "bf16"), std::pair("legacy-q8_0.gguf", "q8_0")}) {
        SCOPED_TRACE(file);
        const Checkpoint gguf = opened(kGolden / file), hf = opened(kGolden / folder);
        EXPECT_EQ(to_json(gguf.config), to_json(hf.config));
        for (const TensorSpec& spec : tensor_specs(hf.config)) {
            const auto ours = gguf.source->find(spec.name, spec.shape), theirs = hf.source->find(spec.name, spec.shape);
            ASSERT_TRUE(ours) << ours.error().message;
            EXPECT_EQ(floats(*ours), floats(*theirs)) << spec.name;
        }
        EXPECT_TRUE(same_bits(logits(gguf, kPrompt), logits(hf, kPrompt)));
    }
}

TEST(GgufModel, EveryTypeWithoutBlocksAndBothLayoutsOfKvB) {
    TempFolder folder;
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        const fs::path hf = folder / std::string(info(type).name);
        ASSERT_TRUE(quantize_checkpoint(kGolden / "bf16", hf, type));  // the fixture's numbers are of all three types
        const auto truth = logits(opened(hf), kPrompt);
        GgufFile whole = GgufFile::fixture("legacy-bf16.gguf"), halves = GgufFile::fixture(kFirstPart), rest = GgufFile::fixture(kSecondPart);
        for (const char* key : {"split.no", "split.count", "split.tensors.count"}) halves.unset(key);
        halves.tensors.insert(halves.tensors.end(), rest.tensors.begin(), rest.tensors.end());
        for (auto& t : whole.tensors)
            if (t.info.type == DType::bf16) restore(t, type);
        for (auto& t : halves.tensors)
            if (whole.tensors.end() != std::find_if(whole.tensors.begin(), whole.tensors.end(),
                                                    [&](const auto& w) { return w.info.name == t.info.name && w.info.type == type; }) ||
                t.info.name.find("_b.weight") != std::string::npos)
                restore(t, type);
        for (const auto& [name, file] : {std::pair("whole", &whole), std::pair("halves", &halves)}) {
            write_bytes(folder / "m.gguf", file->bytes());
            const Checkpoint gguf = opened(folder / "m.gguf");
            EXPECT_EQ(gguf.source->find("model.layers.2.self_attn.kv_b_proj.weight", {128, 32})->type, type);
            EXPECT_TRUE(same_bits(logits(gguf, kPrompt), truth)) << name << " as " << info(type).name;
        }
    }
}

TEST(GgufModel, ASplitOneOpensByAnyOfItsParts) {
    TempFolder folder;
    ASSERT_TRUE(quantize_checkpoint(kGolden / "bf16", folder / "f32", DType::f32));
    const auto truth = logits(opened(folder / "f32"), kPrompt);
    for (const std::string& part : {kFirstPart, kSecondPart}) EXPECT_TRUE(same_bits(logits(opened(kGolden / part), kPrompt), truth)) << part;
}

TEST(GgufModel, KvBOfBlocksIsItsNumbersAsF16) {
    TempFolder folder;
    GgufFile file = GgufFile::fixture(kFirstPart), rest = GgufFile::fixture(kSecondPart);
    for (const char* key : {"split.no", "split.count", "split.tensors.count"}) file.unset(key);
    file.tensors.insert(file.tensors.end(), rest.tensors.begin(), rest.tensors.end());
    restore(file.tensor("blk.2.attn_k_b.weight"), DType::q4_0);
    restore(file.tensor("blk.2.attn_v_b.weight"), DType::q8_0);
    write_bytes(folder / "m.gguf", file.bytes());
    const Checkpoint gguf = opened(folder / "m.gguf");
    const auto found = gguf.source->find("model.layers.2.self_attn.kv_b_proj.weight", {128, 32});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->type, DType::f16);
    constexpr int64_t H = 2, N = 32, V = 32, L = 32;
    std::vector<float> k(H * L * N), v(H * V * L);
    decode(DType::q4_0, file.tensor("blk.2.attn_k_b.weight").data.data(), H * L * N, k.data());
    decode(DType::q8_0, file.tensor("blk.2.attn_v_b.weight").data.data(), H * V * L, v.data());
    const auto made = floats(*found);
    for (int64_t h = 0; h < H; ++h)
        for (int64_t l = 0; l < L; ++l)
            for (int64_t r = 0; r < N + V; ++r) {
                const float exact = r < N ? k[static_cast<size_t>((h * L + l) * N + r)] : v[static_cast<size_t>((h * V + r - N) * L + l)];
                const float got = made[static_cast<size_t>((h * (N + V) + r) * L + l)];
                ASSERT_NEAR(got, exact, std::abs(exact) * 0x1p-11f + 0x1p-25f) << h << " " << r << " " << l;
            }
    file.tensor("blk.2.attn_v_b.weight").data.replace(0, 2, "\xff\x7b");  // a scale of 65504
    write_bytes(folder / "m.gguf", file.bytes());
    const auto model = Model::load(*make_backend("cpu", 1), gguf.config, opened(folder / "m.gguf").source);
    ASSERT_FALSE(model);
    EXPECT_THAT(model.error().message, HasSubstr("'blk.2.attn_k_b.weight' holds numbers beyond what f16 can"));
}

TEST(GgufModel, ALogIsTheOneWhoseExponentialTheFileHas) {
    TempFolder folder;
    GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
    auto& a = file.tensor("blk.1.ssm_a");
    std::vector<float> rates;
    for (const float x : {-9.7f, -2.3f, -0.4f, 0.f, 1e-6f, 0.69314718f, 1.0986123f, 2.7725887f}) {
        const float pair[] = {-static_cast<float>(std::exp(double(x))), static_cast<float>(std::exp(double(x)))};  // the sign carries nothing
        std::memcpy(a.data.data(), pair, sizeof pair);
        write_bytes(folder / "m.gguf", file.bytes());
        const Checkpoint gguf = opened(folder / "m.gguf");
        const auto found = gguf.source->find("model.layers.1.self_attn.A_log", {1, 1, 2, 1});
        ASSERT_TRUE(found);
        for (const float ours : floats(*found)) EXPECT_EQ(static_cast<float>(std::exp(double(ours))), pair[1]) << x;
    }
    std::memset(a.data.data(), 0, 4);
    write_bytes(folder / "m.gguf", file.bytes());
    EXPECT_THAT(opened(folder / "m.gguf").source->find("model.layers.1.self_attn.A_log", {1, 1, 2, 1}).error().message,
                HasSubstr("m.gguf: tensor 'blk.1.ssm_a' holds 0 at [0]"));
}

TEST(GgufModel, BecomesAFolderThatSaysTheSame) {
    TempFolder folder;
    ASSERT_TRUE(quantize_checkpoint(kGolden / "legacy-bf16.gguf", folder / "bf16", DType::bf16));
    const Checkpoint gguf = opened(kGolden / "legacy-bf16.gguf"), made = opened(folder / "bf16");
    EXPECT_TRUE(same_bits(logits(gguf, kPrompt), logits(made, kPrompt)));
    const std::string text = "Straße <|im_end|> hahaha";
    EXPECT_EQ(made.tokenizer->encode(text, true), gguf.tokenizer->encode(text, true));
    EXPECT_EQ(made.tokenizer->ends(), gguf.tokenizer->ends());
}

TEST(GgufModel, EveryValueIsChecked) {
    TempFolder folder;
    GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
    EXPECT_TRUE(check_values(*opened(kGolden / "legacy-bf16.gguf").source)->empty());
    file.tensor("blk.2.ffn_up_exps.weight").data.replace(2 * (1024 + 33), 2, "\xc0\x7f");  // NaN in the second expert's second row
    write_bytes(folder / "m.gguf", file.bytes());
    const auto odd = check_values(*opened(folder / "m.gguf").source);
    ASSERT_EQ(odd->size(), 1u);
    EXPECT_EQ((*odd)[0].tensor, "model.layers.2.block_sparse_moe.experts.w3.weight");
    EXPECT_EQ(place((*odd)[0]), (std::vector<int64_t>{1, 1, 1}));
}

TEST(GgufModel, StatesOnDiskKnowItByWhatIsInIt) {
    TempFolder folder;
    GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
    const auto identity = [&] {
        write_bytes(folder / "m.gguf", file.bytes());
        const Checkpoint c = opened(folder / "m.gguf");
        return (*Model::load(*make_backend("cpu", 1), c.config, c.source))->identity();
    };
    const uint64_t first = identity();
    EXPECT_EQ(identity(), first);
    file.set("kimi-linear.expert_weights_scale", 2.f);
    EXPECT_NE(identity(), first);
    file.set("kimi-linear.expert_weights_scale", 1.75f);
    EXPECT_EQ(identity(), first);
    restore(file.tensor("blk.0.attn_output.weight"), DType::f16);
    EXPECT_NE(identity(), first);
}

// llama.cpp's own answers (tests/golden/README.md). Of f32 weights both round nothing but sums; of quantised ones both round x, each in its own way, and the
// bound is twice what these random weights were seen to make of that.
TEST(GgufModel, AnswersWhatLlamaCppAnswers) {
    const auto golden = nlohmann::json::parse(read_bytes(kGolden / "llama.json"));
    for (const auto& [file, device, bound] : {std::tuple(kFirstPart, "cpu", 1e-4), std::tuple(kFirstPart, "naive", 1e-4),
                                              std::tuple(std::string("mixed.gguf"), "naive", 0.08), std::tuple(std::string("mixed.gguf"), "cpu", 0.08)}) {
        SCOPED_TRACE(file + " on " + device);
        const auto& expected = golden.at(file);
        const Checkpoint gguf = opened(kGolden / file);
        const auto rows = logits(gguf, expected.at("tokens").get<std::vector<int32_t>>(), device);
        const auto last = expected.at("logits").get<std::vector<float>>();
        const std::vector<float> ours(rows.end() - static_cast<int64_t>(last.size()), rows.end());
        double difference = 0, size = 0;
        for (size_t i = 0; i < last.size(); ++i) difference += std::pow(ours[i] - last[i], 2), size += std::pow(last[i], 2);
        EXPECT_LT(std::sqrt(difference / size), bound);
        if (bound < 1e-3)
            for (size_t t = 0; t < expected.at("best").size(); ++t) {
                const auto row = rows.begin() + static_cast<int64_t>(t * last.size());
                EXPECT_EQ(std::max_element(row, row + static_cast<int64_t>(last.size())) - row, expected.at("best")[t].get<int64_t>()) << t;
            }
        EXPECT_EQ(gguf.tokenizer->encode(expected.at("text").get<std::string>()), expected.at("ids").get<std::vector<int32_t>>());
    }
}

// --- words -----------------------------------------------------------------------------------------------------------

TEST(GgufTokenizer, GivesTheIdsOfTiktoken) {
    const Checkpoint folder = opened(kGolden / "bf16"), merges = opened(kGolden / "legacy-bf16.gguf"), none = opened(kGolden / "legacy-q8_0.gguf");
    const auto torture = nlohmann::json::parse(read_bytes(source_dir() / "tests/golden/tokenizer/torture.json"));
    ASSERT_GT(torture.size(), 100u);
    for (const auto& one : torture) {
        std::string text;
        const auto hex = one.at("utf8_hex").get<std::string>();
        for (size_t i = 0; i < hex.size(); i += 2) text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
        for (const bool special : {false, true}) {
            const auto ids = folder.tokenizer->encode(text, special);
            EXPECT_EQ(merges.tokenizer->encode(text, special), ids);
            EXPECT_EQ(none.tokenizer->encode(text, special), ids);
        }
    }
    EXPECT_EQ(merges.tokenizer->vocab_size(), folder.tokenizer->vocab_size());
    EXPECT_EQ(turn_tokens(*merges.tokenizer, merges.config)->stop, turn_tokens(*folder.tokenizer, folder.config)->stop);
}

TEST(GgufTokenizer, RefusesWhatIsNotKimis) {
    TempFolder folder;
    const auto said = [&](const std::function<void(GgufFile&)>& change) {
        GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
        change(file);
        return refusal(file, folder);
    };
    const auto tokens = [&](size_t i, const std::string& token) {
        return said([&](GgufFile& f) {
            auto all = std::get<std::vector<std::string>>(f.get("tokenizer.ggml.tokens").value);
            all[i] = token;
            f.set("tokenizer.ggml.tokens", all);
        });
    };
    EXPECT_THAT(said([](GgufFile& f) { f.set("tokenizer.ggml.pre", std::string("llama3")); }), HasSubstr("tokenizer.ggml.pre is 'llama3'"));
    EXPECT_THAT(said([](GgufFile& f) { f.unset("tokenizer.ggml.pre"); }), HasSubstr("tokenizer.ggml.pre is missing"));
    EXPECT_THAT(said([](GgufFile& f) { f.set("tokenizer.ggml.model", std::string("llama")); }), HasSubstr("tokenizer.ggml.model is 'llama'"));
    EXPECT_THAT(said([](GgufFile& f) { f.set("tokenizer.ggml.tokens", uint32_t{3}); }), HasSubstr("tokens is not a list of texts"));
    EXPECT_THAT(said([](GgufFile& f) { f.unset("tokenizer.ggml.token_type"); }), HasSubstr("token_type is missing"));
    EXPECT_THAT(said([](GgufFile& f) { f.set("tokenizer.ggml.token_type", std::vector<int32_t>{1}); }), HasSubstr("token_type has 1 entries for 352 tokens"));
    EXPECT_THAT(said([](GgufFile& f) { f.set("tokenizer.ggml.token_type", std::vector<int32_t>(352, 3)); }), HasSubstr("has no ordinary token"));
    EXPECT_THAT(tokens(300, "a"), HasSubstr("tokens[300] is the same token as "));
    EXPECT_THAT(tokens(300, "two words"), HasSubstr("tokens[300], 'two words', is not spelled in bytes"));
    EXPECT_THAT(tokens(300, ""), HasSubstr("tokens[300] is empty"));
    EXPECT_THAT(tokens(66, "Ġ!!"), HasSubstr("no token for the byte"));
    EXPECT_THAT(tokens(341, "[BOS]"), HasSubstr("tokens[341], '[BOS]', is also token 340"));
    const auto merges = [&](const std::vector<std::string>& list) { return said([&](GgufFile& f) { f.set("tokenizer.ggml.merges", list); }); };
    auto right = std::get<std::vector<std::string>>(GgufFile::fixture("legacy-bf16.gguf").get("tokenizer.ggml.merges").value);
    EXPECT_EQ(merges(right), "");
    std::swap(right.front(), right.back());
    EXPECT_THAT(merges(right), HasSubstr("these ids are not Kimi's ranks"));
    EXPECT_THAT(merges({"ab"}), HasSubstr("merges[0], 'ab', is not a pair"));
    EXPECT_THAT(merges({"Q Q"}), HasSubstr("merges[0], 'Q Q', makes no token"));
    GgufFile without = GgufFile::fixture("legacy-bf16.gguf");
    without.unset("tokenizer.ggml.tokens");
    write_bytes(folder / "m.gguf", without.bytes());
    EXPECT_EQ(opened(folder / "m.gguf").tokenizer, nullptr);
}

TEST(GgufModel, ATemplateThatIsNotKimisIsTold) {
    TempFolder folder;
    GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
    write_bytes(folder / "m.gguf", file.bytes());
    EXPECT_EQ(opened(folder / "m.gguf").foreign_template, "");
    file.set("tokenizer.chat_template", std::string("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"));
    write_bytes(folder / "m.gguf", file.bytes());
    EXPECT_THAT(opened(folder / "m.gguf").foreign_template, HasSubstr("m.gguf: its tokenizer.chat_template is not Kimi's: it never writes <|im_user|>"));
    file.unset("tokenizer.chat_template");
    write_bytes(folder / "m.gguf", file.bytes());
    EXPECT_EQ(opened(folder / "m.gguf").foreign_template, "");
}

// --- Ling 3.0 -------------------------------------------------------------------------------------------------------

const fs::path kLingFolder = source_dir() / "tests/golden/hf";
const std::vector<int32_t> kQwenPrompt{1, 5, 9, 30, 0, 7, 7, 20, 3, 11, 30, 2, 2, 19};
const std::vector<int32_t> kLingPrompt{1, 5, 9, 31, 0, 7, 7, 20, 3, 11, 30, 2, 2, 19};

double furthest(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(double{a[i]} - double{b[i]}));
    return largest;
}

TEST(GgufLing, SaysTheSameAsItsFolder) {
    const Checkpoint gguf = opened(kGolden / "ling.gguf"), hf = opened(kLingFolder / "ling-limits");
    ModelConfig ours = gguf.config, theirs = hf.config;
    ours.pad_token_id = theirs.pad_token_id;  // the file names none
    EXPECT_EQ(to_json(ours), to_json(theirs));
    for (const TensorSpec& spec : tensor_specs(hf.config)) {
        const auto here = gguf.source->find(spec.name, spec.shape), there = hf.source->find(spec.name, spec.shape);
        ASSERT_TRUE(here) << here.error().message;
        if (spec.name.ends_with("A_log"))
            EXPECT_LE(furthest(floats(*here), floats(*there)), 1e-6) << spec.name;  // its exponential is what the file has
        else
            EXPECT_EQ(floats(*here), floats(*there)) << spec.name;
    }
    EXPECT_LE(furthest(logits(gguf, kLingPrompt), logits(hf, kLingPrompt)), 2e-5);
    EXPECT_FALSE(gguf.source->find("model.layers.4.self_attn.q_proj.weight", {8, 16}));
}

// Programs that went their own way: other names, another sign, a rank that only a tensor tells, a block that is only spoken of.
TEST(GgufLing, FilesOfOtherProgramsSayItToo) {
    TempFolder folder;
    const auto truth = logits(opened(kGolden / "ling.gguf"), kLingPrompt);
    const auto said = [&](const std::function<void(GgufFile&)>& change) {
        GgufFile file = GgufFile::fixture("ling.gguf");
        change(file);
        write_bytes(folder / "m.gguf", file.bytes());
        return logits(opened(folder / "m.gguf"), kLingPrompt);
    };
    const auto without_ahead = [](GgufFile& f) { std::erase_if(f.tensors, [](const GgufFile::Tensor& t) { return t.info.name.starts_with("blk.4."); }); };
    EXPECT_TRUE(same_bits(said([&](GgufFile& f) { without_ahead(f), f.set("bailingmoe3.block_count", uint32_t{4}); }), truth)) << "the block is not there";
    EXPECT_TRUE(same_bits(said(without_ahead), truth)) << "and is counted";
    EXPECT_TRUE(same_bits(said([](GgufFile& f) { f.unset("bailingmoe3.attention.q_lora_rank"); }), truth));
    EXPECT_TRUE(same_bits(said([](GgufFile& f) {
                              for (auto& t : f.tensors) {
                                  if (t.info.name.ends_with("ssm_f_a.weight")) t.info.name.replace(t.info.name.size() - 9, 2, "");
                                  if (t.info.name.ends_with("ssm_g_a.weight")) t.info.name.replace(t.info.name.size() - 9, 2, "");
                                  if (!t.info.name.ends_with("ssm_a")) continue;
                                  auto* values = reinterpret_cast<float*>(t.data.data());
                                  for (size_t i = 0; i < t.data.size() / 4; ++i) values[i] = -values[i];
                              }
                          }),
                          truth));
    EXPECT_TRUE(same_bits(said([](GgufFile& f) {
                              for (GgufPair& p : f.metadata) {
                                  if (p.key.starts_with("bailingmoe3.")) p.key.replace(0, 11, "bailing_hybrid");
                                  if (p.key == "bailing_hybrid.kda.gate_lower_bound") p.key = "bailing_hybrid.kda.lower_bound";
                              }
                              f.set("general.architecture", std::string("bailing_hybrid"));
                          }),
                          truth));
}

// --- Qwen -----------------------------------------------------------------------------------------------------------

// Its heads of values in the folder's order, which is grouped.
std::vector<float> in_the_folders_order(const ModelConfig& c, const std::string& name, std::vector<float> values, int64_t columns) {
    if (!c.kda_tiled) return values;
    const int64_t nk = c.kda_key_heads, r = c.kda_heads / nk, qk = 2 * nk * c.kda_key_dim, V = c.kda_value_dim;
    const auto rows = [&](int64_t first, int64_t width, int64_t step) {  // heads of `width` values, `step` apart
        const std::vector<float> old = values;
        for (int64_t k = 0; k < nk; ++k)
            for (int64_t j = 0; j < r; ++j)
                std::copy_n(old.begin() + first + (j * nk + k) * width, step ? step : width, values.begin() + first + (k * r + j) * width);
    };
    if (name.ends_with("qkv_proj.weight") || name.ends_with("qkv_conv1d.weight")) rows(qk * columns, V * columns, 0);
    if (name.ends_with("g_proj.weight")) rows(0, V * columns, 0);
    if (name.ends_with("a_proj.weight") || name.ends_with("b_proj.weight") || name.ends_with("A_log") || name.ends_with("dt_bias")) rows(0, columns, 0);
    if (name.ends_with("self_attn.o_proj.weight"))
        for (int64_t row = 0; row < c.hidden_size; ++row) rows(row * columns, V, 0);
    return values;
}

TEST(GgufQwen, SaysTheSameAsItsFolder) {
    for (const auto& [file, folder] :
         {std::pair("qwen35.gguf", "qwen35-seen"), {"qwen35moe.gguf", "qwen35moe-apart"}, {"qwen3next.gguf", "qwen3next-stacked"}}) {
        SCOPED_TRACE(file);
        const Checkpoint gguf = opened(kGolden / file), hf = opened(kLingFolder / folder);
        const bool tiled = std::string_view(file) != "qwen3next.gguf";
        EXPECT_EQ(gguf.config.kda_tiled, tiled);
        ModelConfig ours = gguf.config;
        ours.kda_tiled = false;
        EXPECT_EQ(to_json(ours), to_json(hf.config));
        for (const TensorSpec& spec : tensor_specs(hf.config)) {
            const auto here = gguf.source->find(spec.name, spec.shape), there = hf.source->find(spec.name, spec.shape);
            ASSERT_TRUE(here) << here.error().message;
            ASSERT_TRUE(there) << there.error().message;
            const bool state =
                spec.name.find("layers.") != spec.name.npos && gguf.config.has_state(spec.name[13] - '0') && spec.name.find("self_attn") != spec.name.npos;
            const int64_t columns = spec.shape.size() == 1 ? 1 : spec.shape.back();
            const auto values = state ? in_the_folders_order(gguf.config, spec.name, floats(*here), columns) : floats(*here);
            if (spec.name.ends_with("A_log"))
                EXPECT_LE(furthest(values, floats(*there)), 1e-6) << spec.name;  // its exponential is what the file has
            else
                EXPECT_EQ(values, floats(*there)) << spec.name;
        }
        EXPECT_LE(furthest(logits(gguf, kQwenPrompt), logits(hf, kQwenPrompt)), 2e-5);
        for (const char* device : {"naive"}) EXPECT_LE(furthest(logits(gguf, kQwenPrompt, device), logits(hf, kQwenPrompt, device)), 2e-5);
    }
}

// Programs that went their own way: heads in a list, a bias without its ending, one tensor for q, k, v and z, an order that is said.
TEST(GgufQwen, FilesOfOtherProgramsSayItToo) {
    TempFolder folder;
    const auto said = [&](const char* fixture, const std::function<void(GgufFile&)>& change) {
        GgufFile file = GgufFile::fixture(fixture);
        change(file);
        write_bytes(folder / "m.gguf", file.bytes());
        return logits(opened(folder / "m.gguf"), kQwenPrompt);
    };
    const auto truth = logits(opened(kGolden / "qwen35.gguf"), kQwenPrompt);
    EXPECT_TRUE(same_bits(said("qwen35.gguf",
                               [](GgufFile& f) {
                                   f.set("qwen35.attention.head_count_kv", std::vector<int32_t>{0, 2, 2});
                                   f.set("qwen35.ssm.v_head_reordered", true);
                                   for (auto& t : f.tensors)
                                       if (t.info.name.ends_with("ssm_dt.bias")) t.info.name.resize(t.info.name.size() - 5);
                               }),
                          truth));
    EXPECT_GT(furthest(said("qwen35.gguf", [](GgufFile& f) { f.set("qwen35.ssm.v_head_reordered", false); }), truth), 0.01) << "the order matters";
    // q | k | v | z of each head of keys, three of two.
    const auto next = logits(opened(kGolden / "qwen3next.gguf"), kQwenPrompt);
    EXPECT_TRUE(
        same_bits(said("qwen3next.gguf",
                       [](GgufFile& f) {
                           const auto find = [&](const char* end) {
                               return std::find_if(f.tensors.begin(), f.tensors.end(), [&](const GgufFile::Tensor& t) { return t.info.name.ends_with(end); });
                           };
                           const ModelConfig c = opened(kGolden / "qwen3next.gguf").config;
                           auto qkv = find("attn_qkv.weight"), z = find("attn_gate.weight");
                           const int64_t row = c.hidden_size * 4, K = c.kda_key_dim, rV = c.kda_heads / c.kda_key_heads * c.kda_value_dim, nk = c.kda_key_heads;
                           std::string whole;
                           const auto take = [&](const GgufFile::Tensor& t, int64_t first, int64_t count) {
                               whole += t.data.substr(static_cast<size_t>(first * row), static_cast<size_t>(count * row));
                           };
                           for (int64_t k = 0; k < nk; ++k)
                               take(*qkv, k * K, K), take(*qkv, (nk + k) * K, K), take(*qkv, 2 * nk * K + k * rV, rV), take(*z, k * rV, rV);
                           qkv->info.name.replace(qkv->info.name.find("attn_qkv"), 8, "ssm_in");
                           qkv->info.shape[0] += z->info.shape[0], qkv->info.bytes += z->info.bytes;
                           qkv->data = whole;
                           f.tensors.erase(z);
                       }),
                  next));
}

TEST(GgufQwen, WhatIsWrittenIsReadAndWhatCannotBeIsSaid) {
    TempFolder folder;
    EXPECT_EQ(gguf_tensors(shape("qwen3.5-0.8b"), *find_mix("q4_k_m")).size(), 320u);
    for (const char* name : {"qwen35-odd", "qwen35moe-seen"}) {  // as many heads of keys as of values
        SCOPED_TRACE(name);
        const auto made = quantize_gguf(kLingFolder / name, folder / (std::string(name) + ".gguf"), *find_mix("f32"), {});
        ASSERT_TRUE(made) << made.error().message;
        const Checkpoint gguf = opened(folder / (std::string(name) + ".gguf")), hf = opened(kLingFolder / name);
        EXPECT_EQ(to_json(gguf.config), to_json(hf.config));
        EXPECT_LE(furthest(logits(gguf, kQwenPrompt), logits(hf, kQwenPrompt)), 2e-5);
    }
    EXPECT_THAT(quantize_gguf(kLingFolder / "qwen35-seen", folder / "m.gguf", *find_mix("f32"), {}).error().message,
                HasSubstr("its config says linear_value_heads_tiled false, which a GGUF file cannot say"));
    EXPECT_THAT(quantize_gguf(kLingFolder / "qwen3next-odd", folder / "m.gguf", *find_mix("f32"), {}).error().message, HasSubstr("no GGUF is made of it"));
    // A file's own order goes with it.
    const auto again = quantize_gguf(kGolden / "qwen35.gguf", folder / "again.gguf", *find_mix("f32"), {});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_LE(furthest(logits(opened(folder / "again.gguf"), kQwenPrompt), logits(opened(kGolden / "qwen35.gguf"), kQwenPrompt)), 2e-5);
}

TEST(GgufLing, AFlashModelOfBeforeThereWereLimitsHasItsLimits) {
    const ModelConfig& flash = shape("ling-3.0-flash");
    const auto read = [&](bool with_limits) {
        auto metadata = gguf_metadata(flash);
        if (!with_limits) std::erase_if(metadata, [](const GgufPair& p) { return p.key.find("swiglu_clamp") != std::string::npos; });
        const std::string header = gguf_header(metadata, {});
        auto head = parse_gguf(std::as_bytes(std::span(header)), "m.gguf");
        EXPECT_TRUE(head);
        head->tensors.push_back({{.name = "output.weight"}});
        GgufModel model{.file = "m.gguf"};
        model.parts.push_back({"m.gguf", Mapping{}, std::move(*head)});
        auto config = gguf_config(model);
        EXPECT_TRUE(config) << config.error().message;
        return config ? *config : ModelConfig{};
    };
    for (const bool with_limits : {true, false}) {
        const ModelConfig c = read(with_limits);
        EXPECT_EQ(c.expert_limits, flash.expert_limits);
        EXPECT_EQ(c.shared_limits, flash.shared_limits);
        EXPECT_EQ(c.expert_limit(41), 4);
        EXPECT_EQ(c.expert_limit(34), 0);
        EXPECT_EQ(c.shared_limit(34), 5);
        EXPECT_EQ(c.layer_kinds, flash.layer_kinds);
    }
}

TEST(GgufLing, WhatIsWrittenIsReadAndHasTheTensorsOfItsMakers) {
    TempFolder folder;
    EXPECT_EQ(gguf_tensors(shape("ling-3.0-tiny"), *find_mix("q4_k_m")).size(), 526u);
    EXPECT_EQ(gguf_tensors(shape("ling-3.0-flash"), *find_mix("q4_k_m")).size(), 917u);
    for (const char* name : {"ling-flash", "ling-odd", "ling-limits"}) {
        SCOPED_TRACE(name);
        const auto made = quantize_gguf(kLingFolder / name, folder / (std::string(name) + ".gguf"), *find_mix("f32"), {});
        ASSERT_TRUE(made) << made.error().message;
        const Checkpoint gguf = opened(folder / (std::string(name) + ".gguf")), hf = opened(kLingFolder / name);
        EXPECT_EQ(to_json(gguf.config), to_json(hf.config));
        EXPECT_LE(furthest(logits(gguf, kLingPrompt), logits(hf, kLingPrompt)), 2e-5);
    }
    const GgufFile ours = [&] {
        std::filesystem::copy_file(folder / "ling-limits.gguf", folder / "copy.gguf");
        return GgufFile::fixture((folder / "copy.gguf").string());
    }();
    GgufFile theirs = GgufFile::fixture("ling.gguf");
    for (const GgufFile::Tensor& t : ours.tensors) {
        if (t.info.name.ends_with("ssm_a")) continue;  // the same but for trailing dimensions and a last bit
        std::vector<int64_t> a = t.info.shape, b = theirs.tensor(t.info.name).info.shape;
        std::erase(a, 1), std::erase(b, 1);
        EXPECT_EQ(a, b) << t.info.name;
        EXPECT_EQ(t.data, theirs.tensor(t.info.name).data) << t.info.name;
    }
}

// --- metadata --------------------------------------------------------------------------------------------------------

TEST(GgufMetadata, WhatIsWrongIsSaidByItsKey) {
    TempFolder folder;
    const auto with = [&](const std::string& key, auto value) {
        GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
        file.set(key, value);
        return refusal(file, folder);
    };
    const auto without = [&](const std::string& key) {
        GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
        file.unset(key);
        return refusal(file, folder);
    };
    EXPECT_THAT(
        with("general.architecture", std::string("llama")),
        HasSubstr("is a GGUF of architecture 'llama', which this program does not have; it reads kimi-linear, kimi-k3, bailingmoe3, qwen35, qwen35moe and qwen3next"));
    EXPECT_THAT(without("general.architecture"), HasSubstr("general.architecture is missing"));
    EXPECT_THAT(with("general.type", std::string("adapter")), HasSubstr("is a GGUF of type 'adapter', which is not a model by itself"));
    for (const char* key : {"block_count", "embedding_length", "feed_forward_length", "attention.head_count", "attention.kv_lora_rank", "rope.dimension_count",
                            "kda.head_dim", "expert_used_count", "expert_feed_forward_length"})
        EXPECT_THAT(without(std::string("kimi-linear.") + key), HasSubstr("m.gguf: kimi-linear." + std::string(key) + " is missing"));
    EXPECT_THAT(with("kimi-linear.embedding_length", uint32_t{0}), HasSubstr("kimi-linear.embedding_length is 0, which is not in 1.."));
    EXPECT_THAT(with("kimi-linear.embedding_length", uint64_t{1} << 63), HasSubstr("kimi-linear.embedding_length is 'a value of another kind'"));
    EXPECT_THAT(with("kimi-linear.embedding_length", uint64_t{1} << 62), HasSubstr("kimi-linear.embedding_length is 4611686018427387904, which is not in"));
    EXPECT_THAT(with("kimi-linear.block_count", std::string("three")), HasSubstr("kimi-linear.block_count is "));
    EXPECT_THAT(with("kimi-linear.attention.layer_norm_rms_epsilon", NAN), HasSubstr("kimi-linear.attention.layer_norm_rms_epsilon is 'nan'"));
    EXPECT_THAT(with("kimi-linear.attention.q_lora_rank", uint32_t{16}),
                HasSubstr("kimi-linear.attention.q_lora_rank is 16, which this program does not have"));
    EXPECT_THAT(with("kimi-linear.kda.head_dim", uint32_t{1 << 30}), HasSubstr("kimi-linear.kda.head_dim is 1073741824"));
    EXPECT_THAT(with("kimi-linear.expert_gating_func", uint32_t{3}), HasSubstr("expert_gating_func is 3, which is neither 1 (softmax) nor 2 (sigmoid)"));
    EXPECT_THAT(with("tokenizer.ggml.eos_token_id", uint32_t{352}), HasSubstr("tokenizer.ggml.eos_token_id is 352"));
    EXPECT_THAT(with("kimi-linear.rope.dimension_count", uint32_t{200}),
                HasSubstr("kimi-linear.attention.key_length_mla without rope.dimension_count is -152, which"));
}

TEST(GgufMetadata, OlderFilesSayLess) {
    TempFolder folder;
    const std::string truth = to_json(opened(kGolden / "bf16").config);
    GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
    const auto same = [&] {
        write_bytes(folder / "m.gguf", file.bytes());
        return to_json(opened(folder / "m.gguf").config) == truth;
    };
    file.set("kimi-linear.attention.head_count_kv", uint32_t{2});  // the layers are known by their tensors
    EXPECT_TRUE(same());
    file.unset("kimi-linear.vocab_size");  // as many as there are tokens
    EXPECT_TRUE(same());
    file.set("kimi-linear.expert_feed_forward_length", std::vector<int32_t>{0, 32, 32});
    EXPECT_TRUE(same());
    file.set("tokenizer.ggml.eot_token_id", uint32_t{346});
    write_bytes(folder / "m.gguf", file.bytes());
    EXPECT_EQ(opened(folder / "m.gguf").config.eos_token_ids, (std::vector<int>{342, 346}));
    file.remove("output.weight");
    write_bytes(folder / "m.gguf", file.bytes());
    EXPECT_TRUE(opened(folder / "m.gguf").config.tie_word_embeddings);
}

TEST(GgufModel, TensorsThatAreMissingOrOfAnotherShapeAreNamedAsTheFileNamesThem) {
    TempFolder folder;
    const auto loaded = [&](const std::string& fixture, const std::function<void(GgufFile&)>& change) -> std::string {
        GgufFile file = GgufFile::fixture(fixture);
        for (const char* key : {"split.no", "split.count", "split.tensors.count"}) file.unset(key);
        if (fixture == kFirstPart) {
            const GgufFile rest = GgufFile::fixture(kSecondPart);
            file.tensors.insert(file.tensors.end(), rest.tensors.begin(), rest.tensors.end());
        }
        change(file);
        write_bytes(folder / "m.gguf", file.bytes());
        const auto checkpoint = open_checkpoint(folder / "m.gguf");
        if (!checkpoint) return checkpoint.error().message;
        const auto model = Model::load(*make_backend("cpu", 1), checkpoint->config, checkpoint->source);
        return model ? "" : model.error().message;
    };
    EXPECT_EQ(loaded(kFirstPart, [](GgufFile&) {}), "");
    EXPECT_THAT(loaded("legacy-bf16.gguf", [](GgufFile& f) { f.set("kimi-linear.block_count", uint32_t{4}); }), HasSubstr("m.gguf: tensor 'blk.3."));
    const auto of_no_layer = [](GgufFile& f) {
        f.set("kimi-linear.attention.head_count_kv", std::vector<int32_t>{2, 2, 2});
        f.remove("blk.1.ssm_a");
        f.tensor("blk.0.ssm_a") = {{.name = "blk.0.ssm_a", .type = DType::f32, .shape = {0}}, ""};
    };
    EXPECT_THAT(loaded("legacy-bf16.gguf", of_no_layer), HasSubstr("m.gguf: tensor 'blk.0.attn_kv_a_mqa.weight' is missing"));
    for (const char* name : {"token_embd.weight", "blk.0.ssm_conv1d_k.weight", "blk.1.ssm_a", "blk.2.ffn_down_exps.weight", "blk.2.attn_kv_a_mqa.weight"})
        EXPECT_THAT(loaded("legacy-bf16.gguf", [&](GgufFile& f) { f.remove(name); }), HasSubstr("m.gguf: tensor '" + std::string(name) + "' is missing"));
    EXPECT_THAT(loaded(kFirstPart, [](GgufFile& f) { f.remove("blk.2.attn_v_b.weight"); }),
                HasSubstr("'blk.2.attn_k_b.weight' is there without 'blk.2.attn_v_b.weight'"));
    EXPECT_THAT(loaded(kFirstPart, [](GgufFile& f) { f.remove("blk.2.attn_k_b.weight"); }),
                HasSubstr("'blk.2.attn_v_b.weight' is there without 'blk.2.attn_k_b.weight'"));
    EXPECT_THAT(loaded(kFirstPart,
                       [](GgufFile& f) {
                           f.tensor("blk.2.attn_k_b.weight").info.shape = {2, 16, 64};
                       }),
                HasSubstr("'blk.2.attn_k_b.weight' has the shape [2, 16, 64] where [2, 32, 32] belongs"));
    EXPECT_THAT(loaded(kFirstPart, [](GgufFile& f) { f.tensor("blk.1.ssm_a").info.shape = {1, 2, 1}, f.tensor("blk.0.ssm_a").info.shape = {2}; }), "");
    EXPECT_THAT(loaded("legacy-bf16.gguf", [](GgufFile& f) { f.set("kimi-linear.expert_count", uint32_t{4}); }),
                HasSubstr("has the shape [3, 32] where [4, 32] belongs"));
    EXPECT_THAT(loaded("legacy-q8_0.gguf",
                       [](GgufFile& f) {
                           f.tensor("blk.0.attn_qkv.weight").info.shape = {32, 6, 32};
                       }),
                HasSubstr("which is not q, k and v"));
    EXPECT_THAT(loaded("legacy-q8_0.gguf",
                       [](GgufFile& f) { f.tensors.push_back(f.tensor("blk.0.attn_qkv.weight")), f.tensors.back().info.name = "blk.0.attn_k.weight"; }),
                HasSubstr("is also in"));
}

// --- parts -----------------------------------------------------------------------------------------------------------

TEST(GgufParts, AllMustBeThereAndOfOneModel) {
    TempFolder folder;
    const std::string first = read_bytes(kGolden / kFirstPart), second = read_bytes(kGolden / kSecondPart);
    const auto said = [&](const std::string& name) {
        const auto checkpoint = open_checkpoint(folder / name);
        return checkpoint ? std::string() : checkpoint.error().message;
    };
    write_bytes(folder / kFirstPart, first);
    EXPECT_THAT(said(kFirstPart), HasSubstr(kFirstPart + ": 1 of 2 parts is not there: '" + kSecondPart + "'"));
    write_bytes(folder / kSecondPart, first);
    EXPECT_THAT(said(kFirstPart), HasSubstr(kSecondPart + " is a part of another model than " + kFirstPart + ": it is not part 2 of 2"));
    GgufFile other = GgufFile::fixture(kSecondPart);
    other.tensors.pop_back();
    write_bytes(folder / kSecondPart, other.bytes());
    EXPECT_THAT(said(kFirstPart), HasSubstr("its parts have "));
    write_bytes(folder / kSecondPart, second);
    EXPECT_EQ(said(kSecondPart), "");
    write_bytes(folder / "alone.gguf", second);
    EXPECT_THAT(said("alone.gguf"),
                HasSubstr("alone.gguf is part 2 of 2 of a model, and the others are found by its name, which would end in -00002-of-00002.gguf"));
    other = GgufFile::fixture(kSecondPart);
    other.set("split.count", uint64_t{1} << 62);
    write_bytes(folder / "alone.gguf", other.bytes());
    EXPECT_THAT(said("alone.gguf"), HasSubstr("which cannot be"));
}

// --- the container ---------------------------------------------------------------------------------------------------

std::string parsed(const std::string& bytes) {
    const auto gguf = parse_gguf(std::as_bytes(std::span(bytes)), "m.gguf");
    return gguf ? "" : gguf.error().message;
}
template <class T>
std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string text(const std::string& s) { return raw<uint64_t>(s.size()) + s; }
std::string head(uint64_t tensors, uint64_t pairs, uint32_t version = 3) { return "GGUF" + raw(version) + raw(tensors) + raw(pairs); }
std::string tensor(const std::string& name, const std::vector<uint64_t>& ne, uint32_t type, uint64_t offset) {
    std::string s = text(name) + raw<uint32_t>(static_cast<uint32_t>(ne.size()));
    for (uint64_t n : ne) s += raw(n);
    return s + raw(type) + raw(offset);
}
std::string filled(std::string s, size_t data = 0) {
    s.resize((s.size() + 31) / 32 * 32);
    return s + std::string(data, '\0');
}

TEST(GgufContainer, ReadsBackWhatItWrote) {
    const std::vector<GgufPair> metadata{{"a", uint32_t{7}},
                                         {"b", int32_t{-7}},
                                         {"c", uint64_t{1} << 40},
                                         {"d", 1.5f},
                                         {"e", true},
                                         {"f", std::string("text \xff")},
                                         {"g", std::vector<int32_t>{1, -2}},
                                         {"h", std::vector<std::string>{"x", "", "z"}},
                                         {"i", uint16_t{9}}};
    const std::vector<TensorInfo> tensors{{.name = "one", .type = DType::f32, .shape = {2, 3}, .bytes = 24},
                                          {.name = "two", .type = DType::q8_0, .shape = {3, 2, 64}, .bytes = 408}};
    const std::string bytes = filled(gguf_header(metadata, tensors) + std::string(32 + 408, 'x'));
    for (const uint32_t version : {2u, 3u}) {
        std::string file = bytes;
        file.replace(4, 4, raw(version));
        const auto gguf = parse_gguf(std::as_bytes(std::span(file)), "m.gguf");
        ASSERT_TRUE(gguf) << gguf.error().message;
        EXPECT_EQ(gguf->find("a")->integer(), 7);
        EXPECT_EQ(gguf->find("b")->integer(), -7);
        EXPECT_EQ(gguf->find("c")->integer(), int64_t{1} << 40);
        EXPECT_EQ(gguf->find("d")->number(), 1.5);
        EXPECT_EQ(gguf->find("d")->integer(), std::nullopt);
        EXPECT_EQ(gguf->find("e")->flag(), true);
        EXPECT_EQ(gguf->find("f")->text(), "text \xff");
        EXPECT_EQ(gguf->find("g")->integers(), (std::vector<int64_t>{1, -2}));
        EXPECT_EQ(gguf->find("h")->texts(), (std::vector<std::string_view>{"x", "", "z"}));
        EXPECT_EQ(gguf->find("i")->integer(), 9);
        EXPECT_EQ(gguf->find("j"), nullptr);
        ASSERT_EQ(gguf->tensors.size(), 2u);
        EXPECT_EQ(gguf->tensors[1].info.shape, (std::vector<int64_t>{3, 2, 64}));
        EXPECT_EQ(gguf->tensors[1].info.type, DType::q8_0);
        EXPECT_EQ(gguf->tensors[1].begin - gguf->tensors[0].begin, 32);
    }
}

TEST(GgufContainer, NoCutIsAccepted) {
    const std::string whole = read_bytes(kGolden / "legacy-bf16.gguf");
    ASSERT_EQ(parsed(whole), "");
    const std::string header = whole.substr(0, static_cast<size_t>(parse_gguf(std::as_bytes(std::span(whole)), "")->tensors[0].begin));
    for (size_t n = 0; n < header.size(); n += n < 4000 ? 1 : 37) EXPECT_NE(parsed(header.substr(0, n)), "") << n;
    for (size_t n = header.size(); n + 64 < whole.size(); n += 9973)
        EXPECT_THAT(parsed(whole.substr(0, n)), HasSubstr("it is cut off, or not the whole of it was downloaded")) << n;
}

TEST(GgufContainer, WhatIsWrongIsSaid) {
    const uint64_t huge = UINT64_MAX, half = uint64_t{1} << 63;
    const auto with_value = [&](uint32_t type, const std::string& value) { return parsed(head(0, 1) + text("key") + raw(type) + value); };
    EXPECT_THAT(parsed(""), HasSubstr("is no GGUF file"));
    EXPECT_THAT(parsed("GGUF"), HasSubstr("has 4 bytes, too few"));
    EXPECT_THAT(parsed("<!DOCTYPE html>"), HasSubstr("m.gguf is a web page"));
    EXPECT_THAT(parsed("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("is a Git LFS pointer"));
    EXPECT_THAT(parsed(head(0, 0, 0x03000000)), HasSubstr("m.gguf is a big-endian GGUF file"));
    EXPECT_THAT(parsed(head(0, 0, 1)), HasSubstr("is a GGUF file of version 1"));
    EXPECT_THAT(parsed(head(0, 0, 4)), HasSubstr("the version is 4; this program reads 2 and 3"));
    EXPECT_EQ(parsed(head(0, 0)), "");
    for (const uint64_t n : {uint64_t{1}, half - 1, half, huge}) {
        EXPECT_THAT(parsed(head(n, 0)), HasSubstr("it claims " + std::to_string(n) + " tensors")) << n;
        EXPECT_THAT(parsed(head(0, n)), HasSubstr("it claims " + std::to_string(n) + " keys")) << n;
        EXPECT_THAT(parsed(head(0, 1) + raw(n) + std::string(20, 'x')), n == 1 ? HasSubstr("'x'") : HasSubstr("the file ends inside the key of metadata")) << n;
        if (n > 1) {
            EXPECT_THAT(with_value(8, raw(n) + "x"), HasSubstr("the file ends inside a text: " + std::to_string(n))) << n;
            for (const uint32_t element : {0u, 4u, 10u})
                EXPECT_THAT(with_value(9, raw(element) + raw(n) + "x"), HasSubstr("is a list of " + std::to_string(n) + " values")) << n;
            EXPECT_THAT(with_value(9, raw(8u) + raw(n) + text("x")), HasSubstr("the file ends inside a text")) << n;
        }
    }
    EXPECT_THAT(with_value(13, "12345678"), HasSubstr("metadata 'key': has the unknown type 13"));
    EXPECT_THAT(with_value(9, raw(13u) + raw<uint64_t>(1)), HasSubstr("is a list of the unknown type 13"));
    std::string nested;
    for (int i = 0; i < 100; ++i) nested += raw(9u) + raw<uint64_t>(1);
    EXPECT_THAT(with_value(9, nested), HasSubstr("is a list of lists of lists"));
    EXPECT_EQ(with_value(9, raw(9u) + raw<uint64_t>(2) + raw(0u) + raw<uint64_t>(1) + "a" + raw(8u) + raw<uint64_t>(1) + text("b")), "");
    const std::string pair = text("key") + raw(7u) + "\1";
    EXPECT_THAT(parsed(head(0, 2) + pair + pair), HasSubstr("metadata 'key' is given twice"));
    EXPECT_THAT(parsed(head(0, 1) + text("\xff") + raw(7u) + "\1" + std::string(9, ' ')), HasSubstr("key 0 of the metadata is not a text of UTF-8"));
    for (const char* bad : {"\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x8f\xbf\xbf", "\xe4\xbd", "\x80"})
        EXPECT_THAT(parsed(head(0, 1) + text(bad) + raw(7u) + "\1"), HasSubstr("is not a text of UTF-8"));
    EXPECT_EQ(parsed(head(0, 1) + text("ключ 你 😀") + raw(7u) + "\1"), "");
    for (const uint32_t alignment : {0u, 3u, 48u, 1u << 31})
        EXPECT_THAT(parsed(head(0, 1) + text("general.alignment") + raw(4u) + raw(alignment)), HasSubstr("general.alignment is not a power of two"));

    const auto one = [&](const std::vector<uint64_t>& ne, uint32_t type, uint64_t offset, size_t data = 64) {
        return parsed(filled(head(1, 0) + tensor("t", ne, type, offset), data));
    };
    EXPECT_EQ(one({4, 4}, 0, 0), "");
    EXPECT_EQ(one({32}, 8, 0), "");
    EXPECT_EQ(one({0, 4}, 0, 0), "");
    EXPECT_THAT(one({4, 4}, 0, 32), HasSubstr("tensor 't' has 64 bytes from byte 32 of the data on, but the file has only 64 bytes"));
    EXPECT_THAT(one({4, 4}, 0, huge - 31), HasSubstr("but the file has only"));
    EXPECT_THAT(one({4, 4}, 0, 16), HasSubstr("no multiple of the alignment 32"));
    EXPECT_THAT(one({half, 4}, 0, 0), HasSubstr("has a dimension of 9223372036854775808"));
    EXPECT_THAT(one({half - 1, 4}, 0, 0), HasSubstr("whose size overflows"));
    EXPECT_THAT(one({1u << 31, 1u << 31, 2}, 0, 0), HasSubstr("whose size overflows"));
    EXPECT_THAT(one({33}, 8, 0), HasSubstr("has rows of 33 values, which q8_0 cannot divide into blocks of 32"));
    EXPECT_THAT(one({4}, 5, 0), HasSubstr("has the unknown type 5"));
    EXPECT_THAT(one({64}, 40, 0), HasSubstr("is stored as nvfp4, which this program does not read"));
    EXPECT_THAT(one({1, 1, 1, 1, 1}, 0, 0), HasSubstr("has 5 dimensions"));
    const auto two = [&](const std::string& a, const std::string& b) { return parsed(filled(head(2, 0) + a + b, 128)); };
    EXPECT_EQ(two(tensor("a", {16}, 0, 64), tensor("b", {16}, 0, 0)), "");
    EXPECT_THAT(two(tensor("a", {16}, 0, 0), tensor("a", {16}, 0, 64)), HasSubstr("tensor 'a' is there twice"));
    EXPECT_THAT(two(tensor("a", {16}, 0, 0), tensor("b", {16}, 0, 32)), HasSubstr("tensor 'b' overlaps 'a'"));
    EXPECT_THAT(two(tensor("a", {16}, 0, 0), tensor("", {16}, 0, 64)), HasSubstr("the name of tensor 1 is not a text"));
}

// --- files that shrink -----------------------------------------------------------------------------------------------

TEST(Mapping, AFileThatShrinksWhileItIsReadIsASentenceAndABadModel) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    TempFolder folder;
    fs::create_directory(folder / "hf");
    for (const char* name : {"config.json", "model.safetensors"}) fs::copy_file(kGolden / "bf16" / name, folder / "hf" / name);
    fs::copy_file(kGolden / "legacy-bf16.gguf", folder / "m.gguf");
    for (const auto& [path, file] : {std::pair(folder / "hf", folder / "hf" / "model.safetensors"), std::pair(folder / "m.gguf", folder / "m.gguf")})
        EXPECT_EXIT(
            {
                const auto checkpoint = open_checkpoint(path);
                fs::resize_file(file, 4096);
                static_cast<void>(check_values(*checkpoint->source));
                _exit(0);
            },
            testing::ExitedWithCode(Error::model), file.filename().string() + " became shorter while it was read");
}

TEST(Mapping, AnotherBusErrorIsStillOne) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(
        {
            const auto checkpoint = open_checkpoint(kGolden / "bf16");  // the handler is there
            std::raise(SIGBUS);
            _exit(0);
        },
        [](int status) { return WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) == 1; }, "");  // 1: a sanitizer's report of it
}

}  // namespace
}  // namespace klp
