// Rows of tokens through the layers of a model, there and back, on one backend.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/learn/batch.h"
#include "core/model/model.h"
#include "core/model/sequence.h"

namespace klp {

// Numbers in the device's memory, which is the host's.
class Floats {
public:
    void take(Backend& on, int64_t n) {  // zeros; what is large enough stays, as it is
        if (buffer_.bytes() >= static_cast<size_t>(n) * sizeof(float)) return;
        buffer_ = on.allocate(static_cast<size_t>(n) * sizeof(float));
        on.zero(data(), buffer_.bytes());
    }
    float* data() const { return buffer_.as<float>(); }
    size_t bytes() const { return buffer_.bytes(); }

private:
    Buffer buffer_;
};

// What is learned on the way back. The loss is the mean over all tokens of a step that have a target, so each row has to know of the others.
struct Learn {
    const GradientsOf& to;
    float weight = 0;  // of a target's loss
    float excess = 0;  // KdaBack
};

class Passes {
public:
    Passes(std::shared_ptr<const Model> model, std::shared_ptr<Backend> on);
    struct Figures {
        double loss = 0;  // nats, summed over targets
        int64_t right = 0;
    };
    // Some rows of a batch, each from an empty memory. Gradients are added to. A loss that is no number is the last one that is tried.
    Figures run(const Batch& batch, std::span<const size_t> rows, const Learn* learn);
    Gradients& gradients() const { return *back_; }

private:
    Figures pass(std::span<const int64_t> lengths, std::span<const int32_t> ids, std::span<const int32_t> targets, const Learn* learn);
    LayerState* empty_memory(size_t r, int64_t tokens);

    std::shared_ptr<const Model> model_;
    std::shared_ptr<Backend> on_;
    Gradients* back_;
    std::vector<std::vector<LayerState>> memory_;
    Floats kept_, d_;
    Scratch scratch_, readings_;
};

}  // namespace klp
