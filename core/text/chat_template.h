// Messages to ids, as the template of the tokenizer's family writes them (chat_form.h), here Kimi's. Contents are encoded as plain text: only the template itself makes control tokens.
//
//   <|im_system|>system<|im_middle|>Be brief.<|im_end|><|im_user|>user<|im_middle|>hi<|im_end|><|im_assistant|>assistant<|im_middle|>
//
// The ids are the vendor's for every text but two kinds: a name of a control token inside a content stays text here, and the vendor's cuts of very long texts
// (core/text/pretokenizer.h) are counted from the start of each stretch between control tokens, not from the start of the whole prompt.
#pragma once

#include <string>
#include <vector>

#include "core/files/config.h"
#include "core/text/tokenizer.h"

namespace klp {

struct ToolCall {
    std::string id;         // "functions.NAME:INDEX", kept to the letter
    std::string arguments;  // JSON text
    bool operator==(const ToolCall&) const = default;
};
struct Message {
    std::string role;  // "system", "user", "assistant", "tool"; any other stands behind the system marker
    std::string content;
    std::vector<size_t> images;        // where images stand in the content, as byte offsets, ascending
    std::string name;                  // instead of the role behind the marker, when set
    std::string tool_call_id;          // of a "tool" message; "": the content is a tool_return() already
    std::vector<ToolCall> tool_calls;  // of an "assistant" message
};
struct ChatPrompt {
    std::vector<Message> messages;
    std::string tools_json;  // a JSON array of tool declarations, or ""
    bool add_generation_prompt = true;
    bool begins = true;  // with what stands before the first message
    bool first = false;  // where they do not begin: nothing stands before them, else other messages do
};

// Tools are declared in a message of their own, of this role, in front of all others. Its content: the array with its keys sorted at every depth, as the model
// has seen it; "" for an empty one. An Error: the text is not a JSON array of objects, or one names no function; `name_for_errors` stands in front of what is
// wrong.
inline constexpr std::string_view kToolsRole = "tool_declare";
Result<std::string> tool_declaration(const std::string& tools_json, const std::string& name_for_errors = "the list of tools");
// The content of a "tool" message that answers the call of this id.
std::string tool_return(std::string_view call_id, std::string_view text);

// The rendered text in Kimi's form, control tokens spelled out (for reading and for tests). An Error: tools_json is not a JSON array.
Result<std::string> render(const ChatPrompt& prompt);
struct ChatForm;  // chat_form.h
Result<std::string> render(const ChatPrompt& prompt, const ChatForm& form, bool thinks);
// The ids; control tokens of the template are looked up in the tokenizer, and an Error names the first one that the vocabulary lacks.
Result<std::vector<int32_t>> encode(const Tokenizer& tokenizer, const ChatPrompt& prompt);
// What stands before the first message: declared tools (tool_declaration()) and the system prompt, each "" for none. Some families' talks have it always.
Result<std::vector<int32_t>> encode_front(const Tokenizer& tokenizer, const std::string& tools, const std::string& system);
// Only the ids that follow what is already in a sequence: one message, or the generation prompt. Two turns fed like this equal one long prompt.
// `first`: nothing stands before it.
Result<std::vector<int32_t>> encode_message(const Tokenizer& tokenizer, const Message& message, bool first = false);
int64_t tokens_between(const Tokenizer& tokenizer);  // that a message has in front where it is not the first
Result<std::vector<int32_t>> generation_prompt(const Tokenizer& tokenizer);
// The generation prompt of an answer that is known as text, and behind it that answer's ids. What it thought stands in front, between <think> and </think>;
// one without was not asked to think, whatever the tokenizer says now.
Result<std::vector<int32_t>> answer_opening(const Tokenizer& tokenizer, std::string_view text);
std::vector<int32_t> encode_answer(const Tokenizer& tokenizer, std::string_view text);
// What an answer is made of besides its text.
struct TurnTokens {
    std::vector<int32_t> opening;  // the generation prompt
    std::vector<int32_t> stop;     // the ids that end an answer: the configs', the tokenizer's, and what its family's models end with
    int32_t end = -1;              // closes a turn that ended otherwise; -1: there is none
};
Result<TurnTokens> turn_tokens(const Tokenizer& tokenizer, const ModelConfig& config);
// Why a template (which is never run) is none of this form, in words behind its name; "": it is one.
std::string unknown_template(std::string_view text, const ChatForm& form);
// Messages from JSON, OpenAI style: {"messages": [...], "tools": [...], "add_generation_prompt": true} or the array of messages alone; content as string, list
// of parts or null; arguments as string or object. `name_for_errors` stands in front of what is wrong: "chat.json: messages[2].role is not a text".
Result<ChatPrompt> parse_chat(const std::string& json, const std::string& name_for_errors = "the chat");

}  // namespace klp
