// The threads of the CPU backend. They are made once and wait by spinning for a moment, then asleep: an op costs no fork and no join. Work is claimed in
// pieces, so nobody ever waits for a thread that has not begun, such as one whose core another program has.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace klp {

class Pool {
public:
    explicit Pool(int threads);  // 0: one for each core
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    int size() const { return size_; }

    // body(thread, first, last) for the pieces of [0, n), `piece` long but for the last one: each is done once, by whichever of the first `threads` threads (0:
    // all; the caller is thread 0) comes for it. Returns when all are done. One piece is the caller's. body must not call run(), must not throw, and must not
    // wait for other pieces.
    template <class F>
    void run(int64_t n, int64_t piece, int threads, F&& body) {
        struct Pieces {
            F& body;
            int64_t n, piece;
        } pieces{body, n, piece};
        run_erased(
            [](void* data, int thread, int64_t i) {
                const Pieces& p = *static_cast<Pieces*>(data);
                const int64_t first = i * p.piece;
                p.body(thread, first, first + p.piece < p.n ? first + p.piece : p.n);
            },
            &pieces, (n + piece - 1) / piece, threads > 0 && threads < size_ ? threads : size_);
    }

private:
    using Call = void (*)(void* data, int thread, int64_t piece);
    void run_erased(Call call, void* data, int64_t pieces, int threads);
    int size_ = 1;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace klp
