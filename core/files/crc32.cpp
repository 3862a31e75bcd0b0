#include "core/files/crc32.h"

#include <array>
#include <cstring>

namespace klp {

uint32_t crc32(std::string_view bytes, uint32_t before) {
    // Eight tables, eight bytes a step: the table of row r takes a byte r places further.
    static constexpr auto kTables = [] {
        std::array<std::array<uint32_t, 256>, 8> t{};
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
            t[0][i] = c;
        }
        for (size_t r = 1; r < 8; ++r)
            for (uint32_t i = 0; i < 256; ++i) t[r][i] = t[r - 1][i] >> 8 ^ t[0][t[r - 1][i] & 255];
        return t;
    }();
    uint32_t c = ~before;
    const char* at = bytes.data();
    size_t left = bytes.size();
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word = 0;
        std::memcpy(&word, at, 8);  // little-endian, as every machine this runs on
        word ^= c;
        c = 0;
        for (size_t i = 0; i < 8; ++i) c ^= kTables[7 - i][word >> 8 * i & 255];
    }
    for (; left > 0; ++at, --left) c = c >> 8 ^ kTables[0][(c ^ static_cast<unsigned char>(*at)) & 255];
    return ~c;
}

}  // namespace klp
