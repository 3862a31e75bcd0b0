// Feed-forward: dense SwiGLU, the router and the experts. Everything becomes a list of jobs, "these tokens through this SwiGLU", sorted by expert, so that an
// expert's weights are read once for all its tokens. Sums run over the jobs in the order of the list, whatever the threads do.
#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/learning/learning.h"

namespace klp {

// y[rows[i]] += scales[i] down( silu(gate n) * (up n) ),  n = n[rows[i]].  The scale is applied in front of `down`.
struct CpuBackend::Job {
    const SwiGlu* w = nullptr;
    const int32_t* rows = nullptr;  // null: all tokens
    const float* scales = nullptr;  // of each token of the job; null: 1
    int64_t count = 0;
    std::byte* x = nullptr;  // all tokens, prepared for gate and up; null: these tokens are prepared where they are needed
    int64_t x_token = 0;     // bytes of each, where x is copied token by token
    int64_t x_count = 0;     // the tokens that decide the layout of x
    std::byte* hidden_prepared = nullptr;
    float* hidden = nullptr;  // [count, F]; null: prepared piece by piece
    float* up = nullptr;      // [count, F]
};

namespace {

struct Task {  // a piece of a job: rows of gate and up, or tokens to prepare
    int32_t job;
    int64_t first, last;
};

void choose(const Router& r, const float* scores, float* choice, int32_t* picks, float* weights) {
    const int E = r.E, k = r.top_k, size = E / r.groups;
    for (int e = 0; e < E; ++e) choice[e] = scores[e] + (r.bias ? r.bias[e] : 0.f);
    uint64_t kept = ~uint64_t{0};
    if (r.kept_groups < r.groups) {
        float best[64];
        for (int g = 0; g < r.groups; ++g) {
            float first = -std::numeric_limits<float>::infinity(), second = first;
            for (int e = g * size; e < (g + 1) * size; ++e) {
                if (choice[e] > first) {
                    second = first;
                    first = choice[e];
                } else if (choice[e] > second) {
                    second = choice[e];
                }
            }
            best[g] = size > 1 ? first + second : first;
        }
        kept = 0;
        for (int n = 0; n < r.kept_groups; ++n) {
            int chosen = -1;
            for (int g = 0; g < r.groups; ++g) {
                if (!(kept >> g & 1) && (chosen < 0 || best[g] > best[chosen])) chosen = g;
            }
            kept |= uint64_t{1} << chosen;
        }
    }
    int n = 0;  // sorted so far; among equals the earlier one stays in front
    for (int e = 0; e < E; ++e) {
        if (!(kept >> (e / size) & 1)) continue;
        if (n == k && !(choice[e] > choice[picks[k - 1]])) continue;
        int at = n < k ? n++ : k - 1;
        for (; at > 0 && choice[e] > choice[picks[at - 1]]; --at) picks[at] = picks[at - 1];
        picks[at] = e;
    }
    float total = 0;
    for (int i = 0; i < k; ++i) {
        weights[i] = (r.weights_from_biased_scores ? choice : scores)[picks[i]];
        total += weights[i];
    }
    for (int i = 0; i < k; ++i) weights[i] = (r.renormalize ? weights[i] / (total + 1e-20f) : weights[i]) * r.scale;
}

}  // namespace

void CpuBackend::route(const Router& r, In<2> n, int32_t* picks, float* weights) {
    const int64_t T = n.dim[0], D = n.dim[1], E = r.E;
    KLP_CHECK(r.groups >= 1 && r.groups <= 64 && E % r.groups == 0 && r.kept_groups >= 1 && r.kept_groups <= r.groups);
    KLP_CHECK(r.top_k >= 1 && r.top_k <= E / r.groups * r.kept_groups);
    const int threads = threads_for(E * D * 4, E * D * T);
    auto* prepared = arena_.take<std::byte>(static_cast<int64_t>(products_.prepared_bytes(DType::f32, T, D)));
    float* logits = arena_.take<float>(T * E);
    float* choice = arena_.take<float>(threads * E);
    pool_.run(T, kTokenGroup, threads, [&](int, int64_t first, int64_t last) {
        products_.prepare({.type = DType::f32, .x = n.row(first), .stride = D, .in = D, .T = T, .first = first, .last = last, .prepared = prepared});
    });
    pool_.run(E, std::max<int64_t>(E / (threads * 4), 8), threads, [&](int, int64_t first, int64_t last) {
        products_.multiply(
            {.type = DType::f32, .w = r.weight + first * D, .rows = last - first, .in = D, .x = prepared, .T = T, .last = T, .y = logits + first, .stride = E});
    });
    pool_.run(T, kTokenGroup, threads, [&](int thread, int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            float* scores = logits + t * E;
            bool odd = false;  // a sigmoid would make a number of an infinity, and a comparison overlooks what is none
            for (int64_t e = 0; e < E; ++e) odd |= !(std::fabs(scores[e] + (r.bias ? r.bias[e] : 0.f)) <= FLT_MAX);
            (r.softmax ? products_.softmax : products_.sigmoid)(scores, E, scores);
            choose(r, scores, choice + thread * E, picks + t * r.top_k, weights + t * r.top_k);
            if (odd) std::fill_n(weights + t * r.top_k, r.top_k, std::numeric_limits<float>::quiet_NaN());
        }
    });
}

void CpuBackend::run_jobs(std::span<Job> jobs, In<2> n, Out<2> y) {
    const int64_t T = n.dim[0], D = n.dim[1];
    int64_t bytes = 0, work = 0, gate_rows = 0;
    for (const Job& job : jobs) {
        const SwiGlu& w = *job.w;
        const int64_t F = w.gate.out;
        KLP_CHECK(w.gate.in == D && w.up.in == D && w.up.out == F && w.down.in == F && w.down.out == D && form(w.gate.type) == form(w.up.type));
        bytes += w.gate.bytes() + w.up.bytes() + w.down.bytes();
        work += 3 * F * D * job.count;
        gate_rows += F;
    }
    if (std::all_of(jobs.begin(), jobs.end(), [&](const Job& job) { return job.w->situ == 0 && packed(T, {{job.w->gate, job.w->up, job.w->down}}); }))
        return packed_jobs(jobs, n, y);
    const int threads = threads_for(bytes, work);

    // Tasks of about an eighth of a thread's share; columns of gate and up in whole groups of 32, few enough that what many tokens make of them stays in L2.
    const int64_t piece = std::clamp<int64_t>(gate_rows / (threads * 8) / 32 * 32, 32, T > kTokenGroup ? 256 : gate_rows + 32);
    const auto bytes_of = [&](const Weight& w, int64_t count) { return static_cast<int64_t>(products_.prepared_bytes(w.type, count, w.in)); };
    std::array<std::byte*, 5> shared{};  // x of all tokens, by form
    std::vector<Task> tokens, gates;     // hidden values to prepare; pieces of gate and up
    int64_t own = 0, wide = 0;           // a thread's memory: bytes of x, floats of gate and as many of up
    for (size_t j = 0; j < jobs.size(); ++j) {
        Job& job = jobs[j];
        const SwiGlu& w = *job.w;
        const int64_t F = w.gate.out;
        job.x_token = static_cast<int64_t>(products_.token_bytes(w.gate.type, T, D));
        if (job.x_token || !job.rows || T == 1) {
            std::byte*& x = shared[static_cast<size_t>(form(w.gate.type))];
            if (!x) x = arena_.take<std::byte>(bytes_of(w.gate, T));
            job.x = x;
        }
        job.x_count = job.x_token ? T : job.count;
        if (job.rows && T > 1) own = std::max(own, bytes_of(w.gate, job.x_count));
        job.hidden_prepared = arena_.take<std::byte>(bytes_of(w.down, job.count));
        if (F <= piece || products_.token_bytes(w.down.type, job.count, F)) {
            wide = std::max(wide, job.count * std::min(piece, F));
        } else {
            job.hidden = arena_.take<float>(job.count * F);
            job.up = arena_.take<float>(job.count * F);
            for (int64_t t = 0; t < job.count; t += kTokenGroup) tokens.push_back({static_cast<int32_t>(j), t, std::min(job.count, t + kTokenGroup)});
        }
        for (int64_t f = 0; f < F; f += piece) gates.push_back({static_cast<int32_t>(j), f, std::min(F, f + piece)});
    }
    own = (own + 63) / 64 * 64;
    auto* xs = arena_.take<std::byte>(threads * own);
    auto* pieces = arena_.take<float>(threads * 2 * wide);
    const int64_t down_piece = std::max<int64_t>(D / (threads * 4), 16) / 16 * 16;
    const bool sharing = std::any_of(shared.begin(), shared.end(), [](const std::byte* x) { return x; });
    pool_.run(sharing ? T : 0, kTokenGroup, threads, [&](int, int64_t first, int64_t last) {
        for (size_t f = 0; f < shared.size(); ++f)
            if (shared[f])
                products_.prepare(
                    {.type = static_cast<DType>(f), .x = n.row(first), .stride = D, .in = D, .T = T, .first = first, .last = last, .prepared = shared[f]});
    });
    pool_.run(static_cast<int64_t>(gates.size()), 1, threads, [&](int thread, int64_t g, int64_t) {
        const Task& task = gates[g];
        const Job& job = jobs[task.job];
        const int64_t F = job.w->gate.out, width = task.last - task.first, stride = job.hidden ? F : width;
        float* gate = job.hidden ? job.hidden + task.first : pieces + thread * 2 * wide;
        float* up = job.hidden ? job.up + task.first : gate + wide;
        std::byte* x = job.x;
        if (job.rows && T > 1) {  // an expert's tokens, together; again for each of its pieces
            x = xs + thread * own;
            for (int64_t i = 0; job.x && i < job.count; ++i)
                std::memcpy(x + i * job.x_token, job.x + job.rows[i] * job.x_token, static_cast<size_t>(job.x_token));
            if (!job.x)
                products_.prepare(
                    {.type = job.w->gate.type, .x = n.data, .stride = D, .index = job.rows, .in = D, .T = job.count, .last = job.count, .prepared = x});
        }
        const auto project = [&](const Weight& w, float* out, const Weight& next) {
            products_.multiply({.type = w.type,
                                .w = w.row(task.first),
                                .rows = width,
                                .in = D,
                                .x = x,
                                .T = job.x_count,
                                .last = job.count,
                                .y = out,
                                .stride = stride,
                                .next = next.data,
                                .next_bytes = next.bytes()});
        };
        const Task* later = g + threads < static_cast<int64_t>(gates.size()) ? &gates[g + threads] : nullptr;  // if all threads are equally fast
        project(job.w->gate, gate, job.w->up.rows(task.first, width));
        project(job.w->up, up, later ? jobs[later->job].w->gate.rows(later->first, later->last - later->first) : jobs[0].w->down.rows(0, 0));
        for (int64_t i = 0; i < job.count; ++i) {
            float *const g = gate + i * stride, *const u = up + i * stride;
            const float scale = job.scales ? job.scales[i] : 1.f;
            if (job.w->situ > 0)
                products_.situ(g, u, scale, job.w->situ, job.w->situ_up, width, g);
            else
                products_.swiglu(g, u, scale, job.w->limit, width, g);
        }
        if (!job.hidden)
            products_.prepare({.type = job.w->down.type,
                               .x = gate,
                               .stride = width,
                               .in = F,
                               .column = task.first,
                               .columns = width < F ? width : 0,
                               .T = job.count,
                               .last = job.count,
                               .prepared = job.hidden_prepared});
    });
    pool_.run(static_cast<int64_t>(tokens.size()), 1, threads, [&](int, int64_t i, int64_t) {
        const Task& task = tokens[i];
        const Job& job = jobs[task.job];
        const int64_t F = job.w->gate.out;
        products_.prepare({.type = job.w->down.type,
                           .x = job.hidden + task.first * F,
                           .stride = F,
                           .in = F,
                           .T = job.count,
                           .first = task.first,
                           .last = task.last,
                           .prepared = job.hidden_prepared});
    });
    // Many tokens' columns of y are copied to where they lie close together: rows of y are often a power of two apart and would meet in few lines of the
    // caches.
    const int64_t gap = T > kTokenGroup ? down_piece + 16 : 0;
    auto* close = arena_.take<float>(threads * T * gap);
    pool_.run(D, down_piece, threads, [&](int thread, int64_t first, int64_t last) {
        float* sums = gap ? close + thread * T * gap : y.data + first;
        const auto row_bytes = static_cast<size_t>(last - first) * sizeof(float);
        for (int64_t t = 0; gap && t < T; ++t) std::memcpy(sums + t * gap, y.row(t) + first, row_bytes);
        for (size_t j = 0; j < jobs.size(); ++j) {
            const Job& job = jobs[j];
            const Weight &w = job.w->down, &next = jobs[j + 1 < jobs.size() ? j + 1 : j].w->down;
            products_.multiply({.type = w.type,
                                .w = w.row(first),
                                .rows = last - first,
                                .in = w.in,
                                .x = job.hidden_prepared,
                                .T = job.count,
                                .last = job.count,
                                .y = sums,
                                .stride = gap ? gap : D,
                                .index = job.rows,
                                .add = true,
                                .next = next.row(first),
                                .next_bytes = (last - first) * next.row_bytes()});
        }
        for (int64_t t = 0; gap && t < T; ++t) std::memcpy(y.row(t) + first, sums + t * gap, row_bytes);
    });
}

void CpuBackend::packed_jobs(std::span<const Job> jobs, In<2> n, Out<2> y) {
    const Maker make = maker();
    const int64_t T = n.dim[0], D = n.dim[1], row = learning_.operand_bytes(true, kOperandRows, D) / kOperandRows;
    const auto all = [&](Piece& memory) {
        const Left every = make.left({n.data, T, D, D}, true, memory);
        for (const Job& job : jobs) {
            std::byte* const mark = memory.mark();
            const SwiGlu& w = *job.w;
            const int64_t count = job.count, F = w.gate.out;
            Left x = every;
            if (job.rows) x = {memory.take<std::byte>(learning_.operand_bytes(true, count, D)), count, D, true};
            float *gate = memory.take<float>(count * F), *up = memory.take<float>(count * F), *out = job.rows ? memory.take<float>(count * D) : y.data;
            const Right by_gate = make.right_turned(w.gate, memory), by_up = make.right_turned(w.up, memory), by_down = make.right_turned(w.down, memory);
            if (!memory.counts()) {
                for (int64_t i = 0; job.rows && i < count; ++i) std::memcpy(x.data + i * row, every.data + job.rows[i] * row, static_cast<size_t>(row));
                make.multiply(x, by_gate, gate, F, false);
                make.multiply(x, by_up, up, F, false);
                pool_.run(count, kTokenGroup, 0, [&](int, int64_t first, int64_t last) {
                    for (int64_t i = first; i < last; ++i)
                        products_.swiglu(gate + i * F, up + i * F, job.scales ? job.scales[i] : 1.f, w.limit, F, gate + i * F);
                });
            }
            const Left hidden = make.left({gate, count, F, F}, true, memory);
            if (!memory.counts()) {
                make.multiply(hidden, by_down, out, D, !job.rows);
                pool_.run(job.rows ? count : 0, kTokenGroup, 0, [&](int, int64_t first, int64_t last) {
                    for (int64_t i = first; i < last; ++i) learning_.add_times(out + i * D, 1, D, y.row(job.rows[i]));
                });
            }
            memory.rewind(mark);
        }
    };
    Piece memory = piece(all);
    all(memory);
}

void CpuBackend::ffn(const Ffn& a) {
    const int64_t T = a.x.dim[0], D = a.x.dim[1];
    KLP_CHECK(a.y.dim[0] == T && a.y.dim[1] == D);
    if (T == 0) return;
    arena_.reset();
    float* n = arena_.take<float>(T * D);
    pool_.run(T, kTokenGroup, 0, [&](int, int64_t first, int64_t last) { normalise(a.norm, a.x, first, last, n + first * D); });
    Job job{.w = &a.w, .count = T};
    run_jobs({&job, 1}, {n, {T, D}}, a.y);
}

void CpuBackend::moe(const Moe& a) {
    const int64_t T = a.x.dim[0], D = a.x.dim[1], k = a.router.top_k;
    KLP_CHECK(a.y.dim[0] == T && a.y.dim[1] == (a.z.data ? a.z.dim[1] : D) && static_cast<int>(a.experts.size()) == a.router.E);
    KLP_CHECK(!a.z.data || (a.z.dim[0] == T && !a.shared.gate));
    if (T == 0) return;
    arena_.reset();
    float* n = arena_.take<float>(T * D);
    pool_.run(T, kTokenGroup, 0, [&](int, int64_t first, int64_t last) { normalise(a.norm, a.x, first, last, n + first * D); });
    int32_t* picks = a.taps.picks ? a.taps.picks : arena_.take<int32_t>(T * k);
    float* weights = a.taps.weights ? a.taps.weights : arena_.take<float>(T * k);
    route(a.router, {n, {T, D}}, picks, weights);

    // The pairs (token, expert), sorted by expert and then by token.
    const auto E = static_cast<int64_t>(a.experts.size());
    auto* start = arena_.take<int32_t>(E + 1);
    auto* rows = arena_.take<int32_t>(T * k);
    auto* scales = arena_.take<float>(T * k);
    std::fill_n(start, E + 1, 0);
    for (int64_t i = 0; i < T * k; ++i) ++start[picks[i] + 1];
    for (int64_t e = 0; e < E; ++e) start[e + 1] += start[e];
    for (int64_t i = 0; i < T * k; ++i) {
        const int32_t at = start[picks[i]]++;
        rows[at] = static_cast<int32_t>(i / k);
        scales[at] = weights[i];
    }
    std::vector<Job> jobs;
    for (int64_t e = 0, first = 0; e < E; first = start[e], ++e) {  // start[e] is now where e ends
        if (start[e] > first) jobs.push_back({.w = &a.experts[e], .rows = rows + first, .scales = scales + first, .count = start[e] - first});
    }
    if (a.shared.gate) {
        float* gates = a.shared_gate ? arena_.take<float>(T) : nullptr;
        for (int64_t t = 0; gates && t < T; ++t) {
            double z = 0;
            for (int64_t i = 0; i < D; ++i) z += double{a.shared_gate[i]} * n[t * D + i];
            gates[t] = static_cast<float>(1 / (1 + std::exp(-z)));
        }
        jobs.push_back({.w = &a.shared, .scales = gates, .count = T});
    }
    run_jobs(jobs, a.z.data ? a.z : In<2>{n, {T, D}}, a.y);
}

}  // namespace klp
