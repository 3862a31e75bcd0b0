// Side by side in the window, with the embedded model: two answers to one message, each with its words, clock, memory and lens, and back to one.
#include <QComboBox>
#include <QDockWidget>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QToolButton>
#include <chrono>

#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/message_card.h"
#include "app/gui/frame/main_window.h"
#include "app/opener.h"
#include "core/runs/live_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);
using Kind = SideBySide::What::Kind;

class SideTest : public ::testing::Test {
protected:
    void SetUp() override {
        session = std::make_unique<Session>(std::make_unique<LiveRun>([](const LoadModel& what, const LoadOptions& options) {
            LoadModel load = what;
            load.device = "cpu", load.threads = 1;
            return open_for_run(load, options);
        }));
        chats = std::make_unique<Chats>(*session, home.path());
        window = std::make_unique<MainWindow>(*session, *chats);
        window->resize(1440, 900);
        window->show();
        QObject::connect(session.get(), &Session::noticed, [this](const QString& what) { said << what; });
        window->load_model("");
        until([&] { return session->live(); }, "a model");
    }
    void TearDown() override { window.reset(), chats.reset(), session.reset(), apply_theme(*qApp, ThemeChoice::dark); }
    void until(const std::function<bool()>& done, const char* what) {
        for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20); std::chrono::steady_clock::now() < end;) {
            if (done()) return;
            QTest::qWait(3);
        }
        ADD_FAILURE() << "never: " << what;
    }
    void both_rest() {
        until(
            [&] {
                return chats->both_rest() && session->phase().phase == Phase::ready &&
                       (!window->side() || window->side()->session().phase().phase == Phase::ready);
            },
            "both answers");
    }
    void ask(const QString& text, double temperature = 0, int64_t predict = 40) {
        Chats::Settings settings = chats->settings();
        settings.sampling = {.temperature = static_cast<float>(temperature)}, settings.predict = predict, settings.random_seed = true, settings.preset = "test";
        chats->set_settings(settings);
        auto& composer = window->chat_view().composer();
        composer.text().setPlainText(text);
        QTest::mouseClick(composer.findChild<QPushButton*>("send"), Qt::LeftButton);
        both_rest();
    }
    void open(const char* action, Kind kind) {
        ASSERT_TRUE(window->action(action));
        window->action(action)->trigger();
        ASSERT_TRUE(window->side()) << said.join("; ").toStdString() << static_cast<int>(kind);
        until([&] { return chats->beside() != nullptr && window->side()->session().live(); }, "the other side");
        both_rest();
    }
    const ChatMessage& mine() { return chats->chat().message(chats->chat().tip()); }
    const ChatMessage& theirs() {
        const Chat& chat = window->side()->chats().chat();
        return chat.message(chat.tip());
    }

    QTemporaryDir home;
    std::unique_ptr<Session> session;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<MainWindow> window;
    QStringList said;
};

TEST_F(SideTest, TheSameChatWithoutHandsHearsEveryMessageAndSaysTheSameUntilHandsAreLaid) {
    ask("My name is Tom.");
    open("side-plain", Kind::plain);
    SideBySide& side = *window->side();
    EXPECT_TRUE(side.left().isVisible() && side.right().isVisible() && window->chat_view().isVisible());
    EXPECT_TRUE(window->chat_view().composer().isVisible());
    EXPECT_NEAR(side.left().width(), side.right().width(), 4);
    ASSERT_TRUE(side.left().lens() && side.right().lens());
    EXPECT_STREQ(side.right().lens()->info().id, "decay");
    EXPECT_GT(window->chat_view().composer().width(), side.left().width() + side.right().width() - 20) << "one, under both";
    EXPECT_EQ(side.chats().chat().count(), 2) << "it knows what was said";
    for (const char* lens : {"decay", "monitor", "timeline", "conversations"}) {
        auto* dock = window->findChild<QDockWidget*>(QString("dock-") + lens);
        EXPECT_FALSE(dock && dock->isVisible()) << lens;
    }
    ask("Tell me a story.", 0.9);
    EXPECT_EQ(mine().ids, theirs().ids) << "the same memory, settings and seed";
    EXPECT_EQ(mine().stats->seed, theirs().stats->seed);
    EXPECT_EQ(side.chats().chat().count(), 4);
    EXPECT_TRUE(side.right().vitals().contains("tokens/s") && side.right().vitals().contains("state 219 KiB")) << side.right().vitals().toStdString();

    // Hands on the left alone; the right goes on without.
    session->ask_hand({.what = Intervention::What::read, .amount = 0}, false);
    both_rest();
    ask("What is my name?");
    ASSERT_TRUE(mine().hands);
    EXPECT_FALSE(theirs().hands);
    EXPECT_NE(mine().ids, theirs().ids);
    EXPECT_TRUE(QString::fromStdString(theirs().text).contains("Tom")) << theirs().text;

    // Back to one: everything stands where it stood.
    window->action("side-close")->trigger();
    EXPECT_FALSE(window->side());
    EXPECT_EQ(chats->beside(), nullptr);
    QTest::qWait(20);
    EXPECT_TRUE(window->chat_view().isVisible() && window->chat_view().isAncestorOf(&window->chat_view().composer()));
    EXPECT_TRUE(window->findChild<QDockWidget*>("dock-timeline")->isVisible());
    ask("And now?");
    EXPECT_EQ(mine().role, "assistant");
}

TEST_F(SideTest, TheTwinAnswersBesideItAndBothMemoriesRun) {
    for (const bool dark : {true, false}) {
        apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
        open("side-twin", Kind::twin);
        SideBySide& side = *window->side();
        ask("My favorite color is green.");
        ask("What is my favorite color?");
        EXPECT_TRUE(side.session().card()->name.find("trained twin") != std::string::npos) << side.session().card()->name;
        EXPECT_EQ(theirs().role, "assistant");
        EXPECT_FALSE(theirs().text.empty());
        EXPECT_EQ(side.session().memory().state, 0) << "no layer of it has a state";
        EXPECT_GT(side.session().memory().cache, session->memory().cache);
        EXPECT_GT(session->memory().state, 0);
        EXPECT_TRUE(side.right().vitals().contains("cache")) << side.right().vitals().toStdString();
        // A lens of each side.
        side.left().choose_lens("state");
        side.right().choose_lens("logits");
        QTest::qWait(20);
        ASSERT_TRUE(side.left().lens() && side.right().lens());
        EXPECT_STREQ(side.left().lens()->info().id, "state");
        EXPECT_STREQ(side.right().lens()->info().id, "logits");
        EXPECT_TRUE(side.left().lens()->isVisible() && side.right().lens()->isVisible());
        auto* box = side.right().findChild<QComboBox*>("side-lens");
        box->setCurrentIndex(box->findData("memory"));
        EXPECT_STREQ(side.right().lens()->info().id, "memory");
        box->setCurrentIndex(0);
        EXPECT_EQ(side.right().lens(), nullptr);
        EXPECT_GT(colours_in(window->grab().toImage()), 60);
        EXPECT_EQ(window->chat_view().composer().text().placeholderText(), "Message both sides");
        QTest::mouseClick(side.right().findChild<QToolButton*>("side-close"), Qt::LeftButton);
        until([&] { return !window->side(); }, "one side");
    }
}

TEST_F(SideTest, StopStopsBothAndEachSideIsLeftUsable) {
    open("side-plain", Kind::plain);
    session->set_pace(30);
    Chats::Settings settings = chats->settings();
    settings.sampling = {.temperature = 0.9f}, settings.predict = 2000;
    chats->set_settings(settings);
    ASSERT_TRUE(chats->send("Tell me a story."));
    until([&] { return !mine().ids.empty() && !theirs().ids.empty(); }, "first words");
    auto* send = window->chat_view().composer().findChild<QPushButton*>("send");
    EXPECT_EQ(send->text(), "Stop");
    QTest::mouseClick(send, Qt::LeftButton);
    both_rest();
    EXPECT_EQ(mine().stats->end, "cancelled");
    EXPECT_EQ(theirs().stats->end, "cancelled");
    session->set_pace(0);
    until([&] { return send->text() == "Send"; }, "the button");
    ask("What is KDA?");
    EXPECT_FALSE(theirs().text.empty());
}

TEST_F(SideTest, AnotherBranchAndAnotherChatStandBesideThisOne) {
    ask("My name is Tom.");
    const Chat* first = &chats->chat();
    ask("What is my name?", 0.9);
    const int other = chats->chat().tip();
    chats->vary(other);
    both_rest();
    ASSERT_NE(chats->chat().tip(), other);
    auto* sides = window->findChild<QMenu*>("sides");
    ASSERT_TRUE(sides);
    emit sides->aboutToShow();
    QMenu *branches = nullptr, *others = nullptr;
    for (QAction* action : sides->actions()) {
        if (action->text() == "Another branch") branches = action->menu();
        if (action->text() == "Another chat") others = action->menu();
    }
    ASSERT_TRUE(branches && others);
    ASSERT_EQ(branches->actions().size(), 1);
    EXPECT_FALSE(others->isEnabled()) << "there is no other";
    branches->actions()[0]->trigger();
    ASSERT_TRUE(window->side());
    until([&] { return chats->beside() != nullptr; }, "the other side");
    both_rest();
    EXPECT_EQ(theirs().text, chats->chat().message(other).text);
    window->close_beside();

    chats->new_chat();
    ask("My name is Ann.");
    emit sides->aboutToShow();
    ASSERT_EQ(others->actions().size(), 1);
    others->actions()[0]->trigger();
    until([&] { return chats->beside() != nullptr; }, "the other side");
    both_rest();
    ask("What is my name?");
    EXPECT_TRUE(QString::fromStdString(mine().text).contains("Ann")) << mine().text;
    EXPECT_TRUE(QString::fromStdString(theirs().text).contains("Tom")) << theirs().text;
    EXPECT_EQ(first->count(), 5) << "the chat itself hears nothing: its copy does";
}

TEST_F(SideTest, WhatIsInTheWayIsSaidAndAnotherModelEndsIt) {
    open("side-plain", Kind::plain);
    session->post(UnloadModel{});
    until([&] { return !window->side(); }, "one side");
    EXPECT_TRUE(window->chat_view().isVisible());
    window->action("side-twin")->trigger();
    EXPECT_FALSE(window->side());
    EXPECT_TRUE(said.join(" ").contains("Two sides need a model")) << said.join("; ").toStdString();
    // Small windows: both sides are in sight and nothing is wider than the window.
    window->load_model("");
    until([&] { return session->live(); }, "a model again");
    window->resize(1024, 640);
    open("side-twin", Kind::twin);
    QTest::qWait(20);
    EXPECT_LE(window->width(), 1024);
    EXPECT_GT(window->side()->right().width(), 380);
    EXPECT_EQ(window->side()->left().lens(), nullptr) << "no height for one; it can be chosen";
    window.reset();  // a window that is closed meanwhile takes its side with it
}

}  // namespace
}  // namespace klp::gui
