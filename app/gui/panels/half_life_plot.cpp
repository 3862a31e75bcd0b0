#include "app/gui/panels/half_life_plot.h"

#include <QPainter>
#include <QPainterPath>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr double kTops[] = {0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1};
constexpr double kEndless = 22;  // pixels at the right for infinite half-lives

double share(int count, int total) { return total > 0 ? double(count) / total : 0; }

}  // namespace

HalfLifePlot::HalfLifePlot(QWidget* parent) : BinPlot(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    setAccessibleName(tr("Histogram of half-lives"));
}

void HalfLifePlot::set_counts(const HalfLifeCounts& all, const HalfLifeCounts& one, const QString& title, const QString& one_is) {
    all_ = all, one_ = one, title_ = title, one_is_ = one_is;
    double most = share(all.infinite, all.total);
    for (int n : all.bins) most = std::max(most, share(n, all.total));
    for (double top : kTops)
        if (top_ < top && most > top_) top_ = top;
    setAccessibleDescription(tr("%1. Median %2 tokens.").arg(title, half_life_text(all.median())));
    update();
}

void HalfLifePlot::forget() {
    all_ = one_ = {};
    top_ = kTops[0];
    update();
}

QRectF HalfLifePlot::plot() const {
    const int line = QFontMetrics(font()).height();
    return {1, line + 3.0, width() - kEndless - 8, height() - 2.0 * line - 6};
}

double HalfLifePlot::x_of(double tokens) const {
    const QRectF r = plot();
    return r.left() + r.width() * std::log(tokens / kShortest) / std::log(double(kLongest) / kShortest);
}

QString HalfLifePlot::said(int bin) const {
    const auto say = [&](int n, int of) {
        return (one_gate_ ? tr("%1 of %2 heads (%3)") : tr("%1 of %2 channels (%3)")).arg(n).arg(of).arg(local(percent_text(share(n, of))));
    };
    if (bin == HalfLifeCounts::kBins) return tr("half-life ∞ (α = 1): %1").arg(say(all_.infinite, all_.total));
    const float low = HalfLifeCounts::low(bin), high = HalfLifeCounts::low(bin + 1);
    const QString range = bin == 0                           ? tr("up to %1").arg(half_life_text(high))
                          : bin == HalfLifeCounts::kBins - 1 ? tr("from %1").arg(half_life_text(low))
                                                             : tr("%1 to %2").arg(half_life_text(low), half_life_text(high));
    return tr("half-life %1 tokens (%2): %3; %4 %5")
        .arg(range, band_of(std::sqrt(low * high)), say(all_.bins[size_t(bin)], all_.total), one_is_)
        .arg(one_.bins[size_t(bin)]);
}

void HalfLifePlot::draw(QPainter& p) {
    const Theme& t = theme_of(palette());
    const QRectF r = plot();
    const QFontMetrics m(font());
    p.setPen(t.muted);
    if (all_.total == 0) return;
    const QString top = local(percent_text(top_));
    p.drawText(QRectF(r.left(), 0, r.width() - m.horizontalAdvance(top) - 8, m.height()), Qt::AlignLeft | Qt::AlignVCenter,
               m.elidedText(title_, Qt::ElideRight, int(r.width() - m.horizontalAdvance(top) - 8)));
    p.drawText(QRectF(r.left(), 0, r.width(), m.height()), Qt::AlignRight | Qt::AlignVCenter, top);

    // Bands behind, named where the name fits.
    QFont small = font();
    small.setPointSizeF(font().pointSizeF() * 0.88);
    const QFontMetrics sm(small);
    float from = kShortest;
    for (size_t b = 0; b < band_names().size(); ++b) {
        const float to = b < kBandBorders.size() ? kBandBorders[b] : kLongest;
        const QRectF band(x_of(from), r.top(), x_of(to) - x_of(from), r.height());
        p.fillRect(band, b % 2 == 0 ? t.panel : t.raised);
        p.setFont(small);
        if (const QString& name = band_names()[b]; sm.horizontalAdvance(name) + 4 <= band.width())
            p.drawText(band.adjusted(0, 1, 0, 0), Qt::AlignHCenter | Qt::AlignTop, name);
        p.setFont(font());
        if (b < kBandBorders.size()) {
            const QString text = to < 1000 ? QString::number(int(to)) : QString("%1k").arg(int(to) / 1024);
            p.drawText(QRectF(x_of(to) - 30, r.bottom() + 2, 60, m.height()), Qt::AlignCenter, text);
        }
        from = to;
    }
    p.drawText(QRectF(r.left(), r.bottom() + 2, 60, m.height()), Qt::AlignLeft | Qt::AlignVCenter, "¼");
    p.drawText(QRectF(x_of(kBandBorders.back()) + 14, r.bottom() + 2, r.right() - x_of(kBandBorders.back()) - 14, m.height()),
               Qt::AlignRight | Qt::AlignVCenter, tr("32k tokens"));

    const auto& colours = sequential_map();
    const double bars = r.height() - sm.height() - 2;
    const auto height_of = [&](double s) { return std::min(1.0, s / top_) * bars; };
    QPainterPath outline;
    outline.moveTo(r.left(), r.bottom());
    for (int b = 0; b < HalfLifeCounts::kBins; ++b) {
        const double left = x_of(HalfLifeCounts::low(b)), right = x_of(HalfLifeCounts::low(b + 1));
        const double h = height_of(share(all_.bins[size_t(b)], all_.total));
        const QColor colour = QColor::fromRgb(colours[size_t(255.0 * (b + 0.5) / HalfLifeCounts::kBins)]);
        p.fillRect(QRectF(left + 0.5, r.bottom() - h, right - left - 1, h), colour);
        if (h >= 1) {  // the darkest ones stand out, too
            p.setPen(t.muted);
            p.drawLine(QPointF(left + 0.5, r.bottom() - h), QPointF(right - 1, r.bottom() - h));
        }
        if (b == hovered()) {
            p.setPen(t.text);
            p.drawRect(QRectF(left, r.top(), right - left, r.height()));
        }
        const double o = height_of(share(one_.bins[size_t(b)], one_.total));
        outline.lineTo(left, r.bottom() - o);
        outline.lineTo(right, r.bottom() - o);
    }
    outline.lineTo(r.right(), r.bottom());
    // The channels that forget nothing.
    const QRectF endless(r.right() + 5, r.top(), kEndless, r.height());
    p.fillRect(endless, t.panel);
    const double h = height_of(share(all_.infinite, all_.total));
    p.fillRect(QRectF(endless.left(), r.bottom() - h, endless.width(), h), QColor::fromRgb(colours[255]));
    p.setPen(t.muted);
    p.drawText(QRectF(endless.left(), r.bottom() + 2, endless.width(), m.height()), Qt::AlignCenter, "∞");
    if (hovered() == HalfLifeCounts::kBins) p.drawRect(endless);

    p.setRenderHint(QPainter::Antialiasing);
    p.setPen(QPen(t.panel, 2.4));
    p.drawPath(outline);
    p.setPen(QPen(t.text, 1));
    p.drawPath(outline);
    const float median = all_.median();
    if (std::isfinite(median)) {
        p.setRenderHint(QPainter::Antialiasing, false);
        p.setPen(QPen(t.text, 1, Qt::DashLine));
        const double x = std::clamp(x_of(median), r.left(), r.right());
        p.drawLine(QPointF(x, r.top() + sm.height()), QPointF(x, r.bottom()));
    }
}

int HalfLifePlot::bin_at(QPointF point) const {
    if (all_.total == 0) return -1;
    const QRectF r = plot();
    if (point.x() > r.right() + 2) return HalfLifeCounts::kBins;
    return std::clamp(int((point.x() - r.left()) / r.width() * HalfLifeCounts::kBins), 0, HalfLifeCounts::kBins - 1);
}

}  // namespace klp::gui
