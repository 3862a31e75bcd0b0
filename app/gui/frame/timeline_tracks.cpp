#include "app/gui/frame/timeline_tracks.h"

#include <QCoreApplication>
#include <QPalette>
#include <cmath>
#include <iterator>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/strokes.h"

namespace klp::gui {

namespace {

QString text(const std::string& s) { return QString::fromStdString(s); }
QString number(double v) { return local(short_number(v)); }
QString tr(const char* text) { return Language::tr(text); }

QFont small_font(const QPainter& p) {
    QFont small = p.font();
    small.setPointSizeF(std::max(7.0, small.pointSizeF() * 0.88));
    return small;
}

// A round number not below v, for the top of an axis.
double ceiling(double v) {
    if (!(v > 0)) return 1;
    const double power = std::pow(10, std::floor(std::log10(v)));
    for (double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0})
        if (step * power >= v) return step * power;
    return v;
}

QColor between(const QColor& a, const QColor& b) {
    return QColor::fromRgbF((a.redF() + b.redF()) / 2, (a.greenF() + b.greenF()) / 2, (a.blueF() + b.blueF()) / 2);
}

}  // namespace

QString shown_text(const TokenRow& row) {
    QString s = text(row.text);
    s.replace('\n', QChar(0x21B5)).replace('\t', QChar(0x21E5)).replace(' ', QChar(0x00B7));
    for (QChar& c : s)
        if (!c.isPrint()) c = QChar(0xFFFD);
    return s;
}

QColor budget_colour(const Theme& t, double nanoseconds) {
    return nanoseconds <= kBudgets[0] ? t.good : nanoseconds <= kBudgets[1] ? t.warn : nanoseconds <= kBudgets[2] ? between(t.warn, t.bad) : t.bad;
}

std::pair<double, double> log_ends(double low, double high) {
    const auto round_to = [](double v, bool up) {
        const double power = std::pow(10, std::floor(std::log10(v) + 1e-9));
        double best = up ? 10 * power : power;
        for (double step : {1.0, 2.0, 5.0})
            if (up ? step * power >= v * (1 - 1e-9) && step * power < best : step * power <= v * (1 + 1e-9)) best = step * power;
        return best;
    };
    std::pair ends{round_to(low, false), round_to(high, true)};
    if (ends.second < 4 * ends.first) ends = {round_to(ends.first / 2, false), round_to(ends.second * 2, true)};
    return ends;
}

TimelineTracks::TimelineTracks(const Session& session)
    : session_(session),
      time_([this](int64_t i) { return row(i).made && row(i).nanoseconds > 0 ? row(i).nanoseconds : NAN; }),
      norm_([this](int64_t i) { return row(i).state_norm; }),
      norm_p95_([this](int64_t i) { return row(i).state_norm_p95; }),
      update_([this](int64_t i) { return row(i).update_norm; }),
      entropy_([this](int64_t i) { return row(i).entropy; }),
      probability_([this](int64_t i) { return row(i).probability; }) {
    set_model();
}

void TimelineTracks::set_model() {
    if (session_.card()) bytes_ = memory_model(session_.card()->config, session_.card()->cache_value_bytes);
}

void TimelineTracks::update(int64_t from, int64_t size) {
    for (Pyramid* p : {&time_, &norm_, &norm_p95_, &update_, &entropy_, &probability_}) p->update(from, size);
    size_ = size;
}

const Pyramid& TimelineTracks::tinted() const { return tint_ == Tint::update ? update_ : tint_ == Tint::entropy ? entropy_ : probability_; }

QRgb TimelineTracks::tint_of(double value, const Theme& t) const {
    if (std::isnan(value)) return t.raised.rgb();
    const double top = tint_ == Tint::probability ? 1 : std::max(1e-6f, tinted().over(0, size_).high);
    return sequential_map()[static_cast<size_t>(std::clamp(value / top, 0.0, 1.0) * 255)];
}

// --- Gutters ----------------------------------------------------------------------------------------------------------

void TimelineTracks::name(QPainter& p, const QRect& gutter, const QString& said, const std::vector<Sample>& key, const Theme& t) const {
    const QFont was = p.font();
    p.setFont(small_font(p));
    const QFontMetrics m(p.font());
    int y = gutter.top() + 1;
    p.setPen(t.text);
    p.drawText(QRect(gutter.left() + 2, y, gutter.width() - 6, m.height()), Qt::AlignLeft | Qt::AlignVCenter,
               m.elidedText(said, Qt::ElideRight, gutter.width() - 6));
    y += m.height();
    int x = gutter.left() + 2;
    constexpr int kBox = 9;
    for (const Sample& s : key) {  // from left to right, as many a line as there is room for
        const int wide = kBox + 4 + m.horizontalAdvance(s.text);
        if (x > gutter.left() + 2 && x + wide > gutter.right() - 4) x = gutter.left() + 2, y += m.height();
        if (y + m.height() > gutter.bottom() + 4) break;  // into the gap, and not into what is below it
        const int middle = y + m.height() / 2;
        if (s.kind == Sample::box) {
            p.fillRect(QRect(x, middle - kBox / 2, kBox, kBox), s.colour);
        } else {
            p.setPen(QPen(s.colour, 2, s.kind == Sample::dashes ? Qt::DotLine : Qt::SolidLine));
            p.drawLine(x, middle, x + kBox, middle);
        }
        p.setPen(t.muted);
        const int room = gutter.right() - 4 - (x + kBox + 4);
        p.drawText(QRect(x + kBox + 4, y, room, m.height()), Qt::AlignLeft | Qt::AlignVCenter, m.elidedText(s.text, Qt::ElideRight, room));
        x += wide + 8;
    }
    p.setFont(was);
}

void TimelineTracks::ends(QPainter& p, const QRect& scale, const QString& top, const QString& bottom, const Theme& t) const {
    const QFont was = p.font();
    p.setFont(small_font(p));
    p.setPen(t.muted);
    p.drawText(scale.adjusted(5, 0, 0, 0), Qt::AlignLeft | Qt::AlignTop, top);
    if (scale.height() >= 2 * QFontMetrics(p.font()).height()) p.drawText(scale.adjusted(5, 0, 0, 0), Qt::AlignLeft | Qt::AlignBottom, bottom);
    p.setFont(was);
}

// --- The strip --------------------------------------------------------------------------------------------------------

void TimelineTracks::colours(QImage& line, int y, double first, double last, const Theme& t) const {
    for (int x = 0; x < line.width(); ++x) {
        const auto from = static_cast<int64_t>(first + (last - first) * x / line.width());
        const auto to = std::max(from + 1, static_cast<int64_t>(first + (last - first) * (x + 1) / line.width()));
        if (from >= size_) break;
        line.setPixel(x, y, tint_of(tinted().about(from, to).mean(), t));
        line.setPixelColor(x, y + 1, row(from).made ? t.hybrid : t.muted);
    }
}

void TimelineTracks::strip(QPainter& p, const Row& place, const TimelineMap& map, const QPalette& palette) const {
    const Theme& t = theme_of(palette);
    const QRect& area = place.data;
    const QRect cells = area.adjusted(0, 0, 0, -4), origin(area.left(), area.bottom() - 2, area.width(), 3);
    const double each = map.each();
    if (each < 3) {
        QImage line(area.width(), 2, QImage::Format_RGB32);  // colours, and where they come from
        line.fill(t.window);
        colours(line, 0, map.first, map.last, t);
        p.drawImage(cells, line, QRect(0, 0, area.width(), 1));
        p.drawImage(origin, line, QRect(0, 1, area.width(), 1));
    } else {
        const QFont was = p.font();
        p.setFont(small_font(p));
        const QFontMetrics m(p.font());
        const auto first = static_cast<int64_t>(std::max(0.0, std::floor(map.first)));
        const auto last = std::min(size_, static_cast<int64_t>(std::ceil(map.last)) + 1);
        p.setClipRect(area);
        for (int64_t i = first; i < last; ++i) {
            const TokenRow& token = row(i);
            const double left = map.x_of(static_cast<double>(i)), right = map.x_of(static_cast<double>(i + 1));
            const QRgb fill = tint_of(tinted().over(i, i + 1).mean(), t);
            const QRectF cell(left, cells.top(), right - left - (each > 6 ? 1 : 0), cells.height());
            p.fillRect(cell, QColor(fill));
            p.fillRect(QRectF(left, origin.top(), right - left, origin.height()), token.made ? t.hybrid : t.muted);
            const QString word = shown_text(token);
            // A word that is cut to dots says nothing, so it is not begun.
            if (cells.height() < m.height() || (m.horizontalAdvance(word) + 4 > cell.width() && cell.width() < 4 * m.averageCharWidth())) continue;
            p.setPen(qGray(fill) > 128 ? QColor("#0d1117") : QColor("#f4f6fa"));
            p.drawText(cell.adjusted(2, 0, -1, 0), Qt::AlignVCenter | Qt::AlignLeft, m.elidedText(word, Qt::ElideRight, static_cast<int>(cell.width()) - 2));
        }
        p.setClipping(false);
        p.setFont(was);
    }
    // Its key: what the colours are of, and from where to where.
    const Pyramid::Summary all = tinted().over(0, size_);
    const QString of = tint_ == Tint::update ? tr("update norm") : tint_ == Tint::entropy ? tr("entropy, nats") : tr("probability");
    const double top = tint_ == Tint::probability ? 1 : all.high;
    const QFont was = p.font();
    p.setFont(small_font(p));
    const QFontMetrics m(p.font());
    const bool two = area.height() >= m.height() + 6;
    const QRect& g = place.gutter;
    const int bar = two ? 5 : 0;
    p.setPen(t.text);
    p.drawText(QRect(g.left() + 2, g.top(), g.width() - 6, g.height() - bar), Qt::AlignLeft | Qt::AlignVCenter,
               m.elidedText(of, Qt::ElideRight, g.width() - 6));
    if (two)
        for (int x = 0; x < g.width() - 8; ++x)
            p.fillRect(g.left() + 2 + x, g.bottom() - 4, 1, 4, QColor(sequential_map()[static_cast<size_t>(255 * x / std::max(1, g.width() - 9))]));
    p.setPen(t.muted);
    p.drawText(place.scale.adjusted(5, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, all.count > 0 ? tr("0 to %1").arg(number(top)) : QString());
    p.setFont(was);
}

void TimelineTracks::mini_map(QPainter& p, const Row& place, double first, double last, const QPalette& palette) const {
    const Theme& t = theme_of(palette);
    QImage line(std::max(1, place.data.width()), 2, QImage::Format_RGB32);
    line.fill(t.window);
    colours(line, 0, 0, static_cast<double>(size_), t);
    p.drawImage(place.data, line, QRect(0, 0, line.width(), 1));
    const auto x_of = [&](double position) { return place.data.left() + position / static_cast<double>(std::max<int64_t>(1, size_)) * place.data.width(); };
    QColor veil = t.window;
    veil.setAlphaF(0.65f);
    p.fillRect(QRectF(place.data.left(), place.data.top(), x_of(first) - place.data.left(), place.data.height()), veil);
    p.fillRect(QRectF(x_of(last), place.data.top(), place.data.right() + 1 - x_of(last), place.data.height()), veil);
    p.setPen(QPen(t.accent, 1));
    p.drawRect(QRectF(x_of(first), place.data.top(), std::max(3.0, x_of(last) - x_of(first)), place.data.height() - 1));
    const QFont was = p.font();
    p.setFont(small_font(p));
    p.setPen(t.muted);
    p.drawText(place.gutter.adjusted(2, -3, 0, 3), Qt::AlignLeft | Qt::AlignVCenter, tr("all tokens"));
    p.setFont(was);
}

// --- Tracks -----------------------------------------------------------------------------------------------------------

void TimelineTracks::missing(QPainter& p, const QRect& area, const TimelineMap& map, bool of_times, const Theme& t) const {
    p.setPen(t.muted);
    bool made = false;
    const auto from = static_cast<int64_t>(std::max(0.0, map.first));
    for (int64_t i = std::min(size_, static_cast<int64_t>(std::ceil(map.last))); i-- > from && !made;) made = row(i).made;
    const QString why = session_.why_missing(tr("The numbers"));
    p.drawText(area, Qt::AlignCenter,
               !of_times ? (why.isEmpty() ? tr("not captured for these tokens") : why)
               : made    ? tr("the times of these tokens were not kept")
                         : tr("no token has been made yet"));
}

void TimelineTracks::line(QPainter& p, const QRect& area, const TimelineMap& map, const Pyramid& values, double top, const QColor& colour, bool dashed) const {
    const auto y_of = [&](double v) { return area.bottom() - std::clamp(v / top, 0.0, 1.0) * (area.height() - 2); };
    const auto from = static_cast<int64_t>(std::max(0.0, map.first)), to = std::min(size_, static_cast<int64_t>(std::ceil(map.last)));
    QPolygonF points;
    QColor band = colour;
    band.setAlphaF(0.30f);
    const auto draw = [&] {
        stroke(p, points, QPen(colour, dashed ? 1.0 : 1.5, dashed && map.each() >= 1 ? Qt::DashLine : Qt::SolidLine));
        points.clear();
    };
    if (map.each() >= 1) {
        for (int64_t i = from; i < to; ++i) {
            const Pyramid::Summary s = values.over(i, i + 1);
            if (s.count == 0)
                draw();
            else
                points << QPointF(map.x_of(static_cast<double>(i) + 0.5), y_of(s.low));
        }
    } else {
        for (int x = area.left(); x <= area.right(); ++x) {
            const auto a = static_cast<int64_t>(map.position_of(x)), b = std::max(a + 1, static_cast<int64_t>(map.position_of(x + 1)));
            if (a >= to) break;
            const Pyramid::Summary s = values.about(a, b);
            if (s.count == 0) {
                draw();
                continue;
            }
            if (!dashed) {
                p.setPen(band);
                p.drawLine(QPointF(x + 0.5, y_of(s.low)), QPointF(x + 0.5, y_of(s.high)));
            }
            points << QPointF(x + 0.5, y_of(s.mean()));
        }
    }
    draw();
}

// A bar a token, as tall as the logarithm of its time; where tokens are narrower than a pixel, to the longest one, and to their mean in full colour.
void TimelineTracks::times(QPainter& p, const Row& place, const TimelineMap& map, const Theme& t) const {
    const QRect& area = place.data;
    const auto from = static_cast<int64_t>(std::max(0.0, map.first)), to = std::min(size_, static_cast<int64_t>(std::ceil(map.last)));
    const Pyramid::Summary all = time_.about(from, to);
    if (all.count == 0) return missing(p, area, map, true, t);
    const auto [low, high] = log_ends(all.low, all.high);
    const auto y_of = [&, low = low, high = high](double v) {
        return area.bottom() - (0.04 + 0.96 * std::clamp(std::log(v / low) / std::log(high / low), 0.0, 1.0)) * (area.height() - 1);
    };
    QPen grid(t.grid, 1);
    for (double decade = low; decade <= high * 1.001; decade *= 10) {
        p.setPen(grid);
        p.drawLine(QPointF(area.left(), y_of(decade)), QPointF(area.right(), y_of(decade)));
    }
    for (double budget : kBudgets) {
        if (budget <= low || budget >= high) continue;
        p.setPen(QPen(t.muted, 1, Qt::DotLine));
        p.drawLine(QPointF(area.left(), y_of(budget)), QPointF(area.right(), y_of(budget)));
    }
    const double each = map.each();
    if (each >= 1) {
        for (int64_t i = from; i < to; ++i) {
            const double v = time_.over(i, i + 1).high;
            if (!std::isfinite(v)) continue;
            const double left = map.x_of(static_cast<double>(i)), wide = map.x_of(static_cast<double>(i + 1)) - left;
            p.fillRect(QRectF(left, y_of(v), each >= 3 ? wide - 1 : wide, area.bottom() + 1 - y_of(v)), budget_colour(t, v));
        }
        return;
    }
    for (int x = area.left(); x <= area.right(); ++x) {
        const auto a = static_cast<int64_t>(map.position_of(x)), b = std::max(a + 1, static_cast<int64_t>(map.position_of(x + 1)));
        if (a >= to) break;
        const Pyramid::Summary s = time_.about(a, b);
        if (s.count == 0) continue;
        QColor worst = budget_colour(t, s.high);
        worst.setAlphaF(0.5f);
        p.fillRect(QRectF(x, y_of(s.high), 1, area.bottom() + 1 - y_of(s.high)), worst);
        p.fillRect(QRectF(x, y_of(s.mean()), 1, area.bottom() + 1 - y_of(s.mean())), budget_colour(t, s.mean()));
    }
}

void TimelineTracks::bytes(QPainter& p, const Row& place, const TimelineMap& map, const Theme& t) const {
    if (!session_.card()) return;
    const QRect& area = place.data;
    const auto of = [](const Growth& growth, double tokens) { return growth.at(static_cast<int64_t>(std::ceil(tokens / kMlaPage)) * kMlaPage); };
    const Baseline compared = session_.baseline();
    const bool compares = compared.twin || compared.multi_head;
    const Growth& other = compared.twin ? bytes_.twin : compared.multi_head ? bytes_.multi_head : bytes_.mine;  // both do not fit one scale
    const double right = std::min(static_cast<double>(size_), map.last);
    const double top = ceiling(static_cast<double>(std::max(of(bytes_.mine, right), of(other, right))) * 1.05);
    const auto y_of = [&](int64_t b) { return area.bottom() - std::clamp(static_cast<double>(b) / top, 0.0, 1.0) * (area.height() - 1); };
    QPolygonF fixed, whole, baseline;
    const double end = std::min<double>(area.right() + 1, map.x_of(right));
    const double most = session_.rolled() > 0 ? static_cast<double>(session_.card()->context) : right;  // rows of a cache that rolls
    for (int i = 0, steps = std::max(1, static_cast<int>(end - area.left()) / 8); i <= steps; ++i) {
        const double x = area.left() + (end - area.left()) * i / steps, at = map.position_of(x);
        fixed << QPointF(x, y_of(bytes_.mine.fixed)), whole << QPointF(x, y_of(of(bytes_.mine, std::min(at, most)))),
            baseline << QPointF(x, y_of(of(other, at)));
    }
    const auto fill = [&](QPolygonF line, const QColor& colour, float alpha) {
        line << QPointF(end, area.bottom() + 1) << QPointF(area.left(), area.bottom() + 1);
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
    p.setClipping(false);
    std::vector<Sample> key{{Sample::line, t.hybrid, tr("state + cache")}};
    if (compares)
        key.push_back({Sample::dashes, compared.twin ? t.twin : t.third, compared.twin ? tr("same-shapes twin, computed") : tr("multi-head, computed")});
    name(p, place.gutter, tr("memory"), key, t);
    ends(p, place.scale, local(bytes_text(static_cast<int64_t>(top))), "0", t);
}

void TimelineTracks::track(int index, QPainter& p, const Row& place, const TimelineMap& map, const QPalette& palette) const {
    const Theme& t = theme_of(palette);
    p.fillRect(place.data, t.panel);
    p.setClipRect(place.data);
    if (index == 0) {
        times(p, place, map, t);
        p.setClipping(false);
        const auto ms = [](double ns) { return local(fixed(ns / 1e6, ns < 2e7 ? 1 : 0)); };
        name(p, place.gutter, tr("time per token, ms, log"),
             {{Sample::box, budget_colour(t, 0), tr("≤ %1").arg(ms(kBudgets[0]))},
              {Sample::box, budget_colour(t, kBudgets[1]), tr("≤ %1").arg(ms(kBudgets[1]))},
              {Sample::box, budget_colour(t, kBudgets[2]), tr("≤ %1").arg(ms(kBudgets[2]))},
              {Sample::box, t.bad, Language::tr("more", "time")}},
             t);
        const auto from = static_cast<int64_t>(std::max(0.0, map.first)), to = std::min(size_, static_cast<int64_t>(std::ceil(map.last)));
        if (const Pyramid::Summary all = time_.about(from, to); all.count > 0) {
            const auto [low, high] = log_ends(all.low, all.high);
            ends(p, place.scale, local(duration_text(high)), local(duration_text(low)), t);
        }
        return;
    }
    p.setPen(t.grid);
    p.drawLine(place.data.left(), place.data.center().y(), place.data.right(), place.data.center().y());
    if (index == 1) {
        bytes(p, place, map, t);
        p.setClipping(false);
        return;
    }
    const Pyramid &values = index == 2 ? norm_ : update_, *second = index == 2 ? &norm_p95_ : nullptr;
    const QColor colour = t.series[index == 2 ? 2 : 3];
    const auto from = static_cast<int64_t>(std::max(0.0, map.first)), to = std::min(size_, static_cast<int64_t>(std::ceil(map.last)));
    Pyramid::Summary all = values.about(from, to);
    if (second) all.add(second->about(from, to));
    const double top = ceiling(all.high);
    if (all.count > 0) {
        if (second) line(p, place.data, map, *second, top, colour, true);
        line(p, place.data, map, values, top, colour, false);
    } else {
        missing(p, place.data, map, false, t);
    }
    p.setClipping(false);
    std::vector<Sample> key{{Sample::line, colour, tr("median of heads")}};
    if (second) key.push_back({Sample::dashes, colour, tr("95th percentile")});
    name(p, place.gutter, index == 2 ? tr("state norm") : tr("update norm"), key, t);
    if (all.count > 0) ends(p, place.scale, number(top), "0", t);
}

}  // namespace klp::gui
