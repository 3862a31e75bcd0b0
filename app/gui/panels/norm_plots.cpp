#include "app/gui/panels/norm_plots.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <cmath>
#include <limits>

#include "app/gui/draw/language.h"
#include "app/gui/draw/strokes.h"
#include "app/gui/draw/theme.h"
#include "app/gui/panels/state_math.h"

namespace klp::gui {

NormPlots::NormPlots(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setAccessibleName(tr("Norms over the last tokens"));
}

void NormPlots::set_series(std::vector<NormSeries> series, int64_t first, int chosen, int64_t chosen_token, bool rescale) {
    series_ = std::move(series), first_ = first, chosen_ = chosen, chosen_token_ = chosen_token;
    float most = 0;
    for (const NormSeries& s : series_)
        for (const auto* values : {&s.state, &s.update})
            for (float v : *values) most = v > most ? v : most;  // NaN is not
    if (rescale) top_ = 0;
    if (most > top_) top_ = round_range({&most, 1});
    update();
}

void NormPlots::set_empty(const QString& sentence) {
    empty_ = sentence;
    update();
}

// As many beside each other as leaves each about twice as wide as high.
int NormPlots::across() const {
    const auto n = static_cast<int>(series_.size());
    int best = 1;
    double least = 1e9;
    for (int columns = 1; columns <= n; ++columns) {
        const int rows = (n + columns - 1) / columns;
        const double shape = double(width()) / columns / std::max(1.0, double(height()) / rows);
        const double unlike = std::abs(std::log(shape / 2.2)) + 1.2 * (columns * rows - n) / double(n);
        if (unlike < least) least = unlike, best = columns;
    }
    return best;
}

QRectF NormPlots::plot(int index) const {
    const int columns = across(), rows = (static_cast<int>(series_.size()) + columns - 1) / columns;
    const double w = double(width()) / columns, h = double(height()) / std::max(1, rows);
    return QRectF(index % columns * w, index / columns * h, w, h).adjusted(2, 2, -2, -2);
}

std::pair<int, int64_t> NormPlots::at(QPointF point) const {
    for (int i = 0; i < static_cast<int>(series_.size()); ++i) {
        const QRectF r = plot(i);
        if (!r.contains(point) || tokens() == 0) continue;
        return {i, first_ + std::clamp(static_cast<int64_t>((point.x() - r.left()) / r.width() * static_cast<double>(tokens())), int64_t{0}, tokens() - 1)};
    }
    return {-1, -1};
}

void NormPlots::paintEvent(QPaintEvent*) {
    QPainter p(this);
    draw(p);
    if (!hasFocus()) return;
    p.setBrush(Qt::NoBrush);
    p.setPen(QPen(theme_of(palette()).accent, 1, Qt::DotLine));
    p.drawRect(rect().adjusted(0, 0, -1, -1));
}

void NormPlots::draw(QPainter& p) {
    const Theme& t = theme_of(palette());
    if (tokens() == 0) {
        p.setPen(t.muted);
        p.drawText(rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap, empty_);
    }
    QFont small = font();
    small.setPointSizeF(font().pointSizeF() * 0.88);
    const QFontMetrics m(small);
    p.setFont(small);
    QColor area = t.hybrid;
    area.setAlphaF(0.4f);
    for (int i = 0; i < static_cast<int>(series_.size()) && tokens() > 0; ++i) {
        const NormSeries& s = series_[static_cast<size_t>(i)];
        const QRectF r = plot(i);
        p.setPen(Qt::NoPen);
        p.setBrush(t.panel);
        p.drawRoundedRect(r, 3, 3);
        const double high = r.height() - m.height() - 3;
        const auto y_of = [&](float v) { return r.bottom() - 1 - std::min(1.f, v / std::max(top_, 1e-30f)) * high; };
        // One column of pixels at a time: the largest value of its tokens, so that many tokens cost no more than the pixels.
        const int columns = static_cast<int>(std::min<int64_t>(tokens(), std::max(1, int(r.width()))));
        const double wide = r.width() / columns;
        const auto strongest = [&](const std::vector<float>& values, int c) {
            float best = std::numeric_limits<float>::quiet_NaN();
            for (int64_t k = int64_t{c} * tokens() / columns; k < int64_t{c + 1} * tokens() / columns; ++k)
                best = std::fmax(best, values[static_cast<size_t>(k)]);
            return best;
        };
        QPolygonF line;
        const auto flush = [&] {
            stroke(p, line, QPen(t.hybrid, line.size() > 1 ? 1.5 : 4, Qt::SolidLine, Qt::RoundCap));
            line.clear();
        };
        for (int c = 0; c < columns; ++c) {
            const float update = strongest(s.update, c), state = strongest(s.state, c);
            if (!std::isnan(update))
                p.fillRect(QRectF(r.left() + c * wide, y_of(update), std::max(1.0, wide - (wide > 4 ? 1 : 0)), r.bottom() - 1 - y_of(update)), area);
            if (std::isnan(state))
                flush();
            else
                line << QPointF(r.left() + (c + 0.5) * wide, y_of(state));
        }
        flush();
        const auto token_line = [&](int64_t token, const QPen& pen) {
            if (token < first_ || token >= first_ + tokens()) return;
            p.setPen(pen);
            const double x = r.left() + (static_cast<double>(token - first_) + 0.5) / static_cast<double>(tokens()) * r.width();
            p.drawLine(QPointF(x, r.top() + m.height()), QPointF(x, r.bottom()));
        };
        if (chosen_token_ >= 0) token_line(chosen_token_, QPen(t.accent, 1));
        if (hover_token_ >= 0) token_line(hover_token_, QPen(t.text, 1, Qt::DotLine));
        p.setBrush(Qt::NoBrush);
        if (i == chosen_ || i == hover_) {
            p.setPen(QPen(i == chosen_ ? t.accent : t.muted, i == chosen_ ? 1.5 : 1));
            p.drawRoundedRect(r, 3, 3);
        }
        p.setPen(i == chosen_ ? t.text : t.muted);
        p.drawText(r.adjusted(4, 1, -4, 0), Qt::AlignLeft | Qt::AlignTop, m.elidedText(s.name, Qt::ElideRight, int(r.width()) - 8));
        if (i == 0) p.drawText(r.adjusted(4, 1, -4, 0), Qt::AlignRight | Qt::AlignTop, local(QString::number(double(top_), 'g', 3).toStdString()));
    }
}

void NormPlots::point_at(int series, int64_t position) {
    if (series == hover_ && position == hover_token_) return;
    hover_ = series, hover_token_ = position;
    update();
    emit hovered(series, position);
}

void NormPlots::mouseMoveEvent(QMouseEvent* event) {
    const auto [series, position] = at(event->position());
    point_at(series, position);
}

void NormPlots::mousePressEvent(QMouseEvent* event) {
    const auto [series, position] = at(event->position());
    if (series >= 0 && event->button() == Qt::LeftButton) emit clicked(series, position);
}

void NormPlots::leaveEvent(QEvent*) { point_at(-1, -1); }

void NormPlots::keyPressEvent(QKeyEvent* event) {
    if (tokens() == 0 || event->modifiers() & (Qt::AltModifier | Qt::ControlModifier)) return QWidget::keyPressEvent(event);
    int series = hover_ >= 0 ? hover_ : std::max(0, chosen_);
    int64_t position = hover_token_ >= 0 ? hover_token_ : chosen_token_ >= 0 ? chosen_token_ : first_ + tokens() - 1;
    const int far = event->modifiers() & Qt::ShiftModifier ? 10 : 1;
    switch (event->key()) {
        case Qt::Key_Left:
            position -= far;
            break;
        case Qt::Key_Right:
            position += far;
            break;
        case Qt::Key_Up:
            --series;
            break;
        case Qt::Key_Down:
            ++series;
            break;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            emit clicked(series, position);
            return;
        default:
            return QWidget::keyPressEvent(event);
    }
    point_at(std::clamp(series, 0, static_cast<int>(series_.size()) - 1), std::clamp(position, first_, first_ + tokens() - 1));
}

}  // namespace klp::gui
