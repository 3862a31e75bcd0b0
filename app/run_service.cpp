#include "app/run_service.h"

#include <httplib.h>

#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/runs/wire.h"
#include "core/serve/openai.h"

namespace klp {

namespace {

using openai::ApiError;

constexpr auto kAlive = std::chrono::milliseconds(3000);  // between two signs of life on a line that has no news

void refuse(httplib::Response& response, const ApiError& error) {
    response.status = error.status;
    if (error.status == 503) response.set_header("Retry-After", "1");
    response.set_content(error.text(), "application/json");
}

ApiError of_host(const Declined& declined) {
    switch (declined.why) {
        case Declined::Why::unknown:
            return {404, declined.message};
        case Declined::Why::not_yours:
            return {403, declined.message};
        case Declined::Why::past:
            return {410, declined.message};
        case Declined::Why::full:
            return {declined.kind == Error::device ? 503 : 400, declined.message};
        case Declined::Why::malformed:
            return {400, declined.message};
    }
    return {500, declined.message};
}

}  // namespace

void serve_runs(httplib::Server& server, RunHost& host) {
    const auto route = [](auto handler) {
        return [handler](const httplib::Request& request, httplib::Response& response) {
            const std::string version = request.get_header_value(kWireHeader), ours = std::to_string(kWireVersion);
            if (version.empty()) return refuse(response, {400, std::string("a header is missing: ") + kWireHeader + ": " + ours});
            if (version != ours)
                return refuse(response,
                              {400, "this server speaks version " + ours + " of the run protocol, and whoever asks version " + version.substr(0, 20)});
            handler(request, response);
        };
    };
    server.Get("/run", route([&](const httplib::Request&, httplib::Response& response) {
                   nlohmann::json runs = nlohmann::json::array();
                   for (const RunHost::Listed& r : host.list())
                       runs.push_back({{"run", r.id}, {"model", r.name}, {"lines", r.lines}, {"tokens", r.tokens}, {"idle_seconds", double(r.idle_ms) / 1000}});
                   response.set_content(nlohmann::json{{"protocol", kWireVersion}, {"runs", runs}}.dump(), "application/json");
               }));
    server.Post(
        "/run", route([&](const httplib::Request&, httplib::Response& response) {
            const auto opened = host.open();
            if (!opened) return refuse(response, of_host(opened.error()));
            const nlohmann::json out{
                {"protocol", kWireVersion}, {"run", opened->id}, {"secret", opened->secret}, {"card", nlohmann::json::parse(card_on_wire(*opened->card))}};
            response.set_content(out.dump(), "application/json");
        }));
    const auto with_card = [&host](const httplib::Request& request, httplib::Response& response) {
        auto card = host.card(request.matches[1]);
        if (!card) refuse(response, {404, "there is no run of this name here"});
        return card;
    };
    server.Get("/run/([0-9a-f]+)", route([with_card](const httplib::Request& request, httplib::Response& response) {
                   if (const auto card = with_card(request, response)) response.set_content(card_on_wire(*card), "application/json");
               }));
    server.Get("/run/([0-9a-f]+)/tokens", route([with_card](const httplib::Request& request, httplib::Response& response) {
                   if (const auto card = with_card(request, response)) response.set_content(words_on_wire(*card->tokenizer), kWireType);
               }));
    server.Post("/run/([0-9a-f]+)/commands", route([&](const httplib::Request& request, httplib::Response& response) {
                    const auto done = host.command(request.matches[1], request.get_header_value(kSecretHeader), request.body);
                    if (!done) return refuse(response, of_host(done.error()));
                    response.set_content("{}", "application/json");
                }));
    server.Post("/run/([0-9a-f]+)/end", route([&](const httplib::Request& request, httplib::Response& response) {
                    const auto done = host.end(request.matches[1], request.get_header_value(kSecretHeader));
                    if (!done) return refuse(response, of_host(done.error()));
                    response.set_content("{}", "application/json");
                }));
    server.Get("/run/([0-9a-f]+)/events", route([&](const httplib::Request& request, httplib::Response& response) {
                   const std::string said = request.get_param_value("after");
                   int64_t after = 0;
                   if (std::from_chars(said.data(), said.data() + said.size(), after).ptr != said.data() + said.size())
                       return refuse(response, {400, "after is not the number of an event"});
                   auto line = host.listen(request.matches[1], after, request.get_header_value(kSecretHeader));
                   if (!line) return refuse(response, of_host(line.error()));
                   const std::shared_ptr<RunHost::Line> told = std::move(*line);
                   // One frame at once, so that whoever connects knows that the line stands.
                   response.set_chunked_content_provider(kWireType, [told, first = true](size_t, httplib::DataSink& sink) mutable {
                       const std::string frames = told->next(std::exchange(first, false) ? std::chrono::milliseconds(0) : kAlive);
                       if (frames.empty()) return sink.done(), true;
                       return sink.write(frames.data(), frames.size()) && sink.is_writable();
                   });
               }));
}

}  // namespace klp
