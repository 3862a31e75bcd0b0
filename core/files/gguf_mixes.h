// What a GGUF file stores each tensor as. A mix gives the tensors that lose most more bits than the rest: one row of a table each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/files/config.h"

namespace klp {

// Of a tensor that many layers have: most layers' type, and that of those of which `which` says so (the i-th of n).
struct MixShare {
    DType most, some;
    bool (*which)(int64_t i, int64_t n);
};
struct GgufMix {
    std::string_view name;
    uint32_t file_type;  // general.file_type; where that has no number for a mix, the nearest
    DType matrices;      // all but these:
    DType output;        // lm_head, or the embedding table where it is both
    MixShare down;       // ffn_down of dense layers, experts and shared experts: all layers have one
    MixShare values;     // attn_v: of KDA layers
    DType attn_output;
    std::optional<DType> experts;  // all three matrices of each, where they have a type of their own
};
std::span<const GgufMix> gguf_mixes();
const GgufMix* find_mix(std::string_view name);  // nullptr: no such mix

// The type of a tensor under its GGUF name, whose rows have `in` values. Vectors, convolutions and the router are f32 in every file. Rows that are no whole
// blocks take the type beside (DTypeInfo), and where those are none either, f16.
DType mixed_type(const GgufMix& mix, const ModelConfig& config, const std::string& name, int64_t in);

}  // namespace klp
