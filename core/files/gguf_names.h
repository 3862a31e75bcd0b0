// How llama.cpp's architecture `kimi-linear` calls the tensors that a Hugging Face checkpoint calls otherwise: one table, read in both directions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace klp {

enum class GgufForm {
    same,     // dimensions of 1 do not count: a converter writes convolutions as [C, 1, HK, 1], a quantiser [C, 1, HK]
    experts,  // [E, out, in]; the name without number is all of them
    qkv,      // the rows of q, k and v one behind the other, in KDA layers only
    decay,    // -exp(A_log)
    k_b,      // [H, latent, nope], turned round against kv_b_proj's rows
    v_b,      // [H, V, latent]; made together with k_b
};

// A name of one side in the words of the other; nothing for a name that the table does not have. Where a tensor of ours has several in GGUF files, ours gives
// the one that is written.
struct TranslatedName {
    std::string name;
    GgufForm form = GgufForm::same;
};
std::optional<TranslatedName> our_name(std::string_view gguf);
std::optional<TranslatedName> gguf_name(std::string_view ours);

// "...experts.17.w1.weight" as "...experts.w1.weight" and 17.
struct ExpertName {
    std::string all;
    int64_t number;
};
std::optional<ExpertName> expert_name(const std::string& name);
std::string numbered(const ExpertName& expert);

}  // namespace klp
