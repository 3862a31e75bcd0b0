#include "core/model/checkpoint.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "core/files/foreign.h"
#include "core/files/gguf_model.h"
#include "core/files/gguf_writer.h"
#include "core/files/json.h"
#include "core/text/chat_form.h"
#include "core/text/vocabulary.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

using SmallFiles = std::vector<std::pair<std::string, std::string>>;  // name, content

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

// --- A folder: config.json, safetensors, tiktoken.model or tokenizer.json --------------------------------------------

Result<Checkpoint> open_folder_weights(const fs::path& folder) {
    if (auto checked = check_folder(folder); !checked) return tl::unexpected(checked.error());
    auto config = read_config(folder / "config.json");
    if (!config) return tl::unexpected(config.error());
    auto source = open_safetensors(folder, &*config);
    if (!source) return tl::unexpected(source.error());
    return Checkpoint{.folder = folder, .config = std::move(*config), .source = std::move(*source)};
}

Result<std::optional<TokenizerFiles>> folder_tokens(const fs::path& folder) {
    if (!Tokenizer::lies_in(folder)) return std::nullopt;
    auto files = read_tokenizer(folder);
    if (!files) return tl::unexpected(files.error());
    return std::optional(std::move(*files));
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

Result<std::vector<GgufPair>> folder_about(const fs::path& folder) {
    const fs::path clean = fs::absolute(folder).lexically_normal();
    std::vector<GgufPair> pairs{{"general.name", (clean.has_filename() ? clean : clean.parent_path()).filename().string()}};
    std::error_code none;
    std::string chat;
    if (fs::exists(folder / "chat_template.jinja", none)) {
        auto text = read_text(folder / "chat_template.jinja", 16 << 20);
        if (!text) return tl::unexpected(text.error());
        chat = std::move(*text);
    } else if (fs::exists(folder / "tokenizer_config.json", none)) {
        const auto text = read_text(folder / "tokenizer_config.json", 256 << 20);
        if (!text) return tl::unexpected(text.error());
        const auto config = parse_json(*text, (folder / "tokenizer_config.json").string());
        if (!config) return tl::unexpected(config.error());
        if (const auto at = config->find("chat_template"); at != config->end() && at->is_string()) chat = at->get<std::string>();
    }
    if (!chat.empty()) pairs.push_back({std::string(kTemplateKey), std::move(chat)});
    return pairs;
}

// --- GGUF -------------------------------------------------------------------------------------------------------------

Result<Checkpoint> open_gguf_weights(const fs::path& file) {
    auto model = open_gguf(file);
    if (!model) return tl::unexpected(model.error());
    auto config = gguf_config(*model);
    if (!config) return tl::unexpected(config.error());
    Checkpoint checkpoint{.folder = file, .config = std::move(*config), .file_type = gguf_file_type(model->head())};
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

Result<std::vector<GgufPair>> gguf_about(const fs::path& file) {
    const auto model = open_gguf(file);
    if (!model) return tl::unexpected(model.error());
    std::vector<GgufPair> pairs;
    for (const auto& [key, value] : model->head().metadata) {
        const auto text = value.text();  // names, licences and where it comes from; numbers speak of how it is stored
        if (text && (key == kTemplateKey || (key.starts_with("general.") && key != "general.architecture" && key != "general.type")))
            pairs.push_back({std::string(key), std::string(*text)});
    }
    return pairs;
}

// A format that models come in: the first whose `fits` says so opens a path.
struct Format {
    bool (*fits)(const fs::path&);
    Result<Checkpoint> (*weights)(const fs::path&);                    // everything but the tokenizer
    Result<std::optional<TokenizerFiles>> (*tokens)(const fs::path&);  // nothing where there are none
    Result<SmallFiles> (*files)(const fs::path&, const ModelConfig&);  // beside the weights of a folder that is made from it
    Result<std::vector<GgufPair>> (*about)(const fs::path&);           // general.* and chat template of a GGUF that is made from it
};
constexpr Format kFormats[] = {
    {is_gguf, open_gguf_weights, gguf_tokens, gguf_files, gguf_about},
    {[](const fs::path&) { return true; }, open_folder_weights, folder_tokens, folder_files, folder_about},
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
    auto tokens = format.tokens(path);
    if (!tokens) return tl::unexpected(tokens.error());
    if (!*tokens) return checkpoint;
    checkpoint->tokenizer = std::make_shared<const Tokenizer>(std::move(**tokens));
    const std::string& chat = checkpoint->tokenizer->chat_template();
    if (const std::string why = chat.empty() || !is_gguf(path) ? "" : unknown_template(chat, chat_form(*checkpoint->tokenizer)); !why.empty())
        checkpoint->foreign_template = path.string() + ": its " + std::string(kTemplateKey) + " " + why;
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

Result<void> quantize_gguf(const fs::path& from, const fs::path& to, const GgufMix& mix, const WriteOptions& options) {
    const Format& format = format_of(from);
    const auto checkpoint = format.weights(from);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    const auto tokens = format.tokens(from);
    if (!tokens) return tl::unexpected(tokens.error());
    const auto words = gguf_vocabulary(*tokens ? &**tokens : nullptr, checkpoint->config, from.string());
    if (!words) return tl::unexpected(words.error());
    auto about = format.about(from);
    if (!about) return tl::unexpected(about.error());
    about->insert(about->end(), words->begin(), words->end());
    return write_gguf(*checkpoint->source, checkpoint->config, mix, std::move(*about), to, options);
}

}  // namespace klp
