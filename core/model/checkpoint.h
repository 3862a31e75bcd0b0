// A model from the disk with everything: config, weights, tokenizer. Opened whole or refused with one sentence.
#pragma once

#include <utility>

#include "core/files/checkpoint_writer.h"
#include "core/files/gguf_mixes.h"
#include "core/files/weights.h"
#include "core/text/tokenizer.h"

namespace klp {

struct Checkpoint {
    std::filesystem::path folder;  // or the file, of a GGUF
    ModelConfig config;
    std::shared_ptr<const WeightSource> source;
    std::shared_ptr<const Tokenizer> tokenizer;  // null where there is none (random checkpoints)
    std::string file_type;                       // of a GGUF, how it says that it is quantised: "Q4_K_M"
    // Why a chat would be in words that this model has never seen: its template is another than that of its vocabulary's family. "": it is that one, or not said.
    std::string foreign_template;
};

// What is said, behind its name, of a model without one.
inline constexpr std::string_view kNoTokenizer =
    "has no tokenizer (tiktoken.model or tokenizer.json; in a GGUF tokenizer.ggml.tokens), so it can be measured but not talked to";

// A folder in the Hugging Face layout, or a GGUF file (of a split one, any part).
Result<Checkpoint> open_checkpoint(const std::filesystem::path& path);

// Another checkpoint's matrices as `type`, in a folder; config and tokenizer come with them.
Result<void> quantize_checkpoint(const std::filesystem::path& from, const std::filesystem::path& to, DType type, const WriteOptions& options = {});

// The same as one GGUF file; a GGUF's own general.* and chat template come with it too.
Result<void> quantize_gguf(const std::filesystem::path& from, const std::filesystem::path& to, const GgufMix& mix, const WriteOptions& options = {});

}  // namespace klp
