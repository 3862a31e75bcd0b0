#include "core/learn/plan.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "core/files/fields.h"

namespace klp {

namespace {

using nlohmann::json;

constexpr int64_t kMostTokens = int64_t{1} << 50, kLongestRow = int64_t{1} << 24;

std::string number_text(double value) { return json(value).dump(); }

// One plan, read. The first thing that is wrong is kept, with the place where it stands.
class PlanReader {
public:
    explicit PlanReader(std::string file) : file_(std::move(file)) {}

    Result<Plan> read(const json& all) {
        Plan plan;
        if (!all.is_object()) return fail(Error::usage, file_ + " is not a plan but " + Fields::said(all));
        known(all, "", {"about", "stages", "muon", "adamw", "weight_decay", "clip", "balance"});
        Fields fields(all, file_, "", error_);
        fields.text({"about"}, "");
        plan.muon = real(all, "", "muon", 0, 10, plan.muon);
        plan.adamw = real(all, "", "adamw", 0, 10, plan.adamw);
        plan.weight_decay = real(all, "", "weight_decay", 0, 10, plan.weight_decay);
        plan.clip = real(all, "", "clip", 0, 1e6, plan.clip);
        plan.balance = real(all, "", "balance", 0, 1, plan.balance);
        const auto* stages = fields.list({"stages"});
        if (stages && stages->empty()) wrong("stages", "is empty");
        if (!stages) wrong("stages", "is missing");
        for (size_t i = 0; stages && i < stages->size(); ++i) plan.stages.push_back(stage((*stages)[i], "stages[" + std::to_string(i) + "]"));
        if (!error_.empty()) return fail(Error::usage, error_);
        return plan;
    }

private:
    void wrong(const std::string& field, const std::string& what) {
        if (error_.empty()) error_ = file_ + ": " + field + " " + what;
    }
    void known(const json& object, const std::string& prefix, std::initializer_list<std::string_view> names) {
        for (const auto& [name, unused] : object.items())
            if (std::find(names.begin(), names.end(), name) == names.end()) wrong(prefix + name, "is no field of a plan");
    }
    // As a double: rates are compared with what was written.
    double real(const json& object, const std::string& prefix, const char* name, double low, double high, std::optional<double> otherwise) {
        const auto at = object.find(name);
        if (at == object.end() && !otherwise) wrong(prefix + name, "is missing");
        return at == object.end() ? otherwise.value_or(low) : real(*at, prefix + name, low, high);
    }
    double real(const json& value, const std::string& field, double low, double high) {
        if (!value.is_number()) return wrong(field, "is " + Fields::said(value) + " where a number belongs"), low;
        const double number = value.get<double>();
        if (!(number >= low && number <= high))
            return wrong(field, "is " + value.dump() + ", which is not in " + number_text(low) + ".." + number_text(high)), low;
        return number;
    }

    Stage stage(const json& object, const std::string& at) {
        Stage s;
        if (!object.is_object()) return wrong(at, "is " + Fields::said(object) + " where an object belongs"), s;
        const std::string prefix = at + ".";
        known(object, prefix, {"name", "about", "tokens", "batch", "sources", "lengths", "longest", "rate", "warmup", "begin"});
        Fields fields(object, file_, prefix, error_);
        s.name = fields.text({"name"}, at);
        s.tokens = fields.integer({"tokens"}, 1, kMostTokens);
        s.batch = fields.integer({"batch"}, 1, kLongestRow, s.batch);
        s.longest = fields.integer({"longest"}, 1, kLongestRow, s.longest);
        s.warmup = fields.integer({"warmup"}, 0, 1'000'000'000, 0);
        s.begin = real(object, prefix, "begin", 0, 1, 0.0);
        if (const auto rate = object.find("rate"); rate != object.end()) {
            if (rate->is_array() && rate->size() == 2)
                s.from = real((*rate)[0], prefix + "rate[0]", 0, 1e3), s.to = real((*rate)[1], prefix + "rate[1]", 0, 1e3);
            else if (rate->is_number())
                s.from = s.to = real(*rate, prefix + "rate", 0, 1e3);
            else
                wrong(prefix + "rate", "is neither a number nor two, where it begins and ends");
        }
        lengths(object, prefix, s);
        sources(object, prefix, s);
        return s;
    }

    void lengths(const json& object, const std::string& prefix, Stage& s) {
        const auto at = object.find("lengths");
        if (at == object.end()) return;
        if (!at->is_object()) return wrong(prefix + "lengths", "is " + Fields::said(*at) + " where an object belongs");
        if (at->empty()) return wrong(prefix + "lengths", "is empty");
        if (object.contains("longest")) return wrong(prefix + "longest", "says again what the last of its lengths says");
        for (const auto& [text, share] : at->items()) {
            int64_t length = 0;
            const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), length);
            if (bad != std::errc() || end != text.data() + text.size() || length < 1 || length > kLongestRow)
                return wrong(prefix + "lengths", "has " + in_quotes(text) + ", which is no number of tokens");
            const double part = real(share, prefix + "lengths." + text, 0, 1e9);
            if (part > 0) s.lengths.emplace_back(length, part);
        }
        if (s.lengths.empty()) return wrong(prefix + "lengths", "has no share above 0");
        std::sort(s.lengths.begin(), s.lengths.end());
        s.longest = s.lengths.back().first;
    }

    void sources(const json& object, const std::string& prefix, Stage& s) {
        const auto at = object.find("sources");
        if (at == object.end()) return wrong(prefix + "sources", "is missing");
        if (!at->is_object()) return wrong(prefix + "sources", "is " + Fields::said(*at) + " where an object belongs");
        for (const auto& [name, value] : at->items()) {
            const std::string field = prefix + "sources." + name;
            if (!value.is_object()) {
                s.parts.push_back({name, real(value, field, 0, 1e9), {}});
            } else {
                known(value, field + ".", {"task", "weight", "vocabulary", "pairs", "stacks"});
                Fields fields(value, file_, field + ".", error_);
                Task task;
                if (const auto kind = task_named(fields.text({"task"}, ""), file_ + ": " + field + ".task"); kind)
                    task.kind = *kind;
                else if (error_.empty())
                    error_ = kind.error().message;
                task.vocabulary = static_cast<int>(fields.integer({"vocabulary"}, 2, 1 << 24, task.vocabulary));
                const bool pairs = task.kind == TaskKind::mqar, stacks = task.kind == TaskKind::stack;
                for (const auto& [item, has] : {std::pair("pairs", pairs), std::pair("stacks", stacks)}) {
                    if (has) task.items = static_cast<int>(fields.integer({item}, 1, 1 << 20, task.items));
                    if (!has && value.contains(item)) wrong(field + "." + item, "is nothing that " + std::string(klp::name(task.kind)) + " has");
                }
                s.parts.push_back({name, real(value, field + ".", "weight", 0, 1e9, 1.0), task});
            }
            if (s.parts.back().weight <= 0) s.parts.pop_back();
        }
        if (s.parts.empty()) wrong(prefix + "sources", "has none whose weight is above 0");
    }

    std::string file_, error_;
};

}  // namespace

int64_t Plan::tokens() const {
    int64_t n = 0;
    for (const Stage& stage : stages) n += stage.tokens;
    return n;
}

Result<Plan> parse_plan(const std::string& text, const std::string& name_for_errors) {
    const auto all = parse_json(text, name_for_errors);
    if (!all) return fail(Error::usage, all.error().message);
    return PlanReader(name_for_errors).read(*all);
}

std::string plan_text(const Plan& plan) {
    nlohmann::ordered_json all = {
        {"muon", plan.muon}, {"adamw", plan.adamw}, {"weight_decay", plan.weight_decay}, {"clip", plan.clip}, {"balance", plan.balance}};
    for (const Stage& s : plan.stages) {
        nlohmann::ordered_json stage = {{"name", s.name},         {"tokens", s.tokens}, {"batch", s.batch},
                                        {"rate", {s.from, s.to}}, {"warmup", s.warmup}, {"begin", s.begin}};
        if (s.lengths.empty()) stage["longest"] = s.longest;
        for (const auto& [length, share] : s.lengths) stage["lengths"][std::to_string(length)] = share;
        for (const Stage::Part& part : s.parts) {
            if (!part.task) {
                stage["sources"][part.source] = part.weight;
                continue;
            }
            auto& task = stage["sources"][part.source] = {{"task", name(part.task->kind)}, {"weight", part.weight}, {"vocabulary", part.task->vocabulary}};
            if (part.task->kind == TaskKind::mqar) task["pairs"] = part.task->items;
            if (part.task->kind == TaskKind::stack) task["stacks"] = part.task->items;
        }
        all["stages"].push_back(std::move(stage));
    }
    return all.dump(1) + "\n";
}

Result<void> check(const Plan& plan, const ModelConfig& config, const std::string& name_for_errors) {
    for (size_t i = 0; i < plan.stages.size(); ++i) {
        const Stage& s = plan.stages[i];
        const std::string at = name_for_errors + ": stages[" + std::to_string(i) + "].";
        if (config.model_max_length > 0 && s.longest > config.model_max_length)
            return fail(Error::usage, at + (s.lengths.empty() ? "longest" : "lengths") + " has rows of " + std::to_string(s.longest) +
                                          " tokens, and the model's context is " + std::to_string(config.model_max_length) + " (model_max_length)");
        for (const Stage::Part& part : s.parts) {
            if (!part.task) continue;
            if (part.task->vocabulary > config.vocab_size)
                return fail(Error::usage, at + "sources." + part.source + ".vocabulary is " + std::to_string(part.task->vocabulary) + ", and the model has " +
                                              std::to_string(config.vocab_size) + " tokens");
            Task task = *part.task;
            task.length = s.longest;
            if (auto sound = check(task, at + "sources." + part.source); !sound) return sound;
        }
    }
    return {};
}

Plan default_plan(const std::vector<std::pair<std::string, int64_t>>& sources, const PlanWishes& wishes) {
    Plan plan;
    if (wishes.muon) plan.adamw *= *wishes.muon / plan.muon, plan.muon = *wishes.muon;
    Stage first{.name = "steady", .batch = wishes.batch, .longest = wishes.longest};
    int64_t tokens = 0;
    for (const auto& [name, size] : sources) first.parts.push_back({name, static_cast<double>(std::max<int64_t>(size, 1)), {}}), tokens += size;
    if (wishes.tokens > 0) tokens = wishes.tokens;
    Stage last = first;
    first.tokens = std::max<int64_t>(tokens - tokens / 4, 1), last.tokens = std::max<int64_t>(tokens / 4, 1);
    first.warmup = std::clamp<int64_t>(tokens / wishes.batch / 10, 1, 100);
    last.name = "down", last.to = 0;
    plan.stages = {first, last};
    return plan;
}

}  // namespace klp
