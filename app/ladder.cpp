// klp lab --ladder: sizes of a hybrid and of full attention learn the same, and what they know is held against what it cost.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/lab_text.h"
#include "app/ladder_text.h"
#include "app/progress.h"
#include "core/files/resources.h"
#include "core/model/checkpoint.h"

namespace klp {

namespace {

namespace fs = std::filesystem;

Result<LadderSource> source_of(const LabFlags& flags, const Terminal& terminal) {
    if (flags.data.empty()) {
        const auto kind = task_named(flags.task, "the task");
        if (!kind) return tl::unexpected(kind.error());
        Task task{.kind = *kind, .length = flags.length, .vocabulary = flags.vocabulary};
        task.items = flags.items.value_or(*kind == TaskKind::stack ? 4 : 8);
        if (auto sound = check(task); !sound) return tl::unexpected(sound.error());
        return ladder_source(task, flags.batch, flags.steps, flags.seed);
    }
    const auto where = find_model(flags.tokenizer);
    if (!where) return tl::unexpected(where.error());
    const auto tokenizer = Tokenizer::load(*where);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    ModelConfig config;
    config.vocab_size = tokenizer->vocab_size();
    Progress progress(terminal, "reading", "byte");
    auto data = read_data({flags.data.begin(), flags.data.end()}, *tokenizer, config,
                          {.threads = flags.threads, .cancel = &g_interrupted, .progress = [&](int64_t done, int64_t total) { progress.at(done, total); }});
    if (!data) return tl::unexpected(data.error());
    return ladder_source(std::make_shared<const Data>(std::move(*data)), *tokenizer, flags.length, flags.batch, flags.steps, flags.seed);
}

Result<LadderSpec> spec_of(const LabFlags& flags, const LadderSource& source) {
    LadderSpec spec;
    if (!flags.mixers.empty()) spec.mixers = lab_parts(flags.mixers);
    spec.layers = flags.layers.value_or(spec.layers), spec.seed = flags.seed, spec.threads = flags.threads;
    auto rates = lab_numbers("--rates", flags.rates);
    auto widths = lab_numbers("--widths", flags.widths);
    for (const auto* numbers : {&rates, &widths})
        if (!*numbers) return tl::unexpected(numbers->error());
    if (!rates->empty()) spec.rates = std::move(*rates);
    if (!widths->empty()) {
        spec.widths.clear();
        for (const double width : *widths) {
            if (!(width >= 1 && width <= 4096) || width != static_cast<int>(width)) return fail(Error::usage, "--widths: " + plain(width) + " is no width");
            spec.widths.push_back(static_cast<int>(width));
        }
    }
    if (auto sound = check(spec, source); !sound) return tl::unexpected(sound.error());
    return spec;
}

bool is(const std::string& file, const char* ending) { return fs::path(file).extension() == ending; }

}  // namespace

int ladder_command(const LabFlags& flags, Terminal& terminal) {
    for (const std::string& file : flags.out) {
        if (!is(file, ".json") && !is(file, ".svg")) return report({Error::usage, "-o " + file + ": the file's name must end in .json or .svg"});
        if (auto place = check_place(file); !place) return report(place.error());
    }
    const auto source = source_of(flags, terminal);
    if (!source) return report(source.error());
    const auto spec = spec_of(flags, *source);
    if (!spec) return report(spec.error());
    std::optional<Progress> progress(std::in_place, terminal, "learning", "step");
    LongTime patience(terminal);
    LadderHooks hooks{.cancel = &g_interrupted};
    hooks.on_step = [&](const std::string& what, int64_t done, int64_t total) {
        patience.at(done, total);
        progress->name(what);
        progress->at(done, total);
    };
    if (flags.json)
        hooks.on_rung = [](const std::string& mixer, const Rung& r) {
            const nlohmann::ordered_json line = {
                {"mixer", mixer}, {"width", r.width}, {"parameters", r.parameters}, {"operations", r.operations}, {"loss", r.loss}};
            put(line.dump() + "\n");
        };
    const auto result = run_ladder(*spec, *source, hooks);
    progress.reset();
    if (!result) return report(result.error());
    put(flags.json ? ladder_json(*spec, *source, *result) : ladder_text(*spec, *source, *result, terminal.canvas));
    for (const std::string& file : flags.out) {
        const std::string text = is(file, ".json") ? ladder_json(*spec, *source, *result) : ladder_svg(*spec, *source, *result, sweep_date());
        if (auto written = write_whole(file, text); !written) return report(written.error());
    }
    return result->finished ? 0 : report({Error::interrupted, "interrupted; these sizes were done"});
}

}  // namespace klp
