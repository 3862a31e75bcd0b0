// klp info --url: what a server says of itself.
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/format.h"
#include "app/lenses.h"
#include "app/served.h"

namespace klp {

int served_info(const InfoOptions& options, Terminal& terminal) {
    const auto server = server_at(options.served.url, options.served.key_variable);
    if (!server) return report(server.error());
    const auto models = served_models(*server, &g_interrupted);
    if (!models) return report(models.error());
    std::string one = models->size() == 1 ? models->front().id : "";  // whose memory is shown
    if (!options.served.model.empty()) {
        const auto named = served_model(*server, options.served.model, &g_interrupted);
        if (!named) return report(named.error());
        one = named->id;
    }
    const auto shape = served_shape(options.served.shape, one);
    if (!shape) return report(shape.error());
    const std::string health = served_health(*server, &g_interrupted);
    const std::map<std::string, double> metrics = served_metrics(*server, &g_interrupted);
    const ServedLoad load = served_load(metrics);
    if (g_interrupted) return report({Error::interrupted, "interrupted"});

    if (options.json) {
        using Json = nlohmann::ordered_json;
        Json rows = Json::array();
        for (const ServedModel& m : *models)
            rows.push_back({{"id", m.id}, {"owner", m.owner.empty() ? Json() : Json(m.owner)}, {"context", m.context > 0 ? Json(m.context) : Json()}});
        const Json out{{"url", server->url}, {"models", rows}, {"health", health.empty() ? Json() : Json(health)}, {"metrics", Json(metrics)}};
        put(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
        return 0;
    }
    const Canvas& canvas = terminal.canvas;
    Table facts({"", ""});
    if (!health.empty()) facts.add({"health", health});
    if (load.running) facts.add({"requests", short_number(*load.running) + " running, " + short_number(load.waiting.value_or(0)) + " waiting"});
    if (load.cache_share) facts.add({"its cache", percent_text(*load.cache_share) + " in use"});
    if (load.state_bytes && load.cache_bytes)
        facts.add({"its memory", "states " + bytes_text(std::llround(*load.state_bytes)) + ", caches " + bytes_text(std::llround(*load.cache_bytes))});
    facts.add({"metrics", metrics.empty() ? "none" : plural(static_cast<int64_t>(metrics.size()), "figure") + " at " + server->root() + "/metrics"});
    std::string lines = facts.text();
    lines.erase(0, lines.find('\n') + 1);
    std::string out = bold(server->url + "\n", canvas) + lines + "\n";
    Table table({"model", "context", "owner"});
    for (const ServedModel& m : *models) table.add({one_line(m.id), m.context > 0 ? grouped(m.context) : "not told", one_line(m.owner)});
    out += table.text(canvas.width);
    if (*shape) out += "\n" + layer_pattern(**shape, canvas.width) + "\n" + memory_by_context(**shape, 2, 0, 0, canvas);
    put(out);
    return 0;
}

}  // namespace klp
