#include "core/files/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <system_error>

namespace klp {

namespace fs = std::filesystem;

Result<void> make_folder(const fs::path& folder) {
    std::error_code error, none;
    for (fs::path part; const fs::path& name : folder) {  // the system's own sentence would not say which one it is
        part /= name;
        const fs::file_status status = fs::status(part, none);
        if (fs::exists(status) && !fs::is_directory(status))
            return fail(Error::failure,
                        part.string() + " is a file, and a folder is needed there" + (part == folder ? "" : " for " + folder.string()) + ": move it away");
    }
    fs::create_directories(folder, error);
    if (error) return fail(Error::failure, folder.string() + ": " + error.message());
    return {};
}

Result<void> check_room(const fs::path& file, int64_t bytes) {
    std::error_code error;
    const fs::space_info space = fs::space(fs::absolute(file).parent_path(), error);
    if (error || space.available >= static_cast<uintmax_t>(bytes)) return {};  // where it cannot be known, writing says it
    const auto size = [](double n) {
        char text[32];
        n /= 1 << 20;
        std::snprintf(text, sizeof text, n < 1024 ? "%.1f MiB" : "%.1f GiB", n < 1024 ? n : n / 1024);
        return std::string(text);
    };
    return fail(Error::failure, file.string() + ": it will take " + size(static_cast<double>(bytes)) + ", and " + size(static_cast<double>(space.available)) +
                                    " are free there; nothing was written");
}

void sync_folder(const fs::path& folder) {
    if (const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); fd >= 0) fsync(fd), close(fd);
}

}  // namespace klp
