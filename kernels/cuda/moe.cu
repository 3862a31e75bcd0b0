#include "kernels/cuda/cuda_backend.h"

namespace klp::cuda {

void CudaBackend::moe(const Moe&) { throw DeviceError("moe is not written for CUDA yet"); }

}  // namespace klp::cuda
