#include "core/files/out_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "core/files/disk.h"

namespace klp {

namespace fs = std::filesystem;

OutFile::OutFile(const fs::path& file, fs::path shown) : shown_(std::move(shown)) {
    fd_ = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd_ < 0) error_ = errno;
}

OutFile::~OutFile() {
    if (fd_ >= 0) ::close(fd_);
}

void OutFile::reserve(int64_t bytes) {
    if (!error_ && bytes > 0 && fallocate(fd_, 0, 0, bytes) != 0 && (errno == ENOSPC || errno == EFBIG)) error_ = errno;
}

void OutFile::write(const void* data, int64_t bytes) {
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

Result<void> OutFile::close() {
    if (!error_ && fsync(fd_) != 0) error_ = errno;
    if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0 && !error_) error_ = errno;
    if (error_) return fail(Error::failure, shown_.string() + ": " + std::strerror(error_));
    return {};
}

Unfinished::~Unfinished() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<void> Unfinished::make(bool (*at)(const fs::path& path)) {
    for (int attempt = 0;; ++attempt) {
        const fs::path path = target_.string() + ".part" + std::to_string(getpid()) + "-" + std::to_string(attempt);
        if (at(path)) {
            path_ = path;
            return {};
        }
        if (errno != EEXIST) return fail(Error::failure, target_.string() + ": " + std::strerror(errno));
    }
}

Result<void> Unfinished::make_folder() {
    return make([](const fs::path& path) { return mkdir(path.c_str(), 0777) == 0; });
}

Result<void> Unfinished::make_file() {
    return make([](const fs::path& path) {
        const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        return fd >= 0 && close(fd) == 0;
    });
}

Result<void> Unfinished::keep() {
    sync_folder(path_);  // of a file nothing: close() has done it
    if (rename(path_.c_str(), target_.c_str()) != 0) return fail(Error::failure, target_.string() + ": " + std::strerror(errno));
    path_.clear();
    sync_folder(target_.parent_path());
    return {};
}

}  // namespace klp
