// klp models: what lies on this disk, and whether it opens here.
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/format.h"
#include "core/files/library.h"
#include "core/system.h"

namespace klp {

namespace {

// What a person should know before opening it: why it does not, or what it will be like.
std::string remark(const FoundModel& model) {
    if (!model.why_not.empty()) return model.why_not;
    const int64_t memory = system_memory().total;
    return memory > 0 && model.bytes > memory ? "larger than this machine's memory: runs from the disk, slowly" : "";
}

}  // namespace

int models_command(const ModelsOptions& options, Terminal& terminal) {
    if (!options.add.empty())
        if (auto added = add_folder(options.add); !added) return report(added.error());
    if (!options.forget.empty())
        if (auto forgotten = forget_folder(options.forget); !forgotten) return report(forgotten.error());
    const auto models = found_models();
    if (options.json) {
        nlohmann::ordered_json list = nlohmann::ordered_json::array();
        for (const FoundModel& m : models)
            list.push_back({{"name", one_line(m.name)},
                            {"path", m.path.string()},
                            {"place", m.place},
                            {"architecture", m.architecture},
                            {"type", m.type},
                            {"parameters", m.parameters},
                            {"bytes", m.bytes},
                            {"opens", m.why_not.empty()},
                            {"remark", remark(m)}});
        put(list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
        return 0;
    }
    if (models.empty()) {
        put("No models were found beside the embedded one. klp pull ORGANISATION/NAME brings one; klp models --add FOLDER looks in one more folder.\n");
        return 0;
    }
    Table table({"name", "architecture", "parameters", "type", "size", "place", ""});
    for (const FoundModel& m : models)
        table.add({one_line(m.name), one_line(m.architecture), m.parameters ? count_text(m.parameters) : "", one_line(m.type), bytes_text(m.bytes),
                   one_line(m.place), one_line(remark(m))});
    put(table.text(terminal.canvas.width));
    return 0;
}

}  // namespace klp
