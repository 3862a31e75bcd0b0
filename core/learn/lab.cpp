#include "core/learn/lab.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files/json.h"
#include "core/learn/run_folder.h"
#include "core/learn/task_words.h"
#include "core/model/sequence.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

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

Result<LabMixer> lab_mixer(const std::string& name) {
    const auto wrong = [&](const std::string& why) { return fail(Error::usage, "the mixer " + in_quotes(name) + " " + why); };
    LabMixer m;
    std::istringstream in(name);
    std::getline(in, m.rule, '+');
    if (!rule_named(m.rule) && m.rule != "mla") {
        std::string known;
        for (const UpdateRule& rule : update_rules()) known += std::string(rule.id) + ", ";
        return wrong("is none of " + known + "mla");
    }
    bool rope = false, nope = false;
    for (std::string part; std::getline(in, part, '+');) {
        const size_t colon = part.find(":1");
        const bool number = colon != 0 && colon != part.npos && colon + 2 == part.size() && part.find_first_not_of("0123456789") == colon && colon <= 2;
        if (part == "swish" || part == "no-gate")
            m.output_gate = part == "swish" ? "swish" : "none";
        else if (part == "no-conv")
            m.convolution = false;
        else if (part == "rope" || part == "nope")
            (part == "rope" ? rope : nope) = true;
        else if (number && std::stoi(part) > 0)
            m.ratio = std::stoi(part);
        else
            return wrong("has the switch " + in_quotes(part) + ", which is none of swish, no-gate, no-conv, rope, nope, or a ratio such as 3:1");
    }
    if (!m.has_state() && (m.ratio > 0 || m.output_gate != "sigmoid" || !m.convolution)) return wrong("has attention alone: it has no such switch but nope");
    if ((rope || nope) && !m.has_attention()) return wrong("has no attention, so positions are nothing to it; a ratio such as 3:1 gives it some");
    if (rope && nope) return wrong("has attention with positions and without");
    m.positions = rope || (!nope && !m.has_state());
    return m;
}

std::string lab_name(const std::string& name) {
    const auto m = lab_mixer(name);
    if (!m) return name;
    const UpdateRule* rule = rule_named(m->rule);
    std::string text = rule ? std::string(rule->name) : "softmax attention";
    if (m->ratio > 0) text += " and attention " + std::to_string(m->ratio) + ":1";
    if (m->has_attention() && m->positions == m->has_state()) text += m->positions ? ", with positions" : ", without positions";
    if (m->output_gate != "sigmoid") text += m->output_gate == "none" ? ", no output gate" : ", swish gate";
    if (!m->convolution) text += ", no short convolution";
    return text;
}

void pace(LabSpec& spec) {
    spec.search_steps = std::clamp<int64_t>(spec.steps / 5, 20, 100);
    spec.every = std::max<int64_t>(1, spec.steps / 40);
}

Result<void> check(const LabSpec& s) {
    if (auto sound = check(s.task); !sound) return sound;
    if (s.mixers.empty()) return fail(Error::usage, "say which mixers are to learn");
    for (size_t i = 0; i < s.mixers.size(); ++i) {
        const auto mixer = lab_mixer(s.mixers[i]);
        if (!mixer) return tl::unexpected(mixer.error());
        if (mixer->ratio >= s.layers)
            return fail(Error::usage, "the mixer " + in_quotes(s.mixers[i]) + " takes " + std::to_string(mixer->ratio + 1) +
                                          " layers at least, and there are " + std::to_string(s.layers));
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

ModelConfig lab_config(const LabSpec& s, const std::string& name) {
    const LabMixer mixer = *lab_mixer(name);
    ModelConfig c;
    c.model_type = "kimi_linear";
    c.vocab_size = (s.task.vocabulary + 31) / 32 * 32;
    c.hidden_size = s.width, c.num_hidden_layers = s.layers;
    c.model_max_length = std::max<int64_t>(4096, s.task.length);
    const int channels = s.width / s.heads;
    if (mixer.has_attention()) {
        c.num_attention_heads = s.heads, c.kv_lora_rank = 2 * channels;
        c.qk_nope_head_dim = c.v_head_dim = channels, c.qk_rope_head_dim = channels / 2;
        c.mla_use_nope = !mixer.positions;
    }
    if (mixer.has_state()) {
        c.kda_heads = s.heads, c.kda_key_dim = c.kda_value_dim = c.kda_gate_rank = channels;
        c.update_rule = mixer.rule, c.output_gate = mixer.output_gate;
        if (!mixer.convolution) c.short_conv_kernel_size = 1;
    }
    c.intermediate_size = 2 * s.width;
    for (int i = 0; i < s.layers; ++i) c.layer_kinds.push_back(!mixer.has_state() || (mixer.ratio > 0 && (i + 1) % (mixer.ratio + 1) == 0) ? "mla" : "kda");
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

namespace {

double number_of(const nlohmann::json& j) { return j.is_number() ? j.get<double>() : std::numeric_limits<double>::infinity(); }

LabLook look_of(const nlohmann::json& j) {
    LabLook look{j.at("step"), j.at("seconds"), number_of(j.at("train_loss")), number_of(j.at("loss")), j.at("accuracy"), {}};
    if (const auto& half = j.at("half_lives"); half.is_array()) {
        look.half_lives.gates = 1;  // how many is not said
        for (size_t i = 0; i < look.half_lives.quantiles.size(); ++i) look.half_lives.quantiles[i] = number_of(half.at(i));
    }
    return look;
}

}  // namespace

Result<LabRecord> read_lab(const std::string& text, const std::string& said) {
    const auto parsed = parse_json(text, said);
    if (!parsed) return tl::unexpected(parsed.error());
    LabRecord record;
    LabSpec& s = record.spec;
    LabResult& r = record.result;
    try {
        const nlohmann::json& j = *parsed;
        const auto kind = task_named(j.at("task").at("kind"), said + ": task.kind");
        if (!kind) return tl::unexpected(kind.error());
        s.task = {*kind, j.at("task").at("length"), j.at("task").at("vocabulary")};
        s.task.items = j.at("task").value("pairs", j.at("task").value("stacks", s.task.items));
        s.layers = j.at("layers"), s.heads = j.at("heads"), s.width = j.at("width"), s.seed = j.at("seed");
        r.rows = j.at("rows"), r.chance = j.at("chance"), r.finished = j.at("finished"), r.seconds = j.at("seconds");
        for (const auto& one : j.at("learners")) {
            LabLearner& learner = r.learners.emplace_back();
            learner.mixer = one.at("mixer"), learner.parameters = one.at("parameters"), learner.rate = one.at("rate");
            for (const auto& look : one.at("looks")) learner.looks.push_back(look_of(look));
            s.mixers.push_back(learner.mixer);
        }
    } catch (const nlohmann::json::exception& wrong) {
        return fail(Error::failure, said + " is no result of klp lab: " + wrong.what());
    }
    return record;
}

Result<void> save_learner(const Learner& learner, const Task& task, const std::string& folder) {
    NamedTexts files = task_files(task, learner.config().vocab_size);
    files.emplace_back("config.json", to_json(learner.config()));
    return save_model(learner, folder, files, DType::f32);
}

}  // namespace klp
