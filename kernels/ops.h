// The page of maths: one struct of arguments per operation, with its formula and its shapes.
//
// An op is one fused kernel of the fast path, not one line of algebra. Letters are the paper's:
//   T tokens   D model width   H heads   K key width   V value width   E experts   N cached tokens
// "report" is the Kimi Linear technical report (arXiv 2510.26692). All activations are f32. What a product rounds depends on the weight:
//   f32, f16    x stays f32
//   bf16        x is rounded to bf16, products and sums are f32
//   of blocks   (q8_0, q4_k, iq2_xs, ...) x is rounded to int8 in groups of 32 (naive::quantised): amax = max |x|, x becomes the whole number nearest to the
//               f32 x (127 / amax), of two the even one, times the f32 scale amax / 127; nothing but zeros where amax <= 1e-30, the scale NaN or infinite where
//               an x is. Weights are whole numbers under scales of 32 or 16 of them (dtypes/unpack.h); sums of as many are exact int32. A minimum multiplies the
//               sum of the rounded x
// What is the same where, by one thread or many, alone or in a batch:
//   to the last bit
//       what is rounded and how, ties too: in every instruction set of a CPU, decode and prefill; and a CPU's answer for any number of threads
//   to the order of f32 sums
//       Linear, Ffn, Moe, Attention and the recurrent KDA: between instruction sets, and between any numbers of rows. KDA's chunkwise form too, but its sums are longer; MLA
//       where kv_b is f32 or f16
//   to a rounding of kv_b's type
//       MLA else, between one pass and step by step (3e-3 with bf16, 1e-2 with int8): the absorbed form rounds the weighted sum in front of W_UV; the expanded
//       one x, which are the cached rows. On a CPU's matrix tiles those go in as they are, W and the softmax weights as bf16
//   not
//       a GPU's tensor cores round more: prefill with blocks rounds x to bf16 instead of int8, and the weights too but for q8_0 and q4_0; the chunkwise KDA its
//       operands (chosen by itself only where f_b is bf16 or less), and MLA with a bf16 cache its queries and softmax weights, to bf16; states and sums stay f32
// naive.h spells every op again in float64 from one-line formulas; the tests hold each backend to it.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/tensor.h"

namespace klp {

// What one draw gives; the rest of it means nothing where there is no id.
struct Pick {
    int32_t id = -1;
    // Of softmax(logits), without penalty, temperature and cuts.
    float probability = 0;  // of the id
    float entropy = 0;      // nats; good to 1e-4
    int32_t rank = 0;       // ids with larger logits
};

// x[t] = table[ids[t]]
struct Embed {
    std::span<const int32_t> ids;         // [T], each in [0, table.out)
    std::span<const Pick* const> picked;  // [T] or empty: where not null, the id is this one's, which an op before this one draws; -1 (none) reads any row
    Weight table;                         // [vocabulary, D]
    Out<2> x;                             // [T, D]

    // Where device memory is the host's.
    int32_t id(size_t t) const { return !picked.empty() && picked[t] ? std::max(0, picked[t]->id) : ids[t]; }
};

// n = x * rsqrt(mean(x^2) + eps) * weight, over the last dimension.
struct Norm {
    const float* weight = nullptr;  // [D]; nullptr: no norm at all, n = x
    float eps = 0;
};

// y = W norm(x)   or, with `add`,   y += W norm(x).   W is several matrices stacked along their rows (projections of the same input).
struct Linear {
    In<2> x;                             // [T, in]
    Norm norm;                           // in front
    std::span<const Weight> w;           // [out_i, in] each; out = sum of out_i
    Out<2> y;                            // [T, out]
    bool add = false;                    // the residual behind
    int64_t x_stride = 0, y_stride = 0;  // floats from row to row, where x or y are some columns of wider rows; 0: `in`, `out`

    int64_t x_step() const { return x_stride ? x_stride : x.dim[1]; }
    int64_t y_step() const { return y_stride ? y_stride : y.dim[1]; }
};

// Kimi Delta Attention without its in- and out-projection (report, section 3 and 4). For each head and token:
//   q, k = L2Norm(SiLU(ShortConv(q^)), SiLU(ShortConv(k^)))    eps 1e-6 inside the root; q * K^-1/2
//   v    = SiLU(ShortConv(v^))
//   g    = -exp(A_log) softplus(f_b f_a + dt_bias)             or, with a lower bound L < 0:  L sigmoid(exp(A_log) (f_b f_a + dt_bias))
//   beta = sigmoid(b)
//   S   <- Diag(exp g) S;   u = beta (v - S^T k);   S <- S + k u^T;   o = S^T q
//   y    = RMSNorm(o; o_norm) * sigmoid(g_b g_a)
// Gated DeltaNet (arXiv 2412.06464, as Qwen3-Next has it) is the same with one gate a head, fewer heads of q and k than of v, and
//   y    = RMSNorm(o; o_norm) * SiLU(z)
// It is one of a family whose members differ in two switches: how S decays (not at all, by one gate a head, by one a channel), and how it is written to, with the
// delta rule or plainly, u = beta v:
//   decay \ writing      plain                                              delta rule
//   none (no_gate)       linear attention (Katharopoulos 2020)              DeltaNet (Yang 2024, arXiv 2406.06484)
//   a head (one_gate)    Mamba2 (Dao & Gu 2024), RetNet (Sun 2023)          Gated DeltaNet
//   a channel            GLA (Yang 2023, arXiv 2312.06635)                  KDA
// Gates of full rank (Ling 3.0) have one map each, which is part of the in-projection: f_b (g_b) is none then, and x holds f_b f_a (g_b g_a) itself.
enum class KdaForm { automatic, recurrent, chunkwise };

struct KdaSegment {          // consecutive rows of one sequence
    int64_t first = 0;       // first row of x
    int64_t count = 0;       // rows; 0 leaves state and tail as they are
    float* state = nullptr;  // [H, V, K], row v contiguous in K ("V-first"): row v needs only itself. In and out.
    float* tail = nullptr;   // [C - 1, conv_width()] the last raw q^|k^|v^ rows, oldest first. In and out.
    // Hands on the memory: factors of g and of beta, which the taps show as well. Null: none, and no bit is another.
    const float* gate = nullptr;  // [H, K]
    const float* beta = nullptr;  // [H]  0: nothing is written
};

struct KdaTaps {                   // written when not null; the kernels hold these values anyway
    float* log_decay = nullptr;    // [T, H, K]  g, <= 0
    float* beta = nullptr;         // [T, H]
    float* state_norm = nullptr;   // [T, H]     Frobenius norm of S after the token  (recurrent: every row; else a long segment's last row and NaN; what is
                                   //            long is up to the backend)
    float* update_norm = nullptr;  // [T, H]     |k u^T| = |k| |u|
};

struct Kda {
    int H = 0, K = 0, V = 0;
    int C = 0;                       // taps of the short convolution (4)
    int R_f = 0, R_g = 0;            // ranks of the two low-rank maps; HK (of one gate a head H) and HV where there is none
    int H_k = 0;                     // heads of q and k, which H / H_k heads of v share: H_k for H in what follows; 0: H
    bool tiled = false;              // head h has q and k of head h % H_k, else of h / (H / H_k)
    bool one_gate = false;           // a head has one g for all channels: f_b f_a and dt_bias are [H]
    bool no_gate = false;            // g = 0: x has no f_a (R_f = 0), and there are no f_b, A_log and dt_bias
    bool plain = false;              // u = beta v: what S already says to k is not taken off
    bool silu = false;               // the output's gate is SiLU(z), else sigmoid(z)
    bool ungated = false;            // the output has none: x has no g_a (R_g = 0), and there is no g_b
    In<2> x;                         // [T, 2HK + HV + R_f + R_g + H]: q^ | k^ | v^ | f_a | g_a | b
    const float* conv = nullptr;     // [2HK + HV, C] depthwise, conv[c, C-1] multiplies the current token
    const float* A_log = nullptr;    // [H]
    const float* dt_bias = nullptr;  // [HK]
    Weight f_b;                      // [HK, R_f], or none
    Weight g_b;                      // [HV, R_g], or none
    DType gates = DType::f32;        // what f was made with where there is no f_b: less than f32 and f16 lets a GPU choose chunks by itself
    float lower_bound = 0;           // 0: the unbounded softplus gate (the 48B); < 0: the bounded sigmoid gate (K3, Ling 3.0: -5)
    Norm o_norm;                     // [V], shared by the heads
    std::span<const KdaSegment> segments;
    Out<2> y;  // [T, HV]
    KdaTaps taps;
    KdaForm form = KdaForm::automatic;

    int k_heads() const { return H_k ? H_k : H; }
    int64_t k_head(int64_t h) const { return tiled ? h % k_heads() : h / (H / k_heads()); }  // that head h has q and k of
    int64_t gate_width() const { return no_gate ? 0 : one_gate ? H : 1LL * H * K; }          // of f_b f_a
    int64_t output_gates() const { return ungated ? 0 : 1LL * H * V; }                       // of g_b g_a
    int64_t conv_width() const { return 2LL * k_heads() * K + 1LL * H * V; }
    int64_t width() const { return conv_width() + R_f + R_g + H; }
};

// y[t, h] *= factor[h]: what a head has read is weighed before the out-projection; 0: it has read nothing.
struct ScaleHeads {
    const float* factor = nullptr;  // [H]
    int H = 0;
    Out<2> y;  // [T, HV]
};

// Multi-head latent attention without its in- and out-projection. Per token: q = q_n | q_r per head (N_ + R_ wide), c = RMSNorm(c^; norm), k_r shared by the
// heads. The row c | k_r is appended to the cache; then, over all cached tokens s <= t,
//   score = (q_n . W_UK c_s + q_r . k_r,s) scale,   p = softmax(score),   o = W_UV sum_s p_s c_s
// with W_UK, W_UV the halves of kv_b. Decode absorbs W_UK into q and W_UV behind the sum (the cache is read once, as key and value);
// prefill expands keys and values. NoPE (Kimi Linear): nothing is rotated, the rope columns are plain columns.
// RoPE: q_r and k_r are rotated by the token's position n, pair i of (a, b) by the angle n theta^(-2i / rope):
//   (a, b) <- (a cos - b sin, a sin + b cos)
// An output gate (Ling 3.0: a number a head) multiplies what was read: o <- o sigmoid(z), z behind k_r in x.
enum class MlaForm { automatic, absorbed, expanded };

struct MlaSegment {
    int64_t first = 0, count = 0;       // rows of x
    int64_t past = 0;                   // tokens already cached; the new rows become past .. past + count - 1, which are also their positions
    std::span<std::byte* const> pages;  // each kMlaPage rows of L + R values of cache_type; enough for past + count
};
inline constexpr int kMlaPage = 256;  // tokens a page: append-only pages are what forks share

struct MlaTaps {
    float* log_sum_exp = nullptr;  // [T, H] of the scaled scores
};

struct Mla {
    int H = 0;
    int nope = 0, rope = 0;         // widths of q_n and q_r
    int V = 0;                      // value width of a head
    int L = 0;                      // latent width (kv_lora_rank)
    int gates = 0;                  // of the output: H, a number for each head, or HV; 0: none
    In<2> x;                        // [T, H (nope + rope) + L + rope + gates or more]: q | c^ | k_r | z; columns behind them mean nothing here
    Norm norm;                      // [L], the latent's
    Weight kv_b;                    // [H (nope + V), L], head h: nope rows of W_UK, then V rows of W_UV
    float scale = 0;                // (nope + rope)^-1/2
    float rope_theta = 0;           // 0: NoPE. Else q_r and k_r are rotated by position; the cache keeps rotated keys
    bool rope_adjacent = false;     // neighbours are paired (2i, 2i + 1), else halves (i, i + rope/2)
    DType cache_type = DType::f32;  // f32 or bf16
    std::span<const MlaSegment> segments;
    Out<2> y;  // [T, HV]
    MlaTaps taps;
    MlaForm form = MlaForm::automatic;

    int64_t q_width() const { return int64_t{H} * (nope + rope); }
    int64_t cache_width() const { return int64_t{L} + rope; }
    int64_t width() const { return q_width() + cache_width() + gates; }
};

// Softmax attention over a cache of whole keys and values, without its in- and out-projection: H heads of queries share H_kv of keys and values, H / H_kv
// neighbours each (GQA, arXiv 2305.13245). Per token and head of width D:
//   q, k <- RMSNorm(q; q_norm), RMSNorm(k; k_norm)             where there are such norms
//   the first `rotary` columns are rotated by the token's position n, in halves: (i, i + rotary/2) as (a, b) above by the angle n theta^(-2i / rotary)
// The row of k | v, head by head, is appended to the cache; then, over all cached tokens s <= t,
//   score = q . k_s scale,   p = softmax(score),   o = sum_s p_s v_s;   gated (Qwen3-Next): o <- o sigmoid(z), element by element
using AttentionSegment = MlaSegment;  // pages are of rows of cache_width() values
using AttentionTaps = MlaTaps;

struct Attention {
    int H = 0, H_kv = 0;
    int D = 0;            // of a head
    int rotary = 0;       // of them, even; 0: no positions
    bool gated = false;   // z stands behind each head's q in x
    In<2> x;              // [T, width()]: q, or q | z, of each head; then k of each of H_kv heads; then v
    Norm q_norm, k_norm;  // [D], shared by the heads
    float scale = 0;      // D^-1/2
    float rope_theta = 0;
    DType cache_type = DType::f32;  // f32 or bf16
    std::span<const AttentionSegment> segments;
    Out<2> y;  // [T, HD]
    AttentionTaps taps;

    int64_t q_step() const { return gated ? 2LL * D : D; }  // from head to head
    int64_t cache_width() const { return 2LL * H_kv * D; }
    int64_t width() const { return H * q_step() + cache_width(); }
};

// SwiGLU: y += down( silu(gate n) * (up n) ),  n = norm(x). A dense feed-forward, an expert or the shared expert.
// With a limit l > 0 (late layers of Ling 3.0 flash):  y += down( min(silu(gate n), l) * clamp(up n, -l, l) ); what is no number stays none.
// With SiTU (Kimi K3), b > 0:  y += down( b tanh(gate n / b) sigmoid(gate n) * l tanh(up n / l) );  l <= 0: up n as it is.
struct SwiGlu {
    Weight gate, up;              // [F, D]
    Weight down;                  // [D, F]
    float limit = 0;              // 0: none
    float situ = 0, situ_up = 0;  // b and l of SiTU; b 0: SiLU
};
struct Ffn {
    In<2> x;  // [T, D]
    Norm norm;
    SwiGlu w;
    Out<2> y;  // [T, D], added to
};

// Mixture of experts. n = norm(x); s = sigmoid or softmax (router n), both operands f32.
//   choice = s + bias; in groups: only the `kept_groups` groups with the largest sum of their two best choices remain
//   picks  = top_k of choice (ties: lower index);   w = s[picks] (unbiased);   renormalise: w / (sum w + 1e-20);   w * scale
//   y += sum w_e expert_e(n) + shared(n)            the shared expert is not scaled, or with a gate of its own (Qwen) by sigmoid(gate . n)
// Experts of a latent (Kimi K3) take z in n's place, a map of it that is made before:  y += sum w_e expert_e(z). The router has n; a shared expert is apart then.
// Where a router's product or bias is no finite number, all w of the token are NaN: a choice among what cannot be compared would hide it.
struct Router {
    const float* weight = nullptr;  // [E, D]
    const float* bias = nullptr;    // [E] e_score_correction_bias, steers the choice only; nullptr: none
    int E = 0, top_k = 0;
    int groups = 1, kept_groups = 1;
    bool softmax = false;  // else sigmoid
    bool renormalize = true;
    float scale = 1;
    bool weights_from_biased_scores = false;  // the vendor's remote code by an aliasing slip; for comparing with its logits
};
struct MoeTaps {
    int32_t* picks = nullptr;  // [T, top_k], best first
    float* weights = nullptr;  // [T, top_k]
};
struct Moe {
    In<2> x;  // [T, D]
    Norm norm;
    Router router;
    std::span<const SwiGlu> experts;     // [E]
    SwiGlu shared;                       // gate == null: none
    const float* shared_gate = nullptr;  // [D]; null: none
    In<2> z;                             // [T, L], what the experts take; null: n
    Out<2> y;                            // [T, D], with z [T, L], added to
    MoeTaps taps;
};

// Attention residuals (Kimi K3): of n vectors that a token has, the residual streams of blocks of layers, a layer reads a mix.
//   score_i = w . v_i rsqrt(mean(v_i^2) + eps),   p = softmax(score),   y = sum_i p_i v_i
struct Mix {
    In<3> v;                   // [n, T, D], n >= 1
    const float* w = nullptr;  // [D]
    float eps = 0;
    Out<2> y;  // [T, D]
};

// One id drawn from a row of logits. The same logits, settings and random number give the same id on every device: exponentials are our own (softmax.h), and
// sums are of whole steps of 2^-35, which no order of adding changes.
//   s = logits, for the ids in recent.last(repeat_window), each once: s / penalty where s > 0, else s * penalty
//   temperature <= 0: the best s, of equals the lowest id.  Else w = e^((s - max s) / temperature)
//   kept: of all by rank (s; of equals the lower id first) the best top_k; of them the fewest whose w together reach the share top_p; of them those with
//         w >= min_p
//   id: the first whose w, added to those in front of it, exceed random * (the sum of all kept); by rank where top_k or top_p cut, else in the order of ids;
//       -1, none, where a logit is no finite number
struct Sampling {
    float temperature = 0.7f;  // 0 (or less): greedy, and the cuts mean nothing
    int top_k = 0;             // keep so many; 0 (or less): all
    float top_p = 1;           // keep the smallest set of best tokens whose probability reaches it; the best always stays
    float min_p = 0;           // drop what is less likely than this share of the best
    float repeat_penalty =
        1;  // divides positive and multiplies negative logits of ids in the last `repeat_window` tokens, each once; 1 (or not positive): none
    int repeat_window = 64;
    uint64_t seed = 0;  // of the random numbers (core/model/sampler.h)

    bool penalises() const { return repeat_penalty > 0 && repeat_penalty != 1 && repeat_window > 0; }
    bool draws() const { return temperature > 0; }
    bool ranks() const { return top_k > 0 || top_p < 1; }
};
struct Candidate {
    int32_t id = 0;
    float probability = 0;
};
struct Sample {
    In<1> logits;  // [vocabulary]
    Sampling how;
    std::span<const int32_t> recent;  // the tokens so far, oldest first; ids outside the vocabulary mean nothing
    const Pick* newest = nullptr;     // one token more, where an op before this one draws it
    double random = 0;                // of [0, 1)
    Pick* pick = nullptr;
    Candidate* top = nullptr;  // [candidates] the most probable, best first; id -1 behind the last one that can come
    int candidates = 0;        // 0: nor are entropy and rank asked for

    // What the penalty looks at, where device memory is the host's.
    std::vector<int32_t> penalised() const {
        const auto last = recent.last(std::min(recent.size(), static_cast<size_t>(how.repeat_window)));
        std::vector<int32_t> ids(last.begin(), last.end());
        if (newest) ids.push_back(newest->id);
        return ids;
    }
};

}  // namespace klp
