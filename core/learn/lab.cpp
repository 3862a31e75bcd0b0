#include "core/learn/lab.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/files/checkpoint_writer.h"
#include "core/files/json.h"
#include "core/learn/run_folder.h"
#include "core/model/sequence.h"
#include "core/system.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kSearch = 0x5ea7c4, kHeld = 0x4e1d;  // seeds of their own beside the learners'
constexpr int64_t kWarmUp = 20;

// Rates rise, stay, and where the end is known fall to a tenth over its last quarter.
Rates rates_at(double rate, int64_t step, int64_t steps) {
    double share = std::min(1.0, static_cast<double>(step + 1) / kWarmUp);
    if (const int64_t fall = steps / 4; steps > 0 && step >= steps - fall)
        share *= 0.1 + 0.9 * static_cast<double>(steps - step) / static_cast<double>(fall + 1);
    return {.muon = rate * share, .adamw = rate / 5 * share};
}

int64_t rows_of(const LabSpec& spec) { return std::max<int64_t>(1, spec.tokens / row_tokens(spec.task)); }

// One learner on its way.
struct Running {
    std::shared_ptr<Learner> learner;
    int64_t step = 0;
    double seconds = 0, sum = 0;  // of losses since the last look
    int64_t summed = 0;
};

Result<void> one_step(const LabSpec& spec, Running& r, double rate, int64_t steps, uint64_t seed) {
    const int64_t start = now_ns();
    const auto figures = r.learner->step(make_batch(spec.task, rows_of(spec), seed, static_cast<uint64_t>(r.step)), rates_at(rate, r.step, steps));
    r.seconds += static_cast<double>(now_ns() - start) * 1e-9;
    if (!figures) return tl::unexpected(figures.error());
    ++r.step, r.sum += figures->loss, ++r.summed;
    return {};
}

// Sums of log decay over the tokens, by layer, head and channel.
class GateTap final : public Tap {
public:
    bool wants(Site site, int) const override { return site == Site::log_decay; }
    void take(const Reading& r) override {
        if (sums.size() <= static_cast<size_t>(r.layer)) sums.resize(static_cast<size_t>(r.layer) + 1);
        std::vector<double>& own = sums[static_cast<size_t>(r.layer)];
        own.resize(r.values.size());
        for (size_t i = 0; i < own.size(); ++i) own[i] += double{r.values[i]};
    }
    std::vector<std::vector<double>> sums;
};

}  // namespace

std::string_view lab_name(const std::string& mixer) {
    const UpdateRule* rule = rule_named(mixer);
    return rule ? rule->name : "softmax attention";
}

Result<void> check(const LabSpec& s) {
    if (auto sound = check(s.task); !sound) return sound;
    if (s.mixers.empty()) return fail(Error::usage, "say which mixers are to learn");
    for (size_t i = 0; i < s.mixers.size(); ++i) {
        if (!rule_named(s.mixers[i]) && s.mixers[i] != "mla") {
            std::string known;
            for (const UpdateRule& rule : update_rules()) known += std::string(rule.id) + ", ";
            return fail(Error::usage, "the mixer " + in_quotes(s.mixers[i]) + " is none of " + known + "mla");
        }
        if (std::find(s.mixers.begin(), s.mixers.begin() + static_cast<int64_t>(i), s.mixers[i]) != s.mixers.begin() + static_cast<int64_t>(i))
            return fail(Error::usage, "the mixer " + in_quotes(s.mixers[i]) + " is named twice");
    }
    if (s.width % s.heads != 0 || s.width / s.heads % 4 != 0 || s.width / s.heads > 256)
        return fail(Error::usage, "a width of " + std::to_string(s.width) + " gives no " + std::to_string(s.heads) + " heads of 4, 8, 12, ... 256 channels");
    for (const double rate : s.rates)
        if (!(rate > 0 && rate <= 10)) return fail(Error::usage, "a learning rate must lie above 0 and be at most 10");
    if (s.rates.empty() || (s.steps <= 0 && !(s.seconds > 0))) return fail(Error::usage, "there is no learning rate, or nothing that ends learning");
    return {};
}

ModelConfig lab_config(const LabSpec& s, const std::string& mixer) {
    ModelConfig c;
    c.model_type = "kimi_linear";
    c.vocab_size = (s.task.vocabulary + 31) / 32 * 32;
    c.hidden_size = s.width, c.num_hidden_layers = s.layers;
    c.model_max_length = std::max<int64_t>(4096, s.task.length);
    const int channels = s.width / s.heads;
    if (mixer == "mla") {
        c.num_attention_heads = s.heads, c.kv_lora_rank = 2 * channels;
        c.qk_nope_head_dim = c.v_head_dim = channels, c.qk_rope_head_dim = channels / 2;
        c.mla_use_nope = false;
    } else {
        c.kda_heads = s.heads, c.kda_key_dim = c.kda_value_dim = c.kda_gate_rank = channels;
        c.update_rule = mixer;
    }
    c.intermediate_size = 2 * s.width;
    c.layer_kinds.assign(static_cast<size_t>(s.layers), mixer == "mla" ? "mla" : "kda");
    return c;
}

HalfLives half_lives(const Learner& learner, const Batch& batch) {
    HalfLives out;
    const ModelConfig& c = learner.config();
    if (c.state_layers().empty() || c.rule().no_gate || batch.lengths.empty()) return out;
    Sequence sequence(learner.model());
    Workspace ws(learner.model()->backend());
    GateTap tap;
    ws.tap = &tap;
    const auto ids = std::span(batch.ids).first(static_cast<size_t>(batch.lengths[0]));
    if (auto fed = sequence.feed(ids, ws, nullptr, &kGreedy); !fed) return out;
    std::vector<double> all;
    const size_t step = c.rule().one_gate ? static_cast<size_t>(c.kda_key_dim) : 1;  // a head's channels are told one by one
    for (const auto& layer : tap.sums)
        for (size_t i = 0; i < layer.size(); i += step)
            all.push_back(layer[i] < 0 ? std::log(0.5) * static_cast<double>(ids.size()) / layer[i] : std::numeric_limits<double>::infinity());
    if (all.empty()) return out;
    std::sort(all.begin(), all.end());
    out.gates = static_cast<int64_t>(all.size());
    for (size_t i = 0; i < out.quantiles.size(); ++i)
        out.quantiles[i] = all[static_cast<size_t>(HalfLives::kShares[i] * static_cast<double>(all.size() - 1) + 0.5)];
    return out;
}

int64_t LabLearner::learned_at(double accuracy) const {
    int64_t at = -1;
    for (auto look = looks.rbegin(); look != looks.rend() && look->accuracy >= accuracy; ++look) at = look->step;
    return at;
}

Result<LabResult> run_lab(const LabSpec& spec, const LabHooks& hooks) {
    if (auto sound = check(spec); !sound) return tl::unexpected(sound.error());
    LabResult result{.rows = rows_of(spec)};
    const Batch held = make_batch(spec.task, spec.held_out, spec.seed ^ kHeld, 0);
    const int items = spec.task.kind == TaskKind::mqar    ? (spec.task.vocabulary - 1) - (spec.task.vocabulary - 1) / 2
                      : spec.task.kind == TaskKind::stack ? spec.task.vocabulary - 2 - spec.task.items
                                                          : spec.task.vocabulary - 1;
    result.chance = 1.0 / items;
    const auto cancelled = [&] { return hooks.cancel && *hooks.cancel; };
    const auto begin = [&](const std::string& mixer) {
        return make_learner(lab_config(spec, mixer), nullptr, {.threads = spec.threads, .seed = spec.seed, .type = DType::f32});
    };
    const bool searches = spec.rates.size() > 1;
    const auto mixers = static_cast<int64_t>(spec.mixers.size());
    const int64_t searched = searches ? mixers * static_cast<int64_t>(spec.rates.size()) * spec.search_steps : 0, total = searched + mixers * spec.steps;
    int64_t done = 0;
    const auto told = [&](const std::string& mixer) {
        ++done;
        if (hooks.on_step) hooks.on_step(mixer, done, spec.seconds > 0 ? 0 : total);
    };

    int64_t start = now_ns();
    for (const std::string& mixer : spec.mixers) {
        LabLearner& one = result.learners.emplace_back();
        one.mixer = mixer, one.rate = spec.rates[0], one.parameters = count_parameters(lab_config(spec, mixer)).total;
        double best = std::numeric_limits<double>::infinity();
        for (const double rate : spec.rates) {
            if (!searches || cancelled()) break;
            auto learner = begin(mixer);
            if (!learner) return tl::unexpected(learner.error());
            Running run{*learner};
            Result<void> sound;
            while (run.step < spec.search_steps && sound && !cancelled())
                sound = one_step(spec, run, rate, spec.search_steps, spec.seed ^ kSearch), told(mixer);
            if (cancelled()) break;
            LabTry tried{.rate = rate, .loss = std::numeric_limits<double>::quiet_NaN()};
            if (sound)
                if (const auto seen = run.learner->measure(held)) tried.loss = seen->loss, tried.accuracy = seen->accuracy;
            if (tried.loss < best) best = tried.loss, one.rate = rate;
            one.tried.push_back(tried);
            if (hooks.on_try) hooks.on_try(one, tried);
        }
    }
    result.search_seconds = static_cast<double>(now_ns() - start) * 1e-9;

    std::vector<Running> running;
    for (const LabLearner& one : result.learners) {
        auto learner = begin(one.mixer);
        if (!learner) return tl::unexpected(learner.error());
        running.push_back({*learner});
    }
    start = now_ns();
    const auto look = [&](size_t i) -> Result<void> {
        Running& run = running[i];
        LabLearner& one = result.learners[i];
        if (!one.looks.empty() && one.looks.back().step == run.step) return {};
        const auto seen = run.learner->measure(held);
        if (!seen) return tl::unexpected(seen.error());
        one.looks.push_back({run.step, run.seconds, run.summed ? run.sum / static_cast<double>(run.summed) : seen->loss, seen->loss, seen->accuracy,
                             half_lives(*run.learner, held)});
        run.sum = 0, run.summed = 0;
        if (hooks.on_look) hooks.on_look(one, one.looks.back());
        return {};
    };
    const auto past = [&] { return static_cast<double>(now_ns() - start) * 1e-9; };
    const auto over = [&](int64_t step) { return spec.seconds > 0 ? past() >= spec.seconds : step >= spec.steps; };
    int64_t step = 0;
    for (; !cancelled() && !over(step); ++step)
        for (size_t i = 0; i < running.size() && !cancelled(); ++i) {
            LabLearner& one = result.learners[i];
            if (!one.trouble.empty()) continue;
            Result<void> sound;
            if (step % spec.every == 0) sound = look(i);
            if (sound) sound = one_step(spec, running[i], one.rate, spec.seconds > 0 ? 0 : spec.steps, spec.seed);
            if (!sound) one.trouble = sound.error().message;
            told(one.mixer);
        }
    result.finished = !cancelled();
    for (size_t i = 0; i < running.size(); ++i) {
        LabLearner& one = result.learners[i];
        if (one.trouble.empty())
            if (auto sound = look(i); !sound) one.trouble = sound.error().message;
        if (hooks.on_end)
            if (auto ended = hooks.on_end(one, *running[i].learner); !ended) return tl::unexpected(ended.error());
    }
    result.seconds = past();
    return result;
}

std::string lab_json(const LabSpec& s, const LabResult& r) {
    const auto number = [](double v) { return std::isfinite(v) ? Json(v) : Json(); };
    const auto half = [&](const HalfLives& h) {
        Json all = Json::array();
        for (const double q : h.quantiles) all.push_back(number(q));  // null: endless
        return h.gates ? all : Json();
    };
    Json learners = Json::array();
    for (const LabLearner& one : r.learners) {
        Json tried = Json::array(), looks = Json::array();
        for (const LabTry& t : one.tried) tried.push_back({{"rate", t.rate}, {"loss", number(t.loss)}, {"accuracy", t.accuracy}});
        for (const LabLook& l : one.looks)
            looks.push_back({{"step", l.step},
                             {"seconds", l.seconds},
                             {"train_loss", number(l.train_loss)},
                             {"loss", number(l.loss)},
                             {"accuracy", l.accuracy},
                             {"half_lives", half(l.half_lives)}});
        Json j = {{"mixer", one.mixer}, {"parameters", one.parameters}, {"rate", one.rate}, {"tried", tried}, {"looks", looks}};
        if (!one.trouble.empty()) j["trouble"] = one.trouble;
        learners.push_back(std::move(j));
    }
    Json task = {{"kind", name(s.task.kind)}, {"length", s.task.length}, {"vocabulary", s.task.vocabulary}};
    if (s.task.kind == TaskKind::mqar) task["pairs"] = s.task.items;
    if (s.task.kind == TaskKind::stack) task["stacks"] = s.task.items;
    const Json j = {{"task", task},           {"layers", s.layers},
                    {"heads", s.heads},       {"width", s.width},
                    {"seed", s.seed},         {"rows", r.rows},
                    {"chance", r.chance},     {"half_life_shares", HalfLives::kShares},
                    {"finished", r.finished}, {"search_seconds", r.search_seconds},
                    {"seconds", r.seconds},   {"learners", learners}};
    return j.dump() + "\n";
}

Result<void> save_learner(const Learner& learner, const std::string& folder) {
    return save_model(learner, folder, {{"config.json", to_json(learner.config())}}, DType::f32);
}

}  // namespace klp
