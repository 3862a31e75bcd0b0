#include "core/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"

namespace klp::fuzz {

namespace {

// The 256 lines of the single bytes, without which no file is accepted: an input that begins with '+' goes behind them.
const std::string& single_bytes() {
    static const std::string lines = [] {
        constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        std::string s;
        for (int b = 0; b < 256; ++b) s += {kDigits[b >> 2], kDigits[(b & 3) << 4], '=', '=', ' '}, s += std::to_string(b) + "\n";
        return s;
    }();
    return lines;
}

}  // namespace

void tokenizer(std::string_view bytes) {
    const size_t nul = bytes.find('\0');
    const std::string_view head = bytes.substr(0, nul), config = nul == bytes.npos ? "" : bytes.substr(nul + 1);
    const auto t = Tokenizer::parse(head.starts_with('+') ? single_bytes() + std::string(head.substr(1)) : std::string(head), config, "fuzz");
    if (!t) return one_sentence(t.error().message);
    const std::string_view text = bytes.substr(0, 512);
    KLP_CHECK(t->decode(t->encode(text)) == repair_utf8(text));
    for (int32_t id : t->encode(text, true)) KLP_CHECK(id >= 0 && id < t->vocab_size() && !t->bytes(id).empty());
}

}  // namespace klp::fuzz

KLP_FUZZ_TARGET(tokenizer)
