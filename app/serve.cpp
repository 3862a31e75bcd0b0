// klp serve: OpenAI's API over HTTP, for as many at once as --parallel says.
#include <arpa/inet.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/opener.h"
#include "app/run_service.h"
#include "core/serve/batch.h"
#include "core/serve/openai.h"
#include "core/serve/secret.h"

namespace klp {

namespace {

using openai::ApiError;
using openai::Request;
using openai::Served;
using openai::Telling;

constexpr size_t kBody = 32 << 20;                      // bytes
constexpr int64_t kRunSnapshots = 256 << 20;            // bytes, of each run
constexpr size_t kConnections = 1500;                   // with a thread each; others wait
constexpr auto kLook = std::chrono::milliseconds(200);  // how often who waits for a token looks whether somebody still listens

// From the batch's thread to that of a connection.
struct Channel {
    struct Token {
        int32_t id;
        float probability;
        std::vector<Candidate> top;
    };
    std::mutex mutex;
    std::condition_variable news;
    std::deque<Token> tokens;
    bool over = false;
    Result<Generation> how = Generation{};
    int64_t cached = 0;

    void push(const TokenEvent& e) {
        {
            const std::lock_guard lock(mutex);
            tokens.push_back({e.id, e.probability, {e.top.begin(), e.top.end()}});
        }
        news.notify_one();
    }
    void end(const Result<Generation>& result, int64_t from_snapshot) {
        {
            const std::lock_guard lock(mutex);
            over = true, how = result, cached = from_snapshot;
        }
        news.notify_one();
    }
};

// One request on its way, kept by the connection that tells it.
struct OpenRequest {
    Request request;
    std::shared_ptr<Channel> channel = std::make_shared<Channel>();
    Batch::Job job;
    std::unique_ptr<Telling> telling;

    ~OpenRequest() {
        if (job) *job = true;
    }
    // Waits for news, at most kLook; false: there were none.
    bool wait(std::deque<Channel::Token>& tokens, bool& over) {
        std::unique_lock lock(channel->mutex);
        channel->news.wait_for(lock, kLook, [&] { return !channel->tokens.empty() || channel->over; });
        tokens.swap(channel->tokens);
        over = channel->over;
        return !tokens.empty() || over;
    }
    // Why there is no whole answer, if there is none. Nobody but this server, when it ends, breaks off one that is still listened to.
    std::optional<ApiError> trouble() const;
};

ApiError of_engine(const Error& error) { return {error.kind == Error::usage ? 400 : error.kind == Error::device ? 503 : 500, error.message}; }

std::optional<ApiError> OpenRequest::trouble() const {
    if (!channel->how) return of_engine(channel->how.error());
    if (channel->how->end == Generation::End::cancelled && !telling->stopped()) return ApiError{503, "this server is ending; the answer was broken off"};
    return {};
}

// A thread for each connection, made when the first one comes that no thread is free for: a thousand that say nothing keep nobody waiting.
class Threads final : public httplib::TaskQueue {
public:
    using Taken = decltype(std::declval<httplib::TaskQueue&>().enqueue({}));  // nothing, or with newer libraries whether it was: bool

    Taken enqueue(std::function<void()> connection) override {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(connection));
        if (free_ < waiting_.size() && threads_.size() < kConnections) threads_.emplace_back([this] { work(); });
        news_.notify_one();
        return Taken(true);
    }
    void shutdown() override {
        {
            const std::lock_guard lock(mutex_);
            ends_ = true;
        }
        news_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            ++free_;
            news_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
            --free_;
            if (ends_) return;
            const std::function<void()> connection = std::move(waiting_.front());
            waiting_.pop_front();
            lock.unlock();
            connection();
            lock.lock();
        }
    }
    std::mutex mutex_;
    std::condition_variable news_;
    std::deque<std::function<void()>> waiting_;
    std::vector<std::thread> threads_;
    size_t free_ = 0;
    bool ends_ = false;
};

// Who has asked. The library tells nobody its sockets, so this one is found by the ports at its ends.
class Client {
public:
    explicit Client(const httplib::Request& request) {
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", none)) {
            const int fd = std::atoi(entry.path().filename().c_str());
            if (port<getpeername>(fd) == request.remote_port && port<getsockname>(fd) == request.local_port) fd_ = fd;
        }
    }
    bool gone() const {
        pollfd look{fd_, POLLRDHUP, 0};  // an fd below 0 is not looked at
        return poll(&look, 1, 0) > 0;
    }

private:
    template <int (*end)(int, sockaddr*, socklen_t*)>
    static int port(int fd) {
        sockaddr_storage at{};
        socklen_t size = sizeof at;
        if (end(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) return 0;
        return ntohs(at.ss_family == AF_INET    ? reinterpret_cast<sockaddr_in&>(at).sin_port
                     : at.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(at).sin6_port
                                                : 0);
    }
    int fd_ = -1;
};

class Service {
public:
    Service(Served served, std::shared_ptr<const Model> model, const BatchOptions& options, std::string key, RunHost::Make runs)
        : served_(std::move(served)), key_(std::move(key)), batch_(std::move(model), options), runs_(std::move(runs)) {
        server_.new_task_queue = [] { return new Threads; };
        server_.set_socket_options([this](auto socket) {  // the library's own would let two programs have one port
            socket_ = socket;
            const int yes = 1;
            setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        });
        server_.set_payload_max_length(kBody);
        server_.set_read_timeout(30, 0);
        server_.set_write_timeout(30, 0);
        server_.set_keep_alive_timeout(5);
        server_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
            if (!response.body.empty()) return;
            const char* what = response.status == 404   ? "there is nothing at this path and method"
                               : response.status == 413 ? "the body is larger than this server takes"
                                                        : "the request could not be read";
            set(response, {response.status, what + (response.status == 404 ? ": " + one_line(request.method + " " + request.path) : "")});
        });
        server_.set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
            set(response, {500, "the server met an error that it does not know"});
        });
        server_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
            if (key_.empty() || request.path == "/health" || same_secret(request.get_header_value("Authorization"), "Bearer " + key_))
                return httplib::Server::HandlerResponse::Unhandled;
            set(response, {401, "a key is needed here: Authorization: Bearer ..."});
            return httplib::Server::HandlerResponse::Handled;
        });
        server_.Get("/health", [](const httplib::Request&, httplib::Response& response) { response.set_content("{\"status\":\"ok\"}", "application/json"); });
        server_.Get("/v1/models",
                    [this](const httplib::Request&, httplib::Response& response) { response.set_content(openai::models_body(served_), "application/json"); });
        server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) { response.set_content(metrics(), "text/plain; version=0.0.4"); });
        server_.Post("/tokenize", [this](const httplib::Request& request, httplib::Response& response) {
            const auto body = openai::tokenize_body(request.body, served_);
            if (!body) return set(response, body.error());
            response.set_content(*body, "application/json");
        });
        server_.Post("/v1/chat/completions", [this](const httplib::Request& request, httplib::Response& response) {
            answer(openai::parse_chat_request(request.body, served_), Client(request), response);
        });
        server_.Post("/v1/completions", [this](const httplib::Request& request, httplib::Response& response) {
            answer(openai::parse_completion_request(request.body, served_), Client(request), response);
        });
        serve_runs(server_, runs_);
    }

    // -1: the port cannot be had.
    int bind(const std::string& host, int port) {
        const int got = port == 0 ? server_.bind_to_any_port(host.c_str()) : server_.bind_to_port(host.c_str(), port) ? port : -1;
        if (got >= 0) ::listen(socket_, SOMAXCONN);  // the library lets five wait to be accepted: of many at once the others would try again seconds later
        return got;
    }
    void listen() { server_.listen_after_bind(); }
    void stop() {
        runs_.leave();
        server_.stop();
        batch_.leave();
    }

private:
    static void set(httplib::Response& response, const ApiError& error) {
        response.status = error.status;
        if (error.status == 401) response.set_header("WWW-Authenticate", "Bearer");
        if (error.status == 503) response.set_header("Retry-After", "1");
        response.set_content(error.text(), "application/json");
    }

    void answer(openai::Answered<Request> request, const Client& client, httplib::Response& response) {
        if (!request) return set(response, request.error());
        auto talk = std::make_shared<OpenRequest>();
        talk->request = std::move(*request);
        talk->telling = std::make_unique<Telling>(served_, talk->request);
        BatchRequest batch = talk->request.batch;
        batch.on_token = [channel = talk->channel](const TokenEvent& e) { return channel->push(e), true; };
        batch.on_end = [channel = talk->channel](const Result<Generation>& how, int64_t cached) { channel->end(how, cached); };
        auto job = batch_.submit(std::move(batch));
        if (!job) return set(response, of_engine(job.error()));
        talk->job = std::move(*job);

        // Until the first token an error still has a status of its own.
        std::deque<Channel::Token> tokens;
        bool over = false;
        while (!talk->wait(tokens, over))
            if (client.gone()) return set(response, {503, "nobody listens"});
        if (over && tokens.empty() && talk->trouble()) return set(response, *talk->trouble());
        auto first = std::make_shared<std::deque<Channel::Token>>(std::move(tokens));
        const bool stream = talk->request.stream;
        // Both kinds of answers go by pieces, so that one that nobody listens to any more is noticed and broken off.
        response.set_chunked_content_provider(
            stream ? "text/event-stream" : "application/json",
            [talk, first, over, client](size_t, httplib::DataSink& sink) mutable { return !client.gone() && tell(*talk, *first, over, sink); });
    }

    // Some tokens more; false: nobody listens.
    static bool tell(OpenRequest& talk, std::deque<Channel::Token>& tokens, bool& over, httplib::DataSink& sink) {
        if (tokens.empty() && !over && !talk.wait(tokens, over)) return sink.is_writable();
        std::string out;
        for (const Channel::Token& t : tokens) out += talk.telling->token(t.id, t.probability, t.top);
        tokens.clear();
        const bool done = over || talk.telling->stopped();
        if (done) {
            const Generation::End end = talk.channel->how ? talk.channel->how->end : Generation::End::cancelled;
            if (const auto trouble = over ? talk.trouble() : std::nullopt)
                out = talk.request.stream ? out + "data: " + trouble->text() + "\n\n" : trouble->text();
            else
                out += talk.request.stream ? talk.telling->last_pieces(end, talk.channel->cached) : talk.telling->whole(end, talk.channel->cached);
        }
        if (!out.empty() && !sink.write(out.data(), out.size())) return false;
        if (done) sink.done();
        return sink.is_writable() || done;
    }

    std::string metrics() const {
        const BatchFigures f = batch_.figures();
        std::string out;
        const auto add = [&](const char* name, const char* kind, const char* help, double value) {
            out += std::string("# HELP klp_") + name + " " + help + "\n# TYPE klp_" + name + " " + kind + "\nklp_" + name + " " + nlohmann::json(value).dump() +
                   "\n";
        };
        const auto total = [&](const char* name, const char* help, int64_t value) { add(name, "counter", help, double(value)); };
        const auto now = [&](const char* name, const char* help, int64_t value) { add(name, "gauge", help, double(value)); };
        total("prompt_tokens_total", "Prompt tokens that were fed.", f.prompt_tokens);
        total("cached_tokens_total", "Prompt tokens that came from a snapshot instead.", f.cached_tokens);
        total("generated_tokens_total", "Tokens of answers.", f.generated_tokens);
        total("requests_finished_total", "Requests that were answered.", f.finished);
        total("requests_broken_off_total", "Requests whose client went away.", f.broken_off);
        total("requests_failed_total", "Requests that met an error of the model.", f.failed);
        total("passes_total", "Forward passes.", f.passes);
        add("pass_seconds_total", "counter", "Time in forward passes.", double(f.pass_ns) / 1e9);
        now("requests_running", "Requests that are answered now.", f.running);
        now("requests_waiting", "Requests behind them.", f.waiting);
        now("state_bytes", "KDA states and convolution tails of running sequences.", f.state_bytes);
        now("cache_bytes", "Latent caches of running sequences.", f.cache_bytes);
        now("snapshots", "States kept for prompts to come.", f.snapshots);
        now("snapshot_bytes", "Their size.", f.snapshot_bytes);
        return out;
    }

    const Served served_;
    int socket_ = -1;
    const std::string key_;
    Batch batch_;
    RunHost runs_;
    httplib::Server server_;
};

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

}  // namespace

int serve_command(const ServeFlags& flags, Terminal& terminal) {
    std::string key;
    if (!flags.api_key_file.empty()) {
        auto text = read_named(flags.api_key_file, 4096);
        if (!text) return report(text.error());
        key = *text;
        while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) key.pop_back();
        if (key.empty()) return report({Error::usage, flags.api_key_file + " holds no key"});
    }
    if (key.empty() && !is_loopback(flags.host))
        return report(
            {Error::usage, flags.host + " can be reached from elsewhere, and nothing would be asked of whoever comes: give a key, --api-key-file FILE"});
    EngineOptions options = flags.engine;
    options.context = flags.context > 0 ? flags.context : options.context;
    auto engine = open_engine(options, terminal);
    if (!engine) return report(engine.error());
    if (auto known = check_template(engine->checkpoint, !options.chat_template.empty()); !known) return report(known.error());
    const auto tokenizer = need_tokenizer(engine->checkpoint);
    if (!tokenizer) return report(tokenizer.error());
    auto turn = turn_tokens(**tokenizer, engine->config());
    if (!turn) return report(turn.error());
    note_context("-c", flags.context, engine->config().model_max_length);

    Served served{.name = engine->name, .tokenizer = *tokenizer, .turn = std::move(*turn), .created = std::time(nullptr)};
    served.budget = 2048, served.config = engine->config();
    read_generation_defaults(engine->checkpoint.folder, served.sampling, served.budget);
    // A CPU's weights lie in files that are mapped, so every run has threads of its own; a GPU's are shared, and who uses them takes turns.
    const bool shared = engine->backend->free_bytes() >= 0;
    const auto turns = shared ? std::make_shared<Turns>() : nullptr;
    const BatchOptions batch{.parallel = flags.parallel, .context = flags.context, .turns = turns};
    const Opener open = [&engine, &options, shared](const LoadModel& what, const LoadOptions& load) -> Result<OpenedModel> {
        if (shared) return opened_model(engine->checkpoint, engine->backend, engine->model, what.context);
        auto backend = make_backend(engine->backend->info().name, options.threads);
        if (!backend) return tl::unexpected(backend.error());
        auto model = Model::load(*backend, engine->checkpoint.config, engine->checkpoint.source, load);
        if (!model) return tl::unexpected(model.error());
        return opened_model(engine->checkpoint, *backend, std::move(*model), what.context);
    };
    const RunHost::Make runs = [&] {
        auto run = std::make_unique<LiveRun>(open, turns);
        run->post(LoadModel{.context = flags.context, .snapshot_budget = kRunSnapshots});
        return run;
    };
    const int64_t most = engine->config().model_max_length;
    served.context = flags.context > 0 ? std::min(flags.context, most) : most;
    Service service(std::move(served), engine->model, batch, std::move(key), runs);
    const int port = service.bind(flags.host, flags.port);
    if (port < 0)
        return report({Error::failure, "cannot listen on " + flags.host + ":" + std::to_string(flags.port) +
                                           ": another program has this port, or it is not this user's to take"});
    std::thread listener([&] { service.listen(); });
    note("klp: serving " + engine->name + " at http://" + flags.host + ":" + std::to_string(port) + "/v1, " + std::to_string(flags.parallel) +
         " at once; Ctrl-C ends it");
    while (!g_interrupted) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    service.stop();
    listener.join();
    note("klp: ended");
    return g_ended ? 0 : Error::interrupted;
}

}  // namespace klp
