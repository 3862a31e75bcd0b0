#include "app/gui/chat/composer.h"

#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMimeData>
#include <QPainter>
#include <QPushButton>
#include <QStringDecoder>
#include <QToolButton>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {
constexpr int kMostLines = 9;
constexpr qint64 kLargestFile = 1 << 20;
constexpr qsizetype kLongPaste = 2000;  // characters; what is longer, or has more lines than this, is attached
constexpr qsizetype kManyLines = 25;
}  // namespace

ComposerText::ComposerText(QWidget* parent) : QPlainTextEdit(parent) {
    setObjectName("composer");
    setAccessibleName(tr("Message"));
    setFrameShape(NoFrame);
    setTabChangesFocus(true);
    setToolTip(tr("Enter sends, Shift+Enter begins a new line, Up edits the last message"));
    document()->setDocumentMargin(2);
    viewport()->setAutoFillBackground(false);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(document(), &QTextDocument::contentsChanged, this, &QWidget::updateGeometry);
}

QSize ComposerText::sizeHint() const {
    int lines = 0;
    for (QTextBlock b = document()->firstBlock(); b.isValid() && lines < kMostLines; b = b.next()) lines += std::max(1, b.layout()->lineCount());
    return {200, std::clamp(lines, 1, kMostLines) * fontMetrics().lineSpacing() + 10};
}

// The window's keys stay the window's, but for what edits text. With nothing to undo here, Ctrl+Z undoes a turn.
bool ComposerText::event(QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool undo = key->matches(QKeySequence::Undo), redo = key->matches(QKeySequence::Redo);
        const bool windows = key->modifiers() == Qt::ControlModifier && (key->key() == Qt::Key_K || key->key() == Qt::Key_E || key->key() == Qt::Key_D);
        if (windows || (undo && !document()->isUndoAvailable()) || (redo && !document()->isRedoAvailable())) {
            event->ignore();
            return true;
        }
    }
    return QPlainTextEdit::event(event);
}

void ComposerText::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (enter && !(event->modifiers() & Qt::ShiftModifier)) return emit send_asked();
    if (event->key() == Qt::Key_Up && document()->isEmpty()) return emit edit_last_asked();
    if (event->key() == Qt::Key_Escape) {
        emit given_up();
        return event->ignore();  // Esc also stops
    }
    QPlainTextEdit::keyPressEvent(event);
}

bool ComposerText::canInsertFromMimeData(const QMimeData* source) const { return source->hasUrls() || source->hasText(); }

void ComposerText::insertFromMimeData(const QMimeData* source) {
    if (!source->hasUrls()) {
        const QString said = source->text();
        if (said.size() > kLongPaste || said.count('\n') > kManyLines) return emit pasted(said);
        return insertPlainText(said);
    }
    for (const QUrl& url : source->urls()) {
        if (url.isLocalFile())
            emit file_dropped(url.toLocalFile());
        else
            insertPlainText(url.toString());
    }
}

Composer::Composer(Chats& chats, QWidget* parent) : QFrame(parent), chats_(chats) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(10, 8, 8, 8);
    column->setSpacing(4);
    editing_bar_ = new QWidget(this);
    auto* editing = new QHBoxLayout(editing_bar_);
    editing->setContentsMargins(0, 0, 0, 0);
    editing_label_ = new QLabel(tr("Editing a message: sending makes a branch, the old one stays."), editing_bar_);
    editing_label_->setForegroundRole(QPalette::PlaceholderText);
    editing_label_->setMinimumWidth(0);
    editing->addWidget(editing_label_, 1);
    auto* cancel = new QToolButton(editing_bar_);
    cancel->setText(tr("Cancel"));
    cancel->setAccessibleName(tr("Stop editing"));
    cancel->setAutoRaise(true);
    connect(cancel, &QToolButton::clicked, this, [this] { edit(0); });
    editing->addWidget(cancel);
    editing_bar_->hide();
    column->addWidget(editing_bar_);
    chips_ = new QWidget(this);
    chips_->setObjectName("chips");
    auto* chips = new QVBoxLayout(chips_);
    chips->setContentsMargins(0, 0, 0, 0);
    chips->setSpacing(4);
    chips_->hide();
    column->addWidget(chips_);
    text_ = new ComposerText(this);
    text_->installEventFilter(this);
    column->addWidget(text_);

    auto* row = new QHBoxLayout;
    row->setSpacing(4);
    auto* attach_file = new QToolButton(this);
    attach_file->setText(tr("Attach"));
    attach_file->setAutoRaise(true);
    attach_file->setAccessibleName(tr("Attach a text file"));
    attach_file->setToolTip(tr("Put a text file into the message; it may also be dropped here"));
    connect(attach_file, &QToolButton::clicked, this, [this] {
        auto* dialog = new QFileDialog(this, tr("A text file"));
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        dialog->setFileMode(QFileDialog::ExistingFile);
        connect(dialog, &QFileDialog::fileSelected, this, qOverload<const QString&>(&Composer::attach));
        dialog->open();
    });
    row->addWidget(attach_file);
    tools_ = new QHBoxLayout;
    tools_->setSpacing(4);
    row->addLayout(tools_);
    row->addStretch(1);
    count_ = new QLabel(this);
    count_->setObjectName("count");
    count_->setForegroundRole(QPalette::PlaceholderText);
    row->addWidget(count_);
    row->addSpacing(6);
    send_ = new QPushButton(tr("Send"), this);
    send_->setObjectName("send");
    send_->setProperty("primary", true);
    send_->setAutoDefault(false);
    connect(send_, &QPushButton::clicked, this, [this] {
        if (!chats_.both_rest() && !chats_.recorded())
            chats_.stop();
        else
            send();
    });
    row->addWidget(send_);
    column->addLayout(row);

    connect(text_, &ComposerText::send_asked, this, &Composer::send);
    connect(text_, &ComposerText::edit_last_asked, this, [this] {
        const std::vector<int> line = chats_.chat().line();
        for (auto id = line.rbegin(); id != line.rend(); ++id)
            if (chats_.chat().message(*id).role == "user") return edit(*id);
    });
    connect(text_, &ComposerText::given_up, this, [this] {
        if (editing_ > 0) edit(0);
    });
    connect(text_, &ComposerText::file_dropped, this, qOverload<const QString&>(&Composer::attach));
    connect(text_, &ComposerText::pasted, this, [this](const QString& said) { attach(tr("Pasted text"), said); });
    connect(text_, &QPlainTextEdit::textChanged, this, [this] {
        if (!count_timer_.isActive()) count_timer_.start();
        refresh();
    });
    count_timer_.setSingleShot(true);
    count_timer_.setInterval(150);
    connect(&count_timer_, &QTimer::timeout, this, &Composer::count);
    connect(&chats_, &Chats::state_changed, this, &Composer::refresh);
    connect(&chats_, &Chats::state_changed, this, &Composer::count);
    connect(&chats_, &Chats::line_changed, this, &Composer::take_line);
    connect(&chats_, &Chats::info_changed, this, &Composer::count);
    connect(&chats_, &Chats::text_kept, this, [this](const QString& said) {
        if (text_->document()->isEmpty()) set_text(returned_ = said);
    });
    refresh();
    count();
}

void Composer::take_line() {
    if (editing_ > 0) edit(0);
    if (!returned_.isEmpty()) {
        const std::vector<int> line = chats_.chat().line();
        const bool back = std::any_of(line.begin(), line.end(), [&](int id) {
            const ChatMessage& m = chats_.chat().message(id);
            return m.role == "user" && QString::fromStdString(m.text) == returned_;
        });
        if (back && text_->toPlainText() == std::exchange(returned_, {})) text_->clear();
    }
    count();
}

void Composer::set_text(const QString& said) {
    text_->setPlainText(said);
    text_->moveCursor(QTextCursor::End);
}

void Composer::edit(int id) {
    if (id > 0) {
        if (editing_ == 0) kept_ = text_->toPlainText();
        editing_ = id;
        set_text(QString::fromStdString(chats_.chat().message(id).text));
        editing_label_->setText(chats_.chat().message(id).role == "assistant"
                                    ? tr("Editing an answer: the model goes on from what you leave here, on a branch; the old answer stays.")
                                    : tr("Editing a message: sending makes a branch, the old one stays."));
        text_->setFocus();
    } else if (editing_ > 0) {
        editing_ = 0;
        set_text(std::exchange(kept_, {}));
    }
    editing_bar_->setVisible(editing_ > 0);
    refresh();
}

QString Composer::message() const {
    QString all = text_->toPlainText();
    if (editing_ == 0) all = all.trimmed();
    for (const Attachment& a : attached_) {
        QString fence = "```";
        while (a.text.contains(fence)) fence += '`';
        all += (all.isEmpty() ? "" : "\n\n") + a.name + ":\n" + fence + "\n" + a.text + (a.text.endsWith('\n') ? "" : "\n") + fence;
    }
    return all;
}

void Composer::send() {
    const QString said = message();
    if (said.trimmed().isEmpty()) return;
    if (editing_ > 0) {
        const int id = editing_;
        if (chats_.edit(id, said)) edit(0);  // by now it is, for the line has changed, unless the model has to come first
        return;
    }
    if (!chats_.send(said)) return;
    attached_.clear();
    show_chips();
    text_->clear();
}

void Composer::attach(const QString& file) {
    QFile in(file);
    const QString name = QFileInfo(file).fileName();
    if (!in.open(QIODevice::ReadOnly)) return chats_.session().say(file + ": " + in.errorString() + ".");
    if (in.size() > kLargestFile)
        return chats_.session().say(tr("%1 has %2, more than the %3 of a message.").arg(file, local(bytes_text(in.size())), local(bytes_text(kLargestFile))));
    const QByteArray bytes = in.readAll();
    QStringDecoder decoder(QStringDecoder::Utf8);
    const QString said = decoder(bytes);
    if (decoder.hasError() || bytes.contains('\0')) return chats_.session().say(tr("%1 is not a text file.").arg(file));
    attach(name, said);
}

void Composer::attach(const QString& name, const QString& said) {
    attached_.push_back({name, said});
    show_chips();
    text_->setFocus();
}

// One line each: the name, how long it is, and a button that takes it away.
void Composer::show_chips() {
    qDeleteAll(chips_->findChildren<QToolButton*>("chip", Qt::FindDirectChildrenOnly));
    for (size_t i = 0; i < attached_.size(); ++i) {
        const Attachment& a = attached_[i];
        auto* chip = new QToolButton(chips_);
        chip->setObjectName("chip");
        const QString about =
            tr("%1, %2").arg(fontMetrics().elidedText(a.name, Qt::ElideMiddle, 220), local(bytes_text(static_cast<int64_t>(a.text.toUtf8().size()))));
        chip->setText(about + "   ✕");
        chip->setAccessibleName(tr("Attached: %1. Press to take it away").arg(about));
        chip->setToolTip(a.text.left(600) + (a.text.size() > 600 ? "…" : ""));
        connect(chip, &QToolButton::clicked, this, [this, i] {
            attached_.erase(attached_.begin() + static_cast<std::ptrdiff_t>(i));
            QTimer::singleShot(0, this, &Composer::show_chips);  // not at once: it is this one that is being pressed
        });
        chips_->layout()->addWidget(chip);
        chip->show();
    }
    chips_->setVisible(!attached_.empty());
    refresh();
    count();
}

void Composer::refresh() {
    const bool stop = !chats_.both_rest() && !chats_.recorded();  // a recording has its own row of buttons
    send_->setText(stop ? tr("Stop") : tr("Send"));
    send_->setAccessibleName(stop ? tr("Stop the answer") : tr("Send the message"));
    send_->setToolTip(stop ? tr("Stop within one token; what was said is kept (Esc)") : tr("Send (Enter or Ctrl+Enter; Shift+Enter begins a new line)"));
    send_->setEnabled(stop || ((!text_->document()->isEmpty() || !attached_.empty()) && !chats_.recorded()));
    text_->setReadOnly(chats_.recorded());
    const RunCard* card = chats_.session().card();
    const QString hint =
        chats_.recorded()  ? chats_.session().aside() ? tr("An answer is played again; go back to now to talk") : tr("A recording plays here; leave it to talk")
         : chats_.loading() ? tr("Message: it is answered when the model is loaded")
        : card && chats_.beside() ? tr("Message both sides")
        : card                    ? tr("Message %1").arg(QString::fromStdString(card->name))
        : chats_.device_failed()  ? tr("Message: load a model first")
        : chats_.last_model()     ? tr("Message: the model loads again and answers")
                                  : tr("Message: the embedded model loads and answers");
    if (text_->placeholderText() == hint) return;
    text_->setPlaceholderText(hint);
    text_->viewport()->update();  // which Qt 6.4 leaves to the next change of the text
}

void Composer::count() {
    const RunCard* card = chats_.session().card();
    const QString said = message();
    const int64_t line = chats_.line_tokens(), here = said.isEmpty() ? 0 : chats_.tokens_of(said);
    if (!card || line < 0 || here < 0 || chats_.recorded()) {  // nothing can be said to a recording
        count_->clear();
        return;
    }
    const int64_t needed = line + here, over = needed + 1 - card->context;
    const OnFull way = chats_.on_full();
    const bool bad = over > 0 && way == OnFull::stop;
    count_->setForegroundRole(bad ? QPalette::BrightText : QPalette::PlaceholderText);
    count_->setText(bad ? tr("cut %1").arg(tokens_text(over)) : (here > 0 ? "+" : "") + tokens_text(here > 0 ? here : chats_.told_tokens()));
    const QString room = tr("%1 of the context's %2 tokens with this message").arg(local(grouped(needed)), local(grouped(card->context)));
    count_->setToolTip(bad                               ? tr("%1: %2 too many, so shorten it, rewind or begin a new chat").arg(room, tokens_text(over))
                       : over > 0 && way == OnFull::roll ? tr("%1: the oldest make room").arg(room)
                       : over > 0                        ? tr("%1: the talk is summed up first").arg(room)
                                                         : tr("%1; %2 are left for the answer").arg(room, local(grouped(card->context - needed))));
}

bool Composer::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) update();
    return QFrame::eventFilter(watched, event);
}

void Composer::paintEvent(QPaintEvent*) {
    const Theme& t = theme_of(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(text_->hasFocus() ? t.accent : t.border, text_->hasFocus() ? 1.5 : 1));
    painter.setBrush(t.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 8, 8);
}

}  // namespace klp::gui
