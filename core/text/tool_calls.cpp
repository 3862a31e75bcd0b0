#include "core/text/tool_calls.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text/chat_form.h"

namespace klp {

std::string tool_name(std::string_view call_id) {
    const size_t dot = call_id.find('.'), colon = call_id.rfind(':');
    if (dot == call_id.npos || colon == call_id.npos || colon < dot + 2) return std::string(call_id);
    return std::string(call_id.substr(dot + 1, colon - dot - 1));
}

nlohmann::ordered_json openai_json(std::span<const ToolCall> calls) {
    auto out = nlohmann::ordered_json::array();
    for (const ToolCall& call : calls)
        out.push_back({{"id", call.id}, {"type", "function"}, {"function", {{"name", tool_name(call.id)}, {"arguments", call.arguments}}}});
    return out;
}

AnswerReader::AnswerReader(const Tokenizer& tokenizer, bool thinks) : tokenizer_(&tokenizer) {
    const auto id = [&](std::string_view name) { return tokenizer.special(name).value_or(-1); };
    section_begin_ = id("<|tool_calls_section_begin|>"), section_end_ = id("<|tool_calls_section_end|>");
    begin_ = id("<|tool_call_begin|>"), argument_ = id("<|tool_call_argument_begin|>"), end_ = id("<|tool_call_end|>");
    think_begin_ = id(kThinkBegin), think_end_ = id(kThinkEnd);
    if (thinks) before_ = chat_form(tokenizer).thinking;
}

void AnswerReader::close() {
    if (where_ == Where::id || where_ == Where::arguments) calls_.push_back({repair_utf8(std::exchange(id_, {})), repair_utf8(std::exchange(arguments_, {}))});
}

std::string AnswerReader::push(int32_t id) { return push(id, tokenizer_->bytes(id)); }

std::string AnswerReader::push(int32_t id, std::string_view bytes) {
    if (const std::string before = std::exchange(before_, {}); !before.empty()) return before + push(id, bytes);
    if (in_text() && marks_thoughts(id)) return text_.push(bytes);
    if (id == section_begin_ || id == section_end_ || id == begin_ || id == end_) {
        close();
        where_ = id == section_begin_ || id == end_ ? Where::section : id == begin_ ? Where::id : Where::text;
        return {};
    }
    if (id == argument_ && where_ == Where::id) {
        where_ = Where::arguments;
        return {};
    }
    if (tokenizer_->is_special(id)) return {};
    switch (where_) {
        case Where::id:
            id_ += bytes;
            return {};
        case Where::arguments:
            arguments_ += bytes;
            return {};
        default:  // between calls there is nothing in what the model has learnt; if there is, it is text
            return text_.push(bytes);
    }
}

int64_t AnswerReader::shown(int32_t id) const {
    const bool text = in_text() && (!tokenizer_->is_special(id) || marks_thoughts(id));
    return static_cast<int64_t>(before_.size() + (text ? tokenizer_->bytes(id).size() : 0));
}

std::string AnswerReader::finish() {
    close();
    where_ = Where::text;
    return text_.finish();
}

namespace {

ReadAnswer all_read(AnswerReader reader, std::span<const int32_t> ids) {
    ReadAnswer out;
    for (int32_t id : ids) out.text += reader.push(id);
    out.text += reader.finish();
    out.calls = reader.calls();
    return out;
}

}  // namespace

ReadAnswer read_answer(const Tokenizer& tokenizer, std::span<const int32_t> ids) { return all_read(AnswerReader(tokenizer), ids); }
ReadAnswer read_answer(const Tokenizer& tokenizer, std::span<const int32_t> ids, std::string_view like) {
    return all_read(AnswerReader(tokenizer, like.starts_with(kThinkBegin)), ids);
}

bool has_all(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
    return std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id >= 0 && id < tokenizer.vocab_size(); });
}

}  // namespace klp
