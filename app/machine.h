// This machine, as people ask about it: what computes, how much memory there is, and which models fit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/files/config.h"
#include "core/system.h"

namespace klp {

struct Machine {
    std::string cpu;  // the name it gives itself
    int cores = 0;
    std::string instructions;  // "amx"
    SystemMemory memory;
    std::string gpu;  // why it is not used: what CUDA sees, or why it sees nothing; "" where it is used
};
Machine this_machine();

// What a shape needs: weights of this type and one conversation of `context` tokens.
struct Needs {
    std::string type;  // "bf16"
    int64_t weights = 0, sequence = 0;
    int64_t total() const { return weights + sequence; }
};
Needs needs_of(const ModelConfig& config, const std::string& type, int64_t context);

// What to expect of weights that are read where they lie and are larger than the machine's memory; "" of others. `active`: bytes that a token reads.
std::string runs_from_disk(const std::string& name, int64_t bytes, int64_t active, const SystemMemory& memory);

}  // namespace klp
