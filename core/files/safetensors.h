// The safetensors format: eight bytes of length, a JSON header, the numbers. Everything a header claims is checked before anything is used.
//
// A quantised matrix, which the format does not know, is stored as U8 [out, bytes of a row], and `__metadata__` says "<tensor name>": "q8_0".
#pragma once

#include "core/files/weights.h"

namespace klp {

struct SafetensorsEntry {
    TensorInfo info;
    int64_t begin = 0;  // bytes from the file's start
};

// The entries of a whole file in memory, in the order of their bytes. `file` stands in the error.
Result<std::vector<SafetensorsEntry>> parse_safetensors(std::span<const std::byte> bytes, const std::string& file);

// The header of a file with these tensors, one behind the other, length included; it ends on a multiple of 64 bytes.
std::string safetensors_header(std::span<const TensorInfo> tensors);
std::string_view safetensors_name(DType type);  // "F32", "BF16", "U8" for block types

}  // namespace klp
