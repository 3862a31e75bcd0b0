// A pace that a person can follow: what is made fast is shown slowly, everywhere at once, and in the end it is all there.
#include "app/gui/frame/timeline.h"
#include "app/gui/frame/timeline_view.h"

#include "app/format.h"
#include "app/gui/chat/chats.h"
#include "app/gui/frame/monitor.h"
#include "app/gui/frame/monitor_tile.h"
#include "app/gui/frame/pace_box.h"
#include "app/gui/session/machine_load.h"
#include "app/gui/session/range.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

// Everything that a session said, and a clock that stands still unless it is moved.
struct PacedSession {
    PacedSession() {
        auto run = std::make_unique<ScriptedRun>([this](const Command& c) -> std::vector<Event> {
            const auto* ask = std::get_if<MakeAnswer>(&c);
            return ask ? scripted_answer(*card, ask->answer, session->trace().size(), 20) : std::vector<Event>();
        });
        script = run.get();
        session = std::make_unique<Session>(std::move(run), nullptr, [this] { return now; });
        script->play({Loaded{card}, PhaseChanged{Phase::ready}});
        session->tick();
    }
    void pass(double seconds) {
        now += static_cast<int64_t>(seconds * 1e9);
        session->tick();
    }
    int64_t made() const {
        int64_t n = 0;
        for (int64_t p = 0; p < session->trace().size(); ++p) n += session->trace().row(p).made;
        return n;
    }
    std::shared_ptr<const RunCard> card = scripted_card();
    int64_t now = 1;
    ScriptedRun* script = nullptr;
    std::unique_ptr<Session> session;
};

TEST(Pace, AStepShowsOneTokenEverywhereAndTheLastOneEndsTheAnswer) {
    PacedSession s;
    Chats chats(*s.session);
    TimelineView timeline(*s.session);
    timeline.resize(900, 200);
    s.session->set_pace(Valve::kStep);
    ASSERT_TRUE(chats.send("What does the gate do?"));
    s.pass(5);
    EXPECT_EQ(s.made(), 0) << "time alone shows nothing";
    EXPECT_EQ(s.session->trace().size(), 12) << "the prompt is there";
    EXPECT_EQ(s.session->trace().newest_readings(), 11);
    EXPECT_EQ(s.session->held_back(), 20);
    for (int n = 1; n <= 20; ++n) {
        EXPECT_TRUE(chats.answering());
        s.session->step();
        const ChatMessage& answer = chats.chat().message(chats.chat().tip());
        EXPECT_EQ(answer.ids.size(), static_cast<size_t>(n)) << "in the chat";
        EXPECT_EQ(s.made(), n) << "in the lenses";
        EXPECT_EQ(s.session->current_token(), 11 + n) << "with its readings";
        EXPECT_EQ(s.session->held_back(), 20 - n);
        QTest::qWait(1);
        EXPECT_EQ(timeline.view().second, std::max(12.0 + n, timeline.view().second)) << "on the timeline";
        EXPECT_EQ(timeline.tokens(), 12 + n);
    }
    EXPECT_FALSE(chats.answering());
    EXPECT_EQ(s.session->phase().phase, Phase::ready);
    s.session->step();
    EXPECT_EQ(s.made(), 20);
}

TEST(Pace, TokensComeAtThePaceAndTheLastPictureIsThatOfFullSpeed) {
    PacedSession slow, fast;
    slow.session->set_pace(3);
    for (PacedSession* s : {&slow, &fast}) s->script->play(scripted_answer(*s->card, 1, 0, 20)), s->session->tick();
    EXPECT_EQ(fast.made(), 20);
    EXPECT_EQ(slow.made(), 1) << "the first comes at once";
    slow.pass(0.32);
    EXPECT_EQ(slow.made(), 1);
    slow.pass(0.02);
    EXPECT_EQ(slow.made(), 2);
    for (int i = 0; i < 30; ++i) slow.pass(0.1);
    EXPECT_NEAR(static_cast<double>(slow.made()), 11, 1);
    slow.pass(60);
    EXPECT_LT(slow.made(), 20) << "a window that slept does not catch up in one jump";
    for (int i = 0; i < 80; ++i) slow.pass(0.1);
    const TraceStore &a = slow.session->trace(), &b = fast.session->trace();
    ASSERT_EQ(a.size(), b.size());
    for (int64_t p = 0; p < a.size(); ++p) {
        EXPECT_EQ(a.row(p).id, b.row(p).id);
        if (a.row(p).made) {
            EXPECT_EQ(a.row(p).nanoseconds, b.row(p).nanoseconds) << "a token's own time, not that of its showing";
        }
        ASSERT_TRUE(std::ranges::equal(a.readings(p), b.readings(p)));
        EXPECT_EQ(a.top(p).size(), b.top(p).size());
    }
    EXPECT_EQ(slow.session->memory().total(), fast.session->memory().total());
    EXPECT_EQ(slow.session->tokens_per_second(), fast.session->tokens_per_second());
}

TEST(Pace, FullSpeedAndStopShowAllAtOnce) {
    PacedSession s;
    s.session->set_pace(Valve::kStep);
    s.script->play(scripted_answer(*s.card, 1, 0, 20));
    s.session->tick();
    s.session->step();
    s.session->set_pace(Valve::kFull);
    s.session->tick();
    EXPECT_EQ(s.made(), 20);
    s.session->set_pace(Valve::kStep);
    s.script->play(scripted_answer(*s.card, 2, 32, 20));
    s.session->tick();
    s.session->cancel();
    EXPECT_EQ(s.script->cancels, 1) << "the engine is told too";
    s.session->tick();
    EXPECT_EQ(s.made(), 40) << "what was made is shown";
    s.script->play(scripted_answer(*s.card, 3, 64, 20));
    s.session->tick();
    EXPECT_EQ(s.made(), 40) << "the next answer is held back again";
}

TEST(Pace, AStopEndsTheAnswerAtWhatIsShown) {
    PacedSession s;
    Chats chats(*s.session);
    s.session->set_pace(Valve::kStep);
    ASSERT_TRUE(chats.send("What does the gate do?"));
    s.pass(1);
    for (int n = 0; n < 4; ++n) s.session->step();
    ASSERT_EQ(s.made(), 4);
    const int64_t memory = s.session->memory().total();
    chats.stop();
    s.session->tick();
    EXPECT_EQ(s.made(), 4) << "what was held back is dropped";
    EXPECT_EQ(s.session->held_back(), 0);
    EXPECT_EQ(s.session->phase().phase, Phase::ready);
    EXPECT_FALSE(chats.answering());
    const ChatMessage& answer = chats.chat().message(chats.chat().tip());
    EXPECT_EQ(answer.ids.size(), 4u);
    EXPECT_TRUE(answer.open) << "it may be gone on with";
    ASSERT_TRUE(answer.stats);
    EXPECT_EQ(answer.stats->tokens, 4);
    EXPECT_EQ(answer.stats->end, "cancelled");
    EXPECT_EQ(s.session->trace().newest_readings(), 15);
    EXPECT_GE(s.session->memory().total(), memory);
    chats.go_on(chats.chat().tip());
    const auto* ask = std::get_if<MakeAnswer>(&s.script->commands.back());
    ASSERT_TRUE(ask);
    EXPECT_EQ(ask->line.back().ids.size(), 4u) << "from where it was stopped";
    s.pass(1);
    EXPECT_EQ(s.session->held_back(), 20) << "the next answer is held back and not dropped";
}

// The rest of an answer that the engine still makes when it is stopped.
TEST(Pace, WhatComesBehindAStopIsDroppedToo) {
    const auto card = scripted_card();
    Valve valve(1 << 30, [] { return int64_t{1}; });
    valve.set_pace(Valve::kStep);
    std::vector<Event> all = scripted_answer(*card, 1, 0, 20);
    const auto half = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    valve.put({all.begin(), half});
    valve.step();
    int64_t tokens = 0;
    std::optional<AnswerDone> done;
    const auto take = [&] {
        for (const Event& e : valve.take()) {
            tokens += std::holds_alternative<TokenMade>(e);
            if (const auto* end = std::get_if<AnswerDone>(&e)) done = *end;
        }
    };
    take();
    EXPECT_EQ(tokens, 1);
    valve.cut();
    take();
    EXPECT_TRUE(valve.working());
    valve.put({half, all.end()});
    take();
    EXPECT_EQ(tokens, 1);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->tokens, 1);
    EXPECT_EQ(done->end, Generation::End::cancelled);
    valve.put(scripted_answer(*card, 2, 40, 5));
    take();
    EXPECT_EQ(valve.waiting(), 5);
}

// A lens that is opened while an answer waits to be shown asks for what is shown, and does not wait for the end.
TEST(Pace, LensesOpenedMeanwhileLookAtWhatIsShown) {
    PacedSession s;
    s.session->set_pace(Valve::kStep);
    s.script->play(scripted_answer(*s.card, 1, 0, 20));
    s.session->tick();
    EXPECT_EQ(s.session->trace().size(), 12);
    EXPECT_GT(s.session->memory().total(), 0) << "the prompt takes memory before the first token";
    const auto lens = [&](const char* id) {
        std::unique_ptr<Panel> panel;
        for (const PanelRow& row : panels())
            if (std::string_view(row.info.id) == id) panel.reset(row.make(*s.session, row.info));
        panel->resize(620, 720);
        panel->show();
        QTest::qWait(5);
        return panel;
    };
    const auto asked = [&]<class T>(T*) {
        std::vector<T> all;
        for (const Command& c : s.script->commands)
            if (const auto* probe = std::get_if<T>(&c)) all.push_back(*probe);
        return all;
    };
    const auto state = lens("state");
    auto states = asked(static_cast<ProbeState*>(nullptr));
    ASSERT_EQ(states.size(), 1u);
    EXPECT_EQ(states[0].position, 11);
    StatePicture picture{states[0].layer, states[0].head, 12, 2, 2, {1, 2, 3, 4}};
    picture.past = true;
    s.script->play({PhaseChanged{Phase::probing}, picture, PhaseChanged{Phase::ready}});
    s.session->tick();
    QTest::qWait(5);
    EXPECT_EQ(state->table().rows.size(), 4u) << "while the answer is held back";
    s.session->step();
    QTest::qWait(5);
    states = asked(static_cast<ProbeState*>(nullptr));
    ASSERT_EQ(states.size(), 2u);
    EXPECT_EQ(states[1].position, 12) << "and at each token that is shown";
    state->hide();
    const auto attention = lens("attention");
    auto looks = asked(static_cast<ProbeAttention*>(nullptr));
    ASSERT_EQ(looks.size(), 1u);
    AttentionPicture read;
    read.layer = looks[0].layer, read.position = looks[0].position;
    read.weights.assign(13, 0.1f);
    s.script->play({PhaseChanged{Phase::probing}, read, PhaseChanged{Phase::ready}});
    s.session->tick();
    QTest::qWait(5);
    looks = asked(static_cast<ProbeAttention*>(nullptr));
    ASSERT_EQ(looks.size(), 2u) << "then for the other memory";
    EXPECT_NE(looks[1].layer, looks[0].layer);
    EXPECT_EQ(s.session->held_back(), 19);
}

TEST(Pace, WhatIsAskedMeanwhileIsAnsweredAtOnce) {
    PacedSession s;
    s.session->set_pace(Valve::kStep);
    s.script->play(scripted_answer(*s.card, 1, 0, 5));
    StatePicture past;
    past.past = true;
    s.script->play({past});
    int pictures = 0;
    QObject::connect(s.session.get(), &Session::state_pictured, [&] { ++pictures; });
    s.session->tick();
    EXPECT_EQ(pictures, 1);
    EXPECT_EQ(s.made(), 0);
    EXPECT_GT(s.script->interest.pictures, 100) << "a state that is looked at is pictured at every token";
}

TEST(Pace, ReadingsThatWaitTakeNoMoreThanTheirShareAndTextAlwaysComes) {
    const auto card = scripted_card();
    Valve valve(card->shape.size() * 4 * 10, [] { return int64_t{1}; });
    valve.set_pace(Valve::kStep);
    valve.put(scripted_answer(*card, 1, 0, 50));
    int64_t tokens = 0, readings = 0, dropped = 0;
    for (int i = 0; i < 60; ++i) {
        for (const Event& e : valve.take()) {
            tokens += std::holds_alternative<TokenMade>(e), readings += std::holds_alternative<Readings>(e);
            if (const auto* d = std::get_if<EventsDropped>(&e)) dropped += d->readings;
        }
        valve.step();
    }
    EXPECT_EQ(tokens, 50);
    EXPECT_EQ(readings + dropped, 62);
    EXPECT_EQ(readings, 10);
}

TEST(Range, SaysWhatItsTokensTookAndGoesWithThem) {
    ScriptedSession s;
    s.answer(60);
    Selection& selection = s.session->selection();
    selection.set_range(10, 20);
    RangeTimes all = range_times(s.session->trace(), 10, 20);
    EXPECT_EQ(all.tokens, 10);
    EXPECT_EQ(all.timed, 8) << "two of the prompt, whose time nobody knows";
    EXPECT_DOUBLE_EQ(all.sum, 8 * 200'000 + (0 + 1 + 2 + 3 + 4 + 5 + 6 + 0) * 10'000.0);
    EXPECT_EQ(all.slowest, 18);
    const QString said = range_text(s.session->trace(), {10, 20});
    for (const char* part : {"10 tokens, 10 to 19", "8 of them made in", "mean", "worst", "token 18"}) EXPECT_TRUE(said.contains(part)) << said.toStdString();
    EXPECT_EQ(range_text(s.session->trace(), {0, 0}), "");
    EXPECT_TRUE(range_text(s.session->trace(), {0, 5}).contains("no time"));
    EXPECT_EQ(range_times(s.session->trace(), 70, 900).tokens, 2) << "only those that there are";
    s.answer(5, 2);
    EXPECT_TRUE(selection.ranged()) << "what comes behind it changes nothing";
    s.script->play({PromptFed{15, {1, 2}}});
    s.session->tick();
    EXPECT_FALSE(selection.ranged()) << "its tokens are others now";
    selection.set_range(2, 5);
    s.script->play({Unloaded{}});
    s.session->tick();
    EXPECT_FALSE(selection.ranged());
}

TEST(Range, FiltersDecayExpertsLogitsAndNormsWhichPrintIt) {
    ScriptedSession s;
    s.answer(60);
    for (const char* id : {"decay", "experts", "logits", "state"}) {
        s.session->selection().set_range(0, 0);
        Lens lens(s, id);
        EXPECT_FALSE(lens.panel->sentence().contains("20 to 29")) << id;
        s.session->selection().set_range(20, 30);
        Lens::settle();
        const QString said = lens.panel->sentence();
        for (const char* part : {"10 tokens, 20 to 29", "made in", "mean", "worst"}) EXPECT_TRUE(said.contains(part)) << id << ": " << said.toStdString();
    }
    Lens experts(s, "experts");
    int64_t picks = 0;
    for (const auto& row : experts.panel->table().rows) picks += row[2].toLongLong();
    const auto layers = static_cast<int64_t>(s.card->shape.layers(Site::picks).size());
    EXPECT_EQ(picks, 10 * 2 * layers) << "two of each layer and token of the range";
    Lens logits(s, "logits");
    EXPECT_TRUE(logits.panel->sentence().contains("mean 1.50 nats over 10 choices")) << logits.panel->sentence().toStdString();
    Lens decay(s, "decay");
    decay.choose("Decay, view", 3);  // a token a column
    QSet<qlonglong> tokens;
    for (const auto& row : decay.panel->table().rows) tokens.insert(row[0].toLongLong());
    EXPECT_EQ(tokens.size(), 10);
    EXPECT_TRUE(tokens.contains(20) && tokens.contains(29));
    decay.choose("Decay, view", 2);
    double sum = 0;
    const TraceShape& shape = s.card->shape;
    for (int64_t p = 20; p < 30; ++p) sum += double(shape.of(Site::log_decay, 0, s.session->trace().readings(p))[0]);
    EXPECT_NEAR(decay.panel->table().rows[0][4].toDouble(), sum / 10, 1e-5) << "the mean of what its tokens' gates said";
    EXPECT_EQ(decay.panel->table().rows[0][0].toString(), "20–29") << "and not under the name of the token that is looked at";
    EXPECT_FALSE(decay.words().contains("token 71")) << decay.words().toStdString();
    s.session->selection().set_token(50);
    Lens::settle();
    EXPECT_FALSE(decay.words().contains("token 50")) << decay.words().toStdString();
    s.session->selection().set_range(0, 0);
    Lens::settle();
    EXPECT_FALSE(decay.panel->sentence().contains("20 to 29")) << "all tokens again";
}

TEST(PaceBox, ChoosesPausesAndStepsAndIsNotThereForARecording) {
    PacedSession s;
    PaceBox box(*s.session);
    box.show();
    auto* list = box.findChild<QComboBox*>("pace");
    auto* next = box.findChild<QWidget*>("next-token");
    EXPECT_EQ(list->currentText(), "Full speed");
    EXPECT_TRUE(next->isHidden());
    list->setCurrentIndex(1);
    EXPECT_EQ(s.session->pace(), 3);
    s.script->play(scripted_answer(*s.card, 1, 0, 20));
    s.session->tick();
    EXPECT_TRUE(box.useful());
    box.pause_or_go();
    EXPECT_EQ(list->currentText(), "Step by step");
    EXPECT_FALSE(next->isHidden());
    const int64_t before = s.made();
    QTest::mouseClick(next, Qt::LeftButton);
    EXPECT_EQ(s.made(), before + 1);
    box.pause_or_go();
    EXPECT_EQ(s.session->pace(), 3) << "it goes on at the pace before";
    box.change(1);
    EXPECT_EQ(s.session->pace(), 10);
    for (int i = 0; i < 9; ++i) box.change(1);
    EXPECT_EQ(s.session->pace(), Valve::kFull);
    s.session->tick();
    EXPECT_FALSE(box.useful());
    auto recorded = std::make_shared<RunCard>(*s.card);
    recorded->recorded = "yesterday";
    s.session->set_pace(Valve::kStep);
    s.script->play({Loaded{recorded}});
    s.script->play(scripted_answer(*s.card, 1, 0, 20));
    s.session->tick();
    EXPECT_EQ(s.made(), 20) << "a recording has a pace of its own";
    EXPECT_TRUE(list->isHidden());
}

TEST(MachineLoad, ReadsTheTicksOfAllProcessors) {
    const auto ticks = cpu_ticks("cpu  100 5 20 800 40 1 2 3 7 0\ncpu0 1 2 3 4");
    ASSERT_TRUE(ticks);
    EXPECT_EQ(ticks->all, 971) << "a guest's are in those of the user";
    EXPECT_EQ(ticks->busy, 131) << "neither idle nor waiting for a disk";
    EXPECT_FALSE(cpu_ticks(""));
    EXPECT_FALSE(cpu_ticks("intr 1 2 3"));
    EXPECT_FALSE(cpu_ticks("cpu"));
}

TEST(Monitor, DrawsWhatAServerSaysOfItself) {
    auto card = std::make_shared<ServedCard>();
    static_cast<RunCard&>(*card) = *scripted_card();
    card->device.name = kElsewhere, card->recorded.clear();
    const auto serves = [&](std::optional<double> share, std::optional<double> running) {
        const std::lock_guard lock(card->status->mutex);
        card->status->load.cache_share = share, card->status->load.running = running;
    };
    serves({}, {});
    ScriptedSession s(card);
    MachineLoad load(*s.session);
    Monitor monitor(*s.session, load);
    monitor.resize(900, 700);
    monitor.show();
    const auto* tile = static_cast<MonitorTile*>(monitor.findChild<QWidget*>("monitor-server"));
    EXPECT_TRUE(tile->isHidden()) << "it says nothing";
    serves({}, 3);
    ASSERT_TRUE(QTest::qWaitFor([&] { return tile->value() == "3"; }));
    EXPECT_TRUE(tile->isVisible());
    serves(0.42, 3);
    ASSERT_TRUE(QTest::qWaitFor([&] { return tile->value() == "42 %"; })) << tile->value().toStdString();
    EXPECT_TRUE(tile->note().contains("3 running"));
    EXPECT_EQ(*load.now().server->cache_share, 0.42);
    EXPECT_FALSE(load.history().front().server->cache_share) << "the curve begins where it began to say so";
}

TEST(Monitor, SaysEverythingAtOnceInBothThemesAndAnyWidth) {
    ScriptedSession s;
    MachineLoad load(*s.session);
    Monitor monitor(*s.session, load);
    const auto value = [&](const char* id) { return static_cast<MonitorTile*>(monitor.findChild<QWidget*>(id))->value(); };
    for (const char* id : {"monitor-speed", "monitor-time", "monitor-memory", "monitor-entropy", "monitor-experts"}) EXPECT_EQ(value(id), "–") << id;
    monitor.resize(900, 700);
    monitor.show();
    EXPECT_TRUE(s.script->interest.sites[static_cast<int>(Site::picks)]);
    s.answer(60);
    QTest::qWait(5);
    EXPECT_EQ(value("monitor-entropy"), "1.50");
    EXPECT_TRUE(value("monitor-experts").endsWith("×"));
    EXPECT_TRUE(value("monitor-memory").endsWith("iB"));
    EXPECT_EQ(value("monitor-speed"), QString::fromStdString(short_number(s.session->tokens_per_second())));
    EXPECT_TRUE(monitor.findChild<QWidget*>("monitor-gpu")->isHidden()) << "there is none";
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const int width : {320, 700, 1400}) {
            monitor.resize(width, 700);
            QTest::qWait(2);
            for (const auto* tile : monitor.findChildren<QWidget*>(QRegularExpression("^monitor-"), Qt::FindDirectChildrenOnly)) {
                if (tile->isHidden()) continue;
                EXPECT_LE(tile->geometry().right(), monitor.width()) << tile->objectName().toStdString();
                EXPECT_GE(tile->width(), 120);
            }
            EXPECT_GT(colours_in(monitor.grab().toImage()), 20);
        }
    }
    monitor.hide();
    EXPECT_FALSE(monitor.isVisible());
}

}  // namespace
}  // namespace klp::gui
