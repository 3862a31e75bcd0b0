#include "core/files/resources.h"

#include <cstdlib>
#include <set>
#include <system_error>
#include <vector>

#include "core/files/foreign.h"
#include "core/files/gguf_model.h"
#include "core/files/library.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

// Folders with models, recordings and prompts in them, the nearest first: what was asked for, beside the program, the source tree it was built from, the
// user's own.
std::vector<fs::path> resource_folders() {
    std::vector<fs::path> folders;
    const auto variable = [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value ? value : "";
    };
    if (const std::string resources = variable("KLP_RESOURCES"); !resources.empty()) folders.emplace_back(resources);
    std::error_code none;
    if (const fs::path program = fs::read_symlink("/proc/self/exe", none).parent_path(); !program.empty()) {
        folders.push_back(program.parent_path() / "share/klp");
        folders.push_back(program / "resources");
    }
#ifdef KLP_SOURCE_DIR
    folders.push_back(fs::path(KLP_SOURCE_DIR) / "resources");
#endif
    if (fs::path data = data_folder(); !data.empty()) folders.push_back(std::move(data));
    return folders;
}

}  // namespace

fs::path data_folder() {
    if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) return fs::path(data) / "klp";
    if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".local/share/klp";
    return {};
}

std::optional<fs::path> find_resource(const std::string& name) {
    std::error_code none;
    for (const fs::path& folder : resource_folders())
        if (fs::exists(folder / name, none)) return folder / name;
    return std::nullopt;
}

Result<fs::path> find_model(const std::string& name) {
    std::error_code none;
    const std::string folder = name.empty() ? "demo" : name;
    std::vector<fs::path> places;
    if (!name.empty()) places.emplace_back(name);
    if (!fs::path(folder).is_absolute())
        for (const fs::path& resources : resource_folders()) places.push_back(resources / "models" / folder);
    std::string looked;
    std::set<fs::path> seen;  // one place may be reached by several of these ways
    for (const fs::path& place : places) {
        if (!seen.insert(fs::weakly_canonical(place, none)).second) continue;
        if (is_gguf(place)) return place;
        const bool has_config = fs::exists(place / "config.json", none);
        const fs::path snapshot = has_config ? fs::path() : snapshot_in(place), home = snapshot.empty() ? place : snapshot;
        const bool has_safetensors = fs::exists(home / "model.safetensors", none) || fs::exists(home / "model.safetensors.index.json", none);
        if (const auto models = gguf_in(home); !has_safetensors && models.size() == 1) return models[0];
        if (has_config || !snapshot.empty()) return home;
        looked += (looked.empty() ? "" : ", ") + place.string();
    }
    if (!name.empty() && fs::exists(name, none)) return fs::path(name);  // opening it says what it lacks
    if (!name.empty()) {
        auto found = choose_model(found_models(), name);
        if (found) return found->path;
        if (found.error().kind == Error::usage) return tl::unexpected(found.error());
    }
    return fail(Error::model, (name.empty() ? "the embedded model is not there" : "no model is called '" + name + "'") + "; looked for " + looked);
}

}  // namespace klp
