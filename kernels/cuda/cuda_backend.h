// An NVIDIA GPU: every op of ops.h as kernels on one stream. linear.cu: embed, linear, ffn; kda.cu; mla.cu; attention.cu; moe.cu; sample.cu.
#pragma once

#include <optional>

#include "kernels/cuda/device.h"
#include "kernels/cuda/devices.h"
#include "kernels/cuda/downloads.h"
#include "kernels/cuda/nvml.h"

namespace klp {
class Pool;
}
namespace klp::cuda {

struct KdaShape;
struct KdaRows;

class CudaBackend final : public Backend {
public:
    CudaBackend(int device, std::string why, bool rehearsal = false);
    ~CudaBackend() override;
    const DeviceInfo& info() const override { return info_; }

    void upload(void* device, const void* host, size_t bytes) override;
    void download(void* host, const void* device, size_t bytes) override;
    std::unique_ptr<Download> download_later(std::span<const std::span<const std::byte>> parts) override;
    void copy(void* to, const void* from, size_t bytes) override { stream_.copy(to, from, bytes); }
    void zero(void* device, size_t bytes) override { stream_.zero(device, bytes); }
    Weight adopt(const Weight& host, std::vector<Buffer>& keep) override;
    void fill(void* device, DType type, int64_t n, const Random& random) override;               // draw.cu
    Weight draw(const Weight& shape, const Random& random, std::vector<Buffer>& keep) override;  // draw.cu
    DeviceLimits limits() override;                                                              // draw.cu
    int64_t free_bytes() const override { return stream_.free_bytes(); }
    std::shared_ptr<Backend> rehearsal() const override { return std::make_shared<CudaBackend>(device_, std::string(), true); }
    int64_t rehearsed_bytes() const override { return stream_.rehearsal() ? stream_.most_bytes() : -1; }
    DeviceLoad load() const override { return nvml_ ? nvml_->read() : DeviceLoad{}; }
    void begin_pass(int64_t rows) override;
    void end_pass() override;
    std::optional<DevicePasses> passes() const override { return stream_.passes(); }

    void embed(const Embed&) override;
    void linear(const Linear&) override;
    void kda(const Kda&) override;
    void mla(const Mla&) override;
    void attention(const Attention&) override;
    void scale_heads(const ScaleHeads&) override;
    void mix(const Mix&) override;
    void ffn(const Ffn&) override;
    void moe(const Moe&) override;
    void sample(const Sample&) override;

private:
    void* take(size_t bytes) override { return stream_.take(bytes, "a buffer"); }
    void give_back(void* data, size_t) noexcept override { stream_.give_back(data); }

    // Pinned memory for one piece of what is on its way; good until so much has been asked for again.
    std::byte* staging(size_t bytes);
    void send(void* to, const std::byte* staged, size_t bytes);

    // Temporary memory of the op in progress, at the same addresses in every pass of the same shapes. Every op begins with fresh().
    void fresh() { used_ = {}, stream_.fresh(); }
    template <class T>
    T* temporary(int64_t n) {
        return static_cast<T*>(temporary_bytes(static_cast<size_t>(n) * sizeof(T)));
    }
    void* temporary_bytes(size_t bytes);
    // n counters for kernels whose last block ends the work: 0 before an op's launches, and 0 again after them.
    unsigned* counters(int64_t n);

    int64_t shared_limit() const { return static_cast<int64_t>(shared_) - 8192; }  // some is the kernels' own

    // y = W norm(x), y += W norm(x): for the ops that are made of products too. x: [T, in], rows `x_stride` floats apart; y the same.
    struct Product {
        const float* x = nullptr;
        int64_t x_stride = 0, T = 0;
        Norm norm;
        Matrix w;
        float* y = nullptr;
        int64_t y_stride = 0;
        bool add = false;
    };
    void multiply(const Product& product) { multiply(product, {&product.w, 1}); }
    void multiply(const Product& product, std::span<const Matrix> w);  // the results of several matrices side by side; product.w is not looked at
    const float* normalised(const float* x, int64_t x_stride, int64_t T, int64_t width, const Norm& norm);  // [T, width], x itself where there is no norm

    // For many rows: norm(x) in global memory as products with a weight of this type take it (many.h), and y = [y +] W x of that, x by the form of the weight.
    static constexpr size_t kTypes = 4;  // with whose form a product takes x
    const unsigned char* prepared(const float* x, int64_t x_stride, int64_t T, int64_t width, const Norm& norm, DType type);
    void multiply_prepared(const unsigned char* const (&x)[kTypes], int64_t T, std::span<const Matrix> w, float* y, int64_t y_stride, bool add);

    // y += down( silu(gate n) * (up n) ),  n = norm(x)
    void feed_forward(const Expert& w, const float* x, const Norm& norm, int64_t T, float* y);

    // The experts' matrices in device memory, the shared one last. Made once for each layer, and anew when they are other ones.
    struct ExpertTable {
        const SwiGlu* of = nullptr;
        const std::byte* shared = nullptr;
        size_t count = 0;
        int64_t adopted = 0;  // adopted_ when it was made
        Expert* experts = nullptr;
        uint32_t in_types = 0, down_types = 0;  // layouts, as bits
        uint32_t few_in = 0, few_down = 0;      // types by whose kernels few tokens go
        bool even = true;                       // gate and up of each expert have the same layout
        int64_t F = 0;                          // the widest hidden layer
        int64_t hidden_stride = 0;              // bytes of a prepared row of it
        bool ragged = false;                    // such a row has padding
        int staged_in = 0, staged_hidden = 0;   // bytes of a row of x in shared memory, of the kind that takes most
    };
    const ExpertTable& expert_table(const Moe& a);
    void moe_of_many(const Moe& a, const ExpertTable& table, const float* n, const int32_t* picks, const float* weights,
                     const float* of_all);  // all of it behind the router

    void kda_step(const KdaShape& shape, const Matrix& f_b, const Matrix& g_b, std::span<const KdaRows> segments);
    void kda_pieces(const KdaShape& shape, const Matrix& f_b, const Matrix& g_b, std::span<const KdaRows> pieces, bool chunkwise);

    const int device_;
    DeviceInfo info_;
    Stream stream_;
    Downloads downloads_;
    int processors_ = 1;  // SMs
    size_t shared_ = 0;   // bytes of shared memory that a block may have
    struct Room {
        void* at = nullptr;
        size_t bytes = 0;
    };
    struct Place {
        size_t room = 0, bytes = 0;
    };
    std::vector<Room> rooms_;  // of temporary memory
    Place used_;
    int64_t most_rows_ = 0;  // of a pass
    std::vector<void*> counter_blocks_;
    int64_t counters_ = 0;  // in the last block
    std::optional<Nvml> nvml_;
    std::byte* staging_ = nullptr;  // pinned, two halves
    cudaEvent_t sent_[2] = {};
    int half_ = 0;
    size_t staged_ = 0;    // bytes of the half
    int64_t adopted_ = 0;  // weights so far
    std::unique_ptr<Pool> packers_;
    std::vector<ExpertTable> expert_tables_;
};

}  // namespace klp::cuda
