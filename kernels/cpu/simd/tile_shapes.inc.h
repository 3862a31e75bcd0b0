// Matrix tiles (AMX): their shapes, and the trap of g++'s intrinsics. For simd/*.cpp only; see vector.inc.h for why everything here has internal linkage.
#pragma once

#include "kernels/cpu/simd/vector.inc.h"

#if defined(__AMX_TILE__)

namespace klp {
namespace {

// The trap: g++'s tile intrinsics do not say that they read memory, so what was just written for them may be written too late or not at all. Before a tile or a
// shape is loaded from memory that this function wrote, everything must be settled.
inline void settle() { __asm__ __volatile__("" ::: "memory"); }

struct alignas(64) TileShapes {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};
// Tiles 0 to 3 are sums, 4 and 5 rows of weights, 6 and 7 tokens.
inline void shape_tiles(int weight_bytes, int token_rows) {
    TileShapes s;
    for (int t = 0; t < 8; ++t) {
        s.bytes[t] = static_cast<uint16_t>(t == 4 || t == 5 ? weight_bytes : 64);
        s.rows[t] = static_cast<uint8_t>(t >= 6 ? token_rows : 16);
    }
    __asm__ __volatile__("" : : "r"(&s) : "memory");  // settle(), and s is seen by somebody
    _tile_loadconfig(&s);
}

}  // namespace
}  // namespace klp

#endif
