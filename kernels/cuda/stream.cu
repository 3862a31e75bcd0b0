#include "kernels/cuda/stream.h"

#include <algorithm>

namespace klp::cuda {

void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) throw DeviceError(std::string("the GPU failed in ") + what + ": " + cudaGetErrorString(status));
}

Stream::Stream(int device) : device_(device) {
    check(cudaSetDevice(device), "cudaSetDevice");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    for (int i = 0; i < 2; ++i) {
        check(cudaHostAlloc(reinterpret_cast<void**>(&given_host_[i]), kGiven, cudaHostAllocDefault), "allocating pinned memory");
        check(cudaEventCreateWithFlags(&sent_[i], cudaEventDisableTiming), "cudaEventCreate");
    }
    given_ = static_cast<std::byte*>(take(kGiven, "arguments"));
}

Stream::~Stream() {
    cudaStreamSynchronize(stream_);
    for (Graph& g : graphs_)
        if (g.exec) cudaGraphExecDestroy(g.exec);
    for (int i = 0; i < 2; ++i) {
        cudaEventDestroy(sent_[i]);
        cudaFreeHost(given_host_[i]);
    }
    recording_ = false;
    give_back(given_);
    cudaStreamDestroy(stream_);
}

void* Stream::take(size_t bytes, const char* what) {
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
        cudaFreeAsync(at, stream_);
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
    KLP_CHECK(room <= kGiven);
    if (given_used_ + room > kGiven) {
        if (recording_) {  // a batch of very long sequences: what waits is run first
            flush();
            recording_ = true;
        } else {
            turn();
        }
    }
    std::byte* host = given_host_[side_] + given_used_;
    std::byte* at = given_ + given_used_;
    given_used_ += room;
    std::memcpy(host, data, bytes);
    if (!recording_) check(cudaMemcpyAsync(at, host, bytes, cudaMemcpyHostToDevice, stream_), "sending arguments");
    return at;
}

void Stream::send_given() {
    if (given_used_ > 0) check(cudaMemcpyAsync(given_, given_host_[side_], given_used_, cudaMemcpyHostToDevice, stream_), "sending arguments");
    turn();
}

void Stream::turn() {
    check(cudaEventRecord(sent_[side_], stream_), "cudaEventRecord");
    side_ ^= 1;
    check(cudaEventSynchronize(sent_[side_]), "the pass before");
    given_used_ = 0;
}

void Stream::begin() {
    KLP_CHECK(!recording_);
    check(cudaSetDevice(device_), "cudaSetDevice");
    if (given_used_ > 0) turn();
    recording_ = true;
    nodes_.clear();
}

void Stream::end() {
    if (!recording_) return;
    recording_ = false;
    send_given();
    ++passes_;
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
    for (void* at : retired_) cudaFreeAsync(at, stream_);
    retired_.clear();
}

void Stream::flush() {
    if (!recording_) return;
    recording_ = false;
    send_given();
    for (const Node& node : nodes_) run(node);
    nodes_.clear();
    for (void* at : retired_) cudaFreeAsync(at, stream_);
    retired_.clear();
}

void Stream::wait() { check(cudaStreamSynchronize(stream_), "the launches before"); }

}  // namespace klp::cuda
