#include "app/gui/session/machine_load.h"

#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

namespace klp::gui {

namespace {

int64_t own_ticks() {  // of this process, all threads
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    const size_t after = line.rfind(')');
    if (after == std::string::npos) return 0;
    std::istringstream rest(line.substr(after + 1));
    std::string skip;
    for (int i = 0; i < 11; ++i) rest >> skip;
    int64_t user = 0, system = 0;
    rest >> user >> system;
    return user + system;
}

}  // namespace

std::optional<CpuTicks> cpu_ticks(std::string_view stat) {
    std::istringstream in{std::string(stat.substr(0, stat.find('\n')))};
    std::string name;
    in >> name;
    if (name != "cpu") return {};
    CpuTicks ticks;
    int64_t n = 0;
    for (int i = 0; i < 8 && in >> n; ++i) {  // user nice system idle iowait irq softirq steal; what follows is in these already
        ticks.all += n;
        if (i != 3 && i != 4) ticks.busy += n;
    }
    if (ticks.all == 0) return {};
    return ticks;
}

MachineLoad::MachineLoad(Session& session, QObject* parent) : QObject(parent), session_(session) {
    connect(&timer_, &QTimer::timeout, this, &MachineLoad::sample);
    timer_.start(1000);
    sample();
}

void MachineLoad::sample() {
    LoadSample s;
    s.memory = process_memory(), s.system = system_memory();
    const int64_t at = now_ns(), own = own_ticks();
    std::string stat;
    std::getline(std::ifstream("/proc/stat"), stat);
    const auto machine = cpu_ticks(stat);
    if (at_ns_ > 0) {
        const double ticks = double(at - at_ns_) / 1e9 * double(sysconf(_SC_CLK_TCK)) * std::max(1u, std::thread::hardware_concurrency());
        s.own = std::clamp(double(own - own_ticks_) / ticks, 0.0, 1.0);
        if (machine && machine->all > machine_.all) s.machine = double(machine->busy - machine_.busy) / double(machine->all - machine_.all);
    }
    own_ticks_ = own, at_ns_ = at;
    if (machine) machine_ = *machine;
    if (const RunCard* card = session_.card(); card && card->load) s.gpu = card->load();
    if (const ServedCard* served = served_card(session_.card())) {
        const std::lock_guard lock(served->status->mutex);
        s.server = served->status->load;
    }
    history_.push_back(std::move(s));
    if (history_.size() > kKept) history_.pop_front();
    emit sampled();
}

}  // namespace klp::gui
