// The lenses Memory, Race, Experts, Logits and Log, and the chart they draw with: their numbers against hand-made ones, their pictures, what clicks do.
#include <QAbstractItemModelTester>
#include <QAccessible>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSlider>
#include <QTableView>
#include <cmath>
#include <limits>

#include "app/gui/draw/line_chart.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/expert_load.h"
#include "app/gui/session/memory_model.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

const ModelConfig& shape(std::string_view name) {
    for (const NamedShape& s : named_shapes())
        if (s.name == name) return s.config;
    std::abort();
}

// --- numbers ------------------------------------------------------------------------------------------------------------

TEST(MemoryModel, OfThe48BIsWhatTheReportAndAPencilSay) {
    const ModelConfig& c = shape("kimi-linear-48b");
    // 27 layers, 32 heads, keys 128 + 64, values 128, two bytes
    const MemoryModel bytes = memory_model(c, 2);
    EXPECT_EQ(bytes.multi_head.token, 27 * 32 * 320 * 2);
    EXPECT_EQ(bytes.twin.token, 27 * 576 * 2);
    // state 20 * 32 * 128 * 128 * 4, tails 20 * 3 * 32 * 384 * 4, over 20 layers * 576 * 2 bytes: 1948.5
    EXPECT_EQ(crossover(bytes.mine, bytes.twin), 1949);
    EXPECT_EQ(bytes.mine.at(1000), sequence_bytes(c, 1000).total());
    const auto total = [&](const ModelConfig& m, int64_t n) { return sequence_bytes(m, n).total(); };
    EXPECT_GT(total(c, 1948), total(all_attention(c), 1948));
    EXPECT_LT(total(c, 1949), total(all_attention(c), 1949));
    EXPECT_NEAR(double(total(c, 1 << 20)) / double(total(all_attention(c), 1 << 20)), 0.26, 0.005) << "75 % less";
}

TEST(MemoryModel, KnowsModelsOfOneKind) {
    ModelConfig only_mla = all_attention(shape("tiny"));
    EXPECT_EQ(crossover(memory_model(only_mla, 2).mine, memory_model(only_mla, 2).twin), -1);
    ModelConfig only_kda = shape("tiny");
    for (std::string& kind : only_kda.layer_kinds) kind = "kda";
    only_kda.kv_lora_rank = only_kda.num_attention_heads = only_kda.qk_nope_head_dim = only_kda.qk_rope_head_dim = only_kda.v_head_dim = 0;
    const MemoryModel bytes = memory_model(only_kda, 2);
    EXPECT_EQ(bytes.mine.token, 0);
    EXPECT_GT(crossover(bytes.mine, bytes.twin), 0);
    EXPECT_EQ(bytes.multi_head.token, 4 * 2 * (32 + 16 + 32) * 2) << "heads as its twin would have";
}

TEST(MemoryModel, SaysWhatFits) {
    EXPECT_EQ(longest({100, 10}, 1000), 90);
    EXPECT_EQ(longest({100, 10}, 99), -1);
    EXPECT_EQ(longest({100, 0}, 100), std::numeric_limits<int64_t>::max());
    EXPECT_EQ(in_pages(0), 0);
    EXPECT_EQ(in_pages(257), 512);
}

TEST(LineChart, TicksAreRoundInTheirUnit) {
    using Unit = LineChart::Unit;
    const auto texts = [](const LineChart::Axis& a, int most) {
        QStringList out;
        for (double v : LineChart::ticks(a, most)) out << LineChart::tick_text(v, a.unit);
        return out.join(" ");
    };
    EXPECT_EQ(texts({"", true, 256, 1 << 20, Unit::tokens}, 8), "256 1k 4k 16k 64k 256k 1M");
    EXPECT_EQ(texts({"", true, 1000, 5e9, Unit::bytes}, 6), "1 KiB 32 KiB 1 MiB 32 MiB 1 GiB");
    EXPECT_EQ(texts({"", false, 0, 5.5 * (1 << 20), Unit::bytes}, 7), "0 1 MiB 2 MiB 3 MiB 4 MiB 5 MiB");
    EXPECT_EQ(texts({"", false, 0, 430'000, Unit::nanoseconds}, 6), "0 100 us 200 us 300 us 400 us");
    EXPECT_EQ(texts({"", false, 0, 2.4e9, Unit::nanoseconds}, 6), "0 500 ms 1 s 1.5 s 2 s");
    EXPECT_EQ(texts({"", true, 1, 1e5}, 6), "1 10 100 1000 10,000 100,000");
    EXPECT_EQ(texts({"", false, 0, 2.2}, 5), "0 0.5 1 1.5 2");
    EXPECT_EQ(texts({"", false, 3, 3}, 5), "3");
    EXPECT_EQ(texts({"", false, 1, 3, Unit::count}, 12), "1 2 3");
    EXPECT_EQ(texts({"", false, 3190, 3420, Unit::count}, 4), "3,200 3,300 3,400");
    EXPECT_LE(LineChart::ticks({"", false, 0, 1e18, Unit::bytes}, 5).size(), 5u);
}

TEST(LineChart, DrawsMarksAndWhatIsUnderTheCursor) {
    LineChart chart;
    chart.resize(420, 240);
    chart.set_axes({"tokens", true, 256, 1 << 20, LineChart::Unit::tokens}, {"bytes", true, 1 << 10, 1 << 30, LineChart::Unit::bytes});
    chart.set_series(0, "one", Qt::red, {{256, 2048}, {1 << 20, 1 << 29}});
    chart.set_series(1, "two with a long name", Qt::blue, {{256, 4096}, {1 << 20, 1 << 20}}, true);
    chart.show();
    const QImage before = chart.grab().toImage();
    chart.set_marks({{1000, "a crossover here", Qt::green},
                     {1100, "and now", Qt::white},
                     {1e6, "at the very right end", Qt::yellow},
                     {1e8, "a wall", Qt::red, true},
                     {1e12, "outside", Qt::red, true}});
    const QImage marked = chart.grab().toImage();
    EXPECT_NE(before, marked);
    double x = 0;
    QObject::connect(&chart, &LineChart::hovered, [&](double at) { x = at; });
    QWidget* view = chart.childAt(200, 120);
    ASSERT_NE(view, nullptr);
    QTest::mouseMove(view, {200, 120});
    QMouseEvent move(QEvent::MouseMove, QPointF(200, 120), view->mapToGlobal(QPointF(200, 120)), Qt::NoButton, Qt::NoButton, Qt::NoModifier);
    QApplication::sendEvent(view, &move);
    EXPECT_GT(x, 256);
    EXPECT_LT(x, 1 << 20);
    EXPECT_NE(marked, chart.grab().toImage());
    chart.drop_series(0);
    chart.set_empty("nothing");
    chart.grab();
}

TEST(Text, TokensHideNothing) {
    EXPECT_EQ(visible_token(" the"), "·the");
    EXPECT_EQ(visible_token("\n\n"), "⏎⏎");
    EXPECT_EQ(visible_token("a\tb"), "a⇥b");
    EXPECT_EQ(visible_token("\xC3"), QString(QChar(0xFFFD)));
    EXPECT_FALSE(visible_token("\x1b[2J").contains(QChar(0x1b)));
}

TEST(ExpertLoad, CountsTheWindowInUnitsOfTheBalancedShare) {
    ScriptedSession s;
    s.answer(28);  // 12 + 28 tokens, 8 experts, 2 picks
    ExpertLoad load;
    load.begin(s.card->shape);
    load.follow(s.session->trace());
    load.count(ExpertLoad::kKept);
    EXPECT_EQ(load.tokens(), 40);
    EXPECT_EQ(load.layers(), 3);
    for (int r = 0; r < load.layers(); ++r) {
        float sum = 0;
        std::vector<int64_t> by_hand(8, 0);
        for (int64_t p = 0; p < 40; ++p)
            for (float e : s.card->shape.of(Site::picks, load.layer(r), s.session->trace().readings(p))) ++by_hand[static_cast<size_t>(e)];
        for (int e = 0; e < 8; ++e) {
            EXPECT_EQ(load.picks(r, e), by_hand[static_cast<size_t>(e)]);
            EXPECT_FLOAT_EQ(load.load(r, e), static_cast<float>(by_hand[static_cast<size_t>(e)]) / 10) << "40 tokens * 2 picks / 8 experts";
            sum += load.load(r, e);
        }
        EXPECT_NEAR(sum, 8, 1e-4);
        EXPECT_GE(load.imbalance(r).peak, 1);
    }
    load.count(16);
    EXPECT_EQ(load.tokens(), 16);
    // A rewind: what came behind is forgotten.
    s.script->play({PromptFed{10, {1}}});
    s.session->tick();
    load.follow(s.session->trace());
    load.count(ExpertLoad::kKept);
    EXPECT_EQ(load.tokens(), 10);
}

// --- pictures -----------------------------------------------------------------------------------------------------------

class MeasureLens : public ::testing::TestWithParam<const char*> {};

TEST_P(MeasureLens, DrawsBeforeAndAfterDataInBothThemesAndSizes) {
    ScriptedSession s;
    Lens lens(s, GetParam());
    const auto all = [&] {
        for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
            apply_theme(*qApp, choice);
            for (const QSize size : {QSize(620, 560), QSize(380, 330)}) {
                lens.panel->resize(size);
                Lens::settle();
                EXPECT_GT(colours_in(lens.panel->grab().toImage()), 8);
            }
        }
    };
    all();
    s.answer(60);
    s.script->play({PhaseChanged{Phase::racing, 64, 4096}, RacePoint{64, 2e5, 1.8e5, {1 << 18, 1 << 14, 1 << 16}, {0, 0, 1 << 18}},
                    RacePoint{128, 2e5, 1.9e5, {1 << 18, 1 << 14, 1 << 16}, {0, 0, 1 << 18}}, RaceDone{TwinKind::synthetic, ""}, PhaseChanged{Phase::ready}});
    s.session->tick();
    all();
    EXPECT_LE(lens.panel->minimumSizeHint().width(), 430) << "it must fit beside the chat in a small window";
    TableDataModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.set(lens.panel->table());
    EXPECT_GT(model.rowCount(), 0);
    for (const auto& row : lens.panel->table().rows) EXPECT_EQ(static_cast<qsizetype>(row.size()), lens.panel->table().columns.size());
    s.answer(5, 2);
    model.set(lens.panel->table());
    lens.panel->show_table(true);
    Lens::settle();
    EXPECT_GT(colours_in(lens.panel->grab().toImage()), 3);
    // Nothing is left of it without a model.
    s.script->play({Unloaded{}, PhaseChanged{Phase::empty}});
    s.session->tick();
    lens.panel->show_table(false);
    Lens::settle();
    EXPECT_GT(colours_in(lens.panel->grab().toImage()), 3);
}

TEST_P(MeasureLens, IsUsableByKeyboardAndScreenReader) {
    ScriptedSession s;
    s.answer(20);
    Lens lens(s, GetParam());
    for (QWidget* w : lens.panel->findChildren<QWidget*>()) {
        if (w->focusPolicy() == Qt::NoFocus || !w->isVisibleTo(lens.panel.get()) || w->objectName().startsWith("qt_")) continue;
        QAccessibleInterface* face = QAccessible::queryAccessibleInterface(w);
        ASSERT_NE(face, nullptr);
        EXPECT_FALSE(face->text(QAccessible::Name).isEmpty()) << w->metaObject()->className();
    }
}

INSTANTIATE_TEST_SUITE_P(All, MeasureLens, ::testing::Values("memory", "race", "experts", "logits", "log"), [](const auto& i) { return std::string(i.param); });

// --- what they say and do ------------------------------------------------------------------------------------------------

TEST(MemoryLens, NeedsNoModel) {
    ScriptedSession s;
    s.script->play({Unloaded{}});
    s.session->tick();
    Lens lens(s, "memory");
    EXPECT_EQ(lens.named<QComboBox>("Shape")->currentText(), "kimi-linear-48b");
    EXPECT_TRUE(lens.words().contains("Below 1,949 tokens the same-shapes twin is the smaller one")) << lens.words().toStdString();
    auto* slider = lens.named<QSlider>("What if");
    slider->setValue(slider->maximum());
    Lens::settle();
    EXPECT_TRUE(lens.words().contains("1,048,576 tokens"));
    EXPECT_TRUE(lens.words().contains("7.9 GiB")) << lens.words().toStdString();   // 42.8 MiB + 7.875 KiB a token
    EXPECT_TRUE(lens.words().contains("30.4 GiB")) << lens.words().toStdString();  // 30.375 KiB a token
    EXPECT_TRUE(lens.words().contains("540 GiB")) << lens.words().toStdString();
    // The table by layer: 20 KDA, 7 MLA.
    auto* layers = lens.named<QTableView>("Bytes of each layer");
    EXPECT_EQ(layers->model()->rowCount(), 27);
    EXPECT_EQ(layers->model()->index(3, 1).data().toString(), "MLA");
    EXPECT_EQ(layers->model()->index(0, 2).data().toString(), "2.0 MiB");
}

TEST(MemoryLens, FollowsTheModelThatIsLoadedUntilSomebodyChooses) {
    ScriptedSession s;
    s.answer(500);
    Lens lens(s, "memory");
    EXPECT_TRUE(lens.named<QComboBox>("Shape")->currentText().contains("scripted"));
    EXPECT_TRUE(lens.words().contains("now, 512 tokens"));
    const TableData t = lens.panel->table();
    const SequenceBytes b = sequence_bytes(s.card->config, 512);
    for (const auto& row : t.rows)
        if (row[1] == "now") {
            EXPECT_EQ(row[5].toLongLong(), b.total());
        }
    lens.choose("Shape", 2);
    EXPECT_FALSE(lens.words().contains("now, "));
}

TEST(MemoryLens, ComparesWithWhatIsChosen) {
    ScriptedSession s;
    s.answer(500);
    Lens lens(s, "memory");
    const auto columns = [&] { return lens.named<QTableView>("Bytes of each layer")->model()->columnCount(); };
    const auto compare = [&](Baseline with) {
        s.session->set_baseline(with);
        QTest::qWait(250);  // while tokens come, the lens draws a few times a second only
        return lens.words();
    };
    QString words = compare({true, true});
    EXPECT_TRUE(words.contains("same-shapes twin, computed") && words.contains("multi-head attention, computed")) << words.toStdString();
    EXPECT_EQ(columns(), 7);
    words = compare({false, true});
    EXPECT_FALSE(words.contains("twin")) << words.toStdString();
    EXPECT_TRUE(words.contains("multi-head attention is the smaller one")) << words.toStdString();
    EXPECT_EQ(columns(), 6);
    words = compare({false, false});
    EXPECT_FALSE(words.contains("twin") || words.contains("multi-head") || words.contains("of this model")) << words.toStdString();
    EXPECT_EQ(columns(), 5);
}

TEST(RaceLens, RunsOnlyAgainstTheTwin) {
    ScriptedSession s;
    s.session->set_baseline({false, true});
    Lens lens(s, "race");
    EXPECT_FALSE(lens.named<QPushButton>("Start")->isEnabled());
    EXPECT_TRUE(lens.words().contains("no engine here runs multi-head attention"));
    s.session->set_baseline({true, false});
    Lens::settle();
    EXPECT_TRUE(lens.named<QPushButton>("Start")->isEnabled());
}

TEST(RaceLens, StartsStopsAndSaysWhatItSaw) {
    ScriptedSession s;
    Lens lens(s, "race");
    auto* start = lens.named<QPushButton>("Start");
    lens.choose("Context to race", 1);
    start->click();
    ASSERT_TRUE(std::holds_alternative<StartRace>(s.script->commands.back()));
    EXPECT_EQ(std::get<StartRace>(s.script->commands.back()).context, 16384);
    s.script->play({PhaseChanged{Phase::racing, 0, 16384}, PhaseChanged{Phase::racing, 64, 16384}, RacePoint{64, 2e5, 1e5, {100, 20, 30}, {0, 0, 300}}});
    s.session->tick();
    Lens::settle();
    EXPECT_EQ(start->text(), "Stop");
    EXPECT_TRUE(lens.words().contains("5,000 tokens/s")) << lens.words().toStdString();
    EXPECT_TRUE(lens.words().contains("2.00× as slow")) << "it says so where the twin wins";
    start->click();
    EXPECT_EQ(s.script->cancels, 1);
    s.script->play({RacePoint{128, 2e5, 8e5, {100, 20, 30}, {0, 0, 300}}, RaceDone{TwinKind::synthetic, "stopped at 128 tokens"}, PhaseChanged{Phase::ready}});
    s.session->tick();
    Lens::settle();
    EXPECT_TRUE(lens.words().contains("4.00× as fast"));
    EXPECT_TRUE(lens.words().contains("stopped at 128 tokens"));
    EXPECT_TRUE(lens.words().contains("same-shapes twin, synthetic mixers"));
    const TableData t = lens.panel->table();
    ASSERT_EQ(t.rows.size(), 2u);
    EXPECT_EQ(t.rows[1][0].toLongLong(), 128);
    EXPECT_EQ(t.rows[1][t.columns.indexOf("twin's time / this model's (ratio)")].toDouble(), 4);
    EXPECT_EQ(t.rows[1][t.columns.indexOf("this model (bytes)")].toLongLong(), 150);
    // The next one begins anew.
    s.script->play({PhaseChanged{Phase::racing, 0, 4096}});
    s.session->tick();
    EXPECT_TRUE(lens.panel->table().rows.empty());
}

TEST(RaceLens, SaysThatARecordedOneIsRecorded) {
    ScriptedSession s;
    auto card = std::make_shared<RunCard>(*s.card);
    card->recorded = "2025-11-03, another machine";
    s.script->play({Unloaded{}, Loaded{card}, RacePoint{64, 2e5, 1e5, {100, 20, 30}, {0, 0, 300}}, RaceDone{TwinKind::recorded, ""}});
    s.session->tick();
    Lens lens(s, "race");
    EXPECT_TRUE(lens.panel->table().rows.empty()) << "made before it was looked at";
    s.script->play({RacePoint{64, 2e5, 1e5, {100, 20, 30}, {0, 0, 300}}, RaceDone{TwinKind::recorded, ""}});
    s.session->tick();
    Lens::settle();
    EXPECT_TRUE(lens.words().contains("another machine"));
    EXPECT_TRUE(lens.words().contains("recorded twin"));
}

TEST(ExpertsLens, AsksForPicksOnlyWhileItIsSeen) {
    ScriptedSession s(card_kept_as_seen());
    Lens lens(s, "experts");
    EXPECT_TRUE(s.script->interest.sites[static_cast<int>(Site::picks)]);
    EXPECT_FALSE(s.script->interest.sites[static_cast<int>(Site::log_decay)]);
    s.answer(40);
    Lens::settle();
    auto* map = lens.panel->findChild<HeatMap*>();
    EXPECT_EQ(map->rows(), 3);
    EXPECT_EQ(map->columns(), 8);
    EXPECT_EQ(map->scale().high, 4);
    s.session->selection().set_token(20);
    Lens::settle();
    EXPECT_TRUE(lens.words().contains("token 20")) << lens.words().toStdString();
    emit map->clicked(1, 5);
    EXPECT_EQ(s.session->selection().expert(), 5);
    EXPECT_EQ(s.session->selection().layer(), 2);
    lens.panel->hide();
    EXPECT_FALSE(s.script->interest.sites[static_cast<int>(Site::picks)]);
}

TEST(ExpertsLens, SaysThatAModelHasNone) {
    ScriptedSession s;
    auto card = std::make_shared<RunCard>(*s.card);
    card->config.num_experts = 0;
    card->shape = TraceShape(card->config);
    s.script->play({Loaded{card}});
    s.session->tick();
    Lens lens(s, "experts");
    EXPECT_EQ(lens.panel->findChild<HeatMap*>()->rows(), 0);
    EXPECT_TRUE(lens.panel->table().rows.empty());
}

TEST(LogitsLens, AClickOrEnterOnACandidateBranches) {
    ScriptedSession s;
    Lens lens(s, "logits");
    EXPECT_GE(s.script->interest.top, 8);
    s.answer(20);
    Lens::settle();
    auto* list = lens.named<QTableView>("Candidates");
    ASSERT_EQ(list->model()->rowCount(), 8);
    QApplication::setDoubleClickInterval(10);
    std::vector<std::pair<qint64, qint32>> forks;
    QObject::connect(s.session.get(), &Session::fork_asked, [&](qint64 position, qint32 id) { forks.push_back({position, id}); });
    // The newest token is 31, made as the 20th: id 319, candidates 319, 320 ...
    const auto click = [&](int row) { QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualRect(list->model()->index(row, 1)).center()); };
    click(0);
    EXPECT_TRUE(forks.empty()) << "that is what was said";
    click(1);
    EXPECT_EQ(forks, (decltype(forks){{31, 320}}));
    click(1);
    EXPECT_EQ(forks.size(), 1u) << "a double click";
    QTest::qWait(15);
    list->setCurrentIndex(list->model()->index(2, 1));
    QTest::keyClick(list, Qt::Key_Return);
    EXPECT_EQ(forks.back(), (std::pair<qint64, qint32>{31, 321}));
    s.session->selection().set_token(15);
    QTest::qWait(15);
    click(3);
    EXPECT_EQ(forks.back(), (std::pair<qint64, qint32>{15, 306}));
    s.session->selection().set_token(3);
    Lens::settle();
    EXPECT_EQ(list->model()->rowCount(), 0);
    EXPECT_TRUE(lens.words().contains("was fed, not chosen"));
}

TEST(LogitsLens, ShowsAChosenTokenThatIsNoneOfTheBest) {
    ScriptedSession s;
    Lens lens(s, "logits");
    TokenMade made{.answer = 1, .position = 0, .id = 77, .text = "\n", .nanoseconds = 1000, .probability = 0.01f, .entropy = 2.f, .rank = 40};
    made.top = {{5, 0.5f}, {6, 0.2f}};
    s.script->play({made});
    s.session->tick();
    Lens::settle();
    auto* list = lens.named<QTableView>("Candidates");
    ASSERT_EQ(list->model()->rowCount(), 3);
    EXPECT_EQ(list->model()->index(2, 0).data().toInt(), 41);
    EXPECT_TRUE(list->model()->index(2, 1).data().toString().startsWith("⏎"));
}

TEST(LogitsLens, ItsLineHasGapsWhereNothingWasChosen) {
    ScriptedSession s;
    Lens lens(s, "logits");
    s.answer(10);
    s.answer(10, 2);
    Lens::settle();
    const auto series = lens.named<LineChart>("Entropy")->points();
    ASSERT_EQ(series.size(), 2u) << "a line over each answer, and none over the prompt between them";
    EXPECT_EQ(series[0].size(), 10);
    EXPECT_LT(series[0].last().x() + 1, series[1].first().x());
    EXPECT_TRUE(lens.panel->sentence().contains("was the first choice, with")) << lens.panel->sentence().toStdString();
}

TEST(RaceLens, WithoutAModelHasNoAxesAndOffersTheRecordedRace) {
    ScriptedSession s;
    Lens lens(s, "race");
    EXPECT_FALSE(lens.named<LineChart>("Time of a token")->isVisible()) << "nothing was measured yet";
    EXPECT_TRUE(lens.named<LineChart>("Memory by context")->isVisible());
    s.script->play({RacePoint{64, 2e5, 1e5, {100, 20, 30}, {0, 0, 300}}});
    s.session->tick();
    Lens::settle();
    EXPECT_TRUE(lens.named<LineChart>("Time of a token")->isVisible());
    s.script->play({Unloaded{}, PhaseChanged{Phase::empty}});
    s.session->tick();
    Lens::settle();
    EXPECT_FALSE(lens.named<LineChart>("Time of a token")->isVisible());
    EXPECT_FALSE(lens.named<LineChart>("Memory by context")->isVisible());
    bool asked = false;
    QObject::connect(lens.panel.get(), &Panel::recorded_race_asked, [&] { asked = true; });
    for (auto* b : lens.panel->findChildren<QPushButton*>())
        if (b->text() == "Watch the recorded race") b->click();
    EXPECT_TRUE(asked);
}

TEST(RaceLens, OffersEveryContextOnce) {
    ScriptedSession s;
    Lens lens(s, "race");
    QStringList choices;
    for (auto* box = lens.named<QComboBox>("Context to race"); choices.size() < box->count();) choices << box->itemText(static_cast<int>(choices.size()));
    EXPECT_EQ(choices.join("; "), "4k; 16k; all 65,536");
}

TEST(Tables, SayNumbersAsPeopleReadThemInColumnsThatHoldThem) {
    EXPECT_EQ(cell_text(NAN), "n/a");
    EXPECT_EQ(cell_text(INFINITY), "∞");
    EXPECT_EQ(cell_text(1424960.2), "1,424,960");
    EXPECT_EQ(cell_text(0.01234567), "0.0123457");
    QTableView view;
    view.resize(600, 200);
    TableDataModel model;
    view.setModel(&model);
    model.set({{"a heading that is much longer than its numbers", "b", "c"}, {{1.0, "short", "x"}, {2.0, "some words that need their room", "x"}}});
    fit_columns(view);
    EXPECT_GE(view.columnWidth(0), view.fontMetrics().horizontalAdvance("a heading that is much longer than its numbers"));
    EXPECT_GE(view.columnWidth(1), view.fontMetrics().horizontalAdvance("some words that need their room"));
}

TEST(LogLens, KeepsEventsEvenUnseenAndFiltersThem) {
    ScriptedSession s;
    Lens lens(s, "log");
    lens.panel->hide();
    s.answer(20);
    Trouble trouble;
    trouble.error = {Error::failure, "the disk is full"}, trouble.advice = "Make room.";
    s.script->play({trouble});
    s.script->play({RacePoint{64, 2e5, 1e5, {}, {}}});
    s.session->tick();
    lens.panel->show();
    Lens::settle();
    auto* page = lens.panel->findChild<QPlainTextEdit*>();
    EXPECT_TRUE(page->toPlainText().contains("Answer 1: 20 tokens at"));
    EXPECT_TRUE(page->toPlainText().contains("the disk is full. Make room."));
    EXPECT_FALSE(page->toPlainText().contains("Race at 64"));
    lens.choose("Least level", 0);
    EXPECT_TRUE(page->toPlainText().contains("Race at 64"));
    EXPECT_GT(lens.panel->table().rows.size(), 1u);
    lens.choose("Least level", 3);
    EXPECT_EQ(page->toPlainText().count('\n'), 0);
    EXPECT_EQ(lens.panel->table().rows.size(), 1u) << "the table has what is shown";
    for (int i = 0; i < 6000; ++i) s.script->play({trouble});
    s.session->tick();
    Lens::settle();
    EXPECT_EQ(lens.panel->table().rows.size(), 5000u);
    EXPECT_LE(page->blockCount(), 5000);
}

TEST(MemoryLens, SaysWhatARollingCacheDropped) {
    ScriptedSession s;
    s.answer(700);
    Lens lens(s, "memory");
    EXPECT_FALSE(lens.words().contains("dropped"));
    s.script->play({CacheRolled{512}});
    s.session->tick();
    Lens::settle();
    QTest::qWait(250);
    const int64_t all = s.session->trace().size();
    EXPECT_TRUE(lens.words().contains(QString("it holds the newest %1, and 512 were dropped").arg(all - 512))) << lens.words().toStdString();
    bool found = false;
    for (const auto& row : lens.panel->table().rows) found = found || (row[1].toString() == "now, rows of the cache" && row[0].toLongLong() == all - 512);
    EXPECT_TRUE(found);
}

}  // namespace
}  // namespace klp::gui
