// klp doctor: the machine, the terminal, and what falls back and why. Bug reports paste it.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/engine.h"
#include "app/format.h"
#include "app/machine.h"
#include "app/progress.h"
#include "core/files/resources.h"
#include "core/text/chat_template.h"
#include "kernels/cpu/limits.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

// What a model's files say of its words, and where they do not agree.
struct ModelReport {
    std::string folder;
    Json ends = Json::array();  // ids that end an answer, with their names
    std::vector<std::string> notes;
};
Result<ModelReport> look_at(const std::string& model) {
    auto checkpoint = open_folder(model);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    ModelReport out{.folder = checkpoint->folder.string()};
    if (!checkpoint->tokenizer) {
        out.notes.push_back("it " + std::string(kNoTokenizer));
        return out;
    }
    out.notes = checkpoint->tokenizer->notes();
    if (auto ours = check_template(*checkpoint, false); !ours) out.notes.push_back(ours.error().message);
    auto turn = turn_tokens(*checkpoint->tokenizer, checkpoint->config);
    if (!turn) {
        out.notes.push_back(turn.error().message);
        return out;
    }
    for (int32_t id : turn->stop) out.ends.push_back({{"id", id}, {"token", std::string(checkpoint->tokenizer->bytes(id))}});
    return out;
}

}  // namespace

int doctor_command(const DoctorOptions& options, Terminal& terminal) {
    std::optional<ModelReport> model;
    if (!options.model.empty()) {
        auto looked = look_at(options.model);
        if (!looked) return report(looked.error());
        model = std::move(*looked);
    }
    auto backend = make_backend(options.device, options.threads);
    if (!backend) return report(backend.error());
    const DeviceInfo& device = (*backend)->info();

    Json isas = Json::array();
    for (Isa isa : supported_isas()) isas.push_back(name(isa));
    const auto demo = find_model("");
    const char* forced = std::getenv("KLP_ISA");
    const Machine machine = this_machine();
    const Canvas& canvas = terminal.canvas;
    std::optional<Progress> progress(std::in_place, terminal, "measuring what this machine allows");
    progress->at();
    const Limits limits = measure_limits(options.threads);
    const DeviceLimits own = (*backend)->free_bytes() >= 0 ? (*backend)->limits() : DeviceLimits{};  // of a GPU
    progress.reset();

    Json out{{"version", KLP_VERSION},
             {"cpu",
              {{"model", machine.cpu},
               {"cores", machine.cores},
               {"instructions", name(best_isa())},
               {"supported", isas},
               {"forced", forced ? Json(forced) : Json()}}},
             {"limits",
              {{"threads", limits.threads},
               {"read_gb_s", limits.read_gb_s},
               {"f32_gflops", limits.f32_gflops},
               {"bf16_gflops", limits.bf16_gflops},
               {"int8_gops", limits.int8_gops}}},
             {"memory_bytes", {{"total", machine.memory.total}, {"available", machine.memory.available}, {"files", machine.memory.files}}},
             {"device",
              {{"name", device.name}, {"hardware", device.hardware}, {"detail", device.detail}, {"why", device.why}, {"memory_bytes", device.memory_bytes}}},
             {"terminal",
              {{"output", terminal.output},
               {"colour", name(canvas.colour)},
               {"width", canvas.width},
               {"unicode", canvas.unicode},
               {"editing", terminal.input && terminal.output && !terminal.dumb}}},
             {"demo_model", demo ? Json(demo->string()) : Json()}};
    if (own.read_gb_s > 0)
        out["device"]["limits"] = {
            {"read_gb_s", own.read_gb_s}, {"f32_gflops", own.f32_gflops}, {"bf16_gflops", own.bf16_gflops}, {"int8_gops", own.int8_gops}};
    if (model) out["model"] = {{"folder", model->folder}, {"ends", model->ends}, {"notes", model->notes}};
    if (options.json) {
        put(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
        return 0;
    }
    std::string supported;
    for (const auto& isa : isas) supported += (supported.empty() ? "" : ", ") + isa.get<std::string>();
    Table table({"", ""});
    table.add({"klp", KLP_VERSION});
    table.add({"CPU", machine.cpu + ", " + plural(machine.cores, "core")});
    table.add({"instructions", std::string(name(best_isa())) + (forced ? " (KLP_ISA=" + std::string(forced) + ")" : ", the best of " + supported)});
    table.add({"reads", fixed(limits.read_gb_s, 1) + " GB/s with " + plural(limits.threads, "thread")});
    table.add({"products", "f32 " + short_number(limits.f32_gflops) + ", bf16 " + (limits.bf16_gflops > 0 ? short_number(limits.bf16_gflops) : "none") +
                               ", int8 " + short_number(limits.int8_gops) + " Gop/s"});
    table.add({"memory", bytes_text(machine.memory.total) + ", " + bytes_text(machine.memory.available) + " available; " + bytes_text(machine.memory.files) +
                             " hold pages of files"});
    table.add({"device", device.name + ", " + device.hardware + (device.detail.empty() ? "" : ", " + device.detail)});
    if (own.read_gb_s > 0)
        table.add({"its limits", "reads " + short_number(own.read_gb_s) + " GB/s; f32 " + short_number(own.f32_gflops) + ", bf16 " +
                                     short_number(own.bf16_gflops) + ", int8 " + short_number(own.int8_gops) + " Gop/s"});
    table.add({"terminal", (terminal.output ? std::to_string(canvas.width) + " columns" : std::string("stdout is no terminal")) +
                               ", colour: " + std::string(name(canvas.colour)) + ", " + (canvas.unicode ? "UTF-8" : "ASCII")});
    table.add({"demo model", demo ? demo->string() : demo.error().message});
    if (model) {
        table.add({"model", model->folder});
        std::string ends;
        for (const Json& end : model->ends)
            ends += (ends.empty() ? "" : ", ") + std::to_string(end["id"].get<int32_t>()) + " " + end["token"].get<std::string>();
        table.add({"answers end with", ends.empty() ? "nothing that is known" : ends});
        for (const std::string& note : model->notes) table.add({"mind", note});
    }
    std::string text = table.text();
    text.erase(0, text.find('\n') + 1);
    put(text + "falls back: " + (device.why.empty() ? "nothing" : device.why) + "\n");
    return 0;
}

}  // namespace klp
