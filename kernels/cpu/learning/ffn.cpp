// Feed-forward backwards: the dense one and the shared expert by all threads together, each of the other experts by one thread.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/learning/learning.h"

namespace klp {

namespace {

// Some tokens through one SwiGLU, each times its scale.
struct Glu {
    const SwiGlu* w;
    SwiGluBack dw;
    Rows n, dy;                     // [count, D]
    const float* scales = nullptr;  // null: 1
    float* dscales = nullptr;
    float* dn;  // [count, D], written
};

void glu_back(const Glu& a, const Maker& make, Piece& memory) {
    const bool counts = memory.counts(), bf16 = a.w->gate.type == DType::bf16;
    const SwiGlu& w = *a.w;
    const int64_t T = a.n.rows, D = a.n.columns, F = w.gate.out;
    std::byte* const mark = memory.mark();
    float *gate = memory.take<float>(T * F), *up = memory.take<float>(T * F), *hidden = memory.take<float>(T * F), *dh = memory.take<float>(T * F);
    const auto own = [&](auto&& body) {
        std::byte* const here = memory.mark();
        body();
        memory.rewind(here);
    };
    const auto product = [&](const Left& x, const Right& y, float* c, int64_t ldc, bool add) {
        if (!counts) make.multiply(x, y, c, ldc, add);
    };
    own([&] {
        const Left n = make.left(a.n, bf16, memory);
        product(n, make.right_turned(w.gate, memory), gate, F, false);
        product(n, make.right_turned(w.up, memory), up, F, false);
    });
    own([&] {
        const Left dy = make.left(a.dy, bf16, memory);
        product(dy, make.right(w.down, memory), dh, F, false);
    });
    if (!counts)
        make.doer.run(T, 64, [&](int64_t first, int64_t last) {
            for (int64_t t = first; t < last; ++t) {
                float *g = gate + t * F, *u = up + t * F;
                const float along = make.learning.swiglu_back(g, u, dh + t * F, a.scales ? a.scales[t] : 1, F, hidden + t * F, g, u);
                if (a.dscales) a.dscales[t] = along;
            }
        });
    const auto rows = [&](const float* x) { return Rows{x, T, F, F}; };
    own([&] {
        const Left dy = make.left_turned(a.dy, bf16, memory);
        product(dy, make.right(rows(hidden), bf16, memory), a.dw.down, F, true);
    });
    own([&] {
        const Right n = make.right(a.n, bf16, memory);
        own([&] { product(make.left_turned(rows(gate), bf16, memory), n, a.dw.gate, D, true); });
        own([&] { product(make.left_turned(rows(up), bf16, memory), n, a.dw.up, D, true); });
    });
    const auto to_input = [&](const float* x, const Weight& from, bool add) {
        own([&] {
            const Left d = make.left(rows(x), bf16, memory);
            product(d, make.right(from, memory), a.dn, D, add);
        });
    };
    to_input(gate, w.gate, false);
    to_input(up, w.up, true);
    memory.rewind(mark);
}

}  // namespace

void CpuBackend::ffn_back(const FfnBack& a) {
    const int64_t T = a.x.dim[0], D = a.x.dim[1];
    KLP_CHECK(a.w.limit == 0 && a.w.situ == 0);
    if (T == 0) return;
    arena_.reset();
    float *n = arena_.take<float>(T * D), *dn = arena_.take<float>(T * D);
    normalised(a.norm, {a.x.data, T, D, D}, n);
    const Maker make = maker();
    const Glu job{.w = &a.w, .dw = a.dw, .n = {n, T, D, D}, .dy = {a.dy.data, T, D, D}, .dn = dn};
    const auto all = [&](Piece& memory) { glu_back(job, make, memory); };
    Piece memory = piece(all);
    all(memory);
    norm_back(a.norm, {a.x.data, T, D, D}, dn, a.dx.data, D, a.dnorm);
}

void CpuBackend::moe_back(const MoeBack& a) {
    const int64_t T = a.x.dim[0], D = a.x.dim[1], E = a.router.E, k = a.router.top_k;
    KLP_CHECK(!a.router.softmax && !a.router.weights_from_biased_scores);
    if (T == 0) return;
    arena_.reset();
    const Maker make = maker(), alone = maker(true);
    float *n = arena_.take<float>(T * D), *dn = arena_.take<float>(T * D);
    normalised(a.norm, {a.x.data, T, D, D}, n);
    auto* picks = arena_.take<int32_t>(T * k);
    auto* weights = arena_.take<float>(T * k);
    route(a.router, {n, {T, D}}, picks, weights);

    // Pairs (token, expert) sorted by expert and then by token, as in the forward pass.
    std::vector<int64_t> start(static_cast<size_t>(E) + 1), place(static_cast<size_t>(T * k));
    for (int64_t i = 0; i < T * k; ++i) ++start[static_cast<size_t>(picks[i]) + 1];
    for (int64_t e = 0; e < E; ++e) {
        if (a.load) a.load[e] += static_cast<float>(start[static_cast<size_t>(e) + 1]);
        start[static_cast<size_t>(e) + 1] += start[static_cast<size_t>(e)];
    }
    std::vector<int64_t> next(start.begin(), start.end() - 1);
    float *xs = arena_.take<float>(T * k * D), *ds = arena_.take<float>(T * k * D), *scales = arena_.take<float>(T * k), *dscales = arena_.take<float>(T * k);
    for (int64_t i = 0; i < T * k; ++i) {
        const int64_t at = next[static_cast<size_t>(picks[i])]++;
        place[static_cast<size_t>(i)] = at;
        scales[at] = weights[i];
    }
    pool_.run(T, 64, 0, [&](int, int64_t first, int64_t last) {
        for (int64_t i = first * k; i < last * k; ++i) {
            const int64_t at = place[static_cast<size_t>(i)];
            std::memcpy(xs + at * D, n + i / k * D, static_cast<size_t>(D) * sizeof(float));
            std::memcpy(ds + at * D, a.dy.row(i / k), static_cast<size_t>(D) * sizeof(float));
        }
    });
    float* dxs = arena_.take<float>(T * k * D);
    const auto job_of = [&](int64_t e) {
        const int64_t first = start[static_cast<size_t>(e)], count = start[static_cast<size_t>(e) + 1] - first;
        return Glu{.w = &a.experts[static_cast<size_t>(e)],
                   .dw = a.dexperts[static_cast<size_t>(e)],
                   .n = {xs + first * D, count, D, D},
                   .dy = {ds + first * D, count, D, D},
                   .scales = scales + first,
                   .dscales = dscales + first,
                   .dn = dxs + first * D};
    };
    for (const SwiGlu& w : a.experts)
        for (const Weight* one : {&w.gate, &w.up, &w.down}) make.pack(*one);
    int64_t bytes = 0;
    for (int64_t e = 0; e < E; ++e) {
        KLP_CHECK(a.experts[static_cast<size_t>(e)].limit == 0);
        Piece counted;
        glu_back(job_of(e), alone, counted);
        bytes = std::max(bytes, (counted.most() + 63) / 64 * 64);
    }
    auto* scratch = arena_.take<std::byte>(pool_.size() * bytes);
    pool_.run(E, 1, 0, [&](int thread, int64_t e, int64_t) {
        const Glu job = job_of(e);
        Piece own(scratch + thread * bytes);
        if (job.n.rows > 0) glu_back(job, alone, own);
    });
    std::fill_n(dn, T * D, 0.f);
    if (a.shared.gate) {
        const Glu job{.w = &a.shared, .dw = a.dshared, .n = {n, T, D, D}, .dy = {a.dy.data, T, D, D}, .dn = dn};
        const auto all = [&](Piece& memory) { glu_back(job, make, memory); };
        Piece memory = piece(all);
        all(memory);
    }

    // w = scale s / (sum s + 1e-20), s = sigmoid(l):  ds = scale (dw - sum dw w / scale) / sum s, dl = ds s (1 - s)
    float* scores = arena_.take<float>(T * E);
    const auto logits = [&](Piece& memory) {
        const Left x = make.left({n, T, D, D}, false, memory);
        const Right w = make.right_turned(Rows{a.router.weight, E, D, D}, false, memory);
        if (!memory.counts()) make.multiply(x, w, scores, E, false);
    };
    Piece memory = piece(logits);
    logits(memory);
    pool_.run(T, 64, 0, [&](int, int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            float* row = scores + t * E;
            float along = 0, total = 0;
            for (int64_t i = 0; i < k; ++i) {
                const int32_t e = picks[t * k + i];
                total += 1 / (1 + std::exp(-row[e]));
                along += dscales[place[static_cast<size_t>(t * k + i)]] * weights[t * k + i];
            }
            std::vector<float> dl(static_cast<size_t>(k));
            for (int64_t i = 0; i < k; ++i) {
                const float s = 1 / (1 + std::exp(-row[picks[t * k + i]])), dw = dscales[place[static_cast<size_t>(t * k + i)]];
                const float ds_i = a.router.renormalize ? (dw * a.router.scale - along) / (total + 1e-20f) : dw * a.router.scale;
                dl[static_cast<size_t>(i)] = ds_i * s * (1 - s);
            }
            std::fill_n(row, E, 0.f);
            for (int64_t i = 0; i < k; ++i) row[picks[t * k + i]] = dl[static_cast<size_t>(i)];
            for (int64_t i = 0; i < k; ++i) {
                learning_.add_times(dxs + place[static_cast<size_t>(t * k + i)] * D, 1, D, dn + t * D);
                learning_.add_times(a.router.weight + int64_t{picks[t * k + i]} * D, dl[static_cast<size_t>(i)], D, dn + t * D);
            }
        }
    });
    const auto router = [&](Piece& mine) {
        const Left dl = make.left_turned({scores, T, E, E}, false, mine);
        const Right x = make.right(Rows{n, T, D, D}, false, mine);
        if (!mine.counts()) make.multiply(dl, x, a.drouter, D, true);
    };
    Piece more = piece(router);
    router(more);
    norm_back(a.norm, {a.x.data, T, D, D}, dn, a.dx.data, D, a.dnorm);
}

}  // namespace klp
