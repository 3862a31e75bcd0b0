// What klp lab --ladder has found, as text and as a picture.
#pragma once

#include <string>

#include "core/learn/ladder.h"

namespace klp {

struct Canvas;

std::string ladder_head(const LadderSpec& spec, const LadderSource& source);
std::string ladder_text(const LadderSpec& spec, const LadderSource& source, const LadderResult& result, const Canvas& canvas);
// Loss against operations, both axes logarithmic: the rungs, and the law through those of each side.
std::string ladder_svg(const LadderSpec& spec, const LadderSource& source, const LadderResult& result, const std::string& date);

}  // namespace klp
