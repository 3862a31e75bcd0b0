#include "app/gui/chat/tint_text.h"

#include <algorithm>

namespace klp::gui {

namespace {
constexpr qsizetype kLeftOut = 200;  // characters of Markdown between two that are shown: of an address, the fence of a code block
}

TintText::TintText(const std::string& written, const std::vector<TintedToken>& tokens) : written_(QString::fromStdString(written)) {
    // Characters of UTF-16 by the byte of UTF-8 that they begin at.
    values_.assign(static_cast<size_t>(written_.size()), NAN), tokens_.assign(static_cast<size_t>(written_.size()), -1);
    size_t token = 0, unit = 0;
    for (size_t byte = 0; byte < written.size() && unit < values_.size(); ++byte) {
        const auto lead = static_cast<unsigned char>(written[byte]);
        if ((lead & 0xC0) == 0x80) continue;  // within a character
        while (token < tokens.size() && tokens[token].last <= static_cast<int64_t>(byte)) ++token;
        const bool mine = token < tokens.size() && tokens[token].first <= static_cast<int64_t>(byte);
        for (size_t n = lead >= 0xF0 ? 2 : 1; n > 0 && unit < values_.size(); --n, ++unit)
            if (mine) values_[unit] = tokens[token].value, tokens_[unit] = static_cast<int>(token);
    }
}

std::vector<TintRun> TintText::runs(const QString& shown) {
    std::vector<TintRun> out;
    int last = -1;  // the token of the run that may go on
    for (qsizetype i = 0; i < shown.size(); ++i) {
        if (shown[i].isSpace()) {
            last = -1;
            continue;
        }
        const qsizetype end = std::min(written_.size(), at_ + kLeftOut);
        const auto found = std::find(written_.begin() + std::min(at_, end), written_.begin() + end, shown[i]) - written_.begin();
        if (found >= end) {  // a bullet, say
            last = -1;
            continue;
        }
        at_ = found + 1;
        const auto c = static_cast<size_t>(found);
        const int token = tokens_[c];
        if (token < 0 || std::isnan(values_[c])) {
            last = -1;
        } else if (token == last) {
            ++out.back().length;
        } else {
            out.push_back({static_cast<int>(i), 1, values_[c]});
            last = token;
        }
    }
    return out;
}

}  // namespace klp::gui
