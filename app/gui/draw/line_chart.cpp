#include "app/gui/draw/line_chart.h"

#include <QChart>
#include <QChartView>
#include <QEvent>
#include <QGraphicsScene>
#include <QLegend>
#include <QLineSeries>
#include <QMouseEvent>
#include <QPainter>
#include <QPixmap>
#include <QVBoxLayout>
#include <QValueAxis>
#include <algorithm>
#include <cmath>
#include <limits>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double forward(const LineChart::Axis& a, double v) { return a.log ? std::log10(std::max(v, std::max(a.low, 1e-9))) : v; }
double backward(const LineChart::Axis& a, double v) { return a.log ? std::pow(10, v) : v; }

// A value under the cursor, in full.
QString value_text(double value, LineChart::Unit unit) {
    switch (unit) {
        case LineChart::Unit::tokens:
            return tokens_text(std::llround(value));
        case LineChart::Unit::bytes:
            return local(bytes_text(std::llround(value)));
        case LineChart::Unit::nanoseconds:
            return local(duration_text(value));
        case LineChart::Unit::count:
            return local(grouped(std::llround(value)));
        case LineChart::Unit::number:
            break;
    }
    return local(short_number(value));
}

}  // namespace

// Qt Charts draws the lines. Grid, labels, legend and marks are drawn here: its log axes cannot say "64k" or "1 MiB", and its legend is cut off when narrow.
class LineChart::View final : public QChartView {
public:
    View(LineChart* owner) : QChartView(new QChart, owner), owner_(owner) {
        chart()->setBackgroundVisible(false);
        chart()->legend()->hide();
        for (QValueAxis* axis : {x_axis_, y_axis_}) axis->setVisible(false);
        chart()->addAxis(x_axis_, Qt::AlignBottom);
        chart()->addAxis(y_axis_, Qt::AlignLeft);
        setRenderHint(QPainter::Antialiasing);
        setFrameShape(QFrame::NoFrame);
        setFocusPolicy(Qt::NoFocus);
        viewport()->setFocusPolicy(Qt::NoFocus);
        viewport()->setMouseTracking(true);
        viewport()->setAutoFillBackground(false);
    }

    Axis x, y;
    std::vector<QLineSeries*> series;
    std::vector<std::vector<Whisker>> whiskers;  // of each series that has some
    std::vector<Mark> marks;
    QString empty;

    bool has_points() const {
        return std::any_of(series.begin(), series.end(), [](QLineSeries* s) { return s->count() > 0; });
    }
    void set_ranges() {
        const auto range = [](QValueAxis* axis, const Axis& is) {
            const double low = forward(is, is.low), high = forward(is, is.high);
            axis->setRange(low, std::max(high, low + 1e-9));
        };
        range(x_axis_, x), range(y_axis_, y);
        arrange();
    }
    QLineSeries* add() {
        auto* s = new QLineSeries;
        chart()->addSeries(s);
        s->attachAxis(x_axis_);
        s->attachAxis(y_axis_);
        s->setMarkerSize(3);
        series.push_back(s);
        return s;
    }

    // Where everything stands: legend above, labels left and below, the lines in what is left.
    void arrange() {
        const QFontMetricsF m(small());
        const double row = m.height() + 3, wide = width();
        legend_.clear();
        double top = 3, at = y.title.isEmpty() ? 0 : m.horizontalAdvance(y.title) + 18;
        if (series.size() > 1) {
            double all = 0;
            for (QLineSeries* s : series) all += s->name().isEmpty() ? 0 : entry_width(m, s->name());
            const bool one_row = at + all <= wide - 8;
            if (one_row)
                at = wide - 8 - all;
            else if (at > 0)
                top += row, at = 0;
            for (QLineSeries* s : series) {
                if (s->name().isEmpty()) continue;
                const double w = std::min(entry_width(m, s->name()), wide - 8);
                if (at > 0 && at + w > wide - 4) top += row, at = 0;
                legend_.push_back({QRectF(at + 4, top, w, row), s});
                at += w;
            }
        }
        top += at > 0 ? row + m.height() / 2 - 1 : m.height() / 2;
        const double bottom = height() - (m.height() + 5) - (x.title.isEmpty() ? 0 : m.height());
        const int lines = std::clamp(static_cast<int>((bottom - top) / (m.height() * 1.7)), 2, 8);
        y_ticks_ = ticks(y, lines);
        double left = 0;
        for (double v : y_ticks_) left = std::max(left, m.horizontalAdvance(tick_text(v, y.unit)));
        left += 9;
        const double right = wide - 14;
        for (int most = 12; most >= 2; --most) {
            x_ticks_ = ticks(x, most);
            double needed = 0;
            for (double v : x_ticks_) needed = std::max(needed, m.horizontalAdvance(tick_text(v, x.unit)) + 12);
            if (needed * static_cast<double>(x_ticks_.size()) <= right - left) break;
        }
        const QRectF area(left, top, std::max(20.0, right - left), std::max(20.0, bottom - top));
        if (area != area_) chart()->setPlotArea(area_ = area);
        lines_changed();
    }
    void lines_changed() {
        stale_ = true;
        viewport()->update();
    }

protected:
    void resizeEvent(QResizeEvent* event) override {
        QChartView::resizeEvent(event);
        arrange();
    }
    // Grid and lines are kept as a picture: marks and the cursor move far more often than they do.
    void paintEvent(QPaintEvent*) override {
        QPainter p(viewport());
        p.setRenderHint(QPainter::Antialiasing);
        const double ratio = p.device()->devicePixelRatio();
        if (stale_ || picture_.size() != viewport()->size() * ratio) {
            picture_ = QPixmap(viewport()->size() * ratio);
            picture_.setDevicePixelRatio(ratio);
            picture_.fill(Qt::transparent);
            QPainter onto(&picture_);
            draw_lines(&onto);
            stale_ = false;
        }
        p.drawPixmap(0, 0, picture_);
        draw_above(&p);
        if (!std::isnan(cursor_) && has_points()) draw_cursor(&p, theme_of(palette()));
    }
    void mouseMoveEvent(QMouseEvent* event) override { point_at(event->position()); }
    void leaveEvent(QEvent*) override { point_at({-1, -1}); }
    // Presses belong to whoever the chart lies on, not to Qt Charts' rubber bands.
    void mousePressEvent(QMouseEvent* event) override { event->ignore(); }

public:
    void draw(QPainter& p) {
        p.setRenderHint(QPainter::Antialiasing);
        draw_lines(&p);
        draw_above(&p);
    }

private:
    void draw_lines(QPainter* p) {
        p->setRenderHint(QPainter::Antialiasing);
        draw_frame(p);
        // Where points lie close, smooth lines cost much and show nothing.
        p->setRenderHint(QPainter::Antialiasing, std::none_of(series.begin(), series.end(), [&](QLineSeries* s) { return s->count() > area_.width() / 3; }));
        const QRectF all = viewport()->rect();
        scene()->render(p, all, all);
    }

    void draw_frame(QPainter* p) {
        const Theme& t = theme_of(palette());
        const QFontMetricsF m(small());
        p->setFont(small());
        p->setRenderHint(QPainter::Antialiasing, false);
        p->fillRect(area_, t.panel);
        p->setPen(t.grid);
        for (double v : y_ticks_) p->drawLine(QPointF(area_.left(), y_at(v)), QPointF(area_.right(), y_at(v)));
        for (double v : x_ticks_) p->drawLine(QPointF(x_at(v), area_.top()), QPointF(x_at(v), area_.bottom()));
        p->setPen(t.border);
        p->setBrush(Qt::NoBrush);
        p->drawRect(area_);
        p->setRenderHint(QPainter::Antialiasing);
        p->setPen(t.muted);
        for (double v : y_ticks_)
            p->drawText(QRectF(0, y_at(v) - m.height() / 2, area_.left() - 5, m.height()), Qt::AlignRight | Qt::AlignVCenter, tick_text(v, y.unit));
        for (double v : x_ticks_) {
            const QString text = tick_text(v, x.unit);
            const double half = m.horizontalAdvance(text) / 2 + 1, middle = std::clamp(x_at(v), half, std::max(half, width() - half));
            p->drawText(QRectF(middle - half, area_.bottom() + 3, 2 * half, m.height()), Qt::AlignCenter, text);
        }
        if (!x.title.isEmpty()) p->drawText(QRectF(area_.left(), area_.bottom() + 3 + m.height(), area_.width(), m.height()), Qt::AlignCenter, x.title);
        if (!y.title.isEmpty()) p->drawText(QRectF(4, 3, width() - 8, m.height()), Qt::AlignLeft | Qt::AlignVCenter, y.title);
        for (size_t i = 0; i < std::min(whiskers.size(), series.size()); ++i) {
            QColor colour = series[i]->pen().color();
            colour.setAlphaF(0.7f * colour.alphaF());
            p->setPen(QPen(colour, 1.2));
            const double apart = 2.5 * (static_cast<double>(i) - (static_cast<double>(whiskers.size()) - 1) / 2);  // those of two series at one x
            for (const Whisker& w : whiskers[i]) {
                const double at = x_at(w.x) + apart, low = y_at(std::clamp(w.low, y.low, y.high)), high = y_at(std::clamp(w.high, y.low, y.high));
                p->drawLine(QPointF(at, low), QPointF(at, high));
                if (w.low >= y.low) p->drawLine(QPointF(at - 3, low), QPointF(at + 3, low));
                if (w.high <= y.high) p->drawLine(QPointF(at - 3, high), QPointF(at + 3, high));
            }
        }
        for (const auto& [place, s] : legend_) {
            p->setPen(s->pen());
            p->drawLine(QPointF(place.left(), place.center().y()), QPointF(place.left() + kSample, place.center().y()));
            p->setPen(t.text);
            p->drawText(place.adjusted(kSample + 5, 0, -8, 0), Qt::AlignLeft | Qt::AlignVCenter,
                        m.elidedText(s->name(), Qt::ElideRight, place.width() - kSample - 11));
        }
    }

    void draw_above(QPainter* p) {
        const Theme& t = theme_of(palette());
        p->setFont(small());
        if (!has_points()) {
            p->setPen(t.muted);
            p->drawText(area_.adjusted(8, 0, -8, 0), Qt::AlignCenter | Qt::TextWordWrap, empty);
        }
        draw_marks(p, t);
    }

    static constexpr double kSample = 18;  // of a line, in the legend

    QFont small() const {
        QFont f = font();
        f.setPointSizeF(std::max(7.0, f.pointSizeF() - 1));
        return f;
    }
    static double entry_width(const QFontMetricsF& m, const QString& name) { return kSample + 5 + m.horizontalAdvance(name) + 14; }
    static double along(const Axis& a, double v) {
        const double low = forward(a, a.low), high = forward(a, a.high);
        return (forward(a, v) - low) / std::max(high - low, 1e-9);
    }
    double x_at(double v) const { return area_.left() + along(x, v) * area_.width(); }
    double y_at(double v) const { return area_.bottom() - along(y, v) * area_.height(); }

    void draw_marks(QPainter* p, const Theme& t) {
        const QFontMetricsF m(p->font());
        std::vector<const Mark*> shown;
        for (const Mark& mark : marks) {
            const double at = along(mark.level ? y : x, mark.x);
            if (mark.x >= (mark.level ? y : x).low && at <= 1) shown.push_back(&mark);
        }
        std::stable_sort(shown.begin(), shown.end(), [](const Mark* a, const Mark* b) { return a->level != b->level ? a->level : a->x < b->x; });
        for (const Mark* mark : shown) {
            p->setPen(QPen(mark->colour, 1, Qt::DashLine));
            if (mark->level)
                p->drawLine(QPointF(area_.left(), y_at(mark->x)), QPointF(area_.right(), y_at(mark->x)));
            else
                p->drawLine(QPointF(x_at(mark->x), area_.top()), QPointF(x_at(mark->x), area_.bottom()));
        }
        std::vector<QRectF> taken;
        QColor behind = t.panel;
        behind.setAlpha(225);
        for (const Mark* mark : shown) {
            const double wide = std::min(m.horizontalAdvance(mark->text) + 4, area_.width() - 8), high = m.height();
            std::vector<QPointF> places;  // the nicer first
            if (mark->level) {
                const double line = y_at(mark->x);
                for (double left : {area_.right() - wide - 3, area_.left() + 3, area_.center().x() - wide / 2})
                    for (double top : {line - high - 1, line + 2}) places.push_back({left, top});
            } else {
                const double line = x_at(mark->x);
                for (double top = area_.top() + 2; top + high < area_.bottom(); top += high)
                    for (double left : {line + 3, line - wide - 3}) places.push_back({left, top});
            }
            for (const QPointF& place : places) {
                const QRectF box(place, QSizeF(wide, high));
                if (!area_.contains(box) || std::any_of(taken.begin(), taken.end(), [&](const QRectF& r) { return r.intersects(box); })) continue;
                taken.push_back(box);
                p->fillRect(box, behind);
                p->setPen(mark->colour);
                p->drawText(box, Qt::AlignCenter, m.elidedText(mark->text, Qt::ElideRight, wide));
                break;
            }
        }
    }

    // A line under the cursor, with the values of all series there.
    void draw_cursor(QPainter* p, const Theme& t) {
        const QFontMetricsF m(p->font());
        struct Row {
            QColor colour;
            QString text;
        };
        std::vector<Row> rows{{t.text, value_text(cursor_, x.unit)}};
        for (QLineSeries* s : series) {
            const double v = value_of(s, forward(x, cursor_));
            if (!std::isnan(v)) rows.push_back({s->pen().color(), (s->name().isEmpty() ? QString() : s->name() + "  ") + value_text(backward(y, v), y.unit)});
        }
        const double at = x_at(cursor_);
        p->setPen(QPen(t.muted, 1));
        p->drawLine(QPointF(at, area_.top()), QPointF(at, area_.bottom()));
        double wide = 0;
        for (const Row& r : rows) wide = std::max(wide, m.horizontalAdvance(r.text));
        QRectF box(at + 8, area_.top() + 6, wide + 12, m.height() * static_cast<double>(rows.size()) + 6);
        if (box.right() > area_.right()) box.moveRight(at - 8);
        if (box.left() < 0) box.moveLeft(2);
        p->setPen(t.border);
        p->setBrush(t.raised);
        p->drawRoundedRect(box, 3, 3);
        for (size_t i = 0; i < rows.size(); ++i) {
            p->setPen(rows[i].colour);
            p->drawText(QRectF(box.left() + 6, box.top() + 3 + m.height() * static_cast<double>(i), wide, m.height()), Qt::AlignLeft | Qt::AlignVCenter,
                        rows[i].text);
        }
    }
    // Of a series at x, between its neighbours; both as drawn. NaN outside of it.
    static double value_of(QLineSeries* s, double x) {
        const QList<QPointF> points = s->points();
        const auto after = std::lower_bound(points.begin(), points.end(), x, [](const QPointF& q, double v) { return q.x() < v; });
        if (after == points.end() || (after == points.begin() && after->x() > x)) return kNone;
        if (after == points.begin()) return after->y();
        const auto before = after - 1;
        const double f = (x - before->x()) / std::max(after->x() - before->x(), 1e-12);
        return before->y() + f * (after->y() - before->y());
    }

    void point_at(QPointF position) {
        const bool inside = area_.contains(position);
        if (!inside && std::isnan(cursor_)) return;
        const double low = forward(x, x.low), high = forward(x, x.high);
        cursor_ = inside ? backward(x, low + (position.x() - area_.left()) / area_.width() * (high - low)) : kNone;
        viewport()->update();
        emit owner_->hovered(cursor_);
    }

    LineChart* owner_;
    QValueAxis *x_axis_ = new QValueAxis, *y_axis_ = new QValueAxis;
    std::vector<double> x_ticks_, y_ticks_;
    struct Entry {
        QRectF place;
        QLineSeries* series;
    };
    std::vector<Entry> legend_;
    QRectF area_;
    QPixmap picture_;  // of frame and lines
    bool stale_ = true;
    double cursor_ = kNone;
};

LineChart::LineChart(QWidget* parent) : QWidget(parent), view_(new View(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(view_);
    view_->set_ranges();
}

LineChart::~LineChart() = default;

void LineChart::draw(QPainter& p) { view_->draw(p); }

void LineChart::set_axes(const Axis& x, const Axis& y) {
    if (view_->x == x && view_->y == y) return;
    view_->x = x, view_->y = y;
    view_->set_ranges();
}

void LineChart::set_series(int index, const QString& name, const QColor& colour, const QList<QPointF>& points, bool dashed) {
    bool moves = false;
    while (static_cast<int>(view_->series.size()) <= index) view_->add(), moves = true;
    QLineSeries* s = view_->series[static_cast<size_t>(index)];
    if (s->name() != name) s->setName(name), moves = true;
    QPen pen(colour, 2, dashed ? Qt::DashLine : Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin);
    const bool recoloured = s->pen() != pen;
    if (recoloured) s->setPen(pen);
    QList<QPointF> ready = thinned(points, std::clamp(width() / 2, 100, 600));
    ready.removeIf([](const QPointF& p) { return !std::isfinite(p.x()) || !std::isfinite(p.y()); });
    for (QPointF& p : ready) p = {forward(view_->x, p.x()), forward(view_->y, p.y())};
    const bool dots = !dashed && !ready.isEmpty() && ready.size() <= 20;
    if (s->pointsVisible() != dots) s->setPointsVisible(dots);
    const bool changed = s->points() != ready;
    if (changed) s->replace(ready);
    if (moves)
        view_->arrange();
    else if (changed || recoloured)
        view_->lines_changed();
}

void LineChart::drop_series(int from) {
    if (static_cast<int>(view_->series.size()) <= from) return;
    while (static_cast<int>(view_->series.size()) > from) {
        view_->chart()->removeSeries(view_->series.back());
        delete view_->series.back();
        view_->series.pop_back();
    }
    if (static_cast<int>(view_->whiskers.size()) > from) view_->whiskers.resize(static_cast<size_t>(from));
    view_->arrange();
}

void LineChart::set_whiskers(int index, std::vector<Whisker> whiskers) {
    auto& all = view_->whiskers;
    if (static_cast<int>(all.size()) <= index) all.resize(static_cast<size_t>(index) + 1);
    std::erase_if(whiskers, [](const Whisker& w) { return !(std::isfinite(w.low) && std::isfinite(w.high)); });
    if (all[static_cast<size_t>(index)] == whiskers) return;
    all[static_cast<size_t>(index)] = std::move(whiskers);
    view_->lines_changed();
}

std::vector<QList<QPointF>> LineChart::points() const {
    std::vector<QList<QPointF>> all;
    for (QLineSeries* s : view_->series) all.push_back(s->points());
    return all;
}

void LineChart::set_marks(std::vector<Mark> marks) {
    if (view_->marks == marks) return;
    view_->marks = std::move(marks);
    view_->viewport()->update();
}

void LineChart::set_empty(const QString& sentence) {
    view_->empty = sentence;
    view_->viewport()->update();
}

void LineChart::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) view_->arrange();
}

std::vector<double> LineChart::ticks(const Axis& a, int most) {
    const double low = a.log ? std::max(a.low, 1e-9) : a.low, high = std::max(a.high, low);
    std::vector<double> out;
    const auto fill = [&](double first, double last, auto value) {  // exponents or multiples
        out.clear();
        if (last - first > 4.0 * most) return false;
        for (double i = first; i <= last + 1e-9; ++i) out.push_back(value(i));
        return static_cast<int>(out.size()) <= most;
    };
    const bool binary = a.unit == Unit::tokens || a.unit == Unit::bytes;
    if (a.log) {
        const double base = binary ? 2 : 10, from = std::log(low) / std::log(base) - 1e-9, to = std::log(high) / std::log(base) + 1e-9;
        if (!binary) {  // 1, 2, 5 of each decade, where there are few decades
            for (double d = std::floor(from); d <= to; ++d)
                for (double digit : {1.0, 2.0, 5.0})
                    if (const double v = digit * std::pow(10, d); v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9)) out.push_back(v);
            if (static_cast<int>(out.size()) <= most && out.size() > 1) return out;
        }
        for (double step : {1.0, 2.0, a.unit == Unit::tokens ? 4.0 : 5.0, 10.0, 20.0, 40.0})
            if (fill(std::ceil(from / step), std::floor(to / step), [&](double i) { return std::pow(base, i * step); })) return out;
        return out;
    }
    if (!(high > low)) return {low};
    double step = a.unit == Unit::bytes ? std::exp2(std::floor(std::log2((high - low) / most))) : std::pow(10, std::floor(std::log10((high - low) / most)));
    if (a.unit != Unit::number) step = std::max(1.0, step);
    for (int i = 0; i < 12; ++i) {
        const double tried = a.unit == Unit::bytes ? step * std::exp2(i) : step * std::pow(10, i / 3) * (i % 3 == 0 ? 1 : i % 3 == 1 ? 2 : 5);
        if (fill(std::ceil(low / tried - 1e-9), std::floor(high / tried + 1e-9), [&](double n) { return n * tried; })) return out;
    }
    return out;
}

QString LineChart::tick_text(double v, Unit unit) {
    const auto plain = [](std::string text) {  // "1.0 MiB", "2.00 s": round values need no decimals
        const size_t space = text.find(' '), point = text.find('.');
        if (point == text.npos || space < point) return local(text);
        std::string number = text.substr(0, space);
        while (number.ends_with('0')) number.pop_back();
        if (number.ends_with('.')) number.pop_back();
        return local(number + text.substr(space));
    };
    switch (unit) {
        case Unit::tokens: {
            const int64_t n = std::llround(v);
            if (n >= 1 << 20 && n % (1 << 20) == 0) return QString("%1M").arg(n >> 20);
            if (n >= 1024 && n % 1024 == 0) return QString("%1k").arg(n >> 10);
            return local(grouped(n));
        }
        case Unit::bytes:
            return v == 0 ? "0" : plain(bytes_text(std::llround(v)));
        case Unit::nanoseconds:
            return v == 0 ? "0" : plain(duration_text(v));
        case Unit::count:
            return local(grouped(std::llround(v)));
        case Unit::number:
            break;
    }
    return std::abs(v) >= 10'000 && std::abs(v) < 1e9 ? local(grouped(std::llround(v)))
                                                      : local(QString::number(std::abs(v) < 1e-12 ? 0 : v, 'g', 4).toStdString());
}

QList<QPointF> thinned(const QList<QPointF>& points, int most) {
    if (points.size() <= most) return points;
    QList<QPointF> out;
    const qsizetype buckets = most / 2, n = points.size();
    for (qsizetype b = 0; b < buckets; ++b) {
        const qsizetype from = b * n / buckets, to = (b + 1) * n / buckets;
        qsizetype low = from, high = from;
        for (qsizetype i = from; i < to; ++i) {
            if (points[i].y() < points[low].y() || std::isnan(points[low].y())) low = i;
            if (points[i].y() > points[high].y() || std::isnan(points[high].y())) high = i;
        }
        out.push_back(points[std::min(low, high)]);
        if (low != high) out.push_back(points[std::max(low, high)]);
    }
    return out;
}

}  // namespace klp::gui
