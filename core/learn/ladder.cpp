#include "core/learn/ladder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "core/files/json.h"
#include "core/model/cost.h"
#include "core/system.h"

namespace klp {

namespace {

constexpr uint64_t kHeldOut = 0x1adde4;
constexpr double kUnit = 1e12;  // operations

LabSpec sizes_of(const LadderSpec& spec, const LadderSource& source, int width) {
    LabSpec lab;
    lab.task.vocabulary = source.vocabulary, lab.task.length = source.longest;
    lab.mixers = spec.mixers, lab.layers = spec.layers, lab.heads = width / LadderSpec::kHead, lab.width = width;
    return lab;
}

// Of one step there and back: backwards every product is done twice, once for each of its factors.
class Counter {
public:
    explicit Counter(const ModelConfig& config) : costs_(config, DType::f32), head_(2.0 * config.vocab_size * config.hidden_size) {}
    double step(const Batch& batch) {
        double operations = 0;
        for (const int64_t n : batch.lengths) {
            auto [row, fresh] = rows_.try_emplace(n, 0);
            if (fresh) row->second = costs_.prefill(n).operations - head_;  // which counts the head once
            operations += row->second;
        }
        const auto counted = std::count_if(batch.targets.begin(), batch.targets.end(), [](int32_t target) { return target >= 0; });
        return 3 * (operations + head_ * static_cast<double>(counted));
    }

private:
    Costs costs_;
    double head_;
    std::map<int64_t, double> rows_;
};

struct Heard {
    double loss = 0, accuracy = 0;
};
Result<Heard> hear(Learner& learner, const LadderSource& source) {
    double loss = 0, right = 0, counted = 0;
    for (const Batch& batch : source.held_out) {
        const auto seen = learner.measure(batch);
        if (!seen) return tl::unexpected(seen.error());
        const auto n = static_cast<double>(seen->counted);
        loss += n * seen->loss, right += n * seen->accuracy, counted += n;
    }
    return Heard{loss / std::max(counted, 1.0), right / std::max(counted, 1.0)};
}

}  // namespace

LadderSource ladder_source(const Task& task, int64_t tokens, int64_t steps, uint64_t seed) {
    const int64_t rows = std::max<int64_t>(1, tokens / row_tokens(task));
    return {.name = std::string(name(task.kind)),
            .vocabulary = task.vocabulary,
            .longest = task.length,
            .steps = steps,
            .batch = [=](int64_t step) { return make_batch(task, rows, seed, static_cast<uint64_t>(step)); },
            .held_out = {make_batch(task, 64, seed ^ kHeldOut, 0)}};
}

Result<LadderSource> ladder_source(std::shared_ptr<const Data> data, const Tokenizer& tokenizer, int64_t longest, int64_t tokens, int64_t steps,
                                   uint64_t seed) {
    LadderSource source{.vocabulary = (tokenizer.vocab_size() + 31) / 32 * 32, .longest = longest};
    std::vector<std::pair<std::string, int64_t>> sizes;
    for (const Source& s : data->sources) {
        sizes.emplace_back(s.name, 0);
        for (const Source::Document& document : s.documents) sizes.back().second += document.size - 1;
        source.name += (source.name.empty() ? "" : ", ") + s.name;
    }
    ModelConfig config;
    config.vocab_size = source.vocabulary, config.model_max_length = longest;
    config.bos_token_id = tokenizer.special("[BOS]").value_or(-1);
    const Plan plan = default_plan(sizes, {.tokens = tokens * steps, .batch = tokens, .longest = longest, .muon = {}});
    auto laid = Batches::lay_out(std::move(data), plan, config, seed, "the ladder");
    if (!laid) return tl::unexpected(laid.error());
    const auto batches = std::make_shared<const Batches>(std::move(*laid));
    source.steps = batches->steps();
    source.batch = [batches](int64_t step) { return batches->batch(step); };
    for (Batches::HeldOut& held : batches->held_out())
        for (Batch& batch : held.batches) source.held_out.push_back(std::move(batch));
    if (source.held_out.empty()) return fail(Error::usage, "nothing is held out of " + source.name + ": of twenty documents one is, and there are too few");
    return source;
}

Result<void> check(const LadderSpec& spec, const LadderSource& source) {
    if (spec.widths.empty() || !std::is_sorted(spec.widths.begin(), spec.widths.end()) ||
        std::adjacent_find(spec.widths.begin(), spec.widths.end()) != spec.widths.end())
        return fail(Error::usage, "the widths of a ladder ascend");
    for (const int width : spec.widths) {
        if (width < LadderSpec::kHead || width % LadderSpec::kHead != 0)
            return fail(Error::usage, "a width of " + std::to_string(width) + " gives no heads of " + std::to_string(LadderSpec::kHead) + " channels");
        LabSpec lab = sizes_of(spec, source, width);
        lab.task = {};  // a text is no task
        lab.rates = spec.rates;
        if (auto sound = check(lab); !sound) return sound;
    }
    if (source.steps < 1) return fail(Error::usage, "there is nothing to learn from");
    return {};
}

double PowerLaw::at(double operations) const { return a * std::pow(operations / kUnit, -b); }

PowerLaw power_law(std::span<const Rung> all) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    // 0.975 quantiles of Student's t with 1, 2, ... degrees of freedom.
    constexpr double kStudent[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
    std::vector<double> x, y;
    for (const Rung& rung : all)
        if (rung.trouble.empty() && rung.loss > 0 && rung.operations > 0) x.push_back(std::log(rung.operations / kUnit)), y.push_back(std::log(rung.loss));
    const auto n = static_cast<double>(x.size());
    PowerLaw law{kNone, kNone, kNone, kNone, kNone, kNone, static_cast<int>(x.size())};
    if (x.size() < 2) return law;
    double mx = 0, my = 0, sxx = 0, sxy = 0, rest = 0;
    for (size_t i = 0; i < x.size(); ++i) mx += x[i] / n, my += y[i] / n;
    for (size_t i = 0; i < x.size(); ++i) sxx += (x[i] - mx) * (x[i] - mx), sxy += (x[i] - mx) * (y[i] - my);
    const double slope = sxy / sxx, from = my - slope * mx;
    for (size_t i = 0; i < x.size(); ++i) rest += std::pow(y[i] - from - slope * x[i], 2);
    law.a = std::exp(from), law.b = -slope;
    if (x.size() < 3) return law;
    const double t = kStudent[std::min(x.size() - 3, std::size(kStudent) - 1)], s = std::sqrt(rest / (n - 2));
    const double of_slope = t * s / std::sqrt(sxx), of_from = t * s * std::sqrt(1 / n + mx * mx / sxx);
    law.b_low = law.b - of_slope, law.b_high = law.b + of_slope;
    law.a_low = std::exp(from - of_from), law.a_high = std::exp(from + of_from);
    return law;
}

namespace {

class Ladder {
public:
    Ladder(const LadderSpec& spec, const LadderSource& source, const LadderHooks& hooks) : spec_(spec), source_(source), hooks_(hooks) {
        const auto sizes = static_cast<int64_t>(spec.widths.size() * spec.mixers.size()), rates = static_cast<int64_t>(spec.rates.size());
        total_ = sizes * (source.steps + (rates > 1 ? rates * searched() : 0));
    }

    bool cancelled() const { return hooks_.cancel && *hooks_.cancel; }

    Result<Rung> rung(const std::string& mixer, int width) {
        const ModelConfig config = lab_config(sizes_of(spec_, source_, width), mixer);
        Rung rung{.width = width, .parameters = count_parameters(config).total, .rate = spec_.rates[0]};
        what_ = mixer + ", width " + std::to_string(width);
        double best = std::numeric_limits<double>::infinity();
        for (const double rate : spec_.rates) {
            if (spec_.rates.size() < 2 || cancelled()) break;
            Rung tried = rung;
            if (auto learned = learn(config, rate, searched(), tried); !learned) return tl::unexpected(learned.error());
            if (tried.trouble.empty() && tried.loss < best) best = tried.loss, rung.rate = rate;
        }
        if (auto learned = learn(config, rung.rate, source_.steps, rung); !learned) return tl::unexpected(learned.error());
        return rung;
    }

private:
    int64_t searched() const { return std::clamp<int64_t>(source_.steps / 5, 1, 100); }

    // What goes wrong with numbers is the rung's trouble, everything else an Error.
    Result<void> learn(const ModelConfig& config, double rate, int64_t steps, Rung& rung) {
        auto learner = make_learner(config, nullptr, {.threads = spec_.threads, .seed = spec_.seed, .type = DType::f32});
        if (!learner) return tl::unexpected(learner.error());
        Counter counter(config);
        const int64_t start = now_ns();
        rung.operations = 0;
        for (int64_t step = 0; step < steps && !cancelled(); ++step) {
            const Batch batch = source_.batch(step);
            if (const auto figures = (*learner)->step(batch, lab_rates(rate, step, steps)); !figures) {
                rung.trouble = figures.error().message, done_ += steps - step;
                return {};
            }
            rung.operations += counter.step(batch);
            if (++done_; hooks_.on_step) hooks_.on_step(what_, done_, total_);
        }
        rung.seconds = static_cast<double>(now_ns() - start) * 1e-9;
        const auto heard = hear(**learner, source_);
        if (!heard)
            rung.trouble = heard.error().message;
        else
            rung.loss = heard->loss, rung.accuracy = heard->accuracy;
        return {};
    }

    const LadderSpec& spec_;
    const LadderSource& source_;
    const LadderHooks& hooks_;
    std::string what_;
    int64_t done_ = 0, total_ = 0;
};

}  // namespace

Result<LadderResult> run_ladder(const LadderSpec& spec, const LadderSource& source, const LadderHooks& hooks) {
    if (auto sound = check(spec, source); !sound) return tl::unexpected(sound.error());
    LadderResult result;
    for (const std::string& mixer : spec.mixers) result.sides.push_back({.mixer = mixer, .rungs = {}, .law = {}});
    const int64_t start = now_ns();
    Ladder ladder(spec, source, hooks);
    for (const int width : spec.widths)
        for (LadderResult::Side& side : result.sides) {
            if (ladder.cancelled()) break;
            auto rung = ladder.rung(side.mixer, width);
            if (!rung) return tl::unexpected(rung.error());
            if (ladder.cancelled()) break;  // it did not see all of its steps
            side.rungs.push_back(std::move(*rung));
            if (hooks.on_rung) hooks.on_rung(side.mixer, side.rungs.back());
        }
    for (LadderResult::Side& side : result.sides) side.law = power_law(side.rungs);
    result.finished = !ladder.cancelled();
    result.seconds = static_cast<double>(now_ns() - start) * 1e-9;
    return result;
}

std::string ladder_json(const LadderSpec& spec, const LadderSource& source, const LadderResult& result) {
    using Json = nlohmann::ordered_json;
    const auto number = [](double v) { return std::isfinite(v) ? Json(v) : Json(); };
    Json sides = Json::array();
    for (const LadderResult::Side& side : result.sides) {
        Json rungs = Json::array();
        for (const Rung& r : side.rungs) {
            Json j = {{"width", r.width},       {"parameters", r.parameters}, {"operations", r.operations}, {"rate", r.rate},
                      {"loss", number(r.loss)}, {"accuracy", r.accuracy},     {"seconds", r.seconds}};
            if (!r.trouble.empty()) j["trouble"] = r.trouble;
            rungs.push_back(std::move(j));
        }
        const PowerLaw& law = side.law;
        sides.push_back({{"mixer", side.mixer},
                         {"rungs", rungs},
                         {"law",
                          {{"a", number(law.a)},
                           {"a_95", {number(law.a_low), number(law.a_high)}},
                           {"b", number(law.b)},
                           {"b_95", {number(law.b_low), number(law.b_high)}}}}});
    }
    const Json j = {
        {"ladder", "toy"},       {"learned", source.name}, {"steps", source.steps},    {"longest", source.longest},   {"vocabulary", source.vocabulary},
        {"layers", spec.layers}, {"seed", spec.seed},      {"operations_unit", kUnit}, {"finished", result.finished}, {"seconds", result.seconds},
        {"sides", sides}};
    return j.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace klp
