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

// From where on a branch is its own.
int own_part(const Chat& chat, int end) {
    int own = end;
    while (own > 0 && chat.children(chat.message(own).parent).size() == 1 && chat.message(own).parent > 0) own = chat.message(own).parent;
    return own;
}

bool is_folder(const QModelIndex& at) { return at.isValid() && at.data(ConversationsModel::kChat).value<quintptr>() == 0; }

}  // namespace

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
        const QModelIndex top = model_.index(0, 0), first = is_folder(top) ? model_.index(1, 0) : top;
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
    if (is_folder(at)) return model_.fold(at.data(ConversationsModel::kFolder).toString());
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
    if (at.data(ConversationsModel::kHit).toInt() > 0 || is_folder(at)) return;
    if (end == 0) return chats_.remove_chat(chat);
    const int own = own_part(*chat, end);
    chats_.open(chat);
    if (&chats_.chat() == chat) chats_.remove(own);
}

// A name of its own at once, to be typed over.
void Conversations::new_folder(const Chat* chat) {
    const QStringList taken = chats_.folders();
    QString name = tr("New folder");
    for (int n = 2; taken.contains(name); ++n) name = tr("New folder %1").arg(n);
    chats_.put_in_folder(chat, name);
    for (int i = 0; i < model_.rowCount(); ++i)
        if (const QModelIndex at = model_.index(i, 0); is_folder(at) && at.data(ConversationsModel::kFolder).toString() == name) {
            tree_->setCurrentIndex(at);
            tree_->edit(at);
        }
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
    if (is_folder(index)) {
        const QString folder = index.data(ConversationsModel::kFolder).toString();
        menu->addAction(tr("&Rename"), this, [this, index = QPersistentModelIndex(index)] { tree_->edit(index); });
        menu->addAction(tr("&Dissolve the folder (its chats stay)"), this, [this, folder] { chats_.rename_folder(folder, {}); });
    } else if (end == 0) {
        menu->addAction(tr("&Rename"), this, [this, index = QPersistentModelIndex(index)] { tree_->edit(index); });
        QMenu* folders = menu->addMenu(tr("&Folder"));
        folders->setObjectName("folders");
        const QString mine = index.data(ConversationsModel::kFolder).toString();
        QStringList choices = chats_.folders();
        choices << QString();
        for (const QString& folder : choices) {
            QAction* to = folders->addAction(folder.isEmpty() ? tr("None") : QString(folder).replace('&', "&&"), this,
                                             [this, chat, folder] { chats_.put_in_folder(chat, folder); });
            to->setCheckable(true);
            to->setChecked(folder == mine);
        }
        folders->addSeparator();
        folders->addAction(tr("&New folder"), this, [this, chat] { new_folder(chat); });
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
