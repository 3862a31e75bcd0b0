// Choosing a device, and saying why it became this one.
#include "kernels/backend.h"

#include "kernels/cpu/cpu_backend.h"
#include "kernels/naive.h"
#if KLP_CUDA
#include "kernels/cuda/devices.h"
#endif

namespace klp {

// There are no CUDA kernels yet: a device that is there is named, and not used.
std::string why_no_gpu() {
#if KLP_CUDA
    const CudaDevices found = cuda_devices();
    return found.count > 0 ? found.text + " is here, but this version computes on the CPU only" : "no CUDA device: " + found.text;
#else
    return "built without CUDA";
#endif
}

Result<std::shared_ptr<Backend>> make_backend(const std::string& device, int threads) {
    if (threads < 0) return fail(Error::usage, "threads: " + std::to_string(threads) + " is not a number of threads");
    if (device == "cpu") return std::make_shared<CpuBackend>(threads, best_isa(), "");
    if (device == "auto") return std::make_shared<CpuBackend>(threads, best_isa(), why_no_gpu());
    if (device == "naive") return make_naive_backend();
    if (device == "cuda" || device.starts_with("cuda:")) return fail(Error::device, "device " + device + ": " + why_no_gpu());
    return fail(Error::usage, "device " + device + ": there are auto, cpu, cuda, cuda:N and naive");
}

}  // namespace klp
