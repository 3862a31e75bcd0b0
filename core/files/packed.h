// Quantised weights as other tools keep them in safetensors: several tensors (values, scales) that make one.
#pragma once

#include <string>
#include <vector>

#include "core/files/mapped_source.h"

namespace klp {

// Puts together what belongs together, for reading. Other tensors stay.
//   compressed-tensors' `pack-quantized` (4 bits, symmetric, groups of 32 or a multiple of it)
//     X_packed I32 [out, in / 8], lowest nibble first, value = nibble - 8      X_scale [out, in / group]      X_shape
//     becomes X [out, in] of type q4_0, whose blocks hold the same nibbles and the group's scale: each value to the bit, where the scale is none of f16's
//     smallest.
//   compressed-tensors' `mxfp4-pack-quantized` (Kimi K3's experts)
//     X_packed U8 [out, in / 2], lowest nibble first, of E2M1      X_scale U8 or E8M0 [out, in / 32]
//     becomes X [out, in] of type mxfp4, to the bit.
//   fp8 (compressed-tensors' `float-quantized`, DeepSeek's, fbgemm's, modelopt's)
//     X F8_E4M3 [out, in]      X_scale or X_scale_inv: one, [out, 1], or [out / 128, in / 128] rounded up; f32, f16, bf16 or E8M0
//     becomes X [out, in] of type q8_0, a sixteenth larger: each value to 1/254 of the largest in its group of 32, which adds 2 % to what fp8's own rounding
//     (to 1/16 of the value) is off by. Engines that multiply in fp8 round x to it too; here x is rounded as for q8_0.
// An Error names the file, the tensor and what is wrong.
Result<std::vector<MappedTensor>> put_together(std::vector<MappedTensor> tensors, const std::vector<std::string>& files);

}  // namespace klp
