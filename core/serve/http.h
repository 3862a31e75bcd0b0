// Requests over HTTP, several at a time, whose answers are heard while they come.
//
// Certificates are verified. Nothing is redirected: a key and a talk go where a person has said, and nowhere else.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace klp {

struct HttpRequest {
    std::string url, key;    // key: sent as a bearer token; "": none
    std::string body = {};   // JSON, posted; "": a GET
    int64_t silence_s = 30;  // a line that says nothing for so long is dead
    // Bytes of an answer of status 200 and the type `stream`; false: no more is wanted. Without it, and of other answers, they are kept in HttpReply::body.
    std::function<bool(std::string_view bytes)> on_bytes = {};
    std::string stream = "text/event-stream";
    std::vector<std::string> headers = {};  // "Name: value"
};

struct HttpReply {
    long status = 0;         // 0: there was none
    std::string type, body;  // type: "text/html", in small letters and without what stands behind it. Of a body the first 16 MiB
    std::string moved;       // where a redirection leads
    std::string trouble;     // of the line, a few words; "": the answer is whole, or no more of it was wanted
    bool nobody = false;     // took the connection
};

// All at once, each on a line of its own; `replies` have the requests' order. An error of kind interrupted after a cancel.
Result<std::vector<HttpReply>> http(std::span<const HttpRequest> requests, const std::atomic<bool>* cancel);

}  // namespace klp
