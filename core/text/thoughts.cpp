#include "core/text/thoughts.h"

#include <algorithm>
#include <utility>

namespace klp {

namespace {

// Bytes at the end of a text that may be the beginning of a tag.
size_t begins_tag(std::string_view text, std::string_view tag) {
    for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n)
        if (tag.starts_with(text.substr(text.size() - n))) return n;
    return 0;
}

}  // namespace

Thoughts::Piece Thoughts::push(std::string_view text) {
    Piece piece;
    held_ += text;
    if (within_ == Within::start) {
        const size_t first = held_.find_first_not_of(" \t\r\n");
        const std::string_view begun = first == held_.npos ? std::string_view() : std::string_view(held_).substr(first);
        if (begun.empty() || (begun.size() < kThinkBegin.size() && kThinkBegin.starts_with(begun))) return piece;  // it may become the tag
        within_ = begun.starts_with(kThinkBegin) ? Within::thought : Within::said;
        if (within_ == Within::thought) held_.erase(0, first + kThinkBegin.size());
    }
    if (within_ == Within::thought) {
        const size_t end = held_.find(kThinkEnd), whole = end != held_.npos ? end : held_.size() - begins_tag(held_, kThinkEnd);
        piece.thought = held_.substr(0, whole);
        held_.erase(0, end != held_.npos ? end + kThinkEnd.size() : whole);
        if (end == held_.npos) return piece;
        within_ = Within::gap;
    }
    if (within_ == Within::gap) {  // lines between the two are neither's
        held_.erase(0, std::min(held_.find_first_not_of("\r\n"), held_.size()));
        if (held_.empty()) return piece;
        within_ = Within::said;
    }
    piece.said = std::exchange(held_, {});
    return piece;
}

Thoughts::Piece Thoughts::finish() {
    Piece piece;
    (within_ == Within::thought ? piece.thought : piece.said) = std::exchange(held_, {});
    return piece;
}

Thoughts::Piece parted_thoughts(std::string_view text) {
    Thoughts thoughts;
    Thoughts::Piece all = thoughts.push(text);
    const Thoughts::Piece rest = thoughts.finish();
    all.thought += rest.thought, all.said += rest.said;
    return all;
}

}  // namespace klp
