// A chat completion as a client of OpenAI's API has it: the request's body, and the answer from the pieces of its stream. What travels between is client.h.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/serve/event_stream.h"
#include "core/text/chat_template.h"
#include "core/text/thoughts.h"
#include "kernels/backend.h"

namespace klp {

// What is not said here is as the server has it.
struct ServedSampling {
    std::optional<float> temperature, top_p, min_p, repeat_penalty;
    std::optional<int> top_k;
    std::optional<uint64_t> seed;
};

struct ServedRequest {
    std::string model;
    std::vector<Message> messages;  // an answer that is gone on with comes last
    std::string tools;              // a JSON array of declarations, or ""
    ServedSampling sampling;
    std::optional<int64_t> predict;  // tokens of the answer at most
    int top = 0;                     // most probable candidates that each token is told with; 0: no log probabilities
    bool go_past_end = false;        // for measuring, where the server can: the end of a turn ends nothing
};
std::string completion_body(const ServedRequest& request);

struct ServedToken {
    std::string bytes;
    float probability = 0;
    std::vector<std::pair<std::string, float>> top;  // bytes and probabilities, the most probable first
};

// One piece of a stream, often a token.
struct ServedPiece {
    std::string text, reasoning;
    std::vector<ServedToken> tokens;  // where log probabilities were asked for and are told
    bool waited = false;              // for it; else it came together with the piece before
};

struct ServedAnswer {
    std::string text, reasoning;
    std::vector<ToolCall> calls;                                  // with ids in Kimi's form, functions.NAME:INDEX, whatever the server calls them
    std::string finish;                                           // "stop", "length", "tool_calls" ...; "": it was broken off
    std::string model;                                            // as the server names what answered
    int64_t prompt_tokens = -1, tokens = -1, cached_tokens = -1;  // -1: not told
    int64_t pieces = 0;                                           // of the stream that say something
};

// The answer as it comes. An error is the server's own, or names what no client could read.
class AnswerListener {
public:
    // `calls`: of tools, that the talk has had before; the numbers of new ones follow.
    explicit AnswerListener(int64_t calls = 0) : calls_before_(calls) {}
    // Each appends what it hears, in front of an error too.
    Result<void> push(std::string_view bytes, std::vector<ServedPiece>& out);  // of the stream
    Result<void> take(std::string_view body, std::vector<ServedPiece>& out);   // a whole answer of a server that does not stream
    // After the last byte: what was held back, and an Error where the answer's end is missing.
    Result<void> finish(std::vector<ServedPiece>& rest);
    const ServedAnswer& answer() const { return answer_; }
    bool done() const { return done_; }  // the stream said its end

private:
    struct OpenCall {
        int64_t index = 0;
        std::string id, name, arguments;
    };
    Result<void> event(std::string_view data, std::vector<ServedPiece>& out);
    void read_choice(const nlohmann::json& choice, const char* delta, std::vector<ServedPiece>& out);
    void read_content(std::string_view text, ServedPiece& piece);
    void put(const Thoughts::Piece& part, ServedPiece& piece);
    void close_calls();

    EventStream events_;
    ServedAnswer answer_;
    std::vector<OpenCall> open_;
    Thoughts thoughts_;
    int64_t calls_before_;
    bool done_ = false;
};

// The sentence of an error's body, {"error": {"message": ...}} in one of its forms; "": it has none.
std::string error_text(std::string_view body);

}  // namespace klp
