#include "app/gui/frame/replay_bar.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QSignalBlocker>
#include <QSlider>
#include <QStyle>
#include <QToolButton>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/opener.h"
#include "core/runs/remote_run.h"
#include "core/runs/served_run.h"

namespace klp::gui {

namespace {

constexpr double kSpeeds[] = {0.1, 1 / 3.0, 0.5, 1, 2, 4, 8, 16};
constexpr int kOnce = 3;  // of these

QString speed_text(double speed) { return (speed > 0.3 && speed < 0.4 ? QString(QChar(0x2153)) : local(short_number(speed))) + "×"; }
int speed_at(int pace) { return pace == 3 ? 0 : pace == 10 ? 1 : kOnce; }  // at 1× it is 30 tokens a second

// The signs every player has, in the colour of the theme: the style's own are dark on dark.
enum class Sign { play, pause, back, forward };
QIcon icon_of(Sign sign, const QPalette& palette) {
    QIcon icon;
    for (const auto mode : {QIcon::Normal, QIcon::Disabled}) {
        QPixmap picture(32, 32);
        picture.fill(Qt::transparent);
        QPainter p(&picture);
        p.setRenderHint(QPainter::Antialiasing);
        p.setPen(Qt::NoPen);
        p.setBrush(palette.color(mode == QIcon::Normal ? QPalette::Normal : QPalette::Disabled, QPalette::ButtonText));
        const auto triangle = [&](double base, double tip) { p.drawPolygon(QPolygonF{{base, 6}, {base, 26}, {tip, 16}}); };
        switch (sign) {
            case Sign::play:
                triangle(9, 26);
                break;
            case Sign::pause:
                p.drawRect(8, 6, 6, 20), p.drawRect(18, 6, 6, 20);
                break;
            case Sign::back:
                p.drawRect(6, 6, 4, 20), triangle(26, 11);
                break;
            case Sign::forward:
                p.drawRect(22, 6, 4, 20), triangle(6, 21);
        }
        p.end();
        icon.addPixmap(picture, mode);
    }
    return icon;
}

// A click on its groove goes there, as on every player's, and does not turn a page.
class ReplayTrack : public QSlider {
public:
    explicit ReplayTrack(QWidget* parent) : QSlider(Qt::Horizontal, parent) {}

protected:
    void mousePressEvent(QMouseEvent* event) override {
        if (event->button() != Qt::LeftButton) return QSlider::mousePressEvent(event);
        setSliderDown(true);
        go(event->pos().x());
    }
    void mouseMoveEvent(QMouseEvent* event) override {
        if (isSliderDown()) go(event->pos().x());
    }
    void mouseReleaseEvent(QMouseEvent*) override { setSliderDown(false); }

private:
    void go(int x) {
        const int handle = style()->pixelMetric(QStyle::PM_SliderLength, nullptr, this);
        setSliderPosition(QStyle::sliderValueFromPosition(minimum(), maximum(), x - handle / 2, width() - handle));
    }
};

QString where_text(int64_t token, int64_t tokens) { return Language::tr("%1 of %2").arg(local(grouped(token)), tokens_text(tokens)); }

}  // namespace

ReplayBar::ReplayBar(Session& session, QWidget* parent) : QWidget(parent), session_(session) {
    setObjectName("replay-bar");
    setAccessibleName(tr("Replay"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 2, 8, 4);
    row->setSpacing(6);
    title_ = new QLabel(this);
    title_->setObjectName("replay-title");
    title_->setForegroundRole(QPalette::PlaceholderText);
    title_->setTextFormat(Qt::PlainText);
    row->addWidget(title_);
    const auto button = [&](const QString& name, const QString& tip, auto&& what) {
        auto* b = new QToolButton(this);
        b->setAccessibleName(name);
        b->setToolTip(tip);
        connect(b, &QToolButton::clicked, this, what);
        row->addWidget(b);
        return b;
    };
    play_ = button(tr("Play"), tr("Play or pause (F8)"), [this] { play_or_pause(); });
    back_ = button(tr("Token back"), tr("One token back (Shift+F9)"), [this] { step(-1); });
    forward_ = button(tr("Token forward"), tr("One token forward (F9)"), [this] { step(1); });
    slider_ = new ReplayTrack(this);
    slider_->setAccessibleName(tr("Position in the recording, in tokens"));
    slider_->setToolTip(tr("Drag to any token; the lenses show what was known there"));
    slider_->setPageStep(20);
    connect(slider_, &QSlider::valueChanged, this, [this](int token) {
        if (ReplayRun* run = replay()) run->seek(token);
    });
    row->addWidget(slider_, 1);
    where_ = new QLabel(this);
    where_->setObjectName("replay-where");
    row->addWidget(where_);
    speed_ = new QComboBox(this);
    speed_->setAccessibleName(tr("Speed of the replay"));
    speed_->setToolTip(tr("Times the recorded pace; at 1× no more than 30 tokens a second are shown, so that they can be followed"));
    for (double s : kSpeeds) speed_->addItem(speed_text(s));
    speed_->setCurrentIndex(kOnce);
    connect(speed_, &QComboBox::currentIndexChanged, this, [this](int i) {
        if (ReplayRun* run = replay()) run->set_speed(kSpeeds[i]);
    });
    row->addWidget(speed_);
    loop_ = button(tr("Again and again"), tr("Begin again at the end"), [this] {
        if (ReplayRun* run = replay()) run->set_loop(loop_->isChecked());
    });
    loop_->setText(tr("Loop"));
    loop_->setCheckable(true);
    leave_ = new QToolButton(this);
    leave_->setText(tr("Leave the replay"));
    leave_->setAccessibleName(tr("Leave the replay"));
    leave_->setToolTip(tr("Back to the engine (Ctrl+Shift+X)"));
    connect(leave_, &QToolButton::clicked, this, [this] { leave(true); });
    row->addWidget(leave_);
    connect(&session, &Session::drained, this, &ReplayBar::refresh);
    QEvent fresh(QEvent::PaletteChange);
    changeEvent(&fresh);
}

bool ReplayBar::open(const QString& file) {
    auto recording = Recording::open(file.toStdString());
    if (!recording) {
        session_.say({QString::fromStdString(recording.error().message), {}, true, {}, {{tr("Choose another…"), [this] { emit another_asked(); }}}});
        return false;
    }
    if (again_) come_back();
    if (!replaying())
        model_before_ = session_.card() && !served_card(session_.card()) && remote_at(*session_.card()).empty()
                            ? QString::fromStdString(session_.card()->folder)
                            : QString();
    const RecordingHeader& header = (*recording)->header();
    title_->setText(fontMetrics().elidedText(QString::fromStdString(header.title), Qt::ElideRight, 260));
    QStringList about;
    for (const std::string& said : {header.title, header.about})
        if (!said.empty()) about << QString::fromStdString(said);
    about << tr("Recorded %1 with %2").arg(QString::fromStdString(header.card->recorded), QString::fromStdString(header.build))
          << QString::fromStdString(header.licence);
    title_->setToolTip(about.join('\n'));
    auto run = std::make_unique<ReplayRun>(std::move(*recording));
    run->play();
    session_.set_run(std::move(run));
    begin();
    return true;
}

void ReplayBar::play_again(std::shared_ptr<const Recording> recording, int pace) {
    if (!recording || replaying() || !session_.live()) return;
    title_->setText(QString::fromStdString(recording->header().title));
    title_->setToolTip(tr("What is known of its tokens is shown again; the model stands behind it, and answers what a lens asks of the past"));
    speed_->setCurrentIndex(speed_at(pace));
    again_ = true;
    session_.set_aside([&](std::unique_ptr<Run> engine) {
        auto run = std::make_unique<ReplayRun>(std::move(recording), std::move(engine));
        if (pace != Valve::kStep) run->play();
        return run;
    });
    begin();
}

void ReplayBar::begin() {
    ReplayRun* run = replay();
    run->set_speed(kSpeeds[speed_->currentIndex()]);
    run->set_loop(loop_->isChecked());
    leave_->setText(again_ ? tr("Back to now") : tr("Leave the replay"));
    leave_->setAccessibleName(leave_->text());
    leave_->setToolTip(again_ ? tr("Back to the conversation as it stands (Ctrl+Shift+X)") : tr("Back to the engine (Ctrl+Shift+X)"));
    {
        const QSignalBlocker quiet(slider_);
        slider_->setRange(0, static_cast<int>(run->tokens()));
    }
    where_->setMinimumWidth(fontMetrics().horizontalAdvance(where_text(run->tokens(), run->tokens())));
    session_.tick();
    refresh();
    emit replaying_changed(true);
}

void ReplayBar::come_back() {
    again_ = false;
    session_.come_back(replay()->take_engine());
}

void ReplayBar::leave(bool load_again) {
    if (!replaying()) return;
    if (again_) {
        come_back();
        emit replaying_changed(false);
        return;
    }
    session_.set_run(std::make_unique<LiveRun>(open_for_run));
    emit replaying_changed(false);
    if (load_again && !model_before_.isEmpty()) {
        LoadModel load;
        load.model = model_before_.toStdString();
        session_.post(load);
    }
    model_before_.clear();
}

QWidget* ReplayBar::play_button() const { return play_; }

QWidget* ReplayBar::leave_button() const { return leave_; }

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

void ReplayBar::show_sign(bool playing) {
    if (shown_ == playing) return;
    shown_ = playing;
    play_->setIcon(icon_of(playing ? Sign::pause : Sign::play, palette()));
}

void ReplayBar::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange) return;
    shown_.reset();
    show_sign(replay() && replay()->playing());
    back_->setIcon(icon_of(Sign::back, palette()));
    forward_->setIcon(icon_of(Sign::forward, palette()));
}

void ReplayBar::refresh() {
    const ReplayRun* run = replay();
    if (!run) return;
    show_sign(run->playing());
    play_->setAccessibleName(run->playing() ? tr("Pause") : tr("Play"));
    back_->setEnabled(run->token() > 0);
    forward_->setEnabled(run->token() < run->tokens());
    const QSignalBlocker quiet(slider_);
    if (!slider_->isSliderDown()) slider_->setValue(static_cast<int>(run->token()));
    where_->setText(where_text(run->token(), run->tokens()));
}

}  // namespace klp::gui
