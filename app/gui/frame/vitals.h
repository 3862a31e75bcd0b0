// The numbers that are always in sight, in the status bar: speed, context, bytes of this model and its twin, the process, what telemetry costs.
#pragma once

#include <QWidget>

#include "app/gui/session/session.h"

class QProgressBar;

namespace klp::gui {

class Figure;

class Vitals : public QWidget {
    Q_OBJECT
public:
    explicit Vitals(Session& session, QWidget* parent = nullptr);
    QSize minimumSizeHint() const override { return {0, QWidget::minimumSizeHint().height()}; }

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void refresh();
    void fit();  // what matters most stays where there is little room
    Session& session_;
    Figure *speed_, *context_, *state_, *cache_, *baseline_, *process_, *load_, *telemetry_;
    QProgressBar* fullness_;
    QTimer timer_;
    int64_t busy_ticks_ = 0, busy_at_ns_ = 0;
};

}  // namespace klp::gui
