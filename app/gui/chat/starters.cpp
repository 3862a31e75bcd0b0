#include "app/gui/chat/starters.h"

#include <QGridLayout>
#include <QLabel>
#include <QPainter>
#include <QVBoxLayout>
#include <algorithm>

#include "app/gui/draw/language.h"
#include "app/gui/draw/pieces.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {
constexpr int kPad = 12;
QString text(const std::string& s) { return QString::fromStdString(s); }
// A lens is called as its id, with a capital.
QString title_of(const std::string& lens) { return Language::tr((text(lens).left(1).toUpper() + text(lens).mid(1)).toUtf8()); }
}  // namespace

StarterButton::StarterButton(const Starter& starter, QWidget* parent)
    : QAbstractButton(parent), watch_(Language::tr(starter.watch.c_str())), lens_(title_of(starter.lens)) {
    setText(Language::tr(starter.title.c_str()));
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Try: %1").arg(QAbstractButton::text()));
    setAccessibleDescription(watch_);
    QStringList turns;
    for (const std::string& turn : starter.turns) turns << klp::gui::text(turn).left(200);
    setToolTip("<p><b>" + tr("You say:") + "</b><br>" + turns.join("\n").toHtmlEscaped().replace('\n', "<br>") + "</p>");
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

QSize StarterButton::sizeHint() const { return {230, heightForWidth(230)}; }

int StarterButton::heightForWidth(int width) const {
    const QRect lines = fontMetrics().boundingRect(QRect(0, 0, width - 2 * kPad, 10'000), Qt::TextWordWrap, watch_);
    return fontMetrics().height() + lines.height() + 2 * kPad + 4;
}

void StarterButton::paintEvent(QPaintEvent*) {
    const Theme& t = theme_of(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const bool on = underMouse() || hasFocus();
    painter.setPen(QPen(on ? t.accent : t.border, hasFocus() ? 2 : 1));
    painter.setBrush(isDown() ? t.raised : t.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 8, 8);
    const int line = fontMetrics().height(), inner = width() - 2 * kPad, tag = fontMetrics().horizontalAdvance(lens_);
    painter.setPen(t.muted);
    painter.drawText(QRect(kPad, kPad, inner, line), Qt::AlignRight, lens_);
    painter.drawText(QRect(kPad, kPad + line + 4, inner, height()), Qt::TextWordWrap, watch_);
    QFont bold = font();
    bold.setBold(true);
    painter.setFont(bold);
    painter.setPen(t.text);
    painter.drawText(QRect(kPad, kPad, inner - tag - 8, line), Qt::AlignLeft, QFontMetrics(bold).elidedText(text(), Qt::ElideRight, inner - tag - 8));
}

void StarterButton::enterEvent(QEnterEvent* event) {
    QAbstractButton::enterEvent(event);
    update();
}
void StarterButton::leaveEvent(QEvent* event) {
    QAbstractButton::leaveEvent(event);
    update();
}

Starters::Starters(Chats& chats, std::vector<Starter> starters, QWidget* parent) : QWidget(parent), chats_(chats), starters_(std::move(starters)) {
    QWidget* page = scrolling_page(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(8, 12, 8, 8);
    column->setSpacing(10);
    auto* head = head_ = new QLabel(page);
    head->setWordWrap(true);
    QFont large = head->font();
    large.setPointSizeF(large.pointSizeF() * 1.5);
    large.setWeight(QFont::DemiBold);
    head->setFont(large);
    column->addWidget(head);
    auto* about = about_ = new QLabel(tr("Each opens the lens where it shows something."), page);
    about->setForegroundRole(QPalette::PlaceholderText);
    about->setWordWrap(true);
    column->addWidget(about);
    grid_ = new QGridLayout;
    grid_->setSpacing(8);
    for (size_t i = 0; i < starters_.size(); ++i) {
        auto* button = new StarterButton(starters_[i], page);
        connect(button, &QAbstractButton::clicked, this, [this, i] { begin(i); });
        buttons_.push_back(button);
    }
    grid_->setColumnStretch(0, 1);
    grid_->setColumnStretch(1, 1);
    column->addLayout(grid_);
    column->addStretch(1);
    connect(&chats_.session(), &Session::answer_done, this, &Starters::pin);
    connect(&chats_, &Chats::line_changed, this, [this] {
        if (&chats_.chat() != talk_) begun_ = nullptr;
    });
    connect(&chats_.session(), &Session::card_changed, this, &Starters::offer);
    offer();
}

// Those whose lens has something to show of this model, and whose words it knows: a learner of the lab has letters alone, and more ids than embeddings.
void Starters::offer() {
    int n = 0;
    const RunCard* card = chats_.session().card();
    const auto knows = [&](const std::string& words) {
        if (!card || !card->tokenizer || card->config.vocab_size == 0) return true;
        const std::vector<int32_t> ids = card->tokenizer->encode(words);
        return std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id < card->config.vocab_size; });
    };
    for (size_t i = 0; i < buttons_.size(); ++i) {
        grid_->removeWidget(buttons_[i]);
        const Starter& starter = starters_[i];
        const bool on = chats_.session().shows(text(starter.lens)) && std::all_of(starter.turns.begin(), starter.turns.end(), knows);
        buttons_[i]->setVisible(on);
        if (on) grid_->addWidget(buttons_[i], n / 2, n % 2), ++n;
    }
    about_->setVisible(n > 0);
    head_->setText(n > 0 ? tr("Try one of these, or write below") : tr("Write below"));
}

void Starters::begin(size_t number) {
    const Starter& starter = starters_[number];
    QStringList turns;
    for (const std::string& turn : starter.turns) turns << text(turn);
    if (!chats_.send_all(turns, text(starter.system), Language::tr(starter.title.c_str()))) return;
    begun_ = &starter, talk_ = &chats_.chat();
    Session& session = chats_.session();
    session.selection().set_token(Selection::kNewest);
    if (const RunCard* card = session.card();
        card && starter.layer >= 0 && starter.layer < card->config.num_hidden_layers && starter.head < session.selection().heads(starter.layer))
        session.selection().set_head(starter.layer, starter.head);
    emit lens_asked(text(starter.lens));
    session.say({tr("Watch: %1").arg(Language::tr(starter.watch.c_str())), {}, false, [this, talk = talk_] { return &chats_.chat() == talk; }});
}

// The token that the starter is about, as soon as it was said, where it was said last. Of a word that was told its last piece, behind which the memory has all
// of it; of one that the model says its first, which is where it was chosen; and in the lens that looks back the token before, which looks for it.
void Starters::pin() {
    if (!begun_ || begun_->pin.empty() || &chats_.chat() != talk_) return;
    const TraceStore& trace = chats_.session().trace();
    std::string said;
    std::vector<int64_t> at;  // the token of each byte
    for (int64_t p = 0; p < trace.size(); ++p) {
        const TokenRow& row = trace.row(p);
        const std::string& piece = row.made == begun_->pin_answer ? row.text : std::string(1, '\0');
        said += piece;
        at.resize(said.size(), p);
    }
    const size_t found = said.rfind(begun_->pin);
    if (found == said.npos) return;
    const int64_t first = at[found], last = at[found + begun_->pin.size() - 1];
    chats_.session().selection().set_token(!begun_->pin_answer ? last : begun_->lens == "attention" ? std::max<int64_t>(0, first - 1) : first);
}

}  // namespace klp::gui
