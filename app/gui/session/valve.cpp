#include "app/gui/session/valve.h"

#include <algorithm>
#include <utility>

namespace klp::gui {

namespace {

constexpr double kCatchUp = 0.25;  // seconds: a window that was busy for longer does not make up for it in one jump

// What somebody asked for meanwhile, and what the engine says of itself.
bool is_aside(const Event& event) {
    const auto* picture = std::get_if<StatePicture>(&event);
    return (picture && picture->past) || std::holds_alternative<AttentionPicture>(event) || std::holds_alternative<ReadablePicture>(event) ||
           std::holds_alternative<LifePicture>(event) || std::holds_alternative<ReadersPicture>(event) || std::holds_alternative<LeftPicture>(event) ||
           std::holds_alternative<RulesPicture>(event) || std::holds_alternative<CostKnown>(event) || std::holds_alternative<Loading>(event) ||
           std::holds_alternative<SnapshotsKept>(event) || std::holds_alternative<StatesKept>(event);
}

int64_t bytes_of(const Event& event) {
    if (const auto* readings = std::get_if<Readings>(&event)) return static_cast<int64_t>(readings->values.size() * sizeof(float));
    if (const auto* picture = std::get_if<StatePicture>(&event)) return static_cast<int64_t>(picture->values.size() * sizeof(float));
    return 0;
}

bool rests(Phase phase) { return phase == Phase::ready || phase == Phase::empty; }

}  // namespace

bool Valve::working() const { return !rests(engine_); }

void Valve::put(std::vector<Event>&& events) {
    for (Event& event : events) {
        if (const auto* phase = std::get_if<PhaseChanged>(&event)) engine_ = phase->phase, rested_ += rests(phase->phase);
        if (const auto* loaded = std::get_if<Loaded>(&event)) recorded_ = !loaded->card->recorded.empty();
        if (held_.empty() ? recorded_ : is_aside(event))
            aside_.push_back(std::move(event));
        else
            hold(std::move(event));
    }
}

void Valve::hold(Event&& event) {
    if (cut_ && drop(event)) return;
    const int64_t bytes = bytes_of(event);
    if (bytes > 0 && pace_ != kFull && bytes_ + bytes > budget_) {
        left_out_ += std::holds_alternative<Readings>(event);
        return;
    }
    bytes_ += bytes;
    tokens_ += std::holds_alternative<TokenMade>(event);
    held_.push_back(std::move(event));
}

std::vector<Event> Valve::take() {
    std::vector<Event> out = std::exchange(aside_, {});
    const int64_t now = clock_();
    if (pace_ > 0) credit_ = std::min(credit_ + static_cast<double>(now - last_) * pace_ / 1e9, 1 + kCatchUp * pace_);
    last_ = now;
    while (!held_.empty()) {
        Event& next = held_.front();
        if (std::holds_alternative<TokenMade>(next)) {
            if (pace_ != kFull && !open_) {
                if (pace_ == kStep ? steps_ < 1 : credit_ < 1) break;
                pace_ == kStep ? --steps_ : --credit_;
            }
            --tokens_;
        } else if (std::holds_alternative<AnswerBegun>(next)) {
            open_ = false;
        } else if (const auto* phase = std::get_if<PhaseChanged>(&next); phase && rests(phase->phase)) {
            open_ = false, steps_ = 0;
        }
        bytes_ -= bytes_of(next);
        out.push_back(std::move(next));
        held_.pop_front();
    }
    if (tokens_ == 0) credit_ = std::min(credit_, 1.0);
    if (held_.empty() && left_out_ > 0) out.push_back(EventsDropped{std::exchange(left_out_, 0)});
    return out;
}

void Valve::step() {
    if (tokens_ > 0 || working()) ++steps_;
}

void Valve::open() {
    if (!held_.empty() || working()) open_ = true;
}

void Valve::cut() {
    if (pace_ == kFull) return open();
    if (held_.empty() && !working()) return;
    cut_.emplace();
    bytes_ = tokens_ = 0;
    for (Event& event : std::exchange(held_, {})) hold(std::move(event));
}

bool Valve::drop(Event& event) {
    Cut& cut = *cut_;
    const auto gone = [&](int64_t position) { return cut.first >= 0 && position >= cut.first; };
    if (const auto* made = std::get_if<TokenMade>(&event)) {
        if (cut.first < 0) cut.first = made->position, cut.memory = made->memory;
        ++cut.tokens, cut.nanoseconds += made->nanoseconds;
        return true;
    }
    if (const auto* readings = std::get_if<Readings>(&event)) return gone(readings->position);
    if (const auto* weighed = std::get_if<Considered>(&event)) return gone(weighed->position);
    if (const auto* picture = std::get_if<StatePicture>(&event)) return !picture->past && gone(picture->position - 1);
    if (const auto* fed = std::get_if<PromptFed>(&event)) return gone(fed->first);
    if (auto* done = std::get_if<AnswerDone>(&event)) {
        if (cut.tokens > 0) {
            done->end = Generation::End::cancelled, done->closed = false, done->closing = -1;
            done->tokens = std::max<int64_t>(0, done->tokens - cut.tokens);
            done->decode_ns = std::max<int64_t>(0, done->decode_ns - cut.nanoseconds);
            done->memory = cut.memory;
        }
        cut_.reset();
    } else if (const auto* trouble = std::get_if<Trouble>(&event)) {
        if (trouble->answer >= 0) cut_.reset();
    } else if (const auto* phase = std::get_if<PhaseChanged>(&event)) {
        if (rests(phase->phase)) cut_.reset();
    }
    return false;
}

void Valve::forget() {
    held_.clear(), aside_.clear();
    cut_.reset();
    bytes_ = tokens_ = steps_ = left_out_ = 0;
    open_ = recorded_ = false, engine_ = Phase::empty;
}

}  // namespace klp::gui
