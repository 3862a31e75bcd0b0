// KDA's inner loops: short convolution, gates, the delta rule in its recurrent and its chunkwise form, and the gated norm, for a block of tokens of one head.
// A part of mixers.cpp.
#pragma once

#include "kernels/cpu/simd/mixers.h"
#include "kernels/cpu/simd/tiles.inc.h"

namespace klp {
namespace {

constexpr int kSub = 16;   // rows of a sub-block of the chunkwise form
constexpr int kAhead = 2;  // groups of rows

// log(1 + t) for 0 <= t <= 1 as 2 atanh(s), s = t / (2 + t) <= 1/3: relatively exact however small t is. The series ends where s^14 / 15 < 2^-25.
inline F log1p(F t) {
    const F s = t / (t + 2.f), w = s * s;
    F p = w * (1 / 13.f) + 1 / 11.f;
    p = p * w + 1 / 9.f;
    p = p * w + 1 / 7.f;
    p = p * w + 1 / 5.f;
    p = p * w + 1 / 3.f;
    p = p * w + 1.f;
    return 2.f * s * p;
}
inline F softplus(F z) { return max(z, F{}) + log1p(exp(-abs(z))); }

// What a block needs between its steps; rows of K or V values are padded to 16 floats, with zeros.
struct KdaWork {
    int64_t K, V;                // padded
    int64_t turned;              // from row to row of a turned state: not a power of two, or a column of it would meet in a few lines of the first-level cache
    float *q, *k, *g, *alpha;    // [T, K]: normalised q (scaled) and k; log decay and e^g
    float *v, *o;                // [T, V]: v becomes u of the delta rule
    float *beta, *qk, *k2, *s2;  // [T]: beta, q.k, |k|^2, |S|^2 after the token
    float* rest;                 // each step's own
    bool plain;                  // writing: p and the couplings of keys are 0 in what follows

    KdaWork(const KdaBlock& a) : K(padded(a.K)), V(padded(a.V)), turned(V + 16), plain(a.plain) {
        float* next = a.scratch;
        const auto take = [&next](int64_t n) { return next += n, next - n; };
        q = take(kKdaBlock * K), k = take(kKdaBlock * K), g = take(kKdaBlock * K), alpha = take(kKdaBlock * K);
        v = take(kKdaBlock * V), o = take(kKdaBlock * V);
        beta = take(kKdaBlock), qk = take(kKdaBlock), k2 = take(kKdaBlock), s2 = take(kKdaBlock);
        rest = next;
    }
    static int64_t floats(int64_t K, int64_t V, int64_t C) {
        K = padded(K), V = padded(V);
        const int64_t chunk = (kKdaBlock + 2 * kSub + 2) * K + 2 * kSub * kKdaBlock, fours = kKdaBlock * 4 * K;
        const int64_t taps = C * (K > V ? K : V), steps = K * (V + 16) + (chunk > fours ? chunk : fours);
        return kKdaBlock * (4 * K + 2 * V + 4) + (taps > steps ? taps : steps);
    }
};

// Taps of n channels, one vector each: conv [channel][C] turned around. Four, the usual number, are two rounds of taking every second value.
inline void load_taps(const float* conv, int64_t C, int64_t n, F* taps) {
    if (C == 4 && n >= kLanes) {
        const F a = load(conv), b = load(conv + kLanes), c = load(conv + 2 * kLanes), d = load(conv + 3 * kLanes);
        const F even_ab = __builtin_shufflevector(a, b, KLP_EVEN), even_cd = __builtin_shufflevector(c, d, KLP_EVEN);
        const F odd_ab = __builtin_shufflevector(a, b, KLP_ODD), odd_cd = __builtin_shufflevector(c, d, KLP_ODD);
        taps[0] = __builtin_shufflevector(even_ab, even_cd, KLP_EVEN);
        taps[1] = __builtin_shufflevector(odd_ab, odd_cd, KLP_EVEN);
        taps[2] = __builtin_shufflevector(even_ab, even_cd, KLP_ODD);
        taps[3] = __builtin_shufflevector(odd_ab, odd_cd, KLP_ODD);
        return;
    }
    for (int64_t j = 0; j < C; ++j) {
        taps[j] = F{};
        for (int64_t i = 0; i < at_most(n, kLanes); ++i) taps[j][i] = conv[i * C + j];
    }
}

// out[t] = SiLU(sum_j conv[c, j] x[t - C + 1 + j]), padded to `width` columns with zeros. turned: C vectors for each vector of channels.
void short_conv(const KdaBlock& a, const KdaBlock::Rows& rows, int64_t n, F* turned, float* out, int64_t width) {
    const float* x[2 * kKdaBlock];  // the C - 1 rows before the block, then its own
    for (int64_t i = 0; i < a.C - 1; ++i) x[i] = rows.past + i * a.past_stride;
    for (int64_t t = 0; t < a.T; ++t) x[a.C - 1 + t] = rows.x + t * a.stride;
    for (int64_t c = 0; c < n; c += kLanes) load_taps(rows.conv + c * a.C, a.C, n - c, turned + c / kLanes * a.C);
    for (int64_t t = 0; t < a.T; ++t) {
        const float* ahead = x[a.C - 1 + at_most(t + 2, a.T - 1)];  // rows lie far apart: the machine's own prefetch never sees them come
        for (int64_t c = 0; c < width; c += kLanes) {
            const F* taps = turned + c / kLanes * a.C;
            F y{};
            for (int64_t j = 0; j < a.C && c < n; ++j) y += load_upto(x[t + j] + c, n - c) * taps[j];
            __builtin_prefetch(ahead + c);
            store(out + t * width + c, silu(y));
        }
    }
}

// x / sqrt(|x|^2 + 1e-6) * scale; returns |x|^2 of the result.
float l2_normalise(float* x, int64_t n, float scale) {
    F squares{};
    for (int64_t c = 0; c < n; c += kLanes) squares += load(x + c) * load(x + c);
    const float s = sum(squares), inverse = scale / __builtin_sqrtf(s + 1e-6f);
    for (int64_t c = 0; c < n; c += kLanes) store(x + c, load(x + c) * inverse);
    return s * inverse * inverse;
}

void prepare(const KdaBlock& a, const KdaWork& w) {
    F* turned = reinterpret_cast<F*>(w.rest);
    short_conv(a, a.q, a.K, turned, w.q, w.K);
    short_conv(a, a.k, a.K, turned, w.k, w.K);
    short_conv(a, a.v, a.V, turned, w.v, w.V);
    const float A = exp(splat(a.A_log))[0], scale = 1 / __builtin_sqrtf(static_cast<float>(a.K));
    for (int64_t t = 0; t < a.T; ++t) {
        float *q = w.q + t * w.K, *k = w.k + t * w.K;
        l2_normalise(q, w.K, scale);
        w.k2[t] = l2_normalise(k, w.K, 1);
        w.beta[t] = sigmoid(splat(a.b[t * a.stride]))[0] * a.beta_factor;
        F qk{};
        for (int64_t c = 0; c < w.K; c += kLanes) {
            const int64_t n = a.K - c;
            F g{};
            if (n > 0 && !a.no_gate) {
                const float* at = a.f + t * a.f_stride;
                const F f = a.one_gate ? splat(at[0] + a.dt_bias[0]) : load_upto(at + c, n) + load_upto(a.dt_bias + c, n);
                g = a.lower_bound < 0 ? a.lower_bound * sigmoid(A * f) : -A * softplus(f);
                if (a.gate) g *= load_upto(a.gate + c, n);
            }
            if (n > 0 && a.log_decay) store_upto(a.log_decay + t * a.H * a.K + c, g, n);
            store(w.g + t * w.K + c, g);
            store(w.alpha + t * w.K + c, exp(g));
            qk += load(q + c) * load(k + c);
        }
        w.qk[t] = sum(qk);
        if (a.beta) a.beta[t * a.H] = w.beta[t];
    }
}

// The delta rule token by token, for a few tokens, on R rows of S that share each load of alpha, k and q:
//   p = (alpha S) k,   r = (alpha S) q,   u = beta (v - p),   o = r + (q.k) u,   S <- alpha S + k u
// The answer does not wait for the write. The rows are read twice, the second time from the first-level cache, and written once; meanwhile those behind are
// fetched.
template <int R, bool norms>
inline void delta_rows(const KdaWork& w, int64_t T, float* S, int64_t row) {
    const int64_t K = w.K;
    for (int64_t t = 0; t < T; ++t) {
        const float *alpha = w.alpha + t * K, *q = w.q + t * K, *k = w.k + t * K;
        F acc[2 * R] = {}, squares{};
        for (int64_t c = 0; c < K; c += kLanes) {
            const F ac = load(alpha + c), kc = load(k + c), qc = load(q + c);
            for (int i = 0; i < R; ++i) {
                const F s = load(S + i * K + c) * ac;
                acc[i] += s * kc;
                acc[R + i] += s * qc;
                __builtin_prefetch(S + (kAhead * R + i) * K + c, 1);
            }
        }
        float dots[2 * R > kLanes ? 2 * R : kLanes];
        sums(acc, dots);
        float *v = w.v + t * w.V + row, *o = w.o + t * w.V + row;
        F u[R];
        for (int i = 0; i < R; ++i) {
            const float change = w.beta[t] * (v[i] - (w.plain ? 0 : dots[i]));
            v[i] = change, u[i] = splat(change);
            o[i] = dots[R + i] + w.qk[t] * change;
        }
        for (int64_t c = 0; c < K; c += kLanes) {
            const F ac = load(alpha + c), kc = load(k + c);
            for (int i = 0; i < R; ++i) {
                const F s = load(S + i * K + c) * ac + kc * u[i];
                store(S + i * K + c, s);
                if constexpr (norms) squares += s * s;
            }
        }
        if constexpr (norms) w.s2[t] += sum(squares);
    }
}

template <bool norms>
void recurrent(const KdaBlock& a, const KdaWork& w) {
    constexpr int R = kLanes == 16 ? 4 : 2;
    const bool copy = a.K != w.K;  // rows of odd width work in a padded copy
    for (int64_t t = 0; t < a.T; ++t) w.s2[t] = 0;
    for (int64_t first = 0; first < a.V; first += R) {
        const int64_t rows = at_most(R, a.V - first);
        float* S = a.state + first * a.K;
        if (copy)
            for (int64_t i = 0; i < rows; ++i)
                for (int64_t c = 0; c < w.K; c += kLanes) store(w.rest + i * w.K + c, c < a.K ? load_upto(S + i * a.K + c, a.K - c) : F{});
        float* s = copy ? w.rest : S;
        if (rows == R)
            delta_rows<R, norms>(w, a.T, s, first);
        else
            for (int64_t i = 0; i < rows; ++i) delta_rows<1, norms>(w, a.T, s + i * w.K, first + i);
        if (copy)
            for (int64_t i = 0; i < rows; ++i)
                for (int64_t c = 0; c < a.K; c += kLanes) store_upto(S + i * a.K + c, load(s + i * w.K + c), a.K - c);
    }
}

// Tokens from the last one up to T: no decay, no write.
void pad_tokens(const KdaBlock& a, const KdaWork& w, int64_t T) {
    for (int64_t t = a.T; t < T; ++t) {
        for (int64_t c = 0; c < w.K; c += kLanes) {
            store(w.q + t * w.K + c, F{});
            store(w.k + t * w.K + c, F{});
            store(w.g + t * w.K + c, F{});
            store(w.alpha + t * w.K + c, splat(1.f));
        }
        for (int64_t c = 0; c < w.V; c += kLanes) store(w.v + t * w.V + c, F{});
        w.beta[t] = w.qk[t] = 0;
    }
}

// The state with values in the lanes, [K, V]: no sums over lanes. Worth turning it around for more than a few tokens. Padding is zero and stays zero.
void turn_state(const KdaBlock& a, const KdaWork& w, float* S) {
    for (int64_t d = 0; d < w.K; ++d)
        for (int64_t c = d < a.K ? a.V / kLanes * kLanes : 0; c < w.V; c += kLanes) store(S + d * w.turned + c, F{});
    transpose(a.state, a.K, a.V, a.K, S, w.turned);
}

// The delta rule four tokens at a time, from the same equations: with a_i the decay of the i-th,
//   p_i = S^T (a_0 .. a_i k_i),   r_i = S^T (a_0 .. a_i q_i)                          four products share one load of the state
//   u_i = beta_i (v_i - p_i - sum_(j<i) kk_ij u_j)                                     kk_ij = sum_d k_i k_j a_(j+1) .. a_i
//   o_i = r_i + sum_(j<=i) qk_ij u_j                                                   qk_ij = sum_d q_i k_j a_(j+1) .. a_i
//   S  <- a_0 .. a_3 S + sum_j (k_j a_(j+1) .. a_3) u_j^T
// 13 fused instructions for a vector of the state where four single steps take 16, and a quarter of the loads and stores. Decays are only multiplied: no
// exponent is ever positive. A token's answer depends on no later token, to the last bit.
constexpr int kStep = 4;

// What the four tokens from t on do to channel d, a cache line of it: a_0 .. a_i k_i | a_0 .. a_i q_i | k_j a_(j+1) .. a_3 | a_0 .. a_3.
struct Four {
    float lines[16];
};
struct Couplings {
    float kk[kStep][kStep], qk[kStep][kStep];
};

void join_four(const KdaWork& w, int64_t t, Four* four, Couplings& to) {
    const int64_t K = w.K;
    F dots[16] = {};
    for (int64_t d = 0; d < K; d += kLanes) {
        F v[16] = {}, a[kStep], k[kStep], q[kStep];
        for (int i = 0; i < kStep; ++i) a[i] = load(w.alpha + (t + i) * K + d), k[i] = load(w.k + (t + i) * K + d), q[i] = load(w.q + (t + i) * K + d);
        F all = a[0];
        for (int i = 0; i < kStep; ++i) {
            if (i > 0) all *= a[i];
            v[i] = w.plain ? F{} : all * k[i], v[kStep + i] = all * q[i];
        }
        v[3 * kStep] = all;
        int pair = 0;
        for (int j = 0; j < kStep; ++j) {
            F aged = k[j];
            for (int i = j + 1; i < kStep; ++i, ++pair) {
                aged *= a[i];
                dots[pair] += k[i] * aged;
                dots[8 + pair] += q[i] * aged;
            }
            v[2 * kStep + j] = aged;
        }
        for (int c = 0; c < 16; c += kLanes) {
            F tile[kLanes];
            for (int i = 0; i < kLanes; ++i) tile[i] = v[c + i];
            transpose(tile);
            for (int i = 0; i < kLanes; ++i) store(four[d + i].lines + c, tile[i]);
        }
    }
    float sum_of[16];
    sums(dots, sum_of);
    int pair = 0;
    for (int j = 0; j < kStep; ++j) {
        to.qk[j][j] = w.qk[t + j];
        for (int i = j + 1; i < kStep; ++i, ++pair) to.kk[i][j] = w.plain ? 0 : sum_of[pair], to.qk[i][j] = sum_of[8 + pair];
    }
}

template <int N>
inline void delta_four(const KdaWork& w, int64_t t, const Four* four, const Couplings& c, float* S, int64_t column) {
    const int64_t K = w.K, V = w.V, lds = w.turned;
    F p[kStep][N], r[kStep][N], u[kStep][N];
    for (int i = 0; i < kStep; ++i)
        for (int n = 0; n < N; ++n) p[i][n] = r[i][n] = F{};
    for (int64_t d = 0; d < K; ++d) {
        const float* line = four[d].lines;
        for (int i = 0; i < kStep; ++i) {
            F k = splat(line[i]), q = splat(line[kStep + i]);
            hold(k), hold(q);
            for (int n = 0; n < N; ++n) {
                p[i][n] += load(S + d * lds + n * kLanes) * k;
                r[i][n] += load(S + d * lds + n * kLanes) * q;
            }
        }
    }
    float *v = w.v + t * V + column, *o = w.o + t * V + column;
    for (int i = 0; i < kStep; ++i)
        for (int n = 0; n < N; ++n) {
            F rest = load(v + i * V + n * kLanes) - p[i][n], answer = r[i][n];
            for (int j = 0; j < i; ++j) {
                rest -= c.kk[i][j] * u[j][n];
                answer += c.qk[i][j] * u[j][n];
            }
            u[i][n] = w.beta[t + i] * rest;
            store(v + i * V + n * kLanes, u[i][n]);
            store(o + i * V + n * kLanes, answer + c.qk[i][i] * u[i][n]);
        }
    for (int64_t d = 0; d < K; ++d) {
        const float* line = four[d].lines + 2 * kStep;
        F k0 = splat(line[0]), k1 = splat(line[1]), k2 = splat(line[2]), k3 = splat(line[3]), all = splat(line[4]);
        hold(k0), hold(k1), hold(k2), hold(k3), hold(all);
        for (int n = 0; n < N; ++n) {
            F s = load(S + d * lds + n * kLanes) * all;
            s += u[0][n] * k0;
            s += u[1][n] * k1;
            s += u[2][n] * k2;
            s += u[3][n] * k3;
            store(S + d * lds + n * kLanes, s);
        }
    }
}

void fours(const KdaBlock& a, const KdaWork& w) {
    constexpr int N = kLanes == 16 ? 2 : 1;
    float* S = w.rest;
    auto* four = reinterpret_cast<Four*>(S + w.K * w.turned);
    Couplings couplings[kKdaBlock / kStep];
    turn_state(a, w, S);
    const int64_t T = padded(a.T, kStep);
    pad_tokens(a, w, T);
    for (int64_t t = 0; t < T; t += kStep) join_four(w, t, four + t / kStep * w.K, couplings[t / kStep]);
    int64_t c = 0;
    for (; c + N * kLanes <= w.V; c += N * kLanes)
        for (int64_t t = 0; t < T; t += kStep) delta_four<N>(w, t, four + t / kStep * w.K, couplings[t / kStep], S + c, c);
    for (; c < w.V; c += kLanes)
        for (int64_t t = 0; t < T; t += kStep) delta_four<1>(w, t, four + t / kStep * w.K, couplings[t / kStep], S + c, c);
    transpose(S, w.turned, a.K, a.V, a.state, a.K);
}

// The block as one chunk (report, eq. 1-9; UT form). With G_i the sum of g up to row i,
//   Akk[i,j] = beta_i sum_d k_i k_j e^(G_i - G_j), i > j     Aqk[i,j] = sum_d q_i k_j e^(G_i - G_j), i >= j
//   (I + Akk) u = beta (v - (k e^G) S)      o = (q e^G) S + Aqk u      S <- e^(G_T) S + (k e^(G_T - G))^T u
// The gate has no lower bound, so e^G e^-G overflows; here every exponent is a sum of g over some rows, never a difference, so it is never positive and never
// cancels:
//   rows of a 16-row sub-block carry e^(g from its start to the row), columns before it e^(g behind the column, to the end of the sub-block before), and the
//   16 x 16 diagonal grows pair by pair, k_j alpha_(j+1) ... alpha_i. Every row's result depends on rows before it alone, to the last bit.
// Cost: 2 T (3 K V + T/2 (2 K + 2 V)) flops. S is transposed to [K, V] so that the lanes of all large products are values: no sums over lanes.
void chunkwise(const KdaBlock& a, const KdaWork& w) {
    const int64_t K = w.K, V = w.V, lds = w.turned, T = padded(a.T);
    float* next = w.rest;
    const auto take = [&next](int64_t n) { return next += n, next - n; };
    float *S = take(K * lds), *kc = take(kKdaBlock * K), *qp = take(kSub * K), *kp = take(kSub * K);
    float *akk = take(kSub * kKdaBlock), *aqk = take(kSub * kKdaBlock), *decay = take(K), *run = take(K);

    turn_state(a, w, S);
    pad_tokens(a, w, T);
    for (int64_t c = 0; c < K; c += kLanes) store(decay + c, splat(1.f));

    for (int64_t first = 0; first < T; first += kSub) {
        const float *q = w.q + first * K, *k = w.k + first * K, *g = w.g + first * K, *alpha = w.alpha + first * K, *beta = w.beta + first;
        float *u = w.v + first * V, *o = w.o + first * V;

        // Rows: q and k times e^(g from the sub-block's start).
        for (int64_t c = 0; c < K; c += kLanes) {
            F total{};
            for (int i = 0; i < kSub; ++i) {
                total += load(g + i * K + c);
                const F e = exp(total);
                store(qp + i * K + c, load(q + i * K + c) * e);
                store(kp + i * K + c, w.plain ? F{} : load(k + i * K + c) * e);
            }
            store(run + c, exp(total));
        }
        // Columns before the sub-block. akk is kept negative: what follows only adds.
        for (int i = 0; i < kSub; ++i)
            for (int64_t j = 0; j < first; j += 8) {
                F kk[8] = {}, qk[8] = {};
                for (int64_t c = 0; c < K; c += kLanes) {
                    const F x = load(kp + i * K + c), y = load(qp + i * K + c);
                    for (int n = 0; n < 8; ++n) {
                        const F column = load(kc + (j + n) * K + c);
                        kk[n] += x * column;
                        qk[n] += y * column;
                    }
                }
                float kk_sums[16], qk_sums[16];
                sums(kk, kk_sums);
                sums(qk, qk_sums);
                for (int n = 0; n < 8; ++n) {
                    akk[i * kKdaBlock + j + n] = -beta[i] * kk_sums[n];
                    aqk[i * kKdaBlock + j + n] = qk_sums[n];
                }
            }
        // The diagonal.
        float* column = kc + first * K;  // not yet in use
        for (int j = 0; j < kSub; ++j) {
            for (int i = 0; i < j; ++i) aqk[i * kKdaBlock + first + j] = 0;
            for (int64_t c = 0; c < K; c += kLanes) store(column + c, load(k + j * K + c));
            for (int i = j; i < kSub; ++i) {
                F kk{}, qk{};
                for (int64_t c = 0; c < K; c += kLanes) {
                    F x = load(column + c);
                    if (i > j) {
                        x *= load(alpha + i * K + c);
                        store(column + c, x);
                    }
                    kk += x * load(k + i * K + c);
                    qk += x * load(q + i * K + c);
                }
                akk[i * kKdaBlock + first + j] = w.plain ? 0 : -beta[i] * sum(kk);
                aqk[i * kKdaBlock + first + j] = sum(qk);
            }
        }
        // What the state before the chunk says: u = beta (v - (k e^G) S), o = (q e^G) S.
        for (int i = 0; i < kSub; ++i)
            for (int64_t c = 0; c < K; c += kLanes) {
                store(qp + i * K + c, load(qp + i * K + c) * load(decay + c));
                store(kp + i * K + c, -load(kp + i * K + c) * load(decay + c));
            }
        for (int64_t c = 0; c < kSub * V; c += kLanes) store(o + c, F{});
        multiply(kSub, V, K, qp, K, 1, S, lds, o, V);
        multiply(kSub, V, K, kp, K, 1, S, lds, u, V);
        for (int i = 0; i < kSub; ++i)
            for (int64_t c = 0; c < V; c += kLanes) store(u + i * V + c, load(u + i * V + c) * beta[i]);
        // Forward substitution, then the answer.
        multiply(kSub, V, first, akk, kKdaBlock, 1, w.v, V, u, V);
        for (int i = 1; i < kSub; ++i) multiply(1, V, i, akk + i * kKdaBlock + first, 0, 1, u, V, u + i * V, V);
        multiply(kSub, V, first + kSub, aqk, kKdaBlock, 1, w.v, V, o, V);

        // Columns age by this sub-block; its own join them.
        for (int64_t j = 0; j < first; ++j)
            for (int64_t c = 0; c < K; c += kLanes) store(kc + j * K + c, load(kc + j * K + c) * load(run + c));
        for (int64_t c = 0; c < K; c += kLanes) {
            F total{};
            for (int j = kSub - 1; j >= 0; --j) {
                store(kc + (first + j) * K + c, load(k + j * K + c) * exp(total));
                total += load(g + j * K + c);
            }
            store(decay + c, load(decay + c) * load(run + c));
        }
    }

    for (int64_t d = 0; d < a.K; ++d)
        for (int64_t c = 0; c < V; c += kLanes) store(S + d * lds + c, load(S + d * lds + c) * decay[d]);
    multiply(a.K, V, T, kc, 1, K, w.v, V, S, lds);
    transpose(S, lds, a.K, a.V, a.state, a.K);
}

// y = RMSNorm(o) * sigmoid(z), or SiLU(z), or alone
void finish(const KdaBlock& a, const KdaWork& w) {
    for (int64_t t = 0; t < a.T; ++t) {
        const float* o = w.o + t * w.V;
        float inverse = 1;
        if (a.o_norm) {
            F squares{};
            for (int64_t c = 0; c < a.V; c += kLanes) {
                const F x = load_upto(o + c, a.V - c);
                squares += x * x;
            }
            inverse = 1 / __builtin_sqrtf(sum(squares) / static_cast<float>(a.V) + a.eps);
        }
        for (int64_t c = 0; c < a.V; c += kLanes) {
            const int64_t n = a.V - c;
            F y = load_upto(o + c, n) * inverse;
            if (!a.ungated) {
                const F z = load_upto(a.z + t * a.z_stride + c, n);
                y *= a.silu ? silu(z) : sigmoid(z);
            }
            if (a.o_norm) y *= load_upto(a.o_norm + c, n);
            store_upto(a.y + t * a.y_stride + c, y, n);
        }
    }
}

float norm_of(const float* x, int64_t n) {
    F squares{};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) squares += load(x + i) * load(x + i);
    if (i < n) squares += load_part(x + i, n - i) * load_part(x + i, n - i);
    return __builtin_sqrtf(sum(squares));
}

void kda(const KdaBlock& a) {
    const KdaWork w(a);
    prepare(a, w);
    switch (a.steps) {
        case KdaSteps::single:
            a.state_norm ? recurrent<true>(a, w) : recurrent<false>(a, w);
            break;
        case KdaSteps::fours:
            fours(a, w);
            break;
        case KdaSteps::chunk:
            chunkwise(a, w);
            break;
    }
    finish(a, w);

    for (int64_t t = 0; t < a.T; ++t) {
        if (a.update_norm) a.update_norm[t * a.H] = __builtin_sqrtf(w.k2[t]) * norm_of(w.v + t * w.V, a.V);
        if (a.state_norm) {
            const bool single = a.steps == KdaSteps::single, end = a.last && t == a.T - 1;
            a.state_norm[t * a.H] = single ? __builtin_sqrtf(w.s2[t]) : end ? norm_of(a.state, a.V * a.K) : __builtin_nanf("");
        }
    }
}

}  // namespace

}  // namespace klp
