// Kimi Delta Attention: the golden vectors of the formulas, and the laws every instruction set's recurrent and chunkwise form must keep.
#include <algorithm>
#include <functional>

#include "tests/devices.h"

namespace klp {
namespace {

using namespace test;

struct Shape {
    int H = 2, K = 16, V = 16, C = 4, R_f = 8, R_g = 12;  // ranks; 0: the gates are of full rank
    int H_k = 0;                                          // heads of q and k; 0: H
    bool tiled = false, one_gate = false, silu = false, ungated = false, no_gate = false, plain = false;
    int64_t gates() const { return no_gate ? 0 : one_gate ? H : H * K; }
};

// How strongly the channels forget: A_log and the mean of dt_bias.
struct Gate {
    float A_log = 0.3f, dt_bias = -1, lower_bound = 0;
};
constexpr Gate kOrdinary{};
constexpr Gate kStrong{4, 0};        // 16 tokens add up to about -600
constexpr Gate kUnderflowing{6, 2};  // every alpha is 0 in f32
constexpr Gate kWeak{-3, -5};        // alpha about 0.9997: 1 in bf16
constexpr Gate kOff{-30, -80};       // alpha is 1, exactly
constexpr Gate kBounded{0.5f, 0, -5};
constexpr Gate kGates[] = {kOrdinary, kStrong, kUnderflowing, kWeak, kOff, kBounded};

struct Outcome {
    Floats y, state, tail, log_decay, beta, state_norm, update_norm;
};

// A sequence of T tokens with everything that the op needs, from a state in the middle of something.
struct Problem {
    Shape s;
    int64_t T;
    Gate gate;
    Kda op;
    Floats x, conv, A_log, dt_bias, o_norm, state, tail;
    Floats gate_factors, beta_factors;  // of hands; empty: none
    Matrix f_b, g_b;

    Problem(Shape s, int64_t T, Gate gate = kOrdinary, uint64_t seed = 1, DType low_rank = DType::f32)
        : s(s),
          T(T),
          gate(gate),
          f_b(normal(s.gates() * s.R_f, seed + 1, 1 / std::sqrt(static_cast<float>(s.R_f))), s.gates(), s.R_f, low_rank),
          g_b(normal(s.H * s.V * s.R_g, seed + 2, 1 / std::sqrt(static_cast<float>(s.R_g))), s.H * s.V, s.R_g, low_rank) {
        const int64_t HV = s.H * s.V;
        op.H = s.H, op.K = s.K, op.V = s.V, op.C = s.C, op.ungated = s.ungated;
        op.R_g = s.R_g ? s.R_g : static_cast<int>(op.output_gates());
        op.H_k = s.H_k, op.tiled = s.tiled, op.one_gate = s.one_gate, op.silu = s.silu, op.no_gate = s.no_gate, op.plain = s.plain;
        op.R_f = s.R_f ? s.R_f : static_cast<int>(op.gate_width());
        x = normal(T * op.width(), seed + 3);
        conv = normal(op.conv_width() * s.C, seed + 4, 0.5f);
        A_log = normal(s.H, seed + 5, 0.1f, gate.A_log);
        dt_bias = normal(op.gate_width(), seed + 6, 0.3f, gate.dt_bias);
        o_norm = normal(s.V, seed + 7, 0.1f, 1);
        state = normal(HV * s.K, seed + 8, 0.3f);
        tail = normal((s.C - 1) * op.conv_width(), seed + 9);
        if (!s.no_gate) op.A_log = A_log.data(), op.dt_bias = dt_bias.data();
        op.conv = conv.data(), op.lower_bound = gate.lower_bound;
        if (s.R_f) op.f_b = f_b.w;
        if (s.R_g) op.g_b = g_b.w;
        op.gates = low_rank;
        op.o_norm = {o_norm.data(), 1e-5f};
    }

    // The rows in pieces, one call for each; every output starts as NaN.
    Outcome run(Backend& on, KdaForm form, std::vector<int64_t> pieces = {}) const {
        if (pieces.empty()) pieces = {T};
        const int64_t H = s.H, HV = s.H * s.V, HK = s.H * s.K;
        Outcome r{Floats(T * HV, kNaN), state, tail, Floats(T * HK, kNaN), Floats(T * H, kNaN), Floats(T * H, kNaN), Floats(T * H, kNaN)};
        int64_t t = 0;
        for (int64_t n : pieces) {
            n = std::min(n, T - t);
            KdaSegment segment{0, n, r.state.data(), r.tail.data()};
            if (!gate_factors.empty()) segment.gate = gate_factors.data();
            if (!beta_factors.empty()) segment.beta = beta_factors.data();
            Kda a = op;
            a.x = {x.data() + t * op.width(), {n, op.width()}};
            a.y = {r.y.data() + t * HV, {n, HV}};
            a.segments = {&segment, 1};
            a.taps = {r.log_decay.data() + t * HK, r.beta.data() + t * H, r.state_norm.data() + t * H, r.update_norm.data() + t * H};
            a.form = form;
            on.kda(a);
            t += n;
        }
        EXPECT_EQ(t, T);
        return r;
    }
};

// Root mean square of the difference over that of the truth.
double rms_error(const Floats& got, const Floats& truth) {
    double difference = 0, size = 1e-60;
    for (size_t i = 0; i < truth.size(); ++i) {
        difference += (static_cast<double>(got[i]) - truth[i]) * (static_cast<double>(got[i]) - truth[i]);
        size += static_cast<double>(truth[i]) * truth[i];
    }
    return std::sqrt(difference / size);
}

// What a form's own rounding of operands may leave, on average, of answers, and of state and updates; 0: nothing, all is f32.
struct Rounding {
    double answers = 0, state = 0;
};
void expect_close(const Outcome& got, const Outcome& truth, double bound, bool norms, const std::string& where, Rounding rounding = {}) {
    const auto expect = [&](const Floats& x, const Floats& expected, double rounded) {
        EXPECT_EQ(x.size(), expected.size());
        EXPECT_LE(rounded > 0 ? rms_error(x, expected) : error(x, expected), rounded > 0 ? rounded : bound) << where;
    };
    expect(got.y, truth.y, rounding.answers), expect(got.state, truth.state, rounding.state), expect(got.update_norm, truth.update_norm, rounding.state);
    EXPECT_TRUE(identical(got.tail, truth.tail)) << where;
    EXPECT_LE(error(got.log_decay, truth.log_decay), bound) << where;
    EXPECT_LE(error(got.beta, truth.beta), bound) << where;
    if (norms) {
        EXPECT_LE(error(got.state_norm, truth.state_norm), bound) << where;
    }
}

std::string name_of(KdaForm form) { return form == KdaForm::recurrent ? "recurrent" : form == KdaForm::chunkwise ? "chunkwise" : "automatic"; }
constexpr KdaForm kForms[] = {KdaForm::recurrent, KdaForm::chunkwise, KdaForm::automatic};

class KdaOnEveryDevice : public testing::TestWithParam<Device> {
protected:
    std::shared_ptr<Backend> on = GetParam().make();
    std::shared_ptr<Backend> truth = make_naive_backend();

    // A simulated GPU is a thousand times slower than what it stands for: it gets fewer cases of a kind.
    const bool simulated = GetParam().name.starts_with("simulated");
    // A GPU's chunks multiply bf16 (8 bits, off by up to 2^-9 each) and f16 (11 bits) on tensor cores. Most operands have 16 bits; what is left is the rounding
    // of W, and of pairs of tokens: 1e-4 of an answer where gates forget, 1.4e-3 where they hardly do.
    // automatic: from 64 tokens on, where the weights are rounded too.
    static constexpr Rounding kRounded{3e-3, 3e-3};
    Rounding rounded(KdaForm form, int64_t longest, DType low_rank = DType::f32) const {
        const bool gpu = GetParam().name.ends_with("gpu"), exact = low_rank == DType::f32 || low_rank == DType::f16;
        return gpu && longest > 1 && (form == KdaForm::chunkwise || (form == KdaForm::automatic && !exact && longest >= 64)) ? kRounded : Rounding{};
    }
    template <class Cases>
    Cases cases(Cases all, Cases few) const {
        return simulated ? few : all;
    }
};
INSTANTIATE_TEST_SUITE_P(On, KdaOnEveryDevice, testing::ValuesIn(devices()), [](const auto& info) { return info.param.name; });

// --- golden ---

TEST(KdaFormula, ConvolvesOldestTapFirst) {
    const float taps[] = {1, 10, 100, 1000};
    const double x[] = {0, 0, 0, 1, 2, 3, 4, 5}, expected[] = {1000, 2100, 3210, 4321, 5432};
    for (int t = 0; t < 5; ++t) EXPECT_EQ(naive::short_conv({x + t, 4}, taps), expected[t]);
}

// q = sin(0.7t + 1.3i + 0.2), k = cos(0.9t - 0.8i + 0.5), v = 1.5 sin(1.1t + 0.6j), f = 2 sin(0.5t + 0.4i), dt_bias = -1 + 0.5i, A_log = 0.3, beta =
// sigmoid(cos 1.7t), S0[i][j] = 0.1 (i - j), z = sin(t + j), o_norm = 1 + 0.1j with eps 1e-5. From an independent float64 program.
namespace golden {
constexpr int K = 4, V = 3, T = 5;
constexpr double kO[T][V] = {{0.00348489, 0.257047105, 0.422857698},
                             {-0.012464523, 0.040074396, 0.077134017},
                             {-0.155555764, -0.05518448, 0.064053798},
                             {0.002332148, 0.067505542, 0.109040342},
                             {-0.361428004, -0.379780991, -0.265478101}};
constexpr double kY[T][V] = {{0.006098234, 0.691492831, 1.265967298},
                             {-0.171465082, 0.618620659, 0.975266951},
                             {-1.084304569, -0.317692082, 0.24001799},
                             {0.016840011, 0.31991841, 0.489156224},
                             {-0.340167733, -0.341168746, -0.404294494}};
constexpr double kS[K][V] = {{0.423866052, 0.480550154, 0.369330356},
                             {0.715354055, 0.74028599, 0.506631153},
                             {0.572020784, 0.554251087, 0.342867717},
                             {0.076931103, 0.003122581, -0.071794845}};
constexpr double kDeltaBeforeDecay[V] = {-0.335602627, -0.301889482, -0.16268661}, kReadBeforeWrite[V] = {-0.009869556, -0.039131804, -0.054734406};
constexpr double kBeta[T] = {0.731058579, 0.467833364, 0.275519150, 0.593385267, 0.704620313};
constexpr double kG[K] = {-0.422859048, -1.136922546, -2.225050426, -3.312488359};
double q(int t, int i) { return std::sin(0.7 * t + 1.3 * i + 0.2); }
double k(int t, int i) { return std::cos(0.9 * t - 0.8 * i + 0.5); }
double v(int t, int j) { return 1.5 * std::sin(1.1 * t + 0.6 * j); }
double f(int t, int i) { return 2 * std::sin(0.5 * t + 0.4 * i); }
double dt_bias(int i) { return -1 + 0.5 * i; }
}  // namespace golden

TEST(KdaFormula, GivesTheGoldenVectorsToTheLastDigit) {
    using namespace golden;
    naive::Numbers S(V * K);
    for (int j = 0; j < V; ++j)
        for (int i = 0; i < K; ++i) S[j * K + i] = 0.1 * (i - j);
    const float weight[V] = {1, 1.1f, 1.2f};
    for (int t = 0; t < T; ++t) {
        naive::Numbers qt(K), kt(K), vt(V), g(K);
        for (int i = 0; i < K; ++i) qt[i] = q(t, i), kt[i] = k(t, i), g[i] = naive::log_decay(f(t, i), 0.3, dt_bias(i), 0);
        for (int j = 0; j < V; ++j) vt[j] = v(t, j);
        for (int i = 0; i < K && t == 0; ++i) EXPECT_NEAR(g[i], kG[i], 1e-9);
        const double beta = naive::sigmoid(std::cos(1.7 * t));
        EXPECT_NEAR(beta, kBeta[t], 1e-9);
        qt = naive::l2_norm(qt);
        for (double& value : qt) value *= 0.5;  // K^-1/2
        const naive::Numbers o = naive::delta_rule(S, qt, naive::l2_norm(kt), vt, g, beta);
        const naive::Numbers n = naive::rms_norm(o, {weight, 1e-5f});
        for (int j = 0; j < V; ++j) {
            EXPECT_NEAR(o[j], kO[t][j], 1e-9);
            EXPECT_NEAR(n[j] * naive::sigmoid(std::sin(t + j)), kY[t][j], 5e-8);  // weight and eps are f32 here
        }
        if (t == T - 1)
            for (int j = 0; j < V; ++j) {
                EXPECT_GT(std::abs(o[j] - kDeltaBeforeDecay[j]), 0.02);
                EXPECT_GT(std::abs(o[j] - kReadBeforeWrite[j]), 0.2);
            }
    }
    for (int j = 0; j < V; ++j)
        for (int i = 0; i < K; ++i) EXPECT_NEAR(S[j * K + i], kS[i][j], 1e-9);
}

// The op starts from raw projections, so the golden q, k and v go backwards through SiLU. It reaches no further down than -0.278: everything linear is scaled
// by s (the answer and the norm's eps with it), and q and k are normalised anyway.
TEST(KdaOp, GivesTheGoldenVectorsOnEveryBackend) {
    using namespace golden;
    constexpr double s = 0.18;
    const auto before_silu = [](double y) {
        double low = -1.27, high = 4;
        for (int i = 0; i < 80; ++i) (naive::silu((low + high) / 2) < y ? low : high) = (low + high) / 2;
        return static_cast<float>(low);
    };
    Kda op;
    op.H = 1, op.K = K, op.V = V, op.C = 4, op.R_f = K, op.R_g = V;
    Floats x(T * op.width()), conv(op.conv_width() * 4, 0), identity(K * K, 0), identity_v(V * V, 0);
    for (int64_t c = 0; c < op.conv_width(); ++c) conv[4 * c + 3] = 1;
    for (int i = 0; i < K; ++i) identity[i * K + i] = 1;
    for (int j = 0; j < V; ++j) identity_v[j * V + j] = 1;
    Floats dt(K), weight{1, 1.1f, 1.2f}, A_log{0.3f};
    for (int i = 0; i < K; ++i) dt[i] = static_cast<float>(dt_bias(i));
    for (int t = 0; t < T; ++t) {
        float* row = x.data() + t * op.width();
        for (int i = 0; i < K; ++i) *row++ = before_silu(0.25 * q(t, i));
        for (int i = 0; i < K; ++i) *row++ = before_silu(0.25 * k(t, i));
        for (int j = 0; j < V; ++j) *row++ = before_silu(s * v(t, j));
        for (int i = 0; i < K; ++i) *row++ = static_cast<float>(f(t, i));
        for (int j = 0; j < V; ++j) *row++ = static_cast<float>(std::sin(t + j));
        *row++ = static_cast<float>(std::cos(1.7 * t));
    }
    const Matrix f_b(identity, K, K), g_b(identity_v, V, V);
    op.conv = conv.data(), op.A_log = A_log.data(), op.dt_bias = dt.data(), op.f_b = f_b.w, op.g_b = g_b.w;
    op.o_norm = {weight.data(), static_cast<float>(1e-5 * s * s)};
    op.x = {x.data(), {T, op.width()}};

    std::vector<std::shared_ptr<Backend>> backends{make_naive_backend()};
    for (const Device& device : devices()) backends.push_back(device.make());
    for (const auto& on : backends)
        for (KdaForm form : kForms) {
            SCOPED_TRACE(on->info().name + " " + on->info().detail + " " + name_of(form));
            Floats state(V * K), tail(3 * op.conv_width(), 0), y(T * V, kNaN), beta(T, kNaN), g(T * K, kNaN);
            for (int j = 0; j < V; ++j)
                for (int i = 0; i < K; ++i) state[j * K + i] = static_cast<float>(0.1 * (i - j) * s);
            const KdaSegment segment{0, T, state.data(), tail.data()};
            op.segments = {&segment, 1}, op.form = form;
            op.y = {y.data(), {T, V}}, op.taps = {.log_decay = g.data(), .beta = beta.data()};
            on->kda(op);
            // eps of the l2 norm weighs 1/16 of what it weighs for the golden's q and k: 1e-6 / |q|^2 * 15, with |q|^2 >= 0.9, half of it
            const bool bf16 = form == KdaForm::chunkwise && on->info().name.starts_with("cuda");
            const double kBound = bf16 ? 2e-3 : 1e-5;
            for (int i = 0; i < K; ++i) EXPECT_NEAR(g[i], kG[i], 1e-6);
            for (int t = 0; t < T; ++t) EXPECT_NEAR(beta[t], kBeta[t], 1e-6);
            for (int t = 0; t < T; ++t)
                for (int j = 0; j < V; ++j) EXPECT_NEAR(y[t * V + j], kY[t][j], 3 * kBound) << t << " " << j;
            for (int j = 0; j < V; ++j)
                for (int i = 0; i < K; ++i) EXPECT_NEAR(state[j * K + i] / s, kS[i][j], kBound);
        }
}

// --- naive = recurrent = fours (automatic, from 7 tokens on) = chunkwise ---

TEST_P(KdaOnEveryDevice, EveryFormIsTheFormulaAtEveryLengthAndShape) {
    using Shapes = std::vector<Shape>;
    using Lengths = std::vector<int64_t>;
    const Shapes shapes = cases(Shapes{{2, 4, 3}, {3, 32, 64}, {2, 64, 16}, {2, 12, 20, 3}, {1, 128, 128, 4, 128, 128}, {2, 16, 16, 1}, {2, 100, 7, 2, 5, 3}},
                                Shapes{{2, 4, 3}, {1, 32, 40}, {1, 12, 20, 3}, {1, 128, 128, 4, 8, 8}, {1, 16, 16, 1}, {1, 100, 7, 2, 5, 3}});
    for (const Shape& s : shapes)
        for (int64_t T : s.V == 128 ? cases(Lengths{0, 1, 2, 3, 6, 7, 15, 16, 17, 63, 64, 65, 130}, Lengths{1, 2, 65})
                                    : cases(Lengths{0, 1, 2, 3, 6, 7, 15, 16, 17, 63, 64, 65, 130}, Lengths{0, 1, 2, 16, 65})) {
            const Problem p(s, T, kOrdinary, T);
            const Outcome expected = p.run(*truth, KdaForm::automatic);
            for (KdaForm form : kForms)
                expect_close(p.run(*on, form), expected, 1e-5, form == KdaForm::recurrent,
                             name_of(form) + " K " + std::to_string(s.K) + " V " + std::to_string(s.V) + " T " + std::to_string(T), rounded(form, T));
        }
}

// Gates of full rank, both or one of them: x holds what the second map would have made.
TEST_P(KdaOnEveryDevice, GatesMayBeOfFullRank) {
    using Lengths = std::vector<int64_t>;
    const std::vector<Shape> shapes =
        cases(std::vector<Shape>{{3, 4, 3, 4, 0, 0}, {3, 32, 64, 4, 0, 0}, {2, 12, 20, 3, 0, 5}, {1, 128, 128, 4, 0, 0}, {2, 64, 16, 4, 8, 0}},
              std::vector<Shape>{{3, 4, 3, 4, 0, 0}, {1, 32, 40, 4, 0, 0}, {1, 128, 128, 4, 0, 0}, {2, 64, 16, 4, 8, 0}});
    for (const Shape& s : shapes)
        for (const Gate& gate : {kOrdinary, kBounded})
            for (int64_t T : cases(Lengths{1, 2, 6, 7, 16, 63, 64, 65, 130}, Lengths{1, 2, 65})) {
                const Problem p(s, T, gate, T);
                const Outcome expected = p.run(*truth, KdaForm::automatic);
                for (KdaForm form : kForms)
                    expect_close(p.run(*on, form), expected, 1e-5, form == KdaForm::recurrent,
                                 name_of(form) + " K " + std::to_string(s.K) + " V " + std::to_string(s.V) + " T " + std::to_string(T), rounded(form, T));
            }
}

// Gated DeltaNet: one gate a head, q and k shared by heads that lie together or in turns, SiLU behind; each of them alone, too.
const Shape kDeltaNets[] = {{4, 16, 12, 4, 0, 0, 2, false, true, true},
                            {6, 32, 32, 4, 0, 0, 2, true, true, true},
                            {4, 12, 20, 3, 5, 7, 1, false, true, false},
                            {4, 16, 16, 4, 8, 8, 4, false, false, true},
                            {6, 8, 16, 4, 0, 0, 3, true, false, false}};

TEST_P(KdaOnEveryDevice, GatedDeltaNetIsItsFormulaInEveryForm) {
    using Lengths = std::vector<int64_t>;
    for (const Shape& s : kDeltaNets)
        for (const Gate& gate : {kOrdinary, kStrong})
            for (int64_t T : cases(Lengths{0, 1, 2, 6, 7, 16, 63, 64, 65, 130}, Lengths{1, 2, 65})) {
                const Problem p(s, T, gate, T);
                const Outcome expected = p.run(*truth, KdaForm::automatic);
                for (KdaForm form : kForms)
                    expect_close(p.run(*on, form), expected, 1e-5, form == KdaForm::recurrent,
                                 name_of(form) + " H " + std::to_string(s.H) + " of " + std::to_string(s.H_k) + " T " + std::to_string(T), rounded(form, T));
            }
}

// Any split is one shot: the tail that heads share is moved once all of them have read it.
TEST_P(KdaOnEveryDevice, GatedDeltaNetInPiecesIsOneShot) {
    for (const Shape& s : kDeltaNets) {
        const Problem p(s, simulated ? 40 : 150);
        const Outcome expected = p.run(*truth, KdaForm::automatic);
        for (KdaForm form : kForms)
            for (const int64_t n : {1, 3, 17, 64}) {
                if (simulated && n != 17) continue;
                expect_close(p.run(*on, form, std::vector<int64_t>(151, n)), expected, 1e-5, false, name_of(form) + " in pieces of " + std::to_string(n),
                             rounded(form, n));
            }
    }
}

// The other members of the family: decay of no kind or of a head or of a channel, plain writing or the delta rule; heads may share q and k in all of them.
const Shape kRules[] = {{.H = 2, .K = 16, .V = 12, .R_f = 0, .no_gate = true, .plain = true},   // linear attention
                        {.H = 2, .K = 16, .V = 20, .R_f = 0, .no_gate = true},                  // DeltaNet
                        {.H = 3, .K = 32, .V = 16, .R_f = 6, .one_gate = true, .plain = true},  // Mamba2
                        {.H = 2, .K = 12, .V = 20, .C = 3, .plain = true},                      // GLA
                        {.H = 1, .K = 128, .V = 128, .R_f = 16, .plain = true},                 // in the shape that GPUs know well
                        {.H = 1, .K = 128, .V = 128, .R_f = 0, .no_gate = true},                //
                        {.H = 4, .K = 8, .V = 12, .R_f = 0, .R_g = 0, .H_k = 2, .silu = true, .no_gate = true, .plain = true},
                        {.H = 2, .K = 16, .V = 20, .C = 1},  // KDA without a convolution, without a gate behind it, or with another one
                        {.H = 3, .K = 12, .V = 20, .R_g = 0, .ungated = true},
                        {.H = 1, .K = 128, .V = 128, .C = 1, .R_f = 0, .R_g = 0, .ungated = true},
                        {.H = 2, .K = 16, .V = 12, .silu = true}};

// To the bound of f32 on every device: no kernel that rounds, or knows KDA alone, takes them.
TEST_P(KdaOnEveryDevice, EveryRuleIsItsFormulaInEveryForm) {
    using Lengths = std::vector<int64_t>;
    for (const Shape& s : kRules)
        for (const Gate& gate : cases(std::vector<Gate>{kOrdinary, kStrong, kOff, kBounded}, std::vector<Gate>{kOrdinary, kStrong}))
            for (int64_t T : cases(Lengths{0, 1, 2, 6, 7, 16, 63, 64, 65, 130}, Lengths{1, 2, 65})) {
                const Problem p(s, T, gate, static_cast<uint64_t>(T));
                const Outcome expected = p.run(*truth, KdaForm::automatic);
                for (KdaForm form : kForms)
                    expect_close(p.run(*on, form), expected, 1e-5, form == KdaForm::recurrent,
                                 name_of(form) + " K " + std::to_string(s.K) + " V " + std::to_string(s.V) + " T " + std::to_string(T));
            }
}

TEST_P(KdaOnEveryDevice, EveryRuleInPiecesIsOneShotAndObeysHands) {
    for (const Shape& s : kRules) {
        if (simulated && s.K == 128) continue;
        Problem p(s, simulated ? 40 : 150);
        for (const bool hands : {false, true}) {
            if (hands) p.gate_factors = normal(s.H * s.K, 50, 0.1f, 1), p.beta_factors = normal(s.H, 51, 0.1f, 1);
            const Outcome expected = p.run(*truth, KdaForm::automatic);
            for (KdaForm form : kForms)
                for (const int64_t n : {1, 3, 17, 64}) {
                    if (simulated && n != 17) continue;
                    expect_close(p.run(*on, form, std::vector<int64_t>(151, n)), expected, 1e-5, false, name_of(form) + " in pieces of " + std::to_string(n));
                }
        }
    }
}

// Without the delta rule there is a formula without a state: o_t = sum over j <= t of beta_j (q_t . (k_j e^(G_t - G_j))) v_j.
TEST(KdaFormula, PlainWritingIsAttentionWithDecay) {
    constexpr int K = 5, V = 3, T = 12;
    const Floats q = normal(T * K, 1), k = normal(T * K, 2), v = normal(T * V, 3), f = normal(T * K, 4), b = normal(T, 5);
    naive::Numbers S(V * K), sums(K);
    std::vector<naive::Numbers> G;
    for (int t = 0; t < T; ++t) {
        naive::Numbers qt(K), kt(K), vt(V), g(K), u;
        for (int i = 0; i < K; ++i) qt[i] = q[t * K + i], kt[i] = k[t * K + i], g[i] = -std::abs(f[t * K + i]), sums[i] += g[i];
        for (int j = 0; j < V; ++j) vt[j] = v[t * V + j];
        G.push_back(sums);
        const naive::Numbers o = naive::delta_rule(S, qt, kt, vt, g, b[t], &u, true);
        for (int j = 0; j < V; ++j) {
            double expected = 0;
            for (int from = 0; from <= t; ++from) {
                double score = 0;
                for (int i = 0; i < K; ++i) score += q[t * K + i] * double{k[from * K + i]} * std::exp(G[t][i] - G[from][i]);
                expected += b[from] * score * v[from * V + j];
            }
            EXPECT_NEAR(o[j], expected, 1e-12) << t;
            EXPECT_DOUBLE_EQ(u[j], double{b[t]} * v[t * V + j]);
        }
    }
}

// It is KDA whose channels all have one gate, and whose heads' q and k are written out.
TEST(KdaFormula, GatedDeltaNetIsKdaWithOneGateForAllChannels) {
    const Shape grouped{4, 8, 6, 4, 0, 0, 2, false, true, false}, tiled{4, 8, 6, 4, 0, 0, 2, true, true, false}, written{4, 8, 6, 4, 0, 0};
    for (const Shape& s : {grouped, tiled}) {
        Problem p(s, 9), q(written, 9);
        const int K = s.K;
        const auto spread = [&](const float* from, float* to, int64_t values) {  // q and k of two heads as those of four, in rows or taps of so many values
            for (int part = 0; part < 2; ++part)
                for (int h = 0; h < 4; ++h) std::copy_n(from + (part * 2 + p.op.k_head(h)) * K * values, K * values, to + (part * 4 + h) * K * values);
            std::copy_n(from + 4 * K * values, 4 * s.V * values, to + 8 * K * values);
        };
        for (int64_t t = 0; t < 9; ++t) {
            const float* from = p.x.data() + t * p.op.width();
            float* to = q.x.data() + t * q.op.width();
            spread(from, to, 1);
            from += p.op.conv_width(), to += q.op.conv_width();
            for (int h = 0; h < 4; ++h) std::fill_n(to + h * K, K, from[h]);
            std::copy_n(from + 4, 4 * s.V + 4, to + 4 * K);
        }
        for (int i = 0; i < 3; ++i) spread(p.tail.data() + i * p.op.conv_width(), q.tail.data() + i * q.op.conv_width(), 1);
        spread(p.conv.data(), q.conv.data(), 4);
        for (int h = 0; h < 4; ++h) std::fill_n(q.dt_bias.begin() + h * K, K, p.dt_bias[h]);
        std::copy(p.A_log.begin(), p.A_log.end(), q.A_log.begin());
        q.state = p.state, q.o_norm = p.o_norm;
        q.op.o_norm = {q.o_norm.data(), 1e-5f};
        const Outcome a = p.run(*make_naive_backend(), KdaForm::automatic), b = q.run(*make_naive_backend(), KdaForm::automatic);
        EXPECT_LE(error(a.y, b.y), 1e-7);
        EXPECT_LE(error(a.state, b.state), 1e-7);
        EXPECT_TRUE(identical(a.log_decay, b.log_decay));
    }
}

// Gated DeltaNet's own numbers, computed elsewhere in float64.
TEST(KdaFormula, GivesTheGoldenVectorsOfGatedDeltaNet) {
    using namespace golden;
    const double log_decays[] = {-0.639936993, -1.280561198, -1.95756377, -2.291141112, -2.099907764};
    const double first[] = {-0.025293114, 0.233709938, 0.404961369}, last[] = {-0.358810893, -0.367997587, -0.248630867};
    const double gated[] = {0, 0.559152707, 1.165163698};  // of the first
    const float weight[V] = {1, 1.1f, 1.2f};
    naive::Numbers S(V * K);
    for (int j = 0; j < V; ++j)
        for (int i = 0; i < K; ++i) S[j * K + i] = 0.1 * (i - j);
    for (int t = 0; t < T; ++t) {
        naive::Numbers qt(K), kt(K), vt(V);
        for (int i = 0; i < K; ++i) qt[i] = q(t, i), kt[i] = k(t, i);
        for (int j = 0; j < V; ++j) vt[j] = v(t, j);
        const double g = naive::log_decay(2 * std::sin(0.5 * t), 0.3, -0.5, 0);
        EXPECT_NEAR(g, log_decays[t], 1e-8);
        qt = naive::l2_norm(qt), kt = naive::l2_norm(kt);
        for (double& x : qt) x /= std::sqrt(static_cast<double>(K));
        const naive::Numbers o = naive::delta_rule(S, qt, kt, vt, naive::Numbers(K, g), naive::sigmoid(std::cos(1.7 * t)));
        for (int j = 0; j < V && t == 0; ++j) EXPECT_NEAR(o[j], first[j], 1e-8);
        for (int j = 0; j < V && t == T - 1; ++j) EXPECT_NEAR(o[j], last[j], 1e-8);
        const naive::Numbers n = naive::rms_norm(o, {weight, 1e-6f});
        for (int j = 0; j < V && t == 0; ++j) EXPECT_NEAR(n[j] * naive::silu(std::sin(t + j)), gated[j], 1e-6);
    }
}

// The same numbers come out of a map that changes nothing.
TEST(KdaFormula, AGateOfFullRankIsALowRankOneWhoseSecondMapIsTheIdentity) {
    const Shape full{2, 8, 6, 4, 0, 0}, low{2, 8, 6, 4, 16, 12};
    Problem p(full, 9, kBounded), q(low, 9, kBounded);
    const auto identity = [](int64_t n) {
        Floats one(n * n, 0);
        for (int64_t i = 0; i < n; ++i) one[i * n + i] = 1;
        return Matrix(one, n, n);
    };
    q.f_b = identity(16), q.g_b = identity(12);
    q.op.f_b = q.f_b.w, q.op.g_b = q.g_b.w;
    const Outcome a = p.run(*make_naive_backend(), KdaForm::automatic), b = q.run(*make_naive_backend(), KdaForm::automatic);
    EXPECT_TRUE(identical(a.y, b.y) && identical(a.state, b.state) && identical(a.log_decay, b.log_decay));
}

// Log decays of the bounded gate, computed elsewhere in float64.
TEST(KdaFormula, TheBoundedGateIsASigmoidUnderItsBound) {
    using namespace golden;
    const double expected[] = {-1.02946728, -2.96501079, -4.369923133, -4.802503496};
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(naive::log_decay(f(0, i), 0.3, dt_bias(i), -5), expected[i], 1e-8) << i;
}

// f_a and g_a are sixty-fourths, the largest of each 32 is 127 of them: exact in bf16 and in int8, so that no type's rounding of x (ops.h) changes the answer.
TEST_P(KdaOnEveryDevice, LowRankMapsMayBeOfAnyType) {
    const Shape s{3, 32, 16, 4, 64, 32};
    for (DType type : {DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q5_1, DType::iq4_nl})
        for (int64_t T : cases<std::vector<int64_t>>({1, 2, 5, 16, 17, 64, 70}, {1, 17})) {
            Problem p(s, T, kOrdinary, T, type);
            for (int64_t t = 0; t < T; ++t) {
                float* x = p.x.data() + t * p.op.width() + p.op.conv_width();
                for (int64_t i = 0; i < s.R_f + s.R_g; ++i) x[i] = static_cast<float>(i % 32 ? (t * 31 + i * 57) % 255 - 127 : 127) / 64;
            }
            const Outcome expected = p.run(*truth, KdaForm::automatic);
            // A GPU multiplies more than eight rows with blocks as bf16, off by up to 2^-9 each.
            const double bound = GetParam().name.ends_with("gpu") && type > DType::q4_0 && T > 8 ? 0x1p-8 : 1e-5;
            for (KdaForm form : kForms)
                expect_close(p.run(*on, form), expected, bound, form == KdaForm::recurrent,
                             name_of(form) + " " + std::string(info(type).name) + " T " + std::to_string(T), rounded(form, T, type));
        }
}

// --- hands ---

// Half-lives times 1/4 to 4, writing times 0 to 1.5, each head and channel its own.
void lay_hands(Problem& p) {
    p.gate_factors = normal(p.s.H * p.s.K, 300, 0.7f);
    for (float& factor : p.gate_factors) factor = std::exp2(std::clamp(factor, -2.f, 2.f));
    p.beta_factors = normal(p.s.H, 301, 0.5f, 0.7f);
    for (float& factor : p.beta_factors) factor = std::clamp(factor, 0.f, 1.5f);
    p.beta_factors[0] = 0;
}

TEST_P(KdaOnEveryDevice, HandsLieOnGatedDeltaNetToo) {
    for (const Shape& s : kDeltaNets) {
        Problem p(s, simulated ? 20 : 70, kOrdinary, 7);
        lay_hands(p);
        const Outcome expected = p.run(*truth, KdaForm::automatic);
        for (KdaForm form : kForms) expect_close(p.run(*on, form), expected, 1e-5, form == KdaForm::recurrent, name_of(form), rounded(form, p.T));
    }
}

TEST(KdaFormula, HandsMultiplyTheGatesLogarithmAndBeta) {
    Problem p({2, 8, 6}, 5);
    const Outcome plain = p.run(*make_naive_backend(), KdaForm::automatic);
    lay_hands(p);
    const Outcome touched = p.run(*make_naive_backend(), KdaForm::automatic);
    for (int64_t t = 0; t < p.T; ++t)
        for (int64_t h = 0; h < 2; ++h) {
            EXPECT_FLOAT_EQ(touched.beta[t * 2 + h], plain.beta[t * 2 + h] * p.beta_factors[h]);
            for (int64_t i = 0; i < 8; ++i)
                EXPECT_FLOAT_EQ(touched.log_decay[(t * 2 + h) * 8 + i], plain.log_decay[(t * 2 + h) * 8 + i] * p.gate_factors[h * 8 + i]);
            EXPECT_EQ(touched.update_norm[t * 2 + h] == 0, h == 0) << "head 0 writes nothing";
        }
}

TEST_P(KdaOnEveryDevice, HandsChangeEveryFormAlike) {
    using Lengths = std::vector<int64_t>;
    for (const Gate& gate : {kOrdinary, kStrong, kWeak, kBounded})
        for (const Shape& s :
             cases(std::vector<Shape>{{2, 12, 20, 3}, {3, 32, 16}, {2, 128, 24, 4, 16, 16}}, std::vector<Shape>{{2, 32, 24}, {2, 128, 12, 4, 16, 16}}))
            for (int64_t T : cases(Lengths{1, 6, 17, 65, 130}, Lengths{1, 66})) {
                Problem p(s, T, gate, 7);
                lay_hands(p);
                const Outcome expected = p.run(*truth, KdaForm::automatic);
                for (KdaForm form : kForms)
                    expect_close(p.run(*on, form), expected, 1e-5, form == KdaForm::recurrent,
                                 name_of(form) + " K " + std::to_string(s.K) + " T " + std::to_string(T), rounded(form, T));
            }
}

TEST_P(KdaOnEveryDevice, HandsThatDoNothingChangeNoBit) {
    for (int64_t T : {1, 16, 66}) {
        Problem p({2, 32, 24}, T);
        for (KdaForm form : kForms) {
            p.gate_factors.clear(), p.beta_factors.clear();
            const Outcome plain = p.run(*on, form);
            p.gate_factors.assign(2 * 32, 1), p.beta_factors.assign(2, 1);
            const Outcome touched = p.run(*on, form);
            EXPECT_TRUE(identical(plain.y, touched.y) && identical(plain.state, touched.state) && identical(plain.log_decay, touched.log_decay))
                << name_of(form);
        }
    }
}

TEST_P(KdaOnEveryDevice, HandsAreOfTheirSegmentAlone) {
    const Shape s{2, 32, 12};
    for (int64_t T : {1, 66})
        for (KdaForm form : kForms) {
            const Problem plain(s, T, kOrdinary, 5);
            Problem touched(s, T, kOrdinary, 5);
            lay_hands(touched);
            Floats x = plain.x, y(2 * T * s.H * s.V, kNaN), states[] = {plain.state, plain.state}, tails[] = {plain.tail, plain.tail};
            x.insert(x.end(), plain.x.begin(), plain.x.end());
            const KdaSegment segments[] = {{0, T, states[0].data(), tails[0].data()},
                                           {T, T, states[1].data(), tails[1].data(), touched.gate_factors.data(), touched.beta_factors.data()}};
            Kda a = plain.op;
            a.x = {x.data(), {2 * T, a.width()}}, a.y = {y.data(), {2 * T, int64_t{s.H} * s.V}}, a.segments = segments, a.form = form;
            on->kda(a);
            EXPECT_TRUE(identical(states[0], plain.run(*on, form).state)) << name_of(form);
            EXPECT_TRUE(identical(states[1], touched.run(*on, form).state)) << name_of(form);
        }
}

TEST_P(KdaOnEveryDevice, WhatHeadsHaveReadIsWeighed) {
    Floats y = normal(5 * 3 * 20, 1), expected = y;
    const Floats factor = {0, 2, 1};
    for (size_t i = 0; i < expected.size(); ++i) expected[i] *= factor[i % 60 / 20];
    on->scale_heads({.factor = factor.data(), .H = 3, .y = {y.data(), {5, 60}}});
    EXPECT_TRUE(identical(y, expected));
}

TEST_P(KdaOnEveryDevice, StrongAndWeakAndBoundedGatesKeepTheError) {
    for (const Gate& gate : kGates) {
        const Problem p({simulated ? 1 : 2, 32, 24}, simulated ? 70 : 130, gate);
        const Outcome expected = p.run(*truth, KdaForm::automatic);
        for (KdaForm form : kForms)
            expect_close(p.run(*on, form), expected, 1e-5, false, name_of(form) + " A_log " + std::to_string(gate.A_log), rounded(form, p.T));
    }
}

TEST_P(KdaOnEveryDevice, SixteenTokensMayDecayByAThousandAndMore) {
    for (const auto& [A_log, least] : {std::pair{4.f, -300.f}, {5.5f, -1000.f}}) {
        const Problem p({simulated ? 1 : 2, 32, 32}, simulated ? 66 : 96, {A_log, 0});
        const Outcome expected = p.run(*truth, KdaForm::automatic);
        double deepest = 0;  // the shallowest of all channels' first 16-token sums
        deepest = -1e9;
        for (int c = 0; c < p.s.H * p.s.K; ++c) {
            double total = 0;
            for (int t = 0; t < 16; ++t) total += expected.log_decay[t * p.s.H * p.s.K + c];
            deepest = std::max(deepest, total);
        }
        ASSERT_LT(deepest, least);
        for (KdaForm form : kForms) expect_close(p.run(*on, form), expected, 1e-5, false, name_of(form), rounded(form, p.T));
    }
}

TEST_P(KdaOnEveryDevice, ChannelsThatHardlyForgetStayTrueForThousandsOfTokens) {
    for (const Gate& gate : {kWeak, kOff})
        for (KdaForm form : kForms) {
            const Problem p({1, 32, 16, 4, 8, 8}, !simulated ? 4096 : form == KdaForm::recurrent ? 100 : 500, gate);
            const Outcome expected = p.run(*truth, KdaForm::automatic);
            int unforgetting = 0;
            for (float g : expected.log_decay) unforgetting += bf16_to_float(float_to_bf16(std::exp(g))) == 1;
            ASSERT_GT(unforgetting, static_cast<int>(expected.log_decay.size() * 9 / 10));
            expect_close(p.run(*on, form), expected, 1e-5, form == KdaForm::recurrent, name_of(form), rounded(form, p.T));
        }
}

// Only new tokens: with alpha = 0 the state is the last write, and what it held before is gone.
TEST_P(KdaOnEveryDevice, ForgetsEverythingWhenTheGateIsShut) {
    Problem p({2, 16, 16}, 40, kUnderflowing);
    Problem other = Problem({2, 16, 16}, 40, kUnderflowing);
    for (float& s : other.state) s *= 1000;
    for (KdaForm form : kForms) {
        EXPECT_TRUE(identical(p.run(*on, form).y, other.run(*on, form).y));
        EXPECT_TRUE(identical(p.run(*on, form).state, other.run(*on, form).state));
    }
}

// --- splitting, batching, order ---

TEST_P(KdaOnEveryDevice, AnySplitIsOneShot) {
    const Problem p({simulated ? 1 : 2, 32, 20}, 150);
    const Outcome expected = p.run(*truth, KdaForm::automatic);
    std::vector<std::vector<int64_t>> splits;
    for (int64_t n : cases<std::vector<int64_t>>({1, 2, 3, 15, 16, 17, 63, 64, 65}, {16, 65})) splits.emplace_back(151, n);
    std::mt19937 bits(7);
    for (int i = 0; i < (simulated ? 1 : 5); ++i) {
        splits.emplace_back();
        for (int64_t t = 0; t < p.T;) t += splits.back().emplace_back(bits() % 40);
    }
    splits.push_back({0, 1, 0, 2, 0, 147});
    for (const auto& pieces : splits)
        for (KdaForm form : kForms)
            expect_close(p.run(*on, form, pieces), expected, 1e-5, form == KdaForm::recurrent, name_of(form) + " in pieces of " + std::to_string(pieces[0]),
                         rounded(form, *std::max_element(pieces.begin(), pieces.end())));
}

TEST_P(KdaOnEveryDevice, NoTokensLeaveStateAndTailAsTheyAre) {
    const Problem p({2, 8, 8}, 0);
    for (KdaForm form : kForms) {
        const Outcome r = p.run(*on, form);
        EXPECT_TRUE(identical(r.state, p.state));
        EXPECT_TRUE(identical(r.tail, p.tail));
    }
}

TEST_P(KdaOnEveryDevice, TheFutureNeverChangesThePast) {
    const Shape s{simulated ? 1 : 2, 32, 16};
    const Problem p(s, 100);
    for (int64_t from : cases<std::vector<int64_t>>({1, 2, 3, 4, 15, 16, 17, 33, 64, 70, 99}, {3, 17, 70})) {
        Problem changed(s, 100);
        const Floats other = normal(changed.x.size(), 99, 3);
        std::copy(other.begin() + from * p.op.width(), other.end(), changed.x.begin() + from * p.op.width());
        for (KdaForm form : kForms) {
            Floats a = p.run(*on, form).y, b = changed.run(*on, form).y;
            a.resize(from * s.H * s.V), b.resize(from * s.H * s.V);
            EXPECT_TRUE(identical(a, b)) << name_of(form) << " from " << from;
        }
    }
}

TEST_P(KdaOnEveryDevice, ABatchIsItsMembersAlone) {
    const Shape s{2, 16, 12};
    const int64_t counts[] = {5, 0, 1, 70, 2, 16}, width = Problem(s, 0).op.width(), HV = s.H * s.V;
    const size_t order[] = {3, 0, 5, 1, 4, 2};  // where each member's rows lie: not in the order of the segments, one row nobody owns between them
    std::vector<Problem> members;
    for (int64_t n : counts) members.emplace_back(s, n, kOrdinary, 5);  // the same weights, as many rows of the same input
    for (size_t i = 0; i < members.size(); ++i) {
        members[i].x = normal(members[i].x.size(), 100 + i);
        members[i].state = normal(members[i].state.size(), 200 + i);
    }
    for (KdaForm form : kForms) {
        int64_t rows = 0, first[6];
        for (size_t i : order) first[i] = rows, rows += counts[i] + 1;
        Floats x(rows * width, kNaN), y(rows * HV, kNaN);
        std::vector<Floats> states, tails;
        std::vector<KdaSegment> segments;
        for (size_t i = 0; i < members.size(); ++i) {
            std::copy(members[i].x.begin(), members[i].x.end(), x.begin() + first[i] * width);
            states.push_back(members[i].state), tails.push_back(members[i].tail);
            segments.push_back({first[i], counts[i], states[i].data(), tails[i].data()});
        }
        Kda a = members[0].op;
        a.x = {x.data(), {rows, width}}, a.y = {y.data(), {rows, HV}}, a.segments = segments, a.form = form;
        on->kda(a);
        for (size_t i = 0; i < members.size(); ++i) {
            const Outcome alone = members[i].run(*on, form);
            EXPECT_TRUE(identical(Floats(y.begin() + first[i] * HV, y.begin() + (first[i] + counts[i]) * HV), alone.y)) << name_of(form) << " member " << i;
            EXPECT_TRUE(identical(states[i], alone.state));
            EXPECT_TRUE(identical(tails[i], alone.tail));
            for (int64_t c = 0; c < HV; ++c) EXPECT_TRUE(std::isnan(y[(first[i] + counts[i]) * HV + c]));
        }
    }
}

TEST(KdaOp, AnyNumberOfThreadsGivesTheSameBits) {
    const Problem p({5, 32, 16}, 70);
    for (Isa isa : supported_isas())
        for (KdaForm form : kForms) {
            const Outcome one = p.run(*cpu(isa, 1), form);
            for (int threads : {2, 3}) {
                const Outcome many = p.run(*cpu(isa, threads), form);
                EXPECT_TRUE(identical(one.y, many.y) && identical(one.state, many.state) && identical(one.tail, many.tail)) << name(isa) << " " << threads;
            }
        }
}

// Where tokens pass over the state together, there is no state between them to take the norm of; a norm that is there is right.
TEST_P(KdaOnEveryDevice, LongSegmentsKnowTheStatesNormAtTheEnd) {
    const Problem p({2, 16, 16}, 70);
    const Outcome expected = p.run(*truth, KdaForm::automatic);
    for (KdaForm form : {KdaForm::chunkwise, KdaForm::automatic}) {
        const Outcome got = p.run(*on, form);
        for (int64_t i = 0; i < 70 * 2; ++i)
            if (i >= 69 * 2 || !std::isnan(got.state_norm[i])) {
                EXPECT_NEAR(got.state_norm[i], expected.state_norm[i], std::max(1e-5, rounded(form, 70).state) * expected.state_norm[i]);
            }
    }
}

// --- GPUs: single tokens have a kernel of their own ---

class KdaOnEveryGpu : public KdaOnEveryDevice {};
INSTANTIATE_TEST_SUITE_P(On, KdaOnEveryGpu, testing::ValuesIn(gpus()), [](const auto& info) { return info.param.name; });

TEST_P(KdaOnEveryGpu, AStepMovesTheStateByTheFormula) {
    for (const Shape& s : {Shape{2, 32, 32}, Shape{1, 32, 70}, Shape{1, 64, 33}, Shape{1, 128, 128, 4, 128, 128}, Shape{1, 256, 40}})
        for (const Gate& gate : kGates) {
            const Problem p(s, 1, gate, static_cast<uint64_t>(s.K));
            const Outcome got = p.run(*on, KdaForm::automatic), expected = p.run(*truth, KdaForm::automatic);
            EXPECT_LE(error(got.state, expected.state), 1e-6) << "K " << s.K;
            expect_close(got, expected, 1e-5, true, "K " + std::to_string(s.K));
        }
}

TEST_P(KdaOnEveryGpu, ThousandsOfStepsStayWithTheFormula) {
    for (const Gate& gate : {kOrdinary, kWeak, kOff, kStrong}) {
        const int64_t T = simulated ? 200 : 4096;
        const Problem p({1, 32, 20, 4, 8, 8}, T, gate);
        expect_close(p.run(*on, KdaForm::automatic, std::vector<int64_t>(static_cast<size_t>(T), 1)), p.run(*truth, KdaForm::automatic), 1e-5, true,
                     "A_log " + std::to_string(gate.A_log));
    }
}

// The shape that the kernels are made for, in whole and broken chunks, from a state and for a state.
TEST_P(KdaOnEveryGpu, ChunksOfTheUsualShapeLoseLessThanBf16Allows) {
    for (int64_t T : cases<std::vector<int64_t>>({63, 64, 65, 128, 2048, 2100, 8192}, {64, 150})) {
        const Problem p({!simulated ? 4 : T == 64 ? 2 : 1, 128, 128, 4, 16, 16}, T);  // one head: rows of an odd number of floats
        expect_close(p.run(*on, KdaForm::chunkwise), p.run(*truth, KdaForm::automatic), 1e-5, false, "T " + std::to_string(T), {1e-3, 1e-3});
    }
}

// Longer than what temporary memory is taken for at a time, and several sequences in that.
TEST_P(KdaOnEveryGpu, PiecesOfALongSegmentAreOne) {
    const Shape s{1, 4, 3, 4, 2, 2};
    const Problem p(s, 2200);
    const Outcome whole = p.run(*on, KdaForm::chunkwise), pieces = p.run(*on, KdaForm::chunkwise, {2048, 152});
    EXPECT_TRUE(identical(whole.y, pieces.y) && identical(whole.state, pieces.state) && identical(whole.tail, pieces.tail));
    expect_close(whole, p.run(*truth, KdaForm::automatic), 1e-5, false, "whole", kRounded);
}

// Few sequences have a block for 32 rows of a head, many one for all of it: the same bits. Some have no token, and their rows are in no order.
TEST_P(KdaOnEveryGpu, ABatchOfStepsIsItsMembersAlone) {
    const Shape s{2, 32, 72};
    const int64_t rows[] = {4, 0, -1, 7, 2, 5, -1, 1}, width = Problem(s, 0).op.width(), HV = s.H * s.V;
    Floats x(8 * width, kNaN), y(8 * HV, kNaN), norms(8 * s.H, kNaN), updates(8 * s.H, kNaN);
    std::vector<Problem> members;
    std::vector<Floats> states, tails;
    for (int64_t row : rows) {
        Problem& m = members.emplace_back(s, row < 0 ? 0 : 1, kOrdinary, 5);
        m.x = normal(m.x.size(), static_cast<uint64_t>(100 + row));
        m.state = normal(m.state.size(), static_cast<uint64_t>(200 + row));
        m.tail = normal(m.tail.size(), static_cast<uint64_t>(300 + row));
        if (row >= 0) std::copy(m.x.begin(), m.x.end(), x.begin() + row * width);
        states.push_back(m.state), tails.push_back(m.tail);
    }
    std::vector<KdaSegment> segments;
    for (size_t i = 0; i < members.size(); ++i) segments.push_back({std::max<int64_t>(rows[i], 0), rows[i] < 0 ? 0 : 1, states[i].data(), tails[i].data()});
    Kda a = members[0].op;
    a.x = {x.data(), {8, width}}, a.y = {y.data(), {8, HV}}, a.segments = segments;
    a.taps.state_norm = norms.data(), a.taps.update_norm = updates.data();
    on->kda(a);
    for (size_t i = 0; i < members.size(); ++i) {
        const Outcome alone = members[i].run(*on, KdaForm::automatic);
        EXPECT_TRUE(identical(states[i], alone.state)) << i;
        EXPECT_TRUE(identical(tails[i], alone.tail)) << i;
        if (rows[i] < 0) continue;
        EXPECT_TRUE(identical(Floats(y.begin() + rows[i] * HV, y.begin() + (rows[i] + 1) * HV), alone.y)) << i;
        EXPECT_TRUE(identical(Floats(norms.begin() + rows[i] * s.H, norms.begin() + (rows[i] + 1) * s.H), alone.state_norm)) << i;
        EXPECT_TRUE(identical(Floats(updates.begin() + rows[i] * s.H, updates.begin() + (rows[i] + 1) * s.H), alone.update_norm)) << i;
    }
}

// The memory of a GPU, used as an engine does: the same buffers in every pass, states that change places.
TEST(KdaInPasses, AreReplayedWithTheStatesTheyAreGiven) {
    for (const auto& make : {+[] { return cuda_on_cpu::make_backend(0, ""); }, +[] { return make_backend("cuda").value_or(nullptr); }}) {
        const std::shared_ptr<Backend> on = make();
        if (!on) continue;
        const Shape s{2, 32, 40};
        constexpr int kPasses = 6;
        const Problem p(s, 2 * kPasses);  // two sequences that take turns with the rows
        const int64_t width = p.op.width(), HV = s.H * s.V;
        const auto uploaded = [&](const Floats& values) {
            Buffer b = on->allocate(values.size() * sizeof(float));
            on->upload(b.as(), values.data(), b.bytes());
            return b;
        };
        const auto downloaded = [&](const Buffer& b) {
            Floats values(b.bytes() / sizeof(float));
            on->download(values.data(), b.as(), b.bytes());
            return values;
        };
        const Buffer conv = uploaded(p.conv), A_log = uploaded(p.A_log), dt_bias = uploaded(p.dt_bias), o_norm = uploaded(p.o_norm);
        std::vector<Buffer> keep;
        Kda a = p.op;
        a.conv = conv.as<float>(), a.A_log = A_log.as<float>(), a.dt_bias = dt_bias.as<float>(), a.o_norm.weight = o_norm.as<float>();
        a.f_b = on->adopt(a.f_b, keep), a.g_b = on->adopt(a.g_b, keep);
        const Buffer x = uploaded(Floats(static_cast<size_t>(2 * width))), y = uploaded(Floats(static_cast<size_t>(2 * HV)));
        a.x = {x.as<float>(), {2, width}}, a.y = {y.as<float>(), {2, HV}};

        Floats answers[2];
        std::vector<Floats> ends[2];
        for (bool passes : {false, true}) {
            std::vector<Buffer> states, tails;
            for (int i = 0; i < 2; ++i) states.push_back(uploaded(p.state)), tails.push_back(uploaded(p.tail));
            for (int pass = 0; pass < kPasses; ++pass) {
                on->upload(x.as(), p.x.data() + 2 * pass * width, x.bytes());
                const int turn = pass % 3 == 1;
                const KdaSegment segments[] = {{0, 1, states[turn].as<float>(), tails[turn].as<float>()},
                                               {1, 1, states[1 - turn].as<float>(), tails[1 - turn].as<float>()}};
                a.segments = segments;
                if (passes) on->begin_pass(1);
                on->kda(a);
                if (passes) on->end_pass();
                const Floats got = downloaded(y);
                answers[passes].insert(answers[passes].end(), got.begin(), got.end());
            }
            for (int i = 0; i < 2; ++i) ends[passes].push_back(downloaded(states[i])), ends[passes].push_back(downloaded(tails[i]));
        }
        EXPECT_TRUE(identical(answers[0], answers[1]));
        for (int i = 0; i < 4; ++i) EXPECT_TRUE(identical(ends[0][i], ends[1][i])) << i;
        EXPECT_FALSE(identical(ends[1][0], ends[1][2]));
    }
}

}  // namespace
}  // namespace klp
