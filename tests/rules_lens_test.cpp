// The same tokens under other rules in the lens State, and the lens Model map: what is asked for and when, what they show, what a click does.
#include <QComboBox>
#include <QPushButton>

#include <cmath>

#include "app/gui/panels/layer_column.h"
#include "app/gui/panels/rules_plot.h"
#include "app/gui/panels/spectrum_plot.h"
#include "core/model/cost.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

template <class T>
std::vector<T> posted(const ScriptedSession& s) {
    std::vector<T> all;
    for (const Command& c : s.script->commands)
        if (const auto* one = std::get_if<T>(&c)) all.push_back(*one);
    return all;
}

// Of rule i every cosine is 0.8 - 0.2 i, and the norm grows to i + 1.
RulesPicture rules_of(int layer, int head, int64_t position, Rule own = Rule::kda) {
    RulesPicture picture{{.layer = layer, .head = head, .position = position, .first = 0, .own = own}};
    const auto n = static_cast<size_t>(position + 1);
    for (size_t i = 0; i < kRules.size(); ++i) {
        UnderRule& one = picture.rules.emplace_back();
        one.state = {32, 32, std::vector<float>(32 * 32)};
        for (size_t k = 0; k < one.state.S.size(); ++k) one.state.S[k] = 0.1f * static_cast<float>(i + 1) * std::sin(0.1f * static_cast<float>(k));
        for (size_t t = 0; t < n; ++t) one.norm.push_back(static_cast<float>(i + 1) * static_cast<float>(t + 1) / static_cast<float>(n));
        one.readable.cosine.assign(n, 0.8f - 0.2f * static_cast<float>(i)), one.readable.ratio.assign(n, 1);
        one.readable.cosine[7] = i == 1 ? -0.25f : 0.9f;
    }
    return picture;
}
void answer_probe(ScriptedSession& s, Event event) {
    s.script->play({PhaseChanged{Phase::probing, 3, 9}});
    s.session->tick();
    s.script->play({std::move(event), PhaseChanged{Phase::ready}});
    s.session->tick();
    Lens::settle();
}
constexpr int kUnderOtherRules = 3;

TEST(UnderOtherRules, IsAskedForWhenItIsShownAndOfTheChosenHead) {
    ScriptedSession s;
    s.answer(30);
    s.session->selection().set_head(1, 2);
    Lens lens(s, "state");
    EXPECT_TRUE(posted<ProbeRules>(s).empty()) << "what is not in sight costs nothing";
    lens.choose("State, norms of", kUnderOtherRules);
    auto* plot = lens.named<RulesPlot>("The state under other rules");
    ASSERT_NE(plot, nullptr);
    EXPECT_TRUE(plot->isVisible());
    EXPECT_FALSE(lens.map()->isVisible() || lens.named<QPushButton>("State, hold a")->isVisible() || lens.named<QComboBox>("State, picture")->isVisible());
    ASSERT_EQ(posted<ProbeRules>(s).size(), 1u);
    EXPECT_EQ(posted<ProbeRules>(s)[0].layer, 1);
    EXPECT_EQ(posted<ProbeRules>(s)[0].head, 2);
    EXPECT_EQ(posted<ProbeRules>(s)[0].position, 41);
    answer_probe(s, rules_of(1, 2, 41));
    EXPECT_EQ(posted<ProbeRules>(s).size(), 1u) << "it is known";
    EXPECT_EQ(plot->columns().size(), 5u);
    // Another head: what stood there goes, and it is asked for. It gave way: asked again.
    s.session->selection().set_head(0, 3);
    lens.settle();
    EXPECT_TRUE(plot->columns().empty());
    ASSERT_EQ(posted<ProbeRules>(s).size(), 2u);
    s.script->play({PhaseChanged{Phase::probing}, PhaseChanged{Phase::ready}});
    s.session->tick();
    lens.settle();
    ASSERT_EQ(posted<ProbeRules>(s).size(), 3u);
    answer_probe(s, rules_of(1, 2, 41));
    EXPECT_TRUE(plot->columns().empty()) << "that is another head's";
    // Stopped: it is not asked for again by itself.
    s.script->play({Trouble{{Error::interrupted, "stopped"}, ""}, PhaseChanged{Phase::ready}});
    s.session->tick();
    lens.settle();
    const size_t asked = posted<ProbeRules>(s).size();
    lens.settle();
    EXPECT_EQ(posted<ProbeRules>(s).size(), asked);
    // Back to the matrix.
    lens.choose("State, norms of", 0);
    EXPECT_TRUE(lens.map()->isVisible());
    EXPECT_FALSE(plot->isVisible());
}

TEST(UnderOtherRules, ShowsMatricesNormsAndWhatIsRecalledSideBySide) {
    for (const bool dark : {true, false}) {
        ScriptedSession s;
        apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
        s.answer(30);
        Lens lens(s, "state");
        lens.choose("State, norms of", kUnderOtherRules);
        answer_probe(s, rules_of(0, 0, 41));
        auto* plot = lens.named<RulesPlot>("The state under other rules");
        ASSERT_EQ(plot->columns().size(), 5u);
        EXPECT_EQ(plot->columns()[0].name, "KDA");
        EXPECT_TRUE(plot->columns()[0].own);
        EXPECT_EQ(plot->columns()[1].gate, "one gate a head");
        EXPECT_EQ(plot->columns()[2].gate, "no gate");
        EXPECT_EQ(plot->columns()[3].writing, "plain writing");
        EXPECT_EQ(plot->columns()[4].name, "Linear attention");
        EXPECT_TRUE(std::isnan(plot->columns()[0].pinned)) << "nothing is";
        EXPECT_NEAR(plot->columns()[2].all, (41 * 0.4 + 0.9) / 42, 1e-5);
        EXPECT_TRUE(lens.panel->sentence().startsWith("Mean cosine of 42 tokens read back: 0.80 by their own rule, KDA; Gated DeltaNet 0.58, "))
            << lens.panel->sentence().toStdString();
        EXPECT_TRUE(lens.panel->sentence().contains("By linear attention the state would be 5 times as large.")) << lens.panel->sentence().toStdString();
        const QImage before = plot->grab().toImage();
        s.session->selection().set_token(7);
        lens.settle();
        EXPECT_NEAR(plot->columns()[1].pinned, -0.25, 1e-6);
        EXPECT_TRUE(lens.panel->sentence().contains("read back: 0.90 by its own rule, KDA; Gated DeltaNet -0.25")) << lens.panel->sentence().toStdString();
        EXPECT_NE(plot->grab().toImage(), before);
        EXPECT_LE(plot->mapTo(lens.panel.get(), QPoint()).y(), 220) << "what is hidden keeps no place";
        EXPECT_GT(colours_in(plot->grab().toImage()), 40);
        EXPECT_EQ(lens.panel->key_items().size(), 4u);
        const TableData table = lens.panel->table();
        EXPECT_EQ(table.columns.size(), 6u);
        EXPECT_EQ(table.rows.size(), 5u * 42u);
        // A click on a norm chooses the token there.
        const QRectF norm = plot->norm_place(3);
        QTest::mouseClick(plot, Qt::LeftButton, {}, QPoint(int(norm.left() + norm.width() * 20.5 / 42), int(norm.center().y())));
        EXPECT_EQ(s.session->selection().token(), 20);
        // Everything stays inside, in a small lens too.
        for (const QSize size : {QSize(620, 720), QSize(480, 420)}) {
            lens.panel->resize(size);
            lens.settle();
            for (int i = 0; i < 5; ++i) EXPECT_TRUE(QRectF(plot->rect()).adjusted(-1, -1, 1, 1).contains(plot->norm_place(i))) << i << " at " << size.width();
            EXPECT_GT(plot->norm_place(0).height(), 20) << size.width();
        }
        s.script->play({Unloaded{}, PhaseChanged{Phase::empty}});
        s.session->tick();
        lens.settle();
        EXPECT_TRUE(plot->columns().empty());
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

TEST(UnderOtherRules, AHeadOfOneGateHasNoColumnOfKda) {
    ScriptedSession s;
    s.answer(30);
    Lens lens(s, "state");
    lens.choose("State, norms of", kUnderOtherRules);
    answer_probe(s, rules_of(0, 0, 41, Rule::gated_deltanet));
    auto* plot = lens.named<RulesPlot>("The state under other rules");
    ASSERT_EQ(plot->columns().size(), 4u);
    EXPECT_EQ(plot->columns()[0].name, "Gated DeltaNet");
    EXPECT_TRUE(plot->columns()[0].own);
    EXPECT_EQ(plot->columns()[2].gate, "one gate a head");
    EXPECT_TRUE(lens.panel->sentence().contains("by their own rule, Gated DeltaNet")) << lens.panel->sentence().toStdString();
}

TEST(UnderOtherRules, AModelWithoutStatesSaysSo) {
    auto card = std::make_shared<RunCard>(*scripted_card());
    card->config = all_attention(card->config), card->shape = TraceShape(card->config);
    ScriptedSession s(card);
    Lens lens(s, "state");
    s.answer(10);
    lens.choose("State, norms of", kUnderOtherRules);
    EXPECT_TRUE(posted<ProbeRules>(s).empty());
    EXPECT_TRUE(lens.map()->isVisible()) << "it says why";
}

TEST(ModelMap, IsEveryLayerFromBottomToTopAndAClickChoosesIt) {
    for (const bool dark : {true, false}) {
        ScriptedSession s;
        apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
        Lens lens(s, "map");
        auto* column = lens.named<LayerColumn>("Layers from bottom to top");
        ASSERT_NE(column, nullptr);
        ASSERT_EQ(column->rows().size(), 6u) << "four layers between embedding and head";
        EXPECT_EQ(column->rows()[0].layer, -1);
        EXPECT_EQ(column->rows()[1].mixer, "KDA");
        EXPECT_EQ(column->rows()[4].mixer, "MLA");
        EXPECT_TRUE(column->rows()[1].remembers.endsWith("state")) << column->rows()[1].remembers.toStdString();
        EXPECT_TRUE(column->rows()[4].remembers.endsWith("a token"));
        for (size_t i = 1; i < 6; ++i) EXPECT_LT(column->place(i).bottom(), column->place(i - 1).bottom()) << "upwards";
        EXPECT_TRUE(lens.panel->sentence().contains("3 layers with a state: ")) << lens.panel->sentence().toStdString();
        EXPECT_TRUE(lens.panel->sentence().contains("1 layer with a cache: ")) << lens.panel->sentence().toStdString();
        QTest::mouseClick(column, Qt::LeftButton, {}, column->place(3).center().toPoint());
        lens.settle();
        EXPECT_EQ(s.session->selection().layer(), 2);
        EXPECT_EQ(s.session->selection().state().layer, 2);
        EXPECT_EQ(column->chosen(), 2);
        QTest::keyClick(column, Qt::Key_Up);
        lens.settle();
        EXPECT_EQ(s.session->selection().cache().layer, 3);
        EXPECT_EQ(s.session->selection().state().layer, 2) << "each memory has its own";
        QTest::mouseClick(column, Qt::LeftButton, {}, column->place(0).center().toPoint());
        EXPECT_EQ(s.session->selection().layer(), 3) << "an embedding is no layer";
        EXPECT_GT(colours_in(column->grab().toImage()), 20);
        const TableData table = lens.panel->table();
        ASSERT_EQ(table.rows.size(), 4u);
        const auto costs = Costs(s.card->config, DType::bf16, s.card->cache_value_bytes).layers();
        EXPECT_EQ(table.rows[3][6].toDouble(), costs[3].cache);
        EXPECT_EQ(table.rows[0][5].toDouble(), costs[0].state);
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

TEST(ModelMap, NamesTheRuleOfAState) {
    for (const auto& [rule, name] : {std::pair("gla", "GLA"), {"deltanet", "DeltaNet"}, {"mamba2", "decay per head"}, {"kda", "KDA"}}) {
        auto card = std::make_shared<RunCard>(*scripted_card());
        card->config.update_rule = rule;
        ScriptedSession s(card);
        Lens lens(s, "map");
        EXPECT_EQ(lens.named<LayerColumn>("Layers from bottom to top")->rows()[1].mixer, name);
    }
}

// Every family that can be opened, and the full-attention twin of each: a row a layer in its own words, wide enough or scrolled.
TEST(ModelMap, KnowsEveryFamily) {
    for (const NamedShape& shape : named_shapes())
        for (const bool twin : {false, true}) {
            auto card = std::make_shared<RunCard>(*scripted_card());
            card->config = twin ? all_attention(shape.config) : shape.config, card->shape = TraceShape(card->config);
            ScriptedSession s(card);
            Lens lens(s, "map");
            const auto& rows = lens.named<LayerColumn>("Layers from bottom to top")->rows();
            ASSERT_EQ(rows.size(), static_cast<size_t>(card->config.num_hidden_layers + 2)) << shape.name;
            for (const LayerRow& row : rows) {
                if (row.layer < 0) continue;
                const std::string kind = card->config.layer_kinds[static_cast<size_t>(row.layer)];
                EXPECT_EQ(row.mixer, kind == "kda"              ? "KDA"
                                     : kind == "mla"            ? "MLA"
                                     : kind == "gated_deltanet" ? "Gated DeltaNet"
                                                                : "full attention")
                    << shape.name;
                EXPECT_EQ(row.memory == LayerRow::Memory::state, card->config.has_state(row.layer)) << shape.name;
                EXPECT_EQ(row.experts, card->config.is_moe(row.layer)) << shape.name;
                EXPECT_FALSE(row.ffn.isEmpty() || row.remembers.isEmpty()) << shape.name;
                EXPECT_EQ(row.about.contains("a mix of"), card->config.residual_block > 0) << row.about.toStdString();
                EXPECT_EQ(row.about.contains("latent of"), row.experts && card->config.expert_latent > 0) << row.about.toStdString();
                if (shape.name == "kimi-k3-small" && row.layer > 3)  // the embedding's and one for each block of four
                    EXPECT_TRUE(row.about.contains(row.layer == 4 ? "a mix of 2 residual streams." : "a mix of 3 residual streams."))
                        << row.about.toStdString();
            }
            EXPECT_EQ(lens.panel->sentence().contains("with a state"), !card->config.state_layers().empty()) << lens.panel->sentence().toStdString();
            s.session->selection().set_layer(card->config.num_hidden_layers - 1);
            lens.settle();
            EXPECT_EQ(lens.named<LayerColumn>("Layers from bottom to top")->chosen(), card->config.num_hidden_layers - 1);
        }
}

}  // namespace
}  // namespace klp::gui
