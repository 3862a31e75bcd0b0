// What the window shows: one run, what came from it, and what is selected. Drains the run and tells everybody, 30 times a second, or less often where drawing
// would take more than a fortieth of the time from an engine on the same cores. Knows no widget.
#pragma once

#include <QObject>
#include <QPointer>
#include <QTimer>
#include <deque>
#include <functional>
#include <map>

#include "app/gui/session/notice.h"
#include "app/gui/session/recall.h"
#include "app/gui/session/selection.h"
#include "app/gui/session/trace_store.h"
#include "app/gui/session/valve.h"
#include "core/runs/run.h"

namespace klp::gui {

// What the model is compared with, everywhere.
struct Baseline {
    bool twin = true;        // every mixer MLA
    bool multi_head = true;  // plain multi-head attention: its memory only, for no engine here runs it
    bool operator==(const Baseline&) const = default;
};

class Session : public QObject {
    Q_OBJECT
public:
    explicit Session(std::unique_ptr<Run> run, QObject* parent = nullptr, Valve::Clock clock = now_ns);
    ~Session() override;

    // Another source of tokens (a recording, the engine again); everything shown begins anew.
    void set_run(std::unique_ptr<Run> run);
    Run& run() { return *run_; }
    // Another run is shown for a while, which `make` makes around the one that runs. What is known of that one's talk stays as it is, and is there again after
    // come_back() with the same run. Only while the model rests.
    void set_aside(const std::function<std::unique_ptr<Run>(std::unique_ptr<Run>)>& make);
    void come_back(std::unique_ptr<Run> run);
    void post(Command command);
    void set_states(std::string folder) { states_folder_ = std::move(folder); }  // where models that are loaded keep states on disk
    void cancel();                                                               // what was made until now is shown
    void stop();                                                                 // at what is shown: what was made beyond it is dropped

    // How fast tokens are shown, in chat, lenses and timeline at once: tokens a second, Valve::kFull or Valve::kStep. The engine does not wait. A recording has
    // a pace of its own.
    void set_pace(int pace);
    int pace() const { return valve_.pace(); }
    void step();                                             // one token more
    bool engine_rests() const { return !valve_.working(); }  // though what it made may not be shown yet
    int64_t held_back() const { return valve_.waiting(); }   // tokens that were made and are not shown yet

    const RunCard* card() const { return trace_.card(); }  // null: no model
    bool live() const { return card() && card()->recorded.empty(); }
    bool aside() const { return aside_.has_value(); }  // the engine's talk is shown once more, and the engine stands behind it
    // Whether there is anything of what is loaded for this lens ("decay"): of a model that is served only what a server tells.
    bool shows(const QString& lens) const;
    bool server_answers() const { return server_answers_; }           // where one serves the model
    bool looks_back() const { return live() || (card() && aside_); }  // probes of any token and head are answered
    PhaseChanged phase() const { return phase_; }
    bool busy() const { return phase_.phase != Phase::empty && phase_.phase != Phase::ready; }
    const Loading& loading() const { return loading_; }
    const TraceStore& trace() const { return trace_; }
    Selection& selection() { return selection_; }
    const Selection& selection() const { return selection_; }
    MemoryUse memory() const { return memory_; }  // of the sequence, now
    Baseline baseline() const { return baseline_; }
    void set_baseline(Baseline baseline);
    int64_t rolled() const { return rolled_; }  // tokens of the sequence, the oldest, that the cache dropped
    const SnapshotsKept& snapshots() const { return snapshots_; }
    const StatesKept& states() const { return states_; }  // on disk
    double tokens_per_second() const { return speed_; }   // over the last second of decoding, or of the whole answer once it is there; NaN: not known
    int64_t dropped() const { return dropped_; }
    double telemetry_share() const { return telemetry_; }  // of the last answer's decoding time; NaN before the first

    // The token everybody looks at: the selected one, or the newest that was read.
    int64_t current_token() const;
    std::span<const float> current_readings() const { return trace_.readings(current_token()); }

    // What a visible panel needs; an empty Interest takes it back.
    void set_interest(const void* who, const Interest& interest);
    const Interest& wanted() const { return wanted_; }  // by all together
    bool keeps_all() const;                             // of this model, whatever is in sight
    // The file beside the chat whose line the engine is asked to stand at next: it has, and gets, what is known of its tokens. "": there is none.
    void set_trace_file(const std::string& file) { recall_.set_file(file); }
    Recall& recall() { return recall_; }
    // Why a lens has no picture of a token that was fed, as a sentence about what is done about it.
    QString why_missing(const QString& what) const;
    // The model stands at other messages than those in sight. Who keeps the conversation says so.
    bool elsewhere() const { return elsewhere_; }
    void set_elsewhere(bool on);
    bool frozen() const { return frozen_; }
    void set_frozen(bool on);

    // What may wait a little: of all who ask one draws a tick, in turn, so that many lenses in sight make no turn of the event loop longer.
    void draw_in_turn(QObject* who, std::function<void()> draw);

    // Where a click on a rejected candidate goes: who keeps the conversation makes a branch that goes on with `id` at `position`.
    void ask_fork(int64_t position, int32_t id) { emit fork_asked(position, id); }
    // Hands on the memory of the talk in sight: what is in force, whether the last of them can be undone, and a sentence why none can be laid ("": they can). Who
    // keeps the conversation says so, and does what is asked: the last question once more under `what`, from that question on or from the first token.
    struct HandsNow {
        InterventionsPtr list;
        bool undo = false;
        QString why_not;
        int64_t question = -1;  // where the last question begins, in front of which states are changed; -1: there is none, or nobody knows
        bool operator==(const HandsNow&) const = default;
    };
    const HandsNow& hands() const { return hands_; }
    void set_hands(HandsNow now);
    void ask_hand(const Intervention& what, bool whole_line) { emit hand_asked(what, whole_line); }
    void ask_undo_hand() { emit undo_hand_asked(); }
    // A sentence for people, and what to do about it; shown where it is not in the way.
    void say(const QString& what, const QString& advice = {}, bool bad = true) { say(Notice{what, advice, bad}); }
    void say(const Notice& notice) { emit noticed(notice.what, notice.advice, notice.bad, notice); }

    void log(const QString& what) { emit logged(what); }  // a line for the log and for nothing else
    void tell_recalled(int64_t first) { emit recalled(first); }

    void tick();  // drains now; the timer does it

signals:
    void card_changed();
    void phase_changed();
    void loading_changed();
    void frozen_changed(bool on);
    void pace_changed();
    void elsewhere_changed(bool on);
    void engine_rested();   // though what it made may not be shown yet
    void server_changed();  // it answers, or does not any more
    void baseline_changed();
    void snapshots_changed();
    void states_changed();
    void prompt_fed(const klp::PromptFed& event);
    void token_made(const klp::TokenMade& event);
    void answer_done(const klp::AnswerDone& event);
    void troubled(const klp::Trouble& event);
    void moved(const klp::Moved& event);
    void cost_known(const klp::CostKnown& event);
    void state_pictured(const klp::StatePicture& event);
    void race_point(const klp::RacePoint& event);
    void race_done(const klp::RaceDone& event);
    void attention_pictured(const klp::AttentionPicture& event);
    void readable_pictured(const klp::ReadablePicture& event);
    void life_pictured(const klp::LifePicture& event);
    void readers_pictured(const klp::ReadersPicture& event);
    void left_pictured(const klp::LeftPicture& event);
    void rules_pictured(const klp::RulesPicture& event);
    void drained();                            // once a tick in which anything came: the time to draw
    void event_seen(const klp::Event& event);  // every one, in order: for recording and the log
    void fork_asked(qint64 position, qint32 id);
    void hands_changed();
    void hand_asked(const klp::Intervention& what, bool whole_line);
    void undo_hand_asked();
    void compared(const klp::Compared& event);
    void noticed(const QString& what, const QString& advice, bool bad, const klp::gui::Notice& whole);
    void logged(const QString& what);
    void recalled(qint64 first);  // tokens from here on are known now that were not, or better

private:
    void take(Event& event);
    void share_cores();
    void measure_speed(const TokenMade& event);
    void send_interest();  // what all ask for together

    std::unique_ptr<Run> run_;
    Valve valve_;
    QTimer timer_;
    TraceStore trace_;
    Selection selection_;
    PhaseChanged phase_;
    Loading loading_;
    MemoryUse memory_;
    Baseline baseline_;
    SnapshotsKept snapshots_;
    StatesKept states_;
    HandsNow hands_;
    std::string states_folder_;
    int64_t rolled_ = 0;
    struct Aside {
        TraceStore trace;
        PhaseChanged phase;
        MemoryUse memory;
        SnapshotsKept snapshots;
        StatesKept states;
        int64_t rolled = 0, token = Selection::kNewest;
        double speed = 0, telemetry = 0;
    };
    std::optional<Aside> aside_;
    std::map<const void*, Interest> interests_;
    Interest wanted_;
    Recall recall_{*this, trace_};
    std::deque<std::pair<QPointer<QObject>, std::function<void()>>> turns_;
    double speed_ = 0, window_ns_ = 0, telemetry_;
    int64_t window_tokens_ = 0, dropped_ = 0;
    int64_t drawn_ns_ = 0;  // CPU time of this thread at the last tick
    bool frozen_ = false, elsewhere_ = false, server_answers_ = true;
    int64_t rested_ = 0;  // of the valve
};

}  // namespace klp::gui
