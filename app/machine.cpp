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

Result<void> check_fits(const std::string& name, int64_t bytes, const SystemMemory& memory) {
    if (memory.total <= 0 || bytes <= memory.total) return {};
    return fail(Error::device, name + " needs " + bytes_text(bytes) + " of memory for its weights, and this machine has " + bytes_text(memory.total) +
                                   ", of which " + bytes_text(memory.available) + " are free");
}

}  // namespace klp
