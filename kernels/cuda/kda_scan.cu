// The chunkwise delta rule, second kernel: the state's way through the chunks (kda_chunk.h).
#include "kernels/cuda/kda_chunk.h"

namespace klp::cuda {

namespace {

constexpr int kChunk = kKdaChunk;

// 32 rows of a head's state from chunk to chunk, values x keys: warp w has a quarter of the keys of the state and 16 tokens of the chunk. A lane fetches what
// it will need itself, one chunk ahead, to shared memory or (B and the lower half of Q, which have no room there on smaller cards) to registers.
template <int K>
__global__ void __launch_bounds__(128)
    kda_scan(KdaShape a, const KdaRows* pieces, const uint4* chunks, int64_t chunk_size, float* o, float* state_squares, float* update_squares) {
    using At = KdaChunkLayout<K>;
    constexpr int P = At::P, kSteps = K / 16;
    constexpr int kU = 4 * P, kKey = kU + 4, kLow = kKey + 2 * P, kAll = kLow + 2 * P;  // 16-byte places of a lane: W | Q | U | key | key_low
    __shared__ float space[32];
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32, g = lane / 4, c2 = lane % 4 * 2;
    const int slices = (a.V + 31) / 32;
    const int64_t slice = blockIdx.x % slices, h = blockIdx.x / slices % a.H, n = blockIdx.x / slices / a.H;
    const KdaRows s = pieces[n];
    const int64_t n_chunks = (s.count + kChunk - 1) / kChunk;
    uint4* const mine = shared_memory<uint4>() + thread;  // 128 uint4s from place to place
    uint4 *const state = shared_memory<uint4>() + kAll * 128, *const state_low = state + 2 * kSteps * 32, *const change = state_low + 2 * kSteps * 32;
    const auto record = [&](int64_t chunk) { return chunks + ((s.chunk + chunk) * a.H + h) * chunk_size; };
    const auto fetch = [&](int64_t chunk, int place, int from, int count) {
        if (chunk < n_chunks)
            for (int i = 0; i < count; ++i) copy_async(mine + (place + i) * 128, record(chunk) + from + i * 32 + lane);
    };
    const auto fetch_rows = [&](int64_t chunk) {  // W and Q of 16 tokens
        fetch(chunk, 0, At::W + warp * 2 * P * 32, 2 * P);
        fetch(chunk, 2 * P, At::Q + warp * 2 * P * 32, 2 * P);
        copies_sent();
    };
    const auto fetch_u = [&](int64_t chunk) {
        fetch(chunk, kU, At::U + static_cast<int>(slice) * 512 + warp * 128, 4);
        copies_sent();
    };
    uint4 q_low[2][P], b[2][2], b_low[2][2];  // [tile][two steps]
    const auto load_q_low = [&](int64_t chunk) {
        if (chunk < n_chunks)
#pragma unroll
            for (int i = 0; i < 2 * P; ++i) q_low[i / P][i % P] = record(chunk)[At::Q_low + (warp * 2 * P + i) * 32 + lane];
    };
    const auto load_b = [&](int64_t chunk) {
        if (chunk < n_chunks)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                b[i / 2][i % 2] = record(chunk)[At::B + (warp * 4 + i) * 32 + lane],
                             b_low[i / 2][i % 2] = record(chunk)[At::B_low + (warp * 4 + i) * 32 + lane];
    };
    const auto fetch_keys = [&](int64_t chunk) {
        fetch(chunk, kKey, At::key + warp * P * 64, 2 * P);
        fetch(chunk, kLow, At::key_low + warp * P * 64, 2 * P);
        copies_sent();
    };
    fetch_rows(0), fetch_u(0), fetch_keys(0), load_q_low(0), load_b(0);

    float S[2][P][4];
    const auto at_state = [&](int m, int tile, int i) {
        const int64_t v = slice * 32 + m * 16 + g + i / 2 * 8;
        const int c = warp * (K / 4) + tile * 8 + c2 + i % 2;
        return v < a.V && c < a.K ? s.state + (h * a.V + v) * a.K + c : nullptr;
    };
#pragma unroll
    for (int m = 0; m < 2; ++m)
#pragma unroll
        for (int tile = 0; tile < P; ++tile)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float* const from = at_state(m, tile, i);
                S[m][tile][i] = from ? *from : 0;
            }
    const auto hand_out_state = [&] {
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int tile = 0; tile < P; ++tile) {
                const int column = warp * P + tile;  // of 8 keys
                const int to = ((m * kSteps + column / 2) * 32 + lane) * 2 + column % 2;
                uint2 high, low;
                split_bf16(S[m][tile][0], S[m][tile][1], high.x, low.x), split_bf16(S[m][tile][2], S[m][tile][3], high.y, low.y);
                reinterpret_cast<uint2*>(state)[to] = high, reinterpret_cast<uint2*>(state_low)[to] = low;
            }
    };
    hand_out_state();

    for (int64_t chunk = 0; chunk < n_chunks; ++chunk) {
        copies_arrived<2>();
        __syncthreads();

        // S W and S Q.
        float D[2][2][4] = {}, answer[2][2][4] = {};
#pragma unroll
        for (int p = 0; p < P; ++p)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                uint32_t x[2][4], x_low[2][4];
#pragma unroll
                for (int m = 0; m < 2; ++m) {
                    const uint4 l = state[(m * kSteps + 2 * p + half) * 32 + lane], r = state_low[(m * kSteps + 2 * p + half) * 32 + lane];
                    x[m][0] = l.x, x[m][1] = l.y, x[m][2] = l.z, x[m][3] = l.w;
                    x_low[m][0] = r.x, x_low[m][1] = r.y, x_low[m][2] = r.z, x_low[m][3] = r.w;
                }
#pragma unroll
                for (int tile = 0; tile < 2; ++tile) {
                    const uint4 w = mine[(tile * P + p) * 128], q = mine[(2 * P + tile * P + p) * 128];
                    const uint4 r = q_low[tile][p];
                    const uint32_t y[2] = {half ? w.z : w.x, half ? w.w : w.y}, z[2] = {half ? q.z : q.x, half ? q.w : q.y};
                    const uint32_t z_low[2] = {half ? r.z : r.x, half ? r.w : r.y};
#pragma unroll
                    for (int m = 0; m < 2; ++m) {
                        mma_bf16(D[m][tile], x[m], y), mma_bf16(answer[m][tile], x[m], z);
                        mma_bf16(D[m][tile], x_low[m], y), mma_bf16(answer[m][tile], x_low[m], z);
                        mma_bf16(answer[m][tile], x[m], z_low);
                    }
                }
            }
        fetch_rows(chunk + 1);
        load_q_low(chunk + 1);

        copies_arrived<2>();
        __syncwarp();
#pragma unroll
        for (int tile = 0; tile < 2; ++tile)
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                const uint4 bits = mine[(kU + tile * 2 + m) * 128];
                const float u[4] = {__uint_as_float(bits.x), __uint_as_float(bits.y), __uint_as_float(bits.z), __uint_as_float(bits.w)};
#pragma unroll
                for (int i = 0; i < 4; ++i) D[m][tile][i] = u[i] - D[m][tile][i];
            }
        fetch_u(chunk + 1);
#pragma unroll
        for (int m = 0; m < 2; ++m) {
            uint32_t high[4], low[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) split_bf16(D[m][i / 2][i % 2 * 2], D[m][i / 2][i % 2 * 2 + 1], high[i], low[i]);
            change[(m * 4 + warp) * 32 + lane] = uint4{high[0], high[1], high[2], high[3]};
            change[(8 + m * 4 + warp) * 32 + lane] = uint4{low[0], low[1], low[2], low[3]};
        }
        const int64_t t = chunk * kChunk + warp * 16 + c2;
        if (update_squares) {
#pragma unroll
            for (int tile = 0; tile < 2; ++tile)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float sum = 0;
#pragma unroll
                    for (int m = 0; m < 2; ++m) sum += D[m][tile][i] * D[m][tile][i] + D[m][tile][2 + i] * D[m][tile][2 + i];
                    for (int step = 4; step < 32; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
                    const int64_t token = t + tile * 8 + i;
                    if (g == 0 && token < s.count) update_squares[((s.start + token) * a.H + h) * slices + slice] = sum;
                }
        }
        __syncthreads();

        // D of 16 tokens, its upper and its lower half, for both m.
        const auto change_at = [&](int step, uint32_t(&d)[2][2][4]) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const uint4 l = change[(i * 4 + step) * 32 + lane];
                d[i / 2][i % 2][0] = l.x, d[i / 2][i % 2][1] = l.y, d[i / 2][i % 2][2] = l.z, d[i / 2][i % 2][3] = l.w;
            }
        };
#pragma unroll
        for (int step = 0; step < 4; ++step)
            if (step <= warp) {
                uint32_t d[2][2][4];
                change_at(step, d);
#pragma unroll
                for (int tile = 0; tile < 2; ++tile) {
                    const uint4 l = b[tile][step / 2], r = b_low[tile][step / 2];
                    const uint32_t y[2] = {step % 2 ? l.z : l.x, step % 2 ? l.w : l.y}, y_low[2] = {step % 2 ? r.z : r.x, step % 2 ? r.w : r.y};
#pragma unroll
                    for (int m = 0; m < 2; ++m)
                        mma_bf16(answer[m][tile], d[0][m], y), mma_bf16(answer[m][tile], d[1][m], y), mma_bf16(answer[m][tile], d[0][m], y_low);
                }
            }
        float2 decay[P];
        const auto* const all = reinterpret_cast<const float*>(record(chunk) + At::decay);
#pragma unroll
        for (int tile = 0; tile < P; ++tile) decay[tile] = *reinterpret_cast<const float2*>(all + warp * (K / 4) + tile * 8 + c2);
        load_b(chunk + 1);
#pragma unroll
        for (int m = 0; m < 2; ++m)
#pragma unroll
            for (int tile = 0; tile < 2; ++tile)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int64_t token = t + tile * 8 + i % 2, v = slice * 32 + m * 16 + g + i / 2 * 8;
                    if (token < s.count && v < a.V) o[((s.start + token) * a.H + h) * a.V + v] = answer[m][tile][i];
                }

        copies_arrived<2>();
        __syncwarp();
        // The update by itself, from zero: tensor cores round towards zero whatever they add, which would shrink a state that forgets nothing. Two tiles at a
        // time, for the registers' sake.
        constexpr int kTiles = P < 2 ? P : 2;
#pragma unroll
        for (int first = 0; first < P; first += kTiles) {
            float update[2][kTiles][4] = {};
#pragma unroll
            for (int step = 0; step < 4; ++step) {
                uint32_t d[2][2][4];
                change_at(step, d);
#pragma unroll
                for (int tile = 0; tile < kTiles; ++tile) {
                    const uint2 k = reinterpret_cast<const uint2*>(mine + (kKey + (first + tile) * 2 + step / 2) * 128)[step % 2];
                    const uint2 low = reinterpret_cast<const uint2*>(mine + (kLow + (first + tile) * 2 + step / 2) * 128)[step % 2];
                    const uint32_t y[2] = {k.x, k.y}, y_low[2] = {low.x, low.y};
#pragma unroll
                    for (int m = 0; m < 2; ++m)
                        mma_bf16(update[m][tile], d[0][m], y), mma_bf16(update[m][tile], d[1][m], y), mma_bf16(update[m][tile], d[0][m], y_low);
                }
            }
#pragma unroll
            for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
                for (int m = 0; m < 2; ++m)
#pragma unroll
                    for (int i = 0; i < 4; ++i)
                        S[m][first + tile][i] = fmaf(S[m][first + tile][i], i % 2 ? decay[first + tile].y : decay[first + tile].x, update[m][tile][i]);
        }
        fetch_keys(chunk + 1);
        hand_out_state();
    }
    copies_arrived<0>();

    float squares = 0;
#pragma unroll
    for (int m = 0; m < 2; ++m)
#pragma unroll
        for (int tile = 0; tile < P; ++tile)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                if (float* const to = at_state(m, tile, i)) {
                    *to = S[m][tile][i];
                    squares += S[m][tile][i] * S[m][tile][i];
                }
    if (!state_squares) return;
    squares = block_sum(squares, space);
    if (thread == 0) state_squares[(n * a.H + h) * slices + slice] = squares;
}

}  // namespace

template <int K>
void launch_kda_scan(Stream& stream, const KdaShape& a, const KdaRows* pieces, int32_t n, const KdaChunks& to) {
    const int64_t slices = (a.V + 31) / 32;
    stream.launch("kda_scan", kda_scan<K>, {.x = n * a.H * slices, .threads = 128, .shared = kda_scan_shared<K>()}, a, pieces,
                  static_cast<const uint4*>(to.chunks), KdaChunkLayout<K>::size(slices), to.o, to.state_squares, to.update_squares);
}
template void launch_kda_scan<32>(Stream&, const KdaShape&, const KdaRows*, int32_t, const KdaChunks&);
template void launch_kda_scan<64>(Stream&, const KdaShape&, const KdaRows*, int32_t, const KdaChunks&);
template void launch_kda_scan<128>(Stream&, const KdaShape&, const KdaRows*, int32_t, const KdaChunks&);

}  // namespace klp::cuda
