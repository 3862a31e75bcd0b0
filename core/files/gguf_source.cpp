// Tensors of a GGUF under the engine's names, and what is stored in another form than the engine reads.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <system_error>

#include "core/files/gguf_model.h"
#include "core/files/gguf_names.h"
#include "core/files/grouped.h"
#include "core/files/json.h"
#include "core/files/mapped_source.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

// A_log of -exp(A_log), as far as 32 bits allow: of the numbers beside the logarithm the one whose exponential is what the file has, where there is one. Some
// architectures store +exp(A_log); the sign carries nothing.
float decay_log(float a) {
    const float rate = std::abs(a), nearest = static_cast<float>(std::log(static_cast<double>(rate)));
    for (const float x : {nearest, std::nextafter(nearest, -INFINITY), std::nextafter(nearest, INFINITY)})
        if (static_cast<float>(std::exp(static_cast<double>(x))) == rate) return x;
    return nearest;
}

// What kv_b_proj is stored as when it is put together: types without blocks are kept, and their values with them. Blocks run along another dimension than
// kv_b's rows do, so they cannot be kept; as f16 the 48B's seven matrices take 58 MB of a model of 20 GB, and a value is off by 2^-11 of itself at the most.
DType joined_type(DType k, DType v) {
    if (info(k).block > 1 || info(v).block > 1) return DType::f16;
    return k == v ? k : DType::f32;
}

// kv_b_proj [H (nope + V), L]: of each head nope rows of k_b, which lie as columns in the file, then V rows of v_b.
struct KvB {
    std::string where;  // file and tensor, for messages
    Weight k, v;        // [H L, nope], [H V, L]
    int64_t H, nope, V, L;

    Result<void> operator()(std::byte* to) const {
        const DType type = joined_type(k.type, v.type);
        const int64_t row_bytes = L / info(type).block * info(type).bytes;
        std::vector<float> from(static_cast<size_t>(L * std::max(nope, V))), row(static_cast<size_t>(L));
        const auto put = [&](const float* values) {
            encode(type, values, L, to);
            to += row_bytes;
            // Only half precision can be too narrow for what a file says. What already is no number in the file is found where all others are.
            return type != DType::f16 || std::none_of(values, values + L, [](float x) { return std::isfinite(x) && std::abs(x) >= 65520.f; });
        };
        bool fits = true;
        for (int64_t h = 0; h < H; ++h) {
            decode(k.type, k.row(h * L), L * nope, from.data());
            for (int64_t n = 0; n < nope; ++n) {
                for (int64_t l = 0; l < L; ++l) row[static_cast<size_t>(l)] = from[static_cast<size_t>(l * nope + n)];
                fits &= put(row.data());
            }
            decode(v.type, v.row(h * V), V * L, from.data());
            for (int64_t n = 0; n < V; ++n) fits &= put(from.data() + n * L);
        }
        return fits ? Result<void>() : fail(Error::model, where + " holds numbers beyond what f16 can");
    }
};

class GgufSource final : public MappedSource {
public:
    using MappedSource::MappedSource;

    Result<Weight> find(const std::string& name, const std::vector<int64_t>& shape) const override {
        const auto expert = expert_name(name);
        const std::string& whole = expert ? expert->all : name;
        if (const auto theirs = gguf_name(config, whole); theirs && !has(name))  // whoever looks for it has the file in front of them
            return fail(Error::model, path() + ": tensor " + in_quotes(theirs->name) + " is missing");
        if (!expert || MappedSource::has(name)) return MappedSource::find(name, shape);
        std::vector<int64_t> all = shape;
        all.insert(all.begin(), config.num_experts);
        auto stack = MappedSource::find(whole, all);
        if (!stack) return stack;
        const int64_t rows = stack->out / config.num_experts;
        return stack->rows(expert->number * rows, rows);
    }
    bool has(const std::string& name) const override {
        const auto expert = expert_name(name);
        return MappedSource::has(name) || (expert && expert->number < config.num_experts && MappedSource::has(expert->all));
    }
    ModelConfig config;
};

// A tensor of any part.
struct Place {
    const GgufTensor* tensor;
    const std::byte* bytes;
    size_t file;
    std::string where;  // file and tensor, for messages
    Weight weight(int64_t in) const {
        int64_t values = 1;
        for (int64_t d : tensor->info.shape) values *= d;
        return {bytes, tensor->info.type, values / std::max<int64_t>(in, 1), in};  // 0: a tensor of layers that the model has not
    }
    // An Error where the shape, without dimensions of 1, is another.
    Result<void> check(std::vector<int64_t> right) const {
        const std::string belongs = shape_text(right);
        std::vector<int64_t> shape = tensor->info.shape;
        std::erase(shape, 1), std::erase(right, 1);
        if (shape == right) return {};
        return fail(Error::model, where + " has the shape " + shape_text(tensor->info.shape) + " where " + belongs + " belongs");
    }
};
using Places = std::map<std::string_view, Place>;

// Its place with the other half's: kv_b is made of two.
Result<const Place*> other_half(const Place& one, const Places& places) {
    std::string name = one.tensor->info.name;
    char& letter = name[name.rfind("_b.weight") - 1];
    letter = letter == 'k' ? 'v' : 'k';
    const auto at = places.find(name);
    if (at == places.end()) return fail(Error::model, one.where + " is there without " + in_quotes(name));
    return &at->second;
}

// A norm's weight times a projection's, as that projection behind a norm of ones.
Result<void> add_score(GgufSource& source, MappedTensor projection) {
    MappedTensor norm = projection;
    std::string& name = norm.info.name;
    name.replace(name.rfind("proj"), 4, "norm");
    int64_t n = 1;
    for (const int64_t d : norm.info.shape) n *= d;
    norm.info.shape = {n}, norm.info.type = DType::f32, norm.info.stored = "f32", norm.info.readable = true, norm.info.bytes = 4 * n;
    norm.make = [n](std::byte* to) -> Result<void> {
        std::fill_n(reinterpret_cast<float*>(to), n, 1.f);
        return {};
    };
    if (auto added = source.add(std::move(projection)); !added) return added;
    return source.add(std::move(norm));
}

Result<void> add_qkv(GgufSource& source, const Place& at, MappedTensor tensor) {
    std::vector<int64_t>& shape = tensor.info.shape;
    if (shape.size() != 2 || shape[0] % 3) return fail(Error::model, at.where + " has the shape " + shape_text(shape) + ", which is not q, k and v");
    shape[0] /= 3, tensor.info.bytes /= 3;
    for (const char* x : {"q", "k", "v"}) {
        MappedTensor third = tensor;
        third.info.name.replace(third.info.name.rfind("q_proj"), 1, x);
        if (auto added = source.add(std::move(third)); !added) return added;
        tensor.data += tensor.info.bytes;
    }
    return {};
}

// Parts of what lies in groups of rows.
Result<void> add_grouped(GgufSource& source, const Place& at, const MappedTensor& tensor, int64_t groups, const std::vector<GroupedPart>& parts) {
    auto apart = put_apart(tensor, groups, parts, at.where);
    if (!apart) return tl::unexpected(apart.error());
    for (MappedTensor& part : *apart)
        if (auto added = source.add(std::move(part)); !added) return added;
    return {};
}

// Gate and up of every expert in one tensor: each by itself.
Result<void> add_gate_up(GgufSource& source, const Place& at, const MappedTensor& tensor) {
    const std::vector<int64_t>& shape = tensor.info.shape;
    if (shape.size() != 3 || shape[0] < 1 || shape[1] % 2)
        return fail(Error::model, at.where + " has the shape " + shape_text(shape) + ", which is not gate and up of experts");
    const size_t end = tensor.info.name.rfind("w1.");
    const int64_t bytes = tensor.info.bytes / (2 * shape[0]);
    for (int64_t i = 0; i < 2 * shape[0]; ++i) {
        MappedTensor one = tensor;
        one.info.name = numbered({tensor.info.name.substr(0, end) + (i % 2 ? "w3.weight" : "w1.weight"), i / 2});
        one.info.shape = {shape[1] / 2, shape[2]}, one.info.bytes = bytes;
        one.data += i * bytes;
        if (auto added = source.add(std::move(one)); !added) return added;
    }
    return {};
}

Result<void> add_decay(GgufSource& source, const Place& at, MappedTensor tensor, const ModelConfig& c) {
    if (auto checked = at.check({c.kda_heads}); !checked) return checked;
    if (!tensor.info.readable || info(tensor.info.type).block > 1)
        return fail(Error::model, at.where + " is stored as " + tensor.info.stored + " where f32 belongs");
    tensor.info.shape = {1, 1, c.kda_heads, 1};
    tensor.info.type = DType::f32, tensor.info.stored = "f32", tensor.info.bytes = int64_t{4} * c.kda_heads;
    tensor.make = [w = at.weight(c.kda_heads), where = at.where](std::byte* to) -> Result<void> {
        std::vector<float> a(static_cast<size_t>(w.in));
        decode(w.type, w.data, w.in, a.data());
        for (size_t h = 0; h < a.size(); ++h) {
            if (a[h] == 0) return fail(Error::model, where + " holds 0 at [" + std::to_string(h) + "], which is -exp(A_log) of no number");
            a[h] = decay_log(a[h]);
        }
        std::memcpy(to, a.data(), a.size() * sizeof(float));
        return {};
    };
    return source.add(std::move(tensor));
}

Result<void> add_kv_b(GgufSource& source, const Place& k, const Place& v, MappedTensor tensor, const ModelConfig& c) {
    const int64_t H = c.num_attention_heads, nope = c.qk_nope_head_dim, V = c.v_head_dim, L = c.kv_lora_rank;
    if (auto checked = k.check({H, L, nope}); !checked) return checked;
    if (auto checked = v.check({H, V, L}); !checked) return checked;
    for (const Place* half : {&k, &v})
        if (!half->tensor->info.readable)
            return fail(Error::model, half->where + " is stored as " + half->tensor->info.stored + ", which no operation here reads");
    const DTypeInfo& type = info(joined_type(k.tensor->info.type, v.tensor->info.type));
    tensor.info.shape = {H * (nope + V), L};
    tensor.info.type = type.type, tensor.info.stored = type.name, tensor.info.bytes = H * (nope + V) * L * type.bytes;
    tensor.make = KvB{k.where, k.weight(nope), v.weight(L), H, nope, V, L};
    return source.add(std::move(tensor));
}

Result<void> add_tensors(GgufSource& source, GgufModel& model, const ModelConfig& config) {
    Places places;
    for (GgufPart& part : model.parts) {
        const std::byte* bytes = part.mapping.bytes().data();
        const std::string file = part.file.string();
        const size_t number = source.add_file(file, std::move(part.mapping));
        for (const GgufTensor& t : part.gguf.tensors) {
            const Place place{&t, bytes + t.begin, number, file + ": tensor " + in_quotes(t.info.name)};
            if (const auto [twin, fresh] = places.emplace(t.info.name, place); !fresh)
                return fail(Error::model, place.where + " is also in " + model.parts[twin->second.file].file.string());
        }
    }
    for (const GgufPart& part : model.parts)
        for (const GgufTensor& t : part.gguf.tensors) {
            const Place& at = places.at(t.info.name);
            const auto ours = our_name(config, t.info.name);
            MappedTensor tensor{.info = t.info, .data = at.bytes, .file = at.file, .said = in_quotes(t.info.name)};
            if (ours) tensor.info.name = ours->name;
            Result<void> added;
            switch (ours ? ours->form : GgufForm::same) {
                case GgufForm::same:
                case GgufForm::flat:
                case GgufForm::experts:
                    added = source.add(std::move(tensor));
                    break;
                case GgufForm::score:
                    added = add_score(source, std::move(tensor));
                    break;
                case GgufForm::qkv:
                    added = add_qkv(source, at, std::move(tensor));
                    break;
                case GgufForm::qkvz:
                case GgufForm::ba: {
                    const GroupedHeads heads{config.kda_key_heads, config.kda_heads, config.kda_key_dim, config.kda_value_dim};
                    if (heads.H_k == 0) break;  // of a layer that the model has not
                    const std::string front = tensor.info.name.substr(0, tensor.info.name.rfind("self_attn.")) + "self_attn.";
                    added = add_grouped(source, at, tensor, heads.H_k,
                                        ours->form == GgufForm::ba ? heads.ba(front + "b_proj.weight", front + "a_proj.weight")
                                                                   : heads.qkvz(front + "qkv_proj.weight", front + "g_proj.weight"));
                    break;
                }
                case GgufForm::gate_up:
                    added = add_gate_up(source, at, tensor);
                    break;
                case GgufForm::decay:
                case GgufForm::rate:
                    added = add_decay(source, at, std::move(tensor), config);
                    break;
                case GgufForm::k_b:
                case GgufForm::v_b: {
                    const auto other = other_half(at, places);
                    if (!other) return tl::unexpected(other.error());
                    if (ours->form == GgufForm::k_b) added = add_kv_b(source, at, **other, std::move(tensor), config);
                    break;
                }
            }
            if (!added) return added;
        }
    return {};
}

// --- Parts ----------------------------------------------------------------------------------------------------------

Result<GgufPart> open_part(const fs::path& file) {
    auto mapping = Mapping::open(file);
    if (!mapping) return tl::unexpected(mapping.error());
    auto gguf = parse_gguf(mapping->bytes(), file.string());
    if (!gguf) return tl::unexpected(gguf.error());
    return GgufPart{file, std::move(*mapping), std::move(*gguf)};
}

int64_t split_number(const Gguf& gguf, std::string_view key, int64_t otherwise) {
    const GgufValue* v = gguf.find(key);
    return v ? v->integer().value_or(otherwise) : otherwise;
}

constexpr size_t kPartEnding = std::string_view("-00001-of-00003.gguf").size();
std::string part_ending(int64_t number, int64_t count) {
    char text[64];
    std::snprintf(text, sizeof text, "-%05lld-of-%05lld.gguf", static_cast<long long>(number), static_cast<long long>(count));
    return text;
}

}  // namespace

bool is_gguf(const fs::path& file) {
    std::error_code none;
    if (!fs::is_regular_file(file, none)) return false;
    char front[4] = {};
    std::ifstream(file, std::ios::binary).read(front, sizeof front);
    return std::string_view(front, sizeof front) == "GGUF" || file.extension() == ".gguf";
}

Result<GgufModel> open_gguf(const fs::path& file) {
    GgufModel model{.file = file};
    auto named = open_part(file);
    if (!named) return tl::unexpected(named.error());
    const int64_t count = split_number(named->gguf, "split.count", 1), number = split_number(named->gguf, "split.no", 0);
    if (count <= 1) {
        model.parts.push_back(std::move(*named));
        return model;
    }
    const std::string name = file.filename().string();
    constexpr int64_t kMostParts = 99'999;
    if (count > kMostParts || number < 0 || number >= count)
        return fail(Error::model, file.string() + ": it is part " + std::to_string(number) + " of " + std::to_string(count) + ", which cannot be");
    if (!name.ends_with(part_ending(number + 1, count)))
        return fail(Error::model, file.string() + " is part " + std::to_string(number + 1) + " of " + std::to_string(count) +
                                      " of a model, and the others are found by its name, which would end in " + part_ending(number + 1, count));
    const fs::path folder = file.parent_path();
    const std::string stem = name.substr(0, name.size() - kPartEnding);
    std::string missing;
    int64_t absent = 0;
    constexpr int64_t kNamed = 5;
    std::error_code none;
    for (int64_t i = 0; i < count; ++i)
        if (const std::string part = stem + part_ending(i + 1, count); !fs::exists(folder / part, none) && absent++ < kNamed)
            missing += (missing.empty() ? "" : ", ") + in_quotes(part);
    if (absent > 0)
        return fail(Error::model, file.string() + ": " + std::to_string(absent) + " of " + std::to_string(count) + " parts " + (absent == 1 ? "is" : "are") +
                                      " not there: " + missing + (absent > kNamed ? ", ..." : ""));
    int64_t tensors = 0;
    for (int64_t i = 0; i < count; ++i) {
        const fs::path path = folder / (stem + part_ending(i + 1, count));
        auto part = i == number ? std::move(named) : open_part(path);
        if (!part) return tl::unexpected(part.error());
        if (split_number(part->gguf, "split.no", -1) != i || split_number(part->gguf, "split.count", -1) != count)
            return fail(Error::model, path.string() + " is a part of another model than " + name + ": it is not part " + std::to_string(i + 1) + " of " +
                                          std::to_string(count));
        tensors += static_cast<int64_t>(part->gguf.tensors.size());
        model.parts.push_back(std::move(*part));
    }
    for (const GgufPart& part : model.parts)
        if (const int64_t all = split_number(part.gguf, "split.tensors.count", tensors); all != tensors)
            return fail(Error::model, part.file.string() + " is a part of another model: its parts have " + std::to_string(all) +
                                          " tensors together, and these have " + std::to_string(tensors));
    return model;
}

Result<std::shared_ptr<const WeightSource>> gguf_weights(GgufModel model, const ModelConfig& config) {
    auto source = std::make_shared<GgufSource>(model.file.string());
    source->config = config;
    if (auto added = add_tensors(*source, model, config); !added) return tl::unexpected(added.error());
    source->read_ahead();
    return source;
}

}  // namespace klp
