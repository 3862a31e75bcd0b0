// Words of the chat tinted by a number of their tokens: where the colours lie, that the text stays readable on them, and what is said of what is not known.
#include <QAction>
#include <QLabel>
#include <QMenu>
#include <QSlider>
#include <QToolButton>
#include <chrono>

#include "app/gui/chat/message_card.h"
#include "app/gui/chat/tint_key.h"
#include "app/gui/frame/main_window.h"
#include "app/opener.h"
#include "core/runs/live_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

// One token a piece, valued by its place.
std::vector<TintedToken> pieces(const std::vector<std::string>& all) {
    std::vector<TintedToken> out;
    int64_t at = 0;
    for (const std::string& one : all) {
        out.push_back({at, at + static_cast<int64_t>(one.size()), static_cast<double>(out.size())});
        at = out.back().last;
    }
    return out;
}
std::string joined(const std::vector<std::string>& all) {
    std::string out;
    for (const std::string& one : all) out += one;
    return out;
}
// "text:value" of each run.
QStringList shown(TintText& text, const QString& segment) {
    QStringList out;
    for (const TintRun& run : text.runs(segment)) out << segment.mid(run.at, run.length) + ":" + QString::number(run.value);
    return out;
}

TEST(TintText, FollowsMarkdownIntoWhatIsShownOfIt) {
    const std::vector<std::string> said = {"**Oslo", "** is", " [a",     " city](",     "http://x.no", ") in",      " Nor", "way.",
                                           "\n\n- ", "one",   "\n- two", "\n\n```py\n", "x =",         " 1\n```\n", "End"};
    TintText text(joined(said), pieces(said));
    EXPECT_EQ(shown(text, "Oslo is a city in Norway.\none\ntwo"),
              (QStringList{"Oslo:0", "is:1", "a:2", "city:3", "in:5", "Nor:6", "way.:7", "one:9", "two:10"}));
    EXPECT_EQ(shown(text, "x = 1"), (QStringList{"x:12", "=:12", "1:13"})) << "code goes on where the prose ended";
    EXPECT_EQ(shown(text, "End"), (QStringList{"End:14"}));
}

TEST(TintText, CutsCharactersNobodyElseCuts) {
    // A token may end in the middle of a character: the one that begins it has it.
    const std::vector<std::string> said = {"\xF0\x9F", "\x98\x80 ", "\xE5\xA5\xBD", "\xC3", "\xA9t\xC3\xA9"};
    TintText text(joined(said), pieces(said));
    EXPECT_EQ(shown(text, QString::fromUtf8("😀 好été")), (QStringList{"😀:0", "好:2", "é:3", "té:4"}));
    std::vector<TintedToken> some = pieces({"a ", "b ", "c"});
    some[1].value = NAN;
    TintText holes("a b c", some);
    EXPECT_EQ(shown(holes, "a b c"), (QStringList{"a:0", "c:2"})) << "what is not known has no colour";
    TintText none("", {});
    EXPECT_TRUE(none.runs("anything").empty());
}

TEST(Tint, TextStaysReadableOnEveryColour) {
    for (const bool dark : {true, false}) {
        const Theme& t = theme_of(dark ? QPalette(Qt::black) : QPalette(Qt::white));
        for (const Tint tint : {Tint::surprise, Tint::update, Tint::update_of_head, Tint::left, Tint::apart})
            for (const QColor& ground : {t.panel, t.raised, t.window}) {
                EXPECT_EQ(tint_colour(tint, 0, t, ground).name(), ground.name());
                double before = 0;
                for (const double part : {0.25, 0.5, 1.0}) {
                    const QColor c = tint_colour(tint, part, t, ground);
                    EXPECT_GE(contrast(c, t.text), kReadable - 0.05) << c.name().toStdString();  // a 255th of a colour is rounded
                    const double away = std::abs(c.redF() - ground.redF()) + std::abs(c.greenF() - ground.greenF()) + std::abs(c.blueF() - ground.blueF());
                    EXPECT_GT(away, before) << "more is more";
                    before = away;
                }
                EXPECT_GT(before, 0.25) << "and is seen";
            }
    }
}

class TintTest : public ::testing::Test {
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
    }
    void TearDown() override { window.reset(), chats.reset(), session.reset(), apply_theme(*qApp, ThemeChoice::dark); }
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
    void ask(const QString& text) {
        Chats::Settings settings = chats->settings();
        settings.sampling = {.temperature = 0}, settings.predict = 40, settings.random_seed = false, settings.preset = "test";
        chats->set_settings(settings);
        ASSERT_TRUE(chats->send(text));
        rests();
    }
    void choose(const QString& name) {
        auto* button = window->findChild<QToolButton*>("tint-button");
        ASSERT_TRUE(button && button->isVisible());
        for (QAction* action : button->menu()->actions())
            if (action->text().remove('&').startsWith(name)) return action->trigger();
        FAIL() << "no tint " << name.toStdString();
    }
    QString key() {
        auto* label = window->findChild<QLabel*>("tint-said");
        return label && label->isVisible() ? label->text() : QString();
    }
    std::vector<ProseBox::Under> under(int id) {
        for (auto* card : window->findChildren<MessageCard*>())
            if (card->isVisible() && card->id() == id) return card->findChild<ProseBox*>()->tinted();
        return {};
    }
    int tip() { return chats->chat().tip(); }
    int question() { return chats->chat().message(tip()).parent; }

    QTemporaryDir home;
    std::unique_ptr<Session> session;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<MainWindow> window;
};

TEST_F(TintTest, SurpriseIsOfWhatTheModelChose) {
    ask("My favorite color is green.");
    ask("What is my favorite color?");
    EXPECT_TRUE(under(tip()).empty());
    EXPECT_EQ(key(), "");
    for (const bool dark : {true, false}) {
        apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
        const QImage plain = window->grab().toImage();
        choose("Surprise");
        const auto all = under(tip());
        ASSERT_FALSE(all.empty());
        // Each is -log p of its token, on the card's colour.
        const int64_t first = chats->first_position(tip());
        const TokenRow& row = session->trace().row(first);
        EXPECT_NEAR(all[0].run.value, -std::log(double{row.probability}), 1e-6);
        const Theme& t = theme_of(window->palette());
        EXPECT_EQ(all[0].colour, tint_colour(Tint::surprise, all[0].run.value / 4, t, t.panel));
        EXPECT_TRUE(under(question()).empty()) << "nobody chose those";
        EXPECT_TRUE(key().contains("Surprise") && key().contains("0 to 4 nats (2 %) and more")) << key().toStdString();
        EXPECT_TRUE(key().contains("what people wrote was not chosen by the model")) << key().toStdString();
        choose("Nothing");
        EXPECT_TRUE(under(tip()).empty());
        EXPECT_EQ(key(), "");
        EXPECT_EQ(window->grab().toImage().size(), plain.size());
    }
}

TEST_F(TintTest, UpdateNormsAreOfEveryWord) {
    ask("My favorite color is green.");
    choose("Update norm, median");
    until([&] { return !under(tip()).empty() && !under(question()).empty(); }, "norms");
    const auto mine = under(question());
    const int64_t begin = chats->message_positions()[0].second;
    // "My": the first of the message's own tokens, behind its frame.
    bool found = false;
    for (int64_t p = begin; p < begin + 6; ++p)
        if (session->trace().row(p).text == "My") {
            EXPECT_NEAR(mine[0].run.value, session->trace().row(p).update_norm, 1e-6);
            found = true;
        }
    EXPECT_TRUE(found);
    EXPECT_FALSE(key().contains("Not known")) << key().toStdString();
    choose("Update norm of the chosen");
    EXPECT_TRUE(key().contains("state 0.0")) << key().toStdString();
    const double was = under(tip())[0].run.value;
    session->selection().set_head(1, 2);
    EXPECT_TRUE(key().contains("state 1.2")) << key().toStdString();
    EXPECT_NE(under(tip())[0].run.value, was) << "of that head";
}

TEST_F(TintTest, WhatIsLeftIsLookedAtInThePauses) {
    ask("My favorite color is green.");
    choose("What is left");
    until([&] { return !under(question()).empty(); }, "what is left");
    const auto before = under(question());
    for (const auto& one : before) EXPECT_LE(one.run.value, 1 + 1e-5);
    EXPECT_TRUE(key().contains("0 to 100 %")) << key().toStdString();
    // The same as A fact's life says of the word.
    const int64_t begin = chats->message_positions()[0].second;
    int64_t green = begin;
    while (session->trace().row(green).text != " green") ++green;
    std::optional<LifePicture> life;
    QObject context;
    QObject::connect(session.get(), &Session::life_pictured, &context, [&](const LifePicture& picture) { life = picture; });
    session->post(ProbeLife{.token = green, .layer = 0});
    until([&] { return life.has_value(); }, "a life");
    const auto word = std::find_if(before.rbegin(), before.rend(), [](const auto& one) { return one.run.length == 5; });  // “color” is one, too
    ASSERT_NE(word, before.rend());
    EXPECT_NEAR(word->run.value, life->heads[0].left.back(), 1e-3);
    // Later less of it is left.
    const int asked = question();
    ask("Tell me a story.");
    until([&] { return !under(tip()).empty(); }, "what is left behind the story");
    const auto after = under(asked);
    ASSERT_EQ(after.size(), before.size());
    EXPECT_NE(after.front().run.value, before.front().run.value);
}

TEST_F(TintTest, TheDifferenceIsOfBothAnswersWords) {
    ask("My name is Tom.");
    ask("What is my name?");
    choose("Difference");
    EXPECT_TRUE(key().contains("has another one beside it")) << key().toStdString();
    session->ask_hand({.what = Intervention::What::read, .layers = {0}, .amount = 0}, false);
    rests();
    until([&] { return chats->compared(tip()) && chats->compared(tip(), true) && !under(tip()).empty(); }, "both distances");
    const Compared* own = chats->compared(tip(), true);
    EXPECT_EQ(own->tokens.size(), chats->chat().message(tip()).ids.size() + 1);
    EXPECT_NEAR(under(tip())[0].run.value, own->tokens[0].divergence, 1e-6);
    auto* before = window->findChild<BeforeBox*>();
    ASSERT_TRUE(before);
    const auto tinted = before->findChild<ProseBox*>()->tinted();
    ASSERT_FALSE(tinted.empty());
    EXPECT_NEAR(tinted[0].run.value, chats->compared(tip())->tokens[0].divergence, 1e-6);
    EXPECT_GT(colours_in(window->grab().toImage()), 50);
}

TEST_F(TintTest, WordsGrowTintedAndTheTextIsNotLaidOutAnew) {
    choose("Surprise");
    ask("Tell me a story.");
    const auto all = under(tip());
    const auto tokens = static_cast<size_t>(chats->chat().message(tip()).ids.size());
    EXPECT_GE(all.size() + 12, tokens) << "nearly every token shows something";
    // Colours lie under the text: the document has none of them.
    for (auto* card : window->findChildren<MessageCard*>())
        if (card->id() == tip()) {
            auto* prose = card->findChild<ProseBox*>();
            EXPECT_TRUE(prose->extraSelections().isEmpty());
            const int revision = prose->document()->revision();
            choose("Update norm, median");
            choose("Surprise");
            EXPECT_EQ(prose->document()->revision(), revision);
        }
    // A card that is made anew has them too.
    chats->new_chat();
    QTest::qWait(5);
    chats->open(chats->all().back().get());
    until([&] { return !under(tip()).empty(); }, "the tint of a chat that is opened again");
}

}  // namespace
}  // namespace klp::gui
