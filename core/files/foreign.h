// What people have in a model's place and this program does not read, told by its first bytes or by what lies in a folder: what it is and what to do, in words
// that follow the name of the file.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace klp {

// "is a Git LFS pointer: ..."; "" for anything else.
std::string foreign_file(std::span<const std::byte> first_bytes);
std::string foreign_file(const std::filesystem::path& file);
// An Error where this is no folder with a config.json and the like: it says what is there instead.
Result<void> check_folder(const std::filesystem::path& folder);
// Of a folder without config.json or without safetensors: "holds PyTorch files, ...", "is a download cache with 2 snapshots: ..."; "" where nothing is known
// of it.
std::string foreign_folder(const std::filesystem::path& folder);

// The models in a folder that are GGUF files; of a split one the first part.
std::vector<std::filesystem::path> gguf_in(const std::filesystem::path& folder);

// The checkpoint in a folder of Hugging Face's download cache (models--ORGANISATION--NAME): the snapshot that refs/main names, or the only one; "" where the
// folder is none, or holds several.
std::filesystem::path snapshot_in(const std::filesystem::path& folder);

}  // namespace klp
