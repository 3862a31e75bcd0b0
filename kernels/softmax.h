// The weights of tokens: the same bits on every machine, so nothing here may be fused (CPU sources that include it are compiled with -ffp-contract=off).
#pragma once

#include <bit>
#include <cfloat>
#include <cstdint>

#ifdef __CUDACC__
#define KLP_BOTH __host__ __device__
#else
#define KLP_BOTH
#endif

namespace klp {

KLP_BOTH inline float product_plus(float a, float b, float c) {
#ifdef __CUDA_ARCH__
    return __fadd_rn(__fmul_rn(a, b), c);
#else
    return a * b + c;
#endif
}

// e^x for x <= 0, and 0 below -87 (and for NaN) where floats end: 2^n e^r with |r| <= ln 2 / 2 and the Taylor series of e^r, whose rest is under 6e-9.
KLP_BOTH inline float exponential(float x) {
    constexpr float kLog2e = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;  // n * kLn2High is exact
    constexpr float kRound = 12582912.f;                                                       // 1.5 * 2^23: adding it rounds to an integer
    const float inside = x > -87.f ? x : -87.f;
    const float shifted = product_plus(inside, kLog2e, kRound);
    const float n = shifted - kRound;
    const float r = product_plus(-n, kLn2Low, product_plus(-n, kLn2High, inside));
    float series = product_plus(r, 1 / 5040.f, 1 / 720.f);
    series = product_plus(r, series, 1 / 120.f);
    series = product_plus(r, series, 1 / 24.f);
    series = product_plus(r, series, 1 / 6.f);
    series = product_plus(r, series, 1 / 2.f);
    series = product_plus(r, series, 1);
    series = product_plus(r, series, 1);
    const float power = std::bit_cast<float>((std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound) + 127) << 23);  // 2^n
    return x > -87.f ? series * power : 0.f;
}

// (score - best) / temperature, <= 0. An infinite score counts as the largest float, so that infinities share the probability.
struct Exponent {
    float best, temperature;
    KLP_BOTH float operator()(float score) const { return ((score > FLT_MAX ? FLT_MAX : score) - (best > FLT_MAX ? FLT_MAX : best)) / temperature; }
};

// A weight of 0 .. 1 in steps of 2^-35, a whole number: sums of 2^18 of them are exact in a double.
KLP_BOTH inline double steps(float weight) { return (double{weight} * 0x1p35 + 0x1.8p52) - 0x1.8p52; }

}  // namespace klp
