// The front door: the first page at every size, what a person without a model finds, messages that end, and everything by keyboard.
#include <QAbstractTextDocumentLayout>
#include <QApplication>
#include <QDir>
#include <QDockWidget>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QMenuBar>
#include <QPointer>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSlider>
#include <QStatusBar>
#include <QTabBar>
#include <QTemporaryDir>
#include <QTextBlock>
#include <QTextBrowser>
#include <QToolButton>
#include <QTreeView>
#include <QTreeWidget>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/conversations.h"
#include "app/gui/chat/starters.h"
#include "app/gui/frame/banner.h"
#include "app/gui/frame/keys.h"
#include "app/gui/frame/main_window.h"
#include "app/gui/frame/recorder.h"
#include "app/gui/frame/start_page.h"
#include "app/gui/frame/tour.h"
#include "app/gui/frame/vitals.h"
#include "core/runs/replay_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const kFront = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

const QSize kSizes[] = {{1024, 640}, {1280, 720}, {1440, 900}, {1920, 1080}};

// A window before any model.
class FrontDoor : public ::testing::Test {
protected:
    FrontDoor() {
        QSettings().clear();
        auto run = std::make_unique<ScriptedRun>();
        script = run.get();
        session = std::make_unique<Session>(std::move(run));
        chats = std::make_unique<Chats>(*session);
        window = std::make_unique<MainWindow>(*session, *chats);
        window->setAnimated(false);
        window->resize(1440, 900);
        window->show();
        window->apply_layout("explore");
        settle();
    }
    static void settle() {  // layouts ask for layouts
        for (int i = 0; i < 12; ++i) QCoreApplication::processEvents(), QCoreApplication::sendPostedEvents();
    }
    void play(std::vector<Event> events) {
        script->play(std::move(events));
        session->tick();
    }
    void load() { play({PhaseChanged{Phase::loading}, Loaded{card}, PhaseChanged{Phase::ready}}); }
    void say(const std::string& text) {
        const auto* ask = last<MakeAnswer>();
        ASSERT_NE(ask, nullptr) << "nothing was asked";
        std::vector<Event> events{PhaseChanged{Phase::decoding}};
        int64_t position = session->trace().size();
        for (const char c : text)
            events.push_back(TokenMade{.answer = ask->answer, .position = position++, .id = 300, .text = std::string(1, c), .nanoseconds = 1000});
        events.push_back(AnswerDone{.answer = ask->answer, .end = Generation::End::stop_token, .tokens = static_cast<int64_t>(text.size())});
        events.push_back(PhaseChanged{Phase::ready});
        play(std::move(events));
    }
    void type(const QString& text) {
        ComposerText& composer = window->chat_view().composer().text();
        composer.setFocus();
        QTest::keyClicks(&composer, text);
        QTest::keyClick(&composer, Qt::Key_Return);
    }
    template <class T>
    const T* last() const {
        for (auto c = script->commands.rbegin(); c != script->commands.rend(); ++c)
            if (const T* found = std::get_if<T>(&*c)) return found;
        return nullptr;
    }
    std::vector<QPushButton*> buttons() const {
        std::vector<QPushButton*> all;
        for (auto* b : window->banner().findChildren<QPushButton*>("banner-action"))
            if (b->isVisible()) all.push_back(b);
        return all;
    }
    std::string composed() const { return window->chat_view().composer().text().toPlainText().toStdString(); }

    std::shared_ptr<const RunCard> card = scripted_card();
    ScriptedRun* script = nullptr;
    std::unique_ptr<Session> session;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<MainWindow> window;
};

TEST_F(FrontDoor, EveryButtonIsInsideAtEverySize) {
    auto* page = window->findChild<StartPage*>();
    ASSERT_NE(page, nullptr);
    for (const int recordings : {0, 1, 10}) {
        std::vector<RecordingInfo> all;
        for (int i = 0; i < recordings; ++i)
            all.push_back({QString("/%1").arg(i), QString("Kimi-Linear-48B-A3B-Instruct on a machine with a very long name, 2026-11-30 16:%1").arg(i + 10),
                           i % 2 ? QString() : QString("What it is about, in a sentence that goes on for a while and then a little longer.")});
        page->set_recordings(all);
        for (const QSize& size : kSizes) {
            window->resize(size);
            settle();
            EXPECT_LE(window->width(), size.width());
            EXPECT_LE(window->height(), size.height());
            const auto* scroll = page->findChild<QScrollArea*>();
            ASSERT_TRUE(scroll->isVisible());
            int seen = 0;
            for (const QPushButton* b : page->findChildren<QPushButton*>()) {
                if (!b->isVisibleTo(page)) continue;
                const int left = b->mapTo(scroll->viewport(), QPoint()).x();
                EXPECT_GE(left, 0);
                EXPECT_LE(left + b->width(), scroll->viewport()->width())
                    << b->text().toStdString() << " with " << recordings << " recordings at " << size.width() << "x" << size.height();
                EXPECT_GE(b->width(), b->minimumSizeHint().width());
                ++seen;
            }
            EXPECT_GE(seen, recordings > 0 ? 3 : 2);
            for (const QLabel* l : page->findChildren<QLabel*>()) {
                if (!l->isVisibleTo(page) || l->text().isEmpty()) continue;
                EXPECT_LE(l->mapTo(scroll->viewport(), QPoint()).x() + l->width(), scroll->viewport()->width());
                EXPECT_GE(l->height(), l->heightForWidth(l->width())) << l->text().toStdString();
            }
            const QPoint door = page->focusProxy()->mapTo(scroll->viewport(), QPoint());  // the first thing to do needs no scrolling
            EXPECT_LE(door.y() + page->focusProxy()->height(), scroll->viewport()->height()) << size.width() << "x" << size.height();
        }
    }
}

TEST_F(FrontDoor, TheKeyboardIsAtTheFirstThingToDo) {
    auto* page = window->findChild<StartPage*>();
    const auto* first = qobject_cast<QPushButton*>(window->focusWidget());
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first, page->focusProxy());
    EXPECT_TRUE(first->property("primary").toBool());
    EXPECT_TRUE(first->accessibleName().startsWith("Watch")) << "the first run has a name";
    QString asked;
    QObject::connect(page, &StartPage::recording_asked, [&](const QString& file) { asked = file; });
    QTest::keyClick(window->focusWidget(), Qt::Key_Return);
    EXPECT_FALSE(asked.isEmpty());
    page->set_recordings({});
    EXPECT_EQ(qobject_cast<QPushButton*>(page->focusProxy())->text(), "Talk");
}

TEST_F(FrontDoor, WhatIsTypedAtOnceIsAMessage) {
    window->activateWindow();
    ASSERT_TRUE(qobject_cast<QPushButton*>(window->focusWidget()));
    for (const char c : QByteArray("Hello, who are you?")) QTest::keyClick(window->focusWidget(), c);
    EXPECT_EQ(window->findChild<ComposerText*>()->toPlainText(), "Hello, who are you?");
    EXPECT_EQ(session->card(), nullptr) << "a space pressed the button";
}

TEST_F(FrontDoor, TheMonitorIsShownWhenItIsAskedFor) {
    QTest::keyClick(window.get(), Qt::Key_M, Qt::ControlModifier);
    auto* monitor = window->findChild<QDockWidget*>("dock-monitor");
    ASSERT_TRUE(monitor->isVisible());
    EXPECT_TRUE(QTest::qWaitFor([&] { return !monitor->visibleRegion().isEmpty(); })) << "it is a tab behind others";
}

TEST_F(FrontDoor, IsNeverLargerThanTheScreen) {
    window->resize(3000, 2000);
    window->close();
    MainWindow again(*session, *chats);
    again.show();
    settle();
    const QSize room = again.screen()->availableGeometry().size();
    EXPECT_LE(again.width(), std::max(room.width(), kSizes[0].width()));
    EXPECT_LE(again.height(), std::max(room.height(), kSizes[0].height()));
}

TEST_F(FrontDoor, AMessageWithoutAModelLoadsTheEmbeddedOneAndIsAnswered) {
    type("My name is Greta.");
    const auto* asked = last<LoadModel>();
    ASSERT_NE(asked, nullptr);
    EXPECT_EQ(asked->model, "");
    EXPECT_EQ(composed(), "");
    EXPECT_EQ(chats->chat().message(1).text, "My name is Greta.");
    EXPECT_EQ(last<MakeAnswer>(), nullptr);
    play({PhaseChanged{Phase::loading}});
    EXPECT_TRUE(chats->waits_for_model());
    type("And more");
    EXPECT_EQ(composed(), "And more") << "one thing after the other";
    EXPECT_TRUE(window->banner().text().contains("still loading"));
    play({Loaded{card}, PhaseChanged{Phase::ready}});
    ASSERT_NE(last<MakeAnswer>(), nullptr);
    EXPECT_EQ(last<MakeAnswer>()->line.size(), 1u);
    EXPECT_EQ(window->banner().text(), "") << "it is not loading any more";
    say("Hello");
    EXPECT_EQ(chats->chat().line().size(), 2u);
    // What is asked of an old answer loads the model again, the same one.
    play({Unloaded{}, PhaseChanged{Phase::empty}});
    chats->regenerate(2);
    ASSERT_NE(last<LoadModel>(), nullptr);
    play({PhaseChanged{Phase::loading}, Loaded{card}, PhaseChanged{Phase::ready}});
    say("Hi");
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 3}));
}

TEST_F(FrontDoor, AModelThatDoesNotLoadKeepsTheMessageAndSaysWhatAModelIs) {
    type("Hello?");
    play({PhaseChanged{Phase::loading}, Trouble{{Error::model, "m.safetensors: torn"}}, PhaseChanged{Phase::empty}});
    EXPECT_FALSE(chats->waits_for_model());
    EXPECT_EQ(chats->chat().tip(), 1) << "it stands there, to be answered";
    EXPECT_EQ(window->banner().text(), "m.safetensors: torn");
    ASSERT_EQ(buttons().size(), 2u);
    QTest::mouseClick(buttons()[1], Qt::LeftButton);
    EXPECT_EQ(last<LoadModel>()->model, "");
    EXPECT_EQ(window->banner().text(), "");
}

TEST_F(FrontDoor, AWrongFolderCostsNothing) {
    load();
    type("Hello");
    const size_t commands = script->commands.size();
    const QTemporaryDir empty;
    window->load_model(empty.path());
    EXPECT_EQ(script->commands.size(), commands) << "nothing is asked of the engine";
    EXPECT_EQ(script->cancels, 0) << "and the answer goes on";
    EXPECT_TRUE(window->banner().text().contains("no config.json")) << window->banner().text().toStdString();
    bool says = false;
    for (const QLabel* l : window->banner().findChildren<QLabel*>()) says = says || l->text().contains("safetensors");
    EXPECT_TRUE(says) << "what a model needs";
    EXPECT_EQ(buttons().size(), 1u);
    say("yes");
    EXPECT_EQ(window->banner().text(), "") << "it went on, so that is over";
    // What is only found out while loading leaves the model where it is.
    play({PhaseChanged{Phase::loading}, Trouble{{Error::model, "x: torn"}}, PhaseChanged{Phase::ready}});
    EXPECT_TRUE(session->live());
    EXPECT_TRUE(chats->can_answer());
    EXPECT_EQ(window->banner().text(), "x: torn");
    load();
    EXPECT_EQ(window->banner().text(), "");
}

TEST_F(FrontDoor, TheComposerSaysWhatIsTrue) {
    Composer& composer = window->chat_view().composer();
    const QImage before = composer.grab().toImage();
    load();
    EXPECT_EQ(composer.text().placeholderText(), "Message scripted");
    QTest::qWait(20);
    EXPECT_NE(composer.grab().toImage(), before);
    EXPECT_EQ(window->focusWidget(), &composer.text());
    play({Unloaded{}, PhaseChanged{Phase::empty}});
    EXPECT_EQ(composer.text().placeholderText(), "Message: the model loads again and answers");
}

TEST_F(FrontDoor, MessagesEndWhenTheyStopBeingTrue) {
    load();
    type("one");
    say("1");
    chats->undo_turn();
    EXPECT_EQ(composed(), "one");
    ASSERT_EQ(buttons().size(), 1u);
    EXPECT_EQ(buttons()[0]->text(), "Go ahead");
    QTest::mouseClick(buttons()[0], Qt::LeftButton);
    EXPECT_EQ(chats->chat().tip(), 2);
    EXPECT_EQ(window->banner().text(), "");
    EXPECT_EQ(composed(), "") << "Enter would send it twice";
    chats->undo_turn();
    window->action("go-ahead")->trigger();
    EXPECT_EQ(window->banner().text(), "") << "however one goes ahead";

    chats->remove(2);
    EXPECT_TRUE(window->banner().text().contains("hidden"));
    QTest::mouseClick(buttons().at(0), Qt::LeftButton);
    EXPECT_EQ(chats->chat().tip(), 2);
    EXPECT_EQ(window->banner().text(), "");

    const Chat* chat = &chats->chat();
    chats->remove_chat(chat);
    EXPECT_NE(&chats->chat(), chat);
    EXPECT_TRUE(window->banner().text().contains("hidden"));
    session->say("Something else.", {}, false);
    EXPECT_EQ(window->banner().text(), "Something else.");
    chats->new_chat();
    EXPECT_TRUE(window->banner().text().contains("hidden")) << "it still is";
    chats->restore_chat();
    EXPECT_EQ(&chats->chat(), chat);
    EXPECT_EQ(window->banner().text(), "");
}

TEST_F(FrontDoor, EscStopsOrDismissesOrLetsGo) {
    load();
    session->say("Look.", {}, false);
    QAction* esc = window->action("stop");
    EXPECT_EQ(esc->text(), "Dismiss the message");
    session->selection().set_token(3);
    type("one");
    play({PhaseChanged{Phase::decoding}});
    EXPECT_EQ(esc->text(), "Stop");
    esc->trigger();
    EXPECT_EQ(script->cancels, 1);
    say("1");
    session->say("Look.", {}, false);
    esc->trigger();
    EXPECT_EQ(window->banner().text(), "");
    EXPECT_EQ(session->selection().token(), 3);
    esc->trigger();
    EXPECT_EQ(session->selection().token(), Selection::kNewest);
    EXPECT_FALSE(esc->isEnabled());
}

TEST_F(FrontDoor, EscClosesAnExplanationWhichEndsWithAWholeLine) {
    load();
    QAction* esc = window->action("stop");
    for (const QSize size : kSizes) {
        window->resize(size);
        for (const PanelRow& row : panels()) {
            window->show_panel(row.info.id);
            settle();
            Panel* panel = window->panel(row.info.id);
            auto* help = panel->findChild<QTextBrowser*>();
            panel->show_help(true);
            settle();
            ASSERT_TRUE(help->isVisible() && esc->isEnabled());
            EXPECT_EQ(esc->text(), "Close the explanation");
            const int high = help->viewport()->height();
            for (QTextBlock block = help->document()->begin(); block.isValid(); block = block.next()) {
                const double top = help->document()->documentLayout()->blockBoundingRect(block).top();
                for (int i = 0; i < block.layout()->lineCount(); ++i) {
                    const QRectF line = block.layout()->lineAt(i).rect().translated(0, top);
                    EXPECT_TRUE(line.bottom() <= high + 1 || line.top() >= high - 2)
                        << row.info.id << " " << size.width() << ": " << line.top() << " to " << line.bottom() << " in " << high;
                }
            }
            esc->trigger();
            EXPECT_FALSE(help->isVisible()) << row.info.id;
        }
    }
    EXPECT_FALSE(esc->isEnabled());
}

TEST_F(FrontDoor, ALensGetsAWindowOfItsOwnAndComesBack) {
    load();
    window->show_panel("decay");
    Panel* panel = window->panel("decay");
    auto* dock = window->findChild<QDockWidget*>("dock-decay");
    const auto detach = [&] {
        emit panel->detach_asked();
        settle();
    };
    const auto offered = [&] {
        for (const QAction* a : panel->findChildren<QAction*>())
            if (a->text().startsWith("Detach") || a->text().startsWith("Back into")) return a->text();
        return QString();
    };
    EXPECT_TRUE(offered().startsWith("Detach"));
    detach();
    EXPECT_TRUE(dock->isFloating() && dock->isVisible() && panel->in_sight());
    EXPECT_TRUE(offered().startsWith("Back into")) << offered().toStdString();
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        settle();
        EXPECT_EQ(panel->palette().color(QPalette::Window), qApp->palette().color(QPalette::Window)) << "it has the window's theme";
        EXPECT_GT(colours_in(panel->grab().toImage()), 3);
    }
    window->show_panel("state");
    settle();
    EXPECT_TRUE(panel->in_sight() && window->panel("state")->in_sight()) << "both are seen";
    detach();
    EXPECT_FALSE(dock->isFloating());
    EXPECT_TRUE(panel->in_sight());
    EXPECT_FALSE(window->panel("state")->in_sight()) << "a tab again, in front";
    EXPECT_TRUE(offered().startsWith("Detach"));
    detach();
    dock->close();
    settle();
    EXPECT_FALSE(panel->in_sight());
    window->show_panel("decay");
    settle();
    EXPECT_TRUE(panel->in_sight()) << "what was closed can be opened";
    window->apply_layout("explore");
    settle();
    EXPECT_FALSE(dock->isFloating()) << "a layout brings it back";
    detach();
    window->close();
}

TEST_F(FrontDoor, NamesOfLensesAreWholeBesideTheMonitor) {
    load();
    window->action("dock-monitor")->trigger();
    for (const QSize size : kSizes) {
        window->resize(size);
        settle();
        const QTabBar* bar = nullptr;
        for (const auto* b : window->findChildren<QTabBar*>())
            if (b->isVisible() && b->count() > 8) bar = b;
        ASSERT_NE(bar, nullptr) << size.width();
        for (int i = 0; i < bar->count(); ++i)
            EXPECT_GE(bar->tabRect(i).width(), bar->fontMetrics().horizontalAdvance(bar->tabText(i).remove('&'))) << bar->tabText(i).toStdString();
        EXPECT_EQ(bar->elideMode(), Qt::ElideNone);
    }
}

TEST_F(FrontDoor, TheOpenConversationIsMarkedWhereverOneComesFrom) {
    load();
    type("Cats");
    say("meow");
    const Chat* cats = &chats->chat();
    auto* tree = window->findChild<Conversations*>()->findChild<QTreeView*>("conversations");
    const auto marked = [&] { return reinterpret_cast<const Chat*>(tree->currentIndex().data(ConversationsModel::kChat).value<quintptr>()); };
    EXPECT_EQ(marked(), cats);
    window->action("new-chat")->trigger();
    EXPECT_EQ(marked(), &chats->chat());
    tree->setFocus();
    const QModelIndex second = tree->model()->index(1, 0);
    ASSERT_TRUE(second.isValid());
    QTest::mouseClick(tree->viewport(), Qt::LeftButton, {}, tree->visualRect(second).center());
    EXPECT_EQ(&chats->chat(), cats);
    EXPECT_EQ(marked(), cats);
    EXPECT_TRUE(tree->selectionModel()->isSelected(tree->currentIndex()));
}

TEST_F(FrontDoor, AltKeysAreUnique) {
    QSet<QChar> seen;
    for (const QAction* a : window->menuBar()->actions()) {
        const qsizetype at = a->text().indexOf('&');
        ASSERT_GE(at, 0) << a->text().toStdString();
        const QChar key = a->text()[at + 1].toLower();
        EXPECT_FALSE(seen.contains(key)) << a->text().toStdString();
        seen.insert(key);
    }
    EXPECT_EQ(seen.size(), 6);
}

TEST_F(FrontDoor, WhatWouldDoNothingIsGrey) {
    const auto on = [&](const char* id) { return window->action(id)->isEnabled(); };
    for (const char* id : {"unload", "export-chat", "regenerate", "continue", "edit-last", "fork", "undo-turn", "go-ahead", "branch-before", "branch-behind",
                           "remove-chat", "restore", "newest", "race", "stop", "record", "token-before", "head-behind"})
        EXPECT_FALSE(on(id)) << id;
    for (const char* id : {"embedded", "open", "new-chat", "import-chat", "quit", "composer", "search", "keys"}) EXPECT_TRUE(on(id)) << id;
    load();
    type("one");
    say("1");
    for (const char* id : {"unload", "export-chat", "regenerate", "edit-last", "fork", "undo-turn", "remove-chat", "race", "record"}) EXPECT_TRUE(on(id)) << id;
    for (const char* id : {"continue", "go-ahead", "branch-before", "restore"}) EXPECT_FALSE(on(id)) << id;
    chats->undo_turn();
    EXPECT_TRUE(on("go-ahead"));
    chats->go_ahead();
    chats->regenerate(2);
    say("2");
    EXPECT_TRUE(on("branch-before"));
    chats->remove(3);
    EXPECT_TRUE(on("restore"));
}

TEST_F(FrontDoor, KeysAreListedAndFound) {
    window->action("keys")->trigger();
    auto* keys = window->findChild<Keys*>();
    ASSERT_NE(keys, nullptr);
    EXPECT_TRUE(keys->isVisible());
    EXPECT_FALSE(keys->isModal());
    auto* list = keys->findChild<QTreeWidget*>();
    const auto rows = [&] {
        QStringList all;
        for (int g = 0; g < list->topLevelItemCount(); ++g)
            for (int i = 0; i < list->topLevelItem(g)->childCount(); ++i)
                if (const QTreeWidgetItem* row = list->topLevelItem(g)->child(i); !row->isHidden()) all << row->text(0) + "\t" + row->text(1);
        return all;
    };
    const QStringList all = rows();
    for (const QAction* a : window->findChildren<QAction*>())
        if (!a->shortcut().isEmpty() && a->isVisible() && a->text() != "") {
            const QString key = "\t" + a->shortcut().toString(QKeySequence::NativeText);
            EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const QString& row) { return row.endsWith(key); })) << a->text().toStdString();
        }
    settle();
    EXPECT_FALSE(list->horizontalScrollBar()->isVisible());
    keys->resize(360, 400);
    settle();
    EXPECT_FALSE(list->horizontalScrollBar()->isVisible()) << "names end in dots where there is little room";
    keys->findChild<QLineEdit*>()->setText("branch");
    EXPECT_LT(rows().size(), all.size());
    EXPECT_GT(rows().size(), 0);
    QTest::keyClick(keys, Qt::Key_Escape);
    EXPECT_FALSE(keys->isVisible());
}

TEST_F(FrontDoor, F6GoesRoundTheWindow) {
    load();
    const auto region = [&]() -> QWidget* {
        const QWidget* focus = window->focusWidget();
        for (QWidget* w :
             std::initializer_list<QWidget*>{window->findChild<Conversations*>(), &window->chat_view(), window->panel("decay"),
                                             window->findChild<QDockWidget*>("dock-timeline"), window->findChild<QWidget*>("model-chip")->parentWidget()})
            if (w == focus || w->isAncestorOf(focus)) return w;
        return nullptr;
    };
    QSet<QWidget*> seen;
    QWidget* const start = region();
    ASSERT_NE(start, nullptr);
    for (int i = 0; i < 5; ++i) {
        seen.insert(region());
        window->action("region-next")->trigger();
    }
    EXPECT_EQ(seen.size(), 5);
    EXPECT_FALSE(seen.contains(nullptr));
    EXPECT_EQ(region(), start);
    window->action("region-next")->trigger();
    window->action("region-before")->trigger();
    EXPECT_EQ(region(), start);
}

TEST_F(FrontDoor, ConversationsByKeyboard) {
    load();
    type("Cats and dogs");
    say("meow");
    chats->regenerate(2);
    say("woof");
    const Chat* cats = &chats->chat();
    chats->new_chat();
    type("Stars");
    say("shine");
    auto* list = window->findChild<Conversations*>();
    auto* search = list->findChild<QLineEdit*>("search");
    auto* tree = list->findChild<QTreeView*>("conversations");
    list->focus_search();
    QTest::keyClick(search, Qt::Key_Down);
    EXPECT_EQ(window->focusWidget(), tree);
    list->focus_search();
    QTest::keyClicks(search, "meow");
    QTest::keyClick(search, Qt::Key_Return);
    EXPECT_EQ(&chats->chat(), cats);
    EXPECT_EQ(chats->chat().line(), (std::vector<int>{1, 2})) << "on the branch where it was said";
    const QModelIndex hit = tree->model()->index(0, 0, tree->model()->index(0, 0));
    EXPECT_EQ(hit.data().toString(), "branch 1: meow") << "and that is what the list says";
    QTest::keyClick(search, Qt::Key_Down);
    EXPECT_EQ(window->focusWidget(), tree);
    search->clear();
    QTest::qWait(250);
    const QModelIndex chat = tree->model()->index(1, 0);
    ASSERT_EQ(tree->model()->rowCount(chat), 2);
    tree->setCurrentIndex(tree->model()->index(1, 0, chat));
    QTest::keyClick(tree, Qt::Key_Delete);
    EXPECT_EQ(tree->model()->rowCount(tree->model()->index(1, 0)), 0) << "one branch is left";
    QTest::mouseClick(buttons().at(0), Qt::LeftButton);
    EXPECT_EQ(tree->model()->rowCount(tree->model()->index(1, 0)), 2);
    tree->setCurrentIndex(tree->model()->index(0, 0));
    QTest::keyClick(tree, Qt::Key_Delete);
    EXPECT_EQ(tree->model()->rowCount(), 1);
    QTest::mouseClick(buttons().at(0), Qt::LeftButton);
    EXPECT_EQ(tree->model()->rowCount(), 2);
    const int high = tree->visualRect(tree->model()->index(0, 0)).height();
    EXPECT_GT(high, tree->fontMetrics().height() + 4);
    tree->edit(tree->model()->index(0, 0));
    const auto* box = tree->viewport()->findChild<QLineEdit*>();
    ASSERT_NE(box, nullptr);
    EXPECT_GE(box->height(), box->sizeHint().height());
}

TEST_F(FrontDoor, BranchesAreGoneThroughThereAndBack) {
    load();
    type("one");
    say("a");
    type("two");
    say("b");
    chats->regenerate(4);
    say("c");
    chats->edit(1, "uno");
    say("d");
    chats->regenerate(7);
    say("e");
    QAction *before = window->action("branch-before"), *behind = window->action("branch-behind");
    std::vector<int> there;
    for (int i = 0; i < 4; ++i) there.push_back(chats->chat().tip()), before->trigger();
    EXPECT_EQ(QSet<int>(there.begin(), there.end()).size(), 4);
    for (int i = 3; i >= 0; --i) {
        behind->trigger();
        EXPECT_EQ(chats->chat().tip(), there[static_cast<size_t>(i)]);
    }
}

TEST_F(FrontDoor, StateAndCacheAreInSightWhereThereIsLittleRoom) {
    load();
    play(scripted_answer(*card, 99, 0, 20));
    window->resize(1024, 640);
    QTest::qWait(150);
    QStringList seen;
    for (QWidget* w : window->findChild<Vitals*>()->findChildren<QWidget*>())
        if (auto* figure = dynamic_cast<Figure*>(w); figure && figure->isVisible()) {
            seen << figure->accessibleName();
            EXPECT_LE(figure->mapTo(window.get(), QPoint()).x() + figure->width(), window->width());
        }
    EXPECT_TRUE(seen.contains("State") && seen.contains("Cache")) << seen.join(" ").toStdString();
}

TEST_F(FrontDoor, AWindowThatShrinksLeavesRoomForTheChat) {
    load();
    window->resize(1920, 1080);
    window->apply_layout("explore");
    settle();
    auto* list = window->findChild<QDockWidget*>("dock-conversations");
    EXPECT_TRUE(list->isVisible());
    window->resize(1440, 900);
    settle();
    EXPECT_GT(window->chat_view().width(), 400);
    window->resize(1024, 640);
    settle();
    EXPECT_FALSE(list->isVisible()) << "they would leave no room for the chat";
    EXPECT_GT(window->chat_view().width(), 400);
    window->action("dock-conversations")->trigger();
    EXPECT_TRUE(list->isVisible()) << "who wants them has them";
    window->action("dock-conversations")->trigger();
    window->resize(1440, 900);
    settle();
    EXPECT_TRUE(QTest::qWaitFor([&] { return list->isVisible(); }));
}

TEST_F(FrontDoor, AQuitWhileItAnswersKeepsTheFiguresTrue) {
    const QTemporaryDir home;
    {
        ScriptedSession s;
        Chats talk(*s.session, home.path());
        talk.send("Count");
        const auto* ask = std::get_if<MakeAnswer>(&s.script->commands.back());
        ASSERT_NE(ask, nullptr);
        for (int i = 0; i < 30; ++i) s.script->play({TokenMade{.answer = ask->answer, .position = i, .id = 300, .text = "one ", .nanoseconds = 1000}});
        s.session->tick();
    }
    ScriptedSession s;
    Chats talk(*s.session, home.path());
    ASSERT_EQ(talk.chat().count(), 2);
    EXPECT_TRUE(talk.chat().message(2).open);
    ASSERT_TRUE(talk.chat().message(2).stats);
    EXPECT_EQ(talk.chat().message(2).stats->tokens, 30);
    MessageCard shown(talk, 2, nullptr);
    EXPECT_EQ(shown.accessibleDescription().section(" · ", 0, 0), "30 tokens");
    EXPECT_TRUE(shown.accessibleDescription().endsWith("the window was closed"));
}

TEST_F(FrontDoor, ARecordingHasItsOwnNameAndAClickGoesThere) {
    const std::vector<RecordingInfo> all = list_recordings();
    ASSERT_FALSE(all.empty());
    window->open_recording(all[0].file);
    EXPECT_EQ(chats->chat().info().title, all[0].title.toStdString());
    auto* track = window->findChild<QWidget*>("replay-bar")->findChild<QSlider*>();
    ASSERT_TRUE(track->isVisible());
    auto* replay = dynamic_cast<ReplayRun*>(&session->run());
    ASSERT_NE(replay, nullptr);
    replay->pause();
    settle();
    const int wide = track->width();
    QTest::mouseClick(track, Qt::LeftButton, {}, QPoint(wide / 2, track->height() / 2));
    EXPECT_NEAR(track->value(), track->maximum() / 2, track->maximum() / wide + 1) << wide << " " << track->width();
    EXPECT_FALSE(chats->send("hello?"));
    ASSERT_EQ(buttons().size(), 1u);
    QTest::mouseClick(buttons()[0], Qt::LeftButton);
    EXPECT_FALSE(chats->recorded());
    EXPECT_EQ(window->banner().text(), "");
}

TEST_F(FrontDoor, TextHasTheSizeOneLikesAndPresentEnlargesAll) {
    std::vector<std::pair<QPointer<QWidget>, double>> usual;
    for (QWidget* w : window->findChildren<QWidget*>()) usual.emplace_back(w, w->font().pointSizeF());
    const auto all_are = [&](double times) {
        int wrong = 0, seen = 0;
        for (const auto& [w, points] : usual)
            if (w) ++seen, wrong += std::abs(w->font().pointSizeF() - times * points) > 0.05 * points;
        EXPECT_EQ(wrong, 0) << times;
        EXPECT_GT(seen, 500);
    };
    window->action("text-larger")->trigger();
    all_are(1.1);
    EXPECT_NEAR(QSettings().value("zoom").toDouble(), 1.1, 1e-9);
    window->action("text-usual")->trigger();
    all_are(1);
    window->action("layout-present")->trigger();
    all_are(1.5);
    window->action("layout-explore")->trigger();
    all_are(1);
    for (int i = 0; i < 20; ++i) window->action("text-larger")->trigger();
    all_are(2);
    window->action("text-usual")->trigger();
    all_are(1);
}

TEST_F(FrontDoor, AStarterOpensItsLensOnTheTokenItIsAbout) {
    load();
    window->resize(1440, 900);
    const auto begin = [&](const QString& title) {
        chats->new_chat();
        for (auto* b : window->findChildren<StarterButton*>())
            if (b->text() == title) return b->click();
        ADD_FAILURE() << title.toStdString();
    };
    session->selection().set_head(2, 3);
    begin("A color over distance");
    EXPECT_EQ(session->selection().layer(), 0);
    EXPECT_EQ(session->selection().head(), 0);
    EXPECT_TRUE(window->panel("decay")->in_sight());
    // A tokenizer that tells what was fed, a word a token.
    std::map<int32_t, Tokenizer::Piece> pieces;
    const char* const words[] = {"My", " favorite", " color", " is", " gr", "een", "."};
    for (int32_t i = 0; i < 7; ++i) pieces[i] = {words[i], false};
    auto talks = std::make_shared<RunCard>(*card);
    talks->tokenizer = std::make_shared<const Tokenizer>(Tokenizer::of_pieces(pieces));
    play({Loaded{talks}, PhaseChanged{Phase::ready}});
    begin("A color over distance");
    play({PromptFed{0, {0, 1, 2, 3, 4, 5, 6}}});
    say("green, I see");
    EXPECT_EQ(session->selection().token(), 5) << "the last piece of where it was told";
    EXPECT_TRUE(window->banner().text().startsWith("Watch: ")) << "for as long as this talk is shown";
    chats->stop();
    play({PhaseChanged{Phase::ready}});
    say("");
    chats->new_chat();
    EXPECT_EQ(window->banner().text(), "");
    // What the model says is looked at where it was chosen, and looked back from where it was looked for.
    for (const auto& [title, lens, behind] : {std::tuple("Not told", "logits", 0), {"Six pairs", "attention", -1}}) {
        begin(title);
        const int64_t at = session->trace().size();
        const std::string answer = title == std::string_view("Not told") ? "You have not told me." : "pen - wolf.";
        say(answer);
        EXPECT_TRUE(window->panel(lens)->in_sight()) << title;
        EXPECT_EQ(session->selection().token(), at + static_cast<int64_t>(answer.find(answer[0] == 'Y' ? "not told" : "wolf")) + behind) << title;
        chats->stop();
        play({PhaseChanged{Phase::ready}});
    }
}

TEST_F(FrontDoor, TheTourGoesOnWhenThePersonDoesTheThing) {
    Tour* tour = window->tour();
    EXPECT_EQ(tour->step(), -1);
    auto* take = window->findChild<QPushButton*>("take-tour");
    ASSERT_TRUE(take && take->isVisible());
    QTest::mouseClick(take, Qt::LeftButton);
    auto *callout = window->findChild<QWidget*>("tour"), *ring = window->findChild<QWidget*>("tour-ring");
    const auto beside = [&](QWidget* target) {  // the ring is around it, and the callout does not cover it
        tour->look();
        const QRect at(target->mapTo(window.get(), QPoint()), target->size());
        EXPECT_TRUE(callout->isVisible() && ring->isVisible()) << tour->step();
        EXPECT_TRUE(ring->geometry().contains(at.center())) << tour->step();
        EXPECT_FALSE(callout->geometry().intersects(at)) << tour->step();
        EXPECT_TRUE(window->rect().contains(callout->geometry())) << tour->step();
        for (const QLabel* l : callout->findChildren<QLabel*>()) EXPECT_GE(l->height(), l->heightForWidth(l->width())) << l->text().toStdString();
    };
    for (const QSize& size : kSizes) {
        window->resize(size);
        settle();
        beside(window->findChild<StartPage*>()->focusProxy());
    }
    window->resize(1440, 900);
    settle();
    QTest::mouseClick(qobject_cast<QPushButton*>(window->findChild<StartPage*>()->focusProxy()), Qt::LeftButton);
    tour->look();
    EXPECT_EQ(tour->step(), 1);
    settle();
    auto* replay = dynamic_cast<ReplayRun*>(&session->run());
    ASSERT_NE(replay, nullptr);
    replay->seek(60);
    session->tick();
    tour->look();
    EXPECT_EQ(tour->step(), 1) << "it waits for the person";
    window->action("replay-play")->trigger();
    tour->look();
    EXPECT_EQ(tour->step(), 2);
    session->selection().set_channel(1, 2, 3);
    tour->look();
    EXPECT_EQ(tour->step(), 3);
    beside(window->findChild<QDockWidget*>("dock-timeline")->widget());
    session->selection().set_token(5);
    tour->look();
    EXPECT_EQ(tour->step(), 4);
    window->action("show-state")->trigger();
    settle();
    tour->look();
    EXPECT_EQ(tour->step(), 5);
    QTest::mouseClick(window->findChild<QPushButton*>("tour-next"), Qt::LeftButton);
    EXPECT_EQ(tour->step(), 6) << "or is told to go on";
    window->action("replay-leave")->trigger();
    tour->look();
    EXPECT_EQ(tour->step(), 7);
    settle();
    beside(&window->chat_view().composer());
    EXPECT_EQ(window->focusWidget(), &window->chat_view().composer().text());
    QTest::mouseClick(window->findChild<QPushButton*>("tour-end"), Qt::LeftButton);
    EXPECT_EQ(tour->step(), -1);
    EXPECT_FALSE(callout->isVisible() || ring->isVisible());
    window->action("tour")->trigger();
    EXPECT_EQ(tour->step(), 0) << "again, whenever one likes";
    tour->stop();
}

TEST_F(FrontDoor, TheBadgeFollowsTheTheme) {
    load();
    const auto* badge = window->findChild<QLabel*>("badge");
    const QString dark = badge->styleSheet();
    apply_theme(*qApp, ThemeChoice::light);
    EXPECT_NE(badge->styleSheet(), dark);
    apply_theme(*qApp, ThemeChoice::dark);
    EXPECT_EQ(badge->styleSheet(), dark);
}

}  // namespace
}  // namespace klp::gui
