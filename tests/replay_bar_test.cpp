// Recording while chatting, and watching it again through the same window.
#include "app/gui/frame/replay_bar.h"

#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QToolBar>
#include <QToolButton>

#include "app/gui/frame/main_window.h"
#include "app/gui/frame/recorder.h"
#include "app/gui/frame/timeline.h"
#include "app/gui/frame/timeline_view.h"
#include "core/model/checkpoint.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

class RecordingTest : public ::testing::Test {
protected:
    void SetUp() override { QDir(Recorder::folder()).removeRecursively(); }
    void TearDown() override { QDir(Recorder::folder()).removeRecursively(); }
    static QString only_file() {
        const QStringList files = QDir(Recorder::folder()).entryList({"*.klprun"});
        EXPECT_EQ(files.size(), 1);
        return files.isEmpty() ? QString() : Recorder::folder() + "/" + files[0];
    }
};

TEST_F(RecordingTest, WhatIsRecordedIsWhatIsReplayed) {
    ScriptedSession live(card_kept_as_seen());
    QStringList notices;
    QObject::connect(live.session.get(), &Session::noticed, [&](const QString& what, const QString&, bool) { notices << what; });
    Recorder recorder(*live.session);
    live.answer(20, 1);  // before it began
    recorder.start();
    ASSERT_TRUE(recorder.recording());
    EXPECT_TRUE(live.script->interest.sites[static_cast<int>(Site::log_decay)]);
    EXPECT_GT(live.script->interest.top, 0);
    EXPECT_TRUE(live.script->interest.state);
    live.answer(30, 2);
    // A replay has no model to ask what was read: it is asked behind the answer, one memory after the other.
    const auto probed = [&] {
        const auto* probe = live.script->commands.empty() ? nullptr : std::get_if<ProbeAttention>(&live.script->commands.back());
        return probe ? probe->layer : -1;
    };
    EXPECT_EQ(probed(), 3);
    live.script->play({PhaseChanged{Phase::probing}, PhaseChanged{Phase::ready}});
    live.session->tick();
    EXPECT_EQ(probed(), 0);
    recorder.stop();
    EXPECT_TRUE(live.script->interest == Interest{}) << "nothing is captured for nobody";
    ASSERT_EQ(notices.size(), 1);
    EXPECT_TRUE(notices[0].contains("Recorded 30 tokens")) << notices[0].toStdString();

    ScriptedSession other;
    ReplayBar bar(*other.session);
    ASSERT_TRUE(bar.open(only_file()));
    EXPECT_TRUE(bar.replaying());
    EXPECT_FALSE(other.session->live());
    bar.replay()->seek(bar.replay()->tokens());
    other.session->tick();
    const TraceStore &a = live.session->trace(), &b = other.session->trace();
    ASSERT_EQ(a.size(), b.size());
    for (int64_t p = 0; p < a.size(); ++p) {
        EXPECT_EQ(a.row(p).id, b.row(p).id);
        if (p >= 32) {
            EXPECT_EQ(a.row(p).text, b.row(p).text) << p;
        }
        ASSERT_EQ(a.readings(p).size(), b.readings(p).size()) << p;
        for (size_t i = 0; i < a.readings(p).size(); ++i) EXPECT_NEAR(a.readings(p)[i], b.readings(p)[i], std::abs(a.readings(p)[i]) * 0.037 + 1e-3);
    }
}

TEST_F(RecordingTest, BegunInTheMiddleOfAnAnswerItHasTheWholeAnswer) {
    ScriptedSession live;
    Recorder recorder(*live.session);
    std::vector<Event> events = scripted_answer(*live.card, 5, 0, 20);
    const std::vector<Event> rest(events.begin() + 30, events.end());
    events.resize(30);
    live.script->play(events);
    live.session->tick();
    ASSERT_TRUE(live.session->busy());
    recorder.start();
    live.script->play(rest);
    live.session->tick();
    recorder.stop();
    const auto recording = Recording::open(only_file().toStdString());
    ASSERT_TRUE(recording);
    int begun = 0, made = 0;
    for (size_t i = 0; i < (*recording)->size(); ++i) begun += (*recording)->is<AnswerBegun>(i), made += (*recording)->is<TokenMade>(i);
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(made, 20);
}

TEST_F(RecordingTest, EndsWithItsModelAndWithAFullDisk) {
    ScriptedSession live;
    Recorder recorder(*live.session);
    recorder.start();
    live.script->play({Unloaded{}});
    live.session->tick();
    EXPECT_FALSE(recorder.recording());
    recorder.start();
    EXPECT_FALSE(recorder.recording()) << "there is nothing to record";
}

TEST_F(RecordingTest, AFolderThatCannotBeMadeIsSaid) {
    ScriptedSession live;
    QString said;
    QObject::connect(live.session.get(), &Session::noticed, [&](const QString& what, const QString&, bool) { said = what; });
    const QString parent = QFileInfo(Recorder::folder()).path();
    QDir().mkpath(parent);
    QFile file(Recorder::folder());
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
    Recorder(*live.session).start();
    EXPECT_TRUE(said.contains(Recorder::folder())) << said.toStdString();
    file.remove();
}

class ReplayWindow : public RecordingTest {
protected:
    ReplayWindow() : chats(*s.session), window(*s.session, chats), bar(*window.findChild<ReplayBar*>()), row(*window.findChild<QToolBar*>("replay-row")) {
        window.show();
    }
    static QString shipped() { return list_recordings().at(0).file; }
    void open() {
        window.open_recording(shipped());
        bar.replay()->pause();
        bar.replay()->seek(0), s.session->tick();  // it may have played a little before
        QTest::qWait(1);
    }
    template <class W>
    W* named(const QString& name) {
        for (W* w : window.findChildren<W*>())
            if (w->accessibleName() == name) return w;
        ADD_FAILURE() << name.toStdString();
        return nullptr;
    }
    ScriptedSession s;
    Chats chats;
    MainWindow window;
    ReplayBar& bar;
    QToolBar& row;
};

TEST_F(ReplayWindow, ShippedRecordingsAreListedAndSmall) {
    const auto all = list_recordings();
    ASSERT_GE(all.size(), 2u);
    for (const RecordingInfo& r : all) {
        EXPECT_FALSE(r.title.isEmpty());
        EXPECT_TRUE(r.about.endsWith('.')) << "a sentence";
        EXPECT_LT(QFileInfo(r.file).size(), 400 * 1024);
        const auto recording = Recording::open(r.file.toStdString());
        ASSERT_TRUE(recording);
        EXPECT_EQ((*recording)->damage(), "");
    }
}

TEST_F(ReplayWindow, TheRowIsThereOnlyWhileReplaying) {
    EXPECT_FALSE(row.isVisible());
    open();
    EXPECT_TRUE(row.isVisible());
    EXPECT_EQ(window.findChild<QLabel*>("badge")->text(), "REPLAY");
    EXPECT_TRUE(window.action("replay-play")->isEnabled());
    EXPECT_FALSE(window.action("record")->isEnabled());
    window.action("replay-leave")->trigger();
    EXPECT_FALSE(row.isVisible());
    EXPECT_FALSE(bar.replaying());
    EXPECT_FALSE(window.action("replay-play")->isEnabled());
}

TEST_F(ReplayWindow, PlaysStepsScrubsAndChangesSpeed) {
    open();
    const auto* slider = named<QSlider>("Position in the recording, in tokens");
    EXPECT_EQ(slider->maximum(), bar.replay()->tokens());
    window.action("replay-forward")->trigger();
    window.action("replay-forward")->trigger();
    EXPECT_EQ(bar.replay()->token(), 2);
    EXPECT_EQ(slider->value(), 2);
    window.action("replay-back")->trigger();
    EXPECT_EQ(bar.replay()->token(), 1);
    const_cast<QSlider*>(slider)->setValue(20);
    s.session->tick();
    EXPECT_EQ(bar.replay()->token(), 20);
    int64_t made = 0;
    for (int64_t p = 0; p < s.session->trace().size(); ++p) made += s.session->trace().row(p).made;
    EXPECT_EQ(made, 20) << "the lenses know as many";
    window.action("replay-faster")->trigger();
    EXPECT_EQ(bar.replay()->speed(), 2);
    window.action("replay-slower")->trigger();
    window.action("replay-slower")->trigger();
    EXPECT_EQ(bar.replay()->speed(), 0.5);
    QTest::mouseClick(named<QToolButton>("Play"), Qt::LeftButton);
    EXPECT_TRUE(bar.replay()->playing());
    EXPECT_TRUE(QTest::qWaitFor([&] { return bar.replay()->token() > 20; }, 60'000));
    QTest::mouseClick(named<QToolButton>("Pause"), Qt::LeftButton);
    EXPECT_FALSE(bar.replay()->playing());
}

TEST_F(ReplayWindow, EveryPanelIsDrivenByAShippedRecording) {
    open();
    for (const PanelRow& panel : panels()) {
        window.show_panel(panel.info.id);
        bar.replay()->seek(0), s.session->tick();
        for (int64_t n = 0; n < bar.replay()->tokens(); n += 20) bar.replay()->seek(n), s.session->tick(), QTest::qWait(1);
        EXPECT_GT(colours_in(window.panel(panel.info.id)->grab().toImage()), 3) << panel.info.id;
    }
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const QSize size : {QSize(1440, 900), QSize(1024, 640)}) {
            window.resize(size);
            QTest::qWait(5);
            EXPECT_GT(colours_in(bar.grab().toImage()), 10);
            EXPECT_LE(bar.geometry().right(), window.width());
        }
    }
}

TEST_F(ReplayWindow, AFileThatIsNoneIsSaidAndNothingChanges) {
    s.answer(5);
    QString said;
    QObject::connect(s.session.get(), &Session::noticed, [&](const QString& what, const QString&, bool) { said = what; });
    window.open_recording("/etc/hostname");
    EXPECT_TRUE(said.contains("is not a recorded run")) << said.toStdString();
    EXPECT_FALSE(bar.replaying());
    EXPECT_EQ(s.session->trace().size(), 17);
}

TEST_F(ReplayWindow, LoadingAModelEndsTheReplay) {
    open();
    window.load_model("/no/such/model");
    EXPECT_FALSE(bar.replaying());
}

TEST_F(ReplayWindow, AtItsBeginningItIsAsIfNothingHadBeenAnswered) {
    open();
    bar.replay()->seek(bar.replay()->tokens() / 2), s.session->tick();
    EXPECT_GT(chats.chat().line().size(), 2u);
    named<QSlider>("Position in the recording, in tokens")->setValue(0);
    s.session->tick();
    int64_t made = 0;
    for (int64_t p = 0; p < s.session->trace().size(); ++p) made += s.session->trace().row(p).made;
    EXPECT_EQ(made, 0);
    EXPECT_GT(s.session->trace().size(), 0) << "the question is there";
    EXPECT_TRUE(std::isnan(s.session->tokens_per_second()));
    ASSERT_EQ(chats.chat().line().size(), 2u);
    const ChatMessage& answer = chats.chat().message(chats.chat().tip());
    EXPECT_TRUE(answer.ids.empty());
    EXPECT_FALSE(answer.stats) << "it is not broken off, it has not begun";
    bool paused = false;
    for (const QLabel* label : window.findChildren<QLabel*>()) paused = paused || label->text() == "paused";
    EXPECT_TRUE(paused);
    EXPECT_EQ(window.findChild<QPushButton*>("send")->text(), "Send") << "there is nothing to stop";
    EXPECT_EQ(window.findChild<QLabel*>("count")->text(), "") << "and nothing to count";
}

// An answer is played from what is known of it, over the engine, which is there again afterwards as it stood.
class PlayedAnswer : public ::testing::Test {
protected:
    PlayedAnswer() {
        auto run = std::make_unique<ScriptedRun>([this](const Command& c) -> std::vector<Event> {
            if (const auto* ask = std::get_if<MakeAnswer>(&c)) return scripted_answer(*card, ask->answer, session->trace().size(), 20);
            if (const auto* probe = std::get_if<ProbeState>(&c)) {
                StatePicture picture{probe->layer, probe->head, probe->position + 1, 2, 2, {1, 2, 3, static_cast<float>(probe->position)}};
                picture.past = true;
                return {picture};
            }
            return {};
        });
        script = run.get();
        session = std::make_unique<Session>(std::move(run));
        script->play({Loaded{card}, PhaseChanged{Phase::ready}});
        session->tick();
        chats = std::make_unique<Chats>(*session);
        window = std::make_unique<MainWindow>(*session, *chats);
        window->show();
        for (const char* said : {"What does the gate do?", "And now?"}) chats->send(said), session->tick();
        QTest::qWait(5);
    }
    int64_t made() const {
        int64_t n = 0;
        for (int64_t p = 0; p < session->trace().size(); ++p) n += session->trace().row(p).made;
        return n;
    }
    std::shared_ptr<const RunCard> card = scripted_card();
    ScriptedRun* script = nullptr;
    std::unique_ptr<Session> session;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<MainWindow> window;
};

TEST_F(PlayedAnswer, StepsAndScrubsAndEndsAsItWas) {
    ReplayBar& bar = *window->findChild<ReplayBar*>();
    const Chat* chat = &chats->chat();
    const int answer = chat->tip();
    std::vector<std::vector<float>> readings;
    std::vector<float> times;
    for (int64_t p = 0; p < session->trace().size(); ++p) {
        const auto values = session->trace().readings(p);
        readings.emplace_back(values.begin(), values.end()), times.push_back(session->trace().row(p).nanoseconds);
    }
    session->set_pace(Valve::kStep);
    window->play_again(answer);
    ASSERT_TRUE(bar.again());
    EXPECT_FALSE(session->live());
    EXPECT_EQ(window->findChild<QLabel*>("badge")->text(), "REPLAY");
    EXPECT_EQ(bar.replay()->tokens(), 20);
    EXPECT_FALSE(bar.replay()->playing()) << "step by step";
    EXPECT_EQ(session->trace().size(), 44) << "what it answers is there";
    auto* timeline = window->findChild<Timeline*>()->view();
    for (int n = 1; n <= 3; ++n) {
        window->action("replay-forward")->trigger();
        EXPECT_EQ(session->trace().size(), 44 + n);
        EXPECT_EQ(chats->chat().message(chats->chat().tip()).ids.size(), static_cast<size_t>(n));
        EXPECT_TRUE(QTest::qWaitFor([&] { return timeline->tokens() == 44 + n; })) << "drawn when it is its turn";
    }
    bar.replay()->seek(20), session->tick();
    ASSERT_EQ(session->trace().size(), static_cast<int64_t>(readings.size()));
    for (size_t p = 0; p < readings.size(); ++p) {
        EXPECT_TRUE(std::ranges::equal(session->trace().readings(static_cast<int64_t>(p)), readings[p])) << "to the last bit, token " << p;
        if (p >= 44) {
            EXPECT_EQ(session->trace().row(static_cast<int64_t>(p)).nanoseconds, times[p]);
        }
    }
    EXPECT_EQ(chats->chat().message(chats->chat().tip()).text, chat->message(answer).text);
    bar.replay()->seek(1), session->tick();
    EXPECT_EQ(made(), 21);

    window->action("replay-leave")->trigger();
    EXPECT_FALSE(bar.replaying());
    EXPECT_TRUE(session->live());
    EXPECT_EQ(&session->run(), script) << "the engine was there all the time";
    EXPECT_EQ(&chats->chat(), chat);
    EXPECT_EQ(session->trace().size(), static_cast<int64_t>(readings.size()));
    EXPECT_TRUE(std::ranges::equal(session->trace().readings(50), readings[50]));
    EXPECT_EQ(session->phase().phase, Phase::ready);
    session->set_pace(Valve::kFull);
    ASSERT_TRUE(chats->send("Go on."));
    session->tick();
    EXPECT_EQ(made(), 60) << "and answers";
}

TEST_F(PlayedAnswer, TheEngineBehindItPicturesTheStateOfEveryStep) {
    session->set_pace(Valve::kStep);
    window->show_panel("state");
    session->selection().set_head(1, 2);
    QTest::qWait(5);
    std::vector<StatePicture> seen;
    QObject::connect(session.get(), &Session::state_pictured, [&](const StatePicture& p) { seen.push_back(p); });
    window->play_again(chats->chat().tip());
    for (int n = 0; n < 3; ++n) window->action("replay-forward")->trigger(), session->tick();
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.back().position, session->trace().size());
    EXPECT_FALSE(seen.back().past) << "it is the state of now";
    EXPECT_EQ(seen.back().head, 2);
}

TEST_F(PlayedAnswer, FromTheKeyboardAndOnlyWhatIsKnown) {
    ReplayBar& bar = *window->findChild<ReplayBar*>();
    window->action("replay-play")->trigger();
    EXPECT_TRUE(bar.again()) << "the last answer";
    EXPECT_TRUE(bar.replay()->playing());
    window->action("replay-play")->trigger();
    EXPECT_FALSE(bar.replay()->playing());
    window->action("replay-leave")->trigger();
    QString said;
    QObject::connect(session.get(), &Session::noticed, [&](const QString& what, const QString&, bool) { said = what; });
    script->play({PromptFed{3, {1}}});  // the engine stands elsewhere
    session->tick();
    window->play_again(chats->chat().tip());
    EXPECT_FALSE(bar.replaying());
    EXPECT_TRUE(said.contains("cannot be played")) << said.toStdString();
}

TEST_F(PlayedAnswer, NewAndOtherChatsLeaveThePlayAndTheRestSaysWhy) {
    ReplayBar& bar = *window->findChild<ReplayBar*>();
    const Chat* chat = &chats->chat();
    QString said;
    QObject::connect(session.get(), &Session::noticed, [&](const QString& what, const QString&, bool) { said = what; });
    window->play_again(chat->tip());
    ASSERT_TRUE(bar.again());
    chats->fork(chats->chat().tip());
    EXPECT_TRUE(said.contains("is being played again")) << said.toStdString();
    EXPECT_FALSE(said.contains("recording"));
    said.clear();
    session->post(StartRace{});
    session->tick();
    EXPECT_TRUE(said.contains("played again") && !said.contains("recording")) << said.toStdString();
    EXPECT_TRUE(window->action("new-chat")->isEnabled());
    window->action("new-chat")->trigger();
    EXPECT_FALSE(bar.replaying());
    EXPECT_TRUE(session->live());
    EXPECT_EQ(&session->run(), script);
    EXPECT_NE(&chats->chat(), chat);
    EXPECT_EQ(chats->chat().count(), 0) << "a new chat";
    chats->open(chat);
    session->tick();
    script->play({PromptFed{0, {}}});
    session->tick();
    ASSERT_TRUE(chats->send("Once more."));
    session->tick();
    window->play_again(chats->chat().tip());
    ASSERT_TRUE(bar.again());
    chats->open(chat);
    EXPECT_FALSE(bar.replaying()) << "so does a chat of the list";
    EXPECT_EQ(&chats->chat(), chat);
}

TEST_F(ReplayWindow, NewLeavesARecording) {
    open();
    ASSERT_TRUE(bar.replaying());
    window.action("new-chat")->trigger();
    EXPECT_FALSE(bar.replaying());
    EXPECT_FALSE(chats.recorded());
    EXPECT_EQ(chats.chat().count(), 0);
}

}  // namespace
}  // namespace klp::gui
