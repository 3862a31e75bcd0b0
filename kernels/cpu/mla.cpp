// Multi-head latent attention on the CPU, in two forms that give the same numbers:
//   absorbed (decode)   queries go into the latent space and the cache is read once, straight, as key and value of all heads; tasks are blocks of queries times
//                       ranges of cached rows, and their parts are merged in a fixed order
//   expanded (prefill)  a task is one head and some of its new queries; keys and values of the head come out of the latents a block at a time
// Neither the number of threads nor the rest of the batch changes a bit of the answer.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/cpu_backend.h"

namespace klp {
namespace {

constexpr int64_t kRange = 64;   // ranges of the cache are multiples of it
constexpr int64_t kRanges = 64;  // most tasks that one segment needs
constexpr int64_t kKeys = 128;   // keys that are expanded together: they stay in the second-level cache while all queries pass

int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

void rotate(float* x, int64_t n, const float* turn, bool adjacent) {
    const int64_t next = adjacent ? 2 : 1, other = adjacent ? 1 : n / 2;
    for (int64_t i = 0; i < n / 2; ++i) {
        float &first = x[i * next], &second = x[i * next + other];
        const float a = first, b = second, c = turn[2 * i], s = turn[2 * i + 1];
        first = a * c - b * s;
        second = b * c + a * s;
    }
}

// Multiply-adds decide the form. Absorbed costs more for each pair of query and key (2 L + R against N + R + V); expanded pays (N + V) L for each cached key.
bool absorbs(const Mla& a, const MlaSegment& s) {
    if (a.form != MlaForm::automatic) return a.form == MlaForm::absorbed;
    const int64_t pairs = s.count * s.past + s.count * s.count / 2;
    return s.count <= 2 || (s.count <= 64 && pairs * (2 * a.L - a.nope - a.V) <= s.past * (a.nope + a.V) * a.L);
}

// What one segment needs.
struct Plan {
    const MlaSegment* segment = nullptr;
    Latents cache;
    // absorbed
    int64_t queries = 0, blocks = 0;  // count * H, in blocks of kAttendQueries
    int64_t range = 0, parts = 0;     // cached rows of a task; tasks along the cache
    float *q = nullptr, *top = nullptr, *sum = nullptr, *values = nullptr, *latent = nullptr;
    // expanded
    int64_t share = 0, shares = 0;  // queries of a task; tasks of a head
};

struct Memory {  // of one thread
    float *row = nullptr, *turn = nullptr, *turned = nullptr, *gate = nullptr, *attend = nullptr;
    float *latents = nullptr, *kv = nullptr, *tiles = nullptr, *top = nullptr, *sum = nullptr, *values = nullptr, *scores = nullptr, *prefill = nullptr;
    std::byte* prepared = nullptr;
};

// The op in progress: it knows sizes and plans, and does one task at a time.
class LatentAttention {
public:
    LatentAttention(const Mla& a, const Products& products, const Mixers& mixers) : a_(a), products_(products), mixers_(mixers) {
        if (a.rope_theta != 0)
            for (int64_t i = 0; i < R / 2; ++i) frequency_.push_back(std::pow(double{a.rope_theta}, -2.0 * static_cast<double>(i) / static_cast<double>(R)));
        for (const MlaSegment& s : a.segments) {
            if (s.count == 0) continue;
            const int64_t total = s.past + s.count;
            KLP_CHECK(static_cast<int64_t>(s.pages.size()) * kMlaPage >= total);
            Plan p{.segment = &s, .cache = {s.pages.data(), kMlaPage, L, W, H, a.cache_type == DType::bf16}};
            rows += s.count;
            if (absorbs(a, s)) {
                p.queries = s.count * H, p.blocks = (p.queries + kAttendQueries - 1) / kAttendQueries;
                const int64_t most = std::max<int64_t>(kRanges / p.blocks, 1);
                p.range = up(std::max((total + most - 1) / most, kRange), kRange);
                p.parts = (total + p.range - 1) / p.range;
                work += p.queries * (total * (W + L) + (N + V) * L);
                absorbed.push_back(p);
            } else {
                work += H * (s.count * (s.past + s.count / 2) * (N + R + V) + total * (N + V) * L);
                expanded.push_back(p);
            }
        }
    }

    void take(Arena& arena, int threads) {
        int64_t longest_absorbed = 0, longest_share = 0;
        for (Plan& p : absorbed) {
            longest_absorbed = std::max(longest_absorbed, p.segment->count);
            attend_tasks += p.blocks * p.parts;
            p.q = arena.take<float>(p.queries * wide), p.latent = arena.take<float>(p.queries * deep);
            p.top = arena.take<float>(p.parts * p.queries), p.sum = arena.take<float>(p.parts * p.queries);
            p.values = arena.take<float>(p.parts * p.queries * deep);
        }
        for (Plan& p : expanded) {  // a few tasks for each thread
            const int64_t wanted = std::max<int64_t>(3 * threads / (H * static_cast<int64_t>(expanded.size())), 1);
            p.share = up((p.segment->count + wanted - 1) / wanted, kExpandTile);
            p.shares = (p.segment->count + p.share - 1) / p.share;
            expand_tasks += H * p.shares;
            longest_share = std::max(longest_share, p.share);
        }
        for (const Plan& p : expanded) prefill_floats = std::max(prefill_floats, mixers_.prefill_scratch(prefill_of(p.cache, longest_share)));
        size_t prepared = 0;
        for (const Plan& p : absorbed) prepared = std::max(prepared, products_.prepared_bytes(a_.kv_b.type, p.segment->count, L));
        for (int64_t keys = 1; keys <= kKeys && !expanded.empty(); ++keys) prepared = std::max(prepared, products_.prepared_bytes(a_.kv_b.type, keys, L));
        const int64_t turned = a_.rope_theta != 0 ? std::max(longest_absorbed, longest_share) * R : 0;
        int64_t attend = 0;
        for (const Plan& p : absorbed) attend = std::max(attend, mixers_.attend_scratch(p.cache, std::min(p.queries, kAttendQueries)));
        memory.resize(threads);
        for (Memory& m : memory) {
            m.row = arena.take<float>(std::max(W, 4 * L)), m.turn = arena.take<float>(R), m.turned = arena.take<float>(turned);
            m.gate = arena.take<float>(a_.gates);
            m.prepared = arena.take<std::byte>(static_cast<int64_t>(prepared));
            if (!absorbed.empty()) m.attend = arena.take<float>(attend);
            if (prefill_floats) m.prefill = arena.take<float>(prefill_floats);
            if (expanded.empty() || prefill_floats) continue;
            m.latents = arena.take<float>(kKeys * W), m.kv = arena.take<float>(kKeys * kv_stride), m.scores = arena.take<float>(kKeys * kExpandTile);
            m.tiles = arena.take<float>(longest_share * (N + R)), m.values = arena.take<float>(longest_share * V);
            m.top = arena.take<float>(longest_share), m.sum = arena.take<float>(longest_share);
        }
    }

    // c | k_r of the i-th new row goes into the cache.
    void append(int64_t i, const Memory& m) const {
        const Plan& p = find(i, [](const Plan& plan) { return plan.segment->count; });
        const MlaSegment& s = *p.segment;
        const float* x = a_.x.row(s.first + i) + a_.q_width();
        if (a_.norm.weight)
            products_.rms_norm(x, a_.norm.weight, a_.norm.eps, L, m.row);
        else
            std::memcpy(m.row, x, L * sizeof(float));
        std::memcpy(m.row + L, x + L, R * sizeof(float));
        turn(m.row + L, s.past + i, m);
        encode(a_.cache_type, m.row, W, s.pages[(s.past + i) / kMlaPage] + (s.past + i) % kMlaPage * W * info(a_.cache_type).bytes);
    }

    // What the i-th new row has read, times the sigmoids of its gates.
    void weigh(int64_t i, const Memory& m) const {
        const int64_t row = find(i, [](const Plan&plan) { return plan.segment->count; }).segment->first + i, width = H * V / a_.gates;
        products_.sigmoid(a_.x.row(row) + a_.q_width() + W, a_.gates, m.gate);
        float* y = a_.y.row(row);
        for (int64_t g = 0; g < a_.gates; ++g)
            for (int64_t j = 0; j < width; ++j) y[g * width + j] *= m.gate[g];
    }

    void absorb(int64_t task, const Memory& m) const {  // q~ of one head
        const Plan& p = absorbed[task / H];
        const int64_t h = task % H;
        const Weight w = a_.kv_b.rows(h * (N + V), N);
        const Queries q = queries(*p.segment, h, 0, p.segment->count, m);
        mixers_.absorb({.cache = &p.cache,
                        .type = w.type,
                        .w = w.data,
                        .row_bytes = w.row_bytes(),
                        .nope = N,
                        .q = q.n,
                        .q_r = q.r,
                        .stride = a_.x.dim[1],
                        .r_stride = q.r_stride,
                        .T = p.segment->count,
                        .scale = a_.scale,
                        .out = p.q + h * wide,
                        .out_stride = H * wide,
                        .scratch = m.row});
    }

    void attend(int64_t task, const Memory& m) const {  // a block of queries over a range of the cache
        const Plan& p = find(absorbed, task, [](const Plan& plan) { return plan.blocks * plan.parts; });
        const int64_t part = task / p.blocks, query = task % p.blocks * kAttendQueries, at = part * p.queries + query;
        mixers_.attend({.cache = &p.cache,
                        .first = part * p.range,
                        .last = std::min((part + 1) * p.range, p.segment->past + p.segment->count),
                        .q = p.q + query * wide,
                        .queries = std::min(kAttendQueries, p.queries - query),
                        .query = query,
                        .heads = H,
                        .seen = p.segment->past + 1,
                        .top = p.top + at,
                        .sum = p.sum + at,
                        .values = p.values + at * deep,
                        .scratch = m.attend});
    }

    void merge(int64_t task, const Memory& m) const {  // o = W_UV l of one head
        const Plan& p = absorbed[task / H];
        const MlaSegment& s = *p.segment;
        const int64_t h = task % H;
        float* latent = p.latent + h * s.count * deep;
        for (int64_t t = 0; t < s.count; ++t) {
            const int64_t i = t * H + h;
            const float lse = mixers_.merge({.cache = &p.cache,
                                             .parts = p.parts,
                                             .stride = p.queries,
                                             .top = p.top + i,
                                             .sum = p.sum + i,
                                             .values = p.values + i * deep,
                                             .out = latent + t * deep});
            if (a_.taps.log_sum_exp) a_.taps.log_sum_exp[(s.first + t) * H + h] = lse;
        }
        multiply(a_.kv_b.rows(h * (N + V) + N, V), latent, deep, s.count, a_.y.row(s.first) + h * V, a_.y.dim[1], m);
    }

    void expand(int64_t task, const Memory& m) const {  // some queries of one head
        const Plan& p = find(expanded, task, [this](const Plan& plan) { return H * plan.shares; });
        const MlaSegment& s = *p.segment;
        const int64_t h = task / p.shares, first = task % p.shares * p.share, count = std::min(p.share, s.count - first);
        const Queries q = queries(s, h, first, count, m);
        if (prefill_floats) {
            const Weight w = a_.kv_b.rows(h * (N + V), N + V);
            Prefill all = prefill_of(p.cache, count);
            all.w = w.data, all.row_bytes = w.row_bytes();
            all.seen = s.past + first + 1;
            all.q = q.n, all.q_r = q.r, all.stride = a_.x.dim[1], all.r_stride = q.r_stride, all.scale = a_.scale;
            all.y = a_.y.row(s.first + first) + h * V, all.y_stride = a_.y.dim[1];
            all.log_sum_exp = a_.taps.log_sum_exp ? a_.taps.log_sum_exp + (s.first + first) * H + h : nullptr, all.lse_stride = H;
            all.scratch = m.prefill;
            mixers_.prefill(all);
            return;
        }
        const ExpandEnds ends{.nope = N,
                              .rope = R,
                              .V = V,
                              .queries = count,
                              .q = q.n,
                              .q_r = q.r,
                              .stride = a_.x.dim[1],
                              .r_stride = q.r_stride,
                              .scale = a_.scale,
                              .tiles = m.tiles,
                              .top = m.top,
                              .sum = m.sum,
                              .values = m.values,
                              .y = a_.y.row(s.first + first) + h * V,
                              .y_stride = a_.y.dim[1],
                              .log_sum_exp = a_.taps.log_sum_exp ? a_.taps.log_sum_exp + (s.first + first) * H + h : nullptr,
                              .lse_stride = H};
        mixers_.expand_begin(ends);
        const Weight w = a_.kv_b.rows(h * (N + V), N + V);
        const int64_t seen = s.past + first + 1, last = s.past + first + count;
        for (int64_t n = 0; n < last; n += kKeys) {
            const int64_t keys = std::min(kKeys, last - n);
            mixers_.widen(p.cache, n, n + keys, m.latents, W);
            multiply(w, m.latents, W, keys, m.kv, kv_stride, m);
            mixers_.expand({.nope = N,
                            .rope = R,
                            .V = V,
                            .keys = keys,
                            .kv = m.kv,
                            .k_r = m.latents + L,
                            .kv_stride = kv_stride,
                            .r_stride = W,
                            .q = m.tiles,
                            .queries = count,
                            .seen = seen - n,
                            .top = m.top,
                            .sum = m.sum,
                            .values = m.values,
                            .scratch = m.scores});
        }
        mixers_.expand_end(ends);
    }

    std::vector<Plan> absorbed, expanded;
    std::vector<Memory> memory;
    int64_t rows = 0, work = 0, attend_tasks = 0, expand_tasks = 0, prefill_floats = 0;

private:
    Prefill prefill_of(const Latents& cache, int64_t queries) const {
        return {.cache = &cache, .nope = N, .rope = R, .V = V, .type = a_.kv_b.type, .queries = queries};
    }
    struct Queries {  // q_n and q_r of one head and some tokens
        const float *n, *r;
        int64_t r_stride;
    };
    Queries queries(const MlaSegment& s, int64_t h, int64_t first, int64_t count, const Memory& m) const {
        const int64_t stride = a_.x.dim[1];
        const float* q = a_.x.row(s.first + first) + h * (N + R);
        if (frequency_.empty()) return {q, q + N, stride};
        for (int64_t t = 0; t < count; ++t) {
            std::memcpy(m.turned + t * R, q + t * stride + N, R * sizeof(float));
            turn(m.turned + t * R, s.past + first + t, m);
        }
        return {q, m.turned, R};
    }

    void turn(float* x, int64_t position, const Memory& m) const {
        if (frequency_.empty()) return;
        for (size_t i = 0; i < frequency_.size(); ++i) {
            const double angle = static_cast<double>(position) * frequency_[i];
            m.turn[2 * i] = static_cast<float>(std::cos(angle)), m.turn[2 * i + 1] = static_cast<float>(std::sin(angle));
        }
        rotate(x, R, m.turn, a_.rope_adjacent);
    }

    void multiply(const Weight& w, const float* x, int64_t stride, int64_t T, float* y, int64_t y_stride, const Memory& m) const {
        products_.prepare({.type = w.type, .x = x, .stride = stride, .in = w.in, .T = T, .last = T, .prepared = m.prepared});
        products_.multiply({.type = w.type, .w = w.data, .rows = w.out, .in = w.in, .x = m.prepared, .T = T, .last = T, .y = y, .stride = y_stride});
    }

    // The plan that the i-th of all plans' items belongs to; i becomes its number within the plan.
    template <class Count>
    static const Plan& find(const std::vector<Plan>& plans, int64_t& i, Count count) {
        const Plan* p = plans.data();
        for (; i >= count(*p); ++p) i -= count(*p);
        return *p;
    }
    template <class Count>
    const Plan& find(int64_t& i, Count count) const {
        int64_t of_absorbed = 0;
        for (const Plan& p : absorbed) of_absorbed += count(p);
        if (i < of_absorbed) return find(absorbed, i, count);
        i -= of_absorbed;
        return find(expanded, i, count);
    }

    const Mla& a_;
    const Products& products_;
    const Mixers& mixers_;
    std::vector<double> frequency_;  // of RoPE; none: NoPE
    const int64_t H = a_.H, N = a_.nope, R = a_.rope, V = a_.V, L = a_.L, W = a_.cache_width();
    const int64_t wide = up(W, kLatentStep), deep = up(L, kLatentStep);
    const int64_t kv_stride = up(N + V, 16) + 16;  // not a power of two: columns of V would all meet in the same few lines of the cache
};

}  // namespace

void CpuBackend::mla(const Mla& a) {
    KLP_CHECK(a.x.dim[1] >= a.width() && a.y.dim[1] == int64_t{a.H} * a.V && a.kv_b.in == a.L && a.kv_b.out == int64_t{a.H} * (a.nope + a.V));
    KLP_CHECK(a.gates == 0 || a.gates == a.H || a.gates == a.H * a.V);
    KLP_CHECK(a.cache_type == DType::f32 || a.cache_type == DType::bf16);
    LatentAttention attention(a, products_, mixers_);
    if (attention.rows == 0) return;
    arena_.reset();
    const int threads = threads_for(a.kv_b.bytes(), attention.work);
    attention.take(arena_, threads);

    const int64_t heads = a.H * static_cast<int64_t>(attention.absorbed.size());
    // Phases, each of pieces of `piece` tasks: a piece takes some microseconds.
    const auto each = [&](int64_t n, int64_t piece, auto task) {
        pool_.run(n, piece, threads, [&](int thread, int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) task(i, attention.memory[thread]);
        });
    };
    each(attention.rows, 8, [&](int64_t i, const Memory& m) { attention.append(i, m); });
    each(heads, 1, [&](int64_t i, const Memory& m) { attention.absorb(i, m); });
    each(attention.attend_tasks, 1, [&](int64_t i, const Memory& m) { attention.attend(i, m); });
    each(attention.expand_tasks, 1, [&](int64_t i, const Memory& m) { attention.expand(i, m); });
    each(heads, 1, [&](int64_t i, const Memory& m) { attention.merge(i, m); });
    if (a.gates) each(attention.rows, 8, [&](int64_t i, const Memory& m) { attention.weigh(i, m); });
}

}  // namespace klp
