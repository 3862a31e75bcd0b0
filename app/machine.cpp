#include "app/machine.h"

#include <thread>

#include "app/format.h"

#include "kernels/cpu/isa.h"

namespace klp {

Machine this_machine() {
    Machine m;
    m.cpu = processor();
    m.cores = static_cast<int>(std::thread::hardware_concurrency());
    m.instructions = name(best_isa());
    m.memory = system_memory();
    m.gpu = why_no_gpu();
    return m;
}

Needs needs_of(const ModelConfig& config, const std::string& type, int64_t context) {
    Needs needs{.type = type, .sequence = sequence_bytes(config, context).total()};
    const DTypeInfo* row = find_dtype(type);
    if (row) needs.weights = count_parameters(config).total * row->bytes / row->block;
    return needs;
}

std::string runs_from_disk(const std::string& name, int64_t bytes, int64_t active, const SystemMemory& memory) {
    if (memory.total <= 0 || bytes <= memory.total) return "";
    constexpr double kDisk = 2e9;  // bytes a second, of a good one
    const double missing = double(active) * (1 - double(memory.total) / double(bytes));
    return name + " has " + bytes_text(bytes) + " of weights and this machine " + bytes_text(memory.total) +
           " of memory: experts are read from the disk as they are chosen, about " + bytes_text(static_cast<int64_t>(missing)) +
           " for each token, which takes " + duration_text(missing / kDisk * 1e9) +
           " where a disk reads 2 GB/s; a type that fits (klp quantize) is many times as fast";
}

}  // namespace klp
