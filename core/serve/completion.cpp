#include "core/serve/completion.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/files/json.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace {

using ServedJson = nlohmann::ordered_json;
using nlohmann::json;

const json* member(const json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}
std::string text_in(const json& object, const char* key) {
    const json* found = member(object, key);
    return found && found->is_string() ? found->get<std::string>() : "";
}
int64_t count_in(const json& object, const char* key) {
    const json* found = member(object, key);
    return found && found->is_number_integer() && found->get<double>() >= 0 && found->get<double>() < 1e15 ? found->get<int64_t>() : -1;
}
double number_in(const json& object, const char* key, double otherwise) {
    const json* found = member(object, key);
    return found && found->is_number() ? found->get<double>() : otherwise;
}

// Raw bytes where they are told: half a character has no text.
std::string bytes_in(const json& token) {
    const json* bytes = member(token, "bytes");
    if (!bytes || !bytes->is_array() || bytes->empty()) return text_in(token, "token");
    std::string out;
    for (const json& b : *bytes) {
        if (!b.is_number_integer() || b.get<double>() < 0 || b.get<double>() > 255) return text_in(token, "token");
        out += static_cast<char>(b.get<int>());
    }
    return out;
}
float probability_in(const json& token) { return static_cast<float>(std::exp(std::min(0.0, number_in(token, "logprob", -9999)))); }

std::vector<ServedToken> tokens_in(const json& choice) {
    std::vector<ServedToken> out;
    const json* told = member(choice, "logprobs");
    const json* entries = told ? member(*told, "content") : nullptr;
    if (!entries || !entries->is_array()) return out;
    for (const json& entry : *entries) {
        ServedToken token{bytes_in(entry), probability_in(entry), {}};
        if (const json* top = member(entry, "top_logprobs"); top && top->is_array())
            for (const json& one : *top) token.top.emplace_back(bytes_in(one), probability_in(one));
        std::stable_sort(token.top.begin(), token.top.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
        out.push_back(std::move(token));
    }
    return out;
}

std::string error_in(const json& body) {
    for (const char* key : {"error", "detail", "message"}) {
        const json* found = member(body, key);
        if (!found) continue;
        if (found->is_string()) return found->get<std::string>();
        if (const std::string text = text_in(*found, "message"); !text.empty()) return text;
        return found->dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 300);
    }
    return "";
}

ServedJson message_json(const Message& m) {
    ServedJson out{{"role", m.role}, {"content", m.content}};
    if (!m.tool_call_id.empty()) out["tool_call_id"] = m.tool_call_id;
    if (!m.tool_calls.empty()) out["tool_calls"] = openai_json(m.tool_calls);
    return out;
}

}  // namespace

std::string error_text(std::string_view body) {
    const auto j = parse_json(body, "");
    return j ? error_in(*j) : "";
}

std::string completion_body(const ServedRequest& r) {
    ServedJson out{{"model", r.model}, {"messages", ServedJson::array()}};
    for (const Message& m : r.messages) out["messages"].push_back(message_json(m));
    out["stream"] = true;
    out["stream_options"] = {{"include_usage", true}};
    if (!r.tools.empty()) out["tools"] = ServedJson::parse(r.tools, nullptr, false);
    const auto add = [&](const char* key, const auto& value) {
        if (value) out[key] = *value;
    };
    const auto real = [](const std::optional<float>& value) {  // 0.7, not the 0.699999988079071 that the float is
        return value ? std::optional(std::round(double(*value) * 1e6) / 1e6) : std::nullopt;
    };
    add("temperature", real(r.sampling.temperature)), add("top_p", real(r.sampling.top_p)), add("min_p", real(r.sampling.min_p));
    add("top_k", r.sampling.top_k);
    add("repetition_penalty", real(r.sampling.repeat_penalty)), add("repeat_penalty", real(r.sampling.repeat_penalty));  // vLLM's name, llama.cpp's
    if (r.sampling.seed) out["seed"] = *r.sampling.seed & INT64_MAX;                                                     // servers take signed ones
    add("max_tokens", r.predict);
    if (r.top > 0) out["logprobs"] = true, out["top_logprobs"] = std::min(r.top, 20);
    if (r.go_past_end) out["ignore_eos"] = true;
    if (!r.messages.empty() && r.messages.back().role == "assistant") out["continue_final_message"] = true, out["add_generation_prompt"] = false;
    return out.dump(-1, ' ', false, ServedJson::error_handler_t::replace);
}

Result<void> AnswerListener::push(std::string_view bytes, std::vector<ServedPiece>& out) {
    const auto whole = events_.push(bytes);
    if (!whole) return fail(Error::failure, "an event of the stream is larger than 16 MiB");
    for (const std::string& data : *whole)
        if (auto read = event(data, out); !read) return read;
    return {};
}

Result<void> AnswerListener::take(std::string_view body, std::vector<ServedPiece>& out) {
    if (auto read = event(body, out); !read) return read;
    done_ = true;
    return {};
}

Result<void> AnswerListener::finish(std::vector<ServedPiece>& rest) {
    if (const std::string data = events_.finish(); !done_ && (data == "[DONE]" || parse_json(data, ""))) {
        if (auto read = event(data, rest); !read) return read;
    }
    if (const Thoughts::Piece held = thoughts_.finish(); !held.empty()) {
        ServedPiece piece;
        put(held, piece);
        rest.push_back(std::move(piece));
    }
    close_calls();
    if (!done_ && answer_.finish.empty()) return fail(Error::failure, "the answer was broken off");
    return {};
}

Result<void> AnswerListener::event(std::string_view data, std::vector<ServedPiece>& out) {
    if (data == "[DONE]") {
        done_ = true;
        return {};
    }
    if (done_) return {};
    const auto j = parse_json(data, "the stream");
    if (!j) return fail(Error::failure, "a piece of the answer cannot be read: " + j.error().message);
    if (const json* error = member(*j, "error"); error || text_in(*j, "object") == "error") return fail(Error::failure, error_in(*j));
    if (answer_.model.empty()) answer_.model = text_in(*j, "model");
    if (const json* usage = member(*j, "usage")) {
        answer_.prompt_tokens = std::max(answer_.prompt_tokens, count_in(*usage, "prompt_tokens"));
        answer_.tokens = std::max(answer_.tokens, count_in(*usage, "completion_tokens"));
        if (const json* details = member(*usage, "prompt_tokens_details")) answer_.cached_tokens = count_in(*details, "cached_tokens");
    }
    const json* choices = member(*j, "choices");
    if (!choices || !choices->is_array()) return fail(Error::failure, "a piece of the answer has no choices, so this is not OpenAI's API");
    for (const json& choice : *choices) {
        if (count_in(choice, "index") > 0) continue;  // nobody asked for several
        read_choice(choice, member(choice, "delta") ? "delta" : "message", out);
    }
    return {};
}

void AnswerListener::read_choice(const json& choice, const char* delta, std::vector<ServedPiece>& out) {
    ServedPiece piece;
    if (const json* said = member(choice, delta)) {
        piece.reasoning = text_in(*said, "reasoning_content");
        if (piece.reasoning.empty()) piece.reasoning = text_in(*said, "reasoning");
        answer_.reasoning += piece.reasoning;
        read_content(text_in(*said, "content"), piece);
        if (const json* calls = member(*said, "tool_calls"); calls && calls->is_array()) {
            for (size_t i = 0; i < calls->size(); ++i) {
                const json& part = (*calls)[i];
                const int64_t told = count_in(part, "index"), index = told >= 0 ? told : static_cast<int64_t>(i);
                auto call = std::find_if(open_.begin(), open_.end(), [&](const OpenCall& c) { return c.index == index; });
                if (call == open_.end()) call = open_.insert(open_.end(), OpenCall{index, {}, {}, {}});
                if (call->id.empty()) call->id = text_in(part, "id");
                if (const json* function = member(part, "function")) {
                    call->name += text_in(*function, "name");
                    const json* arguments = member(*function, "arguments");
                    if (arguments) call->arguments += arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
                }
            }
        }
    }
    piece.tokens = tokens_in(choice);
    if (const std::string finish = text_in(choice, "finish_reason"); !finish.empty()) answer_.finish = finish;
    if (piece.text.empty() && piece.reasoning.empty() && piece.tokens.empty()) return;
    ++answer_.pieces;
    out.push_back(std::move(piece));
}

// What a model thinks stands between tags in the text itself where the server leaves it there.
void AnswerListener::read_content(std::string_view text, ServedPiece& piece) { put(thoughts_.push(text), piece); }

void AnswerListener::put(const Thoughts::Piece& part, ServedPiece& piece) {
    piece.reasoning += part.thought, answer_.reasoning += part.thought;
    piece.text += part.said, answer_.text += part.said;
}

void AnswerListener::close_calls() {
    for (OpenCall& call : std::exchange(open_, {})) {
        const bool ours = tool_name(call.id) != call.id;
        const std::string name = call.name.empty() && ours ? tool_name(call.id) : call.name;
        const auto number = calls_before_ + static_cast<int64_t>(answer_.calls.size());
        answer_.calls.push_back({ours ? call.id : "functions." + name + ":" + std::to_string(number), call.arguments.empty() ? "{}" : call.arguments});
    }
}

}  // namespace klp
