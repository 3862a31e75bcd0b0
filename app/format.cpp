#include "app/format.h"

#include "core/text/chat_template.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cwchar>
#include <system_error>

namespace klp {

namespace {

// Bytes of the character that starts here. What is not a whole character counts as one byte, so that nothing can hide behind a broken first byte.
size_t character_bytes(std::string_view s) {
    const auto lead = static_cast<unsigned char>(s[0]);
    const size_t n = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1;
    if (n > s.size()) return 1;
    for (size_t i = 1; i < n; ++i) {
        if ((static_cast<unsigned char>(s[i]) & 0xC0) != 0x80) return 1;
    }
    return n;
}

char32_t code_point(std::string_view c) {
    const auto at = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(c[i]) & 0x3F); };
    const auto lead = static_cast<unsigned char>(c[0]);
    switch (c.size()) {
        case 2:
            return (lead & 0x1Fu) << 6 | at(1);
        case 3:
            return (lead & 0x0Fu) << 12 | at(1) << 6 | at(2);
        case 4:
            return (lead & 0x07u) << 18 | at(1) << 12 | at(2) << 6 | at(3);
        default:
            return lead;
    }
}

int character_width(std::string_view c) {
    const int width = wcwidth(static_cast<wchar_t>(code_point(c)));  // -1: unknown to the locale
    return width < 0 ? 1 : width;
}

bool numeric(std::string_view s) { return !s.empty() && (std::isdigit(static_cast<unsigned char>(s[0])) || s == "n/a" || s == "-"); }

// Letters that are missing, too many, others, or in each other's place (optimal string alignment).
int edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); ++i) {
        for (size_t j = 0; j <= b.size(); ++j) {
            d[i][j] = static_cast<int>(i + j);
            if (i == 0 || j == 0) continue;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

}  // namespace

std::string fixed(double value, int digits) {
    if (!std::isfinite(value)) return "n/a";
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string grouped(int64_t n) {
    std::string s = std::to_string(n);
    for (auto i = static_cast<int64_t>(s.size()) - 3; i > (n < 0 ? 1 : 0); i -= 3) s.insert(static_cast<size_t>(i), 1, ',');
    return s;
}

std::string short_number(double value) {
    if (!std::isfinite(value)) return "n/a";
    const double size = std::abs(value);
    if (size >= 1e15) {
        char text[64];
        std::snprintf(text, sizeof text, "%.3g", value);
        return text;
    }
    if (size >= 99.95 || value == std::floor(value)) return grouped(std::llround(value));
    return fixed(value, size >= 9.995 ? 1 : size >= 0.0995 ? 2 : size >= 0.000995 ? 4 : 6);
}

std::string count_text(int64_t n) {
    if (n >= 999'950'000) return fixed(static_cast<double>(n) / 1e9, n >= 99'950'000'000 ? 0 : 1) + "B";
    if (n >= 999'950) return fixed(static_cast<double>(n) / 1e6, n >= 99'950'000 ? 0 : 1) + "M";
    if (n >= 10'000) return fixed(static_cast<double>(n) / 1e3, n >= 99'950 ? 0 : 1) + "k";
    return grouped(n);
}

std::string bytes_text(int64_t bytes) {
    constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    int unit = 0;
    for (; std::abs(value) >= 1023.95 && unit < 4; ++unit) value /= 1024;
    return fixed(value, unit == 0 || value >= 99.95 ? 0 : 1) + " " + kUnits[unit];
}

std::string duration_text(double ns) {
    if (!std::isfinite(ns)) return "n/a";
    if (ns < 1e3) return fixed(ns, 0) + " ns";
    if (ns < 1e6) return fixed(ns / 1e3, ns < 1e4 ? 1 : 0) + " us";
    if (ns < 1e9) return fixed(ns / 1e6, ns < 1e7 ? 1 : 0) + " ms";
    if (ns < 120e9) return fixed(ns / 1e9, ns < 10e9 ? 2 : 1) + " s";
    const auto seconds = static_cast<int64_t>(ns / 1e9);
    return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
}

std::string spread_text(double least, double most) { return most > 0 ? " (" + duration_text(least) + " to " + duration_text(most) + ")" : std::string(); }

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    const auto nearest =
        std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) { return edit_distance(word, a) < edit_distance(word, b); });
    const int apart = nearest == known.end() ? 3 : edit_distance(word, *nearest);
    return apart > 2 || apart * 2 > static_cast<int>(word.size()) ? "" : "; did you mean " + *nearest + "?";
}

std::string percent_text(double fraction) { return std::isfinite(fraction) ? fixed(fraction * 100, std::abs(fraction) < 0.0995 ? 1 : 0) + " %" : "n/a"; }

std::string plural(int64_t n, std::string_view noun) { return grouped(n) + " " + std::string(noun) + (n == 1 ? "" : "s"); }

std::string plain(double value) {
    if (!std::isfinite(value)) return "";
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

std::string csv_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

int64_t binary_number(std::string_view text, std::string_view unit) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || !(value > 0)) return -1;
    std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
    if (!unit.empty() && rest.ends_with(unit)) rest.remove_suffix(unit.size());
    if (rest.size() == 2 && rest[1] == 'i') rest.remove_suffix(1);
    constexpr std::string_view kPowers = "kKmMgGtT";
    if (rest.size() > 1 || (rest.size() == 1 && kPowers.find(rest[0]) == std::string_view::npos)) return -1;
    if (!rest.empty()) value *= std::pow(1024.0, static_cast<double>(kPowers.find(rest[0]) / 2 + 1));
    return value >= 1 && value < 0x1p60 ? std::llround(value) : -1;
}

int display_width(std::string_view s) {
    int width = 0;
    while (!s.empty()) {
        const size_t n = character_bytes(s);
        width += character_width(s.substr(0, n));
        s.remove_prefix(n);
    }
    return width;
}

std::string clipped(std::string_view s, int columns) {
    if (display_width(s) <= columns) return std::string(s);
    const std::string mark = columns > 2 ? ".." : "";
    const int room = std::max(0, columns - static_cast<int>(mark.size()));
    std::string out;
    for (int width = 0; !s.empty();) {
        const size_t n = character_bytes(s);
        width += character_width(s.substr(0, n));
        if (width > room) break;
        out += s.substr(0, n);
        s.remove_prefix(n);
    }
    return out + mark;
}

std::string padded(std::string text, int columns, bool right) {
    const int missing = columns - display_width(text);
    if (missing > 0) text.insert(right ? 0 : text.size(), static_cast<size_t>(missing), ' ');
    return text;
}

std::string harmless(std::string_view s) {
    std::string out;
    out.reserve(s.size());
    while (!s.empty()) {
        const size_t n = character_bytes(s);
        const auto c = static_cast<unsigned char>(s[0]);
        const bool c0 = n == 1 && ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F);
        const bool c1 = (n == 1 && c >= 0x80) || (n == 2 && c == 0xC2 && static_cast<unsigned char>(s[1]) < 0xA0);
        if (c0 || c1) {
            if (c != '\r') out += "\uFFFD";
        } else {
            out += s.substr(0, n);
        }
        s.remove_prefix(n);
    }
    return out;
}

std::string line_ends(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i)
        if (text[i] != '\r')
            out += text[i];
        else if (i + 1 == text.size() || text[i + 1] != '\n')
            out += '\n';
    return out;
}

std::string one_line(std::string_view s) {
    std::string out = harmless(s);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    return out;
}

std::string wrapped(std::string_view text, int columns) {
    std::string out, line;
    for (size_t at = 0; at < text.size();) {
        const size_t space = std::min(text.find(' ', at), text.size());
        const auto word = text.substr(at, space - at);
        if (!line.empty() && display_width(line) + 1 + display_width(word) > columns) {
            out += line + "\n";
            line.clear();
        }
        line += (line.empty() ? "" : " ") + std::string(word);
        at = space + 1;
    }
    return out + line + "\n";
}

void WordWrap::end_word(std::string& out) {
    if (word_.empty()) return;
    const int width = display_width(word_);
    if (column_ > 0 && column_ + blanks_ + width > columns_) {
        out += '\n';
        column_ = 0;
    } else {
        out.append(static_cast<size_t>(blanks_), ' ');
        column_ += blanks_;
    }
    blanks_ = 0;
    out += word_;
    column_ += width;
    if (column_ > columns_) column_ %= columns_;  // a word longer than a line is broken by the terminal
    word_.clear();
}

std::string WordWrap::push(std::string_view s) {
    std::string out;
    while (!s.empty()) {
        const size_t n = character_bytes(s);
        const auto c = s.substr(0, n);
        if (c == "\n") {
            end_word(out);
            out += '\n';
            column_ = blanks_ = 0;
        } else if (c == " " || c == "\t") {
            end_word(out);
            blanks_ += c == " " ? 1 : 4;
        } else if (character_width(c) > 1) {  // Han and the like break anywhere
            end_word(out);
            word_ = c;
            end_word(out);
        } else {
            word_ += c;
        }
        s.remove_prefix(n);
    }
    return out;
}

std::string WordWrap::finish() {
    std::string out;
    end_word(out);
    return out;
}

std::string Table::text(int max_width) const {
    std::vector<int> width;
    std::vector<bool> right;
    for (const auto& row : rows_) {
        width.resize(std::max(width.size(), row.size()));
        right.resize(width.size(), true);
    }
    for (size_t r = 0; r < rows_.size(); ++r) {
        for (size_t c = 0; c < rows_[r].size(); ++c) {
            width[c] = std::max(width[c], display_width(rows_[r][c]));
            if (r > 0 && !rows_[r][c].empty() && !numeric(rows_[r][c])) right[c] = false;
        }
    }
    std::string out;
    for (const auto& row : rows_) {
        std::string line;
        for (size_t c = 0; c < row.size(); ++c) line += (c ? "  " : "") + padded(row[c], width[c], right[c]);
        line.erase(line.find_last_not_of(' ') + 1);
        out += (max_width > 0 ? clipped(line, max_width) : line) + "\n";
    }
    return out;
}

std::string call_text(const ToolCall& call) { return "\ncalls " + one_line(call.id) + " " + one_line(call.arguments) + "\n"; }

std::string thoughts_note(std::string_view thought, int columns) {
    return wrapped("it thought first, in " + plural(std::count(thought.begin(), thought.end(), ' ') + 1, "word") + "; /reasoning shows them", columns);
}

}  // namespace klp
