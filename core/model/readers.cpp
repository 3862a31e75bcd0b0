#include "core/model/readers.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/model/follow.h"

namespace klp {

namespace {

bool reads_nothing(const Interventions& all, const HeadShare& head, int64_t position) {
    return std::any_of(all.begin(), all.end(), [&](const Intervention& one) {
        return one.what == Intervention::What::read && one.amount == 0 && one.from <= position && position < one.to && named(one.layers, head.layer) &&
               named(one.heads, head.head);
    });
}

}  // namespace

Result<Readers> who_reads(std::shared_ptr<const Model> model, SnapshotPool& pool, const ReadersRequest& what, const std::atomic<bool>* cancel,
                          const SnapshotPool::Progress& progress) {
    const auto n = static_cast<int64_t>(what.tokens.size());
    const int64_t position = what.position < 0 ? n - 1 : std::min(what.position, n - 1);
    if (position < what.token && what.token < n)
        return fail(Error::usage, "token " + std::to_string(position) + " reads nothing of token " + std::to_string(what.token) + ", which comes after it");
    auto followed =
        follow(std::move(model), pool, {.tokens = what.tokens, .token = what.token, .context = what.context, .rolls = what.rolls, .hands = what.hands},
               position + 1, false, cancel, progress);
    if (!followed) return tl::unexpected(followed.error());
    Readers out{.token = what.token, .position = position};
    for (const auto& layer : followed->layers) {
        const std::vector<double> shares = layer->shares(followed->sequence);
        for (size_t h = 0; h < shares.size(); ++h) {
            const HeadLife& head = layer->heads[h];
            HeadShare one{head.layer, head.head, head.cache, head.read.back(), static_cast<float>(shares[h])};
            if (what.hands && reads_nothing(*what.hands, one, position)) one.weight = one.share = 0;
            out.heads.push_back(one);
        }
    }
    std::stable_sort(out.heads.begin(), out.heads.end(), [](const HeadShare& a, const HeadShare& b) { return std::abs(a.share) > std::abs(b.share); });
    return out;
}

}  // namespace klp
