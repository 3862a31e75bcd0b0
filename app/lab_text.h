// What klp lab has seen, as text and as a picture.
#pragma once

#include <string>

#include "core/learn/lab.h"

namespace klp {

struct Canvas;
struct LabFlags;
struct Terminal;

// klp lab --ladder (ladder.cpp), and what both read of their flags.
int ladder_command(const LabFlags& flags, Terminal& terminal);
std::vector<std::string> lab_parts(const std::string& text);  // between commas
Result<std::vector<double>> lab_numbers(const std::string& option, const std::string& text);

std::string lab_head(const LabSpec& spec, const LabResult& result);  // "mqar, rows of 128 tokens, ..."
std::string lab_text(const LabSpec& spec, const LabResult& result, const Canvas& canvas);
std::string lab_svg(const LabSpec& spec, const LabResult& result, const std::string& date);

}  // namespace klp
