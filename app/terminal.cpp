#include "app/terminal.h"

#include <fcntl.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "app/progress.h"

namespace klp {

std::atomic<bool> g_interrupted{false};
std::atomic<bool> g_ended = false;

namespace {

int g_output_error = 0;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

bool utf8_locale() {
    std::setlocale(LC_CTYPE, "");
    if (std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return true;
    // Without a UTF-8 locale nothing but ASCII is drawn, but what is typed is still read as UTF-8: every text in this program is.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    return false;
}

}  // namespace

std::string_view name(Colour colour) {
    switch (colour) {
        case Colour::none:
            return "none";
        case Colour::palette:
            return "256 colours";
        case Colour::full:
            return "24-bit colour";
    }
    return "";
}

Terminal Terminal::detect(bool plain) {
    Terminal t;
    t.input = isatty(STDIN_FILENO);
    t.output = isatty(STDOUT_FILENO);
    t.errors = isatty(STDERR_FILENO);
    const std::string term = environment("TERM");
    t.dumb = term.empty() || term == "dumb";
    t.canvas.unicode = utf8_locale() && !plain && !(t.output && t.dumb);
    if (t.output && !plain && !t.dumb && environment("NO_COLOR").empty()) {
        const std::string depth = environment("COLORTERM");
        t.canvas.colour = depth == "truecolor" || depth == "24bit" || term.find("direct") != std::string::npos ? Colour::full : Colour::palette;
    }
    t.measure();
    return t;
}

void Terminal::measure() {
    winsize size{};
    if (output) ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    const int width = size.ws_col ? size.ws_col : std::atoi(environment("COLUMNS").c_str());
    canvas.width = width > 0 ? std::clamp(width, 20, 400) : 80;
    canvas.height = size.ws_row ? std::max<int>(size.ws_row, 10) : 50;
}

namespace {
// A line end stays outside, so that no attribute is left on while a line is broken.
std::string styled(const char* code, std::string_view text, const Canvas& canvas) {
    if (canvas.colour == Colour::none) return std::string(text);
    const bool line = text.ends_with('\n');
    return code + std::string(text.substr(0, text.size() - line)) + "\x1b[0m" + (line ? "\n" : "");
}
}  // namespace

std::string dim(std::string_view text, const Canvas& canvas) { return styled("\x1b[2m", text, canvas); }
std::string bold(std::string_view text, const Canvas& canvas) { return styled("\x1b[1m", text, canvas); }

void catch_signals() {
    struct sigaction on_interrupt {};
    on_interrupt.sa_handler = [](int) { g_interrupted.store(true); };
    sigemptyset(&on_interrupt.sa_mask);
    sigset_t interrupt;
    sigemptyset(&interrupt);
    struct sigaction on_end = on_interrupt;  // whoever ends the program, or closes its terminal, loses as little as with Ctrl-C
    on_end.sa_handler = [](int) { g_ended.store(true), g_interrupted.store(true); };
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        sigaction(signal, signal == SIGINT ? &on_interrupt : &on_end, nullptr);
        sigaddset(&interrupt, signal);
    }
    sigprocmask(SIG_UNBLOCK, &interrupt, nullptr);  // whatever the parent had blocked
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, nullptr);  // a closed stdout is seen by put()
}

bool put(std::string_view text) {
    if (g_output_error) return false;
    const auto alone = pause_progress();
    errno = 0;
    while (!text.empty()) {
        const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            g_output_error = errno;
            // A reader that went away (head, a closed pager) is nothing to talk about; a full disk is.
            if (errno != EPIPE) note(std::string("klp: cannot write to stdout: ") + std::strerror(errno));
            return false;
        }
        text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
}

bool output_failed() { return g_output_error != 0; }
bool output_closed() { return g_output_error == EPIPE; }

void end_by_closed_pipe() {
    std::signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
    _exit(128 + SIGPIPE);  // where it is blocked
}

void note(std::string_view text) {
    std::string line(text);
    if (!line.ends_with('\n')) line += '\n';
    const auto alone = pause_progress();
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace klp
