// A run that plays a recording: the same events at their recorded pace, faster, slower, step by step, or from anywhere. It computes nothing, and what only a
// model can do it answers with trouble and advice.
#pragma once

#include <functional>
#include <utility>

#include "core/runs/recording.h"
#include "core/system.h"

namespace klp {

class ReplayRun final : public Run {
public:
    using Clock = std::function<int64_t()>;  // nanoseconds that only go forward
    // Begins paused, before the first token; one thread owns it.
    explicit ReplayRun(std::shared_ptr<const Recording> recording, Clock clock = now_ns);
    // With the run whose talk is shown again standing behind it, as it stood at the end: that one answers what a lens asks of the past.
    ReplayRun(std::shared_ptr<const Recording> recording, std::unique_ptr<Run> engine, Clock clock = now_ns);
    std::unique_ptr<Run> take_engine() { return std::move(engine_); }

    void post(Command command) override;
    void cancel() override { pause(); }
    void watch(const Interest& interest) override;  // everything that was captured is told anyway
    std::vector<Event> drain() override;

    void play();  // from the end: from the beginning
    void pause();
    bool playing() const { return playing_; }
    static constexpr double kSlowest = 0.1, kFastest = 16;
    void set_speed(double speed);  // cut to these
    double speed() const { return speed_; }
    void set_loop(bool on) { loop_ = on; }
    bool loop() const { return loop_; }

    int64_t tokens() const { return static_cast<int64_t>(made_.size()); }  // that were made, in all
    int64_t token() const { return at_; }                                  // and until now
    // To the moment when so many tokens had been made. Going back re-tells the answer that stands there; going forward tells what lies between, a few thousand
    // tokens a drain.
    void seek(int64_t token);
    void step(int64_t tokens) { pause(), seek(at_ + tokens); }
    bool seeking() const { return cursor_ < goal_; }

    int64_t nanoseconds() const { return shown_; }  // of playing at speed 1
    int64_t duration() const { return due_.empty() ? 0 : due_.back(); }
    const Recording& recording() const { return *recording_; }

    // What nobody can follow is stretched and what nobody wants to wait for is cut: at speed 1 no more than kPace tokens a second, no wait above a second.
    static constexpr int64_t kPace = 30, kLongestWait = 1'000'000'000;

private:
    struct Beginning {  // of an answer
        size_t index = 0;
        int64_t length = 0;    // of the sequence that it goes on from
        int64_t shortest = 0;  // that the sequence becomes until the next beginning
        bool fed = false;
    };
    size_t end_of(int64_t token) const;  // events that belong to this moment and all before
    void tell(size_t index);
    void tell_captured(const char* none, const std::function<bool(const Event&)>& is);
    void tell_card();  // and a race: it belongs to no moment of the talk
    void tell_race();
    void arrive();
    void picture_state();  // of the newest token, where it can be asked for
    void hear_engine();
    void say_phase();
    void end();  // behind the last event
    void refuse(std::string what, std::string advice, int answer = -1);

    std::shared_ptr<const Recording> recording_;
    std::unique_ptr<Run> engine_;
    Clock clock_;
    std::vector<int64_t> due_;  // of each event, at speed 1
    std::vector<size_t> made_, phases_, pictures_, attentions_, looks_, races_,
        rolled_;                 // events of these kinds; looks_: ReadablePicture, LifePicture, ReadersPicture, LeftPicture, RulesPicture
    std::vector<bool> of_race_;  // of each event
    std::vector<Beginning> beginnings_;
    std::vector<Event> waiting_;
    std::optional<std::pair<int, int>> watched_;  // head whose state is looked at
    int64_t pictured_ = -1, probed_ = -1;         // positions whose states the engine was asked for, by itself and by a lens
    bool picturing_ = false;                      // and has not answered yet
    std::optional<int> unfinished_;               // answer that the recording does not see the end of
    size_t cursor_ = 0, goal_ = 0;                // next event; events before the goal are told without waiting
    int64_t at_ = 0, shown_ = 0, last_ = 0;
    int64_t newest_ = -1;  // position that was told
    double speed_ = 1;
    bool playing_ = false, loop_ = false;
};

}  // namespace klp
