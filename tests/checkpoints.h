// What several tests need: folders that go away again, files, and the tiny checkpoint of the golden vectors.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "core/files/checkpoint_writer.h"

namespace klp {

class TempFolder {
public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "klp-модель-XXXXXX").string();  // no test depends on ASCII
        path_ = mkdtemp(pattern.data());
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

inline void write_bytes(const std::filesystem::path& file, std::string_view bytes) {
    std::ofstream out(file, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(out.good()) << file;
}
inline std::string read_bytes(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    EXPECT_TRUE(in.good()) << file;
    return {std::istreambuf_iterator<char>(in), {}};
}

inline const ModelConfig& shape(std::string_view name) {
    for (const NamedShape& s : named_shapes())
        if (s.name == name) return s.config;
    ADD_FAILURE() << "no shape is called " << name;
    return named_shapes().front().config;
}

// Element n of a tensor of the golden checkpoint: splitmix64 from the name's FNV-1a hash, scaled by what the name says.
inline double tiny_spec_value(const std::string& name, int64_t in, int64_t n) {
    uint64_t seed = 0xcbf29ce484222325u;
    for (unsigned char c : name) seed = (seed ^ c) * 0x100000001b3u;
    uint64_t z = seed + static_cast<uint64_t>(n + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    const double s = 2 * (static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53) - 1;
    const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
    if (name.ends_with("e_score_correction_bias")) return 0.3 * s;
    if (name.ends_with("A_log")) return 1 + s;
    if (name.ends_with("dt_bias")) return -2 + 2 * s;
    if (has("norm")) return 1 + 0.1 * s;
    if (has("conv1d") || has("embed_tokens")) return s;
    return s * 1.5 * std::sqrt(3.0 / static_cast<double>(in));
}
inline void write_tiny_spec(const std::filesystem::path& folder, DType type = DType::f32) {
    const ModelConfig& config = shape("tiny-spec");
    const auto piece = [](const TensorInfo& t, int64_t first, int64_t count, std::byte* data) -> Result<void> {
        std::vector<float> values;
        for (int64_t n = 0; n < count; ++n) values.push_back(static_cast<float>(tiny_spec_value(t.name, t.shape.back(), first + n)));
        encode(t.type, values.data(), count, data);
        return {};
    };
    const auto written = write_checkpoint(folder, stored_tensors(config, type), piece, {{"config.json", to_json(config)}});
    ASSERT_TRUE(written) << written.error().message;
}

// Value n of a tensor (f32, f16 or bf16) of a checkpoint with one file, in place.
inline void put_value(const std::filesystem::path& folder, const std::string& tensor, int64_t n, float value) {
    std::string bytes = read_bytes(folder / "model.safetensors");
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), 8);
    const size_t at = bytes.find("\"" + tensor + "\"");
    ASSERT_LT(at, header) << tensor;
    const std::string entry = bytes.substr(at, bytes.find('}', at) - at);
    const DType type = entry.find("BF16") != std::string::npos ? DType::bf16 : entry.find("F16") != std::string::npos ? DType::f16 : DType::f32;
    const size_t first = std::strtoull(entry.c_str() + entry.find('[', entry.find("data_offsets")) + 1, nullptr, 10);
    encode(type, &value, 1, bytes.data() + 8 + header + first + static_cast<size_t>(n * info(type).bytes));
    write_bytes(folder / "model.safetensors", bytes);
}

inline std::vector<float> floats(const Weight& w) {
    std::vector<float> values(static_cast<size_t>(w.out * w.in));
    decode(w.type, w.data, w.out * w.in, values.data());
    return values;
}

}  // namespace klp
