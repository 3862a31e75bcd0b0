// A few straight passes over the vocabulary, then work on the few tokens that matter: nothing is sorted that no cut asks for.
#include "kernels/cpu/sample.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/softmax.h"

namespace klp {
namespace {

constexpr size_t kLanes = 16;  // independent sums and maxima, so that the compiler can use vectors without reordering anything

struct Best {
    float value = -INFINITY;
    bool has_nan = false, has_infinity = false;
};
Best best_of(std::span<const float> x) {
    std::array<float, kLanes> best;
    std::array<int32_t, kLanes> nan{}, infinity{};
    best.fill(-INFINITY);
    const size_t whole = x.size() / kLanes * kLanes;
    for (size_t i = 0; i < whole; i += kLanes)
        for (size_t j = 0; j < kLanes; ++j) {
            best[j] = x[i + j] > best[j] ? x[i + j] : best[j];
            nan[j] |= x[i + j] != x[i + j];
            infinity[j] |= std::fabs(x[i + j]) > FLT_MAX;
        }
    for (size_t i = whole; i < x.size(); ++i) {
        best[0] = x[i] > best[0] ? x[i] : best[0];
        nan[0] |= x[i] != x[i];
        infinity[0] |= std::fabs(x[i]) > FLT_MAX;
    }
    const auto any = [](const auto& lanes) { return std::any_of(lanes.begin(), lanes.end(), [](int32_t n) { return n != 0; }); };
    return {*std::max_element(best.begin(), best.end()), any(nan), any(infinity)};
}

// of(x) added up.
template <class Of>
double sum_of(std::span<const float> x, const Of& of) {
    std::array<double, kLanes> sums{};
    const size_t whole = x.size() / kLanes * kLanes;
    for (size_t i = 0; i < whole; i += kLanes)
        for (size_t j = 0; j < kLanes; ++j) sums[j] += of(x[i + j]);
    for (size_t i = whole; i < x.size(); ++i) sums[0] += of(x[i]);
    double sum = 0;
    for (double s : sums) sum += s;
    return sum;
}

}  // namespace

int32_t Drawing::draw(const Sample& a) {
    const Sampling& how = a.how;
    const std::span<const float> logits(a.logits.data, static_cast<size_t>(a.logits.dim[0]));
    std::span<const float> scores = logits;
    Best best = best_of(logits);
    if (best.has_nan || best.has_infinity) return -1;
    if (how.penalises()) {
        scores_.assign(logits.begin(), logits.end());
        for (int32_t id : a.penalised())
            if (const auto i = static_cast<size_t>(id); i < logits.size())
                scores_[i] = logits[i] > 0 ? logits[i] / how.repeat_penalty : logits[i] * how.repeat_penalty;
        scores = scores_;
        best = best_of(scores);
    }
    if (best.has_nan || best.value == -INFINITY) return -1;
    if (!how.draws()) return static_cast<int32_t>(std::find(scores.begin(), scores.end(), best.value) - scores.begin());

    const Exponent x{best.value, how.temperature};
    weights_.resize(scores.size());
    for (size_t i = 0; i < scores.size(); ++i) weights_[i] = exponential(x(scores[i]));

    // A cut mostly falls among tokens not 200,000 times rarer than the best: only those are candidates, unless it turns out to fall further down.
    constexpr float kFaint = 5e-6f;
    const float smallest = how.min_p > 0 ? std::min(how.min_p, 1.f) : 0.f;  // the best has weight 1
    size_t n = 0;
    if (how.ranks()) {
        gather(scores, kFaint);
        n = cut(how, false);
        if (n == 0) {
            gather(scores, 0);
            n = cut(how, true);
        }
        while (ranked_[n - 1].weight < smallest) --n;
    } else {
        gather(scores, std::nextafter(smallest, 0.f));
        n = ranked_.size();
    }

    double total = 0, sum = 0;
    for (size_t i = 0; i < n; ++i) total += steps(ranked_[i].weight);
    for (size_t i = 0; i + 1 < n; ++i)
        if ((sum += steps(ranked_[i].weight)) > a.random * total) return ranked_[i].id;
    return ranked_[n - 1].id;
}

void Drawing::gather(std::span<const float> scores, float above) {
    ranked_.clear();
    for (size_t i = 0; i < scores.size(); ++i)
        if (weights_[i] > above) ranked_.push_back({scores[i], weights_[i], static_cast<int32_t>(i)});
}

// Ranks as many candidates as top-k and top-p ask for and returns how many those keep. 0: the answer depends on tokens that are not among the candidates.
size_t Drawing::cut(const Sampling& how, bool all_are_candidates) {
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
        kept = sum_of(weights_, steps);
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

void look(std::span<const float> logits, Pick& pick, std::span<Candidate> top) {
    const float best = best_of(logits).value;
    const Exponent x{best, 1};
    const auto weight = [&](float z) { return exponential(x(z)); };
    const bool known = pick.id >= 0 && static_cast<size_t>(pick.id) < logits.size();
    const float own = known ? logits[static_cast<size_t>(pick.id)] : NAN;
    constexpr size_t kBlock = 256;
    std::array<float, kBlock> weights;
    double sum = 0, part = 0;  // of e^(z - best), and of its product with z - best
    int32_t rank = 0;
    size_t n = 0;  // the best so far, best first, with their logits
    float bar = -INFINITY;
    for (size_t first = 0; first < logits.size(); first += kBlock) {
        const auto some = logits.subspan(first, std::min(kBlock, logits.size() - first));
        for (size_t i = 0; i < some.size(); ++i) weights[i] = weight(some[i]);
        sum += sum_of(std::span(weights).first(some.size()), [](float w) { return double{w}; });
        if (top.empty()) continue;
        // Watching must cost little beside the sum above: what is asked of every logit is done for a vector of them, and nearly every block ends there.
        std::array<float, kLanes> products{}, most;
        std::array<int32_t, kLanes> above{};
        most.fill(-INFINITY);
        const size_t whole = some.size() / kLanes * kLanes;
        const auto take = [&](size_t lane, size_t i) {
            const float z = some[i], w = weights[i];
            products[lane] += w > 0 ? w * x(z) : 0;
            above[lane] += z > own;
            most[lane] = z > most[lane] ? z : most[lane];
        };
        for (size_t i = 0; i < whole; i += kLanes)
            for (size_t lane = 0; lane < kLanes; ++lane) take(lane, i + lane);
        for (size_t i = whole; i < some.size(); ++i) take(i - whole, i);
        for (float p : products) part += double{p};
        for (int32_t a : above) rank += a;
        if (!(*std::max_element(most.begin(), most.end()) > bar)) continue;
        for (size_t i = 0; i < some.size(); ++i) {
            if (!(some[i] > bar)) continue;
            size_t at = n < top.size() ? n++ : n - 1;
            for (; at > 0 && some[i] > top[at - 1].probability; --at) top[at] = top[at - 1];
            top[at] = {static_cast<int32_t>(first + i), some[i]};
            if (n == top.size()) bar = top.back().probability;
        }
    }
    pick.probability = known ? static_cast<float>(weight(own) / sum) : NAN;
    if (top.empty()) return;
    pick.entropy = static_cast<float>(std::log(sum) - part / sum);
    pick.rank = rank;
    for (Candidate& c : top.first(n)) c.probability = static_cast<float>(weight(c.probability) / sum);
    std::fill(top.begin() + static_cast<std::ptrdiff_t>(n), top.end(), Candidate{-1, 0});
}

void CpuBackend::sample(const Sample& a) {
    a.pick->id = drawing_.draw(a);
    look({a.logits.data, static_cast<size_t>(a.logits.dim[0])}, *a.pick, {a.top, static_cast<size_t>(a.candidates)});
}

}  // namespace klp
