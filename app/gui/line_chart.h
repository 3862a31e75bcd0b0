// Lines over a common axis: the only place that knows Qt Charts. Series change by replacement only, and should stay below about 600 points (`thinned`).
#pragma once

#include <QList>
#include <QPointF>
#include <QWidget>

class QChart;
class QChartView;
class QLineSeries;
class QAbstractAxis;

namespace klp::gui {

class LineChart : public QWidget {
    Q_OBJECT
public:
    struct Axis {
        QString title;
        bool log = false;
        double low = 0, high = 1;
    };
    explicit LineChart(QWidget* parent = nullptr);
    ~LineChart() override;

    void set_axes(const Axis& x, const Axis& y);  // cheap where nothing changed
    // `dashed`: not measured now (computed, recorded). On a log axis values are lifted to its low end.
    void set_series(int index, const QString& name, const QColor& colour, const QList<QPointF>& points, bool dashed = false);
    void drop_series(int from);  // this and all behind it
    // Vertical lines with a word at their top: a crossover, a wall, now.
    struct Mark {
        double x = 0;
        QString text;
        QColor colour;
    };
    void set_marks(std::vector<Mark> marks);
    void set_empty(const QString& sentence);  // shown while there are no points
    QSize minimumSizeHint() const override { return {180, 110}; }
    QSize sizeHint() const override { return {420, 220}; }

signals:
    void hovered(double x);  // NaN when left

protected:
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* object, QEvent* event) override;

private:
    struct Parts;
    void style();
    std::unique_ptr<Parts> parts_;
};

// At most `most` points that keep each stretch's smallest and largest value.
QList<QPointF> thinned(const QList<QPointF>& points, int most = 600);

}  // namespace klp::gui
