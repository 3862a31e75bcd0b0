#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "core/files/gguf_model.h"
#include "core/files/values.h"
#include "tests/fuzz/fuzz.h"

namespace klp::fuzz {

// A file as a whole model: config and weights are refused with a sentence or hold what they promise.
void gguf_model(std::string_view bytes) {
    static const int fd = memfd_create("fuzz", 0);
    KLP_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    auto model = open_gguf("/proc/self/fd/" + std::to_string(fd));
    if (!model) return one_sentence(model.error().message);
    const auto config = gguf_config(*model);
    if (!config) return one_sentence(config.error().message);
    KLP_CHECK(!to_json(*config).empty());
    const auto source = gguf_weights(std::move(*model), *config);
    if (!source) return one_sentence(source.error().message);
    if (const auto odd = check_values(**source); !odd) one_sentence(odd.error().message);
    if (config->num_hidden_layers > 64 || config->num_experts > 64) return;
    for (const TensorSpec& spec : tensor_specs(*config)) {
        const auto found = (*source)->find(spec.name, spec.shape);
        KLP_CHECK(found || !(*source)->has(spec.name) || !found.error().message.empty());
        if (!found) continue;
        int64_t values = 1;
        for (int64_t d : spec.shape) values *= d;
        KLP_CHECK(found->out * found->in == values);
    }
}

}  // namespace klp::fuzz

KLP_FUZZ_TARGET(gguf_model)
