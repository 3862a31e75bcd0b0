// Checkpoints as folders of safetensors: written whole or not at all. Everything goes to a folder beside the target, which gets its name when all is on the
// disk.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <utility>

#include "core/files/weights.h"

namespace klp {

struct WriteOptions {
    const std::atomic<bool>* cancel = nullptr;                  // looked at many times a second; the error's kind is `interrupted`
    std::function<void(int64_t done, int64_t total)> progress;  // bytes; may be empty
    int64_t shard_bytes = 4'000'000'000;                        // more than one file where the tensors take more than this
};

// Bytes of the values first .. first + count of a tensor, in its type; whole blocks, count at most a few million.
using WritePiece = std::function<Result<void>(const TensorInfo& tensor, int64_t first, int64_t count, std::byte* data)>;

// A folder with these tensors and small files (name, content). The folder must not exist yet, or be empty. Full disks and the like are Errors that name the
// file.
Result<void> write_checkpoint(const std::filesystem::path& folder, std::vector<TensorInfo> tensors, const WritePiece& piece,
                              const std::vector<std::pair<std::string, std::string>>& files, const WriteOptions& options = {});

// Random weights (see synthetic_weights).
Result<void> init_checkpoint(const std::filesystem::path& folder, const ModelConfig& config, DType type, uint64_t seed, const WriteOptions& options = {});

// The weights of another checkpoint with its matrices as `type`, beside these small files (config.json among them).
Result<void> quantize_checkpoint(const WeightSource& from, const ModelConfig& config, const std::vector<std::pair<std::string, std::string>>& files,
                                 const std::filesystem::path& to, DType type, const WriteOptions& options = {});

}  // namespace klp
