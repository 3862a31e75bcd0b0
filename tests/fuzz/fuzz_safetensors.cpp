#include "core/files/safetensors.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

namespace klp::fuzz {

static void read(std::string_view bytes) {
    const auto entries = parse_safetensors(std::as_bytes(std::span(bytes)), "fuzz");
    if (!entries) return one_sentence(entries.error().message);
    int64_t end = -1;
    for (const SafetensorsEntry& e : *entries) {  // they tile the file, and their shapes are as large as their bytes
        KLP_CHECK(e.begin >= 8 && e.info.bytes >= 0 && (end < 0 || e.begin == end));
        end = e.begin + e.info.bytes;
        int64_t values = 1;
        for (int64_t d : e.info.shape) values *= d;
        KLP_CHECK(!e.info.readable || value_count(e.info) == values);
    }
    KLP_CHECK(end < 0 || end == static_cast<int64_t>(bytes.size()));
}

void safetensors(std::string_view bytes) {
    read(bytes);
    // And with a length that is right for a header up to the first NUL behind it: most damage to a header changes its length, and would end there.
    if (bytes.size() < 8) return;
    const uint64_t header = std::min(bytes.find('\0', 8), bytes.size()) - 8;
    read(std::string(reinterpret_cast<const char*>(&header), 8) += bytes.substr(8));
}

}  // namespace klp::fuzz

KLP_FUZZ_TARGET(safetensors)
