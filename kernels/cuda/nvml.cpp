// The few functions that are called, declared here from NVML's documented C interface: its header is part of a toolkit, its library of a driver.
#include "kernels/cuda/nvml.h"

#include <dlfcn.h>

namespace klp {

namespace {

struct Utilization {
    unsigned gpu, memory;  // percent of the last sampling period
};
struct Memory {
    unsigned long long total, free, used;  // bytes
};
constexpr int kSuccess = 0, kClockSm = 1, kSensorGpu = 0;

template <class F>
F* symbol(void* library, const char* name) {
    return reinterpret_cast<F*>(dlsym(library, name));
}

}  // namespace

Nvml::Nvml(const std::string& pci, const char* library) : library_(dlopen(library, RTLD_NOW | RTLD_LOCAL)) {
    if (!library_) return;
    auto* init = symbol<int()>(library_, "nvmlInit_v2");
    auto* by_pci = symbol<int(const char*, void**)>(library_, "nvmlDeviceGetHandleByPciBusId_v2");
    if (!init || !by_pci || init() != kSuccess || by_pci(pci.c_str(), &device_) != kSuccess) device_ = nullptr;
}

Nvml::~Nvml() {
    if (!library_) return;
    if (auto* shutdown = symbol<int()>(library_, "nvmlShutdown")) shutdown();
    dlclose(library_);
}

DeviceLoad Nvml::read() const {
    DeviceLoad load;
    if (!device_) return load;
    Utilization use{};
    if (auto* f = symbol<int(void*, Utilization*)>(library_, "nvmlDeviceGetUtilizationRates"); f && f(device_, &use) == kSuccess) load.busy = use.gpu / 100.0;
    Memory memory{};
    if (auto* f = symbol<int(void*, Memory*)>(library_, "nvmlDeviceGetMemoryInfo"); f && f(device_, &memory) == kSuccess)
        load.memory_used = static_cast<int64_t>(memory.used), load.memory_total = static_cast<int64_t>(memory.total);
    unsigned value = 0;
    if (auto* f = symbol<int(void*, int, unsigned*)>(library_, "nvmlDeviceGetClockInfo"); f && f(device_, kClockSm, &value) == kSuccess) load.clock_mhz = value;
    if (auto* f = symbol<int(void*, unsigned*)>(library_, "nvmlDeviceGetPowerUsage"); f && f(device_, &value) == kSuccess) load.watts = value / 1000.0;
    if (auto* f = symbol<int(void*, int, unsigned*)>(library_, "nvmlDeviceGetTemperature"); f && f(device_, kSensorGpu, &value) == kSuccess)
        load.celsius = value;
    return load;
}

}  // namespace klp
