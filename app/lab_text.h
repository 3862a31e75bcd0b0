// What klp lab has seen, as text and as a picture.
#pragma once

#include <string>

#include "core/learn/lab.h"

namespace klp {

struct Canvas;

std::string lab_head(const LabSpec& spec, const LabResult& result);  // "mqar, rows of 128 tokens, ..."
std::string lab_text(const LabSpec& spec, const LabResult& result, const Canvas& canvas);
std::string lab_svg(const LabSpec& spec, const LabResult& result, const std::string& date);

}  // namespace klp
