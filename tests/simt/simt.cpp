#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <ratio>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define KLP_FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define KLP_FIBER_TSAN 1
#define KLP_UNSEEN __attribute__((no_sanitize("thread")))  // what the scheduler does is nothing that threads of a GPU share
#else
#define KLP_UNSEEN
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simt {
namespace {

constexpr size_t kStack = 256 << 10;

enum class At { ready, block, warp, done };

struct Copy {
    void* to;
    const void* from;  // null: zeros
};

struct Fiber {
    jmp_buf here{};
    ucontext_t begin{};
    std::unique_ptr<char[]> stack;
    bool started = false;
    At at = At::done;
    unsigned mask = 0;
    uint3 index{};
    void* fake = nullptr;                  // the address sanitizer's
    void* thread = nullptr;                // the thread sanitizer's
    std::vector<Copy> copies;              // asynchronous ones of the group that is open
    std::deque<std::vector<Copy>> groups;  // closed, not awaited
};

std::vector<std::unique_ptr<Fiber>> fibers;  // kept from block to block: a new stack costs more than most kernels
Fiber* self = nullptr;
jmp_buf scheduler;
const std::function<void()>* body = nullptr;
const char* kernel = "";
size_t count = 0;
std::unique_ptr<unsigned char[]> shared_memory;
alignas(16) unsigned char slots[32][32][64];
int predicates = 0;
#if KLP_FIBER_ASAN
void* host_fake = nullptr;
const void* host_stack = nullptr;
size_t host_size = 0;
#endif

void wait(At at, unsigned mask = 0);

// The thread sanitizer takes every fiber for a thread of its own, so that it finds what two of them do to the same memory with no barrier between.
#if KLP_FIBER_TSAN
void* host = nullptr;
char order;

template <class F>
KLP_UNSEEN void as(const Fiber& f, F&& act) {
    __tsan_switch_to_fiber(f.thread, __tsan_switch_to_fiber_no_sync);
    act();
    __tsan_switch_to_fiber(host, __tsan_switch_to_fiber_no_sync);
}
KLP_UNSEEN void meet(const std::vector<const Fiber*>& all) {
    for (const Fiber* f : all) as(*f, [] { __tsan_release(&order); });
    for (const Fiber* f : all) as(*f, [] { __tsan_acquire(&order); });
}
#else
void meet(const std::vector<const Fiber*>&) {}
#endif

// Blocks run one after the other, and the host after and before them.
void begin_block() {
#if KLP_FIBER_TSAN
    __tsan_release(&order);
    for (size_t i = 0; i < count; ++i) as(*fibers[i], [] { __tsan_acquire(&order); });
#endif
}
void end_block() {
#if KLP_FIBER_TSAN
    for (size_t i = 0; i < count; ++i) as(*fibers[i], [] { __tsan_release(&order); });
    __tsan_acquire(&order);
#endif
}

void fiber_main() {
#if KLP_FIBER_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &host_stack, &host_size);
#endif
    for (;;) {
        self->copies.clear(), self->groups.clear();
        (*body)();
        wait(At::done);
    }
}

KLP_UNSEEN void resume(Fiber& f) {
    self = &f;
    threadIdx = f.index;
    f.at = At::ready;
    if (_setjmp(scheduler) == 0) {
#if KLP_FIBER_ASAN
        __sanitizer_start_switch_fiber(&host_fake, f.stack.get(), kStack);
#endif
#if KLP_FIBER_TSAN
        __tsan_switch_to_fiber(f.thread, __tsan_switch_to_fiber_no_sync);
#endif
        if (f.started) _longjmp(f.here, 1);
        f.started = true;
        setcontext(&f.begin);
    }
#if KLP_FIBER_ASAN
    __sanitizer_finish_switch_fiber(host_fake, nullptr, nullptr);
#endif
}

// Back to the scheduler until what this thread waits for has come, after its end the next block.
KLP_UNSEEN void wait(At at, unsigned mask) {
    Fiber* me = self;
    me->at = at, me->mask = mask;
    if (_setjmp(me->here) == 0) {
#if KLP_FIBER_ASAN
        __sanitizer_start_switch_fiber(&me->fake, host_stack, host_size);
#endif
#if KLP_FIBER_TSAN
        __tsan_switch_to_fiber(host, __tsan_switch_to_fiber_no_sync);
#endif
        _longjmp(scheduler, 1);
    }
#if KLP_FIBER_ASAN
    __sanitizer_finish_switch_fiber(me->fake, &host_stack, &host_size);
#endif
}

// A warp's barrier opens when every lane of the mask that still runs stands at it. True if one opened.
KLP_UNSEEN bool open_barriers(size_t first) {
    unsigned waiting = 0, done = 0;
    const size_t lanes = std::min<size_t>(32, count - first);
    for (size_t l = 0; l < lanes; ++l) {
        waiting |= static_cast<unsigned>(fibers[first + l]->at == At::warp) << l;
        done |= static_cast<unsigned>(fibers[first + l]->at == At::done) << l;
    }
    if (lanes < 32) done |= ~0u << lanes;
    bool opened = false;
    while (waiting != 0) {
        const unsigned mask = fibers[first + static_cast<size_t>(__builtin_ctz(waiting))]->mask;
        unsigned together = 0;
        for (unsigned left = waiting; left != 0; left &= left - 1) {
            const int l = __builtin_ctz(left);
            if (fibers[first + static_cast<size_t>(l)]->mask == mask) together |= 1u << l;
        }
        waiting &= ~together;
        if ((mask & ~done) & ~together) continue;
        std::vector<const Fiber*> through;
        for (; together != 0; together &= together - 1) {
            Fiber& f = *fibers[first + static_cast<size_t>(__builtin_ctz(together))];
            f.at = At::ready;
            through.push_back(&f);
        }
        meet(through);
        opened = true;
    }
    return opened;
}

// A warp runs for as long as it gets by itself, then the next one.
KLP_UNSEEN void run_block(bool descending) {
    const size_t warps = (count + 31) / 32;
    for (size_t i = 0; i < count; ++i) fibers[i]->at = At::ready;
    for (;;) {
        for (size_t n = 0; n < warps; ++n) {
            const size_t first = (descending ? warps - 1 - n : n) * 32, lanes = std::min<size_t>(32, count - first);
            do {
                for (size_t l = 0; l < lanes; ++l) {
                    Fiber& f = *fibers[first + (descending ? lanes - 1 - l : l)];
                    if (f.at == At::ready) resume(f);
                }
            } while (open_barriers(first));
        }
        size_t at_block = 0, at_warp = 0;
        for (size_t i = 0; i < count; ++i) at_block += fibers[i]->at == At::block, at_warp += fibers[i]->at == At::warp;
        if (at_block + at_warp == 0) return;
        if (at_warp > 0) {
            std::fprintf(stderr, "kernel %s, block (%u, %u, %u): %zu threads wait at __syncthreads and %zu at a warp operation for ever\n", kernel, blockIdx.x,
                         blockIdx.y, blockIdx.z, at_block, at_warp);
            std::abort();
        }
        std::vector<const Fiber*> through;
        for (size_t i = 0; i < count; ++i)
            if (fibers[i]->at == At::block) fibers[i]->at = At::ready, through.push_back(fibers[i].get());
        meet(through);
    }
}

}  // namespace

int64_t launches_until_failure = 0;
int64_t held_bytes = 0, most_held_bytes = 0;
bool early = false;
int64_t memory_nodes = 0;

void* shared() { return shared_memory.get(); }
void block_barrier() { wait(At::block); }
void warp_barrier(unsigned mask) { wait(At::warp, mask); }

void need_alignment(const void* at) {
    if (reinterpret_cast<uintptr_t>(at) % 16 == 0) return;
    std::fprintf(stderr, "kernel %s, block (%u, %u, %u): %p is not aligned to 16 bytes\n", kernel, blockIdx.x, blockIdx.y, blockIdx.z, at);
    std::abort();
}

// Nothing arrives before it is awaited, as late as the hardware may be.
KLP_UNSEEN void copy_later(void* to, const void* from) {
    need_alignment(to), need_alignment(from);
    self->copies.push_back({to, from});
}
KLP_UNSEEN void close_copies() { self->groups.push_back(std::exchange(self->copies, {})); }
void await_copies(int but) {
    while (self->groups.size() > static_cast<size_t>(but)) {
        for (const Copy& c : self->groups.front()) {
            if (c.from)
                std::memcpy(c.to, c.from, 16);
            else
                std::memset(c.to, 0, 16);
        }
        self->groups.pop_front();
    }
}
void* slot(int lane) { return slots[(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) / 32][lane]; }

void run(dim3 grid, dim3 block, size_t shared_bytes, const char* name, const std::function<void()>& thread) {
    count = size_t{block.x} * block.y * block.z;
    while (fibers.size() < count) {
        auto f = std::make_unique<Fiber>();
        f->stack = std::make_unique_for_overwrite<char[]>(kStack);
        if (getcontext(&f->begin) != 0) std::abort();
        f->begin.uc_stack = {.ss_sp = f->stack.get(), .ss_flags = 0, .ss_size = kStack};
        f->begin.uc_link = nullptr;
        makecontext(&f->begin, fiber_main, 0);
#if KLP_FIBER_TSAN
        f->thread = __tsan_create_fiber(0);
#endif
        fibers.push_back(std::move(f));
    }
    for (unsigned z = 0, i = 0; z < block.z; ++z)
        for (unsigned y = 0; y < block.y; ++y)
            for (unsigned x = 0; x < block.x; ++x, ++i) fibers[i]->index = {x, y, z};
    body = &thread, kernel = name, blockDim = block, gridDim = grid;
    shared_memory = std::make_unique_for_overwrite<unsigned char[]>(shared_bytes);  // exactly so much: the address sanitizer sees what goes beyond
    bool descending = false;
#if KLP_FIBER_TSAN
    host = __tsan_get_current_fiber();
#endif
    for (unsigned z = 0; z < grid.z; ++z)
        for (unsigned y = 0; y < grid.y; ++y)
            for (unsigned x = 0; x < grid.x; ++x, descending = !descending) {
                blockIdx = {x, y, z};
                std::memset(shared_memory.get(), 0xff, shared_bytes);
                begin_block();
                run_block(descending);
                end_block();
            }
}

}  // namespace simt

unsigned __ballot_sync(unsigned mask, int predicate) {
    const int mine = predicate != 0;
    std::memcpy(simt::slot(simt::lane()), &mine, sizeof mine);
    simt::warp_barrier(mask);
    unsigned votes = 0;
    for (int l = 0; l < 32; ++l) {
        int theirs = 0;
        if (mask >> l & 1) std::memcpy(&theirs, simt::slot(l), sizeof theirs);
        votes |= static_cast<unsigned>(theirs != 0) << l;
    }
    simt::warp_barrier(mask);
    return votes;
}

int __syncthreads_or(int predicate) {
    simt::block_barrier();
    __atomic_store_n(&simt::predicates, 0, __ATOMIC_RELAXED);
    simt::block_barrier();
    __atomic_fetch_or(&simt::predicates, predicate, __ATOMIC_RELAXED);
    simt::block_barrier();
    return simt::predicates;
}

// --- the runtime ----------------------------------------------------------------------------------------------------------

namespace {

constexpr size_t kShared[] = {232448, 101376};  // bytes that a block may have: of a data centre's cards, of all others
thread_local int current = 0;                   // device, of each thread its own

std::mutex limits_guard;
std::unordered_map<const void*, size_t> limits;  // bytes of dynamic shared memory by kernel, where they were asked for
bool allowed(const void* function, size_t shared_bytes) {
    const std::lock_guard lock(limits_guard);
    const auto limit = limits.find(function);
    return shared_bytes <= (limit == limits.end() ? 48 << 10 : limit->second);
}

}  // namespace
cudaError_t cudaSetDevice(int device) { return current = device, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = current, cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int device) { return *value = static_cast<int>(kShared[device]), cudaSuccess; }
cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute, int bytes) {
    const std::lock_guard lock(limits_guard);
    limits[function] = static_cast<size_t>(bytes);
    return cudaSuccess;
}

struct SimtGraph {
    std::deque<std::function<void()>> nodes;
};

// Nothing runs before the host waits for it, as late as the hardware may be: host memory that is filled anew too early, or read too soon, shows; so does what
// one stream takes of another without waiting. With simt::early everything runs at once but what goes to the host: device memory that is written anew too early
// shows.
struct SimtStream {
    int device = current;
    std::deque<std::function<void()>> queue;
    uint64_t ran = 0;  // of all that was ever queued
    SimtGraph* capturing = nullptr;

    cudaError_t later(std::function<void()> work, bool to_host = false) {
        if (simt::early && !to_host && !capturing && queue.empty())
            work();
        else
            (capturing ? capturing->nodes : queue).push_back(std::move(work));
        return cudaSuccess;
    }
    uint64_t end() const { return ran + queue.size(); }
    cudaError_t run_until(uint64_t end) {
        while (ran < end) {
            const auto work = std::move(queue.front());
            queue.pop_front();
            ++ran;
            work();
        }
        return cudaSuccess;
    }
};
struct SimtEvent {
    SimtStream* stream = nullptr;  // that recorded it
    uint64_t at = 0;               // what was queued before it
    bool timed = false;
    std::chrono::steady_clock::time_point when;
};
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) { return *s = new SimtStream, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t s) { return s->run_until(s->end()), delete s, cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t s) { return s->run_until(s->end()); }
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
    return s->later([from = e->stream, at = e->at] { from->run_until(at); });
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned flags) { return *e = new SimtEvent{.timed = flags == cudaEventDefault}, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
    if (e->timed) s->later([e] { e->when = std::chrono::steady_clock::now(); });
    return e->stream = s, e->at = s->end(), cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
    return *ms = std::chrono::duration<float, std::milli>(to->when - from->when).count(), cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) { return e->stream ? e->stream->run_until(e->at) : cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t e) { return delete e, cudaSuccess; }

cudaError_t simt::launch(const void* function, const char* name, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                         std::function<void()> thread) {
    const size_t threads = size_t{block.x} * block.y * block.z;
    if (threads == 0 || threads > 1024 || size_t{grid.x} * grid.y * grid.z == 0 || grid.y > 65535 || grid.z > 65535 || shared_bytes > kShared[stream->device] ||
        !allowed(function, shared_bytes) || current != stream->device)  // a GPU's runtime knows no streams of other devices
        return cudaErrorInvalidConfiguration;
    if (launches_until_failure > 0 && --launches_until_failure == 0) return cudaErrorInvalidValue;
    return stream->later([=, thread = std::move(thread)] {
        if (!allowed(function, shared_bytes)) {  // it was less by the time a graph came to it
            std::fprintf(stderr, "kernel %s: %zu bytes of shared memory are more than it may have\n", name, shared_bytes);
            std::abort();
        }
        run(grid, block, shared_bytes, name, thread);
    });
}

const char* cudaGetErrorString(cudaError_t e) {
    switch (e) {
        case cudaSuccess:
            return "no error";
        case cudaErrorMemoryAllocation:
            return "out of memory";
        case cudaErrorInvalidConfiguration:
            return "invalid configuration argument";
        default:
            return "invalid argument";
    }
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
    *p = {"simulated", size_t{1} << 40, 9, 0, 3, kShared[device]};  // few processors: kernels that spread over all of them meet every edge
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) { return *free = *total = size_t{1} << 40, cudaSuccess; }
namespace {
std::mutex allocations_guard;
std::unordered_map<void*, int64_t> allocations;  // bytes
}  // namespace
cudaError_t cudaMallocAsync(void** at, size_t bytes, cudaStream_t) {
    *at = bytes < size_t{1} << 40 ? ::operator new (bytes, std::align_val_t{256}, std::nothrow) : nullptr;
    if (!*at) return cudaErrorMemoryAllocation;
    std::memset(*at, 0xff, bytes);
    const std::lock_guard lock(allocations_guard);
    allocations[*at] = static_cast<int64_t>(bytes);
    simt::most_held_bytes = std::max(simt::most_held_bytes, simt::held_bytes += static_cast<int64_t>(bytes));
    return cudaSuccess;
}
// A pool has the memory for whoever asks the stream next.
cudaError_t cudaFreeAsync(void* at, cudaStream_t s) {
    if (const std::lock_guard lock(allocations_guard); at) simt::held_bytes -= allocations.extract(at).mapped();
    return s->later([=] { ::operator delete (at, std::align_val_t{256}); });
}
cudaError_t cudaHostAlloc(void** at, size_t bytes, unsigned) { return *at = std::malloc(bytes), *at ? cudaSuccess : cudaErrorMemoryAllocation; }
cudaError_t cudaFreeHost(void* at) { return std::free(at), cudaSuccess; }
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s) {
    simt::memory_nodes += s->capturing != nullptr;
    return s->later([=] { std::memmove(to, from, bytes); }, kind == cudaMemcpyDeviceToHost);
}
cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t s) {
    simt::memory_nodes += s->capturing != nullptr;
    return s->later([=] { std::memset(at, value, bytes); });
}
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) { return s->capturing = new SimtGraph, cudaSuccess; }
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) { return *graph = s->capturing, s->capturing = nullptr, cudaSuccess; }
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) { return *exec = new SimtGraph(*graph), cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
    for (const auto& node : exec->nodes) s->later(node);
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
