#include <QClipboard>
#include <QComboBox>
#include <QDateTime>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSaveFile>
#include <QScrollBar>
#include <QTextDocumentFragment>
#include <QVBoxLayout>
#include <deque>

#include "app/format.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/panels.h"

namespace klp::gui {

namespace {

enum class Level { detail, info, warning, error };
const char* name_of(Level level) {
    static const char* const names[] = {"detail", "info", "warning", "error"};
    return names[static_cast<int>(level)];
}

struct Line {
    QDateTime time;
    Level level{};
    QString text;
};
constexpr size_t kMost = 5000;  // lines; the oldest go first

class LogPanel final : public Panel {
public:
    LogPanel(Session& session, const PanelInfo& info) : Panel(session, info) {
        level_ = new QComboBox(this);
        level_->setAccessibleName(tr("Least level that is shown"));
        level_->addItems({tr("everything"), tr("info and above"), tr("warnings and errors"), tr("errors")});
        level_->setCurrentIndex(1);
        controls()->addWidget(level_);
        controls()->addStretch(1);
        const auto button = [&](const QString& text, const QString& tip) {
            auto* b = new QPushButton(text, this);
            b->setAccessibleName(tr("Log: %1").arg(tip));
            b->setToolTip(tip);
            controls()->addWidget(b);
            return b;
        };
        connect(button(tr("Copy"), tr("Copy what is selected, or all that is shown")), &QPushButton::clicked, this,
                [this] { QGuiApplication::clipboard()->setText(text()); });
        connect(button(tr("Save…"), tr("Write all that is shown to a text file")), &QPushButton::clicked, this, &LogPanel::save);

        auto* column = new QVBoxLayout(body());
        column->setContentsMargins(0, 0, 0, 0);
        page_ = new QPlainTextEdit(body());
        page_->setAccessibleName(tr("Log"));
        page_->setReadOnly(true);
        page_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
        page_->setTabChangesFocus(true);
        page_->setUndoRedoEnabled(false);
        page_->setMaximumBlockCount(static_cast<int>(kMost));
        page_->setPlaceholderText(tr("Nothing has happened yet."));
        connect(level_, &QComboBox::currentIndexChanged, this, [this] { rewrite(); });
        column->addWidget(page_);

        connect(&session, &Session::event_seen, this, [this](const Event& event) { take(event); });
        connect(&session, &Session::noticed, this, [this](const QString& what, const QString& advice, bool bad) {
            if (!advice.startsWith('<')) add(bad ? Level::warning : Level::info, advice.isEmpty() ? what : what + " " + advice);  // no explanations of lenses
        });
        connect(&session, &Session::logged, this, [this](const QString& what) { add(Level::info, what); });
    }

    TableData table() const override {
        TableData t{{"time (ISO 8601, local)", "level", "message"}, {}};
        for (const Line& line : lines_)
            if (shows(line)) t.rows.push_back({line.time.toString(Qt::ISODateWithMs), QString(name_of(line.level)), line.text});
        return t;
    }

protected:
    Caption caption() const override { return {tr("what happened"), {}}; }
    QString why_no_picture() const override { return tr("The log is text and no picture: Save… writes it, and Export as CSV has it as rows."); }
    void refresh() override {
        if (dark_ != theme().dark) rewrite();
        if (written_ == total_) return;
        QScrollBar* bar = page_->verticalScrollBar();
        const bool at_end = bar->value() >= bar->maximum() - 2;
        const auto missing = std::min<int64_t>(total_ - written_, static_cast<int64_t>(lines_.size()));
        for (auto line = lines_.end() - missing; line != lines_.end(); ++line) write(*line);
        written_ = total_;
        if (at_end) bar->setValue(bar->maximum());
    }

private:
    void add(Level level, const QString& text) {
        if (lines_.size() == kMost) lines_.pop_front();
        lines_.push_back({QDateTime::currentDateTime(), level, text});
        ++total_;
        if (!frozen() && !session.frozen()) refresh_soon();
    }
    void add(Level level, const std::string& text) { add(level, text_of(text)); }

    void rewrite() {
        page_->clear();
        written_ = 0;
        dark_ = theme().dark;
        refresh_soon();
    }
    bool shows(const Line& line) const { return static_cast<int>(line.level) >= level_->currentIndex(); }
    void write(const Line& line) {
        if (!shows(line)) return;
        const Theme& t = theme();
        QTextCursor cursor(page_->document());
        cursor.movePosition(QTextCursor::End);
        if (!page_->document()->isEmpty()) cursor.insertBlock();
        QTextCharFormat format;
        format.setForeground(t.muted);
        cursor.insertText(line.time.toString("HH:mm:ss.zzz  "), format);
        format.setForeground(line.level == Level::error ? t.bad : line.level == Level::warning ? t.warn : line.level == Level::detail ? t.muted : t.text);
        cursor.insertText((line.level >= Level::warning ? QString("%1: ").arg(name_of(line.level)) : QString()) + line.text, format);
    }

    // Events of tokens pass by without a word: there are thousands a second.
    void take(const Event& event) {
        std::visit(
            [this](const auto& e) {
                using T = std::decay_t<decltype(e)>;
                if constexpr (std::is_same_v<T, Loaded>) {
                    const RunCard& c = *e.card;
                    if (c.recorded.empty())
                        add(Level::info, "Loaded " + c.name + " in " + duration_text(double(c.load_ns)) + ": " + c.weights + ", " + bytes_text(c.weight_bytes) +
                                             " of weights, " + grouped(c.context) + " tokens of context, on " + c.device.name + " (" + c.device.hardware +
                                             ", " + c.device.detail + ").");
                    else
                        add(Level::info, "Opened a recording of " + c.name + ": " + c.recorded + ".");
                    if (!c.device.why.empty()) add(Level::info, "Device: " + c.device.why + ".");
                } else if constexpr (std::is_same_v<T, Unloaded>) {
                    add(Level::detail, std::string("No model is loaded."));
                } else if constexpr (std::is_same_v<T, Loading>) {
                    if (e.fraction == 0) add(Level::detail, "Loading " + (e.what.empty() ? "the embedded model" : e.what) + ".");
                } else if constexpr (std::is_same_v<T, Trouble>) {
                    add(e.error.kind == Error::interrupted ? Level::info : Level::error, e.error.message + (e.advice.empty() ? "." : ". " + e.advice));
                } else if constexpr (std::is_same_v<T, AnswerBegun>) {
                    add(Level::detail, "Answer " + std::to_string(e.answer) + " begins: " + plural(static_cast<int64_t>(e.line.size()), "message") +
                                           ", temperature " + short_number(double(e.sampling.temperature)) + ", seed " + std::to_string(e.sampling.seed) + ".");
                    for (const Intervention& one : e.hands ? *e.hands : Interventions()) add(Level::info, "Under hands: " + klp::in_words(one) + ".");
                } else if constexpr (std::is_same_v<T, AnswerDone>) {
                    add(Level::info, "Answer " + std::to_string(e.answer) + ": " + plural(e.tokens, "token") + " at " +
                                         short_number(tokens_per_second(e.tokens, e.decode_ns)) + " tokens/s, first after " +
                                         duration_text(double(e.first_token_ns)) + "; prompt " + plural(e.prompt_tokens, "token") + " at " +
                                         short_number(tokens_per_second(e.prompt_tokens, e.prefill_ns)) + " tokens/s; memory " + bytes_text(e.memory.total()) +
                                         "; ended by " + std::string(name(e.end)) + ".");
                } else if constexpr (std::is_same_v<T, Moved>) {
                    add(Level::info, "Went to token " + grouped(e.position) + ": restored " + bytes_text(e.move.restored_bytes) +
                                         (e.move.from_file ? " from disk" : "") + ", replayed " + plural(e.move.replayed, "token") + " in " +
                                         duration_text(double(e.move.nanoseconds)) + ".");
                } else if constexpr (std::is_same_v<T, RacePoint>) {
                    add(Level::detail, "Race at " + plural(e.context, "token") + ": " + duration_text(e.hybrid_ns) +
                                           spread_text(e.hybrid_spread.least, e.hybrid_spread.most) + " a token, twin " + duration_text(e.twin_ns) +
                                           spread_text(e.twin_spread.least, e.twin_spread.most) + "; memory " + bytes_text(e.hybrid.total()) + ", twin " +
                                           bytes_text(e.twin.total()) + ".");
                } else if constexpr (std::is_same_v<T, RaceDone>) {
                    add(Level::info, "Race done, twin: " + std::string(label(e.twin)) + (e.why.empty() ? "." : "; " + e.why + "."));
                } else if constexpr (std::is_same_v<T, CacheRolled>) {
                    add(Level::detail, "The cache rolled on: " + plural(e.dropped, "token") + " dropped in all.");
                } else if constexpr (std::is_same_v<T, StatesKept>) {
                    if (e.written > 0)
                        add(Level::detail, "Wrote a state of " + bytes_text(e.written) + " in " + duration_text(double(e.nanoseconds)) + "; " +
                                               plural(e.count, "state") + " on disk have " + bytes_text(e.bytes) + " of " + bytes_text(e.budget) + ".");
                } else if constexpr (std::is_same_v<T, EventsDropped>) {
                    add(Level::detail, grouped(e.readings) + " readings came faster than they could be drawn and were left out.");
                }
            },
            event);
    }

    // What is selected, or all that is shown.
    QString text() const {
        if (page_->textCursor().hasSelection()) return page_->textCursor().selection().toPlainText();
        QStringList lines;
        for (const Line& line : lines_)
            if (shows(line)) lines << QString("%1 %2 %3").arg(line.time.toString(Qt::ISODateWithMs), QString(name_of(line.level)).leftJustified(7), line.text);
        return lines.join('\n');
    }

    void save() {
        const QString file = QFileDialog::getSaveFileName(this, tr("Save the log"), "klp-log.txt");
        if (file.isEmpty()) return;
        QSaveFile out(file);
        const QByteArray bytes = text().toUtf8() + '\n';
        const bool done = out.open(QIODevice::WriteOnly) && out.write(bytes) == bytes.size() && out.commit();
        session.say(done ? tr("Wrote %1").arg(file) : tr("%1 could not be written: %2").arg(file, out.errorString()), {}, !done);
    }

    QComboBox* level_ = nullptr;
    QPlainTextEdit* page_ = nullptr;
    std::deque<Line> lines_;
    int64_t total_ = 0, written_ = 0;  // lines ever
    bool dark_ = true;
};

}  // namespace

Panel* make_log_panel(Session& session, const PanelInfo& info) { return new LogPanel(session, info); }

}  // namespace klp::gui
