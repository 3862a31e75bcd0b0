// A run whose engine is a klp serve elsewhere (wire.h over HTTP): every command and event is as of one here. A line that is lost is made again, and what was
// said meanwhile is told then. Loading and unloading are not asked of the server: its model is its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/runs/run.h"
#include "core/serve/client.h"
#include "core/serve/tunnel.h"

namespace klp {

// "gpu:8080", "http://gpu:8080": the root of a klp serve, and its key as server_at() finds it.
Result<Server> engine_at(const std::string& at, const std::string& key_variable);

// The way to an engine: straight, or through ssh to a host that sees it at `at`.
struct EngineLine {
    Server server;
    std::shared_ptr<SshTunnel> tunnel;
    std::string called;  // "gpu:8080", "127.0.0.1:8080 of gpu"
};
Result<EngineLine> engine_line(const std::string& at, const std::string& ssh, const std::string& key_variable, const std::atomic<bool>* cancel);

struct RemoteOpened {
    std::string id, secret;  // secret: "" of a run that is only watched
    std::shared_ptr<const RunCard> card;
};
struct RemoteListed {
    std::string id, model;
    int64_t lines = 0, tokens = 0;
};
// A run of one's own there; with `watch` a look at one that is there. Waits; an error of kind interrupted after a cancel.
Result<RemoteOpened> open_remote(const Server& server, const std::atomic<bool>* cancel, const std::string& watch = {});
Result<std::unique_ptr<Run>> open_remote(const EngineLine& line, const std::atomic<bool>* cancel, std::shared_ptr<const RunCard>* card = nullptr,
                                         const std::string& watch = {});
Result<std::vector<RemoteListed>> remote_runs(const Server& server, const std::atomic<bool>* cancel);
// "gpu:8080" of a card that came over the wire, else "".
std::string remote_at(const RunCard& card);

class RemoteRun final : public Run {
public:
    RemoteRun(Server server, RemoteOpened opened, std::shared_ptr<SshTunnel> tunnel = nullptr);
    ~RemoteRun() override;  // ends the run there, if the line stands

    void post(Command command) override;
    void cancel() override;
    void watch(const Interest& interest) override;
    std::vector<Event> drain() override;

private:
    void listen(std::stop_token stop);
    void speak(std::stop_token stop);
    void tell(Event event);
    void lost(const std::string& why);
    void begin_anew();                             // the server does not know the run any more
    bool take(std::string_view bytes);             // false: these are no events
    void send(uint8_t kind, std::string fields);   // under mutex_
    bool wait(std::stop_token stop, int attempt);  // between two attempts

    const Server server_;
    const std::shared_ptr<SshTunnel> tunnel_;
    struct Wire;
    std::unique_ptr<Wire> wire_;  // what has come and is no whole frame; the listener's
    std::mutex mutex_;            // guards all that follows
    std::condition_variable_any wake_;
    RemoteOpened opened_;
    std::vector<Event> events_;
    struct Waiting {
        uint8_t kind;
        std::string fields;
        int64_t number;
    };
    std::deque<Waiting> commands_;
    Interest interest_;
    int64_t said_ = 0;   // the number of the last command
    int64_t heard_ = 0;  // of the last event
    int answering_ = -1;
    int64_t waiting_readings_ = 0, dropped_ = 0;
    bool lost_ = false, unloaded_ = false;
    std::atomic<bool> leaves_ = false;
    std::jthread speaker_, listener_;  // the last members: they must not outlive what they use
};

}  // namespace klp
