#include "app/gui/line_chart.h"

#include <QChart>
#include <QChartView>
#include <QEvent>
#include <QGraphicsLayout>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QLogValueAxis>
#include <QMouseEvent>
#include <QPainter>
#include <QVBoxLayout>
#include <QValueAxis>
#include <algorithm>
#include <cmath>
#include <limits>

#include "app/gui/theme.h"

namespace klp::gui {

namespace {

// The view, with marks drawn over the chart.
class View final : public QChartView {
public:
    using QChartView::QChartView;
    std::vector<LineChart::Mark> marks;
    QString empty;
    bool has_points = false;

protected:
    void drawForeground(QPainter* p, const QRectF&) override {
        const Theme& t = theme_of(palette());
        const QRectF area = chart()->plotArea();
        if (!has_points) {
            p->setPen(t.muted);
            p->drawText(area.adjusted(8, 0, -8, 0), Qt::AlignCenter | Qt::TextWordWrap, empty);
        }
        if (chart()->series().isEmpty()) return;
        const QFontMetricsF m(font());
        int row = 0;
        for (const auto& mark : marks) {
            const double x = chart()->mapToPosition({mark.x, 0}, chart()->series().first()).x();
            if (!(x >= area.left() && x <= area.right())) continue;
            p->setPen(QPen(mark.colour, 1, Qt::DashLine));
            p->drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
            const double wide = m.horizontalAdvance(mark.text);
            const bool left = x + wide + 6 > area.right();
            p->setPen(mark.colour);
            p->drawText(QPointF(left ? x - wide - 4 : x + 4, area.top() + m.ascent() + 2 + (row++ % 3) * m.height()), mark.text);
        }
    }
};

}  // namespace

struct LineChart::Parts {
    View* view = nullptr;
    QChart* chart = nullptr;
    QAbstractAxis *x = nullptr, *y = nullptr;
    Axis x_is, y_is;
    std::vector<QLineSeries*> series;
};

LineChart::LineChart(QWidget* parent) : QWidget(parent), parts_(std::make_unique<Parts>()) {
    parts_->chart = new QChart;
    parts_->chart->layout()->setContentsMargins(0, 0, 0, 0);
    parts_->chart->setMargins(QMargins(2, 2, 8, 2));
    parts_->chart->setBackgroundVisible(false);
    parts_->chart->legend()->setAlignment(Qt::AlignTop);
    parts_->view = new View(parts_->chart, this);
    parts_->view->setRenderHint(QPainter::Antialiasing);
    parts_->view->setFrameShape(QFrame::NoFrame);
    parts_->view->setBackgroundBrush(Qt::NoBrush);
    parts_->view->setFocusPolicy(Qt::NoFocus);
    parts_->view->viewport()->setMouseTracking(true);
    parts_->view->viewport()->installEventFilter(this);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(parts_->view);
    set_axes({}, {});
}

LineChart::~LineChart() = default;

void LineChart::set_axes(const Axis& x, const Axis& y) {
    const auto make = [&](QAbstractAxis*& axis, Axis& was, const Axis& is, Qt::Alignment side) {
        if (!axis || was.log != is.log) {
            if (axis) {
                parts_->chart->removeAxis(axis);
                delete axis;
            }
            if (is.log) {
                auto* a = new QLogValueAxis;
                a->setBase(10);
                a->setLabelFormat("%g");
                a->setMinorTickCount(-1);
                axis = a;
            } else {
                auto* a = new QValueAxis;
                a->setLabelFormat("%g");
                a->setTickCount(4);
                axis = a;
            }
            parts_->chart->addAxis(axis, side);
            for (QLineSeries* s : parts_->series) s->attachAxis(axis);
            was = {"\x01", is.log, 0, 0};
        }
        if (was.title != is.title) axis->setTitleText(is.title);
        if (was.low != is.low || was.high != is.high) axis->setRange(is.log ? std::max(is.low, 1e-9) : is.low, std::max(is.high, is.low + 1e-9));
        was = is;
    };
    const bool fresh = !parts_->x || !parts_->y || parts_->x_is.log != x.log || parts_->y_is.log != y.log;
    make(parts_->x, parts_->x_is, x, Qt::AlignBottom);
    make(parts_->y, parts_->y_is, y, Qt::AlignLeft);
    if (fresh) style();
}

void LineChart::set_series(int index, const QString& name, const QColor& colour, const QList<QPointF>& points, bool dashed) {
    while (static_cast<int>(parts_->series.size()) <= index) {
        auto* s = new QLineSeries;
        parts_->chart->addSeries(s);
        s->attachAxis(parts_->x);
        s->attachAxis(parts_->y);
        parts_->series.push_back(s);
    }
    QLineSeries* s = parts_->series[static_cast<size_t>(index)];
    if (s->name() != name) s->setName(name);
    QPen pen(colour, 2);
    if (dashed) pen.setStyle(Qt::DashLine);
    if (s->pen() != pen) s->setPen(pen);
    QList<QPointF> ready = thinned(points);
    ready.removeIf([](const QPointF& p) { return !std::isfinite(p.x()) || !std::isfinite(p.y()); });
    if (parts_->y_is.log)
        for (QPointF& p : ready) p.setY(std::max(p.y(), std::max(parts_->y_is.low, 1e-9)));
    if (parts_->x_is.log)
        for (QPointF& p : ready) p.setX(std::max(p.x(), std::max(parts_->x_is.low, 1e-9)));
    s->replace(ready);
    parts_->view->has_points = std::any_of(parts_->series.begin(), parts_->series.end(), [](QLineSeries* l) { return l->count() > 0; });
    parts_->chart->legend()->setVisible(parts_->series.size() > 1);
}

void LineChart::drop_series(int from) {
    while (static_cast<int>(parts_->series.size()) > from) {
        parts_->chart->removeSeries(parts_->series.back());
        delete parts_->series.back();
        parts_->series.pop_back();
    }
    if (from == 0) parts_->view->has_points = false;
}

void LineChart::set_marks(std::vector<Mark> marks) {
    parts_->view->marks = std::move(marks);
    parts_->view->viewport()->update();
}

void LineChart::set_empty(const QString& sentence) {
    parts_->view->empty = sentence;
    parts_->view->viewport()->update();
}

void LineChart::style() {
    const Theme& t = theme_of(palette());
    QFont small = font();
    small.setPointSizeF(std::max(7.0, font().pointSizeF() - 1));
    for (QAbstractAxis* a : {parts_->x, parts_->y}) {
        if (!a) continue;
        a->setLabelsBrush(t.muted);
        a->setTitleBrush(t.muted);
        a->setLabelsFont(small);
        a->setTitleFont(small);
        a->setLinePen(QPen(t.border));
        a->setGridLinePen(QPen(t.grid));
        a->setMinorGridLinePen(QPen(t.grid, 0.5));
    }
    parts_->chart->legend()->setLabelBrush(t.text);
    parts_->chart->legend()->setFont(small);
    parts_->chart->setPlotAreaBackgroundVisible(true);
    parts_->chart->setPlotAreaBackgroundBrush(t.panel);
}

void LineChart::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) style();
}

bool LineChart::eventFilter(QObject* object, QEvent* event) {
    if (event->type() == QEvent::MouseMove && !parts_->series.empty()) {
        const auto at = static_cast<QMouseEvent*>(event)->position();
        const QPointF value = parts_->chart->mapToValue(at, parts_->series[0]);
        emit hovered(parts_->chart->plotArea().contains(at) ? value.x() : std::numeric_limits<double>::quiet_NaN());
    } else if (event->type() == QEvent::Leave) {
        emit hovered(std::numeric_limits<double>::quiet_NaN());
    }
    return QWidget::eventFilter(object, event);
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
