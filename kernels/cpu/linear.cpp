// Embedding rows and projections. x is normalised, rounded and laid out first, and then each thread takes rows of the weights for all tokens, so that weights
// are read from memory once.
#include <algorithm>
#include <array>

#include "kernels/cpu/cpu_backend.h"

namespace klp {

void CpuBackend::embed(const Embed& a) {
    const auto T = static_cast<int64_t>(a.ids.size());
    KLP_CHECK(a.x.dim[0] == T && a.x.dim[1] == a.table.in);
    pool_.run(T, 64, 0, [&](int, int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            const int32_t id = a.id(static_cast<size_t>(t));
            KLP_CHECK(id >= 0 && id < a.table.out);
            decode(a.table.type, a.table.row(id), a.table.in, a.x.row(t));
        }
    });
}

void CpuBackend::linear(const Linear& a) {
    const int64_t T = a.x.dim[0], in = a.x.dim[1];
    int64_t out = 0, bytes = 0;
    for (const Weight& w : a.w) {
        KLP_CHECK(w.in == in);
        out += w.out;
        bytes += w.bytes();
    }
    KLP_CHECK(a.y.dim[0] == T && a.y.dim[1] == out);
    if (T == 0 || out == 0) return;
    if (packed(T, a.w)) return packed_linear(a);

    const int threads = threads_for(bytes, out * in * T);
    arena_.reset();
    std::array<std::byte*, 5> prepared{};  // by form
    for (const Weight& w : a.w) {
        auto& x = prepared[static_cast<size_t>(form(w.type))];
        if (!x) x = arena_.take<std::byte>(static_cast<int64_t>(products_.prepared_bytes(w.type, T, in)));
    }
    const int64_t group_rows = std::min(T, kTokenGroup);
    auto* normalised = a.norm.weight ? arena_.take<float>(threads * group_rows * in) : nullptr;
    pool_.run(T, kTokenGroup, threads, [&](int thread, int64_t first, int64_t last) {
        const float* x = a.x.data + first * a.x_step();
        if (normalised) {
            float* n = normalised + thread * group_rows * in;
            normalise(a.norm, a.x, first, last, n, a.x_step());
            x = n;
        }
        const int64_t stride = normalised ? in : a.x_step();
        for (size_t f = 0; f < prepared.size(); ++f)
            if (prepared[f])
                products_.prepare(
                    {.type = static_cast<DType>(f), .x = x, .stride = stride, .in = in, .T = T, .first = first, .last = last, .prepared = prepared[f]});
    });

    // Pieces of rows, none across two weights: small enough to balance, large enough to stream.
    const int64_t rows = std::max<int64_t>(out / (threads * 8), 16) / 16 * 16;
    const auto pieces = [rows](const Weight& w) { return (w.out + rows - 1) / rows; };
    int64_t count = 0;
    for (const Weight& w : a.w) count += pieces(w);
    pool_.run(count, 1, threads, [&](int, int64_t piece, int64_t) {
        int64_t column = 0;
        const Weight* w = a.w.data();
        for (; piece >= pieces(*w); piece -= pieces(*w), column += w->out, ++w) {
        }
        const int64_t first = piece * rows;
        products_.multiply({.type = w->type,
                            .w = w->row(first),
                            .rows = std::min(rows, w->out - first),
                            .in = in,
                            .x = prepared[static_cast<size_t>(form(w->type))],
                            .T = T,
                            .last = T,
                            .y = a.y.data + column + first,
                            .stride = a.y_step(),
                            .add = a.add});
    });
}

}  // namespace klp
