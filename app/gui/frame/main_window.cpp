#include "app/gui/frame/main_window.h"

#include <QCloseEvent>
#include <QCoreApplication>
#include <QDockWidget>
#include <QFileInfo>
#include <QKeyEvent>
#include <QMimeData>
#include <QScreen>
#include <QSettings>
#include <QStatusBar>
#include <QTabBar>
#include <QToolBar>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "app/gui/chat/again.h"
#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/starters.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/pieces.h"
#include "app/gui/frame/banner.h"
#include "app/gui/frame/lab_window.h"
#include "app/gui/frame/monitor.h"
#include "app/gui/frame/recorder.h"
#include "app/gui/frame/replay_bar.h"
#include "app/gui/frame/run_bar.h"
#include "app/gui/frame/start_page.h"
#include "app/gui/frame/timeline.h"
#include "app/gui/frame/tour.h"
#include "app/gui/frame/vitals.h"
#include "app/opener.h"
#include "core/files/resources.h"
#include "core/runs/remote_run.h"
#include "core/runs/served_run.h"

namespace klp::gui {

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
    if (auto starters = installed_prompts()) {
        auto* page = new Starters(chats, std::move(*starters), chat_view_);
        connect(page, &Starters::lens_asked, this, [this](const QString& id) {
            show_panel(id);
            chat_view_->focus_composer();
        });
        chat_view_->set_starters(page);
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
    make_side_menu();
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
    fit_screen(*this);
    replay_bar_->parentWidget()->hide();
    refresh_actions();
}

MainWindow::~MainWindow() {  // its widgets go after its maps, and some say something as they go
    close_beside();
    delete lab_.data();
    chats_.disconnect(this);
    session_.disconnect(this);
    session_.selection().disconnect(this);
    banner_->disconnect(this);
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

void MainWindow::load_model(const QString& model) {
    if (refuse(model)) return;
    close_beside();
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

// What is typed where nothing takes it is a message.
void MainWindow::keyPressEvent(QKeyEvent* event) {
    const bool types = !event->text().isEmpty() && event->text()[0].isPrint() && !(event->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier));
    if (!types || !chat_view_->composer().text().isVisible()) return QMainWindow::keyPressEvent(event);
    chat_view_->focus_composer();
    QCoreApplication::sendEvent(&chat_view_->composer().text(), event);
}

void MainWindow::closeEvent(QCloseEvent* event) {
    session_.cancel();
    session_.tick();  // what was made and not shown belongs to the chat
    recorder_->stop();
    close_beside();
    if (lab_) lab_->close();
    save_layout();
    QMainWindow::closeEvent(event);
}

}  // namespace klp::gui
