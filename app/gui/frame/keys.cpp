#include "app/gui/frame/keys.h"

#include <QHeaderView>
#include <QLineEdit>
#include <QMenuBar>
#include <QRegularExpression>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

namespace klp::gui {

namespace {

// Without the letter that Alt chooses, which Chinese has in brackets, and without signs.
QString plain(QString text) { return text.remove(QRegularExpression("\\(&\\w\\)")).remove('&').remove(QChar(0x25cf)).trimmed(); }

void add_menu(const QMenu& menu, QTreeWidgetItem* group) {
    for (const QAction* action : menu.actions()) {
        if (action->menu()) {
            add_menu(*action->menu(), group);
        } else if (!action->shortcut().isEmpty()) {
            new QTreeWidgetItem(group, {plain(action->text()), action->shortcut().toString(QKeySequence::NativeText)});
        }
    }
}

}  // namespace

Keys::Keys(const QMenuBar& menus, QWidget* parent) : QDialog(parent) {
    setObjectName("keys");
    setWindowTitle(tr("Keys"));
    auto* column = new QVBoxLayout(this);
    search_ = new QLineEdit(this);
    search_->setPlaceholderText(tr("Search"));
    search_->setAccessibleName(tr("Search the keys"));
    search_->setClearButtonEnabled(true);
    column->addWidget(search_);
    list_ = new QTreeWidget(this);
    list_->setAccessibleName(tr("Keys"));
    list_->setHeaderLabels({tr("What"), tr("Key")});
    list_->setRootIsDecorated(false);
    list_->setUniformRowHeights(true);
    list_->setSelectionMode(QAbstractItemView::SingleSelection);
    column->addWidget(list_, 1);
    const auto group = [&](const QString& name) {
        auto* item = new QTreeWidgetItem(list_, {name});
        QFont bold = font();
        bold.setBold(true);
        item->setFont(0, bold);
        item->setFlags(Qt::ItemIsEnabled);
        item->setFirstColumnSpanned(true);
        return item;
    };
    for (const QAction* action : menus.actions())
        if (action->menu()) add_menu(*action->menu(), group(plain(action->text())));
    const auto here = [&](const QString& name, const std::vector<std::pair<QString, QString>>& rows) {
        QTreeWidgetItem* item = group(name);
        for (const auto& [what, key] : rows) new QTreeWidgetItem(item, {what, key});
    };
    here(tr("In the message box"), {{tr("Send"), tr("Enter")},
                                    {tr("A new line"), tr("Shift+Enter")},
                                    {tr("Edit the last message, when the box is empty"), tr("Up")},
                                    {tr("Give up editing"), tr("Esc")}});
    here(tr("On a message"), {{tr("What can be done with it"), tr("Enter or Space")}, {tr("Copy it"), tr("Ctrl+C")}});
    here(tr("In the list of conversations"), {{tr("From the search box into the list"), tr("Down")},
                                              {tr("Open the first that was found"), tr("Enter")},
                                              {tr("Open what is chosen"), tr("Enter")},
                                              {tr("Rename"), tr("F2")},
                                              {tr("Remove the chat or the branch; it can be brought back"), tr("Delete", "key")}});
    here(tr("On a picture"), {{tr("Go through its cells"), tr("Arrow keys")}, {tr("Choose the cell"), tr("Enter")}});
    list_->expandAll();
    list_->header()->setStretchLastSection(false);
    for (int column : {0, 1}) list_->resizeColumnToContents(column);
    const int wide = list_->columnWidth(0) + list_->columnWidth(1) + style()->pixelMetric(QStyle::PM_ScrollBarExtent) + 60;
    list_->header()->setSectionResizeMode(0, QHeaderView::Stretch);  // what is too long for a narrow window ends in dots
    list_->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    connect(search_, &QLineEdit::textChanged, this, &Keys::search);
    resize(std::max(560, wide), 560);
}

void Keys::search(const QString& text) {
    for (int g = 0; g < list_->topLevelItemCount(); ++g) {
        QTreeWidgetItem* group = list_->topLevelItem(g);
        bool any = false;
        for (int i = 0; i < group->childCount(); ++i) {
            QTreeWidgetItem* row = group->child(i);
            const bool fits = row->text(0).contains(text, Qt::CaseInsensitive) || row->text(1).contains(text, Qt::CaseInsensitive);
            row->setHidden(!fits);
            any = any || fits;
        }
        group->setHidden(!any);
    }
}

}  // namespace klp::gui
