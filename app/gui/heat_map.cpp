#include "app/gui/heat_map.h"

#include <QAccessible>
#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/gui/theme.h"

namespace klp::gui {

namespace {
constexpr int kLegend = 54, kGap = 8;  // pixels right of the grid
}

HeatMap::HeatMap(QWidget* parent) : QWidget(parent), empty_("Nothing yet.") {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
}

void HeatMap::set_values(int rows, int columns, std::vector<float> values) {
    rows_ = rows, columns_ = columns, values_ = std::move(values);
    if (chosen_.x() >= columns_ || chosen_.y() >= rows_) chosen_ = {-1, -1};
    stale_ = true;
    update();
}

void HeatMap::set_scale(HeatScale scale) {
    scale_ = std::move(scale);
    stale_ = true;
    update();
}

void HeatMap::set_labels(std::function<QString(int)> row, std::function<QString(int)> column, QString rows_are, QString columns_are) {
    row_label_ = std::move(row), column_label_ = std::move(column), rows_are_ = std::move(rows_are), columns_are_ = std::move(columns_are);
    update();
}

void HeatMap::set_groups(std::vector<int> first_rows) {
    groups_ = std::move(first_rows);
    update();
}

void HeatMap::set_chosen(int row, int column) {
    if (chosen_ == QPoint(column, row)) return;
    chosen_ = {column, row};
    update();
}

double HeatMap::place(float v) const {
    if (scale_.kind == HeatScale::Kind::diverging) return 0.5 + 0.5 * std::clamp(v / std::max(scale_.high, 1e-30f), -1.0f, 1.0f);
    if (scale_.log) {
        const double low = std::log(std::max(scale_.low, 1e-30f)), high = std::log(std::max(scale_.high, 1e-30f));
        return std::clamp((std::log(std::max(v, 1e-30f)) - low) / std::max(high - low, 1e-12), 0.0, 1.0);
    }
    return std::clamp(double(v - scale_.low) / std::max(double(scale_.high) - scale_.low, 1e-30), 0.0, 1.0);
}

void HeatMap::colour() {
    stale_ = false;
    has_nan_ = false;
    const bool diverging = scale_.kind == HeatScale::Kind::diverging;
    const auto& colours = diverging ? diverging_map(theme_of(palette()).dark) : sequential_map();
    // Never more image than pixels: the strongest of the cells below a pixel stands for them.
    const QSize area = grid().size() * devicePixelRatioF();
    const int high = std::min(rows_, std::max(1, area.height())), wide = std::min(columns_, std::max(1, area.width()));
    image_ = QImage(wide, high, QImage::Format_RGB32);
    const QRgb none = theme_of(palette()).raised.rgb();
    for (int y = 0; y < high; ++y) {
        auto* line = reinterpret_cast<QRgb*>(image_.scanLine(y));
        const int r0 = static_cast<int>(int64_t{y} * rows_ / high), r1 = std::max(r0 + 1, static_cast<int>(int64_t{y + 1} * rows_ / high));
        for (int x = 0; x < wide; ++x) {
            const int c0 = static_cast<int>(int64_t{x} * columns_ / wide), c1 = std::max(c0 + 1, static_cast<int>(int64_t{x + 1} * columns_ / wide));
            float best = value(r0, c0);
            for (int r = r0; r < r1; ++r)
                for (int c = c0; c < c1; ++c)
                    if (const float v = value(r, c); std::isnan(best) || std::abs(v) > std::abs(best)) best = v;
            if (std::isnan(best)) {
                has_nan_ = true;
                line[x] = none;
            } else {
                line[x] = colours[static_cast<size_t>(std::lround(255 * place(best)))];
            }
        }
    }
}

QRect HeatMap::grid() const {
    const QFontMetrics m(font());
    int left = rows_are_.isEmpty() ? 0 : m.height() + 2, widest = 0;
    if (row_label_)
        for (int r = 0; r < rows_; r += std::max(1, rows_ / 40)) widest = std::max(widest, m.horizontalAdvance(row_label_(r)));
    if (widest > 0) left += widest + 6;
    const int bottom = (column_label_ ? m.height() + 2 : 0) + (columns_are_.isEmpty() ? 0 : m.height());
    QRect r(left + 1, m.height() / 2 + 1, width() - left - kGap - kLegend - 2, height() - bottom - m.height() / 2 - 3);
    if (square_ && rows_ > 0 && columns_ > 0) {
        const int cell = std::min(r.width() * 64 / columns_, r.height() * 64 / rows_);
        r.setSize({std::max(1, cell * columns_ / 64), std::max(1, cell * rows_ / 64)});
    }
    return r;
}

QRectF HeatMap::rect_of(int row, int column) const {
    const QRect g = grid();
    const double w = double(g.width()) / std::max(1, columns_), h = double(g.height()) / std::max(1, rows_);
    return {g.left() + column * w, g.top() + row * h, w, h};
}

QPoint HeatMap::cell_at(QPointF p) const {
    const QRect g = grid();
    if (rows_ == 0 || columns_ == 0 || !g.contains(p.toPoint())) return {-1, -1};
    return {std::min(columns_ - 1, static_cast<int>((p.x() - g.left()) * columns_ / g.width())), std::min(rows_ - 1, static_cast<int>((p.y() - g.top()) * rows_ / g.height()))};
}

void HeatMap::paintEvent(QPaintEvent*) {
    QPainter p(this);
    const Theme& t = theme_of(palette());
    if (rows_ == 0 || columns_ == 0) {
        p.setPen(t.muted);
        p.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, empty_);
        return;
    }
    if (stale_) colour();
    const QRect g = grid();
    p.drawImage(g, image_);
    if (has_nan_) {
        p.setPen(Qt::NoPen);
        p.setBrush(QBrush(t.border, Qt::BDiagPattern));
        for (int y = 0; y < std::min(rows_, 512); ++y)
            for (int x = 0; x < std::min(columns_, 1024);) {  // runs, so that a whole missing row is one rectangle
                int end = x;
                while (end < columns_ && std::isnan(value(y, end))) ++end;
                if (end > x) p.drawRect(rect_of(y, x).united(rect_of(y, end - 1)));
                x = std::max(end, x + 1);
            }
    }
    p.setBrush(Qt::NoBrush);
    p.setPen(t.border);
    p.drawRect(g.adjusted(-1, -1, 0, 0));

    const QFontMetrics m(font());
    p.setPen(QPen(t.window, 2));
    for (int r : groups_)
        if (r > 0 && r < rows_) p.drawLine(QPointF(g.left(), rect_of(r, 0).top()), QPointF(g.right() + 1, rect_of(r, 0).top()));
    p.setPen(t.muted);
    if (row_label_) {
        double free = -1e9;
        for (int r = 0; r < rows_; ++r) {
            const QRectF cell = rect_of(r, 0);
            const double middle = cell.center().y();
            if (middle - m.height() / 2.0 < free) continue;
            const QString text = row_label_(r);
            if (text.isEmpty()) continue;
            p.drawText(QRectF(0, middle - m.height() / 2.0, g.left() - 6, m.height()), Qt::AlignRight | Qt::AlignVCenter, text);
            free = middle + m.height() / 2.0;
        }
    }
    if (column_label_) {
        double free = -1e9;
        for (int c = 0; c < columns_; ++c) {
            const QString text = column_label_(c);
            if (text.isEmpty()) continue;
            const double middle = rect_of(0, c).center().x(), half = m.horizontalAdvance(text) / 2.0;
            if (middle - half < free || middle + half > g.right() + kGap) continue;
            p.drawText(QRectF(middle - half - 1, g.bottom() + 3, 2 * half + 2, m.height()), Qt::AlignCenter, text);
            free = middle + half + 10;
        }
    }
    if (!columns_are_.isEmpty()) p.drawText(QRect(g.left(), height() - m.height(), g.width(), m.height()), Qt::AlignCenter, columns_are_);
    if (!rows_are_.isEmpty()) {
        p.save();
        p.translate(m.height() / 2.0, g.center().y());
        p.rotate(-90);
        p.drawText(QRect(-g.height() / 2, -m.height() / 2, g.height(), m.height()), Qt::AlignCenter, rows_are_);
        p.restore();
    }

    // The legend: the colours with their values, along the right.
    const bool diverging = scale_.kind == HeatScale::Kind::diverging;
    const auto& colours = diverging ? diverging_map(t.dark) : sequential_map();
    QImage bar(1, 256, QImage::Format_RGB32);
    for (int i = 0; i < 256; ++i) bar.setPixel(0, i, colours[static_cast<size_t>(255 - i)]);
    const QRect legend(g.right() + kGap + 2, g.top(), 9, std::max(40, g.height()));
    p.drawImage(legend, bar);
    auto ticks = scale_.ticks;
    if (ticks.empty()) {
        const auto number = [](float v) { return QString::number(double(v), 'g', 3); };
        ticks = diverging ? decltype(ticks){{-scale_.high, number(-scale_.high)}, {0.f, "0"}, {scale_.high, number(scale_.high)}}
                          : decltype(ticks){{scale_.low, number(scale_.low)}, {scale_.high, number(scale_.high)}};
    }
    double free = 1e9;
    for (const auto& [v, text] : ticks) {  // ascending: drawn from the bottom up
        const double y = legend.bottom() - place(v) * legend.height();
        if (y + m.height() / 2.0 > free) continue;
        p.drawText(QRectF(legend.right() + 4, y - m.height() / 2.0, kLegend, m.height()), Qt::AlignLeft | Qt::AlignVCenter, text);
        free = y - m.height() / 2.0;
    }
    if (!scale_.unit.isEmpty() && column_label_)
        p.drawText(QRect(g.right() - 40, legend.bottom() + 3, width() - g.right() + 40, m.height()), Qt::AlignRight, scale_.unit);

    const auto frame = [&](QPoint cell, const QColor& colour, double wide) {
        if (cell.x() < 0) return;
        QRectF r = rect_of(cell.y(), cell.x());
        if (r.width() < 5) r.adjust(-(5 - r.width()) / 2, 0, (5 - r.width()) / 2, 0);
        if (r.height() < 5) r.adjust(0, -(5 - r.height()) / 2, 0, (5 - r.height()) / 2);
        p.setPen(QPen(t.dark ? Qt::black : Qt::white, wide + 2));
        p.drawRect(r);
        p.setPen(QPen(colour, wide));
        p.drawRect(r);
    };
    frame(chosen_, t.accent, 2);
    frame(hover_, t.text, 1);
    if (hasFocus()) {
        p.setPen(QPen(t.accent, 1, Qt::DotLine));
        p.drawRect(rect().adjusted(0, 0, -1, -1));
    }
}

void HeatMap::point_at(int row, int column) {
    if (hover_ == QPoint(column, row)) return;
    hover_ = {column, row};
    update();
    if (row >= 0 && hasFocus() && describe) {
        setAccessibleDescription(describe(row, column, value(row, column)));
        QAccessibleEvent change(this, QAccessible::DescriptionChanged);
        QAccessible::updateAccessibility(&change);
    }
    emit hovered(row, column);
}

void HeatMap::mouseMoveEvent(QMouseEvent* event) {
    const QPoint cell = cell_at(event->position());
    point_at(cell.y(), cell.x());
}

void HeatMap::mousePressEvent(QMouseEvent* event) {
    const QPoint cell = cell_at(event->position());
    if (cell.x() >= 0 && event->button() == Qt::LeftButton) emit clicked(cell.y(), cell.x());
}

void HeatMap::leaveEvent(QEvent*) { point_at(-1, -1); }

void HeatMap::keyPressEvent(QKeyEvent* event) {
    QPoint at = hover_.x() >= 0 ? hover_ : QPoint(std::max(0, chosen_.x()), std::max(0, chosen_.y()));
    const int far = event->modifiers() & Qt::ShiftModifier ? 10 : 1;
    switch (event->key()) {
        case Qt::Key_Left:
            at.rx() -= far;
            break;
        case Qt::Key_Right:
            at.rx() += far;
            break;
        case Qt::Key_Up:
            at.ry() -= far;
            break;
        case Qt::Key_Down:
            at.ry() += far;
            break;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (rows_ > 0 && columns_ > 0) emit clicked(std::clamp(at.y(), 0, rows_ - 1), std::clamp(at.x(), 0, columns_ - 1));
            return;
        default:
            QWidget::keyPressEvent(event);
            return;
    }
    if (event->modifiers() & (Qt::AltModifier | Qt::ControlModifier)) {
        QWidget::keyPressEvent(event);
        return;
    }
    if (rows_ > 0 && columns_ > 0) point_at(std::clamp(at.y(), 0, rows_ - 1), std::clamp(at.x(), 0, columns_ - 1));
}

bool HeatMap::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const QPoint cell = cell_at(help->pos());
        if (cell.x() >= 0 && describe)
            QToolTip::showText(help->globalPos(), describe(cell.y(), cell.x(), value(cell.y(), cell.x())), this);
        else
            QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

void HeatMap::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) stale_ = true, update();
}

}  // namespace klp::gui
