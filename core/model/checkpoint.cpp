#include "core/model/checkpoint.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "core/files/foreign.h"
#include "core/files/gguf_model.h"
#include "core/files/json.h"
#include "core/text/vocabulary.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

using SmallFiles = std::vector<std::pair<std::string, std::string>>;  // name, content

// --- A folder: config.json, safetensors, tiktoken.model or tokenizer.json --------------------------------------------

Result<Checkpoint> open_folder_weights(const fs::path& folder) {
    if (auto checked = check_folder(folder); !checked) return tl::unexpected(checked.error());
    auto config = read_config(folder / "config.json");
    if (!config) return tl::unexpected(config.error());
    auto source = open_safetensors(folder);
    if (!source) return tl::unexpected(source.error());
    return Checkpoint{.folder = folder, .config = std::move(*config), .source = std::move(*source)};
}

Result<std::optional<Tokenizer>> folder_tokenizer(const fs::path& folder) {
    if (!Tokenizer::lies_in(folder)) return std::nullopt;
    auto tokenizer = Tokenizer::load(folder);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    return std::optional(std::move(*tokenizer));
}

Result<SmallFiles> folder_files(const fs::path& folder, const ModelConfig&) {
    SmallFiles files;
    std::error_code none;
    for (const char* name : {"config.json", "generation_config.json", "tiktoken.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                             "chat_template.jinja", "LICENSE"}) {
        if (!fs::exists(folder / name, none)) continue;
        auto text = read_text(folder / name, 256 << 20);
        if (!text) return tl::unexpected(text.error());
        files.emplace_back(name, std::move(*text));
    }
    for (auto& [name, text] : files) {  // what is written is not stored as this says
        if (name != "config.json" || text.find("quantization_config") == text.npos) continue;
        auto config = parse_json(text, (folder / name).string());
        if (!config) return tl::unexpected(config.error());
        config->erase("quantization_config");
        text = config->dump(2) + "\n";
    }
    return files;
}

// --- GGUF -------------------------------------------------------------------------------------------------------------

Result<Checkpoint> open_gguf_weights(const fs::path& file) {
    auto model = open_gguf(file);
    if (!model) return tl::unexpected(model.error());
    auto config = gguf_config(*model);
    if (!config) return tl::unexpected(config.error());
    Checkpoint checkpoint{.folder = file, .config = std::move(*config), .file_type = gguf_file_type(model->head())};
    if (const std::string why = gguf_foreign_template(model->head()); !why.empty()) checkpoint.foreign_template = model->name() + ": " + why;
    auto source = gguf_weights(std::move(*model), checkpoint.config);
    if (!source) return tl::unexpected(source.error());
    checkpoint.source = std::move(*source);
    return checkpoint;
}

Result<std::optional<TokenizerFiles>> gguf_tokens(const fs::path& file) {
    auto model = open_gguf(file);
    if (!model) return tl::unexpected(model.error());
    if (!model->head().find("tokenizer.ggml.tokens")) return std::nullopt;
    auto files = read_gguf_tokens(model->head(), model->name());
    if (!files) return tl::unexpected(files.error());
    return std::optional(std::move(*files));
}

Result<std::optional<Tokenizer>> gguf_tokenizer(const fs::path& file) {
    auto files = gguf_tokens(file);
    if (!files) return tl::unexpected(files.error());
    return *files ? std::optional(Tokenizer(std::move(**files))) : std::nullopt;
}

Result<SmallFiles> gguf_files(const fs::path& file, const ModelConfig& config) {
    auto tokens = gguf_tokens(file);
    if (!tokens) return tl::unexpected(tokens.error());
    SmallFiles files;
    if (*tokens) {
        auto made = tokenizer_files(**tokens, file.string());
        if (!made) return tl::unexpected(made.error());
        files = std::move(*made);
    }
    files.emplace_back("config.json", to_json(config));
    return files;
}

// A format that models come in: the first whose `fits` says so opens a path.
struct Format {
    bool (*fits)(const fs::path&);
    Result<Checkpoint> (*weights)(const fs::path&);                    // everything but the tokenizer
    Result<std::optional<Tokenizer>> (*tokenizer)(const fs::path&);    // nothing where there is none
    Result<SmallFiles> (*files)(const fs::path&, const ModelConfig&);  // beside the weights of a folder that is made from it
};
constexpr Format kFormats[] = {
    {is_gguf, open_gguf_weights, gguf_tokenizer, gguf_files},
    {[](const fs::path&) { return true; }, open_folder_weights, folder_tokenizer, folder_files},
};

const Format& format_of(const fs::path& path) {
    const Format* format = kFormats;
    while (!format->fits(path)) ++format;
    return *format;
}

}  // namespace

Result<Checkpoint> open_checkpoint(const fs::path& path) {
    const Format& format = format_of(path);
    auto checkpoint = format.weights(path);
    if (!checkpoint) return checkpoint;
    auto tokenizer = format.tokenizer(path);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    if (*tokenizer) checkpoint->tokenizer = std::make_shared<const Tokenizer>(std::move(**tokenizer));
    return checkpoint;
}

Result<void> quantize_checkpoint(const fs::path& from, const fs::path& to, DType type, const WriteOptions& options) {
    const Format& format = format_of(from);
    const auto checkpoint = format.weights(from);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    const auto files = format.files(from, checkpoint->config);
    if (!files) return tl::unexpected(files.error());
    return quantize_checkpoint(*checkpoint->source, checkpoint->config, *files, to, type, options);
}

}  // namespace klp
