// Weights that nobody trained: the rule of initialisation (model.md 7: A_log = log U(1, 16), time steps log-uniform, norms 1) as a source like any other.
#include "core/files/weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <unordered_map>

#include "core/files/json.h"

namespace klp {

namespace {

bool ends_in(const std::string& name, std::initializer_list<const char*> ends) {
    return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return name.ends_with(end); });
}

uint64_t fnv1a(const std::string& text) {
    uint64_t h = 0xcbf29ce484222325u;
    for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
    return h;
}

// Variance 1 / fan-in keeps activations at the size of their input; an embedding row has none, its values have variance 1.
float matrix_scale(const std::string& name, int64_t in) { return std::sqrt(3.f / (name.ends_with("embed_tokens.weight") ? 1.f : static_cast<float>(in))); }

uint64_t tensor_seed(const std::string& name, uint64_t seed) { return mix(mix(seed) ^ fnv1a(name)); }

// From uniform in (-1, 1) to what a tensor of this name starts with.
void shape_values(const std::string& name, int64_t in, float* values, int64_t n) {
    const auto each = [&](auto f) { std::transform(values, values + n, values, f); };
    if (name.ends_with("A_log")) return each([](float s) { return std::log(8.5f + 7.5f * s); });
    if (name.ends_with("dt_bias"))
        return each([](float s) {
            const float dt = std::exp(std::lerp(std::log(1e-3f), std::log(1e-1f), 0.5f + 0.5f * s));
            return dt + std::log(-std::expm1(-dt));  // softplus of it is dt
        });
    if (name.ends_with("e_score_correction_bias")) return each([](float) { return 0.f; });
    if (name.find("norm") != std::string::npos) return each([](float) { return 1.f; });
    each([scale = matrix_scale(name, in)](float s) { return s * scale; });
}

class Synthetic final : public WeightSource {
public:
    Synthetic(const ModelConfig& config, DType type, uint64_t seed) : path_("synthetic checkpoint"), seed_(seed) {
        tensors_ = stored_tensors(config, type);
        for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
    }
    const std::string& path() const override { return path_; }
    std::vector<TensorInfo> tensors() const override { return tensors_; }
    bool has(const std::string& name) const override { return index_.contains(name); }

    Result<Weight> find(const std::string& name, const std::vector<int64_t>& shape) const override {
        const auto at = index_.find(name);
        if (at == index_.end()) return fail(Error::model, path_ + ": tensor " + in_quotes(name) + " is missing");
        const TensorInfo& t = tensors_[at->second];
        if (t.shape != shape) return fail(Error::model, path_ + ": tensor " + in_quotes(name) + " has another shape");
        const std::lock_guard lock(mutex_);
        auto& data = made_[name];
        if (!data) {
            data = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(t.bytes));
            make(t, data.get());
        }
        return Weight{data.get(), t.type, value_count(t) / t.shape.back(), t.shape.back()};
    }

    std::optional<Drawn> drawn(const std::string& name, const std::vector<int64_t>& shape) const override {
        const auto at = index_.find(name);
        if (shape.size() != 2 || at == index_.end() || tensors_[at->second].shape != shape) return {};
        return Drawn{{nullptr, tensors_[at->second].type, shape[0], shape[1]}, {tensor_seed(name, seed_), matrix_scale(name, shape[1])}};
    }

private:
    void make(const TensorInfo& t, std::byte* data) const {
        constexpr int64_t kPiece = 4096;  // values at a time: they stay in the first cache, and are whole blocks of every type
        const DTypeInfo& row = info(t.type);
        if (row.block == 256) return draw_blocks(t.type, {tensor_seed(t.name, seed_), matrix_scale(t.name, t.shape.back())}, 0, value_count(t), data);
        std::vector<float> values(kPiece);
        for (int64_t at = 0, n = value_count(t); at < n; at += kPiece) {
            values.resize(static_cast<size_t>(std::min(kPiece, n - at)));
            synthetic_values(t, seed_, at, values);
            encode(t.type, values.data(), static_cast<int64_t>(values.size()), data + at / row.block * row.bytes);
        }
    }

    std::string path_;
    uint64_t seed_;
    std::vector<TensorInfo> tensors_;
    std::unordered_map<std::string, size_t> index_;
    mutable std::mutex mutex_;
    mutable std::unordered_map<std::string, std::unique_ptr<std::byte[]>> made_;
};

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string s = "[";
    for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
    return s + "]";
}

void synthetic_values(const TensorInfo& tensor, uint64_t seed, int64_t first, std::span<float> values) {
    const auto n = static_cast<int64_t>(values.size());
    draw_values({tensor_seed(tensor.name, seed), 1}, first, values);
    shape_values(tensor.name, tensor.shape.back(), values.data(), n);
}

DType stored_type(const std::string& name, const std::vector<int64_t>& shape, DType type) {
    if (ends_in(name, {"A_log", "dt_bias"})) return DType::f32;
    if (info(type).block == 1) return type;
    if (shape.size() != 2 || ends_in(name, {"block_sparse_moe.gate.weight", "_res_proj.weight"})) return DType::f32;
    if (ends_in(name, {".f_a_proj.weight", ".f_b_proj.weight", ".g_a_proj.weight", ".g_b_proj.weight", ".b_proj.weight", ".a_proj.weight"})) return DType::bf16;
    if (type == DType::mxfp4 && name.find(".experts.") == std::string::npos) return DType::q8_0;  // as such files are made: four bits for the experts alone
    if (shape[1] % info(type).block) type = info(type).beside;
    return shape[1] % info(type).block ? DType::bf16 : type;  // a row holds whole blocks
}

std::vector<TensorInfo> stored_tensors(const ModelConfig& config, DType type) {
    std::vector<TensorInfo> tensors;
    for (TensorSpec& spec : tensor_specs(config)) {
        int64_t values = 1;
        for (int64_t d : spec.shape) values *= d;
        const DTypeInfo& row = info(stored_type(spec.name, spec.shape, type));
        tensors.push_back({std::move(spec.name), row.type, std::move(spec.shape), values / row.block * row.bytes, std::string(row.name)});
    }
    return tensors;
}

std::shared_ptr<const WeightSource> synthetic_weights(const ModelConfig& config, DType type, uint64_t seed) {
    return std::make_shared<Synthetic>(config, type, seed);
}

std::string main_type(const WeightSource& source) {
    std::map<DType, int64_t> bytes;
    for (const TensorInfo& t : source.tensors()) bytes[t.type] += t.bytes;
    const auto most = std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == bytes.end() ? "f32" : std::string(info(most->first).name);
}

}  // namespace klp
