// The same thing read from all its places: what is selected, what is held, what the pictures are of.
#include <QLabel>

#include "app/format.h"
#include "app/gui/chat/chats.h"
#include "app/gui/frame/run_bar.h"
#include "app/gui/frame/vitals.h"
#include "app/gui/panels/words.h"
#include "app/gui/session/badge.h"
#include "app/gui/session/memory_model.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

QString shown(Lens& lens, const char* box) {
    auto* found = lens.named<QComboBox>(box);
    return found ? found->currentText().toLower() : QString("no box");
}

TEST(OneSelection, IsTheSameInEveryLens) {
    ScriptedSession s;
    s.answer(30);
    Lens decay(s, "decay"), state(s, "state"), attention(s, "attention"), experts(s, "experts");
    const auto heads = [&] {
        Lens::settle();
        return QStringList{shown(decay, "Decay, layer"),           shown(decay, "Decay, head"),
                           shown(state, "State, layer"),           shown(state, "State, head"),
                           shown(attention, "State (KDA), layer"), shown(attention, "State (KDA), head")}
            .join(", ");
    };
    EXPECT_EQ(heads(), "layer 0, head 0, layer 0, head 0, layer 0, head 0");
    const auto choose = [](Lens& lens, const char* box, int index) { lens.choose(box, index); };
    choose(state, "State, layer", 1);
    choose(attention, "State (KDA), head", 2);
    EXPECT_EQ(heads(), "layer 1, head 2, layer 1, head 2, layer 1, head 2");
    choose(attention, "Cache (MLA), head", 3);
    EXPECT_EQ(heads(), "layer 1, head 2, layer 1, head 2, layer 1, head 2") << "a cache's head is another thing";
    EXPECT_EQ(shown(attention, "Cache (MLA), head"), "head 3");
    emit experts.map()->clicked(1, 5);  // of layer 2
    EXPECT_EQ(heads(), "layer 2, head 2, layer 2, head 2, layer 2, head 2");
    EXPECT_EQ(experts.map()->chosen_cell(), QPoint(5, 1));

    // A channel of the gates is a column of the state.
    s.script->play({StatePicture{2, 2, 42, 32, 32, std::vector<float>(32 * 32, 0.5f)}});
    s.session->tick();
    for (int i = 0; i < 100 && !state.panel->sentence().startsWith("Layer 2, head 2"); ++i) QTest::qWait(20);  // lenses draw in turn
    ASSERT_TRUE(state.panel->sentence().startsWith("Layer 2, head 2")) << state.panel->sentence().toStdString();
    emit state.map()->clicked(3, 17);
    Lens::settle();
    EXPECT_EQ(state.map()->chosen_cell(), QPoint(17, -1));
    decay.choose("Decay, view", 1);
    for (int i = 0; i < 100 && decay.map()->chosen_cell() != QPoint(17, 2); ++i) QTest::qWait(20);
    EXPECT_EQ(decay.map()->chosen_cell(), QPoint(17, 2));
}

TEST(OneNumber, BytesAreTheSameInSentenceTableAndStatusBar) {
    ScriptedSession s;
    s.answer(500);
    Lens memory(s, "memory");
    Vitals vitals(*s.session);
    QTest::qWait(150);
    const auto vital = [&](const char* name) {
        for (QWidget* w : vitals.findChildren<QWidget*>())
            if (auto* figure = dynamic_cast<Figure*>(w); figure && figure->accessibleName() == name) return figure->text();
        return QString();
    };
    const MemoryUse use = s.session->memory();
    const MemoryModel model = memory_model(s.card->config, s.card->cache_value_bytes);
    const auto text = [](int64_t bytes) { return QString::fromStdString(bytes_text(bytes)); };
    const QString mine = text(use.total()), twin = text(model.twin.at(in_pages(s.session->trace().size())));
    EXPECT_TRUE(vital("State").contains(text(use.state + use.conv)) && vital("Cache").contains(text(use.cache)));
    EXPECT_TRUE(vital("Baseline").contains("same-shapes twin " + twin));
    EXPECT_TRUE(memory.panel->sentence().contains("holds " + mine)) << memory.panel->sentence().toStdString();
    EXPECT_TRUE(memory.panel->sentence().contains("same-shapes twin would hold " + twin));
    EXPECT_TRUE(memory.words().contains(mine) && memory.words().contains(twin));
    EXPECT_TRUE(vital("Context").startsWith("512 / "));
    EXPECT_TRUE(memory.panel->sentence().contains("512 tokens"));
}

TEST(OneNumber, TwinsHaveOneNameEach) {
    for (const TwinKind kind : {TwinKind::synthetic, TwinKind::computed}) EXPECT_TRUE(words::twin_name(kind).startsWith("same-shapes twin"));
    EXPECT_EQ(words::twin_name(TwinKind::trained), "trained twin");
    ScriptedSession s;
    auto card = std::make_shared<RunCard>(*s.card);
    card->twin = TwinKind::trained;
    s.script->play({Loaded{card}, PhaseChanged{Phase::ready}});
    s.session->tick();
    s.answer(20);
    Lens memory(s, "memory"), race(s, "race");
    s.script->play({PhaseChanged{Phase::racing, 64, 4096}, RacePoint{64, 2e5, 1.8e5, {1 << 18, 1 << 14, 1 << 16}, {0, 0, 1 << 18}},
                    RaceDone{TwinKind::trained, ""}, PhaseChanged{Phase::ready}});
    s.session->tick();
    Lens::settle();
    EXPECT_TRUE(race.panel->sentence().contains("its trained twin")) << race.panel->sentence().toStdString();
    EXPECT_TRUE(race.words().contains("trained twin"));
    EXPECT_TRUE(memory.words().contains("same-shapes twin") && !memory.words().contains("trained twin"));
}

// Of a short answer too: the status bar says what its card says, and nothing in another talk.
TEST(OneNumber, SpeedOfAnAnswerIsTheSameEverywhere) {
    ScriptedSession s;
    Chats chats(*s.session);
    ASSERT_TRUE(chats.send("hi"));
    const auto* ask = std::get_if<MakeAnswer>(&s.script->commands.back());
    ASSERT_TRUE(ask);
    s.answer(3, ask->answer);
    const ChatMessage& answer = chats.chat().message(chats.chat().tip());
    ASSERT_TRUE(answer.stats);
    EXPECT_DOUBLE_EQ(s.session->tokens_per_second(), tokens_per_second(answer.stats->tokens, answer.stats->decode_ns));
    s.script->play({PromptFed{0, {}}, Moved{}});  // a new chat
    s.session->tick();
    EXPECT_TRUE(std::isnan(s.session->tokens_per_second()));
    s.script->play({PhaseChanged{Phase::decoding}, TokenMade{.answer = 9, .position = 0}, TokenMade{.answer = 9, .position = 1}, PhaseChanged{Phase::ready}});
    s.session->tick();
    EXPECT_TRUE(std::isnan(s.session->tokens_per_second())) << "of tokens whose time nobody knows";
}

TEST(OneNumber, SpeedIsGoneWithItsModel) {
    ScriptedSession s;
    s.answer(50);
    EXPECT_FALSE(std::isnan(s.session->tokens_per_second()));
    s.script->play({TelemetryCost{0.02}});
    s.session->tick();
    s.script->play({Unloaded{}, PhaseChanged{Phase::empty}});
    s.session->tick();
    EXPECT_TRUE(std::isnan(s.session->tokens_per_second()));
    EXPECT_TRUE(std::isnan(s.session->telemetry_share()));
}

TEST(OneBadge, SaysWhatThePicturesAreOf) {
    ScriptedSession s;
    RunBar bar(*s.session);
    const auto badge = [&] { return bar.findChild<QLabel*>("badge")->text(); };
    EXPECT_EQ(badge(), "LIVE");
    s.session->set_frozen(true);
    EXPECT_EQ(badge(), "FROZEN");
    s.session->set_elsewhere(true);
    EXPECT_EQ(badge(), "FROZEN");
    s.session->set_frozen(false);
    EXPECT_EQ(badge(), "ANOTHER TALK");
    s.session->set_elsewhere(false);
    EXPECT_EQ(badge(), "LIVE");
    auto recorded = std::make_shared<RunCard>(*s.card);
    recorded->recorded = "2026-03-01, a machine";
    s.script->play({Loaded{recorded}, PhaseChanged{Phase::ready}});
    s.session->tick();
    EXPECT_EQ(badge(), "REPLAY");
    s.session->set_frozen(true);
    EXPECT_EQ(badge(), "REPLAY, FROZEN") << "that it is recorded is never hidden";
    s.session->set_frozen(false);
    s.script->play({Unloaded{}});
    s.session->tick();
    EXPECT_EQ(badge(), "NO MODEL");
}

}  // namespace
}  // namespace klp::gui
