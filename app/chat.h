// klp chat: one question and its answer (-p, or a pipe on stdin), or the REPL.
#pragma once

#include <optional>

#include "app/engine.h"

namespace klp {

// What the command line says; what it does not say comes from the model's generation_config.json, then from Sampling's defaults.
struct SamplingFlags {
    std::optional<float> temperature, top_p, min_p, repeat_penalty;
    std::optional<int> top_k;
    std::optional<uint64_t> seed;  // else a new one for each run; --stats and /stats name it
};

void apply(const SamplingFlags& flags, Sampling& sampling);  // over what the model suggests

// A server of OpenAI's API instead of a model here; without `url` nothing else of it counts.
struct ServedFlags {
    std::string url, model, key_variable;
    std::string at, ssh;  // or the engine of a klp serve: HOST:PORT, and the host that ssh reaches it through
    std::string shape;    // a named one, or a config.json: of what is served
};

struct ChatOptions {
    EngineOptions engine;
    ServedFlags served;
    SamplingFlags sampling;
    std::optional<std::string> prompt;
    std::string system, tools;  // tools: a file
    int64_t context = 0;        // 0: the model's own limit
    std::optional<int64_t> predict;
    std::string on_full = "stop";
    std::string intervene;  // a file of interventions (interventions.h)
    std::string beside;     // "twin", "plain" or a file of interventions: a second talk that hears the same
    bool go_on = false;     // where the talk before this one ended
    bool interactive = false, stats = false, json = false;
};

int chat(const ChatOptions& options, Terminal& terminal);
// The prompt of -p, or all of stdin; an Error: it is empty.
Result<std::string> question(const ChatOptions& options);
// One message, over several lines where it ends in a backslash or begins with three quotes.
LineReader::Got read_message(LineReader& reader, const Terminal& terminal, std::string& message);

}  // namespace klp
