// Two sides in the window, and back to one.
#include <QDockWidget>
#include <QMenu>
#include <QVBoxLayout>

#include "app/gui/chat/chat_view.h"
#include "app/gui/draw/language.h"
#include "app/gui/frame/main_window.h"
#include "app/gui/frame/side_by_side.h"
#include "core/runs/live_run.h"

namespace klp::gui {

namespace {

constexpr int kMostOthers = 12;  // branches or chats in a menu

QString begins(const std::string& said) {
    QString line = QString::fromStdString(said).simplified();
    if (line.size() > 48) line = line.left(46).trimmed() + "…";
    return line.replace('&', "&&");
}

}  // namespace

void MainWindow::make_side_menu() {
    auto* sides = new QMenu(tr("Side by side"), menu("View"));
    sides->setObjectName("sides");
    for (QAction* a : menu("View")->actions())
        if (a->menu()) {  // behind the first of its menus, the layouts
            menu("View")->insertMenu(menu("View")->actions().value(menu("View")->actions().indexOf(a) + 1), sides);
            break;
        }
    const auto fixed = [&](const char* id, const QString& text, const char* key, std::function<void()> what) {
        QAction* a = add_action("View", id, text, QKeySequence(key), std::move(what));
        menu("View")->removeAction(a);
        sides->addAction(a);
    };
    using Kind = SideBySide::What::Kind;
    fixed("side-plain", tr("The same without hands"), "Ctrl+Shift+S", [this] { show_beside({.kind = Kind::plain}); });
    fixed("side-twin", tr("The full-attention twin"), "Ctrl+Shift+B", [this] { show_beside({.kind = Kind::twin}); });
    QMenu* branches = sides->addMenu(tr("Another branch"));
    QMenu* others = sides->addMenu(tr("Another chat"));
    sides->addSeparator();
    fixed("side-close", tr("Back to one"), "Ctrl+Shift+W", [this] { close_beside(); });
    connect(sides, &QMenu::aboutToShow, this, [this, branches, others] {
        branches->clear(), others->clear();
        const Chat& chat = chats_.chat();
        for (const int tip : chat.ends())
            if (tip != chat.tip() && branches->actions().size() < kMostOthers)
                branches->addAction(begins(chat.message(tip).text), this, [this, tip] { show_beside({.kind = Kind::branch, .tip = tip}); });
        for (const auto& other : chats_.all())
            if (other.get() != &chat && other->count() > 0 && others->actions().size() < kMostOthers)
                others->addAction(begins(other->info().title), this, [this, at = other.get()] { show_beside({.kind = Kind::chat, .chat = at}); });
        branches->setEnabled(!branches->isEmpty()), others->setEnabled(!others->isEmpty());
    });
}

void MainWindow::show_beside(const SideBySide::What& what) {
    auto* run = dynamic_cast<LiveRun*>(&session_.run());
    if (!run || !session_.live() || chats_.recorded() || chats_.loading())
        return session_.say(tr("Two sides need a model that is loaded here."), tr("Load one, or leave the replay."), false);
    if (session_.busy()) return session_.say(tr("An answer is being made."), tr("Ask again when it is there."), false);
    close_beside();
    before_side_ = saveState();
    for (const auto& [_, dock] : docks_) dock->hide();
    auto* column = static_cast<QVBoxLayout*>(centralWidget()->layout());
    column->removeWidget(chat_view_);
    side_ = new SideBySide(session_, chats_, *chat_view_, *run, what, centralWidget());
    column->addWidget(side_, 1);
    side_->show();
    connect(side_, &SideBySide::over, this, &MainWindow::close_beside, Qt::QueuedConnection);
    const QString lens = height() < 700 ? QString() : what.kind == SideBySide::What::Kind::twin ? "memory" : "decay";
    side_->left().choose_lens(lens), side_->right().choose_lens(lens);
    chat_view_->focus_composer();
    refresh_actions();
}

void MainWindow::close_beside() {
    if (!side_) return;
    SideBySide* side = std::exchange(side_, nullptr);
    auto* column = static_cast<QVBoxLayout*>(centralWidget()->layout());
    side->give_back(*column);
    column->removeWidget(side);
    delete side;
    restoreState(before_side_);
    chat_view_->focus_composer();
    refresh_actions();
}

}  // namespace klp::gui
