#include "core/model/sampler.h"

#include <algorithm>
#include <bit>

namespace klp {

Sampling within_range(Sampling s) {
    s.temperature = std::clamp(s.temperature, 0.f, 100.f);
    s.top_k = std::max(s.top_k, 0);
    s.top_p = std::clamp(s.top_p, 0.f, 1.f);
    s.min_p = std::clamp(s.min_p, 0.f, 1.f);
    s.repeat_penalty = std::clamp(s.repeat_penalty, 0.01f, 100.f);
    s.repeat_window = std::max(s.repeat_window, 0);
    return s;
}

Sampler::Sampler(const Sampling& settings) : settings_(settings) {
    uint64_t seed = settings.seed;
    for (uint64_t& word : state_) {  // splitmix64
        seed += 0x9E3779B97F4A7C15;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        word = z ^ (z >> 31);
    }
}

Choice Sampler::next(int candidates) {  // xoroshiro128++ (Blackman and Vigna, 2019)
    const uint64_t a = state_[0], b = state_[1] ^ state_[0];
    const uint64_t result = std::rotl(a + state_[1], 17) + a;
    state_[0] = std::rotl(a, 49) ^ b ^ (b << 21);
    state_[1] = std::rotl(b, 28);
    return {settings_, static_cast<double>(result >> 11) * 0x1p-53, candidates};
}

}  // namespace klp
