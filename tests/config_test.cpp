// What a config.json may say, what follows from it, and what is refused.
#include "core/files/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/checkpoints.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using nlohmann::json;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
const std::filesystem::path kGolden = source_dir() / "tests/golden/hf";

json golden(const std::string& name) { return json::parse(read_bytes(kGolden / name / "config.json")); }
// The error's sentence, or "" and a config.
std::string refusal(const json& j) {
    auto config = parse_config(j.dump(), "config.json");
    return config ? "" : config.error().message;
}
std::string kinds(const ModelConfig& c) {
    std::string s;
    for (const std::string& kind : c.layer_kinds) s += kind == "kda" ? 'K' : kind == "mla" ? 'M' : '?';
    return s;
}

TEST(Config, Reads48BAsTheVendorWritesIt) {
    const auto c = parse_config(R"({
        "architectures": ["KimiLinearForCausalLM"], "model_type": "kimi_linear", "dtype": "bfloat16", "bos_token_id": 163584, "eos_token_id": 163586,
        "pad_token_id": 163839, "first_k_dense_replace": 1, "head_dim": 72, "hidden_act": "silu", "hidden_size": 2304, "initializer_range": 0.02,
        "intermediate_size": 9216, "kv_lora_rank": 512, "linear_attn_config": {"full_attn_layers": [4, 8, 12, 16, 20, 24, 27], "head_dim": 128,
        "kda_layers": [1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25, 26], "num_heads": 32, "short_conv_kernel_size": 4},
        "mla_use_nope": true, "model_max_length": 1048576, "moe_intermediate_size": 1024, "moe_layer_freq": 1, "moe_renormalize": true,
        "moe_router_activation_func": "sigmoid", "num_attention_heads": 32, "num_expert_group": 1, "num_experts": 256, "num_experts_per_token": 8,
        "num_hidden_layers": 27, "num_key_value_heads": 32, "num_nextn_predict_layers": 0, "num_shared_experts": 1, "q_lora_rank": null,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0,
        "routed_scaling_factor": 2.446, "tie_word_embeddings": false, "topk_group": 1, "use_cache": true, "use_grouped_topk": true, "v_head_dim": 128,
        "vocab_size": 163840})",
                                "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(kinds(*c), "KKKMKKKMKKKMKKKMKKKMKKKMKKM");
    EXPECT_EQ(to_json(*c), to_json(shape("kimi-linear-48b")));  // every field that means something
    EXPECT_FALSE(c->is_moe(0));
    EXPECT_TRUE(c->is_moe(1) && c->is_moe(26));
    EXPECT_EQ(c->kda_gate_rank, 128);
    EXPECT_EQ(c->kv_a_layernorm_eps, 1e-6f);
    EXPECT_EQ(c->gate_lower_bound, 0);
    EXPECT_THAT(c->eos_token_ids, ElementsAre(163586));
}

TEST(Config, EveryGoldenFolderReadsAndNamesTheTensorsItsFilesHave) {
    for (const auto& entry : std::filesystem::directory_iterator(kGolden)) {
        const auto c = read_config(entry.path() / "config.json");
        ASSERT_TRUE(c) << c.error().message;
        const auto source = open_safetensors(entry.path(), &*c);
        ASSERT_TRUE(source) << source.error().message;
        for (const TensorSpec& spec : tensor_specs(*c)) {
            const auto found = (*source)->find(spec.name, spec.shape);
            EXPECT_TRUE(found) << found.error().message;
        }
        // One has a layer behind its last, which predicts ahead and is left alone.
        std::vector<TensorInfo> tensors = (*source)->tensors();
        std::erase_if(tensors, [&](const TensorInfo& t) { return t.name.starts_with("model.layers." + std::to_string(c->num_hidden_layers) + "."); });
        EXPECT_EQ(tensor_specs(*c).size(), tensors.size()) << entry.path();
        EXPECT_EQ((*source)->tensors().size() - tensors.size(), entry.path().filename() == "ling-odd" ? 5 : 0) << entry.path();
    }
}

TEST(Config, TransformersOwnSpellingMeansTheSame) {
    const auto c = parse_config(golden("transformers-keys").dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(kinds(*c), "KMMK");
    EXPECT_EQ(c->first_k_dense_replace, 2);
    EXPECT_FALSE(c->is_moe(1));
    EXPECT_TRUE(c->is_moe(2) && c->is_moe(3));
    EXPECT_EQ(c->kda_heads, 2);
    EXPECT_EQ(c->kda_value_dim, 12);
    json j = golden("transformers-keys");
    j["num_experts_per_tok"] = j["num_experts_per_token"], j["n_shared_experts"] = j["num_shared_experts"], j["num_local_experts"] = j["num_experts"];
    j["max_position_embeddings"] = j["model_max_length"], j["norm_topk_prob"] = j["moe_renormalize"], j["n_group"] = j["num_expert_group"];
    for (const char* vendor : {"num_experts_per_token", "num_shared_experts", "num_experts", "model_max_length", "moe_renormalize", "num_expert_group"})
        j.erase(vendor);
    const auto other = parse_config(j.dump(), "config.json");
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ(to_json(*other), to_json(*c));
}

TEST(Config, OptionalKeysMayBeAbsent) {
    json j = golden("tiny-spec");
    const auto full = parse_config(j.dump(), "config.json");
    for (const char* key : {"architectures",
                            "dtype",
                            "first_k_dense_replace",
                            "head_dim",
                            "hidden_act",
                            "initializer_range",
                            "mla_use_nope",
                            "moe_layer_freq",
                            "moe_renormalize",
                            "moe_router_activation_func",
                            "num_expert_group",
                            "num_key_value_heads",
                            "num_nextn_predict_layers",
                            "num_shared_experts",
                            "q_lora_rank",
                            "rms_norm_eps",
                            "rope_scaling",
                            "rope_theta",
                            "routed_scaling_factor",
                            "tie_word_embeddings",
                            "topk_group",
                            "use_cache",
                            "use_grouped_topk"})
        j.erase(key);
    j["linear_attn_config"].erase("short_conv_kernel_size");
    const auto bare = parse_config(j.dump(), "config.json");
    ASSERT_TRUE(full && bare) << bare.error().message;
    EXPECT_EQ(to_json(*bare), to_json(*full));
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id", "model_max_length"}) j.erase(key);
    const auto barest = parse_config(j.dump(), "config.json");
    ASSERT_TRUE(barest) << barest.error().message;
    EXPECT_EQ(barest->bos_token_id, -1);
    EXPECT_TRUE(barest->eos_token_ids.empty());
    EXPECT_EQ(barest->model_max_length, 1048576);
}

TEST(Config, ArchitecturesAloneAreEnough) {
    json j = golden("tiny-spec");
    j.erase("model_type");
    EXPECT_EQ(refusal(j), "");
}

TEST(Config, EndTokensMayBeAListAndGenerationConfigAddsItsOwn) {
    TempFolder folder;
    json j = golden("tiny-spec");
    j["eos_token_id"] = {7, 9, 7};
    write_bytes(folder / "config.json", j.dump());
    EXPECT_THAT(read_config(folder / "config.json")->eos_token_ids, ElementsAre(7, 9));
    write_bytes(folder / "generation_config.json", R"({"eos_token_id": [9, 11], "temperature": 0.5})");
    EXPECT_THAT(read_config(folder / "config.json")->eos_token_ids, ElementsAre(7, 9, 11));
    write_bytes(folder / "generation_config.json", R"({"eos_token_id": 32})");
    EXPECT_THAT(read_config(folder / "config.json").error().message, testing::EndsWith("generation_config.json: eos_token_id is 32, which is not in 0..31"));
}

TEST(Config, GatesAndRoutersOfTheSiblings) {
    json j = golden("tiny-spec");
    j["linear_attn_config"]["gate_lower_bound"] = -5.0;
    j["linear_attn_config"]["v_head_dim"] = 12;
    j["moe_router_activation_func"] = "softmax";
    j["mla_use_nope"] = false;
    j["rope_theta"] = 5e5;
    const auto c = parse_config(j.dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(c->gate_lower_bound, -5);
    EXPECT_EQ(c->kda_value_dim, 12);
    EXPECT_EQ(c->kda_gate_rank, 8);
    EXPECT_TRUE(c->router_softmax);
    EXPECT_EQ(c->rope_theta, 5e5f);
    EXPECT_EQ(to_json(*parse_config(to_json(*c), "config.json")), to_json(*c));
}

TEST(Config, SparseLayersInAnyOrderSurviveARoundTrip) {
    json j = golden("transformers-keys");
    j["mlp_layer_types"] = {"sparse", "dense", "dense", "sparse"};
    const auto c = parse_config(j.dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    const auto again = parse_config(to_json(*c), "config.json");
    ASSERT_TRUE(again) << again.error().message;
    for (const ModelConfig& m : {*c, *again}) EXPECT_TRUE(m.is_moe(0) && !m.is_moe(1) && !m.is_moe(2) && m.is_moe(3));
}

TEST(Config, NoWordOfLinearAttentionMeansAllMla) {
    json j = golden("tiny-spec");
    j.erase("linear_attn_config");
    const auto c = parse_config(j.dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(kinds(*c), "MMMM");
}

struct Mutation {
    const char* patch;   // merged into the tiny model's config; "-x": key x goes
    const char* phrase;  // in the sentence
};
TEST(Config, WhatIsWrongIsSaidByFileAndField) {
    const Mutation mutations[] = {
        {R"({"architectures": ["LlamaForCausalLM"]})",
         "architectures names 'LlamaForCausalLM', which is not one this program knows (kimi_linear, kimi_k3, bailing_hybrid, qwen3_5, qwen3_5_moe, qwen3_next)"},
        {R"({"architectures": "KimiLinearForCausalLM"})", "architectures is 'KimiLinearForCausalLM' where a list belongs"},
        {R"({"model_type": "kimi_k2"})", "model_type 'kimi_k2' is not one this program knows (kimi_linear, kimi_k3, bailing_hybrid, qwen3_5, qwen3_5_moe, qwen3_next)"},
        {R"({"model_type": 5})", "model_type is 5 where a text belongs"},
        {R"({"vocab_size": null})", "vocab_size is missing"},
        {R"({"vocab_size": 0})", "vocab_size is 0, which is not in 1..16777216"},
        {R"({"hidden_size": -16})", "hidden_size is -16, which is not in"},
        {R"({"hidden_size": "16"})", "hidden_size is '16' where a whole number belongs"},
        {R"({"hidden_size": 16.5})", "hidden_size is 16.5 where a whole number belongs"},
        {R"({"hidden_size": 18446744073709551615})", "hidden_size is 18446744073709551615, which is not in"},
        {R"({"hidden_size": [16]})", "hidden_size is a list where a whole number belongs"},
        {R"({"num_hidden_layers": 1000000000000})", "num_hidden_layers is 1000000000000, which is not in"},
        {R"({"num_hidden_layers": 5})", "linear_attn_config.kda_layers leaves out layer 5, and so does full_attn_layers"},
        {R"({"num_hidden_layers": 3})", "linear_attn_config.full_attn_layers is 4, which is not in 1..3"},
        {R"({"linear_attn_config": {"kda_layers": [0, 1, 2, 3]}})", "linear_attn_config.kda_layers is 0, which is not in 1..4"},
        {R"({"linear_attn_config": {"kda_layers": [1, 2, 2, 3]}})", "linear_attn_config.kda_layers names layer 2, which already is kda"},
        {R"({"linear_attn_config": {"kda_layers": [1, 2, 3, 4]}})", "linear_attn_config.full_attn_layers names layer 4, which already is kda"},
        {R"({"linear_attn_config": {"kda_layers": "all"}})", "linear_attn_config.kda_layers is 'all' where a list belongs"},
        {R"({"linear_attn_config": {"kda_layers": null, "full_attn_layers": null}})", "linear_attn_config.kda_layers is missing"},
        {R"({"linear_attn_config": []})", "linear_attn_config is a list where an object belongs"},
        {R"({"linear_attn_config": {"num_heads": null}})", "linear_attn_config.num_heads is missing"},
        {R"({"linear_attn_config": {"num_heads": 100000, "head_dim": 100000}})", "linear_attn_config makes the width of all heads 10000000000, more than"},
        {R"({"linear_attn_config": {"short_conv_kernel_size": 0}})", "linear_attn_config.short_conv_kernel_size is 0, which is not in 1..16"},
        {R"({"linear_attn_config": {"gate_lower_bound": 5}})", "linear_attn_config.gate_lower_bound is 5, which is not in -10000.0..0.0"},
        {R"({"linear_attn_config": {"use_full_rank_gate": true}})", "linear_attn_config.use_full_rank_gate is true, which this program does not have"},
        {R"({"layer_types": ["linear_attention", "full_attention", "linear_attention", "full_attention"]})",
         "layer_types and linear_attn_config disagree about layer 2"},
        {R"({"layer_types": ["linear_attention"]})", "layer_types names 1 layers of 4"},
        {R"({"linear_attn_config": null, "layer_types": ["linear_attention", "mamba", "linear_attention", "full_attention"]})", "layer_types names 'mamba'"},
        {R"({"linear_attn_config": null, "linear_num_heads": 2, "linear_head_dim": 8})", "layer_types is missing"},
        {R"({"num_key_value_heads": 1})", "num_key_value_heads is 1, but latent attention has one for each of the 2 heads"},
        {R"({"num_attention_heads": 0, "num_key_value_heads": null})", "num_attention_heads is 0, which is not in"},
        {R"({"kv_lora_rank": null})", "kv_lora_rank is missing"},
        {R"({"q_lora_rank": 1536})", "q_lora_rank is 1536, which this program does not have"},
        {R"({"mla_use_output_gate": true})", "mla_use_output_gate is true, which this program does not have"},
        {R"({"mla_use_nope": 1})", "mla_use_nope is 1 where true or false belongs"},
        {R"({"mla_use_nope": false, "qk_rope_head_dim": 3})", "qk_rope_head_dim is odd"},
        {R"({"mla_use_nope": false, "rope_scaling": {"type": "yarn"}})", "rope_scaling is an object, which this program does not have"},
        {R"({"attn_res_block_size": 12})", "attn_res_block_size is 12, which this program does not have"},
        {R"({"routed_expert_hidden_size": 3584})", "routed_expert_hidden_size is 3584, which this program does not have"},
        {R"({"quantization_config": {"quant_method": "awq"}})", "quantization_config says that the weights are stored as AWQ, which this program"},
        {R"({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}})", "stored as NVFP4,"},
        {R"({"quantization_config": {"quant_method": "modelopt_fp4", "quant_algo": "NVFP4"}})", "stored as NVFP4,"},
        {R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}})", "stored as NVFP4,"},
        {R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"}})", "stored as 'PACK-QUANTIZED' of compressed-tensors,"},
        {R"({"quantization_config": {"quant_method": "awq", "bits": 4}})", "stored as AWQ of 4 bits,"},
        {R"({"quantization_config": {"quant_method": "gptq", "bits": 8}})", "stored as GPTQ of 8 bits,"},
        {R"({"quantization_config": {"quant_method": "bitsandbytes"}})", "stored as bitsandbytes,"},
        {R"({"quantization_config": {"quant_method": "new-thing"}})", "stored as 'NEW-THING',"},
        {R"({"quantization_config": {"bits": 4}})", "stored as an unknown quantisation,"},
        {R"({"quantization_config": "int4"})", "stored as 'int4',"},
        {R"({"quantization": {"group_size": 64, "bits": 4}})", "quantization says that the weights are stored as MLX of 4 bits,"},
        {R"({"quantization": {"group_size": 64, "bits": 4}, "quantization_config": {"group_size": 64, "bits": 4}})", "stored as MLX of 4 bits,"},
        {R"({"quantization_config": {"quant_method": "awq"}})", "klp quantize makes them q8_0 or q4_0"},
        {R"({"hidden_act": "situ"})", "hidden_act is 'situ', which this program does not have"},
        {R"({"rms_norm_eps": 0})", "rms_norm_eps is 0, which is not in"},
        {R"({"rms_norm_eps": "1e-5"})", "rms_norm_eps is '1e-5' where a number belongs"},
        {R"({"num_experts_per_token": 9})", "num_experts_per_token is 9, which is not in 1..8"},
        {R"({"num_experts_per_token": null})", "num_experts_per_token is missing"},
        {R"({"num_experts": 65536, "num_hidden_layers": 100, "linear_attn_config": null})",
         "num_experts makes the number of all layers' experts 6553600, more than"},
        {R"({"num_expert_group": 3})", "num_expert_group is 3, which does not divide the 8 experts"},
        {R"({"num_expert_group": 8})", "num_expert_group leaves one expert a group"},
        {R"({"num_expert_group": 4, "num_experts_per_token": 3})", "topk_group keeps 2 experts, fewer than the 3 of a token"},
        {R"({"num_expert_group": 2, "topk_group": 3})", "topk_group is 3, which is not in 1..2"},
        {R"({"moe_layer_freq": 0})", "moe_layer_freq is 0, which is not in"},
        {R"({"moe_router_activation_func": "tanh"})", "moe_router_activation_func 'tanh' is neither sigmoid nor softmax"},
        {R"({"routed_scaling_factor": -2.446})", "routed_scaling_factor is -2.446, which is not in"},
        {R"({"mlp_layer_types": ["sparse", "sparse", "sparse", "sparse"]})",
         "mlp_layer_types and first_k_dense_replace with moe_layer_freq disagree about layer 1"},
        {R"({"intermediate_size": null})", "intermediate_size is missing"},
        {R"({"tie_word_embeddings": "yes"})", "tie_word_embeddings is 'yes' where true or false belongs"},
        {R"({"model_max_length": 1e12})", "model_max_length is 1000000000000.0 where a whole number belongs"},
        {R"({"eos_token_id": [2, 32]})", "eos_token_id is 32, which is not in 0..31"},
        {R"({"eos_token_id": "</s>"})", "eos_token_id is '</s>' where a whole number belongs"},
        {R"({"bos_token_id": -2})", "bos_token_id is -2, which is not in 0..31"},
    };
    for (const Mutation& m : mutations) {
        json j = golden("tiny-spec");
        j.merge_patch(json::parse(m.patch));
        const std::string said = refusal(j);
        EXPECT_THAT(said, HasSubstr(m.phrase)) << m.patch;
        EXPECT_THAT(said, testing::StartsWith("config.json: ")) << m.patch;
        EXPECT_EQ(said.find('\n'), std::string::npos);
    }
}

TEST(Config, TextThatIsNoConfigIsRefused) {
    const auto said = [](const std::string& text) {
        const auto c = parse_config(text, "config.json");
        return c ? "" : c.error().message;
    };
    EXPECT_EQ(said(""), "config.json is not valid JSON at byte 1");
    EXPECT_EQ(said("[]"), "config.json is not a JSON object");
    EXPECT_EQ(said("{\"vocab_size\": 32"), "config.json is not valid JSON at byte 18");
    EXPECT_EQ(said("{\"rms_norm_eps\": NaN}"), "config.json is not valid JSON at byte 18");
    EXPECT_EQ(said("{\"rms_norm_eps\": 1e999}"), "config.json is not valid JSON: a number is too large");
    EXPECT_EQ(said("{\"a\": 1, \"a\": 2}"), "config.json has the key 'a' twice in one object");
    EXPECT_EQ(said("{\"a\": \"\xff\"}"), "config.json is not valid JSON at byte 8");
    EXPECT_EQ(said("{}"), "config.json: model_type is missing");
    EXPECT_EQ(said("{\"a\": " + std::string(1'000'000, '[')), "config.json is nested more than 64 levels deep");
    EXPECT_EQ(said("{\"architectures\": [\"\\u001b[31m" + std::string(200, 'x') + "\"]}"),
              "config.json: architectures names '?[31m" + std::string(95, 'x') +
                  "...', which is not one this program knows (kimi_linear, kimi_k3, bailing_hybrid, qwen3_5, qwen3_5_moe, qwen3_next)");
}

TEST(Config, AFileThatCannotBeReadIsNamed) {
    TempFolder folder;
    EXPECT_EQ(read_config(folder / "config.json").error().message, (folder / "config.json").string() + ": No such file or directory");
    std::filesystem::create_directory(folder / "config.json");
    EXPECT_EQ(read_config(folder / "config.json").error().message, (folder / "config.json").string() + " is not a file but a folder");
}

// --- Ling 3.0 ---------------------------------------------------------------------------------------------------------

TEST(Ling, ItsConfigIsReadUnderItsOwnNames) {
    const auto c = parse_config(golden("ling-limits").dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(c->model_type, "bailing_hybrid");
    EXPECT_EQ(kinds(*c), "KMKM");
    EXPECT_EQ(c->kda_gate_rank, 0);
    EXPECT_EQ(c->gate_lower_bound, -5);
    EXPECT_EQ(c->kda_heads, 2);
    EXPECT_EQ(c->kda_key_dim, 8);
    EXPECT_EQ(c->q_lora_rank, 10);
    EXPECT_FALSE(c->mla_use_nope);
    EXPECT_TRUE(c->rope_adjacent && c->mla_head_gate);
    EXPECT_EQ(c->rope_theta, 6e6f);
    EXPECT_EQ(c->num_expert_group, 4);
    EXPECT_EQ(c->topk_group, 2);
    EXPECT_THAT(c->expert_limits, ElementsAre(0, 0, 0, 0.5f));
    EXPECT_EQ(c->shared_limit(3), 0.7f);
    EXPECT_EQ(c->shared_limit(2), 0);
    EXPECT_THAT(parse_config(golden("ling-spec").dump(), "config.json")->expert_limits, testing::IsEmpty());
}

TEST(Ling, EveryGoldenConfigSurvivesItsOwnJson) {
    for (const char* name : {"ling-spec", "ling-limits", "ling-odd", "ling-tied", "ling-flash"}) {
        const auto c = parse_config(golden(name).dump(), "config.json");
        ASSERT_TRUE(c) << c.error().message;
        const auto again = parse_config(to_json(*c), "config.json");
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(to_json(*again), to_json(*c)) << name;
        EXPECT_EQ(again->layer_kinds, c->layer_kinds);
        EXPECT_EQ(again->expert_limits, c->expert_limits);
        EXPECT_EQ(again->gate_lower_bound, c->gate_lower_bound);
        const auto twin = parse_config(to_json(all_attention(*c)), "config.json");
        ASSERT_TRUE(twin) << twin.error().message;
        EXPECT_THAT(twin->layer_kinds, Each("mla"));
    }
}

TEST(Ling, TheTextOfAModelThatAlsoSeesIsItsTextConfig) {
    json inner = golden("ling-spec");
    inner.erase("architectures");
    const json outer{
        {"architectures", {"BailingMoeV3VLForConditionalGeneration"}}, {"model_type", "bailing_moe_vl"}, {"text_config", inner}, {"hidden_size", 7}};
    const auto c = parse_config(outer.dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(to_json(*c), to_json(*parse_config(golden("ling-spec").dump(), "config.json")));
    json other = outer;
    other["architectures"] = {"Glm5NextForConditionalGeneration"};
    EXPECT_THAT(parse_config(other.dump(), "config.json").error().message, HasSubstr("names 'Glm5NextForConditionalGeneration', which is not one"));
}

TEST(Ling, WhatALingOfThisProgramHasNotIsSaid) {
    const auto said = [](const char* patch) {
        json j = golden("ling-spec");
        j.merge_patch(json::parse(patch));
        const auto c = parse_config(j.dump(), "config.json");
        return c ? std::string("it opens") : c.error().message;
    };
    EXPECT_EQ(said("{}"), "it opens");
    EXPECT_THAT(said(R"({"kda_safe_gate": null, "kda_lower_bound": null, "architectures": ["BailingMoeV2_5ForCausalLM"]})"),
                HasSubstr("model_type is 'bailing_hybrid' without kda_safe_gate: that is Ling 2.6 or Ring 2.6"));
    EXPECT_THAT(said(R"({"kda_safe_gate": null, "kda_lower_bound": null})"), HasSubstr("lightning attention"));
    EXPECT_THAT(said(R"({"no_kda_lora": false})"), HasSubstr("no_kda_lora asks for gates of low rank"));
    EXPECT_THAT(said(R"({"gated_attention_proj_granularity_type": "element_wise"})"), HasSubstr("is 'element_wise', which this program does not have"));
    EXPECT_THAT(said(R"({"rope_scaling": {"type": "yarn", "factor": 2.0}})"), HasSubstr("rope_scaling.type is 'yarn', a way of reaching further"));
    EXPECT_THAT(said(R"({"expert_swiglu_limit_list": [1, 2]})"), HasSubstr("expert_swiglu_limit_list has 2 entries for 4 layers"));
    EXPECT_THAT(said(R"({"share_expert_swiglu_limit_list": [0, 0, -1, 0]})"), HasSubstr("has -1 for layer 2 where a limit, 0 or null belongs"));
    EXPECT_THAT(said(R"({"moe_shared_expert_intermediate_size": 13})"), HasSubstr("a shared expert of another width"));
    EXPECT_THAT(said(R"({"layer_group_size": null})"), HasSubstr("layer_group_size is missing"));
    EXPECT_THAT(said(R"({"use_bias": true})"), HasSubstr("use_bias is true, which this program does not have"));
}

TEST(Ling, LayersBehindTheLastWholeGroupReadTheCache) {
    json j = golden("ling-spec");
    j["num_hidden_layers"] = 8, j["layer_group_size"] = 3;
    EXPECT_EQ(kinds(*parse_config(j.dump(), "config.json")), "KKMKKMMM");
}

TEST(Ling, TheShapesOfTheFamilyHaveTheCountsOfTheirMakers) {
    const ModelConfig &tiny = shape("ling-3.0-tiny"), &flash = shape("ling-3.0-flash");
    EXPECT_EQ(tensor_specs(tiny).size(), 9'283u);
    EXPECT_NEAR(static_cast<double>(count_parameters(tiny).total), 7.89e9, 0.01e9);
    // They count the embedding among the active ones.
    EXPECT_NEAR(static_cast<double>(count_parameters(tiny).active + int64_t{tiny.vocab_size} * tiny.hidden_size), 1.3e9, 0.1e9);
    EXPECT_NEAR(static_cast<double>(count_parameters(flash).total), 124e9, 0.5e9);
    EXPECT_NEAR(static_cast<double>(count_parameters(flash).active), 5.1e9, 0.4e9);
    EXPECT_EQ(sequence_bytes(tiny, 0).state, 18 * 16 * 128 * 128 * 4);
    EXPECT_EQ(sequence_bytes(tiny, 1).cache, 6'912);
    EXPECT_EQ(std::count(flash.layer_kinds.begin(), flash.layer_kinds.end(), "mla"), 7);
}

// --- Qwen -------------------------------------------------------------------------------------------------------------

constexpr const char* kQwens[] = {"qwen35-spec",    "qwen35-odd",       "qwen35-seen",      "qwen35-one",     "qwen35-full-first",
                                  "qwen35moe-spec", "qwen35moe-seen",   "qwen35moe-apart",  "qwen35moe-many", "qwen3next-spec",
                                  "qwen3next-odd",  "qwen3next-sparse", "qwen3next-stacked"};

TEST(Qwen, ItsConfigIsReadUnderItsOwnNames) {
    const auto c = parse_config(golden("qwen35moe-seen").dump(), "config.json");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(c->model_type, "qwen3_5_moe");
    EXPECT_THAT(c->layer_kinds, ElementsAre("gated_deltanet", "full_attention"));
    EXPECT_EQ(c->kda_heads, 2);
    EXPECT_EQ(c->num_attention_heads, 4);
    EXPECT_EQ(c->num_key_value_heads, 2);
    EXPECT_EQ(c->head_dim, 8);
    EXPECT_EQ(c->rotary_dim, 4);
    EXPECT_EQ(c->rope_theta, 1e7f);
    EXPECT_TRUE(c->attention_gate && c->shared_expert_gate && c->router_softmax && c->tie_word_embeddings);
    EXPECT_FALSE(c->router_bias || c->mla_use_nope || c->kda_tiled);
    EXPECT_EQ(c->shared_width(), 8);
    EXPECT_EQ(c->conv_width(), 2 * 2 * 6 + 2 * 4);
    EXPECT_EQ(c->cache_width(), 2 * 2 * 8);
    const auto sparse = parse_config(golden("qwen3next-sparse").dump(), "config.json");
    ASSERT_TRUE(sparse) << sparse.error().message;
    EXPECT_THAT(sparse->moe_layers, ElementsAre(false, false, false, true));
    EXPECT_EQ(sparse->key_head(2), 0);
    EXPECT_EQ(sparse->rotary_dim, 4);
    const auto spec = parse_config(golden("qwen35-spec").dump(), "config.json");
    EXPECT_THAT(spec->layer_kinds, ElementsAre("gated_deltanet", "full_attention", "gated_deltanet", "full_attention")) << "by full_attention_interval";
    EXPECT_THAT((std::vector{spec->key_head(0), spec->key_head(1), spec->key_head(2), spec->key_head(3)}), ElementsAre(0, 0, 1, 1));
}

TEST(Qwen, EveryGoldenConfigSurvivesItsOwnJson) {
    for (const char* name : kQwens) {
        const auto c = parse_config(golden(name).dump(), "config.json");
        ASSERT_TRUE(c) << c.error().message;
        const auto again = parse_config(to_json(*c), "config.json");
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(to_json(*again), to_json(*c)) << name;
        EXPECT_EQ(again->layer_kinds, c->layer_kinds);
        EXPECT_EQ(again->rotary_dim, c->rotary_dim);
        EXPECT_EQ(again->moe_layers, c->moe_layers);
        const auto twin = parse_config(to_json(all_attention(*c)), "config.json");
        ASSERT_TRUE(twin) << twin.error().message;
        EXPECT_THAT(twin->layer_kinds, Each("full_attention"));
        EXPECT_EQ(state_name(*c), "Gated DeltaNet");
        EXPECT_EQ(cache_name(*c), "full attention");
    }
}

TEST(Qwen, WhatAQwenOfThisProgramHasNotIsSaid) {
    const auto said = [](const char* name, const char* patch) {
        json j = golden(name);
        j.merge_patch(json::parse(patch));
        const auto c = parse_config(j.dump(), "config.json");
        return c ? std::string("it opens") : c.error().message;
    };
    EXPECT_EQ(said("qwen35-odd", "{}"), "it opens");
    EXPECT_THAT(said("qwen35-odd", R"({"attention_bias": true})"), HasSubstr("attention_bias is true, which this program does not have"));
    EXPECT_THAT(said("qwen35-odd", R"({"rope_parameters": {"rope_type": "yarn"}})"),
                HasSubstr("rope_parameters.rope_type is 'yarn', a way of reaching further"));
    EXPECT_THAT(said("qwen35-odd", R"({"rope_parameters": {"partial_rotary_factor": 0.25}})"), HasSubstr("rotates 3 of a head's 12 columns"));
    EXPECT_THAT(said("qwen35-odd", R"({"linear_num_value_heads": 4})"),
                HasSubstr("linear_num_value_heads is 4, which the 3 heads of keys cannot share evenly"));
    EXPECT_THAT(said("qwen35-odd", R"({"num_key_value_heads": 2})"), HasSubstr("num_key_value_heads is 2, which does not divide the 3 heads of queries"));
    EXPECT_THAT(said("qwen35-odd", R"({"head_dim": 2048})"), HasSubstr("head_dim is 2048, which is not in 1..1024"));
    EXPECT_THAT(said("qwen35-odd", R"({"layer_types": ["linear_attention", "sliding_attention"]})"), HasSubstr("layer_types names 'sliding_attention'"));
    EXPECT_THAT(said("qwen35-odd", R"({"intermediate_size": null})"), HasSubstr("intermediate_size is missing"));
    EXPECT_THAT(said("qwen35moe-many", R"({"num_experts": 0})"), HasSubstr("num_experts is 0, which is not in 1.."));
    EXPECT_THAT(said("qwen3next-sparse", R"({"mlp_only_layers": [9]})"), HasSubstr("mlp_only_layers is 9, which is not in 0..3"));
    EXPECT_THAT(said("qwen35-seen", R"({"text_config": {"hidden_act": "gelu"}})"), HasSubstr("hidden_act is 'gelu'"));
}

TEST(Qwen, AFolderThatIsWrittenHasTheVendorsNames) {
    for (const char* name : {"qwen35-odd", "qwen35moe-apart"}) {
        TempFolder folder;
        const auto c = parse_config(golden(name).dump(), "config.json");
        ASSERT_TRUE(init_checkpoint(folder / "m", *c, DType::f32, 3, {}));
        const auto files = open_safetensors(folder / "m"), ours = open_safetensors(folder / "m", &*c);
        ASSERT_TRUE(files && ours);
        const auto there = open_safetensors(kGolden / name);
        ASSERT_TRUE(there);
        for (const TensorInfo& t : (*there)->tensors()) EXPECT_TRUE((*files)->has(t.name)) << t.name;
        EXPECT_EQ((*files)->tensors().size(), (*there)->tensors().size());
        // A norm of ones is stored as zeros, where it multiplies by 1 + w.
        float one = 7, stored = 7;
        const auto norm = (*ours)->find("model.norm.weight", {c->hidden_size}), less = (*files)->find("model.norm.weight", {c->hidden_size});
        ASSERT_TRUE(norm && less);
        decode(norm->type, norm->data, 1, &one), decode(less->type, less->data, 1, &stored);
        EXPECT_EQ(one, 1);
        EXPECT_EQ(stored, 0);
    }
}

TEST(Qwen, TheShapesOfTheFamilyHaveTheCountsOfTheirMakers) {
    const ModelConfig &small = shape("qwen3.5-0.8b"), &middle = shape("qwen3.5-4b"), &moe = shape("qwen3.5-35b-a3b");
    EXPECT_EQ(tensor_specs(small).size(), 320u);
    EXPECT_NEAR(static_cast<double>(count_parameters(small).total), 0.8e9, 0.06e9);
    EXPECT_NEAR(static_cast<double>(count_parameters(middle).total), 4.2e9, 0.3e9);
    EXPECT_NEAR(static_cast<double>(count_parameters(moe).total), 35e9, 0.6e9);
    EXPECT_NEAR(static_cast<double>(count_parameters(moe).active), 3e9, 0.5e9);
    EXPECT_NEAR(static_cast<double>(sequence_bytes(small, 0).state), 18.9e6, 0.05e6);
    EXPECT_EQ(sequence_bytes(small, 1).cache, 12'288);
    EXPECT_NEAR(static_cast<double>(sequence_bytes(middle, 0).state), 50.3e6, 0.05e6);
    EXPECT_EQ(sequence_bytes(middle, 1).cache, 32'768);
}

TEST(Ling, AFolderThatIsWrittenHasTheVendorsNames) {
    TempFolder folder;
    const auto c = parse_config(golden("ling-flash").dump(), "config.json");
    ASSERT_TRUE(init_checkpoint(folder / "a", *c, DType::f32, 3));
    const auto raw = open_safetensors(folder / "a"), named = open_safetensors(folder / "a", &*c), expected = open_safetensors(kGolden / "ling-flash");
    ASSERT_TRUE(raw && named && expected);
    const auto names = [](const WeightSource& source) {
        std::vector<std::string> all;
        for (const TensorInfo& t : source.tensors()) all.push_back(t.name);
        std::sort(all.begin(), all.end());
        return all;
    };
    EXPECT_EQ(names(**raw), names(**expected));
    for (const TensorSpec& spec : tensor_specs(*c)) EXPECT_TRUE((*named)->find(spec.name, spec.shape)) << spec.name;
    EXPECT_THAT((*named)->find("model.layers.2.self_attn.f_proj.weight", {1}).error().message,
                HasSubstr("tensor 'model.layers.2.attention.f_proj.weight' is missing"));
}

TEST(Shapes, SurviveTheirOwnJson) {
    for (const NamedShape& s : named_shapes()) {
        const auto c = parse_config(to_json(s.config), "config.json");
        ASSERT_TRUE(c) << s.name << ": " << c.error().message;
        EXPECT_EQ(to_json(*c), to_json(s.config)) << s.name;
        EXPECT_EQ(c->routed_scaling_factor, s.config.routed_scaling_factor);
    }
}

TEST(Shapes, CountsOfThe48BAreThePublishedOnes) {
    const ModelConfig& c = shape("kimi-linear-48b");
    EXPECT_EQ(count_parameters(c).total, 49'122'681'728);
    EXPECT_EQ(count_parameters(c).active, 3'106'972'544);
    const auto specs = tensor_specs(c);
    EXPECT_EQ(specs.size(), 20'493u);
    // 98,245,528,576 bytes of tensors: bf16 all, but A_log and dt_bias f32.
    const auto stored = stored_tensors(c, DType::bf16);
    EXPECT_EQ(std::accumulate(stored.begin(), stored.end(), int64_t{0}, [](int64_t n, const TensorInfo& t) { return n + t.bytes; }), 98'245'528'576);
    EXPECT_EQ(sequence_bytes(c, 0).state, 41'943'040);
    EXPECT_EQ(sequence_bytes(c, 0).conv, 2 * 1'474'560);  // f32 here, bf16 there
    EXPECT_EQ(sequence_bytes(c, 1).cache, 8'064);
    EXPECT_EQ(sequence_bytes(c, 1'048'576).cache, 8'455'716'864);
}

TEST(Shapes, TheBenchModelHasItsSize) {
    const ParameterCount count = count_parameters(shape("bench-700m"));
    EXPECT_NEAR(static_cast<double>(count.total), 700e6, 7e6);
    EXPECT_NEAR(static_cast<double>(count.active), 180e6, 2e6);
    EXPECT_EQ(kinds(shape("bench-700m")), "KKKMKKKMKKKM");
}

TEST(Shapes, TotalsAreTheSumOfTheTensors) {
    for (const NamedShape& s : named_shapes()) {
        int64_t total = 0;
        for (const TensorSpec& spec : tensor_specs(s.config)) total += std::accumulate(spec.shape.begin(), spec.shape.end(), int64_t{1}, std::multiplies<>());
        EXPECT_EQ(count_parameters(s.config).total, total) << s.name;
    }
    ModelConfig tied = shape("tiny");
    const ParameterCount untied = count_parameters(tied);
    tied.tie_word_embeddings = true;
    EXPECT_EQ(count_parameters(tied).total, untied.total - int64_t{tied.vocab_size} * tied.hidden_size);
    EXPECT_EQ(count_parameters(tied).active, untied.active);
}

TEST(Shapes, TheTwinIsAllMla) {
    const ModelConfig twin = all_attention(shape("kimi-linear-48b"));
    EXPECT_THAT(twin.layer_kinds, Each("mla"));
    EXPECT_EQ(sequence_bytes(twin, 1).cache, 27 * 576 * 2);
    EXPECT_EQ(sequence_bytes(twin, 1000).state + sequence_bytes(twin, 1000).conv, 0);
    auto kda_only = parse_config(golden("kda-only").dump(), "config.json");
    for (int* field :
         {&kda_only->kv_lora_rank, &kda_only->num_attention_heads, &kda_only->qk_nope_head_dim, &kda_only->qk_rope_head_dim, &kda_only->v_head_dim})
        *field = 0;
    const ModelConfig invented = all_attention(*kda_only);
    EXPECT_GT(sequence_bytes(invented, 1).cache, 0);
    EXPECT_GT(invented.num_attention_heads * invented.v_head_dim, 0);
}

}  // namespace
}  // namespace klp
