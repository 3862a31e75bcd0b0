// Pictures as files: what all of them begin with, and how text stands in them. Drawn for light and dark grounds alike: no ground of their own.
#pragma once

#include <string>

#include "app/format.h"

namespace klp::svg {

inline constexpr const char* kText = "#737b88";
inline constexpr const char* kFirst = "#2f80d8";
inline constexpr const char* kSecond = "#dd6b2d";

inline std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : one_line(text)) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
    return out;
}

// The element, its title, and two lines of head. "</svg>" ends it.
inline std::string begin(double width, double height, const std::string& title, const std::string& under) {
    const std::string w = fixed(width, 0), h = fixed(height, 0);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h + "\" viewBox=\"0 0 " + w + " " + h +
           "\" font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"" + kText + "\">\n<title>" + escaped(title) +
           "</title>\n<text x=\"24\" y=\"28\" font-size=\"15\" font-weight=\"bold\">" + escaped(title) + "</text>\n<text x=\"24\" y=\"47\">" + escaped(under) +
           "</text>\n";
}

}  // namespace klp::svg
