// How many channels have which half-life: bars in the colours of the map above them, over the named bands, so that it is the map's legend, too.
#pragma once

#include "app/gui/panels/bin_plot.h"
#include "app/gui/panels/half_life.h"

namespace klp::gui {

class HalfLifePlot : public BinPlot {
public:
    explicit HalfLifePlot(QWidget* parent);
    // `all` as bars, `one` (a head) as an outline. The axis grows in steps and never shrinks by itself.
    void set_counts(const HalfLifeCounts& all, const HalfLifeCounts& one, const QString& title, const QString& one_is);
    void set_one_gate(bool one) { one_gate_ = one; }  // of a head: what is counted are heads, not channels
    void forget();                                    // a new model: the axis begins anew, nothing is drawn

    QSize minimumSizeHint() const override { return {160, 96}; }
    QSize sizeHint() const override { return {420, 130}; }

    void draw(QPainter& p) override;

protected:
    int bin_at(QPointF point) const override;
    QString said(int bin) const override;  // kBins: the infinite ones

private:
    QRectF plot() const;
    double x_of(double tokens) const;

    HalfLifeCounts all_, one_;
    QString title_, one_is_;
    double top_ = 0.05;
    bool one_gate_ = false;
};

}  // namespace klp::gui
