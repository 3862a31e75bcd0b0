#include "app/gui/chat/beside.h"

#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QPushButton>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/chat/message_card.h"
#include "app/gui/chat/prose_box.h"
#include "app/gui/chat/tint.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"
#include "app/gui/session/hand_words.h"
#include "core/text/utf8.h"

namespace klp::gui {

namespace {

constexpr int kMostWords = 1500;  // of each text that are compared one by one: the table has so many times so many places
constexpr int kBars = 34;         // pixels of height

// Han has no spaces: each character is a word.
Places word_places(const QString& text) {
    Places out;
    bool within = false;  // a word that goes on
    for (int i = 0; i < text.size(); ++i) {
        const bool han = text[i].script() == QChar::Script_Han, space = text[i].isSpace();
        if (!space && within && !han)
            ++out.back().second;
        else if (!space)
            out.push_back({i, 1});
        within = !space && !han;
    }
    return out;
}

QString figure_of(double v) {
    if (v > 0 && v < 0.001) return local("<0.001");
    return local(QString::number(v, 'g', v < 1 ? 2 : 3).toStdString());
}
// Kept together where a line ends.
QString share_of(float part) { return local(percent_text(double{part})).replace(' ', QChar(QChar::Nbsp)); }

}  // namespace

std::vector<ProseBox::Under> coloured(const std::vector<TintRun>& runs, const Tints& tints, const QColor& ground, const Theme& theme) {
    std::vector<ProseBox::Under> out;
    for (const TintRun& run : runs) out.push_back({run, tints.colour(run.value, theme, ground)});
    return out;
}

int words_in(const QString& text) { return static_cast<int>(word_places(text).size()); }

std::pair<Places, Places> words_apart(const QString& before, const QString& now) {
    Places a = word_places(before), b = word_places(now);
    const auto same = [&](const std::pair<int, int>& x, const std::pair<int, int>& y) {
        return QStringView(before).mid(x.first, x.second) == QStringView(now).mid(y.first, y.second);
    };
    while (!a.isEmpty() && !b.isEmpty() && same(a.back(), b.back())) a.pop_back(), b.pop_back();
    qsizetype first = 0;
    while (first < std::min(a.size(), b.size()) && same(a[first], b[first])) ++first;
    a.remove(0, first), b.remove(0, first);
    if (a.size() > kMostWords || b.size() > kMostWords) return {a, b};
    // length[i][j]: of the longest common subsequence of a from i on and b from j on.
    const auto n = static_cast<size_t>(a.size()), m = static_cast<size_t>(b.size());
    std::vector<uint16_t> length((n + 1) * (m + 1));
    for (size_t i = n; i-- > 0;)
        for (size_t j = m; j-- > 0;)
            length[i * (m + 1) + j] = same(a[static_cast<qsizetype>(i)], b[static_cast<qsizetype>(j)])
                                          ? static_cast<uint16_t>(length[(i + 1) * (m + 1) + j + 1] + 1)
                                          : std::max(length[(i + 1) * (m + 1) + j], length[i * (m + 1) + j + 1]);
    Places only_a, only_b;
    size_t i = 0, j = 0;
    while (i < n || j < m) {
        if (i < n && j < m && same(a[static_cast<qsizetype>(i)], b[static_cast<qsizetype>(j)]))
            ++i, ++j;
        else if (j == m || (i < n && length[(i + 1) * (m + 1) + j] >= length[i * (m + 1) + j + 1]))
            only_a.push_back(a[static_cast<qsizetype>(i++)]);
        else
            only_b.push_back(b[static_cast<qsizetype>(j++)]);
    }
    return {only_a, only_b};
}

// --- The answer that stood before ---------------------------------------------------------------------------------------

BeforeBox::BeforeBox(Chats& chats, int id, QWidget* parent)
    : QWidget(parent), chats_(chats), id_(id), title_(new QPushButton(this)), prose_(new ProseBox(this)) {
    setObjectName("before");
    const ChatMessage& m = chats.chat().message(id);
    title_->setText(m.hands ? tr("Under the hands before") : tr("Without hands"));
    title_->setToolTip(tr("Go back to this answer; the other stays as a branch"));
    title_->setAccessibleName(tr("Go back to the answer before"));
    title_->setStyleSheet("QPushButton { padding: 0; border: none; text-align: left; background: transparent; color: palette(placeholder-text); }");
    title_->setFocusPolicy(Qt::NoFocus);
    connect(title_, &QPushButton::clicked, this, [&chats, id] { chats.choose(id); });
    const size_t begin = MessageCard::behind_thought(m.text);
    BlockReader reader;
    for (const auto& blocks : {reader.push(QString::fromStdString(begin == m.text.npos ? m.text : m.text.substr(begin))), reader.finish()})
        for (const Block& block : blocks) prose_->add(block.kind == Block::Kind::code ? "```\n" + block.text + "\n```" : block.text);
    prose_->setAccessibleName(tr("The answer before"));
}

QString BeforeBox::text() const { return prose_->toPlainText(); }

void BeforeBox::mark(const Places& words) { prose_->mark_words(words); }

void BeforeBox::tint(const Tints& tints, int id) {
    TintText text(chats_.chat().message(id_).text, tints.before_tokens(id));
    prose_->tint(coloured(text.runs(prose_->toPlainText()), tints, theme_of(palette()).panel, theme_of(palette())),
                 [&tints](double v) { return tints.said(v); });
}

int BeforeBox::height_for(int width) {
    const int top = title_height(*this);
    title_->setGeometry(0, 0, std::min(width, title_->sizeHint().width()), top);
    const int h = prose_->height_for(width);
    prose_->setGeometry(0, top, width, h);
    return top + h;
}

int BeforeBox::title_height(const QWidget& in) { return in.fontMetrics().height() + 6; }

// --- How far apart ------------------------------------------------------------------------------------------------------

ApartBars::ApartBars(Chats& chats, int id, QWidget* parent) : QWidget(parent), chats_(chats), before_(id), said_(new QLabel(this)) {
    setObjectName("apart");
    setMouseTracking(true);
    said_->setObjectName("apart-said");
    said_->setWordWrap(true);
    said_->setTextFormat(Qt::PlainText);
    said_->setForegroundRole(QPalette::PlaceholderText);
    said_->setAttribute(Qt::WA_TransparentForMouseEvents);
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.9);
    said_->setFont(small);
    setToolTip(
        tr("KL divergence, in nats: both memories read the words of the answer before, and this is how far what the model would say next moves under the "
           "hand, over the whole vocabulary and before temperature. 0: nothing moves. Bars: one a token, height by the root, of a nat or of the most there "
           "is.\n|S|: Frobenius norm of all "
           "states behind that answer, before and under the hand, and the norm of their difference as a share of the first."));
}

QString ApartBars::said() const { return whole_; }

void ApartBars::take(const Compared* known, int words, int all_words) {
    QStringList parts{words == 0 ? tr("the same, word for word") : tr("%1 of %2 differ").arg(words).arg(Language::tr("%Ln word(s)", nullptr, all_words))};
    tokens_.clear();
    most_ = 0;
    if (known && !known->tokens.empty()) {
        tokens_ = known->tokens;
        const auto largest = std::max_element(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) { return a.divergence < b.divergence; });
        double sum = 0;
        for (const TokenApart& t : tokens_) sum += double{t.divergence};
        most_ = double{largest->divergence};
        parts << tr("KL %1 nats a token, most %2 at “%3”")
                     .arg(figure_of(sum / static_cast<double>(tokens_.size())), figure_of(most_), word(static_cast<int>(largest - tokens_.begin())));
        const StatesApart& s = known->states;
        if (s.norm[0] > 0)
            parts << tr("|S| %1 → %2, apart by %3").arg(figure_of(double{s.norm[0]}), figure_of(double{s.norm[1]}), share_of(s.difference / s.norm[0]));
    }
    whole_ = parts.join(" · ");
    said_->setText(whole_);
    setAccessibleName(tr("Beside the answer before: %1").arg(whole_));
    update();
}

int ApartBars::height_for(int width) const { return (tokens_.empty() ? 0 : kBars + 4) + std::max(said_->fontMetrics().height(), said_->heightForWidth(width)); }

QRect ApartBars::grid() const { return {0, 0, width(), tokens_.empty() ? 0 : kBars}; }

void ApartBars::resizeEvent(QResizeEvent*) {
    const int top = tokens_.empty() ? 0 : kBars + 4;
    said_->setGeometry(0, top, width(), height() - top);
}

void ApartBars::paintEvent(QPaintEvent*) {
    if (tokens_.empty()) return;
    QPainter p(this);
    const Theme& t = theme_of(palette());
    const QRect g = grid();
    p.setPen(t.grid);
    p.drawLine(g.bottomLeft(), g.bottomRight());
    const double wide = double{1.0} * g.width() / static_cast<double>(tokens_.size()),
                 root = std::sqrt(std::max(most_, 1.0));  // a nat at least: little looks like little
    for (size_t i = 0; i < tokens_.size(); ++i) {
        const double h = std::sqrt(double{tokens_[i].divergence}) / root * (g.height() - 2);
        p.fillRect(QRectF(static_cast<double>(i) * wide, g.bottom() - h, std::max(1.0, wide - (wide > 3 ? 1 : 0)), h), t.series[4]);
    }
}

int ApartBars::token_at(int x) const {
    if (tokens_.empty() || x < 0 || x >= width()) return -1;
    return std::min(static_cast<int>(tokens_.size()) - 1, static_cast<int>(static_cast<double>(x) * static_cast<double>(tokens_.size()) / width()));
}

QString ApartBars::word(int token) const {
    const ChatMessage& m = chats_.chat().message(before_);
    const RunCard* card = chats_.session().card();
    if (token < 0 || token >= static_cast<int>(m.ids.size())) return tr("the end");  // what closed the turn
    if (!card || !card->tokenizer) return "#" + QString::number(m.ids[static_cast<size_t>(token)]);
    return QString::fromStdString(harmless(repair_utf8(std::string(card->tokenizer->bytes(m.ids[static_cast<size_t>(token)]))))).replace('\n', "↵").trimmed();
}

QString ApartBars::of_token(int token) const {
    const TokenApart& t = tokens_[static_cast<size_t>(token)];
    return tr("token %1, “%2”: KL %3 nats; its probability %4 → %5")
        .arg(local(grouped(token)), word(token), figure_of(double{t.divergence}), share_of(t.probability[0]), share_of(t.probability[1]));
}

void ApartBars::mouseMoveEvent(QMouseEvent* event) {
    const int token = event->position().y() <= grid().bottom() ? token_at(static_cast<int>(event->position().x())) : -1;
    said_->setText(token < 0 ? whole_ : of_token(token));
}

void ApartBars::mousePressEvent(QMouseEvent* event) { mouseMoveEvent(event); }

void ApartBars::leaveEvent(QEvent*) { said_->setText(whole_); }

// --- On a card ----------------------------------------------------------------------------------------------------------

// What is changed of the memory, and what stood before it was.
void MessageCard::take_hands() {
    const ChatMessage& m = chats_.chat().message(id_);
    if (!m.hands && m.beside == 0) return;
    if (!hands_) {
        hands_ = new QLabel(this);
        hands_->setObjectName("hands-said");
        hands_->setWordWrap(true);
        hands_->setTextFormat(Qt::PlainText);
        hands_->setFont(footer_->font());
        hands_->setText(m.hands ? tr("Under hands: %1").arg(hands_words(m.hands.get()).replace('\n', "; ")) : tr("Without hands again"));
        hands_->setToolTip(hands_words(m.hands.get()));
        hands_->show();
    }
    if (m.beside == 0 || chats_.chat().message(m.beside).removed) return;
    if (!before_box_) {
        now_title_ = new QLabel(m.hands ? tr("Under hands") : tr("Without hands"), this);
        now_title_->setForegroundRole(QPalette::PlaceholderText);
        now_title_->show();
        before_box_ = new BeforeBox(chats_, m.beside, this);
        apart_ = new ApartBars(chats_, m.beside, this);
        before_box_->show(), apart_->show();
    }
    if (chats_.answered_message() == id_) return;
    QString now;
    for (const Segment& s : segments_) now += (s.prose ? s.prose->toPlainText() : s.code->text()) + '\n';
    const auto [only_before, only_now] = words_apart(before_box_->text(), now);
    before_box_->mark(only_before);
    int begin = 0;
    for (const Segment& s : segments_) {
        const int size = static_cast<int>((s.prose ? s.prose->toPlainText() : s.code->text()).size()) + 1;
        Places here;
        for (const auto& [at, length] : only_now)
            if (at >= begin && at + length <= begin + size) here.push_back({at - begin, length});
        if (s.prose) s.prose->mark_words(here);
        begin += size;
    }
    apart_->take(chats_.compared(id_), static_cast<int>(only_now.size()), words_in(now));
}

}  // namespace klp::gui
