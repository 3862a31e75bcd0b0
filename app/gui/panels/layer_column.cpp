#include "app/gui/panels/layer_column.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <utility>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr double kHighest = 34, kGap = 6;  // pixels

}  // namespace

LayerColumn::LayerColumn(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setAccessibleName(tr("Layers from bottom to top"));
}

void LayerColumn::set_rows(std::vector<LayerRow> bottom_to_top) {
    rows_ = std::move(bottom_to_top);
    hover_ = -1;
    setMinimumHeight(minimumSizeHint().height());
    updateGeometry();
    update();
}

void LayerColumn::set_chosen(int layer) {
    if (std::exchange(chosen_, layer) == layer) return;
    for (const LayerRow& row : rows_)
        if (row.layer == layer) setAccessibleDescription(row.about);
    update();
}

void LayerColumn::set_empty(const QString& sentence) {
    if (std::exchange(empty_, sentence) != sentence) update();
}

int LayerColumn::least_height() const { return fontMetrics().height() + 6; }

QSize LayerColumn::minimumSizeHint() const { return {300, std::max(120, (static_cast<int>(rows_.size()) + 1) * least_height())}; }

double LayerColumn::row_height() const {
    return std::clamp(double(height() - least_height()) / static_cast<double>(std::max<size_t>(1, rows_.size())), double(least_height()), kHighest);
}

QRectF LayerColumn::place(size_t row) const {
    const double high = row_height();
    return {0, least_height() + high * static_cast<double>(rows_.size() - 1 - row), double(width()), high};
}

LayerColumn::Columns LayerColumn::columns(const QRectF& row) const {
    const double name = std::max(64.0, row.width() * 0.13), rest = row.width() - name;
    double x = row.left();
    const auto next = [&](double wide) {
        const QRectF r(x + kGap / 2, row.top(), wide - kGap, row.height());
        x += wide;
        return r;
    };
    return {next(name), next(rest * 0.24), next(rest * 0.27), next(rest * 0.25), next(rest * 0.24)};
}

int LayerColumn::row_at(QPointF point) const {
    for (size_t i = 0; i < rows_.size(); ++i)
        if (place(i).contains(point)) return static_cast<int>(i);
    return -1;
}

void LayerColumn::paintEvent(QPaintEvent*) {
    QPainter p(this);
    draw(p);
    if (!hasFocus()) return;
    p.setBrush(Qt::NoBrush);
    p.setPen(QPen(theme_of(palette()).accent, 1, Qt::DotLine));
    p.drawRect(rect().adjusted(0, 0, -1, -1));
}

void LayerColumn::draw(QPainter& p) {
    const Theme& t = theme_of(palette());
    if (rows_.empty()) {
        p.setPen(t.muted);
        return p.drawText(rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap, empty_);
    }
    const QFontMetricsF m(font());
    const auto words = [&](const QRectF& place, const QString& text, const QColor& colour, int align = Qt::AlignLeft) {
        p.setPen(colour);
        p.drawText(place, align | Qt::AlignVCenter, m.elidedText(text, Qt::ElideRight, place.width()));
    };
    const Columns head = columns(QRectF(0, 0, width(), least_height()));
    for (const auto& [place, text] :
         {std::pair(head.mixer, tr("Mixer")), {head.ffn, tr("Feed-forward")}, {head.reads, tr("Weights a token reads")}, {head.remembers, tr("Remembers")}})
        words(place, text, t.muted);

    double most = 1;
    for (const LayerRow& row : rows_) most = std::max(most, row.mixer_bytes + row.ffn_bytes);
    // What every layer adds to, behind them all.
    const double spine = columns(place(0)).mixer.left() - kGap / 2;
    p.setPen(QPen(t.border, 2));
    p.drawLine(QPointF(spine, place(rows_.size() - 1).center().y()), QPointF(spine, place(0).center().y()));
    for (size_t i = 0; i < rows_.size(); ++i) {
        const LayerRow& row = rows_[i];
        const QRectF all = place(i);
        if (static_cast<int>(i) == hover_ && row.layer >= 0) p.fillRect(all, t.raised);
        const Columns at = columns(all);
        const bool chosen = row.layer >= 0 && row.layer == chosen_;
        words(at.name, row.name, chosen ? t.text : t.muted);
        const auto box = [&](const QRectF& place, const QString& text, const QColor& colour) {
            if (text.isEmpty()) return;
            QColor inside = colour;
            inside.setAlphaF(0.25f);
            const QRectF r = place.adjusted(0, 2, 0, -2);
            p.setPen(QPen(colour, 1));
            p.setBrush(inside);
            p.drawRoundedRect(r, 3, 3);
            words(r.adjusted(6, 0, -4, 0), text, t.text);
        };
        const QColor memory = row.memory == LayerRow::Memory::state ? t.hybrid : row.memory == LayerRow::Memory::cache ? t.twin : t.muted;
        box(at.mixer, row.mixer, memory);
        box(at.ffn, row.ffn, row.experts ? t.third : t.muted);
        const double figures = m.horizontalAdvance(local(bytes_text(int64_t{999} << 20))) + 12, room = std::max(4.0, at.reads.width() - figures);
        QRectF bar(at.reads.left(), all.center().y() - 4, room * row.mixer_bytes / most, 8);
        p.fillRect(bar, memory);
        bar.setLeft(bar.right()), bar.setWidth(room * row.ffn_bytes / most);
        p.fillRect(bar, row.experts ? t.third : t.muted);
        words(at.reads, row.reads, t.text, Qt::AlignRight);
        words(at.remembers, row.remembers, t.text);
        if (!chosen) continue;
        p.setPen(QPen(t.accent, 1.5));
        p.setBrush(Qt::NoBrush);
        p.drawRoundedRect(all.adjusted(1, 0.5, -1, -0.5), 3, 3);
    }
}

bool LayerColumn::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const int row = row_at(help->pos());
    QToolTip::showText(help->globalPos(), row < 0 ? QString() : rows_[static_cast<size_t>(row)].about, this);
    return true;
}

void LayerColumn::mouseMoveEvent(QMouseEvent* event) {
    if (const int row = row_at(event->position()); std::exchange(hover_, row) != row) update();
}

void LayerColumn::leaveEvent(QEvent*) {
    if (std::exchange(hover_, -1) != -1) update();
}

void LayerColumn::mousePressEvent(QMouseEvent* event) {
    const int row = row_at(event->position());
    if (row >= 0 && event->button() == Qt::LeftButton && rows_[static_cast<size_t>(row)].layer >= 0) emit clicked(rows_[static_cast<size_t>(row)].layer);
}

void LayerColumn::keyPressEvent(QKeyEvent* event) {
    const int step = event->key() == Qt::Key_Up ? 1 : event->key() == Qt::Key_Down ? -1 : 0;
    if (step == 0 || event->modifiers() & (Qt::AltModifier | Qt::ControlModifier)) return QWidget::keyPressEvent(event);
    for (const LayerRow& row : rows_)
        if (row.layer >= 0 && row.layer == chosen_ + step) return emit clicked(row.layer);
}

}  // namespace klp::gui
