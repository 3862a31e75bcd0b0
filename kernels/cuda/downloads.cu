#include "kernels/cuda/downloads.h"

#include <algorithm>

#include "kernels/cuda/stream.h"

namespace klp::cuda {

class Downloads::Copy final : public Download {
public:
    Copy(Downloads& from, std::unique_ptr<Room> room, size_t bytes, std::shared_ptr<Backend> owner)
        : owner_(std::move(owner)), from_(from), room_(std::move(room)), bytes_(bytes) {}
    ~Copy() override {
        cudaEventSynchronize(room_->here);  // the memory is another copy's then
        from_.free_.push_back(std::move(room_));
    }
    std::span<const std::byte> wait() override {
        check(cudaEventSynchronize(room_->here), "a pass");
        return {room_->host, bytes_};
    }

private:
    const std::shared_ptr<Backend> owner_;
    Downloads& from_;
    std::unique_ptr<Room> room_;
    const size_t bytes_;
};

Downloads::Room::~Room() {
    cudaFreeHost(host);
    for (cudaEvent_t e : {made, here})
        if (e) cudaEventDestroy(e);
}

Downloads::Downloads() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }

Downloads::~Downloads() {
    free_.clear();
    cudaStreamDestroy(stream_);
}

std::unique_ptr<Downloads::Room> Downloads::room(size_t bytes) {
    auto found = std::find_if(free_.begin(), free_.end(), [&](const auto& room) { return room->size >= bytes; });
    if (found != free_.end()) {
        auto room = std::move(*found);
        free_.erase(found);
        return room;
    }
    if (!free_.empty()) free_.pop_back();  // a larger one takes its place
    auto room = std::make_unique<Room>();
    size_t size = 64 << 10;
    while (size < bytes) size *= 2;
    check(cudaHostAlloc(reinterpret_cast<void**>(&room->host), size, cudaHostAllocDefault), "allocating pinned memory");
    room->size = size;
    for (cudaEvent_t* e : {&room->made, &room->here}) check(cudaEventCreateWithFlags(e, cudaEventDisableTiming), "cudaEventCreate");
    return room;
}

std::unique_ptr<Download> Downloads::begin(cudaStream_t stream, std::span<const std::span<const std::byte>> parts, std::shared_ptr<Backend> owner) {
    size_t bytes = 0;
    for (const auto& part : parts) bytes += part.size();
    auto taken = room(bytes);
    check(cudaEventRecord(taken->made, stream), "cudaEventRecord");
    check(cudaStreamWaitEvent(stream_, taken->made, 0), "cudaStreamWaitEvent");
    std::byte* to = taken->host;
    for (const auto& part : parts) {
        if (!part.empty()) check(cudaMemcpyAsync(to, part.data(), part.size(), cudaMemcpyDeviceToHost, stream_), "a download");
        to += part.size();
    }
    check(cudaEventRecord(taken->here, stream_), "cudaEventRecord");
    return std::make_unique<Copy>(*this, std::move(taken), bytes, std::move(owner));
}

}  // namespace klp::cuda
