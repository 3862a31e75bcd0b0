#include "core/system.h"

#include <cstdlib>
#include <fstream>
#include <string>

namespace klp {

namespace {

int64_t kibibytes(const std::string& line) { return std::atoll(line.c_str() + line.find(':') + 1) * 1024; }  // "Name:   12 kB"

}  // namespace

SystemMemory system_memory() {
    SystemMemory m;
    std::ifstream file("/proc/meminfo");
    for (std::string line; m.files < 0 && std::getline(file, line);) {
        if (line.starts_with("MemTotal:")) m.total = kibibytes(line);
        if (line.starts_with("MemAvailable:")) m.available = kibibytes(line);
        if (line.starts_with("Cached:")) m.files = kibibytes(line);
    }
    return m;
}

ProcessMemory process_memory() {
    ProcessMemory m;
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("RssAnon:") || line.starts_with("RssShmem:")) m.own += kibibytes(line);
        if (line.starts_with("RssFile:")) m.mapped = kibibytes(line);
    }
    return m;
}

}  // namespace klp
