// Rows of text and numbers, shown as a table and written as CSV.
#pragma once

#include <QAbstractTableModel>
#include <vector>

class QTableView;

namespace klp::gui {

struct TableData {
    QStringList columns;                      // in English, as files have them; cells that are words of ours are QByteArray, in English too
    std::vector<std::vector<QVariant>> rows;  // numbers stay numbers
};

// Shows TableData; columns of numbers align right and sort as numbers.
class TableDataModel : public QAbstractTableModel {
public:
    using QAbstractTableModel::QAbstractTableModel;
    void set(TableData data);
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    TableData data_;
};

// A number of a table as people read it: "0.0123", "1,424,960", "n/a" where there is none.
QString cell_text(double value);
// Columns as wide as what they hold and their headings, of a long text at most half of the view; the last one takes what is left.
void fit_columns(QTableView& view);
QByteArray to_csv(const TableData& data);

}  // namespace klp::gui
