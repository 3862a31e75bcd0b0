// What the engine asks the operating system: the time, and how much memory there is.
#pragma once

#include <chrono>
#include <cstdint>

namespace klp {

// A clock that only goes forward, in nanoseconds.
inline int64_t now_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Of the whole machine, in bytes; -1 where the system does not say.
struct SystemMemory {
    int64_t total = -1;
    int64_t available = -1;  // can still be taken without swapping
};
SystemMemory system_memory();

}  // namespace klp
