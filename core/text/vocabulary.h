// What the files of a vocabulary come to: tokens by id, how they merge, and the control tokens. A file format is one reader of this.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/files/gguf.h"
#include "core/text/pretokenizer.h"

namespace klp {

// Tokens by rank, and ranks by bytes through open addressing: two words a slot, because most look-ups of a merge find nothing and should not touch the bytes.
class Vocabulary {
public:
    void reserve(size_t ids, size_t bytes);
    std::string& arena() { return arena_; }  // the bytes of the next token are appended here, then add() is told where they start
    // The rank that already has these bytes, or -1 when they were added.
    int32_t add(int32_t rank, size_t start);
    int32_t of_byte(char byte) const { return of_byte_[static_cast<unsigned char>(byte)]; }  // -1: no such token
    int32_t find(std::string_view token) const;                                              // -1: no such token
    std::string_view bytes(int32_t rank) const { return std::string_view(arena_).substr(starts_[rank], ends_[rank] - starts_[rank]); }
    // The byte that has no token, so that some text would have no ids; -1: all have one.
    int missing_byte() const;

    // Merges in the order of a list instead of by the ids of what they make (tiktoken): `id` is what the pair becomes. False: the pair is listed already.
    bool add_merge(int32_t left, int32_t right, int32_t id);
    // What these two neighbours become, and when: the smallest order first. order < 0: they do not merge.
    struct Merge {
        int32_t order = -1, id = -1;
    };
    Merge merge(int32_t left, int32_t right, std::string_view both) const;
    std::vector<std::pair<int32_t, int32_t>> merges() const;  // the list, in its order; empty: by id

    bool has(int32_t rank) const { return rank >= 0 && rank < size() && ends_[static_cast<size_t>(rank)] > 0; }
    int32_t size() const { return static_cast<int32_t>(starts_.size()); }

private:
    struct Slot {
        uint32_t tag;
        int32_t rank;
    };
    size_t probe(std::string_view token, uint64_t hash) const;
    std::string arena_;
    std::vector<uint32_t> starts_, ends_;
    std::vector<Slot> slots_;
    std::unordered_map<uint64_t, Merge> merges_;  // by both ids; empty: by id
    size_t longest_ = 0;
    std::array<int32_t, 256> of_byte_ = [] {
        std::array<int32_t, 256> none;
        none.fill(-1);
        return none;
    }();
};

// Everything that a tokenizer is made of.
struct TokenizerFiles {
    Vocabulary vocabulary;
    std::map<std::string, int32_t, std::less<>> specials;  // control tokens; an id here is not in the vocabulary
    std::vector<int32_t> ends;                             // ids that end an answer, as the files say
    std::vector<std::string> notes;                        // sentences about what the files do not agree on
    bool whole_first = true;                               // a piece that is a token is not merged up to
    Cutting cutting = Cutting::kimi;
    std::string chat_template;  // beside it, or the file that holds it; "": none
};

// Those of a folder: tiktoken.model, or where there is none tokenizer.json, and beside it tokenizer_config.json.
Result<TokenizerFiles> read_tokenizer(const std::filesystem::path& folder);
// tiktoken.model: a line a token, its bytes in base64 and its rank. `config` is the text of tokenizer_config.json, or empty; `folder` is for messages.
Result<TokenizerFiles> read_tiktoken(std::string_view text, std::string_view config, const std::filesystem::path& folder);
// tokenizer.json of the tokenizers library: byte-level BPE whose pre-tokenizer is known.
Result<TokenizerFiles> read_tokenizer_json(std::string_view text, std::string_view config, const std::filesystem::path& folder);
// The tokens of a GGUF whose pre-tokenizer is known; `file` is for messages.
Result<TokenizerFiles> read_gguf_tokens(const Gguf& head, const std::string& file);
// The bytes of a token in GPT-2's spelling, where every byte is a printable character, appended to `out`; false: a character stands for no byte.
bool append_spelled(std::string_view spelled, std::string& out);
void append_spelling(std::string_view bytes, std::string& out);  // the way back
// tokenizer.ggml.* of a GGUF, and the ids of the control tokens that it names; nothing where there is no tokenizer but that. Every id of the model has a token,
// those of none an unused one. An Error: merges of Kimi's in another order than that of the ids, or more than three tokens that end an answer.
Result<std::vector<GgufPair>> gguf_vocabulary(const TokenizerFiles* files, const ModelConfig& config, const std::string& from);
// A vocabulary as the small files of a folder: tiktoken.model and tokenizer_config.json. An Error: some id below the largest is no token, which the first
// cannot say.
Result<std::vector<std::pair<std::string, std::string>>> tokenizer_files(const TokenizerFiles& files, const std::string& from);
// The control tokens: `names` of the files by id, beside them tokenizer_config.json's (added_tokens_decoder, eos_token), and in a vocabulary of 163,584
// ordinary tokens Kimi's own table. Where one of them says otherwise than the one before it, that one counts and a note says so.
Result<void> add_specials(TokenizerFiles& files, std::map<int32_t, std::string> names, std::string_view config, const std::filesystem::path& folder);

}  // namespace klp
