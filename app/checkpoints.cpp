// klp init and klp quantize: checkpoints that this program writes.
#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/progress.h"
#include "core/files/checkpoint_writer.h"
#include "core/files/resources.h"

namespace klp {

namespace {

Result<ModelConfig> config_of(const InitOptions& options) {
    if (!options.config.empty() && !is_stream(options.config)) return read_config(options.config);
    if (!options.config.empty()) {
        auto text = read_named(options.config, 16 << 20);
        if (!text) return tl::unexpected(text.error());
        return parse_config(*text, options.config);
    }
    if (!options.shape.empty()) return shape_named(options.shape);
    std::string names;
    for (const NamedShape& shape : named_shapes()) names += (names.empty() ? "" : ", ") + std::string(shape.name);
    return fail(Error::usage, "say what to make: --shape NAME (" + names + ") or --config FILE");
}

}  // namespace

int init_command(const InitOptions& options, Terminal& terminal) {
    if (options.list) {
        Table table({"shape", "parameters", "active", "about"});
        for (const NamedShape& shape : named_shapes()) {
            const ParameterCount n = count_parameters(shape.config);
            table.add({std::string(shape.name), count_text(n.total), count_text(n.active), std::string(shape.about)});
        }
        put(table.text());
        return 0;
    }
    const auto type = type_named(options.type, true);
    if (!type) return report(type.error());
    const auto config = config_of(options);
    if (!config) return report(config.error());
    if (options.out.empty()) return report({Error::usage, "say where to: -o DIR"});
    Progress progress(terminal, "writing " + options.out, "byte");
    const auto written = init_checkpoint(options.out, *config, *type, options.seed,
                                         {.cancel = &g_interrupted, .progress = [&](int64_t done, int64_t total) { progress.at(done, total); }});
    return written ? 0 : report(written.error());
}

int quantize_command(const QuantizeOptions& options, Terminal& terminal) {
    const auto mix = mix_named(options.type);
    if (!mix) return report(mix.error());
    const bool file = std::filesystem::path(options.out).extension() == ".gguf";
    const DTypeInfo* type = find_dtype(options.type);
    if (!type && !file)
        return report({Error::usage, options.type + " is a mix of types, which is what GGUF files have: let " + one_line(options.out) +
                                         " end in .gguf, or take one of " + type_names(true)});
    const auto source = find_model(options.source);
    if (!source) return report(source.error());
    Progress progress(terminal, "writing " + options.out, "byte");
    const WriteOptions how{.cancel = &g_interrupted, .progress = [&](int64_t done, int64_t total) { progress.at(done, total); }};
    const auto written = file ? quantize_gguf(*source, options.out, **mix, how) : quantize_checkpoint(*source, options.out, type->type, how);
    return written ? 0 : report(written.error());
}

}  // namespace klp
