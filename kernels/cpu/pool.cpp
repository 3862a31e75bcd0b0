#include "kernels/cpu/pool.h"

#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/tensor.h"

namespace klp {
namespace {

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

using Ns = std::chrono::nanoseconds;
Ns now() { return std::chrono::steady_clock::now().time_since_epoch(); }

// A pause is 10 to 50 ns: about 100 us of spinning before a worker sleeps, longer than the gaps between the ops of one token.
constexpr int kSpinsBeforeSleep = 3000;
// Whoever waits for a thread that may not be running gives its core away after this many, and looks after it after that.
constexpr int kSpinsBeforeYield = 500;
constexpr Ns kLongWait = std::chrono::microseconds(100);
// How long a thread stays away that lost its core to another program: about what the scheduler gives that one.
constexpr Ns kRest = std::chrono::milliseconds(4);

// What is to be claimed is one word: which run it is, how many threads may take part, and how many pieces nobody has claimed. A thread claims by counting down
// exactly the word that it has read, so one that was held up in between cannot touch another run than the one it saw; and what belongs to a run is read
// only by who holds a piece of it, for then the run cannot end.
constexpr int kPieceBits = 20, kThreadBits = 10;
constexpr uint64_t kMostPieces = (uint64_t{1} << kPieceBits) - 1, kMostThreads = (uint64_t{1} << kThreadBits) - 1;
uint64_t word(uint64_t run, int threads, int64_t pieces) {
    return run << (kThreadBits + kPieceBits) | static_cast<uint64_t>(threads) << kPieceBits | static_cast<uint64_t>(pieces);
}
int64_t unclaimed(uint64_t word) { return static_cast<int64_t>(word & kMostPieces); }
int threads_of(uint64_t word) { return static_cast<int>(word >> kPieceBits & kMostThreads); }

// --- cores: where the scheduler takes milliseconds to see what is wrong, the pool helps itself ---

pid_t this_thread() {
    static thread_local const pid_t id = gettid();
    return id;
}

// Whether a thread of this process could run and has no core.
bool lacks_core(pid_t thread) {
    const auto had = [clock = static_cast<clockid_t>(~static_cast<unsigned>(thread) << 3 | 6)] {  // as pthread_getcpuclockid makes it
        timespec t{};
        return clock_gettime(clock, &t) == 0 ? std::chrono::seconds(t.tv_sec) + Ns(t.tv_nsec) : Ns(-1);
    };
    const Ns before = had();
    for (const Ns end = now() + std::chrono::microseconds(10); now() < end;) pause();
    if (before < Ns(0) || had() != before) return false;
    char path[64], text[256];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", static_cast<int>(thread));
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    text[n > 0 ? n : 0] = 0;
    const char* name_end = std::strrchr(text, ')');
    return name_end && std::strncmp(name_end, ") R", 3) == 0;
}

// Moves a thread to one core and leaves it free to move on.
void move(pid_t thread, const cpu_set_t& all, const cpu_set_t& there) {
    if (CPU_COUNT(&there) > 0 && sched_setaffinity(thread, sizeof there, &there) == 0) sched_setaffinity(thread, sizeof all, &all);
}

// A thread that waits for its core goes on with this one's.
void fetch(pid_t thread) {
    cpu_set_t all, here;
    if (sched_getaffinity(thread, sizeof all, &all) != 0) return;
    const int core = sched_getcpu();
    CPU_ZERO(&here);
    if (CPU_ISSET(core, &all)) CPU_SET(core, &here);
    move(thread, all, here);
}

// This thread goes away from a core that another one of the pool runs on.
void leave(int core) {
    cpu_set_t all, others;
    if (sched_getcpu() != core || sched_getaffinity(0, sizeof all, &all) != 0) return;
    others = all;
    CPU_CLR(core, &others);
    move(0, all, others);
}

struct alignas(64) Worker {
    std::atomic<bool> asleep{false};
    std::atomic<bool> to_rest{false};  // lost its core: to sleep after the piece at hand
    std::atomic<Ns> rests_until{Ns{}};
    std::atomic<pid_t> id{0};
    std::mutex mutex;
    std::condition_variable wake;
    std::thread thread;
};

}  // namespace

struct Pool::State {
    alignas(64) std::atomic<uint64_t> claims{0};
    alignas(64) std::atomic<int64_t> done{0};  // pieces of this run, by workers that have found no more
    alignas(64) Call call = nullptr;           // of this run; written before `claims`
    void* data = nullptr;
    int64_t pieces = 0;
    uint64_t run = 0;
    int spins_before_sleep = kSpinsBeforeSleep, spins_before_yield = kSpinsBeforeYield;
    bool crowded = false;  // more threads than cores: whoever waits for its core is no exception
    std::atomic<pid_t> caller{0};
    std::atomic<bool> caller_fetched{false};  // by one of them
    std::atomic<int> callers_core{-1};
    std::atomic<bool> stop{false};
    std::vector<Worker> workers;  // of threads 1, 2, ...

    // Claims and does pieces until none is left for this thread; how many.
    int64_t take(int thread) {
        int64_t taken = 0;
        for (uint64_t seen = claims.load(std::memory_order_relaxed); unclaimed(seen) > 0 && thread < threads_of(seen);) {
            if (!claims.compare_exchange_weak(seen, seen - 1, std::memory_order_acquire, std::memory_order_relaxed)) continue;
            call(data, thread, pieces - unclaimed(seen));
            ++taken;
            seen = claims.load(std::memory_order_relaxed);
        }
        return taken;
    }

    void work(int thread) {
        Worker& self = workers[static_cast<size_t>(thread - 1)];
        self.id.store(this_thread());
        for (;;) {
            for (int spins = 0; spins < spins_before_sleep && !self.to_rest.load(std::memory_order_relaxed); ++spins) {
                if (const int64_t taken = take(thread)) {
                    done.fetch_add(taken, std::memory_order_release);
                    spins = 0;
                }
                pause();
            }
            if (self.to_rest.load()) {
                self.to_rest.store(false);
                self.rests_until.store(now() + kRest);
            } else if (!crowded && lacks_core(caller.load()) && !caller_fetched.exchange(true)) {
                fetch(caller.load());
                self.rests_until.store(now() + kRest);
            }
            // Sequentially consistent on both sides: the sleeper says that it sleeps and then looks for work, run() writes the work and then looks for
            // sleepers; one of them sees the other.
            std::unique_lock lock(self.mutex);
            self.asleep.store(true);
            if (stop.load()) return;
            const uint64_t seen = claims.load();
            if (unclaimed(seen) > 0 && thread < threads_of(seen) && now() >= self.rests_until.load()) {
                self.asleep.store(false);
                continue;
            }
            self.wake.wait(lock, [&] { return !self.asleep.load(); });
            leave(callers_core.load(std::memory_order_relaxed));
        }
    }

    void rouse(Worker& worker) {
        if (!worker.asleep.load() || !worker.asleep.exchange(false)) return;
        { const std::lock_guard lock(worker.mutex); }
        worker.wake.notify_one();
    }

    // Waits for what others have claimed.
    void wait_for(int64_t others, int threads) {
        const auto finished = [&] { return done.load(std::memory_order_acquire) >= others; };
        for (int spins = 0; spins < spins_before_yield; ++spins) {
            if (finished()) return;
            pause();
        }
        for (Ns look = now() + kLongWait; !finished();) {
            std::this_thread::yield();
            if (crowded || now() < look) continue;
            for (int i = 0; i < threads - 1; ++i) {
                Worker& worker = workers[static_cast<size_t>(i)];
                if (worker.asleep.load() || !lacks_core(worker.id.load())) continue;
                worker.to_rest.store(true);
                fetch(worker.id.load());
            }
            look = now() + kLongWait;
        }
    }
};

Pool::Pool(int threads) : state_(std::make_unique<State>()) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    size_ = threads > 0 ? threads : cores > 0 ? cores : 1;
    if (size_ > static_cast<int>(kMostThreads)) size_ = static_cast<int>(kMostThreads);
    State& s = *state_;
    s.crowded = size_ > cores;
    if (s.crowded) s.spins_before_sleep = s.spins_before_yield = 50;  // the thread waited for needs the core that would be spinning
    s.workers = std::vector<Worker>(static_cast<size_t>(size_ - 1));
    for (int thread = 1; thread < size_; ++thread) s.workers[static_cast<size_t>(thread - 1)].thread = std::thread([&s, thread] { s.work(thread); });
}

Pool::~Pool() {
    state_->stop.store(true);
    for (Worker& worker : state_->workers) state_->rouse(worker);
    for (Worker& worker : state_->workers) worker.thread.join();
}

void Pool::run_erased(Call call, void* data, int64_t pieces, int threads) {
    State& s = *state_;
    if (threads == 1 || pieces <= 1) {
        for (int64_t i = 0; i < pieces; ++i) call(data, 0, i);
        return;
    }
    KLP_CHECK(pieces <= static_cast<int64_t>(kMostPieces));
    if (threads > pieces) threads = static_cast<int>(pieces);
    s.call = call, s.data = data, s.pieces = pieces;
    s.done.store(0, std::memory_order_relaxed);
    s.caller.store(this_thread(), std::memory_order_relaxed);
    if (s.caller_fetched.load(std::memory_order_relaxed)) s.caller_fetched.store(false, std::memory_order_relaxed);
    s.claims.store(word(++s.run, threads, pieces));
    for (int i = 0; i < threads - 1; ++i) {
        Worker& worker = s.workers[static_cast<size_t>(i)];
        if (!worker.asleep.load()) continue;
        const Ns rest = worker.rests_until.load();
        if (rest != Ns{} && now() < rest) continue;
        worker.rests_until.store(Ns{});
        s.callers_core.store(sched_getcpu(), std::memory_order_relaxed);
        s.rouse(worker);
    }
    const int64_t others = pieces - s.take(0);
    if (others > 0) s.wait_for(others, threads);
}

}  // namespace klp
