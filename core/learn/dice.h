// Fair dice of a seed: the same throws on every machine, and for each place (a stage, a step, a row) its own.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/random.h"

namespace klp {

class Dice {
public:
    // `place`: what the throws are for; another place is other dice.
    Dice(uint64_t seed, std::initializer_list<uint64_t> place) : state_(mix(seed)) {
        for (const uint64_t part : place) state_ = mix(state_ ^ mix(part + 1));
    }
    uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15u); }
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)
    // 0 .. n - 1. Of n below 2^32 no face is more likely than another by more than n / 2^64.
    int64_t below(int64_t n) { return static_cast<int64_t>((static_cast<unsigned __int128>(next()) * static_cast<uint64_t>(n)) >> 64); }
    template <class T>
    void shuffle(std::vector<T>& all) {
        for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
    }
    // An index, each with its share; shares are not negative and not all zero.
    size_t pick(const std::vector<double>& shares) {
        double sum = 0;
        for (const double share : shares) sum += share;
        double left = uniform() * sum;
        size_t last = 0;
        for (size_t i = 0; i < shares.size(); ++i) {
            if (shares[i] <= 0) continue;
            last = i;
            if ((left -= shares[i]) < 0) return i;
        }
        return last;
    }

private:
    uint64_t state_;
};

// FNV-1a, mixed: of texts, files and the like. `before`: of what this text follows.
inline uint64_t hash_of(std::string_view text, uint64_t before = 0xcbf29ce484222325u) {
    for (const unsigned char c : text) before = (before ^ c) * 0x100000001b3u;
    return before;
}

}  // namespace klp
