#include "app/gui/frame/timeline_view.h"

#include <QAccessible>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/strokes.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr int kGap = 4, kLeastTrack = 44;  // px
constexpr double kFewest = 12;             // tokens that fill the view at the closest
constexpr double kWidestToken = 90;        // px: a short conversation does not fill the whole width

float speed_of(const TokenRow& row) { return row.made && row.nanoseconds > 0 ? 1e9f / row.nanoseconds : NAN; }

// A token's text as one visible line.
QString shown(const TokenRow& row) {
    QString s = QString::fromStdString(row.text);
    s.replace('\n', QChar(0x21B5)).replace('\t', QChar(0x21E5)).replace(' ', QChar(0x00B7));
    for (QChar& c : s)
        if (!c.isPrint()) c = QChar(0xFFFD);
    return s;
}

QString number(double v) { return QString::fromStdString(short_number(v)); }

// A round number not below v, for the top of an axis.
double ceiling(double v) {
    if (!(v > 0)) return 1;
    const double power = std::pow(10, std::floor(std::log10(v)));
    for (double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0})
        if (step * power >= v) return step * power;
    return v;
}

}  // namespace

struct TimelineView::Track {
    QString name, unit;
    const Pyramid *values, *second;  // the second one is drawn dashed
    QColor colour;
};

TimelineView::TimelineView(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      speed_([this](int64_t i) { return speed_of(row(i)); }),
      norm_([this](int64_t i) { return row(i).state_norm; }),
      norm_p95_([this](int64_t i) { return row(i).state_norm_p95; }),
      update_([this](int64_t i) { return row(i).update_norm; }),
      entropy_([this](int64_t i) { return row(i).entropy; }),
      probability_([this](int64_t i) { return row(i).probability; }) {
    setObjectName("timeline-view");
    setAccessibleName("Timeline");
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAttribute(Qt::WA_OpaquePaintEvent);
    connect(&session, &Session::event_seen, this, &TimelineView::heard);
    connect(&session, &Session::drained, this, [this] {
        if (!session_.frozen() || session_.trace().size() < size_) session_.draw_in_turn(this, [this] { refresh(); });  // what is gone cannot be shown
    });
    connect(&session, &Session::recalled, this, [this](qint64 first) {
        stale_from_ = std::min(stale_from_, int64_t{first});
        session_.draw_in_turn(this, [this] { refresh(); });
    });
    connect(&session, &Session::card_changed, this, [this] {
        if (session_.card()) bytes_ = memory_model(session_.card()->config, session_.card()->cache_value_bytes);
        stale_from_ = 0, all_ = true;
    });
    connect(&session.selection(), &Selection::changed, this, [this] {
        if (session_.selection().token() != Selection::kNewest) keep_in_view(session_.selection().token());
        say_where();
        update();
    });
    connect(&session.selection(), &Selection::hover_changed, this, qOverload<>(&QWidget::update));
    if (session.card()) bytes_ = memory_model(session.card()->config, session.card()->cache_value_bytes);
    connect(&session, &Session::baseline_changed, this, [this] { stale_ = true, update(); });
    refresh();
}

// Only what has changed is summed up again.
void TimelineView::heard(const Event& event) {
    if (const auto* fed = std::get_if<PromptFed>(&event)) stale_from_ = std::min(stale_from_, fed->first);
    if (const auto* made = std::get_if<TokenMade>(&event)) stale_from_ = std::min(stale_from_, made->position);
    if (const auto* weighed = std::get_if<Considered>(&event)) stale_from_ = std::min(stale_from_, weighed->position);
    if (const auto* readings = std::get_if<Readings>(&event)) stale_from_ = std::min(stale_from_, readings->position);
    if (std::holds_alternative<CacheRolled>(event)) stale_ = true, update();
    if (std::holds_alternative<Loaded>(event) || std::holds_alternative<Unloaded>(event)) stale_from_ = 0;
}

void TimelineView::refresh() {
    const int64_t size = session_.trace().size();
    if (size == size_ && stale_from_ >= size) return;
    for (Pyramid* p : {&speed_, &norm_, &norm_p95_, &update_, &entropy_, &probability_}) p->update(stale_from_, size);
    const bool at_end = !all_ && first_ + span_ >= static_cast<double>(size_) - 0.5;
    size_ = size, stale_from_ = size;
    if (!all_) {  // the newest stay in view if they were
        if (at_end || first_ > static_cast<double>(size)) first_ = std::max(0.0, static_cast<double>(size) - span_);
        if (static_cast<double>(size) < span_) show_all();
    }
    stale_ = true;
    say_where();
    update();
}

std::pair<double, double> TimelineView::view() const {
    if (!all_) return {first_, first_ + span_};
    return {0, std::max({static_cast<double>(size_), width() / kWidestToken, 1.0})};
}
double TimelineView::x_of(double position) const {
    const auto [first, last] = view();
    return (position - first) / (last - first) * width();
}
double TimelineView::position_of(double x) const {
    const auto [first, last] = view();
    return first + x / std::max(1, width()) * (last - first);
}
int64_t TimelineView::token_at(double x) const {
    const double p = std::floor(position_of(x));
    return p >= 0 && p < static_cast<double>(size_) ? static_cast<int64_t>(p) : -1;
}

void TimelineView::show_all() {
    all_ = true, stale_ = true;
    update();
}

void TimelineView::zoom(double factor, double x) {
    if (size_ == 0) return;
    const auto [first, last] = view();
    const double at = position_of(x), most = static_cast<double>(size_);
    const double span = std::clamp((last - first) / factor, std::min(kFewest, most), std::max(most, last - first));
    if (span >= most) return show_all();
    all_ = false;
    span_ = span;
    first_ = std::clamp(at - x / std::max(1, width()) * span, 0.0, most - span);
    stale_ = true;
    update();
}

void TimelineView::keep_in_view(int64_t position) {
    if (all_) return;
    const auto p = static_cast<double>(position);
    if (p >= first_ && p + 1 <= first_ + span_) return;
    first_ = std::clamp(p + 0.5 - span_ / 2, 0.0, std::max(0.0, static_cast<double>(size_) - span_));
    stale_ = true;
    update();
}

void TimelineView::set_tint(Tint tint) {
    tint_ = tint, stale_ = true;
    ask_for_values(isVisible());
    update();
}

const Pyramid& TimelineView::tint_values() const { return tint_ == Tint::update ? update_ : tint_ == Tint::entropy ? entropy_ : probability_; }

int TimelineView::tracks_shown() const { return std::clamp((height() - 24) / (kLeastTrack + kGap), 1, 4); }

QString TimelineView::describe(int64_t position) const {
    if (position < 0 || position >= session_.trace().size()) return {};
    const TokenRow& row = session_.trace().row(position);
    QStringList parts{QString("token %1").arg(QString::fromStdString(grouped(position))), QString("“%1”").arg(shown(row))};
    if (row.made) {
        if (!std::isnan(row.nanoseconds)) parts << QString::fromStdString(duration_text(double(row.nanoseconds)));
        if (!std::isnan(row.probability)) parts << QString("probability %1").arg(number(row.probability));
        if (!std::isnan(row.entropy)) parts << QString("entropy %1 nats").arg(number(row.entropy));
    } else {
        parts << "fed, not made";
    }
    if (position < session_.rolled()) parts << "dropped from the cache";
    if (!std::isnan(row.update_norm)) parts << QString("update %1").arg(number(row.update_norm));
    if (!std::isnan(row.state_norm)) parts << QString("state norm %1").arg(number(row.state_norm));
    return parts.join("  ·  ");
}

void TimelineView::say_where() {
    const int64_t at = session_.current_token();
    const QString text =
        size_ == 0 ? QString("No tokens yet")
                   : QString("%1 tokens; %2%3").arg(size_).arg(session_.selection().token() == Selection::kNewest ? "newest: " : "pinned: ").arg(describe(at));
    if (text == accessibleDescription()) return;
    setAccessibleDescription(text);
    if (!hasFocus()) return;  // a screen reader hears of every token otherwise
    QAccessibleEvent change(this, QAccessible::DescriptionChanged);
    QAccessible::updateAccessibility(&change);
}

// --- Drawing ----------------------------------------------------------------------------------------------------------

void TimelineView::label(QPainter& p, const QRect& area, const QString& text, const QString& top) const {
    const Theme& t = theme_of(palette());
    QFont small = font();
    small.setPointSizeF(std::max(7.0, font().pointSizeF() * 0.88));
    p.setFont(small);
    const QFontMetrics m(small);
    const auto write = [&](const QString& s, int flags, const QColor& colour) {
        const QRect r = m.boundingRect(area.adjusted(5, 2, -5, -2), flags, s);
        QColor back = t.panel;
        back.setAlphaF(0.85f);
        p.fillRect(r.adjusted(-3, 0, 3, 0), back);
        p.setPen(colour);
        p.drawText(r, flags, s);
    };
    write(m.elidedText(text, Qt::ElideRight, area.width() - 12), Qt::AlignLeft | Qt::AlignTop, t.text);
    if (m.horizontalAdvance(text) + m.horizontalAdvance(top) + 30 < area.width()) write(top, Qt::AlignRight | Qt::AlignTop, t.muted);
}

void TimelineView::draw_strip(QPainter& p, const QRect& area) const {
    const Theme& t = theme_of(palette());
    const Pyramid& values = tint_values();
    const double top = tint_ == Tint::probability ? 1 : std::max(1e-6f, values.over(0, size_).high);
    const auto colour = [&](double v) -> QRgb {
        if (std::isnan(v)) return t.raised.rgb();
        return sequential_map()[static_cast<size_t>(std::clamp(v / top, 0.0, 1.0) * 255)];
    };
    const double each = x_of(1) - x_of(0);
    const QRect cells = area.adjusted(0, 0, 0, -4), origin(area.left(), area.bottom() - 2, area.width(), 3);
    if (each < 3) {
        QImage line(area.width(), 2, QImage::Format_RGB32);  // colours, and where they come from
        line.fill(t.window);
        for (int x = 0; x < area.width(); ++x) {
            const auto from = static_cast<int64_t>(position_of(x)), to = std::max(from + 1, static_cast<int64_t>(position_of(x + 1)));
            if (from >= size_) break;
            line.setPixel(x, 0, colour(values.about(from, to).mean()));
            line.setPixelColor(x, 1, row(from).made ? t.hybrid : t.muted);
        }
        p.drawImage(cells, line, QRect(0, 0, area.width(), 1));
        p.drawImage(origin, line, QRect(0, 1, area.width(), 1));
        return;
    }
    QFont small = font();
    small.setPointSizeF(std::max(7.0, font().pointSizeF() * 0.92));
    p.setFont(small);
    const QFontMetrics m(small);
    const auto first = static_cast<int64_t>(std::max(0.0, std::floor(position_of(0))));
    const auto last = std::min(size_, static_cast<int64_t>(std::ceil(position_of(area.width()))) + 1);
    for (int64_t i = first; i < last; ++i) {
        const TokenRow& token = row(i);
        const double left = x_of(static_cast<double>(i)), right = x_of(static_cast<double>(i + 1));
        const QRgb fill = colour(values.over(i, i + 1).mean());
        const QRectF cell(left, cells.top(), right - left - (each > 6 ? 1 : 0), cells.height());
        p.fillRect(cell, QColor(fill));
        p.fillRect(QRectF(left, origin.top(), right - left, origin.height()), token.made ? t.hybrid : t.muted);
        if (each < 16 || cells.height() < m.height()) continue;
        p.setPen(qGray(fill) > 128 ? QColor("#0d1117") : QColor("#f4f6fa"));
        p.drawText(cell.adjusted(3, 0, -2, 0), Qt::AlignVCenter | Qt::AlignLeft,
                   m.elidedText(shown(token), Qt::ElideRight, static_cast<int>(cell.width()) - 4));
    }
}

void TimelineView::draw_track(QPainter& p, const QRect& area, const Track& track) const {
    const Theme& t = theme_of(palette());
    const auto [first, last] = view();
    const auto from = static_cast<int64_t>(first), to = std::min(size_, static_cast<int64_t>(std::ceil(last)));
    const Pyramid::Summary all = track.values->over(from, to), also = track.second ? track.second->over(from, to) : Pyramid::Summary();
    const double top = ceiling(std::max(all.high, also.high));
    const auto y_of = [&](double v) { return area.bottom() - std::clamp(v / top, 0.0, 1.0) * (area.height() - 1); };
    const double each = x_of(1) - x_of(0);

    const auto draw = [&](const Pyramid& values, bool dashed) {
        QPolygonF line;
        QColor band = track.colour;
        band.setAlphaF(0.30f);
        const auto draw_line = [&] {
            stroke(p, line, QPen(track.colour, dashed ? 1.0 : 1.5, dashed && each >= 1 ? Qt::DashLine : Qt::SolidLine));
            line.clear();
        };
        if (each >= 1) {
            for (int64_t i = from; i < to; ++i) {
                const Pyramid::Summary s = values.over(i, i + 1);
                if (s.count == 0)
                    draw_line();
                else
                    line << QPointF(x_of(static_cast<double>(i) + 0.5), y_of(s.low));
            }
        } else {
            for (int x = 0; x < area.width(); ++x) {
                const auto a = static_cast<int64_t>(position_of(x)), b = std::max(a + 1, static_cast<int64_t>(position_of(x + 1)));
                if (a >= to) break;
                const Pyramid::Summary s = values.about(a, b);
                if (s.count == 0) {
                    draw_line();
                    continue;
                }
                if (!dashed) {
                    p.setPen(band);
                    p.drawLine(QPointF(x + 0.5, y_of(s.low)), QPointF(x + 0.5, y_of(s.high)));
                }
                line << QPointF(x + 0.5, y_of(s.mean()));
            }
        }
        draw_line();
    };
    if (all.count > 0) {
        if (track.second) draw(*track.second, true);
        draw(*track.values, false);
    } else {
        p.setPen(t.muted);
        bool made = false;
        for (int64_t i = to; i-- > from && !made;) made = row(i).made;
        const QString missing = session_.why_missing(tr("The numbers"));
        p.drawText(area, Qt::AlignCenter,
                   track.values != &speed_ ? (missing.isEmpty() ? tr("not captured for these tokens") : missing)
                   : made                  ? tr("the times of these tokens were not kept")
                                           : tr("no token has been made yet"));
    }
    label(p, area, track.name, all.count > 0 ? number(top) + " " + track.unit : "");
}

void TimelineView::draw_bytes(QPainter& p, const QRect& area) const {
    const Theme& t = theme_of(palette());
    if (!session_.card()) return;
    const auto bytes = [](const Growth& growth, double tokens) { return growth.at(static_cast<int64_t>(std::ceil(tokens / kMlaPage)) * kMlaPage); };
    const Baseline compared = session_.baseline();
    const bool compares = compared.twin || compared.multi_head;
    const Growth& other = compared.twin ? bytes_.twin : compared.multi_head ? bytes_.multi_head : bytes_.mine;  // both do not fit one scale
    const double right = std::min(static_cast<double>(size_), view().second);
    const double top = ceiling(static_cast<double>(std::max(bytes(bytes_.mine, right), bytes(other, right))) * 1.05);
    const auto y_of = [&](int64_t b) { return area.bottom() - std::clamp(static_cast<double>(b) / top, 0.0, 1.0) * (area.height() - 1); };
    QPolygonF fixed, whole, baseline;
    const int end = static_cast<int>(std::min<double>(area.width(), x_of(right)));
    const double most = session_.rolled() > 0 ? static_cast<double>(session_.card()->context) : right;  // rows of a cache that rolls
    for (int i = 0, steps = std::max(1, end / 8); i <= steps; ++i) {
        const double x = static_cast<double>(end) * i / steps, at = position_of(x);
        fixed << QPointF(x, y_of(bytes_.mine.fixed)), whole << QPointF(x, y_of(bytes(bytes_.mine, std::min(at, most)))),
            baseline << QPointF(x, y_of(bytes(other, at)));
    }
    const auto fill = [&](QPolygonF line, const QColor& colour, float alpha) {
        line << QPointF(end, area.bottom() + 1) << QPointF(0, area.bottom() + 1);
        QColor c = colour;
        c.setAlphaF(alpha);
        p.setPen(Qt::NoPen), p.setBrush(c);
        p.drawPolygon(line);
        p.setBrush(Qt::NoBrush);
    };
    fill(whole, t.hybrid, 0.25f);
    fill(fixed, t.hybrid, 0.35f);
    stroke(p, whole, QPen(t.hybrid, 1.5));
    if (compares) stroke(p, baseline, QPen(compared.twin ? t.twin : t.third, 1.5, Qt::DashLine));
    label(p, area,
          QString("bytes: state + cache (filled)%1")
              .arg(compared.twin ? ", full-attention twin (dashed, computed)"
                   : compares    ? ", multi-head attention (dashed, computed)"
                                 : ""),
          QString::fromStdString(bytes_text(static_cast<int64_t>(top))));
}

void TimelineView::render() {
    const Theme& t = theme_of(palette());
    const double ratio = devicePixelRatioF();
    picture_ = QPixmap(size() * ratio);
    picture_.setDevicePixelRatio(ratio);
    picture_.fill(t.window);
    QPainter p(&picture_);
    p.setFont(font());
    stale_ = false;
    if (size_ == 0) {
        p.fillRect(rect(), t.panel);
        p.setPen(t.muted);
        p.drawText(rect().adjusted(12, 4, -12, -4), Qt::AlignCenter | Qt::TextWordWrap,
                   "Every token will stand here, from left to right: send a message, or watch a recorded run.");
        return;
    }
    const int shown_tracks = tracks_shown();
    const int strip = height() < 90 ? 18 : 26;
    draw_strip(p, QRect(0, 0, width(), strip));

    const Track tracks[] = {{"tokens/s", "tokens/s", &speed_, nullptr, t.accent},
                            {"", "", nullptr, nullptr, {}},
                            {"state norm: median of all heads, 95th percentile (dashed)", "", &norm_, &norm_p95_, t.series[2]},
                            {"update norm: what each token writes, median of all heads", "", &update_, nullptr, t.series[3]}};
    const int room = height() - strip - kGap;
    for (int i = 0; i < shown_tracks; ++i) {
        const int top = strip + kGap + room * i / shown_tracks, bottom = strip + kGap + room * (i + 1) / shown_tracks - (i + 1 < shown_tracks ? kGap : 0);
        const QRect area(0, top, width(), bottom - top);
        p.fillRect(area, t.panel);
        p.setPen(t.grid);
        p.drawLine(area.left(), area.center().y(), area.right(), area.center().y());
        p.setClipRect(area);
        const Track& track = tracks[(top_track_ + i) % 4];
        if (track.values)
            draw_track(p, area, track);
        else
            draw_bytes(p, area);
        p.setClipping(false);
    }
}

void TimelineView::paintEvent(QPaintEvent*) {
    if (stale_ || picture_.size() != size() * devicePixelRatioF()) render();
    const Theme& t = theme_of(palette());
    QPainter p(this);
    p.drawPixmap(0, 0, picture_);
    if (size_ > 0) {
        const auto column = [&](int64_t position) {
            const double left = x_of(static_cast<double>(position)), right = x_of(static_cast<double>(position + 1));
            return QRectF(left, 0, std::max(1.0, right - left), height());
        };
        if (const int64_t rolled = std::min(session_.rolled(), size_); rolled > 0) {  // gone from the cache
            const double edge = x_of(static_cast<double>(rolled));
            QColor veil = t.window;
            veil.setAlphaF(0.55f);
            p.fillRect(QRectF(0, 0, edge, height()), veil);
            p.fillRect(QRectF(0, 0, edge, height()), QBrush(t.border, Qt::BDiagPattern));
            p.setPen(QPen(t.warn, 1));
            p.drawLine(QPointF(edge, 0), QPointF(edge, height()));
            const QString said = QString("%1 dropped from the cache").arg(QString::fromStdString(grouped(rolled)));
            if (const int wide = p.fontMetrics().horizontalAdvance(said) + 12; edge > wide) {
                const QRectF box(edge - wide - 4, height() - p.fontMetrics().height() - 8, wide, p.fontMetrics().height() + 4);
                p.fillRect(box, t.panel);
                p.drawText(box, Qt::AlignCenter, said);
            }
        }
        const Selection& sel = session_.selection();
        if (const auto [first, last] = sel.range(); first < last) {
            QColor veil = t.window;
            veil.setAlphaF(0.6f);
            p.fillRect(QRectF(0, 0, x_of(static_cast<double>(first)), height()), veil);
            p.fillRect(QRectF(x_of(static_cast<double>(last)), 0, width(), height()), veil);
            p.setPen(t.accent);
            for (const int64_t edge : {first, last})
                p.drawLine(QPointF(x_of(static_cast<double>(edge)), 0), QPointF(x_of(static_cast<double>(edge)), height()));
        }
        if (sel.hovered() >= 0 && sel.hovered() < size_) {
            QColor light = t.text;
            light.setAlphaF(0.18f);
            const QRectF c = column(sel.hovered());
            p.fillRect(c.width() < 3 ? QRectF(c.center().x() - 1, 0, 2, height()) : c, light);
        }
        if (const int64_t at = session_.current_token(); at >= 0 && at < size_) {
            const bool pinned = sel.token() != Selection::kNewest;
            const QRectF c = column(at);
            p.setPen(QPen(pinned ? t.accent : t.muted, pinned ? 2 : 1, pinned ? Qt::SolidLine : Qt::DashLine));
            p.setBrush(Qt::NoBrush);
            if (c.width() < 5)
                p.drawLine(QPointF(c.center().x(), 0), QPointF(c.center().x(), height()));
            else
                p.drawRect(c.adjusted(0, 1, -1, -1));
        }
    }
    if (hasFocus()) {
        p.setPen(QPen(t.accent, 1, Qt::DotLine));
        p.drawRect(rect().adjusted(0, 0, -1, -1));
    }
}

// --- Hands ------------------------------------------------------------------------------------------------------------

void TimelineView::pin(int64_t position) {
    if (position < 0) return;
    Selection& sel = session_.selection();
    sel.set_token(sel.token() == position ? Selection::kNewest : position);
}

void TimelineView::mousePressEvent(QMouseEvent* event) {
    const double x = event->position().x();
    if (event->button() == Qt::MiddleButton || (event->button() == Qt::LeftButton && event->modifiers() & Qt::ControlModifier)) {
        panned_ = x, panned_from_ = view().first;
        setCursor(Qt::ClosedHandCursor);
    } else if (event->button() == Qt::LeftButton) {
        pressed_ = x;
    }
}

void TimelineView::mouseMoveEvent(QMouseEvent* event) {
    const double x = event->position().x();
    if (panned_ && !all_) {
        first_ = std::clamp(panned_from_ - (x - *panned_) / std::max(1, width()) * span_, 0.0, std::max(0.0, static_cast<double>(size_) - span_));
        stale_ = true;
        update();
        return;
    }
    if (pressed_ && std::abs(x - *pressed_) > 4) {
        const auto [left, right] = std::minmax(*pressed_, x);
        const auto last = std::min(size_, static_cast<int64_t>(std::ceil(position_of(right))));
        session_.selection().set_range(std::clamp<int64_t>(static_cast<int64_t>(std::floor(position_of(left))), 0, std::max<int64_t>(0, last)), last);
    }
    session_.selection().hover(token_at(x));
}

void TimelineView::mouseReleaseEvent(QMouseEvent* event) {
    if (panned_) {
        panned_.reset();
        unsetCursor();
    } else if (pressed_ && event->button() == Qt::LeftButton) {
        if (std::abs(event->position().x() - *pressed_) <= 4) {
            session_.selection().set_range(0, 0);
            pin(token_at(event->position().x()));
        }
        pressed_.reset();
    }
}

void TimelineView::mouseDoubleClickEvent(QMouseEvent*) { show_all(); }

void TimelineView::leaveEvent(QEvent*) { session_.selection().hover(-1); }

void TimelineView::wheelEvent(QWheelEvent* event) {
    const QPoint turned = event->angleDelta();
    const bool sideways = std::abs(turned.x()) > std::abs(turned.y()) || event->modifiers() & Qt::ShiftModifier;
    if (sideways && !all_) {
        const int by = turned.x() != 0 ? turned.x() : turned.y();
        first_ = std::clamp(first_ - by / 120.0 * span_ * 0.1, 0.0, std::max(0.0, static_cast<double>(size_) - span_));
        stale_ = true;
        update();
    } else if (!sideways) {
        zoom(std::pow(1.25, turned.y() / 120.0), event->position().x());
    }
    event->accept();
}

void TimelineView::keyPressEvent(QKeyEvent* event) {
    Selection& sel = session_.selection();
    const int64_t at = session_.current_token();
    const bool plain = !(event->modifiers() & (Qt::AltModifier | Qt::ControlModifier | Qt::MetaModifier));
    const int64_t far = event->modifiers() & Qt::ShiftModifier ? 10 : 1;
    const auto go = [&](int64_t to) {
        if (size_ > 0) sel.set_token(to >= size_ ? Selection::kNewest : std::max<int64_t>(0, to));
    };
    const auto scroll = [&](double part) {
        if (all_) return;
        first_ = std::clamp(first_ + part * span_, 0.0, std::max(0.0, static_cast<double>(size_) - span_));
        stale_ = true;
        update();
    };
    if (!plain) return QWidget::keyPressEvent(event);
    const double middle = at >= 0 ? std::clamp(x_of(static_cast<double>(at) + 0.5), 0.0, static_cast<double>(width())) : width() / 2.0;
    switch (event->key()) {
        case Qt::Key_Left:
            return go(at - far);
        case Qt::Key_Right:
            return go(at + far);
        case Qt::Key_Home:
            return go(0);
        case Qt::Key_End:
            return go(size_);
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoom(1.5, middle);
        case Qt::Key_Minus:
            return zoom(1 / 1.5, middle);
        case Qt::Key_0:
            return show_all();
        case Qt::Key_PageUp:
            return scroll(-0.8);
        case Qt::Key_PageDown:
            return scroll(0.8);
        case Qt::Key_Up:
        case Qt::Key_Down:
            top_track_ = (top_track_ + (event->key() == Qt::Key_Down ? 1 : 3)) % 4;
            stale_ = true;
            return update();
        default:
            QWidget::keyPressEvent(event);
    }
}

bool TimelineView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const int64_t at = token_at(help->pos().x());
        if (at >= 0)
            QToolTip::showText(help->globalPos(), describe(at).replace("  ·  ", "\n") + "\n\nClick pins it; drag chooses a range; the wheel zooms.", this);
        else
            QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

void TimelineView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) stale_ = true, update();
}

void TimelineView::ask_for_values(bool visible) {
    Interest wanted;
    if (visible) {
        for (Site site : {Site::state_norm, Site::update_norm}) wanted.sites[static_cast<int>(site)] = true;
        wanted.top = tint_ == Tint::entropy ? 1 : 0;
    }
    session_.set_interest(this, wanted);
}

void TimelineView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    ask_for_values(true);
}

void TimelineView::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    ask_for_values(false);
}

}  // namespace klp::gui
