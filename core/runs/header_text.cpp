#include "core/runs/header_text.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "core/files/json.h"

namespace klp {

namespace {

constexpr int64_t kMostReadings = 1 << 24;  // of a token; a hundred times those of the 48B

}  // namespace

std::string header_text(const RecordingHeader& h) {
    const RunCard& c = *h.card;
    const DeviceInfo& d = c.device;
    const Sampling& s = c.sampling;
    const nlohmann::json model{
        {"name", c.name},
        {"weights", c.weights},
        {"config", nlohmann::json::parse(to_json(c.config))},
        {"device", {{"name", d.name}, {"hardware", d.hardware}, {"detail", d.detail}, {"why", d.why}, {"memory_bytes", d.memory_bytes}}},
        {"context", c.context},
        {"weight_bytes", c.weight_bytes},
        {"active_bytes", c.active_bytes},
        {"cache_value_bytes", c.cache_value_bytes},
        {"load_ns", c.load_ns},
        {"predict", c.predict},
        {"sampling", {{"temperature", s.temperature}, {"top_k", s.top_k}, {"top_p", s.top_p}, {"min_p", s.min_p}, {"repeat_penalty", s.repeat_penalty}}},
        {"twin", label(c.twin)}};
    return nlohmann::json{{"title", h.title}, {"about", h.about}, {"date", h.date}, {"build", h.build}, {"licence", h.licence}, {"model", model}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<RecordingHeader> parse_header(std::string_view text, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::failure, file + ": " + what); };
    auto parsed = parse_json(text, file + ": the header");
    if (!parsed) return bad(parsed.error().message.substr(file.size() + 2));
    if (!parsed->is_object() || !(*parsed)["model"].is_object()) return bad("the header names no model");
    const auto string_of = [](const nlohmann::json& j, const char* key) {
        const auto it = j.find(key);
        return it != j.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    const auto number_of = [](const nlohmann::json& j, const char* key, auto& value, double least, double most) {
        const auto it = j.find(key);
        if (it == j.end() || !it->is_number()) return;
        const double v = it->get<double>();
        if (v >= least && v <= most) value = static_cast<std::decay_t<decltype(value)>>(v);
    };
    const nlohmann::json& model = (*parsed)["model"];
    auto config = parse_config(model.value("config", nlohmann::json()).dump(), file + ": model.config");
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

}  // namespace klp
