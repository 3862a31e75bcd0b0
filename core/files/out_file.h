// Files that take long to write and must be whole: everything goes to a name beside the target, which gets its own when all is on the disk.
#pragma once

#include <cstdint>
#include <filesystem>

#include "kernels/backend.h"

namespace klp {

// A file that is being written. What goes wrong first is kept; close() says it, with the file's name.
class OutFile {
public:
    // `shown` is what messages call it.
    OutFile(const std::filesystem::path& file, std::filesystem::path shown);
    OutFile(const OutFile&) = delete;
    OutFile& operator=(const OutFile&) = delete;
    ~OutFile();
    // Asks for the room at once, so that a disk that is too small says so now and not in an hour. Not every file system can.
    void reserve(int64_t bytes);
    void write(const void* data, int64_t bytes);
    bool failed() const { return error_ != 0; }
    Result<void> close();

private:
    std::filesystem::path shown_;
    int fd_ = -1;
    int error_ = 0;
};

// What a target is until it is whole: a folder or an empty file beside it, to be filled. Without a keep() it goes away with everything in it.
class Unfinished {
public:
    explicit Unfinished(std::filesystem::path target) : target_(std::move(target)) {}
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;
    ~Unfinished();
    Result<void> make_folder();
    Result<void> make_file();
    Result<void> keep();
    const std::filesystem::path& path() const { return path_; }

private:
    Result<void> make(bool (*at)(const std::filesystem::path& path));  // false, and errno: it could not be made

    std::filesystem::path target_, path_;
};

}  // namespace klp
