#include "kernels/cuda/stream.h"

#include <algorithm>

namespace klp::cuda {

void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) throw DeviceError(std::string("the GPU failed in ") + what + ": " + cudaGetErrorString(status));
}

Stream::Stream(int device, bool rehearsal) : device_(device), rehearsal_(rehearsal) {
    check(cudaSetDevice(device), "cudaSetDevice");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    for (cudaEvent_t& event : sent_) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
}

Stream::~Stream() {
    cudaStreamSynchronize(stream_);
    for (Graph& g : graphs_)
        if (g.exec) cudaGraphExecDestroy(g.exec);
    for (cudaEvent_t event : sent_) cudaEventDestroy(event);
    recording_ = false;
    for (const Given& block : given_) {
        for (std::byte* host : block.host) cudaFreeHost(host);
        give_back(block.device);
    }
    cudaStreamDestroy(stream_);
}

void* Stream::take(size_t bytes, const char* what) {
    if (rehearsal_) {
        auto* const at = reinterpret_cast<void*>(next_);
        next_ += (bytes + 511) / 256 * 256;  // nothing has no byte in common with what is behind it
        held_[at] = static_cast<int64_t>(bytes);
        most_ = std::max(most_, holds_ += static_cast<int64_t>(bytes));
        return at;
    }
    void* at = nullptr;
    check(cudaSetDevice(device_), "cudaSetDevice");  // the calling thread may be a new one
    if (const cudaError_t status = cudaMallocAsync(&at, std::max<size_t>(bytes, 1), stream_); status != cudaSuccess) {
        size_t free = 0, total = 0;
        cudaGetLastError();
        cudaMemGetInfo(&free, &total);
        throw DeviceError("out of GPU memory: " + std::to_string(bytes) + " bytes for " + what + ", " + std::to_string(free) + " of " + std::to_string(total) +
                          " are free");
    }
#if KLP_POISON
    cudaMemsetAsync(at, 0xff, bytes, stream_);
#endif
    return at;
}

void Stream::give_back(void* at) noexcept {
    if (recording_)
        retired_.push_back(at);
    else
        release(at);
}

void Stream::release(void* at) noexcept {
    if (!rehearsal_)
        cudaFreeAsync(at, stream_);
    else if (const auto held = held_.find(at); held != held_.end())
        holds_ -= held->second, held_.erase(held);
}

void Stream::run(const Node& node) {
    if (node.kind == Node::kernel) return node.call(node, stream_);
    void* at[2];
    size_t bytes;
    std::memcpy(at, node.data, sizeof at);
    std::memcpy(&bytes, node.data + sizeof at, sizeof bytes);
    if (node.kind == Node::copy)
        check(cudaMemcpyAsync(at[0], at[1], bytes, cudaMemcpyDeviceToDevice, stream_), "a copy");
    else
        check(cudaMemsetAsync(at[0], 0, bytes, stream_), "a memset");
}

void Stream::add(const Node& node) {
    if (rehearsal_) return;
    if (recording_)
        nodes_.push_back(node);
    else
        run(node);
}

void Stream::copy(void* to, const void* from, size_t bytes) {
    if (bytes == 0 || to == from) return;
    Node node{.kind = Node::copy};
    node.put(to), node.put(const_cast<void*>(from)), node.put(bytes);
    add(node);
}

void Stream::zero(void* at, size_t bytes) {
    if (bytes == 0) return;
    Node node{.kind = Node::zero};
    node.put(at), node.put(static_cast<void*>(nullptr)), node.put(bytes);
    add(node);
}

const void* Stream::give_bytes(const void* data, size_t bytes) {
    // Addresses must not move with every page that a sequence grows by, or no pass would equal the one before: room is taken in powers of two.
    size_t room = 256;
    while (room < bytes) room *= 2;
    while (block_ < given_.size() && given_[block_].used + room > given_[block_].bytes) ++block_;
    if (block_ == given_.size()) {  // the first, or a batch of very long sequences
        Given& block = given_.emplace_back();
        for (std::byte*& host : block.host)
            if (!rehearsal_) check(cudaHostAlloc(reinterpret_cast<void**>(&host), std::max(room, kGiven), cudaHostAllocDefault), "allocating pinned memory");
        block.device = static_cast<std::byte*>(take(std::max(room, kGiven), "arguments"));
        block.bytes = std::max(room, kGiven);  // now that it has them
    }
    Given& block = given_[block_];
    std::byte* at = block.device + block.used;
    if (!rehearsal_) std::memcpy(block.host[side_] + block.used, data, bytes);
    block.used += room;
    if (!recording_) send_given();
    return at;
}

void Stream::send_given() {
    if (rehearsal_) return;
    for (Given& block : given_) {
        if (block.used > block.sent)
            check(cudaMemcpyAsync(block.device + block.sent, block.host[side_] + block.sent, block.used - block.sent, cudaMemcpyHostToDevice, stream_),
                  "sending arguments");
        block.sent = block.used;
    }
}

void Stream::turn() {
    check(cudaEventRecord(sent_[side_], stream_), "cudaEventRecord");
    side_ ^= 1;
    check(cudaEventSynchronize(sent_[side_]), "the pass before");
    for (Given& block : given_) block.used = block.sent = 0;
    block_ = 0;
}

void Stream::fresh() {
    if (!recording_ && (block_ > 0 || (!given_.empty() && given_[0].used > kGiven / 2))) turn();
}

void Stream::begin() {
    KLP_CHECK(!recording_);
    check(cudaSetDevice(device_), "cudaSetDevice");
    if (block_ > 0 || (!given_.empty() && given_[0].used > 0)) turn();
    recording_ = true;
    nodes_.clear();
}

void Stream::end() {
    if (!recording_) return;
    recording_ = false;
    send_given();
    turn();
    ++passes_;
    if (!rehearsal_) replay();
    for (void* at : retired_) release(at);
    retired_.clear();
}

void Stream::replay() {
    auto graph = std::find_if(graphs_.begin(), graphs_.end(), [&](const Graph& g) { return g.nodes == nodes_; });
    if (graph == graphs_.end()) {  // never seen: run as it is, and remembered in the place of the one unused for longest
        constexpr size_t kGraphs = 16;
        if (graphs_.size() == kGraphs) {
            const auto oldest = std::min_element(graphs_.begin(), graphs_.end(), [](const Graph& a, const Graph& b) { return a.last_used < b.last_used; });
            if (oldest->exec) cudaGraphExecDestroy(oldest->exec);
            graphs_.erase(oldest);
        }
        for (const Node& node : nodes_) run(node);
        graphs_.push_back({nodes_, nullptr, passes_});
    } else {
        graph->last_used = passes_;
        if (!graph->exec) {
            cudaGraph_t captured = nullptr;
            check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "beginning a graph");
            try {
                for (const Node& node : nodes_) run(node);
            } catch (const DeviceError&) {  // a stream that goes on capturing would run nothing any more
                cudaStreamEndCapture(stream_, &captured);
                if (captured) cudaGraphDestroy(captured);
                cudaGetLastError();
                throw;
            }
            check(cudaStreamEndCapture(stream_, &captured), "ending a graph");
            const cudaError_t made = cudaGraphInstantiate(&graph->exec, captured, 0);
            cudaGraphDestroy(captured);
            check(made, "making a graph");
        }
        check(cudaGraphLaunch(graph->exec, stream_), "launching a graph");
    }
}

void Stream::flush() {
    if (!recording_) return;
    recording_ = false;
    send_given();
    for (const Node& node : nodes_) run(node);
    nodes_.clear();
    for (void* at : retired_) release(at);
    retired_.clear();
}

void Stream::wait() { check(cudaStreamSynchronize(stream_), "the launches before"); }

}  // namespace klp::cuda
