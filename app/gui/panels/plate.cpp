#include "app/gui/panels/plate.h"

#include <QAbstractButton>
#include <QAbstractItemDelegate>
#include <QAbstractTextDocumentLayout>
#include <QBuffer>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QPdfWriter>
#include <QSaveFile>
#include <QStyleOptionViewItem>
#include <QTableView>
#include <QTextDocument>
#include <algorithm>

#ifdef KLP_HAS_SVG
#include <QSvgGenerator>
#endif

#include "app/gui/draw/drawn.h"
#include "app/gui/panels/lens_head.h"

namespace klp::gui {

namespace {

constexpr int kMargin = 24, kGap = 6, kNarrowest = 440;  // pixels
constexpr int kRowPad = 6;                               // of a table

int header_height(const QTableView& table) { return table.horizontalHeader()->isHidden() ? 0 : table.fontMetrics().height() + kRowPad; }

int alignment_of(const QModelIndex& index) {  // models say it as flags or as a number
    const QVariant said = index.data(Qt::TextAlignmentRole);
    return said.userType() == qMetaTypeId<Qt::Alignment>() ? static_cast<int>(said.value<Qt::Alignment>()) : said.toInt();
}

int row_height(const QTableView& table) { return table.fontMetrics().height() + kRowPad; }

// All of its rows, though the screen shows only some.
void draw_table(QPainter& p, const QTableView& table, const Theme& t, int wide) {
    const QAbstractItemModel& model = *table.model();
    const int head = header_height(table), row = row_height(table);
    if (head > 0) p.fillRect(QRect(0, 0, wide, head), t.raised);
    int x = 0;
    for (int c = 0; c < model.columnCount(); ++c) {
        const bool last = c + 1 == model.columnCount();
        const int column = last ? wide - x : std::min(table.columnWidth(c), wide - x);
        const auto write = [&](const QRect& place, const QString& text, int alignment, const QColor& colour) {
            p.setPen(colour);
            p.drawText(place.adjusted(6, 0, -6, 0), alignment, p.fontMetrics().elidedText(text, Qt::ElideRight, place.width() - 11));
        };
        if (head > 0) {
            const int alignment = model.rowCount() > 0 ? alignment_of(model.index(0, c)) : 0;
            write({x, 0, column, head}, model.headerData(c, Qt::Horizontal).toString(), alignment | Qt::AlignVCenter, t.muted);
        }
        for (int r = 0; r < model.rowCount(); ++r) {
            const QModelIndex index = model.index(r, c);
            const QRect place(x, head + r * row, column, row);
            if (QAbstractItemDelegate* delegate = table.itemDelegateForColumn(c)) {
                QStyleOptionViewItem option;
                option.rect = place, option.palette = table.palette(), option.font = table.font(), option.fontMetrics = table.fontMetrics();
                option.state = QStyle::State_Enabled;
                delegate->paint(&p, option, index);
                p.setRenderHint(QPainter::Antialiasing, false);
            } else {
                write(place, index.data().toString(), alignment_of(index) | Qt::AlignVCenter, t.text);
            }
        }
        x += column;
    }
    p.setPen(t.grid);
    for (int r = 1; r < model.rowCount(); ++r) p.drawLine(0, head + r * row, wide, head + r * row);
    p.setPen(t.border);
    p.setBrush(Qt::NoBrush);
    p.drawRect(QRect(0, 0, wide - 1, head + model.rowCount() * row));
}

void draw_label(QPainter& p, const QLabel& label, int wide, int high) {
    const QColor colour = label.palette().color(label.foregroundRole());
    const bool rich = label.textFormat() == Qt::RichText || (label.textFormat() == Qt::AutoText && Qt::mightBeRichText(label.text()));
    if (!rich) {
        p.setPen(colour);
        p.drawText(QRect(0, 0, wide, high), static_cast<int>(label.alignment()) | (label.wordWrap() ? Qt::TextWordWrap : 0),
                   label.wordWrap() ? label.text() : p.fontMetrics().elidedText(label.text(), Qt::ElideRight, wide));
        return;
    }
    QTextDocument document;
    document.setDocumentMargin(0);
    document.setDefaultFont(label.font());
    document.setHtml(label.text());
    document.setTextWidth(wide);
    QAbstractTextDocumentLayout::PaintContext how;
    how.palette = label.palette();
    how.palette.setColor(QPalette::Text, colour);
    document.documentLayout()->draw(&p, how);
}

}  // namespace

Plate::Plate(QWidget& body, const Key& key, Words words) : body_(body), key_(key), words_(std::move(words)), wide_(std::max(kNarrowest, body.width())) {
    words_.of += " · klp " KLP_VERSION;
    collect(body_);
    int y = kMargin + std::max(text_height(words_.title, title_font()), badge_place().height()) + kGap / 2;
    y += text_height(words_.of, body_.font()) + kGap;
    y += text_height(words_.sentence, body_.font()) + kGap;
    if (!key_.items().empty()) y += key_.heightForWidth(wide_) + kGap;
    stack({kMargin, y + kGap});
}

QFont Plate::title_font() const {
    QFont font = body_.font();
    font.setPointSizeF(1.25 * font.pointSizeF());
    font.setBold(true);
    return font;
}

QRect Plate::badge_place() const {
    QFont bold = body_.font();
    bold.setBold(true);
    const QFontMetrics m(bold);
    const int wide = m.horizontalAdvance(words_.badge.text) + 20;
    return {kMargin + wide_ - wide, kMargin, wide, m.height() + 6};
}

int Plate::title_width() const { return wide_ - badge_place().width() - 12; }

int Plate::text_height(const QString& text, const QFont& font) const {
    if (text.isEmpty()) return 0;
    const int wide = font.bold() ? title_width() : wide_;
    return QFontMetrics(font).boundingRect(QRect(0, 0, wide, 1 << 14), Qt::AlignLeft | Qt::TextWordWrap, text).height();
}

// What says something, where it lies in the body.
void Plate::collect(QWidget& widget) {
    for (QObject* child : widget.children()) {
        auto* w = qobject_cast<QWidget*>(child);
        if (!w || w->isWindow() || !w->isVisibleTo(&body_) || left_out(w) || qobject_cast<QAbstractButton*>(w)) continue;
        const auto* label = qobject_cast<QLabel*>(w);
        if (label && label->text().isEmpty()) continue;
        if (dynamic_cast<Drawn*>(w) || label || qobject_cast<QComboBox*>(w) || qobject_cast<QTableView*>(w))
            parts_.push_back({w, QRect(w->mapTo(&body_, QPoint(0, 0)), w->size())});
        else
            collect(*w);
    }
}

// Rows of parts below each other: where something was left out they move together, and a table takes the room that all its rows need.
void Plate::stack(QPoint from) {
    std::stable_sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) { return a.place.top() < b.place.top(); });
    int y = from.y();
    for (size_t first = 0; first < parts_.size();) {
        int top = parts_[first].place.top(), bottom = parts_[first].place.bottom(), high = 0;
        size_t end = first;
        for (; end < parts_.size() && parts_[end].place.top() <= bottom; ++end) bottom = std::max(bottom, parts_[end].place.bottom());
        for (size_t i = first; i < end; ++i) {
            QRect& place = parts_[i].place;
            if (const auto* drawn = dynamic_cast<Drawn*>(parts_[i].widget)) place.setHeight(drawn->drawn_height(place.height()));
            if (const auto* table = qobject_cast<QTableView*>(parts_[i].widget); table && table->model())
                place.setHeight(header_height(*table) + table->model()->rowCount() * row_height(*table) + 1);
            high = std::max(high, place.top() - top + place.height());
            place.translate(from.x(), y - top);
        }
        y += high + kGap;
        first = end;
    }
    size_ = {wide_ + 2 * kMargin, y - kGap + kMargin};
}

void Plate::draw(QPainter& p) const {
    const Theme& t = theme_of(body_.palette());
    const QColor ground = t.dark ? t.window : QColor(Qt::white);
    p.setRenderHint(QPainter::TextAntialiasing);
    p.fillRect(QRect(QPoint(0, 0), size_), ground);
    p.setBackground(ground);

    const QRect badge = badge_place();
    p.setRenderHint(QPainter::Antialiasing);
    p.setPen(Qt::NoPen);
    p.setBrush(words_.badge.kind == Badge::none ? t.raised : words_.badge.kind == Badge::live ? t.hybrid : t.warn);
    p.drawRoundedRect(badge, 4, 4);
    p.setRenderHint(QPainter::Antialiasing, false);
    QFont bold = body_.font();
    bold.setBold(true);
    p.setFont(bold);
    p.setPen(words_.badge.kind == Badge::none ? t.muted : t.dark ? QColor("#0d1117") : QColor(Qt::white));
    p.drawText(badge, Qt::AlignCenter, words_.badge.text);

    int y = kMargin;
    const auto write = [&](const QString& text, const QFont& font, const QColor& colour, int wide, int least, int gap) {
        const int high = text_height(text, font);
        p.setFont(font);
        p.setPen(colour);
        p.drawText(QRect(kMargin, y, wide, high), Qt::AlignLeft | Qt::TextWordWrap, text);
        y += std::max(high, least) + gap;
    };
    write(words_.title, title_font(), t.text, title_width(), badge.height(), kGap / 2);
    write(words_.of, body_.font(), t.muted, wide_, 0, kGap);
    write(words_.sentence, body_.font(), t.text, wide_, 0, kGap);
    if (!key_.items().empty()) {
        p.save();
        p.translate(kMargin, y);
        p.setFont(key_.font());
        key_.draw(p, wide_);
        p.restore();
    }
    for (const Part& part : parts_) {
        p.save();
        p.translate(part.place.topLeft());
        p.setFont(part.widget->font());
        p.setBrush(Qt::NoBrush);
        if (auto* drawn = dynamic_cast<Drawn*>(part.widget)) {
            drawn->draw(p);
        } else if (const auto* label = qobject_cast<QLabel*>(part.widget)) {
            draw_label(p, *label, part.place.width(), part.place.height());
        } else if (const auto* table = qobject_cast<QTableView*>(part.widget)) {
            draw_table(p, *table, t, part.place.width());
        } else if (const auto* box = qobject_cast<QComboBox*>(part.widget)) {  // what it was set to is the name of what is below it
            p.setFont(bold);
            p.setPen(t.text);
            p.drawText(QRect(0, 0, wide_, part.place.height()), Qt::AlignLeft | Qt::AlignVCenter, box->currentText());
        }
        p.restore();
    }
}

QImage Plate::image() const {
    QImage image(size_ * 2, QImage::Format_RGB32);
    image.setDevicePixelRatio(2);
    QPainter p(&image);
    draw(p);
    return image;
}

QByteArray Plate::svg() const {
    QByteArray bytes;
#ifdef KLP_HAS_SVG
    QBuffer buffer(&bytes);
    QSvgGenerator svg;
    svg.setOutputDevice(&buffer);
    svg.setResolution(body_.logicalDpiY());  // else text of so many points has another size
    svg.setSize(size_);
    svg.setViewBox(QRect(QPoint(0, 0), size_));
    svg.setTitle(words_.title);
    svg.setDescription(words_.of);
    QPainter p(&svg);
    draw(p);
    p.end();
#endif
    return bytes;
}

QString Plate::write(const QString& file) const {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    if (file.endsWith(".svg", Qt::CaseInsensitive)) {
        bytes = svg();
        if (bytes.isEmpty()) return tr("SVG export needs Qt's SVG module, which this build does not have");
    } else if (file.endsWith(".pdf", Qt::CaseInsensitive)) {
        QPdfWriter pdf(&buffer);
        const int dpi = body_.logicalDpiY();
        pdf.setResolution(dpi);
        pdf.setPageSize(QPageSize(QSizeF(size_) * 72 / dpi, QPageSize::Point, QString(), QPageSize::ExactMatch));
        pdf.setPageMargins({});
        pdf.setTitle(words_.title);
        pdf.setCreator("klp " KLP_VERSION);
        QPainter p(&pdf);
        draw(p);
    } else {
        image().save(&buffer, "PNG");
    }
    QSaveFile out(file);
    if (!out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size() || !out.commit())
        return tr("%1 could not be written: %2").arg(file, out.errorString());
    return {};
}

}  // namespace klp::gui
