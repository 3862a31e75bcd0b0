// What a run is of, as JSON: the first record of a recording, and what an engine elsewhere says of its model.
#pragma once

#include <string>
#include <string_view>

#include "core/runs/recording.h"

namespace klp {

std::string header_text(const RecordingHeader& header);
// The card of a recording: it has no tokenizer and its twin is a recorded one. `file` stands in the error.
Result<RecordingHeader> parse_header(std::string_view text, const std::string& file);

}  // namespace klp
