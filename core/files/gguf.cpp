#include "core/files/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/files/foreign.h"
#include "core/files/json.h"

namespace klp {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian and used in place");

namespace {

// Types that ggml has and this program has not (kernels/dtypes has the others): known by name, so that a file which holds one can still be looked at.
struct ForeignType {
    uint32_t id;
    const char* name;
    int block, bytes;  // 0: its size is not known here, and the file is refused
};
constexpr ForeignType kForeignTypes[] = {
    {24, "i8", 1, 1},       {25, "i16", 1, 2},      {26, "i32", 1, 4},      {27, "i64", 1, 8},      {28, "f64", 1, 8},
    {34, "tq1_0", 256, 54}, {35, "tq2_0", 256, 66}, {31, "q4_0_4_4", 0, 0}, {32, "q4_0_4_8", 0, 0}, {33, "q4_0_8_8", 0, 0},
    {40, "nvfp4", 0, 0},    {41, "q1_0", 0, 0},     {42, "q2_0", 0, 0},
};

constexpr int kValueBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // of a GgufValue::Type; texts and lists say their own
constexpr uint32_t kTypes = std::size(kValueBytes);

template <class T>
T load(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

std::optional<int64_t> integer_at(GgufValue::Type type, const std::byte* at) {
    switch (type) {
        case GgufValue::u8:
            return load<uint8_t>(at);
        case GgufValue::i8:
            return load<int8_t>(at);
        case GgufValue::u16:
            return load<uint16_t>(at);
        case GgufValue::i16:
            return load<int16_t>(at);
        case GgufValue::u32:
            return load<uint32_t>(at);
        case GgufValue::i32:
            return load<int32_t>(at);
        case GgufValue::i64:
            return load<int64_t>(at);
        case GgufValue::u64:
            if (const auto value = load<uint64_t>(at); value <= INT64_MAX) return static_cast<int64_t>(value);
            return {};
        case GgufValue::boolean:
            return load<uint8_t>(at) != 0;
        default:
            return {};
    }
}

bool is_utf8(std::string_view s) {
    for (size_t i = 0; i < s.size();) {
        const auto byte = [&](size_t k) -> uint32_t { return i + k < s.size() ? static_cast<unsigned char>(s[i + k]) : 0; };
        const uint32_t lead = byte(0);
        const size_t more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : (lead & 0xf0) == 0xe0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 4;
        if (more == 4) return false;
        for (size_t k = 1; k <= more; ++k)
            if ((byte(k) & 0xc0) != 0x80) return false;
        // neither longer than need be, nor a surrogate, nor beyond U+10FFFF
        if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) || (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f))
            return false;
        i += 1 + more;
    }
    return true;
}

// Reads on from byte `at`. The first thing that is wrong is kept in `error`; after it everything reads as nothing, so loops look at it and leave.
class GgufReader {
public:
    GgufReader(std::span<const std::byte> bytes, size_t at) : bytes_(bytes), at_(at) {}
    size_t at() const { return at_; }
    size_t left() const { return bytes_.size() - at_; }
    bool sound() const { return error_.empty(); }
    const std::string& error() const { return error_; }
    void wrong(std::string what) {
        if (error_.empty()) error_ = std::move(what);
    }

    std::span<const std::byte> take(uint64_t count, const char* what) {
        if (sound() && count > left())
            wrong("the file ends inside " + std::string(what) + ": " + std::to_string(count) + " bytes at byte " + std::to_string(at_) + " of " +
                  std::to_string(bytes_.size()));
        if (!sound()) return {};
        at_ += count;
        return bytes_.subspan(at_ - count, count);
    }
    template <class T>
    T read(const char* what) {
        const auto bytes = take(sizeof(T), what);
        return bytes.empty() ? T{} : load<T>(bytes.data());
    }
    std::string_view text(const char* what) {
        const auto bytes = take(read<uint64_t>(what), what);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    // A value of this type; lists may hold lists.
    GgufValue value(uint32_t type, int depth = 0) {
        GgufValue v{.type = static_cast<GgufValue::Type>(type)};
        if (type >= kTypes) {
            wrong("has the unknown type " + std::to_string(type));
        } else if (type == GgufValue::text_) {
            const std::string_view said = text("a text");
            v.bytes = std::as_bytes(std::span(said));
        } else if (type == GgufValue::list_) {
            const auto element = read<uint32_t>("a list");
            v.element = static_cast<GgufValue::Type>(element), v.count = read<uint64_t>("a list");
            constexpr int kDepth = 8;
            if (depth == kDepth) wrong("is a list of lists of lists, deeper than " + std::to_string(kDepth));
            if (element >= kTypes) wrong("is a list of the unknown type " + std::to_string(element));
            const size_t start = at_;
            if (!sound()) return v;
            if (const auto each = static_cast<uint64_t>(kValueBytes[element]); each > 0) {
                if (v.count > left() / each)
                    wrong("is a list of " + std::to_string(v.count) + " values in the " + std::to_string(left()) + " bytes that are left");
                take(sound() ? v.count * each : 0, "a list");
            } else {
                for (uint64_t i = 0; i < v.count && sound(); ++i) value(element, depth + 1);
            }
            v.bytes = bytes_.subspan(start, at_ - start);
        } else {
            v.bytes = take(static_cast<uint64_t>(kValueBytes[type]), "a value");
        }
        return v;
    }

private:
    std::span<const std::byte> bytes_;
    size_t at_;
    std::string error_;
};

// What is wrong with a tensor's place and size, in words that follow its name.
std::string place_tensor(GgufTensor& t, uint32_t type, uint64_t offset, int64_t data, int64_t file_bytes, uint64_t alignment) {
    int block = 0, block_bytes = 0;
    const auto own = std::find_if(dtypes().begin(), dtypes().end(), [&](const DTypeInfo& d) { return d.ggml == static_cast<int64_t>(type); });
    if (own != dtypes().end()) {
        t.info.type = own->type, t.info.stored = own->name;
        block = own->block, block_bytes = own->bytes;
    } else {
        const auto* foreign = std::find_if(std::begin(kForeignTypes), std::end(kForeignTypes), [&](const ForeignType& f) { return f.id == type; });
        if (foreign == std::end(kForeignTypes)) return "has the unknown type " + std::to_string(type);
        t.info.readable = false, t.info.stored = foreign->name;
        block = foreign->block, block_bytes = foreign->bytes;
    }
    if (block == 0) return "is stored as " + t.info.stored + ", which this program does not read";
    const std::vector<int64_t>& shape = t.info.shape;
    const int64_t in = shape.empty() ? 1 : shape.back();
    if (in % block) return "has rows of " + std::to_string(in) + " values, which " + t.info.stored + " cannot divide into blocks of " + std::to_string(block);
    int64_t bytes = block_bytes;
    for (size_t i = 0; i < shape.size(); ++i)
        if (__builtin_mul_overflow(bytes, i + 1 == shape.size() ? in / block : shape[i], &bytes))
            return "has the shape " + shape_text(shape) + ", whose size overflows";
    t.info.bytes = bytes;
    if (offset % alignment) return "begins at byte " + std::to_string(offset) + " of the data, no multiple of the alignment " + std::to_string(alignment);
    if (data > file_bytes || offset > static_cast<uint64_t>(file_bytes - data) || bytes > file_bytes - data - static_cast<int64_t>(offset))
        return "has " + std::to_string(bytes) + " bytes from byte " + std::to_string(offset) + " of the data on, but the file has only " +
               std::to_string(std::max<int64_t>(0, file_bytes - data)) + " bytes of data: it is cut off, or not the whole of it was downloaded";
    t.begin = data + static_cast<int64_t>(offset);
    return "";
}

}  // namespace

std::optional<int64_t> GgufValue::integer() const { return type == boolean ? std::nullopt : integer_at(type, bytes.data()); }

std::optional<double> GgufValue::number() const {
    if (type == f32) return load<float>(bytes.data());
    if (type == f64) return load<double>(bytes.data());
    if (const auto whole = integer()) return static_cast<double>(*whole);
    return {};
}

std::optional<bool> GgufValue::flag() const { return type == boolean ? std::optional(load<uint8_t>(bytes.data()) != 0) : std::nullopt; }

std::optional<std::string_view> GgufValue::text() const {
    if (type != text_) return {};
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<std::vector<std::string_view>> GgufValue::texts() const {
    if (type != list_ || element != text_) return {};
    std::vector<std::string_view> all;
    all.reserve(count);
    GgufReader reader(bytes, 0);
    for (uint64_t i = 0; i < count; ++i) all.push_back(reader.text(""));
    return all;
}

std::optional<std::vector<int64_t>> GgufValue::integers() const {
    if (type != list_ || kValueBytes[element] == 0 || element == f32 || element == f64) return {};
    std::vector<int64_t> all;
    all.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
        const auto value = integer_at(element, bytes.data() + i * static_cast<uint64_t>(kValueBytes[element]));
        if (!value) return {};
        all.push_back(*value);
    }
    return all;
}

std::optional<std::vector<double>> GgufValue::numbers() const {
    if (type != list_ || (element != f32 && element != f64)) return {};
    std::vector<double> all;
    for (uint64_t i = 0; i < count; ++i)
        all.push_back(*GgufValue{.type = element, .bytes = bytes.subspan(i * static_cast<uint64_t>(kValueBytes[element]))}.number());
    return all;
}

const GgufValue* Gguf::find(std::string_view key) const {
    const auto at = std::lower_bound(metadata.begin(), metadata.end(), key, [](const auto& pair, std::string_view k) { return pair.first < k; });
    return at != metadata.end() && at->first == key ? &at->second : nullptr;
}

Result<Gguf> parse_gguf(std::span<const std::byte> bytes, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::model, file + ": " + what); };
    constexpr size_t kFixed = 24;  // magic, version and the two counts
    const std::string_view front(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 4));
    if (front != "GGUF") {
        const std::string what = foreign_file(bytes);
        return fail(Error::model, file + " " + (what.empty() ? "is no GGUF file: it does not begin with these four letters" : what));
    }
    if (bytes.size() < kFixed) return bad("the file has " + std::to_string(bytes.size()) + " bytes, too few for a GGUF file");
    Gguf gguf{.version = load<uint32_t>(bytes.data() + 4)};
    if (gguf.version != 0 && (gguf.version & 0xffff) == 0)
        return fail(Error::model, file + " is a big-endian GGUF file, for machines that turn numbers round: take the little-endian one of the same model");
    if (gguf.version == 1) return fail(Error::model, file + " is a GGUF file of version 1, which was given up in 2023: convert the model again");
    if (gguf.version != 2 && gguf.version != 3) return bad("the version is " + std::to_string(gguf.version) + "; this program reads 2 and 3");
    const auto tensors = load<uint64_t>(bytes.data() + 8), pairs = load<uint64_t>(bytes.data() + 16);

    GgufReader reader(bytes, kFixed);
    constexpr size_t kLeastPair = 8 + 4 + 1, kLeastTensor = 8 + 4 + 4 + 8;
    if (pairs > reader.left() / kLeastPair)
        return bad("it claims " + std::to_string(pairs) + " keys of metadata in " + std::to_string(bytes.size()) + " bytes");
    gguf.metadata.reserve(pairs);
    for (uint64_t i = 0; i < pairs; ++i) {
        const std::string_view key = reader.text("the key of metadata");
        if (!reader.sound()) return bad(reader.error());
        if (key.empty() || key.size() > 65535 || !is_utf8(key)) return bad("key " + std::to_string(i) + " of the metadata is not a text of UTF-8");
        const GgufValue value = reader.value(reader.read<uint32_t>("the type of a value"));
        if (!reader.sound()) return bad("metadata " + in_quotes(key) + ": " + reader.error());
        gguf.metadata.emplace_back(key, value);
    }
    std::sort(gguf.metadata.begin(), gguf.metadata.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto twin = std::adjacent_find(gguf.metadata.begin(), gguf.metadata.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twin != gguf.metadata.end()) return bad("metadata " + in_quotes(twin->first) + " is given twice");

    uint64_t alignment = kGgufAlignment;
    if (const GgufValue* said = gguf.find("general.alignment")) {
        constexpr int64_t kMost = 1 << 30;
        const int64_t wish = said->integer().value_or(0);
        if (wish < 1 || wish > kMost || !std::has_single_bit(static_cast<uint64_t>(wish))) return bad("general.alignment is not a power of two");
        alignment = static_cast<uint64_t>(wish);
    }

    if (tensors > reader.left() / kLeastTensor) return bad("it claims " + std::to_string(tensors) + " tensors in " + std::to_string(bytes.size()) + " bytes");
    struct Place {
        uint32_t type;
        uint64_t offset;
    };
    std::vector<Place> places;
    places.reserve(tensors);
    gguf.tensors.reserve(tensors);
    for (uint64_t i = 0; i < tensors; ++i) {
        const std::string_view name = reader.text("the table of tensors");
        const auto dimensions = reader.read<uint32_t>("the table of tensors");
        if (!reader.sound()) return bad(reader.error());
        if (name.empty() || name.size() > 1024 || !is_utf8(name)) return bad("the name of tensor " + std::to_string(i) + " is not a text of UTF-8");
        const std::string where = "tensor " + in_quotes(name);
        if (dimensions > 4) return bad(where + " has " + std::to_string(dimensions) + " dimensions");
        GgufTensor tensor{.info = {.name = std::string(name), .shape = std::vector<int64_t>(dimensions)}};
        for (uint32_t d = 0; d < dimensions; ++d) {
            const auto n = reader.read<uint64_t>("the table of tensors");
            if (n > INT64_MAX) return bad(where + " has a dimension of " + std::to_string(n));
            tensor.info.shape[dimensions - 1 - d] = static_cast<int64_t>(n);
        }
        Place place{};
        place.type = reader.read<uint32_t>("the table of tensors");
        place.offset = reader.read<uint64_t>("the table of tensors");
        if (!reader.sound()) return bad(reader.error());
        places.push_back(place);
        gguf.tensors.push_back(std::move(tensor));
    }

    const uint64_t behind = reader.at() + (alignment - reader.at() % alignment) % alignment;
    for (size_t i = 0; i < gguf.tensors.size(); ++i) {
        GgufTensor& t = gguf.tensors[i];
        const auto [type, offset] = places[i];
        const std::string wrong = place_tensor(t, type, offset, static_cast<int64_t>(behind), static_cast<int64_t>(bytes.size()), alignment);
        if (!wrong.empty()) return bad("tensor " + in_quotes(t.info.name) + " " + wrong);
    }
    std::vector<const GgufTensor*> order;
    for (const GgufTensor& t : gguf.tensors) order.push_back(&t);
    std::sort(order.begin(), order.end(), [](const GgufTensor* a, const GgufTensor* b) { return a->info.name < b->info.name; });
    for (size_t i = 1; i < order.size(); ++i)
        if (order[i]->info.name == order[i - 1]->info.name) return bad("tensor " + in_quotes(order[i]->info.name) + " is there twice");
    std::sort(order.begin(), order.end(),
              [](const GgufTensor* a, const GgufTensor* b) { return std::pair(a->begin, a->info.bytes) < std::pair(b->begin, b->info.bytes); });
    for (size_t i = 1; i < order.size(); ++i)
        if (order[i]->begin < order[i - 1]->begin + order[i - 1]->info.bytes)
            return bad("tensor " + in_quotes(order[i]->info.name) + " overlaps " + in_quotes(order[i - 1]->info.name));
    return gguf;
}

// --- Writing --------------------------------------------------------------------------------------------------------

namespace {

template <class T>
void put_number(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_text(std::string& out, std::string_view text) {
    put_number<uint64_t>(out, text.size());
    out += text;
}
struct PutValue {  // the type, then the value
    std::string& out;
    template <class T>
    void typed(GgufValue::Type type, T value) {
        put_number<uint32_t>(out, type);
        put_number(out, value);
    }
    void operator()(uint16_t v) { typed(GgufValue::u16, v); }
    void operator()(uint32_t v) { typed(GgufValue::u32, v); }
    void operator()(int32_t v) { typed(GgufValue::i32, v); }
    void operator()(uint64_t v) { typed(GgufValue::u64, v); }
    void operator()(float v) { typed(GgufValue::f32, v); }
    void operator()(bool v) { typed(GgufValue::boolean, static_cast<uint8_t>(v)); }
    void operator()(const std::string& v) { typed(GgufValue::text_, static_cast<uint64_t>(v.size())), out += v; }
    void operator()(const std::vector<int32_t>& v) {
        typed(GgufValue::list_, static_cast<uint32_t>(GgufValue::i32)), put_number<uint64_t>(out, v.size());
        for (int32_t n : v) put_number(out, n);
    }
    void operator()(const std::vector<float>& v) {
        typed(GgufValue::list_, static_cast<uint32_t>(GgufValue::f32)), put_number<uint64_t>(out, v.size());
        for (float n : v) put_number(out, n);
    }
    void operator()(const std::vector<std::string>& v) {
        typed(GgufValue::list_, static_cast<uint32_t>(GgufValue::text_)), put_number<uint64_t>(out, v.size());
        for (const std::string& s : v) put_text(out, s);
    }
};
int64_t filled_up(int64_t bytes) { return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment; }

}  // namespace

std::string gguf_header(std::span<const GgufPair> metadata, std::span<const TensorInfo> tensors) {
    std::string out = "GGUF";
    put_number<uint32_t>(out, 3);
    put_number<uint64_t>(out, tensors.size());
    put_number<uint64_t>(out, metadata.size());
    for (const GgufPair& pair : metadata) {
        put_text(out, pair.key);
        std::visit(PutValue{out}, pair.value);
    }
    int64_t at = 0;
    for (const TensorInfo& t : tensors) {
        put_text(out, t.name);
        put_number(out, static_cast<uint32_t>(t.shape.size()));
        for (size_t d = t.shape.size(); d-- > 0;) put_number<uint64_t>(out, static_cast<uint64_t>(t.shape[d]));
        put_number(out, static_cast<uint32_t>(info(t.type).ggml));
        put_number(out, static_cast<uint64_t>(at));
        at = filled_up(at + t.bytes);
    }
    out.resize(static_cast<size_t>(filled_up(static_cast<int64_t>(out.size()))), '\0');
    return out;
}

}  // namespace klp
