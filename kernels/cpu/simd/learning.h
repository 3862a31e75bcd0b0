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
    bool one_gate = false, silu = false;
    const float* o_norm = nullptr;  // [V]
    float* do_norm = nullptr;       // + [V]
    float eps = 0;
    float excess = 0, sane = 0;
    const float* dy = nullptr;  // token t at + t * y_stride
    float* y = nullptr;
    int64_t y_stride = 0;
    float* scratch = nullptr;  // kda_floats(K, V, C, T), 64-byte aligned
};

struct AdamWRates {
    float scale, b1, b2, eps, decay;  // decay: rate times decay
    float m_rate, v_scale;            // rate / (1 - b1^n), 1 / (1 - b2^n)
};

struct Learning {
    // to[c][r] = from[r][c], `pad` zeros behind each row of it
    void (*turn)(const float* from, int64_t ld, int64_t rows, int64_t columns, float* to, int64_t ld_to, int64_t pad);
    void (*turn_to_bf16)(const float* from, int64_t ld, int64_t rows, int64_t columns, uint16_t* to, int64_t ld_to, int64_t pad);
    void (*turn_bf16)(const uint16_t* from, int64_t ld, int64_t rows, int64_t columns, uint16_t* to, int64_t ld_to, int64_t pad);
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
    void (*add_times)(const float* x, float factor, int64_t n, float* y);  // y += factor x
    void (*adamw)(float* w, const float* g, float* m, float* v, int64_t n, const AdamWRates& rates);
    double (*squares)(const float* x, int64_t n);
    int64_t (*kda_floats)(int64_t K, int64_t V, int64_t C, int64_t T);
    void (*kda)(const KdaHead&);
};
const Learning& learning_of(Isa isa);

}  // namespace klp
