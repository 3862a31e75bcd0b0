#include "app/gui/panels/lens_head.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <utility>

#include "app/gui/draw/strokes.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {
constexpr int kSample = 14, kRamp = 40, kAfter = 5, kBetween = 14;  // pixels, of the key
}

Sentence::Sentence(QWidget* parent) : QWidget(parent) { setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed); }

void Sentence::set(const QString& text) {
    if (text == text_) return;
    text_ = text;
    terms_ = terms_in(text);
    setAccessibleDescription(text);
    place(true);
    update();
}

// `grow`: it keeps the lines that it had.
void Sentence::place(bool grow) {
    QTextOption option;
    option.setWrapMode(QTextOption::WordWrap);
    layout_.setTextOption(option);
    layout_.setFont(font());
    layout_.setText(text_);
    layout_.beginLayout();
    constexpr int kMost = 3;
    double y = 0;
    int lines = grow ? lines_ : 1;
    for (int i = 0;; ++i) {
        QTextLine line = layout_.createLine();
        if (!line.isValid()) {
            lines = std::clamp(i, lines, kMost);
            cut_ = i > lines;
            break;
        }
        line.setLineWidth(std::max(40, width()));
        line.setPosition({0, y});
        y += fontMetrics().height();
    }
    layout_.endLayout();
    if (std::exchange(lines_, lines) != lines) updateGeometry();
}

void Sentence::paintEvent(QPaintEvent*) {
    QPainter p(this);
    p.setPen(theme_of(palette()).text);
    const int shown = std::min(lines_, layout_.lineCount());
    for (int i = 0; i < shown; ++i) {
        const QTextLine line = layout_.lineAt(i);
        if (cut_ && i == shown - 1)  // the rest of it, with dots
            p.drawText(QRectF(0, line.y(), width(), fontMetrics().height()), Qt::AlignLeft | Qt::AlignVCenter,
                       fontMetrics().elidedText(text_.mid(line.textStart()), Qt::ElideRight, width()));
        else
            line.draw(&p, {0, 0});
    }
    p.setPen(QPen(theme_of(palette()).muted, 1, Qt::DotLine));
    for (const TermPlace& term : terms_)
        for (int i = 0; i < shown - (cut_ ? 1 : 0); ++i) {
            const QTextLine line = layout_.lineAt(i);
            const qsizetype from = std::max<qsizetype>(term.first, line.textStart()),
                            to = std::min<qsizetype>(term.first + term.size, line.textStart() + line.textLength());
            if (from >= to) continue;
            const double y = line.y() + line.ascent() + 2;
            p.drawLine(QPointF(line.cursorToX(static_cast<int>(from)), y), QPointF(line.cursorToX(static_cast<int>(to)), y));
        }
}

void Sentence::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (event->oldSize().width() != width()) place(false);
}

void Sentence::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::FontChange) return;
    place(false);
    updateGeometry();
}

bool Sentence::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    for (int i = 0; i < layout_.lineCount(); ++i) {
        const QTextLine line = layout_.lineAt(i);
        if (help->pos().y() < line.y() || help->pos().y() >= line.y() + fontMetrics().height()) continue;
        const int at = line.xToCursor(help->pos().x(), QTextLine::CursorOnCharacter);
        for (const TermPlace& term : terms_)
            if (at >= term.first && at < term.first + term.size) {
                QToolTip::showText(help->globalPos(), "<p><b>" + term.term->word + "</b>: " + term.term->meaning + "</p>", this);
                return true;
            }
    }
    QToolTip::showText(help->globalPos(), cut_ ? "<p>" + text_.toHtmlEscaped() + "</p>" : QString(), this);
    return true;
}

// --- Key --------------------------------------------------------------------------------------------------------------

Key::Key(QWidget* parent) : QWidget(parent) {
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void Key::set(std::vector<KeyItem> items) {
    QStringList words;
    bool same = items.size() == items_.size();
    for (size_t i = 0; i < items.size(); ++i) {
        words << items[i].text;
        same = same && items[i].text == items_[i].text && items[i].shape == items_[i].shape;
    }
    items_ = std::move(items);
    update();
    if (same) return;
    setVisible(!items_.empty());
    setAccessibleName(tr("Key: %1").arg(words.join("; ")));
    updateGeometry();
}

int Key::sample(const KeyItem& item) const { return item.shape == KeyItem::word ? -kAfter : item.shape == KeyItem::ramp ? kRamp : kSample; }

int Key::layout_for(int width, std::vector<QRect>* places) const {
    const int high = fontMetrics().height() + 1;
    int x = 0, y = 0;
    for (const KeyItem& item : items_) {
        const int wide = std::min(width, sample(item) + kAfter + fontMetrics().horizontalAdvance(item.text));
        if (x > 0 && x + wide > width) x = 0, y += high;
        if (places) places->push_back({x, y, wide, high});
        x += wide + kBetween;
    }
    return items_.empty() ? 0 : y + high;
}

void Key::paintEvent(QPaintEvent*) {
    QPainter p(this);
    draw(p);
}

void Key::draw(QPainter& p, int width) const {
    const Theme& t = theme_of(palette());
    std::vector<QRect> places;
    layout_for(width, &places);
    for (size_t i = 0; i < items_.size(); ++i) {
        const KeyItem& item = items_[i];
        const QRectF r(places[i].left(), places[i].center().y() - 5, sample(item), 11);
        p.setRenderHint(QPainter::Antialiasing, item.shape == KeyItem::dot);
        p.setBrush(Qt::NoBrush);
        p.setPen(Qt::NoPen);
        switch (item.shape) {
            case KeyItem::fill:
                p.fillRect(r.adjusted(1, 0, -1, 0), item.colour);
                break;
            case KeyItem::frame:
                p.setPen(QPen(item.colour, 2));
                p.drawRect(r.adjusted(2, 1, -2, -1));
                break;
            case KeyItem::line:
            case KeyItem::dashed:
                p.setPen(QPen(item.colour, 2, item.shape == KeyItem::dashed ? Qt::DashLine : Qt::SolidLine));
                p.drawLine(QPointF(r.left(), r.center().y()), QPointF(r.right(), r.center().y()));
                break;
            case KeyItem::hatched:
                p.fillRect(r, t.panel);
                hatch(p, r, item.colour, 4);
                p.setPen(t.border);
                p.drawRect(r.adjusted(0, 0, -1, -1));
                break;
            case KeyItem::dot:
                p.setPen(QPen(Qt::black, 1.5));
                p.setBrush(Qt::white);
                p.drawEllipse(r.center(), 3.5, 3.5);
                break;
            case KeyItem::area: {
                QColor under = item.colour;
                under.setAlphaF(0.4f);
                p.fillRect(r, under);
                p.setPen(QPen(item.colour, 1));
                p.drawLine(r.topLeft(), r.topRight());
                break;
            }
            case KeyItem::word:
                break;
            case KeyItem::ramp:
                for (int x = 0; item.colours && x < kRamp; ++x)
                    p.fillRect(QRectF(r.left() + x, r.top(), 1, r.height()), QColor::fromRgb((*item.colours)[static_cast<size_t>(x * 255 / (kRamp - 1))]));
                break;
        }
        p.setPen(t.muted);
        p.drawText(places[i].adjusted(sample(item) + kAfter, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter,
                   fontMetrics().elidedText(item.text, Qt::ElideRight, places[i].width() - sample(item) - kAfter + 1));
    }
}

bool Key::event(QEvent* event) {
    if (event->type() == QEvent::FontChange) updateGeometry();
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    std::vector<QRect> places;
    layout_for(width(), &places);
    for (size_t i = 0; i < places.size(); ++i) {
        if (!places[i].contains(help->pos())) continue;
        QString all = items_[i].text.toHtmlEscaped();
        for (const TermPlace& term : terms_in(items_[i].text)) all += "<br><b>" + term.term->word + "</b>: " + term.term->meaning;
        QToolTip::showText(help->globalPos(), "<p>" + all + "</p>", this);
        return true;
    }
    QToolTip::hideText();
    return true;
}

}  // namespace klp::gui
