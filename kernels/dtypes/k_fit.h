// 256 values in sub-blocks, whose scales (and minimums) are small whole numbers times one half for all: first each sub-block's own best, then the halves that
// hold the largest, then the whole numbers around, and last the halves once more.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/dtypes/blocks.h"
#include "kernels/dtypes/fit.h"

namespace klp::blocks {

inline float as_half(float f) { return f16_to_float(float_to_f16(f)); }
inline int nearest(float x, int low, int high) {  // a NaN becomes low
    const auto a = static_cast<float>(low), b = static_cast<float>(high);
    return static_cast<int>(std::nearbyint(x >= a ? (x <= b ? x : b) : a));
}

// v = d scale q, q of a grid, scale in [-top, top - 1]; sub-blocks of n.
template <int n>
struct Scales {
    static constexpr int kSubs = 256 / n;
    float d = 0;
    int scale[kSubs] = {};
    uint8_t codes[256];

    template <class Grid>
    Scales(const float* v, const Grid& grid, int top, float slack) {
        Values<n> x[kSubs];
        float own[kSubs], largest = 0;
        for (int j = 0; j < kSubs; ++j) {
            x[j] = Values<n>(v + j * n);
            own[j] = fit_scale(x[j], grid, slack, 5);
            if (std::fabs(own[j]) > std::fabs(largest)) largest = own[j];
        }
        d = as_half(largest / static_cast<float>(-top));
        float error = 0, products = 0, squares = 0;
        for (int j = 0; j < kSubs && d != 0; ++j) {
            const int middle = nearest(own[j] / d, -top, top - 1);
            float least_error = INFINITY;
            for (int s = std::max(middle - 1, -top); s <= std::min(middle + 1, top - 1); ++s)
                if (const float e = x[j].error(grid, d * static_cast<float>(s), 0); e < least_error) least_error = e, scale[j] = s;
            error += least_error;
            const float inverse = reciprocal(d * static_cast<float>(scale[j]));
            F4 xq{}, qq{};
            for (const F4& x4 : x[j].v) {
                const F4 q = grid.value(x4 * inverse) * static_cast<float>(scale[j]);
                xq += x4 * q, qq += q * q;
            }
            products += total(xq), squares += total(qq);
        }
        if (squares > 0) {
            const float again = as_half(products / squares);
            float now = 0;
            for (int j = 0; j < kSubs; ++j) now += x[j].error(grid, again * static_cast<float>(scale[j]), 0);
            if (now < error) d = again;
        }
        for (int j = 0; j < kSubs; ++j) x[j].codes(grid, d * static_cast<float>(scale[j]), 0, codes + j * n);
    }
};

// v = d scale q - dmin min, q in [0, levels], scale and min in [0, top]; sub-blocks of n.
template <int n>
struct Lines {
    static constexpr int kSubs = 256 / n;
    float d = 0, dmin = 0;
    uint8_t scale[kSubs] = {}, min[kSubs] = {};
    uint8_t codes[256];

    Lines(const float* v, int levels, int top, float slack) {
        const Even grid{0, static_cast<float>(levels)};
        Values<n> x[kSubs];
        Line own[kSubs];
        float most_scale = 0, most_min = 0;
        for (int j = 0; j < kSubs; ++j) {
            x[j] = Values<n>(v + j * n);
            own[j] = fit_line(x[j], levels, slack, 6, true);
            most_scale = std::max(most_scale, own[j].scale), most_min = std::max(most_min, -own[j].min);
        }
        d = as_half(most_scale / static_cast<float>(top)), dmin = as_half(most_min / static_cast<float>(top));
        // The normal equations of d and dmin, once all else is chosen.
        float error = 0, qq = 0, qm = 0, mm = 0, xq = 0, xm = 0;
        for (int j = 0; j < kSubs; ++j) {
            const int s0 = d != 0 ? nearest(own[j].scale / d, 0, top) : 0, m0 = dmin != 0 ? nearest(-own[j].min / dmin, 0, top) : 0;
            float least_error = INFINITY;
            for (int s = std::max(s0 - 1, 0); s <= std::min(s0 + 1, top); ++s)
                for (int m = std::max(m0 - 1, 0); m <= std::min(m0 + 1, top); ++m)
                    if (const float e = x[j].error(grid, d * static_cast<float>(s), -(dmin * static_cast<float>(m))); e < least_error)
                        least_error = e, scale[j] = static_cast<uint8_t>(s), min[j] = static_cast<uint8_t>(m);
            error += least_error;
            const float sf = scale[j], mf = min[j], inverse = reciprocal(d * sf);
            F4 ones{}, squares{}, products{}, sums{};
            for (const F4& x4 : x[j].v) {
                const F4 q = grid.value((x4 + dmin * mf) * inverse) * sf;
                ones += q, squares += q * q, products += x4 * q, sums += x4;
            }
            qq += total(squares), qm += total(ones) * mf, mm += n * mf * mf, xq += total(products), xm += total(sums) * mf;
        }
        if (const float determinant = qq * mm - qm * qm; determinant > 0) {
            const float d2 = as_half((xq * mm - xm * qm) / determinant), dmin2 = as_half((xq * qm - xm * qq) / determinant);
            float now = 0;
            for (int j = 0; j < kSubs; ++j) now += x[j].error(grid, d2 * static_cast<float>(scale[j]), -(dmin2 * static_cast<float>(min[j])));
            if (now < error) d = d2, dmin = dmin2;
        }
        for (int j = 0; j < kSubs; ++j) x[j].codes(grid, d * static_cast<float>(scale[j]), -(dmin * static_cast<float>(min[j])), codes + j * n);
    }
};

}  // namespace klp::blocks
