// Kimi Delta Attention on the CPU: heads share nothing, so some heads of one segment are a thread's task, from the raw projections to the gated output.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/cpu_backend.h"

namespace klp {

KLP_TABLES(Mixers, mixers_of, kMixers_)

namespace {

// Tail rows are the last C - 1 of tail | x, for the columns of one head. Ascending rows: a row is read before it is overwritten.
void shift_tail(const Kda& a, const KdaSegment& s, int64_t column, int64_t n) {
    for (int64_t j = 0; j < a.C - 1; ++j) {
        const int64_t from = s.count + j;  // row of tail | x
        const float* row = from < a.C - 1 ? s.tail + from * a.conv_width() : a.x.row(s.first + from - (a.C - 1));
        std::memmove(s.tail + j * a.conv_width() + column, row + column, n * sizeof(float));
    }
}

// A thread's memory.
struct Work {
    float *f, *z, *block;  // f_b f_a and g_b g_a of a block and a head; KdaBlock::scratch
    std::byte *f_a, *g_a;  // as their products want them
};

// Measured at K = V = 128 with AVX-512, microseconds for a token of a head, everything but the low-rank maps: single steps 2.0, fours 1.1 at 64 tokens and 1.6
// at 8, chunks of 64 1.4. Fours turn the state around first, which pays from some 6 tokens on; a chunk does more products, and its operands must be made.
KdaSteps steps_of(KdaForm form, int64_t count) {
    if (form == KdaForm::chunkwise) return KdaSteps::chunk;
    return form == KdaForm::recurrent || count <= 6 ? KdaSteps::single : KdaSteps::fours;
}

// Heads [first, last) of a segment, block by block: the raw rows of a block stay in the second-level cache while the heads read their columns.
void some_heads(const Kda& a, const KdaSegment& s, int64_t first, int64_t last, const Work& work, const Products& products, const Mixers& mixers) {
    const int64_t H = a.H, K = a.K, V = a.V, conv = a.conv_width();
    const auto low_rank = [&](const Weight& w, const std::byte* x, int64_t T, float* y) {
        products.multiply({.type = w.type, .w = w.data, .rows = w.out, .in = w.in, .x = x, .T = T, .last = T, .y = y, .stride = w.out});
    };
    KdaBlock b{.K = K, .V = V, .C = a.C, .stride = a.x.dim[1]};
    b.lower_bound = a.lower_bound, b.one_gate = a.one_gate, b.no_gate = a.no_gate, b.plain = a.plain, b.silu = a.silu, b.ungated = a.ungated;
    b.o_norm = a.o_norm.weight, b.eps = a.o_norm.eps;
    const int64_t H_k = a.k_heads(), gates = a.gate_width() / H;  // of a head
    b.f = work.f, b.f_stride = a.f_b ? gates : b.stride, b.z = work.z, b.z_stride = a.g_b ? V : b.stride, b.scratch = work.block;
    b.y_stride = a.y.dim[1], b.H = H;
    b.steps = steps_of(a.form, s.count);
    for (int64_t t = 0; t < s.count; t += b.T) {
        b.T = std::min<int64_t>(s.count - t, kKdaBlock);
        b.last = t + b.T == s.count;
        const int64_t row = s.first + t;
        const float* x = a.x.row(row);
        const float* past = t == 0 && a.C > 1 ? s.tail : x - (a.C - 1) * b.stride;  // a block is longer than the convolution
        b.past_stride = t == 0 ? conv : b.stride;
        const float *f = x + conv, *z = f + a.R_f;
        if (a.f_b) products.prepare({.type = a.f_b.type, .x = f, .stride = b.stride, .in = a.R_f, .T = b.T, .last = b.T, .prepared = work.f_a});
        if (a.g_b) products.prepare({.type = a.g_b.type, .x = z, .stride = b.stride, .in = a.R_g, .T = b.T, .last = b.T, .prepared = work.g_a});
        for (int64_t h = first; h < last; ++h) {
            const int64_t q = a.k_head(h) * K, k = (H_k + a.k_head(h)) * K, v = 2 * H_k * K + h * V;  // columns
            if (a.f_b)
                low_rank(a.f_b.rows(h * gates, gates), work.f_a, b.T, work.f);
            else
                b.f = f + h * gates;
            if (a.g_b)
                low_rank(a.g_b.rows(h * V, V), work.g_a, b.T, work.z);
            else
                b.z = z + h * V;
            b.q = {x + q, past + q, a.conv + q * a.C};
            b.k = {x + k, past + k, a.conv + k * a.C};
            b.v = {x + v, past + v, a.conv + v * a.C};
            b.b = z + a.R_g + h;
            if (!a.no_gate) b.A_log = a.A_log[h], b.dt_bias = a.dt_bias + h * gates;
            if (s.gate) b.gate = s.gate + h * K;
            if (s.beta) b.beta_factor = s.beta[h];
            b.state = s.state + h * V * K;
            b.y = a.y.row(row) + h * V;
            if (a.taps.log_decay) b.log_decay = a.taps.log_decay + (row * H + h) * K;
            if (a.taps.beta) b.beta = a.taps.beta + row * H + h;
            if (a.taps.state_norm) b.state_norm = a.taps.state_norm + row * H + h;
            if (a.taps.update_norm) b.update_norm = a.taps.update_norm + row * H + h;
            mixers.kda(b);
        }
    }
    if (H_k != H) return;  // others may still read the columns that they share
    shift_tail(a, s, first * K, (last - first) * K);
    shift_tail(a, s, (H + first) * K, (last - first) * K);
    shift_tail(a, s, 2 * H * K + first * V, (last - first) * V);
}

}  // namespace

void CpuBackend::kda(const Kda& a) {
    KLP_CHECK(a.x.dim[1] == a.width() && a.y.dim[1] == int64_t{a.H} * a.V && a.C >= 1 && a.C <= kKdaBlock);
    KLP_CHECK((a.f_b || a.R_f == a.gate_width()) && (a.g_b || a.R_g == a.output_gates()) && a.H % a.k_heads() == 0);
    int64_t longest = 0, tokens = 0;
    for (const KdaSegment& s : a.segments) longest = std::max(longest, s.count), tokens += s.count;
    if (tokens == 0) return;

    const int64_t block = std::min<int64_t>(longest, kKdaBlock), segments = static_cast<int64_t>(a.segments.size());
    const int64_t low_ranks = int64_t{a.K} * (a.f_b ? a.R_f : 0) + int64_t{a.V} * (a.g_b ? a.R_g : 0);  // products of a head
    const int threads = threads_for(0, tokens * a.H * (4L * a.K * a.V + low_ranks));
    size_t f_a = 0, g_a = 0;  // of any length up to a block's
    for (int64_t T = 1; T <= block; ++T) {
        if (a.f_b) f_a = std::max(f_a, products_.prepared_bytes(a.f_b.type, T, a.R_f));
        if (a.g_b) g_a = std::max(g_a, products_.prepared_bytes(a.g_b.type, T, a.R_g));
    }
    arena_.reset();
    std::vector<Work> work(threads);
    for (Work& w : work)
        w = {arena_.take<float>(block * a.K), arena_.take<float>(block * a.V), arena_.take<float>(mixers_.kda_scratch(a.K, a.V, a.C)),
             arena_.take<std::byte>(static_cast<int64_t>(f_a)), arena_.take<std::byte>(static_cast<int64_t>(g_a))};

    const int64_t heads = std::clamp<int64_t>(a.H * segments / (2 * threads), 1, std::min(a.H, 4)), groups = (a.H + heads - 1) / heads;
    pool_.run(segments * groups, 1, threads, [&](int thread, int64_t task, int64_t) {
        const KdaSegment& s = a.segments[task / groups];
        const int64_t head = task % groups * heads;
        if (s.count > 0) some_heads(a, s, head, std::min<int64_t>(head + heads, a.H), work[thread], products_, mixers_);
    });
    if (a.k_heads() != a.H)
        pool_.run(segments, 1, threads, [&](int, int64_t i, int64_t) {
            if (a.segments[i].count > 0) shift_tail(a, a.segments[i], 0, a.conv_width());
        });
}

}  // namespace klp
