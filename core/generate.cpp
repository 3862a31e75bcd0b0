#include "core/generate.h"

#include <algorithm>

#include "core/system.h"

namespace klp {

namespace {

double rate(int64_t tokens, int64_t nanoseconds) { return nanoseconds > 0 ? double(tokens) * 1e9 / double(nanoseconds) : 0; }

}  // namespace

double Generation::decode_tokens_per_second() const { return rate(decode_steps, decode_ns); }
double Generation::prefill_tokens_per_second() const { return rate(prompt_tokens, prefill_ns); }

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
    Generation out;
    Sampler sampler(options.sampling);
    const auto cancelled = [&] { return options.cancel && *options.cancel; };
    const auto is_stop = [&](int32_t id) { return std::find(options.stop.begin(), options.stop.end(), id) != options.stop.end(); };

    const int64_t start = now_ns(), before = sequence.position();
    if (prompt.empty()) return fail(Error::failure, "there is nothing to answer: the prompt has no tokens");
    const auto feed = [&](std::span<const int32_t> tokens, const std::atomic<bool>* cancel) {
        const Choice choice = sampler.next(options.candidates ? *options.candidates : 0);
        return sequence.feed(tokens, ws, cancel, &choice);
    };
    auto fed = feed(prompt, options.cancel);
    out.prompt_tokens = sequence.position() - before;
    out.prefill_ns = now_ns() - start;
    if (!fed) {
        if (fed.error().kind != Error::interrupted) return tl::unexpected(fed.error());
        out.end = Generation::End::cancelled;
        return out;
    }

    for (int64_t pass_ns = out.prefill_ns;;) {
        const Picked picked = std::move(ws.picked[0]);
        const int32_t id = picked.id;
        if (id < 0) return fail(Error::failure, "the model's output is not a number at position " + std::to_string(sequence.position()));
        if (out.tokens.empty()) out.first_token_ns = now_ns() - start;
        const bool stop = is_stop(id);
        bool enough = false;
        if (!stop) {
            out.tokens.push_back(id);
            enough = options.on_token && !options.on_token({id, sequence.position(), picked.probability, pass_ns, picked.entropy, picked.rank, picked.top});
        }
        if (sequence.position() == sequence.context()) return out.end = stop ? Generation::End::stop_token : Generation::End::context, out;

        // The token becomes part of the sequence even when it is the last one: what was said is remembered.
        const int64_t start_of_pass = now_ns();
        if (auto next = feed({&id, 1}, nullptr); !next) return tl::unexpected(next.error());
        pass_ns = now_ns() - start_of_pass;
        out.decode_ns += pass_ns;
        ++out.decode_steps;
        out.decode_phases += ws.times;
        if (stop) return out.end = Generation::End::stop_token, out;
        if (cancelled() || enough) return out.end = Generation::End::cancelled, out;
        if (static_cast<int64_t>(out.tokens.size()) >= options.budget) return out.end = Generation::End::budget, out;
    }
}

}  // namespace klp
