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
    int64_t files = -1;      // holds pages of files (the page cache), most of it available too
};
SystemMemory system_memory();

// Of this program, in bytes; 0 where the system does not say.
struct ProcessMemory {
    int64_t own = 0;     // taken for itself
    int64_t mapped = 0;  // of files that it reads where they lie: the system takes these pages back when others need them
};
ProcessMemory process_memory();

}  // namespace klp
