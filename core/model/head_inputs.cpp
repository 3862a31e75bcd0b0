#include "core/model/head_inputs.h"

#include <cmath>
#include <string>
#include <utility>

#include "kernels/naive.h"

namespace klp {

std::vector<double> HeadInputs::Stream::next(std::span<const float> row) {
    before.emplace_back(row.begin(), row.end());
    const size_t C = before.size();
    std::vector<double> out(row.size());
    for (size_t i = 0; i < out.size(); ++i) {
        double sum = 0;
        for (size_t j = 0; j < C; ++j) sum += weights[i * C + j] * double{before[j][i]};
        out[i] = naive::silu(sum);
    }
    before.erase(before.begin());
    return out;
}

void HeadInputs::next(std::span<const float> q_row, std::span<const float> k_row, std::span<const float> v_row) {
    q = naive::l2_norm(q_.next(q_row)), k = naive::l2_norm(k_.next(k_row)), v = v_.next(v_row);
    for (double& x : q) x /= std::sqrt(static_cast<double>(q.size()));
}

HeadInputs::Columns HeadInputs::columns(const ModelConfig& c, int head) {
    const int64_t K = c.kda_key_dim, H_k = c.key_heads(), key = c.key_head(head);
    return {key * K, (H_k + key) * K, 2 * H_k * K + head * int64_t{c.kda_value_dim}};
}

namespace {

// Rows [first, first + count) of a layer's short convolution over q | k | v, [count, C]: in one tensor, or in one each.
Result<naive::Numbers> conv_rows(const WeightSource& source, const ModelConfig& c, int layer, int64_t first, int64_t count) {
    const int64_t qk = int64_t{c.key_heads()} * c.kda_key_dim, v = int64_t{c.kda_heads} * c.kda_value_dim, C = c.short_conv_kernel_size;
    const struct {
        const char* name;
        int64_t first, rows;
    } all[] = {{"qkv", 0, c.conv_width()}, {"q", 0, qk}, {"k", qk, qk}, {"v", 2 * qk, v}};
    const auto& one = all[c.joined_qkv(layer) ? 0 : first < qk ? 1 : first < 2 * qk ? 2 : 3];
    const auto found =
        source.find("model.layers." + std::to_string(layer) + ".self_attn." + one.name + "_conv1d.weight", {one.rows, 1, C});  // folded into [channels, C]
    if (!found) return tl::unexpected(found.error());
    return naive::dense(found->rows(first - one.first, count));
}

}  // namespace

Result<std::vector<HeadInputs>> HeadInputs::of(const Sequence& sequence, int layer, int first, int count) {
    const ModelConfig& c = sequence.model().config();
    const int64_t K = c.kda_key_dim, V = c.kda_value_dim, C = c.short_conv_kernel_size, all = c.conv_width();
    const std::vector<float> tail = sequence.state(layer, "conv");  // [C - 1, q^ | k^ | v^]
    std::vector<HeadInputs> heads(static_cast<size_t>(count));
    for (int n = 0; n < count; ++n) {
        const Columns at = columns(c, first + n);
        const struct {
            int64_t column, width;
            Stream HeadInputs::*stream;
        } streams[] = {{at.q, K, &HeadInputs::q_}, {at.k, K, &HeadInputs::k_}, {at.v, V, &HeadInputs::v_}};
        for (const auto& [column, width, stream] : streams) {
            Stream& one = heads[static_cast<size_t>(n)].*stream;
            auto weights = conv_rows(sequence.model().source(), c, layer, column, width);
            if (!weights) return tl::unexpected(weights.error());
            one.weights = std::move(*weights);
            for (int64_t t = 0; t < C - 1; ++t) one.before.emplace_back(tail.begin() + t * all + column, tail.begin() + t * all + column + width);
        }
    }
    return heads;
}

}  // namespace klp
