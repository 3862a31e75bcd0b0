#include "app/gui/panels/rules_plot.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/strokes.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr double kGap = 8, kBar = 5;  // pixels
constexpr float kDeepest = 1e-3f;     // of the largest norm: below it the curves lie on the floor

QString cosine_of(double v) { return std::isnan(v) ? Language::tr("n/a") : local(fixed(v, 2)); }

}  // namespace

RulesPlot::RulesPlot(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setAccessibleName(tr("The state under other rules"));
}

QFont RulesPlot::small() const {
    QFont f = font();
    f.setPointSizeF(f.pointSizeF() * 0.88);
    return f;
}

void RulesPlot::set_columns(std::vector<RuleColumn> columns, float range, int64_t first, int64_t pinned) {
    columns_ = std::move(columns), range_ = range, first_ = first, pinned_ = pinned;
    images_.clear();
    highest_ = 0, lowest_ = std::numeric_limits<float>::max();
    for (const RuleColumn& c : columns_)
        for (const float v : c.norm)
            if (v > 0) highest_ = std::max(highest_, v), lowest_ = std::min(lowest_, v);
    lowest_ = std::max(lowest_, highest_ * kDeepest);
    update();
}

void RulesPlot::set_empty(const QString& sentence) {
    if (std::exchange(empty_, sentence) != sentence) update();
}

// From the top: three lines of words, the matrix, the norm, two bars; the matrix is as large as leaves the norm a third of its height.
RulesPlot::Places RulesPlot::places(int column) const {
    const auto n = static_cast<double>(std::max<size_t>(1, columns_.size()));
    const QFontMetricsF m(small());
    const double wide = (width() - kGap * (n - 1)) / n, words = 2 * m.height() + QFontMetricsF(font()).height() + 4, bars = 2 * (m.height() + kBar + 6);
    const double room = std::max(0.0, height() - words - bars - 2 * kGap), side = std::min(wide, room * 0.72);
    const double left = column * (wide + kGap);
    Places p;
    p.words = {left, 0, wide, words};
    p.matrix = {left, words, side, side};
    p.norm = {left, words + side + kGap, wide, std::min(room - side, 2 * m.height() + 110.0)};
    p.bars = {left, p.norm.bottom() + kGap, wide, bars};
    return p;
}

QRectF RulesPlot::norm_place(int column) const { return places(column).norm; }

int64_t RulesPlot::token_at(QPointF point) const {
    for (int i = 0; i < static_cast<int>(columns_.size()); ++i) {
        const QRectF place = places(i).norm;
        const auto n = static_cast<int64_t>(columns_[static_cast<size_t>(i)].norm.size());
        if (n > 0 && place.contains(point))
            return first_ + std::clamp(static_cast<int64_t>((point.x() - place.left()) / place.width() * static_cast<double>(n)), int64_t{0}, n - 1);
    }
    return -1;
}

double RulesPlot::height_of(float norm) const {
    if (!(norm > lowest_)) return 0;
    return highest_ > lowest_ ? std::log(double{norm} / double{lowest_}) / std::log(double{highest_} / double{lowest_}) : 1;
}

void RulesPlot::paintEvent(QPaintEvent*) {
    QPainter p(this);
    draw(p);
}

void RulesPlot::draw_norm(QPainter& p, const RuleColumn& column, const QRectF& place) const {
    const Theme& t = theme_of(palette());
    const QFontMetricsF m(p.font());
    p.setPen(Qt::NoPen);
    p.setBrush(t.panel);
    p.drawRoundedRect(place, 3, 3);
    const auto n = static_cast<int64_t>(column.norm.size());
    const QRectF inside = place.adjusted(2, m.height() + 2, -2, -3);
    const auto x_of = [&](int64_t token) {
        return inside.left() + (static_cast<double>(token) + 0.5) / static_cast<double>(std::max<int64_t>(1, n)) * inside.width();
    };
    QPolygonF line;
    const int64_t points = std::min<int64_t>(n, std::max(1, int(inside.width())));
    for (int64_t c = 0; c < points; ++c) {
        const int64_t from = c * n / points, to = std::max(from + 1, (c + 1) * n / points);
        const float most = *std::max_element(column.norm.begin() + from, column.norm.begin() + to);
        line << QPointF(x_of((from + to - 1) / 2), inside.bottom() - height_of(most) * inside.height());
    }
    stroke(p, line, QPen(column.own ? t.hybrid : t.text, line.size() > 1 ? 1.5 : 4, Qt::SolidLine, Qt::RoundCap));
    const auto mark = [&](int64_t token, const QPen& pen) {
        if (token < first_ || token >= first_ + n) return;
        p.setPen(pen);
        p.drawLine(QPointF(x_of(token - first_), inside.top()), QPointF(x_of(token - first_), inside.bottom()));
    };
    mark(pinned_, QPen(t.accent, 1));
    mark(hover_, QPen(t.text, 1, Qt::DotLine));
    p.setPen(column.own ? t.text : t.muted);
    p.drawText(place.adjusted(4, 1, -4, 0), Qt::AlignLeft | Qt::AlignTop, "|S| " + (n > 0 ? local(short_number(double{column.norm.back()})) : QString()));
}

void RulesPlot::draw_bar(QPainter& p, const QString& name, double value, bool own, QRectF place) const {
    const Theme& t = theme_of(palette());
    const QFontMetricsF m(p.font());
    const QString figures = cosine_of(value);
    p.setPen(t.muted);
    p.drawText(place, Qt::AlignLeft | Qt::AlignTop, m.elidedText(name, Qt::ElideRight, place.width() - m.horizontalAdvance(figures) - 6));
    p.setPen(t.text);
    p.drawText(place, Qt::AlignRight | Qt::AlignTop, figures);
    QRectF bar(place.left(), place.top() + m.height() + 1, place.width(), kBar);
    p.fillRect(bar, t.panel);
    if (std::isnan(value)) return;
    bar.setWidth(std::max(1.0, bar.width() * std::min(1.0, std::abs(value))));
    const QColor colour = own ? t.hybrid : t.muted;
    if (value >= 0) return p.fillRect(bar, colour);
    p.setPen(QPen(colour, 1));  // below 0: hollow
    p.setBrush(Qt::NoBrush);
    p.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5));
}

void RulesPlot::draw(QPainter& p) {
    const Theme& t = theme_of(palette());
    if (columns_.empty()) {
        p.setPen(t.muted);
        return p.drawText(rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap, empty_);
    }
    if (images_.empty() || dark_ != t.dark) {
        dark_ = t.dark;
        images_.clear();
        const auto& colours = diverging_map(t.dark);
        for (const RuleColumn& c : columns_) {
            QImage image(c.columns, c.rows, QImage::Format_RGB32);
            for (int row = 0; row < c.rows; ++row)
                for (int column = 0; column < c.columns; ++column) {
                    const float v = c.matrix[static_cast<size_t>(row * c.columns + column)] / std::max(range_, 1e-30f);
                    image.setPixel(column, row, colours[static_cast<size_t>(std::lround(127.5f + 127.5f * std::clamp(v, -1.f, 1.f)))]);
                }
            images_.push_back(image);
        }
    }
    QFont bold = font();
    bold.setBold(true);
    const QFont less = small();
    for (int i = 0; i < static_cast<int>(columns_.size()); ++i) {
        const RuleColumn& c = columns_[static_cast<size_t>(i)];
        const Places at = places(i);
        p.setFont(bold);
        p.setPen(c.own ? t.hybrid : t.text);
        const QFontMetricsF name(bold), m(less);
        p.drawText(at.words, Qt::AlignLeft | Qt::AlignTop, name.elidedText(c.name, Qt::ElideRight, at.words.width()));
        p.setFont(less);
        p.setPen(t.muted);
        double y = at.words.top() + QFontMetricsF(font()).height();
        for (const QString& line : {c.gate, c.writing}) {
            p.drawText(QRectF(at.words.left(), y, at.words.width(), m.height()), Qt::AlignLeft | Qt::AlignTop,
                       m.elidedText(line, Qt::ElideRight, at.words.width()));
            y += m.height();
        }
        p.setRenderHint(QPainter::SmoothPixmapTransform, at.matrix.width() < c.columns);
        p.drawImage(at.matrix, images_[static_cast<size_t>(i)]);
        p.setBrush(Qt::NoBrush);
        p.setPen(QPen(c.own ? t.hybrid : t.border, 1));
        p.drawRect(at.matrix);
        draw_norm(p, c, at.norm);
        QRectF bar = at.bars;
        bar.setHeight(at.bars.height() / 2);
        draw_bar(p, tr("pinned"), c.pinned, c.own, bar);
        draw_bar(p, tr("all tokens"), c.all, c.own, bar.translated(0, bar.height()));
    }
}

bool RulesPlot::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    QString text;
    for (int i = 0; i < static_cast<int>(columns_.size()); ++i) {
        const RuleColumn& c = columns_[static_cast<size_t>(i)];
        if (const Places at = places(i); help->pos().x() < at.words.left() || help->pos().x() > at.words.right()) continue;
        text =
            tr("%1: %2, %3. Norm %4; cosine of what is read with what was written: pinned %5, mean of all tokens %6.")
                .arg(c.name, c.gate, c.writing, c.norm.empty() ? tr("n/a") : local(short_number(double{c.norm.back()})), cosine_of(c.pinned), cosine_of(c.all));
    }
    QToolTip::showText(help->globalPos(), text, this);
    return true;
}

void RulesPlot::mouseMoveEvent(QMouseEvent* event) {
    const int64_t token = token_at(event->position());
    if (std::exchange(hover_, token) == token) return;
    update();
    emit hovered(token);
}

void RulesPlot::mousePressEvent(QMouseEvent* event) {
    if (const int64_t token = token_at(event->position()); token >= 0 && event->button() == Qt::LeftButton) emit clicked(token);
}

void RulesPlot::leaveEvent(QEvent*) {
    if (std::exchange(hover_, -1) < 0) return;
    update();
    emit hovered(-1);
}

}  // namespace klp::gui
