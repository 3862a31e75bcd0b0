// Two groups of a block format as one vector of 64 bytes, for the loops of few tokens with VNNI, where what unpacking costs shows: the same bytes as pair() of
// formats.inc.h makes. Both groups come from one load that is there twice; shifts by lane take their bits apart, and rotations where one goes to the left and
// the other to the right: what they carry from byte to byte is masked. A part of products.cpp.
#pragma once

#include "kernels/cpu/simd/formats.inc.h"

#if defined(__AVX512VNNI__)

namespace klp {
namespace {

template <class Q>
inline __m512i pair_bytes(const Q& q, const char* w, int p) {
    Group pair[2];
    q.pair(w, p, pair);
    return _mm512_inserti64x4(_mm512_castsi256_si512(reinterpret_cast<__m256i>(pair[0])), reinterpret_cast<__m256i>(pair[1]), 1);
}

inline __m512i bytes(int b) { return _mm512_set1_epi8(static_cast<char>(b)); }
// 32 bytes twice.
inline __m512i both(const char* p) { return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline __m512i by_half(int64_t first, int64_t second) { return _mm512_set_epi64(second, second, second, second, first, first, first, first); }
// 16 bytes at a twice, then 16 at b.
inline __m512i each_twice(const char* a, const char* b) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a)), second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
    return _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(first), 0xff00, second);
}
// Their nibbles, low ones in front, in the low halves of bytes; what is above them is not cleared.
inline __m512i nibbles(const char* a, const char* b) { return _mm512_srlv_epi64(each_twice(a, b), _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0)); }
inline __m512i looked_up(const int8_t* table, __m512i nibbles) {
    const __m512i values = _mm512_xor_si512(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), bytes(128));
    return _mm512_shuffle_epi8(values, _mm512_and_si512(nibbles, bytes(15)));
}
// a | (b & mask)
inline __m512i with_bits(__m512i a, __m512i b, int mask) { return _mm512_ternarylogic_epi64(a, b, bytes(mask), 0xf8); }

inline __m512i pair_bytes(const Q4&, const char* w, int p) {
    const char* block = w + 2 * p * 18 + 2;
    return _mm512_and_si512(_mm512_sllv_epi64(each_twice(block, block + 18), _mm512_set_epi64(0, 0, 4, 4, 0, 0, 4, 4)), bytes(0xf0));
}
inline __m512i pair_bytes(const Q4_1&, const char* w, int p) {
    const char* block = w + 2 * p * 20 + 4;
    return _mm512_and_si512(nibbles(block, block + 20), bytes(15));
}
inline __m512i pair_bytes(const Q5_0&, const char* w, int p) {
    const char* block = w + 2 * p * 22;
    const __m512i low = _mm512_and_si512(_mm512_slli_epi64(nibbles(block + 6, block + 28), 3), bytes(0x78));
    return _mm512_mask_add_epi8(low, u32_at(block + 2) | uint64_t{u32_at(block + 24)} << 32, low, bytes(0x80));
}
inline __m512i pair_bytes(const Q5_1&, const char* w, int p) {
    const char* block = w + 2 * p * 24;
    const __m512i low = _mm512_and_si512(nibbles(block + 8, block + 32), bytes(15));
    return _mm512_mask_add_epi8(low, u32_at(block + 4) | uint64_t{u32_at(block + 28)} << 32, low, bytes(0x10));
}
inline __m512i pair_bytes(const Iq4Nl&, const char* w, int p) {
    const char* block = w + 2 * p * 18 + 2;
    return looked_up(blocks::kIq4Values, nibbles(block, block + 18));
}
inline __m512i pair_bytes(const Mxfp4&, const char* w, int p) {
    const char* block = w + 2 * p * 17 + 1;
    return looked_up(blocks::kMxfp4Values, nibbles(block, block + 17));
}
inline __m512i pair_bytes(const Iq4Xs&, const char* w, int p) {
    const char* block = w + 8 + 32 * p;
    return looked_up(blocks::kIq4Values, nibbles(block, block + 16));
}
inline __m512i pair_bytes(const Q4K&, const char* w, int p) { return _mm512_and_si512(_mm512_srlv_epi64(both(w + 16 + 32 * p), by_half(0, 4)), bytes(15)); }
inline __m512i pair_bytes(const Q5K&, const char* w, int p) {
    const __m512i low = _mm512_and_si512(_mm512_srlv_epi64(both(w + 48 + 32 * p), by_half(0, 4)), bytes(15));
    return with_bits(low, _mm512_rolv_epi64(both(w + 16), by_half((4 - 2 * p) & 63, (3 - 2 * p) & 63)), 0x10);
}
inline __m512i pair_bytes(const Q6K&, const char* w, int p) {
    const __m512i all = _mm512_loadu_si512(w + p / 2 * 64);
    const __m512i low = _mm512_and_si512(p % 2 ? _mm512_srli_epi64(all, 2) : _mm512_slli_epi64(all, 2), bytes(0x3c));
    const int at = p % 2 ? 2 : 6;
    return with_bits(low, _mm512_rolv_epi64(both(w + 128 + p / 2 * 32), by_half(at, at - 2)), 0xc0);
}
inline __m512i pair_bytes(const Q3K&, const char* w, int p) {
    const int t = p % 2 * 4;
    const __m512i low = _mm512_and_si512(_mm512_rolv_epi64(both(w + 32 + p / 2 * 32), by_half(5 - t, (3 - t) & 63)), bytes(0x60));
    return with_bits(low, _mm512_rolv_epi64(both(w), by_half(7 - 2 * p, 6 - 2 * p)), 0x80);
}
inline __m512i pair_bytes(const Q2K&, const char* w, int p) {
    return _mm512_and_si512(_mm512_srlv_epi64(both(w + 16 + p / 2 * 32), by_half(p % 2 * 4, p % 2 * 4 + 2)), bytes(3));
}

}  // namespace
}  // namespace klp

#endif
