#include "core/files/checkpoint_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>
#include <vector>

#include "core/files/disk.h"
#include "core/files/json.h"
#include "core/files/safetensors.h"
#include "core/files/values.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kPiece = 1 << 20;  // values at a time; whole blocks of every type

// A file that is being written. What goes wrong first is kept; close() says it, with the file's name.
class OutFile {
public:
    OutFile(const fs::path& folder, const std::string& name, const fs::path& shown) : shown_(shown / name) {
        fd_ = open((folder / name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd_ < 0) error_ = errno;
    }
    OutFile(const OutFile&) = delete;
    OutFile& operator=(const OutFile&) = delete;
    ~OutFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    // Asks for the room at once, so that a disk that is too small says so now and not in an hour. Not every file system can.
    void reserve(int64_t bytes) {
        if (!error_ && bytes > 0 && fallocate(fd_, 0, 0, bytes) != 0 && (errno == ENOSPC || errno == EFBIG)) error_ = errno;
    }
    void write(const void* data, int64_t bytes) {
        for (const char* at = static_cast<const char*>(data); !error_ && bytes > 0;) {
            const ssize_t n = ::write(fd_, at, static_cast<size_t>(bytes));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                error_ = n < 0 ? errno : EIO;
                return;
            }
            at += n, bytes -= n;
        }
    }
    bool failed() const { return error_ != 0; }
    Result<void> close() {
        if (!error_ && fsync(fd_) != 0) error_ = errno;
        if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0 && !error_) error_ = errno;
        if (error_) return fail(Error::failure, shown_.string() + ": " + std::strerror(error_));
        return {};
    }

private:
    fs::path shown_;
    int fd_ = -1;
    int error_ = 0;
};

void sync_folder(const fs::path& folder) {
    if (const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); fd >= 0) fsync(fd), close(fd);
}

// The folder that is filled; without a keep() it goes away with everything in it.
class Unfinished {
public:
    explicit Unfinished(fs::path target) : target_(std::move(target)) {}
    ~Unfinished() {
        std::error_code ignored;
        if (!folder_.empty()) fs::remove_all(folder_, ignored);
    }
    Result<void> make() {
        for (int attempt = 0;; ++attempt) {
            const fs::path folder = target_.string() + ".part" + std::to_string(getpid()) + "-" + std::to_string(attempt);
            if (mkdir(folder.c_str(), 0777) == 0) {
                folder_ = folder;
                return {};
            }
            if (errno != EEXIST) return fail(Error::failure, target_.string() + ": " + std::strerror(errno));
        }
    }
    Result<void> keep() {
        sync_folder(folder_);
        if (rename(folder_.c_str(), target_.c_str()) != 0) return fail(Error::failure, target_.string() + ": " + std::strerror(errno));
        folder_.clear();
        sync_folder(target_.parent_path());
        return {};
    }
    const fs::path& folder() const { return folder_; }

private:
    fs::path target_, folder_;
};

Result<void> write_file(const fs::path& folder, const std::string& name, const std::string& content, const fs::path& shown) {
    OutFile file(folder, name, shown);
    file.write(content.data(), static_cast<int64_t>(content.size()));
    return file.close();
}

std::string shard_name(size_t i, size_t n) {
    if (n == 1) return "model.safetensors";
    char name[64];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, n);
    return name;
}

// An error where one of n values of a piece, the first of which is value `first` of the tensor, is no finite number.
Result<void> check_piece(const TensorInfo& t, DType type, int64_t first, int64_t n, const std::byte* data) {
    OddValues odd = odd_values(type, data, n);
    if (odd.count == 0) return {};
    odd.tensor = t.name, odd.shape = t.shape, odd.first += first, odd.count = 1;  // who asks for all of them asks check_values()
    return fail(Error::model, text(odd));
}

// By all cores: the search for good scales takes most of the time that a quantised file does.
void encode_together(DType type, std::span<const float> values, std::byte* data) {
    const DTypeInfo& row = info(type);
    const auto n = static_cast<int64_t>(values.size()), cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
    const int64_t share = std::max<int64_t>((n / cores + 4095) / 4096 * 4096, 1 << 16);  // whole blocks
    const auto part = [&](int64_t first) { encode(type, values.data() + first, std::min(share, n - first), data + first / row.block * row.bytes); };
    std::vector<std::jthread> others;
    for (int64_t first = share; first < n; first += share) others.emplace_back(part, first);
    part(0);
}

// Floats into a piece's bytes, unless they have no place in its type.
Result<void> encode_piece(const TensorInfo& t, int64_t first, std::span<const float> values, std::byte* data) {
    const auto n = static_cast<int64_t>(values.size());
    if (auto finite = check_piece(t, DType::f32, first, n, reinterpret_cast<const std::byte*>(values.data())); !finite) return finite;
    encode_together(t.type, values, data);
    const OddValues odd = odd_values(t.type, data, n);
    if (odd.count == 0) return {};
    const auto block = values.subspan(static_cast<size_t>(odd.first), static_cast<size_t>(info(t.type).block));
    const auto largest = std::max_element(block.begin(), block.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
    const OddValues large{.tensor = t.name, .shape = t.shape, .count = 1, .first = first + odd.first + (largest - block.begin()), .value = *largest};
    return fail(Error::model, text(large) + ", which " + t.stored + " cannot");
}

}  // namespace

Result<void> write_checkpoint(const fs::path& where, std::vector<TensorInfo> tensors, const WritePiece& piece,
                              const std::vector<std::pair<std::string, std::string>>& files, const WriteOptions& options) {
    fs::path target = fs::absolute(where).lexically_normal();
    if (target.filename().empty()) target = target.parent_path();
    std::error_code none;
    if (fs::exists(target, none) && !(fs::is_directory(target, none) && fs::is_empty(target, none)))
        return fail(Error::usage, where.string() + " exists already and is not an empty folder");
    int64_t total = 0, in_shard = 0;
    for (const TensorInfo& t : tensors) total += t.bytes;
    if (auto room = check_room(where, total); !room) return room;
    Unfinished unfinished(target);
    if (auto made = unfinished.make(); !made) return made;
    for (const auto& [name, content] : files)
        if (auto written = write_file(unfinished.folder(), name, content, where); !written) return written;

    std::vector<std::vector<TensorInfo>> shards(1);
    for (TensorInfo& t : tensors) {
        if (in_shard > 0 && in_shard + t.bytes > options.shard_bytes) shards.emplace_back(), in_shard = 0;
        in_shard += t.bytes;
        shards.back().push_back(std::move(t));
    }
    nlohmann::ordered_json index;
    index["metadata"]["total_size"] = total;
    std::vector<std::byte> buffer;
    int64_t done = 0;
    for (size_t s = 0; s < shards.size(); ++s) {
        // The format has no padding: what is no multiple of 64 bytes goes behind, widest numbers first, so that everything starts at an address that suits it.
        std::stable_sort(shards[s].begin(), shards[s].end(), [](const TensorInfo& a, const TensorInfo& b) {
            const auto rank = [](const TensorInfo& t) { return t.bytes % 64 == 0 ? 0 : t.type == DType::f32 ? 1 : 2; };
            return rank(a) < rank(b);
        });
        const std::string name = shard_name(s, shards.size()), header = safetensors_header(shards[s]);
        OutFile file(unfinished.folder(), name, where);
        int64_t bytes = static_cast<int64_t>(header.size());
        for (const TensorInfo& t : shards[s]) bytes += t.bytes;
        file.reserve(bytes);
        file.write(header.data(), static_cast<int64_t>(header.size()));
        for (const TensorInfo& t : shards[s]) {
            const DTypeInfo& row = info(t.type);
            const int64_t values = value_count(t);
            for (int64_t first = 0; first < values && !file.failed(); first += kPiece) {
                if (options.cancel && *options.cancel)
                    return fail(Error::interrupted, "writing " + where.string() + " was interrupted; nothing was left behind");
                const int64_t count = std::min(kPiece, values - first), size = count / row.block * row.bytes;
                buffer.resize(static_cast<size_t>(size));
                if (auto filled = piece(t, first, count, buffer.data()); !filled) return filled;
                file.write(buffer.data(), size);
                done += size;
                if (options.progress) options.progress(done, total);
            }
            index["weight_map"][t.name] = name;
        }
        if (auto closed = file.close(); !closed) return closed;
    }
    if (shards.size() > 1)
        if (auto written = write_file(unfinished.folder(), "model.safetensors.index.json", index.dump(2) + "\n", where); !written) return written;
    return unfinished.keep();
}

Result<void> init_checkpoint(const fs::path& folder, const ModelConfig& config, DType type, uint64_t seed, const WriteOptions& options) {
    std::vector<float> values;
    const auto piece = [&](const TensorInfo& t, int64_t first, int64_t count, std::byte* data) {
        values.resize(static_cast<size_t>(count));
        synthetic_values(t, seed, first, values);
        return encode_piece(t, first, values, data);
    };
    return write_checkpoint(folder, stored_tensors(config, type), piece, {{"config.json", to_json(config)}}, options);
}

Result<void> quantize_checkpoint(const WeightSource& from, const ModelConfig& config, const std::vector<std::pair<std::string, std::string>>& files,
                                 const fs::path& to, DType type, const WriteOptions& options) {
    // Everything is looked up before the first byte is written.
    std::vector<TensorInfo> tensors = stored_tensors(config, type);
    std::erase_if(tensors, [&](const TensorInfo& t) { return t.name.ends_with("e_score_correction_bias") && !from.has(t.name); });
    for (const TensorInfo& t : tensors)
        if (auto found = from.find(t.name, t.shape); !found) return tl::unexpected(found.error());
    std::vector<float> values;
    const auto piece = [&](const TensorInfo& t, int64_t first, int64_t count, std::byte* data) -> Result<void> {
        const Weight w = *from.find(t.name, t.shape);
        const DTypeInfo& row = info(w.type);
        const std::byte* stored = w.data + first / row.block * row.bytes;
        if (auto finite = check_piece(t, w.type, first, count, stored); !finite) return finite;
        if (w.type == t.type) {
            std::memcpy(data, stored, static_cast<size_t>(count / row.block * row.bytes));
            return {};
        }
        values.resize(static_cast<size_t>(count));
        decode(w.type, stored, count, values.data());
        return encode_piece(t, first, values, data);
    };
    return write_checkpoint(to, std::move(tensors), piece, files, options);
}

}  // namespace klp
