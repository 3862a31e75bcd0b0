// Holds back what a run says, so that a person can follow it: the engine goes on at its own speed, and its tokens come out at a pace, each with the readings,
// pictures and phases that were told with it. So chat, lenses, timeline and vitals all show the same moment, whatever the pace.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "core/runs/run.h"
#include "core/system.h"

namespace klp::gui {

class Valve {
public:
    static constexpr int kFull = 0, kStep = -1;  // as they come; one a step()
    using Clock = std::function<int64_t()>;      // nanoseconds that only go forward
    // Readings and pictures that wait may take so many bytes; beyond that they are left out, and counted. Text always comes.
    explicit Valve(int64_t budget, Clock clock = now_ns) : budget_(budget), clock_(std::move(clock)) {}

    void set_pace(int pace) { pace_ = pace, steps_ = 0; }  // tokens a second, kFull or kStep
    int pace() const { return pace_; }
    void put(std::vector<Event>&& events);  // what the run has said; a recording, which has a pace of its own, is not held back
    std::vector<Event> take();              // what may be shown now
    void step();                            // one token more, of an answer that is being made or shown
    void open();                            // whatever waits, and the rest of this answer, at once
    void cut();                             // whatever waits is dropped, and so is the rest of this answer: it ends at what is shown
    void forget();                          // another run

    int64_t waiting() const { return tokens_; }  // that were made and not shown
    bool working() const;                        // the engine, whatever is shown
    int64_t rested() const { return rested_; }   // times that it came to rest

private:
    void hold(Event&& event);
    int64_t budget_, bytes_ = 0, left_out_ = 0;
    Clock clock_;
    int pace_ = kFull;
    double credit_ = 1;  // tokens
    int64_t steps_ = 0, tokens_ = 0, last_ = 0;
    bool open_ = false, recorded_ = false;
    int64_t rested_ = 0;
    struct Cut {
        int64_t first = -1;  // position of the first token that was dropped; -1: none yet
        int64_t tokens = 0, nanoseconds = 0;
        MemoryUse memory;  // before it
    };
    bool drop(Event& event);  // what belongs to dropped tokens; the answer's end becomes that of what is shown
    std::optional<Cut> cut_;
    Phase engine_ = Phase::empty;
    std::deque<Event> held_;
    std::vector<Event> aside_;  // belongs to no token
};

}  // namespace klp::gui
