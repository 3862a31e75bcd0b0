#include "app/gui/frame/tour.h"

#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr int kApart = 6, kWide = 300;

class TourRing : public QWidget {
public:
    explicit TourRing(QWidget* parent) : QWidget(parent) {
        setAttribute(Qt::WA_TransparentForMouseEvents);
        setObjectName("tour-ring");
        hide();
    }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter p(this);
        p.setRenderHint(QPainter::Antialiasing);
        p.setPen(QPen(theme_of(palette()).twin, 3));
        p.drawRoundedRect(QRectF(rect()).adjusted(2, 2, -2, -2), 8, 8);
    }
};

}  // namespace

Tour::Tour(QWidget* window, std::vector<TourStep> steps) : QObject(window), window_(window), steps_(std::move(steps)) {
    ring_ = new TourRing(window);
    callout_ = new QFrame(window);
    callout_->setObjectName("tour");
    callout_->hide();
    auto* column = new QVBoxLayout(callout_);
    column->setContentsMargins(14, 10, 14, 10);
    column->setSpacing(6);
    title_ = new QLabel(callout_);
    QFont bold = title_->font();
    bold.setBold(true);
    title_->setFont(bold);
    column->addWidget(title_);
    text_ = new QLabel(callout_);
    text_->setWordWrap(true);
    column->addWidget(text_);
    auto* row = new QHBoxLayout;
    count_ = new QLabel(callout_);
    count_->setForegroundRole(QPalette::PlaceholderText);
    row->addWidget(count_, 1);
    const auto button = [&](const QString& text, const char* id, auto go) {
        auto* b = new QPushButton(text, callout_);
        b->setObjectName(id);
        b->setAccessibleName(text);
        b->setAutoDefault(false);
        connect(b, &QPushButton::clicked, this, go);
        row->addWidget(b);
        return b;
    };
    button(tr("End the tour"), "tour-end", &Tour::stop);
    next_ = button(tr("Next"), "tour-next", &Tour::next);
    column->addLayout(row);
    timer_.setInterval(100);
    connect(&timer_, &QTimer::timeout, this, &Tour::look);
}

void Tour::start() {
    at_ = 0;
    show_step();
    timer_.start();
}

void Tour::next() {
    if (at_ < 0) return;
    if (++at_ < static_cast<int>(steps_.size())) return show_step();
    at_ = static_cast<int>(steps_.size()) - 1;
    stop();
}

void Tour::stop() {
    if (at_ < 0) return;
    const bool whole = at_ + 1 == static_cast<int>(steps_.size());
    at_ = -1;
    timer_.stop();
    ring_->hide();
    callout_->hide();
    emit ended(whole);
}

void Tour::show_step() {
    const TourStep& step = steps_[static_cast<size_t>(at_)];
    if (step.begin) step.begin();
    title_->setText(step.title);
    text_->setText(step.text);
    count_->setText(tr("%1 of %2").arg(at_ + 1).arg(steps_.size()));
    next_->setText(at_ + 1 < static_cast<int>(steps_.size()) ? tr("Next") : tr("Done"));
    callout_->setAccessibleName(tr("Tour, step %1: %2").arg(at_ + 1).arg(step.title));
    callout_->setAccessibleDescription(step.text);
    const Theme& t = theme_of(QApplication::palette());
    callout_->setStyleSheet(QString("QFrame#tour { background: %1; border: 2px solid %2; border-radius: 8px; }").arg(t.raised.name(), t.twin.name()));
    place();
}

void Tour::look() {
    if (at_ < 0) return;
    if (const TourStep& step = steps_[static_cast<size_t>(at_)]; step.done && step.done()) return next();
    place();
}

// Beside the widget where there is room, and inside it, at its lower edge, only where it is as large as the window.
void Tour::place() {
    const TourStep::Place at = steps_[static_cast<size_t>(at_)].where();
    const int wide = std::min(kWide * std::max(1, window_->fontMetrics().height() / 15), window_->width() - 2 * kApart);
    callout_->setFixedWidth(wide);
    const QSize size(wide, std::max(callout_->heightForWidth(wide), callout_->minimumSizeHint().height()));
    const QRect room = window_->rect().adjusted(kApart, kApart, -kApart, -kApart);
    QRect target;
    if (at.widget && at.widget->isVisible()) {
        const QRect part = at.part.isEmpty() ? at.widget->rect() : at.part;
        target = QRect(at.widget->mapTo(window_, part.topLeft()), part.size()).adjusted(-4, -4, 4, 4) & window_->rect();
    }
    ring_->setVisible(!target.isEmpty());
    QRect callout(QPoint(room.left() + kApart, room.bottom() - size.height() - 40), size);
    if (!target.isEmpty()) {
        ring_->setGeometry(target);
        const int x = std::clamp(target.center().x() - size.width() / 2, room.left(), std::max(room.left(), room.right() - size.width()));
        const int y = std::clamp(target.center().y() - size.height() / 2, room.top(), std::max(room.top(), room.bottom() - size.height()));
        const QPoint ways[] = {{x, target.bottom() + kApart},
                               {x, target.top() - kApart - size.height()},
                               {target.right() + kApart, y},
                               {target.left() - kApart - size.width(), y}};
        const auto way = std::find_if(std::begin(ways), std::end(ways), [&](const QPoint& p) { return room.contains(QRect(p, size)); });
        callout.moveTopLeft(way != std::end(ways) ? *way : QPoint(x, std::max(room.top(), target.bottom() - size.height() - 2 * kApart)));
    }
    callout_->setGeometry(callout);
    callout_->show();
    ring_->raise();
    callout_->raise();
}

}  // namespace klp::gui
