#include "core/learn/training.h"

#include "core/system.h"

namespace klp {

namespace {

constexpr double kNew = 0.03;  // a step's part of the running mean

struct Seen {
    double loss = 0, right = 0;
    int64_t counted = 0;
    void add(const StepFigures& f) {
        loss += f.loss * static_cast<double>(f.counted), right += f.accuracy * static_cast<double>(f.counted);
        counted += f.counted;
    }
    Evaluation::Row row(const std::string& source) const {
        const auto n = static_cast<double>(std::max<int64_t>(counted, 1));
        return {source, loss / n, right / n, counted};
    }
};

}  // namespace

Result<Evaluation> evaluate(Learner& learner, const std::vector<Batches::HeldOut>& held_out, int64_t step, const std::atomic<bool>* cancel) {
    Evaluation all{.step = step};
    Seen sum;
    for (const Batches::HeldOut& held : held_out) {
        Seen own;
        for (const Batch& batch : held.batches) {
            if (cancel && *cancel) return fail(Error::interrupted, "interrupted");
            const auto figures = learner.measure(batch);
            if (!figures) return fail(figures.error().kind, "held out of " + held.source + ": " + figures.error().message);
            own.add(*figures), sum.add(*figures);
        }
        all.sources.push_back(own.row(held.source));
    }
    all.all = sum.row("");
    return all;
}

Result<TrainingState> train(Learner& learner, const Batches& batches, TrainingState state, const TrainingOptions& options) {
    const std::vector<Batches::HeldOut> held_out = batches.held_out();
    const auto cancelled = [&] { return options.cancel && *options.cancel; };
    const auto save = [&]() -> Result<void> {
        auto saved = save_state(options.folder, learner, state, options.identity);
        if (saved && options.on_saved) options.on_saved();
        return saved;
    };
    int64_t saved_step = state.step, saved_ns = now_ns(), clock = saved_ns;
    const auto look = [&]() -> Result<void> {
        if (held_out.empty() || !options.on_evaluation) return {};
        const auto seen = evaluate(learner, held_out, state.step, options.cancel);
        if (!seen && seen.error().kind == Error::interrupted) return {};
        if (!seen) return tl::unexpected(seen.error());
        options.on_evaluation(*seen);
        return {};
    };
    while (state.step < batches.steps() && !cancelled()) {
        const int64_t step = state.step;
        const auto figures = learner.step(batches.batch(step), batches.rates(step));
        if (!figures)
            return fail(figures.error().kind, figures.error().message + (saved_step > 0 ? "; the checkpoint of step " + std::to_string(saved_step) + " is kept"
                                                                                        : "; no step was saved before"));
        const int64_t now = now_ns();
        state.seconds += static_cast<double>(now - clock) * 1e-9, clock = now;
        state.loss = step == 0 ? figures->loss : (1 - kNew) * state.loss + kNew * figures->loss;
        state.step = step + 1, state.tokens = batches.tokens_before(state.step);
        if (options.on_step)
            options.on_step({*figures, state, batches.rate(step), batches.steps(), batches.tokens_before(batches.steps()), &batches.stage(step)});
        if (options.eval_every > 0 && state.step % options.eval_every == 0 && state.step < batches.steps())
            if (auto looked = look(); !looked) return tl::unexpected(looked.error());
        if (now_ns() - saved_ns < options.save_ns || state.step == batches.steps()) continue;
        if (auto saved = save(); saved)
            saved_step = state.step;
        else if (options.on_trouble)
            options.on_trouble(saved.error().message);
        saved_ns = now_ns();  // a full disk is asked again after the same time
    }
    if (state.step > saved_step)
        if (auto saved = save(); !saved) return tl::unexpected(saved.error());
    if (state.step == batches.steps())
        if (auto looked = look(); !looked) return tl::unexpected(looked.error());
    return state;
}

}  // namespace klp
