// What leaves the device while its stream goes on: a second stream copies it, and each copy on its way has pinned memory of its own, which the next one takes
// over.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace klp::cuda {

class Downloads {
public:
    Downloads();
    Downloads(const Downloads&) = delete;
    ~Downloads();

    // Copies the parts when what `stream` was given so far has run. The owner, this object's, stays until the download is gone.
    std::unique_ptr<Download> begin(cudaStream_t stream, std::span<const std::span<const std::byte>> parts, std::shared_ptr<Backend> owner);

private:
    struct Room {
        std::byte* host = nullptr;  // pinned
        size_t size = 0;
        cudaEvent_t made = nullptr, here = nullptr;  // what is copied, and the copy
        ~Room();
    };
    class Copy;
    std::unique_ptr<Room> room(size_t bytes);

    cudaStream_t stream_ = nullptr;
    std::vector<std::unique_ptr<Room>> free_;
};

}  // namespace klp::cuda
