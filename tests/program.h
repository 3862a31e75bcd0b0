// The program klp, started from a test: with pipes on all three, or on a terminal of its own. KLP_PROGRAM says where it is.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

namespace klp {

using Words = std::vector<std::string>;

inline constexpr int kPatience = 60'000;  // ms; far beyond what any step takes, so that a loaded machine fails nothing

struct Outcome {
    int code = -1;  // -1: ended by a signal
    std::string out, err;
};

// A started klp with pipes on all three, or on a terminal of its own.
class Klp {
public:
    explicit Klp(const Words& arguments, const Words& environment = {}, bool interrupted = false) : interrupted_(interrupted) {
        start(arguments, environment, nullptr);
    }
    Klp(const Words& arguments, winsize size, const Words& environment = {}) { start(arguments, environment, &size); }
    ~Klp() {
        if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
        for (int fd : {in_, out_, err_})
            if (fd >= 0) close(fd);
    }
    Klp(const Klp&) = delete;
    Klp& operator=(const Klp&) = delete;

    void type(const std::string& text) { ASSERT_EQ(write(in_, text.data(), text.size()), static_cast<ssize_t>(text.size())); }
    void end_input() { close(in_), in_ = -1; }
    void close_output() { close(out_), out_ = -1; }
    void interrupt() { kill(pid_, SIGINT); }

    // Reads until stdout (or the terminal) holds `text` behind what the last wait found.
    bool wait_for(const std::string& text) {
        for (;;) {
            if (const size_t found = seen_.out.find(text, mark_); found != std::string::npos) return mark_ = found + text.size(), true;
            if (!read_some()) return false;
        }
    }
    bool wait_for_error(const std::string& text) {  // the same of stderr
        for (;;) {
            if (const size_t found = seen_.err.find(text, error_mark_); found != std::string::npos) return error_mark_ = found + text.size(), true;
            if (!read_some()) return false;
        }
    }
    bool wait_for_prompt() { return wait_for("\x1b[?2004h"); }  // from then on Ctrl-C is a key
    bool wait_for_output() {
        while (seen_.out.empty())
            if (!read_some()) return false;
        return true;
    }
    const std::string& seen() const { return seen_.out; }

    Outcome finish() {
        while (read_some()) continue;
        if (out_ >= 0 || err_ >= 0) kill(pid_, SIGKILL);  // it ran out of our patience
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        seen_.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return seen_;
    }

private:
    void start(const Words& arguments, const Words& environment, const winsize* size) {
        int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
        if (size) {
            pid_ = forkpty(&in_, nullptr, nullptr, size);
            out_ = dup(in_);
        } else {
            ASSERT_EQ(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
            pid_ = fork();
        }
        if (pid_ == 0) {
            if (!size) dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
            for (const char* name : {"NO_COLOR", "COLORTERM", "COLUMNS", "KLP_ISA"}) unsetenv(name);
            setenv("TERM", "xterm-256color", 1);
            setenv("LC_ALL", "C.UTF-8", 1);
            for (const auto& e : environment) putenv(strdup(e.c_str()));
            if (interrupted_) {  // the signal waits for the program to be ready for it
                sigset_t set;
                sigemptyset(&set);
                sigaddset(&set, SIGINT);
                sigprocmask(SIG_BLOCK, &set, nullptr);
                raise(SIGINT);
            }
            std::vector<char*> argv{strdup("klp")};
            for (const auto& a : arguments) argv.push_back(strdup(a.c_str()));
            argv.push_back(nullptr);
            execv(KLP_PROGRAM, argv.data());
            _exit(127);
        }
        if (!size) {
            close(in[0]), close(out[1]), close(err[1]);
            in_ = in[1], out_ = out[0], err_ = err[0];
        }
    }
    bool read_some() {
        pollfd ready[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
        if (out_ < 0 && err_ < 0) return false;
        if (poll(ready, 2, kPatience) <= 0) {
            ADD_FAILURE() << "klp said nothing for " << kPatience << " ms; so far: " << seen_.out << seen_.err;
            return false;
        }
        char buffer[4096];
        for (auto [fd, text, at] : {std::tuple(&out_, &seen_.out, &ready[0]), std::tuple(&err_, &seen_.err, &ready[1])}) {
            if (*fd < 0 || !at->revents) continue;
            const ssize_t n = ::read(*fd, buffer, sizeof buffer);  // EIO at the end of a terminal
            if (n > 0)
                text->append(buffer, static_cast<size_t>(n));
            else
                close(*fd), *fd = -1;
        }
        return out_ >= 0 || err_ >= 0;
    }

    pid_t pid_ = -1;
    int in_ = -1, out_ = -1, err_ = -1;
    Outcome seen_;
    size_t mark_ = 0, error_mark_ = 0;
    bool interrupted_ = false;
};

inline Outcome klp(const Words& arguments, const std::string& input = "", const Words& environment = {}) {
    Klp program(arguments, environment);
    if (!input.empty()) program.type(input);
    program.end_input();
    return program.finish();
}

}  // namespace klp
