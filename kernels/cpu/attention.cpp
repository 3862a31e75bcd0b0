// Softmax attention over whole keys and values on the CPU. New rows go into the cache, then a segment takes one of two forms that give the same numbers:
//   few rows (decode)   the cache is read straight, once for all heads that share it: tasks are blocks of queries of a group times ranges of cached rows, and
//                       their parts are merged in a fixed order
//   many (prefill)      a task is one head and some of its queries; keys and values of its group are widened a block at a time
// Inner loops are MLA's (simd/mla.inc.h, simd/mla_prefill.inc.h): what they call a latent row is one group's key here, with a value behind it. Neither the
// number of threads nor the rest of the batch changes a bit of the answer.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/cpu_backend.h"

namespace klp {
namespace {

constexpr int64_t kFewRows = 8;        // of a segment that reads the cache straight
constexpr int64_t kCacheRange = 64;    // ranges of the cache are multiples of it
constexpr int64_t kCacheTasks = 64;    // most tasks that one segment needs
constexpr int64_t kWidenedKeys = 128;  // that stay in the second-level cache while all queries pass; a page is a multiple

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// What one segment needs.
struct Part {
    const AttentionSegment* segment = nullptr;
    bool few = false;
    // few
    int64_t queries = 0, blocks = 0;                                        // of a group: count * heads, in blocks of kAttendQueries
    int64_t range = 0, parts = 0;                                           // cached rows of a task; tasks along the cache
    float *q = nullptr, *top = nullptr, *sum = nullptr, *values = nullptr;  // [H_kv][queries], [H_kv][parts][queries]
    // many
    int64_t share = 0, shares = 0;  // queries of a task; tasks of a head

    int64_t rows() const { return segment->count; }
    int64_t total() const { return segment->past + segment->count; }
};

struct Room {  // of one thread
    float *head = nullptr, *turn = nullptr, *row = nullptr, *merged = nullptr, *attend = nullptr;
    float *kv = nullptr, *tiles = nullptr, *top = nullptr, *sum = nullptr, *values = nullptr, *scores = nullptr;
};

// The op in progress: it knows sizes, and does one task at a time.
class CacheAttention {
public:
    CacheAttention(const Attention& a, const Products& products, const Mixers& mixers) : a_(a), products_(products), mixers_(mixers) {
        for (int64_t i = 0; i < a.rotary / 2 && a.rope_theta != 0; ++i)
            frequency_.push_back(std::pow(double{a.rope_theta}, -2.0 * static_cast<double>(i) / a.rotary));
        for (const AttentionSegment& s : a.segments) {
            if (s.count == 0) continue;
            Part p{.segment = &s, .few = s.count <= kFewRows};
            KLP_CHECK(static_cast<int64_t>(s.pages.size()) * kMlaPage >= p.total());
            rows += s.count;
            work += 2 * a.H * D * s.count * (s.past + s.count / 2 + 1);
            if (p.few) {
                p.queries = s.count * G, p.blocks = (p.queries + kAttendQueries - 1) / kAttendQueries;
                const int64_t most = std::max<int64_t>(kCacheTasks / (p.blocks * a.H_kv), 1);
                p.range = round_up(std::max((p.total() + most - 1) / most, kCacheRange), kCacheRange);
                p.parts = (p.total() + p.range - 1) / p.range;
            }
            all.push_back(p);
        }
    }

    void take(Arena& arena, int threads) {
        int64_t attend = 0, longest = 0;
        q_ = arena.take<float>(a_.x.dim[0] * a_.H * D);
        for (Part& p : all) {
            if (p.few) {
                p.q = arena.take<float>(a_.H_kv * p.queries * wide), p.values = arena.take<float>(a_.H_kv * p.parts * p.queries * wide);
                p.top = arena.take<float>(a_.H_kv * p.parts * p.queries), p.sum = arena.take<float>(a_.H_kv * p.parts * p.queries);
                attend = std::max(attend, mixers_.attend_scratch(group_of(*p.segment, 0), std::min(p.queries, kAttendQueries)));
                continue;
            }
            const int64_t wanted = std::max<int64_t>(3 * threads / a_.H, 1);
            p.share = round_up((p.rows() + wanted - 1) / wanted, kExpandTile);
            p.shares = (p.rows() + p.share - 1) / p.share;
            longest = std::max(longest, p.share);
        }
        room.resize(static_cast<size_t>(threads));
        for (Room& m : room) {
            m.head = arena.take<float>(D), m.turn = arena.take<float>(a_.rotary), m.row = arena.take<float>(a_.cache_width());
            m.merged = arena.take<float>(wide), m.attend = arena.take<float>(attend);
            if (longest == 0) continue;
            m.kv = arena.take<float>(kWidenedKeys * kv_stride), m.scores = arena.take<float>(kWidenedKeys * kExpandTile);
            m.tiles = arena.take<float>(longest * D), m.values = arena.take<float>(longest * D);
            m.top = arena.take<float>(longest), m.sum = arena.take<float>(longest);
        }
    }

    // Queries of the i-th new row are made, and k | v of it goes into the cache.
    void append(int64_t i, const Room& m) const {
        const AttentionSegment& s = *find(i, [](const Part& p) { return p.rows(); }).segment;
        const int64_t row = s.first + i, position = s.past + i;
        for (size_t n = 0; n < frequency_.size(); ++n) {
            const double angle = static_cast<double>(position) * frequency_[n];
            m.turn[2 * n] = static_cast<float>(std::cos(angle)), m.turn[2 * n + 1] = static_cast<float>(std::sin(angle));
        }
        const float* x = a_.x.row(row);
        for (int64_t h = 0; h < a_.H; ++h) turned(a_.q_norm, x + h * a_.q_step(), m, q_ + (row * a_.H + h) * D);
        const float* k = x + a_.H * a_.q_step();
        for (int64_t h = 0; h < a_.H_kv; ++h) {
            turned(a_.k_norm, k + h * D, m, m.row + 2 * h * D);
            std::memcpy(m.row + (2 * h + 1) * D, k + (a_.H_kv + h) * D, static_cast<size_t>(D) * sizeof(float));
        }
        const int64_t width = a_.cache_width();
        encode(a_.cache_type, m.row, width, s.pages[position / kMlaPage] + position % kMlaPage * width * info(a_.cache_type).bytes);
    }

    int64_t lay_tasks() const {
        return sum([](const Part& p) { return p.few ? int64_t{1} : 0; }) * a_.H;
    }
    void lay(int64_t task, const Room& m) const {  // one head's queries of few rows as attend() reads them
        const Part& p = find(task, [this](const Part& one) { return one.few ? int64_t{a_.H} : 0; });
        const int64_t g = task / G, j = task % G;
        Latents cache = group_of(*p.segment, g);
        cache.L = 0;  // all columns stand as they are
        mixers_.absorb({.cache = &cache,
                        .type = DType::f32,
                        .w = nullptr,
                        .row_bytes = 0,
                        .nope = 0,
                        .q = nullptr,
                        .q_r = q_ + (p.segment->first * a_.H + task) * D,
                        .stride = 0,
                        .r_stride = a_.H * D,
                        .T = p.rows(),
                        .scale = a_.scale,
                        .out = p.q + (g * p.queries + j) * wide,
                        .out_stride = G * wide,
                        .scratch = m.head});
    }

    int64_t attend_tasks() const {
        return sum([this](const Part& p) { return few_tasks(p); });
    }
    void attend(int64_t task, const Room& m) const {  // a block of a group's queries over a range of the cache
        const Part& p = find(task, [this](const Part& one) { return few_tasks(one); });
        const int64_t g = task / (p.blocks * p.parts), part = task / p.blocks % p.parts, query = task % p.blocks * kAttendQueries;
        const int64_t at = (g * p.parts + part) * p.queries + query;
        const Latents cache = group_of(*p.segment, g);
        mixers_.attend({.cache = &cache,
                        .first = part * p.range,
                        .last = std::min((part + 1) * p.range, p.total()),
                        .q = p.q + (g * p.queries + query) * wide,
                        .queries = std::min(kAttendQueries, p.queries - query),
                        .query = query,
                        .heads = G,
                        .seen = p.segment->past + 1,
                        .top = p.top + at,
                        .sum = p.sum + at,
                        .values = p.values + at * wide,
                        .scratch = m.attend});
    }

    int64_t merge_tasks() const {
        return sum([this](const Part& p) { return p.few ? p.rows() * a_.H : 0; });
    }
    void merge(int64_t task, const Room& m) const {  // what one head of one row has read
        const Part& p = find(task, [this](const Part& one) { return one.few ? one.rows() * a_.H : 0; });
        const int64_t t = task / a_.H, h = task % a_.H, at = h / G * p.parts * p.queries + t * G + h % G, row = p.segment->first + t;
        const Latents cache = group_of(*p.segment, h / G);
        const float lse = mixers_.merge(
            {.cache = &cache, .parts = p.parts, .stride = p.queries, .top = p.top + at, .sum = p.sum + at, .values = p.values + at * wide, .out = m.merged});
        std::memcpy(a_.y.row(row) + h * D, m.merged, static_cast<size_t>(D) * sizeof(float));
        if (a_.taps.log_sum_exp) a_.taps.log_sum_exp[row * a_.H + h] = lse;
    }

    int64_t expand_tasks() const {
        return sum([this](const Part& p) { return p.shares * a_.H; });
    }
    void expand(int64_t task, const Room& m) const {  // some queries of one head
        const Part& p = find(task, [this](const Part& one) { return one.shares * a_.H; });
        const AttentionSegment& s = *p.segment;
        const int64_t h = task / p.shares, first = task % p.shares * p.share, count = std::min(p.share, s.count - first), row = s.first + first;
        const float* q = q_ + (row * a_.H + h) * D;
        const ExpandEnds ends{.nope = D,
                              .rope = 0,
                              .V = D,
                              .queries = count,
                              .q = q,
                              .q_r = q,
                              .stride = a_.H * D,
                              .r_stride = a_.H * D,
                              .scale = a_.scale,
                              .tiles = m.tiles,
                              .top = m.top,
                              .sum = m.sum,
                              .values = m.values,
                              .y = a_.y.row(row) + h * D,
                              .y_stride = a_.y.dim[1],
                              .log_sum_exp = a_.taps.log_sum_exp ? a_.taps.log_sum_exp + row * a_.H + h : nullptr,
                              .lse_stride = a_.H};
        mixers_.expand_begin(ends);
        Latents both = group_of(s, h / G);
        both.W = 2 * D;  // key and value
        for (int64_t n = 0, last = s.past + first + count; n < last; n += kWidenedKeys) {
            const int64_t keys = std::min(kWidenedKeys, last - n);
            mixers_.widen(both, n, n + keys, m.kv, kv_stride);
            mixers_.expand({.nope = D,
                            .rope = 0,
                            .V = D,
                            .keys = keys,
                            .kv = m.kv,
                            .k_r = m.kv,
                            .kv_stride = kv_stride,
                            .r_stride = kv_stride,
                            .q = m.tiles,
                            .queries = count,
                            .seen = s.past + first + 1 - n,
                            .top = m.top,
                            .sum = m.sum,
                            .values = m.values,
                            .scratch = m.scores});
        }
        mixers_.expand_end(ends);
    }

    // What the i-th new row has read, times the sigmoids of its gates.
    void weigh(int64_t i, const Room& m) const {
        const int64_t row = find(i, [](const Part& p) { return p.rows(); }).segment->first + i;
        for (int64_t h = 0; h < a_.H; ++h) {
            products_.sigmoid(a_.x.row(row) + h * a_.q_step() + D, D, m.head);
            float* y = a_.y.row(row) + h * D;
            for (int64_t j = 0; j < D; ++j) y[j] *= m.head[j];
        }
    }

    std::vector<Part> all;
    std::vector<Room> room;
    int64_t rows = 0, work = 0;

private:
    int64_t few_tasks(const Part& p) const { return p.few ? a_.H_kv * p.blocks * p.parts : 0; }
    // The cache as the heads of one group see it.
    Latents group_of(const AttentionSegment& s, int64_t g) const {
        return {.pages = s.pages.data(),
                .page = kMlaPage,
                .L = D,
                .W = D,
                .H = G,
                .bf16 = a_.cache_type == DType::bf16,
                .row = a_.cache_width(),
                .first = 2 * g * D,
                .values = D};
    }
    void turned(const Norm& norm, const float* x, const Room& m, float* to) const {
        if (norm.weight)
            products_.rms_norm(x, norm.weight, norm.eps, D, to);
        else
            std::memcpy(to, x, static_cast<size_t>(D) * sizeof(float));
        for (size_t i = 0, half = frequency_.size(); i < half; ++i) {
            const float a = to[i], b = to[i + half], c = m.turn[2 * i], s = m.turn[2 * i + 1];
            to[i] = a * c - b * s;
            to[i + half] = b * c + a * s;
        }
    }
    template <class Count>
    int64_t sum(Count count) const {
        int64_t n = 0;
        for (const Part& p : all) n += count(p);
        return n;
    }
    // The part that the i-th of all parts' items belongs to; i becomes its number within the part.
    template <class Count>
    const Part& find(int64_t& i, Count count) const {
        const Part* p = all.data();
        for (; i >= count(*p); ++p) i -= count(*p);
        return *p;
    }

    const Attention& a_;
    const Products& products_;
    const Mixers& mixers_;
    float* q_ = nullptr;             // [rows of x, H, D]: normalised, rotated
    std::vector<double> frequency_;  // of rotation; none: no positions
    const int64_t D = a_.D, G = a_.H / a_.H_kv, wide = round_up(D, kLatentStep);
    const int64_t kv_stride = round_up(2 * D, 16) + 16;  // not a power of two: columns of V would all meet in the same few lines of the cache
};

}  // namespace

void CpuBackend::attention(const Attention& a) {
    KLP_CHECK(a.H_kv > 0 && a.H % a.H_kv == 0 && a.rotary <= a.D && a.rotary % 2 == 0);
    KLP_CHECK(a.x.dim[1] == a.width() && a.y.dim[1] == int64_t{a.H} * a.D && (a.cache_type == DType::f32 || a.cache_type == DType::bf16));
    CacheAttention op(a, products_, mixers_);
    if (op.rows == 0) return;
    arena_.reset();
    const int threads = threads_for(0, op.work);
    op.take(arena_, threads);
    // Phases, each of pieces of `piece` tasks: a piece takes some microseconds.
    const auto each = [&](int64_t n, int64_t piece, auto task) {
        pool_.run(n, piece, threads, [&](int thread, int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) task(i, op.room[static_cast<size_t>(thread)]);
        });
    };
    each(op.rows, 4, [&](int64_t i, const Room& m) { op.append(i, m); });
    each(op.lay_tasks(), 4, [&](int64_t i, const Room& m) { op.lay(i, m); });
    each(op.attend_tasks(), 1, [&](int64_t i, const Room& m) { op.attend(i, m); });
    each(op.expand_tasks(), 1, [&](int64_t i, const Room& m) { op.expand(i, m); });
    each(op.merge_tasks(), 8, [&](int64_t i, const Room& m) { op.merge(i, m); });
    if (a.gated) each(op.rows, 8, [&](int64_t i, const Room& m) { op.weigh(i, m); });
}

}  // namespace klp
