#include "app/engine.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "app/format.h"
#include "app/machine.h"
#include "app/progress.h"
#include "core/files/foreign.h"
#include "core/files/library.h"
#include "core/files/resources.h"
#include "core/model/memory_plan.h"
#include "core/system.h"
#include "core/text/chat_form.h"

namespace klp {

std::string Engine::weights() const { return main_type(*checkpoint.source); }

std::string model_name(const std::filesystem::path& folder) {
    auto clean = std::filesystem::absolute(folder).lexically_normal();
    if (!clean.has_filename()) clean = clean.parent_path();
    // A download cache names folders after commits: .../models--ORGANISATION--NAME/snapshots/COMMIT.
    if (const auto cache = clean.parent_path().parent_path().filename().string();
        clean.parent_path().filename() == "snapshots" && cache.starts_with("models--"))
        return one_line(cache.substr(cache.rfind("--") + 2));
    std::string name = split_name(clean.filename().string()).first;
    if (name.ends_with(".gguf")) name.erase(name.size() - 5);
    return one_line(name);
}

int cache_value_bytes(const Model& model) { return info(model.cache_type()).bytes; }

Result<Checkpoint> open_folder(const std::string& model) {
    auto folder = find_model(model);
    if (!folder) return tl::unexpected(folder.error());
    return open_checkpoint(*folder);
}

Result<ModelConfig> shape_named(const std::string& name) {
    std::string names;
    for (const NamedShape& shape : named_shapes()) {
        if (shape.name == name) return shape.config;
        names += (names.empty() ? "" : ", ") + std::string(shape.name);
    }
    return fail(Error::usage, "there is no shape '" + one_line(name) + "'; there are " + names);
}

std::string type_names(bool written) {
    std::string names;
    for (const DTypeInfo& type : dtypes())
        if (type.encode || !written) names += (names.empty() ? "" : ", ") + std::string(type.name);
    return names;
}

Result<DType> type_named(const std::string& name, bool written) {
    const DTypeInfo* type = find_dtype(name);
    if (type && (type->encode || !written)) return type->type;
    if (type) return fail(Error::usage, "files of type " + name + " are read, not written; there are " + type_names(written));
    return fail(Error::usage, "there is no type '" + one_line(name) + "'; there are " + type_names(written));
}

Result<const GgufMix*> mix_named(const std::string& name) {
    if (const GgufMix* mix = find_mix(name)) return mix;
    std::string names;
    for (const GgufMix& mix : gguf_mixes()) names += (names.empty() ? "" : ", ") + std::string(mix.name);
    return fail(Error::usage,
                (find_dtype(name) ? "files of type " + name + " are read, not written" : "there is no type '" + one_line(name) + "'") + "; there are " + names);
}

std::optional<Checkpoint> open_config(const std::string& model) {
    std::error_code none;
    const auto folder = find_model(model);
    if (!folder || !foreign_folder(*folder).empty()) return {};
    for (const char* weights : {"model.safetensors", "model.safetensors.index.json"})
        if (std::filesystem::exists(*folder / weights, none)) return {};
    auto config = read_config(*folder / "config.json");
    if (!config) return {};
    return Checkpoint{.folder = *folder, .config = *config, .source = synthetic_weights(*config, DType::bf16, 0)};
}

Result<Checkpoint> open_shape(const std::string& name, const std::string& dtype) {
    auto config = shape_named(name);
    if (!config) return tl::unexpected(config.error());
    auto type = type_named(dtype, false);
    if (!type) return tl::unexpected(type.error());
    return Checkpoint{.config = *config, .source = synthetic_weights(*config, *type, 0)};
}

Result<void> check_threads(const std::string& device, int threads) {
    if (threads == 0 || device == "auto" || device == "cpu") return {};
    return fail(Error::usage, "-t counts threads of the CPU, and --device is " + one_line(device));
}

void note_context(const std::string& what, int64_t asked, int64_t context) {
    if (asked > context) note("klp: " + what + " " + grouped(asked) + " is more than the model's context; it is " + plural(context, "token"));
}

Result<Engine> open_engine(const EngineOptions& options, const Terminal& terminal) {
    const int64_t start = now_ns();
    if (!options.shape.empty() && !options.model.empty()) return fail(Error::usage, "say what to open: a model (-m) or a shape (--shape), not both");
    auto checkpoint = options.shape.empty() ? open_folder(options.model) : open_shape(options.shape, options.dtype);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    checkpoint->config.model_max_length = std::max(checkpoint->config.model_max_length, options.room);
    if (auto told = set_thinking(*checkpoint, options.thinks); !told) return tl::unexpected(told.error());
    if (auto counted = check_threads(options.device, options.threads); !counted) return tl::unexpected(counted.error());
    auto backend = make_backend(options.device, options.threads);
    if (!backend) return tl::unexpected(backend.error());
    Engine engine{options.shape.empty() ? model_name(checkpoint->folder) : options.shape, std::move(*checkpoint), std::move(*backend), nullptr, 0};
    LoadOptions load;
    load.cancel = &g_interrupted;
    load.context = options.context;
    {
        int64_t bytes = 0;
        for (const TensorInfo& t : engine.checkpoint.source->tensors()) bytes += t.bytes;
        Progress progress(terminal, "loading " + engine.name, "byte");
        progress.at(0, bytes);
        load.on_plan = [&](const MemoryPlan& plan) { note(engine.name + " on " + engine.backend->info().hardware + ": " + text(plan)); };
        load.progress = [&](double fraction) { progress.at(static_cast<int64_t>(fraction * double(bytes)), bytes); };
        auto model = Model::load(engine.backend, engine.checkpoint.config, engine.checkpoint.source, load);
        if (!model) return tl::unexpected(model.error());
        engine.model = std::move(*model);
        if (!options.shape.empty()) bytes = 0;  // drawn in memory
        if (const std::string slow = runs_from_disk(engine.name, bytes, engine.model->active_weight_bytes(), system_memory());
            !slow.empty() && engine.backend->free_bytes() < 0)
            note("klp: " + slow);
    }
    engine.load_ns = now_ns() - start;
    return engine;
}

Result<std::shared_ptr<const Tokenizer>> need_tokenizer(const Checkpoint& checkpoint) {
    if (checkpoint.tokenizer) return checkpoint.tokenizer;
    return fail(Error::model, checkpoint.folder.string() + " " + std::string(kNoTokenizer));
}

Result<void> set_thinking(Checkpoint& checkpoint, bool on) {
    if (on || !checkpoint.tokenizer) return {};
    if (chat_form(*checkpoint.tokenizer).thinking.empty()) return fail(Error::usage, "--think off: this model does not think before it answers");
    checkpoint.tokenizer->set_thinking(false);
    return {};
}

void ask_at_once(Checkpoint& checkpoint) {
    if (checkpoint.tokenizer && !chat_form(*checkpoint.tokenizer).thinking.empty()) (void)set_thinking(checkpoint, false);
}

Result<void> check_template(const Checkpoint& checkpoint, bool kimi_anyway) {
    if (checkpoint.foreign_template.empty() || kimi_anyway) return {};
    return fail(Error::model, checkpoint.foreign_template + ", and this program has no other; klp --template kimi talks in Kimi's all the same");
}

void read_generation_defaults(const std::filesystem::path& folder, Sampling& settings, int64_t& predict) {
    std::ifstream file(folder / "generation_config.json");
    if (!file) return;
    const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return;
    const auto number = [&](const char* key, auto& value) {
        if (const auto it = json.find(key); it != json.end() && it->is_number()) value = it->template get<std::decay_t<decltype(value)>>();
    };
    number("temperature", settings.temperature);
    number("top_k", settings.top_k);
    number("top_p", settings.top_p);
    number("min_p", settings.min_p);
    number("repetition_penalty", settings.repeat_penalty);
    number("max_new_tokens", predict);
    if (const auto it = json.find("do_sample"); it != json.end() && it->is_boolean() && !it->get<bool>()) settings.temperature = 0;
    settings = within_range(settings);
}

int report(const Error& error) {
    note("klp: " + one_line(error.message));
    return error.kind;
}

}  // namespace klp
