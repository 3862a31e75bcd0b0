// Chat as a person uses it: through the widgets, with a scripted engine, across restarts, full disks and torn files.
#include <QAbstractItemModelTester>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QToolButton>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/conversations.h"
#include "app/gui/chat/sampling.h"
#include "core/text/vocabulary.h"
#include "tests/gui_support.h"
#include "tests/source_dir.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

// A session whose engine answers every message with scripted words, as many as `tokens` says, when it is told to.
class ChatFlow : public ::testing::Test {
protected:
    void start(const QString& folder = {}) {
        view.reset(), chats.reset();
        s = std::make_unique<ScriptedSession>();
        chats = std::make_unique<Chats>(*s->session, folder);
        view = std::make_unique<ChatView>(*s->session, *chats);
        view->resize(620, 700);
        view->show();
    }
    void SetUp() override { start(); }
    void TearDown() override { view.reset(), chats.reset(); }

    MakeAnswer asked() const {
        for (auto c = s->script->commands.rbegin(); c != s->script->commands.rend(); ++c)
            if (const auto* ask = std::get_if<MakeAnswer>(&*c)) return *ask;
        ADD_FAILURE() << "nothing was asked";
        return {};
    }
    void say(const std::string& text, bool done = true, Generation::End end = Generation::End::stop_token) {
        const int answer = asked().answer;
        std::vector<Event> events{PhaseChanged{Phase::decoding}};
        int32_t id = 300;
        for (const char c : text)
            events.push_back(TokenMade{.answer = answer, .position = position++, .id = id++, .text = std::string(1, c), .nanoseconds = 1000});
        if (done) {
            AnswerDone e{.answer = answer, .end = end, .tokens = static_cast<int64_t>(text.size()), .prompt_tokens = 12};
            e.prefill_ns = 2'000'000, e.first_token_ns = 3'000'000, e.decode_ns = 1'000'000, e.seed = 7;
            events.push_back(e), events.push_back(PhaseChanged{Phase::ready});
        }
        s->script->play(std::move(events));
        s->session->tick();
    }
    void fail(Error error) {  // the answer that was asked for
        Trouble trouble;
        trouble.error = std::move(error), trouble.answer = asked().answer;
        std::vector<Event> events;
        events.emplace_back(std::move(trouble));
        s->script->play(std::move(events));
    }
    void type(const QString& text) {
        ComposerText& composer = view->composer().text();
        composer.setFocus();
        QTest::keyClicks(&composer, text);
        QTest::keyClick(&composer, Qt::Key_Return);
    }
    QPushButton* send_button() { return view->findChild<QPushButton*>("send"); }
    QToolButton* on_card(int id, const QString& name) {
        MessageCard* card = view->messages().card(id);
        if (!card) return nullptr;
        for (QToolButton* b : card->findChildren<QToolButton*>())
            if (b->text() == name || b->accessibleName() == name) return b;
        return nullptr;
    }
    const ChatMessage& message(int id) { return chats->chat().message(id); }

    QTemporaryDir home;
    std::unique_ptr<ScriptedSession> s;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<ChatView> view;
    int64_t position = 0;
};

TEST_F(ChatFlow, SendsStreamsAndEnds) {
    type("What is a gate?");
    ASSERT_EQ(asked().line.size(), 1u);
    EXPECT_EQ(asked().line[0].text, "What is a gate?");
    EXPECT_TRUE(view->composer().text().document()->isEmpty());
    EXPECT_EQ(send_button()->text(), "Stop");
    say("It ", false);
    EXPECT_EQ(message(2).text, "It ");
    say("decays.");
    EXPECT_EQ(message(2).text, "It decays.");
    EXPECT_FALSE(message(2).open);
    EXPECT_EQ(send_button()->text(), "Send");
    EXPECT_NE(view->messages().card(2)->accessibleName().indexOf("It decays."), -1);
    EXPECT_TRUE(view->messages().card(2)->accessibleDescription().contains("7,000 tokens/s")) << "of 7 tokens in a millisecond";
    EXPECT_NE(chats->chat().export_markdown().find("7000.0 tokens/s"), std::string::npos) << "one formula";
    type("And?");
    ASSERT_EQ(asked().line.size(), 3u);
    EXPECT_EQ(asked().line[1].ids, message(2).ids);
    EXPECT_EQ(chats->chat().info().title, "What is a gate?");
}

TEST_F(ChatFlow, SaysWhenTheModelStandsAtAnotherTalk) {
    type("Hello");
    say("One.");
    EXPECT_FALSE(s->session->elsewhere());
    const Chat* first = &chats->chat();
    chats->new_chat();
    type("And you?");
    say("Tw", false);
    EXPECT_FALSE(s->session->elsewhere());
    const Chat* second = &chats->chat();
    chats->open(first);
    EXPECT_TRUE(s->session->elsewhere()) << "the pictures are of the answer in the other chat";
    chats->open(second);
    EXPECT_FALSE(s->session->elsewhere());
}

TEST_F(ChatFlow, StopsAndGoesOn) {
    type("Count");
    say("one two", false);
    QTest::mouseClick(send_button(), Qt::LeftButton);
    EXPECT_EQ(s->script->cancels, 1);
    say("", true, Generation::End::cancelled);
    EXPECT_TRUE(message(2).open);
    EXPECT_EQ(message(2).text, "one two");
    QTest::mouseClick(on_card(2, "Continue"), Qt::LeftButton);
    ASSERT_EQ(asked().line.size(), 2u);
    EXPECT_TRUE(asked().line[1].open);
    say(" three");
    EXPECT_EQ(message(2).text, "one two three");
    EXPECT_FALSE(message(2).open);
}

TEST_F(ChatFlow, RegeneratesEditsAndBranches) {
    type("Hello");
    say("first");
    QTest::mouseClick(on_card(2, "Regenerate"), Qt::LeftButton);
    say("second");
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 3}));
    EXPECT_EQ(message(2).text, "first");
    QTest::mouseClick(on_card(3, "Previous branch"), Qt::LeftButton);
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 2}));
    EXPECT_NE(view->messages().card(2), nullptr);

    QTest::mouseClick(on_card(1, "Edit"), Qt::LeftButton);
    ComposerText& composer = view->composer().text();
    EXPECT_EQ(composer.toPlainText(), "Hello");
    composer.selectAll();
    type("Hi there");
    ASSERT_EQ(asked().line.size(), 1u);
    EXPECT_EQ(asked().line[0].text, "Hi there");
    say("third");
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{4, 5}));
    EXPECT_EQ(chats->chat().ends().size(), 3u);
    EXPECT_TRUE(composer.document()->isEmpty());
}

TEST_F(ChatFlow, EditingTheLastByUpAndGivingItUp) {
    type("Hello");
    say("yes");
    ComposerText& composer = view->composer().text();
    composer.setFocus();
    QTest::keyClick(&composer, Qt::Key_Up);
    EXPECT_EQ(view->composer().editing(), 1);
    EXPECT_EQ(composer.toPlainText(), "Hello");
    QTest::keyClick(&composer, Qt::Key_Escape);
    EXPECT_EQ(view->composer().editing(), 0);
    EXPECT_TRUE(composer.document()->isEmpty());
}

TEST_F(ChatFlow, RewindsToAMessageAndToATokenAndUndoes) {
    type("one");
    say("1234");
    type("two");
    say("5678");
    QTest::mouseClick(on_card(2, "Rewind here"), Qt::LeftButton);
    EXPECT_EQ(chats->chat().tip(), 2);
    ASSERT_TRUE(std::holds_alternative<GoTo>(s->script->commands.back()));
    EXPECT_EQ(std::get<GoTo>(s->script->commands.back()).line.size(), 2u);
    chats->go_ahead();
    EXPECT_EQ(chats->chat().tip(), 4);

    // The second token of the first answer is chosen anew by what follows it.
    EXPECT_EQ(chats->place_of(1).id, 2);
    EXPECT_EQ(chats->place_of(1).token, 1);
    s->session->ask_fork(1, 77);
    EXPECT_EQ(message(5).ids, (std::vector<int32_t>{300, 77}));
    ASSERT_EQ(asked().line.size(), 2u);
    EXPECT_TRUE(asked().line[1].open);
    say("zz");
    EXPECT_EQ(message(5).parent, 1);
    EXPECT_EQ(message(2).text, "1234");

    chats->choose(4);
    chats->undo_turn();
    EXPECT_EQ(chats->chat().tip(), 2);
    EXPECT_EQ(view->composer().text().toPlainText(), "two");
}

TEST_F(ChatFlow, SaysWhatGoingSomewhereCosts) {
    type("one");
    say("1234");
    QSignalSpy known(chats.get(), &Chats::cost_known);
    const int request = chats->ask_cost(1);
    ASSERT_GT(request, 0);
    ASSERT_TRUE(std::holds_alternative<AskCost>(s->script->commands.back()));
    s->script->play({CostKnown{std::get<AskCost>(s->script->commands.back()).request, {.restored_bytes = 225'280, .replayed = 37}}});
    s->session->tick();
    ASSERT_EQ(known.size(), 1);
    EXPECT_EQ(Chats::cost_text({.restored_bytes = 225'280, .replayed = 37}), "restore 220 KiB + replay 37 tokens");
    EXPECT_EQ(Chats::cost_text({}), "costs nothing: the memory stands there");
}

TEST_F(ChatFlow, ForksIntoAChatOfItsOwnAndRemovesWithACount) {
    type("one");
    say("1");
    type("two");
    say("2");
    chats->fork(2);
    EXPECT_EQ(chats->all().size(), 2u);
    EXPECT_EQ(chats->chat().count(), 2);
    EXPECT_EQ(message(2).ids.size(), 1u);
    EXPECT_EQ(chats->chat().info().title, "one (fork)");
    chats->open(chats->all()[1].get());
    QSignalSpy said(s->session.get(), &Session::noticed);
    chats->remove(3);
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 2}));
    EXPECT_NE(said.back()[0].toString().indexOf("2 messages are hidden"), -1);
    chats->restore_chat();
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 2, 3, 4}));
}

TEST_F(ChatFlow, AnAnswerThatNeverBeganLeavesTheQuestion) {
    type("one");
    fail({Error::failure, "the conversation needs 9 tokens and the context holds 8"});
    s->script->play({PhaseChanged{Phase::ready}});
    s->session->tick();
    EXPECT_EQ(chats->chat().line(), std::vector<int>{1});
    EXPECT_TRUE(chats->can_answer());
    chats->regenerate(1);
    say("now");
    EXPECT_EQ(message(3).text, "now");
}

TEST_F(ChatFlow, ADeviceThatFailsKeepsTheTextAndOffersTheCpu) {
    type("one");
    say("half an ans", false);
    fail({Error::device, "cuda:0: an illegal address"});
    s->script->play({Unloaded{}, PhaseChanged{Phase::empty}});
    s->session->tick();
    EXPECT_EQ(message(2).text, "half an ans");
    EXPECT_TRUE(message(2).open);
    EXPECT_FALSE(chats->answering());
    auto* cpu = view->findChild<QPushButton*>("door-cpu");
    ASSERT_TRUE(cpu->isVisible());
    QTest::mouseClick(cpu, Qt::LeftButton);
    ASSERT_TRUE(std::holds_alternative<LoadModel>(s->script->commands.back()));
    EXPECT_EQ(std::get<LoadModel>(s->script->commands.back()).device, "cpu");
    QSignalSpy said(s->session.get(), &Session::noticed);
    type("anybody?");
    EXPECT_EQ(view->composer().text().toPlainText(), "anybody?");  // nothing is lost
    EXPECT_NE(said.back()[0].toString().indexOf("No model"), -1);
    s->script->play({Loaded{s->card}, PhaseChanged{Phase::ready}});
    s->session->tick();
    EXPECT_FALSE(cpu->isVisible());
    chats->go_on(2);
    say("wer");
    EXPECT_EQ(message(2).text, "half an answer");
}

// --- Restarts, torn files, full disks ---------------------------------------------------------------------------------------------

TEST_F(ChatFlow, TheTalkIsThereAfterARestart) {
    start(home.path());
    type("Remember me");
    say("always");
    chats->set_system("Be kind.");
    Chats::Settings settings = chats->settings();
    settings.preset = "Creative", settings.sampling.temperature = 1.25f, settings.predict = 321;
    chats->set_settings(settings);
    start(home.path());
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 2}));
    EXPECT_EQ(message(2).text, "always");
    EXPECT_EQ(chats->chat().info().system, "Be kind.");
    EXPECT_EQ(chats->settings().sampling.temperature, 1.25f);
    EXPECT_EQ(chats->settings().predict, 321);
    EXPECT_NE(view->messages().card(2), nullptr);
    type("and me");
    EXPECT_EQ(asked().line.size(), 4u);
    EXPECT_EQ(asked().line[2].ids, message(2).ids);
}

TEST_F(ChatFlow, AKillInMidAnswerKeepsWhatWasSaid) {
    start(home.path());
    type("Go on");
    say("so far", false);
    QTest::qWait(1100);  // written once a second
    QString file = QDir(home.path()).entryInfoList({"*.jsonl"}).value(0).filePath();
    const QString copy = home.path() + "/../killed";
    QDir().mkpath(copy);
    QFile::remove(copy + "/a.jsonl");
    QFile::copy(file, copy + "/a.jsonl");
    QFile torn(copy + "/a.jsonl");
    ASSERT_TRUE(torn.open(QIODevice::Append));
    torn.write("{\"more\":{\"id\":2,\"te");
    torn.close();
    view.reset(), chats.reset();
    s = std::make_unique<ScriptedSession>();
    QSignalSpy said(s->session.get(), &Session::noticed);
    chats = std::make_unique<Chats>(*s->session, copy);
    QTest::qWait(1);
    ASSERT_EQ(said.size(), 1);
    EXPECT_NE(said[0][0].toString().indexOf("could not be read"), -1);
    EXPECT_EQ(message(2).text, "so far");
    EXPECT_TRUE(message(2).open);
    QDir(copy).removeRecursively();
}

TEST_F(ChatFlow, AFolderThatCannotBeWrittenIsSaidOnceAndNothingIsLost) {
    QFile file(home.path() + "/file");
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
    s = std::make_unique<ScriptedSession>();
    view.reset();
    QSignalSpy said(s->session.get(), &Session::noticed);
    chats = std::make_unique<Chats>(*s->session, home.path() + "/file/chats");
    view = std::make_unique<ChatView>(*s->session, *chats);
    QTest::qWait(1);
    ASSERT_EQ(said.size(), 1);
    type("one");
    say("1");
    EXPECT_EQ(said.size(), 1);
    EXPECT_EQ(message(2).text, "1");
}

TEST_F(ChatFlow, ASecondWindowSaysSoAndKeepsItsWordsApart) {
    start(home.path());
    type("one");
    say("1");
    ScriptedSession other;
    QSignalSpy said(other.session.get(), &Session::noticed);
    Chats second(*other.session, home.path());
    QTest::qWait(1);
    ASSERT_EQ(said.size(), 1);
    EXPECT_NE(said[0][0].toString().indexOf("Another window"), -1);
    EXPECT_TRUE(second.send("two"));
    EXPECT_EQ(said.size(), 2);
    EXPECT_NE(said[1][0].toString().indexOf("copy"), -1);
    EXPECT_EQ(second.chat().info().title, "one (copy)");
    type("three");
    say("3");
    EXPECT_EQ(chats->chat().count(), 4);
    EXPECT_EQ(QDir(home.path()).entryList({"*.jsonl"}).size(), 2);
}

TEST_F(ChatFlow, ExportsAndImports) {
    type("one");
    say("**1**");
    const QString md = home.path() + "/a.md", json = home.path() + "/a.json";
    EXPECT_EQ(chats->export_to(md), "");
    EXPECT_EQ(chats->export_to(json), "");
    EXPECT_NE(chats->export_to(home.path() + "/no/a.md").indexOf("no/a.md"), -1);
    EXPECT_EQ(chats->import_from(json), "");
    EXPECT_EQ(chats->all().size(), 2u);
    EXPECT_EQ(message(2).text, "**1**");
    EXPECT_NE(chats->import_from(md).indexOf("a.md"), -1);
}

TEST_F(ChatFlow, ARecordingIsShownAndTakesNoWords) {
    type("mine");
    say("yours");
    auto card = std::make_shared<RunCard>(*s->card);
    card->recorded = "yesterday, elsewhere";
    s->script->play({Loaded{card}, AnswerBegun{5, {{"system", "s", {}, false}, {"user", "recorded?", {}, false}}, {}}});
    s->script->play({TokenMade{.answer = 5, .position = 9, .id = 1, .text = "yes"}});
    s->session->tick();
    EXPECT_TRUE(chats->recorded());
    EXPECT_EQ(message(1).text, "recorded?");
    EXPECT_EQ(message(2).text, "yes");
    const size_t commands = s->script->commands.size();
    EXPECT_FALSE(chats->send("hello?"));
    chats->regenerate(2), chats->go_on(2), chats->fork(2), chats->rewind(1), chats->remove(2);
    EXPECT_EQ(s->script->commands.size(), commands);
    s->script->play({Loaded{s->card}, PhaseChanged{Phase::ready}});
    s->session->tick();
    EXPECT_FALSE(chats->recorded());
    EXPECT_EQ(message(2).text, "yours");
}

// --- What is drawn -------------------------------------------------------------------------------------------------------------------

TEST(Blocks, CloseWhereTheyEndHoweverTheTextIsCut) {
    const QString text =
        "# Title\nA paragraph\nof two lines.\n\n- one\n- two\n\n  still two\n\nAfter.\n```Python\ndef f():\n    return \"```\"\n```\n| a | b |\n|---|---|\n| 1 "
        "| 2 |\n\nEnd";
    const auto all = [&](qsizetype step) {
        BlockReader reader;
        std::vector<Block> blocks;
        for (qsizetype i = 0; i < text.size(); i += step)
            for (Block& b : reader.push(QStringView(text).mid(i, step))) blocks.push_back(b);
        for (Block& b : reader.finish()) blocks.push_back(b);
        return blocks;
    };
    const std::vector<Block> whole = all(text.size());
    ASSERT_EQ(whole.size(), 7u);
    EXPECT_EQ(whole[0].text, "# Title");
    EXPECT_EQ(whole[2].text, "- one\n- two\n\n  still two");
    EXPECT_EQ(whole[4].kind, Block::Kind::code);
    EXPECT_EQ(whole[4].language, "python");
    EXPECT_EQ(whole[4].text, "def f():\n    return \"```\"");
    for (qsizetype step = 1; step < 30; ++step) EXPECT_EQ(all(step), whole) << step;
}

TEST_F(ChatFlow, RendersBlocksOnceAndStreamsTheOpenOne) {
    type("one");
    say("**Bold** is\n\nfollowed by `co", false);
    MessageCard* card = view->messages().card(2);
    auto* prose = card->findChild<ProseBox*>();
    ASSERT_NE(prose, nullptr);
    EXPECT_EQ(prose->toPlainText(), "Bold is\nfollowed by `co");
    say("de`\n\n```c\nint x;\n", false);
    EXPECT_EQ(prose->toPlainText(), "Bold is\nfollowed by code");
    auto* code = card->findChild<CodeBox*>();
    ASSERT_NE(code, nullptr);
    EXPECT_EQ(code->text(), "int x;\n");
    say("```\nDone");
    EXPECT_EQ(code->text(), "int x;");
    for (QToolButton* b : code->findChildren<QToolButton*>()) QTest::mouseClick(b, Qt::LeftButton);
    EXPECT_EQ(QApplication::clipboard()->text(), "int x;");
    QTest::mouseClick(on_card(2, "Copy"), Qt::LeftButton);
    EXPECT_EQ(QApplication::clipboard()->text(), "**Bold** is\n\nfollowed by `code`\n\n```c\nint x;\n```\nDone");
    EXPECT_EQ(card->findChildren<ProseBox*>().size(), 2);
    EXPECT_EQ(view->messages().card(2), card);
}

TEST_F(ChatFlow, NeverFetchesOrRunsWhatAModelSays) {
    type("one");
    say("<script>alert(1)</script> <img src=\"http://example.org/a.png\"> ![pixel](http://example.org/b.png) [here](javascript:x)\n\n<b>no</b>");
    const QString shown = view->messages().card(2)->findChild<ProseBox*>()->toPlainText();
    EXPECT_NE(shown.indexOf("<script>"), -1);
    EXPECT_NE(shown.indexOf("<b>no</b>"), -1);
    EXPECT_NE(shown.indexOf("![pixel](http://example.org/b.png)"), -1);
    EXPECT_EQ(shown.indexOf(QChar::ObjectReplacementCharacter), -1);
}

TEST_F(ChatFlow, AClickOnAWordSelectsItsToken) {
    type("one");
    say("a **cat** and a cat");
    auto* prose = view->messages().card(2)->findChild<ProseBox*>();
    emit prose->word_clicked("cat", 1);
    EXPECT_EQ(s->session->selection().token(), 16);  // a token a character
    EXPECT_EQ(chats->place_of(16).token, 16);
    ASSERT_EQ(prose->extraSelections().size(), 1);
    EXPECT_EQ(prose->extraSelections()[0].cursor.selectedText(), "cat");
    EXPECT_EQ(prose->extraSelections()[0].cursor.selectionStart(), 12);
    s->session->selection().set_token(Selection::kNewest);
    EXPECT_TRUE(prose->extraSelections().isEmpty());
    s->script->play({PromptFed{0, {1, 2}}});  // the engine stands elsewhere
    s->session->tick();
    emit prose->word_clicked("cat", 1);
    EXPECT_EQ(s->session->selection().token(), Selection::kNewest);
}

TEST_F(ChatFlow, ALongTalkIsAFewWidgets) {
    std::string all = R"({"messages":[)";
    for (int i = 0; i < 600; ++i)
        all += std::string(i ? "," : "") + R"({"role":")" + (i % 2 ? "assistant" : "user") + R"(","content":"Message number )" + std::to_string(i) +
               R"( and a few more words."})";
    QFile file(home.path() + "/long.json");
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
    file.write((all + "]}").c_str());
    file.close();
    ASSERT_EQ(chats->import_from(file.fileName()), "");
    EXPECT_EQ(chats->chat().line().size(), 600u);
    MessageList& list = view->messages();
    EXPECT_NE(list.card(600), nullptr);
    EXPECT_EQ(list.card(1), nullptr);
    QScrollBar& bar = *list.verticalScrollBar();
    EXPECT_EQ(bar.value(), bar.maximum());
    for (int i = 20; i >= 0; --i) {
        bar.setValue(bar.maximum() * i / 20);
        EXPECT_LE(list.cards(), MessageList::kMostCards);
    }
    EXPECT_NE(list.card(1), nullptr);
    EXPECT_EQ(list.card(600), nullptr);
    list.go_to_newest();
    EXPECT_TRUE(list.card(600) && list.card(600)->isVisible());
    EXPECT_LE(list.card(600)->geometry().bottom(), list.viewport()->height());
}

TEST_F(ChatFlow, StaysWhereOneReadsAndFollowsAtTheBottom) {
    type("one");
    std::string lines;
    for (int i = 0; i < 80; ++i) lines += "line " + std::to_string(i) + "\n\n";
    say(lines, false);
    QScrollBar& bar = *view->messages().verticalScrollBar();
    EXPECT_EQ(bar.value(), bar.maximum());
    bar.setValue(100);
    say(lines, false);
    EXPECT_EQ(bar.value(), 100);
    bool pill = false;
    for (QToolButton* b : view->messages().findChildren<QToolButton*>()) pill = pill || (b->accessibleName().startsWith("Go to the newest") && b->isVisible());
    EXPECT_TRUE(pill);
    view->messages().go_to_newest();
    say(lines);
    EXPECT_EQ(bar.value(), bar.maximum());
}

TEST_F(ChatFlow, AttachesTextAndRefusesTheRest) {
    QFile file(home.path() + "/notes.txt");
    ASSERT_TRUE(file.open(QIODevice::WriteOnly));
    file.write("alpha\n```\nbeta\n");
    file.close();
    view->composer().attach(file.fileName());
    EXPECT_EQ(view->composer().text().toPlainText(), "") << "a chip, and not a page in the box";
    const auto chips = [&] { return view->findChildren<QToolButton*>("chip"); };
    ASSERT_EQ(chips().size(), 1);
    EXPECT_TRUE(chips()[0]->text().startsWith("notes.txt, 15 B"));
    EXPECT_TRUE(send_button()->isEnabled());
    QApplication::clipboard()->setText(QString("word ").repeated(1000));
    view->composer().text().paste();
    ASSERT_EQ(chips().size(), 2) << "a long paste is one too";
    QTest::mouseClick(chips()[1], Qt::LeftButton);
    QTest::qWait(1);
    ASSERT_EQ(chips().size(), 1);
    type("What is this?");
    EXPECT_EQ(asked().line.back().text, "What is this?\n\nnotes.txt:\n````\nalpha\n```\nbeta\n````");
    EXPECT_EQ(chips().size(), 0);
    EXPECT_EQ(view->messages().card(1)->findChildren<CodeBox*>().size(), 1) << "shown as the text that it is";
    say("Greek.");
    QSignalSpy said(s->session.get(), &Session::noticed);
    QFile binary(home.path() + "/x.bin");
    ASSERT_TRUE(binary.open(QIODevice::WriteOnly));
    binary.write(QByteArray("\x7f\0\xff", 3));
    binary.close();
    view->composer().attach(binary.fileName());
    EXPECT_NE(said.back()[0].toString().indexOf("is not a text file"), -1);
    view->composer().attach(home.path() + "/absent");
    EXPECT_EQ(said.size(), 2);
}

TEST_F(ChatFlow, ConversationsAreATreeThatIsSearched) {
    Conversations dock(*s->session, *chats);
    EXPECT_TRUE(dock.findChild<QLabel*>("none")->text().startsWith("No conversations yet"));
    ConversationsModel model(*chats);
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    QObject::connect(chats.get(), &Chats::list_changed, &model, &ConversationsModel::refresh);
    dock.show();
    type("Cats and dogs");
    say("meow");
    chats->regenerate(2);
    say("woof");
    ASSERT_EQ(model.rowCount(), 1);
    EXPECT_EQ(model.rowCount(model.index(0, 0)), 2);
    EXPECT_TRUE(model.index(1, 0, model.index(0, 0)).data(ConversationsModel::kCurrent).toBool());
    chats->new_chat();
    type("Stars");
    say("shine");
    EXPECT_EQ(model.rowCount(), 2);
    EXPECT_EQ(model.index(0, 0).data().toString(), "Stars");
    model.set_search("WOOF");
    ASSERT_EQ(model.rowCount(), 1);
    EXPECT_EQ(model.index(0, 0).data().toString(), "Cats and dogs");
    model.set_search("nowhere");
    EXPECT_EQ(model.rowCount(), 0);
    model.set_search("");
    EXPECT_TRUE(model.setData(model.index(0, 0), "Suns", Qt::EditRole));
    EXPECT_EQ(chats->chat().info().title, "Suns");
    chats->remove_chat(&chats->chat());
    EXPECT_EQ(model.rowCount(), 1);
    chats->restore_chat();
    EXPECT_EQ(model.rowCount(), 2);
    s->script->play({SnapshotsKept{14, int64_t{580} << 20, int64_t{2} << 30}});
    s->session->tick();
    EXPECT_GT(colours_in(dock.grab().toImage()), 3);
}

TEST_F(ChatFlow, AGreedyRegenerateSaysThatItWouldSayTheSame) {
    Chats::Settings settings = chats->settings();
    settings.preset = "Precise", settings.sampling.temperature = 0;
    chats->set_settings(settings);
    type("Hello");
    say("first");
    QSignalSpy said(s->session.get(), &Session::noticed);
    const size_t before = s->script->commands.size();
    QTest::mouseClick(on_card(2, "Regenerate"), Qt::LeftButton);
    EXPECT_EQ(s->script->commands.size(), before) << "no twin of it";
    ASSERT_EQ(said.size(), 1);
    const Notice notice = said[0][3].value<Notice>();
    EXPECT_TRUE(notice.what.contains("the same again"));
    ASSERT_EQ(notice.actions.size(), 1u);
    EXPECT_TRUE(notice.holds());
    notice.actions[0].go();
    EXPECT_GT(asked().sampling.temperature, 0);
    EXPECT_FALSE(notice.holds());
    say("second");
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 3}));
    EXPECT_EQ(chats->settings().sampling.temperature, 0) << "this once";
    type("And?");
    say("half", true, Generation::End::cancelled);
    chats->regenerate(5);
    EXPECT_EQ(said.size(), 1) << "one that was stopped would go on";
}

TEST_F(ChatFlow, AnAnswerIsEditedAndGoneOnWith) {
    type("Tell me a story");
    say("Once there was a dog");
    QTest::mouseClick(on_card(2, "Edit"), Qt::LeftButton);
    ComposerText& composer = view->composer().text();
    EXPECT_EQ(composer.toPlainText(), "Once there was a dog");
    composer.selectAll();
    type("Once there was a cat");
    ASSERT_EQ(asked().line.size(), 2u);
    EXPECT_TRUE(asked().line[1].open);
    EXPECT_EQ(asked().line[1].text, "Once there was a cat");
    say(" who slept.");
    EXPECT_EQ(message(3).text, "Once there was a cat who slept.");
    EXPECT_EQ(message(3).parent, 1);
    EXPECT_EQ(message(2).text, "Once there was a dog");
    EXPECT_TRUE(composer.document()->isEmpty());
}

TEST_F(ChatFlow, FindsInTheChatAndGoesFromPlaceToPlace) {
    type("A **cat** and a dog");
    say("The cat sat. The Cat slept.");
    EXPECT_EQ(view->messages().card(1)->findChild<ProseBox*>()->toPlainText(), "A cat and a dog") << "one's own words are set as well";
    view->show_find();
    auto* find = view->findChild<QLineEdit*>("find");
    ASSERT_TRUE(find->isVisible());
    QTest::keyClicks(find, "cat");
    const auto* found = view->findChild<QLabel*>("found");
    EXPECT_EQ(found->text(), "1 of 3");
    EXPECT_EQ(view->messages().card(2)->findChild<ProseBox*>()->extraSelections().size(), 2);
    QTest::keyClick(find, Qt::Key_Return);
    EXPECT_EQ(found->text(), "2 of 3");
    QTest::keyClick(find, Qt::Key_Return, Qt::ShiftModifier);
    QTest::keyClick(find, Qt::Key_Return, Qt::ShiftModifier);
    EXPECT_EQ(found->text(), "3 of 3");
    QTest::keyClicks(find, "x");
    EXPECT_EQ(found->text(), "not found");
    QTest::keyClick(find, Qt::Key_Escape);
    EXPECT_FALSE(find->isVisible());
    EXPECT_TRUE(view->messages().card(2)->findChild<ProseBox*>()->extraSelections().isEmpty());
}

TEST_F(ChatFlow, SamplingExplainsItself) {
    EXPECT_TRUE(in_words({.temperature = 0}).startsWith("Always the most probable"));
    const QString said = in_words({.temperature = 1.2f, .top_k = 40, .min_p = 0.05f, .repeat_penalty = 1.1f});
    for (const char* part : {"improbable ones", "the 40 most probable", "5 %", "last 64"}) EXPECT_TRUE(said.contains(part)) << said.toStdString();
}

TEST_F(ChatFlow, AModelThatThinksCanBeAskedNotTo) {
    auto* button = static_cast<SamplingButton*>(view->findChild<QToolButton*>("sampling"));
    auto* box = button->findChild<QCheckBox*>("thinks");
    button->show_settings();
    EXPECT_FALSE(box->isVisible()) << "Kimi's do not";
    std::ifstream file(source_dir() / "tests/golden/tokenizer/ling.json");
    auto files = read_tokenizer_json(std::string(std::istreambuf_iterator<char>(file), {}), "", "folder");
    ASSERT_TRUE(files) << files.error().message;
    auto card = std::make_shared<RunCard>(*s->card);
    card->tokenizer = std::make_shared<const Tokenizer>(std::move(*files));
    s->script->play({Loaded{card}, PhaseChanged{Phase::ready}});
    s->session->tick();
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        button->show_settings();
        EXPECT_TRUE(box->isVisible() && box->isChecked() && box->isEnabled());
        QTest::mouseClick(box, Qt::LeftButton, {}, QPoint(8, box->height() / 2));
        EXPECT_FALSE(card->tokenizer->thinks());
        QTest::mouseClick(box, Qt::LeftButton, {}, QPoint(8, box->height() / 2));
        EXPECT_TRUE(card->tokenizer->thinks());
    }
    box->window()->hide();
    type("Well?");
    button->show_settings();
    EXPECT_FALSE(box->isEnabled()) << "while it answers";
    say("Hm.</think>Yes.");  // the question left it open
    EXPECT_EQ(message(2).text, "<think>Hm.</think>Yes.");
    EXPECT_EQ(view->messages().card(2)->findChild<ProseBox*>()->toPlainText(), "Yes.") << "what it thought is folded";
    button->show_settings();
    EXPECT_TRUE(box->isEnabled());
    type("And now?");
    say("Hm, that", true, Generation::End::budget);
    EXPECT_EQ(view->messages().card(4)->findChild<ProseBox*>()->toPlainText(), "Hm, that") << "thoughts are all there is, without the mark in front of them";
    EXPECT_TRUE(view->messages().card(4)->accessibleDescription().contains("ended in its thoughts"));
}

TEST_F(ChatFlow, DrawsInBothThemesAndSizes) {
    type("one");
    say("# Title\n\nText with `code` and a list:\n\n1. a\n2. b\n\n```py\nprint(1)\n```\n");
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const QSize size : {QSize(640, 700), QSize(330, 420)}) {
            view->resize(size);
            QTest::qWait(5);
            EXPECT_GT(colours_in(view->grab().toImage()), 12);
        }
    }
}

// Two hundred thousand tokens: what is kept grows with the text and with nothing else.
TEST_F(ChatFlow, ASoakKeepsWidgetsAndBuffersFlat) {
    start(home.path());
    constexpr int kAnswers = 100, kTokens = 2000;
    int64_t position = 0;
    for (int i = 0; i < kAnswers; ++i) {
        if (i == 0)
            ASSERT_TRUE(chats->send("Tell me everything"));
        else
            ASSERT_TRUE(chats->send("And then?"));
        const int answer = asked().answer;
        for (int t = 0; t < kTokens; t += 200) {
            std::vector<Event> events;
            for (int k = 0; k < 200; ++k) {
                static const char* const kWords[] = {" The", " state", " keeps", " what", " the", " gate", " does", " not", " forget", ".\n\n"};
                events.push_back(TokenMade{.answer = answer, .position = position++, .id = 300 + k % 100, .text = kWords[k % 10], .nanoseconds = 1000});
            }
            s->script->play(std::move(events));
            s->session->tick();
        }
        s->script->play({AnswerDone{.answer = answer, .end = Generation::End::stop_token, .tokens = kTokens}, PhaseChanged{Phase::ready}});
        s->session->tick();
        s->script->commands.clear();
        QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
        EXPECT_LE(view->messages().cards(), MessageList::kMostCards);
        EXPECT_EQ(chats->chat().unsaved_bytes(), 0u);
        if (i == 20) {
            EXPECT_LT(view->findChildren<QObject*>().size(), 4000);
        }
    }
    EXPECT_EQ(chats->chat().line().size(), size_t{2 * kAnswers});
    EXPECT_LT(view->findChildren<QObject*>().size(), 4000);
    int64_t text = 0;
    for (int id : chats->chat().line()) text += static_cast<int64_t>(message(id).text.size());
    const int64_t file = QFileInfo(QString::fromStdString(chats->chat().file().string())).size();
    EXPECT_LT(file, 3 * text);
}

TEST_F(ChatFlow, CallsOfToolsAreShownAndAnswered) {
    std::map<int32_t, Tokenizer::Piece> pieces;
    const std::vector<std::string> control{"<|im_end|>",
                                           "<|im_user|>",
                                           "<|im_assistant|>",
                                           "<|im_system|>",
                                           "<|im_middle|>",
                                           "<|tool_calls_section_begin|>",
                                           "<|tool_calls_section_end|>",
                                           "<|tool_call_begin|>",
                                           "<|tool_call_argument_begin|>",
                                           "<|tool_call_end|>"};
    for (size_t i = 0; i < control.size(); ++i) pieces[static_cast<int32_t>(i)] = {control[i], true};
    const std::vector<std::string> words{"Looking.", "functions.", "ping:0", "{\"x\":", "1}", "functions.ping:1", "{}", "It is 21."};
    for (size_t i = 0; i < words.size(); ++i) pieces[static_cast<int32_t>(20 + i)] = {words[i], false};
    auto card = std::make_shared<RunCard>(*scripted_card());
    card->tokenizer = std::make_shared<const Tokenizer>(Tokenizer::of_pieces(pieces));
    s->script->play({Loaded{card}});
    s->session->tick();

    QPlainTextEdit* tools = view->findChild<QPlainTextEdit*>("tools");
    view->findChild<QToolButton*>("tools-button")->click();
    ASSERT_TRUE(tools->isVisible());
    QSignalSpy said(s->session.get(), &Session::noticed);
    tools->setPlainText("{");
    view->findChild<QToolButton*>("tools-button")->click();
    EXPECT_EQ(said.size(), 1) << "what cannot be read is told";
    EXPECT_EQ(chats->chat().info().tools, "");
    tools->setPlainText(R"([{"type": "function", "function": {"name": "ping"}}])");
    view->findChild<QToolButton*>("tools-button")->click();
    view->findChild<QToolButton*>("tools-button")->click();
    EXPECT_EQ(chats->chat().info().tools, R"([{"function":{"name":"ping"},"type":"function"}])");

    type("How warm is it?");
    ASSERT_EQ(asked().line.size(), 2u);
    EXPECT_EQ(asked().line[0].role, "tool_declare");
    std::vector<Event> events{PhaseChanged{Phase::decoding}};
    for (const int32_t id : {20, 5, 7, 21, 22, 8, 23, 24, 9, 7, 25, 8, 26, 9, 6})
        events.push_back(TokenMade{.answer = asked().answer, .position = position++, .id = id, .text = pieces[id].special ? "" : pieces[id].bytes});
    events.push_back(AnswerDone{.answer = asked().answer, .end = Generation::End::stop_token, .tokens = 15});
    events.push_back(PhaseChanged{Phase::ready});
    s->script->play(std::move(events));
    s->session->tick();
    EXPECT_EQ(message(2).text, "Looking.");
    ASSERT_EQ(message(2).calls, (std::vector<ToolCall>{{"functions.ping:0", "{\"x\":1}"}, {"functions.ping:1", "{}"}}));
    EXPECT_EQ(chats->token_offsets(2).back(), 8) << "nothing of a call is text";

    auto boxes = view->messages().card(2)->findChildren<CallBox*>();
    ASSERT_EQ(boxes.size(), 2);
    auto field = [&](int i) { return view->messages().card(2)->findChildren<CallBox*>()[i]->findChild<QLineEdit*>("call-return"); };
    ASSERT_TRUE(field(0)->isVisible());
    field(0)->setText("21");
    QTest::keyClick(field(0), Qt::Key_Return);
    EXPECT_EQ(message(3).call_id, "functions.ping:0");
    EXPECT_EQ(chats->open_calls().size(), 1u);
    EXPECT_TRUE(field(0)->isHidden()) << "it has returned";
    field(1)->setText("22");
    QTest::keyClick(field(1), Qt::Key_Return);
    const MakeAnswer ask = asked();
    ASSERT_EQ(ask.line.size(), 5u);
    EXPECT_EQ(ask.line[2].ids.size(), 15u) << "the answer's own tokens, calls and all";
    EXPECT_EQ(ask.line[3].text, "## Return of functions.ping:0\n21");
    EXPECT_EQ(ask.line[4].role, "tool");
    // Exported as OpenAI has it, and back.
    const auto json = nlohmann::json::parse(chats->chat().export_json());
    EXPECT_EQ(json["messages"][1]["tool_calls"][0]["function"]["name"], "ping");
    EXPECT_EQ(json["messages"][2]["tool_call_id"], "functions.ping:0");
    EXPECT_EQ(json["tools"][0]["function"]["name"], "ping");
    const auto again = Chat::import_json(nlohmann::json{{"messages", json["messages"]}, {"tools", json["tools"]}}.dump(), "chat.json", {});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ((*again)->message(2).calls, message(2).calls);
    EXPECT_EQ((*again)->message(3).call_id, "functions.ping:0");
    EXPECT_EQ((*again)->info().tools, chats->chat().info().tools);
}

TEST_F(ChatFlow, AFullContextOffersWaysOn) {
    start(home.path());
    auto* row = view->findChild<QWidget*>("full");
    type("Hello");
    EXPECT_FALSE(asked().roll);
    EXPECT_EQ(asked().keep_as, chats->chat().file().stem().string()) << "whose end it is";
    EXPECT_FALSE(row->isVisible());
    say("cut o", true, Generation::End::context);
    EXPECT_TRUE(row->isVisible());
    EXPECT_TRUE(chats->full());
    QTest::mouseClick(view->findChild<QPushButton*>("full-roll"), Qt::LeftButton);
    EXPECT_TRUE(asked().roll) << "it goes on at once";
    EXPECT_TRUE(asked().line.back().open);
    EXPECT_FALSE(row->isVisible());
    say("ff.");
    EXPECT_EQ(message(2).text, "cut off.");
    EXPECT_FALSE(row->isVisible());
    type("More");
    EXPECT_TRUE(asked().roll) << "and stays so";
    say("yes");
    start(home.path());
    EXPECT_EQ(chats->on_full(), OnFull::roll) << "of this chat, the next time too";
    chats->new_chat();
    EXPECT_EQ(chats->on_full(), OnFull::stop);
}

TEST_F(ChatFlow, AFullContextIsSummedUp) {
    start(home.path());
    type("Hello");
    say("cut", true, Generation::End::context);
    QTest::mouseClick(view->findChild<QPushButton*>("full-summarise"), Qt::LeftButton);
    EXPECT_EQ(asked().line.back().text, kAskForSummary);
    EXPECT_EQ(asked().sampling.temperature, 0);
    EXPECT_TRUE(asked().roll) << "so that there is room";
    EXPECT_EQ(message(3).role, "summary");
    say("We said hel", false);
    EXPECT_EQ(message(3).text, "We said hel") << "it is seen as it comes";
    say("lo.");
    EXPECT_FALSE(message(3).open);
    MessageCard* card = view->messages().card(3);
    ASSERT_NE(card, nullptr);
    EXPECT_TRUE(card->accessibleName().startsWith("Summary: We said hello."));
    EXPECT_TRUE(card->accessibleDescription().contains("stays in the chat"));
    EXPECT_EQ(on_card(3, "Regenerate"), nullptr);
    EXPECT_FALSE(view->findChild<QWidget*>("full")->isVisible());
    type("Next");
    const MakeAnswer next = asked();
    ASSERT_EQ(next.line.size(), 4u);
    EXPECT_EQ(next.line[0].role, "system");
    EXPECT_EQ(next.line[0].text, "What was said so far: We said hello.");
    EXPECT_EQ(next.line[1].text, "Hello");
    EXPECT_EQ(next.line[2].ids, message(2).ids);
    EXPECT_EQ(next.line[3].text, "Next");
    EXPECT_FALSE(next.roll);
    say("yes");
    chats->rewind(2);
    EXPECT_EQ(chats->chat().told(chats->chat().tip()).ids.size(), 2u) << "what stands above it is all there";

    // Stopped before it is whole, there is no summary, and what was written is in the composer again.
    chats->new_chat();
    type("Again");
    say("cut", true, Generation::End::context);
    chats->set_on_full(OnFull::summarise);
    say("We s", true, Generation::End::cancelled);
    EXPECT_EQ(chats->chat().tip(), 2);
    EXPECT_TRUE(message(3).removed);
}

TEST_F(ChatFlow, AMessageThatDoesNotFitIsAnsweredAnotherWay) {
    type("Long");
    fail({Error::failure, "the conversation needs 70000 tokens and the context holds 65536"});
    s->session->tick();
    EXPECT_EQ(chats->chat().tip(), 1);
    auto rotated = std::make_shared<RunCard>(*s->card);
    rotated->config.mla_use_nope = false;
    s->script->play({Loaded{rotated}, PhaseChanged{Phase::ready}});
    s->session->tick();
    EXPECT_FALSE(chats->can_roll());
    QSignalSpy said(s->session.get(), &Session::noticed);
    chats->set_on_full(OnFull::roll);
    ASSERT_EQ(said.size(), 1);
    EXPECT_TRUE(said[0][0].toString().contains("cannot roll"));
    EXPECT_EQ(chats->on_full(), OnFull::stop);
}

TEST_F(ChatFlow, TheEndsOnDiskAreSeenAndBudgeted) {
    Conversations list(*s->session, *chats);
    StatesKept kept;
    kept.count = 3, kept.bytes = 5 << 20, kept.budget = int64_t{2} << 30, kept.written = 1 << 20, kept.nanoseconds = 4'000'000;
    s->script->play({kept});
    s->session->tick();
    auto* budget = list.findChild<QComboBox*>("state-budget");
    ASSERT_NE(budget, nullptr);
    EXPECT_EQ(budget->currentData().toLongLong(), int64_t{2} << 30);
    bool seen = false;
    for (QLabel* l : list.findChildren<QLabel*>()) seen = seen || (l->text() == "3 ends on disk, 5.0 MiB" && l->toolTip().contains("1.0 MiB, took 4.0 ms"));
    EXPECT_TRUE(seen);
    budget->setCurrentIndex(0);
    emit budget->activated(0);
    const auto* set = std::get_if<SetStateBudget>(&s->script->commands.back());
    ASSERT_NE(set, nullptr);
    EXPECT_EQ(set->bytes, 0);
    QSignalSpy said(s->session.get(), &Session::noticed);
    kept.trouble = "no room", kept.budget = 12345678;
    s->script->play({kept});
    s->session->tick();
    EXPECT_EQ(said.size(), 1);
    EXPECT_EQ(budget->currentData().toLongLong(), 12345678) << "set in the terminal";
}

}  // namespace
}  // namespace klp::gui
