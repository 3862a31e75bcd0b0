// The next id from a row of logits, and what softmax says of it. Only the id and a few numbers leave the device.
//
// Nothing is sorted. Every id has a place in an order (by rank, or the order of ids), a number of 54 bits; a search finds the place where counts or weights in
// front reach a target, 10 or 11 bits at a time: a histogram over those whose bits so far are the right ones, then the bin where the target is reached. top-k
// is a search among counts, top-p and the draw are searches among weights; each gives the sum of weights that the next one begins with. All sums are of whole
// numbers, so their order does not matter and the id is the CPU's.
//
// Bytes: the logits, 4 V (655 kB for 163,840 ids), once a launch and out of the second-level cache; launches are what it costs: greedy 2, drawing 4, with one
// cut 10, with both 13, with a penalty a copy and one more.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/softmax.h"

namespace klp::cuda {

namespace {

using Whole = unsigned long long;

constexpr int kThreads = 256, kBins = 2048, kIdBits = 22;
constexpr int kShift[] = {43, 32, 22, 11, 0}, kBits[] = {11, 11, 10, 11, 11};  // of a level; the first three are of the score, the others of the id
constexpr Whole kNone = ~Whole{0};
constexpr int kHalf = 18;           // bits of the lower half of some steps, of which there are at most 2^35
constexpr int64_t kMost = 1 << 14;  // values of a block: so many halves are summed in 32 bits

// What changes from id to id.
struct Rules {
    double random;
    const Pick* newest;
    float temperature, top_p, min_p, penalty;
    int32_t top_k, recent;
};

enum class Goal : int32_t { top_k, top_p, draw };

struct Search {
    Whole best = 0, best_logit = 0;      // score and id of the best, the highest number of all; penalised and not
    Whole kept = 0;                      // steps of all that the cuts so far left; 0: no cut yet
    Whole prefix = 0;                    // of the place looked for
    Whole target = 0;                    // what must be reached
    Whole count = 0, sum = 0;            // ids and steps in front of the prefix
    Whole all = 0, part = 0, above = 0;  // of the logits: steps of e^z, of -z e^z; ids with larger logits
};

// Larger floats have larger numbers, 0 and -0 the same one; NaN has the largest.
__device__ uint32_t ordered(float f) {
    if (f != f) return ~0u;
    const uint32_t bits = __float_as_uint(f == 0 ? 0.f : f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ float score_of(Whole best) {
    const auto bits = static_cast<uint32_t>(best >> 32);
    return __uint_as_float(bits & 0x80000000u ? bits & 0x7fffffffu : ~bits);
}
__device__ Whole candidate(float score, int64_t id) { return Whole{ordered(score)} << 32 | (0xffffffffu - static_cast<uint32_t>(id)); }
__device__ int32_t id_of(Whole best) { return static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(best)); }
// A logit that is no finite number, a score that is none at all, or -infinity everywhere.
__device__ bool nothing(Whole best) { return best >> 32 == 0xffffffffu || best >> 32 <= ordered(-INFINITY); }

__device__ Whole warp_max(Whole v) {
    for (int step = 16; step > 0; step /= 2) {
        const Whole other = __shfl_xor_sync(0xffffffffu, v, step);
        v = other > v ? other : v;
    }
    return v;
}
// Of all threads of the block, in every thread; `space`: a number a warp.
__device__ Whole block_max(Whole v, Whole* space) {
    v = warp_max(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) space[threadIdx.x / 32] = v;
    __syncthreads();
    for (int i = 0; i < kThreads / 32; ++i) v = space[i] > v ? space[i] : v;
    return v;
}
// True in every thread of the block that comes last; it sees what the others wrote.
__device__ bool last_block(unsigned* arrived) {
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;
    __syncthreads();
    __threadfence();
    return last;
}

__global__ void penalise(const float* logits, int64_t V, const Rules* rules, const int32_t* recent, float* scores) {
    for (int i = static_cast<int>(threadIdx.x); i < rules->recent + (rules->newest != nullptr); i += kThreads)
        if (const int32_t id = i < rules->recent ? recent[i] : rules->newest->id; id >= 0 && id < V)
            atomicExch(&scores[id], logits[id] > 0 ? logits[id] / rules->penalty : logits[id] * rules->penalty);  // an id that comes twice has two threads
}

__global__ void find_best(const float* logits, const float* scores, int64_t V, Search* search) {
    Whole best = 0, best_logit = 0;
    for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < V; i += int64_t{gridDim.x} * kThreads) {
        const Whole score = candidate(scores[i], i), logit = candidate(logits[i], i);
        if (!(fabsf(logits[i]) <= FLT_MAX)) best = kNone;
        best = score > best ? score : best, best_logit = logit > best_logit ? logit : best_logit;
    }
    best = warp_max(best), best_logit = warp_max(best_logit);
    if (threadIdx.x % 32 == 0) atomicMax(&search->best, best), atomicMax(&search->best_logit, best_logit);
}

// One level of a search. `first`: the search begins here; `last`: and ends here.
__global__ __launch_bounds__(kThreads) void narrow(const float* scores, int64_t V, const Rules* rules, Goal goal, int32_t shift, int32_t bits, int32_t first,
                                                   int32_t last, Whole* sums, unsigned* counts, Search* search, unsigned* arrived) {
    __shared__ Whole space[kThreads / 32];
    // Shared memory adds 32 bits at once but 64 only by trying again, and at some levels all threads of a block have one bin: sums in two halves.
    __shared__ unsigned block_low[kBins], block_high[kBins], block_counts[kBins];
    if (nothing(search->best)) return;
    const int thread = static_cast<int>(threadIdx.x);
    const Exponent x{score_of(search->best), rules->temperature};
    const bool by_rank = rules->top_k > 0 || rules->top_p < 1;
    const float least = goal == Goal::draw && rules->min_p > 0 ? fminf(rules->min_p, 1.f) : 0.f;
    const Whole prefix = first ? 0 : search->prefix;
    for (int bin = thread; bin < kBins; bin += kThreads) block_low[bin] = block_high[bin] = block_counts[bin] = 0;
    __syncthreads();
    for (int64_t i = int64_t{blockIdx.x} * kThreads + thread; i < V; i += int64_t{gridDim.x} * kThreads) {
        const Whole place = (by_rank ? Whole{~ordered(scores[i])} << kIdBits : 0) | static_cast<Whole>(i);
        if (place >> (shift + bits) != prefix) continue;
        const auto bin = static_cast<int>(place >> shift) & ((1 << bits) - 1);
        const float weight = exponential(x(scores[i]));
        atomicAdd(&block_counts[bin], 1u);
        const Whole here = weight >= least ? static_cast<Whole>(steps(weight)) : 0;
        if (here == 0) continue;
        atomicAdd(&block_low[bin], static_cast<unsigned>(here) & ((1u << kHalf) - 1));
        atomicAdd(&block_high[bin], static_cast<unsigned>(here >> kHalf));
    }
    __syncthreads();
    for (int bin = thread; bin < kBins; bin += kThreads) {
        if (block_counts[bin] == 0) continue;
        atomicAdd(&counts[bin], block_counts[bin]);
        atomicAdd(&sums[bin], (Whole{block_high[bin]} << kHalf) + block_low[bin]);
    }
    if (!last_block(arrived)) return;

    // The bin where the target is reached; each thread has eight neighbours.
    constexpr int kEach = kBins / kThreads;
    Whole my_count = 0, my_sum = 0;
    for (int bin = thread * kEach; bin < (thread + 1) * kEach; ++bin) my_count += counts[bin], my_sum += sums[bin];
    const Scan<Whole> counted = block_scan(my_count, space), summed = block_scan(my_sum, space);
    Search s = *search;
    if (first) {
        s.prefix = s.count = s.sum = 0;
        const Whole kept = s.kept > 0 && s.kept < summed.all ? s.kept : summed.all;
        if (goal == Goal::top_k) {
            s.target = static_cast<Whole>(rules->top_k < V ? rules->top_k : V);
        } else if (goal == Goal::top_p) {
            const double share = ceil(static_cast<double>(rules->top_p) * static_cast<double>(kept));
            s.target = share > 1 ? static_cast<Whole>(share) : 1;
        } else {
            s.target = static_cast<Whole>(rules->random * static_cast<double>(kept)) + 1;
        }
    }
    __syncthreads();  // everybody has read where the search stands
    Whole count = s.count + counted.before, sum = s.sum + summed.before;
    for (int bin = thread * kEach; bin < (thread + 1) * kEach; ++bin) {
        const Whole here = goal == Goal::top_k ? counts[bin] : sums[bin], before = goal == Goal::top_k ? count : sum;
        if (before < s.target && before + here >= s.target) {  // in one thread
            s.prefix = s.prefix << bits | static_cast<Whole>(bin), s.count = count, s.sum = sum;
            if (last && goal != Goal::draw) {  // of ids with this score, so many that the target is reached
                const Whole weight = sums[bin] / counts[bin];
                s.kept = sum + (goal == Goal::top_k ? s.target - count : (s.target - sum + weight - 1) / weight) * weight;
            }
            *search = s;
        }
        count += counts[bin], sum += sums[bin];
        counts[bin] = 0, sums[bin] = 0;
    }
}

// What softmax says of the id, and the n most probable ones: of each block, then of those.
__global__ __launch_bounds__(kThreads) void look_kernel(const float* logits, int64_t V, const Rules* rules, int32_t n, Whole* tops, Search* search, Pick* pick,
                                                        Candidate* top, unsigned* arrived) {
    __shared__ Whole space[kThreads / 32];
    const int thread = static_cast<int>(threadIdx.x);
    const bool none = nothing(search->best);
    const int32_t id = rules->temperature > 0 ? static_cast<int32_t>(search->prefix & ((Whole{1} << kIdBits) - 1)) : id_of(search->best);
    const Exponent x{score_of(search->best_logit), 1};
    if (!none) {
        const float own = logits[id];
        Whole all = 0, part = 0, above = 0;
        for (int64_t i = int64_t{blockIdx.x} * kThreads + thread; i < V; i += int64_t{gridDim.x} * kThreads) {
            const float z = x(logits[i]), weight = exponential(z);
            all += static_cast<Whole>(steps(weight));
            if (weight > 0) part += static_cast<Whole>(steps(-z * weight));
            above += logits[i] > own;
        }
        all = warp_sum(all), part = warp_sum(part), above = warp_sum(above);
        if (thread % 32 == 0) atomicAdd(&search->all, all), atomicAdd(&search->part, part), atomicAdd(&search->above, above);
        Whole below = kNone;  // the next one is the best below this
        for (int r = 0; r < n; ++r) {
            Whole best = 0;
            for (int64_t i = int64_t{blockIdx.x} * kThreads + thread; i < V; i += int64_t{gridDim.x} * kThreads)
                if (const Whole c = candidate(logits[i], i); c < below && c > best) best = c;
            below = block_max(best, space);
            if (thread == 0) tops[int64_t{blockIdx.x} * n + r] = below;
        }
    }
    if (!last_block(arrived)) return;

    const double all = static_cast<double>(search->all);
    const auto probability = [&](float logit) { return static_cast<float>(exponential(x(logit)) * 0x1p35 / all); };
    if (thread == 0)
        *pick = none ? Pick{}
                     : Pick{id, probability(logits[id]), static_cast<float>(log(all * 0x1p-35) + static_cast<double>(search->part) / all),
                            static_cast<int32_t>(search->above)};
    Whole below = kNone;
    for (int r = 0; r < n; ++r) {
        Whole best = 0;
        for (int64_t i = thread; i < int64_t{gridDim.x} * n && !none; i += kThreads)
            if (tops[i] < below && tops[i] > best) best = tops[i];
        best = block_max(best, space);
        if (best > 0) below = best;
        if (thread == 0) top[r] = best > 0 && !nothing(best) ? Candidate{id_of(best), probability(score_of(best))} : Candidate{-1, 0};
    }
    __syncthreads();  // everybody has read what was found
    if (thread == 0) *search = Search{};
}

}  // namespace

void CudaBackend::sample(const Sample& a) {
    fresh();
    const int64_t V = a.logits.dim[0];
    KLP_CHECK(V <= int64_t{1} << kIdBits);
    const Sampling& how = a.how;
    const auto recent = how.penalises() ? a.recent.last(std::min(a.recent.size(), static_cast<size_t>(how.repeat_window))) : std::span<const int32_t>();
    const Rules given{a.random,  how.penalises() ? a.newest : nullptr, how.temperature, how.top_p, how.min_p, how.repeat_penalty,
                      how.top_k, static_cast<int32_t>(recent.size())};
    const Rules* const rules = stream_.give(std::span(&given, 1));
    const Grid grid{.x = std::max(std::clamp<int64_t>((V + kThreads - 1) / kThreads, 1, processors_), (V + kMost - 1) / kMost), .threads = kThreads};

    const float* scores = a.logits.data;
    if (!recent.empty() || given.newest) {
        float* const penalised = temporary<float>(V);
        stream_.copy(penalised, scores, static_cast<size_t>(V) * sizeof(float));
        stream_.launch("penalise", penalise, {.threads = kThreads}, scores, V, rules, recent.empty() ? nullptr : stream_.give(recent), penalised);
        scores = penalised;
    }

    struct Level {
        Goal goal;
        int32_t shift, bits, first, last;
    };
    std::vector<Level> levels;
    const auto search_for = [&](Goal goal, int32_t first, int32_t last) {
        for (int32_t l = first; l <= last; ++l) levels.push_back({goal, kShift[l], kBits[l], l == first, l == last});
    };
    if (how.draws()) {
        if (how.top_k > 0) search_for(Goal::top_k, 0, 2);
        if (how.top_p < 1) search_for(Goal::top_p, 0, 2);
        search_for(Goal::draw, how.ranks() ? 0 : 3, 4);
    }
    // What is searched and the histogram of a level are zeros before and after: whose last block read them empties them, so that no memset stands in the way.
    static_assert(sizeof(Search) % sizeof(Whole) == 0);
    auto* const search = reinterpret_cast<Search*>(counters(static_cast<int64_t>((sizeof(Search) + kBins * sizeof(Whole)) / sizeof(unsigned)) + kBins + 1));
    auto* const sums = reinterpret_cast<Whole*>(search + 1);
    auto* const counts = reinterpret_cast<unsigned*>(sums + kBins);
    unsigned* const arrived = counts + kBins;
    stream_.launch("find_best", find_best, grid, a.logits.data, scores, V, search);
    for (const Level& l : levels)
        stream_.launch("narrow", narrow, grid, scores, V, rules, l.goal, l.shift, l.bits, l.first, l.last, sums, counts, search, arrived);
    stream_.launch("look", look_kernel, grid, a.logits.data, V, rules, a.candidates, temporary<Whole>(grid.x * std::max(a.candidates, 1)), search, a.pick,
                   a.top, arrived);
}

}  // namespace klp::cuda
