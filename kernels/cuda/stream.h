// Kernel launches in order, each under its name. Between begin() and end() they are kept back as data: a list of launches that equals one seen before is
// replayed as one CUDA graph, so that a decoded token costs one launch. What changes from token to token (ids, positions, pages) must therefore not be an
// argument of a kernel: give() puts it into device memory, at the same address as in the pass before as long as its size class is the same. Written without
// <<<>>>, so that the tests compile it as C++ and run it without a GPU (tests/simt).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "kernels/backend.h"

namespace klp::cuda {

// Throws DeviceError: what was being done, and CUDA's words for what went wrong.
void check(cudaError_t status, const char* what);

struct Grid {
    int64_t x = 1, y = 1, z = 1;  // blocks; y and z at most 65,535: long axes belong on x
    int threads = 128;            // of a block
    size_t shared = 0;            // bytes of dynamic shared memory, see shared_memory<T>()
};

class Stream {
public:
    // A rehearsal counts the memory that is taken, and takes none and runs nothing: its addresses are no memory.
    explicit Stream(int device, bool rehearsal = false);
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream();

    // kernel(args...) on the grid. `name` is what an error message calls it.
    template <class... P, class... A>
    void launch(const char* name, void (*kernel)(P...), const Grid& grid, A&&... args) {
        static_assert((std::is_trivially_copyable_v<P> && ...));
        if (grid.x * grid.y * grid.z == 0) return;
        const std::tuple<P...> values{static_cast<P>(args)...};
        Node node{.kind = Node::kernel, .name = name, .function = reinterpret_cast<const void*>(kernel), .call = &call<P...>};
        node.grid = dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
        node.threads = grid.threads, node.shared = grid.shared;
        std::apply([&](const P&... p) { (node.put(p), ...); }, values);
        add(node);
    }
    void copy(void* to, const void* from, size_t bytes);  // device to device
    void zero(void* at, size_t bytes);

    // Device memory that holds `values` when the launches behind this call run. Valid until end(), outside a pass or behind a flush() until fresh().
    template <class T>
    const T* give(std::span<const T> values) {
        static_assert(std::is_trivially_copyable_v<T>);
        return static_cast<const T*>(give_bytes(values.data(), values.size_bytes()));
    }

    void fresh();  // an op begins: outside a pass, launches behind this call need nothing that was given before it

    void begin();
    void end();    // runs what was kept back
    void flush();  // the same, and goes on without keeping back: for a download in the middle of a pass
    void wait();   // until everything has run

    // After this call memory that launches kept back may still name can be given back.
    void* take(size_t bytes, const char* what);
    void give_back(void* at) noexcept;

    cudaStream_t handle() const { return stream_; }
    int64_t free_bytes() const;  // of the device, with what freed memory the stream's pool keeps; -1: unknown
    const DevicePasses& passes() const { return counts_; }
    bool rehearsal() const { return rehearsal_; }
    int64_t most_bytes() const { return most_; }  // of a rehearsal: held at one time

private:
    // One launch as data, compared byte by byte with that of an earlier pass.
    struct Node {
        enum Kind { kernel, copy, zero } kind;
        const char* name = "";
        const void* function = nullptr;
        void (*call)(const Node&, cudaStream_t) = nullptr;
        dim3 grid;
        int threads = 0;
        size_t shared = 0;
        static constexpr size_t kBytes = 640;
        uint16_t count = 0, offset[32] = {}, used = 0;
        alignas(16) unsigned char data[kBytes] = {};

        template <class T>
        void put(const T& value) {
            const size_t at = (used + alignof(T) - 1) / alignof(T) * alignof(T);
            KLP_CHECK(at + sizeof(T) <= kBytes && count < 32);
            offset[count++] = static_cast<uint16_t>(at);
            std::memcpy(data + at, &value, sizeof(T));
            used = static_cast<uint16_t>(at + sizeof(T));
        }
        bool operator==(const Node& o) const {
            return kind == o.kind && function == o.function && grid.x == o.grid.x && grid.y == o.grid.y && grid.z == o.grid.z && threads == o.threads &&
                   shared == o.shared && used == o.used && std::memcmp(data, o.data, used) == 0;
        }
    };
    struct Graph {
        std::vector<Node> nodes;
        cudaGraphExec_t exec = nullptr;  // null until the same nodes come a second time
        int64_t last_used = 0;
    };

    template <class... P>
    static void call(const Node& node, cudaStream_t stream) {
#if KLP_SIMT
        call_simt<P...>(node, stream, std::index_sequence_for<P...>{});
#else
        allow_shared(node);
        void* arguments[sizeof...(P) + 1];
        for (int i = 0; i < node.count; ++i) arguments[i] = const_cast<unsigned char*>(node.data) + node.offset[i];
        check(cudaLaunchKernel(node.function, node.grid, dim3(static_cast<unsigned>(node.threads)), arguments, node.shared, stream), node.name);
#endif
    }
#if KLP_SIMT
    template <class... P, size_t... I>
    static void call_simt(const Node& node, cudaStream_t stream, std::index_sequence<I...>) {
        auto kernel = reinterpret_cast<void (*)(P...)>(const_cast<void*>(node.function));
        allow_shared(node);
        std::tuple<P...> values{read<P>(node.data + node.offset[I])...};
        check(simt::launch(node.function, node.name, node.grid, dim3(static_cast<unsigned>(node.threads)), node.shared, stream,
                           [=] { kernel(std::get<I>(values)...); }),
              node.name);
    }
    template <class T>
    static T read(const unsigned char* at) {
        T value;
        std::memcpy(&value, at, sizeof(T));
        return value;
    }
#endif

    // More dynamic shared memory than every kernel may have must be asked for. Once and as much as a launch of the kernel may ever take: asked for again it
    // would become less, also for graphs that hold the kernel.
    static void allow_shared(const Node& node);
    void add(const Node& node);
    void run(const Node& node);
    void run_now(const Node& node);
    void replay();  // the pass that ends
    void release(void* at) noexcept;
    const void* give_bytes(const void* data, size_t bytes);
    void send_given();
    void turn();  // to the other pinned memory, once the copies out of it are over

    int device_;
    const bool rehearsal_;
    std::unordered_map<void*, int64_t> held_;  // of a rehearsal: bytes by address
    int64_t holds_ = 0, most_ = 0;
    uintptr_t next_ = uintptr_t{1} << 40;
    cudaStream_t stream_ = nullptr;
    bool recording_ = false;
    std::vector<Node> nodes_;    // of this pass
    std::vector<Graph> graphs_;  // few: decode with and without taps, one or two batch sizes, each with the one and with the other memory for readings
    int64_t passes_ = 0;
    DevicePasses counts_;
    class Times;  // of every launch by name, where they are asked for (KLP_TIMES); graphs are off then
    std::unique_ptr<Times> times_;
    // What was given: pinned host memory and its copy on the device; twice on the host, so that the next pass need not wait for this one's copy. A pass that
    // gives more takes further blocks, and none of them is used twice in it: where a value lies follows from the sizes given before it alone.
    struct Given {
        std::byte *host[2] = {}, *device = nullptr;
        size_t bytes = 0, used = 0, sent = 0;
    };
    static constexpr size_t kGiven = 4 << 20;
    std::vector<Given> given_;
    size_t block_ = 0;
    cudaEvent_t sent_[2] = {};
    int side_ = 0;
    std::vector<void*> retired_;
};

}  // namespace klp::cuda
