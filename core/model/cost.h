// What a pass must read and multiply at the least, counted from a config: what every measured time is held against.
#pragma once

#include <vector>

#include "core/files/config.h"

namespace klp {

struct Cost {
    double bytes = 0;       // of weights, states (read and written) and cache
    double operations = 0;  // a multiply-add is two
};

// What one layer is to a token that is decoded.
struct LayerCost {
    double mixer = 0, ffn = 0;  // bytes of weights that it reads, norms included; of the experts as many as are picked
    double state = 0;           // bytes of constant size that it keeps: a state and its convolution's tail
    double cache = 0;           // bytes that it keeps of every token
};

class Costs {
public:
    // `type`: of the matrices (stored_type says which keep another one); what is no matrix, and the router, is f32 on every device. `cache_value_bytes`: 0 is 4
    // where they are f32, else 2.
    Costs(const ModelConfig& config, DType type, int cache_value_bytes = 0);

    // One step of `sequences`, each `context` tokens deep. Of the experts, as many are read as so many tokens hit if each is as likely as any other. MLA is
    // absorbed: the cache is read once for all heads.
    Cost decode(int64_t context, int64_t sequences = 1) const;
    // A prompt of `tokens` from the beginning: every weight it hits once, the output head for its last token, KDA in chunks of 64 (the report's count), MLA
    // with keys and values expanded; expanding a cached latent again for each later piece of the prompt is not counted, it need not be.
    Cost prefill(int64_t tokens) const;

    // From the first layer up; embedding and output head are no layers.
    std::vector<LayerCost> layers() const;
    double head() const { return head_bytes_; }              // bytes of the output head that a token reads
    double embedding_row() const { return embedding_row_; }  // and of the embedding

    // Seconds of it on a device: reading or multiplying, whichever takes longer; NaN where a limit is not known.
    double seconds(const Cost& cost, const DeviceLimits& limits) const;
    // Operations a second, 1e9, of the products that these weights take part in.
    double rate(const DeviceLimits& limits) const;

private:
    double experts_hit(double tokens) const;  // of one layer
    ModelConfig config_;
    DType type_;
    int cache_value_bytes_ = 2;
    double kda_ = 0, mla_ = 0;                     // layers
    double shared_values_ = 0, shared_bytes_ = 0;  // of what every token meets, without embedding and head
    double expert_values_ = 0, expert_bytes_ = 0;  // of one expert of each MoE layer, together
    double head_values_ = 0, head_bytes_ = 0, embedding_row_ = 0;
};

}  // namespace klp
