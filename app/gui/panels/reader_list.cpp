#include "app/gui/panels/reader_list.h"

#include <QHeaderView>
#include <QPainter>
#include <QStandardItemModel>
#include <QStyledItemDelegate>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr int kShareRole = Qt::UserRole + 1, kMostRole = Qt::UserRole + 2, kCacheRole = Qt::UserRole + 3, kChosenRole = Qt::UserRole + 4;

// A bar from the left, hollow where a share is below 0, and the share in figures behind it.
class ShareBar final : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* p, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const Theme& t = theme_of(option.palette);
        const double value = index.data(kShareRole).toDouble(), most = std::max(1e-9, index.data(kMostRole).toDouble());
        const QColor colour = index.data(kCacheRole).toBool() ? t.twin : t.hybrid;
        const int figures = option.fontMetrics.horizontalAdvance("−000.0 %") + 8;
        const QRect r = option.rect.adjusted(6, 4, -6, -4);
        if (index.data(kChosenRole).toBool()) p->fillRect(option.rect, t.raised);
        const double wide = std::max(1.0, (r.width() - figures) * std::abs(value) / most);
        const QRectF bar(r.left(), r.top(), wide, r.height());
        if (value < 0) {
            p->setPen(QPen(colour, 1));
            p->setBrush(Qt::NoBrush);
            p->drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5));
        } else {
            p->fillRect(bar, colour);
        }
        p->setPen(t.text);
        p->drawText(option.rect.adjusted(0, 0, -6, 0), Qt::AlignRight | Qt::AlignVCenter, index.data().toString());
    }
};

}  // namespace

ReaderList::ReaderList(Session& session, QWidget* parent) : QTableView(parent), session_(session), rows_(new QStandardItemModel(this)) {
    setModel(rows_);
    setAccessibleName(tr("Who reads it"));
    setSelectionMode(NoSelection);
    setSelectionBehavior(SelectRows);
    setEditTriggers(NoEditTriggers);
    setShowGrid(false);
    setWordWrap(false);
    setTabKeyNavigation(false);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    verticalHeader()->hide();
    verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 6);
    horizontalHeader()->setHighlightSections(false);
    setItemDelegateForColumn(1, new ShareBar(this));
    const auto choose = [this](const QModelIndex& index) {
        const HeadShare& one = shown_[static_cast<size_t>(index.row())];
        session_.selection().set_head(one.layer, one.head);
    };
    connect(this, &QTableView::clicked, this, choose);
    connect(this, &QTableView::activated, this, choose);
    connect(&session.selection(), &Selection::changed, this, &ReaderList::mark);
}

void ReaderList::show_readers(const Readers& readers) {
    shown_ = readers.heads;
    rows_->clear();
    rows_->setHorizontalHeaderLabels({tr("Head"), tr("Share of what it reads"), tr("Weight")});
    const double most = shown_.empty() ? 0 : std::abs(double{shown_[0].share});
    for (const HeadShare& one : shown_) {
        auto* head = new QStandardItem((one.cache ? tr("cache %1.%2") : tr("state %1.%2")).arg(one.layer).arg(one.head));
        auto* share = new QStandardItem(local(percent_text(double{one.share})));
        auto* weight = new QStandardItem(local(fixed(double{one.weight}, 3)));
        head->setToolTip(tr("Choose this head, in all lenses"));
        share->setData(double{one.share}, kShareRole), share->setData(most, kMostRole), share->setData(one.cache, kCacheRole);
        weight->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
        rows_->appendRow({head, share, weight});
    }
    for (int c : {0, 2}) {
        int wide = fontMetrics().horizontalAdvance(rows_->headerData(c, Qt::Horizontal).toString());
        for (int r = 0; r < rows_->rowCount(); ++r) wide = std::max(wide, fontMetrics().horizontalAdvance(rows_->item(r, c)->text()));
        setColumnWidth(c, wide + 18);
    }
    resizeEvent(nullptr);
    mark();
}

void ReaderList::resizeEvent(QResizeEvent* event) {
    if (event) QTableView::resizeEvent(event);
    if (rows_->columnCount() == 3) setColumnWidth(1, std::max(80, viewport()->width() - columnWidth(0) - columnWidth(2)));
}

void ReaderList::changeEvent(QEvent* event) {
    QTableView::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) mark();
    if (event->type() == QEvent::FontChange) verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 6);
}

void ReaderList::mark() {
    const Selection& now = session_.selection();
    for (int r = 0; r < rows_->rowCount(); ++r) {
        const HeadShare& one = shown_[static_cast<size_t>(r)];
        const bool chosen = Head{one.layer, one.head} == (one.cache ? now.cache() : now.state());
        for (int c = 0; c < 3; ++c) {
            rows_->item(r, c)->setData(chosen, kChosenRole);
            rows_->item(r, c)->setBackground(chosen ? QBrush(theme_of(palette()).raised) : QBrush());
        }
    }
}

TableData ReaderList::table(const Readers& readers) {
    TableData data{{"layer", "head", "memory", "read (share)", "read (weight)"}, {}};
    for (const HeadShare& one : readers.heads)
        data.rows.push_back({one.layer, one.head, QByteArray(one.cache ? "cache" : "state"), double{one.share}, double{one.weight}});
    return data;
}

}  // namespace klp::gui
