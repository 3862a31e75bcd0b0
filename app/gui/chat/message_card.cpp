#include "app/gui/chat/message_card.h"

#include <QApplication>
#include <QClipboard>
#include <QKeyEvent>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QPlainTextEdit>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <string_view>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"
#include "core/text/thoughts.h"

namespace klp::gui {

namespace {

constexpr int kPad = 12, kGap = 8;
constexpr int kBesideEachOther = 440;  // pixels from which on two answers stand beside each other, and not one below the other

int header_of(const QWidget* card) { return std::max(26, card->fontMetrics().height() + 9); }

QString text(const std::string& s) { return QString::fromStdString(s); }

}  // namespace

size_t MessageCard::behind_thought(const std::string& said) {
    if (!said.starts_with(kThinkBegin)) return 0;
    const size_t end = said.find(kThinkEnd);
    return end == said.npos ? end : std::min(said.find_first_not_of('\n', end + kThinkEnd.size()), said.size());
}

MessageCard::MessageCard(Chats& chats, int id, QWidget* parent) : QFrame(parent), chats_(chats), id_(id) {
    const ChatMessage& m = chats_.chat().message(id);
    user_ = m.role == "user", plain_ = m.role == "tool";
    setFocusPolicy(Qt::StrongFocus);
    role_ = new QLabel(this);
    QFont bold = font();
    bold.setBold(true);
    role_->setFont(bold);
    role_->setTextFormat(Qt::PlainText);
    summary_ = m.role == "summary";
    role_->setText(user_                   ? tr("You")
                   : summary_              ? tr("Summary")
                   : m.role == "tool"      ? tr("%1 returned").arg(text(tool_name(m.call_id)))
                   : m.role != "assistant" ? text(m.role)
                   : m.model.empty()       ? tr("Assistant")
                                           : text(m.model));

    button(tr("Copy"), tr("Copy the message as it was written"), [this] { copy(); });
    if (m.role == "assistant") {
        play_ = button(QString(QChar(0x25B6)), tr("Show this answer again, word by word, in all lenses and at the pace of the run bar; the model is not asked"),
                       [this] { chats_.ask_to_play(id_); });
        play_->setAccessibleName(tr("Play this answer"));
    }
    if (user_)
        button(tr("Edit"), tr("Write it anew on a branch of its own; this one stays (Ctrl+E for the last)"), [this] { emit edit_asked(id_); });
    else if (!summary_)
        button(tr("Regenerate"), tr("Another answer, beside this one (Ctrl+R for the last)"), [this] { chats_.regenerate(id_); });
    if (m.role == "assistant" && m.calls.empty())
        button(tr("Edit"), tr("Change the answer, and let the model go on from there; this one stays"), [this] { emit edit_asked(id_); });
    if (!user_ && !summary_) go_on_ = button(tr("Continue"), tr("Go on with this unfinished answer"), [this] { chats_.go_on(id_); });
    button(tr("Fork"), tr("A new chat that begins with everything up to here (Ctrl+Shift+F for the last)"), [this] { chats_.fork(id_); });
    rewind_ = button(tr("Rewind here"), tr("Stand here again; what follows stays as a branch"), [this] { chats_.rewind(id_); });
    rewind_->installEventFilter(this);
    more_ = button("⋯", tr("More"), [] {});
    more_->setAccessibleName(tr("More"));
    disconnect(more_, &QToolButton::clicked, nullptr, nullptr);
    connect(more_, &QToolButton::clicked, this, [this] { show_menu(more_->mapToGlobal(QPoint(0, more_->height()))); });

    footer_ = new QLabel(this);
    footer_->setWordWrap(true);
    footer_->setTextFormat(Qt::PlainText);
    footer_->setForegroundRole(QPalette::PlaceholderText);
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.9);
    footer_->setFont(small);
    const auto arrow = [&](Qt::ArrowType type, const QString& name, int step) {
        auto* b = new QToolButton(this);
        b->setArrowType(type);
        b->setAutoRaise(true);
        b->setFocusPolicy(Qt::NoFocus);
        b->setAccessibleName(name);
        b->setToolTip(name);
        connect(b, &QToolButton::clicked, this, [this, step] {
            const auto at = std::find(branches_.begin(), branches_.end(), id_) - branches_.begin() + step;
            if (at >= 0 && at < static_cast<int64_t>(branches_.size())) chats_.choose(branches_[static_cast<size_t>(at)]);
        });
        return b;
    };
    before_ = arrow(Qt::LeftArrow, tr("Previous branch"), -1);
    behind_ = arrow(Qt::RightArrow, tr("Next branch"), 1);
    siblings_ = new QLabel(this);
    siblings_->setFont(small);
    siblings_->setForegroundRole(QPalette::PlaceholderText);
    siblings_->setAlignment(Qt::AlignCenter);
    connect(&chats_, &Chats::cost_known, this, [this](int request, const SnapshotPool::Move& move) {
        if (request != cost_request_) return;
        rewind_->setToolTip(tr("Stand here again; what follows stays as a branch") + "\n" + Chats::cost_text(move));
    });
    take_text();
    take_figures();
}

QToolButton* MessageCard::button(const QString& name, const QString& tip, std::function<void()> what) {
    auto* b = new QToolButton(this);
    b->setText(name);
    b->setToolTip(tip);
    b->setAutoRaise(true);
    b->setFocusPolicy(Qt::NoFocus);  // the card's menu has them for the keyboard
    connect(b, &QToolButton::clicked, this, [what] { what(); });
    buttons_.push_back(b);
    return b;
}

// The button says for a moment that it was done.
void MessageCard::copy() {
    QApplication::clipboard()->setText(plain_text());
    buttons_.front()->setText(tr("Copied"));
    emit height_changed();
    QTimer::singleShot(1500, this, [this] {
        buttons_.front()->setText(tr("Copy"));
        emit height_changed();
    });
}

QString MessageCard::plain_text() const {
    const std::string& said = chats_.chat().message(id_).text;
    const size_t begin = user_ ? 0 : behind_thought(said);
    return text(said.substr(begin == said.npos ? kThinkBegin.size() : begin));  // of one that ended in its thoughts, these
}

ProseBox& MessageCard::prose() {
    if (segments_.empty() || !segments_.back().prose) {
        auto* box = new ProseBox(this);
        const size_t segment = segments_.size();
        connect(box, &ProseBox::word_clicked, this, [this, segment](const QString& word, int n) { word_clicked(segment, word, n); });
        segments_.push_back({.prose = box});
        box->show();
    }
    return *segments_.back().prose;
}

void MessageCard::put(const Block& block, bool closed) {
    if (block.kind == Block::Kind::code) {
        if (!code_open_) {
            if (!segments_.empty() && segments_.back().prose) segments_.back().prose->set_open({});
            segments_.push_back({.code = new CodeBox(block.language, this)});
            segments_.back().code->show();
        }
        segments_.back().code->set_text(block.text);
        code_open_ = !closed;
    } else if (closed) {
        prose().add(block.text);
    } else if (!block.text.isEmpty()) {
        prose().set_open(block.text);
    } else if (!segments_.empty() && segments_.back().prose) {
        segments_.back().prose->set_open({});
    }
}

void MessageCard::take_text() {
    const ChatMessage& m = chats_.chat().message(id_);
    const bool growing = chats_.answered_message() == id_;
    if (plain_) {
        if (taken_ == 0 && !m.text.empty()) prose().set_plain(text(m.text)), taken_ = static_cast<qsizetype>(m.text.size());
        return;
    }
    if (finished_ && taken_ < static_cast<qsizetype>(m.text.size())) {  // it was gone on with: begin anew
        for (Segment& s : segments_) delete s.prose, delete s.code;
        segments_.clear();
        reader_ = {};
        taken_ = 0, finished_ = code_open_ = false;
    }
    if (const size_t begin = user_ ? 0 : behind_thought(m.text); begin != m.text.npos)
        taken_ = std::max(taken_, static_cast<qsizetype>(begin));  // what was thought is folded: it is in the card's menu
    else if (growing)
        return;
    else  // it ended in them: they are all there is
        taken_ = std::max(taken_, static_cast<qsizetype>(kThinkBegin.size()));
    if (taken_ < static_cast<qsizetype>(m.text.size())) {
        const QString news = QString::fromUtf8(m.text.data() + taken_, static_cast<qsizetype>(m.text.size()) - taken_);
        taken_ = static_cast<qsizetype>(m.text.size());
        for (const Block& block : reader_.push(news)) put(block, true);
        if (growing) put(reader_.open(), false);
    }
    if (!growing && !finished_) {
        finished_ = true;
        for (const Block& block : reader_.finish()) put(block, true);
    }
}

void MessageCard::take_calls() {
    const ChatMessage& m = chats_.chat().message(id_);
    for (size_t i = calls_.size(); i < m.calls.size() && chats_.answered_message() != id_; ++i) {
        auto* box = new CallBox(m.calls[i], this);
        box->on_return = [this, box](const QString& said) { chats_.return_call(box->id(), said); };
        box->show();
        calls_.push_back(box);
    }
    const std::vector<ToolCall> open = chats_.open_calls();
    const bool live = chats_.can_answer() && !chats_.chat().line().empty() && !calls_.empty();
    for (CallBox* box : calls_) box->set_open(live && std::any_of(open.begin(), open.end(), [&](const ToolCall& call) { return text(call.id) == box->id(); }));
}

MessageCard::Figures MessageCard::figures() const {
    const ChatMessage& m = chats_.chat().message(id_);
    const bool growing = chats_.answered_message() == id_;
    const auto one = [](const QString& said) { return Figures{said, said}; };
    if (summary_)
        return one(growing ? tr("The context is full: the model sums the talk up …")
                           : tr("The context was full: from here on the model knows this and the last exchange. What stands above stays in the chat."));
    if (m.role != "assistant") return {};
    if (growing) {
        const PhaseChanged phase = chats_.session().phase();
        if (m.ids.empty())
            return one(chats_.recorded() && phase.phase == Phase::ready   ? tr("paused")
                       : phase.phase == Phase::racing                     ? tr("waits until the race is over …")
                       : phase.phase == Phase::probing                    ? tr("waits until a lens has looked back …")
                       : phase.phase == Phase::prefill && phase.total > 0 ? tr("reading %1 of %2 …").arg(local(grouped(phase.done)), tokens_text(phase.total))
                                                                          : tr("reading …"));
        if (chats_.recorded() && phase.phase == Phase::ready) return one(tokens_text(static_cast<int64_t>(m.ids.size())) + " · " + tr("paused"));
        const double speed = chats_.session().tokens_per_second();
        QStringList parts{tokens_text(static_cast<int64_t>(m.ids.size()))};
        if (!std::isnan(speed)) parts << tr("%1 tokens/s").arg(local(short_number(speed)));
        parts << (behind_thought(m.text) == m.text.npos ? tr("thinking …") : tr("answering …"));
        return one(parts.join(" · "));
    }
    QStringList shown, all;
    const auto add = [&](const QString& part, bool short_too = true) {
        all << part;
        if (short_too) shown << part;
    };
    if (m.stats) {
        const AnswerStats& s = *m.stats;
        add(tokens_text(s.tokens));
        if (s.decode_ns > 0 && s.tokens > 0) add(tr("%1 tokens/s").arg(local(short_number(klp::tokens_per_second(s.tokens, s.decode_ns)))));
        if (s.prefill_ns > 0 && s.prompt_tokens > 0)
            add(tr("prompt of %1 read at %2 tokens/s")
                    .arg(tokens_text(s.prompt_tokens), local(short_number(klp::tokens_per_second(s.prompt_tokens, s.prefill_ns)))),
                false);
        if (s.first_token_ns > 0) add(tr("first token after %1").arg(local(duration_text(static_cast<double>(s.first_token_ns)))), false);
        if (s.seed > 0) add(tr("seed %1").arg(s.seed), false);
    } else {
        if (!m.ids.empty()) add(tokens_text(static_cast<int64_t>(m.ids.size())));
    }
    if (!user_ && behind_thought(m.text) == m.text.npos) add(tr("ended in its thoughts"));
    if (m.open) {
        const std::string end = m.stats ? m.stats->end : "";
        add(end == "cancelled" ? tr("stopped")
            : end == "budget"  ? tr("cut at the answer's length")
            : end == "context" ? tr("the context is full")
            : end == "error"   ? tr("broken off by an error")
            : end == "rewound" ? tr("rewound to here")
            : end == "chosen"  ? tr("goes on from a chosen token")
            : end == "closed"  ? tr("the window was closed")
            : end == "edited"  ? tr("goes on from an edited text")
                               : tr("broken off"));
    } else if (m.stats && m.stats->end == "stop_token") {
        add(tr("the model ended it"), false);
    }
    return {shown.join(" · "), all.join(" · ")};
}

void MessageCard::take_figures() {
    const ChatMessage& m = chats_.chat().message(id_);
    take_calls();
    take_hands();
    const Figures said = figures();
    footer_->setText(said.shown);
    footer_->setToolTip(said.all == said.shown ? QString() : said.all);
    branches_ = chats_.chat().children(m.parent);
    std::erase_if(branches_, [&](int other) { return chats_.chat().message(other).role != m.role; });
    const auto at = std::find(branches_.begin(), branches_.end(), id_) - branches_.begin();
    const bool many = branches_.size() > 1;
    for (QWidget* w : std::initializer_list<QWidget*>{before_, behind_, siblings_}) w->setVisible(many);
    siblings_->setText(tr("%1 of %2").arg(at + 1).arg(branches_.size()));
    siblings_->setToolTip(tr("Branches of the conversation at this message"));
    before_->setEnabled(at > 0);
    behind_->setEnabled(at + 1 < static_cast<int64_t>(branches_.size()));
    const bool idle = chats_.answered_message() == 0 && !chats_.recorded();
    for (QToolButton* b : buttons_) b->setEnabled(idle || b == buttons_.front() || b == more_);
    if (play_) play_->setEnabled(idle && chats_.session().live() && !m.ids.empty());
    if (go_on_) go_on_->setProperty("wanted", m.open && idle);
    setAccessibleName(role_->text() + ": " + text(clipped(one_line(m.text), 120)));
    setAccessibleDescription(said.all);
}

int MessageCard::place_segments(int x, int y, int width) {
    for (Segment& s : segments_) {
        const int h = s.prose ? s.prose->height_for(width) : s.code->height_for(width);
        if (s.prose)
            s.prose->setGeometry(x, y, width, h);
        else
            s.code->setGeometry(x, y, width, h);
        y += h + kGap;
    }
    return y;
}

int MessageCard::lay_out(int width) {
    const int inner = width - 2 * kPad, header = header_of(this);
    // Actions from the right, as many as fit; the menu has them all.
    int right = width - kPad + 4;
    const int room = role_->sizeHint().width() + kPad + 16;
    more_->setGeometry(right - more_->sizeHint().width(), 8, more_->sizeHint().width(), header);
    right -= more_->sizeHint().width();
    int needed = 0;
    const auto wanted = [&](QToolButton* b) {
        if (chats_.recorded()) return b == buttons_.front();
        return b != more_ && (b != go_on_ || b->property("wanted").toBool());
    };
    for (QToolButton* b : buttons_) needed += wanted(b) ? b->sizeHint().width() : 0;
    const bool fits = right - needed >= room;
    for (auto it = buttons_.rbegin(); it != buttons_.rend(); ++it) {
        QToolButton* b = *it;
        if (b == more_) continue;
        const bool shown = wanted(b) && (fits || b == buttons_.front());
        b->setVisible(shown);
        if (!shown) continue;
        const int w = b->sizeHint().width();
        b->setGeometry(right - w, 8, w, header);
        right -= w;
    }
    role_->setGeometry(kPad, 8, std::max(20, right - kPad - 4), header);
    int y = 8 + header + 4;
    if (hands_) {
        const int h = hands_->heightForWidth(inner);
        hands_->setGeometry(kPad, y, inner, h);
        y += h + kGap;
    }
    if (before_box_ && inner >= kBesideEachOther) {
        const int column = (inner - 2 * kPad) / 2, h = before_box_->height_for(column);
        before_box_->setGeometry(kPad, y, column, h);
        const int x = kPad + column + 2 * kPad, title = BeforeBox::title_height(*this);
        now_title_->setGeometry(x, y, column, title);
        y = std::max(y + h + kGap, place_segments(x, y + title, column));
    } else {
        if (now_title_) now_title_->setGeometry(0, 0, 0, 0);  // the line above says it
        y = place_segments(kPad, y, inner);
        if (before_box_) {
            const int h = before_box_->height_for(inner);
            before_box_->setGeometry(kPad, y, inner, h);
            y += h + kGap;
        }
    }
    if (apart_) {
        const int h = apart_->height_for(inner);
        apart_->setGeometry(kPad, y, inner, h);
        y += h + kGap;
    }
    for (CallBox* box : calls_) {
        const int h = box->height_for(inner);
        box->setGeometry(kPad, y, inner, h);
        y += h + kGap;
    }
    const bool many = branches_.size() > 1;
    if (!footer_->text().isEmpty() || many) {
        const int wide = siblings_->sizeHint().width() + 8, arrow = 22;
        const int left = many ? inner - wide - 2 * arrow - 8 : inner;
        const int h = std::max(footer_->heightForWidth(left), many ? arrow : 0);
        footer_->setGeometry(kPad, y, left, h);
        if (many) {
            int x = width - kPad - wide - 2 * arrow;
            before_->setGeometry(x, y + (h - arrow) / 2, arrow, arrow);
            siblings_->setGeometry(x + arrow, y + (h - arrow) / 2, wide, arrow);
            behind_->setGeometry(x + arrow + wide, y + (h - arrow) / 2, arrow, arrow);
        }
        y += h + kGap;
    }
    return y + 4;
}

void MessageCard::paintEvent(QPaintEvent*) {
    const Theme& t = theme_of(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(hasFocus() ? t.accent : t.border, hasFocus() ? 2 : 1));
    painter.setBrush(plain_ || user_ ? t.raised : t.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 8, 8);
}

void MessageCard::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::FontChange && siblings_) {
        QFont bold = font(), small = font();
        bold.setBold(true);
        small.setPointSizeF(small.pointSizeF() * 0.9);
        role_->setFont(bold);
        footer_->setFont(small);
        siblings_->setFont(small);
        emit height_changed();
    }
}

bool MessageCard::eventFilter(QObject* watched, QEvent* event) {
    if (watched == rewind_ && event->type() == QEvent::Enter && rewind_->isEnabled()) cost_request_ = chats_.ask_cost(id_);  // known before the tooltip opens
    return QFrame::eventFilter(watched, event);
}

// What was thought before an answer, in a window of its own.
static void show_thought(QWidget* parent, const QString& thought) {
    auto* dialog = new QDialog(parent);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setObjectName("thought");
    dialog->setWindowTitle(MessageCard::tr("What the model thought first"));
    dialog->resize(560, 420);
    auto* column = new QVBoxLayout(dialog);
    auto* box = new QPlainTextEdit(thought, dialog);
    box->setReadOnly(true);
    column->addWidget(box);
    dialog->show();
}

void MessageCard::fill_menu(QMenu& menu) {
    const ChatMessage& m = chats_.chat().message(id_);
    const bool idle = chats_.answered_message() == 0 && !chats_.recorded();
    menu.addAction(tr("&Copy"), this, &MessageCard::copy);
    if (const size_t begin = user_ ? 0 : behind_thought(m.text); begin > 0 && begin != m.text.npos)
        menu.addAction(tr("What it &thought first…"), this,
                       [this, thought = text(m.text.substr(kThinkBegin.size(), m.text.find(kThinkEnd) - kThinkBegin.size()))] { show_thought(this, thought); });
    if (user_ || (m.role == "assistant" && m.calls.empty()))
        menu.addAction(user_ ? tr("&Edit on a new branch") : tr("&Edit and go on from it"), this, [this] { emit edit_asked(id_); })->setEnabled(idle);
    if (!summary_) menu.addAction(user_ ? tr("Answer &again") : tr("&Regenerate"), this, [this] { chats_.regenerate(id_); })->setEnabled(idle);
    if (play_) menu.addAction(tr("&Play it again"), this, [this] { chats_.ask_to_play(id_); })->setEnabled(play_->isEnabled());
    if (m.open && !user_ && !summary_) menu.addAction(tr("Co&ntinue"), this, [this] { chats_.go_on(id_); })->setEnabled(idle);
    menu.addAction(tr("&Fork into a new chat"), this, [this] { chats_.fork(id_); })->setEnabled(idle);
    QAction* rewind = menu.addAction(tr("Re&wind here"), this, [this] { chats_.rewind(id_); });
    rewind->setEnabled(idle);
    const int whole = idle ? chats_.ask_cost(id_) : 0;
    QAction* token = nullptr;
    int part = 0;
    if (const int64_t at = chats_.session().selection().token(); at >= 0) {
        const LineTokens::Place place = chats_.place_of(at);
        if (place.id == id_) {
            token = menu.addAction(tr("Rewind to behind the selected &token (%1)").arg(place.token + 1), this,
                                   [this, place] { chats_.rewind_to_token(id_, place.token + 1); });
            token->setEnabled(idle);
            part = idle ? chats_.ask_cost(id_, place.token + 1) : 0;
        }
    }
    connect(&chats_, &Chats::cost_known, &menu, [rewind, token, whole, part](int request, const SnapshotPool::Move& move) {
        if (request == whole && whole > 0) rewind->setText(rewind->text() + "  –  " + Chats::cost_text(move));
        if (request == part && part > 0) token->setText(token->text() + "  –  " + Chats::cost_text(move));
    });
    menu.addSeparator();
    const int n = chats_.chat().messages_below(id_);
    menu.addAction(tr("Remove from here (%1)").arg(Language::tr("%Ln message(s)", nullptr, n)), this, [this] { chats_.remove(id_); })->setEnabled(idle);
}

void MessageCard::show_menu(const QPoint& at) {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->setAccessibleName(tr("What to do with this message"));
    fill_menu(*menu);
    menu->popup(at);
}

void MessageCard::contextMenuEvent(QContextMenuEvent* event) { show_menu(event->globalPos()); }

void MessageCard::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter || event->key() == Qt::Key_Menu || event->key() == Qt::Key_Space)
        show_menu(mapToGlobal(QPoint(width() / 2, header_of(this))));
    else if (event->matches(QKeySequence::Copy))
        copy();
    else
        QFrame::keyPressEvent(event);
}

void MessageCard::focusInEvent(QFocusEvent* event) {
    QFrame::focusInEvent(event);
    update();
}

void MessageCard::focusOutEvent(QFocusEvent* event) {
    QFrame::focusOutEvent(event);
    update();
}

// A word of the rendered text is the same word, counted from the beginning, of what the model wrote; there its token is known.
void MessageCard::word_clicked(size_t segment, const QString& word, int n) {
    if (user_) return;
    for (size_t i = 0; i < segment; ++i) {
        const QString before = segments_[i].prose ? segments_[i].prose->toPlainText() : segments_[i].code->text();
        n += count_words(before, word, before.size());
    }
    const QString said = plain_text();
    const qsizetype at = find_word(said, word, n);
    const std::vector<int64_t> offsets = chats_.token_offsets(id_);
    const int64_t first = chats_.first_position(id_);
    if (at < 0 || first < 0 || offsets.empty()) return;
    const int64_t byte = said.left(at).toUtf8().size();
    const auto behind = std::upper_bound(offsets.begin(), offsets.end(), byte) - offsets.begin();
    const int64_t position = first + behind - 1;
    if (chats_.place_of(position).id == id_) chats_.session().selection().set_token(position);
}

int MessageCard::find(const QString& what, int n) {
    int y = -1;
    for (Segment& s : segments_) {
        if (!s.prose) {
            n -= what.isEmpty() ? 0 : static_cast<int>(s.code->text().count(what, Qt::CaseInsensitive));
            if (n < 0 && y < 0) y = s.code->y();
            continue;
        }
        const int here = what.isEmpty() ? 0 : static_cast<int>(s.prose->toPlainText().count(what, Qt::CaseInsensitive));
        const int top = s.prose->find_all(what, n >= 0 && n < here && y < 0 ? n : -1);
        if (top >= 0) y = s.prose->y() + top;
        n -= here;
    }
    return y;
}

void MessageCard::tint(const Tints& tints) {
    const Theme& t = theme_of(palette());
    TintText said(chats_.chat().message(id_).text, tints.tokens(id_));
    for (Segment& s : segments_) {
        if (s.prose) {
            s.prose->tint(coloured(said.runs(s.prose->toPlainText()), tints, plain_ || user_ ? t.raised : t.panel, t),
                          [&tints](double v) { return tints.said(v); });
            continue;
        }
        std::vector<std::pair<TintRun, QColor>> under;
        for (const TintRun& run : said.runs(s.code->text())) under.emplace_back(run, tints.colour(run.value, t, t.window));
        s.code->tint(under);
    }
    if (before_box_) before_box_->tint(tints, id_);
}

void MessageCard::mark_token(int64_t token) {
    if (user_) return;
    QString word;
    qsizetype at = -1;
    if (token >= 0) {
        const std::vector<int64_t> offsets = chats_.token_offsets(id_);
        if (token + 1 < static_cast<int64_t>(offsets.size())) {
            const QString said = plain_text();
            at = QString::fromUtf8(chats_.chat().message(id_).text.data(), offsets[static_cast<size_t>(token)]).size();
            const qsizetype behind = QString::fromUtf8(chats_.chat().message(id_).text.data(), offsets[static_cast<size_t>(token) + 1]).size();
            while (at < behind && !said[at].isLetterOrNumber()) ++at;
            qsizetype begin = at, end = at;
            while (at < behind && begin > 0 && said[begin - 1].isLetterOrNumber()) --begin;
            while (at < behind && end < said.size() && said[end].isLetterOrNumber()) ++end;
            word = said.mid(begin, end - begin);  // "" where the token is no part of a word
            at = begin;
        }
    }
    int n = word.isEmpty() ? 0 : count_words(plain_text(), word, at);
    for (Segment& s : segments_) {
        const QString shown = s.prose ? s.prose->toPlainText() : s.code->text();
        const int here = word.isEmpty() ? 0 : count_words(shown, word, shown.size());
        if (s.prose) s.prose->mark(n >= 0 && n < here ? word : QString(), n);
        n -= here;
    }
}

}  // namespace klp::gui
