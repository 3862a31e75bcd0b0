#include "app/gui/session/session.h"

#include <algorithm>
#include <ctime>
#include <limits>

#include "app/gui/session/memory_model.h"
#include "core/runs/served_run.h"

namespace klp::gui {

namespace {
constexpr int kFluent = 15, kEvery = 1000;  // pictures of a state a second: as they come, and where each token is looked at
}

Session::Session(std::unique_ptr<Run> run, QObject* parent, Valve::Clock clock)
    : QObject(parent),
      run_(std::move(run)),
      valve_(trace_budget() / 2, std::move(clock)),
      speed_(std::numeric_limits<double>::quiet_NaN()),
      telemetry_(speed_) {
    connect(&selection_, &Selection::changed, this, [this] {
        trace_.look_at(selection_.token());
        recall_.ask_anew();
    });
    timer_.setInterval(33);
    connect(&timer_, &QTimer::timeout, this, &Session::tick);
    timer_.start();
}

Session::~Session() = default;

void Session::set_run(std::unique_ptr<Run> run) {
    run_->cancel();
    run_ = std::move(run);
    aside_.reset();
    valve_.forget();
    Event gone = Unloaded{};
    take(gone);
    Event empty = PhaseChanged{Phase::empty};
    take(empty);
    send_interest();
    emit drained();
}

void Session::set_aside(const std::function<std::unique_ptr<Run>(std::unique_ptr<Run>)>& make) {
    aside_.emplace(Aside{std::move(trace_), phase_, memory_, snapshots_, states_, rolled_, selection_.token(), speed_, telemetry_});
    trace_ = TraceStore();
    run_->cancel();  // a retrace: what it has not read yet is asked for again
    recall_.set_aside();
    run_ = make(std::move(run_));
    valve_.forget();
    tick();
}

void Session::come_back(std::unique_ptr<Run> run) {
    run_ = std::move(run);
    valve_.forget();
    Aside was = std::move(*std::exchange(aside_, std::nullopt));
    trace_ = std::move(was.trace);
    trace_.changed();
    phase_ = was.phase, memory_ = was.memory, snapshots_ = was.snapshots, states_ = was.states;
    rolled_ = was.rolled, speed_ = was.speed, telemetry_ = was.telemetry;
    selection_.set_range(0, 0);
    selection_.set_token(was.token < trace_.size() ? was.token : Selection::kNewest);
    send_interest();
    emit card_changed();
    emit phase_changed();
    emit snapshots_changed();
    emit states_changed();
    emit drained();
}

void Session::post(Command command) {
    if (auto* load = std::get_if<LoadModel>(&command)) load->states = states_folder_;
    if (std::holds_alternative<LoadModel>(command) || std::holds_alternative<UnloadModel>(command)) valve_.open();
    if (!std::holds_alternative<AskCost>(command)) recall_.ask_anew();
    run_->post(std::move(command));
}

void Session::cancel() {
    valve_.open();
    run_->cancel();
}

void Session::stop() {
    valve_.cut();
    run_->cancel();
}

bool Session::shows(const QString& lens) const {
    const ServedCard* served = served_card(card());
    return !served || lens == "logits" || lens == "log" || (lens == "memory" && served->shape_known);
}

void Session::set_pace(int pace) {
    if (pace == valve_.pace()) return;
    valve_.set_pace(pace);
    send_interest();
    emit pace_changed();
}

void Session::step() {
    valve_.step();
    tick();
}

// What this thread did since the last tick was drawing. While the engine computes on the same cores the next tick waits until that is a fortieth of the time.
void Session::share_cores() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    const int64_t now = int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
    const int64_t spent = now - std::exchange(drawn_ns_, now);
    const bool shares = live() && card()->device.name == "cpu" && valve_.working() && (phase_.phase == Phase::decoding || phase_.phase == Phase::racing);
    const int interval = shares ? static_cast<int>(std::clamp<int64_t>(40 * spent / 1'000'000, 33, 250)) : 33;
    if (interval != timer_.interval()) timer_.setInterval(interval);
}

void Session::tick() {
    share_cores();
    valve_.put(run_->drain());
    std::vector<Event> events = valve_.take();
    for (Event& event : events) {
        emit event_seen(event);
        take(event);
    }
    recall_.look();
    if (!events.empty()) emit drained();
    if (const int64_t rested = valve_.rested(); std::exchange(rested_, rested) != rested) emit engine_rested();
    const ServedCard* served = served_card(card());
    if (const bool answers = !served || served->status->answers; std::exchange(server_answers_, answers) != answers) emit server_changed();
    while (!turns_.empty()) {
        const auto [who, draw] = std::move(turns_.front());
        turns_.pop_front();
        if (who) return draw();
    }
}

void Session::draw_in_turn(QObject* who, std::function<void()> draw) {
    if (std::none_of(turns_.begin(), turns_.end(), [&](const auto& turn) { return turn.first == who; })) turns_.emplace_back(who, std::move(draw));
}

void Session::take(Event& event) {
    std::visit(
        [this](auto& e) {
            using T = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<T, Loading>) {
                loading_ = e;
                emit loading_changed();
            } else if constexpr (std::is_same_v<T, Loaded>) {
                trace_.begin(e.card);
                memory_ = {}, rolled_ = 0;
                speed_ = telemetry_ = std::numeric_limits<double>::quiet_NaN();
                selection_.set_token(Selection::kNewest);
                selection_.set_range(0, 0);
                const TraceShape& shape = trace_.shape();
                selection_.fit({e.card->config.num_hidden_layers, shape.layers(Site::log_decay), shape.layers(Site::log_sum_exp), shape.kda_heads,
                                shape.mla_heads, shape.gates});
                recall_.begin();
                send_interest();
                emit card_changed();
            } else if constexpr (std::is_same_v<T, Unloaded>) {
                trace_.begin(nullptr);
                selection_.set_range(0, 0);
                memory_ = {}, rolled_ = 0;
                speed_ = telemetry_ = std::numeric_limits<double>::quiet_NaN();
                snapshots_ = {}, states_ = {};
                recall_.begin();
                emit card_changed();
            } else if constexpr (std::is_same_v<T, Trouble>) {
                emit troubled(e);
            } else if constexpr (std::is_same_v<T, PhaseChanged>) {
                const bool begins = e.phase == Phase::decoding && phase_.phase != Phase::decoding;
                phase_ = e;
                if (begins) window_ns_ = 0, window_tokens_ = 0;
                emit phase_changed();
            } else if constexpr (std::is_same_v<T, PromptFed>) {
                if (e.first < selection_.range().second) selection_.set_range(0, 0);  // its tokens become others
                if (!live() && e.first < trace_.size()) {                             // a recording goes back
                    window_ns_ = 0, window_tokens_ = 0, speed_ = std::numeric_limits<double>::quiet_NaN();
                    if (e.first == 0) memory_ = {};
                }
                if (e.first == 0) speed_ = std::numeric_limits<double>::quiet_NaN();  // another talk
                trace_.fed(e);
                // Until a token brings the engine's own figure.
                if (live() && shows("memory") && !e.ids.empty()) {
                    const SequenceBytes b =
                        sequence_bytes(card()->config, in_pages(trace_.size() - std::min(rolled_, trace_.size())), card()->cache_value_bytes);
                    memory_ = {b.state, b.conv, b.cache};
                }
                if (selection_.token() >= trace_.size()) selection_.set_token(Selection::kNewest);
                emit prompt_fed(e);
            } else if constexpr (std::is_same_v<T, TokenMade>) {
                memory_ = e.memory;
                measure_speed(e);
                trace_.made(e);
                emit token_made(e);
            } else if constexpr (std::is_same_v<T, Readings>) {
                trace_.read(std::move(e));
            } else if constexpr (std::is_same_v<T, Considered>) {
                trace_.weighed(e);
            } else if constexpr (std::is_same_v<T, Retraced>) {
                recall_.take(e);
            } else if constexpr (std::is_same_v<T, Compared>) {
                emit compared(e);
            } else if constexpr (std::is_same_v<T, AnswerDone>) {
                memory_ = e.memory;
                speed_ = e.decode_ns > 0 && e.tokens > 0 ? klp::tokens_per_second(e.tokens, e.decode_ns) : std::numeric_limits<double>::quiet_NaN();
                recall_.keep();
                emit answer_done(e);
            } else if constexpr (std::is_same_v<T, Moved>) {
                memory_ = e.memory;
                speed_ = std::numeric_limits<double>::quiet_NaN();
                emit moved(e);
            } else if constexpr (std::is_same_v<T, CostKnown>) {
                emit cost_known(e);
            } else if constexpr (std::is_same_v<T, SnapshotsKept>) {
                snapshots_ = e;
                emit snapshots_changed();
            } else if constexpr (std::is_same_v<T, CacheRolled>) {
                rolled_ = e.dropped;
            } else if constexpr (std::is_same_v<T, StatesKept>) {
                states_ = e;
                if (!e.trouble.empty()) say(QString::fromStdString(e.trouble) + ".", tr("What was said is kept."), false);
                emit states_changed();
            } else if constexpr (std::is_same_v<T, StatePicture>) {
                emit state_pictured(e);
            } else if constexpr (std::is_same_v<T, RacePoint>) {
                emit race_point(e);
            } else if constexpr (std::is_same_v<T, RaceDone>) {
                emit race_done(e);
            } else if constexpr (std::is_same_v<T, AttentionPicture>) {
                emit attention_pictured(e);
            } else if constexpr (std::is_same_v<T, ReadablePicture>) {
                emit readable_pictured(e);
            } else if constexpr (std::is_same_v<T, LifePicture>) {
                emit life_pictured(e);
            } else if constexpr (std::is_same_v<T, ReadersPicture>) {
                emit readers_pictured(e);
            } else if constexpr (std::is_same_v<T, LeftPicture>) {
                emit left_pictured(e);
            } else if constexpr (std::is_same_v<T, RulesPicture>) {
                emit rules_pictured(e);
            } else if constexpr (std::is_same_v<T, EventsDropped>) {
                dropped_ += e.readings;
            } else if constexpr (std::is_same_v<T, TelemetryCost>) {
                telemetry_ = e.share;
            }
        },
        event);
}

// Tokens over the time they took, in windows of about a second of decoding; the first token of an answer counts its prefill and is left out, and so is one
// whose time nobody knows.
void Session::measure_speed(const TokenMade& event) {
    if (event.nanoseconds <= 0) return;
    if (trace_.size() == 0 || event.position == 0 || !trace_.row(std::min(trace_.size(), event.position) - 1).made) return;
    if (window_ns_ > 1e9) window_ns_ /= 2, window_tokens_ /= 2;
    window_ns_ += static_cast<double>(event.nanoseconds);
    ++window_tokens_;
    if (window_ns_ > 0) speed_ = static_cast<double>(window_tokens_) * 1e9 / window_ns_;
}

void Session::set_baseline(Baseline baseline) {
    if (std::exchange(baseline_, baseline) == baseline) return;
    emit baseline_changed();
}

int64_t Session::current_token() const { return selection_.token() == Selection::kNewest ? trace_.newest_readings() : selection_.token(); }

void Session::set_interest(const void* who, const Interest& interest) {
    if (interest == Interest{})
        interests_.erase(who);
    else
        interests_[who] = interest;
    send_interest();
}

bool Session::keeps_all() const { return live() && keeps_everything(*card(), trace_.most()); }

void Session::send_interest() {
    Interest all;
    if (keeps_all()) {
        for (bool& site : all.sites) site = true;
        all.top = kCandidates;
    }
    for (const auto& [_, i] : interests_) {
        for (int s = 0; s < kSites; ++s) all.sites[s] = all.sites[s] || i.sites[s];
        all.top = std::max(all.top, i.top);
        if (i.state) all.state = i.state;
    }
    all.pictures = valve_.pace() == Valve::kFull ? kFluent : kEvery;
    run_->watch(all);
    if (std::exchange(wanted_, all) != all) recall_.ask_anew();
}

QString Session::why_missing(const QString& what) const {
    switch (recall_.now()) {
        case Recall::Now::working:
            return tr("%1 are being read: the tokens are fed again.").arg(what);
        case Recall::Now::waiting:
            return tr("%1 are read when the model rests: the tokens are fed again.").arg(what);
        case Recall::Now::stopped:
            return tr("%1 were not read: feeding the tokens again was stopped. Choose a token to go on.").arg(what);
        default:
            return {};
    }
}

void Session::set_hands(HandsNow now) {
    if (now == hands_) return;
    hands_ = std::move(now);
    emit hands_changed();
}

void Session::set_elsewhere(bool on) {
    if (std::exchange(elsewhere_, on) != on) emit elsewhere_changed(on);
}

void Session::set_frozen(bool on) {
    if (frozen_ == on) return;
    frozen_ = on;
    emit frozen_changed(on);
    if (!on) emit drained();
}

}  // namespace klp::gui
