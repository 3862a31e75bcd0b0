// Values into the type that a file will hold them in, piece by piece and by all cores.
#pragma once

#include "core/files/weights.h"

namespace klp {

inline constexpr int64_t kConvertPiece = 1 << 20;  // values at a time; whole blocks of every type

// An Error where one of n stored values, the first of which is value `first` of the tensor, is no finite number.
Result<void> check_piece(const TensorInfo& t, DType type, int64_t first, int64_t n, const std::byte* data);

// Floats into t's type, from value `first` of it on. An Error: one is not finite, or too large for that type.
Result<void> encode_piece(const TensorInfo& t, int64_t first, std::span<const float> values, std::byte* data);

// The same of values first .. first + count of a weight; those that are of this type already are copied to the bit.
Result<void> convert_piece(const TensorInfo& t, const Weight& from, int64_t first, int64_t count, std::byte* data);

}  // namespace klp
