// f32, f16, bf16.
#include "kernels/dtypes/blocks.h"
#include "kernels/tensor.h"

namespace klp::blocks {
namespace {

float bits_to_float(uint32_t bits) { return read<float>(&bits); }
uint32_t float_to_bits(float f) { return read<uint32_t>(&f); }

}  // namespace

// Shifted into place the exponent is 112 too small: one exact multiplication puts it right, subnormals included. Only inf and NaN keep their own exponent.
float f16_to_float(uint16_t h) {
    const uint32_t sign = uint32_t{h & 0x8000u} << 16;
    const uint32_t magnitude = uint32_t{h & 0x7fffu} << 13;
    if ((h & 0x7c00u) == 0x7c00u) return bits_to_float(sign | magnitude | 0x7f800000u);
    return bits_to_float(sign | float_to_bits(bits_to_float(magnitude) * 0x1p112f));
}

// Normal numbers round by integer carry, subnormal ones by adding 0.5 so that the last kept bit is 2^-24.
uint16_t float_to_f16(float f) {
    const uint32_t bits = float_to_bits(f);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t h;
    if (magnitude > 0x7f800000u) {
        h = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
    } else if (magnitude >= 0x47800000u) {  // 65536
        h = 0x7c00u;
    } else if (magnitude < 0x38800000u) {  // 2^-14
        h = float_to_bits(bits_to_float(magnitude) + 0.5f) - 0x3f000000u;
    } else {
        h = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    }
    return static_cast<uint16_t>(sign | h);
}

void decode_f32(const void* block, float* v) { *v = read<float>(block); }
void encode_f32(const float* v, void* block) { write(block, *v); }
void decode_f16(const void* block, float* v) { *v = f16_to_float(read<uint16_t>(block)); }
void encode_f16(const float* v, void* block) { write(block, float_to_f16(*v)); }
void decode_bf16(const void* block, float* v) { *v = bf16_to_float(read<uint16_t>(block)); }
void encode_bf16(const float* v, void* block) { write(block, float_to_bf16(*v)); }

}  // namespace klp::blocks
