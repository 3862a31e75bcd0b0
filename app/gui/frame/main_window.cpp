#include "app/gui/frame/main_window.h"

#include <tuple>

#include <QActionGroup>
#include <QApplication>
#include <QCloseEvent>
#include <QCoreApplication>
#include <QDockWidget>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMenuBar>
#include <QScreen>
#include <QSettings>
#include <QStackedWidget>
#include <QStatusBar>
#include <QToolBar>
#include <QToolButton>
#include <QVBoxLayout>

#include "app/format.h"
#include "app/gui/chat/again.h"
#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/conversations.h"
#include "app/gui/chat/starters.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/frame/banner.h"
#include "app/gui/frame/keys.h"
#include "app/gui/frame/monitor.h"
#include "app/gui/frame/pace_box.h"
#include "app/gui/frame/pull_dialog.h"
#include "app/gui/frame/recorder.h"
#include "app/gui/frame/replay_bar.h"
#include "app/gui/frame/run_bar.h"
#include "app/gui/frame/served_dialog.h"
#include "app/gui/frame/start_page.h"
#include "app/gui/frame/timeline.h"
#include "app/gui/frame/tour.h"
#include "app/gui/frame/vitals.h"
#include "app/gui/panels/words.h"
#include "app/opener.h"
#include "core/files/foreign.h"
#include "core/files/resources.h"
#include "core/runs/remote_run.h"
#include "core/runs/served_run.h"

namespace klp::gui {

namespace {
constexpr int kEmptyTimeline = 84;  // pixels
constexpr int kLayoutVersion = 2;   // of saved layouts: raised when docks come or go
}  // namespace

MainWindow::MainWindow(Session& session, Chats& chats, QWidget* parent) : QMainWindow(parent), session_(session), chats_(chats) {
    setWindowTitle(tr("Kimi Linear Playground"));
    setAcceptDrops(true);
    setDockNestingEnabled(true);
    setDockOptions(AnimatedDocks | AllowNestedDocks | AllowTabbedDocks);
    setTabPosition(Qt::RightDockWidgetArea, QTabWidget::North);
    setCorner(Qt::BottomRightCorner, Qt::BottomDockWidgetArea);  // the timeline has the whole width
    setCorner(Qt::BottomLeftCorner, Qt::BottomDockWidgetArea);

    auto* centre = new QWidget(this);
    auto* column = new QVBoxLayout(centre);
    column->setContentsMargins(8, 8, 8, 8);
    banner_ = new Banner(centre);
    column->addWidget(banner_);
    chat_view_ = new ChatView(session, chats, centre);
    column->addWidget(chat_view_, 1);
    connect(chat_view_, &ChatView::open_asked, this, [this] { actions_.at("open")->trigger(); });
    connect(chat_view_, &ChatView::embedded_asked, this, [this] { load_model(""); });
    auto* start = start_ = new StartPage(this_machine(), list_recordings(), chat_view_);
    connect(start, &StartPage::recording_asked, this, &MainWindow::open_recording);
    connect(start, &StartPage::embedded_asked, this, [this] { load_model(""); });
    connect(start, &StartPage::folder_asked, this, [this] { actions_.at("open")->trigger(); });
    connect(start, &StartPage::model_asked, this, &MainWindow::load_model);
    connect(start, &StartPage::pull_asked, this, [this] { actions_.at("pull")->trigger(); });
    connect(this, &MainWindow::models_changed, &start->shelf(), &Shelf::look);
    connect(start, &StartPage::gguf_asked, this, [this] { actions_.at("open-gguf")->trigger(); });
    chat_view_->set_start_page(start);
    if (auto file = find_prompts()) {
        if (auto starters = read_prompts(*file)) {
            auto* page = new Starters(chats, std::move(*starters), chat_view_);
            connect(page, &Starters::lens_asked, this, [this](const QString& id) {
                show_panel(id);
                chat_view_->focus_composer();
            });
            chat_view_->set_starters(page);
        }
    }
    setCentralWidget(centre);

    run_bar_ = new RunBar(session, this);
    auto* bar = new QToolBar(tr("Run bar"), this);
    bar->setObjectName("run-bar");
    bar->setMovable(false);
    bar->toggleViewAction()->setEnabled(false);
    bar->addWidget(run_bar_);
    addToolBar(bar);
    connect(run_bar_, &RunBar::open_asked, this, [this] { actions_.at("open")->trigger(); });
    connect(run_bar_, &RunBar::open_gguf_asked, this, [this] { actions_.at("open-gguf")->trigger(); });
    connect(run_bar_, &RunBar::embedded_asked, this, [this] { load_model(""); });

    vitals_ = new Vitals(session, this);
    statusBar()->addPermanentWidget(vitals_, 1);
    statusBar()->setSizeGripEnabled(false);

    watch_notices();
    make_panels();
    make_menus();
    make_baseline_menu();
    make_chat_menu();
    make_capture();
    make_tour();
    for (const auto& changed : {&Chats::list_changed, &Chats::state_changed, &Chats::info_changed, &Chats::line_changed})
        connect(&chats_, changed, this, &MainWindow::refresh_actions);
    connect(&session_, &Session::card_changed, this, &MainWindow::refresh_actions);
    connect(&session_, &Session::drained, this, &MainWindow::size_timeline);
    connect(&session_.selection(), &Selection::changed, this, &MainWindow::refresh_actions);
    connect(banner_, &Banner::changed, this, &MainWindow::refresh_actions);
    connect(&chats_, &Chats::model_asked, this, [this] {
        const QString last = chats_.last_model().value_or(QString());
        load_model(last.isEmpty() || !QFileInfo::exists(last) ? QString() : last);
    });
    add_dock("timeline", tr("Timeline"), new Timeline(session, this, &chats), Qt::BottomDockWidgetArea, QKeySequence("Ctrl+T"));
    docks_.at("timeline")->setTitleBarWidget(new QWidget(docks_.at("timeline")));  // its names stand beside its tracks
    add_dock("monitor", tr("Monitor"), new Monitor(session, vitals_->load(), this), Qt::RightDockWidgetArea, QKeySequence("Ctrl+M"));
    docks_.at("monitor")->setTitleBarWidget(new QWidget(docks_.at("monitor")));  // its tab is its title
    resize(QSize(1440, 900).boundedTo(screen()->availableSize() - QSize(0, style()->pixelMetric(QStyle::PM_TitleBarHeight))));
    zoom_ = QSettings().value("zoom", 1.0).toDouble();
    if (!restore_layout()) apply_layout("explore");
    set_text_size(zoom_);
    fit_screen();
    replay_bar_->parentWidget()->hide();
    refresh_actions();
}

MainWindow::~MainWindow() {  // its widgets go after its maps, and some say something as they go
    chats_.disconnect(this);
    session_.disconnect(this);
    session_.selection().disconnect(this);
    banner_->disconnect(this);
}

QMenu* MainWindow::menu(const QString& name) {
    for (QAction* a : menuBar()->actions())
        if (a->menu()->objectName() == name) return a->menu();
    return nullptr;
}

// What is said above the chat, and when it stops being true.
void MainWindow::watch_notices() {
    connect(&session_, &Session::noticed, banner_, [this](const QString&, const QString&, bool, const Notice& notice) { banner_->say(notice); });
    connect(&session_, &Session::troubled, this, [this](const Trouble& t) {
        if (t.error.kind == Error::interrupted) return;
        const QString what = QString::fromStdString(t.error.message), advice = QString::fromStdString(t.advice);
        session_.say(chats_.loading() && t.error.kind == Error::model ? about_models(what) : Notice{what, advice});
    });
    connect(&session_, &Session::server_changed, banner_, [this] {
        banner_->look_again();
        const ServedCard* served = served_card(session_.card());
        if (session_.server_answers() || !served) return;
        const std::lock_guard lock(served->status->mutex);
        session_.say({tr("The server does not answer any more: %1.").arg(QString::fromStdString(served->status->trouble)),
                      tr("What was said is kept, and the talk goes on when it answers again."),
                      true,
                      [this] { return !session_.server_answers(); },
                      {{tr("Another server…"), [this] { actions_.at("served")->trigger(); }}}});
    });
    connect(&chats_, &Chats::line_changed, banner_, &Banner::messages_changed);
    for (const auto& changed : {&Chats::list_changed, &Chats::state_changed, &Chats::info_changed}) connect(&chats_, changed, banner_, &Banner::look_again);
    connect(&session_, &Session::card_changed, banner_, [this] { session_.card() ? banner_->went_right() : banner_->look_again(); });
    connect(&session_, &Session::answer_done, banner_, &Banner::went_right);
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
    QAction* served = add_action("File", "served", tr("Engine elsewhere…"), QKeySequence("Ctrl+Shift+J"), [this] {
        auto* dialog = new ServedDialog(this);
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        dialog->on_open = [this](std::unique_ptr<Run> run) {
            replay_bar_->leave(/*load_again=*/false);
            session_.set_run(std::move(run));
            session_.tick();
        };
        dialog->open();
    });
    if (QMenu* models = run_bar_->findChild<QToolButton*>("model-chip")->menu()) models->insertAction(models->actions().at(3), served);  // below the files
    add_action("File", "unload", tr("Unload the model"), QKeySequence("Ctrl+Shift+U"), [this] { session_.post(UnloadModel{}); });
    menu("File")->addSeparator();
    add_action("File", "quit", tr("Quit"), QKeySequence("Ctrl+Q"), [this] { close(); });

    Selection& sel = session_.selection();
    int key = 1;
    for (const PanelRow& row : panels()) {
        const QString id = row.info.id;
        add_action("View", "show-" + id, Panel::tr(row.info.title), QKeySequence(QString("Ctrl+%1").arg(key++)), [this, id] { show_panel(id); });
    }
    menu("View")->addSeparator();
    QMenu* layouts = menu("View")->addMenu(tr("Layouts"));
    key = 1;
    for (const auto& [id, text] :
         {std::pair("explore", tr("Explore (default)")), {"chat", tr("Chat only")}, {"monitor", tr("Monitor")}, {"present", tr("Present")}}) {
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
        {"twin",
         QT_TR_NOOP("Compare: twin"),
         "Ctrl+Alt+T",
         QT_TR_NOOP("The same model with every mixer MLA, full attention over a small latent cache"),
         {true, false}},
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

QDockWidget* MainWindow::add_dock(const QString& id, const QString& title, QWidget* content, Qt::DockWidgetArea area, const QKeySequence& key) {
    auto* dock = new QDockWidget(title, this);
    dock->setObjectName("dock-" + id);
    dock->setWidget(content);
    addDockWidget(area, dock);
    docks_[id] = dock;
    QAction* toggle = dock->toggleViewAction();
    toggle->setShortcut(key);
    menu("View")->addAction(toggle);
    actions_["dock-" + id] = toggle;
    connect(toggle, &QAction::triggered, dock, [dock](bool on) {
        if (on) dock->raise();  // it may be a tab behind others
    });
    return dock;
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

// Over the first recorded run, and at its end a talk with the model itself.
void MainWindow::make_tour() {
    using Place = TourStep::Place;
    const auto tab = [this](const QString& title) {
        for (auto* bar : findChildren<QTabBar*>())
            for (int i = 0; i < bar->count(); ++i)
                if (bar->isVisible() && bar->tabText(i).remove('&') == title) return Place{bar, bar->tabRect(i)};
        return Place{};
    };
    const auto seen = [this](const char* id) { return !panel(id)->visibleRegion().isEmpty(); };
    const auto title = [this](const char* id) { return docks_.at(id)->windowTitle(); };
    struct Chosen {
        int64_t token = 0;
        int layer = 0, head = 0, channel = 0;
        bool operator==(const Chosen&) const = default;
    };
    const auto now = [this] {
        const Selection& at = session_.selection();
        return Chosen{at.token(), at.layer(), at.head(), at.channel()};
    };
    const auto before = std::make_shared<Chosen>();
    const auto remember = [before, now] { *before = now(); };
    tour_ = new Tour(
        this, {
                  {tr("Watch a run"),
                   tr("A model was recorded while it was told three facts and then asked for them. Press Watch."),
                   [this] { return chat_view_->at_start() ? Place{start_->first()} : Place{run_bar_->findChild<QWidget*>("replay")}; },
                   {},
                   [this] { return replay_bar_->replaying(); }},
                  {tr("Stop and look"),
                   tr("Every word that is read or said changes the memory at the right. Press Pause whenever you want to look closer (F8)."),
                   [this] { return Place{replay_bar_->play_button()}; },
                   {},
                   [this] { return replay_bar_->replaying() && !replay_bar_->replay()->playing(); }},
                  {tr("How fast it forgets"),
                   tr("Each cell is one channel of the memory. A bright one keeps what it holds for pages, a dark one for a syllable. Click on a bright cell."),
                   [this] { return Place{panel("decay")->findChild<HeatMap*>()}; }, [this, remember] { show_panel("decay"), remember(); },
                   [before, now] { return Chosen(*before) != now(); }},
                  {tr("Every token in a line"), tr("The timeline has all tokens from left to right. Click on one: every lens goes to that moment."),
                   [this] { return Place{docks_.at("timeline")->isVisible() ? docks_.at("timeline")->widget() : nullptr}; }, remember,
                   [before, now] { return before->token != now().token; }},
                  {tr("What one head holds"),
                   tr("A state is a matrix of constant size. Open State to see the one of this head at that moment."),
                   [tab, title] { return tab(title("state")); },
                   {},
                   [seen] { return seen("state"); }},
                  {tr("What it costs"),
                   tr("The states stay as large as they are; only the small cache of every fourth layer grows. Open Memory to see both."),
                   [tab, title] { return tab(title("memory")); },
                   {},
                   [seen] { return seen("memory"); }},
                  {tr("Now live"),
                   tr("That was a recording. Leave it, and the model itself is at hand."),
                   [this] { return Place{replay_bar_->leave_button()}; },
                   {},
                   [this] { return !replay_bar_->replaying(); }},
                  {tr("Tell it your name"), tr("Write “My name is …” and press Enter; then ask it what your name is. The model runs here, on this machine."),
                   [this] { return Place{&chat_view_->composer()}; },
                   [this] {
                       if (!session_.live()) chats_.new_chat();
                       chat_view_->focus_composer();
                   },
                   [this] { return session_.live() && chats_.answered_message() > 0; }},
              });
    connect(tour_, &Tour::ended, this, [this](bool whole) {
        if (whole) session_.say({tr("That was the tour. Every lens has a ? that says what it shows; the tour is in the Help menu."), {}, false});
    });
    add_action("Help", "tour", tr("Take the tour"), QKeySequence("Ctrl+F1"), [this] { tour_->start(); });
    connect(start_, &StartPage::tour_asked, tour_, &Tour::start);
}

void MainWindow::open_recording(const QString& file) {
    recorder_->stop();
    if (const auto header = Recording::peek(file.toStdString())) chats_.name_recording(QString::fromStdString(header->title));
    replay_bar_->open(file);
}

void MainWindow::play_again(int id) {
    recorder_->stop();
    const auto recording = answer_again(chats_, id);
    if (!recording)
        return session_.say(
            {tr("The model does not stand at this answer now, so it cannot be played."), tr("Choose its branch, or wait until the model rests."), false});
    chats_.name_recording(QString::fromStdString(recording->header().title));
    replay_bar_->play_again(recording, session_.pace());
}

// The first recording that holds a race.
void MainWindow::open_recorded_race() {
    for (const RecordingInfo& r : list_recordings()) {
        const auto recording = Recording::open(r.file.toStdString());
        if (!recording) continue;
        for (size_t i = 0; i < (*recording)->size(); ++i)
            if ((*recording)->is<RacePoint>(i)) return open_recording(r.file);
    }
    session_.say(tr("No recording of a race was found."), tr("Load a model and press Start in the lens Race."), false);
}

void MainWindow::make_panels() {
    QDockWidget* before = nullptr;
    for (const PanelRow& row : panels()) {
        Panel* panel = row.make(session_, row.info);
        auto* dock = new QDockWidget(Panel::tr(row.info.title), this);
        dock->setObjectName(QString("dock-") + row.info.id);
        dock->setWidget(panel);
        // Docked, the tab is the title; floating, the window's frame is.
        dock->setTitleBarWidget(new QWidget(dock));
        connect(dock, &QDockWidget::topLevelChanged, dock, [dock](bool floating) {
            QWidget* old = dock->titleBarWidget();
            dock->setTitleBarWidget(floating ? nullptr : new QWidget(dock));
            delete old;
        });
        connect(dock, &QDockWidget::visibilityChanged, panel, [panel](bool seen) { panel->set_behind(!seen); });
        connect(dock, &QDockWidget::topLevelChanged, panel, &Panel::set_detached);
        connect(panel, &Panel::detach_asked, dock, [this, dock, panel] {
            const bool out = !dock->isFloating();
            const QRect before(panel->mapToGlobal(QPoint()), panel->size());
            if (out) {  // a frame of its own, which it gets only where no title bar stands in for one; and beside where it was, so that one sees it
                QWidget* old = dock->titleBarWidget();
                dock->setTitleBarWidget(nullptr);
                delete old;
            }
            dock->setFloating(out);
            dock->show();
            if (!out) return dock->raise();
            const QRect room = screen()->availableGeometry();
            dock->resize(before.size().boundedTo(room.size() * 0.9));
            const QPoint at = before.topLeft() - QPoint(48, -48);
            dock->move(std::clamp(at.x(), room.left(), std::max(room.left(), room.right() - dock->width())),
                       std::clamp(at.y(), room.top(), std::max(room.top(), room.bottom() - dock->height())));
        });
        connect(panel, &Panel::recorded_race_asked, this, &MainWindow::open_recorded_race);
        connect(panel, &Panel::explained, this, &MainWindow::refresh_actions);
        addDockWidget(Qt::RightDockWidgetArea, dock);
        if (before) tabifyDockWidget(before, dock);
        before = dock;
        docks_[row.info.id] = dock;
        panels_[row.info.id] = panel;
    }
}

void MainWindow::show_panel(const QString& id) {
    QDockWidget* dock = docks_.at(id);
    dock->show();
    dock->raise();
}

Panel* MainWindow::panel(const QString& id) const { return panels_.at(id); }

void MainWindow::apply_layout(const QString& name) {
    const bool lenses = name == "explore" || name == "present", monitor = name == "monitor";
    QDockWidget* before = nullptr;
    for (const PanelRow& row : panels()) {
        QDockWidget* dock = docks_.at(row.info.id);
        dock->setFloating(false);
        addDockWidget(Qt::RightDockWidgetArea, dock);
        if (before) tabifyDockWidget(before, dock);
        before = dock;
        dock->setVisible(lenses);
    }
    QDockWidget* page = docks_.at("monitor");
    page->setFloating(false);
    tabifyDockWidget(before, page);
    page->setVisible(monitor);
    if (lenses) docks_.at("decay")->raise();
    const bool roomy = width() >= 1360;
    const auto place = [&](const char* id, Qt::DockWidgetArea area, bool on) {
        if (const auto it = docks_.find(id); it != docks_.end()) {
            it->second->setFloating(false);
            addDockWidget(area, it->second);
            it->second->setVisible(on);
        }
    };
    place("conversations", Qt::LeftDockWidgetArea, name == "chat" || (name == "explore" && roomy));
    place("timeline", Qt::BottomDockWidgetArea, name == "explore" || name == "monitor");
    const int wide = name == "monitor" ? width() * 2 / 3 : name == "present" ? width() / 2 : width() * (roomy ? 43 : 50) / 100;
    if (lenses || monitor) resizeDocks({monitor ? page : docks_.at("decay")}, {wide}, Qt::Horizontal);
    if (docks_.count("conversations")) resizeDocks({docks_.at("conversations")}, {210}, Qt::Horizontal);
    if (docks_.count("timeline")) resizeDocks({docks_.at("timeline")}, {height() > 800 ? 210 : 130}, Qt::Vertical);
    present_ = name == "present";
    set_text_size(zoom_);
}

void MainWindow::set_text_size(double factor) {
    constexpr double kLeast = 0.8, kMost = 2, kPresent = 1.5;
    zoom_ = std::clamp(factor, kLeast, kMost);
    QSettings().setValue("zoom", zoom_);
    set_zoom(std::min(kMost, zoom_ * (present_ ? kPresent : 1)));
}

void MainWindow::save_layout() const {
    QSettings settings;
    settings.setValue("window/geometry", saveGeometry());
    settings.setValue("window/docks", saveState(kLayoutVersion));
}

bool MainWindow::restore_layout() {
    const QSettings settings;
    if (!settings.contains("window/docks")) return false;
    restoreGeometry(settings.value("window/geometry").toByteArray());
    return restoreState(settings.value("window/docks").toByteArray(), kLayoutVersion);
}

// What a model is, said to somebody who chose something else.
Notice MainWindow::about_models(const QString& what) {
    Notice notice{what, tr("A model is a folder with config.json, *.safetensors and tiktoken.model or tokenizer.json, or one GGUF file.")};
    notice.actions.push_back({tr("Choose another folder…"), [this] { actions_.at("open")->trigger(); }});
    if (!session_.card()) notice.actions.push_back({tr("Talk to the embedded model"), [this] { load_model(""); }});
    return notice;
}

// A folder that is plainly no model is said so before anything that runs is touched.
bool MainWindow::refuse(const QString& path) {
    if (!QFileInfo(path).isDir()) return false;
    const auto at = find_model(path.toStdString());
    if (at && !std::filesystem::is_directory(*at)) return false;
    const QString folder = QString::fromStdString(at ? at->string() : path.toStdString());
    QString what;
    if (!at)
        what = QString::fromStdString(at.error().message);
    else if (const auto checked = check_folder(*at); !checked)
        what = QString::fromStdString(checked.error().message);
    else if (!QFileInfo::exists(folder + "/config.json"))
        what = tr("%1 is no model: it has no config.json.").arg(folder);
    else if (const auto config = read_config(*at / "config.json"); !config)
        what = QString::fromStdString(config.error().message);
    else if (QDir(folder).entryList({"*.safetensors"}, QDir::Files).isEmpty())
        what = tr("%1 is no model: it has no safetensors.").arg(folder);
    if (!what.isEmpty()) session_.say(about_models(what));
    return !what.isEmpty();
}

void MainWindow::load_model(const QString& model) {
    if (refuse(model)) return;
    LoadModel load;
    load.model = model.toStdString();
    load.device = device_.toStdString();
    replay_bar_->leave(/*load_again=*/false);
    if (const Run* run = &session_.run(); dynamic_cast<const ServedRun*>(run) || dynamic_cast<const RemoteRun*>(run))
        session_.set_run(std::make_unique<LiveRun>(open_for_run));
    session_.cancel();
    session_.post(load);
}

void MainWindow::open(const QString& path) { path.endsWith(".klprun") ? open_recording(path) : load_model(path); }

// What can be dropped is what can be opened: a recording, a model's folder or file.
static QString dropped_path(const QMimeData* data) {
    const QString path = data->urls().size() == 1 ? data->urls().first().toLocalFile() : QString();
    return QFileInfo(path).isDir() || path.endsWith(".gguf") || path.endsWith(".klprun") ? path : QString();
}
void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (!dropped_path(event->mimeData()).isEmpty()) event->acceptProposedAction();
}
void MainWindow::dropEvent(QDropEvent* event) {
    if (const QString path = dropped_path(event->mimeData()); !path.isEmpty()) {
        event->acceptProposedAction();
        open(path);
    }
}

// A timeline of no tokens leaves its height to the first page.
void MainWindow::size_timeline() {
    QDockWidget* timeline = docks_.at("timeline");
    const bool empty = session_.trace().size() == 0;
    if (timeline->isFloating() || empty == timeline_empty_) return;
    if (timeline_empty_ = empty; empty && shown_) timeline_height_ = timeline->height();
    timeline->widget()->setMaximumHeight(empty ? kEmptyTimeline : QWIDGETSIZE_MAX);
    if (!empty)
        resizeDocks({timeline}, {timeline_height_ > kEmptyTimeline ? timeline_height_ : height() > 800 ? 210 : std::max(104, height() / 5)}, Qt::Vertical);
}

// A window that shrinks takes from the chat; it gives back what it needs to be read: the conversations go away, and the lens becomes narrower.
void MainWindow::make_room(int before) {
    // On a low screen the timeline, which has the whole width, leaves the height to chat and lens.
    QDockWidget* timeline = docks_.at("timeline");
    if (const int most = std::max(104, height() / 5); timeline->isVisibleTo(this) && !timeline->isFloating() && height() < 800 && timeline->height() > most)
        resizeDocks({timeline}, {most}, Qt::Vertical);
    constexpr int kTight = 1180, kChat = 420;
    QDockWidget* list = docks_.at("conversations");
    if (before >= kTight && width() < kTight && list->isVisibleTo(this)) {
        hid_conversations_ = true;
        list->hide();
    } else if (before < kTight && width() >= kTight && std::exchange(hid_conversations_, false)) {
        list->show();
    }
    if (width() < before && chat_view_->width() < kChat && docks_.at("decay")->isVisibleTo(this) && !docks_.at("decay")->isFloating())
        resizeDocks({docks_.at("decay")}, {width() * 43 / 100}, Qt::Horizontal);
}

void MainWindow::resizeEvent(QResizeEvent* event) {
    QMainWindow::resizeEvent(event);
    if (!shown_ || width() == known_width_ || std::exchange(resizing_, true)) return;
    QTimer::singleShot(0, this, [this] {  // when the docks have been laid out
        resizing_ = false;
        make_room(std::exchange(known_width_, width()));
    });
}

// Names of lenses are whole: where there is no room for all, arrows lead to the rest.
void MainWindow::childEvent(QChildEvent* event) {
    QMainWindow::childEvent(event);
    if (auto* tabs = event->type() == QEvent::ChildPolished ? qobject_cast<QTabBar*>(event->child()) : nullptr) {
        tabs->setElideMode(Qt::ElideNone);
        tabs->setUsesScrollButtons(true);
    }
}

// What is typed where nothing takes it is a message.
void MainWindow::keyPressEvent(QKeyEvent* event) {
    const bool types = !event->text().isEmpty() && event->text()[0].isPrint() && !(event->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier));
    if (!types || !chat_view_->composer().text().isVisible()) return QMainWindow::keyPressEvent(event);
    chat_view_->focus_composer();
    QCoreApplication::sendEvent(&chat_view_->composer().text(), event);
}

void MainWindow::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    if (shown_) return;
    known_width_ = width();
    make_room(1920);  // as if it had come from a larger screen
    size_timeline();
    shown_ = true;
    chat_view_->focus_first();
    QTimer::singleShot(250, this, &MainWindow::fit_screen);  // when the frame around it is known
}

// Never larger than the screen it is on, nor beside it.
void MainWindow::fit_screen() {
    if (isMaximized() || isFullScreen()) return;
    const QRect room = screen()->availableGeometry();
    const QSize frame = frameGeometry().size() - size();
    const QSize most = room.size() - frame;
    if (width() > most.width() || height() > most.height()) resize(size().boundedTo(most));
    const QRect now = frameGeometry();
    const QPoint at(std::clamp(now.x(), room.x(), std::max(room.x(), room.right() + 1 - now.width())),
                    std::clamp(now.y(), room.y(), std::max(room.y(), room.bottom() + 1 - now.height())));
    if (at != now.topLeft()) move(at);
}

void MainWindow::escape() {
    const auto explained = std::find_if(panels_.begin(), panels_.end(), [](const auto& p) { return p.second->explains(); });
    if (session_.busy())
        chats_.stop();
    else if (explained != panels_.end())
        explained->second->show_help(false);
    else if (!banner_->text().isEmpty())
        banner_->dismiss();
    else
        session_.selection().set_token(Selection::kNewest);
}

std::vector<QWidget*> MainWindow::regions() const {
    std::vector<QWidget*> all{conversations_, chat_view_};
    for (const auto& [_, panel] : panels_) all.push_back(panel);
    all.push_back(docks_.at("timeline")->widget());
    all.push_back(run_bar_);
    std::erase_if(all, [](const QWidget* w) { return !w->isVisible() || w->visibleRegion().isEmpty(); });
    return all;
}

void MainWindow::next_region(int by) {
    const std::vector<QWidget*> all = regions();
    const QWidget* focus = focusWidget();
    const auto n = static_cast<std::ptrdiff_t>(all.size());
    auto at = std::find_if(all.begin(), all.end(), [&](const QWidget* w) { return w == focus || w->isAncestorOf(focus); }) - all.begin();
    if (at == n) at = by > 0 ? -1 : 0;
    for (std::ptrdiff_t i = 1; i <= n; ++i) {
        QWidget* region = all[static_cast<size_t>(((at + by * i) % n + n) % n)];
        if (region == chat_view_) return chat_view_->focus_first();
        QWidget* target = nullptr;
        for (QWidget* w = region->nextInFocusChain(); w != region; w = w->nextInFocusChain()) {
            if (!region->isAncestorOf(w) || !w->isVisible() || !w->isEnabled() || !(w->focusPolicy() & Qt::TabFocus)) continue;
            if (!target || (qobject_cast<HeatMap*>(w) && !qobject_cast<HeatMap*>(target)))
                target = w;  // of a lens its picture, which the arrow keys go through
        }
        if (target) return target->setFocus(Qt::TabFocusReason);
    }
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

void MainWindow::closeEvent(QCloseEvent* event) {
    session_.cancel();
    session_.tick();  // what was made and not shown belongs to the chat
    recorder_->stop();
    save_layout();
    QMainWindow::closeEvent(event);
}

}  // namespace klp::gui
