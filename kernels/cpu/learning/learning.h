// What the backward ops of the CPU share: memory, and products C (+)= A B of any operands, by all threads or by this one.
//
// A gradient is two products beside the forward one, y = x W^T:  dx = dy W  and  dW = dy^T x. Each operand is rounded and laid out once (gemm.inc.h), as it lies or
// turned around, and tiles of C are read and written where they lie.
#pragma once

#include <map>
#include <utility>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/simd/learning.h"
#include "kernels/gradients.h"

namespace klp {

inline constexpr int64_t kOperandRows = 16;  // of A, and columns of B: operands are made for a multiple of them

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
struct Left {  // A, [rows, deep]
    std::byte* data = nullptr;
    int64_t rows = 0, deep = 0;
    bool bf16 = false;
};
struct Right {  // B, [deep, columns]; made for `made` deep
    std::byte* data = nullptr;
    int64_t deep = 0, columns = 0, made = 0;
    bool bf16 = false;
    Right first(int64_t deep_now, int64_t columns_now) const { return {data, deep_now, columns_now, made, bf16}; }
};

// What was made of weights, for as long as they stay as they are (Gradients::hold_weights).
class Packed {
public:
    void forget() { made_.clear(), on_ = true; }
    bool on() const { return on_; }
    Right* find(const void* weight, bool turned) {
        const auto at = made_.find({weight, turned});
        return at == made_.end() ? nullptr : &at->second;
    }
    Right& add(const void* weight, bool turned, const Right& made) { return made_[{weight, turned}] = made; }

private:
    bool on_ = false;
    std::map<std::pair<const void*, bool>, Right> made_;
};

struct Maker {
    const Learning& learning;
    Doer doer;
    Packed* packed = nullptr;
    Arena* lasting = nullptr;  // where `packed` lies

    Left left(const Rows& x, bool bf16, Piece& memory) const;           // x
    Left left_turned(const Rows& x, bool bf16, Piece& memory) const;    // x^T
    Right right(const Rows& x, bool bf16, Piece& memory) const;         // x
    Right right_turned(const Rows& x, bool bf16, Piece& memory) const;  // x^T
    // Of a weight; one that stays as it is is made once, and by a pool's thread only found.
    Right right(const Weight& w, Piece& memory) const { return of(w, false, memory); }        // W
    Right right_turned(const Weight& w, Piece& memory) const { return of(w, true, memory); }  // W^T
    void pack(const Weight& w) const;                                                         // both, where weights stay
    // C (+)= A B, of A some rows
    void multiply(const Left& a, const Right& b, float* c, int64_t ldc, bool add, int64_t first = 0, int64_t rows = -1) const;

private:
    Right of(const Weight& w, bool turned, Piece& memory) const;
    Right right(const void* x, bool halves, int64_t ld, int64_t deep, int64_t columns, bool bf16, bool turned, Piece& memory) const;
};

}  // namespace klp
