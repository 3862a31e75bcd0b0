#include "app/session.h"

#include <utility>

#include "app/format.h"
#include "app/places.h"
#include "core/files/resources.h"

namespace klp {

Session::Session(Terminal& terminal, Engine opened, Conversation begun)
    : terminal(terminal), engine(std::move(opened)), talk(std::move(begun)), ws(*engine.backend), watch(engine.config()) {}

Result<std::unique_ptr<Session>> Session::open(const ChatOptions& options, Terminal& terminal) {
    EngineOptions opening = options.engine;
    if (options.context > 0) opening.context = options.context;
    auto engine = open_engine(opening, terminal);
    if (!engine) return tl::unexpected(engine.error());
    auto tokenizer = need_tokenizer(engine->checkpoint);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    auto talk = Conversation::begin(engine->model, *tokenizer, options.context);
    if (!talk) return tl::unexpected(talk.error());
    note_context("-c", options.context, engine->config().model_max_length);
    auto session = std::make_unique<Session>(terminal, std::move(*engine), std::move(*talk));

    Sampling& s = session->sampling;
    read_generation_defaults(session->engine.checkpoint.folder, s, session->predict);
    apply(options.sampling, s);
    session->predict = options.predict.value_or(std::max<int64_t>(1, session->predict));
    session->talk.set_system(options.system);
    auto way = on_full_named(options.on_full);
    if (!way) return tl::unexpected(way.error());
    if (auto set = session->set_on_full(*way); !set) return tl::unexpected(set.error());
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
    auto saved = save_place(*this, kLastPlace);
    std::string trouble = saved ? "" : saved.error().message;
    if (states_ && trouble.empty()) trouble = states_->kept().trouble;
    if (!trouble.empty() && !std::exchange(end_trouble_said_, true)) note("klp: " + trouble);
}

Result<Conversation::Answer> Session::ask(const std::string& text, bool stream) {
    return speak([&](const GenerateOptions& how) { return talk.ask(text, ws, how); }, stream);
}

Result<Conversation::Answer> Session::speak(const How& how, bool stream) {
    const Tokenizer& tokenizer = *engine.checkpoint.tokenizer;
    WordWrap wrap(terminal.canvas.width);
    const auto show = [&](const std::string& text) { return put(terminal.output ? wrap.push(harmless(text)) : text); };
    Utf8Stream utf8;
    summed_up.reset();
    GenerateOptions options;
    options.sampling = sampling;
    options.sampling.seed = seed_used = sampling.seed + answers++;  // a regenerated answer is another one
    options.budget = predict;
    options.cancel = &g_interrupted;
    bool first = true;
    options.on_token = [&](const TokenEvent& token) {
        if (first) watch.start();
        first = false;
        return !stream || tokenizer.is_special(token.id) || show(utf8.push(tokenizer.bytes(token.id)));
    };
    auto answer = how(options);
    watch.stop();
    if (stream) {
        show(utf8.finish());
        put(wrap.finish());
    }
    if (answer) last = *answer;
    return answer;
}

SequenceBytes Session::twin_memory() const {
    const int64_t pages = (talk.sequence().position() + kMlaPage - 1) / kMlaPage;
    return sequence_bytes(all_mla(engine.config()), pages * kMlaPage, cache_value_bytes(*engine.model));
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
                        "); as all-MLA twin " + bytes_text(twin_memory().total()) + " (computed)";
    return wrapped(speed, terminal.canvas.width) + wrapped(bytes, terminal.canvas.width);
}

}  // namespace klp
