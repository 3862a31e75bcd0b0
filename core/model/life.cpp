#include "core/model/life.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/model/compare.h"
#include "kernels/naive.h"

namespace klp {

namespace {

using naive::Numbers;

constexpr int64_t kFedAtOnce = 64;  // tokens whose keys, gates and queries of all layers are held at a time

// What is wanted of some tokens of all layers, [tokens][width] each.
class LifeTap final : public Tap {
public:
    std::map<std::pair<Site, int>, std::vector<float>> values;
    explicit LifeTap(int layer) : layer_(layer) {}
    bool wants(Site site, int layer) const override {
        return (layer_ < 0 || layer == layer_) && (site == Site::projections || site == Site::log_decay || site == Site::beta || site == Site::log_sum_exp);
    }
    void take(const Reading& r) override {
        auto& to = values[{r.site, r.layer}];
        to.insert(to.end(), r.values.begin(), r.values.end());
    }

private:
    int layer_;
};

// One stream of a KDA layer's convolution (q or k) of all heads: what the last taps held, and its weights.
struct ConvStream {
    int64_t column = 0, width = 0, C = 0;
    Numbers weights;                         // [width, C]
    std::vector<std::vector<float>> before;  // the C - 1 rows in front of the next one

    // The next token's convolved and activated row.
    Numbers next(std::span<const float> row) {
        Numbers out(static_cast<size_t>(width));
        before.emplace_back(row.begin() + column, row.begin() + column + width);
        for (size_t i = 0; i < out.size(); ++i) {
            double sum = 0;
            for (size_t j = 0; j < static_cast<size_t>(C); ++j) sum += weights[i * static_cast<size_t>(C) + j] * before[j][i];
            out[i] = naive::silu(sum);
        }
        before.erase(before.begin());
        return out;
    }
};

Result<ConvStream> conv_stream(const Sequence& sequence, int layer, const char* name, int64_t column) {
    const ModelConfig& c = sequence.model().config();
    const int64_t HK = int64_t{c.kda_heads} * c.kda_key_dim, C = c.short_conv_kernel_size, all = 2 * HK + int64_t{c.kda_heads} * c.kda_value_dim;
    ConvStream stream{.column = column, .width = HK, .C = C};
    const auto found = sequence.model().source().find("model.layers." + std::to_string(layer) + ".self_attn." + name + "_conv1d.weight", {HK, 1, C});
    if (!found) return tl::unexpected(found.error());
    stream.weights = naive::dense(*found);
    const std::vector<float> tail = sequence.state(layer, "conv");
    for (int64_t t = 0; t < C - 1; ++t) stream.before.emplace_back(tail.begin() + t * all + column, tail.begin() + t * all + column + HK);
    return stream;
}

// Follows a fact through one layer, some tokens at a time.
class LayerLife {
public:
    virtual ~LayerLife() = default;
    // The fact itself is the first token that is ever given; `sequence` holds all `count` tokens from `position` on.
    virtual Result<void> take(const LifeTap& tap, const Sequence& sequence, int64_t position, int64_t count) = 0;
    std::vector<HeadLife> heads;
};

class StateLife final : public LayerLife {
public:
    StateLife(int layer, const ModelConfig& c, ConvStream q, ConvStream k)
        : layer_(layer), K_(static_cast<size_t>(c.kda_key_dim)), q_(std::move(q)), k_(std::move(k)) {
        for (int h = 0; h < c.kda_heads; ++h) heads.push_back({.layer = layer, .head = h});
    }
    Result<void> take(const LifeTap& tap, const Sequence& sequence, int64_t position, int64_t count) override {
        const auto rows = [&](Site site) { return std::span<const float>(tap.values.at({site, layer_})); };
        const auto projections = rows(Site::projections), gates = rows(Site::log_decay), betas = rows(Site::beta);
        const size_t H = heads.size(), width = projections.size() / static_cast<size_t>(count);
        for (int64_t n = 0; n < count; ++n) {
            const auto at = static_cast<size_t>(n);
            const auto row = projections.subspan(at * width, width);
            const Numbers q = q_.next(row), k = k_.next(row);
            for (size_t h = 0; h < H; ++h) {
                const Numbers key = naive::l2_norm(std::span(k).subspan(h * K_, K_));
                Numbers query = naive::l2_norm(std::span(q).subspan(h * K_, K_));
                for (double& x : query) x /= std::sqrt(static_cast<double>(K_));
                const double beta = betas[at * H + h];
                HeadLife& mine = heads[h];
                if (kept_.size() <= h) {
                    kept_.emplace_back(key);
                    mine.beta = static_cast<float>(beta);
                } else {
                    if (sequence.touched()) cut(*sequence.touched(), static_cast<int>(h), position + n);
                    Numbers alpha(K_);
                    for (size_t i = 0; i < K_; ++i) alpha[i] = std::exp(double{gates[(at * H + h) * K_ + i]});
                    kept_[h].step(alpha, key, beta);
                }
                mine.decay.push_back(static_cast<float>(kept_[h].decay()));
                mine.left.push_back(static_cast<float>(kept_[h].left()));
                mine.read.push_back(static_cast<float>(mine.beta * kept_[h].read_with(query)));
            }
        }
        return {};
    }

private:
    // What hands did to the state in front of this token.
    void cut(const Interventions& all, int head, int64_t position) {
        const auto named = [](const std::vector<int>& some, int one) { return some.empty() || std::find(some.begin(), some.end(), one) != some.end(); };
        for (const Intervention& one : all) {
            if (one.from != position || !named(one.layers, layer_) || !named(one.heads, head)) continue;
            KeptKey& kept = kept_[static_cast<size_t>(head)];
            if (one.what == Intervention::What::edit)
                kept.edited(std::vector<double>(one.key.begin(), one.key.end()), one.amount);
            else if (one.what == Intervention::What::empty || one.what == Intervention::What::put)
                kept.emptied();
        }
    }
    int layer_;
    size_t K_;
    ConvStream q_, k_;
    std::vector<KeptKey> kept_;  // of each head, once the fact was fed
};

// The weight of one row needs its key, the token's query, and the sum of exponentials that the kernel tells: softmax_t(i) = exp(q_t . k_i / sqrt(d) - lse_t).
class CacheLife final : public LayerLife {
public:
    CacheLife(int layer, const ModelConfig& c) : layer_(layer), config_(c) {
        for (int h = 0; h < c.num_attention_heads; ++h) heads.push_back({.layer = layer, .head = h, .cache = true});
    }
    Result<void> take(const LifeTap& tap, const Sequence& sequence, int64_t position, int64_t count) override {
        const int64_t nope = config_.qk_nope_head_dim, rope = config_.qk_rope_head_dim, head = nope + rope;
        if (keys_.empty()) {
            fact_ = position;
            if (auto made = make_keys(sequence); !made) return made;
        }
        const std::span<const float> projections = tap.values.at({Site::projections, layer_}), sums = tap.values.at({Site::log_sum_exp, layer_});
        const size_t H = heads.size(), width = projections.size() / static_cast<size_t>(count);
        const double scale = 1 / std::sqrt(static_cast<double>(head));
        const auto& hidden = sequence.hidden();
        const bool gone = fact_ < sequence.dropped() || std::binary_search(hidden.begin(), hidden.end(), fact_);
        for (int64_t n = 0; n < count; ++n)
            for (size_t h = 0; h < H; ++h) {
                const auto q = projections.subspan(static_cast<size_t>(n) * width + h * static_cast<size_t>(head), static_cast<size_t>(head));
                Numbers query(q.begin(), q.end());
                if (!config_.mla_use_nope)
                    naive::rotate(std::span(query).subspan(static_cast<size_t>(nope)), position + n, config_.rope_theta, config_.rope_adjacent);
                const double score = naive::dot(query, keys_[h]) * scale - sums[static_cast<size_t>(n) * H + h];
                heads[h].read.push_back(gone ? 0 : static_cast<float>(std::exp(score)));
            }
        return {};
    }

private:
    // The fact's row is the cache's newest: W_UK c | k_r, cached keys being rotated already.
    Result<void> make_keys(const Sequence& sequence) {
        const int64_t nope = config_.qk_nope_head_dim, rope = config_.qk_rope_head_dim, L = config_.kv_lora_rank, head_rows = nope + config_.v_head_dim;
        const auto H = static_cast<int64_t>(heads.size());
        const std::vector<float> row = sequence.cache(layer_, sequence.rows() - 1, 1);
        const auto found = sequence.model().source().find("model.layers." + std::to_string(layer_) + ".self_attn.kv_b_proj.weight", {H * head_rows, L});
        if (!found) return tl::unexpected(found.error());
        const Numbers latent(row.begin(), row.begin() + L);
        for (int64_t h = 0; h < H; ++h) {
            Numbers key = naive::matvec(found->rows(h * head_rows, nope), latent);
            key.insert(key.end(), row.begin() + L, row.begin() + L + rope);
            keys_.push_back(std::move(key));
        }
        return {};
    }
    int layer_;
    const ModelConfig& config_;
    int64_t fact_ = 0;
    std::vector<Numbers> keys_;  // of each head
};

}  // namespace

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

void KeptKey::emptied() { std::fill(p_.begin(), p_.end(), 0); }

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
        if (t > token) kept.step(of(rows.alpha, t), of(rows.k, t), rows.beta[static_cast<size_t>(t)]);
        out.decay.push_back(static_cast<float>(kept.decay()));
        out.left.push_back(static_cast<float>(kept.left()));
        out.read.push_back(static_cast<float>(rows.beta[static_cast<size_t>(token)] * kept.read_with(of(rows.q, t))));
    }
    return out;
}

Result<FactLife> follow_fact(std::shared_ptr<const Model> model, SnapshotPool& pool, const LifeRequest& what, const std::atomic<bool>* cancel,
                             const SnapshotPool::Progress& progress) {
    const ModelConfig& c = model->config();
    const auto N = static_cast<int64_t>(what.tokens.size());
    if (what.token < 0 || what.token >= N)
        return fail(Error::usage, "token " + std::to_string(what.token) + " is not among the " + std::to_string(N) + " that were fed");
    if (what.layer < -1 || what.layer >= c.num_hidden_layers)
        return fail(Error::usage, "the model has no layer " + std::to_string(what.layer) + ", only 0 to " + std::to_string(c.num_hidden_layers - 1));
    const int64_t end = std::min(N, what.token + kLifeWindow);
    Sequence sequence(model, what.context);
    if (auto rolls = sequence.set_rolling(what.rolls); !rolls) return tl::unexpected(rolls.error());
    if (auto laid = sequence.touch(what.hands); !laid) return tl::unexpected(laid.error());
    Workspace ws(model->backend());
    const auto before = what.tokens.first(static_cast<size_t>(what.token));
    const int64_t replayed = pool.cost(sequence, before).replayed, total = replayed + end - what.token;
    auto move = pool.go(sequence, before, ws, cancel, [&](int64_t done, int64_t) {
        if (progress) progress(done, total);
    });
    if (!move) return tl::unexpected(move.error());

    std::vector<std::unique_ptr<LayerLife>> layers;
    for (int layer = 0; layer < c.num_hidden_layers; ++layer) {
        if (what.layer >= 0 && layer != what.layer) continue;
        if (!c.is_kda(layer)) {
            layers.push_back(std::make_unique<CacheLife>(layer, c));
            continue;
        }
        auto q = conv_stream(sequence, layer, "q", 0), k = conv_stream(sequence, layer, "k", int64_t{c.kda_heads} * c.kda_key_dim);
        for (const auto* stream : {&q, &k})
            if (!*stream) return tl::unexpected(stream->error());
        layers.push_back(std::make_unique<StateLife>(layer, c, std::move(*q), std::move(*k)));
    }

    FactLife out{.token = what.token, .last = end - 1};
    LifeTap tap(what.layer);
    ws.tap = &tap;
    const auto made = [&](int64_t p) { return what.made && p < end && what.made(p); };
    while (sequence.position() < end) {
        const int64_t at = sequence.position();
        int64_t to = at + 1;  // the fact is fed alone, for its row is the cache's newest then; and what answers made, to see what they were chosen among
        while (at > what.token && to < end && to - at < std::min(kFedAtOnce, sequence.pass_room()) && !made(to)) ++to;
        if (progress) progress(replayed + at - what.token, total);
        const bool looks = made(to);
        if (auto fed = sequence.feed(what.tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(to - at)), ws, cancel, looks ? nullptr : &kGreedy); !fed)
            return tl::unexpected(fed.error());
        if (looks)
            out.probability.emplace_back(to, static_cast<float>(std::exp(double{ws.logits[static_cast<size_t>(what.tokens[static_cast<size_t>(what.token)])]} -
                                                                         log_sum_exp(ws.logits))));
        for (const auto& layer : layers)
            if (auto taken = layer->take(tap, sequence, at, to - at); !taken) return tl::unexpected(taken.error());
        tap.values.clear();
    }
    for (const auto& layer : layers)
        for (HeadLife& head : layer->heads) out.heads.push_back(std::move(head));
    return out;
}

}  // namespace klp
