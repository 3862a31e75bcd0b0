// Which instructions this machine has. One program holds the inner loops for all of them; KLP_ISA in the environment forces a lower one (tests, bug reports).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace klp {

// avx512_dot: with VNNI and BF16; amx: and matrix tiles. 64-bit ARM: portable uses NEON, which all of them have; neon_dot: with dot products of int8.
enum class Isa { portable, avx2, avx512, avx512_dot, amx, neon_dot };

std::string_view name(Isa isa);
Isa best_isa();                     // of this machine, or the one KLP_ISA names if the machine has it
std::vector<Isa> supported_isas();  // lowest first
std::string processor();            // the name it gives itself; "CPU" where it gives none

// Defines `const Type& function(Isa)`: the inner loops of one instruction set. Each of simd/*.cpp leaves a table of them, `table` with the set's name behind.
#if defined(__x86_64__)
#define KLP_TABLES(Type, function, table)                                                                                \
    extern const Type table##portable, table##avx2, table##avx512, table##avx512_dot, table##amx;                        \
    const Type& function(Isa isa) {                                                                                      \
        constexpr const Type* all[] = {&table##portable, &table##avx2, &table##avx512, &table##avx512_dot, &table##amx}; \
        return *all[static_cast<size_t>(isa)];                                                                           \
    }
#elif defined(__aarch64__)
#define KLP_TABLES(Type, function, table)               \
    extern const Type table##portable, table##neon_dot; \
    const Type& function(Isa isa) { return isa == Isa::neon_dot ? table##neon_dot : table##portable; }
#else
#define KLP_TABLES(Type, function, table) \
    extern const Type table##portable;    \
    const Type& function(Isa) { return table##portable; }
#endif

}  // namespace klp
