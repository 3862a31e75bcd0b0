// Singular values as bars over a fixed logarithmic axis: shares of the largest, from 1 down to 1/10,000.
#pragma once

#include "app/gui/panels/bin_plot.h"
#include "app/gui/panels/state_math.h"

namespace klp::gui {

class SpectrumPlot : public BinPlot {
public:
    explicit SpectrumPlot(QWidget* parent);
    void set_spectrum(Spectrum spectrum);  // without values: draws nothing
    const Spectrum& spectrum() const { return spectrum_; }

    QSize minimumSizeHint() const override { return {120, 90}; }
    QSize sizeHint() const override { return {200, 240}; }

    void draw(QPainter& p) override;

protected:
    int bin_at(QPointF point) const override;
    QString said(int bin) const override;

private:
    QRectF plot() const;
    Spectrum spectrum_;
};

}  // namespace klp::gui
