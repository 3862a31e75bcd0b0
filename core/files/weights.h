// Names to weights. A source keeps its file mapped for as long as anybody holds it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files/config.h"
#include "kernels/backend.h"

namespace klp {

struct TensorInfo {
    std::string name;
    DType type = DType::f32;     // f32 also stands where `readable` is false
    std::vector<int64_t> shape;  // logical: a quantised [out, in] matrix keeps its own shape
    int64_t bytes = 0;
    std::string stored;    // the type as the file names it: "BF16", "q8_0", ...
    bool readable = true;  // false: a type that no op reads (I64, F8_E4M3, ...); find() refuses it
};

class WeightSource {
public:
    virtual ~WeightSource() = default;
    virtual const std::string& path() const = 0;          // for messages
    virtual std::vector<TensorInfo> tensors() const = 0;  // in file order
    // The tensor under this name if it has this shape (dimensions of 1 do not count: [1, 1, H, 1] is [H]); else an Error that names file, tensor and what is
    // wrong. The last dimension that is not 1 is `in`, the others fold into `out`. Data may lie at any byte: read it unaligned.
    virtual Result<Weight> find(const std::string& name, const std::vector<int64_t>& shape) const = 0;
    virtual bool has(const std::string& name) const = 0;
    // The matrix under this name as a device draws it by itself (Backend::draw), so that its bytes need not exist anywhere else; nothing where they do exist.
    struct Drawn {
        Weight shape;  // without data
        Random random;
    };
    virtual std::optional<Drawn> drawn(const std::string& /*name*/, const std::vector<int64_t>& /*shape*/) const { return {}; }
    // Memory that it takes for itself once everything was found: of what does not lie in a file as it is used.
    virtual int64_t own_bytes() const { return 0; }
    // Brings the whole source into memory with all cores, so that the first tokens need not wait for its pages; does nothing where that leaves little memory to
    // others. `progress` (may be empty) is called by this thread alone; ends early once *cancel (may be null) is set.
    virtual void fetch(const std::function<void(double fraction)>& /*progress*/, const std::atomic<bool>* /*cancel*/) const {}
};

// A Hugging Face folder (model.safetensors, or shards named by model.safetensors.index.json), mapped read-only. Every header is checked before anything is
// used: lengths, overlaps, types, shards that are absent.
// `config`: whose family has other names than the engine; null: names are those of the files.
Result<std::shared_ptr<const WeightSource>> open_safetensors(const std::filesystem::path& folder, const ModelConfig* config = nullptr);

// What a tensor of a checkpoint is stored as when its matrices are stored as `type`: A_log and dt_bias stay f32, as the vendor has them; among quantised
// matrices the small gates stay bf16, and vectors, convolutions and the router f32, because a model is far more sensitive to them than they are large.
DType stored_type(const std::string& name, const std::vector<int64_t>& shape, DType type);

// All tensors of a config, stored so.
std::vector<TensorInfo> stored_tensors(const ModelConfig& config, DType type);

// Random weights of a config by the rule of Initialisation, the same for the same seed and name: matrices are drawn by the device that uses them; what find()
// gives is made in memory on demand, of the same values.
std::shared_ptr<const WeightSource> synthetic_weights(const ModelConfig& config, DType type, uint64_t seed);
// The same numbers without a source: values first .. first + values.size() of one tensor; first is a multiple of 4.
void synthetic_values(const TensorInfo& tensor, uint64_t seed, int64_t first, std::span<float> values);

// The name of the type that most of its bytes have; "f32" of nothing.
std::string main_type(const WeightSource& source);

std::string shape_text(const std::vector<int64_t>& shape);  // "[4096, 1, 4]"
inline int64_t value_count(const TensorInfo& tensor) { return tensor.bytes / info(tensor.type).bytes * info(tensor.type).block; }

}  // namespace klp
