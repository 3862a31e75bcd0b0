#include "app/gui/panels/spectrum_plot.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {
constexpr double kDecades = 4;
}

SpectrumPlot::SpectrumPlot(QWidget* parent) : BinPlot(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setAccessibleName(tr("Singular values"));
    setToolTip(
        tr("Singular values σ of the matrix shown, as shares of the largest; fixed logarithmic axis. The effective rank is e<sup>H</sup>, "
           "H the entropy of σ / Σσ. Computed here from the picture, four times a second at most."));
}

void SpectrumPlot::set_spectrum(Spectrum spectrum) {
    spectrum_ = std::move(spectrum);
    if (hovered() >= static_cast<int>(spectrum_.values.size())) forget_hover();
    if (!spectrum_.values.empty()) {
        setAccessibleDescription(tr("Effective rank %1 of %2, %3 above 1 percent of the largest")
                                     .arg(local(fixed(spectrum_.effective_rank, 1)))
                                     .arg(spectrum_.values.size())
                                     .arg(spectrum_.above));
    }
    update();
}

QRectF SpectrumPlot::plot() const {
    const QFontMetrics m(font());
    const double left = m.horizontalAdvance(local("0.001")) + 6;
    return {left, 2.0 * m.height() + 6, width() - left - 4, height() - 3.0 * m.height() - 10};
}

void SpectrumPlot::draw(QPainter& p) {
    if (spectrum_.values.empty()) return;
    const Theme& t = theme_of(palette());
    const QFontMetrics m(font());
    const QRectF r = plot();
    const auto n = static_cast<double>(spectrum_.values.size());
    const auto height_of = [&](double share) { return std::clamp(1 + std::log10(std::max(share, 1e-9)) / kDecades, 0.0, 1.0) * r.height(); };
    QFont bold = font();
    bold.setBold(true);
    p.setFont(bold);
    p.setPen(t.text);
    const QString rank = local(fixed(spectrum_.effective_rank, 1)), title = tr("Effective rank %1").arg(rank);
    p.drawText(QRectF(r.left(), 0, r.width(), m.height()), Qt::AlignLeft | Qt::AlignVCenter,
               QFontMetrics(bold).horizontalAdvance(title) <= r.width() ? title : tr("Rank %1").arg(rank));
    p.setFont(font());
    p.setPen(t.muted);
    p.drawText(QRectF(r.left(), m.height(), r.width(), m.height()), Qt::AlignLeft | Qt::AlignVCenter,
               m.elidedText(tr("of %1; %2 above %3").arg(spectrum_.values.size()).arg(spectrum_.above).arg(local("1 %")), Qt::ElideRight, int(r.width())));
    p.fillRect(r, t.panel);
    for (int d = 0; d <= kDecades; ++d) {
        const double y = r.bottom() - height_of(std::pow(10, -d));
        p.setPen(d == 2 ? QPen(t.muted, 1, Qt::DashLine) : QPen(t.grid, 1));
        p.drawLine(QPointF(r.left(), y), QPointF(r.right(), y));
        p.setPen(t.muted);
        p.drawText(QRectF(0, y - m.height() / 2.0, r.left() - 5, m.height()), Qt::AlignRight | Qt::AlignVCenter,
                   d == 4 ? QString("1e−4") : local(QString::number(std::pow(10, -d)).toStdString()));
    }
    const double wide = r.width() / n;
    for (size_t i = 0; i < spectrum_.values.size(); ++i) {
        const double share = spectrum_.values[0] > 0 ? double(spectrum_.values[i]) / spectrum_.values[0] : 0, h = height_of(share);
        const QColor colour = static_cast<int>(i) == hovered() ? t.accent : share > 0.01 ? t.hybrid : t.border;
        p.fillRect(QRectF(r.left() + static_cast<double>(i) * wide, r.bottom() - h, std::max(1.0, wide > 3 ? wide - 1 : wide), h), colour);
    }
    p.setPen(t.muted);
    p.drawText(QRectF(r.left(), r.bottom() + 3, r.width(), m.height()), Qt::AlignLeft | Qt::AlignVCenter, "1");
    p.drawText(QRectF(r.left(), r.bottom() + 3, r.width(), m.height()), Qt::AlignRight | Qt::AlignVCenter, QString::number(spectrum_.values.size()));
    if (const QString name = tr("σ by rank"); m.horizontalAdvance(name) + 60 < r.width())
        p.drawText(QRectF(r.left(), r.bottom() + 3, r.width(), m.height()), Qt::AlignCenter, name);
}

int SpectrumPlot::bin_at(QPointF point) const {
    const QRectF r = plot();
    const auto n = static_cast<int>(spectrum_.values.size());
    return n == 0 || !r.contains(point) ? -1 : std::clamp(int((point.x() - r.left()) / r.width() * n), 0, n - 1);
}

QString SpectrumPlot::said(int bin) const {
    const auto value = [&](int i) { return double(spectrum_.values[static_cast<size_t>(i)]); };
    return tr("singular value %1 of %2: %3, %4 of the largest")
        .arg(bin + 1)
        .arg(spectrum_.values.size())
        .arg(local(QString::number(value(bin), 'g', 4).toStdString()), local(percent_text(value(bin) / value(0))));
}

}  // namespace klp::gui
