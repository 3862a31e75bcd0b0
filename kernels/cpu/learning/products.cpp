// Products of the backward ops, and the ops that are nothing but products: linear, the head with its cross entropy, the embedding.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/learning/learning.h"

namespace klp {

KLP_TABLES(Learning, learning_of, kLearning_)

namespace {

constexpr int64_t kColumns = 64;  // that one piece turns around
constexpr int64_t kSumRows = 64;  // tokens whose sums over tokens are one partial sum

}  // namespace

Turned Maker::turn(const Rows& x, DType type, Piece& memory) const {
    const int64_t width = depth(x.rows), bytes = info(type).bytes;
    auto* to = memory.take<std::byte>(x.columns * width * bytes);
    if (!memory.counts())
        doer.run(x.columns, kColumns, [&](int64_t first, int64_t last) {
            if (type == DType::bf16)
                learning.turn_to_bf16(x.data + first, x.stride, x.rows, last - first, reinterpret_cast<uint16_t*>(to) + first * width, width, width - x.rows);
            else
                learning.turn(x.data + first, x.stride, x.rows, last - first, reinterpret_cast<float*>(to) + first * width, width, width - x.rows);
        });
    return {to, type, x.columns, width};
}

Turned Maker::turn(const Weight& w, Piece& memory) const {
    if (w.type == DType::f32) return turn(Rows{reinterpret_cast<const float*>(w.data), w.out, w.in, w.in}, w.type, memory);
    KLP_CHECK(w.type == DType::bf16);
    const int64_t width = depth(w.out);
    auto* to = memory.take<uint16_t>(w.in * width);
    const auto* from = reinterpret_cast<const uint16_t*>(w.data);
    if (!memory.counts())
        doer.run(w.in, kColumns,
                 [&](int64_t first, int64_t last) { learning.turn_bf16(from + first, w.in, w.out, last - first, to + first * width, width, width - w.out); });
    return {reinterpret_cast<std::byte*>(to), w.type, w.in, width};
}

Rows Maker::turn_rows(const Rows& x, Piece& memory) const {
    const Turned t = turn(x, DType::f32, memory);
    return {reinterpret_cast<const float*>(t.data), t.rows, t.width, t.width};
}

void Maker::multiply(const Rows& x, DType type, const void* w, int64_t rows, float* y, int64_t y_stride, bool add, Piece& memory) const {
    std::byte* const mark = memory.mark();
    const int64_t T = x.rows, in = x.columns;
    auto* prepared = memory.take<std::byte>(static_cast<int64_t>(products.prepared_bytes(type, T, in)));
    if (!memory.counts() && T > 0) {
        doer.run(T, 4 * kTokenGroup, [&](int64_t first, int64_t last) {
            products.prepare(
                {.type = type, .x = x.data + first * x.stride, .stride = x.stride, .in = in, .T = T, .first = first, .last = last, .prepared = prepared});
        });
        constexpr int64_t kRowPiece = 128, kTokenPiece = 256;
        const int64_t across = (rows + kRowPiece - 1) / kRowPiece, along = (T + kTokenPiece - 1) / kTokenPiece;
        doer.run(across * along, 1, [&](int64_t piece, int64_t) {
            const int64_t row = piece % across * kRowPiece, token = piece / across * kTokenPiece;
            products.multiply({.type = type,
                               .w = static_cast<const std::byte*>(w) + row * in * klp::info(type).bytes,
                               .rows = std::min(kRowPiece, rows - row),
                               .in = in,
                               .x = prepared,
                               .T = T,
                               .first = token,
                               .last = std::min(T, token + kTokenPiece),
                               .y = y + row,
                               .stride = y_stride,
                               .add = add});
        });
    }
    memory.rewind(mark);
}

// --- of the CPU ------------------------------------------------------------------------------------------------------------

void CpuBackend::normalised(const Norm& norm, const Rows& x, float* out) {
    pool_.run(x.rows, kTokenGroup, 0, [&](int, int64_t first, int64_t last) {
        normalise(norm, {x.data + first * x.stride, {last - first, x.columns}}, 0, last - first, out + first * x.columns, x.stride);
    });
}

void CpuBackend::norm_back(const Norm& norm, const Rows& x, const float* dn, float* dx, int64_t dx_stride, float* dnorm) {
    const int64_t T = x.rows, D = x.columns, pieces = (T + kSumRows - 1) / kSumRows;
    float* sums = dnorm ? arena_.take<float>(pieces * D) : nullptr;
    if (sums) std::fill_n(sums, pieces * D, 0.f);
    pool_.run(T, kSumRows, 0, [&](int, int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            if (norm.weight)
                learning_.rms_norm_back(x.data + t * x.stride, norm.weight, norm.eps, D, dn + t * D, dx + t * dx_stride,
                                        sums ? sums + first / kSumRows * D : nullptr);
            else
                learning_.add_times(dn + t * D, 1, D, dx + t * dx_stride);
        }
    });
    for (int64_t p = 0; p < (sums ? pieces : 0); ++p) learning_.add_times(sums + p * D, 1, D, dnorm);
}

Piece CpuBackend::piece(const std::function<void(Piece&)>& body) {
    Piece counted;
    body(counted);
    return Piece(arena_.take<std::byte>(counted.most()));
}

void CpuBackend::back(const LinearBack& a) {
    const int64_t T = a.x.dim[0], in = a.x.dim[1];
    if (T == 0) return;
    const Maker make{products_, learning_, {&pool_}};
    Rows n{a.x.data, T, in, a.x_step()};
    if (a.norm.weight) {
        float* to = arena_.take<float>(T * in);
        normalised(a.norm, n, to);
        n = {to, T, in, in};
    }
    float* dn = a.dx ? arena_.take<float>(T * in) : nullptr;
    std::array<Turned, 2> turned;  // of n, by type
    int64_t column = 0;
    for (size_t i = 0; i < a.w.size(); column += a.w[i].out, ++i) {
        const Weight& w = a.w[i];
        KLP_CHECK(w.in == in && (w.type == DType::f32 || w.type == DType::bf16));
        const Rows dy{a.dy.data + column, T, w.out, a.dy_step()};
        Turned& nt = turned[w.type == DType::bf16];
        const auto all = [&](Piece& memory) {
            if (!nt.data && !memory.counts()) {
                Piece own(arena_.take<std::byte>(in * Maker::depth(T) * klp::info(w.type).bytes));
                nt = make.turn(n, w.type, own);
            }
            std::byte* const mark = memory.mark();
            if (i < a.dw.size() && a.dw[i]) make.outer(dy, memory.counts() ? Turned{nullptr, w.type, in, Maker::depth(T)} : nt, a.dw[i], memory);
            memory.rewind(mark);
            if (dn) {
                const Turned wt = make.turn(w, memory);
                Rows padded = dy;
                if (wt.width != w.out) {  // a product is as deep as its weight is wide
                    float* wide = memory.take<float>(T * wt.width);
                    if (!memory.counts())
                        pool_.run(T, kTokenGroup, 0, [&](int, int64_t first, int64_t last) {
                            for (int64_t t = first; t < last; ++t) {
                                std::memcpy(wide + t * wt.width, dy.data + t * dy.stride, static_cast<size_t>(w.out) * sizeof(float));
                                std::fill_n(wide + t * wt.width + w.out, wt.width - w.out, 0.f);
                            }
                        });
                    padded = {wide, T, wt.width, wt.width};
                }
                make.multiply(padded, wt, dn, in, i > 0, memory);
            }
            memory.rewind(mark);
        };
        Piece memory = piece(all);
        all(memory);
    }
    if (dn) norm_back(a.norm, {a.x.data, T, in, a.x_step()}, dn, a.dx.data, a.dx_step(), a.dnorm);
}

void CpuBackend::linear_back(const LinearBack& a) {
    arena_.reset();
    back(a);
}

void CpuBackend::embed_back(const EmbedBack& a) {
    // Equal ids are added in the order of their tokens, so sorted ids are tasks that share nothing.
    const auto T = static_cast<int64_t>(a.ids.size()), D = a.dx.dim[1];
    std::vector<int32_t> order(a.ids.size());
    for (size_t t = 0; t < order.size(); ++t) order[t] = static_cast<int32_t>(t);
    std::stable_sort(order.begin(), order.end(), [&](int32_t x, int32_t y) { return a.ids[static_cast<size_t>(x)] < a.ids[static_cast<size_t>(y)]; });
    std::vector<int64_t> starts;
    for (int64_t i = 0; i < T; ++i)
        if (i == 0 || a.ids[order[i]] != a.ids[order[i - 1]]) starts.push_back(i);
    const auto ids = static_cast<int64_t>(starts.size());
    starts.push_back(T);
    pool_.run(ids, 16, 0, [&](int, int64_t first, int64_t last) {
        for (int64_t i = starts[first]; i < starts[last]; ++i) learning_.add_times(a.dx.row(order[i]), 1, D, a.dtable + int64_t{a.ids[order[i]]} * D);
    });
}

void CpuBackend::cross_entropy(CrossEntropy& a) {
    constexpr int64_t kRows = 512;  // whose logits lie in memory at one time
    arena_.reset();
    const int64_t D = a.x.dim[1], V = a.head.out;
    std::vector<int32_t> rows;
    for (size_t t = 0; t < a.targets.size(); ++t)
        if (a.targets[t] >= 0) rows.push_back(static_cast<int32_t>(t));
    const auto R = static_cast<int64_t>(rows.size());
    a.loss = 0, a.counted = R, a.right = 0;
    const bool learn = bool(a.dx);
    if (learn) std::fill_n(a.dx.data, a.dx.size(), 0.f);
    if (R == 0) return;
    const Maker make{products_, learning_, {&pool_}};
    float *x = arena_.take<float>(R * D), *n = arena_.take<float>(R * D), *dn = learn ? arena_.take<float>(R * D) : nullptr;
    for (int64_t r = 0; r < R; ++r) std::memcpy(x + r * D, a.x.row(rows[r]), static_cast<size_t>(D) * sizeof(float));
    normalised(a.norm, {x, R, D, D}, n);
    std::vector<float> losses(static_cast<size_t>(R));
    std::vector<char> right(static_cast<size_t>(R));
    Turned head;
    if (learn) {
        Piece own(arena_.take<std::byte>(D * Maker::depth(V) * klp::info(a.head.type).bytes));
        head = make.turn(a.head, own);
    }
    const int64_t wide = Maker::depth(V);
    float* logits = arena_.take<float>(std::min(R, kRows) * wide);
    for (int64_t first = 0; first < R; first += kRows) {
        const int64_t count = std::min(kRows, R - first);
        const auto all = [&](Piece& memory) {
            std::byte* const mark = memory.mark();
            make.multiply({n + first * D, count, D, D}, a.head.type, a.head.data, V, logits, wide, false, memory);
            if (!memory.counts())
                pool_.run(count, 8, 0, [&](int, int64_t from, int64_t to) {
                    for (int64_t r = from; r < to; ++r) {
                        float* row = logits + r * wide;
                        const auto at = static_cast<size_t>(first + r);
                        bool first_choice = false;
                        losses[at] = learning_.cross_entropy(row, V, a.targets[static_cast<size_t>(rows[at])], a.weight, &first_choice);
                        right[at] = first_choice;
                        std::fill_n(row + V, wide - V, 0.f);
                    }
                });
            if (!learn) return;
            make.multiply({logits, count, wide, wide}, memory.counts() ? Turned{nullptr, a.head.type, D, wide} : head, dn + first * D, D, false, memory);
            const Turned nt = make.turn(Rows{n + first * D, count, D, D}, a.head.type, memory);
            make.outer({logits, count, V, wide}, nt, a.dhead, memory);
            memory.rewind(mark);
        };
        Piece memory = piece(all);
        all(memory);
    }
    for (int64_t r = 0; r < R; ++r) a.loss += losses[static_cast<size_t>(r)], a.right += right[static_cast<size_t>(r)];
    if (!learn) return;
    float* dx = arena_.take<float>(R * D);
    std::fill_n(dx, R * D, 0.f);
    norm_back(a.norm, {x, R, D, D}, dn, dx, D, a.dnorm);
    for (int64_t r = 0; r < R; ++r) std::memcpy(a.dx.row(rows[r]), dx + r * D, static_cast<size_t>(D) * sizeof(float));
}

}  // namespace klp
