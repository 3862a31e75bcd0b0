// What a GPU is doing, from the driver's management library (NVML), which is looked for when the program runs: nothing is linked.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace klp {

class Nvml {
public:
    // `pci` as cudaDeviceGetPCIBusId spells it. Where the library or the device is not found every reading is unknown.
    explicit Nvml(const std::string& pci, const char* library = "libnvidia-ml.so.1");
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;
    ~Nvml();
    DeviceLoad read() const;  // any thread

private:
    void* library_ = nullptr;
    void* device_ = nullptr;
};

}  // namespace klp
