// klp pull: a model from the Hugging Face hub into the folder of models.
#include <filesystem>
#include <optional>

#include "app/commands.h"
#include "app/format.h"
#include "app/progress.h"
#include "core/files/hub.h"
#include "core/files/resources.h"

namespace klp {

namespace {

// "-m" finds it by this afterwards.
std::string opens_as(const std::string& repository, const std::vector<HubFile>& files, const std::filesystem::path& folder) {
    return files.front().path.ends_with(".gguf") ? (folder / files.front().path).string() : repository;
}

}  // namespace

int pull_command(const PullFlags& flags, Terminal& terminal) {
    const size_t colon = flags.what.find(':');
    const std::string repository = flags.what.substr(0, colon), wanted = colon == flags.what.npos ? "" : flags.what.substr(colon + 1);
    const std::filesystem::path models = data_folder();
    if (flags.out.empty() && models.empty()) return report({Error::usage, "there is no home folder to keep it in: say where to, -o DIR"});
    const std::filesystem::path folder = flags.out.empty() ? models / "models" / repository : std::filesystem::path(flags.out);
    const Hub hub = hub_of_environment();
    auto all = hub_files(hub, repository, &g_interrupted);
    if (!all) return report(all.error());
    auto files = choose_files(*all, repository, wanted);
    if (!files) return report(files.error());
    int64_t bytes = 0;
    for (const HubFile& f : *files) bytes += f.size;
    if (flags.list) {
        Table table({"file", "size"});
        for (const HubFile& f : *files) table.add({one_line(f.path), bytes_text(f.size)});
        put(table.text());
        return 0;
    }
    note("klp: " + plural(static_cast<int64_t>(files->size()), "file") + ", " + bytes_text(bytes) + ", from " + hub.endpoint + " to " + folder.string());
    std::string phase;
    std::optional<Progress> progress;
    const auto pulled = pull(hub, repository, *files, folder, {.cancel = &g_interrupted, .progress = [&](const std::string& now, int64_t done, int64_t total) {
                                                                   if (now != phase) {
                                                                       progress.reset();
                                                                       progress.emplace(terminal, now + " " + repository, "byte");
                                                                   }
                                                                   phase = now;
                                                                   progress->at(done, total);
                                                               }});
    progress.reset();
    if (!pulled) return report(pulled.error());
    put("It is there: klp -m " + one_line(opens_as(flags.what, *files, folder)) + "\n");
    return 0;
}

}  // namespace klp
