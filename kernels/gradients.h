// The page of maths once more, backwards: what learning needs of the ops of ops.h, one struct of arguments each, and the steps of its optimizers.
//
// dx is the derivative of a loss by x. Everything here is written for rows of tokens that begin with an empty memory (RowsOf), as batches of training are. An op
// recomputes what it needs of the forward pass; of a model only what goes into each layer is kept. What products round is the contract on top of ops.h, for
// gradients too: with bf16 weights both factors of every product are rounded to bf16 and sums are f32, with f32 weights nothing is. Sums over tokens and rows run
// in one order whatever the number of threads, so the same batch gives the same bits.
// naive_gradients.cpp spells every op again in float64, token by token; the tests hold both to finite differences.
#pragma once

#include "kernels/ops.h"

namespace klp {

struct RowsOf {  // consecutive rows of one sequence, from its first token on
    int64_t first = 0, count = 0;
};

// Of y = W norm(x), or y += W norm(x).
struct LinearBack {
    In<2> x;  // [T, in] as it was
    Norm norm;
    std::span<const Weight> w;                           // [out_i, in] each
    In<2> dy;                                            // [T, out]
    Out<2> dx;                                           // [T, in], added to; null: not wanted
    std::span<float* const> dw;                          // [out_i, in] each, added to
    float* dnorm = nullptr;                              // [in], added to; null where there is no norm
    int64_t x_stride = 0, dy_stride = 0, dx_stride = 0;  // floats from row to row; 0: they lie one behind the other

    int64_t x_step() const { return x_stride ? x_stride : x.dim[1]; }
    int64_t dy_step() const { return dy_stride ? dy_stride : dy.dim[1]; }
    int64_t dx_step() const { return dx_stride ? dx_stride : dx.dim[1]; }
};

// Of the op Kda, all of it; its state, hands and taps mean nothing here. With u_t, S' of ops.h and dS what the future says of S_t (Yang 2024, arXiv 2412.06464,
// and 2406.06484, appendices):
//   dS += q do^T    du = dS^T k    dv = beta du    dbeta = du . (v - S'^T k)    dq = S do    dk = dS u - beta S' du
//   dS' = dS - beta k du^T    dg[c] = sum_v dS'[c, v] S'[c, v]    dS <- Diag(e^g) dS'
// and what the convolution, the norms and the gates in front and behind make of these. Plain writing: dbeta = du . v, dk = dS u, dS' = dS.
struct KdaBack {
    Kda op;  // x as it was; `y` is written: [T, HV]
    std::span<const RowsOf> rows;
    In<2> dy;                 // [T, HV]
    Out<2> dx;                // [T, width()], written
    float* dconv = nullptr;   // as the op's own, each added to
    float* dA_log = nullptr;  // null where there is no gate, this and the next
    float* ddt_bias = nullptr;
    float *df_b = nullptr, *dg_b = nullptr;  // null where there is no such map
    float* do_norm = nullptr;
    // Gates are kept sane: what g lies below -kSane nats costs `excess` for each nat, token and channel, beside the loss.
    float excess = 0;
    static constexpr float kSane = 8;
};

// Of the op Mla over its rows alone: there is no cache. p softmax weights, d = do . o:
//   dv_s = sum_t p_ts do_t    ds_ts = p_ts (do_t . v_s - d_t) scale    dq_t = sum_s ds_ts k_s    dk_s = sum_t ds_ts q_t
struct MlaBack {
    Mla op;  // x as it was; `y` is written: [T, HV]. Without gates
    std::span<const RowsOf> rows;
    In<2> dy;                // [T, HV]
    Out<2> dx;               // [T, width()], written; rows of op.x
    float* dkv_b = nullptr;  // added to
    float* dnorm = nullptr;
};

// Of y += down( silu(gate n) * (up n) ), n = norm(x).
struct SwiGluBack {
    float *gate = nullptr, *up = nullptr, *down = nullptr;  // as SwiGlu's own, added to
};
struct FfnBack {
    In<2> x;
    Norm norm;
    SwiGlu w;
    In<2> dy;   // [T, D]
    Out<2> dx;  // [T, D], added to; may be dy
    SwiGluBack dw;
    float* dnorm = nullptr;
};

// Of the op Moe: through the weights of the experts that were chosen, none through the choice.
struct MoeBack {
    In<2> x;
    Norm norm;
    Router router;
    std::span<const SwiGlu> experts;
    SwiGlu shared;
    In<2> dy;   // [T, D]
    Out<2> dx;  // [T, D], added to; may be dy
    std::span<const SwiGluBack> dexperts;
    SwiGluBack dshared;
    float* drouter = nullptr;  // [E, D]
    float* dnorm = nullptr;
    float* load = nullptr;  // [E] tokens that chose the expert, added to; null: not wanted
};

// dtable[ids[t]] += dx[t]
struct EmbedBack {
    std::span<const int32_t> ids;
    In<2> dx;                 // [T, D]
    float* dtable = nullptr;  // [vocabulary, D]
};

// Cross entropy of softmax(W norm(x)), fused with the head: only rows that count become logits.
//   loss = - sum over rows with a target of log p[target]     dlogits = (p - [target]) * weight
struct CrossEntropy {
    In<2> x;  // [T, D]
    Norm norm;
    Weight head;                       // [vocabulary, D]
    std::span<const int32_t> targets;  // [T]; negative: the row does not count
    float weight = 1;                  // of each row in the gradient: one over how many count in the step
    // Where these are null, the loss alone is wanted.
    Out<2> dx;  // [T, D], written; of rows that do not count 0
    float* dhead = nullptr;
    float* dnorm = nullptr;
    // What came out.
    double loss = 0;      // nats, summed
    int64_t counted = 0;  // rows
    int64_t right = 0;    // whose target has the largest logit
};

// Decoupled weight decay (Loshchilov & Hutter 2019), step n = 1, 2, ...:
//   m = b1 m + (1 - b1) g    v = b2 v + (1 - b2) g^2    w -= rate (m / (1 - b1^n) / (sqrt(v / (1 - b2^n)) + eps) + decay w)
struct AdamW {
    float* w = nullptr;
    const float* g = nullptr;
    float *m = nullptr, *v = nullptr;
    int64_t n = 0;
    double rate = 0, decay = 0, scale = 1;  // scale: of g, where gradients are clipped
    int64_t step = 1;
    static constexpr double kB1 = 0.9, kB2 = 0.95, kEps = 1e-9;
};
// Momentum, orthogonalised by five steps of a quintic Newton-Schulz iteration (Jordan et al. 2024), for a matrix:
//   m = 0.95 m + 0.05 g    x = 0.05 g + 0.95 m, over its norm    x <- 3.4445 x + (2.0315 A^2 - 4.775 A) x, A = x x^T    w -= rate (max(1, out/in)^1/2 x + decay w)
struct Muon {
    float* w = nullptr;
    const float* g = nullptr;
    float* m = nullptr;
    int64_t out = 0, in = 0;
    double rate = 0, decay = 0, scale = 1;
    static constexpr double kMomentum = 0.95;
};

// What a device that can learn has beside its ops (Backend::gradients).
class Gradients {
public:
    virtual ~Gradients() = default;
    virtual void linear_back(const LinearBack&) = 0;
    virtual void kda_back(const KdaBack&) = 0;
    virtual void mla_back(const MlaBack&) = 0;
    virtual void ffn_back(const FfnBack&) = 0;
    virtual void moe_back(const MoeBack&) = 0;
    virtual void embed_back(const EmbedBack&) = 0;
    virtual void cross_entropy(CrossEntropy&) = 0;
    virtual void adamw(std::span<const AdamW>) = 0;
    virtual void muon(std::span<const Muon>) = 0;
    // Sum of squares, in one order whatever the threads.
    virtual double squares(std::span<const float> x) = 0;
    virtual void add(std::span<const float> x, float* to) = 0;  // to += x
    virtual void to_bf16(std::span<const float> x, void* out) = 0;
    // Weights stay as they are until this is called again: what is made of them for products may be kept.
    virtual void hold_weights() {}
};

}  // namespace klp
