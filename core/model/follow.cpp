#include "core/model/follow.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/model/compare.h"
#include "core/model/head_inputs.h"
#include "core/model/probe.h"
#include "kernels/naive.h"

namespace klp {

namespace {

using naive::Numbers;

constexpr int64_t kFedAtOnce = 64;  // tokens whose keys, gates and queries of all layers are held at a time

void tell(std::vector<float>& curve, double value, bool curves) {
    if (!curves) curve.clear();
    curve.push_back(static_cast<float>(value));
}

class StateFollower final : public LayerFollower {
public:
    StateFollower(int layer, const ModelConfig& c, std::vector<HeadInputs> inputs, bool curves)
        : layer_(layer),
          config_(c),
          K_(static_cast<size_t>(c.kda_key_dim)),
          V_(static_cast<size_t>(c.kda_value_dim)),
          inputs_(std::move(inputs)),
          curves_(curves) {
        for (int h = 0; h < c.kda_heads; ++h) heads.push_back({.layer = layer, .head = h});
    }
    Result<void> take(const FollowTap& tap, const Sequence& sequence, int64_t position, int64_t count) override {
        const auto rows = [&](Site site) { return std::span<const float>(tap.values.at({site, layer_})); };
        const auto projections = rows(Site::projections), gates = rows(Site::log_decay), betas = rows(Site::beta);
        const size_t H = heads.size(), width = projections.size() / static_cast<size_t>(count);
        for (size_t n = 0; n < static_cast<size_t>(count); ++n) {
            const auto row = projections.subspan(n * width, width);
            for (size_t h = 0; h < H; ++h) {
                HeadInputs& in = inputs_[h];
                const HeadInputs::Columns at = HeadInputs::columns(config_, static_cast<int>(h));
                in.next(row.subspan(static_cast<size_t>(at.q), K_), row.subspan(static_cast<size_t>(at.k), K_), row.subspan(static_cast<size_t>(at.v), V_));
                const double beta = betas[n * H + h];
                HeadLife& mine = heads[h];
                if (kept_.size() <= h) {
                    kept_.emplace_back(in.k);
                    values_.push_back(in.v);
                    mine.beta = static_cast<float>(beta);
                } else {
                    if (sequence.touched()) cut(*sequence.touched(), static_cast<int>(h), position + static_cast<int64_t>(n));
                    Numbers alpha(K_);
                    for (size_t i = 0; i < K_; ++i) alpha[i] = std::exp(double{gates[(n * H + h) * K_ + i]});
                    kept_[h].step(alpha, in.k, config_.rule().plain ? 0 : beta);
                }
                tell(mine.decay, kept_[h].decay(), curves_);
                tell(mine.left, kept_[h].left(), curves_);
                tell(mine.read, double{mine.beta} * kept_[h].read_with(in.q), curves_);
            }
        }
        return {};
    }
    // (w v . o) / |o|^2 with o = S^T q, the state being V-first.
    std::vector<double> shares(const Sequence& sequence) const override {
        const std::vector<float> S = sequence.state(layer_, "S");
        std::vector<double> out;
        for (size_t h = 0; h < heads.size(); ++h) {
            double along = 0, all = 0;
            for (size_t j = 0; j < V_; ++j) {
                double o = 0;
                for (size_t i = 0; i < K_; ++i) o += double{S[(h * V_ + j) * K_ + i]} * inputs_[h].q[i];
                along += values_[h][j] * o, all += o * o;
            }
            out.push_back(all > 0 ? double{heads[h].read.back()} * along / all : 0);
        }
        return out;
    }

private:
    // What hands did to the state in front of this token.
    void cut(const Interventions& all, int head, int64_t position) {
        for (const Intervention& one : all) {
            if (one.from != position || !named(one.layers, layer_) || !named(one.heads, head)) continue;
            KeptKey& kept = kept_[static_cast<size_t>(head)];
            if (one.what == Intervention::What::edit)
                kept.edited(std::vector<double>(one.key.begin(), one.key.end()), one.amount);
            else if (one.what == Intervention::What::empty || one.what == Intervention::What::put)
                kept.emptied(one.channels);
        }
    }
    int layer_;
    const ModelConfig& config_;
    size_t K_, V_;
    std::vector<HeadInputs> inputs_;  // of each head
    bool curves_;
    std::vector<KeptKey> kept_;    // of each head, once the fact was fed
    std::vector<Numbers> values_;  // that it wrote
};

// The weight of one row needs its key, the token's query, and the sum of exponentials that the kernel tells: softmax_t(i) = exp(q_t . k_i / sqrt(d) - lse_t).
class CacheFollower final : public LayerFollower {
public:
    CacheFollower(int layer, const ModelConfig& c, bool curves) : layer_(layer), config_(c), curves_(curves) {
        for (int h = 0; h < c.num_attention_heads; ++h) heads.push_back({.layer = layer, .head = h, .cache = true});
    }
    Result<void> take(const FollowTap& tap, const Sequence& sequence, int64_t position, int64_t count) override {
        const int64_t nope = config_.qk_nope_head_dim, head = config_.head_dim ? config_.head_dim : nope + config_.qk_rope_head_dim;
        const int64_t step = config_.head_dim && config_.attention_gate ? 2 * head : head;  // a gate stands behind each query
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
                const auto q = projections.subspan(static_cast<size_t>(n) * width + h * static_cast<size_t>(step), static_cast<size_t>(head));
                Numbers query(q.begin(), q.end());
                if (config_.head_dim) {
                    auto made = attention_query(sequence.model().source(), config_, layer_, q, position + n);
                    if (!made) return tl::unexpected(made.error());
                    query = std::move(*made);
                } else if (!config_.mla_use_nope)
                    naive::rotate(std::span(query).subspan(static_cast<size_t>(nope)), position + n, config_.rope_theta, config_.rope_adjacent);
                const double score = naive::dot(query, keys_[h]) * scale - sums[static_cast<size_t>(n) * H + h];
                tell(heads[h].read, gone ? 0 : std::exp(score), curves_);
            }
        return {};
    }
    std::vector<double> shares(const Sequence&) const override {
        std::vector<double> out;
        for (const HeadLife& head : heads) out.push_back(double{head.read.back()});
        return out;
    }

private:
    // The fact's row is the cache's newest: W_UK c | k_r, cached keys being rotated already.
    Result<void> make_keys(const Sequence& sequence) {
        const int64_t nope = config_.qk_nope_head_dim, rope = config_.qk_rope_head_dim, L = config_.kv_lora_rank, head_rows = nope + config_.v_head_dim;
        const auto H = static_cast<int64_t>(heads.size());
        const std::vector<float> row = sequence.cache(layer_, sequence.rows() - 1, 1);
        for (int64_t h = 0; config_.head_dim && h < H; ++h) {  // keys are whole, each of as many heads
            const auto at = row.begin() + h / (H / config_.num_key_value_heads) * 2 * config_.head_dim;
            keys_.emplace_back(at, at + config_.head_dim);
        }
        if (config_.head_dim) return {};
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
    const bool curves_;
    int64_t fact_ = 0;
    std::vector<Numbers> keys_;  // of each head
};

}  // namespace

Result<Following> follow(std::shared_ptr<const Model> model, SnapshotPool& pool, const LifeRequest& what, int64_t end, bool curves,
                         const std::atomic<bool>* cancel, const SnapshotPool::Progress& progress) {
    const ModelConfig& c = model->config();
    const auto N = static_cast<int64_t>(what.tokens.size());
    if (what.token < 0 || what.token >= N)
        return fail(Error::usage, "token " + std::to_string(what.token) + " is not among the " + std::to_string(N) + " that were fed");
    if (what.layer < -1 || what.layer >= c.num_hidden_layers)
        return fail(Error::usage, "the model has no layer " + std::to_string(what.layer) + ", only 0 to " + std::to_string(c.num_hidden_layers - 1));
    Following out{Sequence(model, what.context), {}, {}};
    Sequence& sequence = out.sequence;
    if (auto rolls = sequence.set_rolling(what.rolls); !rolls) return tl::unexpected(rolls.error());
    if (auto laid = sequence.touch(what.hands); !laid) return tl::unexpected(laid.error());
    Workspace ws(model->backend());
    const auto before = what.tokens.first(static_cast<size_t>(what.token));
    const int64_t replayed = pool.cost(sequence, before).replayed, total = replayed + end - what.token;
    auto move = pool.go(sequence, before, ws, cancel, [&](int64_t done, int64_t) {
        if (progress) progress(done, total);
    });
    if (!move) return tl::unexpected(move.error());

    for (int layer = 0; layer < c.num_hidden_layers; ++layer) {
        if (what.layer >= 0 && layer != what.layer) continue;
        if (!c.has_state(layer)) {
            out.layers.push_back(std::make_unique<CacheFollower>(layer, c, curves));
            continue;
        }
        auto inputs = HeadInputs::of(sequence, layer, 0, c.kda_heads);
        if (!inputs) return tl::unexpected(inputs.error());
        out.layers.push_back(std::make_unique<StateFollower>(layer, c, std::move(*inputs), curves));
    }

    FollowTap tap(what.layer);
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
        for (const auto& layer : out.layers)
            if (auto taken = layer->take(tap, sequence, at, to - at); !taken) return tl::unexpected(taken.error());
        tap.values.clear();
    }
    return out;
}

}  // namespace klp
