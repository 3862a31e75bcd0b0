// Reading a line from a person: libedit where there is one and a terminal to edit on, else byte by byte until the line ends.
#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "app/format.h"
#include "app/terminal.h"

#ifdef KLP_HAS_EDITLINE
#include <histedit.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
// libedit copies the names of added functions and never frees them. What is passed over is not worth a table on stderr.
extern "C" const char* __lsan_default_suppressions() { return "leak:wcsdup"; }
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }
#endif

namespace klp {

#ifdef KLP_HAS_EDITLINE

namespace {

constexpr int kHistoryLines = 1000;

// $XDG_STATE_HOME/klp/history, or "" where there is no home.
std::filesystem::path history_file() {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/') return std::filesystem::path(state) / "klp" / "history";
    if (const char* home = std::getenv("HOME"); home && *home == '/') return std::filesystem::path(home) / ".local" / "state" / "klp" / "history";
    return {};
}

std::vector<std::string> read_history(const std::filesystem::path& file) {
    std::vector<std::string> lines;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (!line.empty()) lines.push_back(line);
    }
    if (lines.size() > kHistoryLines) lines.erase(lines.begin(), lines.end() - kHistoryLines);
    return lines;
}

// One entry at the end; the file is the person's own (0600). "" or why not.
std::string append_history(const std::filesystem::path& file, const std::string& line) {
    if (file.empty()) return "no home folder";
    std::error_code ignored;
    std::filesystem::create_directories(file.parent_path(), ignored);
    const int fd = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return std::strerror(errno);
    const std::string entry = line + "\n";
    const bool written = write(fd, entry.data(), entry.size()) == static_cast<ssize_t>(entry.size());
    const std::string why = written ? "" : std::strerror(errno);
    close(fd);
    return why;
}

}  // namespace

struct LineReader::Editor {
    EditLine* edit = nullptr;
    History* history = nullptr;
    Complete complete;
    std::string prompt;
    bool ctrl_c = false;
    std::filesystem::path file = history_file();
    std::string trouble;

    static Editor& of(EditLine* edit) {
        void* self = nullptr;
        el_get(edit, EL_CLIENTDATA, &self);
        return *static_cast<Editor*>(self);
    }
    static char* show_prompt(EditLine* edit) { return of(edit).prompt.data(); }

    // Ctrl-C is a key while a line is edited, and a signal otherwise: a handler could not leave the editor's read cleanly. The terminal is prepared before the
    // prompt is drawn; libedit itself makes it raw only behind that, and a key pressed in between would be lost.
    void take_keys(bool keys) {
        termios mode = normal;
        if (keys) {
            mode.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR);  // else the "\r\n" of a paste would arrive as two line ends
            mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            mode.c_cc[VINTR] = _POSIX_VDISABLE;
            mode.c_cc[VMIN] = 1, mode.c_cc[VTIME] = 0;
        }
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
    }
    static unsigned char on_ctrl_c(EditLine* edit, int) {
        of(edit).ctrl_c = true;
        return CC_EOF;
    }

    static unsigned char on_tab(EditLine* edit, int) {
        const LineInfo* line = el_line(edit);
        const std::string_view before(line->buffer, static_cast<size_t>(line->cursor - line->buffer));
        const auto words = of(edit).complete(before);
        if (words.empty()) return CC_REFRESH_BEEP;
        std::string common = words[0];
        for (const auto& word : words) {
            common.resize(static_cast<size_t>(std::mismatch(common.begin(), common.end(), word.begin(), word.end()).first - common.begin()));
        }
        const size_t typed = before.size() - (before.rfind(' ') + 1);
        std::string rest = common.substr(std::min(typed, common.size()));
        if (words.size() == 1) rest += ' ';
        if (!rest.empty()) return el_insertstr(edit, rest.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
        std::string list = "\n";
        for (const auto& word : words) list += word + "  ";
        put(list + "\n");
        return CC_REDISPLAY;
    }

    // A paste between the marks of "bracketed paste" is one text, line ends and all; without it every pasted line would be sent as a message.
    static unsigned char on_paste(EditLine* edit, int) {
        constexpr std::string_view kEnd = "\x1b[201~";
        std::string text;
        for (char c; !text.ends_with(kEnd);) {
            if (el_getc(edit, &c) != 1) return CC_EOF;
            text += c;
        }
        text = line_ends(std::string_view(text).substr(0, text.size() - kEnd.size()));
        while (text.ends_with('\n')) text.pop_back();
        return text.empty() || el_insertstr(edit, text.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
    }

    termios normal{};

    explicit Editor(Complete words) : complete(std::move(words)) {
        tcgetattr(STDIN_FILENO, &normal);
        edit = el_init("klp", stdin, stdout, stderr);
        history = history_init();
        HistEvent event;
        ::history(history, &event, H_SETSIZE, kHistoryLines);
        ::history(history, &event, H_SETUNIQUE, 1);
        for (const auto& line : read_history(file)) ::history(history, &event, H_ENTER, line.c_str());

        el_set(edit, EL_CLIENTDATA, this);
        el_set(edit, EL_HIST, ::history, history);
        el_set(edit, EL_EDITOR, "emacs");
        el_set(edit, EL_SIGNAL, 1);  // window size, stop and continue
        el_set(edit, EL_SETTY, "-d", "intr=", nullptr);
        el_set(edit, EL_SETTY, "-d", "-icrnl", "-inlcr", nullptr);
        el_set(edit, EL_PROMPT_ESC, &show_prompt, '\1');
        el_set(edit, EL_ADDFN, "klp-interrupt", "clear the line or leave", &on_ctrl_c);
        el_set(edit, EL_ADDFN, "klp-complete", "complete a slash command", &on_tab);
        el_set(edit, EL_ADDFN, "klp-paste", "insert a paste as one text", &on_paste);
        constexpr const char* kKeys[][2] = {
            {"^C", "klp-interrupt"},           {"^I", "klp-complete"},       {"\\e[200~", "klp-paste"},    {"^R", "em-inc-search-prev"},
            {"\\e[3~", "ed-delete-next-char"}, {"\\e[1;5C", "em-next-word"}, {"\\e[1;5D", "ed-prev-word"},
        };
        for (const auto& [key, function] : kKeys) el_set(edit, EL_BIND, key, function, nullptr);
    }
    ~Editor() {
        el_end(edit);
        history_end(history);
    }
    Editor(const Editor&) = delete;
    Editor& operator=(const Editor&) = delete;

    Got read(const std::string& text, std::string& line) {
        prompt = text;
        ctrl_c = false;
        take_keys(true);
        put("\x1b[?2004h");
        int length = 0;
        const char* got = el_gets(edit, &length);
        put("\x1b[?2004l");
        take_keys(false);
        if (ctrl_c) {
            put("^C\n");
            el_reset(edit);
            return Got::interrupted;
        }
        if (!got || length <= 0) {
            const bool interrupted = got == nullptr && length == -1 && g_interrupted;
            put("\n");
            return interrupted ? Got::interrupted : Got::end;
        }
        line.assign(got, static_cast<size_t>(length));
        if (line.ends_with('\n')) line.pop_back();
        return Got::line;
    }
    void remember(const std::string& line) {
        HistEvent event;
        ::history(history, &event, H_ENTER, line.c_str());
        trouble = append_history(file, one_line(line));
    }
};

#else

struct LineReader::Editor {
    std::string trouble = "built without libedit";
    std::filesystem::path file;
    explicit Editor(Complete) {}
    Got read(const std::string&, std::string&) { return Got::end; }
    void remember(const std::string&) {}
};

#endif

LineReader::LineReader(const Terminal& terminal, Complete complete) : terminal_input_(terminal.input) {
#ifdef KLP_HAS_EDITLINE
    if (terminal.input && terminal.output && !terminal.dumb) editor_ = std::make_unique<Editor>(std::move(complete));
#else
    (void)complete;
#endif
}
LineReader::~LineReader() = default;

LineReader::Got LineReader::read(const std::string& prompt, std::string& line) {
    g_interrupted = false;
    if (editor_) return editor_->read(prompt, line);
    if (terminal_input_) {
        std::string bare = prompt;
        std::erase(bare, '\1');
        put(bare);
    }
    // read() and not std::getline: only this way does Ctrl-C come back at once.
    line.clear();
    for (char c;;) {
        const ssize_t n = ::read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR && g_interrupted) {
            if (terminal_input_) put("\n");
            return Got::interrupted;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return line.empty() ? Got::end : Got::line;
        if (c == '\n') break;
        line += c;
    }
    if (line.ends_with('\r')) line.pop_back();
    return Got::line;
}

void LineReader::remember(const std::string& line) {
    if (editor_) editor_->remember(line);
}

std::string LineReader::history_state() const {
    if (!editor_) return "not kept (no line editing here)";
    return editor_->trouble.empty() ? editor_->file.string() : "not saved: " + editor_->trouble;
}

}  // namespace klp
