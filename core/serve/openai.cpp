#include "core/serve/openai.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <utility>

#include "core/files/json.h"

namespace klp::openai {

namespace {

using nlohmann::json;
using Ordered = nlohmann::ordered_json;

std::string dump(const Ordered& j) { return j.dump(-1, ' ', false, Ordered::error_handler_t::replace); }
std::string event(const Ordered& j) { return "data: " + dump(j) + "\n\n"; }

// The fields of a body; what is wrong with one is thrown, and caught by parsed().
struct RequestBody {
    const json& all;

    [[noreturn]] static void wrong(const std::string& field, const std::string& what) { throw ApiError{400, field + " " + what, field}; }
    const json* find(const char* field) const {
        const auto it = all.find(field);
        return it == all.end() || it->is_null() ? nullptr : &*it;
    }
    bool flag(const char* field, bool otherwise = false) const {
        const json* j = find(field);
        if (j && !j->is_boolean()) wrong(field, "is neither true nor false");
        return j ? j->get<bool>() : otherwise;
    }
    double number(const char* field, double low, double high, double otherwise) const {
        const json* j = find(field);
        if (!j) return otherwise;
        if (!j->is_number() || j->get<double>() < low || j->get<double>() > high) {
            const auto text = [](double x) { return json(x == std::floor(x) && std::fabs(x) < 1e15 ? json(static_cast<int64_t>(x)) : json(x)).dump(); };
            wrong(field, "is not a number from " + text(low) + " to " + text(high));
        }
        return j->get<double>();
    }
    int64_t whole(const char* field, int64_t low, int64_t high, int64_t otherwise) const {
        const json* j = find(field);
        if (!j) return otherwise;
        if (!j->is_number_integer() || j->get<double>() < double(low) || j->get<double>() > double(high))
            wrong(field, "is not a whole number from " + std::to_string(low) + " to " + std::to_string(high));
        return j->get<int64_t>();
    }
    // Refused unless it says what is done anyway.
    void only(const char* field, const json& allowed) const {
        const json* j = find(field);
        if (j && *j != allowed) wrong(field, "is not supported; leave it out");
    }
};

template <class Make>
auto parsed(const std::string& body, const Make& make) -> Answered<decltype(make(std::declval<RequestBody>()))> {
    const auto j = parse_json(body, "the body");
    if (!j) return tl::unexpected(ApiError{400, j.error().message});
    if (!j->is_object()) return tl::unexpected(ApiError{400, "the body is not a JSON object"});
    try {
        return make(RequestBody{*j});
    } catch (const ApiError& error) {
        return tl::unexpected(error);
    }
}

void read_common(const RequestBody& body, const Served& served, Request& out) {
    if (const json* model = body.find("model"); model && *model != json(served.name))
        throw ApiError{
            404,
            "the model " + (model->is_string() ? in_quotes(model->get<std::string>()) : "named") + " is not served here; " + in_quotes(served.name) + " is",
            "model"};
    Sampling& s = out.batch.sampling = served.sampling;
    s.temperature = static_cast<float>(body.number("temperature", 0, 100, s.temperature));
    s.top_p = static_cast<float>(body.number("top_p", 0, 1, s.top_p));
    s.min_p = static_cast<float>(body.number("min_p", 0, 1, s.min_p));
    s.top_k = static_cast<int>(body.whole("top_k", -1, 1 << 30, s.top_k));
    s.repeat_penalty = static_cast<float>(body.number("repetition_penalty", 0.01, 100, s.repeat_penalty));
    static std::random_device device;  // a seed of its own for whoever names none
    s.seed = static_cast<uint64_t>(body.whole("seed", INT64_MIN, INT64_MAX, static_cast<int64_t>(uint64_t{device()} << 32 | device())));
    out.batch.budget = body.whole("max_completion_tokens", 1, 1 << 30, body.whole("max_tokens", 1, 1 << 30, served.budget));
    if (!body.flag("ignore_eos")) out.batch.stop = served.turn.stop;
    out.stream = body.flag("stream");
    if (const json* options = body.find("stream_options")) {
        if (!options->is_object()) RequestBody::wrong("stream_options", "is not an object");
        out.usage = RequestBody{*options}.flag("include_usage");
    }
    if (const json* stop = body.find("stop")) {
        for (const json& one : stop->is_array() ? *stop : json::array({*stop})) {
            if (!one.is_string() || one.get_ref<const std::string&>().empty()) RequestBody::wrong("stop", "is neither a text nor a list of texts");
            out.stops.push_back(one.get<std::string>());
        }
        if (out.stops.size() > 16) RequestBody::wrong("stop", "has more than 16 texts");
    }
    body.only("n", 1);
    body.only("best_of", 1);
    body.only("echo", false);
    body.only("suffix", "");
    body.only("logit_bias", json::object());
    body.only("response_format", json{{"type", "text"}});
    for (const char* penalty : {"frequency_penalty", "presence_penalty"})
        if (body.number(penalty, -2, 2, 0) != 0) RequestBody::wrong(penalty, "is not supported (repetition_penalty is); leave it out");
}

void check_room(const Served& served, const Request& out, const char* field) {
    const auto n = static_cast<int64_t>(out.batch.prompt.size());
    if (n >= served.context)
        RequestBody::wrong(field, "come to " + std::to_string(n) + " tokens, and the context holds " + std::to_string(served.context) + " with the answer's");
}

std::string fresh_id(const char* kind) {
    static const uint64_t kStart = std::random_device()();
    static std::atomic<uint64_t> count{0};
    char text[40];
    std::snprintf(text, sizeof text, "%s-%08llx%08llx", kind, static_cast<unsigned long long>(kStart), static_cast<unsigned long long>(++count));
    return text;
}

// The prompt of messages. Others may share its beginning up to the end of the first message (a system prompt, tools), and of the last.
void read_messages(const std::string& body, const RequestBody& fields, const Served& served, Request& out) {
    auto chat = parse_chat(body, "the body");
    if (!chat) throw ApiError{400, chat.error().message, "messages"};
    if (chat->messages.empty()) RequestBody::wrong("messages", "is empty");
    for (Message& m : chat->messages)
        if (m.role == "developer") m.role = "system";
    if (const json* choice = fields.find("tool_choice")) {
        if (*choice == json("none"))
            chat->tools_json.clear();
        else if (*choice != json("auto"))
            RequestBody::wrong("tool_choice", "is neither auto nor none");
    }
    // An answer that is gone on with stands open at the end.
    std::string begun;
    const bool goes_on = fields.flag("continue_final_message");
    if (goes_on) {
        if (chat->messages.back().role != "assistant") RequestBody::wrong("continue_final_message", "needs a last message of the assistant's");
        begun = chat->messages.back().content;
        chat->messages.pop_back();
        chat->add_generation_prompt = true;
    }
    auto ids = encode(*served.tokenizer, *chat);
    if (!ids) throw ApiError{400, ids.error().message, "messages"};
    out.batch.prompt = std::move(*ids);
    if (goes_on) {
        const std::vector<int32_t> said = served.tokenizer->encode(begun);
        out.batch.prompt.insert(out.batch.prompt.end(), said.begin(), said.end());
    }
    std::vector<int64_t> ends;
    for (size_t i = 0; i < out.batch.prompt.size(); ++i)
        if (out.batch.prompt[i] == served.turn.end) ends.push_back(static_cast<int64_t>(i) + 1);
    if (ends.size() > 1) out.batch.marks.push_back(ends.front());
    if (!ends.empty()) out.batch.marks.push_back(ends.back());
}

// How many bytes at the end of `text` may be the beginning of a stop text.
size_t may_begin(const std::string& text, const std::vector<std::string>& stops) {
    size_t most = 0;
    for (const std::string& stop : stops)
        for (size_t n = std::min(stop.size() - 1, text.size()); n > most; --n)
            if (text.compare(text.size() - n, n, stop, 0, n) == 0) most = n;
    return most;
}

}  // namespace

std::string ApiError::text() const {
    const char* type = status == 401 ? "authentication_error" : status == 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
    return dump({{"error", {{"message", message}, {"type", type}, {"param", param.empty() ? Ordered() : Ordered(param)}, {"code", status}}}});
}

Answered<Request> parse_chat_request(const std::string& body, const Served& served) {
    return parsed(body, [&](const RequestBody& fields) {
        Request out{.chat = true};
        read_common(fields, served, out);
        read_messages(body, fields, served, out);
        check_room(served, out, "messages");
        if (const json* hands = fields.find("intervene")) {
            auto list = read_interventions(hands->dump(), "intervene");
            const auto fits = list ? check(*list, served.config) : Result<void>(tl::unexpected(list.error()));
            if (!fits) throw ApiError{400, (list ? "intervene: " : "") + fits.error().message, "intervene"};
            if (!list->empty()) out.batch.hands = std::make_shared<const Interventions>(std::move(*list));
        }
        if (fields.flag("logprobs")) out.top_logprobs = static_cast<int>(fields.whole("top_logprobs", 0, 20, 0));
        out.batch.candidates = std::max(0, out.top_logprobs);
        return out;
    });
}

Answered<Request> parse_completion_request(const std::string& body, const Served& served) {
    return parsed(body, [&](const RequestBody& fields) {
        Request out{.chat = false};
        read_common(fields, served, out);
        const json* prompt = fields.find("prompt");
        if (prompt && prompt->is_array() && prompt->size() == 1 && !(*prompt)[0].is_number()) prompt = &(*prompt)[0];
        if (prompt && prompt->is_string()) {
            out.batch.prompt = served.tokenizer->encode(prompt->get_ref<const std::string&>(), true);
        } else if (prompt && prompt->is_array() && !prompt->empty()) {
            for (const json& id : *prompt) {
                if (!id.is_number_integer() || id.get<double>() < 0 || id.get<double>() > INT32_MAX)
                    RequestBody::wrong("prompt", "is neither one text nor a list of ids");
                out.batch.prompt.push_back(id.get<int32_t>());
            }
        } else {
            RequestBody::wrong("prompt", prompt ? "is neither one text nor a list of ids" : "is missing");
        }
        if (out.batch.prompt.empty()) RequestBody::wrong("prompt", "is empty");
        check_room(served, out, "prompt");
        out.top_logprobs = static_cast<int>(fields.whole("logprobs", 0, 20, -1));
        out.batch.candidates = std::max(0, out.top_logprobs);
        return out;
    });
}

// --- answers ------------------------------------------------------------------------------------------------------------

Telling::Telling(const Served& served, const Request& request)
    : served_(served),
      request_(request),
      id_(fresh_id(request.chat ? "chatcmpl" : "cmpl")),
      created_(std::time(nullptr)),
      reader_(*served.tokenizer),
      log_probabilities_(std::make_shared<Json>(Json::array())) {}

// What may be said of `fresh` text: all but what a stop text may begin with, and nothing from a stop text on.
std::string Telling::text_of(std::string fresh, bool last) {
    std::string text = std::exchange(held_, {}) + std::move(fresh);
    size_t end = text.npos;
    for (const std::string& stop : request_.stops) end = std::min(end, text.find(stop));
    if (end != text.npos) {
        stopped_ = true;
        text.resize(end);
    } else if (!last) {
        const size_t keep = may_begin(text, request_.stops);
        held_ = text.substr(text.size() - keep);
        text.resize(text.size() - keep);
    }
    text_ += text;
    return text;
}

Telling::Json Telling::log_probability(int32_t id, float probability, const std::vector<Candidate>& top) const {
    const auto one = [&](int32_t of, float p) {
        const std::string_view raw = served_.tokenizer->bytes(of);
        Json bytes = Json::array();
        for (const char c : raw) bytes.push_back(static_cast<uint8_t>(c));
        return Json{{"token", repair_utf8(std::string(raw))}, {"logprob", std::max(-9999.0, std::log(double(p)))}, {"bytes", std::move(bytes)}};
    };
    Json entry = one(id, probability);
    entry["top_logprobs"] = Json::array();
    for (const Candidate& c : top) entry["top_logprobs"].push_back(one(c.id, c.probability));
    return entry;
}

Telling::Json Telling::piece(const Json& choice) const {
    const char* kind = !request_.chat ? "text_completion" : request_.stream ? "chat.completion.chunk" : "chat.completion";
    return {
        {"id", id_}, {"object", kind}, {"created", created_}, {"model", served_.name}, {"choices", choice.is_null() ? Json::array() : Json::array({choice})}};
}

Telling::Json Telling::usage(int64_t cached) const {
    const auto prompt = static_cast<int64_t>(request_.batch.prompt.size());
    return {
        {"prompt_tokens", prompt}, {"completion_tokens", tokens_}, {"total_tokens", prompt + tokens_}, {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

std::string Telling::reason(Generation::End end) const {
    if (stopped_) return "stop";
    if (end == Generation::End::budget || end == Generation::End::context) return "length";
    return request_.chat && !reader_.calls().empty() ? "tool_calls" : "stop";
}

namespace {

// What the older API calls log probabilities: columns. `offset`: bytes of the tokens in front of these, and of all of them afterwards.
Ordered columns_of(const Ordered& entries, int64_t& offset) {
    Ordered out = {{"tokens", Ordered::array()}, {"token_logprobs", Ordered::array()}, {"top_logprobs", Ordered::array()}, {"text_offset", Ordered::array()}};
    for (const Ordered& e : entries) {
        Ordered top = Ordered::object();
        for (const Ordered& t : e["top_logprobs"]) top[t["token"].get<std::string>()] = t["logprob"];
        out["tokens"].push_back(e["token"]), out["token_logprobs"].push_back(e["logprob"]), out["top_logprobs"].push_back(std::move(top));
        out["text_offset"].push_back(offset);
        offset += static_cast<int64_t>(e["token"].get_ref<const std::string&>().size());
    }
    return out;
}

}  // namespace

std::string Telling::token(int32_t id, float probability, const std::vector<Candidate>& top) {
    if (stopped_) return {};
    ++tokens_;
    Json log = Json();
    if (request_.top_logprobs >= 0) {
        log_probabilities_->push_back(log_probability(id, probability, top));
        log = Json::array({log_probabilities_->back()});
    }
    const std::string text =
        text_of(request_.chat ? reader_.push(id) : raw_.push(served_.tokenizer->is_special(id) ? "" : served_.tokenizer->bytes(id)), false);
    if (!request_.stream || (text.empty() && log.is_null() && (begun_ || !request_.chat))) return {};
    Json choice = {{"index", 0}};
    if (request_.chat) {
        choice["delta"] = Json::object();
        if (!begun_) choice["delta"]["role"] = "assistant";
        choice["delta"]["content"] = text;
        choice["logprobs"] = log.is_null() ? Json() : Json{{"content", log}};
    } else {
        choice["text"] = text;
        choice["logprobs"] = log.is_null() ? Json() : columns_of(log, offset_);
    }
    begun_ = true;
    choice["finish_reason"] = nullptr;
    return event(piece(choice));
}

std::string Telling::last_pieces(Generation::End end, int64_t cached) {
    const std::string rest = stopped_ ? "" : text_of(request_.chat ? reader_.finish() : raw_.finish(), true);
    Json choice = {{"index", 0}};
    if (request_.chat) {
        choice["delta"] = Json::object();
        if (!begun_) choice["delta"]["role"] = "assistant";
        if (!rest.empty() || !begun_) choice["delta"]["content"] = rest;
        Json calls = openai_json(reader_.calls());
        for (size_t i = 0; i < calls.size(); ++i) calls[i]["index"] = i;
        if (!calls.empty()) choice["delta"]["tool_calls"] = std::move(calls);
    } else {
        choice["text"] = rest;
    }
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = reason(end);
    std::string out = event(piece(choice));
    if (request_.usage) {
        Json with = piece({});
        with["usage"] = usage(cached);
        out += event(with);
    }
    return out + "data: [DONE]\n\n";
}

std::string Telling::whole(Generation::End end, int64_t cached) {
    if (!stopped_) text_of(request_.chat ? reader_.finish() : raw_.finish(), true);
    Json choice = {{"index", 0}};
    if (request_.chat) {
        Json message = {{"role", "assistant"}, {"content", text_}};
        if (Json calls = openai_json(reader_.calls()); !calls.empty()) message["tool_calls"] = std::move(calls);
        choice["message"] = std::move(message);
        choice["logprobs"] = request_.top_logprobs >= 0 ? Json{{"content", *log_probabilities_}} : Json();
    } else {
        choice["text"] = text_;
        choice["logprobs"] = request_.top_logprobs >= 0 ? columns_of(*log_probabilities_, offset_) : Json();
    }
    choice["finish_reason"] = reason(end);
    Json body = piece(choice);
    body["usage"] = usage(cached);
    return dump(body);
}

std::string models_body(const Served& served) {
    return dump(
        {{"object", "list"},
         {"data",
          Ordered::array({{{"id", served.name}, {"object", "model"}, {"created", served.created}, {"owned_by", "klp"}, {"max_model_len", served.context}}})}});
}

Answered<std::string> tokenize_body(const std::string& body, const Served& served) {
    return parsed(body, [&](const RequestBody& fields) {
        std::vector<int32_t> ids;
        if (fields.find("messages")) {
            Request request;
            read_messages(body, fields, served, request);
            ids = std::move(request.batch.prompt);
        } else {
            const json* text = fields.find("prompt");
            const char* field = text ? "prompt" : "content";
            if (!text) text = fields.find("content");
            if (!text || !text->is_string()) RequestBody::wrong(field, text ? "is not a text" : "is missing, and so is prompt");
            ids = served.tokenizer->encode(text->get_ref<const std::string&>(), true);
        }
        Ordered out{{"count", ids.size()}, {"max_model_len", served.context}, {"tokens", ids}};
        if (fields.flag("return_token_strs"))
            for (const int32_t id : ids) out["token_strs"].push_back(repair_utf8(std::string(served.tokenizer->bytes(id))));
        return dump(out);
    });
}

}  // namespace klp::openai
