// The REPL's commands while a server answers. Those that look into an engine say what would show it.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <system_error>

#include "app/format.h"
#include "app/lenses.h"
#include "app/served.h"
#include "core/text/prompts.h"

namespace klp {

namespace {

using Words = std::vector<std::string>;

void tell(const ServedSession& session, const std::string& sentence) { put(wrapped(sentence, session.terminal.canvas.width)); }

template <class T>
std::optional<T> number_of(const std::string& text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    if constexpr (std::is_floating_point_v<T>) {
        if (!std::isfinite(value)) return {};
    }
    return value;
}

void tell_place(ServedSession& session, int left) {
    const ServedTalk& talk = session.talk;
    std::string out = "branch " + std::to_string(talk.branch()) + ", " + (talk.turn() ? "turn " + std::to_string(talk.turn()) : "at the beginning");
    if (talk.tip() > 0) out += ": \"" + clipped(one_line(talk.node(talk.tip()).text), std::max(20, session.terminal.canvas.width - 30)) + "\"";
    tell(session, out);
    if (left == talk.branch()) return;
    for (const auto& b : talk.branches())
        if (b.number == left)
            put(dim(wrapped("(what was here is branch " + std::to_string(left) + " (/branch " + std::to_string(left) + "))", session.terminal.canvas.width),
                    session.terminal.canvas));
}

void go(ServedSession& session, int node) {
    const int left = session.talk.branch();
    session.talk.go_to(node);
    session.returned.clear();
    tell_place(session, left);
}

void set_sampling(ServedSession& session, const Words& args) {
    ServedSampling& s = session.sampling;
    struct Setting {
        std::string name, about;
        std::function<std::string()> show;
        std::function<bool(const std::string&)> change;  // false: not a value it can take
    };
    const auto real = [](std::optional<float>& field, float low, float high) {
        return [&field, low, high](const std::string& text) {
            const auto value = number_of<float>(text);
            if (text != "off" && (!value || *value < low || *value > high)) return false;
            field = text == "off" ? std::nullopt : value;
            return true;
        };
    };
    const auto whole = [](auto& field, int64_t low) {
        return [&field, low](const std::string& text) {
            const auto value = number_of<int64_t>(text);
            if (text != "off" && (!value || *value < low || *value > int64_t{1} << 31)) return false;
            using T = typename std::decay_t<decltype(field)>::value_type;
            field = text == "off" ? std::nullopt : std::optional(static_cast<T>(*value));
            return true;
        };
    };
    const auto shown = [](const auto& field) { return [&field] { return field ? short_number(double(*field)) : std::string("the server's"); }; };
    const Setting settings[] = {
        {"temp", "temperature from 0, which is greedy, to 100", shown(s.temperature), real(s.temperature, 0, 100)},
        {"top_k", "only the best k ids, 0 is all of them", shown(s.top_k), whole(s.top_k, 0)},
        {"top_p", "the fewest ids that reach this probability, 0 to 1", shown(s.top_p), real(s.top_p, 0, 1)},
        {"min_p", "nothing below this share of the best, 0 to 1", shown(s.min_p), real(s.min_p, 0, 1)},
        {"repeat_penalty", "against ids of the last tokens, 0.01 to 100; 1 is none", shown(s.repeat_penalty), real(s.repeat_penalty, 0.01f, 100)},
        {"seed", "of the next answer, a whole number", [&] { return s.seed ? std::to_string(*s.seed + session.answers) : "the server's"; },
         [&](const std::string& text) {
             const auto value = number_of<uint64_t>(text);
             if (!value && text != "off") return false;
             s.seed = value, session.answers = 0;
             return true;
         }},
        {"predict", "tokens of an answer at most, from 1", shown(session.predict), whole(session.predict, 1)},
    };
    if (args.empty()) {
        Table table({"setting", "value", "meaning"});
        for (const auto& one : settings) table.add({one.name, one.show(), one.about});
        put(table.text(session.terminal.canvas.width));
        return;
    }
    std::string name = args[0], value = args.size() > 1 ? args[1] : "";
    if (const size_t equals = name.find('='); equals != std::string::npos) value = name.substr(equals + 1), name.resize(equals);
    std::string names;
    for (const auto& one : settings) {
        names += (names.empty() ? "" : ", ") + one.name;
        if (name != one.name) continue;
        if (!value.empty() && !one.change(value)) return note("klp: " + name + " cannot be '" + one_line(value) + "' (" + one.about + "; off: the server's)");
        return tell(session, name + " = " + one.show());
    }
    note("klp: there is no setting '" + one_line(name) + "'; there are " + names);
}

void set_system(ServedSession& session, const std::string& text) {
    if (text.empty()) return tell(session, session.system.empty() ? "no system prompt" : "system prompt: " + one_line(session.system));
    session.system = text == "off" ? "" : text;
    go(session, 0);
}

void go_back(ServedSession& session, const Words& args) {
    const auto said = args.empty() ? std::nullopt : number_of<int>(args[0]);
    if (!said) return note("klp: /rewind N goes back to the end of turn N (0 is the beginning), /rewind -N goes back N turns");
    const int turn = *said < 0 ? std::max(0, session.talk.turn() + *said) : *said;
    if (turn > session.talk.turn()) return note("klp: there is no turn " + std::to_string(turn) + " yet; this is turn " + std::to_string(session.talk.turn()));
    int node = session.talk.tip();
    while (session.talk.turn_of(node) > turn) node = session.talk.node(session.talk.question_of(node)).parent;
    go(session, std::max(0, node));
}

void show_branches(ServedSession& session, const Words& args) {
    ServedTalk& talk = session.talk;
    if (!args.empty()) {
        const auto number = number_of<int>(args[0]);
        const int left = talk.branch();
        if (!number || !talk.go_to_branch(*number)) return note("klp: there is no branch '" + one_line(args[0]) + "'; /branch lists them");
        session.returned.clear();
        return tell_place(session, left);
    }
    Table table({"", "branch", "turns", "tokens", "last said"});
    for (const auto& b : talk.branches()) {
        const auto& n = talk.node(b.tip);
        table.add({b.number == talk.branch() ? "*" : "", std::to_string(b.number), std::to_string(talk.turn_of(b.tip)), n.tokens >= 0 ? grouped(n.tokens) : "",
                   clipped(one_line(n.text), std::max(10, session.terminal.canvas.width - 34))});
    }
    put(table.text(session.terminal.canvas.width));
}

void return_from_tool(ServedSession& session, const Words& args, const std::string& rest) {
    if (args.empty()) {
        const std::vector<ToolCall> waiting = session.waiting_calls();
        if (waiting.empty()) return tell(session, "no call of a tool is open");
        Table table({"call", "arguments"});
        for (const ToolCall& call : waiting) table.add({one_line(call.id), one_line(call.arguments)});
        put(table.text(session.terminal.canvas.width));
        return;
    }
    const size_t text = rest.find_first_not_of(" \t", args[0].size());
    const auto reply = session.return_call(args[0], text == rest.npos ? "" : rest.substr(text), true);
    if (!reply) return show_served_outcome(session, tl::unexpected(reply.error()));
    if (*reply) return show_served_outcome(session, **reply);
    tell(session, "kept; the model answers when all its calls have returned (/tool lists the open ones)");
}

void show_stats(ServedSession& session) {
    Table table({"", ""});
    table.add({"server", session.server.url});
    table.add({"model", one_line(session.model.id)});
    if (session.model.context > 0) table.add({"context", grouped(session.model.context) + " tokens"});
    const ServedLoad load = session.engine ? ServedLoad{} : served_load(served_metrics(session.server, &g_interrupted));
    if (load.running) table.add({"requests", short_number(*load.running) + " running, " + short_number(load.waiting.value_or(0)) + " waiting"});
    if (load.cache_share) table.add({"its cache", percent_text(*load.cache_share) + " in use"});
    if (load.state_bytes && load.cache_bytes)
        table.add({"its memory", "states " + bytes_text(std::llround(*load.state_bytes)) + ", caches " + bytes_text(std::llround(*load.cache_bytes))});
    std::string text = table.text();
    text.erase(0, text.find('\n') + 1);
    put(text);
    if (session.last && session.last->answer.text == session.talk.node(session.talk.tip()).text) put(session.cost_of(*session.last));
}

void show_context(ServedSession& session) {
    const int64_t used = session.talk.node(session.talk.tip()).tokens, limit = session.model.context;
    if (session.talk.tip() == 0) return tell(session, "nothing was said yet" + (limit > 0 ? "; the context holds " + plural(limit, "token") : ""));
    if (used < 0) return tell(session, "the server does not count tokens");
    tell(session, grouped(used) + (limit > 0 ? " of " + plural(limit, "token") : " tokens; the server does not say how many its context holds"));
}

void show_memory(ServedSession& session) {
    if (!session.shape) return note("klp: nobody knows the shape of what is served; --served-shape names one (klp init --list), or a config.json");
    put(memory_by_context(*session.shape, 2, std::max<int64_t>(0, session.talk.node(session.talk.tip()).tokens), 0, session.terminal.canvas));
}

void list_served_prompts(ServedSession& session) {
    const auto all = installed_prompts();
    if (!all) return note("klp: " + all.error().message);
    Table table({"", "prompt"});
    for (const Starter& s : *all) table.add({std::to_string(&s - all->data() + 1), s.title});
    put(table.text(session.terminal.canvas.width));
    tell(session, "/prompt N begins anew and runs one of them.");
}

void run_served_prompt(ServedSession& session, const Words& args) {
    const auto all = installed_prompts();
    if (!all) return note("klp: " + all.error().message);
    const auto number = args.empty() ? std::nullopt : number_of<size_t>(args[0]);
    if (!number || *number < 1 || *number > all->size())
        return note("klp: /prompt N runs one of the " + std::to_string(all->size()) + " prompts; /prompts lists them");
    const Starter& starter = (*all)[*number - 1];
    session.system = starter.system;
    go(session, 0);
    for (const auto& turn : starter.turns) {
        put("\n" + bold(wrapped("> " + one_line(turn), session.terminal.canvas.width), session.terminal.canvas));
        const auto reply = session.ask(turn, /*stream=*/true);
        show_served_outcome(session, reply);
        if (!reply || reply->trouble || g_interrupted || output_failed()) return;
    }
}

// /gates, /state and /experts of an engine elsewhere.
void show_lens(ServedSession& session, const std::string& which, Words args) {
    const Canvas& canvas = session.terminal.canvas;
    const ModelConfig& config = session.engine->card().config;
    const bool table = !args.empty() && args.back() == "table";
    if (table) args.pop_back();
    if (args.size() > 1) return note("klp: /" + which + " takes a head and 'table'");
    const auto name = parse_head(args.empty() ? "" : args[0], config);
    if (!name) return note("klp: " + name.error().message);
    if (session.talk.turn() == 0 || session.watched != session.talk.tip())
        return note("klp: the answer that stands here was not watched, only the newest one was; /regen makes another, /branch leads back");
    if (which == "state") {
        if (name->head < 0) return note("klp: /state LAYER.HEAD, for example /state 0.0");
        return void(put(session.engine->state(*name, table, canvas)));
    }
    const Watch& watch = session.engine->watch();
    if (watch.empty()) return note("klp: nothing was watched yet; ask something first");
    if (which == "experts") return void(put(expert_load(watch, config, name->layer, table, canvas)));
    if (name->layer >= 0 && name->head < 0) return note("klp: /gates shows all heads, /gates LAYER.HEAD one of them");
    put(name->layer < 0 ? gates_overview(watch, config, table, canvas) : gates_of_head(watch, config, *name, table, canvas));
}

struct ServedCommand {
    const char* name;
    const char* arguments;
    const char* about;
    std::function<void(ServedSession&, const Words&, const std::string& rest)> run;
};

void list_commands(ServedSession& session);

const std::vector<ServedCommand>& served_commands() {
    static const std::vector<ServedCommand> all = {
        {"help", "", "this list", [](auto& s, auto&, auto&) { list_commands(s); }},
        {"system", "[TEXT|off]", "show the system prompt, or begin anew with another", [](auto& s, auto&, auto& rest) { set_system(s, rest); }},
        {"set", "[NAME VALUE]", "show or change how tokens are chosen", [](auto& s, auto& args, auto&) { set_sampling(s, args); }},
        {"new", "", "begin anew; this conversation stays as a branch", [](auto& s, auto&, auto&) { go(s, 0); }},
        {"tool", "[ID TEXT]", "list the calls of the last answer, or say what one has returned",
         [](auto& s, auto& args, auto& rest) { return_from_tool(s, args, rest); }},
        {"undo", "", "take the last question and answer back",
         [](auto& s, auto&, auto&) { s.talk.turn() == 0 ? note("klp: there is nothing to undo") : go_back(s, {"-1"}); }},
        {"regen", "", "another answer to the last question", [](auto& s, auto&, auto&) { show_served_outcome(s, s.regenerate(true)); }},
        {"rewind", "N", "back to the end of turn N, or N turns back with -N", [](auto& s, auto& args, auto&) { go_back(s, args); }},
        {"fork", "", "a second line from here; the first stays as it is",
         [](auto& s, auto&, auto&) {
             const int left = s.talk.branch();
             tell(s, "branch " + std::to_string(s.talk.fork()) + " starts here; /branch " + std::to_string(left) + " goes back");
         }},
        {"branch", "[N]", "list the branches, or go to one", [](auto& s, auto& args, auto&) { show_branches(s, args); }},
        {"reasoning", "", "what the model thought before the last answer",
         [](auto& s, auto&, auto&) {
             const std::string& thought = s.talk.node(s.talk.tip()).reasoning;
             tell(s, thought.empty() ? "the last answer came without reasoning" : harmless(thought));
         }},
        {"context", "", "how much of the context is used", [](auto& s, auto&, auto&) { show_context(s); }},
        {"stats", "", "server, model, and what the last answer took", [](auto& s, auto&, auto&) { show_stats(s); }},
        {"mem", "", "memory by context, computed from the shape", [](auto& s, auto&, auto&) { show_memory(s); }},
        {"prompts", "", "short conversations that show something", [](auto& s, auto&, auto&) { list_served_prompts(s); }},
        {"prompt", "N", "begin anew with one of them", [](auto& s, auto& args, auto&) { run_served_prompt(s, args); }},
        {"quit", "", "leave (also Ctrl-D)", [](auto& s, auto&, auto&) { s.quit = true; }},
    };
    return all;
}

void list_commands(ServedSession& session) {
    for (const auto& c : served_commands())
        put(padded("/" + std::string(c.name) + " " + c.arguments, 20) + " " + clipped(c.about, std::max(20, session.terminal.canvas.width - 22)) + "\n");
    if (session.engine)
        tell(session, "And of the newest answer, by the engine there: /gates [LAYER.HEAD] [table], /state LAYER.HEAD [table], /experts [LAYER] [table].");
    tell(session,
         "A line that ends in \\ goes on in the next one; \"\"\" begins and ends a text of several lines; // at the start sends a line that begins with a "
         "slash. Ctrl-C stops an answer.");
}

// Commands of the REPL that cannot be done here, and why.
constexpr const char* kSeen = "needs the engine's inside, which a server does not show; klp -m MODEL runs one here that does";
constexpr const char* kKept = "keeps the engine's memory, which is the server's; /fork and /branch keep a place of the talk";
constexpr std::pair<std::string_view, const char*> kNotHere[] = {{"gates", kSeen},
                                                                 {"state", kSeen},
                                                                 {"experts", kSeen},
                                                                 {"snap", kKept},
                                                                 {"restore", kKept},
                                                                 {"states", kKept},
                                                                 {"full", "chooses what happens when the context is full; here the server decides that"}};

}  // namespace

void run_served_command(ServedSession& session, const std::string& line) {
    Words words;
    for (size_t at = 1; at < line.size();) {
        const size_t end = std::min(line.find_first_of(" \t\n", at), line.size());
        if (end > at) words.push_back(line.substr(at, end - at));
        at = end + 1;
    }
    const std::string name = words.empty() ? "" : words[0];
    std::string rest = line.substr(line.find(name) + name.size());
    rest.erase(0, rest.find_first_not_of(" \t\n"));
    while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\n')) rest.pop_back();
    if (!words.empty()) words.erase(words.begin());

    Words all;
    for (const auto& c : served_commands()) {
        all.push_back("/" + std::string(c.name));
        if (name != c.name) continue;
        const std::string_view takes = c.arguments;
        const size_t most = takes.empty() ? 0 : 1 + static_cast<size_t>(std::count(takes.begin(), takes.end(), ' '));
        if (words.size() > most && takes.find("TEXT") == takes.npos)
            return note("klp: /" + name + (most == 0 ? " takes nothing behind it" : " takes no more than " + std::string(takes)));
        return c.run(session, words, rest);
    }
    if (session.engine && (name == "gates" || name == "state" || name == "experts")) return show_lens(session, name, words);
    for (const auto& [command, why] : kNotHere)
        if (name == command)
            return note("klp: /" + name + " " + (session.engine ? "is for a model here; elsewhere /rewind and /branch find what was read by its tokens" : why));
    const std::string meant = did_you_mean("/" + name, all);
    note("klp: there is no command /" + one_line(name) + (meant.empty() ? "; /help lists them" : meant));
}

std::vector<std::string> served_completions(const ServedSession& session, std::string_view before) {
    Words words;
    if (!before.starts_with('/')) return words;
    const size_t space = before.rfind(' ');
    const std::string_view typed = space == before.npos ? before : before.substr(space + 1);
    const auto offer = [&](std::string word) {
        if (word.starts_with(typed)) words.push_back(std::move(word));
    };
    if (space == before.npos)
        for (const auto& c : served_commands()) offer("/" + std::string(c.name));
    else if (before.starts_with("/set "))
        for (const char* name : {"temp", "top_k", "top_p", "min_p", "repeat_penalty", "seed", "predict"}) offer(name);
    else if (before.starts_with("/branch "))
        for (const auto& b : session.talk.branches()) offer(std::to_string(b.number));
    return words;
}

void show_served_outcome(ServedSession& session, const Result<ServedReply>& reply) {
    const Canvas& canvas = session.terminal.canvas;
    if (!reply) return note(reply.error().kind == Error::interrupted ? dim("(" + reply.error().message + ")", canvas) : "klp: " + reply.error().message);
    put("\n");
    const ServedAnswer& a = reply->answer;
    std::string text = session.cost_of(*reply);
    if (!a.reasoning.empty()) text += thoughts_note(a.reasoning, canvas.width);
    std::string out;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size() - 1);
        out += dim(text.substr(at, end + 1 - at), canvas);
        at = end + 1;
    }
    note(out);
    if (reply->trouble && reply->trouble->kind != Error::interrupted) note("klp: " + reply->trouble->message + "; what came of it is kept, /regen asks again");
}

}  // namespace klp
