// Quantised weights as other tools keep them in safetensors.
#include "core/files/packed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/model/checkpoint.h"
#include "tests/checkpoints.h"

namespace klp {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Raw {
    std::string name, type;
    std::vector<int64_t> shape;
    std::string bytes;
};
void write_raw(const std::filesystem::path& file, const std::vector<Raw>& tensors) {
    json header;
    std::string data;
    for (const Raw& t : tensors) {
        header[t.name] = {{"dtype", t.type}, {"shape", t.shape}, {"data_offsets", {data.size(), data.size() + t.bytes.size()}}};
        data += t.bytes;
    }
    const std::string text = header.dump();
    const uint64_t length = text.size();
    write_bytes(file, std::string(reinterpret_cast<const char*>(&length), 8) + text + data);
}
std::string bf16(std::initializer_list<float> values) {
    std::string out;
    for (float v : values) {
        const uint16_t bits = float_to_bf16(v);
        out.append(reinterpret_cast<const char*>(&bits), 2);
    }
    return out;
}
// Two rows of 128: value i of row r is nibble (i * 7 + r) % 16.
Raw nibbles(const std::string& name) {
    std::string bytes(2 * 64, '\0');
    for (int r = 0; r < 2; ++r)
        for (int i = 0; i < 128; ++i) bytes[static_cast<size_t>(r * 64 + i / 2)] |= static_cast<char>((i * 7 + r) % 16 << (i % 2 * 4));
    return {name, "I32", {2, 16}, bytes};
}

TEST(Packed, NibblesAndScalesBecomeBlocks) {
    for (const int64_t group : {32, 64, 128}) {
        TempFolder folder;
        std::string scales;
        std::vector<float> of_group;
        for (int64_t g = 0; g < 2 * 128 / group; ++g) {
            of_group.push_back(static_cast<float>(g % 2 ? -1 : 1) * 0.0123f * static_cast<float>(g + 1));
            scales += bf16({of_group.back()});
            of_group.back() = bf16_to_float(float_to_bf16(of_group.back()));
        }
        write_raw(folder / "model.safetensors", {nibbles("a.weight_packed"),
                                                 {"a.weight_scale", "BF16", {2, 128 / group}, scales},
                                                 {"a.weight_shape", "I64", {2}, std::string(16, '\0')},
                                                 {"b", "F32", {1}, std::string(4, '\0')}});
        const auto source = open_safetensors(folder.path());
        ASSERT_TRUE(source) << source.error().message;
        ASSERT_EQ((*source)->tensors().size(), 2u);
        EXPECT_EQ((*source)->tensors()[0].stored, "int4 in groups of " + std::to_string(group));
        const auto w = (*source)->find("a.weight", {2, 128});
        ASSERT_TRUE(w) << w.error().message;
        EXPECT_EQ(w->type, DType::q4_0);
        std::vector<float> values(256);
        decode(w->type, w->data, 256, values.data());
        for (int r = 0; r < 2; ++r)
            for (int i = 0; i < 128; ++i)
                EXPECT_EQ(values[static_cast<size_t>(r * 128 + i)],
                          static_cast<float>((i * 7 + r) % 16 - 8) * of_group[static_cast<size_t>((r * 128 + i) / group)])
                    << r << " " << i;
    }
}

TEST(Packed, AModelIsTheSameModel) {
    TempFolder folder;
    ASSERT_TRUE(init_checkpoint(folder / "q4", shape("tiny"), DType::q4_0, 3));
    const auto blocks = open_safetensors(folder / "q4");
    ASSERT_TRUE(blocks);
    std::vector<Raw> raw;
    int packed = 0;
    for (const TensorInfo& t : (*blocks)->tensors()) {
        const auto w = (*blocks)->find(t.name, t.shape);
        ASSERT_TRUE(w);
        if (t.type != DType::q4_0) {
            raw.push_back(
                {t.name, t.type == DType::f32 ? "F32" : "BF16", t.shape, std::string(reinterpret_cast<const char*>(w->data), static_cast<size_t>(t.bytes))});
            continue;
        }
        Raw values{t.name + "_packed", "I32", {w->out, w->in / 8}, ""}, scales{t.name + "_scale", "F16", {w->out, w->in / 32}, ""};
        for (int64_t b = 0; b < w->out * w->in / 32; ++b) {
            const auto* block = reinterpret_cast<const char*>(w->data) + b * 18;
            scales.bytes.append(block, 2);
            const auto nibble = [&](int i) { return i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4 & 15; };
            for (int i = 0; i < 32; i += 2) values.bytes += static_cast<char>(nibble(i) | nibble(i + 1) << 4);
        }
        raw.push_back(values), raw.push_back(scales), ++packed;
    }
    EXPECT_GT(packed, 10);
    std::filesystem::create_directory(folder / "packed");
    write_raw(folder / "packed/model.safetensors", raw);
    json config = json::parse(to_json(shape("tiny")));
    config["quantization_config"] = {
        {"quant_method", "compressed-tensors"},
        {"format", "pack-quantized"},
        {"config_groups", {{"group_0", {{"weights", {{"num_bits", 4}, {"symmetric", true}, {"type", "int"}, {"group_size", 32}}}}}}}};
    write_bytes(folder / "packed/config.json", config.dump());
    const auto opened = open_checkpoint(folder / "packed");
    ASSERT_TRUE(opened) << opened.error().message;
    int64_t made = 0;
    for (const TensorInfo& t : (*blocks)->tensors()) made += t.type == DType::q4_0 ? t.bytes : 0;
    EXPECT_EQ(opened->source->own_bytes(), made);
    EXPECT_EQ((*blocks)->own_bytes(), 0);
    for (const TensorInfo& t : (*blocks)->tensors()) {
        const auto here = opened->source->find(t.name, t.shape), there = (*blocks)->find(t.name, t.shape);
        ASSERT_TRUE(here) << here.error().message;
        EXPECT_EQ(here->type, there->type);
        EXPECT_EQ(std::memcmp(here->data, there->data, static_cast<size_t>(t.bytes)), 0) << t.name;
    }
    // What is made from it says nothing of how it was kept.
    ASSERT_TRUE(quantize_checkpoint(folder / "packed", folder / "q8", DType::q8_0));
    EXPECT_TRUE(open_checkpoint(folder / "q8"));
    EXPECT_EQ(read_bytes(folder / "q8/config.json").find("quantization_config"), std::string::npos);
}

TEST(Packed, WhatItIsNotIsSaid) {
    const auto refusal = [](std::vector<Raw> tensors) {
        TempFolder folder;
        write_raw(folder / "model.safetensors", tensors);
        const auto source = open_safetensors(folder.path());
        if (!source) return source.error().message;
        const auto w = (*source)->find("a.weight", {2, 128});
        return w ? std::string() : w.error().message;
    };
    const Raw values = nibbles("a.weight_packed"), scales{"a.weight_scale", "BF16", {2, 4}, bf16({1, 1, 1, 1, 1, 1, 1, 1})};
    EXPECT_EQ(refusal({values, scales}), "");
    EXPECT_THAT(refusal({values}), HasSubstr("tensor 'a.weight_packed' has no 'a.weight_scale' beside it"));
    EXPECT_THAT(refusal({values, scales, {"a.weight_zero_point", "I32", {1, 4}, std::string(16, '\0')}}),
                HasSubstr("'a.weight_zero_point' shifts a group's values (asymmetric)"));
    EXPECT_THAT(refusal({values, scales, {"a.weight_g_idx", "I32", {128}, std::string(512, '\0')}}),
                HasSubstr("'a.weight_g_idx' puts inputs into another order"));
    EXPECT_THAT(refusal({{"a.weight_packed", "U8", {2, 64}, values.bytes}, scales}), HasSubstr("is U8 [2, 64] where I32 [out, in / 8] belongs"));
    for (const Raw& bad : {Raw{"a.weight_scale", "BF16", {2, 3}, bf16({1, 1, 1, 1, 1, 1})}, Raw{"a.weight_scale", "BF16", {1, 4}, bf16({1, 1, 1, 1})},
                           Raw{"a.weight_scale", "BF16", {2, 8}, bf16({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})},
                           Raw{"a.weight_scale", "I32", {2, 4}, std::string(32, '\0')}})
        EXPECT_THAT(refusal({values, bad}), HasSubstr("groups of 32 values or a multiple of it belong to [2, 128]"));
    for (const float bad : {1e30f, 1e-30f, std::numeric_limits<float>::quiet_NaN()})
        EXPECT_THAT(refusal({values, {"a.weight_scale", "BF16", {2, 4}, bf16({1, 1, 1, 1, 1, bad, 1, 1})}}),
                    HasSubstr("'a.weight_scale', row 1: a scale that is no finite half"));
}

}  // namespace
}  // namespace klp
