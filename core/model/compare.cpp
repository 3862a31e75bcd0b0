#include "core/model/compare.h"

#include <algorithm>
#include <cmath>

namespace klp {

namespace {

constexpr int64_t kRows = 32;  // tokens of a pass: so many rows of logits a sequence

StatesApart states_apart(const Sequence& first, const Sequence& second) {
    double norm[2] = {0, 0}, difference = 0;
    const ModelConfig& c = first.model().config();
    for (const int layer : c.state_layers()) {
        const std::vector<float> a = first.state(layer, "S"), b = second.state(layer, "S");
        for (size_t i = 0; i < a.size(); ++i) {
            norm[0] += double{a[i]} * a[i], norm[1] += double{b[i]} * b[i];
            difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
        }
    }
    return {{static_cast<float>(std::sqrt(norm[0])), static_cast<float>(std::sqrt(norm[1]))}, static_cast<float>(std::sqrt(difference))};
}

}  // namespace

double log_sum_exp(std::span<const float> logits) {
    const double top = double{*std::max_element(logits.begin(), logits.end())};
    double sum = 0;
    for (const float x : logits) sum += std::exp(double{x} - top);
    return top + std::log(sum);
}

double divergence(std::span<const float> p, std::span<const float> q) {
    const double of_p = log_sum_exp(p), of_q = log_sum_exp(q);
    double sum = 0;
    for (size_t i = 0; i < p.size(); ++i) {
        const double log_p = double{p[i]} - of_p;
        if (log_p > -50) sum += std::exp(log_p) * (log_p - (double{q[i]} - of_q));  // below, a part is nothing beside a nat
    }
    return std::max(0.0, sum);  // below zero by rounding only
}

Result<Apart> tell_apart(Sequence& first, Sequence& second, std::span<const int32_t> tokens, Workspace& ws, const std::atomic<bool>* cancel) {
    KLP_CHECK(first.position() == second.position());
    const Model& model = first.model();
    const auto vocabulary = static_cast<size_t>(model.config().vocab_size);
    const auto n = static_cast<int64_t>(tokens.size());
    Apart out;
    for (int64_t at = 0; at < n;) {
        if (cancel && *cancel) return fail(Error::interrupted, "interrupted after " + std::to_string(at) + " of " + std::to_string(n) + " tokens");
        const int64_t count = std::min({kRows, n - at, first.pass_room(), second.pass_room()});
        if (count <= 0) return fail(Error::failure, "the context has no room for the tokens that are compared");
        const auto chunk = tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(count));
        const Feed feeds[] = {{&first, chunk}, {&second, chunk}};
        model.forward(feeds, ws, /*all_rows=*/true);
        if (auto numbers = check_logits(ws.logits, model.config().vocab_size, first.position() - count + 1); !numbers) return tl::unexpected(numbers.error());
        for (int64_t i = 0; i < count && at + i + 1 < n; ++i) {
            const std::span<const float> all(ws.logits);
            const auto p = all.subspan(static_cast<size_t>(i) * vocabulary, vocabulary),
                       q = all.subspan(static_cast<size_t>(count + i) * vocabulary, vocabulary);
            const auto next = static_cast<size_t>(tokens[static_cast<size_t>(at + i + 1)]);
            const auto probability = [&](std::span<const float> of) { return static_cast<float>(std::exp(double{of[next]} - log_sum_exp(of))); };
            out.tokens.push_back({static_cast<float>(divergence(p, q)), {probability(p), probability(q)}});
        }
        at += count;
    }
    out.states = states_apart(first, second);
    return out;
}

}  // namespace klp
