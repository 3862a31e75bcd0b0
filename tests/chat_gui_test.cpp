// Chat as a person uses it: through the widgets, with a scripted engine, across restarts, full disks and torn files.
#include <QAbstractItemModelTester>
#include <QApplication>
#include <QClipboard>
#include <QFile>
#include <QLabel>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QToolButton>
#include <filesystem>

#include "app/gui/chat_view.h"
#include "app/gui/conversations.h"
#include "tests/gui_support.h"

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
        for (const char c : text) events.push_back(TokenMade{.answer = answer, .position = position++, .id = id++, .text = std::string(1, c), .nanoseconds = 1000});
        if (done) {
            AnswerDone e{.answer = answer, .end = end, .tokens = static_cast<int64_t>(text.size()), .prompt_tokens = 12};
            e.prefill_ns = 2'000'000, e.first_token_ns = 3'000'000, e.decode_ns = 1'000'000, e.seed = 7;
            events.push_back(e), events.push_back(PhaseChanged{Phase::ready});
        }
        s->script->play(std::move(events));
        s->session->tick();
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
    type("And?");
    ASSERT_EQ(asked().line.size(), 3u);
    EXPECT_EQ(asked().line[1].ids, message(2).ids);
    EXPECT_EQ(chats->chat().info().title, "What is a gate?");
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

}  // namespace
}  // namespace klp::gui
