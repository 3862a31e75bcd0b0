#include "core/system.h"

#include <cstdlib>
#include <fstream>
#include <string>

namespace klp {

SystemMemory system_memory() {
    SystemMemory m;
    std::ifstream file("/proc/meminfo");
    const auto kibibytes = [](const std::string& line) { return std::atoll(line.c_str() + line.find(':') + 1) * 1024; };
    for (std::string line; m.available < 0 && std::getline(file, line);) {
        if (line.starts_with("MemTotal:")) m.total = kibibytes(line);
        if (line.starts_with("MemAvailable:")) m.available = kibibytes(line);
    }
    return m;
}

}  // namespace klp
