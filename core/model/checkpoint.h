// A folder with everything: config.json, weights, tokenizer. Found by name, opened whole or refused with one sentence.
#pragma once

#include "core/files/weights.h"
#include "core/text/tokenizer.h"

namespace klp {

struct Checkpoint {
    std::filesystem::path folder;
    ModelConfig config;
    std::shared_ptr<const WeightSource> source;
    std::shared_ptr<const Tokenizer> tokenizer;  // null where the folder has none (random checkpoints)
};
Result<Checkpoint> open_checkpoint(const std::filesystem::path& folder);

// A path, or the name of a folder under the resources' models/ or the user's data folder; "" is the embedded demo model. The error lists where it looked.
Result<std::filesystem::path> find_model(const std::string& name);

// A file or folder that comes with the program ("prompts.json", "recordings"), or that the user keeps in its place.
std::optional<std::filesystem::path> find_resource(const std::string& name);

}  // namespace klp
