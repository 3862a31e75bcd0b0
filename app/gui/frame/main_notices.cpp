// What the window says above the chat, and what Esc does to it.
#include "app/gui/frame/main_window.h"

#include <QDir>
#include <QFileInfo>
#include <algorithm>
#include <mutex>

#include "app/gui/frame/banner.h"
#include "app/opener.h"
#include "core/files/foreign.h"
#include "core/files/resources.h"
#include "core/runs/served_run.h"

namespace klp::gui {

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

void MainWindow::escape() {
    const auto explained = std::find_if(panels_.begin(), panels_.end(), [](const auto& p) { return p.second->explains(); });
    if (session_.busy() || !chats_.both_rest())
        chats_.stop();
    else if (explained != panels_.end())
        explained->second->show_help(false);
    else if (!banner_->text().isEmpty())
        banner_->dismiss();
    else
        session_.selection().set_token(Selection::kNewest);
}

}  // namespace klp::gui
