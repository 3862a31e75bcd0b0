#include "core/model/left.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "kernels/naive.h"

namespace klp {

LeftOfEach left_of_each(const DeltaRows& rows, std::span<const Cut> cuts) {
    const auto K = static_cast<size_t>(rows.K), T = static_cast<size_t>(rows.tokens());
    LeftOfEach out{std::vector<float>(T), std::vector<float>(T)};
    std::vector<double> R(K * K), kept(K, 1);
    for (size_t i = 0; i < K; ++i) R[i * K + i] = 1;
    // R <- R (I - amount e e^T)
    const auto take = [&](std::span<const double> e, double amount) {
        for (size_t i = 0; i < K; ++i) {
            double sum = 0;
            for (size_t j = 0; j < K; ++j) sum += R[i * K + j] * e[j];
            for (size_t j = 0; j < K; ++j) R[i * K + j] -= amount * sum * e[j];
        }
    };
    auto cut = cuts.rbegin();
    for (size_t t = T; t-- > 0;) {
        const std::vector<double> key = unit(std::span(rows.k).subspan(t * K, K));
        double left = 0, decay = 0;
        for (size_t i = 0; i < K; ++i) {
            double sum = 0;
            for (size_t j = 0; j < K; ++j) sum += R[i * K + j] * key[j];
            left += key[i] * sum, decay += key[i] * key[i] * kept[i];
        }
        out.left[t] = static_cast<float>(left), out.decay[t] = static_cast<float>(decay);
        if (!rows.plain) take(std::span(rows.k).subspan(t * K, K), rows.beta[t]);
        for (size_t j = 0; j < K; ++j) {
            const double alpha = rows.alpha[t * K + j];
            kept[j] *= alpha;
            for (size_t i = 0; i < K; ++i) R[i * K + j] *= alpha;
        }
        for (; cut != cuts.rend() && cut->row == static_cast<int64_t>(t); ++cut) {
            if (!cut->key.empty())
                take(unit(cut->key), cut->amount);
            else if (cut->channels.empty())
                std::fill(R.begin(), R.end(), 0);
            for (const int c : cut->channels)
                for (size_t i = 0; i < K; ++i) R[i * K + static_cast<size_t>(c)] = 0;
        }
    }
    return out;
}

Result<LeftNow> left_now(std::shared_ptr<const Model> model, SnapshotPool& pool, const LeftRequest& what, const std::atomic<bool>* cancel,
                         const SnapshotPool::Progress& progress) {
    const ModelConfig& c = model->config();
    const auto N = static_cast<int64_t>(what.tokens.size());
    if (what.layer < 0 || what.layer >= c.num_hidden_layers || !c.has_state(what.layer) || what.head < 0 || what.head >= c.kda_heads)
        return fail(Error::usage, "the model has no state in layer " + std::to_string(what.layer) + ", head " + std::to_string(what.head));
    if (N == 0) return fail(Error::usage, "there is no token to look at yet");
    const int64_t first = std::max<int64_t>(0, N - what.window);
    Sequence sequence(model, what.context);
    if (auto rolls = sequence.set_rolling(what.rolls); !rolls) return tl::unexpected(rolls.error());
    if (auto laid = sequence.touch(what.hands); !laid) return tl::unexpected(laid.error());
    Workspace ws(model->backend());
    const auto before = what.tokens.first(static_cast<size_t>(first));
    const int64_t replayed = pool.cost(sequence, before).replayed, total = replayed + N - first;
    auto move = pool.go(sequence, before, ws, cancel, [&](int64_t done, int64_t) {
        if (progress) progress(done, total);
    });
    if (!move) return tl::unexpected(move.error());

    std::vector<Cut> cuts;
    for (const Intervention& one : what.hands ? *what.hands : Interventions()) {
        if (one.from < first || one.from >= N || !named(one.layers, what.layer) || !named(one.heads, what.head)) continue;
        if (one.what == Intervention::What::edit)
            cuts.push_back({.row = one.from - first, .key = {one.key.begin(), one.key.end()}, .amount = one.amount});
        else if (one.what == Intervention::What::empty || one.what == Intervention::What::put)
            cuts.push_back({.row = one.from - first, .channels = one.channels});
    }
    std::stable_sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.row < b.row; });

    LeftNow out;
    const auto fed = delta_rows(
        sequence, what.tokens.subspan(static_cast<size_t>(first)), what.layer, what.head, 1, ws,
        [&](int, const DeltaRows& rows) { static_cast<LeftOfEach&>(out) = left_of_each(rows, cuts); }, cancel,
        [&](int64_t done) {
            if (progress) progress(replayed + done, total);
        });
    if (!fed) return tl::unexpected(fed.error());
    out.layer = what.layer, out.head = what.head, out.position = N - 1, out.first = first;
    return out;
}

}  // namespace klp
