#include "core/files/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "core/files/family.h"
#include "core/files/foreign.h"
#include "core/files/json.h"
#include "core/files/mapped_source.h"
#include "core/files/packed.h"

namespace klp {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian and used in place");

namespace {

using nlohmann::json;

struct FileType {
    const char* name;
    int bytes;
    const DType* type;  // nullptr: known, but nothing here reads it
};
constexpr DType kF32 = DType::f32, kF16 = DType::f16, kBf16 = DType::bf16;
constexpr FileType kFileTypes[] = {
    {"F32", 4, &kF32},    {"F16", 2, &kF16},       {"BF16", 2, &kBf16},     {"F64", 8, nullptr},     {"I64", 8, nullptr}, {"U64", 8, nullptr},
    {"I32", 4, nullptr},  {"U32", 4, nullptr},     {"I16", 2, nullptr},     {"U16", 2, nullptr},     {"I8", 1, nullptr},  {"U8", 1, nullptr},
    {"BOOL", 1, nullptr}, {"F8_E4M3", 1, nullptr}, {"F8_E5M2", 1, nullptr}, {"F8_E8M0", 1, nullptr}, {"C64", 8, nullptr},
};

// One entry of the header; what is wrong with it otherwise, in words that follow the tensor's name.
std::string read_entry(const json& j, const json* block_type, int64_t data_start, int64_t data_bytes, SafetensorsEntry& entry) {
    if (!j.is_object()) return "is not an object";
    const auto dtype = j.find("dtype"), shape = j.find("shape"), offsets = j.find("data_offsets");
    if (dtype == j.end() || !dtype->is_string()) return "has no dtype";
    const auto row = std::find_if(std::begin(kFileTypes), std::end(kFileTypes), [&](const FileType& t) { return *dtype == t.name; });
    if (row == std::end(kFileTypes)) return "has the unknown dtype " + in_quotes(dtype->get<std::string>());

    if (shape == j.end() || !shape->is_array()) return "has no shape";
    if (shape->size() > 8) return "has " + std::to_string(shape->size()) + " dimensions";
    TensorInfo& t = entry.info;
    int64_t bytes = row->bytes;
    for (const json& d : *shape) {
        if (!d.is_number_unsigned() || d.get<uint64_t>() > INT64_MAX) return "has a shape that is not made of whole numbers";
        t.shape.push_back(static_cast<int64_t>(d.get<uint64_t>()));
    }
    for (int64_t d : t.shape)
        if (__builtin_mul_overflow(bytes, d, &bytes)) return "has the shape " + shape_text(t.shape) + ", whose size overflows";

    if (offsets == j.end() || !offsets->is_array() || offsets->size() != 2) return "has no data_offsets";
    uint64_t at[2];
    for (size_t i = 0; i < 2; ++i) {
        if (!(*offsets)[i].is_number_unsigned()) return "has data_offsets that are not whole numbers";
        at[i] = (*offsets)[i].get<uint64_t>();
    }
    if (at[0] > at[1]) return "has data_offsets that end before they begin";
    if (at[1] > static_cast<uint64_t>(data_bytes))
        return "ends at byte " + std::to_string(at[1]) + " of " + std::to_string(data_bytes) +
               " bytes of data: the file is shorter than its header says, copy it again";
    if (at[1] - at[0] != static_cast<uint64_t>(bytes))
        return "has " + std::to_string(at[1] - at[0]) + " bytes where " + row->name + " " + shape_text(t.shape) + " needs " + std::to_string(bytes);
    entry.begin = data_start + static_cast<int64_t>(at[0]);
    t.bytes = bytes;
    t.stored = row->name;
    t.readable = row->type != nullptr;
    if (row->type) t.type = *row->type;

    if (block_type) {
        const DTypeInfo* block = find_dtype(block_type->get_ref<const std::string&>());
        if (!block) return "is stored as " + in_quotes(block_type->get<std::string>()) + ", which is not a type this program knows";
        if (t.stored != "U8" || t.shape.size() != 2 || t.shape[1] % block->bytes)
            return "is stored as " + std::string(block->name) + ", but " + t.stored + " " + shape_text(t.shape) + " is not made of such blocks";
        t.shape[1] = t.shape[1] / block->bytes * block->block;
        t.type = block->type, t.stored = block->name, t.readable = true;
    }
    return "";
}

}  // namespace

Result<std::vector<SafetensorsEntry>> parse_safetensors(std::span<const std::byte> bytes, const std::string& file) {
    constexpr uint64_t kLongestHeader = 100'000'000;  // as the format's own library has it
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + ": " + what); };
    if (const std::string what = foreign_file(bytes); !what.empty()) return fail(Error::model, file + " " + what);
    if (bytes.size() < 8) return bad("the file has " + std::to_string(bytes.size()) + " bytes, too few for a safetensors file");
    uint64_t header;
    std::memcpy(&header, bytes.data(), 8);
    if (header > kLongestHeader) return bad("the header claims " + std::to_string(header) + " bytes; this is not a safetensors file");
    if (header > bytes.size() - 8)
        return bad("the header claims " + std::to_string(header) + " bytes, but only " + std::to_string(bytes.size() - 8) + " follow: copy it again");

    auto parsed = parse_json({reinterpret_cast<const char*>(bytes.data()) + 8, header}, file + ": the header");
    if (!parsed) return tl::unexpected(parsed.error());
    if (!parsed->is_object()) return bad("the header is not a JSON object");
    const json none = json::object();
    const json& metadata = parsed->contains("__metadata__") ? (*parsed)["__metadata__"] : none;
    if (!metadata.is_object()) return bad("__metadata__ is not an object");
    for (const auto& [key, value] : metadata.items())
        if (!value.is_string()) return bad("__metadata__ " + in_quotes(key) + " is not a text");

    if (metadata.value("format", "") == "mlx")
        return fail(Error::model, file + " was written for MLX, which lays tensors out in a way of its own: take the safetensors that it was made from");

    const auto start = static_cast<int64_t>(8 + header), size = static_cast<int64_t>(bytes.size()) - start;
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, value] : parsed->items()) {
        if (name == "__metadata__") continue;
        SafetensorsEntry entry{.info = {.name = name}};
        const auto block_type = metadata.find(name);
        if (std::string wrong = read_entry(value, block_type == metadata.end() ? nullptr : &*block_type, start, size, entry); !wrong.empty())
            return bad("tensor " + in_quotes(name) + " " + wrong);
        entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
        return std::pair(a.begin, a.begin + a.info.bytes) < std::pair(b.begin, b.begin + b.info.bytes);
    });
    int64_t end = start;
    for (const SafetensorsEntry& entry : entries) {  // the format allows neither overlaps nor holes
        if (entry.begin != end)
            return bad("tensor " + in_quotes(entry.info.name) + (entry.begin < end ? " overlaps the one before it" : " leaves a hole before it"));
        end += entry.info.bytes;
    }
    if (end != start + size) return bad(std::to_string(start + size - end) + " bytes follow the last tensor");
    return entries;
}

std::string_view safetensors_name(DType type) {
    for (const FileType& row : kFileTypes)
        if (row.type && *row.type == type) return row.name;
    return "U8";
}

std::string safetensors_header(std::span<const TensorInfo> tensors) {
    constexpr size_t kAlign = 64;
    nlohmann::ordered_json j;
    j["__metadata__"]["format"] = "pt";
    int64_t at = 0;
    for (const TensorInfo& t : tensors) {
        std::vector<int64_t> shape = t.shape;
        if (info(t.type).block > 1) {
            shape = {t.shape[0], t.bytes / t.shape[0]};
            j["__metadata__"][t.name] = info(t.type).name;
        }
        j[t.name] = {{"dtype", safetensors_name(t.type)}, {"shape", shape}, {"data_offsets", {at, at + t.bytes}}};
        at += t.bytes;
    }
    std::string text = j.dump();
    text.resize((text.size() + 8 + kAlign - 1) / kAlign * kAlign - 8, ' ');
    const uint64_t length = text.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

// --- A folder of them, mapped ---------------------------------------------------------------------------------------

namespace {

// An empty Result when the file is what it says it is.
Result<void> add(MappedSource& source, const std::filesystem::path& path) {
    auto mapping = Mapping::open(path);
    if (!mapping) return tl::unexpected(mapping.error());
    auto entries = parse_safetensors(mapping->bytes(), path.string());
    if (!entries) return tl::unexpected(entries.error());
    const std::byte* data = mapping->bytes().data();
    const size_t file = source.add_file(path.string(), std::move(*mapping));
    for (SafetensorsEntry& entry : *entries) {
        MappedTensor tensor{.info = std::move(entry.info), .data = data + entry.begin, .file = file};
        tensor.said = in_quotes(tensor.info.name);
        if (auto added = source.add(std::move(tensor)); !added) return added;
    }
    return {};
}

// Tensors under the engine's names, in sentences about them under the files'.
class FolderSource final : public MappedSource {
public:
    FolderSource(std::string path, const ModelConfig* config) : MappedSource(std::move(path)) {
        if (config) config_ = *config;
    }
    Result<void> finish() {
        if (auto whole = change(put_together); !whole || !config_) return whole;
        if (const auto adapt = family_of(*config_).adapt)
            if (auto adapted = change([&](auto tensors, const auto& files) { return adapt(*config_, std::move(tensors), files); }); !adapted) return adapted;
        return change([this](std::vector<MappedTensor> tensors, const std::vector<std::string>&) -> Result<std::vector<MappedTensor>> {
            for (MappedTensor& t : tensors) t.info.name = our_tensor_name(*config_, t.info.name);
            return tensors;
        });
    }
    Result<Weight> find(const std::string& name, const std::vector<int64_t>& shape) const override {
        if (config_ && !has(name)) return fail(Error::model, path() + ": tensor " + in_quotes(their_tensor_name(*config_, name)) + " is missing");
        return MappedSource::find(name, shape);
    }

private:
    std::optional<ModelConfig> config_;
};

}  // namespace

Result<std::shared_ptr<const WeightSource>> open_safetensors(const std::filesystem::path& folder, const ModelConfig* config) {
    auto source = std::make_shared<FolderSource>(folder.string(), config);
    std::error_code none;
    const std::filesystem::path single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
    if (std::filesystem::exists(single, none) || !std::filesystem::exists(index, none)) {
        if (const std::string what = foreign_folder(folder); !std::filesystem::exists(single, none))
            return fail(Error::model, folder.string() + " " + (what.empty() ? "has neither model.safetensors nor model.safetensors.index.json" : what));
        if (auto added = add(*source, single); !added) return tl::unexpected(added.error());
        if (auto whole = source->finish(); !whole) return tl::unexpected(whole.error());
        source->read_ahead();
        return source;
    }

    const auto bad = [&](const std::string& what) { return fail(Error::model, index.string() + ": " + what); };
    auto text = read_text(index, 100'000'000);
    if (!text) return tl::unexpected(text.error());
    auto parsed = parse_json(*text, index.string());
    if (!parsed) return tl::unexpected(parsed.error());
    const json* places = parsed->is_object() && parsed->contains("weight_map") ? &(*parsed)["weight_map"] : nullptr;
    if (!places || !places->is_object()) return bad("weight_map is missing");
    std::set<std::string> shards;
    for (const auto& [name, shard] : places->items()) {
        const std::string file = shard.is_string() ? shard.get<std::string>() : "";
        if (file.empty() || file.find('/') != std::string::npos || file.find('\0') != std::string::npos || file == "." || file == "..")
            return bad("weight_map puts " + in_quotes(name) + " into " + in_quotes(shard.dump()) + ", which is not the name of a file beside it");
        shards.insert(file);
    }
    std::string missing;
    int64_t absent = 0;
    for (const std::string& file : shards)
        if (!std::filesystem::exists(folder / file, none)) missing += (absent++ ? ", " : "") + in_quotes(file);
    if (absent > 0)
        return bad(std::to_string(absent) + " of " + std::to_string(shards.size()) + " shards " + (absent == 1 ? "is" : "are") + " not there: " + missing);
    for (const std::string& file : shards) {
        if (auto added = add(*source, folder / file); !added) return tl::unexpected(added.error());
    }
    for (const auto& [name, shard] : places->items()) {
        const std::string* file = source->file_of(name);
        if (!file || *file != (folder / shard.get<std::string>()).string())
            return bad("tensor " + in_quotes(name) + " is not in its shard " + in_quotes(shard.get<std::string>()));
    }
    if (auto whole = source->finish(); !whole) return tl::unexpected(whole.error());
    source->read_ahead();
    return source;
}

}  // namespace klp
