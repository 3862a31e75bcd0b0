#include "core/model/interventions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/files/json.h"
#include "core/model/model.h"

namespace klp {

bool named(const std::vector<int>& all, int one) { return all.empty() || std::find(all.begin(), all.end(), one) != all.end(); }

namespace {

using What = Intervention::What;
constexpr std::array<std::string_view, 8> kWhats = {"gates", "beta", "read", "silence", "empty", "put", "edit", "hide"};

// Whether this kind of change means anything in this layer.
bool concerns(What what, const ModelConfig& c, int layer) {
    switch (what) {
        case What::read:
            return true;
        case What::silence:
            return c.is_moe(layer);
        case What::hide:
            return !c.has_state(layer);
        default:
            return c.has_state(layer);
    }
}

std::string listed(const std::vector<int>& numbers) {
    std::string out;
    for (size_t i = 0; i < numbers.size(); ++i) out += (i == 0 ? "" : i + 1 == numbers.size() ? " and " : ", ") + std::to_string(numbers[i]);
    return out;
}

std::string short_amount(float amount) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", static_cast<double>(amount));
    return text;
}

// The same as far as tokens before `position` go.
std::vector<Intervention> until(const Interventions* all, int64_t position) {
    std::vector<Intervention> out;
    if (!all) return out;
    for (Intervention one : *all) {
        if (one.from >= position) continue;
        if (one.to >= position) one.to = Intervention::kAlways;
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

std::string_view name(What what) { return kWhats[static_cast<size_t>(what)]; }

std::string in_words(const Intervention& one) {
    std::string where;
    if (!one.layers.empty()) where += (one.layers.size() == 1 ? "layer " : "layers ") + listed(one.layers);
    if (!one.heads.empty()) where += (where.empty() ? "" : ", ") + std::string(one.heads.size() == 1 ? "head " : "heads ") + listed(one.heads);
    if (!one.channels.empty()) where += (where.empty() ? "" : ", ") + std::string(one.channels.size() == 1 ? "channel " : "channels ") + listed(one.channels);
    if (where.empty()) where = "every layer";
    std::string out;
    switch (one.what) {
        case What::gates:
            out = "half-lives of " + where + " x" + short_amount(one.amount);
            break;
        case What::beta:
            out = one.amount == 0 ? "nothing is written in " + where : "beta of " + where + " x" + short_amount(one.amount);
            break;
        case What::read:
            out = one.amount == 0 ? "nothing is read in " + where : "what " + where + " reads x" + short_amount(one.amount);
            break;
        case What::silence:
            out = (one.experts.size() == 1 ? "expert " : "experts ") + listed(one.experts) + " of " + where + " silenced";
            break;
        case What::empty:
            out = "the state of " + where + " emptied";
            break;
        case What::put:
            out = "another state put into " + where;
            break;
        case What::edit:
            out = std::string(one.value.empty() ? "one key erased" : "one key overwritten") + " in " + where;
            break;
        case What::hide:
            out = "tokens " + std::to_string(one.tokens.first) + " to " + std::to_string(one.tokens.second - 1) + " hidden from the latent cache of " + where;
            break;
    }
    if (one.from > 0)
        out += (one.once() ? " at token " : " from token ") + std::to_string(one.from) + (one.once() || one.to != Intervention::kAlways ? "" : " on");
    if (one.to != Intervention::kAlways) out += (one.from > 0 ? " to " : " up to token ") + std::to_string(one.to - 1);
    return out;
}

Result<void> check(const Interventions& all, const ModelConfig& c) {
    for (const Intervention& one : all) {
        const std::string what = "'" + std::string(name(one.what)) + "'";
        const auto bad = [&](const std::string& why) { return fail(Error::usage, what + ": " + why); };
        const auto none = [&](const char* kind, int number, int has, int layer) {
            return bad("layer " + std::to_string(layer) + " has no " + kind + " " + std::to_string(number) + ", only 0 to " + std::to_string(has - 1));
        };
        for (const int layer : one.layers) {
            if (layer < 0 || layer >= c.num_hidden_layers)
                return bad("the model has no layer " + std::to_string(layer) + ", only 0 to " + std::to_string(c.num_hidden_layers - 1));
            if (concerns(one.what, c, layer)) continue;
            const std::string is = "layer " + std::to_string(layer) + " is " + layer_words(c, layer);
            return bad(one.what == What::silence ? "layer " + std::to_string(layer) + " has no experts"
                       : one.what == What::hide  ? is + " and has no latent cache"
                                                 : is + ", which has no state and no gates");
        }
        if (!one.channels.empty() && one.what != What::gates && one.what != What::empty) return bad("it is not of channels");
        if (!one.experts.empty() && one.what != What::silence) return bad("it is not of experts");
        bool any = false;
        for (int layer = 0; layer < c.num_hidden_layers; ++layer) {
            if (!named(one.layers, layer) || !concerns(one.what, c, layer)) continue;
            any = true;
            const int heads = c.has_state(layer) ? c.kda_heads : c.num_attention_heads;
            for (const int h : one.heads)
                if (h < 0 || h >= heads) return none("head", h, heads, layer);
            for (const int i : one.channels)
                if (i < 0 || i >= c.kda_key_dim) return none("channel", i, c.kda_key_dim, layer);
            for (const int e : one.experts)
                if (e < 0 || e >= c.num_experts) return none("expert", e, c.num_experts, layer);
        }
        if (!any)
            return bad(one.what == What::silence ? "the model has no experts"
                       : one.what == What::hide  ? "the model has no latent cache"
                                                 : "the model has no KDA layer");
        if (one.from < 0 || one.to <= one.from) return bad("tokens from " + std::to_string(one.from) + " to " + std::to_string(one.to) + " are none");
        if (!std::isfinite(one.amount) || (one.what == What::gates && one.amount <= 0))
            return bad("an amount of " + short_amount(one.amount) + (one.what == What::gates ? "; half-lives are multiplied by a number above 0" : ""));
        if (one.what == What::silence && (one.experts.empty() || c.num_experts - static_cast<int>(one.experts.size()) < c.num_experts_per_token))
            return bad("of " + std::to_string(c.num_experts) + " experts each token needs " + std::to_string(c.num_experts_per_token) +
                       ", so at least one and at most " + std::to_string(c.num_experts - c.num_experts_per_token) + " can be silent");
        if (one.what == What::hide && (one.tokens.first < 0 || one.tokens.second <= one.tokens.first || one.tokens.second > one.from))
            return bad("tokens " + std::to_string(one.tokens.first) + " to " + std::to_string(one.tokens.second) + " are not among the " +
                       std::to_string(one.from) + " before it");
        if (one.what == What::hide && !c.mla_use_nope) return bad("its attention rotates keys by their positions (RoPE), so rows cannot go");
        const auto size = [&](const char* field, const std::vector<float>& v, int64_t is, const std::string& shape = "") -> Result<void> {
            if (static_cast<int64_t>(v.size()) != is)
                return bad(std::string(field) + " has " + std::to_string(v.size()) + " numbers; this model's has " + std::to_string(is) + shape);
            if (!std::all_of(v.begin(), v.end(), [](float x) { return std::isfinite(x); })) return bad(std::string(field) + " holds what is no finite number");
            return {};
        };
        if (one.what == What::edit) {
            if (one.layers.size() != 1 || one.heads.size() != 1) return bad("it is of one head: it names one layer and one head");
            if (auto fits = size("key", one.key, c.kda_key_dim); !fits) return fits;
            if (std::all_of(one.key.begin(), one.key.end(), [](float x) { return x == 0; })) return bad("key is all zeros");
            if (auto fits = size("value", one.value, one.value.empty() ? 0 : c.kda_value_dim); !fits) return fits;
        }
        if (one.what == What::put) {
            if (one.layers.size() != 1) return bad("it is of one layer");
            const int64_t heads = one.heads.empty() ? c.kda_heads : static_cast<int64_t>(one.heads.size());
            const std::string shape =
                " (heads x values x keys: " + std::to_string(heads) + " x " + std::to_string(c.kda_value_dim) + " x " + std::to_string(c.kda_key_dim) + ")";
            if (auto fits = size("state", one.state, heads * c.kda_key_dim * c.kda_value_dim, shape); !fits) return fits;
        }
    }
    return {};
}

bool same_until(const Interventions* a, const Interventions* b, int64_t position) { return a == b || until(a, position) == until(b, position); }

int64_t alike_until(const Interventions* a, const Interventions* b) {
    int64_t alike = Intervention::kAlways;
    if (same_until(a, b, alike)) return alike;
    for (const Interventions* all : {a, b})
        for (const Intervention& one : all ? *all : Interventions())
            for (const int64_t edge : {one.from, one.to})
                if (edge < alike && !same_until(a, b, edge + 1)) alike = edge;
    return alike;
}

namespace {
uint64_t hash_on(uint64_t hash, const Intervention& one) {
    if (hash == 0) hash = 0xcbf29ce484222325u;
    for (const char c : to_json({one}).dump()) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
    return hash;
}
}  // namespace

uint64_t hash_until(const Interventions* all, int64_t position) {
    uint64_t hash = 0;
    for (const Intervention& one : until(all, position)) hash = hash_on(hash, one);
    return hash;
}

uint64_t hash_at(const Interventions* all, int64_t position) {
    uint64_t hash = 0;
    for (const Intervention& one : all ? *all : Interventions()) {
        if (one.from != position && one.to != position) continue;
        hash = hash_on(hash, one);
    }
    return hash;
}

InterventionsPtr standing(const Interventions* all) {
    auto out = std::make_shared<Interventions>();
    for (Intervention one : all ? *all : Interventions())
        if (one.from = 0; !one.once() && one.to == Intervention::kAlways) out->push_back(std::move(one));
    return out->empty() ? nullptr : out;
}

int64_t newest_change(const Interventions* all, int layer, int64_t position) {
    int64_t newest = 0;
    for (const Intervention& one : all ? *all : Interventions())
        if (one.once() && one.what != What::hide && named(one.layers, layer) && one.from <= position) newest = std::max(newest, one.from);
    return newest;
}

int64_t next_edge(const Interventions& all, int64_t behind) {
    int64_t next = Intervention::kAlways;
    for (const Intervention& one : all)
        for (const int64_t edge : {one.from, one.to})
            if (edge > behind) next = std::min(next, edge);
    return next;
}

std::shared_ptr<const Hands> hands_at(const Interventions& all, const Model& model, int64_t position) {
    const ModelConfig& c = model.config();
    Backend& on = model.backend();
    auto hands = std::make_shared<Hands>();
    hands->since = position, hands->until = next_edge(all, position);
    const auto to_device = [&](const std::vector<float>& values) -> const float* {
        if (values.empty()) return nullptr;
        Buffer buffer = on.allocate(values.size() * sizeof(float));
        on.upload(buffer.as(), values.data(), values.size() * sizeof(float));
        hands->keep.push_back(std::move(buffer));
        return hands->keep.back().as<float>();
    };
    for (int layer = 0; layer < c.num_hidden_layers; ++layer) {
        const bool kda = c.has_state(layer);
        const int H = kda ? c.kda_heads : c.num_attention_heads, K = kda ? c.kda_key_dim : 0;
        std::vector<float> gate, beta, read, bias;
        for (const Intervention& one : all) {
            if (one.once() || position < one.from || position >= one.to || !named(one.layers, layer) || !concerns(one.what, c, layer)) continue;
            const auto each_head = [&](std::vector<float>& factors, int width, float factor) {
                if (factors.empty()) factors.assign(static_cast<size_t>(H) * static_cast<size_t>(width), 1);
                for (int h = 0; h < H; ++h)
                    for (int i = 0; i < width; ++i)
                        if (named(one.heads, h) && (width == 1 || named(one.channels, i))) factors[static_cast<size_t>(h * width + i)] *= factor;
            };
            if (one.what == What::gates) each_head(gate, K, 1 / one.amount);
            if (one.what == What::beta) each_head(beta, 1, one.amount);
            if (one.what == What::read) each_head(read, 1, one.amount);
            if (one.what == What::silence) {
                if (bias.empty()) bias = model.ffn(layer).choice_bias(on);
                for (const int e : one.experts) bias[static_cast<size_t>(e)] = -1e30f;  // finite: a router's infinity is an error (ops.h)
            }
        }
        LayerHands mine{to_device(gate), to_device(beta), to_device(read), to_device(bias)};
        if (!(mine == LayerHands{})) hands->layers.resize(static_cast<size_t>(c.num_hidden_layers)), hands->layers[static_cast<size_t>(layer)] = mine;
    }
    return hands;
}

// --- JSON ---------------------------------------------------------------------------------------------------------------

nlohmann::json to_json(const Interventions& all) {
    nlohmann::json out = nlohmann::json::array();
    for (const Intervention& one : all) {
        nlohmann::json j{{"what", name(one.what)}};
        const auto put = [&](const char* field, const auto& list) {
            if (!list.empty()) j[field] = list;
        };
        put("layers", one.layers), put("heads", one.heads), put("channels", one.channels), put("experts", one.experts);
        put("key", one.key), put("value", one.value), put("state", one.state);
        if (one.from != 0) j["from"] = one.from;
        if (one.to != Intervention::kAlways) j["to"] = one.to;
        if (one.amount != 1) j["amount"] = one.amount;
        if (one.what == What::hide) j["tokens"] = {one.tokens.first, one.tokens.second};
        out.push_back(std::move(j));
    }
    return out;
}

Result<Interventions> read_interventions(const std::string& text, const std::string& file) {
    const auto parsed = parse_json(text, file);
    if (!parsed) return fail(Error::usage, parsed.error().message);
    if (!parsed->is_array()) return fail(Error::usage, file + ": it must be a list of interventions, [{\"what\": \"gates\", ...}, ...]");
    Interventions all;
    for (size_t i = 0; i < parsed->size(); ++i) {
        const nlohmann::json& j = (*parsed)[i];
        const auto bad = [&](const std::string& field, const std::string& why) {
            return fail(Error::usage, file + ": entry " + std::to_string(i) + (field.empty() ? "" : ", '" + field + "'") + " " + why);
        };
        if (!j.is_object()) return bad("", "is not an object");
        Intervention one;
        const auto what = j.find("what");
        const auto known = what != j.end() && what->is_string() ? std::find(kWhats.begin(), kWhats.end(), what->get<std::string>()) : kWhats.end();
        if (known == kWhats.end()) return bad("what", "must be one of gates, beta, read, silence, empty, put, edit, hide");
        one.what = static_cast<What>(known - kWhats.begin());
        for (const auto& [field, value] : j.items()) {
            const auto whole = [](const nlohmann::json& v) { return v.is_number_integer() && v >= 0 && v <= int64_t{1} << 40; };
            std::vector<int>* const ints = field == "layers"     ? &one.layers
                                           : field == "heads"    ? &one.heads
                                           : field == "channels" ? &one.channels
                                           : field == "experts"  ? &one.experts
                                                                 : nullptr;
            std::vector<float>* const floats = field == "key" ? &one.key : field == "value" ? &one.value : field == "state" ? &one.state : nullptr;
            if (field == "what") continue;
            if (ints || floats || field == "tokens") {
                const bool fits = value.is_array() &&
                                  std::all_of(value.begin(), value.end(), [&](const auto& v) { return floats ? v.is_number() : whole(v) && v < 1 << 24; });
                if (!fits) return bad(field, floats ? "must be a list of numbers" : "must be a list of whole numbers from 0 on");
                if (ints) *ints = value.get<std::vector<int>>();
                if (floats) *floats = value.get<std::vector<float>>();
                if (!ints && !floats && value.size() != 2) return bad(field, "must be the first token and the one behind the last");
                if (!ints && !floats) one.tokens = {value[0].get<int64_t>(), value[1].get<int64_t>()};
            } else if (field == "from" || field == "to") {
                if (!whole(value)) return bad(field, "must be a token's position, a whole number from 0 on");
                (field == "from" ? one.from : one.to) = value.get<int64_t>();
            } else if (field == "amount") {
                if (!value.is_number()) return bad(field, "must be a number");
                one.amount = value.get<float>();
            } else {
                return bad(field, "is no field of an intervention");
            }
        }
        all.push_back(std::move(one));
    }
    return all;
}

}  // namespace klp
