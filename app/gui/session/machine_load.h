// What this program and the machine under it are doing, once a second, and for the last minutes: processors, memory, the GPU where the model is on one, and the
// server where one serves it.
#pragma once

#include <QObject>
#include <QTimer>
#include <deque>
#include <optional>
#include <string_view>

#include "app/gui/session/session.h"
#include "core/runs/served_run.h"

namespace klp::gui {

// Of all processors since the machine was started, from the first line of /proc/stat: ticks, waiting for a disk counts as idle.
struct CpuTicks {
    int64_t busy = 0, all = 0;
};
std::optional<CpuTicks> cpu_ticks(std::string_view stat);

struct LoadSample {
    double own = NAN, machine = NAN;  // processors: 0 .. 1 of all of them
    ProcessMemory memory;
    SystemMemory system;
    std::optional<DeviceLoad> gpu;
    std::optional<ServedLoad> server;  // where one serves the model: as it says itself, of all its requests
};

class MachineLoad : public QObject {
    Q_OBJECT
public:
    static constexpr size_t kKept = 300;  // seconds
    explicit MachineLoad(Session& session, QObject* parent = nullptr);
    const std::deque<LoadSample>& history() const { return history_; }  // the newest last; never empty
    const LoadSample& now() const { return history_.back(); }

signals:
    void sampled();

private:
    void sample();
    Session& session_;
    QTimer timer_;
    std::deque<LoadSample> history_;
    int64_t own_ticks_ = 0, at_ns_ = 0;
    CpuTicks machine_;
};

}  // namespace klp::gui
