#include "app/gui/chat/prose_box.h"

#include <QAbstractTextDocumentLayout>
#include <QApplication>
#include <QClipboard>
#include <QDesktopServices>
#include <QHelpEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QTextBlock>
#include <QTextDocumentFragment>
#include <QTextList>
#include <QTextTable>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "app/gui/chat/markdown.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

const auto kMarkdown = QTextDocument::MarkdownFeatures(QTextDocument::MarkdownDialectGitHub) | QTextDocument::MarkdownNoHTML;

constexpr double kLeading = 118;  // per cent of a line's height
QTextBlockFormat paragraph(double below) {
    QTextBlockFormat format;
    format.setLineHeight(kLeading, QTextBlockFormat::ProportionalHeight);
    format.setBottomMargin(below);
    return format;
}

// Where a word stands that is not part of a longer one, from `from` on; -1: nowhere.
qsizetype next_word(const QString& in, const QString& word, qsizetype from) {
    for (qsizetype at = in.indexOf(word, from); at >= 0; at = in.indexOf(word, at + 1)) {
        const qsizetype end = at + word.size();
        if ((at == 0 || !in[at - 1].isLetterOrNumber()) && (end >= in.size() || !in[end].isLetterOrNumber())) return at;
    }
    return -1;
}
}  // namespace

qsizetype find_word(const QString& in, const QString& word, int n) {  // the n-th, from 0
    qsizetype at = next_word(in, word, 0);
    while (at >= 0 && n-- > 0) at = next_word(in, word, at + 1);
    return at;
}
int count_words(const QString& in, const QString& word, qsizetype before) {
    int n = 0;
    for (qsizetype at = next_word(in, word, 0); at >= 0 && at < before; at = next_word(in, word, at + 1)) ++n;
    return n;
}

ProseBox::ProseBox(QWidget* parent) : QTextBrowser(parent) {
    setFrameShape(NoFrame);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setOpenLinks(false);
    setUndoRedoEnabled(false);
    document()->setDocumentMargin(0);
    document()->setIndentWidth(22);
    viewport()->setAutoFillBackground(false);
    setAccessibleName(tr("Text of the message"));
    setFocusPolicy(Qt::ClickFocus);
    setTextInteractionFlags(Qt::TextBrowserInteraction | Qt::TextSelectableByKeyboard);
    setContextMenuPolicy(Qt::NoContextMenu);  // the card has one
    connect(this, &QTextBrowser::anchorClicked, this, &ProseBox::ask_link);
}

QVariant ProseBox::loadResource(int, const QUrl&) { return {}; }

void ProseBox::set_plain(const QString& said) {
    setPlainText(said);
    QTextCursor cursor(document());
    cursor.select(QTextCursor::Document);
    cursor.setBlockFormat(paragraph(0));
    open_at_ = document()->characterCount() - 1;
}

void ProseBox::add(const QString& markdown) {
    set_open({});
    QTextDocument block;
    block.setDefaultFont(font());
    block.setMarkdown(harmless_markdown(markdown), kMarkdown);
    QTextCursor cursor(document());
    cursor.movePosition(QTextCursor::End);
    // A list brings a block of its own, and so does a table, behind which an empty one stands that the next block may have.
    const QTextBlock first = block.firstBlock();
    const bool own = first.textList() || QTextCursor(first).currentTable();
    if (!empty() && !document()->lastBlock().text().isEmpty() && !own) cursor.insertBlock(QTextBlockFormat(), QTextCharFormat());
    const int start = cursor.position();
    cursor.insertFragment(QTextDocumentFragment(&block));
    tidy(start, first.blockFormat());
    open_at_ = document()->characterCount() - 1;
}

// Distances, sizes and lines as the cards have them, not as the importer sets them; the first block's own format was lost on the way.
void ProseBox::tidy(int start, const QTextBlockFormat& first) {
    const Theme& t = theme_of(palette());
    QTextTable* table = nullptr;
    bool is_first = true;
    for (QTextBlock b = document()->findBlock(start); b.isValid(); b = b.next()) {
        QTextCursor cursor(b);
        if (QTextTable* here = cursor.currentTable()) {
            if (here != table) {
                QTextTableFormat format = here->format();
                format.setBorderCollapse(true);
                format.setBorder(1), format.setBorderStyle(QTextFrameFormat::BorderStyle_Solid), format.setBorderBrush(t.border);
                format.setCellPadding(5), format.setCellSpacing(0), format.setTopMargin(4), format.setBottomMargin(4);
                here->setFormat(format);
                table = here;
            }
            continue;
        }
        const QTextBlockFormat had = is_first && !b.textList() ? first : b.blockFormat();
        is_first = false;
        const int level = had.headingLevel(), quote = had.intProperty(QTextFormat::BlockQuoteLevel);
        QTextBlockFormat format = b.textList() ? b.blockFormat() : QTextBlockFormat();
        format.setLineHeight(b.text().isEmpty() ? 1 : kLeading, b.text().isEmpty() ? QTextBlockFormat::FixedHeight : QTextBlockFormat::ProportionalHeight);
        format.setTopMargin(level > 0 && b.position() > 0 ? 10 : 0);
        format.setBottomMargin(b.text().isEmpty() ? 0 : level > 0 ? 4 : b.textList() ? 3 : 7);
        if (quote > 0) format.setLeftMargin(14 * quote);
        cursor.setBlockFormat(format);
        cursor.select(QTextCursor::BlockUnderCursor);
        QTextCharFormat letters;
        if (level > 0) letters.setProperty(QTextFormat::FontSizeAdjustment, std::max(0, 3 - level));
        if (quote > 0) letters.setForeground(t.muted);
        if (!letters.isEmpty()) cursor.mergeCharFormat(letters);
    }
}

void ProseBox::set_open(const QString& said) {
    if (said == open_) return;
    QTextCursor cursor(document());
    if (!open_.isEmpty() && said.startsWith(open_)) {
        cursor.movePosition(QTextCursor::End);
        cursor.insertText(said.mid(open_.size()));
        settle();
    } else {
        cursor.setPosition(open_at_);
        cursor.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
        cursor.removeSelectedText();
        if (!said.isEmpty()) {
            if (!document()->lastBlock().text().isEmpty())
                cursor.insertBlock(paragraph(7), QTextCharFormat());
            else
                cursor.setBlockFormat(paragraph(7));
            cursor.setCharFormat({});
            cursor.insertText(said);
        }
    }
    open_ = said;
}

// A block is laid out anew with every token: of a long one, the lines that are full become a block of their own until it closes.
void ProseBox::settle() {
    constexpr int kLines = 12, kOpen = 3;
    const QTextBlock block = document()->lastBlock();
    if (block.layout()->lineCount() < kLines) return;
    const int at = block.position() + block.layout()->lineAt(block.layout()->lineCount() - kOpen).textStart();
    if (document()->characterAt(at - 1) != ' ') return;
    QTextCursor cursor(document());
    cursor.setPosition(at - 1);
    cursor.setPosition(at, QTextCursor::KeepAnchor);
    cursor.insertBlock(block.blockFormat());  // in the place of the space
    cursor.movePosition(QTextCursor::PreviousBlock);
    cursor.setBlockFormat(paragraph(0));
}

int ProseBox::height_for(int width) {
    document()->setTextWidth(width);
    return static_cast<int>(std::ceil(document()->size().height()));
}

void ProseBox::mark(const QString& word, int n) {
    QList<ExtraSelection> marks;
    const qsizetype at = word.isEmpty() ? -1 : find_word(toPlainText(), word, n);
    if (at >= 0) {
        ExtraSelection mark;
        mark.cursor = QTextCursor(document());
        mark.cursor.setPosition(static_cast<int>(at));
        mark.cursor.setPosition(static_cast<int>(at + word.size()), QTextCursor::KeepAnchor);
        QColor colour = theme_of(palette()).accent;
        colour.setAlphaF(0.35f);
        mark.format.setBackground(colour);
        mark.format.setUnderlineStyle(QTextCharFormat::SingleUnderline);
        marks << mark;
    }
    marked_ = marks;
    setExtraSelections(changed_ + found_ + marked_);
}

void ProseBox::mark_words(const QList<std::pair<int, int>>& places) {
    changed_.clear();
    QColor colour = theme_of(palette()).warn;
    for (const auto& [at, length] : places) {
        ExtraSelection word;
        word.cursor = QTextCursor(document());
        word.cursor.setPosition(at);
        word.cursor.setPosition(at + length, QTextCursor::KeepAnchor);
        word.format.setUnderlineStyle(QTextCharFormat::DashUnderline);
        word.format.setUnderlineColor(colour);
        QColor ground = colour;
        ground.setAlphaF(0.16f);
        word.format.setBackground(ground);
        changed_ << word;
    }
    setExtraSelections(changed_ + found_ + marked_);
}

int ProseBox::find_all(const QString& what, int n) {
    const Theme& t = theme_of(palette());
    found_.clear();
    int y = -1, i = 0;
    const QString all = toPlainText();
    for (qsizetype at = what.isEmpty() ? -1 : all.indexOf(what, 0, Qt::CaseInsensitive); at >= 0;
         at = all.indexOf(what, at + what.size(), Qt::CaseInsensitive), ++i) {
        ExtraSelection place;
        place.cursor = QTextCursor(document());
        place.cursor.setPosition(static_cast<int>(at));
        place.cursor.setPosition(static_cast<int>(at + what.size()), QTextCursor::KeepAnchor);
        QColor colour = t.warn;
        colour.setAlphaF(i == n ? 0.65f : 0.25f);
        place.format.setBackground(colour);
        found_ << place;
        if (i == n) y = cursorRect(place.cursor).top();
    }
    setExtraSelections(changed_ + found_ + marked_);
    return y;
}

void ProseBox::tint(std::vector<Under> under, std::function<QString(double)> say) {
    say_ = std::move(say);
    if (under == under_) return;
    under_ = std::move(under);
    viewport()->update();
}

void ProseBox::paintEvent(QPaintEvent* event) {
    if (!under_.empty()) {
        QPainter p(viewport());
        p.setPen(Qt::NoPen);
        p.setRenderHint(QPainter::Antialiasing);
        QTextBlock block;
        QRectF place;  // of the block
        for (const Under& one : under_) {
            const int at = one.run.at, end = at + one.run.length;
            if (!block.isValid() || at < block.position() || at >= block.position() + block.length()) {
                block = document()->findBlock(at);
                if (!block.isValid()) continue;
                place = document()->documentLayout()->blockBoundingRect(block);
            }
            if (place.bottom() < event->rect().top() || place.top() > event->rect().bottom()) continue;
            for (int from = at - block.position(), last = std::min(end - block.position(), block.length()); from < last;) {
                const QTextLine line = block.layout()->lineForTextPosition(from);
                if (!line.isValid()) break;
                const int until = std::min(last, line.textStart() + line.textLength());
                if (until <= from) break;
                const double left = line.cursorToX(from), right = line.cursorToX(until);
                p.setBrush(one.colour);
                p.drawRoundedRect(QRectF(place.left() + std::min(left, right), place.top() + line.y() + line.height() - line.ascent() - line.descent(),
                                         std::abs(right - left), line.ascent() + line.descent()),
                                  2, 2);
                from = until;
            }
        }
    }
    QTextBrowser::paintEvent(event);
}

bool ProseBox::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip && !under_.empty() && say_) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int at = cursorForPosition(help->pos()).position();
        for (const Under& one : under_)
            if (at >= one.run.at && at < one.run.at + one.run.length) {
                QToolTip::showText(help->globalPos(), say_(one.run.value), this);
                return true;
            }
    }
    return QTextBrowser::viewportEvent(event);
}

void ProseBox::mousePressEvent(QMouseEvent* event) {
    pressed_ = event->pos();
    QTextBrowser::mousePressEvent(event);
}

void ProseBox::mouseReleaseEvent(QMouseEvent* event) {
    QTextBrowser::mouseReleaseEvent(event);
    if (event->button() != Qt::LeftButton || textCursor().hasSelection() || (event->pos() - pressed_).manhattanLength() > 4 ||
        !anchorAt(event->pos()).isEmpty())
        return;
    QTextCursor cursor = cursorForPosition(event->pos());
    cursor.select(QTextCursor::WordUnderCursor);
    const QString word = cursor.selectedText();
    if (!word.isEmpty()) emit word_clicked(word, count_words(toPlainText(), word, cursor.selectionStart()));
}

// Where a link leads is seen before anything is opened.
void ProseBox::ask_link(const QUrl& url) {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    QString shown = url.toDisplayString();
    if (shown.size() > 90) shown = shown.left(88) + "…";
    const bool web = url.scheme() == "http" || url.scheme() == "https";
    QAction* open = menu->addAction(tr("Open %1").arg(shown.replace('&', "&&")), this, [url] { QDesktopServices::openUrl(url); });
    open->setEnabled(web);
    if (!web) open->setText(tr("%1  (only web addresses are opened)").arg(open->text()));
    menu->addAction(tr("Copy the address"), this, [url] { QApplication::clipboard()->setText(url.toString()); });
    menu->popup(QCursor::pos());
}

}  // namespace klp::gui
