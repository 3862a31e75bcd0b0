#include "kernels/cuda/cuda_backend.h"

#include <algorithm>

#include "kernels/cpu/pool.h"

namespace klp::cuda {

namespace {

constexpr size_t kHalf = 8 << 20, kPiece = kHalf / 2;  // bytes of pinned memory on the way to or from the device: one half is filled while the other is sent

bool apart(DType type) { return type == DType::q8_0 || type == DType::q4_0; }

int64_t code_row(const Weight& w) {
    const int64_t bytes = w.type == DType::q8_0   ? w.in
                          : w.type == DType::q4_0 ? w.in / 2
                          : w.type == DType::q6_k ? w.in / 256 * formats::Q6K::kBytes
                                                  : w.row_bytes();
    return (bytes + 63) / 64 * 64;
}

int64_t scale_row(const Weight& w) { return apart(w.type) ? code_row(w) / (w.type == DType::q8_0 ? 32 : 16) : 0; }

// A row of a file's blocks (a scale, then codes) as device.h has it.
void pack(const Weight& w, int64_t r, std::byte* codes, std::byte* scales) {
    const std::byte* from = w.row(r);
    if (w.type == DType::q6_k) {
        const auto bytes = static_cast<size_t>(klp::info(w.type).bytes);
        std::memset(codes, 0, static_cast<size_t>(code_row(w)));
        for (int64_t b = 0; b < w.in / 256; ++b) std::memcpy(codes + b * formats::Q6K::kBytes, from + b * static_cast<int64_t>(bytes), bytes);
        return;
    }
    if (!apart(w.type)) {
        std::memcpy(codes, from, static_cast<size_t>(w.row_bytes()));
        std::memset(codes + w.row_bytes(), 0, static_cast<size_t>(code_row(w) - w.row_bytes()));
        return;
    }
    const int words = w.type == DType::q8_0 ? 8 : 4, in_chunk = 16 / words;  // of a group; groups in a chunk
    const int64_t groups = w.in / 32;
    for (int64_t g = 0; g < scale_row(w); ++g) {
        uint32_t word[8] = {};
        uint16_t scale = 0;
        if (g < groups) {
            std::memcpy(&scale, from, 2);
            std::memcpy(word, from + 2, static_cast<size_t>(words) * 4);
            from += 2 + words * 4;
        }
        std::memcpy(scales + g * 2, &scale, 2);
        std::byte* to = codes + g / in_chunk * 64 + g % in_chunk * words;
        for (int c = 0; c < 4; ++c) {
            if (words == 8) {
                std::memcpy(to + c * 16, &word[c], 4);
                std::memcpy(to + c * 16 + 4, &word[c + 4], 4);
            } else {
                const uint32_t signed_codes = g < groups ? word[c] ^ 0x88888888u : 0;  // 0..15 stands for -8..7
                std::memcpy(to + c * 16, &signed_codes, 4);
            }
        }
    }
}

}  // namespace

Matrix matrix(const Weight& w) {
    if (!w) return {};
    Matrix m{.out = w.out, .in = w.in, .stride = code_row(w), .type = w.type, .groups = static_cast<int32_t>(scale_row(w))};
    m.codes = reinterpret_cast<const unsigned char*>(w.data);
    if (m.groups) m.scales = reinterpret_cast<const uint16_t*>(m.codes + m.stride * w.out);
    return m;
}

int64_t device_bytes(const Weight& w) { return (code_row(w) + scale_row(w) * 2) * w.out; }

std::shared_ptr<Backend> make_backend(int device, std::string why) { return std::make_shared<CudaBackend>(device, std::move(why)); }

CudaBackend::CudaBackend(int device, std::string why, bool rehearsal) : device_(device), stream_(device, rehearsal) {
    cudaDeviceProp p{};
    check(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
    int driver = 0;
    cudaDriverGetVersion(&driver);
    processors_ = p.multiProcessorCount, shared_ = p.sharedMemPerBlockOptin;
    info_ = {.name = "cuda:" + std::to_string(device),
             .hardware = p.name,
             .detail = "compute " + std::to_string(p.major) + "." + std::to_string(p.minor) + ", " + std::to_string(p.totalGlobalMem >> 30) + " GiB, driver " +
                       std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10),
             .why = std::move(why),
             .memory_bytes = static_cast<int64_t>(p.totalGlobalMem),
             .pass_tokens = 8192,  // of which a 48B expert sees 256: as many products for its bytes as the tensor cores want
             .whole_passes = true};
    if (char pci[32]; cudaDeviceGetPCIBusId(pci, sizeof pci, device) == cudaSuccess) nvml_.emplace(pci);
    check(cudaHostAlloc(reinterpret_cast<void**>(&staging_), 2 * kHalf, cudaHostAllocDefault), "allocating pinned memory");
    for (cudaEvent_t& e : sent_) check(cudaEventCreateWithFlags(&e, cudaEventDisableTiming), "cudaEventCreate");
}

CudaBackend::~CudaBackend() {
    cudaStreamSynchronize(stream_.handle());
    for (cudaEvent_t e : sent_) cudaEventDestroy(e);
    cudaFreeHost(staging_);
    for (const Room& room : rooms_) stream_.give_back(room.at);
    for (void* block : counter_blocks_) stream_.give_back(block);
    for (const ExpertTable& t : expert_tables_) stream_.give_back(t.experts);
}

std::byte* CudaBackend::staging(size_t bytes) {
    KLP_CHECK(bytes <= kHalf);
    if (staged_ + bytes > kHalf) {
        check(cudaEventRecord(sent_[half_], stream_.handle()), "cudaEventRecord");
        half_ ^= 1, staged_ = 0;
        check(cudaEventSynchronize(sent_[half_]), "an upload");
    }
    std::byte* at = staging_ + static_cast<size_t>(half_) * kHalf + staged_;
    staged_ += (bytes + 255) / 256 * 256;
    return at;
}

void CudaBackend::send(void* to, const std::byte* staged, size_t bytes) {
    check(cudaMemcpyAsync(to, staged, bytes, cudaMemcpyHostToDevice, stream_.handle()), "an upload");
}

void CudaBackend::upload(void* device, const void* host, size_t bytes) {
    stream_.flush();
    for (size_t at = 0; at < bytes && !stream_.rehearsal(); at += kPiece) {
        const size_t n = std::min(bytes - at, kPiece);
        std::byte* piece = staging(n);
        std::memcpy(piece, static_cast<const std::byte*>(host) + at, n);
        send(static_cast<std::byte*>(device) + at, piece, n);
    }
}

void CudaBackend::download(void* host, const void* device, size_t bytes) {
    stream_.flush();
    for (size_t at = 0; at < bytes && !stream_.rehearsal(); at += kPiece) {
        const size_t n = std::min(bytes - at, kPiece);
        std::byte* piece = staging(n);
        check(cudaMemcpyAsync(piece, static_cast<const std::byte*>(device) + at, n, cudaMemcpyDeviceToHost, stream_.handle()), "a download");
        stream_.wait();
        std::memcpy(static_cast<std::byte*>(host) + at, piece, n);
    }
}

std::unique_ptr<Download> CudaBackend::download_later(std::span<const std::span<const std::byte>> parts) {
    stream_.flush();
    if (stream_.rehearsal()) return Backend::download_later(parts);  // of zeros
    return downloads_.begin(stream_.handle(), parts, shared_from_this());
}

Weight CudaBackend::adopt(const Weight& host, std::vector<Buffer>& keep) {
    ++adopted_;
    keep.push_back(allocate(static_cast<size_t>(device_bytes(host))));
    auto* const codes = keep.back().as<std::byte>();
    const auto stride = static_cast<size_t>(code_row(host)), scale_bytes = static_cast<size_t>(scale_row(host)) * 2;
    const auto rows = static_cast<int64_t>(std::max<size_t>(1, kPiece / (stride + scale_bytes)));
    for (int64_t first = 0; first < host.out && !stream_.rehearsal(); first += rows) {
        const auto n = static_cast<size_t>(std::min(rows, host.out - first)), at = static_cast<size_t>(first);
        std::byte *piece = staging(n * (stride + scale_bytes)), *scales = piece + n * stride;
        const auto pack_rows = [&](int, int64_t from, int64_t to) {
            for (int64_t r = from; r < to; ++r) pack(host, first + r, piece + static_cast<size_t>(r) * stride, scales + static_cast<size_t>(r) * scale_bytes);
        };
        if (n * stride < kPiece / 16) {  // done before others would have begun
            pack_rows(0, 0, static_cast<int64_t>(n));
        } else {
            if (!packers_) packers_ = std::make_unique<Pool>(0);
            packers_->run(static_cast<int64_t>(n), std::max<int64_t>(1, static_cast<int64_t>(kPiece / 64 / stride)), 0, pack_rows);
        }
        send(codes + at * stride, piece, n * stride);
        if (scale_bytes > 0) send(codes + static_cast<size_t>(host.out) * stride + at * scale_bytes, scales, n * scale_bytes);
    }
    return {codes, host.type, host.out, host.in};
}

unsigned* CudaBackend::counters(int64_t n) {
    if (n > counters_) {
        counters_ = std::max<int64_t>({n, 2 * counters_, 16384});
        counter_blocks_.push_back(stream_.take(static_cast<size_t>(counters_) * sizeof(unsigned), "counters"));
        stream_.zero(counter_blocks_.back(), static_cast<size_t>(counters_) * sizeof(unsigned));
    }
    return static_cast<unsigned*>(counter_blocks_.back());
}

void CudaBackend::begin_pass(int64_t rows) {
    if (rows > most_rows_) {  // one of more rows than any before takes its memory anew, as the first one does
        for (const Room& room : rooms_) stream_.give_back(room.at);
        rooms_.clear();
        most_rows_ = rows;
    }
    stream_.begin();
}

void CudaBackend::end_pass() {
    try {
        stream_.end();
    } catch (...) {
        counters_ = 0;  // what it was in the middle of left numbers there: the next one takes others
        throw;
    }
}

void* CudaBackend::temporary_bytes(size_t bytes) {
    bytes = (bytes + 255) / 256 * 256;
    while (used_.room < rooms_.size() && used_.bytes + bytes > rooms_[used_.room].bytes) ++used_.room, used_.bytes = 0;
    if (used_.room == rooms_.size()) {
        const size_t room = std::max(bytes, size_t{16} << 20);
        rooms_.push_back({stream_.take(room, "temporary memory"), room});
    }
    void* at = static_cast<std::byte*>(rooms_[used_.room].at) + used_.bytes;
    used_.bytes += bytes;
    return at;
}

}  // namespace klp::cuda
