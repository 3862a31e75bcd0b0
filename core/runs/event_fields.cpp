#include "core/runs/event_fields.h"

#include <array>
#include <cmath>
#include <limits>
#include <type_traits>
#include <variant>

namespace klp {

namespace {

// --- Log decays in a byte ---------------------------------------------------------------------------------------------

constexpr float kSmallest = -21, kOctaves = 26;  // of -g, in powers of two
constexpr uint8_t kNotKnown = 255;
constexpr int kMostCandidates = 1000;  // of a token, that anybody may ask for

}  // namespace

uint8_t decay_to_byte(float g) {
    if (std::isnan(g)) return kNotKnown;
    if (g >= 0) return 0;
    const float place = (std::log2(-g) - kSmallest) * (253 / kOctaves);
    return static_cast<uint8_t>(1.5f + std::clamp(place, 0.f, 253.f));
}

float decay_of_byte(uint8_t byte) {
    static const auto table = [] {
        std::array<float, 256> t{};
        for (size_t i = 1; i < 255; ++i) t[i] = -std::exp2(kSmallest + static_cast<float>(i - 1) * (kOctaves / 253));
        t[kNotKnown] = NAN;
        return t;
    }();
    return table[byte];
}

namespace {

// --- One description of each event --------------------------------------------------------------------------------------

template <class A, class E>
void choice(A& a, E& value, int count) {  // an enum of so many values
    a.number(value);
    if constexpr (A::reads) {
        a.must(static_cast<int>(value) >= 0 && static_cast<int>(value) < count);
        if (!a.ok) value = E{};
    }
}
template <class A, class T>
void natural(A& a, T& value) {
    a.number(value);
    if constexpr (A::reads) a.must(value >= 0);
}
template <class A>
void flag(A& a, bool& value) {
    a.number(value);
}
template <class A>
void fields(A& a, MemoryUse& m) {
    natural(a, m.state), natural(a, m.conv), natural(a, m.cache);
}
template <class A>
void fields(A& a, SnapshotPool::Move& m) {
    a.number(m.restored_bytes), a.number(m.replayed), a.number(m.nanoseconds);
}
template <class A>
void fields(A& a, Error& e) {
    int kind = e.kind;
    a.number(kind), a.text(e.message);
    if constexpr (A::reads) {
        a.must(kind == Error::failure || kind == Error::usage || kind == Error::model || kind == Error::device || kind == Error::interrupted);
        e.kind = a.ok ? static_cast<Error::Kind>(kind) : Error::failure;
    }
}
template <class A>
void fields(A& a, Sampling& s) {
    a.exact(s.temperature), a.number(s.top_k), a.exact(s.top_p), a.exact(s.min_p), a.exact(s.repeat_penalty), a.number(s.repeat_window), a.exact(s.seed);
}
template <class A>
void fields(A& a, Part& p) {
    a.text(p.role), a.text(p.text), flag(a, p.open);
    a.list(p.ids, [&](int32_t& id) { a.number(id); });
    if (!a.whole) return;
    a.list(p.tool_calls, [&](ToolCall& call) { a.text(call.id), a.text(call.arguments); });
    a.number(p.closing);
}
template <class A>
void fields(A& a, Intervention& i) {
    choice(a, i.what, static_cast<int>(Intervention::What::hide) + 1);
    for (std::vector<int>* named : {&i.layers, &i.heads, &i.channels, &i.experts}) a.list(*named, [&](int& n) { a.number(n); });
    a.number(i.from), a.number(i.to), a.exact(i.amount), a.number(i.tokens.first), a.number(i.tokens.second);
    for (std::vector<float>* values : {&i.key, &i.value, &i.state}) {
        uint64_t n = values->size();
        if constexpr (A::reads) {
            n = a.unsigned_();
            a.must(n <= a.left() / sizeof(float));
            if (!a.ok) return;
            values->resize(n);
        } else {
            a.unsigned_(n);
        }
        a.floats(*values);
    }
}
template <class A>
void fields(A& a, InterventionsPtr& hands) {
    Interventions all = hands ? *hands : Interventions();
    a.list(all, [&](Intervention& one) { fields(a, one); });
    if constexpr (A::reads) hands = all.empty() ? nullptr : std::make_shared<const Interventions>(std::move(all));
}
// A head of a layer, and a matrix or row of it.
template <class A>
void place(A& a, int& layer, int& head) {
    a.number(layer), a.number(head);
    if constexpr (A::reads)
        a.must((a.shape.has(Site::beta, layer) && head >= 0 && head < a.shape.kda_heads) ||
               (a.shape.has(Site::log_sum_exp, layer) && head >= 0 && head < a.shape.mla_heads));
}

template <class A>
void fields(A& a, Loading& e) {
    a.text(e.what), a.exact(e.fraction);
}
template <class A>
void fields(A&, Loaded&) {}  // the card is the header's
template <class A>
void fields(A&, Unloaded&) {}
template <class A>
void fields(A& a, Span& s) {
    natural(a, s.first), natural(a, s.last);
}
template <class A>
void fields(A& a, Trouble& e) {
    fields(a, e.error), a.text(e.advice), a.number(e.answer);
}
template <class A>
void fields(A& a, PhaseChanged& e) {
    choice(a, e.phase, static_cast<int>(Phase::probing) + 1), a.number(e.done), a.number(e.total);
}
template <class A>
void fields(A& a, PromptFed& e) {
    natural(a, e.first), a.list(e.ids, [&](int32_t& id) { a.number(id); });
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    a.list(e.answers, [&](Span& s) { fields(a, s); });
    if constexpr (A::reads)
        if (a.left() == 0) return;  // likewise
    fields(a, e.hands);
}
template <class A>
void fields(A& a, TokenMade& e) {
    a.number(e.answer), natural(a, e.position), a.number(e.id), a.text(e.text), a.number(e.nanoseconds), a.exact(e.probability), a.exact(e.entropy),
        a.number(e.rank);
    a.list(e.top, [&](Candidate& c) { a.number(c.id), a.exact(c.probability); });
    fields(a, e.memory);
}
template <class A>
void fields(A& a, Readings& e) {
    natural(a, e.position);
    const auto values = [&](int site) -> std::span<float> {
        const auto& layers = a.shape.layers(static_cast<Site>(site));
        if (layers.empty() || static_cast<int64_t>(e.values.size()) != a.shape.size()) return {};
        return std::span(e.values).subspan(static_cast<size_t>(a.shape.offset(static_cast<Site>(site), layers[0])),
                                           layers.size() * static_cast<size_t>(a.shape.width(static_cast<Site>(site))));
    };
    uint64_t kept = 0;  // sites, as bits
    if constexpr (A::reads) {
        kept = a.unsigned_();
        size_t need = 0;
        for (int s = 0; s < kSites; ++s)
            if (kept >> s & 1)
                need += a.shape.layers(static_cast<Site>(s)).size() * static_cast<size_t>(a.shape.width(static_cast<Site>(s))) * (a.whole ? 4 : s == 0 ? 1 : 2);
        a.must(need <= a.left());
        if (!a.ok || kept == 0) return;
        e.values.assign(static_cast<size_t>(a.shape.size()), NAN);
    } else {
        for (int s = 0; s < kSites; ++s)
            if (const auto v = values(s); std::any_of(v.begin(), v.end(), [](float x) { return !std::isnan(x); })) kept |= uint64_t{1} << s;
        a.unsigned_(kept);
    }
    for (int s = 0; s < kSites; ++s) {
        if (!(kept >> s & 1)) continue;
        if (static_cast<Site>(s) == Site::log_decay)
            a.bytes(values(s));
        else
            a.halves(values(s));
        if (A::reads && static_cast<Site>(s) == Site::picks)
            for (float& pick : values(s)) pick = pick >= 0 && pick < static_cast<float>(a.shape.num_experts) ? std::floor(pick) : NAN;
    }
}
template <class A>
void fields(A& a, AnswerDone& e) {
    a.number(e.answer), choice(a, e.end, static_cast<int>(Generation::End::cancelled) + 1), flag(a, e.closed), a.number(e.tokens), a.number(e.prompt_tokens);
    a.number(e.prefill_ns), a.number(e.first_token_ns), a.number(e.decode_ns);
    fields(a, e.move);
    for (int64_t* t : {&e.phases.embed, &e.phases.kda, &e.phases.mla, &e.phases.dense, &e.phases.moe, &e.phases.head}) a.number(*t);
    a.exact(e.seed), fields(a, e.memory);
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    a.number(e.closing);
}
template <class A>
void fields(A& a, Moved& e) {
    fields(a, e.move), natural(a, e.position);
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    fields(a, e.memory);
}
template <class A>
void fields(A& a, CostKnown& e) {
    a.number(e.request), fields(a, e.move);
}
template <class A>
void fields(A& a, SnapshotsKept& e) {
    a.number(e.count), a.number(e.bytes), a.number(e.budget);
    if (a.whole) a.list(e.along, [&](int64_t& tokens) { a.number(tokens); });
}
template <class A>
void fields(A& a, StatePicture& e) {
    place(a, e.layer, e.head), natural(a, e.position);
    if (a.whole) flag(a, e.past);
    a.number(e.rows), a.number(e.columns);
    if (a.whole && e.past && e.rows == 0 && e.columns == 0) return;  // too far to go
    if constexpr (A::reads) {
        a.must(e.rows > 0 && e.rows == a.shape.value_dim && e.columns > 0 && e.columns == a.shape.key_dim);
        if (!a.ok) return;
        const size_t n = static_cast<size_t>(e.rows) * static_cast<size_t>(e.columns);
        a.must(a.left() >= (a.whole ? 4 : 2) * n);
        if (!a.ok) return;
        e.values.resize(n);
    }
    a.halves(e.values);
}
template <class A>
void fields(A& a, RacePoint& e) {
    natural(a, e.context), a.exact(e.hybrid_ns), a.exact(e.twin_ns), fields(a, e.hybrid), fields(a, e.twin);
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    for (RacePoint::Spread* s : {&e.hybrid_spread, &e.twin_spread}) a.exact(s->least), a.exact(s->most);
}
template <class A>
void fields(A& a, RaceDone& e) {
    choice(a, e.twin, static_cast<int>(TwinKind::recorded) + 1), a.text(e.why);
}
template <class A>
void some(A& a, std::vector<float>& values) {  // as many as there are
    uint64_t n = values.size();
    if constexpr (A::reads) {
        n = a.unsigned_();
        a.must(n <= a.left() / (a.whole ? 4 : 2));
        if (!a.ok) return;
        values.resize(n);
    } else {
        a.unsigned_(n);
    }
    a.halves(values);
}
template <class A>
void fields(A& a, AttentionPicture& e) {
    place(a, e.layer, e.head), natural(a, e.position), natural(a, e.first), flag(a, e.implicit);
    some(a, e.weights);
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    some(a, e.decay_only), a.exact(e.before);
    if constexpr (A::reads) a.must(e.decay_only.empty() || e.decay_only.size() == e.weights.size());
}
template <class A>
void fields(A& a, EventsDropped& e) {
    a.number(e.readings);
}
template <class A>
void fields(A& a, TelemetryCost& e) {
    a.exact(e.share);
}
template <class A>
void fields(A& a, CacheRolled& e) {
    natural(a, e.dropped);
}
template <class A>
void fields(A& a, StatesKept& e) {  // what went wrong names a folder, which is nobody else's business
    a.number(e.count), a.number(e.bytes), a.number(e.budget), a.number(e.written), a.number(e.nanoseconds);
}
template <class A>
void fields(A& a, Considered& e) {
    natural(a, e.position), a.exact(e.probability), a.exact(e.entropy), a.number(e.rank);
    a.list(e.top, [&](Candidate& c) { a.number(c.id), a.exact(c.probability); });
}
template <class A>
void fields(A& a, Retraced& e) {
    choice(a, e.end, static_cast<int>(Retraced::End::failed) + 1), fields(a, e.tokens);
}
template <class A>
void fields(A& a, ReadablePicture& e) {
    place(a, e.layer, e.head), natural(a, e.position), natural(a, e.first), a.number(e.token), a.number(e.with);
    some(a, e.cosine), some(a, e.ratio), some(a, e.predicted), some(a, e.measured);
    a.exact(e.beta), a.exact(e.change);
    a.list(e.carried.channels, [&](int& channel) { a.number(channel); }), a.exact(e.carried.lost), a.exact(e.carried.lost_at_random);
    if (a.whole) some(a, e.key), some(a, e.value);  // for an edit, which nobody makes of a recording
    if constexpr (A::reads) {
        const size_t n = e.cosine.size();
        a.must(static_cast<int64_t>(n) == e.position - e.first + 1 && e.ratio.size() == n && (e.predicted.empty() || e.predicted.size() == n) &&
               (e.measured.empty() || e.measured.size() == n));
        a.must(e.token >= -1 && e.token <= e.position && e.with >= -1 && e.with <= e.position &&
               (e.token < 0 || (e.token >= e.first && e.predicted.size() == n)));
    }
}
template <class A>
void fields(A& a, LifePicture& e) {
    natural(a, e.token), natural(a, e.last);
    a.list(e.heads, [&](HeadLife& head) {
        place(a, head.layer, head.head), flag(a, head.cache), a.exact(head.beta), some(a, head.decay), some(a, head.left), some(a, head.read);
        if constexpr (A::reads) {
            const auto n = static_cast<size_t>(std::max<int64_t>(0, e.last - e.token + 1)), kept = head.cache ? 0 : n;
            a.must(head.read.size() == n && head.decay.size() == kept && head.left.size() == kept && head.cache == a.shape.has(Site::log_sum_exp, head.layer));
        }
    });
    a.list(e.probability, [&](std::pair<int64_t, float>& p) { natural(a, p.first), a.exact(p.second); });
    if constexpr (A::reads) a.must(e.last >= e.token);
}
template <class A>
void fields(A& a, ReadersPicture& e) {
    natural(a, e.token), natural(a, e.position);
    a.list(e.heads, [&](HeadShare& one) {
        place(a, one.layer, one.head), flag(a, one.cache), a.exact(one.weight), a.exact(one.share);
        if constexpr (A::reads) a.must(one.cache == a.shape.has(Site::log_sum_exp, one.layer));
    });
    if constexpr (A::reads) a.must(e.position >= e.token);
}
template <class A>
void fields(A& a, LeftPicture& e) {
    place(a, e.layer, e.head), natural(a, e.position), natural(a, e.first), some(a, e.left), some(a, e.decay);
    if constexpr (A::reads) {
        const auto n = static_cast<int64_t>(e.left.size());
        a.must(a.shape.has(Site::beta, e.layer) && n == e.position - e.first + 1 && e.decay.size() == e.left.size());
    }
}
template <class A>
void fields(A& a, RulesPicture& e) {
    place(a, e.layer, e.head), natural(a, e.position), natural(a, e.first), choice(a, e.own, static_cast<int>(kRules.size()));
    int V = e.rules.empty() ? 0 : e.rules[0].state.V, K = e.rules.empty() ? 0 : e.rules[0].state.K;
    a.number(V), a.number(K);
    if constexpr (A::reads) a.must(V == a.shape.value_dim && K == a.shape.key_dim);
    a.list(e.rules, [&](UnderRule& one) {
        some(a, one.state.S), some(a, one.norm), some(a, one.readable.cosine), some(a, one.readable.ratio);
        if constexpr (A::reads) {
            const auto n = static_cast<int64_t>(one.norm.size());
            one.state.V = V, one.state.K = K;
            a.must(static_cast<int64_t>(one.state.S.size()) == int64_t{V} * K && n == e.position - e.first + 1 &&
                   one.readable.cosine.size() == one.norm.size() && one.readable.ratio.size() == one.norm.size());
        }
    });
    if constexpr (A::reads) a.must(a.shape.has(Site::beta, e.layer) && e.rules.size() == kRules.size());
}
template <class A>
void fields(A& a, Compared& e) {
    a.number(e.request), choice(a, e.end, static_cast<int>(Retraced::End::failed) + 1);
    a.list(e.tokens, [&](TokenApart& t) { a.exact(t.divergence), a.exact(t.probability[0]), a.exact(t.probability[1]); });
    a.exact(e.states.norm[0]), a.exact(e.states.norm[1]), a.exact(e.states.difference);
}
template <class A>
void fields(A& a, AnswerBegun& e) {
    a.number(e.answer), a.list(e.line, [&](Part& p) { fields(a, p); }), fields(a, e.sampling);
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    fields(a, e.hands);
}

// --- Commands -----------------------------------------------------------------------------------------------------------

template <class A>
void fields(A& a, Interest& i) {
    uint64_t sites = 0;
    for (int s = 0; s < kSites; ++s) sites |= uint64_t{i.sites[s]} << s;
    if constexpr (A::reads)
        sites = a.unsigned_();
    else
        a.unsigned_(sites);
    for (int s = 0; s < kSites; ++s) i.sites[s] = sites >> s & 1;
    bool pictured = i.state.has_value();
    a.number(i.top), a.number(i.pictures), flag(a, pictured);
    if constexpr (A::reads) {
        a.must(i.top >= 0 && i.top <= kMostCandidates && i.pictures > 0 && i.pictures <= 1000);
        if (pictured) i.state.emplace();
    }
    if (pictured) place(a, i.state->first, i.state->second);
}
template <class A>
void line_of(A& a, std::vector<Part>& line) {
    a.list(line, [&](Part& p) { fields(a, p); });
}
template <class A>
void fields(A&, LoadModel&) {}
template <class A>
void fields(A&, UnloadModel&) {}
template <class A>
void fields(A& a, MakeAnswer& c) {
    a.number(c.answer), line_of(a, c.line), fields(a, c.sampling), a.number(c.predict), flag(a, c.roll), a.text(c.keep_as), fields(a, c.hands);
    if constexpr (A::reads) a.must(c.predict > 0);
}
template <class A>
void fields(A& a, GoTo& c) {
    line_of(a, c.line), fields(a, c.hands);
}
template <class A>
void fields(A& a, AskCost& c) {
    a.number(c.request), line_of(a, c.line), fields(a, c.hands);
}
template <class A>
void fields(A& a, SetSnapshotBudget& c) {
    natural(a, c.bytes);
}
template <class A>
void fields(A& a, SetStateBudget& c) {
    natural(a, c.bytes);
}
template <class A>
void fields(A& a, StartRace& c) {
    natural(a, c.context);
}
template <class A>
void fields(A& a, ProbeAttention& c) {
    a.number(c.layer), a.number(c.head), natural(a, c.position), natural(a, c.window);
    int head = std::max(0, c.head);
    if constexpr (A::reads)
        a.must(c.head >= -1 &&
               ((a.shape.has(Site::beta, c.layer) && head < a.shape.kda_heads) || (a.shape.has(Site::log_sum_exp, c.layer) && head < a.shape.mla_heads)));
}
template <class A>
void fields(A& a, ProbeState& c) {
    place(a, c.layer, c.head), natural(a, c.position);
}
template <class A>
void fields(A& a, Retrace& c) {
    fields(a, c.tokens), a.list(c.answers, [&](Span& s) { fields(a, s); }), fields(a, c.what);
}
template <class A>
void fields(A& a, Compare& c) {
    a.number(c.request), line_of(a, c.line), fields(a, c.before), fields(a, c.now);
}

template <class A>
void fields(A& a, ProbeReadable& c) {
    place(a, c.layer, c.head), natural(a, c.position), a.number(c.token), a.number(c.with), flag(a, c.cut);
    if constexpr (A::reads) a.must(a.shape.has(Site::beta, c.layer) && c.token >= -1 && c.with >= -1);
}
template <class A>
void fields(A& a, ProbeLife& c) {
    natural(a, c.token), a.number(c.layer), a.list(c.answers, [&](Span& s) { fields(a, s); });
    if constexpr (A::reads) a.must(c.layer == -1 || a.shape.has(Site::beta, c.layer) || a.shape.has(Site::log_sum_exp, c.layer));
}

template <class A>
void fields(A& a, ProbeReaders& c) {
    natural(a, c.token), a.number(c.position);
    if constexpr (A::reads) a.must(c.position >= -1);
}
template <class A>
void fields(A& a, ProbeLeft& c) {
    place(a, c.layer, c.head), natural(a, c.position);
    if constexpr (A::reads) a.must(a.shape.has(Site::beta, c.layer));
}
template <class A>
void fields(A& a, ProbeRules& c) {
    place(a, c.layer, c.head), natural(a, c.position);
    if constexpr (A::reads) a.must(a.shape.has(Site::beta, c.layer));
}

template <size_t I>
std::optional<Command> read_command_at(size_t kind, FieldReader& in) {
    if constexpr (I == std::variant_size_v<Command>) {
        return std::nullopt;
    } else {
        using C = std::variant_alternative_t<I, Command>;
        if (kind != I) return read_command_at<I + 1>(kind, in);
        if (std::is_same_v<C, LoadModel> || std::is_same_v<C, UnloadModel>) return std::nullopt;
        C c;
        fields(in, c);
        if (!in.ok) return std::nullopt;
        return c;
    }
}

template <size_t I>
std::optional<Event> read_alternative(size_t kind, FieldReader& in) {
    if constexpr (I == std::variant_size_v<Event>) {
        return std::nullopt;
    } else {
        if (kind != I) return read_alternative<I + 1>(kind, in);
        std::variant_alternative_t<I, Event> e;
        fields(in, e);
        if (!in.ok) return std::nullopt;
        return e;
    }
}

}  // namespace

void write_event(const Event& event, FieldWriter& out) {
    std::visit([&](const auto& e) { fields(out, const_cast<std::decay_t<decltype(e)>&>(e)); }, event);
}

std::optional<Event> read_event(size_t kind, FieldReader& in) { return read_alternative<0>(kind, in); }

void write_command(const Command& command, FieldWriter& out) {
    std::visit([&](const auto& c) { fields(out, const_cast<std::decay_t<decltype(c)>&>(c)); }, command);
}

std::optional<Command> read_command(size_t kind, FieldReader& in) { return read_command_at<0>(kind, in); }

void write_interest(const Interest& interest, FieldWriter& out) { fields(out, const_cast<Interest&>(interest)); }

std::optional<Interest> read_interest(FieldReader& in) {
    Interest interest;
    fields(in, interest);
    if (!in.ok) return std::nullopt;
    return interest;
}

}  // namespace klp
