// Cuts a text into the pieces that byte-pair merges never cross, as the tokenizers of families of models do.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

namespace klp {

using TextPart = std::function<void(std::string_view)>;

enum class Cutting {
    kimi,
    ling,    // English contractions; letters, with one character in front that is none; single digits; what is neither; spaces
    qwen2,   // the same, but for lines that end together (Qwen3-Next)
    qwen35,  // and marks count as letters (Qwen3.5)
};

// Kimi's own cuts, which come before special tokens and everything else: after every 400,000 characters, and before the character that would make a run
// of space, or of other characters, longer than 25,000. Ids across such a cut differ from those of the whole text, so we cut too. Text is valid UTF-8.
void for_each_vendor_part(std::string_view text, const TextPart& part);

// What a pattern stands for, in its vendor's own spelling; nothing where it is unknown.
std::optional<Cutting> cutting_of(std::string_view regex);

// The pre-tokens of a valid UTF-8 text, in order; together they are the text.
void for_each_pretoken(std::string_view text, const TextPart& piece, Cutting cutting = Cutting::kimi);

}  // namespace klp
