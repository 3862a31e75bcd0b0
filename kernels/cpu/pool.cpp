#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
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

// A pause is 10 to 50 ns: about 100 us of spinning before a worker sleeps, longer than the gaps between the ops of one token.
constexpr int kSpinsBeforeSleep = 3000;
// Whoever waits for a thread that may not be running gives its core away after this many.
constexpr int kSpinsBeforeYield = 500;

using Ns = std::chrono::nanoseconds;
constexpr Ns kLongWait = std::chrono::microseconds(100), kTrial = std::chrono::milliseconds(16), kLongestPause = std::chrono::milliseconds(256);

// Runs between two looks at what the caller has had of its core.
constexpr int kRunsBetweenLooks = 32;

Ns now() { return std::chrono::steady_clock::now().time_since_epoch(); }
Ns of(const timeval& t) { return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec); }

// What a thread has had of a core, as seen by itself.
struct Share {
    std::thread::id thread;
    Ns at{}, busy{};
    long slept = 0, robbed = 0;  // how often it waited, and how often another took its core
};
Share share() {
    rusage u{};
    getrusage(RUSAGE_THREAD, &u);
    return {std::this_thread::get_id(), now(), of(u.ru_utime) + of(u.ru_stime), u.ru_nvcsw, u.ru_nivcsw};
}

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

// Moves this thread away from a core that another thread of the pool runs on: a busy machine may well wake it there, and then takes a long time to notice.
void leave(int core) {
    if (sched_getcpu() != core) return;
    cpu_set_t all, others;
    if (sched_getaffinity(0, sizeof all, &all) != 0) return;
    others = all;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof all, &all);
}

struct alignas(64) Worker {
    Ns busy() {  // what it has had of a core
        clockid_t clock;
        timespec t{};
        if (pthread_getcpuclockid(thread.native_handle(), &clock) == 0) clock_gettime(clock, &t);
        return std::chrono::seconds(t.tv_sec) + Ns(t.tv_nsec);
    }
    Ns busy_before{};
    std::atomic<bool> asleep{false};
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
    // Threads that may take part at present: fewer for a while when other programs want the cores.
    int limit = 1;
    bool gives_way = true;
    Ns limited_until{}, limited_for{}, trial_since{}, lost{};
    Share callers{};
    int runs = 0;
    int spins_before_sleep = kSpinsBeforeSleep, spins_before_yield = kSpinsBeforeYield;
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
        for (Worker& self = workers[static_cast<size_t>(thread - 1)];;) {
            for (int spins = 0; spins < spins_before_sleep; ++spins) {
                if (const int64_t taken = take(thread)) {
                    done.fetch_add(taken, std::memory_order_release);
                    spins = 0;
                }
                pause();
            }
            // Sequentially consistent on both sides: the sleeper says that it sleeps and then looks for work, publish() writes the work and then looks for
            // sleepers; one of them sees the other.
            std::unique_lock lock(self.mutex);
            self.asleep.store(true);
            if (stop.load()) return;
            if (const uint64_t seen = claims.load(); unclaimed(seen) > 0 && thread < threads_of(seen)) {
                self.asleep.store(false);
                continue;
            }
            self.wake.wait(lock, [&] { return !self.asleep.load(); });
            leave(callers_core.load(std::memory_order_relaxed));
        }
    }

    // Waits for what others have claimed.
    void wait_for(int64_t others, int threads) {
        const auto finished = [&] { return done.load(std::memory_order_acquire) >= others; };
        for (int spins = 0; spins < spins_before_yield; ++spins) {
            if (finished()) return;
            pause();
        }
        const auto yield_until = [&](Ns end) {
            while (!finished() && now() < end) std::this_thread::yield();
            return finished();
        };
        if (yield_until(now() + kLongWait)) return;
        // A piece that takes long, or a thread that has lost its core? The latter shows in the time it had of one.
        const Ns begin = now();
        for (int i = 0; i < threads - 1; ++i) workers[static_cast<size_t>(i)].busy_before = workers[static_cast<size_t>(i)].busy();
        yield_until(Ns::max());
        const Ns end = now();
        Ns worked = end - begin;
        for (int i = 0; i < threads - 1; ++i) {
            Worker& w = workers[static_cast<size_t>(i)];
            if (!w.asleep.load()) worked = std::min(worked, w.busy() - w.busy_before);
        }
        if (const Ns time = end - begin - worked; time > kLongWait && gives_way) lost_core(time, end);
    }

    // Whether the caller itself has lost its core since the last look.
    void look() {
        const Share last = std::exchange(callers, share());
        if (callers.thread != last.thread || callers.slept != last.slept || callers.robbed == last.robbed) return;
        if (const Ns time = callers.at - last.at - (callers.busy - last.busy); time > kLongWait) lost_core(time, callers.at);
    }

    // A thread lost its core in the middle of a run, and all waited. The last of k threads saves 1 / (k - 1) of the time, at best: if that is less than twice
    // what waiting cost, do without it for a while, each time for longer. Judged by no less than kTrial: a thread that wakes may need a moment to find a core.
    void lost_core(Ns time, Ns at) {
        lost += time;
        const Ns trial = at - trial_since;
        if (trial < kTrial) return;
        const bool paid = trial - lost > 2 * lost * (limit - 1);
        begin_trial(at);
        if (paid) {
            limited_for /= 2;
            return;
        }
        limited_for = std::min(std::max(2 * limited_for, trial), kLongestPause);
        limited_until = at + limited_for;
        --limit;
    }
    void begin_trial(Ns at) { trial_since = at, lost = {}; }

    void rouse(Worker& worker) {
        if (!worker.asleep.load() || !worker.asleep.exchange(false)) return;
        callers_core.store(sched_getcpu(), std::memory_order_relaxed);
        { const std::lock_guard lock(worker.mutex); }
        worker.wake.notify_one();
    }
};

Pool::Pool(int threads, bool gives_way) : state_(std::make_unique<State>()) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    size_ = threads > 0 ? threads : cores > 0 ? cores : 1;
    if (size_ > static_cast<int>(kMostThreads)) size_ = static_cast<int>(kMostThreads);
    State& s = *state_;
    s.limit = size_;
    s.gives_way = gives_way && size_ <= cores;
    if (size_ > cores) s.spins_before_sleep = s.spins_before_yield = 50;  // the thread waited for needs the core that would be spinning
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
    if (s.limit < size_) {
        if (const Ns at = now(); at >= s.limited_until) s.limit = size_, s.begin_trial(at);
        threads = std::min(threads, s.limit);
    }
    if (threads == 1 || pieces <= 1) {
        for (int64_t i = 0; i < pieces; ++i) call(data, 0, i);
        return;
    }
    KLP_CHECK(pieces <= static_cast<int64_t>(kMostPieces));
    if (threads > pieces) threads = static_cast<int>(pieces);
    s.call = call, s.data = data, s.pieces = pieces;
    s.done.store(0, std::memory_order_relaxed);
    s.claims.store(word(++s.run, threads, pieces));
    for (int thread = 1; thread < threads; ++thread) s.rouse(s.workers[static_cast<size_t>(thread - 1)]);
    const int64_t others = pieces - s.take(0);
    s.wait_for(others, threads);
    if (s.gives_way && ++s.runs % kRunsBetweenLooks == 0) s.look();
}

}  // namespace klp
