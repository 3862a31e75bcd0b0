// The GGUF format, versions 2 and 3, little-endian: metadata (a key, a type, a value), the table of tensors, the numbers. Everything that a file claims is
// checked before it is used, and nothing is copied: texts and lists are views of the file's bytes.
//
// Source: the format's own specification. Dimensions stand in the file fastest first; here they are turned round, as in every other checkpoint.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/files/weights.h"

namespace klp {

struct GgufValue {
    enum Type : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text_, list_, u64, i64, f64 };
    Type type = u8;
    Type element = u8;                 // of a list
    uint64_t count = 0;                // of a list
    std::span<const std::byte> bytes;  // of a text its characters; of a list everything behind its count

    // What it says, where it is of this kind; a whole number of any width, signed or not.
    std::optional<int64_t> integer() const;
    std::optional<double> number() const;
    std::optional<bool> flag() const;
    std::optional<std::string_view> text() const;  // any bytes: only names and keys are known to be UTF-8
    // Of a list of texts or of whole numbers (booleans are 0 and 1); nothing for any other value.
    std::optional<std::vector<std::string_view>> texts() const;
    std::optional<std::vector<int64_t>> integers() const;
    std::optional<std::vector<double>> numbers() const;  // of a list of f32 or f64
};

struct GgufTensor {
    TensorInfo info;
    int64_t begin = 0;  // bytes from the file's start
};

struct Gguf {
    uint32_t version = 3;
    std::vector<std::pair<std::string_view, GgufValue>> metadata;  // sorted by key
    std::vector<GgufTensor> tensors;                               // in file order

    const GgufValue* find(std::string_view key) const;  // nullptr: there is no such key
};

// A whole file in memory; `file` stands in the error. The views in it live as long as the bytes.
Result<Gguf> parse_gguf(std::span<const std::byte> bytes, const std::string& file);

// --- Writing --------------------------------------------------------------------------------------------------------

struct GgufPair {
    std::string key;
    std::variant<uint16_t, uint32_t, int32_t, uint64_t, float, bool, std::string, std::vector<int32_t>, std::vector<float>, std::vector<std::string>> value;
};
// Everything of a file in front of its numbers. The tensors follow in this order, each filled up to a multiple of kGgufAlignment bytes.
inline constexpr int64_t kGgufAlignment = 32;
std::string gguf_header(std::span<const GgufPair> metadata, std::span<const TensorInfo> tensors);

}  // namespace klp
