// A few straight passes over the vocabulary, then work on the few tokens that matter: nothing is sorted that no cut asks for.
#include "kernels/cpu/sample.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/softmax.h"

namespace klp {
KLP_TABLES(Scores, scores_of, kScores_)

int32_t Drawing::draw(const Sample& a, BestScore best) {
    const Sampling& how = a.how;
    const auto n = static_cast<size_t>(a.logits.dim[0]);
    std::span<const float> scores(a.logits.data, n);
    if (best.has_nan || !best.finite) return -1;
    if (how.penalises()) {
        scores_.assign(scores.begin(), scores.end());
        for (int32_t id : a.penalised())
            if (const auto i = static_cast<size_t>(id); i < n) scores_[i] = scores[i] > 0 ? scores[i] / how.repeat_penalty : scores[i] * how.repeat_penalty;
        scores = scores_;
        best = loops_.best(scores.data(), a.logits.dim[0]);
    }
    if (best.has_nan || best.value == -INFINITY) return -1;
    if (!how.draws()) return static_cast<int32_t>(std::find(scores.begin(), scores.end(), best.value) - scores.begin());

    weights_.resize(n);
    const float smallest = how.min_p > 0 ? std::min(how.min_p, 1.f) : 0.f;  // the best has weight 1
    Weigh weigh{scores.data(), a.logits.dim[0], best.value, how.temperature, how.ranks() ? 0 : smallest, weights_.data()};
    const double all = loops_.weigh(weigh);
    if (!how.ranks()) {
        if (const int64_t id = loops_.reach(weights_.data(), a.logits.dim[0], smallest, a.random * all); id >= 0) return static_cast<int32_t>(id);
        size_t last = n - 1;
        while (weights_[last] == 0 || weights_[last] < smallest) --last;
        return static_cast<int32_t>(last);
    }

    // A cut mostly falls among tokens not 200,000 times rarer than the best: only those are candidates, unless it turns out to fall further down.
    constexpr float kFaint = 5e-6f;
    gather(scores, kFaint);
    size_t kept = cut(how, all, false);
    if (kept == 0) {
        gather(scores, 0);
        kept = cut(how, all, true);
    }
    while (ranked_[kept - 1].weight < smallest) --kept;
    double total = 0, sum = 0;
    for (size_t i = 0; i < kept; ++i) total += steps(ranked_[i].weight);
    for (size_t i = 0; i + 1 < kept; ++i)
        if ((sum += steps(ranked_[i].weight)) > a.random * total) return ranked_[i].id;
    return ranked_[kept - 1].id;
}

void Drawing::gather(std::span<const float> scores, float above) {
    places_.resize(scores.size());
    const int64_t n = loops_.above(weights_.data(), static_cast<int64_t>(scores.size()), above, places_.data());
    ranked_.clear();
    for (int32_t id : std::span(places_).first(static_cast<size_t>(n)))
        ranked_.push_back({scores[static_cast<size_t>(id)], weights_[static_cast<size_t>(id)], id});
}

// Ranks as many candidates as top-k and top-p ask for and returns how many those keep. 0: the answer depends on tokens that are not among the candidates.
size_t Drawing::cut(const Sampling& how, double all, bool all_are_candidates) {
    size_t ranked = 0;
    const auto rank = [&](size_t wanted) {
        while (ranked < wanted) {
            const auto begin = ranked_.begin() + static_cast<std::ptrdiff_t>(ranked);
            ranked = std::min(ranked_.size(), std::max<size_t>(256, 8 * ranked));
            const auto end = ranked_.begin() + static_cast<std::ptrdiff_t>(ranked);
            std::nth_element(begin, end, ranked_.end());
            std::sort(begin, end);
        }
    };
    size_t n = ranked_.size();
    double kept = 0;
    if (how.top_k > 0) {
        const auto k = static_cast<size_t>(how.top_k);
        if (k > n && !all_are_candidates) return 0;
        n = std::min(n, k);
        rank(n);
        for (size_t i = 0; i < n; ++i) kept += steps(ranked_[i].weight);
    } else {
        kept = all;
    }
    if (!(how.top_p < 1)) return n;
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
        rank(i + 1);
        sum += steps(ranked_[i].weight);
        if (sum >= how.top_p * kept) return i + 1;
    }
    return how.top_k > 0 || all_are_candidates ? n : 0;
}

void look(std::span<const float> logits, Pick& pick, std::span<Candidate> top, const Scores& loops) {
    const auto n = static_cast<int64_t>(logits.size());
    look(logits, loops.best(logits.data(), n), pick, top, loops);
}

void look(std::span<const float> logits, const BestScore& best, Pick& pick, std::span<Candidate> top, const Scores& loops) {
    const bool known = pick.id >= 0 && static_cast<size_t>(pick.id) < logits.size();
    // As many different logits are at least as good as the best parts: whatever is not is no candidate.
    float bar = -INFINITY;
    if (const size_t k = top.size(); k > 0 && k <= kScoreParts) {
        float parts[kScoreParts];
        std::copy(std::begin(best.parts), std::end(best.parts), parts);
        std::nth_element(parts, parts + k - 1, std::end(parts), std::greater<>());
        bar = std::nextafter(parts[k - 1], -INFINITY);
    }
    const float own = known ? logits[static_cast<size_t>(pick.id)] : NAN;
    Look seen{.logits = logits.data(),
              .n = static_cast<int64_t>(logits.size()),
              .best = best.value,
              .own = own,
              .top = top.data(),
              .candidates = static_cast<int64_t>(top.size()),
              .bar = bar};
    loops.look(seen);
    const auto share = [&, x = Exponent{best.value, 1}](float z) { return static_cast<float>(exponential(x(z)) / seen.sum); };
    pick.probability = known ? share(own) : NAN;
    if (top.empty()) return;
    pick.entropy = static_cast<float>(std::log(seen.sum) - seen.part / seen.sum);
    pick.rank = static_cast<int32_t>(seen.rank);
    for (Candidate& c : top.first(static_cast<size_t>(seen.found))) c.probability = share(c.probability);
    std::fill(top.begin() + seen.found, top.end(), Candidate{-1, 0});
}

void Drawing::sample(const Sample& a) {
    const std::span<const float> logits(a.logits.data, static_cast<size_t>(a.logits.dim[0]));
    const BestScore best = loops_.best(logits.data(), a.logits.dim[0]);
    a.pick->id = draw(a, best);
    look(logits, best, *a.pick, {a.top, static_cast<size_t>(a.candidates)}, loops_);
}

void CpuBackend::sample(const Sample& a) { drawing_.sample(a); }

}  // namespace klp
