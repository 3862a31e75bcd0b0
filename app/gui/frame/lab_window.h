// The lab: mixers learn a made task side by side, their curves grow live, and what one has become opens in the window. Closing it ends the learning.
#pragma once

#include <QDialog>
#include <QTimer>

#include "app/gui/frame/lab_worker.h"
#include "app/gui/panels/table_data.h"

class QComboBox;
class QLabel;
class QPushButton;
class QSpinBox;
class QTableView;

namespace klp::gui {

class LabForm;
class LineChart;

class LabWindow : public QDialog {
    Q_OBJECT
public:
    explicit LabWindow(QWidget* parent = nullptr);
    ~LabWindow() override;
    QString lay_beside(const QString& file);  // a result of klp lab, as dashed curves; "": it is there, else why not
    TableData table() const;                  // what is known of each learner now

signals:
    void open_asked(const QString& folder, const QString& question);  // a model, and what it can be asked

protected:
    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    void start();
    void look();  // at the worker, where there is something new
    void show_state();
    void draw();
    void draw_curves(LineChart* chart, bool loss);
    void draw_half_lives();
    void open_learner();
    void save_numbers();
    int chosen() const;  // the learner of the row that is selected; -1: none
    QString said() const;
    bool by_seconds() const;
    double at(const LabLook& look) const { return by_seconds() ? look.seconds : static_cast<double>(look.step); }
    double last_x() const;
    QString x_title() const;
    QWidget* make_buttons();
    QWidget* make_pictures();

    LabForm* form_;
    QPushButton *start_, *pause_, *more_, *open_, *save_, *beside_;
    QSpinBox* more_steps_;
    QComboBox* axis_;
    QLabel *say_, *beside_say_;
    LineChart *accuracy_, *loss_, *half_lives_;
    QTableView* rows_;
    TableDataModel* model_;
    QTimer timer_;
    std::unique_ptr<LabWorker> worker_;
    LabSpec spec_;
    LabWorker::Seen seen_;
    LabRecord recorded_;
    QString told_;  // that stands until something else is to be said
    bool opening_ = false;
};

}  // namespace klp::gui
