#include "app/slash.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <system_error>

#include "app/facts.h"
#include "app/format.h"
#include "app/hands.h"
#include "app/lenses.h"
#include "app/places.h"
#include "app/side.h"
#include "core/text/prompts.h"
#include "core/text/thoughts.h"

namespace klp {

namespace {

using Words = std::vector<std::string>;

void say(Session& session, const std::string& sentence) { put(wrapped(sentence, session.terminal.canvas.width)); }

template <class T>
bool parse(const std::string& text, T& value) {
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if constexpr (std::is_floating_point_v<T>) {
        if (!std::isfinite(value)) return false;
    }
    return read.ec == std::errc() && read.ptr == end;
}

// Where the conversation stands now: its turn, and the last thing said there.
std::string standing(const Session& session) {
    const auto& talk = session.talk;
    std::string out = "branch " + std::to_string(talk.branch()) + ", " + (talk.turn() ? "turn " + std::to_string(talk.turn()) : "at the beginning");
    if (talk.tip() > 0) out += ": \"" + clipped(one_line(talk.node(talk.tip()).text), std::max(20, session.terminal.canvas.width - 30)) + "\"";
    return out;
}

// What went wrong, and what helps.
void report_error(const Session& session, const Error& error) {
    const Conversation& talk = session.talk;
    std::string sentence = error.message;
    if (talk.remedy() == Conversation::Remedy::same_again) sentence += "; the same again goes on from there";
    if (talk.remedy() == Conversation::Remedy::make_room)
        sentence += talk.sequence().rows() > 0 ? "; /new or /rewind makes room, /full roll or /full summarise goes on, a larger -c holds more"
                                               : "; /full roll goes on beyond it, a larger -c holds more";
    note(error.kind == Error::interrupted ? dim("(" + sentence + ")", session.terminal.canvas) : "klp: " + sentence);
}

void report_move(Session& session, const Result<Conversation::Move>& move, int left_behind, bool from_file = false) {
    if (!move) return report_error(session, move.error());
    std::string cost;  // nothing where one stood there already
    if (move->restored_bytes > 0) cost = "restored " + bytes_text(move->restored_bytes) + (from_file ? " from disk" : "");
    if (move->replayed > 0) cost += (cost.empty() ? "" : ", ") + ("replayed " + plural(move->replayed, "token"));
    if (!cost.empty()) cost += " in " + duration_text(double(move->nanoseconds));
    say(session, standing(session));
    std::string where;
    if (left_behind != session.talk.branch()) {
        for (const auto& b : session.talk.branches()) {
            if (b.number == left_behind)
                where =
                    (cost.empty() ? "" : "; ") + ("what was here is branch " + std::to_string(left_behind) + " (/branch " + std::to_string(left_behind) + ")");
        }
    }
    if (cost.empty() && where.empty()) return;
    put(dim(wrapped("(" + cost + where + ")", session.terminal.canvas.width), session.terminal.canvas));
}

void set(Session& session, const Words& args) {
    Sampling& s = session.sampling;
    struct Setting {
        const char* name;
        const char* about;
        std::function<std::string()> show;
        std::function<bool(const std::string&)> change;  // false: not a value it can take
    };
    const auto real = [](float& field, float low, float high) {
        return [&field, low, high](const std::string& text) {
            float value = 0;
            if (!parse(text, value) || value < low || value > high) return false;
            field = value;
            return true;
        };
    };
    const auto whole = [](auto& field, int64_t low) {
        return [&field, low](const std::string& text) {
            int64_t value = 0;
            if (!parse(text, value) || value < low || value > int64_t{1} << 31) return false;
            field = static_cast<std::decay_t<decltype(field)>>(value);
            return true;
        };
    };
    const Setting settings[] = {
        {"temp", "temperature from 0, which is greedy, to 100", [&] { return short_number(s.temperature); }, real(s.temperature, 0, 100)},
        {"top_k", "only the best k ids, 0 is all of them", [&] { return std::to_string(s.top_k); }, whole(s.top_k, 0)},
        {"top_p", "the fewest ids that reach this probability, 0 to 1", [&] { return short_number(s.top_p); }, real(s.top_p, 0, 1)},
        {"min_p", "nothing below this share of the best, 0 to 1", [&] { return short_number(s.min_p); }, real(s.min_p, 0, 1)},
        {"repeat_penalty", "against ids of the last tokens, 0.01 to 100; 1 is none", [&] { return short_number(s.repeat_penalty); },
         real(s.repeat_penalty, 0.01f, 100)},
        {"seed", "of the next answer, a whole number", [&] { return std::to_string(s.seed + session.answers); },
         [&](const std::string& text) { return parse(text, s.seed) && ((session.answers = 0), true); }},
        {"predict", "tokens of an answer at most, from 1", [&] { return std::to_string(session.predict); }, whole(session.predict, 1)},
    };
    if (args.empty()) {
        Table table({"setting", "value", "meaning"});
        for (const auto& one : settings) table.add({one.name, one.show(), one.about});
        put(table.text(session.terminal.canvas.width));
        return;
    }
    std::string name = args[0], value = args.size() > 1 ? args[1] : "";
    if (const size_t equals = name.find('='); equals != std::string::npos) {
        value = name.substr(equals + 1);
        name.resize(equals);
    }
    for (const auto& one : settings) {
        if (name != one.name) continue;
        if (!value.empty() && !one.change(value)) return note("klp: " + name + " cannot be '" + one_line(value) + "' (" + one.about + ")");
        return say(session, name + " = " + one.show());
    }
    std::string names;
    for (const auto& one : settings) names += (names.empty() ? "" : ", ") + std::string(one.name);
    note("klp: there is no setting '" + one_line(name) + "'; there are " + names);
}

void system_prompt(Session& session, const std::string& text) {
    if (text.empty()) return say(session, session.talk.system().empty() ? "no system prompt" : "system prompt: " + one_line(session.talk.system()));
    const int left = session.talk.branch();
    session.talk.set_system(text == "off" ? "" : text);
    report_move(session, session.talk.restart(session.ws), left);
}

void rewind(Session& session, const Words& args) {
    int turn = 0;
    if (args.empty() || !parse(args[0], turn)) return note("klp: /rewind N goes back to the end of turn N (0 is the beginning), /rewind -N goes back N turns");
    if (turn < 0) turn = std::max(0, session.talk.turn() + turn);
    const int left = session.talk.branch();
    report_move(session, session.talk.rewind(turn, session.ws, &g_interrupted), left);
}

void undo(Session& session) {
    if (session.talk.turn() == 0) return note("klp: there is nothing to undo");
    const int left = session.talk.branch();
    // Hands are undone by going back to the answer that they changed.
    if (const auto before = session.before_hands.find(session.talk.tip()); before != session.before_hands.end())
        return report_move(session, session.talk.go_to(before->second, session.ws, &g_interrupted), left);
    report_move(session, session.talk.rewind(session.talk.turn() - 1, session.ws, &g_interrupted), left);
}

void branch(Session& session, const Words& args) {
    auto& talk = session.talk;
    if (!args.empty()) {
        int number = 0;
        if (!parse(args[0], number)) return note("klp: /branch lists the branches, /branch N goes to one");
        const int left = talk.branch();
        return report_move(session, talk.go_to_branch(number, session.ws, &g_interrupted), left);
    }
    Table table({"", "branch", "turns", "tokens", "to go there", "last said"});
    const int room = std::max(10, session.terminal.canvas.width - 44);
    for (const auto& b : talk.branches()) {
        const auto cost = talk.cost(b.tip);
        const std::string there = b.tip == talk.tip() ? "here" : cost.replayed ? "replay " + grouped(cost.replayed) : "restore";
        table.add({b.number == talk.branch() ? "*" : "", std::to_string(b.number), std::to_string(talk.turn_of(b.tip)), grouped(talk.node(b.tip).end), there,
                   clipped(one_line(talk.node(b.tip).text), room)});
    }
    put(table.text(session.terminal.canvas.width));
    put(dim(wrapped("frozen states hold " + bytes_text(talk.snapshot_bytes()), session.terminal.canvas.width), session.terminal.canvas));
}

std::string listed(const std::vector<std::string>& names) {
    std::string out;
    for (const auto& name : names) out += (out.empty() ? "" : ", ") + one_line(name);
    return out;
}

// In this talk, and on disk for the next ones.
void snap(Session& session, const Words& args) {
    std::string name = args.empty() ? std::to_string(session.snaps.size() + 1) : args[0];
    session.talk.pin();
    session.snaps[name] = session.talk.tip();
    session.newest_snap = name;
    if (session.talk.turn() > 0) {
        if (auto saved = KeptTalk().keep(session, name); !saved) note("klp: it lasts as long as this program: " + saved.error().message);
    }
    say(session, "snapshot '" + one_line(name) + "': " + standing(session) + ", " + bytes_text(session.talk.node(session.talk.tip()).memory->bytes()));
}

std::vector<std::string> snap_names(const Session& session) {  // of this talk and of others
    std::vector<std::string> names = place_names();
    for (const auto& [name, node] : session.snaps)
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    return names;
}

void restore(Session& session, const Words& args) {
    const int left = session.talk.branch();
    const auto found = session.snaps.find(args.empty() ? session.newest_snap : args[0]);
    if (found != session.snaps.end()) return report_move(session, session.talk.go_to(found->second, session.ws, &g_interrupted), left);
    const std::vector<std::string> names = snap_names(session);
    if (names.empty()) return note("klp: there is no snapshot yet; /snap [NAME] makes one");
    if (args.empty() || std::find(names.begin(), names.end(), args[0]) == names.end())
        return note("klp: " + (args.empty() ? "/restore NAME goes back to one" : "there is no snapshot '" + one_line(args[0]) + "'") + "; there are " +
                    listed(names));
    auto reached = load_place(session, args[0]);
    if (!reached) return note("klp: " + reached.error().message);
    if (!reached->note.empty()) note("klp: " + reached->note);
    report_move(session, reached->move, left, reached->from_file);
}

void context(Session& session) {
    const auto& talk = session.talk;
    const Sequence& sequence = talk.sequence();
    const int64_t used = sequence.rows(), limit = sequence.context();
    const Canvas& canvas = session.terminal.canvas;
    const double fraction = double(used) / double(std::max<int64_t>(1, limit));
    put("[" + tinted(bar(fraction, std::clamp(canvas.width - 20, 10, 60), canvas), canvas) + "] " + percent_text(fraction) + "\n");
    int64_t by_role[3] = {};
    for (int i : talk.line(talk.tip())) {
        const auto& n = talk.node(i);
        by_role[n.role == "system" ? 0 : n.role == "user" ? 1 : 2] += static_cast<int64_t>(n.tokens.size());
    }
    say(session, grouped(used) + " of " + grouped(limit) + " tokens: system " + grouped(by_role[0]) + ", questions " + grouped(by_role[1]) + ", answers " +
                     grouped(by_role[2]) + (sequence.rolls() ? "; the cache rolls on" : "; room for " + grouped(limit - used)));
    if (sequence.dropped() > 0)
        say(session, "the oldest " + plural(sequence.dropped(), "token") + " of " + grouped(sequence.position()) +
                         " were dropped from the cache; the KDA states have seen all of them");
}

void on_full(Session& session, const Words& args) {
    if (!args.empty()) {
        const auto way = on_full_named(args[0]);
        if (!way) return note("klp: " + one_line(way.error().message));
        if (auto set = session.set_on_full(*way); !set) return note("klp: " + set.error().message);
    }
    say(session, "when the context of " + plural(session.talk.sequence().context(), "token") + " is full: " + std::string(name(session.talk.on_full())));
}

void states(Session& session, const Words& args) {
    StateStore* states = session.states();
    if (!states) return note("klp: states of talks are not kept on disk here; what is wrong was said before");
    if (!args.empty()) {
        const int64_t bytes = args[0] == "0" ? 0 : binary_number(args[0], "B");
        if (bytes < 0) return note("klp: '" + one_line(args[0]) + "' is not a number of bytes, such as 2GiB");
        if (auto set = states->set_budget(bytes); !set) return note("klp: " + set.error().message);
    }
    states->wait();
    const StateStore::Kept kept = states->kept();
    say(session, "states on disk: " + std::to_string(kept.count) + " in " + bytes_text(kept.bytes) + " of " + bytes_text(kept.budget) +
                     (kept.written > 0 ? "; the last one, " + bytes_text(kept.written) + ", took " + duration_text(double(kept.nanoseconds)) : "") +
                     "; the least recently used make room (/states SIZE)");
}

void stats(Session& session) {
    const Engine& e = session.engine;
    const auto& device = e.backend->info();
    const Sampling& s = session.sampling;
    Table table({"", ""});
    table.add({"model", e.checkpoint.folder.string()});
    table.add({"weights", e.weights() + ", " + bytes_text(e.model->weight_bytes()) + ", " + bytes_text(e.model->active_weight_bytes()) + " read for a token"});
    table.add({"device", device.name + ", " + device.hardware + (device.detail.empty() ? "" : ", " + device.detail)});
    if (!device.why.empty()) table.add({"", device.why});
    table.add({"loaded in", duration_text(double(e.load_ns))});
    table.add({"sampling", "temp " + short_number(s.temperature) + ", top_k " + std::to_string(s.top_k) + ", top_p " + short_number(s.top_p) + ", min_p " +
                               short_number(s.min_p) + ", repeat_penalty " + short_number(s.repeat_penalty)});
    table.add({"seed", session.answers ? std::to_string(session.seed_used) + " (of the last answer)" : std::to_string(s.seed)});
    table.add({"snapshots", bytes_text(session.talk.snapshot_bytes())});
    table.add({"history", session.history});
    std::string text = table.text();
    text.erase(0, text.find('\n') + 1);
    put(text);
    if (!session.last || session.watched != session.talk.tip()) return;  // of an answer that was left
    put(session.cost_of(*session.last));
    const PhaseTimes& t = session.last->generation.decode_phases;
    if (t.total() == t.whole) return;  // nothing, or nothing but the sum
    say(session, "where the answer's time went:");
    const ModelConfig& c = session.engine.config();
    const std::pair<std::string, int64_t> phases[] = {
        {std::string(state_name(c)), t.kda}, {std::string(cache_name(c)), t.mla}, {"dense", t.dense}, {"MoE", t.moe}, {"head", t.head}, {"embed", t.embed}};
    const int widest = std::max<int>(6, static_cast<int>(std::max(state_name(c).size(), cache_name(c).size())) + (c.head_dim ? 1 : 0));
    for (const auto& [phase, ns] : phases) {
        const double share = double(ns) / double(t.total());
        const Canvas& canvas = session.terminal.canvas;
        put("  " + padded(phase, widest) + tinted(bar(share, std::clamp(canvas.width - 20, 10, 40), canvas), canvas) + " " + percent_text(share) + "\n");
    }
}

// "3.1 table" -> the head and whether the numbers are asked for.
struct LensArguments {
    HeadName name;
    bool table = false;
};
Result<LensArguments> lens_arguments(const Session& session, const Words& args) {
    LensArguments out;
    for (const auto& word : args) {
        if (word == "table" || word == "--table") {
            out.table = true;
            continue;
        }
        auto name = parse_head(word, session.engine.config());
        if (!name) return tl::unexpected(name.error());
        out.name = *name;
    }
    return out;
}

void lens(Session& session, const std::string& which, const Words& args) {
    const ModelConfig& config = session.engine.config();
    const Canvas& canvas = session.terminal.canvas;
    const auto parsed = lens_arguments(session, args);
    if (!parsed) return note("klp: " + parsed.error().message);
    const auto& [name, table] = *parsed;
    if (which == "state") {
        if (name.head < 0) return note("klp: /state LAYER.HEAD, for example /state 0.0");
        return void(put(state_of_head(session.talk.sequence(), name, table, canvas)));
    }
    if (session.watch.empty() || session.talk.turn() == 0) return note("klp: nothing was watched yet; ask something first");
    if (session.watched != session.talk.tip())
        return note("klp: the answer that stands here was not watched, only the newest one was; /regen makes another, /branch leads back");
    if (which == "experts") return void(put(expert_load(session.watch, config, name.layer, table, canvas)));
    if (name.layer >= 0 && name.head < 0) return note("klp: /gates shows all heads, /gates LAYER.HEAD one of them");
    put(name.layer < 0 ? gates_overview(session.watch, config, table, canvas) : gates_of_head(session.watch, config, name, table, canvas));
}

void list_prompts(Session& session) {
    const auto all = installed_prompts();
    if (!all) return note("klp: " + all.error().message);
    Table table({"", "prompt", "lens"});
    int number = 0;
    for (const Starter& s : *all) table.add({std::to_string(++number), s.title, s.lens});
    put(table.text(session.terminal.canvas.width));
    say(session, "/prompt N begins anew and runs one of them.");
}

void run_prompt(Session& session, const Words& args) {
    const auto all = installed_prompts();
    if (!all) return note("klp: " + all.error().message);
    size_t number = 0;
    if (args.empty() || !parse(args[0], number) || number < 1 || number > all->size())
        return note("klp: /prompt N runs one of the " + std::to_string(all->size()) + " prompts; /prompts lists them");
    const Starter& starter = (*all)[number - 1];
    const int left = session.talk.branch();
    session.talk.set_system(starter.system);
    report_move(session, session.talk.restart(session.ws), left);
    for (const auto& turn : starter.turns) {
        put("\n" + bold(wrapped("> " + one_line(turn), session.terminal.canvas.width), session.terminal.canvas));
        const auto answer = session.ask(turn, /*stream=*/true);
        show_outcome(session, answer);
        if (!answer || g_interrupted || output_failed()) return;
    }
    say(session, "Watch: " + starter.watch);
}

void tool(Session& session, const Words& args, const std::string& rest) {
    const std::vector<ToolCall> waiting = session.waiting_calls();
    if (args.empty()) {
        if (waiting.empty()) return say(session, "no call of a tool is open");
        Table table({"call", "arguments"});
        for (const ToolCall& call : waiting) table.add({harmless(one_line(call.id)), harmless(one_line(call.arguments))});
        put(table.text(session.terminal.canvas.width));
        return;
    }
    const size_t text = rest.find_first_not_of(" \t", args[0].size());
    const auto answer = session.return_call(args[0], text == rest.npos ? "" : rest.substr(text), true);
    if (!answer) return show_outcome(session, tl::unexpected(answer.error()));
    if (*answer) return show_outcome(session, **answer);
    say(session, "kept; the model answers when all its calls have returned (/tool lists the open ones)");
}

void regenerate(Session& session) {
    const std::vector<int32_t> before = session.talk.node(session.talk.tip()).tokens;
    const auto answer = session.speak([&](const GenerateOptions& how) { return session.talk.regenerate(session.ws, how); }, true);
    show_outcome(session, answer);
    if (answer && session.talk.node(session.talk.tip()).tokens == before)
        say(session, session.sampling.temperature == 0 ? "This is the same answer: at temperature 0 the best token is always taken. /set temp 0.7 makes others."
                                                       : "This is the same answer: these settings left no other. /set shows them.");
}

struct SlashCommand {
    const char* name;
    const char* arguments;
    const char* about;
    std::function<void(Session&, const Words&, const std::string& rest)> run;
};

void help(Session& session);

const std::vector<SlashCommand>& commands() {
    static const std::vector<SlashCommand> all = {
        {"help", "", "this list", [](auto& s, auto&, auto&) { help(s); }},
        {"system", "[TEXT|off]", "show the system prompt, or begin anew with another", [](auto& s, auto&, auto& rest) { system_prompt(s, rest); }},
        {"set", "[NAME VALUE]", "show or change how tokens are chosen", [](auto& s, auto& args, auto&) { set(s, args); }},
        {"new", "", "begin anew; this conversation stays as a branch",
         [](auto& s, auto&, auto&) {
             const int left = s.talk.branch();
             report_move(s, s.talk.restart(s.ws), left);
         }},
        {"tool", "[ID TEXT]", "list the calls of the last answer, or say what one has returned", [](auto& s, auto& args, auto& rest) { tool(s, args, rest); }},
        {"undo", "", "take the last question and answer back", [](auto& s, auto&, auto&) { undo(s); }},
        {"regen", "", "another answer to the last question", [](auto& s, auto&, auto&) { regenerate(s); }},
        {"rewind", "N", "back to the end of turn N, or N turns back with -N", [](auto& s, auto& args, auto&) { rewind(s, args); }},
        {"fork", "", "a second line from here; the first stays as it is",
         [](auto& s, auto&, auto&) {
             const int left = s.talk.branch();
             say(s, "branch " + std::to_string(s.talk.fork()) + " starts here; /branch " + std::to_string(left) + " goes back");
         }},
        {"branch", "[N]", "list the branches, or go to one", [](auto& s, auto& args, auto&) { branch(s, args); }},
        {"full", "[WAY]", "when the context is full: stop, roll or summarise", [](auto& s, auto& args, auto&) { on_full(s, args); }},
        {"snap", "[NAME]", "remember this place and its memory under a name, on disk too", [](auto& s, auto& args, auto&) { snap(s, args); }},
        {"restore", "[NAME]", "go back to a snapshot, of an earlier talk too", [](auto& s, auto& args, auto&) { restore(s, args); }},
        {"states", "[SIZE]", "states on disk, and how much they may take", [](auto& s, auto& args, auto&) { states(s, args); }},
        {"reasoning", "", "what the model thought before the last answer",
         [](auto& s, auto&, auto&) {
             const std::string thought = parted_thoughts(s.talk.node(s.talk.tip()).text).thought;
             say(s, thought.empty() ? "the last answer came without reasoning" : harmless(thought));
         }},
        {"context", "", "how much of the context is used", [](auto& s, auto&, auto&) { context(s); }},
        {"stats", "", "settings, device, and where the time went", [](auto& s, auto&, auto&) { stats(s); }},
        {"mem", "", "memory by context, against the all-MLA twin",
         [](auto& s, auto&, auto&) {
             const Sequence& now = s.talk.sequence();
             put(memory_by_context(s.engine.config(), cache_value_bytes(*s.engine.model), now.position(), now.dropped(), s.terminal.canvas));
         }},
        {"gate", "L.H.C xN [all]", "half-lives N times as long; the last question is answered again",
         [](auto& s, auto& args, auto&) { lay_hand(s, "gate", args); }},
        {"beta", "L.H xN [all]", "write N times as strongly, and answer again", [](auto& s, auto& args, auto&) { lay_hand(s, "beta", args); }},
        {"mute", "L.H [all]", "let nothing of a layer or head be read, and answer again", [](auto& s, auto& args, auto&) { lay_hand(s, "mute", args); }},
        {"silence", "L.E [all]", "keep an expert from being chosen, and answer again", [](auto& s, auto& args, auto&) { lay_hand(s, "silence", args); }},
        {"hide", "FIRST:LAST", "let the latent cache forget tokens, and answer again", [](auto& s, auto& args, auto&) { lay_hand(s, "hide", args); }},
        {"empty", "L.H", "empty a state before the last question, and answer again", [](auto& s, auto& args, auto&) { lay_hand(s, "empty", args); }},
        {"transplant", "NAME L.H", "put in the state of a snapshot, and answer again", [](auto& s, auto& args, auto&) { lay_hand(s, "transplant", args); }},
        {"read", "WORD [L.H]", "whether the states still answer what was written for a word", [](auto& s, auto& args, auto&) { read_fact(s, args); }},
        {"overwrite", "WORD OTHER [L.H]", "give a word's key another's value, and answer again", [](auto& s, auto& args, auto&) { cut_fact(s, false, args); }},
        {"erase", "WORD [L.H]", "let nothing be read with a word's key, and answer again", [](auto& s, auto& args, auto&) { cut_fact(s, true, args); }},
        {"life", "WORD", "what becomes of a word in every memory", [](auto& s, auto& args, auto&) { live_fact(s, args); }},
        {"who", "WORD [TOKEN]", "who reads a word: all heads, ranked, at the newest token or at another",
         [](auto& s, auto& args, auto&) { say_readers(s, args); }},
        {"rules", "[L.H]", "what a state would be, had another rule written it", [](auto& s, auto& args, auto&) { say_rules(s, args); }},
        {"beside", "[WAY]", "answer in step with twin, plain or a FILE of interventions; off ends it",
         [](auto& s, auto& args, auto&) { stand_beside(s, args); }},
        {"hands", "", "what is changed on this branch", [](auto& s, auto&, auto&) { list_hands(s); }},
        {"gates", "[L.H] [table]", "how long each channel remembers (layer L, head H, from 0)", [](auto& s, auto& args, auto&) { lens(s, "gates", args); }},
        {"state", "L.H [table]", "the state matrix of a head", [](auto& s, auto& args, auto&) { lens(s, "state", args); }},
        {"experts", "[L] [table]", "which experts worked", [](auto& s, auto& args, auto&) { lens(s, "experts", args); }},
        {"prompts", "", "short conversations that show something", [](auto& s, auto&, auto&) { list_prompts(s); }},
        {"prompt", "N", "begin anew with one of them", [](auto& s, auto& args, auto&) { run_prompt(s, args); }},
        {"quit", "", "leave (also Ctrl-D)", [](auto& s, auto&, auto&) { s.quit = true; }},
    };
    return all;
}

void help(Session& session) {
    const int width = session.terminal.canvas.width;
    for (const auto& c : commands()) {
        std::string left = padded("/" + std::string(c.name) + " " + c.arguments, 20) + " ";
        const int indent = width >= 50 ? 21 : 2;  // in a narrow window what it does stands below
        if (indent == 2) put(clipped(left, width - 1) + "\n"), left = "  ";
        std::istringstream about(wrapped(c.about, width - 1 - std::max(indent, display_width(left))));
        for (std::string line; std::getline(about, line); left = std::string(static_cast<size_t>(indent), ' ')) put(left + line + "\n");
    }
    say(session,
        "A line that ends in \\ goes on in the next one; \"\"\" begins and ends a text of several lines; // at the start sends a line that begins with a "
        "slash. Ctrl-C stops an answer.");
}

}  // namespace

void run_slash_command(Session& session, const std::string& line) {
    Words words;
    for (size_t at = 1; at < line.size();) {
        const size_t end = std::min(line.find_first_of(" \t\n", at), line.size());
        if (end > at) words.push_back(line.substr(at, end - at));
        at = end + 1;
    }
    const std::string name = words.empty() ? "" : words[0];
    const size_t after = line.find(name) + name.size();
    std::string rest = line.substr(after);
    rest.erase(0, rest.find_first_not_of(" \t\n"));
    while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\n')) rest.pop_back();
    if (!words.empty()) words.erase(words.begin());

    for (const auto& c : commands()) {
        if (name != c.name) continue;
        const std::string_view takes = c.arguments;  // words with blanks between, or any text
        const size_t most = takes.empty() ? 0 : 1 + static_cast<size_t>(std::count(takes.begin(), takes.end(), ' '));
        if (words.size() > most && takes.find("TEXT") == takes.npos)
            return note("klp: /" + name + (most == 0 ? " takes nothing behind it" : " takes no more than " + std::string(takes)));
        c.run(session, words, rest);
        return session.reading.reset();
    }
    Words all;
    for (const auto& c : commands()) all.push_back("/" + std::string(c.name));
    const std::string meant = did_you_mean("/" + name, all);
    note("klp: there is no command /" + one_line(name) + (meant.empty() ? "; /help lists them" : meant));
}

std::vector<std::string> completions(const Session& session, std::string_view before) {
    std::vector<std::string> words;
    if (!before.starts_with('/')) return words;
    const size_t space = before.rfind(' ');
    if (space == std::string_view::npos) {
        for (const auto& c : commands()) {
            const std::string word = "/" + std::string(c.name);
            if (word.starts_with(before)) words.push_back(word);
        }
        return words;
    }
    const auto typed = before.substr(space + 1);
    const auto offer = [&](std::string word) {
        if (word.starts_with(typed)) words.push_back(std::move(word));
    };
    if (before.starts_with("/set ")) {
        for (const char* name : {"temp", "top_k", "top_p", "min_p", "repeat_penalty", "seed", "predict"}) offer(name);
    } else if (before.starts_with("/restore ")) {
        for (const auto& name : snap_names(session)) offer(name);
    } else if (before.starts_with("/beside ")) {
        for (const char* way : {"twin", "plain", "off"}) offer(way);
    } else if (before.starts_with("/full ")) {
        for (const char* way : {"stop", "roll", "summarise"}) offer(way);
    } else if (before.starts_with("/branch ")) {
        for (const auto& b : session.talk.branches()) offer(std::to_string(b.number));
    } else if (before.starts_with("/gates ") || before.starts_with("/state ") || before.starts_with("/read ") || before.starts_with("/overwrite ") ||
               before.starts_with("/erase ")) {
        const ModelConfig& config = session.engine.config();
        for (int l = 0; l < config.num_hidden_layers; ++l) {
            for (int h = 0; config.has_state(l) && h < config.kda_heads; ++h) offer(std::to_string(l) + "." + std::to_string(h));
        }
        if (before.starts_with("/gates ") || before.starts_with("/state ")) offer("table");
    }
    return words;
}

void show_reached(Session& session, const Reached& reached) { report_move(session, reached.move, session.talk.branch(), reached.from_file); }

void show_outcome(Session& session, const Result<Conversation::Answer>& answer) {
    if (!answer) return report_error(session, answer.error());
    put("\n");
    std::string cost = session.cost_of(*answer), line;
    std::string out;
    for (size_t at = 0; at < cost.size();) {
        const size_t end = cost.find('\n', at);
        out += dim(cost.substr(at, end + 1 - at), session.terminal.canvas);
        at = end + 1;
    }
    if (!session.side) note(out);  // beside another, what both cost is said already
    if (!answer->closed)
        note("klp: the context of " + plural(session.talk.sequence().context(), "token") +
             " is full; the answer is kept. /full roll or /full summarise goes on, /rewind or /new makes room");
    session.keep_end();
}

}  // namespace klp
