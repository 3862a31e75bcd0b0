// Merges, and what a tokenizer says of ids. The files it is made of: tiktoken.cpp, tokenizer_json.cpp.
#include "core/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <system_error>

#include "core/files/json.h"
#include "core/text/pretokenizer.h"
#include "core/text/vocabulary.h"

namespace klp {
namespace {

// --- Merges -----------------------------------------------------------------------------------------------------------

// Joins the adjacent pair that merges first (ties: leftmost) until none does. A heap of candidates, so a piece of n bytes costs n log n.
class Merger {
public:
    Merger(const Vocabulary& vocabulary, bool whole_first) : vocabulary_(vocabulary), whole_first_(whole_first) {}

    void append_ids(std::string_view piece, std::vector<int32_t>& ids) {
        if (whole_first_ || piece.size() == 1)
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
            left.rank = best.id;
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
        int32_t order, id;
        uint32_t begin, end;
        static bool later(const Candidate& a, const Candidate& b) { return a.order != b.order ? a.order > b.order : a.begin > b.begin; }
    };
    void consider(std::string_view piece, uint32_t begin) {  // the part at `begin` with the one behind it
        const Part& left = parts_[begin];
        const uint32_t end = parts_[left.end].end;
        const Vocabulary::Merge merge = vocabulary_.merge(left.rank, parts_[left.end].rank, piece.substr(begin, end - begin));
        if (merge.order < 0) return;
        heap_.push_back({merge.order, merge.id, begin, end});
        std::push_heap(heap_.begin(), heap_.end(), Candidate::later);
    }
    const Vocabulary& vocabulary_;
    const bool whole_first_;
    std::vector<Part> parts_;
    std::vector<Candidate> heap_;
};

}  // namespace

// --- The tokenizer ----------------------------------------------------------------------------------------------------

struct Tokenizer::Impl : TokenizerFiles {
    std::map<int32_t, Piece> pieces;            // instead of a vocabulary
    std::map<int32_t, std::string_view> names;  // of the specials, by id
    std::vector<size_t> name_sizes;             // distinct, longest first
    std::array<bool, 256> begins_name{};
    std::atomic<bool> thinks = true;

    // The special token that stands at the front of `text`: where one name begins another, the longer.
    auto special_at(std::string_view text) const -> decltype(specials)::const_iterator {
        if (begins_name[static_cast<unsigned char>(text[0])])
            for (size_t size : name_sizes)
                if (size <= text.size())
                    if (const auto found = specials.find(text.substr(0, size)); found != specials.end()) return found;
        return specials.end();
    }
};

Tokenizer::Tokenizer(TokenizerFiles files) : impl_(std::make_unique<Impl>()) {
    static_cast<TokenizerFiles&>(*impl_) = std::move(files);
    for (const auto& [name, id] : impl_->specials) {
        impl_->names.emplace(id, name);
        impl_->name_sizes.push_back(name.size());
        impl_->begins_name[static_cast<unsigned char>(name[0])] = true;
    }
    std::sort(impl_->name_sizes.rbegin(), impl_->name_sizes.rend());
    impl_->name_sizes.erase(std::unique(impl_->name_sizes.begin(), impl_->name_sizes.end()), impl_->name_sizes.end());
}

Result<Tokenizer> Tokenizer::parse(std::string_view tiktoken, std::string_view config, const std::filesystem::path& folder) {
    auto files = read_tiktoken(tiktoken, config, folder);
    if (!files) return tl::unexpected(files.error());
    return Tokenizer(std::move(*files));
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

bool Tokenizer::lies_in(const std::filesystem::path& folder) {
    std::error_code none;
    return std::filesystem::exists(folder / "tiktoken.model", none) || std::filesystem::exists(folder / "tokenizer.json", none);
}

Result<TokenizerFiles> read_tokenizer(const std::filesystem::path& folder) {
    constexpr int64_t kLargestFile = 256 << 20;  // a hundred times the 48B's
    std::error_code error;
    const std::filesystem::path config_file = folder / "tokenizer_config.json";
    std::string config;
    if (std::filesystem::exists(config_file, error)) {
        auto text = read_text(config_file, kLargestFile);
        if (!text) return tl::unexpected(text.error());
        if (text->empty()) return fail(Error::model, config_file.string() + " is empty");
        config = std::move(*text);
    }
    const bool tiktoken = std::filesystem::exists(folder / "tiktoken.model", error) || !std::filesystem::exists(folder / "tokenizer.json", error);
    const auto text = read_text(folder / (tiktoken ? "tiktoken.model" : "tokenizer.json"), kLargestFile);
    if (!text) return tl::unexpected(text.error());
    auto files = tiktoken ? read_tiktoken(*text, config, folder) : read_tokenizer_json(*text, config, folder);
    if (const std::filesystem::path file = folder / "chat_template.jinja"; files && std::filesystem::exists(file, error)) {
        auto alone = read_text(file, 16 << 20);
        if (!alone) return tl::unexpected(alone.error());
        files->chat_template = std::move(*alone);
    } else if (files && config.find("\"chat_template\"") != config.npos) {
        files->chat_template = std::move(config);
    }
    return files;
}

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& folder) {
    auto files = read_tokenizer(folder);
    if (!files) return tl::unexpected(files.error());
    return Tokenizer(std::move(*files));
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
    Merger merger(impl_->vocabulary, impl_->whole_first);
    const auto encode_ordinary = [&](std::string_view part) {
        for_each_pretoken(
            part, [&](std::string_view piece) { merger.append_ids(piece, ids); }, impl_->cutting);
    };
    const auto encode_part = [&](std::string_view part) {
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
    };
    impl_->cutting == Cutting::kimi ? for_each_vendor_part(text, encode_part) : encode_part(text);
    return ids;
}

std::string_view Tokenizer::bytes(int32_t id) const {
    if (impl_->vocabulary.has(id)) return impl_->vocabulary.bytes(id);
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
    return std::max(impl_->vocabulary.size(), impl_->names.empty() ? 0 : impl_->names.rbegin()->first + 1);
}
const std::vector<int32_t>& Tokenizer::ends() const { return impl_->ends; }
const std::vector<std::string>& Tokenizer::notes() const { return impl_->notes; }
bool Tokenizer::thinks() const { return impl_->thinks; }
void Tokenizer::set_thinking(bool on) const { impl_->thinks = on; }
const std::string& Tokenizer::chat_template() const { return impl_->chat_template; }
bool Tokenizer::writes_thoughts() const { return impl_->chat_template.empty() || impl_->chat_template.find("<think>") != std::string::npos; }
bool Tokenizer::is_special(int32_t id) const { return impl_->names.contains(id); }
std::optional<int32_t> Tokenizer::special(std::string_view name) const {
    const auto found = impl_->specials.find(name);
    return found == impl_->specials.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace klp
