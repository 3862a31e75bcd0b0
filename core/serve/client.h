// A server of OpenAI's API as its client sees it: klp serve, vLLM, SGLang, llama.cpp's server, LM Studio, Ollama and whatever else speaks it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/config.h"
#include "core/serve/completion.h"
#include "core/serve/http.h"

namespace klp {

struct Server {
    std::string url;           // "http://127.0.0.1:8080/v1"
    std::string key;           // "": none. In no file and no message
    std::string key_variable;  // of the environment, that it was looked for in
    std::string root() const;  // the same without /v1, where health and metrics are
};
inline constexpr const char* kKeyVariable = "OPENAI_API_KEY";
// `key_variable`: "": kKeyVariable, which may be unset. An error of kind usage: no address, or a variable that was named and is not set.
Result<Server> server_at(const std::string& url, const std::string& key_variable);

struct ServedModel {
    std::string id, owner;
    int64_t context = 0;  // tokens; 0: not told
};
Result<std::vector<ServedModel>> served_models(const Server& server, const std::atomic<bool>* cancel);
// The one of this name; "": the only one. The error of kind model lists what is served.
Result<ServedModel> served_model(const Server& server, const std::string& name, const std::atomic<bool>* cancel);
// The shape of what is served: `said` is a named shape or a config.json; "": a shape whose model this name is. Nothing: nobody knows it.
Result<std::optional<ModelConfig>> served_shape(const std::string& said, const std::string& model);

inline constexpr int64_t kShortestToken = 50'000;  // nanoseconds: what comes faster came together, in one packet
inline constexpr int64_t kMostOfAPacket = 16;      // tokens that come together in an answer whose speed is known

struct ServedTimes {
    int64_t begun_ns = 0, first_ns = 0, last_ns = 0;  // now_ns(): sent, first and last piece that says something; 0: there was none
    int64_t ended_ns = 0;
    int64_t waits = 0;  // packets behind the first one that were waited for
    // Whether they say how fast so many tokens came: those of an answer that came whole, or in a packet or two, do not.
    bool tell(int64_t tokens) const { return waits > 1 && waits * kMostOfAPacket >= tokens - 1; }
    int64_t first_token_ns() const { return first_ns > 0 ? first_ns - begun_ns : 0; }
};

struct ServedReply {
    ServedAnswer answer;
    ServedTimes times;
    std::optional<Error> trouble;  // the answer is what came before it
    bool refused = false;          // the server is well and says no: a prompt that is too long for it, say
    // Tokens behind the first one, by their time; NaN where the times do not tell it. Pieces where the server does not count tokens.
    double tokens_per_second() const;
};
using OnPiece = std::function<void(const ServedPiece& piece, const ServedAnswer& so_far)>;
// One answer. An error after its first piece, a cancel too, is in the reply; one before it is returned.
Result<ServedReply> ask_server(const Server& server, const ServedRequest& request, const OnPiece& on_piece, const std::atomic<bool>* cancel);
// Several at once.
Result<std::vector<ServedReply>> ask_server(const Server& server, const std::vector<ServedRequest>& requests, const std::atomic<bool>* cancel);

// What the server says of itself beside its models; "" and empty where it has no such thing.
std::string served_health(const Server& server, const std::atomic<bool>* cancel);
// Its Prometheus gauges and counters: samples of one name added up, but shares ("_perc") at their largest.
std::map<std::string, double> served_metrics(const Server& server, const std::atomic<bool>* cancel);
std::map<std::string, double> parse_metrics(std::string_view text);
struct ServedLoad {                                  // nothing where the server does not say it
    std::optional<double> running, waiting;          // requests
    std::optional<double> cache_share;               // of its cache that is in use, 0 to 1: vLLM, SGLang, llama.cpp
    std::optional<double> state_bytes, cache_bytes;  // klp serve
};
ServedLoad served_load(const std::map<std::string, double>& metrics);
// Tokens of a request's messages by the server's own tokenizer (klp serve, vLLM); 0: it does not count them.
int64_t served_prompt_tokens(const Server& server, const ServedRequest& request, const std::atomic<bool>* cancel);

}  // namespace klp
