#include "app/gui/panels/token_text.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "core/text/utf8.h"

namespace klp::gui {

TokenText::TokenText(Session& session, QWidget* parent) : QAbstractScrollArea(parent), session_(session) {
    setFocusPolicy(Qt::StrongFocus);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFrameShape(QFrame::NoFrame);
    viewport()->setMouseTracking(true);
    viewport()->setAutoFillBackground(false);
}

void TokenText::show(const Reads& reads, const Parts& parts) {
    const bool other = reads.picture.position != position_;
    reads_ = &reads;
    position_ = reads.shown() ? reads.picture.position : -1;
    choose(parts);
    place();
    if (other) bring(position_);
    viewport()->update();
}

void TokenText::paintEvent(QPaintEvent*) {
    QPainter p(viewport());
    const Theme& t = theme_of(palette());
    p.fillRect(viewport()->rect(), t.panel);
    if (!reads_ || !reads_->shown()) return;
    p.setFont(font());
    const int top = verticalScrollBar()->value();
    p.translate(0, -top);
    for (const Piece& piece : pieces_)
        if (piece.box.bottom() >= top && piece.box.top() <= top + viewport()->height()) draw_piece(p, piece, session_.selection().hovered());
    if (hasFocus()) {
        p.resetTransform();
        p.setPen(QPen(t.accent, 1, Qt::DotLine));
        p.drawRect(viewport()->rect().adjusted(0, 0, -1, -1));
    }
}

int TokenText::drawn_height(int height) const {
    const int top = verticalScrollBar()->value();
    int bottom = 0;
    for (const Piece& piece : pieces_)
        if (piece.box.bottom() <= top + height) bottom = std::max(bottom, piece.box.bottom() - top);
    return std::min(height, bottom + 5);
}

// What is in sight, in whole lines.
void TokenText::draw(QPainter& p) {
    p.fillRect(QRect(0, 0, viewport()->width(), drawn_height(height())), theme_of(palette()).panel);
    if (!reads_ || !reads_->shown()) return;
    const int top = verticalScrollBar()->value();
    p.translate(0, -top);
    for (const Piece& piece : pieces_)
        if (piece.box.top() >= top && piece.box.bottom() <= top + height()) draw_piece(p, piece, -1);
    p.translate(0, top);
}

void TokenText::draw_piece(QPainter& p, const Piece& piece, int64_t hovered) const {
    const Theme& t = theme_of(palette());
    if (piece.position < 0) {
        p.setPen(t.muted);
        p.drawText(piece.box, Qt::AlignCenter, piece.text);
        return;
    }
    QColor under = t.panel;
    if (reads_->has(piece.position)) {
        const float w = reads_->weight(piece.position);
        under = reads_->colour(w, t);
        p.fillRect(piece.box, under);
        if (w < 0 && reads_->place(w) < -0.15) {  // the sign is not told by colour alone
            p.setPen(QPen(t.text, 1, Qt::DotLine));
            p.drawLine(piece.box.left() + 1, piece.box.bottom() - 1, piece.box.right() - 1, piece.box.bottom() - 1);
        }
    }
    const auto light = [](const QColor& c) { return 0.299 * c.redF() + 0.587 * c.greenF() + 0.114 * c.blueF(); };
    QColor ink = std::abs(light(t.text) - light(under)) > std::abs(light(t.panel) - light(under)) ? t.text : t.panel;
    if (piece.control && ink == t.text) ink = t.muted;
    if (piece.position > position_) ink = t.muted;  // it came later
    p.setPen(ink);
    p.drawText(piece.box, Qt::AlignCenter, piece.text);
    p.setBrush(Qt::NoBrush);
    if (piece.position == position_) {
        p.setPen(QPen(t.accent, 2));
        p.drawRect(piece.box.adjusted(0, 0, -1, -1));
    } else if (piece.position == hovered) {
        p.setPen(QPen(t.text, 1));
        p.drawRect(piece.box.adjusted(0, 0, -1, -1));
    }
}

void TokenText::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange) place();
}

void TokenText::mousePressEvent(QMouseEvent* event) {
    if (const int64_t p = at(event->pos()); p >= 0 && event->button() == Qt::LeftButton) clicked(p);
}

bool TokenText::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::Leave) hovered(-1);
    if (event->type() != QEvent::ToolTip) return QAbstractScrollArea::viewportEvent(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const int64_t p = at(help->pos());
    p >= 0 ? QToolTip::showText(help->globalPos(), describe(p), this) : QToolTip::hideText();
    return true;
}

void TokenText::keyPressEvent(QKeyEvent* event) {
    const int step = event->key() == Qt::Key_Left ? -1 : event->key() == Qt::Key_Right ? 1 : 0;
    if (event->modifiers() & ~Qt::KeypadModifier || pieces_.empty()) return QAbstractScrollArea::keyPressEvent(event);
    const int64_t here = session_.selection().hovered() >= 0 ? session_.selection().hovered() : position_;
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) return clicked(here);
    if (step == 0) return QAbstractScrollArea::keyPressEvent(event);
    auto at = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.position == here; });
    if (at == pieces_.end()) at = pieces_.end() - 1;
    do {
        if (step < 0 ? at == pieces_.begin() : at == pieces_.end() - 1) return;
        at += step;
    } while (at->position < 0);
    hovered(at->position);
    setAccessibleDescription(describe(at->position));
    bring(at->position);
}

void TokenText::bring(int64_t position) {
    const auto at = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.position == position; });
    if (at == pieces_.end()) return;
    QScrollBar* bar = verticalScrollBar();
    if (at->box.top() < bar->value()) bar->setValue(at->box.top() - at->box.height());
    if (at->box.bottom() > bar->value() + viewport()->height()) bar->setValue(at->box.bottom() + at->box.height() - viewport()->height());
}

void TokenText::choose(const Parts& parts) {
    pieces_.clear();
    if (!session_.card()) return;
    const TraceStore& trace = session_.trace();
    const Tokenizer* tokenizer = session_.card()->tokenizer.get();
    const auto& ends = session_.card()->config.eos_token_ids;
    pieces_.push_back({-1, reads_->what() + ":", {}, false, true});
    int64_t next = 0;
    for (const auto& [first, end] : parts) {
        if (first > next) pieces_.push_back({-1, tr("… %1 tokens …").arg(local(grouped(first - next))), {}, false, true});
        for (next = std::max(next, first); next < std::min(end, trace.size()); ++next) {
            const TokenRow& row = trace.row(next);
            Piece piece{next, QString::fromStdString(repair_utf8(row.text)), {}};
            piece.control = tokenizer && tokenizer->is_special(row.id);
            if (piece.text.isEmpty() && tokenizer) piece.text = QString::fromStdString(repair_utf8(tokenizer->bytes(row.id)));
            piece.ends_line = piece.text.contains('\n') || std::find(ends.begin(), ends.end(), row.id) != ends.end();
            piece.text.replace('\n', "↵").replace('\t', "⇥");
            pieces_.push_back(std::move(piece));
        }
    }
}

void TokenText::place() {
    const QFontMetrics m(font());
    const int line = m.height() + 6, left = 6, right = viewport()->width() - 6, indent = m.horizontalAdvance(' ');
    int x = left, y = 4;
    for (Piece& piece : pieces_) {
        const int wide = std::max(indent, m.horizontalAdvance(piece.text)) + (piece.control || piece.position < 0 ? 6 : 1);
        if (piece.position < 0 && x > left) x = left, y += line;
        if (x + wide > right && x > left) x = left, y += line;
        piece.box = QRect(x, y, wide, line - 2);
        x += wide;
        if (piece.ends_line) x = left, y += line;
    }
    const int high = (x > left ? y + line : y) + 4;
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(line);
    verticalScrollBar()->setRange(0, std::max(0, high - viewport()->height()));
}

int64_t TokenText::at(QPoint p) const {
    p.ry() += verticalScrollBar()->value();
    for (const Piece& piece : pieces_)
        if (piece.position >= 0 && piece.box.contains(p)) return piece.position;
    return -1;
}

}  // namespace klp::gui
