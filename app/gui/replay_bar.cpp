#include "app/gui/replay_bar.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <QStyle>
#include <QToolButton>

#include "app/format.h"
#include "app/opener.h"

namespace klp::gui {

namespace {

constexpr double kSpeeds[] = {0.25, 0.5, 1, 2, 4, 8, 16};
constexpr int kOnce = 2;  // of these

QString where_text(int64_t token, int64_t tokens) { return QString::fromStdString(grouped(token) + " of " + plural(tokens, "token")); }

}  // namespace

ReplayBar::ReplayBar(Session& session, QWidget* parent) : QWidget(parent), session_(session) {
    setObjectName("replay-bar");
    setAccessibleName("Replay");
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 2, 8, 4);
    row->setSpacing(6);
    const auto button = [&](QStyle::StandardPixmap icon, const char* name, const char* tip, auto&& what) {
        auto* b = new QToolButton(this);
        b->setIcon(style()->standardIcon(icon));
        b->setAccessibleName(name);
        b->setToolTip(tip);
        connect(b, &QToolButton::clicked, this, what);
        row->addWidget(b);
        return b;
    };
    play_ = button(QStyle::SP_MediaPlay, "Play", "Play or pause (F8)", [this] { play_or_pause(); });
    back_ = button(QStyle::SP_MediaSeekBackward, "Token back", "One token back (Shift+F9)", [this] { step(-1); });
    forward_ = button(QStyle::SP_MediaSeekForward, "Token forward", "One token forward (F9)", [this] { step(1); });
    slider_ = new QSlider(Qt::Horizontal, this);
    slider_->setAccessibleName("Position in the recording, in tokens");
    slider_->setToolTip("Drag to any token; the lenses show what was known there");
    slider_->setPageStep(20);
    connect(slider_, &QSlider::valueChanged, this, [this](int token) {
        if (ReplayRun* run = replay()) run->seek(token);
    });
    row->addWidget(slider_, 1);
    where_ = new QLabel(this);
    where_->setObjectName("replay-where");
    row->addWidget(where_);
    speed_ = new QComboBox(this);
    speed_->setAccessibleName("Speed of the replay");
    speed_->setToolTip("Times the recorded pace; at 1× no more than 30 tokens a second are shown, so that they can be followed");
    for (double s : kSpeeds) speed_->addItem(QString::number(s) + "×");
    speed_->setCurrentIndex(kOnce);
    connect(speed_, &QComboBox::currentIndexChanged, this, [this](int i) {
        if (ReplayRun* run = replay()) run->set_speed(kSpeeds[i]);
    });
    row->addWidget(speed_);
    loop_ = button(QStyle::SP_BrowserReload, "Again and again", "Begin again at the end", [this] {
        if (ReplayRun* run = replay()) run->set_loop(loop_->isChecked());
    });
    loop_->setCheckable(true);
    title_ = new QLabel(this);
    title_->setForegroundRole(QPalette::PlaceholderText);
    title_->setTextFormat(Qt::PlainText);
    row->addWidget(title_);
    auto* leave_button = new QToolButton(this);
    leave_button->setText("Leave the replay");
    leave_button->setAccessibleName("Leave the replay");
    leave_button->setToolTip("Back to the engine (Ctrl+Shift+X)");
    connect(leave_button, &QToolButton::clicked, this, [this] { leave(true); });
    row->addWidget(leave_button);
    connect(&session, &Session::drained, this, &ReplayBar::refresh);
}

bool ReplayBar::open(const QString& file) {
    auto recording = Recording::open(file.toStdString());
    if (!recording) {
        session_.say(QString::fromStdString(recording.error().message), "Choose another recording.");
        return false;
    }
    if (!replaying()) model_before_ = session_.card() ? QString::fromStdString(session_.card()->folder) : QString();
    const RecordingHeader& header = (*recording)->header();
    title_->setText(fontMetrics().elidedText(QString::fromStdString(header.title), Qt::ElideRight, 260));
    title_->setToolTip(QString::fromStdString(header.title + (header.about.empty() ? "" : "\n" + header.about) + "\nRecorded " + header.card->recorded +
                                              " with " + header.build + "\n" + header.licence));
    auto run = std::make_unique<ReplayRun>(std::move(*recording));
    run->set_speed(kSpeeds[speed_->currentIndex()]);
    run->set_loop(loop_->isChecked());
    {
        const QSignalBlocker quiet(slider_);
        slider_->setRange(0, static_cast<int>(run->tokens()));
    }
    where_->setMinimumWidth(fontMetrics().horizontalAdvance(where_text(run->tokens(), run->tokens())));
    run->play();
    session_.set_run(std::move(run));
    session_.tick();
    refresh();
    emit replaying_changed(true);
    return true;
}

void ReplayBar::leave(bool load_again) {
    if (!replaying()) return;
    session_.set_run(std::make_unique<LiveRun>(open_for_run));
    emit replaying_changed(false);
    if (load_again && !model_before_.isEmpty()) {
        LoadModel load;
        load.model = model_before_.toStdString();
        session_.post(load);
    }
    model_before_.clear();
}

void ReplayBar::play_or_pause() {
    ReplayRun* run = replay();
    if (!run) return;
    run->playing() ? run->pause() : run->play();
    session_.tick();
    refresh();
}

void ReplayBar::step(int64_t tokens) {
    ReplayRun* run = replay();
    if (!run) return;
    run->step(tokens);
    session_.tick();
    refresh();
}

void ReplayBar::change_speed(int by) { speed_->setCurrentIndex(std::clamp(speed_->currentIndex() + by, 0, static_cast<int>(std::size(kSpeeds)) - 1)); }

void ReplayBar::refresh() {
    const ReplayRun* run = replay();
    if (!run) return;
    play_->setIcon(style()->standardIcon(run->playing() ? QStyle::SP_MediaPause : QStyle::SP_MediaPlay));
    play_->setAccessibleName(run->playing() ? "Pause" : "Play");
    back_->setEnabled(run->token() > 0);
    forward_->setEnabled(run->token() < run->tokens());
    const QSignalBlocker quiet(slider_);
    if (!slider_->isSliderDown()) slider_->setValue(static_cast<int>(run->token()));
    where_->setText(where_text(run->token(), run->tokens()));
}

}  // namespace klp::gui
