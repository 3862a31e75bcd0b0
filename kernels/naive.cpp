// The formulas of ops.h in float64.
#include "kernels/naive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace klp::naive {

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }
double silu(double z) { return z * sigmoid(z); }
double softplus(double z) { return z > 20 ? z : std::log1p(std::exp(z)); }

double dot(std::span<const double> a, std::span<const double> b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

Quantised quantised(std::span<const float> x) {
    Quantised q;
    for (size_t g = 0; g < x.size(); g += 32) {
        float amax = 0;
        for (const float v : x.subspan(g, 32)) amax = std::isnan(v) ? v : std::max(amax, std::abs(v));
        const float factor = amax > 1e-30f ? 127 / amax : 0;
        for (const float v : x.subspan(g, 32)) q.values.push_back(static_cast<int>(std::nearbyint(v * factor)));
        q.scales.push_back(amax / 127);
    }
    return q;
}

Numbers dense(const Weight& w) {
    std::vector<float> row(w.in);
    Numbers out;
    out.reserve(w.out * w.in);
    for (int64_t r = 0; r < w.out; ++r) {
        decode(w.type, w.row(r), w.in, row.data());
        out.insert(out.end(), row.begin(), row.end());
    }
    return out;
}

Numbers matvec(const Weight& w, std::span<const double> x) {
    std::vector<float> row(w.in);
    Numbers y(w.out);
    for (int64_t r = 0; r < w.out; ++r) {
        decode(w.type, w.row(r), w.in, row.data());
        y[r] = std::inner_product(x.begin(), x.end(), row.begin(), 0.0);
    }
    return y;
}

Numbers rms_norm(std::span<const double> x, const Norm& norm) {
    Numbers n(x.begin(), x.end());
    if (!norm.weight) return n;
    const double inverse = 1 / std::sqrt(dot(x, x) / x.size() + norm.eps);
    for (size_t i = 0; i < n.size(); ++i) n[i] *= inverse * norm.weight[i];
    return n;
}

Numbers l2_norm(std::span<const double> x, double eps) {
    Numbers n(x.begin(), x.end());
    const double length = std::sqrt(dot(x, x) + eps);
    for (double& v : n) v /= length;
    return n;
}

double short_conv(std::span<const double> window, const float* taps) { return std::inner_product(window.begin(), window.end(), taps, 0.0); }

double log_decay(double f, double A_log, double dt_bias, double lower_bound) {
    const double A = std::exp(A_log);
    return lower_bound < 0 ? lower_bound * sigmoid(A * (f + dt_bias)) : -A * softplus(f + dt_bias);
}

Numbers delta_rule(std::span<double> S, std::span<const double> q, std::span<const double> k, std::span<const double> v, std::span<const double> g, double beta,
                   Numbers* u, bool plain) {
    const size_t K = k.size(), V = v.size();
    Numbers o(V), change(V);
    for (size_t j = 0; j < V; ++j) {
        const auto row = S.subspan(j * K, K);
        for (size_t i = 0; i < K; ++i) row[i] *= std::exp(g[i]);    // S <- Diag(alpha) S
        change[j] = beta * (v[j] - (plain ? 0 : dot(row, k)));      // u = beta (v - S^T k)
        for (size_t i = 0; i < K; ++i) row[i] += k[i] * change[j];  // S <- S + k u^T
        o[j] = dot(row, q);                                         // o = S^T q, after the write
    }
    if (u) *u = std::move(change);
    return o;
}

template <class T>
std::vector<T> dplr(std::span<T> S, std::span<const T> q, std::span<const T> k, std::span<const T> v, std::span<const T> g, std::span<const T> a,
                    std::span<const T> b) {
    const size_t K = k.size(), V = v.size();
    std::vector<T> o(V);
    for (size_t j = 0; j < V; ++j) {
        const auto row = S.subspan(j * K, K);
        const T read = std::inner_product(row.begin(), row.end(), b.begin(), T{});                    // S^T b
        for (size_t i = 0; i < K; ++i) row[i] = std::exp(g[i]) * row[i] - a[i] * read + k[i] * v[j];  // S <- Diag(e^g) S - a (S^T b)^T + k v^T
        o[j] = std::inner_product(row.begin(), row.end(), q.begin(), T{});                            // o = S^T q
    }
    return o;
}

template <class T>
std::vector<T> rwkv7(std::span<T> S, std::span<const T> q, std::span<const T> k, std::span<const T> v, std::span<const T> d, std::span<const T> a,
                     std::span<const T> removal) {
    const size_t K = k.size(), V = v.size();
    const T length = std::max(std::sqrt(std::inner_product(removal.begin(), removal.end(), removal.begin(), T{})), T(1e-12));
    std::vector<T> w(K), r(K), o(V);
    for (size_t i = 0; i < K; ++i) {
        w[i] = std::exp(-std::exp(T(-0.5)) / (1 + std::exp(-d[i])));
        r[i] = removal[i] / length;
    }
    for (size_t j = 0; j < V; ++j) {
        T removed = 0;
        for (size_t i = 0; i < K; ++i) removed += S[j * K + i] * r[i];
        for (size_t i = 0; i < K; ++i) {
            T& s = S[j * K + i];
            s = s * w[i] - removed * (a[i] * r[i]) + v[j] * k[i];
            o[j] += s * q[i];
        }
    }
    return o;
}

#define KLP_NAIVE_RULES(T)                                                                                                                             \
    template std::vector<T> dplr<T>(std::span<T>, std::span<const T>, std::span<const T>, std::span<const T>, std::span<const T>, std::span<const T>,  \
                                    std::span<const T>);                                                                                               \
    template std::vector<T> rwkv7<T>(std::span<T>, std::span<const T>, std::span<const T>, std::span<const T>, std::span<const T>, std::span<const T>, \
                                     std::span<const T>);
KLP_NAIVE_RULES(float)
KLP_NAIVE_RULES(double)
#undef KLP_NAIVE_RULES

void rotate(std::span<double> x, int64_t position, double theta, bool adjacent) {
    const size_t half = x.size() / 2;
    for (size_t i = 0; i < half; ++i) {
        const double angle = position * std::pow(theta, -2.0 * i / x.size()), c = std::cos(angle), s = std::sin(angle);
        double &first = x[adjacent ? 2 * i : i], &second = x[adjacent ? 2 * i + 1 : i + half];
        const double a = first, b = second;
        first = a * c - b * s;
        second = a * s + b * c;
    }
}

namespace {
// Indices of the n largest, best first; ties go to the lower index.
std::vector<int> best(const Numbers& scores, int n) {
    std::vector<int> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return scores[a] > scores[b]; });
    order.resize(n);
    return order;
}
}  // namespace

Picks route(const Router& r, std::span<const double> n) {
    Numbers s(r.E);
    for (int e = 0; e < r.E; ++e) s[e] = std::inner_product(n.begin(), n.end(), r.weight + e * n.size(), 0.0);
    bool odd = false;  // what is no finite number
    for (int e = 0; e < r.E; ++e) odd |= !std::isfinite(s[e] + (r.bias ? r.bias[e] : 0));
    if (r.softmax) {
        const double top = *std::max_element(s.begin(), s.end());
        for (double& v : s) v = std::exp(v - top);
        const double sum = std::accumulate(s.begin(), s.end(), 0.0);
        for (double& v : s) v /= sum;
    } else {
        for (double& v : s) v = sigmoid(v);
    }

    Numbers choice = s;
    if (r.bias)
        for (int e = 0; e < r.E; ++e) choice[e] += r.bias[e];
    const Numbers biased = choice;
    if (r.groups > 1) {
        const int size = r.E / r.groups;
        Numbers strength(r.groups);
        for (int g = 0; g < r.groups; ++g) {
            const Numbers members(choice.begin() + g * size, choice.begin() + (g + 1) * size);
            for (int e : best(members, std::min(2, size))) strength[g] += members[e];
        }
        const std::vector<int> kept = best(strength, r.kept_groups);
        for (int e = 0; e < r.E; ++e)
            if (std::find(kept.begin(), kept.end(), e / size) == kept.end()) choice[e] = -std::numeric_limits<double>::infinity();
    }

    Picks picks{best(choice, r.top_k), {}};
    for (int e : picks.experts) picks.weights.push_back(r.weights_from_biased_scores ? biased[e] : s[e]);
    const double sum = r.renormalize ? std::accumulate(picks.weights.begin(), picks.weights.end(), 1e-20) : 1;
    for (double& w : picks.weights) w = odd ? std::numeric_limits<double>::quiet_NaN() : w / sum * r.scale;
    return picks;
}

double glu(double gate, double up, double limit) {
    const double a = silu(gate);
    if (limit <= 0) return a * up;
    const auto no_more = [&](double x) { return x > limit ? limit : x; };  // NaN stays NaN
    return no_more(a) * -no_more(-no_more(up));
}

double situ(double gate, double up, double b, double l) { return b * std::tanh(gate / b) * sigmoid(gate) * (l > 0 ? l * std::tanh(up / l) : up); }

Numbers mix(std::span<const Numbers> v, std::span<const double> w, double eps, Numbers* p) {
    Numbers scores, y(w.size());
    for (const Numbers& one : v) scores.push_back(dot(w, one) / std::sqrt(dot(one, one) / static_cast<double>(w.size()) + eps));
    const double top = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (double& s : scores) sum += s = std::exp(s - top);
    for (double& s : scores) s /= sum;
    for (size_t i = 0; i < v.size(); ++i)
        for (size_t d = 0; d < y.size(); ++d) y[d] += scores[i] * v[i][d];
    if (p) *p = scores;
    return y;
}

Numbers swiglu(const SwiGlu& w, std::span<const double> n) {
    Numbers hidden = matvec(w.gate, n);
    const Numbers up = matvec(w.up, n);
    for (size_t i = 0; i < hidden.size(); ++i) hidden[i] = w.situ > 0 ? situ(hidden[i], up[i], w.situ, w.situ_up) : glu(hidden[i], up[i], w.limit);
    return matvec(w.down, hidden);
}

}  // namespace klp::naive
