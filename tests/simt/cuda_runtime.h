// Enough of CUDA to run this project's kernels on the CPU, so that they are tested where there is no GPU: the same sources, compiled as C++ against this header
// instead of the toolkit's. A block's threads are fibers of one host thread that take turns at __syncthreads and at warp operations; device memory is the heap,
// so that the address sanitizer sees every kernel's accesses, and to the thread sanitizer every thread of a block is one of its own. What a GPU does later (the
// stream's work, asynchronous copies to shared memory) is done when it is waited for, not before. Threads run in ascending order in one block and in descending
// order in the next: a result that misses a barrier differs between the two. A block whose threads wait for each other for ever is named and ends the program.
// What it does not show: speed, memory order between blocks, what a GPU's registers and schedulers do.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __shared__ static  // one block runs at a time
#define __constant__ static
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// --- threads of a block ---------------------------------------------------------------------------------------------------

extern uint3 threadIdx, blockIdx;  // of the thread that runs now
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace simt {

void run(dim3 grid, dim3 block, size_t shared_bytes, const char* name, const std::function<void()>& thread);
void* shared();  // the block's dynamic shared memory
void block_barrier();
void warp_barrier(unsigned mask);
void copy_later(void* shared, const void* global);  // 16 bytes, zeros from null; there when its group has been awaited
void close_copies();                                // a group
void await_copies(int but);                         // all but the last groups
void need_alignment(const void* at);                // of 16 bytes, or the program ends
void* slot(int lane);                               // 64 bytes of lane `lane` of the running thread's warp, for exchanges between two barriers

inline int lane() { return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32); }

// What lane `from` of the warp holds in `value`; every lane of `mask` takes part.
template <class T>
T exchange(unsigned mask, T value, int from) {
    static_assert(sizeof(T) <= 64);
    std::memcpy(slot(lane()), &value, sizeof(T));
    warp_barrier(mask);
    std::memcpy(&value, slot(from), sizeof(T));
    warp_barrier(mask);
    return value;
}

}  // namespace simt

inline void __syncthreads() { simt::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { simt::warp_barrier(mask); }
template <class T>
T __shfl_sync(unsigned mask, T v, int from, int width = 32) {
    return simt::exchange(mask, v, simt::lane() / width * width + from % width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int bits, int = 32) {
    return simt::exchange(mask, v, simt::lane() ^ bits);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, int delta, int width = 32) {
    const int l = simt::lane(), from = l + delta;
    return simt::exchange(mask, v, from / width == l / width ? from : l);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, int delta, int width = 32) {
    const int l = simt::lane(), from = l - delta;
    return simt::exchange(mask, v, from >= l / width * width ? from : l);
}
unsigned __ballot_sync(unsigned mask, int predicate);
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }
int __syncthreads_or(int predicate);
inline unsigned __reduce_max_sync(unsigned mask, unsigned v) {
    for (int bits = 16; bits > 0; bits /= 2) {
        const unsigned other = __shfl_xor_sync(mask, v, bits);
        v = other > v ? other : v;
    }
    return v;
}
inline void __threadfence() {}
inline unsigned __activemask() { return 0xffffffffu; }

// --- arithmetic and atomics -----------------------------------------------------------------------------------------------

// One host thread runs them, so none is lost between the two halves; the thread sanitizer is told what they are.
template <class T, class F>
T atomically(T* at, F change) {
    T old, now;
    __atomic_load(at, &old, __ATOMIC_RELAXED);
    now = static_cast<T>(change(old));
    __atomic_store(at, &now, __ATOMIC_RELAXED);
    return old;
}
template <class T>
T atomicAdd(T* at, T v) {
    return atomically(at, [=](T old) { return old + v; });
}
template <class T>
T atomicMax(T* at, T v) {
    return atomically(at, [=](T old) { return v > old ? v : old; });
}
template <class T>
T atomicExch(T* at, T v) {
    return atomically(at, [=](T) { return v; });
}
// As in the hardware: 0 after `limit`.
inline unsigned atomicInc(unsigned* at, unsigned limit) {
    unsigned old = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(at, &old, old >= limit ? 0 : old + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
    return old;
}
template <class T>
T __ldg(const T* at) {
    return *at;
}
template <class T>
T __ldcg(const T* at) {
    return *at;
}
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) { return static_cast<unsigned>((uint64_t{high} << 32 | low) >> (by & 31)); }
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {  // without the selector's fourth bits, which would repeat a sign
    unsigned v = 0;
    for (int i = 0; i < 4; ++i) v |= static_cast<unsigned>((uint64_t{high} << 32 | low) >> (selector >> 4 * i & 7) * 8 & 255) << 8 * i;
    return v;
}
inline int __clz(int v) { return v ? __builtin_clz(static_cast<unsigned>(v)) : 32; }
inline float __uint_as_float(unsigned v) {
    float f;
    std::memcpy(&f, &v, 4);
    return f;
}
inline unsigned __float_as_uint(float f) {
    unsigned v;
    std::memcpy(&v, &f, 4);
    return v;
}
inline float __int_as_float(int v) { return __uint_as_float(static_cast<unsigned>(v)); }
inline int __float_as_int(float f) { return static_cast<int>(__float_as_uint(f)); }
template <class T>
constexpr T min(T a, T b) {
    return b < a ? b : a;
}
template <class T>
constexpr T max(T a, T b) {
    return a < b ? b : a;
}

// --- the runtime ----------------------------------------------------------------------------------------------------------

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorInvalidConfiguration = 9, cudaErrorNoDevice = 100 };
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold, cudaMemPoolAttrReservedMemCurrent, cudaMemPoolAttrUsedMemCurrent };
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0;
struct cudaFuncAttributes {
    size_t sharedSizeBytes;
};
struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    int major, minor, multiProcessorCount;
    size_t sharedMemPerBlockOptin;
};
using cudaMemPool_t = struct SimtPool*;
using cudaStream_t = struct SimtStream*;
using cudaEvent_t = struct SimtEvent*;
using cudaGraph_t = struct SimtGraph*;
using cudaGraphExec_t = struct SimtGraph*;

const char* cudaGetErrorString(cudaError_t);
inline cudaError_t cudaGetDeviceCount(int* n) { return *n = 2, cudaSuccess; }
cudaError_t cudaSetDevice(int);
cudaError_t cudaGetDevice(int*);
cudaError_t cudaDeviceGetAttribute(int*, cudaDeviceAttr, int);
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, const void*) { return *a = {}, cudaSuccess; }
cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute, int bytes);
inline cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) { return *pool = nullptr, cudaSuccess; }
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
inline cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) { return *static_cast<uint64_t*>(value) = 0, cudaSuccess; }
inline cudaError_t cudaDriverGetVersion(int* v) { return *v = 0, cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int);
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaDeviceGetPCIBusId(char*, int, int) { return cudaErrorInvalidValue; }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMallocAsync(void** at, size_t bytes, cudaStream_t);
cudaError_t cudaFreeAsync(void* at, cudaStream_t);
cudaError_t cudaHostAlloc(void** at, size_t bytes, unsigned);
cudaError_t cudaFreeHost(void* at);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t*, unsigned);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);

namespace simt {
// What <<<>>> does: waits its turn, or joins the graph that is being captured.
cudaError_t launch(const void* function, const char* name, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, std::function<void()> thread);
}  // namespace simt
