#include "app/gui/frame/timeline_view.h"

#include <QAccessible>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/chat/chats.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr int kGap = 4, kLeastTrack = 40, kMarks = 11, kMap = 12;  // px
constexpr double kFewest = 12;                                     // tokens that fill the view at the closest
constexpr double kWidestToken = 90;                                // px: a short conversation does not fill the whole width

int strip_height(int height) { return height < 90 ? 18 : 26; }
QString number(double v) { return local(short_number(v)); }

}  // namespace

TimelineView::TimelineView(Session& session, QWidget* parent, const Chats* chats) : QWidget(parent), session_(session), chats_(chats), tracks_(session) {
    setObjectName("timeline-view");
    setAccessibleName(tr("Timeline"));
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAttribute(Qt::WA_OpaquePaintEvent);
    connect(&session, &Session::event_seen, this, &TimelineView::heard);
    connect(&session, &Session::drained, this, [this] {
        if (!session_.frozen() || session_.trace().size() < tracks_.size()) session_.draw_in_turn(this, [this] { refresh(); });  // what is gone cannot be shown
    });
    connect(&session, &Session::recalled, this, [this](qint64 first) {
        stale_from_ = std::min(stale_from_, int64_t{first});
        session_.draw_in_turn(this, [this] { refresh(); });
    });
    connect(&session, &Session::card_changed, this, [this] {
        tracks_.set_model();
        stale_from_ = 0, all_ = true;
    });
    connect(&session, &Session::snapshots_changed, this, &TimelineView::refresh_marks);
    if (chats) connect(chats, &Chats::line_changed, this, &TimelineView::refresh_marks);
    connect(&session.selection(), &Selection::changed, this, [this] {
        if (session_.selection().token() != Selection::kNewest) keep_in_view(session_.selection().token());
        say_where();
        update();
    });
    connect(&session.selection(), &Selection::hover_changed, this, qOverload<>(&QWidget::update));
    connect(&session, &Session::baseline_changed, this, [this] { stale_ = true, update(); });
    refresh();
}

// Only what has changed is summed up again.
void TimelineView::heard(const Event& event) {
    if (const auto* fed = std::get_if<PromptFed>(&event)) stale_from_ = std::min(stale_from_, fed->first);
    if (const auto* token = std::get_if<TokenMade>(&event)) stale_from_ = std::min(stale_from_, token->position);
    if (const auto* weighed = std::get_if<Considered>(&event)) stale_from_ = std::min(stale_from_, weighed->position);
    if (const auto* readings = std::get_if<Readings>(&event)) stale_from_ = std::min(stale_from_, readings->position);
    if (std::holds_alternative<CacheRolled>(event)) stale_ = true, update();
    if (std::holds_alternative<Loaded>(event) || std::holds_alternative<Unloaded>(event)) stale_from_ = 0;
    // A message begins: while tokens come one by one none does.
    const auto* made = std::get_if<TokenMade>(&event);
    const TraceStore& trace = session_.trace();
    if (std::holds_alternative<PromptFed>(event) || (made && (made->position < 1 || made->position > trace.size() || !trace.row(made->position - 1).made)))
        marks_stale_ = true;
}

void TimelineView::refresh() {
    const int64_t size = session_.trace().size(), before = tracks_.size();
    if (size == before && stale_from_ >= size) return;
    const bool at_end = !all_ && first_ + span_ >= static_cast<double>(before) - 0.5;
    tracks_.update(stale_from_, size);
    stale_from_ = size;
    if (std::exchange(marks_stale_, false) || size < before) refresh_marks();
    if (!all_) {  // the newest stay in view if they were
        if (at_end || first_ > static_cast<double>(size)) first_ = most();
        if (static_cast<double>(size) < span_) show_all();
    }
    stale_ = true;
    say_where();
    update();
}

void TimelineView::refresh_marks() {
    auto marks = timeline_marks(session_, chats_);
    if (marks == marks_) return;
    marks_ = std::move(marks);
    stale_ = true;
    update();
}

std::pair<double, double> TimelineView::view() const {
    if (!all_) return {first_, first_ + span_};
    const TimelineTracks::Row row = row_of(0, 1);
    return {0, std::max({static_cast<double>(tracks_.size()), row.data.width() / kWidestToken, 1.0})};
}

// Names to the left of the data and values to the right, as wide as their texts at this font; less where there is little room.
TimelineTracks::Row TimelineView::row_of(int top, int height) const {
    const QFontMetrics m(font());
    const int key = m.horizontalAdvance(local("≤ 16.7 ≤ 33 ≤ 100") + " " + Language::tr("more", "time")) + 4 * 13 + 3 * 6;  // in one line
    const int left = std::min(std::max(key, m.horizontalAdvance(tr("time per token, ms, log")) + 8), width() / 5),
              right = std::min(m.horizontalAdvance(local("100.0 MiB")) + 8, width() / 9);
    return {QRect(0, top, left, height), QRect(left, top, std::max(1, width() - left - right), height), QRect(width() - right, top, right, height)};
}

TimelineMap TimelineView::map() const {
    const auto [first, last] = view();
    const QRect data = row_of(0, 1).data;
    return {first, last, data.left(), data.right() + 1};
}

int64_t TimelineView::token_at(double x) const {
    const TimelineMap m = map();
    if (x < m.left || x >= m.right) return -1;
    const double p = std::floor(m.position_of(x));
    return p >= 0 && p < static_cast<double>(tracks_.size()) ? static_cast<int64_t>(p) : -1;
}

void TimelineView::show_all() {
    all_ = true, stale_ = true;
    update();
}

void TimelineView::zoom(double factor, double x) {
    if (tracks_.size() == 0) return;
    const TimelineMap m = map();
    x = std::clamp<double>(x, m.left, m.right);
    const double at = m.position_of(x), all = static_cast<double>(tracks_.size());
    const double span = std::clamp((m.last - m.first) / factor, std::min(kFewest, all), std::max(all, m.last - m.first));
    if (span >= all) return show_all();
    all_ = false, span_ = span;
    go_to(at - (x - m.left) / (m.right - m.left) * span);
}

void TimelineView::zoom_to(int64_t first, int64_t last) {
    const double all = static_cast<double>(tracks_.size()), span = std::max(kFewest, static_cast<double>(last - first));
    if (span >= all) return show_all();
    all_ = false, span_ = span;
    go_to(static_cast<double>(first + last) / 2 - span / 2);
}

void TimelineView::go_to(double first) {
    first_ = std::clamp(first, 0.0, most());
    stale_ = true;
    update();
}

void TimelineView::keep_in_view(int64_t position) {
    const auto p = static_cast<double>(position);
    if (!all_ && (p < first_ || p + 1 > first_ + span_)) go_to(p + 0.5 - span_ / 2);
}

void TimelineView::set_tint(Tint tint) {
    tracks_.set_tint(tint), stale_ = true;
    ask_for_values(isVisible());
    update();
}

int TimelineView::tracks_shown() const { return std::clamp((height() - 36) / (kLeastTrack + kGap), 1, TimelineTracks::kCount); }

QRect TimelineView::mini_map() const { return all_ ? QRect() : row_of(height() - kMap, kMap).data; }

QString TimelineView::describe(int64_t position) const {
    if (position < 0 || position >= session_.trace().size()) return {};
    const TokenRow& row = session_.trace().row(position);
    QStringList parts{tr("token %1").arg(local(grouped(position))), QString("“%1”").arg(shown_text(row))};
    if (row.made) {
        if (row.nanoseconds > 0) parts << local(duration_text(double(row.nanoseconds)));
        if (!std::isnan(row.probability)) parts << tr("probability %1").arg(number(row.probability));
        if (!std::isnan(row.entropy)) parts << tr("entropy %1 nats").arg(number(row.entropy));
    } else {
        parts << tr("fed, not made");
    }
    if (position < session_.rolled()) parts << tr("dropped from the cache");
    if (!std::isnan(row.update_norm)) parts << tr("update %1").arg(number(row.update_norm));
    if (!std::isnan(row.state_norm)) parts << tr("state norm %1").arg(number(row.state_norm));
    if (std::isnan(row.update_norm) && std::isnan(row.state_norm)) parts << tr("grey: its readings are not kept");
    return parts.join("  ·  ");
}

void TimelineView::say_where() {
    const int64_t at = session_.current_token();
    const QString text =
        tracks_.size() == 0
            ? tr("No tokens yet")
            : (session_.selection().token() == Selection::kNewest ? tr("%1; newest: %2") : tr("%1; pinned: %2")).arg(tokens_text(tracks_.size()), describe(at));
    if (text == accessibleDescription()) return;
    setAccessibleDescription(text);
    if (!hasFocus()) return;  // a screen reader hears of every token otherwise
    QAccessibleEvent change(this, QAccessible::DescriptionChanged);
    QAccessible::updateAccessibility(&change);
}

// --- Drawing ----------------------------------------------------------------------------------------------------------

void TimelineView::draw_marks(QPainter& p) const {
    const Theme& t = theme_of(palette());
    const TimelineMap m = map();
    p.setRenderHint(QPainter::Antialiasing);
    for (const TimelineMark& mark : marks_) {
        const double x = m.x_of(static_cast<double>(mark.position));
        if (x < m.left - 1 || x > m.right + 1) continue;
        const double y = kMarks / 2.0, r = 4;
        p.setPen(Qt::NoPen);
        switch (mark.kind) {
            case TimelineMark::message:
            case TimelineMark::answer:
                p.setBrush(mark.kind == TimelineMark::answer ? t.hybrid : t.text);
                p.drawPolygon(QPolygonF{{x - r, y - r}, {x + r, y - r}, {x, y + r}});
                break;
            case TimelineMark::branch:
                p.setBrush(t.warn);
                p.drawPolygon(QPolygonF{{x - r, y}, {x, y - r}, {x + r, y}, {x, y + r}});
                break;
            case TimelineMark::snapshot:
                p.setPen(QPen(t.accent, 1.5)), p.setBrush(t.window);
                p.drawEllipse(QPointF(x, y), r - 1, r - 1);
        }
    }
    p.setRenderHint(QPainter::Antialiasing, false);
    p.setBrush(Qt::NoBrush);
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
    if (tracks_.size() == 0) {
        p.fillRect(rect(), t.panel);
        p.setPen(t.muted);
        p.drawText(rect().adjusted(12, 4, -12, -4), Qt::AlignCenter | Qt::TextWordWrap,
                   tr("Every token will stand here, from left to right: send a message, or watch a recorded run."));
        return;
    }
    const TimelineMap m = map();
    draw_marks(p);
    const int strip = strip_height(height());
    tracks_.strip(p, row_of(kMarks, strip), m, palette());
    const int shown_tracks = tracks_shown(), above = kMarks + strip + kGap, room = height() - above - (all_ ? 0 : kMap + kGap);
    for (int i = 0; i < shown_tracks; ++i) {
        const int top = above + room * i / shown_tracks, bottom = above + room * (i + 1) / shown_tracks - (i + 1 < shown_tracks ? kGap : 0);
        tracks_.track((top_track_ + i) % TimelineTracks::kCount, p, row_of(top, bottom - top), m, palette());
    }
    p.setClipRect(QRect(m.left, above, m.right - m.left, room));
    for (const TimelineMark& mark : marks_) {  // messages can be told apart in every track
        if (mark.kind != TimelineMark::message && mark.kind != TimelineMark::answer) continue;
        QColor faint = mark.kind == TimelineMark::answer ? t.hybrid : t.muted;
        faint.setAlphaF(0.45f);
        p.setPen(faint);
        const double x = m.x_of(static_cast<double>(mark.position));
        if (mark.position > 0) p.drawLine(QPointF(x, above), QPointF(x, above + room));
    }
    p.setClipping(false);
    if (!all_) tracks_.mini_map(p, row_of(height() - kMap, kMap), m.first, m.last, palette());
}

// What is gone from the cache, the range, the hovered token and the one that is looked at, over what is drawn.
void TimelineView::draw_chosen(QPainter& p) const {
    const Theme& t = theme_of(palette());
    const TimelineMap m = map();
    const double bottom = height() - (all_ ? 0 : kMap + kGap);
    p.setClipRect(QRectF(m.left, 0, m.right - m.left, bottom));
    const auto column = [&](int64_t position) {
        const double left = m.x_of(static_cast<double>(position)), right = m.x_of(static_cast<double>(position + 1));
        return QRectF(left, kMarks, std::max(1.0, right - left), bottom - kMarks);
    };
    if (const int64_t rolled = std::min(session_.rolled(), tracks_.size()); rolled > 0) {  // gone from the cache
        const double edge = m.x_of(static_cast<double>(rolled));
        const QRectF gone(m.left, 0, edge - m.left, bottom);
        QColor veil = t.window;
        veil.setAlphaF(0.55f);
        p.fillRect(gone, veil);
        p.fillRect(gone, QBrush(t.border, Qt::BDiagPattern));
        p.setPen(QPen(t.warn, 1));
        p.drawLine(QPointF(edge, 0), QPointF(edge, bottom));
        const QString said = tr("%1 dropped from the cache").arg(local(grouped(rolled)));
        if (const int wide = p.fontMetrics().horizontalAdvance(said) + 12; gone.width() > wide) {
            const QRectF box(edge - wide - 4, bottom - p.fontMetrics().height() - 8, wide, p.fontMetrics().height() + 4);
            p.fillRect(box, t.panel);
            p.drawText(box, Qt::AlignCenter, said);
        }
    }
    const Selection& sel = session_.selection();
    if (sel.ranged()) {
        const double from = m.x_of(static_cast<double>(sel.range().first)), to = m.x_of(static_cast<double>(sel.range().second));
        QColor veil = t.window;
        veil.setAlphaF(0.6f);
        p.fillRect(QRectF(m.left, 0, from - m.left, bottom), veil);
        p.fillRect(QRectF(to, 0, m.right - to, bottom), veil);
        p.setPen(t.accent);
        for (const double edge : {from, to}) p.drawLine(QPointF(edge, 0), QPointF(edge, bottom));
    }
    if (sel.hovered() >= 0 && sel.hovered() < tracks_.size()) {
        QColor light = t.text;
        light.setAlphaF(0.18f);
        const QRectF c = column(sel.hovered());
        p.fillRect(c.width() < 3 ? QRectF(c.center().x() - 1, c.top(), 2, c.height()) : c, light);
    }
    if (const int64_t at = session_.current_token(); at >= 0 && at < tracks_.size()) {
        const bool pinned = sel.token() != Selection::kNewest;
        const QRectF c = column(at);
        p.setPen(QPen(pinned ? t.accent : t.muted, pinned ? 2 : 1, pinned ? Qt::SolidLine : Qt::DashLine));
        p.setBrush(Qt::NoBrush);
        if (c.width() < 5)
            p.drawLine(QPointF(c.center().x(), c.top()), QPointF(c.center().x(), bottom));
        else
            p.drawRect(c.adjusted(0, 1, -1, -1));
    }
    p.setClipping(false);
}

void TimelineView::paintEvent(QPaintEvent*) {
    if (stale_ || picture_.size() != size() * devicePixelRatioF()) render();
    const Theme& t = theme_of(palette());
    QPainter p(this);
    p.drawPixmap(0, 0, picture_);
    if (tracks_.size() > 0) draw_chosen(p);
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
    if (event->button() == Qt::LeftButton && mini_map().contains(event->position().toPoint())) {
        mapped_ = true;
        return mouseMoveEvent(event);
    }
    if (event->button() == Qt::MiddleButton || (event->button() == Qt::LeftButton && event->modifiers() & Qt::ControlModifier)) {
        panned_ = x, panned_from_ = view().first;
        setCursor(Qt::ClosedHandCursor);
    } else if (event->button() == Qt::LeftButton) {
        pressed_ = x;
    }
}

void TimelineView::mouseMoveEvent(QMouseEvent* event) {
    const double x = event->position().x();
    const TimelineMap m = map();
    if (mapped_ && !all_) return go_to((x - m.left) / (m.right - m.left) * static_cast<double>(tracks_.size()) - span_ / 2);
    if (panned_ && !all_) return go_to(panned_from_ - (x - *panned_) / (m.right - m.left) * span_);
    if (pressed_ && std::abs(x - *pressed_) > 4) {
        const auto [left, right] = std::minmax(*pressed_, x);
        const auto last = std::min(tracks_.size(), static_cast<int64_t>(std::ceil(m.position_of(right))));
        session_.selection().set_range(std::clamp<int64_t>(static_cast<int64_t>(std::floor(m.position_of(left))), 0, std::max<int64_t>(0, last)), last);
    }
    session_.selection().hover(token_at(x));
}

void TimelineView::mouseReleaseEvent(QMouseEvent* event) {
    if (std::exchange(mapped_, false)) return;
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

void TimelineView::mouseDoubleClickEvent(QMouseEvent* event) {
    if (!mini_map().contains(event->position().toPoint())) show_all();
}

void TimelineView::leaveEvent(QEvent*) { session_.selection().hover(-1); }

void TimelineView::wheelEvent(QWheelEvent* event) {
    const QPoint turned = event->angleDelta();
    const bool sideways = std::abs(turned.x()) > std::abs(turned.y()) || event->modifiers() & Qt::ShiftModifier;
    if (sideways && !all_) {
        const int by = turned.x() != 0 ? turned.x() : turned.y();
        go_to(first_ - by / 120.0 * span_ * 0.1);
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
        if (tracks_.size() > 0) sel.set_token(to >= tracks_.size() ? Selection::kNewest : std::max<int64_t>(0, to));
    };
    const auto scroll = [&](double part) {
        if (!all_) go_to(first_ + part * span_);
    };
    if (!plain) return QWidget::keyPressEvent(event);
    const TimelineMap m = map();
    const double middle = at >= 0 ? std::clamp<double>(m.x_of(static_cast<double>(at) + 0.5), m.left, m.right) : (m.left + m.right) / 2.0;
    switch (event->key()) {
        case Qt::Key_Left:
            return go(at - far);
        case Qt::Key_Right:
            return go(at + far);
        case Qt::Key_Home:
            return go(0);
        case Qt::Key_End:
            return go(tracks_.size());
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoom(1.5, middle);
        case Qt::Key_Minus:
            return zoom(1 / 1.5, middle);
        case Qt::Key_0:
            return show_all();
        case Qt::Key_R:
            return sel.ranged() ? zoom_to(sel.range().first, sel.range().second) : show_all();
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

// What is said of the marks under the cursor.
QString TimelineView::mark_at(const QPointF& at) const {
    QStringList all;
    if (at.y() > kMarks + 2) return {};
    for (const TimelineMark& mark : marks_)
        if (std::abs(map().x_of(static_cast<double>(mark.position)) - at.x()) <= 6) all << mark.text;
    return all.join('\n');
}

bool TimelineView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const int64_t at = token_at(help->pos().x());
        if (const QString mark = mark_at(help->pos()); !mark.isEmpty())
            QToolTip::showText(help->globalPos(), mark, this);
        else if (mini_map().contains(help->pos()))
            QToolTip::showText(help->globalPos(), tr("All tokens, and the part that is shown: click or drag to go there"), this);
        else if (at >= 0)
            QToolTip::showText(help->globalPos(),
                               describe(at).replace("  ·  ", "\n") + "\n\n" + tr("Click pins it; drag chooses a range; the wheel zooms, R to the range."),
                               this);
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
        wanted.top = tracks_.tint() == Tint::entropy ? 1 : 0;
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
