// Ops by shape and type, each beside the limit of this device it runs against: reading memory (one token), or the peak of the instruction that its products use
// (many). `of limit` compares with limits measured at the start, so run it on a quiet machine; every figure is the best of its iterations.
//     klp_bench_ops --benchmark_filter=linear.*q8_0
//     klp_bench_ops --device=cuda        the 48B's shapes; each figure is the share of one op in a graph of several, on weights and states that no cache holds
//     klp_bench_ops --device=simulated   the same in small on the tests' simulation: whether it runs
#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/backend.h"

#if KLP_SIMULATED
namespace klp::cuda_on_cpu {  // kernels/cuda compiled against tests/simt
std::shared_ptr<Backend> make_backend(int device, std::string why);
}
#endif

namespace klp {
namespace {

std::shared_ptr<Backend> on;
DeviceLimits limits;
bool gpu = false;

// Weights of one shape, so many that those of the last round are no longer in any cache when their turn comes again. Values of about 1 / sqrt(in).
class Weights {
public:
    Weights(DType type, int64_t out, int64_t in, int64_t bytes) {
        const Weight one{nullptr, type, out, in};
        const int64_t count = std::max<int64_t>(1, bytes / one.bytes());
        if (gpu && (info(type).block == 1 || type == DType::q8_0 || type == DType::q4_0)) {
            for (int64_t i = 0; i < count; ++i) all_.push_back(on->draw(one, {static_cast<uint64_t>(i), 1 / std::sqrt(static_cast<float>(in))}, keep_));
            return;
        }
        data_.resize(static_cast<size_t>(count * one.bytes()));
        const int64_t drawn = std::min<int64_t>(64, out);
        draw_blocks(type, {1, 1 / std::sqrt(static_cast<float>(in))}, 0, drawn * in, data_.data());
        const auto start = static_cast<size_t>(drawn * one.row_bytes());
        for (size_t at = start; at < data_.size(); at += start) std::memcpy(data_.data() + at, data_.data(), std::min(start, data_.size() - at));
        for (int64_t i = 0; i < count; ++i) all_.push_back(on->adopt({data_.data() + i * one.bytes(), type, out, in}, keep_));
        if (gpu) data_ = {};
    }
    const Weight& operator[](size_t i) const { return all_[i % all_.size()]; }
    int64_t size() const { return static_cast<int64_t>(all_.size()); }

private:
    std::vector<std::byte> data_;
    std::vector<Buffer> keep_;
    std::vector<Weight> all_;
};

// Floats where the device wants them.
class Array {
public:
    explicit Array(const std::vector<float>& values) : buffer_(on->allocate(values.size() * sizeof(float))), size_(values.size()) {
        on->upload(buffer_.as(), values.data(), values.size() * sizeof(float));
    }
    Array(int64_t n, float value) : Array(std::vector<float>(static_cast<size_t>(n), value)) {}
    float* data() const { return buffer_.as<float>(); }
    bool finite() const {
        std::vector<float> host(size_);
        on->download(host.data(), buffer_.as(), size_ * sizeof(float));
        for (float v : host)
            if (!std::isfinite(v)) return false;
        return true;
    }

private:
    Buffer buffer_;
    size_t size_;
};

std::vector<float> waves(int64_t n) {
    std::vector<float> x(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = std::cos(0.7f * static_cast<float>(i));
    return x;
}

void wait_for_device() {
    static const Buffer some = on->allocate(64);
    char byte = 0;
    on->download(&byte, some.as(), 1);
}

// Runs op(0), op(1), .. and reports the best time of one: GB/s of `bytes` against reading, or GFLOP/s of `operations` against the peak of this type's products.
// On a GPU `turns` of them are a graph.
template <class Op>
void measure(benchmark::State& state, DType type, double bytes, double operations, int64_t tokens, int64_t turns, const Op& op) {
    double best = 1e30;
    size_t turn = 0;
    const auto run = [&] {
        if (!gpu) return op(turn++);
        on->begin_pass(tokens);
        for (int64_t i = 0; i < turns; ++i) op(static_cast<size_t>(i));
        on->end_pass();
        wait_for_device();
    };
    for (int i = 0; i < (gpu ? 3 : 0); ++i) run();  // as they are, made a graph, replayed
    for (auto _ : state) {
        const auto start = std::chrono::steady_clock::now();
        run();
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(gpu ? turns : 1);
        state.SetIterationTime(seconds);
        best = std::min(best, seconds);
    }
    const bool quants = info(type).block > 1;
    // bf16 weights are widened where pair products are not faster than plain ones; a GPU multiplies many rows by quants as bf16.
    const double pairs = type == DType::bf16 || (gpu && quants) ? limits.bf16_gflops : 0;
    const double peak = quants && !gpu ? limits.int8_gops : std::max(limits.f32_gflops, pairs);
    state.counters["us"] = best * 1e6;
    if (tokens == 1) {
        state.counters["GB/s"] = bytes / best / 1e9;
        state.counters["of limit"] = bytes / best / 1e9 / limits.read_gb_s;
    } else {
        state.counters["GFLOP/s"] = operations / best / 1e9;
        state.counters["of limit"] = operations / best / 1e9 / peak;
    }
}

constexpr int64_t kCold = int64_t{1} << 29;  // bytes that no cache holds

void linear(benchmark::State& state, DType type, int64_t T, int64_t out, int64_t in) {
    const Weights weights(type, out, in, T == 1 ? kCold : 0);
    const Array x(waves(T * in)), scale(in, 1.f), y(T * out, 0.f);
    const auto run = [&](size_t i) { on->linear({.x = {x.data(), {T, in}}, .norm = {scale.data(), 1e-5f}, .w = {&weights[i], 1}, .y = {y.data(), {T, out}}}); };
    run(0);
    if (!y.finite()) return state.SkipWithError("the answer is not finite");
    measure(state, type, static_cast<double>(weights[0].bytes()), 2.0 * static_cast<double>(T * out * in), T, std::min<int64_t>(weights.size(), 32), run);
}

void ffn(benchmark::State& state, DType type, int64_t T, int64_t D, int64_t F) {
    const Weights in(type, F, D, T == 1 ? 2 * kCold : 2), down(type, D, F, T == 1 ? kCold : 0);
    const Array x(waves(T * D)), scale(D, 1.f), y(T * D, 0.f);
    const auto run = [&](size_t i) {
        on->ffn({.x = {x.data(), {T, D}}, .norm = {scale.data(), 1e-5f}, .w = {in[2 * i], in[2 * i + 1], down[i]}, .y = {y.data(), {T, D}}});
    };
    run(0);
    if (!y.finite()) return state.SkipWithError("the answer is not finite");
    measure(state, type, 3.0 * static_cast<double>(down[0].bytes()), 6.0 * static_cast<double>(T * D * F), T, std::min<int64_t>(down.size(), 8), run);
}

void moe(benchmark::State& state, DType type, int64_t T, int64_t D, int64_t F, int E, int top_k) {
    const int64_t one = Weight{nullptr, type, F, D}.bytes();
    const size_t rounds = T == 1 && !gpu ? 8 : 1, inputs = T == 1 ? 8 : 1;  // a GPU's experts are many: other inputs choose others
    const Weights gate_up(type, F, D, static_cast<int64_t>(rounds) * 2 * (E + 1) * one), down(type, D, F, static_cast<int64_t>(rounds) * (E + 1) * one);
    const Array x(waves(static_cast<int64_t>(inputs) * T * D)), scale(D, 1.f), router(waves(E * D)), y(T * D, 0.f);
    std::vector<std::vector<SwiGlu>> experts(rounds);
    size_t n = 0;
    for (auto& of : experts)
        for (int e = 0; e <= E; ++e, ++n) of.push_back({gate_up[2 * n], gate_up[2 * n + 1], down[n]});
    const auto run = [&](size_t i) {
        const auto& of = experts[i % rounds];
        on->moe({.x = {x.data() + static_cast<int64_t>(i % inputs) * T * D, {T, D}},
                 .norm = {scale.data(), 1e-5f},
                 .router = {.weight = router.data(), .E = E, .top_k = top_k},
                 .experts = std::span(of).first(static_cast<size_t>(E)),
                 .shared = of.back(),
                 .y = {y.data(), {T, D}}});
    };
    run(0);
    if (!y.finite()) return state.SkipWithError("the answer is not finite");
    measure(state, type, 3.0 * static_cast<double>(one) * (top_k + 1) + 4.0 * static_cast<double>(E * D),
            2.0 * static_cast<double>(T * D * (3 * F * (top_k + 1) + E)), T, 8, run);
}

// One segment of T tokens, or `batch` sequences of one. States take turns: more than a cache holds where single tokens are measured.
void kda(benchmark::State& state, int64_t T, int H, int K, int R, int64_t batch = 1) {
    const int64_t HK = int64_t{H} * K, state_floats = HK * K, rows = T * batch;
    const int64_t states = T == 1 ? std::max<int64_t>(kCold / 4 / state_floats / batch, 1) * batch : 1;
    const Weights low_rank(DType::bf16, HK, R, T == 1 ? kCold / 4 : 2 * HK * R * 2);
    const Array S(states * state_floats, 0.f), tails(states * 3 * 3 * HK, 0.f), conv(3 * HK * 4, 0.25f), A_log(H, 0.f), dt_bias(HK, 0.f), o_norm(K, 1.f),
        x(waves(rows * (3 * HK + 2 * R + H))), y(rows * HK, 0.f);
    std::vector<KdaSegment> segments(static_cast<size_t>(batch));
    const auto run = [&](size_t i) {
        for (int64_t b = 0; b < batch; ++b) {
            const int64_t at = (static_cast<int64_t>(i) * batch + b) % states;
            segments[static_cast<size_t>(b)] = {b, T, S.data() + at * state_floats, tails.data() + at * 3 * 3 * HK};
        }
        on->kda({.H = H,
                 .K = K,
                 .V = K,
                 .C = 4,
                 .R_f = R,
                 .R_g = R,
                 .x = {x.data(), {rows, 3 * HK + 2 * R + H}},
                 .conv = conv.data(),
                 .A_log = A_log.data(),
                 .dt_bias = dt_bias.data(),
                 .f_b = low_rank[2 * i],
                 .g_b = low_rank[2 * i + 1],
                 .o_norm = {o_norm.data(), 1e-5f},
                 .segments = segments,
                 .y = {y.data(), {rows, HK}}});
    };
    run(0);
    if (!y.finite()) return state.SkipWithError("the answer is not finite");
    measure(state, DType::f32, 2.0 * 4 * static_cast<double>(state_floats * batch) + 2 * static_cast<double>(low_rank[0].bytes()),
            2.0 * static_cast<double>(rows) * static_cast<double>(3 * state_floats + 2 * HK * R), T, T == 1 ? 16 : 1, run);  // the state is read and written
}

void mla(benchmark::State& state, int64_t T, int64_t past, int H, int L) {
    constexpr int N = 128, R = 64, V = 128;
    const int64_t W = L + R, page_bytes = kMlaPage * W * 2, pages = (past + T + kMlaPage - 1) / kMlaPage;
    const int64_t caches = T == 1 ? std::max<int64_t>(kCold / (pages * page_bytes), 1) : 1;
    const Weights kv_b(DType::bf16, int64_t{H} * (N + V), L, 0);
    const Array x(waves(T * (int64_t{H} * (N + R) + W))), norm(L, 1.f), y(T * H * V, 0.f);
    const Buffer cache = on->allocate(static_cast<size_t>(caches * pages * page_bytes));
    on->fill(cache.as(), DType::bf16, caches * pages * kMlaPage * W, {7, 1.f});
    std::vector<std::byte*> at(static_cast<size_t>(pages));
    const MlaSegment segment{0, T, past, at};
    const auto run = [&](size_t i) {
        for (int64_t p = 0; p < pages; ++p) at[static_cast<size_t>(p)] = cache.as() + (static_cast<int64_t>(i) % caches * pages + p) * page_bytes;
        on->mla({.H = H,
                 .nope = N,
                 .rope = R,
                 .V = V,
                 .L = L,
                 .x = {x.data(), {T, int64_t{H} * (N + R) + W}},
                 .norm = {norm.data(), 1e-5f},
                 .kv_b = kv_b[0],
                 .scale = 0.07f,
                 .cache_type = DType::bf16,
                 .segments = {&segment, 1},
                 .y = {y.data(), {T, int64_t{H} * V}}});
    };
    run(0);
    if (!y.finite()) return state.SkipWithError("the answer is not finite");
    const double pairs = static_cast<double>(T) * (static_cast<double>(past) + static_cast<double>(T) / 2.0), rows = static_cast<double>(past + T);
    measure(state, gpu ? DType::bf16 : DType::f32, 2.0 * static_cast<double>(W) * rows + static_cast<double>(kv_b[0].bytes()),
            2.0 * H * (pairs * (N + R + V) + rows * (N + V) * L), T, T == 1 ? 8 : 1, run);
}

void embed(benchmark::State& state, DType type, int64_t T, int64_t vocabulary, int64_t D) {
    const Weights table(type, vocabulary, D, 0);
    const Array x(T * D, 0.f);
    std::vector<int32_t> ids;
    for (int64_t t = 0; t < T; ++t) ids.push_back(static_cast<int32_t>(t * 7919 % vocabulary));
    measure(state, type, static_cast<double>(T * table[0].row_bytes() + T * D * 4), 1, 1, 8, [&](size_t) {
        on->embed({.ids = ids, .table = table[0], .x = {x.data(), {T, D}}});
    });
}

void sample(benchmark::State& state, const Sampling& how, int64_t vocabulary) {
    const Array logits(waves(vocabulary));
    const Buffer pick = on->allocate(sizeof(Pick));
    measure(state, DType::f32, 4.0 * static_cast<double>(vocabulary), 1, 1, 8, [&](size_t) {
        on->sample({.logits = {logits.data(), {vocabulary}}, .how = how, .random = 0.5, .pick = pick.as<Pick>()});
    });
}

template <class Body>
void add(const std::string& name, Body body) {
    benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(gpu ? 0.05 : 0.3);
}
std::string by(int64_t a, int64_t b) { return std::to_string(a) + "x" + std::to_string(b); }

// bench-700m's shapes.
void add_for_cpu() {
    for (const DTypeInfo& row : dtypes()) {
        const DType type = row.type;
        const std::string of = "/" + std::string(row.name);
        for (const auto& [out, in] : {std::pair<int64_t, int64_t>{4608, 1024}, {1024, 1024}, {32768, 1024}, {1024, 256}})
            add("linear/decode/" + by(out, in) + of, [out = out, in = in, type](benchmark::State& s) { linear(s, type, 1, out, in); });
        for (const auto& [out, in] : {std::pair<int64_t, int64_t>{4608, 1024}, {1024, 1024}, {1024, 256}})
            add("linear/prefill512/" + by(out, in) + of, [out = out, in = in, type](benchmark::State& s) { linear(s, type, 512, out, in); });
        add("moe/decode/8of64x256" + of, [type](benchmark::State& s) { moe(s, type, 1, 1024, 256, 64, 8); });
        add("moe/prefill512/8of64x256" + of, [type](benchmark::State& s) { moe(s, type, 512, 1024, 256, 64, 8); });
    }
    add("kda/decode/8x128", [](benchmark::State& s) { kda(s, 1, 8, 128, 128); });
    add("kda/prefill512/8x128", [](benchmark::State& s) { kda(s, 512, 8, 128, 128); });
    for (int64_t past : {0, 4096, 16384}) {
        if (past) add("mla/decode@" + std::to_string(past) + "/8x512", [past](benchmark::State& s) { mla(s, 1, past, 8, 512); });
        add("mla/prefill512@" + std::to_string(past) + "/8x512", [past](benchmark::State& s) { mla(s, 512, past, 8, 512); });
    }
}

// The 48B's, or a sixteenth of everything: the mixers and what is behind them first, so that a run that is cut short has them.
void add_for_gpu(int64_t part) {
    const auto name = [](const char* op, int64_t T) { return op + std::string(T == 1 ? "/decode" : "/prefill" + std::to_string(T)); };
    const int H = static_cast<int>(std::max<int64_t>(32 / part, 2));
    const int64_t D = 2304 / part / 32 * 32, F = 1024 / part, many = 8192 / part / part, vocabulary = 163840 / part;
    const int E = static_cast<int>(256 / part);
    for (int64_t T : {int64_t{1}, many}) add(name("kda", T) + "/" + std::to_string(H) + "x128", [=](benchmark::State& s) { kda(s, T, H, 128, 128); });
    for (int64_t batch : {4, 64}) add("kda/batch" + std::to_string(batch), [=](benchmark::State& s) { kda(s, 1, H, 128, 128, batch / (part > 1 ? 4 : 1)); });
    for (int64_t past : {4096, 65536, 262144, 1048575})
        add("mla/decode@" + std::to_string(past / part / part), [=](benchmark::State& s) { mla(s, 1, past / part / part, H, 512); });
    for (int64_t past : {0, 122880})
        add(name("mla", many) + "@" + std::to_string(past / part / part), [=](benchmark::State& s) { mla(s, many, past / part / part, H, 512); });
    add("sample/greedy", [=](benchmark::State& s) { sample(s, {.temperature = 0}, vocabulary); });
    add("sample/draw", [=](benchmark::State& s) { sample(s, {.temperature = 0.7f, .top_k = 0, .top_p = 1}, vocabulary); });
    add("sample/top-p", [=](benchmark::State& s) { sample(s, {.temperature = 0.7f, .top_k = 0, .top_p = 0.9f}, vocabulary); });
    for (const DType type : {DType::bf16, DType::q4_0, DType::q8_0, DType::q4_k, DType::q6_k}) {
        const std::string of = "/" + std::string(info(type).name);
        const int64_t width = info(type).block > 32 ? (D + 255) / 256 * 256 : D, hidden = info(type).block > 32 ? std::max<int64_t>(F, 256) : F;
        for (const auto& [out, in] : {std::pair<int64_t, int64_t>{12576 / part, width}, {D, 4096 / part}, {6720 / part, width}, {vocabulary, width}})
            for (int64_t T : {int64_t{1}, int64_t{8}, many / 2})
                if (out < vocabulary || T == 1)
                    add(name("linear", T) + "/" + by(out, in) + of, [=, out = out, in = in](benchmark::State& s) { linear(s, type, T, out, in); });
        for (int64_t T : {int64_t{1}, many / 2}) {
            add(name("moe", T) + "/8of" + by(E, hidden) + of, [=](benchmark::State& s) { moe(s, type, T, width, hidden, E, 8); });
            add(name("ffn", T) + "/" + by(9216 / part, width) + of, [=](benchmark::State& s) { ffn(s, type, T, width, (9216 / part + 255) / 256 * 256); });
        }
        add("embed" + of, [=](benchmark::State& s) { embed(s, type, 1, vocabulary, width); });
    }
}

}  // namespace
}  // namespace klp

int main(int argc, char** argv) {
    using namespace klp;
    std::string device = "cpu";
    for (int i = 1; i < argc; ++i)
        if (const std::string_view text = argv[i]; text.starts_with("--device=")) {
            device = text.substr(9);
            std::copy(argv + i + 1, argv + argc, argv + i);
            --argc, --i;
        }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
#if KLP_SIMULATED
    if (device == "simulated") on = cuda_on_cpu::make_backend(0, "");
#endif
    if (!on) {
        auto made = make_backend(device);
        if (!made) return std::fprintf(stderr, "%s\n", made.error().message.c_str()), 4;
        on = *made;
    }
    gpu = on->free_bytes() >= 0;
    limits = on->limits();
    const auto number = [](double v) { return std::to_string(static_cast<int64_t>(std::lround(v))); };
    benchmark::AddCustomContext("device", on->info().hardware + ", " + on->info().detail);
    benchmark::AddCustomContext("limits", "read " + number(limits.read_gb_s) + " GB/s, f32 " + number(limits.f32_gflops) + ", bf16 " +
                                              number(limits.bf16_gflops) + ", int8 " + number(limits.int8_gops) + " GFLOP/s");
    if (gpu)
        add_for_gpu(device == "simulated" ? 16 : 1);
    else
        add_for_cpu();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    on.reset();
    return 0;
}
