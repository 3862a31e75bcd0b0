// Bytes of a conversation by its length: of a model, of its all-MLA twin, of plain multi-head attention, and where they cross. Arithmetic on a config; no
// weights.
#pragma once

#include <cstdint>

#include "core/config.h"

namespace klp::gui {

// Plain multi-head attention in every layer, with this config's heads: keys (nope and rope part) and values of every head are kept,
// layers * heads * (d_nope + d_rope + d_v) values a token.
int64_t multi_head_bytes(const ModelConfig& config, int64_t tokens, int value_bytes);
// The first length at which the model is smaller than its all-MLA twin; -1: never, because nothing is replaced or nothing is saved.
int64_t crossover(const ModelConfig& config, int value_bytes);
// The longest conversation of `fixed + per_token * n` bytes within the budget; -1: not even an empty one; INT64_MAX: any.
int64_t longest(int64_t fixed, int64_t per_token, int64_t budget);
// What a sequence takes: caches grow in whole pages.
int64_t in_pages(int64_t tokens);

}  // namespace klp::gui
