#include "core/runs/replay_run.h"

#include <algorithm>
#include <iterator>

namespace klp {

namespace {

constexpr int64_t kReadingsADrain = 4096;       // while seeking
constexpr int64_t kReading = 700'000'000;       // ns before the next question
constexpr int64_t kLongestNap = 1'000'000'000;  // ns between two drains that count: after a longer sleep it goes on where it stood

}  // namespace

ReplayRun::ReplayRun(std::shared_ptr<const Recording> recording, Clock clock) : recording_(std::move(recording)), clock_(std::move(clock)) {
    const Recording& r = *recording_;
    due_.reserve(r.size());
    int64_t clock_time = 0, due = 0, last_token = 0, length = 0;  // what is stretched inside an answer is not stretched again by the next token's wait
    of_race_.resize(r.size());
    for (size_t i = 0; i < r.size(); ++i) {
        bool of_race = r.is<RacePoint>(i) || r.is<RaceDone>(i);
        if (r.is<PhaseChanged>(i)) {
            const auto e = r.event(i);
            of_race = e && std::get<PhaseChanged>(*e).phase == Phase::racing;
        }
        of_race_[i] = of_race;
        if (r.is<AnswerBegun>(i)) clock_time = beginnings_.empty() ? due : due + kReading;
        if (i > 0 && !of_race) clock_time += std::clamp<int64_t>(r.nanoseconds(i) - r.nanoseconds(i - 1), 0, kLongestWait);
        due = std::max(due, clock_time);
        if (r.is<TokenMade>(i)) {
            if (auto e = r.event(i)) {
                const auto& token = std::get<TokenMade>(*e);
                due = std::max(due, last_token + std::clamp<int64_t>(token.nanoseconds, 1'000'000'000 / kPace, kLongestWait));
                last_token = due;
                length = token.position + 1;
                made_.push_back(i);
            }
        } else if (r.is<PromptFed>(i)) {
            if (auto e = r.event(i)) {
                const auto& fed = std::get<PromptFed>(*e);
                if (!beginnings_.empty()) {
                    Beginning& b = beginnings_.back();
                    if (!std::exchange(b.fed, true)) b.length = std::min(b.length, fed.first);
                    b.shortest = std::min(b.shortest, fed.first);
                }
                length = fed.first + static_cast<int64_t>(fed.ids.size());
            }
        } else if (r.is<AnswerBegun>(i)) {
            beginnings_.push_back({i, length, length});
            if (auto e = r.event(i)) unfinished_ = std::get<AnswerBegun>(*e).answer;
        } else if (r.is<AnswerDone>(i)) {
            unfinished_.reset();
        } else if (r.is<Trouble>(i)) {
            if (auto e = r.event(i); e && std::get<Trouble>(*e).answer >= 0) unfinished_.reset();
        } else if (r.is<Loaded>(i) || r.is<Unloaded>(i)) {
            if (!beginnings_.empty()) beginnings_.back().shortest = 0;
            length = 0;
        } else if (of_race) {
            if (!r.is<PhaseChanged>(i)) races_.push_back(i);
        } else if (r.is<PhaseChanged>(i)) {
            phases_.push_back(i);
        } else if (r.is<StatePicture>(i)) {
            pictures_.push_back(i);
        } else if (r.is<CacheRolled>(i)) {
            rolled_.push_back(i);
        } else if (r.is<AttentionPicture>(i)) {
            attentions_.push_back(i);
        } else if (r.is<ReadablePicture>(i) || r.is<LifePicture>(i) || r.is<ReadersPicture>(i) || r.is<LeftPicture>(i) || r.is<RulesPicture>(i)) {
            looks_.push_back(i);
        }
        due_.push_back(due);
    }
    tell_card();
    if (!r.damage().empty()) waiting_.push_back(Trouble{{Error::failure, r.damage()}, ""});
    seek(0);
}

ReplayRun::ReplayRun(std::shared_ptr<const Recording> recording, std::unique_ptr<Run> engine, Clock clock) : ReplayRun(std::move(recording), std::move(clock)) {
    engine_ = std::move(engine);
}

void ReplayRun::refuse(std::string what, std::string advice, int answer) {
    if (engine_) what = "an answer is played again: go back to now first", advice.clear();
    waiting_.push_back(Trouble{{Error::usage, (engine_ ? "" : "this is a recording: ") + std::move(what)}, std::move(advice), answer});
}

void ReplayRun::post(Command command) {
    if (const auto* c = std::get_if<MakeAnswer>(&command)) return refuse("it answers nothing new", "Load a model to talk.", c->answer);
    if (std::holds_alternative<GoTo>(command)) return refuse("its memory cannot be gone back to", "Load a model to rewind and to branch, or move the slider.");
    if (std::holds_alternative<LoadModel>(command)) return refuse("it runs no model", "Leave the replay first.");
    if (std::holds_alternative<UnloadModel>(command)) return waiting_.push_back(Unloaded{});
    if (engine_ &&
        (std::holds_alternative<ProbeAttention>(command) || std::holds_alternative<ProbeState>(command) || std::holds_alternative<ProbeReadable>(command) ||
         std::holds_alternative<ProbeLife>(command) || std::holds_alternative<ProbeReaders>(command) || std::holds_alternative<ProbeLeft>(command) ||
         std::holds_alternative<ProbeRules>(command))) {
        if (const auto* c = std::get_if<ProbeState>(&command)) probed_ = c->position;
        return engine_->post(std::move(command));
    }
    if (const auto* c = std::get_if<ProbeAttention>(&command)) {
        bool found = false;
        for (size_t i : attentions_) {
            auto e = recording_->event(i);
            if (!e) continue;
            const auto& picture = std::get<AttentionPicture>(*e);
            if (picture.layer != c->layer || picture.position != c->position || (c->head >= 0 && picture.head != c->head)) continue;
            waiting_.push_back(std::move(*e));
            found = true;
        }
        if (!found) refuse("this head's attention was not captured", "Load a model to look at any head.");
        return;
    }
    if (const auto* c = std::get_if<ProbeState>(&command)) {
        StatePicture nearest;
        nearest.layer = c->layer, nearest.head = c->head, nearest.position = c->position + 1;
        for (auto i = std::lower_bound(pictures_.begin(), pictures_.end(), cursor_); i != pictures_.begin() && nearest.values.empty();) {
            auto e = recording_->event(*--i);
            auto* picture = e ? &std::get<StatePicture>(*e) : nullptr;
            if (picture && picture->layer == c->layer && picture->head == c->head && picture->position <= c->position + 1) nearest = std::move(*picture);
        }
        nearest.past = true;
        return waiting_.push_back(std::move(nearest));
    }
    if (const auto* c = std::get_if<ProbeReadable>(&command))
        return tell_captured("what this state answers was not captured", [&](const Event& e) {
            const auto* p = std::get_if<ReadablePicture>(&e);
            return p && p->layer == c->layer && p->head == c->head && p->position == c->position && p->token == c->token && p->with == c->with &&
                   p->measured.empty() == !c->cut;
        });
    if (const auto* c = std::get_if<ProbeLife>(&command))
        return tell_captured("this token's life was not captured", [&](const Event& e) {
            const auto* p = std::get_if<LifePicture>(&e);
            return p && p->token == c->token;
        });
    if (const auto* c = std::get_if<ProbeReaders>(&command))
        return tell_captured("who reads this token was not captured", [&](const Event& e) {
            const auto* p = std::get_if<ReadersPicture>(&e);
            return p && p->token == c->token && (c->position < 0 || p->position == c->position);
        });
    if (const auto* c = std::get_if<ProbeLeft>(&command))
        return tell_captured("what is left of the tokens in this state was not captured", [&](const Event& e) {
            const auto* p = std::get_if<LeftPicture>(&e);
            return p && p->layer == c->layer && p->head == c->head && p->position <= c->position;
        });
    if (const auto* c = std::get_if<ProbeRules>(&command))
        return tell_captured("this state under other rules was not captured", [&](const Event& e) {
            const auto* p = std::get_if<RulesPicture>(&e);
            return p && p->layer == c->layer && p->head == c->head && p->position <= c->position;
        });
    if (const auto* apart = std::get_if<Compare>(&command)) return waiting_.push_back(Compared{apart->request, Retraced::End::stopped});
    if (std::holds_alternative<StartRace>(command)) {
        if (races_.empty()) return refuse("no race was captured", "Load a model to run one on this machine.");
        tell_race();
    }
}

// The newest up to where it stands.
void ReplayRun::tell_captured(const char* none, const std::function<bool(const Event&)>& is) {
    for (auto i = std::lower_bound(looks_.begin(), looks_.end(), cursor_); i != looks_.begin();)
        if (auto e = recording_->event(*--i); e && is(*e)) return waiting_.push_back(std::move(*e));
    refuse(none, "Load a model to look at any token.");
}

void ReplayRun::tell_card() {
    waiting_.push_back(Loaded{recording_->header().card});
    tell_race();
}

void ReplayRun::tell_race() {
    for (size_t i : races_)
        if (auto e = recording_->event(i)) waiting_.push_back(std::move(*e));
    if (!races_.empty() && !recording_->is<RaceDone>(races_.back())) waiting_.push_back(RaceDone{TwinKind::recorded, "the recording ends here"});
}

void ReplayRun::watch(const Interest& interest) {
    if (interest.state == watched_) return;
    watched_ = interest.state;
    if (!watched_) return;
    pictured_ = -1;
    // The newest picture of this head, for a lens that has just been opened.
    for (auto i = std::lower_bound(pictures_.begin(), pictures_.end(), cursor_); i != pictures_.begin();) {
        auto e = recording_->event(*--i);
        if (!e || std::pair(std::get<StatePicture>(*e).layer, std::get<StatePicture>(*e).head) != *watched_) continue;
        return waiting_.push_back(std::move(*e));
    }
}

void ReplayRun::play() {
    if (cursor_ >= recording_->size()) seek(0);
    last_ = clock_();
    playing_ = true;
    say_phase();
}

void ReplayRun::pause() {
    if (std::exchange(playing_, false)) say_phase();
}

void ReplayRun::set_speed(double speed) { speed_ = std::clamp(speed, kSlowest, kFastest); }

size_t ReplayRun::end_of(int64_t token) const {
    const Recording& r = *recording_;
    if (token >= tokens()) return r.size();
    const size_t next = made_[static_cast<size_t>(token)];
    if (token == 0) return next;  // the first question is there
    // What asks for the next answer belongs to its first token.
    const auto begun = std::upper_bound(beginnings_.begin(), beginnings_.end(), next, [](size_t i, const Beginning& b) { return i < b.index; });
    if (begun == beginnings_.begin()) return next;
    const size_t index = std::prev(begun)->index;
    return index > made_[static_cast<size_t>(token) - 1] ? index : next;
}

void ReplayRun::seek(int64_t token) {
    token = std::clamp<int64_t>(token, 0, tokens());
    const size_t goal = end_of(token);
    if (goal < cursor_) {
        // Back to the beginning of the answer at the goal, if what was before it still stands on the screens; else to one before.
        int64_t shortest = INT64_MAX;
        auto b = beginnings_.rbegin();
        for (; b != beginnings_.rend(); ++b) {
            if (b->index >= cursor_) continue;
            shortest = std::min(shortest, b->shortest);
            if (b->index < goal && b->length <= shortest) break;
        }
        if (b == beginnings_.rend()) {
            tell_card();
            newest_ = -1;
            cursor_ = 0;
        } else {
            waiting_.push_back(PromptFed{b->length, {}});
            newest_ = b->length - 1;
            cursor_ = b->index;
            const auto next = std::lower_bound(rolled_.begin(), rolled_.end(), cursor_);
            if (next != rolled_.begin())
                tell(*std::prev(next));
            else if (!rolled_.empty())
                waiting_.push_back(CacheRolled{});
        }
    }
    goal_ = goal;
    at_ = token;
    shown_ = goal > 0 ? due_[goal - 1] : 0;
    last_ = clock_();
    if (cursor_ >= goal_) arrive();
}

void ReplayRun::tell(size_t index) {
    const Recording& r = *recording_;
    // Loading is over before a replay begins, and so is a race.
    if (of_race_[index] || r.is<Loading>(index) || r.is<Loaded>(index) || r.is<Unloaded>(index)) return;
    auto e = r.event(index);
    if (!e) return;
    if (const auto* fed = std::get_if<PromptFed>(&*e)) newest_ = fed->first + static_cast<int64_t>(fed->ids.size()) - 1;
    if (const auto* made = std::get_if<TokenMade>(&*e)) newest_ = made->position;
    waiting_.push_back(std::move(*e));
}

// One after the other while it plays, so that each is there before the next; the newest where it stands.
void ReplayRun::picture_state() {
    if (!engine_ || !watched_ || newest_ < 0 || newest_ == pictured_ || (playing_ && picturing_)) return;
    pictured_ = newest_, picturing_ = true;
    engine_->post(ProbeState{watched_->first, watched_->second, newest_});
}

// What it was asked for. The state of the newest token is that of now.
void ReplayRun::hear_engine() {
    if (!engine_) return;
    for (Event& e : engine_->drain()) {
        if (auto* picture = std::get_if<StatePicture>(&e)) {
            if (!picture->past) continue;
            picturing_ = false;
            if (picture->position == probed_ + 1) waiting_.push_back(*picture);
            if (picture->position != pictured_ + 1 || picture->values.empty()) continue;
            picture->past = false;
            waiting_.push_back(std::move(e));
        } else if (std::holds_alternative<Trouble>(e)) {
            picturing_ = false;
            waiting_.push_back(std::move(e));
        } else if (std::holds_alternative<AttentionPicture>(e) || std::holds_alternative<ReadablePicture>(e) || std::holds_alternative<LifePicture>(e) ||
                   std::holds_alternative<ReadersPicture>(e) || std::holds_alternative<LeftPicture>(e) || std::holds_alternative<RulesPicture>(e) ||
                   (std::holds_alternative<PhaseChanged>(e) && !playing_ && !seeking())) {
            waiting_.push_back(std::move(e));
        }
    }
}

void ReplayRun::say_phase() {
    const auto next = std::lower_bound(phases_.begin(), phases_.end(), cursor_);
    if (playing_ && next != phases_.begin())
        tell(*std::prev(next));
    else
        waiting_.push_back(PhaseChanged{Phase::ready});
}

void ReplayRun::end() {
    if (unfinished_) waiting_.push_back(Trouble{{Error::interrupted, "the recording ends here"}, "", *unfinished_});
}

void ReplayRun::arrive() {
    const auto next = std::lower_bound(pictures_.begin(), pictures_.end(), goal_);
    if (next != pictures_.begin()) tell(*std::prev(next));
    say_phase();
}

std::vector<Event> ReplayRun::drain() {
    const Recording& r = *recording_;
    if (seeking()) {
        for (int64_t readings = 0; cursor_ < goal_ && readings < kReadingsADrain; ++cursor_) {
            if (r.is<PhaseChanged>(cursor_) || r.is<StatePicture>(cursor_)) continue;
            readings += r.is<Readings>(cursor_);
            tell(cursor_);
        }
        if (seeking())
            waiting_.push_back(PhaseChanged{Phase::prefill, std::lower_bound(made_.begin(), made_.end(), cursor_) - made_.begin(), at_});
        else
            arrive();
        if (cursor_ >= r.size()) end();
        last_ = clock_();
    } else if (playing_) {
        const int64_t now = clock_();
        shown_ += static_cast<int64_t>(static_cast<double>(std::clamp<int64_t>(now - last_, 0, kLongestNap)) * speed_);
        last_ = now;
        for (; cursor_ < r.size() && due_[cursor_] <= shown_; ++cursor_) {
            at_ += r.is<TokenMade>(cursor_) && std::binary_search(made_.begin(), made_.end(), cursor_);
            tell(cursor_);
        }
        goal_ = cursor_;
        if (cursor_ >= r.size()) {
            end();
            if (loop_) {
                seek(0);
            } else {
                pause();
            }
        }
    }
    hear_engine();
    if (!seeking()) picture_state();
    return std::exchange(waiting_, {});
}

}  // namespace klp
