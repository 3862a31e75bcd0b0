// The inner loops of learning for the instruction set KLP_ISA. Everything but the table at the end is local: see vector.inc.h.
#include "kernels/cpu/simd/learning.h"

#include "kernels/cpu/simd/gemm.inc.h"
#include "kernels/cpu/simd/kda_back.inc.h"

namespace klp {
namespace {

inline uint16_t one_bf16(float x) { return static_cast<uint16_t>(static_cast<uint32_t>(as_int(round_bf16(splat(x)))[0]) >> 16); }

void to_bf16(const float* x, int64_t n, uint16_t* out) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store_bf16(out + i, load(x + i));
    for (; i < n; ++i) out[i] = one_bf16(x[i]);
}

float dot(const float* a, const float* b, int64_t n) {
    F total{};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) total += load(a + i) * load(b + i);
    if (i < n) total += load_part(a + i, n - i) * load_part(b + i, n - i);
    return sum(total);
}

void add_times(const float* x, float factor, int64_t n, float* y) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(y + i, load(y + i) + factor * load(x + i));
    for (; i < n; ++i) y[i] += factor * x[i];
}

void softmax_back(const float* p, float along, float scale, int64_t n, float* d) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(d + i, load(p + i) * (load(d + i) - along) * scale);
    for (; i < n; ++i) d[i] = p[i] * (d[i] - along) * scale;
}

// n_i = x_i r w_i, r = (mean x^2 + eps)^-1/2:  dx = r (dn w - x r^2 mean(dn w x)),  dw_i = dn_i x_i r
void rms_norm_back(const float* x, const float* weight, float eps, int64_t n, const float* dn, float* dx, float* dweight) {
    F squares{}, along{};
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t m = n - i;
        const F v = load_upto(x + i, m);
        F d = load_upto(dn + i, m) * v;
        if (weight) d *= load_upto(weight + i, m);
        squares += v * v;
        along += d;
    }
    const float r = 1.f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + eps), share = r * r * sum(along) / static_cast<float>(n);
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t m = n - i;
        const F v = load_upto(x + i, m), d = load_upto(dn + i, m);
        const F to = weight ? d * load_upto(weight + i, m) : d;
        store_upto(dx + i, load_upto(dx + i, m) + r * (to - v * share), m);
        if (dweight) store_upto(dweight + i, load_upto(dweight + i, m) + d * v * r, m);
    }
}

float swiglu_back(const float* gate, const float* up, const float* dh, float scale, int64_t n, float* hidden, float* dgate, float* dup) {
    F along{};
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t m = n - i;
        const F g = load_upto(gate + i, m), u = load_upto(up + i, m), d = load_upto(dh + i, m), s = sigmoid(g), a = g * s;
        along += d * a * u;
        store_upto(hidden + i, scale * a * u, m);
        store_upto(dgate + i, scale * d * u * (s + a * (1.f - s)), m);
        store_upto(dup + i, scale * d * a, m);
    }
    return sum(along);
}

float highest_of(const float* x, int64_t n) {
    F top = splat(-__builtin_inff());
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) top = max(load(x + i), top);
    float most = highest(top);
    for (; i < n; ++i) most = x[i] > most ? x[i] : most;
    return most;
}

float log_sum_exp(const float* x, int64_t n) {
    const float top = highest_of(x, n);
    F total{};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) total += exp(load(x + i) - top);
    float all = sum(total);
    for (; i < n; ++i) all += exp(splat(x[i] - top))[0];
    // log by halves: one Newton step on the exponential is enough in f32
    const float guess = __builtin_logf(all);
    return top + guess;
}

void exp_minus(const float* x, int64_t n, float minus, float scale, float* out) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(out + i, exp(scale * load(x + i) - minus));
    if (i < n) store_part(out + i, exp(scale * load_part(x + i, n - i) - minus), n - i);
}

float cross_entropy(float* x, int64_t n, int64_t target, float weight, bool* right) {
    const float top = highest_of(x, n), said = x[target];
    *right = said >= top;
    F total{};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const F e = exp(load(x + i) - top);
        total += e;
        store(x + i, e);
    }
    float all = sum(total);
    for (; i < n; ++i) x[i] = exp(splat(x[i] - top))[0], all += x[i];
    const float factor = weight / all;
    for (i = 0; i + kLanes <= n; i += kLanes) store(x + i, load(x + i) * factor);
    for (; i < n; ++i) x[i] *= factor;
    x[target] -= weight;
    return top + __builtin_logf(all) - said;
}

void momentum(float* m, const float* g, float scale, float keep, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t left = n - i;
        const F d = scale * (1 - keep) * load_upto(g + i, left), now = keep * load_upto(m + i, left) + d;
        store_upto(m + i, now, left);
        store_upto(out + i, keep * now + d, left);
    }
}

void adamw(float* w, const float* g, float* m, float* v, int64_t n, const AdamWRates& r) {
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t left = n - i;
        const F d = r.scale * load_upto(g + i, left);
        const F first = load_upto(m + i, left) * r.b1 + d * (1 - r.b1), second = load_upto(v + i, left) * r.b2 + d * d * (1 - r.b2);
        F root = second * r.v_scale;
#if defined(__AVX512F__)
        root = reinterpret_cast<F>(_mm512_sqrt_ps(reinterpret_cast<__m512>(root)));
#else
        for (int j = 0; j < kLanes; ++j) root[j] = __builtin_sqrtf(root[j]);
#endif
        const F x = load_upto(w + i, left);
        store_upto(m + i, first, left);
        store_upto(v + i, second, left);
        store_upto(w + i, x - r.m_rate * first / (root + r.eps) - r.decay * x, left);
    }
}

double squares(const float* x, int64_t n) {
    double total = 0;
    for (int64_t i = 0; i < n; i += 1024) {
        F part{};
        const int64_t end = n - i < 1024 ? n : i + 1024;
        for (int64_t j = i; j < end; j += kLanes) {
            const F v = load_upto(x + j, end - j);
            part += v * v;
        }
        total += static_cast<double>(sum(part));
    }
    return total;
}

}  // namespace

#define KLP_JOIN2(a, b) a##b
#define KLP_JOIN(a, b) KLP_JOIN2(a, b)
extern const Learning KLP_JOIN(kLearning_, KLP_ISA);
const Learning KLP_JOIN(kLearning_, KLP_ISA){
    .operand_bytes = operand_bytes,
    .left = left_rows,
    .left_turned = left_turned,
    .right = right_from,
    .right_turned = right_turned_from,
    .multiply = multiply_block,
    .to_bf16 = to_bf16,
    .rms_norm_back = rms_norm_back,
    .swiglu_back = swiglu_back,
    .cross_entropy = cross_entropy,
    .log_sum_exp = log_sum_exp,
    .exp_minus = exp_minus,
    .dot = dot,
    .softmax_back = softmax_back,
    .add_times = add_times,
    .momentum = momentum,
    .adamw = adamw,
    .squares = squares,
    .kda_floats = kda_back_floats,
    .kda = kda_back,
};

}  // namespace klp
