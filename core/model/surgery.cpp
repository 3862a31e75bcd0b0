#include "core/model/surgery.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/naive.h"
#include "kernels/random.h"

namespace klp {

namespace {

double length_of(std::span<const double> x) { return std::sqrt(naive::dot(x, x)); }

std::string state_shape(int V, int K) { return std::to_string(V) + " x " + std::to_string(K); }

std::vector<float> as_floats(std::span<const double> x) { return {x.begin(), x.end()}; }

// d of an edit: (v - S^T k)
std::vector<double> change_by(const HeadState& state, std::span<const double> key, std::span<const double> value) {
    std::vector<double> d = read(state, key);
    for (size_t j = 0; j < d.size(); ++j) d[j] = (value.empty() ? 0 : value[j]) - d[j];
    return d;
}

}  // namespace

Result<void> fits_head(const HeadState& state, int V, int K) {
    const auto size = static_cast<int64_t>(state.S.size());
    if (state.V == V && state.K == K && size == int64_t{V} * K) return {};
    const bool torn = size != int64_t{state.V} * state.K;
    return fail(Error::usage, "a state of " + state_shape(state.V, state.K) + (torn ? " with " + std::to_string(size) + " numbers" : "") +
                                  " is none of this head, whose state is " + state_shape(V, K) + " (values x keys)");
}

std::vector<double> unit(std::span<const double> key) {
    std::vector<double> out(key.begin(), key.end());
    const double by = length_of(key);
    for (double& x : out) x = by > 0 ? x / by : 0;
    return out;
}

std::vector<double> key_of(const DeltaRows& rows, int64_t token) {
    return unit(std::span(rows.k).subspan(static_cast<size_t>(token * rows.K), static_cast<size_t>(rows.K)));
}

std::span<const double> value_of(const DeltaRows& rows, int64_t token) {
    return std::span(rows.v).subspan(static_cast<size_t>(token * rows.V), static_cast<size_t>(rows.V));
}

std::vector<double> read(const HeadState& state, std::span<const double> key) {
    std::vector<double> out(static_cast<size_t>(state.V));
    for (size_t j = 0; j < out.size(); ++j)
        for (size_t i = 0; i < key.size(); ++i) out[j] += double{state.S[j * key.size() + i]} * key[i];
    return out;
}

Result<Readable> readable(const DeltaRows& rows, const HeadState& state) {
    if (auto is = fits_head(state, rows.V, rows.K); !is) return tl::unexpected(is.error());
    Readable out;
    for (int64_t t = 0; t < rows.tokens(); ++t) {
        const std::vector<double> answer = read(state, key_of(rows, t));
        const auto value = value_of(rows, t);
        const double a = length_of(answer), v = length_of(value);
        out.cosine.push_back(static_cast<float>(a > 0 && v > 0 ? naive::dot(answer, value) / (a * v) : NAN));
        out.ratio.push_back(static_cast<float>(v > 0 ? a / v : NAN));
    }
    return out;
}

Result<Crosstalk> crosstalk(const DeltaRows& rows, std::span<const double> key, std::span<const double> value, const HeadState& before) {
    if (auto is = fits_head(before, rows.V, rows.K); !is) return tl::unexpected(is.error());
    Crosstalk out{.change = length_of(change_by(before, key, value))};
    for (int64_t t = 0; t < rows.tokens(); ++t) out.predicted.push_back(static_cast<float>(naive::dot(key_of(rows, t), key) * out.change));
    return out;
}

Result<void> measure(Crosstalk& crosstalk, const DeltaRows& rows, std::span<const double> key, const HeadState& before, const HeadState& after) {
    for (const HeadState* state : {&before, &after})
        if (auto is = fits_head(*state, rows.V, rows.K); !is) return is;
    const auto moved = [&](std::span<const double> k) {
        std::vector<double> d = read(after, k);
        const std::vector<double> was = read(before, k);
        for (size_t j = 0; j < d.size(); ++j) d[j] -= was[j];
        return d;
    };
    const std::vector<double> along = unit(moved(key));
    crosstalk.measured.clear();
    for (int64_t t = 0; t < rows.tokens(); ++t) crosstalk.measured.push_back(static_cast<float>(naive::dot(moved(key_of(rows, t)), along)));
    return {};
}

std::vector<double> kept_of(const DeltaRows& rows, int64_t token) {
    const auto K = static_cast<size_t>(rows.K);
    std::vector<double> kept(K, 1);
    for (auto t = static_cast<size_t>(token + 1); t < static_cast<size_t>(rows.tokens()); ++t)
        for (size_t i = 0; i < K; ++i) kept[i] *= rows.alpha[t * K + i];
    return kept;
}

std::vector<double> carried_by(std::span<const double> key, std::span<const double> kept) {
    std::vector<double> share(key.size());
    for (size_t c = 0; c < key.size(); ++c) share[c] = key[c] * key[c] * kept[c];
    return share;
}

Result<Carried> carried(const HeadState& state, std::span<const double> key, std::span<const double> kept, int n, uint64_t seed) {
    const auto K = static_cast<int>(key.size());
    if (auto is = fits_head(state, state.V, K); !is) return tl::unexpected(is.error());
    std::vector<int> all(key.size());
    std::iota(all.begin(), all.end(), 0);
    n = std::clamp(n, 0, K);
    const auto lost = [&](std::span<const int> struck) {  // |S^T k of these channels alone| / |S^T k|
        std::vector<double> part(key.size());
        for (const int c : struck) part[static_cast<size_t>(c)] = key[static_cast<size_t>(c)];
        const double whole = length_of(read(state, key));
        return whole > 0 ? length_of(read(state, part)) / whole : 0;
    };
    const std::vector<double> share = carried_by(key, kept);
    std::vector<int> best = all;
    std::stable_sort(best.begin(), best.end(), [&](int a, int b) { return share[static_cast<size_t>(a)] > share[static_cast<size_t>(b)]; });
    best.resize(static_cast<size_t>(n));
    Carried out{.channels = best, .lost = static_cast<float>(lost(best))};
    constexpr int kDraws = 32;
    double sum = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
        for (int i = 0; i < n; ++i) {
            const uint64_t bits = four(seed, int64_t{draw} * K + i);
            std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(i) + bits % static_cast<uint64_t>(K - i)]);
        }
        sum += lost(std::span(all).first(static_cast<size_t>(n)));
    }
    out.lost_at_random = static_cast<float>(sum / kDraws);
    return out;
}

Intervention edit_of(int layer, int head, std::span<const double> key, std::span<const double> value) {
    Intervention one{.what = Intervention::What::edit, .layers = {layer}, .heads = {head}};
    one.key = as_floats(key), one.value = as_floats(value);
    return one;
}

// --- In the engine ------------------------------------------------------------------------------------------------------

// Hands happen in front of a token, so one more is fed, under which nothing decays and nothing is written: the state behind it is the state before it.
Result<HeadState> state_after(const Sequence& sequence, const Intervention& edit, Workspace& ws) {
    const ModelConfig& c = sequence.model().config();
    auto all = sequence.touched() ? *sequence.touched() : Interventions();
    all.push_back(edit);
    all.back().from = sequence.position();
    all.push_back({.what = Intervention::What::gates, .layers = edit.layers, .from = sequence.position(), .amount = 1e30f});
    all.push_back({.what = Intervention::What::beta, .layers = edit.layers, .from = sequence.position(), .amount = 0});
    Sequence aside = sequence.fork();
    if (auto laid = aside.touch(std::make_shared<const Interventions>(std::move(all))); !laid) return tl::unexpected(laid.error());
    const int32_t any = sequence.tokens().empty() ? 0 : sequence.tokens().back();
    Tap* const before = std::exchange(ws.tap, nullptr);
    const auto fed = aside.feed({&any, 1}, ws, nullptr, &kGreedy);
    ws.tap = before;
    if (!fed) return tl::unexpected(fed.error());
    return HeadState{c.kda_value_dim, c.kda_key_dim, aside.state(edit.layers.front(), "S", edit.heads.front())};
}

Result<std::vector<HeadReadable>> look_for_surgery(std::shared_ptr<const Model> model, SnapshotPool& pool, const SurgeryRequest& what,
                                                   const std::atomic<bool>* cancel, const SnapshotPool::Progress& progress) {
    const ModelConfig& c = model->config();
    if (what.layer < 0 || what.layer >= c.num_hidden_layers)
        return fail(Error::usage, "the model has no layer " + std::to_string(what.layer) + ", only 0 to " + std::to_string(c.num_hidden_layers - 1));
    if (!c.has_state(what.layer))
        return fail(Error::usage,
                    "layer " + std::to_string(what.layer) + " is " + layer_words(c, what.layer) + ", which has no state: there is nothing to read or to cut");
    if (what.head < -1 || what.head >= c.kda_heads)
        return fail(Error::usage,
                    "layer " + std::to_string(what.layer) + " has no head " + std::to_string(what.head) + ", only 0 to " + std::to_string(c.kda_heads - 1));
    const auto N = static_cast<int64_t>(what.tokens.size());
    if (N == 0) return fail(Error::usage, "there is no token to look at yet");
    for (const int64_t token : {what.token, what.with})
        if (token < -1 || token >= N)
            return fail(Error::usage, "token " + std::to_string(token) + " is not among the " + std::to_string(N) + " before the state");
    int64_t first = std::max<int64_t>(0, N - what.window);
    for (const int64_t token : {what.token, what.with})
        if (token >= 0) first = std::min(first, token);

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

    std::vector<HeadReadable> out;
    std::optional<Error> wrong;
    const auto look = [&](int h, const DeltaRows& rows) {
        if (wrong) return;
        const HeadState state{rows.V, rows.K, sequence.state(what.layer, "S", h)};
        auto now = readable(rows, state);
        if (!now) return void(wrong = now.error());
        HeadReadable one{.layer = what.layer, .head = h, .position = N - 1, .first = first, .token = what.token, .with = what.with};
        one.cosine = std::move(now->cosine), one.ratio = std::move(now->ratio);
        if (what.token >= 0) {
            const std::vector<double> key = key_of(rows, what.token - first);
            const auto value = what.with < 0 ? std::span<const double>() : value_of(rows, what.with - first);
            auto cut = crosstalk(rows, key, value, state);
            if (!cut) return void(wrong = cut.error());
            if (what.cut) {
                const auto after = state_after(sequence, edit_of(what.layer, h, key, value), ws);
                if (!after) return void(wrong = after.error());
                if (auto measured = measure(*cut, rows, key, state, *after); !measured) return void(wrong = measured.error());
            }
            one.beta = static_cast<float>(rows.beta[static_cast<size_t>(what.token - first)]);
            one.change = static_cast<float>(cut->change), one.predicted = std::move(cut->predicted), one.measured = std::move(cut->measured);
            one.key = as_floats(key), one.value = as_floats(value);
            one.carried = carried(state, key, kept_of(rows, what.token - first), std::max(1, rows.K / 8), 1).value();
        }
        out.push_back(std::move(one));
    };
    const int heads = what.head < 0 ? c.kda_heads : 1;
    const auto heard = [&](int64_t done) {
        if (progress) progress(replayed + done, total);
    };
    auto fed = delta_rows(sequence, what.tokens.subspan(static_cast<size_t>(first)), what.layer, std::max(0, what.head), heads, ws, look, cancel, heard);
    if (!fed) return tl::unexpected(fed.error());
    if (wrong) return tl::unexpected(*wrong);
    return out;
}

}  // namespace klp
