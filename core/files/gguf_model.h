// A model in GGUF: one file, or all parts of a split one. Names and metadata are those of llama.cpp's architectures, one of which each family names (family.h).
#pragma once

#include "core/files/gguf.h"
#include "core/files/mapping.h"

namespace klp {

struct GgufPart {
    std::filesystem::path file;
    Mapping mapping;
    Gguf gguf;
};
struct GgufModel {
    std::filesystem::path file;   // as it was asked for
    std::vector<GgufPart> parts;  // the first has the metadata
    const Gguf& head() const { return parts[0].gguf; }
    std::string name() const { return parts[0].file.string(); }  // for messages about the metadata
};

bool is_gguf(const std::filesystem::path& file);  // a regular file that begins as one, or is called .gguf
// Where several parts make one model (NAME-00001-of-00003.gguf) any of them may be named; all must be there, and of the same model.
Result<GgufModel> open_gguf(const std::filesystem::path& file);

Result<ModelConfig> gguf_config(const GgufModel& model);
// The way back: general.architecture, general.type and ARCHITECTURE.* of a config, as far as GGUF has keys for it.
std::vector<GgufPair> gguf_metadata(const ModelConfig& config);
// Under the engine's names (a Hugging Face checkpoint's), read where they lie; the experts of a layer, which are one tensor in the file, can also be found one
// by one. What the file holds in another form is made when it is asked for and stays in the source: A_log from ssm_a, and kv_b_proj from attn_k_b and attn_v_b.
Result<std::shared_ptr<const WeightSource>> gguf_weights(GgufModel model, const ModelConfig& config);

std::string gguf_file_type(const Gguf& head);  // "Q4_K_M", as general.file_type says; "" where it says nothing that is known

}  // namespace klp
