// A run that plays a script instead of a model: for tests of everything that draws, and for machines without any model. Deterministic: no clock, no thread.
#pragma once

#include <deque>
#include <functional>

#include "core/runs/run.h"

namespace klp {

class ScriptedRun final : public Run {
public:
    // `reply` says what a command leads to; commands it does not know are remembered and lead to nothing.
    using Reply = std::function<std::vector<Event>(const Command&)>;
    explicit ScriptedRun(Reply reply = {}) : reply_(std::move(reply)) {}

    void post(Command command) override {
        if (reply_) play(reply_(command));
        commands.push_back(std::move(command));
    }
    void cancel() override { ++cancels; }
    void watch(const Interest& i) override { interest = i; }
    // At most `batch` events at a time, so that a test can look between them; 0: all.
    std::vector<Event> drain() override {
        std::vector<Event> out;
        while (!waiting_.empty() && (batch == 0 || out.size() < batch)) {
            out.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        return out;
    }
    void play(std::vector<Event> events) {
        for (Event& e : events) waiting_.push_back(std::move(e));
    }

    std::vector<Command> commands;
    Interest interest;
    int cancels = 0;
    size_t batch = 0;

private:
    Reply reply_;
    std::deque<Event> waiting_;
};

// A small model's card and plausible events of it, for scripts: slow and fast channels, a growing state, three experts in favour.
std::shared_ptr<const RunCard> scripted_card();
Readings scripted_readings(const TraceShape& shape, int64_t position);
// An answer of so many tokens to whatever was asked: prompt, tokens with readings, the end.
std::vector<Event> scripted_answer(const RunCard& card, int answer, int64_t position, int64_t tokens);

}  // namespace klp
