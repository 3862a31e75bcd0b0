// tokenizer.json, as the tokenizers library writes it: byte-level BPE with its merges in a list, bytes spelled as printable characters.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/files/json.h"
#include "core/text/pretokenizer.h"
#include "core/text/vocabulary.h"

namespace klp {
namespace {

using nlohmann::json;

// What the file says with fields that this reader has no use for must say nothing that would change ids.
std::string unknown_feature(const json& root, const json& model, std::optional<Cutting> cutting) {
    const auto text = [](const json& j, const char* key) { return j.value(key, json()); };
    if (model.value("type", json("BPE")) != "BPE") return "model.type is " + text(model, "type").dump() + "; only BPE can be read";
    if (text(model, "byte_fallback") == true) return "model.byte_fallback is set; only byte-level vocabularies can be read";
    if (!text(model, "dropout").is_null()) return "model.dropout is set, so that ids would be chosen by chance";
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
        if (const json value = text(model, affix); value.is_string() && value != "")
            return std::string("model.") + affix + " is set, which this program does not know";
    // NFC is not made for those whose files ask for it: of a text that is in it already, as nearly all are, the ids are the same.
    if (const json normalizer = text(root, "normalizer");
        !normalizer.is_null() && !(cutting && cutting != Cutting::kimi && normalizer.is_object() && normalizer.value("type", json()) == "NFC"))
        return "normalizer is " + in_quotes(normalizer.is_object() ? normalizer.value("type", json("?")).dump() : normalizer.dump()) +
               ", which this program does not have";
    return "";
}

// The patterns that the pre-tokenizer splits with; nothing where it does something else.
std::optional<std::vector<std::string>> patterns(const json& pre) {
    if (!pre.is_object()) return std::nullopt;
    const std::string type = pre.value("type", json("")).is_string() ? pre.value("type", "") : "";
    if (type == "Sequence") {
        std::vector<std::string> all;
        for (const json& each : pre.value("pretokenizers", json::array())) {
            const auto some = patterns(each);
            if (!some) return std::nullopt;
            all.insert(all.end(), some->begin(), some->end());
        }
        return all;
    }
    if (type == "ByteLevel") {
        if (pre.value("use_regex", json(true)) != false || pre.value("add_prefix_space", json(true)) != false) return std::nullopt;
        return std::vector<std::string>();
    }
    const json behavior = pre.value("behavior", json("")), invert = pre.value("invert", json(false));
    if (type == "Split" && ((behavior == "Isolated" && invert == false) || (behavior == "Removed" && invert == true))) {  // what matches nothing is nowhere
        const json pattern = pre.value("pattern", json::object());
        if (pattern.is_object() && pattern.contains("Regex") && pattern["Regex"].is_string()) return std::vector{pattern["Regex"].get<std::string>()};
    }
    return std::nullopt;
}

}  // namespace

Result<TokenizerFiles> read_tokenizer_json(std::string_view text, std::string_view config, const std::filesystem::path& folder) {
    const std::string file = (folder / "tokenizer.json").string();
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + ": " + what); };
    auto parsed = parse_json(text, file);
    if (!parsed) return tl::unexpected(parsed.error());
    if (!parsed->is_object() || !parsed->contains("model") || !(*parsed)["model"].is_object()) return bad("model is not an object");
    const json &root = *parsed, &model = root["model"];
    const auto split = patterns(root.value("pre_tokenizer", json()));
    const auto cutting = split && split->size() == 1 ? cutting_of((*split)[0]) : std::nullopt;
    if (const std::string what = unknown_feature(root, model, cutting); !what.empty()) return bad(what);
    if (!cutting) return bad("pre_tokenizer cuts text in a way that this program does not know; it knows Kimi's, Ling's and Qwen's");
    if (!model.contains("vocab") || !model["vocab"].is_object()) return bad("model.vocab is not an object");
    if (!model.contains("merges") || !model["merges"].is_array()) return bad("model.merges is not a list");

    // Control tokens first: some files list them among the ordinary ones, too.
    std::map<int32_t, std::string> names;
    constexpr int64_t kLargestId = (1 << 24) - 1;
    const auto id_of = [&](const json& j) { return j.is_number_integer() && j >= 0 && j <= kLargestId ? j.get<int32_t>() : -1; };
    for (const json& added : root.value("added_tokens", json::array())) {
        const std::string field = "added_tokens[" + std::to_string(names.size()) + "]";
        if (!added.is_object() || !added.contains("content") || !added["content"].is_string() || added["content"].get_ref<const std::string&>().empty())
            return bad(field + ".content is not a text");
        const int32_t id = id_of(added.value("id", json()));
        if (id < 0) return bad(field + ".id is not an id");
        if (!names.emplace(id, added["content"].get<std::string>()).second) return bad(field + ".id is given twice");
    }

    const json& vocab = model["vocab"];
    int32_t most = -1;
    size_t bytes = 0;
    for (const auto& [spelled, id] : vocab.items()) {
        if (id_of(id) < 0) return bad("model.vocab[" + in_quotes(spelled) + "] is not an id");
        most = std::max(most, id_of(id)), bytes += spelled.size();
    }
    if (vocab.empty()) return bad("model.vocab holds no tokens");
    if (most >= 64 * static_cast<int64_t>(vocab.size()) + 65536)
        return bad("model.vocab has the id " + std::to_string(most) + " among " + std::to_string(vocab.size()) + " tokens");
    while (names.contains(most)) --most;  // control tokens at the end are not of the vocabulary
    TokenizerFiles files;
    Vocabulary& vocabulary = files.vocabulary;
    vocabulary.reserve(static_cast<size_t>(std::max(most, 0)) + 1, bytes);
    for (const auto& [spelled, id] : vocab.items()) {
        if (names.contains(id_of(id)) || id_of(id) > most) continue;
        const std::string field = "model.vocab[" + in_quotes(spelled) + "]";
        const size_t start = vocabulary.arena().size();
        if (!append_spelled(spelled, vocabulary.arena())) return bad(field + " is not spelled in bytes");
        if (vocabulary.has(id_of(id))) return bad(field + " has the id " + std::to_string(id_of(id)) + ", which another token has");
        vocabulary.add(id_of(id), start);  // spellings are distinct, and so are their bytes
    }
    if (const int byte = vocabulary.missing_byte(); byte >= 0) return bad("model.vocab has no token for the byte " + std::to_string(byte));
    int64_t number = 0;
    for (const json& merge : model["merges"]) {
        const std::string field = "model.merges[" + std::to_string(number++) + "]";
        std::string left, right;  // ["a", "b"], or "a b" in older files
        if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
            left = merge[0].get<std::string>(), right = merge[1].get<std::string>();
        } else if (merge.is_string()) {
            const auto& both = merge.get_ref<const std::string&>();
            const size_t space = both.find(' ');
            if (space == both.npos || both.find(' ', space + 1) != both.npos) return bad(field + " is not a pair");
            left = both.substr(0, space), right = both.substr(space + 1);
        } else {
            return bad(field + " is not a pair");
        }
        std::string a, b;
        const bool spelled = append_spelled(left, a) && append_spelled(right, b);
        const int32_t l = spelled ? vocabulary.find(a) : -1, r = spelled ? vocabulary.find(b) : -1, id = spelled ? vocabulary.find(a + b) : -1;
        if (l < 0 || r < 0 || id < 0) return bad(field + " joins what are no tokens of the vocabulary, or makes none");
        if (!vocabulary.add_merge(l, r, id)) return bad(field + " is given twice");
    }
    files.whole_first = model.value("ignore_merges", json(false)) == true;
    files.cutting = *cutting;
    if (auto added = add_specials(files, std::move(names), config, folder); !added) return tl::unexpected(added.error());
    return files;
}

}  // namespace klp
