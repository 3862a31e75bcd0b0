// Random values made on the device (Backend::fill and draw), and what the device can do at most (Backend::limits).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "kernels/cpu/pool.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/mma.h"

namespace klp::cuda {

namespace {

// A thread a chunk of 64 bytes of a row, as device.h has it: encode()'s arithmetic, value by value. Behind `in` a row is zero; behind its last byte nothing is
// written (an array is a row that may end within a chunk).
__global__ void draw_kernel(Matrix m, uint64_t seed, float scale, int64_t chunks) {
    const int64_t c = int64_t{blockIdx.x} * blockDim.x + threadIdx.x, row = c / chunks, chunk = c % chunks;
    if (row >= m.out) return;
    auto* const at = const_cast<unsigned char*>(m.codes) + row * m.stride + chunk * 64;
    const auto value = [&](int64_t i) {
        const int64_t n = row * m.in + i;
        return i < m.in ? scale * uniform(four(seed, n / 4), static_cast<int>(n % 4)) : 0.f;
    };
    if (m.groups == 0) {
        const int bytes = m.type == DType::f32 ? 4 : 2, each = 64 / bytes;
        for (int k = 0; k < each && chunk * 64 + k * bytes < m.stride; ++k) {
            const float v = value(chunk * each + k);
            if (m.type == DType::f32)
                reinterpret_cast<float*>(at)[k] = v;
            else
                reinterpret_cast<uint16_t*>(at)[k] = m.type == DType::bf16 ? to_bf16(v) : to_f16(v);
        }
        return;
    }
    const bool bytes = m.type == DType::q8_0;
    const int groups = bytes ? 2 : 4;
    for (int s = 0; s < groups; ++s) {
        const int64_t group = chunk * groups + s;
        float v[32], largest = 0;
        for (int k = 0; k < 32; ++k) {
            v[k] = value(group * 32 + k);
            if (fabsf(v[k]) > fabsf(largest)) largest = v[k];
        }
        const float d = bytes ? fabsf(largest) / 127.f : largest / -8.f, inverse = d != 0 ? 1.f / d : 0.f;
        const_cast<uint16_t*>(m.scales)[row * m.groups + group] = group * 32 < m.in ? to_f16(d) : uint16_t{0};
        for (int k = 0; k < 32; ++k) {
            const float x = __fmul_rn(v[k], inverse);  // the sums behind it are not to be fused with it
            if (bytes) {
                const int whole = static_cast<int>(x);
                const float rest = x - static_cast<float>(whole);
                at[byte_of(s * 32 + k)] = static_cast<unsigned char>(whole + (rest >= 0.5f) - (rest <= -0.5f));
            } else {
                const int n = static_cast<int>(x + 8.5f), code = (group * 32 < m.in ? (n < 15 ? n : 15) : 8) ^ 8;
                unsigned char& pair = at[k % 16 / 4 * 16 + s * 4 + k % 4];
                pair = static_cast<unsigned char>(k < 16 ? code : pair | code << 4);
            }
        }
    }
}

// --- limits ---------------------------------------------------------------------------------------------------------------

constexpr int kChains = 8;  // sums that do not wait for each other

__global__ void read_kernel(const uint4* data, int64_t n, uint32_t* sink) {
    const int64_t step = int64_t{gridDim.x} * blockDim.x;
    uint32_t sum = 0;
    for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += 4 * step) {
        uint4 v[4];
        for (int k = 0; k < 4; ++k) v[k] = i + k * step < n ? data[i + k * step] : uint4{0, 0, 0, 0};
        for (int k = 0; k < 4; ++k) sum ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
    }
    if (sum == 0x9e3779b9u) *sink = sum;  // hardly ever: the reads must not be left out
}

__global__ void f32_kernel(int turns, float* sink) {
    float d[kChains];
    for (int k = 0; k < kChains; ++k) d[k] = static_cast<float>(threadIdx.x + k);
    for (int i = 0; i < turns; ++i)
#pragma unroll
        for (int k = 0; k < kChains; ++k) d[k] = fmaf(d[k], 0.999f, 0.5f);
    float sum = 0;
    for (int k = 0; k < kChains; ++k) sum += d[k];
    if (sum == -1) *sink = sum;
}

__global__ void bf16_kernel(int turns, float* sink) {
    float d[kChains][4] = {};
    const uint32_t a[4] = {threadIdx.x, 1, 2, 3}, b[2] = {threadIdx.x, 5};
    for (int i = 0; i < turns; ++i)
#pragma unroll
        for (int k = 0; k < kChains; ++k) mma_bf16(d[k], a, b);
    float sum = 0;
    for (int k = 0; k < kChains; ++k) sum += d[k][0] + d[k][1] + d[k][2] + d[k][3];
    if (sum == -1) *sink = sum;
}

__global__ void int8_kernel(int turns, int* sink) {
    int d[kChains][4] = {};
    const uint32_t a[4] = {threadIdx.x, 1, 2, 3}, b[2] = {threadIdx.x, 5};
    for (int i = 0; i < turns; ++i)
#pragma unroll
        for (int k = 0; k < kChains; ++k) mma_s8(d[k], a, b);
    int sum = 0;
    for (int k = 0; k < kChains; ++k) sum += d[k][0] + d[k][1] + d[k][2] + d[k][3];
    if (sum == -1) *sink = sum;
}

}  // namespace

void CudaBackend::fill(void* device, DType type, int64_t n, const Random& random) {
    const int64_t bytes = n * klp::info(type).bytes;
    KLP_CHECK(klp::info(type).block == 1);
    const Matrix row{.codes = static_cast<const unsigned char*>(device), .out = 1, .in = n, .stride = bytes, .type = type};
    const int64_t chunks = (bytes + 63) / 64;
    stream_.launch("draw", draw_kernel, {.x = (chunks + 127) / 128}, row, random.seed, random.scale, chunks);
}

Weight CudaBackend::draw(const Weight& shape, const Random& random, std::vector<Buffer>& keep) {
    if (layout(shape.type) == kBlocks) {  // whose encoders search, and some of which have none: drawn by the host's cores, and sent
        std::vector<std::byte> host(stream_.rehearsal() ? 0 : static_cast<size_t>(shape.bytes()));
        const DTypeInfo& row = klp::info(shape.type);
        constexpr int64_t kPiece = 1 << 16;  // values, whole blocks
        if (!host.empty())
            Pool(0).run(shape.out * shape.in, kPiece, 0, [&](int, int64_t first, int64_t last) {
                draw_blocks(shape.type, random, first, last - first, host.data() + first / row.block * row.bytes);
            });
        return adopt({host.data(), shape.type, shape.out, shape.in}, keep);
    }
    ++adopted_;
    keep.push_back(allocate(static_cast<size_t>(device_bytes(shape))));
    const Weight w{keep.back().as(), shape.type, shape.out, shape.in};
    const Matrix m = matrix(w);
    const int64_t chunks = m.stride / 64;
    stream_.launch("draw", draw_kernel, {.x = (m.out * chunks + 127) / 128}, m, random.seed, random.scale, chunks);
    return w;
}

DeviceLimits CudaBackend::limits() {
    // Work is doubled until it takes long enough for the start of a launch not to count; the best of some turns, since others can only make it slower.
    const auto seconds = [&](auto&& work) {  // of two turns: the first launch of a kernel also brings it to the device
        double best = INFINITY;
        for (int i = 0; i < 2; ++i) {
            stream_.wait();
            const auto start = std::chrono::steady_clock::now();
            work();
            stream_.wait();
            best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        }
        return best;
    };
    constexpr double kLong = 5e-3;
    constexpr int kBest = 3;
    DeviceLimits limits;
    const int64_t blocks = int64_t{processors_} * 8;

    constexpr int64_t kMost = int64_t{1} << 30;  // bytes, far more than a cache
    const int64_t room = std::min(kMost, free_bytes() / 4);
    std::vector<Buffer> data, sink;
    sink.push_back(allocate(64));
    for (int64_t bytes = 1 << 20; bytes <= room; bytes *= 4) {
        data.clear();
        data.push_back(allocate(static_cast<size_t>(bytes)));
        zero(data.back().as(), data.back().bytes());
        int turns = 1;
        double took = 0;
        const auto read = [&] {
            for (int i = 0; i < turns; ++i)
                stream_.launch("read", read_kernel, {.x = blocks, .threads = 256}, data.back().as<const uint4>(), bytes / 16, sink.back().as<uint32_t>());
        };
        while ((took = seconds(read)) < kLong && bytes * 4 > room && turns < 1024) turns *= 2;
        for (int i = 0; i < kBest && bytes * 4 > room; ++i) took = std::min(took, seconds(read));
        limits.read_gb_s = static_cast<double>(bytes) * turns / took / 1e9;  // the largest size's stands
        if (took > kLong && bytes * 4 <= room) break;                        // so slow that this says enough: the tests' simulation
    }
    data.clear();

    constexpr int kThreads = 256;
    const auto rate = [&](const char* name, auto kernel, double operations, auto* at) {  // operations of a warp and turn
        int turns = 1;
        double took = 0;
        const auto work = [&] { stream_.launch(name, kernel, {.x = blocks, .threads = kThreads}, turns, at); };
        while ((took = seconds(work)) < kLong && turns < 1 << 20) turns *= 2;
        if (took < 20 * kLong)
            for (int i = 0; i < kBest; ++i) took = std::min(took, seconds(work));
        return operations * kChains * turns * static_cast<double>(blocks) * (kThreads / 32) / took / 1e9;
    };
    limits.f32_gflops = rate("f32 products", f32_kernel, 2 * 32, sink.back().as<float>());
    limits.bf16_gflops = rate("bf16 products", bf16_kernel, 2 * 16 * 8 * 16, sink.back().as<float>());
    limits.int8_gops = rate("int8 products", int8_kernel, 2 * 16 * 8 * 32, sink.back().as<int>());
    return limits;
}

}  // namespace klp::cuda
