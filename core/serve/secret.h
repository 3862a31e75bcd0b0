// Secrets that come from elsewhere.
#pragma once

#include <cstddef>
#include <string_view>

namespace klp {

// Whether both are the same, in the same time wherever they differ; nobody's secret is empty.
inline bool same_secret(std::string_view a, std::string_view b) {
    unsigned differ = a.size() == b.size() ? 0 : 1;
    for (size_t i = 0; i < a.size() && i < b.size(); ++i) differ |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    return differ == 0 && !b.empty();
}

}  // namespace klp
