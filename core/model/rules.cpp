#include "core/model/rules.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace klp {

namespace {

constexpr int64_t kAsks = 64;  // rows between two looks at `cancel`

// The state as it is computed, [V][K].
using Wide = std::vector<double>;

void lay_on(Wide& S, const Intervention& how, size_t K) {
    if (how.what == Intervention::What::put) {
        S.assign(how.state.begin(), how.state.end());
    } else if (how.what == Intervention::What::empty) {
        if (how.channels.empty()) std::fill(S.begin(), S.end(), 0);
        for (const int c : how.channels)
            for (size_t at = static_cast<size_t>(c); at < S.size(); at += K) S[at] = 0;
    } else {
        const std::vector<double> key = unit(std::vector<double>(how.key.begin(), how.key.end()));
        for (size_t j = 0; j * K < S.size(); ++j) {
            double is = 0;
            for (size_t i = 0; i < K; ++i) is += S[j * K + i] * key[i];
            const double by = double{how.amount} * ((how.value.empty() ? 0 : double{how.value[j]}) - is);
            for (size_t i = 0; i < K; ++i) S[j * K + i] += by * key[i];
        }
    }
}

// The gates of a row under a rule, [K].
void gates_of(std::span<const double> alpha, RuleInfo::Gate gate, std::span<double> out) {
    double mean = 0;
    for (const double a : alpha) mean += a / static_cast<double>(alpha.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = gate == RuleInfo::Gate::none ? 1 : gate == RuleInfo::Gate::one ? mean : alpha[i];
}

bool one_gate(const DeltaRows& rows) {
    const auto K = static_cast<size_t>(rows.K);
    for (size_t at = 0; at < rows.alpha.size(); at += K)
        if (std::any_of(rows.alpha.begin() + static_cast<int64_t>(at), rows.alpha.begin() + static_cast<int64_t>(at + K),
                        [&](double a) { return a != rows.alpha[at]; }))
            return false;
    return true;
}

}  // namespace

std::vector<Touched> touched_states(const Interventions* hands, int layer, int head, int64_t first, int64_t last, int V, int K) {
    std::vector<Touched> all;
    for (const Intervention& one : hands ? *hands : Interventions()) {
        using What = Intervention::What;
        if (one.what != What::edit && one.what != What::empty && one.what != What::put) continue;
        if (one.from < first || one.from >= last || !named(one.layers, layer) || !named(one.heads, head)) continue;
        Touched touched{one.from - first, one};
        if (one.what == What::put) {
            const auto nth = one.heads.empty() ? head : std::find(one.heads.begin(), one.heads.end(), head) - one.heads.begin();
            const auto from = one.state.begin() + nth * V * K;
            touched.how.state.assign(from, from + int64_t{V} * K);
        }
        all.push_back(std::move(touched));
    }
    std::stable_sort(all.begin(), all.end(), [](const Touched& a, const Touched& b) { return a.row < b.row; });
    return all;
}

Result<UnderRule> under_rule(const DeltaRows& rows, const RuleInfo& rule, const HeadState& before, std::span<const Touched> touched,
                             const std::atomic<bool>* cancel) {
    const auto K = static_cast<size_t>(rows.K), V = static_cast<size_t>(rows.V);
    if (auto fits = fits_head(before, rows.V, rows.K); !fits) return tl::unexpected(fits.error());
    UnderRule out;
    Wide S(before.S.begin(), before.S.end());
    std::vector<double> gate(K);
    auto next = touched.begin();
    for (int64_t t = 0; t < rows.tokens(); ++t) {
        if (t % kAsks == 0 && cancel && *cancel)
            return fail(Error::interrupted,
                        "interrupted after " + std::to_string(t) + " of " + std::to_string(rows.tokens()) + " tokens under " + std::string(rule.name));
        for (; next != touched.end() && next->row == t; ++next) lay_on(S, next->how, K);
        const auto at = static_cast<size_t>(t);
        const std::span<const double> k = std::span(rows.k).subspan(at * K, K), v = std::span(rows.v).subspan(at * V, V);
        gates_of(std::span(rows.alpha).subspan(at * K, K), rule.gate, gate);
        double squares = 0;
        for (size_t j = 0; j < V; ++j) {
            double* const s = S.data() + j * K;
            double is = 0;
            for (size_t i = 0; i < K; ++i) s[i] *= gate[i], is += s[i] * k[i];        // decay, and read
            const double u = rows.beta[at] * (rule.delta ? v[j] - is : v[j]);         // what is new of it
            for (size_t i = 0; i < K; ++i) s[i] += u * k[i], squares += s[i] * s[i];  // write
        }
        out.norm.push_back(static_cast<float>(std::sqrt(squares)));
    }
    out.state = {rows.V, rows.K, {S.begin(), S.end()}};
    out.readable = *readable(rows, out.state);
    return out;
}

Result<RulesNow> under_all_rules(std::shared_ptr<const Model> model, SnapshotPool& pool, const RulesRequest& what, const std::atomic<bool>* cancel,
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

    HeadState start{c.kda_value_dim, c.kda_key_dim, sequence.state(what.layer, "S", what.head)};
    const std::vector<Touched> touched = touched_states(what.hands.get(), what.layer, what.head, first, N, start.V, start.K);
    RulesNow out{.layer = what.layer, .head = what.head, .position = N - 1, .first = first};
    std::optional<Error> wrong;
    const auto look = [&](int, const DeltaRows& rows) {
        if (one_gate(rows)) out.own = Rule::gated_deltanet;
        for (const RuleInfo& rule : kRules) {
            auto under = under_rule(rows, rule, start, touched, cancel);
            if (!under) return void(wrong = under.error());
            out.rules.push_back(std::move(*under));
        }
    };
    auto fed = delta_rows(sequence, what.tokens.subspan(static_cast<size_t>(first)), what.layer, what.head, 1, ws, look, cancel, [&](int64_t done) {
        if (progress) progress(replayed + done, total);
    });
    if (!fed) return tl::unexpected(fed.error());
    if (wrong) return tl::unexpected(*wrong);
    return out;
}

}  // namespace klp
