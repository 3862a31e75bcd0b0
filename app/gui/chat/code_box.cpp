#include "app/gui/chat/code_box.h"

#include <QApplication>
#include <QClipboard>
#include <QFontDatabase>
#include <QLabel>
#include <QPainter>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QTextBlock>
#include <QToolButton>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "app/gui/chat/markdown.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr int kPad = 12, kCodeHeader = 26;

QFont code_font(const QFont& like) {
    QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    font.setPointSizeF(like.pointSizeF() * 0.96);
    return font;
}

// Scrolls sideways only: up and down belongs to the list.
class CodeText : public QPlainTextEdit {
public:
    using QPlainTextEdit::QPlainTextEdit;
    void wheelEvent(QWheelEvent* event) override {
        if (std::abs(event->angleDelta().y()) > std::abs(event->angleDelta().x()))
            event->ignore();
        else
            QPlainTextEdit::wheelEvent(event);
    }
};

}  // namespace

CodeBox::CodeBox(const QString& language, QWidget* parent) : QFrame(parent) {
    setAccessibleName(language.isEmpty() ? tr("Code") : tr("%1 code").arg(language));
    language_ = new QLabel(language.isEmpty() ? tr("code") : language, this);
    language_->setTextFormat(Qt::PlainText);
    language_->setForegroundRole(QPalette::PlaceholderText);
    copy_ = new QToolButton(this);
    copy_->setText(tr("Copy"));
    copy_->setAutoRaise(true);
    copy_->setFocusPolicy(Qt::NoFocus);
    copy_->setAccessibleName(tr("Copy the code"));
    connect(copy_, &QToolButton::clicked, this, [this] { QApplication::clipboard()->setText(text_); });
    edit_ = new CodeText(this);
    edit_->setReadOnly(true);
    edit_->setFrameShape(NoFrame);
    edit_->setLineWrapMode(QPlainTextEdit::NoWrap);
    edit_->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    edit_->setFocusPolicy(Qt::ClickFocus);
    edit_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    edit_->setContextMenuPolicy(Qt::NoContextMenu);
    edit_->setFont(code_font(font()));
    edit_->setAccessibleName(tr("Code"));
    edit_->viewport()->setAutoFillBackground(false);
    edit_->document()->setDocumentMargin(0);
    colours_ = new CodeColours(edit_->document(), language);
    colours_->set_dark(theme_of(palette()).dark);
}

void CodeBox::set_text(const QString& code) {
    if (code == text_) return;
    if (!text_.isEmpty() && code.startsWith(text_)) {
        QTextCursor cursor(edit_->document());
        cursor.movePosition(QTextCursor::End);
        cursor.insertText(code.mid(text_.size()));
    } else {
        edit_->setPlainText(code);
    }
    text_ = code;
}

void CodeBox::tint(const std::vector<std::pair<TintRun, QColor>>& under) {
    QList<QTextEdit::ExtraSelection> all;
    for (const auto& [run, colour] : under) {
        QTextEdit::ExtraSelection one;
        one.cursor = QTextCursor(edit_->document());
        one.cursor.setPosition(run.at);
        one.cursor.setPosition(run.at + run.length, QTextCursor::KeepAnchor);
        one.format.setBackground(colour);
        all << one;
    }
    if (!all.isEmpty() || !edit_->extraSelections().isEmpty()) edit_->setExtraSelections(all);
}

int CodeBox::height_for(int width) {
    const int lines = edit_->document()->blockCount();
    qsizetype longest = 0;
    for (QTextBlock b = edit_->document()->firstBlock(); b.isValid(); b = b.next()) longest = std::max<qsizetype>(longest, b.length());
    const bool wide = edit_->fontMetrics().horizontalAdvance('0') * longest > width - 2 * kPad;
    return kCodeHeader + lines * edit_->fontMetrics().lineSpacing() + kPad + (wide ? edit_->horizontalScrollBar()->sizeHint().height() + 4 : 0);
}

void CodeBox::resizeEvent(QResizeEvent*) {
    const QSize copy = copy_->sizeHint();
    copy_->setGeometry(width() - copy.width() - 4, 2, copy.width(), kCodeHeader - 4);
    language_->setGeometry(kPad, 0, width() - copy.width() - 2 * kPad, kCodeHeader);
    edit_->setGeometry(kPad - 2, kCodeHeader + 2, width() - 2 * kPad + 4, height() - kCodeHeader - 6);
}

void CodeBox::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && colours_) colours_->set_dark(theme_of(palette()).dark);
    if (event->type() == QEvent::FontChange) edit_->setFont(code_font(font()));
}

void CodeBox::paintEvent(QPaintEvent*) {
    const Theme& t = theme_of(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(t.border);
    painter.setBrush(t.window);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5);
    painter.drawLine(QPointF(1, kCodeHeader + 0.5), QPointF(width() - 1, kCodeHeader + 0.5));
}

}  // namespace klp::gui
