// Where the window's parts stand and how large they are.
#include "app/gui/frame/main_window.h"

#include <QDockWidget>
#include <QLayout>
#include <QScreen>
#include <QSettings>
#include <QTabBar>
#include <QTimer>
#include <algorithm>
#include <utility>

#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/conversations.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/pieces.h"
#include "app/gui/frame/run_bar.h"

namespace klp::gui {

namespace {
constexpr int kEmptyTimeline = 84;  // pixels
constexpr int kLayoutVersion = 3;   // of saved layouts: raised when docks come or go
constexpr int kTwoColumns = 1200;   // pixels of width from which on two lenses stand beside each other, and not one above the other
}  // namespace

void MainWindow::apply_layout(const QString& name) {
    const bool two = name == "two-lenses", lenses = name == "explore" || name == "present" || two, monitor = name == "monitor";
    const QSize was = size();
    QDockWidget* const beside = two ? docks_.at("state") : nullptr;  // a column, or where there is no room a row, of its own
    QDockWidget* before = nullptr;
    for (const PanelRow& row : panels()) {
        QDockWidget* dock = docks_.at(row.info.id);
        dock->setFloating(false);
        if (dock == beside) continue;
        addDockWidget(Qt::RightDockWidgetArea, dock);
        if (before)
            tabifyDockWidget(before, dock);
        else if (beside)  // while it is alone: what is beside tabs becomes one
            splitDockWidget(dock, beside, width() >= kTwoColumns ? Qt::Horizontal : Qt::Vertical);
        before = dock;
        dock->setVisible(lenses);
    }
    QDockWidget* page = docks_.at("monitor");
    page->setFloating(false);
    tabifyDockWidget(before, page);
    page->setVisible(monitor);
    if (beside) beside->show();
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
    place("timeline", Qt::BottomDockWidgetArea,
          name == "explore" || name == "monitor" || (two && width() >= kTwoColumns));  // one above the other they need its height
    const int wide = name == "monitor" ? width() * 2 / 3 : name == "present" ? width() / 2 : width() * (roomy ? 43 : 50) / 100;
    if (two && width() >= kTwoColumns)
        resizeDocks({docks_.at("decay"), beside}, {width() / 3, width() / 3}, Qt::Horizontal);
    else if (lenses || monitor)
        resizeDocks({monitor ? page : docks_.at("decay")}, {wide}, Qt::Horizontal);
    if (docks_.count("conversations")) resizeDocks({docks_.at("conversations")}, {210}, Qt::Horizontal);
    if (docks_.count("timeline")) resizeDocks({docks_.at("timeline")}, {height() > 800 ? 210 : 130}, Qt::Vertical);
    present_ = name == "present";
    set_text_size(zoom_);
    if (two && size() != was) {  // docks that stood one above the other for a moment have made it larger
        layout()->activate();
        resize(was);
    }
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

void MainWindow::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    if (shown_) return;
    known_width_ = width();
    make_room(1920);  // as if it had come from a larger screen
    size_timeline();
    shown_ = true;
    chat_view_->focus_first();
    fit_screen_soon(*this);
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

}  // namespace klp::gui
