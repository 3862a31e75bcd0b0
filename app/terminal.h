// The terminal: what it can show, how a line is read from it, and how Ctrl-C reaches the engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace klp {

enum class Colour { none, palette, full };  // palette: 256 colours; full: 24 bits
std::string_view name(Colour colour);

// What may be drawn with. Pictures take it as a value, so they can be tested without a terminal.
struct Canvas {
    int width = 80, height = 50;
    Colour colour = Colour::none;
    bool unicode = true;  // else ASCII only
};

struct Terminal {
    bool input = false, output = false, errors = false;  // is stdin, stdout, stderr a terminal?
    bool dumb = false;
    bool progress = false;  // said even where stderr is no terminal
    Canvas canvas;          // for stdout

    // NO_COLOR, TERM, COLORTERM, the locale, COLUMNS and the window decide; `plain` forbids colour and Unicode.
    static Terminal detect(bool plain);
    void measure();  // the size again: windows are resized
};
// As plain text where there is no colour.
std::string dim(std::string_view text, const Canvas& canvas);
std::string bold(std::string_view text, const Canvas& canvas);

// Set by SIGINT and looked at by everything that takes long. Signals interrupt system calls (no SA_RESTART), so a read at the prompt returns.
extern std::atomic<bool> g_interrupted;
extern std::atomic<bool> g_ended;  // by a signal that asks the program to end: g_interrupted is set, too, and nothing else is begun
void catch_signals();

// To stdout at once; false once it is closed or full (then nothing more is written, and output_failed() says so).
bool put(std::string_view text);
bool output_failed();
bool output_closed();                    // its reader went away (head, a pager)
[[noreturn]] void end_by_closed_pipe();  // as programs end that do not catch SIGPIPE: a shell sees 141
// A sentence or more on stderr, with a line end.
void note(std::string_view text);

// One line at a time: with editing, history and completion on a terminal, plainly otherwise.
class LineReader {
public:
    using Complete = std::function<std::vector<std::string>(std::string_view before_cursor)>;  // whole words that may stand at the cursor
    LineReader(const Terminal& terminal, Complete complete);
    ~LineReader();
    enum class Got { line, end, interrupted };
    Got read(const std::string& prompt, std::string& line);
    void remember(const std::string& line);  // in the history, here and on disk
    std::string history_state() const;       // where it is kept, or why it is not

private:
    struct Editor;
    std::unique_ptr<Editor> editor_;
    bool terminal_input_;
};

}  // namespace klp
