#include "core/files/packed.h"

#include <utility>

#include "core/files/packed_formats.h"

namespace klp {

Result<std::vector<MappedTensor>> put_together(std::vector<MappedTensor> tensors, const std::vector<std::string>& files) {
    StoredParts parts{files, {}};
    for (const MappedTensor& t : tensors) parts.by_name.emplace(t.info.name, &t);
    std::vector<MappedTensor> out;
    for (const MappedTensor& t : tensors) {
        const std::string& name = t.info.name;
        const auto before = [&](std::string_view end) { return name.ends_with(end) ? name.substr(0, name.size() - end.size()) : std::string(); };
        const auto packed = [&](std::string_view end) { return !before(end).empty() && parts.find(before(end) + std::string(kPacked)); };
        const auto scales_fp8 = [&](std::string_view end) {
            const MappedTensor* whole = before(end).empty() ? nullptr : parts.find(before(end));
            return whole && whole->info.stored == "F8_E4M3";
        };
        const auto bad = [&](const std::string& what) { return fail(Error::model, parts.place(t) + " " + what); };
        if (packed("_scale") || packed("_shape") || scales_fp8("_scale") || scales_fp8("_scale_inv")) continue;
        if (packed("_zero_point")) return bad("shifts a group's values (asymmetric), which this program does not read");
        if (packed("_g_idx")) return bad("puts inputs into another order (actorder), which this program does not read");

        const MappedTensor* scale = parts.find(name + "_scale");
        if (!scale) scale = parts.find(name + "_scale_inv");
        Result<MappedTensor> one = name.ends_with(kPacked)                          ? from_nibbles(t, parts)
                                   : t.info.stored == "F8_E4M3" && scale != nullptr ? from_fp8(t, *scale, parts)
                                                                                    : t;
        if (!one) return tl::unexpected(one.error());
        out.push_back(std::move(*one));
    }
    return out;
}

}  // namespace klp
