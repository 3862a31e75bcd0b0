// A lens: one picture of what the model remembers or does. The base has what all lenses share: the sentence that says what one looks at, freezing, the same
// numbers as a table, exports, and drawing only while visible. A new lens is one file in panels/ and one line in panel.cpp.
#pragma once

#include <QAbstractTableModel>
#include <QWidget>

#include "app/gui/draw/theme.h"
#include "app/gui/session/session.h"

class QLabel;
class QStackedWidget;
class QTableView;
class QToolButton;
class QHBoxLayout;

namespace klp::gui {

struct PanelInfo {
    const char* id;     // "decay": for settings and tests
    const char* title;  // "Decay"
    const char* about;  // one sentence: what am I looking at
    const char* how;    // the formula, units and source, for the tooltip; rich text
};

// Rows of text and numbers that a panel shows as a table and exports as CSV.
struct TableData {
    QStringList columns;
    std::vector<std::vector<QVariant>> rows;  // numbers stay numbers
};

class Panel : public QWidget {
    Q_OBJECT
public:
    Panel(Session& session, const PanelInfo& info, QWidget* parent = nullptr);
    ~Panel() override;
    const PanelInfo& info() const { return info_; }

    // What the engine must capture while this panel is in sight.
    virtual Interest interest() const { return {}; }
    // The numbers behind the picture; asked for when the table is shown or exported.
    virtual TableData table() const = 0;

    bool frozen() const { return frozen_; }
    void set_frozen(bool on);
    // Behind another tab a widget is visible to Qt and not to people.
    bool in_sight() const { return isVisible() && !behind_; }
    void set_behind(bool on);
    void show_table(bool on);
    // Writes what is drawn, twice as large as on the screen. Errors name the file.
    QString export_png(const QString& file);
    QString export_svg(const QString& file);
    QString export_csv(const QString& file) const;

signals:
    void detach_asked();

protected:
    // Draws what there is now. Called while in sight and not frozen (of all lenses in sight one a tick), when the selection or theme changes, and when shown.
    virtual void refresh() = 0;
    // Call when what interest() says has changed.
    void interest_changed();
    void refresh_soon();  // at the next turn of the event loop, however often it is asked

    Session& session;
    const Theme& theme() const { return theme_of(palette()); }
    QWidget* body() const { return body_; }              // lay the picture out in here
    QHBoxLayout* controls() const { return controls_; }  // combo boxes and the like, left of the standard buttons

    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void update_table();
    void export_asked(const QString& kind);
    const PanelInfo info_;
    QWidget* body_ = nullptr;
    QHBoxLayout* controls_ = nullptr;
    QStackedWidget* pages_ = nullptr;
    QTableView* table_ = nullptr;
    QToolButton* freeze_ = nullptr;
    QToolButton* as_table_ = nullptr;
    bool frozen_ = false, behind_ = false, pending_ = false;
};

// Every lens there is, in the order of its tabs.
struct PanelRow {
    PanelInfo info;
    Panel* (*make)(Session& session, const PanelInfo& info);
};
const std::vector<PanelRow>& panels();

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
QByteArray to_csv(const TableData& data);

}  // namespace klp::gui
