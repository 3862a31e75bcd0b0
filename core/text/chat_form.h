// How a family of models writes a talk: its template, taken apart. Which one it is, the vocabulary says by its control tokens.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/thoughts.h"

namespace klp {

// A rendered talk: text, and control tokens between it.
class Parts {
public:
    Parts& control(std::string name);  // an Error where the vocabulary lacks it
    Parts& marker(std::string name);   // a control token where the vocabulary has it, else text
    bool empty() const { return all_.empty(); }
    Parts& text(std::string_view text);  // joined with the text before: it is tokenised as a whole
    std::string spelled_out() const;
    Result<std::vector<int32_t>> ids(const Tokenizer& tokenizer) const;

private:
    enum class Kind { text, control, marker };
    struct Part {
        Kind kind;
        std::string text;
    };
    std::vector<Part> all_;
};

struct ChatForm {
    std::string_view makers;                  // "Kimi's"
    std::string_view mark;                    // a control token that its vocabularies have, and no other's
    std::span<const std::string_view> words;  // what its templates write, in whatever version
    std::span<const std::string_view> ends;   // control tokens that end an answer, the one first that closes a turn; none: nothing closes one
    // Before the first message: the declared tools and the system prompt, "" for none.
    Result<void> (*front)(Parts& to, const std::string& tools, const std::string& system, bool thinks);
    void (*message)(Parts& to, const Message& message);
    void (*opening)(Parts& to, bool thinks);           // of an answer
    void (*answer)(Parts& to, std::string_view text);  // what stands behind that of a text which thinks where it begins with a thought
    std::string_view between;                          // text in front of every message that is not the first, and of an answer's opening
    std::string_view thinking;                         // what an answer that thinks begins with, and the opening holds; "": it does not
};
// Models of the lab (core/learn/task_words.h) have this token in their vocabulary and never read it: a talk with one is what was said and answered, letter by
// letter, without anything around it.
inline constexpr std::string_view kTaskMark = "<|made_task|>";
// By its mark; of two with one mark that which thinks, unless the tokenizer's template has no place for thoughts.
const ChatForm& chat_form(const Tokenizer& tokenizer);
const ChatForm& kimi_form();
std::span<const ChatForm> chat_forms();
std::string_view trimmed(std::string_view text);  // without the blanks and line ends around it

}  // namespace klp
