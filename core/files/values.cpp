#include "core/files/values.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/files/json.h"

namespace klp {

namespace {

// Numbers of `T` whose exponent has all bits, `stride` bytes apart.
template <class T>
int64_t count_odd(const std::byte* data, int64_t n, int64_t stride, T exponent) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) {
        T bits;
        std::memcpy(&bits, data + i * stride, sizeof bits);
        count += (bits & exponent) == exponent;
    }
    return count;
}
int64_t count_odd(DType type, const std::byte* data, int64_t blocks) {
    switch (type) {
        case DType::f32:
            return count_odd<uint32_t>(data, blocks, 4, 0x7f800000u);
        case DType::bf16:
            return count_odd<uint16_t>(data, blocks, 2, 0x7f80u);
        case DType::f16:
            return count_odd<uint16_t>(data, blocks, 2, 0x7c00u);
        default: {
            const DTypeInfo& row = info(type);
            if (row.halves[1] >= 0) {
                int64_t count = 0;  // of two halves in a block either is enough
                for (int64_t i = 0; i < blocks; ++i, data += row.bytes)
                    count += count_odd<uint16_t>(data + row.halves[0], 1, 0, 0x7c00u) + count_odd<uint16_t>(data + row.halves[1], 1, 0, 0x7c00u) > 0;
                return count;
            }
            if (row.halves[0] >= 0) return count_odd<uint16_t>(data + row.halves[0], blocks, row.bytes, 0x7c00u);
            int64_t count = 0;
            for (int64_t i = 0; i < blocks; ++i, data += row.bytes) {
                float values[256];
                row.decode(data, values);
                count += std::any_of(values, values + row.block, [](float v) { return !std::isfinite(v); });
            }
            return count;
        }
    }
}

}  // namespace

std::vector<int64_t> place(const OddValues& odd) {
    std::vector<int64_t> at(odd.shape.size());
    int64_t rest = odd.first;
    for (size_t d = at.size(); d-- > 0; rest /= odd.shape[d]) at[d] = rest % odd.shape[d];
    return at;
}

std::string text(const OddValues& odd) {
    std::string at;
    for (const int64_t i : place(odd)) at += (at.empty() ? "" : ", ") + std::to_string(i);
    const std::string more = odd.count == 1   ? ""
                             : odd.count == 2 ? " and 1 more NaN or infinity"
                                              : " and " + std::to_string(odd.count - 1) + " more NaNs or infinities";
    const std::string value = std::isnan(odd.value) ? "NaN" : std::isfinite(odd.value) ? std::to_string(odd.value) : odd.value > 0 ? "infinity" : "-infinity";
    return "tensor " + in_quotes(odd.tensor) + " holds " + value + " at [" + at + "]" + more;
}

OddValues odd_values(DType type, const std::byte* data, int64_t n) {
    constexpr int64_t kPiece = 4096;  // blocks
    const DTypeInfo& row = info(type);
    OddValues odd;
    for (int64_t first = 0, blocks = n / row.block; first < blocks; first += kPiece) {
        const int64_t here = std::min(kPiece, blocks - first), found = count_odd(type, data + first * row.bytes, here);
        if (found > 0 && odd.count == 0) {
            int64_t at = first;
            while (count_odd(type, data + at * row.bytes, 1) == 0) ++at;
            odd.first = at * row.block;
            float values[256];
            row.decode(data + at * row.bytes, values);
            odd.value = values[0];
        }
        odd.count += found * row.block;
    }
    return odd;
}

Result<std::vector<OddValues>> check_values(const WeightSource& source, const std::function<void(double fraction)>& progress, const std::atomic<bool>* cancel) {
    std::vector<OddValues> all;
    const std::vector<TensorInfo> tensors = source.tensors();
    int64_t total = 0, done = 0;
    for (const TensorInfo& t : tensors) total += t.readable ? t.bytes : 0;
    for (const TensorInfo& t : tensors) {
        if (!t.readable) continue;
        const auto found = source.find(t.name, t.shape);
        if (!found) return tl::unexpected(found.error());
        OddValues odd{.tensor = t.name, .shape = t.shape};
        constexpr int64_t kPiece = 1 << 24;  // values between two looks at cancel; whole blocks
        for (int64_t first = 0, n = value_count(t); first < n; first += kPiece) {
            if (cancel && *cancel) return fail(Error::interrupted, "checking " + source.path() + " was interrupted");
            const int64_t count = std::min(kPiece, n - first), bytes = count / info(t.type).block * info(t.type).bytes;
            const OddValues here = odd_values(t.type, found->data + first / info(t.type).block * info(t.type).bytes, count);
            if (odd.count == 0) odd.first = first + here.first, odd.value = here.value;
            odd.count += here.count;
            done += bytes;
            if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
        }
        if (odd.count > 0) all.push_back(std::move(odd));
    }
    return all;
}

}  // namespace klp
