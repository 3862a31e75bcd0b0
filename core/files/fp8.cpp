#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/files/packed_formats.h"

namespace klp {

namespace {

constexpr int64_t kBlock = 32;             // values of a block of q8_0
constexpr int64_t kSquare = 128;           // rows, and columns, that share a scale
constexpr float kLargest = 127 * 65504.f;  // of q8_0, whose scale is a half

// E4M3 (OCP, 8-bit floating point, table 1): four bits of exponent, three of fraction, no infinities; the largest is 448.
std::array<float, 256> e4m3() {
    std::array<float, 256> values;
    for (int bits = 0; bits < 256; ++bits) {
        const int exponent = bits >> 3 & 15, fraction = bits & 7;
        const float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9) : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
        values[static_cast<size_t>(bits)] = (bits & 127) == 127 ? NAN : bits & 128 ? -size : size;
    }
    return values;
}

// The scales, [rows, columns], as f32.
struct Scales {
    const std::byte* data;
    DType type;
    bool exponents;               // E8M0: 2^(e - 127)
    int64_t rows, columns, side;  // `side` rows and columns of the weights have one

    std::vector<float> read() const {
        std::vector<float> values(static_cast<size_t>(rows * columns));
        if (!exponents) decode(type, data, rows * columns, values.data());
        for (size_t i = 0; exponents && i < values.size(); ++i) values[i] = data[i] == std::byte{255} ? NAN : std::ldexp(1.f, static_cast<int>(data[i]) - 127);
        return values;
    }
};

}  // namespace

Result<MappedTensor> from_fp8(const MappedTensor& values, const MappedTensor& scale, const StoredParts& parts) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, parts.place(values) + " " + what); };
    if (values.info.shape.size() != 2 || values.info.shape[1] % kBlock != 0)
        return bad("is fp8 of " + shape_text(values.info.shape) + " where [out, in] belongs, `in` a multiple of " + std::to_string(kBlock));
    const int64_t rows = values.info.shape[0], in = values.info.shape[1];
    std::vector<int64_t> shape = scale.info.shape;
    shape.resize(std::max<size_t>(2, shape.size()), 1);
    const auto squares = [](int64_t n) { return (n + kSquare - 1) / kSquare; };
    const bool one = shape == std::vector<int64_t>{1, 1}, per_row = shape == std::vector<int64_t>{rows, 1},
               per_square = shape == std::vector<int64_t>{squares(rows), squares(in)};
    const bool exponents = scale.info.stored == "F8_E8M0";
    if ((!one && !per_row && !per_square) || !(exponents || (scale.info.readable && info(scale.info.type).block == 1)))
        return bad("has scales " + scale.info.stored + " " + shape_text(scale.info.shape) +
                   " beside it; one, or one for each row, or one for each 128 x 128 values belong to " + shape_text({rows, in}));
    const Scales scales{scale.data, scale.info.type, exponents, shape[0], shape[1], one ? INT64_MAX : per_row ? 1 : kSquare};
    const int64_t row_bytes = in / kBlock * info(DType::q8_0).bytes;
    MappedTensor made{.info = {values.info.name,
                               DType::q8_0,
                               {rows, in},
                               rows * row_bytes,
                               one       ? "fp8 under one scale"
                               : per_row ? "fp8 per channel"
                                         : "fp8 in blocks of 128 x 128"},
                      .data = nullptr,
                      .file = values.file,
                      .said = values.said};
    made.make = [data = values.data, scales, where = parts.place(values), rows, in, row_bytes](std::byte* to) -> Result<void> {
        static const std::array<float, 256> kValue = e4m3();
        const std::vector<float> scale = scales.read();
        std::vector<float> row(static_cast<size_t>(in));
        for (int64_t r = 0; r < rows; ++r) {
            const float* of_row = scale.data() + (scales.rows == 1 ? 0 : r / scales.side) * scales.columns;
            bool wrong = false;
            for (int64_t i = 0; i < in; ++i) {
                const float v = kValue[static_cast<size_t>(data[r * in + i])] * of_row[scales.columns == 1 ? 0 : i / kSquare];
                row[static_cast<size_t>(i)] = v;
                wrong |= !(std::fabs(v) <= kLargest);
            }
            if (wrong) return fail(Error::model, where + ", row " + std::to_string(r) + ": a value that is no number, or beyond what q8_0 holds");
            encode(DType::q8_0, row.data(), in, to + r * row_bytes);
        }
        return {};
    };
    return made;
}

}  // namespace klp
