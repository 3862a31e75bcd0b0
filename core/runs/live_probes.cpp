// Looks at what was, by feeding tokens again: what a head reads, a state of the past, readings that were not kept, an answer under other hands.
#include <algorithm>

#include "core/runs/live_loaded.h"
#include "core/system.h"

namespace klp {

namespace {

constexpr int64_t kBrief = 200'000'000;  // ns: a probe that takes no longer is no phase of its own

}  // namespace

Result<void> LiveRun::look_alike(Sequence& other) const {
    (void)other.set_rolling(false);
    auto laid = other.touch(at_->sequence.touched());
    (void)other.set_rolling(rolls());
    return laid;
}

void LiveRun::handle(const ProbeAttention& c) {
    if (!ready()) return;
    const std::span<const int32_t> tokens(at_->sequence.tokens());
    const int64_t count = std::clamp<int64_t>(c.position + 1, 0, static_cast<int64_t>(tokens.size()));
    const int64_t begin = now_ns();
    auto reads = probe(at_->model, at_->pool,
                       {tokens.first(static_cast<size_t>(count)), c.layer, c.head, c.window, at_->sequence.context(), rolls(), at_->sequence.touched()},
                       &cancel_, [&](int64_t done, int64_t total) {
                           if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, done, total});
                       });
    if (!reads) return fail_probe(reads.error());
    for (HeadReads& r : *reads)
        tell(AttentionPicture{c.layer, r.head, r.position, r.first, r.implicit, std::move(r.weights), std::move(r.decay_only), r.before});
}

void LiveRun::handle(const ProbeState& c) {
    if (!ready()) return;
    const std::vector<int32_t>& tokens = at_->sequence.tokens();
    const std::span<const int32_t> target(tokens.data(), static_cast<size_t>(std::clamp<int64_t>(c.position + 1, 0, static_cast<int64_t>(tokens.size()))));
    Sequence sequence(at_->model, at_->sequence.context());
    if (auto alike = look_alike(sequence); !alike) return fail(alike.error());
    if (at_->pool.cost(sequence, target).replayed > kProbeWindow) {
        StatePicture none;
        none.layer = c.layer, none.head = c.head, none.position = c.position + 1, none.past = true;
        return tell(std::move(none));
    }
    Workspace ws(at_->model->backend());
    const int64_t begin = now_ns();
    auto move = at_->pool.go(sequence, target, ws, &cancel_, [&](int64_t done, int64_t total) {
        if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, done, total});
    });
    if (!move) return fail_probe(move.error());
    picture_state(sequence, c.layer, c.head, true);
}

void LiveRun::handle(const ProbeReadable& c) {
    if (!ready()) return;
    const std::span<const int32_t> tokens(at_->sequence.tokens());
    const int64_t count = std::clamp<int64_t>(c.position + 1, 0, static_cast<int64_t>(tokens.size()));
    const int64_t begin = now_ns();
    auto looked = look_for_surgery(at_->model, at_->pool,
                                   {.tokens = tokens.first(static_cast<size_t>(count)),
                                    .layer = c.layer,
                                    .head = c.head,
                                    .token = c.token,
                                    .with = c.with,
                                    .cut = c.cut,
                                    .context = at_->sequence.context(),
                                    .rolls = rolls(),
                                    .hands = at_->sequence.touched()},
                                   &cancel_, [&](int64_t done, int64_t total) {
                                       if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, done, total});
                                   });
    if (!looked) return fail_probe(looked.error());
    for (HeadReadable& head : *looked) tell(ReadablePicture{std::move(head)});
}

void LiveRun::handle(const ProbeLife& c) {
    if (!ready()) return;
    LifeRequest what{.tokens = at_->sequence.tokens(),
                     .token = c.token,
                     .layer = c.layer,
                     .context = at_->sequence.context(),
                     .rolls = rolls(),
                     .hands = at_->sequence.touched()};
    what.made = [&](int64_t p) { return std::any_of(c.answers.begin(), c.answers.end(), [p](const Span& s) { return p >= s.first && p < s.last; }); };
    const int64_t begin = now_ns();
    auto life = follow_fact(at_->model, at_->pool, what, &cancel_, [&](int64_t done, int64_t total) {
        if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, done, total});
    });
    if (!life) return fail_probe(life.error());
    tell(LifePicture{std::move(*life)});
}

void LiveRun::handle(const ProbeReaders& c) {
    if (!ready()) return;
    const int64_t begin = now_ns();
    auto readers = who_reads(at_->model, at_->pool,
                             {.tokens = at_->sequence.tokens(),
                              .token = c.token,
                              .position = c.position,
                              .context = at_->sequence.context(),
                              .rolls = rolls(),
                              .hands = at_->sequence.touched()},
                             &cancel_, [&](int64_t done, int64_t total) {
                                 if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, done, total});
                             });
    if (!readers) return fail_probe(readers.error());
    tell(ReadersPicture{std::move(*readers)});
}

void LiveRun::handle(const ProbeLeft& c) {
    if (!ready()) return;
    const std::span<const int32_t> tokens(at_->sequence.tokens());
    const int64_t count = std::clamp<int64_t>(c.position + 1, 0, static_cast<int64_t>(tokens.size()));
    const int64_t begin = now_ns();
    auto left = left_now(at_->model, at_->pool,
                         {.tokens = tokens.first(static_cast<size_t>(count)),
                          .layer = c.layer,
                          .head = c.head,
                          .context = at_->sequence.context(),
                          .rolls = rolls(),
                          .hands = at_->sequence.touched()},
                         &cancel_, [&](int64_t done, int64_t total) {
                             if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, done, total});
                         });
    if (!left) return fail_probe(left.error());
    tell(LeftPicture{std::move(*left)});
}

void LiveRun::handle(const ProbeRules& c) {
    if (!ready()) return;
    const std::span<const int32_t> tokens(at_->sequence.tokens());
    const int64_t count = std::clamp<int64_t>(c.position + 1, 0, static_cast<int64_t>(tokens.size()));
    const int64_t begin = now_ns();
    auto rules = under_all_rules(at_->model, at_->pool,
                                 {.tokens = tokens.first(static_cast<size_t>(count)),
                                  .layer = c.layer,
                                  .head = c.head,
                                  .context = at_->sequence.context(),
                                  .rolls = rolls(),
                                  .hands = at_->sequence.touched()},
                                 &cancel_, [&](int64_t done, int64_t total) {
                                     if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, done, total});
                                 });
    if (!rules) return fail_probe(rules.error());
    tell(RulesPicture{std::move(*rules)});
}

void LiveRun::handle(const Retrace& c) {
    if (!at_) return tell(Retraced{Retraced::End::stopped, c.tokens});
    const std::vector<int32_t>& tokens = at_->sequence.tokens();
    const auto size = static_cast<int64_t>(tokens.size());
    if (!at_->again) at_->again.emplace(at_->model, at_->sequence.context());
    if (auto alike = look_alike(*at_->again); !alike) {
        fail(alike.error());
        return tell(Retraced{Retraced::End::failed, c.tokens});
    }
    Tracer tracer(at_->card->config);
    for (int s = 0; s < kSites; ++s) tracer.want(static_cast<Site>(s), c.what.sites[s]);
    const std::function<bool(int64_t)> made = [&](int64_t p) {
        return std::any_of(c.answers.begin(), c.answers.end(), [p](const Span& s) { return p >= s.first && p < s.last; });
    };
    RetraceRequest what{
        .tokens = tokens, .first = std::clamp<int64_t>(c.tokens.first, 0, size), .last = std::clamp<int64_t>(c.tokens.last, 0, size), .made = made};
    what.candidates = c.what.top;
    what.on_row = [&](Tracer::Row row) { tell(Readings{row.position, std::move(row.values)}); };
    what.on_pick = [&](int64_t position, const Picked& picked) { tell(Considered{position, picked.probability, picked.entropy, picked.rank, picked.top}); };
    const int64_t begin = now_ns();
    auto done = retrace(*at_->again, at_->pool, tracer, what, &cancel_, [&](int64_t read, int64_t total) {
        if (now_ns() - begin > kBrief) tell(PhaseChanged{Phase::probing, read, total});
    });
    if (done) return tell(Retraced{Retraced::End::whole, c.tokens});
    tell(Retraced{end_of(done.error()), c.tokens});
}

Retraced::End LiveRun::end_of(const Error& error) {
    if (error.kind != Error::interrupted) {
        fail(error);
        return Retraced::End::failed;
    }
    const std::lock_guard lock(mutex_);
    return begun_ > cancelled_until_ ? Retraced::End::gave_way : Retraced::End::stopped;
}

void LiveRun::handle(const Compare& c) {
    const auto compare = [&]() -> Result<Apart> {
        auto line = tokens_of(c.line, false);
        if (!line) return tl::unexpected(line.error());
        if (line->answers.empty() || line->answers.back().first == 0) return klp::fail(Error::usage, "there is no answer to compare");
        const auto last_fed = static_cast<size_t>(line->answers.back().first - 1);  // in front of the answer
        const std::span<const int32_t> tokens(line->tokens);
        Workspace ws(at_->model->backend());
        std::optional<Sequence> both[2];
        for (int i : {0, 1}) {
            Sequence& one = both[i].emplace(at_->model, at_->sequence.context());
            if (auto laid = one.touch(i ? c.now : c.before); !laid) return tl::unexpected(laid.error());
            (void)one.set_rolling(rolls());
            if (auto stands = at_->pool.go(one, tokens.first(last_fed), ws, &cancel_); !stands) return tl::unexpected(stands.error());
        }
        return tell_apart(*both[0], *both[1], tokens.subspan(last_fed), ws, &cancel_);
    };
    if (!at_) return tell(Compared{c.request, Retraced::End::stopped});
    auto apart = compare();
    if (!apart) return tell(Compared{c.request, end_of(apart.error())});
    tell(Compared{c.request, Retraced::End::whole, std::move(apart->tokens), apart->states});
}

bool LiveRun::rolls() const { return at_->sequence.rolls() || at_->sequence.dropped() > 0; }

void LiveRun::fail_probe(Error error) {
    if (error.kind == Error::interrupted) {
        const std::lock_guard lock(mutex_);
        if (begun_ > cancelled_until_) return;
    }
    fail(std::move(error));
}

}  // namespace klp
