#include "core/files/gguf_writer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/files/convert.h"
#include "core/files/disk.h"
#include "core/files/gguf_model.h"
#include "core/files/gguf_names.h"
#include "core/files/json.h"
#include "core/files/out_file.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

// A tensor of the file, and what it is made from.
struct PlannedTensor {
    TensorInfo info;  // as the file has it
    GgufForm form = GgufForm::same;
    TensorSpec ours;  // of experts: of each, its name without number
    int64_t parts = 1;
    std::string part_name(int64_t p) const { return form == GgufForm::experts ? numbered({ours.name, p}) : ours.name; }
};

// Of the two that a score is made of, the norm: "..._res_norm.weight".
constexpr std::string_view kFactor = "_res_norm.weight", kNamed = "_res_proj.weight";
bool is_factor(std::string_view name) { return name.ends_with(kFactor); }

std::vector<PlannedTensor> planned_tensors(const ModelConfig& c, const GgufMix& mix) {
    std::vector<PlannedTensor> plan;
    for (const TensorSpec& spec : tensor_specs(c)) {
        const auto expert = expert_name(spec.name);
        if (expert && expert->number > 0) continue;  // in the same tensor as number 0
        if (is_factor(spec.name)) continue;          // in that of the other
        const auto theirs = gguf_name(c, expert ? expert->all : spec.name);
        KLP_CHECK(theirs);
        const auto add = [&](const std::string& name, GgufForm form, std::vector<int64_t> shape, int64_t parts = 1) {
            int64_t values = 1;
            for (const int64_t d : shape) values *= d;
            const DTypeInfo& type = info(mixed_type(mix, c, name, shape.back()));
            plan.push_back({{name, type.type, std::move(shape), values / type.block * type.bytes, std::string(type.name)},
                            form,
                            {expert ? expert->all : spec.name, spec.shape},
                            parts});
        };
        switch (theirs->form) {
            case GgufForm::experts:
                add(theirs->name, theirs->form, {c.num_experts, spec.shape[0], spec.shape[1]}, c.num_experts);
                break;
            case GgufForm::k_b: {
                std::string v_name = theirs->name;
                v_name[v_name.rfind("k_b")] = 'v';
                add(theirs->name, GgufForm::k_b, {c.num_attention_heads, c.kv_lora_rank, c.qk_nope_head_dim});
                add(v_name, GgufForm::v_b, {c.num_attention_heads, c.v_head_dim, c.kv_lora_rank});
                break;
            }
            default: {
                std::vector<int64_t> shape = spec.shape;
                if (theirs->form == GgufForm::flat || theirs->form == GgufForm::score) std::erase(shape, 1);
                add(theirs->name, theirs->form, shape);
            }
        }
    }
    return plan;
}

// Numbers of a part in the order of the file: where they lie in the source, or made from those, in `made`.
Result<Weight> part_values(const PlannedTensor& t, int64_t part, const WeightSource& from, const ModelConfig& c, std::vector<float>& made) {
    const auto found = from.find(t.part_name(part), t.ours.shape);
    if (!found || t.form == GgufForm::same || t.form == GgufForm::flat || t.form == GgufForm::experts) return found;
    const int64_t n = found->out * found->in;
    const TensorInfo source{.name = t.ours.name, .shape = t.ours.shape};
    if (auto finite = check_piece(source, found->type, 0, n, found->data); !finite) return tl::unexpected(finite.error());
    std::vector<float> values(static_cast<size_t>(n));
    decode(found->type, found->data, n, values.data());
    made.clear();
    if (t.form == GgufForm::decay || t.form == GgufForm::rate) {
        for (const float a : values) made.push_back(static_cast<float>((t.form == GgufForm::rate ? 1 : -1) * std::exp(static_cast<double>(a))));
    } else if (t.form == GgufForm::score) {
        const std::string norm = t.ours.name.substr(0, t.ours.name.size() - kNamed.size()) + std::string(kFactor);
        const auto factor = from.find(norm, {n});
        if (!factor) return factor;
        made.resize(values.size());
        decode(factor->type, factor->data, n, made.data());
        for (size_t i = 0; i < made.size(); ++i) made[i] *= values[i];
    } else {  // kv_b_proj [H (nope + V), L]
        const int64_t H = c.num_attention_heads, nope = c.qk_nope_head_dim, V = c.v_head_dim, L = c.kv_lora_rank;
        for (int64_t h = 0; h < H; ++h) {
            const float* k = values.data() + h * (nope + V) * L;
            if (t.form == GgufForm::v_b) made.insert(made.end(), k + nope * L, k + (nope + V) * L);
            for (int64_t l = 0; l < L && t.form == GgufForm::k_b; ++l)
                for (int64_t r = 0; r < nope; ++r) made.push_back(k[r * L + l]);
        }
    }
    return Weight{reinterpret_cast<const std::byte*>(made.data()), DType::f32, 1, static_cast<int64_t>(made.size())};
}

// What the metadata says is read back: what comes out otherwise cannot be said in it.
Result<void> check_said(std::span<const GgufPair> metadata, const std::vector<TensorInfo>& tensors, const ModelConfig& config, const WeightSource& from,
                        const fs::path& where) {
    const std::string header = gguf_header(metadata, {});
    auto head = parse_gguf(std::as_bytes(std::span(header)), where.string());
    if (!head) return tl::unexpected(head.error());
    for (const TensorInfo& t : tensors) head->tensors.push_back({t});
    GgufModel model{.file = where};
    model.parts.push_back({where, Mapping{}, std::move(*head)});
    const auto again = gguf_config(model);
    if (!again) return fail(Error::failure, again.error().message);
    const auto flat = [](const ModelConfig& c) {
        auto all = nlohmann::json::parse(to_json(c));
        all.erase("eos_token_id");                    // with the tokenizer's own
        if (c.mla_use_nope) all.erase("rope_theta");  // which nothing reads then
        return all.flatten();
    };
    const auto ours = flat(config), theirs = flat(*again);
    for (const auto& [path, value] : ours.items()) {
        if (theirs.contains(path) && theirs[path] == value) continue;
        std::string field = path.substr(1);
        std::replace(field.begin(), field.end(), '/', '.');
        return fail(Error::failure, from.path() + ": its config says " + field + " " + value.dump() + ", which a GGUF file cannot say");
    }
    return {};
}

}  // namespace

std::vector<TensorInfo> gguf_tensors(const ModelConfig& config, const GgufMix& mix) {
    std::vector<TensorInfo> tensors;
    for (PlannedTensor& t : planned_tensors(config, mix)) tensors.push_back(std::move(t.info));
    return tensors;
}

Result<void> write_gguf(const WeightSource& from, const ModelConfig& config, const GgufMix& mix, std::vector<GgufPair> metadata, const fs::path& to,
                        const WriteOptions& options) {
    const fs::path target = fs::absolute(to).lexically_normal();
    std::error_code none;
    if (fs::exists(fs::symlink_status(target, none))) return fail(Error::usage, to.string() + " exists already");
    if (const std::string_view why = family_of(config).unwritten; !why.empty())
        return fail(Error::failure, from.path() + ": no GGUF is made of it: " + std::string(why));
    if (config.update_rule != "kda")
        return fail(Error::failure, from.path() + ": no GGUF is made of it: the format has no word for the update rule " + in_quotes(config.update_rule));
    if (config.output_gate != "sigmoid")
        return fail(Error::failure, from.path() + ": no GGUF is made of it: the format has no word for the output gate " + in_quotes(config.output_gate));
    // Everything is looked up before the first byte is written.
    std::vector<PlannedTensor> plan = planned_tensors(config, mix);
    std::erase_if(plan, [&](const PlannedTensor& t) { return t.ours.name.ends_with("e_score_correction_bias") && !from.has(t.ours.name); });
    for (const PlannedTensor& t : plan)
        for (int64_t p = 0; p < t.parts; ++p)
            if (auto found = from.find(t.part_name(p), t.ours.shape); !found) return tl::unexpected(found.error());
    std::vector<TensorInfo> tensors;
    for (const PlannedTensor& t : plan) tensors.push_back(t.info);
    for (GgufPair& pair : gguf_metadata(config)) metadata.push_back(std::move(pair));
    metadata.push_back({"general.file_type", mix.file_type});
    metadata.push_back({"general.quantization_version", uint32_t{2}});
    if (auto said = check_said(metadata, tensors, config, from, to); !said) return said;

    const std::string header = gguf_header(metadata, tensors);
    const auto padding = [](int64_t bytes) { return (kGgufAlignment - bytes % kGgufAlignment) % kGgufAlignment; };
    auto total = static_cast<int64_t>(header.size());
    for (const TensorInfo& t : tensors) total += t.bytes + padding(t.bytes);
    if (auto room = check_room(to, total); !room) return room;
    Unfinished unfinished(target);
    if (auto made = unfinished.make_file(); !made) return made;
    OutFile file(unfinished.path(), to);
    file.reserve(total);
    int64_t done = 0;
    const auto put = [&](const void* data, int64_t bytes) {
        file.write(data, bytes);
        done += bytes;
        if (options.progress) options.progress(done, total);
    };
    put(header.data(), static_cast<int64_t>(header.size()));
    std::vector<std::byte> bytes;
    std::vector<float> made;
    for (const PlannedTensor& t : plan) {
        const DTypeInfo& row = info(t.info.type);
        for (int64_t p = 0; p < t.parts; ++p) {
            const auto values = part_values(t, p, from, config, made);
            if (!values) return tl::unexpected(values.error());
            TensorInfo named = t.info;  // what a message about its numbers calls it, and where they stand: as the source does, unless they are made
            if (made.empty()) named.name = t.part_name(p), named.shape = t.ours.shape;
            const int64_t count = values->out * values->in;
            for (int64_t first = 0; first < count && !file.failed(); first += kConvertPiece) {
                if (options.cancel && *options.cancel) return fail(Error::interrupted, "writing " + to.string() + " was interrupted; nothing was left behind");
                const int64_t n = std::min(kConvertPiece, count - first);
                bytes.resize(static_cast<size_t>(n / row.block * row.bytes));
                if (auto converted = convert_piece(named, *values, first, n, bytes.data()); !converted) return converted;
                put(bytes.data(), static_cast<int64_t>(bytes.size()));
            }
            made.clear();
        }
        constexpr std::byte kZeros[kGgufAlignment]{};
        put(kZeros, padding(t.info.bytes));
    }
    if (auto closed = file.close(); !closed) return closed;
    if (fs::exists(fs::symlink_status(target, none))) return fail(Error::failure, to.string() + " was made by something else meanwhile; it stays as it is");
    return unfinished.keep();
}

}  // namespace klp
