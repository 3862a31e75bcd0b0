#include "kernels/cpu/pool.h"

#include <atomic>
#include <condition_variable>
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

// A pause is 10 to 50 ns: about 100 us of spinning before a worker sleeps, longer than the gaps between the ops of one token.
constexpr int kSpinsBeforeSleep = 3000;
// Whoever waits for a thread that may not be running gives its core away after this many.
constexpr int kSpinsBeforeYield = 500;

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

struct alignas(64) Worker {
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
    int spins_before_sleep = kSpinsBeforeSleep, spins_before_yield = kSpinsBeforeYield;
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
        }
    }

    void rouse(Worker& worker) {
        if (!worker.asleep.load() || !worker.asleep.exchange(false)) return;
        { const std::lock_guard lock(worker.mutex); }
        worker.wake.notify_one();
    }
};

Pool::Pool(int threads) : state_(std::make_unique<State>()) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    size_ = threads > 0 ? threads : cores > 0 ? cores : 1;
    if (size_ > static_cast<int>(kMostThreads)) size_ = static_cast<int>(kMostThreads);
    State& s = *state_;
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
    for (int spins = 0; s.done.load(std::memory_order_acquire) < others; ++spins) {
        if (spins < s.spins_before_yield)
            pause();
        else
            std::this_thread::yield();
    }
}

}  // namespace klp
