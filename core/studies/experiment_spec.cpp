// Experiments as people write them: JSON.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "core/files/json.h"
#include "core/studies/experiment.h"

namespace klp {

namespace {

using Aim = AimedHand::Aim;
using What = Intervention::What;

class Spec {
public:
    Spec(const std::string& file, const RecallData& data, const ModelConfig& config, int items) : file_(file), data_(data), config_(config), items_(items) {}

    Result<Experiment> read(const nlohmann::json& j) {
        if (!j.is_object()) return bad("", "is not an object");
        for (const auto& [field, unused] : j.items())
            if (!kFields.contains(field)) return bad(field, "is no field of an experiment");
        if (auto read = text(j, "about", out_.about); !read) return tl::unexpected(read.error());
        if (auto read = whole(j, "unrelated", 0, 20, out_.unrelated); !read) return tl::unexpected(read.error());
        int seed = 0;
        if (auto read = whole(j, "seed", 0, 1 << 30, seed); !read) return tl::unexpected(read.error());
        out_.seed = static_cast<uint64_t>(seed);
        if (const auto at = j.find("fidelity"); at != j.end()) {
            if (!at->is_boolean()) return bad("fidelity", "must be true or false");
            out_.fidelity = at->get<bool>();
        }
        if (const auto at = j.find("distances"); at != j.end()) {
            auto read = wholes(*at, "distances", 0, 1 << 24);
            if (!read) return tl::unexpected(read.error());
            out_.distances.assign(read->begin(), read->end());
            std::sort(out_.distances.begin(), out_.distances.end());
            out_.distances.erase(std::unique(out_.distances.begin(), out_.distances.end()), out_.distances.end());
        }
        int items = 60;
        if (auto read = whole(j, "items", 1, 100000, items); !read) return tl::unexpected(read.error());
        if (auto read = chats(j, items_ > 0 ? items_ : items); !read) return tl::unexpected(read.error());
        if (auto read = arms(j); !read) return tl::unexpected(read.error());
        if (out_.aimed())
            for (const RecallTask& task : out_.chats)
                if (task.before.empty())
                    return bad("task", "'" + task.name + "' tells nothing in front of its question, so no arm can be aimed at what it was told");
        return std::move(out_);
    }

private:
    inline static const std::set<std::string> kFields = {"about", "task", "sizes", "chats", "distances", "items", "unrelated", "fidelity", "seed", "arms"};

    tl::unexpected<Error> bad(const std::string& field, const std::string& why) const {
        return fail(Error::usage, file_ + (field.empty() ? ": it " : ": '" + field + "' ") + why);
    }
    Result<void> text(const nlohmann::json& j, const char* field, std::string& into) const {
        const auto at = j.find(field);
        if (at == j.end()) return {};
        if (!at->is_string()) return bad(field, "must be a text");
        into = at->get<std::string>();
        return {};
    }
    Result<void> whole(const nlohmann::json& j, const char* field, int low, int high, int& into) const {
        const auto at = j.find(field);
        if (at == j.end()) return {};
        if (!at->is_number_integer() || *at < low || *at > high)
            return bad(field, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
        into = at->get<int>();
        return {};
    }
    Result<std::vector<int>> wholes(const nlohmann::json& j, const char* field, int low, int high) const {
        const auto fits = [&](const nlohmann::json& one) { return one.is_number_integer() && one >= low && one <= high; };
        if (!j.is_array() || j.empty() || !std::all_of(j.begin(), j.end(), fits))
            return bad(field, "must be a list of whole numbers from " + std::to_string(low) + " to " + std::to_string(high));
        return j.get<std::vector<int>>();
    }

    Result<void> chats(const nlohmann::json& j, int items) {
        if (j.contains("task") == j.contains("chats")) return bad("task", "or 'chats' must say whom to ask, one of the two");
        std::map<std::pair<std::string, int>, int> taken;
        const auto take = [&](const RecallTask& task) {
            const int number = taken[{task.name, task.size}]++;
            if (number >= items) return;
            out_.chats.push_back(task);
            out_.numbers.push_back(static_cast<size_t>(number));
        };
        if (const auto own = j.find("chats"); own != j.end()) return own_chats(*own, take);
        std::string name;
        if (auto read = text(j, "task", name); !read) return read;
        std::vector<int> sizes;
        if (const auto at = j.find("sizes"); at != j.end()) {
            auto read = wholes(*at, "sizes", 0, 1 << 20);
            if (!read) return tl::unexpected(read.error());
            sizes = std::move(*read);
        }
        std::set<std::string> known;
        std::set<int> has;
        for (const RecallTask& task : data_.tasks) {
            known.insert(task.name);
            if (task.name != name) continue;
            has.insert(task.size);
            if (sizes.empty() || std::find(sizes.begin(), sizes.end(), task.size) != sizes.end()) take(task);
        }
        const auto listed = [](const auto& all, const auto& text) {
            std::string out;
            for (const auto& one : all) out += (out.empty() ? "" : ", ") + text(one);
            return out;
        };
        if (!known.contains(name)) return bad("task", in_quotes(name) + " is none of " + listed(known, [](const std::string& s) { return s; }));
        for (const int size : sizes)
            if (!has.contains(size))
                return bad("sizes", std::to_string(size) + " is none of task " + name + "'s: " + listed(has, [](int n) { return std::to_string(n); }));
        return {};
    }

    template <class Take>
    Result<void> own_chats(const nlohmann::json& all, const Take& take) {
        if (!all.is_array() || all.empty()) return bad("chats", "must be a list of chats");
        for (size_t i = 0; i < all.size(); ++i) {
            const std::string where = "chats[" + std::to_string(i) + "]";
            const auto wrong = [&] {
                return bad(where,
                           "must have 'before', a list of what the person and the model say in turn, and 'ask', a list of pairs: a question, and what the "
                           "answer must hold");
            };
            const auto texts = [](const nlohmann::json& list, size_t count) {
                return list.is_array() && (count == 0 || list.size() == count) &&
                       std::all_of(list.begin(), list.end(), [](const nlohmann::json& t) { return t.is_string(); });
            };
            const nlohmann::json& chat = all[i];
            if (!chat.is_object() || !chat.contains("before") || !chat.contains("ask")) return wrong();
            for (const auto& [field, unused] : chat.items())
                if (field != "before" && field != "ask" && field != "size") return bad(where, "has a field '" + field + "', which is no field of a chat");
            RecallTask task{.name = "own"};
            if (auto read = whole(chat, "size", 0, 1 << 20, task.size); !read) return read;
            if (!texts(chat["before"], 0) || !chat["ask"].is_array() || chat["ask"].empty()) return wrong();
            for (const auto& said : chat["before"])
                task.before.push_back({.role = task.before.size() % 2 ? "assistant" : "user", .content = said.template get<std::string>()});
            for (const auto& asked : chat["ask"]) {
                if (!texts(asked, 2) || asked[1] == "") return wrong();
                task.ask.emplace_back(asked[0].template get<std::string>(), asked[1].template get<std::string>());
            }
            take(task);
        }
        return {};
    }

    Result<void> arms(const nlohmann::json& j) {
        out_.arms.push_back({"untouched", {}});
        const auto all = j.find("arms");
        if (all == j.end()) return {};
        if (!all->is_array()) return bad("arms", "must be a list");
        for (size_t i = 0; i < all->size(); ++i) {
            const nlohmann::json& one = (*all)[i];
            const std::string where = "arms[" + std::to_string(i) + "]";
            if (!one.is_object() || !one.contains("name") || !one["name"].is_string() || !one.contains("hands") || !one["hands"].is_array() ||
                one["hands"].empty())
                return bad(where, "must have a 'name' and 'hands', a list");
            for (const auto& [field, unused] : one.items())
                if (field != "name" && field != "hands" && field != "each") return bad(where, "has a field '" + field + "', which is no field of an arm");
            Arm arm{one["name"].get<std::string>(), {}};
            for (size_t h = 0; h < one["hands"].size(); ++h) {
                auto hand = read_hand(one["hands"][h], where + ".hands[" + std::to_string(h) + "]");
                if (!hand) return tl::unexpected(hand.error());
                arm.hands.push_back(std::move(*hand));
            }
            std::string each;
            if (auto read = text(one, "each", each); !read) return read;
            if (each.empty()) {
                if (auto has = fits(arm); !has) return bad(where, "cannot be: " + has.error().message);
                out_.arms.push_back(std::move(arm));
                continue;
            }
            if (each != "layer" && each != "head") return bad(where + ".each", "must be layer or head");
            const size_t before = out_.arms.size();
            for (int layer = 0; layer < config_.num_hidden_layers; ++layer) {
                const int heads = each == "layer" ? 1 : config_.has_state(layer) ? config_.kda_heads : config_.num_attention_heads;
                for (int head = 0; head < heads; ++head) {
                    Arm here = arm;
                    here.name +=
                        (here.name.empty() ? "" : ", ") + ("layer " + std::to_string(layer)) + (each == "head" ? ", head " + std::to_string(head) : "");
                    for (AimedHand& hand : here.hands) {
                        hand.what.layers = {layer};
                        if (each == "head") hand.what.heads = {head};
                    }
                    if (fits(here)) out_.arms.push_back(std::move(here));  // a layer that has none of it is no arm
                }
            }
            if (out_.arms.size() == before) return bad(where, "cannot be in any layer of this model");
        }
        return {};
    }

    // Whether the model has what an arm names; where it is aimed, as if a chat had given it keys.
    Result<void> fits(const Arm& arm) const {
        Interventions all;
        for (const AimedHand& hand : arm.hands) {
            Intervention one = hand.what;
            if (hand.aim == Aim::hide) one.what = What::hide, one.tokens = {0, 1}, one.from = 1;
            if (hand.aim == Aim::erase || hand.aim == Aim::overwrite || hand.aim == Aim::cut) one.what = What::empty;
            all.push_back(std::move(one));
        }
        return check(all, config_);
    }

    Result<AimedHand> read_hand(nlohmann::json j, const std::string& where) const {
        AimedHand out;
        if (!j.is_object() || !j.contains("what") || !j["what"].is_string()) return bad(where, "must say 'what'");
        const std::string what = j["what"].get<std::string>();
        if (what == "erase") out.aim = Aim::erase;
        if (what == "overwrite") out.aim = Aim::overwrite;
        if (what == "cut") out.aim = Aim::cut;
        if (what == "hide") out.aim = Aim::hide;
        const bool once = what == "empty" || what == "put" || what == "edit";
        out.from_the_start = out.aim == Aim::none && !once;
        if (const auto from = j.find("from"); from != j.end()) {
            if (*from != "start" && *from != "question") return bad(where + ".from", "must be start or question");
            if (*from == "start" && out.aim != Aim::none) return bad(where + ".from", "cannot be start: it is aimed at what has been told by then");
            out.from_the_start = *from == "start";
            j.erase("from");
        }
        if (j.contains("to")) return bad(where + ".to", "is nothing that an arm has: it holds to the end");
        if (out.aim == Aim::hide) {
            if (const auto tokens = j.find("tokens"); tokens != j.end()) {
                if (*tokens != "all") return bad(where + ".tokens", "must be all; without it the rows of the fact's words are hidden");
                out.whole_cache = true;
            }
            j.erase("tokens");
        }
        if (out.aim != Aim::none && !out.whole_cache) {
            if (auto read = whole(j, "behind", 0, 1000, out.behind); !read) return tl::unexpected(read.error());
            j.erase("behind");
        }
        if (out.aim == Aim::cut) {
            if (auto read = whole(j, "count", 1, 1 << 16, out.channels); !read) return tl::unexpected(read.error());
            if (out.channels == 0) return bad(where + ".count", "must say how many channels of each head");
            const auto which = j.find("which");
            if (which != j.end() && *which != "best" && *which != "random") return bad(where + ".which", "must be best or random");
            out.random = which != j.end() && *which == "random";
            j.erase("count"), j.erase("which");
        }
        if (out.aim != Aim::none && out.aim != Aim::hide) {
            for (const char* field : {"channels", "experts", "amount", "tokens", "key", "value", "state"})
                if (j.contains(field)) return bad(where + "." + field, "is nothing that '" + what + "' has");
            j["what"] = "empty";  // the same layers and heads
        }
        auto read = read_interventions(nlohmann::json::array({j}).dump(), file_ + ": " + where);
        if (!read) return tl::unexpected(read.error());
        out.what = std::move((*read)[0]);
        return out;
    }

    const std::string& file_;
    const RecallData& data_;
    const ModelConfig& config_;
    const int items_;
    Experiment out_;
};

}  // namespace

Result<Experiment> read_experiment(const std::string& text, const std::string& file, const RecallData& data, const ModelConfig& config, int items) {
    const auto json = parse_json(text, file);
    if (!json) return fail(Error::usage, json.error().message);
    return Spec(file, data, config, items).read(*json);
}

}  // namespace klp
