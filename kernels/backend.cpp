// Choosing a device, and saying why it became this one.
#include "kernels/backend.h"

#include <charconv>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/naive.h"
#if KLP_CUDA
#include "kernels/cuda/devices.h"
#endif

namespace klp {

#if KLP_CUDA
namespace {

// A GPU that gets its first product wrong, or for which this program holds no code, is not used. Sums of small whole numbers, exact in any order.
std::string why_not(Backend& on) {
    constexpr int64_t kIn = 96, kOut = 5;
    std::vector<float> w(kIn * kOut), x(kIn), y(kOut);
    for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(static_cast<int>(i * 7 % 11) - 5);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 5 % 9) - 4);
    std::vector<Buffer> keep;
    const Weight there = on.adopt({reinterpret_cast<const std::byte*>(w.data()), DType::f32, kOut, kIn}, keep);
    Buffer in = on.allocate(kIn * sizeof(float)), out = on.allocate(kOut * sizeof(float));
    on.upload(in.as(), x.data(), in.bytes());
    on.linear({.x = {in.as<float>(), {1, kIn}}, .w = {&there, 1}, .y = {out.as<float>(), {1, kOut}}});
    on.download(y.data(), out.as(), out.bytes());
    for (size_t r = 0; r < y.size(); ++r) {
        float sum = 0;
        for (size_t i = 0; i < x.size(); ++i) sum += w[r * kIn + i] * x[i];
        if (y[r] != sum) return "it got a first product wrong";
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
            if (error != std::errc{} || end != number.data() + number.size() || index < 0) return fail(Error::usage, "device " + device + ": N of cuda:N is a number");
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
