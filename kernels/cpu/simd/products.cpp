// The inner loops of matrix products for the instruction set KLP_ISA. Everything but the table at the end is local: see vector.inc.h.
#include "kernels/cpu/simd/products.h"

#include "kernels/cpu/simd/amx.inc.h"
#include "kernels/cpu/simd/lanes.inc.h"
#include "kernels/cpu/simd/panels.inc.h"

namespace klp {
namespace {

// --- the layouts of x ---------------------------------------------------------------------------------------------------------------------

enum class Form { floats, bf16, quants };
Form form_of(DType type) { return type == DType::bf16 ? Form::bf16 : type == DType::f32 || type == DType::f16 ? Form::floats : Form::quants; }

#if defined(__AVX512BF16__)
constexpr bool kBf16Rows = true;  // rows keep x as bf16
#else
constexpr bool kBf16Rows = false;
#endif

#if defined(__AMX_TILE__)
constexpr bool kAmx = true;
#else
constexpr bool kAmx = false;
#endif
#if defined(__AVX512VNNI__)
constexpr bool kLaneQuants = true;
#else
constexpr bool kLaneQuants = false;
#endif

// Up to so many tokens x is kept as rows for multiply_rows, beyond as panels or as rows for multiply_lanes. A panel of 16 is worth it earlier where unpacking a
// weight costs more than its products.
bool few(DType type, int64_t T) { return T <= (form_of(type) == Form::quants || (kAmx && form_of(type) == Form::bf16) ? 4 : 8); }

int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
int64_t row_bytes(DType type, int64_t in) {
    switch (form_of(type)) {
        case Form::floats:
            return padded(in, 64) * 4;
        case Form::bf16:
            return padded(in, 64) * (kBf16Rows ? 2 : 4);
        case Form::quants:
            return padded(quant_row_bytes(in), 64);
    }
    return 0;
}
int64_t panel_bytes([[maybe_unused]] DType type, int64_t in) {
#if defined(__AMX_TILE__)
    if (form_of(type) == Form::bf16) return pair_panel_bytes(in);
#endif
#if !defined(__AVX512VNNI__)
    if (form_of(type) == Form::quants) return quant_panel_bytes(in);
#endif
    return in * kPanel * 4;
}

size_t token_bytes([[maybe_unused]] DType type, [[maybe_unused]] int64_t T, [[maybe_unused]] int64_t in) {
#if defined(__AVX512VNNI__)
    if (form_of(type) == Form::quants && !few(type, T)) return static_cast<size_t>(lane_row_bytes(in));
#endif
    return 0;
}

size_t prepared_bytes(DType type, int64_t T, int64_t in) {
    if (const size_t token = token_bytes(type, T, in)) return static_cast<size_t>(padded(T, kAmx ? 16 : 1)) * token;  // a tile reads whole panels
    return static_cast<size_t>(few(type, T) ? T * row_bytes(type, in) : padded(T, kPanel) / kPanel * panel_bytes(type, in));
}

void row_of_floats(const float* x, int64_t in, bool to_bf16, float* out) {
    int64_t i = 0;
    for (; i + kLanes <= in; i += kLanes) store(out + i, to_bf16 ? round_bf16(load(x + i)) : load(x + i));
    if (i < in) {
        const F rest = load_part(x + i, in - i);
        store(out + i, to_bf16 ? round_bf16(rest) : rest);
        i += kLanes;
    }
    for (; i < padded(in, 64); i += kLanes) store(out + i, F{});
}

#if defined(__AVX512BF16__)
void row_of_bf16(const float* x, int64_t in, uint16_t* out) {
    for (int64_t i = 0; i < padded(in, 64); i += 16) {
        const int64_t there = in - i < 0 ? 0 : in - i < 16 ? in - i : 16;
        const I bits = as_int(round_bf16(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << there) - 1), x + i)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm512_cvtepi32_epi16(_mm512_srli_epi32(reinterpret_cast<__m512i>(bits), 16)));
    }
}
#endif

void row_of_quants(const float* x, int64_t in, void* prepared) {
    const int64_t groups = in / 32;
    const QuantRow out = quant_row(prepared, groups);
    for (int64_t g = 0; g < padded_groups(groups); ++g) {
        F sizes{};
        if (g < groups) {
            for (int i = 0; i < 32; i += kLanes) sizes = larger(sizes, abs(load(x + g * 32 + i)));
        }
        const F amax = splat(largest(sizes));
        const F factor = group_factor(amax);
        Quant* to = out.values + g * 32;
        for (int i = 0; i < 32; i += kLanes) {
            const I q = g < groups ? quantise(load(x + g * 32 + i), factor) : I{};
#if defined(__AVX512VNNI__)
            _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(q)));
#else
            for (int j = 0; j < kLanes; ++j) to[i + j] = static_cast<Quant>(q[j]);
#endif
        }
        const float scale = group_scale(amax)[0];
        out.scales[g] = scale;
        for (int half = 0; half < 2; ++half) {
            int32_t total = 0;
            for (int i = 0; i < 16; ++i) total += to[half * 16 + i];
            out.sums[2 * g + half] = scale * static_cast<float>(total);
        }
#if defined(__AVX512VNNI__)
        const __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(to)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.starts + g * kStarts), _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), sums), 7));
#endif
    }
}

void prepare(const Prepare& a) {
    auto* out = static_cast<char*>(a.prepared);
    const auto row = [&](int64_t t) { return a.x + (a.index ? a.index[t] : t) * a.stride; };
    const Form form = form_of(a.type);
    const int64_t count = a.last - a.first;
    if (few(a.type, a.T)) {
        out += a.first * row_bytes(a.type, a.in);
        for (int64_t t = 0; t < count; ++t, out += row_bytes(a.type, a.in)) {
            if (form == Form::quants) {
                row_of_quants(row(t), a.in, out);
#if defined(__AVX512BF16__)
            } else if (form == Form::bf16) {
                row_of_bf16(row(t), a.in, reinterpret_cast<uint16_t*>(out));
#endif
            } else {
                row_of_floats(row(t), a.in, form == Form::bf16, reinterpret_cast<float*>(out));
            }
        }
        return;
    }
#if defined(__AVX512VNNI__)
    if (form == Form::quants) {
        for (int64_t t = 0; t < count; ++t) lane_row(row(t), a.in, a.column, a.columns ? a.columns : a.in, out + (a.first + t) * lane_row_bytes(a.in));
        return;
    }
#endif
    out += a.first / kPanel * panel_bytes(a.type, a.in);
    for (int64_t t = 0; t < count; t += kPanel, out += panel_bytes(a.type, a.in)) {
        const float* rows[kPanel];
        for (int64_t i = 0; i < kPanel; ++i) rows[i] = t + i < count ? row(t + i) : nullptr;
#if defined(__AMX_TILE__)
        if (form == Form::bf16) {
            panel_of_pairs(rows, a.in, reinterpret_cast<uint32_t*>(out));
            continue;
        }
#endif
#if !defined(__AVX512VNNI__)
        if (form == Form::quants) {
            panel_of_quants(rows, a.in, quant_panel(out, a.in));
            continue;
        }
#endif
        panel_of_floats(rows, a.in, form == Form::bf16, reinterpret_cast<float*>(out));
    }
}

// --- few tokens -----------------------------------------------------------------------------------------------------------------------------

template <int N>
void pass_of_row(const Multiply& a, const char* w, const char* x, int64_t x_bytes, float* out) {
    const auto* floats = reinterpret_cast<const float*>(x);
    switch (a.type) {
        case DType::f32:
            return dots<ReadF32, N>(w, a.in, floats, x_bytes / 4, out);
        case DType::f16:
            return dots<ReadF16, N>(w, a.in, floats, x_bytes / 4, out);
        case DType::bf16:
#if defined(__AVX512BF16__)
            return dots_bf16<N>(w, a.in, reinterpret_cast<const uint16_t*>(x), x_bytes / 2, out);
#else
            return dots<ReadBf16, N>(w, a.in, floats, x_bytes / 4, out);
#endif
        default:
            if constexpr (N <= 4) with_format(a.type, [&](auto q) { dots_blocks<N>(q, w, a.in / 32, x, x_bytes, out); });  // more are not few()
    }
}

void multiply_rows(const Multiply& a) {
    const int64_t w_bytes = weight_row_bytes(a.type, a.in), x_bytes = row_bytes(a.type, a.in);
    const auto* w = static_cast<const char*>(a.w);
    for (int64_t r = 0; r < a.rows; ++r, w += w_bytes) {
        for (int64_t t = a.first; t < a.last;) {
            float out[kPass];
            const char* x = static_cast<const char*>(a.x) + t * x_bytes;
            const int64_t left = a.last - t;
            int64_t done = 1;
            if (kPass >= 8 && left >= 8) {
                pass_of_row<kPass>(a, w, x, x_bytes, out);
                done = kPass;
            } else if (left >= 4) {
                pass_of_row<4>(a, w, x, x_bytes, out);
                done = 4;
            } else if (left >= 2) {
                pass_of_row<2>(a, w, x, x_bytes, out);
                done = 2;
            } else {
                pass_of_row<1>(a, w, x, x_bytes, out);
            }
            for (int64_t i = 0; i < done; ++i, ++t) {
                float& y = a.y[y_offset(a, t) + r];
                y = a.add ? y + out[i] : out[i];
            }
        }
    }
}

// --- many tokens ----------------------------------------------------------------------------------------------------------------------------

// Rows of a tile by its panels: as many sums as the registers hold (32 of them; 16 of x86-64 below AVX-512).
#if defined(__aarch64__)
constexpr int float_rows(int /*panels*/) { return 6; }
constexpr int quant_rows(int /*panels*/) { return 3; }
#else
constexpr int float_rows(int /*panels*/) { return kLanes == 16 ? 8 : kLanes == 8 ? 6 : 2; }
[[maybe_unused]] constexpr int quant_rows(int panels) { return kLanes == 16 ? (panels == 1 ? 8 : panels == 2 ? 6 : 4) : kLanes == 8 ? 2 : 1; }
#endif
constexpr int smaller(int rows) { return rows > 4 ? 4 : 1; }

// Calls tile<R>(first row) until all rows are done: large tiles, then a smaller one, then single rows.
template <int R, class Tile>
void tile_rows(int64_t rows, const Tile& tile) {
    int64_t r = 0;
    for (; r + R <= rows; r += R) tile.template run<R>(r);
    if constexpr (smaller(R) > 1) {
        for (; r + smaller(R) <= rows; r += smaller(R)) tile.template run<smaller(R)>(r);
    }
    for (; r < rows; ++r) tile.template run<1>(r);
}

template <int P>
struct FloatTiles {
    const float* w;
    int64_t w_stride, n;
    const float* x;
    int64_t x_stride;
    float* c;
    bool first;
    Ahead& ahead;
    template <int R>
    void run(int64_t r) const {
        ahead.step();
        tile_floats<R, P>(w + r * w_stride, w_stride, n, x, x_stride, c + r * kTileWidth, first);
    }
};
#if !defined(__AVX512VNNI__)
template <int P, int kSubs, bool kMins>
struct QuantTiles {
    const int32_t* w;
    const float *scales, *mins;
    int64_t w_groups, groups;
    const QuantPanel* x;
    float* c;
    bool first;
    Ahead& ahead;
    template <int R>
    void run(int64_t r) const {
        tile_quants<R, P, kSubs, kMins>(w + r * w_groups * kGroupLanes, scales + r * w_groups * kSubs, mins + r * w_groups * kSubs, w_groups, groups, x,
                                        c + r * kTileWidth, first, ahead);
    }
};
// Some rows by `wide` panels, from the slice's first group on.
template <int kSubs, bool kMins>
__attribute__((noinline)) void quant_tiles(int64_t rows, int64_t wide, const int32_t* w, const float* scales, const float* mins, int64_t w_groups,
                                           int64_t groups, const QuantPanel* x, float* c, bool first, Ahead& next) {
    Ahead ahead = next;  // in registers
    if (wide == 1) tile_rows<quant_rows(1)>(rows, QuantTiles<1, kSubs, kMins>{w, scales, mins, w_groups, groups, x, c, first, ahead});
    if constexpr (kMaxPanels > 1) {
        if (wide == 2) tile_rows<quant_rows(2)>(rows, QuantTiles<2, kSubs, kMins>{w, scales, mins, w_groups, groups, x, c, first, ahead});
        if (wide == 3) tile_rows<quant_rows(3)>(rows, QuantTiles<3, kSubs, kMins>{w, scales, mins, w_groups, groups, x, c, first, ahead});
    }
    next = ahead;
}
#endif

constexpr int64_t kFloatSlice = 128, kQuantSlice = 16;  // inputs, groups: 24 KiB of x for 48 tokens
constexpr int64_t kFloatBlock = kBuffer / kRowBlock / 4;

void multiply_panels(const Multiply& a) {
    alignas(64) char buffer[kBuffer];
    alignas(64) float c[kRowBlock * kTileWidth];
#if defined(__AVX512VNNI__)
    constexpr bool quants = false;
    constexpr int64_t kQuantBlock = 0;
#else
    alignas(64) float scales[kRowBlock * kQuantBlock * 2];
    alignas(64) float mins[kRowBlock * kQuantBlock * 2];
    const bool quants = form_of(a.type) == Form::quants;
#endif
    const int64_t w_bytes = weight_row_bytes(a.type, a.in), x_bytes = panel_bytes(a.type, a.in);
    const int64_t units = quants ? a.in / 32 : a.in;  // along the inputs: groups or single values
    const int64_t block = quants ? kQuantBlock : a.type == DType::f32 ? units : kFloatBlock, slice = quants ? kQuantSlice : kFloatSlice;
    const int64_t panels = (a.last - a.first + kPanel - 1) / kPanel, tiles = (panels + kMaxPanels - 1) / kMaxPanels;
    auto* x = static_cast<char*>(const_cast<void*>(a.x)) + a.first / kPanel * x_bytes;

    for (int64_t r = 0; r < a.rows; r += kRowBlock) {
        const int64_t rows = a.rows - r < kRowBlock ? a.rows - r : kRowBlock;
        const char* w = static_cast<const char*>(a.w) + r * w_bytes;
        for (int64_t u = 0; u < units; u += block) {
            const int64_t n = units - u < block ? units - u : block;
            for (int64_t i = 0; i < rows; ++i) {
                const char* from = w + i * w_bytes;
                switch (a.type) {
                    case DType::f16:
                        widen_row<ReadF16>(from + u * 2, n, reinterpret_cast<float*>(buffer) + i * n);
                        break;
                    case DType::bf16:
                        widen_row<ReadBf16>(from + u * 2, n, reinterpret_cast<float*>(buffer) + i * n);
                        break;
#if !defined(__AVX512VNNI__)
                    default:
                        if (!quants) break;
                        with_format(a.type, [&](auto q) {
                            using Q = decltype(q);
                            widen_blocks(q, from + u / kBatch * Q::kBytes, n, reinterpret_cast<int32_t*>(buffer) + i * n * kGroupLanes,
                                         scales + i * n * Q::kSubs, mins + i * n * Q::kSubs);
                        });
#else
                    default:
                        break;
#endif
                }
            }
            const int64_t slices = quants ? n : (n + slice - 1) / slice;  // tile_quants looks ahead at each group
            Ahead ahead(a, a.rows * w_bytes, (r + rows) * w_bytes, kRowBlock * w_bytes, tiles * slices * (rows / 8 + 1));
            for (int64_t tile = 0, p = 0; tile < tiles; ++tile) {
                const int64_t wide = (panels - p) / (tiles - tile);  // panels are shared out evenly: 4 are 2 + 2, not 3 + 1
                for (int64_t s = 0; s < n; s += slice) {
                    const int64_t part = n - s < slice ? n - s : slice;
#if !defined(__AVX512VNNI__)
                    if (quants) {
                        QuantPanel xs[kMaxPanels];
                        for (int64_t i = 0; i < wide; ++i) {
                            xs[i] = quant_panel(x + (p + i) * x_bytes, a.in);
                            xs[i].values += (u + s) * kGroupLanes * kPanel;
                            xs[i].scales += (u + s) * kPanel;
                            xs[i].sums += (u + s) * 2 * kPanel;
                        }
                        const auto* ws = reinterpret_cast<const int32_t*>(buffer) + s * kGroupLanes;
                        with_format(a.type, [&](auto q) {
                            constexpr int kSubs = decltype(q)::kSubs;
                            quant_tiles<kSubs, decltype(q)::kMins>(rows, wide, ws, scales + s * kSubs, mins + s * kSubs, n, part, xs, c, s == 0, ahead);
                        });
                        continue;
                    }
#endif
                    const bool direct = a.type == DType::f32;
                    const float* ws = direct ? reinterpret_cast<const float*>(w) + u + s : reinterpret_cast<const float*>(buffer) + s;
                    const auto* xs = reinterpret_cast<const float*>(x + p * x_bytes) + (u + s) * kPanel;
                    const int64_t stride = direct ? a.in : n;
                    if (wide == 1) tile_rows<float_rows(1)>(rows, FloatTiles<1>{ws, stride, part, xs, x_bytes / 4, c, s == 0, ahead});
                    if constexpr (kMaxPanels > 1) {
                        if (wide == 2) tile_rows<float_rows(2)>(rows, FloatTiles<2>{ws, stride, part, xs, x_bytes / 4, c, s == 0, ahead});
                        if (wide == 3) tile_rows<float_rows(3)>(rows, FloatTiles<3>{ws, stride, part, xs, x_bytes / 4, c, s == 0, ahead});
                    }
                }
                store_tile(c, a, r, rows, p, wide, u > 0);
                p += wide;
            }
        }
    }
}

void multiply(const Multiply& a) {
    if (few(a.type, a.T)) return multiply_rows(a);
#if defined(__AMX_TILE__)
    if (form_of(a.type) == Form::bf16) return multiply_amx_bf16(a, panel_bytes(a.type, a.in));
#endif
#if defined(__AVX512VNNI__)
    if (form_of(a.type) == Form::quants) return multiply_lanes(a);
#endif
    multiply_panels(a);
}

// --- neighbours -----------------------------------------------------------------------------------------------------------------------------

void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* out) {
    F squares{};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) squares += load(x + i) * load(x + i);
    if (i < n) squares += load_part(x + i, n - i) * load_part(x + i, n - i);
    const float scale = 1.f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + eps);
    for (i = 0; i + kLanes <= n; i += kLanes) store(out + i, weight ? load(x + i) * scale * load(weight + i) : load(x + i) * scale);
    for (; i < n; ++i) out[i] = weight ? x[i] * scale * weight[i] : x[i] * scale;
}

void swiglu(const float* gate, const float* up, float scale, float limit, int64_t n, float* out) {
    int64_t i = 0;
    if (limit > 0) {  // min and max answer with their second argument where the first is no number
        const F most = splat(limit);
        for (; i < n; i += kLanes) {
            const int64_t part = n - i < kLanes ? n - i : kLanes;
            const F a = silu(load_part(gate + i, part)), u = load_part(up + i, part);
            store_part(out + i, scale * min(most, a) * max(-most, min(most, u)), part);
        }
        return;
    }
    for (; i + kLanes <= n; i += kLanes) store(out + i, scale * silu(load(gate + i)) * load(up + i));
    if (i < n) store_part(out + i, scale * silu(load_part(gate + i, n - i)) * load_part(up + i, n - i), n - i);
}

void situ(const float* gate, const float* up, float scale, float b, float l, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t part = n - i < kLanes ? n - i : kLanes;
        const F g = load_part(gate + i, part), u = load_part(up + i, part);
        store_part(out + i, scale * (b * tanh(g / b) * sigmoid(g)) * (l > 0 ? l * tanh(u / l) : u), part);
    }
}

template <F (*function)(F)>
void each(const float* x, int64_t n, float* out) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(out + i, function(load(x + i)));
    if (i < n) store_part(out + i, function(load_part(x + i, n - i)), n - i);
}

void softmax(const float* x, int64_t n, float* out) {
    float highest = x[0];
    for (int64_t i = 1; i < n; ++i) highest = x[i] > highest ? x[i] : highest;
    float total = 0;
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t part = n - i < kLanes ? n - i : kLanes;
        const F e = exp(load_part(x + i, part) - highest);
        store_part(out + i, e, part);
        for (int64_t j = 0; j < part; ++j) total += e[j];
    }
    for (int64_t i = 0; i < n; ++i) out[i] /= total;
}

}  // namespace

#define KLP_JOIN2(a, b) a##b
#define KLP_JOIN(a, b) KLP_JOIN2(a, b)
extern const Products KLP_JOIN(kProducts_, KLP_ISA);
const Products KLP_JOIN(kProducts_, KLP_ISA){prepared_bytes, token_bytes, prepare, multiply, rms_norm, swiglu, situ, each<exp>, each<sigmoid>, softmax};

}  // namespace klp
