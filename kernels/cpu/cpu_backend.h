// The CPU: inner loops of the best instruction set this machine has, and a pool of threads.
#pragma once

#include <functional>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/pool.h"
#include "kernels/cpu/sample.h"
#include "kernels/cpu/simd/mixers.h"
#include "kernels/cpu/simd/products.h"
#include "kernels/gradients.h"

namespace klp {

// Memory of the op in progress. It is kept from op to op, so that a token costs no allocation. Taken before the threads start, by the caller alone.
class Arena {
public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena();
    void reset();  // everything taken is free again; blocks are merged so that the next such op fits into one
    template <class T>
    T* take(int64_t n) {
        return static_cast<T*>(take_bytes(static_cast<size_t>(n) * sizeof(T)));
    }
    size_t bytes() const;

private:
    struct Block {
        std::byte* data;
        size_t bytes;
    };
    void* take_bytes(size_t bytes);  // 64-byte aligned; 0xFF bytes where KLP_POISON is set
    std::vector<Block> blocks_;
    size_t used_ = 0;  // of the last block
};

// The type that stands for all types whose products take x in the same form: f32 (and f16), bf16, q8_0 (and every other type of blocks).
DType form(DType type);

struct Learning;
struct Maker;
struct Rows;
class Packed;
class Piece;

class CpuBackend final : public Backend, public Gradients {
public:
    CpuBackend(int threads, Isa isa, std::string why = {});
    const DeviceInfo& info() const override { return info_; }
    Isa isa() const { return isa_; }

    void upload(void* device, const void* host, size_t bytes) override;
    void download(void* host, const void* device, size_t bytes) override;
    void copy(void* to, const void* from, size_t bytes) override;
    void zero(void* device, size_t bytes) override;
    Weight adopt(const Weight& host, std::vector<Buffer>& keep) override;
    void fill(void* device, DType type, int64_t n, const Random& random) override;
    DeviceLimits limits() override;

    void embed(const Embed&) override;          // linear.cpp
    void linear(const Linear&) override;        // linear.cpp
    void kda(const Kda&) override;              // kda.cpp
    void mla(const Mla&) override;              // mla.cpp
    void attention(const Attention&) override;  // attention.cpp
    void scale_heads(const ScaleHeads&) override;
    void ffn(const Ffn&) override;  // moe.cpp
    void moe(const Moe&) override;  // moe.cpp
    void mix(const Mix&) override;
    void sample(const Sample&) override;  // sample.cpp

    Gradients* gradients() override { return this; }
    void linear_back(const LinearBack&) override;     // learning/products.cpp
    void embed_back(const EmbedBack&) override;       // learning/products.cpp
    void cross_entropy(CrossEntropy&) override;       // learning/products.cpp
    void kda_back(const KdaBack&) override;           // learning/mixers.cpp
    void mla_back(const MlaBack&) override;           // learning/mixers.cpp
    void ffn_back(const FfnBack&) override;           // learning/ffn.cpp
    void moe_back(const MoeBack&) override;           // learning/ffn.cpp
    void adamw(std::span<const AdamW>) override;      // learning/steps.cpp
    void muon(std::span<const Muon>) override;        // learning/steps.cpp
    double squares(std::span<const float>) override;  // learning/steps.cpp
    void add(std::span<const float>, float* to) override;
    void to_bf16(std::span<const float>, void* out) override;
    void hold_weights() override;  // learning/products.cpp

private:
    void* take(size_t bytes) override;
    void give_back(void* data, size_t bytes) noexcept override;

    // Threads worth waking for work of about this size: `bytes` read once, `products` multiply-adds.
    int threads_for(int64_t bytes, int64_t products) const;
    // Rows first .. last - 1 to out[0], out[1], ...; `stride` floats from one to the next in x, 0: as many as it is wide.
    void normalise(const Norm& norm, In<2> x, int64_t first, int64_t last, float* out, int64_t stride = 0) const;
    void route(const Router& router, In<2> n, int32_t* picks, float* weights);
    struct Job;
    void run_jobs(std::span<Job> jobs, In<2> n, Out<2> y);
    // The same while weights stay (hold_weights), of many tokens: products of what was made of bf16 weights once.
    bool packed(int64_t tokens, std::span<const Weight> weights) const;  // learning/products.cpp
    void packed_linear(const Linear& a);                                 // learning/products.cpp
    void packed_jobs(std::span<const Job> jobs, In<2> n, Out<2> y);

    // Of the backward ops; the arena is not reset in between.
    void back(const LinearBack& a);
    Rows normalised(const Norm& norm, const Rows& x);                                                              // x itself where there is no norm
    void normalised(const Norm& norm, const Rows& x, float* out);                                                  // [rows, columns]
    void norm_back(const Norm& norm, const Rows& x, const float* dn, float* dx, int64_t dx_stride, float* dnorm);  // dx +=, dnorm +=
    Maker maker(bool alone = false);
    Piece piece(const std::function<void(Piece&)>& body);  // memory of the arena for `body`, which is called once to count

    DeviceInfo info_;
    Isa isa_;
    Pool pool_;
    Arena arena_;  // every op begins with arena_.reset()
    Drawing drawing_;
    const Products& products_;
    const Mixers& mixers_;
    const Learning& learning_;
    std::shared_ptr<Packed> packed_;  // for learning
    Arena lasting_;                   // where those lie
};

}  // namespace klp
