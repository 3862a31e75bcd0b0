// What the encoders share: the scale (and the minimum) under which a few values lose least, in the sum of squares: that is what a product with them is off by
// on inputs of equal size. A search tries grids around the one that just holds the largest value; for the whole numbers that a grid gives, the best scale and
// minimum follow from least squares, so few need to be tried. Sums run in four lanes in one order: the same bytes on every machine.
#pragma once

#include <cstdint>

namespace klp::blocks {

typedef float F4 __attribute__((vector_size(16)));
typedef int32_t I4 __attribute__((vector_size(16)));

inline float total(F4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }
inline F4 least(F4 a, F4 b) { return a < b ? a : b; }
inline F4 most(F4 a, F4 b) { return a > b ? a : b; }
inline float lowest(F4 v) {
    float m = v[0];
    for (int i = 1; i < 4; ++i) m = v[i] < m ? v[i] : m;
    return m;
}
inline float highest(F4 v) { return -lowest(-v); }

// 0 where there is none that is a number.
inline float reciprocal(float x) {
    const float r = 1 / x;
    return r >= -0x1.fffffep127f && r <= 0x1.fffffep127f ? r : 0;
}

// What a quant may stand for, in front of its scale: whole numbers from low to high, whose codes begin with 0.
struct Even {
    float low, high;
    // The nearest one, ties to even, for |x| < 2^22; a NaN becomes one of them.
    F4 value(F4 x) const {
        const F4 a{low, low, low, low}, b{high, high, high, high};
        return least(most((x + 0x1.8p23f) - 0x1.8p23f, a), b);
    }
    F4 code(F4 x) const { return value(x) - low; }
};
// 16 of them, ascending.
struct Table {
    float low, high;
    float middle[15], step[15];
    explicit Table(const int8_t (&values)[16]) : low(values[0]), high(values[15]) {
        for (int i = 0; i < 15; ++i) middle[i] = static_cast<float>(values[i] + values[i + 1]) / 2, step[i] = static_cast<float>(values[i + 1] - values[i]);
    }
    F4 value(F4 x) const {
        F4 sum{low, low, low, low};
        for (int i = 0; i < 15; ++i) sum += x > middle[i] ? F4{} + step[i] : F4{};
        return sum;
    }
    F4 code(F4 x) const {
        F4 sum{};
        for (int i = 0; i < 15; ++i) sum += x > middle[i] ? F4{} + 1.f : F4{};
        return sum;
    }
};

// n values, a multiple of four.
template <int n>
struct Values {
    F4 v[n / 4];
    float squares = 0;

    Values() = default;
    explicit Values(const float* x) {
        __builtin_memcpy(v, x, sizeof v);
        F4 sum{};
        for (const F4& x4 : v) sum += x4 * x4;
        squares = total(sum);
    }
    // Of all x as scale q + min, each q the nearest.
    template <class Grid>
    float error(const Grid& grid, float scale, float min) const {
        const float inverse = reciprocal(scale);
        F4 sum{};
        for (const F4& x : v) {
            const F4 off = x - (grid.value((x - min) * inverse) * scale + min);
            sum += off * off;
        }
        return total(sum);
    }
    template <class Grid>
    void codes(const Grid& grid, float scale, float min, uint8_t* out) const {
        const float inverse = reciprocal(scale);
        for (int i = 0; i < n; i += 4) {
            const F4 code = grid.code((v[i / 4] - min) * inverse);
            for (int k = 0; k < 4; ++k) out[i + k] = static_cast<uint8_t>(static_cast<int>(code[k]));
        }
    }
};

// x = scale q. The largest value is put at either end of the grid, and up to `slack` of the end inside or beyond.
template <int n, class Grid>
float fit_scale(const Values<n>& x, const Grid& grid, float slack, int tries) {
    F4 low = x.v[0], high = x.v[0];
    for (const F4& v : x.v) low = least(low, v), high = most(high, v);
    const float a = lowest(low), b = highest(high), largest = -a > b ? a : b;
    if (largest == 0) return 0;
    float best = 0, scale = 0;
    for (const float end : {grid.low, grid.high})
        for (int t = -tries; t <= tries; ++t) {
            const float inverse = end * (1 + slack * static_cast<float>(t) / static_cast<float>(tries)) / largest;
            F4 products{}, squares{};
            for (const F4& v : x.v) {
                const F4 q = grid.value(v * inverse);
                products += v * q, squares += q * q;
            }
            const float xq = total(products), qq = total(squares);
            if (qq > 0 && xq * xq > best * qq) best = xq * xq / qq, scale = xq / qq;
        }
    return scale;
}

struct Line {
    float scale = 0, min = 0;
};
// x = scale q + min, q in [0, levels], scale >= 0; min <= 0 where `below`. Grids are finer or wider than the values' range by up to `slack` of it.
template <int n>
Line fit_line(const Values<n>& x, int levels, float slack, int tries, bool below) {
    const Even grid{0, static_cast<float>(levels)};
    F4 low = x.v[0], high = x.v[0], sums{};
    for (const F4& v : x.v) low = least(low, v), high = most(high, v), sums += v;
    float min = lowest(low);
    const float max = highest(high), sum = total(sums);
    if (below && min > 0) min = 0;
    if (!(max > min)) return {0, min};
    Line best{(max - min) / grid.high, min};
    float least_error = x.error(grid, best.scale, best.min);
    for (int t = -tries; t <= tries; ++t) {
        const float range = (max - min) * (1 + slack * static_cast<float>(t) / static_cast<float>(tries));
        const float inverse = grid.high / range, start = (max + min - range) / 2;
        F4 ones{}, squares{}, products{};
        for (const F4& v : x.v) {
            const F4 q = grid.value((v - start) * inverse);
            ones += q, squares += q * q, products += v * q;
        }
        const float q1 = total(ones), q2 = total(squares), xq = total(products), determinant = n * q2 - q1 * q1;
        if (!(determinant > 0)) continue;
        Line line{(n * xq - q1 * sum) / determinant, (q2 * sum - q1 * xq) / determinant};
        if (below && line.min > 0) line = {xq / q2, 0};
        if (!(line.scale > 0)) continue;
        const float error = x.error(grid, line.scale, line.min);
        if (error < least_error) least_error = error, best = line;
    }
    return best;
}

}  // namespace klp::blocks
