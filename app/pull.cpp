// klp pull: a model from the Hugging Face hub into the folder of models.
#include <filesystem>
#include <optional>

#include "app/commands.h"
#include "app/format.h"
#include "app/progress.h"
#include "core/files/hub.h"
#include "core/files/resources.h"

namespace klp {

int pull_command(const PullFlags& flags, Terminal& terminal) {
    const std::filesystem::path models = data_folder();
    if (flags.out.empty() && models.empty()) return report({Error::usage, "there is no home folder to keep it in: say where to, -o DIR"});
    const std::filesystem::path folder = flags.out.empty() ? models / "models" / flags.what.substr(0, flags.what.find(':')) : std::filesystem::path(flags.out);
    const Hub hub = hub_of_environment();
    const auto model = find_on_hub(hub, flags.what, &g_interrupted);
    if (!model) return report(model.error());
    if (flags.list) {
        Table table({"file", "size"});
        for (const HubFile& f : model->files) table.add({one_line(f.path), bytes_text(f.size)});
        put(table.text());
        return 0;
    }
    note("klp: " + plural(static_cast<int64_t>(model->files.size()), "file") + ", " + bytes_text(model->bytes()) + ", from " + hub.endpoint + " to " +
         folder.string());
    std::string phase;
    std::optional<Progress> progress;
    const auto pulled = pull(hub, *model, folder, {.cancel = &g_interrupted, .progress = [&](const std::string& now, int64_t done, int64_t total) {
                                                       if (now != phase) {
                                                           progress.reset();
                                                           progress.emplace(terminal, now + " " + model->repository, "byte");
                                                       }
                                                       phase = now;
                                                       progress->at(done, total);
                                                   }});
    progress.reset();
    if (!pulled) return report(pulled.error());
    const std::filesystem::path opens = model->opens_in(folder);
    put("It is there: klp -m " + one_line(opens == folder && flags.out.empty() ? model->repository : opens.string()) + "\n");
    return 0;
}

}  // namespace klp
