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

Result<std::vector<HeadInputs>> HeadInputs::of(const Sequence& sequence, int layer, int first, int count) {
    const ModelConfig& c = sequence.model().config();
    const int64_t H = c.kda_heads, K = c.kda_key_dim, V = c.kda_value_dim, C = c.short_conv_kernel_size, all = 2 * H * K + H * V;
    const std::vector<float> tail = sequence.state(layer, "conv");  // [C - 1, q^ | k^ | v^]
    std::vector<HeadInputs> heads(static_cast<size_t>(count));
    const struct {
        const char* name;
        int64_t column, width;  // of the first head; of a head
        Stream HeadInputs::*stream;
    } streams[] = {{"q", 0, K, &HeadInputs::q_}, {"k", H * K, K, &HeadInputs::k_}, {"v", 2 * H * K, V, &HeadInputs::v_}};
    for (const auto& [name, column, width, stream] : streams) {
        const std::string tensor = "model.layers." + std::to_string(layer) + ".self_attn." + name + "_conv1d.weight";
        const auto found = sequence.model().source().find(tensor, {H * width, 1, C});  // folded into [channels, C]
        if (!found) return tl::unexpected(found.error());
        for (int64_t n = 0; n < count; ++n) {
            const int64_t h = first + n, from = column + h * width;
            Stream& one = heads[static_cast<size_t>(n)].*stream;
            one.weights = naive::dense(found->rows(h * width, width));
            for (int64_t t = 0; t < C - 1; ++t) one.before.emplace_back(tail.begin() + t * all + from, tail.begin() + t * all + from + width);
        }
    }
    return heads;
}

}  // namespace klp
