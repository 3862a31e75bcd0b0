// Small text files of a checkpoint, read with care: whatever the bytes are, the answer is a value or one sentence.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "kernels/backend.h"

namespace klp {

// The whole file. Folders, devices and files of more than `limit` bytes are refused.
Result<std::string> read_text(const std::filesystem::path& file, int64_t limit);

// JSON without what a hostile file could do with it: more than 64 levels, a key twice in one object, numbers beyond a double, bytes that are not UTF-8.
// `file` stands in the error.
Result<nlohmann::json> parse_json(std::string_view text, const std::string& file);

// 'text' of a file as it may stand in a message: at most 100 bytes, control characters as '?'.
std::string in_quotes(std::string_view text);

}  // namespace klp
