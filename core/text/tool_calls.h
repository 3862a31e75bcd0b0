// The tools that an answer calls.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"
#include "core/text/utf8.h"

namespace klp {

// "ping" of "functions.ping:0"; the id itself where it has another form.
std::string tool_name(std::string_view call_id);

// Calls as OpenAI's API writes them, in "tool_calls" of a message.
nlohmann::ordered_json openai_json(std::span<const ToolCall> calls);

// An answer as it comes, token by token: its text, and the calls between the control tokens. Whatever the ids are, nothing of their text is lost. What was
// thought stands in the text, in front and between <think> and </think>, whether these are control tokens or not.
class AnswerReader {
public:
    explicit AnswerReader(const Tokenizer& tokenizer) : AnswerReader(tokenizer, tokenizer.thinks()) {}
    AnswerReader(const Tokenizer& tokenizer, bool thinks);                              // whether its generation prompt asked for thoughts
    std::string push(int32_t id);                                                       // the text that is whole now; "" within a call
    std::string push(int32_t id, std::string_view bytes);                               // of a token whose bytes are known
    std::string finish();                                                               // the rest; a call that is not closed ends here
    bool in_text() const { return where_ == Where::text || where_ == Where::section; }  // the next token is shown
    int64_t shown(int32_t id) const;                               // bytes that the text grows by with this token, and those that are whole only later
    const std::vector<ToolCall>& calls() const { return calls_; }  // closed ones, and after finish() all

private:
    enum class Where { text, section, id, arguments };
    void close();
    const Tokenizer* tokenizer_;
    int32_t section_begin_, section_end_, begin_, argument_, end_;  // -1: the vocabulary has none
    Where where_ = Where::text;
    bool marks_thoughts(int32_t id) const { return id >= 0 && (id == think_begin_ || id == think_end_); }
    int32_t think_begin_, think_end_;
    std::string before_;  // of the first token: what the generation prompt holds of the answer
    Utf8Stream text_;
    std::string id_, arguments_;
    std::vector<ToolCall> calls_;
};

struct ReadAnswer {
    std::string text;
    std::vector<ToolCall> calls;
};
ReadAnswer read_answer(const Tokenizer& tokenizer, std::span<const int32_t> ids);
ReadAnswer read_answer(const Tokenizer& tokenizer, std::span<const int32_t> ids, std::string_view like);  // asked for thoughts where this text has some
// Whether the tokenizer has all of these ids: those of a file may be another model's, or anything.
bool has_all(const Tokenizer& tokenizer, std::span<const int32_t> ids);

}  // namespace klp
