#include "core/files/checkpoint_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "core/files/convert.h"
#include "core/files/disk.h"
#include "core/files/family.h"
#include "core/files/out_file.h"
#include "core/files/safetensors.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

Result<void> write_file(const fs::path& folder, const std::string& name, const std::string& content, const fs::path& shown) {
    OutFile file(folder / name, shown / name);
    file.write(content.data(), static_cast<int64_t>(content.size()));
    return file.close();
}

std::vector<TensorInfo> in_their_names(const ModelConfig& config, std::vector<TensorInfo> tensors) {
    for (TensorInfo& t : tensors) t.name = their_tensor_name(config, t.name);
    return tensors;
}

std::string shard_name(size_t i, size_t n) {
    if (n == 1) return "model.safetensors";
    char name[64];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, n);
    return name;
}

}  // namespace

Result<void> write_checkpoint(const fs::path& where, std::vector<TensorInfo> tensors, const WritePiece& piece,
                              const std::vector<std::pair<std::string, std::string>>& files, const WriteOptions& options) {
    fs::path target = fs::absolute(where).lexically_normal();
    if (target.filename().empty()) target = target.parent_path();
    std::error_code none;
    if (fs::exists(target, none) && !(fs::is_directory(target, none) && fs::is_empty(target, none)))
        return fail(Error::usage, where.string() + " exists already and is not an empty folder");
    int64_t total = 0, in_shard = 0;
    for (const TensorInfo& t : tensors) total += t.bytes;
    if (auto room = check_room(where, total); !room) return room;
    Unfinished unfinished(target);
    if (auto made = unfinished.make_folder(); !made) return made;
    for (const auto& [name, content] : files)
        if (auto written = write_file(unfinished.path(), name, content, where); !written) return written;

    std::vector<std::vector<TensorInfo>> shards(1);
    for (TensorInfo& t : tensors) {
        if (in_shard > 0 && in_shard + t.bytes > options.shard_bytes) shards.emplace_back(), in_shard = 0;
        in_shard += t.bytes;
        shards.back().push_back(std::move(t));
    }
    nlohmann::ordered_json index;
    index["metadata"]["total_size"] = total;
    std::vector<std::byte> buffer;
    int64_t done = 0;
    for (size_t s = 0; s < shards.size(); ++s) {
        // The format has no padding: what is no multiple of 64 bytes goes behind, widest numbers first, so that everything starts at an address that suits it.
        std::stable_sort(shards[s].begin(), shards[s].end(), [](const TensorInfo& a, const TensorInfo& b) {
            const auto rank = [](const TensorInfo& t) { return t.bytes % 64 == 0 ? 0 : t.type == DType::f32 ? 1 : 2; };
            return rank(a) < rank(b);
        });
        const std::string name = shard_name(s, shards.size()), header = safetensors_header(shards[s]);
        OutFile file(unfinished.path() / name, where / name);
        int64_t bytes = static_cast<int64_t>(header.size());
        for (const TensorInfo& t : shards[s]) bytes += t.bytes;
        file.reserve(bytes);
        file.write(header.data(), static_cast<int64_t>(header.size()));
        for (const TensorInfo& t : shards[s]) {
            const DTypeInfo& row = info(t.type);
            const int64_t values = value_count(t);
            for (int64_t first = 0; first < values && !file.failed(); first += kConvertPiece) {
                if (options.cancel && *options.cancel)
                    return fail(Error::interrupted, "writing " + where.string() + " was interrupted; nothing was left behind");
                const int64_t count = std::min(kConvertPiece, values - first), size = count / row.block * row.bytes;
                buffer.resize(static_cast<size_t>(size));
                if (auto filled = piece(t, first, count, buffer.data()); !filled) return filled;
                file.write(buffer.data(), size);
                done += size;
                if (options.progress) options.progress(done, total);
            }
            index["weight_map"][t.name] = name;
        }
        if (auto closed = file.close(); !closed) return closed;
    }
    if (shards.size() > 1)
        if (auto written = write_file(unfinished.path(), "model.safetensors.index.json", index.dump(2) + "\n", where); !written) return written;
    return unfinished.keep();
}

Result<void> init_checkpoint(const fs::path& folder, const ModelConfig& config, DType type, uint64_t seed, const WriteOptions& options) {
    std::vector<float> values;
    const auto piece = [&](const TensorInfo& t, int64_t first, int64_t count, std::byte* data) {
        values.resize(static_cast<size_t>(count));
        TensorInfo ours = t;
        ours.name = our_tensor_name(config, t.name);
        synthetic_values(ours, seed, first, values);
        for (float& v : values) v -= added_to(config, ours.name);
        return encode_piece(t, first, values, data);
    };
    return write_checkpoint(folder, in_their_names(config, stored_tensors(config, type)), piece, {{"config.json", to_json(config)}}, options);
}

Result<void> quantize_checkpoint(const WeightSource& from, const ModelConfig& config, const std::vector<std::pair<std::string, std::string>>& files,
                                 const fs::path& to, DType type, const WriteOptions& options) {
    // Everything is looked up before the first byte is written.
    std::vector<TensorInfo> tensors = stored_tensors(config, type);
    std::erase_if(tensors, [&](const TensorInfo& t) { return t.name.ends_with("e_score_correction_bias") && !from.has(t.name); });
    for (const TensorInfo& t : tensors)
        if (auto found = from.find(t.name, t.shape); !found) return tl::unexpected(found.error());
    const auto piece = [&](const TensorInfo& t, int64_t first, int64_t count, std::byte* data) {
        const std::string ours = our_tensor_name(config, t.name);
        const Weight found = *from.find(ours, t.shape);
        const float added = added_to(config, ours);
        if (added == 0) return convert_piece(t, found, first, count, data);
        std::vector<float> all(static_cast<size_t>(found.out * found.in));  // a norm
        decode(found.type, found.data, found.out * found.in, all.data());
        for (float& v : all) v -= added;
        return convert_piece(t, {reinterpret_cast<const std::byte*>(all.data()), DType::f32, found.out, found.in}, first, count, data);
    };
    return write_checkpoint(to, in_their_names(config, std::move(tensors)), piece, files, options);
}

}  // namespace klp
