#include "app/gui/panels/table_data.h"

#include <QHeaderView>
#include <QTableView>
#include <algorithm>
#include <cmath>

#include "app/format.h"

namespace klp::gui {

void TableDataModel::set(TableData data) {
    if (data.columns == data_.columns && data.rows.size() == data_.rows.size()) {
        data_ = std::move(data);
        if (!data_.rows.empty()) emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
        return;
    }
    beginResetModel();
    data_ = std::move(data);
    endResetModel();
}
int TableDataModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(data_.rows.size()); }
int TableDataModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(data_.columns.size()); }
QVariant TableDataModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const auto& row = data_.rows[static_cast<size_t>(index.row())];
    if (static_cast<size_t>(index.column()) >= row.size()) return {};
    const QVariant& value = row[static_cast<size_t>(index.column())];
    const bool real = value.typeId() == QMetaType::Double || value.typeId() == QMetaType::Float;
    if (role == Qt::EditRole) return value;
    if (role == Qt::DisplayRole) return real ? QVariant(cell_text(value.toDouble())) : value;
    if (role == Qt::ToolTipRole && value.typeId() == QMetaType::QString) return value;
    if (role == Qt::TextAlignmentRole)
        return QVariant(value.typeId() == QMetaType::QString ? Qt::AlignLeft | Qt::AlignVCenter : Qt::AlignRight | Qt::AlignVCenter);
    return {};
}
QVariant TableDataModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || (role != Qt::DisplayRole && role != Qt::ToolTipRole) || section >= data_.columns.size()) return {};
    return data_.columns[section];
}

QString cell_text(double value) {
    if (std::isnan(value)) return QStringLiteral("n/a");
    if (std::isinf(value)) return value > 0 ? QStringLiteral("∞") : QStringLiteral("−∞");
    if (std::abs(value) >= 100'000 && std::abs(value) < 1e18) return QString::fromStdString(grouped(std::llround(value)));
    return QString::number(value, 'g', 6);
}

void fit_columns(QTableView& view) {
    constexpr int kPad = 12, kLooked = 200;  // pixels; rows
    const QAbstractItemModel* model = view.model();
    QHeaderView* head = view.horizontalHeader();
    head->setSectionResizeMode(QHeaderView::Interactive);
    head->setStretchLastSection(true);
    head->setMinimumSectionSize(view.fontMetrics().horizontalAdvance("0000"));
    for (int c = 0; model && c < model->columnCount(); ++c) {
        int wide = head->sectionSizeHint(c);
        for (int r = 0; r < std::min(model->rowCount(), kLooked); ++r)
            wide = std::max(wide, view.fontMetrics().horizontalAdvance(model->index(r, c).data().toString()) + kPad);
        head->resizeSection(c, std::min(wide, std::max(120, view.viewport()->width() / 2)));
    }
}

QByteArray to_csv(const TableData& data) {
    QByteArray out;
    const auto line = [&](const auto& cells) {
        bool first = true;
        for (const auto& cell : cells) {
            if (!first) out += ',';
            first = false;
            QString text = QVariant(cell).toString();  // whatever the language: 0.25, nan, inf
            if (text.contains(QRegularExpression("[\",\r\n]"))) text = '"' + text.replace('"', "\"\"") + '"';
            out += text.toUtf8();
        }
        out += "\r\n";
    };
    line(data.columns);
    for (const auto& row : data.rows) line(row);
    return out;
}

}  // namespace klp::gui
