// Where models, recordings and prompts lie.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "kernels/backend.h"

namespace klp {

// What a person keeps: $XDG_DATA_HOME/klp, or ~/.local/share/klp; "" where neither is set.
std::filesystem::path data_folder();

// A path; the name of a folder or a GGUF file under the resources' models/ or the user's data folder; or what choose_model (library.h) takes for one of the
// models that lie on this disk. "" is the embedded demo model. Of a folder that holds one GGUF model, its file. The error lists where it looked.
Result<std::filesystem::path> find_model(const std::string& name);

// A file or folder that comes with the program ("prompts.json", "recordings"), or that the user keeps in its place.
std::optional<std::filesystem::path> find_resource(const std::string& name);

}  // namespace klp
