// A model that learns: its weights in f32, what each step says of them, and the same weights as a model that can be asked between two steps.
#pragma once

#include <memory>
#include <span>

#include "core/learn/batch.h"
#include "core/model/model.h"

namespace klp {

// Of one step.
struct Rates {
    double muon = 0, adamw = 0;  // learning rates: of the matrices inside the blocks, and of everything else
    double weight_decay = 0.05;  // of matrices, times their rate
    double clip = 1;             // the largest norm of all gradients; what is longer is shortened. 0: none
    double balance = 0;          // how far the bias of an expert's choice moves towards equal load
};
struct StepFigures {
    double loss = 0;                  // nats a counted token
    int64_t counted = 0, tokens = 0;  // tokens with a target, and all
    double accuracy = 0;              // of counted tokens, whose target came first
    double gradient_norm = 0;         // before it was clipped
};

class Learner {
public:
    virtual ~Learner() = default;
    // Learns from a batch. A loss or a gradient that is no number is an error that says where, and nothing is changed.
    virtual Result<StepFigures> step(const Batch& batch, const Rates& rates) = 0;
    // What it says to a batch; nothing is learned.
    virtual Result<StepFigures> measure(const Batch& batch) = 0;
    virtual const ModelConfig& config() const = 0;
    virtual std::shared_ptr<const Model> model() const = 0;  // of these weights, which change with each step

    // A tensor that is learned, under its name in a checkpoint. The moments are the optimizer's; null: it has none.
    struct Tensor {
        std::string name;
        std::vector<int64_t> shape;
        DType stored = DType::f32;  // as products use it
        float* master = nullptr;    // [values]
        float *first = nullptr, *second = nullptr;
        int64_t values() const {
            int64_t n = 1;
            for (int64_t d : shape) n *= d;
            return n;
        }
    };
    virtual std::span<const Tensor> tensors() const = 0;
    virtual int64_t steps() const = 0;
    virtual void resume(int64_t steps) = 0;  // tensors() were written, and so many steps were taken: copies for products are made anew
};

struct LearnOptions {
    int threads = 0;           // 0: all cores
    uint64_t seed = 1;         // of first weights
    DType type = DType::bf16;  // of matrices in products: bf16, or f32 where a test wants to know
    double excess = 1e-3;      // what gates beyond 8 nats a token cost, on average (KdaBack)
};
// A learner of this config, with random weights or those of a checkpoint (`from`, may be null). A config that cannot be trained is an error that says why.
Result<std::shared_ptr<Learner>> make_learner(const ModelConfig& config, std::shared_ptr<const WeightSource> from, const LearnOptions& options = {});

}  // namespace klp
