// klp quantize to a GGUF file: the same model as the one it was made from, in the types that its mix says, whole or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files/gguf_model.h"
#include "core/files/gguf_writer.h"
#include "core/text/vocabulary.h"
#include "tests/gguf_files.h"
#include "tests/gguf_models.h"

namespace klp {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const GgufMix& mix(std::string_view name) {
    const GgufMix* found = find_mix(name);
    EXPECT_TRUE(found) << name;
    return found ? *found : gguf_mixes()[0];
}
std::string refused(const Result<void>& written, Error::Kind kind) {
    if (written) return "";
    EXPECT_EQ(written.error().kind, kind) << written.error().message;
    return written.error().message;
}
std::vector<std::string> names_in(const TempFolder& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename().string());
    return names;
}
Gguf parsed(const std::string& bytes) {
    auto gguf = parse_gguf(std::as_bytes(std::span(bytes)), "the file");
    EXPECT_TRUE(gguf) << (gguf ? "" : gguf.error().message);
    return gguf ? std::move(*gguf) : Gguf{};
}
std::string_view bytes_of(const Weight& w) {
    const DTypeInfo& type = info(w.type);
    return {reinterpret_cast<const char*>(w.data), static_cast<size_t>(w.out * w.in / type.block * type.bytes)};
}

TEST(Quantize, AFileSaysTheSameAsTheFolderOfItsType) {
    TempFolder folder;
    for (const char* name : {"f32", "f16", "bf16", "q8_0"}) {
        SCOPED_TRACE(name);
        const fs::path hf = folder / name, file = folder / (std::string(name) + ".gguf");
        const DType type = find_dtype(name)->type;
        ASSERT_TRUE(quantize_checkpoint(kGolden / "bf16", hf, type));
        const auto written = quantize_gguf(kGolden / "bf16", file, mix(name));
        ASSERT_TRUE(written) << written.error().message;
        const Checkpoint ours = opened(hf), theirs = opened(file);
        EXPECT_EQ(to_json(theirs.config), to_json(ours.config));
        int same = 0;
        for (const TensorSpec& spec : tensor_specs(ours.config)) {
            const auto a = ours.source->find(spec.name, spec.shape), b = theirs.source->find(spec.name, spec.shape);
            ASSERT_TRUE(a && b) << spec.name;
            if (a->type == b->type && a->type == type && spec.name.find("kv_b_proj") == std::string::npos) {
                EXPECT_EQ(bytes_of(*a), bytes_of(*b)) << spec.name;
                ++same;
            }
            if (a->type == DType::f32 || type != DType::q8_0) {
                EXPECT_EQ(floats(*a), floats(*b)) << spec.name;
            }
        }
        EXPECT_GT(same, 30);
        if (type == DType::f32) {
            EXPECT_TRUE(same_bits(logits(theirs, kPrompt), logits(ours, kPrompt)));
        }
        std::string upper(name);
        std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
        EXPECT_EQ(theirs.file_type, upper);
    }
}

TEST(Quantize, AFileHasTheWordsOfItsFolder) {
    TempFolder folder;
    ASSERT_TRUE(quantize_gguf(kGolden / "bf16", folder / "m.gguf", mix("q8_0")));
    const Checkpoint hf = opened(kGolden / "bf16"), made = opened(folder / "m.gguf");
    for (const auto& one : nlohmann::json::parse(read_bytes(source_dir() / "tests/golden/tokenizer/torture.json"))) {
        std::string text;
        const auto hex = one.at("utf8_hex").get<std::string>();
        for (size_t i = 0; i < hex.size(); i += 2) text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
        for (const bool special : {false, true}) EXPECT_EQ(made.tokenizer->encode(text, special), hf.tokenizer->encode(text, special));
    }
    EXPECT_EQ(made.tokenizer->vocab_size(), hf.tokenizer->vocab_size());
    EXPECT_EQ(made.tokenizer->ends(), hf.tokenizer->ends());
    // Its spelling, kinds and merges are those of the fixture, which another program wrote.
    const std::string ours = read_bytes(folder / "m.gguf"), theirs = read_bytes(kGolden / "legacy-bf16.gguf");
    const Gguf a = parsed(ours), b = parsed(theirs);
    for (const char* key : {"tokens", "merges"}) {
        const std::string whole = std::string("tokenizer.ggml.") + key;
        ASSERT_TRUE(a.find(whole) && b.find(whole)) << key;
        EXPECT_EQ(a.find(whole)->texts(), b.find(whole)->texts()) << key;
    }
    for (const char* key : {"token_type", "bos_token_id", "eos_token_id", "padding_token_id"}) {
        const GgufValue *x = a.find(std::string("tokenizer.ggml.") + key), *y = b.find(std::string("tokenizer.ggml.") + key);
        ASSERT_TRUE(x && y) << key;
        EXPECT_EQ(x->integers(), y->integers()) << key;
        EXPECT_EQ(x->integer(), y->integer()) << key;
    }
}

TEST(Quantize, MetadataIsThatOfAnotherWriter) {
    TempFolder folder;
    ASSERT_TRUE(quantize_gguf(kGolden / "bf16", folder / "m.gguf", mix("f32")));
    const std::string ours = read_bytes(folder / "m.gguf"), theirs = read_bytes(kGolden / "split-00001-of-00002.gguf");
    const Gguf a = parsed(ours), b = parsed(theirs);
    int compared = 0;
    for (const auto& [key, value] : b.metadata) {
        if (!key.starts_with("kimi-linear.") || key.ends_with("attention.value_length")) continue;  // which means nothing
        SCOPED_TRACE(key);
        const GgufValue* own = a.find(key);
        ASSERT_TRUE(own);
        EXPECT_EQ(own->type, value.type);
        EXPECT_EQ(own->number(), value.number());
        EXPECT_EQ(own->integers(), value.integers());
        ++compared;
    }
    EXPECT_GT(compared, 20);
}

// As large as llama.cpp's quantiser makes files of the 48B's shape: the MiB that it prints.
TEST(Quantize, MixesAreAsLargeAsAnyOtherFilesOfTheirNames) {
    const ModelConfig& config = shape("kimi-linear-48b");
    for (const auto& [name, size] : std::map<std::string, int64_t>{{"f16", 93726},
                                                                   {"q8_0", 49821},
                                                                   {"q6_k", 38488},
                                                                   {"q5_k_m", 33246},
                                                                   {"q5_k_s", 32310},
                                                                   {"q4_k_m", 28320},
                                                                   {"q4_k_s", 26654},
                                                                   {"iq4_nl", 26646},
                                                                   {"q4_0", 26499},
                                                                   {"iq4_xs", 25231},
                                                                   {"q3_k_l", 24321},
                                                                   {"q3_k_m", 22391},
                                                                   {"q3_k_s", 20331},
                                                                   {"q2_k", 17187}}) {
        int64_t bytes = 0;
        for (const TensorInfo& t : gguf_tensors(config, mix(name))) bytes += t.bytes;
        EXPECT_NEAR(static_cast<double>(bytes) / (1 << 20), static_cast<double>(size), 0.6) << name;
    }
}

TEST(Quantize, AMixGivesEachGroupItsType) {
    const ModelConfig& config = shape("kimi-linear-48b");
    const auto types = [&](const char* name) {
        std::map<std::string, std::string> all;
        for (const TensorInfo& t : gguf_tensors(config, mix(name))) all[t.name] = t.stored;
        return all;
    };
    const auto count = [&](const std::map<std::string, std::string>& all, const std::string& part, const std::string& type) {
        return std::count_if(all.begin(), all.end(), [&](const auto& t) { return t.first.find(part) != std::string::npos && t.second == type; });
    };
    auto all = types("q4_k_m");
    EXPECT_EQ(all.size(), 610u);
    EXPECT_EQ(all["token_embd.weight"], "q4_k");
    EXPECT_EQ(all["output.weight"], "q6_k");
    EXPECT_EQ(all["blk.0.ffn_down.weight"], "q6_k");
    EXPECT_EQ(count(all, "ffn_down_exps", "q6_k"), 12);
    EXPECT_EQ(count(all, "ffn_down_exps", "q4_k"), 14);
    EXPECT_EQ(count(all, "ffn_down_shexp", "q6_k"), 12);
    EXPECT_EQ(count(all, "attn_v.weight", "q6_k"), 10);
    EXPECT_EQ(count(all, "attn_v.weight", "q4_k"), 10);
    EXPECT_EQ(count(all, "", "q5_0"), 47) << "rows of 128: f_b, g_b and k_b";
    for (const char* part : {"_norm.weight", ".bias", "ssm_a", "ssm_conv1d", "ffn_gate_inp"}) EXPECT_GT(count(all, part, "f32"), 0) << part;
    EXPECT_EQ(count(all, "", "f32"), 27 * 2 + 1 + 20 * 6 + 7 + 26 * 2);
    all = types("mxfp4_moe");
    EXPECT_EQ(count(all, "_exps.weight", "mxfp4"), 78);
    EXPECT_EQ(count(all, "", "mxfp4"), 78);
    all = types("iq4_xs");
    EXPECT_EQ(count(all, "ffn_down_exps", "q5_k"), 2);
    EXPECT_EQ(all["blk.0.ffn_down.weight"], "q5_k");
    all = types("q3_k_m");
    EXPECT_EQ(count(all, "attn_v.weight", "q5_k"), 2);
    EXPECT_EQ(count(all, "attn_v.weight", "q4_k"), 18);
    EXPECT_EQ(count(all, "attn_output", "q4_k"), 27);

    ModelConfig tied = config;
    tied.tie_word_embeddings = true;
    EXPECT_EQ(mixed_type(mix("q4_k_m"), tied, "token_embd.weight", 2304), DType::q6_k);
    EXPECT_EQ(mixed_type(mix("q4_k_m"), config, "blk.1.ffn_up_exps.weight", 48), DType::f16) << "no whole block of either size";
}

TEST(Quantize, EveryTypeThatIsWrittenIsAMixOfThatName) {
    std::set<std::string_view> names;
    for (const GgufMix& one : gguf_mixes()) EXPECT_TRUE(names.insert(one.name).second) << one.name;
    for (const DTypeInfo& type : dtypes()) EXPECT_EQ(names.contains(type.name), type.encode != nullptr) << type.name;
}

// Rows of 256 values, so that every type is in its place.
TEST(Quantize, EveryMixOpensAndAnswersAlmostTheSame) {
    TempFolder folder;
    ASSERT_TRUE(quantize_gguf(kGolden / "mixed.gguf", folder / "f32.gguf", mix("f32")));
    const Checkpoint exact = opened(folder / "f32.gguf");
    const auto truth = logits(exact, kPrompt);
    for (const GgufMix& one : gguf_mixes()) {
        SCOPED_TRACE(one.name);
        const fs::path file = folder / (std::string(one.name) + "-again.gguf");
        const auto written = quantize_gguf(folder / "f32.gguf", file, one);
        ASSERT_TRUE(written) << written.error().message;
        const std::string bytes = read_bytes(file);
        const Gguf gguf = parsed(bytes);
        const auto planned = gguf_tensors(exact.config, one);
        ASSERT_EQ(gguf.tensors.size(), planned.size());
        for (size_t i = 0; i < planned.size(); ++i) {
            EXPECT_EQ(gguf.tensors[i].info.name, planned[i].name);
            EXPECT_EQ(gguf.tensors[i].info.type, planned[i].type) << planned[i].name;
        }
        const Checkpoint made = opened(file);
        EXPECT_EQ(to_json(made.config), to_json(exact.config));
        const auto said = logits(made, kPrompt);
        ASSERT_EQ(said.size(), truth.size());
        double difference = 0, size = 0;
        for (size_t i = 0; i < said.size(); ++i) difference += std::pow(said[i] - truth[i], 2), size += std::pow(truth[i], 2);
        EXPECT_LT(std::sqrt(difference / size), info(one.matrices).block == 1 ? 0.02 : 0.9);
    }
}

TEST(Quantize, FromAGgufToTheSameTypesIsTheSameFile) {
    TempFolder folder;
    for (const char* name : {"f32", "bf16", "f16", "q8_0"}) {
        ASSERT_TRUE(quantize_gguf(kGolden / "legacy-bf16.gguf", folder / "a.gguf", mix(name)));
        ASSERT_TRUE(quantize_gguf(folder / "a.gguf", folder / "b.gguf", mix(name)));
        EXPECT_EQ(read_bytes(folder / "a.gguf"), read_bytes(folder / "b.gguf")) << name;
        fs::remove(folder / "a.gguf"), fs::remove(folder / "b.gguf");
    }
    // What another program wrote about the model comes along, but not what it said about how that was stored.
    ASSERT_TRUE(quantize_gguf(kGolden / "legacy-bf16.gguf", folder / "a.gguf", mix("q4_0")));
    const std::string ours = read_bytes(folder / "a.gguf"), theirs = read_bytes(kGolden / "legacy-bf16.gguf");
    const Gguf a = parsed(ours), b = parsed(theirs);
    for (const char* key : {"general.name", "tokenizer.chat_template"}) {
        ASSERT_TRUE(a.find(key) && b.find(key)) << key;
        EXPECT_EQ(a.find(key)->text(), b.find(key)->text());
    }
    EXPECT_EQ(gguf_file_type(a), "Q4_0");
    ASSERT_TRUE(quantize_gguf(kGolden / kFirstPart, folder / "whole.gguf", mix("f32")));
    EXPECT_TRUE(same_bits(logits(opened(folder / "whole.gguf"), kPrompt), logits(opened(kGolden / kFirstPart), kPrompt)));
}

TEST(Quantize, AChatTemplateOfAFolderComesAlong) {
    TempFolder folder;
    fs::copy(kGolden / "bf16", folder / "m");
    const auto said = [&]() -> std::string {
        fs::remove(folder / "m.gguf");
        EXPECT_TRUE(quantize_gguf(folder / "m", folder / "m.gguf", mix("q8_0")));
        const std::string bytes = read_bytes(folder / "m.gguf");
        const Gguf gguf = parsed(bytes);
        const GgufValue* v = gguf.find("tokenizer.chat_template");
        return v ? std::string(v->text().value_or("?")) : "none";
    };
    EXPECT_EQ(said(), "none");
    auto config = nlohmann::json::parse(read_bytes(folder / "m" / "tokenizer_config.json"));
    config["chat_template"] = "<|im_user|>{{ one }}";
    write_bytes(folder / "m" / "tokenizer_config.json", config.dump());
    EXPECT_EQ(said(), "<|im_user|>{{ one }}");
    write_bytes(folder / "m" / "chat_template.jinja", "<|im_user|>{{ two }}");
    EXPECT_EQ(said(), "<|im_user|>{{ two }}");
}

TEST(Quantize, ShapesWithoutWordsOrOneKindOfLayer) {
    TempFolder folder;
    const auto again = [&](const ModelConfig& config) {
        fs::remove(folder / "m.gguf");
        const auto weights = synthetic_weights(config, DType::f32, 3);
        const auto words = gguf_vocabulary(nullptr, config, "m");
        const auto written = write_gguf(*weights, config, mix("f32"), *words, folder / "m.gguf");
        EXPECT_TRUE(written) << written.error().message;
        const Checkpoint made = opened(folder / "m.gguf");
        EXPECT_FALSE(made.tokenizer);
        EXPECT_EQ(to_json(made.config), to_json(config));
        return made;
    };
    const ModelConfig& tiny = shape("tiny");
    EXPECT_EQ(logits(again(tiny), {1, 2, 3}).size(), 3u * static_cast<size_t>(tiny.vocab_size));
    again(all_attention(tiny).kda_heads ? tiny : all_attention(tiny));
    ModelConfig other = tiny;
    other.tie_word_embeddings = true, other.router_softmax = true, other.routed_scaling_factor = 1, other.moe_renormalize = false;
    other.eos_token_ids = {2, 3, 5}, other.bos_token_id = 7;
    again(other);
}

TEST(Quantize, WhatMetadataCannotSayIsRefusedByItsName) {
    TempFolder folder;
    const auto trouble = [&](const std::function<void(ModelConfig&)>& change) {
        ModelConfig config = shape("tiny");
        change(config);
        const auto weights = synthetic_weights(config, DType::f32, 3);
        return refused(write_gguf(*weights, config, mix("f32"), {}, folder / "m.gguf"), Error::failure);
    };
    EXPECT_THAT(trouble([](ModelConfig& c) { c.mla_use_nope = false; }), HasSubstr("config says mla_use_nope false, which a GGUF file cannot say"));
    EXPECT_THAT(trouble([](ModelConfig& c) { c.kv_a_layernorm_eps = 1e-3f; }), HasSubstr("kv_a_layernorm_eps 0.001,"));
    EXPECT_THAT(trouble([](ModelConfig& c) { c.kda_heads = 1; }), HasSubstr("linear_attn_config.num_heads 1,"));
    EXPECT_THAT(trouble([](ModelConfig& c) { c.moe_layer_freq = 2; }), HasSubstr("moe_layer_freq 2,"));
    EXPECT_TRUE(names_in(folder).empty());
    ModelConfig many = shape("tiny");
    many.eos_token_ids = {1, 2, 3, 4};
    EXPECT_THAT(gguf_vocabulary(nullptr, many, "m").error().message, HasSubstr("m names 4 tokens that end an answer"));
}

TEST(Quantize, NothingIsLeftOfAFileThatIsNotWhole) {
    TempFolder folder;
    std::atomic<bool> stop = false;
    int64_t seen = 0, last = 0;
    const WriteOptions options{.cancel = &stop, .progress = [&](int64_t done, int64_t total) {
                                   EXPECT_GE(done, last);
                                   seen = total, last = done;
                                   if (done > total / 2) {
                                       EXPECT_EQ(names_in(folder).size(), 1u);
                                       stop = true;
                                   }
                               }};
    EXPECT_THAT(refused(quantize_gguf(kGolden / "bf16", folder / "m.gguf", mix("q4_0"), options), Error::interrupted),
                HasSubstr("m.gguf was interrupted; nothing was left behind"));
    EXPECT_GT(last, seen / 2);
    EXPECT_LT(last, seen);
    EXPECT_TRUE(names_in(folder).empty());
    stop = false;
    ASSERT_TRUE(quantize_gguf(kGolden / "bf16", folder / "m.gguf", mix("q4_0")));
    EXPECT_EQ(names_in(folder), std::vector<std::string>{"m.gguf"});
    const std::string whole = read_bytes(folder / "m.gguf");
    EXPECT_THAT(refused(quantize_gguf(kGolden / "bf16", folder / "m.gguf", mix("f32")), Error::usage), HasSubstr("m.gguf exists already"));
    EXPECT_THAT(refused(quantize_gguf(folder / "m.gguf", folder / "m.gguf", mix("f32")), Error::usage), HasSubstr("m.gguf exists already"));
    EXPECT_EQ(read_bytes(folder / "m.gguf"), whole);
    EXPECT_THAT(refused(quantize_gguf(kGolden / "bf16", folder / "no/m.gguf", mix("f32")), Error::failure), HasSubstr("no/m.gguf: No such file"));
}

TEST(Quantize, ADiskThatIsTooSmallSaysSoAtOnce) {
    TempFolder folder;
    ModelConfig config = shape("kimi-linear-48b");
    config.num_hidden_layers = 1000;
    config.layer_kinds.assign(1000, "kda");
    config.layer_kinds[3] = "mla";
    // Weights that exist by name alone: nothing is read before there is room.
    class Names final : public WeightSource {
    public:
        const std::string& path() const override { return path_; }
        std::vector<TensorInfo> tensors() const override { return {}; }
        Result<Weight> find(const std::string&, const std::vector<int64_t>&) const override { return Weight{}; }
        bool has(const std::string&) const override { return true; }

    private:
        std::string path_ = "names";
    };
    const std::string said = refused(write_gguf(Names(), config, mix("f32"), *gguf_vocabulary(nullptr, config, "m"), folder / "m.gguf"), Error::failure);
    EXPECT_THAT(said, AllOf(HasSubstr("m.gguf: it will take "), HasSubstr("nothing was written")));
    EXPECT_TRUE(names_in(folder).empty());
}

TEST(Quantize, WhatIsNoNumberIsRefusedByItsName) {
    TempFolder folder;
    const auto trouble = [&](const char* tensor, size_t value, float number, const char* as) {
        GgufFile file = GgufFile::fixture("legacy-bf16.gguf");
        GgufFile::Tensor& t = file.tensor(tensor);
        restore(t, DType::f32);
        std::memcpy(t.data.data() + value * sizeof number, &number, sizeof number);
        write_bytes(folder / "bad.gguf", file.bytes());
        const std::string said = refused(quantize_gguf(folder / "bad.gguf", folder / "m.gguf", mix(as)), Error::model);
        EXPECT_EQ(names_in(folder), std::vector<std::string>{"bad.gguf"});
        return said;
    };
    EXPECT_THAT(trouble("token_embd.weight", 37, NAN, "q4_0"), HasSubstr("'model.embed_tokens.weight' holds NaN at [1, 5]"));
    EXPECT_THAT(trouble("blk.1.ffn_up_exps.weight", 32 * 32 + 33, INFINITY, "f32"),
                HasSubstr("'model.layers.1.block_sparse_moe.experts.1.w3.weight' holds infinity at [1, 1]"));
    EXPECT_THAT(trouble("blk.2.attn_kv_b.weight", 65, NAN, "q8_0"), HasSubstr("'model.layers.2.self_attn.kv_b_proj.weight' holds NaN at [2, 1]"));
    EXPECT_THAT(trouble("blk.2.attn_kv_b.weight", 65, 1e6f, "f16"), AllOf(HasSubstr("'blk.2.attn_k_b.weight' holds 1"), HasSubstr("which f16 cannot")));
}

}  // namespace
}  // namespace klp
