// The residual stream that layers write to. With attention residuals (ops.h, Mix) there is one for each block of layers, and what a layer reads is a mix of them.
#pragma once

#include "core/model/layer.h"

namespace klp {

// How a layer reads the streams: what scores them; null: the one that runs, as it is.
struct StreamReader {
    const float* w = nullptr;  // [D]
    float eps = 0;
};

// How many streams a config's layers write to: the embedding's and one for each block.
inline int64_t stream_count(const ModelConfig& c) { return c.residual_block > 0 ? 1 + (c.num_hidden_layers + c.residual_block - 1) / c.residual_block : 1; }
// And of how many the mixer of a layer reads a mix.
inline int64_t streams_read(const ModelConfig& c, int layer) { return c.residual_block > 0 ? 1 + (layer + c.residual_block - 1) / c.residual_block : 1; }
inline bool opens_block(const ModelConfig& c, int layer) { return c.residual_block > 0 && layer % c.residual_block == 0; }

class Streams {
public:
    Streams(Backend& on, Scratch& scratch, int64_t most, int64_t T, int64_t D) : on_(on), T_(T), D_(D), all_(scratch.floats(most * T * D)) {
        if (most > 1) mixed_ = scratch.rows(T, D);
    }
    Out<2> running() const { return {all_ + (count_ - 1) * T_ * D_, {T_, D_}}; }
    // The running one joins those that are only read, and another begins with zeros.
    void begin() {
        ++count_;
        on_.zero(running().data, static_cast<size_t>(T_ * D_) * sizeof(float));
    }
    // What a layer reads: it holds until the next read.
    Out<2> read(const StreamReader& by) const {
        if (!by.w) return running();
        on_.mix({.v = {all_, {count_, T_, D_}}, .w = by.w, .eps = by.eps, .y = mixed_});
        return mixed_;
    }

private:
    Backend& on_;
    int64_t T_, D_;
    float* all_;  // [most, T, D]
    int64_t count_ = 1;
    Out<2> mixed_;
};

}  // namespace klp
