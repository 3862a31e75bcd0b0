#include "core/text/vocabulary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/files/json.h"
#include "core/text/utf8.h"

namespace klp {
namespace {

uint64_t hash_bytes(std::string_view s) {
    constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
    uint64_t h = s.size() * kMultiplier;
    const auto mix = [&](size_t i, size_t n) {
        uint64_t word = 0;
        std::memcpy(&word, s.data() + i, n);
        h = (h ^ word) * kMultiplier;
        h ^= h >> 32;
    };
    size_t i = 0;
    for (; i + 8 <= s.size(); i += 8) mix(i, 8);
    if (i < s.size()) mix(i, s.size() - i);
    return h;
}

// The 48B's table, for what its files do not name. Its reserved block has 256 ids; the vendor's class makes two more (163840, 163841),
// for which the model has no row, so we do not.
constexpr int32_t kKimiTokens = 163584;
constexpr int32_t kKimiSpecials = 256;
struct NamedOffset {
    int32_t offset;
    std::string_view name;
};
constexpr NamedOffset kKimiNames[] = {
    {0, "[BOS]"},
    {1, "[EOS]"},
    {2, "<|im_end|>"},
    {3, "<|im_user|>"},
    {4, "<|im_assistant|>"},
    {6, "<|start_header_id|>"},
    {7, "<|end_header_id|>"},
    {9, "[EOT]"},
    {10, "<|im_system|>"},
    {11, "<|tool_calls_section_begin|>"},
    {12, "<|tool_calls_section_end|>"},
    {13, "<|tool_call_begin|>"},
    {14, "<|tool_call_argument_begin|>"},
    {15, "<|tool_call_end|>"},
    {17, "<|im_middle|>"},
    {254, "[UNK]"},
    {255, "[PAD]"},
};

// Where an id may lie: far above any vocabulary, far below overflow.
constexpr int32_t kLargestId = (1 << 24) - 1;

// added_tokens_decoder of tokenizer_config.json, by id.
Result<std::map<int32_t, std::string>> added_tokens(const nlohmann::json& config, const std::string& file, const Vocabulary& vocabulary) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + what); };
    std::map<int32_t, std::string> names;
    const auto added = config.value("added_tokens_decoder", nlohmann::json::object());
    if (!added.is_object()) return bad(": added_tokens_decoder is not an object");
    for (const auto& [key, value] : added.items()) {
        const std::string field = ": added_tokens_decoder[" + in_quotes(key) + "]";
        int32_t id = 0;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
        if (error != std::errc{} || end != key.data() + key.size() || id < 0 || id > kLargestId) return bad(field + " is not an id");
        if (vocabulary.has(id)) return bad(field + " is the id of an ordinary token");
        if (!value.is_object() || !value.contains("content") || !value["content"].is_string() || value["content"].get_ref<const std::string&>().empty())
            return bad(field + ".content is not a text");
        if (!names.emplace(id, value["content"].get<std::string>()).second) return bad(field + " is given twice");
    }
    return names;
}

// The byte that a character of GPT-2's alphabet stands for: printable Latin-1 as itself, the other bytes from U+0100 on in order. -1: none.
int byte_of(char32_t c) {
    const auto itself = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF); };
    static const auto others = [&] {
        std::array<int, 68> all{};
        for (int b = 0, n = 0; b < 256; ++b)
            if (!itself(b)) all[static_cast<size_t>(n++)] = b;
        return all;
    }();
    if (c < 256) return itself(static_cast<int>(c)) ? static_cast<int>(c) : -1;
    return c - 256 < others.size() ? others[c - 256] : -1;
}

}  // namespace

bool append_spelled(std::string_view spelled, std::string& out) {
    for (size_t i = 0; i < spelled.size();) {
        const Utf8Step step = utf8_step(spelled.substr(i));
        const auto at = [&](size_t k) { return static_cast<char32_t>(static_cast<unsigned char>(spelled[i + k])); };
        const char32_t character = step.size == 1 ? at(0) : (at(0) & 31) << 6 | (at(1) & 63);
        const int byte = step.kind == Utf8::whole && step.size <= 2 ? byte_of(character) : -1;
        if (byte < 0) return false;
        out.push_back(static_cast<char>(byte));
        i += step.size;
    }
    return !spelled.empty();
}

void append_spelling(std::string_view bytes, std::string& out) {
    static const auto spellings = [] {
        std::array<std::string, 256> all;
        for (char32_t c = 0; c < 512; ++c)
            if (const int byte = byte_of(c); byte >= 0)
                all[static_cast<size_t>(byte)] =
                    c < 128 ? std::string(1, static_cast<char>(c)) : std::string{static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
        return all;
    }();
    for (const char byte : bytes) out += spellings[static_cast<unsigned char>(byte)];
}

void Vocabulary::reserve(size_t ids, size_t bytes) {
    starts_.assign(ids, 0);
    ends_.assign(ids, 0);
    arena_.reserve(bytes);
    size_t slots = 16;
    while (slots < 2 * ids) slots *= 2;
    slots_.assign(slots, {0, -1});
}

int32_t Vocabulary::add(int32_t rank, size_t start) {
    const std::string_view token = std::string_view(arena_).substr(start);
    const uint64_t hash = hash_bytes(token);
    const size_t at = probe(token, hash);
    if (slots_[at].rank >= 0) return slots_[at].rank;
    slots_[at] = {static_cast<uint32_t>(hash >> 32), rank};
    starts_[static_cast<size_t>(rank)] = static_cast<uint32_t>(start);
    ends_[static_cast<size_t>(rank)] = static_cast<uint32_t>(arena_.size());
    longest_ = std::max(longest_, token.size());
    if (token.size() == 1) of_byte_[static_cast<unsigned char>(token[0])] = rank;
    return -1;
}

int32_t Vocabulary::find(std::string_view token) const { return token.size() > longest_ ? -1 : slots_[probe(token, hash_bytes(token))].rank; }

size_t Vocabulary::probe(std::string_view token, uint64_t hash) const {
    const size_t mask = slots_.size() - 1;
    const auto tag = static_cast<uint32_t>(hash >> 32);
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        const Slot& slot = slots_[at];
        if (slot.rank < 0 || (slot.tag == tag && bytes(slot.rank) == token)) return at;
    }
}

int Vocabulary::missing_byte() const {
    const auto none = std::find(of_byte_.begin(), of_byte_.end(), -1);
    return none == of_byte_.end() ? -1 : static_cast<int>(none - of_byte_.begin());
}

bool Vocabulary::add_merge(int32_t left, int32_t right, int32_t id) {
    const auto both = static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
    return merges_.try_emplace(both, Merge{static_cast<int32_t>(merges_.size()), id}).second;
}

std::vector<std::pair<int32_t, int32_t>> Vocabulary::merges() const {
    std::vector<std::pair<int32_t, int32_t>> all(merges_.size());
    for (const auto& [both, merge] : merges_)
        all[static_cast<size_t>(merge.order)] = {static_cast<int32_t>(both >> 32), static_cast<int32_t>(both & 0xffffffff)};
    return all;
}

Vocabulary::Merge Vocabulary::merge(int32_t left, int32_t right, std::string_view both) const {
    if (merges_.empty()) {
        const int32_t id = find(both);
        return {id, id};
    }
    const auto found = merges_.find(static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right));
    return found == merges_.end() ? Merge{} : found->second;
}

Result<void> add_specials(TokenizerFiles& files, std::map<int32_t, std::string> names, std::string_view text, const std::filesystem::path& folder) {
    const std::string file = (folder / "tokenizer_config.json").string();
    std::map<std::string, int32_t, std::less<>>& specials = files.specials;
    // A name and its id, unless one of them is taken already by what counts more.
    const auto add = [&](int32_t id, const std::string& name, const std::string& whose) {
        if (const auto has = specials.find(name); has != specials.end()) {
            if (has->second != id)
                files.notes.push_back(in_quotes(name) + " is id " + std::to_string(has->second) + " here, and " + std::to_string(id) + " in " + whose);
        } else if (const auto [at, is_new] = names.emplace(id, name); !is_new && at->second != name) {
            files.notes.push_back("id " + std::to_string(id) + " is " + in_quotes(at->second) + " here, and " + in_quotes(name) + " in " + whose);
        } else {
            specials.emplace(name, id);
        }
    };
    for (const auto& [id, name] : names) {
        const auto [other, is_new] = specials.emplace(name, id);
        if (!is_new)
            return fail(Error::model, (folder / "tokenizer.json").string() + ": " + in_quotes(name) + " has two ids, " + std::to_string(other->second) +
                                          " and " + std::to_string(id));
    }
    std::string end;
    if (!text.empty()) {
        const auto config = parse_json(text, file);
        if (!config) return tl::unexpected(config.error());
        if (!config->is_object()) return fail(Error::model, file + " is not a JSON object");
        const auto added = added_tokens(*config, file, files.vocabulary);
        if (!added) return tl::unexpected(added.error());
        std::map<std::string, int32_t> once;
        for (const auto& [id, name] : *added) {
            if (const auto [other, is_new] = once.emplace(name, id); !is_new)
                return fail(Error::model, file + ": " + in_quotes(name) + " has two ids, " + std::to_string(other->second) + " and " + std::to_string(id));
            add(id, name, "tokenizer_config.json");
        }
        if (const auto eos = config->find("eos_token"); eos != config->end()) {  // a text, or an object around it
            const nlohmann::json& content = eos->is_object() ? eos->value("content", nlohmann::json()) : *eos;
            if (content.is_string()) end = content.get<std::string>();
        }
    }
    if (files.vocabulary.size() == kKimiTokens) {
        for (const NamedOffset& n : kKimiNames) add(kKimiTokens + n.offset, std::string(n.name), "Kimi's table");
        for (int32_t id = kKimiTokens; id < kKimiTokens + kKimiSpecials; ++id)
            if (!names.contains(id)) add(id, "<|reserved_token_" + std::to_string(id) + "|>", "Kimi's table");
    }
    if (const auto id = specials.find(end); !end.empty() && id != specials.end()) files.ends.push_back(id->second);
    return {};
}

}  // namespace klp
