#include "app/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "app/terminal.h"
#include "core/files/disk.h"
#include "core/files/foreign.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

Error trouble_with(const std::string& file) { return {Error::failure, file + ": " + std::strerror(errno ? errno : EIO)}; }

Result<std::string> read_all(int fd, const std::string& name, int64_t limit) {
    std::string text;
    char buffer[1 << 16];
    for (;;) {
        const ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (g_interrupted) return fail(Error::interrupted, "interrupted while reading " + name);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tl::unexpected(trouble_with(name));
        if (n == 0) return text;
        text.append(buffer, static_cast<size_t>(n));
        if (static_cast<int64_t>(text.size()) > limit)
            return fail(Error::failure, name + " has more than the " + std::to_string(limit) + " bytes such a file may have");
    }
}

}  // namespace

Result<std::string> read_stdin() { return read_all(STDIN_FILENO, "stdin", int64_t{1} << 30); }

bool is_stream(const std::string& file) {
    std::error_code none;
    const fs::file_status status = fs::status(file, none);
    return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

Result<std::string> read_named(const std::string& file, int64_t limit) {
    int fd = -1;
    while ((fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC)) < 0 && errno == EINTR && !g_interrupted) continue;  // a named pipe waits for its writer
    if (fd < 0 && g_interrupted) return fail(Error::interrupted, "interrupted while opening " + file);
    if (fd < 0) return tl::unexpected(trouble_with(file));
    struct Closer {
        int fd;
        ~Closer() { ::close(fd); }
    } closer{fd};
    struct stat st {};
    if (::fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) return fail(Error::failure, file + " is not a file but a folder");
    auto text = read_all(fd, file, limit);
    if (!text) return text;
    if (const std::string what = foreign_file(std::as_bytes(std::span(*text))); !what.empty()) return fail(Error::failure, file + " " + what);
    return text;
}

Result<std::shared_ptr<const Recording>> open_recording(const std::string& file) {
    if (!is_stream(file)) return Recording::open(file);
    auto bytes = read_named(file, int64_t{4} << 30);
    if (!bytes) return tl::unexpected(bytes.error());
    return Recording::of(std::move(*bytes), file);
}

Result<void> check_place(const std::string& file) {
    std::error_code none;
    const fs::path folder = fs::absolute(file).parent_path();
    if (fs::is_directory(file, none)) return fail(Error::usage, file + " is a folder, and a file is to be made");
    if (access(is_stream(file) ? file.c_str() : folder.c_str(), W_OK) != 0) return tl::unexpected(trouble_with(file));
    return {};
}

Result<NewFile> NewFile::unopened(const std::string& file) {
    if (auto place = check_place(file); !place) return tl::unexpected(place.error());
    NewFile made;
    std::error_code none;
    made.name_ = file;
    made.part_ = made.place_ = fs::exists(file, none) ? fs::canonical(file, none) : fs::absolute(file);  // of a link, what it leads to
    if (is_stream(file)) return made;
    made.part_ += ".part" + std::to_string(getpid());
    fs::remove(made.part_, none);
    made.left_ = true;
    return made;
}

Result<NewFile> NewFile::create(const std::string& file, int64_t bytes) {
    auto made = unopened(file);
    if (!made) return made;
    if (made->left_)
        if (auto room = check_room(file, bytes); !room) return tl::unexpected(room.error());
    errno = 0;
    made->out_.open(made->part_, std::ios::binary | std::ios::trunc);
    if (!made->out_) return tl::unexpected(trouble_with(file));
    return made;
}

NewFile::NewFile(NewFile&& other) noexcept
    : name_(std::move(other.name_)),
      part_(std::move(other.part_)),
      place_(std::move(other.place_)),
      out_(std::move(other.out_)),
      left_(std::exchange(other.left_, false)) {}

NewFile::~NewFile() {
    std::error_code none;
    if (left_) fs::remove(part_, none);
}

Result<void> NewFile::sound() {
    if (out_) return {};
    return tl::unexpected(trouble_with(name_));
}

Result<void> NewFile::keep() {
    if (out_.is_open()) {
        errno = 0;
        out_.close();
        if (auto written = sound(); !written) return written;
    }
    if (!std::exchange(left_, false)) return {};
    std::error_code error, none;
    fs::rename(part_, place_, error);
    if (!error) return {};
    fs::remove(part_, none);
    return fail(Error::failure, name_ + ": " + error.message());
}

Result<void> write_whole(const std::string& file, const std::string& content) {
    auto made = NewFile::create(file, static_cast<int64_t>(content.size()));
    if (!made) return tl::unexpected(made.error());
    errno = 0;
    made->out() << content;
    if (auto written = made->sound(); !written) return written;
    return made->keep();
}

}  // namespace klp
