#include "kernels/cpu/cpu_backend.h"

#include <sys/mman.h>
#include <unistd.h>

#include <numeric>
#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/cpu/learning/learning.h"
#include "kernels/cpu/limits.h"

namespace klp {
namespace {

// Much memory lies in huge pages where the system has them on request: rows of activations are kilobytes apart, and 4 KiB pages are looked up at nearly every one.
constexpr size_t kHuge = size_t{2} << 20;
std::align_val_t alignment(size_t bytes) { return std::align_val_t{bytes >= 2 * kHuge ? kHuge : 64}; }

std::byte* grab(size_t bytes) {
    void* data = ::operator new(bytes, alignment(bytes), std::nothrow);
    if (!data) throw DeviceError("out of memory: " + std::to_string(bytes) + " bytes for the CPU backend");
#ifdef MADV_HUGEPAGE
    if (bytes >= 2 * kHuge) madvise(data, bytes / kHuge * kHuge, MADV_HUGEPAGE);
#endif
    return static_cast<std::byte*>(data);
}
void drop(std::byte* data, size_t bytes) { ::operator delete(data, alignment(bytes)); }

void poison([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef KLP_POISON
    std::memset(data, 0xFF, bytes);
#endif
}

}  // namespace

Arena::~Arena() {
    for (const Block& block : blocks_) drop(block.data, block.bytes);
}

size_t Arena::bytes() const {
    size_t total = 0;
    for (const Block& block : blocks_) total += block.bytes;
    return total;
}

void Arena::reset() {
    used_ = 0;
    if (blocks_.size() < 2) return;
    const size_t total = bytes();
    for (const Block& block : blocks_) drop(block.data, block.bytes);
    blocks_.clear();
    blocks_.push_back({grab(total), total});
}

void* Arena::take_bytes(size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    if (blocks_.empty() || used_ + bytes > blocks_.back().bytes) {
        const size_t size = std::max(bytes, size_t{1} << 16);
        blocks_.push_back({grab(size), size});
        used_ = 0;
    }
    std::byte* data = blocks_.back().data + used_;
    used_ += bytes;
    poison(data, bytes);
    return data;
}

DType form(DType type) {
    if (type == DType::f32 || type == DType::f16) return DType::f32;
    return type == DType::bf16 ? DType::bf16 : DType::q8_0;
}

KLP_TABLES(Products, products_of, kProducts_)

CpuBackend::CpuBackend(int threads, Isa isa, std::string why)
    : isa_(isa),
      pool_(threads),
      drawing_(scores_of(isa)),
      products_(products_of(isa)),
      mixers_(mixers_of(isa)),
      learning_(learning_of(isa)),
      packed_(std::make_shared<Packed>()) {
    info_.name = "cpu";
    info_.why = std::move(why);
    info_.hardware = processor();
    info_.detail = std::string(name(isa)) + ", " + std::to_string(pool_.size()) + (pool_.size() == 1 ? " thread" : " threads");
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0) info_.memory_bytes = int64_t{pages} * page;
}

void CpuBackend::upload(void* device, const void* host, size_t bytes) {
    if (bytes) std::memcpy(device, host, bytes);
}
void CpuBackend::download(void* host, const void* device, size_t bytes) {
    if (bytes) std::memcpy(host, device, bytes);
}
void CpuBackend::copy(void* to, const void* from, size_t bytes) {
    if (bytes) std::memmove(to, from, bytes);
}
void CpuBackend::zero(void* device, size_t bytes) {
    if (bytes) std::memset(device, 0, bytes);
}
Weight CpuBackend::adopt(const Weight& host, std::vector<Buffer>&) { return host; }

void CpuBackend::fill(void* device, DType type, int64_t n, const Random& random) {
    constexpr int64_t kPiece = 4096;  // values: whole blocks of every type
    const DTypeInfo& row = klp::info(type);
    pool_.run((n + kPiece - 1) / kPiece, 16, 0, [&](int, int64_t first, int64_t last) {
        const int64_t from = first * kPiece;
        draw_blocks(type, random, from, std::min(n, last * kPiece) - from, static_cast<std::byte*>(device) + from / row.block * row.bytes);
    });
}

DeviceLimits CpuBackend::limits() {
    const Limits l = measure_limits(pool_.size(), isa_);
    return {l.read_gb_s, l.f32_gflops, l.bf16_gflops, l.int8_gops};
}

void* CpuBackend::take(size_t bytes) {
    std::byte* data = grab(std::max<size_t>(bytes, 1));
    poison(data, bytes);
    return data;
}
void CpuBackend::give_back(void* data, size_t bytes) noexcept { drop(static_cast<std::byte*>(data), std::max<size_t>(bytes, 1)); }

void CpuBackend::scale_heads(const ScaleHeads& a) {
    const int64_t width = a.y.dim[1] / a.H;
    for (int64_t t = 0; t < a.y.dim[0]; ++t)
        for (int64_t i = 0; i < a.y.dim[1]; ++i) a.y(t, i) *= a.factor[i / width];
}

void CpuBackend::mix(const Mix& a) {
    const int64_t n = a.v.dim[0], T = a.v.dim[1], D = a.v.dim[2];
    arena_.reset();
    const int threads = threads_for(n * T * D * 4, 4 * n * T * D);
    const int64_t room = (D + 15) / 16 * 16;
    float *normed = arena_.take<float>(threads * room), *weights = arena_.take<float>(threads * n);
    pool_.run(T, 1, threads, [&](int thread, int64_t first, int64_t last) {
        float *one = normed + thread * room, *p = weights + thread * n;
        for (int64_t t = first; t < last; ++t) {
            for (int64_t i = 0; i < n; ++i) {
                products_.rms_norm(a.v.data + (i * T + t) * D, a.w, a.eps, D, one);
                std::fill(one + D, one + room, 0.f);
                float sums[16] = {};
                for (int64_t d = 0; d < room; d += 16)
                    for (int64_t lane = 0; lane < 16; ++lane) sums[lane] += one[d + lane];
                p[i] = std::accumulate(sums, sums + 16, 0.f);
            }
            products_.softmax(p, n, p);
            float* y = a.y.row(t);
            for (int64_t d = 0; d < D; ++d) y[d] = p[0] * a.v.data[t * D + d];
            for (int64_t i = 1; i < n; ++i) {
                const float* v = a.v.data + (i * T + t) * D;
                for (int64_t d = 0; d < D; ++d) y[d] += p[i] * v[d];
            }
        }
    });
}

int CpuBackend::threads_for(int64_t bytes, int64_t products) const {
    // One thread gets through about 20 bytes of cached weights or 20 products a nanosecond; waking and joining another one costs about 1 us.
    const int64_t nanoseconds = std::max(bytes, products) / 20;
    return static_cast<int>(std::clamp<int64_t>(nanoseconds / 2000, 1, pool_.size()));
}

void CpuBackend::normalise(const Norm& norm, In<2> x, int64_t first, int64_t last, float* out, int64_t stride) const {
    const int64_t width = x.dim[1];
    for (int64_t t = first; t < last; ++t, out += width) {
        const float* row = x.data + t * (stride ? stride : width);
        if (norm.weight) {
            products_.rms_norm(row, norm.weight, norm.eps, width, out);
        } else {
            std::memcpy(out, row, static_cast<size_t>(width) * sizeof(float));
        }
    }
}

}  // namespace klp
