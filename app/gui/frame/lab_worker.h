// A lab on a thread of its own, for a window that looks at it. Nothing here waits: who stops it, or drops it, is not kept until the step that is under way is done.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/learn/lab.h"

namespace klp::gui {

class LabWorker {
public:
    enum class Phase { searching, learning, resting, failed };  // resting: all steps are done, or were stopped; more may be asked for
    struct Seen {
        Phase phase = Phase::searching;
        bool paused = false;
        LabResult result;
        std::string mixer, error;     // that learns now; why it failed
        int64_t done = 0, total = 0;  // steps of all learners
        int64_t version = 0;          // grows with every change
    };
    explicit LabWorker(LabSpec spec);  // check() was content; begins at once
    ~LabWorker();

    Seen seen() const;
    int64_t version() const;
    void pause(bool on);
    void stop();               // learning; the learners stay
    void more(int64_t steps);  // of each, when it rests
    // A learner as a folder, between two steps. `done` is called on the worker's thread, with why it could not be ("": it is there), or never, if it was dropped.
    void save(size_t learner, const std::string& folder, std::function<void(const std::string& error)> done);

private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
};

}  // namespace klp::gui
