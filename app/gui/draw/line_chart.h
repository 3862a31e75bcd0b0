// Lines over a common axis: the only place that knows Qt Charts. Series change by replacement only, and should stay below about 600 points (`thinned`).
#pragma once

#include <QColor>
#include <QList>
#include <QPointF>
#include <QWidget>
#include <memory>
#include <vector>

#include "app/gui/draw/drawn.h"

namespace klp::gui {

class LineChart : public QWidget, public Drawn {
    Q_OBJECT
public:
    enum class Unit { number, count, tokens, bytes, nanoseconds };  // how values are written: "0.25", "3,200", "64k", "1.5 MiB", "200 us"
    struct Axis {
        QString title;
        bool log = false;
        double low = 0, high = 1;
        Unit unit = Unit::number;
        bool operator==(const Axis&) const = default;
    };
    explicit LineChart(QWidget* parent = nullptr);
    ~LineChart() override;

    void set_axes(const Axis& x, const Axis& y);  // cheap where nothing changed
    // `dashed`: not measured now (computed, recorded). On a log axis values are lifted to its low end. Few points are drawn as dots too, unless dashed.
    void set_series(int index, const QString& name, const QColor& colour, const QList<QPointF>& points, bool dashed = false);
    void drop_series(int from);  // this and all behind it
    // Vertical bars behind the points of a series, from `low` to `high`; they go with it. Where one leaves the axes it has no end.
    struct Whisker {
        double x = 0, low = 0, high = 0;
        bool operator==(const Whisker&) const = default;
    };
    void set_whiskers(int index, std::vector<Whisker> whiskers);
    std::vector<QList<QPointF>> points() const;  // of each series, as drawn
    // Lines across with a word beside them, which never lie on each other: a crossover, a wall, now.
    struct Mark {
        double x = 0;
        QString text;
        QColor colour;
        bool level = false;  // a horizontal line at y = x
        bool operator==(const Mark&) const = default;
    };
    void set_marks(std::vector<Mark> marks);
    void set_empty(const QString& sentence);  // shown while there are no points
    QSize minimumSizeHint() const override { return {180, 110}; }
    QSize sizeHint() const override { return {420, 220}; }
    void draw(QPainter& p) override;

    // Values at which an axis has lines, ascending: round ones of its unit, at most so many.
    static std::vector<double> ticks(const Axis& axis, int most);
    static QString tick_text(double value, Unit unit);

signals:
    void hovered(double x);  // NaN when left

protected:
    void changeEvent(QEvent* event) override;

private:
    class View;
    View* view_;
};

// At most `most` points that keep each stretch's smallest and largest value.
QList<QPointF> thinned(const QList<QPointF>& points, int most = 600);

}  // namespace klp::gui
