#include "core/model/probe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/model/head_inputs.h"
#include "kernels/cpu/sample.h"
#include "kernels/naive.h"

namespace klp {

namespace {

using naive::Numbers;

// Keeps the columns that one head needs, token after token.
class HeadTap final : public Tap {
public:
    struct Columns {
        int64_t first = 0, count = 0;
    };
    HeadTap(int layer, std::vector<std::pair<Site, Columns>> wanted) : layer_(layer), wanted_(std::move(wanted)), values(wanted_.size()) {}
    bool wants(Site site, int layer) const override {
        return layer == layer_ && std::any_of(wanted_.begin(), wanted_.end(), [&](const auto& w) { return w.first == site; });
    }
    void take(const Reading& r) override {
        for (size_t i = 0; i < wanted_.size(); ++i) {
            const auto& [site, columns] = wanted_[i];
            if (site != r.site) continue;
            const auto from = r.values.begin() + columns.first;
            values[i].insert(values[i].end(), from, from + columns.count);
        }
    }

private:
    int layer_;
    std::vector<std::pair<Site, Columns>> wanted_;

public:
    std::vector<std::vector<float>> values;  // of each wanted one, [T, count]
};

using Heard = std::function<void(int64_t done)>;

// Feeds under a tap, chunk by chunk.
Result<void> feed(Sequence& sequence, std::span<const int32_t> tokens, Workspace& ws, Tap& tap, const std::atomic<bool>* cancel, const Heard& heard) {
    Tap* const before = std::exchange(ws.tap, &tap);
    Result<void> fed;
    for (int64_t at = 0, n = static_cast<int64_t>(tokens.size()); at < n && fed; at += kPrefillChunk) {
        if (heard) heard(at);
        fed = sequence.feed(tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(kPrefillChunk, n - at))), ws, cancel, &kGreedy);
    }
    ws.tap = before;
    return fed;
}

// A probe's own sequence, and how far it is.
struct Replay {
    const ProbeRequest& what;
    SnapshotPool& pool;
    const std::atomic<bool>* cancel;
    const SnapshotPool::Progress& progress;
    Sequence sequence;
    Workspace ws;
    int64_t replayed = 0;  // before what the probe looks at

    // Stands in front of token `first`.
    Result<void> stand(int64_t first) {
        const auto before = what.tokens.first(static_cast<size_t>(first));
        replayed = pool.cost(sequence, before).replayed;
        const int64_t total = replayed + static_cast<int64_t>(what.tokens.size()) - first;
        auto move = pool.go(sequence, before, ws, cancel, [&](int64_t done, int64_t) {
            if (progress) progress(done, total);
        });
        if (!move) return tl::unexpected(move.error());
        return {};
    }
    std::span<const int32_t> rest() const { return what.tokens.subspan(static_cast<size_t>(sequence.position())); }
    Heard heard() const {
        const int64_t total = replayed + static_cast<int64_t>(rest().size());
        return [this, total](int64_t done) {
            if (progress) progress(replayed + done, total);
        };
    }
};

using AllReads = std::vector<HeadReads>;

Result<AllReads> probe_kda(Replay& at, int first_head, int heads) {
    const ModelConfig& c = at.sequence.model().config();
    const int64_t K = c.kda_key_dim, V = c.kda_value_dim;
    const auto end = static_cast<int64_t>(at.what.tokens.size());
    // A state that hands have changed is what is read from there on: what was written before is in it no more, or not as it was written.
    const int64_t first = std::max({int64_t{0}, end - at.what.window, newest_change(at.what.hands.get(), at.what.layer, end - 1)});
    if (auto stands = at.stand(first); !stands) return tl::unexpected(stands.error());
    const std::vector<float> state = at.sequence.state_under_hands(at.what.layer, "S");
    AllReads all_reads;
    const auto look = [&](int h, const DeltaRows& rows) {
        Unrolled unrolled = unroll(rows);
        double rest = 0, all = 0;  // |S_0^T r|^2 and |o|^2
        for (int64_t j = 0; j < V; ++j) {
            double o = 0;
            for (int64_t i = 0; i < K; ++i) o += state[static_cast<size_t>((h * V + j) * K + i)] * unrolled.rest[static_cast<size_t>(i)];
            rest += o * o;
            for (int64_t t = 0; t < rows.tokens(); ++t) o += unrolled.weights[static_cast<size_t>(t)] * rows.v[static_cast<size_t>(t * V + j)];
            all += o * o;
        }
        HeadReads reads{.head = h, .position = static_cast<int64_t>(at.what.tokens.size()) - 1, .first = first, .implicit = true};
        reads.weights = std::move(unrolled.weights), reads.decay_only = std::move(unrolled.decay_only);
        reads.before = all > 0 ? static_cast<float>(std::sqrt(rest / all)) : 0;
        all_reads.push_back(std::move(reads));
    };
    auto fed = delta_rows(at.sequence, at.rest(), at.what.layer, first_head, heads, at.ws, look, at.cancel, at.heard());
    if (!fed) return tl::unexpected(fed.error());
    return all_reads;
}

Result<AllReads> probe_cache(Replay& at, int first_head, int heads) {
    const ModelConfig& c = at.sequence.model().config();
    const int64_t nope = c.qk_nope_head_dim, rope = c.qk_rope_head_dim, L = c.kv_lora_rank, head_rows = nope + c.v_head_dim;
    const int64_t N = static_cast<int64_t>(at.what.tokens.size());
    if (auto stands = at.stand(N - 1); !stands) return tl::unexpected(stands.error());
    const int64_t step = c.head_dim ? (c.attention_gate ? 2 : 1) * c.head_dim : nope + rope;  // columns of a head's query, a gate behind it
    HeadTap tap(at.what.layer, {{Site::projections, {first_head * step, heads * step}}});
    if (auto fed = feed(at.sequence, at.rest(), at.ws, tap, at.cancel, at.heard()); !fed) return tl::unexpected(fed.error());

    AllReads all;
    std::vector<Numbers> queries;
    std::vector<int64_t> columns;  // of a cached row, where what a query meets begins
    for (int h = first_head; h < first_head + heads; ++h) {
        columns.push_back(c.head_dim ? h / (c.num_attention_heads / c.num_key_value_heads) * 2 * c.head_dim : 0);
        all.push_back({.head = h, .position = N - 1, .first = at.sequence.dropped()});
        all.back().weights.reserve(static_cast<size_t>(at.sequence.rows()));
    }
    const std::string kv_b = "model.layers." + std::to_string(at.what.layer) + ".self_attn.kv_b_proj.weight";
    auto found = c.head_dim ? Result<Weight>() : at.sequence.model().source().find(kv_b, {c.num_attention_heads * head_rows, L});
    if (!found) return tl::unexpected(found.error());
    for (int h = first_head; h < first_head + heads; ++h) {
        if (c.head_dim) {
            const auto q = std::span<const float>(tap.values[0]).subspan(static_cast<size_t>((h - first_head) * step), static_cast<size_t>(c.head_dim));
            auto query = attention_query(at.sequence.model().source(), c, at.what.layer, q, N - 1);
            if (!query) return tl::unexpected(query.error());
            queries.push_back(std::move(*query));
            continue;
        }
        const Numbers w_uk = naive::dense(found->rows(h * head_rows, nope));
        // query of the cached row c | k_r:  W_UK^T q_n | q_r
        const auto q = tap.values[0].begin() + (h - first_head) * (nope + rope);
        Numbers query(static_cast<size_t>(L));
        for (int64_t i = 0; i < nope; ++i)
            for (int64_t l = 0; l < L; ++l) query[static_cast<size_t>(l)] += w_uk[static_cast<size_t>(i * L + l)] * q[i];
        query.insert(query.end(), q + nope, q + nope + rope);
        if (!c.mla_use_nope)
            naive::rotate(std::span(query).subspan(static_cast<size_t>(L)), N - 1, c.rope_theta, c.rope_adjacent);  // cached keys are rotated already
        queries.push_back(std::move(query));
    }

    const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim ? c.head_dim : nope + rope));
    const int64_t width = c.cache_width();
    for (int64_t first = 0, all_rows = at.sequence.rows(); first < all_rows; first += kMlaPage) {
        const int64_t count = std::min<int64_t>(kMlaPage, all_rows - first);
        const std::vector<float> rows = at.sequence.cache(at.what.layer, first, count);
        for (size_t h = 0; h < all.size(); ++h)
            for (int64_t n = 0; n < count; ++n) {
                double score = 0;
                for (size_t i = 0; i < queries[h].size(); ++i) score += queries[h][i] * rows[static_cast<size_t>(n * width + columns[h]) + i];
                all[h].weights.push_back(static_cast<float>(score * scale));
            }
    }
    const std::vector<int64_t>& hidden = at.sequence.hidden();
    for (HeadReads& reads : all) {
        const float top = *std::max_element(reads.weights.begin(), reads.weights.end());
        double sum = 0;
        for (float w : reads.weights) sum += std::exp(static_cast<double>(w) - top);
        for (float& w : reads.weights) w = static_cast<float>(std::exp(static_cast<double>(w) - top) / sum);
        for (const int64_t token : hidden)  // ascending, so each goes where it stands at the end
            if (token >= reads.first) reads.weights.insert(reads.weights.begin() + (token - reads.first), 0.f);
    }
    return all;
}

}  // namespace

Result<Numbers> attention_query(const WeightSource& source, const ModelConfig& c, int layer, std::span<const float> q, int64_t position) {
    const auto weight = source.find("model.layers." + std::to_string(layer) + ".self_attn.q_norm.weight", {c.head_dim});
    if (!weight) return tl::unexpected(weight.error());
    const Numbers numbers = naive::dense(*weight);
    const std::vector<float> of_norm(numbers.begin(), numbers.end());
    Numbers query = naive::rms_norm(Numbers(q.begin(), q.end()), {of_norm.data(), c.rms_norm_eps});
    if (!c.mla_use_nope) naive::rotate(std::span(query).first(static_cast<size_t>(c.rotary_dim)), position, c.rope_theta);
    return query;
}

Result<void> delta_rows(Sequence& sequence, std::span<const int32_t> tokens, int layer, int first, int count, Workspace& ws,
                        const std::function<void(int head, const DeltaRows&)>& each, const std::atomic<bool>* cancel,
                        const std::function<void(int64_t done)>& heard) {
    const ModelConfig& c = sequence.model().config();
    const int64_t K = c.kda_key_dim, V = c.kda_value_dim, T = static_cast<int64_t>(tokens.size()), H_k = c.key_heads();
    // Heads of keys: those of these heads stand side by side, or all over the place.
    const int64_t key = c.kda_tiled ? 0 : c.key_head(first), keys = c.kda_tiled ? H_k : c.key_head(first + count - 1) - key + 1;
    auto inputs = HeadInputs::of(sequence, layer, first, count);
    if (!inputs) return tl::unexpected(inputs.error());
    HeadTap tap(layer, {{Site::projections, {key * K, keys * K}},
                        {Site::projections, {(H_k + key) * K, keys * K}},
                        {Site::projections, {2 * H_k * K + first * V, count * V}},
                        {Site::log_decay, {first * K, count * K}},
                        {Site::beta, {first, count}}});
    if (auto fed = feed(sequence, tokens, ws, tap, cancel, heard); !fed) return fed;

    for (int64_t nth = 0; nth < count; ++nth) {
        HeadInputs& in = (*inputs)[static_cast<size_t>(nth)];
        DeltaRows rows{.K = static_cast<int>(K), .V = static_cast<int>(V), .plain = c.rule().plain};
        for (int64_t t = 0; t < T; ++t) {
            const auto part = [&](size_t stream, int64_t n, int64_t width) {
                return std::span<const float>(tap.values[stream]).subspan(static_cast<size_t>(n * width), static_cast<size_t>(width));
            };
            const auto row = [&](size_t stream, int64_t width) { return part(stream, t * count + nth, width); };
            const int64_t of_key = t * keys + c.key_head(static_cast<int>(first + nth)) - key;
            in.next(part(0, of_key, K), part(1, of_key, K), row(2, V));
            rows.q.insert(rows.q.end(), in.q.begin(), in.q.end());
            rows.k.insert(rows.k.end(), in.k.begin(), in.k.end());
            rows.v.insert(rows.v.end(), in.v.begin(), in.v.end());
            for (const float g : row(3, K)) rows.alpha.push_back(std::exp(double{g}));
            rows.beta.push_back(double{row(4, 1)[0]});
        }
        each(static_cast<int>(first + nth), rows);
    }
    return {};
}

Unrolled unroll(const DeltaRows& rows) {
    const auto K = static_cast<size_t>(rows.K);
    const int64_t T = rows.tokens();
    Unrolled out{std::vector<float>(static_cast<size_t>(T)), std::vector<float>(static_cast<size_t>(T)), {}};
    std::vector<double>& r = out.rest;
    r.assign(K, 0);
    if (T == 0) return out;
    r.assign(rows.q.end() - static_cast<int64_t>(K), rows.q.end());
    std::vector<double> p = r;  // the same without removals
    for (int64_t t = T - 1; t >= 0; --t) {
        const size_t at = static_cast<size_t>(t) * K;
        double w = 0, d = 0;
        for (size_t i = 0; i < K; ++i) w += rows.k[at + i] * r[i], d += rows.k[at + i] * p[i];
        w *= rows.beta[static_cast<size_t>(t)], d *= rows.beta[static_cast<size_t>(t)];
        for (size_t i = 0; i < K; ++i) r[i] = rows.alpha[at + i] * (r[i] - (rows.plain ? 0 : w * rows.k[at + i])), p[i] *= rows.alpha[at + i];
        out.weights[static_cast<size_t>(t)] = static_cast<float>(w);
        out.decay_only[static_cast<size_t>(t)] = static_cast<float>(d);
    }
    return out;
}

Result<AllReads> probe(std::shared_ptr<const Model> model, SnapshotPool& pool, const ProbeRequest& what, const std::atomic<bool>* cancel,
                       const SnapshotPool::Progress& progress) {
    const ModelConfig& c = model->config();
    const bool layer = what.layer >= 0 && what.layer < c.num_hidden_layers;
    const bool kda = layer && c.has_state(what.layer);
    const int heads = kda ? c.kda_heads : c.num_attention_heads;
    if (!layer || what.head < -1 || what.head >= heads)
        return fail(Error::usage, "the model has no layer " + std::to_string(what.layer) + " with a head " + std::to_string(what.head));
    if (what.tokens.empty()) return fail(Error::usage, "there is no token to look at yet");
    Replay at{what, pool, cancel, progress, Sequence(model, what.context), Workspace(model->backend())};
    if (auto laid = at.sequence.touch(what.hands); !laid) return tl::unexpected(laid.error());
    if (auto rolls = at.sequence.set_rolling(what.rolls); !rolls) return tl::unexpected(rolls.error());
    const int first = std::max(0, what.head), count = what.head < 0 ? heads : 1;
    return kda ? probe_kda(at, first, count) : probe_cache(at, first, count);
}

Result<void> retrace(Sequence& sequence, SnapshotPool& pool, Tracer& tracer, const RetraceRequest& what, const std::atomic<bool>* cancel,
                     const SnapshotPool::Progress& progress) {
    const auto n = static_cast<int64_t>(what.tokens.size());
    const auto first_tokens = [&](int64_t count) { return what.tokens.first(static_cast<size_t>(count)); };
    const auto weighed = [&](int64_t p) { return what.candidates > 0 && p < n && what.made(p); };
    // What a token was chosen among is said by the pass before it. Behind the stretch before this one it was said there.
    const bool goes_on = sequence.position() == what.first && std::equal(sequence.tokens().begin(), sequence.tokens().end(), what.tokens.begin());
    const int64_t begin = goes_on || what.first == 0 || !weighed(what.first) ? what.first : what.first - 1;
    Workspace ws(sequence.model().backend());
    const int64_t replayed = pool.cost(sequence, first_tokens(begin)).replayed, total = replayed + what.last - begin;
    auto move = pool.go(sequence, first_tokens(begin), ws, cancel, [&](int64_t done, int64_t) {
        if (progress) progress(done, total);
    });
    if (!move) return tl::unexpected(move.error());
    ws.tap = &tracer;
    while (sequence.position() < what.last) {
        const int64_t at = sequence.position();
        int64_t end = at + 1;
        if (!what.made(at))
            while (end < what.last && end - at < std::min(kPrefillChunk, sequence.pass_room()) && !what.made(end)) ++end;
        if (progress) progress(replayed + at - begin, total);
        const bool looks = weighed(end);
        if (auto fed = sequence.feed(what.tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(end - at)), ws, cancel, looks ? nullptr : &kGreedy); !fed)
            return fed;
        for (Tracer::Row& row : tracer.finish())
            if (row.position >= what.first) what.on_row(std::move(row));
        if (!looks) continue;
        Picked picked;
        picked.id = what.tokens[static_cast<size_t>(end)];
        picked.top.resize(static_cast<size_t>(what.candidates));
        look(ws.logits, picked, picked.top);
        std::erase_if(picked.top, [](const Candidate& c) { return c.id < 0; });
        what.on_pick(end, picked);
    }
    return {};
}

}  // namespace klp
