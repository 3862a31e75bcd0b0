// What the backward ops of the CPU share: products of any operands by all threads or by this one, and copies that are turned around for them.
//
// A product of the engine is y[t, r] = sum_i x[t, i] w[r, i] (products.h), x in f32 and w rows of its type. The two that learning needs are the same one:
//   dx = dy W     x: dy, w: W turned around                dW = dy^T x     x: dy turned around, w: x turned around
// so a gradient costs what a forward product does, on matrix tiles where there are some.
#pragma once

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/simd/learning.h"
#include "kernels/gradients.h"

namespace klp {

// All threads of a pool, or this one alone, which is what a thread of the pool hands on.
struct Doer {
    Pool* pool = nullptr;
    template <class F>
    void run(int64_t n, int64_t piece, F&& body) const {  // body(first, last)
        if (pool)
            pool->run(n, piece, 0, [&](int, int64_t first, int64_t last) { body(first, last); });
        else
            for (int64_t i = 0; i < n; i += piece) body(i, std::min(n, i + piece));
    }
};

// Memory that is taken and given back in order. A thread's comes in one piece whose size is asked for before (a null one only counts).
class Piece {
public:
    explicit Piece(std::byte* at = nullptr) : start_(at), at_(at) {}
    template <class T>
    T* take(int64_t n) {
        std::byte* const taken = at_;
        at_ += (n * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
        most_ = std::max(most_, at_ - start_);
        return reinterpret_cast<T*>(taken);
    }
    std::byte* mark() const { return at_; }
    void rewind(std::byte* to) { at_ = to; }
    bool counts() const { return !start_; }
    int64_t most() const { return most_; }

private:
    std::byte *start_, *at_;
    int64_t most_ = 0;
};

struct Rows {  // of f32, `stride` values apart
    const float* data = nullptr;
    int64_t rows = 0, columns = 0, stride = 0;
};
struct Turned {  // rows of a product's weight: [columns of what was turned][width], zeros behind its rows
    const std::byte* data = nullptr;
    DType type = DType::f32;
    int64_t rows = 0, width = 0;
};

// f32 or bf16: what products of weights of this type round to.
struct Maker {
    const Products& products;
    const Learning& learning;
    Doer doer;

    // Rows of a product are a whole number of tiles deep, and not a power of two, or they would meet in a few lines of the first-level cache.
    static int64_t depth(int64_t n) {
        const int64_t deep = (n + 31) / 32 * 32;
        return deep % 512 == 0 ? deep + 32 : deep;
    }
    Turned turn(const Rows& x, DType type, Piece& memory) const;  // x^T as weights
    Turned turn(const Weight& w, Piece& memory) const;            // W^T as weights
    Rows turn_rows(const Rows& x, Piece& memory) const;           // x^T as x, padded as depth() says
    // y[t, r] (+)= sum_i x[t, i] w[r, i]
    void multiply(const Rows& x, DType type, const void* w, int64_t rows, float* y, int64_t y_stride, bool add, Piece& memory) const;
    void multiply(const Rows& x, const Turned& w, float* y, int64_t y_stride, bool add, Piece& memory) const {
        multiply({x.data, x.rows, w.width, x.stride}, w.type, w.data, w.rows, y, y_stride, add, memory);
    }
    // dW += dy^T x
    void outer(const Rows& dy, const Turned& x, float* dw, Piece& memory) const { multiply(turn_rows(dy, memory), x, dw, x.rows, true, memory); }
};

}  // namespace klp
