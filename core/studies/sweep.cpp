#include "core/studies/sweep.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/files/json.h"
#include "core/model/generate.h"
#include "core/model/memory_plan.h"
#include "core/studies/race.h"
#include "core/system.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kRounds = 5, kTokens = 16;  // decoded in a round and timed
constexpr int kUntimed = 2;               // in front of them: pages, graphs, and what the other model left in the caches
constexpr int kBatchSteps = 8;
constexpr int kPrefills = 3;                     // at most
constexpr double kQuick = 2;                     // seconds: prefills of a cell are repeated below it
constexpr int64_t kPiece = 16384;                // of a prompt, between two looks at the time
constexpr int64_t kReserve = int64_t{64} << 20;  // bytes that stay free: an op's temporaries, and everybody else
constexpr int64_t kCpuMemory = int64_t{1} << 30;

double part(std::vector<double> values, double at) {
    if (values.empty()) return NAN;
    const auto place = values.begin() + std::llround(at * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

std::string amount(int64_t bytes) {
    char text[32];
    const double mib = static_cast<double>(bytes) / (1 << 20);
    std::snprintf(text, sizeof text, mib < 1024 ? "%.1f MiB" : "%.1f GiB", mib < 1024 ? mib : mib / 1024);
    return text;
}
std::string seconds_text(double s) {
    char text[32];
    std::snprintf(text, sizeof text, s < 9.95 ? "%.1f s" : "%.0f s", s);
    return text;
}

double since(int64_t start) { return static_cast<double>(now_ns() - start) * 1e-9; }

SweepDecode decode_cost(const Costs& costs, int64_t context, int64_t sequences, const DeviceLimits& limits) {
    SweepDecode d;
    const Cost cost = costs.decode(context, sequences);
    d.sequences = sequences, d.bytes = cost.bytes, d.operations = cost.operations;
    d.least_ms = 1e3 * costs.seconds(cost, limits);
    return d;
}

// What is known of a cell before anything is run.
SweepCell computed_cell(const ModelConfig& config, const Costs& costs, int64_t context, int cache_value_bytes, const DeviceLimits& limits) {
    SweepCell cell;
    const SequenceBytes bytes = sequence_bytes(config, context, cache_value_bytes);
    cell.state_bytes = bytes.state + bytes.conv, cell.cache_bytes = bytes.cache;
    cell.prefill.tokens = context;
    cell.prefill.least_seconds = costs.seconds(costs.prefill(context), limits);
    cell.one = decode_cost(costs, context, 1, limits);
    return cell;
}

// One of the two.
struct Runner {
    Runner(const char* name, std::shared_ptr<const Model> of, DType type)
        : name(name), model(std::move(of)), costs(model->config(), type), cache_value_bytes(info(model->cache_type()).bytes) {}
    std::string name;
    std::shared_ptr<const Model> model;
    Costs costs;
    int cache_value_bytes;
    int64_t prefilled = 0;  // tokens of the longest prefill so far
    double took = 0;        // seconds
};

class Measuring {
public:
    Measuring(const SweepOptions& options, Sweep& sweep, Runner& hybrid, Runner& twin) : options_(options), sweep_(sweep), runners_{&hybrid, &twin} {}

    // Bytes that may be taken now. What was given back to a GPU is free once it has done what came before.
    int64_t available() const {
        Backend& on = runners_[0]->model->backend();
        if (options_.available) return options_.available();
        if (on.free_bytes() < 0) return system_memory().available;
        const Buffer a = on.allocate(sizeof(float));
        float waited = 0;
        on.download(&waited, a.as(), sizeof waited);
        return on.free_bytes();
    }

    // false: interrupted; the row is not whole. An error is the machine's.
    Result<bool> row(SweepRow& row) {
        SweepCell* const cells[] = {&row.hybrid, &row.twin};
        int64_t needs[2], together = 0;
        const int64_t free = available();
        std::vector<int> fit;
        for (int i = 0; i < 2; ++i) {
            const Runner& r = *runners_[i];
            *cells[i] = computed_cell(r.model->config(), r.costs, row.context, r.cache_value_bytes, sweep_.limits);
            needs[i] = bytes_of_sequence(r.model->config(), row.context, r.cache_value_bytes);
            together += needs[i];
            if (free < 0 || needs[i] + kReserve <= free)
                fit.push_back(i);
            else
                cells[i]->prefill.why = cells[i]->one.why = cells[i]->batch.why = too_large(needs[i], free);
        }
        if (fit.empty()) {
            sweep_.ended = "ended before " + std::to_string(row.context) + " tokens: the hybrid needs " + amount(needs[0] + kReserve) + " more, the twin " +
                           amount(needs[1] + kReserve) + ", and " + amount(free) + " are free";
            return false;
        }
        row.in_turn = fit.size() == 2 && (free < 0 || together + kReserve <= free);
        if (row.in_turn) {
            if (auto done = alone_or_in_turn(row.context, fit, cells); !done || !*done) return done;
        } else {
            for (const int i : fit)
                if (auto done = alone_or_in_turn(row.context, {i}, cells); !done || !*done) return done;
        }
        for (const int i : fit) {
            try {
                if (auto done = batch(*runners_[i], row.context, cells[i]->batch); !done || !*done) return done;
            } catch (const DeviceError& e) {
                cells[i]->batch.why = e.what();
            }
        }
        return true;
    }

private:
    bool cancelled() const { return options_.cancel && *options_.cancel; }
    static std::string too_large(int64_t needs, int64_t free) { return "a sequence needs " + amount(needs + kReserve) + ", and " + amount(free) + " are free"; }
    void say(const Runner& r, const std::string& what, const char* unit, int64_t done, int64_t total) const {
        if (!options_.on_progress) return;
        const std::string context = "context " + std::to_string(sweep_.rows.size() + 1) + " of " + std::to_string(options_.contexts.size());
        options_.on_progress(context + ", " + r.name + ": " + what, unit, done, total);
    }

    SweepDecode counted(const Runner& r, int64_t context, int64_t sequences) const { return decode_cost(r.costs, context, sequences, sweep_.limits); }

    static void take(SweepDecode& d, const std::vector<double>& ms) {
        d.steps = static_cast<int64_t>(ms.size());
        d.ms = part(ms, 0.5), d.p10 = part(ms, 0.1), d.p90 = part(ms, 0.9);
    }

    // Seconds, or why there are none; false: interrupted.
    Result<bool> prefill(Runner& r, Sequence& sequence, Workspace& ws, std::span<const int32_t> ids, SweepPrefill& out) {
        const auto n = static_cast<int64_t>(ids.size());
        const int64_t start = now_ns();
        for (int64_t at = 0; at < n; at += kPiece) {
            if (const double took = since(start); at > 0 && took > options_.limit_seconds) {
                out.why = "stopped after " + seconds_text(took) + " at " + std::to_string(at) + " tokens, the limit is " + seconds_text(options_.limit_seconds);
                return true;
            }
            say(r, "prefill", "token", at, n);
            const auto piece = ids.subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(kPiece, n - at)));
            if (auto fed = sequence.feed(piece, ws, options_.cancel, &kGreedy); !fed) {
                if (fed.error().kind == Error::interrupted) return false;
                return tl::unexpected(fed.error());
            }
        }
        out.seconds.push_back(since(start));
        return true;
    }

    // Prefill and decoding at batch 1 of those who are in memory together.
    Result<bool> alone_or_in_turn(int64_t context, const std::vector<int>& who, SweepCell* const (&cells)[2]) {
        const int vocabulary = runners_[0]->model->config().vocab_size;
        const std::vector<int32_t> ids = race_tokens({}, context, vocabulary);
        std::vector<Sequence> sequences;
        std::vector<Workspace> spaces;
        for (const int i : who) sequences.emplace_back(runners_[i]->model), spaces.emplace_back(runners_[i]->model->backend());

        for (const int i : who) {
            const Runner& r = *runners_[i];
            const double expected = r.prefilled > 0 ? r.took * r.costs.prefill(context).operations / r.costs.prefill(r.prefilled).operations : 0;
            if (expected > options_.limit_seconds)
                cells[i]->prefill.why = "left out: about " + seconds_text(expected) + " expected, the limit is " + seconds_text(options_.limit_seconds);
        }
        for (int turn = 0; turn < kPrefills; ++turn) {
            for (size_t k = 0; k < who.size(); ++k) {
                const size_t at = turn % 2 ? who.size() - 1 - k : k;
                const int i = who[at];
                SweepPrefill& out = cells[i]->prefill;
                double spent = 0;
                for (double s : out.seconds) spent += s;
                if (!out.why.empty() || (turn > 0 && spent > kQuick)) continue;
                sequences[at].reset();
                if (auto done = prefill(*runners_[i], sequences[at], spaces[at], ids, out); !done || !*done) return done;
            }
        }
        for (size_t at = 0; at < who.size(); ++at) {
            Runner& r = *runners_[who[at]];
            SweepCell& cell = *cells[who[at]];
            if (cell.prefill.why.empty()) {
                r.prefilled = context, r.took = part(cell.prefill.seconds, 0.5);
            } else {
                cell.prefill.seconds.clear();
                say(r, "a synthetic cache of " + std::to_string(context), "", 0, 0);
                sequences[at].reset();
                if (auto filled = sequences[at].fill(context, 1); !filled) return tl::unexpected(filled.error());
                cell.one.synthetic = true;
            }
        }

        std::vector<double> ms[2];
        for (int round = 0; round < kRounds; ++round) {
            for (size_t k = 0; k < who.size(); ++k) {
                const size_t at = round % 2 ? who.size() - 1 - k : k;
                say(*runners_[who[at]], "decoding at " + std::to_string(context), "round", round, kRounds);
                const int64_t start = now_ns();
                int t = 0;
                const auto timed = [&](int64_t ns) {
                    if (t++ >= kUntimed) ms[at].push_back(static_cast<double>(ns) * 1e-6);
                    return !cancelled() && (t <= kUntimed || since(start) <= options_.limit_seconds / (2 * kRounds));  // a slow model's few tokens say enough
                };
                std::vector<int32_t> next;
                for (int i = 0; i < kUntimed + kTokens; ++i) next.push_back(ids[static_cast<size_t>((round * kTokens + i) % context)]);
                if (auto fed = decode(sequences[at], next, spaces[at], timed); !fed) return tl::unexpected(fed.error());
                if (cancelled()) return false;
            }
        }
        for (size_t at = 0; at < who.size(); ++at) take(cells[who[at]]->one, ms[at]);
        return true;
    }

    // As many sequences as fit, each with a cache of its own.
    Result<bool> batch(const Runner& r, int64_t context, SweepDecode& out) {
        const ModelConfig& config = r.model->config();
        const int64_t one = bytes_of_sequence(config, context, r.cache_value_bytes), free = available();
        const int64_t room = std::min(sweep_.memory - sweep_.weight_bytes, free < 0 ? sweep_.memory : free) - kReserve;
        const int64_t n = std::min(kMostSequences, sequences_that_fit(config, room, context, r.cache_value_bytes));
        if (n == 0) {
            out.why = "a sequence needs " + amount(one + kReserve) + " beside the weights, and of " + amount(sweep_.memory) + " " + amount(room + kReserve) +
                      " are left";
            return true;
        }
        out = counted(r, context, n);
        out.synthetic = true;
        std::vector<Sequence> sequences;
        sequences.reserve(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; ++i) {
            if (cancelled()) return false;
            say(r, "synthetic caches of " + std::to_string(context), "cache", i, n);
            sequences.emplace_back(r.model);
            if (auto filled = sequences.back().fill(context, static_cast<uint64_t>(i) + 1); !filled) return tl::unexpected(filled.error());
        }
        Workspace ws(r.model->backend());
        const std::vector<int32_t> ids = race_tokens({}, n, config.vocab_size);
        std::vector<Feed> feeds;
        for (size_t i = 0; i < sequences.size(); ++i) feeds.push_back({&sequences[i], std::span(ids).subspan(i, 1), &kGreedy});
        std::vector<double> ms;
        const int64_t start = now_ns();
        for (int step = 0; step < kUntimed + kBatchSteps; ++step) {
            if (cancelled()) return false;
            say(r, std::to_string(n) + " sequences decode at " + std::to_string(context), "step", step, kUntimed + kBatchSteps);
            const int64_t before = now_ns();
            r.model->forward(feeds, ws);
            if (std::any_of(ws.picked.begin(), ws.picked.end(), [](const Picked& p) { return p.id < 0; })) return no_number(sequences[0].position());
            if (step >= kUntimed || since(start) > options_.limit_seconds / 4) ms.push_back(since(before) * 1e3);
            if (since(start) > options_.limit_seconds / 4) break;
        }
        take(out, ms);
        return true;
    }

    const SweepOptions& options_;
    Sweep& sweep_;
    Runner* runners_[2];
};

}  // namespace

bool SweepCell::empty() const {
    return prefill.seconds.empty() && one.steps == 0 && batch.steps == 0 &&
           std::all_of(levels.begin(), levels.end(), [](const SweepLevel& l) { return !std::isfinite(l.tokens_per_second); });
}

double SweepPrefill::rate() const { return static_cast<double>(tokens) / part(seconds, 0.5); }

void compute_rows(const ModelConfig& config, std::span<const int64_t> contexts, Sweep& sweep) {
    const DTypeInfo* type = find_dtype(sweep.type);
    const int cache_value_bytes = sweep.type == "f32" ? 4 : 2;
    const int64_t room = sweep.memory - sweep.weight_bytes - kReserve;
    for (const int64_t context : contexts) {
        SweepRow row{.context = context, .in_turn = false, .computed = true};
        for (const bool twin : {false, true}) {
            const ModelConfig c = twin ? all_attention(config) : config;
            const Costs costs(c, type ? type->type : DType::bf16);
            SweepCell& cell = twin ? row.twin : row.hybrid;
            cell = computed_cell(c, costs, context, cache_value_bytes, sweep.limits);
            const int64_t n = std::min(kMostSequences, sequences_that_fit(c, room, context, cache_value_bytes));
            if (n > 0) cell.batch = decode_cost(costs, context, n, sweep.limits);
            cell.prefill.why = cell.one.why = cell.batch.why = "computed, not run";
        }
        sweep.rows.push_back(std::move(row));
    }
}

Result<void> run_sweep(std::shared_ptr<const Model> hybrid, std::shared_ptr<const Model> twin, const SweepOptions& options, Sweep& sweep) {
    const DTypeInfo* type = find_dtype(sweep.type);
    Runner a("hybrid", std::move(hybrid), type ? type->type : DType::bf16), b("all-MLA twin", std::move(twin), type ? type->type : DType::bf16);
    Measuring measure(options, sweep, a, b);
    const int64_t free = measure.available(), most = free < 0 ? options.memory : sweep.weight_bytes + free;
    const bool gpu = a.model->backend().free_bytes() >= 0;
    sweep.limit_seconds = options.limit_seconds;
    sweep.memory = options.memory;
    if (options.memory > 0) {
        if (options.memory > most)
            return fail(Error::device, "a budget of " + amount(options.memory) + " is more than there is: " + amount(most) + " with the weights");
        const int64_t least = sweep.weight_bytes + kReserve + bytes_of_sequence(a.model->config(), options.contexts.front(), a.cache_value_bytes);
        if (options.memory < least)
            return fail(Error::device, "a budget of " + amount(options.memory) + " holds no sequence: the weights, one of " +
                                           std::to_string(options.contexts.front()) + " tokens and what an op needs take " + amount(least));
    } else {
        sweep.memory = sweep.weight_bytes + (gpu ? free / 20 * 19 : std::min(kCpuMemory, free < 0 ? kCpuMemory : free / 2));
    }
    for (const int64_t context : options.contexts) {
        SweepRow row{.context = context};
        Result<bool> done = false;
        try {
            done = measure.row(row);
        } catch (const DeviceError& e) {
            sweep.ended = "ended before " + std::to_string(context) + " tokens: " + e.what();
            return {};
        }
        if (!done) return tl::unexpected(done.error());
        if (!*done && sweep.ended.empty()) {
            sweep.ended = "was interrupted at " + std::to_string(context) + " tokens";
            return {};
        }
        if (!*done) {
            const size_t first = sweep.rows.size();
            compute_rows(a.model->config(), std::span(options.contexts).subspan(first), sweep);
            for (size_t i = first; options.on_row && i < sweep.rows.size(); ++i) options.on_row(sweep.rows[i]);
            return {};
        }
        sweep.rows.push_back(row);
        if (options.on_row) options.on_row(row);
    }
    return {};
}

// --- JSON -----------------------------------------------------------------------------------------------------------

namespace {

Json number(double v) { return std::isfinite(v) ? Json(v) : Json(); }

Json decode_json(const SweepDecode& d) {
    Json out{{"sequences", d.sequences}};
    if (!d.why.empty()) out["why"] = d.why;
    if (d.steps > 0) {
        out["synthetic_cache"] = d.synthetic, out["steps"] = d.steps;
        out["ms"] = d.ms, out["p10_ms"] = d.p10, out["p90_ms"] = d.p90;
        out["tokens_per_second"] = d.rate();
    }
    out["bytes"] = d.bytes, out["operations"] = d.operations, out["least_ms"] = number(d.least_ms);
    return out;
}

Json level_json(const SweepLevel& l) {
    Json out{{"requests", l.decode.sequences}};
    if (!l.decode.why.empty()) out["why"] = l.decode.why;
    out["steps"] = l.decode.steps;
    out["ms"] = number(l.decode.ms), out["p10_ms"] = number(l.decode.p10), out["p90_ms"] = number(l.decode.p90);
    out["first_ms"] = number(l.first_ms), out["first_p10_ms"] = number(l.first_p10), out["first_p90_ms"] = number(l.first_p90);
    out["tokens_per_second"] = number(l.tokens_per_second);
    return out;
}

Json cell_json(const SweepCell& c) {
    Json prefill{{"tokens", c.prefill.tokens}};
    if (!c.prefill.why.empty()) prefill["why"] = c.prefill.why;
    if (!c.prefill.seconds.empty()) prefill["seconds"] = c.prefill.seconds, prefill["tokens_per_second"] = c.prefill.rate();
    prefill["least_seconds"] = number(c.prefill.least_seconds);
    Json out{
        {"state_bytes", c.state_bytes}, {"cache_bytes", c.cache_bytes}, {"prefill", prefill}, {"decode", decode_json(c.one)}, {"batch", decode_json(c.batch)}};
    for (const SweepLevel& level : c.levels) out["levels"].push_back(level_json(level));
    return out;
}

// Fields of an object, by their way from the top; the first thing that is wrong is kept.
class Reader {
public:
    Reader(const nlohmann::json& object, std::string at, std::string& error) : object_(object), at_(std::move(at)), error_(error) {
        if (error_.empty() && !object.is_object()) error_ = (at_.empty() ? "the file" : at_) + " is not an object";
    }
    Reader at(const char* key) {
        const nlohmann::json* found = find(key);
        return {found ? *found : object_, way(key), error_};
    }
    Reader item(const char* list, const nlohmann::json& of, size_t i) { return {of, way(list) + "[" + std::to_string(i) + "]", error_}; }
    const nlohmann::json* find(const char* key, bool needed = true) {
        if (!error_.empty()) return nullptr;
        const auto it = object_.find(key);
        if (it != object_.end()) return &*it;
        if (needed) error_ = way(key) + " is missing";
        return nullptr;
    }
    void get(const char* key, std::string& to, bool needed = true) {
        const auto* v = find(key, needed);
        if (!v) return;
        if (!v->is_string()) return wrong(key, "text");
        to = v->get<std::string>();
    }
    void get(const char* key, bool& to, bool needed = true) {
        const auto* v = find(key, needed);
        if (!v) return;
        if (!v->is_boolean()) return wrong(key, "true or false");
        to = v->get<bool>();
    }
    void get(const char* key, int64_t& to) {
        const auto* v = find(key);
        if (!v) return;
        if (!v->is_number_integer() || (v->is_number_unsigned() && v->get<uint64_t>() > (uint64_t{1} << 62)) || v->get<int64_t>() < 0)
            return wrong(key, "a whole number");
        to = v->get<int64_t>();
    }
    void get(const char* key, double& to, bool or_null = false) {
        const auto* v = find(key);
        if (!v) return;
        if (or_null && v->is_null()) return;
        if (!v->is_number() || !std::isfinite(v->get<double>()) || v->get<double>() < 0) return wrong(key, "a number");
        to = v->get<double>();
    }
    void get(const char* key, std::vector<double>& to) {
        const auto* v = find(key);
        if (!v) return;
        if (!v->is_array()) return wrong(key, "a list of numbers");
        for (const auto& one : *v) {
            if (!one.is_number() || !std::isfinite(one.get<double>()) || !(one.get<double>() > 0)) return wrong(key, "a list of numbers");
            to.push_back(one.get<double>());
        }
    }
    bool has(const char* key) const { return object_.is_object() && object_.contains(key); }
    void wrong(const char* key, const char* wanted) {
        if (error_.empty()) error_ = way(key) + " is not " + wanted;
    }
    std::string way(const char* key) const { return at_.empty() ? key : at_ + "." + key; }

private:
    const nlohmann::json& object_;
    std::string at_;
    std::string& error_;
};

SweepDecode read_decode(Reader r) {
    SweepDecode d;
    r.get("sequences", d.sequences);
    r.get("why", d.why, false);
    if (d.why.empty() || r.has("ms")) {
        r.get("synthetic_cache", d.synthetic), r.get("steps", d.steps);
        r.get("ms", d.ms), r.get("p10_ms", d.p10), r.get("p90_ms", d.p90);
        if (!(d.ms > 0)) r.wrong("ms", "more than 0");
    }
    r.get("bytes", d.bytes), r.get("operations", d.operations), r.get("least_ms", d.least_ms, true);
    return d;
}

SweepLevel read_level(Reader r) {
    SweepLevel l;
    r.get("requests", l.decode.sequences), r.get("why", l.decode.why, false), r.get("steps", l.decode.steps);
    r.get("ms", l.decode.ms, true), r.get("p10_ms", l.decode.p10, true), r.get("p90_ms", l.decode.p90, true);
    r.get("first_ms", l.first_ms, true), r.get("first_p10_ms", l.first_p10, true), r.get("first_p90_ms", l.first_p90, true);
    r.get("tokens_per_second", l.tokens_per_second, true);
    return l;
}

SweepCell read_cell(Reader r) {
    SweepCell c;
    r.get("state_bytes", c.state_bytes), r.get("cache_bytes", c.cache_bytes);
    Reader prefill = r.at("prefill");
    prefill.get("tokens", c.prefill.tokens);
    prefill.get("why", c.prefill.why, false);
    if (c.prefill.why.empty()) prefill.get("seconds", c.prefill.seconds);
    prefill.get("least_seconds", c.prefill.least_seconds, true);
    c.one = read_decode(r.at("decode"));
    c.batch = read_decode(r.at("batch"));
    if (const auto* levels = r.find("levels", false)) {
        if (!levels->is_array()) r.wrong("levels", "a list");
        for (size_t i = 0; levels->is_array() && i < levels->size(); ++i) c.levels.push_back(read_level(r.item("levels", (*levels)[i], i)));
    }
    return c;
}

}  // namespace

std::string to_json(const Sweep& s) {
    Json rows = Json::array();
    for (const SweepRow& row : s.rows)
        rows.push_back(
            {{"context", row.context}, {"in_turn", row.in_turn}, {"computed", row.computed}, {"hybrid", cell_json(row.hybrid)}, {"twin", cell_json(row.twin)}});
    Json out{
        {"sweep", 1},
        {"klp", s.klp},
        {"date", s.date},
        {"command", s.command},
        {"model", s.model},
        {"type", s.type},
        {"twin", s.twin},
        {"parameters", {{"total", s.parameters}, {"active", s.active}}},
        {"weight_bytes", s.weight_bytes},
        {"device", {{"name", s.device.name}, {"hardware", s.device.hardware}, {"detail", s.device.detail}, {"memory_bytes", s.device.memory_bytes}}},
        {"limits",
         {{"read_gb_s", s.limits.read_gb_s}, {"f32_gflops", s.limits.f32_gflops}, {"bf16_gflops", s.limits.bf16_gflops}, {"int8_gops", s.limits.int8_gops}}},
        {"limit_seconds", s.limit_seconds},
        {"memory_bytes", s.memory},
        {"rows", rows},
        {"ended", s.ended}};
    for (const SweepServer& server : s.servers) out["servers"].push_back({{"url", server.url}, {"model", server.model}});
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Sweep> parse_sweep(std::string_view text, const std::string& file) {
    auto json = parse_json(text, file);
    if (!json) return fail(Error::failure, json.error().message);
    Sweep s;
    std::string error;
    Reader top(*json, "", error);
    if (!error.empty() || !top.has("sweep")) return fail(Error::failure, file + ": this is no recorded sweep (klp sweep -o FILE.json makes one)");
    int64_t version = 0;
    top.get("sweep", version);
    if (error.empty() && version != 1) return fail(Error::failure, file + ": sweep is " + std::to_string(version) + ", and this program reads 1");
    top.get("klp", s.klp), top.get("date", s.date), top.get("command", s.command);
    top.get("model", s.model), top.get("type", s.type), top.get("twin", s.twin);
    Reader parameters = top.at("parameters"), device = top.at("device"), limits = top.at("limits");
    parameters.get("total", s.parameters), parameters.get("active", s.active);
    top.get("weight_bytes", s.weight_bytes);
    device.get("name", s.device.name), device.get("hardware", s.device.hardware), device.get("detail", s.device.detail),
        device.get("memory_bytes", s.device.memory_bytes);
    limits.get("read_gb_s", s.limits.read_gb_s), limits.get("f32_gflops", s.limits.f32_gflops), limits.get("bf16_gflops", s.limits.bf16_gflops),
        limits.get("int8_gops", s.limits.int8_gops);
    top.get("limit_seconds", s.limit_seconds), top.get("memory_bytes", s.memory), top.get("ended", s.ended);
    if (const auto* servers = top.find("servers", false)) {
        if (!servers->is_array() || servers->empty() || servers->size() > 2) top.wrong("servers", "a list of one or two");
        for (size_t i = 0; error.empty() && i < servers->size(); ++i) {
            Reader r = top.item("servers", (*servers)[i], i);
            r.get("url", s.servers.emplace_back().url), r.get("model", s.servers.back().model);
        }
    }
    if (const auto* rows = top.find("rows"); rows && rows->is_array()) {
        for (size_t i = 0; i < rows->size() && error.empty(); ++i) {
            Reader r((*rows)[i], "rows[" + std::to_string(i) + "]", error);
            SweepRow row;
            r.get("context", row.context), r.get("in_turn", row.in_turn), r.get("computed", row.computed, false);
            if (row.context <= (s.rows.empty() ? 0 : s.rows.back().context)) r.wrong("context", "more than the one before");
            row.hybrid = read_cell(r.at("hybrid")), row.twin = read_cell(r.at("twin"));
            s.rows.push_back(std::move(row));
        }
    } else {
        top.wrong("rows", "a list");
    }
    if (!error.empty()) return fail(Error::failure, file + ": " + error);
    return s;
}

}  // namespace klp
