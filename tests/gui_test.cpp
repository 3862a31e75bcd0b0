// The window and what all lenses share: models under a tester, panels drawn without a screen, keys, names for screen readers.
#include <QAbstractItemModelTester>
#include <QAccessible>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QMenuBar>
#include <QMimeData>

#include <cmath>

#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/frame/main_window.h"
#include "app/opener.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

TEST(TraceStore, KeepsNumbersOfAllTokensAndReadingsOfTheNewest) {
    ScriptedSession s;
    s.answer(40);
    const TraceStore& trace = s.session->trace();
    ASSERT_EQ(trace.size(), 52);
    EXPECT_FALSE(trace.row(3).made);
    EXPECT_TRUE(trace.row(12).made);
    EXPECT_EQ(trace.row(12).text, " The");
    EXPECT_GT(trace.row(40).state_norm_p95, trace.row(40).state_norm);
    EXPECT_EQ(trace.readings(20).size(), static_cast<size_t>(trace.shape().size()));
    EXPECT_EQ(trace.newest_readings(), 51);
    EXPECT_EQ(trace.top(20).size(), 8u);

    TraceStore small(20 * (trace.shape().size() * 4 + 64));
    small.begin(s.card);
    small.fed({0, std::vector<int32_t>(100, 7)});
    for (int64_t p = 0; p < 100; ++p) small.read(scripted_readings(s.card->shape, p));
    EXPECT_TRUE(small.readings(79).empty());
    EXPECT_FALSE(small.readings(80).empty());
}

TEST(TraceStore, GoingBackForgetsWhatComesAfter) {
    ScriptedSession s;
    s.answer(40);
    s.session->selection().set_token(45);
    s.script->play({PromptFed{20, {1, 2}}});
    s.session->tick();
    EXPECT_EQ(s.session->trace().size(), 22);
    EXPECT_TRUE(s.session->trace().readings(20).empty());
    EXPECT_EQ(s.session->selection().token(), Selection::kNewest);
}

TEST(TraceStore, UnderOtherHandsTheSameTokensAreOthersFromThereOn) {
    ScriptedSession s;
    s.answer(1);
    const auto card = s.card;
    TraceStore trace;
    trace.begin(card);
    const auto hands = std::make_shared<const Interventions>(Interventions{{.what = Intervention::What::gates, .from = 2, .amount = 2}});
    const std::vector<float> some(static_cast<size_t>(card->shape.size()), 1), others(static_cast<size_t>(card->shape.size()), 2);
    trace.fed({0, {1, 2, 3, 4}});
    for (int64_t p = 0; p < 4; ++p) trace.read({p, some});
    trace.fed({2, {3, 4}, {}, hands});
    EXPECT_FALSE(trace.readings(1).empty()) << "before they begin nothing is another";
    EXPECT_TRUE(trace.readings(2).empty());
    EXPECT_TRUE(trace.readings(3).empty());
    for (int64_t p = 2; p < 4; ++p) trace.read({p, others});
    TraceStore::Stored stored;
    std::vector<TracePiece> pieces = trace.pieces(stored);
    trace.fed({0, {1, 2, 3, 4}});
    for (int64_t p = 0; p < 4; ++p) {
        ASSERT_FALSE(trace.readings(p).empty()) << p;
        EXPECT_EQ(trace.readings(p)[0], 1) << p;
    }
    trace.fed({1, {2, 3, 4}, {}, hands});
    EXPECT_EQ(trace.readings(1)[0], 1);
    EXPECT_EQ(trace.readings(3)[0], 2);

    // From a file, too.
    TraceStore opened;
    opened.begin(card);
    for (TracePiece& piece : pieces) opened.recall(std::move(piece));
    opened.fed({0, {1, 2, 3, 4}});
    EXPECT_FALSE(opened.readings(1).empty());
    EXPECT_TRUE(opened.readings(3).empty()) << "it is of other hands";
    opened.fed({0, {1, 2, 3, 4}, {}, hands});
    ASSERT_FALSE(opened.readings(3).empty());
    EXPECT_EQ(opened.readings(3)[0], 2);
}

// A line that is left and told again is known again, also after another model of other files had its turn; and a file's pieces find their tokens.
TEST(TraceStore, ALineThatIsToldAgainIsKnownAgain) {
    ScriptedSession s;
    s.answer(40);
    TraceStore& trace = const_cast<TraceStore&>(s.session->trace());
    std::vector<int32_t> line;
    for (int64_t p = 0; p < trace.size(); ++p) line.push_back(trace.row(p).id);
    const auto expect_all = [&](const TraceStore& t) {
        ASSERT_EQ(t.size(), 52);
        for (int64_t p = 0; p < 52; ++p) {
            EXPECT_FALSE(t.readings(p).empty()) << p;
            EXPECT_EQ(t.row(p).made, p >= 12) << p;
            EXPECT_EQ(std::isnan(t.row(p).nanoseconds), p < 12) << p;
        }
        EXPECT_EQ(t.top(20).size(), 8u);
        EXPECT_EQ(t.newest_readings(), 51);
    };
    trace.fed({20, {1, 2, 3}});
    EXPECT_TRUE(trace.readings(20).empty());
    trace.fed({5, {9, 9}});
    trace.fed({5, {line.begin() + 5, line.begin() + 15}});  // in two steps, over the place where the other line left
    trace.fed({15, {line.begin() + 15, line.end()}});
    expect_all(trace);

    TraceStore::Stored stored;
    std::vector<TracePiece> pieces = trace.pieces(stored);
    EXPECT_TRUE(trace.pieces(stored).empty()) << "all is stored";
    for (const bool line_first : {true, false}) {
        TraceStore other;
        other.begin(s.card);
        if (line_first) other.fed({0, line});
        for (TracePiece piece : pieces) other.recall(std::move(piece));
        if (!line_first) other.fed({0, line});
        expect_all(other);
        TraceStore third;
        third.begin(s.card);
        std::vector<int32_t> changed = line;
        changed[30] = 4000;
        third.fed({0, changed});
        for (TracePiece piece : pieces) third.recall(std::move(piece));
        EXPECT_FALSE(third.readings(29).empty());
        EXPECT_TRUE(third.readings(30).empty());
        EXPECT_TRUE(third.readings(31).empty()) << "the same token behind others";
    }
}

TEST(Session, AsksOnlyForWhatIsLookedAt) {
    ScriptedSession s(card_kept_as_seen());
    Interest a, b;
    a.sites[0] = true, a.top = 4, b.top = 9;
    s.session->set_interest(&a, a);
    s.session->set_interest(&b, b);
    EXPECT_TRUE(s.script->interest.sites[0]);
    EXPECT_EQ(s.script->interest.top, 9);
    s.session->set_interest(&b, {});
    EXPECT_EQ(s.script->interest.top, 4);
}

TEST(Tables, AreModelsAndCsv) {
    TableDataModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.set({{"a", "b"}, {{1, "x, \"y\""}, {2.5, "z"}}});
    EXPECT_EQ(model.rowCount(), 2);
    model.set({{"a", "b"}, {{3, "x"}, {4, "y"}}});
    model.set({{"a"}, {}});
    EXPECT_EQ(to_csv({{"a", "b"}, {{1, "x, \"y\""}}}), "a,b\r\n1,\"x, \"\"y\"\"\"\r\n");
}

TEST(HeatMap, HatchesWhatIsNoNumberAndFollowsKeys) {
    HeatMap map;
    map.resize(300, 200);
    std::vector<float> v(12, 0.5f);
    v[5] = NAN;
    map.set_values(3, 4, v);
    map.describe = [](int r, int c, float) { return QString("%1 %2").arg(r).arg(c); };
    std::pair<int, int> clicked{-1, -1};
    QObject::connect(&map, &HeatMap::clicked, [&](int r, int c) { clicked = {r, c}; });
    map.show();
    QTest::keyClick(&map, Qt::Key_Right);
    QTest::keyClick(&map, Qt::Key_Down);
    QTest::keyClick(&map, Qt::Key_Return);
    EXPECT_EQ(clicked, std::pair(1, 1));
    EXPECT_GT(colours_in(map.grab().toImage()), 3);
}

TEST(LineChart, DrawsAndThins) {
    QList<QPointF> points;
    for (int i = 0; i < 100'000; ++i) points.push_back({double(i), i == 54'321 ? 9.0 : std::sin(i * 0.01)});
    const auto few = thinned(points);
    EXPECT_LE(few.size(), 600);
    EXPECT_TRUE(few.contains(QPointF(54'321, 9)));
    LineChart chart;
    chart.resize(400, 200);
    chart.set_axes({"tokens", true, 1, 1e5}, {"bytes", true, 1e-3, 10});
    chart.set_series(0, "one", Qt::red, points);
    chart.show();
    EXPECT_GT(colours_in(chart.grab().toImage()), 5);
}

class WindowTest : public ::testing::Test {
protected:
    WindowTest() : chats(*s.session), window(*s.session, chats) { window.show(); }
    ScriptedSession s;
    Chats chats;
    MainWindow window;
};

TEST_F(WindowTest, EveryLensOpensByItsKeyAndDraws) {
    for (const PanelRow& row : panels()) {
        window.show_panel(row.info.id);
        QTest::qWait(1);
        EXPECT_TRUE(window.panel(row.info.id)->isVisible()) << row.info.id;
    }
    s.answer(30);
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const QSize size : {QSize(1440, 900), QSize(1024, 640)}) {
            window.resize(size);
            for (const PanelRow& row : panels()) {
                window.show_panel(row.info.id);
                QTest::qWait(5);
                EXPECT_GT(colours_in(window.panel(row.info.id)->grab().toImage()), 3) << row.info.id;
            }
        }
    }
}

TEST_F(WindowTest, EveryActionHasAKeyOfItsOwn) {
    QSet<QString> keys;
    for (const QAction* a : window.findChildren<QAction*>()) {
        if (a->shortcut().isEmpty()) continue;
        EXPECT_FALSE(keys.contains(a->shortcut().toString())) << a->shortcut().toString().toStdString();
        keys.insert(a->shortcut().toString());
    }
    EXPECT_GT(keys.size(), 20);
}

TEST_F(WindowTest, OpensWhatIsDroppedOnIt) {
    const auto drop = [&](const QString& path) {
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile(path)});
        QDragEnterEvent enter(QPoint(9, 9), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        enter.ignore();
        QApplication::sendEvent(&window, &enter);
        if (!enter.isAccepted()) return std::string("not taken");
        QDropEvent dropped(QPointF(9, 9), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&window, &dropped);
        const auto* load = s.script->commands.empty() ? nullptr : std::get_if<LoadModel>(&s.script->commands.back());
        return load ? load->model : std::string("no model");
    };
    EXPECT_EQ(drop("/models/model-Q4_K_M.gguf"), "/models/model-Q4_K_M.gguf");
    const QTemporaryDir model;
    for (const auto& [name, bytes] : {std::pair("config.json", to_json(s.card->config)), {"model.safetensors", std::string("12345678")}}) {
        QFile file(model.filePath(name));
        ASSERT_TRUE(file.open(QIODevice::WriteOnly));
        file.write(bytes.data(), static_cast<qint64>(bytes.size()));
    }
    EXPECT_EQ(drop(model.path()), model.path().toStdString());
    EXPECT_EQ(drop("/models/notes.txt"), "not taken");
}

TEST_F(WindowTest, EverythingFocusableHasAName) {
    for (const QWidget* w : window.findChildren<QWidget*>()) {
        if (w->focusPolicy() == Qt::NoFocus || !w->isVisibleTo(&window)) continue;
        if (QString(w->metaObject()->className()).startsWith("QTab") || w->objectName().startsWith("qt_")) continue;
        QAccessibleInterface* face = QAccessible::queryAccessibleInterface(const_cast<QWidget*>(w));
        ASSERT_NE(face, nullptr);
        EXPECT_FALSE(face->text(QAccessible::Name).isEmpty() && w->accessibleName().isEmpty())
            << w->metaObject()->className() << " " << w->objectName().toStdString() << " in " << w->parentWidget()->metaObject()->className();
    }
}

TEST_F(WindowTest, LensesBehindATabCostNothing) {
    s.script->play({Loaded{card_kept_as_seen()}});
    s.session->tick();
    window.show_panel("experts");
    QTest::qWait(5);
    EXPECT_TRUE(window.panel("experts")->in_sight());
    EXPECT_FALSE(window.panel("decay")->in_sight());
    const Interest& asked = s.script->interest;
    EXPECT_TRUE(asked.sites[static_cast<int>(Site::picks)]);
    EXPECT_FALSE(asked.sites[static_cast<int>(Site::log_decay)]);
    EXPECT_EQ(asked.top, 0);
    window.show_panel("decay");
    QTest::qWait(5);
    EXPECT_TRUE(asked.sites[static_cast<int>(Site::log_decay)]);
    EXPECT_FALSE(asked.sites[static_cast<int>(Site::picks)]);
}

TEST_F(WindowTest, LayoutsAreSavedAndComeBack) {
    window.apply_layout("chat");
    EXPECT_FALSE(window.panel("decay")->isVisible());
    window.close();
    MainWindow again(*s.session, chats);
    again.show();
    EXPECT_FALSE(again.panel("decay")->isVisible());
    again.apply_layout("explore");
    EXPECT_TRUE(again.panel("decay")->isVisible());
}

TEST_F(WindowTest, TwoLensesAreSeenAtOnce) {
    for (const QSize size : {QSize(1440, 900), QSize(1024, 640)}) {
        window.resize(size);
        QTest::qWait(5);
        window.apply_layout("two-lenses");
        QTest::qWait(5);
        const auto place = [&](const char* id) { return QRect(window.panel(id)->mapTo(&window, QPoint()), window.panel(id)->size()); };
        for (const char* id : {"decay", "memory"}) {
            window.show_panel(id);
            QTest::qWait(5);
            EXPECT_TRUE(window.panel(id)->in_sight() && window.panel("state")->in_sight()) << id << " at " << size.width();
            EXPECT_FALSE(place(id).intersects(place("state"))) << size.width();
            EXPECT_LE(window.minimumSizeHint().height(), size.height());
            EXPECT_EQ(window.size(), size) << "it has not grown";
            for (const char* one : {id, "state"}) EXPECT_TRUE(window.rect().contains(place(one))) << one << " at " << size.width();
        }
        window.apply_layout("explore");
        QTest::qWait(5);
        EXPECT_FALSE(window.panel("state")->in_sight()) << "a tab again";
    }
}

TEST_F(WindowTest, ABannerChangesItsColoursWithoutEnd) {
    s.session->say("first", {}, true);
    s.session->say("second", "advice", false);
    apply_theme(*qApp, ThemeChoice::light);
    s.session->say("third", {}, true);
    apply_theme(*qApp, ThemeChoice::dark);
    EXPECT_TRUE(window.findChild<QWidget*>("banner")->isVisible());
}

TEST_F(WindowTest, IsUsableAtTheSmallestSize) {
    auto card = std::make_shared<RunCard>(*s.card);
    card->device.why = std::string(300, 'w');
    s.script->play({Loaded{card}, PhaseChanged{Phase::racing, 1, 2}});
    s.session->tick();
    EXPECT_LE(window.minimumSizeHint().width(), 1024);
    EXPECT_LE(window.minimumSizeHint().height(), 640);
}

// As main() does it: the window is closed while the engine makes an answer that would not end before the test's time is up.
TEST(Closing, InTheMiddleOfAnAnswerEndsTheEngineAndKeepsTheText) {
    const QTemporaryDir home;
    std::weak_ptr<const Model> model;
    std::string said;
    {
        Session session(std::make_unique<LiveRun>([&](const LoadModel& what, const LoadOptions& options) {
            auto opened = open_for_run(what, options);
            if (opened) model = opened->model;
            return opened;
        }));
        Chats chats(session, home.path());
        MainWindow window(session, chats);
        window.show();
        window.load_model("");
        ASSERT_TRUE(QTest::qWaitFor([&] { return session.live() && !session.busy(); }, 60'000));
        chats.set_settings({.preset = "Hot", .sampling = {.temperature = 50}, .predict = session.card()->context / 2});  // hardly ever a stop token
        for (int tries = 0; tries < 5 && !chats.answering(); ++tries) {  // one in thirty meets a stop token so soon
            chats.new_chat();
            ASSERT_TRUE(chats.send("Tell me everything."));
            ASSERT_TRUE(QTest::qWaitFor([&] { return session.trace().size() > 40 || !chats.answering(); }, 60'000));
        }
        ASSERT_TRUE(chats.answering());
        QTimer::singleShot(0, &window, &QWidget::close);
        QApplication::exec();  // ends with the last window
        said = chats.chat().message(2).text;
    }
    EXPECT_TRUE(model.expired()) << "the engine's thread is gone, and with it whoever held the model";
    EXPECT_FALSE(said.empty());
    ScriptedSession next;
    EXPECT_EQ(Chats(*next.session, home.path()).chat().message(2).text, said);
}

}  // namespace
}  // namespace klp::gui
