// KDA and MLA backwards: a task is one head of one row of tokens. What the rows add to common tensors is summed afterwards, row by row.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/learning/learning.h"

namespace klp {

void CpuBackend::kda_back(const KdaBack& a) {
    const Kda& op = a.op;
    const int64_t T = op.x.dim[0], H = op.H, K = op.K, V = op.V, C = op.C, HV = H * V, W = op.width(), conv = op.conv_width(), gates = op.gate_width();
    KLP_CHECK((op.f_b || op.R_f == gates) && (op.g_b || op.R_g == op.output_gates()) && op.x.dim[1] == W && op.k_heads() == op.H && a.dy.dim[1] == HV &&
              a.dx.dim[1] == W);
    if (T == 0) return;
    arena_.reset();
    const Maker make = maker();

    // Gates of low rank come out of products over all heads at once.
    const float *f = op.x.data + conv, *z = f + op.R_f;
    float *df = a.dx.data + conv, *dz = df + op.R_f;
    int64_t f_stride = W, z_stride = W;
    const auto map = [&](const Weight& w, const float*& values, float*& derivatives, int64_t& stride) {
        if (!w) return;
        const Rows in{values, T, w.in, W};
        float* out = arena_.take<float>(T * w.out);
        const auto product = [&](Piece& memory) {
            const Left x = make.left(in, w.type == DType::bf16, memory);
            const Right map_turned = make.right_turned(w, memory);
            if (!memory.counts()) make.multiply(x, map_turned, out, w.out, false);
        };
        Piece memory = piece(product);
        product(memory);
        values = out, derivatives = arena_.take<float>(T * w.out), stride = w.out;
    };
    map(op.f_b, f, df, f_stride);
    map(op.g_b, z, dz, z_stride);

    // Sums over the tokens of a row: of the convolution, A_log, dt_bias, o_norm (a head each).
    const auto rows = static_cast<int64_t>(a.rows.size()), sums = conv * C + H + gates + HV;
    float* all_sums = arena_.take<float>(rows * sums);
    std::fill_n(all_sums, rows * sums, 0.f);
    int64_t longest = 0;
    for (const RowsOf& r : a.rows) longest = std::max(longest, r.count);
    const int64_t floats = learning_.kda_floats(K, V, C, longest);
    float* scratch = arena_.take<float>(pool_.size() * floats);
    const int64_t beta = conv + op.R_f + op.R_g;
    pool_.run(rows * H, 1, 0, [&](int thread, int64_t task, int64_t) {
        const RowsOf& r = a.rows[static_cast<size_t>(task / H)];
        if (r.count == 0) return;
        const int64_t h = task % H;
        float *own = all_sums + task / H * sums, *dA = own + conv * C, *ddt = dA + H, *dnorm = ddt + gates;
        KdaHead head{.K = K, .V = V, .C = C, .T = r.count};
        const auto raw = [&](int64_t column) {
            return KdaHead::Raw{op.x.row(r.first) + column, op.conv + column * C, a.dx.row(r.first) + column, own + column * C};
        };
        head.q = raw(h * K), head.k = raw((H + h) * K), head.v = raw(2 * H * K + h * V);
        head.stride = W;
        const int64_t gate = op.no_gate ? 0 : op.one_gate ? h : h * K;
        head.f = f + r.first * f_stride + gate, head.df = df + r.first * f_stride + gate, head.f_stride = f_stride;
        head.z = z + r.first * z_stride + h * V, head.dz = dz + r.first * z_stride + h * V, head.z_stride = z_stride;
        head.b = op.x.row(r.first) + beta + h, head.db = a.dx.row(r.first) + beta + h;
        if (!op.no_gate) head.A_log = op.A_log[h], head.dt_bias = op.dt_bias + gate, head.dA_log = dA + h, head.ddt_bias = ddt + gate;
        head.lower_bound = op.lower_bound, head.one_gate = op.one_gate, head.no_gate = op.no_gate, head.plain = op.plain, head.silu = op.silu;
        head.ungated = op.ungated;
        head.o_norm = op.o_norm.weight, head.eps = op.o_norm.eps, head.do_norm = dnorm + h * V;
        head.excess = a.excess, head.sane = KdaBack::kSane;
        head.dy = a.dy.row(r.first) + h * V, head.y = op.y.row(r.first) + h * V, head.y_stride = HV;
        head.scratch = scratch + thread * floats;
        learning_.kda(head);
    });
    for (int64_t r = 0; r < rows; ++r) {
        const float *own = all_sums + r * sums, *dA = own + conv * C, *ddt = dA + H, *dnorm = ddt + gates;
        learning_.add_times(own, 1, conv * C, a.dconv);
        if (!op.no_gate) learning_.add_times(dA, 1, H, a.dA_log);
        if (!op.no_gate) learning_.add_times(ddt, 1, gates, a.ddt_bias);
        for (int64_t h = 0; h < H && op.o_norm.weight; ++h) learning_.add_times(dnorm + h * V, 1, V, a.do_norm);
    }

    const auto map_back = [&](const Weight& w, int64_t column, const float* derivatives, float* dw) {
        if (!w) return;
        float* to = a.dx.data + column;
        for (int64_t t = 0; t < T; ++t) std::fill_n(to + t * W, w.in, 0.f);
        back({.x = {op.x.data + column, {T, w.in}},
              .w = {&w, 1},
              .dy = {derivatives, {T, w.out}},
              .dx = {to, {T, w.in}},
              .dw = {&dw, 1},
              .x_stride = W,
              .dx_stride = W});
    };
    map_back(op.f_b, conv, df, a.df_b);
    map_back(op.g_b, conv + op.R_f, dz, a.dg_b);
}

// --- MLA ---------------------------------------------------------------------------------------------------------------------

namespace {

constexpr int64_t kBlock = 128;  // queries

void rotate(float* x, int64_t n, int64_t position, float theta, bool adjacent, bool back) {
    for (int64_t i = 0; i < n / 2; ++i) {
        const double angle = static_cast<double>(position) * std::pow(static_cast<double>(theta), -2.0 * static_cast<double>(i) / static_cast<double>(n));
        const auto c = static_cast<float>(std::cos(angle)), s = static_cast<float>(back ? -std::sin(angle) : std::sin(angle));
        float &first = x[adjacent ? 2 * i : i], &second = x[adjacent ? 2 * i + 1 : i + n / 2];
        const float p = first, q = second;
        first = p * c - q * s, second = p * s + q * c;
    }
}

struct Head {  // of MLA, over one row of tokens
    int64_t T, N, R, V;
    const float *q, *kv, *k_r, *dy;  // token t at + t * its stride; k_r rotated already
    int64_t q_stride, kv_stride, r_stride, y_stride;
    float *y, *dq, *dkv, *dk_r;
    int64_t dq_stride;
    float scale, theta;
    bool adjacent;
    bool bf16;
};

// The work of one task; called once with a memory that only counts. With S = scale Q K^T of a block of queries over the keys before them:
//   P = softmax(S), y = P V    dP = dO V^T, dS = P (dP - dO . y) scale    dQ = dS K, dK += dS^T Q, dV += P^T dO
void attend_back(const Head& h, const Maker& make, Piece& memory) {
    const int64_t T = h.T, K = h.N + h.R, V = h.V;
    const bool counts = memory.counts();
    const Learning& on = make.learning;
    float *q = memory.take<float>(T * K), *k = memory.take<float>(T * K), *v = memory.take<float>(T * V);
    float *dq = memory.take<float>(kBlock * K), *dk = memory.take<float>(T * K), *dv = memory.take<float>(T * V);
    float *p = memory.take<float>(kBlock * T), *ds = memory.take<float>(kBlock * T);
    if (!counts) {
        for (int64_t t = 0; t < T; ++t) {
            std::memcpy(q + t * K, h.q + t * h.q_stride, static_cast<size_t>(K) * sizeof(float));
            if (h.theta != 0) rotate(q + t * K + h.N, h.R, t, h.theta, h.adjacent, false);
            std::memcpy(k + t * K, h.kv + t * h.kv_stride, static_cast<size_t>(h.N) * sizeof(float));
            std::memcpy(k + t * K + h.N, h.k_r + t * h.r_stride, static_cast<size_t>(h.R) * sizeof(float));
            std::memcpy(v + t * V, h.kv + t * h.kv_stride + h.N, static_cast<size_t>(V) * sizeof(float));
        }
        std::fill_n(dk, T * K, 0.f);
        std::fill_n(dv, T * V, 0.f);
    }
    const Rows keys_of{k, T, K, K}, values_of{v, T, V, V};
    const Right keys_turned = make.right_turned(keys_of, h.bf16, memory), values_turned = make.right_turned(values_of, h.bf16, memory);
    const Right keys_there = make.right(keys_of, h.bf16, memory), values_there = make.right(values_of, h.bf16, memory);
    for (int64_t first = 0; first < (counts ? 1 : T); first += kBlock) {
        std::byte* const mark = memory.mark();
        const int64_t n = std::min(kBlock, T - first), keys = counts ? T : first + n;
        const Rows queries{q + first * K, n, K, K}, dO{h.dy + first * h.y_stride, n, V, h.y_stride}, weights{p, n, keys, T}, slopes{ds, n, keys, T};
        float* y = h.y + first * h.y_stride;
        const auto product = [&](const auto& left, const auto& right, float* c, int64_t ldc, bool add) {
            std::byte* const here = memory.mark();
            const Left a = left();
            const Right b = right();
            if (!counts) make.multiply(a, b, c, ldc, add);
            memory.rewind(here);
        };
        const auto as_is = [&](const Rows& x) { return [&make, &memory, &h, x] { return make.left(x, h.bf16, memory); }; };
        const auto turned = [&](const Rows& x) { return [&make, &memory, &h, x] { return make.left_turned(x, h.bf16, memory); }; };
        const auto made = [](const Right& b) { return [b] { return b; }; };
        const auto rows = [&](const Rows& x) { return [&make, &memory, &h, x] { return make.right(x, h.bf16, memory); }; };
        product(as_is(queries), made(keys_turned.first(K, keys)), p, T, false);
        product(as_is(dO), made(values_turned.first(V, keys)), ds, T, false);
        if (!counts)
            for (int64_t i = 0; i < n; ++i) {
                float* row = p + i * T;
                const int64_t seen = first + i + 1;
                on.add_times(row, h.scale - 1, seen, row);  // times scale
                on.exp_minus(row, seen, on.log_sum_exp(row, seen), 1, row);
                std::fill_n(row + seen, keys - seen, 0.f);
            }
        product(as_is(weights), made(values_there.first(keys, V)), y, h.y_stride, false);
        if (!counts)
            for (int64_t i = 0; i < n; ++i) on.softmax_back(p + i * T, on.dot(dO.data + i * h.y_stride, y + i * h.y_stride, V), h.scale, keys, ds + i * T);
        product(as_is(slopes), made(keys_there.first(keys, K)), dq, K, false);
        product(turned(slopes), rows(queries), dk, K, true);
        product(turned(weights), rows(dO), dv, V, true);
        if (!counts)
            for (int64_t i = 0; i < n; ++i) {
                if (h.theta != 0) rotate(dq + i * K + h.N, h.R, first + i, h.theta, h.adjacent, true);
                std::memcpy(h.dq + (first + i) * h.dq_stride, dq + i * K, static_cast<size_t>(K) * sizeof(float));
            }
        memory.rewind(mark);
    }
    if (counts) return;
    for (int64_t t = 0; t < T; ++t) {
        std::memcpy(h.dkv + t * h.kv_stride, dk + t * K, static_cast<size_t>(h.N) * sizeof(float));
        std::memcpy(h.dkv + t * h.kv_stride + h.N, dv + t * V, static_cast<size_t>(V) * sizeof(float));
        std::memcpy(h.dk_r + t * h.R, dk + t * K + h.N, static_cast<size_t>(h.R) * sizeof(float));
    }
}

}  // namespace

void CpuBackend::mla_back(const MlaBack& a) {
    const Mla& op = a.op;
    const int64_t T = op.x.dim[0], H = op.H, N = op.nope, R = op.rope, V = op.V, L = op.L, W = op.x.dim[1], kv_width = H * (N + V), HV = H * V;
    KLP_CHECK(W == op.width() && op.gates == 0 && a.dx.dim[1] == W);
    if (T == 0) return;
    arena_.reset();
    const Maker make = maker();
    const int64_t c_column = op.q_width(), r_column = c_column + L;
    float *latent = arena_.take<float>(T * L), *kv = arena_.take<float>(T * kv_width), *dkv = arena_.take<float>(T * kv_width);
    float *k_r = arena_.take<float>(T * std::max<int64_t>(R, 1)), *dk_r = arena_.take<float>(H * T * std::max<int64_t>(R, 1));
    normalised(op.norm, {op.x.data + c_column, T, L, W}, latent);
    const auto product = [&](Piece& memory) {
        const Left x = make.left({latent, T, L, L}, op.kv_b.type == DType::bf16, memory);
        const Right w = make.right_turned(op.kv_b, memory);
        if (!memory.counts()) make.multiply(x, w, kv, kv_width, false);
    };
    Piece memory = piece(product);
    product(memory);
    int64_t longest = 0;
    for (const RowsOf& r : a.rows) {
        longest = std::max(longest, r.count);
        for (int64_t t = 0; t < r.count; ++t) {
            std::memcpy(k_r + (r.first + t) * R, op.x.row(r.first + t) + r_column, static_cast<size_t>(R) * sizeof(float));
            if (op.rope_theta != 0) rotate(k_r + (r.first + t) * R, R, t, op.rope_theta, op.rope_adjacent, false);
        }
    }
    const Maker alone = maker(true);
    const auto head_of = [&](const RowsOf& r, int64_t h) {
        return Head{.T = r.count,
                    .N = N,
                    .R = R,
                    .V = V,
                    .q = op.x.row(r.first) + h * (N + R),
                    .kv = kv + r.first * kv_width + h * (N + V),
                    .k_r = k_r + r.first * R,
                    .dy = a.dy.row(r.first) + h * V,
                    .q_stride = W,
                    .kv_stride = kv_width,
                    .r_stride = R,
                    .y_stride = HV,
                    .y = op.y.row(r.first) + h * V,
                    .dq = a.dx.row(r.first) + h * (N + R),
                    .dkv = dkv + r.first * kv_width + h * (N + V),
                    .dk_r = dk_r + (h * T + r.first) * R,
                    .dq_stride = W,
                    .scale = op.scale,
                    .theta = op.rope_theta,
                    .adjacent = op.rope_adjacent,
                    .bf16 = op.kv_b.type == DType::bf16};
    };
    Piece counted;
    attend_back(head_of({0, longest}, 0), alone, counted);
    const int64_t bytes = (counted.most() + 63) / 64 * 64;
    auto* scratch = arena_.take<std::byte>(pool_.size() * bytes);
    const auto rows = static_cast<int64_t>(a.rows.size());
    pool_.run(rows * H, 1, 0, [&](int thread, int64_t task, int64_t) {
        const RowsOf& r = a.rows[static_cast<size_t>(task / H)];
        if (r.count == 0) return;
        Piece own(scratch + thread * bytes);
        attend_back(head_of(r, task % H), alone, own);
        KLP_CHECK(own.most() <= bytes);
    });
    pool_.run(rows, 1, 0, [&](int, int64_t i, int64_t) {
        const RowsOf& r = a.rows[static_cast<size_t>(i)];
        for (int64_t t = 0; t < r.count; ++t) {
            float* to = a.dx.row(r.first + t) + c_column;
            std::fill_n(to, L + R, 0.f);
            for (int64_t h = 0; h < H; ++h) learning_.add_times(dk_r + (h * T + r.first + t) * R, 1, R, to + L);
            if (op.rope_theta != 0) rotate(to + L, R, t, op.rope_theta, op.rope_adjacent, true);
        }
    });
    back({.x = {op.x.data + c_column, {T, L}},
          .norm = op.norm,
          .w = {&op.kv_b, 1},
          .dy = {dkv, {T, kv_width}},
          .dx = {a.dx.data + c_column, {T, L}},
          .dw = {&a.dkv_b, 1},
          .dnorm = a.dnorm,
          .x_stride = W,
          .dx_stride = W});
}

}  // namespace klp
