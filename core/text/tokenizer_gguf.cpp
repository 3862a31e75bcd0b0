// tokenizer.ggml.*, the vocabulary inside a GGUF: tokens by id in GPT-2's spelling, and of what kind each is.
#include <algorithm>
#include <cstdint>

#include "core/files/json.h"
#include "core/text/vocabulary.h"

namespace klp {

Result<TokenizerFiles> read_gguf_tokens(const Gguf& head, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + ": tokenizer.ggml." + what); };
    const auto value = [&](const char* key) { return head.find("tokenizer.ggml." + std::string(key)); };
    for (const auto& [key, known] : {std::pair("model", "gpt2"), std::pair("pre", "kimi-k2")}) {
        const GgufValue* v = value(key);
        const auto text = v ? v->text() : std::nullopt;
        if (!text) return bad(std::string(key) + (v ? " is not a text" : " is missing"));
        if (*text != known)
            return bad(std::string(key) + " is " + in_quotes(*text) + ", which cuts text in a way that this program does not know; it knows '" + known + "'");
    }
    const GgufValue *token_list = value("tokens"), *type_list = value("token_type"), *merge_list = value("merges");
    const auto tokens = token_list ? token_list->texts() : std::nullopt;
    if (!tokens) return bad(token_list ? "tokens is not a list of texts" : "tokens is missing");
    const auto types = type_list ? type_list->integers() : std::nullopt;
    if (!types) return bad(type_list ? "token_type is not a list of whole numbers" : "token_type is missing");
    if (types->size() != tokens->size())
        return bad("token_type has " + std::to_string(types->size()) + " entries for " + std::to_string(tokens->size()) + " tokens");
    constexpr size_t kMostTokens = 1 << 24, kMostBytes = 256 << 20;
    size_t bytes = 0;
    for (std::string_view token : *tokens) bytes += token.size();
    if (tokens->size() > kMostTokens || bytes > kMostBytes) return bad("tokens is larger than any vocabulary");

    enum Kind { normal = 1, unused = 5 };  // all others are control tokens or meant to be found as a whole, which is the same here
    size_t ordinary = tokens->size();
    while (ordinary > 0 && (*types)[ordinary - 1] != normal) --ordinary;
    if (ordinary == 0) return bad("token_type has no ordinary token");
    TokenizerFiles files;
    Vocabulary& vocabulary = files.vocabulary;
    vocabulary.reserve(ordinary, bytes);
    std::map<int32_t, std::string> names;
    std::map<std::string_view, size_t> once;
    for (size_t id = 0; id < tokens->size(); ++id) {
        const std::string_view token = (*tokens)[id];
        const std::string field = "tokens[" + std::to_string(id) + "]";
        if ((*types)[id] == unused) continue;
        if (token.empty()) return bad(field + " is empty");
        if ((*types)[id] != normal) {
            const auto [other, fresh] = once.emplace(token, id);
            if (!fresh) return bad(field + ", " + in_quotes(token) + ", is also token " + std::to_string(other->second));
            names.emplace(static_cast<int32_t>(id), token);
            continue;
        }
        const size_t start = vocabulary.arena().size();
        if (!append_spelled(token, vocabulary.arena())) return bad(field + ", " + in_quotes(token) + ", is not spelled in bytes");
        if (const int32_t other = vocabulary.add(static_cast<int32_t>(id), start); other >= 0)
            return bad(field + " is the same token as " + std::to_string(other));
    }
    if (const int byte = vocabulary.missing_byte(); byte >= 0) return bad("tokens has no token for the byte " + std::to_string(byte));

    // Kimi's ids are its ranks, so the list of merges adds nothing, and files without one are whole. It is only looked at, lest the ids were other than that.
    const auto merges = merge_list ? merge_list->texts() : std::nullopt;
    if (merge_list && !merges) return bad("merges is not a list of texts");
    int32_t before = -1;
    std::string joined;
    for (size_t i = 0; merges && i < merges->size(); ++i) {
        const std::string_view merge = (*merges)[i];
        const std::string field = "merges[" + std::to_string(i) + "]";
        const size_t space = merge.find(' ');
        joined.clear();
        if (space == merge.npos || !append_spelled(merge.substr(0, space), joined) || !append_spelled(merge.substr(space + 1), joined))
            return bad(field + ", " + in_quotes(merge) + ", is not a pair");
        const int32_t id = vocabulary.find(joined);
        if (id < 0) return bad(field + ", " + in_quotes(merge) + ", makes no token of the vocabulary");
        if (id < before) return bad(field + " makes token " + std::to_string(id) + " behind " + std::to_string(before) + ": these ids are not Kimi's ranks");
        before = id;
    }
    if (auto added = add_specials(files, std::move(names), "", file); !added) return tl::unexpected(added.error());
    for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"})
        if (const GgufValue* v = value(name))
            if (const auto id = v->integer(); id && *id >= 0 && *id < static_cast<int64_t>(tokens->size())) files.ends.push_back(static_cast<int32_t>(*id));
    return files;
}

}  // namespace klp
