#include "core/runs/remote_run.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/files/json.h"
#include "core/runs/event_fields.h"
#include "core/runs/wire.h"

namespace klp {

namespace {

constexpr int64_t kSilence = 10;                   // s: a line that does not even say that it is there is dead
constexpr int kLongestPause = 4000, kPause = 200;  // ms between two attempts
constexpr int64_t kMostWaiting = 4096;             // readings of a screen that does not draw
constexpr std::string_view kFolder = "klp serve at ";

HttpRequest request_of(const Server& server, const std::string& path) {
    return {.url = server.url + "/run" + path, .key = server.key, .headers = {std::string(kWireHeader) + ": " + std::to_string(kWireVersion)}};
}

std::string place_of(const Server& server) { return server.url.substr(server.url.find("//") + 2); }

// What a reply that is none says, as one sentence.
Error trouble_of(const Server& server, const HttpReply& reply) {
    const std::string at = place_of(server);
    if (reply.status == 0) return {Error::failure, at + " does not answer (" + reply.trouble + "); is a klp serve running there?"};
    std::string said;
    if (const auto json = parse_json(reply.body, at); json && json->is_object())
        if (const auto error = json->find("error"); error != json->end() && error->is_object())
            if (const auto message = error->find("message"); message != error->end() && message->is_string()) said = message->get<std::string>();
    if (reply.status == 401)
        return {Error::usage,
                at + " wants a key" + (server.key.empty() ? ", and " + server.key_variable + " has none" : ", and not the one in " + server.key_variable)};
    if (reply.status == 404 && !said.starts_with("there is no run"))
        return {Error::failure, at + " does not speak the run protocol: it is no klp serve, or an older one"};
    if (!said.empty()) return {Error::failure, at + ": " + in_quotes(said).substr(1, in_quotes(said).size() - 2)};
    if (!reply.trouble.empty()) return {Error::failure, at + ": " + reply.trouble};
    return {Error::failure, at + " answers with status " + std::to_string(reply.status)};
}

Result<HttpReply> ask_once(const Server& server, const HttpRequest& request, const std::atomic<bool>* cancel) {
    auto replies = http({&request, 1}, cancel);
    if (!replies) return tl::unexpected(replies.error());
    HttpReply& reply = replies->front();
    if (reply.status != 200 || !reply.trouble.empty()) return tl::unexpected(trouble_of(server, reply));
    return std::move(reply);
}

}  // namespace

struct RemoteRun::Wire {
    WireReader reader;
    std::string trouble;  // what came is no event
};

Result<Server> engine_at(const std::string& at, const std::string& key_variable) {
    std::string url = at.find("://") == at.npos ? "http://" + at : at;
    while (url.ends_with('/')) url.pop_back();
    if (url.ends_with("/v1")) url.erase(url.size() - 3);
    auto server = server_at(url, key_variable);
    if (!server) {
        Error error = server.error();
        if (error.message.starts_with("--url: ")) error.message = in_quotes(at) + " is no place of a klp serve, such as gpu:8080 or https://gpu:8080";
        return tl::unexpected(error);
    }
    const size_t host = url.find("//") + 2;
    if (url.find('/', host) != url.npos || (url.starts_with("http://") && url.find(':', host) == url.npos))
        return fail(Error::usage, in_quotes(at) + " is no place of a klp serve, such as gpu:8080 or https://gpu:8080");
    return server;
}

std::string remote_at(const RunCard& card) { return card.folder.starts_with(kFolder) ? card.folder.substr(kFolder.size()) : ""; }

Result<RemoteOpened> open_remote(const Server& server, const std::atomic<bool>* cancel, const std::string& watch) {
    RemoteOpened out;
    const std::string at = place_of(server);
    HttpRequest ask = request_of(server, watch.empty() ? "" : "/" + watch);
    if (watch.empty()) ask.body = "{}";
    ask.silence_s = 600;  // it loads the model
    auto page = ask_once(server, ask, cancel);
    if (!page) return tl::unexpected(page.error());
    std::string card_text = page->body;
    out.id = watch;
    if (watch.empty()) {
        const auto json = parse_json(page->body, at);
        const auto text_of = [&](const char* key) {
            const auto it = json->find(key);
            return it != json->end() && it->is_string() ? it->get<std::string>() : std::string();
        };
        if (!json || !json->is_object() || text_of("run").empty()) return fail(Error::failure, at + " does not speak the run protocol");
        out.id = text_of("run"), out.secret = text_of("secret");
        if (const auto card = json->find("card"); card != json->end()) card_text = card->dump();
        if (std::any_of(out.id.begin(), out.id.end(), [](char c) { return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')); }))
            return fail(Error::failure, at + " does not speak the run protocol");
    }
    auto card = card_of_wire(card_text, at);
    if (!card) return tl::unexpected(card.error());
    const auto words = ask_once(server, request_of(server, "/" + out.id + "/tokens"), cancel);
    if (!words) return tl::unexpected(words.error());
    auto tokenizer = words_of_wire(words->body, at);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    (*card)->tokenizer = std::make_shared<const Tokenizer>(std::move(*tokenizer));
    (*card)->folder = std::string(kFolder) + at;
    out.card = std::move(*card);
    return out;
}

Result<std::vector<RemoteListed>> remote_runs(const Server& server, const std::atomic<bool>* cancel) {
    const auto page = ask_once(server, request_of(server, ""), cancel);
    if (!page) return tl::unexpected(page.error());
    const auto json = parse_json(page->body, place_of(server));
    std::vector<RemoteListed> out;
    if (!json || !json->is_object() || !json->contains("runs") || !(*json)["runs"].is_array())
        return fail(Error::failure, place_of(server) + " does not speak the run protocol");
    for (const auto& one : (*json)["runs"])
        if (one.is_object() && one.contains("run") && one["run"].is_string())
            out.push_back({one["run"].get<std::string>(), one.contains("model") && one["model"].is_string() ? one["model"].get<std::string>() : "",
                           one.contains("lines") && one["lines"].is_number_integer() ? one["lines"].get<int64_t>() : 0,
                           one.contains("tokens") && one["tokens"].is_number_integer() ? one["tokens"].get<int64_t>() : 0});
    return out;
}

Result<EngineLine> engine_line(const std::string& at, const std::string& ssh, const std::string& key_variable, const std::atomic<bool>* cancel) {
    auto server = engine_at(at, key_variable);
    if (!server) return tl::unexpected(server.error());
    EngineLine line{std::move(*server), nullptr, at};
    if (ssh.empty()) return line;
    if (!line.server.url.starts_with("http://")) return fail(Error::usage, in_quotes(at) + ": through ssh it is HOST:PORT, such as 127.0.0.1:8080");
    auto tunnel = SshTunnel::open(ssh, place_of(line.server), cancel);
    if (!tunnel) return tl::unexpected(tunnel.error());
    line.server.url = "http://127.0.0.1:" + std::to_string((*tunnel)->port());
    line.called = at + " of " + ssh;
    line.tunnel = std::move(*tunnel);
    return line;
}

Result<std::unique_ptr<Run>> open_remote(const EngineLine& line, const std::atomic<bool>* cancel, std::shared_ptr<const RunCard>* card,
                                         const std::string& watch) {
    auto opened = open_remote(line.server, cancel, watch);
    if (!opened) return tl::unexpected(opened.error());
    auto named = std::make_shared<RunCard>(*opened->card);
    named->folder = std::string(kFolder) + line.called;
    opened->card = std::move(named);
    if (card) *card = opened->card;
    return std::unique_ptr<Run>(std::make_unique<RemoteRun>(line.server, std::move(*opened), line.tunnel));
}

RemoteRun::RemoteRun(Server server, RemoteOpened opened, std::shared_ptr<SshTunnel> tunnel)
    : server_(std::move(server)), tunnel_(std::move(tunnel)), wire_(std::make_unique<Wire>()), opened_(std::move(opened)) {
    events_.push_back(Loaded{opened_.card});
    events_.push_back(PhaseChanged{Phase::ready});
    speaker_ = std::jthread([this](std::stop_token stop) { speak(stop); });
    listener_ = std::jthread([this](std::stop_token stop) { listen(stop); });
}

RemoteRun::~RemoteRun() {
    leaves_ = true;
    speaker_.request_stop(), listener_.request_stop();
    wake_.notify_all();
    speaker_.join(), listener_.join();
    if (opened_.secret.empty() || lost_) return;
    HttpRequest end = request_of(server_, "/" + opened_.id + "/end");
    end.body = "{}", end.headers.push_back(std::string(kSecretHeader) + ": " + opened_.secret), end.silence_s = 1;
    (void)http({&end, 1}, nullptr);
}

void RemoteRun::tell(Event event) {
    const std::lock_guard lock(mutex_);
    if (std::holds_alternative<Readings>(event) && ++waiting_readings_ > kMostWaiting) {
        ++dropped_;
        return;
    }
    events_.push_back(std::move(event));
}

std::vector<Event> RemoteRun::drain() {
    const std::lock_guard lock(mutex_);
    waiting_readings_ = 0;
    if (dropped_ > 0) events_.push_back(EventsDropped{std::exchange(dropped_, 0)});
    return std::exchange(events_, {});
}

void RemoteRun::send(uint8_t kind, std::string fields) {
    commands_.push_back({kind, std::move(fields), ++said_});
    wake_.notify_all();
}

void RemoteRun::post(Command command) {
    if (std::holds_alternative<UnloadModel>(command)) {
        const std::lock_guard lock(mutex_);
        leaves_ = unloaded_ = true;  // the run there ends with this object
        events_.push_back(Unloaded{});
        events_.push_back(PhaseChanged{Phase::empty});
        return wake_.notify_all();
    }
    const auto* ask = std::get_if<MakeAnswer>(&command);
    if (std::holds_alternative<LoadModel>(command))
        return tell(Trouble{
            {Error::usage, "the engine is elsewhere, and its model is the one that it was started with"}, "Start klp serve there with another one.", -1});
    const std::lock_guard lock(mutex_);
    if (unloaded_) {
        events_.push_back(Trouble{{Error::usage, "no model is loaded"}, "Load one first.", ask ? ask->answer : -1});
        return;
    }
    if (opened_.secret.empty()) {  // who watches asks for nothing
        if (const auto* again = std::get_if<Retrace>(&command))
            events_.push_back(Retraced{Retraced::End::stopped, again->tokens});
        else if (const auto* apart = std::get_if<Compare>(&command))
            events_.push_back(Compared{apart->request, Retraced::End::stopped});
        else if (ask || std::holds_alternative<StartRace>(command) || std::holds_alternative<GoTo>(command))
            events_.push_back(Trouble{{Error::usage, "this run is only watched here"}, "Whoever opened it talks.", ask ? ask->answer : -1});
        return;
    }
    if (ask) answering_ = ask->answer;
    std::string fields;
    FieldWriter out(fields, opened_.card->shape, true);
    write_command(command, out);
    send(static_cast<uint8_t>(command.index()), std::move(fields));
}

void RemoteRun::cancel() {
    const std::lock_guard lock(mutex_);
    if (!opened_.secret.empty() && !unloaded_) send(wire_cancel, "");
}

void RemoteRun::watch(const Interest& interest) {
    const std::lock_guard lock(mutex_);
    if (interest == interest_) return;
    interest_ = interest;
    if (opened_.secret.empty() || unloaded_) return;
    std::string fields;
    FieldWriter out(fields, opened_.card->shape, true);
    write_interest(interest, out);
    send(wire_watch, std::move(fields));
}

bool RemoteRun::wait(std::stop_token stop, int attempt) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, std::chrono::milliseconds(std::min(kLongestPause, kPause << std::min(attempt, 6))), [&] { return leaves_.load(); });
    return !stop.stop_requested() && !leaves_;
}

// --- What is asked ------------------------------------------------------------------------------------------------------

void RemoteRun::speak(std::stop_token stop) {
    for (int attempt = 0;;) {
        HttpRequest request;
        int64_t last = 0;
        {
            std::unique_lock lock(mutex_);
            if (!wake_.wait(lock, stop, [&] { return !commands_.empty() || leaves_; }) || leaves_) return;
            request = request_of(server_, "/" + opened_.id + "/commands");
            request.headers.push_back(std::string(kSecretHeader) + ": " + opened_.secret);
            for (const Waiting& c : commands_) request.body += wire_frame(c.kind, c.number, 0, c.fields), last = c.number;
        }
        auto replies = http({&request, 1}, &leaves_);
        if (!replies) return;
        const HttpReply& reply = replies->front();
        if (reply.status == 200 || (reply.status != 0 && reply.status != 404 && reply.status < 500)) {
            if (reply.status != 200) tell(Trouble{trouble_of(server_, reply), "", -1});
            const std::lock_guard lock(mutex_);
            // Where the run began anew meanwhile they are there again, under other numbers.
            if (request.url.find(opened_.id) != std::string::npos)
                while (!commands_.empty() && commands_.front().number <= last) commands_.pop_front();
            attempt = 0;
            continue;
        }
        if (!wait(stop, attempt++)) return;  // the listener knows what is wrong with the line
    }
}

// --- What is told -------------------------------------------------------------------------------------------------------

void RemoteRun::lost(const std::string& why) {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(lost_, true)) return;
    }
    tell(Trouble{
        {Error::failure, "the line to " + place_of(server_) + " is lost: " + why}, "It is tried again, and the answer goes on where it stood.", -1, true});
}

bool RemoteRun::take(std::string_view bytes) {
    wire_->reader.push(bytes);
    for (;;) {
        const auto frame = wire_->reader.next();
        if (!frame) return wire_->trouble = frame.error().message, false;
        if (!*frame) return !leaves_;
        const WireFrame& f = **frame;
        std::shared_ptr<const RunCard> card;
        {
            const std::lock_guard lock(mutex_);
            lost_ = false;
            card = opened_.card;
            if (f.kind == wire_alive) continue;
            if (f.kind == wire_over) return wire_->trouble = "the run was ended there", false;
            const bool dropped = f.kind == Event(EventsDropped{}).index();
            if (f.number <= heard_ && !dropped) continue;
            heard_ = std::max(heard_, f.number);
        }
        FieldReader in(f.fields, card->shape, true);
        auto event = read_event(f.kind, in);
        if (!event) {
            if (f.kind < std::variant_size_v<Event>) return wire_->trouble = "an event says something impossible", false;
            continue;  // of a later minor addition
        }
        if (std::holds_alternative<Loaded>(*event) || std::holds_alternative<Unloaded>(*event) || std::holds_alternative<Loading>(*event))
            continue;  // said already
        if (const auto* phase = std::get_if<PhaseChanged>(&*event); phase && (phase->phase == Phase::loading || phase->phase == Phase::empty)) continue;
        {
            const std::lock_guard lock(mutex_);
            const auto* trouble = std::get_if<Trouble>(&*event);
            if (std::holds_alternative<AnswerDone>(*event) || (trouble && trouble->answer >= 0)) answering_ = -1;
        }
        tell(std::move(*event));
    }
}

void RemoteRun::listen(std::stop_token stop) {
    for (int attempt = 0; !stop.stop_requested() && !leaves_;) {
        HttpRequest request;
        int64_t before = 0;
        {
            const std::lock_guard lock(mutex_);
            before = heard_;
            request = request_of(server_, "/" + opened_.id + "/events?after=" + std::to_string(heard_));
            if (!opened_.secret.empty()) request.headers.push_back(std::string(kSecretHeader) + ": " + opened_.secret);
        }
        *wire_ = {};
        request.silence_s = kSilence, request.stream = kWireType;
        request.on_bytes = [&](std::string_view bytes) { return take(bytes); };
        auto replies = http({&request, 1}, &leaves_);
        if (!replies) return;
        const HttpReply& reply = replies->front();
        const bool gone = reply.status == 404 || reply.status == 410;
        if (gone || wire_->trouble == "the run was ended there") {
            begin_anew();
            {
                const std::lock_guard lock(mutex_);
                if (unloaded_) return;
            }
            attempt = 0;
        } else if (reply.status != 200 && reply.status != 0) {
            lost(trouble_of(server_, reply).message);
        } else {
            lost(!wire_->trouble.empty() ? wire_->trouble : !reply.trouble.empty() ? reply.trouble : "the server ended it");
        }
        {
            const std::lock_guard lock(mutex_);
            if (heard_ > before) attempt = 0;
        }
        if (!wait(stop, attempt++)) return;
        if (tunnel_) tunnel_->mend();
    }
}

// The server was started anew, or has let the run go: a new one is opened, which finds its memory by the tokens of what is asked next.
void RemoteRun::begin_anew() {
    bool watched = false;
    int answer = -1;
    {
        const std::lock_guard lock(mutex_);
        watched = opened_.secret.empty();
        answer = std::exchange(answering_, -1);
    }
    if (watched) {
        tell(Trouble{{Error::failure, "the run that was watched at " + place_of(server_) + " is over"}, "", -1});
        tell(Unloaded{}), tell(PhaseChanged{Phase::empty});
        const std::lock_guard lock(mutex_);
        unloaded_ = true;
        return;
    }
    Result<RemoteOpened> opened = open_remote(server_, &leaves_);
    if (opened) {  // it keeps the name that a person knows
        auto named = std::make_shared<RunCard>(*opened->card);
        named->folder = opened_.card->folder;
        opened->card = std::move(named);
    }
    if (!opened) lost(opened.error().message);
    const std::lock_guard lock(mutex_);
    if (!opened) {
        answering_ = answer;  // tried again
        return;
    }
    opened_ = std::move(*opened);
    events_.push_back(Trouble{{Error::failure, place_of(server_) + " has let go what it remembered: a new run was opened there"},
                              "What was said is kept; the next message rebuilds the memory.",
                              answer});
    events_.push_back(Loaded{opened_.card});
    events_.push_back(PhaseChanged{Phase::ready});
    // What it was asked for and has not heard is asked of the new one, but for the answer that was told to be over.
    std::deque<Waiting> again = std::exchange(commands_, {});
    heard_ = said_ = 0;
    lost_ = false;
    std::string fields;
    FieldWriter out(fields, opened_.card->shape, true);
    write_interest(interest_, out);
    send(wire_watch, std::move(fields));
    const auto make = static_cast<uint8_t>(Command(MakeAnswer{}).index());
    for (Waiting& c : again)
        if (c.kind != wire_watch && c.kind != make) send(c.kind, std::move(c.fields));
}

}  // namespace klp
