// Which past tokens a head reads: the weights, put together again, are what the head really put out.
#include "core/model/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/model/checkpoint.h"
#include "kernels/naive.h"
#include "tests/checkpoints.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using Ids = std::vector<int32_t>;
using testing::HasSubstr;

struct Case {
    std::string name;
    ModelConfig config;  // or, where the name is a folder, the folder's
    DType type = DType::f32;
    std::string device = "cpu";
    friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name << " on " << c.device; }
};

ModelConfig narrow_values(const char* of) {
    ModelConfig c = shape(of);
    c.kda_value_dim = 5, c.v_head_dim = 7;
    return c;
}
ModelConfig bounded() {
    ModelConfig c = shape("tiny");
    c.gate_lower_bound = -5, c.short_conv_kernel_size = 3;
    return c;
}
ModelConfig rotated() {
    ModelConfig c = shape("tiny");
    c.mla_use_nope = false;
    return c;
}
// What Ling has that Kimi has not: gates of full rank, queries of low rank, rotated neighbours, a gate a head.
ModelConfig ling() {
    ModelConfig c = shape("tiny");
    c.kda_gate_rank = 0, c.gate_lower_bound = -5;
    c.q_lora_rank = 24, c.mla_use_nope = false, c.rope_adjacent = true, c.mla_head_gate = true;
    return c;
}
// Gated DeltaNet whose heads share keys, in either order, and attention over whole keys and values.
ModelConfig qwen(bool tiled) {
    ModelConfig c = shape("tiny");
    c.model_type = "qwen3_5", c.num_experts = 0;
    for (std::string& kind : c.layer_kinds) kind = kind == "kda" ? "gated_deltanet" : "full_attention";
    c.kda_heads = 6, c.kda_key_heads = 2, c.kda_key_dim = 8, c.kda_value_dim = 5, c.kda_tiled = tiled;
    c.kv_lora_rank = c.qk_nope_head_dim = c.qk_rope_head_dim = c.v_head_dim = 0;
    c.num_attention_heads = 4, c.num_key_value_heads = 2, c.head_dim = 16, c.rotary_dim = 8, c.mla_use_nope = false, c.attention_gate = true;
    return c;
}
std::vector<Case> cases() {
    return {{"narrow_values", narrow_values("tiny-spec"), DType::f32, "naive"},
            {"narrow_values", narrow_values("tiny"), DType::f32, "cpu"},
            {"bounded_gates", bounded(), DType::f32, "cpu"},
            {"rope", rotated(), DType::f32, "cpu"},
            {"ling", ling(), DType::f32, "cpu"},
            {"qwen", qwen(false), DType::f32, "cpu"},
            {"qwen_tiled", qwen(true), DType::f32, "naive"},
            {"qwen_bf16", qwen(true), DType::bf16, "cpu"},
            {"bf16", shape("tiny"), DType::bf16, "cpu"},
            {"q8_0", shape("tiny"), DType::q8_0, "cpu"},
            {"embedded", {}, DType::bf16, "cpu"}};
}

class EveryModel : public testing::TestWithParam<Case> {
protected:
    void SetUp() override {
        const Case& c = GetParam();
        auto on = make_backend(c.device, 2);
        ASSERT_TRUE(on);
        ModelConfig config = c.config;
        std::shared_ptr<const WeightSource> source;
        if (c.name == "embedded") {
            auto checkpoint = open_checkpoint(source_dir() / "resources/models/demo");
            ASSERT_TRUE(checkpoint) << checkpoint.error().message;
            config = checkpoint->config, source = checkpoint->source;
        } else {
            source = synthetic_weights(config, c.type, 3);
        }
        auto loaded = Model::load(*on, config, source);
        ASSERT_TRUE(loaded) << loaded.error().message;
        model = *loaded;
        std::mt19937 random(5);
        for (int i = 0; i < 300; ++i) ids.push_back(static_cast<int32_t>(random() % static_cast<unsigned>(config.vocab_size)));
    }
    Result<HeadReads> probe_at(int64_t position, int layer, int head, int64_t window = kProbeWindow) {
        auto all = probe(model, pool, {std::span(ids).first(static_cast<size_t>(position + 1)), layer, head, window});
        if (!all) return tl::unexpected(all.error());
        EXPECT_EQ(all->size(), 1u);
        return all->front();
    }
    static Result<DeltaRows> rows_of(Sequence& sequence, std::span<const int32_t> tokens, int layer, int head, Workspace& ws) {
        DeltaRows one;
        auto fed = delta_rows(sequence, tokens, layer, head, 1, ws, [&](int h, const DeltaRows& rows) {
            EXPECT_EQ(h, head);
            one = rows;
        });
        if (!fed) return tl::unexpected(fed.error());
        return one;
    }
    std::vector<int> layers(const char* kind) const {
        std::vector<int> found;
        for (int i = 0; i < model->config().num_hidden_layers; ++i)
            if (model->config().has_state(i) == (kind == std::string_view("kda"))) found.push_back(i);
        return found;
    }
    // The output of a head before its norm, S^T q, from the state that the engine itself keeps.
    std::vector<double> read(const Sequence& sequence, int layer, int head, std::span<const double> with) const {
        const int64_t K = model->config().kda_key_dim, V = model->config().kda_value_dim;
        const std::vector<float> S = sequence.state(layer, "S");
        std::vector<double> o(static_cast<size_t>(V));
        for (int64_t j = 0; j < V; ++j)
            for (int64_t i = 0; i < K; ++i) o[static_cast<size_t>(j)] += S[static_cast<size_t>((head * V + j) * K + i)] * with[static_cast<size_t>(i)];
        return o;
    }
    std::shared_ptr<const Model> model;
    SnapshotPool pool{int64_t{1} << 30};
    Ids ids;
};

double length(std::span<const double> v) { return std::sqrt(naive::dot(v, v)); }

// The truth is the engine's own state in f32: after 300 tokens a few hundred roundings of 6e-8 each, so 1e-4 of the output is wide.
TEST_P(EveryModel, WeightsTimesValuesAreTheHeadsOutput) {
    const int64_t K = model->config().kda_key_dim, V = model->config().kda_value_dim;
    Workspace ws(model->backend());
    for (int layer : layers("kda"))
        for (int head = 0; head < model->config().kda_heads; ++head)
            for (int64_t first : {0, 1, 2, 130}) {  // windows that begin inside the convolution's first taps, and far inside
                Sequence sequence(model);
                ASSERT_TRUE(sequence.feed(std::span(ids).first(static_cast<size_t>(first)), ws));
                const Sequence before = sequence.fork();
                const auto rows = rows_of(sequence, std::span(ids).subspan(static_cast<size_t>(first)), layer, head, ws);
                ASSERT_TRUE(rows);
                ASSERT_EQ(rows->tokens(), 300 - first);
                const Unrolled unrolled = unroll(*rows);
                const std::vector<double> real = read(sequence, layer, head, std::span(rows->q).last(static_cast<size_t>(K)));
                std::vector<double> wrong = read(before, layer, head, unrolled.rest);
                for (int64_t t = 0; t < rows->tokens(); ++t)
                    for (int64_t j = 0; j < V; ++j)
                        wrong[static_cast<size_t>(j)] += unrolled.weights[static_cast<size_t>(t)] * rows->v[static_cast<size_t>(t * V + j)];
                for (size_t j = 0; j < wrong.size(); ++j) wrong[j] -= real[j];
                EXPECT_LT(length(wrong), 1e-4 * length(real)) << "layer " << layer << " head " << head << " from " << first;
            }
}

TEST_P(EveryModel, AProbeOfAStateIsTheUnrolledRule) {
    const int layer = layers("kda").back(), head = model->config().kda_heads - 1;
    Workspace ws(model->backend());
    for (int64_t position : {0, 3, 140}) {
        Sequence sequence(model);
        const auto rows = rows_of(sequence, std::span(ids).first(static_cast<size_t>(position + 1)), layer, head, ws);
        ASSERT_TRUE(rows);
        const Unrolled all = unroll(*rows);
        const auto whole = probe_at(position, layer, head);
        ASSERT_TRUE(whole);
        EXPECT_TRUE(whole->implicit);
        EXPECT_EQ(whole->position, position);
        EXPECT_EQ(whole->first, 0);
        EXPECT_EQ(whole->weights, all.weights);
        EXPECT_EQ(whole->decay_only, all.decay_only);
        EXPECT_EQ(whole->before, 0);
        EXPECT_FLOAT_EQ(whole->weights.back(), whole->decay_only.back()) << "nothing came after it";
        if (position < 100) continue;
        const auto late = probe_at(position, layer, head, 40);
        ASSERT_TRUE(late);
        EXPECT_EQ(late->first, position - 39);
        ASSERT_EQ(late->weights.size(), 40u);
        EXPECT_GT(late->before, 0);
        // Another cut into chunks is another order of sums.
        for (size_t i = 0; i < 40; ++i)
            EXPECT_NEAR(late->weights[i], whole->weights[static_cast<size_t>(position - 39) + i], 2e-3 * (1 + std::abs(late->weights[i])));
    }
}

// Keys expanded from latents that are normalised here, not read from the cache: the formula of ops.h word for word. And the sum of exponentials is the
// engine's.
TEST_P(EveryModel, WeightsOfACacheAreTheSoftmaxOfTheFormula) {
    struct Recorder final : Tap {
        int layer = 0;
        std::vector<std::vector<float>> rows;
        std::vector<float> log_sum_exp;
        bool wants(Site site, int l) const override { return l == layer && (site == Site::projections || site == Site::log_sum_exp); }
        void take(const Reading& r) override {
            if (r.site == Site::projections) rows.emplace_back(r.values.begin(), r.values.end());
            if (r.site == Site::log_sum_exp) log_sum_exp.assign(r.values.begin(), r.values.end());
        }
    } tap;
    const ModelConfig& c = model->config();
    if (c.head_dim) GTEST_SKIP() << "has no latents";
    tap.layer = layers("mla").back();
    const std::string attn = "model.layers." + std::to_string(tap.layer) + ".self_attn.";
    const int64_t H = c.num_attention_heads, nope = c.qk_nope_head_dim, rope = c.qk_rope_head_dim, L = c.kv_lora_rank, head_rows = nope + c.v_head_dim;
    Workspace ws(model->backend());
    ws.tap = &tap;
    Sequence sequence(model);
    constexpr int64_t N = 290;
    ASSERT_TRUE(sequence.feed(std::span(ids).first(N), ws));
    const auto kv_b = model->source().find(attn + "kv_b_proj.weight", {H * head_rows, L});
    const auto norm = model->source().find(attn + "kv_a_layernorm.weight", {L});
    ASSERT_TRUE(kv_b && norm);
    const std::vector<float> norm_weight = floats(*norm);
    const auto part = [](const std::vector<float>& row, int64_t first, int64_t n) { return naive::Numbers(row.begin() + first, row.begin() + first + n); };
    for (int64_t h = 0; h < H; ++h) {
        naive::Numbers scores;
        const naive::Numbers q_n = part(tap.rows.back(), h * (nope + rope), nope);
        naive::Numbers q_r = part(tap.rows.back(), h * (nope + rope) + nope, rope);
        if (!c.mla_use_nope) naive::rotate(q_r, N - 1, c.rope_theta, c.rope_adjacent);
        for (int64_t s = 0; s < N; ++s) {
            const auto& row = tap.rows[static_cast<size_t>(s)];
            const naive::Numbers latent = naive::rms_norm(part(row, H * (nope + rope), L), {norm_weight.data(), c.kv_a_layernorm_eps});
            naive::Numbers k_r = part(row, H * (nope + rope) + L, rope);
            if (!c.mla_use_nope) naive::rotate(k_r, s, c.rope_theta, c.rope_adjacent);
            const naive::Numbers k_n = naive::matvec(kv_b->rows(h * head_rows, nope), latent);
            scores.push_back((naive::dot(q_n, k_n) + naive::dot(q_r, k_r)) / std::sqrt(static_cast<double>(nope + rope)));
        }
        double sum = 0;
        for (double s : scores) sum += std::exp(s);
        const auto reads = probe_at(N - 1, tap.layer, static_cast<int>(h));
        ASSERT_TRUE(reads) << reads.error().message;
        EXPECT_FALSE(reads->implicit);
        EXPECT_EQ(reads->first, 0);
        ASSERT_EQ(reads->weights.size(), static_cast<size_t>(N));
        // A bf16 cache rounds c by 2^-9 and bf16 and q8_0 weights round the query: scores of a few units move by hundredths.
        const double slack = model->cache_type() == DType::f32 ? 1e-4 : 0.05;
        EXPECT_NEAR(std::log(sum), tap.log_sum_exp[static_cast<size_t>(h)], slack);
        double all = 0;
        for (int64_t s = 0; s < N; ++s) {
            const double truth = std::exp(scores[static_cast<size_t>(s)]) / sum;
            EXPECT_NEAR(reads->weights[static_cast<size_t>(s)], truth, slack * truth + 1e-7);
            all += reads->weights[static_cast<size_t>(s)];
        }
        EXPECT_NEAR(all, 1, 1e-5);
    }
}

// The same of whole keys and values: weights times the values that the engine was given are what it put out, before the gate.
TEST_P(EveryModel, WeightsOfWholeKeysAreTheSoftmaxOfTheFormula) {
    struct Recorder final : Tap {
        int layer = 0;
        std::vector<std::vector<float>> rows;
        std::vector<float> log_sum_exp;
        bool wants(Site site, int l) const override { return l == layer && (site == Site::projections || site == Site::log_sum_exp); }
        void take(const Reading& r) override {
            if (r.site == Site::projections) rows.emplace_back(r.values.begin(), r.values.end());
            if (r.site == Site::log_sum_exp) log_sum_exp.assign(r.values.begin(), r.values.end());
        }
    } tap;
    const ModelConfig& c = model->config();
    if (!c.head_dim) GTEST_SKIP() << "has latents";
    tap.layer = layers("mla").back();
    const std::string attn = "model.layers." + std::to_string(tap.layer) + ".self_attn.";
    Workspace ws(model->backend());
    ws.tap = &tap;
    Sequence sequence(model);
    constexpr int64_t N = 290;
    ASSERT_TRUE(sequence.feed(std::span(ids).first(N), ws));
    const auto q_norm = model->source().find(attn + "q_norm.weight", {c.head_dim}), k_norm = model->source().find(attn + "k_norm.weight", {c.head_dim});
    ASSERT_TRUE(q_norm && k_norm);
    const std::vector<float> of_q = floats(*q_norm), of_k = floats(*k_norm);
    const auto turned = [&](int64_t s, int64_t first, const std::vector<float>& weight) {
        const auto& row = tap.rows[static_cast<size_t>(s)];
        naive::Numbers x = naive::rms_norm(naive::Numbers(row.begin() + first, row.begin() + first + c.head_dim), {weight.data(), c.rms_norm_eps});
        naive::rotate(std::span(x).first(static_cast<size_t>(c.rotary_dim)), s, c.rope_theta);
        return x;
    };
    for (int64_t h = 0; h < c.num_attention_heads; ++h) {
        const naive::Numbers q = turned(N - 1, h * 2 * c.head_dim, of_q);
        naive::Numbers scores;
        double sum = 0;
        for (int64_t s = 0; s < N; ++s) {
            const int64_t key = (c.num_attention_heads * 2 + h / (c.num_attention_heads / c.num_key_value_heads)) * c.head_dim;
            scores.push_back(naive::dot(q, turned(s, key, of_k)) / std::sqrt(static_cast<double>(c.head_dim)));
            sum += std::exp(scores.back());
        }
        const auto reads = probe_at(N - 1, tap.layer, static_cast<int>(h));
        ASSERT_TRUE(reads) << reads.error().message;
        ASSERT_EQ(reads->weights.size(), static_cast<size_t>(N));
        // A bf16 cache rounds a key by 2^-9 of itself: a score of a few units moves by hundredths.
        const double slack = model->cache_type() == DType::f32 ? 1e-4 : 0.05;
        EXPECT_NEAR(std::log(sum), tap.log_sum_exp[static_cast<size_t>(h)], slack);
        for (int64_t s = 0; s < N; ++s) {
            const double truth = std::exp(scores[static_cast<size_t>(s)]) / sum;
            EXPECT_NEAR(reads->weights[static_cast<size_t>(s)], truth, slack * truth + 1e-7);
        }
    }
}

TEST_P(EveryModel, TheReplayFromASnapshotSeesTheSame) {
    const int kda = layers("kda").front(), mla = layers("mla").front();
    const auto state = probe_at(280, kda, 0, 50), cache = probe_at(280, mla, 0);
    ASSERT_TRUE(state && cache);
    Workspace ws(model->backend());
    Sequence live(model);
    ASSERT_TRUE(live.feed(std::span(ids).first(200), ws));
    pool.keep(live);
    std::vector<int64_t> totals;
    const auto again = probe(model, pool, {std::span(ids).first(281), mla, 0}, nullptr, [&](int64_t done, int64_t total) {
        EXPECT_LT(done, total);
        totals.push_back(total);
    });
    ASSERT_TRUE(again);
    ASSERT_EQ(again->size(), 1u);
    for (int64_t total : totals) EXPECT_EQ(total, 81);
    EXPECT_EQ(live.position(), 200);
    const auto same = probe_at(280, kda, 0, 50);
    ASSERT_TRUE(same);
    const double slack = GetParam().type == DType::f32 ? 1e-4 : 0.1;  // rounded activations may round the other way
    for (size_t i = 0; i < 50; ++i) EXPECT_NEAR(same->weights[i], state->weights[i], slack * (0.1 + std::abs(state->weights[i])));
    for (size_t i = 0; i < 281; ++i) EXPECT_NEAR(again->front().weights[i], cache->weights[i], slack * (0.01 + cache->weights[i]));
}

TEST_P(EveryModel, AllHeadsAtOnceAreEachHeadAlone) {
    for (const char* kind : {"kda", "mla"}) {
        const int layer = layers(kind).back(), heads = *kind == 'k' ? model->config().kda_heads : model->config().num_attention_heads;
        const auto all = probe(model, pool, {std::span(ids).first(100), layer, -1, 30});
        ASSERT_TRUE(all);
        ASSERT_EQ(static_cast<int>(all->size()), heads);
        for (int h = 0; h < heads; ++h) {
            const auto alone = probe_at(99, layer, h, 30);
            ASSERT_TRUE(alone);
            const HeadReads& reads = (*all)[static_cast<size_t>(h)];
            EXPECT_EQ(reads.head, h);
            EXPECT_EQ(reads.weights, alone->weights);
            EXPECT_EQ(reads.decay_only, alone->decay_only);
            EXPECT_EQ(reads.before, alone->before);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Probe, EveryModel, testing::ValuesIn(cases()), [](const auto& c) { return c.param.name + "_" + c.param.device; });

TEST(Probe, UnrollsByHand) {
    // K = 1, q = k = 1: the state is one number, s <- (1 - beta) alpha s + beta v.
    DeltaRows rows{1, 1, {1, 1, 1}, {1, 1, 1}, {0.5, 0.5, 0.5}, {7, 8, 9}, {1, 0.5, 0.25}};
    const Unrolled u = unroll(rows);
    EXPECT_EQ(u.weights, (std::vector<float>{0.75 * 0.5 * 0.5 * 0.5 * 1, 0.75 * 0.5 * 0.5, 0.25}));
    EXPECT_EQ(u.decay_only, (std::vector<float>{0.25, 0.25, 0.25}));
    EXPECT_EQ(u.rest, (std::vector<double>{0})) << "beta 1 has overwritten all";
    EXPECT_TRUE(unroll({1, 1}).weights.empty());
}

TEST(Probe, RefusesWhatIsNotThereAndStopsWhenAsked) {
    auto on = make_backend("cpu", 1);
    const ModelConfig config = shape("tiny");
    const auto model = *Model::load(*on, config, synthetic_weights(config, DType::f32, 1));
    SnapshotPool pool(1 << 20);
    const Ids ids(700, 7);
    for (auto [layer, head] : {std::pair(-1, 0), {4, 0}, {0, 2}, {3, -2}}) {
        const auto reads = probe(model, pool, {ids, layer, head});
        ASSERT_FALSE(reads);
        EXPECT_EQ(reads.error().kind, Error::usage);
        EXPECT_THAT(reads.error().message, HasSubstr("layer " + std::to_string(layer)));
    }
    EXPECT_FALSE(probe(model, pool, {{}, 0, 0}));
    std::atomic<bool> cancel = false;
    const auto stopped = probe(model, pool, {ids, 0, 0}, &cancel, [&](int64_t done, int64_t) { cancel = done > 0; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, Error::interrupted);
}

}  // namespace
}  // namespace klp
