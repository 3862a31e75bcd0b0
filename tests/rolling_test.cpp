// A context that rolls: the cache forgets its oldest tokens, the states do not. Held to attention in float64 that keeps every row and looks at those that are
// left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "core/model/checkpoint.h"
#include "core/model/generate.h"
#include "core/model/probe.h"
#include "core/model/snapshot_pool.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

using Ids = std::vector<int32_t>;

// What is dropped when tokens come one by one: a full cache gives up `step` rows before the next one goes in.
int64_t dropped_before(int64_t position, int64_t context, int64_t step) {
    int64_t dropped = 0;
    for (int64_t p = 0; p <= position; ++p)
        if (p - dropped == context) dropped += step;
    return dropped;
}

// The naive device, but for attention: its cache has every row that ever was, in float64, and each token's softmax is over those that it may see.
class Remembering final : public Backend {
public:
    Remembering(int64_t context, int64_t step) : context_(context), step_(step) {}
    const DeviceInfo& info() const override { return on_->info(); }
    void upload(void* device, const void* host, size_t bytes) override { std::memmove(device, host, bytes); }
    void download(void* host, const void* device, size_t bytes) override { std::memmove(host, device, bytes); }
    void copy(void* to, const void* from, size_t bytes) override { std::memmove(to, from, bytes); }
    void zero(void* device, size_t bytes) override { std::memset(device, 0, bytes); }
    Weight adopt(const Weight& host, std::vector<Buffer>&) override { return host; }
    void embed(const Embed& a) override { on_->embed(a); }
    void linear(const Linear& a) override { on_->linear(a); }
    void kda(const Kda& a) override { on_->kda(a); }
    void attention(const Attention& a) override { on_->attention(a); }
    void scale_heads(const ScaleHeads& a) override { on_->scale_heads(a); }
    void ffn(const Ffn& a) override { on_->ffn(a); }
    void moe(const Moe& a) override { on_->moe(a); }
    void mix(const Mix& a) override { on_->mix(a); }
    void sample(const Sample& a) override { on_->sample(a); }

    void mla(const Mla& a) override {
        using naive::dot, naive::Numbers;
        ASSERT_EQ(a.rope_theta, 0);
        ASSERT_EQ(a.segments.size(), 1u);
        const MlaSegment& s = a.segments[0];
        std::vector<Numbers>& cache = caches_[a.kv_b.data];  // of a layer: k_n | v of every head, then k_r
        ASSERT_EQ(static_cast<int64_t>(cache.size()), s.past);
        const int64_t head = a.nope + a.V;
        for (int64_t t = 0; t < s.count; ++t) {
            const float* x = a.x.row(s.first + t);
            const float* latent = x + a.q_width();
            Numbers row = naive::matvec(a.kv_b, rounded(a.cache_type, naive::rms_norm(Numbers(latent, latent + a.L), a.norm)));
            const Numbers k_r = rounded(a.cache_type, Numbers(latent + a.L, latent + a.L + a.rope));
            row.insert(row.end(), k_r.begin(), k_r.end());
            cache.push_back(std::move(row));
            const auto now = static_cast<int64_t>(cache.size());
            for (int64_t h = 0; h < a.H; ++h) {
                const Numbers q_n(x + h * (a.nope + a.rope), x + h * (a.nope + a.rope) + a.nope),
                    q_r(x + h * (a.nope + a.rope) + a.nope, x + (h + 1) * (a.nope + a.rope));
                Numbers o(static_cast<size_t>(a.V));
                double sum = 0;
                for (int64_t n = dropped_before(now - 1, context_, step_); n < now; ++n) {
                    const std::span<const double> r(cache[static_cast<size_t>(n)]);
                    const double w = std::exp((dot(q_n, r.subspan(h * head, a.nope)) + dot(q_r, r.last(a.rope))) * a.scale);
                    for (int64_t j = 0; j < a.V; ++j) o[static_cast<size_t>(j)] += w * r[static_cast<size_t>(h * head + a.nope + j)];
                    sum += w;
                }
                for (int64_t j = 0; j < a.V; ++j) a.y(s.first + t, h * a.V + j) = static_cast<float>(o[static_cast<size_t>(j)] / sum);
            }
        }
    }

private:
    static naive::Numbers rounded(DType type, naive::Numbers values) {
        for (double& v : values) {
            const auto f = static_cast<float>(v);
            v = type == DType::bf16 ? bf16_to_float(float_to_bf16(f)) : f;
        }
        return values;
    }
    void* take(size_t n) override { return ::operator new (n, std::align_val_t{64}); }
    void give_back(void* data, size_t) noexcept override { ::operator delete (data, std::align_val_t{64}); }
    std::shared_ptr<Backend> on_ = make_naive_backend();
    int64_t context_, step_;
    std::map<const void*, std::vector<naive::Numbers>> caches_;
};

std::shared_ptr<const Model> load(std::shared_ptr<Backend> on, const ModelConfig& config, DType type = DType::f32) {
    auto model = Model::load(on, config, synthetic_weights(config, type, 3));
    EXPECT_TRUE(model) << (model ? "" : model.error().message);
    return *model;
}
std::shared_ptr<const Model> golden(std::shared_ptr<Backend> on) {  // whose outputs depend on what is far away
    const auto checkpoint = open_checkpoint(source_dir() / "tests/golden/hf/tiny-spec");
    EXPECT_TRUE(checkpoint) << (checkpoint ? "" : checkpoint.error().message);
    auto model = Model::load(on, checkpoint->config, checkpoint->source);
    EXPECT_TRUE(model) << (model ? "" : model.error().message);
    return *model;
}
Ids random_ids(int64_t n, int vocabulary, unsigned seed) {
    std::mt19937 random(seed);
    Ids ids(static_cast<size_t>(n));
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<unsigned>(vocabulary));
    return ids;
}
double largest_difference(std::span<const float> a, std::span<const float> b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        if (!std::isfinite(a[i])) return INFINITY;
        largest = std::max(largest, std::abs(double(a[i]) - double(b[i])));
    }
    return largest;
}
// Every token's logits without rolling, on a device that remembers everything and looks at what a rolling cache would have.
std::vector<float> truth(const Ids& ids, int64_t context, int64_t step) {
    const auto on = std::make_shared<Remembering>(context, step);
    const auto model = golden(on);
    Workspace ws(*on);
    Sequence sequence(model);
    const Feed feed{&sequence, ids};
    model->forward({&feed, 1}, ws, true);
    return ws.logits;
}
constexpr double kRounding = 6e-5;  // as in model_test: f32 against float64, on logits up to 3

class Rolling : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        on = GetParam() == "simulated_gpu" ? cuda_on_cpu::make_backend(0, "") : *make_backend(GetParam(), 2);
        model = golden(on);
        ws.emplace(*on);
    }
    bool in_short() const { return GetParam() == "simulated_gpu"; }  // a second of a device is an hour of its simulation
    Sequence rolling(int64_t context) {
        Sequence sequence(model, context);
        EXPECT_TRUE(sequence.set_rolling(true));
        return sequence;
    }
    // Logits of every token, in passes of `piece` tokens at most.
    std::vector<float> logits(Sequence& sequence, std::span<const int32_t> ids, int64_t piece) {
        std::vector<float> all;
        for (size_t at = 0; at < ids.size();) {
            const auto n = static_cast<size_t>(std::min({piece, static_cast<int64_t>(ids.size() - at), sequence.pass_room()}));
            const Feed feed{&sequence, ids.subspan(at, n)};
            model->forward({&feed, 1}, *ws, true);
            all.insert(all.end(), ws->logits.begin(), ws->logits.end());
            at += n;
        }
        return all;
    }
    const ModelConfig config = shape("tiny-spec");
    std::shared_ptr<Backend> on;
    std::shared_ptr<const Model> model;
    std::optional<Workspace> ws;
};

TEST_P(Rolling, AttendsExactlyToWhatIsLeftWhileTheStatesHaveSeenAll) {
    const Ids ids = random_ids(70, config.vocab_size, 1);
    for (const auto& [context, step] : {std::pair<int64_t, int64_t>{24, 6}, {17, 4}, {1, 1}}) {
        if (in_short() && context != 24) continue;
        const std::vector<float> expected = truth(ids, context, step);
        const std::vector<float> unrolled = truth(ids, 1000, 1);
        EXPECT_GT(largest_difference(expected, unrolled), 100 * kRounding) << "the test would see nothing";
        for (int64_t piece : in_short() ? std::vector<int64_t>{5} : std::vector<int64_t>{1, 5, 64}) {
            Sequence sequence = rolling(context);
            EXPECT_LE(largest_difference(logits(sequence, ids, piece), expected), kRounding) << context << " rows, pieces of " << piece;
            EXPECT_EQ(sequence.dropped(), dropped_before(69, context, step));
            EXPECT_EQ(sequence.dropped(), sequence.dropped_at(70));
            EXPECT_EQ(sequence.position(), 70);
            EXPECT_EQ(sequence.rows(), 70 - sequence.dropped());
            EXPECT_EQ(sequence.tokens(), ids);
        }
    }
}

// Of a large context, whole pages are dropped.
TEST_P(Rolling, DropsPagesAcrossTheirBorders) {
    if (in_short()) GTEST_SKIP() << "1,700 tokens";
    const Ids ids = random_ids(1700, config.vocab_size, 2);
    const int64_t context = 1100;
    const std::vector<float> expected = truth(ids, context, 256);
    for (int64_t piece : {100, 512}) {
        Sequence sequence = rolling(context);
        EXPECT_LE(largest_difference(logits(sequence, ids, piece), expected), 4 * kRounding);  // 1,700 roundings of a state
        EXPECT_EQ(sequence.dropped(), 768);
        EXPECT_EQ(sequence.rows(), 932);
        const StateSpec mla = model->mixer(3).state();
        EXPECT_EQ(sequence.memory().cache, 4 * kMlaPage * mla.row_bytes) << "bytes are those of the pages that are left";
    }
}

TEST_P(Rolling, HowTokensComeDoesNotMatter) {
    const Ids ids = random_ids(in_short() ? 30 : 60, config.vocab_size, 3);
    Sequence whole = rolling(20), fed = rolling(20);
    ASSERT_TRUE(whole.feed(ids, *ws));
    const std::vector<float> last = ws->logits;
    for (const int32_t& id : ids) ASSERT_TRUE(fed.feed({&id, 1}, *ws));
    EXPECT_LE(largest_difference(ws->logits, last), kRounding);
    EXPECT_EQ(fed.dropped(), whole.dropped());
    EXPECT_LE(largest_difference(fed.cache(3, 0, fed.rows()), whole.cache(3, 0, whole.rows())), kRounding);
    EXPECT_LE(largest_difference(fed.state(0, "S"), whole.state(0, "S")), kRounding);

    // An answer that goes past the end of the context, with passes that run ahead of the host where the device does that, is what feeding it gives.
    Sequence talk = rolling(20);
    auto answer = generate(talk, std::span(ids).first(15), *ws, {.sampling = {.temperature = 0}, .budget = in_short() ? 15 : 40});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->end, Generation::End::budget);
    EXPECT_EQ(talk.position(), in_short() ? 30 : 55);
    Sequence again = rolling(20);
    ASSERT_TRUE(again.feed(talk.tokens(), *ws));
    EXPECT_EQ(again.dropped(), talk.dropped());
    EXPECT_LE(largest_difference(again.cache(3, 0, again.rows()), talk.cache(3, 0, talk.rows())), kRounding);
}

TEST_P(Rolling, SnapshotsAndForksKeepWhatTheyHad) {
    const Ids ids = random_ids(80, config.vocab_size, 4);
    Sequence sequence = rolling(24);
    ASSERT_TRUE(sequence.feed(std::span(ids).first(50), *ws));
    const SnapshotPtr frozen = sequence.snapshot();
    EXPECT_EQ(frozen->dropped(), sequence.dropped());
    Sequence fork = sequence.fork();
    EXPECT_TRUE(fork.rolls());
    const std::vector<float> before = fork.cache(3, 0, fork.rows());
    ASSERT_TRUE(sequence.feed(std::span(ids).subspan(50), *ws));
    const std::vector<float> expected = ws->logits;
    EXPECT_EQ(fork.cache(3, 0, fork.rows()), before) << "the original wrote into a page that the fork holds";
    ASSERT_TRUE(fork.feed(std::span(ids).subspan(50), *ws));
    EXPECT_LE(largest_difference(ws->logits, expected), kRounding);
    sequence.restore(*frozen);
    EXPECT_EQ(sequence.rows(), fork.dropped_at(50) == 30 ? 20 : 50 - fork.dropped_at(50));
    ASSERT_TRUE(sequence.feed(std::span(ids).subspan(50), *ws));
    EXPECT_LE(largest_difference(ws->logits, expected), kRounding);
    sequence.reset();
    EXPECT_EQ(sequence.dropped(), 0);
}

TEST_P(Rolling, ABatchEqualsItsMembersAlone) {
    const Ids ids = random_ids(40, config.vocab_size, 5);
    Sequence a = rolling(12), b(model), a_alone = rolling(12), b_alone(model);
    for (const int32_t& id : ids) {
        const Feed feeds[] = {{&a, {&id, 1}}, {&b, {&id, 1}}};
        model->forward(feeds, *ws);
        const std::vector<float> both = ws->logits;
        ASSERT_TRUE(a_alone.feed({&id, 1}, *ws));
        std::vector<float> each = ws->logits;
        ASSERT_TRUE(b_alone.feed({&id, 1}, *ws));
        each.insert(each.end(), ws->logits.begin(), ws->logits.end());
        EXPECT_LE(largest_difference(both, each), kRounding);
    }
    EXPECT_EQ(a.dropped(), 30);
    EXPECT_EQ(b.dropped(), 0);
}

TEST_P(Rolling, WithoutItAFullContextRefuses) {
    const Ids ids = random_ids(30, config.vocab_size, 6);
    Sequence sequence(model, 24);
    EXPECT_FALSE(sequence.feed(ids, *ws));
    EXPECT_EQ(sequence.position(), 0);
    ASSERT_TRUE(sequence.set_rolling(true));
    EXPECT_TRUE(sequence.feed(ids, *ws));
    ASSERT_TRUE(sequence.set_rolling(false));
    EXPECT_EQ(sequence.room(), 24 - sequence.rows()) << "what is free is counted in rows";
    EXPECT_TRUE(sequence.feed(std::span(ids).first(static_cast<size_t>(sequence.room())), *ws));
    EXPECT_FALSE(sequence.feed(std::span(ids).first(1), *ws));
}

// Readings and picks belong to tokens, not to rows.
TEST_P(Rolling, ReadingsKeepTheirPositions) {
    struct Heard final : Tap {
        bool wants(Site site, int) const override { return site == Site::log_sum_exp || site == Site::beta; }
        void take(const Reading& r) override { positions.push_back(r.position); }
        std::vector<int64_t> positions;
    } tap;
    const Ids ids = random_ids(30, config.vocab_size, 7);
    Sequence sequence = rolling(8);
    ws->tap = &tap;
    ASSERT_TRUE(sequence.feed(ids, *ws));
    ws->tap = nullptr;
    std::sort(tap.positions.begin(), tap.positions.end());
    tap.positions.erase(std::unique(tap.positions.begin(), tap.positions.end()), tap.positions.end());
    ASSERT_EQ(tap.positions.size(), 30u);
    EXPECT_EQ(tap.positions.back(), 29);
}

TEST_P(Rolling, GoingBackAndForthFindsTheSameMemory) {
    const Ids ids = random_ids(64, config.vocab_size, 8);
    Sequence sequence = rolling(16), small = rolling(12);
    SnapshotPool pool(int64_t{1} << 30);
    ASSERT_TRUE(pool.go(sequence, std::span(ids).first(40), *ws));
    pool.keep(sequence);
    ASSERT_TRUE(pool.go(sequence, ids, *ws));
    const std::vector<float> there = sequence.cache(3, 0, sequence.rows());
    auto moved = pool.go(sequence, std::span(ids).first(40), *ws);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->replayed, 0);
    moved = pool.go(sequence, ids, *ws);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->replayed, 24);
    EXPECT_LE(largest_difference(sequence.cache(3, 0, sequence.rows()), there), kRounding);
    EXPECT_EQ(pool.cost(small, std::span(ids).first(40)).replayed, 40) << "a smaller context has dropped more by then: that snapshot is not its own";
}

INSTANTIATE_TEST_SUITE_P(All, Rolling, testing::Values("naive", "cpu", "simulated_gpu"), [](const auto& p) { return p.param; });

TEST(RollingContext, IsRefusedWhereKeysAreRotated) {
    ModelConfig config = shape("tiny-spec");
    config.mla_use_nope = false;
    Sequence sequence(load(*make_backend("cpu", 1), config));
    const auto set = sequence.set_rolling(true);
    ASSERT_FALSE(set);
    EXPECT_THAT(set.error().message, testing::HasSubstr("rotates keys by their positions"));
    EXPECT_FALSE(sequence.rolls());
    EXPECT_TRUE(sequence.set_rolling(false));
}

// A head of the cache reads what is left; its weights sum to one over that.
TEST(RollingContext, AProbeSeesWhatIsLeft) {
    const ModelConfig config = shape("tiny");
    const auto model = load(*make_backend("cpu", 2), config);
    const Ids ids = random_ids(90, config.vocab_size, 9);
    SnapshotPool pool(int64_t{1} << 30);
    const int mla = static_cast<int>(std::find(config.layer_kinds.begin(), config.layer_kinds.end(), "mla") - config.layer_kinds.begin());
    ProbeRequest what{.tokens = ids, .layer = mla, .head = 1, .context = 32, .rolls = true};
    const auto reads = probe(model, pool, what);
    ASSERT_TRUE(reads) << reads.error().message;
    const HeadReads& head = reads->front();
    EXPECT_EQ(head.first, dropped_before(89, 32, 8));
    ASSERT_EQ(static_cast<int64_t>(head.weights.size()), 90 - head.first);
    double sum = 0;
    for (float w : head.weights) sum += w;
    EXPECT_NEAR(sum, 1, 1e-5);

    // Its sum of exponentials is the engine's own, from a cache that dropped the same rows.
    Sequence sequence(model, 32);
    ASSERT_TRUE(sequence.set_rolling(true));
    Workspace ws(model->backend());
    ASSERT_TRUE(sequence.feed(ids, ws));
    EXPECT_EQ(sequence.dropped(), head.first);
    EXPECT_EQ(sequence.cache(mla, 0, sequence.rows()).size(), static_cast<size_t>(sequence.rows() * (config.kv_lora_rank + config.qk_rope_head_dim)));
    // A KDA head reads all, dropped or not.
    what.layer = 0;
    const auto state = probe(model, pool, what);
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_EQ(state->front().first, 0);
    EXPECT_EQ(state->front().weights.size(), 90u);
}

}  // namespace
}  // namespace klp
