// The CPU's form of Sample.
#pragma once

#include <vector>

#include "kernels/cpu/simd/scores.h"

namespace klp {

// Allocates only when it meets its first, or a larger, vocabulary.
class Drawing {
public:
    explicit Drawing(const Scores& loops) : loops_(loops) {}
    void sample(const Sample& a);

private:
    int32_t draw(const Sample& a, BestScore best);  // the id; `best` of the logits
    struct Ranked {
        float score, weight;
        int32_t id;
        bool operator<(const Ranked& other) const { return score != other.score ? score > other.score : id < other.id; }  // the better first
    };
    void gather(std::span<const float> scores, float above);
    size_t cut(const Sampling& how, double all, bool all_are_candidates);
    const Scores& loops_;
    std::vector<float> scores_;   // penalised logits
    std::vector<float> weights_;  // e^((score - best) / temperature)
    std::vector<Ranked> ranked_;  // the candidates
    std::vector<int32_t> places_;
};

// What softmax says of pick.id, and the most probable ids (-1 where there are no more; entropy and rank only where one is asked for). NaNs count as -infinity.
// `best`: of the logits. All instruction sets' loops say the same, to the last bit.
void look(std::span<const float> logits, Pick& pick, std::span<Candidate> top, const Scores& loops = scores_of(best_isa()));
void look(std::span<const float> logits, const BestScore& best, Pick& pick, std::span<Candidate> top, const Scores& loops);

}  // namespace klp
