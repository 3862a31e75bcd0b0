#include "core/serve/in_step.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace klp {

namespace {

constexpr std::chrono::milliseconds kLook(20);  // whether what waits was cancelled, or somebody has left

// A token to feed, and what its pass gives.
struct Want {
    Sequence& sequence;
    int32_t id;
    const Choice& choice;
    Workspace& ws;
    Picked picked = {};
    PhaseTimes times = {};
    std::exception_ptr wrong = {};
    bool done = false;
};

// What one pass over many tells, to whom it is of.
class Parted final : public Tap {
public:
    explicit Parted(std::vector<Tap*> taps) : taps_(std::move(taps)) {}
    bool wants(Site site, int layer) const override {
        return std::any_of(taps_.begin(), taps_.end(), [&](const Tap* tap) { return tap && tap->wants(site, layer); });
    }
    void take(const Reading& r) override {
        Tap* tap = taps_[static_cast<size_t>(r.sequence)];
        if (!tap || !tap->wants(r.site, r.layer)) return;
        Reading own = r;
        own.sequence = 0;
        tap->take(own);
    }

private:
    std::vector<Tap*> taps_;
};

// Of one model. The first one's workspace is used: its thread waits, or is this one.
void pass_over(const std::vector<Want*>& wants) {
    Workspace& ws = wants[0]->ws;
    std::vector<Tap*> taps;
    std::vector<Feed> feeds;
    for (Want* one : wants) {
        taps.push_back(one->ws.tap);
        feeds.push_back({.sequence = &one->sequence, .tokens = std::span<const int32_t>(&one->id, 1), .choice = &one->choice});
    }
    Parted parted(std::move(taps));
    Tap* const before = std::exchange(ws.tap, &parted);
    try {
        wants[0]->sequence.model().forward(feeds, ws);
    } catch (...) {
        ws.tap = before;
        throw;
    }
    ws.tap = before;
    for (size_t i = 0; i < wants.size(); ++i) wants[i]->picked = ws.picked[i], wants[i]->times = ws.times;
}

class Table {
public:
    Table(int seats, std::shared_ptr<Turns> turns) : turns_(std::move(turns)), seated_(static_cast<size_t>(seats)) {}

    // The caller holds the turn, and has it again afterwards.
    void step(Want& mine, const std::atomic<bool>* cancel) {
        const auto cancelled = [&] { return cancel && *cancel; };
        std::unique_lock lock(mutex_);
        wants_.push_back(&mine);
        if (cancelled())
            run_alone(mine);
        else if (wants_.size() >= seated_)
            run();
        if (!mine.done) {
            turns_->unlock();
            while (!mine.done && !cancelled() && wants_.size() < seated_) changed_.wait_for(lock, kLook);
            lock.unlock();
            turns_->lock();
            lock.lock();
            // Whoever had the turn meanwhile may have run it.
            if (!mine.done && cancelled())
                run_alone(mine);
            else if (!mine.done)
                run();
        }
        if (mine.wrong) std::rethrow_exception(mine.wrong);
    }
    void leave() {
        const std::lock_guard lock(mutex_);
        --seated_;
        changed_.notify_all();
    }

private:
    void run_alone(Want& mine) {
        std::erase(wants_, &mine);
        run({&mine});
    }
    void run() { run(std::exchange(wants_, {})); }
    void run(std::vector<Want*> wants) {
        while (!wants.empty()) {
            const Model* model = &wants[0]->sequence.model();
            const auto others = std::stable_partition(wants.begin(), wants.end(), [&](const Want* one) { return &one->sequence.model() == model; });
            const std::vector<Want*> mine(wants.begin(), others);
            std::exception_ptr wrong;
            try {
                pass_over(mine);
            } catch (...) {
                wrong = std::current_exception();
            }
            for (Want* one : mine) one->wrong = wrong, one->done = true;
            wants.erase(wants.begin(), others);
        }
        changed_.notify_all();
    }
    const std::shared_ptr<Turns> turns_;
    std::mutex mutex_;
    std::condition_variable changed_;
    size_t seated_;
    std::vector<Want*> wants_;
};

class Seat final : public Stepper {
public:
    explicit Seat(std::shared_ptr<Table> table) : table_(std::move(table)) {}
    ~Seat() override { leave(); }
    Picked step(Sequence& sequence, int32_t id, const Choice& choice, Workspace& ws, const std::atomic<bool>* cancel, PhaseTimes& times) override {
        Want mine{sequence, id, choice, ws};
        table_->step(mine, cancel);
        times = mine.times;
        return std::move(mine.picked);
    }
    void leave() override {
        if (!std::exchange(left_, true)) table_->leave();
    }

private:
    std::shared_ptr<Table> table_;
    bool left_ = false;
};

}  // namespace

std::vector<std::shared_ptr<Stepper>> in_step(int answers, std::shared_ptr<Turns> turns) {
    const auto table = std::make_shared<Table>(answers, std::move(turns));
    std::vector<std::shared_ptr<Stepper>> seats;
    for (int i = 0; i < answers; ++i) seats.push_back(std::make_shared<Seat>(table));
    return seats;
}

}  // namespace klp
