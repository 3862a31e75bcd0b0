// klp probe: an experiment with the memory on many chats at once.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/probe_text.h"
#include "app/progress.h"
#include "core/files/crc32.h"
#include "core/files/json.h"
#include "core/files/resources.h"

namespace klp {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kLimit = 64 << 20;  // bytes of an experiment or of a file of chats

// A file, or one that comes with the program: its text, and what it is called.
Result<std::pair<std::string, std::string>> find_spec(const std::string& name) {
    std::error_code none;
    if (fs::exists(name, none) || name.find('/') != std::string::npos) {
        auto text = read_named(name, kLimit);
        if (!text) return tl::unexpected(text.error());
        return std::pair{std::move(*text), fs::path(name).stem().string()};
    }
    const auto folder = find_resource("probes");
    std::vector<std::string> known;
    if (folder)
        for (const auto& entry : fs::directory_iterator(*folder, none))
            if (entry.path().extension() == ".json") known.push_back(entry.path().stem().string());
    std::sort(known.begin(), known.end());
    if (std::find(known.begin(), known.end(), name) == known.end()) {
        std::string list;
        for (const auto& one : known) list += (list.empty() ? "" : ", ") + one;
        return fail(Error::usage, "there is no file and no experiment '" + one_line(name) + "'" + did_you_mean(name, known) + " (" + list + ")");
    }
    auto text = read_text(*folder / (name + ".json"), kLimit);
    if (!text) return tl::unexpected(text.error());
    return std::pair{std::move(*text), name};
}

int list_specs() {
    const auto folder = find_resource("probes");
    if (!folder) return report({Error::failure, "the experiments that come with klp are not there"});
    Table table({"experiment", "asks"});
    std::map<std::string, std::string> all;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(*folder, none)) {
        if (entry.path().extension() != ".json") continue;
        const auto text = read_text(entry.path(), kLimit);
        const auto json = text ? parse_json(*text, entry.path().string()) : tl::unexpected(text.error());
        all[entry.path().stem().string()] = json && json->is_object() ? json->value("about", "") : "";
    }
    for (const auto& [name, about] : all) table.add({name, about});
    put(table.text() + "\nklp probe EXPERIMENT runs one; a file of your own may stand in its place (docs/touch.md).\n");
    return 0;
}

// A file of chats, a line each behind a line that says whose they are: a run that was broken off goes on from it.
class ChatFile {
public:
    // What is there already goes to `into`; another experiment's or model's file is an Error.
    static Result<std::unique_ptr<ChatFile>> open(const std::string& file, const nlohmann::json& head, const Experiment& experiment,
                                                  std::vector<ChatSeen>& into) {
        auto out = std::make_unique<ChatFile>();
        out->file_ = file;
        std::error_code none;
        if (fs::exists(file, none)) {
            auto text = read_text(file, int64_t{4} << 30);
            if (!text) return fail(Error::failure, text.error().message);
            size_t good = 0;
            for (size_t at = 0, number = 1;; ++number) {
                const size_t end = text->find('\n', at);
                if (end == std::string::npos) break;  // what a broken run left of a line
                const std::string line = text->substr(at, end - at), where = file + ":" + std::to_string(number);
                at = end + 1;
                if (number == 1) {
                    const auto theirs = parse_json(line, where);
                    if (!theirs || !theirs->is_object() || !theirs->contains("experiment"))
                        return fail(Error::failure, file + " is no file of klp probe's chats");
                    if (*theirs != head)
                        for (const auto& [field, value] : head.items())
                            if (!theirs->contains(field) || (*theirs)[field] != value)
                                return fail(Error::failure, file + " is of another " + field + "; take it away, or name another file");
                } else {
                    auto chat = from_line(line, where);
                    if (!chat) return tl::unexpected(chat.error());
                    const bool fits = chat->chat >= 0 && chat->chat < static_cast<int>(experiment.chats.size()) &&
                                      std::all_of(chat->seen.begin(), chat->seen.end(),
                                                  [&](const Observation& o) { return o.arm >= 0 && o.arm < static_cast<int>(experiment.arms.size()); });
                    if (!fits) return fail(Error::failure, where + " is of another experiment");
                    into.push_back(std::move(*chat));
                }
                good = at;
            }
            fs::resize_file(file, good, none);
            if (none) return fail(Error::failure, file + " cannot be written: " + none.message());
            out->begun_ = good > 0;
        }
        out->out_.open(file, std::ios::app | std::ios::binary);
        if (!out->begun_) out->out_ << head.dump() << '\n';
        if (auto sound = out->flush(); !sound) return tl::unexpected(sound.error());
        return out;
    }
    Result<void> add(const ChatSeen& chat) {
        out_ << to_line(chat) << '\n';
        return flush();
    }

private:
    Result<void> flush() {
        if (out_.flush()) return {};
        return fail(Error::failure, file_ + " cannot be written; what is in it stays, and the same command goes on from it");
    }
    std::string file_;
    std::ofstream out_;
    bool begun_ = false;
};

using ProbeWriter = std::string (*)(const ProbeCard&, const Findings&);
ProbeWriter probe_writer(const std::string& file) {
    const std::string kind = fs::path(file).extension().string();
    if (kind == ".json") return probe_json;
    if (kind == ".csv") return probe_csv;
    return kind == ".svg" ? probe_svg : nullptr;
}
bool keeps_chats(const std::string& file) { return fs::path(file).extension() == ".jsonl"; }

}  // namespace

int probe_command(const ProbeFlags& flags, Terminal& terminal) {
    if (flags.experiment.empty()) return list_specs();
    for (const std::string& file : flags.out) {  // an hour of measuring must not end at a folder that is not there
        if (!probe_writer(file) && !keeps_chats(file))
            return report({Error::usage, "-o " + file + ": the file's name must end in .json, .csv, .svg or .jsonl"});
        if (auto place = check_place(file); !place) return report(place.error());
    }
    const auto spec = find_spec(flags.experiment);
    if (!spec) return report(spec.error());
    const auto& [text, name] = *spec;
    const auto demo = find_model("");
    if (!demo) return report(demo.error());
    const auto data = read_recall(*demo / "eval");
    if (!data) return report(data.error());
    auto engine = open_engine(flags.engine, terminal);
    if (!engine) return report(engine.error());
    auto tokenizer = need_tokenizer(engine->checkpoint);
    if (!tokenizer) return report(tokenizer.error());
    if (auto ours = check_template(engine->checkpoint, !flags.engine.chat_template.empty()); !ours) return report(ours.error());
    ask_at_once(engine->checkpoint);
    auto experiment = read_experiment(text, name + ".json", *data, engine->config(), flags.items);
    if (!experiment) return report(experiment.error());
    experiment->name = name;

    const ModelConfig& c = engine->config();
    const auto total = static_cast<int64_t>(experiment->chats.size() * experiment->distances.size());
    ProbeCard card{.name = name,
                   .about = experiment->about,
                   .model = engine->name,
                   .weights = engine->weights(),
                   .device = engine->backend->info().hardware,
                   .date = sweep_date(),
                   .layers = c.state_layers(),
                   .heads = c.kda_heads,
                   .of = total};

    std::vector<ChatSeen> all;
    std::unique_ptr<ChatFile> chats;
    for (const std::string& file : flags.out) {
        if (!keeps_chats(file)) continue;
        const nlohmann::json head{{"experiment", {{"name", name}, {"text", crc32(text)}, {"chats", total}}},
                                  {"model", {engine->name, engine->model->identity()}}};
        auto opened = ChatFile::open(file, head, *experiment, all);
        if (!opened) return report(opened.error());
        chats = std::move(*opened);
    }
    std::set<std::pair<int, int64_t>> known;
    for (const ChatSeen& chat : all) known.emplace(chat.chat, chat.distance);

    say_that_it_takes_long(terminal);
    Result<void> done;
    {
        Progress progress(terminal, "probing " + engine->name, "chat");
        ExperimentOptions how{.cancel = &g_interrupted,
                              .known =
                                  [&](int chat, int64_t distance) {
                                      return known.contains({chat, distance});
                                  },
                              .on_progress = [&](int64_t at, int64_t of) { progress.at(at, of); },
                              .on_chat = [&](const ChatSeen& seen) -> Result<void> {
                                  all.push_back(seen);
                                  return chats ? chats->add(seen) : Result<void>{};
                              }};
        done = run_experiment(engine->model, **tokenizer, *data, *experiment, how);
    }
    if (!done && (done.error().kind != Error::interrupted || all.empty())) return report(done.error());
    std::sort(all.begin(), all.end(), [](const ChatSeen& a, const ChatSeen& b) { return std::pair(a.distance, a.chat) < std::pair(b.distance, b.chat); });
    card.chats = static_cast<int64_t>(all.size());
    const Findings found = findings(*experiment, all);
    put(flags.json ? probe_json(card, found) : probe_tables(card, found, terminal.canvas));
    if (!done) return report({Error::interrupted, "interrupted" + std::string(chats ? "; the same command goes on from what is in the file" : "")});
    for (const std::string& file : flags.out)
        if (const ProbeWriter write = probe_writer(file))
            if (auto written = write_whole(file, write(card, found)); !written) return report(written.error());
    return 0;
}

}  // namespace klp
