#include "app/gui/chat/conversations.h"

#include <QComboBox>
#include <QDateTime>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QMenu>
#include <QPainter>
#include <QSettings>
#include <QStyledItemDelegate>
#include <QToolButton>
#include <QTreeView>
#include <QVBoxLayout>

#include "app/format.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

constexpr int64_t kBudgets[] = {0, int64_t{64} << 20, int64_t{256} << 20, int64_t{1} << 30, int64_t{2} << 30, int64_t{8} << 30, int64_t{32} << 30};

QString text(const std::string& s) { return QString::fromStdString(s); }

// Rows of one height. Renaming happens in a box as tall as a box is, not as a row.
class RowDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& at) const override {  // the same before the style sheet is there and after
        return {QStyledItemDelegate::sizeHint(option, at).width(), option.fontMetrics.height() + 10};
    }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& at) const override {
        QStyledItemDelegate::paint(painter, option, at);
        const QString date = at.data(ConversationsModel::kDate).toString();
        if (date.isEmpty()) return;
        painter->save();
        painter->setFont(option.font);
        painter->setPen(option.palette.color(QPalette::PlaceholderText));
        painter->drawText(option.rect.adjusted(0, 0, -6, 0), Qt::AlignRight | Qt::AlignVCenter, date);
        painter->restore();
    }
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& at) const override {
        QStyledItemDelegate::initStyleOption(option, at);
        const QString date = at.data(ConversationsModel::kDate).toString();
        if (date.isEmpty()) return;
        const int room = option->rect.width() - option->fontMetrics.horizontalAdvance(date) - 20;
        option->text = option->fontMetrics.elidedText(option->text, Qt::ElideRight, std::max(40, room));
    }
    void updateEditorGeometry(QWidget* editor, const QStyleOptionViewItem& option, const QModelIndex&) const override {
        const int high = std::max(option.rect.height(), editor->sizeHint().height());
        editor->setGeometry(option.rect.x(), std::max(0, option.rect.center().y() - high / 2), option.rect.width(), high);
    }
};

// As near as one remembers it: the hour of today, the day of this week, else the date.
QString date_of(int64_t time) {
    if (time <= 0) return {};
    const QDateTime at = QDateTime::fromSecsSinceEpoch(time), now = QDateTime::currentDateTime();
    const qint64 days = at.date().daysTo(now.date());
    const QLocale locale;
    return days <= 0                               ? locale.toString(at.time(), "hh:mm")
           : days < 7                              ? locale.toString(at.date(), "ddd")
           : at.date().year() == now.date().year() ? locale.toString(at.date(), Language::tr("d MMM", "date"))
                                                   : locale.toString(at.date(), Language::tr("MMM yyyy", "date"));
}

// From where on a branch is its own.
int own_part(const Chat& chat, int end) {
    int own = end;
    while (own > 0 && chat.children(chat.message(own).parent).size() == 1 && chat.message(own).parent > 0) own = chat.message(own).parent;
    return own;
}

QString start_of(const std::string& message, int characters) {
    QString line = text(message.substr(0, static_cast<size_t>(characters) * 8)).simplified();
    if (line.size() > characters) line = line.left(characters - 1).trimmed() + "…";
    return line;
}

}  // namespace

ConversationsModel::ConversationsModel(Chats& chats, QObject* parent) : QAbstractItemModel(parent), chats_(chats) { refresh(); }

void ConversationsModel::set_search(const QString& search) {
    search_ = search.trimmed();
    refresh();
}

// Where the searched text was said, the newest first, and on which branch where there are several.
std::vector<ConversationsModel::Branch> ConversationsModel::hits_in(const Chat& chat) const {
    constexpr size_t kMost = 5;
    std::vector<Branch> hits;
    const std::vector<int> ends = chat.ends();
    for (int id = chat.count(); id > 0 && hits.size() < kMost; --id) {
        const ChatMessage& m = chat.message(id);
        if (m.removed) continue;
        const QString said = text(m.text);
        const qsizetype at = said.indexOf(search_, 0, Qt::CaseInsensitive);
        if (at < 0) continue;
        const int end = chat.newest_below(id);
        const auto number = std::find(ends.begin(), ends.end(), end) - ends.begin();
        if (number == static_cast<std::ptrdiff_t>(ends.size())) continue;  // below one that was removed
        const qsizetype from = std::max<qsizetype>(0, at - 15);
        Branch hit{.end = end, .hit = id, .text = (from > 0 ? "…" : "") + said.mid(from, 80).simplified()};
        hit.tip = (m.role == "user" ? tr("You said it") : tr("The model said it"));
        if (ends.size() > 1) {
            hit.text = tr("branch %1: %2").arg(number + 1).arg(hit.text);
            hit.tip += "\n" + tr("on branch %1 of %2").arg(number + 1).arg(ends.size());
        }
        hits.push_back(std::move(hit));
    }
    return hits;
}

std::vector<ConversationsModel::Branch> ConversationsModel::branches_of(const Chat& chat, bool current) const {
    const std::vector<int> ends = chat.ends();
    std::vector<Branch> branches;
    if (ends.size() < 2) return branches;
    for (int end : ends) {
        const std::vector<int> way = chat.line(end);
        size_t same = 0;
        // Named by where it parts from the branch before it, which is the first message that is its own.
        for (int other : ends) {
            if (other == end) continue;
            const std::vector<int> theirs = chat.line(other);
            const size_t n = static_cast<size_t>(std::mismatch(way.begin(), way.end(), theirs.begin(), theirs.end()).first - way.begin());
            same = std::max(same, n);
        }
        const int own = way[std::min(same, way.size() - 1)];
        Branch branch{.end = end, .text = start_of(chat.message(own).text, 60)};
        if (branch.text.isEmpty()) branch.text = tr("(no text)");
        branch.current = current && std::find(way.begin(), way.end(), chat.tip()) != way.end() && (chat.tip() == end || chat.newest_below(chat.tip()) == end);
        branch.tip = tr("parts at message %1 of %2").arg(same + 1).arg(way.size());
        branches.push_back(std::move(branch));
    }
    return branches;
}

void ConversationsModel::refresh() {
    std::vector<Row> rows;
    for (const auto& chat : chats_.all()) {
        const bool current = chat.get() == &chats_.chat();
        if (chat->count() == 0 && !current) continue;
        Row row{.chat = chat.get(), .title = chat->info().title.empty() ? tr("New chat") : text(chat->info().title), .current = current};
        row.date = date_of(chat->time());
        if (chat->time() > 0) row.tip = QLocale().toString(QDateTime::fromSecsSinceEpoch(chat->time()), tr("d MMMM yyyy, hh:mm", "date")) + "\n";
        row.tip += Language::tr("%Ln message(s)", nullptr, chat->count());
        if (!search_.isEmpty()) row.branches = hits_in(*chat);
        if (row.branches.empty() && !search_.isEmpty() && !row.title.contains(search_, Qt::CaseInsensitive)) continue;
        if (row.branches.empty()) row.branches = branches_of(*chat, current);
        rows.push_back(std::move(row));
    }
    if (rows == rows_) return;
    bool same = rows.size() == rows_.size();
    for (size_t i = 0; same && i < rows.size(); ++i) same = rows[i].chat == rows_[i].chat && rows[i].branches.size() == rows_[i].branches.size();
    if (!same) beginResetModel();
    rows_ = std::move(rows);
    if (!same) return endResetModel();
    for (int i = 0; i < rowCount(); ++i) {
        const QModelIndex at = index(i, 0);
        emit dataChanged(at, at);
        if (const int n = rowCount(at); n > 0) emit dataChanged(index(0, 0, at), index(n - 1, 0, at));
    }
}

QModelIndex ConversationsModel::current() const {
    for (int i = 0; i < rowCount(); ++i) {
        const QModelIndex at = index(i, 0);
        if (!at.data(kCurrent).toBool()) continue;
        for (int b = 0; b < rowCount(at); ++b)
            if (index(b, 0, at).data(kCurrent).toBool()) return index(b, 0, at);
        return at;
    }
    return {};
}

// The internal id is 0 of a chat, and of a branch its chat's row and one.
QModelIndex ConversationsModel::index(int row, int column, const QModelIndex& parent) const {
    if (row < 0 || column != 0 || row >= rowCount(parent)) return {};
    return createIndex(row, column, parent.isValid() ? static_cast<quintptr>(parent.row()) + 1 : quintptr{0});
}

QModelIndex ConversationsModel::parent(const QModelIndex& child) const {
    if (!child.isValid() || child.internalId() == 0) return {};
    return createIndex(static_cast<int>(child.internalId() - 1), 0, quintptr{0});
}

int ConversationsModel::rowCount(const QModelIndex& parent) const {
    if (!parent.isValid()) return static_cast<int>(rows_.size());
    if (parent.internalId() != 0 || parent.column() != 0 || parent.row() >= static_cast<int>(rows_.size())) return 0;
    return static_cast<int>(rows_[static_cast<size_t>(parent.row())].branches.size());
}

QVariant ConversationsModel::data(const QModelIndex& at, int role) const {
    if (!at.isValid()) return {};
    const bool branch = at.internalId() != 0;
    const Row& row = rows_[branch ? at.internalId() - 1 : static_cast<size_t>(at.row())];
    const Branch* b = branch ? &row.branches[static_cast<size_t>(at.row())] : nullptr;
    const bool current = b ? b->current : row.current;
    switch (role) {
        case Qt::DisplayRole:
            return !b ? row.title : b->hit > 0 ? b->text : "↳ " + b->text;
        case Qt::EditRole:
            return row.title;
        case Qt::ToolTipRole:
            return b ? b->text + "\n" + b->tip : row.title + "\n" + row.tip;
        case Qt::AccessibleTextRole:
            return (!b ? tr("Chat: %1") : b->hit > 0 ? tr("Found: %1") : tr("Branch: %1")).arg(b ? b->text : row.title) + (current ? tr(", open") : QString());
        case Qt::FontRole:
            if (current) {
                QFont font;
                font.setBold(true);
                return font;
            }
            return {};
        case kChat:
            return QVariant::fromValue(reinterpret_cast<quintptr>(row.chat));
        case kEnd:
            return b ? b->end : 0;
        case kCurrent:
            return current;
        case kHit:
            return b ? b->hit : 0;
        case kDate:
            return b ? QString() : row.date;
        default:
            return {};
    }
}

bool ConversationsModel::setData(const QModelIndex& at, const QVariant& value, int role) {
    if (role != Qt::EditRole || !at.isValid() || at.internalId() != 0) return false;
    chats_.rename(rows_[static_cast<size_t>(at.row())].chat, value.toString());
    return true;
}

Qt::ItemFlags ConversationsModel::flags(const QModelIndex& at) const {
    if (!at.isValid()) return Qt::NoItemFlags;
    return Qt::ItemIsEnabled | Qt::ItemIsSelectable | (at.internalId() == 0 ? Qt::ItemIsEditable : Qt::ItemNeverHasChildren);
}

Conversations::Conversations(Session& session, Chats& chats, QWidget* parent) : QWidget(parent), session_(session), chats_(chats), model_(chats) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 6, 8, 8);
    column->setSpacing(6);
    auto* row = new QHBoxLayout;
    search_ = new QLineEdit(this);
    search_->setObjectName("search");
    search_->setPlaceholderText(tr("Search (Ctrl+K)"));
    search_->setAccessibleName(tr("Search the conversations"));
    search_->setClearButtonEnabled(true);
    row->addWidget(search_, 1);
    auto* fresh = new QToolButton(this);
    fresh->setText(tr("New"));
    fresh->setAccessibleName(tr("New chat"));
    fresh->setToolTip(tr("New chat (Ctrl+N)"));
    connect(fresh, &QToolButton::clicked, this, [this] { chats_.new_chat(); });
    row->addWidget(fresh);
    column->addLayout(row);

    tree_ = new QTreeView(this);
    tree_->setObjectName("conversations");
    tree_->setAccessibleName(tr("Conversations"));
    tree_->setModel(&model_);
    tree_->setHeaderHidden(true);
    tree_->setFrameShape(QFrame::NoFrame);
    tree_->setIndentation(12);
    tree_->setTextElideMode(Qt::ElideRight);
    tree_->setEditTriggers(QAbstractItemView::EditKeyPressed);
    tree_->setContextMenuPolicy(Qt::CustomContextMenu);
    tree_->setUniformRowHeights(true);
    tree_->setItemDelegate(new RowDelegate(tree_));
    tree_->installEventFilter(this);
    search_->installEventFilter(this);
    column->addWidget(tree_, 1);
    none_ = new QLabel(this);
    none_->setObjectName("none");
    none_->setWordWrap(true);
    none_->setForegroundRole(QPalette::PlaceholderText);
    none_->hide();
    column->addWidget(none_);

    const auto room_for = [&](QLabel*& kept, QComboBox*& budget, const char* name, const QString& label, const QString& tip) {
        auto* line = new QHBoxLayout;
        kept = new QLabel(this);
        kept->setForegroundRole(QPalette::PlaceholderText);
        kept->setWordWrap(true);
        line->addWidget(kept, 1);
        budget = new QComboBox(this);
        budget->setObjectName(name);
        budget->setAccessibleName(label);
        budget->setToolTip(tip);
        for (int64_t bytes : kBudgets) budget->addItem(bytes == 0 ? tr("off") : local(bytes_text(bytes)), static_cast<qlonglong>(bytes));
        line->addWidget(budget);
        column->addLayout(line);
    };
    room_for(pool_, budget_, "budget", tr("Budget of the snapshots"),
             tr("Memory for frozen states. With more of them, rewinding, branching and switching chats replay fewer tokens"));
    room_for(states_, state_budget_, "state-budget", tr("Budget of the states on disk"),
             tr("Disk for the ends of chats, so that one opens where it stood; the least recently used make room. klp in the terminal uses the same files"));

    soon_.setSingleShot(true);
    soon_.setInterval(200);
    connect(search_, &QLineEdit::textChanged, &soon_, qOverload<>(&QTimer::start));
    connect(&soon_, &QTimer::timeout, this, &Conversations::find_now);
    connect(search_, &QLineEdit::returnPressed, this, [this] {
        find_now();
        const QModelIndex first = model_.index(0, 0);
        if (!first.isValid() || search_->text().trimmed().isEmpty()) return;
        const QModelIndex hit = model_.index(0, 0, first);
        open(hit.data(ConversationsModel::kHit).toInt() > 0 ? hit : first);
    });
    connect(tree_, &QTreeView::clicked, this, &Conversations::open);
    connect(tree_, &QTreeView::activated, this, &Conversations::open);
    connect(tree_, &QTreeView::customContextMenuRequested, this, &Conversations::show_menu);
    connect(&chats_, &Chats::list_changed, this, [this] {
        model_.refresh();
        refresh_list();
    });
    connect(&chats_, &Chats::line_changed, this, [this] { model_.refresh(); });
    connect(&session_, &Session::snapshots_changed, this, &Conversations::refresh_pool);
    connect(&session_, &Session::card_changed, this, [this] {
        const QSettings settings;
        if (session_.live() && settings.contains("snapshot-budget")) session_.post(SetSnapshotBudget{settings.value("snapshot-budget").toLongLong()});
        refresh_pool();
    });
    connect(&session_, &Session::states_changed, this, &Conversations::refresh_states);
    connect(&session_, &Session::card_changed, this, &Conversations::refresh_states);
    connect(state_budget_, &QComboBox::activated, this, [this] {
        if (session_.live()) session_.post(SetStateBudget{state_budget_->currentData().toLongLong()});
    });
    connect(budget_, &QComboBox::activated, this, [this] {
        QSettings().setValue("snapshot-budget", budget_->currentData());
        if (session_.live()) session_.post(SetSnapshotBudget{budget_->currentData().toLongLong()});
    });
    const int64_t wanted = QSettings().value("snapshot-budget", qlonglong{1} << 30).toLongLong();
    budget_->setCurrentIndex(std::max(0, budget_->findData(static_cast<qlonglong>(wanted))));
    refresh_list();
    refresh_pool();
    refresh_states();
}

void Conversations::find_now() {
    soon_.stop();
    model_.set_search(search_->text());
    refresh_list();
}

void Conversations::open(const QModelIndex& at) {
    const auto* chat = reinterpret_cast<const Chat*>(at.data(ConversationsModel::kChat).value<quintptr>());
    const int end = at.data(ConversationsModel::kEnd).toInt(), hit = at.data(ConversationsModel::kHit).toInt();
    chats_.open(chat);
    if (&chats_.chat() != chat) return;
    const std::vector<int> line = chats_.chat().line();
    if (hit > 0 && std::find(line.begin(), line.end(), hit) != line.end()) return emit message_asked(hit);
    if (end > 0 && chats_.chat().tip() != end) chats_.choose(end);
    if (hit > 0) emit message_asked(hit);
}

bool Conversations::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if (watched == search_ && key->key() == Qt::Key_Down) {
            find_now();
            const QModelIndex at = tree_->currentIndex().isValid() && search_->text().isEmpty() ? tree_->currentIndex() : model_.index(0, 0);
            if (at.isValid()) tree_->setCurrentIndex(at), tree_->setFocus();
            return true;
        }
        if (watched == tree_ && key->key() == Qt::Key_Delete && tree_->currentIndex().isValid()) {
            remove(tree_->currentIndex());
            return true;
        }
        if (watched == tree_ && key->key() == Qt::Key_Up && tree_->currentIndex() == model_.index(0, 0)) {
            search_->setFocus();
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

// A chat, or of a branch what is its alone: from below the last message that another branch has too.
void Conversations::remove(const QModelIndex& at) {
    const auto* chat = reinterpret_cast<const Chat*>(at.data(ConversationsModel::kChat).value<quintptr>());
    const int end = at.data(ConversationsModel::kEnd).toInt();
    if (at.data(ConversationsModel::kHit).toInt() > 0) return;
    if (end == 0) return chats_.remove_chat(chat);
    const int own = own_part(*chat, end);
    chats_.open(chat);
    if (&chats_.chat() == chat) chats_.remove(own);
}

void Conversations::focus_search() {
    search_->setFocus();
    search_->selectAll();
}

void Conversations::rename_current() {
    QModelIndex at = model_.current();
    if (at.parent().isValid()) at = at.parent();
    if (!at.isValid()) return;
    tree_->setCurrentIndex(at);
    tree_->edit(at);
}

void Conversations::refresh_list() {
    none_->setVisible(model_.rowCount() == 0);
    none_->setText(search_->text().trimmed().isEmpty() ? tr("No conversations yet: what you say is kept here.")
                                                       : tr("Nothing is found. Words are looked for in titles and in what was said."));
    const QModelIndex at = model_.current();
    tree_->expandAll();
    if (at.isValid() && (!tree_->hasFocus() || !tree_->currentIndex().isValid())) tree_->setCurrentIndex(at);
}

void Conversations::refresh_pool() {
    const SnapshotsKept& kept = session_.snapshots();
    pool_->setText(session_.live()   ? tr("%1, %2").arg(Language::tr("%Ln snapshot(s)", nullptr, kept.count), local(bytes_text(kept.bytes)))
                   : session_.card() ? tr("No snapshots: a recording")
                                     : tr("No snapshots: no model"));
    pool_->setToolTip(tr("In memory: frozen states of the model's memory: KDA states and convolution tails copied, pages of the MLA cache shared"));
}

void Conversations::refresh_states() {
    const StatesKept& kept = session_.states();
    const bool on = session_.live() && (kept.budget > 0 || kept.count > 0);
    states_->setText(session_.live() ? tr("%1, %2").arg(Language::tr("%Ln end(s) on disk", nullptr, kept.count), local(bytes_text(kept.bytes)))
                                     : tr("No ends on disk"));
    states_->setToolTip(on && kept.written > 0 ? tr("The ends of chats on disk, with which one opens where it stood. The last one, %1, took %2")
                                                     .arg(local(bytes_text(kept.written)), local(duration_text(double(kept.nanoseconds))))
                                               : tr("The ends of chats on disk, with which one opens where it stood"));
    if (!session_.live()) return;
    int at = state_budget_->findData(static_cast<qlonglong>(kept.budget));
    if (at < 0) {  // set in the terminal
        state_budget_->addItem(local(bytes_text(kept.budget)), static_cast<qlonglong>(kept.budget));
        at = state_budget_->count() - 1;
    }
    state_budget_->setCurrentIndex(at);
}

void Conversations::show_menu(const QPoint& at) {
    QModelIndex index = tree_->indexAt(at);
    if (!index.isValid()) index = tree_->currentIndex();  // from the keyboard
    if (!index.isValid()) return;
    const auto* chat = reinterpret_cast<const Chat*>(index.data(ConversationsModel::kChat).value<quintptr>());
    const int end = index.data(ConversationsModel::kEnd).toInt();
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    if (end == 0) {
        menu->addAction(tr("&Rename"), this, [this, index = QPersistentModelIndex(index)] { tree_->edit(index); });
        menu->addAction(tr("Re&move the chat (its file stays)"), this, [this, index = QPersistentModelIndex(index)] { remove(index); });
    } else if (index.data(ConversationsModel::kHit).toInt() > 0) {
        menu->addAction(tr("&Go there"), this, [this, index = QPersistentModelIndex(index)] { open(index); });
    } else {
        const int n = chat->messages_below(own_part(*chat, end));
        menu->addAction(tr("Re&move this branch (%1)").arg(Language::tr("%Ln message(s)", nullptr, n)), this,
                        [this, index = QPersistentModelIndex(index)] { remove(index); });
    }
    menu->popup(tree_->viewport()->mapToGlobal(at));
}

}  // namespace klp::gui
