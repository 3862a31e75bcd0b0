// Quantised weights as other tools keep them in safetensors.
#include "core/files/packed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/files/family.h"
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

// A Ling as large as the shape "tiny".
ModelConfig tiny_ling() {
    ModelConfig c = shape("tiny");
    c.model_type = "bailing_hybrid";
    c.kda_gate_rank = 0, c.gate_lower_bound = -5;
    c.q_lora_rank = 32, c.mla_use_nope = false, c.rope_adjacent = true, c.mla_head_gate = true;
    return c;
}

class PackedModel : public testing::TestWithParam<ModelConfig> {};
INSTANTIATE_TEST_SUITE_P(Families, PackedModel, testing::Values(shape("tiny"), tiny_ling()), [](const auto& p) { return p.param.model_type; });

TEST_P(PackedModel, IsTheSameModel) {
    TempFolder folder;
    const ModelConfig& c = GetParam();
    ASSERT_TRUE(init_checkpoint(folder / "q4", c, DType::q4_0, 3));
    const auto blocks = open_safetensors(folder / "q4", &c);
    ASSERT_TRUE(blocks);
    std::vector<Raw> raw;
    int packed = 0;
    for (const TensorInfo& t : (*blocks)->tensors()) {
        const auto w = (*blocks)->find(t.name, t.shape);
        ASSERT_TRUE(w);
        if (t.type != DType::q4_0) {
            raw.push_back({their_tensor_name(c, t.name), t.type == DType::f32 ? "F32" : "BF16", t.shape,
                           std::string(reinterpret_cast<const char*>(w->data), static_cast<size_t>(t.bytes))});
            continue;
        }
        Raw values{their_tensor_name(c, t.name) + "_packed", "I32", {w->out, w->in / 8}, ""},
            scales{their_tensor_name(c, t.name) + "_scale", "F16", {w->out, w->in / 32}, ""};
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
    json config = json::parse(to_json(c));
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

// Experts as Kimi K3's folder has them: an exponent for each 32 values apart from their nibbles, everything else bf16.
TEST(Packed, Mxfp4InTwoTensorsIsTheModelOfItsBlocks) {
    TempFolder folder;
    const ModelConfig c = shape("kimi-k3-small");
    ASSERT_TRUE(init_checkpoint(folder / "mx", c, DType::mxfp4, 3));
    const auto blocks = open_safetensors(folder / "mx", &c);
    ASSERT_TRUE(blocks);
    std::vector<Raw> raw;
    int packed = 0;
    for (const TensorInfo& t : (*blocks)->tensors()) {
        const auto w = (*blocks)->find(t.name, t.shape);
        ASSERT_TRUE(w);
        const std::string name = "language_model." + t.name;
        if (t.type != DType::mxfp4) {
            std::vector<float> values(static_cast<size_t>(w->out * w->in));
            decode(w->type, w->data, w->out * w->in, values.data());
            raw.push_back({name, "BF16", t.shape, ""});
            for (const float v : values) raw.back().bytes += bf16({v});
            continue;
        }
        Raw values{name + "_packed", "U8", {w->out, w->in / 2}, ""}, scales{name + "_scale", packed % 2 ? "U8" : "F8_E8M0", {w->out, w->in / 32}, ""};
        for (int64_t b = 0; b < w->out * w->in / 32; ++b) {
            const auto* block = reinterpret_cast<const char*>(w->data) + b * 17;
            scales.bytes += block[0];
            const auto nibble = [&](int i) { return i < 16 ? block[1 + i] & 15 : block[1 + i - 16] >> 4 & 15; };
            for (int i = 0; i < 32; i += 2) values.bytes += static_cast<char>(nibble(i) | nibble(i + 1) << 4);
        }
        raw.push_back(values), raw.push_back(scales), ++packed;
    }
    EXPECT_EQ(packed, 7 * 32 * 3);  // of all layers but the first
    std::filesystem::create_directory(folder / "packed");
    write_raw(folder / "packed/model.safetensors", raw);
    json config = json::parse(to_json(c));
    config["quantization_config"] = {{"quant_method", "compressed-tensors"}, {"format", "mxfp4-pack-quantized"}};
    write_bytes(folder / "packed/config.json", config.dump());
    const auto opened = open_checkpoint(folder / "packed");
    ASSERT_TRUE(opened) << opened.error().message;
    for (const TensorInfo& t : (*blocks)->tensors()) {
        const auto here = opened->source->find(t.name, t.shape), there = (*blocks)->find(t.name, t.shape);
        ASSERT_TRUE(here) << here.error().message;
        if (t.type != DType::mxfp4) continue;
        EXPECT_EQ(here->type, DType::mxfp4);
        EXPECT_EQ(std::memcmp(here->data, there->data, static_cast<size_t>(t.bytes)), 0) << t.name;
    }
}

// The bits of the value of E4M3 nearest to v, from the format's definition: sign, exponent - 7, three bits of fraction.
float e4m3(int bits) {
    const int e = bits >> 3 & 15;
    const float size = e ? std::ldexp(1 + static_cast<float>(bits & 7) / 8, e - 7) : std::ldexp(static_cast<float>(bits & 7) / 8, -6);
    return bits & 128 ? -size : size;
}
char to_e4m3(float v) {
    int best = 0;
    for (int bits = 0; bits < 256; ++bits)
        if ((bits & 127) != 127 && std::fabs(e4m3(bits) - v) < std::fabs(e4m3(best) - v)) best = bits;
    return static_cast<char>(best);
}

TEST(Packed, Fp8IsItsValuesUnderItsScales) {
    // Two rows of 256: all bit patterns but NaN, whatever stands beside them; the scale of row 1 is five times that of row 0, that of the right half 8 times.
    const auto pattern = [](int i) { return (i & 127) == 127 ? 0 : i; };
    std::string bytes;
    for (int i = 0; i < 512; ++i) bytes += static_cast<char>(pattern(i & 255));
    struct Case {
        Raw scale;
        std::string kept;
        std::function<float(int, int)> of;
    };
    const auto f32 = [](std::vector<float> v) { return std::string(reinterpret_cast<const char*>(v.data()), v.size() * 4); };
    for (const Case& c :
         {Case{{"a.weight_scale", "F32", {}, f32({0.25f})}, "fp8 under one scale", [](int, int) { return 0.25f; }},
          Case{{"a.weight_scale", "BF16", {1}, bf16({0.25f})}, "fp8 under one scale", [](int, int) { return 0.25f; }},
          Case{{"a.weight_scale", "BF16", {2, 1}, bf16({0.25f, 1.25f})}, "fp8 per channel", [](int r, int) { return r ? 1.25f : 0.25f; }},
          Case{{"a.weight_scale", "F32", {2}, f32({0.25f, 1.25f})}, "fp8 per channel", [](int r, int) { return r ? 1.25f : 0.25f; }},
          Case{{"a.weight_scale_inv", "F32", {1, 2}, f32({0.1f, 0.8f})}, "fp8 in blocks of 128 x 128", [](int, int i) { return i < 128 ? 0.1f : 0.8f; }},
          Case{{"a.weight_scale_inv", "F8_E8M0", {1, 2}, "\x7c\x7f"}, "fp8 in blocks of 128 x 128", [](int, int i) { return i < 128 ? 0.125f : 1.f; }}}) {
        TempFolder folder;
        write_raw(folder / "model.safetensors", {{"a.weight", "F8_E4M3", {2, 256}, bytes}, c.scale});
        const auto source = open_safetensors(folder.path());
        ASSERT_TRUE(source) << source.error().message;
        ASSERT_EQ((*source)->tensors().size(), 1u);
        EXPECT_EQ((*source)->tensors()[0].stored, c.kept);
        const auto w = (*source)->find("a.weight", {2, 256});
        ASSERT_TRUE(w) << w.error().message;
        ASSERT_EQ(w->type, DType::q8_0);
        std::vector<float> values(512), right(512), blocks(512);
        for (int i = 0; i < 512; ++i) right[static_cast<size_t>(i)] = e4m3(pattern(i & 255)) * c.of(i / 256, i % 256);
        std::vector<char> same(512 / 32 * 34);
        encode(DType::q8_0, right.data(), 512, same.data());
        EXPECT_EQ(std::memcmp(w->data, same.data(), same.size()), 0) << c.kept;
        decode(w->type, w->data, 512, values.data());
        for (size_t g = 0; g < 512; g += 32) {
            float amax = 0;
            for (size_t i = g; i < g + 32; ++i) amax = std::max(amax, std::fabs(right[i]));
            for (size_t i = g; i < g + 32; ++i) EXPECT_NEAR(values[i], right[i], amax * (1 / 254.f + 1 / 2048.f)) << c.kept << " " << i;
        }
    }
    EXPECT_EQ(e4m3(0x38), 1);
    EXPECT_EQ(e4m3(0xfe), -448);
    EXPECT_EQ(e4m3(1), 0x1p-9f);
}

TEST(Packed, AnFp8ModelIsTheModelItDecodesTo) {
    TempFolder folder;
    ASSERT_TRUE(init_checkpoint(folder / "bf16", shape("tiny"), DType::bf16, 3));
    ASSERT_TRUE(init_checkpoint(folder / "types", shape("tiny"), DType::q8_0, 3));
    const auto from = open_safetensors(folder / "bf16"), types = open_safetensors(folder / "types");
    ASSERT_TRUE(from && types);
    std::vector<Raw> fp8, decoded;
    int ways[3] = {};
    for (const TensorInfo& t : (*types)->tensors()) {
        const auto w = (*from)->find(t.name, t.shape);
        ASSERT_TRUE(w) << t.name;
        if (t.type != DType::q8_0) {
            fp8.push_back({t.name, w->type == DType::f32 ? "F32" : "BF16", t.shape,
                           std::string(reinterpret_cast<const char*>(w->data), static_cast<size_t>(w->out * w->in * info(w->type).bytes))});
            decoded.push_back(fp8.back());
            continue;
        }
        const int64_t out = t.shape[0], in = t.shape[1];
        const size_t way = fp8.size() % 3;
        ++ways[way];
        const int64_t scale_rows = way == 0 ? 1 : way == 1 ? out : (out + 127) / 128, scale_columns = way == 2 ? (in + 127) / 128 : 1;
        const auto scale_at = [&](int64_t i) { return std::ldexp(1.f, static_cast<int>(i % 3) - 10); };
        std::vector<float> values(static_cast<size_t>(out * in));
        decode(w->type, w->data, out * in, values.data());
        Raw small{t.name, "F8_E4M3", t.shape, ""}, large{t.name, "BF16", t.shape, ""};
        for (int64_t i = 0; i < out * in; ++i) {
            const int64_t r = i / in, c = i % in;
            const float scale = scale_at(way == 0 ? 0 : way == 1 ? r : r / 128 * scale_columns + c / 128);
            small.bytes += to_e4m3(values[static_cast<size_t>(i)] / scale);
            large.bytes += bf16({e4m3(static_cast<uint8_t>(small.bytes.back())) * scale});
        }
        Raw scales{t.name + (way == 2 ? "_scale_inv" : "_scale"), "BF16", {scale_rows, scale_columns}, ""};
        for (int64_t i = 0; i < scale_rows * scale_columns; ++i) scales.bytes += bf16({scale_at(i)});
        fp8.push_back(small), decoded.push_back(large), fp8.push_back(scales);
    }
    for (const int n : ways) EXPECT_GT(n, 3);
    json config = json::parse(to_json(shape("tiny")));
    for (const bool packed : {false, true}) {
        const std::filesystem::path to = folder / (packed ? "fp8" : "decoded");
        std::filesystem::create_directory(to);
        write_raw(to / "model.safetensors", packed ? fp8 : decoded);
        if (packed) config["quantization_config"] = {{"quant_method", "fp8"}, {"fmt", "e4m3"}, {"weight_block_size", {128, 128}}};
        write_bytes(to / "config.json", config.dump());
    }
    ASSERT_TRUE(quantize_checkpoint(folder / "decoded", folder / "q8", DType::q8_0));
    const auto opened = open_checkpoint(folder / "fp8"), same = open_checkpoint(folder / "q8");
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_TRUE(same) << same.error().message;
    double fetched = 0;  // by all cores at once, where the loader asks before it looks
    opened->source->fetch([&](double fraction) { fetched = std::max(fetched, fraction); }, nullptr);
    EXPECT_EQ(fetched, 1);
    for (const TensorInfo& t : same->source->tensors()) {
        if (t.type != DType::q8_0) continue;
        const auto here = opened->source->find(t.name, t.shape), there = same->source->find(t.name, t.shape);
        ASSERT_TRUE(here) << here.error().message;
        EXPECT_EQ(here->type, there->type) << t.name;
        EXPECT_EQ(std::memcmp(here->data, there->data, static_cast<size_t>(t.bytes)), 0) << t.name;
    }
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

    const Raw fours{"a.weight_packed", "U8", {2, 64}, values.bytes}, exponents{"a.weight_scale", "U8", {2, 4}, std::string(8, '\x7f')};
    EXPECT_EQ(refusal({fours, exponents}), "");
    EXPECT_THAT(refusal({fours, {"a.weight_scale", "U8", {2, 8}, std::string(16, '\x7f')}}),
                HasSubstr("is U8 [2, 64] with scales [2, 8] beside it; [out, in / 2] and [out, in / 32] belong together"));
    EXPECT_THAT(refusal({fours, {"a.weight_scale", "U8", {2, 4}, std::string(7, '\x7f') + '\xff'}}), HasSubstr("row 1: a scale that is no number"));

    const Raw eights{"a.weight", "F8_E4M3", {2, 128}, std::string(255, '\x38') + "\x7f"}, one{"a.weight_scale", "F32", {1}, std::string(4, '\0')};
    EXPECT_THAT(refusal({eights}), HasSubstr("is stored as F8_E4M3, which no operation here reads"));
    EXPECT_THAT(refusal({eights, one}), HasSubstr("tensor 'a.weight', row 1: a value that is no number, or beyond what q8_0 holds"));
    Raw whole = eights;
    whole.bytes.back() = '\x7e';
    EXPECT_EQ(refusal({whole, one}), "");
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), 1e9f})
        EXPECT_THAT(refusal({whole, {"a.weight_scale", "BF16", {2, 1}, bf16({1, bad})}}), HasSubstr("row 1: a value that is no number"));
    EXPECT_THAT(refusal({whole, {"a.weight_scale", "F8_E8M0", {2, 1}, "\x7f\xff"}}), HasSubstr("row 1: a value that is no number"));
    for (const Raw& bad : {Raw{"a.weight_scale", "BF16", {3, 1}, bf16({1, 1, 1})}, Raw{"a.weight_scale_inv", "BF16", {1, 2}, bf16({1, 1})},
                           Raw{"a.weight_scale", "I32", {2, 1}, std::string(8, '\0')}})
        EXPECT_THAT(refusal({whole, bad}), HasSubstr("one, or one for each row, or one for each 128 x 128 values belong to [2, 128]"));
    EXPECT_THAT(refusal({{"a.weight", "F8_E4M3", {2, 100}, std::string(200, '8')}, one}), HasSubstr("`in` a multiple of 32"));
}

}  // namespace
}  // namespace klp
