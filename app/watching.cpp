// klp watch: a run that somebody else opened at a klp serve, as it goes on.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/run_talk.h"
#include "core/runs/recording.h"
#include "core/runs/remote_run.h"
#include "core/system.h"

namespace klp {

namespace {

constexpr auto kWatchPause = std::chrono::milliseconds(5);  // between two drains

int list_runs(const std::vector<RemoteListed>& runs, bool json) {
    if (json) {
        nlohmann::ordered_json out = nlohmann::ordered_json::array();
        for (const RemoteListed& run : runs) out.push_back({{"run", run.id}, {"model", run.model}, {"tokens", run.tokens}, {"listeners", run.lines}});
        put(out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
        return 0;
    }
    Table table({"run", "model", "tokens", "listeners"});
    for (const RemoteListed& run : runs) table.add({one_line(run.id), one_line(run.model), grouped(run.tokens), grouped(run.lines)});
    put(runs.empty() ? "no run is open there\n" : table.text());
    return 0;
}

// The one that is asked for, or the only one.
Result<std::string> choose(const std::vector<RemoteListed>& runs, const WatchFlags& flags) {
    std::string ids;
    for (const RemoteListed& run : runs) ids += (ids.empty() ? "" : ", ") + one_line(run.id);
    if (runs.empty()) return fail(Error::failure, "no run is open at " + one_line(flags.at) + "; klp --at " + one_line(flags.at) + " opens one");
    if (flags.run.empty() && runs.size() == 1) return runs[0].id;
    if (flags.run.empty()) return fail(Error::usage, "there are several runs at " + one_line(flags.at) + ", --run says which: " + ids);
    std::vector<std::string> fits;
    for (const RemoteListed& run : runs)
        if (run.id.starts_with(flags.run)) fits.push_back(run.id);
    if (fits.size() == 1) return fits[0];
    return fail(Error::usage, (fits.empty() ? "no run" : "more than one run") + std::string(" at ") + one_line(flags.at) + " begins with '" +
                                  one_line(flags.run) + "': " + ids);
}

}  // namespace

int watch_command(const WatchFlags& flags, Terminal& terminal) {
    if (!flags.out.empty())
        if (auto place = check_place(flags.out); !place) return report(place.error());
    const auto line = engine_line(flags.at, flags.ssh, flags.key_variable, &g_interrupted);
    if (!line) return report(line.error());
    const auto runs = remote_runs(line->server, &g_interrupted);
    if (!runs) return report(runs.error());
    if (flags.list) return list_runs(*runs, flags.json);
    const auto id = choose(*runs, flags);
    if (!id) return report(id.error());
    std::shared_ptr<const RunCard> card;
    const auto run = open_remote(*line, &g_interrupted, &card, *id);
    if (!run) return report(run.error());

    std::optional<NewFile> place;
    std::optional<RecordingWriter> file;
    Result<void> recorded;  // what it says of a failing disk: the watching goes on without it
    const int64_t begin = now_ns();
    if (!flags.out.empty()) {
        auto free = NewFile::unopened(flags.out);
        if (!free) return report(free.error());
        place.emplace(std::move(*free));
        auto made = RecordingWriter::create(place->written(), {"Watched at " + line->called, "", date_text(std::time(nullptr)), "klp " KLP_VERSION, "", card},
                                            flags.out);
        if (!made) return report(made.error());
        file.emplace(std::move(*made));
    }
    note("watching " + one_line(card->name) + " at " + one_line(line->called) + "; Ctrl-C ends it");
    RunTalk talk(terminal, *card, /*questions=*/true);
    Result<void> ended;
    for (bool over = false; !over && !g_interrupted && !output_failed();) {
        for (const Event& e : (*run)->drain()) {
            if (std::holds_alternative<Loaded>(e)) continue;  // the recording has its card
            if (std::holds_alternative<Unloaded>(e)) {
                over = true;
                break;
            }
            if (const auto* trouble = std::get_if<Trouble>(&e)) note("klp: " + one_line(trouble->error.message));
            talk.take(e, flags.stats);
            if (file && recorded) recorded = file->append(e, now_ns() - begin);
        }
        std::this_thread::sleep_for(kWatchPause);
    }
    talk.end_line();
    if (file && recorded) recorded = file->flush();
    if (place && recorded) recorded = place->keep();
    return recorded ? 0 : report(recorded.error());  // a watcher who leaves has broken nothing off
}

}  // namespace klp
