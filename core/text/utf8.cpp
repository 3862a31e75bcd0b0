#include "core/text/utf8.h"

namespace klp {

Utf8Step utf8_step(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {Utf8::whole, 1};
    if (lead < 0xC2 || lead > 0xF4) return {Utf8::broken, 1};
    const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < size; ++i, low = 0x80, high = 0xBF) {
        if (i == text.size()) return {Utf8::unfinished, i};
        if (byte(i) < low || byte(i) > high) return {Utf8::broken, i};
    }
    return {Utf8::whole, size};
}

size_t utf8_valid_prefix(std::string_view bytes) {
    size_t i = 0;
    while (i < bytes.size()) {
        const Utf8Step step = utf8_step(bytes.substr(i));
        if (step.kind != Utf8::whole) break;
        i += step.size;
    }
    return i;
}

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Appends `bytes` with broken parts replaced; returns where an unfinished last character begins (bytes.size(): there is none).
size_t append_repaired(std::string_view bytes, std::string& out) {
    size_t i = 0;
    for (;;) {
        const size_t whole = utf8_valid_prefix(bytes.substr(i));
        out.append(bytes, i, whole);
        i += whole;
        if (i == bytes.size()) return i;
        const Utf8Step step = utf8_step(bytes.substr(i));
        if (step.kind == Utf8::unfinished) return i;
        out += kReplacement;
        i += step.size;
    }
}

}  // namespace

std::string repair_utf8(std::string_view bytes) {
    std::string out;
    if (append_repaired(bytes, out) < bytes.size()) out += kReplacement;
    return out;
}

std::string Utf8Stream::push(std::string_view bytes) {
    pending_ += bytes;
    std::string out;
    pending_.erase(0, append_repaired(pending_, out));
    return out;
}

std::string Utf8Stream::finish() {
    std::string out(pending_.empty() ? std::string_view{} : kReplacement);
    pending_.clear();
    return out;
}

}  // namespace klp
