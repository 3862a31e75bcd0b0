// The formats that put_together() knows: each makes one tensor of several. A new one is a file and a line in packed.cpp.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/files/mapped_source.h"

namespace klp {

// The tensors of a folder as its files have them.
struct StoredParts {
    const std::vector<std::string>& files;
    std::unordered_map<std::string, const MappedTensor*> by_name;

    const MappedTensor* find(const std::string& name) const {
        const auto it = by_name.find(name);
        return it == by_name.end() ? nullptr : it->second;
    }
    std::string place(const MappedTensor& t) const { return files[t.file] + ": tensor " + t.said; }
};

// nibbles.cpp, of X_packed
constexpr std::string_view kPacked = "_packed";
Result<MappedTensor> from_nibbles(const MappedTensor& packed, const StoredParts& parts);

// fp8.cpp
Result<MappedTensor> from_fp8(const MappedTensor& values, const MappedTensor& scale, const StoredParts& parts);

}  // namespace klp
