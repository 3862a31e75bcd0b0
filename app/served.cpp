#include "app/served.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "app/files.h"
#include "app/format.h"
#include "app/lenses.h"
#include "app/progress.h"
#include "app/session.h"
#include "core/text/tool_calls.h"

namespace klp {

// --- the talk -------------------------------------------------------------------------------------------------------------

int ServedTalk::add(int parent, Node node) {
    node.parent = parent;
    nodes_.push_back(std::move(node));
    return static_cast<int>(nodes_.size()) - 1;
}

std::vector<int> ServedTalk::line(int node) const {
    std::vector<int> out;
    for (int at = node; at > 0; at = nodes_[static_cast<size_t>(at)].parent) out.push_back(at);
    std::reverse(out.begin(), out.end());
    return out;
}

int ServedTalk::turn_of(int node) const {
    int turns = 0;
    for (int at : line(node)) turns += nodes_[static_cast<size_t>(at)].role == "user";
    return turns;
}

int ServedTalk::question_of(int node) const {
    while (node > 0 && nodes_[static_cast<size_t>(node)].role != "user") node = nodes_[static_cast<size_t>(node)].parent;
    return std::max(0, node);
}

std::vector<Message> ServedTalk::messages(int node, const std::string& system) const {
    std::vector<Message> out;
    if (!system.empty()) out.push_back({.role = "system", .content = system});
    for (int at : line(node)) {
        const Node& n = nodes_[static_cast<size_t>(at)];
        out.push_back({.role = n.role, .content = n.text, .tool_call_id = n.call_id, .tool_calls = n.calls});
    }
    return out;
}

bool ServedTalk::above(int one, int other) const {
    for (int at = other; at > one; at = nodes_[static_cast<size_t>(at)].parent)
        if (nodes_[static_cast<size_t>(at)].parent == one) return true;
    return one == other;
}

// A branch that says nothing of its own is none.
void ServedTalk::tidy() {
    const int number = branch();
    std::erase_if(branches_, [&](const Branch& b) {
        return b.number != number && !b.kept && std::any_of(branches_.begin(), branches_.end(), [&](const Branch& other) {
                   return other.number != b.number && (above(b.tip, other.tip) && (b.tip != other.tip || other.number < b.number || other.number == number));
               });
    });
    current_ = static_cast<size_t>(std::find_if(branches_.begin(), branches_.end(), [&](const Branch& b) { return b.number == number; }) - branches_.begin());
}

void ServedTalk::go_to(int node) {
    if (node == tip()) return;
    const auto there = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& b) { return b.tip == node; });
    current_ = static_cast<size_t>(there - branches_.begin());
    if (there == branches_.end()) branches_.push_back({++last_number_, node});
    tidy();
}

bool ServedTalk::go_to_branch(int number) {
    const auto found = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& b) { return b.number == number; });
    if (found == branches_.end()) return false;
    current_ = static_cast<size_t>(found - branches_.begin());
    tidy();
    return true;
}

int ServedTalk::fork() {
    branches_[current_].kept = true;
    branches_.push_back({++last_number_, tip(), true});
    current_ = branches_.size() - 1;
    return last_number_;
}

// --- the session ----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<ServedSession>> ServedSession::open(const ChatOptions& options, Terminal& terminal) {
    auto session = std::make_unique<ServedSession>(terminal);
    const SamplingFlags& s = options.sampling;
    session->sampling = {s.temperature, s.top_p, s.min_p, s.repeat_penalty, s.top_k, s.seed};
    session->predict = options.predict;
    session->system = options.system;
    if (!options.served.at.empty()) {
        auto tools = read_tools(options.tools);
        if (!tools) return tl::unexpected(tools.error());
        session->tools = std::move(*tools);
        auto engine = RemoteTalk::open(options.served.at, options.served.ssh, options.served.key_variable);
        if (!engine) return tl::unexpected(engine.error());
        session->engine = std::move(*engine);
        const RunCard& card = session->engine->card();
        session->server.url = session->engine->at();
        session->model = {.id = card.name, .context = card.context};
        session->shape = card.config;
        return session;
    }
    auto server = server_at(options.served.url, options.served.key_variable);
    if (!server) return tl::unexpected(server.error());
    session->server = std::move(*server);
    auto tools = read_tools(options.tools);
    if (!tools) return tl::unexpected(tools.error());
    session->tools = std::move(*tools);
    auto model = served_model(session->server, options.served.model, &g_interrupted);
    if (!model) return tl::unexpected(model.error());
    session->model = std::move(*model);
    auto shape = served_shape(options.served.shape, session->model.id);
    if (!shape) return tl::unexpected(shape.error());
    session->shape = std::move(*shape);
    return session;
}

Result<ServedReply> ServedSession::ask(const std::string& text, bool stream) {
    const int before = talk.tip();
    const int question = talk.add(before, {.role = "user", .text = text});
    return speak(question, stream);
}

Result<ServedReply> ServedSession::regenerate(bool stream) {
    const int tip = talk.tip();
    if (talk.node(tip).role != "assistant") return fail(Error::usage, "there is no answer yet");
    return speak(talk.node(tip).parent, stream);
}

std::vector<ToolCall> ServedSession::waiting_calls() const {
    std::vector<ToolCall> calls = talk.node(talk.tip()).calls;
    std::erase_if(calls, [&](const ToolCall& call) { return returned.contains(call.id); });
    return calls;
}

Result<std::optional<ServedReply>> ServedSession::return_call(const std::string& id, const std::string& text, bool stream) {
    const std::vector<ToolCall> waiting = waiting_calls();
    if (std::none_of(waiting.begin(), waiting.end(), [&](const ToolCall& call) { return call.id == id; })) {
        std::string names;
        for (const ToolCall& call : waiting) names += (names.empty() ? "; waiting: " : ", ") + call.id;
        return fail(Error::usage, "the last answer has no open call '" + one_line(id) + "'" + names);
    }
    returned[id] = text;
    if (waiting.size() > 1) return std::optional<ServedReply>();
    int at = talk.tip();
    for (const ToolCall& call : talk.node(talk.tip()).calls) at = talk.add(at, {.role = "tool", .text = returned[call.id], .call_id = call.id});
    auto reply = speak(at, stream);
    if (!reply) {
        returned.erase(id);
        return tl::unexpected(reply.error());
    }
    return *reply;
}

MakeAnswer ServedSession::asked_of_engine(int tip) const {
    const RunCard& card = engine->card();
    MakeAnswer ask{.answer = static_cast<int>(answers), .predict = predict.value_or(std::max<int64_t>(1, card.predict))};
    if (!tools.empty()) ask.line.push_back({std::string(kToolsRole), tools});
    if (!system.empty()) ask.line.push_back({"system", system});
    for (int at : talk.line(tip)) {
        const ServedTalk::Node& n = talk.node(at);
        Part part{.role = n.role, .text = n.role == "tool" ? tool_return(n.call_id, n.text) : n.text, .ids = n.ids, .closing = n.closing};
        ask.line.push_back(std::move(part));
    }
    Sampling& s = ask.sampling = card.sampling;
    s.temperature = sampling.temperature.value_or(s.temperature), s.top_p = sampling.top_p.value_or(s.top_p), s.min_p = sampling.min_p.value_or(s.min_p);
    s.repeat_penalty = sampling.repeat_penalty.value_or(s.repeat_penalty), s.top_k = sampling.top_k.value_or(s.top_k);
    s.seed = sampling.seed ? *sampling.seed + answers : std::random_device{}();
    return ask;
}

// Answers the message at `tip`; the talk stands there only when something of an answer has come.
Result<ServedReply> ServedSession::speak(int tip, bool stream) {
    ServedRequest request{.model = model.id, .messages = talk.messages(tip, system), .tools = tools, .sampling = sampling, .predict = predict};
    if (request.sampling.seed) *request.sampling.seed += answers;  // a regenerated answer is another one
    const std::optional<MakeAnswer> asked = engine ? std::optional(asked_of_engine(tip)) : std::nullopt;
    ++answers;
    WordWrap wrap(terminal.canvas.width);
    const auto show = [&](const std::string& text) { return put(terminal.output ? wrap.push(harmless(text)) : text); };
    std::optional<Progress> waiting;
    waiting.emplace(terminal, "waiting for " + server.url);
    int64_t pieces = 0, thought = 0;
    bool text_begun = false;
    const auto on_piece = [&](const ServedPiece& piece, const ServedAnswer&) {
        ++pieces;
        if (!piece.reasoning.empty() && piece.text.empty()) {
            if (thought++ == 0) waiting.emplace(terminal, "thinking", "piece");
            if (waiting) waiting->at(thought, 0);
            return;
        }
        if (!std::exchange(text_begun, true)) {
            waiting.reset();
            if (!stream || !terminal.output) waiting.emplace(terminal, "answering", "piece");
        }
        if (waiting) waiting->at(pieces, 0);
        if (stream) show(piece.text);
    };
    std::vector<int32_t> ids;
    int32_t closing = -1;
    const auto of_engine = [&]() -> Result<ServedReply> {
        auto got = engine->answer(*asked, on_piece);
        if (!got) return tl::unexpected(got.error());
        ids = std::move(got->ids), closing = got->closing;
        return std::move(got->reply);
    };
    auto reply = engine ? of_engine() : ask_server(server, request, on_piece, &g_interrupted);
    waiting.reset();
    if (!reply) return reply;
    const ServedAnswer& a = reply->answer;
    if (stream) {
        for (const ToolCall& call : a.calls) show(call_text(call));
        put(wrap.finish());
    }
    const int old = talk.tip();
    const int64_t tokens = a.prompt_tokens >= 0 && a.tokens >= 0 ? a.prompt_tokens + a.tokens : -1;
    const int node = talk.add(
        tip, {.role = "assistant", .text = a.text, .reasoning = a.reasoning, .calls = a.calls, .tokens = tokens, .ids = std::move(ids), .closing = closing});
    if (engine) watched = node;
    const std::vector<int> line = talk.line(node);
    if (old == 0 || std::find(line.begin(), line.end(), old) != line.end())
        talk.go_on(node);
    else
        talk.go_to(node);
    returned.clear();
    last = *reply;
    return reply;
}

std::optional<SequenceBytes> ServedSession::memory(bool twin) const {
    const int64_t tokens = talk.node(talk.tip()).tokens;
    if (!shape || tokens < 0) return {};
    return sequence_bytes(twin ? all_attention(*shape) : *shape, (tokens + kMlaPage - 1) / kMlaPage * kMlaPage, 2);
}

std::string ServedSession::cost_of(const ServedReply& reply) const {
    const ServedAnswer& a = reply.answer;
    const std::string unit = a.tokens >= 0 ? "token" : "piece";
    std::string speed = plural(a.tokens >= 0 ? a.tokens : a.pieces, unit);
    if (const double rate = reply.tokens_per_second(); std::isfinite(rate)) speed += ", " + short_number(rate) + " " + unit + "s/s";
    if (reply.times.first_ns > 0) speed += ", first token after " + duration_text(double(reply.times.first_token_ns()));
    if (a.prompt_tokens >= 0)
        speed += ", prompt " + plural(a.prompt_tokens, "token") + (a.cached_tokens > 0 ? " (" + grouped(a.cached_tokens) + " of them from a cache)" : "");
    if (a.tokens < 0) speed += "; the server does not count tokens";
    if (a.finish == "length") speed += "; stopped: " + finish_name(a.finish);
    std::string out = wrapped(speed, terminal.canvas.width);
    if (const auto mine = memory(false))
        out += wrapped("memory " + bytes_text(mine->total()) + " (state " + bytes_text(mine->state) + ", conv " + bytes_text(mine->conv) + ", cache " +
                           bytes_text(mine->cache) + "); as all-MLA twin " + bytes_text(memory(true)->total()) + " (both computed from the shape)",
                       terminal.canvas.width);
    return out;
}

std::string finish_name(const std::string& finish) {
    if (finish == "stop" || finish == "tool_calls") return std::string(name(Generation::End::stop_token));
    if (finish == "length") return std::string(name(Generation::End::budget));
    return finish.empty() ? "broken off" : one_line(finish);
}

// --- -p and the REPL ------------------------------------------------------------------------------------------------------

namespace {

nlohmann::ordered_json served_json(const ServedSession& session, const ServedReply& reply) {
    using Json = nlohmann::ordered_json;
    const ServedAnswer& a = reply.answer;
    const auto count = [](int64_t n) { return n >= 0 ? Json(n) : Json(); };
    Json out = {{"text", a.text},
                {"end", reply.trouble && reply.trouble->kind == Error::interrupted ? std::string(name(Generation::End::cancelled)) : finish_name(a.finish)},
                {"tokens", count(a.tokens)},
                {"tokens_per_second", reply.tokens_per_second()},
                {"first_token_ms", reply.times.first_ns > 0 ? Json(double(reply.times.first_token_ns()) / 1e6) : Json()},
                {"prompt_tokens", count(a.prompt_tokens)},
                {"cached_tokens", count(a.cached_tokens)},
                {"tool_calls", openai_json(a.calls)},
                {"model", session.model.id},
                {"url", session.server.url}};
    if (!a.reasoning.empty()) out["reasoning"] = a.reasoning;
    if (session.sampling.seed) out["seed"] = *session.sampling.seed;
    if (const auto mine = session.memory(false))
        out["memory_bytes"] = {{"state", mine->state},
                               {"conv", mine->conv},
                               {"cache", mine->cache},
                               {"all_mla_twin", session.memory(true)->total()},
                               {"twin", label(TwinKind::computed)}};
    if (reply.trouble) out["trouble"] = reply.trouble->message;
    return out;
}

int served_one_shot(const ChatOptions& options, const std::string& prompt, Terminal& terminal) {
    auto session = ServedSession::open(options, terminal);
    if (!session) return report(session.error());
    auto reply = (*session)->ask(prompt, !options.json);
    if (!reply) return report(reply.error());
    put(options.json ? served_json(**session, *reply).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n" : "\n");
    if (options.stats) note((*session)->cost_of(*reply) + one_line((*session)->model.id) + " at " + (*session)->server.url);
    if (reply->trouble && reply->trouble->kind != Error::interrupted) return report(*reply->trouble);
    return g_interrupted ? Error::interrupted : 0;
}

int served_repl(const ChatOptions& options, Terminal& terminal) {
    auto opened = ServedSession::open(options, terminal);
    if (!opened) return report(opened.error());
    ServedSession& session = **opened;
    LineReader reader(terminal, [&](std::string_view before) { return served_completions(session, before); });
    note(bold(wrapped("Kimi Linear Playground, " + one_line(session.model.id) + " at " + session.server.url, terminal.canvas.width), terminal.canvas) +
         (session.shape ? dim(layer_pattern(*session.shape, terminal.canvas.width), terminal.canvas) : "") +
         dim(wrapped(session.engine
                         ? "the engine of a klp serve, on " + one_line(session.engine->card().device.hardware) + "; /help for commands, Ctrl-D to leave"
                         : "it runs in another program, so its states and gates are not seen here; /help for commands, Ctrl-D to leave",
                     terminal.canvas.width),
             terminal.canvas));
    int interrupts = 0;
    while (!session.quit && !output_failed() && !g_ended) {
        std::string message;
        const auto got = read_message(reader, terminal, message);
        terminal.measure();
        if (got == LineReader::Got::end) break;
        if (got == LineReader::Got::interrupted) {
            if (g_ended) break;
            if (++interrupts == 2) return Error::interrupted;
            note(dim("(Ctrl-C again or Ctrl-D to leave)", terminal.canvas));
            continue;
        }
        interrupts = 0;
        if (message.find_first_not_of(" \t\r\n") == std::string::npos) continue;
        reader.remember(message);
        g_interrupted = false;
        if (message[0] == '/' && !message.starts_with("//"))
            run_served_command(session, message);
        else
            show_served_outcome(session, session.ask(message.starts_with("//") ? message.substr(1) : message, /*stream=*/true));
    }
    return output_failed() ? Error::failure : g_ended ? Error::interrupted : 0;
}

}  // namespace

int served_chat(const ChatOptions& options, Terminal& terminal) {
    if (!options.prompt && (terminal.input || options.interactive)) return served_repl(options, terminal);
    auto prompt = question(options);
    return prompt ? served_one_shot(options, *prompt, terminal) : report(prompt.error());
}

}  // namespace klp
