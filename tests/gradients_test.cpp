// The backward ops: naive.h's against finite differences of the forward ops, every instruction set's against those, and the laws of learning (a batch is the sum
// of its rows, any number of threads gives the same bits).
#include <functional>
#include <map>

#include "kernels/gradients.h"
#include "tests/devices.h"

namespace klp {
namespace {

using namespace test;

// What an op reads, by name, and what comes out of it for these inputs: forwards y, backwards the derivative by each input.
struct Case {
    std::string name;
    std::map<std::string, Floats> in;
    int64_t outputs = 0;
    std::function<void(Backend&, std::map<std::string, Floats>&, Floats& y)> forward;
    std::function<void(Backend&, std::map<std::string, Floats>&, const Floats& dy, std::map<std::string, Floats>& d)> backward;
};

Weight weight(const Floats& values, int64_t out, int64_t in, DType type, std::vector<std::vector<std::byte>>& keep) {
    Weight w{nullptr, type, out, in};
    keep.emplace_back(static_cast<size_t>(w.bytes()));
    store(values, w, keep.back().data());
    w.data = keep.back().data();
    return w;
}

// As products see it: bf16 weights are what they were rounded to.
void round_to(DType type, Floats& x) {
    if (type == DType::bf16)
        for (float& v : x) v = bf16_to_float(float_to_bf16(v));
}

Case linear_case(int64_t T, int64_t in, std::vector<int64_t> outs, bool norm, DType type) {
    Case c{.name = "linear", .outputs = 0};
    c.in["x"] = normal(T * in, 1);
    if (norm) c.in["norm"] = normal(in, 2, 0.2f, 1);
    for (size_t i = 0; i < outs.size(); ++i) {
        auto& w = c.in["w" + std::to_string(i)] = normal(outs[i] * in, 3 + i, 1 / std::sqrt(static_cast<float>(in)));
        round_to(type, w);
        c.outputs += T * outs[i];
    }
    const int64_t out = c.outputs / T;
    c.forward = [=](Backend& on, auto& x, Floats& y) {
        std::vector<std::vector<std::byte>> keep;
        std::vector<Weight> w;
        for (size_t i = 0; i < outs.size(); ++i) w.push_back(weight(x.at("w" + std::to_string(i)), outs[i], in, type, keep));
        on.linear({.x = {x.at("x").data(), {T, in}}, .norm = {norm ? x.at("norm").data() : nullptr, 1e-5f}, .w = w, .y = {y.data(), {T, out}}});
    };
    c.backward = [=](Backend& on, auto& x, const Floats& dy, auto& d) {
        std::vector<std::vector<std::byte>> keep;
        std::vector<Weight> w;
        std::vector<float*> dw;
        for (size_t i = 0; i < outs.size(); ++i) {
            w.push_back(weight(x.at("w" + std::to_string(i)), outs[i], in, type, keep));
            dw.push_back(d.at("w" + std::to_string(i)).data());
        }
        on.gradients()->linear_back({.x = {x.at("x").data(), {T, in}},
                                     .norm = {norm ? x.at("norm").data() : nullptr, 1e-5f},
                                     .w = w,
                                     .dy = {dy.data(), {T, out}},
                                     .dx = {d.at("x").data(), {T, in}},
                                     .dw = dw,
                                     .dnorm = norm ? d.at("norm").data() : nullptr});
    };
    return c;
}

struct KdaShape {
    std::vector<int64_t> rows = {5, 1, 18};
    int H = 2, K = 8, V = 8, C = 4, R = 6;
    bool one_gate = false, silu = false, ungated = false, no_gate = false, plain = false;
    float A_log = 0.3f, dt = -1, bound = 0, excess = 0;
    DType type = DType::f32;
};
Case kda_case(const KdaShape& s) {
    Case c{.name = "kda"};
    int64_t T = 0;
    for (int64_t n : s.rows) T += n;
    Kda op;
    op.H = s.H, op.K = s.K, op.V = s.V, op.C = s.C, op.one_gate = s.one_gate, op.no_gate = s.no_gate, op.plain = s.plain, op.silu = s.silu,
    op.ungated = s.ungated, op.lower_bound = s.bound;
    op.R_f = s.R && !s.no_gate ? s.R : static_cast<int>(op.gate_width()), op.R_g = s.R && !s.ungated ? s.R + 2 : static_cast<int>(op.output_gates());
    const int64_t HV = s.H * s.V, W = op.width(), gates = op.gate_width();
    c.outputs = T * HV;
    c.in["x"] = normal(T * W, 1);
    c.in["conv"] = normal(op.conv_width() * s.C, 2, 0.5f);
    if (!s.no_gate) c.in["A_log"] = normal(s.H, 3, 0.1f, s.A_log), c.in["dt_bias"] = normal(gates, 4, 0.3f, s.dt);
    c.in["o_norm"] = normal(s.V, 5, 0.1f, 1);
    if (s.R) {
        if (!s.no_gate) round_to(s.type, c.in["f_b"] = normal(gates * op.R_f, 6, 1 / std::sqrt(static_cast<float>(op.R_f))));
        if (!s.ungated) round_to(s.type, c.in["g_b"] = normal(HV * op.R_g, 7, 1 / std::sqrt(static_cast<float>(op.R_g))));
    }
    const auto made = [=](auto& x, std::vector<std::vector<std::byte>>& keep, Floats& y) {
        Kda a = op;
        a.x = {x.at("x").data(), {T, W}}, a.y = {y.data(), {T, HV}};
        if (!s.no_gate) a.A_log = x.at("A_log").data(), a.dt_bias = x.at("dt_bias").data();
        a.conv = x.at("conv").data(), a.o_norm = {x.at("o_norm").data(), 1e-5f};
        if (s.R && !s.no_gate) a.f_b = weight(x.at("f_b"), gates, op.R_f, s.type, keep);
        if (s.R && !s.ungated) a.g_b = weight(x.at("g_b"), HV, op.R_g, s.type, keep);
        return a;
    };
    c.forward = [=](Backend& on, auto& x, Floats& y) {
        std::vector<std::vector<std::byte>> keep;
        Kda a = made(x, keep, y);
        std::vector<Floats> states, tails;
        std::vector<KdaSegment> segments;
        int64_t first = 0;
        states.assign(s.rows.size(), Floats(HV * s.K)), tails.assign(s.rows.size(), Floats((s.C - 1) * op.conv_width()));
        for (size_t i = 0; i < s.rows.size(); first += s.rows[i], ++i) segments.push_back({first, s.rows[i], states[i].data(), tails[i].data()});
        a.segments = segments;
        on.kda(a);
    };
    c.backward = [=](Backend& on, auto& x, const Floats& dy, auto& d) {
        std::vector<std::vector<std::byte>> keep;
        Floats y(T * HV, kNaN);
        KdaBack a{.op = made(x, keep, y)};
        std::vector<RowsOf> rows;
        for (int64_t n : s.rows) rows.push_back({rows.empty() ? 0 : rows.back().first + rows.back().count, n});
        a.rows = rows;
        a.dy = {dy.data(), {T, HV}}, a.dx = {d.at("x").data(), {T, W}};
        if (!s.no_gate) a.dA_log = d.at("A_log").data(), a.ddt_bias = d.at("dt_bias").data();
        a.dconv = d.at("conv").data(), a.do_norm = d.at("o_norm").data();
        if (s.R && !s.no_gate) a.df_b = d.at("f_b").data();
        if (s.R && !s.ungated) a.dg_b = d.at("g_b").data();
        a.excess = s.excess;
        std::fill(d.at("x").begin(), d.at("x").end(), kNaN);  // written
        on.gradients()->kda_back(a);
        d["y"] = y;
    };
    return c;
}

struct MlaShape {
    std::vector<int64_t> rows = {5, 1, 18};
    int H = 2, nope = 8, rope = 4, V = 6, L = 12;
    float theta = 0;
    bool adjacent = false;
    DType type = DType::f32;
};
Case mla_case(const MlaShape& s) {
    Case c{.name = "mla"};
    int64_t T = 0;
    for (int64_t n : s.rows) T += n;
    Mla op;
    op.H = s.H, op.nope = s.nope, op.rope = s.rope, op.V = s.V, op.L = s.L, op.scale = 1 / std::sqrt(static_cast<float>(s.nope + s.rope));
    op.rope_theta = s.theta, op.rope_adjacent = s.adjacent;
    const int64_t HV = s.H * s.V, W = op.width(), wide = int64_t{s.H} * (s.nope + s.V);
    c.outputs = T * HV;
    c.in["x"] = normal(T * W, 1);
    c.in["norm"] = normal(s.L, 2, 0.2f, 1);
    round_to(s.type, c.in["kv_b"] = normal(wide * s.L, 3, 1 / std::sqrt(static_cast<float>(s.L))));
    const auto made = [=](auto& x, std::vector<std::vector<std::byte>>& keep, Floats& y) {
        Mla a = op;
        a.x = {x.at("x").data(), {T, W}}, a.y = {y.data(), {T, HV}}, a.norm = {x.at("norm").data(), 1e-6f};
        a.kv_b = weight(x.at("kv_b"), wide, s.L, s.type, keep);
        return a;
    };
    c.forward = [=](Backend& on, auto& x, Floats& y) {
        std::vector<std::vector<std::byte>> keep;
        Mla a = made(x, keep, y);
        std::vector<std::vector<float>> pages;
        std::vector<std::vector<std::byte*>> at;
        std::vector<MlaSegment> segments;
        int64_t first = 0;
        for (int64_t n : s.rows) {
            at.emplace_back();
            for (int64_t t = 0; t < n; t += kMlaPage) {
                pages.emplace_back(kMlaPage * op.cache_width());
                at.back().push_back(reinterpret_cast<std::byte*>(pages.back().data()));
            }
        }
        for (size_t i = 0; i < s.rows.size(); first += s.rows[i], ++i) segments.push_back({first, s.rows[i], 0, at[i]});
        a.segments = segments;
        on.mla(a);
    };
    c.backward = [=](Backend& on, auto& x, const Floats& dy, auto& d) {
        std::vector<std::vector<std::byte>> keep;
        Floats y(T * HV, kNaN);
        MlaBack a{.op = made(x, keep, y)};
        std::vector<RowsOf> rows;
        for (int64_t n : s.rows) rows.push_back({rows.empty() ? 0 : rows.back().first + rows.back().count, n});
        a.rows = rows;
        a.dy = {dy.data(), {T, HV}}, a.dx = {d.at("x").data(), {T, W}};
        a.dkv_b = d.at("kv_b").data(), a.dnorm = d.at("norm").data();
        std::fill(d.at("x").begin(), d.at("x").end(), kNaN);
        on.gradients()->mla_back(a);
        d["y"] = y;
    };
    return c;
}

Case ffn_case(int64_t T, int64_t D, int64_t F, DType type) {
    Case c{.name = "ffn", .outputs = T * D};
    c.in["x"] = normal(T * D, 1), c.in["norm"] = normal(D, 2, 0.2f, 1);
    for (const char* name : {"gate", "up", "down"})
        round_to(type, c.in[name] = normal(F * D, static_cast<uint64_t>(name[0]), 1 / std::sqrt(static_cast<float>(D))));
    const auto made = [=](auto& x, auto& keep) {
        return SwiGlu{weight(x.at("gate"), F, D, type, keep), weight(x.at("up"), F, D, type, keep), weight(x.at("down"), D, F, type, keep)};
    };
    c.forward = [=](Backend& on, auto& x, Floats& y) {
        std::vector<std::vector<std::byte>> keep;
        std::fill(y.begin(), y.end(), 0.f);
        on.ffn({.x = {x.at("x").data(), {T, D}}, .norm = {x.at("norm").data(), 1e-5f}, .w = made(x, keep), .y = {y.data(), {T, D}}});
    };
    c.backward = [=](Backend& on, auto& x, const Floats& dy, auto& d) {
        std::vector<std::vector<std::byte>> keep;
        on.gradients()->ffn_back({.x = {x.at("x").data(), {T, D}},
                                  .norm = {x.at("norm").data(), 1e-5f},
                                  .w = made(x, keep),
                                  .dy = {dy.data(), {T, D}},
                                  .dx = {d.at("x").data(), {T, D}},
                                  .dw = {d.at("gate").data(), d.at("up").data(), d.at("down").data()},
                                  .dnorm = d.at("norm").data()});
    };
    return c;
}

Case moe_case(int64_t T, int64_t D, int64_t F, int E, int k, bool shared, bool renormalize, DType type) {
    Case c{.name = "moe", .outputs = T * D};
    c.in["x"] = normal(T * D, 1), c.in["norm"] = normal(D, 2, 0.2f, 1);
    c.in["router"] = normal(E * D, 3, 2 / std::sqrt(static_cast<float>(D)));
    for (int e = 0; e < E + shared; ++e)
        for (const char* name : {"gate", "up", "down"})
            round_to(type, c.in[name + std::to_string(e)] = normal(F * D, static_cast<uint64_t>(name[0] + 1000 * e), 1 / std::sqrt(static_cast<float>(D))));
    const Floats bias = normal(E, 4, 0.2f);
    const auto made = [=](auto& x, auto& keep) {
        std::vector<SwiGlu> all;
        for (int e = 0; e < E + shared; ++e) {
            const std::string at = std::to_string(e);
            all.push_back(
                {weight(x.at("gate" + at), F, D, type, keep), weight(x.at("up" + at), F, D, type, keep), weight(x.at("down" + at), D, F, type, keep)});
        }
        return all;
    };
    const auto router = [=](auto& x) {
        return Router{.weight = x.at("router").data(), .bias = bias.data(), .E = E, .top_k = k, .renormalize = renormalize, .scale = 1.5f};
    };
    c.forward = [=](Backend& on, auto& x, Floats& y) {
        std::vector<std::vector<std::byte>> keep;
        const auto all = made(x, keep);
        std::fill(y.begin(), y.end(), 0.f);
        on.moe({.x = {x.at("x").data(), {T, D}},
                .norm = {x.at("norm").data(), 1e-5f},
                .router = router(x),
                .experts = {all.data(), size_t(E)},
                .shared = shared ? all.back() : SwiGlu{},
                .y = {y.data(), {T, D}}});
    };
    c.backward = [=](Backend& on, auto& x, const Floats& dy, auto& d) {
        std::vector<std::vector<std::byte>> keep;
        const auto all = made(x, keep);
        std::vector<SwiGluBack> to;
        for (int e = 0; e < E + shared; ++e) {
            const std::string at = std::to_string(e);
            to.push_back({d.at("gate" + at).data(), d.at("up" + at).data(), d.at("down" + at).data()});
        }
        d["load"] = Floats(E);
        on.gradients()->moe_back({.x = {x.at("x").data(), {T, D}},
                                  .norm = {x.at("norm").data(), 1e-5f},
                                  .router = router(x),
                                  .experts = {all.data(), size_t(E)},
                                  .shared = shared ? all.back() : SwiGlu{},
                                  .dy = {dy.data(), {T, D}},
                                  .dx = {d.at("x").data(), {T, D}},
                                  .dexperts = {to.data(), size_t(E)},
                                  .dshared = shared ? to.back() : SwiGluBack{},
                                  .drouter = d.at("router").data(),
                                  .dnorm = d.at("norm").data(),
                                  .load = d["load"].data()});
    };
    return c;
}

// The loss is its output; dy[0] the weight of each row.
Case head_case(int64_t T, int64_t D, int64_t V, DType type) {
    Case c{.name = "head", .outputs = 1};
    c.in["x"] = normal(T * D, 1), c.in["norm"] = normal(D, 2, 0.2f, 1);
    round_to(type, c.in["head"] = normal(V * D, 3, 1 / std::sqrt(static_cast<float>(D))));
    std::vector<int32_t> targets;
    for (int64_t t = 0; t < T; ++t) targets.push_back(t % 3 == 1 ? -1 : static_cast<int32_t>(t * 7 % V));
    const auto made = [=](auto& x, auto& keep) {
        return CrossEntropy{
            .x = {x.at("x").data(), {T, D}}, .norm = {x.at("norm").data(), 1e-5f}, .head = weight(x.at("head"), V, D, type, keep), .targets = targets};
    };
    c.forward = [=](Backend& on, auto& x, Floats& y) {
        std::vector<std::vector<std::byte>> keep;
        CrossEntropy a = made(x, keep);
        on.gradients()->cross_entropy(a);
        y[0] = static_cast<float>(a.loss);
    };
    c.backward = [=](Backend& on, auto& x, const Floats& dy, auto& d) {
        std::vector<std::vector<std::byte>> keep;
        CrossEntropy a = made(x, keep);
        a.weight = dy[0];
        a.dx = {d.at("x").data(), {T, D}}, a.dhead = d.at("head").data(), a.dnorm = d.at("norm").data();
        on.gradients()->cross_entropy(a);
        d["loss"] = {static_cast<float>(a.loss), static_cast<float>(a.counted), static_cast<float>(a.right)};
    };
    return c;
}

std::map<std::string, Floats> derivatives(Case& c, Backend& on, const Floats& dy) {
    std::map<std::string, Floats> d;
    for (const auto& [name, values] : c.in) d[name].assign(values.size(), 0);
    c.backward(on, c.in, dy, d);
    return d;
}
Floats seed_of(const Case& c) { return c.outputs == 1 ? Floats{0.7f} : normal(c.outputs, 99); }

// Along a random direction of each input, the loss dy . y changes as the derivative says. y is f32: h = 2e-3 leaves noise of 1e-4 of the change.
void expect_finite_differences(Case c, Backend& truth) {
    const Floats dy = seed_of(c);
    const auto d = derivatives(c, truth, dy);
    const auto loss = [&](std::map<std::string, Floats>& in) {
        Floats y(c.outputs);
        c.forward(truth, in, y);
        double total = 0;
        for (size_t i = 0; i < y.size(); ++i) total += double{dy[i]} * y[i];
        return total;
    };
    for (const auto& [name, values] : c.in) {
        const Floats along = normal(values.size(), 1234);
        const float h = 2e-3f;
        auto up = c.in, down = c.in;
        double said = 0, size = 0, reach = 0;
        for (size_t i = 0; i < values.size(); ++i) {
            up[name][i] += h * along[i], down[name][i] -= h * along[i];
            const double moved = double{up[name][i]} - down[name][i];
            said += d.at(name)[i] * moved;
            size += double{d.at(name)[i]} * d.at(name)[i], reach += moved * moved;
        }
        EXPECT_NEAR(loss(up) - loss(down), said, 3e-3 * std::sqrt(size * reach) + 1e-7) << c.name << " by " << name;
    }
}

std::vector<Case> small_cases() {
    std::vector<Case> all;
    all.push_back(linear_case(7, 12, {5, 3}, true, DType::f32));
    all.push_back(linear_case(3, 9, {4}, false, DType::f32));
    all.push_back(kda_case({}));
    all.push_back(kda_case({.K = 8, .V = 12, .R = 0, .bound = -5}));
    all.push_back(kda_case({.rows = {33}, .H = 1, .K = 4, .V = 4, .C = 2, .A_log = 2, .dt = 0}));
    all.push_back(kda_case({.R = 0, .one_gate = true, .silu = true}));
    all.push_back(kda_case({.C = 1, .silu = true}));
    all.push_back(kda_case({.V = 12, .C = 1, .ungated = true}));
    all.push_back(kda_case({.V = 12, .R = 0, .ungated = true}));
    for (const bool plain : {true, false}) {
        all.push_back(kda_case({.no_gate = true, .plain = plain}));
        all.push_back(kda_case({.V = 12, .one_gate = true, .plain = plain}));
        all.push_back(kda_case({.rows = {33, 2}, .K = 4, .V = 8, .R = 0, .plain = plain}));
    }
    all.push_back(mla_case({}));
    all.push_back(mla_case({.rope = 6, .theta = 100}));
    all.push_back(mla_case({.rope = 4, .theta = 100, .adjacent = true}));
    all.push_back(ffn_case(5, 12, 10, DType::f32));
    all.push_back(moe_case(11, 12, 10, 4, 2, true, true, DType::f32));
    all.push_back(moe_case(11, 12, 10, 5, 3, false, false, DType::f32));
    all.push_back(head_case(10, 12, 21, DType::f32));
    return all;
}

TEST(Gradients, NaiveOnesAreFiniteDifferencesOfTheForwardOps) {
    const auto truth = make_naive_backend();
    for (Case& c : small_cases()) expect_finite_differences(c, *truth);
}

class OnIsa : public testing::TestWithParam<Isa> {};

// Of every derivative, the root mean square of what is off over that of the truth.
void expect_naive(Case c, Backend& on, double bound, const std::string& where) {
    const Floats dy = seed_of(c);
    const auto truth = derivatives(c, *make_naive_backend(), dy);
    const auto got = derivatives(c, on, dy);
    for (const auto& [name, expected] : truth) {
        const Floats& x = got.at(name);
        ASSERT_EQ(x.size(), expected.size()) << where << name;
        double off = 0, size = 1e-30;
        for (size_t i = 0; i < x.size(); ++i) {
            ASSERT_TRUE(std::isfinite(x[i])) << where << c.name << " by " << name << " at " << i;
            off += (double{x[i]} - expected[i]) * (double{x[i]} - expected[i]), size += double{expected[i]} * expected[i];
        }
        EXPECT_LE(std::sqrt(off / size), bound) << where << c.name << " by " << name;
    }
}

TEST_P(OnIsa, SmallOnesAreTheNaiveOnes) {
    const auto on = cpu(GetParam());
    int i = 0;
    for (Case& c : small_cases()) expect_naive(c, *on, 1e-4, std::to_string(i++) + " ");
}

// Sizes that are no multiples of anything, and those of the demo model.
TEST_P(OnIsa, RaggedAndLargeOnesAreTheNaiveOnes) {
    const auto on = cpu(GetParam());
    for (const DType type : {DType::f32, DType::bf16}) {
        // Both factors of a product are rounded to 8 bits: 2^-9 rms of each, through two or three products in a row.
        const double bound = type == DType::f32 ? 1e-4 : 1e-2;
        expect_naive(linear_case(67, 72, {65, 130}, true, type), *on, bound, "ragged ");
        expect_naive(linear_case(40, 512, {33}, false, type), *on, bound, "deep ");
        expect_naive(ffn_case(37, 40, 70, type), *on, bound, "ragged ");
        expect_naive(moe_case(50, 40, 70, 5, 2, true, true, type), *on, bound, "ragged ");
        expect_naive(head_case(70, 40, 530, type), *on, bound, "ragged ");
        expect_naive(kda_case({.rows = {3, 50, 16, 0, 17}, .H = 3, .K = 20, .V = 36, .R = 12, .type = type}), *on, bound, "ragged ");
        for (const bool plain : {false, true})
            expect_naive(kda_case({.rows = {3, 50, 16, 0, 17}, .H = 3, .K = 20, .V = 36, .R = 12, .no_gate = true, .plain = plain, .type = type}), *on, bound,
                         "no gate ");
        expect_naive(kda_case({.rows = {50, 17}, .H = 3, .K = 20, .V = 36, .R = 12, .plain = true, .type = type}), *on, bound, "plain ");
        expect_naive(kda_case({.rows = {3, 50, 0, 17}, .H = 3, .K = 20, .V = 36, .C = 1, .R = 12, .ungated = true, .type = type}), *on, bound, "ungated ");
        expect_naive(kda_case({.rows = {50, 17}, .H = 3, .K = 20, .V = 36, .C = 1, .R = 12, .silu = true, .type = type}), *on, bound, "swish ");
        expect_naive(kda_case({.rows = {70}, .H = 1, .K = 64, .V = 64, .R = 64, .type = type}), *on, bound, "demo ");
        expect_naive(mla_case({.rows = {3, 150, 0, 40}, .H = 3, .nope = 20, .rope = 12, .V = 28, .L = 36, .type = type}), *on, bound, "ragged ");
        expect_naive(mla_case({.rows = {130}, .H = 1, .nope = 64, .rope = 32, .V = 64, .L = 64, .theta = 1e4f, .type = type}), *on, bound, "demo ");
    }
}

// While weights stay, the forward ops multiply with what was made of them once: the same numbers, also where there are several ops, experts without a token, one
// token too few for it.
TEST_P(OnIsa, ForwardOpsOnHeldWeightsAreTheNaiveOnes) {
    const auto on = cpu(GetParam());
    const auto truth = make_naive_backend();
    const auto expect_same = [&](Case c, const std::string& where) {
        Floats expected(c.outputs), y(c.outputs);
        c.forward(*truth, c.in, expected);
        on->gradients()->hold_weights();  // those of each case lie elsewhere
        c.forward(*on, c.in, y);
        double off = 0, size = 1e-30;
        for (size_t i = 0; i < y.size(); ++i) {
            ASSERT_TRUE(std::isfinite(y[i])) << where << c.name << " at " << i;
            off += (double{y[i]} - expected[i]) * (double{y[i]} - expected[i]), size += double{expected[i]} * expected[i];
        }
        // x and the hidden values of a SwiGLU are rounded to 8 bits: 2^-9 / sqrt 3 rms of each, through up to three products.
        EXPECT_LE(std::sqrt(off / size), 5e-3) << where << c.name;
    };
    for (const int64_t T : {15, 16, 17, 67, 130}) {
        const std::string where = std::to_string(T) + " tokens ";
        expect_same(linear_case(T, 72, {65, 4, 130}, true, DType::bf16), where);
        expect_same(linear_case(T, 40, {33}, false, DType::bf16), where);
        expect_same(linear_case(T, 40, {33}, false, DType::f32), where);
        expect_same(ffn_case(T, 40, 70, DType::bf16), where);
        expect_same(moe_case(T, 40, 70, 5, 2, true, true, DType::bf16), where);
        expect_same(moe_case(T, 40, 36, 40, 2, false, false, DType::bf16), where);
    }
}

// Half-lives from a fraction of a token to hundreds of thousands, and gates beyond what is sane.
TEST_P(OnIsa, StrongAndWeakDecay) {
    const auto on = cpu(GetParam());
    for (const auto& [A_log, dt] : std::vector<std::pair<float, float>>{{4, 0}, {6, 2}, {-3, -5}, {-30, -80}})
        for (const bool plain : {false, true})
            for (const bool one : {false, true})
                expect_naive(kda_case({.rows = {40}, .K = 16, .V = 16, .one_gate = one, .plain = plain, .A_log = A_log, .dt = dt}), *on, 1e-4,
                             "decay " + std::to_string(A_log) + (plain ? " plain " : " ") + (one ? "of a head " : ""));
    expect_naive(kda_case({.rows = {40}, .A_log = 2, .dt = 1, .excess = 0.01f}), *on, 1e-4, "excess ");
}

TEST_P(OnIsa, ABatchIsTheSumOfItsRows) {
    const auto on = cpu(GetParam());
    for (const bool mla : {false, true}) {
        const std::vector<int64_t> rows = {5, 20, 33};
        const auto make = [&](std::vector<int64_t> r) { return mla ? mla_case({.rows = r}) : kda_case({.rows = r}); };
        Case all = make(rows);
        const Floats dy = seed_of(all);
        const auto together = derivatives(all, *on, dy);
        std::map<std::string, Floats> sum;
        size_t x = 0, y = 0;
        for (int64_t n : rows) {
            Case one = make({n});
            const size_t width = one.in["x"].size();
            one.in = all.in;
            one.in["x"] = Floats(all.in["x"].begin() + static_cast<std::ptrdiff_t>(x), all.in["x"].begin() + static_cast<std::ptrdiff_t>(x + width));
            const Floats part(dy.begin() + static_cast<std::ptrdiff_t>(y), dy.begin() + static_cast<std::ptrdiff_t>(y + static_cast<size_t>(one.outputs)));
            for (const auto& [name, d] : derivatives(one, *on, part)) {
                Floats& to = sum[name];
                if (name == "x" || name == "y") {
                    to.insert(to.end(), d.begin(), d.end());
                } else {
                    to.resize(d.size());
                    for (size_t i = 0; i < d.size(); ++i) to[i] += d[i];
                }
            }
            x += width, y += static_cast<size_t>(one.outputs);
        }
        for (const auto& [name, d] : together) EXPECT_LE(error(sum.at(name), d), 1e-5) << (mla ? "mla " : "kda ") << name;
    }
}

TEST_P(OnIsa, AnyNumberOfThreadsGivesTheSameBits) {
    for (const DType type : {DType::f32, DType::bf16}) {
        std::vector<Case> all;
        all.push_back(linear_case(300, 96, {65, 130}, true, type));
        all.push_back(kda_case({.rows = {50, 7, 64, 30}, .H = 3, .K = 16, .V = 16, .type = type}));
        all.push_back(mla_case({.rows = {50, 7, 140, 30}, .H = 3, .type = type}));
        all.push_back(moe_case(200, 64, 40, 6, 2, true, true, type));
        all.push_back(head_case(1200, 48, 300, type));
        for (Case& c : all) {
            const Floats dy = seed_of(c);
            const auto one = derivatives(c, *cpu(GetParam(), 1), dy);
            for (int threads : {2, 3})
                for (const auto& [name, d] : derivatives(c, *cpu(GetParam(), threads), dy)) EXPECT_TRUE(identical(d, one.at(name))) << c.name << " by " << name;
        }
    }
}

TEST_P(OnIsa, RowsOfTheEmbeddingAddUp) {
    const auto on = cpu(GetParam());
    const std::vector<int32_t> ids = {3, 1, 3, 3, 0, 1};
    const Floats dx = normal(ids.size() * 20, 5);
    Floats table(5 * 20, 1), truth = table;
    on->gradients()->embed_back({.ids = ids, .dx = {dx.data(), {6, 20}}, .dtable = table.data()});
    make_naive_backend()->gradients()->embed_back({.ids = ids, .dx = {dx.data(), {6, 20}}, .dtable = truth.data()});
    EXPECT_LE(error(table, truth), 1e-6);
}

TEST_P(OnIsa, StepsOfTheOptimizers) {
    const auto on = cpu(GetParam());
    const auto truth = make_naive_backend();
    for (const auto& [out, in] : std::vector<std::pair<int64_t, int64_t>>{{24, 40}, {70, 33}, {64, 64}}) {
        Floats w = normal(out * in, 1), m(out * in), v(out * in), tw = w, tm = m, tv = v, wm = w, mm = m, twm = w, tmm = m;
        for (int step = 1; step <= 3; ++step) {
            const Floats g = normal(out * in, 10 + static_cast<uint64_t>(step), 0.1f);
            const AdamW a{w.data(), g.data(), m.data(), v.data(), out * in, 1e-2, 0.1, 0.5, step},
                b{tw.data(), g.data(), tm.data(), tv.data(), out * in, 1e-2, 0.1, 0.5, step};
            on->gradients()->adamw({&a, 1});
            truth->gradients()->adamw({&b, 1});
            const Muon c{wm.data(), g.data(), mm.data(), out, in, 0.02, 0.05, 0.5}, d{twm.data(), g.data(), tmm.data(), out, in, 0.02, 0.05, 0.5};
            on->gradients()->muon({&c, 1});
            truth->gradients()->muon({&d, 1});
        }
        EXPECT_LE(error(w, tw), 1e-5);
        EXPECT_LE(error(v, tv), 1e-5);
        EXPECT_LE(error(mm, tmm), 1e-5);
        EXPECT_LE(error(wm, twm), 2e-3) << "products of the iteration are bf16";  // 3 steps of 0.02, each good to some percent, over weights of 3
    }
}

INSTANTIATE_TEST_SUITE_P(All, OnIsa, testing::ValuesIn(supported_isas()), [](const auto& info) { return std::string(name(info.param)); });

}  // namespace
}  // namespace klp
