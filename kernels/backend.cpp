// Choosing a device, and saying why it became this one.
#include "kernels/backend.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/naive.h"
#if KLP_CUDA
#include "kernels/cuda/devices.h"
#endif

namespace klp {

// On memory that is the host's.
void Backend::fill(void* device, DType type, int64_t n, const Random& random) { draw_blocks(type, random, 0, n, device); }

Weight Backend::draw(const Weight& shape, const Random& random, std::vector<Buffer>& keep) {
    keep.push_back(allocate(static_cast<size_t>(shape.bytes())));
    fill(keep.back().as(), shape.type, shape.out * shape.in, random);
    return {keep.back().as(), shape.type, shape.out, shape.in};
}

std::unique_ptr<Download> Backend::download_later(std::span<const std::span<const std::byte>> parts) {
    class Here final : public Download {
    public:
        std::span<const std::byte> wait() override { return bytes; }
        std::vector<std::byte> bytes;
    };
    auto here = std::make_unique<Here>();
    for (const auto& part : parts) {
        if (part.empty()) continue;
        const size_t at = here->bytes.size();
        here->bytes.resize(at + part.size());
        download(here->bytes.data() + at, part.data(), part.size());
    }
    return here;
}

#if KLP_CUDA
namespace {

// A GPU that gets its first products wrong, or for which this program holds no code, is not used: of one row and of many, with weights of every type that it
// takes.
std::string why_not(Backend& on) {
    constexpr int64_t kIn = 128, kOut = 64;
    for (const DTypeInfo& type : dtypes().first(5)) {
        for (const int64_t T : {1, 40}) {
            std::vector<float> values(kIn * kOut), w(kIn * kOut), x(static_cast<size_t>(T * kIn)), y(static_cast<size_t>(T * kOut));
            for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(static_cast<int>(i * 7 % 11) - 5);
            for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 5 % 9) - 4);
            std::vector<std::byte> stored(static_cast<size_t>(kIn * kOut / type.block * type.bytes));
            encode(type.type, values.data(), kIn * kOut, stored.data());
            decode(type.type, stored.data(), kIn * kOut, w.data());
            std::vector<Buffer> keep;
            const Weight there = on.adopt({stored.data(), type.type, kOut, kIn}, keep);
            Buffer in = on.allocate(x.size() * sizeof(float)), out = on.allocate(y.size() * sizeof(float));
            on.upload(in.as(), x.data(), in.bytes());
            on.linear({.x = {in.as<float>(), {T, kIn}}, .w = {&there, 1}, .y = {out.as<float>(), {T, kOut}}});
            on.download(y.data(), out.as(), out.bytes());
            for (size_t i = 0; i < y.size(); ++i) {
                float sum = 0, size = 0;
                for (size_t k = 0; k < kIn; ++k) {
                    const float p = w[i % kOut * kIn + k] * x[i / kOut * kIn + k];
                    sum += p, size += std::abs(p);
                }
                if (!(std::abs(y[i] - sum) <= 0.01f * size)) return "it got a first product with " + std::string(type.name) + " weights wrong";
            }
        }
    }
    return "";
}

Result<std::shared_ptr<Backend>> cuda_backend(int device) {
    try {
        auto on = cuda::make_backend(device, "");
        if (const std::string why = why_not(*on); !why.empty()) return fail(Error::device, on->info().hardware + ": " + why);
        return on;
    } catch (const DeviceError& e) {
        return fail(Error::device, e.what());
    }
}

}  // namespace

std::string why_no_gpu() {
    const CudaDevices found = cuda_devices();
    return found.count > 0 ? "" : "no CUDA device: " + found.text;
}
#else
std::string why_no_gpu() { return "built without CUDA"; }
#endif

Result<std::shared_ptr<Backend>> make_backend(const std::string& device, int threads) {
    if (threads < 0) return fail(Error::usage, "threads: " + std::to_string(threads) + " is not a number of threads");
    if (device == "cpu") return std::make_shared<CpuBackend>(threads, best_isa(), "");
    if (device == "naive") return make_naive_backend();
    const bool chosen = device == "cuda" || device.starts_with("cuda:");
    if (!chosen && device != "auto") return fail(Error::usage, "device " + device + ": there are auto, cpu, cuda, cuda:N and naive");
    std::string why = why_no_gpu();
    if (why.empty()) {
#if KLP_CUDA
        int index = 0;
        if (const std::string number = chosen && device.size() > 5 ? device.substr(5) : ""; !number.empty()) {
            const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
            if (error != std::errc{} || end != number.data() + number.size() || index < 0)
                return fail(Error::usage, "device " + device + ": N of cuda:N is a number");
            if (index >= cuda_devices().count)
                return fail(Error::device, "device " + device + ": the devices are " + cuda_devices().text + ", and the first one is cuda:0");
        }
        auto on = cuda_backend(index);
        if (on) return on;
        why = on.error().message;
#endif
    }
    if (chosen) return fail(Error::device, "device " + device + ": " + why);
    return std::make_shared<CpuBackend>(threads, best_isa(), why);
}

}  // namespace klp
