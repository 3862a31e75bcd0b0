// What the REPL's lenses show of a model's memory: each a picture with one sentence and a legend, and a table of the same numbers.
#pragma once

#include <span>
#include <string>

#include "app/pictures.h"
#include "app/watch.h"
#include "core/model/sequence.h"

namespace klp {

struct HeadName {
    int layer = -1, head = -1;  // -1: not named
};
// "3.1", "3" or "", as people write them after /gates; an error names what exists.
Result<HeadName> parse_head(const std::string& text, const ModelConfig& config);

std::string gates_overview(const Watch& watch, const ModelConfig& config, bool table, const Canvas& canvas);
std::string gates_of_head(const Watch& watch, const ModelConfig& config, HeadName name, bool table, const Canvas& canvas);
std::string state_of_head(const Sequence& sequence, HeadName name, bool table, const Canvas& canvas);
// The same of a matrix [rows, columns] that was the head's state after `tokens`.
std::string state_of_head(std::span<const float> S, int rows, int columns, int64_t tokens, HeadName name, bool table, const Canvas& canvas);
std::string expert_load(const Watch& watch, const ModelConfig& config, int layer, bool table, const Canvas& canvas);
// Memory of one sequence by context against the all-MLA twin's; `now` > 0 adds a first row for the current length.
std::string memory_by_context(const ModelConfig& config, int cache_bytes, int64_t now, int64_t dropped, const Canvas& canvas);
std::string twin_name(const ModelConfig& config);  // "all-MLA twin"
std::string layer_pattern(const ModelConfig& config, int width);  // "K K K M ...", with a sentence

}  // namespace klp
