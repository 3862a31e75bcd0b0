// The rows are those of llama.cpp's quantiser without an importance matrix, so that a file made here is as large as any other of its name and loses as much.
// One is not: its MXFP4_MOE also takes attn_k_b and attn_v_b for experts, because they too have three dimensions.
#include "core/files/gguf_mixes.h"

#include <algorithm>
#include <charconv>

namespace klp {

namespace {

bool nobody(int64_t, int64_t) { return false; }
bool first_sixteenth(int64_t i, int64_t n) { return i < n / 16; }
bool first_eighth(int64_t i, int64_t n) { return i < n / 8; }
bool first_two(int64_t i, int64_t) { return i < 2; }
bool first_four(int64_t i, int64_t) { return i < 4; }
// Both ends, and every third layer between them.
bool spread(int64_t i, int64_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

constexpr MixShare every(DType type) { return {type, type, nobody}; }
constexpr GgufMix pure(std::string_view name, uint32_t file_type, DType type, DType output) {
    return {name, file_type, type, output, every(type), every(type), type, {}};
}

DType wanted(const GgufMix& mix, const ModelConfig& config, std::string_view name) {
    const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
    if (name.ends_with("_norm.weight") || name.ends_with(".bias") || name.ends_with("ssm_a") || has(".ssm_conv1d") || has(".ffn_gate_inp") || has("_res_score"))
        return DType::f32;
    if (name == "output.weight" || (name == "token_embd.weight" && config.tie_word_embeddings)) return mix.output;
    if (mix.experts && has("_exps.")) return *mix.experts;

    int64_t layer = 0;
    if (const std::string_view front = "blk."; name.starts_with(front)) std::from_chars(name.data() + front.size(), name.data() + name.size(), layer);
    const auto of = [](const MixShare& share, int64_t i, int64_t n) { return share.which(i, n) ? share.some : share.most; };
    if (has(".ffn_down")) return of(mix.down, layer, config.num_hidden_layers);
    const auto such = [&](int64_t layers) {  // layers that have such a tensor: KDA, or full attention
        return std::count_if(config.layer_kinds.begin(), config.layer_kinds.begin() + layers,
                             [](const std::string& kind) { return kind == "kda" || kind == "full_attention"; });
    };
    if (has(".attn_v.")) return of(mix.values, such(layer), such(config.num_hidden_layers));
    return has(".attn_output.") ? mix.attn_output : mix.matrices;
}

}  // namespace

std::span<const GgufMix> gguf_mixes() {
    using enum DType;
    static constexpr GgufMix mixes[] = {
        pure("f32", 0, f32, f32),
        pure("f16", 1, f16, f16),
        pure("bf16", 32, bf16, bf16),
        pure("q8_0", 7, q8_0, q8_0),
        pure("q4_0", 2, q4_0, q6_k),
        pure("q4_1", 3, q4_1, q6_k),
        pure("q5_0", 8, q5_0, q6_k),
        pure("q5_1", 9, q5_1, q6_k),
        pure("q3_k", 11, q3_k, q6_k),
        pure("q4_k", 14, q4_k, q6_k),
        pure("q5_k", 16, q5_k, q6_k),
        pure("q6_k", 18, q6_k, q6_k),
        // name      file  matrices output  down                          values                     attn_output
        {"q2_k", 10, q2_k, q6_k, every(q3_k), every(q3_k), q3_k, {}},
        pure("q3_k_s", 11, q3_k, q6_k),
        {"q3_k_m", 12, q3_k, q6_k, {q4_k, q5_k, first_sixteenth}, {q4_k, q5_k, first_two}, q4_k, {}},
        {"q3_k_l", 13, q3_k, q6_k, every(q5_k), every(q5_k), q5_k, {}},
        {"q4_k_s", 14, q4_k, q6_k, {q4_k, q5_k, first_eighth}, {q4_k, q5_k, first_four}, q4_k, {}},
        {"q4_k_m", 15, q4_k, q6_k, {q4_k, q6_k, spread}, {q4_k, q6_k, spread}, q4_k, {}},
        pure("q5_k_s", 16, q5_k, q6_k),
        {"q5_k_m", 17, q5_k, q6_k, {q5_k, q6_k, spread}, {q5_k, q6_k, spread}, q5_k, {}},
        {"iq4_nl", 25, iq4_nl, q6_k, {iq4_nl, q5_k, first_eighth}, every(iq4_nl), iq4_nl, {}},
        {"iq4_xs", 30, iq4_xs, q6_k, {iq4_xs, q5_k, first_eighth}, every(iq4_xs), iq4_xs, {}},
        {"mxfp4", 38, q8_0, q8_0, every(q8_0), every(q8_0), q8_0, mxfp4},
        {"mxfp4_moe", 38, q8_0, q8_0, every(q8_0), every(q8_0), q8_0, mxfp4},
    };
    return mixes;
}

const GgufMix* find_mix(std::string_view name) {
    for (const GgufMix& mix : gguf_mixes())
        if (mix.name == name) return &mix;
    return nullptr;
}

DType mixed_type(const GgufMix& mix, const ModelConfig& config, const std::string& name, int64_t in) {
    DType type = wanted(mix, config, name);
    if (in % info(type).block) type = info(type).beside;
    return in % info(type).block ? DType::f16 : type;
}

}  // namespace klp
