#include "core/model/generate.h"

#include <algorithm>
#include <cmath>

#include "core/system.h"

namespace klp {

double tokens_per_second(int64_t tokens, int64_t nanoseconds) { return nanoseconds > 0 ? double(tokens) * 1e9 / double(nanoseconds) : NAN; }

std::string_view name(Generation::End end) {
    switch (end) {
        case Generation::End::stop_token:
            return "stop token";
        case Generation::End::budget:
            return "token budget";
        case Generation::End::context:
            return "context full";
        case Generation::End::cancelled:
            return "cancelled";
    }
    return "";
}

Result<Generation> generate(Sequence& sequence, std::span<const int32_t> prompt, Workspace& ws, const GenerateOptions& options) {
    struct Leave {  // however it ends
        Stepper* stepper;
        ~Leave() {
            if (stepper) stepper->leave();
        }
    } leave{options.stepper};
    Generation out;
    Sampler sampler(options.sampling);
    const auto cancelled = [&] { return options.cancel && *options.cancel; };
    const auto is_stop = [&](int32_t id) { return std::find(options.stop.begin(), options.stop.end(), id) != options.stop.end(); };

    const int64_t start = now_ns(), before = sequence.position();
    if (prompt.empty()) return fail(Error::failure, "there is nothing to answer: the prompt has no tokens");
    const auto choice = [&] { return sampler.next(options.candidates ? *options.candidates : 0); };
    const Choice first = choice();
    auto fed = sequence.launch(prompt, ws, options.cancel, &first);
    out.prompt_tokens = sequence.position() - before;
    if (!fed) {
        out.prefill_ns = now_ns() - start;
        if (fed.error().kind != Error::interrupted) return tl::unexpected(fed.error());
        out.end = Generation::End::cancelled;
        return out;
    }

    // Every token becomes part of the sequence, even the last one: what was said is remembered. So a device that works by itself is given the pass of a token
    // before the host knows the token, and never waits for the host.
    const Model& model = sequence.model();
    const bool runs_ahead = model.backend().info().whole_passes;
    const auto finish = [&](const PassPtr& decoded) {
        model.finish(*decoded);
        out.decode_ns += ws.times.total();
        out.decode_phases += ws.times;
        return ws.times.total();
    };
    PassPtr pass = std::move(*fed);
    Picked made;  // of a pass in step
    PhaseTimes times;
    for (bool decodes = false;; decodes = true) {
        const int64_t at = sequence.position();  // of the token that the pass picks
        const bool room = sequence.room() > 0;
        PassPtr next = runs_ahead && !options.stepper && room && !sequence.edge_here() ? sequence.follow(*pass, ws, choice()) : nullptr;
        int64_t pass_ns = 0;
        if (!decodes)
            model.finish(*pass), pass_ns = out.prefill_ns = ws.finished_ns - start;
        else if (options.stepper)
            pass_ns = times.total();
        else
            pass_ns = finish(pass);
        const Picked picked = decodes && options.stepper ? std::move(made) : std::move(ws.picked[0]);
        const int32_t id = picked.id;
        if (id < 0) return no_number(at);
        if (out.tokens.empty()) out.first_token_ns = now_ns() - start;
        const bool stop = is_stop(id);
        bool enough = false;
        if (!stop) {
            out.tokens.push_back(id);
            enough = options.on_token && !options.on_token({id, at, picked.probability, pass_ns, picked.entropy, picked.rank, picked.top});
        }
        if (!room) return out.end = stop ? Generation::End::stop_token : Generation::End::context, out;
        if (options.stepper) {
            pass.reset();
            made = options.stepper->step(sequence, id, choice(), ws, options.cancel, times);
            out.decode_ns += times.total(), out.decode_phases += times;
        } else if (!next) {
            const Choice how = choice();
            auto launched = sequence.launch({&id, 1}, ws, nullptr, &how);
            if (!launched) return tl::unexpected(launched.error());
            next = std::move(*launched);
        }
        const bool spent = static_cast<int64_t>(out.tokens.size()) >= options.budget;
        if (stop || enough || spent || cancelled()) {
            if (next) finish(next);
            out.end = stop ? Generation::End::stop_token : enough || cancelled() ? Generation::End::cancelled : Generation::End::budget;
            return out;
        }
        pass = std::move(next);
    }
}

Result<void> decode(Sequence& sequence, std::span<const int32_t> tokens, Workspace& ws, const std::function<bool(int64_t nanoseconds)>& on_token) {
    PassPtr before;
    for (size_t i = 0; i <= tokens.size(); ++i) {
        PassPtr pass;
        if (i < tokens.size()) {
            auto launched = sequence.launch(tokens.subspan(i, 1), ws, nullptr, &kGreedy);
            if (!launched) return tl::unexpected(launched.error());
            pass = std::move(*launched);
        }
        if (before) {
            sequence.model().finish(*before);
            if (ws.picked[0].id < 0) return no_number(before->picks[0].position);
            if (!on_token(ws.times.total())) return {};
        }
        before = std::move(pass);
    }
    return {};
}

}  // namespace klp
