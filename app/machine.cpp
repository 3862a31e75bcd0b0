#include "app/machine.h"

#include <fstream>
#include <thread>

#include "app/format.h"

#include "kernels/cpu/isa.h"

namespace klp {

namespace {

// The value of the first line "key : value" of a file such as /proc/cpuinfo.
std::string proc_value(const char* path, std::string_view key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) continue;
        const size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        const size_t first = line.find_first_not_of(" \t", colon + 1);
        return first == std::string::npos ? "" : line.substr(first);
    }
    return "";
}
int64_t meminfo_bytes(std::string_view key) { return std::atoll(proc_value("/proc/meminfo", key).c_str()) * 1024; }

}  // namespace

Machine this_machine() {
    Machine m;
    m.cpu = proc_value("/proc/cpuinfo", "model name");
    if (m.cpu.empty()) m.cpu = "unknown";
    m.cores = static_cast<int>(std::thread::hardware_concurrency());
    m.instructions = name(best_isa());
    m.memory = meminfo_bytes("MemTotal"), m.available = meminfo_bytes("MemAvailable");
    m.gpu = why_no_gpu();
    return m;
}

Needs needs_of(const ModelConfig& config, const std::string& type, int64_t context) {
    Needs needs{.type = type, .sequence = sequence_bytes(config, context).total()};
    const DTypeInfo* row = find_dtype(type);
    if (row) needs.weights = count_parameters(config).total * row->bytes / row->block;
    return needs;
}

Result<void> check_fits(const std::string& name, int64_t bytes, const Machine& machine) {
    if (machine.memory <= 0 || bytes <= machine.memory) return {};
    return fail(Error::device, name + " needs " + bytes_text(bytes) + " of memory for its weights, and this machine has " + bytes_text(machine.memory) + ", of which " +
                                   bytes_text(machine.available) + " are free");
}

}  // namespace klp
