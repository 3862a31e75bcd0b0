// klp eval: what a model recalls over distance, as tables.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/format.h"
#include "app/progress.h"
#include "app/session.h"
#include "core/files/resources.h"
#include "core/studies/recall.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Figures : Recall {
    std::string model;
    int64_t roll = 0;  // rows of a cache that rolls
    bool hands = false;
};

// Rows are tasks and models, columns distances or sizes.
std::string table_text(const std::vector<Figures>& all, std::map<std::pair<std::string, int64_t>, Score> Recall::*which, const char* head) {
    std::vector<int64_t> columns;
    std::vector<std::string> tasks;
    for (const auto& [key, score] : all[0].*which) {
        if (std::find(columns.begin(), columns.end(), key.second) == columns.end()) columns.push_back(key.second);
        if (std::find(tasks.begin(), tasks.end(), key.first) == tasks.end()) tasks.push_back(key.first);
    }
    if (tasks.empty()) return "";
    std::sort(columns.begin(), columns.end());
    std::vector<std::string> row{head, "model"};
    for (int64_t c : columns) row.push_back(grouped(c));
    Table table(row);
    for (const auto& task : tasks) {
        for (const Figures& f : all) {
            row = {&f == &all[0] ? task : "", f.model};
            for (int64_t c : columns) {
                const auto found = (f.*which).find({task, c});
                row.push_back(found == (f.*which).end() ? "" : percent_text(found->second.share()));
            }
            table.add(row);
        }
    }
    return table.text();
}

}  // namespace

int eval_command(const EvalOptions& options, Terminal& terminal) {
    auto engine = open_engine(options.engine, terminal);
    if (!engine) return report(engine.error());
    auto tokenizer = need_tokenizer(engine->checkpoint);
    if (!tokenizer) return report(tokenizer.error());
    if (auto ours = check_template(engine->checkpoint, !options.engine.chat_template.empty()); !ours) return report(ours.error());
    ask_at_once(engine->checkpoint);
    fs::path folder = options.data;
    if (folder.empty()) {
        auto demo = find_model("");
        if (!demo) return report(demo.error());
        folder = *demo / "eval";
    }
    const auto data = read_recall(folder);
    if (!data) return report(data.error());

    const auto hands = read_hands(options.intervene);
    if (!hands) return report(hands.error());
    if (*hands)
        if (auto fits = check(**hands, engine->config()); !fits) return report({fits.error().kind, options.intervene + ": " + fits.error().message});
    say_that_it_takes_long(terminal);
    RecallOptions how{.items = options.items, .distances = options.distances, .cancel = &g_interrupted};
    std::sort(how.distances.begin(), how.distances.end());
    std::vector<std::pair<std::string, std::shared_ptr<const Model>>> models{{engine->name, engine->model}};
    if (options.twin) {
        auto twin = engine->model->attention_twin(engine->checkpoint.folder);
        if (!twin) return report(twin.error());
        if ((*twin)->twin() != TwinKind::trained) return report({Error::model, (engine->checkpoint.folder / "twin").string() + " holds no trained twin"});
        models.emplace_back("twin", *twin);
    }
    std::vector<Figures> all;
    for (const auto& [name, model] : models) {
        std::vector<std::pair<int64_t, InterventionsPtr>> ways{{0, nullptr}};
        if (options.roll > 0) ways.emplace_back(options.roll, nullptr);
        if (*hands && model == engine->model) ways.emplace_back(0, *hands);
        for (const auto& [rows, under] : ways) {
            const std::string called = name + (rows > 0 ? ", newest " + grouped(rows) : under ? ", under hands" : "");
            how.hands = under;
            Progress progress(terminal, "examining " + called, "item");
            how.rows = rows;
            how.on_progress = [&](int64_t done, int64_t total) { progress.at(done, total); };
            auto recall = measure_recall(model, **tokenizer, *data, how);
            if (!recall) return report(recall.error());
            all.push_back({std::move(*recall), called, rows, under != nullptr});
        }
    }

    if (options.json) {
        Json out = Json::array();
        for (const Figures& f : all) {
            Json far = Json::array(), sizes = Json::array();
            for (const auto& [key, s] : f.far) far.push_back({{"task", key.first}, {"distance", key.second}, {"right", s.right}, {"asked", s.asked}});
            for (const auto& [key, s] : f.sizes) sizes.push_back({{"task", key.first}, {"size", key.second}, {"right", s.right}, {"asked", s.asked}});
            out.push_back({{"model", f.model},
                           {"roll", f.roll},
                           {"hands", f.hands},
                           {"by_distance", far},
                           {"by_size", sizes},
                           {"perplexity", {{"stories", f.stories.value()}, {"chats", f.chats.value()}}},
                           {"tokens", {{"stories", f.stories.tokens}, {"chats", f.chats.tokens}}}});
        }
        put(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
        return 0;
    }
    std::string out = table_text(all, &Recall::far, "tokens between");
    if (const std::string sizes = table_text(all, &Recall::sizes, "pairs or items"); !sizes.empty()) out += "\n" + sizes;
    Table table({"perplexity", "stories", "chats"});
    for (const Figures& f : all) table.add({f.model, fixed(f.stories.value(), 2), fixed(f.chats.value(), 2)});
    put(out + "\n" + table.text());
    return 0;
}

}  // namespace klp
