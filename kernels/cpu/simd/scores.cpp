// The inner loops over scores for the instruction set KLP_ISA, compiled without fused products. Everything but the table at the end is local: see vector.inc.h,
// and so softmax.h is written once more here, for vectors.
#include "kernels/cpu/simd/scores.h"

#include <cfloat>

#include "kernels/cpu/simd/vector.inc.h"

namespace klp {
namespace {

typedef double D __attribute__((vector_size(4 * kLanes)));

// Half of the lanes. GCC makes two instructions of a conversion where there is one.
#if defined(__AVX512F__)
inline D low(F v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
inline D high(F v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }
#elif defined(__AVX2__)
inline D low(F v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
inline D high(F v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
#else
inline D low(F v) { return D{v[0], v[1]}; }
inline D high(F v) { return D{v[2], v[3]}; }
#endif

inline uint32_t bits_of(I mask) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
    return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#elif defined(__x86_64__)
    return static_cast<uint32_t>(_mm_movemask_ps(reinterpret_cast<__m128>(mask)));
#else
#if defined(__aarch64__)
    if (vmaxvq_u32(reinterpret_cast<uint32x4_t>(mask)) == 0) return 0;
#endif
    uint32_t bits = 0;
    for (int i = 0; i < kLanes; ++i) bits |= (mask[i] != 0 ? 1u : 0u) << i;
    return bits;
#endif
}

// a > b ? a : b, and a < b ? a : b: b where one is NaN. One instruction each, which GCC does not find.
#if defined(__AVX512F__)
inline F higher(F a, F b) { return reinterpret_cast<F>(_mm512_max_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b))); }
inline F lower(F a, F b) { return reinterpret_cast<F>(_mm512_min_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b))); }
#elif defined(__AVX2__)
inline F higher(F a, F b) { return reinterpret_cast<F>(_mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b))); }
inline F lower(F a, F b) { return reinterpret_cast<F>(_mm256_min_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b))); }
#elif defined(__x86_64__)
inline F higher(F a, F b) { return reinterpret_cast<F>(_mm_max_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b))); }
inline F lower(F a, F b) { return reinterpret_cast<F>(_mm_min_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b))); }
#else
inline F higher(F a, F b) { return a > b ? a : b; }
inline F lower(F a, F b) { return a < b ? a : b; }
#endif

// `inside`: x where the answer is not 0.
inline F exponential(F x, F& inside) {
    constexpr float kLog2e = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f, kRound = 12582912.f;
    inside = higher(x, splat(-87.f));
    const F shifted = inside * kLog2e + kRound;
    const F n = shifted - kRound;
    const F r = (inside - n * kLn2High) - n * kLn2Low;
    F series = r * (1 / 5040.f) + 1 / 720.f;
    series = r * series + 1 / 120.f;
    series = r * series + 1 / 24.f;
    series = r * series + 1 / 6.f;
    series = r * series + 1 / 2.f;
    series = r * series + 1;
    series = r * series + 1;
    const F power = as_float((as_int(shifted) - __builtin_bit_cast(int32_t, kRound) + 127) << 23);
    return x > -87.f ? series * power : F{};
}
inline F exponential(F x) {
    F inside;
    return exponential(x, inside);
}
inline F finite(F score) { return lower(splat(FLT_MAX), score); }
inline float finite(float score) { return score > FLT_MAX ? FLT_MAX : score; }

template <class V>
inline V steps_of(V weight) {  // double, or many
    return (weight * 0x1p35 + 0x1.8p52) - 0x1.8p52;
}
inline double sum_of(D v) {
    double sum = 0;
    for (int i = 0; i < kLanes / 2; ++i) sum += v[i];
    return sum;
}

// The first n, and what weighs nothing.
inline F scores_part(const float* p, int64_t n) {
    F v = splat(-__builtin_inff());
    for (int64_t i = 0; i < n; ++i) v[i] = p[i];
    return v;
}

constexpr int kParts = kScoreParts / kLanes;

BestScore best(const float* x, int64_t n) {
    constexpr int kChains = 4;
    F top[kChains], magnitude[kChains] = {};
    for (F& t : top) t = splat(-__builtin_inff());
    int64_t i = 0;
    for (; i + kChains * kLanes <= n; i += kChains * kLanes)
        for (int c = 0; c < kChains; ++c) {
            const F v = load(x + i + c * kLanes);
            top[c] = higher(v, top[c]), magnitude[c] = larger(abs(v), magnitude[c]);
        }
    for (int c = 0; i < n; i += kLanes, ++c) {
        const int64_t some = n - i < kLanes ? n - i : kLanes;
        top[c] = higher(scores_part(x + i, some), top[c]), magnitude[c] = larger(abs(load_part(x + i, some)), magnitude[c]);
    }
    for (int c = 1; c < kChains; ++c) magnitude[0] = larger(magnitude[c], magnitude[0]);
    const float most = largest(magnitude[0]);
    BestScore found{.finite = most <= FLT_MAX, .has_nan = most != most};
    for (int c = kParts; c < kChains; ++c) top[c % kParts] = higher(top[c], top[c % kParts]);
    for (int p = 0; p < kParts; ++p) store(found.parts + p * kLanes, top[p]);
    for (int p = 1; p < kParts; ++p) top[0] = higher(top[p], top[0]);
    found.value = highest(top[0]);
    return found;
}

double weigh(const Weigh& a) {
    const F best = splat(finite(a.best)), smallest = splat(a.smallest), temperature = splat(a.temperature);
    const float* const scores = a.scores;
    float* const weights = a.weights;
    const int64_t n = a.n;
    D sums[2] = {};
    const auto weight = [&](F score) {
        const F w = exponential((finite(score) - best) / temperature), kept = w >= smallest ? w : F{};
        sums[0] += steps_of(low(kept)), sums[1] += steps_of(high(kept));
        return w;
    };
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(weights + i, weight(load(scores + i)));
    if (i < n) store_part(weights + i, weight(scores_part(scores + i, n - i)), n - i);
    return sum_of(sums[0]) + sum_of(sums[1]);
}

int64_t above(const float* x, int64_t n, float bar, int32_t* places) {
    int64_t found = 0;
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t some = n - i < kLanes ? n - i : kLanes;
        uint32_t bits = bits_of((some == kLanes ? load(x + i) : scores_part(x + i, some)) > bar);
        for (; bits != 0; bits &= bits - 1) places[found++] = static_cast<int32_t>(i) + __builtin_ctz(bits);
    }
    return found;
}

int64_t reach(const float* weights, int64_t n, float smallest, double target) {
    constexpr int64_t kBlock = 64;
    double sum = 0;
    for (int64_t first = 0; first < n; first += kBlock) {
        if (first + kBlock <= n) {
            D sums[2] = {};
            for (int64_t i = first; i < first + kBlock; i += kLanes) {
                const F w = load(weights + i), kept = w >= smallest ? w : F{};
                sums[0] += steps_of(low(kept)), sums[1] += steps_of(high(kept));
            }
            const double block = sum_of(sums[0] + sums[1]);
            if (sum + block <= target) {
                sum += block;
                continue;
            }
        }
        for (int64_t i = first; i < first + kBlock && i < n; ++i)
            if (weights[i] >= smallest && (sum += steps_of(double{weights[i]})) > target) return i;
    }
    return -1;
}

// Sums have kScoreParts parts, which are added up after each block, whatever a vector's length.
template <bool kNamed>
void look_at(Look& a) {
    constexpr int64_t kBlock = 256;
    const float* const logits = a.logits;
    const int64_t n = a.n;
    const F best = splat(finite(a.best)), own = splat(a.own);
    I over{};
    F bar = splat(a.bar);
    for (int64_t first = 0; first < n; first += kBlock) {
        const int64_t last = first + kBlock < n ? first + kBlock : n;
        D sums[2 * kParts] = {};
        F products[kParts] = {};
        for (int64_t i = first; i < last; i += kScoreParts) {
            F z[kParts];
            if (n - i >= kScoreParts) {
                for (int p = 0; p < kParts; ++p) z[p] = load(logits + i + p * kLanes);
            } else {
                for (int p = 0; p < kParts; ++p) {
                    const int64_t left = n - i - p * kLanes;
                    z[p] = scores_part(logits + i + p * kLanes, left < kLanes ? left : kLanes);
                }
            }
            I named{};
            for (int p = 0; p < kParts; ++p) {
                F inside;
                const F w = exponential(finite(z[p]) - best, inside);
                sums[2 * p] += low(w), sums[2 * p + 1] += high(w);
                if constexpr (kNamed) {
                    products[p] += w * inside;
                    over -= z[p] > own;
                    named |= z[p] > bar;
                }
            }
            if (bits_of(named) == 0) continue;
            uint32_t bits = 0;
            for (int p = 0; p < kParts; ++p) bits |= bits_of(z[p] > bar) << p * kLanes;
            for (; bits != 0; bits &= bits - 1) {
                const int64_t id = i + __builtin_ctz(bits);
                const float logit = logits[id];
                if (!(logit > bar[0])) continue;
                int64_t at = a.found < a.candidates ? a.found++ : a.found - 1;
                for (; at > 0 && logit > a.top[at - 1].probability; --at) __builtin_memcpy(a.top + at, a.top + at - 1, sizeof(Candidate));
                a.top[at].id = static_cast<int32_t>(id), a.top[at].probability = logit;
                if (a.found == a.candidates) bar = splat(a.top[a.found - 1].probability);
            }
        }
        double sum = 0;
        for (const D& s : sums)
            for (int i = 0; i < kLanes / 2; ++i) sum += s[i];
        a.sum += sum;
        if constexpr (kNamed)
            for (const F& p : products)
                for (int i = 0; i < kLanes; ++i) a.part += double{p[i]};
    }
    if constexpr (kNamed)
        for (int i = 0; i < kLanes; ++i) a.rank += over[i];
}

void look(Look& a) {
    a.sum = a.part = 0, a.rank = a.found = 0;
    if (a.candidates > 0)
        look_at<true>(a);
    else
        look_at<false>(a);
}

}  // namespace

#define KLP_JOIN2(a, b) a##b
#define KLP_JOIN(a, b) KLP_JOIN2(a, b)
extern const Scores KLP_JOIN(kScores_, KLP_ISA);
const Scores KLP_JOIN(kScores_, KLP_ISA){.best = best, .weigh = weigh, .above = above, .reach = reach, .look = look};

}  // namespace klp
