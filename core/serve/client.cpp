#include "core/serve/client.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "core/files/json.h"
#include "core/system.h"

namespace klp {

namespace {

constexpr int64_t kPatience = 900;  // seconds: a prompt of a million tokens says nothing for minutes

std::string small_letters(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// A server may say the key that it was given.
std::string without_key(const Server& server, std::string text) {
    for (size_t at = 0; !server.key.empty() && (at = text.find(server.key, at)) != text.npos; at += 3) text.replace(at, server.key.size(), "...");
    return text;
}

// Why an answer is not the one that was asked for, as a sentence with the address; nothing: it is.
std::optional<Error> refusal_of(const Server& server, const std::string& url, const HttpReply& reply) {
    const auto no = [&](const std::string& what) { return Error{Error::failure, url + ": " + without_key(server, what)}; };
    if (!reply.trouble.empty() && reply.status == 0) return no(reply.trouble + (reply.nobody ? "; is a server running there?" : ""));
    const std::string said = error_text(reply.body);
    const std::string why = said.empty() ? "" : ": " + said;
    if (reply.status == 401 || reply.status == 403)
        return no(
            (server.key.empty() ? "it asks for a key: set " + server.key_variable + " to one" : "the key in " + server.key_variable + " is not accepted") +
            why);
    if (reply.status >= 300 && reply.status < 400)
        return no("it redirects" + (reply.moved.empty() ? std::string() : " to " + reply.moved) + ", which is not followed; say the address it is really at");
    if (reply.type == "text/html") return no("this is a web page and not OpenAI's API; its address mostly ends in /v1");
    if (reply.status == 404 && (said.empty() || server.url == server.root()))
        return no("there is nothing at this path; the address of OpenAI's API mostly ends in /v1");
    if (reply.status != 200) return no("the server answers " + std::to_string(reply.status) + why);
    if (!reply.trouble.empty()) return no(reply.trouble);
    return {};
}

Result<HttpReply> get_page(const Server& server, const std::string& url, const std::atomic<bool>* cancel) {
    const HttpRequest request{.url = url, .key = server.key};
    auto replies = http({&request, 1}, cancel);
    if (!replies) return tl::unexpected(replies.error());
    if (auto no = refusal_of(server, url, replies->front())) return tl::unexpected(std::move(*no));
    return std::move(replies->front());
}

// One answer that is heard.
struct Hearing {
    HttpRequest request;
    AnswerListener listener;
    ServedReply reply;
    const OnPiece* on_piece = nullptr;
    std::optional<Error> wrong;  // in what came
    int64_t heard_ns = 0;        // when all that had come was read

    // `what`: push, take or finish of the listener.
    template <class What>
    void hear(const What& what) {
        std::vector<ServedPiece> pieces;
        const int64_t came = now_ns();
        if (const Result<void> heard = what(pieces); !heard && !wrong) wrong = heard.error();
        if (!pieces.empty() && came - heard_ns > kShortestToken) {  // else it lay there already
            pieces.front().waited = true;
            reply.times.waits += reply.times.first_ns > 0;
        }
        for (const ServedPiece& piece : pieces) {
            if (reply.times.first_ns == 0) reply.times.first_ns = came;
            reply.times.last_ns = came;
            if (on_piece && *on_piece) (*on_piece)(piece, listener.answer());
        }
        heard_ns = now_ns();
    }
};

int64_t calls_in(const std::vector<Message>& messages) {
    int64_t n = 0;
    for (const Message& m : messages) n += static_cast<int64_t>(m.tool_calls.size());
    return n;
}

Result<std::vector<ServedReply>> hear_all(const Server& server, const std::vector<ServedRequest>& requests, const OnPiece* on_piece,
                                          const std::atomic<bool>* cancel) {
    const std::string url = server.url + "/chat/completions";
    std::vector<std::unique_ptr<Hearing>> hearings;
    std::vector<HttpRequest> lines;
    for (const ServedRequest& r : requests) {
        auto h = std::make_unique<Hearing>();
        h->listener = AnswerListener(calls_in(r.messages));
        h->on_piece = on_piece;
        h->request = {.url = url, .key = server.key, .body = completion_body(r), .silence_s = kPatience};
        h->request.on_bytes = [heard = h.get()](std::string_view bytes) {
            heard->hear([&](auto& out) { return heard->listener.push(bytes, out); });
            return !heard->wrong && !heard->listener.done();
        };
        lines.push_back(h->request);
        hearings.push_back(std::move(h));
    }
    const int64_t begun = now_ns();
    const auto replies = http(lines, cancel);
    if (!replies && replies.error().kind != Error::interrupted) return tl::unexpected(replies.error());
    std::vector<ServedReply> out;
    for (size_t i = 0; i < hearings.size(); ++i) {
        Hearing& h = *hearings[i];
        std::optional<Error> trouble;
        if (!replies) {
            trouble = replies.error();
        } else {
            const HttpReply& reply = (*replies)[i];
            const std::string& body = reply.body;
            if (reply.status == 200 && !body.empty() && reply.type != "text/html") {
                // A whole answer, or events of a server that does not say that they are some.
                if (const size_t first = body.find_first_not_of(" \r\n"); first != body.npos && body[first] == '{')
                    h.hear([&](auto& out) { return h.listener.take(body, out); });
                else
                    h.hear([&](auto& out) { return h.listener.push(body, out); });
            }
            trouble = refusal_of(server, url, reply);
            if (!trouble && h.wrong) trouble = Error{Error::failure, url + ": " + without_key(server, h.wrong->message)};
        }
        const bool well = !trouble && !h.wrong;
        h.hear([&](auto& out) { return h.listener.finish(out); });
        if (well && h.wrong) trouble = Error{Error::failure, url + ": " + without_key(server, h.wrong->message)};
        h.reply.times.begun_ns = begun, h.reply.times.ended_ns = now_ns();
        h.reply.answer = h.listener.answer();
        h.reply.refused = replies && (*replies)[i].status >= 400 && (*replies)[i].status < 500;
        h.reply.trouble = std::move(trouble);
        out.push_back(std::move(h.reply));
    }
    return out;
}

}  // namespace

std::string Server::root() const { return url.ends_with("/v1") ? url.substr(0, url.size() - 3) : url; }

Result<Server> server_at(const std::string& url, const std::string& key_variable) {
    Server server{.url = url, .key_variable = key_variable.empty() ? kKeyVariable : key_variable};
    const bool secure = url.starts_with("https://");
    if (!secure && !url.starts_with("http://")) return fail(Error::usage, "--url: " + in_quotes(url) + " does not begin with http:// or https://");
    const size_t host = secure ? 8 : 7, path = std::min(url.find('/', host), url.size());
    if (path == host || std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 127 || c == '?' || c == '#'; }))
        return fail(Error::usage, "--url: " + in_quotes(url) + " is no address of a server, such as http://127.0.0.1:8080/v1");
    if (url.find('@', host) < path) return fail(Error::usage, "--url: a name and a password do not belong into an address; a key is read from the environment");
    while (server.url.ends_with('/')) server.url.pop_back();
    if (const char* key = std::getenv(server.key_variable.c_str())) server.key = key;
    if (!key_variable.empty() && server.key.empty()) return fail(Error::usage, "--api-key-env: the environment has no variable " + in_quotes(key_variable));
    if (std::any_of(server.key.begin(), server.key.end(), [](unsigned char c) { return c <= ' ' || c == 127; }))
        return fail(Error::usage, "the key in " + server.key_variable + " holds a blank or a line end, which no key has");
    return server;
}

Result<std::vector<ServedModel>> served_models(const Server& server, const std::atomic<bool>* cancel) {
    const std::string url = server.url + "/models";
    const auto page = get_page(server, url, cancel);
    if (!page) return tl::unexpected(page.error());
    const auto j = parse_json(page->body, url);
    if (!j) return fail(Error::failure, j.error().message);
    const auto list = j->is_object() ? j->find("data") : j->end();
    if (!j->is_object() || list == j->end() || !list->is_array())
        return fail(Error::failure, url + ": data is not a list of models, so this is not OpenAI's API");
    std::vector<ServedModel> out;
    for (const auto& one : *list) {
        if (!one.is_object() || !one.contains("id") || !one["id"].is_string()) continue;
        ServedModel model{.id = one["id"].get<std::string>()};
        const auto whole = [](const nlohmann::json& of, const char* key) -> int64_t {
            const auto it = of.is_object() ? of.find(key) : of.end();
            return of.is_object() && it != of.end() && it->is_number_integer() && it->get<double>() > 0 && it->get<double>() < 1e12 ? it->get<int64_t>() : 0;
        };
        if (const auto owner = one.find("owned_by"); owner != one.end() && owner->is_string()) model.owner = owner->get<std::string>();
        model.context = whole(one, "max_model_len");                                                                                   // vLLM, SGLang, klp
        if (const auto meta = one.find("meta"); model.context == 0 && meta != one.end()) model.context = whole(*meta, "n_ctx_train");  // llama.cpp
        out.push_back(std::move(model));
    }
    return out;
}

Result<ServedModel> served_model(const Server& server, const std::string& name, const std::atomic<bool>* cancel) {
    const auto all = served_models(server, cancel);
    if (!all) return tl::unexpected(all.error());
    if (name.empty() && all->size() == 1) return all->front();
    std::string names;
    for (const ServedModel& m : *all) {
        if (m.id == name && !name.empty()) return m;
        if (names.size() < 600) names += (names.empty() ? "" : ", ") + in_quotes(m.id);
    }
    if (names.empty()) return fail(Error::model, server.url + " serves no model");
    if (name.empty()) return fail(Error::usage, server.url + " serves several models: say one with --served-model; there are " + names);
    return fail(Error::model, server.url + " serves no model " + in_quotes(name) + "; there " + (all->size() == 1 ? "is " : "are ") + names);
}

Result<std::optional<ModelConfig>> served_shape(const std::string& said, const std::string& model) {
    if (!said.empty() && said.find('/') == said.npos && !said.ends_with(".json")) {
        std::string names;
        for (const NamedShape& s : named_shapes()) {
            if (s.name == said) return s.config;
            names += (names.empty() ? "" : ", ") + std::string(s.name);
        }
        return fail(Error::usage, "--served-shape: there is no shape " + in_quotes(said) + "; there are " + names + ", or the path of a config.json");
    }
    if (!said.empty()) {
        auto config = read_config(said);
        if (!config) return tl::unexpected(config.error());
        return *config;
    }
    const std::string name = small_letters(model);
    for (const char* published : {"kimi-linear-48b", "ling-3.0-tiny", "ling-3.0-flash"})
        if (name.find(published) != name.npos)
            for (const NamedShape& s : named_shapes())
                if (s.name == published) return s.config;
    return std::nullopt;
}

double ServedReply::tokens_per_second() const {
    const int64_t tokens = answer.tokens > 0 ? answer.tokens : answer.pieces;
    return times.tell(tokens) ? static_cast<double>(tokens - 1) * 1e9 / static_cast<double>(times.last_ns - times.first_ns) : NAN;
}

Result<ServedReply> ask_server(const Server& server, const ServedRequest& request, const OnPiece& on_piece, const std::atomic<bool>* cancel) {
    auto replies = hear_all(server, {request}, &on_piece, cancel);
    if (!replies) return tl::unexpected(replies.error());
    ServedReply& reply = replies->front();
    if (reply.trouble && reply.answer.pieces == 0 && reply.answer.calls.empty()) return tl::unexpected(*reply.trouble);
    return std::move(reply);
}

Result<std::vector<ServedReply>> ask_server(const Server& server, const std::vector<ServedRequest>& requests, const std::atomic<bool>* cancel) {
    return hear_all(server, requests, nullptr, cancel);
}

// --- what a server says of itself ---------------------------------------------------------------------------------------------------------

std::string served_health(const Server& server, const std::atomic<bool>* cancel) {
    const HttpRequest request{.url = server.root() + "/health", .key = server.key, .silence_s = 5};
    const auto replies = http({&request, 1}, cancel);
    if (!replies || replies->front().status == 0) return "";
    const HttpReply& reply = replies->front();
    if (reply.status == 200) return "ok";
    return reply.status == 503 ? "not ready" : "";
}

std::map<std::string, double> parse_metrics(std::string_view text) {
    std::map<std::string, double> out;
    while (!text.empty() && out.size() < 10000) {
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line[0] == '#') continue;
        const size_t name_end = line.find_first_of("{ "), labels_end = line.rfind('}');
        if (name_end == line.npos) continue;
        size_t at = line[name_end] == '{' && labels_end != line.npos ? labels_end + 1 : name_end;
        at = line.find_first_not_of(' ', at);
        if (at == line.npos) continue;
        double value = 0;
        const auto [stop, error] = std::from_chars(line.data() + at, line.data() + line.size(), value);
        if (error != std::errc() || !std::isfinite(value)) continue;
        const std::string name(line.substr(0, name_end));
        if (name.ends_with("_bucket")) continue;
        double& sum = out[name];
        sum = name.ends_with("_perc") ? std::max(sum, value) : sum + value;
    }
    return out;
}

std::map<std::string, double> served_metrics(const Server& server, const std::atomic<bool>* cancel) {
    const HttpRequest request{.url = server.root() + "/metrics", .key = server.key, .silence_s = 5};
    const auto replies = http({&request, 1}, cancel);
    if (!replies || replies->front().status != 200 || replies->front().type == "text/html") return {};
    return parse_metrics(replies->front().body);
}

ServedLoad served_load(const std::map<std::string, double>& metrics) {
    ServedLoad load;
    const auto first_of = [&](std::optional<double>& to, std::initializer_list<const char*> names) {
        for (const char* name : names)
            if (const auto it = metrics.find(name); it != metrics.end() && !to) to = it->second;
    };
    first_of(load.running, {"vllm:num_requests_running", "sglang:num_running_reqs", "llamacpp:requests_processing", "klp_requests_running"});
    first_of(load.waiting, {"vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred", "klp_requests_waiting"});
    first_of(load.cache_share, {"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage", "llamacpp:kv_cache_usage_ratio"});
    first_of(load.state_bytes, {"klp_state_bytes"});
    first_of(load.cache_bytes, {"klp_cache_bytes"});
    return load;
}

int64_t served_prompt_tokens(const Server& server, const ServedRequest& request, const std::atomic<bool>* cancel) {
    const HttpRequest ask{.url = server.root() + "/tokenize", .key = server.key, .body = completion_body(request)};
    const auto replies = http({&ask, 1}, cancel);
    if (!replies || replies->front().status != 200) return 0;
    const auto j = parse_json(replies->front().body, "");
    if (!j || !j->is_object()) return 0;
    const auto count = j->find("count");
    return count != j->end() && count->is_number_integer() && count->get<double>() > 0 && count->get<double>() < 1e9 ? count->get<int64_t>() : 0;
}

}  // namespace klp
