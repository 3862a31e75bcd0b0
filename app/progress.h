// How far something long is: the phase, n of N, the rate and the time that is left.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "app/terminal.h"

namespace klp {

// "reading: 1,024 of 6,000 tokens, 245 tokens/s, 20 s left" after so many nanoseconds. `unit`: what is counted; "byte" is written as KiB and so on, "" as a
// share. Without a total what was done, without both the time. `before`: of `done`, what was done before these nanoseconds.
std::string progress_text(const std::string& what, const std::string& unit, int64_t done, int64_t total, int64_t nanoseconds, int64_t before = 0);

// On a terminal one line on stderr, from half a second on, that is gone when this is destroyed or something else is printed (and comes back with the next
// count). In a pipe nothing, or with --progress lines: at the beginning, and then one a second at most. A thread of its own draws it, so that it lives through
// long passes.
class Progress {
public:
    Progress(const Terminal& terminal, std::string what, std::string unit = "");
    ~Progress();
    Progress(const Progress&) = delete;
    void at(int64_t done = 0, int64_t total = 0, int64_t before = 0);  // 0 of something begins anew
    void name(const std::string& what);                                // from now on

private:
    friend std::unique_lock<std::recursive_mutex> pause_progress();
    std::string text() const;
    void draw();
    const Terminal& terminal_;
    const bool line_;  // else lines, or nothing
    std::string what_, unit_;
    int64_t start_, said_ = 0, done_ = 0, total_ = 0, before_ = 0;
    bool hidden_ = false, over_ = false;
    std::condition_variable_any wake_;
    std::thread thread_;
};

// At the beginning of what takes minutes: in a pipe nobody would see that anything happens.
void say_that_it_takes_long(const Terminal& terminal);
// The same of what may take milliseconds: once it is known to take long.
class LongTime {
public:
    explicit LongTime(const Terminal& terminal) : terminal_(terminal) {}
    void at(int64_t done, int64_t total);  // total 0: nobody knows

private:
    const Terminal& terminal_;
    int64_t start_ = 0;
    bool said_ = false;
};

// Takes the line away, for whoever prints something; it stays away as long as this lock is held, and until the next count.
std::unique_lock<std::recursive_mutex> pause_progress();

}  // namespace klp
