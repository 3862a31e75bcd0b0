// Quantised weights as other tools keep them in safetensors: several tensors (values, scales) that make one.
#pragma once

#include <string>
#include <vector>

#include "core/files/mapped_source.h"

namespace klp {

// Puts together what belongs together, for reading: of compressed-tensors' `pack-quantized` (4 bits, symmetric, groups of 32 or a multiple of it)
//     X_packed I32 [out, in / 8], lowest nibble first, value = nibble - 8      X_scale [out, in / group]      X_shape
// becomes X [out, in] of type q4_0, whose blocks hold the same nibbles and the group's scale: each value to the bit, where the scale is none of f16's smallest.
// Other tensors stay. An Error names the file, the tensor and what is wrong.
Result<std::vector<MappedTensor>> put_together(std::vector<MappedTensor> tensors, const std::vector<std::string>& files);

}  // namespace klp
