// A model as one GGUF file, in the names, forms and types of llama.cpp's architecture of its family.
#pragma once

#include "core/files/checkpoint_writer.h"
#include "core/files/gguf.h"
#include "core/files/gguf_mixes.h"

namespace klp {

// All tensors of such a file, in its order and under its names.
std::vector<TensorInfo> gguf_tensors(const ModelConfig& config, const GgufMix& mix);

// Weights of any source as the file `to`, which must not exist yet. `metadata` is what the config does not say: general.* and tokenizer.*. Nothing larger than
// a layer's kv_b_proj is held in memory. An Error, before anything is written: the metadata of GGUF cannot say this config, or there is no room; later: a
// number is not finite, or too large for its type.
Result<void> write_gguf(const WeightSource& from, const ModelConfig& config, const GgufMix& mix, std::vector<GgufPair> metadata,
                        const std::filesystem::path& to, const WriteOptions& options = {});

}  // namespace klp
