// Lines of many points. Qt rasterises a smooth path in time that grows with the square of what crosses a row of pixels, so they are drawn piece by piece, and
// smooth only where points lie far enough apart for it to show.
#pragma once

#include <QLineF>
#include <QPainter>
#include <QPen>
#include <QPolygonF>
#include <QRectF>

#include <algorithm>
#include <cmath>

namespace klp::gui {

inline void stroke(QPainter& p, const QPolygonF& line, QPen pen) {
    constexpr qsizetype kPiece = 16;   // points
    constexpr double kSmoothFrom = 3;  // pixels between points
    if (line.size() < 2) {
        p.setPen(pen);
        if (!line.isEmpty()) p.drawPoint(line[0]);
        return;
    }
    const bool was = p.testRenderHint(QPainter::Antialiasing);
    const bool smooth = std::abs(line.back().x() - line.front().x()) >= kSmoothFrom * static_cast<double>(line.size() - 1);
    p.setRenderHint(QPainter::Antialiasing, smooth);
    if (!smooth) pen.setWidthF(1);
    double done = 0;  // length, for dashes
    for (qsizetype from = 0; from + 1 < line.size(); from += kPiece) {
        const qsizetype count = std::min(kPiece + 1, line.size() - from);
        if (pen.style() != Qt::SolidLine) {
            pen.setDashOffset(done / std::max(1.0, pen.widthF()));
            for (qsizetype i = from; i + 1 < from + count; ++i) done += QLineF(line[i], line[i + 1]).length();
        }
        p.setPen(pen);
        p.drawPolyline(line.constData() + from, static_cast<int>(count));
    }
    p.setRenderHint(QPainter::Antialiasing, was);
}

// Slanted lines over a rectangle. A pattern brush would be pixels, and files of vectors have none.
inline void hatch(QPainter& p, const QRectF& r, const QColor& colour, double apart = 6) {
    const bool was = p.testRenderHint(QPainter::Antialiasing);
    p.setRenderHint(QPainter::Antialiasing);
    p.setPen(QPen(colour, 1));
    for (double at = r.left() + r.top() + apart / 2; at < r.right() + r.bottom(); at += apart) {  // x + y = at
        const double from = std::max(r.left(), at - r.bottom()), to = std::min(r.right(), at - r.top());
        if (from < to) p.drawLine(QPointF(from, at - from), QPointF(to, at - to));
    }
    p.setRenderHint(QPainter::Antialiasing, was);
}

}  // namespace klp::gui
