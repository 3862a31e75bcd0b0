// The lab on its way: the search for rates, and turns of learning.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/learn/lab.h"
#include "core/system.h"

namespace klp {

namespace {

constexpr uint64_t kSearch = 0x5ea7c4, kHeld = 0x4e1d;  // seeds of their own beside the learners'
constexpr int64_t kWarmUp = 20;

int64_t rows_of(const LabSpec& spec) { return std::max<int64_t>(1, spec.tokens / row_tokens(spec.task)); }
bool cancelled(const LabHooks& hooks) { return hooks.cancel && *hooks.cancel; }
double seconds_since(int64_t start) { return static_cast<double>(now_ns() - start) * 1e-9; }

}  // namespace

Rates lab_rates(double rate, int64_t step, int64_t steps) {
    double share = std::min(1.0, static_cast<double>(step + 1) / kWarmUp);
    if (const int64_t fall = steps / 4; steps > 0 && step >= steps - fall)
        share *= 0.1 + 0.9 * static_cast<double>(steps - step) / static_cast<double>(fall + 1);
    return {.muon = rate * share, .adamw = rate / 5 * share};
}

// One learner on its way. Steps count on from stretch to stretch, and so do its batches.
struct LabRun::Running {
    std::shared_ptr<Learner> learner;
    int64_t step = 0, begun = 0;  // begun: of this stretch of learning
    double seconds = 0, sum = 0;  // of losses since the last look
    int64_t summed = 0;
};

LabRun::LabRun(LabSpec spec) : spec_(std::move(spec)), held_(make_batch(spec_.task, spec_.held_out, spec_.seed ^ kHeld, 0)) {
    const Task& t = spec_.task;
    const int items = t.kind == TaskKind::mqar    ? (t.vocabulary - 1) - (t.vocabulary - 1) / 2
                      : t.kind == TaskKind::stack ? t.vocabulary - 2 - t.items
                                                  : t.vocabulary - 1;
    result_.rows = rows_of(spec_), result_.chance = 1.0 / items;
    for (const std::string& mixer : spec_.mixers)
        result_.learners.push_back({.mixer = mixer, .parameters = count_parameters(lab_config(spec_, mixer)).total, .rate = spec_.rates[0]});
    const auto mixers = static_cast<int64_t>(spec_.mixers.size()), rates = static_cast<int64_t>(spec_.rates.size());
    total_ = mixers * spec_.steps + (rates > 1 ? mixers * rates * spec_.search_steps : 0);
}
LabRun::~LabRun() = default;

const Learner* LabRun::learner(size_t i) const { return i < running_.size() ? running_[i].learner.get() : nullptr; }

Result<std::shared_ptr<Learner>> LabRun::begin(const std::string& mixer) const {
    return make_learner(lab_config(spec_, mixer), nullptr, {.threads = spec_.threads, .seed = spec_.seed, .type = DType::f32});
}

Result<void> LabRun::one_step(Running& r, double rate, int64_t steps, uint64_t seed) {
    const int64_t start = now_ns();
    const auto figures = r.learner->step(make_batch(spec_.task, result_.rows, seed, static_cast<uint64_t>(r.step)), lab_rates(rate, r.step - r.begun, steps));
    r.seconds += seconds_since(start);
    if (!figures) return tl::unexpected(figures.error());
    ++r.step, r.sum += figures->loss, ++r.summed;
    return {};
}

Result<void> LabRun::search(const LabHooks& hooks) {
    const int64_t start = now_ns();
    for (LabLearner& one : result_.learners) {
        double best = std::numeric_limits<double>::infinity();
        for (const double rate : spec_.rates) {
            if (spec_.rates.size() < 2 || cancelled(hooks)) break;
            auto learner = begin(one.mixer);
            if (!learner) return tl::unexpected(learner.error());
            Running run{*learner};
            Result<void> sound;
            while (run.step < spec_.search_steps && sound && !cancelled(hooks)) {
                sound = one_step(run, rate, spec_.search_steps, spec_.seed ^ kSearch), ++done_;
                if (hooks.on_step) hooks.on_step(one.mixer, done_, spec_.seconds > 0 ? 0 : total_);
            }
            if (cancelled(hooks)) break;
            LabTry tried{.rate = rate, .loss = std::numeric_limits<double>::quiet_NaN()};
            if (sound)
                if (const auto seen = run.learner->measure(held_)) tried.loss = seen->loss, tried.accuracy = seen->accuracy;
            if (tried.loss < best) best = tried.loss, one.rate = rate;
            one.tried.push_back(tried);
            if (hooks.on_try) hooks.on_try(one, tried);
        }
    }
    result_.search_seconds = seconds_since(start);
    return {};
}

Result<void> LabRun::look(size_t i, const LabHooks& hooks) {
    Running& run = running_[i];
    LabLearner& one = result_.learners[i];
    if (!one.looks.empty() && one.looks.back().step == run.step) return {};
    const auto seen = run.learner->measure(held_);
    if (!seen) return tl::unexpected(seen.error());
    one.looks.push_back({run.step, run.seconds, run.summed ? run.sum / static_cast<double>(run.summed) : seen->loss, seen->loss, seen->accuracy,
                         half_lives(*run.learner, held_)});
    run.sum = 0, run.summed = 0;
    if (hooks.on_look) hooks.on_look(one, one.looks.back());
    return {};
}

Result<void> LabRun::learn(int64_t steps, const LabHooks& hooks) {
    while (running_.size() < result_.learners.size()) {
        auto learner = begin(result_.learners[running_.size()].mixer);
        if (!learner) return tl::unexpected(learner.error());
        running_.push_back({*learner});
    }
    for (Running& run : running_) run.begun = run.step;
    if (result_.seconds > 0) done_ = 0, total_ = steps * static_cast<int64_t>(running_.size());  // a further stretch
    const int64_t start = now_ns();
    const double before = result_.seconds;
    const auto over = [&](int64_t step) { return steps > 0 ? step >= steps : seconds_since(start) >= spec_.seconds; };
    for (int64_t step = 0; !cancelled(hooks) && !over(step); ++step)
        for (size_t i = 0; i < running_.size() && !cancelled(hooks); ++i) {
            Running& run = running_[i];
            LabLearner& one = result_.learners[i];
            if (!one.trouble.empty()) continue;
            Result<void> sound;
            if (run.step % spec_.every == 0) sound = look(i, hooks);
            if (sound) sound = one_step(run, one.rate, steps, spec_.seed);
            if (!sound) one.trouble = sound.error().message;
            result_.seconds = before + seconds_since(start), ++done_;
            if (hooks.on_step) hooks.on_step(one.mixer, done_, steps > 0 ? total_ : 0);
        }
    result_.finished = !cancelled(hooks);
    for (size_t i = 0; i < running_.size(); ++i) {
        LabLearner& one = result_.learners[i];
        if (one.trouble.empty())
            if (auto sound = look(i, hooks); !sound) one.trouble = sound.error().message;
        if (hooks.on_end)
            if (auto ended = hooks.on_end(one, *running_[i].learner); !ended) return ended;
    }
    result_.seconds = before + seconds_since(start);
    return {};
}

Result<LabResult> run_lab(const LabSpec& spec, const LabHooks& hooks) {
    if (auto sound = check(spec); !sound) return tl::unexpected(sound.error());
    LabRun run(spec);
    auto done = run.search(hooks);
    if (done) done = run.learn(spec.seconds > 0 ? 0 : spec.steps, hooks);
    if (!done) return tl::unexpected(done.error());
    return run.result();
}

}  // namespace klp
