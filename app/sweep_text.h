// A sweep as text: table, CSV, picture. They know neither the model nor the device, only the figures.
#pragma once

#include "app/terminal.h"
#include "core/studies/sweep.h"

namespace klp {

std::string context_text(int64_t tokens);  // "4k", "1M", "1,000"
std::string sweep_head(const Sweep& sweep, const Canvas& canvas);
std::string sweep_rows(const SweepRow& row, const Canvas& canvas);
std::string sweep_rows(const Sweep& sweep, const SweepRow& row, const Canvas& canvas);  // of what is served, too
std::string sweep_foot(const Sweep& sweep, const Canvas& canvas);
std::string sweep_reference(const Canvas& canvas);  // what the report published
std::string sweep_csv(const Sweep& sweep);
// Time of a token and memory by context, both axes logarithmic. Drawn for light and dark grounds alike: no ground of its own.
std::string sweep_svg(const Sweep& sweep);

}  // namespace klp
