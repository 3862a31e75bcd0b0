// Text to ids and back: byte-level BPE with Kimi's pre-tokenisation. Immutable after load; any thread may call it.
//
//   auto tokenizer = Tokenizer::load("models/demo");
//   std::vector<int32_t> ids = tokenizer->encode("Hello, who are you?");
//   std::string text = tokenizer->decode(ids);
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/utf8.h"
#include "kernels/backend.h"

namespace klp {

struct TokenizerFiles;

class Tokenizer {
public:
    // Reads tiktoken.model, or where there is none tokenizer.json, and beside it tokenizer_config.json. A vocabulary of 163,584 tokens has Kimi's control
    // tokens whether its files name them or not.
    static Result<Tokenizer> load(const std::filesystem::path& folder);
    static bool lies_in(const std::filesystem::path& folder);  // whether there is one to load
    explicit Tokenizer(TokenizerFiles files);
    // tiktoken.model from memory; `config` may be empty, `folder` is for messages only.
    static Result<Tokenizer> parse(std::string_view tiktoken, std::string_view config, const std::filesystem::path& folder);
    // One that only knows these ids (of a recording); it encodes nothing.
    struct Piece {
        std::string bytes;
        bool special = false;
    };
    static Tokenizer of_pieces(std::map<int32_t, Piece> pieces);
    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;
    ~Tokenizer();

    // Ids of a text. Invalid UTF-8 becomes U+FFFD first. Special tokens are recognised only where `parse_special` is set: what a person types never becomes a
    // control token.
    std::vector<int32_t> encode(std::string_view text, bool parse_special = false) const;
    // The bytes of one id ("" for ids outside the vocabulary). Special tokens give their name.
    std::string_view bytes(int32_t id) const;
    // All bytes together; invalid sequences as U+FFFD. Special tokens are left out unless asked for.
    std::string decode(std::span<const int32_t> ids, bool with_special = false) const;

    // Ordinary and special, the largest id + 1. It need not be the model's: a tokenizer_config.json of the 48B may name ids 163840 and 163841, for which the
    // model has no row. The embedding refuses them; here they are ids like others.
    int vocab_size() const;
    bool is_special(int32_t id) const;
    // Whether answers of a model that can think first begin with its thoughts (chat_form.h). Of any thread; it counts from the next answer on.
    bool thinks() const;
    void set_thinking(bool on) const;
    const std::string& chat_template() const;                     // beside it, or the file that holds it; it is never run
    bool writes_thoughts() const;                                 // whether it has a place for them; without one that is not known, and true
    std::optional<int32_t> special(std::string_view name) const;  // "<|im_end|>" -> id
    const std::vector<int32_t>& ends() const;                     // that end an answer, as the files say; the config may know more
    const std::vector<std::string>& notes() const;                // sentences about what the files do not agree on

private:
    struct Impl;
    explicit Tokenizer(std::unique_ptr<Impl>);
    std::unique_ptr<Impl> impl_;
};

}  // namespace klp
