// What a number is stored as, where it is and what shape it has. Nothing here computes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

#include "kernels/dtype.h"

namespace klp {

// Our own mistakes (a wrong shape handed to an op) stop the program in every build; bad files and bad devices never come here.
#define KLP_CHECK(condition)                                                                        \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            std::fprintf(stderr, "klp: %s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                           \
        }                                                                                           \
    } while (0)

struct DTypeInfo {
    DType type;
    std::string_view name;                             // as the command line and the checkpoint's metadata spell it
    int ggml;                                          // its number in GGUF files
    int block;                                         // elements in a block; a row holds whole blocks
    int bytes;                                         // bytes of a block
    std::array<int16_t, 2> halves;                     // where the halves are that a block's scales are made of, so what may be no number; -1: none
    DType beside;                                      // for matrices whose rows are no whole blocks; of blocks of 32, itself
    void (*decode)(const void* block, float* values);  // one block to floats
    void (*encode)(const float* values, void* block);  // nearest; null where nothing here writes this type
};

const DTypeInfo& info(DType type);
std::span<const DTypeInfo> dtypes();                 // every row, in the order of the enum
const DTypeInfo* find_dtype(std::string_view name);  // nullptr: no such type

// `n` values starting at a block boundary; n is a multiple of the block.
void decode(DType type, const void* data, int64_t n, float* values);
void encode(DType type, const float* values, int64_t n, void* data);

inline float bf16_to_float(uint16_t v) {
    const uint32_t bits = uint32_t{v} << 16;
    float f;
    static_assert(sizeof f == sizeof bits);
    __builtin_memcpy(&f, &bits, sizeof f);
    return f;
}
inline uint16_t float_to_bf16(float f) {  // to nearest, ties to even; NaN stays NaN
    uint32_t bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Pointer and shape of a row-major, contiguous tensor; owns nothing and lives as long as a call. `x(t, h, i)` is an element.
template <class T, int R>
struct View {
    T* data = nullptr;
    int64_t dim[R] = {};

    View() = default;
    View(T* data, std::initializer_list<int64_t> shape) : data(data) {
        KLP_CHECK(shape.size() == R);
        int i = 0;
        for (int64_t d : shape) dim[i++] = d;
    }
    // A view to write is a view to read.
    template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
    View(const View<U, R>& other) : data(other.data) {
        for (int i = 0; i < R; ++i) dim[i] = other.dim[i];
    }

    template <class... I>
    T& operator()(I... index) const {
        static_assert(sizeof...(I) == R);
        const int64_t at[] = {static_cast<int64_t>(index)...};
        int64_t offset = 0;
        for (int i = 0; i < R; ++i) offset = offset * dim[i] + at[i];
        return data[offset];
    }
    T* row(int64_t first) const { return data + first * (size() / (dim[0] ? dim[0] : 1)); }
    int64_t size() const {
        int64_t n = 1;
        for (int64_t d : dim) n *= d;
        return n;
    }
    explicit operator bool() const { return data != nullptr; }
};
template <int R>
using In = View<const float, R>;
template <int R>
using Out = View<float, R>;

// A matrix as it is stored, y = W x: `out` rows of `in` values in blocks of its type, rows contiguous.
// It points into a mapped file or a device's memory and owns neither.
struct Weight {
    const std::byte* data = nullptr;
    DType type = DType::f32;
    int64_t out = 0;
    int64_t in = 0;

    int64_t row_bytes() const { return in / info(type).block * info(type).bytes; }
    int64_t bytes() const { return out * row_bytes(); }
    const std::byte* row(int64_t r) const { return data + r * row_bytes(); }
    Weight rows(int64_t first, int64_t count) const { return {row(first), type, count, in}; }
    explicit operator bool() const { return data != nullptr; }
};

}  // namespace klp
