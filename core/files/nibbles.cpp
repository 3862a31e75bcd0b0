#include <cmath>
#include <span>
#include <vector>

#include "core/files/json.h"
#include "core/files/packed_formats.h"

namespace klp {

namespace {

constexpr int64_t kGroup = 32;   // values of a block of q4_0
constexpr int64_t kNibbles = 8;  // of a word

// 32 nibbles: values i and i + 16 share a byte in a block, neighbours in what comes.
void part(const uint8_t* neighbours, uint8_t* block) {
    for (int i = 0; i < 8; ++i) {
        block[2 * i] = static_cast<uint8_t>((neighbours[i] & 15) | (neighbours[i + 8] & 15) << 4);
        block[2 * i + 1] = static_cast<uint8_t>(neighbours[i] >> 4 | (neighbours[i + 8] & 0xf0));
    }
}

// One row: `in` values, their groups' scales. False where a scale is beyond what a half holds.
bool pack_row(const std::byte* nibbles, std::span<const float> scales, int64_t in, std::byte* to) {
    const int64_t blocks = in / kGroup, blocks_of_scale = blocks / static_cast<int64_t>(scales.size());
    const int bytes = info(DType::q4_0).bytes;
    for (int64_t b = 0; b < blocks; ++b, nibbles += kGroup / 2, to += bytes) {
        const float scale = scales[static_cast<size_t>(b / blocks_of_scale)];
        float kept;
        encode(DType::f16, &scale, 1, to);
        decode(DType::f16, to, 1, &kept);
        if (!std::isfinite(kept) || (kept == 0 && scale != 0)) return false;
        part(reinterpret_cast<const uint8_t*>(nibbles), reinterpret_cast<uint8_t*>(to + 2));
    }
    return true;
}

// MXFP4 of compressed-tensors: values of E2M1 and an exponent of E8M0 for each 32 of them, the very numbers of a block of mxfp4 in another order.
MappedTensor from_mxfp4(const MappedTensor& packed, const MappedTensor& scale, const std::string& name, const StoredParts& parts) {
    const int64_t rows = packed.info.shape[0], in = packed.info.shape[1] * 2, blocks = rows * in / kGroup;
    const int bytes = info(DType::mxfp4).bytes;
    MappedTensor made{
        .info = {name, DType::mxfp4, {rows, in}, blocks * bytes, "mxfp4 in two tensors"}, .data = nullptr, .file = packed.file, .said = in_quotes(name)};
    made.make = [nibbles = packed.data, exponents = scale.data, where = parts.place(scale), in, blocks, bytes](std::byte* to) -> Result<void> {
        for (int64_t b = 0; b < blocks; ++b, to += bytes) {
            if (exponents[b] == std::byte{255}) return fail(Error::model, where + ", row " + std::to_string(b / (in / kGroup)) + ": a scale that is no number");
            to[0] = exponents[b];
            part(reinterpret_cast<const uint8_t*>(nibbles) + b * kGroup / 2, reinterpret_cast<uint8_t*>(to + 1));
        }
        return {};
    };
    return made;
}

}  // namespace

Result<MappedTensor> from_nibbles(const MappedTensor& packed, const StoredParts& parts) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, parts.place(packed) + " " + what); };
    const std::string whole = packed.info.name.substr(0, packed.info.name.size() - kPacked.size());
    const MappedTensor* scale = parts.find(whole + "_scale");
    if (!scale) return bad("has no " + in_quotes(whole + "_scale") + " beside it");
    if (packed.info.stored == "U8" && (scale->info.stored == "U8" || scale->info.stored == "F8_E8M0")) {
        const std::vector<int64_t>&values = packed.info.shape, &scales = scale->info.shape;
        if (values.size() == 2 && scales.size() == 2 && values[0] == scales[0] && values[1] * 2 == scales[1] * kGroup)
            return from_mxfp4(packed, *scale, whole, parts);
        return bad("is U8 " + shape_text(values) + " with scales " + shape_text(scales) + " beside it; [out, in / 2] and [out, in / 32] belong together");
    }
    if (packed.info.stored != "I32" || packed.info.shape.size() != 2)
        return bad("is " + packed.info.stored + " " + shape_text(packed.info.shape) + " where I32 [out, in / 8] belongs");
    const int64_t rows = packed.info.shape[0], in = packed.info.shape[1] * kNibbles, groups = scale->info.shape.size() == 2 ? scale->info.shape[1] : 0;
    if (!scale->info.readable || info(scale->info.type).block != 1 || groups < 1 || scale->info.shape[0] != rows || in % (groups * kGroup) != 0)
        return bad("has scales " + scale->info.stored + " " + shape_text(scale->info.shape) + " beside it; groups of 32 values or a multiple of it belong to " +
                   shape_text({rows, in}));
    const int64_t row_bytes = in / kGroup * info(DType::q4_0).bytes, scale_bytes = groups * info(scale->info.type).bytes;
    MappedTensor made{.info = {whole, DType::q4_0, {rows, in}, rows * row_bytes, "int4 in groups of " + std::to_string(in / groups)},
                      .data = nullptr,
                      .file = packed.file,
                      .said = in_quotes(whole)};
    made.make = [nibbles = packed.data, scales = scale->data, type = scale->info.type, where = parts.place(*scale), rows, in, groups, row_bytes,
                 scale_bytes](std::byte* to) -> Result<void> {
        std::vector<float> row(static_cast<size_t>(groups));
        for (int64_t r = 0; r < rows; ++r) {
            decode(type, scales + r * scale_bytes, groups, row.data());
            if (!pack_row(nibbles + r * in / 2, row, in, to + r * row_bytes))
                return fail(Error::model, where + ", row " + std::to_string(r) + ": a scale that is no finite half (f16)");
        }
        return {};
    };
    return made;
}

}  // namespace klp
