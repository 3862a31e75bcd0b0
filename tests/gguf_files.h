// A GGUF file in parts that a test can change: read from a fixture, written with gguf_header().
#pragma once

#include <algorithm>

#include "core/files/gguf.h"
#include "tests/checkpoints.h"
#include "tests/source_dir.h"

namespace klp {

struct GgufFile {
    struct Tensor {
        TensorInfo info;
        std::string data;
    };
    std::vector<GgufPair> metadata;
    std::vector<Tensor> tensors;

    // Of tests/golden/gguf.
    static GgufFile fixture(const std::string& name) {
        GgufFile file;
        const std::string bytes = read_bytes(source_dir() / "tests/golden/gguf" / name);
        const auto gguf = parse_gguf(std::as_bytes(std::span(bytes)), name);
        EXPECT_TRUE(gguf) << gguf.error().message;
        for (const auto& [key, v] : gguf->metadata) {
            GgufPair pair{std::string(key), uint32_t{0}};
            if (v.type == GgufValue::text_) pair.value = std::string(*v.text());
            if (v.type == GgufValue::f32) pair.value = static_cast<float>(*v.number());
            if (v.type == GgufValue::u32) pair.value = static_cast<uint32_t>(*v.integer());
            if (v.type == GgufValue::u16) pair.value = static_cast<uint16_t>(*v.integer());
            if (v.type == GgufValue::i32) pair.value = static_cast<int32_t>(*v.integer());
            if (const auto flag = v.flag()) pair.value = *flag;
            if (const auto reals = v.numbers()) pair.value = std::vector<float>(reals->begin(), reals->end());
            if (const auto texts = v.texts()) pair.value = std::vector<std::string>(texts->begin(), texts->end());
            if (const auto whole = v.integers()) pair.value = std::vector<int32_t>(whole->begin(), whole->end());
            file.metadata.push_back(std::move(pair));
        }
        for (const GgufTensor& t : gguf->tensors)
            file.tensors.push_back({t.info, bytes.substr(static_cast<size_t>(t.begin), static_cast<size_t>(t.info.bytes))});
        return file;
    }
    std::string bytes() const {
        std::vector<TensorInfo> infos;
        for (const Tensor& t : tensors) infos.push_back(t.info);
        std::string all = gguf_header(metadata, infos);
        for (const Tensor& t : tensors) {
            all += t.data;
            all.resize((all.size() + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment, '\0');
        }
        return all;
    }
    Tensor& tensor(const std::string& name) {
        const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.info.name == name; });
        EXPECT_NE(at, tensors.end()) << name;
        return *at;
    }
    void remove(const std::string& tensor) {
        std::erase_if(tensors, [&](const Tensor& t) { return t.info.name == tensor; });
    }
    template <class T>
    void set(const std::string& key, T value) {
        unset(key);
        metadata.push_back({key, std::move(value)});
    }
    void unset(const std::string& key) {
        std::erase_if(metadata, [&](const GgufPair& p) { return p.key == key; });
    }
    const GgufPair& get(const std::string& key) const {
        return *std::find_if(metadata.begin(), metadata.end(), [&](const GgufPair& p) { return p.key == key; });
    }
};

// The same tensor in another type.
inline void restore(GgufFile::Tensor& t, DType type) {
    const int64_t n = value_count(t.info);
    std::vector<float> values(static_cast<size_t>(n));
    decode(t.info.type, t.data.data(), n, values.data());
    t.info.type = type;
    t.info.bytes = n / info(type).block * info(type).bytes;
    t.data.resize(static_cast<size_t>(t.info.bytes));
    encode(type, values.data(), n, t.data.data());
}

}  // namespace klp
