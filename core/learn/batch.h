// What one step of training learns from.
#pragma once

#include <cstdint>
#include <vector>

namespace klp {

// Rows of tokens of any lengths, one behind the other, each from an empty memory.
struct Batch {
    std::vector<int64_t> lengths;  // tokens of each row
    std::vector<int32_t> ids;      // [sum of lengths]
    std::vector<int32_t> targets;  // [sum of lengths] the token that follows; -1: nothing is learned there
};

}  // namespace klp
