// klp sweep: a model (or a shape with random weights) against its all-MLA twin by context, on this device or out of a file.
#include <algorithm>
#include <ctime>
#include <utility>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/lenses.h"
#include "app/progress.h"
#include "app/sweep_text.h"
#include "core/model/memory_plan.h"
#include "core/studies/race.h"
#include "core/system.h"

namespace klp {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kShortest = 64, kLongest = int64_t{1} << 24;  // tokens

using Writer = std::string (*)(const Sweep&);
Writer writer_of(const std::string& file) {  // by its name; nothing where that does not say
    const std::string kind = fs::path(file).extension().string();
    if (kind == ".json") return to_json;
    if (kind == ".csv") return sweep_csv;
    return kind == ".svg" ? sweep_svg : nullptr;
}

}  // namespace

Result<std::vector<int64_t>> sweep_contexts(const std::string& text) {
    std::vector<int64_t> contexts;
    for (size_t at = 0; at <= text.size();) {
        const size_t comma = std::min(text.find(',', at), text.size());
        const std::string one = text.substr(at, comma - at);
        const int64_t n = binary_number(one, "");
        if (n < kShortest || n > kLongest)
            return fail(Error::usage, "--contexts: '" + one_line(one) + "' is not a number of tokens from " + grouped(kShortest) + " to 16M, such as 4k or 1M");
        contexts.push_back(n);
        at = comma + 1;
    }
    std::sort(contexts.begin(), contexts.end());
    contexts.erase(std::unique(contexts.begin(), contexts.end()), contexts.end());
    return contexts;
}

Result<void> check_sweep_files(const SweepFlags& flags) {
    for (const std::string& file : flags.out) {  // an hour of measuring must not end at a folder that is not there
        if (!writer_of(file)) return fail(Error::usage, "-o " + file + ": the file's name must end in .json, .csv or .svg");
        if (auto place = check_place(file); !place) return place;
    }
    return {};
}

Result<void> write_sweep_files(const SweepFlags& flags, const Sweep& sweep) {
    for (const std::string& file : flags.out)
        if (auto written = write_whole(file, writer_of(file)(sweep)); !written) return written;
    return {};
}

std::string sweep_date() {
    char text[32];
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}

namespace {

// The files, and with --json the one on stdout.
int finish(const SweepFlags& flags, const Sweep& sweep) {
    if (flags.json) put(to_json(sweep));
    const auto written = write_sweep_files(flags, sweep);
    return written ? 0 : report(written.error());
}

int show_recorded(const SweepFlags& flags, const Terminal& terminal) {
    auto text = read_named(flags.from, 64 << 20);
    if (!text) return report(text.error());
    auto sweep = parse_sweep(*text, flags.from);
    if (!sweep) return report(sweep.error());
    if (flags.json) return finish(flags, *sweep);
    const Canvas& canvas = terminal.canvas;
    std::string out = wrapped("Recorded on " + one_line(sweep->date.substr(0, 10)) + (sweep->servers.empty() ? " on " + one_line(sweep->device.hardware) : "") +
                                  " with klp " + one_line(sweep->klp) + ", not measured here: " + one_line(sweep->command),
                              canvas.width) +
                      sweep_head(*sweep, canvas);
    for (const SweepRow& row : sweep->rows) out += sweep_rows(*sweep, row, canvas);
    out += sweep_foot(*sweep, canvas);
    put(flags.reference ? out + sweep_reference(canvas) : out);
    return finish(flags, *sweep);
}

// Of what this machine cannot hold: all that needs no weights.
int show_computed(const SweepFlags& flags, const SweepOptions& options, const std::string& why, const Terminal& terminal) {
    const auto checkpoint = flags.engine.shape.empty() ? open_folder(flags.engine.model) : open_shape(flags.engine.shape, flags.engine.dtype);
    if (!checkpoint) return report(checkpoint.error());
    const auto device = make_backend(flags.engine.device, flags.engine.threads);
    if (!device) return report(device.error());
    Sweep sweep{.klp = KLP_VERSION,
                .date = sweep_date(),
                .command = one_line(flags.command),
                .model = flags.engine.shape.empty() ? model_name(checkpoint->folder) : flags.engine.shape,
                .type = main_type(*checkpoint->source),
                .twin = std::string(label(TwinKind::computed))};
    const ParameterCount parameters = count_parameters(checkpoint->config);
    sweep.parameters = parameters.total, sweep.active = parameters.active;
    for (const TensorInfo& t : checkpoint->source->tensors()) sweep.weight_bytes += t.bytes;
    sweep.device = (*device)->info(), sweep.limits = (*device)->limits();
    sweep.limit_seconds = options.limit_seconds, sweep.memory = options.memory;
    sweep.ended = "is computed and was not run: " + why;
    compute_rows(checkpoint->config, options.contexts, sweep);
    if (flags.json) return finish(flags, sweep);

    std::string out = sweep_head(sweep, terminal.canvas);
    for (const SweepRow& row : sweep.rows) out += sweep_rows(row, terminal.canvas);
    put(out + sweep_foot(sweep, terminal.canvas) + (flags.reference ? sweep_reference(terminal.canvas) : ""));
    return finish(flags, sweep);
}

}  // namespace

int sweep_command(const SweepFlags& flags, Terminal& terminal) {
    if (auto files = check_sweep_files(flags); !files) return report(files.error());
    if (!flags.from.empty()) return show_recorded(flags, terminal);

    auto device = make_backend(flags.engine.device, flags.engine.threads);
    if (!device) return report(device.error());
    const bool gpu = (*device)->free_bytes() >= 0;
    device->reset();
    const auto contexts = sweep_contexts(!flags.contexts.empty() ? flags.contexts : gpu ? "4k,16k,64k,128k,256k,512k,1M" : "1k,4k,16k,64k");
    if (!contexts) return report(contexts.error());
    SweepOptions options{.contexts = *contexts, .limit_seconds = flags.limit, .cancel = &g_interrupted};
    if (!flags.memory.empty()) {
        options.memory = binary_number(flags.memory, "B");
        if (options.memory < 0) return report({Error::usage, "--memory: '" + one_line(flags.memory) + "' is not a number of bytes, such as 16GiB"});
    }
    EngineOptions opening = flags.engine;
    opening.context = contexts->front();
    opening.room = contexts->back() + kMlaPage;
    auto engine = open_engine(opening, terminal);
    if (!engine && engine.error().kind == Error::device) return show_computed(flags, options, engine.error().message, terminal);
    if (!engine) return report(engine.error());
    const Model& model = *engine->model;
    Backend& on = model.backend();
    const int64_t extra = twin_mixer_bytes(model.config(), cache_value_bytes(model)), free = on.free_bytes() >= 0 ? on.free_bytes() : system_memory().available;
    if (free >= 0 && extra > free)
        return show_computed(flags, options,
                             "the " + twin_name(model.config()) + " of " + engine->name + " needs " + bytes_text(extra) + " for its mixers, and " +
                                 on.info().hardware + " has " + bytes_text(free) + " free beside the model",
                             terminal);
    // Not a trained twin: one that shares all but the mixers fits beside the model, and is as fast.
    auto twin = model.attention_twin();
    if (!twin) return report(twin.error());

    Sweep sweep{.klp = KLP_VERSION,
                .date = sweep_date(),
                .command = one_line(flags.command),
                .model = engine->name,
                .type = engine->weights(),
                .twin = std::string(label(*(*twin)->twin()))};
    const ParameterCount parameters = count_parameters(model.config());
    sweep.parameters = parameters.total, sweep.active = parameters.active, sweep.weight_bytes = model.weight_bytes();
    sweep.device = on.info();
    sweep.limits = on.limits();
    const Canvas& canvas = terminal.canvas;

    Result<void> written;
    std::string doing;
    bool headed = false;
    std::optional<Progress> progress;
    options.on_progress = [&](const std::string& what, const std::string& unit, int64_t done, int64_t total) {
        if (!flags.json && !std::exchange(headed, true)) put(sweep_head(sweep, canvas));
        if (what != doing) progress.reset(), progress.emplace(terminal, doing = what, unit);
        progress->at(done, total);
    };
    options.on_row = [&](const SweepRow& row) {
        progress.reset(), doing.clear();
        if (!flags.json) put(sweep_rows(row, canvas));
        if (written) written = write_sweep_files(flags, sweep);
    };
    say_that_it_takes_long(terminal);
    const auto done = run_sweep(engine->model, *twin, options, sweep);
    progress.reset();
    if (!done) return report(done.error());
    put(flags.json ? to_json(sweep) : sweep_foot(sweep, canvas) + (flags.reference ? sweep_reference(canvas) : ""));
    if (written) written = write_sweep_files(flags, sweep);
    if (!written) return report(written.error());
    if (g_interrupted) return Error::interrupted;
    return sweep.rows.empty() && !sweep.ended.empty() ? Error::device : 0;
}

}  // namespace klp
