#include "kernels/cuda/cuda_backend.h"

namespace klp::cuda {

void CudaBackend::mla(const Mla&) { throw DeviceError("mla is not written for CUDA yet"); }

}  // namespace klp::cuda
