#include "core/text/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>
#include <new>
#include <string>

#include "core/text/utf8.h"
#include "kernels/tensor.h"

namespace klp {
namespace {

// The patterns are written for Rust's fancy-regex. The same language in PCRE2 needs care:
//   \s         is Unicode White_Space there; PCRE2 adds U+180E, so the class is spelled out
//   \p{Han}    is Script=Han there; PCRE2 takes Script_Extensions, which hold U+3001 and other punctuation, so it is sc:Han
//   [A&&[^B]]  PCRE2 has no intersections. The general categories partition all characters, so "letters but Ll, or marks, and no Han" is
//              "none of Han, Ll, N, P, S, Z, C": one class and no look-ahead, so that the longest run needs no backtracking stack
// PCRE2 10.42 (Debian 12, Ubuntu 24.04) knows Unicode 14, tiktoken 0.14 Unicode 16. The Han characters that came between are added by hand; other characters
// younger than the library (4,670 of them: Egyptian hieroglyphs, Kawi, Garay, ...) count as symbols where tiktoken sees letters, marks or digits.
const std::string young_han = R"(\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
const std::string white = R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

std::string ling_pattern() {
    const std::string letter = R"(\p{L})" + young_han, letter_or_number = R"(\p{N})" + letter;
    return "(?i:'[sdmt]|'ll|'ve|'re)|[^\\r\\n" + letter_or_number + "]?+[" + letter + R"(]+|\p{N})"  // \u017F is an s here, as there
           + "| ?[^" + white + letter_or_number + R"(]++[\r\n]*)"                                    //
           + "|[" + white + R"(]*[\r\n])"                                                            //
           + "|[" + white + "]+(?![^" + white + "])"                                                 //
           + "|[" + white + "]+";
}

std::string qwen_pattern(bool marks) {
    const std::string letter = R"(\p{L})" + young_han, letter_or_number = R"(\p{N})" + letter, word = letter + (marks ? R"(\p{M})" : "");
    return "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n" + letter_or_number + "]?[" + word + R"(]+|\p{N})"  //
           + "| ?[^" + white + letter_or_number + (marks ? R"(\p{M})" : "") + R"(]++[\r\n]*)"         //
           + "|[" + white + R"(]*[\r\n]+)"                                                            //
           + "|[" + white + "]+(?![^" + white + "])"                                                  //
           + "|[" + white + "]+";
}

std::string kimi_pattern() {
    const std::string letter_or_number = R"(\p{L}\p{N})" + young_han;
    const std::string prefix = R"([^\r\n)" + letter_or_number + "]?";
    const std::string upper = R"([^\p{sc:Han}\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C}])";        // and marks, and letters without case
    const std::string lower = R"([^\p{sc:Han}\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C}])";  // likewise
    const std::string contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";                    // \u017F is an s here, as there
    return R"([\p{sc:Han})" + young_han + "]+"                                          //
           + "|" + prefix + upper + "*" + lower + "+" + contraction                     //
           + "|" + prefix + upper + "+" + lower + "*" + contraction                     //
           + R"(|\p{N}{1,3})"                                                           //
           + "| ?[^" + white + letter_or_number + R"(]+[\r\n]*)"                        //
           + "|[" + white + R"(]*[\r\n]+)"                                              //
           + "|[" + white + "]+(?![^" + white + "])"                                    //
           + "|[" + white + "]+";
}

struct Pattern {
    pcre2_code* code = nullptr;
    pcre2_match_context* limits = nullptr;

    explicit Pattern(const std::string& text) {
        // Anchored here and not at every match, where it would rule out the compiled code.
        int error = 0;
        size_t offset = 0;
        code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr);
        KLP_CHECK(code != nullptr);
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where the system forbids it, the interpreter matches the same
        limits = pcre2_match_context_create(nullptr);
        KLP_CHECK(limits != nullptr);
        pcre2_set_match_limit(limits, UINT32_MAX);  // a run may be as long as the text, and every alternative is linear in it
    }
};

// Python's str.isspace, which is what the vendor's cut asks: White_Space and U+001C..1F.
bool is_python_space(std::string_view character) {
    const auto c = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
    if (character.size() == 2) return character == "\u0085" || character == "\u00A0";
    if (character.starts_with("\xE2\x80")) {  // U+2000..203F
        const auto last = static_cast<unsigned char>(character[2]);
        return last <= 0x8A || last == 0xA8 || last == 0xA9 || last == 0xAF;
    }
    return character == "\u1680" || character == "\u205F" || character == "\u3000";
}

}  // namespace

std::optional<Cutting> cutting_of(std::string_view regex) {
    const std::string prefix = R"([^\r\n\p{L}\p{N}]?)", contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]])", lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]])";
    const std::string kimi = R"([\p{Han}]+|)" + prefix + upper + "*" + lower + "+" + contraction + "|" + prefix + upper + "+" + lower + "*" + contraction +
                             R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    if (regex == kimi) return Cutting::kimi;
    constexpr std::string_view kLing = R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
    if (regex == kLing) return Cutting::ling;
    constexpr std::string_view kQwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    constexpr std::string_view kQwen35 =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    return regex == kQwen2 ? std::optional(Cutting::qwen2) : regex == kQwen35 ? std::optional(Cutting::qwen35) : std::nullopt;
}

void for_each_vendor_part(std::string_view text, const TextPart& part) {
    constexpr int kCharacters = 400'000, kRun = 25'000;
    if (text.size() <= kRun) return part(text);
    size_t begin = 0;
    int characters = 0, run = 0;
    bool in_space = false;
    for (size_t i = 0; i < text.size();) {
        const std::string_view character = text.substr(i, utf8_step(text.substr(i)).size);
        const bool space = is_python_space(character);
        if (characters == kCharacters) characters = run = 0;
        const bool cut = characters == 0 || (space == in_space && run == kRun);
        if (cut && i > begin) {
            part(text.substr(begin, i - begin));
            begin = i;
        }
        run = cut || space != in_space ? 1 : run + 1;
        in_space = space;
        ++characters;
        i += character.size();
    }
    part(text.substr(begin));
}

void for_each_pretoken(std::string_view text, const TextPart& piece, Cutting cutting) {
    static const Pattern* const patterns[] = {new Pattern(kimi_pattern()), new Pattern(ling_pattern()), new Pattern(qwen_pattern(false)),
                                              new Pattern(qwen_pattern(true))};  // for the life of the program, in the order of Cutting
    const Pattern& pattern = *patterns[static_cast<size_t>(cutting)];
    const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    if (!match) throw std::bad_alloc();
    for (size_t begin = 0; begin < text.size();) {
        const auto run = [&](uint32_t options) {
            return pcre2_match(pattern.code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin, PCRE2_NO_UTF_CHECK | options, match.get(),
                               pattern.limits);
        };
        int found = run(0);
        if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = run(PCRE2_NO_JIT);
        if (found == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
        KLP_CHECK(found > 0);  // every character begins some alternative
        const size_t end = pcre2_get_ovector_pointer(match.get())[1];
        piece(text.substr(begin, end - begin));
        begin = end;
    }
}

}  // namespace klp
