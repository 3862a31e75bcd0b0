// The window's actions: menus, keys, and when each is grey.
#include "app/gui/frame/main_window.h"

#include <QActionGroup>
#include <QApplication>
#include <QDockWidget>
#include <QFileDialog>
#include <QMenuBar>
#include <QSettings>
#include <QToolBar>
#include <QToolButton>
#include <algorithm>
#include <tuple>
#include <utility>

#include "app/format.h"
#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/conversations.h"
#include "app/gui/draw/language.h"
#include "app/gui/frame/banner.h"
#include "app/gui/frame/keys.h"
#include "app/gui/frame/lab_window.h"
#include "app/gui/frame/pace_box.h"
#include "app/gui/frame/pull_dialog.h"
#include "app/gui/frame/recorder.h"
#include "app/gui/frame/replay_bar.h"
#include "app/gui/frame/run_bar.h"
#include "app/gui/frame/served_dialog.h"
#include "app/gui/frame/start_page.h"
#include "core/runs/served_run.h"

namespace klp::gui {

QMenu* MainWindow::menu(const QString& name) {
    for (QAction* a : menuBar()->actions())
        if (a->menu()->objectName() == name) return a->menu();
    return nullptr;
}

QAction* MainWindow::add_action(const QString& where, const QString& id, const QString& text, const QKeySequence& key, std::function<void()> what) {
    auto* action = new QAction(text, this);
    action->setObjectName(id);
    action->setShortcut(key);
    connect(action, &QAction::triggered, this, [what] { what(); });
    menu(where)->addAction(action);
    actions_[id] = action;
    return action;
}

QAction* MainWindow::action(const QString& id) const {
    const auto it = actions_.find(id);
    return it == actions_.end() ? nullptr : it->second;
}

void MainWindow::open_elsewhere(const QString& at, const QString& ssh) {
    auto* dialog = new ServedDialog(this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->on_open = [this](std::unique_ptr<Run> run) {
        replay_bar_->leave(/*load_again=*/false);
        session_.set_run(std::move(run));
        session_.tick();
    };
    dialog->open();
    if (!at.isEmpty()) dialog->ask(at, ssh);
}

LabWindow* MainWindow::open_lab() {
    if (!lab_) {
        lab_ = new LabWindow;  // no child: either may lie above the other
        lab_->setAttribute(Qt::WA_DeleteOnClose);
        connect(lab_, &LabWindow::open_asked, this, [this](const QString& folder, const QString& question) {
            chats_.new_chat();
            load_model(folder);
            chat_view_->composer().set_text(question);
            raise();
            activateWindow();
        });
    }
    lab_->show();
    lab_->raise();
    lab_->activateWindow();
    return lab_;
}

void MainWindow::make_menus() {
    for (const auto& [id, name] : {std::pair("File", tr("&File")),
                                   {"Chat", tr("&Chat")},
                                   {"View", tr("&View")},
                                   {"Capture", tr("Ca&pture")},
                                   {"Run", tr("&Run")},
                                   {"Help", tr("&Help")}})
        menuBar()->addMenu(name)->setObjectName(id);
    add_action("File", "embedded", tr("Load the embedded demo model"), QKeySequence("Ctrl+D"), [this] { load_model(""); });
    add_action("File", "open", tr("Open a model folder…"), QKeySequence("Ctrl+O"), [this] {
        const QString folder = QFileDialog::getExistingDirectory(this, tr("A folder with config.json and safetensors"));
        if (!folder.isEmpty()) load_model(folder);
    });
    add_action("File", "open-gguf", tr("Open a GGUF file…"), QKeySequence("Ctrl+G"), [this] {
        const QString file = QFileDialog::getOpenFileName(this, tr("A model in one file, or the first of its parts"), QString(), tr("GGUF models (*.gguf)"));
        if (!file.isEmpty()) load_model(file);
    });
    add_action("File", "pull", tr("Pull a model…"), QKeySequence("Ctrl+Shift+L"), [this] {
        auto* dialog = new PullDialog(this);
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        connect(dialog, &PullDialog::pulled, this, [this, dialog](const QString& path) {
            emit models_changed();
            dialog->close();
            load_model(path);
        });
        dialog->open();
    });
    QAction* served = add_action("File", "served", tr("Engine elsewhere…"), QKeySequence("Ctrl+Shift+J"), [this] { open_elsewhere({}, {}); });
    if (QMenu* models = run_bar_->findChild<QToolButton*>("model-chip")->menu()) models->insertAction(models->actions().at(3), served);  // below the files
    add_action("File", "unload", tr("Unload the model"), QKeySequence("Ctrl+Shift+U"), [this] { session_.post(UnloadModel{}); });
    menu("File")->addSeparator();
    add_action("File", "quit", tr("Quit"), QKeySequence("Ctrl+Q"), [this] { close(); });

    Selection& sel = session_.selection();
    int key = 1;
    for (const PanelRow& row : panels()) {
        const QString id = row.info.id;
        add_action("View", "show-" + id, Panel::tr(row.info.title), QKeySequence(key < 10 ? QString("Ctrl+%1").arg(key) : QString("Ctrl+Alt+0")),
                   [this, id] { show_panel(id); });
        ++key;
    }
    menu("View")->addSeparator();
    QMenu* layouts = menu("View")->addMenu(tr("Layouts"));
    key = 1;
    for (const auto& [id, text] : {std::pair("explore", tr("Explore (default)")),
                                   {"chat", tr("Chat only")},
                                   {"monitor", tr("Monitor")},
                                   {"present", tr("Present")},
                                   {"two-lenses", tr("Two lenses, State beside the others")}}) {
        QAction* a =
            add_action("View", QString("layout-") + id, text, QKeySequence(QString("Ctrl+Alt+%1").arg(key++)), [this, id = QString(id)] { apply_layout(id); });
        menu("View")->removeAction(a);
        layouts->addAction(a);
    }
    QMenu* sizes = menu("View")->addMenu(tr("Text size"));
    const auto size = [&](const char* id, const QString& text, const QList<QKeySequence>& keys, double times) {
        QAction* a = add_action("View", id, text, keys.first(), [this, times] { set_text_size(times == 0 ? 1 : zoom_ * times); });
        a->setShortcuts(keys);
        menu("View")->removeAction(a);
        sizes->addAction(a);
    };
    size("text-larger", tr("Larger"), {QKeySequence("Ctrl++"), QKeySequence("Ctrl+=")}, 1.1);
    size("text-smaller", tr("Smaller"), {QKeySequence("Ctrl+-")}, 1 / 1.1);
    size("text-usual", tr("As usual"), {QKeySequence("Ctrl+0")}, 0);
    QMenu* themes = menu("View")->addMenu(tr("Theme"));
    auto* group = new QActionGroup(this);
    int choice = 0;
    for (const QString& name : {tr("System", "theme"), tr("Light"), tr("Dark")}) {
        QAction* a = themes->addAction(name);
        a->setCheckable(true);
        a->setShortcut(QKeySequence(QString("Ctrl+Alt+%1").arg(QString("SLD")[choice])));
        a->setChecked(QSettings().value("theme", 0).toInt() == choice);
        group->addAction(a);
        connect(a, &QAction::triggered, this, [choice] {
            QSettings().setValue("theme", choice);
            apply_theme(*qApp, static_cast<ThemeChoice>(choice));
        });
        ++choice;
    }
    QMenu* speeches = menu("View")->addMenu(tr("Language"));
    auto* one = new QActionGroup(this);
    std::vector<Language> offered{{"", tr("System", "language")}};
    offered.insert(offered.end(), languages().begin(), languages().end());
    for (const Language& each : offered) {
        QAction* a = speeches->addAction(each.name);
        a->setCheckable(true);
        a->setChecked(QSettings().value("language").toString() == each.code);
        one->addAction(a);
        connect(a, &QAction::triggered, this, [this, code = each.code] {
            QSettings().setValue("language", code);
            session_.say(tr("The window speaks this language from its next start on."), {}, false);
        });
    }
    QAction* freeze = add_action("View", "freeze", tr("Freeze views"), QKeySequence("Ctrl+Space"), [this] { session_.set_frozen(!session_.frozen()); });
    freeze->setCheckable(true);
    connect(&session_, &Session::frozen_changed, freeze, &QAction::setChecked);
    menu("View")->addSeparator();
    add_action("View", "token-before", tr("Previous token"), QKeySequence("Alt+Left"),
               [this, &sel] { sel.set_token(std::max<int64_t>(0, session_.current_token() - 1)); });
    add_action("View", "token-behind", tr("Next token"), QKeySequence("Alt+Right"), [this, &sel] {
        const int64_t next = session_.current_token() + 1;
        sel.set_token(next >= session_.trace().size() ? Selection::kNewest : next);
    });
    add_action("View", "follow", tr("Follow the newest token"), QKeySequence("Alt+End"), [&sel] { sel.set_token(Selection::kNewest); });
    const auto step = [this, &sel](int layers, int heads) {
        const RunCard* card = session_.card();
        if (!card) return;
        const int L = card->config.num_hidden_layers, layer = (sel.layer() + layers + L) % L;
        if (layers != 0) return sel.set_layer(layer);
        const int H = std::max(1, sel.heads(layer));
        sel.set_head(layer, (sel.head() + heads + H) % H);
    };
    add_action("View", "head-before", tr("Previous head"), QKeySequence("Alt+["), [step] { step(0, -1); });
    add_action("View", "head-behind", tr("Next head"), QKeySequence("Alt+]"), [step] { step(0, 1); });
    add_action("View", "layer-before", tr("Previous layer"), QKeySequence("Alt+Up"), [step] { step(-1, 0); });
    add_action("View", "layer-behind", tr("Next layer"), QKeySequence("Alt+Down"), [step] { step(1, 0); });

    add_action("View", "region-next", tr("Next part of the window"), QKeySequence("F6"), [this] { next_region(1); });
    add_action("View", "region-before", tr("Previous part of the window"), QKeySequence("Shift+F6"), [this] { next_region(-1); });
    add_action("Chat", "stop", tr("Stop"), QKeySequence("Esc"), [this] { escape(); });
    add_action("Run", "race", tr("Race against the full-attention twin"), QKeySequence("Ctrl+Shift+R"), [this] {
        show_panel("race");
        if (!session_.baseline().twin) session_.set_baseline({});
        session_.post(StartRace{});
    });
    add_action("Run", "lab", tr("Lab: rules of memory that learn…"), QKeySequence("Ctrl+Shift+A"), [this] { open_lab(); });
    add_action("Help", "keys", tr("Keys"), QKeySequence("F1"), [this] {
        if (!keys_) keys_ = new Keys(*menuBar(), this);
        keys_->show();
        keys_->raise();
        keys_->activateWindow();
    });
    add_action("Help", "about", tr("About"), {}, [this] {
        session_.say(tr("Kimi Linear Playground %1: a Kimi Linear model and its memory at work.").arg(KLP_VERSION),
                     tr("Our code is MIT; this program links Qt Charts and is therefore distributed under GPL-3.0-or-later."), false);
    });
}

// What lenses, timeline and vitals compare the model with, at the run bar and in the View menu.
void MainWindow::make_baseline_menu() {
    auto* button = new QToolButton(run_bar_);
    button->setObjectName("baseline");
    button->setPopupMode(QToolButton::InstantPopup);
    auto* choices = new QMenu(tr("Compare with"), button);
    choices->setToolTipsVisible(true);
    auto* group = new QActionGroup(this);
    struct Choice {
        const char *id, *button, *key, *tip;
        Baseline baseline;
    };
    static const Choice kChoices[] = {
        {"both", QT_TR_NOOP("Compare: both"), "Ctrl+Alt+B", QT_TR_NOOP("Memory against both, speed against the twin"), {true, true}},
        {"twin", QT_TR_NOOP("Compare: twin"), "Ctrl+Alt+T", QT_TR_NOOP("The same model with attention in every layer"), {true, false}},
        {"multi-head",
         QT_TR_NOOP("Compare: multi-head"),
         "Ctrl+Alt+M",
         QT_TR_NOOP("Keys and values of every head and layer are kept; its memory is computed, no engine here runs it"),
         {false, true}},
        {"none", QT_TR_NOOP("Compare: nothing"), "Ctrl+Alt+N", QT_TR_NOOP("This model alone"), {false, false}}};
    for (const Choice& c : kChoices) {
        QAction* a = add_action("View", QString("baseline-") + c.id, "", QKeySequence(c.key), [this, c] {
            session_.set_baseline(c.baseline);
            QSettings().setValue("baseline", c.id);
        });
        menu("View")->removeAction(a);
        choices->addAction(a);
        a->setToolTip(tr(c.tip));
        a->setCheckable(true);
        group->addAction(a);
        if (QSettings().value("baseline", "both") == c.id) session_.set_baseline(c.baseline);
    }
    const auto update = [this, button] {
        const RunCard* card = session_.card();
        // A race runs against the twin that there is; memory is always compared with the one of the same shapes.
        const bool other = card && card->twin == TwinKind::trained;
        actions_.at("baseline-both")
            ->setText(other ? tr("Multi-head attention and the same-shapes twin; races: the trained twin")
                            : tr("Multi-head attention and the same-shapes twin"));
        actions_.at("baseline-twin")->setText(other ? tr("The same-shapes twin; races: the trained twin") : tr("The same-shapes twin"));
        actions_.at("baseline-multi-head")->setText(tr("Plain multi-head attention (computed)"));
        actions_.at("baseline-none")->setText(tr("Nothing"));
        for (const Choice& c : kChoices) {
            if (c.baseline != session_.baseline()) continue;
            QAction* chosen = actions_.at(QString("baseline-") + c.id);
            chosen->setChecked(true);
            button->setText(tr(c.button));
            button->setToolTip(tr("What lenses, timeline and vitals compare the model with: %1").arg(chosen->text()));
        }
        button->setAccessibleName(button->text());
    };
    connect(&session_, &Session::baseline_changed, this, update);
    connect(&session_, &Session::card_changed, this, update);
    update();
    button->setMenu(choices);
    menu("View")->addMenu(choices);
    run_bar_->extras()->addWidget(button);
}

void MainWindow::make_chat_menu() {
    conversations_ = new Conversations(session_, chats_, this);
    QDockWidget* dock = add_dock("conversations", tr("Conversations"), conversations_, Qt::LeftDockWidgetArea, QKeySequence("Ctrl+B"));
    ChatView* view = chat_view_;
    connect(conversations_, &Conversations::message_asked, this, [view](int id) { view->messages().scroll_to(id); });
    add_action("Chat", "new-chat", tr("New chat"), QKeySequence("Ctrl+N"), [this, view] {
        chats_.new_chat();
        view->focus_composer();
    });
    add_action("Chat", "search", tr("Search the conversations"), QKeySequence("Ctrl+K"), [this, dock] {
        dock->show();
        conversations_->focus_search();
    });
    add_action("Chat", "find", tr("Find in this chat"), QKeySequence("Ctrl+F"), [view] { view->show_find(); });
    add_action("Chat", "rename", tr("Rename the chat"), QKeySequence("Ctrl+F2"), [this, dock] {
        dock->show();
        conversations_->rename_current();
    });
    menu("Chat")->addSeparator();
    add_action("Chat", "composer", tr("Write a message"), QKeySequence("Ctrl+L"), [view] { view->focus_composer(); });
    add_action("Chat", "send", tr("Send"), QKeySequence("Ctrl+Return"), [view] { view->composer().send(); });
    add_action("Chat", "regenerate", tr("Regenerate the last answer"), QKeySequence("Ctrl+R"), [view] { view->regenerate_last(); });
    add_action("Chat", "continue", tr("Continue the last answer"), QKeySequence("Ctrl+Shift+Return"), [view] { view->go_on_last(); });
    add_action("Chat", "edit-last", tr("Edit the last message"), QKeySequence("Ctrl+E"), [view] { view->edit_last(); });
    add_action("Chat", "fork", tr("Fork into a new chat"), QKeySequence("Ctrl+Shift+F"), [view] { view->fork_last(); });
    menu("Chat")->addSeparator();
    add_action("Chat", "undo-turn", tr("Undo the last turn"), QKeySequence("Ctrl+Z"), [this] { chats_.undo_turn(); });
    add_action("Chat", "go-ahead", tr("Go ahead on this branch"), QKeySequence("Ctrl+Shift+Z"), [this] { chats_.go_ahead(); });
    add_action("Chat", "branch-before", tr("Previous branch"), QKeySequence("Alt+PgUp"), [view] { view->step_branch(-1); });
    add_action("Chat", "branch-behind", tr("Next branch"), QKeySequence("Alt+PgDown"), [view] { view->step_branch(1); });
    menu("Chat")->addSeparator();
    add_action("Chat", "system-prompt", tr("System prompt"), QKeySequence("Ctrl+Shift+Y"), [view] { view->show_system(); });
    add_action("Chat", "sampling", tr("Sampling…"), QKeySequence("Ctrl+Shift+M"), [view] { view->show_sampling(); });
    QMenu* ways = menu("Chat")->addMenu(tr("When the context is full"));
    auto* group = new QActionGroup(this);
    std::vector<QAction*> all;
    for (const auto& [way, name, key] : {std::tuple(OnFull::stop, tr("Stop and ask"), "Ctrl+Alt+7"),
                                         {OnFull::roll, tr("Roll on: the oldest tokens leave the cache"), "Ctrl+Alt+8"},
                                         {OnFull::summarise, tr("Sum the talk up and go on"), "Ctrl+Alt+9"}}) {
        QAction* a =
            add_action("Chat", "full-" + QString::fromUtf8(klp::name(way).data()), name, QKeySequence(key), [this, way = way] { chats_.set_on_full(way); });
        menu("Chat")->removeAction(a);
        ways->addAction(a);
        a->setCheckable(true);
        group->addAction(a);
        all.push_back(a);
    }
    const auto tick = [this, all] { all[static_cast<size_t>(chats_.on_full())]->setChecked(true); };
    connect(&chats_, &Chats::info_changed, this, tick);
    tick();
    add_action("Chat", "remove-chat", tr("Remove the chat (its file stays)"), QKeySequence("Ctrl+Shift+Backspace"),
               [this] { chats_.remove_chat(&chats_.chat()); });
    add_action("Chat", "restore", tr("Bring back what was removed last"), QKeySequence("Ctrl+Shift+T"), [this] { chats_.restore_chat(); });
    add_action("Chat", "newest", tr("Go to the newest message"), QKeySequence("Ctrl+End"), [view] { view->messages().go_to_newest(); });
    QAction* quit = actions_.at("quit");
    const auto in_file = [&](const char* id, const QString& name, const char* key, std::function<void()> what) {
        QAction* a = add_action("File", id, name, QKeySequence(key), std::move(what));
        menu("File")->removeAction(a);
        menu("File")->insertAction(quit, a);
    };
    in_file("export-chat", tr("Export the chat…"), "Ctrl+Shift+E", [view] { view->ask_export(); });
    in_file("import-chat", tr("Import a chat…"), "Ctrl+Shift+I", [view] { view->ask_import(); });
    menu("File")->insertSeparator(quit);
}

void MainWindow::make_capture() {
    recorder_ = new Recorder(session_, this);
    replay_bar_ = new ReplayBar(session_, this);
    addToolBarBreak();
    auto* row = addToolBar(tr("Replay"));
    row->setObjectName("replay-row");
    row->setMovable(false);
    row->toggleViewAction()->setVisible(false);
    row->addWidget(replay_bar_);
    connect(replay_bar_, &ReplayBar::replaying_changed, row, &QWidget::setVisible);

    const auto choose = [this] {
        const QString file = QFileDialog::getOpenFileName(this, tr("A recorded run"), Recorder::folder(), tr("Recorded runs (*.klprun)"));
        if (!file.isEmpty()) open_recording(file);
    };
    QAction* record = add_action("Capture", "record", tr("Record"), QKeySequence("Ctrl+Shift+K"),
                                 [this] { recorder_->recording() ? recorder_->stop() : recorder_->start(); });
    record->setToolTip(tr("Keeps everything the lenses show in a file, from now on (Ctrl+Shift+K)"));
    add_action("Capture", "open-recording", tr("Replay a recording…"), QKeySequence("Ctrl+Shift+O"), choose);
    menu("Capture")->addSeparator();
    // The same keys for a recording, for an answer that is made, and for the last one that was.
    PaceBox* pace = &run_bar_->pace();
    add_action("Capture", "replay-play", tr("Play or pause"), QKeySequence("F8"), [this, pace] {
        if (replay_bar_->replaying()) return replay_bar_->play_or_pause();
        pace->useful() ? pace->pause_or_go() : chat_view_->play_last();
    });
    add_action("Capture", "replay-forward", tr("Token forward"), QKeySequence("F9"),
               [this, pace] { replay_bar_->replaying() ? replay_bar_->step(1) : pace->step(); });
    add_action("Capture", "replay-back", tr("Token back"), QKeySequence("Shift+F9"), [this] { replay_bar_->step(-1); });
    add_action("Capture", "replay-faster", tr("Faster"), QKeySequence("Ctrl+F9"),
               [this, pace] { replay_bar_->replaying() ? replay_bar_->change_speed(1) : pace->change(1); });
    add_action("Capture", "replay-slower", tr("Slower"), QKeySequence("Ctrl+Shift+F9"),
               [this, pace] { replay_bar_->replaying() ? replay_bar_->change_speed(-1) : pace->change(-1); });
    add_action("Capture", "replay-leave", tr("Leave the replay"), QKeySequence("Ctrl+Shift+X"), [this] { replay_bar_->leave(true); });
    connect(&chats_, &Chats::play_asked, this, &MainWindow::play_again);

    auto* button = new QToolButton(run_bar_);
    button->setObjectName("record");
    button->setDefaultAction(record);
    button->setAccessibleName(tr("Record"));
    run_bar_->extras()->addWidget(button);
    auto* replay = new QToolButton(run_bar_);
    replay->setObjectName("replay");
    replay->setText(tr("Replay"));
    replay->setAccessibleName(tr("Replay a recording"));
    replay->setToolTip(tr("Watch a recorded run in the same lenses"));
    replay->setPopupMode(QToolButton::InstantPopup);
    auto* list = new QMenu(replay);
    connect(list, &QMenu::aboutToShow, this, [this, list, choose] {
        list->clear();
        for (const RecordingInfo& r : list_recordings()) list->addAction(r.title, this, [this, file = r.file] { open_recording(file); })->setToolTip(r.about);
        list->addSeparator();
        list->addAction(tr("Another file…"), this, choose);
    });
    replay->setMenu(list);
    run_bar_->extras()->addWidget(replay);

    const auto update = [this, record, pace] {
        const bool on = recorder_->recording();
        record->setEnabled(on || session_.live());
        record->setText(on ? tr("■ Stop recording, %1").arg(local(bytes_text(recorder_->bytes()))) : tr("● Record"));
        const bool replaying = replay_bar_->replaying();
        for (const char* id : {"replay-back", "replay-leave"}) actions_.at(id)->setEnabled(replaying);
        for (const char* id : {"replay-play", "replay-faster", "replay-slower"}) actions_.at(id)->setEnabled(replaying || session_.live());
        actions_.at("replay-forward")->setEnabled(replaying || pace->useful());
    };
    connect(recorder_, &Recorder::changed, this, [this, update, was = false]() mutable {
        update();
        if (std::exchange(was, recorder_->recording()) && !was) start_->set_recordings(list_recordings());
    });
    connect(recorder_, &Recorder::watch_asked, this, &MainWindow::open_recording);
    connect(replay_bar_, &ReplayBar::another_asked, this, choose);
    connect(&chats_, &Chats::replay_left, this, [this] { replay_bar_->leave(true); });
    connect(&session_, &Session::card_changed, this, update);
    connect(&session_, &Session::phase_changed, this, update);
    connect(replay_bar_, &ReplayBar::replaying_changed, this, update);
    update();
}

// Grey is what would do nothing.
void MainWindow::refresh_actions() {
    const Chat& chat = chats_.chat();
    const bool said = chat.tip() > 0, idle = chats_.answered_message() == 0 && !chats_.recorded(), busy = session_.busy();
    const auto enable = [this](const char* id, bool on) { actions_.at(id)->setEnabled(on); };
    enable("unload", session_.live());
    enable("export-chat", said);
    enable("regenerate", said && idle);
    enable("continue", idle && chat_view_->can_go_on());
    enable("edit-last", said && idle);
    enable("fork", said && !chats_.recorded());
    enable("undo-turn", chats_.can_undo());
    enable("go-ahead", idle && chat.newest_below(chat.tip()) != chat.tip());
    for (const char* id : {"branch-before", "branch-behind"}) enable(id, idle && chat.ends().size() > 1);
    for (const char* id : {"rename", "remove-chat"}) enable(id, !chats_.recorded() && chat.count() > 0);
    enable("restore", chats_.can_restore());
    enable("newest", said);
    enable("find", said);
    enable("race", session_.live() && !served_card(session_.card()));
    for (const char* id : {"token-before", "token-behind", "follow"}) enable(id, session_.trace().size() > 0);
    for (const char* id : {"head-before", "head-behind", "layer-before", "layer-behind"}) enable(id, session_.card() != nullptr);
    const bool message = !banner_->text().isEmpty(), chosen = session_.selection().token() != Selection::kNewest;
    const bool explains = std::any_of(panels_.begin(), panels_.end(), [](const auto& p) { return p.second->explains(); });
    enable("stop", busy || explains || message || chosen);
    actions_.at("stop")->setText(busy || !(explains || message || chosen) ? tr("Stop")
                                 : explains                               ? tr("Close the explanation")
                                 : message                                ? tr("Dismiss the message")
                                                                          : tr("Let go of the chosen token"));
}

}  // namespace klp::gui
