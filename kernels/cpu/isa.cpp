#include "kernels/cpu/isa.h"

#include <cstdlib>
#include <fstream>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace klp {
namespace {

#if defined(__x86_64__)
bool has_f16c() {  // clang 14's __builtin_cpu_supports does not know the word
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

// Matrix tiles: the processor has them, the operating system keeps their 8 KiB of state, and it lets this process use them, once asked.
bool has_tiles() {
#if defined(__linux__)
    static const bool granted = [] {
        unsigned a, b, c, d, low, high;
        if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        constexpr unsigned kTileState = 3u << 17, kTile = 1u << 24, kInt8 = 1u << 25, kBf16 = 1u << 22;
        if ((low & kTileState) != kTileState || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (kTile | kInt8 | kBf16)) != (kTile | kInt8 | kBf16))
            return false;
        constexpr long kRequestPermission = 0x1023, kTileData = 18;
        return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
    }();
    return granted;
#else
    return false;
#endif
}

// The compiler's own test asks the operating system too (XGETBV), so that a kernel without AVX-512 state is not trusted with it.
bool has(Isa isa) {
    __builtin_cpu_init();
    switch (isa) {
        case Isa::portable:
            return true;
        case Isa::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
        case Isa::avx512:
            return has(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq");
        case Isa::avx512_dot:
            return has(Isa::avx512) && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
        case Isa::amx:
            return has(Isa::avx512_dot) && has_tiles();
        case Isa::neon_dot:
            return false;
    }
    return false;
}
#elif defined(__aarch64__) && defined(__linux__)
bool has(Isa isa) {
    constexpr unsigned long kDotProducts = 1 << 20;  // HWCAP_ASIMDDP
    return isa == Isa::portable || (isa == Isa::neon_dot && getauxval(AT_HWCAP) & kDotProducts);
}
#else
bool has(Isa isa) { return isa == Isa::portable; }
#endif

constexpr Isa kAll[] = {Isa::portable, Isa::avx2, Isa::avx512, Isa::avx512_dot, Isa::amx, Isa::neon_dot};

}  // namespace

std::string_view name(Isa isa) {
    switch (isa) {
        case Isa::portable:
            return "portable";
        case Isa::avx2:
            return "avx2";
        case Isa::avx512:
            return "avx512";
        case Isa::avx512_dot:
            return "avx512_dot";
        case Isa::amx:
            return "amx";
        case Isa::neon_dot:
            return "neon_dot";
    }
    return "";
}

std::vector<Isa> supported_isas() {
    std::vector<Isa> isas;
    for (Isa isa : kAll) {
        if (has(isa)) isas.push_back(isa);
    }
    return isas;
}

Isa best_isa() {
    const std::vector<Isa> isas = supported_isas();
    if (const char* wanted = std::getenv("KLP_ISA")) {
        for (Isa isa : isas) {
            if (name(isa) == wanted) return isa;
        }
    }
    return isas.back();
}

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (const size_t at = line.find(": "); line.starts_with("model name") && at != std::string::npos) return line.substr(at + 2);
    std::ifstream board("/sys/firmware/devicetree/base/model");  // ARM's cpuinfo has numbers only
    std::string name;
    return std::getline(board, name, '\0') && !name.empty() ? name : "CPU";
}

}  // namespace klp
