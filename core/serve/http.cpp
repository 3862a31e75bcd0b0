#include "core/serve/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <utility>

namespace klp {

namespace {

constexpr size_t kMostKept = 16 << 20;  // bytes of a body
constexpr int kGlanceMs = 30;           // between two looks at a cancel

struct LineEnd {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct LinesEnd {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct HeadersEnd {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One request on its way.
struct HttpLine {
    const HttpRequest* request;
    std::unique_ptr<CURL, LineEnd> easy;
    std::unique_ptr<curl_slist, HeadersEnd> headers;
    HttpReply reply;
    bool enough = false, too_large = false;  // it was ended here
};

void read_head(HttpLine& line) {
    if (line.reply.status != 0) return;
    curl_easy_getinfo(line.easy.get(), CURLINFO_RESPONSE_CODE, &line.reply.status);
    const char* type = nullptr;
    curl_easy_getinfo(line.easy.get(), CURLINFO_CONTENT_TYPE, &type);
    const std::string_view whole = type ? type : "";
    line.reply.type = whole.substr(0, std::min(whole.find(';'), whole.size()));
    while (line.reply.type.ends_with(' ')) line.reply.type.pop_back();
    std::transform(line.reply.type.begin(), line.reply.type.end(), line.reply.type.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
}

size_t take_bytes(char* data, size_t, size_t n, void* of) {
    auto& line = *static_cast<HttpLine*>(of);
    read_head(line);
    HttpReply& reply = line.reply;
    if (line.request->on_bytes && reply.status == 200 && reply.type == line.request->stream) {
        line.enough = !line.request->on_bytes({data, n});
        return line.enough ? 0 : n;
    }
    line.too_large = reply.body.size() + n > kMostKept;
    if (!line.too_large) reply.body.append(data, n);
    return line.too_large ? 0 : n;
}

HttpLine begin_line(const HttpRequest& request) {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    HttpLine line{.request = &request};
    line.easy.reset(ready ? curl_easy_init() : nullptr);
    if (!line.easy) throw DeviceError("out of memory");
    CURL* e = line.easy.get();
    curl_easy_setopt(e, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(e, CURLOPT_USERAGENT, "klp");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, 15L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.silence_s));
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_bytes);
    if (!request.key.empty()) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, request.key.c_str());
    }
    std::vector<std::string> headers = request.headers;
    // Without "Expect:" libcurl would wait a second for servers that do not know it.
    if (!request.body.empty()) headers.insert(headers.end(), {"Content-Type: application/json", "Accept: text/event-stream, application/json", "Expect:"});
    for (const std::string& header : headers) {
        curl_slist* more = curl_slist_append(line.headers.get(), header.c_str());
        if (!more) throw DeviceError("out of memory");
        (void)line.headers.release();
        line.headers.reset(more);
    }
    if (line.headers) curl_easy_setopt(e, CURLOPT_HTTPHEADER, line.headers.get());
    if (!request.body.empty()) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, request.body.data());
    }
    return line;
}

// What libcurl says of a line, for people; its own words where they name something that nobody can guess, such as a certificate.
std::string line_trouble(CURLcode code, bool answered, bool connected, int64_t silence_s) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return "no host of this name is known";
        case CURLE_COULDNT_CONNECT:
            return "nobody can be connected to";
        case CURLE_OPERATION_TIMEDOUT:
            if (!connected) return "nobody takes the connection";
            return "nothing came for " + std::to_string(silence_s) + " s";
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return answered ? "the server broke off in the middle of the answer" : "the server broke off before it answered";
        default:
            return curl_easy_strerror(code);
    }
}

void end_line(HttpLine& line, CURLcode code, int64_t silence_s) {
    read_head(line);
    const char* moved = nullptr;
    if (curl_easy_getinfo(line.easy.get(), CURLINFO_REDIRECT_URL, &moved) == CURLE_OK && moved) line.reply.moved = moved;
    if (line.too_large)
        line.reply.trouble = "the answer is larger than 16 MiB";
    else if (code != CURLE_OK && !line.enough) {
        curl_off_t connected = 0;  // microseconds
        curl_easy_getinfo(line.easy.get(), CURLINFO_CONNECT_TIME_T, &connected);
        line.reply.nobody = connected == 0;
        line.reply.trouble = line_trouble(code, line.reply.status != 0, connected > 0, silence_s);
    }
}

}  // namespace

Result<std::vector<HttpReply>> http(std::span<const HttpRequest> requests, const std::atomic<bool>* cancel) {
    std::vector<HttpLine> lines;
    lines.reserve(requests.size());
    for (const HttpRequest& request : requests) lines.push_back(begin_line(request));
    // Behind `lines`: it must go first.
    const std::unique_ptr<CURLM, LinesEnd> multi(curl_multi_init());
    if (!multi) throw DeviceError("out of memory");
    for (HttpLine& line : lines) {
        curl_easy_setopt(line.easy.get(), CURLOPT_WRITEDATA, &line);
        curl_easy_setopt(line.easy.get(), CURLOPT_PRIVATE, &line);
        curl_multi_add_handle(multi.get(), line.easy.get());
    }
    const auto leave = [&] {
        for (HttpLine& line : lines) curl_multi_remove_handle(multi.get(), line.easy.get());
    };
    for (int running = 1; running > 0;) {
        if (curl_multi_perform(multi.get(), &running) != CURLM_OK) {
            leave();
            throw DeviceError("out of memory");
        }
        int left = 0;
        while (const CURLMsg* said = curl_multi_info_read(multi.get(), &left)) {
            if (said->msg != CURLMSG_DONE) continue;
            HttpLine* line = nullptr;
            curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, &line);
            end_line(*line, said->data.result, line->request->silence_s);
        }
        if (cancel && *cancel) {
            leave();
            return fail(Error::interrupted, "interrupted");
        }
        if (running > 0) curl_multi_poll(multi.get(), nullptr, 0, kGlanceMs, nullptr);
    }
    leave();
    std::vector<HttpReply> replies;
    for (HttpLine& line : lines) replies.push_back(std::move(line.reply));
    return replies;
}

}  // namespace klp
