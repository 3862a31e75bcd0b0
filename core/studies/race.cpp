#include "core/studies/race.h"

#include <algorithm>
#include <cstdlib>

namespace klp {

namespace {

constexpr int64_t kFirst = 64;                 // tokens of the first point
constexpr int64_t kUncounted = 2;              // decode steps behind a prefill: they find its rows in the caches, not theirs
constexpr int64_t kSteps = kFirst - 1;         // that are decoded before a point's context is reached: they leave a prefill for the first point
constexpr int64_t kFewest = 8;                 // that are timed, however long they take
constexpr int64_t kPointNs = 300'000'000;      // behind so much decoding the rest is prefilled: a slow model's 8 steps say enough
constexpr int64_t kSpare = int64_t{64} << 20;  // bytes that stay free: scratch, and everybody else

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

RacePoint::Spread spread(const std::vector<double>& values) {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    return {*least, *most};
}

std::string mib(int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

struct Racer {
    Racer(std::shared_ptr<const Model> model, int64_t context) : sequence(model, context), ws(model->backend()) {}
    int64_t bytes_at(int64_t tokens) const {  // whole pages, as the sequence takes them
        const Model& model = sequence.model();
        return sequence_bytes(model.config(), (tokens + kMlaPage - 1) / kMlaPage * kMlaPage, model.cache_type() == DType::f32 ? 4 : 2).total();
    }
    Sequence sequence;
    Workspace ws;
    std::vector<double> ns;
};

}  // namespace

std::vector<int64_t> race_contexts(int64_t context) {
    std::vector<int64_t> contexts;
    for (int64_t c = kFirst; c + kFirst <= context; c *= 2) contexts.push_back(c);
    if (context >= kFirst) contexts.push_back(context);
    return contexts;
}

std::vector<int32_t> race_tokens(std::span<const int32_t> conversation, int64_t n, int vocabulary) {
    std::vector<int32_t> ids(static_cast<size_t>(n));
    uint64_t x = 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < ids.size(); ++i) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        ids[i] = conversation.empty() ? static_cast<int32_t>(x % static_cast<uint64_t>(vocabulary)) : conversation[i % conversation.size()];
    }
    return ids;
}

int64_t twin_mixer_bytes(const ModelConfig& config, int bytes_per_value) {
    int64_t values = 0;
    for (const TensorSpec& t : tensor_specs(all_attention(config))) {
        const std::string prefix = "model.layers.";
        if (!t.name.starts_with(prefix) || t.name.find(".self_attn.") == std::string::npos) continue;
        if (!config.has_state(std::atoi(t.name.c_str() + prefix.size()))) continue;
        int64_t n = 1;
        for (int64_t d : t.shape) n *= d;
        values += n;
    }
    return values * bytes_per_value;
}

Result<std::string> race(std::shared_ptr<const Model> hybrid, std::shared_ptr<const Model> twin, std::span<const int32_t> tokens, const RaceOptions& options) {
    const auto total = static_cast<int64_t>(tokens.size());
    Racer a(std::move(hybrid), total), b(std::move(twin), total);
    int64_t at = 0;  // tokens that both hold
    const auto cancelled = [&] { return options.cancel && *options.cancel; };
    // These say false after a cancel.
    const auto go = [&](Racer& r, int64_t n) -> Result<bool> {
        if (cancelled()) return false;
        auto fed = r.sequence.feed(tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(n)), r.ws, options.cancel, &kGreedy);
        if (fed) return true;
        return fed.error().kind == Error::interrupted ? Result<bool>(false) : tl::unexpected(fed.error());
    };
    const auto prefill = [&](int64_t to) -> Result<bool> {
        while (at < to) {
            const int64_t n = std::min(a.sequence.model().pass_tokens(), to - at);
            for (Racer* r : {&a, &b})
                if (auto went = go(*r, n); !went || !*went) return went;
            at += n;
            if (options.on_progress) options.on_progress(at, total);
        }
        return true;
    };
    const auto decode = [&](int64_t to) -> Result<bool> {
        a.ns.clear(), b.ns.clear();
        const int64_t since = now_ns();
        for (int64_t step = 0; at < to && (step < kUncounted + kFewest || now_ns() - since < kPointNs); ++step, ++at) {
            for (Racer* r : {step % 2 ? &b : &a, step % 2 ? &a : &b}) {
                const int64_t start = now_ns();
                if (auto went = go(*r, 1); !went || !*went) return went;
                if (step >= kUncounted) r->ns.push_back(double(now_ns() - start));
            }
        }
        return true;
    };
    for (const int64_t context : race_contexts(total)) {
        const int64_t more = a.bytes_at(context) + b.bytes_at(context) - a.sequence.memory().total() - b.sequence.memory().total();
        if (const int64_t free = options.available ? options.available() : -1; free >= 0 && more + kSpare > free)
            return "ended at " + std::to_string(at) + " tokens: " + std::to_string(context) + " need " + mib(more + kSpare) + " more and " + mib(free) +
                   " are free";
        Result<bool> went = prefill(context - kSteps);
        if (went && *went) went = decode(context);
        if (went && *went) went = prefill(context);
        if (!went) return tl::unexpected(went.error());
        if (!*went) return "stopped at " + std::to_string(at) + " tokens";
        if (options.on_point) options.on_point({context, median(a.ns), median(b.ns), a.sequence.memory(), b.sequence.memory(), spread(a.ns), spread(b.ns)});
        if (options.on_progress) options.on_progress(at, total);
    }
    return std::string();
}

}  // namespace klp
