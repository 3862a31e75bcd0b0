#include "app/gui/frame/pull_dialog.h"

#include <QDialogButtonBox>
#include <QLabel>
#include <QLineEdit>
#include <QPointer>
#include <QProgressBar>
#include <QPushButton>
#include <QThreadPool>
#include <QVBoxLayout>

#include <mutex>

#include "app/format.h"
#include "app/progress.h"
#include "core/files/hub.h"
#include "core/files/resources.h"
#include "core/system.h"

namespace klp::gui {

namespace {

constexpr int kSteps = 1000;  // of the bar

QString text(const std::string& s) { return QString::fromStdString(one_line(s)); }

}  // namespace

PullDialog::PullDialog(QWidget* parent) : QDialog(parent) {
    setObjectName("pull-dialog");
    setWindowTitle(tr("Pull a model"));
    setMinimumWidth(520);
    auto* column = new QVBoxLayout(this);
    auto* about = new QLabel(tr("From %1, into %2. A pull that is broken off goes on where it was.")
                                 .arg(text(hub_of_environment().endpoint), text((data_folder() / "models").string())),
                             this);
    about->setWordWrap(true);
    about->setForegroundRole(QPalette::PlaceholderText);
    column->addWidget(about);
    what_ = new QLineEdit(this);
    what_->setPlaceholderText(tr("ORGANISATION/NAME, or ORGANISATION/NAME:Q4_K_M"));
    what_->setAccessibleName(tr("Repository"));
    column->addWidget(what_);
    bar_ = new QProgressBar(this);
    bar_->setRange(0, kSteps);
    bar_->hide();
    column->addWidget(bar_);
    say_ = new QLabel(this);
    say_->setWordWrap(true);
    say_->setTextFormat(Qt::PlainText);
    say_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    column->addWidget(say_);
    column->addStretch(1);
    auto* buttons = new QDialogButtonBox(this);
    pull_ = buttons->addButton(tr("Pull"), QDialogButtonBox::AcceptRole);
    close_ = buttons->addButton(tr("Close"), QDialogButtonBox::RejectRole);
    pull_->setEnabled(false);
    column->addWidget(buttons);
    connect(what_, &QLineEdit::textChanged, this, [this](const QString& s) { pull_->setEnabled(!cancel_ && !s.trimmed().isEmpty()); });
    connect(buttons, &QDialogButtonBox::accepted, this, &PullDialog::go);
    connect(buttons, &QDialogButtonBox::rejected, this, [this] {
        if (cancel_)
            *cancel_ = true;
        else
            reject();
    });
}

PullDialog::~PullDialog() {
    if (cancel_) *cancel_ = true;
}

void PullDialog::go() {
    if (cancel_) return;
    cancel_ = std::make_shared<std::atomic<bool>>(false);
    const std::string said = what_->text().trimmed().toStdString();
    what_->setEnabled(false), pull_->setEnabled(false);
    close_->setText(tr("Stop"));
    bar_->setValue(0);
    bar_->show();
    say_->setText(tr("Asking what is there…"));
    QThreadPool::globalInstance()->start([self = QPointer<PullDialog>(this), cancel = cancel_, said] {
        const auto tell = [&](auto what) {
            QMetaObject::invokeMethod(qApp, [self, what] {
                if (self) what(*self);
            });
        };
        const Hub hub = hub_of_environment();
        const auto work = [&]() -> Result<std::filesystem::path> {
            const auto model = find_on_hub(hub, said, cancel.get());
            if (!model) return tl::unexpected(model.error());
            const std::filesystem::path folder = data_folder() / "models" / model->repository;
            int64_t begun = 0, told = 0;
            std::string phase;
            auto pulled =
                pull(hub, *model, folder, {.cancel = cancel.get(), .progress = [&](const std::string& now_phase, int64_t done, int64_t total) {
                                               const int64_t now = now_ns();
                                               if (now_phase != phase) phase = now_phase, begun = now, told = 0;
                                               if (now - told < 200'000'000) return;
                                               told = now;
                                               tell([line = text(progress_text(phase, "byte", done, total, now - begun)), done, total](PullDialog& d) {
                                                   d.bar_->setValue(total > 0 ? static_cast<int>(done * kSteps / total) : kSteps);
                                                   d.say_->setText(line);
                                               });
                                           }});
            if (!pulled) return tl::unexpected(pulled.error());
            return model->opens_in(folder);
        };
        const auto path = work();
        tell([path = path ? QString::fromStdString(path->string()) : QString(), error = path ? QString() : text(path.error().message)](PullDialog& d) {
            d.ended(path, error);
        });
    });
}

void PullDialog::ended(const QString& path, const QString& error) {
    cancel_.reset();
    what_->setEnabled(true), pull_->setEnabled(true);
    close_->setText(tr("Close"));
    bar_->setVisible(error.isEmpty());
    say_->setText(error.isEmpty() ? tr("It is there: %1").arg(path) : error);
    if (error.isEmpty()) emit pulled(path);
}

}  // namespace klp::gui
