// The inner loops of the backward ops (gradients.h), one table for each instruction set; a call is some rows, or one head of one row of tokens, on one thread.
// This header is read by files where nothing may have external linkage (vector.inc.h), so it brings in no functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/isa.h"

namespace klp {

inline constexpr int64_t kLearnChunk = 16;  // tokens that pass over the state together

// KDA of one head over one row of tokens from an empty state: the answers, and what the derivative of them makes of everything. Pointers are at this head's
// columns. What is marked + is added to.
struct KdaHead {
    int64_t K = 0, V = 0, C = 0, T = 0;
    struct Raw {                      // q^, k^ or v^
        const float* x = nullptr;     // token t at x + t * stride
        const float* conv = nullptr;  // [K or V, C]
        float* dx = nullptr;          // token t at dx + t * stride
        float* dconv = nullptr;       // + [K or V, C]
    } q, k, v;
    int64_t stride = 0;
    const float *f = nullptr, *z = nullptr, *b = nullptr;  // token t at + t * f_stride, z_stride, stride
    float *df = nullptr, *dz = nullptr, *db = nullptr;     // likewise
    int64_t f_stride = 0, z_stride = 0;
    float A_log = 0;
    const float* dt_bias = nullptr;  // [K], of one gate [1]
    float* dA_log = nullptr;         // + [1]
    float* ddt_bias = nullptr;       // + as dt_bias
    float lower_bound = 0;
    bool one_gate = false, no_gate = false, plain = false, silu = false, ungated = false;
    const float* o_norm = nullptr;  // [V]
    float* do_norm = nullptr;       // + [V]
    float eps = 0;
    float excess = 0, sane = 0;
    const float* dy = nullptr;  // token t at + t * y_stride
    float* y = nullptr;
    int64_t y_stride = 0;
    float* scratch = nullptr;  // kda_floats(K, V, C, T), 64-byte aligned
};

// Rows [first_row, last_row) and panels of 16 columns [first_panel, last_panel) of C (+)= A B (gemm.inc.h); first_row is a multiple of 32, first_panel even.
struct Block {
    bool bf16 = false;  // both factors were rounded to it
    const void *left = nullptr, *right = nullptr;
    int64_t deep = 0, columns = 0;          // that count of A and B, of C
    int64_t left_deep = 0, right_deep = 0;  // that A and B were made for; the first `deep` of them are used
    int64_t first_row = 0, last_row = 0, first_panel = 0, last_panel = 0;
    float* c = nullptr;
    int64_t ldc = 0;
    bool add = false;
};

struct AdamWRates {
    float scale, b1, b2, eps, decay;  // decay: rate times decay
    float m_rate, v_scale;            // rate / (1 - b1^n), 1 / (1 - b2^n)
};

struct Learning {
    // Operands of products: A [rows, deep] and B [deep, columns] from rows of f32 (`halves`: of bf16) as they lie, or turned around; some rows of A (first is a
    // multiple of 16) or some panels of B.
    int64_t (*operand_bytes)(bool bf16, int64_t rows_or_columns, int64_t deep);
    void (*left)(bool bf16, const float* x, int64_t ld, int64_t first, int64_t last, int64_t deep, void* out);
    void (*left_turned)(bool bf16, const float* x, int64_t ld, int64_t first, int64_t last, int64_t deep, void* out);
    void (*right)(bool bf16, const void* x, bool halves, int64_t ld, int64_t first, int64_t last, int64_t deep, int64_t columns, void* out);
    void (*right_turned)(bool bf16, const void* x, bool halves, int64_t ld, int64_t first, int64_t last, int64_t deep, int64_t columns, void* out);
    void (*multiply)(const Block&);
    void (*to_bf16)(const float* x, int64_t n, uint16_t* out);
    // Of n = rms_norm(x) (products.h): dx += its share of dn, dweight + (null: not wanted).
    void (*rms_norm_back)(const float* x, const float* weight, float eps, int64_t n, const float* dn, float* dx, float* dweight);
    // hidden = scale silu(gate) up; dh is by it. dgate and dup may be gate and up. Returns dh . silu(gate) up.
    float (*swiglu_back)(const float* gate, const float* up, const float* dh, float scale, int64_t n, float* hidden, float* dgate, float* dup);
    // log sum e^x, and x becomes its softmax times weight, less weight at the target. `right`: whether no other x is larger.
    float (*cross_entropy)(float* x, int64_t n, int64_t target, float weight, bool* right);
    float (*log_sum_exp)(const float* x, int64_t n);
    void (*exp_minus)(const float* x, int64_t n, float minus, float scale, float* out);  // e^(scale x - minus)
    float (*dot)(const float* a, const float* b, int64_t n);
    void (*softmax_back)(const float* p, float along, float scale, int64_t n, float* d);         // d = p (d - along) scale
    void (*add_times)(const float* x, float factor, int64_t n, float* y);                        // y += factor x
    void (*momentum)(float* m, const float* g, float scale, float keep, int64_t n, float* out);  // m = keep m + (1 - keep) g, out = keep m + (1 - keep) g
    void (*adamw)(float* w, const float* g, float* m, float* v, int64_t n, const AdamWRates& rates);
    double (*squares)(const float* x, int64_t n);
    int64_t (*kda_floats)(int64_t K, int64_t V, int64_t C, int64_t T);
    void (*kda)(const KdaHead&);
};
const Learning& learning_of(Isa isa);

}  // namespace klp
