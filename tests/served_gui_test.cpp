// The window while another program serves the model.
#include <QComboBox>
#include <QLineEdit>
#include <QProcess>
#include <QPushButton>
#include <QTableView>
#include <QUrl>

#include "app/format.h"
#include "app/gui/chat/message_list.h"
#include "app/gui/chat/starters.h"
#include "app/gui/frame/banner.h"
#include "app/gui/frame/main_window.h"
#include "app/gui/frame/served_dialog.h"
#include "app/opener.h"
#include "core/runs/served_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

constexpr int kPatience = 60'000;  // ms

// klp serve with the embedded model.
struct Served {
    explicit Served(const QString& port = "0") {
        process.setReadChannel(QProcess::StandardError);
        process.start(KLP_PROGRAM, {"serve", "--port", port});
        while (process.waitForReadyRead(kPatience) || process.state() == QProcess::Running) {
            said += process.readAllStandardError();
            const auto found = QRegularExpression("http://\\S+/v1").match(said);
            if (!found.hasMatch()) continue;
            url = found.captured(0);
            break;
        }
    }
    ~Served() {
        process.kill();
        process.waitForFinished();
    }
    QProcess process;
    QString said, url;
};

struct Window {
    Window() : session(std::make_unique<LiveRun>(open_for_run)), chats(session), window(session, chats) { window.show(); }
    bool wait(const std::function<bool()>& until) { return QTest::qWaitFor(until, kPatience); }
    // Through the dialog, as a person does.
    void connect_to(const QString& url, const QString& shape = {}) {
        window.action("served")->trigger();
        auto* dialog = window.findChild<ServedDialog*>();
        ASSERT_TRUE(dialog);
        dialog->findChild<QComboBox*>("served-kind")->setCurrentIndex(1);
        dialog->findChild<QLineEdit*>("served-url")->setText(url);
        dialog->findChild<QLineEdit*>("served-shape")->setText(shape);
        dialog->findChildren<QPushButton*>()[0]->click();
        ASSERT_TRUE(wait([&] { return session.card() != nullptr; })) << dialog->findChild<QLabel*>("served-say")->text().toStdString();
    }
    QString ask(const QString& text) {
        EXPECT_TRUE(chats.send(text));
        EXPECT_TRUE(wait([&] { return !chats.answering() && chats.chat().message(chats.chat().tip()).role == "assistant"; }));
        return QString::fromStdString(chats.chat().message(chats.chat().tip()).text);
    }
    QString says(const char* id) const { return window.panel(id)->findChild<QLabel*>("needs-inside")->text(); }
    Session session;
    Chats chats;
    MainWindow window;
};

// klp-gui --at HOST:PORT: its engine, with every lens; where nobody is, the dialog stands open with the sentence.
TEST(Elsewhere, AnEngineIsAskedForAtOnce) {
    Served served;
    ASSERT_FALSE(served.url.isEmpty()) << served.said.toStdString();
    Window w;
    w.window.open_elsewhere("127.0.0.1:1", {});
    auto* dialog = w.window.findChild<ServedDialog*>();
    ASSERT_TRUE(dialog);
    ASSERT_TRUE(w.wait([&] { return dialog->findChild<QLabel*>("served-say")->text().contains("127.0.0.1:1"); }));
    EXPECT_TRUE(dialog->isVisible());
    dialog->reject();
    w.window.open_elsewhere(QUrl(served.url).authority(), {});
    ASSERT_TRUE(w.wait([&] { return w.session.card() != nullptr; }));
    EXPECT_EQ(w.window.findChild<QLabel*>("badge")->text(), "REMOTE");
    w.chats.set_settings({.sampling = {.temperature = 0}, .random_seed = false});
    EXPECT_TRUE(w.ask("Hello, who are you?").contains("Mini"));
}

TEST(Elsewhere, ATalkIsAsOneWithTheEngine) {
    Served served;
    ASSERT_FALSE(served.url.isEmpty()) << served.said.toStdString();
    Window w;
    w.connect_to(served.url);
    EXPECT_EQ(w.window.findChild<QLabel*>("badge")->text(), "SERVED");
    EXPECT_EQ(w.session.card()->name, "demo");
    w.window.show_panel("logits");
    w.chats.set_settings({.sampling = {.temperature = 0}, .random_seed = false});
    EXPECT_TRUE(w.ask("Hello, who are you?").contains("Mini"));
    const int first = w.chats.chat().tip();
    EXPECT_TRUE(w.ask("What is your name?").contains("Mini"));
    EXPECT_TRUE(w.session.hands().why_not.startsWith("Another program serves this model")) << "its memory is out of reach";
    const ChatMessage& m = w.chats.chat().message(first);
    ASSERT_TRUE(m.stats);
    EXPECT_GT(m.stats->tokens, 10);
    EXPECT_GT(m.stats->prompt_tokens, 5);
    EXPECT_EQ(m.stats->end, "stop_token");

    // Candidates of the newest token, by their text.
    auto* logits = w.window.panel("logits");
    EXPECT_TRUE(w.wait([&] { return logits->table().rows.size() > 1; }));
    const auto words = [&] {
        for (const auto& row : logits->table().rows) {
            EXPECT_FALSE(row[3].toString().startsWith("id ") || row[3].toString().isEmpty()) << row[3].toString().toStdString();
            EXPECT_FALSE(row[2].isValid()) << "a server tells no ids";
        }
        for (const auto* list : logits->findChildren<QTableView*>()) {
            if (list->accessibleName().startsWith("Candidates")) EXPECT_TRUE(list->isColumnHidden(3));
        }
    };
    words();
    // The same words where the answer is played once more.
    w.window.play_again(w.chats.chat().tip());
    ASSERT_TRUE(w.chats.recorded());
    EXPECT_TRUE(w.wait([&] { return w.session.phase().phase == Phase::ready && logits->table().rows.size() > 1; }));
    words();
    w.window.action("replay-leave")->trigger();
    ASSERT_FALSE(w.chats.recorded());
    // Positions are the server's: the prompt's tokens are in front.
    EXPECT_EQ(w.session.trace().size(),
              w.chats.chat().message(w.chats.chat().tip()).stats->prompt_tokens + w.chats.chat().message(w.chats.chat().tip()).stats->tokens);
    // Another token of it makes a branch that begins with what was said before.
    const int64_t at = w.session.trace().size() - 3;
    const ServedCard* card = served_card(w.session.card());
    const int whole = w.chats.chat().tip();
    w.session.ask_fork(at, card->words->id_of(" indeed"));
    EXPECT_TRUE(w.wait([&] { return !w.chats.answering(); }));
    const std::string branched = w.chats.chat().message(w.chats.chat().tip()).text;
    EXPECT_NE(branched.find(" indeed"), branched.npos) << branched;
    EXPECT_EQ(branched.substr(0, 4), w.chats.chat().message(whole).text.substr(0, 4)) << branched;
    w.chats.choose(whole);
    EXPECT_TRUE(w.wait([&] { return w.session.phase().phase == Phase::ready; }));

    for (const char* id : {"decay", "state", "experts", "attention", "race"}) {
        EXPECT_TRUE(w.says(id).contains("engine's inside")) << id;
        for (const char* file : {"none.svg", "none.csv"}) EXPECT_EQ(w.window.panel(id)->export_to(file), w.says(id));
    }
    EXPECT_TRUE(w.says("memory").contains("shape")) << "nobody knows the demo's";
    EXPECT_EQ(w.says("logits"), "");
    EXPECT_FALSE(w.window.action("race")->isEnabled());

    // And back to an engine here.
    w.window.load_model("");
    ASSERT_TRUE(w.wait([&] { return w.session.card() && !served_card(w.session.card()); }));
    EXPECT_EQ(w.window.findChild<QLabel*>("badge")->text(), "LIVE");
    EXPECT_EQ(w.says("decay"), "");
    EXPECT_TRUE(w.ask("What is your name?").contains("Mini"));
    // Message box and status bar count the same tokens.
    auto* count = w.window.findChild<QLabel*>("count");
    EXPECT_TRUE(w.wait([&] { return count->text() == QString::fromStdString(plural(w.session.trace().size(), "token")); }))
        << count->text().toStdString() << " and " << w.session.trace().size();
}

TEST(Elsewhere, AServerThatEndsCostsNothingOfTheTalk) {
    auto served = std::make_unique<Served>();
    ASSERT_FALSE(served->url.isEmpty()) << served->said.toStdString();
    Window w;
    w.connect_to(served->url, "kimi-linear-48b");
    EXPECT_EQ(w.says("memory"), "");
    w.ask("My name is Tom.");
    EXPECT_GT(w.session.memory().total(), 0) << "computed from the shape";
    const int first = w.chats.chat().tip();
    served.reset();
    EXPECT_TRUE(w.chats.send("What is my name?"));
    QString said;
    QObject::connect(&w.session, &Session::troubled, [&](const Trouble& t) { said = QString::fromStdString(t.error.message); });
    EXPECT_TRUE(w.wait([&] { return !w.chats.answering(); }));
    EXPECT_TRUE(said.contains("is a server running there?")) << said.toStdString();
    EXPECT_EQ(w.chats.chat().message(w.chats.chat().tip()).text, "What is my name?") << "it may be sent again";
    EXPECT_EQ(w.chats.chat().message(w.chats.chat().tip()).parent, first);
    served = std::make_unique<Served>();
    w.connect_to(served->url);
}

TEST(Elsewhere, TheEngineOfAKlpServeShowsEveryLens) {
    Served served;
    ASSERT_FALSE(served.url.isEmpty()) << served.said.toStdString();
    const QString at = QUrl(served.url).authority();
    Window w;
    w.window.action("served")->trigger();
    auto* dialog = w.window.findChild<ServedDialog*>();
    ASSERT_TRUE(dialog);
    dialog->findChild<QComboBox*>("served-kind")->setCurrentIndex(0);
    EXPECT_FALSE(dialog->findChild<QLineEdit*>("served-url")->isVisible());
    dialog->findChild<QLineEdit*>("served-at")->setText(at);
    dialog->findChildren<QPushButton*>()[0]->click();
    ASSERT_TRUE(w.wait([&] { return w.session.card() != nullptr; })) << dialog->findChild<QLabel*>("served-say")->text().toStdString();
    EXPECT_EQ(w.window.findChild<QLabel*>("badge")->text(), "REMOTE");
    w.chats.set_settings({.sampling = {.temperature = 0}, .random_seed = false});
    EXPECT_TRUE(w.ask("Hello, who are you?").contains("Mini"));
    for (const char* id : {"decay", "experts", "memory", "logits"}) {
        w.window.show_panel(id);
        EXPECT_TRUE(w.wait([&] { return !w.window.panel(id)->table().rows.empty(); })) << id;
        EXPECT_EQ(w.says(id), "") << id;
    }
    StatePicture state;
    QObject::connect(&w.session, &Session::state_pictured, [&](const StatePicture& p) { state = p; });
    AttentionPicture attention;
    QObject::connect(&w.session, &Session::attention_pictured, [&](const AttentionPicture& p) { attention = p; });
    w.window.show_panel("state");
    EXPECT_TRUE(w.wait([&] { return !state.values.empty() && !w.window.panel("state")->table().rows.empty(); }));
    w.window.show_panel("attention");
    EXPECT_TRUE(w.wait([&] { return !attention.weights.empty() && !w.window.panel("attention")->table().rows.empty(); }));
    EXPECT_TRUE(w.window.action("race")->isEnabled());

    // The server is killed; the talk stays, and goes on with an engine here.
    const int tip = w.chats.chat().tip();
    QString said;
    QObject::connect(&w.session, &Session::troubled, [&](const Trouble& t) { said = QString::fromStdString(t.error.message); });
    served.process.kill();
    EXPECT_TRUE(w.wait([&] { return said.contains("is lost"); })) << said.toStdString();
    EXPECT_EQ(w.chats.chat().tip(), tip);
    w.window.load_model("");
    ASSERT_TRUE(w.wait([&] { return w.session.card() && w.window.findChild<QLabel*>("badge")->text() == "LIVE"; }));
    EXPECT_TRUE(w.ask("What is your name?").contains("Mini"));
}

TEST(Elsewhere, AServerThatGoesIsNoticedWhileNobodyAsksAndSoIsItsReturn) {
    auto served = std::make_unique<Served>();
    ASSERT_FALSE(served->url.isEmpty()) << served->said.toStdString();
    const QString port = QRegularExpression(":(\\d+)/v1").match(served->url).captured(1);
    Window w;
    w.connect_to(served->url);
    const auto badge = [&] { return w.window.findChild<QLabel*>("badge")->text(); };
    EXPECT_EQ(badge(), "SERVED");
    served.reset();
    EXPECT_TRUE(w.wait([&] { return badge() == "NO ANSWER"; })) << badge().toStdString();
    EXPECT_TRUE(w.window.banner().text().contains("does not answer any more")) << w.window.banner().text().toStdString();
    EXPECT_EQ(w.window.findChild<QLabel*>("phase")->text(), "") << "it is not ready";
    served = std::make_unique<Served>(port);
    ASSERT_FALSE(served->url.isEmpty()) << served->said.toStdString();
    EXPECT_TRUE(w.wait([&] { return badge() == "SERVED"; })) << badge().toStdString();
    EXPECT_EQ(w.window.banner().text(), "");
    EXPECT_EQ(w.window.findChild<QLabel*>("phase")->text(), "ready");
}

TEST(Elsewhere, OnlyPromptsWhoseLensHasSomethingToShowAreOffered) {
    Served served;
    ASSERT_FALSE(served.url.isEmpty()) << served.said.toStdString();
    Window w;
    const auto offered = [&] {
        QSet<QString> lenses;
        int n = 0;
        for (const auto* b : w.window.findChildren<StarterButton*>())
            if (!b->isHidden()) lenses.insert(b->lens()), ++n;
        return std::pair(n, lenses);
    };
    const int all = offered().first;
    EXPECT_GT(all, 4);
    w.connect_to(served.url);
    EXPECT_LT(offered().first, all);
    for (const QString& lens : offered().second) EXPECT_EQ(lens, "Logits");
    w.window.load_model("");
    ASSERT_TRUE(w.wait([&] { return w.session.card() && !served_card(w.session.card()); }));
    EXPECT_EQ(offered().first, all);
}

TEST(Elsewhere, WhatIsWrongIsSaidInTheDialog) {
    ServedDialog dialog;
    auto* open = dialog.findChildren<QPushButton*>()[0];
    auto* url = dialog.findChild<QLineEdit*>("served-url");
    auto* say = dialog.findChild<QLabel*>("served-say");
    dialog.findChild<QComboBox*>("served-kind")->setCurrentIndex(1);
    url->clear();
    EXPECT_FALSE(open->isEnabled());
    url->setText("nonsense");
    open->click();
    EXPECT_TRUE(say->text().contains("does not begin with http://"));
    url->setText("http://127.0.0.1:9/v1");  // nobody listens there
    open->click();
    EXPECT_TRUE(QTest::qWaitFor([&] { return say->text().contains("is a server running there?"); }, kPatience));
    EXPECT_TRUE(open->isEnabled());
    dialog.findChild<QLineEdit*>("served-key-variable")->setText("KLP_NO_SUCH_VARIABLE");
    open->click();
    EXPECT_TRUE(say->text().contains("KLP_NO_SUCH_VARIABLE"));
    dialog.findChild<QLineEdit*>("served-key-variable")->clear();
    dialog.findChild<QComboBox*>("served-kind")->setCurrentIndex(0);
    auto* at = dialog.findChild<QLineEdit*>("served-at");
    at->setText("nonsense");
    open->click();
    EXPECT_TRUE(say->text().contains("is no place of a klp serve")) << say->text().toStdString();
    at->setText("127.0.0.1:9");
    open->click();
    EXPECT_TRUE(QTest::qWaitFor([&] { return say->text().contains("is a klp serve running there?"); }, kPatience));
    dialog.findChild<QLineEdit*>("served-ssh")->setText("-oProxyCommand=x");
    open->click();
    EXPECT_TRUE(QTest::qWaitFor([&] { return say->text().contains("is no host for ssh"); }, kPatience)) << say->text().toStdString();
}

TEST(Elsewhere, ToolsAndThoughtsOfALineBecomeMessages) {
    const std::vector<Part> line{{std::string(kToolsRole), "[{\"type\": \"function\"}]"},
                                 {"system", "Be brief."},
                                 {"user", "hi"},
                                 {"assistant", "<think>hmm</think>\n\nwait", {1, 2}, false, {{"functions.ping:0", "{}"}}},
                                 {"tool", tool_return("functions.ping:0", "pong")}};
    const ServedRequest r = served_request(line);
    EXPECT_EQ(r.tools, line[0].text);
    ASSERT_EQ(r.messages.size(), 4u);
    EXPECT_EQ(r.messages[2].content, "wait");
    EXPECT_EQ(r.messages[2].tool_calls.size(), 1u);
    EXPECT_EQ(r.messages[3].content, "pong");
    EXPECT_EQ(r.messages[3].tool_call_id, "functions.ping:0");
}

}  // namespace
}  // namespace klp::gui
