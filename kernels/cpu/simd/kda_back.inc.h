// KDA forwards and backwards over one row of tokens of one head, in chunks of 16 tokens (report, eq. 1-9 for the forward pass; a chunk's formulas are in front of
// its function). Everything is f32. A part of learning.cpp.
//
// A chunk is as short as it can be: on a CPU the work per token that grows with its length (the couplings) would cost more than what a longer one saves.
// No exponent is ever positive: decays between two tokens are products of the e^g between them.
#pragma once

#include "kernels/cpu/simd/learning.h"
#include "kernels/cpu/simd/tiles.inc.h"

namespace klp {
namespace {

constexpr int kChunk = static_cast<int>(kLearnChunk);

inline F log1p_small(F t) {  // log(1 + t), 0 <= t <= 1 (kda.inc.h)
    const F s = t / (t + 2.f), w = s * s;
    F p = w * (1 / 13.f) + 1 / 11.f;
    p = p * w + 1 / 9.f;
    p = p * w + 1 / 7.f;
    p = p * w + 1 / 5.f;
    p = p * w + 1 / 3.f;
    p = p * w + 1.f;
    return 2.f * s * p;
}

// What lives as long as the row: values of all tokens, padded to whole chunks and 16 columns with zeros.
struct KdaRow {
    int64_t K, V, T, chunks;
    float *q, *k, *g;       // [T, K]: normalised q (scaled), normalised k, log decay; on the way back their derivatives
    float *w, *o;           // [T, V]: v, then v - S'^T k; o, then its derivative
    float* S;               // [chunks][K][V] the state before each chunk
    float *kk, *qk;         // [chunks][16][16] couplings: k_i k_j e^(G_i - G_j), j < i; q_i k_j e^(G_i - G_j), j <= i
    float *beta, *qr, *kr;  // [T]: beta; what q and k were multiplied with
    float* rest;

    KdaRow(const KdaHead& a) : K(padded(a.K)), V(padded(a.V)), T(padded(a.T)), chunks(T / kChunk) {
        float* next = a.scratch;
        const auto take = [&next](int64_t n) { return next += padded(n), next - padded(n); };
        q = take(T * K), k = take(T * K), g = take(T * K), w = take(T * V), o = take(T * V);
        S = take(chunks * K * V), kk = take(T * kChunk), qk = take(T * kChunk);
        beta = take(T), qr = take(T), kr = take(T);
        rest = next;
    }
    static int64_t floats(int64_t K, int64_t V, int64_t C, int64_t T) {
        K = padded(K), V = padded(V), T = padded(T);
        const int64_t most = K > V ? K : V, chunk = 9 * kChunk * K + 4 * kChunk * V + 2 * K * V + kChunk * V + 2 * kChunk * kChunk + 4 * K;
        const int64_t taps = 2 * C * most + (T + C) * most;
        return T * (3 * K + 2 * V + 2 * kChunk + 3) + T / kChunk * K * V + (chunk > taps ? chunk : taps) + 64;
    }
};
int64_t kda_back_floats(int64_t K, int64_t V, int64_t C, int64_t T) { return KdaRow::floats(K, V, C, T); }

// taps[c / kLanes][j]: the j-th tap of kLanes channels
inline void turn_taps(const float* conv, int64_t C, int64_t n, F* taps) {
    for (int64_t c = 0; c < n; c += kLanes)
        for (int64_t j = 0; j < C; ++j) {
            F v{};
            for (int64_t i = 0; i < at_most(n - c, kLanes); ++i) v[i] = conv[(c + i) * C + j];
            taps[c / kLanes * C + j] = v;
        }
}
inline F convolved(const KdaHead& a, const KdaHead::Raw& raw, const F* taps, int64_t t, int64_t c, int64_t n) {
    F y{};
    for (int64_t j = t < a.C - 1 ? a.C - 1 - t : 0; j < a.C; ++j) y += load_upto(raw.x + (t - a.C + 1 + j) * a.stride + c, n - c) * taps[c / kLanes * a.C + j];
    return y;
}

void convolve(const KdaHead& a, const KdaHead::Raw& raw, int64_t n, F* taps, float* out, int64_t width) {
    turn_taps(raw.conv, a.C, n, taps);
    for (int64_t t = 0; t < a.T; ++t)
        for (int64_t c = 0; c < width; c += kLanes) store(out + t * width + c, c < n ? silu(convolved(a, raw, taps, t, c, n)) : F{});
}

float normalise(float* x, int64_t n, float scale) {
    F squares{};
    for (int64_t c = 0; c < n; c += kLanes) squares += load(x + c) * load(x + c);
    const float by = scale / __builtin_sqrtf(sum(squares) + 1e-6f);
    for (int64_t c = 0; c < n; c += kLanes) store(x + c, load(x + c) * by);
    return by;
}

void prepare_row(const KdaHead& a, const KdaRow& r) {
    F* taps = reinterpret_cast<F*>(r.rest);
    convolve(a, a.q, a.K, taps, r.q, r.K);
    convolve(a, a.k, a.K, taps, r.k, r.K);
    convolve(a, a.v, a.V, taps, r.w, r.V);
    const float A = exp(splat(a.A_log))[0], scale = 1 / __builtin_sqrtf(static_cast<float>(a.K));
    for (int64_t t = 0; t < a.T; ++t) {
        r.qr[t] = normalise(r.q + t * r.K, r.K, scale);
        r.kr[t] = normalise(r.k + t * r.K, r.K, 1);
        r.beta[t] = sigmoid(splat(a.b[t * a.stride]))[0];
        const float* at = a.f + t * a.f_stride;
        for (int64_t c = 0; c < r.K; c += kLanes) {
            const int64_t n = a.K - c;
            F g{};
            if (n > 0 && !a.no_gate) {
                const F f = a.one_gate ? splat(at[0] + a.dt_bias[0]) : load_upto(at + c, n) + load_upto(a.dt_bias + c, n);
                g = a.lower_bound < 0 ? a.lower_bound * sigmoid(A * f) : -A * (max(f, F{}) + log1p_small(exp(-abs(f))));
            }
            store(r.g + t * r.K + c, g);
        }
        // padding of one gate must stay without decay: S is zero there in any case
    }
    const auto clear = [](float* x, int64_t from, int64_t to) { __builtin_memset(x + from, 0, static_cast<size_t>(to - from) * sizeof(float)); };
    clear(r.q, a.T * r.K, r.T * r.K), clear(r.k, a.T * r.K, r.T * r.K), clear(r.g, a.T * r.K, r.T * r.K);
    clear(r.w, a.T * r.V, r.T * r.V), clear(r.beta, a.T, r.T);
}

// What both directions need of a chunk: e^G from its start, e^(G_C - G) to its end, q and k times them.
struct Chunk {
    float *from, *to, *qe, *ke, *kc;  // [16, K]
    float* all;                       // [K] e^G_C
    float* next;
    Chunk(float* rest, int64_t K) {
        const int64_t n = kChunk * K;
        from = rest, to = rest + n, qe = rest + 2 * n, ke = rest + 3 * n, kc = rest + 4 * n, all = rest + 5 * n, next = rest + 5 * n + K;
    }
};
void open_chunk(const KdaRow& r, int64_t first, const Chunk& c) {
    const int64_t K = r.K;
    const float *q = r.q + first * K, *k = r.k + first * K, *g = r.g + first * K;
    for (int64_t d = 0; d < K; d += kLanes) {
        F total{};
        for (int i = 0; i < kChunk; ++i) {
            total += load(g + i * K + d);
            const F e = exp(total);
            store(c.from + i * K + d, e);
            store(c.qe + i * K + d, load(q + i * K + d) * e);
            store(c.ke + i * K + d, load(k + i * K + d) * e);
        }
        store(c.all + d, exp(total));
        total = F{};
        for (int i = kChunk - 1; i >= 0; --i) {
            const F e = exp(total);
            store(c.to + i * K + d, e);
            store(c.kc + i * K + d, load(k + i * K + d) * e);
            total += load(g + i * K + d);
        }
    }
}

// kk and qk of a chunk. Pairs grow one by one: k_j alpha_(j+1) ... alpha_i.
void couple(const KdaRow& r, int64_t first, bool plain, float* alpha, float* kk, float* qk) {
    const int64_t K = r.K;
    const float *q = r.q + first * K, *k = r.k + first * K, *g = r.g + first * K;
    for (int64_t i = 0; i < kChunk * K; i += kLanes) store(alpha + i, exp(load(g + i)));
    __builtin_memset(kk, 0, sizeof(float) * kChunk * kChunk);
    __builtin_memset(qk, 0, sizeof(float) * kChunk * kChunk);
    for (int j = 0; j < kChunk; ++j) {
        F with_k[kChunk], with_q[kChunk];
        for (int i = 0; i < kChunk; ++i) with_k[i] = with_q[i] = F{};
        for (int64_t d = 0; d < K; d += kLanes) {
            F x = load(k + j * K + d);
            with_q[j] += x * load(q + j * K + d);
            for (int i = j + 1; i < kChunk; ++i) {
                x *= load(alpha + i * K + d);
                with_k[i] += x * load(k + i * K + d);
                with_q[i] += x * load(q + i * K + d);
            }
        }
        float sums_k[kChunk], sums_q[kChunk];
        sums(with_k, sums_k);
        sums(with_q, sums_q);
        for (int i = j; i < kChunk; ++i) {
            qk[i * kChunk + j] = sums_q[i];
            if (i > j && !plain) kk[i * kChunk + j] = sums_k[i];
        }
    }
}

// Plain writing: kk = 0, and w = v.
// w = v - (k e^G) S0 - strict(kk) u,  u = beta w   row by row;   o = (q e^G) S0 + qk u;   S <- e^G_C S0 + (k e^(G_C - G))^T u
void forward_chunks(const KdaHead& a, const KdaRow& r) {
    const int64_t K = r.K, V = r.V;
    const Chunk c(r.rest, K);
    float *alpha = c.next, *u = alpha + kChunk * K, *minus = u + kChunk * V;
    __builtin_memset(r.S, 0, static_cast<size_t>(K * V) * sizeof(float));
    for (int64_t n = 0; n < r.chunks; ++n) {
        const int64_t first = n * kChunk;
        float *S = r.S + n * K * V, *kk = r.kk + first * kChunk, *qk = r.qk + first * kChunk, *w = r.w + first * V, *o = r.o + first * V;
        open_chunk(r, first, c);
        couple(r, first, a.plain, alpha, kk, qk);
        for (int64_t i = 0; i < kChunk * K; i += kLanes) store(minus + i, -load(c.ke + i));
        for (int64_t i = 0; i < kChunk * V; i += kLanes) store(o + i, F{});
        if (!a.plain) multiply(kChunk, V, K, minus, K, 1, S, V, w, V);
        multiply(kChunk, V, K, c.qe, K, 1, S, V, o, V);
        for (int i = 0; i < kChunk; ++i)
            for (int64_t d = 0; d < V; d += kLanes) {
                F x = load(w + i * V + d);
                for (int j = 0; j < i; ++j) x -= kk[i * kChunk + j] * load(u + j * V + d);
                store(w + i * V + d, x);
                store(u + i * V + d, r.beta[first + i] * x);
            }
        multiply(kChunk, V, kChunk, qk, kChunk, 1, u, V, o, V);
        if (n + 1 == r.chunks) break;
        float* next = S + K * V;
        for (int64_t d = 0; d < K; ++d)
            for (int64_t v = 0; v < V; v += kLanes) store(next + d * V + v, load(S + d * V + v) * c.all[d]);
        multiply(K, V, kChunk, c.kc, 1, K, u, V, next, V);
    }
}

// y = RMSNorm(o; o_norm) gate(z): y, dz, and o becomes its derivative.
void answer(const KdaHead& a, const KdaRow& r) {
    for (int64_t t = 0; t < r.T; ++t) {
        float* o = r.o + t * r.V;
        if (t >= a.T) {
            for (int64_t v = 0; v < r.V; v += kLanes) store(o + v, F{});
            continue;
        }
        const float *z = a.z + t * a.z_stride, *dy = a.dy + t * a.y_stride;
        F squares{}, along{};
        if (a.o_norm)
            for (int64_t v = 0; v < a.V; v += kLanes) squares += load_upto(o + v, a.V - v) * load_upto(o + v, a.V - v);
        const float by = a.o_norm ? 1 / __builtin_sqrtf(sum(squares) / static_cast<float>(a.V) + a.eps) : 1;
        for (int64_t v = 0; v < a.V; v += kLanes) {
            const int64_t n = a.V - v;
            const F x = a.ungated ? F{} : load_upto(z + v, n), s = sigmoid(x), gate = a.ungated ? splat(1.f) : a.silu ? x * s : s;
            const F slope = a.silu ? s + x * s * (1.f - s) : s * (1.f - s);
            const F weight = a.o_norm ? load_upto(a.o_norm + v, n) : splat(1.f), unit = load_upto(o + v, n) * by, d = load_upto(dy + v, n);
            store_upto(a.y + t * a.y_stride + v, unit * weight * gate, n);
            if (!a.ungated) store_upto(a.dz + t * a.z_stride + v, d * unit * weight * slope, n);
            const F dn = d * gate;
            if (a.o_norm) {
                store_upto(a.do_norm + v, load_upto(a.do_norm + v, n) + dn * unit, n);
                along += dn * weight * unit;
            }
        }
        const float share = a.o_norm ? sum(along) / static_cast<float>(a.V) : 0;
        for (int64_t v = 0; v < r.V; v += kLanes) {
            const int64_t n = a.V - v;
            F to{};
            if (n > 0) {
                const F x = a.ungated ? F{} : load_upto(z + v, n), s = sigmoid(x), gate = a.ungated ? splat(1.f) : a.silu ? x * s : s;
                const F weight = a.o_norm ? load_upto(a.o_norm + v, n) : splat(1.f), unit = load_upto(o + v, n) * by;
                to = by * (load_upto(dy + v, n) * gate * weight - unit * share);
            }
            store(o + v, to);
        }
    }
}

// With O, U, W, R for do, u, w and dR of the chunk's tokens as rows, S0 the state before it and dS the derivative by the state behind it:
//   dU = qk^T O + (k e^(G_C - G)) dS       (I + beta kk)^T R = dU       dv = beta R       dbeta = R . w
//   dqk = O U^T       dkk = -beta R U^T
//   d(q e^G) = O S0^T     d(k e^G) = -dv S0^T     d(k e^(G_C - G)) = U dS^T     de^G_C = sum_v S0 dS
//   dS0 = e^G_C dS + (q e^G)^T O - (k e^G)^T dv
// and channel by channel, where a factor stands with e^G on the left or with e^-G on the right of a product:
//   dG = q dq + k dk_left - k dk_right;  dg_i = sum of dG from i to the chunk's end
// Plain writing: k stands on no left side, so dkk, d(k e^G) and its part of dS0 are 0.
void backward_chunks(const KdaHead& a, const KdaRow& r) {
    const int64_t K = r.K, V = r.V, n = kChunk * K;
    const Chunk c(r.rest, K);
    float *alpha = c.next, *left = alpha + n, *right = left + n, *dq = right + n;
    float *u = dq + n, *dR = u + kChunk * V, *turned_u = dR + kChunk * V, *dU = turned_u + kChunk * V;
    float *turned = dU + kChunk * V, *dS = turned + K * V, *dqk = dS + K * V, *dkk = dqk + kChunk * kChunk, *end = dkk + kChunk * kChunk;
    __builtin_memset(dS, 0, static_cast<size_t>(K * V) * sizeof(float));
    for (int64_t chunk = r.chunks - 1; chunk >= 0; --chunk) {
        const int64_t first = chunk * kChunk;
        const float *S = r.S + chunk * K * V, *kk = r.kk + first * kChunk, *qk = r.qk + first * kChunk, *beta = r.beta + first;
        float *w = r.w + first * V, *dO = r.o + first * V, *q = r.q + first * K, *k = r.k + first * K, *g = r.g + first * K;
        open_chunk(r, first, c);
        for (int64_t i = 0; i < n; i += kLanes) store(alpha + i, exp(load(g + i)));
        for (int i = 0; i < kChunk; ++i)
            for (int64_t v = 0; v < V; v += kLanes) store(u + i * V + v, beta[i] * load(w + i * V + v)), store(dU + i * V + v, F{});
        multiply(kChunk, V, kChunk, qk, 1, kChunk, dO, V, dU, V);
        if (chunk + 1 < r.chunks) multiply(kChunk, V, K, c.kc, K, 1, dS, V, dU, V);
        for (int i = kChunk - 1; i >= 0; --i)
            for (int64_t v = 0; v < V; v += kLanes) {
                F x = load(dU + i * V + v);
                for (int j = i + 1; j < kChunk; ++j) x -= (beta[j] * kk[j * kChunk + i]) * load(dR + j * V + v);
                store(dR + i * V + v, x);
            }
        for (int i = 0; i < kChunk; ++i) {
            F d{};
            for (int64_t v = 0; v < V; v += kLanes) {
                const F x = load(dR + i * V + v);
                d += x * load(w + i * V + v);
                store(w + i * V + v, beta[i] * x);  // dv
            }
            if (first + i < a.T) a.db[(first + i) * a.stride] = sum(d) * beta[i] * (1 - beta[i]);
        }
        transpose(u, V, kChunk, V, turned_u, kChunk);
        for (int i = 0; i < kChunk * kChunk; i += kLanes) store(dqk + i, F{}), store(dkk + i, F{});
        multiply(kChunk, kChunk, V, dO, V, 1, turned_u, kChunk, dqk, kChunk);
        if (!a.plain) multiply(kChunk, kChunk, V, w, V, 1, turned_u, kChunk, dkk, kChunk);  // negative

        for (int64_t i = 0; i < n; i += kLanes) store(dq + i, F{}), store(left + i, F{}), store(right + i, F{});
        transpose(S, V, K, V, turned, K);
        multiply(kChunk, K, V, dO, V, 1, turned, K, dq, K);
        if (!a.plain) multiply(kChunk, K, V, w, V, 1, turned, K, left, K);  // negative
        if (chunk + 1 < r.chunks) {
            transpose(dS, V, K, V, turned, K);
            multiply(kChunk, K, V, u, V, 1, turned, K, right, K);
        }
        for (int64_t d = 0; d < K; ++d) {  // de^G_C times e^G_C; and dS ages
            F along{};
            for (int64_t v = 0; v < V; v += kLanes) {
                const F aged = load(dS + d * V + v) * c.all[d];
                along += aged * load(S + d * V + v);
                store(dS + d * V + v, aged);
            }
            end[d] = sum(along);
        }
        multiply(K, V, kChunk, c.qe, 1, K, dO, V, dS, V);
        for (int64_t i = 0; i < n; i += kLanes) store(c.ke + i, -load(c.ke + i));
        if (!a.plain) multiply(K, V, kChunk, c.ke, 1, K, w, V, dS, V);

        for (int64_t d = 0; d < K; d += kLanes) {
            F at_end = load(end + d);
            for (int i = 0; i < kChunk; ++i) {
                const F from = load(c.from + i * K + d), to = load(c.to + i * K + d);
                store(dq + i * K + d, load(dq + i * K + d) * from);
                store(left + i * K + d, -load(left + i * K + d) * from);
                const F x = load(right + i * K + d) * to;
                store(right + i * K + d, x);
                at_end += x * load(k + i * K + d);
            }
            for (int j = 0; j < kChunk; ++j) {  // pairs
                const F kj = load(k + j * K + d);
                F x = kj, decay = splat(1.f), back{};
                for (int i = j + 1; i < kChunk; ++i) {
                    const F ai = load(alpha + i * K + d);
                    x *= ai, decay *= ai;
                    const float with_q = dqk[i * kChunk + j], with_k = -dkk[i * kChunk + j];
                    store(dq + i * K + d, load(dq + i * K + d) + with_q * x);
                    store(left + i * K + d, load(left + i * K + d) + with_k * x);
                    back += (with_q * load(q + i * K + d) + with_k * load(k + i * K + d)) * decay;
                }
                store(right + j * K + d, load(right + j * K + d) + back);
            }
            F total = at_end;
            for (int i = kChunk - 1; i >= 0; --i) {
                const F qi = load(q + i * K + d), ki = load(k + i * K + d), l = load(left + i * K + d), rr = load(right + i * K + d), x = load(dq + i * K + d);
                total += qi * x + ki * (l - rr);
                store(g + i * K + d, total);
                const float self = dqk[i * kChunk + i];  // no decay lies between a token and itself: added here, it cannot drown what g is due
                store(dq + i * K + d, x + self * ki);
                store(left + i * K + d, l + rr + self * qi);
            }
        }
        // q and k are still wanted, for their norms: their derivatives meet them here
        for (int i = 0; i < kChunk; ++i) {
            const int64_t t = first + i;
            const float scale = 1 / __builtin_sqrtf(static_cast<float>(a.K)), rq = t < a.T ? r.qr[t] : 0, rk = t < a.T ? r.kr[t] : 0;
            F along_q{}, along_k{};
            for (int64_t d = 0; d < K; d += kLanes)
                along_q += load(q + i * K + d) * load(dq + i * K + d), along_k += load(k + i * K + d) * load(left + i * K + d);
            const float share_q = sum(along_q) / (scale * scale), share_k = sum(along_k);
            for (int64_t d = 0; d < K; d += kLanes) {
                store(q + i * K + d, rq * (load(dq + i * K + d) - load(q + i * K + d) * share_q));
                store(k + i * K + d, rk * (load(left + i * K + d) - load(k + i * K + d) * share_k));
            }
        }
    }
}

// From dg in r.g: df, dA_log, ddt_bias.
void gates_back(const KdaHead& a, const KdaRow& r) {
    const float A = exp(splat(a.A_log))[0];
    F dA{}, dt{};
    for (int64_t t = 0; t < a.T; ++t) {
        const float* at = a.f + t * a.f_stride;
        F one{};
        for (int64_t c = 0; c < a.K; c += kLanes) {
            const int64_t n = a.K - c;
            const F f = a.one_gate ? splat(at[0] + a.dt_bias[0]) : load_upto(at + c, n) + load_upto(a.dt_bias + c, n);
            F g, slope, by_A;  // of g by f, and by A_log
            if (a.lower_bound < 0) {
                const F s = sigmoid(A * f);
                g = a.lower_bound * s, slope = g * (1.f - s) * A, by_A = slope * f;
            } else {
                g = -A * (max(f, F{}) + log1p_small(exp(-abs(f)))), slope = -A * sigmoid(f), by_A = g;
            }
            F d = load(r.g + t * r.K + c);
            if (a.excess > 0) {
                const F more = d - a.excess;
                d = g < splat(-a.sane) ? more : d;
            }
            if (n < kLanes)
                for (int64_t i = n; i < kLanes; ++i) d[i] = 0;
            dA += d * by_A;
            const F df = d * slope;
            if (a.one_gate) {
                one += df;
            } else {
                store_upto(a.df + t * a.f_stride + c, df, n);
                store_upto(a.ddt_bias + c, load_upto(a.ddt_bias + c, n) + df, n);
            }
        }
        if (a.one_gate) a.df[t * a.f_stride] = sum(one), dt += one;
    }
    if (a.one_gate) a.ddt_bias[0] += sum(dt);
    a.dA_log[0] += sum(dA);
}

// From the derivative of SiLU(conv x) in d [T, width]: dx and dconv; N vectors of channels, whose sums stay in registers.
template <int N>
void convolve_back_some(const KdaHead& a, const KdaHead::Raw& raw, int64_t n, float* d, int64_t width, const F* taps, int64_t c) {
    constexpr int kTaps = 4;  // the usual number; else by memory
    F sums[N * kTaps] = {};
    for (int64_t t = 0; t < a.T; ++t) {
        F x[N * kTaps];
        for (int v = 0; v < N; ++v)
            for (int j = 0; j < kTaps; ++j) {
                const int64_t from = t - kTaps + 1 + j;
                x[v * kTaps + j] = from < 0 ? F{} : load_upto(raw.x + from * a.stride + c + v * kLanes, n - c - v * kLanes);
            }
        for (int v = 0; v < N; ++v) {
            const F* own = taps + (c / kLanes + v) * kTaps;
            F y{};
            for (int j = 0; j < kTaps; ++j) y += x[v * kTaps + j] * own[j];
            const F s = sigmoid(y), by = load(d + t * width + c + v * kLanes) * (s + y * s * (1.f - s));
            store(d + t * width + c + v * kLanes, by);
            for (int j = 0; j < kTaps; ++j) sums[v * kTaps + j] += by * x[v * kTaps + j];
        }
    }
    for (int64_t t = 0; t < a.T; ++t)
        for (int v = 0; v < N; ++v) {
            const F* own = taps + (c / kLanes + v) * kTaps;
            F x{};
            for (int64_t m = 0; m < kTaps && t + m < a.T; ++m) x += own[kTaps - 1 - m] * load(d + (t + m) * width + c + v * kLanes);
            store_upto(raw.dx + t * a.stride + c + v * kLanes, x, n - c - v * kLanes);
        }
    for (int v = 0; v < N; ++v)
        for (int j = 0; j < kTaps; ++j)
            for (int64_t i = 0; i < at_most(n - c - v * kLanes, kLanes); ++i) raw.dconv[(c + v * kLanes + i) * kTaps + j] += sums[v * kTaps + j][i];
}
void convolve_back(const KdaHead& a, const KdaHead::Raw& raw, int64_t n, const KdaRow& r, float* d, int64_t width) {
    F* taps = reinterpret_cast<F*>(r.rest);
    turn_taps(raw.conv, a.C, n, taps);
    if (a.C == 4) {
        int64_t c = 0;
        for (; c + 3 * kLanes < n; c += 4 * kLanes) convolve_back_some<4>(a, raw, n, d, width, taps, c);
        for (; c < n; c += kLanes) convolve_back_some<1>(a, raw, n, d, width, taps, c);
        return;
    }
    F* const sums = taps + (n + kLanes - 1) / kLanes * a.C;
    for (int64_t c = 0; c < n; c += kLanes) {
        for (int64_t j = 0; j < a.C; ++j) sums[j] = F{};
        for (int64_t t = 0; t < a.T; ++t) {
            const F y = convolved(a, raw, taps, t, c, n), s = sigmoid(y), by = load(d + t * width + c) * (s + y * s * (1.f - s));
            store(d + t * width + c, by);
            for (int64_t j = t < a.C - 1 ? a.C - 1 - t : 0; j < a.C; ++j) sums[j] += by * load_upto(raw.x + (t - a.C + 1 + j) * a.stride + c, n - c);
        }
        for (int64_t t = 0; t < a.T; ++t) {
            F x{};
            for (int64_t m = 0; m < a.C && t + m < a.T; ++m) x += taps[c / kLanes * a.C + a.C - 1 - m] * load(d + (t + m) * width + c);
            store_upto(raw.dx + t * a.stride + c, x, n - c);
        }
        for (int64_t j = 0; j < a.C; ++j)
            for (int64_t i = 0; i < at_most(n - c, kLanes); ++i) raw.dconv[(c + i) * a.C + j] += sums[j][i];
    }
}

void kda_back(const KdaHead& a) {
    const KdaRow r(a);
    prepare_row(a, r);
    forward_chunks(a, r);
    answer(a, r);
    backward_chunks(a, r);
    if (!a.no_gate) gates_back(a, r);
    convolve_back(a, a.q, a.K, r, r.q, r.K);
    convolve_back(a, a.k, a.K, r, r.k, r.K);
    convolve_back(a, a.v, a.V, r, r.w, r.V);
}

}  // namespace
}  // namespace klp
