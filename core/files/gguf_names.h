// How GGUF files call the tensors that a Hugging Face checkpoint calls otherwise: one table of what all families share, and each family's own; read in both
// directions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/files/family.h"

namespace klp {

// A name of one side in the words of the other; nothing for a name that the tables do not have. Where a tensor of ours has several in GGUF files, ours gives
// the one that is written.
struct TranslatedName {
    std::string name;
    GgufForm form = GgufForm::same;
};
std::optional<TranslatedName> our_name(const ModelConfig& config, std::string_view gguf);
std::optional<TranslatedName> gguf_name(const ModelConfig& config, std::string_view ours);

// By rows of names; of a layer's tensors both sides say which by a front of their own and its number.
inline constexpr std::string_view kOurLayer = "model.layers.", kTheirLayer = "blk.";
struct NameSide {
    std::string_view NameRow::*name;
    std::string_view layer;
};
std::optional<TranslatedName> translated(const ModelConfig& config, std::span<const NameRow> rows, std::string_view name, NameSide from, NameSide to);

// "...experts.17.w1.weight" as "...experts.w1.weight" and 17.
struct ExpertName {
    std::string all;
    int64_t number;
};
std::optional<ExpertName> expert_name(const std::string& name);
std::string numbered(const ExpertName& expert);

}  // namespace klp
