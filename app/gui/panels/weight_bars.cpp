#include "app/gui/panels/weight_bars.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/gui/draw/language.h"
#include "app/gui/draw/strokes.h"

namespace klp::gui {

WeightBars::WeightBars(const Reads& reads, const Session& session, QWidget* parent) : QWidget(parent), reads_(reads), session_(session) {
    setMouseTracking(true);
    setMinimumHeight(52);
    setMaximumHeight(110);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
}

void WeightBars::paintEvent(QPaintEvent*) {
    QPainter p(this);
    draw(p);
}

void WeightBars::draw(QPainter& p) {
    const Theme& t = theme_of(palette());
    const QFontMetrics m(font());
    const QRect g = grid();
    p.setPen(t.border);
    p.setBrush(t.panel);
    p.drawRect(g.adjusted(-1, -1, 0, 0));
    const bool both = reads_.picture.implicit;
    const double zero = both ? g.center().y() : g.bottom(), unit = both ? g.height() / 2.0 - 1 : g.height() - 1;
    p.setPen(t.muted);
    const auto tick = [&](double place, const QString& text) {
        const double y = std::clamp(zero - place * unit, double(g.top() + m.ascent() / 2), double(g.bottom() - m.ascent() / 2 + 1));
        p.drawText(QRectF(g.right() + 5, y - m.height() / 2.0, kRight - 6, m.height()), Qt::AlignLeft | Qt::AlignVCenter, text);
    };
    const QString most = local(QString::number(double(reads_.bound), 'g', 3).toStdString());
    tick(1, (both ? "+" : "") + most);
    tick(0, "0");
    if (both)
        tick(-1, "−" + most);
    else
        tick(0.5, local("0.25"));
    if (!reads_.shown() || tokens_ == 0) return;

    if (reads_.picture.first > 0)  // not looked at
        hatch(p, QRectF(g.left(), g.top(), x_of(reads_.picture.first) - g.left(), g.height()), t.border);
    p.setPen(t.grid);
    p.drawLine(QPointF(g.left(), zero), QPointF(g.right(), zero));
    const double wide = double(g.width()) / static_cast<double>(tokens_);
    const auto bar = [&](double x, double w, float value, bool outline) {
        const double y = zero - reads_.place(value) * unit;
        const QRectF r(x, std::min(y, zero), w, std::abs(y - zero));
        if (outline) {
            p.setBrush(Qt::NoBrush);
            p.setPen(QPen(t.muted, 1));
            p.drawRect(w > 3 ? r.adjusted(0.5, 0, -0.5, 0) : r);
        } else {
            p.fillRect(r, both ? reads_.colour(std::copysign(reads_.bound * 0.5f, value), t) : t.hybrid);
        }
    };
    const auto stronger = [](float a, float b) { return std::isnan(a) || std::abs(b) > std::abs(a) ? b : a; };
    for (const bool outline : {false, true}) {
        if (outline && reads_.picture.decay_only.empty()) break;
        const auto value = [&](int64_t at) { return outline ? reads_.decay_only(at) : reads_.weight(at); };
        if (wide >= 1) {
            for (int64_t at = reads_.picture.first; at <= reads_.last(); ++at)
                bar(x_of(at) + (wide > 4 ? 1 : 0), std::max(1.0, wide - (wide > 4 ? 2 : 0)), value(at), outline);
        } else {
            for (int x = g.left(); x <= g.right(); ++x) {
                const int64_t a = std::max(reads_.picture.first, position_at(x)), b = std::max(a + 1, position_at(x + 1));
                float best = NAN;
                for (int64_t at = a; at < std::min(b, reads_.last() + 1); ++at) best = stronger(best, value(at));
                if (std::isnan(best)) continue;
                const double y = zero - reads_.place(best) * unit;
                if (outline)
                    p.fillRect(QRectF(x, y, 1, 1), t.muted);
                else
                    bar(x, 1, best, false);
            }
        }
    }
    const auto mark = [&](int64_t at, const QColor& colour, Qt::PenStyle style) {
        if (at < 0 || at >= tokens_) return;
        p.setPen(QPen(colour, 1, style));
        const double x = x_of(at) + wide / 2;
        p.drawLine(QPointF(x, g.top()), QPointF(x, g.bottom()));
    };
    mark(reads_.picture.position, t.accent, Qt::DashLine);
    mark(session_.trace().size() > 0 ? const_cast<Session&>(session_).selection().hovered() : -1, t.text, Qt::SolidLine);
}

void WeightBars::mousePressEvent(QMouseEvent* event) {
    if (const int64_t p = at(event->position()); p >= 0 && event->button() == Qt::LeftButton) clicked(p);
}

bool WeightBars::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const int64_t p = at(help->pos());
    p >= 0 ? QToolTip::showText(help->globalPos(), describe(p), this) : QToolTip::hideText();
    return true;
}

int64_t WeightBars::at(QPointF p) const {
    if (tokens_ == 0 || p.x() < grid().left() || p.x() > grid().right()) return -1;
    return std::min(tokens_ - 1, position_at(static_cast<int>(p.x())));
}

}  // namespace klp::gui
