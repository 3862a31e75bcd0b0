// What was thought, parted from what is said: it stands in front of a text, between <think> and </think>.
#pragma once

#include <string>
#include <string_view>

namespace klp {

inline constexpr std::string_view kThinkBegin = "<think>", kThinkEnd = "</think>";

// Of a text that comes in pieces, which may end anywhere.
class Thoughts {
public:
    struct Piece {
        std::string thought, said;
        bool empty() const { return thought.empty() && said.empty(); }
    };
    Piece push(std::string_view text);
    Piece finish();  // what might have become a tag
    bool thinking() const { return within_ == Within::thought; }

private:
    enum class Within { start, thought, gap, said } within_ = Within::start;
    std::string held_;  // what may be the beginning of a tag
};
Thoughts::Piece parted_thoughts(std::string_view text);  // of a whole one

}  // namespace klp
