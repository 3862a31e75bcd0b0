#include "app/session.h"

#include <utility>

#include "app/files.h"
#include "app/format.h"
#include "app/lenses.h"
#include "app/places.h"
#include "app/side.h"
#include "core/files/resources.h"
#include "core/text/thoughts.h"
#include "core/text/tool_calls.h"

namespace klp {

Result<InterventionsPtr> read_hands(const std::string& file) {
    if (file.empty()) return InterventionsPtr();
    auto text = read_named(file, 64 << 20);
    if (!text) return tl::unexpected(text.error());
    auto all = read_interventions(*text, file);
    if (!all) return tl::unexpected(all.error());
    return all->empty() ? nullptr : std::make_shared<const Interventions>(std::move(*all));
}

Result<std::string> read_tools(const std::string& file) {
    if (file.empty()) return "";
    auto text = read_named(file, 1 << 20);
    if (!text) return text;
    if (text->find_first_not_of(" \t\r\n") == std::string::npos) return fail(Error::failure, file + " is empty");
    auto tools = tool_declaration(*text, file);
    if (tools && tools->empty()) return fail(Error::failure, file + " declares no tools");
    return tools;
}

Session::Session(Terminal& terminal, Engine opened, Conversation begun)
    : terminal(terminal), engine(std::move(opened)), talk(std::move(begun)), ws(*engine.backend), watch(engine.config()) {
    ws.on_pass = [this](int64_t done, int64_t total) {
        if (!reading) reading.emplace(this->terminal, "reading", "token");
        reading->at(done, total);
    };
}

Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(const ChatOptions& options, Terminal& terminal) {
    EngineOptions opening = options.engine;
    if (options.context > 0) opening.context = options.context;
    auto engine = open_engine(opening, terminal);
    if (!engine) return tl::unexpected(engine.error());
    auto tokenizer = need_tokenizer(engine->checkpoint);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    if (auto ours = check_template(engine->checkpoint, !options.engine.chat_template.empty()); !ours) return tl::unexpected(ours.error());
    auto talk = Conversation::begin(engine->model, *tokenizer, options.context);
    if (!talk) return tl::unexpected(talk.error());
    note_context("-c", options.context, engine->config().model_max_length);
    auto session = std::make_unique<Session>(terminal, std::move(*engine), std::move(*talk));

    Sampling& s = session->sampling;
    read_generation_defaults(session->engine.checkpoint.folder, s, session->predict);
    apply(options.sampling, s);
    session->predict = options.predict.value_or(std::max<int64_t>(1, session->predict));
    session->talk.set_system(options.system);
    const auto hands = read_hands(options.intervene);
    if (!hands) return tl::unexpected(hands.error());
    if (auto laid = session->talk.begin_touched(*hands); !laid) return fail(laid.error().kind, options.intervene + ": " + laid.error().message);
    auto tools = read_tools(options.tools);
    if (!tools) return tl::unexpected(tools.error());
    session->talk.set_tools(std::move(*tools));
    auto way = on_full_named(options.on_full);
    if (!way) return tl::unexpected(way.error());
    if (auto set = session->set_on_full(*way); !set) return tl::unexpected(set.error());
    if (!options.beside.empty()) {
        auto side = SideTalk::open(*session, options.beside);
        if (!side) return tl::unexpected(side.error());
        session->side = std::move(*side);
    }
    if (options.go_on) {
        auto reached = load_place(*session, kLastPlace);
        if (!reached) return fail(reached.error().kind, "there is no talk to go on with: " + reached.error().message);
        if (!reached->note.empty()) note("klp: " + reached->note);
        session->reached = *reached;
    }
    return session;
}

Result<void> Session::set_on_full(OnFull way) {
    return talk.set_on_full(way, [this](const Conversation::Summary& summary) {
        summed_up = summary.text;
        note(dim(wrapped("(the context was full: the talk goes on from a summary and the last exchange; all of it stays as branch " +
                             std::to_string(summary.branch) + ")",
                         terminal.canvas.width) +
                     wrapped(harmless("What was said so far: " + summary.text), terminal.canvas.width),
                 terminal.canvas));
    });
}

StateStore* Session::states() {
    if (!std::exchange(states_tried_, true)) {
        const auto folder = data_folder();
        Result<std::unique_ptr<StateStore>> opened = fail(Error::failure, "neither XDG_DATA_HOME nor HOME is set");
        if (!folder.empty()) opened = StateStore::open(folder / "states");
        if (opened)
            states_ = std::move(*opened);
        else
            note("klp: states of talks are not kept on disk: " + opened.error().message);
    }
    return states_.get();
}

void Session::keep_end() {
    if (talk.turn() == 0) return;
    if (!end_) end_ = std::make_unique<KeptTalk>();
    auto saved = end_->keep(*this, kLastPlace);
    std::string trouble = saved ? "" : saved.error().message + "; klp --continue will not find what is said from here on";
    if (states_ && trouble.empty()) trouble = states_->kept().trouble;
    if (!trouble.empty() && !std::exchange(end_trouble_said_, true)) note("klp: " + trouble);
}

Result<Conversation::Answer> Session::ask(const std::string& text, bool stream) {
    if (side) return side->ask(*this, text);
    return speak([&](const GenerateOptions& how) { return talk.ask(text, ws, how); }, stream);
}

std::vector<ToolCall> Session::waiting_calls() const {
    std::vector<ToolCall> calls = read_answer(*engine.checkpoint.tokenizer, talk.node(talk.tip()).tokens).calls;
    if (called == talk.tip()) std::erase_if(calls, [&](const ToolCall& call) { return returned.contains(call.id); });
    return calls;
}

Result<std::optional<Conversation::Answer>> Session::return_call(const std::string& id, const std::string& text, bool stream) {
    const std::vector<ToolCall> waiting = waiting_calls();
    if (std::none_of(waiting.begin(), waiting.end(), [&](const ToolCall& call) { return call.id == id; })) {
        std::string names;
        for (const ToolCall& call : waiting) names += (names.empty() ? "; waiting: " : ", ") + call.id;
        return fail(Error::usage, "the last answer has no open call '" + one_line(id) + "'" + names);
    }
    if (std::exchange(called, talk.tip()) != talk.tip()) returned.clear();  // kept for an answer that was left
    returned[id] = text;
    if (waiting.size() > 1) return std::optional<Conversation::Answer>();
    std::vector<Message> messages;
    for (const ToolCall& call : read_answer(*engine.checkpoint.tokenizer, talk.node(talk.tip()).tokens).calls)
        messages.push_back({.role = "tool", .content = tool_return(call.id, returned[call.id])});
    auto answer = speak([&](const GenerateOptions& how) { return talk.ask(messages, ws, how); }, stream);
    if (!answer) {
        returned.erase(id);
        return tl::unexpected(answer.error());
    }
    return *answer;
}

Result<Conversation::Answer> Session::speak(const How& how, bool stream) {
    const Tokenizer& tokenizer = *engine.checkpoint.tokenizer;
    WordWrap wrap(terminal.canvas.width);
    const auto show = [&](const std::string& text) { return put(terminal.output ? wrap.push(harmless(text)) : text); };
    AnswerReader reader(tokenizer);
    Thoughts thoughts;  // are not shown; /reasoning does
    summed_up.reset();
    GenerateOptions options;
    options.sampling = sampling;
    options.sampling.seed = seed_used = sampling.seed + answers++;  // a regenerated answer is another one
    options.budget = predict;
    options.cancel = &g_interrupted;
    int64_t said = 0;
    const bool silent = !stream || !terminal.output;
    options.on_token = [&](const TokenEvent& token) {
        if (said == 0) watch.start(), reading.reset();
        if (said == 0 && silent) reading.emplace(terminal, "answering", "token");
        if (silent) reading->at(said, 0);
        ++said;
        const size_t calls = reader.calls().size();
        std::string text = thoughts.push(reader.push(token.id)).said;
        if (!silent && thoughts.thinking()) {
            if (!reading) reading.emplace(terminal, "thinking", "token");
            reading->at(said, 0);
        } else if (!silent && !text.empty()) {
            reading.reset();
        }
        for (size_t i = calls; i < reader.calls().size(); ++i) text += call_text(reader.calls()[i]);
        return !stream || text.empty() || show(text);
    };
    auto answer = how(options);
    watch.stop();
    reading.reset();
    if (stream) {
        const size_t calls = reader.calls().size();
        show(thoughts.push(reader.finish()).said + thoughts.finish().said);
        for (size_t i = calls; i < reader.calls().size(); ++i) show(call_text(reader.calls()[i]));
        put(wrap.finish());
    }
    if (answer)
        last = *answer, watched = talk.tip(), returned.clear();
    else if (said > 0)
        watched = -1;
    return answer;
}

SequenceBytes Session::twin_memory() const {
    const int64_t pages = (talk.sequence().position() + kMlaPage - 1) / kMlaPage;
    return sequence_bytes(all_attention(engine.config()), pages * kMlaPage, cache_value_bytes(*engine.model));
}

std::string Session::cost_of(const Conversation::Answer& answer) const {
    const Generation& g = answer.generation;
    const auto tokens = static_cast<int64_t>(g.tokens.size());
    std::string speed = plural(tokens, "token") + ", " + short_number(tokens_per_second(tokens, g.decode_ns)) + " tokens/s, first token after " +
                        duration_text(double(answer.first_token_ns)) + ", prefill " + plural(answer.prompt_tokens, "token") + " at " +
                        short_number(tokens_per_second(answer.prompt_tokens, answer.prefill_ns)) + "/s";
    if (g.end != Generation::End::stop_token) speed += "; stopped: " + std::string(name(g.end));
    const MemoryUse use = memory();
    std::string bytes = "memory " + bytes_text(use.total()) + " (state " + bytes_text(use.state) + ", conv " + bytes_text(use.conv) + ", cache " +
                        bytes_text(use.cache) + (talk.sequence().dropped() > 0 ? ", without the oldest " + plural(talk.sequence().dropped(), "token") : "") +
                        "); as " + twin_name(engine.config()) + " " + bytes_text(twin_memory().total()) + " (computed)";
    const std::string thought = watched >= 0 ? parted_thoughts(talk.node(watched).text).thought : "";
    const std::string before = thought.empty() ? "" : thoughts_note(thought, terminal.canvas.width);
    return wrapped(speed, terminal.canvas.width) + before + wrapped(bytes, terminal.canvas.width);
}

}  // namespace klp
