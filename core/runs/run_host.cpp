#include "core/runs/run_host.h"

#include <algorithm>
#include <deque>
#include <random>
#include <stop_token>
#include <thread>
#include <utility>

#include "core/runs/event_fields.h"
#include "core/runs/wire.h"
#include "core/serve/secret.h"
#include "core/system.h"

namespace klp {

namespace {

constexpr size_t kChunk = 1 << 20;                                  // bytes that are handed out at once, and one frame more
constexpr std::chrono::milliseconds kBusyPause(2), kRestPause(15);  // between two looks at a run
constexpr std::chrono::milliseconds kNewcomers(20'000);             // that a run without a line stays where somebody else wants its place
constexpr std::chrono::minutes kLongestLoad(10);
constexpr int64_t kMostSnapshots = 1 << 30;  // bytes of a run, whatever it is asked to keep

std::string random_hex(int digits) {
    std::random_device random;
    std::string out;
    for (int i = 0; i < digits; ++i) out += "0123456789abcdef"[random() % 16];
    return out;
}

}  // namespace

struct RunHost::Hosted {
    struct Kept {
        std::shared_ptr<const std::string> frame;  // null: a reading that was let go
        size_t before = 0;                         // bytes of readings that came before it, from the beginning
        bool reading = false;
    };
    Hosted(std::unique_ptr<Run> r, const RunHostOptions& o) : options(o), run(std::move(r)), thread([this](std::stop_token stop) { pump(stop); }) {}

    void pump(std::stop_token stop) {
        while (!stop.stop_requested()) {
            std::vector<Event> events = run->drain();
            std::vector<Kept> frames;
            const int64_t now = now_ns() - begun;
            for (Event& e : events) frames.push_back(keep(e, ++made, now));
            if (!frames.empty()) take(std::move(frames));
            std::this_thread::sleep_for(busy ? kBusyPause : kRestPause);
        }
    }
    // On the pump's thread alone.
    Kept keep(const Event& e, int64_t number, int64_t now) {
        if (const auto* loaded = std::get_if<Loaded>(&e)) {
            const std::lock_guard lock(mutex);
            card = loaded->card;
        }
        if (const auto* at = std::get_if<PhaseChanged>(&e)) busy = at->phase != Phase::ready && at->phase != Phase::empty;
        const std::lock_guard lock(mutex);
        if (const auto* trouble = std::get_if<Trouble>(&e); trouble && !card) failed = trouble->error;
        if (const auto* token = std::get_if<TokenMade>(&e)) tokens = token->position + 1;
        if (const auto* fed = std::get_if<PromptFed>(&e)) tokens = fed->first + static_cast<int64_t>(fed->ids.size());
        const auto* picture = std::get_if<StatePicture>(&e);
        static const TraceShape none;
        std::string fields;
        FieldWriter out(fields, card ? card->shape : none, true);
        write_event(e, out);
        return {std::make_shared<const std::string>(wire_frame(static_cast<uint8_t>(e.index()), number, now, fields)), 0,
                std::holds_alternative<Readings>(e) || (picture && !picture->past)};
    }
    void take(std::vector<Kept> frames) {
        {
            const std::lock_guard lock(mutex);
            for (Kept& k : frames) {
                k.before = all_readings;
                (k.reading ? all_readings : kept_text) += k.frame->size();
                if (k.reading) kept_readings += k.frame->size(), readings.push_back(first + static_cast<int64_t>(kept.size()));
                kept.push_back(std::move(k));
            }
            while (kept_readings > options.readings && !readings.empty()) {
                Kept& old = kept[static_cast<size_t>(readings.front() - first)];
                kept_readings -= old.frame->size();
                old.frame.reset();
                readings.pop_front();
            }
            while (kept_text > options.text && kept.size() > 1) {
                if (kept.front().frame && kept.front().reading)
                    kept_readings -= kept.front().frame->size(), readings.pop_front();
                else if (kept.front().frame)
                    kept_text -= kept.front().frame->size();
                kept.pop_front();
                ++first;
            }
            last_event = std::chrono::steady_clock::now();
        }
        news.notify_all();
    }

    const RunHostOptions options;
    const std::string id = random_hex(12), secret = random_hex(32);
    const int64_t begun = now_ns();
    const std::unique_ptr<Run> run;
    std::mutex mutex;  // guards all that follows
    std::condition_variable news;
    std::shared_ptr<const RunCard> card;
    std::optional<Error> failed;  // to load
    std::deque<Kept> kept;
    std::deque<int64_t> readings;  // their numbers, of those that are kept
    int64_t first = 1;             // number of kept.front()
    size_t kept_readings = 0, kept_text = 0, all_readings = 0;
    int64_t commanded = 0;  // the number of the last command
    int64_t tokens = 0;
    int lines = 0, own_lines = 0;
    bool over = false;
    std::chrono::steady_clock::time_point last_event = std::chrono::steady_clock::now(), last_seen = last_event;
    std::atomic<bool> busy = true;  // on the pump's thread
    int64_t made = 0;               // events; the same
    std::jthread thread;            // the last member: it must not outlive what it uses
};

RunHost::RunHost(Make make, const RunHostOptions& options) : make_(std::move(make)), options_(options) {}

RunHost::~RunHost() { leave(); }

void RunHost::leave() {
    std::map<std::string, std::shared_ptr<Hosted>> gone;
    {
        const std::lock_guard lock(mutex_);
        leaves_ = true;
        gone.swap(runs_);
    }
    for (const auto& [id, run] : gone) {
        run->run->cancel();
        const std::lock_guard lock(run->mutex);
        run->over = true;
        run->news.notify_all();
    }
}

// Those that nobody has asked for or listened to for so long.
void RunHost::reap(std::chrono::milliseconds alone) {
    std::vector<std::shared_ptr<Hosted>> gone;  // ended without the lock
    const std::lock_guard lock(mutex_);
    for (auto it = runs_.begin(); it != runs_.end();) {
        std::unique_lock own(it->second->mutex);
        const bool old = it->second->own_lines == 0 && std::chrono::steady_clock::now() - it->second->last_seen > alone;
        if (old) it->second->over = true, it->second->news.notify_all();
        own.unlock();
        if (old) {
            gone.push_back(std::move(it->second));
            it = runs_.erase(it);
        } else {
            ++it;
        }
    }
}

namespace {

using Why = Declined::Why;

tl::unexpected<Declined> refuse(Why why, Error::Kind kind, std::string message) { return tl::unexpected(Declined{{kind, std::move(message)}, why}); }
tl::unexpected<Declined> unknown() { return refuse(Why::unknown, Error::usage, "there is no run of this name here"); }
tl::unexpected<Declined> not_yours() { return refuse(Why::not_yours, Error::usage, "this run is commanded by whoever opened it"); }
tl::unexpected<Declined> ending() { return refuse(Why::full, Error::device, "this server is ending"); }

}  // namespace

Hosting<RunHost::Opened> RunHost::open() {
    const auto full = [&] {
        const std::lock_guard lock(mutex_);
        return runs_.size() + opening_ >= options_.most;
    };
    reap(options_.alone);
    if (full()) reap(std::min(options_.alone, kNewcomers));
    {
        const std::lock_guard lock(mutex_);
        if (leaves_) return ending();
        if (runs_.size() + opening_ >= options_.most)
            return refuse(Why::full, Error::device, std::to_string(options_.most) + " runs are open already, as many as may be");
        ++opening_;
    }
    const auto hosted = std::make_shared<Hosted>(make_(), options_);
    std::optional<Error> failed;
    {
        std::unique_lock lock(hosted->mutex);
        if (!hosted->news.wait_for(lock, kLongestLoad, [&] { return hosted->card || hosted->failed; }))
            failed = Error{Error::device, "the model does not load"};
        if (hosted->failed) failed = hosted->failed;
    }
    const std::lock_guard lock(mutex_);
    --opening_;
    if (failed) return refuse(Why::full, failed->kind, failed->message);
    if (leaves_) return ending();
    {
        const std::lock_guard own(hosted->mutex);
        hosted->last_seen = std::chrono::steady_clock::now();
    }
    runs_[hosted->id] = hosted;
    return Opened{hosted->id, hosted->secret, hosted->card};
}

std::shared_ptr<RunHost::Hosted> RunHost::find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto it = runs_.find(id);
    return it == runs_.end() ? nullptr : it->second;
}

std::shared_ptr<const RunCard> RunHost::card(const std::string& id) const {
    const auto run = find(id);
    if (!run) return nullptr;
    const std::lock_guard lock(run->mutex);
    return run->card;
}

Hosting<void> RunHost::command(const std::string& id, const std::string& secret, std::string_view frames) {
    const auto run = find(id);
    const std::shared_ptr<const RunCard> of = card(id);
    if (!run || !of) return unknown();
    if (!same_secret(run->secret, secret)) return not_yours();
    const auto bad = [] { return refuse(Why::malformed, Error::usage, "these are no commands of the run protocol"); };
    WireReader reader;
    reader.push(frames);
    struct Told {
        int64_t number;
        std::optional<Command> command;
        std::optional<Interest> interest;  // neither: cancel
    };
    std::vector<Told> told;
    for (;;) {
        auto frame = reader.next();
        if (!frame) return bad();
        if (!*frame) break;
        const WireFrame& f = **frame;
        Told one{f.number, {}, {}};
        FieldReader in(f.fields, of->shape, true);
        if (f.kind == wire_watch) {
            one.interest = read_interest(in);
            if (!one.interest) return bad();
        } else if (f.kind != wire_cancel) {
            one.command = read_command(f.kind, in);
            if (!one.command) return bad();
            if (auto* ask = std::get_if<MakeAnswer>(&*one.command)) ask->sampling = within_range(ask->sampling);
            if (auto* budget = std::get_if<SetSnapshotBudget>(&*one.command)) budget->bytes = std::min(budget->bytes, kMostSnapshots);
        }
        told.push_back(std::move(one));
    }
    if (!reader.empty()) return bad();
    const std::lock_guard lock(run->mutex);
    run->last_seen = std::chrono::steady_clock::now();
    for (Told& one : told) {
        if (one.number <= run->commanded) continue;
        run->commanded = one.number;
        if (one.command)
            run->run->post(std::move(*one.command)), run->busy = true;
        else if (one.interest)
            run->run->watch(*one.interest);
        else
            run->run->cancel();
    }
    return {};
}

Hosting<void> RunHost::end(const std::string& id, const std::string& secret) {
    const auto run = find(id);
    if (!run) return unknown();
    if (!same_secret(run->secret, secret)) return not_yours();
    {
        const std::lock_guard lock(mutex_);
        runs_.erase(id);
    }
    run->run->cancel();
    const std::lock_guard lock(run->mutex);
    run->over = true;
    run->news.notify_all();
    return {};
}

std::vector<RunHost::Listed> RunHost::list() const {
    std::vector<Listed> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, run] : runs_) {
        const std::lock_guard own(run->mutex);
        out.push_back({id, run->card->name, run->lines, run->tokens,
                       std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - run->last_event).count()});
    }
    return out;
}

Hosting<std::unique_ptr<RunHost::Line>> RunHost::listen(const std::string& id, int64_t after, const std::string& secret) {
    reap(options_.alone);
    auto run = find(id);
    if (!run) return unknown();
    if (!secret.empty() && !same_secret(run->secret, secret)) return not_yours();
    const bool own = !secret.empty();
    const std::lock_guard lock(run->mutex);
    const int64_t last = run->first + static_cast<int64_t>(run->kept.size()) - 1;
    if (after < 0 || after > last || (after > 0 && after + 1 < run->first))
        return refuse(Why::past, Error::usage, "what this run said after event " + std::to_string(after) + " is not kept");
    ++run->lines, run->own_lines += own;
    return std::unique_ptr<Line>(new Line(std::move(run), after, own));
}

RunHost::Line::Line(std::shared_ptr<Hosted> run, int64_t after, bool own) : run_(std::move(run)), at_(after), own_(own) {}

RunHost::Line::~Line() {
    const std::lock_guard lock(run_->mutex);
    --run_->lines, run_->own_lines -= own_;
    run_->last_seen = std::chrono::steady_clock::now();
}

std::string RunHost::Line::next(std::chrono::milliseconds wait) {
    Hosted& run = *run_;
    std::unique_lock lock(run.mutex);
    const auto last = [&] { return run.first + static_cast<int64_t>(run.kept.size()) - 1; };
    run.news.wait_for(lock, wait, [&] { return run.over || last() > at_; });
    if (over_) return {};
    const int64_t now = now_ns() - run.begun;
    if (run.over) {
        over_ = true;
        return wire_frame(wire_over, at_, now, "the run was ended");
    }
    std::string out;
    at_ = std::max(at_, run.first - 1);  // text that is kept no more is more than anybody is behind
    while (at_ < last() && out.size() < kChunk) {
        const Hosted::Kept& k = run.kept[static_cast<size_t>(at_ + 1 - run.first)];
        ++at_;
        if (k.reading && (!k.frame || run.all_readings - k.before > run.options.behind)) {
            ++lost_;
            continue;
        }
        if (lost_ > 0) {
            static const TraceShape none;
            std::string fields;
            const Event dropped = EventsDropped{std::exchange(lost_, 0)};
            FieldWriter to(fields, none, true);
            write_event(dropped, to);
            out += wire_frame(static_cast<uint8_t>(dropped.index()), at_ - 1, now, fields);
        }
        out += *k.frame;
    }
    return out.empty() ? wire_frame(wire_alive, at_, now, "") : out;
}

}  // namespace klp
