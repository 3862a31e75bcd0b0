// Singular values as bars over a fixed logarithmic axis: shares of the largest, from 1 down to 1/10,000.
#pragma once

#include <QWidget>

#include "app/gui/panels/state_math.h"

namespace klp::gui {

class SpectrumPlot : public QWidget {
public:
    explicit SpectrumPlot(QWidget* parent);
    void set_spectrum(Spectrum spectrum);  // without values: draws nothing
    const Spectrum& spectrum() const { return spectrum_; }
    std::function<void(const QString&)> on_hover;  // what stands under the cursor; empty when left

    QSize minimumSizeHint() const override { return {120, 90}; }
    QSize sizeHint() const override { return {200, 240}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QRectF plot() const;
    Spectrum spectrum_;
    int hover_ = -1;
};

}  // namespace klp::gui
