// klp, the terminal program: what the command line says, and the exit codes. 0 ok, 1 failure, 2 usage, 3 model invalid, 4 device or memory, 130 interrupted;
// 141 (in a shell) where whoever reads stdout went away, as with cat and the like.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <new>
#include <sstream>
#include <string_view>
#include <system_error>

#include "app/chat.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/format.h"
#include "app/served.h"
#include "core/runs/replay_run.h"

namespace {

using namespace klp;

// CLI11's number checks let NaN and infinity through.
CLI::Validator between(double low, double high) {
    return CLI::Validator(
        [=](std::string& text) {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            return end != text.c_str() && *end == 0 && value >= low && value <= high
                       ? std::string()
                       : "'" + one_line(text) + "' is not a number from " + short_number(low) + " to " + short_number(high);
        },
        "");
}

// What a name may be, said by the same sentence that a bad one meets later; completions offer the names.
template <class Names>
CLI::Validator named(const Names& all, const std::function<std::string(const std::string&)>& trouble) {
    std::string names;
    for (const auto& one : all) names += (names.empty() ? "" : ",") + std::string(one.name);
    return CLI::Validator([=](std::string& text) { return trouble(text); }, "{" + names + "}");
}
template <class T>
std::string trouble_of(const Result<T>& result) {
    return result ? "" : result.error().message;
}

// A whole number of 64 bits: as a double it would be another one.
CLI::Validator seed() {
    return CLI::Validator(
        [](std::string& text) {
            uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            return error == std::errc() && end == text.data() + text.size()
                       ? std::string()
                       : "'" + one_line(text) + "' is not a whole number from 0 to " + std::to_string(UINT64_MAX);
        },
        "");
}

// A file, a folder or a model that is named: a name of nothing is a mistake (of a script, whose variable is empty), and completions offer files.
CLI::Option* names(const char* type, CLI::Option* option) {
    return option->type_name(type)->check(CLI::Validator([](std::string& text) { return std::string(text.empty() ? "its name is empty" : ""); }, ""));
}
CLI::Option* device(CLI::Option* option) {
    return option->capture_default_str()->check(CLI::Validator([](std::string&) { return std::string(); }, "{auto,cpu,cuda,naive}"));  // and cuda:N
}
// `written`: those that a file can be made with.
CLI::Option* weights(CLI::Option* option, bool written) {
    std::vector<DTypeInfo> offered;
    std::copy_if(dtypes().begin(), dtypes().end(), std::back_inserter(offered), [&](const DTypeInfo& type) { return !written || type.encode; });
    return option->check(named(offered, [=](const std::string& text) { return trouble_of(type_named(text, written)); }));
}
CLI::Option* shape_name(CLI::Option* option) {
    return option->check(named(named_shapes(), [](const std::string& text) { return trouble_of(shape_named(text)); }));
}

constexpr double kTokens = 1e9;  // no context is longer

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// An option in front of a subcommand is the subcommand's, as if it stood first behind it; where it has none of this name and kind, that is said.
// Who asks for help gets it.
void hand_down(CLI::App& app, CLI::App& sub, bool help) {
    for (CLI::Option* given : app.get_options()) {
        if (given->count() == 0 || given == app.get_help_ptr() || given == app.get_version_ptr()) continue;
        const auto takes = [&](const CLI::Option* own) {
            const auto has = [&](const std::string& name) { return own->check_name(name); };
            return takes_value(*own) == takes_value(*given) &&
                   std::all_of(given->get_snames().begin(), given->get_snames().end(), [&](const auto& n) { return has("-" + n); }) &&
                   std::all_of(given->get_lnames().begin(), given->get_lnames().end(), [&](const auto& n) { return has("--" + n); });
        };
        const auto options = sub.get_options();
        const auto own = std::find_if(options.begin(), options.end(), takes);
        if (own == options.end() && help) continue;
        if (own == options.end()) throw CLI::ParseError("klp " + sub.get_name() + " has no use for " + given->get_name(), CLI::ExitCodes::ExtrasError);
        (*own)->add_result(given->results());
        given->clear();
    }
}

void add_engine(CLI::App& app, EngineOptions& o) {
    names("MODEL", app.add_option("-m,--model", o.model, "folder, GGUF file, or name of a model; without it the embedded demo"));
    device(app.add_option("--device", o.device, "where it runs; cuda:1 is the second card"));
    app.add_option("-t,--threads", o.threads, "CPU threads; 0: one for each core")->check(between(0, 4096));
}

void add_shape(CLI::App& app, std::string& shape, std::string& dtype) {
    shape_name(app.add_option("--shape", shape, "a named shape with random weights instead of a model (klp init --list shows them)"));
    weights(app.add_option("--dtype", dtype, "its weights"), false)->capture_default_str()->needs("--shape");
}

void add_sampling(CLI::App& app, SamplingFlags& o) {
    app.add_option("--temp", o.temperature, "temperature; 0: greedy")->check(between(0, 100));
    app.add_option("--top-k", o.top_k, "only the best K tokens; 0: all")->check(between(0, kTokens));
    app.add_option("--top-p", o.top_p, "the fewest tokens that reach this probability")->check(between(0, 1));
    app.add_option("--min-p", o.min_p, "nothing below this share of the best")->check(between(0, 1));
    app.add_option("--repeat-penalty", o.repeat_penalty, "against the last tokens; 1: none")->check(between(0.01, 100));
    app.add_option("-s,--seed", o.seed, "of the sampler; without it another one each time")->check(seed());
}

void add_template(CLI::App& app, EngineOptions& o) {
    app.add_option("--template", o.chat_template, "talk in this format even where the model's file names another: kimi")->check(CLI::IsMember({"kimi"}));
}

void add_thinking(CLI::App& app, EngineOptions& o) {
    app.add_option_function<std::string>(
           "--think", [&o](const std::string& way) { o.thinks = way == "on"; }, "whether a model that can think before it answers does: on, off")
        ->check(CLI::IsMember({"on", "off"}));
}

// A model that another program serves. `without`: options that have no use then. `engine`: a klp serve may lend its engine, too.
void add_served(CLI::App& app, ServedFlags& o, std::initializer_list<const char*> without, bool engine = false) {
#if KLP_HUB
    auto* url = names("URL", app.add_option("--url", o.url, "a server of OpenAI's API instead of a model here, such as http://127.0.0.1:8080/v1"));
    app.add_option("--served-model", o.model, "which of its models, where it has several")->needs(url);
    auto* key = app.add_option("--api-key-env", o.key_variable, "environment variable with the key; without it OPENAI_API_KEY, where that is set");
    names("SHAPE", app.add_option("--served-shape", o.shape, "a named shape or a config.json: memory is computed from it"))->needs(url);
    for (const char* name : without) url->excludes(name);
    if (!engine) return void(key->needs(url));
    auto* at = names("HOST:PORT", app.add_option("--at", o.at, "the engine of a klp serve elsewhere, with its inside, such as gpu:8080"));
    names("HOST", app.add_option("--ssh", o.ssh, "the host that ssh reaches it through; --at is as seen from there"))->needs(at);
    for (const char* name : without) at->excludes(name);
    for (const char* name : {"--url", "--served-model", "--served-shape"}) at->excludes(name);
#else
    (void)app, (void)o, (void)without, (void)engine;
#endif
}

CLI::Option* add_intervene(CLI::App& app, std::string& file) {
    return names("FILE", app.add_option("--intervene", file, "JSON with what is changed of the memory: gates, writing, reading, states"));
}

void add_on_full(CLI::App& app, std::string& way) {
    app.add_option("--on-full", way, "when the context is full: stop; roll on, dropping the oldest tokens from the cache; summarise and go on")
        ->capture_default_str()
        ->check(CLI::IsMember({"stop", "roll", "summarise"}));
}

void add_chat(CLI::App& app, ChatOptions& o) {
    add_engine(app, o.engine);
    auto* prompt = app.add_option("-p,--prompt", o.prompt, "one question, one answer");
    app.add_flag("-i,--interactive", o.interactive, "the REPL even where stdin is no terminal")->excludes(prompt);
    app.add_option("--system", o.system, "system prompt");
    add_template(app, o.engine), add_thinking(app, o.engine);
    names("FILE", app.add_option("--tools", o.tools, "JSON with the tools that the model may call, as OpenAI's API has them"));
    add_sampling(app, o.sampling);
    app.add_option("-n,--predict", o.predict, "tokens of an answer at most; without it what the model suggests, or 2048")->check(between(1, kTokens));
    app.add_option("-c,--ctx-size", o.context, "tokens of context; 0: all the model has")->check(between(0, kTokens));
    add_on_full(app, o.on_full);
    auto* intervene = add_intervene(app, o.intervene);
    auto* beside = names("WAY", app.add_option("--beside", o.beside,
                                               "answer in step with a second talk: twin (full attention), plain (without hands), or a file of interventions"));
    app.add_flag("--continue", o.go_on, "go on where the last talk ended");
    app.add_flag("--stats", o.stats, "speed and memory on stderr, after the answer");
    app.add_flag("--json", o.json, "one answer as a JSON object");
    app.get_option("--continue")->excludes(intervene);
    app.get_option("--continue")->excludes(beside);
    add_served(app, o.served, {"--model", "--device", "--threads", "--template", "--think", "--ctx-size", "--on-full", "--intervene", "--beside", "--continue"},
               true);
}

int talk(const ChatOptions& options, Terminal& terminal) {
#if KLP_HUB
    if (!options.served.url.empty() || !options.served.at.empty()) return served_chat(options, terminal);
    if (!options.served.key_variable.empty()) return report({Error::usage, "--api-key-env requires --url or --at"});
#endif
    return chat(options, terminal);
}

int measure(const SweepFlags& flags, Terminal& terminal) {
#if KLP_HUB
    if (!flags.urls.empty()) return served_sweep_command(flags, terminal);
#endif
    return sweep_command(flags, terminal);
}

int describe(const InfoOptions& options, Terminal& terminal) {
#if KLP_HUB
    if (!options.served.url.empty()) return served_info(options, terminal);
#endif
    return info_command(options, terminal);
}

// What was typed and is no command or option, and what was meant perhaps.
std::string unknown_word(const CLI::App& app, const CLI::ExtrasError& error) {
    const CLI::App* sub = app.get_subcommands().empty() ? nullptr : app.get_subcommands().front();
    const std::vector<std::string> left = app.remaining(true);
    if (left.empty()) return error.what();
    const std::string& word = left[0];
    std::vector<std::string> known;
    if (word.starts_with("-")) {
        for (const CLI::Option* option : (sub ? *sub : app).get_options())
            for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
        return (sub ? "klp " + sub->get_name() : "klp") + " has no option " + word + did_you_mean(word.substr(0, word.find('=')), known);
    }
    if (sub) return "klp " + sub->get_name() + " has no use for '" + word + "'";
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) known.push_back(command->get_name());
    const std::string meant = did_you_mean(word, known);
    return "there is no command '" + word + "'" + (meant.empty() ? "; -p asks something" : meant);
}

int run(int argc, char** argv) {
    CLI::App app("Kimi Linear Playground: chat with a Kimi Linear model and watch its memory work.", "klp");
    app.footer(
        "Examples:\n"
        "  klp                                  talk to the embedded model; /help there lists commands\n"
        "  klp -p \"Hello, who are you?\"          one answer\n"
        "  echo Hello | klp --stats              the same from a pipe, with speed and memory\n"
        "  klp info                              what the model is made of\n"
        "  klp run -p \"Tell me a story.\" -o story.klprun && klp replay story.klprun\n"
        "  klp bench --depth 0,4096 --baseline   speed, against the all-MLA twin\n"
        "  klp sweep -o sweep.svg                the same by context, with memory and batches\n"
        "Exit codes: 0 ok, 1 failure, 2 usage, 3 model invalid, 4 device or memory, 130 interrupted.");
    app.set_version_flag("--version", "klp " KLP_VERSION);
    app.require_subcommand(0, 1);
    app.get_formatter()->column_width(28);
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // said twice: the last one counts
    bool plain = false, progress = false;
    app.add_flag("--plain", plain, "no colour, ASCII only (also: NO_COLOR, TERM=dumb)");

    std::function<int(Terminal&)> command;
    const bool help = std::any_of(argv + 1, argv + argc, [](std::string_view word) { return word == "--help" || word == "-h"; });
    const auto subcommand = [&](const char* name, const char* about, auto& options, int (*call)(const std::decay_t<decltype(options)>&, Terminal&),
                                const char* examples) {
        CLI::App* sub = app.add_subcommand(name, about);
        sub->footer(std::string("Examples:\n") + examples);
        sub->add_flag("--plain", plain, "no colour, ASCII only");
        sub->preparse_callback([&app, sub, help](size_t) { hand_down(app, *sub, help); });
        sub->callback([&command, &options, call] { command = [&options, call](Terminal& t) { return call(options, t); }; });
        return sub;
    };

    ChatOptions chat_options;
    add_chat(app, chat_options);
    CLI::App* sub = subcommand("chat", "talk (the default)", chat_options, talk,
                               "  klp chat --temp 0.7 --system \"Answer in one sentence.\"\n"
                               "  klp chat --continue                   go on where the last talk ended\n"
                               "  klp chat --url http://127.0.0.1:8080/v1");
    add_chat(*sub, chat_options);

    InfoOptions info;
    sub = subcommand("info", "what a model is made of, and the memory it takes", info, describe,
                     "  klp info                              the embedded model\n"
                     "  klp info --shape kimi-linear-48b      needs no file\n"
                     "  klp info --check ~/models/mine        reads all weights\n"
                     "  klp info --url http://127.0.0.1:8080/v1");
    names("MODEL", sub->add_option("model,-m,--model", info.model, "folder, GGUF file, or name of a model"));
    add_shape(*sub, info.shape, info.dtype);
    sub->add_flag("--check", info.check, "reads all weights and names every tensor that holds a NaN or an infinity")->excludes("--shape");
    sub->add_flag("--json", info.json, "as a JSON object");
    add_served(*sub, info.served, {"--model", "--shape", "--check"});

    LogitsOptions logits;
    sub = subcommand("logits", "the model's output for given tokens", logits, logits_command,
                     "  klp logits -p \"Hello\"                 the five best next tokens\n"
                     "  klp logits --tokens 1,2,3 -o out.npy");
    add_engine(*sub, logits.engine);
    auto* tokens = sub->add_option("--tokens", logits.tokens, "ids, with commas between")
                       ->delimiter(',')
                       ->multi_option_policy(CLI::MultiOptionPolicy::Throw)
                       ->check(between(0, INT32_MAX));
    sub->add_option("-p,--prompt", logits.prompt, "text instead of ids")->excludes(tokens);
    names("FILE", sub->add_option("-o,--out", logits.out, ".npy to make, float32 [tokens, vocabulary]; without it the five best of the last row"));
    auto* step = sub->add_flag("--step", logits.step, "feed token by token");
    add_intervene(*sub, logits.intervene);
    sub->add_option("--chunk", logits.chunk, "feed in pieces of so many tokens")->check(between(1, kTokens))->excludes(step);
    sub->add_flag("--json", logits.json, "as a JSON object");

    TokenizeOptions tokenize;
    sub = subcommand("tokenize", "text to ids, or back", tokenize, tokenize_command,
                     "  klp tokenize \"Hello there\"\n"
                     "  klp tokenize --decode \"300 301\"\n"
                     "  klp tokenize --json < text.txt");
    names("MODEL", sub->add_option("-m,--model", tokenize.model, "folder, GGUF file, or name of a model"));
    sub->add_option("text", tokenize.text, "text (or ids with --decode); without it stdin");
    sub->add_flag("--decode", tokenize.decode, "ids to text");
    sub->add_flag("--special", tokenize.special, "recognise (or show) control tokens such as <|im_end|>");
    sub->add_flag("--json", tokenize.json, "as a JSON object, with each token's text");

    BenchOptions bench;
    sub = subcommand("bench", "prefill and decode speed, beside what the machine allows", bench, bench_command,
                     "  klp bench --depth 0,4096 --baseline   against the all-MLA twin\n"
                     "  klp bench --shape bench-700m --dtype q8_0 --depth 100000 --synthetic");
    add_engine(*sub, bench.engine);
    add_shape(*sub, bench.engine.shape, bench.engine.dtype);
    sub->add_option("--prompt", bench.prompt, "tokens of the prefill test; 0: none")->capture_default_str()->check(between(0, kTokens));
    sub->add_option("--gen", bench.generate, "tokens of the decode test; 0: none")->capture_default_str()->check(between(0, kTokens));
    sub->add_option("--depth", bench.depths, "tokens already in the context, with commas between")
        ->delimiter(',')
        ->capture_default_str()
        ->check(between(0, kTokens));
    sub->add_flag("--synthetic", bench.synthetic, "reach depths with a cache of random numbers instead of a prompt");
    sub->add_option("--repeat", bench.repeat, "times each test is run")->capture_default_str()->check(between(1, 1000));
    sub->add_flag("--baseline", bench.baseline, "also the all-MLA twin, in turn");
    sub->add_flag("--json", bench.json, "as a JSON object");

    SweepFlags sweep;
    sub = subcommand("sweep", "hybrid against full attention by context: speed, memory, largest batch", sweep, measure,
                     "  klp sweep -o sweep.json -o sweep.svg  measured once, kept in two forms\n"
                     "  klp sweep --from sweep.json           shown again\n"
                     "  klp sweep --shape kimi-linear-48b --contexts 4k,64k,1M\n"
                     "  klp sweep --url http://a:8000/v1 --url http://b:8000/v1 -o both.svg");
    add_engine(*sub, sweep.engine);
    add_shape(*sub, sweep.engine.shape, sweep.engine.dtype);
    sub->add_option("--contexts", sweep.contexts, "such as 4k,16k,1M; without it 4k to 1M on a GPU, 1k to 64k on a CPU");
    sub->add_option("--memory", sweep.memory,
                    "for weights and the largest batch, such as 16GiB; without it what is free on a GPU, 1 GiB beside the weights on a CPU");
    sub->add_option("--limit", sweep.limit, "seconds for one figure; prefills that would take longer are left out")
        ->capture_default_str()
        ->check(between(0.01, 1e6));
    names("FILE", sub->add_option("-o,--out", sweep.out, "also in a file, again for another: .json, which --from shows again; .csv, a table; .svg, a picture"))
        ->take_all();
    sub->add_flag("--json", sweep.json, "as JSON, when all is measured");
    auto* from = names("FILE", sub->add_option("--from", sweep.from, "show a recorded sweep (.json) instead of measuring"));
    for (const char* name : {"--model", "--device", "--threads", "--shape", "--dtype", "--contexts", "--memory", "--limit"}) from->excludes(name);
    sub->add_flag("--reference", sweep.reference, "beside it, what the Kimi Linear report published");
#if KLP_HUB
    auto* urls =
        names("URL", sub->add_option("--url", sweep.urls, "a server of OpenAI's API instead of a model here; again for a second one beside it"))->take_all();
    sub->add_option("--served-model", sweep.served_models, "which of its models, where it has several; again for the second server")->take_all()->needs(urls);
    sub->add_option("--api-key-env", sweep.key_variable, "environment variable with the key; without it OPENAI_API_KEY, where that is set")->needs(urls);
    sub->add_option("--concurrency", sweep.at_once, "requests at once, with commas between")->capture_default_str()->needs(urls);
    for (const char* name : {"--model", "--device", "--threads", "--shape", "--memory", "--from", "--reference"}) urls->excludes(name);
#endif
    for (int i = 1; i < argc; ++i) sweep.command += (i > 1 ? " " : "klp ") + std::string(argv[i]);

    EvalOptions eval;
    sub = subcommand("eval", "what a model recalls, by distance, on chats kept out of its training", eval, eval_command,
                     "  klp eval --items 5 --distance 0,256   a part of it, in less time\n"
                     "  klp eval --roll 256                   of a cache that drops the rest");
    add_engine(*sub, eval.engine);
    add_template(*sub, eval.engine);
    sub->add_flag("--twin", eval.twin, "also the trained all-MLA twin in its folder");
    names("DIR", sub->add_option("--data", eval.data, "folder with the tasks; without it those of the embedded model"));
    sub->add_option("--items", eval.items, "of each task and size, at most")->capture_default_str()->check(between(1, 10000));
    sub->add_option("--distance", eval.distances, "tokens between fact and question, with commas between")
        ->delimiter(',')
        ->capture_default_str()
        ->check(between(0, kTokens));
    sub->add_option("--roll", eval.roll, "also with a cache that keeps so many tokens at most: what is recalled of those it dropped")
        ->check(between(1, kTokens));
    add_intervene(*sub, eval.intervene);
    sub->add_flag("--json", eval.json, "as a JSON object");

    ProbeFlags probe;
    sub = subcommand("probe", "what many chats recall, and answer, with their memory untouched and touched", probe, probe_command,
                     "  klp probe                             which experiments there are\n"
                     "  klp probe gates-times-two\n"
                     "  klp probe mine.json -o mine.jsonl -o mine.svg   broken off, it goes on from mine.jsonl");
    auto* experiment = names("EXPERIMENT", sub->add_option("experiment", probe.experiment, "its name, or a file of JSON; without it their list"));
    add_engine(*sub, probe.engine);
    add_template(*sub, probe.engine);
    sub->add_option("--items", probe.items, "chats of each kind, at most; without it as the experiment says")->check(between(1, 100000));
    names("FILE", sub->add_option("-o,--out", probe.out,
                                  "also in a file, again for another: .csv, a table; .svg, a picture; .json; .jsonl, what was seen in every chat, from which "
                                  "a run that was broken off goes on"))
        ->take_all();
    sub->add_flag("--json", probe.json, "as a JSON object");
    for (const char* name : {"--model", "--device", "--threads", "--template", "--items", "--out", "--json"}) sub->get_option(name)->needs(experiment);

    InitOptions init;
    sub = subcommand("init", "a checkpoint with random weights", init, init_command,
                     "  klp init --list\n"
                     "  klp init --shape bench-700m -o /tmp/m --type bf16");
    auto* shape = shape_name(sub->add_option("--shape", init.shape, "a named shape; --list shows them"));
    names("FILE", sub->add_option("--config", init.config, "or a config.json"))->excludes(shape);
    names("DIR", sub->add_option("-o,--out", init.out, "folder to make"));
    weights(sub->add_option("--type", init.type, "how matrices are stored"), true)->capture_default_str();
    sub->add_option("-s,--seed", init.seed, "of the weights")->capture_default_str()->check(seed());
    auto* list = sub->add_flag("--list", init.list, "the named shapes");
    for (const char* name : {"--shape", "--config", "--out", "--type", "--seed"}) list->excludes(name);

    QuantizeOptions quantize;
    sub = subcommand("quantize", "a smaller checkpoint of the same model", quantize, quantize_command,
                     "  klp quantize /tmp/m /tmp/m8 --type q8_0              a folder\n"
                     "  klp quantize /tmp/m /tmp/m.gguf --type q4_k_m        a GGUF file, of which some matrices have more bits");
    names("MODEL", sub->add_option("source", quantize.source, "folder, GGUF file, or name of a model"))->required();
    names("OUT", sub->add_option("out", quantize.out, "folder to make, or a file where it ends in .gguf"))->required();
    sub->add_option("--type", quantize.type, "how matrices are stored; names like q4_k_m are of GGUF files")
        ->check(named(gguf_mixes(), [](const std::string& text) { return trouble_of(mix_named(text)); }))
        ->required();

    TrainFlags train;
    sub = subcommand("train", "a model learns from text and chats", train, train_command,
                     "  klp train --data stories.txt chats.jsonl --shape tiny --tokenizer ~/models/mine -o small\n"
                     "  klp train -o small                    goes on where it was stopped\n"
                     "  klp train --data chats/*.jsonl --plan plan.json --from ~/models/mine -o better\n"
                     "  klp -m small                          what it has learned");
    names("FILE", sub->add_option("--data", train.data, "what it learns from: .txt, documents with two empty lines between them; .jsonl, a chat a line"))
        ->take_all();
    auto* learns = shape_name(sub->add_option("--shape", train.shape, "a named shape with random weights learns (klp init --list shows them)"));
    auto* sizes = names("FILE", sub->add_option("--config", train.config, "or one of this config.json"))->excludes(learns);
    names("MODEL", sub->add_option("--from", train.from, "or this model goes on learning: a folder, or its name"))->excludes(learns)->excludes(sizes);
    names("FILE", sub->add_option("--tokenizer", train.tokenizer, "tiktoken.model, tokenizer.json or a folder with one; without it that of --from"));
    names("DIR", sub->add_option("-o,--out", train.out, "folder to make; alone, a run to go on with"));
    auto* plan = names("FILE", sub->add_option("--plan", train.plan, "JSON with stages, their data, lengths and rates, instead of the next four options"));
    for (CLI::Option* wish :
         {sub->add_option("--tokens", train.tokens, "to learn from in all; without it every document once")->check(between(1, 1e15)),
          sub->add_option("--batch", train.batch, "tokens a step; without it 8192")->check(between(1, 1 << 24)),
          sub->add_option("--length", train.length, "tokens of a row, at most; without it 1024")->check(between(1, 1 << 24)),
          sub->add_option("--lr", train.rate, "highest learning rate of Muon, of AdamW a fifth of it; without it 0.02")->check(between(1e-9, 10))})
        wish->excludes(plan);
    sub->add_option("-s,--seed", train.seed, "of first weights and batches; without it 1")->check(seed());
    sub->add_option("-t,--threads", train.threads, "CPU threads; 0: one for each core. The bytes that are learned are the same with any number")
        ->check(between(0, 4096));
    sub->add_option("--hold-out", train.hold_out, "of so many documents one is only looked at; 0: none; without it 20")->check(between(0, 1e9));
    sub->add_option("--eval-every", train.eval_every, "steps between two such looks; 0: only at the end; without it 500")->check(between(0, 1e9));
    sub->add_option("--dtype", train.dtype, "how matrices are stored and multiplied: bf16, f32; without it bf16")->check(CLI::IsMember({"bf16", "f32"}));
    sub->add_flag("--json", train.json, "lines of JSON, one a second at most");

    LabFlags lab;
    sub = subcommand("lab", "mixers learn a made task side by side", lab, lab_command,
                     "  klp lab                               four rules learn what lies on top of four stacks\n"
                     "  klp lab --task palindrome --mixers kda,deltanet,mla --length 64 -o palindrome.svg\n"
                     "  klp lab --mixers kda,kda+no-conv,kda+no-gate,kda+3:1 --layers 4\n"
                     "  klp lab --ladder -o ladder.svg        what does a size cost, and what does it know?\n"
                     "  klp lab --save learned                and klp -m learned/kda is what KDA has become");
    auto* task =
        sub->add_option("--task", lab.task, "mqar: the values of keys; palindrome, copy: what was read, backwards or as it was; stack: what lies on top")
            ->check(CLI::IsMember({"mqar", "palindrome", "stack", "copy"}));
    names("LIST", sub->add_option("--mixers", lab.mixers,
                                  "which, with commas: linear_attention, deltanet, mamba2, gdn, gla, kda, or mla for softmax attention; behind + what is "
                                  "otherwise: swish, no-gate, no-conv, 3:1 (one of four layers is attention), rope, nope. Without it "
                                  "kda,deltanet,mamba2,linear_attention"));
    sub->add_option("--length", lab.length, "tokens of a row")->check(between(2, 1 << 16));
    auto* pairs = sub->add_option("--pairs", lab.items, "of mqar; without it 8")->check(between(1, 1 << 16));
    auto* stacks = sub->add_option("--stacks", lab.items, "of stack; without it 4")->check(between(1, 1 << 16))->excludes(pairs);
    auto* vocabulary = sub->add_option("--vocabulary", lab.vocabulary, "different tokens")->check(between(2, 1 << 16));
    sub->add_option("--layers", lab.layers, "of each learner; without it 2, of a ladder 4")->check(between(1, 64));
    auto* heads = sub->add_option("--heads", lab.heads, "of each layer")->check(between(1, 64));
    auto* width = sub->add_option("--width", lab.width, "of the residual stream; a head has its share of it")->check(between(4, 4096));
    auto* many = sub->add_option("--steps", lab.steps, "of each learner")->check(between(1, 1e9));
    auto* seconds = sub->add_option("--seconds", lab.seconds, "of learning for all together, instead")->check(between(1, 1e7))->excludes(many);
    sub->add_option("--batch", lab.batch, "tokens a step")->check(between(1, 1 << 24));
    names("LIST", sub->add_option("--rates", lab.rates, "learning rates to try first, with commas; one alone is taken. Without it 0.005,0.01,0.02"));
    sub->add_option("-s,--seed", lab.seed, "of first weights and batches")->check(seed());
    sub->add_option("-t,--threads", lab.threads, "CPU threads; 0: one for each core")->check(between(0, 4096));
    names("FILE", sub->add_option("-o,--out", lab.out, "files with the result: .json, .svg"))->take_all();
    auto* save = sub->add_option("--save", lab.save, "a folder for what they have become, a model each");
    names("DIR", save);
    auto* ladder = sub->add_flag("--ladder", lab.ladder,
                                 "several widths of each, loss against what training cost, and a power law through it; without --mixers kda+3:1,mla")
                       ->excludes(save)
                       ->excludes(seconds)
                       ->excludes(heads)
                       ->excludes(width);
    names("LIST", sub->add_option("--widths", lab.widths, "of the ladder, with commas, multiples of 16; without it 32,48,64,96,128"))->needs(ladder);
    auto* data = sub->add_option("--data", lab.data, "files that the ladder learns instead of a task, as klp train reads them")
                     ->needs(ladder)
                     ->type_name("FILE")
                     ->take_all();
    for (CLI::Option* of_task : {task, pairs, stacks, vocabulary}) data->excludes(of_task);
    data->needs(sub->add_option("--tokenizer", lab.tokenizer, "the model whose tokens they become")->needs(data)->type_name("MODEL"));
    sub->add_flag("--json", lab.json, "lines of JSON while they learn, all of it in the last one");

    ModelsOptions models;
    sub = subcommand("models", "the models on this disk, and whether they open here", models, models_command,
                     "  klp models                            what -m can name\n"
                     "  klp models --add /mnt/models          look there too");
    names("DIR", sub->add_option("--add", models.add, "a folder to look in, from now on"));
    names("DIR", sub->add_option("--forget", models.forget, "a folder that was added"));
    sub->add_flag("--json", models.json, "as a JSON array");

#if KLP_HUB
    PullFlags pull;
    sub = subcommand("pull", "a model from the Hugging Face hub into the folder of models", pull, pull_command,
                     "  klp pull ORGANISATION/NAME --list     what would be pulled\n"
                     "  klp pull ORGANISATION/NAME:Q4_K_M");
    sub->add_option("model", pull.what, "ORGANISATION/NAME; with :FILE or :TYPE, such as :Q4_K_M, where it holds several models")->required();
    names("DIR", sub->add_option("-o,--out", pull.out, "folder to put it in; without it one in ~/.local/share/klp/models"));
    sub->add_flag("--list", pull.list, "only say which files would be pulled");
    sub->add_flag("--progress", progress, "say how far it is even where stderr is no terminal");
#endif

    RunOptions run;
    sub = subcommand("run", "answers to given questions, recorded", run, run_command,
                     "  klp run -p \"Hello\" -p \"And you?\" -o hello.klprun\n"
                     "  klp run --turns questions.txt --on-full roll");
    add_engine(*sub, run.engine);
    auto* prompts = sub->add_option("-p,--prompt", run.prompts, "a question; again for the next turn")->take_all();
    names("FILE", sub->add_option("--turns", run.turns, "or a file with one question a line"))->excludes(prompts);
    auto* made = names("FILE", sub->add_option("-o,--out", run.out, "recording to make (.klprun)"));
    sub->add_option("--system", run.system, "system prompt");
    add_template(*sub, run.engine), add_thinking(*sub, run.engine);
    names("FILE", sub->add_option("--tools", run.tools, "JSON with the tools that the model may call; a turn '/tool ID TEXT' returns from a call"));
    add_intervene(*sub, run.intervene);
    add_sampling(*sub, run.sampling);
    sub->add_option("-n,--predict", run.predict, "tokens of an answer at most; without it what the model suggests, or 2048")->check(between(1, kTokens));
    sub->add_option("-c,--ctx-size", run.context, "tokens of context; 0: all the model has")->check(between(0, kTokens));
    add_on_full(*sub, run.on_full);
    sub->add_option("--title", run.title, "of the recording; without it the first question")->needs(made);
    sub->add_option("--about", run.about, "one sentence about it")->needs(made);
    sub->add_option("--state", run.state, "LAYER.HEAD whose matrix is pictured; without it the first KDA head")->needs(made);
    sub->add_option("--pictures", run.pictures, "of it a second, at most")->capture_default_str()->check(between(1, 100000))->needs(made);
    sub->add_option("--race", run.race, "afterwards, race the model against its full-attention twin up to so many tokens")->check(between(64, kTokens));
    sub->add_flag("--stats", run.stats, "speed on stderr, after each answer");
#if KLP_HUB
    auto* at = names("HOST:PORT", sub->add_option("--at", run.at, "the engine of a klp serve elsewhere, such as gpu:8080"));
    for (const char* name : {"--model", "--device", "--threads", "--template", "--think", "--ctx-size"}) at->excludes(name);
    names("HOST", sub->add_option("--ssh", run.ssh, "the host that ssh reaches it through; --at is as seen from there"))->needs(at);
    sub->add_option("--api-key-env", run.key_variable, "environment variable with its key; without it OPENAI_API_KEY, where that is set")->needs(at);
#endif

#if KLP_HUB
    WatchFlags watched;
    sub = subcommand("watch", "the talk that somebody else has with the engine of a klp serve", watched, watch_command,
                     "  klp watch gpu:8080                    as it is said\n"
                     "  klp watch gpu:8080 -o seen.klprun     and kept, with what its lenses show");
    names("HOST:PORT", sub->add_option("at", watched.at, "the klp serve, such as gpu:8080"))->required();
    names("RUN", sub->add_option("--run", watched.run, "which of its runs, where there are several"));
    names("HOST", sub->add_option("--ssh", watched.ssh, "the host that ssh reaches it through; HOST:PORT is as seen from there"));
    sub->add_option("--api-key-env", watched.key_variable, "environment variable with its key; without it OPENAI_API_KEY, where that is set");
    auto* seen = names("FILE", sub->add_option("-o,--out", watched.out, "recording to make (.klprun)"));
    sub->add_flag("--stats", watched.stats, "speed on stderr, after each answer");
    auto* listed = sub->add_flag("--list", watched.list, "only say which runs there are")->excludes(seen);
    sub->add_flag("--json", watched.json, "as a JSON object")->needs(listed);
    listed->excludes("--run")->excludes("--stats");
#endif

#if KLP_SERVE
    ServeFlags serve;
    sub = subcommand("serve", "OpenAI's API over HTTP, for many at once", serve, serve_command,
                     "  klp serve                             http://127.0.0.1:8080/v1\n"
                     "  klp serve -m mine.gguf --port 9000 --parallel 16");
    add_engine(*sub, serve.engine);
    add_template(*sub, serve.engine), add_thinking(*sub, serve.engine);
    sub->add_option("--host", serve.host, "address to listen on; any but this machine's own needs a key")->capture_default_str();
    sub->add_option("--port", serve.port, "0: any that is free")->capture_default_str()->check(between(0, 65535));
    sub->add_option("--parallel", serve.parallel, "answers at once; more requests wait")->capture_default_str()->check(between(1, 1024));
    sub->add_option("-c,--ctx-size", serve.context, "tokens of context of each; 0: all the model has")->check(between(0, kTokens));
    names("FILE", sub->add_option("--api-key-file", serve.api_key_file, "holds the key that requests must bring (Authorization: Bearer ...)"));
    sub->add_flag("--progress", progress, "say how far it is even where stderr is no terminal");
#endif

    ReplayOptions replay;
    sub = subcommand("replay", "a recording's text at the pace it was made", replay, replay_command, "  klp replay hello.klprun --speed 4");
    names("FILE", sub->add_option("file", replay.file, "recording (.klprun)"))->required();
    sub->add_option("--speed", replay.speed, "times as fast, 0.25 to 16")->capture_default_str()->check(between(ReplayRun::kSlowest, ReplayRun::kFastest));
    sub->add_flag("--stats", replay.stats, "what was recorded, where, and how fast, on stderr");

    ExportOptions exported;
    sub = subcommand("export", "a recording's numbers as arrays or tables", exported, export_command,
                     "  klp export hello.klprun -o hello.npz  z = numpy.load(\"hello.npz\"); z[\"log_decay\"]\n"
                     "  klp export hello.klprun -o hello.csv");
    names("FILE", sub->add_option("file", exported.file, "recording (.klprun)"))->required();
    names("FILE", sub->add_option("-o,--out", exported.out, "file to make: .npz for NumPy, .csv or .json"))->required();

    const auto said = [](const std::string& text) {
        put(text);
        throw CLI::Success();
    };
    app.add_flag_callback(
        "--help-man", [&] { said(man_page(app, "klp " KLP_VERSION)); }, "the page klp(1), for man");
    app.add_option_function<std::string>(
           "--completion", [&](const std::string& shell) { said(shell == "zsh" ? zsh_completion(app) : bash_completion(app)); },
           "a script that completes this command line in a shell")
        ->check(CLI::IsMember({"bash", "zsh"}));

    DoctorOptions doctor;
    sub = subcommand("doctor", "the machine, the terminal, and what falls back and why", doctor, doctor_command,
                     "  klp doctor\n"
                     "  klp doctor -m ~/models/mine           also where its files disagree");
    names("MODEL", sub->add_option("-m,--model", doctor.model, "also what the files of this model say, and where they do not agree"));
    device(sub->add_option("--device", doctor.device, "which one; cuda:1 is the second card"));
    sub->add_option("-t,--threads", doctor.threads, "CPU threads; 0: one for each core")->check(between(0, 4096));
    sub->add_flag("--json", doctor.json, "as a JSON object");

    for (const char* name :
         {"", "chat", "info", "logits", "bench", "sweep", "eval", "probe", "init", "quantize", "train", "lab", "run", "replay", "export", "doctor"})
        (*name ? app.get_subcommand(name) : &app)->add_flag("--progress", progress, "say how far it is even where stderr is no terminal");
    app.get_subcommand("info")->get_option("--progress")->needs(app.get_subcommand("info")->get_option("--check"));

    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& done) {  // --help, --version
        std::ostringstream text;
        app.exit(done, text, text);
        put(text.str());
        return 0;
    } catch (const CLI::ExtrasError& error) {
        return report({Error::usage, unknown_word(app, error) + " (klp --help)"});
    } catch (const CLI::ParseError& error) {
        return report({Error::usage, std::string(error.what()) + " (klp --help)"});
    }
    Terminal terminal = Terminal::detect(plain);
    terminal.progress = progress;
    return command ? command(terminal) : talk(chat_options, terminal);
}

}  // namespace

int main(int argc, char** argv) {
    klp::catch_signals();
    int code = 0;
    try {
        code = run(argc, argv);
    } catch (const klp::DeviceError& error) {
        code = klp::report({klp::Error::device, error.what()});
    } catch (const std::bad_alloc&) {
        code = klp::report({klp::Error::device, "out of memory"});
    } catch (const std::exception& error) {
        code = klp::report({klp::Error::failure, error.what()});
    }
    if (klp::output_closed() && code != klp::Error::interrupted) klp::end_by_closed_pipe();
    if (klp::output_failed() && code == 0) code = klp::Error::failure;
    return code;
}
