// Bytes of a conversation by its length: of a model, of its all-MLA twin, of plain multi-head attention, and where they cross. Arithmetic on a config; no
// weights.
#pragma once

#include <cstdint>

#include "core/files/config.h"

namespace klp::gui {

struct Growth {  // bytes
    int64_t fixed = 0, token = 0;
    int64_t at(int64_t tokens) const { return fixed + token * tokens; }
};
struct MemoryModel {
    Growth mine, twin;
    // Every layer keeps keys (nope and rope part) and values of every head: layers * heads * (d_nope + d_rope + d_v) values a token.
    Growth multi_head;
};
MemoryModel memory_model(const ModelConfig& config, int value_bytes);
// The first length at which the model is smaller than something that begins with nothing; -1: never, because nothing is replaced or nothing is saved.
int64_t crossover(const Growth& mine, const Growth& other);
// The longest conversation within the budget; -1: not even an empty one; INT64_MAX: any.
int64_t longest(const Growth& growth, int64_t budget);
// What a sequence takes: caches grow in whole pages.
int64_t in_pages(int64_t tokens);

}  // namespace klp::gui
