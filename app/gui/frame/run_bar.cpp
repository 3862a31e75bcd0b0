#include "app/gui/frame/run_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QProgressBar>
#include <QToolButton>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"
#include "app/gui/frame/pace_box.h"
#include "app/gui/session/badge.h"
#include "core/runs/remote_run.h"
#include "core/runs/served_run.h"

namespace klp::gui {

namespace {

QString text(const std::string& s) { return QString::fromStdString(s); }

}  // namespace

RunBar::RunBar(Session& session, QWidget* parent) : QWidget(parent), session_(session) {
    setAccessibleName(tr("Run bar"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 4, 8, 4);
    row->setSpacing(8);

    model_ = new QToolButton(this);
    model_->setObjectName("model-chip");
    model_->setPopupMode(QToolButton::InstantPopup);
    model_->setToolButtonStyle(Qt::ToolButtonTextOnly);
    auto* menu = new QMenu(model_);
    menu->addAction(tr("Embedded demo model"), this, &RunBar::embedded_asked);
    menu->addAction(tr("Open a model folder…"), this, &RunBar::open_asked);
    menu->addAction(tr("Open a GGUF file…"), this, &RunBar::open_gguf_asked);
    menu->addSeparator();
    menu->addAction(tr("Unload"), this, [this] { session_.post(UnloadModel{}); });
    model_->setMenu(menu);
    device_ = new Figure(this, false);  // gives way where there is little room
    device_->setObjectName("device");
    row->addWidget(model_);
    row->addWidget(device_, 100);

    progress_ = new QProgressBar(this);
    progress_->setAccessibleName(tr("Progress"));
    progress_->setFixedWidth(140);
    progress_->setTextVisible(true);
    row->addWidget(progress_);
    phase_ = new QLabel(this);
    phase_->setObjectName("phase");
    phase_->setForegroundRole(QPalette::PlaceholderText);
    row->addWidget(phase_);
    stop_ = new QToolButton(this);
    stop_->setText(tr("Stop"));
    stop_->setAccessibleName(tr("Stop what is running"));
    stop_->setToolTip(tr("Stop what is running (Esc)"));
    connect(stop_, &QToolButton::clicked, &session_, &Session::stop);
    row->addWidget(stop_);
    pace_ = new PaceBox(session_, this);
    row->addWidget(pace_);
    row->addStretch(1);

    extras_ = new QHBoxLayout;
    extras_->setSpacing(6);
    row->addLayout(extras_);
    freeze_ = new QToolButton(this);
    freeze_->setText(tr("Freeze views"));
    freeze_->setAccessibleName(tr("Freeze views"));
    freeze_->setCheckable(true);
    freeze_->setToolTip(tr("All lenses stand still while the model goes on (Ctrl+Space)"));
    connect(freeze_, &QToolButton::toggled, &session_, &Session::set_frozen);
    connect(&session_, &Session::frozen_changed, freeze_, &QToolButton::setChecked);
    row->addWidget(freeze_);
    badge_ = new QLabel(this);
    badge_->setObjectName("badge");
    badge_->setAlignment(Qt::AlignCenter);
    row->addWidget(badge_);

    connect(&session_, &Session::card_changed, this, &RunBar::refresh);
    connect(&session_, &Session::phase_changed, this, &RunBar::refresh);
    connect(&session_, &Session::loading_changed, this, &RunBar::refresh);
    connect(&session_, &Session::drained, this, &RunBar::say_phase);
    connect(&session_, &Session::frozen_changed, this, &RunBar::refresh);
    connect(&session_, &Session::elsewhere_changed, this, &RunBar::refresh);
    connect(&session_, &Session::server_changed, this, &RunBar::refresh);
    refresh();
}

void RunBar::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && badge_) refresh();
}

void RunBar::refresh() {
    const RunCard* card = session_.card();
    const PhaseChanged phase = session_.phase();
    model_->setText(card ? QString::fromStdString(card->name + "  ·  " + card->weights) : tr("No model"));
    model_->setAccessibleName(tr("Model: %1").arg(model_->text()));
    if (card) {
        const std::string detail = card->device.detail + (card->device.why.empty() ? "" : "\n" + card->device.why);
        const QString why = QString::fromStdString(card->device.why);
        const ServedCard* served = served_card(card);
        const std::string at = remote_at(*card);
        device_->setText(QString::fromStdString(served ? served->url : card->device.name + (at.empty() ? "" : "  ·  " + at)) +
                         (why.isEmpty() ? QString() : "  ·  " + why));
        device_->setToolTip(QString::fromStdString(card->device.hardware + "\n" + detail) +
                            (card->memory_plan.empty() ? QString() : "\n" + tr("Planned: %1").arg(QString::fromStdString(card->memory_plan))));
        model_->setToolTip(QString::fromStdString(card->folder) + "\n" +
                           tr("%1 parameters, %2 of weights, loaded in %3")
                               .arg(local(count_text(count_parameters(card->config).total)), local(bytes_text(card->weight_bytes)),
                                    local(duration_text(double(card->load_ns)))));
        if (served) {
            device_->setToolTip(tr("The model runs in another program: %1").arg(QString::fromStdString(served->url)));
            model_->setToolTip(served->shape_known ? tr("%1 parameters, as its shape says").arg(local(count_text(count_parameters(card->config).total)))
                                                   : tr("Nobody knows the shape of what is served"));
        }
    } else {
        device_->setText({});
        model_->setToolTip(tr("Choose a model"));
    }
    device_->setMaximumWidth(fontMetrics().horizontalAdvance(device_->text()) + 2);
    const bool loading = phase.phase == Phase::loading, prefill = phase.phase == Phase::prefill && phase.total > kPrefillChunk;
    progress_->setVisible(loading || prefill);
    if (loading) progress_->setRange(0, 100), progress_->setValue(static_cast<int>(100 * session_.loading().fraction));
    if (prefill) progress_->setRange(0, static_cast<int>(phase.total)), progress_->setValue(static_cast<int>(phase.done));
    stop_->setVisible(session_.busy());
    say_phase();
    const Theme& t = theme_of(QApplication::palette());
    const Badge badge = badge_of(session_);
    badge_->setText(badge.text);
    badge_->setToolTip(badge.about);
    const QString look = QString("QLabel { background: %1; color: %2; border-radius: 4px; padding: 3px 10px; font-weight: 600; }")
                             .arg((badge.kind == Badge::none   ? t.raised
                                   : badge.kind == Badge::live ? t.hybrid
                                                               : t.warn)
                                      .name(),
                                  (!card    ? t.muted
                                   : t.dark ? QColor("#0d1117")
                                            : QColor("#ffffff"))
                                      .name());
    if (badge_->styleSheet() != look) badge_->setStyleSheet(look);
}

// What goes on; of an answer that is shown more slowly than it is made, how far ahead the model is.
void RunBar::say_phase() {
    const PhaseChanged phase = session_.phase();
    const bool replay = session_.card() && !session_.live();
    QString said;
    switch (phase.phase) {
        case Phase::loading:
            said = tr("loading");
            break;
        case Phase::ready:
            said = replay ? tr("paused") : session_.server_answers() ? tr("ready") : QString();
            break;
        case Phase::prefill:
            said = replay                        ? tr("going there")
                   : phase.total > kPrefillChunk ? tr("reading %1 of %2").arg(local(grouped(phase.done)), tokens_text(phase.total))
                                                 : tr("reading the prompt");
            break;
        case Phase::decoding:
            said = replay ? tr("playing") : tr("answering");
            break;
        case Phase::racing:
            said = tr("racing");
            break;
        case Phase::probing:
            said = tr("looking back");
            break;
        case Phase::empty:
            break;
    }
    if (session_.held_back() > 0) said = tr("%1 to come").arg(tokens_text(session_.held_back()));
    if (phase_->text() != said) phase_->setText(said);
}

}  // namespace klp::gui
