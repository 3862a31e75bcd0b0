// The CPU's form of Sample.
#pragma once

#include <vector>

#include "kernels/ops.h"

namespace klp {

// Allocates only when it meets its first, or a larger, vocabulary.
class Drawing {
public:
    int32_t draw(const Sample& a);  // the id

private:
    struct Ranked {
        float score, weight;
        int32_t id;
        bool operator<(const Ranked& other) const { return score != other.score ? score > other.score : id < other.id; }  // the better first
    };
    void gather(std::span<const float> scores, float above);
    size_t cut(const Sampling& how, bool all_are_candidates);
    std::vector<float> scores_;   // penalised logits
    std::vector<float> weights_;  // e^((score - best) / temperature)
    std::vector<Ranked> ranked_;  // the candidates
};

// What softmax says of pick.id, and the most probable ids (-1 where there are no more; entropy and rank only where one is asked for). NaNs count as -infinity.
void look(std::span<const float> logits, Pick& pick, std::span<Candidate> top);

}  // namespace klp
