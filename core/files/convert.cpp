#include "core/files/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "core/files/values.h"

namespace klp {

namespace {

// By all cores: the search for good scales takes most of the time that a quantised file does.
void encode_together(DType type, std::span<const float> values, std::byte* data) {
    const DTypeInfo& row = info(type);
    const auto n = static_cast<int64_t>(values.size()), cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
    const int64_t share = std::max<int64_t>((n / cores + 4095) / 4096 * 4096, 1 << 16);  // whole blocks
    const auto part = [&](int64_t first) { encode(type, values.data() + first, std::min(share, n - first), data + first / row.block * row.bytes); };
    std::vector<std::jthread> others;
    for (int64_t first = share; first < n; first += share) others.emplace_back(part, first);
    part(0);
}

}  // namespace

Result<void> check_piece(const TensorInfo& t, DType type, int64_t first, int64_t n, const std::byte* data) {
    OddValues odd = odd_values(type, data, n);
    if (odd.count == 0) return {};
    odd.tensor = t.name, odd.shape = t.shape, odd.first += first, odd.count = 1;  // who asks for all of them asks check_values()
    return fail(Error::model, text(odd));
}

Result<void> encode_piece(const TensorInfo& t, int64_t first, std::span<const float> values, std::byte* data) {
    const auto n = static_cast<int64_t>(values.size());
    if (auto finite = check_piece(t, DType::f32, first, n, reinterpret_cast<const std::byte*>(values.data())); !finite) return finite;
    encode_together(t.type, values, data);
    const OddValues odd = odd_values(t.type, data, n);
    if (odd.count == 0) return {};
    const auto block = values.subspan(static_cast<size_t>(odd.first), static_cast<size_t>(info(t.type).block));
    const auto largest = std::max_element(block.begin(), block.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
    const OddValues large{.tensor = t.name, .shape = t.shape, .count = 1, .first = first + odd.first + (largest - block.begin()), .value = *largest};
    return fail(Error::model, text(large) + ", which " + t.stored + " cannot");
}

Result<void> convert_piece(const TensorInfo& t, const Weight& from, int64_t first, int64_t count, std::byte* data) {
    const DTypeInfo& row = info(from.type);
    const std::byte* stored = from.data + first / row.block * row.bytes;
    if (auto finite = check_piece(t, from.type, first, count, stored); !finite) return finite;
    if (from.type == t.type) {
        std::memcpy(data, stored, static_cast<size_t>(count / row.block * row.bytes));
        return {};
    }
    std::vector<float> values(static_cast<size_t>(count));
    decode(from.type, stored, count, values.data());
    return encode_piece(t, first, values, data);
}

}  // namespace klp
