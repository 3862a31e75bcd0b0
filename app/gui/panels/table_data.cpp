#include "app/gui/panels/table_data.h"

#include <QHeaderView>
#include <QTableView>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

// What the headings of all lenses are made of: "name" or "name (unit)". Files have them in English.
[[maybe_unused]] constexpr const char* kHeadings[] = {
    QT_TRANSLATE_NOOP("klp", "rule"),
    QT_TRANSLATE_NOOP("klp", "norm"),
    QT_TRANSLATE_NOOP("klp", "feed-forward"),
    QT_TRANSLATE_NOOP("klp", "bytes a token reads"),
    QT_TRANSLATE_NOOP("klp", "bytes a token"),
    QT_TRANSLATE_NOOP("klp", "position"),
    QT_TRANSLATE_NOOP("klp", "token"),
    QT_TRANSLATE_NOOP("klp", "cache weight"),
    QT_TRANSLATE_NOOP("klp", "share"),
    QT_TRANSLATE_NOOP("klp", "state weight"),
    QT_TRANSLATE_NOOP("klp", "state weight, decay only"),
    QT_TRANSLATE_NOOP("klp", "share of a value"),
    QT_TRANSLATE_NOOP("klp", "memory"),
    QT_TRANSLATE_NOOP("klp", "decay alone"),
    QT_TRANSLATE_NOOP("klp", "decay and overwriting"),
    QT_TRANSLATE_NOOP("klp", "read"),
    QT_TRANSLATE_NOOP("klp", "weight"),
    QT_TRANSLATE_NOOP("klp", "cosine"),
    QT_TRANSLATE_NOOP("klp", "length"),
    QT_TRANSLATE_NOOP("klp", "share of what was written"),
    QT_TRANSLATE_NOOP("klp", "would hear"),
    QT_TRANSLATE_NOOP("klp", "share of the change"),
    QT_TRANSLATE_NOOP("klp", "heard"),
    QT_TRANSLATE_NOOP("klp", "layer"),
    QT_TRANSLATE_NOOP("klp", "head"),
    QT_TRANSLATE_NOOP("klp", "channel"),
    QT_TRANSLATE_NOOP("klp", "nats a token"),
    QT_TRANSLATE_NOOP("klp", "share left a token"),
    QT_TRANSLATE_NOOP("klp", "half-life"),
    QT_TRANSLATE_NOOP("klp", "tokens"),
    QT_TRANSLATE_NOOP("klp", "half-life over what was fed"),
    QT_TRANSLATE_NOOP("klp", "expert"),
    QT_TRANSLATE_NOOP("klp", "picks"),
    QT_TRANSLATE_NOOP("klp", "load"),
    QT_TRANSLATE_NOOP("klp", "times an even share"),
    QT_TRANSLATE_NOOP("klp", "weight for the selected token"),
    QT_TRANSLATE_NOOP("klp", "layer: busiest / mean"),
    QT_TRANSLATE_NOOP("klp", "ratio"),
    QT_TRANSLATE_NOOP("klp", "layer: standard deviation / mean"),
    QT_TRANSLATE_NOOP("klp", "rank"),
    QT_TRANSLATE_NOOP("klp", "id"),
    QT_TRANSLATE_NOOP("klp", "probability"),
    QT_TRANSLATE_NOOP("klp", "chosen"),
    QT_TRANSLATE_NOOP("klp", "entropy"),
    QT_TRANSLATE_NOOP("klp", "nats"),
    QT_TRANSLATE_NOOP("klp", "what"),
    QT_TRANSLATE_NOOP("klp", "state"),
    QT_TRANSLATE_NOOP("klp", "bytes"),
    QT_TRANSLATE_NOOP("klp", "convolution tails"),
    QT_TRANSLATE_NOOP("klp", "this model"),
    QT_TRANSLATE_NOOP("klp", "same-shapes twin"),
    QT_TRANSLATE_NOOP("klp", "bytes, computed"),
    QT_TRANSLATE_NOOP("klp", "multi-head attention"),
    QT_TRANSLATE_NOOP("klp", "mixer"),
    QT_TRANSLATE_NOOP("klp", "tails"),
    QT_TRANSLATE_NOOP("klp", "cache"),
    QT_TRANSLATE_NOOP("klp", "as MLA"),
    QT_TRANSLATE_NOOP("klp", "as attention"),
    QT_TRANSLATE_NOOP("klp", "multi-head"),
    QT_TRANSLATE_NOOP("klp", "context"),
    QT_TRANSLATE_NOOP("klp", "ns a token, median"),
    QT_TRANSLATE_NOOP("klp", "ns a token, fastest"),
    QT_TRANSLATE_NOOP("klp", "ns a token, slowest"),
    QT_TRANSLATE_NOOP("klp", "tokens/s"),
    QT_TRANSLATE_NOOP("klp", "twin's time / this model's"),
    QT_TRANSLATE_NOOP("klp", "value"),
    QT_TRANSLATE_NOOP("klp", "key"),
    QT_TRANSLATE_NOOP("klp", "no unit"),
    QT_TRANSLATE_NOOP("klp", "time"),
    QT_TRANSLATE_NOOP("klp", "ISO 8601, local"),
    QT_TRANSLATE_NOOP("klp", "level"),
    QT_TRANSLATE_NOOP("klp", "answers right"),
    QT_TRANSLATE_NOOP("klp", "loss"),
    QT_TRANSLATE_NOOP("klp", "steps"),
    QT_TRANSLATE_NOOP("klp", "90 % from step"),
    QT_TRANSLATE_NOOP("klp", "rate"),
    QT_TRANSLATE_NOOP("klp", "weights"),
    QT_TRANSLATE_NOOP("klp", "median, tokens"),
    QT_TRANSLATE_NOOP("klp", "message"),
};

QString heading(const QString& column) {
    const qsizetype unit = column.indexOf(" (");
    if (unit < 0) return Language::tr(column.toUtf8());
    return Language::tr("%1 (%2)").arg(Language::tr(column.left(unit).toUtf8()), Language::tr(column.mid(unit + 2).chopped(1).toUtf8()));
}

}  // namespace

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
    const bool ours = value.typeId() == QMetaType::QByteArray, text = ours || value.typeId() == QMetaType::QString;
    if (role == Qt::DisplayRole || (role == Qt::ToolTipRole && text))
        return real ? QVariant(cell_text(value.toDouble())) : ours && !value.toByteArray().isEmpty() ? QVariant(Language::tr(value.toByteArray())) : value;
    if (role == Qt::TextAlignmentRole) return QVariant(text ? Qt::AlignLeft | Qt::AlignVCenter : Qt::AlignRight | Qt::AlignVCenter);
    return {};
}
QVariant TableDataModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || (role != Qt::DisplayRole && role != Qt::ToolTipRole) || section >= data_.columns.size()) return {};
    return heading(data_.columns[section]);
}

QString cell_text(double value) {
    if (std::isnan(value)) return Language::tr("n/a");
    if (std::isinf(value)) return value > 0 ? QStringLiteral("∞") : QStringLiteral("−∞");
    if (std::abs(value) >= 100'000 && std::abs(value) < 1e18) return local(grouped(std::llround(value)));
    return local(QString::number(value, 'g', 6).toStdString());
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
