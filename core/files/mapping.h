// Files mapped read-only: what a model's weights are read from, where they lie.
//
// A file that another program makes shorter takes its pages away, and reading one of them is a SIGBUS. A handler that knows the mapped ranges turns that into
// a sentence that names the file, and the exit code of a bad model.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <span>
#include <utility>

#include "kernels/backend.h"

namespace klp {

class Mapping {
public:
    // A whole regular file; folders, devices and pipes are refused. An empty file is an empty mapping.
    static Result<Mapping> open(const std::filesystem::path& file);

    Mapping() = default;
    Mapping(Mapping&& other) noexcept { swap(other); }
    Mapping& operator=(Mapping&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Mapping();
    std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), bytes_}; }

private:
    void swap(Mapping& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        std::swap(guard_, other.guard_);
    }
    struct Guard;
    Mapping(void* data, size_t bytes, Guard* guard) : data_(data), bytes_(bytes), guard_(guard) {}
    void* data_ = nullptr;
    size_t bytes_ = 0;
    Guard* guard_ = nullptr;  // what the handler says when a page of this file is gone
};

// Asks the system to read these files soon; nothing where they leave little memory to others.
void read_ahead(std::span<const Mapping> files);
// Brings them into memory with all cores (WeightSource::fetch).
void fetch_pages(std::span<const Mapping> files, const std::function<void(double fraction)>& progress, const std::atomic<bool>* cancel);
// `piece` for 0 .. pieces - 1, in no order, each on one core; progress (may be empty) comes on this thread, and who cancels waits for the pieces under way.
void on_all_cores(size_t pieces, const std::function<void(size_t)>& piece, const std::function<void(double fraction)>& progress,
                  const std::atomic<bool>* cancel);

}  // namespace klp
