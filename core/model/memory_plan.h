// What a model and one conversation will take of a device's memory, before anything is taken.
#pragma once

#include "core/files/weights.h"

namespace klp {

struct MemoryPlan {
    int64_t weights = 0;  // bytes, as the device keeps them
    int64_t state = 0;    // KDA states and convolutions' tails of one sequence
    int64_t cache = 0;    // its MLA cache at `context` tokens
    int64_t scratch = 0;  // activations of one pass of prompt tokens, and its logits
    int64_t context = 0;  // tokens
    int64_t total() const { return weights + state + cache + scratch; }
};
// `pass`: tokens of a prompt in one pass. Of a device that can, by a rehearsal of loading and of the pass that ends at `context`: the bytes that they will
// take, with those of the ops; else by the shapes. An error where the weights are not those of the config.
Result<MemoryPlan> plan_memory(const ModelConfig& config, std::shared_ptr<const WeightSource> source, const Backend& on, int64_t context, int64_t pass);
// The most sequences of `context` tokens whose states, caches (whole pages, one to grow into) and activations of one step fit into `bytes`.
int64_t sequences_that_fit(const ModelConfig& config, int64_t bytes, int64_t context, int cache_value_bytes);
// What one of them takes.
int64_t bytes_of_sequence(const ModelConfig& config, int64_t context, int cache_value_bytes);
std::string text(const MemoryPlan& plan);  // "27.6 GB: 27.2 GB weights, ..."

}  // namespace klp
