#include "core/model/memory_plan.h"

#include <algorithm>
#include <cstdio>

#include "core/model/sequence.h"

namespace klp {

namespace {

std::string size(int64_t bytes) {
    char text[32];
    const double mib = static_cast<double>(bytes) / (1 << 20);
    std::snprintf(text, sizeof text, mib < 1024 ? "%.1f MiB" : "%.2f GiB", mib < 1024 ? mib : mib / 1024);
    return text;
}

// Activations of a token.
int64_t bytes_of_row(const ModelConfig& c) {
    const int64_t HK = int64_t{c.kda_heads} * c.kda_key_dim, HV = int64_t{c.kda_heads} * c.kda_value_dim;
    const int64_t attention = c.cache_width() + 4LL * c.num_attention_heads * c.head_dim;
    const int64_t widest =
        std::max<int64_t>({6 * HK + 4 * HV, attention, 3LL * c.intermediate_size, 3LL * c.moe_intermediate_size * (c.num_experts_per_token + 1)});
    const int64_t streams = stream_count(c), residual = streams > 1 ? streams + 1 : 1;  // and their mix
    return 4 * ((3 + residual) * c.hidden_size + 2 * widest + 2LL * c.expert_latent);
}

}  // namespace

Result<MemoryPlan> plan_memory(const ModelConfig& c, std::shared_ptr<const WeightSource> source, const Backend& on, int64_t context, int64_t pass) {
    MemoryPlan plan{.context = context};
    if (const auto device = on.rehearsal()) {
        auto model = Model::load(device, c, source);
        if (!model) return tl::unexpected(model.error());
        plan.weights = device->rehearsed_bytes();
        Sequence sequence(*model, context);
        plan.state = device->rehearsed_bytes() - plan.weights;
        const auto count = static_cast<size_t>(std::min(pass, context));
        if (auto filled = sequence.fill(context - static_cast<int64_t>(count), 0); !filled) return tl::unexpected(filled.error());
        Workspace ws(*device);
        const std::vector<int32_t> ids(count);
        const Choice choice{.how = {.top_k = 1, .top_p = 0.5f, .repeat_penalty = 2}, .candidates = 64};  // all that takes memory
        const Feed feed{.sequence = &sequence, .tokens = ids, .choice = &choice};
        (*model)->forward({&feed, 1}, ws);
        plan.cache = sequence.memory().cache;
        plan.scratch = device->rehearsed_bytes() - plan.weights - plan.state - plan.cache;
        return plan;
    }
    for (const TensorSpec& spec : tensor_specs(c)) {
        int64_t values = 1;
        for (int64_t d : spec.shape) values *= d;
        // Vectors, convolutions and the router become f32 on every device.
        const bool matrix = spec.shape.size() == 2 && !spec.name.ends_with("block_sparse_moe.gate.weight");
        const auto drawn = matrix ? source->drawn(spec.name, spec.shape) : std::nullopt;
        plan.weights += drawn ? drawn->shape.bytes() : matrix ? 0 : 4 * values;
    }
    const auto embedding = source->drawn("model.embed_tokens.weight", {c.vocab_size, c.hidden_size});
    const SequenceBytes sequence = sequence_bytes(c, context, embedding && embedding->shape.type != DType::f32 ? 2 : 4);
    plan.state = sequence.state + sequence.conv, plan.cache = sequence.cache;
    plan.scratch = pass * bytes_of_row(c) + 4LL * c.vocab_size;
    return plan;
}

int64_t bytes_of_sequence(const ModelConfig& c, int64_t context, int cache_value_bytes) {
    const int64_t pages = (context + kMlaPage - 1) / kMlaPage + 1;
    return sequence_bytes(c, pages * kMlaPage, cache_value_bytes).total() + bytes_of_row(c) + 4LL * c.vocab_size;
}

int64_t sequences_that_fit(const ModelConfig& c, int64_t bytes, int64_t context, int cache_value_bytes) {
    return std::max<int64_t>(0, bytes) / bytes_of_sequence(c, context, cache_value_bytes);
}

std::string text(const MemoryPlan& p) {
    return size(p.total()) + " (" + size(p.weights) + " weights, " + size(p.state) + " state, " + size(p.cache) + " cache of " + std::to_string(p.context) +
           " tokens, " + size(p.scratch) + " scratch)";
}

}  // namespace klp
