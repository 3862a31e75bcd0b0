#include "kernels/cuda/cuda_backend.h"

namespace klp::cuda {

void CudaBackend::kda(const Kda&) { throw DeviceError("kda is not written for CUDA yet"); }

}  // namespace klp::cuda
