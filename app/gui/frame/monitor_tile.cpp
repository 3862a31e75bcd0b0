#include "app/gui/frame/monitor_tile.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

#include "app/gui/draw/strokes.h"
#include "app/gui/frame/timeline_tracks.h"

namespace klp::gui {

MonitorTile::MonitorTile(const QString& name, QWidget* parent) : QWidget(parent), name_(name) {
    setAccessibleName(name);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
}

void MonitorTile::show_value(const QString& value, const QString& note, Picture picture) {
    value_ = value, note_ = note, picture_ = std::move(picture);
    setAccessibleDescription(note.isEmpty() ? value : value + ", " + note);
    update();
}

void MonitorTile::draw(QPainter& p, const QRectF& area) const {
    const Theme& t = theme_of(palette());
    double low = INFINITY, high = -INFINITY;
    for (const Curve& c : picture_.curves)
        for (double v : c.values)
            if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    if (!(high >= low)) return;
    const double top = picture_.top > 0 ? picture_.top : high > 0 ? high * 1.08 : 1;
    const auto y_of = [&](double v) { return area.bottom() - std::clamp(v / top, 0.0, 1.0) * area.height(); };
    if (picture_.bars || picture_.frames) {
        const auto& values = picture_.curves.front().values;
        const auto [from, to] = picture_.frames ? log_ends(std::max(1.0, low), std::max(1.0, high)) : std::pair(0.0, top);
        const double wide = area.width() / static_cast<double>(std::max<size_t>(1, values.size()));
        for (size_t i = 0; i < values.size(); ++i) {
            if (!std::isfinite(values[i])) continue;
            const double y =
                picture_.frames ? area.bottom() - (0.05 + 0.95 * std::log(values[i] / from) / std::log(to / from)) * area.height() : y_of(values[i]);
            p.fillRect(QRectF(area.left() + wide * static_cast<double>(i), y, wide > 3 ? wide - 1 : wide, area.bottom() - y),
                       picture_.frames ? budget_colour(t, values[i]) : picture_.curves.front().colour);
        }
        return;
    }
    for (const Curve& c : picture_.curves) {
        const double step = area.width() / static_cast<double>(std::max<size_t>(2, c.values.size()) - 1);
        QPolygonF line;
        const auto end = [&] {
            if (line.isEmpty()) return;
            if (c.filled) {
                QPolygonF shape = line;
                shape << QPointF(line.back().x(), area.bottom()) << QPointF(line.front().x(), area.bottom());
                QColor faint = c.colour;
                faint.setAlphaF(0.22f);
                p.setPen(Qt::NoPen), p.setBrush(faint);
                p.drawPolygon(shape);
                p.setBrush(Qt::NoBrush);
            }
            stroke(p, line, QPen(c.colour, 2, c.dashed ? Qt::DashLine : Qt::SolidLine));
            line.clear();
        };
        for (size_t i = 0; i < c.values.size(); ++i) {
            if (std::isfinite(c.values[i]))
                line << QPointF(area.left() + step * static_cast<double>(i), y_of(c.values[i]));
            else
                end();
        }
        end();
    }
}

void MonitorTile::paintEvent(QPaintEvent*) {
    const Theme& t = theme_of(palette());
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    p.setPen(t.border);
    p.setBrush(t.panel);
    p.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8);
    p.setBrush(Qt::NoBrush);
    const QRectF inner = QRectF(rect()).adjusted(12, 8, -12, -10);
    const double name_high = fontMetrics().height();
    p.setPen(t.muted);
    p.drawText(QRectF(inner.left(), inner.top(), inner.width(), name_high), Qt::AlignLeft | Qt::AlignVCenter,
               fontMetrics().elidedText(name_, Qt::ElideRight, static_cast<int>(inner.width())));
    // The value takes a third of the tile, and is never wider than it.
    QFont big = font();
    big.setBold(true);
    double pixels = std::clamp(inner.height() * 0.3, 14.0, 64.0);
    big.setPixelSize(static_cast<int>(pixels));
    if (const int wide = QFontMetrics(big).horizontalAdvance(value_); wide > inner.width()) pixels = std::max(11.0, pixels * inner.width() / wide);
    big.setPixelSize(static_cast<int>(pixels));
    p.setFont(big);
    p.setPen(t.text);
    const double value_high = QFontMetrics(big).height();
    p.drawText(QRectF(inner.left(), inner.top() + name_high, inner.width(), value_high), Qt::AlignLeft | Qt::AlignVCenter, value_);
    p.setFont(font());
    double y = inner.top() + name_high + value_high;
    if (!note_.isEmpty() && inner.bottom() - y > name_high) {
        p.setPen(t.muted);
        p.drawText(QRectF(inner.left(), y, inner.width(), name_high), Qt::AlignLeft | Qt::AlignVCenter,
                   fontMetrics().elidedText(note_, Qt::ElideRight, static_cast<int>(inner.width())));
        y += name_high;
    }
    if (const QRectF room(inner.left(), y + 6, inner.width(), inner.bottom() - y - 6); room.height() > 10) draw(p, room);
}

}  // namespace klp::gui
