// One quantity of the monitor: its name, its value in figures that can be read from across a room, a remark, and where it came from as a small picture.
#pragma once

#include <QColor>
#include <QWidget>
#include <vector>

namespace klp::gui {

class MonitorTile : public QWidget {
public:
    struct Curve {
        std::vector<double> values;  // NaN: not known
        QColor colour;
        bool filled = false, dashed = false;
    };
    struct Picture {
        std::vector<Curve> curves;
        double top = 0;       // of the axis; 0: of the values
        bool bars = false;    // of the first curve, each in its own colour
        bool frames = false;  // the same on a log axis, in the colours of the timeline's budgets: nanoseconds
    };
    MonitorTile(const QString& name, QWidget* parent);
    void show_value(const QString& value, const QString& note, Picture picture);
    const QString& value() const { return value_; }
    const QString& note() const { return note_; }
    QSize sizeHint() const override { return {260, 150}; }
    QSize minimumSizeHint() const override { return {120, 70}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void draw(QPainter& p, const QRectF& area) const;
    QString name_, value_, note_;
    Picture picture_;
};

}  // namespace klp::gui
