#include "kernels/cuda/stream.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>

namespace klp::cuda {

void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) throw DeviceError(std::string("the GPU failed in ") + what + ": " + cudaGetErrorString(status));
}

// An event before and one behind each launch. The sums are written to stderr when the stream ends, the longest first: a kernel's time with what lies between
// it and the launch before, so that they add up to what a pass took on the device.
class Stream::Times {
public:
    explicit Times(cudaStream_t stream) : stream_(stream) {}
    ~Times() {
        gather();
        std::vector<std::pair<std::string_view, Sum>> all(sums_.begin(), sums_.end());
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second.us > b.second.us; });
        double total = 0;
        for (const auto& [name, sum] : all) total += sum.us;
        std::fprintf(stderr, "%-16s %10s %12s %10s %8s\n", "launch", "times", "us", "us each", "share");
        for (const auto& [name, sum] : all)
            std::fprintf(stderr, "%-16.*s %10lld %12.1f %10.2f %7.1f%%\n", static_cast<int>(name.size()), name.data(), static_cast<long long>(sum.launches),
                         sum.us, sum.us / static_cast<double>(sum.launches), total > 0 ? 100 * sum.us / total : 0.0);
        for (cudaEvent_t e : events_) cudaEventDestroy(e);
    }
    template <class Run>
    void measure(const char* name, Run&& run) {
        if (names_.size() == kMost) gather();
        mark(2 * names_.size());
        run();
        mark(2 * names_.size() + 1);
        names_.push_back(name);
    }

private:
    static constexpr size_t kMost = 4096;
    struct Sum {
        int64_t launches = 0;
        double us = 0;
    };
    void mark(size_t i) {
        if (i == events_.size()) check(cudaEventCreateWithFlags(&events_.emplace_back(), cudaEventDefault), "cudaEventCreate");
        check(cudaEventRecord(events_[i], stream_), "cudaEventRecord");
    }
    void gather() {
        if (names_.empty()) return;
        cudaEventSynchronize(events_[2 * names_.size() - 1]);
        for (size_t i = 0; i < names_.size(); ++i) {
            float ms = 0;
            if (cudaEventElapsedTime(&ms, events_[2 * i], events_[2 * i + 1]) != cudaSuccess) continue;
            Sum& sum = sums_[names_[i]];
            ++sum.launches, sum.us += 1e3 * static_cast<double>(ms);
        }
        names_.clear();
    }
    cudaStream_t stream_;
    std::vector<cudaEvent_t> events_;
    std::vector<const char*> names_;
    std::map<std::string_view, Sum> sums_;
};

Stream::Stream(int device, bool rehearsal) : device_(device), rehearsal_(rehearsal) {
    check(cudaSetDevice(device), "cudaSetDevice");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    for (cudaEvent_t& event : sent_) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
    // What is freed stays the pool's: otherwise every wait gives it back to the system, and snapshots and scratch pay for mapping it again.
    cudaMemPool_t pool = nullptr;
    uint64_t all = ~uint64_t{0};
    check(cudaDeviceGetDefaultMemPool(&pool, device), "cudaDeviceGetDefaultMemPool");
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "cudaMemPoolSetAttribute");
    if (const char* times = std::getenv("KLP_TIMES"); times && std::string_view(times) != "0" && !rehearsal) times_ = std::make_unique<Times>(stream_);
}

Stream::~Stream() {
    cudaStreamSynchronize(stream_);
    times_.reset();
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

int64_t Stream::free_bytes() const {
    size_t free = 0, total = 0;
    cudaMemPool_t pool = nullptr;
    uint64_t reserved = 0, used = 0;
    if (cudaSetDevice(device_) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) return -1;
    if (cudaDeviceGetDefaultMemPool(&pool, device_) == cudaSuccess &&
        cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved) == cudaSuccess &&
        cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used) == cudaSuccess && reserved > used)
        free += reserved - used;
    return static_cast<int64_t>(free);
}

void Stream::allow_shared(const Node& node) {
    if (node.shared <= 40 << 10) return;  // with the kernel's own no more than 48 kB
    static std::mutex guard;
    static std::map<std::pair<int, const void*>, bool> allowed;  // by device
    int device = 0, most = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    const std::lock_guard lock(guard);
    bool& known = allowed[{device, node.function}];
    if (known) return;
    cudaFuncAttributes own{};
    check(cudaFuncGetAttributes(&own, node.function), node.name);
    check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "cudaDeviceGetAttribute");
    check(cudaFuncSetAttribute(node.function, cudaFuncAttributeMaxDynamicSharedMemorySize, most - static_cast<int>(own.sharedSizeBytes)), node.name);
    known = true;
}

void Stream::run(const Node& node) {
    if (times_) return times_->measure(node.kind == Node::kernel ? node.name : node.kind == Node::copy ? "a copy" : "a memset", [&] { run_now(node); });
    run_now(node);
}

void Stream::run_now(const Node& node) {
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
    if (recording_) return nodes_.push_back(node);
    check(cudaSetDevice(device_), "cudaSetDevice");  // the calling thread may be a new one
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
    if (!recording_) check(cudaSetDevice(device_), "cudaSetDevice");
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
    if (times_) {
        ++counts_.eager;
        for (const Node& node : nodes_) run(node);
        return;
    }
    auto graph = std::find_if(graphs_.begin(), graphs_.end(), [&](const Graph& g) { return g.nodes == nodes_; });
    if (graph == graphs_.end()) {  // never seen: run as it is, and remembered in the place of the one unused for longest
        constexpr size_t kGraphs = 16;
        if (graphs_.size() == kGraphs) {
            const auto oldest = std::min_element(graphs_.begin(), graphs_.end(), [](const Graph& a, const Graph& b) { return a.last_used < b.last_used; });
            if (oldest->exec) cudaGraphExecDestroy(oldest->exec);
            graphs_.erase(oldest);
        }
        ++counts_.eager;
        for (const Node& node : nodes_) run(node);
        graphs_.push_back({nodes_, nullptr, passes_});
    } else {
        graph->last_used = passes_;
        ++(graph->exec ? counts_.replayed : counts_.captured);
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
    ++counts_.eager;
    send_given();
    for (const Node& node : nodes_) run(node);
    nodes_.clear();
    for (void* at : retired_) release(at);
    retired_.clear();
}

void Stream::wait() { check(cudaStreamSynchronize(stream_), "the launches before"); }

}  // namespace klp::cuda
