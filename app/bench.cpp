// klp bench: tokens per second of prefill and decode at each depth, and the share of what the machine allows, measured in the same run.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/format.h"
#include "app/lenses.h"
#include "app/progress.h"
#include "core/model/generate.h"
#include "core/system.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

// Ids that any model takes; the same on every machine.
std::vector<int32_t> random_ids(int64_t n, int vocabulary) {
    std::vector<int32_t> ids(static_cast<size_t>(n));
    uint64_t x = 0x9E3779B97F4A7C15u;
    for (int32_t& id : ids) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        id = static_cast<int32_t>(x % static_cast<uint64_t>(vocabulary));
    }
    return ids;
}

struct Contender {
    std::string name;
    std::shared_ptr<const Model> model;
    bool baseline = false;
};

struct Test {
    size_t contender = 0;
    bool decode = false;
    int64_t tokens = 0, depth = 0;
    std::vector<double> rates;  // tokens per second, one a repeat
    int64_t memory_bytes = 0;   // of the sequence at the end

    std::string name() const { return (decode ? "tg" : "pp") + std::to_string(tokens) + " @ d" + std::to_string(depth); }
    double mean() const {
        double sum = 0;
        for (double r : rates) sum += r;
        return rates.empty() ? NAN : sum / double(rates.size());
    }
    double low() const { return *std::min_element(rates.begin(), rates.end()); }
    double high() const { return *std::max_element(rates.begin(), rates.end()); }
};

// One contender at one depth: prefilled (or filled) once, then set back to its snapshot before every measurement.
class Bench {
public:
    Bench(const Contender& contender, int64_t depth, int64_t room)
        : sequence_(contender.model, depth + room),
          ws_(contender.model->backend()),
          ids_(random_ids(depth + room, contender.model->config().vocab_size)),
          depth_(depth) {}

    Result<void> reach_depth(bool synthetic, Progress& progress) {
        constexpr int64_t kPiece = 512;
        if (synthetic && depth_ > 0) {
            if (auto filled = sequence_.fill(depth_, 1); !filled) return filled;
        }
        for (int64_t at = sequence_.position(); at < depth_; at += kPiece) {
            progress.at(at, depth_);
            if (auto fed = sequence_.feed(std::span(ids_).subspan(size_t(at), size_t(std::min(kPiece, depth_ - at))), ws_, &g_interrupted, &kGreedy); !fed)
                return fed;
        }
        start_ = sequence_.snapshot();
        return {};
    }

    Result<double> measure(const Test& test, int64_t tokens) {
        sequence_.restore(*start_);
        const auto ids = std::span(ids_).subspan(size_t(depth_), size_t(tokens));
        const int64_t begin = now_ns();
        if (!test.decode) {
            if (auto fed = sequence_.feed(ids, ws_, &g_interrupted, &kGreedy); !fed) return tl::unexpected(fed.error());
        } else {
            if (auto fed = decode(sequence_, ids, ws_, [](int64_t) { return !g_interrupted; }); !fed) return tl::unexpected(fed.error());
            if (g_interrupted) return fail(Error::interrupted, "interrupted");
        }
        return double(tokens) * 1e9 / double(now_ns() - begin);
    }

    MemoryUse memory() const { return sequence_.memory(); }

private:
    Sequence sequence_;
    Workspace ws_;
    std::vector<int32_t> ids_;
    int64_t depth_;
    SnapshotPtr start_;
};

// What a token costs and what the machine gives. Prefill: two operations for each active weight, the output head only for the last token. Decode: the bytes of
// the active weights, and of the conversation's state and cache.
class Ceiling {
public:
    Ceiling(const Model& model, const std::string& type, const DeviceLimits& limits) : type_(type), limits_(limits) {
        head_ = double(model.config().vocab_size) * model.config().hidden_size;
        body_ = double(count_parameters(model.config()).active) - head_;
        weight_bytes_ = double(model.active_weight_bytes());
    }
    // bf16 weights meet whichever is faster: the pair instruction is slow on some machines, and then they are widened.
    bool integers() const {
        const DTypeInfo* type = find_dtype(type_);
        return type && type->block > 1;
    }
    bool pairs() const { return type_ == "bf16" && limits_.bf16_gflops > limits_.f32_gflops; }
    double peak_gops() const { return integers() ? limits_.int8_gops : pairs() ? limits_.bf16_gflops : limits_.f32_gflops; }
    std::string instruction() const { return integers() ? "int8 products" : pairs() ? "bf16 pairs" : "f32 multiply-adds"; }
    // Share of the limit that this test reached; more than 1 where the weights stay in the cache.
    double share(const Test& test) const {
        if (test.decode) return (weight_bytes_ + double(test.memory_bytes)) * test.mean() / 1e9 / limits_.read_gb_s;
        return 2 * (body_ + head_ / double(test.tokens)) * test.mean() / 1e9 / peak_gops();
    }

private:
    std::string type_;
    DeviceLimits limits_;
    double head_ = 0, body_ = 0, weight_bytes_ = 0;
};

DeviceLimits better(const DeviceLimits& a, const DeviceLimits& b) {
    return {std::max(a.read_gb_s, b.read_gb_s), std::max(a.f32_gflops, b.f32_gflops), std::max(a.bf16_gflops, b.bf16_gflops),
            std::max(a.int8_gops, b.int8_gops)};
}

// All depths and contenders; the error of whatever stops it.
Result<std::vector<Test>> run_tests(const BenchOptions& options, const std::vector<Contender>& contenders, const Terminal& terminal) {
    const int64_t room = std::max(options.prompt, options.generate);
    std::vector<Test> tests;
    for (int64_t depth : options.depths) {
        std::vector<Bench> benches;
        std::vector<Test> here;
        for (const Contender& contender : contenders) {
            benches.emplace_back(contender, depth, room);
            Progress progress(terminal, contender.name + ": prefill to depth " + grouped(depth), "token");
            if (auto reached = benches.back().reach_depth(options.synthetic, progress); !reached) return tl::unexpected(reached.error());
        }
        for (const bool decode : {false, true}) {
            const int64_t tokens = decode ? options.generate : options.prompt;
            for (size_t c = 0; tokens > 0 && c < contenders.size(); ++c) here.push_back({c, decode, tokens, depth, {}, 0});
        }
        Progress progress(terminal, "measuring at depth " + grouped(depth), "run");
        const auto runs = static_cast<int64_t>(here.size()) * (options.repeat + 1);
        int64_t run = 0;
        // A first short run of each pays for pages, scratch and threads; then A B, B A, A B: a drifting machine treats both alike.
        for (const Test& test : here) {
            progress.at(run++, runs);
            if (auto warm = benches[test.contender].measure(test, test.decode ? std::min<int64_t>(test.tokens, 4) : test.tokens); !warm)
                return tl::unexpected(warm.error());
        }
        for (int r = 0; r < options.repeat; ++r) {
            for (size_t i = 0; i < here.size(); ++i) {
                Test& test = here[r % 2 ? here.size() - 1 - i : i];
                progress.at(run++, runs);
                auto rate = benches[test.contender].measure(test, test.tokens);
                if (!rate) return tl::unexpected(rate.error());
                test.rates.push_back(*rate);
                test.memory_bytes = benches[test.contender].memory().total();
            }
        }
        tests.insert(tests.end(), here.begin(), here.end());
    }
    return tests;
}

}  // namespace

int bench_command(const BenchOptions& options, Terminal& terminal) {
    if (options.prompt == 0 && options.generate == 0) return report({Error::usage, "there is nothing to measure: --prompt and --gen are both 0"});
    if (options.synthetic && *std::max_element(options.depths.begin(), options.depths.end()) == 0)
        return report({Error::usage, "--synthetic fills a context up to a depth: give --depth N"});
    EngineOptions opening = options.engine;
    for (int64_t depth : options.depths) opening.context = std::max(opening.context, depth + std::max(options.prompt, options.generate));
    auto engine = open_engine(opening, terminal);
    if (!engine) return report(engine.error());
    std::vector<Contender> contenders{{engine->name, engine->model, false}};
    if (options.baseline) {
        const std::string name = twin_name(engine->config());
        Progress progress(terminal, "making the " + name);
        progress.at();
        auto twin = engine->model->attention_twin(engine->checkpoint.folder);
        if (!twin) return report(twin.error());
        contenders.push_back({name, *twin, true});
    }
    for (int64_t depth : options.depths) {
        if (const int64_t room = std::max(options.prompt, options.generate); depth + room > engine->config().model_max_length) {
            return report({Error::usage, "depth " + grouped(depth) + " and " + grouped(room) + " tokens do not fit in the context of " +
                                             grouped(engine->config().model_max_length)});
        }
    }

    say_that_it_takes_long(terminal);
    // The machine's limits once before and once after: it is the same machine only if nobody else came.
    const DeviceInfo& device = engine->backend->info();
    const auto measure_limits = [&] {
        Progress progress(terminal, "measuring what this machine allows");
        progress.at();
        return engine->backend->limits();
    };
    DeviceLimits limits = measure_limits();
    const auto tests = run_tests(options, contenders, terminal);
    if (!tests) return report(tests.error());
    limits = better(limits, measure_limits());
    const bool known = limits.read_gb_s > 0, on_gpu = device.name.starts_with("cuda");
    constexpr const char* kMmaSync = "mma.sync";  // what the kernels multiply with; from Hopper on the chip's own limit is some 1.6 times that

    const ParameterCount parameters = count_parameters(engine->config());
    const std::string type = engine->weights();
    std::vector<Ceiling> ceilings;
    for (const Contender& c : contenders) ceilings.emplace_back(*c.model, type, limits);
    const std::string twin = options.baseline ? std::string(label(contenders[1].model->twin().value_or(TwinKind::synthetic))) : "";

    if (options.json) {
        Json rows = Json::array();
        for (const Test& t : *tests) {
            Json row{{"model", contenders[t.contender].name},
                     {"baseline", contenders[t.contender].baseline},
                     {"test", t.decode ? "decode" : "prefill"},
                     {"tokens", t.tokens},
                     {"depth", t.depth},
                     {"tokens_per_second", t.mean()},
                     {"runs", t.rates},
                     {"memory_bytes", t.memory_bytes}};
            if (known) row["share_of_limit"] = ceilings[t.contender].share(t);
            rows.push_back(row);
        }
        Json out{{"model", engine->name},
                 {"type", type},
                 {"parameters", {{"total", parameters.total}, {"active", parameters.active}}},
                 {"active_weight_bytes", engine->model->active_weight_bytes()},
                 {"device", {{"name", device.name}, {"hardware", device.hardware}, {"detail", device.detail}}},
                 {"synthetic_cache", options.synthetic},
                 {"twin", options.baseline ? Json(twin) : Json()},
                 {"results", rows}};
        if (known)
            out["limits"] = {
                {"read_gb_s", limits.read_gb_s}, {"f32_gflops", limits.f32_gflops}, {"bf16_gflops", limits.bf16_gflops}, {"int8_gops", limits.int8_gops}};
        if (on_gpu) out["limits"]["products_by"] = kMmaSync;
        if (const auto passes = engine->backend->passes())
            out["passes"] = {{"eager", passes->eager}, {"captured", passes->captured}, {"replayed", passes->replayed}};
        put(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
        return 0;
    }
    const int width = terminal.canvas.width;
    put(bold(wrapped(engine->name + ", " + type + ", " + count_text(parameters.total) + " parameters, " + count_text(parameters.active) + " active", width),
             terminal.canvas) +
        wrapped(device.name + ", " + device.hardware + (device.detail.empty() ? "" : ", " + device.detail), width));
    Table table({"model", "test", "tokens/s", "min", "max", "of the limit"});
    for (const Test& t : *tests) {
        table.add({contenders[t.contender].name, t.name(), short_number(t.mean()), short_number(t.low()), short_number(t.high()),
                   known ? percent_text(ceilings[t.contender].share(t)) : "n/a"});
    }
    std::string out = table.text();
    if (!twin.empty()) out += wrapped("The " + twin_name(engine->config()) + ": " + twin + ".", width);
    if (options.synthetic) out += wrapped("Depths are synthetic caches: random numbers in the place of a prompt.", width);
    if (known) {
        const Ceiling& c = ceilings[0];
        out +=
            wrapped("Limits of this device, measured in this run (" + device.detail + "): reads " + fixed(limits.read_gb_s, 1) + " GB/s; f32 multiply-adds " +
                        short_number(limits.f32_gflops) + ", bf16 pairs " + (limits.bf16_gflops > 0 ? short_number(limits.bf16_gflops) : "none") +
                        ", int8 products " + short_number(limits.int8_gops) + " Gop/s" + (on_gpu ? " (products by " + std::string(kMmaSync) + ")." : "."),
                    width);
        out += wrapped("Decode (tg) is held against reading the active weights (" + bytes_text(engine->model->active_weight_bytes()) +
                           ") and the conversation's memory once a token, prefill (pp) against the " + c.instruction() +
                           " with two operations for each active weight. Over 100 %: it stays in the cache.",
                       width);
    }
    put(out);
    return 0;
}

}  // namespace klp
