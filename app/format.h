// Numbers and tables as people read them. One home, so that "1.1e+02 tokens/s" cannot happen anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace klp {

struct ToolCall;

std::string fixed(double value, int digits);           // "12.50"; "n/a" for NaN and infinities
std::string short_number(double value);                // three significant digits, never an exponent below a million: "0.12", "7.3", "112", "1,204"
std::string grouped(int64_t n);                        // "1,048,576"
std::string count_text(int64_t n);                     // "48.1B", "700M", "9.8k", "12"
std::string bytes_text(int64_t bytes);                 // IEC: "1.5 KiB", "41.4 MiB"
std::string duration_text(double nanoseconds);         // "12 ms", "1.4 s", "2 min 5 s"
std::string spread_text(double least, double most);    // of nanoseconds, behind their median: " (11 ms to 14 ms)"; "" where `most` is 0
std::string percent_text(double fraction);             // "43 %"
std::string plural(int64_t n, std::string_view noun);  // "1 token", "1,204 tokens"

// For tables of other programs: a number in six digits, "" where it is none; a text in quotes.
std::string plain(double value);
std::string csv_text(std::string_view text);

// "16k", "1M", "1.5GiB": a number and a power of 1024; what the suffixes may end in. -1: it is none.
int64_t binary_number(std::string_view text, std::string_view unit);

int display_width(std::string_view utf8);                 // columns of a terminal
std::string clipped(std::string_view utf8, int columns);  // cut at a character, with ".." where something is missing
std::string padded(std::string text, int columns, bool right = false);
// Text that came from a model, a file or a person, made safe for a terminal: C0 and C1 controls other than newline and tab cannot get through.
std::string harmless(std::string_view utf8);
std::string one_line(std::string_view utf8);  // harmless, and line ends become spaces

std::string line_ends(std::string_view text);  // "\r\n" and a lone "\r", as other systems end lines, become "\n"

std::string wrapped(std::string_view text, int columns);           // broken at spaces, with a line end after each line
std::string thoughts_note(std::string_view thought, int columns);  // that there was one, how long, and where it is

// Text that comes in pieces, broken at blanks before a line gets longer than `columns`. A word waits until it is whole.
class WordWrap {
public:
    explicit WordWrap(int columns) : columns_(columns) {}
    std::string push(std::string_view utf8);
    std::string finish();

private:
    void end_word(std::string& out);
    int columns_, column_ = 0, blanks_ = 0;
    std::string word_;
};

// "; did you mean bench?" where a word is nearly one of these, else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

// Columns are as wide as their widest cell; numbers align to the right.
class Table {
public:
    explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string text(int width = 0) const;  // lines cut at `width` columns; 0: as long as they are

private:
    std::vector<std::vector<std::string>> rows_;
};

// A call of a tool on a line of its own, as terminals show it.
std::string call_text(const ToolCall& call);

}  // namespace klp
