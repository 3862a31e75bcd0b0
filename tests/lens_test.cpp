// The lenses Decay and State: their numbers, their pictures, and that a refresh costs no more than what is new and what is drawn.
#include <QAbstractButton>
#include <QComboBox>
#include <QLabel>

#include "app/gui/heat_map.h"
#include "app/gui/panel.h"
#include "app/gui/panels/half_life.h"
#include "app/gui/panels/token_window.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

const PanelRow& row_of(const char* id) {
    for (const PanelRow& row : panels())
        if (std::string_view(row.info.id) == id) return row;
    std::abort();
}

// A lens without its window.
struct Lens {
    Lens(ScriptedSession& s, const char* id) : panel(row_of(id).make(*s.session, row_of(id).info)) {
        panel->resize(620, 720);
        panel->show();
        settle();
    }
    static void settle() { QTest::qWait(5); }
    void choose(const char* name, int index) {
        for (auto* box : panel->findChildren<QComboBox*>())
            if (box->accessibleName() == name) {
                box->setCurrentIndex(index);
                emit box->activated(index);
                return settle();
            }
        FAIL() << "no box " << name;
    }
    HeatMap* map() { return panel->findChildren<HeatMap*>().front(); }
    std::unique_ptr<Panel> panel;
};

std::shared_ptr<RunCard> card_of_48b() {
    auto card = std::make_shared<RunCard>(*scripted_card());
    for (const NamedShape& named : named_shapes())
        if (named.name == "kimi-linear-48b") card->config = named.config;
    card->shape = TraceShape(card->config);
    return card;
}

TEST(HalfLife, FollowsTheGate) {
    EXPECT_NEAR(half_life(std::log(0.5f)), 1, 1e-6);
    EXPECT_NEAR(half_life(std::log(0.999f)), 692.8, 0.1);
    EXPECT_TRUE(std::isinf(half_life(0)));
    EXPECT_EQ(half_life(-INFINITY), 0);
    EXPECT_TRUE(std::isnan(half_life(NAN)));
    EXPECT_EQ(half_life_text(half_life(0)), "∞");
    EXPECT_EQ(half_life_text(NAN), "n/a");
    EXPECT_EQ(alpha_text(-200), "0.00000");
    EXPECT_EQ(alpha_text(-1e-7f), "> 0.99999");
    EXPECT_EQ(alpha_text(0), "1.00000");
    EXPECT_EQ(band_of(3.9f), "syllable");
    EXPECT_EQ(band_of(4), "phrase");
    EXPECT_EQ(band_of(INFINITY), "document");
}

TEST(HalfLife, IsCountedWithItsExtremes) {
    HalfLifeCounts counts;
    counts.add(std::vector<float>{0, -1e-9f, -0.01f, -0.01f, -1, -300, -INFINITY, NAN});
    EXPECT_EQ(counts.total, 7);
    EXPECT_EQ(counts.infinite, 1);
    EXPECT_EQ(counts.unknown, 1);
    EXPECT_EQ(counts.bins.front(), 2);
    EXPECT_EQ(counts.bins.back(), 1);
    EXPECT_NEAR(counts.median(), 69.3, 8);  // the middle of a third of an octave
    EXPECT_TRUE(std::isnan(HalfLifeCounts().median()));
}

TEST(HalfLife, NamesTheFormOfTheGate) {
    ModelConfig config;
    EXPECT_TRUE(gate_form(config).name.startsWith("softplus"));
    config.gate_lower_bound = -5;
    EXPECT_EQ(gate_form(config).name, "sigmoid, g > −5");
}

TEST(TokenWindow, ReadsOnlyWhatIsNew) {
    ScriptedSession s;
    const auto& trace = s.session->trace();
    TokenWindow window(32);
    const auto width = trace.shape().width(Site::beta);
    window.begin(width, [&](std::span<const float> readings, std::span<float> row) {
        const auto from = trace.shape().of(Site::beta, 1, readings);
        std::copy(from.begin(), from.end(), row.begin());
    });
    EXPECT_EQ(window.follow(trace), 0);
    s.answer(8);
    EXPECT_EQ(window.follow(trace), 20);
    EXPECT_EQ(window.follow(trace), 0);
    s.answer(28);
    EXPECT_EQ(window.follow(trace), 32);  // 40 came, 32 are kept
    EXPECT_EQ(window.first(), 28);
    EXPECT_EQ(window.end(), 60);
    for (int64_t p = window.first(); p < window.end(); ++p) EXPECT_EQ(window.row(p)[2], trace.shape().of(Site::beta, 1, trace.readings(p))[2]);

    // Going back, and a token nobody read.
    s.script->play({PromptFed{50, {1, 2, 3}}, scripted_readings(trace.shape(), 52)});
    s.session->tick();
    window.cut(50);
    EXPECT_EQ(window.follow(trace), 1);
    EXPECT_TRUE(std::isnan(window.row(51)[0]));
    EXPECT_FALSE(std::isnan(window.row(49)[0]));
}

TEST(Decay, ShowsTheTokenThatIsLookedAt) {
    ScriptedSession s;
    Lens lens(s, "decay");
    EXPECT_TRUE(s.script->interest.sites[static_cast<int>(Site::log_decay)]);
    EXPECT_FALSE(s.script->interest.sites[static_cast<int>(Site::state_norm)]);
    EXPECT_EQ(lens.map()->rows(), 0);
    s.answer(30);
    lens.settle();
    ASSERT_EQ(lens.map()->rows(), 3);
    ASSERT_EQ(lens.map()->columns(), 32);
    s.session->selection().set_channel(1, 2, 5);
    s.session->selection().set_token(20);
    lens.settle();
    const auto gates = [&](int64_t token) { return s.session->trace().shape().of(Site::log_decay, 1, s.session->trace().readings(token)); };
    EXPECT_FLOAT_EQ(lens.map()->value(1, 5), half_life(gates(20)[2 * 32 + 5]));

    lens.choose("Decay, view", 0);
    double sum = 0;
    for (int h = 0; h < 4; ++h) sum += gates(20)[static_cast<size_t>(h * 32 + 5)];
    EXPECT_FLOAT_EQ(lens.map()->value(1, 5), half_life(static_cast<float>(sum / 4)));
    lens.choose("Decay, view", 2);
    ASSERT_EQ(lens.map()->rows(), 12);
    lens.choose("Decay, value", 1);
    EXPECT_FLOAT_EQ(lens.map()->value(6, 5), std::exp(gates(20)[2 * 32 + 5]));
    emit lens.map()->clicked(11, 7);
    EXPECT_EQ(s.session->selection().layer(), 2);
    EXPECT_EQ(s.session->selection().head(), 3);
    EXPECT_EQ(s.session->selection().channel(), 7);

    lens.choose("Decay, view", 3);
    ASSERT_EQ(lens.map()->rows(), 32);
    ASSERT_EQ(lens.map()->columns(), 64);
    emit lens.map()->clicked(3, 25);
    EXPECT_EQ(s.session->selection().token(), 25);
    EXPECT_EQ(lens.map()->value(0, 60), HeatMap::kBlank);
    EXPECT_EQ(lens.panel->table().rows.size(), 32u * 42u);
}

TEST(Decay, SaysWhyThereIsNothing) {
    ScriptedSession s;
    Lens lens(s, "decay");
    s.script->play({PromptFed{0, {1, 2, 3}}, scripted_readings(s.card->shape, 2)});
    s.session->tick();
    lens.settle();
    EXPECT_GT(lens.map()->rows(), 0);
    s.session->selection().set_token(1);
    lens.settle();
    EXPECT_EQ(lens.map()->rows(), 0);
    EXPECT_TRUE(lens.panel->table().rows.empty());
    s.session->selection().set_token(Selection::kNewest);
    lens.settle();
    EXPECT_GT(lens.map()->rows(), 0);
    s.script->play({Unloaded{}});
    s.session->tick();
    lens.settle();
    EXPECT_EQ(lens.map()->rows(), 0);
}

TEST(Decay, StaysWithItsTokenWhenFrozen) {
    ScriptedSession s;
    Lens lens(s, "decay");
    s.answer(5);
    lens.settle();
    const float before = lens.map()->value(0, 3);
    lens.panel->set_frozen(true);
    s.answer(7);
    s.session->selection().set_channel(0, 0, 9);
    lens.settle();
    EXPECT_EQ(lens.map()->value(0, 3), before);
    lens.panel->set_frozen(false);
    lens.settle();
    EXPECT_NE(lens.map()->value(0, 3), before);
}

// The largest model: what is coloured is bounded by the widget, what is read by what is new.
TEST(Decay, BoundsItsWorkForTheLargestModel) {
    ScriptedSession s;
    const auto card = card_of_48b();
    s.script->play({Loaded{card}, PromptFed{0, std::vector<int32_t>(40, 7)}});
    for (int64_t p = 0; p < 40; ++p) s.script->play({scripted_readings(card->shape, p)});
    s.session->tick();
    Lens lens(s, "decay");
    for (int view : {0, 1, 2, 3}) {
        lens.choose("Decay, view", view);
        const HeatMap* map = lens.map();
        EXPECT_GT(colours_in(lens.panel->grab().toImage()), 20);
        EXPECT_EQ(map->rows(), view == 2 ? 640 : view == 3 ? 128 : 20);
        EXPECT_EQ(map->columns(), view == 3 ? 64 : 128);
        EXPECT_LE(map->pictured().width(), map->width());
        EXPECT_LE(map->pictured().height(), map->height());
    }
}

}  // namespace
}  // namespace klp::gui
