// klp info: what a checkpoint is, from its headers alone.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/format.h"
#include "app/lenses.h"
#include "app/progress.h"
#include "core/files/values.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

struct TypeTotal {
    int64_t tensors = 0, bytes = 0;
};

Json memory_json(const ModelConfig& config, int cache_bytes) {
    Json rows = Json::array();
    for (const int64_t n : {1024, 4096, 16384, 65536, 262144, 1048576}) {
        const SequenceBytes mine = sequence_bytes(config, n, cache_bytes), twin = sequence_bytes(all_attention(config), n, cache_bytes);
        rows.push_back(
            {{"context", n}, {"state", mine.state}, {"conv", mine.conv}, {"cache", mine.cache}, {"total", mine.total()}, {"all_mla_twin", twin.total()}});
    }
    return rows;
}

std::string mixers(const ModelConfig& c) {
    std::string text = c.kda_heads == 0
                           ? std::string()
                           : std::string(state_name(c)) + " " + std::to_string(c.kda_heads) + " heads of " + std::to_string(c.kda_key_dim) + " x " +
                                 std::to_string(c.kda_value_dim) + ", conv " + std::to_string(c.short_conv_kernel_size) + ", " +
                                 (c.rule().no_gate         ? "no gate"
                                  : c.gate_lower_bound < 0 ? "bounded gate (" + short_number(c.gate_lower_bound) + ")"
                                                           : "unbounded gate") +
                                 (c.rule().one_gate || state_name(c) == "Gated DeltaNet" ? " a head" : "") + (c.rule().plain ? ", plain writing" : "") +
                                 (c.key_heads() != c.kda_heads ? ", keys of " + std::to_string(c.key_heads()) + (c.kda_tiled ? " (tiled)" : "") : "");
    if (c.head_dim > 0)
        text += (text.empty() ? "" : "; ") + std::string(cache_name(c)) + " " + std::to_string(c.num_attention_heads) + " heads of " +
                std::to_string(c.head_dim) + ", keys and values of " + std::to_string(c.num_key_value_heads) + ", " +
                (c.mla_use_nope ? "NoPE" : "RoPE on " + std::to_string(c.rotary_dim)) + (c.attention_gate ? ", gated" : "");
    if (c.kv_lora_rank > 0) {
        text += "; MLA " + std::to_string(c.num_attention_heads) + " heads, latent " + std::to_string(c.kv_lora_rank) + " + " +
                std::to_string(c.qk_rope_head_dim) + ", " + (c.mla_use_nope ? "NoPE" : "RoPE") +
                (c.q_lora_rank ? ", queries of rank " + std::to_string(c.q_lora_rank) : "") +
                (c.mla_head_gate     ? ", a gate a head"
                 : c.mla_output_gate ? ", gated"
                                     : "");
    }
    return text;
}

std::string feed_forward(const ModelConfig& c) {
    if (c.num_experts == 0) return "dense " + std::to_string(c.intermediate_size);
    return std::to_string(c.num_experts_per_token) + " of " + std::to_string(c.num_experts) + " experts of " + std::to_string(c.moe_intermediate_size) + ", " +
           (c.expert_latent ? "of a latent of " + std::to_string(c.expert_latent) + ", " : "") + std::to_string(c.num_shared_experts) + " shared" +
           (c.shared_expert_gate ? " (gated)" : "") + "; " + (c.router_softmax ? "softmax" : "sigmoid") + " router" + (c.situ > 0 ? "; SiTU" : "") +
           (c.residual_block ? "; residual streams of " + plural(c.residual_block, "layer") + ", mixed by attention" : "");
}

// What tensors are for, in the order of a forward pass. A quantiser chooses a type for each kind.
constexpr std::string_view kKinds[] = {"embedding", "mixers", "router and norms", "dense and shared", "experts", "output", "others"};
std::string_view kind_of(const TensorInfo& t) {
    const auto has = [&](const char* part) { return t.name.find(part) != std::string::npos; };
    if (has("embed_tokens")) return "embedding";
    if (has("lm_head")) return "output";
    if (has("norm") || has("_moe.gate.") || has("_res_proj.")) return "router and norms";
    if (has(".self_attn.")) return "mixers";
    if (has(".experts.")) return "experts";
    return has(".mlp.") || has("shared_experts") || has(".routed_expert_") ? "dense and shared" : "others";
}

}  // namespace

int info_command(const InfoOptions& options, Terminal& terminal) {
    if (!options.shape.empty() && !options.model.empty()) return report({Error::usage, "say what to show: a model (-m) or a shape (--shape), not both"});
    auto checkpoint = options.shape.empty() ? open_folder(options.model) : open_shape(options.shape, options.dtype);
    bool computed = !options.shape.empty();  // there are no weights
    if (auto config = checkpoint || options.check ? std::nullopt : open_config(options.model)) checkpoint = std::move(*config), computed = true;
    if (!checkpoint) return report(checkpoint.error());
    const std::string name = options.shape.empty() ? model_name(checkpoint->folder) : options.shape;
    const ModelConfig& c = checkpoint->config;
    std::map<std::string, TypeTotal> types;
    std::map<std::string_view, std::map<std::string, TypeTotal>> kinds;
    TypeTotal all;
    const std::vector<TensorInfo> tensors = checkpoint->source->tensors();
    for (const TensorInfo& t : tensors) {
        const std::string type = t.readable ? std::string(info(t.type).name) : t.stored;
        for (TypeTotal* total : {&types[type], &kinds[kind_of(t)][type], &all}) ++total->tensors, total->bytes += t.bytes;
    }
    std::vector<OddValues> odd;
    if (options.check) {
        Progress progress(terminal, "checking all weights", "byte");
        auto found = check_values(
            *checkpoint->source, [&](double fraction) { progress.at(static_cast<int64_t>(fraction * double(all.bytes)), all.bytes); }, &g_interrupted);
        if (!found) return report(found.error());
        odd = std::move(*found);
    }
    const auto verdict = [&] {  // of the check, where there was one
        if (odd.empty()) return 0;
        int64_t values = 0;
        for (const OddValues& o : odd) values += o.count;
        return report({Error::model, checkpoint->source->path() + ": " + plural(static_cast<int64_t>(odd.size()), "tensor") + " with " +
                                         plural(values, "value") + " that " + (values == 1 ? "is" : "are") + " NaN or infinite"});
    };
    const ParameterCount parameters = count_parameters(c);
    const int cache_bytes = main_type(*checkpoint->source) == "f32" ? 4 : 2;

    if (options.json) {
        Json by_type;
        for (const auto& [type, total] : types) by_type[type] = {{"tensors", total.tensors}, {"bytes", total.bytes}};
        Json by_kind;
        for (std::string_view kind : kKinds)
            for (const auto& [type, total] : kinds[kind]) by_kind[std::string(kind)][type] = {{"tensors", total.tensors}, {"bytes", total.bytes}};
        Json out{{"model", name},
                 {"folder", checkpoint->folder.string()},
                 {"model_type", c.model_type},
                 {"layers", c.layer_kinds},
                 {"hidden_size", c.hidden_size},
                 {"vocab_size", c.vocab_size},
                 {"context", c.model_max_length},
                 {"parameters", {{"total", parameters.total}, {"active", parameters.active}}},
                 {"tensors", by_type},
                 {"by_kind", by_kind},
                 {"bytes", all.bytes},
                 {"file_type", checkpoint->file_type},
                 {"computed", computed},
                 {"tokenizer", checkpoint->tokenizer != nullptr},
                 {"memory", memory_json(c, cache_bytes)},
                 {"config", Json::parse(to_json(c))}};
        if (options.check) {
            Json rows = Json::array();
            for (const OddValues& o : odd) rows.push_back({{"tensor", o.tensor}, {"shape", o.shape}, {"count", o.count}, {"first", place(o)}});
            out["not_finite"] = rows;
        }
        put(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
        return verdict();
    }

    const Canvas& canvas = terminal.canvas;
    Table facts({"", ""});
    facts.add({"architecture", c.model_type + ", " + std::to_string(c.num_hidden_layers) + " layers, width " + std::to_string(c.hidden_size)});
    facts.add({"mixers", mixers(c)});
    facts.add({"feed-forward", feed_forward(c)});
    facts.add({"vocabulary", grouped(c.vocab_size) + (c.tie_word_embeddings ? ", tied" : "") + (checkpoint->tokenizer || computed ? "" : "; no tokenizer")});
    facts.add({"context", grouped(c.model_max_length) + " tokens"});
    if (!checkpoint->file_type.empty()) facts.add({"file type", checkpoint->file_type});
    facts.add({"parameters", count_text(parameters.total) + " in all, " + count_text(parameters.active) + " active for a token"});
    std::string lines = facts.text();
    lines.erase(0, lines.find('\n') + 1);
    std::string out = bold(name + "\n", canvas) + lines + "\n" + layer_pattern(c, canvas.width) + "\n";
    Table table({"type", "tensors", "bytes"});
    for (const auto& [type, total] : types) table.add({type, grouped(total.tensors), bytes_text(total.bytes)});
    table.add({"all", grouped(all.tensors), bytes_text(all.bytes)});
    if (types.size() > 2) {  // a mix: which type is where
        out += table.text() + "\n";
        table = Table({"tensors of", "types", "bytes"});
        for (std::string_view kind : kKinds) {
            std::string names;
            int64_t bytes = 0;
            for (const auto& [type, total] : kinds[kind])
                names += (names.empty() ? "" : ", ") + type + (kinds[kind].size() > 1 ? " " + grouped(total.tensors) : ""), bytes += total.bytes;
            if (!names.empty()) table.add({std::string(kind), names, bytes_text(bytes)});
        }
    }
    out += table.text() + (computed ? "computed: no weights are here, these are what they would be\n" : "") + "\n" +
           memory_by_context(c, cache_bytes, 0, 0, canvas);
    if (options.check) {
        std::string found;
        for (const OddValues& o : odd) found += one_line(text(o)) + "\n";
        const int64_t unread = std::count_if(tensors.begin(), tensors.end(), [](const TensorInfo& t) { return !t.readable; });
        out += "\n" + (odd.empty() ? "all weights are finite numbers\n" : found);
        if (unread > 0) out += plural(unread, "tensor") + " of types that are not used " + (unread == 1 ? "was" : "were") + " not read\n";
    }
    put(out);
    return verdict();
}

}  // namespace klp
