// Products of the backward ops, and the ops that are nothing but products: linear, the head with its cross entropy, the embedding.
#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/cpu/learning/learning.h"

namespace klp {

KLP_TABLES(Learning, learning_of, kLearning_)

namespace {

constexpr int64_t kPieceRows = 128, kPiecePanels = 8;  // of C: what one thread computes at a time
constexpr int64_t kSumRows = 64;                       // tokens whose sums over tokens are one partial sum

}  // namespace

Left Maker::left(const Rows& x, bool bf16, Piece& memory) const {
    auto* to = memory.take<std::byte>(learning.operand_bytes(bf16, x.rows, x.columns));
    if (!memory.counts()) doer.run(x.rows, 64, [&](int64_t first, int64_t last) { learning.left(bf16, x.data, x.stride, first, last, x.columns, to); });
    return {to, x.rows, x.columns, bf16};
}
Left Maker::left_turned(const Rows& x, bool bf16, Piece& memory) const {
    auto* to = memory.take<std::byte>(learning.operand_bytes(bf16, x.columns, x.rows));
    if (!memory.counts()) doer.run(x.columns, 128, [&](int64_t first, int64_t last) { learning.left_turned(bf16, x.data, x.stride, first, last, x.rows, to); });
    return {to, x.columns, x.rows, bf16};
}
Right Maker::right(const void* x, bool halves, int64_t ld, int64_t deep, int64_t columns, bool bf16, bool turned, Piece& memory) const {
    auto* to = memory.take<std::byte>(learning.operand_bytes(bf16, columns, deep));
    if (!memory.counts())
        doer.run((columns + 15) / 16, 2,
                 [&](int64_t first, int64_t last) { (turned ? learning.right_turned : learning.right)(bf16, x, halves, ld, first, last, deep, columns, to); });
    return {to, deep, columns, deep, bf16};
}
Right Maker::right(const Rows& x, bool bf16, Piece& memory) const { return right(x.data, false, x.stride, x.rows, x.columns, bf16, false, memory); }
Right Maker::right_turned(const Rows& x, bool bf16, Piece& memory) const { return right(x.data, false, x.stride, x.columns, x.rows, bf16, true, memory); }
Right Maker::of(const Weight& w, bool turned, Piece& memory) const {
    const bool bf16 = w.type == DType::bf16;
    KLP_CHECK(bf16 || w.type == DType::f32);
    const int64_t deep = turned ? w.in : w.out, columns = turned ? w.out : w.in;
    if (!packed || !packed->on()) return right(w.data, bf16, w.in, deep, columns, bf16, turned, memory);
    if (const Right* made = packed->find(w.data, turned)) return *made;
    if (memory.counts()) return {nullptr, deep, columns, deep, bf16};
    KLP_CHECK(doer.pool);
    Piece own(lasting->take<std::byte>(learning.operand_bytes(bf16, columns, deep)));
    return packed->add(w.data, turned, right(w.data, bf16, w.in, deep, columns, bf16, turned, own));
}
void Maker::pack(const Weight& w) const {
    if (!packed->on()) return;
    Piece none(reinterpret_cast<std::byte*>(64));  // not used: they lie where they last
    of(w, false, none), of(w, true, none);
}

void Maker::multiply(const Left& a, const Right& b, float* c, int64_t ldc, bool add, int64_t first, int64_t rows) const {
    if (rows < 0) rows = a.rows;
    KLP_CHECK(a.bf16 == b.bf16 && a.deep == b.deep);
    const int64_t panels = (b.columns + 15) / 16, down = (rows + kPieceRows - 1) / kPieceRows, across = (panels + kPiecePanels - 1) / kPiecePanels;
    const std::byte* left = a.data + learning.operand_bytes(a.bf16, kOperandRows, a.deep) / kOperandRows * first;
    doer.run(down * across, 1, [&](int64_t piece, int64_t) {
        const int64_t row = piece / across * kPieceRows, panel = piece % across * kPiecePanels;
        learning.multiply({.bf16 = a.bf16,
                           .left = left,
                           .right = b.data,
                           .deep = a.deep,
                           .columns = b.columns,
                           .left_deep = a.deep,
                           .right_deep = b.made,
                           .first_row = row,
                           .last_row = std::min(rows, row + kPieceRows),
                           .first_panel = panel,
                           .last_panel = std::min(panels, panel + kPiecePanels),
                           .c = c,
                           .ldc = ldc,
                           .add = add});
    });
}

// --- of the CPU ------------------------------------------------------------------------------------------------------------

void CpuBackend::normalised(const Norm& norm, const Rows& x, float* out) {
    pool_.run(x.rows, kTokenGroup, 0, [&](int, int64_t first, int64_t last) {
        normalise(norm, {x.data + first * x.stride, {last - first, x.columns}}, 0, last - first, out + first * x.columns, x.stride);
    });
}

Rows CpuBackend::normalised(const Norm& norm, const Rows& x) {
    if (!norm.weight) return x;
    float* to = arena_.take<float>(x.rows * x.columns);
    normalised(norm, x, to);
    return {to, x.rows, x.columns, x.columns};
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

Maker CpuBackend::maker(bool alone) { return {learning_, {alone ? nullptr : &pool_}, packed_.get(), &lasting_}; }

void CpuBackend::hold_weights() {
    lasting_.reset();
    packed_->forget();
}

Piece CpuBackend::piece(const std::function<void(Piece&)>& body) {
    Piece counted;
    body(counted);
    return Piece(arena_.take<std::byte>(counted.most()));
}

bool CpuBackend::packed(int64_t tokens, std::span<const Weight> weights) const {
    return packed_->on() && tokens >= kOperandRows && std::all_of(weights.begin(), weights.end(), [](const Weight& w) { return w.type == DType::bf16; });
}

void CpuBackend::packed_linear(const Linear& a) {
    arena_.reset();
    const int64_t T = a.x.dim[0], in = a.x.dim[1];
    const Maker make = maker();
    const Rows n = normalised(a.norm, {a.x.data, T, in, a.x_step()});
    const auto all = [&](Piece& memory) {
        const Left x = make.left(n, true, memory);
        int64_t column = 0;
        for (const Weight& w : a.w) {
            const Right by = make.right_turned(w, memory);
            if (!memory.counts()) make.multiply(x, by, a.y.data + column, a.y_step(), a.add);
            column += w.out;
        }
    };
    Piece memory = piece(all);
    all(memory);
}

void CpuBackend::back(const LinearBack& a) {
    const int64_t T = a.x.dim[0], in = a.x.dim[1];
    if (T == 0) return;
    const Maker make = maker();
    const Rows n = normalised(a.norm, {a.x.data, T, in, a.x_step()});
    float* dn = a.dx ? arena_.take<float>(T * in) : nullptr;
    bool begun = false;
    for (const bool bf16 : {false, true}) {  // weights that round alike share their operands
        std::vector<int64_t> columns;        // of dy, where each of them begins
        bool any = false, learn = false;
        int64_t out = 0;
        for (size_t i = 0; i < a.w.size(); out += a.w[i].out, ++i) {
            KLP_CHECK(a.w[i].in == in);
            columns.push_back(out);
            if ((a.w[i].type == DType::bf16) == bf16) any = true, learn |= i < a.dw.size() && a.dw[i];
        }
        if (!any) continue;
        const auto all = [&](Piece& memory) {
            std::byte* const mark = memory.mark();
            if (learn) {
                const Right x = make.right(n, bf16, memory);
                const Left dy = make.left_turned({a.dy.data, T, out, a.dy_step()}, bf16, memory);
                for (size_t i = 0; i < a.w.size() && !memory.counts(); ++i)
                    if ((a.w[i].type == DType::bf16) == bf16 && a.dw[i]) make.multiply(dy, x, a.dw[i], in, true, columns[i], a.w[i].out);
            }
            memory.rewind(mark);
            for (size_t i = 0; i < a.w.size() && dn; ++i) {
                if ((a.w[i].type == DType::bf16) != bf16) continue;
                const Left dy = make.left({a.dy.data + columns[i], T, a.w[i].out, a.dy_step()}, bf16, memory);
                const Right w = make.right(a.w[i], memory);
                if (!memory.counts()) make.multiply(dy, w, dn, in, std::exchange(begun, true));
                memory.rewind(mark);
            }
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
    const Maker make = maker();
    const bool bf16 = a.head.type == DType::bf16;
    float *x = arena_.take<float>(R * D), *n = arena_.take<float>(R * D), *dn = learn ? arena_.take<float>(R * D) : nullptr;
    for (int64_t r = 0; r < R; ++r) std::memcpy(x + r * D, a.x.row(rows[r]), static_cast<size_t>(D) * sizeof(float));
    normalised(a.norm, {x, R, D, D}, n);
    std::vector<float> losses(static_cast<size_t>(R));
    std::vector<char> right(static_cast<size_t>(R));
    float* logits = arena_.take<float>(std::min(R, kRows) * V);
    const auto all = [&](Piece& memory) {
        const Right there = make.right_turned(a.head, memory), back = learn ? make.right(a.head, memory) : Right{};
        std::byte* const mark = memory.mark();
        for (int64_t first = 0; first < (memory.counts() ? 1 : R); first += kRows) {
            const int64_t count = std::min(kRows, R - first);
            const Rows some{n + first * D, count, D, D};
            const Left in = make.left(some, bf16, memory);
            if (!memory.counts()) {
                make.multiply(in, there, logits, V, false);
                pool_.run(count, 8, 0, [&](int, int64_t from, int64_t to) {
                    for (int64_t r = from; r < to; ++r) {
                        const auto at = static_cast<size_t>(first + r);
                        bool first_choice = false;
                        losses[at] = learning_.cross_entropy(logits + r * V, V, a.targets[static_cast<size_t>(rows[at])], a.weight, &first_choice);
                        right[at] = first_choice;
                    }
                });
            }
            memory.rewind(mark);
            if (!learn) continue;
            const Rows d{logits, count, V, V};
            const Left by_row = make.left(d, bf16, memory);
            if (!memory.counts()) make.multiply(by_row, back, dn + first * D, D, false);
            memory.rewind(mark);
            const Left by_word = make.left_turned(d, bf16, memory);
            const Right rows_of_x = make.right(some, bf16, memory);
            if (!memory.counts()) make.multiply(by_word, rows_of_x, a.dhead, D, true);
            memory.rewind(mark);
        }
    };
    Piece memory = piece(all);
    all(memory);
    for (int64_t r = 0; r < R; ++r) a.loss += losses[static_cast<size_t>(r)], a.right += right[static_cast<size_t>(r)];
    if (!learn) return;
    float* dx = arena_.take<float>(R * D);
    std::fill_n(dx, R * D, 0.f);
    norm_back(a.norm, {x, R, D, D}, dn, dx, D, a.dnorm);
    for (int64_t r = 0; r < R; ++r) std::memcpy(a.dx.row(rows[r]), dx + r * D, static_cast<size_t>(D) * sizeof(float));
}

}  // namespace klp
