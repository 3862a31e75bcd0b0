// tokenizer.ggml.*, the vocabulary inside a GGUF: tokens by id in GPT-2's spelling, and of what kind each is.
#include <algorithm>
#include <cstdint>
#include <numeric>

#include "core/files/json.h"
#include "core/text/vocabulary.h"

namespace klp {

namespace {

// How text is cut, as tokenizer.ggml.pre says; of a cutting, the first is written.
struct PreRow {
    std::string_view name;
    Cutting cutting;
};
constexpr PreRow kPres[] = {
    {"kimi-k2", Cutting::kimi}, {"bailingmoe2", Cutting::ling}, {"bailingmoe", Cutting::ling}, {"qwen35", Cutting::qwen35}, {"qwen2", Cutting::qwen2}};

enum TokenKind { normal_token = 1, control_token = 3, unused_token = 5 };  // tokenizer.ggml.token_type

// The two tokens that byte pair encoding joins to this one last: it runs as if only smaller ids existed. Nothing where something else than two is left.
std::string last_merge(const Vocabulary& vocabulary, int32_t id) {
    const std::string_view token = vocabulary.bytes(id);
    std::vector<size_t> cuts(token.size() + 1);
    std::iota(cuts.begin(), cuts.end(), size_t{0});
    const auto joined = [&](size_t i) {  // the token that the parts behind cuts i and i + 1 make
        const int32_t made = vocabulary.find(token.substr(cuts[i], cuts[i + 2] - cuts[i]));
        return made < 0 || made >= id ? INT32_MAX : made;
    };
    while (cuts.size() > 3) {
        size_t best = 0;
        for (size_t i = 1; i + 2 < cuts.size(); ++i)
            if (joined(i) < joined(best)) best = i;
        if (joined(best) == INT32_MAX) return "";
        cuts.erase(cuts.begin() + static_cast<int64_t>(best) + 1);
    }
    if (cuts.size() < 3) return "";
    std::string pair;
    append_spelling(token.substr(0, cuts[1]), pair);
    append_spelling(token.substr(cuts[1]), pair += ' ');
    return pair;
}

// Whether neighbours merge exactly where that makes a token, smaller ids first: a list of merges need not say so.
bool merges_by_id(const Vocabulary& vocabulary) {
    int32_t before = -1;
    for (int32_t id = 0; id < vocabulary.size(); ++id) {
        if (!vocabulary.has(id)) continue;
        const std::string_view token = vocabulary.bytes(id);
        int32_t last = before;
        for (size_t cut = 1; cut < token.size(); ++cut) {
            const int32_t left = vocabulary.find(token.substr(0, cut)), right = vocabulary.find(token.substr(cut));
            if (left < 0 || right < 0) continue;
            const int32_t order = vocabulary.merge(left, right, token).order;
            if (order <= before) return false;
            last = std::max(last, order);
        }
        before = last;
    }
    return true;
}

}  // namespace

Result<TokenizerFiles> read_gguf_tokens(const Gguf& head, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + ": tokenizer.ggml." + what); };
    const auto value = [&](const char* key) { return head.find("tokenizer.ggml." + std::string(key)); };
    TokenizerFiles files;
    for (const char* key : {"model", "pre"}) {
        const GgufValue* v = value(key);
        const auto text = v ? v->text() : std::nullopt;
        if (!text) return bad(std::string(key) + (v ? " is not a text" : " is missing"));
        const bool pre = key == std::string_view("pre");
        const auto row = std::find_if(std::begin(kPres), std::end(kPres), [&](const PreRow& r) { return r.name == *text; });
        if (pre ? row == std::end(kPres) : *text != "gpt2")
            return bad(std::string(key) + " is " + in_quotes(*text) + ", which cuts text in a way that this program does not know; it knows " +
                       (pre ? "'kimi-k2', 'bailingmoe2', 'qwen35' and 'qwen2'" : "'gpt2'"));
        if (pre) files.cutting = row->cutting;
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

    // All other kinds are control tokens or meant to be found as a whole, which is the same here.
    size_t ordinary = tokens->size();
    while (ordinary > 0 && (*types)[ordinary - 1] != normal_token) --ordinary;
    if (ordinary == 0) return bad("token_type has no ordinary token");
    Vocabulary& vocabulary = files.vocabulary;
    vocabulary.reserve(ordinary, bytes);
    std::map<int32_t, std::string> names;
    std::map<std::string_view, size_t> once;
    for (size_t id = 0; id < tokens->size(); ++id) {
        const std::string_view token = (*tokens)[id];
        const std::string field = "tokens[" + std::to_string(id) + "]";
        if ((*types)[id] == unused_token) continue;
        if (token.empty()) return bad(field + " is empty");
        if ((*types)[id] != normal_token) {
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
    const bool listed = files.cutting != Cutting::kimi;
    files.whole_first = !listed;
    const auto merges = merge_list ? merge_list->texts() : std::nullopt;
    if (merge_list && !merges) return bad("merges is not a list of texts");
    if (listed && !merges) return bad("merges is missing");
    int32_t before = -1;
    std::string joined;
    for (size_t i = 0; merges && i < merges->size(); ++i) {
        const std::string_view merge = (*merges)[i];
        const std::string field = "merges[" + std::to_string(i) + "]";
        const size_t space = merge.find(' ');
        joined.clear();
        if (space == merge.npos || !append_spelled(merge.substr(0, space), joined)) return bad(field + ", " + in_quotes(merge) + ", is not a pair");
        const size_t half = joined.size();
        if (!append_spelled(merge.substr(space + 1), joined)) return bad(field + ", " + in_quotes(merge) + ", is not a pair");
        const int32_t id = vocabulary.find(joined);
        if (id < 0) return bad(field + ", " + in_quotes(merge) + ", makes no token of the vocabulary");
        if (listed) {
            const int32_t left = vocabulary.find(std::string_view(joined).substr(0, half)), right = vocabulary.find(std::string_view(joined).substr(half));
            if (left < 0 || right < 0) return bad(field + ", " + in_quotes(merge) + ", joins what are no tokens of the vocabulary");
            if (!vocabulary.add_merge(left, right, id)) return bad(field + ", " + in_quotes(merge) + ", is given twice");
            continue;
        }
        if (id < before) return bad(field + " makes token " + std::to_string(id) + " behind " + std::to_string(before) + ": these ids are not Kimi's ranks");
        before = id;
    }
    if (const GgufValue* chat = head.find("tokenizer.chat_template")) files.chat_template = chat->text().value_or("");
    if (auto added = add_specials(files, std::move(names), "", file); !added) return tl::unexpected(added.error());
    for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"})
        if (const GgufValue* v = value(name))
            if (const auto id = v->integer(); id && *id >= 0 && *id < static_cast<int64_t>(tokens->size())) files.ends.push_back(static_cast<int32_t>(*id));
    return files;
}

Result<std::vector<GgufPair>> gguf_vocabulary(const TokenizerFiles* files, const ModelConfig& config, const std::string& from) {
    std::vector<GgufPair> pairs;
    const auto put = [&](const char* key, auto value) { pairs.push_back({"tokenizer.ggml." + std::string(key), std::move(value)}); };
    const auto put_id = [&](const char* key, int64_t id) {
        if (id >= 0) put(key, static_cast<uint32_t>(id));
    };
    std::vector<int32_t> ends(config.eos_token_ids.begin(), config.eos_token_ids.end());
    for (size_t i = 0; files && i < files->ends.size(); ++i)
        if (std::find(ends.begin(), ends.end(), files->ends[i]) == ends.end()) ends.push_back(files->ends[i]);
    constexpr const char* kEnds[] = {"eos_token_id", "eot_token_id", "eom_token_id"};
    if (ends.size() > std::size(kEnds))
        return fail(Error::failure, from + " names " + std::to_string(ends.size()) + " tokens that end an answer; a GGUF file has room for three");
    for (size_t i = 0; i < ends.size(); ++i) put_id(kEnds[i], ends[i]);
    put_id("bos_token_id", config.bos_token_id);
    put_id("padding_token_id", config.pad_token_id);
    if (!files) {
        put("model", std::string("none"));
        return pairs;
    }

    const Vocabulary& vocabulary = files->vocabulary;
    const auto listed = vocabulary.merges();
    if (files->cutting == Cutting::kimi && !merges_by_id(vocabulary))
        return fail(Error::failure, from + ": its tokenizer merges in another order than that of its ids, which is not how Kimi's in a GGUF file do");
    std::vector<std::string> tokens, merges;
    std::vector<int32_t> kinds;
    for (int32_t id = 0; id < config.vocab_size; ++id) {
        tokens.push_back("[PAD" + std::to_string(id) + "]"), kinds.push_back(unused_token);
        if (id >= vocabulary.size() || !vocabulary.has(id)) continue;
        tokens.back().clear(), kinds.back() = normal_token;
        append_spelling(vocabulary.bytes(id), tokens.back());
        if (files->cutting != Cutting::kimi) continue;
        if (std::string merge = last_merge(vocabulary, id); !merge.empty()) merges.push_back(std::move(merge));
    }
    for (size_t i = 0; i < listed.size() && files->cutting != Cutting::kimi; ++i) {
        append_spelling(vocabulary.bytes(listed[i].first), merges.emplace_back());
        append_spelling(vocabulary.bytes(listed[i].second), merges.back() += ' ');
    }
    for (const auto& [name, id] : files->specials)
        if (id < config.vocab_size) tokens[static_cast<size_t>(id)] = name, kinds[static_cast<size_t>(id)] = control_token;
    if (const auto unknown = files->specials.find("[UNK]"); unknown != files->specials.end() && unknown->second < config.vocab_size)
        put_id("unknown_token_id", unknown->second);
    put("model", std::string("gpt2"));
    put("pre", std::string(std::find_if(std::begin(kPres), std::end(kPres), [&](const PreRow& r) { return r.cutting == files->cutting; })->name));
    put("tokens", std::move(tokens));
    put("token_type", std::move(kinds));
    put("merges", std::move(merges));
    return pairs;
}

}  // namespace klp
