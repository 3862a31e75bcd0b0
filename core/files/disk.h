// Folders and room on a disk.
#pragma once

#include <cstdint>
#include <filesystem>

#include "kernels/backend.h"

namespace klp {

// The folder, with all above it. An Error names what stands in its way, such as a file of that name.
Result<void> make_folder(const std::filesystem::path& folder);

// An Error where the disk that `file` will lie on has less than `bytes` free: better now than when it is full. `file` need not exist, its folder must.
Result<void> check_room(const std::filesystem::path& file, int64_t bytes);

// Afterwards the names in it are on the disk, too, as far as that can be had.
void sync_folder(const std::filesystem::path& folder);

}  // namespace klp
