// The lens "A fact's life" and surgery in the lens State: what they ask for and when, what they show, what their buttons do.
#include <QComboBox>
#include <QLineEdit>
#include <QPushButton>
#include <QToolButton>

#include <chrono>

#include <QSpinBox>

#include "app/gui/draw/line_chart.h"
#include "app/gui/frame/main_window.h"
#include "app/gui/panels/reader_list.h"
#include "app/opener.h"
#include "core/runs/live_run.h"
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

// Of the scripted card: 3 KDA layers of 4 heads and an MLA layer. Head 1.2 keeps most, cache head 3.1 reads most.
LifePicture life_of(int64_t token, int64_t last) {
    LifePicture life{{.token = token, .last = last, .probability = {{last - 1, 0.9f}, {last, 0.1f}}}};
    const auto n = static_cast<size_t>(last - token + 1);
    for (int layer = 0; layer < 4; ++layer)
        for (int h = 0; h < 4; ++h) {
            HeadLife head{.layer = layer, .head = h, .cache = layer == 3};
            const float keeps = layer == 1 && h == 2 ? 0.98f : 0.5f;
            for (size_t i = 0; i < n; ++i) {
                const float kept = std::pow(keeps, static_cast<float>(i));
                head.read.push_back(layer == 3 ? (h == 1 ? 0.25f : 0.01f) : h == 3 && layer == 2 ? -0.5f : 0.01f);
                if (head.cache) continue;
                head.decay.push_back(kept), head.left.push_back(i == 0 ? 1 : 0.5f * kept);
            }
            life.heads.push_back(std::move(head));
        }
    return life;
}
void answer_probe(ScriptedSession& s, Event event) {
    s.script->play({PhaseChanged{Phase::probing, 3, 9}});
    s.session->tick();
    s.script->play({std::move(event), PhaseChanged{Phase::ready}});
    s.session->tick();
    Lens::settle();
}

TEST(FactsLife, IsAskedForInThePausesAndOfWhatIsPinned) {
    ScriptedSession s;
    Lens lens(s, "life");
    EXPECT_TRUE(lens.panel->sentence().contains("Pin a word") || lens.panel->sentence().contains("What becomes"));
    s.answer(30);
    lens.settle();
    EXPECT_TRUE(posted<ProbeLife>(s).empty()) << "nothing is pinned";
    s.session->selection().set_token(7);
    lens.settle();
    ASSERT_EQ(posted<ProbeLife>(s).size(), 1u);
    EXPECT_EQ(posted<ProbeLife>(s)[0].token, 7);
    EXPECT_EQ(posted<ProbeLife>(s)[0].layer, -1);
    ASSERT_EQ(posted<ProbeLife>(s)[0].answers.size(), 1u);
    EXPECT_EQ(posted<ProbeLife>(s)[0].answers[0], (Span{12, 42}));
    answer_probe(s, life_of(7, 41));
    EXPECT_EQ(posted<ProbeLife>(s).size(), 1u) << "it is known";

    // While an answer is made nothing is asked for, and afterwards once.
    s.script->play({PhaseChanged{Phase::decoding}, TokenMade{.answer = 2, .position = 42, .id = 9, .text = " x"}});
    s.session->tick();
    lens.settle();
    EXPECT_EQ(posted<ProbeLife>(s).size(), 1u);
    EXPECT_TRUE(lens.panel->sentence().contains("34 tokens later")) << lens.panel->sentence().toStdString();
    s.script->play({PhaseChanged{Phase::ready}});
    s.session->tick();
    lens.settle();
    EXPECT_EQ(posted<ProbeLife>(s).size(), 2u);
    // It gave way: asked again.
    s.script->play({PhaseChanged{Phase::probing}, PhaseChanged{Phase::ready}});
    s.session->tick();
    lens.settle();
    EXPECT_EQ(posted<ProbeLife>(s).size(), 3u);
    answer_probe(s, life_of(7, 42));
    EXPECT_TRUE(lens.panel->sentence().contains("35 tokens later"));

    // Out of sight and frozen it asks for nothing.
    lens.panel->hide();
    s.session->selection().set_token(8);
    lens.settle();
    EXPECT_EQ(posted<ProbeLife>(s).size(), 3u);
    lens.panel->set_frozen(true);
    lens.panel->show();
    lens.settle();
    EXPECT_EQ(posted<ProbeLife>(s).size(), 3u);
    EXPECT_TRUE(lens.panel->sentence().contains("35 tokens later")) << "what was shown stays";
    lens.panel->set_frozen(false);
    lens.settle();
    EXPECT_EQ(posted<ProbeLife>(s).size(), 4u);
    EXPECT_FALSE(lens.panel->sentence().contains("35 tokens later")) << "that was another token";
}

TEST(FactsLife, ShowsWhatIsLeftWhoReadsItAndWhatAnswersGaveIt) {
    for (const bool dark : {true, false}) {
        ScriptedSession s;
        apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
        s.answer(30);
        s.session->selection().set_head(1, 2);
        s.session->selection().set_head(3, 1);
        s.session->selection().set_token(7);
        Lens lens(s, "life");
        answer_probe(s, life_of(7, 41));
        auto* decay = lens.named<LineChart>("Left by decay alone");
        auto* left = lens.named<LineChart>("Left by decay and overwriting");
        auto* cache = lens.named<LineChart>("Weight of its row");
        auto* probability = lens.named<LineChart>("Probability");
        ASSERT_TRUE(decay && left && cache && probability);
        ASSERT_EQ(decay->points().size(), 4u) << "a line a head of the chosen layer";
        ASSERT_EQ(left->points().size(), 4u);
        EXPECT_EQ(left->points()[3].first(), QPointF(7, 1));
        EXPECT_NEAR(decay->points()[3].last().y(), std::pow(0.98, 34), 1e-5) << "the chosen head lies on top";
        EXPECT_NEAR(left->points()[3].last().y(), 0.5 * std::pow(0.98, 34), 1e-5);
        EXPECT_NEAR(cache->points()[3].last().y(), 0.25, 1e-6);
        ASSERT_EQ(probability->points().size(), 1u);
        EXPECT_NEAR(probability->points()[0][0].y(), 0.9, 1e-6);
        const QString said = lens.panel->sentence();
        EXPECT_TRUE(said.contains("34 tokens later the state of layer 1, head 2 holds 25 % of token 7")) << said.toStdString();
        EXPECT_TRUE(said.contains("50 %") && said.contains("90 %")) << said.toStdString();

        auto* state_reader = lens.named<QToolButton>("Life, the state head");
        auto* cache_reader = lens.named<QToolButton>("Life, the cache head");
        ASSERT_TRUE(state_reader && cache_reader);
        EXPECT_TRUE(state_reader->isVisible() && cache_reader->isVisible());
        EXPECT_TRUE(state_reader->text().contains("2.3")) << state_reader->text().toStdString();
        state_reader->click();
        EXPECT_EQ(s.session->selection().state(), (Head{2, 3}));
        EXPECT_EQ(s.session->selection().cache(), (Head{3, 1})) << "heads of the two memories are selected apart";
        lens.settle();
        EXPECT_NEAR(decay->points()[3].last().y(), std::pow(0.5, 34), 1e-6);
        emit decay->hovered(9);
        EXPECT_EQ(s.session->selection().hovered(), 9);
        EXPECT_TRUE(lens.words().contains("2 tokens later: token 9")) << lens.words().toStdString();
        EXPECT_TRUE(lens.words().contains("state 2.3: left 12 %, by decay alone 25 %, read with -0.500")) << lens.words().toStdString();

        const TableData table = lens.panel->table();
        EXPECT_EQ(table.rows.size(), 8u * 35u);
        EXPECT_FALSE(lens.panel->key_items().empty());
        EXPECT_GT(colours_in(lens.panel->grab().toImage()), 30);
        // What is not told anew is not drawn anew, and another line of talk takes it away.
        s.script->play({PromptFed{5, {1, 2, 3}}});
        s.session->tick();
        lens.settle();
        EXPECT_TRUE(decay->points().empty());
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

ReadersPicture readers_of(int64_t token, int64_t position) {
    ReadersPicture all{{.token = token, .position = position, .heads = {{3, 1, true, 0.75f, 0.75f}, {2, 3, false, -0.5f, -0.5f}, {0, 1, false, 0.1f, 0.02f}}}};
    for (int h = 0; h < 4; ++h) all.heads.push_back({1, h, false, 0, 0});
    return all;
}

TEST(FactsLife, RanksWhoReadsTheWordAndAClickChoosesTheHead) {
    for (const bool dark : {true, false}) {
        apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
        ScriptedSession s;
        s.answer(30);
        s.session->selection().set_token(7);
        Lens lens(s, "life");
        answer_probe(s, life_of(7, 41));
        QToolButton* who = nullptr;
        for (QToolButton* b : lens.panel->findChildren<QToolButton*>())
            if (b->text() == "Who reads it") who = b;
        ASSERT_TRUE(who);
        EXPECT_TRUE(posted<ProbeReaders>(s).empty()) << "nobody asked";
        who->click();
        lens.settle();
        ASSERT_EQ(posted<ProbeReaders>(s).size(), 1u);
        EXPECT_EQ(posted<ProbeReaders>(s)[0].token, 7);
        EXPECT_EQ(posted<ProbeReaders>(s)[0].position, -1) << "the newest";
        answer_probe(s, readers_of(7, 41));
        EXPECT_EQ(posted<ProbeReaders>(s).size(), 1u) << "it is known";
        EXPECT_EQ(posted<ProbeLife>(s).size(), 1u) << "the curves are not in sight";
        auto* list = lens.panel->findChild<ReaderList*>();
        ASSERT_TRUE(list && list->isVisible());
        ASSERT_EQ(list->model()->rowCount(), 7);
        EXPECT_EQ(list->model()->index(0, 0).data().toString(), "cache 3.1");
        EXPECT_EQ(list->model()->index(0, 1).data().toString(), "75 %");
        EXPECT_EQ(list->model()->index(1, 0).data().toString(), "state 2.3");
        EXPECT_TRUE(lens.panel->sentence().contains("the cache of layer 3, head 1 reads most of token 7")) << lens.panel->sentence().toStdString();
        EXPECT_TRUE(lens.panel->sentence().contains("75 % of what this head reads")) << lens.panel->sentence().toStdString();
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualRect(list->model()->index(1, 1)).center());
        EXPECT_EQ(s.session->selection().state(), (Head{2, 3}));
        list->setCurrentIndex(list->model()->index(0, 0));
        QTest::keyClick(list, Qt::Key_Return);
        EXPECT_EQ(s.session->selection().cache(), (Head{3, 1}));
        EXPECT_EQ(lens.panel->table().rows.size(), 7u);
        EXPECT_GT(colours_in(lens.panel->grab().toImage()), 20);

        // At another token: asked for again, and not when it is the newest again by itself.
        auto* at = lens.named<QSpinBox>("Life, the token that reads");
        ASSERT_TRUE(at && at->isVisible());
        EXPECT_EQ(at->value(), 41);
        EXPECT_EQ(at->minimum(), 7);
        at->setValue(20);
        lens.settle();
        ASSERT_EQ(posted<ProbeReaders>(s).size(), 2u);
        EXPECT_EQ(posted<ProbeReaders>(s)[1].position, 20);
        answer_probe(s, readers_of(7, 20));
        EXPECT_TRUE(lens.panel->sentence().contains("token 20")) << lens.panel->sentence().toStdString();
        who->click();
        lens.settle();
        EXPECT_FALSE(list->isVisible());
        EXPECT_TRUE(lens.named<LineChart>("Left by decay alone")->isVisible());
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

TEST(FactsLife, OfARecordingIsWhatWasCaptured) {
    auto card = std::make_shared<RunCard>(*scripted_card());
    card->recorded = "2026-11-30, a machine";
    ScriptedSession s(card);
    Lens lens(s, "life");
    s.answer(30);
    s.session->selection().set_token(7);
    lens.settle();
    EXPECT_TRUE(posted<ProbeLife>(s).empty());
    EXPECT_TRUE(lens.panel->sentence().contains("This recording holds no token's life")) << lens.panel->sentence().toStdString();
    s.script->play({life_of(3, 41)});
    s.session->tick();
    lens.settle();
    EXPECT_TRUE(lens.panel->sentence().contains("38 tokens later"));
}

TEST(FactsLife, OfManyHeadsTheChosenOneStandsOut) {
    ScriptedSession s;
    s.answer(30);
    s.session->selection().set_token(7);
    Lens lens(s, "life");
    LifePicture many = life_of(7, 41);
    for (int h = 4; h < 32; ++h) many.heads.push_back(many.heads[0]), many.heads.back().head = h;
    answer_probe(s, many);
    EXPECT_EQ(lens.named<LineChart>("Left by decay alone")->points().size(), 32u);
}

ReadablePicture readable_of(const ProbeReadable& asked) {
    ReadablePicture p{{.layer = asked.layer, .head = asked.head, .position = asked.position, .first = 0, .token = asked.token, .with = asked.with}};
    for (int64_t t = 0; t <= asked.position; ++t) {
        p.cosine.push_back(t % 2 ? 0.5f : -0.25f), p.ratio.push_back(0.75f);
        if (asked.token >= 0) p.predicted.push_back(t == asked.token ? 2.f : t == 3 ? 1.f : 0.25f);
        if (asked.token >= 0 && asked.cut) p.measured.push_back(p.predicted.back());
    }
    if (asked.token < 0) return p;
    p.beta = 0.5f, p.change = 2, p.key = {1, 0, 0};
    if (asked.with >= 0) p.value = {4, 5};
    return p;
}

TEST(SurgeryInTheLensState, ReadsShowsCrosstalkAndCuts) {
    for (const bool dark : {true, false}) {
        ScriptedSession s;
        apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
        std::vector<std::pair<Intervention, bool>> hands;
        QObject::connect(s.session.get(), &Session::hand_asked, [&](const Intervention& what, bool whole) { hands.emplace_back(what, whole); });
        s.answer(10);
        s.answer(10, 2);
        s.session->set_hands({.question = 22});
        s.session->selection().set_head(1, 2);
        Lens lens(s, "state");
        lens.settle();
        EXPECT_TRUE(posted<ProbeReadable>(s).empty()) << "what is not in sight costs nothing";
        lens.choose("State, norms of", 2);
        auto* map = lens.named<HeatMap>("Surgery");
        auto* overwrite = lens.named<QPushButton>("Surgery, overwrite");
        auto* erase = lens.named<QPushButton>("Surgery, erase");
        auto* other = lens.named<QLineEdit>("Surgery");
        ASSERT_TRUE(map && overwrite && erase && other);
        ASSERT_EQ(posted<ProbeReadable>(s).size(), 1u);
        EXPECT_EQ(posted<ProbeReadable>(s)[0].position, 43) << "nothing is pinned: the newest";
        answer_probe(s, readable_of(posted<ProbeReadable>(s).back()));
        EXPECT_EQ(map->rows(), 1);
        EXPECT_EQ(map->columns(), 44);
        EXPECT_FALSE(overwrite->isEnabled() || erase->isEnabled());

        s.session->selection().set_token(5);
        lens.settle();
        const ProbeReadable asked = posted<ProbeReadable>(s).back();
        EXPECT_EQ(asked.position, 21) << "in front of the last question";
        EXPECT_EQ(asked.token, 5);
        EXPECT_EQ(asked.with, -1);
        EXPECT_FALSE(asked.cut);
        EXPECT_FALSE(erase->isEnabled()) << "not looked at yet";
        answer_probe(s, readable_of(asked));
        EXPECT_EQ(map->rows(), 3);
        EXPECT_FLOAT_EQ(map->value(1, 3), 0.5f) << "a share of the change";
        EXPECT_TRUE(std::isnan(map->value(2, 3))) << "not measured";
        EXPECT_TRUE(erase->isEnabled());
        EXPECT_FALSE(overwrite->isEnabled()) << "with what?";
        EXPECT_TRUE(lens.panel->sentence().contains("cosine of 0.50")) << lens.panel->sentence().toStdString();
        EXPECT_TRUE(lens.panel->sentence().contains("heard most by token 3")) << lens.panel->sentence().toStdString();
        EXPECT_TRUE(map->describe(1, 3, 0).contains("50 %"));
        erase->click();
        ASSERT_EQ(hands.size(), 1u);
        EXPECT_EQ(hands[0].first.what, Intervention::What::edit);
        EXPECT_EQ(hands[0].first.layers, std::vector{1});
        EXPECT_EQ(hands[0].first.heads, std::vector{2});
        EXPECT_EQ(hands[0].first.key, (std::vector<float>{1, 0, 0}));
        EXPECT_TRUE(hands[0].first.value.empty());

        // The other's value: by its number or its word.
        other->setText("9");
        lens.settle();
        EXPECT_EQ(posted<ProbeReadable>(s).back().with, 9);
        EXPECT_FALSE(erase->isEnabled()) << "that look is another's";
        answer_probe(s, readable_of(posted<ProbeReadable>(s).back()));
        EXPECT_TRUE(overwrite->isEnabled());
        overwrite->click();
        ASSERT_EQ(hands.size(), 2u);
        EXPECT_EQ(hands[1].first.value, (std::vector<float>{4, 5}));
        EXPECT_FALSE(hands[1].second);
        other->setText("state");  // said by the first answer
        lens.settle();
        EXPECT_EQ(posted<ProbeReadable>(s).back().with, 13);
        answer_probe(s, readable_of(posted<ProbeReadable>(s).back()));
        other->setText("nobody");
        lens.settle();
        answer_probe(s, readable_of(posted<ProbeReadable>(s).back()));
        EXPECT_FALSE(overwrite->isEnabled());

        // The cut was made: it is measured.
        hands[0].first.from = 22;
        s.session->set_hands({.list = std::make_shared<const Interventions>(Interventions{hands[0].first}), .question = 22});
        lens.settle();
        ASSERT_TRUE(posted<ProbeReadable>(s).back().cut);
        answer_probe(s, readable_of(posted<ProbeReadable>(s).back()));
        EXPECT_FLOAT_EQ(map->value(2, 3), 0.5f);
        EXPECT_TRUE(lens.panel->sentence().contains("50 % of it predicted, 50 % measured")) << lens.panel->sentence().toStdString();
        EXPECT_EQ(lens.panel->table().columns.size(), 6u);
        EXPECT_EQ(lens.panel->table().rows.size(), 22u);
        EXPECT_GT(colours_in(lens.panel->grab().toImage()), 30);
        // What is told now cannot be cut in front of the last question.
        s.session->selection().set_token(30);
        lens.settle();
        answer_probe(s, readable_of(posted<ProbeReadable>(s).back()));
        EXPECT_FALSE(erase->isEnabled());
        EXPECT_TRUE(lens.panel->sentence().contains("Ask something behind it")) << lens.panel->sentence().toStdString();
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

// Through the window and the embedded model, which keeps a colour in the state of layer 0, head 0: with another word's value under its key it says that word.
class SurgeryInTheWindow : public ::testing::Test {
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
        window->load_model("");
        until([&] { return session->live(); }, "a model");
        Chats::Settings settings = chats->settings();
        settings.sampling = {.temperature = 0}, settings.predict = 30, settings.preset = "test";
        chats->set_settings(settings);
        for (const char* text : {"My favorite color is green.", "Remember this pair: lamp - red.", "What is my favorite color?"}) {
            ASSERT_TRUE(chats->send(text));
            rests();
        }
        for (int64_t p = 0; p < session->trace().size() && green < 0; ++p)
            if (session->card()->tokenizer->bytes(session->trace().row(p).id).find("green") != std::string_view::npos) green = p;
        ASSERT_GE(green, 0);
        session->selection().set_token(green);
        session->selection().set_head(0, 0);
    }
    void TearDown() override { window.reset(), chats.reset(), session.reset(); }
    void until(const std::function<bool()>& done, const char* what) {
        for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20); std::chrono::steady_clock::now() < end;) {
            if (done()) return;
            QTest::qWait(3);
        }
        ADD_FAILURE() << "never: " << what;
    }
    void rests() {
        until([&] { return !chats->answering() && session->phase().phase == Phase::ready; }, "an answer");
    }
    const ChatMessage& tip() { return chats->chat().message(chats->chat().tip()); }
    template <class T>
    T* part(Panel* panel, const QString& name) {
        for (T* w : panel->findChildren<T*>())
            if (w->accessibleName().startsWith(name)) return w;
        ADD_FAILURE() << name.toStdString();
        return nullptr;
    }
    Panel* lens(const char* id) {
        window->show_panel(id);
        Panel* panel = window->panel(id);
        until([&] { return panel->in_sight(); }, id);
        return panel;
    }

    QTemporaryDir home;
    std::unique_ptr<Session> session;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<MainWindow> window;
    int64_t green = -1;
};

TEST_F(SurgeryInTheWindow, AFactIsOverwrittenAndTheModelSaysTheOther) {
    EXPECT_EQ(tip().text, "Your favorite color is green.");
    const int before = chats->chat().tip();
    const int64_t question = session->hands().question;
    EXPECT_GT(question, green);
    Panel* life = lens("life");
    auto* left = part<LineChart>(life, "Left by decay and overwriting");
    until([&] { return left->points().size() == 4; }, "the lines of layer 0");
    const auto at_question = [&](int64_t behind) { return left->points()[3][static_cast<qsizetype>(question - green + behind)].y(); };
    EXPECT_GT(at_question(0), 0.3) << "it is still there";

    Panel* state = lens("state");
    auto* below = part<QComboBox>(state, "State, norms of");
    below->setCurrentIndex(2);
    emit below->activated(2);
    auto* overwrite = part<QPushButton>(state, "Surgery, overwrite");
    auto* map = part<HeatMap>(state, "Surgery, what");
    QTest::keyClicks(part<QLineEdit>(state, "Surgery, the word"), "red");
    until([&] { return overwrite->isEnabled(); }, "a look at the state");
    ASSERT_EQ(map->rows(), 3);
    ASSERT_EQ(map->columns(), question);
    EXPECT_GT(map->value(0, static_cast<int>(green)), 0.8) << "it can be read";
    EXPECT_NEAR(map->value(1, static_cast<int>(green)), 1, 1e-5) << "of itself all is heard";
    EXPECT_TRUE(std::isnan(map->value(2, 0))) << "nothing was cut yet";
    QTest::mouseClick(overwrite, Qt::LeftButton);
    ASSERT_NE(chats->chat().tip(), before);
    rests();
    EXPECT_EQ(tip().text, "Your favorite color is red.");
    EXPECT_EQ(tip().beside, before);
    ASSERT_TRUE(tip().hands && tip().hands->size() == 1);
    EXPECT_EQ(tip().hands->front().from, question);
    until([&] { return map->rows() == 3 && !std::isnan(map->value(2, 0)); }, "what was measured");
    for (int t = 0; t < map->columns(); ++t) EXPECT_NEAR(map->value(2, t), map->value(1, t), 1e-4) << t;

    lens("life");
    until([&] { return left->points().size() == 4 && std::abs(at_question(0)) < 0.1; }, "its end");
    session->ask_undo_hand();
    rests();
    EXPECT_EQ(chats->chat().tip(), before);
    EXPECT_FALSE(session->hands().list);
}

}  // namespace
}  // namespace klp::gui
