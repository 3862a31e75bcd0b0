// Peak loops for the instruction set KLP_ISA; everything but the table is local: see vector.inc.h.
#include "kernels/cpu/simd/peaks.h"

#include "kernels/cpu/simd/amx.inc.h"
#include "kernels/cpu/simd/rows.inc.h"

namespace klp {
namespace {

constexpr int kChains = 12;  // independent sums: latency times instructions a cycle, and they fit into 16 registers

// As if v were made anew here: the compiler may neither guess it nor drop it nor take what depends on it out of a loop. Costs no instruction.
template <class V>
inline void renew(V& v) {
#if defined(__x86_64__)
    __asm__ __volatile__("" : "+v"(v));
#elif defined(__aarch64__)
    __asm__ __volatile__("" : "+w"(v));
#else
    __asm__ __volatile__("" : "+m"(v));
#endif
}

template <class V, class StepOf>
inline double run(int64_t rounds, double per_step, V a, V b, const StepOf& step) {
    renew(b);
    V sums[kChains]{};
    for (V& s : sums) renew(s);  // or twelve equal sums would become one
    for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
        for (V& s : sums) {
            renew(a);
            s = step(s, a, b);
        }
    }
    for (V& s : sums) renew(s);
    return static_cast<double>(rounds) * kChains * per_step;
}

double f32(int64_t rounds) {
    return run(rounds, 2.0 * kLanes, splat(0.5f), splat(0.25f), [](F s, F a, F b) { return s * a + b; });
}

#if defined(__AMX_TILE__)
// Four sums from two tiles of each side, as deep as tiles are: 64 bytes.
double bf16(int64_t rounds) {
    shape_tiles(64, 16);
    for (int64_t i = 0; i < rounds; i += 16) {  // a tile keeps the unit busy for 16 cycles
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return static_cast<double>((rounds + 15) / 16) * 4 * 2 * 16 * 16 * 32;
}
double int8(int64_t rounds) {
    shape_tiles(64, 16);
    for (int64_t i = 0; i < rounds; i += 16) {
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    _tile_release();
    return static_cast<double>((rounds + 15) / 16) * 4 * 2 * 16 * 16 * 64;
}
#else
double bf16([[maybe_unused]] int64_t rounds) {
#if defined(__AVX512BF16__)
    return run(rounds, 64.0, splat(0.5f), splat(0.25f),
               [](F s, F a, F b) { return reinterpret_cast<F>(_mm512_dpbf16_ps(s, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b))); });
#else
    return 0;
#endif
}

double int8(int64_t rounds) {
#if defined(__AVX512VNNI__)
    return run(rounds, 8.0 * kLanes, splat(3), splat(5), [](I s, I a, I b) {
        return reinterpret_cast<I>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(s), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
    });
#else
    return run(rounds, 2.0 * kInLane * kLanes, splat(3), splat(5), [](I s, I a, I b) { return dot(s, a, b); });
#endif
}
#endif

uint32_t read(const void* data, size_t bytes) {
    const auto* p = static_cast<const char*>(data);
    constexpr int kVectors = 256 / static_cast<int>(sizeof(I));
    I total[kVectors]{};
    for (size_t i = 0; i < bytes; i += 256) {
        for (int line = 0; line < 4; ++line) prefetch(p + i + kAhead + line * 64);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) total[v] ^= load_as<I>(p + i + v * static_cast<int>(sizeof(I)));
    }
    I all{};
    for (const I& v : total) all ^= v;
    uint32_t x = 0;
    for (int i = 0; i < kLanes; ++i) x ^= static_cast<uint32_t>(all[i]);
    return x;
}

}  // namespace

#define KLP_JOIN2(a, b) a##b
#define KLP_JOIN(a, b) KLP_JOIN2(a, b)
extern const Peaks KLP_JOIN(kPeaks_, KLP_ISA);
const Peaks KLP_JOIN(kPeaks_, KLP_ISA){f32, bf16, int8, read};

}  // namespace klp
