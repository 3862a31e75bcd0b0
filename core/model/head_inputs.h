// What the delta rule of one head (KDA, Gated DeltaNet) is given, in float64, from its columns of the layer's projections: the short convolution, SiLU and
// lengths of layers/kda.cpp again, token after token.
#pragma once

#include <span>
#include <vector>

#include "core/model/sequence.h"

namespace klp {

class HeadInputs {
public:
    // Where a head's q^, k^ and v^ begin in the projections; heads may share those of keys.
    struct Columns {
        int64_t q, k, v;
    };
    static Columns columns(const ModelConfig& config, int head);
    // Heads [first, first + count) of a layer that keeps a state, in front of the token that the sequence is fed next: the rows before it are in the convolution's tail.
    // An Error: a weight that the files lack.
    static Result<std::vector<HeadInputs>> of(const Sequence& sequence, int layer, int first, int count);
    // One token more: its q^ and k^ [K] and v^ [V], before the convolution.
    void next(std::span<const float> q, std::span<const float> k, std::span<const float> v);

    // As the delta rule multiplies them: q and k of length 1, q over sqrt(K) then.
    std::vector<double> q, k, v;

private:
    struct Stream {
        std::vector<double> weights;             // [width, C]
        std::vector<std::vector<float>> before;  // the C - 1 rows in front of the next one
        std::vector<double> next(std::span<const float> row);
    };
    Stream q_, k_, v_;
};

}  // namespace klp
