#include "kernels/cuda/cuda_backend.h"

#include <algorithm>

namespace klp::cuda {

namespace {

constexpr size_t kStaging = 8 << 20;  // pinned bytes on the way to or from the device

int64_t padded(int64_t bytes) { return (bytes + 15) / 16 * 16; }

bool quantised(DType type) { return type == DType::q8_0 || type == DType::q4_0; }

int64_t code_row(const Weight& w) {
    if (w.type == DType::q8_0) return padded(w.in);
    if (w.type == DType::q4_0) return padded(w.in / 2);
    return padded(w.row_bytes());
}

}  // namespace

Matrix matrix(const Weight& w) {
    if (!w) return {};
    Matrix m{.out = w.out, .in = w.in, .stride = code_row(w), .type = w.type};
    m.codes = reinterpret_cast<const unsigned char*>(w.data);
    if (quantised(w.type)) m.scales = reinterpret_cast<const uint16_t*>(m.codes + m.stride * w.out);
    return m;
}

int64_t device_bytes(const Weight& w) { return code_row(w) * w.out + (quantised(w.type) ? w.in / 32 * w.out * 2 : 0); }

std::shared_ptr<Backend> make_backend(int device, std::string why) { return std::make_shared<CudaBackend>(device, std::move(why)); }

CudaBackend::CudaBackend(int device, std::string why) : stream_(device) {
    cudaDeviceProp p{};
    check(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
    int driver = 0;
    cudaDriverGetVersion(&driver);
    processors_ = p.multiProcessorCount;
    info_ = {.name = "cuda:" + std::to_string(device),
             .hardware = p.name,
             .detail = "compute " + std::to_string(p.major) + "." + std::to_string(p.minor) + ", " + std::to_string(p.totalGlobalMem >> 30) + " GiB, driver " +
                       std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10),
             .why = std::move(why),
             .memory_bytes = static_cast<int64_t>(p.totalGlobalMem)};
    check(cudaHostAlloc(reinterpret_cast<void**>(&staging_), kStaging, cudaHostAllocDefault), "allocating pinned memory");
}

CudaBackend::~CudaBackend() {
    cudaFreeHost(staging_);
    for (void* block : blocks_) stream_.give_back(block);
}

void CudaBackend::upload(void* device, const void* host, size_t bytes) {
    stream_.flush();
    const auto* from = static_cast<const std::byte*>(host);
    for (size_t at = 0; at < bytes; at += kStaging) {
        const size_t n = std::min(bytes - at, kStaging);
        std::memcpy(staging_, from + at, n);
        check(cudaMemcpyAsync(static_cast<std::byte*>(device) + at, staging_, n, cudaMemcpyHostToDevice, stream_.handle()), "an upload");
        stream_.wait();
    }
}

void CudaBackend::download(void* host, const void* device, size_t bytes) {
    stream_.flush();
    auto* to = static_cast<std::byte*>(host);
    for (size_t at = 0; at < bytes; at += kStaging) {
        const size_t n = std::min(bytes - at, kStaging);
        check(cudaMemcpyAsync(staging_, static_cast<const std::byte*>(device) + at, n, cudaMemcpyDeviceToHost, stream_.handle()), "a download");
        stream_.wait();
        std::memcpy(to + at, staging_, n);
    }
}

// Codes and scales each in their own plane, rows padded: a warp then reads 16 aligned bytes a lane. Quantised blocks of a file are 34 and 18 bytes long.
Weight CudaBackend::adopt(const Weight& host, std::vector<Buffer>& keep) {
    keep.push_back(allocate(static_cast<size_t>(device_bytes(host))));
    auto* const codes = keep.back().as<std::byte>();
    const int64_t stride = code_row(host), groups = host.in / 32, row = host.row_bytes();
    auto* const scales = codes + stride * host.out;
    const bool planes = quantised(host.type);
    const int64_t rows = std::max<int64_t>(1, static_cast<int64_t>(kStaging) / (stride + (planes ? groups * 2 : 0)));
    for (int64_t first = 0; first < host.out; first += rows) {
        const int64_t n = std::min(rows, host.out - first);
        std::vector<std::byte> big;  // a row wider than the staging memory
        std::byte* to = staging_;
        if (static_cast<size_t>(n * (stride + groups * 2)) > kStaging) big.resize(static_cast<size_t>(n * (stride + groups * 2))), to = big.data();
        std::byte* const to_scales = to + n * stride;
        for (int64_t r = 0; r < n; ++r) {
            const std::byte* from = host.row(first + r);
            std::byte* code = to + r * stride;
            if (!planes) {
                std::memcpy(code, from, static_cast<size_t>(row));
                std::memset(code + row, 0, static_cast<size_t>(stride - row));
                continue;
            }
            const int bytes = klp::info(host.type).bytes - 2;  // of a block's codes
            for (int64_t g = 0; g < groups; ++g, from += bytes + 2) {
                std::memcpy(to_scales + (r * groups + g) * 2, from, 2);
                std::memcpy(code + g * bytes, from + 2, static_cast<size_t>(bytes));
            }
        }
        check(cudaMemcpyAsync(codes + first * stride, to, static_cast<size_t>(n * stride), cudaMemcpyHostToDevice, stream_.handle()), "an upload");
        if (planes)
            check(cudaMemcpyAsync(scales + first * groups * 2, to_scales, static_cast<size_t>(n * groups * 2), cudaMemcpyHostToDevice, stream_.handle()), "an upload");
        stream_.wait();
    }
    return {codes, host.type, host.out, host.in};
}

void* CudaBackend::temporary_bytes(size_t bytes) {
    bytes = (bytes + 255) / 256 * 256;
    if (used_ + bytes > block_bytes_) {
        // The old block may still be named by launches that wait: it stays until the backend goes. Doubling keeps the sum of all below twice the last.
        block_bytes_ = std::max({bytes, 2 * block_bytes_, size_t{16} << 20});
        blocks_.push_back(stream_.take(block_bytes_, "temporary memory"));
        used_ = 0;
    }
    void* at = static_cast<std::byte*>(blocks_.back()) + used_;
    used_ += bytes;
    return at;
}

}  // namespace klp::cuda
