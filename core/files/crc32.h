// The CRC-32 of zip, PNG and Ethernet (polynomial 0xEDB88320, reflected).
#pragma once

#include <cstdint>
#include <string_view>

namespace klp {

uint32_t crc32(std::string_view bytes, uint32_t before = 0);  // `before`: of what these bytes follow

}  // namespace klp
