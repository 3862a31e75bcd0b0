// How many channels have which half-life: bars in the colours of the map above them, over the named bands, so that it is the map's legend, too.
#pragma once

#include <QWidget>

#include "app/gui/panels/half_life.h"

namespace klp::gui {

class HalfLifePlot : public QWidget {
public:
    explicit HalfLifePlot(QWidget* parent);
    // `all` as bars, `one` (a head) as an outline. The axis grows in steps and never shrinks by itself.
    void set_counts(const HalfLifeCounts& all, const HalfLifeCounts& one, const QString& title, const QString& one_is);
    void forget();                                 // a new model: the axis begins anew, nothing is drawn
    std::function<void(const QString&)> on_hover;  // what stands under the cursor; empty when left

    QSize minimumSizeHint() const override { return {160, 96}; }
    QSize sizeHint() const override { return {420, 130}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QRectF plot() const;
    double x_of(double tokens) const;
    QString said(int bin) const;  // kBins: the infinite ones

    HalfLifeCounts all_, one_;
    QString title_, one_is_;
    double top_ = 0.05;
    int hover_ = -1;
};

}  // namespace klp::gui
