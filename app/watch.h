// What the model's memory did while the last answer was written: a tap that keeps the newest gates, their sums, and one number a token for the norms.
#pragma once

#include <vector>

#include "core/files/config.h"
#include "core/model/telemetry.h"

namespace klp {

class Watch final : public Tap {
public:
    explicit Watch(const ModelConfig& config) : layers_(static_cast<size_t>(config.num_hidden_layers)) {}

    struct Layer {
        std::vector<float> last_log_decay;                 // [H K] of the newest token
        std::vector<double> sum_log_decay;                 // [H K] over the answer
        std::vector<float> beta, state_norm, update_norm;  // [tokens][H], the answer so far
        std::vector<int64_t> picks;                        // [E] times an expert was chosen
        int64_t decay_tokens = 0, pick_tokens = 0;
        // Mean log-decay over the answer, per channel.
        float mean_log_decay(int64_t channel) const {
            return static_cast<float>(sum_log_decay[static_cast<size_t>(channel)] / static_cast<double>(decay_tokens));
        }
    };

    // Prefill is not watched: the picture is of the answer, and a long prompt's readings would cost more than they show.
    void start() { layers_.assign(layers_.size(), {}), on_ = true; }
    void stop() { on_ = false; }
    bool empty() const {
        for (const Layer& l : layers_) {
            if (l.decay_tokens > 0 || l.pick_tokens > 0) return false;
        }
        return true;
    }
    const Layer& layer(int i) const { return layers_[static_cast<size_t>(i)]; }

    bool wants(Site site, int) const override { return on_ && site != Site::log_sum_exp && site != Site::pick_weights && site != Site::projections; }
    void take(const Reading& reading) override;

private:
    std::vector<Layer> layers_;
    bool on_ = false;
};

}  // namespace klp
