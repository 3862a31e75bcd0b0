// The lab's window: a race from Start to a learner that is asked in the chat, paused and gone on with on the way; nothing waits for a step.
#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QLineEdit>
#include <QPointer>
#include <QPushButton>
#include <QScreen>
#include <QSpinBox>
#include <QTableView>
#include <QTemporaryDir>

#include <fstream>
#include <memory>

#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/starters.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/frame/lab_window.h"
#include "app/gui/frame/main_window.h"
#include "app/opener.h"
#include "core/runs/live_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const kLab = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);
constexpr int kLong = 120'000;  // milliseconds that a busy machine may take

struct Hands {
    explicit Hands(LabWindow& window) : window(window) {}
    template <class T>
    T* find(const char* name) const {
        T* found = window.findChild<T*>(name);
        EXPECT_NE(found, nullptr) << name;
        return found;
    }
    void set(const char* name, int value) const { find<QSpinBox>(name)->setValue(value); }
    void learn_only(std::initializer_list<const char*> mixers) const {
        for (QCheckBox* box : window.findChildren<QCheckBox*>())
            if (box->objectName().startsWith("mixer-")) box->setChecked(false);
        for (const char* mixer : mixers) find<QCheckBox>((std::string("mixer-") + mixer).c_str())->setChecked(true);
    }
    void small(std::initializer_list<const char*> mixers, int steps) const {
        find<QComboBox>("lab-task")->setCurrentIndex(1);  // keys and values
        set("lab-length", 24), set("lab-items", 3), set("lab-vocabulary", 16), set("lab-width", 16), set("lab-steps", steps);
        find<QCheckBox>("lab-search")->setChecked(false);
        learn_only(mixers);
    }
    void click(const char* name) const { QTest::mouseClick(find<QPushButton>(name), Qt::LeftButton); }
    QString said() const { return find<QLabel>("lab-say")->text(); }
    bool rests() const { return find<QPushButton>("lab-more")->isEnabled(); }
    std::vector<QList<QPointF>> curves(const char* name) const { return find<LineChart>(name)->points(); }
    LabWindow& window;
};

TEST(LabWindow, LearnsShowsAndGoesOn) {
    for (const ThemeChoice theme : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, theme);
        LabWindow window;
        window.show();
        const Hands hands(window);
        hands.small({"kda", "linear_attention", "kda+no-gate"}, 12);
        hands.click("lab-start");
        EXPECT_EQ(hands.find<QPushButton>("lab-start")->text(), "Stop");
        EXPECT_FALSE(hands.find<QSpinBox>("lab-width")->isEnabled()) << "what learns is not changed under it";
        ASSERT_TRUE(QTest::qWaitFor([&] { return hands.rests(); }, kLong));
        EXPECT_TRUE(hands.said().startsWith("Keys and values: 3, rows of 23 tokens. After ")) << hands.said().toStdString();
        ASSERT_EQ(hands.curves("lab-accuracy").size(), 3U);
        EXPECT_EQ(hands.curves("lab-accuracy")[0].back().x(), 12);
        EXPECT_GE(hands.curves("lab-loss")[2].size(), 3);
        EXPECT_GE(hands.curves("lab-half-lives")[1].size(), 3) << "of the row that is chosen, the first";
        hands.find<QTableView>("lab-learners")->selectRow(1);
        EXPECT_TRUE(hands.curves("lab-half-lives")[1].isEmpty()) << "linear attention has no gates";
        const TableData before = window.table();
        hands.set("lab-more-steps", 8);
        hands.click("lab-more");
        ASSERT_TRUE(QTest::qWaitFor([&] { return hands.rests() && window.table().rows[0][3].toInt() == 20; }, kLong));
        EXPECT_EQ(window.table().rows[2][3].toInt(), 20);
        EXPECT_NE(window.table().rows[0][2], before.rows[0][2]);
        hands.find<QComboBox>("lab-axis")->setCurrentIndex(1);
        EXPECT_GT(hands.curves("lab-accuracy")[0].back().x(), 0);
        EXPECT_NE(hands.curves("lab-accuracy")[0].back().x(), hands.curves("lab-accuracy")[1].back().x()) << "each learner's own seconds";
        EXPECT_GT(colours_in(window.grab().toImage()), 30);
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

TEST(LabWindow, PausesAndIsClosedWhileItLearns) {
    auto window = std::make_unique<LabWindow>();
    window->show();
    const Hands hands(*window);
    hands.small({"kda", "mla"}, 1'000'000);
    hands.click("lab-start");
    ASSERT_TRUE(QTest::qWaitFor([&] { return hands.said().contains("They learn"); }, kLong));
    hands.click("lab-pause");
    ASSERT_TRUE(QTest::qWaitFor([&] { return hands.said().contains("Paused at"); }, kLong));
    QTest::qWait(300);  // the step that was under way
    const QString at = hands.said();
    QTest::qWait(300);
    EXPECT_EQ(hands.said(), at) << "nothing learns";
    EXPECT_EQ(hands.find<QPushButton>("lab-pause")->text(), "Go on");
    hands.click("lab-pause");
    ASSERT_TRUE(QTest::qWaitFor([&] { return hands.said().contains("They learn"); }, kLong));
    window.reset();  // it learns still
    LabWindow stopped;
    stopped.show();
    const Hands other(stopped);
    other.small({"gdn"}, 1'000'000);
    other.click("lab-start");
    ASSERT_TRUE(QTest::qWaitFor([&] { return other.said().contains("They learn"); }, kLong));
    other.click("lab-start");
    ASSERT_TRUE(QTest::qWaitFor([&] { return other.rests(); }, kLong));
    EXPECT_TRUE(other.find<QPushButton>("lab-save")->isEnabled());
}

TEST(LabWindow, WhatCannotBeIsSaid) {
    LabWindow window;
    window.show();
    const Hands hands(window);
    hands.small({"kda"}, 10);
    hands.find<QLineEdit>("lab-others")->setText("gdn+no-conv, kda+3:1");
    hands.click("lab-start");
    EXPECT_EQ(hands.said(), "the mixer 'kda+3:1' takes 4 layers at least, and there are 2");
    EXPECT_EQ(hands.find<QPushButton>("lab-start")->text(), "Start");
    hands.set("lab-layers", 4);
    EXPECT_TRUE(hands.said().startsWith("Choose a task")) << "what was wrong is gone when something is changed";
    EXPECT_FALSE(window.lay_beside("/nowhere.json").isEmpty());
    QTemporaryDir folder;
    const QString file = folder.filePath("x.json");
    std::ofstream(file.toStdString()) << "{}";
    EXPECT_TRUE(window.lay_beside(file).contains("is no result of klp lab"));
}

TEST(LabWindow, ASavedRunLiesBesideDashed) {
    LabSpec spec;
    spec.task = {TaskKind::mqar, 24, 16, 3};
    spec.mixers = {"kda", "gla"};
    LabResult result{.rows = 4, .chance = 0.125};
    for (const char* mixer : {"kda", "gla"}) {
        LabLearner& one = result.learners.emplace_back();
        one.mixer = mixer;
        for (int64_t step : {0, 10, 20}) one.looks.push_back({.step = step, .seconds = double(step), .loss = 2, .accuracy = double(step) / 20});
    }
    QTemporaryDir folder;
    const QString file = folder.filePath("before.json");
    std::ofstream(file.toStdString()) << lab_json(spec, result);
    LabWindow window;
    window.show();
    EXPECT_EQ(window.lay_beside(file), "");
    const Hands hands(window);
    ASSERT_EQ(hands.curves("lab-accuracy").size(), 2U);
    EXPECT_EQ(hands.curves("lab-accuracy")[1].back(), QPointF(20, 1));
    hands.small({"kda"}, 8);
    hands.click("lab-start");
    ASSERT_TRUE(QTest::qWaitFor([&] { return hands.rests(); }, kLong));
    EXPECT_EQ(hands.curves("lab-accuracy").size(), 3U) << "one that learned now, two that did";
}

// The whole way: learned here, opened in the window, asked in its words, and seen by a lens.
TEST(LabWindow, ALearnerIsAskedInTheWindow) {
    QTemporaryDir home;
    qputenv("XDG_DATA_HOME", home.path().toUtf8());
    Session session(std::make_unique<LiveRun>(open_for_run));
    Chats chats(session);
    MainWindow window(session, chats);
    window.show();
    window.action("lab")->trigger();
    LabWindow* lab = window.open_lab();  // the one that there is
    EXPECT_TRUE(lab->isVisible());
    EXPECT_TRUE(QTest::qWaitFor([&] { return lab->screen()->availableGeometry().contains(lab->frameGeometry()); })) << "its title can be reached";
    const Hands hands(*lab);
    hands.small({"gdn"}, 12);
    hands.click("lab-start");
    ASSERT_TRUE(QTest::qWaitFor([&] { return hands.rests(); }, kLong));
    hands.click("lab-open");
    ASSERT_TRUE(QTest::qWaitFor([&] { return session.card() && session.phase().phase == Phase::ready; }, kLong)) << hands.said().toStdString();
    EXPECT_EQ(session.card()->config.update_rule, "gdn");
    EXPECT_EQ(session.card()->name, "mqar-gdn");
    Starters starters(chats, {{.title = "words", .turns = {"Hello, who are you?"}, .watch = "", .lens = "decay"},
                              {.title = "a row", .turns = {window.chat_view().composer().message().toStdString()}, .watch = "", .lens = "decay"}});
    const auto buttons = starters.findChildren<StarterButton*>();
    ASSERT_EQ(buttons.size(), 2);
    EXPECT_TRUE(buttons[0]->isHidden()) << "it knows no words";
    EXPECT_FALSE(buttons[1]->isHidden());
    const QString question = window.chat_view().composer().message();
    EXPECT_EQ(question.count('|'), 1) << question.toStdString();
    window.chat_view().composer().send();
    ASSERT_TRUE(QTest::qWaitFor([&] { return chats.chat().count() == 2 && !chats.answering(); }, kLong));
    EXPECT_EQ(session.trace().size(), question.size() + 1) << "the row and one answer, and nothing around them";
    EXPECT_FALSE(chats.chat().message(chats.chat().tip()).text.empty());
    hands.click("lab-open");  // again: beside the first
    ASSERT_TRUE(QTest::qWaitFor([&] { return QDir(home.path() + "/klp/lab").exists("mqar-gdn-2"); }, kLong));
    const QPointer<LabWindow> open = lab;
    window.close();
    QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
    EXPECT_TRUE(open.isNull()) << "it goes with the window";
    qunsetenv("XDG_DATA_HOME");
}

}  // namespace
}  // namespace klp::gui
