// The backends that tests hold to the naive one. Tests hand host memory to ops; a GPU's ops want the device's: OnHostMemory stands between.
#pragma once

#include <algorithm>
#include <functional>
#include <new>
#include <ostream>
#include <span>

#include "tests/support.h"

namespace klp::cuda_on_cpu {  // kernels/cuda compiled against tests/simt
std::shared_ptr<Backend> make_backend(int device, std::string why);
}
namespace simt {
extern int64_t launches_until_failure;       // 1: the next one fails; 0: none does
extern int64_t held_bytes, most_held_bytes;  // of device memory, now and at the most since a test set it
extern bool early;                           // launches run at once, and only what goes to the host is late; else all of it is
extern int64_t memory_nodes;                 // copies and memsets that graphs were made of
}  // namespace simt

namespace klp::test {

// A device whose ops take host pointers: every argument is copied to the device and every result back. Results that an op leaves alone come back as they were.
class OnHostMemory final : public Backend {
public:
    explicit OnHostMemory(std::shared_ptr<Backend> device) : on_(std::move(device)) {}
    const DeviceInfo& info() const override { return on_->info(); }

    void upload(void* device, const void* host, size_t bytes) override { std::memmove(device, host, bytes); }
    void download(void* host, const void* device, size_t bytes) override { std::memmove(host, device, bytes); }
    void copy(void* to, const void* from, size_t bytes) override { std::memmove(to, from, bytes); }
    void zero(void* device, size_t bytes) override { std::memset(device, 0, bytes); }
    Weight adopt(const Weight& host, std::vector<Buffer>&) override { return host; }

    void embed(const Embed& host) override {
        Embed a = host;
        weight(a.table), view(a.x);
        on_->embed(a);
        bring_back();
    }
    void linear(const Linear& host) override {
        Linear a = host;
        std::vector<Weight> w(a.w.begin(), a.w.end());
        for (Weight& one : w) weight(one);
        a.w = w;
        norm(a.norm, a.x.dim[1]);
        constant(a.x.data, a.x.dim[0] ? (a.x.dim[0] - 1) * a.x_step() + a.x.dim[1] : 0);
        memory(a.y.data, a.y.dim[0] ? (a.y.dim[0] - 1) * a.y_step() + a.y.dim[1] : 0);
        on_->linear(a);
        bring_back();
    }
    void kda(const Kda& host) override {
        Kda a = host;
        const int64_t T = a.x.dim[0], conv = a.conv_width();
        std::vector<KdaSegment> segments(a.segments.begin(), a.segments.end());
        for (KdaSegment& s : segments) {
            memory(s.state, int64_t{a.H} * a.V * a.K);
            memory(s.tail, (a.C - 1) * conv);
            constant(s.gate, int64_t{a.H} * a.K), constant(s.beta, a.H);
        }
        a.segments = segments;
        in(a.x), view(a.y), weight(a.f_b), weight(a.g_b), norm(a.o_norm, a.V);
        constant(a.conv, conv * a.C), constant(a.A_log, a.H), constant(a.dt_bias, a.gate_width());
        memory(a.taps.log_decay, T * a.H * a.K), memory(a.taps.beta, T * a.H), memory(a.taps.state_norm, T * a.H), memory(a.taps.update_norm, T * a.H);
        on_->kda(a);
        bring_back();
    }
    void scale_heads(const ScaleHeads& host) override {
        ScaleHeads a = host;
        constant(a.factor, a.H), view(a.y);
        on_->scale_heads(a);
        bring_back();
    }
    void mla(const Mla& host) override {
        Mla a = host;
        const int64_t page = kMlaPage * a.cache_width() * (a.cache_type == DType::f32 ? 4 : 2);
        std::vector<MlaSegment> segments(a.segments.begin(), a.segments.end());
        std::vector<std::vector<std::byte*>> pages;
        for (MlaSegment& s : segments) {
            pages.emplace_back(s.pages.begin(), s.pages.end());
            for (std::byte*& p : pages.back()) bytes(reinterpret_cast<void*&>(p), page, true);
            s.pages = pages.back();
        }
        a.segments = segments;
        in(a.x), view(a.y), weight(a.kv_b), norm(a.norm, a.L), memory(a.taps.log_sum_exp, a.x.dim[0] * a.H);
        on_->mla(a);
        bring_back();
    }
    void attention(const Attention& host) override {
        Attention a = host;
        const int64_t page = kMlaPage * a.cache_width() * (a.cache_type == DType::f32 ? 4 : 2);
        std::vector<AttentionSegment> segments(a.segments.begin(), a.segments.end());
        std::vector<std::vector<std::byte*>> pages;
        for (AttentionSegment& s : segments) {
            pages.emplace_back(s.pages.begin(), s.pages.end());
            for (std::byte*& p : pages.back()) bytes(reinterpret_cast<void*&>(p), page, true);
            s.pages = pages.back();
        }
        a.segments = segments;
        in(a.x), view(a.y), norm(a.q_norm, a.D), norm(a.k_norm, a.D), memory(a.taps.log_sum_exp, a.x.dim[0] * a.H);
        on_->attention(a);
        bring_back();
    }
    void ffn(const Ffn& host) override {
        Ffn a = host;
        swiglu(a.w), norm(a.norm, a.x.dim[1]), in(a.x), view(a.y);
        on_->ffn(a);
        bring_back();
    }
    void mix(const Mix& host) override {
        Mix a = host;
        in(a.v), constant(a.w, a.v.dim[2]), view(a.y);
        on_->mix(a);
        bring_back();
    }
    void moe(const Moe& host) override {
        Moe a = host;
        std::vector<SwiGlu> experts(a.experts.begin(), a.experts.end());
        for (SwiGlu& e : experts) swiglu(e);
        a.experts = experts;
        swiglu(a.shared), norm(a.norm, a.x.dim[1]), in(a.x), in(a.z), view(a.y);
        constant(a.router.weight, a.router.E * a.x.dim[1]), constant(a.router.bias, a.router.E), constant(a.shared_gate, a.x.dim[1]);
        memory(a.taps.picks, a.x.dim[0] * a.router.top_k), memory(a.taps.weights, a.x.dim[0] * a.router.top_k);
        on_->moe(a);
        bring_back();
    }
    void sample(const Sample& host) override {
        Sample a = host;
        in(a.logits), memory(a.pick, 1), memory(a.top, a.candidates);
        on_->sample(a);
        bring_back();
    }

private:
    void* take(size_t n) override { return ::operator new (n, std::align_val_t{64}); }
    void give_back(void* data, size_t) noexcept override { ::operator delete (data, std::align_val_t{64}); }

    // The same host memory twice (x and y of a residual) is the same device memory.
    void bytes(void*& at, int64_t n, bool back) {
        if (!at) return;
        for (Copy& c : copies_)
            if (c.host == at && c.bytes == static_cast<size_t>(n)) {
                c.back |= back;
                at = c.device.as();
                return;
            }
        copies_.push_back({at, static_cast<size_t>(n), back, on_->allocate(static_cast<size_t>(n))});
        on_->upload(copies_.back().device.as(), at, static_cast<size_t>(n));
        at = copies_.back().device.as();
    }
    template <class T>
    void memory(T*& at, int64_t n) {
        void* p = at;
        bytes(p, n * static_cast<int64_t>(sizeof(T)), true);
        at = static_cast<T*>(p);
    }
    void constant(const float*& at, int64_t n) {
        void* p = const_cast<float*>(at);
        bytes(p, n * static_cast<int64_t>(sizeof(float)), false);
        at = static_cast<const float*>(p);
    }
    void norm(Norm& n, int64_t width) { constant(n.weight, width); }
    template <int R>
    void in(In<R>& x) {
        constant(x.data, x.size());
    }
    template <int R>
    void view(Out<R>& y) {
        memory(y.data, y.size());
    }
    void weight(Weight& w) {
        if (w) w = on_->adopt(w, keep_);
    }
    void swiglu(SwiGlu& w) { weight(w.gate), weight(w.up), weight(w.down); }
    void bring_back() {
        for (Copy& c : copies_)
            if (c.back) on_->download(c.host, c.device.as(), c.bytes);
        copies_.clear(), keep_.clear();
    }

    struct Copy {
        void* host;
        size_t bytes;
        bool back;
        Buffer device;
    };
    std::shared_ptr<Backend> on_;
    std::vector<Copy> copies_;
    std::vector<Buffer> keep_;
};

struct Device {
    std::string name;  // of the test
    std::function<std::shared_ptr<Backend>()> make;
    friend void PrintTo(const Device& d, std::ostream* out) { *out << d.name; }
};

// The GPUs: the kernels run on the CPU, and on the first real one where there is one. Their ops take host pointers.
inline std::vector<Device> gpus() {
    std::vector<Device> all;
    all.push_back({"simulated_gpu", [] { return std::make_shared<OnHostMemory>(cuda_on_cpu::make_backend(0, "")); }});
    all.push_back({"simulated_small_gpu", [] { return std::make_shared<OnHostMemory>(cuda_on_cpu::make_backend(1, "")); }});  // with less shared memory
    if (make_backend("cuda")) all.push_back({"gpu", [] { return std::make_shared<OnHostMemory>(*make_backend("cuda")); }});
    return all;
}
// The CPU with each instruction set.
inline std::vector<Device> cpus() {
    std::vector<Device> all;
    for (Isa isa : supported_isas()) all.push_back({std::string(name(isa)), [isa] { return cpu(isa); }});
    return all;
}
inline std::vector<Device> devices() {
    std::vector<Device> all = cpus();
    for (Device& gpu : gpus()) all.push_back(std::move(gpu));
    return all;
}

}  // namespace klp::test
