// DPLR in its general form chunk by chunk, S_t = (Diag(e^g) - a b^T) S_{t-1} + k v^T (naive.h), with the products, the sub-blocks and the layout of KDA's chunkwise()
// in kda.inc.h, which is what becomes of it where a, b and k are tied: bench/dplr.cpp puts both side by side.
#pragma once

#include "kernels/cpu/simd/kda.inc.h"

namespace klp {
namespace {

// A chunk of up to kKdaBlock tokens of one head. Rows of K or V values are padded to 16 floats, with zeros; alpha with ones.
struct DplrWork {
    int64_t keys, values, K, V;  // K and V padded
    int64_t turned;              // as KdaWork's
    float *q, *k, *a, *b;        // [T, K]: q scaled
    float *g, *alpha;            // [T, K]: log decay and e^g
    float *v, *u, *o;            // [T, V]: u becomes S_{t-1}^T b of every token
    float* rest;

    DplrWork(int64_t keys, int64_t values, float* scratch) : keys(keys), values(values), K(padded(keys)), V(padded(values)), turned(V + 16) {
        const auto take = [&scratch](int64_t n) { return scratch += n, scratch - n; };
        for (float** row : {&q, &k, &a, &b, &g, &alpha}) *row = take(kKdaBlock * K);
        for (float** row : {&v, &u, &o}) *row = take(kKdaBlock * V);
        rest = scratch;
    }
    static int64_t floats(int64_t keys, int64_t values) {
        const int64_t K = padded(keys), V = padded(values);
        return kKdaBlock * (6 * K + 3 * V) + K * (V + 16) + (2 * kKdaBlock + 2 * kSub + 2) * K + 4 * kSub * kKdaBlock;
    }
};

// With G_i the sum of g up to row i, G_0 = 0 in front of the first, and every row's reading u_i = S_{i-1}^T b_i,
//   Abk[i,j] = sum_d b_i k_j e^(G_{i-1} - G_j), Aba with a_j, i > j        Aqk[i,j] = sum_d q_i k_j e^(G_i - G_j), Aqa with a_j, i >= j
//   (I + Aba) u = (b e^G) S + Abk v      o = (q e^G) S + Aqk v - Aqa u      S <- e^(G_T) S + (k e^(G_T - G))^T v - (a e^(G_T - G))^T u
// No exponent is a difference, as in KDA's. Tied, a = k (its writing strength in v) and b = alpha k: Abk = Aba and Aqk = Aqa, v - u is one vector, and two of four
// matrices of scores, two of four products with them and one of four with the state are left over. a is kept negative: what follows only adds.
// Cost: 2 T (4 K V + T/2 (4 K + 4 V)) flops; KDA's 2 T (3 K V + T/2 (2 K + 2 V)).
void dplr_chunkwise(const DplrWork& w, int64_t tokens, float* state) {
    const int64_t K = w.K, V = w.V, lds = w.turned, T = padded(tokens);
    float* next = w.rest;
    const auto take = [&next](int64_t n) { return next += n, next - n; };
    float *S = take(K * lds), *kc = take(kKdaBlock * K), *ac = take(kKdaBlock * K), *qp = take(kSub * K), *bp = take(kSub * K);
    float *aqk = take(kSub * kKdaBlock), *aqa = take(kSub * kKdaBlock), *abk = take(kSub * kKdaBlock), *aba = take(kSub * kKdaBlock);
    float *decay = take(K), *run = take(K);

    for (int64_t d = 0; d < K; ++d)
        for (int64_t c = d < w.keys ? w.values / kLanes * kLanes : 0; c < V; c += kLanes) store(S + d * lds + c, F{});
    transpose(state, w.keys, w.values, w.keys, S, lds);
    for (int64_t t = tokens; t < T; ++t) {
        for (int64_t c = 0; c < K; c += kLanes) {
            for (float* row : {w.q, w.k, w.a, w.b, w.g}) store(row + t * K + c, F{});
            store(w.alpha + t * K + c, splat(1.f));
        }
        for (int64_t c = 0; c < V; c += kLanes) store(w.v + t * V + c, F{});
    }
    for (int64_t c = 0; c < K; c += kLanes) store(decay + c, splat(1.f));

    for (int64_t first = 0; first < T; first += kSub) {
        const float *q = w.q + first * K, *k = w.k + first * K, *a = w.a + first * K, *b = w.b + first * K, *g = w.g + first * K, *alpha = w.alpha + first * K;
        float *u = w.u + first * V, *o = w.o + first * V;

        // Rows: q times e^(g from the sub-block's start), b times that of the row before.
        for (int64_t c = 0; c < K; c += kLanes) {
            F total{}, e = splat(1.f);
            for (int i = 0; i < kSub; ++i) {
                store(bp + i * K + c, load(b + i * K + c) * e);
                total += load(g + i * K + c);
                e = exp(total);
                store(qp + i * K + c, load(q + i * K + c) * e);
            }
            store(run + c, e);
        }
        // Columns before the sub-block.
        for (int i = 0; i < kSub; ++i)
            for (int64_t j = 0; j < first; j += 4) {
                F qk[4] = {}, qa[4] = {}, bk[4] = {}, ba[4] = {};
                for (int64_t c = 0; c < K; c += kLanes) {
                    const F x = load(qp + i * K + c), y = load(bp + i * K + c);
                    for (int n = 0; n < 4; ++n) {
                        const F key = load(kc + (j + n) * K + c), other = load(ac + (j + n) * K + c);
                        qk[n] += x * key;
                        qa[n] += x * other;
                        bk[n] += y * key;
                        ba[n] += y * other;
                    }
                }
                F all[16];
                for (int n = 0; n < 4; ++n) all[n] = qk[n], all[4 + n] = qa[n], all[8 + n] = bk[n], all[12 + n] = ba[n];
                float dots[16];
                sums(all, dots);
                for (int n = 0; n < 4; ++n) {
                    const int64_t at = i * kKdaBlock + j + n;
                    aqk[at] = dots[n], aqa[at] = dots[4 + n], abk[at] = dots[8 + n], aba[at] = dots[12 + n];
                }
            }
        // The diagonal.
        float *key = kc + first * K, *other = ac + first * K;  // not yet in use
        for (int j = 0; j < kSub; ++j) {
            for (int i = 0; i <= j; ++i) {
                const int64_t at = i * kKdaBlock + first + j;
                aqk[at] = aqa[at] = abk[at] = aba[at] = 0;
            }
            for (int64_t c = 0; c < K; c += kLanes) store(key + c, load(k + j * K + c)), store(other + c, -load(a + j * K + c));
            for (int i = j; i < kSub; ++i) {
                F all[4] = {};
                for (int64_t c = 0; c < K; c += kLanes) {
                    F x = load(key + c), y = load(other + c);
                    if (i > j) {
                        const F before = load(b + i * K + c), aged = load(alpha + i * K + c);
                        all[2] += x * before;
                        all[3] += y * before;
                        x *= aged, y *= aged;
                        store(key + c, x), store(other + c, y);
                    }
                    all[0] += x * load(q + i * K + c);
                    all[1] += y * load(q + i * K + c);
                }
                float dots[16];
                sums(all, dots);
                const int64_t at = i * kKdaBlock + first + j;
                aqk[at] = dots[0], aqa[at] = dots[1], abk[at] = dots[2], aba[at] = dots[3];
            }
        }
        // What the state before the chunk says.
        for (int i = 0; i < kSub; ++i)
            for (int64_t c = 0; c < K; c += kLanes) {
                store(qp + i * K + c, load(qp + i * K + c) * load(decay + c));
                store(bp + i * K + c, load(bp + i * K + c) * load(decay + c));
            }
        for (int64_t c = 0; c < kSub * V; c += kLanes) store(o + c, F{}), store(u + c, F{});
        multiply(kSub, V, K, qp, K, 1, S, lds, o, V);
        multiply(kSub, V, K, bp, K, 1, S, lds, u, V);
        // What the chunk's own tokens wrote, forward substitution, then the answer.
        multiply(kSub, V, first + kSub, abk, kKdaBlock, 1, w.v, V, u, V);
        multiply(kSub, V, first, aba, kKdaBlock, 1, w.u, V, u, V);
        for (int i = 1; i < kSub; ++i) multiply(1, V, i, aba + i * kKdaBlock + first, 0, 1, u, V, u + i * V, V);
        multiply(kSub, V, first + kSub, aqk, kKdaBlock, 1, w.v, V, o, V);
        multiply(kSub, V, first + kSub, aqa, kKdaBlock, 1, w.u, V, o, V);

        // Columns age by this sub-block; its own join them.
        for (int64_t j = 0; j < first; ++j)
            for (int64_t c = 0; c < K; c += kLanes) {
                store(kc + j * K + c, load(kc + j * K + c) * load(run + c));
                store(ac + j * K + c, load(ac + j * K + c) * load(run + c));
            }
        for (int64_t c = 0; c < K; c += kLanes) {
            F total{};
            for (int j = kSub - 1; j >= 0; --j) {
                const F e = exp(total);
                store(kc + (first + j) * K + c, load(k + j * K + c) * e);
                store(ac + (first + j) * K + c, -load(a + j * K + c) * e);
                total += load(g + j * K + c);
            }
            store(decay + c, load(decay + c) * load(run + c));
        }
    }

    for (int64_t d = 0; d < w.keys; ++d)
        for (int64_t c = 0; c < V; c += kLanes) store(S + d * lds + c, load(S + d * lds + c) * decay[d]);
    multiply(w.keys, V, T, kc, 1, K, w.v, V, S, lds);
    multiply(w.keys, V, T, ac, 1, K, w.u, V, S, lds);
    transpose(S, lds, w.keys, w.values, state, w.keys);
}

}  // namespace
}  // namespace klp
