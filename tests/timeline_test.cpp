// The timeline: what it sums up, what it draws, and what hands do on it.
#include "app/gui/frame/timeline.h"
#include "app/gui/frame/timeline_view.h"

#include <QComboBox>
#include <QElapsedTimer>
#include <random>

#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

TEST(Pyramid, SumsUpAsTheLongWayWould) {
    std::vector<float> values;
    Pyramid pyramid([&](int64_t i) { return values[static_cast<size_t>(i)]; });
    std::mt19937 random(1);
    const auto compare = [&] {
        const auto n = static_cast<int64_t>(values.size());
        for (int i = 0; i < 50; ++i) {
            int64_t a = static_cast<int64_t>(random() % (values.size() + 1)), b = static_cast<int64_t>(random() % (values.size() + 1));
            if (a > b) std::swap(a, b);
            Pyramid::Summary truth;
            for (int64_t k = a; k < b; ++k) truth.add(values[static_cast<size_t>(k)]);
            const Pyramid::Summary got = pyramid.over(a, b);
            ASSERT_EQ(got.count, truth.count) << a << " " << b << " of " << n;
            ASSERT_EQ(got.low, truth.low);
            ASSERT_EQ(got.high, truth.high);
            ASSERT_NEAR(got.sum, truth.sum, 1e-6 * static_cast<double>(values.size()));
            const Pyramid::Summary roughly = pyramid.about(a, b);
            ASSERT_LE(std::abs(roughly.count - truth.count), (b - a) / 16 * 2);
        }
    };
    for (int round = 0; round < 60; ++round) {  // grows, and now and then goes back
        int64_t from = static_cast<int64_t>(values.size());
        if (round % 7 == 6) values.resize(random() % values.size()), from = static_cast<int64_t>(values.size());
        for (size_t n = random() % 3000; n > 0; --n) values.push_back(random() % 10 == 0 ? NAN : static_cast<float>(random() % 1000));
        if (!values.empty() && from > 0) values[static_cast<size_t>(--from)] = 5;
        pyramid.update(from, static_cast<int64_t>(values.size()));
        if (!values.empty()) compare();
    }
    pyramid.update(0, 0);
    EXPECT_EQ(pyramid.over(0, 100).count, 0);
}

TEST(Pyramid, NeighboursMeet) {
    Pyramid pyramid([](int64_t) { return 1.f; });
    pyramid.update(0, 1'000'000);
    int64_t sum = 0;
    for (int x = 0; x < 1400; ++x) sum += pyramid.about(x * 1'000'000 / 1400, (x + 1) * 1'000'000 / 1400).count;
    EXPECT_NEAR(static_cast<double>(sum), 1e6, 32);
}

class TimelineTest : public ::testing::Test {
protected:
    TimelineTest() : timeline(*s.session), view(*timeline.view()) {
        timeline.resize(900, 210);
        timeline.show();
        QTest::qWait(1);
    }
    QPoint middle_of(int64_t token) const { return {static_cast<int>(view.map().x_of(static_cast<double>(token) + 0.5)), view.height() / 2}; }
    Selection& selection() { return s.session->selection(); }
    ScriptedSession s;
    Timeline timeline;
    TimelineView& view;
};

TEST_F(TimelineTest, DrawsBeforeAndAfterDataInBothThemesAndSizes) {
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const QSize size : {QSize(1200, 210), QSize(600, 110)}) {
            timeline.resize(size);
            QTest::qWait(1);
            const int empty = colours_in(view.grab().toImage());
            EXPECT_GT(empty, 2) << "a sentence";
        }
    }
    s.answer(60);
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const QSize size : {QSize(1200, 210), QSize(600, 110)}) {
            timeline.resize(size);
            QTest::qWait(1);
            EXPECT_EQ(view.tracks_shown(), size.height() == 210 ? 3 : 1);
            EXPECT_GT(colours_in(view.grab().toImage()), 40);
        }
    }
}

TEST_F(TimelineTest, ClickPinsAndAgainLetsGo) {
    s.answer(60);
    QTest::mouseClick(&view, Qt::LeftButton, {}, middle_of(20));
    EXPECT_EQ(selection().token(), 20);
    QTest::mouseClick(&view, Qt::LeftButton, {}, middle_of(20));
    EXPECT_EQ(selection().token(), Selection::kNewest);
}

TEST_F(TimelineTest, HoverTellsEverybody) {
    s.answer(60);
    QTest::mouseMove(&view, middle_of(30));
    EXPECT_EQ(selection().hovered(), 30);
    QEvent leave(QEvent::Leave);
    QApplication::sendEvent(&view, &leave);
    EXPECT_EQ(selection().hovered(), -1);
}

TEST_F(TimelineTest, DragChoosesARangeAndAClickForgetsIt) {
    s.answer(60);
    QTest::mousePress(&view, Qt::LeftButton, {}, middle_of(10));
    QTest::mouseMove(&view, middle_of(15));
    QTest::mouseMove(&view, middle_of(24));
    QTest::mouseRelease(&view, Qt::LeftButton, {}, middle_of(24));
    EXPECT_EQ(selection().range(), (std::pair<int64_t, int64_t>(10, 25)));
    EXPECT_EQ(selection().token(), Selection::kNewest) << "a drag pins nothing";
    QTest::mouseClick(&view, Qt::LeftButton, {}, middle_of(12));
    EXPECT_EQ(selection().range().first, selection().range().second);
}

TEST_F(TimelineTest, ZoomKeepsWhatIsUnderTheCursorAndPans) {
    s.answer(400);
    const QPoint at = middle_of(100);
    const int64_t before = view.token_at(at.x());
    view.zoom(5, at.x());
    EXPECT_EQ(view.token_at(at.x()), before);
    const auto [first, last] = view.view();
    EXPECT_NEAR(last - first, 412 / 5.0, 0.01);
    QTest::mousePress(&view, Qt::MiddleButton, {}, {400, 40});
    QTest::mouseMove(&view, {300, 40});
    QTest::mouseRelease(&view, Qt::MiddleButton, {}, {300, 40});
    EXPECT_GT(view.view().first, first);
    view.zoom(1e-9, 0);
    EXPECT_EQ(view.view().first, 0) << "never farther than all";
    view.zoom(1e9, 0);
    EXPECT_NEAR(view.view().second - view.view().first, 12, 0.01) << "never closer than a dozen";
    view.show_all();
    EXPECT_EQ(view.view().second, 412);
}

TEST_F(TimelineTest, WheelZooms) {
    s.answer(400);
    QWheelEvent turn({300, 50}, view.mapToGlobal(QPointF(300, 50)), {}, {0, 240}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QApplication::sendEvent(&view, &turn);
    EXPECT_LT(view.view().second - view.view().first, 300);
}

TEST_F(TimelineTest, KeysGoFromTokenToToken) {
    s.answer(60);
    view.setFocus();
    QTest::keyClick(&view, Qt::Key_Home);
    EXPECT_EQ(selection().token(), 0);
    QTest::keyClick(&view, Qt::Key_Right);
    QTest::keyClick(&view, Qt::Key_Right, Qt::ShiftModifier);
    EXPECT_EQ(selection().token(), 11);
    QTest::keyClick(&view, Qt::Key_Left);
    EXPECT_EQ(selection().token(), 10);
    EXPECT_TRUE(view.accessibleDescription().contains("token 10")) << view.accessibleDescription().toStdString();
    QTest::keyClick(&view, Qt::Key_Plus);
    QTest::keyClick(&view, Qt::Key_Plus);
    EXPECT_LT(view.view().second - view.view().first, 40);
    EXPECT_GE(view.token_at(middle_of(10).x()), 0);
    QTest::keyClick(&view, Qt::Key_End);
    EXPECT_EQ(selection().token(), Selection::kNewest);
    QTest::keyClick(&view, Qt::Key_0);
    EXPECT_EQ(view.view().first, 0);
}

TEST_F(TimelineTest, FollowsTheNewestWhenTheyWereInView) {
    s.answer(400);
    view.zoom(4, view.width() - 1);
    s.answer(100, 2);
    EXPECT_NEAR(view.view().second, static_cast<double>(s.session->trace().size()), 1);
    view.zoom(2, 0);
    const double first = view.view().first;
    s.answer(100, 3);
    EXPECT_EQ(view.view().first, first) << "who looks at the past is left there";
}

TEST_F(TimelineTest, GoingBackIsDrawn) {
    s.answer(400);
    view.zoom(4, view.width() - 1);
    s.script->play({PromptFed{20, {1, 2}}});
    s.session->tick();
    EXPECT_EQ(view.view().second, std::max(22.0, view.width() / 90.0));
    view.grab();
}

TEST_F(TimelineTest, FrozenItStandsStillButForgetsWhatIsGone) {
    s.answer(40);
    s.session->set_frozen(true);
    s.answer(40, 2);
    EXPECT_EQ(view.view().second, 52);
    s.script->play({PromptFed{20, {1}}});
    s.session->tick();
    EXPECT_EQ(view.view().second, 21);
    view.grab();
    s.session->set_frozen(false);
}

TEST_F(TimelineTest, AsksForWhatItShowsWhileVisible) {
    s.script->play({Loaded{card_kept_as_seen()}});
    s.session->tick();
    EXPECT_TRUE(s.script->interest.sites[static_cast<int>(Site::update_norm)]);
    EXPECT_FALSE(s.script->interest.sites[static_cast<int>(Site::log_decay)]);
    timeline.findChild<QComboBox*>()->setCurrentIndex(1);
    EXPECT_EQ(s.script->interest.top, 1);
    timeline.hide();
    EXPECT_TRUE(s.script->interest == Interest{});
}

TEST_F(TimelineTest, AMillionTokensCostNoMoreThanThePixels) {
    std::vector<Event> events{PromptFed{0, {1}}};
    for (int64_t i = 1; i < 1'000'000; ++i) events.push_back(TokenMade{.position = i, .id = 1, .text = "x", .nanoseconds = 1000 + i % 77});
    s.script->play(std::move(events));
    s.session->tick();
    timeline.resize(1400, 210);
    view.grab();
    QElapsedTimer clock;
    clock.start();
    constexpr int kRounds = 10;
    for (int i = 0; i < kRounds; ++i) {
        s.script->play({TokenMade{.position = 1'000'000 + i, .id = 1, .text = "x", .nanoseconds = 1000}});
        s.session->tick();
        view.grab();
    }
    RecordProperty("ms_a_tick", std::to_string(static_cast<double>(clock.elapsed()) / kRounds));
    // Reading every token would take a thousand times what a dozen tokens take; no clock is asked, the picture must be right.
    EXPECT_GT(colours_in(view.grab().toImage()), 10);
}

TEST(TimelineAxis, EndsAreRoundAndFarEnoughApart) {
    EXPECT_EQ(log_ends(210e3, 900e3), (std::pair(200e3, 1e6)));
    EXPECT_EQ(log_ends(1e6, 1e6), (std::pair(5e5, 2e6)));
    EXPECT_EQ(log_ends(3e5, 0.9e9), (std::pair(2e5, 1e9)));
    const Theme& t = theme_of(qApp->palette());
    EXPECT_EQ(budget_colour(t, 16e6), t.good);
    EXPECT_EQ(budget_colour(t, 17e6), t.warn);
    EXPECT_EQ(budget_colour(t, 101e6), t.bad);
    EXPECT_NE(budget_colour(t, 99e6), t.bad);
}

// One slow token among many fast ones is seen whatever the zoom, and lettering never lies on data.
TEST_F(TimelineTest, ASlowTokenStandsOutAndNamesStandBeside) {
    std::vector<Event> events{PromptFed{0, {1}}};
    for (int64_t i = 1; i < 5000; ++i) events.push_back(TokenMade{.position = i, .id = 1, .text = "x", .nanoseconds = i == 2500 ? 150'000'000 : 1'000'000});
    s.script->play(std::move(events));
    s.session->tick();
    QTest::qWait(5);
    const QImage image = view.grab().toImage();
    const TimelineMap map = view.map();
    const Theme& t = theme_of(view.palette());
    const auto count = [&](int x, const QColor& colour) {  // pixels of about this colour in the column
        int n = 0;
        for (int y = 45; y < view.height(); ++y) {
            const QColor c = image.pixelColor(x, y);
            n += std::abs(c.hue() - colour.hue()) < 12 && c.saturation() > 60;
        }
        return n;
    };
    const int slow = static_cast<int>(map.x_of(2500.5));
    EXPECT_GT(std::max({count(slow - 1, t.bad), count(slow, t.bad), count(slow + 1, t.bad)}), 10);
    EXPECT_EQ(count(slow + 60, t.bad), 0);
    EXPECT_GT(map.left, 60) << "a gutter for names";
    EXPECT_LT(map.right, view.width() - 30) << "and one for values";
    EXPECT_EQ(view.token_at(map.left - 5), -1) << "which is no data";
}

TEST_F(TimelineTest, MessagesAndSnapshotsAreMarked) {
    s.answer(60);
    s.answer(20, 2);
    SnapshotsKept kept{2, 100, 1000, {72, 104}};
    s.script->play({kept});
    s.session->tick();
    QTest::qWait(5);
    std::vector<std::pair<int, int64_t>> seen;
    for (const TimelineMark& m : view.marks()) {
        seen.emplace_back(m.kind, m.position);
        EXPECT_FALSE(m.text.isEmpty());
    }
    using M = TimelineMark;
    EXPECT_EQ(seen, (std::vector<std::pair<int, int64_t>>{
                        {M::message, 0}, {M::answer, 12}, {M::message, 72}, {M::snapshot, 72}, {M::answer, 84}, {M::snapshot, 104}}));
    s.script->play({PromptFed{5, {1}}});
    s.session->tick();
    QTest::qWait(5);
    EXPECT_EQ(view.marks().size(), 1u) << "what is gone is not marked";
}

TEST_F(TimelineTest, ZoomedItHasAMapOfAllThatIsClicked) {
    s.answer(400);
    EXPECT_TRUE(view.mini_map().isEmpty());
    view.zoom(8, view.map().left);
    ASSERT_FALSE(view.mini_map().isEmpty());
    const QRect map = view.mini_map();
    QTest::mouseClick(&view, Qt::LeftButton, {}, map.center());
    EXPECT_NEAR((view.view().first + view.view().second) / 2, 206, 3);
    EXPECT_EQ(selection().token(), Selection::kNewest) << "nothing is pinned";
    selection().set_range(100, 150);
    QTest::keyClick(&view, Qt::Key_R);
    EXPECT_NEAR(view.view().first, 100, 0.5);
    EXPECT_NEAR(view.view().second, 150, 0.5);
}

TEST(Timeline, ShowsWhatTheCacheDropped) {
    ScriptedSession s;
    s.answer(300);
    TimelineView view(*s.session);
    view.resize(900, 200);
    view.show();
    QTest::qWait(5);
    const QImage before = view.grab().toImage();
    s.session->selection().set_token(5);
    EXPECT_FALSE(view.accessibleDescription().contains("dropped"));
    s.script->play({CacheRolled{100}});
    s.session->tick();
    QTest::qWait(5);
    s.session->selection().set_token(6);
    EXPECT_TRUE(view.accessibleDescription().contains("dropped from the cache"));
    s.session->selection().set_token(150);
    EXPECT_FALSE(view.accessibleDescription().contains("dropped from the cache"));
    const QImage after = view.grab().toImage();
    int changed = 0;
    for (int x = 10; x < 300; ++x) changed += before.pixel(x, 100) != after.pixel(x, 100);
    EXPECT_GT(changed, 20) << "they are veiled";
}

}  // namespace
}  // namespace klp::gui
