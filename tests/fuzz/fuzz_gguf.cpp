#include "core/files/gguf.h"

#include <algorithm>

#include "core/text/tokenizer.h"
#include "core/text/vocabulary.h"
#include "tests/fuzz/fuzz.h"

namespace klp::fuzz {

namespace {

// A view lies inside the file.
bool inside(std::span<const std::byte> view, std::string_view bytes) {
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    return view.empty() || (view.data() >= begin && view.data() + view.size() <= begin + bytes.size());
}

}  // namespace

// What was accepted lies in the file, says what it promises, and is read the same again from what the writer makes of it.
void gguf(std::string_view bytes) {
    const auto gguf = parse_gguf(std::as_bytes(std::span(bytes)), "fuzz");
    if (!gguf) return one_sentence(gguf.error().message);
    std::vector<GgufPair> pairs;
    for (const auto& [key, value] : gguf->metadata) {
        KLP_CHECK(gguf->find(key) == &gguf->find(key)[0] && inside(value.bytes, bytes));
        const auto texts = value.texts();
        const auto whole = value.integers();
        KLP_CHECK(!texts || texts->size() == value.count);
        KLP_CHECK(!whole || whole->size() == value.count);
        if (texts) pairs.push_back({std::string(key), std::vector<std::string>(texts->begin(), texts->end())});
        if (const auto text = value.text()) pairs.push_back({std::string(key), std::string(*text)});
        if (value.type == GgufValue::u32) pairs.push_back({std::string(key), static_cast<uint32_t>(*value.integer())});
        if (value.type == GgufValue::f32) pairs.push_back({std::string(key), static_cast<float>(*value.number())});
        if (value.type == GgufValue::boolean) pairs.push_back({std::string(key), *value.flag()});
    }
    std::vector<TensorInfo> tensors;
    std::vector<const GgufTensor*> order;
    for (const GgufTensor& t : gguf->tensors) {
        KLP_CHECK(t.begin >= 24 && t.info.bytes >= 0 && t.begin + t.info.bytes <= static_cast<int64_t>(bytes.size()));
        int64_t values = 1;
        for (int64_t d : t.info.shape) values *= d;
        KLP_CHECK(!t.info.readable || value_count(t.info) == values);
        order.push_back(&t);
        if (t.info.readable) tensors.push_back(t.info);
    }
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return std::pair(a->begin, a->info.bytes) < std::pair(b->begin, b->info.bytes); });
    for (size_t i = 1; i < order.size(); ++i) KLP_CHECK(order[i - 1]->begin + order[i - 1]->info.bytes <= order[i]->begin);

    std::erase_if(pairs, [](const GgufPair& p) { return p.key == "general.alignment"; });
    std::string again = gguf_header(pairs, tensors);
    const size_t header = again.size();
    for (const TensorInfo& t : tensors) again.resize((again.size() + static_cast<size_t>(t.bytes) + 31) / 32 * 32);
    const auto twin = parse_gguf(std::as_bytes(std::span(again)), "fuzz");
    KLP_CHECK(twin && twin->metadata.size() == pairs.size() && twin->tensors.size() == tensors.size());
    KLP_CHECK(tensors.empty() || twin->tensors[0].begin == static_cast<int64_t>(header));
    for (size_t i = 0; i < tensors.size(); ++i)
        KLP_CHECK(twin->tensors[i].info.name == tensors[i].name && twin->tensors[i].info.type == tensors[i].type &&
                  twin->tensors[i].info.shape == tensors[i].shape);

    auto files = read_gguf_tokens(*gguf, "fuzz");
    if (!files) return one_sentence(files.error().message);
    const Tokenizer tokenizer(std::move(*files));
    const std::string_view text = bytes.substr(0, 512);
    KLP_CHECK(tokenizer.decode(tokenizer.encode(text)) == repair_utf8(text));
}

}  // namespace klp::fuzz

KLP_FUZZ_TARGET(gguf)
