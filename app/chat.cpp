#include "app/chat.h"

#include <nlohmann/json.hpp>
#include <random>

#include "app/files.h"
#include "app/format.h"
#include "app/lenses.h"
#include "app/session.h"
#include "app/slash.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

Json as_json(const Session& session, const Conversation::Answer& answer, const std::string& text) {
    const std::vector<ToolCall> calls = read_answer(*session.engine.checkpoint.tokenizer, answer.generation.tokens).calls;
    const Generation& g = answer.generation;
    const MemoryUse use = session.memory();
    Json out = {{"text", text},
                {"end", name(g.end)},
                {"tokens", g.tokens.size()},
                {"tokens_per_second", tokens_per_second(static_cast<int64_t>(g.tokens.size()), g.decode_ns)},
                {"first_token_ms", double(answer.first_token_ns) / 1e6},
                {"prompt_tokens", answer.prompt_tokens},
                {"prefill_tokens_per_second", tokens_per_second(answer.prompt_tokens, answer.prefill_ns)},
                {"memory_bytes",
                 {{"state", use.state},
                  {"conv", use.conv},
                  {"cache", use.cache},
                  {"all_mla_twin", session.twin_memory().total()},
                  {"twin", label(TwinKind::computed)}}},
                {"tool_calls", openai_json(calls)},
                {"seed", session.seed_used},
                {"model", session.engine.name},
                {"device", session.engine.backend->info().name}};
    if (session.talk.sequence().rolls()) out["dropped_tokens"] = session.talk.sequence().dropped();
    if (session.summed_up) out["summary"] = *session.summed_up;
    return out;
}

int one_shot(const ChatOptions& options, Terminal& terminal) {
    const auto prompt = question(options);
    if (!prompt) return report(prompt.error());
    auto session = Session::open(options, terminal);
    if (!session) return report(session.error());
    auto answer = (*session)->ask(*prompt, !options.json);
    if (!answer) {
        Error error = answer.error();
        if ((*session)->talk.remedy() == Conversation::Remedy::make_room) error.message += "; --on-full roll goes on beyond it, a larger -c holds more";
        return report(error);
    }
    if (options.json) {
        const std::string text = (*session)->talk.node((*session)->talk.tip()).text;
        put(as_json(**session, *answer, text).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    } else {
        put("\n");
    }
    if (options.go_on) (*session)->keep_end();
    if (options.stats) {
        note((*session)->cost_of(*answer) + (*session)->engine.name + " on " + (*session)->engine.backend->info().name +
             ((*session)->sampling.temperature > 0 ? ", seed " + std::to_string((*session)->seed_used) : ", greedy"));
    } else if (answer->generation.end == Generation::End::context) {
        note("klp: the context of " + grouped((*session)->talk.sequence().context()) +
             " tokens is full; the answer ends here (--on-full roll or summarise goes on)");
    }
    return g_interrupted ? Error::interrupted : 0;
}

void greet(const Session& session) {
    const Terminal& terminal = session.terminal;
    const Engine& e = session.engine;
    const ParameterCount count = count_parameters(e.config());
    note(bold(wrapped(
                  "Kimi Linear Playground, " + e.name + ": " + count_text(count.total) + " parameters, " + count_text(count.active) + " active, " + e.weights(),
                  terminal.canvas.width),
              terminal.canvas) +
         dim(layer_pattern(e.config(), terminal.canvas.width), terminal.canvas) +
         dim(wrapped(
                 e.backend->info().name + (e.backend->info().detail.empty() ? "" : ", " + e.backend->info().detail) + "; /help for commands, Ctrl-D to leave",
                 terminal.canvas.width),
             terminal.canvas));
}

int repl(const ChatOptions& options, Terminal& terminal) {
    auto opened = Session::open(options, terminal);
    if (!opened) return report(opened.error());
    Session& session = **opened;
    session.ws.tap = &session.watch;
    LineReader reader(terminal, [&](std::string_view before) { return completions(session, before); });
    greet(session);
    if (session.reached) show_reached(session, *session.reached);

    int interrupts = 0;
    while (!session.quit && !output_failed() && !g_ended) {
        session.history = reader.history_state();
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
        if (message[0] == '/' && !message.starts_with("//")) {
            run_slash_command(session, message);
        } else {
            const auto answer = session.ask(message.starts_with("//") ? message.substr(1) : message, /*stream=*/true);
            show_outcome(session, answer);
        }
    }
    session.keep_end();
    return output_failed() ? Error::failure : g_ended ? Error::interrupted : 0;
}

}  // namespace

Result<std::string> question(const ChatOptions& options) {
    std::string prompt;
    if (options.prompt) {
        prompt = *options.prompt;
    } else {
        auto text = read_stdin();
        if (!text) return text;
        prompt = line_ends(*text);
        if (prompt.ends_with('\n')) prompt.pop_back();
    }
    if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) return fail(Error::usage, "the prompt is empty");
    return prompt;
}

LineReader::Got read_message(LineReader& reader, const Terminal& terminal, std::string& message) {
    // \1 marks what takes no columns; the blank comes last because libedit loses such a mark at the end of a prompt.
    const auto marked = [&](const std::string& prompt) {
        return terminal.canvas.colour == Colour::none ? prompt + " " : "\1\x1b[1m\1" + prompt + "\1\x1b[0m\1 ";
    };
    auto got = reader.read(marked(">"), message);
    if (got != LineReader::Got::line) return got;
    constexpr std::string_view kQuotes = "\"\"\"";
    const bool quoted = message.starts_with(kQuotes);
    if (quoted) message.erase(0, kQuotes.size());
    for (std::string line;;) {
        if (quoted ? message.ends_with(kQuotes) : !message.ends_with('\\')) break;
        if (!quoted) message.pop_back();
        got = reader.read(marked("."), line);
        if (got == LineReader::Got::interrupted) return got;
        if (got == LineReader::Got::end) break;
        message += "\n" + line;
    }
    if (quoted && message.ends_with(kQuotes)) message.resize(message.size() - kQuotes.size());
    return LineReader::Got::line;
}

void apply(const SamplingFlags& flags, Sampling& s) {
    s.temperature = flags.temperature.value_or(s.temperature);
    s.top_k = flags.top_k.value_or(s.top_k);
    s.top_p = flags.top_p.value_or(s.top_p);
    s.min_p = flags.min_p.value_or(s.min_p);
    s.repeat_penalty = flags.repeat_penalty.value_or(s.repeat_penalty);
    s.seed = flags.seed ? *flags.seed : std::random_device{}();
}

int chat(const ChatOptions& options, Terminal& terminal) {
    const bool one = options.prompt || (!terminal.input && !options.interactive);
    if (one && options.on_full == "summarise" && !options.go_on)
        return report({Error::usage, "--on-full summarise needs a talk to sum up: the REPL, or --continue"});
    if (options.json && !one) return report({Error::usage, "--json needs a question: -p TEXT, or a pipe on stdin"});
    if (options.json && !options.beside.empty()) return report({Error::usage, "--json tells one answer and --beside makes two"});
    return one ? one_shot(options, terminal) : repl(options, terminal);
}

}  // namespace klp
