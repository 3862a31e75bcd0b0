#include "app/progress.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>

#include "app/format.h"
#include "core/system.h"

namespace klp {

namespace {

constexpr auto kPatience = std::chrono::milliseconds(500), kTick = std::chrono::milliseconds(200);
constexpr int64_t kSecond = 1'000'000'000;

std::recursive_mutex g_line;   // guards all of this
Progress* g_newest = nullptr;  // whose line it is
int g_columns = 0;             // that are drawn on

void erase() {
    if (g_columns == 0) return;
    std::fprintf(stderr, "\r%*s\r", g_columns + 2, "");  // a Ctrl-C may have left its two characters behind it
    std::fflush(stderr);
    g_columns = 0;
}

int width() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? std::max<int>(size.ws_col, 20) : 80;
}

std::string seconds_text(double seconds) { return seconds < 120 ? std::to_string(std::llround(std::ceil(seconds))) + " s" : duration_text(seconds * 1e9); }

}  // namespace

std::string progress_text(const std::string& what, const std::string& unit, int64_t done, int64_t total, int64_t nanoseconds, int64_t before) {
    const auto amount = [&](int64_t n) { return unit == "byte" ? bytes_text(n) : plural(n, unit); };
    const double seconds = double(nanoseconds) * 1e-9, rate = seconds > 0 ? double(done - before) / seconds : 0;
    std::string text = what + ": ";
    if (total <= 0 && done <= 0) return text + seconds_text(seconds);
    if (unit.empty())
        text += percent_text(double(done) / double(total));
    else if (total <= 0)
        text += amount(done);
    else
        text += (unit == "byte" ? bytes_text(done) : grouped(done)) + " of " + amount(total);
    if (rate <= 0) return text;
    if (!unit.empty()) text += ", " + (unit == "byte" ? bytes_text(static_cast<int64_t>(rate)) : short_number(rate) + " " + unit + "s") + "/s";
    return done < total ? text + ", " + seconds_text(double(total - done) / rate) + " left" : text;
}

void say_that_it_takes_long(const Terminal& terminal) {
    if (!terminal.errors && !terminal.progress) note("klp: this may take minutes; --progress says how far it is");
}

void LongTime::at(int64_t done, int64_t total) {
    constexpr double kKnown = 1e9, kLong = 20e9;
    const int64_t now = now_ns();
    if (start_ == 0) start_ = now;
    const auto spent = static_cast<double>(now - start_);
    if (said_ || spent < kKnown || (total > 0 && spent / static_cast<double>(done) * static_cast<double>(total) < kLong)) return;
    said_ = true;
    say_that_it_takes_long(terminal_);
}

std::unique_lock<std::recursive_mutex> pause_progress() {
    std::unique_lock lock(g_line);
    erase();
    if (g_newest) g_newest->hidden_ = true;
    return lock;
}

Progress::Progress(const Terminal& terminal, std::string what, std::string unit)
    : terminal_(terminal), line_(terminal.errors && !terminal.dumb), what_(one_line(what)), unit_(std::move(unit)), start_(now_ns()) {
    const std::lock_guard lock(g_line);
    g_newest = this;
    if (!line_) return;
    // Signals are for the thread that reads and computes.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] {
        std::unique_lock held(g_line);
        for (auto wait = kPatience; !wake_.wait_for(held, wait, [this] { return over_; }); wait = kTick) draw();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Progress::~Progress() {
    {
        const std::lock_guard lock(g_line);
        over_ = true;
        if (g_newest == this) g_newest = nullptr, erase();
        wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

std::string Progress::text() const { return progress_text(what_, unit_, done_, total_, now_ns() - start_, before_); }

void Progress::name(const std::string& what) {
    const std::lock_guard lock(g_line);
    what_ = one_line(what);
}

void Progress::at(int64_t done, int64_t total, int64_t before) {
    const std::lock_guard lock(g_line);
    const int64_t now = now_ns();
    if (done == 0) start_ = now, said_ = 0;
    done_ = done, total_ = total, before_ = before, hidden_ = false;
    if (line_ || !terminal_.progress || (said_ > 0 && now - said_ < kSecond)) return;
    said_ = now;
    std::fprintf(stderr, "%s\n", done == 0 && total == 0 ? what_.c_str() : text().c_str());
}

void Progress::draw() {
    if (hidden_ || g_newest != this) return;
    const std::string line = clipped(text(), width() - 3);
    const int columns = display_width(line);
    std::fprintf(stderr, "\r%s%*s", line.c_str(), std::max(0, g_columns - columns), "");
    std::fflush(stderr);
    g_columns = std::max(columns, g_columns);
}

}  // namespace klp
