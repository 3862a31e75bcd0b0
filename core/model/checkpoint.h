// A folder with everything: config.json, weights, tokenizer. Opened whole or refused with one sentence.
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

}  // namespace klp
