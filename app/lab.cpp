// klp lab: mixers learn a made task side by side.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/lab_text.h"
#include "app/progress.h"
#include "core/learn/lab.h"

namespace klp {

std::vector<std::string> lab_parts(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    return parts;
}

namespace {

namespace fs = std::filesystem;

Result<LabSpec> lab_spec(const LabFlags& flags) {
    LabSpec spec;
    const auto kind = task_named(flags.task, "the task");
    if (!kind) return tl::unexpected(kind.error());
    spec.task = {.kind = *kind, .length = flags.length, .vocabulary = flags.vocabulary};
    spec.task.items = flags.items.value_or(*kind == TaskKind::stack ? 4 : 8);
    spec.mixers = lab_parts(flags.mixers.empty() ? "kda,deltanet,mamba2,linear_attention" : flags.mixers);
    spec.layers = flags.layers.value_or(spec.layers), spec.heads = flags.heads, spec.width = flags.width;
    spec.steps = flags.steps, spec.seconds = flags.seconds.value_or(0), spec.tokens = flags.batch;
    spec.seed = flags.seed, spec.threads = flags.threads;
    auto rates = lab_numbers("--rates", flags.rates);
    if (!rates) return tl::unexpected(rates.error());
    if (!rates->empty()) spec.rates = std::move(*rates);
    pace(spec);
    if (auto sound = check(spec); !sound) return tl::unexpected(sound.error());
    return spec;
}

using LabWriter = std::string (*)(const LabSpec&, const LabResult&);
LabWriter lab_writer(const std::string& file) {
    const std::string kind = fs::path(file).extension().string();
    if (kind == ".json") return lab_json;
    if (kind == ".svg") return [](const LabSpec& spec, const LabResult& result) { return lab_svg(spec, result, sweep_date()); };
    return nullptr;
}

Result<void> check_folders(const LabFlags& flags, const LabSpec& spec) {
    if (flags.save.empty()) return {};
    std::error_code none;
    for (const std::string& mixer : spec.mixers)
        if (fs::exists(fs::path(flags.save) / mixer, none)) return fail(Error::usage, (fs::path(flags.save) / mixer).string() + " exists already");
    fs::create_directories(flags.save, none);
    if (none) return fail(Error::failure, flags.save + ": " + none.message());
    return {};
}

}  // namespace

Result<std::vector<double>> lab_numbers(const std::string& option, const std::string& text) {
    std::vector<double> numbers;
    for (const std::string& part : lab_parts(text)) {
        size_t read = 0;
        double number = 0;
        try {
            number = std::stod(part, &read);
        } catch (const std::exception&) {
            read = std::string::npos;
        }
        if (read != part.size()) return fail(Error::usage, option + ": '" + one_line(part) + "' is no number");
        numbers.push_back(number);
    }
    return numbers;
}

int lab_command(const LabFlags& flags, Terminal& terminal) {
    if (flags.ladder) return ladder_command(flags, terminal);
    const auto spec = lab_spec(flags);
    if (!spec) return report(spec.error());
    for (const std::string& file : flags.out) {
        if (!lab_writer(file)) return report({Error::usage, "-o " + file + ": the file's name must end in .json or .svg"});
        if (auto place = check_place(file); !place) return report(place.error());
    }
    if (auto free = check_folders(flags, *spec); !free) return report(free.error());

    LongTime patience(terminal);
    std::optional<Progress> progress(std::in_place, terminal, "searching learning rates", "step");
    LabHooks hooks{.cancel = &g_interrupted};
    hooks.on_step = [&](const std::string& mixer, int64_t done, int64_t total) {
        patience.at(done, total);
        progress->name(mixer + " learns");
        progress->at(done, total);
    };
    const auto say = [](const nlohmann::ordered_json& line) { put(line.dump() + "\n"); };
    if (flags.json) {
        hooks.on_try = [&](const LabLearner& one, const LabTry& t) {
            say({{"mixer", one.mixer}, {"rate", t.rate}, {"loss", t.loss}, {"accuracy", t.accuracy}});
        };
        hooks.on_look = [&](const LabLearner& one, const LabLook& l) {
            say({{"mixer", one.mixer}, {"step", l.step}, {"seconds", l.seconds}, {"loss", l.loss}, {"accuracy", l.accuracy}});
        };
    }
    if (!flags.save.empty())
        hooks.on_end = [&](const LabLearner& one, const Learner& learner) {
            return save_learner(learner, spec->task, (fs::path(flags.save) / one.mixer).string());
        };
    const auto result = run_lab(*spec, hooks);
    progress.reset();
    if (!result) return report(result.error());
    put(flags.json ? lab_json(*spec, *result) : lab_text(*spec, *result, terminal.canvas));
    for (const std::string& file : flags.out)
        if (auto written = write_whole(file, lab_writer(file)(*spec, *result)); !written) return report(written.error());
    return result->finished ? 0 : report({Error::interrupted, "interrupted; this is what had been seen"});
}

}  // namespace klp
