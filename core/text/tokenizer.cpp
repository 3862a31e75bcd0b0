// The vocabulary (bytes to rank, by hash), its two files, and the merges.
#include "core/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/files/json.h"
#include "core/text/pretokenizer.h"

namespace klp {
namespace {

// --- The file ---------------------------------------------------------------------------------------------------------

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

// Tokens by rank, and ranks by bytes through open addressing: two words a slot, because most look-ups of a merge find nothing and should not touch the bytes.
class Vocabulary {
public:
    void reserve(size_t tokens, size_t bytes) {
        starts_.assign(tokens, 0);
        ends_.assign(tokens, 0);
        arena_.reserve(bytes);
        size_t slots = 16;
        while (slots < 2 * tokens) slots *= 2;
        slots_.assign(slots, {0, -1});
    }
    std::string& arena() { return arena_; }  // the bytes of the next token are appended here, then add() is told where they start
    // The rank that already has these bytes, or -1 when they were added.
    int32_t add(int32_t rank, size_t start) {
        const std::string_view token = std::string_view(arena_).substr(start);
        const uint64_t hash = hash_bytes(token);
        size_t at = probe(token, hash);
        if (slots_[at].rank >= 0) return slots_[at].rank;
        slots_[at] = {static_cast<uint32_t>(hash >> 32), rank};
        starts_[rank] = static_cast<uint32_t>(start);
        ends_[rank] = static_cast<uint32_t>(arena_.size());
        longest_ = std::max(longest_, token.size());
        if (token.size() == 1) of_byte_[static_cast<unsigned char>(token[0])] = rank;
        return -1;
    }
    int32_t of_byte(char byte) const { return of_byte_[static_cast<unsigned char>(byte)]; }  // -1: no such token
    int32_t find(std::string_view token) const { return token.size() > longest_ ? -1 : slots_[probe(token, hash_bytes(token))].rank; }
    std::string_view bytes(int32_t rank) const { return std::string_view(arena_).substr(starts_[rank], ends_[rank] - starts_[rank]); }
    bool has(int32_t rank) const { return ends_[rank] > 0; }
    int32_t size() const { return static_cast<int32_t>(starts_.size()); }

private:
    struct Slot {
        uint32_t tag;
        int32_t rank;
    };
    size_t probe(std::string_view token, uint64_t hash) const {
        const size_t mask = slots_.size() - 1;
        const auto tag = static_cast<uint32_t>(hash >> 32);
        for (size_t at = hash & mask;; at = (at + 1) & mask) {
            const Slot& slot = slots_[at];
            if (slot.rank < 0 || (slot.tag == tag && bytes(slot.rank) == token)) return at;
        }
    }
    std::string arena_;
    std::vector<uint32_t> starts_, ends_;
    std::vector<Slot> slots_;
    size_t longest_ = 0;
    std::array<int32_t, 256> of_byte_ = [] {
        std::array<int32_t, 256> none;
        none.fill(-1);
        return none;
    }();
};

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
    for (int byte = 0; byte < 256; ++byte) {  // so that every text has ids
        if (vocabulary.of_byte(static_cast<char>(byte)) >= 0) continue;
        char hex[8];
        std::snprintf(hex, sizeof hex, "0x%02X", byte);
        return bad(std::string(" has no token for the byte ") + hex);
    }
    return vocabulary;
}

using SpecialTokens = std::map<std::string, int32_t, std::less<>>;

// The 48B's table where its tokenizer_config.json is missing or silent. Its reserved block has 256 ids; the vendor's class makes two more (163840, 163841),
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

Result<SpecialTokens> parse_specials(std::string_view text, const std::string& file, int32_t ordinary) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + what); };
    constexpr int32_t kLargestId = (1 << 24) - 1;  // far above any vocabulary, far below overflow
    std::map<int32_t, std::string> names;
    if (!text.empty()) {
        const auto config = parse_json(text, file);
        if (!config) return tl::unexpected(config.error());
        if (!config->is_object()) return bad(" is not a JSON object");
        const auto added = config->value("added_tokens_decoder", nlohmann::json::object());
        if (!added.is_object()) return bad(": added_tokens_decoder is not an object");
        for (const auto& [key, value] : added.items()) {
            const std::string field = ": added_tokens_decoder[" + in_quotes(key) + "]";
            int32_t id = 0;
            const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
            if (error != std::errc{} || end != key.data() + key.size() || id < 0 || id > kLargestId) return bad(field + " is not an id");
            if (id < ordinary) return bad(field + " is the id of an ordinary token");
            if (!value.is_object() || !value.contains("content") || !value["content"].is_string() || value["content"].get_ref<const std::string&>().empty())
                return bad(field + ".content is not a text");
            if (!names.emplace(id, value["content"].get<std::string>()).second) return bad(field + " is given twice");
        }
    }
    if (ordinary == kKimiTokens) {
        if (names.empty())
            for (const NamedOffset& n : kKimiNames) names.emplace(ordinary + n.offset, n.name);
        for (int32_t id = ordinary; id < ordinary + kKimiSpecials; ++id) names.emplace(id, "<|reserved_token_" + std::to_string(id) + "|>");
    }
    SpecialTokens specials;
    for (const auto& [id, name] : names) {
        const auto [other, is_new] = specials.emplace(name, id);
        if (!is_new) return bad(": " + in_quotes(name) + " has two ids, " + std::to_string(other->second) + " and " + std::to_string(id));
    }
    return specials;
}

// --- Merges -----------------------------------------------------------------------------------------------------------

// Joins the adjacent pair of lowest rank (ties: leftmost) until no pair is a token. A heap of candidates, so a piece of n bytes costs n log n.
class Merger {
public:
    explicit Merger(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

    void append_ids(std::string_view piece, std::vector<int32_t>& ids) {
        if (const int32_t whole = vocabulary_.find(piece); whole >= 0) return ids.push_back(whole);
        const auto size = static_cast<uint32_t>(piece.size());
        parts_.resize(size + 1);
        for (uint32_t i = 0; i <= size; ++i) parts_[i] = {i == 0 ? 0 : i - 1, i + 1, i < size ? vocabulary_.of_byte(piece[i]) : -1};
        heap_.clear();
        for (uint32_t i = 0; i + 1 < size; ++i) consider(piece, i);
        while (!heap_.empty()) {
            const Candidate best = heap_.front();
            std::pop_heap(heap_.begin(), heap_.end(), Candidate::later);
            heap_.pop_back();
            Part& left = parts_[best.begin];
            if (left.rank < 0 || left.end == size || parts_[left.end].end != best.end) continue;  // one of the two has been merged since
            parts_[left.end].rank = -1;
            left.rank = best.rank;
            left.end = best.end;
            if (best.end < size) {
                parts_[best.end].previous = best.begin;
                consider(piece, best.begin);
            }
            if (best.begin > 0) consider(piece, left.previous);
        }
        for (uint32_t i = 0; i < size; i = parts_[i].end) ids.push_back(parts_[i].rank);
    }

private:
    struct Part {           // begins at its index
        uint32_t previous;  // where the part before begins
        uint32_t end;       // where the next one begins
        int32_t rank;       // -1: swallowed by the part before
    };
    struct Candidate {
        int32_t rank;
        uint32_t begin, end;
        static bool later(const Candidate& a, const Candidate& b) { return a.rank != b.rank ? a.rank > b.rank : a.begin > b.begin; }
    };
    void consider(std::string_view piece, uint32_t begin) {  // the part at `begin` with the one behind it
        const uint32_t end = parts_[parts_[begin].end].end;
        const int32_t rank = vocabulary_.find(piece.substr(begin, end - begin));
        if (rank < 0) return;
        heap_.push_back({rank, begin, end});
        std::push_heap(heap_.begin(), heap_.end(), Candidate::later);
    }
    const Vocabulary& vocabulary_;
    std::vector<Part> parts_;
    std::vector<Candidate> heap_;
};

}  // namespace

// --- The tokenizer ----------------------------------------------------------------------------------------------------

struct Tokenizer::Impl {
    Vocabulary vocabulary;
    std::map<int32_t, Piece> pieces;  // instead of it
    SpecialTokens specials;
    std::map<int32_t, std::string_view> names;  // of the specials, by id
    std::vector<size_t> name_sizes;             // distinct, longest first
    std::array<bool, 256> begins_name{};

    // The special token that stands at the front of `text`: where one name begins another, the longer.
    SpecialTokens::const_iterator special_at(std::string_view text) const {
        if (begins_name[static_cast<unsigned char>(text[0])])
            for (size_t size : name_sizes)
                if (size <= text.size())
                    if (const auto found = specials.find(text.substr(0, size)); found != specials.end()) return found;
        return specials.end();
    }
};

Result<Tokenizer> Tokenizer::parse(std::string_view tiktoken, std::string_view config, const std::filesystem::path& folder) {
    auto vocabulary = parse_tiktoken(tiktoken, (folder / "tiktoken.model").string());
    if (!vocabulary) return tl::unexpected(vocabulary.error());
    auto specials = parse_specials(config, (folder / "tokenizer_config.json").string(), vocabulary->size());
    if (!specials) return tl::unexpected(specials.error());
    auto impl = std::make_unique<Impl>();
    impl->vocabulary = std::move(*vocabulary);
    impl->specials = std::move(*specials);
    for (const auto& [name, id] : impl->specials) {
        impl->names.emplace(id, name);
        impl->name_sizes.push_back(name.size());
        impl->begins_name[static_cast<unsigned char>(name[0])] = true;
    }
    std::sort(impl->name_sizes.rbegin(), impl->name_sizes.rend());
    impl->name_sizes.erase(std::unique(impl->name_sizes.begin(), impl->name_sizes.end()), impl->name_sizes.end());
    return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::of_pieces(std::map<int32_t, Piece> pieces) {
    auto impl = std::make_unique<Impl>();
    impl->pieces = std::move(pieces);
    for (const auto& [id, piece] : impl->pieces) {
        if (!piece.special) continue;
        impl->specials.emplace(piece.bytes, id);
        impl->names.emplace(id, piece.bytes);
    }
    return Tokenizer(std::move(impl));
}

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& folder) {
    constexpr int64_t kLargestFile = 256 << 20;  // a hundred times the 48B's
    const auto tiktoken = read_text(folder / "tiktoken.model", kLargestFile);
    if (!tiktoken) return tl::unexpected(tiktoken.error());
    const std::filesystem::path config_file = folder / "tokenizer_config.json";
    std::error_code error;
    if (!std::filesystem::exists(config_file, error)) return parse(*tiktoken, "", folder);
    const auto config = read_text(config_file, kLargestFile);
    if (!config) return tl::unexpected(config.error());
    if (config->empty()) return fail(Error::model, config_file.string() + " is empty");
    return parse(*tiktoken, *config, folder);
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool parse_special) const {
    if (impl_->vocabulary.size() == 0) return {};
    std::string repaired;
    if (utf8_valid_prefix(text) < text.size()) text = repaired = repair_utf8(text);

    std::vector<int32_t> ids;
    Merger merger(impl_->vocabulary);
    const auto encode_ordinary = [&](std::string_view part) { for_each_pretoken(part, [&](std::string_view piece) { merger.append_ids(piece, ids); }); };
    for_each_vendor_part(text, [&](std::string_view part) {
        for (size_t i = 0; parse_special && i < part.size();) {
            const auto special = impl_->special_at(part.substr(i));
            if (special == impl_->specials.end()) {
                ++i;
                continue;
            }
            encode_ordinary(part.substr(0, i));
            ids.push_back(special->second);
            part.remove_prefix(i + special->first.size());
            i = 0;
        }
        encode_ordinary(part);
    });
    return ids;
}

std::string_view Tokenizer::bytes(int32_t id) const {
    if (id >= 0 && id < impl_->vocabulary.size()) return impl_->vocabulary.bytes(id);
    if (const auto piece = impl_->pieces.find(id); piece != impl_->pieces.end()) return piece->second.bytes;
    const auto name = impl_->names.find(id);
    return name == impl_->names.end() ? std::string_view{} : name->second;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool with_special) const {
    std::string all;
    for (int32_t id : ids)
        if (with_special || !is_special(id)) all += bytes(id);
    return repair_utf8(all);
}

int Tokenizer::vocab_size() const {
    if (!impl_->pieces.empty()) return impl_->pieces.rbegin()->first + 1;
    return impl_->names.empty() ? impl_->vocabulary.size() : impl_->names.rbegin()->first + 1;
}
bool Tokenizer::is_special(int32_t id) const { return impl_->names.contains(id); }
std::optional<int32_t> Tokenizer::special(std::string_view name) const {
    const auto found = impl_->specials.find(name);
    return found == impl_->specials.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace klp
