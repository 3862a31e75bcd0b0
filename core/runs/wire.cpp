#include "core/runs/wire.h"

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "core/files/json.h"
#include "core/runs/event_fields.h"
#include "core/runs/header_text.h"

namespace klp {

namespace {

constexpr uint64_t kMostWords = 1 << 24;

}  // namespace

std::string wire_frame(uint8_t kind, int64_t number, int64_t nanoseconds, std::string_view fields) {
    const TraceShape none;
    std::string out(4, '\0');
    out += static_cast<char>(kind);
    FieldWriter head(out, none);
    head.number(number), head.number(nanoseconds);
    out += fields;
    const auto length = static_cast<uint32_t>(out.size() - 4);
    std::memcpy(out.data(), &length, 4);
    return out;
}

void WireReader::push(std::string_view bytes) {
    bytes_.erase(0, std::exchange(at_, 0));
    bytes_ += bytes;
}

Result<std::optional<WireFrame>> WireReader::next() {
    const std::string_view rest = std::string_view(bytes_).substr(at_);
    uint32_t length = 0;
    if (rest.size() < 4) return std::optional<WireFrame>();
    std::memcpy(&length, rest.data(), 4);
    if (length < 3 || length > kLargestFrame) return fail(Error::failure, "a frame of " + std::to_string(length) + " bytes is none of the run protocol");
    if (rest.size() < 4 + size_t{length}) return std::optional<WireFrame>();
    const TraceShape none;
    WireFrame frame{.kind = static_cast<uint8_t>(rest[4])};
    FieldReader head(rest.substr(5, length - 1), none);
    head.number(frame.number), head.number(frame.nanoseconds);
    if (!head.ok || frame.number < 0) return fail(Error::failure, "a frame without a number is none of the run protocol");
    frame.fields = rest.substr(4 + size_t{length} - head.left(), head.left());
    at_ += 4 + size_t{length};
    return std::optional(frame);
}

std::string card_on_wire(const RunCard& card) {
    nlohmann::json readings = nlohmann::json::array();
    for (int s = 0; s < kSites; ++s) {
        const Site site = static_cast<Site>(s);
        const auto& layers = card.shape.layers(site);
        if (layers.empty()) continue;
        readings.push_back(
            {{"site", name(site)}, {"bit", s}, {"layers", layers}, {"width", card.shape.width(site)}, {"offset", card.shape.offset(site, layers[0])}});
    }
    const auto copy = std::shared_ptr<const RunCard>(&card, [](const RunCard*) {});
    char identity[17] = {};
    std::to_chars(identity, identity + 16, card.identity, 16);
    const nlohmann::json out{
        {"protocol", kWireVersion},
        {"header", nlohmann::json::parse(header_text({.title = card.name, .about = "", .date = "", .build = "", .licence = "", .card = copy}))},
        {"identity", identity},
        {"memory_plan", card.memory_plan},
        {"repeat_window", card.sampling.repeat_window},
        {"readings", readings},
        {"row", card.shape.size()}};
    return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::shared_ptr<RunCard>> card_of_wire(std::string_view text, const std::string& from) {
    auto json = parse_json(text, from);
    if (!json) return fail(Error::failure, json.error().message);
    const auto version = json->is_object() ? json->find("protocol") : json->end();
    if (!json->is_object() || version == json->end() || !version->is_number_integer()) return fail(Error::failure, from + " does not speak the run protocol");
    if (*version != kWireVersion)
        return fail(Error::failure,
                    from + " speaks version " + version->dump() + " of the run protocol, and this program version " + std::to_string(kWireVersion));
    auto header = parse_header(json->value("header", nlohmann::json::object()).dump(), from);
    if (!header) return tl::unexpected(header.error());
    auto card = std::make_shared<RunCard>(*header->card);
    const auto text_of = [&](const nlohmann::json& of, const char* key) {
        const auto it = of.find(key);
        return it != of.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    const std::string identity = text_of(*json, "identity");
    std::from_chars(identity.data(), identity.data() + identity.size(), card->identity, 16);
    card->memory_plan = text_of(*json, "memory_plan");
    if (const auto window = json->find("repeat_window"); window != json->end() && window->is_number_integer())
        card->sampling.repeat_window = window->get<int>();
    card->sampling = within_range(card->sampling);
    card->twin = TwinKind::computed;
    const std::string twin = text_of((*json)["header"]["model"], "twin");
    for (TwinKind kind : {TwinKind::trained, TwinKind::synthetic})
        if (twin == label(kind)) card->twin = kind;
    card->recorded.clear();
    return card;
}

std::string words_on_wire(const Tokenizer& tokenizer) {
    const TraceShape none;
    std::string out;
    FieldWriter to(out, none);
    const int words = tokenizer.vocab_size();
    to.unsigned_(static_cast<uint64_t>(words));
    for (int32_t id = 0; id < words; ++id) {
        const bool special = tokenizer.is_special(id);
        const std::string_view bytes = tokenizer.bytes(id);
        to.number(special), to.text(std::string(bytes));
    }
    return out;
}

Result<Tokenizer> words_of_wire(std::string_view bytes, const std::string& from) {
    const TraceShape none;
    FieldReader in(bytes, none);
    std::map<int32_t, Tokenizer::Piece> pieces;
    const uint64_t words = in.unsigned_();
    in.must(words <= kMostWords);
    for (uint64_t id = 0; in.ok && id < words; ++id) {
        Tokenizer::Piece piece;
        in.number(piece.special), in.text(piece.bytes);
        if (in.ok && !piece.bytes.empty()) pieces[static_cast<int32_t>(id)] = std::move(piece);
    }
    if (!in.ok || in.left() > 0) return fail(Error::failure, from + ": the list of tokens is torn");
    return Tokenizer::of_pieces(std::move(pieces));
}

}  // namespace klp
