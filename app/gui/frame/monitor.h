// Everything small at once, to be left running and read from across a room: speed, surprise, balance, norms, memory, and what the machine does.
#pragma once

#include <QWidget>

#include "app/gui/panels/expert_load.h"
#include "app/gui/session/machine_load.h"

class QGridLayout;

namespace klp::gui {

class MonitorTile;

class Monitor : public QWidget {
    Q_OBJECT
public:
    Monitor(Session& session, const MachineLoad& load, QWidget* parent = nullptr);
    static constexpr int64_t kTokens = 240;  // the newest ones, that the pictures are of
    QSize minimumSizeHint() const override { return {240, 160}; }

protected:
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void arrange();
    void refresh_model();  // what tokens tell
    void refresh_machine();
    MonitorTile* tile(const char* id, const QString& name);
    Session& session_;
    const MachineLoad& load_;
    QGridLayout* grid_;
    std::vector<MonitorTile*> tiles_;
    MonitorTile *speed_, *time_, *entropy_, *experts_, *norm_, *update_, *memory_, *cpu_, *ram_, *gpu_, *server_;
    ExpertLoad balance_;
    int columns_ = 0;
};

}  // namespace klp::gui
