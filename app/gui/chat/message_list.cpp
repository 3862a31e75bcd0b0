#include "app/gui/chat/message_list.h"

#include <QKeyEvent>
#include <QLabel>
#include <QScrollBar>
#include <QToolButton>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {
constexpr int kEdge = 4, kBetween = 10, kWidest = 860;

// Not at once: it may be this card's button that is being pressed.
void retire(MessageCard* card) {
    if (!card) return;
    card->hide();
    card->deleteLater();
}
}  // namespace

MessageList::MessageList(Chats& chats, QWidget* parent) : QAbstractScrollArea(parent), chats_(chats) {
    setFrameShape(NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Messages"));
    viewport()->setBackgroundRole(QPalette::Window);
    verticalScrollBar()->setSingleStep(40);
    pill_ = new QToolButton(viewport());
    pill_->setText(tr("Newest  ↓"));
    pill_->setAccessibleName(tr("Go to the newest message"));
    pill_->setFocusPolicy(Qt::NoFocus);
    pill_->hide();
    connect(pill_, &QToolButton::clicked, this, &MessageList::go_to_newest);
    ahead_ = new QToolButton(viewport());
    ahead_->setFocusPolicy(Qt::NoFocus);
    ahead_->setToolTip(tr("What follows here was left by rewinding or by undoing; nothing of it is lost"));
    ahead_->hide();
    connect(ahead_, &QToolButton::clicked, this, [this] { chats_.go_ahead(); });
    connect(&chats_.session().selection(), &Selection::changed, this, &MessageList::mark_selected);
}

void MessageList::set_tints(Tints* tints) {
    tints_ = tints;
    connect(tints, &Tints::changed, this, [this] {
        for (Item& item : items_) tint(item);
    });
    connect(tints, &Tints::grew, this, [this] {
        for (Item& item : items_)
            if (item.id == chats_.answered_message()) tint(item);
    });
}

void MessageList::tint(Item& item) {
    if (tints_ && item.card) item.card->tint(*tints_);
}

int MessageList::column() const { return std::min(viewport()->width() - 2 * kEdge, kWidest); }

int MessageList::guess(int id) const {
    const ChatMessage& m = chats_.chat().message(id);
    const int per_line = std::max(20, column() / std::max(1, fontMetrics().averageCharWidth()));
    const auto lines = static_cast<int64_t>(m.text.size()) / per_line + std::count(m.text.begin(), m.text.end(), '\n') + 1;
    return static_cast<int>(std::min<int64_t>(1'000'000, 70 + lines * fontMetrics().lineSpacing()));
}

void MessageList::set_line() {
    const std::vector<int> line = chats_.chat().line();
    size_t same = 0;
    if (shown_ == &chats_.chat())
        while (same < line.size() && same < items_.size() && items_[same].id == line[same]) ++same;
    for (size_t i = same; i < items_.size(); ++i) retire(items_[i].card);
    items_.resize(same);
    shown_ = &chats_.chat();
    for (size_t i = same; i < line.size(); ++i) items_.push_back({.id = line[i], .height = guess(line[i])});
    for (Item& item : items_)
        if (item.card) item.card->take_text(), item.card->take_figures(), tint(item), item.measured = false;
    following_ = true;
    const int tip = chats_.chat().tip(), end = chats_.chat().newest_below(tip);
    const auto later = static_cast<int64_t>(chats_.chat().line(end).size()) - static_cast<int64_t>(line.size());
    ahead_->setVisible(later > 0 && !chats_.recorded());
    ahead_->setText(Language::tr("%Ln message(s) follow(s|) on a branch.  Go ahead", nullptr, later));
    mark_selected();
    arrange();
}

void MessageList::grow() {
    for (Item& item : items_)
        if (item.id == chats_.answered_message()) {
            if (item.card) item.card->take_text(), item.card->take_figures();
            item.measured = false;
            if (!item.card) item.height = guess(item.id);
        }
    arrange();
}

void MessageList::refresh(int id) {
    for (Item& item : items_)
        if (item.id == id || id == 0) {
            if (item.card) item.card->take_text(), item.card->take_figures(), tint(item);
            item.measured = false;
        }
    arrange();
}

void MessageList::make(Item& item) {
    item.card = new MessageCard(chats_, item.id, viewport());
    connect(item.card, &MessageCard::edit_asked, this, &MessageList::edit_asked);
    connect(item.card, &MessageCard::height_changed, this, [this, id = item.id] { refresh(id); });
    if (item.id == marked_) mark_selected();
    tint(item);
    if (!found_.isEmpty()) item.card->find(found_, item.id == found_id_ ? found_at_ : -1);
    item.card->show();
    item.measured = false;
}

// Positions follow from heights; heights of what is in sight are measured, which may move the rest, so once more until nothing moves. What stands at the top
// of the window stays there, unless one follows the newest.
void MessageList::arrange() {
    if (arranging_ || viewport()->width() < 50) return;
    arranging_ = true;
    QScrollBar& bar = *verticalScrollBar();
    const int page = viewport()->height(), width = column(), left = (viewport()->width() - width) / 2;
    ++clock_;
    size_t anchor = 0;
    int offset = 0;
    {
        int y = kEdge;
        for (size_t i = 0; i < items_.size(); ++i) {
            if (y + items_[i].height > bar.value()) {
                anchor = i, offset = bar.value() - y;
                break;
            }
            y += items_[i].height + kBetween;
        }
    }
    int total = 0;
    for (int pass = 0; pass < 8; ++pass) {
        total = kEdge;
        int value = bar.value();
        for (size_t i = 0; i < items_.size(); ++i) {
            if (i == anchor && !following_) value = total + offset;
            total += items_[i].height + kBetween;
        }
        if (ahead_->isVisibleTo(viewport())) total += ahead_->sizeHint().height() + kBetween;
        bar.setPageStep(page);
        bar.setRange(0, std::max(0, total - page));
        bar.setValue(following_ ? bar.maximum() : value);
        int y = kEdge;
        bool moved = false;
        for (Item& item : items_) {
            const int top = y - bar.value();
            y += item.height + kBetween;
            if (top + item.height < -page / 2 || top > page + page / 2) continue;
            item.used = clock_;
            if (!item.card) make(item);
            if (item.measured) continue;
            item.measured = true;
            const int height = item.card->lay_out(width);
            moved = moved || height != item.height;
            item.height = height;
        }
        if (!moved) break;
    }
    int y = kEdge;
    for (Item& item : items_) {
        if (item.card) {
            item.card->setGeometry(left, y - bar.value(), width, item.height);
            item.card->setVisible(item.used == clock_);
        }
        y += item.height + kBetween;
    }
    const QSize hint = ahead_->sizeHint();
    ahead_->setGeometry((viewport()->width() - hint.width()) / 2, y - bar.value(), hint.width(), hint.height());
    while (cards() > kMostCards) {  // what was not seen for longest
        Item* oldest = nullptr;
        for (Item& item : items_)
            if (item.card && item.used != clock_ && (!oldest || item.used < oldest->used)) oldest = &item;
        if (!oldest) break;
        retire(std::exchange(oldest->card, nullptr));
    }
    place_pill();
    arranging_ = false;
}

void MessageList::place_pill() {
    const bool far = !following_ && verticalScrollBar()->value() < verticalScrollBar()->maximum() - 60;
    pill_->setVisible(far);
    const QSize hint = pill_->sizeHint() + QSize(16, 6);
    pill_->setGeometry((viewport()->width() - hint.width()) / 2, viewport()->height() - hint.height() - 8, hint.width(), hint.height());
    const Theme& t = theme_of(palette());
    const QString style =
        QString(
            "QToolButton { background: %1; color: %2; border: 1px solid %3; border-radius: %4px; padding: 2px 10px; } QToolButton:hover { border-color: %5; }")
            .arg(t.raised.name(), t.text.name(), t.border.name())
            .arg(std::min(hint.height(), ahead_->sizeHint().height()) / 2 - 1)
            .arg(t.accent.name());
    if (pill_->styleSheet() != style) pill_->setStyleSheet(style), ahead_->setStyleSheet(style);
    pill_->raise();
}

void MessageList::scroll_to(int id) {
    int y = kEdge;
    for (const Item& item : items_) {
        if (item.id == id) {
            following_ = false;
            verticalScrollBar()->setValue(y - kEdge);
            return arrange();
        }
        y += item.height + kBetween;
    }
}

int MessageList::find(const QString& what, int n) {
    found_ = what, found_id_ = 0, found_at_ = 0;
    int all = 0;
    for (const Item& item : items_) {
        const int here = what.isEmpty() ? 0 : static_cast<int>(QString::fromStdString(chats_.chat().message(item.id).text).count(what, Qt::CaseInsensitive));
        if (n >= all && n < all + here) found_id_ = item.id, found_at_ = n - all;
        all += here;
    }
    if (found_id_ > 0) scroll_to(found_id_);
    for (Item& item : items_) {
        if (!item.card) continue;
        const int y = item.card->find(found_, item.id == found_id_ ? found_at_ : -1);
        if (item.id == found_id_ && y > viewport()->height() * 2 / 3)
            verticalScrollBar()->setValue(verticalScrollBar()->value() + y - viewport()->height() / 3);
    }
    return all;
}

void MessageList::go_to_newest() {
    following_ = true;
    arrange();
}

void MessageList::mark_selected() {
    const int64_t at = chats_.session().selection().token();
    const LineTokens::Place place = at >= 0 && !items_.empty() ? chats_.place_of(at) : LineTokens::Place{};
    for (Item& item : items_)
        if (item.card && (item.id == place.id || item.id == marked_)) item.card->mark_token(item.id == place.id ? place.token : -1);
    marked_ = place.id;
}

MessageCard* MessageList::card(int id) const {
    for (const Item& item : items_)
        if (item.id == id) return item.card;
    return nullptr;
}

int MessageList::cards() const {
    return static_cast<int>(std::count_if(items_.begin(), items_.end(), [](const Item& i) { return i.card != nullptr; }));
}

void MessageList::resizeEvent(QResizeEvent*) {
    for (Item& item : items_) item.measured = false;
    arrange();
}

void MessageList::scrollContentsBy(int, int) {
    if (arranging_) return;
    following_ = verticalScrollBar()->value() >= verticalScrollBar()->maximum() - 8;
    arrange();
}

void MessageList::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::PaletteChange || event->type() == QEvent::StyleChange) {
        for (Item& item : items_) item.measured = false, tint(item);
        arrange();
    }
}

void MessageList::keyPressEvent(QKeyEvent* event) {
    QScrollBar& bar = *verticalScrollBar();
    switch (event->key()) {
        case Qt::Key_Home:
            return bar.setValue(0);
        case Qt::Key_End:
            return go_to_newest();
        case Qt::Key_PageUp:
            return bar.setValue(bar.value() - bar.pageStep());
        case Qt::Key_PageDown:
            return bar.setValue(bar.value() + bar.pageStep());
        case Qt::Key_Up:
            return bar.setValue(bar.value() - bar.singleStep());
        case Qt::Key_Down:
            return bar.setValue(bar.value() + bar.singleStep());
        default:
            return QAbstractScrollArea::keyPressEvent(event);
    }
}

}  // namespace klp::gui
