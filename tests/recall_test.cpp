// Never an empty lens: with the real engine and the real window, every way of leaving a line of talk and of coming back leaves each lens and the timeline with
// their pictures; and what is fed again says what was said the first time.
#include <QAbstractItemView>
#include <QAction>
#include <QFile>
#include <QTableView>

#include <chrono>
#include <cmath>
#include <filesystem>

#include "app/gui/frame/main_window.h"
#include "app/gui/frame/recorder.h"
#include "app/gui/frame/timeline.h"
#include "app/gui/frame/timeline_view.h"
#include "app/opener.h"
#include "core/runs/live_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

// The embedded model. `keeps`: as it is; else as one of which not everything is kept.
Opener opener(bool keeps) {
    return [keeps](const LoadModel& what, const LoadOptions& options) -> Result<OpenedModel> {
        LoadModel load = what;
        load.device = "cpu", load.threads = 1;
        auto opened = open_for_run(load, options);
        if (opened && !keeps) {
            auto card = std::make_shared<RunCard>(*opened->card);
            card->active_bytes = 0;
            opened->card = card;
        }
        return opened;
    };
}

class RecallTest : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override { start(); }
    void TearDown() override { stop(); }
    void start() {
        session = std::make_unique<Session>(std::make_unique<LiveRun>(opener(GetParam())));
        chats = std::make_unique<Chats>(*session, home.path());
        window = std::make_unique<MainWindow>(*session, *chats);
        window->resize(1280, 720);
        window->show();
        QObject::connect(session.get(), &Session::logged, [this](const QString& line) { log << line; });
        load();
    }
    void stop() {
        window.reset(), chats.reset(), session.reset();
    }
    void load() {
        window->load_model("");
        until([&] { return session->live(); }, "a model");
    }
    void until(const std::function<bool()>& done, const char* what) {
        for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20); std::chrono::steady_clock::now() < end;) {
            if (done()) return;
            QTest::qWait(3);
        }
        ADD_FAILURE() << "never: " << what;
        if (HasFatalFailure()) return;
    }
    void ask(const QString& text) {
        Chats::Settings settings = chats->settings();
        settings.sampling.temperature = 0, settings.predict = 400, settings.preset = "Greedy";
        chats->set_settings(settings);
        ASSERT_TRUE(chats->send(text));
        until([&] { return !chats->answering() && session->phase().phase == Phase::ready; }, "an answer");
    }
    const TraceStore& trace() { return session->trace(); }
    // Of the line that the chat shows: all that its lenses need, whatever was in sight.
    bool known() {
        if (session->phase().phase != Phase::ready || trace().size() == 0) return false;
        Interest all;
        for (bool& site : all.sites) site = true;
        all.top = kCandidates;
        for (int64_t p = 0; p < trace().size(); ++p)
            if (trace().lacks(p, GetParam() ? all : session->wanted())) return false;
        return true;
    }
    int64_t times() {
        int64_t n = 0;
        for (int64_t p = 0; p < trace().size(); ++p) n += !std::isnan(trace().row(p).nanoseconds);
        return n;
    }
    std::vector<int32_t> ids() {
        std::vector<int32_t> all;
        for (int64_t p = 0; p < trace().size(); ++p) all.push_back(trace().row(p).id);
        return all;
    }
    // Each lens in turn has its picture, and says nothing of what is not known.
    void expect_pictures(const char* after) {
        SCOPED_TRACE(after);
        for (const char* id : {"decay", "state", "experts", "logits", "attention"}) {
            SCOPED_TRACE(id);
            window->show_panel(id);
            Panel* panel = window->panel(id);
            until([&] { return panel->in_sight() && known(); }, "what it needs");
            const auto drawn = [&] {
                if (id == std::string_view("logits")) {
                    for (auto* list : panel->findChildren<QTableView*>())
                        if (list->accessibleName().startsWith("Candidates")) return list->model()->rowCount() >= 8;
                    return false;
                }
                if (id == std::string_view("attention")) return !panel->table().rows.empty();
                return panel->findChild<HeatMap*>()->rows() > 0;
            };
            until(drawn, "its picture");
        }
        TimelineView* timeline = window->findChild<TimelineView*>();
        until([&] { return colours_in(timeline->grab().toImage()) > 20; }, "the timeline");
    }
    QTemporaryDir home;
    QStringList log;
    std::unique_ptr<Session> session;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<MainWindow> window;
};

INSTANTIATE_TEST_SUITE_P(OfModels, RecallTest, ::testing::Values(true, false),
                         [](const auto& info) { return std::string(info.param ? "KeptWhole" : "KeptAsSeen"); });

TEST_P(RecallTest, ALensThatIsOpenedAfterTheAnswerHasItsPicture) {
    window->show_panel("memory");
    ask("Hello, who are you?");
    EXPECT_EQ(session->keeps_all(), GetParam());
    expect_pictures("an answer");
}

TEST_P(RecallTest, EveryWayBackHasItsPicturesAndItsTimes) {
    ask("Hello, who are you?");
    const Chat* first = &chats->chat();
    const std::vector<int32_t> line = ids();
    const int64_t timed = times();
    ASSERT_GT(timed, 4);
    const auto is_back = [&](const char* after) {
        until([&] { return ids() == line; }, after);
        EXPECT_EQ(times(), timed) << after;
        expect_pictures(after);
    };
    chats->new_chat();
    ask("What is a cat?");
    chats->open(first);
    is_back("another chat was opened");

    chats->fork(chats->chat().tip());
    is_back("a fork");
    chats->open(first);

    window->action("undo-turn")->trigger();
    until([&] { return trace().size() < 4; }, "undone");
    window->action("go-ahead")->trigger();
    is_back("undo and go ahead");

    ask("And a dog?");
    const std::vector<int32_t> longer = ids();
    chats->regenerate(chats->chat().tip());
    until([&] { return !chats->answering(); }, "another answer");
    window->action("branch-before")->trigger();
    until([&] { return ids() == longer; }, "the branch before");
    expect_pictures("the branch before");

    const int tip = chats->chat().tip();
    chats->remove(tip);
    chats->restore(tip);
    until([&] { return ids() == longer; }, "it was brought back");
    EXPECT_GT(times(), timed);
    expect_pictures("removed and brought back");

    chats->remove_chat(&chats->chat());
    chats->restore_chat();
    until([&] { return ids() == longer; }, "the chat was brought back");
    expect_pictures("the chat was brought back");
}

TEST_P(RecallTest, AModelThatIsLoadedAgainAndAReplayThatIsLeft) {
    ask("Hello, who are you?");
    const std::vector<int32_t> line = ids();
    const int64_t timed = times();
    window->action("unload")->trigger();
    until([&] { return !session->card(); }, "unloaded");
    load();
    until([&] { return ids() == line; }, "the line");
    EXPECT_EQ(times(), timed);
    expect_pictures("loaded again");

    const auto recordings = list_recordings();
    ASSERT_FALSE(recordings.empty());
    window->open_recording(recordings[0].file);
    until([&] { return session->card() && !session->live(); }, "a recording");
    window->action("replay-leave")->trigger();
    until([&] { return session->live() && ids() == line; }, "the line again");
    EXPECT_EQ(times(), timed);
    expect_pictures("a replay that was left");
    ASSERT_FALSE(log.join("").contains("fed again")) << log.join("\n").toStdString();
}

TEST_P(RecallTest, ARestartHasWhatWasKeptBesideTheChat) {
    ask("Hello, who are you?");
    const std::vector<int32_t> line = ids();
    const int64_t timed = times();
    std::vector<float> entropies;
    for (int64_t p = 0; p < trace().size(); ++p) entropies.push_back(trace().row(p).entropy);
    expect_pictures("an answer");
    const auto again = [&] {
        stop();
        log.clear();
        start();
        until([&] { return ids() == line; }, "the line");
        expect_pictures("a restart");
    };
    const auto file = [&] { return QString::fromStdString(std::filesystem::path(chats->chat().file()).replace_extension(".klptrace").string()); };
    again();
    EXPECT_EQ(times(), timed) << "only a file can know them";
    for (int64_t p = 0; p < trace().size(); ++p)
        if (const float e = entropies[static_cast<size_t>(p)]; !std::isnan(e)) {
            EXPECT_NEAR(trace().row(p).entropy, e, 1e-3) << p;
        }
    EXPECT_TRUE(log.isEmpty()) << log.join("\n").toStdString();

    // Torn, no such file at all, and another's: said in one line, made again; times are gone with the file.
    const QString name = file();
    for (const int way : {0, 1, 2}) {
        SCOPED_TRACE(way);
        stop();
        QFile f(name);
        ASSERT_TRUE(f.open(QIODevice::ReadWrite));
        if (way == 0) f.resize(f.size() - 3);
        if (way == 1) f.resize(5);
        if (way == 2) f.seek(16), f.write("otherone");
        f.close();
        start();
        log.clear();
        until([&] { return ids() == line; }, "the line");
        expect_pictures("a file that cannot be used");
        EXPECT_EQ(log.filter("fed again").size(), 1) << log.join("\n").toStdString();
    }
    again();
    EXPECT_TRUE(log.isEmpty()) << log.join("\n").toStdString();
}

// The same numbers, whether they were read while the answer was made or from feeding it again.
TEST_P(RecallTest, WhatIsFedAgainSaysTheSame) {
    if (!GetParam()) GTEST_SKIP() << "only what was kept can be compared";
    ask("Hello, who are you?");
    const std::vector<int32_t> line = ids();
    std::vector<std::vector<float>> readings;
    std::vector<std::vector<Candidate>> tops;
    for (int64_t p = 0; p < trace().size(); ++p) {
        readings.emplace_back(trace().readings(p).begin(), trace().readings(p).end());
        tops.push_back(trace().top(p));
    }
    stop();
    for (const auto& f : std::filesystem::directory_iterator(home.path().toStdString()))
        if (f.path().extension() == ".klptrace") std::filesystem::remove(f.path());
    start();
    until([&] { return ids() == line && known(); }, "fed again");
    EXPECT_EQ(times(), 0);
    for (int64_t p = 0; p < trace().size(); ++p) {
        const auto now = trace().readings(p);
        ASSERT_EQ(now.size(), readings[static_cast<size_t>(p)].size()) << p;
        double most = 0;
        for (size_t i = 0; i < now.size(); ++i)
            if (!std::isnan(now[i]) && !std::isnan(readings[static_cast<size_t>(p)][i]))
                most = std::max(most, double(std::abs(now[i] - readings[static_cast<size_t>(p)][i])) / (1 + std::abs(now[i])));
        EXPECT_LT(most, 0.01) << "token " << p;
        if (tops[static_cast<size_t>(p)].empty()) continue;
        ASSERT_FALSE(trace().top(p).empty()) << p;
        EXPECT_EQ(trace().top(p)[0].id, tops[static_cast<size_t>(p)][0].id) << p;
        EXPECT_NEAR(trace().top(p)[0].probability, tops[static_cast<size_t>(p)][0].probability, 1e-3) << p;
    }
}

}  // namespace
}  // namespace klp::gui
