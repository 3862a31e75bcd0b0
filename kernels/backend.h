// A device: its memory and one virtual per op of ops.h. Calls run in order; download() waits for what came before it.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "kernels/ops.h"
#include "kernels/random.h"

namespace klp {

// What went wrong, in one sentence that names the file and the field; the kind decides the program's exit code.
struct Error {
    enum Kind { failure = 1, usage = 2, model = 3, device = 4, interrupted = 130 };
    Kind kind = failure;
    std::string message;
};
template <class T>
using Result = tl::expected<T, Error>;
inline tl::unexpected<Error> fail(Error::Kind kind, std::string message) { return tl::unexpected<Error>(Error{kind, std::move(message)}); }

// The machine failed in the middle of work (out of memory, a lost device): thrown, caught in main and in the engine thread's loop.
struct DeviceError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct DeviceInfo {
    std::string name;      // "cpu", "cuda:0"
    std::string hardware;  // what the machine calls itself
    std::string detail;    // instruction set and threads, or compute capability and driver
    std::string why;       // why this device was chosen, when it was not the one asked for first
    int64_t memory_bytes = 0;
    int64_t pass_tokens = 512;  // of a prompt in one pass, at the most: enough that its weights are not read for too few
    bool whole_passes = false;  // runs what lies between begin_pass and end_pass as one, and the host need not wait for it: what a part of it took is not known
};

// What a device is doing, as far as it tells: what it does not is negative.
struct DeviceLoad {
    double busy = -1;                             // 0 .. 1, of the last moments
    int64_t memory_used = -1, memory_total = -1;  // bytes, of all programs
    double clock_mhz = -1, watts = -1, celsius = -1;
};

// What a device can do at most, measured when it is asked; 0: not known. A product counts as two operations.
struct DeviceLimits {
    double read_gb_s = 0;    // of its memory
    double f32_gflops = 0;   // fused multiply-adds
    double bf16_gflops = 0;  // pair products, matrix tiles, tensor cores
    double int8_gops = 0;
};

// Passes of a device that keeps its calls back and runs them as one (begin_pass): call by call, when they were made a graph, and as that graph again. A
// decoded token that is not replayed costs some 200 launches by the host.
struct DevicePasses {
    int64_t eager = 0, captured = 0, replayed = 0;
};

class Backend;
class Gradients;

// Device memory and a share of its Backend, so that memory cannot outlive its device.
class Buffer {
public:
    Buffer() = default;
    Buffer(std::shared_ptr<Backend> owner, void* data, size_t bytes) : owner_(std::move(owner)), data_(data), bytes_(bytes) {}
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Buffer();
    template <class T = std::byte>
    T* as() const {
        return static_cast<T*>(data_);
    }
    size_t bytes() const { return bytes_; }
    Backend* owner() const { return owner_.get(); }

private:
    void swap(Buffer& other) noexcept {
        owner_.swap(other.owner_);
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
    }
    std::shared_ptr<Backend> owner_;
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

// Bytes on their way to the host, part behind part.
class Download {
public:
    virtual ~Download() = default;
    virtual std::span<const std::byte> wait() = 0;  // until they are here
};

class Backend : public std::enable_shared_from_this<Backend> {  // used by one thread at a time: its own threads work for that one
public:
    virtual ~Backend() = default;
    virtual const DeviceInfo& info() const = 0;

    // Memory. Contents of a fresh buffer are unspecified (0xFF bytes, which are NaNs, where KLP_POISON is set). Throws DeviceError when there is none left.
    Buffer allocate(size_t bytes) { return Buffer(shared_from_this(), take(bytes), bytes); }
    virtual void upload(void* device, const void* host, size_t bytes) = 0;
    virtual void download(void* host, const void* device, size_t bytes) = 0;
    // The same when what was called so far has run, whatever is called behind it; the parts must stay as they are until they are here.
    virtual std::unique_ptr<Download> download_later(std::span<const std::span<const std::byte>> parts);
    virtual void copy(void* to, const void* from, size_t bytes) = 0;
    virtual void zero(void* device, size_t bytes) = 0;
    // A weight of a mapped file, made ready for this device's ops; what it needs of its own is appended to `keep`. The CPU reads the mapping itself.
    virtual Weight adopt(const Weight& host, std::vector<Buffer>& keep) = 0;

    // Random values made where they are used, rounded as encode() rounds them: the same on every device. fill: n values of f32, f16 or bf16, the CPU's also
    // whole blocks of the others. draw: a weight of this type and shape (its data is not looked at), as adopt() would have left it.
    virtual void fill(void* device, DType type, int64_t n, const Random& random);
    virtual Weight draw(const Weight& shape, const Random& random, std::vector<Buffer>& keep);

    virtual int64_t free_bytes() const { return -1; }  // of memory that is not the host's; -1: it is the host's
    virtual DeviceLoad load() const { return {}; }     // any thread
    virtual DeviceLimits limits() { return {}; }       // takes about a second

    // A device like this one that counts the memory it would take, and neither takes any nor runs anything: what is downloaded from it is nothing. Null where
    // memory is the host's. rehearsed_bytes: the most that it held at one time; -1: this device is a real one.
    virtual std::shared_ptr<Backend> rehearsal() const { return nullptr; }
    virtual int64_t rehearsed_bytes() const { return -1; }

    // One forward pass of so many rows lies between the two: a device may keep its calls back and run them as one. A download in between runs what came before.
    virtual void begin_pass(int64_t /*rows*/) {}
    virtual void end_pass() {}
    virtual std::optional<DevicePasses> passes() const { return std::nullopt; }  // so far

    virtual void embed(const Embed&) = 0;
    virtual void linear(const Linear&) = 0;
    virtual void kda(const Kda&) = 0;
    virtual void mla(const Mla&) = 0;
    virtual void attention(const Attention&) = 0;
    virtual void scale_heads(const ScaleHeads&) = 0;
    virtual void ffn(const Ffn&) = 0;
    virtual void moe(const Moe&) = 0;
    virtual void mix(const Mix&) = 0;
    virtual void sample(const Sample&) = 0;

    virtual Gradients* gradients() { return nullptr; }  // the backward ops (gradients.h), of a device that can learn

protected:
    friend class Buffer;
    virtual void* take(size_t bytes) = 0;
    virtual void give_back(void* data, size_t bytes) noexcept = 0;
};
inline Buffer::~Buffer() {
    if (data_) owner_->give_back(data_, bytes_);
}

// "auto", "cpu", "cuda" or "cuda:N", and "naive" (float64, one formula after the other: the tests' truth). threads 0: all cores. auto falls back to the CPU and
// says why.
Result<std::shared_ptr<Backend>> make_backend(const std::string& device, int threads = 0);
// Why "auto" takes the CPU, without making a backend; "" where it takes a GPU.
std::string why_no_gpu();

}  // namespace klp
