#include "core/files/library.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "core/files/config.h"
#include "core/files/family.h"
#include "core/files/foreign.h"
#include "core/files/gguf_model.h"
#include "core/files/json.h"
#include "core/files/resources.h"
#include "core/files/weights.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kSmall = 16 << 20;  // bytes of a config or a manifest, at most
constexpr int kDeep = 4;              // folders below a place: PLACE/ORGANISATION/NAME/FOLDER/FILE

std::string of_environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::vector<fs::path> listed(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator at(folder, fs::directory_options::skip_permission_denied, error), end; !error && at != end; at.increment(error))
        found.push_back(at->path());
    std::sort(found.begin(), found.end());
    return found;
}

int64_t size_of(const fs::path& file) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    return error ? 0 : static_cast<int64_t>(size);
}

// --- what a folder or a file is -----------------------------------------------------------------------------------------------------------

// A folder with a config.json. Nothing where there are no weights beside it.
std::optional<FoundModel> of_folder(const fs::path& folder) {
    FoundModel found{.path = folder};
    for (const fs::path& file : listed(folder))
        if (file.extension() == ".safetensors") found.bytes += size_of(file);
    if (found.bytes == 0) return {};
    const auto text = read_text(folder / "config.json", kSmall);
    const auto json = text ? parse_json(*text, "config.json") : tl::unexpected(text.error());
    if (json && json->is_object()) {
        const auto said = [&](const nlohmann::json& in, const char* key) {
            const auto it = in.is_object() ? in.find(key) : in.end();
            return it != in.end() && it->is_string() ? it->get<std::string>() : std::string();
        };
        found.architecture = said(*json, "model_type");
        found.type = said(json->value("quantization_config", nlohmann::json()), "quant_method");
        if (found.type.empty()) found.type = said(*json, "torch_dtype");
        if (found.type == "bfloat16") found.type = "bf16";
        if (found.type == "float16") found.type = "f16";
        if (found.type == "float32") found.type = "f32";
    }
    const auto config = read_config(folder / "config.json");
    if (!config) {
        const auto known = [&](const Family& family) { return family.model_type == found.architecture; };
        const bool other = !found.architecture.empty() && std::none_of(families().begin(), families().end(), known);
        found.why_not = other ? "is of another architecture: " + found.architecture : config.error().message;
        return found;
    }
    found.parameters = count_parameters(*config).total;
    const auto source = open_safetensors(folder, &*config);
    if (source)
        found.type = main_type(**source);
    else
        found.why_not = source.error().message;
    return found;
}

FoundModel of_gguf(const fs::path& file) {
    FoundModel found{.path = file, .bytes = size_of(file)};
    auto model = open_gguf(file);
    if (!model) {
        found.why_not = model.error().message;
        return found;
    }
    found.bytes = 0;
    for (const GgufPart& part : model->parts) {
        found.bytes += static_cast<int64_t>(part.mapping.bytes().size());
        for (const GgufTensor& t : part.gguf.tensors) {
            int64_t values = 1;
            for (int64_t d : t.info.shape) values *= d;
            found.parameters += values;
        }
    }
    found.type = lower_case(gguf_file_type(model->head()));
    if (const GgufValue* said = model->head().find("general.architecture")) found.architecture = said->text().value_or("");
    if (!family_of_gguf(found.architecture))
        found.why_not = found.architecture.empty() ? "does not say what it is" : "is of another architecture: " + found.architecture;
    else if (auto config = gguf_config(*model); !config)
        found.why_not = config.error().message;
    return found;
}

// --- where models lie ---------------------------------------------------------------------------------------------------------------------

class Search {
public:
    // Folders with a config and GGUF files, under a place whose folders name organisation and repository.
    void look(const fs::path& folder, const std::string& place, const std::string& name = "", int depth = 0) {
        std::error_code none;
        if (depth > kDeep || !fs::is_directory(folder, none)) return;
        const bool model = fs::is_regular_file(folder / "config.json", none);
        if (model) add(of_folder(folder), place, name);
        for (const fs::path& entry : listed(folder)) {
            const std::string file = entry.filename().string();
            if (fs::is_directory(entry, none)) {
                if (!model && !file.starts_with('.'))
                    look(entry, place, name.empty() || depth >= 2 ? (depth >= 2 ? name : file) : name + "/" + file, depth + 1);
            } else if (entry.extension() == ".gguf" && split_name(file).second <= 1 && !file.starts_with("mmproj")) {
                add(of_gguf(entry), place, (name.empty() ? "" : name + ":") + split_name(file).first);
            }
        }
    }
    // models--ORGANISATION--NAME/snapshots/COMMIT
    void look_in_cache(const fs::path& cache) {
        for (const fs::path& folder : listed(cache)) {
            std::string name = folder.filename().string();
            const fs::path snapshot = snapshot_in(folder);
            if (!name.starts_with("models--") || snapshot.empty()) continue;
            name = name.substr(8);
            if (const size_t at = name.find("--"); at != name.npos) name.replace(at, 2, "/");
            look(snapshot, "Hugging Face", name, 2);
        }
    }
    // manifests/HOST/ORGANISATION/NAME/TAG says which blob holds the weights.
    void look_in_ollama(const fs::path& models) {
        std::error_code error;
        std::vector<fs::path> manifests;
        for (fs::recursive_directory_iterator at(models / "manifests", fs::directory_options::skip_permission_denied, error), end; !error && at != end;
             at.increment(error))
            if (at->is_regular_file(error)) manifests.push_back(at->path());
        std::sort(manifests.begin(), manifests.end());
        for (const fs::path& manifest : manifests) {
            const auto text = read_text(manifest, kSmall);
            const auto json = text ? parse_json(*text, manifest.string()) : tl::unexpected(text.error());
            if (!json || !json->is_object()) continue;
            for (const auto& layer : json->value("layers", nlohmann::json::array())) {
                if (!layer.is_object() || layer.value("mediaType", nlohmann::json()) != "application/vnd.ollama.image.model") continue;
                const auto digest = layer.find("digest");
                if (digest == layer.end() || !digest->is_string()) continue;
                std::string blob = digest->get<std::string>();
                std::replace(blob.begin(), blob.end(), ':', '-');
                const fs::path file = models / "blobs" / blob;
                std::string name = manifest.parent_path().filename().string() + ":" + manifest.filename().string();
                if (const auto organisation = manifest.parent_path().parent_path().filename().string(); organisation != "library")
                    name = organisation + "/" + name;
                if (blob.find('/') == blob.npos && is_gguf(file)) add(of_gguf(file), "Ollama", name);
            }
        }
    }
    std::vector<FoundModel> take() {
        std::sort(found_.begin(), found_.end(), [](const FoundModel& a, const FoundModel& b) {
            const bool not_a = !a.why_not.empty(), not_b = !b.why_not.empty();
            return std::tie(not_a, a.name, a.path) < std::tie(not_b, b.name, b.path);
        });
        return std::move(found_);
    }

private:
    void add(std::optional<FoundModel> model, const std::string& place, const std::string& name) {
        std::error_code error;
        if (!model) return;
        const fs::path own = fs::weakly_canonical(model->path, error);
        if (!seen_.insert(error ? model->path : own).second) return;
        model->place = place, model->name = name.empty() ? model->path.filename().string() : name;
        found_.push_back(std::move(*model));
    }
    std::vector<FoundModel> found_;
    std::set<fs::path> seen_;  // one place may lie in another
};

Result<void> write_folders(const std::vector<fs::path>& folders) {
    std::error_code error;
    const fs::path file = data_folder() / "folders", part = file.string() + "~";
    fs::create_directories(file.parent_path(), error);
    {
        std::ofstream out(part, std::ios::trunc);
        for (const fs::path& f : folders) out << f.string() << '\n';
        if (!out.flush()) error = std::make_error_code(std::errc::io_error);
    }
    if (!error) fs::rename(part, file, error);
    if (error) return fail(Error::failure, file.string() + ": " + error.message());
    return {};
}

fs::path absolute_folder(const fs::path& folder) {
    std::error_code error;
    const fs::path own = fs::weakly_canonical(fs::absolute(folder, error), error);
    return error ? folder : own;
}

}  // namespace

std::pair<std::string, int> split_name(const std::string& file) {
    constexpr std::string_view kLike = "-00001-of-00003.gguf";
    if (file.size() <= kLike.size()) return {file, 0};
    const size_t at = file.size() - kLike.size();
    const auto digits = [&](size_t from) {
        return std::all_of(file.begin() + static_cast<std::ptrdiff_t>(at + from), file.begin() + static_cast<std::ptrdiff_t>(at + from + 5),
                           [](unsigned char c) { return std::isdigit(c); });
    };
    if (file[at] != '-' || !digits(1) || file.compare(at + 6, 4, "-of-") != 0 || !digits(10) || !file.ends_with(".gguf")) return {file, 0};
    return {file.substr(0, at) + ".gguf", std::atoi(file.substr(at + 1, 5).c_str())};
}

bool names_type(const std::string& file, const std::string& type) {
    const std::string name = lower_case(file), word = lower_case(type);
    const auto in_word = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
    for (size_t at = word.empty() ? name.npos : name.find(word); at != name.npos; at = name.find(word, at + 1)) {
        const size_t end = at + word.size();
        if ((at == 0 || !in_word(static_cast<unsigned char>(name[at - 1]))) && (end == name.size() || !in_word(static_cast<unsigned char>(name[end]))))
            return true;
    }
    return false;
}

std::vector<FoundModel> found_models() {
    const fs::path home = of_environment("HOME");
    const fs::path cache = of_environment("XDG_CACHE_HOME").empty() ? home / ".cache" : fs::path(of_environment("XDG_CACHE_HOME"));
    Search search;
    search.look(data_folder() / "models", "klp");
    for (const fs::path& folder : added_folders()) search.look(folder, folder.string());
    fs::path hub = (of_environment("HF_HOME").empty() ? cache / "huggingface" : fs::path(of_environment("HF_HOME"))) / "hub";
    for (const char* name : {"HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE"})
        if (std::string said = of_environment(name); !said.empty()) hub = said;
    search.look_in_cache(hub);
    if (!home.empty())
        for (const char* folder : {".lmstudio/models", ".cache/lm-studio/models"}) search.look(home / folder, "LM Studio");
    search.look(of_environment("LLAMA_CACHE").empty() ? cache / "llama.cpp" : fs::path(of_environment("LLAMA_CACHE")), "llama.cpp");
    search.look_in_ollama(of_environment("OLLAMA_MODELS").empty() ? home / ".ollama/models" : fs::path(of_environment("OLLAMA_MODELS")));
    search.look_in_ollama("/usr/share/ollama/.ollama/models");  // where its service keeps them
    return search.take();
}

std::vector<fs::path> added_folders() {
    std::vector<fs::path> folders;
    if (const auto text = read_text(data_folder() / "folders", kSmall)) {
        for (size_t at = 0; at < text->size();) {
            const size_t end = std::min(text->find('\n', at), text->size());
            if (end > at) folders.emplace_back(text->substr(at, end - at));
            at = end + 1;
        }
    }
    return folders;
}

Result<void> add_folder(const fs::path& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) return fail(Error::usage, folder.string() + ": no such folder");
    auto folders = added_folders();
    const fs::path own = absolute_folder(folder);
    if (std::find(folders.begin(), folders.end(), own) != folders.end()) return {};
    folders.push_back(own);
    return write_folders(folders);
}

Result<void> forget_folder(const fs::path& folder) {
    auto folders = added_folders();
    if (std::erase(folders, absolute_folder(folder)) + std::erase(folders, folder) == 0)
        return fail(Error::usage, folder.string() + " is none of the folders that were added");
    return write_folders(folders);
}

Result<FoundModel> choose_model(const std::vector<FoundModel>& models, const std::string& text) {
    const std::string asked = lower_case(text), repository = asked.substr(0, asked.find(':'));
    const std::string type = asked.size() > repository.size() ? asked.substr(repository.size() + 1) : "";
    const auto repository_of = [](const FoundModel& m) { return lower_case(m.name.substr(0, m.name.find(':'))); };
    const std::function<bool(const FoundModel&)> rules[] = {
        [&](const FoundModel& m) { return lower_case(m.name) == asked; },
        [&](const FoundModel& m) {
            return repository_of(m) == repository && (type.empty() || names_type(m.name.substr(repository.size()), type) || m.type == type);
        },
        [&](const FoundModel& m) { return lower_case(m.name).find(asked) != std::string::npos; },
    };
    std::vector<const FoundModel*> may;
    for (const auto& rule : rules) {
        if (may.empty())
            for (const FoundModel& m : models)
                if (rule(m)) may.push_back(&m);
    }
    if (may.empty()) return fail(Error::model, "no model is called " + in_quotes(text));
    // Among several those count that open.
    if (may.size() > 1 && may.front()->why_not.empty()) std::erase_if(may, [](const FoundModel* m) { return !m->why_not.empty(); });
    if (may.size() == 1) return *may.front();
    std::string names;
    for (size_t i = 0; i < may.size() && i < 8; ++i) names += (i ? ", " : "") + may[i]->name;
    return fail(Error::usage, in_quotes(text) + " may be one of " + std::to_string(may.size()) + " models: " + names + (may.size() > 8 ? ", ..." : ""));
}

}  // namespace klp
