#include "core/files/config.h"
#include "tests/fuzz/fuzz.h"

namespace klp::fuzz {

void config(std::string_view bytes) {
    const auto c = parse_config(std::string(bytes), "fuzz");
    if (!c) return one_sentence(c.error().message);
    // What was accepted says the same again, and its numbers fit where they are counted (UBSan looks at the overflows).
    const std::string text = to_json(*c);
    const auto again = parse_config(text, "fuzz");
    KLP_CHECK(again && to_json(*again) == text);
    for (const ModelConfig& m : {*c, all_attention(*c)}) {
        KLP_CHECK(count_parameters(m).total >= count_parameters(m).active - int64_t{m.vocab_size} * m.hidden_size);
        KLP_CHECK(sequence_bytes(m, m.model_max_length, 4).total() >= 0);
    }
}

}  // namespace klp::fuzz

KLP_FUZZ_TARGET(config)
