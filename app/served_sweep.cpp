// klp sweep --url: one server or two, over contexts and requests at once.
#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "app/commands.h"
#include "app/format.h"
#include "app/progress.h"
#include "app/sweep_text.h"
#include "core/serve/served_sweep.h"

namespace klp {

namespace {

constexpr int64_t kMostAtOnce = 512;

Result<std::vector<int64_t>> requests_at_once(const std::string& text) {
    std::vector<int64_t> all;
    for (size_t at = 0; at <= text.size();) {
        const size_t comma = std::min(text.find(',', at), text.size());
        int64_t n = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + comma, n);
        if (error != std::errc() || end != text.data() + comma || n < 1 || n > kMostAtOnce)
            return fail(Error::usage, "--concurrency: '" + one_line(text.substr(at, comma - at)) + "' is not a number of requests from 1 to " +
                                          grouped(kMostAtOnce) + ", such as 1,4,16");
        if (n > 1) all.push_back(n);  // one alone is always measured
        at = comma + 1;
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

}  // namespace

int served_sweep_command(const SweepFlags& flags, Terminal& terminal) {
    if (auto files = check_sweep_files(flags); !files) return report(files.error());
    if (flags.urls.size() > 2)
        return report({Error::usage, "--url: two servers stand beside each other, not " + grouped(static_cast<int64_t>(flags.urls.size()))});
    if (flags.served_models.size() > flags.urls.size()) return report({Error::usage, "--served-model: there are more models than servers"});
    const auto contexts = sweep_contexts(flags.contexts.empty() ? "1k,4k,16k" : flags.contexts);
    if (!contexts) return report(contexts.error());
    const auto at_once = requests_at_once(flags.at_once);
    if (!at_once) return report(at_once.error());
    std::vector<Server> servers;
    std::vector<ServedModel> models;
    Sweep sweep{.klp = KLP_VERSION, .date = sweep_date(), .command = one_line(flags.command)};
    for (size_t i = 0; i < flags.urls.size(); ++i) {
        auto server = server_at(flags.urls[i], flags.key_variable);
        if (!server) return report(server.error());
        auto model = served_model(*server, i < flags.served_models.size() ? flags.served_models[i] : "", &g_interrupted);
        if (!model) return report(model.error());
        sweep.servers.push_back({server->url, model->id});
        servers.push_back(std::move(*server)), models.push_back(std::move(*model));
    }
    sweep.model = sweep.servers[0].model;
    if (servers.size() > 1) sweep.twin = sweep.servers[1].model;

    const Canvas& canvas = terminal.canvas;
    ServedSweepOptions options{.contexts = *contexts, .at_once = *at_once, .limit_seconds = flags.limit, .cancel = &g_interrupted};
    Result<void> written;
    std::string doing;
    std::optional<Progress> progress;
    options.on_progress = [&](const std::string& what, int64_t done, int64_t total) {
        if (what != doing) progress.reset(), progress.emplace(terminal, doing = what, "request");
        progress->at(done, total);
    };
    options.on_row = [&](const SweepRow& row) {
        progress.reset(), doing.clear();
        if (!flags.json) put(sweep_rows(sweep, row, canvas));
        if (written) written = write_sweep_files(flags, sweep);
    };
    if (!flags.json) put(sweep_head(sweep, canvas));
    say_that_it_takes_long(terminal);
    const auto done = sweep_servers(servers, models, options, sweep);
    progress.reset();
    if (!done) return report(done.error());
    put(flags.json ? to_json(sweep) : sweep_foot(sweep, canvas));
    if (written) written = write_sweep_files(flags, sweep);
    if (!written) return report(written.error());
    if (g_interrupted) return Error::interrupted;
    if (std::all_of(sweep.rows.begin(), sweep.rows.end(), [](const SweepRow& row) { return row.empty(); }) && sweep.ended.empty()) {
        const std::string why = sweep.rows.empty() ? "" : sweep.rows.front().hybrid.prefill.why;
        return report({Error::failure, "nothing was measured" + (why.empty() ? "" : ": " + why)});
    }
    return sweep.ended.empty() ? 0 : Error::failure;
}

}  // namespace klp
