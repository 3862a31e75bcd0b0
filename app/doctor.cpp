// klp doctor: the machine, the terminal, and what falls back and why. Bug reports paste it.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/format.h"
#include "app/machine.h"
#include "core/files/resources.h"
#include "kernels/cpu/limits.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

int doctor_command(const DoctorOptions& options, Terminal& terminal) {
    auto backend = make_backend(options.device, options.threads);
    if (!backend) return report(backend.error());
    const DeviceInfo& device = (*backend)->info();

    Json isas = Json::array();
    for (Isa isa : supported_isas()) isas.push_back(name(isa));
    const auto demo = find_model("");
    const char* forced = std::getenv("KLP_ISA");
    const Machine machine = this_machine();
    const Canvas& canvas = terminal.canvas;
    const Limits limits = measure_limits(options.threads);
    const DeviceLimits own = (*backend)->free_bytes() >= 0 ? (*backend)->limits() : DeviceLimits{};  // of a GPU

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
             {"memory_bytes", {{"total", machine.memory.total}, {"available", machine.memory.available}}},
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
    table.add({"memory", bytes_text(machine.memory.total) + ", " + bytes_text(machine.memory.available) + " available"});
    table.add({"device", device.name + ", " + device.hardware + (device.detail.empty() ? "" : ", " + device.detail)});
    if (own.read_gb_s > 0)
        table.add({"its limits", "reads " + short_number(own.read_gb_s) + " GB/s; f32 " + short_number(own.f32_gflops) + ", bf16 " +
                                     short_number(own.bf16_gflops) + ", int8 " + short_number(own.int8_gops) + " Gop/s"});
    table.add({"terminal", (terminal.output ? std::to_string(canvas.width) + " columns" : std::string("stdout is no terminal")) +
                               ", colour: " + std::string(name(canvas.colour)) + ", " + (canvas.unicode ? "UTF-8" : "ASCII")});
    table.add({"demo model", demo ? demo->string() : demo.error().message});
    std::string text = table.text();
    text.erase(0, text.find('\n') + 1);
    put(text + "falls back: " + (device.why.empty() ? "nothing" : device.why) + "\n");
    return 0;
}

}  // namespace klp
