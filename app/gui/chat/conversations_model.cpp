#include "app/gui/chat/conversations_model.h"

#include <QDateTime>
#include <QFont>
#include <QLocale>
#include <QSettings>

#include <algorithm>
#include <iterator>
#include <utility>

#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

QString text(const std::string& s) { return QString::fromStdString(s); }

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

QString start_of(const std::string& message, int characters) {
    QString line = text(message.substr(0, static_cast<size_t>(characters) * 8)).simplified();
    if (line.size() > characters) line = line.left(characters - 1).trimmed() + "…";
    return line;
}

}  // namespace

ConversationsModel::ConversationsModel(Chats& chats, QObject* parent)
    : QAbstractItemModel(parent), chats_(chats), folded_(QSettings().value("folders/folded").toStringList()) {
    refresh();
}

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

bool ConversationsModel::folded(const QString& folder) const { return search_.isEmpty() && folded_.contains(folder); }

void ConversationsModel::fold(const QString& folder) {
    if (!folded_.removeOne(folder)) folded_.push_back(folder);
    QSettings().setValue("folders/folded", folded_);
    refresh();
}

void ConversationsModel::refresh() {
    std::vector<Row> rows;
    const QStringList folders = chats_.folders();
    std::vector<std::vector<Row>> of_folder(static_cast<size_t>(folders.size()) + 1);  // the last: in none
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
        row.folder = text(chat->info().folder);
        const qsizetype place = folders.indexOf(row.folder);
        of_folder[static_cast<size_t>(place < 0 ? folders.size() : place)].push_back(std::move(row));
    }
    for (size_t i = 0; i < of_folder.size(); ++i) {
        const bool in_folder = i + 1 < of_folder.size();
        if (of_folder[i].empty()) continue;
        if (in_folder) {
            Row head{.title = folders[static_cast<qsizetype>(i)], .folder = folders[static_cast<qsizetype>(i)]};
            head.date = QLocale().toString(static_cast<qlonglong>(of_folder[i].size()));
            head.folded = folded(head.folder);
            head.tip = Language::tr("%Ln chat(s)", nullptr, static_cast<int64_t>(of_folder[i].size()));
            rows.push_back(head);
            if (head.folded) continue;
        }
        std::move(of_folder[i].begin(), of_folder[i].end(), std::back_inserter(rows));
    }
    if (rows == rows_) return;
    bool same = rows.size() == rows_.size();
    for (size_t i = 0; same && i < rows.size(); ++i)
        same = rows[i].chat == rows_[i].chat && rows[i].folder == rows_[i].folder && rows[i].branches.size() == rows_[i].branches.size();
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
    const bool head = !row.chat;
    switch (role) {
        case kFolder:
            return row.folder;
        case Qt::DisplayRole:
            if (head) return (row.folded ? "▸ " : "▾ ") + row.title;
            return !b ? (row.folder.isEmpty() ? row.title : "   " + row.title) : b->hit > 0 ? b->text : "↳ " + b->text;
        case Qt::EditRole:
            return row.title;
        case Qt::ToolTipRole:
            return b ? b->text + "\n" + b->tip : row.title + "\n" + row.tip;
        case Qt::AccessibleTextRole:
            if (head) return (row.folded ? tr("Folder, folded: %1") : tr("Folder: %1")).arg(row.title) + ", " + row.tip;
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
    const Row row = rows_[static_cast<size_t>(at.row())];
    if (row.chat)
        chats_.rename(row.chat, value.toString());
    else if (const QString to = value.toString().simplified(); !to.isEmpty())
        QMetaObject::invokeMethod(
            this, [this, row, to] { chats_.rename_folder(row.folder, to); }, Qt::QueuedConnection);  // rows move: not while one is edited
    return true;
}

Qt::ItemFlags ConversationsModel::flags(const QModelIndex& at) const {
    if (!at.isValid()) return Qt::NoItemFlags;
    return Qt::ItemIsEnabled | Qt::ItemIsSelectable | (at.internalId() == 0 ? Qt::ItemIsEditable : Qt::ItemNeverHasChildren);
}

}  // namespace klp::gui
