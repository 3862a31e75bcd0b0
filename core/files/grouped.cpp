#include "core/files/grouped.h"

#include <cstring>
#include <utility>

#include "core/files/json.h"

namespace klp {

Result<std::vector<MappedTensor>> put_apart(const MappedTensor& whole, int64_t groups, const std::vector<GroupedPart>& parts, const std::string& where) {
    int64_t of_group = 0;
    for (const GroupedPart& part : parts)
        for (const GroupedPart::Rows& rows : part.rows) of_group += rows.count;
    const std::vector<int64_t>& shape = whole.info.shape;
    if (shape.size() != 2 || shape[0] != groups * of_group)
        return fail(Error::model, where + " has the shape " + shape_text(shape) + " where " + std::to_string(groups * of_group) +
                                      " rows belong: " + std::to_string(of_group) + " for each head of keys");
    std::vector<MappedTensor> out;
    const int64_t row_bytes = shape[0] ? whole.info.bytes / shape[0] : 0;
    for (const GroupedPart& part : parts) {
        MappedTensor made = whole;
        int64_t rows = 0;
        for (const GroupedPart::Rows& some : part.rows) rows += some.count;
        made.info.name = part.name;
        made.info.shape = {groups * rows, shape[1]};
        made.info.bytes = groups * rows * row_bytes;
        made.make = [from = whole.data, source = whole.make, bytes = whole.info.bytes, stretches = part.rows, groups, of_group,
                     row_bytes](std::byte* to) -> Result<void> {
            std::vector<std::byte> own;  // of what is made itself
            const std::byte* data = from;
            if (source) {
                own.resize(static_cast<size_t>(bytes));
                if (auto filled = source(own.data()); !filled) return filled;
                data = own.data();
            }
            for (const GroupedPart::Rows& some : stretches)
                for (int64_t g = 0; g < groups; ++g) {
                    const auto size = static_cast<size_t>(some.count * row_bytes);
                    std::memcpy(to, data + (g * of_group + some.first) * row_bytes, size);
                    to += size;
                }
            return {};
        };
        out.push_back(std::move(made));
    }
    return out;
}

std::vector<GroupedPart> GroupedHeads::qkvz(std::string qkv, std::string z) const {
    const int64_t values = H / H_k * V;
    return {{std::move(qkv), {{0, K}, {K, K}, {2 * K, values}}}, {std::move(z), {{2 * K + values, values}}}};
}

std::vector<GroupedPart> GroupedHeads::ba(std::string b, std::string a) const {
    const int64_t heads = H / H_k;
    return {{std::move(b), {{0, heads}}}, {std::move(a), {{heads, heads}}}};
}

}  // namespace klp
