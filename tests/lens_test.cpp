// The lenses Decay and State: their numbers, their pictures, and that a refresh costs no more than what is new and what is drawn.
#include <QAbstractButton>
#include <QAbstractScrollArea>
#include <QComboBox>
#include <QFileInfo>
#include <QStackedWidget>
#include <QTemporaryDir>
#include <QTextBrowser>

#include <cmath>

#include "app/gui/panels/half_life.h"
#include "app/gui/panels/norm_plots.h"
#include "app/gui/panels/spectrum_plot.h"
#include "app/gui/panels/token_window.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

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
    EXPECT_EQ(window.follow(trace), 30) << "two of 32 were not read, and what was known before may be another line's";
    EXPECT_TRUE(std::isnan(window.row(51)[0]));
    EXPECT_FALSE(std::isnan(window.row(49)[0]));
}

// Of Gated DeltaNet, whose heads have one gate each.
TEST(Decay, OneGateAHeadIsDrawnAsOne) {
    auto card = std::make_shared<RunCard>(*scripted_card());
    ModelConfig& c = card->config;
    c.layer_kinds = {"gated_deltanet", "gated_deltanet", "gated_deltanet", "full_attention"};
    c.kda_key_heads = 2, c.kv_lora_rank = 0, c.num_key_value_heads = 2, c.head_dim = 32;
    card->shape = TraceShape(c);
    EXPECT_EQ(card->shape.width(Site::log_decay), 4);
    ScriptedSession s(card);
    Lens lens(s, "decay");
    s.answer(30);
    lens.settle();
    ASSERT_EQ(lens.map()->rows(), 3);
    ASSERT_EQ(lens.map()->columns(), 4);
    s.session->selection().set_token(20);
    lens.settle();
    const auto gates = s.session->trace().shape().of(Site::log_decay, 1, s.session->trace().readings(20));
    for (int h = 0; h < 4; ++h) EXPECT_FLOAT_EQ(lens.map()->value(1, h), half_life(gates[static_cast<size_t>(h)])) << h;
    emit lens.map()->clicked(2, 3);
    lens.settle();
    EXPECT_EQ(s.session->selection().layer(), 2);
    EXPECT_EQ(s.session->selection().state().head, 3);
    EXPECT_TRUE(lens.words().contains("layer  2 · head  3")) << lens.words().toStdString();
    EXPECT_FALSE(lens.words().contains("channel")) << lens.words().toStdString();
    lens.choose("Decay, view", 3);
    ASSERT_EQ(lens.map()->rows(), 4) << "heads of a layer by tokens";
    EXPECT_FLOAT_EQ(lens.map()->value(3, 20), half_life(s.session->trace().shape().of(Site::log_decay, 2, s.session->trace().readings(20))[3]));
}

TEST(Decay, ShowsTheTokenThatIsLookedAt) {
    ScriptedSession s(card_kept_as_seen());
    Lens lens(s, "decay");
    EXPECT_TRUE(s.script->interest.sites[static_cast<int>(Site::log_decay)]);
    EXPECT_FALSE(s.script->interest.sites[static_cast<int>(Site::state_norm)]);
    EXPECT_EQ(lens.map()->rows(), 0);
    s.answer(30);
    lens.settle();
    EXPECT_EQ(lens.map()->rows(), 12) << "few heads: all of them";
    lens.choose("Decay, view", 1);
    ASSERT_EQ(lens.map()->rows(), 3);
    ASSERT_EQ(lens.map()->columns(), 32);
    s.session->selection().set_channel(1, 2, 5);
    s.session->selection().set_token(20);
    lens.settle();
    const auto gates = [&](int64_t token) { return s.session->trace().shape().of(Site::log_decay, 1, s.session->trace().readings(token)); };
    EXPECT_FLOAT_EQ(lens.map()->value(1, 5), half_life(gates(20)[2 * 32 + 5]));

    lens.choose("Decay, view", 0);
    float longest = 0;
    for (int h = 0; h < 4; ++h) longest = std::max(longest, half_life(gates(20)[static_cast<size_t>(h * 32 + 5)]));
    EXPECT_FLOAT_EQ(lens.map()->value(1, 5), longest) << "the fastest head hides none of it";
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
    ASSERT_EQ(lens.map()->columns(), 48);
    emit lens.map()->clicked(3, 25);
    EXPECT_EQ(s.session->selection().token(), 25);
    EXPECT_EQ(lens.map()->value(0, 45), HeatMap::kBlank);
    EXPECT_EQ(lens.panel->table().rows.size(), 32u * 42u);
}

TEST(Decay, TellsOneTokensGateFromWhatWasFed) {
    ScriptedSession s;
    s.answer(30);
    Lens lens(s, "decay");
    lens.choose("Decay, view", 1);
    s.session->selection().set_channel(1, 2, 5);
    s.session->selection().set_token(20);
    lens.settle();
    const auto gate = [&](int64_t p) { return double(s.session->trace().shape().of(Site::log_decay, 1, s.session->trace().readings(p))[2 * 32 + 5]); };
    double sum = 0;
    for (int64_t p = 0; p <= 20; ++p) sum += gate(p);
    const auto over = static_cast<float>(-21 * std::log(2) / sum), one = half_life(static_cast<float>(gate(20)));
    EXPECT_FLOAT_EQ(lens.map()->value(1, 5), one);
    EXPECT_TRUE(lens.words().contains("over the 21 tokens fed: half-life " + half_life_text(over))) << lens.words().toStdString();
    lens.choose("Decay, value", 3);
    EXPECT_NEAR(double(lens.map()->value(1, 5)), double(over), double(over) * 1e-5);
    for (const auto& row : lens.panel->table().rows)
        if (row[1] == 1 && row[3] == 5) {
            EXPECT_NEAR(row[7].toDouble(), double(over), double(over) * 1e-5);
        }
    lens.choose("Decay, view", 3);
    EXPECT_EQ(lens.named<QComboBox>("Decay, value")->currentIndex(), 0) << "a column of the last tokens is one token's";
}

TEST(Decay, ItsSentenceFollowsTheData) {
    ScriptedSession s;
    Lens lens(s, "decay");
    EXPECT_EQ(lens.panel->sentence(), "How fast each channel of the memory forgets.");
    EXPECT_TRUE(lens.panel->key_items().empty()) << "no colours yet";
    s.answer(30);
    lens.settle();
    const auto kept = [&](int64_t after) {
        const TraceStore& trace = s.session->trace();
        int n = 0;
        for (int layer : trace.shape().layers(Site::log_decay))
            for (size_t c = 0; c < 128; ++c) {
                double sum = 0;
                for (int64_t p = after + 1; p < trace.size(); ++p) sum += double(trace.shape().of(Site::log_decay, layer, trace.readings(p))[c]);
                n += sum >= -std::log(2);
            }
        return QString::number(n);
    };
    EXPECT_TRUE(lens.panel->sentence().startsWith("Of 384 channels, " + kept(11) + " would still hold half of your first message, 30 tokens back"))
        << lens.panel->sentence().toStdString();
    EXPECT_FALSE(lens.panel->key_items().empty());
    s.session->selection().set_token(35);
    lens.settle();
    EXPECT_TRUE(lens.panel->sentence().contains(kept(35) + " would still hold half of token 35")) << lens.panel->sentence().toStdString();
    EXPECT_TRUE(lens.panel->sentence().contains("6 tokens back")) << lens.panel->sentence().toStdString();
    const QString before = lens.panel->sentence();
    lens.panel->hide();
    s.answer(10, 2);
    lens.settle();
    EXPECT_EQ(lens.panel->sentence(), before) << "nothing is computed for nobody";
}

TEST(Decay, ShowsNoControlsOfNothing) {
    ScriptedSession s;
    s.script->play({Unloaded{}});
    s.session->tick();
    for (const char* id : {"decay", "state", "attention", "race", "experts"}) {
        Lens lens(s, id);
        for (auto* box : lens.panel->findChildren<QComboBox*>())
            EXPECT_FALSE(box->isVisibleTo(lens.panel.get())) << id << ": " << box->accessibleName().toStdString();
    }
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
        EXPECT_EQ(map->columns(), view == 3 ? 48 : 128);
        EXPECT_LE(map->pictured().width(), map->width());
        EXPECT_LE(map->pictured().height(), map->height());
    }
}

TEST(StateMath, KnowsSpectraOfMatricesWithKnownOnes) {
    std::vector<float> one(24), unit(36);  // a rank-one 4 x 6, and the identity
    for (int r = 0; r < 4; ++r)
        for (int c = 0; c < 6; ++c) one[static_cast<size_t>(6 * r + c)] = static_cast<float>((r + 1) * (c - 2));
    for (size_t i = 0; i < 6; ++i) unit[7 * i] = -3;
    const Spectrum a = spectrum(one, 4, 6), b = spectrum(unit, 6, 6), none = spectrum(std::vector<float>(36), 6, 6);
    ASSERT_EQ(a.values.size(), 4u);
    EXPECT_NEAR(a.values[0], norm(one), 1e-4);
    EXPECT_NEAR(a.effective_rank, 1, 1e-4);
    EXPECT_EQ(a.above, 1);
    EXPECT_NEAR(b.effective_rank, 6, 1e-4);
    EXPECT_EQ(b.above, 6);
    EXPECT_TRUE(std::isnan(none.effective_rank));
    EXPECT_EQ(none.above, 0);
}

TEST(StateMath, RoundsRangesUp) {
    EXPECT_FLOAT_EQ(round_range(std::vector<float>{0.011f}), 0.015f);
    EXPECT_FLOAT_EQ(round_range(std::vector<float>{-4, 1}), 1);
    EXPECT_FLOAT_EQ(round_range(std::vector<float>{80, 80}), 100);
    EXPECT_EQ(round_range(std::vector<float>{0, 0, NAN}), 0);
}

StatePicture picture_of(int layer, int head, int64_t position, float size) {
    StatePicture p{layer, head, position, 32, 32, std::vector<float>(32 * 32)};
    for (size_t i = 0; i < p.values.size(); ++i) p.values[i] = size * std::sin(static_cast<float>(i));
    return p;
}

struct StateLens : Lens {
    explicit StateLens(ScriptedSession& session) : Lens(session, "state"), s(session) {}
    void show(StatePicture picture) {
        s.script->play({std::move(picture)});
        s.session->tick();
        settle();
    }
    void press(const char* name) {
        for (auto* b : panel->findChildren<QAbstractButton*>())
            if (b->accessibleName() == name) return b->click(), settle();
        FAIL() << "no button " << name;
    }
    ScriptedSession& s;
};

TEST(State, PicturesTheSelectedHead) {
    ScriptedSession s(card_kept_as_seen());
    StateLens lens(s);
    EXPECT_EQ(s.script->interest.state, std::pair(0, 0));
    EXPECT_TRUE(s.script->interest.sites[static_cast<int>(Site::state_norm)]);
    EXPECT_FALSE(s.script->interest.sites[static_cast<int>(Site::log_decay)]);
    EXPECT_EQ(lens.map()->rows(), 0);
    s.answer(20);
    lens.show(picture_of(0, 0, 32, 1));
    ASSERT_EQ(lens.map()->rows(), 32);
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), std::sin(35.f));
    EXPECT_EQ(lens.panel->findChild<NormPlots*>()->series().size(), 4u);

    s.session->selection().set_head(1, 2);
    EXPECT_EQ(s.script->interest.state, std::pair(1, 2));
    lens.show(picture_of(0, 0, 32, 5));  // late: of the head before
    if (lens.map()->rows() > 0) {
        EXPECT_FLOAT_EQ(lens.map()->value(1, 3), std::sin(35.f));
    }
    lens.show(picture_of(1, 2, 32, 2));
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 2 * std::sin(35.f));
    EXPECT_EQ(lens.panel->table().rows.size(), 32u * 32u);

    // An MLA layer has no state: the one that was looked at stays.
    s.session->selection().set_head(3, 1);
    EXPECT_EQ(s.script->interest.state, std::pair(1, 2));
}

TEST(State, HoldsTwoAndShowsTheirDifference) {
    ScriptedSession s;
    StateLens lens(s);
    s.answer(20);
    lens.show(picture_of(0, 0, 20, 1));
    lens.press("State, hold a");
    lens.show(picture_of(0, 0, 32, 3));
    lens.choose("State, picture", 3);
    EXPECT_EQ(lens.map()->rows(), 0) << "nothing is held as B";
    lens.press("State, hold b");
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 2 * std::sin(35.f));
    lens.choose("State, picture", 1);
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), std::sin(35.f));
    lens.show(picture_of(0, 0, 33, 1));
    lens.choose("State, picture", 4);
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 0);
    s.session->selection().set_head(2, 0);
    lens.show(picture_of(2, 0, 33, 1));
    EXPECT_EQ(lens.map()->rows(), 0) << "A is of another head";
    auto* back = lens.named<QAbstractButton>("State, the head that A is of");
    ASSERT_TRUE(back && back->isVisibleTo(lens.panel.get()));
    back->click();
    lens.settle();
    EXPECT_EQ(s.session->selection().state(), (Head{0, 0}));
    lens.show(picture_of(0, 0, 34, 1));
    EXPECT_EQ(lens.map()->rows(), 32);
    EXPECT_FALSE(back->isVisibleTo(lens.panel.get()));
}

TEST(State, AChosenTokensStateIsFedAgain) {
    ScriptedSession s;
    StateLens lens(s);
    const auto asked = [&] {
        int64_t n = 0;
        for (const Command& c : s.script->commands) n += std::holds_alternative<ProbeState>(c);
        return n;
    };
    const auto answer = [&](int64_t position, float size) {
        StatePicture picture = picture_of(0, 0, position, size);
        picture.past = true;
        s.script->play({std::move(picture), PhaseChanged{Phase::ready}});
        s.session->tick();
        lens.settle();
    };
    s.answer(20);
    lens.show(picture_of(0, 0, 32, 1));
    s.session->selection().set_token(31);
    lens.settle();
    EXPECT_EQ(asked(), 0) << "the newest is there";
    s.session->selection().set_token(12);
    lens.settle();
    ASSERT_EQ(asked(), 1);
    EXPECT_EQ(std::get<ProbeState>(s.script->commands.back()).position, 12);
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), std::sin(35.f)) << "until it comes the picture stays";
    answer(13, 2);
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 2 * std::sin(35.f));
    EXPECT_TRUE(lens.words().contains("after token 12")) << lens.words().toStdString();
    lens.show(picture_of(0, 0, 33, 3));
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 2 * std::sin(35.f)) << "whatever is new";
    lens.press("State, hold a");
    s.session->selection().set_token(5);
    lens.settle();
    ASSERT_EQ(asked(), 2);
    StatePicture none;
    none.position = 6, none.past = true;
    lens.show(none);
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 3 * std::sin(35.f));
    EXPECT_TRUE(lens.words().contains("this is the newest")) << lens.words().toStdString();
    s.session->selection().set_token(Selection::kNewest);
    lens.settle();
    EXPECT_FALSE(lens.words().contains("this is the newest"));
    lens.choose("State, picture", 1);
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 2 * std::sin(35.f)) << "what was held is the chosen token's";
}

TEST(State, AChosenTokenWaitsUntilTheModelRests) {
    ScriptedSession s;
    StateLens lens(s);
    s.answer(20);
    lens.show(picture_of(0, 0, 32, 1));
    s.script->play({PhaseChanged{Phase::decoding}});
    s.session->tick();
    s.session->selection().set_token(12);
    lens.settle();
    const auto asked = [&] { return !s.script->commands.empty() && std::holds_alternative<ProbeState>(s.script->commands.back()); };
    EXPECT_FALSE(asked());
    EXPECT_TRUE(lens.words().contains("when the model rests")) << lens.words().toStdString();
    s.script->play({PhaseChanged{Phase::ready}});
    s.session->tick();
    lens.settle();
    EXPECT_TRUE(asked());
}

TEST(State, ItsRangeOnlyGrowsAndStaysWhereLocked) {
    ScriptedSession s;
    StateLens lens(s);
    s.answer(20);
    lens.show(picture_of(0, 0, 20, 0.9f));
    EXPECT_FLOAT_EQ(lens.map()->scale().high, 1);
    lens.show(picture_of(0, 0, 21, 0.1f));
    EXPECT_FLOAT_EQ(lens.map()->scale().high, 1);
    lens.press("State, lock range");
    lens.show(picture_of(0, 0, 22, 40));
    EXPECT_FLOAT_EQ(lens.map()->scale().high, 1);
    lens.press("State, lock range");
    EXPECT_FLOAT_EQ(lens.map()->scale().high, 50);
}

TEST(State, KeepsItsPictureWhenFrozen) {
    ScriptedSession s;
    StateLens lens(s);
    s.answer(20);
    lens.show(picture_of(0, 0, 20, 1));
    lens.panel->set_frozen(true);
    lens.show(picture_of(0, 0, 21, 2));
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), std::sin(35.f));
    lens.panel->set_frozen(false);
    lens.show(picture_of(0, 0, 22, 3));
    EXPECT_FLOAT_EQ(lens.map()->value(1, 3), 3 * std::sin(35.f));
}

TEST(State, ShowsAllLayersOfTheLargestModel) {
    ScriptedSession s;
    const auto card = card_of_48b();
    s.script->play({Loaded{card}, PromptFed{0, std::vector<int32_t>(8, 7)}});
    for (int64_t p = 0; p < 8; ++p) s.script->play({scripted_readings(card->shape, p)});
    s.session->tick();
    StateLens lens(s);
    auto* norms = lens.panel->findChild<NormPlots*>();
    EXPECT_EQ(norms->series().size(), 32u);
    lens.choose("State, norms of", 1);
    EXPECT_EQ(norms->series().size(), 20u);
    emit norms->clicked(4, 3);
    EXPECT_EQ(s.session->selection().layer(), card->shape.layers(Site::state_norm)[4]);
    EXPECT_EQ(s.session->selection().token(), 3);
    EXPECT_GT(colours_in(lens.panel->grab().toImage()), 10);
}

TEST(State, ItsSentenceSaysHowFullItIs) {
    ScriptedSession s;
    StateLens lens(s);
    s.answer(20);
    lens.show(picture_of(0, 0, 32, 1));
    EXPECT_TRUE(lens.panel->sentence().startsWith("Layer 0, head 0 uses about 2 of its 32 directions; token 31")) << lens.panel->sentence().toStdString();
    lens.press("State, hold a");
    lens.show(picture_of(0, 0, 33, 3));
    lens.choose("State, picture", 4);
    QTest::qWait(300);  // the spectrum follows four times a second
    EXPECT_TRUE(lens.panel->sentence().startsWith("From A to now the state of layer 0, head 0 changed by 200 % of its size"))
        << lens.panel->sentence().toStdString();
}

// What stands above every picture: a sentence, a key, and an explanation beside it, not in the chat.
TEST(Lenses, ExplainThemselvesWhereTheyAre) {
    ScriptedSession s;
    s.answer(30);
    int said = 0;
    QObject::connect(s.session.get(), &Session::noticed, [&](const QString&, const QString&, bool, const Notice&) { ++said; });
    for (const PanelRow& row : panels()) {
        Lens lens(s, row.info.id);
        EXPECT_FALSE(lens.panel->sentence().isEmpty()) << row.info.id;
        auto* help = lens.named<QTextBrowser>(QString(row.info.title) + ", explained");
        ASSERT_NE(help, nullptr) << row.info.id;
        EXPECT_FALSE(help->isVisible());
        auto* button = lens.named<QAbstractButton>(QString(row.info.title) + ", what is this");
        button->click();
        lens.settle();
        EXPECT_TRUE(help->isVisible());
        EXPECT_GT(lens.panel->findChild<QStackedWidget*>()->height(), 100) << "the picture stays in sight";
        const QString text = help->toPlainText();
        const qsizetype see = text.indexOf("What you see"), tries = text.indexOf("What to try"), formula = text.indexOf("Formula");
        EXPECT_TRUE(see == 0 && tries > see) << text.toStdString();
        EXPECT_TRUE(formula < 0 || formula > tries) << "the formula comes last";
        button->click();
        EXPECT_FALSE(help->isVisible());
    }
    EXPECT_EQ(said, 0);
}

TEST(Lenses, CarryAMarkWhileTheyStandStill) {
    ScriptedSession s;
    s.answer(30);
    Lens one(s, "decay"), two(s, "experts");
    const auto mark = [](Lens& lens) { return lens.panel->findChild<QLabel*>("still")->isVisible(); };
    EXPECT_FALSE(mark(one));
    one.panel->set_frozen(true);
    EXPECT_TRUE(mark(one));
    EXPECT_FALSE(mark(two));
    one.panel->set_frozen(false);
    s.session->set_frozen(true);
    EXPECT_TRUE(mark(one) && mark(two));
    s.session->set_frozen(false);
    EXPECT_FALSE(mark(one) || mark(two));
}

// Qt makes a combo box's list by itself, some versions before it opens; it speaks through its box.
bool part_of_combo_box(const QWidget* w) {
    for (w = w->parentWidget(); w; w = w->parentWidget())
        if (qobject_cast<const QComboBox*>(w)) return true;
    return false;
}

TEST(Lenses, AreNamedAndExported) {
    ScriptedSession s;
    s.answer(30);
    QTemporaryDir folder;
    for (const char* id : {"decay", "state"}) {
        Lens lens(s, id);
        if (std::string_view(id) == "state") s.script->play({picture_of(0, 0, 42, 1)}), s.session->tick(), lens.settle();
        for (const QWidget* w : lens.panel->findChildren<QWidget*>()) {
            if (w->focusPolicy() == Qt::NoFocus || qobject_cast<const QAbstractScrollArea*>(w->parentWidget())) continue;  // a viewport speaks through its area
            if (part_of_combo_box(w)) continue;
            EXPECT_FALSE(w->accessibleName().isEmpty()) << w->metaObject()->className() << " in " << w->parentWidget()->metaObject()->className();
        }
        for (const char* kind : {"png", "svg", "csv"}) {
            const QString file = folder.filePath(QString("%1.%2").arg(id, kind));
            EXPECT_EQ(lens.panel->export_to(file), QString());
            EXPECT_GT(QFileInfo(file).size(), 1000) << file.toStdString();
        }
    }
}

}  // namespace
}  // namespace klp::gui
