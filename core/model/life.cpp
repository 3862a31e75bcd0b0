#include "core/model/life.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/model/follow.h"
#include "kernels/naive.h"

namespace klp {

KeptKey::KeptKey(std::span<const double> key) : length_(std::sqrt(naive::dot(key, key))), k_(unit(key)), kept_(key.size(), 1), p_(k_) {}

void KeptKey::step(std::span<const double> alpha, std::span<const double> k, double beta) {
    double along = 0;
    for (size_t i = 0; i < p_.size(); ++i) kept_[i] *= alpha[i], p_[i] *= alpha[i], along += k[i] * p_[i];
    for (size_t i = 0; i < p_.size(); ++i) p_[i] -= beta * along * k[i];
}

void KeptKey::edited(std::span<const double> key, double amount) {
    const std::vector<double> e = unit(key);
    const double along = naive::dot(e, p_) * amount;
    for (size_t i = 0; i < p_.size(); ++i) p_[i] -= along * e[i];
}

void KeptKey::emptied(std::span<const int> channels) {
    if (channels.empty()) std::fill(p_.begin(), p_.end(), 0);
    for (const int c : channels) p_[static_cast<size_t>(c)] = 0;
}

double KeptKey::decay() const {
    double sum = 0;
    for (size_t i = 0; i < k_.size(); ++i) sum += k_[i] * k_[i] * kept_[i];
    return sum;
}

double KeptKey::left() const { return naive::dot(k_, p_); }
double KeptKey::read_with(std::span<const double> q) const { return length_ * naive::dot(q, p_); }

Life life(const DeltaRows& rows, int64_t token) {
    Life out;
    const auto K = static_cast<size_t>(rows.K);
    const auto of = [&](const std::vector<double>& values, int64_t t) { return std::span(values).subspan(static_cast<size_t>(t) * K, K); };
    KeptKey kept(of(rows.k, token));
    for (int64_t t = token; t < rows.tokens(); ++t) {
        if (t > token) kept.step(of(rows.alpha, t), of(rows.k, t), rows.plain ? 0 : rows.beta[static_cast<size_t>(t)]);
        out.decay.push_back(static_cast<float>(kept.decay()));
        out.left.push_back(static_cast<float>(kept.left()));
        out.read.push_back(static_cast<float>(rows.beta[static_cast<size_t>(token)] * kept.read_with(of(rows.q, t))));
    }
    return out;
}

Result<FactLife> follow_fact(std::shared_ptr<const Model> model, SnapshotPool& pool, const LifeRequest& what, const std::atomic<bool>* cancel,
                             const SnapshotPool::Progress& progress) {
    const int64_t end = std::min(static_cast<int64_t>(what.tokens.size()), what.token + kLifeWindow);
    auto followed = follow(std::move(model), pool, what, end, true, cancel, progress);
    if (!followed) return tl::unexpected(followed.error());
    FactLife out{.token = what.token, .last = end - 1, .probability = std::move(followed->probability)};
    for (const auto& layer : followed->layers)
        for (HeadLife& head : layer->heads) out.heads.push_back(std::move(head));
    return out;
}

}  // namespace klp
