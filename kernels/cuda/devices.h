// The GPUs of this machine, without CUDA's headers.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace klp {

struct CudaDevices {
    int count = 0;
    std::string text;  // "NVIDIA H200, 139 GiB, compute 9.0, driver 13.0", or why there is none
};
CudaDevices cuda_devices();

namespace cuda {
std::shared_ptr<Backend> make_backend(int device, std::string why);  // `why` this one; throws DeviceError
}

}  // namespace klp
