// Ops of the CPU by shape and type, each beside the limit of this machine it runs against: reading memory (one token), or the peak of the instruction that its
// products use (many). `of limit` compares with limits measured at the start, so run it on a quiet machine; every figure is the best of its iterations.
//     klp_bench_ops --benchmark_filter=linear.*q8_0
#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/limits.h"

namespace klp {
namespace {

const Limits& limits() {
    static const Limits measured = measure_limits();
    return measured;
}

CpuBackend& device() {
    static const auto backend = std::make_shared<CpuBackend>(0, best_isa());
    return *backend;
}

// Weights of one shape, so many that those of the last round are no longer in any cache when their turn comes again. Values of about 1 / sqrt(in).
class Weights {
public:
    Weights(DType type, int64_t out, int64_t in, int64_t bytes) : one_{nullptr, type, out, in}, count_(std::max<int64_t>(1, bytes / one_.bytes())) {
        data_.resize(static_cast<size_t>(count_ * one_.bytes()));
        draw_blocks(type, {1, 1 / std::sqrt(static_cast<float>(in))}, 0, 64 * in, data_.data());
        const size_t start = 64 * one_.row_bytes();
        for (size_t at = start; at < data_.size(); at += start) std::memcpy(data_.data() + at, data_.data(), std::min(start, data_.size() - at));
    }
    Weight next() {
        Weight w = one_;
        w.data = data_.data() + turn_ * one_.bytes();
        turn_ = (turn_ + 1) % count_;
        return w;
    }

private:
    Weight one_;
    int64_t count_, turn_ = 0;
    std::vector<std::byte> data_;
};

std::vector<float> waves(int64_t n) {
    std::vector<float> x(n);
    for (int64_t i = 0; i < n; ++i) x[i] = std::cos(0.7f * static_cast<float>(i));
    return x;
}

// Runs `op` for each iteration and reports the best: GB/s of `bytes` against reading, or GFLOP/s of `operations` against the peak of this type's products.
template <class Op>
void measure(benchmark::State& state, DType type, double bytes, double operations, int64_t tokens, const Op& op) {
    double best = 1e30;
    for (auto _ : state) {
        const auto start = std::chrono::steady_clock::now();
        op();
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        state.SetIterationTime(seconds);
        best = std::min(best, seconds);
    }
    const bool quants = info(type).block > 1;
    // bf16 weights are widened where pair products are not faster than plain ones.
    const double pairs = type == DType::bf16 ? limits().bf16_gflops : 0, peak = quants ? limits().int8_gops : std::max(limits().f32_gflops, pairs);
    state.counters["us"] = best * 1e6;
    if (tokens == 1) {
        state.counters["GB/s"] = bytes / best / 1e9;
        state.counters["of limit"] = bytes / best / 1e9 / limits().read_gb_s;
    } else {
        state.counters["GFLOP/s"] = operations / best / 1e9;
        state.counters["of limit"] = operations / best / 1e9 / peak;
    }
}

void linear(benchmark::State& state, DType type, int64_t T, int64_t out, int64_t in) {
    Weights weights(type, out, in, T == 1 ? int64_t{1} << 29 : 0);
    const std::vector<float> x = waves(T * in), scale(in, 1.f);
    std::vector<float> y(T * out);
    const auto run = [&](const Weight& w) {
        device().linear({.x = {x.data(), {T, in}}, .norm = {scale.data(), 1e-5f}, .w = {&w, 1}, .y = {y.data(), {T, out}}});
    };
    const Weight w = weights.next();
    run(w);
    for (float v : y) {
        if (!std::isfinite(v)) return state.SkipWithError("the answer is not finite");
    }
    measure(state, type, static_cast<double>(w.bytes()), 2.0 * T * out * in, T, [&] { run(weights.next()); });
}

void moe(benchmark::State& state, DType type, int64_t T, int64_t D, int64_t F, int E, int top_k) {
    const int64_t one = Weight{nullptr, type, F, D}.bytes(), rounds = T == 1 ? 8 : 1;
    Weights gate_up(type, F, D, rounds * 2 * (E + 1) * one), down(type, D, F, rounds * (E + 1) * one);
    const std::vector<float> x = waves(T * D), scale(D, 1.f), router = waves(E * D);
    std::vector<float> y(T * D);
    std::vector<SwiGlu> experts(E);
    const auto run = [&] {
        for (SwiGlu& e : experts) e = {gate_up.next(), gate_up.next(), down.next()};
        const SwiGlu shared{gate_up.next(), gate_up.next(), down.next()};
        device().moe({.x = {x.data(), {T, D}},
                      .norm = {scale.data(), 1e-5f},
                      .router = {.weight = router.data(), .E = E, .top_k = top_k},
                      .experts = experts,
                      .shared = shared,
                      .y = {y.data(), {T, D}}});
    };
    run();
    for (float v : y) {
        if (!std::isfinite(v)) return state.SkipWithError("the answer is not finite");
    }
    const double experts_bytes = 3.0 * one * (top_k + 1);
    measure(state, type, experts_bytes + 4.0 * E * D, 2.0 * T * D * (3 * F * (top_k + 1) + E), T, run);
}

// `states` of so many sequences take turns: more than a cache holds where one token is measured.
void kda(benchmark::State& state, int64_t T, int H, int K, int R) {
    const int64_t HK = int64_t{H} * K, state_floats = HK * K, states = T == 1 ? (int64_t{1} << 27) / state_floats : 1;
    Weights low_rank(DType::bf16, HK, R, 2 * HK * R * 2);
    std::vector<float> S(states * state_floats), tail(3 * 3 * HK), conv(3 * HK * 4, 0.25f), A_log(H), dt_bias(HK), o_norm(K, 1.f);
    const std::vector<float> x = waves(T * (3 * HK + 2 * R + H));
    std::vector<float> y(T * HK);
    KdaSegment segment{0, T, nullptr, tail.data()};
    const Kda op{.H = H,
                 .K = K,
                 .V = K,
                 .C = 4,
                 .R_f = R,
                 .R_g = R,
                 .x = {x.data(), {T, 3 * HK + 2 * R + H}},
                 .conv = conv.data(),
                 .A_log = A_log.data(),
                 .dt_bias = dt_bias.data(),
                 .f_b = low_rank.next(),
                 .g_b = low_rank.next(),
                 .o_norm = {o_norm.data(), 1e-5f},
                 .segments = {&segment, 1},
                 .y = {y.data(), {T, HK}}};
    int64_t turn = 0;
    const auto run = [&] {
        segment.state = S.data() + turn * state_floats;
        turn = (turn + 1) % states;
        device().kda(op);
    };
    run();
    for (float v : y) {
        if (!std::isfinite(v)) return state.SkipWithError("the answer is not finite");
    }
    measure(state, DType::f32, 2.0 * 4 * state_floats + 2 * op.f_b.bytes(), 2.0 * T * (3 * state_floats + 2 * HK * R), T,
            run);  // the state is read and written
}

void mla(benchmark::State& state, int64_t T, int64_t past, int H, int L) {
    constexpr int N = 128, R = 64, V = 128;
    const int64_t W = L + R, page_bytes = kMlaPage * W * 2, pages = (past + T + kMlaPage - 1) / kMlaPage;
    const int64_t caches = T == 1 ? std::max<int64_t>((int64_t{1} << 29) / (pages * page_bytes), 1) : 1;
    Weights kv_b(DType::bf16, int64_t{H} * (N + V), L, 0);
    const std::vector<float> x = waves(T * (int64_t{H} * (N + R) + W)), norm(L, 1.f);
    std::vector<float> y(T * H * V), row = waves(W);
    std::vector<std::byte> cache(caches * pages * page_bytes);
    for (size_t at = 0; at < cache.size(); at += W * 2) encode(DType::bf16, row.data(), W, cache.data() + at);
    std::vector<std::byte*> at(pages);
    MlaSegment segment{0, T, past, at};
    const Mla op{.H = H,
                 .nope = N,
                 .rope = R,
                 .V = V,
                 .L = L,
                 .x = {x.data(), {T, int64_t{H} * (N + R) + W}},
                 .norm = {norm.data(), 1e-5f},
                 .kv_b = kv_b.next(),
                 .scale = 0.07f,
                 .cache_type = DType::bf16,
                 .segments = {&segment, 1},
                 .y = {y.data(), {T, int64_t{H} * V}}};
    int64_t turn = 0;
    const auto run = [&] {
        for (int64_t p = 0; p < pages; ++p) at[p] = cache.data() + (turn * pages + p) * page_bytes;
        turn = (turn + 1) % caches;
        device().mla(op);
    };
    run();
    for (float v : y) {
        if (!std::isfinite(v)) return state.SkipWithError("the answer is not finite");
    }
    const double pairs = T * (past + T / 2.0);
    measure(state, DType::f32, 2.0 * W * (past + T) + op.kv_b.bytes(), 2.0 * H * (pairs * (N + R + V) + static_cast<double>(past + T) * (N + V) * L), T, run);
}

void add_mixers() {
    const auto add = [](const std::string& name, auto body) {
        benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
    };
    add("kda/decode/8x128", [](benchmark::State& s) { kda(s, 1, 8, 128, 128); });
    add("kda/prefill512/8x128", [](benchmark::State& s) { kda(s, 512, 8, 128, 128); });
    for (int64_t past : {0, 4096, 16384}) {
        if (past) add("mla/decode@" + std::to_string(past) + "/8x512", [past](benchmark::State& s) { mla(s, 1, past, 8, 512); });
        add("mla/prefill512@" + std::to_string(past) + "/8x512", [past](benchmark::State& s) { mla(s, 512, past, 8, 512); });
    }
}

void add_products() {
    for (const DTypeInfo& row : dtypes()) {
        const DType type = row.type;
        const auto add = [&](const std::string& name, auto body) {
            benchmark::RegisterBenchmark((name + "/" + std::string(row.name)).c_str(), body)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
        };
        for (const auto& [out, in] : {std::pair<int64_t, int64_t>{4608, 1024}, {1024, 1024}, {32768, 1024}, {1024, 256}}) {
            add("linear/decode/" + std::to_string(out) + "x" + std::to_string(in),
                [out = out, in = in, type](benchmark::State& s) { linear(s, type, 1, out, in); });
        }
        for (const auto& [out, in] : {std::pair<int64_t, int64_t>{4608, 1024}, {1024, 1024}, {1024, 256}}) {
            add("linear/prefill512/" + std::to_string(out) + "x" + std::to_string(in),
                [out = out, in = in, type](benchmark::State& s) { linear(s, type, 512, out, in); });
        }
        add("moe/decode/8of64x256", [type](benchmark::State& s) { moe(s, type, 1, 1024, 256, 64, 8); });
        add("moe/prefill512/8of64x256", [type](benchmark::State& s) { moe(s, type, 512, 1024, 256, 64, 8); });
    }
}

}  // namespace
}  // namespace klp

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    const klp::Limits& l = klp::limits();
    const auto number = [](double v) { return std::to_string(static_cast<int>(std::lround(v))); };
    benchmark::AddCustomContext("device", klp::device().info().detail);
    benchmark::AddCustomContext("limits", "read " + number(l.read_gb_s) + " GB/s, f32 " + number(l.f32_gflops) + ", bf16 " + number(l.bf16_gflops) + ", int8 " +
                                              number(l.int8_gops) + " GFLOP/s");
    klp::add_products();
    klp::add_mixers();
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
