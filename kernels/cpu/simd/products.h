// The inner loops of matrix products and their neighbours, once for each instruction set. Any op may call them from inside the pool's threads.
//
// A product has two steps. prepare() rounds x as the weight's type asks (ops.h) and lays it out; multiply() runs rows of the weight, read where they lie,
// against it; types of one form share a prepared x (form() in cpu_backend.h). Any split of tokens and rows between threads gives the same bits. Weights are
// never read past their last byte.
//     const size_t bytes = products.prepared_bytes(w.type, T, w.in);
//     products.prepare({.type = w.type, .x = x, .stride = w.in, .in = w.in, .T = T, .last = T, .prepared = memory});
//     products.multiply({.type = w.type, .w = w.data, .rows = w.out, .in = w.in, .x = memory, .T = T, .last = T, .y = y, .stride = w.out});
// This header is read by files where nothing may have external linkage (vector.inc.h), so it brings in no functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/isa.h"
#include "kernels/dtype.h"

namespace klp {

inline constexpr int64_t kTokenGroup = 16;  // threads that share tokens split them at multiples of this

struct Prepare {
    DType type;
    const float* x;  // token t of this call is at x + (index ? index[t - first] : t - first) * stride
    int64_t stride;
    const int32_t* index = nullptr;
    int64_t in;
    int64_t column = 0, columns = 0;  // x holds only these inputs, whole groups of 32; only where token_bytes() says so. 0: all
    int64_t T;                        // tokens of the whole product: they decide the layout
    int64_t first = 0, last;          // those of this call; first is a multiple of kTokenGroup
    void* prepared;                   // prepared_bytes(type, T, in), 64-byte aligned
};

// y[t, r] = sum_i w[r, i] x[t, i], or added to what is there
struct Multiply {
    DType type;
    const void* w;  // of the first row
    int64_t rows, in;
    const void* x;  // prepared
    int64_t T;
    int64_t first = 0, last;  // tokens of this call; first is a multiple of kTokenGroup
    float* y;                 // token t is at y + (index ? index[t] : t) * stride
    int64_t stride;
    const int32_t* index = nullptr;
    bool add = false;
    const void* next = nullptr;  // weights that this thread will probably multiply after these, fetched meanwhile (many tokens only)
    int64_t next_bytes = 0;
};

struct Products {
    size_t (*prepared_bytes)(DType type, int64_t T, int64_t in);
    size_t (*token_bytes)(DType type, int64_t T, int64_t in);  // of each, where tokens are prepared one by one and can be copied; else 0
    void (*prepare)(const Prepare&);
    void (*multiply)(const Multiply&);

    void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* out);  // weight null: ones
    // scale silu(gate) up; with a limit (0: none) silu(gate) from above, and up from both sides
    void (*swiglu)(const float* gate, const float* up, float scale, float limit, int64_t n, float* out);
    void (*situ)(const float* gate, const float* up, float scale, float b, float l, int64_t n, float* out);  // scale times SiTU (ops.h)
    void (*exp)(const float* x, int64_t n, float* out);                                                      // to 2 ulp
    void (*sigmoid)(const float* x, int64_t n, float* out);
    void (*softmax)(const float* x, int64_t n, float* out);  // out may be x
};
const Products& products_of(Isa isa);

}  // namespace klp
