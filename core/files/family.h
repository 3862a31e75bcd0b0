// Families of models: architectures are data. A family's file (core/files/families/) turns what its makers call everything, in config.json, in safetensors and
// in GGUF, into ModelConfig and the engine's names of tensors, which are Kimi's; the layers know no family, only the fields of the config. A new one is such a
// file and a line in family.cpp's table.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/fields.h"
#include "core/files/gguf_model.h"
#include "core/files/mapped_source.h"

namespace klp {

// How a tensor of a GGUF file makes one of ours.
enum class GgufForm {
    same,     // dimensions of 1 do not count: a converter writes convolutions as [C, 1, HK, 1], a quantiser [C, 1, HK]
    experts,  // [E, out, in]; the name without number is all of them
    qkv,      // the rows of q, k and v one behind the other, in KDA layers only
    qkvz,     // the same with those of z, a group of them for each head of keys
    ba,       // those of beta's map and the gate's, grouped likewise
    gate_up,  // [E, 2 F, in], of each expert gate and up one behind the other
    flat,     // dimensions of 1 are not written
    decay,    // -exp(A_log)
    rate,     // exp(A_log)
    k_b,      // [H, latent, nope], turned round against kv_b_proj's rows
    v_b,      // [H, V, latent]; made together with k_b
    score,    // a norm's weight times that of the projection behind it, which has the name
};

// Both names of a tensor; of a layer's what stands behind "model.layers.N." and in GGUF "blk.N.", of an expert's without its number.
struct NameRow {
    std::string_view theirs, ours;
    GgufForm form = GgufForm::same;
    std::string_view kind = {};  // of the layers whose tensor of this name is called so, where the other kind calls it otherwise
};
// A key of a GGUF file behind "ARCHITECTURE." and the field of config.json that says the same, in up to two spellings; "a.b" is b in a.
struct GgufField {
    std::string_view key, field, also = {};
    enum Type { whole, real, flag, reals } type = whole;  // that it is written as
};

struct Family {
    std::string_view name;                            // as people call it: "Ling 3.0"
    std::string_view model_type;                      // of config.json, and of ModelConfig
    std::span<const std::string_view> architectures;  // of config.json, the one that is written first
    std::span<const std::string_view> gguf;           // general.architecture, likewise
    void (*read)(Fields& top, ModelConfig& config);   // what config.json says besides read_common()
    void (*write)(const ModelConfig& config, nlohmann::ordered_json& to);
    std::string_view gate_fields[2];                                   // of config.json, that bound the gates: of those without a bound, of those with one
    std::span<const NameRow> folder_names;                             // tensors of a folder, where they are not the engine's
    std::span<const NameRow> gguf_names;                               // of a GGUF, in front of those that all families share (gguf_names.h)
    std::span<const GgufField> gguf_fields;                            // likewise
    void (*complete)(const GgufModel& model, nlohmann::json& config);  // of a GGUF, what its keys leave to its tensors and to habit
    // What is put into a GGUF's metadata beside all fields. Null: nothing.
    void (*more_metadata)(const ModelConfig& config, const std::function<void(std::string_view key, uint32_t value)>& put) = nullptr;
    // Puts tensors of a folder into the forms that the layers want, under the makers' names; an Error names file, tensor and what is wrong. Null: they are.
    Result<std::vector<MappedTensor>> (*adapt)(const ModelConfig& config, std::vector<MappedTensor> tensors, const std::vector<std::string>& files) = nullptr;
    std::span<const std::string_view> from_one = {};     // ends of our names whose tensors a folder stores less one: norms that multiply by 1 + w
    std::string_view activations[2] = {"silu", "silu"};  // hidden_act that it may have
    std::string_view unwritten = {};                     // why no GGUF is made of such a model; "": one is
};
std::span<const Family> families();
const Family& family_of(const ModelConfig& config);
const Family* family_of_architecture(std::string_view architecture);  // of config.json; nullptr: none
const Family* family_of_gguf(std::string_view architecture);

// Names of a folder's tensors in the engine's words and back; what no row has stays as it is.
std::string our_tensor_name(const ModelConfig& config, std::string_view theirs);
std::string their_tensor_name(const ModelConfig& config, std::string_view ours);
std::string without_outer(std::string_view theirs);  // of a model that also sees, the text part's name by itself
// What is added to the numbers of a folder's tensor: 1 for norms that multiply by 1 + w.
float added_to(const ModelConfig& config, std::string_view ours);

// --- What families have in common --------------------------------------------------------------------------------------

// Far beyond any model, and so small that every count of parameters and bytes fits into 64 bits.
inline constexpr int kMostWidth = 1 << 17;  // of a vector
inline constexpr int kMostLayers = 1024;

bool has_layer(const ModelConfig& config, std::string_view kind);
// layer_types, a name a layer; false where there is no such list. Kinds that are known already must agree.
bool read_layer_types(Fields& top, ModelConfig& config, std::string_view linear = "kda", std::string_view full = "mla");
void read_latent_attention(Fields& top, ModelConfig& config);                           // widths and heads
void read_feed_forward(Fields& top, ModelConfig& config, float routed_scaling_factor);  // dense layers, experts and their router; the factor where none is said
void write_latent_attention(const ModelConfig& config, nlohmann::ordered_json& to);
nlohmann::json json_number(float f);  // the shortest text that reads back as this float

}  // namespace klp
