#include "kernels/cuda/devices.h"

#include <cuda_runtime.h>

namespace klp {

CudaDevices cuda_devices() {
    CudaDevices found;
    const cudaError_t status = cudaGetDeviceCount(&found.count);
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0) return {0, "no NVIDIA driver is installed"};
    if (status != cudaSuccess) return {0, cudaGetErrorString(status)};
    for (int i = 0; i < found.count; ++i) {
        cudaDeviceProp device{};
        if (cudaGetDeviceProperties(&device, i) != cudaSuccess) continue;
        if (!found.text.empty()) found.text += "; ";
        found.text += std::string(device.name) + ", " + std::to_string(device.totalGlobalMem >> 30) + " GiB, compute " + std::to_string(device.major) + "." +
                      std::to_string(device.minor) + ", driver " + std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10);
    }
    return found;
}

}  // namespace klp
