// What is no finite number among stored values: NaNs and infinities, found by their bits.
#pragma once

#include "core/files/weights.h"

namespace klp {

// In one tensor.
struct OddValues {
    std::string tensor;
    std::vector<int64_t> shape;
    int64_t count = 0;  // of a quantised block whose scale is none, all values
    int64_t first = 0;  // index, row-major
    float value = 0;    // that one
};
std::vector<int64_t> place(const OddValues& odd);  // of the first, in its shape
std::string text(const OddValues& odd);            // "tensor 'a.weight' holds nan at [3, 17] and 4 more NaNs or infinities"

// Among n values from data on, any alignment; of a quantised type whole blocks. count 0: all are finite.
OddValues odd_values(DType type, const std::byte* data, int64_t n);

// Reads every tensor of a source that ops can read, in file order; `progress` and `cancel` may be empty or null. Tensors without anything odd are left out.
Result<std::vector<OddValues>> check_values(const WeightSource& source, const std::function<void(double fraction)>& progress = {},
                                            const std::atomic<bool>* cancel = nullptr);

}  // namespace klp
