// Files that the command line names. What is read may be a pipe; what is made gets its name when it is whole.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "core/runs/recording.h"

namespace klp {

// All of it, from a file, a pipe or a device (--tools <(...), /dev/stdin). Errors name it; more than `limit` bytes are one.
Result<std::string> read_named(const std::string& file, int64_t limit);

Result<std::string> read_stdin();
bool is_stream(const std::string& file);  // a pipe or a device

Result<std::shared_ptr<const Recording>> open_recording(const std::string& file);

// Whether a file can be made there, asked before the work whose result it takes. A folder of that name is a usage error.
Result<void> check_place(const std::string& file);

// A file that a command makes. It is written beside its place and takes it with keep(), together with the place of an older one; before that the older one
// stays, and without it nothing is left. A device or a pipe is written as it stands.
class NewFile {
public:
    // `bytes` that it will have at the least: a disk without that room is an Error now.
    static Result<NewFile> create(const std::string& file, int64_t bytes = 0);
    static Result<NewFile> unopened(const std::string& file);  // for a writer that opens written() itself
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    std::ofstream& out() { return out_; }
    Result<void> sound();  // an Error where something could not be written
    Result<void> keep();
    const std::filesystem::path& written() const { return part_; }

private:
    NewFile() = default;
    std::string name_;
    std::filesystem::path part_, place_;  // the same where it is no regular file
    std::ofstream out_;
    bool left_ = false;  // to be taken away
};

// Whole or not at all.
Result<void> write_whole(const std::string& file, const std::string& content);

}  // namespace klp
