#include "core/files/family.h"

#include <algorithm>

#include "core/files/families/all.h"
#include "core/files/gguf_names.h"

namespace klp {

std::span<const Family> families() {
    static const Family all[] = {kKimiLinear, kKimiK3, kLing, kQwen35, kQwen35Moe, kQwen3Next};
    return all;
}

const Family& family_of(const ModelConfig& config) {
    for (const Family& family : families())
        if (family.model_type == config.model_type) return family;
    return families()[0];
}

const Family* family_of_architecture(std::string_view architecture) {
    for (const Family& family : families())
        if (std::find(family.architectures.begin(), family.architectures.end(), architecture) != family.architectures.end()) return &family;
    return nullptr;
}

const Family* family_of_gguf(std::string_view architecture) {
    for (const Family& family : families())
        if (std::find(family.gguf.begin(), family.gguf.end(), architecture) != family.gguf.end()) return &family;
    return nullptr;
}

std::string_view gate_fields(const ModelConfig& config) { return family_of(config).gate_fields[config.gate_lower_bound < 0]; }

std::string without_outer(std::string_view theirs) {
    for (const std::string_view outer : {"model.language_model.", "language_model."})
        if (theirs.starts_with(outer)) return std::string(outer.starts_with("model.") ? "model." : "").append(theirs.substr(outer.size()));
    return std::string(theirs);
}

float added_to(const ModelConfig& config, std::string_view ours) {
    const auto ends = family_of(config).from_one;
    return std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return ours.ends_with(end); }) ? 1 : 0;
}

std::string our_tensor_name(const ModelConfig& config, std::string_view theirs) {
    const std::span<const NameRow> rows = family_of(config).folder_names;
    if (rows.empty()) return std::string(theirs);
    const std::string name = without_outer(theirs);
    const auto expert = expert_name(name);
    const auto ours = translated(config, rows, expert ? expert->all : name, {&NameRow::theirs, kOurLayer}, {&NameRow::ours, kOurLayer});
    if (!ours) return name;
    return expert ? numbered({ours->name, expert->number}) : ours->name;
}

std::string their_tensor_name(const ModelConfig& config, std::string_view ours) {
    const std::span<const NameRow> rows = family_of(config).folder_names;
    const auto expert = expert_name(std::string(ours));
    const auto theirs = translated(config, rows, expert ? std::string_view(expert->all) : ours, {&NameRow::ours, kOurLayer}, {&NameRow::theirs, kOurLayer});
    if (!theirs) return std::string(ours);
    return expert ? numbered({theirs->name, expert->number}) : theirs->name;
}

}  // namespace klp
