// Runs for people elsewhere (klp serve): each one is a Run here, whose events are kept for a while as the frames of wire.h, so that a line that is lost costs
// nothing of an answer. Whoever opened a run commands it; others may watch. Any thread.
//
//   RunHost host([&] { return std::make_unique<LiveRun>(...); });
//   auto opened = host.open();                                  // {id, secret, card}
//   host.command(opened->id, opened->secret, frames);
//   auto line = host.listen(opened->id, /*after=*/0);
//   std::string frames = line->next(std::chrono::seconds(1));   // until line->over()
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/runs/run.h"

namespace klp {

struct RunHostOptions {
    size_t most = 4;                              // runs at once
    std::chrono::milliseconds alone{300'000};     // that a run lives after its last line
    size_t readings = 64 << 20, text = 64 << 20;  // bytes that are kept of each run
    size_t behind = 32 << 20;                     // bytes of readings that a line may be behind, before it loses some
};

// Why a host does not do what it is asked.
struct Declined : Error {
    enum class Why : uint8_t {
        full,       // as many runs as may be, or the host is ending
        unknown,    // no such run
        not_yours,  // a wrong secret
        past,       // what is asked for is not kept any more
        malformed
    } why{};
};
template <class T>
using Hosting = tl::expected<T, Declined>;

class RunHost {
public:
    // `make`: a run that is loading its model.
    using Make = std::function<std::unique_ptr<Run>()>;
    explicit RunHost(Make make, const RunHostOptions& options = {});
    ~RunHost();
    RunHost(const RunHost&) = delete;

    struct Opened {
        std::string id, secret;
        std::shared_ptr<const RunCard> card;
    };
    // Waits for the model.
    Hosting<Opened> open();
    std::shared_ptr<const RunCard> card(const std::string& id) const;  // null: no such run
    // Whole frames of commands, in order; those whose number was seen are passed over. Of what is refused none is done.
    Hosting<void> command(const std::string& id, const std::string& secret, std::string_view frames);
    Hosting<void> end(const std::string& id, const std::string& secret);

    struct Listed {
        std::string id, name;
        int64_t lines = 0, tokens = 0, idle_ms = 0;  // who listens; of its sequence; since its last event
    };
    std::vector<Listed> list() const;

    struct Hosted;
    class Line {  // of one listener
    public:
        ~Line();
        // What is new, some MiB at most, or after `wait` a frame that only says that the line is there. Empty: it is over.
        std::string next(std::chrono::milliseconds wait);

    private:
        friend class RunHost;
        Line(std::shared_ptr<Hosted> run, int64_t after, bool own);
        std::shared_ptr<Hosted> run_;
        int64_t at_ = 0, lost_ = 0;  // events that were told; readings that were not
        bool over_ = false, own_ = false;
    };
    // `after`: the number of the last event that is there already; 0: from the first that is kept. With the secret the line keeps the run alive.
    Hosting<std::unique_ptr<Line>> listen(const std::string& id, int64_t after, const std::string& secret = {});
    void leave();  // ends all lines; nothing is opened any more

private:
    std::shared_ptr<Hosted> find(const std::string& id) const;
    void reap(std::chrono::milliseconds alone);
    const Make make_;
    const RunHostOptions options_;
    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::map<std::string, std::shared_ptr<Hosted>> runs_;
    bool leaves_ = false;
    size_t opening_ = 0;
};

}  // namespace klp
