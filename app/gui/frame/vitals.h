// The numbers that are always in sight, in the status bar: speed, context, bytes of this model and its twin, the process, what telemetry costs.
#pragma once

#include <QWidget>

#include "app/gui/session/machine_load.h"

class QProgressBar;

namespace klp::gui {

class Figure;

class Vitals : public QWidget {
    Q_OBJECT
public:
    explicit Vitals(Session& session, QWidget* parent = nullptr);
    const MachineLoad& load() const { return *machine_; }
    QSize minimumSizeHint() const override { return {0, QWidget::minimumSizeHint().height()}; }

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void refresh();
    void refresh_load();
    void fit();  // what matters most stays where there is little room
    Session& session_;
    Figure *speed_, *context_, *state_, *cache_, *baseline_, *process_, *load_, *telemetry_;
    QProgressBar* fullness_;
    QTimer timer_;
    MachineLoad* machine_;
};

}  // namespace klp::gui
