// Hands on the memory in the window, through its widgets and with the embedded model: each makes a branch that says what it is, beside the answer that stood.
#include <QCheckBox>
#include <QClipboard>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QToolButton>
#include <chrono>
#include <nlohmann/json.hpp>

#include "app/gui/chat/message_card.h"
#include "app/gui/frame/main_window.h"
#include "app/gui/session/hand_words.h"
#include "app/opener.h"
#include "core/runs/live_run.h"
#include "core/runs/replay_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);
using What = Intervention::What;

class HandsTest : public ::testing::Test {
protected:
    void SetUp() override { start(); }
    void TearDown() override { stop(); }
    void start() {
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
    void stop() { window.reset(), chats.reset(), session.reset(); }
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
    void ask(const QString& text, double temperature = 0.8) {
        Chats::Settings settings = chats->settings();
        settings.sampling = {.temperature = static_cast<float>(temperature)}, settings.predict = 40, settings.random_seed = true, settings.preset = "test";
        chats->set_settings(settings);
        ASSERT_TRUE(chats->send(text));
        rests();
    }
    const ChatMessage& tip() { return chats->chat().message(chats->chat().tip()); }
    Interventions hands() { return tip().hands ? *tip().hands : Interventions(); }
    int64_t question() {  // where the last one begins
        int id = tip().parent;
        for (const auto& [message, position] : chats->message_positions())
            if (message == id) return position;
        return -1;
    }
    Panel* lens(const char* id) {
        window->show_panel(id);
        Panel* panel = window->panel(id);
        until([&] { return panel->in_sight(); }, id);
        auto* open = panel->findChild<QToolButton*>("hands-button");
        EXPECT_TRUE(open) << id;
        if (open && !open->isChecked()) QTest::mouseClick(open, Qt::LeftButton);
        EXPECT_TRUE(part<HandsStrip>(panel, "hands")->isVisible());
        return panel;
    }
    template <class T>
    T* part(Panel* panel, const char* name) {
        auto* found = panel->findChild<T*>(name);
        EXPECT_TRUE(found) << name;
        return found;
    }
    void choose(Panel* panel, const char* name, const QString& text) {
        auto* box = part<QComboBox>(panel, name);
        const int at = box->findText(text);
        ASSERT_GE(at, 0) << text.toStdString();
        box->setCurrentIndex(at);
    }
    // Presses the button and waits for the answer. The one before stays.
    void apply(Panel* panel) {
        const int before = chats->chat().tip();
        const ChatMessage old = chats->chat().message(before);
        auto* button = part<QPushButton>(panel, "hand-apply");
        ASSERT_TRUE(button->isEnabled()) << part<QLabel>(panel, "hand-wanted")->text().toStdString();
        QTest::mouseClick(button, Qt::LeftButton);
        ASSERT_NE(chats->chat().tip(), before) << said.join("; ").toStdString();
        rests();
        EXPECT_EQ(tip().parent, old.parent) << "a branch beside it";
        EXPECT_EQ(tip().beside, before);
        ASSERT_TRUE(tip().stats);
        EXPECT_EQ(tip().stats->seed, old.stats->seed);
        EXPECT_EQ(chats->chat().message(before), old);
        EXPECT_EQ(session->hands().list, tip().hands);
    }
    MessageCard* card() {
        for (auto* c : window->findChildren<MessageCard*>())
            if (c->isVisible() && c->id() == chats->chat().tip()) return c;
        return nullptr;
    }
    QString on_card(const char* name) {
        auto* label = card() ? card()->findChild<QLabel*>(name) : nullptr;
        return label ? label->text() : QString();
    }

    QTemporaryDir home;
    std::unique_ptr<Session> session;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<MainWindow> window;
    QStringList said;
};

TEST_F(HandsTest, ADialOfHalfLivesMakesABranchBesideTheAnswer) {
    ask("My name is Tom.");
    ask("What is my name?");
    const int plain = chats->chat().tip();
    const std::string before = tip().text;
    const int64_t begins = question();
    ASSERT_GT(begins, 0);

    Panel* decay = lens("decay");
    EXPECT_EQ(part<QLabel>(decay, "hands-now")->text(), "Nothing is changed on this branch.");
    choose(decay, "hand-reach", "all states");
    auto* dial = part<QSlider>(decay, "hand-dial");
    dial->setFocus();
    QTest::keyClick(dial, Qt::Key_Home);
    EXPECT_TRUE(part<QLabel>(decay, "hand-wanted")->text().contains("half-lives × 0.125 in every layer"));
    apply(decay);
    ASSERT_EQ(hands().size(), 1u);
    EXPECT_EQ(hands()[0], (Intervention{.what = What::gates, .from = begins, .amount = 0.125f}));
    EXPECT_TRUE(part<QLabel>(decay, "hands-now")->text().contains("half-lives × 0.125"));
    EXPECT_EQ(decay->findChild<QToolButton*>("hands-button")->text(), "Hands (1)");

    // The card says it, shows the answer before, and how far apart they are.
    until([&] { return on_card("apart-said").contains("KL"); }, "a distance");
    EXPECT_TRUE(on_card("hands-said").contains("half-lives × 0.125 in every layer, from token"));
    auto* old = card()->findChild<BeforeBox*>();
    ASSERT_TRUE(old);
    EXPECT_EQ(old->text().simplified(), QString::fromStdString(before).simplified());
    EXPECT_TRUE(on_card("apart-said").contains("|S|"));
    const Compared* apart = chats->compared(chats->chat().tip());
    ASSERT_TRUE(apart);
    EXPECT_EQ(apart->tokens.size(), chats->chat().message(plain).ids.size() + 1) << "and what closed the turn";
    EXPECT_GT(apart->states.difference, 0);
    EXPECT_LT(apart->states.norm[1], apart->states.norm[0]) << "what forgets faster holds less";

    // What is asked on is under it too; and a second turn of the dial takes the place of the first.
    dial->setValue(8);
    apply(decay);
    EXPECT_EQ(hands(), (Interventions{{.what = What::gates, .from = begins, .amount = 4}}));
    ask("Why?");
    EXPECT_EQ(hands().size(), 1u);

    // Undo is going back, hand by hand.
    auto* undo = part<QPushButton>(decay, "hand-undo");
    QTest::mouseClick(undo, Qt::LeftButton);
    EXPECT_EQ(hands().at(0).amount, 0.125f);
    QTest::mouseClick(undo, Qt::LeftButton);
    EXPECT_EQ(chats->chat().tip(), plain);
    EXPECT_FALSE(undo->isEnabled());
    EXPECT_EQ(session->hands().list, nullptr);
}

TEST_F(HandsTest, TheSameHandSaysTheSameAndNoneSaysWhatStood) {
    ask("Tell me a story.", 1);
    const std::vector<int32_t> plain = tip().ids;
    Panel* state = lens("state");
    choose(state, "hand-tool", "no writing");
    choose(state, "hand-reach", "all states");
    apply(state);
    const std::vector<int32_t> touched = tip().ids;
    EXPECT_NE(touched, plain);
    QTest::mouseClick(part<QPushButton>(state, "hand-undo"), Qt::LeftButton);
    until([&] { return session->phase().phase == Phase::ready; }, "it goes back");
    apply(state);
    EXPECT_EQ(tip().ids, touched);
    // The dial in its middle takes what it said back: an empty list, and the answer that stood, though it is made again.
    choose(state, "hand-tool", "writing strength β times");
    choose(state, "hand-reach", "all states");
    part<QSlider>(state, "hand-dial")->setValue(0);
    apply(state);
    EXPECT_EQ(tip().hands, nullptr);
    EXPECT_EQ(tip().ids, plain);
    until([&] { return on_card("apart-said").contains("KL"); }, "a distance");
    EXPECT_EQ(on_card("hands-said"), "Without hands again");
}

TEST_F(HandsTest, StatesAreMutedAndEmptied) {
    ask("My name is Tom.");
    ask("What is my name?");
    const int64_t begins = question();
    Panel* state = lens("state");
    session->selection().set_head(1, 2);
    choose(state, "hand-tool", "empty the state");
    choose(state, "hand-reach", "the head");
    EXPECT_FALSE(part<QCheckBox>(state, "hand-whole")->isVisible()) << "it is done once";
    apply(state);
    EXPECT_EQ(hands(), (Interventions{{.what = What::empty, .layers = {1}, .heads = {2}, .from = begins}}));
    choose(state, "hand-tool", "no reading of the state");
    choose(state, "hand-reach", "the layer");
    part<QCheckBox>(state, "hand-whole")->setChecked(true);
    apply(state);
    EXPECT_EQ(hands().at(1), (Intervention{.what = What::read, .layers = {1}, .amount = 0})) << "from the first token";
    EXPECT_EQ(hands().size(), 2u) << "they add up";
    // Its lens sees it: what the trace has is of these hands.
    until([&] { return session->recall().now() == Recall::Now::nothing; }, "readings");
    QTest::mouseClick(part<QToolButton>(state, "hand-json"), Qt::LeftButton);
    const auto copied = read_interventions(QApplication::clipboard()->text().toStdString(), "the clipboard");
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(*copied, hands());
}

TEST_F(HandsTest, TokensAreHiddenFromTheCachesAndHeadsOfThemMuted) {
    ask("My name is Tom. What is my name?");
    Panel* attention = lens("attention");
    choose(attention, "hand-tool", "hide tokens from the caches");
    EXPECT_FALSE(part<QPushButton>(attention, "hand-apply")->isEnabled());
    EXPECT_TRUE(part<QLabel>(attention, "hand-wanted")->text().contains("Choose a token"));
    session->selection().set_token(4);
    apply(attention);
    ASSERT_EQ(hands().size(), 1u);
    EXPECT_EQ(hands()[0].tokens, (std::pair<int64_t, int64_t>{4, 5}));
    EXPECT_EQ(hands()[0].from, 5) << "right behind it";
    session->selection().set_range(1, 4);
    apply(attention);
    EXPECT_EQ(hands().at(1).tokens, (std::pair<int64_t, int64_t>{1, 4}));
    // What follows cannot be hidden from what was made before it.
    session->selection().set_range(1, session->trace().size());
    const int tip_before = chats->chat().tip();
    QTest::mouseClick(part<QPushButton>(attention, "hand-apply"), Qt::LeftButton);
    EXPECT_EQ(chats->chat().tip(), tip_before);
    EXPECT_TRUE(said.back().contains("Only what stands before the answer")) << said.back().toStdString();
    session->selection().set_range(0, 0);

    choose(attention, "hand-tool", "no reading of the cache");
    choose(attention, "hand-reach", "the head");
    const Head cache = session->selection().cache();
    apply(attention);
    EXPECT_EQ(hands().at(2), (Intervention{.what = What::read, .layers = {cache.layer}, .heads = {cache.head}, .amount = 0}))
        << "its question is the first token";
}

TEST_F(HandsTest, AnExpertIsSilencedByAClickOnIt) {
    ask("Tell me a story.");
    Panel* experts = lens("experts");
    until([&] { return session->recall().now() == Recall::Now::nothing; }, "picks");
    auto* map = experts->findChild<HeatMap*>();
    ASSERT_TRUE(map);
    until([&] { return map->rows() > 0; }, "a map");
    emit map->clicked(1, 5);
    const int layer = session->selection().layer();
    EXPECT_TRUE(part<QLabel>(experts, "hand-wanted")->text().contains(QString("expert 5 silenced in layer %1").arg(layer)));
    apply(experts);
    ASSERT_EQ(hands().size(), 1u);
    EXPECT_EQ(hands()[0].experts, std::vector<int>{5});
    EXPECT_EQ(hands()[0].layers, std::vector<int>{layer});
    until([&] { return session->recall().now() == Recall::Now::nothing && session->phase().phase == Phase::ready; }, "picks");
    const TraceShape& shape = session->trace().shape();
    for (int64_t p = question(); p < session->trace().size(); ++p)
        for (const float pick : shape.of(Site::picks, layer, session->trace().readings(p))) EXPECT_NE(pick, 5) << "token " << p;
}

TEST_F(HandsTest, AChatThatIsOpenedAgainGoesOnUnderThem) {
    ask("My name is Tom.");
    Panel* decay = lens("decay");
    choose(decay, "hand-reach", "the layer");
    part<QSlider>(decay, "hand-dial")->setValue(-8);
    apply(decay);
    const Interventions laid = hands();
    const int beside = tip().beside;
    stop();
    start();
    ASSERT_FALSE(chats->all().empty());
    chats->open(chats->all().front().get());
    ASSERT_EQ(hands(), laid);
    EXPECT_EQ(tip().beside, beside);
    rests();
    EXPECT_EQ(*session->hands().list, laid);
    until([&] { return on_card("apart-said").contains("KL"); }, "a distance, computed again");
    ask("What is my name?");
    EXPECT_EQ(hands(), laid);
    until([&] { return session->recall().now() == Recall::Now::nothing && session->phase().phase == Phase::ready; }, "readings");
}

TEST_F(HandsTest, WhereNothingCanBeLaidASentenceSaysWhy) {
    Panel* decay = lens("decay");
    const auto why = [&] { return part<QLabel>(decay, "hand-wanted")->text(); };
    EXPECT_TRUE(why().startsWith("Ask something first")) << why().toStdString();
    EXPECT_FALSE(part<QPushButton>(decay, "hand-apply")->isEnabled());
    ask("Hello");
    EXPECT_TRUE(part<QPushButton>(decay, "hand-apply")->isEnabled());

    // In a replay.
    auto card = std::make_shared<RunCard>(*session->card());
    card->recorded = "today";
    const auto hands = std::make_shared<const Interventions>(Interventions{{.what = What::gates, .amount = 2}});
    RecordingHeader header;
    header.card = card;
    auto recording = Recording::of(std::move(header), {{0, AnswerBegun{1, {{"user", "Hello"}}, {}, hands}}, {1, PromptFed{0, {1, 2, 3}, {}, hands}}});
    session->set_run(std::make_unique<ReplayRun>(recording, [] { return int64_t{0}; }));
    session->tick();
    EXPECT_TRUE(part<HandsStrip>(decay, "hands")->isVisible()) << "it stays open";
    EXPECT_TRUE(why().startsWith("This is a recording")) << why().toStdString();
    EXPECT_TRUE(part<QLabel>(decay, "hands-now")->text().contains("half-lives × 2")) << "what it was recorded under is shown";
    EXPECT_FALSE(part<QPushButton>(decay, "hand-undo")->isEnabled());
}

TEST_F(HandsTest, EveryPartHasANameInBothThemes) {
    ask("Hello");
    for (const ThemeChoice theme : {ThemeChoice::dark, ThemeChoice::light}) {
        apply_theme(*qApp, theme);
        for (const char* id : {"decay", "state", "attention", "experts"}) {
            Panel* panel = lens(id);
            for (QWidget* w : part<HandsStrip>(panel, "hands")->findChildren<QWidget*>())
                EXPECT_TRUE(!w->isVisible() || w->focusPolicy() == Qt::NoFocus || !w->accessibleName().isEmpty()) << id << " " << w->metaObject()->className();
            QTest::qWait(20);
            EXPECT_LE(part<HandsStrip>(panel, "hands")->height(), 140) << id;
        }
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

TEST(BeforeBox, ShowsTheAnswerAsItsCardDoes) {
    ScriptedSession s;
    Chats chats(*s.session);
    QTemporaryDir home;
    QFile file(home.filePath("it.json"));
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
    file.write(
        R"({"messages": [{"role": "user", "content": "so?"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes, **so**.\n\n```\nx = 1\n```"}]})");
    file.close();
    ASSERT_EQ(chats.import_from(file.fileName()), "");
    EXPECT_EQ(BeforeBox(chats, chats.chat().tip(), nullptr).text().simplified(), "Yes, so. x = 1") << "what was thought is folded there, too";
}

TEST(WordsApart, AreThoseThatTheOtherHasNot) {
    const auto words = [](const QString& text, const Places& places) {
        QStringList all;
        for (const auto& [at, length] : places) all << text.mid(at, length);
        return all.join(' ');
    };
    const auto expect = [&](const QString& a, const QString& b, const QString& only_a, const QString& only_b) {
        const auto [x, y] = words_apart(a, b);
        EXPECT_EQ(words(a, x), only_a);
        EXPECT_EQ(words(b, y), only_b);
    };
    expect("Your name is Tom.", "Your name is Tim.", "Tom.", "Tim.");
    expect("a b c", "a b c", "", "");
    expect("a\nb  c", "a b c", "", "");
    expect("", "new words", "", "new words");
    expect("one two three four", "one three two four", "two", "two");
    expect("the cat sat here", "the dog sat over here", "cat", "dog over");
    expect("我叫汤姆", "我叫提姆", "汤", "提");
    QString a, b;
    for (int i = 0; i < 4000; ++i) a += QString("w%1 ").arg(i), b += QString("w%1 ").arg(i == 2000 ? -1 : i);
    expect(a, b, "w2000", "w-1");
}

TEST(HandWords, SayWhatWhereAndWhen) {
    EXPECT_EQ(hand_words({.what = What::gates, .layers = {0}, .heads = {1}, .from = 12, .amount = 2}), "half-lives × 2 in layer 0, head 1, from token 12 on");
    EXPECT_EQ(hand_words({.what = What::beta, .layers = {0, 2}, .amount = 0}), "nothing is written in layers 0, 2");
    EXPECT_EQ(hand_words({.what = What::read, .from = 3, .to = 9, .amount = 0.5f}), "what is read × 0.5 in every layer, tokens 3 to 8");
    EXPECT_EQ(hand_words({.what = What::empty, .layers = {1}, .from = 7}), "state emptied in layer 1, in front of token 7");
    EXPECT_EQ(hand_words({.what = What::hide, .from = 1500, .tokens = {3, 6}}, false), "tokens 3 to 5 hidden from the caches of every layer");
    EXPECT_EQ(hands_words(nullptr), "");
}

}  // namespace
}  // namespace klp::gui
