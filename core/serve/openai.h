// OpenAI's HTTP API as data: bodies to requests, tokens to bodies. Who listens on a port is app/serve.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/serve/batch.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"
#include "core/text/tool_calls.h"
#include "core/text/utf8.h"

namespace klp::openai {

// What is served.
struct Served {
    std::string name;  // as /v1/models says it
    std::shared_ptr<const Tokenizer> tokenizer;
    TurnTokens turn;
    Sampling sampling;   // where a request does not say
    int64_t budget = 0;  // tokens of an answer where a request does not say
    int64_t context = 0;
    ModelConfig config = {};  // what hands may be laid on
    int64_t created = 0;      // Unix time
};

struct ApiError {
    int status = 400;
    std::string message;
    std::string param = {};    // the field; "": none
    std::string text() const;  // {"error": {...}}
};
template <class T>
using Answered = tl::expected<T, ApiError>;

struct Request {
    BatchRequest batch;                               // but for its callbacks
    bool chat = true, stream = false, usage = false;  // usage: in a last piece of the stream
    std::vector<std::string> stops = {};              // texts that end the answer; they are not part of it
    int top_logprobs = -1;                            // that each token is told with; -1: no log probabilities at all
};
// The body of /v1/chat/completions, of /v1/completions. Fields that would change the answer in a way this program does not have are refused by their names;
// others that it does not know are passed over, as servers do.
Answered<Request> parse_chat_request(const std::string& body, const Served& served);
Answered<Request> parse_completion_request(const std::string& body, const Served& served);

// One answer as it is told, piece by piece.
class Telling {
public:
    Telling(const Served& served, const Request& request);
    // The stream's next piece, or "" while nothing may be said yet (half a character, what may become a stop text).
    std::string token(int32_t id, float probability, const std::vector<Candidate>& top);
    bool stopped() const { return stopped_; }  // a stop text came: no more tokens are wanted
    // The last pieces of a stream; the whole body of an answer that is not streamed.
    std::string last_pieces(Generation::End end, int64_t cached);
    std::string whole(Generation::End end, int64_t cached);

private:
    using Json = nlohmann::ordered_json;
    std::string text_of(std::string fresh, bool last);
    Json piece(const Json& choice) const;
    Json usage(int64_t cached) const;
    std::string reason(Generation::End end) const;
    Json log_probability(int32_t id, float probability, const std::vector<Candidate>& top) const;

    const Served& served_;
    const Request& request_;
    std::string id_;
    int64_t created_;
    AnswerReader reader_;      // of a chat
    Utf8Stream raw_;           // of a text that goes on: calls of tools are text there
    int64_t offset_ = 0;       // of the next token in it
    std::string text_, held_;  // said; what may be the beginning of a stop text
    int64_t tokens_ = 0;
    bool stopped_ = false, begun_ = false;
    std::shared_ptr<Json> log_probabilities_;  // of all tokens
};

std::string models_body(const Served& served);
// {"count": N, "max_model_len": N, "tokens": [...]}, with "token_strs" where asked for ("return_token_strs"), of {"prompt": ...} or {"content": ...}, or of {"messages": ...}.
Answered<std::string> tokenize_body(const std::string& body, const Served& served);

}  // namespace klp::openai
