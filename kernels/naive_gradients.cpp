// The backward ops of gradients.h in float64, token by token: what the tests hold every other form to. Slow on purpose.
#include <algorithm>
#include <cmath>

#include "kernels/gradients.h"
#include "kernels/naive.h"

namespace klp::naive {
namespace {

Numbers row_of(const float* x, int64_t n) { return Numbers(x, x + n); }
void add_to(float* to, const Numbers& more) {
    if (!to) return;
    for (size_t i = 0; i < more.size(); ++i) to[i] = static_cast<float>(to[i] + more[i]);
}
double silu_slope(double z) { return sigmoid(z) * (1 + z * (1 - sigmoid(z))); }

// n = norm(x): dx, and dweight added to.
Numbers norm_back(const Numbers& x, const Norm& norm, const Numbers& dn, Numbers& dweight) {
    if (!norm.weight) return dn;
    const double r = 1 / std::sqrt(dot(x, x) / static_cast<double>(x.size()) + norm.eps);
    double along = 0;
    for (size_t i = 0; i < x.size(); ++i) along += dn[i] * norm.weight[i] * x[i], dweight[i] += dn[i] * x[i] * r;
    Numbers dx(x.size());
    for (size_t i = 0; i < x.size(); ++i) dx[i] = r * (dn[i] * norm.weight[i] - x[i] * r * r * along / static_cast<double>(x.size()));
    return dx;
}

// y = W x: W^T dy, and dw added to.
Numbers product_back(const Weight& w, const Numbers& x, std::span<const double> dy, Numbers& dw) {
    const Numbers values = dense(w);
    const auto in = static_cast<size_t>(w.in);
    dw.resize(values.size());
    Numbers dx(in);
    for (size_t r = 0; r < dy.size(); ++r)
        for (size_t i = 0; i < in; ++i) dx[i] += values[r * in + i] * dy[r], dw[r * in + i] += dy[r] * x[i];
    return dx;
}

// Sums over tokens, put where they belong at the end.
struct Sums {
    float* to = nullptr;
    Numbers values;
    Sums(float* to, int64_t n) : to(to), values(static_cast<size_t>(n)) {}
    Sums(const Sums&) = delete;
    ~Sums() { add_to(to, values); }
};

void add(Numbers& to, const Numbers& more, double factor = 1) {
    for (size_t i = 0; i < more.size(); ++i) to[i] += factor * more[i];
}

struct GluSums {
    Sums gate, up, down;
    GluSums(const SwiGlu& w, const SwiGluBack& to)
        : gate(to.gate, w.gate.out * w.gate.in), up(to.up, w.up.out * w.up.in), down(to.down, w.down.out * w.down.in) {}
};
// y = scale down(silu(gate n) up n): dn, and dscale.
Numbers glu_back(const SwiGlu& w, const Numbers& n, double scale, const Numbers& dy, GluSums& sums, double* dscale = nullptr) {
    const Numbers gate = matvec(w.gate, n), up = matvec(w.up, n);
    Numbers hidden(gate.size()), dgate(gate.size()), dup(gate.size());
    for (size_t i = 0; i < gate.size(); ++i) hidden[i] = scale * silu(gate[i]) * up[i];
    const Numbers dh = product_back(w.down, hidden, dy, sums.down.values);
    for (size_t i = 0; i < gate.size(); ++i) {
        if (dscale) *dscale += dh[i] * silu(gate[i]) * up[i];
        dgate[i] = scale * dh[i] * up[i] * silu_slope(gate[i]), dup[i] = scale * dh[i] * silu(gate[i]);
    }
    Numbers dn = product_back(w.gate, n, dgate, sums.gate.values);
    add(dn, product_back(w.up, n, dup, sums.up.values));
    return dn;
}

// One head of KDA over one row of tokens: everything by token.
struct DeltaRow {
    std::vector<Numbers> q, k, v, g, dq, dk, dv, dg, o;
    Numbers beta, dbeta;
};
// gradients.h, KdaBack; `d_o` the derivative by each o.
void delta_back(DeltaRow& r, const std::vector<Numbers>& d_o, bool plain) {
    const size_t T = r.q.size();
    if (T == 0) return;
    const size_t K = r.q[0].size(), V = r.v[0].size();
    std::vector<Numbers> aged(T), S(T), u(T);  // S', S, u
    Numbers state(V * K);
    for (size_t t = 0; t < T; ++t) {
        aged[t] = state;
        for (size_t j = 0; j < V; ++j)
            for (size_t i = 0; i < K; ++i) aged[t][j * K + i] *= std::exp(r.g[t][i]);
        r.o[t] = delta_rule(state, r.q[t], r.k[t], r.v[t], r.g[t], r.beta[t], &u[t], plain);
        S[t] = state;
    }
    Numbers dS(V * K);
    for (size_t t = T; t-- > 0;) {
        r.dq[t].assign(K, 0), r.dk[t].assign(K, 0), r.dv[t].assign(V, 0), r.dg[t].assign(K, 0);
        Numbers du(V);
        for (size_t j = 0; j < V; ++j)
            for (size_t i = 0; i < K; ++i) {
                dS[j * K + i] += d_o[t][j] * r.q[t][i];
                r.dq[t][i] += S[t][j * K + i] * d_o[t][j];
                du[j] += dS[j * K + i] * r.k[t][i];
            }
        r.dbeta[t] = 0;
        for (size_t j = 0; j < V; ++j) {
            double read = 0;
            for (size_t i = 0; i < K && !plain; ++i) read += aged[t][j * K + i] * r.k[t][i];
            r.dv[t][j] = r.beta[t] * du[j];
            r.dbeta[t] += du[j] * (r.v[t][j] - read);
            for (size_t i = 0; i < K; ++i) {
                r.dk[t][i] += dS[j * K + i] * u[t][j] - (plain ? 0 : r.beta[t] * aged[t][j * K + i] * du[j]);
                if (!plain) dS[j * K + i] -= r.beta[t] * r.k[t][i] * du[j];
                r.dg[t][i] += dS[j * K + i] * aged[t][j * K + i];
                dS[j * K + i] *= std::exp(r.g[t][i]);
            }
        }
    }
}

Numbers l2_back(const Numbers& x, const Numbers& dn, double scale) {
    const double r = 1 / std::sqrt(dot(x, x) + 1e-6), along = dot(x, dn);
    Numbers dx(x.size());
    for (size_t i = 0; i < x.size(); ++i) dx[i] = scale * r * (dn[i] - r * r * x[i] * along);
    return dx;
}

}  // namespace

void linear_back(const LinearBack& a) {
    const int64_t in = a.x.dim[1];
    Sums dnorm(a.dnorm, in);
    std::vector<Numbers> dw(a.w.size());
    for (int64_t t = 0; t < a.x.dim[0]; ++t) {
        const Numbers x = row_of(a.x.data + t * a.x_step(), in), n = rms_norm(x, a.norm);
        const Numbers dy = row_of(a.dy.data + t * a.dy_step(), a.dy.dim[1]);
        Numbers dn(n.size());
        size_t column = 0;
        for (size_t i = 0; i < a.w.size(); ++i) {
            add(dn, product_back(a.w[i], n, std::span(dy).subspan(column, static_cast<size_t>(a.w[i].out)), dw[i]));
            column += static_cast<size_t>(a.w[i].out);
        }
        const Numbers dx = norm_back(x, a.norm, dn, dnorm.values);
        if (a.dx) add_to(a.dx.data + t * a.dx_step(), dx);
    }
    for (size_t i = 0; i < a.dw.size(); ++i) add_to(a.dw[i], dw[i]);
}

void ffn_back(const FfnBack& a) {
    Sums dnorm(a.dnorm, a.x.dim[1]);
    GluSums sums(a.w, a.dw);
    for (int64_t t = 0; t < a.x.dim[0]; ++t) {
        const Numbers x = row_of(a.x.row(t), a.x.dim[1]);
        add_to(a.dx.row(t), norm_back(x, a.norm, glu_back(a.w, rms_norm(x, a.norm), 1, row_of(a.dy.row(t), a.x.dim[1]), sums), dnorm.values));
    }
}

void moe_back(const MoeBack& a) {
    const int64_t D = a.x.dim[1];
    const Router& r = a.router;
    Sums dnorm(a.dnorm, D), drouter(a.drouter, r.E * D), load(a.load, r.E);
    std::vector<std::unique_ptr<GluSums>> sums;
    for (size_t e = 0; e < a.experts.size(); ++e) sums.push_back(std::make_unique<GluSums>(a.experts[e], a.dexperts[e]));
    GluSums shared(a.shared, a.dshared);
    for (int64_t t = 0; t < a.x.dim[0]; ++t) {
        const Numbers x = row_of(a.x.row(t), D), n = rms_norm(x, a.norm), dy = row_of(a.dy.row(t), D);
        const Picks picks = route(r, n);
        Numbers dn(n.size()), dw(picks.weights.size()), s(picks.weights.size());
        double along = 0, total = 0;
        for (size_t i = 0; i < dw.size(); ++i) {
            const int e = picks.experts[i];
            add(dn, glu_back(a.experts[static_cast<size_t>(e)], n, picks.weights[i], dy, *sums[static_cast<size_t>(e)], &dw[i]));
            load.values[static_cast<size_t>(e)] += 1;
            double logit = 0;
            for (int64_t d = 0; d < D; ++d) logit += double{r.weight[e * D + d]} * n[static_cast<size_t>(d)];
            s[i] = sigmoid(logit), total += s[i], along += dw[i] * picks.weights[i];
        }
        for (size_t i = 0; i < dw.size(); ++i) {
            const double ds = r.renormalize ? (dw[i] * r.scale - along) / (total + 1e-20) : dw[i] * r.scale, dl = ds * s[i] * (1 - s[i]);
            for (int64_t d = 0; d < D; ++d) {
                drouter.values[static_cast<size_t>(picks.experts[i] * D + d)] += dl * n[static_cast<size_t>(d)];
                dn[static_cast<size_t>(d)] += dl * r.weight[picks.experts[i] * D + d];
            }
        }
        if (a.shared.gate) add(dn, glu_back(a.shared, n, 1, dy, shared));
        add_to(a.dx.row(t), norm_back(x, a.norm, dn, dnorm.values));
    }
}

void kda_back(const KdaBack& a) {
    const Kda& op = a.op;
    const int64_t H = op.H, K = op.K, V = op.V, C = op.C, conv = op.conv_width(), gates = op.gate_width();
    Sums dconv(a.dconv, conv * C), dA(a.dA_log, H), ddt(a.ddt_bias, gates), dnorm(a.do_norm, V);
    Numbers df_b, dg_b;
    for (const RowsOf& rows : a.rows) {
        const auto T = static_cast<size_t>(rows.count);
        std::vector<Numbers> raw(T), pre(T, Numbers(static_cast<size_t>(conv))), f(T), z(T), df(T), dz(T), dpre(T, Numbers(static_cast<size_t>(conv)));
        for (size_t t = 0; t < T; ++t) {
            const float* x = op.x.row(rows.first + static_cast<int64_t>(t));
            raw[t] = row_of(x, conv);
            for (int64_t c = 0; c < conv; ++c)
                for (int64_t j = 0; j < C; ++j)
                    if (const int64_t from = static_cast<int64_t>(t) - C + 1 + j; from >= 0)
                        pre[t][static_cast<size_t>(c)] += raw[static_cast<size_t>(from)][static_cast<size_t>(c)] * op.conv[c * C + j];
            f[t] = row_of(x + conv, op.R_f), z[t] = row_of(x + conv + op.R_f, op.R_g);
            if (op.f_b) f[t] = matvec(op.f_b, f[t]);
            if (op.g_b) z[t] = matvec(op.g_b, z[t]);
            df[t].assign(f[t].size(), 0), dz[t].assign(z[t].size(), 0);
        }
        for (int64_t h = 0; h < H; ++h) {
            DeltaRow r;
            for (auto* all : {&r.q, &r.k, &r.v, &r.g, &r.dq, &r.dk, &r.dv, &r.dg, &r.o}) all->resize(T);
            r.beta.resize(T), r.dbeta.resize(T);
            std::vector<Numbers> q(T), k(T), d_o(T);  // in front of the norm
            const auto part = [&](size_t t, int64_t first, int64_t n) {
                Numbers x;
                for (int64_t i = 0; i < n; ++i) x.push_back(silu(pre[t][static_cast<size_t>(first + i)]));
                return x;
            };
            for (size_t t = 0; t < T; ++t) {
                q[t] = part(t, h * K, K), k[t] = part(t, (H + h) * K, K), r.v[t] = part(t, 2 * H * K + h * V, V);
                r.q[t] = l2_norm(q[t]), r.k[t] = l2_norm(k[t]);
                for (double& x : r.q[t]) x /= std::sqrt(static_cast<double>(K));
                r.beta[t] = sigmoid(op.x(rows.first + static_cast<int64_t>(t), conv + op.R_f + op.R_g + h));
                if (op.no_gate) r.g[t].assign(static_cast<size_t>(K), 0);
                for (int64_t i = 0; i < K && !op.no_gate; ++i) {
                    const int64_t at = op.one_gate ? h : h * K + i;
                    r.g[t].push_back(log_decay(f[t][static_cast<size_t>(at)], op.A_log[h], op.dt_bias[at], op.lower_bound));
                }
            }
            DeltaRow forward = r;  // o first, since its derivative needs the norm of it
            delta_back(forward, std::vector<Numbers>(T, Numbers(static_cast<size_t>(V))), op.plain);
            for (size_t t = 0; t < T; ++t) {
                const int64_t at = rows.first + static_cast<int64_t>(t);
                const Numbers n = rms_norm(forward.o[t], op.o_norm);
                Numbers dn(n.size());
                for (int64_t j = 0; j < V; ++j) {
                    if (op.ungated) {
                        op.y(at, h * V + j) = static_cast<float>(n[static_cast<size_t>(j)]), dn[static_cast<size_t>(j)] = a.dy(at, h * V + j);
                        continue;
                    }
                    const double value = z[t][static_cast<size_t>(h * V + j)], gate = op.silu ? silu(value) : sigmoid(value);
                    const double slope = op.silu ? silu_slope(value) : sigmoid(value) * (1 - sigmoid(value)), dy = a.dy(at, h * V + j);
                    op.y(at, h * V + j) = static_cast<float>(n[static_cast<size_t>(j)] * gate);
                    dn[static_cast<size_t>(j)] = dy * gate;
                    dz[t][static_cast<size_t>(h * V + j)] = dy * n[static_cast<size_t>(j)] * slope;
                }
                d_o[t] = norm_back(forward.o[t], op.o_norm, dn, dnorm.values);
            }
            delta_back(r, d_o, op.plain);
            for (size_t t = 0; t < T; ++t) {
                const int64_t at = rows.first + static_cast<int64_t>(t);
                const Numbers dq = l2_back(q[t], r.dq[t], 1 / std::sqrt(static_cast<double>(K))), dk = l2_back(k[t], r.dk[t], 1);
                for (int64_t i = 0; i < K; ++i) {
                    const auto c = static_cast<size_t>(h * K + i), ck = static_cast<size_t>((H + h) * K + i);
                    dpre[t][c] += dq[static_cast<size_t>(i)] * silu_slope(pre[t][c]), dpre[t][ck] += dk[static_cast<size_t>(i)] * silu_slope(pre[t][ck]);
                    if (op.no_gate) continue;
                    const int64_t gate = op.one_gate ? h : h * K + i;
                    const double x = f[t][static_cast<size_t>(gate)] + op.dt_bias[gate], A = std::exp(op.A_log[h]), g = r.g[t][static_cast<size_t>(i)];
                    const double dg = r.dg[t][static_cast<size_t>(i)] - (g < -KdaBack::kSane ? a.excess : 0), s = sigmoid(op.lower_bound < 0 ? A * x : x);
                    const double slope = op.lower_bound < 0 ? op.lower_bound * s * (1 - s) * A : -A * s;
                    df[t][static_cast<size_t>(gate)] += dg * slope;
                    ddt.values[static_cast<size_t>(gate)] += dg * slope;
                    dA.values[static_cast<size_t>(h)] += dg * (op.lower_bound < 0 ? slope * x : g);
                }
                for (int64_t j = 0; j < V; ++j) {
                    const auto c = static_cast<size_t>(2 * H * K + h * V + j);
                    dpre[t][c] += r.dv[t][static_cast<size_t>(j)] * silu_slope(pre[t][c]);
                }
                a.dx(at, conv + op.R_f + op.R_g + h) = static_cast<float>(r.dbeta[t] * r.beta[t] * (1 - r.beta[t]));
            }
        }
        for (size_t t = 0; t < T; ++t) {
            float* dx = a.dx.row(rows.first + static_cast<int64_t>(t));
            for (int64_t c = 0; c < conv; ++c) {
                double total = 0;
                for (int64_t j = 0; j < C; ++j) {
                    if (const size_t to = t + static_cast<size_t>(C - 1 - j); to < T) total += op.conv[c * C + j] * dpre[to][static_cast<size_t>(c)];
                    if (const int64_t from = static_cast<int64_t>(t) - C + 1 + j; from >= 0)
                        dconv.values[static_cast<size_t>(c * C + j)] +=
                            dpre[t][static_cast<size_t>(c)] * raw[static_cast<size_t>(from)][static_cast<size_t>(c)];
                }
                dx[c] = static_cast<float>(total);
            }
            const float* x = op.x.row(rows.first + static_cast<int64_t>(t));
            const Numbers back_f = op.f_b ? product_back(op.f_b, row_of(x + conv, op.R_f), df[t], df_b) : df[t];
            const Numbers back_z = op.g_b ? product_back(op.g_b, row_of(x + conv + op.R_f, op.R_g), dz[t], dg_b) : dz[t];
            for (size_t i = 0; i < back_f.size(); ++i) dx[conv + static_cast<int64_t>(i)] = static_cast<float>(back_f[i]);
            for (size_t i = 0; i < back_z.size(); ++i) dx[conv + op.R_f + static_cast<int64_t>(i)] = static_cast<float>(back_z[i]);
        }
    }
    if (op.f_b) add_to(a.df_b, df_b);
    if (op.g_b) add_to(a.dg_b, dg_b);
}

void mla_back(const MlaBack& a) {
    const Mla& op = a.op;
    const int64_t H = op.H, N = op.nope, R = op.rope, V = op.V, L = op.L, c_column = op.q_width();
    Sums dnorm(a.dnorm, L);
    Numbers dkv_b;
    for (const RowsOf& rows : a.rows) {
        const auto T = static_cast<size_t>(rows.count);
        std::vector<Numbers> c(T), latent(T), kv(T), k_r(T), dkv(T), dk_r(T);
        for (size_t t = 0; t < T; ++t) {
            const float* x = op.x.row(rows.first + static_cast<int64_t>(t)) + c_column;
            c[t] = row_of(x, L), latent[t] = rms_norm(c[t], op.norm), kv[t] = matvec(op.kv_b, latent[t]), k_r[t] = row_of(x + L, R);
            if (op.rope_theta != 0) rotate(k_r[t], static_cast<int64_t>(t), op.rope_theta, op.rope_adjacent);
            dkv[t].resize(kv[t].size()), dk_r[t].resize(k_r[t].size());
        }
        for (size_t t = 0; t < T; ++t)
            for (int64_t h = 0; h < H; ++h) {
                const int64_t at = rows.first + static_cast<int64_t>(t);
                const auto key = static_cast<size_t>(h * (N + V)), value = key + static_cast<size_t>(N);
                Numbers q = row_of(op.x.row(at) + h * (N + R), N + R), dq(q.size());
                const auto turned = std::span(q).subspan(static_cast<size_t>(N));
                if (op.rope_theta != 0) rotate(turned, static_cast<int64_t>(t), op.rope_theta, op.rope_adjacent);
                Numbers p(t + 1), dp(t + 1), o(static_cast<size_t>(V));
                double top = -1e300, sum = 0, d = 0;
                for (size_t n = 0; n <= t; ++n) {
                    p[n] = (dot(std::span(q).first(static_cast<size_t>(N)), std::span(kv[n]).subspan(key, static_cast<size_t>(N))) + dot(turned, k_r[n])) *
                           op.scale;
                    top = std::max(top, p[n]);
                }
                for (double& x : p) sum += x = std::exp(x - top);
                for (size_t n = 0; n <= t; ++n) {
                    p[n] /= sum;
                    for (int64_t j = 0; j < V; ++j) {
                        const double dy = a.dy(at, h * V + j), v = kv[n][value + static_cast<size_t>(j)];
                        o[static_cast<size_t>(j)] += p[n] * v, dp[n] += dy * v;
                        dkv[n][value + static_cast<size_t>(j)] += p[n] * dy;
                    }
                    d += p[n] * dp[n];
                }
                for (int64_t j = 0; j < V; ++j) op.y(at, h * V + j) = static_cast<float>(o[static_cast<size_t>(j)]);
                for (size_t n = 0; n <= t; ++n) {
                    const double ds = p[n] * (dp[n] - d) * op.scale;
                    for (size_t i = 0; i < static_cast<size_t>(N); ++i) dq[i] += ds * kv[n][key + i], dkv[n][key + i] += ds * q[i];
                    for (size_t i = 0; i < static_cast<size_t>(R); ++i) dq[static_cast<size_t>(N) + i] += ds * k_r[n][i], dk_r[n][i] += ds * turned[i];
                }
                if (op.rope_theta != 0) rotate(std::span(dq).subspan(static_cast<size_t>(N)), -static_cast<int64_t>(t), op.rope_theta, op.rope_adjacent);
                for (size_t i = 0; i < dq.size(); ++i) a.dx(at, h * (N + R) + static_cast<int64_t>(i)) = static_cast<float>(dq[i]);
            }
        for (size_t t = 0; t < T; ++t) {
            float* dx = a.dx.row(rows.first + static_cast<int64_t>(t)) + c_column;
            const Numbers dc = norm_back(c[t], op.norm, product_back(op.kv_b, latent[t], dkv[t], dkv_b), dnorm.values);
            if (op.rope_theta != 0) rotate(dk_r[t], -static_cast<int64_t>(t), op.rope_theta, op.rope_adjacent);
            for (int64_t i = 0; i < L; ++i) dx[i] = static_cast<float>(dc[static_cast<size_t>(i)]);
            for (int64_t i = 0; i < R; ++i) dx[L + i] = static_cast<float>(dk_r[t][static_cast<size_t>(i)]);
        }
    }
    add_to(a.dkv_b, dkv_b);
}

void embed_back(const EmbedBack& a) {
    for (size_t t = 0; t < a.ids.size(); ++t) add_to(a.dtable + int64_t{a.ids[t]} * a.dx.dim[1], row_of(a.dx.row(static_cast<int64_t>(t)), a.dx.dim[1]));
}

void cross_entropy(CrossEntropy& a) {
    const int64_t D = a.x.dim[1];
    Sums dnorm(a.dnorm, D);
    Numbers dhead;
    a.loss = 0, a.counted = a.right = 0;
    for (int64_t t = 0; t < a.x.dim[0]; ++t) {
        if (a.dx) std::fill_n(a.dx.row(t), D, 0.f);
        const int32_t target = a.targets[static_cast<size_t>(t)];
        if (target < 0) continue;
        const Numbers x = row_of(a.x.row(t), D), n = rms_norm(x, a.norm);
        Numbers p = matvec(a.head, n);
        const double top = *std::max_element(p.begin(), p.end()), said = p[static_cast<size_t>(target)];
        double sum = 0;
        for (double& z : p) sum += z = std::exp(z - top);
        a.loss += top + std::log(sum) - said, ++a.counted, a.right += said >= top;
        if (!a.dx) continue;
        for (double& z : p) z = z / sum * a.weight;
        p[static_cast<size_t>(target)] -= a.weight;
        add_to(a.dx.row(t), norm_back(x, a.norm, product_back(a.head, n, p, dhead), dnorm.values));
    }
    if (a.dhead) add_to(a.dhead, dhead);
}

void adamw(const AdamW& a) {
    for (int64_t i = 0; i < a.n; ++i) {
        const double g = a.scale * a.g[i], m = AdamW::kB1 * a.m[i] + (1 - AdamW::kB1) * g, v = AdamW::kB2 * a.v[i] + (1 - AdamW::kB2) * g * g;
        const double step = m / (1 - std::pow(AdamW::kB1, a.step)) / (std::sqrt(v / (1 - std::pow(AdamW::kB2, a.step))) + AdamW::kEps);
        a.m[i] = static_cast<float>(m), a.v[i] = static_cast<float>(v), a.w[i] = static_cast<float>(a.w[i] - a.rate * (step + a.decay * a.w[i]));
    }
}

void muon(const Muon& a) {
    const auto out = static_cast<size_t>(a.out), in = static_cast<size_t>(a.in);
    Numbers x(out * in);
    double squares = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const double g = a.scale * a.g[i];
        a.m[i] = static_cast<float>(Muon::kMomentum * a.m[i] + (1 - Muon::kMomentum) * g);
        x[i] = (1 - Muon::kMomentum) * g + Muon::kMomentum * a.m[i];
        squares += x[i] * x[i];
    }
    for (double& v : x) v /= std::sqrt(squares) + 1e-7;
    const auto times = [](const Numbers& p, const Numbers& q, size_t rows, size_t inner, size_t columns, bool turned) {
        Numbers y(rows * columns);
        for (size_t r = 0; r < rows; ++r)
            for (size_t c = 0; c < columns; ++c)
                for (size_t i = 0; i < inner; ++i) y[r * columns + c] += p[r * inner + i] * (turned ? q[c * inner + i] : q[i * columns + c]);
        return y;
    };
    for (int step = 0; step < 5; ++step) {
        const Numbers A = times(x, x, out, in, out, true), AA = times(A, A, out, out, out, false);
        Numbers B(A.size());
        for (size_t i = 0; i < A.size(); ++i) B[i] = 2.0315 * AA[i] - 4.775 * A[i];
        const Numbers more = times(B, x, out, out, in, false);
        for (size_t i = 0; i < x.size(); ++i) x[i] = 3.4445 * x[i] + more[i];
    }
    const double rate = a.rate * std::sqrt(std::max(1.0, static_cast<double>(a.out) / static_cast<double>(a.in)));
    for (size_t i = 0; i < x.size(); ++i) a.w[i] = static_cast<float>(a.w[i] * (1 - a.rate * a.decay) - rate * x[i]);
}

}  // namespace klp::naive
