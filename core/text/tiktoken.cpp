// The vendor's own file of a vocabulary: tiktoken.model.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/files/json.h"
#include "core/text/vocabulary.h"

namespace klp {
namespace {

// Strict base64 with padding, appended to `out`.
bool decode_base64(std::string_view text, std::string& out) {
    static constexpr auto kValue = [] {
        std::array<int8_t, 256> value{};
        value.fill(-1);
        int8_t n = 0;
        for (unsigned char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) value[c] = n++;
        return value;
    }();
    if (text.empty() || text.size() % 4 != 0) return false;
    const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    uint32_t bits = 0;
    int count = 0;
    for (unsigned char c : text.substr(0, text.size() - padding)) {
        if (kValue[c] < 0) return false;
        bits = bits << 6 | static_cast<uint32_t>(kValue[c]);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> count & 0xFF));
        }
    }
    return true;
}

void encode_base64(std::string_view bytes, std::string& out) {
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
        for (size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
    }
}

Result<Vocabulary> parse_tiktoken(std::string_view text, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + what); };
    std::vector<std::string_view> lines;
    lines.reserve(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
    for (size_t i = 0; i < text.size();) {
        const size_t end = std::min(text.find('\n', i), text.size());
        std::string_view line = text.substr(i, end - i);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back(line);
        i = end + 1;
    }
    const size_t tokens = lines.size() - static_cast<size_t>(std::count(lines.begin(), lines.end(), std::string_view{}));
    if (tokens == 0) return bad(" holds no tokens");

    Vocabulary vocabulary;
    vocabulary.reserve(tokens, text.size());
    for (size_t n = 0; n < lines.size(); ++n) {
        const std::string_view line = lines[n];
        if (line.empty()) continue;
        const auto bad_line = [&](const std::string& what) { return bad(" line " + std::to_string(n + 1) + ": " + what); };
        const size_t space = line.find(' ');
        if (space == line.npos) return bad_line("expected base64 and a rank, got " + in_quotes(line));
        const std::string_view digits = line.substr(space + 1);
        uint32_t rank = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
        if (error != std::errc{} || end != digits.data() + digits.size()) return bad_line("the rank is not a number: " + in_quotes(digits));
        if (rank >= tokens) return bad_line("rank " + std::to_string(rank) + " in a file of " + std::to_string(tokens) + " tokens leaves a gap");
        if (vocabulary.has(static_cast<int32_t>(rank))) return bad_line("rank " + std::to_string(rank) + " is given twice");
        const size_t start = vocabulary.arena().size();
        if (!decode_base64(line.substr(0, space), vocabulary.arena())) return bad_line("not base64: " + in_quotes(line.substr(0, space)));
        const int32_t other = vocabulary.add(static_cast<int32_t>(rank), start);
        if (other >= 0) return bad_line("the same token as rank " + std::to_string(other));
    }
    if (const int byte = vocabulary.missing_byte(); byte >= 0) {  // so that every text has ids
        char hex[12];
        std::snprintf(hex, sizeof hex, "0x%02X", static_cast<unsigned>(byte));
        return bad(std::string(" has no token for the byte ") + hex);
    }
    return vocabulary;
}

}  // namespace

Result<TokenizerFiles> read_tiktoken(std::string_view text, std::string_view config, const std::filesystem::path& folder) {
    auto vocabulary = parse_tiktoken(text, (folder / "tiktoken.model").string());
    if (!vocabulary) return tl::unexpected(vocabulary.error());
    TokenizerFiles files{.vocabulary = std::move(*vocabulary)};
    if (auto added = add_specials(files, {}, config, folder); !added) return tl::unexpected(added.error());
    return files;
}

Result<std::vector<std::pair<std::string, std::string>>> tokenizer_files(const TokenizerFiles& files, const std::string& from) {
    if (files.cutting != Cutting::kimi)
        return fail(Error::failure, from + ": its tokenizer is not one that tiktoken.model can say; make a GGUF file of it instead");
    std::string ranks;
    for (int32_t id = 0; id < files.vocabulary.size(); ++id) {
        if (!files.vocabulary.has(id))
            return fail(Error::model, from + " has no ordinary token " + std::to_string(id) + " among its " + std::to_string(files.vocabulary.size()) +
                                          ", which tiktoken.model cannot say");
        encode_base64(files.vocabulary.bytes(id), ranks);
        ranks += ' ' + std::to_string(id) + '\n';
    }
    nlohmann::ordered_json config;
    config["added_tokens_decoder"] = nlohmann::json::object();
    for (const auto& [name, id] : files.specials) config["added_tokens_decoder"][std::to_string(id)] = {{"content", name}, {"special", true}};
    for (const auto& [name, id] : files.specials)
        if (!files.ends.empty() && id == files.ends[0]) config["eos_token"] = name;
    return std::vector{std::pair(std::string("tiktoken.model"), ranks),
                       std::pair(std::string("tokenizer_config.json"), config.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n")};
}

}  // namespace klp
