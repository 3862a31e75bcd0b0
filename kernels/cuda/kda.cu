// Kimi Delta Attention: which form a segment takes, and the form for every shape: one kernel makes q, k, v and the gates of each token, one carries the state
// from token to token, one norms the answers.
#include "kernels/cuda/kda.h"

#include <algorithm>

#include "kernels/cuda/mma.h"

namespace klp::cuda {

namespace {

constexpr int kRows = 32;  // of the state, in a block of the recurrence

// What a token of a head hands on: q (scaled) | k | alpha, each padded with zeros to a power of two, v padded to 32, then beta, q.k, the share of
// what k reads that is taken off v (1, or with plain writing 0), 0.
struct Records {
    float* data;
    int64_t K, V;  // padded

    __host__ __device__ int64_t size() const { return 3 * K + V + 4; }
    __device__ float* at(int64_t row, int32_t H, int64_t h) const { return data + (row * H + h) * size(); }
};

// A block for each token and head.
__global__ void kda_prepare(KdaShape a, const KdaRows* pieces, int32_t n, const float* f, Records records, float* key_squares) {
    __shared__ float space[32];
    const int64_t row = blockIdx.x / a.H, h = blockIdx.x % a.H;
    const KdaRows& s = piece_of<&KdaRows::start>(pieces, n, row);
    const int64_t t = s.from + row - s.start, out = (s.first + t) * a.H + h;
    float *q = records.at(row, a.H, h), *k = q + records.K, *alpha = k + records.K, *v = alpha + records.K, *scalars = v + records.V;
    const int64_t q_first = a.k_head(h) * a.K, k_first = (a.H_k + a.k_head(h)) * a.K, v_first = int64_t{2} * a.H_k * a.K + h * a.V;
    const int64_t gate_first = h * a.K;

    float qq = 0, kk = 0, qk = 0;
    const float A = a.no_gate ? 0 : expf(a.A_log[h]);
    for (int64_t c = threadIdx.x; c < records.K; c += blockDim.x) {
        q[c] = k[c] = alpha[c] = 0;
        if (c >= a.K) continue;
        q[c] = kda_conv(a, s, t, q_first + c), k[c] = kda_conv(a, s, t, k_first + c);
        qq += q[c] * q[c], kk += k[c] * k[c], qk += q[c] * k[c];
        const int64_t gate = a.one_gate ? h : gate_first + c;
        const float g = a.no_gate ? 0 : kda_log_decay(f[row * a.gate_width() + gate], A, a.dt_bias[gate], a.lower_bound) * s.gate_of(gate_first + c);
        if (a.log_decay) a.log_decay[out * a.K + c] = g;
        alpha[c] = expf(g);
    }
    for (int64_t c = threadIdx.x; c < records.V; c += blockDim.x) v[c] = c < a.V ? kda_conv(a, s, t, v_first + c) : 0;
    qq = block_sum(qq, space), kk = block_sum(kk, space), qk = block_sum(qk, space);
    const float q_scale = 1 / sqrtf((qq + kKdaEps) * static_cast<float>(a.K)), k_scale = 1 / sqrtf(kk + kKdaEps);
    for (int64_t c = threadIdx.x; c < a.K; c += blockDim.x) q[c] *= q_scale, k[c] *= k_scale;
    if (threadIdx.x == 0) {
        const float beta = sigmoid(a.row(s.first + t)[a.conv_width() + a.R_f + a.R_g + h]) * s.beta_of(h);
        scalars[0] = beta, scalars[1] = qk * q_scale * k_scale, scalars[2] = a.plain ? 0 : 1, scalars[3] = 0;
        if (key_squares) key_squares[row * a.H + h] = kk * k_scale * k_scale;
        if (a.beta) a.beta[out] = beta;
    }
}

// Token by token, the state in registers: 8 lanes share a row of it, lane l holds its values 32 j + 4 l .. + 3; a warp has 8 rows. The records of the tokens
// ahead come to shared memory while these are worked on.
//   a = S^T (alpha k),  b = S^T (alpha q) in one pass;  u = beta (v - a),  o = b + u (k.q);  S <- alpha S + k u^T
template <int J, bool norms>
__global__ void __launch_bounds__(128)
    kda_recurrent(KdaShape a, const KdaRows* pieces, Records records, int32_t ahead, float* o, float* update_squares, float* state_squares) {
    const int slices = static_cast<int>(records.V / kRows);
    const int64_t slice = blockIdx.x % slices, h = blockIdx.x / slices % a.H;
    const KdaRows s = pieces[blockIdx.x / slices / a.H];
    const int lane = static_cast<int>(threadIdx.x) % 32, part = lane % 8;
    const int64_t in_slice = threadIdx.x / 32 * 8 + lane / 8 * 2, first = slice * kRows + in_slice;  // this lane's two rows

    float S[2][J][4];
    for (int r = 0; r < 2; ++r)
        for (int j = 0; j < J; ++j)
            for (int i = 0; i < 4; ++i) {
                const int64_t c = 32 * j + 4 * part + i;
                S[r][j][i] = first + r < a.V && c < a.K ? s.state[(h * a.V + first + r) * a.K + c] : 0;
            }

    // A token in shared memory: q | k | alpha | v of these rows | scalars.
    const int quads = static_cast<int>(3 * records.K / 4) + kRows / 4 + 1, token = quads * 4;
    float* const shared = shared_memory<float>();
    const auto fetch = [&](int64_t from, int side) {
        for (int p = static_cast<int>(threadIdx.x); p < ahead * quads; p += static_cast<int>(blockDim.x)) {
            const int64_t t = from + p / quads;
            const int quad = p % quads, behind = quad - static_cast<int>(3 * records.K / 4);
            const int64_t at = behind < 0 ? 4 * quad : behind < kRows / 4 ? 3 * records.K + slice * kRows + 4 * behind : 3 * records.K + records.V;
            if (t < s.count) copy_async(shared + (side * ahead + p / quads) * token + quad * 4, records.at(s.start + t, a.H, h) + at);
        }
        copies_sent();
    };
    fetch(0, 0);
    for (int64_t from = 0, side = 0; from < s.count; from += ahead, side ^= 1) {
        fetch(from + ahead, static_cast<int>(side ^ 1));
        copies_arrived<1>();
        __syncthreads();
        const int64_t until = slice * kRows + threadIdx.x / 32 * 8 < a.V ? min(from + ahead, s.count) : from;  // a warp whose rows are all padding has no work
        for (int64_t t = from; t < until; ++t) {
            const float* q = shared + (side * ahead + t - from) * token;
            const float *k = q + records.K, *alpha = k + records.K, *v = alpha + records.K, *scalars = v + kRows;
            float p[2] = {}, answer[2] = {};
#pragma unroll
            for (int j = 0; j < J; ++j) {
                const float4 q4 = *reinterpret_cast<const float4*>(q + 32 * j + 4 * part), k4 = *reinterpret_cast<const float4*>(k + 32 * j + 4 * part);
                const float4 a4 = *reinterpret_cast<const float4*>(alpha + 32 * j + 4 * part);
#pragma unroll
                for (int r = 0; r < 2; ++r) {
                    float(&x)[4] = S[r][j];
                    x[0] *= a4.x, x[1] *= a4.y, x[2] *= a4.z, x[3] *= a4.w;
                    p[r] += x[0] * k4.x + x[1] * k4.y + x[2] * k4.z + x[3] * k4.w;
                    answer[r] += x[0] * q4.x + x[1] * q4.y + x[2] * q4.z + x[3] * q4.w;
                }
            }
            float change[2], square[2] = {};
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                change[r] = scalars[0] * (v[in_slice + r] - scalars[2] * warp_sum(p[r], 8));
                answer[r] = warp_sum(answer[r], 8) + change[r] * scalars[1];
            }
#pragma unroll
            for (int j = 0; j < J; ++j) {
                const float4 k4 = *reinterpret_cast<const float4*>(k + 32 * j + 4 * part);
#pragma unroll
                for (int r = 0; r < 2; ++r) {
                    float(&x)[4] = S[r][j];
                    x[0] += k4.x * change[r], x[1] += k4.y * change[r], x[2] += k4.z * change[r], x[3] += k4.w * change[r];
                    if (norms) square[r] += x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3];
                }
            }
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                if (norms) square[r] = warp_sum(square[r], 8);
                const int64_t at = ((s.start + t) * a.H + h) * a.V + first + r;
                if (part != r || first + r >= a.V) continue;
                o[at] = answer[r];
                if (norms) update_squares[at] = change[r] * change[r], state_squares[at] = square[r];
            }
        }
        __syncthreads();
    }
    copies_arrived<0>();

    for (int r = 0; r < 2; ++r)
        for (int j = 0; j < J; ++j)
            for (int i = 0; i < 4; ++i) {
                const int64_t c = 32 * j + 4 * part + i;
                if (first + r < a.V && c < a.K) s.state[(h * a.V + first + r) * a.K + c] = S[r][j][i];
            }
}

// Sums of squares of parts of a state (each row's or each last row's) and of an update.
struct Squares {
    const float *key, *update, *state;  // [rows, H], [rows, H, parts], [rows or pieces, H, parts]; null: not wanted
    int32_t parts, every_row;
};

// y = RMSNorm(o; o_norm) * sigmoid(z) (or SiLU(z), or alone), and the norms of state and update. A warp for each token and head.
__global__ void kda_finish(KdaShape a, const KdaRows* pieces, int32_t n, int64_t total, const float* z, const float* o, Squares squares) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t index = int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32, row = index / a.H, h = index % a.H;
    if (row >= total) return;
    const KdaRows& s = piece_of<&KdaRows::start>(pieces, n, row);
    const int64_t t = row - s.start, to = (s.first + s.from + t) * a.H + h;
    float sum = 0;
    for (int64_t v = lane; v < a.V; v += 32) sum += o[index * a.V + v] * o[index * a.V + v];
    const float scale = a.norm ? 1 / sqrtf(warp_sum(sum) / static_cast<float>(a.V) + a.eps) : 1;
    for (int64_t v = lane; v < a.V; v += 32)
        a.y[to * a.V + v] = o[index * a.V + v] * scale * (a.norm ? a.norm[v] : 1) *
                            (a.ungated ? 1
                             : a.silu  ? silu(z[index * a.V + v])
                                       : sigmoid(z[index * a.V + v]));
    if (!squares.key) return;
    const int64_t of_state = squares.every_row ? index : (&s - pieces) * a.H + h;
    const bool known = squares.every_row || (s.last && t == s.count - 1);
    float state = 0, update = 0;
    for (int i = lane; i < squares.parts; i += 32) {
        update += squares.update[index * squares.parts + i];
        if (known) state += squares.state[of_state * squares.parts + i];
    }
    state = warp_sum(state), update = warp_sum(update);
    if (lane != 0) return;
    if (a.state_norm) a.state_norm[to] = known ? sqrtf(state) : __int_as_float(0x7fc00000);
    if (a.update_norm) a.update_norm[to] = sqrtf(squares.key[index] * update);
}

// The last C - 1 rows of tail and segment become the tail. A thread for each channel.
__global__ void kda_tail(KdaShape a, const KdaRows* pieces) {
    const int64_t width = a.conv_width(), blocks = (width + blockDim.x - 1) / blockDim.x, c = blockIdx.x % blocks * blockDim.x + threadIdx.x;
    const KdaRows& s = pieces[blockIdx.x / blocks];
    if (c >= width || !s.last) return;
    for (int i = 0; i < a.C - 1; ++i) s.tail[i * width + c] = kda_window(a, s, s.from + s.count, i, c);
}

// Some columns of x, which are as wide as they are needed, row behind row. A block for 256 of them.
__global__ void kda_columns(const float* from, int64_t stride, int64_t width, float* to) {
    const int64_t blocks = (width + blockDim.x - 1) / blockDim.x, c = blockIdx.x % blocks * blockDim.x + threadIdx.x, row = blockIdx.x / blocks;
    if (c < width) to[row * width + c] = from[row * stride + c];
}

int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
int64_t padded_key(int64_t K) {
    int64_t n = 32;
    while (n < K) n *= 2;
    return n;
}

constexpr int64_t kPiece = 2048;  // tokens that temporary memory is taken for at a time

}  // namespace

// Pieces of segments that all take the same form, no two of the same segment.
void CudaBackend::kda_pieces(const KdaShape& a, const Matrix& f_b, const Matrix& g_b, std::span<const KdaRows> pieces, bool chunkwise) {
    const KdaRows& end = pieces.back();
    const int64_t total = end.start + end.count, n_chunks = end.chunk + (end.count + kKdaChunk - 1) / kKdaChunk;
    const auto n = static_cast<int32_t>(pieces.size());
    // A product for each piece: what a token's bits are may depend on its own segment only.
    const int64_t HK = a.gate_width(), HV = int64_t{a.H} * a.V;
    float *f = temporary<float>(total * HK), *z = temporary<float>(total * HV), *o = temporary<float>(total * HV);
    for (const KdaRows& s : pieces) {
        const float* low_rank = a.x + (s.first + s.from) * a.width + a.conv_width();
        const auto gate = [&](const Matrix& w, const float* x, int64_t width, float* y) {
            if (width == 0) return;  // no gate
            if (w.codes) return multiply({.x = x, .x_stride = a.width, .T = s.count, .w = w, .y = y, .y_stride = width});
            stream_.launch("kda_columns", kda_columns, {.x = s.count * ((width + 255) / 256), .threads = 256}, x, a.width, width, y);
        };
        gate(f_b, low_rank, HK, f + s.start * HK);
        gate(g_b, low_rank + a.R_f, a.output_gates(), z + s.start * HV);
    }
    const KdaRows* given = stream_.give(pieces);
    const bool norms = a.state_norm || a.update_norm;
    const int64_t padded_V = padded(a.V, kRows), parts = chunkwise ? padded_V / kRows : a.V;
    float *key_squares = nullptr, *update_squares = nullptr, *state_squares = nullptr;
    if (norms) {
        key_squares = temporary<float>(total * a.H), update_squares = temporary<float>(total * a.H * parts);
        state_squares = temporary<float>((chunkwise ? n : total) * a.H * parts);
    }

    if (chunkwise) {
        kda_chunkwise(stream_, a, given, n, n_chunks, f,
                      {temporary<std::byte>(n_chunks * a.H * kda_chunk_bytes(a)), o, key_squares, update_squares, state_squares});
    } else {
        Records records{nullptr, padded_key(a.K), padded_V};
        records.data = temporary<float>(total * a.H * records.size());
        stream_.launch("kda_prepare", kda_prepare, {.x = total * a.H, .threads = 128}, a, given, n, f, records, key_squares);
        const int64_t token = (3 * records.K + kRows + 4) * static_cast<int64_t>(sizeof(float));
        const auto ahead = static_cast<int32_t>(std::clamp<int64_t>((12 << 10) / token, 1, 8));
        const Grid grid{.x = n * a.H * (records.V / kRows), .threads = 128, .shared = static_cast<size_t>(2 * ahead * token)};
        const auto carry = [&]<int J>() {
            stream_.launch("kda_recurrent", norms ? kda_recurrent<J, true> : kda_recurrent<J, false>, grid, a, given, records, ahead, o, update_squares,
                           state_squares);
        };
        switch (records.K) {
            case 32:
                carry.template operator()<1>();
                break;
            case 64:
                carry.template operator()<2>();
                break;
            case 128:
                carry.template operator()<4>();
                break;
            case 256:
                carry.template operator()<8>();
                break;
            default:
                throw DeviceError("KDA with keys " + std::to_string(a.K) + " wide: the CUDA kernels take at most 256");
        }
    }
    stream_.launch("kda_finish", kda_finish, {.x = (total * a.H + 3) / 4, .threads = 128}, a, given, n, total, z, o,
                   Squares{key_squares, update_squares, state_squares, static_cast<int32_t>(parts), !chunkwise});
    if (a.C > 1) stream_.launch("kda_tail", kda_tail, {.x = n * ((a.conv_width() + 255) / 256), .threads = 256}, a, given);
}

void CudaBackend::kda(const Kda& op) {
    fresh();
    KdaShape a{};
    a.x = op.x.data, a.conv = op.conv, a.A_log = op.A_log, a.dt_bias = op.dt_bias, a.norm = op.o_norm.weight;
    a.y = op.y.data, a.log_decay = op.taps.log_decay, a.beta = op.taps.beta, a.state_norm = op.taps.state_norm, a.update_norm = op.taps.update_norm;
    a.width = op.width(), a.H = op.H, a.K = op.K, a.V = op.V, a.C = op.C, a.R_f = op.R_f, a.R_g = op.R_g;
    a.eps = op.o_norm.eps, a.lower_bound = op.lower_bound;
    KLP_CHECK((op.f_b || op.R_f == op.gate_width()) && (op.g_b || op.R_g == op.output_gates()) && op.H % op.k_heads() == 0);
    a.H_k = op.k_heads(), a.tiled = op.tiled, a.one_gate = op.one_gate, a.no_gate = op.no_gate, a.plain = op.plain, a.silu = op.silu, a.ungated = op.ungated;
    const Matrix f_b = matrix(op.f_b), g_b = matrix(op.g_b);

    // Chunks round to bf16, so a model with f32 weights gets them only where they are asked for.
    const DType gates = op.f_b ? op.f_b.type : op.gates;
    const bool rounds = gates != DType::f32 && gates != DType::f16;
    // A segment's form is its own affair. A chunk costs as much as some 60 tokens one by one, but all its heads' and segments' chunks are made at once.
    std::vector<KdaRows> steps, forms[2];
    for (const KdaSegment& s : op.segments) {
        if (s.count == 0) continue;
        const KdaRows rows{s.state, s.tail, s.first, 0, s.count, 0, 0, 1, s.gate, s.beta};
        const bool chunkwise = op.form == KdaForm::chunkwise || (op.form == KdaForm::automatic && rounds && s.count >= kKdaChunk);
        (a.usual() && kda_steps(a, rows) ? steps : forms[chunkwise && s.count > 1 && a.usual() && kda_chunks(a, shared_)]).push_back(rows);
    }
    if (!steps.empty()) kda_step(a, f_b, g_b, steps);
    for (const bool chunkwise : {false, true}) {
        std::vector<KdaRows> pieces;
        const auto run = [&] {
            if (pieces.empty()) return;
            const Place kept = used_;  // the next pieces take the same memory
            kda_pieces(a, f_b, g_b, pieces, chunkwise);
            used_ = kept;
            pieces.clear();
        };
        for (const KdaRows& s : forms[chunkwise])
            for (int64_t from = 0; from < s.count; from += kPiece) {
                KdaRows piece = s;
                piece.from = from, piece.count = std::min(kPiece, s.count - from), piece.last = from + kPiece >= s.count;
                if (!pieces.empty() && (from > 0 || pieces.back().start + pieces.back().count + piece.count > kPiece)) run();
                if (!pieces.empty()) {
                    const KdaRows& before = pieces.back();
                    piece.start = before.start + before.count, piece.chunk = before.chunk + (before.count + kKdaChunk - 1) / kKdaChunk;
                }
                pieces.push_back(piece);
            }
        run();
    }
}

}  // namespace klp::cuda
