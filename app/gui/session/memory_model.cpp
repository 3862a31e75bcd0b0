#include "app/gui/session/memory_model.h"

#include <limits>

#include "kernels/ops.h"

namespace klp::gui {

MemoryModel memory_model(const ModelConfig& config, int value_bytes) {
    const ModelConfig c = all_attention(config);  // a model without MLA takes the heads that its twin would have
    const SequenceBytes one = sequence_bytes(config, 1, value_bytes);
    const int64_t head = c.head_dim ? 2 * c.head_dim : c.qk_nope_head_dim + c.qk_rope_head_dim + c.v_head_dim;
    return {{one.state + one.conv, one.cache},
            {0, sequence_bytes(c, 1, value_bytes).cache},
            {0, int64_t{c.num_hidden_layers} * c.num_attention_heads * head * value_bytes}};
}

int64_t crossover(const Growth& mine, const Growth& other) {
    const int64_t saved = other.token - mine.token;
    return mine.fixed > 0 && saved > 0 ? mine.fixed / saved + 1 : -1;
}

int64_t longest(const Growth& growth, int64_t budget) {
    if (growth.fixed > budget) return -1;
    return growth.token > 0 ? (budget - growth.fixed) / growth.token : std::numeric_limits<int64_t>::max();
}

int64_t in_pages(int64_t tokens) { return (tokens + kMlaPage - 1) / kMlaPage * kMlaPage; }

}  // namespace klp::gui
