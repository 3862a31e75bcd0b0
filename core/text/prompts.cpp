#include "core/text/prompts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/files/json.h"
#include "core/files/resources.h"

namespace klp {

Result<std::vector<Starter>> read_prompts(const std::filesystem::path& file) {
    auto text = read_text(file, 1 << 20);
    if (!text) return tl::unexpected(text.error());
    auto json = parse_json(*text, file.string());
    if (!json) return tl::unexpected(json.error());
    std::vector<Starter> starters;
    std::string where;
    const auto wrong = [&](const std::string& what) { return fail(Error::failure, file.string() + ": " + where + " " + what); };
    where = "the file";
    if (!json->is_array()) return wrong("is not a list");
    for (const auto& entry : *json) {
        const std::string item = "[" + std::to_string(starters.size()) + "]";
        where = item;
        if (!entry.is_object()) return wrong("is not an object");
        Starter s;
        for (auto [name, field] : {std::pair("title", &s.title), std::pair("system", &s.system), std::pair("watch", &s.watch), std::pair("lens", &s.lens)}) {
            where = item + "." + name;
            const auto it = entry.find(name);
            if (it == entry.end() && field == &s.system) continue;
            if (it == entry.end() || !it->is_string() || it->get_ref<const std::string&>().empty()) return wrong("is not a text");
            *field = *it;
        }
        for (auto [name, field] : {std::pair("turns", &s.turns), std::pair("expect", &s.expect)}) {
            where = item + "." + name;
            const auto it = entry.find(name);
            const bool texts =
                it != entry.end() && it->is_array() && !it->empty() && std::all_of(it->begin(), it->end(), [](auto& t) { return t.is_string(); });
            if (!texts) return wrong("is not a list of texts");
            *field = it->get<std::vector<std::string>>();
        }
        constexpr std::string_view kLenses[] = {"decay", "state", "memory", "race", "experts", "logits", "attention"};
        where = item + ".lens";
        if (std::find(std::begin(kLenses), std::end(kLenses), s.lens) == std::end(kLenses)) return wrong("is no lens: " + in_quotes(s.lens));
        for (auto [name, answer] : {std::pair("pin", false), std::pair("pin_answer", true)}) {
            where = item + "." + name;
            const auto it = entry.find(name);
            if (it == entry.end()) continue;
            if (!it->is_string() || it->get_ref<const std::string&>().empty()) return wrong("is not a text");
            s.pin = *it, s.pin_answer = answer;
        }
        where = item + ".head";
        if (const auto it = entry.find("head"); it != entry.end()) {
            const auto whole = [](const auto& n) { return n.is_number_unsigned() && n < 1000; };
            if (!it->is_array() || it->size() != 2 || !std::all_of(it->begin(), it->end(), whole)) return wrong("is not a layer and a head");
            s.layer = (*it)[0], s.head = (*it)[1];
        }
        starters.push_back(std::move(s));
    }
    return starters;
}

Result<std::vector<Starter>> installed_prompts() {
    auto demo = find_model("");
    if (!demo) return tl::unexpected(demo.error());
    return read_prompts(demo->parent_path().parent_path() / "prompts.json");
}

}  // namespace klp
