#include "app/gui/memory_model.h"

#include <limits>

#include "kernels/ops.h"

namespace klp::gui {

int64_t multi_head_bytes(const ModelConfig& config, int64_t tokens, int value_bytes) {
    const ModelConfig c = all_mla(config);  // a model without MLA takes the heads that its twin would have
    return int64_t{c.num_hidden_layers} * c.num_attention_heads * (c.qk_nope_head_dim + c.qk_rope_head_dim + c.v_head_dim) * tokens * value_bytes;
}

int64_t crossover(const ModelConfig& config, int value_bytes) {
    const SequenceBytes one = sequence_bytes(config, 1, value_bytes);
    const int64_t fixed = one.state + one.conv, saved = sequence_bytes(all_mla(config), 1, value_bytes).cache - one.cache;
    return fixed > 0 && saved > 0 ? fixed / saved + 1 : -1;
}

int64_t longest(int64_t fixed, int64_t per_token, int64_t budget) {
    if (fixed > budget) return -1;
    return per_token > 0 ? (budget - fixed) / per_token : std::numeric_limits<int64_t>::max();
}

int64_t in_pages(int64_t tokens) { return (tokens + kMlaPage - 1) / kMlaPage * kMlaPage; }

}  // namespace klp::gui
