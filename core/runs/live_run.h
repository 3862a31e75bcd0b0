// The engine on a thread of its own, the only one that touches model and sequence.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/runs/run.h"
#include "core/serve/in_step.h"
#include "core/serve/turns.h"

namespace klp {

// A model ready to run, as the opener found it.
struct OpenedModel {
    std::shared_ptr<const RunCard> card;
    std::shared_ptr<const Model> model;
};
using Opener = std::function<Result<OpenedModel>(const LoadModel& what, const LoadOptions& options)>;

class LiveRun final : public Run {
public:
    // `turns`: where others use the models' device too; it is this run's for a command at a time.
    explicit LiveRun(Opener open, std::shared_ptr<Turns> turns = nullptr);
    ~LiveRun() override;  // cancels, and waits for the pass that runs

    // Another run of the model that this one has, which is loaded once and whose frozen states are there, too, or of its full-attention twin: LoadModel opens
    // it, whatever it names. The two take turns.
    std::unique_ptr<LiveRun> beside(bool twin);
    // Places for that many answers of this run and of those beside it, to be made in step.
    std::vector<std::shared_ptr<Stepper>> in_step(int answers) { return klp::in_step(answers, turns_); }

    void post(Command command) override;
    void cancel() override;  // also what is posted and has not begun
    void watch(const Interest& interest) override;
    std::vector<Event> drain() override;

private:
    struct Loaded;  // model, sequence, workspace, snapshots, tracer
    void loop(std::stop_token stop);
    void tell(Event event);
    void fail(Error error, std::string advice = "", int answer = -1);

    void handle(const LoadModel& c);
    void handle(const UnloadModel& c);
    void handle(const MakeAnswer& c);
    void handle(const GoTo& c);
    void handle(const AskCost& c);
    void handle(const SetSnapshotBudget& c);
    void handle(const SetStateBudget& c);
    void handle(const StartRace& c);
    void handle(const ProbeAttention& c);
    void handle(const ProbeState& c);
    void handle(const Retrace& c);
    void handle(const ProbeReadable& c);
    void handle(const ProbeLife& c);
    void handle(const Compare& c);
    void handle(const ProbeReaders& c);
    void handle(const ProbeLeft& c);
    void handle(const ProbeRules& c);
    Retraced::End end_of(const Error& error);  // of what gives way
    struct Line {
        std::vector<int32_t> tokens;
        std::vector<Span> answers;  // that were made before
        InterventionsPtr hands = {};
        size_t opening = 0;  // tokens of the opening at its end
        PromptFed fed(int64_t first, int64_t last) const;
    };
    // With `marker` an answer's opening follows the last message.
    Result<Line> tokens_of(const std::vector<Part>& line, bool marker) const;
    // Where the sequence stood, and how to get back there.
    struct Stood {
        std::vector<int32_t> tokens;
        InterventionsPtr hands;
        bool rolls = false;
        SnapshotPtr memory;  // where others' hands took it away
    };
    // What comes is fed under these, and a full context rolls on or stops. An Error leaves all as it was.
    Result<Stood> lay(const InterventionsPtr& hands, bool roll);
    void take_back(const Stood& before);
    // Stands at the line's first `length` tokens, saying how far it is; an Error takes back what was laid.
    Result<SnapshotPool::Move> stand(const Line& line, size_t length, const Stood& before);
    Result<void> look_alike(Sequence& other) const;  // that is fed as this one is, the same tokens again
    int capture_what_is_watched();                   // how many candidates are wanted
    void publish_readings();
    void picture_state();
    void picture_state(const Sequence& sequence, int layer, int head, bool past);
    void fail_probe(Error error);  // says nothing of one that gave way
    void say_snapshots();
    void say_rolled(bool again = false);
    void say_states();
    void keep_ends();                                                                 // of what was answered, on disk
    Result<OpenedModel> open_beside(const LoadModel& c, const LoadOptions& options);  // the model that runs, or in its place where both do not fit
    void unload();
    bool ready(int answer = -1);
    bool rolls() const;  // what is looked at again must roll as it did

    struct Shared {  // with the runs beside this one
        std::mutex mutex;
        std::shared_ptr<const RunCard> card;
        std::weak_ptr<const Model> model;
        std::weak_ptr<SnapshotPool> pool;
    };
    void share();
    Opener open_;
    const std::shared_ptr<Turns> turns_;
    const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
    std::shared_ptr<Shared> lender_;  // of a run beside another: that one's
    std::unique_ptr<Loaded> at_;
    std::atomic<bool> cancel_ = false;
    std::optional<size_t> probing_;  // kind of the probe that is under way or was last; guarded by mutex_
    int64_t pictured_ = 0;           // ns

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Command> commands_;
    std::vector<Event> events_;
    int64_t waiting_readings_ = 0, dropped_ = 0;
    int64_t posted_ = 0, begun_ = 0, cancelled_until_ = 0;  // commands
    Interest interest_;
    bool look_ = false;    // a state is wanted that was not pictured yet
    std::jthread thread_;  // the last member: it must not outlive what it uses
};

}  // namespace klp
