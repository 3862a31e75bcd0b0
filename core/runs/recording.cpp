#include "core/runs/recording.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/files/crc32.h"
#include "core/files/json.h"

namespace klp {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr std::string_view kMagic = "KLPRUN\r\n";
constexpr size_t kPreface = 12;                 // magic and version
constexpr size_t kLargestHeader = 1 << 20;      // bytes
constexpr int64_t kMostReadings = 1 << 24;      // of a token; a hundred times those of the 48B
constexpr uint8_t kHeader = 255, kWords = 254;  // kinds that are no events; the others are indices of Event
constexpr size_t kFlushAt = 1 << 16;            // bytes

// --- Log decays in a byte ---------------------------------------------------------------------------------------------

constexpr float kSmallest = -21, kOctaves = 26;  // of -g, in powers of two
constexpr uint8_t kNotKnown = 255;

uint8_t to_byte(float g) {
    if (std::isnan(g)) return kNotKnown;
    if (g >= 0) return 0;
    const float place = (std::log2(-g) - kSmallest) * (253 / kOctaves);
    return static_cast<uint8_t>(1.5f + std::clamp(place, 0.f, 253.f));
}

const std::array<float, 256>& of_byte() {
    static const auto table = [] {
        std::array<float, 256> t{};
        for (size_t i = 1; i < 255; ++i) t[i] = -std::exp2(kSmallest + static_cast<float>(i - 1) * (kOctaves / 253));
        t[kNotKnown] = NAN;
        return t;
    }();
    return table;
}

// --- Fields: one description of every event, read by FieldReader and written by FieldWriter --------------------------------------------

class FieldWriter {
public:
    static constexpr bool reads = false;
    FieldWriter(std::string& to, const TraceShape& s) : shape(s), to_(to) {}
    void unsigned_(uint64_t v) {
        for (; v >= 128; v >>= 7) to_ += static_cast<char>(v | 128);
        to_ += static_cast<char>(v);
    }
    template <class T>
    void number(const T& value) {  // integers, enums, bools
        const auto v = static_cast<int64_t>(value);
        unsigned_(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63));
    }
    template <class T>
    void exact(const T& value) {
        to_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(const std::string& s) { unsigned_(s.size()), to_ += s; }
    template <class T, class Each>
    void list(const std::vector<T>& all, Each&& each) {
        unsigned_(all.size());
        for (const T& v : all) each(const_cast<T&>(v));
    }
    void halves(std::span<const float> values) {
        std::vector<float> cut(values.begin(), values.end());
        for (float& v : cut) v = std::clamp(v, -65504.f, 65504.f);  // NaN stays NaN
        const size_t at = to_.size();
        to_.resize(at + 2 * cut.size());
        encode(DType::f16, cut.data(), static_cast<int64_t>(cut.size()), to_.data() + at);
    }
    void bytes(std::span<const float> values) {
        for (float v : values) to_ += static_cast<char>(to_byte(v));
    }
    const TraceShape& shape;

private:
    std::string& to_;
};

// Whatever the bytes are, reading ends; after the first lie `ok` is false and everything reads zero.
class FieldReader {
public:
    static constexpr bool reads = true;
    FieldReader(std::string_view from, const TraceShape& s) : shape(s), from_(from) {}
    uint64_t unsigned_() {
        uint64_t v = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const std::string_view byte = take(1);
            if (byte.empty()) return 0;
            v |= static_cast<uint64_t>(byte[0] & 127) << shift;
            if (!(byte[0] & 128)) return v;
        }
        ok = false;
        return 0;
    }
    template <class T>
    void number(T& value) {
        const uint64_t u = unsigned_();
        const auto v = static_cast<int64_t>(u >> 1 ^ (~(u & 1) + 1));
        value = static_cast<T>(v);
        if (static_cast<int64_t>(value) != v) ok = false;
    }
    template <class T>
    void exact(T& value) {
        if (const std::string_view b = take(sizeof value); !b.empty()) std::memcpy(&value, b.data(), sizeof value);
    }
    void text(std::string& s) { s = take(unsigned_()); }
    template <class T, class Each>
    void list(std::vector<T>& all, Each&& each) {
        const uint64_t n = unsigned_();
        if (n > from_.size()) ok = false;  // an element has a byte at least
        for (uint64_t i = 0; ok && i < n; ++i) each(all.emplace_back());
    }
    void halves(std::span<float> values) {
        const std::string_view b = take(2 * values.size());
        if (!b.empty()) decode(DType::f16, b.data(), static_cast<int64_t>(values.size()), values.data());
    }
    void bytes(std::span<float> values) {
        const std::string_view b = take(values.size());
        for (size_t i = 0; i < b.size(); ++i) values[i] = of_byte()[static_cast<unsigned char>(b[i])];
    }
    void must(bool right) { ok = ok && right; }
    size_t left() const { return from_.size(); }
    bool ok = true;
    const TraceShape& shape;

private:
    std::string_view take(uint64_t n) {
        if (n > from_.size()) ok = false;
        if (!ok) return {};
        const std::string_view all = from_.substr(0, n);
        from_.remove_prefix(n);
        return all;
    }
    std::string_view from_;
};

template <class A, class E>
void choice(A& a, E& value, int count) {  // an enum of so many values
    a.number(value);
    if constexpr (A::reads) {
        a.must(static_cast<int>(value) >= 0 && static_cast<int>(value) < count);
        if (!a.ok) value = E{};
    }
}
template <class A, class T>
void natural(A& a, T& value) {
    a.number(value);
    if constexpr (A::reads) a.must(value >= 0);
}
template <class A>
void flag(A& a, bool& value) {
    a.number(value);
}
template <class A>
void fields(A& a, MemoryUse& m) {
    natural(a, m.state), natural(a, m.conv), natural(a, m.cache);
}
template <class A>
void fields(A& a, SnapshotPool::Move& m) {
    a.number(m.restored_bytes), a.number(m.replayed), a.number(m.nanoseconds);
}
template <class A>
void fields(A& a, Error& e) {
    int kind = e.kind;
    a.number(kind), a.text(e.message);
    if constexpr (A::reads) {
        a.must(kind == Error::failure || kind == Error::usage || kind == Error::model || kind == Error::device || kind == Error::interrupted);
        e.kind = a.ok ? static_cast<Error::Kind>(kind) : Error::failure;
    }
}
template <class A>
void fields(A& a, Sampling& s) {
    a.exact(s.temperature), a.number(s.top_k), a.exact(s.top_p), a.exact(s.min_p), a.exact(s.repeat_penalty), a.number(s.repeat_window), a.exact(s.seed);
}
template <class A>
void fields(A& a, Part& p) {
    a.text(p.role), a.text(p.text), flag(a, p.open);
    a.list(p.ids, [&](int32_t& id) { a.number(id); });
}
// A head of a layer, and a matrix or row of it.
template <class A>
void place(A& a, int& layer, int& head) {
    a.number(layer), a.number(head);
    if constexpr (A::reads)
        a.must((a.shape.has(Site::beta, layer) && head >= 0 && head < a.shape.kda_heads) ||
               (a.shape.has(Site::log_sum_exp, layer) && head >= 0 && head < a.shape.mla_heads));
}

template <class A>
void fields(A& a, Loading& e) {
    a.text(e.what), a.exact(e.fraction);
}
template <class A>
void fields(A&, Loaded&) {}  // the card is the header's
template <class A>
void fields(A&, Unloaded&) {}
template <class A>
void fields(A& a, Trouble& e) {
    fields(a, e.error), a.text(e.advice), a.number(e.answer);
}
template <class A>
void fields(A& a, PhaseChanged& e) {
    choice(a, e.phase, static_cast<int>(Phase::probing) + 1), a.number(e.done), a.number(e.total);
}
template <class A>
void fields(A& a, PromptFed& e) {
    natural(a, e.first), a.list(e.ids, [&](int32_t& id) { a.number(id); });
}
template <class A>
void fields(A& a, TokenMade& e) {
    a.number(e.answer), natural(a, e.position), a.number(e.id), a.text(e.text), a.number(e.nanoseconds), a.exact(e.probability), a.exact(e.entropy),
        a.number(e.rank);
    a.list(e.top, [&](Candidate& c) { a.number(c.id), a.exact(c.probability); });
    fields(a, e.memory);
}
template <class A>
void fields(A& a, Readings& e) {
    natural(a, e.position);
    const auto values = [&](int site) -> std::span<float> {
        const auto& layers = a.shape.layers(static_cast<Site>(site));
        if (layers.empty() || static_cast<int64_t>(e.values.size()) != a.shape.size()) return {};
        return std::span(e.values).subspan(static_cast<size_t>(a.shape.offset(static_cast<Site>(site), layers[0])),
                                           layers.size() * static_cast<size_t>(a.shape.width(static_cast<Site>(site))));
    };
    uint64_t kept = 0;  // sites, as bits
    if constexpr (A::reads) {
        kept = a.unsigned_();
        size_t need = 0;
        for (int s = 0; s < kSites; ++s)
            if (kept >> s & 1)
                need += a.shape.layers(static_cast<Site>(s)).size() * static_cast<size_t>(a.shape.width(static_cast<Site>(s))) * (s == 0 ? 1 : 2);
        a.must(need <= a.left());
        if (!a.ok || kept == 0) return;
        e.values.assign(static_cast<size_t>(a.shape.size()), NAN);
    } else {
        for (int s = 0; s < kSites; ++s)
            if (const auto v = values(s); std::any_of(v.begin(), v.end(), [](float x) { return !std::isnan(x); })) kept |= uint64_t{1} << s;
        a.unsigned_(kept);
    }
    for (int s = 0; s < kSites; ++s) {
        if (!(kept >> s & 1)) continue;
        if (static_cast<Site>(s) == Site::log_decay)
            a.bytes(values(s));
        else
            a.halves(values(s));
        if (A::reads && static_cast<Site>(s) == Site::picks)
            for (float& pick : values(s)) pick = pick >= 0 && pick < static_cast<float>(a.shape.num_experts) ? std::floor(pick) : NAN;
    }
}
template <class A>
void fields(A& a, AnswerDone& e) {
    a.number(e.answer), choice(a, e.end, static_cast<int>(Generation::End::cancelled) + 1), flag(a, e.closed), a.number(e.tokens), a.number(e.prompt_tokens);
    a.number(e.prefill_ns), a.number(e.first_token_ns), a.number(e.decode_ns);
    fields(a, e.move);
    for (int64_t* t : {&e.phases.embed, &e.phases.kda, &e.phases.mla, &e.phases.dense, &e.phases.moe, &e.phases.head}) a.number(*t);
    a.exact(e.seed), fields(a, e.memory);
}
template <class A>
void fields(A& a, Moved& e) {
    fields(a, e.move), natural(a, e.position);
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    fields(a, e.memory);
}
template <class A>
void fields(A& a, CostKnown& e) {
    a.number(e.request), fields(a, e.move);
}
template <class A>
void fields(A& a, SnapshotsKept& e) {
    a.number(e.count), a.number(e.bytes), a.number(e.budget);
}
template <class A>
void fields(A& a, StatePicture& e) {
    place(a, e.layer, e.head), natural(a, e.position);
    a.number(e.rows), a.number(e.columns);
    if constexpr (A::reads) {
        a.must(e.rows > 0 && e.rows == a.shape.value_dim && e.columns > 0 && e.columns == a.shape.key_dim);
        if (!a.ok) return;
        const size_t n = static_cast<size_t>(e.rows) * static_cast<size_t>(e.columns);
        a.must(a.left() >= 2 * n);
        if (!a.ok) return;
        e.values.resize(n);
    }
    a.halves(e.values);
}
template <class A>
void fields(A& a, RacePoint& e) {
    natural(a, e.context), a.exact(e.hybrid_ns), a.exact(e.twin_ns), fields(a, e.hybrid), fields(a, e.twin);
}
template <class A>
void fields(A& a, RaceDone& e) {
    choice(a, e.twin, static_cast<int>(TwinKind::recorded) + 1), a.text(e.why);
}
template <class A>
void fields(A& a, AttentionPicture& e) {
    place(a, e.layer, e.head), natural(a, e.position), natural(a, e.first), flag(a, e.implicit);
    const auto some = [&](std::vector<float>& values) {
        uint64_t n = values.size();
        if constexpr (A::reads) {
            n = a.unsigned_();
            a.must(n <= a.left() / 2);
            if (!a.ok) return;
            values.resize(n);
        } else {
            a.unsigned_(n);
        }
        a.halves(values);
    };
    some(e.weights);
    if constexpr (A::reads)
        if (a.left() == 0) return;  // written before there was more
    some(e.decay_only), a.exact(e.before);
    if constexpr (A::reads) a.must(e.decay_only.empty() || e.decay_only.size() == e.weights.size());
}
template <class A>
void fields(A& a, EventsDropped& e) {
    a.number(e.readings);
}
template <class A>
void fields(A& a, TelemetryCost& e) {
    a.exact(e.share);
}
template <class A>
void fields(A& a, AnswerBegun& e) {
    a.number(e.answer), a.list(e.line, [&](Part& p) { fields(a, p); }), fields(a, e.sampling);
}

template <size_t I = 0>
std::optional<Event> read_event(size_t kind, FieldReader& in) {
    if constexpr (I == std::variant_size_v<Event>) {
        return std::nullopt;
    } else {
        if (kind != I) return read_event<I + 1>(kind, in);
        std::variant_alternative_t<I, Event> e;
        fields(in, e);
        if (!in.ok) return std::nullopt;
        return e;
    }
}

// --- The header -------------------------------------------------------------------------------------------------------

std::string header_text(const RecordingHeader& h) {
    const RunCard& c = *h.card;
    const DeviceInfo& d = c.device;
    const Sampling& s = c.sampling;
    const Json model{
        {"name", c.name},
        {"weights", c.weights},
        {"config", Json::parse(to_json(c.config))},
        {"device", {{"name", d.name}, {"hardware", d.hardware}, {"detail", d.detail}, {"why", d.why}, {"memory_bytes", d.memory_bytes}}},
        {"context", c.context},
        {"weight_bytes", c.weight_bytes},
        {"active_bytes", c.active_bytes},
        {"cache_value_bytes", c.cache_value_bytes},
        {"load_ns", c.load_ns},
        {"predict", c.predict},
        {"sampling", {{"temperature", s.temperature}, {"top_k", s.top_k}, {"top_p", s.top_p}, {"min_p", s.min_p}, {"repeat_penalty", s.repeat_penalty}}},
        {"twin", label(c.twin)}};
    return Json{{"title", h.title}, {"about", h.about}, {"date", h.date}, {"build", h.build}, {"licence", h.licence}, {"model", model}}.dump(
        -1, ' ', false, Json::error_handler_t::replace);
}

Result<RecordingHeader> parse_header(std::string_view text, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::failure, file + ": " + what); };
    auto parsed = parse_json(text, file + ": the header");
    if (!parsed) return bad(parsed.error().message.substr(file.size() + 2));
    if (!parsed->is_object() || !(*parsed)["model"].is_object()) return bad("the header names no model");
    const auto string_of = [](const Json& j, const char* key) {
        const auto it = j.find(key);
        return it != j.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    const auto number_of = [](const Json& j, const char* key, auto& value, double least, double most) {
        const auto it = j.find(key);
        if (it == j.end() || !it->is_number()) return;
        const double v = it->get<double>();
        if (v >= least && v <= most) value = static_cast<std::decay_t<decltype(value)>>(v);
    };
    const Json& model = (*parsed)["model"];
    auto config = parse_config(model.value("config", Json()).dump(), file + ": model.config");
    if (!config) return bad(config.error().message.substr(file.size() + 2));
    auto card = std::make_shared<RunCard>();
    card->config = std::move(*config);
    card->shape = TraceShape(card->config);
    if (card->shape.size() > kMostReadings) return bad("its model has " + std::to_string(card->shape.size()) + " readings a token, more than can be shown");
    card->name = string_of(model, "name"), card->weights = string_of(model, "weights");
    if (const auto d = model.find("device"); d != model.end() && d->is_object()) {
        card->device = {string_of(*d, "name"), string_of(*d, "hardware"), string_of(*d, "detail"), string_of(*d, "why")};
        number_of(*d, "memory_bytes", card->device.memory_bytes, 0, 1e18);
    }
    card->context = card->config.model_max_length;
    number_of(model, "context", card->context, 1, 1e12);
    number_of(model, "weight_bytes", card->weight_bytes, 0, 1e18);
    number_of(model, "active_bytes", card->active_bytes, 0, 1e18);
    number_of(model, "cache_value_bytes", card->cache_value_bytes, 1, 8);
    number_of(model, "load_ns", card->load_ns, 0, 1e18);
    number_of(model, "predict", card->predict, 1, 1e12);
    if (const auto s = model.find("sampling"); s != model.end() && s->is_object()) {
        number_of(*s, "temperature", card->sampling.temperature, 0, 100);
        number_of(*s, "top_k", card->sampling.top_k, 0, 1e9);
        number_of(*s, "top_p", card->sampling.top_p, 0, 1);
        number_of(*s, "min_p", card->sampling.min_p, 0, 1);
        number_of(*s, "repeat_penalty", card->sampling.repeat_penalty, 0.01, 100);
    }
    card->twin = TwinKind::recorded;
    RecordingHeader h{string_of(*parsed, "title"), string_of(*parsed, "about"),   string_of(*parsed, "date"),
                      string_of(*parsed, "build"), string_of(*parsed, "licence"), nullptr};
    card->recorded = h.date + (card->device.hardware.empty() ? "" : ", " + card->device.hardware);
    h.card = std::move(card);
    return h;
}

struct Body {
    std::string_view all;  // with kind and time
    bool whole = true;
};
// The record at `at`, which moves behind it; nothing where it is torn.
std::optional<Body> next_body(std::string_view bytes, size_t& at) {
    if (bytes.size() - at < 8) return std::nullopt;
    uint32_t length = 0, sum = 0;
    std::memcpy(&length, bytes.data() + at, 4);
    std::memcpy(&sum, bytes.data() + at + 4, 4);
    if (length < 2 || length > bytes.size() - at - 8) return std::nullopt;
    const std::string_view body = bytes.substr(at + 8, length);
    at += 8 + length;
    return Body{body, crc32(body) == sum};
}

Result<std::string_view> preface(std::string_view bytes, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::failure, file + what); };
    if (bytes.size() < kPreface || !bytes.starts_with(kMagic)) return bad(" is not a recorded run (.klprun)");
    uint32_t version = 0;
    std::memcpy(&version, bytes.data() + kMagic.size(), 4);
    if (version > kRecordingVersion)
        return bad(" was recorded by a newer version of this program (format " + std::to_string(version) + "; this one reads up to " +
                   std::to_string(kRecordingVersion) + ")");
    if (version == 0) return bad(" is not a recorded run (.klprun)");
    size_t at = kPreface;
    const auto first = next_body(bytes, at);
    if (!first || !first->whole || static_cast<uint8_t>(first->all[0]) != kHeader || first->all.size() > kLargestHeader)
        return bad(": the header is torn, so nothing of it can be read");
    return first->all;
}

}  // namespace

// --- Writing ----------------------------------------------------------------------------------------------------------

Result<RecordingWriter> RecordingWriter::create(const fs::path& file, const RecordingHeader& header) {
    RecordingWriter w;
    w.path_ = file;
    w.card_ = header.card;
    w.fd_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w.fd_ < 0) return fail(Error::failure, file.string() + (errno == EEXIST ? " exists already" : std::string(": ") + std::strerror(errno)));
    w.waiting_ = kMagic;
    const uint32_t version = kRecordingVersion;
    w.waiting_.append(reinterpret_cast<const char*>(&version), 4);
    w.put_record(static_cast<char>(kHeader) + std::string(1, '\0') + header_text(header));
    if (auto done = w.flush(); !done) {
        ::unlink(file.c_str());
        return tl::unexpected(done.error());
    }
    return w;
}

RecordingWriter::RecordingWriter(RecordingWriter&& o) noexcept
    : path_(std::move(o.path_)),
      fd_(std::exchange(o.fd_, -1)),
      written_(o.written_),
      waiting_(std::move(o.waiting_)),
      named_(std::move(o.named_)),
      card_(std::move(o.card_)),
      failed_(std::move(o.failed_)) {}

RecordingWriter& RecordingWriter::operator=(RecordingWriter&& o) noexcept {
    std::swap(path_, o.path_), std::swap(fd_, o.fd_), std::swap(written_, o.written_), std::swap(waiting_, o.waiting_);
    std::swap(named_, o.named_), std::swap(card_, o.card_), std::swap(failed_, o.failed_);
    return *this;
}

RecordingWriter::~RecordingWriter() {
    if (fd_ < 0) return;
    (void)flush();
    ::close(fd_);
}

void RecordingWriter::put_record(const std::string& body) {
    const auto length = static_cast<uint32_t>(body.size()), sum = crc32(body);
    waiting_.append(reinterpret_cast<const char*>(&length), 4).append(reinterpret_cast<const char*>(&sum), 4).append(body);
}

void RecordingWriter::name_ids(std::span<const int32_t> ids, int64_t nanoseconds) {
    std::string body(1, static_cast<char>(kWords));
    FieldWriter out(body, card_->shape);
    out.number(nanoseconds);
    const size_t empty = body.size();
    for (int32_t id : ids) {
        if (!named_.insert(id).second) continue;
        out.number(id), out.number(card_->tokenizer->is_special(id)), out.text(std::string(card_->tokenizer->bytes(id)));
    }
    if (body.size() > empty) put_record(body);
}

Result<void> RecordingWriter::append(const Event& event, int64_t nanoseconds) {
    if (failed_) return tl::unexpected(*failed_);
    if (const auto* loaded = std::get_if<Loaded>(&event); loaded && loaded->card != card_ && to_json(loaded->card->config) != to_json(card_->config)) {
        failed_ = Error{Error::failure, path_.string() + " ends here: another model was loaded"};
        return tl::unexpected(*failed_);
    }
    if (card_->tokenizer) {
        if (const auto* fed = std::get_if<PromptFed>(&event)) name_ids(fed->ids, nanoseconds);
        if (const auto* made = std::get_if<TokenMade>(&event)) {
            std::vector<int32_t> ids{made->id};
            for (const Candidate& c : made->top) ids.push_back(c.id);
            name_ids(ids, nanoseconds);
        }
    }
    std::string body(1, static_cast<char>(event.index()));
    FieldWriter out(body, card_->shape);
    out.number(nanoseconds);
    std::visit([&](const auto& e) { fields(out, const_cast<std::decay_t<decltype(e)>&>(e)); }, event);
    put_record(body);
    return waiting_.size() >= kFlushAt ? flush() : Result<void>();
}

Result<void> RecordingWriter::flush() {
    if (failed_) return tl::unexpected(*failed_);
    for (size_t done = 0; done < waiting_.size();) {
        const ssize_t n = ::write(fd_, waiting_.data() + done, waiting_.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            const int error = n < 0 ? errno : EIO;
            // The reader stops at the torn record anyway; without it the file looks as whole as it is.
            if (::ftruncate(fd_, written_) == 0) (void)::lseek(fd_, written_, SEEK_SET);
            failed_ = Error{Error::failure, path_.string() + ": " + std::strerror(error) + "; the recording ends here"};
            waiting_.clear();
            return tl::unexpected(*failed_);
        }
        done += static_cast<size_t>(n);
    }
    written_ += static_cast<int64_t>(waiting_.size());
    waiting_.clear();
    return {};
}

// --- Reading ----------------------------------------------------------------------------------------------------------

Result<RecordingHeader> Recording::peek(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail(Error::failure, file.string() + ": " + std::strerror(errno));
    std::string front(kPreface + 8 + kLargestHeader, '\0');
    const ssize_t n = ::read(fd, front.data(), front.size());
    const int error = errno;
    ::close(fd);
    if (n < 0) return fail(Error::failure, file.string() + ": " + std::strerror(error));
    front.resize(static_cast<size_t>(n));
    const auto header = preface(front, file.string());
    if (!header) return tl::unexpected(header.error());
    return parse_header(header->substr(2), file.string());
}

Result<std::shared_ptr<const Recording>> Recording::open(const fs::path& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::failure, file.string() + what); };
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return bad(std::string(": ") + std::strerror(errno));
    struct stat st {};
    const bool regular = ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    void* map = regular && st.st_size > 0 ? ::mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    ::close(fd);
    if (!regular) return bad(" is not a file");
    if (map == MAP_FAILED) return bad(" is not a recorded run (.klprun)");
    std::shared_ptr<Recording> r(new Recording);
    r->path_ = file;
    r->bytes_ = {static_cast<const char*>(map), static_cast<size_t>(st.st_size)};

    const auto front = preface(r->bytes_, file.string());
    if (!front) return tl::unexpected(front.error());
    auto header = parse_header(front->substr(2), file.string());
    if (!header) return tl::unexpected(header.error());
    r->header_ = std::move(*header);

    std::map<int32_t, Tokenizer::Piece> pieces;
    int64_t lost = 0, before = 0;
    size_t at = static_cast<size_t>(front->data() - r->bytes_.data()) + front->size();
    while (at < r->bytes_.size()) {
        const auto body = next_body(r->bytes_, at);
        if (!body) break;
        FieldReader in(body->all.substr(1), r->header_.card->shape);
        int64_t nanoseconds = 0;
        in.number(nanoseconds);
        const auto kind = static_cast<uint8_t>(body->all[0]);
        if (!body->whole || !in.ok) {
            ++lost;
            continue;
        }
        before = std::max(before, nanoseconds);
        if (kind == kWords) {
            while (in.ok && in.left() > 0) {
                int32_t id = 0;
                Tokenizer::Piece piece;
                in.number(id), in.number(piece.special), in.text(piece.bytes);
                if (in.ok) pieces[id] = std::move(piece);
            }
        } else if (kind < std::variant_size_v<Event>) {
            r->entries_.push_back({at - in.left(), before, static_cast<uint32_t>(in.left()), kind});
        }  // else of a later minor addition: passed over
    }
    if (const size_t torn = r->bytes_.size() - at; lost > 0 || torn > 0) {
        r->damage_ = file.string() + " is damaged: " + (lost > 0 ? std::to_string(lost) + " of its records cannot be read" : "") +
                     (lost > 0 && torn > 0 ? " and " : "") + (torn > 0 ? "its last " + std::to_string(torn) + " bytes are torn" : "") + "; all " +
                     std::to_string(r->entries_.size()) + " whole events are shown.";
    }
    auto card = std::make_shared<RunCard>(*r->header_.card);
    card->tokenizer = std::make_shared<const Tokenizer>(Tokenizer::of_pieces(std::move(pieces)));
    r->header_.card = std::move(card);
    return r;
}

Recording::~Recording() {
    if (bytes_.data()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

std::optional<Event> Recording::event(size_t i) const {
    const Entry& e = entries_[i];
    FieldReader in(bytes_.substr(e.offset, e.length), header_.card->shape);
    auto event = read_event(e.kind, in);
    if (event)
        if (auto* loaded = std::get_if<Loaded>(&*event)) loaded->card = header_.card;
    return event;
}

std::string date_text(int64_t seconds) {
    const auto t = static_cast<time_t>(seconds);
    tm utc{};
    gmtime_r(&t, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
    return text;
}

}  // namespace klp
